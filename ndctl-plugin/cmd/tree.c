// SPDX-License-Identifier: GPL-2.0-only
/* ndctl-iopmem list --tree: the PCI tree, with targets and initiators */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ndctl/libndctl.h>

#include "cmd.h"

static bool is_target(struct iopmem_function *fn,
		      const struct tree_options *options)
{
	return iopmem_function_get_state(fn) != IOPMEM_STATE_UNFIT &&
		matches_specs(fn, options->specs, options->num_specs);
}

/* Shown: what is marked, and what is above it. */
static bool is_shown(struct iopmem_function *fn,
		     const struct tree_options *options)
{
	struct iopmem_function *child;

	if (options->all || is_target(fn, options) ||
	    iopmem_function_is_initiator(fn) > 0)
		return true;
	iopmem_function_child_foreach(fn, child)
		if (is_shown(child, options))
			return true;
	return false;
}

static void print_target(struct iopmem_function *fn)
{
	struct iopmem_bar *bar;

	fputs("  target", stdout);
	iopmem_bar_foreach(fn, bar) {
		struct iopmem_region *region = iopmem_bar_get_region(bar);

		if (region)
			printf(", BAR %u %s", iopmem_bar_get_index(bar),
			       ndctl_region_get_devname(iopmem_region_get_ndctl(region)));
		else if (!iopmem_bar_get_unfit(bar))
			printf(", BAR %u", iopmem_bar_get_index(bar));
	}
	if (iopmem_function_get_state(fn) == IOPMEM_STATE_AVAILABLE)
		fputs(" not bound", stdout);
}

static int print_function(struct iopmem_function *fn,
			  const struct tree_options *options)
{
	const char *driver = iopmem_function_get_driver(fn);
	int initiator = iopmem_function_is_initiator(fn);

	printf("%s %04x:%04x", iopmem_function_get_address(fn),
	       iopmem_function_get_vendor(fn), iopmem_function_get_device(fn));
	if (driver)
		printf(" %s", driver);
	if (is_target(fn, options))
		print_target(fn);
	if (initiator > 0)
		printf("  initiator%s", iopmem_function_is_bus_master(fn) == 0 ?
		       ", bus mastering off" : "");
	putchar('\n');
	return initiator < 0 ?
		complain_ctx(EXIT_FAILED, iopmem_function_get_ctx(fn)) :
		EXIT_OK;
}

/* @next is the first of the siblings that is shown, or NULL. */
static struct iopmem_function *shown_from(struct iopmem_function *fn,
					  const struct tree_options *options)
{
	while (fn && !is_shown(fn, options))
		fn = iopmem_function_get_next_sibling(fn);
	return fn;
}

static int print_below(struct iopmem_function *fn, char *prefix, size_t size,
		       const struct tree_options *options)
{
	struct iopmem_function *child, *next;
	size_t len = strlen(prefix);
	int rc = EXIT_OK, child_rc;

	child = shown_from(iopmem_function_get_first_child(fn), options);
	for (; child; child = next) {
		next = shown_from(iopmem_function_get_next_sibling(child),
				  options);
		printf("%s+-", prefix);
		child_rc = print_function(child, options);
		rc = child_rc ? child_rc : rc;
		snprintf(prefix + len, size - len, "%s", next ? "| " : "  ");
		child_rc = print_below(child, prefix, size, options);
		rc = child_rc ? child_rc : rc;
		prefix[len] = 0;
	}
	return rc;
}

int tree_print(struct iopmem_ctx *ctx, const struct tree_options *options)
{
	const char *bridge = "";
	struct iopmem_function *fn;
	int rc = EXIT_OK, fn_rc;
	char prefix[1024];

	iopmem_function_foreach(ctx, fn) {
		const char *host = iopmem_function_get_host_bridge(fn);

		if (iopmem_function_get_parent(fn) || !is_shown(fn, options))
			continue;
		if (!host)
			host = "no host bridge";
		if (strcmp(host, bridge))
			printf("%s\n", host);
		bridge = host;
		printf("+-");
		fn_rc = print_function(fn, options);
		rc = fn_rc ? fn_rc : rc;
		strcpy(prefix, "| ");
		fn_rc = print_below(fn, prefix, sizeof(prefix), options);
		rc = fn_rc ? fn_rc : rc;
	}
	return rc;
}
