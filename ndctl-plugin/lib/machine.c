// SPDX-License-Identifier: LGPL-2.1-or-later
/* The machine: processor, memory types, kernel, module */
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <libkmod.h>
#include <zlib.h>

#include "internal.h"

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

bool iopmem_is_virtual_machine(struct iopmem_ctx *ctx)
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

int mtrr_type(struct iopmem_ctx *ctx, uint64_t start, uint64_t last,
	      const char **type)
{
	mtrrs_read(ctx);
	if (ctx->mtrrs_rc < 0)
		return set_error(ctx, ctx->mtrrs_rc, MTRR ": %s",
				 strerror(-ctx->mtrrs_rc));
	if (!ctx->mtrrs_rc)
		return set_error(ctx, -ENOENT,
				 MTRR ": shows none, the kernel may not use them");
	return mtrrs_type(ctx->mtrrs, ctx->mtrrs_rc, start, last, type);
}

int iopmem_get_lockdown(struct iopmem_ctx *ctx, const char **level)
{
	char buf[128];
	int n = sysfs_read(LOCKDOWN, buf, sizeof(buf));

	if (n == -EACCES)
		return set_error(ctx, n, LOCKDOWN ": needs root");
	if (n < 0)
		return set_error(ctx, n, LOCKDOWN
				 ": %s: it is there with CONFIG_SECURITY_LOCKDOWN_LSM and securityfs mounted",
				 strerror(-n));
	if (parse_lockdown(buf, n, level))
		return set_error(ctx, -EINVAL, LOCKDOWN ": '%s' is no level", buf);
	return 0;
}

/* Read the options. zlib detects if the file is compressed. */
static char *kconfig_read(const char *path, size_t *len)
{
	char *text = malloc(KCONFIG_MAX);
	gzFile file = gzopen(path, "rbe");
	int n = text && file ? gzread(file, text, KCONFIG_MAX) : -1;
	/* gzclose() tells if gzread() has seen the end of a compressed file */
	bool whole = file && gzclose(file) == Z_OK && n < KCONFIG_MAX;

	if (n > 0 && whole && is_kconfig(text, n)) {
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

int iopmem_get_kernel_option(struct iopmem_ctx *ctx, const char *name)
{
	kconfig_find(ctx);
	if (!ctx->kconfig)
		return set_error(ctx, -ENOENT,
				 "the running kernel's options are neither in /proc/config.gz, nor in /boot, nor in /lib/modules");
	return parse_kconfig(ctx->kconfig, ctx->kconfig_len, name);
}

void machine_reset(struct iopmem_ctx *ctx)
{
	free(ctx->memtypes);
	free(ctx->mtrrs);
	free(ctx->kconfig);
}

#define LIST	"/sys/kernel/debug/x86/pat_memtype_list"

static void memtypes_read(struct iopmem_ctx *ctx)
{
	char *buf;
	size_t len;

	if (ctx->memtypes_read)
		return;
	ctx->memtypes_read = true;
	ctx->memtypes_rc = sysfs_read_all(LIST, &buf, &len);
	if (ctx->memtypes_rc)
		return;
	ctx->memtypes_rc = parse_memtypes(buf, len, &ctx->memtypes);
	free(buf);
}

int memory_type(struct iopmem_ctx *ctx, uint64_t start, uint64_t last,
		const char **type)
{
	int low = 0, high;

	memtypes_read(ctx);
	if (ctx->memtypes_rc == -EACCES)
		return set_error(ctx, -EACCES, LIST ": needs root");
	if (ctx->memtypes_rc < 0)
		return set_error(ctx, -ENOENT,
				 LIST ": %s: it is there on x86 with debugfs mounted",
				 strerror(-ctx->memtypes_rc));

	/* find the first entry that does not begin before @start */
	high = ctx->memtypes_rc;
	while (low < high) {
		int mid = low + (high - low) / 2;

		if (ctx->memtypes[mid].start < start)
			low = mid + 1;
		else
			high = mid;
	}

	*type = NULL;
	for (; low < ctx->memtypes_rc &&
	     ctx->memtypes[low].start <= last; low++) {
		if (!*type)
			*type = ctx->memtypes[low].type;
		else if (*type != ctx->memtypes[low].type)
			*type = "mixed";
	}
	return *type ? 0 : -ENXIO;
}

#define MODULE	"iopmem_bus"

/* By default libkmod also prints its errors to stderr. */
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

static struct kmod_ctx *kmod_start(struct iopmem_ctx *ctx)
{
	struct kmod_ctx *kmod = kmod_new(NULL, NULL);

	if (kmod)
		kmod_set_log_fn(kmod, say_nothing, NULL);
	else
		set_error(ctx, -ENOMEM, "out of memory");
	return kmod;
}

static void module_flag(const char *path, char wanted, bool *flag)
{
	char buf[64];
	int n = sysfs_read(path, buf, sizeof(buf));

	*flag = n > 0 && memchr(buf, wanted, n);
}

/* modinfo's field "sig_id" exists only if the module has a signature. */
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

int iopmem_get_module(struct iopmem_ctx *ctx, struct iopmem_module *m)
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
	module_flag("/sys/module/module/parameters/sig_enforce", 'Y',
		    &m->must_be_signed);

	kmod = kmod_start(ctx);
	if (!kmod)
		return -ENOMEM;
	rc = kmod_module_new_from_lookup(kmod, MODULE, &list);
	if (rc >= 0 && list) {
		mod = kmod_module_get_module(list);
		rc = module_info(mod, m);
		kmod_module_unref(mod);
		kmod_module_unref_list(list);
	}
	kmod_unref(kmod);
	if (rc < 0 && rc != -ENOENT)
		return set_error(ctx, rc, "module " MODULE ": its file cannot be read: %s",
				 strerror(-rc));
	return 0;
}

/* The parameter's value in @options ("ids=1af4:1110 bars=2"), to be freed */
static char *parameter(const char *options, const char *name)
{
	size_t len = strlen(name);
	const char *at = options;

	for (; *(at += strspn(at, " \t")); at += strcspn(at, " \t"))
		if (!strncmp(at, name, len) && at[len] == '=')
			return strndup(at + len + 1,
				       strcspn(at + len + 1, " \t"));
	return NULL;
}

int module_parameter(struct iopmem_ctx *ctx, const char *name, char **value)
{
	struct kmod_ctx *kmod = kmod_start(ctx);
	struct kmod_config_iter *iter;
	char *found;

	*value = NULL;
	if (!kmod)
		return -ENOMEM;
	iter = kmod_config_get_options(kmod);
	while (iter && kmod_config_iter_next(iter)) {
		if (strcmp(kmod_config_iter_get_key(iter), MODULE))
			continue;
		found = parameter(kmod_config_iter_get_value(iter), name);
		if (!found)
			continue;
		/* the last one counts, as in the kernel */
		free(*value);
		*value = found;
	}
	kmod_config_iter_free_iter(iter);
	kmod_unref(kmod);
	return 0;
}

/* Does a line of the file consist of the module's name? */
static bool file_loads(const char *path)
{
	char *line = NULL;
	size_t size = 0;
	bool found = false;
	FILE *file = fopen(path, "re");
	char name[64];

	while (file && !found && getline(&line, &size, file) >= 0)
		found = sscanf(line, "%63s", name) == 1 &&
			(!strcmp(name, MODULE) || !strcmp(name, "iopmem-bus"));
	free(line);
	if (file)
		fclose(file);
	return found;
}

bool module_loads_at_boot(void)
{
	static const char places[] =
		"{/etc,/run,/usr/local/lib,/usr/lib}/modules-load.d/*.conf";
	bool found = false, hidden;
	glob_t files = {};
	size_t i, k;

	glob(places, GLOB_BRACE, NULL, &files);
	for (i = 0; i < files.gl_pathc && !found; i++) {
		/* of several files with one name, only the first counts */
		hidden = false;
		for (k = 0; k < i; k++)
			if (!strcmp(strrchr(files.gl_pathv[k], '/'),
				    strrchr(files.gl_pathv[i], '/')))
				hidden = true;
		found = !hidden && file_loads(files.gl_pathv[i]);
	}
	globfree(&files);
	return found;
}

static const char *what_to_do(int rc)
{
	switch (rc) {
	case -EPERM:
	case -EACCES:
		return "be root; if locked down (Secure Boot), sign it with a key that it knows";
	case -EKEYREJECTED:
	case -ENOKEY:
	case -EBADMSG:
	case -ENOPKG:
		return "this kernel takes signed modules only: sign it with a key that it knows";
	case -ENOEXEC:
	case -ENOENT:
		return "it was built for another kernel: build and install it for this one";
	case -EINVAL:
		return "its parameters in modprobe.d may be wrong, the kernel log says which";
	default:
		return "look into the kernel log";
	}
}

static int insert(struct iopmem_ctx *ctx, struct kmod_ctx *kmod)
{
	struct kmod_module *module;
	struct kmod_list *list = NULL;
	struct utsname kernel;
	int rc;

	uname(&kernel);
	rc = kmod_module_new_from_lookup(kmod, MODULE, &list);
	if (rc < 0 || !list)
		return set_error(ctx, -ENOENT,
				 "the module iopmem_bus is not installed for kernel %s: install it, then run depmod",
				 kernel.release);
	module = kmod_module_get_module(list);
	rc = kmod_module_probe_insert_module(module, 0, NULL, NULL, NULL,
					     NULL);
	kmod_module_unref(module);
	kmod_module_unref_list(list);
	if (rc)
		return set_error(ctx, rc,
				 "the module iopmem_bus cannot be loaded: %s: %s",
				 strerror(-rc), what_to_do(rc));
	return 0;
}

int module_load(struct iopmem_ctx *ctx)
{
	struct kmod_ctx *kmod;
	int rc;

	if (!access(SYSFS_DRIVERS "/" DRIVER, F_OK))
		return 0;
	kmod = kmod_start(ctx);
	if (!kmod)
		return -ENOMEM;
	rc = insert(ctx, kmod);
	kmod_unref(kmod);
	if (!rc && access(SYSFS_DRIVERS "/" DRIVER, F_OK))
		return set_error(ctx, -ENODEV,
				 "the module iopmem_bus is loaded and there is no driver iopmem: look into the kernel log");
	return rc;
}
