// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "parse.h"

int parse_link_speed(const char *buf, size_t len, unsigned int *speed)
{
	struct text t = { buf, buf + len };
	uint64_t whole, tenth;

	if (text_word(&t, "Unknown")) {
		*speed = 0;
		return 0;
	}
	if (text_dec(&t, 1000, &whole) || !text_char(&t, '.') ||
	    text_dec(&t, 9, &tenth) || !text_word(&t, " GT/s"))
		return -EINVAL;
	*speed = whole * 10 + tenth;
	return 0;
}
