// SPDX-License-Identifier: GPL-2.0-only
/*
 * softbridge: a PCI host bridge in software with one function behind it. It is for
 * tests that need a function that no device of QEMU has.
 *
 * The function has the id that iopmem_bus binds to by itself. Its configuration
 * space is an array. Its BAR 2 is 64-bit and prefetchable. It is a part of another
 * function's BAR 2, so there is memory behind it.
 *
 *	target's BAR 2  [ ........... | BAR 2 | ........... ]
 *	                <-- offset -->|<-size->
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/log2.h>
#include <linux/memory_hotplug.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/sizes.h>
#include <linux/workqueue.h>

#define BAR	2
#define PCIE	0x40
#define PM	0x80
#define DSN	PCI_CFG_SPACE_SIZE
#define REBAR	(DSN + 0x10)

static char *target;
module_param(target, charp, 0444);
MODULE_PARM_DESC(target, "The function whose BAR 2 has the memory, domain:bus:device.function. Without it, the BAR is at the first address that the kernel cannot map, with nothing behind it");

static ulong offset;
module_param(offset, ulong, 0444);
MODULE_PARM_DESC(offset, "Offset in the target's BAR 2, a multiple of size");

static ulong within;
module_param(within, ulong, 0444);
MODULE_PARM_DESC(within, "Without a target: how many bytes of the BAR's start the kernel can still map (default: 0). If it is not a multiple of size, bus_address has to be given");

static ulong size = SZ_64M;
module_param(size, ulong, 0444);
MODULE_PARM_DESC(size, "Size of the BAR, a power of two");

static ulong bus_address;
module_param(bus_address, ulong, 0444);
MODULE_PARM_DESC(bus_address, "The BAR's address on the bus, a multiple of size (default: its address for the CPU)");

static ulong serial;
module_param(serial, ulong, 0444);
MODULE_PARM_DESC(serial, "The function's Device Serial Number (default: 0, none)");

static int domain = 0x10000;
module_param(domain, int, 0444);
MODULE_PARM_DESC(domain, "The bridge's domain (default: 0x10000)");

static uint slot;
module_param(slot, uint, 0444);
MODULE_PARM_DESC(slot, "The function's slot on the bus (default: 0)");

static bool unassigned;
module_param(unassigned, bool, 0444);
MODULE_PARM_DESC(unassigned, "The BAR gets no address");

static bool io;
module_param(io, bool, 0444);
MODULE_PARM_DESC(io, "Add a BAR 0 of 256 I/O ports, which gets no address");

static int node = NUMA_NO_NODE;
module_param(node, int, 0444);
MODULE_PARM_DESC(node, "The bridge's NUMA node, on x86 (default: -1, none)");

static bool pm;
module_param(pm, bool, 0444);
MODULE_PARM_DESC(pm, "The function can be put into D3hot. Then it loses its registers, and the contents of both ends of its memory");

static bool no_soft_reset;
module_param(no_soft_reset, bool, 0444);
MODULE_PARM_DESC(no_soft_reset, "With pm: the function loses nothing in D3hot (NoSoftReset)");

static uint sleeps;
module_param(sleeps, uint, 0444);
MODULE_PARM_DESC(sleeps, "How often the function has been put into D3hot");

static bool gone;
module_param(gone, bool, 0644);
MODULE_PARM_DESC(gone, "The configuration space answers all ones and takes no writes");

static uint id;
module_param(id, uint, 0644);
MODULE_PARM_DESC(id, "Another id that the function answers with, device << 16 | vendor");

static u32 config[PCI_CFG_SPACE_EXP_SIZE / sizeof(u32)];
static struct pci_dev *target_dev;
static struct pci_bus *root_bus;
#ifdef CONFIG_X86
static struct pci_sysdata sysdata;
#endif
static resource_size_t iomem_end;

static struct resource bus_numbers = {
	.name = "softbridge buses",
	.flags = IORESOURCE_BUS,
};

static struct resource window = {
	.name = "softbridge window",
	.flags = IORESOURCE_MEM | IORESOURCE_MEM_64 | IORESOURCE_PREFETCH,
};

/* The BAR's address on the bus */
static u64 bar_address(void)
{
	return bus_address ?: window.start;
}

/*
 * Does the BAR have its address from the beginning, as if firmware had assigned it?
 * The kernel would assign only a multiple of the BAR's size, and would disable BAR 0.
 */
static bool preset(void)
{
	return window.start % size || io;
}

static void fill_config(void)
{
	config[PCI_VENDOR_ID / 4] = 0xf115 << 16 | PCI_VENDOR_ID_MICROSEMI;
	config[PCI_COMMAND / 4] = PCI_STATUS_CAP_LIST << 16;
	config[PCI_CLASS_REVISION / 4] = PCI_CLASS_MEMORY_OTHER << 16;
	if (io)
		config[PCI_BASE_ADDRESS_0 / 4] = PCI_BASE_ADDRESS_SPACE_IO;
	config[PCI_BASE_ADDRESS_2 / 4] = PCI_BASE_ADDRESS_MEM_TYPE_64 |
					 PCI_BASE_ADDRESS_MEM_PREFETCH;
	if (preset()) {
		config[PCI_BASE_ADDRESS_2 / 4] |= lower_32_bits(bar_address());
		config[PCI_BASE_ADDRESS_3 / 4] = upper_32_bits(bar_address());
	}
	config[PCI_CAPABILITY_LIST / 4] = PCIE;
	config[PCIE / 4] = (2 | PCI_EXP_TYPE_RC_END << 4) << 16 | PCI_CAP_ID_EXP;
	if (pm) {
		config[PCIE / 4] |= PM << 8;
		config[PM / 4] = 3 << 16 | PCI_CAP_ID_PM;
		if (no_soft_reset)
			config[PM / 4 + 1] = PCI_PM_CTRL_NO_SOFT_RESET;
	}

	/* without a serial number, a null capability that points to the next one */
	config[DSN / 4] = (u32)REBAR << 20;
	if (serial) {
		config[DSN / 4] |= 1 << 16 | PCI_EXT_CAP_ID_DSN;
		config[DSN / 4 + 1] = lower_32_bits(serial);
		config[DSN / 4 + 2] = upper_32_bits(serial);
	}

	/* Resizable BAR: this size, or half of it */
	config[REBAR / 4] = 1 << 16 | PCI_EXT_CAP_ID_REBAR;
	config[REBAR / 4 + 1] = (size | size / 2) >> 16;
	config[REBAR / 4 + 2] = ilog2(size >> 20) << 8 | 1 << 5 | BAR;
}

static u32 writable(int where)
{
	switch (where) {
	case PCI_COMMAND:
		return PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	case PCI_BASE_ADDRESS_0:
		return io ? ~0xff : 0;
	case PCI_BASE_ADDRESS_2:
		return lower_32_bits(~(size - 1));
	case PCI_BASE_ADDRESS_3:
		return upper_32_bits(~(size - 1));
	case PM + PCI_PM_CTRL:
		return pm ? PCI_PM_CTRL_STATE_MASK : 0;
	case REBAR + PCI_REBAR_CTRL:
		return PCI_REBAR_CTRL_BAR_SIZE;
	default:
		return 0;
	}
}

static int config_read(struct pci_bus *bus, unsigned int devfn, int where,
		       int bytes, u32 *val)
{
	*val = ~0;
	if (READ_ONCE(gone) || devfn != PCI_DEVFN(slot, 0))
		return PCIBIOS_DEVICE_NOT_FOUND;

	*val = config[where / 4];
	if (where / 4 == PCI_VENDOR_ID / 4 && READ_ONCE(id))
		*val = READ_ONCE(id);
	*val >>= where % 4 * 8;
	if (bytes < 4)
		*val &= BIT(bytes * 8) - 1;
	return PCIBIOS_SUCCESSFUL;
}

/*
 * Clear both ends of the memory. The mapping has to have the memory type that the
 * driver has reserved.
 */
static void forget_memory(struct work_struct *work)
{
	void *memory = memremap(window.start, size, MEMREMAP_WC);

	if (!memory)
		return;
	memset(memory, 0, SZ_64K);
	memset(memory + size - SZ_128K, 0, SZ_128K);
	memunmap(memory);
}

static DECLARE_WORK(forgetting, forget_memory);

static void go_to_sleep(void)
{
	sleeps++;
	if (no_soft_reset)
		return;
	config[PCI_COMMAND / 4] &= ~0xffff;
	config[PCI_BASE_ADDRESS_2 / 4] &= ~writable(PCI_BASE_ADDRESS_2);
	config[PCI_BASE_ADDRESS_3 / 4] = 0;
	schedule_work(&forgetting);
}

static int config_write(struct pci_bus *bus, unsigned int devfn, int where,
			int bytes, u32 val)
{
	int shift = where % 4 * 8;
	u32 mask = (bytes < 4 ? BIT(bytes * 8) - 1 : ~0) << shift;

	if (READ_ONCE(gone) || devfn != PCI_DEVFN(slot, 0))
		return PCIBIOS_DEVICE_NOT_FOUND;

	mask &= writable(where & ~3);
	config[where / 4] = (config[where / 4] & ~mask) | (val << shift & mask);
	if (where == PM + PCI_PM_CTRL && mask &&
	    (config[PM / 4 + 1] & PCI_PM_CTRL_STATE_MASK) == (__force int)PCI_D3hot)
		go_to_sleep();
	return PCIBIOS_SUCCESSFUL;
}

static struct pci_ops config_ops = {
	.read = config_read,
	.write = config_write,
};

/* Put the window into the target's BAR, or to the end of what the kernel can map. */
static int place_window(void)
{
	resource_size_t limit = mhp_get_pluggable_range(true).end + 1;
	struct resource *parent = &iomem_resource;
	unsigned int dom, bus, dev, fn;
	int rc;

	if (target) {
		if (sscanf(target, "%x:%x:%x.%x", &dom, &bus, &dev, &fn) == 4)
			target_dev = pci_get_domain_bus_and_slot(dom, bus,
								 PCI_DEVFN(dev, fn));
		if (!target_dev)
			return -ENODEV;
		rc = pci_enable_device_mem(target_dev);
		if (rc)
			goto err_put;
		parent = &target_dev->resource[BAR];
		window.start = parent->start + offset;
	} else {
		window.start = within ? limit - within : ALIGN(limit, size);
	}
	window.end = window.start + size - 1;

	/* The CPU may have too few address bits for this address. */
	iomem_end = iomem_resource.end;
	if (!target)
		iomem_resource.end = max(iomem_end, window.end);

	rc = request_resource(parent, &window);
	if (!rc)
		return 0;

	pr_err("no room for %pR in %pR\n", &window, parent);
	iomem_resource.end = iomem_end;
	if (target)
		pci_disable_device(target_dev);
err_put:
	pci_dev_put(target_dev);
	return rc;
}

static void remove_window(void)
{
	release_resource(&window);
	iomem_resource.end = iomem_end;
	if (target)
		pci_disable_device(target_dev);
	pci_dev_put(target_dev);
}

/* x86 keeps the domain and the node in struct pci_sysdata. */
static void place_bridge(struct pci_host_bridge *bridge)
{
#ifdef CONFIG_X86
	sysdata.domain = domain;
	sysdata.node = node;
	bridge->sysdata = &sysdata;
#else
	bridge->domain_nr = domain;
#endif
}

static int __init softbridge_init(void)
{
	struct pci_host_bridge *bridge;
	int rc;

	if (!is_power_of_2(size) || offset % size || bus_address % size ||
	    (within % size && !bus_address))
		return -EINVAL;

	rc = place_window();
	if (rc)
		return rc;
	fill_config();

	bridge = pci_alloc_host_bridge(0);
	if (!bridge) {
		remove_window();
		return -ENOMEM;
	}
	pci_add_resource(&bridge->windows, &bus_numbers);
	pci_add_resource_offset(&bridge->windows, &window,
				window.start - bar_address());
	bridge->ops = &config_ops;
	place_bridge(bridge);

	pci_lock_rescan_remove();
	rc = pci_scan_root_bus_bridge(bridge);
	if (rc) {
		pci_unlock_rescan_remove();
		pci_free_host_bridge(bridge);
		remove_window();
		return rc;
	}
	root_bus = bridge->bus;
	if (preset())
		pci_bus_claim_resources(root_bus);
	else if (!unassigned)
		pci_assign_unassigned_bus_resources(root_bus);
	pci_bus_add_devices(root_bus);
	pci_unlock_rescan_remove();
	return 0;
}
module_init(softbridge_init);

static void __exit softbridge_exit(void)
{
	struct pci_host_bridge *bridge = to_pci_host_bridge(root_bus->bridge);

	pci_lock_rescan_remove();
	pci_stop_root_bus(root_bus);
	pci_remove_root_bus(root_bus);
	pci_unlock_rescan_remove();
	pci_free_host_bridge(bridge);
	flush_work(&forgetting);
	remove_window();
}
module_exit(softbridge_exit);

MODULE_DESCRIPTION("A PCI host bridge in software, for iopmem's tests");
MODULE_AUTHOR("iopmem developers");
MODULE_LICENSE("GPL");
