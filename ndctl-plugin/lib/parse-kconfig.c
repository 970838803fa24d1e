// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <string.h>

#include "parse.h"

char parse_kconfig(const char *buf, size_t len, const char *name)
{
	struct text t = { buf, buf + len }, line;

	while (text_line(&t, &line)) {
		if (!text_word(&line, "CONFIG_") || !text_word(&line, name) ||
		    !text_char(&line, '='))
			continue;
		if (text_char(&line, 'y') && text_is_empty(&line))
			return 'y';
		if (text_char(&line, 'm') && text_is_empty(&line))
			return 'm';
		return 'n';
	}
	return 'n';
}

bool is_kconfig(const char *buf, size_t len)
{
	struct text t = { buf, buf + len }, line;

	while (text_line(&t, &line))
		if (text_word(&line, "CONFIG_"))
			return true;
	return false;
}
