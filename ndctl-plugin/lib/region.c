// SPDX-License-Identifier: LGPL-2.1-or-later
/* Which nd region belongs to which BAR, and what it tells about the BAR */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/ndctl.h>
#include <ndctl/libndctl.h>

#include "internal.h"

#define PROVIDER	"iopmem-"

static void region_read(struct iopmem_function *fn,
			struct ndctl_region *region)
{
	char path[PATH_MAX], buf[64];
	struct iopmem_bar *bar;
	struct text t;
	uint64_t index;
	int n;

	snprintf(path, sizeof(path), SYSFS_ND "/%s/iopmem/bar",
		 ndctl_region_get_devname(region));
	n = sysfs_read(path, buf, sizeof(buf));
	if (n < 0) {
		dbg(fn->ctx, "%s: %s\n", path, strerror(-n));
		return;
	}
	t = (struct text){ buf, buf + n };
	if (text_dec(&t, NUM_BARS - 1, &index) || !text_is_empty(&t)) {
		dbg(fn->ctx, "%s: '%s' is no BAR\n", path, buf);
		return;
	}
	bar = &fn->bars[index];
	bar->region.bar = bar;
	bar->region.ndctl = region;
}

EXPORT struct ndctl_ctx *iopmem_get_ndctl(struct iopmem_ctx *ctx)
{
	int rc;

	if (ctx->ndctl)
		return ctx->ndctl;
	rc = ndctl_new(&ctx->ndctl);
	if (rc) {
		ctx->ndctl = NULL;
		set_error(ctx, rc, "libndctl does not start: %s",
			  strerror(-rc));
	}
	return ctx->ndctl;
}

static void regions_read(struct iopmem_ctx *ctx)
{
	struct ndctl_bus *bus;

	if (ctx->regions_read)
		return;
	ctx->regions_read = true;
	if (!iopmem_get_ndctl(ctx))
		return;

	ndctl_bus_foreach(ctx->ndctl, bus) {
		const char *provider = ndctl_bus_get_provider(bus);
		struct iopmem_function *fn;
		struct ndctl_region *region;
		struct address a;

		if (!provider || strncmp(provider, PROVIDER, strlen(PROVIDER)))
			continue;
		provider += strlen(PROVIDER);
		if (parse_address(provider, strlen(provider), &a))
			continue;
		fn = function_find(ctx, &a);
		if (!fn)
			continue;
		fn->ndctl_bus = bus;
		ndctl_region_foreach(bus, region)
			region_read(fn, region);
	}
}

void regions_reset(struct iopmem_ctx *ctx)
{
	if (ctx->ndctl)
		ndctl_unref(ctx->ndctl);
}

struct ndctl_bus *iopmem_function_get_ndctl_bus(struct iopmem_function *fn)
{
	regions_read(fn->ctx);
	return fn->ndctl_bus;
}

EXPORT struct iopmem_region *iopmem_bar_get_region(struct iopmem_bar *bar)
{
	regions_read(bar->fn->ctx);
	return bar->region.ndctl ? &bar->region : NULL;
}

struct iopmem_bar *iopmem_region_get_bar(struct iopmem_region *region)
{
	return region->bar;
}

EXPORT struct ndctl_region *
iopmem_region_get_ndctl(struct iopmem_region *region)
{
	return region->ndctl;
}

/* This needs a region, and root. */
static int address_from_region(struct iopmem_bar *bar, uint64_t *address)
{
	struct iopmem_function *fn = bar->fn;
	char path[PATH_MAX], buf[64];
	struct text t;
	int n;

	if (!iopmem_bar_get_region(bar))
		return set_error(fn->ctx, -ENOENT,
				 "%s: BAR %u: nothing tells its bus address until the function is bound",
				 fn->name, bar->index);
	snprintf(path, sizeof(path), SYSFS_ND "/%s/iopmem/bus_address",
		 ndctl_region_get_devname(bar->region.ndctl));
	n = sysfs_read(path, buf, sizeof(buf));
	if (n == -EACCES)
		return set_error(fn->ctx, n,
				 "%s: BAR %u: its bus address needs root",
				 fn->name, bar->index);
	if (n < 0)
		return set_error(fn->ctx, n, "%s: %s", path, strerror(-n));
	t = (struct text){ buf, buf + n };
	if (text_0x(&t, address) || !text_is_empty(&t))
		return set_error(fn->ctx, -EINVAL, "%s: '%s' is no address", path,
				 buf);
	return 0;
}

EXPORT int iopmem_bar_get_bus_address(struct iopmem_bar *bar,
				      uint64_t *address)
{
	struct iopmem_function *fn = bar->fn;
	int rc;

	if (!iopmem_bar_is_assigned(bar))
		return set_error(fn->ctx, -ENXIO,
				 "%s: BAR %u: no address assigned, try pci=realloc",
				 fn->name, bar->index);
	rc = bar_register(bar, address);
	if (rc || *address)
		return rc;
	/* the BAR registers of a virtual function are empty */
	return address_from_region(bar, address);
}

bool iopmem_bar_is_cached(struct iopmem_bar *bar)
{
	char path[PATH_MAX], buf[8];

	if (!iopmem_bar_get_region(bar))
		return false;
	snprintf(path, sizeof(path), SYSFS_ND "/%s/iopmem/cached",
		 ndctl_region_get_devname(bar->region.ndctl));
	return sysfs_read(path, buf, sizeof(buf)) > 0 && buf[0] == '1';
}

/* Is there the signature of an index block? The driver looks the same way. */
static bool has_index(struct ndctl_cmd *cmd)
{
	static const char sig[16] = "NAMESPACE_INDEX";
	static const unsigned int at[] = { 0, 256 };
	char buf[sizeof(sig)];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(at); i++)
		if (ndctl_cmd_cfg_read_get_data(cmd, buf, sizeof(buf),
						at[i]) == sizeof(buf) &&
		    !memcmp(buf, sig, sizeof(sig)))
			return true;
	return false;
}

int iopmem_region_get_labels(struct iopmem_region *region)
{
	struct iopmem_function *fn = region->bar->fn;
	struct ndctl_dimm *dimm = ndctl_region_get_first_dimm(region->ndctl);
	struct ndctl_cmd *cmd;
	char path[64];
	int rc;

	if (!dimm)
		return set_error(fn->ctx, -EIO, "%s: BAR %u: region without a dimm, report it",
				 fn->name, region->bar->index);
	if (!ndctl_dimm_is_cmd_supported(dimm, ND_CMD_GET_CONFIG_DATA))
		return IOPMEM_LABELS_NONE;

	/* check access here, since libndctl says little about the reason */
	snprintf(path, sizeof(path), "/dev/%s", ndctl_dimm_get_devname(dimm));
	if (access(path, R_OK | W_OK) && errno == ENOENT)
		return set_error(fn->ctx, -ENOENT,
				 "%s: is not there, does udev run?", path);
	if (access(path, R_OK | W_OK))
		return set_error(fn->ctx, -EACCES,
				 "%s: reading labels needs root", path);
	cmd = ndctl_dimm_read_label_index(dimm);
	if (!cmd)
		return set_error(fn->ctx, -EIO,
				 "%s: its labels cannot be read, look into the kernel log",
				 path);
	if (!has_index(cmd))
		rc = IOPMEM_LABELS_BLANK;
	else if (ndctl_dimm_validate_labels(dimm) < 0)
		rc = IOPMEM_LABELS_DAMAGED;
	else
		rc = IOPMEM_LABELS_VALID;
	ndctl_cmd_unref(cmd);
	return rc;
}
