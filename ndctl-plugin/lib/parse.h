/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parsers of what comes from outside. They touch nothing but the given buffer,
 * which need not end in a NUL: each is fuzzed. They return -EINVAL for what is
 * malformed, unless said otherwise.
 */
#ifndef _IOPMEM_PARSE_H_
#define _IOPMEM_PARSE_H_

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define IORESOURCE_IO		0x00000100
#define IORESOURCE_MEM		0x00000200
#define IORESOURCE_PREFETCH	0x00002000
#define IORESOURCE_MEM_64	0x00100000
#define IORESOURCE_UNSET	0x20000000

/* parse-number.c: take a number off the front of a text */
struct text {
	const char *at;
	const char *end;
};

/* Hexadecimal of @min to @max digits, without "0x". */
int text_hex(struct text *t, int min, int max, uint64_t *value);
int text_dec(struct text *t, uint64_t max, uint64_t *value);
bool text_char(struct text *t, char c);
bool text_word(struct text *t, const char *word);
/* The same with "0x" before the digits. */
int text_0x(struct text *t, uint64_t *value);
/* Cut the first line off; false at the end. */
bool text_line(struct text *t, struct text *line);
bool text_is_empty(const struct text *t);

/* parse-address.c */
struct address {
	uint32_t domain;
	uint8_t bus;
	uint8_t dev;
	uint8_t fn;
};

int parse_address(const char *buf, size_t len, struct address *a);
int address_compare(const struct address *a, const struct address *b);

struct spec {
	bool by_id;
	struct address address;
	uint16_t vendor;
	uint16_t device;
};

/* Address, short address, vendor:device, or a path that ends in an address. */
int parse_spec(const char *buf, size_t len, struct spec *s);

/*
 * Where a function sits, from its link in /sys/bus/pci/devices: the bridge
 * above (has_parent), and the name of the host bridge within @buf.
 */
struct place {
	bool has_parent;
	struct address parent;
	const char *host_bridge;
	size_t host_bridge_len;
};

int parse_place(const char *buf, size_t len, struct place *p);

/* parse-resource.c: the attribute "resource", the first six lines */
struct resource {
	uint64_t start;
	uint64_t end;
	uint64_t flags;
};

#define NUM_BARS	6

int parse_resource(const char *buf, size_t len, struct resource res[NUM_BARS]);

/* parse-config.c: configuration space */
#define CONFIG_SIZE	4096

int config_find_capability(const uint8_t *buf, size_t len, unsigned int id);
int config_find_ext_capability(const uint8_t *buf, size_t len,
			       unsigned int id);
/*
 * The address in BAR @index. -ENOENT if the register says nothing, -EINVAL if
 * this header has no such register.
 */
int config_bar_address(const uint8_t *buf, size_t len, unsigned int index,
		       uint64_t *address);
bool config_bus_master(const uint8_t *buf, size_t len);
bool config_memory_on(const uint8_t *buf, size_t len);
/* Device/Port Type of the PCI Express capability */
int config_port_type(const uint8_t *buf, size_t len);

#define EXT_CAP_ACS	0x0d

struct acs {
	uint16_t capability;
	uint16_t control;
};

/* Errors as of config_find_ext_capability() */
int config_acs(const uint8_t *buf, size_t len, struct acs *acs);

/* parse-link.c: "16.0 GT/s PCIe" in units of 0.1 GT/s; "Unknown" is 0 */
int parse_link_speed(const char *buf, size_t len, unsigned int *speed);

/* parse-memtype.c: /sys/kernel/debug/x86/pat_memtype_list */
struct memtype {
	uint64_t start;
	uint64_t end;		/* the first address after it */
	const char *type;	/* a constant */
};

/* Sets *@list, to be freed, sorted by start; returns the number. */
int parse_memtypes(const char *buf, size_t len, struct memtype **list);

/* parse-bars.c: the module's parameter bars, as in "2,4-5" */
int parse_bars(const char *buf, size_t len, unsigned int *mask);

/**
 * struct cpu - what parse-cpuinfo.c makes of /proc/cpuinfo
 * @hypervisor: in a virtual machine
 * @zen: AMD family 17h or later
 * @address_bits: of a physical address for which x86 can have struct pages and a
 *	direct map at most, 64 if the text does not tell
 */
struct cpu {
	bool hypervisor;
	bool zen;
	unsigned int address_bits;
};

void parse_cpuinfo(const char *buf, size_t len, struct cpu *cpu);

/*
 * parse-fiemap.c: what FS_IOC_FIEMAP has filled in, from @at on
 *
 * Adds to the pieces, and moves @at to where they end; what is contiguous is
 * one piece. To be called again while @at is below @end.
 * -EOPNOTSUPP, with *@why, if at @at there is nothing that a device could use.
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
 * parse-pagemap.c: the physical address of page @index of those in @buf
 * -ENXIO if there is no page, -EPERM if its address is kept from us.
 */
int parse_pagemap(const void *buf, size_t len, size_t index,
		  uint64_t page_size, uint64_t *address);

/*
 * parse-ndpath.c: a block or character device's folder, without links
 *
 * The region's name within @buf; @device_len bytes of @buf are the folder of
 * the namespace or of what claims it. -ENOENT if it is below no region.
 */
struct nd_path {
	const char *region;
	size_t region_len;
	size_t device_len;
	bool is_btt;
	bool is_partition;
};

int parse_nd_path(const char *buf, size_t len, struct nd_path *p);

/* parse-mtrr.c: /proc/mtrr, in the words of the list of memory types */

/* Sets *@list, to be freed, in the order of the text; returns the number. */
int parse_mtrrs(const char *buf, size_t len, struct memtype **list);
/* -ENXIO if none of them covers anything of it: it has the default type. */
int mtrr_type(const struct memtype *list, int n, uint64_t start, uint64_t last,
	      const char **type);

/* parse-kconfig.c: a kernel's .config. 'y', 'm', else 'n'. */
char parse_kconfig(const char *buf, size_t len, const char *name);
bool is_kconfig(const char *buf, size_t len);

/* parse-lockdown.c: /sys/kernel/security/lockdown */
int parse_lockdown(const char *buf, size_t len, const char **level);

/* parse-iommu.c: the attribute "type" of an IOMMU group */
int parse_iommu_type(const char *buf, size_t len, const char **type);

/* parse-proc.c: files of /proc, and "259:0" */
int parse_dev(const char *buf, size_t len, unsigned int *major,
	      unsigned int *minor);

/**
 * struct mount - a line of mountinfo
 * @id: the mount's number
 * @path: where it is mounted
 * @type: of the file system, within the line
 */
struct mount {
	uint64_t id;
	unsigned int major;
	unsigned int minor;
	char path[PATH_MAX];
	struct text type;
};

int parse_mount(const char *buf, size_t len, struct mount *m);
/* The path in a line of /proc/swaps; -EINVAL also for its heading. */
int parse_swap(const char *buf, size_t len, char path[PATH_MAX]);
/* What follows the priority and the like in a record of /dev/kmsg */
int parse_kmsg(const char *buf, size_t len, struct text *message);

#endif /* _IOPMEM_PARSE_H_ */
