// SPDX-License-Identifier: LGPL-2.1-or-later
/* /proc/PID/pagemap: an entry of 8 bytes a page, in the CPU's byte order */
#include <errno.h>
#include <string.h>

#include "parse.h"

#define PRESENT		0x8000000000000000ull
#define FRAME		0x007fffffffffffffull

int parse_pagemap(const void *buf, size_t len, size_t index,
		  uint64_t page_size, uint64_t *address)
{
	uint64_t entry;

	if (index >= len / sizeof(entry))
		return -EINVAL;
	memcpy(&entry, (const char *)buf + index * sizeof(entry),
	       sizeof(entry));
	if (!(entry & PRESENT))
		return -ENXIO;
	/* shown to those who may not see addresses */
	if (!(entry & FRAME))
		return -EPERM;
	if ((entry & FRAME) > UINT64_MAX / page_size)
		return -EINVAL;
	*address = (entry & FRAME) * page_size;
	return 0;
}
