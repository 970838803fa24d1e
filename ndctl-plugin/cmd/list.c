// SPDX-License-Identifier: GPL-2.0-only
/* ndctl-iopmem list */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>
#include <ndctl/libndctl.h>

#include "cmd.h"

static const char usage[] =
"usage: ndctl-iopmem list [<options>] [<function>...]\n"
"\n"
FUNCTION_HELP
"\n"
"    -b, --bus <bus-id>    filter by nvdimm bus\n"
"    -r, --region <region-id>\n"
"                          filter by region\n"
"    -d, --dimm <dimm-id>  filter by dimm\n"
"    -n, --namespace <namespace-id>\n"
"                          filter by namespace id\n"
"    -m, --mode <namespace-mode>\n"
"                          filter by namespace mode\n"
"    -U, --numa-node <numa node>\n"
"                          filter by numa node\n"
"    -a, --all             every function of the machine with a memory BAR\n"
"    -t, --tree            draw the PCI tree with targets and initiators\n"
"    -u, --human           use human friendly number formats\n"
"    -v, --verbose         increase output detail\n";

struct filter {
	const char *bus;
	const char *region;
	const char *dimm;
	const char *namespace;
	const char *mode;
	int numa_node;		/* -1: any */
	bool all;
	struct specs specs;
};

/*
 * Lists are as in ndctl: names and numbers, separated by spaces. "region1" is
 * also 1 or 0x1, and "namespace0.1" is also 0.1. @provider may be NULL.
 */
static bool is_listed(const char *list, const char *devname,
		      const char *provider)
{
	const char *id = devname + strcspn(devname, "0123456789"), *end;
	size_t len;

	if (!list)
		return true;
	for (; *(list += strspn(list, " ")); list = end) {
		char word[64], *rest;
		unsigned long number;

		len = strcspn(list, " ");
		end = list + len;
		if (len >= sizeof(word))
			continue;
		memcpy(word, list, len);
		word[len] = 0;
		if (!strcmp(word, "all") || !strcmp(word, devname) ||
		    !strcmp(word, id) ||
		    (provider && !strcmp(word, provider)))
			return true;
		number = strtoul(word, &rest, 0);
		if (rest != word && !*rest && !strchr(id, '.') &&
		    number == strtoul(id, NULL, 10))
			return true;
	}
	return false;
}

static bool wants_nd(const struct filter *f)
{
	return f->bus || f->region || f->dimm || f->namespace || f->mode;
}

static bool wants_namespace(const struct filter *f)
{
	return f->namespace || f->mode;
}

static bool namespace_wanted(const struct filter *f,
			     struct ndctl_namespace *ndns)
{
	if (!namespace_is_used(ndns))
		return false;
	if (f->mode && strcmp(f->mode, namespace_mode(ndns)))
		return false;
	return is_listed(f->namespace, ndctl_namespace_get_devname(ndns), NULL);
}

static bool has_wanted_namespace(const struct filter *f,
				 struct ndctl_region *region)
{
	struct ndctl_namespace *ndns;

	if (!wants_namespace(f))
		return true;
	ndctl_namespace_foreach(region, ndns)
		if (namespace_wanted(f, ndns))
			return true;
	return false;
}

static bool has_wanted_dimm(const struct filter *f,
			    struct ndctl_region *region)
{
	struct ndctl_dimm *dimm;

	if (!f->dimm)
		return true;
	ndctl_dimm_foreach_in_region(region, dimm)
		if (is_listed(f->dimm, ndctl_dimm_get_devname(dimm), NULL))
			return true;
	return false;
}

static bool bus_wanted(const struct filter *f, struct ndctl_bus *bus)
{
	return is_listed(f->bus, ndctl_bus_get_devname(bus),
			 ndctl_bus_get_provider(bus));
}

static bool bar_wanted(const struct filter *f, struct iopmem_bar *bar)
{
	struct iopmem_region *region;
	struct ndctl_region *nd;

	if (!wants_nd(f))
		return true;
	region = iopmem_bar_get_region(bar);
	if (!region)
		return false;
	nd = iopmem_region_get_ndctl(region);
	return bus_wanted(f, ndctl_region_get_bus(nd)) &&
		is_listed(f->region, ndctl_region_get_devname(nd), NULL) &&
		has_wanted_dimm(f, nd) && has_wanted_namespace(f, nd);
}

static bool has_memory_bar(struct iopmem_function *fn)
{
	struct iopmem_bar *bar;

	iopmem_bar_foreach(fn, bar)
		if (iopmem_bar_is_memory(bar))
			return true;
	return false;
}

static bool function_wanted(const struct filter *f,
			    struct iopmem_function *fn)
{
	struct iopmem_bar *bar;

	if (!specs_match(&f->specs, fn))
		return false;
	if (f->numa_node >= 0 && iopmem_function_get_numa_node(fn) != f->numa_node)
		return false;
	if (wants_nd(f)) {
		iopmem_bar_foreach(fn, bar)
			if (bar_wanted(f, bar))
				return true;
		return false;
	}
	if (f->specs.n)
		return true;
	if (f->all)
		return has_memory_bar(fn);
	return iopmem_function_get_state(fn) != IOPMEM_STATE_INELIGIBLE;
}

static const char *state_name(enum iopmem_state state)
{
	switch (state) {
	case IOPMEM_STATE_BOUND:
		return "bound";
	case IOPMEM_STATE_AVAILABLE:
		return "available";
	case IOPMEM_STATE_IN_USE:
		return "in-use";
	case IOPMEM_STATE_INELIGIBLE:
		return "ineligible";
	}
	return NULL;
}

static const char *labels_name(int labels)
{
	switch (labels) {
	case IOPMEM_LABELS_NONE:
		return "label-less";
	case IOPMEM_LABELS_BLANK:
		return "blank";
	case IOPMEM_LABELS_VALID:
		return "labelled";
	case IOPMEM_LABELS_DAMAGED:
		return "damaged";
	}
	return NULL;
}

/* "16.0 GT/s", or null for a link that is down */
static void add_speed(struct json_object *to, const char *key,
		      unsigned int speed)
{
	char text[32];

	snprintf(text, sizeof(text), "%u.%u GT/s", speed / 10, speed % 10);
	json_add_string(to, key, speed ? text : NULL);
}

static void add_link(struct json_object *to, struct iopmem_function *fn)
{
	struct json_object *j;
	struct iopmem_link link;

	if (iopmem_function_get_link(fn, &link)) {
		json_add_string(to, "link", NULL);
		return;
	}
	j = json_object_new_object();
	add_speed(j, "speed", link.speed);
	json_add_int(j, "width", link.width);
	add_speed(j, "max_speed", link.max_speed);
	json_add_int(j, "max_width", link.max_width);
	json_object_object_add(to, "link", j);
}

/* Add a number, or null if @id is negative because the machine has none. */
static void add_id(struct json_object *to, const char *key, int id)
{
	if (id < 0)
		json_add_string(to, key, NULL);
	else
		json_add_int(to, key, id);
}

/*
 * Returns an exit code. If reading the address needs root, it is null, which is
 * no error. It is an error if the function does not answer.
 */
static int add_bus_address(struct json_object *to, struct iopmem_bar *bar,
			   unsigned int flags)
{
	struct iopmem_ctx *ctx =
		iopmem_function_get_ctx(iopmem_bar_get_function(bar));
	uint64_t address;
	int rc = iopmem_bar_get_bus_address(bar, &address);

	if (!rc) {
		json_add_hex(to, "bus_address", address, flags);
		return EXIT_OK;
	}
	if (rc == -ENXIO) {
		json_add_string(to, "bus_address", NULL);
		return EXIT_OK;
	}
	json_add_unknown(to, "bus_address", rc, flags);
	if (rc == -EACCES || rc == -ENOENT)
		return EXIT_OK;
	return print_ctx_error(EXIT_FAILED, ctx);
}

static void add_memory_type(struct json_object *to, struct iopmem_bar *bar,
			    unsigned int flags)
{
	const char *type;
	int rc = iopmem_bar_get_memory_type(bar, &type);

	if (!rc)
		json_add_string(to, "memory_type", type);
	else if (rc == -ENXIO)
		json_add_string(to, "memory_type", "unmapped");
	else
		json_add_unknown(to, "memory_type", rc, flags);
}

static int add_region(struct json_object *to, struct iopmem_region *region,
		      const struct filter *f, unsigned int flags)
{
	struct iopmem_function *fn =
		iopmem_bar_get_function(iopmem_region_get_bar(region));
	struct ndctl_region *nd = iopmem_region_get_ndctl(region);
	struct json_object *namespaces = json_object_new_array();
	struct ndctl_dimm *dimm = ndctl_region_get_first_dimm(nd);
	struct ndctl_namespace *ndns;
	int labels, rc = EXIT_OK;

	json_add_string(to, "region", ndctl_region_get_devname(nd));
	json_add_string(to, "dimm", dimm ? ndctl_dimm_get_devname(dimm) : NULL);
	json_add_size(to, "region_size", ndctl_region_get_size(nd), flags);
	json_add_size(to, "available_size",
		      ndctl_region_get_available_size(nd), flags);
	if (flags & JSON_VERBOSE)
		json_add_size(to, "align", ndctl_region_get_align(nd), flags);

	labels = iopmem_region_get_labels(region);
	if (labels >= 0) {
		json_add_string(to, "labels", labels_name(labels));
	} else {
		json_add_unknown(to, "labels", labels, flags);
		if (labels != -EACCES && labels != -ENOENT)
			rc = print_ctx_error(EXIT_FAILED,
					     iopmem_function_get_ctx(fn));
	}

	ndctl_namespace_foreach(nd, ndns)
		if (namespace_wanted(f, ndns))
			json_object_array_add(namespaces,
					      namespace_to_json(ndns, flags));
	json_object_array_sort(namespaces, namespace_compare);
	json_object_object_add(to, "namespaces", namespaces);
	return rc;
}

static int add_bar(struct json_object *to, struct iopmem_bar *bar,
		   const struct filter *f, unsigned int flags)
{
	struct iopmem_function *fn = iopmem_bar_get_function(bar);
	struct iopmem_region *region = iopmem_bar_get_region(bar);
	const char *reason = iopmem_ineligible_text(iopmem_bar_get_ineligible(bar));
	const char *state = "available";
	struct json_object *j = json_object_new_object();
	int rc = EXIT_OK;

	if (region) {
		state = "region";
		reason = NULL;
	} else if (reason) {
		state = "skipped";
	} else if (iopmem_function_get_state(fn) == IOPMEM_STATE_BOUND) {
		state = "skipped";
		reason = "the driver skipped it when it was bound, the kernel log says why";
	}

	json_add_int(j, "bar", iopmem_bar_get_index(bar));
	json_add_string(j, "state", state);
	if (reason)
		json_add_string(j, "reason", reason);
	json_add_size(j, "size", iopmem_bar_get_size(bar), flags);
	if (iopmem_bar_is_assigned(bar))
		json_add_hex(j, "resource", iopmem_bar_get_resource(bar),
			     flags);
	else
		json_add_string(j, "resource", NULL);
	rc = add_bus_address(j, bar, flags);
	if (flags & JSON_VERBOSE) {
		json_add_bool(j, "prefetchable",
			      iopmem_bar_is_prefetchable(bar));
		json_add_bool(j, "64bit", iopmem_bar_is_64bit(bar));
	}
	add_memory_type(j, bar, flags);
	if (region) {
		int region_rc = add_region(j, region, f, flags);

		rc = region_rc ? region_rc : rc;
	}
	json_object_array_add(to, j);
	return rc;
}

static int add_function(struct json_object *to, struct iopmem_function *fn,
			const struct filter *f, unsigned int flags)
{
	struct ndctl_bus *bus = iopmem_function_get_ndctl_bus(fn);
	struct iopmem_function *parent = iopmem_function_get_parent(fn);
	struct json_object *j = json_object_new_object();
	struct json_object *bars = json_object_new_array();
	struct iopmem_bar *bar;
	int rc = EXIT_OK;
	char text[32];

	json_add_string(j, "function", iopmem_function_get_address(fn));
	snprintf(text, sizeof(text), "%04x:%04x",
		 iopmem_function_get_vendor(fn),
		 iopmem_function_get_device(fn));
	json_add_string(j, "id", text);
	json_add_string(j, "vendor_name",
			iopmem_function_get_vendor_name(fn));
	json_add_string(j, "device_name",
			iopmem_function_get_device_name(fn));
	if (flags & JSON_VERBOSE) {
		snprintf(text, sizeof(text), "0x%06x",
			 iopmem_function_get_class(fn));
		json_add_string(j, "class", text);
		json_add_string(j, "host_bridge",
				iopmem_function_get_host_bridge(fn));
		json_add_string(j, "parent", parent ?
				iopmem_function_get_address(parent) : NULL);
	}
	json_add_string(j, "state",
			state_name(iopmem_function_get_state(fn)));
	json_add_string(j, "driver", iopmem_function_get_driver(fn));
	json_add_persistent(j, fn, flags);
	json_add_string(j, "bus", bus ? ndctl_bus_get_devname(bus) : NULL);
	add_id(j, "numa_node", iopmem_function_get_numa_node(fn));
	add_id(j, "iommu_group", iopmem_function_get_iommu_group(fn));
	add_link(j, fn);
	iopmem_bar_foreach(fn, bar)
		if (bar_wanted(f, bar)) {
			int bar_rc = add_bar(bars, bar, f, flags);

			rc = bar_rc ? bar_rc : rc;
		}
	json_object_object_add(j, "bars", bars);
	if (!bus && iopmem_function_get_state(fn) == IOPMEM_STATE_BOUND)
		rc = print_error(EXIT_FAILED,
				 "%s: is bound and libndctl finds no bus of it, is it being unbound? Try again",
				 iopmem_function_get_address(fn));
	json_object_array_add(to, j);
	return rc;
}

static int list(struct iopmem_ctx *ctx, const struct filter *f,
		unsigned int flags)
{
	struct json_object *functions = json_object_new_array();
	struct iopmem_function *fn;
	int rc = EXIT_OK;

	iopmem_function_foreach(ctx, fn)
		if (function_wanted(f, fn)) {
			int fn_rc = add_function(functions, fn, f, flags);

			rc = fn_rc ? fn_rc : rc;
		}
	json_print(functions, flags);
	return rc;
}

/* As in ndctl, this also accepts the former names of the modes. */
static int read_mode(const char *text, struct filter *f)
{
	static const struct {
		const char *name;
		const char *mode;
	} names[] = {
		{ "raw", "raw" },
		{ "sector", "sector" }, { "safe", "sector" },
		{ "fsdax", "fsdax" }, { "memory", "fsdax" },
		{ "devdax", "devdax" }, { "dax", "devdax" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcasecmp(text, names[i].name)) {
			f->mode = names[i].mode;
			return EXIT_OK;
		}
	return print_error(EXIT_USAGE,
			   "--mode: '%s' is no mode, use raw, sector, fsdax or devdax",
			   text);
}

static int read_numa_node(const char *text, struct filter *f)
{
	long value;
	char *end;

	if (!strcmp(text, "all")) {
		f->numa_node = -1;
		return EXIT_OK;
	}
	errno = 0;
	value = strtol(text, &end, 0);
	if (errno || end == text || *end || value < 0 || value > INT_MAX)
		return print_error(EXIT_USAGE,
				   "--numa-node: '%s' is no NUMA node, give its number or all",
				   text);
	f->numa_node = value;
	return EXIT_OK;
}

/* An option that takes a value */
static int filter_option(int c, const char *value, struct filter *f)
{
	/* as in ndctl */
	const char *unless_all = strcmp(value, "all") ? value : NULL;

	switch (c) {
	case 'b':
		f->bus = unless_all;
		return EXIT_OK;
	case 'r':
		f->region = unless_all;
		return EXIT_OK;
	case 'd':
		f->dimm = unless_all;
		return EXIT_OK;
	case 'n':
		f->namespace = unless_all;
		return EXIT_OK;
	case 'm':
		return read_mode(value, f);
	default:
		return read_numa_node(value, f);
	}
}

static int run(struct iopmem_ctx *ctx, struct filter *f, char **texts, int n,
	       bool tree, unsigned int flags)
{
	const struct tree_options tree_options = {
		.specs = &f->specs,
		.all = f->all,
	};
	int rc, skipped = iopmem_scan(ctx);

	if (skipped)
		print_ctx_error(EXIT_FAILED, ctx);
	if (skipped < 0)
		return EXIT_FAILED;
	rc = specs_read(ctx, texts, n, &f->specs);
	if (!rc)
		rc = tree ? tree_print(ctx, &tree_options) : list(ctx, f, flags);
	specs_free(&f->specs);
	return rc ? rc : skipped ? EXIT_FAILED : EXIT_OK;
}

static int cmd_list(int argc, char **argv, struct iopmem_ctx *ctx)
{
	static const struct option options[] = {
		{ "bus", required_argument, NULL, 'b' },
		{ "region", required_argument, NULL, 'r' },
		{ "dimm", required_argument, NULL, 'd' },
		{ "namespace", required_argument, NULL, 'n' },
		{ "mode", required_argument, NULL, 'm' },
		{ "numa-node", required_argument, NULL, 'U' },
		{ "all", no_argument, NULL, 'a' },
		{ "tree", no_argument, NULL, 't' },
		{ "human", no_argument, NULL, 'u' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	unsigned int flags = 0;
	struct filter f = { .numa_node = -1 };
	bool tree = false;
	int c, rc = EXIT_OK;

	while ((c = next_option(argc, argv, ":b:r:d:n:m:U:atuvh", options,
				&rc)) != -1) {
		switch (c) {
		case 'a':
			f.all = true;
			break;
		case 't':
			tree = true;
			break;
		case 'u':
			flags |= JSON_HUMAN;
			break;
		case 'v':
			flags |= JSON_VERBOSE;
			break;
		case '?':
			return rc;
		default:
			rc = filter_option(c, optarg, &f);
			if (rc)
				return rc;
		}
	}
	if (tree && (wants_nd(&f) || f.numa_node >= 0))
		return print_error(EXIT_USAGE,
				   "--tree goes with --all and functions only");
	return run(ctx, &f, argv + optind, argc - optind, tree, flags);
}

const struct command command_list = {
	.name = "list",
	.summary = "PCI functions and BARs, what they are to iopmem, and their regions",
	.usage = usage,
	.run = cmd_list,
};
