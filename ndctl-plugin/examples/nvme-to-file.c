// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * nvme-to-file DRIVE OFFSET FILE LENGTH
 *
 * Read from a drive into a file on a card, by the drive's own DMA: the mapping
 * of the file is the buffer of an O_DIRECT read. OFFSET and LENGTH are
 * multiples of the drive's block size.
 *
 *	cc nvme-to-file.c $(pkg-config --cflags --libs libiopmem)
 *	./a.out /dev/nvme0n1 0 /mnt/file 8388608
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <iopmem.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int create(const char *file, uint64_t length)
{
	int fd = open(file, O_RDWR | O_CREAT, 0644);

	if (fd < 0 || ftruncate(fd, length))
		return -1;
	return close(fd);
}

int main(int argc, char **argv)
{
	uint64_t offset, length, done = 0;
	struct iopmem_ctx *ctx;
	struct iopmem_map *map;
	char *buf;
	int drive;

	if (argc != 5)
		errx(2, "usage: nvme-to-file DRIVE OFFSET FILE LENGTH");
	offset = strtoull(argv[2], NULL, 0);
	length = strtoull(argv[4], NULL, 0);

	drive = open(argv[1], O_RDONLY | O_DIRECT);
	if (drive < 0)
		err(1, "%s", argv[1]);
	if (create(argv[3], length))
		err(1, "%s", argv[3]);

	if (iopmem_new(&ctx))
		errx(1, "out of memory");
	if (iopmem_map_new(ctx, argv[3], 0, length, 0, &map))
		errx(1, "%s", iopmem_get_error(ctx));
	buf = iopmem_map_get_address(map);

	while (done < length) {
		ssize_t n = pread(drive, buf + done, length - done,
				  offset + done);

		if (n < 0)
			err(1, "%s", argv[1]);
		if (!n)
			errx(1, "%s: ends at %llu", argv[1],
			     (unsigned long long)(offset + done));
		done += n;
	}
	if (iopmem_map_sync(map))
		errx(1, "%s", iopmem_get_error(ctx));

	iopmem_map_free(map);
	iopmem_unref(ctx);
	return 0;
}
