// SPDX-License-Identifier: LGPL-2.1-or-later
/* Load the module, as modprobe does, with what modprobe.d says */
#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <libkmod.h>

#include "private.h"

/* It repeats on stderr what it returns. */
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
	rc = kmod_module_new_from_lookup(kmod, "iopmem_bus", &list);
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
	kmod = kmod_new(NULL, NULL);
	if (!kmod)
		return failed(ctx, -ENOMEM, "out of memory");
	kmod_set_log_fn(kmod, say_nothing, NULL);
	rc = insert(ctx, kmod);
	kmod_unref(kmod);
	if (!rc && access(SYSFS_DRIVERS "/" DRIVER, F_OK))
		return failed(ctx, -ENODEV,
			      "the module iopmem_bus is loaded and there is no driver iopmem: look into the kernel log");
	return rc;
}
