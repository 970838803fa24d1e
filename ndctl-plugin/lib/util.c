// SPDX-License-Identifier: LGPL-2.1-or-later
/* Errors, log, files, numbers */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

int log_error(struct iopmem_ctx *ctx, int rc, const char *file, int line,
	      const char *fn, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ctx->error, sizeof(ctx->error), format, args);
	va_end(args);
	log_message(ctx, LOG_DEBUG, file, line, fn, "%s (%d)\n", ctx->error, rc);
	return rc;
}

void log_message(struct iopmem_ctx *ctx, int priority, const char *file,
		 int line, const char *fn, const char *format, ...)
{
	const char *slash = strrchr(file, '/');
	va_list args;

	if (priority > ctx->log_priority)
		return;
	va_start(args, format);
	ctx->log_fn(ctx, priority, slash ? slash + 1 : file, line, fn, format,
		    args);
	va_end(args);
}

struct iopmem_ctx *context_get(struct iopmem_ctx *ctx)
{
	ctx->refs++;
	return ctx;
}

struct iopmem_ctx *context_put(struct iopmem_ctx *ctx)
{
	if (--ctx->refs)
		return ctx;
	ctx->destroy(ctx);
	return NULL;
}

int sysfs_read(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return n;
	if (n && buf[n - 1] == '\n')
		n--;
	buf[n] = 0;
	return n;
}

int sysfs_read_attr(const char *dir, const char *attr, char *buf, size_t size)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", dir, attr) >= PATH_MAX)
		return -ENAMETOOLONG;
	return sysfs_read(path, buf, size);
}

int sysfs_read_link(const char *dir, const char *link, char *buf, size_t size)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *slash;
	ssize_t n;

	if (snprintf(path, sizeof(path), "%s/%s", dir, link) >= PATH_MAX)
		return -ENAMETOOLONG;
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = 0;
	slash = strrchr(target, '/');
	return snprintf(buf, size, "%s", slash ? slash + 1 : target);
}

int sysfs_read_all(const char *path, char **buf, size_t *len)
{
	size_t room = 0, have = 0;
	char *text = NULL, *more;
	ssize_t n;
	int fd, rc = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	do {
		if (have == room) {
			room = room ? 2 * room : 1 << 16;
			more = realloc(text, room);
			if (!more) {
				rc = -ENOMEM;
				break;
			}
			text = more;
		}
		n = read(fd, text + have, room - have);
		if (n < 0)
			rc = -errno;
		else
			have += n;
	} while (n > 0);
	close(fd);
	if (rc) {
		free(text);
		return rc;
	}
	*buf = text;
	*len = have;
	return 0;
}

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
