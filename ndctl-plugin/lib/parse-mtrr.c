// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"

/* As the kernel writes them, and as its list of memory types does */
static const struct {
	const char *text;
	const char *type;
} types[] = {
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

static int one_type(struct text *line, const char **type)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		struct text word = *line;

		if (text_word(&word, types[i].text) && text_is_empty(&word)) {
			*type = types[i].type;
			return 0;
		}
	}
	return -EINVAL;
}

/* "reg00: base=0x0c0000000 ( 3072MB), size= 1024MB, count=1: uncachable" */
static int one_line(struct text *line, struct memtype *m)
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
	return one_type(line, &m->type);
}

int parse_mtrrs(const char *buf, size_t len, struct memtype **list)
{
	struct text t = { buf, buf + len }, line;
	struct memtype m;
	int n = 0;

	*list = NULL;
	while (text_line(&t, &line)) {
		struct memtype *more;

		if (one_line(&line, &m))
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
 * Uncached wins over all, write-through over write-back (Intel SDM volume 3,
 * "MTRR Precedences"); of what else overlaps nothing is said there.
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

/* Do they, together, leave nothing of it out? */
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

int mtrr_type(const struct memtype *list, int n, uint64_t start, uint64_t last,
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
