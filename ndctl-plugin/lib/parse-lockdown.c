// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "parse.h"

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
