// SPDX-License-Identifier: GPL-2.0-only
/*
 * For LD_PRELOAD: let a card ignore a drive's DMA, as if a chipset dropped DMA between
 * devices.
 *
 * During each pread() into a shared mapping, and each pwrite() from one, the
 * function's Memory Space Enable bit is clear. Then nothing on the bus takes the
 * drive's writes or answers its reads. The drive does not notice, and the kernel
 * reports success. The CPU reaches the card before and afterwards.
 *
 *	NOMEM=FUNCTION		the function's folder in sysfs
 *	NOMEM_WAYS=read|write	only pread(), or only pwrite()
 *
 * A line "nomem: ..." on stderr tells what the system call has returned.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define COMMAND		4	/* the register's offset */
#define MEMORY		2	/* Memory Space Enable */

static char *mapped;
static size_t mapped_length;

static void set_memory(int on)
{
	const char *folder = getenv("NOMEM");
	uint16_t command, now;
	char path[256];
	int fd;

	if (!folder)
		errx(99, "nomem: NOMEM is not set");
	snprintf(path, sizeof(path), "%s/config", folder);
	fd = open(path, O_RDWR);
	if (fd < 0 || lseek(fd, COMMAND, SEEK_SET) < 0 ||
	    read(fd, &command, sizeof(command)) != sizeof(command))
		err(99, "nomem: %s", path);
	command = on ? command | MEMORY : command & ~MEMORY;
	if (lseek(fd, COMMAND, SEEK_SET) < 0 ||
	    write(fd, &command, sizeof(command)) != sizeof(command) ||
	    lseek(fd, COMMAND, SEEK_SET) < 0 ||
	    read(fd, &now, sizeof(now)) != sizeof(now) || now != command)
		err(99, "nomem: %s: the bit cannot be set", path);
	close(fd);
}

static int applies(const void *buf, const char *way)
{
	const char *ways = getenv("NOMEM_WAYS");

	return mapped && (const char *)buf >= mapped &&
		(const char *)buf < mapped + mapped_length &&
		(!ways || !strcmp(ways, way));
}

void *mmap(void *addr, size_t length, int prot, int flags, int fd,
	   off_t offset)
{
	typeof(mmap) *real = dlsym(RTLD_NEXT, "mmap64");
	void *p = real(addr, length, prot, flags, fd, offset);

	if (p != MAP_FAILED && flags & MAP_SHARED && fd >= 0) {
		mapped = p;
		mapped_length = length;
	}
	return p;
}

ssize_t pread(int fd, void *buf, size_t size, off_t offset)
{
	typeof(pread) *real = dlsym(RTLD_NEXT, "pread64");
	ssize_t n;

	if (!applies(buf, "read"))
		return real(fd, buf, size, offset);
	set_memory(0);
	n = real(fd, buf, size, offset);
	set_memory(1);
	fprintf(stderr, "nomem: pread of %zu returned %zd\n", size, n);
	return n;
}

ssize_t pwrite(int fd, const void *buf, size_t size, off_t offset)
{
	typeof(pwrite) *real = dlsym(RTLD_NEXT, "pwrite64");
	ssize_t n;

	if (!applies(buf, "write"))
		return real(fd, buf, size, offset);
	set_memory(0);
	n = real(fd, buf, size, offset);
	set_memory(1);
	fprintf(stderr, "nomem: pwrite of %zu returned %zd\n", size, n);
	return n;
}
