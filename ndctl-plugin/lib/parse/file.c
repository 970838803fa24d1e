// SPDX-License-Identifier: LGPL-2.1-or-later
/* The places and addresses of a file's contents */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/fiemap.h>

#include "parse.h"

/* Flags that do not change what an extent's place means */
#define HARMLESS	(FIEMAP_EXTENT_LAST | FIEMAP_EXTENT_MERGED)

/* A flag that implies another comes before it, since the first match counts. */
static const struct {
	uint32_t flag;
	const char *why;
} refusals[] = {
	{
		FIEMAP_EXTENT_DELALLOC,
		"has no place on the device yet, fsync it and try again",
	},
	{
		FIEMAP_EXTENT_DATA_ENCRYPTED,
		"is encrypted, use a file that is not",
	},
	{
		FIEMAP_EXTENT_DATA_INLINE,
		"is stored inline, in its metadata, use a larger file or a file system without inline data",
	},
	{
		FIEMAP_EXTENT_DATA_TAIL,
		"shares a block with other files, use a file system that does not pack tails",
	},
	{
		FIEMAP_EXTENT_UNKNOWN,
		"has a place that the file system does not tell, fsync it and try again",
	},
	{
		FIEMAP_EXTENT_ENCODED,
		"is compressed or otherwise encoded, use a file that is not",
	},
	{
		FIEMAP_EXTENT_NOT_ALIGNED,
		"is not aligned to blocks, use another file system",
	},
	{
		FIEMAP_EXTENT_UNWRITTEN,
		"is allocated but unwritten, so it reads as zeros whatever a device puts there, write zeros first",
	},
	{
		FIEMAP_EXTENT_SHARED,
		"shares its blocks with another file, use a copy by cp --reflink=never",
	},
};

static const char *refusal(uint32_t flags)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(refusals); i++)
		if (flags & refusals[i].flag)
			return refusals[i].why;
	if (flags & ~HARMLESS)
		return "has an extent of an unknown kind, use another file system";
	return NULL;
}

/* Add an extent. If it follows the last piece on the device, extend that. */
static int add(struct pieces *p, const struct fiemap_extent *e)
{
	uint64_t skip = p->at - e->fe_logical, length = e->fe_length - skip;
	struct piece *last = p->n ? &p->list[p->n - 1] : NULL;

	if (length > p->end - p->at)
		length = p->end - p->at;
	if (last && last->physical + last->length == e->fe_physical + skip) {
		last->length += length;
		p->at += length;
		return 0;
	}
	if (p->n == p->room) {
		size_t room = p->room ? 2 * p->room : 16;

		last = realloc(p->list, room * sizeof(*last));
		if (!last)
			return -ENOMEM;
		p->list = last;
		p->room = room;
	}
	p->list[p->n++] = (struct piece){
		.logical = p->at,
		.physical = e->fe_physical + skip,
		.length = length,
	};
	p->at += length;
	return 0;
}

int parse_fiemap(const void *buf, size_t len, struct pieces *p,
		 const char **why)
{
	struct fiemap_extent e;
	struct fiemap head;
	uint32_t i;
	int rc;

	*why = NULL;
	if (len < sizeof(head))
		return -EINVAL;
	memcpy(&head, buf, sizeof(head));
	if (head.fm_mapped_extents > (len - sizeof(head)) / sizeof(e))
		return -EINVAL;

	for (i = 0; i < head.fm_mapped_extents && p->at < p->end; i++) {
		memcpy(&e, (const char *)buf + sizeof(head) + i * sizeof(e),
		       sizeof(e));
		if (!e.fe_length ||
		    e.fe_length > UINT64_MAX - e.fe_logical ||
		    e.fe_length > UINT64_MAX - e.fe_physical ||
		    e.fe_logical + e.fe_length <= p->at)
			return -EINVAL;
		if (e.fe_logical > p->at)
			break;
		*why = refusal(e.fe_flags);
		if (*why)
			return -EOPNOTSUPP;
		rc = add(p, &e);
		if (rc)
			return rc;
	}
	if (p->at < p->end && i < (head.fm_mapped_extents ? : 1)) {
		*why = "has a hole, write zeros there first";
		return -EOPNOTSUPP;
	}
	return 0;
}

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
	/* the kernel shows 0 to those who may not see addresses */
	if (!(entry & FRAME))
		return -EPERM;
	if ((entry & FRAME) > UINT64_MAX / page_size)
		return -EINVAL;
	*address = (entry & FRAME) * page_size;
	return 0;
}
