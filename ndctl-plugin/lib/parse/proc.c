// SPDX-License-Identifier: LGPL-2.1-or-later
/* Parsers of /proc and debugfs: processor, memory types, kernel log */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"

/* x86's MAX_PHYSMEM_BITS, with and without 5-level page tables */
#define BITS_LA57	52
#define BITS		46

static bool has_flag(struct text line, const char *flag)
{
	for (; !text_is_empty(&line); line.at++) {
		struct text word = line;

		if (text_char(&word, ' ') && text_word(&word, flag) &&
		    (text_is_empty(&word) || *word.at == ' '))
			return true;
	}
	return false;
}

/* Lines "name<tab>: value". The first processor counts. */
void parse_cpuinfo(const char *buf, size_t len, struct cpu *cpu)
{
	struct text t = { buf, buf + len }, line;
	bool amd = false;
	uint64_t family;

	*cpu = (struct cpu){ .address_bits = 64 };
	while (text_line(&t, &line)) {
		if (text_word(&line, "vendor_id\t: AuthenticAMD")) {
			amd = true;
		} else if (text_word(&line, "cpu family\t: ")) {
			if (!text_dec(&line, UINT_MAX, &family))
				cpu->zen = amd && family >= 0x17;
		} else if (text_word(&line, "flags\t")) {
			cpu->hypervisor = has_flag(line, "hypervisor");
			cpu->address_bits = has_flag(line, "la57") ? BITS_LA57 :
				BITS;
			return;
		}
	}
}

static const char *const memtypes[] = {
	"write-back", "write-combining", "write-through", "write-protected",
	"uncached-minus", "uncached",
};

/* "PAT: [mem 0x0000000380000000-0x00000003a0000000] write-combining" */
static int memtype_line(struct text *line, struct memtype *m)
{
	size_t i;

	if (!text_word(line, "PAT: [mem ") ||
	    text_0x(line, &m->start) || !text_char(line, '-') ||
	    text_0x(line, &m->end) || !text_word(line, "] ") ||
	    m->end <= m->start)
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(memtypes); i++) {
		struct text word = *line;

		if (text_word(&word, memtypes[i]) && text_is_empty(&word)) {
			m->type = memtypes[i];
			return 0;
		}
	}
	return -EINVAL;
}

static int by_start(const void *a, const void *b)
{
	const struct memtype *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return 0;
}

int parse_memtypes(const char *buf, size_t len, struct memtype **list)
{
	struct text t = { buf, buf + len }, line;
	size_t room = 0, n = 0;

	*list = NULL;
	while (text_line(&t, &line)) {
		struct memtype m;

		if (memtype_line(&line, &m))
			continue;	/* headings */
		if (n == room) {
			struct memtype *more;

			room = room ? 2 * room : 64;
			more = realloc(*list, room * sizeof(*more));
			if (!more) {
				free(*list);
				*list = NULL;
				return -ENOMEM;
			}
			*list = more;
		}
		(*list)[n++] = m;
	}
	if (n)
		qsort(*list, n, sizeof(**list), by_start);
	return n;
}

/* The kernel's words in /proc/mtrr, and those in its list of memory types */
static const struct {
	const char *text;
	const char *type;
} mtrr_types[] = {
	{ "uncachable", "uncached" },
	{ "write-combining", "write-combining" },
	{ "write-through", "write-through" },
	{ "write-protect", "write-protected" },
	{ "write-back", "write-back" },
};

static void skip_blanks(struct text *t)
{
	while (text_char(t, ' '))
		;
}

static int mtrr_word(struct text *line, const char **type)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(mtrr_types); i++) {
		struct text word = *line;

		if (text_word(&word, mtrr_types[i].text) && text_is_empty(&word)) {
			*type = mtrr_types[i].type;
			return 0;
		}
	}
	return -EINVAL;
}

/* "reg00: base=0x0c0000000 ( 3072MB), size= 1024MB, count=1: uncachable" */
static int mtrr_line(struct text *line, struct memtype *m)
{
	uint64_t n, shift;

	if (!text_word(line, "reg") || text_dec(line, 999, &n) ||
	    !text_word(line, ": base=") || text_0x(line, &m->start) ||
	    !text_word(line, " ("))
		return -EINVAL;
	skip_blanks(line);
	if (text_dec(line, UINT64_MAX, &n) || !text_word(line, "MB), size="))
		return -EINVAL;
	skip_blanks(line);
	if (text_dec(line, UINT64_MAX, &n))
		return -EINVAL;
	if (text_word(line, "KB, count="))
		shift = 10;
	else if (text_word(line, "MB, count="))
		shift = 20;
	else
		return -EINVAL;
	if (!n || n > (UINT64_MAX - m->start) >> shift)
		return -EINVAL;
	m->end = m->start + (n << shift);
	if (text_dec(line, UINT64_MAX, &n) || !text_word(line, ": "))
		return -EINVAL;
	return mtrr_word(line, &m->type);
}

int parse_mtrrs(const char *buf, size_t len, struct memtype **list)
{
	struct text t = { buf, buf + len }, line;
	struct memtype m;
	int n = 0;

	*list = NULL;
	while (text_line(&t, &line)) {
		struct memtype *more;

		if (mtrr_line(&line, &m))
			continue;
		more = realloc(*list, (n + 1) * sizeof(*more));
		if (!more) {
			free(*list);
			*list = NULL;
			return -ENOMEM;
		}
		*list = more;
		(*list)[n++] = m;
	}
	return n;
}

/*
 * Uncached wins over all types, and write-through over write-back (Intel SDM
 * volume 3, "MTRR Precedences"). The manual leaves other overlaps undefined.
 */
static const char *stronger(const char *a, const char *b)
{
	static const char *const wins[] = { "uncached", "write-through" };
	size_t i;

	if (!a || !strcmp(a, b))
		return b;
	for (i = 0; i < ARRAY_SIZE(wins); i++)
		if (!strcmp(a, wins[i]) || !strcmp(b, wins[i]))
			return wins[i];
	return "mixed";
}

/* Do the MTRRs together cover the whole range? */
static bool cover(const struct memtype *list, int n, uint64_t start,
		  uint64_t last)
{
	int i;

	for (i = 0; i < n; i++) {
		if (list[i].start > start || list[i].end <= start)
			continue;
		if (list[i].end > last)
			return true;
		start = list[i].end;
		i = -1;
	}
	return false;
}

int mtrrs_type(const struct memtype *list, int n, uint64_t start, uint64_t last,
	       const char **type)
{
	int i;

	*type = NULL;
	for (i = 0; i < n; i++)
		if (list[i].start <= last && list[i].end > start)
			*type = stronger(*type, list[i].type);
	if (!*type)
		return -ENXIO;
	if (!cover(list, n, start, last))
		*type = "mixed";
	return 0;
}

int parse_kmsg(const char *buf, size_t len, struct text *message)
{
	const char *semicolon = memchr(buf, ';', len);
	struct text t;

	if (!semicolon)
		return -EINVAL;
	t = (struct text){ semicolon + 1, buf + len };
	return text_line(&t, message) ? 0 : -EINVAL;
}
