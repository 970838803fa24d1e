// SPDX-License-Identifier: GPL-2.0-only
/* ndctl-iopmem map: a picture of a BAR */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <ndctl/libndctl.h>

#include "cmd.h"

static const char usage[] =
"usage: ndctl-iopmem map [<options>] <function>\n"
"\n"
FUNCTION_HELP
"\n"
"    -s, --svg <file>      draw it into a file, - is the standard output\n";

#define COLUMNS		80

enum kind {
	RAW,
	SECTOR,
	FSDAX,
	DEVDAX,
	OTHER,
	FREE,
	LOST,
	LABELS,
};

static const struct {
	const char *name;
	char symbol;
	const char *color;
} kinds[] = {
	[RAW] = { "raw", 'R', "#8c6d31" },
	[SECTOR] = { "sector", 'S', "#7b5ea7" },
	[FSDAX] = { "fsdax", 'F', "#2f7fbf" },
	[DEVDAX] = { "devdax", 'D', "#d1782a" },
	[OTHER] = { "unknown", '?', "#808080" },
	[FREE] = { "free", '.', "#e6f2e6" },
	[LOST] = { "lost to alignment", '-', "#d9a3a3" },
	[LABELS] = { "label area", 'L', "#3f3f46" },
};

void size_for_people(char *buf, size_t len, uint64_t bytes)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	uint64_t unit = 1;
	size_t i;

	for (i = 0; i + 1 < ARRAY_SIZE(units) && bytes / unit >= 1024; i++)
		unit <<= 10;
	if (bytes % unit)
		snprintf(buf, len, "%.2f %s", (double)bytes / unit, units[i]);
	else
		snprintf(buf, len, "%" PRIu64 " %s", bytes / unit, units[i]);
}

static enum kind kind_of(struct ndctl_namespace *ndns)
{
	const char *mode = namespace_mode(ndns);
	int i;

	for (i = RAW; i < OTHER; i++)
		if (!strcmp(mode, kinds[i].name))
			break;
	return i;
}

static int add(struct picture *p, enum kind is, uint64_t offset,
	       uint64_t size, const char *what)
{
	struct segment *more;

	if (!size)
		return EXIT_OK;
	more = realloc(p->segments, (p->num_segments + 1) * sizeof(*more));
	if (!more)
		return print_error(EXIT_FAILED, "out of memory");
	p->segments = more;
	more += p->num_segments++;
	*more = (struct segment){
		.offset = offset,
		.size = size,
		.symbol = kinds[is].symbol,
		.color = kinds[is].color,
	};
	snprintf(more->what, sizeof(more->what), "%s", what);
	return EXIT_OK;
}

/* A gap between namespaces. Only whole units of the alignment are usable. */
static int add_gap(struct picture *p, uint64_t start, uint64_t end,
		   uint64_t align)
{
	uint64_t first = (start + align - 1) / align * align;
	uint64_t last = end / align * align;
	int rc;

	if (first >= last)
		return add(p, LOST, start, end - start, kinds[LOST].name);
	rc = add(p, LOST, start, first - start, kinds[LOST].name);
	if (!rc)
		rc = add(p, FREE, first, last - first, kinds[FREE].name);
	if (!rc)
		rc = add(p, LOST, last, end - last, kinds[LOST].name);
	return rc;
}

static int add_namespace(struct picture *p, struct ndctl_namespace *ndns,
			 uint64_t offset)
{
	const char *name = ndctl_namespace_get_alt_name(ndns);
	char what[200];

	snprintf(what, sizeof(what), "%s %s%s%s%s",
		 ndctl_namespace_get_devname(ndns), namespace_mode(ndns),
		 name && name[0] ? " \"" : "", name ? name : "",
		 name && name[0] ? "\"" : "");
	return add(p, kind_of(ndns), offset, ndctl_namespace_get_size(ndns),
		   what);
}

struct place {
	uint64_t offset;	/* in the region */
	struct ndctl_namespace *ndns;
};

static int by_offset(const void *a, const void *b)
{
	const struct place *first = a, *second = b;

	return (first->offset > second->offset) - (first->offset < second->offset);
}

/* The namespaces sorted by offset, to be freed. NULL without memory. */
static struct place *places(struct ndctl_region *region, uint64_t base, size_t *num)
{
	struct ndctl_namespace *ndns;
	struct place *list;

	*num = 0;
	ndctl_namespace_foreach(region, ndns)
		if (namespace_is_used(ndns))
			++*num;
	list = calloc(*num + 1, sizeof(*list));
	if (!list)
		return NULL;
	*num = 0;
	ndctl_namespace_foreach(region, ndns)
		if (namespace_is_used(ndns))
			list[(*num)++] = (struct place){
				.offset = ndctl_namespace_get_resource(ndns) - base,
				.ndns = ndns,
			};
	qsort(list, *num, sizeof(*list), by_offset);
	return list;
}

/* Only root can read where namespaces are. */
static bool places_known(struct ndctl_region *region)
{
	struct ndctl_namespace *ndns;

	ndctl_namespace_foreach(region, ndns)
		if (namespace_is_used(ndns) &&
		    ndctl_namespace_get_resource(ndns) == ULLONG_MAX)
			return false;
	return true;
}

static void describe_cost(struct picture *p, uint64_t align)
{
	uint64_t now = 0, then = 0;
	char a[32], b[32], c[32];
	size_t i;

	/* of what is lost, 2 MiB alignment could use whole units of 2 MiB */
	for (i = 0; i < p->num_segments; i++)
		if (p->segments[i].symbol == kinds[LOST].symbol) {
			uint64_t start = p->segments[i].offset;
			uint64_t end = start + p->segments[i].size;
			uint64_t first = (start + SMALL_ALIGN - 1) /
				SMALL_ALIGN * SMALL_ALIGN;
			uint64_t last = end / SMALL_ALIGN * SMALL_ALIGN;

			now += end - start;
			then += last > first ? last - first : 0;
		}
	size_for_people(a, sizeof(a), align);
	size_for_people(b, sizeof(b), now);
	size_for_people(c, sizeof(c), then);
	if (align > SMALL_ALIGN && then)
		snprintf(p->cost, sizeof(p->cost),
			 "an alignment of %s costs %s; with 2 MiB %s of it could be used",
			 a, b, c);
	else
		snprintf(p->cost, sizeof(p->cost),
			 "an alignment of %s costs %s", a, b);
}

static int add_namespaces(struct picture *p, const struct place *list, size_t num,
			  uint64_t size, uint64_t align)
{
	uint64_t at = 0;
	size_t i;
	int rc;

	for (i = 0; i < num; i++) {
		uint64_t offset = list[i].offset;
		uint64_t length = ndctl_namespace_get_size(list[i].ndns);

		if (offset < at || offset > size || length > size - offset)
			return print_error(EXIT_FAILED,
					   "%s: lies outside its region or in another namespace, report it",
					   ndctl_namespace_get_devname(list[i].ndns));
		rc = add_gap(p, at, offset, align);
		if (!rc)
			rc = add_namespace(p, list[i].ndns, offset);
		if (rc)
			return rc;
		at = offset + length;
	}
	return add_gap(p, at, size, align);
}

static int draw(struct picture *p, struct iopmem_bar *bar,
		struct iopmem_region *region)
{
	struct iopmem_function *fn = iopmem_bar_get_function(bar);
	struct ndctl_region *nd = iopmem_region_get_ndctl(region);
	uint64_t base = iopmem_bar_get_resource(bar);
	uint64_t size = ndctl_region_get_size(nd);
	uint64_t align = ndctl_region_get_align(nd);
	struct place *list;
	char text[32];
	size_t num;
	int rc;

	*p = (struct picture){ .size = iopmem_bar_get_size(bar) };
	size_for_people(text, sizeof(text), p->size);
	snprintf(p->title, sizeof(p->title), "%s BAR %u, %s, %s",
		 iopmem_function_get_address(fn), iopmem_bar_get_index(bar),
		 text, ndctl_region_get_devname(nd));
	if (!align || align == ULONG_MAX || size > p->size)
		return print_error(EXIT_FAILED,
				   "%s: its alignment or size is not what the kernel writes, report it",
				   ndctl_region_get_devname(nd));
	if (!places_known(nd))
		return print_error(EXIT_FAILED,
				   "%s: only root can see where its namespaces are",
				   ndctl_region_get_devname(nd));

	list = places(nd, base, &num);
	if (!list)
		return print_error(EXIT_FAILED, "out of memory");
	rc = add_namespaces(p, list, num, size, align);
	free(list);
	if (!rc)
		rc = add(p, LABELS, size, p->size - size, kinds[LABELS].name);
	describe_cost(p, align);
	return rc;
}

/* The terminal's width, or 80, but at least one column for each segment */
static size_t columns(const struct picture *p)
{
	size_t wide = COLUMNS;
	struct winsize size;

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col > 20)
		wide = size.ws_col;
	wide -= 2;
	return wide > p->num_segments ? wide : p->num_segments;
}

static size_t share(const struct picture *p, size_t i, size_t columns)
{
	return (double)p->segments[i].size / p->size * columns;
}

static void print_bar(const struct picture *p)
{
	size_t wide = columns(p), spare = wide - p->num_segments;
	size_t left = spare, largest = 0, i, n;

	for (i = 0; i < p->num_segments; i++) {
		left -= share(p, i, spare);
		if (p->segments[i].size > p->segments[largest].size)
			largest = i;
	}
	putchar('[');
	for (i = 0; i < p->num_segments; i++) {
		n = 1 + share(p, i, spare);
		if (i == largest)
			n += left;
		while (n--)
			putchar(p->segments[i].symbol);
	}
	puts("]");
}

static void print_picture(const struct picture *p)
{
	char text[32];
	size_t i;

	put_text(stdout, "%s", p->title);
	putchar('\n');
	print_bar(p);
	for (i = 0; i < p->num_segments; i++) {
		size_for_people(text, sizeof(text), p->segments[i].size);
		put_text(stdout, "  %c  0x%011" PRIx64 "  %12s  %s",
			 p->segments[i].symbol, p->segments[i].offset, text,
			 p->segments[i].what);
		putchar('\n');
	}
	puts(p->cost);
}

static int draw_all(struct iopmem_ctx *ctx, const struct specs *specs,
		    const char *text, struct picture **pictures, size_t *n)
{
	struct iopmem_function *fn;
	struct iopmem_bar *bar;
	int rc = EXIT_OK;

	iopmem_function_foreach(ctx, fn) {
		if (!specs_match(specs, fn))
			continue;
		iopmem_bar_foreach(fn, bar) {
			struct iopmem_region *region = iopmem_bar_get_region(bar);
			struct picture *more;

			if (!region)
				continue;
			more = realloc(*pictures, (*n + 1) * sizeof(*more));
			if (!more)
				return print_error(EXIT_FAILED, "out of memory");
			*pictures = more;
			rc = draw(&more[(*n)++], bar, region);
			if (rc)
				return rc;
		}
	}
	if (!*n)
		rc = print_error(EXIT_FAILED,
				 "%s: no BAR of it is a region, 'ndctl-iopmem list %s' says why",
				 text, text);
	return rc;
}

static int cmd_map(int argc, char **argv, struct iopmem_ctx *ctx)
{
	static const struct option options[] = {
		{ "svg", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct picture *pictures = NULL;
	struct specs specs;
	const char *svg = NULL;
	int rc = EXIT_OK, o;
	size_t n = 0, i;

	while ((o = next_option(argc, argv, ":s:h", options, &rc)) != -1) {
		if (o != 's')
			return rc;
		svg = optarg;
	}
	if (argc - optind != 1)
		return print_error(EXIT_USAGE,
				   "give one function, see 'ndctl-iopmem map --help'");

	/* ignore functions that could not be read: they have no picture */
	if (iopmem_scan(ctx) < 0)
		return print_ctx_error(EXIT_FAILED, ctx);
	rc = specs_read(ctx, argv + optind, 1, &specs);
	if (!rc)
		rc = draw_all(ctx, &specs, argv[optind], &pictures, &n);
	specs_free(&specs);
	if (!rc && svg)
		rc = svg_write(svg, pictures, n);
	for (i = 0; i < n; i++) {
		if (!rc && !svg)
			print_picture(&pictures[i]);
		free(pictures[i].segments);
	}
	free(pictures);
	return rc;
}

const struct command command_map = {
	.name = "map",
	.summary = "a picture of a BAR: label area, namespaces, free space",
	.usage = usage,
	.run = cmd_map,
};
