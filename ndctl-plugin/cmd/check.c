// SPDX-License-Identifier: GPL-2.0-only
/* ndctl-iopmem check: what is fine, what is wrong, what to do */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>
#include <ndctl/libndctl.h>

#include "cmd.h"

static const char usage[] =
"usage: ndctl-iopmem check [<options>] [<function>...]\n"
"\n"
FUNCTION_HELP
"\n"
"    -u, --human           a list for people\n"
"\n"
"The exit code is 1 if there is an error.\n";

enum severity {
	OK,
	WARNING,
	ERROR,
	UNKNOWN,
};

static const char *const states[] = { "ok", "warning", "error", "unknown" };

/**
 * struct check - one run
 * @fn: what the findings are about, or NULL for the machine
 * @rule: the one that is being checked
 */
struct check {
	struct iopmem_ctx *ctx;
	struct json_object *findings;
	struct iopmem_function *fn;
	const char *rule;
	struct iopmem_module module;
	bool errors;
};

/* @fix may be NULL */
static void find(struct check *c, enum severity state, const char *fix,
		 const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void find(struct check *c, enum severity state, const char *fix,
		 const char *format, ...)
{
	struct json_object *j = json_object_new_object();
	char message[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	json_add_string(j, "function",
			c->fn ? iopmem_function_get_address(c->fn) : NULL);
	json_add_string(j, "rule", c->rule);
	json_add_string(j, "state", states[state]);
	json_add_string(j, "message", message);
	json_add_string(j, "fix", fix);
	json_object_array_add(c->findings, j);
	if (state == ERROR)
		c->errors = true;
}

/* What could not be told: a function that does not answer is an error. */
static void find_unknown(struct check *c, int rc)
{
	find(c, rc == -ENODEV || rc == -EBADMSG ? ERROR : UNKNOWN,
	     rc == -EACCES ? "run it as root" : NULL, "%s",
	     iopmem_get_error(c->ctx));
}

/* The machine */

static void check_kernel(struct check *c)
{
	static const struct {
		const char *name;
		enum severity state;
		const char *without;
	} options[] = {
		{ "LIBNVDIMM", ERROR, "there are no regions" },
		{ "BLK_DEV_PMEM", ERROR, "there are no block devices" },
		{ "ZONE_DEVICE", WARNING, "only raw and sector are to be had" },
		{ "NVDIMM_PFN", WARNING, "there is no fsdax with struct pages" },
		{ "FS_DAX", WARNING, "file systems have no DAX" },
		{ "NVDIMM_DAX", WARNING, "there is no devdax" },
		{ "DEV_DAX", WARNING, "there is no devdax" },
		{ "DEV_DAX_PMEM", WARNING, "there is no devdax" },
		{ "BTT", WARNING, "there is no sector mode" },
	};
	bool all = true;
	size_t i;

	c->rule = "kernel-options";
	for (i = 0; i < ARRAY_SIZE(options); i++) {
		int value = iopmem_get_kernel_option(c->ctx, options[i].name);
		char fix[128];

		if (value < 0) {
			find_unknown(c, value);
			return;
		}
		if (value != 'n')
			continue;
		all = false;
		snprintf(fix, sizeof(fix), "use a kernel with CONFIG_%s",
			 options[i].name);
		find(c, options[i].state, fix,
		     "the running kernel has no CONFIG_%s: %s",
		     options[i].name, options[i].without);
	}
	if (all)
		find(c, OK, NULL, "the running kernel has all that the four modes need");
}

static void check_module(struct check *c)
{
	const char *level = "none";
	int rc;

	c->rule = "module";
	if (iopmem_get_module(c->ctx, &c->module)) {
		find_unknown(c, -EIO);
	} else if (c->module.loaded || c->module.builtin) {
		find(c, OK, NULL, "iopmem_bus is %s%s",
		     c->module.loaded ? "loaded" : "part of the kernel",
		     c->module.taints_unsigned ?
		     ", unsigned, which taints the kernel" : "");
	} else if (!c->module.found) {
		find(c, ERROR, "make && sudo make install, in iopmem's source",
		     "iopmem_bus is not installed for the running kernel");
	} else {
		find(c, OK, NULL, "iopmem_bus is installed, %s",
		     c->module.has_signature ? "signed" : "not signed");
	}

	c->rule = "lockdown";
	rc = iopmem_get_lockdown(c->ctx, &level);
	if (rc == -ENOENT && !c->module.must_be_signed && !c->module.loaded) {
		find(c, UNKNOWN, "mount -t securityfs none /sys/kernel/security",
		     "%s", iopmem_get_error(c->ctx));
		return;
	}
	if (rc < 0 && rc != -ENOENT) {
		find_unknown(c, rc);
		return;
	}
	if (c->module.loaded || c->module.builtin)
		find(c, OK, NULL, "the kernel has taken iopmem_bus");
	else if (!strcmp(level, "none") && !c->module.must_be_signed)
		find(c, OK, NULL, "the kernel loads modules without a signature");
	else if (!c->module.found)
		find(c, WARNING,
		     "sign the module with a key that the kernel trusts, after you have built it",
		     "the kernel loads only signed modules (lockdown: %s)", level);
	else if (c->module.has_signature)
		find(c, OK, NULL,
		     "the kernel loads only signed modules (lockdown: %s), iopmem_bus has a signature",
		     level);
	else
		find(c, ERROR,
		     "sign the module with a key that the kernel trusts: scripts/sign-file of the kernel's headers, mokutil --import",
		     "the kernel loads only signed modules (lockdown: %s), and iopmem_bus has no signature",
		     level);
}

/* A function */

static void check_driver(struct check *c)
{
	const char *address = iopmem_function_get_address(c->fn);
	const char *driver = iopmem_function_get_driver(c->fn);
	char fix[128];

	c->rule = "driver";
	switch (iopmem_function_get_state(c->fn)) {
	case IOPMEM_STATE_BOUND:
		find(c, OK, NULL, "iopmem has it");
		break;
	case IOPMEM_STATE_AVAILABLE:
		snprintf(fix, sizeof(fix), "ndctl-iopmem bind %s", address);
		find(c, WARNING, fix, "no driver has it");
		break;
	case IOPMEM_STATE_IN_USE:
		snprintf(fix, sizeof(fix),
			 "ndctl-iopmem bind --force %s # if you can do without that driver",
			 address);
		find(c, WARNING, fix, "the driver %s has it", driver);
		break;
	case IOPMEM_STATE_UNFIT:
		find(c, ERROR, NULL, "no BAR of it can be a region");
		break;
	}
}

static void check_bar(struct check *c, struct iopmem_bar *bar)
{
	const char *unfit = iopmem_bar_get_unfit(bar);
	unsigned int index = iopmem_bar_get_index(bar);
	bool memory = iopmem_bar_is_memory(bar) &&
		iopmem_bar_is_prefetchable(bar);
	const char *fix = NULL;

	c->rule = "bar";
	if (!iopmem_bar_is_assigned(bar))
		fix = "boot with pci=realloc, or switch on \"above 4G decoding\" in the firmware";
	if (iopmem_bar_get_region(bar))
		find(c, OK, NULL, "BAR %u: is a region", index);
	else if (!unfit && iopmem_function_get_state(c->fn) == IOPMEM_STATE_BOUND)
		find(c, WARNING, "look for \"skipped\" in the kernel log",
		     "BAR %u: was skipped when the function was bound", index);
	else if (!unfit)
		find(c, OK, NULL, "BAR %u: can be a region", index);
	else if (!memory)
		find(c, OK, NULL, "BAR %u: %s", index, unfit);
	else
		find(c, WARNING, fix, "BAR %u: %s", index, unfit);
}

/* libnvdimm aligns offsets in the region, not addresses. */
static void check_align(struct check *c, struct ndctl_region *region)
{
	const char *name = ndctl_region_get_devname(region);
	uint64_t size = ndctl_region_get_size(region);
	uint64_t align = ndctl_region_get_align(region);
	uint64_t now, then;
	char fix[160];

	c->rule = "align";
	if (align == ULONG_MAX || !align) {
		find(c, UNKNOWN, NULL, "%s: its alignment cannot be read", name);
		return;
	}
	now = size / align * align;
	then = size / SMALL_ALIGN * SMALL_ALIGN;
	if (then <= now) {
		find(c, OK, NULL,
		     "%s: %" PRIu64 " of %" PRIu64
		     " KiB can be used, with an alignment of %" PRIu64 " KiB",
		     name, now >> 10, size >> 10, align >> 10);
		return;
	}
	snprintf(fix, sizeof(fix), "echo %u >/sys/bus/nd/devices/%s/align",
		 SMALL_ALIGN, name);
	find(c, WARNING, fix,
	     "%s: %" PRIu64 " of %" PRIu64
	     " KiB can be used, with an alignment of %" PRIu64
	     " KiB; with %u KiB it is %" PRIu64 " more",
	     name, now >> 10, size >> 10, align >> 10, SMALL_ALIGN >> 10,
	     (then - now) >> 10);
}

static void check_memory_type(struct check *c, struct iopmem_bar *bar)
{
	static const char remap[] =
		"unbind the function, end what else maps the BAR, and bind it again";
	unsigned int index = iopmem_bar_get_index(bar);
	const char *type;
	int rc = iopmem_bar_get_memory_type(bar, &type);

	c->rule = "memory-type";
	if (rc < 0)
		find_unknown(c, rc);
	else if (!strcmp(type, "write-combining"))
		find(c, OK, NULL, "BAR %u: the kernel maps it write-combining",
		     index);
	else if (!strncmp(type, "uncached", 8))
		find(c, WARNING, iopmem_bar_is_cached(bar) ?
		     "leave the card out of iopmem_bus's parameter cached=" :
		     remap,
		     "BAR %u: the kernel maps it %s, which is right, and slow",
		     index, type);
	else if (iopmem_bar_is_cached(bar))
		find(c, OK, NULL,
		     "BAR %u: the kernel maps it %s, as RAM, which the driver knows the card as",
		     index, type);
	else
		find(c, ERROR, remap,
		     "BAR %u: the kernel maps it %s, so that the CPU's caches can hide what devices wrote",
		     index, type);
}

/* Which is not shown. The driver looks what becomes of a write-back mapping. */
static void check_default_mtrr(struct check *c, struct iopmem_bar *bar)
{
	unsigned int index = iopmem_bar_get_index(bar);

	if (iopmem_is_virtual_machine(c->ctx))
		find(c, OK, NULL,
		     "BAR %u: no MTRR has it, so that it is of the default type; in a virtual machine the hypervisor decides",
		     index);
	else if (iopmem_function_get_state(c->fn) == IOPMEM_STATE_BOUND &&
		 !iopmem_bar_is_cached(bar))
		find(c, OK, NULL,
		     "BAR %u: no MTRR has it, so that it is of the default type; the driver has found that not to be write-back",
		     index);
	else
		find(c, UNKNOWN,
		     "bind it, with the card left out of cached=: the driver finds out",
		     "BAR %u: no MTRR has it, so that it is of the default type",
		     index);
}

static void check_mtrr(struct check *c, struct iopmem_bar *bar)
{
	unsigned int index = iopmem_bar_get_index(bar);
	const char *type;
	int rc = iopmem_bar_get_mtrr_type(bar, &type);

	c->rule = "mtrr";
	if (rc == -ENXIO)
		check_default_mtrr(c, bar);
	else if (rc < 0)
		find_unknown(c, rc);
	else if (strcmp(type, "write-back") && strcmp(type, "mixed"))
		find(c, OK, NULL, "BAR %u: the MTRRs make it %s", index, type);
	else if (iopmem_is_virtual_machine(c->ctx))
		find(c, OK, NULL,
		     "BAR %u: the MTRRs make it %s; in a virtual machine the hypervisor decides",
		     index, type);
	else if (iopmem_bar_is_cached(bar))
		find(c, WARNING, NULL, "BAR %u: the MTRRs make it %s, which is only right for RAM",
		     index, type);
	else
		find(c, ERROR,
		     "have the firmware make it uncached, or name the card in cached= if it is RAM",
		     "BAR %u: the MTRRs make it %s, so that user mappings can be cacheable",
		     index, type);
}

static void check_labels(struct check *c, struct iopmem_region *region)
{
	struct ndctl_region *nd = iopmem_region_get_ndctl(region);
	struct ndctl_dimm *dimm = ndctl_region_get_first_dimm(nd);
	int labels = iopmem_region_get_labels(region);
	const char *name = ndctl_region_get_devname(nd);
	const char *nmem = dimm ? ndctl_dimm_get_devname(dimm) : "nmemX";
	char fix[256];

	c->rule = "labels";
	if (labels < 0) {
		find_unknown(c, labels);
	} else if (labels == IOPMEM_LABELS_DAMAGED) {
		snprintf(fix, sizeof(fix),
			 "ndctl disable-region %s; ndctl init-labels -f %s; ndctl enable-dimm %s; ndctl enable-region %s # forgets the namespaces",
			 name, nmem, nmem, name);
		find(c, ERROR, fix, "%s: its label area is damaged", name);
	} else {
		find(c, OK, NULL, "%s: %s", name,
		     labels == IOPMEM_LABELS_NONE ? "has no label area" :
		     labels == IOPMEM_LABELS_BLANK ? "its label area is blank" :
		     "its label area is good");
	}
}

static bool on_device(struct ndctl_namespace *ndns)
{
	struct ndctl_pfn *pfn = ndctl_namespace_get_pfn(ndns);
	struct ndctl_dax *dax = ndctl_namespace_get_dax(ndns);

	return (dax && ndctl_dax_get_location(dax) == NDCTL_PFN_LOC_PMEM) ||
		(pfn && ndctl_pfn_get_location(pfn) == NDCTL_PFN_LOC_PMEM);
}

static void check_namespaces(struct check *c, struct ndctl_region *region)
{
	struct ndctl_namespace *ndns;
	int n = 0, found = 0;

	c->rule = "namespace-map";
	ndctl_namespace_foreach(region, ndns) {
		const char *name = ndctl_namespace_get_devname(ndns);
		char fix[256];

		if (!namespace_is_used(ndns))
			continue;
		n++;
		if (!on_device(ndns))
			continue;
		found++;
		snprintf(fix, sizeof(fix),
			 "ndctl create-namespace -f -e %s -m %s --map=mem # its contents are lost, save them before",
			 name, namespace_mode(ndns));
		find(c, WARNING, fix,
		     "%s: its struct pages are on the card (map: dev), which is slow, and a card that is lost or reset damages the kernel's own data",
		     name);
	}
	if (n && !found)
		find(c, OK, NULL, "%s: no namespace has its struct pages on the card",
		     ndctl_region_get_devname(region));
}

/*
 * Sets *@translated to the functions whose DMA an IOMMU translates, and *@plain
 * to the others, as numbers of possible initiators.
 */
static void count_initiators(struct check *c, unsigned int *translated,
			     unsigned int *plain)
{
	struct iopmem_function *fn;
	const char *type;

	*translated = 0;
	*plain = 0;
	iopmem_function_foreach(c->ctx, fn) {
		if (fn == c->fn || iopmem_function_is_initiator(fn) <= 0)
			continue;
		if (!iopmem_function_get_iommu_type(fn, &type) &&
		    !strncmp(type, "DMA", 3))
			++*translated;
		else
			++*plain;
	}
}

static void check_bus_address(struct check *c, struct iopmem_bar *bar)
{
	unsigned int index = iopmem_bar_get_index(bar);
	uint64_t address;
	int rc = iopmem_bar_get_bus_address(bar, &address);

	c->rule = "bus-address";
	if (rc < 0)
		find_unknown(c, rc);
	else if (address == iopmem_bar_get_resource(bar))
		find(c, OK, NULL, "BAR %u: bus and CPU address are equal", index);
	else
		find(c, ERROR,
		     "put the card below a host bridge that passes addresses on unchanged",
		     "BAR %u: bus and CPU address differ, so the driver skips it: DMA would go elsewhere",
		     index);
}

static void check_memory(struct check *c)
{
	int on = iopmem_function_is_memory_on(c->fn);
	char fix[128];

	c->rule = "memory-decoding";
	if (on < 0) {
		find_unknown(c, on);
	} else if (on) {
		find(c, OK, NULL, "the function answers to its addresses (Mem+)");
	} else if (iopmem_function_get_state(c->fn) == IOPMEM_STATE_BOUND) {
		snprintf(fix, sizeof(fix), "setpci -s %s COMMAND=2:2",
			 iopmem_function_get_address(c->fn));
		find(c, ERROR, fix, "the function does not answer to its addresses (Mem-)");
	} else {
		find(c, OK, NULL, "memory decoding is off (Mem-), binding switches it on");
	}
}

static void check_initiators(struct check *c)
{
	struct iopmem_function *fn;
	int masters = 0;

	c->rule = "bus-master";
	iopmem_function_foreach(c->ctx, fn) {
		const char *name = iopmem_function_get_address(fn);
		char fix[128];
		int on;

		if (fn == c->fn || iopmem_function_is_initiator(fn) <= 0)
			continue;
		on = iopmem_function_is_bus_master(fn);
		if (on < 0) {
			find_unknown(c, on);
		} else if (on) {
			masters++;
		} else {
			snprintf(fix, sizeof(fix), iopmem_function_get_driver(fn) ?
				 "setpci -s %s COMMAND=4:4" :
				 "bind %s to its driver", name);
			find(c, WARNING, fix,
			     "%s may not start DMA (BusMaster-), if it is to be the initiator",
			     name);
		}
	}
	find(c, OK, NULL, "%d possible initiators may start DMA (BusMaster+)",
	     masters);
}

static void check_iommu(struct check *c, unsigned int translated,
			unsigned int plain)
{
	c->rule = "iommu";
	if (!translated)
		find(c, OK, NULL,
		     "no IOMMU translates for a possible initiator: DMA takes the shortest way that ACS leaves");
	else
		find(c, OK, NULL,
		     "the IOMMU translates for %u of %u possible initiators: their DMA goes through the root complex, see 'ndctl-iopmem path'",
		     translated, translated + plain);
}

static void check_acs(struct check *c)
{
	const uint16_t redirects = IOPMEM_ACS_REQUEST_REDIRECT |
		IOPMEM_ACS_COMPLETION_REDIRECT | IOPMEM_ACS_EGRESS_CONTROL;
	struct iopmem_function *fn;
	bool found = false;

	c->rule = "acs";
	for (fn = iopmem_function_get_parent(c->fn); fn;
	     fn = iopmem_function_get_parent(fn)) {
		struct iopmem_acs acs;
		char fix[160];
		int rc = iopmem_function_get_acs(fn, &acs);

		if (rc == -ENOENT)
			continue;
		if (rc < 0) {
			find_unknown(c, rc);
			found = true;
			continue;
		}
		if (!(acs.control & redirects))
			continue;
		found = true;
		snprintf(fix, sizeof(fix),
			 "boot with pci=disable_acs_redir=%s, if you trust the devices below it",
			 iopmem_function_get_address(fn));
		find(c, WARNING, fix,
		     "ACS at %s sends peer-to-peer DMA through the root complex",
		     iopmem_function_get_address(fn));
	}
	if (!found)
		find(c, OK, NULL, "no bridge above it has ACS redirect it");
}

static void check_function(struct check *c, struct iopmem_function *fn)
{
	unsigned int translated, plain;
	struct iopmem_bar *bar;

	c->fn = fn;
	count_initiators(c, &translated, &plain);
	check_driver(c);
	check_memory(c);
	iopmem_bar_foreach(fn, bar) {
		struct iopmem_region *region = iopmem_bar_get_region(bar);

		check_bar(c, bar);
		if (!region && iopmem_bar_get_unfit(bar))
			continue;
		check_mtrr(c, bar);
		check_bus_address(c, bar);
		if (!region)
			continue;
		check_memory_type(c, bar);
		check_labels(c, region);
		check_align(c, iopmem_region_get_ndctl(region));
		check_namespaces(c, iopmem_region_get_ndctl(region));
	}
	check_acs(c);
	check_iommu(c, translated, plain);
	check_initiators(c);
}

static const char *text(struct json_object *j, const char *key)
{
	struct json_object *value = json_object_object_get(j, key);

	return value ? json_object_get_string(value) : NULL;
}

static void print_for_people(struct json_object *findings)
{
	size_t i, n = json_object_array_length(findings);
	const char *about = "";

	for (i = 0; i < n; i++) {
		struct json_object *j = json_object_array_get_idx(findings, i);
		const char *now = text(j, "function"), *fix = text(j, "fix");

		now = now ? now : "the machine";
		if (strcmp(about, now))
			puts(now);
		about = now;
		printf("  %-7s  %-15s  %s\n", text(j, "state"), text(j, "rule"),
		       text(j, "message"));
		if (fix)
			printf("  %-7s  %-15s  -> %s\n", "", "", fix);
	}
}

static int cmd_check(int argc, char **argv, struct iopmem_ctx *ctx)
{
	static const struct option options[] = {
		{ "human", no_argument, NULL, 'u' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct check c = { .ctx = ctx };
	struct iopmem_function *fn;
	struct specs specs;
	bool human = false;
	int rc = EXIT_OK, o, skipped;

	while ((o = next_option(argc, argv, ":uh", options, &rc)) != -1) {
		if (o != 'u')
			return rc;
		human = true;
	}

	skipped = iopmem_scan(ctx);
	if (skipped)
		complain_ctx(EXIT_FAILED, ctx);
	if (skipped < 0)
		return EXIT_FAILED;
	rc = specs_read(ctx, argv + optind, argc - optind, &specs);
	if (rc) {
		specs_free(&specs);
		return rc;
	}

	c.findings = json_object_new_array();
	check_kernel(&c);
	check_module(&c);
	iopmem_function_foreach(ctx, fn)
		if (specs.n ? specs_match(&specs, fn) :
		    iopmem_function_get_state(fn) != IOPMEM_STATE_UNFIT)
			check_function(&c, fn);
	specs_free(&specs);
	if (human) {
		print_for_people(c.findings);
		json_object_put(c.findings);
	} else {
		json_print(c.findings, 0);
	}
	return c.errors || skipped ? EXIT_FAILED : EXIT_OK;
}

const struct command command_check = {
	.name = "check",
	.summary = "what is fine with the machine and its functions, what is wrong, what to do",
	.usage = usage,
	.run = cmd_check,
};
