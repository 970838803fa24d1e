// SPDX-License-Identifier: LGPL-2.1-or-later
/* The module: what is known of it; load it as modprobe does */
#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <libkmod.h>

#include "private.h"

#define MODULE	"iopmem_bus"

/* libkmod repeats on stderr what it returns. */
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
		failed(ctx, -ENOMEM, "out of memory");
	return kmod;
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
		return failed(ctx, rc, "module " MODULE ": its file cannot be read: %s",
			      strerror(-rc));
	return 0;
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
		return failed(ctx, -ENOENT,
			      "the module iopmem_bus is not installed for kernel %s: install it, then run depmod",
			      kernel.release);
	module = kmod_module_get_module(list);
	rc = kmod_module_probe_insert_module(module, 0, NULL, NULL, NULL,
					     NULL);
	kmod_module_unref(module);
	kmod_module_unref_list(list);
	if (rc)
		return failed(ctx, rc,
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
		return failed(ctx, -ENODEV,
			      "the module iopmem_bus is loaded and there is no driver iopmem: look into the kernel log");
	return rc;
}
