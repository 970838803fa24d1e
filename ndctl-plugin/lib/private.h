/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the command ndctl-iopmem uses of the library beyond its ABI. The command
 * is linked with the library's objects. The library does not export these, and
 * they may change at any time.
 */
#ifndef _IOPMEM_PRIVATE_H_
#define _IOPMEM_PRIVATE_H_

#include <stdbool.h>
#include <stdint.h>

#include "iopmem.h"

struct ndctl_bus;

/* machine.c */

/* Does the processor report a hypervisor? */
bool iopmem_is_virtual_machine(struct iopmem_ctx *ctx);

/*
 * iopmem_get_lockdown - set *@level to "none", "integrity" or "confidentiality"
 * Errors: -ENOENT if the kernel has no lockdown, -EACCES.
 */
int iopmem_get_lockdown(struct iopmem_ctx *ctx, const char **level);

/*
 * iopmem_get_kernel_option - an option of the running kernel, as in "FS_DAX"
 * Returns 'y', 'm' or 'n'. Errors: -ENOENT if no file has the options.
 */
int iopmem_get_kernel_option(struct iopmem_ctx *ctx, const char *name);

/**
 * struct iopmem_module - the driver's module
 * @loaded: it is in the kernel
 * @found: modprobe finds it for the running kernel
 * @builtin: it is part of the kernel's image
 * @has_signature: its file is signed
 * @taints_unsigned: it taints the kernel, since it has no valid signature
 * @must_be_signed: the kernel loads only signed modules
 */
struct iopmem_module {
	bool loaded;
	bool found;
	bool builtin;
	bool has_signature;
	bool taints_unsigned;
	bool must_be_signed;
};

/* Errors: -ENOMEM, or the error of reading the module's file. */
int iopmem_get_module(struct iopmem_ctx *ctx, struct iopmem_module *module);

/* pci.c */

/*
 * The functions behind a bridge. iopmem_function_get_first_child(NULL) is
 * NULL: the functions on root buses are those without a parent.
 */
struct iopmem_function *
iopmem_function_get_first_child(struct iopmem_function *fn);
struct iopmem_function *
iopmem_function_get_next_sibling(struct iopmem_function *fn);

#define iopmem_function_child_foreach(fn, child) \
	for (child = iopmem_function_get_first_child(fn); \
	     child != NULL; \
	     child = iopmem_function_get_next_sibling(child))

struct iopmem_ctx *iopmem_function_get_ctx(struct iopmem_function *fn);
/* The parts of the address: up to 0xffffffff, 255, 31 and 7 */
unsigned int iopmem_function_get_domain(struct iopmem_function *fn);
unsigned int iopmem_function_get_bus_number(struct iopmem_function *fn);
unsigned int iopmem_function_get_device_number(struct iopmem_function *fn);
unsigned int iopmem_function_get_function_number(struct iopmem_function *fn);
/* 24 bits: base class, sub-class, interface */
unsigned int iopmem_function_get_class(struct iopmem_function *fn);

/*
 * The bridge above the function, or NULL on a root bus; the name of its host
 * bridge ("pci0000:00"), or NULL if sysfs shows none.
 */
struct iopmem_function *
iopmem_function_get_parent(struct iopmem_function *fn);
const char *iopmem_function_get_host_bridge(struct iopmem_function *fn);
/* By its class: root port, switch port or another PCI-to-PCI bridge? */
bool iopmem_function_is_bridge(struct iopmem_function *fn);

/* -ENODATA if the function has no node, or there is no such attribute */
int iopmem_function_get_numa_node(struct iopmem_function *fn);
/* Number of the IOMMU group, or -ENODATA if there is none */
int iopmem_function_get_iommu_group(struct iopmem_function *fn);

/**
 * struct iopmem_link - the PCIe link of a function
 * @speed: in units of 0.1 GT/s (25, 50, 80, 160, ...), 0 if the link is down
 * @width: number of lanes, 0 if the link is down
 * @max_speed: the highest speed that the function supports
 * @max_width: the largest width that the function supports
 */
struct iopmem_link {
	unsigned int speed;
	unsigned int width;
	unsigned int max_speed;
	unsigned int max_width;
};

/* Errors: -ENOENT if the function has no PCIe link (conventional PCI). */
int iopmem_function_get_link(struct iopmem_function *fn,
			     struct iopmem_link *link);

/*
 * The next four read the configuration space, but only once for each context.
 * Errors: -ENODEV if the function does not answer, -EACCES, -EIO, -ENOMEM.
 */

/*
 * iopmem_function_is_bus_master - may the function start DMA now?
 * Returns 1 or 0, or an error.
 */
int iopmem_function_is_bus_master(struct iopmem_function *fn);

/*
 * iopmem_function_is_initiator - could the function be an initiator?
 *
 * Returns 1 if it is no bridge, and either its Bus Master bit is set, or its
 * class is mass storage (01), network (02), display (03), co-processor (0b40)
 * or accelerator (12). Otherwise 0, or an error.
 */
int iopmem_function_is_initiator(struct iopmem_function *fn);

/*
 * iopmem_function_is_memory_on - does it answer to the addresses in its BARs?
 * If it is a bridge: does it pass requests downstream? Returns 1 or 0, or an
 * error.
 */
int iopmem_function_is_memory_on(struct iopmem_function *fn);

/**
 * enum iopmem_port - Device/Port Type of the PCI Express Capabilities register
 * @IOPMEM_PORT_ENDPOINT: endpoint; 1, 9 and 10 are other kinds of endpoints
 * @IOPMEM_PORT_ROOT: root port
 * @IOPMEM_PORT_UPSTREAM: upstream port of a switch
 * @IOPMEM_PORT_DOWNSTREAM: downstream port of a switch
 * @IOPMEM_PORT_TO_PCI: bridge to conventional PCI
 * @IOPMEM_PORT_FROM_PCI: bridge from conventional PCI
 */
enum iopmem_port {
	IOPMEM_PORT_ENDPOINT = 0,
	IOPMEM_PORT_ROOT = 4,
	IOPMEM_PORT_UPSTREAM = 5,
	IOPMEM_PORT_DOWNSTREAM = 6,
	IOPMEM_PORT_TO_PCI = 7,
	IOPMEM_PORT_FROM_PCI = 8,
};

/*
 * iopmem_function_get_port_type - one of enum iopmem_port, or another value
 * Errors: as above, -ENOENT if it has no PCI Express capability, -EBADMSG if
 * its list of capabilities is broken.
 */
int iopmem_function_get_port_type(struct iopmem_function *fn);

/* Bits of struct iopmem_acs */
#define IOPMEM_ACS_SOURCE_VALIDATION	0x01
#define IOPMEM_ACS_TRANSLATION_BLOCKING	0x02
#define IOPMEM_ACS_REQUEST_REDIRECT	0x04
#define IOPMEM_ACS_COMPLETION_REDIRECT	0x08
#define IOPMEM_ACS_UPSTREAM_FORWARDING	0x10
#define IOPMEM_ACS_EGRESS_CONTROL	0x20
#define IOPMEM_ACS_DIRECT_TRANSLATED	0x40

/**
 * struct iopmem_acs - Access Control Services
 * @capability: the services that the function implements
 * @control: the services that are switched on
 */
struct iopmem_acs {
	uint16_t capability;
	uint16_t control;
};

/* Errors: those of iopmem_function_get_port_type(). */
int iopmem_function_get_acs(struct iopmem_function *fn, struct iopmem_acs *acs);

/*
 * iopmem_function_get_iommu_type - what the IOMMU does for the function's group
 *
 * Sets *@type to "DMA" or "DMA-FQ" (addresses are translated), "identity" (they
 * are not), "unmanaged" (user space translates), "blocked" or "unknown".
 * Errors: -ENOENT if the function is in no group, -EINVAL.
 */
int iopmem_function_get_iommu_type(struct iopmem_function *fn,
				   const char **type);

bool iopmem_bar_is_memory(struct iopmem_bar *bar);
bool iopmem_bar_is_prefetchable(struct iopmem_bar *bar);
bool iopmem_bar_is_64bit(struct iopmem_bar *bar);
bool iopmem_bar_is_assigned(struct iopmem_bar *bar);

/*
 * iopmem_bar_get_memory_type - how the kernel maps the BAR
 *
 * Sets *@type to the entry for the BAR in x86's list of memory types:
 * "write-combining", "write-back", "uncached", "uncached-minus",
 * "write-through", "write-protected", or "mixed" if there are several.
 * Errors: -ENXIO if nothing maps the BAR, -EACCES if this needs root, -ENOENT
 * if there is no such list (no debugfs, not x86).
 */
int iopmem_bar_get_memory_type(struct iopmem_bar *bar, const char **type);

/*
 * iopmem_bar_get_mtrr_type - the memory type that the MTRRs give the BAR
 *
 * The words are those of iopmem_bar_get_memory_type(). x86 only.
 * Errors: -ENXIO if no MTRR covers the BAR, so that it has the default type,
 * which /proc/mtrr does not show; -ENOENT if /proc/mtrr is missing or empty.
 */
int iopmem_bar_get_mtrr_type(struct iopmem_bar *bar, const char **type);

/* region.c */

/* The function's nvdimm bus, or NULL if it has none. */
struct ndctl_bus *iopmem_function_get_ndctl_bus(struct iopmem_function *fn);
struct iopmem_bar *iopmem_region_get_bar(struct iopmem_region *region);

/*
 * iopmem_bar_is_cached - does the driver know that the card is RAM?
 *
 * Then it maps the BAR write-back. The region's attribute "cached" tells this.
 * Returns false if the BAR has no region.
 */
bool iopmem_bar_is_cached(struct iopmem_bar *bar);

/**
 * enum iopmem_labels - the label area of a region
 * @IOPMEM_LABELS_NONE: the region is label-less
 * @IOPMEM_LABELS_BLANK: nothing has been written to it yet
 * @IOPMEM_LABELS_VALID: it has a good index
 * @IOPMEM_LABELS_DAMAGED: it has an index, but no good one
 */
enum iopmem_labels {
	IOPMEM_LABELS_NONE,
	IOPMEM_LABELS_BLANK,
	IOPMEM_LABELS_VALID,
	IOPMEM_LABELS_DAMAGED,
};

/*
 * iopmem_region_get_labels - one of enum iopmem_labels
 *
 * This reads the start of the label area through /dev/nmemX.
 * Errors: -EACCES if this needs root, -ENOENT if the node is missing, -EIO.
 */
int iopmem_region_get_labels(struct iopmem_region *region);

/* map.c */

/* Bytes from the BAR's start */
uint64_t iopmem_extent_get_bar_offset(struct iopmem_extent *extent);

/* path.c */

/* The version of Linux whose source lists the known host bridges */
#define IOPMEM_KNOWN_GOOD_KERNEL	"7.3"

/*
 * The lowest function that is above both, or is one of them; NULL if only a
 * host bridge is.
 */
struct iopmem_function *iopmem_path_get_common(struct iopmem_path *path);

/* boot.c */

/**
 * struct iopmem_rule - a udev rule that binds functions when they appear
 * @address: the only function that the rule is for, or ""
 * @vendor: the rule is only for functions with this vendor id
 * @device: the rule is only for functions with this device id
 */
struct iopmem_rule {
	char address[24];
	unsigned int vendor;
	unsigned int device;
};

/*
 * iopmem_get_rules - set *@rules to the rules that exist
 *
 * They are valid as long as the context is. Returns their number, or an error
 * of open(2).
 */
int iopmem_get_rules(struct iopmem_ctx *ctx, const struct iopmem_rule **rules);
bool iopmem_rule_is_for(const struct iopmem_rule *rule,
			struct iopmem_function *fn);

/* Can the rules be changed? Errors: -ENOENT, -EACCES, -EROFS, -EINVAL. */
int iopmem_check_rules(struct iopmem_ctx *ctx);
/*
 * Add these rules to the file, each once, or remove them from it. The context
 * does not see the change.
 */
int iopmem_change_rules(struct iopmem_ctx *ctx, const struct iopmem_rule *rules,
			int n, bool add);

/* Set *@driver to what driverctl(8) has saved for @fn, to be freed, or NULL. */
int iopmem_function_get_driverctl(struct iopmem_function *fn, char **driver);

/**
 * enum iopmem_boot - why a function is bound to iopmem at each boot
 * @IOPMEM_BOOT_NONE: it is not bound
 * @IOPMEM_BOOT_RULE: there is a rule for it
 * @IOPMEM_BOOT_DRIVERCTL: driverctl(8) has saved iopmem for it
 * @IOPMEM_BOOT_OWN: the driver's own id table has its ids
 * @IOPMEM_BOOT_IDS: ids= in modprobe.d names it, and the module is loaded then
 * @IOPMEM_BOOT_IDS_NOT_LOADED: it is not bound, although ids= in modprobe.d
 *	names it: nothing loads the module
 */
enum iopmem_boot {
	IOPMEM_BOOT_NONE,
	IOPMEM_BOOT_RULE,
	IOPMEM_BOOT_DRIVERCTL,
	IOPMEM_BOOT_OWN,
	IOPMEM_BOOT_IDS,
	IOPMEM_BOOT_IDS_NOT_LOADED,
};

/* One of enum iopmem_boot, or an error of open(2) */
int iopmem_function_get_boot(struct iopmem_function *fn);

/* bind.c */

/*
 * The former driver and driver_override of a function. It holds a reference to
 * its context.
 */
struct iopmem_binding;

/*
 * As iopmem_function_bind(). @before, if it is not NULL, is set to the former
 * binding, to be freed.
 */
int iopmem_binding_bind(struct iopmem_function *fn, unsigned int flags,
			struct iopmem_binding **before);
/* As iopmem_function_unbind() */
int iopmem_binding_unbind(struct iopmem_function *fn, unsigned int flags,
			  struct iopmem_binding **before);
const char *iopmem_binding_get_driver(struct iopmem_binding *binding);

/*
 * iopmem_binding_restore - give the function its former driver again
 * Errors: as for binding and unbinding.
 */
int iopmem_binding_restore(struct iopmem_binding *binding);
void iopmem_binding_free(struct iopmem_binding *binding);

#endif /* _IOPMEM_PRIVATE_H_ */
