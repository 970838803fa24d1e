// SPDX-License-Identifier: LGPL-2.1-or-later
/* The context: errors, log, what is behind it */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ndctl/libndctl.h>
#include <pci/pci.h>

#include "private.h"

int failed(struct iopmem_ctx *ctx, int rc, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ctx->error, sizeof(ctx->error), format, args);
	va_end(args);
	dbg(ctx, "%s (%d)\n", ctx->error, rc);
	return rc;
}

void log_message(struct iopmem_ctx *ctx, int priority, const char *file,
		 int line, const char *fn, const char *format, ...)
{
	va_list args;

	if (priority > ctx->log_priority)
		return;
	va_start(args, format);
	ctx->log_fn(ctx, priority, file, line, fn, format, args);
	va_end(args);
}

static void log_stderr(struct iopmem_ctx *ctx, int priority, const char *file,
		       int line, const char *fn, const char *format,
		       va_list args)
{
	(void)ctx;
	(void)priority;
	fprintf(stderr, "libiopmem: %s:%d: %s: ", file, line, fn);
	vfprintf(stderr, format, args);
}

EXPORT int iopmem_new(struct iopmem_ctx **ctx)
{
	const char *env = getenv("IOPMEM_LOG");
	struct iopmem_ctx *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->refs = 1;
	c->log_fn = log_stderr;
	c->log_priority = env && !strcmp(env, "debug") ? LOG_DEBUG : LOG_ERR;
	*ctx = c;
	return 0;
}

EXPORT struct iopmem_ctx *iopmem_ref(struct iopmem_ctx *ctx)
{
	if (ctx)
		ctx->refs++;
	return ctx;
}

/* Back to a context that has read nothing. */
static void forget(struct iopmem_ctx *ctx)
{
	functions_free(ctx);
	if (ctx->pci)
		pci_cleanup(ctx->pci);
	ctx->pci = NULL;
	if (ctx->ndctl)
		ndctl_unref(ctx->ndctl);
	ctx->ndctl = NULL;
	free(ctx->memtypes);
	ctx->memtypes = NULL;
	machine_forget(ctx);
	ctx->scanned = false;
	ctx->regions_read = false;
	ctx->bar_mask_read = false;
	ctx->memtypes_read = false;
}

EXPORT struct iopmem_ctx *iopmem_unref(struct iopmem_ctx *ctx)
{
	if (!ctx || --ctx->refs)
		return ctx;
	forget(ctx);
	free(ctx);
	return NULL;
}

EXPORT const char *iopmem_get_error(struct iopmem_ctx *ctx)
{
	return ctx->error;
}

EXPORT void iopmem_set_log_fn(struct iopmem_ctx *ctx, iopmem_log_fn log_fn)
{
	ctx->log_fn = log_fn;
}

EXPORT void iopmem_set_log_priority(struct iopmem_ctx *ctx, int priority)
{
	ctx->log_priority = priority;
}

EXPORT int iopmem_get_log_priority(struct iopmem_ctx *ctx)
{
	return ctx->log_priority;
}

EXPORT void iopmem_set_wait_fn(struct iopmem_ctx *ctx, iopmem_wait_fn wait_fn,
			       void *data)
{
	ctx->wait_fn = wait_fn;
	ctx->wait_data = data;
}

EXPORT struct ndctl_ctx *iopmem_get_ndctl(struct iopmem_ctx *ctx)
{
	int rc;

	if (ctx->ndctl)
		return ctx->ndctl;
	rc = ndctl_new(&ctx->ndctl);
	if (rc) {
		ctx->ndctl = NULL;
		failed(ctx, rc, "libndctl does not start: %s", strerror(-rc));
	}
	return ctx->ndctl;
}

EXPORT int iopmem_scan(struct iopmem_ctx *ctx)
{
	forget(ctx);
	ctx->scanned = true;
	ctx->skipped = functions_read(ctx);
	return ctx->skipped;
}

EXPORT int iopmem_get_skipped(struct iopmem_ctx *ctx)
{
	return ctx->scanned ? ctx->skipped : iopmem_scan(ctx);
}
