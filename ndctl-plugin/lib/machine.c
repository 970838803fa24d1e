// SPDX-License-Identifier: LGPL-2.1-or-later
/* The machine: processor, MTRRs, kernel options, lockdown, the module */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include <libkmod.h>
#include <zlib.h>

#include "private.h"

#define MTRR		"/proc/mtrr"
#define LOCKDOWN	"/sys/kernel/security/lockdown"
#define MODULE		"iopmem_bus"
#define KCONFIG_MAX	(4 << 20)

const struct cpu *cpu_get(struct iopmem_ctx *ctx)
{
	char buf[16384];
	int n;

	if (!ctx->cpu_read) {
		ctx->cpu_read = true;
		n = sysfs_read("/proc/cpuinfo", buf, sizeof(buf));
		parse_cpu(buf, n < 0 ? 0 : n, &ctx->cpu);
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

static void module_flag(const char *path, char wanted, bool *flag)
{
	char buf[64];
	int n = sysfs_read(path, buf, sizeof(buf));

	*flag = n > 0 && memchr(buf, wanted, n);
}

/* "sig_id" is there if a signature is. */
static int module_info(struct kmod_module *mod, struct iopmem_module *m)
{
	struct kmod_list *info = NULL, *entry;
	const char *path = kmod_module_get_path(mod);
	int rc;

	if (!path) {
		m->builtin = kmod_module_get_initstate(mod) == KMOD_MODULE_BUILTIN;
		m->found = m->builtin;
		return 0;
	}
	m->found = true;
	rc = kmod_module_get_info(mod, &info);
	if (rc < 0)
		return rc;
	kmod_list_foreach(entry, info)
		if (!strcmp(kmod_module_info_get_key(entry), "sig_id"))
			m->has_signature = true;
	kmod_module_info_free_list(info);
	return 0;
}

static void say_nothing(void *data, int priority, const char *file, int line,
			const char *fn, const char *format, va_list args)
{
	(void)data;
	(void)priority;
	(void)file;
	(void)line;
	(void)fn;
	(void)format;
	(void)args;
}

EXPORT int iopmem_get_module(struct iopmem_ctx *ctx, struct iopmem_module *m)
{
	struct kmod_list *list = NULL;
	struct kmod_module *mod;
	struct kmod_ctx *kmod;
	char state[16];
	int rc;

	*m = (struct iopmem_module){};
	m->loaded = sysfs_read("/sys/module/" MODULE "/initstate", state,
			       sizeof(state)) > 0;
	module_flag("/sys/module/" MODULE "/taint", 'E', &m->taints_unsigned);
	module_flag("/sys/module/" MODULE "/parameters/cached", 'Y', &m->cached);
	module_flag("/sys/module/module/parameters/sig_enforce", 'Y',
		    &m->must_be_signed);

	kmod = kmod_new(NULL, NULL);
	if (!kmod)
		return failed(ctx, -ENOMEM, "libkmod does not start");
	kmod_set_log_fn(kmod, say_nothing, NULL);
	rc = kmod_module_new_from_lookup(kmod, MODULE, &list);
	if (rc >= 0 && list) {
		mod = kmod_module_get_module(list);
		rc = module_info(mod, m);
		kmod_module_unref(mod);
		kmod_module_unref_list(list);
	}
	kmod_unref(kmod);
	if (rc < 0 && rc != -ENOENT)
		return failed(ctx, rc, "module " MODULE ": its file cannot be read: %s",
			      strerror(-rc));
	return 0;
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
