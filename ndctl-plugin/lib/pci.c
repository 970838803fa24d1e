// SPDX-License-Identifier: LGPL-2.1-or-later
/* PCI functions, their BARs and their configuration space */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pci/pci.h>

#include "internal.h"

/*
 * The scan reads sysfs itself and does not use libpci. libpci calls error() at
 * the first attribute that it cannot read, so one function that is removed
 * meanwhile would hide all functions after it. The scan does not read
 * configuration space either, since that can wake a function up.
 */

/* "0x8086" */
static int read_id(struct iopmem_function *fn, const char *attr,
		   unsigned int *value)
{
	char buf[64];
	struct text t;
	uint64_t v;
	int n = sysfs_read_attr(fn->syspath, attr, buf, sizeof(buf));

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

	n = sysfs_read_attr(fn->syspath, "resource", buf, sizeof(buf));
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

/* A function without a driver has no driver link. */
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

/* The entry in SYSFS_PCI is a link to a folder below that of the bridge. */
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
	free(fn->vendor_name);
	free(fn->device_name);
	if (fn->pci)
		pci_free_dev(fn->pci);
	free(fn->config);
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
		return set_error(ctx, rc,
				 "%s: has gone while it was being read, try again",
				 name);
	if (rc == -EINVAL)
		return set_error(ctx, rc,
				 "%s: its name or an attribute in " SYSFS_PCI
				 " is not what the kernel writes, report it",
				 name);
	return set_error(ctx, rc, "%s: cannot be read: %s", name, strerror(-rc));
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

/* Returns how many functions could not be read, or -errno. */
static int functions_read(struct iopmem_ctx *ctx)
{
	int rc = 0, skipped = 0;
	struct dirent *entry;
	size_t room = 0;
	DIR *dir;

	dir = opendir(SYSFS_PCI);
	if (!dir)
		return set_error(ctx, -errno,
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
		return set_error(ctx, rc, "out of memory");

	if (ctx->num_functions)
		qsort(ctx->functions, ctx->num_functions,
		      sizeof(*ctx->functions), by_address);
	link_functions(ctx);
	return skipped;
}

void functions_reset(struct iopmem_ctx *ctx)
{
	size_t i;

	for (i = 0; i < ctx->num_functions; i++)
		function_free(&ctx->functions[i]);
	free(ctx->functions);
	if (ctx->pci)
		pci_cleanup(ctx->pci);
}

/* Only the first call scans and sets the context's message. */
static void scan_once(struct iopmem_ctx *ctx)
{
	if (ctx->scanned)
		return;
	ctx->scanned = true;
	ctx->skipped = functions_read(ctx);
	memcpy(ctx->scan_error, ctx->error, sizeof(ctx->error));
}

EXPORT int iopmem_scan(struct iopmem_ctx *ctx)
{
	scan_once(ctx);
	if (ctx->skipped)
		memcpy(ctx->error, ctx->scan_error, sizeof(ctx->error));
	return ctx->skipped;
}

EXPORT struct iopmem_function *
iopmem_function_get_first(struct iopmem_ctx *ctx)
{
	scan_once(ctx);
	return ctx->num_functions ? ctx->functions : NULL;
}

EXPORT struct iopmem_function *
iopmem_function_get_next(struct iopmem_function *fn)
{
	struct iopmem_ctx *ctx = fn->ctx;

	return ++fn < ctx->functions + ctx->num_functions ? fn : NULL;
}

struct iopmem_function *
iopmem_function_get_first_child(struct iopmem_function *fn)
{
	return fn ? fn->first_child : NULL;
}

struct iopmem_function *
iopmem_function_get_next_sibling(struct iopmem_function *fn)
{
	return fn->next_sibling;
}

EXPORT struct iopmem_function *
iopmem_function_get_by_address(struct iopmem_ctx *ctx, const char *address)
{
	struct address a;

	if (parse_short_address(address, strlen(address), &a) ||
	    !iopmem_function_get_first(ctx))
		return NULL;
	return function_find(ctx, &a);
}

struct iopmem_ctx *iopmem_function_get_ctx(struct iopmem_function *fn)
{
	return fn->ctx;
}

EXPORT const char *iopmem_function_get_address(struct iopmem_function *fn)
{
	return fn->name;
}

unsigned int iopmem_function_get_domain(struct iopmem_function *fn)
{
	return fn->address.domain;
}

unsigned int iopmem_function_get_bus_number(struct iopmem_function *fn)
{
	return fn->address.bus;
}

unsigned int iopmem_function_get_device_number(struct iopmem_function *fn)
{
	return fn->address.dev;
}

unsigned int iopmem_function_get_function_number(struct iopmem_function *fn)
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

unsigned int iopmem_function_get_class(struct iopmem_function *fn)
{
	return fn->class;
}

EXPORT const char *iopmem_function_get_driver(struct iopmem_function *fn)
{
	return fn->driver;
}

EXPORT enum iopmem_state iopmem_function_get_state(struct iopmem_function *fn)
{
	struct iopmem_bar *bar;

	if (fn->driver && !strcmp(fn->driver, DRIVER))
		return IOPMEM_STATE_BOUND;
	iopmem_bar_foreach(fn, bar)
		if (!iopmem_bar_get_ineligible(bar))
			return fn->driver ? IOPMEM_STATE_IN_USE :
				IOPMEM_STATE_AVAILABLE;
	return IOPMEM_STATE_INELIGIBLE;
}

struct iopmem_function *
iopmem_function_get_parent(struct iopmem_function *fn)
{
	return fn->parent;
}

const char *iopmem_function_get_host_bridge(struct iopmem_function *fn)
{
	return fn->host_bridge;
}

bool iopmem_function_is_bridge(struct iopmem_function *fn)
{
	return fn->class >> 8 == 0x0604;
}

int iopmem_function_get_numa_node(struct iopmem_function *fn)
{
	char buf[64];
	struct text t;
	uint64_t node;
	int n = sysfs_read_attr(fn->syspath, "numa_node", buf, sizeof(buf));

	if (n < 0)
		return -ENODATA;
	t = (struct text){ buf, buf + n };
	if (text_dec(&t, INT_MAX, &node) || !text_is_empty(&t))
		return -ENODATA;
	return node;
}

int iopmem_function_get_iommu_group(struct iopmem_function *fn)
{
	char buf[NAME_MAX + 1];
	struct text t;
	uint64_t group;
	int n = sysfs_read_link(fn->syspath, "iommu_group", buf, sizeof(buf));

	if (n < 0)
		return -ENODATA;
	t = (struct text){ buf, buf + n };
	if (text_dec(&t, INT_MAX, &group) || !text_is_empty(&t))
		return -ENODATA;
	return group;
}

int iopmem_function_get_iommu_type(struct iopmem_function *fn,
				   const char **type)
{
	char buf[64];
	int n = sysfs_read_attr(fn->syspath, "iommu_group/type", buf, sizeof(buf));

	if (n == -ENOENT)
		return set_error(fn->ctx, n, "%s: has no IOMMU group", fn->name);
	if (n < 0)
		return set_error(fn->ctx, n, "%s: the type of its IOMMU group cannot be read: %s",
				 fn->name, strerror(-n));
	if (parse_iommu_type(buf, n, type))
		return set_error(fn->ctx, -EINVAL,
				 "%s: '%s' is no type of an IOMMU group, report it",
				 fn->name, buf);
	return 0;
}

static unsigned int read_speed(struct iopmem_function *fn, const char *attr)
{
	char buf[64];
	unsigned int speed = 0;
	int n = sysfs_read_attr(fn->syspath, attr, buf, sizeof(buf));

	if (n >= 0 && parse_link_speed(buf, n, &speed))
		speed = 0;
	return speed;
}

/* The kernel shows 0 or 255 lanes if a link is down. */
static int read_width(struct iopmem_function *fn, const char *attr,
		      unsigned int *width)
{
	char buf[64];
	struct text t;
	uint64_t lanes;
	int n = sysfs_read_attr(fn->syspath, attr, buf, sizeof(buf));

	if (n < 0)
		return n;
	t = (struct text){ buf, buf + n };
	if (text_dec(&t, 255, &lanes) || !text_is_empty(&t))
		return -EINVAL;
	*width = lanes > 32 ? 0 : lanes;
	return 0;
}

int iopmem_function_get_link(struct iopmem_function *fn,
			     struct iopmem_link *link)
{
	*link = (struct iopmem_link){};
	if (read_width(fn, "current_link_width", &link->width) ||
	    read_width(fn, "max_link_width", &link->max_width) ||
	    !link->max_width)
		return set_error(fn->ctx, -ENOENT, "%s: has no PCIe link",
				 fn->name);
	link->speed = read_speed(fn, "current_link_speed");
	link->max_speed = read_speed(fn, "max_link_speed");
	return 0;
}

/* The first implemented BAR from @index on */
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

bool iopmem_bar_is_memory(struct iopmem_bar *bar)
{
	return bar->res.flags & IORESOURCE_MEM;
}

bool iopmem_bar_is_prefetchable(struct iopmem_bar *bar)
{
	return bar->res.flags & IORESOURCE_PREFETCH;
}

bool iopmem_bar_is_64bit(struct iopmem_bar *bar)
{
	return bar->res.flags & IORESOURCE_MEM_64;
}

/* The kernel shows the start 0 for a BAR that it found no room for. */
bool iopmem_bar_is_assigned(struct iopmem_bar *bar)
{
	return bar->res.start && !(bar->res.flags & IORESOURCE_UNSET);
}

EXPORT uint64_t iopmem_bar_get_resource(struct iopmem_bar *bar)
{
	return iopmem_bar_is_assigned(bar) ? bar->res.start : UINT64_MAX;
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

EXPORT enum iopmem_ineligible
iopmem_bar_get_ineligible(struct iopmem_bar *bar)
{
	struct iopmem_ctx *ctx = bar->fn->ctx;

	bar_mask_read(ctx);
	if (!(ctx->bar_mask & 1u << bar->index))
		return IOPMEM_INELIGIBLE_NOT_IN_BARS;
	if (!iopmem_bar_is_memory(bar))
		return IOPMEM_INELIGIBLE_IO;
	if (!iopmem_bar_is_prefetchable(bar))
		return IOPMEM_INELIGIBLE_NOT_PREFETCHABLE;
	if (!iopmem_bar_is_assigned(bar))
		return IOPMEM_INELIGIBLE_UNASSIGNED;
	if (iopmem_bar_get_size(bar) < MIN_BAR_SIZE)
		return IOPMEM_INELIGIBLE_SMALL;
	if (beyond(ctx, bar->res.end))
		return IOPMEM_INELIGIBLE_BEYOND;
	return IOPMEM_ELIGIBLE;
}

/* These are the words of the driver's log. */
EXPORT const char *iopmem_ineligible_text(enum iopmem_ineligible reason)
{
	switch (reason) {
	case IOPMEM_ELIGIBLE:
		return NULL;
	case IOPMEM_INELIGIBLE_NOT_IN_BARS:
		return "not in bars=";
	case IOPMEM_INELIGIBLE_IO:
		return "I/O ports, not memory";
	case IOPMEM_INELIGIBLE_NOT_PREFETCHABLE:
		return "not prefetchable, so reading it may have side effects";
	case IOPMEM_INELIGIBLE_UNASSIGNED:
		return "no address assigned, try pci=realloc";
	case IOPMEM_INELIGIBLE_SMALL:
		return "smaller than 4 MiB";
	case IOPMEM_INELIGIBLE_BEYOND:
		return "beyond what the kernel maps, have the firmware place it lower";
	}
	return NULL;
}

int iopmem_bar_get_memory_type(struct iopmem_bar *bar, const char **type)
{
	struct iopmem_ctx *ctx = bar->fn->ctx;
	int rc = memory_type(ctx, bar->res.start, bar->res.end, type);

	if (!rc && !iopmem_bar_is_assigned(bar))
		rc = -ENXIO;
	if (rc == -ENXIO)
		set_error(ctx, rc, "%s: BAR %u: the kernel maps none of it",
			  bar->fn->name, bar->index);
	return rc;
}

int iopmem_bar_get_mtrr_type(struct iopmem_bar *bar, const char **type)
{
	struct iopmem_ctx *ctx = bar->fn->ctx;
	int rc = mtrr_type(ctx, bar->res.start, bar->res.end, type);

	if (!rc && !iopmem_bar_is_assigned(bar))
		rc = -ENXIO;
	if (rc == -ENXIO)
		set_error(ctx, rc,
			  "%s: BAR %u: no MTRR covers it, so it has the default type",
			  bar->fn->name, bar->index);
	return rc;
}

/* Configuration space and names, by libpci */

/* Sizes: without root, of a conventional function, of a PCIe function */
#define CONFIG_SIZE_USER	64
#define CONFIG_SIZE_PCI		256
#define CONFIG_SIZE_PCIE	4096

/*
 * libpci's error() must not return, and by default it ends the program. So the
 * library sets one that jumps back to in_libpci() in the same thread.
 */
struct escape {
	jmp_buf to;
	char message[256];
};

static __thread struct escape *escape;

__attribute__((format(printf, 1, 2), noreturn))
static void leave_libpci(char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(escape->message, sizeof(escape->message), format, args);
	va_end(args);
	longjmp(escape->to, 1);
}

/* Drop libpci's warnings: the caller reports these problems better. */
__attribute__((format(printf, 1, 2)))
static void say_nothing(char *format, ...)
{
	(void)format;
}

/* Call @fn, which calls libpci. -EIO if libpci calls error(). */
static int in_libpci(struct iopmem_ctx *ctx, void (*fn)(void *data), void *data)
{
	struct escape e;
	int rc = 0;

	escape = &e;
	if (!setjmp(e.to))
		fn(data);
	else
		rc = set_error(ctx, -EIO, "libpci gives up: %.*s",
			       (int)strcspn(e.message, "\n"), e.message);
	escape = NULL;
	return rc;
}

static void start_libpci(void *data)
{
	struct iopmem_ctx *ctx = data;

	ctx->pci->error = leave_libpci;
	ctx->pci->warning = say_nothing;
	ctx->pci->debug = say_nothing;
	ctx->pci->method = PCI_ACCESS_SYS_BUS_PCI;
	/* read base addresses from the registers: these are bus addresses */
	ctx->pci->buscentric = 1;
	/* names from pci.ids only: no cache in the home folder, no network */
	ctx->pci->id_lookup_mode = PCI_LOOKUP_NO_HWDB;
	pci_init(ctx->pci);
}

static int libpci_get(struct iopmem_ctx *ctx)
{
	if (!ctx->pci_tried) {
		ctx->pci_tried = true;
		ctx->pci = pci_alloc();
		ctx->pci_rc = in_libpci(ctx, start_libpci, ctx);
	}
	return ctx->pci_rc ?
		set_error(ctx, ctx->pci_rc, "libpci does not start") : 0;
}

struct name_job {
	struct iopmem_function *fn;
	int what;
	char buf[256];
	const char *name;
};

static void look_up_name(void *data)
{
	struct name_job *job = data;
	struct iopmem_function *fn = job->fn;

	job->name = pci_lookup_name(fn->ctx->pci, job->buf, sizeof(job->buf),
				    job->what | PCI_LOOKUP_NO_NUMBERS |
				    PCI_LOOKUP_NO_HWDB,
				    fn->vendor, fn->device);
}

/* To be freed. NULL if pci.ids is missing or does not have the name. */
static char *name_of(struct iopmem_function *fn, int what)
{
	struct name_job job = { .fn = fn, .what = what };
	struct iopmem_ctx *ctx = fn->ctx;

	if (ctx->names_failed || libpci_get(ctx))
		return NULL;
	if (in_libpci(ctx, look_up_name, &job)) {
		/* do not read a broken pci.ids again for each name */
		ctx->names_failed = true;
		return NULL;
	}
	return job.name ? strdup(job.name) : NULL;
}

static void names_read(struct iopmem_function *fn)
{
	if (fn->names_read)
		return;
	fn->names_read = true;
	fn->vendor_name = name_of(fn, PCI_LOOKUP_VENDOR);
	fn->device_name = name_of(fn, PCI_LOOKUP_DEVICE);
}

EXPORT const char *iopmem_function_get_vendor_name(struct iopmem_function *fn)
{
	names_read(fn);
	return fn->vendor_name;
}

EXPORT const char *iopmem_function_get_device_name(struct iopmem_function *fn)
{
	names_read(fn);
	return fn->device_name;
}

static int why_unreadable(struct iopmem_function *fn)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/config", fn->syspath);
	if (!access(path, R_OK))
		return -EIO;
	return errno == EACCES ? -EACCES : -ENOENT;
}

static int say_why(struct iopmem_function *fn, int rc)
{
	switch (rc) {
	case -EIO:
		return set_error(fn->ctx, rc,
				 "%s: its configuration space cannot be read, look into the kernel log",
				 fn->name);
	case -EACCES:
		return set_error(fn->ctx, rc,
				 "%s: reading its configuration space needs root",
				 fn->name);
	case -ENOENT:
		return set_error(fn->ctx, -ENODEV,
				 "%s: has gone while it was being read, try again",
				 fn->name);
	case -ENODEV:
		return set_error(fn->ctx, rc,
				 "%s: does not answer, is it switched off or gone?",
				 fn->name);
	default:
		return set_error(fn->ctx, rc, "out of memory");
	}
}

struct config_job {
	struct iopmem_function *fn;
	int want;
};

/*
 * A user can read 64 bytes, root 256, or 4096 for PCIe. Each dword is a round
 * trip to the function, so read no more than was asked for.
 */
static void read_config(void *data)
{
	static const int steps[] = {
		CONFIG_SIZE_USER, CONFIG_SIZE_PCI, CONFIG_SIZE_PCIE,
	};
	struct config_job *job = data;
	struct iopmem_function *fn = job->fn;
	size_t i;

	if (!fn->pci)
		fn->pci = pci_get_dev(fn->ctx->pci, fn->address.domain,
				      fn->address.bus, fn->address.dev,
				      fn->address.fn);
	for (i = 0; i < ARRAY_SIZE(steps) && fn->config_len < job->want; i++) {
		int len = fn->config_len;

		if (steps[i] <= len)
			continue;
		if (!pci_read_block(fn->pci, len, fn->config + len,
				    steps[i] - len))
			break;
		fn->config_len = steps[i];
	}
	/* now libpci reads from fn->config */
	pci_setup_cache(fn->pci, fn->config, fn->config_len);
}

static int config_read(struct iopmem_function *fn, int want)
{
	struct config_job job = { .fn = fn, .want = want };
	int rc = libpci_get(fn->ctx);

	if (rc)
		return rc;
	if (!fn->config) {
		fn->config = malloc(CONFIG_SIZE_PCIE);
		if (!fn->config)
			return -ENOMEM;
	}
	rc = in_libpci(fn->ctx, read_config, &job);
	if (rc)
		return rc;
	if (!fn->config_len)
		return why_unreadable(fn);
	if (fn->config[0] == 0xff && fn->config[1] == 0xff)
		return -ENODEV;
	return fn->config_len;
}

/* Read the first @want bytes, or all there are. Returns how many, or -errno. */
static int config_get(struct iopmem_function *fn, int want)
{
	if (fn->config_tried < want && fn->config_len >= 0) {
		int rc = config_read(fn, want);

		fn->config_tried = want;
		if (rc < 0)
			fn->config_len = rc;
	}
	return fn->config_len < 0 ? say_why(fn, fn->config_len) :
		fn->config_len;
}

struct cap_job {
	struct pci_dev *dev;
	unsigned int id;
	unsigned int type;
	struct pci_cap *cap;
};

static void find_cap(void *data)
{
	struct cap_job *job = data;

	job->cap = pci_find_cap(job->dev, job->id, job->type);
}

/* If a list is broken, libpci stops there, and its last entry points on. */
static bool is_list_broken(struct iopmem_function *fn, unsigned int type)
{
	unsigned int next, least = 64, len = fn->config_len;
	const struct pci_cap *cap;

	if (type == PCI_CAP_NORMAL) {
		next = pci_read_byte(fn->pci, PCI_CAPABILITY_LIST) & ~3u;
	} else {
		next = 0;
		least = CONFIG_SIZE_PCI;
	}
	for (cap = fn->pci->first_cap; cap; cap = cap->next) {
		if (cap->type != type)
			continue;
		if (cap->addr < least)
			return true;
		next = type == PCI_CAP_NORMAL ?
			pci_read_byte(fn->pci, cap->addr + PCI_CAP_LIST_NEXT) & ~3u :
			pci_read_long(fn->pci, cap->addr) >> 20 & ~3u;
	}
	if (!next)
		return false;
	/* a list of extended capabilities may end in an entry of zeros */
	return next < least || next + 4 > len || pci_read_long(fn->pci, next);
}

/*
 * The offset of a capability. -ENOENT if there is none, -EACCES if this needs
 * root, -EBADMSG if the list is broken.
 */
static int find_capability(struct iopmem_function *fn, unsigned int type,
			   unsigned int id)
{
	bool extended = type == PCI_CAP_EXTENDED;
	const char *what = extended ? "extended capability" : "capability";
	struct cap_job job = { .id = id, .type = type };
	int rc, len = config_get(fn, extended ? CONFIG_SIZE_PCIE : CONFIG_SIZE_PCI);

	if (len < 0)
		return len;
	if (len < CONFIG_SIZE_PCI &&
	    (extended || pci_read_word(fn->pci, PCI_STATUS) & PCI_STATUS_CAP_LIST))
		return set_error(fn->ctx, -EACCES,
				 "%s: reading its %s needs root", fn->name,
				 what);
	job.dev = fn->pci;
	rc = in_libpci(fn->ctx, find_cap, &job);
	if (rc)
		return rc;
	if (job.cap)
		return job.cap->addr;
	if (pci_read_word(fn->pci, PCI_STATUS) & PCI_STATUS_CAP_LIST &&
	    (is_list_broken(fn, PCI_CAP_NORMAL) || is_list_broken(fn, type)))
		return set_error(fn->ctx, -EBADMSG,
				 "%s: its list of capabilities is broken, the card is at fault",
				 fn->name);
	return set_error(fn->ctx, -ENOENT, "%s: has no %s %#x", fn->name, what,
			 id);
}

static void read_bases(void *data)
{
	pci_fill_info(data, PCI_FILL_BASES);
}

int bar_register(struct iopmem_bar *bar, uint64_t *address)
{
	struct iopmem_function *fn = bar->fn;
	int rc = config_get(fn, CONFIG_SIZE_USER);

	if (rc < 0)
		return rc;
	rc = in_libpci(fn->ctx, read_bases, fn->pci);
	if (rc)
		return rc;
	*address = fn->pci->base_addr[bar->index];
	*address &= *address & PCI_BASE_ADDRESS_SPACE_IO ? PCI_ADDR_IO_MASK :
		PCI_ADDR_MEM_MASK;
	return 0;
}

static int command_has(struct iopmem_function *fn, unsigned int bit)
{
	int len = config_get(fn, CONFIG_SIZE_USER);

	return len < 0 ? len :
		!!(pci_read_word(fn->pci, PCI_COMMAND) & bit);
}

int iopmem_function_is_bus_master(struct iopmem_function *fn)
{
	return command_has(fn, PCI_COMMAND_MASTER);
}

int iopmem_function_is_initiator(struct iopmem_function *fn)
{
	unsigned int base = fn->class >> 16, sub = fn->class >> 8;

	if (base == 0x06)
		return 0;
	if (base == 0x01 || base == 0x02 || base == 0x03 || base == 0x12 ||
	    sub == 0x0b40)
		return 1;
	return iopmem_function_is_bus_master(fn);
}

int iopmem_function_is_memory_on(struct iopmem_function *fn)
{
	return command_has(fn, PCI_COMMAND_MEMORY);
}

int iopmem_function_get_port_type(struct iopmem_function *fn)
{
	int at = find_capability(fn, PCI_CAP_NORMAL, PCI_CAP_ID_EXP);

	if (at < 0)
		return at;
	return (pci_read_word(fn->pci, at + PCI_EXP_FLAGS) &
		PCI_EXP_FLAGS_TYPE) >> 4;
}

int iopmem_function_get_acs(struct iopmem_function *fn, struct iopmem_acs *acs)
{
	int at = find_capability(fn, PCI_CAP_EXTENDED, PCI_EXT_CAP_ID_ACS);

	if (at < 0)
		return at;
	if (at + PCI_ACS_CTRL + 2 > fn->config_len)
		return set_error(fn->ctx, -EBADMSG,
				 "%s: its list of capabilities is broken, the card is at fault",
				 fn->name);
	acs->capability = pci_read_word(fn->pci, at + PCI_ACS_CAP);
	acs->control = pci_read_word(fn->pci, at + PCI_ACS_CTRL);
	return 0;
}
