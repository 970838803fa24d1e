// SPDX-License-Identifier: GPL-2.0-only
/* The functions that the command line names, parsed by libpci as in lspci */
#include <stdlib.h>
#include <string.h>

#include <pci/pci.h>

#include "cmd.h"

#define MAX_SPEC	63	/* libpci's parsers take no more */

/* A copy for libpci's parsers, which take no const. False: it is too long. */
static bool copy_spec(char *copy, const char *text)
{
	size_t len = strlen(text);

	if (len > MAX_SPEC)
		return false;
	memcpy(copy, text, len + 1);
	return true;
}

/* Check the domain's length, since libpci does not notice an overflow. */
static bool is_slot(const char *text, struct pci_filter *f)
{
	char copy[MAX_SPEC + 1];

	pci_filter_init(NULL, f);
	return copy_spec(copy, text) &&
		strspn(text, "0123456789abcdefABCDEF") <= 8 &&
		!pci_filter_parse_slot(f, copy) &&
		(f->domain >= 0 || f->bus >= 0 || f->slot >= 0 || f->func >= 0);
}

static bool is_id(const char *text, struct pci_filter *f)
{
	char copy[MAX_SPEC + 1];

	pci_filter_init(NULL, f);
	return copy_spec(copy, text) && !pci_filter_parse_id(f, copy) &&
		(f->vendor >= 0 || f->device >= 0 || f->device_class >= 0 ||
		 f->prog_if >= 0);
}

/* Is it a path whose last part is a complete address? */
static bool is_path(const char *text, struct pci_filter *f)
{
	char *copy = strdup(text), *last;
	size_t len = strlen(text);
	bool is;

	while (copy && len && copy[len - 1] == '/')
		copy[--len] = 0;
	last = copy ? strrchr(copy, '/') : NULL;
	is = last && is_slot(last + 1, f) && f->domain >= 0 && f->bus >= 0 &&
		f->slot >= 0 && f->func >= 0;
	free(copy);
	return is;
}

/*
 * lspci has one option for addresses and one for ids. Here the number of digits
 * decides: "1af4:1110" and "001c:" are ids, "01:00" and "1c:" are addresses.
 */
static bool parse(const char *text, struct pci_filter *f)
{
	const char *colon = strchr(text, ':');

	if (strchr(text, '/'))
		return is_path(text, f);
	if (colon && !strchr(colon + 1, ':') && colon - text > 2)
		return is_id(text, f);
	return is_slot(text, f) || is_id(text, f);
}

/* In the filter @f, -1 matches everything. In @is, -1 is an unknown value. */
static bool is_one_of(const struct pci_filter *f, const struct pci_filter *is)
{
	const struct {
		int wanted;
		int is;
	} fields[] = {
		{ f->domain, is->domain },
		{ f->bus, is->bus },
		{ f->slot, is->slot },
		{ f->func, is->func },
		{ f->vendor, is->vendor },
		{ f->device, is->device },
		{ f->prog_if, is->prog_if },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fields); i++)
		if (fields[i].wanted >= 0 && fields[i].wanted != fields[i].is)
			return false;
	return f->device_class < 0 ||
		!((f->device_class ^ is->device_class) & f->device_class_mask);
}

static bool matches(const struct pci_filter *f, struct iopmem_function *fn)
{
	const struct pci_filter is = {
		.domain = iopmem_function_get_domain(fn),
		.bus = iopmem_function_get_bus_number(fn),
		.slot = iopmem_function_get_device_number(fn),
		.func = iopmem_function_get_function_number(fn),
		.vendor = iopmem_function_get_vendor(fn),
		.device = iopmem_function_get_device(fn),
		.device_class = iopmem_function_get_class(fn) >> 8,
		.prog_if = iopmem_function_get_class(fn) & 0xff,
	};

	return is_one_of(f, &is);
}

/* A rule has no class, so a filter with a class does not match. */
static bool matches_rule(const struct pci_filter *f,
			 const struct iopmem_rule *rule)
{
	struct pci_filter is;

	pci_filter_init(NULL, &is);
	if (*rule->address && !is_slot(rule->address, &is))
		return false;
	is.vendor = rule->vendor;
	is.device = rule->device;
	return f->device_class < 0 && is_one_of(f, &is);
}

/* Does the filter match a function of the machine or one of the rules? */
static bool is_there(struct iopmem_ctx *ctx, const struct pci_filter *f,
		     const struct iopmem_rule *rules, int num_rules)
{
	struct iopmem_function *fn;

	while (num_rules--)
		if (matches_rule(f, &rules[num_rules]))
			return true;
	iopmem_function_foreach(ctx, fn)
		if (matches(f, fn))
			return true;
	return false;
}

int specs_read_with(struct iopmem_ctx *ctx, char **texts, int n,
		    const struct iopmem_rule *rules, int num_rules,
		    struct specs *specs)
{
	int i;

	*specs = (struct specs){ .n = n };
	if (!n)
		return EXIT_OK;
	specs->filters = calloc(n, sizeof(*specs->filters));
	if (!specs->filters)
		return print_error(EXIT_FAILED, "out of memory");
	for (i = 0; i < n; i++)
		if (!parse(texts[i], &specs->filters[i]))
			return print_error(EXIT_USAGE,
					   "'%s' names no function: give an address (0000:01:00.0 or 01:00), ids (1af4:1110 or 1af4:) or a path in sysfs",
					   texts[i]);
	for (i = 0; i < n; i++)
		if (!is_there(ctx, &specs->filters[i], rules, num_rules))
			return print_error(EXIT_NOT_FOUND,
					   "'%s' is not in this machine, 'ndctl-iopmem list --all' shows what is",
					   texts[i]);
	return EXIT_OK;
}

int specs_read(struct iopmem_ctx *ctx, char **texts, int n,
	       struct specs *specs)
{
	return specs_read_with(ctx, texts, n, NULL, 0, specs);
}

bool specs_match(const struct specs *specs, struct iopmem_function *fn)
{
	int i;

	for (i = 0; i < specs->n; i++)
		if (matches(&specs->filters[i], fn))
			return true;
	return specs->n == 0;
}

bool specs_match_rule(const struct specs *specs, const struct iopmem_rule *rule)
{
	int i;

	for (i = 0; i < specs->n; i++)
		if (matches_rule(&specs->filters[i], rule))
			return true;
	return false;
}

void specs_free(struct specs *specs)
{
	free(specs->filters);
}
