/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * With FAIL_NTH=N in the environment, the kernel's Nth allocation for this thread
 * between fail_begin() and fail_end() fails. Prints "point taken", or "no point"
 * if there were fewer allocations.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int fail_fd = -1;

static void fail_begin(void)
{
	const char *nth = getenv("FAIL_NTH");

	if (!nth)
		return;
	fail_fd = open("/proc/thread-self/fail-nth", O_RDWR);
	if (fail_fd < 0)
		err(2, "/proc/thread-self/fail-nth");
	fflush(stdout);
	if (dprintf(fail_fd, "%s", nth) < 0)
		err(2, "fail-nth %s", nth);
}

static void fail_end(void)
{
	int error = errno;
	char left[16];
	ssize_t n;

	if (fail_fd < 0)
		return;
	n = pread(fail_fd, left, sizeof(left) - 1, 0);
	if (n <= 0 || pwrite(fail_fd, "0", 1, 0) != 1)
		err(2, "fail-nth");
	left[n] = 0;
	puts(strtoul(left, NULL, 10) ? "no point" : "point taken");
	errno = error;
}
