/* SPDX-License-Identifier: GPL-2.0-only */
/* A label area of 128 KiB (UEFI specification, "Label Protocol") */
#include <endian.h>
#include <stdint.h>
#include <string.h>

#define AREA	(128 << 10)
#define MAX_XFER	(4 << 10)	/* the driver's limit for a label command */
#define INDEX	256		/* size of an index block in such an area */
#define LABELS	(2 * INDEX)	/* offset of the first label */

/* Read and write little-endian numbers of up to eight bytes. */
static inline uint64_t get_le(const void *p, unsigned int size)
{
	uint64_t le = 0;

	memcpy(&le, p, size);
	return le64toh(le);
}

static inline void set_le(void *p, unsigned int size, uint64_t value)
{
	uint64_t le = htole64(value);

	memcpy(p, &le, size);
}

/* Fletcher's checksum. Its own eight bytes at @sum_at count as zero. */
static inline uint64_t checksum(const unsigned char *p, unsigned int size,
				unsigned int sum_at)
{
	uint32_t lo = 0;
	uint64_t hi = 0;
	unsigned int i;

	for (i = 0; i < size; i += 4) {
		if (i != sum_at && i != sum_at + 4)
			lo += get_le(p + i, 4);
		hi += lo;
	}
	return hi << 32 | lo;
}

/* The index block with the later sequence number. They go 1, 2, 3, 1, ... */
static inline unsigned char *current_index(unsigned char *area)
{
	uint32_t a = get_le(area + 20, 4), b = get_le(area + INDEX + 20, 4);

	return b % 3 + 1 == a ? area : area + INDEX;
}
