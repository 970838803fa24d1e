// SPDX-License-Identifier: LGPL-2.1-or-later
/* Mapping a file's contents for DMA, and finding their addresses */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/fiemap.h>
#include <linux/fs.h>

#include <libmount.h>
#include <ndctl/libndctl.h>

#include "internal.h"

#define SECTOR	512

/**
 * struct target - the device that a file is on, and its place in a BAR
 * @device: the device's name, "pmem0p1" or "dax0.1"
 * @devdax: the file itself is a device DAX node
 * @resource: the CPU's address of the device's first byte
 * @size: the device's size in bytes
 * @align: mappings are aligned to this
 */
struct target {
	struct iopmem_bar *bar;
	char device[64];
	bool devdax;
	uint64_t resource;
	uint64_t size;
	uint64_t align;
};

/* Read DIR/ATTR. @number parses it. */
static int read_number(struct iopmem_ctx *ctx, const char *path,
		       const char *dir, const char *attr,
		       int (*number)(struct text *t, uint64_t *value),
		       uint64_t *value)
{
	char name[PATH_MAX + 32], buf[64];
	struct text t;
	int n;

	snprintf(name, sizeof(name), "%s/%s", dir, attr);
	n = sysfs_read(name, buf, sizeof(buf));
	if (n == -EACCES)
		return set_error(ctx, n, "%s: physical addresses need root", path);
	if (n < 0)
		return set_error(ctx, n, "%s: %s: %s", path, name, strerror(-n));
	t = (struct text){ buf, buf + n };
	if (number(&t, value) || !text_is_empty(&t))
		return set_error(ctx, -EINVAL,
				 "%s: %s: '%s' is not what the kernel writes, report it",
				 path, name, buf);
	return 0;
}

static int decimal(struct text *t, uint64_t *value)
{
	return text_dec(t, UINT64_MAX, value);
}

static struct iopmem_bar *bar_of_region(struct iopmem_ctx *ctx,
					const char *name, size_t len)
{
	struct iopmem_function *fn;
	struct iopmem_bar *bar;

	iopmem_function_foreach(ctx, fn)
		iopmem_bar_foreach(fn, bar) {
			struct iopmem_region *region = iopmem_bar_get_region(bar);
			const char *devname;

			if (!region)
				continue;
			devname = ndctl_region_get_devname(region->ndctl);
			if (strlen(devname) == len &&
			    !memcmp(devname, name, len))
				return bar;
		}
	return NULL;
}

/* Is the block device made of others? */
static bool is_stacked(const char *folder)
{
	char path[PATH_MAX + 16];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/slaves", folder);
	dir = opendir(path);
	while (dir && !found && (entry = readdir(dir)))
		found = entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return found;
}

/* The error for tmpfs, overlayfs, btrfs and network file systems */
static int no_device(struct iopmem_ctx *ctx, const char *path, uint64_t mount)
{
	struct libmnt_table *table = mnt_new_table_from_file("/proc/self/mountinfo");
	struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	const char *type = "a file system";
	struct libmnt_fs *fs;

	while (table && iter && !mnt_table_next_fs(table, iter, &fs))
		if ((uint64_t)mnt_fs_get_id(fs) == mount && mnt_fs_get_fstype(fs))
			type = mnt_fs_get_fstype(fs);
	set_error(ctx, -ENXIO,
		  "%s: is on %s, which is not on one block device: use ext4 or xfs on an fsdax namespace",
		  path, type);
	mnt_free_iter(iter);
	mnt_unref_table(table);
	return -ENXIO;
}

/* The sysfs folder of the node, or of the file system's block device */
static int find_folder(struct iopmem_ctx *ctx, const char *path,
		       const struct statx *st, char *folder)
{
	bool block = S_ISREG(st->stx_mode);
	unsigned int major = block ? st->stx_dev_major : st->stx_rdev_major;
	unsigned int minor = block ? st->stx_dev_minor : st->stx_rdev_minor;
	char link[64];

	if (!major)
		return no_device(ctx, path, st->stx_mnt_id);
	snprintf(link, sizeof(link), "/sys/dev/%s/%u:%u",
		 block ? "block" : "char", major, minor);
	if (!realpath(link, folder))
		return set_error(ctx, -ENXIO, "%s: its device has no %s, is sysfs mounted?",
				 path, link);
	return 0;
}

static int target_find(struct iopmem_ctx *ctx, const char *path,
		       const struct statx *st, struct target *t)
{
	char folder[PATH_MAX];
	struct nd_path nd;
	uint64_t start = 0;
	const char *name;
	int rc;

	*t = (struct target){ .devdax = S_ISCHR(st->stx_mode) };
	rc = find_folder(ctx, path, st, folder);
	if (rc)
		return rc;
	name = strrchr(folder, '/') + 1;
	if (parse_nd_path(folder, strlen(folder), &nd)) {
		if (is_stacked(folder))
			return set_error(ctx, -ENXIO,
					 "%s: is on %s, a stacked device that does not tell where its blocks are: use a file system on the namespace itself",
					 path, name);
		return set_error(ctx, -ENXIO,
				 "%s: is on %s, not on iopmem: 'ndctl-iopmem list' shows what is",
				 path, name);
	}
	if (nd.is_btt)
		return set_error(ctx, -ENXIO,
				 "%s: is on %s, a sector namespace, whose blocks move: use one in fsdax mode",
				 path, name);
	rc = iopmem_scan(ctx);
	if (rc < 0)
		return rc;
	t->bar = bar_of_region(ctx, nd.region, nd.region_len);
	if (!t->bar)
		return set_error(ctx, -ENXIO,
				 "%s: is on %s in %.*s, not on iopmem: 'ndctl-iopmem list' shows what is",
				 path, name, (int)nd.region_len, nd.region);
	snprintf(t->device, sizeof(t->device), "%s", name);

	t->align = sysconf(_SC_PAGESIZE);
	if (t->devdax) {
		rc = read_number(ctx, path, folder, "align", decimal, &t->align);
		if (!rc)
			rc = read_number(ctx, path, folder, "size", decimal,
					 &t->size);
		if (!rc)
			rc = read_number(ctx, path, folder, "resource", text_0x,
					 &t->resource);
		if (!rc && (!t->align || t->align & (t->align - 1)))
			rc = set_error(ctx, -EINVAL, "%s: alignment %llu, report it",
				       path, (unsigned long long)t->align);
		return rc;
	}

	rc = read_number(ctx, path, folder, "size", decimal, &t->size);
	if (!rc && nd.is_partition)
		rc = read_number(ctx, path, folder, "start", decimal, &start);
	folder[nd.device_len] = 0;
	if (!rc)
		rc = read_number(ctx, path, folder, "resource", text_0x,
				 &t->resource);
	t->size *= SECTOR;
	t->resource += start * SECTOR;
	return rc;
}

#define PAGEMAP		"/proc/self/pagemap"
#define EXTENTS		128	/* per call of FIEMAP */
#define ENTRIES		4096	/* per read of pagemap */

struct iopmem_extent {
	struct iopmem_map *map;
	uint64_t offset;
	uint64_t length;
	uint64_t resource;
	uint64_t bus_address;
};

/**
 * struct iopmem_map - a mapping
 * @base: the result of mmap(2): @base_length bytes from @base_offset on
 * @offset: where the caller's @length bytes begin
 */
struct iopmem_map {
	struct iopmem_ctx *ctx;
	char *path;
	struct target target;
	bool read_only;
	char *base;
	uint64_t base_offset;
	uint64_t base_length;
	uint64_t offset;
	uint64_t length;
	struct iopmem_extent *extents;
	size_t num_extents;
};

/* Check it by O_PATH first: opening another kind of device may have effects. */
static int open_checked(struct iopmem_map *map, unsigned int flags,
			struct statx *st)
{
	const int how = flags & IOPMEM_MAP_READ_ONLY ? O_RDONLY : O_RDWR;
	struct iopmem_ctx *ctx = map->ctx;
	char self[32];
	int fd, at, rc;

	at = open(map->path, O_PATH | O_CLOEXEC);
	if (at < 0)
		return set_error(ctx, -errno, "%s: %s", map->path, strerror(errno));
	if (statx(at, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID, st))
		rc = set_error(ctx, -errno, "%s: %s", map->path, strerror(errno));
	else if (S_ISBLK(st->stx_mode))
		rc = set_error(ctx, -ENXIO,
			       "%s: is a block device: give a file on it, or a device DAX node",
			       map->path);
	else if (!S_ISREG(st->stx_mode) && !S_ISCHR(st->stx_mode))
		rc = set_error(ctx, -ENXIO,
			       "%s: is neither a file nor a device DAX node",
			       map->path);
	else
		rc = target_find(ctx, map->path, st, &map->target);
	if (rc) {
		close(at);
		return rc;
	}

	snprintf(self, sizeof(self), "/proc/self/fd/%d", at);
	fd = open(self, how | O_CLOEXEC);
	if (fd < 0)
		fd = set_error(ctx, -errno, "%s: %s", map->path, strerror(errno));
	close(at);
	return fd;
}

/* On ext4 a new file may be DAX and encrypted. FIEMAP does not tell. */
static int check_dax(struct iopmem_map *map, const struct statx *st)
{
	if (!map->target.devdax && st->stx_attributes & STATX_ATTR_ENCRYPTED)
		return set_error(map->ctx, -EOPNOTSUPP,
				 "%s: is encrypted, use a file that is not",
				 map->path);
	if (map->target.devdax || st->stx_attributes & STATX_ATTR_DAX)
		return 0;
	return set_error(map->ctx, -EOPNOTSUPP,
			 "%s: is not DAX, a mapping of it is in RAM: mount %s with -o dax=always, in fsdax mode",
			 map->path, map->target.device);
}

/* FIEMAP gives places on the realtime device, but not which device that is. */
static int check_realtime(struct iopmem_map *map, int fd)
{
	struct fsxattr attr;

	if (map->target.devdax || ioctl(fd, FS_IOC_FSGETXATTR, &attr) ||
	    !(attr.fsx_xflags & FS_XFLAG_REALTIME))
		return 0;
	return set_error(map->ctx, -EOPNOTSUPP,
			 "%s: is on the realtime device of its file system, not on %s: use a file that is not a realtime one",
			 map->path, map->target.device);
}

/* A length of 0 becomes that of all that follows the offset. */
static int check_range(struct iopmem_map *map, uint64_t size)
{
	if (!size)
		return set_error(map->ctx, -ERANGE, "%s: is empty, write to it first",
				 map->path);
	if (map->offset >= size)
		return set_error(map->ctx, -ERANGE,
				 "%s: has %" PRIu64 " bytes, offset %" PRIu64 " is beyond its end",
				 map->path, size, map->offset);
	if (map->length > size - map->offset)
		return set_error(map->ctx, -ERANGE,
				 "%s: has %" PRIu64 " bytes, %" PRIu64
				 " from offset %" PRIu64 " on are more",
				 map->path, size, map->length, map->offset);
	if (!map->length)
		map->length = size - map->offset;
	return 0;
}

static int do_map(struct iopmem_map *map, int fd)
{
	const int prot = map->read_only ? PROT_READ : PROT_READ | PROT_WRITE;
	const uint64_t mask = map->target.align - 1;
	char *base;

	map->base_offset = map->offset & ~mask;
	map->base_length = ((map->offset + map->length + mask) & ~mask) -
		map->base_offset;
	base = mmap(NULL, map->base_length, prot, MAP_SHARED, fd,
		    map->base_offset);
	if (base == MAP_FAILED)
		return set_error(map->ctx, -errno, "%s: mmap: %s", map->path,
				 strerror(errno));
	map->base = base;
	return 0;
}

/* Unlike an access to the pages, this returns an error and raises no signal. */
static int populate(struct iopmem_map *map)
{
	const int how = map->read_only ? MADV_POPULATE_READ : MADV_POPULATE_WRITE;

	if (!madvise(map->base, map->base_length, how))
		return 0;
	return set_error(map->ctx, -errno,
			 "%s: its pages cannot be mapped: %s: is there space left, and is it being truncated or unbound?",
			 map->path, strerror(errno));
}

static int file_pieces(struct iopmem_map *map, int fd, struct pieces *p)
{
	union {
		struct fiemap head;
		char bytes[sizeof(struct fiemap) +
			   EXTENTS * sizeof(struct fiemap_extent)];
	} buf;
	const char *why;
	int rc;

	while (p->at < p->end) {
		memset(&buf, 0, sizeof(buf));
		buf.head.fm_start = p->at;
		buf.head.fm_length = p->end - p->at;
		buf.head.fm_flags = FIEMAP_FLAG_SYNC;
		buf.head.fm_extent_count = EXTENTS;
		if (ioctl(fd, FS_IOC_FIEMAP, &buf))
			return set_error(map->ctx, -errno,
					 "%s: its file system does not tell its extents: %s",
					 map->path, strerror(errno));
		rc = parse_fiemap(&buf, sizeof(buf), p, &why);
		if (rc == -EOPNOTSUPP)
			return set_error(map->ctx, rc, "%s: at offset %" PRIu64 " it %s",
					 map->path, p->at, why);
		if (rc == -ENOMEM)
			return set_error(map->ctx, rc, "out of memory");
		if (rc)
			return set_error(map->ctx, rc,
					 "%s: FIEMAP gives what makes no sense, report it",
					 map->path);
	}
	return 0;
}

static int devdax_pieces(struct iopmem_map *map, struct pieces *p)
{
	p->list = malloc(sizeof(*p->list));
	if (!p->list)
		return set_error(map->ctx, -ENOMEM, "out of memory");
	p->list[0] = (struct piece){ map->offset, map->offset, map->length };
	p->n = 1;
	return 0;
}

/* Turn places on the device into addresses. */
static int resolve(struct iopmem_map *map, const struct pieces *p)
{
	const struct target *t = &map->target;
	const struct resource *bar = &t->bar->res;
	uint64_t bus;
	size_t i;
	int rc = iopmem_bar_get_bus_address(t->bar, &bus);

	if (rc)
		return rc;
	map->extents = calloc(p->n, sizeof(*map->extents));
	if (!map->extents)
		return set_error(map->ctx, -ENOMEM, "out of memory");
	for (i = 0; i < p->n; i++) {
		const struct piece *piece = &p->list[i];
		uint64_t resource = t->resource + piece->physical;

		if (piece->physical > t->size ||
		    piece->length > t->size - piece->physical ||
		    resource < bar->start || resource > bar->end ||
		    piece->length - 1 > bar->end - resource)
			return set_error(map->ctx, -EINVAL,
					 "%s: at offset %" PRIu64 " it is not within %s, report it",
					 map->path, piece->logical, t->device);
		map->extents[i] = (struct iopmem_extent){
			.map = map,
			.offset = piece->logical,
			.length = piece->length,
			.resource = resource,
			.bus_address = bus + (resource - bar->start),
		};
	}
	map->num_extents = p->n;
	return 0;
}

static int check_page(struct iopmem_map *map, const void *entries, size_t len,
		      size_t index, uint64_t offset, uint64_t want)
{
	uint64_t address;
	int rc = parse_pagemap(entries, len, index, sysconf(_SC_PAGESIZE),
			       &address);

	if (rc == -EPERM)
		return set_error(map->ctx, rc,
				 "%s: physical addresses need root, with CAP_SYS_ADMIN",
				 map->path);
	if (rc == -ENXIO)
		return set_error(map->ctx, -EAGAIN,
				 "%s: its page at offset %" PRIu64
				 " has gone, is it being moved? Try again",
				 map->path, offset);
	if (rc)
		return set_error(map->ctx, rc,
				 PAGEMAP " gives what makes no sense, report it");
	if (address != want)
		return set_error(map->ctx, -EAGAIN,
				 "%s: its page at offset %" PRIu64
				 " is at 0x%" PRIx64
				 " and its extent says 0x%" PRIx64
				 ": has it been moved? Try again",
				 map->path, offset, address, want);
	return 0;
}

/* Compare every page of the extent with the page table. */
static int check_extent(struct iopmem_map *map, int fd,
			const struct iopmem_extent *e)
{
	const uint64_t page = sysconf(_SC_PAGESIZE);
	uint64_t entries[ENTRIES];
	uint64_t at = e->offset & ~(page - 1);
	uint64_t want = e->resource - (e->offset - at);
	uint64_t end = e->offset + e->length;
	size_t i, n;

	while (at < end) {
		uint64_t first = (uintptr_t)(map->base + (at - map->base_offset));
		ssize_t got;
		int rc;

		n = (end - at + page - 1) / page;
		if (n > ENTRIES)
			n = ENTRIES;
		got = pread(fd, entries, n * sizeof(*entries),
			    first / page * sizeof(*entries));
		if (got < 0)
			return set_error(map->ctx, -errno, PAGEMAP ": %s",
					 strerror(errno));
		for (i = 0; i < n; i++, at += page, want += page) {
			rc = check_page(map, entries, got, i, at, want);
			if (rc)
				return rc;
		}
	}
	return 0;
}

static int check_extents(struct iopmem_map *map)
{
	int fd = open(PAGEMAP, O_RDONLY | O_CLOEXEC), rc = 0;
	size_t i;

	if (fd < 0)
		return set_error(map->ctx, -errno, PAGEMAP ": %s", strerror(errno));
	for (i = 0; i < map->num_extents && !rc; i++)
		rc = check_extent(map, fd, &map->extents[i]);
	close(fd);
	return rc;
}

static int find_extents(struct iopmem_map *map, int fd)
{
	struct pieces p = {
		.at = map->offset,
		.end = map->offset + map->length,
	};
	int rc;

	rc = map->target.devdax ? devdax_pieces(map, &p) :
		file_pieces(map, fd, &p);
	if (!rc)
		rc = resolve(map, &p);
	free(p.list);
	return rc;
}

/*
 * Populate for writing before FIEMAP, since it allocates blocks. Populate for
 * reading after FIEMAP, which refuses holes: a read fault in a hole would take
 * memory.
 */
static int fill(struct iopmem_map *map, unsigned int flags)
{
	struct statx st;
	int fd, rc;

	fd = open_checked(map, flags, &st);
	if (fd < 0)
		return fd;
	rc = check_dax(map, &st);
	if (!rc)
		rc = check_realtime(map, fd);
	if (!rc)
		rc = check_range(map, map->target.devdax ? map->target.size :
				 st.stx_size);
	if (!rc)
		rc = do_map(map, fd);
	if (!rc && !map->read_only)
		rc = populate(map);
	if (!rc)
		rc = find_extents(map, fd);
	if (!rc && map->read_only)
		rc = populate(map);
	if (!rc)
		rc = check_extents(map);
	close(fd);
	return rc;
}

EXPORT int iopmem_map_new(struct iopmem_ctx *ctx, const char *path,
			  uint64_t offset, uint64_t length, unsigned int flags,
			  struct iopmem_map **result)
{
	struct iopmem_map *map;
	int rc;

	if (flags & ~IOPMEM_MAP_READ_ONLY)
		return set_error(ctx, -EINVAL,
				 "%s: flags 0x%x are unknown, use IOPMEM_MAP_READ_ONLY",
				 path, flags & ~IOPMEM_MAP_READ_ONLY);
	map = calloc(1, sizeof(*map));
	if (!map)
		return set_error(ctx, -ENOMEM, "out of memory");
	map->ctx = context_get(ctx);
	map->offset = offset;
	map->length = length;
	map->read_only = flags & IOPMEM_MAP_READ_ONLY;
	map->path = strdup(path);
	rc = map->path ? fill(map, flags) : set_error(ctx, -ENOMEM, "out of memory");
	if (rc) {
		iopmem_map_free(map);
		return rc;
	}
	*result = map;
	return 0;
}

EXPORT void iopmem_map_free(struct iopmem_map *map)
{
	if (!map)
		return;
	if (map->base)
		munmap(map->base, map->base_length);
	context_put(map->ctx);
	free(map->extents);
	free(map->path);
	free(map);
}

EXPORT void *iopmem_map_get_address(struct iopmem_map *map)
{
	return map->base + (map->offset - map->base_offset);
}

EXPORT uint64_t iopmem_map_get_length(struct iopmem_map *map)
{
	return map->length;
}

EXPORT const char *iopmem_map_get_device(struct iopmem_map *map)
{
	return map->target.device;
}

EXPORT bool iopmem_map_is_devdax(struct iopmem_map *map)
{
	return map->target.devdax;
}

/* A read may not pass the posted writes before it, so it waits for them. */
EXPORT int iopmem_map_sync(struct iopmem_map *map)
{
	if (map->target.devdax) {
		__sync_synchronize();
		/* atomic, so that the compiler does not remove it */
		(void)__atomic_load_n((char *)iopmem_map_get_address(map),
				      __ATOMIC_SEQ_CST);
		return 0;
	}
	if (msync(map->base, map->base_length, MS_SYNC))
		return set_error(map->ctx, -errno,
				 "%s: msync: %s: has the function been reset, or is it gone?",
				 map->path, strerror(errno));
	return 0;
}

EXPORT struct iopmem_extent *iopmem_extent_get_first(struct iopmem_map *map)
{
	return map->extents;
}

EXPORT struct iopmem_extent *iopmem_extent_get_next(struct iopmem_extent *e)
{
	struct iopmem_map *map = e->map;

	return ++e < map->extents + map->num_extents ? e : NULL;
}

EXPORT uint64_t iopmem_extent_get_offset(struct iopmem_extent *e)
{
	return e->offset;
}

EXPORT uint64_t iopmem_extent_get_length(struct iopmem_extent *e)
{
	return e->length;
}

EXPORT uint64_t iopmem_extent_get_resource(struct iopmem_extent *e)
{
	return e->resource;
}

EXPORT uint64_t iopmem_extent_get_bus_address(struct iopmem_extent *e)
{
	return e->bus_address;
}

EXPORT struct iopmem_bar *iopmem_extent_get_bar(struct iopmem_extent *e)
{
	return e->map->target.bar;
}

uint64_t iopmem_extent_get_bar_offset(struct iopmem_extent *e)
{
	return e->resource - e->map->target.bar->res.start;
}
