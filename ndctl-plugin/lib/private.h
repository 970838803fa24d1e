/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the command of this project has of the library beyond its ABI: it is linked
 * with the library's objects. Nothing of it is exported, and nothing promised.
 */
#ifndef _IOPMEM_PRIVATE_H_
#define _IOPMEM_PRIVATE_H_

#include <stdbool.h>
#include <stdint.h>

#include "iopmem.h"

struct ndctl_bus;

/* machine.c */

/* As the processor tells. false if it does not tell. */
bool iopmem_is_virtual_machine(struct iopmem_ctx *ctx);

/*
 * iopmem_get_lockdown - "none", "integrity" or "confidentiality" into *@level
 * Errors: -ENOENT if the kernel has no lockdown, -EACCES.
 */
int iopmem_get_lockdown(struct iopmem_ctx *ctx, const char **level);

/*
 * iopmem_get_kernel_option - of the running kernel, as in "FS_DAX"
 * 'y', 'm' or 'n'. Errors: -ENOENT if its options are nowhere to be read.
 */
int iopmem_get_kernel_option(struct iopmem_ctx *ctx, const char *name);

/**
 * struct iopmem_module - the driver's module
 * @loaded: it is in the kernel
 * @found: modprobe finds it for the running kernel
 * @builtin: it is part of the kernel's image
 * @has_signature: its file is signed
 * @taints_unsigned: the kernel did not accept a signature when it was loaded
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

/* Errors: -ENOMEM, or what keeps the file from being read. */
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
/* 0 to 0xffffffff, 0 to 255, 0 to 31, 0 to 7 */
unsigned int iopmem_function_get_domain(struct iopmem_function *fn);
unsigned int iopmem_function_get_bus_number(struct iopmem_function *fn);
unsigned int iopmem_function_get_device_number(struct iopmem_function *fn);
unsigned int iopmem_function_get_function_number(struct iopmem_function *fn);
/* 24 bits: base class, sub-class, interface */
unsigned int iopmem_function_get_class(struct iopmem_function *fn);

/*
 * Where the function sits: the bridge above it, or NULL on a root bus; the name
 * of its host bridge ("pci0000:00"), or NULL if sysfs shows none.
 */
struct iopmem_function *
iopmem_function_get_parent(struct iopmem_function *fn);
const char *iopmem_function_get_host_bridge(struct iopmem_function *fn);
/* A PCI-to-PCI bridge, by its class: root port, switch port, bridge */
bool iopmem_function_is_bridge(struct iopmem_function *fn);

/* -ENODATA if the machine says none, or there is no such attribute */
int iopmem_function_get_numa_node(struct iopmem_function *fn);
/* Number of the IOMMU group, or -ENODATA if there is none */
int iopmem_function_get_iommu_group(struct iopmem_function *fn);

/**
 * struct iopmem_link - the PCIe link of a function
 * @speed: in units of 0.1 GT/s (25, 50, 80, 160, ...), 0 if the link is down
 * @width: number of lanes, 0 if the link is down
 * @max_speed: the most that the function can
 * @max_width: the most that the function can
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
 * The next four are from the configuration space, which is read once a context.
 * Errors: -ENODEV if the function does not answer, -EACCES, -EIO, -ENOMEM.
 */

/*
 * iopmem_function_is_bus_master - may the function start DMA now?
 * 1 or 0, or an error.
 */
int iopmem_function_is_bus_master(struct iopmem_function *fn);

/*
 * iopmem_function_is_initiator - could it be the one that does the DMA?
 *
 * 1 for a function that is no bridge and whose Bus Master bit is set, or whose
 * class is mass storage (01), network (02), display (03), co-processor (0b40) or
 * accelerator (12). 0 else, or an error.
 */
int iopmem_function_is_initiator(struct iopmem_function *fn);

/*
 * iopmem_function_is_memory_on - does it answer to the addresses in its BARs?
 * Of a bridge: does it pass requests downstream? 1 or 0, or an error.
 */
int iopmem_function_is_memory_on(struct iopmem_function *fn);

/**
 * enum iopmem_port - Device/Port Type of the PCI Express Capabilities register
 * @IOPMEM_PORT_ENDPOINT: an endpoint; 1, 9 and 10 are others
 * @IOPMEM_PORT_ROOT: root port
 * @IOPMEM_PORT_UPSTREAM: of a switch, towards the root
 * @IOPMEM_PORT_DOWNSTREAM: of a switch, towards a device
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
 * Errors: as above, -ENOENT if it has none, -EBADMSG if its list of capabilities
 * is broken.
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
 * @capability: what the function has
 * @control: what is switched on
 */
struct iopmem_acs {
	uint16_t capability;
	uint16_t control;
};

/* Errors: those of iopmem_function_get_port_type(). */
int iopmem_function_get_acs(struct iopmem_function *fn, struct iopmem_acs *acs);

/*
 * iopmem_function_get_iommu_type - what the IOMMU does for its group
 *
 * Sets *@type to "DMA" or "DMA-FQ" (addresses are translated), "identity"
 * (they are not), "unmanaged" (user space translates), "blocked" or "unknown".
 * Errors: -ENOENT if it is in no group, -EINVAL.
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
 * Sets *@type to what x86's list of memory types has within the BAR:
 * "write-combining", "write-back", "uncached", "uncached-minus",
 * "write-through", "write-protected", or "mixed" if it has several.
 * Errors: -ENXIO if nothing maps it, -EACCES if it takes root to tell, -ENOENT
 * if there is no such list (no debugfs, not x86).
 */
int iopmem_bar_get_memory_type(struct iopmem_bar *bar, const char **type);

/*
 * iopmem_bar_get_mtrr_type - what the MTRRs make of the BAR
 *
 * The words are those of iopmem_bar_get_memory_type(). x86 only.
 * Errors: -ENXIO if it is left to their default type, which /proc/mtrr does not
 * show; -ENOENT if there is no /proc/mtrr, or nothing in it.
 */
int iopmem_bar_get_mtrr_type(struct iopmem_bar *bar, const char **type);

/* region.c */

/* The function's nvdimm bus, or NULL if it has none. */
struct ndctl_bus *iopmem_function_get_ndctl_bus(struct iopmem_function *fn);
struct iopmem_bar *iopmem_region_get_bar(struct iopmem_region *region);

/*
 * iopmem_bar_is_cached - does the driver take it for RAM, to be mapped cacheable?
 *
 * From the region's attribute "cached"; false where the BAR has no region.
 */
bool iopmem_bar_is_cached(struct iopmem_bar *bar);

/**
 * enum iopmem_labels - the label area of a region
 * @IOPMEM_LABELS_NONE: the region is label-less
 * @IOPMEM_LABELS_BLANK: nothing has been written to it yet
 * @IOPMEM_LABELS_VALID: it has a good index
 * @IOPMEM_LABELS_DAMAGED: it has an index, and no good one
 */
enum iopmem_labels {
	IOPMEM_LABELS_NONE,
	IOPMEM_LABELS_BLANK,
	IOPMEM_LABELS_VALID,
	IOPMEM_LABELS_DAMAGED,
};

/*
 * iopmem_region_get_labels - one of enum iopmem_labels
 * Reads the label area's start through /dev/nmemX.
 * Errors: -EACCES if it takes root to tell, -ENOENT if that is not there, -EIO.
 */
int iopmem_region_get_labels(struct iopmem_region *region);

/* map.c */

/* Bytes from the BAR's start */
uint64_t iopmem_extent_get_bar_offset(struct iopmem_extent *extent);

/* path.c */

/* The version of Linux from whose source the known host bridges are */
#define IOPMEM_KNOWN_GOOD_KERNEL	"7.3"

/* The nearest function above, or in, both; NULL if that is a host bridge. */
struct iopmem_function *iopmem_path_get_common(struct iopmem_path *path);

/* boot.c */

/**
 * struct iopmem_rule - has udev have iopmem take functions when they appear
 * @address: of the only one, or ""
 * @vendor: a function with another one is not taken
 * @device: the same
 */
struct iopmem_rule {
	char address[24];
	unsigned int vendor;
	unsigned int device;
};

/*
 * iopmem_get_rules - those that are there, as long as the context is
 * Their number, or an error of open(2).
 */
int iopmem_get_rules(struct iopmem_ctx *ctx, const struct iopmem_rule **rules);
bool iopmem_rule_is_for(const struct iopmem_rule *rule,
			struct iopmem_function *fn);

/* Could they be changed? Errors: -ENOENT, -EACCES, -EROFS, -EINVAL. */
int iopmem_check_rules(struct iopmem_ctx *ctx);
/*
 * Add these, once each, or take them out, on the disk. The context does not see
 * the change.
 */
int iopmem_change_rules(struct iopmem_ctx *ctx, const struct iopmem_rule *rules,
			int n, bool add);

/* The driver that driverctl(8) has saved for it, to be freed, or NULL */
int iopmem_function_get_driverctl(struct iopmem_function *fn, char **driver);

/**
 * enum iopmem_boot - why iopmem takes a function at each boot
 * @IOPMEM_BOOT_NONE: it does not
 * @IOPMEM_BOOT_RULE: there is a rule
 * @IOPMEM_BOOT_DRIVERCTL: driverctl(8) has saved it
 * @IOPMEM_BOOT_OWN: the driver has its ids by itself
 * @IOPMEM_BOOT_IDS: ids= in modprobe.d names it, and the module is loaded
 * @IOPMEM_BOOT_IDS_NOT_LOADED: it does not: the module is not loaded
 */
enum iopmem_boot {
	IOPMEM_BOOT_NONE,
	IOPMEM_BOOT_RULE,
	IOPMEM_BOOT_DRIVERCTL,
	IOPMEM_BOOT_OWN,
	IOPMEM_BOOT_IDS,
	IOPMEM_BOOT_IDS_NOT_LOADED,
};

/* One of these, or an error of open(2) */
int iopmem_function_get_boot(struct iopmem_function *fn);

/* bind.c */

/*
 * Where a function was: its driver and driver_override. It has a reference on its
 * context.
 */
struct iopmem_binding;

/* As iopmem_function_bind(). @before: if not NULL, where it was, to be freed */
int iopmem_binding_bind(struct iopmem_function *fn, unsigned int flags,
			struct iopmem_binding **before);
/* As iopmem_function_unbind() */
int iopmem_binding_unbind(struct iopmem_function *fn, unsigned int flags,
			  struct iopmem_binding **before);
const char *iopmem_binding_get_driver(struct iopmem_binding *binding);

/*
 * iopmem_binding_restore - put the function back to where it was
 * Errors: as of binding and unbinding.
 */
int iopmem_binding_restore(struct iopmem_binding *binding);
void iopmem_binding_free(struct iopmem_binding *binding);

#endif /* _IOPMEM_PRIVATE_H_ */
