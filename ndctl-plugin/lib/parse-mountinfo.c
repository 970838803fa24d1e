// SPDX-License-Identifier: LGPL-2.1-or-later
/* /proc/self/mountinfo: the type of a mounted file system */
#include <errno.h>

#include "parse.h"

static bool word(struct text *t, struct text *w)
{
	w->at = t->at;
	while (t->at < t->end && *t->at != ' ')
		t->at++;
	w->end = t->at;
	return text_char(t, ' ');
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw" */
int parse_mountinfo(const char *buf, size_t len, uint64_t id,
		    const char **type, size_t *type_len)
{
	struct text t = { buf, buf + len }, line, w;
	uint64_t n;

	while (text_line(&t, &line)) {
		if (text_dec(&line, UINT64_MAX, &n) || !text_char(&line, ' '))
			return -EINVAL;
		if (n != id)
			continue;
		while (word(&line, &w))
			if (w.end - w.at == 1 && *w.at == '-') {
				if (!word(&line, &w) || text_is_empty(&w))
					return -EINVAL;
				*type = w.at;
				*type_len = w.end - w.at;
				return 0;
			}
		return -EINVAL;
	}
	return -ENOENT;
}
