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
	return iopmem_function_get_state(fn) != IOPMEM_STATE_INELIGIBLE &&
		specs_match(options->specs, fn);
}

/* Show targets and initiators, and the bridges above them. */
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
		else if (iopmem_function_get_state(fn) != IOPMEM_STATE_BOUND &&
			 !iopmem_ineligible_text(iopmem_bar_get_ineligible(bar)))
			printf(", BAR %u", iopmem_bar_get_index(bar));
	}
	if (iopmem_function_get_state(fn) != IOPMEM_STATE_BOUND)
		fputs(", not bound", stdout);
}

static int print_function(struct iopmem_function *fn,
			  const struct tree_options *options)
{
	const char *driver = iopmem_function_get_driver(fn);
	int initiator = iopmem_function_is_initiator(fn);

	put_function(fn);
	if (driver)
		put_text(stdout, " %s", driver);
	if (is_target(fn, options))
		print_target(fn);
	if (initiator > 0)
		printf("  initiator%s", iopmem_function_is_bus_master(fn) == 0 ?
		       ", bus mastering off" : "");
	putchar('\n');
	return initiator < 0 ?
		print_ctx_error(EXIT_FAILED, iopmem_function_get_ctx(fn)) :
		EXIT_OK;
}

/* The first function that is shown, of @fn and its next siblings, or NULL */
static struct iopmem_function *shown_from(struct iopmem_function *fn,
					  const struct tree_options *options)
{
	while (fn && !is_shown(fn, options))
		fn = iopmem_function_get_next_sibling(fn);
	return fn;
}

/* Returns the worse of two exit codes. */
static int worse(int a, int b)
{
	return a > b ? a : b;
}

static int print_branch(struct iopmem_function *fn, char *prefix, size_t size,
			bool last, const struct tree_options *options)
{
	struct iopmem_function *child, *next;
	size_t len = strlen(prefix);
	int rc;

	printf("%s+-", prefix);
	rc = print_function(fn, options);
	snprintf(prefix + len, size - len, "%s", last ? "  " : "| ");
	child = shown_from(iopmem_function_get_first_child(fn), options);
	for (; child; child = next) {
		next = shown_from(iopmem_function_get_next_sibling(child),
				  options);
		rc = worse(rc, print_branch(child, prefix, size, !next,
					    options));
	}
	prefix[len] = 0;
	return rc;
}

static const char *host_of(struct iopmem_function *fn)
{
	const char *host = fn ? iopmem_function_get_host_bridge(fn) : "";

	return host ? host : "no host bridge";
}

/* The first function on a root bus that is shown, from @fn on, or NULL */
static struct iopmem_function *root_from(struct iopmem_function *fn,
					 const struct tree_options *options)
{
	while (fn && (iopmem_function_get_parent(fn) ||
		      !is_shown(fn, options)))
		fn = iopmem_function_get_next(fn);
	return fn;
}

int tree_print(struct iopmem_ctx *ctx, const struct tree_options *options)
{
	struct iopmem_function *fn, *next;
	const char *host = "";
	int rc = EXIT_OK;
	char prefix[1024] = "";

	fn = root_from(iopmem_function_get_first(ctx), options);
	for (; fn; fn = next) {
		next = root_from(iopmem_function_get_next(fn), options);
		if (strcmp(host_of(fn), host))
			puts(host_of(fn));
		host = host_of(fn);
		rc = worse(rc, print_branch(fn, prefix, sizeof(prefix),
					    strcmp(host_of(next), host),
					    options));
	}
	return rc;
}
