// SPDX-License-Identifier: LGPL-2.1-or-later
/* The machine: processor, MTRRs, kernel options, lockdown */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include <zlib.h>

#include "private.h"

#define MTRR		"/proc/mtrr"
#define LOCKDOWN	"/sys/kernel/security/lockdown"
#define KCONFIG_MAX	(4 << 20)

const struct cpu *cpu_get(struct iopmem_ctx *ctx)
{
	char buf[16384];
	int n;

	if (!ctx->cpu_read) {
		ctx->cpu_read = true;
		n = sysfs_read("/proc/cpuinfo", buf, sizeof(buf));
		parse_cpuinfo(buf, n < 0 ? 0 : n, &ctx->cpu);
	}
	return &ctx->cpu;
}

EXPORT bool iopmem_is_virtual_machine(struct iopmem_ctx *ctx)
{
	return cpu_get(ctx)->hypervisor;
}

static void mtrrs_read(struct iopmem_ctx *ctx)
{
	char *buf;
	size_t len;

	if (ctx->mtrrs_read)
		return;
	ctx->mtrrs_read = true;
	ctx->mtrrs_rc = sysfs_read_all(MTRR, &buf, &len);
	if (ctx->mtrrs_rc)
		return;
	ctx->mtrrs_rc = parse_mtrrs(buf, len, &ctx->mtrrs);
	free(buf);
}

EXPORT int iopmem_bar_get_mtrr_type(struct iopmem_bar *bar, const char **type)
{
	struct iopmem_ctx *ctx = bar->fn->ctx;
	int rc;

	mtrrs_read(ctx);
	if (ctx->mtrrs_rc < 0)
		return failed(ctx, ctx->mtrrs_rc, MTRR ": %s",
			      strerror(-ctx->mtrrs_rc));
	if (!ctx->mtrrs_rc)
		return failed(ctx, -ENOENT,
			      MTRR ": shows none, the kernel may not use them");
	rc = iopmem_bar_is_assigned(bar) ?
		mtrr_type(ctx->mtrrs, ctx->mtrrs_rc, bar->res.start,
			  bar->res.end, type) : -ENXIO;
	if (rc)
		return failed(ctx, rc,
			      "%s: BAR %u: no MTRR has it, so that it is of the default type",
			      bar->fn->name, bar->index);
	return 0;
}

EXPORT int iopmem_get_lockdown(struct iopmem_ctx *ctx, const char **level)
{
	char buf[128];
	int n = sysfs_read(LOCKDOWN, buf, sizeof(buf));

	if (n == -EACCES)
		return failed(ctx, n, LOCKDOWN ": needs root");
	if (n < 0)
		return failed(ctx, n, LOCKDOWN
			      ": %s: it is there with CONFIG_SECURITY_LOCKDOWN_LSM and securityfs mounted",
			      strerror(-n));
	if (parse_lockdown(buf, n, level))
		return failed(ctx, -EINVAL, LOCKDOWN ": '%s' is no level", buf);
	return 0;
}

/* Plain or compressed, zlib sees which */
static char *kconfig_read(const char *path, size_t *len)
{
	char *text = malloc(KCONFIG_MAX);
	gzFile file = gzopen(path, "rbe");
	int n = text && file ? gzread(file, text, KCONFIG_MAX) : -1;

	if (file)
		gzclose(file);
	if (n > 0 && is_kconfig(text, n)) {
		*len = n;
		return text;
	}
	free(text);
	return NULL;
}

static void kconfig_find(struct iopmem_ctx *ctx)
{
	static const char *const places[] = {
		"/proc/config.gz", "/boot/config-%s", "/lib/modules/%s/config",
	};
	char path[PATH_MAX];
	struct utsname name;
	size_t i;

	if (ctx->kconfig_tried)
		return;
	ctx->kconfig_tried = true;
	if (uname(&name))
		return;
	for (i = 0; i < ARRAY_SIZE(places) && !ctx->kconfig; i++) {
		snprintf(path, sizeof(path), places[i], name.release);
		ctx->kconfig = kconfig_read(path, &ctx->kconfig_len);
	}
}

EXPORT int iopmem_get_kernel_option(struct iopmem_ctx *ctx, const char *name)
{
	kconfig_find(ctx);
	if (!ctx->kconfig)
		return failed(ctx, -ENOENT,
			      "the running kernel's options are neither in /proc/config.gz, nor in /boot, nor in /lib/modules");
	return parse_kconfig(ctx->kconfig, ctx->kconfig_len, name);
}

void machine_forget(struct iopmem_ctx *ctx)
{
	free(ctx->mtrrs);
	free(ctx->kconfig);
	ctx->mtrrs = NULL;
	ctx->kconfig = NULL;
	ctx->mtrrs_read = false;
	ctx->kconfig_tried = false;
	ctx->cpu_read = false;
}
