// SPDX-License-Identifier: LGPL-2.1-or-later
/* The path from one function to another, and whether DMA gets through */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define MAX_HOPS	64
/* enough: at most two for each function, and a few for the whole path */
#define MAX_REASONS	(4 * MAX_HOPS + 8)

struct reason {
	enum iopmem_path_reason code;
	char *text;
};

struct iopmem_path {
	struct iopmem_ctx *ctx;
	enum iopmem_verdict verdict;
	struct iopmem_function *common;
	struct iopmem_function *hops[2 * MAX_HOPS];
	unsigned int num_hops;
	unsigned int num_up;
	unsigned int num_down;
	struct reason reasons[MAX_REASONS];
	unsigned int num_reasons;
	bool no_memory;
};

/*
 * Host bridges that are known to pass peer-to-peer DMA, from
 * pci_p2pdma_whitelist in drivers/pci/p2pdma.c of Linux 7.3. The ids are those
 * of the first function on the root bus. "same": only if both functions are
 * below this host bridge.
 */
static const struct {
	uint16_t vendor;
	uint16_t device;	/* 0: any */
	bool same;
} known_good[] = {
	{ 0x8086, 0x3c00, true }, { 0x8086, 0x3c01, true },
	{ 0x8086, 0x2f00, true }, { 0x8086, 0x2f01, true },
	{ 0x8086, 0x2030, false }, { 0x8086, 0x2031, false },
	{ 0x8086, 0x2032, false }, { 0x8086, 0x2033, false },
	{ 0x8086, 0x2020, false }, { 0x8086, 0x09a2, false },
	{ 0x8086, 0x0b25, false }, { 0x8086, 0x0cfe, false },
	{ 0x8086, 0x11fb, false }, { 0x8086, 0x1212, false },
	{ 0x8086, 0x1216, false }, { 0x8086, 0x4940, false },
	{ 0x8086, 0x4942, false }, { 0x8086, 0x4944, false },
	{ 0x8086, 0x4946, false }, { 0x8086, 0x4948, false },
	{ 0x1ae0, 0, false },
	{ 0x10de, 0x2f95, false }, { 0x10de, 0x2f96, false },
	{ 0x10de, 0x2f97, false }, { 0x10de, 0x2f98, false },
};

__attribute__((format(printf, 3, 4)))
static void add_reason(struct iopmem_path *p, enum iopmem_path_reason code,
		       const char *format, ...)
{
	struct reason *reason = &p->reasons[p->num_reasons];
	va_list args;

	reason->code = code;
	va_start(args, format);
	if (vasprintf(&reason->text, format, args) < 0)
		p->no_memory = true;
	else
		p->num_reasons++;
	va_end(args);
}

static unsigned int depth(struct iopmem_function *fn)
{
	unsigned int n = 0;

	for (; fn; fn = fn->parent)
		n++;
	return n;
}

static struct iopmem_function *common_of(struct iopmem_function *a,
					 struct iopmem_function *b)
{
	unsigned int da = depth(a), db = depth(b);

	for (; da > db; da--)
		a = a->parent;
	for (; db > da; db--)
		b = b->parent;
	while (a != b) {
		a = a->parent;
		b = b->parent;
	}
	return a;
}

/* Go up from the initiator to the common bridge, then down to the target. */
static int collect(struct iopmem_path *p, struct iopmem_function *from,
		   struct iopmem_function *to)
{
	struct iopmem_function *fn;
	unsigned int at;

	if (depth(from) >= MAX_HOPS || depth(to) >= MAX_HOPS)
		return -E2BIG;
	p->common = common_of(from, to);
	p->num_up = depth(from) - depth(p->common);
	p->num_down = depth(to) - depth(p->common);
	for (at = 0, fn = from; fn != p->common; fn = fn->parent)
		p->hops[at++] = fn;
	if (p->common)
		p->hops[at++] = p->common;
	p->num_hops = at + p->num_down;
	for (at = p->num_hops, fn = to; fn != p->common; fn = fn->parent)
		p->hops[--at] = fn;
	return 0;
}

static const char *host_of(struct iopmem_function *fn)
{
	return fn->host_bridge ? fn->host_bridge : "an unknown host bridge";
}

static bool same_host(struct iopmem_function *a, struct iopmem_function *b)
{
	return a->host_bridge && b->host_bridge &&
		!strcmp(a->host_bridge, b->host_bridge);
}

/* The first function on the root bus. Its ids identify the host bridge. */
static struct iopmem_function *host_function(struct iopmem_function *fn)
{
	struct iopmem_function *first = fn->ctx->functions, *at = fn;

	while (at->parent)
		at = at->parent;
	/* the functions are sorted by address */
	while (at > first && !at[-1].has_parent && same_host(&at[-1], fn))
		at--;
	if (at->has_parent || !same_host(at, fn))
		return NULL;
	if ((!at->address.dev && !at->address.fn) ||
	    iopmem_function_get_port_type(at) == IOPMEM_PORT_ROOT)
		return at;
	return NULL;
}

static bool listed(struct iopmem_path *p, struct iopmem_function *fn, bool same)
{
	struct iopmem_function *host = host_function(fn);
	size_t i;

	if (!host) {
		add_reason(p, IOPMEM_REASON_HOST_UNKNOWN,
			   "nothing tells which host bridge %s is: it has neither a function 00.0 nor a root port, or it takes root to read them",
			   host_of(fn));
		return false;
	}
	for (i = 0; i < ARRAY_SIZE(known_good); i++) {
		if (known_good[i].vendor != host->vendor ||
		    (known_good[i].device &&
		     known_good[i].device != host->device))
			continue;
		if (known_good[i].same && !same)
			break;
		add_reason(p, IOPMEM_REASON_HOST_LISTED,
			   "host bridge %s (%04x:%04x) is one that Linux %s lists as passing peer-to-peer DMA",
			   host_of(fn), host->vendor, host->device,
			   IOPMEM_KNOWN_GOOD_KERNEL);
		return true;
	}
	add_reason(p, IOPMEM_REASON_HOST_NOT_LISTED,
		   "host bridge %s (%04x:%04x) is not one that Linux %s lists as passing peer-to-peer DMA%s",
		   host_of(fn), host->vendor, host->device, IOPMEM_KNOWN_GOOD_KERNEL,
		   i < ARRAY_SIZE(known_good) ? " to another host bridge" : "");
	return false;
}

static bool through_root(struct iopmem_path *p, struct iopmem_function *from,
			 struct iopmem_function *to)
{
	if (cpu_get(from->ctx)->zen) {
		add_reason(p, IOPMEM_REASON_HOST_LISTED,
			   "AMD processors since Zen pass peer-to-peer DMA between their root ports");
		return true;
	}
	if (same_host(from, to))
		return listed(p, from, true);
	return listed(p, from, false) && listed(p, to, false);
}

static bool is_end(struct iopmem_path *p, unsigned int i)
{
	return i == 0 || i + 1 == p->num_hops;
}

/*
 * This looks at the same functions, and at the same bits, as
 * pci_bridge_has_acs_redir() in the kernel's drivers/pci/p2pdma.c.
 */
static int look_at_acs(struct iopmem_path *p, bool *redirects, bool *blocks)
{
	unsigned int i;
	int unknown = 0;

	for (i = 0; i < p->num_hops; i++) {
		struct iopmem_function *fn = p->hops[i];
		struct iopmem_acs acs;
		int rc = iopmem_function_get_acs(fn, &acs);

		if (rc == -ENOENT)
			continue;
		if (rc == -EACCES) {
			if (!is_end(p, i))
				unknown++;
			continue;
		}
		if (rc < 0)
			return rc;
		if (acs.control & IOPMEM_ACS_REQUEST_REDIRECT) {
			add_reason(p, IOPMEM_REASON_ACS_REDIRECTS,
				   "ACS at %s redirects requests upstream", fn->name);
			*redirects = true;
		} else if (acs.control & IOPMEM_ACS_COMPLETION_REDIRECT) {
			add_reason(p, IOPMEM_REASON_ACS_REDIRECTS,
				   "ACS at %s redirects completions upstream",
				   fn->name);
			*redirects = true;
		} else if (acs.control & IOPMEM_ACS_EGRESS_CONTROL) {
			add_reason(p, IOPMEM_REASON_ACS_BLOCKS,
				   "ACS at %s controls egress without redirecting, so that peer requests are errors where its vector says so",
				   fn->name);
			*blocks = true;
		}
	}
	return unknown;
}

/* Bus mastering on the way up, and memory decoding on the way down */
static int look_at_commands(struct iopmem_path *p)
{
	unsigned int i;
	int on;

	for (i = 0; i < p->num_up; i++) {
		on = iopmem_function_is_bus_master(p->hops[i]);
		if (on < 0)
			return on;
		if (on)
			continue;
		add_reason(p, IOPMEM_REASON_BUS_MASTER_OFF,
			   "bus mastering is off at %s (BusMaster-)%s",
			   p->hops[i]->name, i ? ": it passes no requests upstream" :
			   ": its driver, or setpci, has to switch it on");
		p->verdict = IOPMEM_VERDICT_BLOCKED;
	}
	for (i = p->num_hops - p->num_down; i < p->num_hops; i++) {
		on = iopmem_function_is_memory_on(p->hops[i]);
		if (on < 0)
			return on;
		if (on)
			continue;
		add_reason(p, IOPMEM_REASON_MEMORY_OFF,
			   "memory decoding is off at %s (Mem-)%s",
			   p->hops[i]->name, i + 1 < p->num_hops ?
			   ": it passes no requests downstream" :
			   ": binding it switches it on");
		p->verdict = IOPMEM_VERDICT_BLOCKED;
	}
	return 0;
}

/* Sets *@translates if the initiator's requests have to go to the IOMMU. */
static int look_at_iommu(struct iopmem_path *p, struct iopmem_function *from,
			 bool *translates)
{
	const char *type, *means;
	int rc;

	rc = iopmem_function_get_iommu_type(from, &type);
	if (rc == -ENOENT) {
		add_reason(p, IOPMEM_REASON_NO_IOMMU,
			   "%s is in no IOMMU group: addresses go out as they are",
			   from->name);
		return 0;
	}
	if (rc < 0)
		return rc;
	if (!strcmp(type, "identity"))
		means = "addresses go out as they are";
	else if (!strcmp(type, "blocked"))
		means = "it can do no DMA";
	else if (!strncmp(type, "DMA", 3))	/* also "DMA-FQ" */
		means =
		"addresses are translated in the root complex, so that DMA goes there";
	else
		means =
		"the owner of the group decides how addresses are translated in the root complex";
	add_reason(p, IOPMEM_REASON_IOMMU_TYPE,
		   "the IOMMU group of %s has the type %s: %s", from->name, type,
		   means);
	*translates = strcmp(type, "identity") != 0;
	if (!strcmp(type, "blocked"))
		p->verdict = IOPMEM_VERDICT_BLOCKED;
	return 0;
}

static int evaluate(struct iopmem_path *p, struct iopmem_function *from,
		    struct iopmem_function *to)
{
	bool redirects = false, blocks = false, translates = false;
	bool direct = false;
	int rc, unknown;

	if (from == to) {
		p->verdict = IOPMEM_VERDICT_DIRECT;
		add_reason(p, IOPMEM_REASON_SAME_FUNCTION,
			   "it is one and the same function");
		return 0;
	}

	rc = look_at_commands(p);
	if (!rc)
		rc = look_at_iommu(p, from, &translates);
	if (rc)
		return rc;
	unknown = look_at_acs(p, &redirects, &blocks);
	if (unknown < 0)
		return unknown;
	if (p->verdict == IOPMEM_VERDICT_BLOCKED)
		return 0;

	if (!p->common) {
		add_reason(p, IOPMEM_REASON_HOST_BRIDGE,
			   "no bridge is above both: between them is %s",
			   same_host(from, to) ? "the host bridge" :
			   "more than one host bridge");
	} else if (unknown) {
		add_reason(p, IOPMEM_REASON_ACS_UNKNOWN,
			   "reading whether ACS redirects needs root");
		p->verdict = IOPMEM_VERDICT_UNKNOWN;
		return 0;
	} else if (blocks && !redirects) {
		p->verdict = IOPMEM_VERDICT_BLOCKED;
		return 0;
	} else if (!redirects && !translates) {
		direct = true;
		add_reason(p, IOPMEM_REASON_COMMON_BRIDGE,
			   "%s is above both", p->common->name);
	}

	/* the hypervisor made up the bridges and processor that we see */
	if (cpu_get(from->ctx)->hypervisor)
		add_reason(p, IOPMEM_REASON_VIRTUAL_MACHINE,
			   "in a virtual machine the hypervisor decides");
	else if (direct)
		p->verdict = IOPMEM_VERDICT_DIRECT;
	else if (through_root(p, from, to))
		p->verdict = IOPMEM_VERDICT_ROOT_COMPLEX;
	return 0;
}

EXPORT int iopmem_path_new(struct iopmem_function *initiator,
			   struct iopmem_function *target,
			   struct iopmem_path **path)
{
	struct iopmem_path *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return set_error(initiator->ctx, -ENOMEM, "out of memory");
	p->ctx = context_get(initiator->ctx);
	rc = collect(p, initiator, target);
	if (rc)
		set_error(p->ctx, rc, "%s or %s: more than %d bridges above it",
			  initiator->name, target->name, MAX_HOPS);
	else
		rc = evaluate(p, initiator, target);
	if (!rc && p->no_memory)
		rc = set_error(p->ctx, -ENOMEM, "out of memory");
	if (rc) {
		iopmem_path_free(p);
		return rc;
	}
	*path = p;
	return 0;
}

EXPORT void iopmem_path_free(struct iopmem_path *path)
{
	if (!path)
		return;
	while (path->num_reasons)
		free(path->reasons[--path->num_reasons].text);
	context_put(path->ctx);
	free(path);
}

EXPORT enum iopmem_verdict iopmem_path_get_verdict(struct iopmem_path *path)
{
	return path->verdict;
}

EXPORT const char *iopmem_verdict_text(enum iopmem_verdict verdict)
{
	switch (verdict) {
	case IOPMEM_VERDICT_UNKNOWN:
		return "unknown";
	case IOPMEM_VERDICT_DIRECT:
		return "direct";
	case IOPMEM_VERDICT_ROOT_COMPLEX:
		return "root-complex";
	case IOPMEM_VERDICT_BLOCKED:
		return "blocked";
	}
	return NULL;
}

struct iopmem_function *iopmem_path_get_common(struct iopmem_path *path)
{
	return path->common;
}

EXPORT struct iopmem_function *
iopmem_path_get_function(struct iopmem_path *path, unsigned int index)
{
	return index < path->num_hops ? path->hops[index] : NULL;
}

EXPORT int iopmem_path_get_reason(struct iopmem_path *path, unsigned int index)
{
	return index < path->num_reasons ? (int)path->reasons[index].code :
		-ENODATA;
}

EXPORT const char *iopmem_path_get_reason_text(struct iopmem_path *path,
					       unsigned int index)
{
	return index < path->num_reasons ? path->reasons[index].text : NULL;
}
