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
"    -p, --problems        only what is not ok\n"
"    -u, --human           a list for people\n"
"\n"
"The exit code is 1 if there is an error.\n";

enum severity {
	ERROR,
	WARNING,
	NOTE,
	OK,
	SEVERITIES,
};

static const char *const severities[] = { "error", "warning", "note", "ok" };

enum finding {
	KERNEL_OPTIONS_COMPLETE,
	KERNEL_OPTION_REQUIRED,
	KERNEL_OPTION_MISSING,
	KERNEL_OPTIONS_UNREADABLE,
	MODULE_LOADED,
	MODULE_BUILTIN,
	MODULE_INSTALLED,
	MODULE_MISSING,
	MODULE_UNREADABLE,
	MODULE_ACCEPTED,
	SIGNATURE_NOT_NEEDED,
	SIGNATURE_PRESENT,
	SIGNATURE_NEEDED,
	SIGNATURE_MISSING,
	LOCKDOWN_UNREADABLE,
	ACS_OFF,
	ACS_REDIRECTS,
	ACS_UNREADABLE,
	IOMMU_OFF,
	IOMMU_TRANSLATES,
	INITIATORS_NONE,
	BUS_MASTER_ON,
	BUS_MASTER_OFF,
	BUS_MASTER_UNREADABLE,
	FUNCTION_UNREADABLE,
	FUNCTION_INELIGIBLE,
	DRIVER_BOUND,
	DRIVER_NONE,
	DRIVER_OTHER,
	BOOT_BINDS,
	BOOT_DOES_NOT_BIND,
	BOOT_UNREADABLE,
	MEMORY_DECODING_ON,
	MEMORY_DECODING_OFF,
	MEMORY_DECODING_AT_BIND,
	MEMORY_DECODING_UNREADABLE,
	BAR_REGION,
	BAR_AVAILABLE,
	BAR_OTHER,
	BAR_INELIGIBLE,
	BAR_SKIPPED,
	MTRR_SAFE,
	MTRR_DEFAULT,
	MTRR_DEFAULT_UNKNOWN,
	MTRR_VIRTUAL,
	MTRR_CACHED_CARD,
	MTRR_WRITE_BACK,
	MTRR_UNREADABLE,
	BUS_ADDRESS_EQUAL,
	BUS_ADDRESS_DIFFERS,
	BUS_ADDRESS_UNREADABLE,
	MEMORY_TYPE_WRITE_COMBINING,
	MEMORY_TYPE_CACHED_CARD,
	MEMORY_TYPE_UNCACHED,
	MEMORY_TYPE_CACHED,
	MEMORY_TYPE_UNREADABLE,
	LABELS_GOOD,
	LABELS_DAMAGED,
	LABELS_UNREADABLE,
	ALIGN_BEST,
	ALIGN_WASTES,
	ALIGN_UNREADABLE,
	STRUCT_PAGES_IN_MEMORY,
	STRUCT_PAGES_ON_CARD,
};

/*
 * The kinds of findings. Scripts use these ids, so do not change them. The man
 * page describes each. @destructive: the action against it loses data.
 */
static const struct {
	const char *id;
	enum severity severity;
	bool destructive;
} kinds[] = {
	[KERNEL_OPTIONS_COMPLETE] = { "kernel-options-complete", OK, false },
	[KERNEL_OPTION_REQUIRED] = { "kernel-option-required", ERROR, false },
	[KERNEL_OPTION_MISSING] = { "kernel-option-missing", WARNING, false },
	[KERNEL_OPTIONS_UNREADABLE] = { "kernel-options-unreadable", NOTE, false },
	[MODULE_LOADED] = { "module-loaded", OK, false },
	[MODULE_BUILTIN] = { "module-builtin", OK, false },
	[MODULE_INSTALLED] = { "module-installed", OK, false },
	[MODULE_MISSING] = { "module-missing", ERROR, false },
	[MODULE_UNREADABLE] = { "module-unreadable", NOTE, false },
	[MODULE_ACCEPTED] = { "module-accepted", OK, false },
	[SIGNATURE_NOT_NEEDED] = { "signature-not-needed", OK, false },
	[SIGNATURE_PRESENT] = { "signature-present", OK, false },
	[SIGNATURE_NEEDED] = { "signature-needed", WARNING, false },
	[SIGNATURE_MISSING] = { "signature-missing", ERROR, false },
	[LOCKDOWN_UNREADABLE] = { "lockdown-unreadable", NOTE, false },
	[ACS_OFF] = { "acs-off", OK, false },
	[ACS_REDIRECTS] = { "acs-redirects", WARNING, false },
	[ACS_UNREADABLE] = { "acs-unreadable", NOTE, false },
	[IOMMU_OFF] = { "iommu-off", OK, false },
	[IOMMU_TRANSLATES] = { "iommu-translates", NOTE, false },
	[INITIATORS_NONE] = { "initiators-none", NOTE, false },
	[BUS_MASTER_ON] = { "bus-master-on", OK, false },
	[BUS_MASTER_OFF] = { "bus-master-off", WARNING, false },
	[BUS_MASTER_UNREADABLE] = { "bus-master-unreadable", NOTE, false },
	[FUNCTION_UNREADABLE] = { "function-unreadable", ERROR, false },
	[FUNCTION_INELIGIBLE] = { "function-ineligible", ERROR, false },
	[DRIVER_BOUND] = { "driver-bound", OK, false },
	[DRIVER_NONE] = { "driver-none", WARNING, false },
	[DRIVER_OTHER] = { "driver-other", WARNING, false },
	[BOOT_BINDS] = { "boot-binds", OK, false },
	[BOOT_DOES_NOT_BIND] = { "boot-does-not-bind", NOTE, false },
	[BOOT_UNREADABLE] = { "boot-unreadable", NOTE, false },
	[MEMORY_DECODING_ON] = { "memory-decoding-on", OK, false },
	[MEMORY_DECODING_OFF] = { "memory-decoding-off", ERROR, false },
	[MEMORY_DECODING_AT_BIND] = { "memory-decoding-at-bind", OK, false },
	[MEMORY_DECODING_UNREADABLE] = { "memory-decoding-unreadable", NOTE, false },
	[BAR_REGION] = { "bar-region", OK, false },
	[BAR_AVAILABLE] = { "bar-available", OK, false },
	[BAR_OTHER] = { "bar-other", OK, false },
	[BAR_INELIGIBLE] = { "bar-ineligible", WARNING, false },
	[BAR_SKIPPED] = { "bar-skipped", WARNING, false },
	[MTRR_SAFE] = { "mtrr-safe", OK, false },
	[MTRR_DEFAULT] = { "mtrr-default", OK, false },
	[MTRR_DEFAULT_UNKNOWN] = { "mtrr-default-unknown", NOTE, false },
	[MTRR_VIRTUAL] = { "mtrr-virtual", OK, false },
	[MTRR_CACHED_CARD] = { "mtrr-cached-card", WARNING, false },
	[MTRR_WRITE_BACK] = { "mtrr-write-back", ERROR, false },
	[MTRR_UNREADABLE] = { "mtrr-unreadable", NOTE, false },
	[BUS_ADDRESS_EQUAL] = { "bus-address-equal", OK, false },
	[BUS_ADDRESS_DIFFERS] = { "bus-address-differs", ERROR, false },
	[BUS_ADDRESS_UNREADABLE] = { "bus-address-unreadable", NOTE, false },
	[MEMORY_TYPE_WRITE_COMBINING] = { "memory-type-write-combining", OK, false },
	[MEMORY_TYPE_CACHED_CARD] = { "memory-type-cached-card", OK, false },
	[MEMORY_TYPE_UNCACHED] = { "memory-type-uncached", WARNING, false },
	[MEMORY_TYPE_CACHED] = { "memory-type-cached", ERROR, false },
	[MEMORY_TYPE_UNREADABLE] = { "memory-type-unreadable", NOTE, false },
	[LABELS_GOOD] = { "labels-good", OK, false },
	[LABELS_DAMAGED] = { "labels-damaged", ERROR, true },
	[LABELS_UNREADABLE] = { "labels-unreadable", NOTE, false },
	[ALIGN_BEST] = { "align-best", OK, false },
	[ALIGN_WASTES] = { "align-wastes", WARNING, false },
	[ALIGN_UNREADABLE] = { "align-unreadable", NOTE, false },
	[STRUCT_PAGES_IN_MEMORY] = { "struct-pages-in-memory", OK, false },
	[STRUCT_PAGES_ON_CARD] = { "struct-pages-on-card", WARNING, true },
};

/**
 * struct check - one run
 * @targets: the functions to check; if empty, all that have regions or could
 *	have some
 * @findings: an array for each severity
 * @fn: the function that the next findings are about, or NULL for the machine
 * @unreadable: the last function that did not answer, to say that only once
 * @num_functions: how many targets have been checked
 */
struct check {
	struct iopmem_ctx *ctx;
	struct specs targets;
	struct json_object *findings[SEVERITIES];
	struct iopmem_function *fn;
	struct iopmem_function *unreadable;
	unsigned int num_functions;
	struct iopmem_module module;
};

/* @action may be NULL */
static void add_finding(struct check *c, enum finding kind, const char *action,
			const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void add_finding(struct check *c, enum finding kind, const char *action,
			const char *format, ...)
{
	enum severity severity = kinds[kind].severity;
	struct json_object *j = json_object_new_object();
	char message[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	json_add_string(j, "function",
			c->fn ? iopmem_function_get_address(c->fn) : NULL);
	json_add_string(j, "id", kinds[kind].id);
	json_add_string(j, "severity", severities[severity]);
	json_add_string(j, "message", message);
	json_add_string(j, "action", action);
	json_add_bool(j, "destructive", kinds[kind].destructive);
	json_object_array_add(c->findings[severity], j);
}

/* Add what could not be read. It is an error if a function does not answer. */
static void add_unreadable(struct check *c, enum finding kind, int rc)
{
	const char *message = iopmem_get_error(c->ctx), *address;

	if (rc == -ENODEV || rc == -EBADMSG) {
		if (c->fn && c->unreadable == c->fn)
			return;
		c->unreadable = c->fn;
		kind = FUNCTION_UNREADABLE;
	}
	/* the finding has the function's address already */
	address = c->fn ? iopmem_function_get_address(c->fn) : "";
	if (*address && !strncmp(message, address, strlen(address)) &&
	    !strncmp(message + strlen(address), ": ", 2))
		message += strlen(address) + 2;
	add_finding(c, kind, rc == -EACCES ? "run it as root" : NULL, "%s",
		    message);
}

static bool is_target(struct check *c, struct iopmem_function *fn)
{
	return c->targets.n ? specs_match(&c->targets, fn) :
		iopmem_function_get_state(fn) != IOPMEM_STATE_INELIGIBLE;
}

/* The machine */

static void check_kernel(struct check *c)
{
	static const struct {
		const char *name;
		enum finding kind;
		const char *without;
	} options[] = {
		{ "LIBNVDIMM", KERNEL_OPTION_REQUIRED, "there are no regions" },
		{ "BLK_DEV_PMEM", KERNEL_OPTION_REQUIRED, "there are no block devices" },
		{ "ZONE_DEVICE", KERNEL_OPTION_MISSING, "only the modes raw and sector work" },
		{ "NVDIMM_PFN", KERNEL_OPTION_MISSING, "there is no fsdax with struct pages" },
		{ "FS_DAX", KERNEL_OPTION_MISSING, "file systems have no DAX" },
		{ "NVDIMM_DAX", KERNEL_OPTION_MISSING, "there is no devdax" },
		{ "DEV_DAX", KERNEL_OPTION_MISSING, "there is no devdax" },
		{ "DEV_DAX_PMEM", KERNEL_OPTION_MISSING, "there is no devdax" },
		{ "BTT", KERNEL_OPTION_MISSING, "there is no sector mode" },
	};
	bool all = true;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(options); i++) {
		int value = iopmem_get_kernel_option(c->ctx, options[i].name);
		char action[128];

		if (value < 0) {
			add_unreadable(c, KERNEL_OPTIONS_UNREADABLE, value);
			return;
		}
		if (value != 'n')
			continue;
		all = false;
		snprintf(action, sizeof(action), "use a kernel with CONFIG_%s",
			 options[i].name);
		add_finding(c, options[i].kind, action,
			    "the running kernel has no CONFIG_%s: %s",
			    options[i].name, options[i].without);
	}
	if (all)
		add_finding(c, KERNEL_OPTIONS_COMPLETE, NULL,
			    "the running kernel has all that the four modes need");
}

static void check_module(struct check *c)
{
	const char *taints = c->module.taints_unsigned ?
		", unsigned, which taints the kernel" : "";

	if (c->module.loaded)
		add_finding(c, MODULE_LOADED, NULL, "iopmem_bus is loaded%s",
			    taints);
	else if (c->module.builtin)
		add_finding(c, MODULE_BUILTIN, NULL,
			    "iopmem_bus is part of the kernel");
	else if (c->module.found)
		add_finding(c, MODULE_INSTALLED, NULL,
			    "iopmem_bus is installed, %s",
			    c->module.has_signature ? "signed" : "not signed");
	else
		add_finding(c, MODULE_MISSING,
			    "make && sudo make install, in iopmem's source",
			    "iopmem_bus is not installed for the running kernel");
}

static void check_lockdown(struct check *c)
{
	const char *level = "none";
	int rc = iopmem_get_lockdown(c->ctx, &level);

	if (rc == -ENOENT && !c->module.must_be_signed && !c->module.loaded) {
		add_finding(c, LOCKDOWN_UNREADABLE,
			    "mount -t securityfs none /sys/kernel/security",
			    "%s", iopmem_get_error(c->ctx));
		return;
	}
	if (rc < 0 && rc != -ENOENT) {
		add_unreadable(c, LOCKDOWN_UNREADABLE, rc);
		return;
	}
	if (c->module.loaded || c->module.builtin)
		add_finding(c, MODULE_ACCEPTED, NULL,
			    "the kernel has accepted iopmem_bus");
	else if (!strcmp(level, "none") && !c->module.must_be_signed)
		add_finding(c, SIGNATURE_NOT_NEEDED, NULL,
			    "the kernel loads modules without a signature");
	else if (!c->module.found)
		add_finding(c, SIGNATURE_NEEDED,
			    "build the module and sign it with a key that the kernel trusts",
			    "the kernel loads only signed modules (lockdown: %s)",
			    level);
	else if (c->module.has_signature)
		add_finding(c, SIGNATURE_PRESENT, NULL,
			    "the kernel loads only signed modules (lockdown: %s), iopmem_bus has a signature",
			    level);
	else
		add_finding(c, SIGNATURE_MISSING,
			    "sign the module with a key that the kernel trusts: scripts/sign-file of the kernel's headers, mokutil --import",
			    "the kernel loads only signed modules (lockdown: %s), and iopmem_bus has no signature",
			    level);
}

/* The bridges above the targets, and the initiators. Check each only once. */

static void check_acs(struct check *c, bool *found)
{
	const uint16_t redirects = IOPMEM_ACS_REQUEST_REDIRECT |
		IOPMEM_ACS_COMPLETION_REDIRECT | IOPMEM_ACS_EGRESS_CONTROL;
	struct iopmem_acs acs;
	char action[160];
	int rc = iopmem_function_get_acs(c->fn, &acs);

	if (rc == -ENOENT)
		return;
	if (rc < 0) {
		add_unreadable(c, ACS_UNREADABLE, rc);
		*found = true;
		return;
	}
	if (!(acs.control & redirects))
		return;
	*found = true;
	snprintf(action, sizeof(action),
		 "boot with pci=disable_acs_redir=%s, if you trust the devices below it",
		 iopmem_function_get_address(c->fn));
	add_finding(c, ACS_REDIRECTS, action,
		    "ACS of this bridge sends peer-to-peer DMA through the root complex");
}

/* Returns whether a target is at or below @fn. */
static bool check_bridge(struct check *c, struct iopmem_function *fn,
			 bool *found)
{
	struct iopmem_function *child;
	bool above = false;

	iopmem_function_child_foreach(fn, child)
		if (check_bridge(c, child, found))
			above = true;
	if (above) {
		c->fn = fn;
		check_acs(c, found);
	}
	return above || is_target(c, fn);
}

static void check_bridges(struct check *c)
{
	struct iopmem_function *fn;
	bool found = false;

	iopmem_function_foreach(c->ctx, fn)
		if (!iopmem_function_get_parent(fn))
			check_bridge(c, fn, &found);
	c->fn = NULL;
	if (!found)
		add_finding(c, ACS_OFF, NULL,
			    "no bridge above a target redirects peer-to-peer DMA by ACS");
}

static void check_initiator(struct check *c, unsigned int *translated,
			    unsigned int *masters)
{
	const char *address = iopmem_function_get_address(c->fn), *type;
	int on = iopmem_function_is_bus_master(c->fn);
	char action[128];

	if (!iopmem_function_get_iommu_type(c->fn, &type) &&
	    !strncmp(type, "DMA", 3))
		++*translated;
	if (on < 0) {
		add_unreadable(c, BUS_MASTER_UNREADABLE, on);
		return;
	}
	if (on) {
		++*masters;
		return;
	}
	snprintf(action, sizeof(action), iopmem_function_get_driver(c->fn) ?
		 "setpci -s %s COMMAND=4:4" : "bind %s to its driver", address);
	add_finding(c, BUS_MASTER_OFF, action,
		    "this possible initiator may not start DMA (BusMaster-)");
}

static void check_initiators(struct check *c)
{
	unsigned int n = 0, translated = 0, masters = 0;
	struct iopmem_function *fn;

	iopmem_function_foreach(c->ctx, fn) {
		if (iopmem_function_is_initiator(fn) <= 0 ||
		    iopmem_function_get_state(fn) == IOPMEM_STATE_BOUND)
			continue;
		n++;
		c->fn = fn;
		check_initiator(c, &translated, &masters);
	}
	c->fn = NULL;
	if (!n) {
		add_finding(c, INITIATORS_NONE, NULL,
			    "no possible initiator is known, so none is checked");
		return;
	}
	add_finding(c, BUS_MASTER_ON, NULL,
		    "%u of %u possible initiators may start DMA (BusMaster+)",
		    masters, n);
	if (!translated)
		add_finding(c, IOMMU_OFF, NULL,
			    "no IOMMU translates for a possible initiator: DMA takes the shortest way that ACS leaves");
	else
		add_finding(c, IOMMU_TRANSLATES, NULL,
			    "the IOMMU translates for %u of %u possible initiators: their DMA goes through the root complex, see 'ndctl-iopmem path'",
			    translated, n);
}

/* A function */

/* Will it be bound to iopmem after a reboot, too? */
static void check_boot(struct check *c)
{
	static const char *const why[] = {
		[IOPMEM_BOOT_RULE] = "as bind --persist was told",
		[IOPMEM_BOOT_DRIVERCTL] = "as driverctl has saved",
		[IOPMEM_BOOT_OWN] = "since the driver has its ids by itself",
		[IOPMEM_BOOT_IDS] = "by ids= in modprobe.d",
	};
	int boot = iopmem_function_get_boot(c->fn);
	char action[128];

	if (boot < 0) {
		add_unreadable(c, BOOT_UNREADABLE, boot);
		return;
	}
	snprintf(action, sizeof(action), "ndctl-iopmem bind --persist %s",
		 iopmem_function_get_address(c->fn));
	if (boot == IOPMEM_BOOT_NONE)
		add_finding(c, BOOT_DOES_NOT_BIND, action,
			    "it is bound, and will not be after a reboot");
	else if (boot == IOPMEM_BOOT_IDS_NOT_LOADED)
		add_finding(c, BOOT_DOES_NOT_BIND,
			    "echo iopmem_bus >/etc/modules-load.d/iopmem.conf",
			    "ids= in modprobe.d names it, and nothing loads iopmem_bus at boot");
	else
		add_finding(c, BOOT_BINDS, NULL, "it is bound at each boot, %s",
			    why[boot]);
}

static void check_driver(struct check *c)
{
	const char *address = iopmem_function_get_address(c->fn);
	const char *driver = iopmem_function_get_driver(c->fn);
	char action[128];

	switch (iopmem_function_get_state(c->fn)) {
	case IOPMEM_STATE_BOUND:
		add_finding(c, DRIVER_BOUND, NULL, "the driver iopmem has it");
		check_boot(c);
		break;
	case IOPMEM_STATE_AVAILABLE:
		snprintf(action, sizeof(action), "ndctl-iopmem bind %s", address);
		add_finding(c, DRIVER_NONE, action, "no driver has it");
		break;
	case IOPMEM_STATE_IN_USE:
		snprintf(action, sizeof(action),
			 "ndctl-iopmem bind --force %s", address);
		add_finding(c, DRIVER_OTHER, action,
			    "the driver %s has it: if you can do without that driver, let iopmem take it",
			    driver);
		break;
	case IOPMEM_STATE_INELIGIBLE:
		add_finding(c, FUNCTION_INELIGIBLE, NULL,
			    "no BAR of it can be a region");
		break;
	}
}

static void check_bar(struct check *c, struct iopmem_bar *bar)
{
	const char *reason = iopmem_ineligible_text(iopmem_bar_get_ineligible(bar));
	unsigned int index = iopmem_bar_get_index(bar);
	bool memory = iopmem_bar_is_memory(bar) &&
		iopmem_bar_is_prefetchable(bar);
	const char *action = NULL;

	if (!iopmem_bar_is_assigned(bar))
		action =
		"boot with pci=realloc, or switch on \"above 4G decoding\" in the firmware";
	if (iopmem_bar_get_region(bar))
		add_finding(c, BAR_REGION, NULL, "BAR %u: is a region", index);
	else if (!reason && iopmem_function_get_state(c->fn) == IOPMEM_STATE_BOUND)
		add_finding(c, BAR_SKIPPED,
			    "look for \"skipped\" in the kernel log",
			    "BAR %u: was skipped when the function was bound", index);
	else if (!reason)
		add_finding(c, BAR_AVAILABLE, NULL, "BAR %u: can be a region",
			    index);
	else if (!memory)
		add_finding(c, BAR_OTHER, NULL, "BAR %u: %s", index, reason);
	else
		add_finding(c, BAR_INELIGIBLE, action, "BAR %u: %s", index,
			    reason);
}

/* libnvdimm aligns offsets in the region, not addresses: use sizes only. */
static void check_align(struct check *c, struct ndctl_region *region)
{
	const char *name = ndctl_region_get_devname(region);
	uint64_t size = ndctl_region_get_size(region);
	uint64_t align = ndctl_region_get_align(region);
	uint64_t now, then;
	char action[160];

	if (align == ULONG_MAX || !align) {
		add_finding(c, ALIGN_UNREADABLE, NULL,
			    "%s: its alignment cannot be read", name);
		return;
	}
	now = size / align * align;
	then = size / SMALL_ALIGN * SMALL_ALIGN;
	if (then <= now) {
		add_finding(c, ALIGN_BEST, NULL,
			    "%s: %" PRIu64 " of %" PRIu64
			    " KiB can be used, with an alignment of %" PRIu64 " KiB",
			    name, now >> 10, size >> 10, align >> 10);
		return;
	}
	snprintf(action, sizeof(action), "echo %u >/sys/bus/nd/devices/%s/align",
		 SMALL_ALIGN, name);
	add_finding(c, ALIGN_WASTES, action,
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

	if (rc < 0)
		add_unreadable(c, MEMORY_TYPE_UNREADABLE, rc);
	else if (!strcmp(type, "write-combining"))
		add_finding(c, MEMORY_TYPE_WRITE_COMBINING, NULL,
			    "BAR %u: the kernel maps it write-combining",
			    index);
	else if (!strncmp(type, "uncached", 8))
		add_finding(c, MEMORY_TYPE_UNCACHED, iopmem_bar_is_cached(bar) ?
			    "leave the card out of iopmem_bus's parameter cached=" :
			    remap,
			    "BAR %u: the kernel maps it %s, which is right, and slow",
			    index, type);
	else if (iopmem_bar_is_cached(bar))
		add_finding(c, MEMORY_TYPE_CACHED_CARD, NULL,
			    "BAR %u: the kernel maps it %s: the driver knows that the card is RAM",
			    index, type);
	else
		add_finding(c, MEMORY_TYPE_CACHED, remap,
			    "BAR %u: the kernel maps it %s, so the CPU's caches can hide what devices wrote",
			    index, type);
}

/*
 * The kernel does not show the default type. The driver tests it at binding,
 * with a write-back mapping.
 */
static void check_default_mtrr(struct check *c, struct iopmem_bar *bar)
{
	unsigned int index = iopmem_bar_get_index(bar);

	if (iopmem_is_virtual_machine(c->ctx))
		add_finding(c, MTRR_VIRTUAL, NULL,
			    "BAR %u: no MTRR covers it, so it has the default type; in a virtual machine the hypervisor decides",
			    index);
	else if (iopmem_function_get_state(c->fn) == IOPMEM_STATE_BOUND &&
		 !iopmem_bar_is_cached(bar))
		add_finding(c, MTRR_DEFAULT, NULL,
			    "BAR %u: no MTRR covers it, so it has the default type; the driver has found that it is not write-back",
			    index);
	else
		add_finding(c, MTRR_DEFAULT_UNKNOWN,
			    "bind it, with the card left out of cached=: the driver finds out",
			    "BAR %u: no MTRR covers it, so it has the default type",
			    index);
}

static void check_mtrr(struct check *c, struct iopmem_bar *bar)
{
	unsigned int index = iopmem_bar_get_index(bar);
	const char *type;
	int rc = iopmem_bar_get_mtrr_type(bar, &type);

	if (rc == -ENXIO)
		check_default_mtrr(c, bar);
	else if (rc < 0)
		add_unreadable(c, MTRR_UNREADABLE, rc);
	else if (strcmp(type, "write-back") && strcmp(type, "mixed"))
		add_finding(c, MTRR_SAFE, NULL, "BAR %u: the MTRRs make it %s", index, type);
	else if (iopmem_is_virtual_machine(c->ctx))
		add_finding(c, MTRR_VIRTUAL, NULL,
			    "BAR %u: the MTRRs make it %s; in a virtual machine the hypervisor decides",
			    index, type);
	else if (iopmem_bar_is_cached(bar))
		add_finding(c, MTRR_CACHED_CARD, NULL,
			    "BAR %u: the MTRRs make it %s, which is only right for RAM",
			    index, type);
	else
		add_finding(c, MTRR_WRITE_BACK,
			    "have the firmware make it uncached, or name the card in cached= if it is RAM",
			    "BAR %u: the MTRRs make it %s, so user mappings can be cacheable",
			    index, type);
}

static void check_labels(struct check *c, struct iopmem_region *region)
{
	struct ndctl_region *nd = iopmem_region_get_ndctl(region);
	struct ndctl_dimm *dimm = ndctl_region_get_first_dimm(nd);
	int labels = iopmem_region_get_labels(region);
	const char *name = ndctl_region_get_devname(nd);
	const char *nmem = dimm ? ndctl_dimm_get_devname(dimm) : "nmemX";
	char action[256];

	if (labels < 0) {
		add_unreadable(c, LABELS_UNREADABLE, labels);
	} else if (labels == IOPMEM_LABELS_DAMAGED) {
		snprintf(action, sizeof(action),
			 "ndctl disable-region %s; ndctl init-labels -f %s; ndctl enable-dimm %s; ndctl enable-region %s",
			 name, nmem, nmem, name);
		add_finding(c, LABELS_DAMAGED, action,
			    "%s: its label area is damaged: a new one is without the namespaces",
			    name);
	} else {
		add_finding(c, LABELS_GOOD, NULL, "%s: %s", name,
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

	ndctl_namespace_foreach(region, ndns) {
		const char *name = ndctl_namespace_get_devname(ndns);
		char action[256];

		if (!namespace_is_used(ndns))
			continue;
		n++;
		if (!on_device(ndns))
			continue;
		found++;
		snprintf(action, sizeof(action),
			 "ndctl create-namespace -f -e %s -m %s --map=mem",
			 name, namespace_mode(ndns));
		add_finding(c, STRUCT_PAGES_ON_CARD, action,
			    "%s: its struct pages are on the card (map: dev): that is slow, and if the card is lost or reset, the kernel's own data are damaged",
			    name);
	}
	if (n && !found)
		add_finding(c, STRUCT_PAGES_IN_MEMORY, NULL,
			    "%s: no namespace has its struct pages on the card",
			    ndctl_region_get_devname(region));
}

static void check_bus_address(struct check *c, struct iopmem_bar *bar)
{
	unsigned int index = iopmem_bar_get_index(bar);
	uint64_t address;
	int rc = iopmem_bar_get_bus_address(bar, &address);

	if (rc < 0)
		add_unreadable(c, BUS_ADDRESS_UNREADABLE, rc);
	else if (address == iopmem_bar_get_resource(bar))
		add_finding(c, BUS_ADDRESS_EQUAL, NULL,
			    "BAR %u: bus and CPU address are equal", index);
	else
		add_finding(c, BUS_ADDRESS_DIFFERS,
			    "put the card below a host bridge that passes addresses on unchanged",
			    "BAR %u: bus and CPU address differ, so the driver skips it: DMA would go elsewhere",
			    index);
}

static void check_memory(struct check *c)
{
	int on = iopmem_function_is_memory_on(c->fn);
	char action[128];

	if (on < 0) {
		add_unreadable(c, MEMORY_DECODING_UNREADABLE, on);
	} else if (on) {
		add_finding(c, MEMORY_DECODING_ON, NULL,
			    "the function answers to its addresses (Mem+)");
	} else if (iopmem_function_get_state(c->fn) == IOPMEM_STATE_BOUND) {
		snprintf(action, sizeof(action), "setpci -s %s COMMAND=2:2",
			 iopmem_function_get_address(c->fn));
		add_finding(c, MEMORY_DECODING_OFF, action,
			    "the function does not answer to its addresses (Mem-)");
	} else {
		add_finding(c, MEMORY_DECODING_AT_BIND, NULL,
			    "memory decoding is off (Mem-), binding switches it on");
	}
}

static void check_function(struct check *c)
{
	struct iopmem_bar *bar;

	check_driver(c);
	check_memory(c);
	iopmem_bar_foreach(c->fn, bar) {
		struct iopmem_region *region = iopmem_bar_get_region(bar);

		check_bar(c, bar);
		if (!region && iopmem_ineligible_text(iopmem_bar_get_ineligible(bar)))
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
}

static void check_functions(struct check *c)
{
	struct iopmem_function *fn;

	iopmem_function_foreach(c->ctx, fn) {
		if (!is_target(c, fn))
			continue;
		c->num_functions++;
		c->fn = fn;
		check_function(c);
	}
	c->fn = NULL;
}

static const char *text(struct json_object *j, const char *key)
{
	struct json_object *value = json_object_object_get(j, key);

	return value ? json_object_get_string(value) : NULL;
}

/* "1 error", "2 errors" */
static void print_count(size_t n, const char *what)
{
	printf("%zu %s%s", n, what, n == 1 ? "" : "s");
}

static void print_summary(struct check *c)
{
	enum severity s;

	for (s = ERROR; s < OK; s++) {
		print_count(json_object_array_length(c->findings[s]),
			    severities[s]);
		fputs(", ", stdout);
	}
	printf("%zu ok; ", json_object_array_length(c->findings[OK]));
	print_count(c->num_functions, "function");
	puts(" checked");
}

static void print_finding(struct json_object *j)
{
	const char *function = text(j, "function"), *action = text(j, "action");

	put_text(stdout, "%-7s  %s%s%s  (%s)", text(j, "severity"),
		 function ? function : "", function ? ": " : "",
		 text(j, "message"), text(j, "id"));
	putchar('\n');
	if (!action)
		return;
	if (json_object_get_boolean(json_object_object_get(j, "destructive")))
		puts("         what follows DESTROYS DATA, save it first:");
	put_text(stdout, "         -> %s", action);
	putchar('\n');
}

static void print_for_people(struct check *c, enum severity last)
{
	enum severity s;
	size_t i;

	print_summary(c);
	for (s = ERROR; s <= last; s++)
		for (i = 0; i < json_object_array_length(c->findings[s]); i++)
			print_finding(json_object_array_get_idx(c->findings[s], i));
}

static void print_json(struct check *c, enum severity last)
{
	struct json_object *all = json_object_new_array(), *j;
	enum severity s;
	size_t i;

	for (s = ERROR; s <= last; s++)
		for (i = 0; i < json_object_array_length(c->findings[s]); i++) {
			j = json_object_array_get_idx(c->findings[s], i);
			json_object_array_add(all, json_object_get(j));
		}
	json_print(all, 0);
}

/* Returns an exit code. */
static int check_all(struct check *c, bool problems, bool human)
{
	enum severity last = problems ? NOTE : OK, s;
	int rc;

	for (s = ERROR; s < SEVERITIES; s++)
		c->findings[s] = json_object_new_array();
	check_kernel(c);
	if (iopmem_get_module(c->ctx, &c->module))
		add_unreadable(c, MODULE_UNREADABLE, -EIO);
	else
		check_module(c);
	check_lockdown(c);
	check_functions(c);
	check_bridges(c);
	check_initiators(c);
	if (human)
		print_for_people(c, last);
	else
		print_json(c, last);
	rc = json_object_array_length(c->findings[ERROR]) ? EXIT_FAILED : EXIT_OK;
	for (s = ERROR; s < SEVERITIES; s++)
		json_object_put(c->findings[s]);
	return rc;
}

static int cmd_check(int argc, char **argv, struct iopmem_ctx *ctx)
{
	static const struct option options[] = {
		{ "problems", no_argument, NULL, 'p' },
		{ "human", no_argument, NULL, 'u' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct check c = { .ctx = ctx };
	bool human = false, problems = false;
	int rc = EXIT_OK, o, skipped;

	while ((o = next_option(argc, argv, ":puh", options, &rc)) != -1) {
		if (o == 'p')
			problems = true;
		else if (o == 'u')
			human = true;
		else
			return rc;
	}

	skipped = iopmem_scan(ctx);
	if (skipped)
		print_ctx_error(EXIT_FAILED, ctx);
	if (skipped < 0)
		return EXIT_FAILED;
	rc = specs_read(ctx, argv + optind, argc - optind, &c.targets);
	if (!rc)
		rc = check_all(&c, problems, human);
	specs_free(&c.targets);
	return rc ? rc : skipped ? EXIT_FAILED : EXIT_OK;
}

const struct command command_check = {
	.name = "check",
	.summary = "what is fine with the machine and its functions, what is wrong, what to do",
	.usage = usage,
	.run = cmd_check,
};
