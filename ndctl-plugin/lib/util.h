/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lowest layer: it knows nothing of PCI or of regions. */
#ifndef _IOPMEM_UTIL_H_
#define _IOPMEM_UTIL_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <syslog.h>

struct iopmem_ctx;

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* Both may be NULL. */
static inline bool same_string(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* Sets the context's message, logs it, and returns @rc. */
#define set_error(ctx, rc, ...) \
	log_error(ctx, rc, __FILE__, __LINE__, __func__, __VA_ARGS__)
int log_error(struct iopmem_ctx *ctx, int rc, const char *file, int line,
	      const char *fn, const char *format, ...)
	__attribute__((format(printf, 6, 7)));

#define dbg(ctx, ...) \
	log_message(ctx, LOG_DEBUG, __FILE__, __LINE__, __func__, __VA_ARGS__)
void log_message(struct iopmem_ctx *ctx, int priority, const char *file,
		 int line, const char *fn, const char *format, ...)
	__attribute__((format(printf, 6, 7)));

/* When the last reference is dropped, context.c frees the context. */
struct iopmem_ctx *context_get(struct iopmem_ctx *ctx);
struct iopmem_ctx *context_put(struct iopmem_ctx *ctx);

/* Read a small file without its last newline. Returns the length, or -errno. */
int sysfs_read(const char *path, char *buf, size_t size);
/* The same for the file @attr in the folder @dir */
int sysfs_read_attr(const char *dir, const char *attr, char *buf, size_t size);
/*
 * Read the last component of a link's target, for instance the name of a
 * driver, a group or a subsystem. Returns its length, or -errno.
 */
int sysfs_read_link(const char *dir, const char *link, char *buf, size_t size);
/* Read a file of any length into *@buf, to be freed. */
int sysfs_read_all(const char *path, char **buf, size_t *len);

/* A text that need not end in a NUL. Parsing takes what fits off its front. */
struct text {
	const char *at;
	const char *end;
};

/* A hexadecimal number of @min to @max digits, without "0x" */
int text_hex(struct text *t, int min, int max, uint64_t *value);
int text_dec(struct text *t, uint64_t max, uint64_t *value);
bool text_char(struct text *t, char c);
bool text_word(struct text *t, const char *word);
/* A hexadecimal number with "0x" */
int text_0x(struct text *t, uint64_t *value);
/* Cut the first line off; false at the end. */
bool text_line(struct text *t, struct text *line);
bool text_is_empty(const struct text *t);

#endif /* _IOPMEM_UTIL_H_ */
