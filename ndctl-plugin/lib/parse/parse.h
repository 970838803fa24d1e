/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parsers of input from outside. Each is fuzzed, so it reads nothing but the
 * given buffer, which need not end in a NUL. A parser returns -EINVAL for
 * malformed input, unless its comment says otherwise.
 */
#ifndef _IOPMEM_PARSE_H_
#define _IOPMEM_PARSE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../util.h"

#define IORESOURCE_IO		0x00000100
#define IORESOURCE_MEM		0x00000200
#define IORESOURCE_PREFETCH	0x00002000
#define IORESOURCE_MEM_64	0x00100000
#define IORESOURCE_UNSET	0x20000000

/* proc.c */

/**
 * struct cpu - what /proc/cpuinfo tells
 * @hypervisor: in a virtual machine
 * @zen: AMD family 17h or later
 * @address_bits: up to so many bits of a physical address x86 can have struct
 *	pages and a direct map; 64 if the text does not tell
 */
struct cpu {
	bool hypervisor;
	bool zen;
	unsigned int address_bits;
};

void parse_cpuinfo(const char *buf, size_t len, struct cpu *cpu);

/* /sys/kernel/debug/x86/pat_memtype_list */
struct memtype {
	uint64_t start;
	uint64_t end;		/* the first address after it */
	const char *type;	/* a constant */
};

/* Set *@list, to be freed, sorted by start. Returns the number of entries. */
int parse_memtypes(const char *buf, size_t len, struct memtype **list);

/* /proc/mtrr, in the words of the list of memory types */

/* Set *@list, to be freed, in the order of the text. Returns the number. */
int parse_mtrrs(const char *buf, size_t len, struct memtype **list);
/* -ENXIO if no MTRR covers any part of the range: it has the default type. */
int mtrrs_type(const struct memtype *list, int n, uint64_t start, uint64_t last,
	       const char **type);

/* The message in a record of /dev/kmsg, after its priority and other fields */
int parse_kmsg(const char *buf, size_t len, struct text *message);

/* sysfs.c */

struct address {
	uint32_t domain;
	uint8_t bus;
	uint8_t dev;
	uint8_t fn;
};

int parse_address(const char *buf, size_t len, struct address *a);
int address_compare(const struct address *a, const struct address *b);

/* As parse_address(). Also accepts "BB:DD.F", which is in domain 0. */
int parse_short_address(const char *buf, size_t len, struct address *a);

/*
 * What the link of a function in /sys/bus/pci/devices tells: the bridge above
 * it, if has_parent, and the name of the host bridge, which points into @buf.
 */
struct place {
	bool has_parent;
	struct address parent;
	const char *host_bridge;
	size_t host_bridge_len;
};

int parse_place(const char *buf, size_t len, struct place *p);

/* A line of the attribute "resource". The first six are the BARs. */
struct resource {
	uint64_t start;
	uint64_t end;
	uint64_t flags;
};

#define NUM_BARS	6

int parse_resource(const char *buf, size_t len, struct resource res[NUM_BARS]);

/* "16.0 GT/s PCIe" in units of 0.1 GT/s; "Unknown" is 0 */
int parse_link_speed(const char *buf, size_t len, unsigned int *speed);

/* The attribute "type" of an IOMMU group */
int parse_iommu_type(const char *buf, size_t len, const char **type);

/*
 * The path of a block or character device's folder, without links
 *
 * region points to the region's name in @buf. The first device_len bytes of
 * @buf are the folder of the namespace, or of the pfn, dax or btt device that
 * claims it. -ENOENT if the folder is below no region.
 */
struct nd_path {
	const char *region;
	size_t region_len;
	size_t device_len;
	bool is_btt;
	bool is_partition;
};

int parse_nd_path(const char *buf, size_t len, struct nd_path *p);

/* "259:0" */
int parse_dev(const char *buf, size_t len, unsigned int *major,
	      unsigned int *minor);

/* config.c */

/* The option @name in a kernel's .config: 'y', 'm', or else 'n' */
char parse_kconfig(const char *buf, size_t len, const char *name);
bool is_kconfig(const char *buf, size_t len);

/* /sys/kernel/security/lockdown */
int parse_lockdown(const char *buf, size_t len, const char **level);

/* The module's parameter bars, as in "2,4-5" */
int parse_bars(const char *buf, size_t len, unsigned int *mask);

/* file.c */

/*
 * The extents that FS_IOC_FIEMAP has filled in, from @at on
 *
 * This adds them to the pieces, and moves @at to the end of the last one.
 * Extents that are contiguous become one piece. Call it again while @at is
 * below @end.
 * -EOPNOTSUPP, with *@why, if a device cannot use what is at @at.
 */
struct piece {
	uint64_t logical;	/* in the file */
	uint64_t physical;	/* on its block device */
	uint64_t length;
};

struct pieces {
	struct piece *list;	/* to be freed */
	size_t n;
	size_t room;
	uint64_t at;
	uint64_t end;
};

int parse_fiemap(const void *buf, size_t len, struct pieces *p,
		 const char **why);

/*
 * /proc/self/pagemap: the physical address of page @index in @buf
 *
 * -ENXIO if there is no page, -EPERM if the kernel hides its address.
 */
int parse_pagemap(const void *buf, size_t len, size_t index,
		  uint64_t page_size, uint64_t *address);

#endif /* _IOPMEM_PARSE_H_ */
