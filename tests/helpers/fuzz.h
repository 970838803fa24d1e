/* SPDX-License-Identifier: GPL-2.0-only */
/* For the programs that feed the kernel with random input */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "labelarea.h"

/* splitmix64. A seed gives the same numbers on any machine. */
static uint64_t rng;

static inline uint64_t rnd(void)
{
	uint64_t z = rng += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Begin the numbers of run @n of a seed. So a run can be repeated alone. */
static inline void rnd_seed(uint64_t seed, uint64_t n)
{
	rng = seed;
	rng = rnd() + n;
	rnd();
}

static inline uint64_t below(uint64_t n)
{
	return rnd() % n;
}

static inline bool one_in(unsigned int n)
{
	return !below(n);
}

static inline void rnd_fill(void *p, size_t n)
{
	unsigned char *c = p;

	while (n--)
		*c++ = rnd();
}

/* a number that code tends to forget */
static inline uint64_t odd_value(uint64_t old)
{
	switch (below(10)) {
	case 0:
		return 0;
	case 1:
		return below(4);
	case 2:
		return ~0ULL - below(3);
	case 3:
		return 1ULL << below(64);
	case 4:
		return (1ULL << below(64)) - 1;
	case 5:
		return old + 1 - below(3);
	case 6:
		return old << below(8);
	case 7:
		return old + (1ULL << below(32));
	case 8:
		return below(1 << 16) << 12;
	default:
		return rnd();
	}
}

/* Write to a file in sysfs. Returns 0 or an errno. */
__attribute__((format(printf, 2, 3)))
static inline int sysfs_write(const char *value, const char *path, ...)
{
	char name[4096];
	va_list ap;
	int fd, rc = 0;

	va_start(ap, path);
	vsnprintf(name, sizeof(name), path, ap);
	va_end(ap);
	fd = open(name, O_WRONLY);
	if (fd < 0)
		return errno;
	if (write(fd, value, strlen(value)) < 0)
		rc = errno;
	close(fd);
	return rc;
}

/* This changes with the kernel's first WARNING, and with an oops. */
static inline uint64_t taint(void)
{
	static int fd = -1;
	char text[32] = "";

	if (fd < 0)
		fd = open("/proc/sys/kernel/tainted", O_RDONLY);
	if (pread(fd, text, sizeof(text) - 1, 0) < 1)
		err(1, "/proc/sys/kernel/tainted");
	return strtoull(text, NULL, 10);
}

static inline double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* End, and say what is wrong, and at which run it was found. */
__attribute__((format(printf, 3, 4), noreturn))
static inline void found_bad(const char *unit, uint64_t n, const char *what,
			     ...)
{
	va_list ap;

	printf("%s %" PRIu64 ": ", unit, n);
	va_start(ap, what);
	vprintf(what, ap);
	va_end(ap);
	puts("");
	fflush(stdout);
	_exit(1);
}
