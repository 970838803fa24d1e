// SPDX-License-Identifier: LGPL-2.1-or-later
/* BARs: what they are, and whether the driver would take them */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ndctl/libndctl.h>

#include "private.h"

/* The first implemented one from @index on */
static struct iopmem_bar *bar_from(struct iopmem_function *fn,
				   unsigned int index)
{
	for (; index < NUM_BARS; index++)
		if (fn->bars[index].res.flags)
			return &fn->bars[index];
	return NULL;
}

EXPORT struct iopmem_bar *iopmem_bar_get_first(struct iopmem_function *fn)
{
	return bar_from(fn, 0);
}

EXPORT struct iopmem_bar *iopmem_bar_get_next(struct iopmem_bar *bar)
{
	return bar_from(bar->fn, bar->index + 1);
}

EXPORT struct iopmem_function *iopmem_bar_get_function(struct iopmem_bar *bar)
{
	return bar->fn;
}

EXPORT unsigned int iopmem_bar_get_index(struct iopmem_bar *bar)
{
	return bar->index;
}

EXPORT uint64_t iopmem_bar_get_size(struct iopmem_bar *bar)
{
	const struct resource *res = &bar->res;

	return res->start || res->end ? res->end - res->start + 1 : 0;
}

EXPORT bool iopmem_bar_is_memory(struct iopmem_bar *bar)
{
	return bar->res.flags & IORESOURCE_MEM;
}

EXPORT bool iopmem_bar_is_prefetchable(struct iopmem_bar *bar)
{
	return bar->res.flags & IORESOURCE_PREFETCH;
}

EXPORT bool iopmem_bar_is_64bit(struct iopmem_bar *bar)
{
	return bar->res.flags & IORESOURCE_MEM_64;
}

/* No BAR lies at 0, which the kernel shows for one that it has no room for. */
EXPORT bool iopmem_bar_is_assigned(struct iopmem_bar *bar)
{
	return bar->res.start && !(bar->res.flags & IORESOURCE_UNSET);
}

EXPORT uint64_t iopmem_bar_get_resource(struct iopmem_bar *bar)
{
	return iopmem_bar_is_assigned(bar) ? bar->res.start : UINT64_MAX;
}

/* Only of a region, and only for root */
static int address_from_region(struct iopmem_bar *bar, uint64_t *address)
{
	struct iopmem_function *fn = bar->fn;
	char path[PATH_MAX], buf[64];
	struct text t;
	int n;

	if (!iopmem_bar_get_region(bar))
		return failed(fn->ctx, -ENOENT,
			      "%s: BAR %u: nothing tells its bus address until the function is bound",
			      fn->name, bar->index);
	snprintf(path, sizeof(path), SYSFS_ND "/%s/iopmem/bus_address",
		 ndctl_region_get_devname(bar->region.ndctl));
	n = sysfs_read(path, buf, sizeof(buf));
	if (n == -EACCES)
		return failed(fn->ctx, n,
			      "%s: BAR %u: its bus address needs root",
			      fn->name, bar->index);
	if (n < 0)
		return failed(fn->ctx, n, "%s: %s", path, strerror(-n));
	t = (struct text){ buf, buf + n };
	if (text_0x(&t, address) || !text_is_empty(&t))
		return failed(fn->ctx, -EINVAL, "%s: '%s' is no address", path,
			      buf);
	return 0;
}

EXPORT int iopmem_bar_get_bus_address(struct iopmem_bar *bar,
				      uint64_t *address)
{
	struct iopmem_function *fn = bar->fn;
	const uint8_t *buf;
	int len;

	if (!iopmem_bar_is_assigned(bar))
		return failed(fn->ctx, -ENXIO,
			      "%s: BAR %u: no address assigned, try pci=realloc",
			      fn->name, bar->index);
	len = function_config(fn, 64, &buf);
	if (len < 0)
		return len;
	if (!config_bar_address(buf, len, bar->index, address))
		return 0;
	return address_from_region(bar, address);
}

EXPORT bool iopmem_bar_is_cached(struct iopmem_bar *bar)
{
	char path[PATH_MAX], buf[8];

	if (!iopmem_bar_get_region(bar))
		return false;
	snprintf(path, sizeof(path), SYSFS_ND "/%s/iopmem/cached",
		 ndctl_region_get_devname(bar->region.ndctl));
	return sysfs_read(path, buf, sizeof(buf)) > 0 && buf[0] == '1';
}

static void bar_mask_read(struct iopmem_ctx *ctx)
{
	char buf[64];
	int n;

	if (ctx->bar_mask_read)
		return;
	ctx->bar_mask_read = true;
	n = sysfs_read("/sys/module/iopmem_bus/parameters/bars", buf,
		       sizeof(buf));
	if (n < 0 || parse_bars(buf, n, &ctx->bar_mask))
		ctx->bar_mask = (1u << NUM_BARS) - 1;
}

static bool beyond(struct iopmem_ctx *ctx, uint64_t end)
{
	unsigned int bits = cpu_get(ctx)->address_bits;

	return bits < 64 && end >> bits;
}

EXPORT const char *iopmem_bar_get_unfit(struct iopmem_bar *bar)
{
	struct iopmem_ctx *ctx = bar->fn->ctx;

	bar_mask_read(ctx);
	if (!(ctx->bar_mask & 1u << bar->index))
		return "not in bars=";
	if (!iopmem_bar_is_memory(bar))
		return "I/O ports, not memory";
	if (!iopmem_bar_is_prefetchable(bar))
		return "not prefetchable, so reading it may have side effects";
	if (!iopmem_bar_is_assigned(bar))
		return "no address assigned, try pci=realloc";
	if (iopmem_bar_get_size(bar) < MIN_BAR_SIZE)
		return "smaller than 4 MiB";
	if (beyond(ctx, bar->res.end))
		return "beyond what the kernel maps, have the firmware place it lower";
	return NULL;
}
