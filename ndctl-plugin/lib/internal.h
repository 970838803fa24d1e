/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the library's files use of each other. A file may call only files that
 * come before it in the list of meson.build. tests/layers checks that.
 */
#ifndef _IOPMEM_INTERNAL_H_
#define _IOPMEM_INTERNAL_H_

#include "parse/parse.h"
#include "private.h"
#include "util.h"

#define EXPORT	__attribute__((visibility("default")))

#define SYSFS_PCI	"/sys/bus/pci/devices"
#define SYSFS_ND	"/sys/bus/nd/devices"
#define SYSFS_DRIVERS	"/sys/bus/pci/drivers"
#define DRIVER		"iopmem"
#define MIN_BAR_SIZE	(4ull << 20)
#define SYSFS_MAX	4096	/* the largest size of an attribute */

struct pci_access;
struct pci_dev;

struct iopmem_region {
	struct iopmem_bar *bar;
	struct ndctl_region *ndctl;
};

struct iopmem_bar {
	struct iopmem_function *fn;
	unsigned int index;
	struct resource res;
	struct iopmem_region region;	/* if region.ndctl is set */
};

/**
 * struct iopmem_function - a PCI function
 * @config: what was read of the configuration space
 * @config_len: the length of @config, or a negative errno
 * @config_tried: the largest length that was asked for
 * @pci: libpci's device, which uses @config as its cache
 */
struct iopmem_function {
	struct iopmem_ctx *ctx;
	struct address address;
	char name[24];
	char *syspath;
	char *host_bridge;
	char *driver;
	bool has_parent;
	struct address parent_address;
	struct iopmem_function *parent;
	struct iopmem_function *first_child;
	struct iopmem_function *next_sibling;
	unsigned int vendor;
	unsigned int device;
	unsigned int class;
	bool names_read;
	char *vendor_name;
	char *device_name;
	struct iopmem_bar bars[NUM_BARS];
	struct ndctl_bus *ndctl_bus;
	uint8_t *config;
	int config_len;
	int config_tried;
	struct pci_dev *pci;
};

/**
 * struct iopmem_ctx - one reading of the machine
 * @destroy: frees the context and all in it, see context.c
 * @skipped: the result of the scan, whose message is @scan_error
 * @pci_rc: the result of starting libpci
 * @names_failed: libpci cannot read pci.ids
 * @bar_mask: the module's parameter bars
 * @memtypes_rc: number of @memtypes, or a negative errno
 * @mtrrs_rc: number of @mtrrs, or a negative errno
 * @kconfig: the running kernel's options, or NULL
 */
struct iopmem_ctx {
	int refs;
	void (*destroy)(struct iopmem_ctx *ctx);
	char error[512];
	iopmem_log_fn log_fn;
	int log_priority;
	iopmem_wait_fn wait_fn;
	void *wait_data;

	bool scanned;
	int skipped;
	char scan_error[512];
	struct iopmem_function *functions;
	size_t num_functions;

	struct ndctl_ctx *ndctl;
	bool regions_read;

	bool pci_tried;
	int pci_rc;
	bool names_failed;
	struct pci_access *pci;

	bool bar_mask_read;
	unsigned int bar_mask;

	bool memtypes_read;
	int memtypes_rc;
	struct memtype *memtypes;

	bool mtrrs_read;
	int mtrrs_rc;
	struct memtype *mtrrs;
	bool cpu_read;
	struct cpu cpu;
	bool kconfig_tried;
	char *kconfig;
	size_t kconfig_len;

	bool rules_read;
	struct iopmem_rule *rules;
	int num_rules;
	bool ids_read;
	char *ids;
	bool loads_at_boot;
};

/* machine.c */
const struct cpu *cpu_get(struct iopmem_ctx *ctx);
/*
 * The type of the memory from @start to @last, by the kernel's list and by the
 * MTRRs. Errors: those of iopmem_bar_get_memory_type() and
 * iopmem_bar_get_mtrr_type(). For -ENXIO no message is set.
 */
int memory_type(struct iopmem_ctx *ctx, uint64_t start, uint64_t last,
		const char **type);
int mtrr_type(struct iopmem_ctx *ctx, uint64_t start, uint64_t last,
	      const char **type);
/* Load the module, unless the driver is registered already. */
int module_load(struct iopmem_ctx *ctx);
/* Set *@value to the module's parameter in modprobe.d, to be freed, or NULL. */
int module_parameter(struct iopmem_ctx *ctx, const char *name, char **value);
/* Does a file in modules-load.d name the module? */
bool module_loads_at_boot(void);
void machine_reset(struct iopmem_ctx *ctx);

/* pci.c */
void functions_reset(struct iopmem_ctx *ctx);
struct iopmem_function *function_find(struct iopmem_ctx *ctx,
				      const struct address *a);
/* Set *@address to the address in the BAR's register, 0 if that is empty. */
int bar_register(struct iopmem_bar *bar, uint64_t *address);

/* boot.c */
void boot_reset(struct iopmem_ctx *ctx);

/* region.c */
void regions_reset(struct iopmem_ctx *ctx);

/* users.c */
/* Print as many users as fit into @buf, in one line. */
void users_describe(struct iopmem_users *users, char *buf, size_t size);

#endif /* _IOPMEM_INTERNAL_H_ */
