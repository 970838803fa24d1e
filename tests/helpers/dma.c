// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma FROM[@offset] TO[@offset] LENGTH
 *
 * Have a drive read into a mapping, or write from it. One of the two is a
 * block device, opened O_DIRECT, the other a file or device-dax node, mapped.
 * Beforehand the CPU stores one byte a page, so that the pages are there, and
 * no more.
 */
#define _GNU_SOURCE
#include "mapping.h"

static int is_block(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		err(1, "%s", path);
	return S_ISBLK(st.st_mode);
}

int main(int argc, char **argv)
{
	uint64_t from, to, length, drive_at, map_at, done;
	const char *drive, *file;
	size_t mapped;
	int fd, reads;
	char *map;

	if (argc != 4)
		errx(2, "usage: dma FROM[@offset] TO[@offset] LENGTH");
	from = split_offset(argv[1]);
	to = split_offset(argv[2]);
	length = parse_size(argv[3]);
	reads = is_block(argv[1]);
	if (reads == is_block(argv[2]))
		errx(2, "one of %s and %s has to be a block device", argv[1],
		     argv[2]);

	drive = reads ? argv[1] : argv[2];
	file = reads ? argv[2] : argv[1];
	drive_at = reads ? from : to;
	map_at = reads ? to : from;

	fd = open(drive, O_RDWR | O_DIRECT);
	if (fd < 0)
		err(1, "%s", drive);
	map = map_path(file, map_at + length, MAP_SHARED, &mapped);
	/* a load alone would map the zero page over an unwritten extent */
	for (done = 0; done < length; done += 4096) {
		volatile char *p = map + map_at + done;

		*p = *p;
	}

	printf("%s mapped, physical addresses 0x%" PRIx64 " to 0x%" PRIx64 "\n",
	       file, physical_address(map + map_at),
	       physical_address(map + map_at + length - 1));

	for (done = 0; done < length;) {
		char *p = map + map_at + done;
		ssize_t n = reads ?
			pread(fd, p, length - done, drive_at + done) :
			pwrite(fd, p, length - done, drive_at + done);

		if (n < 0)
			err(1, "%s: %s", drive, reads ? "read" : "write");
		if (!n)
			errx(1, "%s: ends after %" PRIu64 " bytes", drive, done);
		done += n;
	}
	printf("%s %s %" PRIu64 " bytes %s the mapping by DMA\n", drive,
	       reads ? "read" : "wrote", done, reads ? "into" : "from");

	sync_mapping(file, map, mapped);
	return 0;
}
