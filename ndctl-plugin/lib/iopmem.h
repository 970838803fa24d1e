/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libiopmem: PCI functions whose BARs are, or could be, persistent memory
 * regions of the driver iopmem_bus
 *
 * libiopmem knows the PCI side and which nd region is made of which BAR. For
 * the rest, iopmem_region_get_ndctl() gives the region as libndctl's.
 *
 *	struct iopmem_ctx *ctx;
 *	struct iopmem_function *fn;
 *	struct iopmem_bar *bar;
 *
 *	if (iopmem_new(&ctx) < 0)
 *		return 1;
 *	iopmem_function_foreach(ctx, fn)
 *		iopmem_bar_foreach(fn, bar)
 *			puts(iopmem_function_get_address(fn));
 *	iopmem_unref(ctx);
 *
 * Threads: a context, and all that was got from it, belongs to one thread at a
 * time, as in libndctl. Different contexts may be used in different threads at
 * the same time. There are no global variables.
 *
 * Lifetime: functions, BARs, regions and strings belong to the context. They
 * hold until iopmem_scan() or the last iopmem_unref().
 *
 * Errors: functions that return int return 0 or more for success, or a negative
 * errno value. iopmem_get_error() has the reason for people: one line that says
 * what, where and what to do. Functions that return a pointer return NULL if
 * there is no such thing.
 *
 * Time of reading: addresses, ids, drivers and BARs are read by iopmem_scan(),
 * all else when it is first asked for. Only iopmem_function_bind(),
 * iopmem_function_unbind() and iopmem_binding_restore() write anything or start
 * a process or program, but for what iopmem_map_file() does to the file that it
 * is given.
 */
#ifndef _IOPMEM_H_
#define _IOPMEM_H_

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ndctl_ctx;
struct ndctl_bus;
struct ndctl_region;

struct iopmem_ctx;
struct iopmem_function;
struct iopmem_bar;
struct iopmem_region;
struct iopmem_holder;
struct iopmem_binding;

/* Context */

/*
 * iopmem_new - make a context, with one reference
 * Reads nothing yet. Errors: -ENOMEM.
 */
int iopmem_new(struct iopmem_ctx **ctx);

/* iopmem_ref - take a reference. Returns @ctx. */
struct iopmem_ctx *iopmem_ref(struct iopmem_ctx *ctx);

/*
 * iopmem_unref - give a reference back
 * Returns @ctx, or NULL if that was the last reference and all is freed.
 */
struct iopmem_ctx *iopmem_unref(struct iopmem_ctx *ctx);

/*
 * iopmem_get_error - the reason of the last failure in this context
 * One line without a newline; "" if nothing failed yet. Holds until the next
 * call into the library.
 */
const char *iopmem_get_error(struct iopmem_ctx *ctx);

/*
 * iopmem_set_log_fn - have messages sent somewhere else than to stderr
 * iopmem_set_log_priority - as of syslog(3); LOG_ERR at first
 * The environment variable IOPMEM_LOG=debug sets LOG_DEBUG.
 */
typedef void (*iopmem_log_fn)(struct iopmem_ctx *ctx, int priority,
			      const char *file, int line, const char *fn,
			      const char *format, va_list args);
void iopmem_set_log_fn(struct iopmem_ctx *ctx, iopmem_log_fn log_fn);
void iopmem_set_log_priority(struct iopmem_ctx *ctx, int priority);
int iopmem_get_log_priority(struct iopmem_ctx *ctx);

/*
 * iopmem_get_ndctl - libndctl's context behind @ctx
 * Made when first asked for. NULL if libndctl refuses.
 */
struct ndctl_ctx *iopmem_get_ndctl(struct iopmem_ctx *ctx);

/*
 * iopmem_scan - read the machine's PCI functions, in one pass over sysfs
 *
 * The first iopmem_function_get_first() does this by itself. A later call reads
 * anew, and what was got before is no longer valid.
 *
 * Returns the number of functions that were listed and could not be read, for
 * instance since they vanished meanwhile; iopmem_get_error() names the last of
 * them. They are left out.
 * Errors: -ENOENT if there is no PCI in sysfs, -ENOMEM, or another of open(2)'s.
 */
int iopmem_scan(struct iopmem_ctx *ctx);

/*
 * iopmem_get_skipped - what iopmem_scan() has returned, or the error
 * For a caller that lets iopmem_function_foreach() do the scan.
 */
int iopmem_get_skipped(struct iopmem_ctx *ctx);

/* PCI functions, in the order of their addresses */

struct iopmem_function *iopmem_function_get_first(struct iopmem_ctx *ctx);
struct iopmem_function *iopmem_function_get_next(struct iopmem_function *fn);

#define iopmem_function_foreach(ctx, fn) \
	for (fn = iopmem_function_get_first(ctx); \
	     fn != NULL; \
	     fn = iopmem_function_get_next(fn))

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

/*
 * iopmem_function_get_by_address - "DDDD:BB:DD.F" or "BB:DD.F", hexadecimal
 * NULL if there is none, or if @address is malformed.
 */
struct iopmem_function *
iopmem_function_get_by_address(struct iopmem_ctx *ctx, const char *address);

/*
 * iopmem_spec_check - is @spec something that can name functions?
 *
 * An address ("0000:01:00.0" or "01:00.0"), ids ("1af4:1110", hexadecimal), or
 * a path in sysfs that ends in an address. Errors: -EINVAL.
 */
int iopmem_spec_check(struct iopmem_ctx *ctx, const char *spec);

/*
 * iopmem_function_matches - does @spec name this function?
 * false also if @spec is malformed.
 */
bool iopmem_function_matches(struct iopmem_function *fn, const char *spec);

/**
 * enum iopmem_state - what a function is to iopmem
 * @IOPMEM_STATE_BOUND: the driver iopmem has it
 * @IOPMEM_STATE_AVAILABLE: no driver has it and a BAR is eligible
 * @IOPMEM_STATE_IN_USE: a BAR is eligible, and another driver has the function
 * @IOPMEM_STATE_UNFIT: no BAR is eligible
 */
enum iopmem_state {
	IOPMEM_STATE_BOUND,
	IOPMEM_STATE_AVAILABLE,
	IOPMEM_STATE_IN_USE,
	IOPMEM_STATE_UNFIT,
};

struct iopmem_ctx *iopmem_function_get_ctx(struct iopmem_function *fn);

/* "0000:01:00.0" */
const char *iopmem_function_get_address(struct iopmem_function *fn);
/* 0 to 0xffffffff, 0 to 255, 0 to 31, 0 to 7 */
unsigned int iopmem_function_get_domain(struct iopmem_function *fn);
unsigned int iopmem_function_get_bus_number(struct iopmem_function *fn);
unsigned int iopmem_function_get_device_number(struct iopmem_function *fn);
unsigned int iopmem_function_get_function_number(struct iopmem_function *fn);

/* 16 bits each; the class has 24: base class, sub-class, interface */
unsigned int iopmem_function_get_vendor(struct iopmem_function *fn);
unsigned int iopmem_function_get_device(struct iopmem_function *fn);
unsigned int iopmem_function_get_class(struct iopmem_function *fn);

/* The name of the driver, or NULL. */
const char *iopmem_function_get_driver(struct iopmem_function *fn);
/* "/sys/bus/pci/devices/0000:01:00.0" */
const char *iopmem_function_get_syspath(struct iopmem_function *fn);

enum iopmem_state iopmem_function_get_state(struct iopmem_function *fn);

/*
 * Where the function sits: the bridge above it, or NULL on a root bus; the name
 * of its host bridge ("pci0000:00"), or NULL if sysfs shows none.
 */
struct iopmem_function *
iopmem_function_get_parent(struct iopmem_function *fn);
const char *iopmem_function_get_host_bridge(struct iopmem_function *fn);
/* A PCI-to-PCI bridge, by its class: root port, switch port, bridge */
bool iopmem_function_is_bridge(struct iopmem_function *fn);

/* -1 if the machine says none, or there is no such attribute */
int iopmem_function_get_numa_node(struct iopmem_function *fn);
/* Number of the IOMMU group, or -1 if there is none */
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
 * iopmem_function_get_config - the configuration space as it is now
 *
 * Sets *@buf to what can be read, in little endian as on the bus, and returns
 * its length in bytes: 64 if not root, 256 or 4096 else. Read once a context.
 * Errors: -ENODEV if the function does not answer, -EACCES, -EIO.
 */
int iopmem_function_get_config(struct iopmem_function *fn,
			       const uint8_t **buf);

/*
 * The offset of a capability in the configuration space.
 * Errors: -ENOENT if there is none, -EACCES if it takes root to tell,
 * -EBADMSG if the list is broken, and those of iopmem_function_get_config().
 */
int iopmem_function_find_capability(struct iopmem_function *fn,
				    unsigned int id);
int iopmem_function_find_ext_capability(struct iopmem_function *fn,
					unsigned int id);

/*
 * iopmem_function_is_bus_master - may the function start DMA now?
 * 1 or 0, or an error of iopmem_function_get_config().
 */
int iopmem_function_is_bus_master(struct iopmem_function *fn);

/*
 * iopmem_function_is_initiator - could it be the one that does the DMA?
 *
 * 1 for a function that is no bridge and whose Bus Master bit is set, or whose
 * class is mass storage (01), network (02), display (03), co-processor (0b40) or
 * accelerator (12). 0 else. Errors of iopmem_function_get_config().
 */
int iopmem_function_is_initiator(struct iopmem_function *fn);

/*
 * iopmem_function_is_memory_on - does it answer to the addresses in its BARs?
 * Of a bridge: does it pass requests downstream? 1 or 0, or an error of
 * iopmem_function_get_config().
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
 * Errors: those of iopmem_function_find_capability().
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

/* Errors: those of iopmem_function_find_ext_capability(). */
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

/* The function's nvdimm bus, or NULL if it has none. */
struct ndctl_bus *iopmem_function_get_ndctl_bus(struct iopmem_function *fn);

/* BARs, the implemented ones of the six standard ones, in their order */

struct iopmem_bar *iopmem_bar_get_first(struct iopmem_function *fn);
struct iopmem_bar *iopmem_bar_get_next(struct iopmem_bar *bar);

#define iopmem_bar_foreach(fn, bar) \
	for (bar = iopmem_bar_get_first(fn); \
	     bar != NULL; \
	     bar = iopmem_bar_get_next(bar))

struct iopmem_function *iopmem_bar_get_function(struct iopmem_bar *bar);
/* 0 to 5 */
unsigned int iopmem_bar_get_index(struct iopmem_bar *bar);
/* bytes */
uint64_t iopmem_bar_get_size(struct iopmem_bar *bar);
bool iopmem_bar_is_memory(struct iopmem_bar *bar);
bool iopmem_bar_is_prefetchable(struct iopmem_bar *bar);
bool iopmem_bar_is_64bit(struct iopmem_bar *bar);
bool iopmem_bar_is_assigned(struct iopmem_bar *bar);

/*
 * iopmem_bar_get_resource - the CPU's physical address of the BAR's start
 * UINT64_MAX if none is assigned.
 */
uint64_t iopmem_bar_get_resource(struct iopmem_bar *bar);

/*
 * iopmem_bar_get_bus_address - what an initiator puts on the bus for its start
 *
 * From the BAR's register, or from the region's attribute where the register
 * says nothing (virtual functions).
 * Errors: -ENXIO if no address is assigned, -EACCES if it takes root to tell,
 * -ENOENT if nothing tells it, and those of iopmem_function_get_config().
 */
int iopmem_bar_get_bus_address(struct iopmem_bar *bar, uint64_t *address);

/*
 * iopmem_bar_is_cached - does the driver take it for RAM, to be mapped cacheable?
 *
 * From the region's attribute "cached"; false where the BAR has no region.
 */
bool iopmem_bar_is_cached(struct iopmem_bar *bar);

/*
 * iopmem_bar_get_unfit - why the driver would pass the BAR over, or NULL
 *
 * In the words of the driver's log. It knows the rules that user space can
 * check without touching the BAR. Only binding tells whether the BAR
 *
 * - is write-back by the firmware's MTRRs, outside of virtual machines,
 * - answers all ones,
 * - lies above a direct map that was made smaller at boot (KASLR),
 * - is mapped by others with several memory types, or
 * - has its label area reserved by someone else.
 *
 * A BAR of a bound function that has no region is unfit for one of those.
 */
const char *iopmem_bar_get_unfit(struct iopmem_bar *bar);

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

/* Regions */

/* The region that is made of the BAR, or NULL. */
struct iopmem_region *iopmem_bar_get_region(struct iopmem_bar *bar);
struct iopmem_bar *iopmem_region_get_bar(struct iopmem_region *region);
/* The same region in libndctl, for all else: name, size, namespaces, dimms */
struct ndctl_region *iopmem_region_get_ndctl(struct iopmem_region *region);

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

/* Contents of files, and where a device finds them */

struct iopmem_map;
struct iopmem_extent;

/* Map for reading, and do not change the file: all of it has to be written. */
#define IOPMEM_MAP_READ_ONLY	0x1

/*
 * iopmem_map_file - map a DAX file or a device-dax node, ready for DMA
 * @path: a file on an fsdax namespace, or /dev/daxX.Y
 * @offset: of the first byte, need not be aligned
 * @length: bytes, or 0 for all that follows
 * @flags: IOPMEM_MAP_READ_ONLY or 0
 *
 * Maps it shared and faults all of it in. Without IOPMEM_MAP_READ_ONLY this
 * allocates what is a hole and has the file system see as written what is not:
 * what a device puts there is then read by read(2) too. Then finds the extents
 * and compares each page with what /proc/self/pagemap has for the mapping.
 *
 * The extents of a device-dax node hold while its namespace is there. Those of
 * a file hold while nobody truncates, punches, clones, defragments or removes
 * it, also when it is mapped: the kernel waits with that only for pages that
 * are pinned, as by O_DIRECT I/O in flight.
 *
 * Errors: -EACCES, -EPERM if it takes root; -ENXIO if it is not on iopmem;
 * -EOPNOTSUPP if it is not DAX, or has contents that have no place of their own;
 * -ERANGE if it ends before @offset + @length, or is empty; -EAGAIN if it was
 * moved meanwhile; -EFAULT if pages cannot be had, for instance since there is
 * no space; -EINVAL, -ENOMEM, or another of open(2)'s or mmap(2)'s.
 */
int iopmem_map_file(struct iopmem_ctx *ctx, const char *path, uint64_t offset,
		    uint64_t length, unsigned int flags,
		    struct iopmem_map **map);

/*
 * iopmem_unmap - end the mapping, and free it and its extents
 * A map holds a reference on its context. NULL is allowed.
 */
void iopmem_unmap(struct iopmem_map *map);

/* The byte at @offset. Where the file is truncated, touching it is a SIGBUS. */
void *iopmem_map_get_address(struct iopmem_map *map);
uint64_t iopmem_map_get_offset(struct iopmem_map *map);
uint64_t iopmem_map_get_length(struct iopmem_map *map);
/* The block or character device, "pmem0" */
const char *iopmem_map_get_device(struct iopmem_map *map);
bool iopmem_map_is_devdax(struct iopmem_map *map);

/*
 * iopmem_map_sync - the CPU's stores to the mapping have reached the card
 *
 * For a file this is msync(2), which fails if the function was reset or is gone.
 * For device-dax, where there is no such call, a fence and a read from the
 * mapping; that cannot tell whether the function is still there.
 * Errors: -EIO, -EINVAL, -ENOMEM, as of msync(2).
 */
int iopmem_map_sync(struct iopmem_map *map);

/*
 * The extents of a map, in the order of the file and without gaps. What is
 * contiguous is one extent. They belong to the map.
 */
struct iopmem_extent *iopmem_extent_get_first(struct iopmem_map *map);
struct iopmem_extent *iopmem_extent_get_next(struct iopmem_extent *extent);

#define iopmem_extents_foreach(map, extent) \
	for (extent = iopmem_extent_get_first(map); \
	     extent != NULL; \
	     extent = iopmem_extent_get_next(extent))

/* From the file's start */
uint64_t iopmem_extent_get_offset(struct iopmem_extent *extent);
uint64_t iopmem_extent_get_length(struct iopmem_extent *extent);
/* The CPU's physical address */
uint64_t iopmem_extent_get_resource(struct iopmem_extent *extent);
/* What an initiator puts on the bus; with an IOMMU, only if it is not remapped */
uint64_t iopmem_extent_get_bus_address(struct iopmem_extent *extent);
/* As other BARs, until iopmem_scan() */
struct iopmem_bar *iopmem_extent_get_bar(struct iopmem_extent *extent);
uint64_t iopmem_extent_get_bar_offset(struct iopmem_extent *extent);

/* Paths */

struct iopmem_path;

/* The version of Linux from whose source the known host bridges are */
#define IOPMEM_KNOWN_GOOD_KERNEL	"7.3"

/**
 * enum iopmem_verdict - does DMA from one function reach another one's BAR?
 * @IOPMEM_VERDICT_UNKNOWN: it depends on hardware of which nothing is known
 * @IOPMEM_VERDICT_DIRECT: yes, not passing the root complex
 * @IOPMEM_VERDICT_ROOT_COMPLEX: yes, through a root complex that is known to
 *	pass it
 * @IOPMEM_VERDICT_BLOCKED: no, as things are now
 */
enum iopmem_verdict {
	IOPMEM_VERDICT_UNKNOWN,
	IOPMEM_VERDICT_DIRECT,
	IOPMEM_VERDICT_ROOT_COMPLEX,
	IOPMEM_VERDICT_BLOCKED,
};

/*
 * iopmem_path_new - the way from @initiator to @target, and a verdict
 *
 * Sets *@path, to be freed before the next iopmem_scan(). Errors: -ENOMEM,
 * -E2BIG, and those of iopmem_function_get_config() of a function on the way.
 */
int iopmem_path_new(struct iopmem_function *initiator,
		    struct iopmem_function *target, struct iopmem_path **path);
void iopmem_path_free(struct iopmem_path *path);
enum iopmem_verdict iopmem_path_get_verdict(struct iopmem_path *path);
/* The nearest function above, or in, both; NULL if that is a host bridge. */
struct iopmem_function *iopmem_path_get_common(struct iopmem_path *path);
/* Number @index of the functions from initiator to target; NULL after them. */
struct iopmem_function *
iopmem_path_get_function(struct iopmem_path *path, unsigned int index);
/* Number @index of the lines that say why the verdict is so; NULL after them. */
const char *iopmem_path_get_why(struct iopmem_path *path, unsigned int index);

/* The machine */

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

/* Who uses a function */

/**
 * enum iopmem_holder_kind - in what way
 * @IOPMEM_HOLDER_MOUNT: a file system of it is mounted
 * @IOPMEM_HOLDER_SWAP: it is swap space
 * @IOPMEM_HOLDER_DEVICE: another block device is made of it (dm, md, loop)
 * @IOPMEM_HOLDER_PROCESS: a process has it, or a file on it, open or mapped
 * @IOPMEM_HOLDER_NETWORK: it is a network interface that is up
 * @IOPMEM_HOLDER_KERNEL: the kernel has it claimed, nothing tells what for
 */
enum iopmem_holder_kind {
	IOPMEM_HOLDER_MOUNT,
	IOPMEM_HOLDER_SWAP,
	IOPMEM_HOLDER_DEVICE,
	IOPMEM_HOLDER_PROCESS,
	IOPMEM_HOLDER_NETWORK,
	IOPMEM_HOLDER_KERNEL,
};

/*
 * iopmem_function_find_holders - see who uses the function now
 *
 * Looks at the block and character devices and the network interfaces that its
 * driver has made, at what is made of these, at mounts, swap and all processes.
 * Returns the number found. The holders got before are no longer valid.
 *
 * Block devices that only the kernel has open, for instance to export them by
 * NVMe over fabrics, cannot be told. Errors: -ENOMEM.
 */
int iopmem_function_find_holders(struct iopmem_function *fn);

/*
 * How many processes could not be looked into then, which takes root, or in a
 * container more than that. iopmem_function_can_bind() and
 * iopmem_function_can_unbind() find holders too, where these matter.
 */
unsigned int iopmem_function_get_unseen(struct iopmem_function *fn);

struct iopmem_holder *iopmem_holder_get_first(struct iopmem_function *fn);
struct iopmem_holder *iopmem_holder_get_next(struct iopmem_holder *holder);

#define iopmem_holder_foreach(fn, holder) \
	for (holder = iopmem_holder_get_first(fn); \
	     holder != NULL; \
	     holder = iopmem_holder_get_next(holder))

struct iopmem_function *
iopmem_holder_get_function(struct iopmem_holder *holder);
enum iopmem_holder_kind iopmem_holder_get_kind(struct iopmem_holder *holder);
/* What it uses: "pmem0", "dax0.0", "eth0" */
const char *iopmem_holder_get_device(struct iopmem_holder *holder);
/* The mount point, the file, the device made of it; NULL for the others */
const char *iopmem_holder_get_path(struct iopmem_holder *holder);
/*
 * The process, 0 and NULL if there is none. A mount has one if it is in another
 * mount namespace than the caller's: that process is in that one.
 */
int iopmem_holder_get_pid(struct iopmem_holder *holder);
const char *iopmem_holder_get_process(struct iopmem_holder *holder);
/* For people: "pmem0 is mounted on /mnt" */
const char *iopmem_holder_get_text(struct iopmem_holder *holder);

/*
 * Bind and unbind
 *
 * They take root, and change the machine as a whole: the function gets the
 * driver and the driver_override that are asked for, or, on any error, those
 * that it had. SIGINT, SIGTERM, SIGHUP, SIGQUIT and SIGTSTP are blocked in the
 * calling thread meanwhile. After SIGKILL it may have neither.
 *
 * What the context knows about the function is old afterwards: iopmem_scan().
 */

/**
 * enum iopmem_bind_flags - what they may do beyond that
 * @IOPMEM_FORCE: take it though another driver has it, or though it is in use:
 *	see below
 * @IOPMEM_PERSIST: the same at the next boot, through the program driverctl
 */
enum iopmem_bind_flags {
	IOPMEM_FORCE = 1 << 0,
	IOPMEM_PERSIST = 1 << 1,
};

/*
 * iopmem_function_can_bind - would iopmem_function_bind() begin?
 *
 * Changes nothing. 0, or the error.
 *
 * Errors: -EACCES if not root; -EINVAL if no BAR is eligible; -EBUSY if another
 * driver has it, unless IOPMEM_FORCE is in @flags, or if that driver's devices
 * are in use; -ENOENT if @flags have IOPMEM_PERSIST and there is no driverctl;
 * -ENODEV if it has gone; -EAGAIN if the kernel is about to bind or unbind it,
 * and waits.
 */
int iopmem_function_can_bind(struct iopmem_function *fn, unsigned int flags);

/*
 * iopmem_function_bind - have the driver iopmem take a function
 * @flags: IOPMEM_FORCE: take it from another driver, if its devices are not in
 *	use. IOPMEM_PERSIST: also at the next boot; a function that is bound
 *	without is bound anew.
 * @before: if not NULL, where the function was, to be freed
 *
 * Loads the module. Waits for the driver that has it, see iopmem_set_wait_fn().
 *
 * Returns 1 if something was changed, 0 if it was so already.
 * Errors: those of iopmem_function_can_bind(), those of loading a module, those
 * of the driver.
 */
int iopmem_function_bind(struct iopmem_function *fn, unsigned int flags,
			 struct iopmem_binding **before);

/*
 * iopmem_function_can_unbind - would iopmem_function_unbind() begin?
 *
 * Errors: -EACCES if not root; -EBUSY if another driver has it, or if it is in
 * use, unless IOPMEM_FORCE is in @flags; -ENOENT if driverctl is needed and not
 * there; -ENODEV if it has gone; -EAGAIN as above.
 */
int iopmem_function_can_unbind(struct iopmem_function *fn, unsigned int flags);

/*
 * iopmem_function_unbind - take a function away from the driver iopmem
 * @flags: IOPMEM_FORCE: though it is in use; what has device-dax mapped gets
 *	SIGBUS, for block devices the driver waits until they are closed.
 *	IOPMEM_PERSIST: also at the next boot
 * @before: if not NULL, where the function was, to be freed
 *
 * It has no driver then. Returns 1 if something was changed, 0 if not.
 * Errors: those of iopmem_function_can_unbind(); -EINTR if the function of
 * iopmem_set_wait_fn() said so: the kernel goes on by itself.
 */
int iopmem_function_unbind(struct iopmem_function *fn, unsigned int flags,
			   struct iopmem_binding **before);

/*
 * iopmem_set_wait_fn - be told what a removal waits for
 *
 * @wait_fn is called with a line each second, unless it takes less than two.
 * Returning false ends iopmem_function_unbind(); there is nothing to stop the
 * kernel, and iopmem_function_bind() goes on until it can put things back.
 */
typedef bool (*iopmem_wait_fn)(struct iopmem_ctx *ctx, const char *message,
			       void *data);
void iopmem_set_wait_fn(struct iopmem_ctx *ctx, iopmem_wait_fn wait_fn,
			void *data);

/* Where a function was: its driver, driver_override, what driverctl saved */
const char *iopmem_binding_get_driver(struct iopmem_binding *binding);
const char *iopmem_binding_get_override(struct iopmem_binding *binding);
const char *iopmem_binding_get_saved(struct iopmem_binding *binding);

/*
 * iopmem_binding_restore - put the function back to where it was
 * Errors: as of binding and unbinding.
 */
int iopmem_binding_restore(struct iopmem_binding *binding);
void iopmem_binding_free(struct iopmem_binding *binding);

/* Has driverctl saved that the driver iopmem takes it at the next boot? */
bool iopmem_function_is_persistent(struct iopmem_function *fn);

#ifdef __cplusplus
}
#endif

#endif /* _IOPMEM_H_ */
