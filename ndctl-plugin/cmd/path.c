// SPDX-License-Identifier: GPL-2.0-only
/* ndctl-iopmem path: does DMA from one function reach another one's BAR? */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "cmd.h"

static const char usage[] =
"usage: ndctl-iopmem path [<options>] <initiator> <target>\n"
"\n"
"  <initiator>: the <function> that does the DMA\n"
"  <target>:    the <function> that has the BAR\n"
FUNCTION_HELP
"\n"
"    -u, --human           a picture for people\n";

static const struct {
	const char *key;
	const char *text;
	uint16_t bit;
} services[] = {
	{ "source_validation", "SrcValid", IOPMEM_ACS_SOURCE_VALIDATION },
	{ "translation_blocking", "TransBlk", IOPMEM_ACS_TRANSLATION_BLOCKING },
	{ "request_redirect", "ReqRedir", IOPMEM_ACS_REQUEST_REDIRECT },
	{ "completion_redirect", "CmpltRedir", IOPMEM_ACS_COMPLETION_REDIRECT },
	{ "upstream_forwarding", "UpstreamFwd", IOPMEM_ACS_UPSTREAM_FORWARDING },
	{ "egress_control", "EgressCtrl", IOPMEM_ACS_EGRESS_CONTROL },
	{ "direct_translated", "DirectTrans", IOPMEM_ACS_DIRECT_TRANSLATED },
};

/* Set *@found to the function that @text names. It must name only one. */
static int find_one(struct iopmem_ctx *ctx, char *text,
		    struct iopmem_function **found)
{
	struct iopmem_function *fn;
	struct specs specs;
	int rc = specs_read(ctx, &text, 1, &specs);

	*found = NULL;
	iopmem_function_foreach(ctx, fn) {
		if (rc || !specs_match(&specs, fn))
			continue;
		if (*found)
			rc = print_error(EXIT_USAGE,
					 "'%s' names several functions, give the address of one",
					 text);
		*found = fn;
	}
	specs_free(&specs);
	return rc;
}

static const char *port_name(struct iopmem_function *fn)
{
	int type = iopmem_function_get_port_type(fn);

	if (type < 0)
		return iopmem_function_is_bridge(fn) ? "bridge" : "endpoint";
	switch (type) {
	case IOPMEM_PORT_ROOT:
		return "root-port";
	case IOPMEM_PORT_UPSTREAM:
		return "upstream-port";
	case IOPMEM_PORT_DOWNSTREAM:
		return "downstream-port";
	case IOPMEM_PORT_TO_PCI:
	case IOPMEM_PORT_FROM_PCI:
		return "bridge";
	default:
		return "endpoint";
	}
}

/* Without root only 64 bytes can be read, and ACS comes after these. */
static void add_acs(struct json_object *to, struct iopmem_function *fn)
{
	struct json_object *j;
	struct iopmem_acs acs;
	int rc = iopmem_function_get_acs(fn, &acs);
	size_t i;

	if (rc < 0) {
		json_add_string(to, "acs", rc == -EACCES ? "unknown" : NULL);
		return;
	}
	j = json_object_new_object();
	for (i = 0; i < ARRAY_SIZE(services); i++)
		json_add_bool(j, services[i].key,
			      acs.control & services[i].bit);
	json_object_object_add(to, "acs", j);
}

/* @value: 1 or 0, or a negative errno if it could not be read */
static void add_flag(struct json_object *to, const char *key, int value)
{
	if (value < 0)
		json_add_string(to, key, NULL);
	else
		json_add_bool(to, key, value);
}

static void add_hop(struct json_object *to, struct iopmem_function *fn)
{
	struct json_object *j = json_object_new_object();
	int group = iopmem_function_get_iommu_group(fn);
	const char *type;

	json_add_string(j, "function", iopmem_function_get_address(fn));
	json_add_string(j, "vendor_name",
			iopmem_function_get_vendor_name(fn));
	json_add_string(j, "device_name",
			iopmem_function_get_device_name(fn));
	json_add_string(j, "type", port_name(fn));
	add_flag(j, "memory", iopmem_function_is_memory_on(fn));
	add_flag(j, "bus_master", iopmem_function_is_bus_master(fn));
	if (group < 0)
		json_add_string(j, "iommu_group", NULL);
	else
		json_add_int(j, "iommu_group", group);
	json_add_string(j, "iommu_type",
			iopmem_function_get_iommu_type(fn, &type) ? NULL : type);
	add_acs(j, fn);
	json_object_array_add(to, j);
}

static void print_json(struct iopmem_path *path, struct iopmem_function *from,
		       struct iopmem_function *to)
{
	struct json_object *array = json_object_new_array();
	struct json_object *j = json_object_new_object();
	struct json_object *why = json_object_new_array();
	struct json_object *hops = json_object_new_array();
	struct iopmem_function *common = iopmem_path_get_common(path), *fn;
	const char *line;
	unsigned int i;

	json_add_string(j, "initiator", iopmem_function_get_address(from));
	json_add_string(j, "target", iopmem_function_get_address(to));
	json_add_string(j, "verdict",
			iopmem_verdict_text(iopmem_path_get_verdict(path)));
	for (i = 0; (line = iopmem_path_get_reason_text(path, i)); i++)
		json_object_array_add(why, json_new_string(line));
	json_object_object_add(j, "why", why);
	json_add_string(j, "common",
			common ? iopmem_function_get_address(common) : NULL);
	json_add_string(j, "initiator_host_bridge",
			iopmem_function_get_host_bridge(from));
	json_add_string(j, "target_host_bridge",
			iopmem_function_get_host_bridge(to));
	for (i = 0; (fn = iopmem_path_get_function(path, i)); i++)
		add_hop(hops, fn);
	json_object_object_add(j, "path", hops);
	json_object_array_add(array, j);
	json_print(array, 0);
}

static void print_hop(struct iopmem_function *fn)
{
	struct iopmem_acs acs = {};
	int rc = iopmem_function_get_acs(fn, &acs);
	size_t i;

	fputs("  ", stdout);
	put_function(fn);
	printf("  %s", port_name(fn));
	if (rc == -EACCES)
		fputs("  ACS unknown, needs root", stdout);
	else if (rc == 0)
		fputs(acs.control ? "  ACS" : "  ACS off", stdout);
	for (i = 0; rc == 0 && i < ARRAY_SIZE(services); i++)
		if (acs.control & services[i].bit)
			printf(" %s+", services[i].text);
	putchar('\n');
}

static void print_for_people(struct iopmem_path *path,
			     struct iopmem_function *from,
			     struct iopmem_function *to)
{
	struct iopmem_function *common = iopmem_path_get_common(path), *fn;
	struct iopmem_function *last = NULL;
	const char *line;
	unsigned int i;

	printf("%s to %s: %s\n", iopmem_function_get_address(from),
	       iopmem_function_get_address(to),
	       iopmem_verdict_text(iopmem_path_get_verdict(path)));
	for (i = 0; (fn = iopmem_path_get_function(path, i)); i++) {
		const char *host = last ?
			iopmem_function_get_host_bridge(last) : NULL;
		const char *next = iopmem_function_get_host_bridge(fn);

		if (!common && last && !iopmem_function_get_parent(last) &&
		    !iopmem_function_get_parent(fn)) {
			printf("  %s\n", host ? host : "no host bridge");
			if (!host || !next || strcmp(host, next))
				printf("  %s\n", next ? next : "no host bridge");
		}
		print_hop(fn);
		last = fn;
	}
	puts("why:");
	for (i = 0; (line = iopmem_path_get_reason_text(path, i)); i++) {
		put_text(stdout, "  %s", line);
		putchar('\n');
	}
}

static int cmd_path(int argc, char **argv, struct iopmem_ctx *ctx)
{
	static const struct option options[] = {
		{ "human", no_argument, NULL, 'u' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct iopmem_function *from, *to;
	struct iopmem_path *path;
	bool human = false;
	int rc = EXIT_OK, o;

	while ((o = next_option(argc, argv, ":uh", options, &rc)) != -1) {
		if (o != 'u')
			return rc;
		human = true;
	}
	if (argc - optind != 2)
		return print_error(EXIT_USAGE,
				   "give two functions, the initiator and the target, see 'ndctl-iopmem path --help'");

	/* ignore functions that could not be read: no path can contain them */
	if (iopmem_scan(ctx) < 0)
		return print_ctx_error(EXIT_FAILED, ctx);
	rc = find_one(ctx, argv[optind], &from);
	if (!rc)
		rc = find_one(ctx, argv[optind + 1], &to);
	if (rc)
		return rc;

	if (iopmem_path_new(from, to, &path))
		return print_ctx_error(EXIT_FAILED, ctx);
	if (human)
		print_for_people(path, from, to);
	else
		print_json(path, from, to);
	iopmem_path_free(path);
	return EXIT_OK;
}

const struct command command_path = {
	.name = "path",
	.summary = "whether DMA from one function reaches another one, and by which way",
	.usage = usage,
	.run = cmd_path,
};
