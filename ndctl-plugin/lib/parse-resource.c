// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "parse.h"

static int one_line(struct text *line, struct resource *r)
{
	if (text_0x(line, &r->start) || !text_char(line, ' ') ||
	    text_0x(line, &r->end) || !text_char(line, ' ') ||
	    text_0x(line, &r->flags) || !text_is_empty(line))
		return -EINVAL;
	if (r->end < r->start)
		return -EINVAL;
	return 0;
}

int parse_resource(const char *buf, size_t len, struct resource res[NUM_BARS])
{
	struct text t = { buf, buf + len }, line;
	int i;

	for (i = 0; i < NUM_BARS; i++)
		if (!text_line(&t, &line) || one_line(&line, &res[i]))
			return -EINVAL;
	return 0;
}
