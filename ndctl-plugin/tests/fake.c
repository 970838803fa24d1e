// SPDX-License-Identifier: GPL-2.0-only
/*
 * For LD_PRELOAD: what a kernel with DAX says about a file that is none. FAKE
 * has, separated by spaces:
 *
 *	file=MAJOR:MINOR or char=MAJOR:MINOR	on it, or it
 *	size=BYTES, nodax
 *	ext=LOGICAL,PHYSICAL,LENGTH,FLAGS	an extent that FIEMAP gives
 *	at=ADDRESS	of the device's first byte, 0 where addresses are hidden
 *	gone=OFFSET	no page there
 *	populate=ERRNO	what populating fails with
 *	nofiemap, badfiemap, realtime, encrypted
 *
 * Numbers as in C. FIEMAP is given two extents at a time. What is mapped is the
 * file; only pagemap is another.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <linux/fiemap.h>
#include <linux/fs.h>

#define PAGE		4096
#define A_TIME		2	/* extents */

static char *mapped;
static off_t mapped_offset;

/* What follows "KEY=" for the nth time, or NULL */
static const char *value(const char *key, int n)
{
	const char *at = getenv("FAKE");
	size_t len = strlen(key);

	while (at && *at) {
		if (!strncmp(at, key, len) && !n--)
			return at + len;
		at = strchr(at, ' ');
		if (at)
			at++;
	}
	return NULL;
}

static uint64_t number(const char *key)
{
	const char *v = value(key, 0);

	return v ? strtoull(v, NULL, 0) : 0;
}

static int extent(int n, struct fiemap_extent *e)
{
	const char *v = value("ext=", n);
	uint64_t field[4];
	char *end;
	int i;

	if (!v)
		return 0;
	for (i = 0; i < 4; i++, v = end + 1)
		field[i] = strtoull(v, &end, 0);
	*e = (struct fiemap_extent){
		.fe_logical = field[0],
		.fe_physical = field[1],
		.fe_length = field[2],
		.fe_flags = field[3],
	};
	return 1;
}

int statx(int fd, const char *restrict path, int flags, unsigned int mask,
	  struct statx *restrict st)
{
	typeof(statx) *real = dlsym(RTLD_NEXT, "statx");
	int rc = real(fd, path, flags, mask, st);
	const char *dev = value("file=", 0), *node = value("char=", 0);
	unsigned int major, minor;

	if (rc || !(dev || node))
		return rc;
	if (sscanf(dev ? dev : node, "%u:%u", &major, &minor) != 2)
		abort();
	st->stx_size = number("size=");
	if (!value("nodax", 0))
		st->stx_attributes |= STATX_ATTR_DAX;
	if (value("encrypted", 0))
		st->stx_attributes |= STATX_ATTR_ENCRYPTED;
	if (dev) {
		st->stx_dev_major = major;
		st->stx_dev_minor = minor;
	} else {
		st->stx_mode = S_IFCHR | 0600;
		st->stx_rdev_major = major;
		st->stx_rdev_minor = minor;
	}
	return 0;
}

static int fiemap(struct fiemap *f)
{
	struct fiemap_extent e;
	int n;

	if (value("nofiemap", 0)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (value("badfiemap", 0)) {
		f->fm_mapped_extents = f->fm_extent_count + 1;
		return 0;
	}
	for (n = 0; extent(n, &e) && f->fm_mapped_extents < A_TIME; n++)
		if (e.fe_logical + e.fe_length > f->fm_start &&
		    e.fe_logical < f->fm_start + f->fm_length)
			f->fm_extents[f->fm_mapped_extents++] = e;
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	typeof(ioctl) *real = dlsym(RTLD_NEXT, "ioctl");
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (request == FS_IOC_FIEMAP)
		return fiemap(arg);
	if (request == FS_IOC_FSGETXATTR && value("realtime", 0)) {
		*(struct fsxattr *)arg =
			(struct fsxattr){ .fsx_xflags = FS_XFLAG_REALTIME };
		return 0;
	}
	return real(fd, request, arg);
}

void *mmap(void *addr, size_t length, int prot, int flags, int fd,
	   off_t offset)
{
	typeof(mmap) *real = dlsym(RTLD_NEXT, "mmap");
	void *p = real(addr, length, prot, flags, fd, offset);

	if (flags & MAP_SHARED && fd >= 0) {
		mapped = p;
		mapped_offset = offset;
	}
	return p;
}

int madvise(void *addr, size_t length, int advice)
{
	typeof(madvise) *real = dlsym(RTLD_NEXT, "madvise");

	if (advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE) {
		errno = number("populate=");
		return errno ? -1 : 0;
	}
	return real(addr, length, advice);
}

static uint64_t entry(uint64_t offset)
{
	struct fiemap_extent e;
	uint64_t physical = offset, at = number("at=");
	int n;

	if (value("gone=", 0) && offset == number("gone="))
		return 0;
	for (n = 0; extent(n, &e); n++)
		if (offset >= e.fe_logical &&
		    offset < e.fe_logical + e.fe_length)
			physical = e.fe_physical + (offset - e.fe_logical);
	return 1ull << 63 | (at ? (at + physical) / PAGE : 0);
}

/* Only pagemap is read so. */
ssize_t pread(int fd, void *buf, size_t count, off_t offset)
{
	uint64_t *entries = buf;
	size_t i;

	(void)fd;
	for (i = 0; i < count / sizeof(*entries); i++) {
		uint64_t at = (offset / sizeof(*entries) + i) * PAGE;

		entries[i] = entry(at - (uintptr_t)mapped + mapped_offset);
	}
	return count;
}
