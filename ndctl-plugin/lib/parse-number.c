// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <string.h>

#include "parse.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int text_hex(struct text *t, int min, int max, uint64_t *value)
{
	int n;

	*value = 0;
	for (n = 0; t->at < t->end; n++, t->at++) {
		int digit = hex_digit(*t->at);

		if (digit < 0)
			break;
		if (n == max)
			return -EINVAL;
		*value = *value << 4 | digit;
	}
	return n < min ? -EINVAL : 0;
}

int text_dec(struct text *t, uint64_t max, uint64_t *value)
{
	const char *start = t->at;

	*value = 0;
	for (; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++) {
		unsigned int digit = *t->at - '0';

		if (digit > max || *value > (max - digit) / 10)
			return -EINVAL;
		*value = *value * 10 + digit;
	}
	return t->at == start ? -EINVAL : 0;
}

bool text_char(struct text *t, char c)
{
	if (t->at == t->end || *t->at != c)
		return false;
	t->at++;
	return true;
}

bool text_word(struct text *t, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(t->end - t->at) < len || memcmp(t->at, word, len))
		return false;
	t->at += len;
	return true;
}

int text_0x(struct text *t, uint64_t *value)
{
	return text_word(t, "0x") ? text_hex(t, 1, 16, value) : -EINVAL;
}

bool text_line(struct text *t, struct text *line)
{
	const char *newline;

	if (t->at == t->end)
		return false;
	newline = memchr(t->at, '\n', t->end - t->at);
	line->at = t->at;
	line->end = newline ? newline : t->end;
	t->at = newline ? newline + 1 : t->end;
	return true;
}

bool text_is_empty(const struct text *t)
{
	return t->at == t->end;
}
