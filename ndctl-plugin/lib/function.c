// SPDX-License-Identifier: LGPL-2.1-or-later
/* PCI functions: one pass over sysfs, and what is read later */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "private.h"

/* "0x8086" */
static int read_id(struct iopmem_function *fn, const char *attr,
		   unsigned int *value)
{
	char buf[64];
	struct text t;
	uint64_t v;
	int n = sysfs_read_attr(fn, attr, buf, sizeof(buf));

	if (n < 0)
		return n;
	t = (struct text){ buf, buf + n };
	if (text_0x(&t, &v) || !text_is_empty(&t) || v > UINT_MAX)
		return -EINVAL;
	*value = v;
	return 0;
}

static int read_resource(struct iopmem_function *fn)
{
	struct resource res[NUM_BARS];
	char buf[SYSFS_MAX];
	int i, n;

	n = sysfs_read_attr(fn, "resource", buf, sizeof(buf));
	if (n < 0)
		return n;
	n = parse_resource(buf, n, res);
	for (i = 0; !n && i < NUM_BARS; i++)
		fn->bars[i] = (struct iopmem_bar){
			.fn = fn,
			.index = i,
			.res = res[i],
		};
	return n;
}

/* No driver link: no driver. */
static int read_driver(struct iopmem_function *fn)
{
	char buf[NAME_MAX + 1];
	int n = sysfs_read_link(fn->syspath, "driver", buf, sizeof(buf));

	if (n == -ENOENT)
		return 0;
	if (n < 0)
		return n;
	fn->driver = strdup(buf);
	return fn->driver ? 0 : -ENOMEM;
}

/* Each entry is a link to the device's folder below its bridge's. */
static int read_place(struct iopmem_function *fn)
{
	char buf[PATH_MAX];
	struct place place;
	ssize_t n = readlink(fn->syspath, buf, sizeof(buf) - 1);

	if (n < 0)
		return -errno;
	if (parse_place(buf, n, &place))
		return -EINVAL;
	fn->has_parent = place.has_parent;
	fn->parent_address = place.parent;
	if (place.host_bridge) {
		fn->host_bridge = strndup(place.host_bridge,
					  place.host_bridge_len);
		if (!fn->host_bridge)
			return -ENOMEM;
	}
	return 0;
}

static void function_free(struct iopmem_function *fn)
{
	free(fn->syspath);
	free(fn->host_bridge);
	free(fn->driver);
	free(fn->config);
	holders_free(fn);
}

static int function_read(struct iopmem_ctx *ctx, struct iopmem_function *fn,
			 const char *name)
{
	int rc;

	*fn = (struct iopmem_function){ .ctx = ctx };
	rc = parse_address(name, strlen(name), &fn->address);
	if (rc)
		return rc;
	snprintf(fn->name, sizeof(fn->name), "%s", name);
	if (asprintf(&fn->syspath, "%s/%s", SYSFS_PCI, name) < 0) {
		fn->syspath = NULL;
		return -ENOMEM;
	}

	rc = read_id(fn, "vendor", &fn->vendor);
	if (!rc)
		rc = read_id(fn, "device", &fn->device);
	if (!rc)
		rc = read_id(fn, "class", &fn->class);
	if (!rc)
		rc = read_resource(fn);
	if (!rc)
		rc = read_driver(fn);
	if (!rc)
		rc = read_place(fn);
	return rc;
}

static int skip(struct iopmem_ctx *ctx, const char *name, int rc)
{
	if (rc == -ENOENT || rc == -ENODEV)
		return failed(ctx, rc,
			      "%s: has gone while it was being read, try again",
			      name);
	if (rc == -EINVAL)
		return failed(ctx, rc,
			      "%s: its name or an attribute in " SYSFS_PCI
			      " is not what the kernel writes, report it",
			      name);
	return failed(ctx, rc, "%s: cannot be read: %s", name, strerror(-rc));
}

static int by_address(const void *a, const void *b)
{
	const struct iopmem_function *x = a, *y = b;

	return address_compare(&x->address, &y->address);
}

struct iopmem_function *function_find(struct iopmem_ctx *ctx,
				      const struct address *a)
{
	const struct iopmem_function key = { .address = *a };

	if (!ctx->num_functions)
		return NULL;
	return bsearch(&key, ctx->functions, ctx->num_functions, sizeof(key),
		       by_address);
}

static void link_functions(struct iopmem_ctx *ctx)
{
	struct iopmem_function *fn;
	size_t i;
	int j;

	for (i = ctx->num_functions; i--;) {
		fn = &ctx->functions[i];
		for (j = 0; j < NUM_BARS; j++)
			fn->bars[j].fn = fn;
		if (!fn->has_parent)
			continue;
		fn->parent = function_find(ctx, &fn->parent_address);
		if (!fn->parent)
			continue;
		fn->next_sibling = fn->parent->first_child;
		fn->parent->first_child = fn;
	}
}

int functions_read(struct iopmem_ctx *ctx)
{
	int rc = 0, skipped = 0;
	struct dirent *entry;
	size_t room = 0;
	DIR *dir;

	dir = opendir(SYSFS_PCI);
	if (!dir)
		return failed(ctx, -errno,
			      SYSFS_PCI ": %s: is sysfs mounted, and is there PCI?",
			      strerror(errno));

	while ((entry = readdir(dir))) {
		struct iopmem_function *fn;

		if (entry->d_name[0] == '.')
			continue;
		if (ctx->num_functions == room) {
			room = room ? 2 * room : 64;
			fn = realloc(ctx->functions, room * sizeof(*fn));
			if (!fn) {
				rc = -ENOMEM;
				break;
			}
			ctx->functions = fn;
		}
		fn = &ctx->functions[ctx->num_functions];
		rc = function_read(ctx, fn, entry->d_name);
		if (!rc) {
			ctx->num_functions++;
			continue;
		}
		function_free(fn);
		if (rc == -ENOMEM)
			break;
		skip(ctx, entry->d_name, rc);
		skipped++;
	}
	closedir(dir);
	if (rc == -ENOMEM)
		return failed(ctx, rc, "out of memory");

	if (ctx->num_functions)
		qsort(ctx->functions, ctx->num_functions,
		      sizeof(*ctx->functions), by_address);
	link_functions(ctx);
	return skipped;
}

void functions_free(struct iopmem_ctx *ctx)
{
	size_t i;

	for (i = 0; i < ctx->num_functions; i++)
		function_free(&ctx->functions[i]);
	free(ctx->functions);
	ctx->functions = NULL;
	ctx->num_functions = 0;
}

EXPORT struct iopmem_function *
iopmem_function_get_first(struct iopmem_ctx *ctx)
{
	if (!ctx->scanned)
		iopmem_scan(ctx);
	return ctx->num_functions ? ctx->functions : NULL;
}

EXPORT struct iopmem_function *
iopmem_function_get_next(struct iopmem_function *fn)
{
	struct iopmem_ctx *ctx = fn->ctx;

	return ++fn < ctx->functions + ctx->num_functions ? fn : NULL;
}

EXPORT struct iopmem_function *
iopmem_function_get_first_child(struct iopmem_function *fn)
{
	return fn ? fn->first_child : NULL;
}

EXPORT struct iopmem_function *
iopmem_function_get_next_sibling(struct iopmem_function *fn)
{
	return fn->next_sibling;
}

EXPORT struct iopmem_function *
iopmem_function_get_by_address(struct iopmem_ctx *ctx, const char *address)
{
	struct spec spec;

	if (parse_spec(address, strlen(address), &spec) || spec.by_id ||
	    !iopmem_function_get_first(ctx))
		return NULL;
	return function_find(ctx, &spec.address);
}

EXPORT int iopmem_spec_check(struct iopmem_ctx *ctx, const char *spec)
{
	struct spec s;
	int rc = parse_spec(spec, strlen(spec), &s);

	if (rc)
		failed(ctx, rc,
		       "'%s' is no function: give an address (0000:01:00.0), ids (1af4:1110) or a path in sysfs",
		       spec);
	return rc;
}

EXPORT bool iopmem_function_matches(struct iopmem_function *fn,
				    const char *spec)
{
	struct spec s;

	if (parse_spec(spec, strlen(spec), &s))
		return false;
	if (s.by_id)
		return fn->vendor == s.vendor && fn->device == s.device;
	return !address_compare(&fn->address, &s.address);
}

EXPORT struct iopmem_ctx *iopmem_function_get_ctx(struct iopmem_function *fn)
{
	return fn->ctx;
}

EXPORT const char *iopmem_function_get_address(struct iopmem_function *fn)
{
	return fn->name;
}

EXPORT unsigned int iopmem_function_get_domain(struct iopmem_function *fn)
{
	return fn->address.domain;
}

EXPORT unsigned int iopmem_function_get_bus_number(struct iopmem_function *fn)
{
	return fn->address.bus;
}

EXPORT unsigned int
iopmem_function_get_device_number(struct iopmem_function *fn)
{
	return fn->address.dev;
}

EXPORT unsigned int
iopmem_function_get_function_number(struct iopmem_function *fn)
{
	return fn->address.fn;
}

EXPORT unsigned int iopmem_function_get_vendor(struct iopmem_function *fn)
{
	return fn->vendor;
}

EXPORT unsigned int iopmem_function_get_device(struct iopmem_function *fn)
{
	return fn->device;
}

EXPORT unsigned int iopmem_function_get_class(struct iopmem_function *fn)
{
	return fn->class;
}

EXPORT const char *iopmem_function_get_driver(struct iopmem_function *fn)
{
	return fn->driver;
}

EXPORT const char *iopmem_function_get_syspath(struct iopmem_function *fn)
{
	return fn->syspath;
}

EXPORT enum iopmem_state iopmem_function_get_state(struct iopmem_function *fn)
{
	struct iopmem_bar *bar;

	if (fn->driver && !strcmp(fn->driver, DRIVER))
		return IOPMEM_STATE_BOUND;
	iopmem_bar_foreach(fn, bar)
		if (!iopmem_bar_get_unfit(bar))
			return fn->driver ? IOPMEM_STATE_IN_USE :
				IOPMEM_STATE_AVAILABLE;
	return IOPMEM_STATE_UNFIT;
}

EXPORT struct iopmem_function *
iopmem_function_get_parent(struct iopmem_function *fn)
{
	return fn->parent;
}

EXPORT const char *iopmem_function_get_host_bridge(struct iopmem_function *fn)
{
	return fn->host_bridge;
}

EXPORT bool iopmem_function_is_bridge(struct iopmem_function *fn)
{
	return fn->class >> 8 == 0x0604;
}

EXPORT int iopmem_function_get_numa_node(struct iopmem_function *fn)
{
	char buf[64];
	struct text t;
	uint64_t node;
	int n = sysfs_read_attr(fn, "numa_node", buf, sizeof(buf));

	if (n < 0)
		return -1;
	t = (struct text){ buf, buf + n };
	if (text_dec(&t, INT_MAX, &node) || !text_is_empty(&t))
		return -1;
	return node;
}

EXPORT int iopmem_function_get_iommu_group(struct iopmem_function *fn)
{
	char buf[NAME_MAX + 1];
	struct text t;
	uint64_t group;
	int n = sysfs_read_link(fn->syspath, "iommu_group", buf, sizeof(buf));

	if (n < 0)
		return -1;
	t = (struct text){ buf, buf + n };
	if (text_dec(&t, INT_MAX, &group) || !text_is_empty(&t))
		return -1;
	return group;
}

EXPORT int iopmem_function_get_iommu_type(struct iopmem_function *fn,
					  const char **type)
{
	char buf[64];
	int n = sysfs_read_attr(fn, "iommu_group/type", buf, sizeof(buf));

	if (n == -ENOENT)
		return failed(fn->ctx, n, "%s: has no IOMMU group", fn->name);
	if (n < 0)
		return failed(fn->ctx, n, "%s: the type of its IOMMU group cannot be read: %s",
			      fn->name, strerror(-n));
	if (parse_iommu_type(buf, n, type))
		return failed(fn->ctx, -EINVAL,
			      "%s: '%s' is no type of an IOMMU group, report it",
			      fn->name, buf);
	return 0;
}

static unsigned int read_speed(struct iopmem_function *fn, const char *attr)
{
	char buf[64];
	unsigned int speed = 0;
	int n = sysfs_read_attr(fn, attr, buf, sizeof(buf));

	if (n >= 0 && parse_link_speed(buf, n, &speed))
		speed = 0;
	return speed;
}

/* The kernel says 0 or 255 lanes for a link that is down. */
static int read_width(struct iopmem_function *fn, const char *attr,
		      unsigned int *width)
{
	char buf[64];
	struct text t;
	uint64_t lanes;
	int n = sysfs_read_attr(fn, attr, buf, sizeof(buf));

	if (n < 0)
		return n;
	t = (struct text){ buf, buf + n };
	if (text_dec(&t, 255, &lanes) || !text_is_empty(&t))
		return -EINVAL;
	*width = lanes > 32 ? 0 : lanes;
	return 0;
}

EXPORT int iopmem_function_get_link(struct iopmem_function *fn,
				    struct iopmem_link *link)
{
	*link = (struct iopmem_link){};
	if (read_width(fn, "current_link_width", &link->width) ||
	    read_width(fn, "max_link_width", &link->max_width) ||
	    !link->max_width)
		return failed(fn->ctx, -ENOENT, "%s: has no PCIe link",
			      fn->name);
	link->speed = read_speed(fn, "current_link_speed");
	link->max_speed = read_speed(fn, "max_link_speed");
	return 0;
}
