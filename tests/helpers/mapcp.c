// SPDX-License-Identifier: GPL-2.0-only
/*
 * mapcp in FILE[@offset] LENGTH	copy standard input into the mapping, and sync
 * mapcp out FILE[@offset] LENGTH	copy the mapping to standard output
 * mapcp sync FILE LENGTH		map with MAP_SYNC
 * mapcp hold FILE LENGTH		map, and store until killed
 * mapcp part FILE@offset LENGTH	map only this part, until killed
 * mapcp spin FILE LENGTH		as hold, but without a pause, and print the
 *					addresses
 * mapcp dirty FILE LENGTH		map, store, say so, wait for a line, then
 *					store again and fsync
 * mapcp later FILE LENGTH		map, say so, wait for a line, then load
 *
 * FILE is a file on a DAX file system or a device DAX node.
 */
#define _GNU_SOURCE
#include "mapping.h"

static void copy_in(char *to, uint64_t length)
{
	char *buf = malloc(length);

	/* read(2) into the mapping would let the kernel copy, and not this program */
	if (!buf || fread(buf, 1, length, stdin) != length)
		errx(1, "standard input is shorter than %" PRIu64, length);
	memcpy(to, buf, length);
	free(buf);
}

static void copy_out(const char *from, uint64_t length)
{
	char *buf = malloc(length);

	if (!buf)
		err(1, "malloc");
	memcpy(buf, from, length);
	if (fwrite(buf, 1, length, stdout) != length || fflush(stdout))
		err(1, "standard output");
	free(buf);
}

static void dirty(const char *path, char *map, uint64_t length)
{
	int fd = open(path, O_RDWR);

	if (fd < 0)
		err(1, "%s", path);
	memset(map, 0xa5, length);
	puts("mapped");
	fflush(stdout);
	getchar();
	memset(map, 0x5a, length);
	if (fsync(fd))
		err(1, "%s: fsync", path);
	puts("fsync: 0");
}

static void later(const volatile char *map)
{
	puts("mapped");
	fflush(stdout);
	getchar();
	(void)*map;
}

static void part(const char *path, uint64_t offset, uint64_t length)
{
	int fd = open(path, O_RDWR);

	if (fd < 0 || mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED,
			   fd, offset) == MAP_FAILED)
		err(1, "%s", path);
	for (;;)
		pause();
}

static void spin(char *map, uint64_t length)
{
	memset(map, 0x5a, length);
	printf("virtual %p physical 0x%" PRIx64 "\n", (void *)map,
	       physical_address(map));
	fflush(stdout);
	for (;;)
		*(volatile char *)map = 0x5a;
}

int main(int argc, char **argv)
{
	const char *what = argv[1];
	uint64_t offset, length;
	size_t mapped;
	char *map;

	if (argc != 4)
		errx(2, "usage: mapcp in|out|sync|hold|part|spin|dirty|later FILE[@offset] LENGTH");
	offset = split_offset(argv[2]);
	length = parse_size(argv[3]);
	if (!strcmp(what, "part"))
		part(argv[2], offset, length);
	map = map_path(argv[2], offset + length,
		       !strcmp(what, "sync") ? MAP_SHARED_VALIDATE | MAP_SYNC :
					       MAP_SHARED, &mapped);

	if (!strcmp(what, "in")) {
		copy_in(map + offset, length);
		sync_mapping(argv[2], map, mapped);
	} else if (!strcmp(what, "out")) {
		copy_out(map + offset, length);
	} else if (!strcmp(what, "hold")) {
		memset(map + offset, 0x5a, length);
		puts("held");
		fflush(stdout);
		for (;; usleep(100000))
			memset(map + offset, 0x5a, length);
	} else if (!strcmp(what, "spin")) {
		spin(map + offset, length);
	} else if (!strcmp(what, "dirty")) {
		dirty(argv[2], map + offset, length);
	} else if (!strcmp(what, "later")) {
		later(map + offset);
	} else if (strcmp(what, "sync")) {
		errx(2, "'%s' is not in, out, sync, hold, part, spin, dirty or later", what);
	}
	return 0;
}
