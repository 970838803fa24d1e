// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "parse.h"

/* A path up to the next blank; the kernel writes blanks in it as "\040". */
static int text_path(struct text *t, char *path, size_t size)
{
	size_t n = 0;

	while (t->at < t->end && *t->at != ' ' && *t->at != '\t') {
		char c = *t->at++;
		int i;

		if (c == '\\' && t->end - t->at >= 3) {
			for (i = 0, c = 0; i < 3; i++) {
				if (t->at[i] < '0' || t->at[i] > '7')
					return -EINVAL;
				c = c << 3 | (t->at[i] - '0');
			}
			t->at += 3;
		}
		if (!c || n + 1 == size)
			return -EINVAL;
		path[n++] = c;
	}
	path[n] = 0;
	return n && path[0] == '/' ? 0 : -EINVAL;
}

static int text_dev(struct text *t, unsigned int *major, unsigned int *minor)
{
	uint64_t a, b;

	if (text_dec(t, UINT_MAX, &a) || !text_char(t, ':') ||
	    text_dec(t, UINT_MAX, &b))
		return -EINVAL;
	*major = a;
	*minor = b;
	return 0;
}

int parse_dev(const char *buf, size_t len, unsigned int *major,
	      unsigned int *minor)
{
	struct text t = { buf, buf + len };

	return text_dev(&t, major, minor) || !text_is_empty(&t) ? -EINVAL : 0;
}

static bool text_skip(struct text *t, struct text *word)
{
	word->at = t->at;
	while (t->at < t->end && *t->at != ' ')
		t->at++;
	word->end = t->at;
	return text_char(t, ' ');
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw" */
int parse_mount(const char *buf, size_t len, struct mount *m)
{
	struct text t = { buf, buf + len }, word;
	uint64_t parent;

	if (text_dec(&t, UINT64_MAX, &m->id) || !text_char(&t, ' ') ||
	    text_dec(&t, UINT64_MAX, &parent) || !text_char(&t, ' ') ||
	    text_dev(&t, &m->major, &m->minor) || !text_char(&t, ' ') ||
	    !text_skip(&t, &word) ||
	    text_path(&t, m->path, sizeof(m->path)) || !text_char(&t, ' '))
		return -EINVAL;
	do {
		if (!text_skip(&t, &word))
			return -EINVAL;
	} while (word.end - word.at != 1 || *word.at != '-');
	return text_skip(&t, &m->type) && !text_is_empty(&m->type) ? 0 :
		-EINVAL;
}

int parse_swap(const char *buf, size_t len, char path[PATH_MAX])
{
	struct text t = { buf, buf + len };

	return text_path(&t, path, PATH_MAX);
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
