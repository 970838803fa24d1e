// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>

#include "parse.h"

static const char *const types[] = {
	"write-back", "write-combining", "write-through", "write-protected",
	"uncached-minus", "uncached",
};

/* "PAT: [mem 0x0000000380000000-0x00000003a0000000] write-combining" */
static int one_line(struct text *line, struct memtype *m)
{
	size_t i;

	if (!text_word(line, "PAT: [mem ") ||
	    text_0x(line, &m->start) || !text_char(line, '-') ||
	    text_0x(line, &m->end) || !text_word(line, "] ") ||
	    m->end <= m->start)
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		struct text word = *line;

		if (text_word(&word, types[i]) && text_is_empty(&word)) {
			m->type = types[i];
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

		if (one_line(&line, &m))
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
