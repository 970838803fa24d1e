/* SPDX-License-Identifier: GPL-2.0-only */
/* Map a file on a DAX file system or a device DAX node, and find its addresses. */
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define DAX_ALIGN	(2UL << 20)	/* device DAX's default alignment */

/* Parse a size: "8M", "4K", "512" */
static inline uint64_t parse_size(const char *s)
{
	char *end;
	uint64_t n = strtoull(s, &end, 0);

	switch (*end) {
	case 'G':
		n <<= 10; /* fallthrough */
	case 'M':
		n <<= 10; /* fallthrough */
	case 'K':
		n <<= 10;
		end++;
	}
	if (end == s || *end)
		errx(2, "'%s' is not a size", s);
	return n;
}

/* How many times slower this machine is than an idle one, see await.sh */
static inline int pace(void)
{
	const char *s = getenv("PACE");

	return s ? atoi(s) : 1;
}

/* Cut "path@offset" at the @, and return the offset, or 0 if there is none. */
static inline uint64_t split_offset(char *arg)
{
	char *at = strrchr(arg, '@');

	if (!at)
		return 0;
	*at = '\0';
	return parse_size(at + 1);
}

/* Map from the start of the file, since device DAX maps only whole alignment units. */
static inline char *map_path(const char *path, uint64_t length, int flags,
			     size_t *mapped)
{
	struct stat st;
	char *map;
	int fd;

	fd = open(path, O_RDWR);
	if (fd < 0 || fstat(fd, &st))
		err(1, "%s", path);
	if (S_ISCHR(st.st_mode))
		length = (length + DAX_ALIGN - 1) & ~(DAX_ALIGN - 1);
	else if ((uint64_t)st.st_size < length)
		errx(1, "%s: has %jd bytes, %" PRIu64 " are needed: fallocate it",
		     path, (intmax_t)st.st_size, length);

	map = mmap(NULL, length, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (map == MAP_FAILED)
		err(1, "%s: mmap", path);
	close(fd);
	*mapped = length;
	return map;
}

/*
 * Make sure that stores have reached the device. For a file, msync(2) does that.
 * Device DAX has no such call, so order the stores and read one back.
 */
static inline void sync_mapping(const char *path, char *map, size_t mapped)
{
	struct stat st;

	if (stat(path, &st))
		err(1, "%s", path);
	if (S_ISREG(st.st_mode)) {
		if (msync(map, mapped, MS_SYNC))
			err(1, "%s: msync", path);
		return;
	}
	__sync_synchronize();
	*(volatile char *)map;
}

/* The CPU's physical address, from /proc/self/pagemap, which only root can read */
static inline uint64_t physical_address(const void *p)
{
	uint64_t page = sysconf(_SC_PAGESIZE), entry;
	static int fd = -1;

	if (fd < 0)
		fd = open("/proc/self/pagemap", O_RDONLY);
	if (fd < 0 ||
	    pread(fd, &entry, sizeof(entry),
		  (uintptr_t)p / page * sizeof(entry)) != sizeof(entry))
		err(1, "/proc/self/pagemap");
	if (!(entry >> 63))
		errx(1, "page not present");
	return (entry & ((1ULL << 55) - 1)) * page + (uintptr_t)p % page;
}

/* How many bytes from @p on are physically contiguous */
static inline uint64_t extent(const char *p, uint64_t length)
{
	uint64_t start = physical_address(p), n;

	for (n = 4096 - start % 4096; n < length; n += 4096)
		if (physical_address(p + n) != start + n)
			return n;
	return length;
}

/* Print "extent: OFFSET ADDRESS LENGTH" for each physically contiguous piece. */
static inline void print_extents(const char *p, uint64_t length)
{
	uint64_t at, n;

	for (at = 0; at < length; at += n) {
		n = extent(p + at, length - at);
		printf("extent: %" PRIu64 " 0x%" PRIx64 " %" PRIu64 "\n", at,
		       physical_address(p + at), n);
	}
}
