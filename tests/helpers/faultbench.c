// SPDX-License-Identifier: GPL-2.0-only
/*
 * faultbench FILE LENGTH 4K|2M
 *
 * Map FILE and store once to each 4 KiB, or to each 2 MiB. Print the nanoseconds
 * that a page fault takes. It is an error if there were not as many page faults
 * as there are pieces of that size: then the mapping has other pages.
 */
#include <sys/resource.h>
#include <time.h>
#include "mapping.h"

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static long page_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

int main(int argc, char **argv)
{
	uint64_t length, step, pieces, i, start, took;
	size_t mapped;
	long faults;
	char *map;

	if (argc != 4)
		errx(2, "usage: faultbench FILE LENGTH 4K|2M");
	length = parse_size(argv[2]);
	step = parse_size(argv[3]);
	pieces = length / step;
	map = map_path(argv[1], length, MAP_SHARED, &mapped);
	if (step < DAX_ALIGN && madvise(map, mapped, MADV_NOHUGEPAGE))
		err(1, "%s: madvise", argv[1]);

	/* Call both functions once, so that their own page faults are not counted. */
	page_faults();
	now();
	faults = page_faults();
	start = now();
	for (i = 0; i < pieces; i++)
		((volatile char *)map)[i * step] = 1;
	took = now() - start;
	faults = page_faults() - faults;
	if ((uint64_t)faults != pieces)
		errx(1, "%s: %ld page faults for %" PRIu64 " pieces of %s",
		     argv[1], faults, pieces, argv[3]);
	printf("%" PRIu64 "\n", took / pieces);
	return 0;
}
