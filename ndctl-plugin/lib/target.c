// SPDX-License-Identifier: LGPL-2.1-or-later
/* On which BAR a file's device is, and where in it */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ndctl/libndctl.h>

#include "private.h"

#define SECTOR	512

/* DIR/ATTR, read by @number. */
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
		return failed(ctx, n, "%s: physical addresses need root", path);
	if (n < 0)
		return failed(ctx, n, "%s: %s: %s", path, name, strerror(-n));
	t = (struct text){ buf, buf + n };
	if (number(&t, value) || !text_is_empty(&t))
		return failed(ctx, -EINVAL,
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

/* Does the block device lie on others? */
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

/* tmpfs, overlayfs, btrfs, network file systems */
static int no_device(struct iopmem_ctx *ctx, const char *path, uint64_t mount)
{
	static const char unknown[] = "a file system";
	struct text type = { unknown, unknown + strlen(unknown) }, t, line;
	char *buf = NULL;
	struct mount m;
	size_t len = 0;

	sysfs_read_all("/proc/self/mountinfo", &buf, &len);
	t = (struct text){ buf, buf + len };
	while (text_line(&t, &line))
		if (!parse_mount(line.at, line.end - line.at, &m) &&
		    m.id == mount)
			type = m.type;
	failed(ctx, -ENXIO,
	       "%s: is on %.*s, which is not on one block device: use ext4 or xfs on an fsdax namespace",
	       path, (int)(type.end - type.at), type.at);
	free(buf);
	return -ENXIO;
}

/* The folder in sysfs of the node or of what the file system is on */
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
		return failed(ctx, -ENXIO, "%s: its device has no %s, is sysfs mounted?",
			      path, link);
	return 0;
}

int target_find(struct iopmem_ctx *ctx, const char *path,
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
			return failed(ctx, -ENXIO,
				      "%s: is on %s, a stacked device that does not tell where its blocks are: use a file system on the namespace itself",
				      path, name);
		return failed(ctx, -ENXIO,
			      "%s: is on %s, not on iopmem: 'ndctl-iopmem list' shows what is",
			      path, name);
	}
	if (nd.is_btt)
		return failed(ctx, -ENXIO,
			      "%s: is on %s, a sector namespace, whose blocks move: use one in fsdax mode",
			      path, name);
	rc = iopmem_get_skipped(ctx);
	if (rc < 0)
		return rc;
	t->bar = bar_of_region(ctx, nd.region, nd.region_len);
	if (!t->bar)
		return failed(ctx, -ENXIO,
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
			rc = failed(ctx, -EINVAL, "%s: alignment %llu, report it",
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
