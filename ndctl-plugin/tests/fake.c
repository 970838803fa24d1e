// SPDX-License-Identifier: GPL-2.0-only
/*
 * A library for LD_PRELOAD that answers for the kernel. in-tree preloads it for
 * all that runs in a tree.
 *
 * FAKE_PROC is a folder. Its files replace those files of /proc that describe
 * the machine. A file that is missing there is missing in /proc. If FAKE_PROC
 * is set, the library waits twenty times as long, so that a busy host does not
 * make tests fail.
 *
 * FAKE makes an ordinary file look like a DAX file or a device, as a kernel
 * with DAX would show it. It has these words, separated by spaces:
 *
 *	file=MAJOR:MINOR	the file is on this block device
 *	char=MAJOR:MINOR	the file is this character device
 *	size=BYTES, nodax	its size; it is not DAX
 *	ext=LOGICAL,PHYSICAL,LENGTH,FLAGS	an extent that FIEMAP returns
 *	at=ADDRESS	of the device's first byte; 0: addresses are hidden
 *	gone=OFFSET	there is no page at this offset
 *	populate=ERRNO	populating fails with this error
 *	nofiemap, badfiemap, realtime, encrypted
 *	block=MAJOR:MINOR,PATH	the path is this block device
 *	isblock	the file that is opened is a block device
 *	claimed=PATH	the kernel has claimed the block device
 *	hurry	the library waits no longer than usual
 *	nofork	no process can be started
 *	procless	/proc shows no process; a sanitizer still has the real one
 *	drive=MAJOR:MINOR,PATH	the path is this block device, with O_DIRECT
 *	sector=BYTES	the drive's logical block size, if not 512
 *
 * These words are about transfers between that drive and the mapped file:
 *
 *	arrives=BYTES	only these arrive of each transfer, but all are reported
 *	wrong=OFFSET	the byte at this offset of each transfer is wrong
 *	refused=ERRNO	each transfer fails with this error
 *	short=BYTES	a call transfers no more than this
 *	onlyread, onlywrite	only transfers from, or to, the drive are faulty
 *	changing=TIMES	so many reads of the drive into RAM return changed data
 *	forgets	msync clears what was stored in the mapping
 *	nosync=ERRNO	msync fails with this error
 *	noflush=ERRNO	fdatasync fails with this error
 *	vanishes	msync raises SIGBUS, as if the mapped memory had gone
 *	interrupts	SIGINT comes during a transfer
 *
 * Numbers are as in C. FIEMAP returns two extents at a time. The mapping is
 * really one of the file, and only pagemap is made up. If FAKE is set, random
 * bytes are the same each time.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <linux/fiemap.h>
#include <linux/fs.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define PAGE		4096
#define A_TIME		2	/* extents per call of FIEMAP */
#define PATIENCE	20	/* times the library's own */
#define WRONG	0x5a	/* neither the right byte nor its complement results */

/* Files of /proc about the machine, but none that the C library reads itself */
static const char *const of_machine[] = {
	"/proc/cmdline", "/proc/config.gz", "/proc/cpuinfo", "/proc/modules",
	"/proc/mtrr", "/proc/swaps",
};

static char *mapped;
static size_t mapped_length;
static off_t mapped_offset;

/* What follows the nth @key, for instance "ext=", or NULL */
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

	if (!rc && value("isblock", 0))
		st->stx_mode = S_IFBLK | 0600;
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
	if (request == BLKSSZGET && value("drive=", 0)) {
		*(int *)arg = value("sector=", 0) ? number("sector=") : 512;
		return 0;
	}
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
		mapped_length = length;
		mapped_offset = offset;
	}
	return p;
}

int madvise(void *addr, size_t length, int advice)
{
	typeof(madvise) *real = dlsym(RTLD_NEXT, "madvise");

	if (getenv("FAKE") && (advice == MADV_POPULATE_READ ||
			       advice == MADV_POPULATE_WRITE)) {
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

static bool is_pagemap(int fd)
{
	char path[64], target[64];
	const char *name;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = 0;
	name = strrchr(target, '/');
	return name && !strcmp(name, "/pagemap");
}

static bool is_mapped(const void *buf)
{
	return mapped && (const char *)buf >= mapped &&
		(const char *)buf < mapped + mapped_length;
}

static size_t least(size_t count, const char *key)
{
	return value(key, 0) && count > number(key) ? number(key) : count;
}

/* A transfer between the drive and @card, which is mapped */
static ssize_t dma(bool to_drive, int fd, void *card, size_t count, off_t offset)
{
	typeof(pread) *get = dlsym(RTLD_NEXT, "pread64");
	typeof(pwrite) *put = dlsym(RTLD_NEXT, "pwrite64");
	bool faulty = !value(to_drive ? "onlyread" : "onlywrite", 0);
	size_t arrives;
	char *data;
	ssize_t n;

	if (value("interrupts", 0))
		raise(SIGINT);
	if (faulty && value("refused=", 0)) {
		errno = number("refused=");
		return -1;
	}
	count = least(count, "short=");
	arrives = faulty ? least(count, "arrives=") : count;
	data = malloc(count);
	if (!data)
		abort();
	if (to_drive)
		memcpy(data, card, count);
	else if (get(fd, data, count, offset) != (ssize_t)count)
		abort();
	if (faulty && value("wrong=", 0) && number("wrong=") < count)
		data[number("wrong=")] ^= WRONG;
	if (!to_drive)
		memcpy(card, data, arrives);
	n = to_drive ? put(fd, data, arrives, offset) : (ssize_t)arrives;
	free(data);
	return n < 0 ? n : (ssize_t)count;
}

ssize_t pread(int fd, void *buf, size_t count, off_t offset)
{
	typeof(pread) *real = dlsym(RTLD_NEXT, "pread64");
	static unsigned int changes;
	uint64_t *entries = buf;
	ssize_t n;
	size_t i;

	if (getenv("FAKE") && is_mapped(buf))
		return dma(false, fd, buf, count, offset);
	if (!getenv("FAKE") || !is_pagemap(fd)) {
		n = real(fd, buf, count, offset);
		if (n > 0 && changes < number("changing="))
			*(char *)buf ^= ++changes % 255 + 1;
		return n;
	}
	for (i = 0; i < count / sizeof(*entries); i++) {
		uint64_t at = (offset / sizeof(*entries) + i) * PAGE;

		entries[i] = entry(at - (uintptr_t)mapped + mapped_offset);
	}
	return count;
}

ssize_t pwrite(int fd, const void *buf, size_t count, off_t offset)
{
	typeof(pwrite) *real = dlsym(RTLD_NEXT, "pwrite64");

	if (getenv("FAKE") && is_mapped(buf))
		return dma(true, fd, (void *)buf, count, offset);
	return real(fd, buf, count, offset);
}

/* With FAKE, random bytes are the same each time. */
ssize_t getrandom(void *buf, size_t size, unsigned int flags)
{
	typeof(getrandom) *real = dlsym(RTLD_NEXT, "getrandom");
	static uint32_t state = 1;
	unsigned char *p = buf;
	size_t i;

	if (!getenv("FAKE"))
		return real(buf, size, flags);
	for (i = 0; i < size; i++) {
		state = state * 1664525 + 1013904223;
		p[i] = state >> 24;
	}
	return size;
}

int msync(void *addr, size_t length, int flags)
{
	typeof(msync) *real = dlsym(RTLD_NEXT, "msync");

	if (value("nosync=", 0)) {
		errno = number("nosync=");
		return -1;
	}
	if (value("vanishes", 0))
		raise(SIGBUS);
	if (value("forgets", 0))
		memset(addr, 0, length);
	return real(addr, length, flags);
}

int fdatasync(int fd)
{
	typeof(fdatasync) *real = dlsym(RTLD_NEXT, "fdatasync");

	if (value("noflush=", 0)) {
		errno = number("noflush=");
		return -1;
	}
	return real(fd);
}

/* The path of the real file */
static const char *redirect(const char *path, char buf[PATH_MAX])
{
	const char *folder = getenv("FAKE_PROC");
	size_t i;

	for (i = 0; folder && i < ARRAY_SIZE(of_machine); i++)
		if (!strcmp(path, of_machine[i])) {
			snprintf(buf, PATH_MAX, "%s/%s", folder,
				 path + strlen("/proc/"));
			return buf;
		}
	return path;
}

/* Is @path the path at @v, which ends at a blank or at the end? */
static bool is_path(const char *path, const char *v)
{
	size_t len = strlen(path);

	return v && !strncmp(v, path, len) && (!v[len] || v[len] == ' ');
}

typedef int (*open_fn)(const char *path, int flags, ...);
typedef FILE *(*fopen_fn)(const char *path, const char *mode);

static int do_open(const char *name, const char *path, int flags, mode_t mode)
{
	open_fn real = (open_fn)dlsym(RTLD_NEXT, name);
	char buf[PATH_MAX];
	const char *drive = value("drive=", 0);

	/* tmpfs may have no O_DIRECT */
	if (drive && is_path(path, strchr(drive, ',') + 1))
		flags &= ~O_DIRECT;
	if (flags & O_EXCL && !(flags & O_CREAT) &&
	    is_path(path, value("claimed=", 0))) {
		errno = EBUSY;
		return -1;
	}
	return real(redirect(path, buf), flags, mode);
}

static FILE *do_fopen(const char *name, const char *path, const char *mode)
{
	fopen_fn real = (fopen_fn)dlsym(RTLD_NEXT, name);
	char buf[PATH_MAX];

	return real(redirect(path, buf), mode);
}

static mode_t mode_in(int flags, va_list args)
{
	return flags & (O_CREAT | __O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

/*
 * Programs and libraries call either name. In C with 64-bit file offsets both
 * are one name.
 */
int open_64(const char *path, int flags, ...) __asm__("open64");
int open_plain(const char *path, int flags, ...) __asm__("open");
FILE *fopen_64(const char *path, const char *mode) __asm__("fopen64");
FILE *fopen_plain(const char *path, const char *mode) __asm__("fopen");

int open_64(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = mode_in(flags, args);
	va_end(args);
	return do_open("open64", path, flags, mode);
}

int open_plain(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = mode_in(flags, args);
	va_end(args);
	return do_open("open", path, flags, mode);
}

FILE *fopen_64(const char *path, const char *mode)
{
	return do_fopen("fopen64", path, mode);
}

FILE *fopen_plain(const char *path, const char *mode)
{
	return do_fopen("fopen", path, mode);
}

DIR *opendir(const char *path)
{
	typeof(opendir) *real = dlsym(RTLD_NEXT, "opendir");

	return real(value("procless", 0) && !strcmp(path, "/proc") ? "/sys" : path);
}

int stat(const char *restrict path, struct stat *restrict st)
{
	typeof(stat) *real = dlsym(RTLD_NEXT, "stat64");
	const char *v = value("block=", 0) ?: value("drive=", 0);
	unsigned int major, minor;
	int at;

	if (!v || sscanf(v, "%u:%u,%n", &major, &minor, &at) != 2 ||
	    !is_path(path, v + at))
		return real(path, st);
	memset(st, 0, sizeof(*st));
	st->st_mode = S_IFBLK | 0600;
	st->st_rdev = makedev(major, minor);
	return 0;
}

int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *most,
	  const sigset_t *mask)
{
	typeof(ppoll) *real = dlsym(RTLD_NEXT, "ppoll");
	struct timespec longer = *most;

	if (getenv("FAKE_PROC") && !value("hurry", 0))
		longer.tv_sec *= PATIENCE;
	return real(fds, n, &longer, mask);
}

static void check_fork(void)
{
	if (!value("nofork", 0))
		return;
	fputs("fake: a process is started\n", stderr);
	_exit(1);
}

pid_t fork(void)
{
	typeof(fork) *real = dlsym(RTLD_NEXT, "fork");

	check_fork();
	return real();
}

int posix_spawn(pid_t *restrict pid, const char *restrict path,
		const posix_spawn_file_actions_t *restrict actions,
		const posix_spawnattr_t *restrict attr,
		char *const argv[restrict], char *const env[restrict])
{
	typeof(posix_spawn) *real = dlsym(RTLD_NEXT, "posix_spawn");

	check_fork();
	return real(pid, path, actions, attr, argv, env);
}
