// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * dma-engine ENGINE FROM TO
 *
 * Have a bare DMA engine copy FROM to TO by their bus addresses. Both are files
 * on cards, or /dev/daxX.Y. The engine is QEMU's "edu", and ENGINE is its
 * folder in sysfs. Your engine has other registers. Its Bus Master bit must be
 * set, and no IOMMU may translate its addresses:
 *
 *	qemu-system-x86_64 ... -device edu,dma_mask=0xffffffffffffffff
 *	setpci -s 00:1a.0 COMMAND=6:6
 *	cc dma-engine.c $(pkg-config --cflags --libs libiopmem)
 *	./a.out /sys/bus/pci/devices/0000:00:1a.0 /mnt/from /mnt/to
 *
 * Nobody may truncate, punch, clone, defragment or remove the files meanwhile:
 * the kernel does not know of this DMA.
 */
#include <err.h>
#include <fcntl.h>
#include <iopmem.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define REG_FROM	0x80
#define REG_TO		0x88
#define REG_COUNT	0x90
#define REG_COMMAND	0x98
#define START		1
#define FROM_ENGINE	2

#define BUFFER		0x40000		/* the engine's address of its buffer */
#define BUFFER_SIZE	2048	/* half of it: edu refuses the last byte */

static char *registers;

static void set(unsigned int offset, uint64_t value)
{
	__atomic_store_n((uint64_t *)(registers + offset), value,
			 __ATOMIC_RELEASE);
}

static uint64_t get(unsigned int offset)
{
	return __atomic_load_n((uint64_t *)(registers + offset),
			       __ATOMIC_ACQUIRE);
}

static void dma(uint64_t from, uint64_t to, uint64_t count, uint64_t direction)
{
	set(REG_FROM, from);
	set(REG_TO, to);
	set(REG_COUNT, count);
	set(REG_COMMAND, START | direction);
	while (get(REG_COMMAND) & START)
		usleep(1000);
}

/* The bus address of a byte. Lowers @room to what is contiguous from there. */
static uint64_t bus_address(struct iopmem_map *map, uint64_t at, uint64_t *room)
{
	struct iopmem_extent *e;

	iopmem_extent_foreach(map, e) {
		uint64_t skip = at - iopmem_extent_get_offset(e);
		uint64_t length = iopmem_extent_get_length(e);

		if (at < iopmem_extent_get_offset(e) || skip >= length)
			continue;
		if (*room > length - skip)
			*room = length - skip;
		return iopmem_extent_get_bus_address(e) + skip;
	}
	errx(1, "nothing at %llu", (unsigned long long)at);
}

int main(int argc, char **argv)
{
	struct iopmem_map *from, *to;
	uint64_t at, n, length;
	struct iopmem_ctx *ctx;
	char path[4096];
	int fd;

	if (argc != 4)
		errx(2, "usage: dma-engine ENGINE FROM TO");
	snprintf(path, sizeof(path), "%s/resource0", argv[1]);
	fd = open(path, O_RDWR | O_SYNC);
	if (fd < 0)
		err(1, "%s", path);
	registers = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (registers == MAP_FAILED)
		err(1, "%s", path);

	if (iopmem_new(&ctx))
		errx(1, "out of memory");
	if (iopmem_map_new(ctx, argv[2], 0, 0, IOPMEM_MAP_READ_ONLY, &from))
		errx(1, "%s", iopmem_get_error(ctx));
	length = iopmem_map_get_length(from);
	if (iopmem_map_new(ctx, argv[3], 0, length, 0, &to))
		errx(1, "%s", iopmem_get_error(ctx));

	/* what the CPU has stored has to be there before the engine reads it */
	if (iopmem_map_sync(from) || iopmem_map_sync(to))
		errx(1, "%s", iopmem_get_error(ctx));

	for (at = 0; at < length; at += n) {
		uint64_t source, destination;

		n = length - at < BUFFER_SIZE ? length - at : BUFFER_SIZE;
		source = bus_address(from, at, &n);
		destination = bus_address(to, at, &n);
		dma(source, BUFFER, n, 0);
		dma(BUFFER, destination, n, FROM_ENGINE);
	}
	printf("%llu bytes\n", (unsigned long long)length);

	iopmem_map_free(from);
	iopmem_map_free(to);
	iopmem_unref(ctx);
	return 0;
}
