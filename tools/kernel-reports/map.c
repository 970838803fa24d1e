// SPDX-License-Identifier: GPL-2.0-only
/*
 * map sync FILE		map it with MAP_SYNC
 * map hold FILE		write to all of a mapping, say so, and keep it
 * map open FILE		the same, but keep only the descriptor
 * map cold|pageout FILE	touch 2 MiB of it, and give them this advice
 * map read DISK FILE		read 4 KiB from the disk into a mapping of the file
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <linux/mman.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MAP_SYNC
#define MAP_SYNC 0x80000
#endif
#ifndef MAP_SHARED_VALIDATE
#define MAP_SHARED_VALIDATE 3
#endif
#define SIZE (4 << 20)

int main(int argc, char **argv)
{
	int sync = !strcmp(argv[1], "sync");
	int fd = open(argv[argc - 1], O_RDWR), disk;
	char *p, *huge;

	if (fd < 0)
		err(2, "%s", argv[argc - 1]);
	p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
		 sync ? MAP_SHARED_VALIDATE | MAP_SYNC : MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		err(1, "mmap");
	huge = (char *)(((unsigned long)p + (2 << 20) - 1) & ~((2UL << 20) - 1));
	if (!strcmp(argv[1], "cold") || !strcmp(argv[1], "pageout")) {
		memset(huge, 1, 2 << 20);
		if (madvise(huge, 2 << 20, argv[1][0] == 'c' ? MADV_COLD : MADV_PAGEOUT))
			err(1, "madvise");
		if (huge[4096] != 1)
			errx(1, "the data is wrong");
	} else if (!strcmp(argv[1], "hold") || !strcmp(argv[1], "open")) {
		memset(p, 1, SIZE);
		if (argv[1][0] == 'o')
			munmap(p, SIZE);
		puts("mapped");
		fflush(stdout);
		pause();
	} else if (!strcmp(argv[1], "read")) {
		disk = open(argv[2], O_RDONLY | O_DIRECT);
		if (disk < 0)
			err(2, "%s", argv[2]);
		if (pread(disk, p, 4096, 0) != 4096)
			err(1, "read");
	}
	return 0;
}
