// SPDX-License-Identifier: GPL-2.0-only
/* Names of vendors and devices, from pci.ids, by libpci */
#include <pci/pci.h>

#include "cmd.h"

/* Valid until the next call; NULL if pci.ids has none, or is not there */
static const char *lookup(int what, struct iopmem_function *fn)
{
	static struct pci_access *access;
	static char buf[256];

	if (!access) {
		access = pci_alloc();
		/* neither the network nor a cache of what it said */
		access->id_lookup_mode = 0;
	}
	return pci_lookup_name(access, buf, sizeof(buf),
			       what | PCI_LOOKUP_NO_NUMBERS | PCI_LOOKUP_NO_HWDB,
			       iopmem_function_get_vendor(fn),
			       iopmem_function_get_device(fn));
}

const char *vendor_name(struct iopmem_function *fn)
{
	return lookup(PCI_LOOKUP_VENDOR, fn);
}

const char *device_name(struct iopmem_function *fn)
{
	return lookup(PCI_LOOKUP_DEVICE, fn);
}

void put_function(struct iopmem_function *fn)
{
	const char *name;

	printf("%s %04x:%04x", iopmem_function_get_address(fn),
	       iopmem_function_get_vendor(fn), iopmem_function_get_device(fn));
	name = vendor_name(fn);
	if (name)
		put_text(stdout, " %s", name);
	name = device_name(fn);
	if (name)
		put_text(stdout, " %s", name);
}
