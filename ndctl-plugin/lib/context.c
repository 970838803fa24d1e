// SPDX-License-Identifier: LGPL-2.1-or-later
/* Contexts: only this file knows what all the others keep in a context */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static void log_stderr(struct iopmem_ctx *ctx, int priority, const char *file,
		       int line, const char *fn, const char *format,
		       va_list args)
{
	(void)ctx;
	(void)priority;
	fprintf(stderr, "libiopmem: %s:%d: %s: ", file, line, fn);
	vfprintf(stderr, format, args);
}

static void destroy(struct iopmem_ctx *ctx)
{
	regions_reset(ctx);
	functions_reset(ctx);
	boot_reset(ctx);
	machine_reset(ctx);
	free(ctx);
}

EXPORT int iopmem_new(struct iopmem_ctx **ctx)
{
	const char *env = secure_getenv("IOPMEM_LOG");
	struct iopmem_ctx *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->refs = 1;
	c->destroy = destroy;
	c->log_fn = log_stderr;
	c->log_priority = env && !strcmp(env, "debug") ? LOG_DEBUG : LOG_ERR;
	*ctx = c;
	return 0;
}

EXPORT struct iopmem_ctx *iopmem_ref(struct iopmem_ctx *ctx)
{
	return ctx ? context_get(ctx) : NULL;
}

EXPORT struct iopmem_ctx *iopmem_unref(struct iopmem_ctx *ctx)
{
	return ctx ? context_put(ctx) : NULL;
}

EXPORT const char *iopmem_get_error(struct iopmem_ctx *ctx)
{
	return ctx->error;
}

EXPORT void iopmem_set_log_fn(struct iopmem_ctx *ctx, iopmem_log_fn log_fn)
{
	ctx->log_fn = log_fn ? log_fn : log_stderr;
}

EXPORT void iopmem_set_log_priority(struct iopmem_ctx *ctx, int priority)
{
	ctx->log_priority = priority;
}

EXPORT void iopmem_set_wait_fn(struct iopmem_ctx *ctx, iopmem_wait_fn wait_fn,
			       void *data)
{
	ctx->wait_fn = wait_fn;
	ctx->wait_data = data;
}
