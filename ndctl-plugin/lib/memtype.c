// SPDX-License-Identifier: LGPL-2.1-or-later
/* How the kernel maps BARs: x86's list of memory types */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

#define LIST	"/sys/kernel/debug/x86/pat_memtype_list"

static void memtypes_read(struct iopmem_ctx *ctx)
{
	char *buf;
	size_t len;

	if (ctx->memtypes_read)
		return;
	ctx->memtypes_read = true;
	ctx->memtypes_rc = sysfs_read_all(LIST, &buf, &len);
	if (ctx->memtypes_rc)
		return;
	ctx->memtypes_rc = parse_memtypes(buf, len, &ctx->memtypes);
	free(buf);
}

EXPORT int iopmem_bar_get_memory_type(struct iopmem_bar *bar,
				      const char **type)
{
	struct iopmem_ctx *ctx = bar->fn->ctx;
	int low = 0, high;

	memtypes_read(ctx);
	if (ctx->memtypes_rc == -EACCES)
		return failed(ctx, -EACCES, LIST ": needs root");
	if (ctx->memtypes_rc < 0)
		return failed(ctx, -ENOENT,
			      LIST ": %s: it is there on x86 with debugfs mounted",
			      strerror(-ctx->memtypes_rc));

	/* the first that begins in the BAR */
	high = ctx->memtypes_rc;
	while (low < high) {
		int mid = low + (high - low) / 2;

		if (ctx->memtypes[mid].start < bar->res.start)
			low = mid + 1;
		else
			high = mid;
	}

	*type = NULL;
	for (; low < ctx->memtypes_rc &&
	     ctx->memtypes[low].start <= bar->res.end; low++) {
		if (!*type)
			*type = ctx->memtypes[low].type;
		else if (*type != ctx->memtypes[low].type)
			*type = "mixed";
	}
	if (!*type || !iopmem_bar_is_assigned(bar))
		return failed(ctx, -ENXIO, "%s: BAR %u: the kernel maps none of it",
			      bar->fn->name, bar->index);
	return 0;
}
