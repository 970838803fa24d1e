/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef _IOPMEM_PRIVATE_H_
#define _IOPMEM_PRIVATE_H_

#include <stdarg.h>
#include <string.h>
#include <syslog.h>

#include "iopmem.h"
#include "parse.h"

#define EXPORT	__attribute__((visibility("default")))

#define SYSFS_PCI	"/sys/bus/pci/devices"
#define SYSFS_ND	"/sys/bus/nd/devices"
#define SYSFS_DRIVERS	"/sys/bus/pci/drivers"
#define DRIVER		"iopmem"
#define MIN_BAR_SIZE	(4ull << 20)
#define SYSFS_MAX	4096	/* the most that an attribute holds */

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
	struct iopmem_region region;	/* if region.ndctl */
};

struct iopmem_holder {
	struct iopmem_function *fn;
	enum iopmem_holder_kind kind;
	char device[64];
	char *path;
	int pid;
	char process[64];
	char *text;
};

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
	struct iopmem_bar bars[NUM_BARS];
	struct ndctl_bus *ndctl_bus;
	uint8_t *config;
	int config_len;		/* or a negative errno */
	unsigned int config_tried;
	struct iopmem_holder *holders;
	size_t num_holders;
	unsigned int unseen;	/* processes that could not be looked into */
};

/**
 * struct iopmem_ctx - all that was read
 * @skipped: result of the scan
 * @bar_mask: the module's parameter bars
 * @memtypes_rc: number of @memtypes, or a negative errno
 * @mtrrs_rc: the same of @mtrrs
 * @kconfig: the running kernel's options, or NULL
 */
struct iopmem_ctx {
	int refs;
	char error[512];
	iopmem_log_fn log_fn;
	int log_priority;
	iopmem_wait_fn wait_fn;
	void *wait_data;

	bool scanned;
	int skipped;
	struct iopmem_function *functions;
	size_t num_functions;

	struct ndctl_ctx *ndctl;
	bool regions_read;
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
};

/* Either may be NULL. */
static inline bool same_string(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* libiopmem.c */
/* Sets the context's message and returns @rc. */
int failed(struct iopmem_ctx *ctx, int rc, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void log_message(struct iopmem_ctx *ctx, int priority, const char *file,
		 int line, const char *fn, const char *format, ...)
	__attribute__((format(printf, 6, 7)));
#define dbg(ctx, ...) \
	log_message(ctx, LOG_DEBUG, __FILE__, __LINE__, __func__, __VA_ARGS__)

/* sysfs.c */
/* The whole of a small file without its last newline; its length or -errno. */
int sysfs_read(const char *path, char *buf, size_t size);
int sysfs_read_attr(struct iopmem_function *fn, const char *attr, char *buf,
		    size_t size);
/*
 * The last component of a link's target, as the name of a driver, a group or a
 * subsystem is; its length or -errno.
 */
int sysfs_read_link(const char *dir, const char *link, char *buf, size_t size);
/* All of a file of any length, to be freed. */
int sysfs_read_all(const char *path, char **buf, size_t *len);

/* function.c */
/* Returns how many could not be read, or -errno. */
int functions_read(struct iopmem_ctx *ctx);
void functions_free(struct iopmem_ctx *ctx);
struct iopmem_function *function_find(struct iopmem_ctx *ctx,
				      const struct address *a);

/* config.c */
/* The first @want bytes of configuration space, or as many as there are. */
int function_config(struct iopmem_function *fn, unsigned int want,
		    const uint8_t **buf);

/* driverctl.c */
/* The driver that driverctl has saved for the function; NULL: none. */
int driverctl_saved(struct iopmem_ctx *ctx, const char *address, char **driver);
/* Is the program there? */
int driverctl_check(struct iopmem_ctx *ctx, const char *address);
/*
 * Save @driver, or with NULL forget what was saved, and set driver_override
 * alike. driverctl unbinds the function first.
 */
int driverctl_save(struct iopmem_ctx *ctx, const char *address,
		   const char *driver);

/* holder.c */
void holders_free(struct iopmem_function *fn);
/* Those found by iopmem_function_find_holders(), as many as fit in a line */
void holders_describe(struct iopmem_function *fn, char *buf, size_t size);

/* machine.c */
const struct cpu *cpu_get(struct iopmem_ctx *ctx);
void machine_forget(struct iopmem_ctx *ctx);

/* module.c */
/* Load it, unless the driver is there. */
int module_load(struct iopmem_ctx *ctx);

/* region.c */
void regions_read(struct iopmem_ctx *ctx);

/* target.c */
struct statx;

/**
 * struct target - where on which BAR a file's device lies
 * @device: its name, "pmem0p1" or "dax0.1"
 * @devdax: a device-dax node, which is its own contents
 * @resource: the CPU's address of its first byte
 * @size: bytes
 * @align: what mappings of it are aligned to
 */
struct target {
	struct iopmem_bar *bar;
	char device[64];
	bool devdax;
	uint64_t resource;
	uint64_t size;
	uint64_t align;
};

int target_find(struct iopmem_ctx *ctx, const char *path,
		const struct statx *st, struct target *t);

#endif /* _IOPMEM_PRIVATE_H_ */
