// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "parse.h"

int parse_bars(const char *buf, size_t len, unsigned int *mask)
{
	struct text t = { buf, buf + len }, line = t;
	uint64_t first, last;

	*mask = 0;
	text_line(&t, &line);
	while (!text_is_empty(&line)) {
		if (text_dec(&line, NUM_BARS - 1, &first))
			return -EINVAL;
		last = first;
		if (text_char(&line, '-') &&
		    (text_dec(&line, NUM_BARS - 1, &last) || last < first))
			return -EINVAL;
		for (; first <= last; first++)
			*mask |= 1u << first;
		if (!text_char(&line, ',') && !text_is_empty(&line))
			return -EINVAL;
	}
	return 0;
}
