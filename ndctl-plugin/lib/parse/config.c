// SPDX-License-Identifier: LGPL-2.1-or-later
/* How the kernel and the module are configured */
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

/* "none [integrity] confidentiality" */
int parse_lockdown(const char *buf, size_t len, const char **level)
{
	static const char *const levels[] = {
		"none", "integrity", "confidentiality",
	};
	struct text t = { buf, buf + len };
	size_t i;

	while (!text_is_empty(&t) && *t.at != '[')
		t.at++;
	if (!text_char(&t, '['))
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(levels); i++) {
		struct text word = t;

		if (text_word(&word, levels[i]) && text_char(&word, ']')) {
			*level = levels[i];
			return 0;
		}
	}
	return -EINVAL;
}

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
