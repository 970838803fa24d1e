// SPDX-License-Identifier: LGPL-2.1-or-later
/* Configuration space, by libpci */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pci/pci.h>

#include "private.h"

/* What libpci has to say is said better by the caller. */
static void say_nothing(char *message, ...)
{
	(void)message;
}

static struct pci_access *access_get(struct iopmem_ctx *ctx)
{
	if (!ctx->pci) {
		ctx->pci = pci_alloc();
		ctx->pci->method = PCI_ACCESS_SYS_BUS_PCI;
		ctx->pci->warning = say_nothing;
		ctx->pci->debug = say_nothing;
		pci_init(ctx->pci);
	}
	return ctx->pci;
}

static int why_unreadable(struct iopmem_function *fn)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/config", fn->syspath);
	if (!access(path, R_OK))
		return -EIO;
	return errno == EACCES ? -EACCES : -ENOENT;
}

static int say_why(struct iopmem_function *fn, int rc)
{
	switch (rc) {
	case -EIO:
		return failed(fn->ctx, rc,
			      "%s: its configuration space cannot be read, look into the kernel log",
			      fn->name);
	case -EACCES:
		return failed(fn->ctx, rc,
			      "%s: reading its configuration space needs root",
			      fn->name);
	case -ENOENT:
		return failed(fn->ctx, -ENODEV,
			      "%s: has gone while it was being read, try again",
			      fn->name);
	case -ENODEV:
		return failed(fn->ctx, rc,
			      "%s: does not answer, is it switched off or gone?",
			      fn->name);
	default:
		return failed(fn->ctx, rc, "out of memory");
	}
}

/*
 * Without root there are 64 bytes; with it 256, or 4096 for PCIe. Each dword
 * is a round trip to the function: no more of them than asked for.
 */
static int config_read(struct iopmem_function *fn, unsigned int want)
{
	static const unsigned int steps[] = { 64, 256, CONFIG_SIZE };
	struct pci_dev *dev;
	size_t i;

	if (!fn->config) {
		fn->config = malloc(CONFIG_SIZE);
		if (!fn->config)
			return -ENOMEM;
	}
	dev = pci_get_dev(access_get(fn->ctx), fn->address.domain,
			  fn->address.bus, fn->address.dev, fn->address.fn);
	for (i = 0; i < ARRAY_SIZE(steps) && fn->config_len < (int)want; i++) {
		unsigned int len = fn->config_len;

		if (steps[i] <= len)
			continue;
		if (!pci_read_block(dev, len, fn->config + len,
				    steps[i] - len))
			break;
		fn->config_len = steps[i];
	}
	pci_free_dev(dev);

	if (!fn->config_len)
		return why_unreadable(fn);
	if (fn->config[0] == 0xff && fn->config[1] == 0xff)
		return -ENODEV;
	return fn->config_len;
}

int function_config(struct iopmem_function *fn, unsigned int want,
		    const uint8_t **buf)
{
	if (fn->config_tried < want && fn->config_len >= 0) {
		int rc = config_read(fn, want);

		fn->config_tried = want;
		if (rc < 0)
			fn->config_len = rc;
	}
	*buf = fn->config;
	return fn->config_len < 0 ? say_why(fn, fn->config_len) :
		fn->config_len;
}

EXPORT int iopmem_function_get_config(struct iopmem_function *fn,
				      const uint8_t **buf)
{
	return function_config(fn, CONFIG_SIZE, buf);
}

static int found(struct iopmem_function *fn, const char *what,
		 unsigned int id, int rc)
{
	if (rc == -ENOENT)
		return failed(fn->ctx, rc, "%s: has no %s %#x", fn->name, what,
			      id);
	if (rc == -EACCES)
		return failed(fn->ctx, rc, "%s: reading its %s needs root",
			      fn->name, what);
	if (rc < 0)
		return failed(fn->ctx, rc,
			      "%s: its list of capabilities is broken, the card is at fault",
			      fn->name);
	return rc;
}

EXPORT int iopmem_function_find_capability(struct iopmem_function *fn,
					   unsigned int id)
{
	const uint8_t *buf;
	int len = function_config(fn, 256, &buf);

	if (len < 0)
		return len;
	return found(fn, "capability", id,
		     config_find_capability(buf, len, id));
}

EXPORT int iopmem_function_find_ext_capability(struct iopmem_function *fn,
					       unsigned int id)
{
	const uint8_t *buf;
	int len = function_config(fn, CONFIG_SIZE, &buf);

	if (len < 0)
		return len;
	return found(fn, "extended capability", id,
		     config_find_ext_capability(buf, len, id));
}

EXPORT int iopmem_function_is_bus_master(struct iopmem_function *fn)
{
	const uint8_t *buf;
	int len = function_config(fn, 64, &buf);

	return len < 0 ? len : config_bus_master(buf, len);
}

EXPORT int iopmem_function_is_initiator(struct iopmem_function *fn)
{
	unsigned int base = fn->class >> 16, sub = fn->class >> 8;

	if (base == 0x06)
		return 0;
	if (base == 0x01 || base == 0x02 || base == 0x03 || base == 0x12 ||
	    sub == 0x0b40)
		return 1;
	return iopmem_function_is_bus_master(fn);
}

EXPORT int iopmem_function_is_memory_on(struct iopmem_function *fn)
{
	const uint8_t *buf;
	int len = function_config(fn, 64, &buf);

	return len < 0 ? len : config_memory_on(buf, len);
}

EXPORT int iopmem_function_get_port_type(struct iopmem_function *fn)
{
	const uint8_t *buf;
	int len = function_config(fn, 256, &buf);

	if (len < 0)
		return len;
	return found(fn, "capability", 0x10, config_port_type(buf, len));
}

EXPORT int iopmem_function_get_acs(struct iopmem_function *fn,
				   struct iopmem_acs *acs)
{
	const uint8_t *buf;
	struct acs regs = {};
	int rc, len = function_config(fn, CONFIG_SIZE, &buf);

	if (len < 0)
		return len;
	rc = found(fn, "extended capability", EXT_CAP_ACS,
		   config_acs(buf, len, &regs));
	acs->capability = regs.capability;
	acs->control = regs.control;
	return rc;
}
