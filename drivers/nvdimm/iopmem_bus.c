// SPDX-License-Identifier: GPL-2.0-only
/*
 * iopmem_bus: the memory behind a PCIe BAR as a persistent memory region
 *
 * Each function gets an nvdimm bus of its own, and each eligible BAR of the
 * function one region on it. libnvdimm, nd_pmem and device_dax do the rest.
 *
 *	BAR  [ namespaces ......................... | label area, 128 KiB ]
 *
 * The driver binds to PCI id 11f8:f115, and to any other function by
 * driver_override, new_id or its parameter ids=.
 *
 * See Documentation/driver-api/nvdimm/iopmem.rst.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/blkdev.h>
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/libnvdimm.h>
#include <linux/memory_hotplug.h>
#include <linux/module.h>
#include <linux/nd.h>
#include <linux/ndctl.h>
#include <linux/pci.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#ifdef CONFIG_X86
#include <asm/cpufeature.h>
#endif

#define IOPMEM_MIN_BAR_SIZE	SZ_4M
#define IOPMEM_LABEL_AREA_SIZE	SZ_128K
#define PCI_DEVICE_ID_IOPMEM	0xf115

static char *ids;
module_param(ids, charp, 0444);
MODULE_PARM_DESC(ids, "Further PCI ids to bind to, \"vendor:device[:subvendor[:subdevice[:class[:class_mask]]]]\", hexadecimal, separated by commas");

static char *bars = "0-5";
module_param(bars, charp, 0444);
MODULE_PARM_DESC(bars, "The BARs to use if they are eligible, a list as in \"2,4-5\" (default: 0-5)");
static unsigned long bar_mask;

static bool labels = true;
module_param(labels, bool, 0444);
MODULE_PARM_DESC(labels, "Keep namespace labels in the last 128 KiB of each BAR (default: 1). 0: each BAR is one label-less namespace");

static bool cached;
module_param(cached, bool, 0444);
MODULE_PARM_DESC(cached, "Map the BARs write-back (default: 0, write-combining). Only for BARs that are RAM, as ivshmem's");

/**
 * struct iopmem_bar - one BAR and the region made of it
 * @bus: the function's
 * @index: the BAR's number, 0 to 5
 * @labelled: the last 128 KiB are a label area
 * @tail: the last 128 KiB, mapped
 * @mark: what they begin with, if they are a label area
 * @nd_set: identifies the region in its labels
 */
struct iopmem_bar {
	struct iopmem_bus *bus;
	int index;
	bool labelled;
	void *tail;
	u32 mark;
	struct nd_interleave_set nd_set;
};

/**
 * struct iopmem_bus - one function
 * @pdev: the function
 * @desc: the bus as libnvdimm sees it
 * @nvdimm_bus: what libnvdimm made of @desc
 * @lost: the function was reset, stores may not have reached it
 * @num_bars: used entries of @bars
 * @bars: the eligible BARs
 */
struct iopmem_bus {
	struct pci_dev *pdev;
	struct nvdimm_bus_descriptor desc;
	struct nvdimm_bus *nvdimm_bus;
	bool lost;
	int num_bars;
	struct iopmem_bar bars[PCI_STD_NUM_BARS];
};

static bool iopmem_alive(struct iopmem_bar *bar)
{
	return !READ_ONCE(bar->bus->lost) &&
	       pci_device_is_present(bar->bus->pdev);
}

/*
 * Stores to the BAR are posted writes, perhaps still in the CPU's
 * write-combining buffers. A read may not pass a posted write (PCIe base
 * specification, "Transaction Ordering Rules"), so once one has returned, what
 * was stored before has reached the function, if there still is one: what is
 * read from a function that is gone may be anything, and memory that has been
 * switched off does not answer as it did.
 */
static int iopmem_drain(struct iopmem_bar *bar)
{
	u32 mark;

	mb(); /* drain the write-combining buffers ahead of the read */
	mark = READ_ONCE(*(u32 *)bar->tail);
	if (bar->labelled && mark != READ_ONCE(bar->mark))
		return -EIO;
	return iopmem_alive(bar) ? 0 : -EIO;
}

static int iopmem_flush(struct nd_region *nd_region, struct bio *bio)
{
	return iopmem_drain(nd_region_provider_data(nd_region));
}

static int iopmem_get_config_size(struct nd_cmd_get_config_size *cmd,
				  unsigned int buf_len)
{
	if (buf_len < sizeof(*cmd))
		return -EINVAL;

	*cmd = (struct nd_cmd_get_config_size) {
		.config_size = IOPMEM_LABEL_AREA_SIZE,
		.max_xfer = IOPMEM_LABEL_AREA_SIZE,
	};
	return 0;
}

static int iopmem_get_config_data(struct iopmem_bar *bar,
				  struct nd_cmd_get_config_data_hdr *cmd,
				  unsigned int buf_len)
{
	if (buf_len < sizeof(*cmd))
		return -EINVAL;
	if (struct_size(cmd, out_buf, cmd->in_length) > buf_len)
		return -EINVAL;
	if (size_add(cmd->in_offset, cmd->in_length) > IOPMEM_LABEL_AREA_SIZE)
		return -EINVAL;

	memcpy(cmd->out_buf, bar->tail + cmd->in_offset, cmd->in_length);
	cmd->status = 0;
	return iopmem_drain(bar);
}

static int iopmem_set_config_data(struct iopmem_bar *bar,
				  struct nd_cmd_set_config_hdr *cmd,
				  unsigned int buf_len)
{
	const u32 status = 0;

	/* The status that the caller gets back follows the data. */
	if (buf_len < sizeof(*cmd))
		return -EINVAL;
	if (size_add(struct_size(cmd, in_buf, cmd->in_length),
		     sizeof(status)) > buf_len)
		return -EINVAL;
	if (size_add(cmd->in_offset, cmd->in_length) > IOPMEM_LABEL_AREA_SIZE)
		return -EINVAL;

	memcpy(bar->tail + cmd->in_offset, cmd->in_buf, cmd->in_length);
	memcpy(cmd->in_buf + cmd->in_length, &status, sizeof(status));

	/* Memory that is switched off may read as zeros, like blank memory. */
	mb(); /* drain the write-combining buffers ahead of the read */
	if (memcmp(bar->tail + cmd->in_offset, cmd->in_buf, cmd->in_length)) {
		if (iopmem_alive(bar))
			pci_err(bar->bus->pdev,
				"BAR %d: does not keep what is written to it, switch its memory on\n",
				bar->index);
		return -EIO;
	}
	WRITE_ONCE(bar->mark, *(u32 *)bar->tail);
	return iopmem_drain(bar);
}

static int iopmem_ctl(struct nvdimm_bus_descriptor *desc,
		      struct nvdimm *nvdimm, unsigned int cmd, void *buf,
		      unsigned int buf_len, int *cmd_rc)
{
	struct iopmem_bar *bar;

	/* There is no firmware whose status would need translating. */
	*cmd_rc = 0;

	if (!nvdimm)
		return -ENOTTY;
	bar = nvdimm_provider_data(nvdimm);
	if (!bar->labelled)
		return -ENOTTY;

	switch (cmd) {
	case ND_CMD_GET_CONFIG_SIZE:
		return iopmem_get_config_size(buf, buf_len);
	case ND_CMD_GET_CONFIG_DATA:
		return iopmem_get_config_data(bar, buf, buf_len);
	case ND_CMD_SET_CONFIG_DATA:
		return iopmem_set_config_data(bar, buf, buf_len);
	default:
		return -ENOTTY;
	}
}

static struct iopmem_bar *dev_to_bar(struct device *dev)
{
	return nd_region_provider_data(to_nd_region(dev));
}

static ssize_t bar_show(struct device *dev, struct device_attribute *attr,
			char *buf)
{
	return sysfs_emit(buf, "%d\n", dev_to_bar(dev)->index);
}
static DEVICE_ATTR_RO(bar);

/* As the region's own attribute "resource": addresses are for root only. */
static ssize_t bus_address_show(struct device *dev,
				struct device_attribute *attr, char *buf)
{
	struct iopmem_bar *bar = dev_to_bar(dev);
	u64 address = pci_bus_address(bar->bus->pdev, bar->index);

	return sysfs_emit(buf, "%#llx\n", address);
}
static DEVICE_ATTR_ADMIN_RO(bus_address);

static struct attribute *iopmem_region_attributes[] = {
	&dev_attr_bar.attr,
	&dev_attr_bus_address.attr,
	NULL,
};

static const struct attribute_group iopmem_region_attribute_group = {
	.name = "iopmem",
	.attrs = iopmem_region_attributes,
};

static const struct attribute_group *iopmem_region_attribute_groups[] = {
	&iopmem_region_attribute_group,
	NULL,
};

/*
 * The cookie names the card and the BAR and never the slot, so that a card in
 * another slot, or behind a renumbered bus, keeps its namespaces.
 */
static void iopmem_init_set(struct iopmem_bar *bar)
{
	struct pci_dev *pdev = bar->bus->pdev;
	struct {
		__le64 serial;
		__le16 ids[4];
		__le32 bar;
	} __packed card = {
		.serial = cpu_to_le64(pci_get_dsn(pdev)),
		.bar = cpu_to_le32(bar->index),
	};

	if (!card.serial) {
		card.ids[0] = cpu_to_le16(pdev->vendor);
		card.ids[1] = cpu_to_le16(pdev->device);
		card.ids[2] = cpu_to_le16(pdev->subsystem_vendor);
		card.ids[3] = cpu_to_le16(pdev->subsystem_device);
	}

	bar->nd_set.cookie1 = nd_fletcher64(&card, sizeof(card), true);
	bar->nd_set.cookie2 = bar->nd_set.cookie1;
	bar->nd_set.altcookie = bar->nd_set.cookie1;
	/* A byte-addressable persistent memory range, in ACPI's NFIT */
	guid_parse("66f0d379-b4f3-4074-ac43-0d3318b78cdb",
		   &bar->nd_set.type_guid);
}

/*
 * Is there a namespace index block (UEFI specification, "Label Storage
 * Area")? In 128 KiB an index block takes 256 bytes with either label size.
 * A damaged one counts: it says that the BAR is labelled, and
 * "ndctl init-labels" repairs it.
 */
static bool iopmem_has_index(struct iopmem_bar *bar)
{
	static const char sig[16] = "NAMESPACE_INDEX";

	return !memcmp(bar->tail, sig, sizeof(sig)) ||
	       !memcmp(bar->tail + SZ_256, sig, sizeof(sig));
}

static void *iopmem_map(struct resource *res, resource_size_t offset,
			size_t size)
{
	return memremap(res->start + offset, size,
			cached ? MEMREMAP_WB : MEMREMAP_WC);
}

/*
 * A namespace's info block lies 4 KiB from its start. That of a label-less
 * namespace has no parent: otherwise it would hold the uuid in the label.
 */
static bool iopmem_is_labelless(const void *info_block)
{
	static const char sigs[][16] = {
		"BTT_ARENA_INFO", "NVDIMM_PFN_INFO", "NVDIMM_DAX_INFO",
	};
	const struct {
		char sig[16];
		uuid_t uuid;
		uuid_t parent_uuid;
	} *info = info_block;
	int i;

	if (!uuid_is_null(&info->parent_uuid))
		return false;
	for (i = 0; i < ARRAY_SIZE(sigs); i++)
		if (!memcmp(info->sig, sigs[i], sizeof(sigs[i])))
			return true;
	return false;
}

static void iopmem_release_label_area(void *data)
{
	struct iopmem_bar *bar = data;
	struct resource *res = &bar->bus->pdev->resource[bar->index];

	release_mem_region(res->end + 1 - IOPMEM_LABEL_AREA_SIZE,
			   IOPMEM_LABEL_AREA_SIZE);
}

/* The rest of the BAR is left for the namespaces to reserve. */
static int iopmem_reserve_label_area(struct iopmem_bar *bar)
{
	struct resource *res = &bar->bus->pdev->resource[bar->index];

	if (!request_mem_region_exclusive(res->end + 1 - IOPMEM_LABEL_AREA_SIZE,
					  IOPMEM_LABEL_AREA_SIZE,
					  "iopmem labels")) {
		pci_err(bar->bus->pdev,
			"BAR %d: label area in use, see /proc/iomem for %pR\n",
			bar->index, res);
		return -EBUSY;
	}
	return devm_add_action_or_reset(&bar->bus->pdev->dev,
					iopmem_release_label_area, bar);
}

/* Labels are the default, but never over a namespace that has none. */
static int iopmem_choose_labels(struct iopmem_bar *bar)
{
	struct resource *res = &bar->bus->pdev->resource[bar->index];
	void *start;

	bar->labelled = labels;
	bar->mark = READ_ONCE(*(u32 *)bar->tail);
	if (!labels || iopmem_has_index(bar))
		return 0;

	start = iopmem_map(res, 0, SZ_8K);
	if (!start)
		return -ENOMEM;

	if (iopmem_is_labelless(start + SZ_4K)) {
		bar->labelled = false;
		pci_info(bar->bus->pdev,
			 "BAR %d: holds a label-less namespace, used without labels\n",
			 bar->index);
	} else if (memchr_inv(start, 0, SZ_8K)) {
		pci_info(bar->bus->pdev,
			 "BAR %d: has no labels but is not blank, the first namespace will overwrite it; if it is one without labels, load with labels=0\n",
			 bar->index);
	}

	memunmap(start);
	return 0;
}

static int iopmem_setup_bar(struct iopmem_bar *bar)
{
	struct pci_dev *pdev = bar->bus->pdev;
	struct resource *res = &pdev->resource[bar->index];
	int rc;

	/*
	 * Other devices' DMA to the BAR does not snoop the CPU's caches. With
	 * the range reserved so, nd_pmem's and device_dax's own mappings come
	 * out write-combining too.
	 */
	if (!cached) {
		rc = devm_arch_io_reserve_memtype_wc(&pdev->dev, res->start,
						     resource_size(res));
		if (rc) {
			pci_err(pdev,
				"BAR %d: %pR cannot be reserved as write-combining (%d), end what maps it\n",
				bar->index, res, rc);
			return rc;
		}
	}

	bar->tail = devm_memremap(&pdev->dev,
				  res->end + 1 - IOPMEM_LABEL_AREA_SIZE,
				  IOPMEM_LABEL_AREA_SIZE,
				  cached ? MEMREMAP_WB : MEMREMAP_WC);
	if (IS_ERR(bar->tail))
		return PTR_ERR(bar->tail);

	rc = iopmem_choose_labels(bar);
	if (rc)
		return rc;

	iopmem_init_set(bar);
	return bar->labelled ? iopmem_reserve_label_area(bar) : 0;
}

/* struct pages, and the direct map on x86, reach only so far. */
static bool iopmem_bar_mappable(struct resource *res)
{
	struct range range = mhp_get_pluggable_range(true);

	return res->start >= range.start && res->end <= range.end;
}

/*
 * User mappings of DAX pages that are inserted by struct page, as in kernel
 * 7.3, do not follow a reservation, so that the MTRRs alone decide. In a
 * virtual machine the hypervisor has the last word. Elsewhere see what becomes
 * of a write-back mapping: beside one that really is, write-combining is not
 * to be had. What cannot be told, for want of memory, is not used.
 */
static bool iopmem_bar_cacheable(struct resource *res)
{
	bool cacheable = false;
#ifdef CONFIG_X86
	void *plain;

	if (cached || boot_cpu_has(X86_FEATURE_HYPERVISOR))
		return false;

	plain = memremap(res->start, PAGE_SIZE, MEMREMAP_WB);
	if (!plain)
		return true;
	if (arch_io_reserve_memtype_wc(res->start, PAGE_SIZE))
		cacheable = true;
	else
		arch_io_free_memtype_wc(res->start, PAGE_SIZE);
	memunmap(plain);
#endif
	return cacheable;
}

/* Memory that is switched off, or not there, answers all ones. */
static bool iopmem_bar_dead(struct resource *res)
{
	const resource_size_t ends[] = {
		0, resource_size(res) - IOPMEM_LABEL_AREA_SIZE,
	};
	bool alive = false;
	int i;

	for (i = 0; i < ARRAY_SIZE(ends) && !alive; i++) {
		void *end = iopmem_map(res, ends[i], IOPMEM_LABEL_AREA_SIZE);

		if (!end)
			return false;
		alive = memchr_inv(end, 0xff, IOPMEM_LABEL_AREA_SIZE);
		memunmap(end);
	}
	return !alive;
}

/* Why a BAR cannot be a region, or NULL if it can. */
static const char *iopmem_bar_unfit(struct resource *res, int index)
{
	if (!test_bit(index, &bar_mask))
		return "not in bars=";
	if (!(res->flags & IORESOURCE_MEM))
		return "I/O ports, not memory";
	if (!(res->flags & IORESOURCE_PREFETCH))
		return "not prefetchable, so reading it may have side effects";
	if (resource_size(res) < IOPMEM_MIN_BAR_SIZE)
		return "smaller than 4 MiB";
	if (!iopmem_bar_mappable(res))
		return "beyond what the kernel maps, have the firmware place it lower";
	if (iopmem_bar_cacheable(res))
		return "write-back by the firmware's MTRRs, load with cached=1 if it is RAM";
	if (iopmem_bar_dead(res))
		return "answers all ones, switch its memory on";
	return NULL;
}

static int iopmem_setup_bars(struct iopmem_bus *bus)
{
	struct pci_dev *pdev = bus->pdev;
	int i, rc;

	/* Only with x86's PAT does a reservation decide over later mappings. */
	if (!cached && !(IS_ENABLED(CONFIG_X86) && arch_can_pci_mmap_wc())) {
		pci_err(pdev,
			"this machine would map BARs cacheable, load with cached=1 if they are RAM\n");
		return -EOPNOTSUPP;
	}

	for (i = 0; i < PCI_STD_NUM_BARS; i++) {
		struct iopmem_bar *bar = &bus->bars[bus->num_bars];
		struct resource *res = &pdev->resource[i];
		const char *unfit;

		if (!res->flags)
			continue;

		unfit = iopmem_bar_unfit(res, i);
		if (unfit) {
			pci_info(pdev, "BAR %d %pR: %s, passed over\n", i, res,
				 unfit);
			continue;
		}

		bar->bus = bus;
		bar->index = i;
		rc = iopmem_setup_bar(bar);
		if (rc)
			return rc;
		bus->num_bars++;
	}

	if (!bus->num_bars) {
		pci_err(pdev,
			"no BAR that can be a region: memory, prefetchable, assigned and at least 4 MiB\n");
		return -ENODEV;
	}
	return 0;
}

static int iopmem_create_region(struct iopmem_bus *bus, struct iopmem_bar *bar)
{
	struct pci_dev *pdev = bar->bus->pdev;
	struct resource res = pdev->resource[bar->index];
	unsigned long dimm_flags = 0, cmd_mask = 0;
	struct nd_mapping_desc mapping = {};
	struct nd_region_desc ndr_desc = {
		.res = &res,
		.mapping = &mapping,
		.num_mappings = 1,
		.attr_groups = iopmem_region_attribute_groups,
		.nd_set = &bar->nd_set,
		.provider_data = bar,
		.numa_node = dev_to_node(&pdev->dev),
		/* so that kmem cannot make system RAM of a BAR */
		.target_node = NUMA_NO_NODE,
		.flush = iopmem_flush,
	};
	int rc;

	/* MAP_SYNC would promise what flushing CPU caches cannot give here. */
	__set_bit(ND_REGION_ASYNC, &ndr_desc.flags);

	/* The region's probe needs the dimm's to be over. */
	__set_bit(NDD_REGISTER_SYNC, &dimm_flags);

	if (bar->labelled) {
		res.end -= IOPMEM_LABEL_AREA_SIZE;
		__set_bit(NDD_LABELING, &dimm_flags);
		__set_bit(ND_CMD_GET_CONFIG_SIZE, &cmd_mask);
		__set_bit(ND_CMD_GET_CONFIG_DATA, &cmd_mask);
		__set_bit(ND_CMD_SET_CONFIG_DATA, &cmd_mask);
	} else {
		__set_bit(ND_REGION_PAGEMAP, &ndr_desc.flags);
	}

	mapping.size = resource_size(&res);
	mapping.nvdimm = nvdimm_create(bus->nvdimm_bus, bar, NULL, dimm_flags,
				       cmd_mask, 0, NULL);
	if (!mapping.nvdimm)
		return -ENOMEM;

	/* One that could not be registered is returned too, freed. */
	rc = nvdimm_bus_check_dimm_count(bus->nvdimm_bus,
					 bar - bus->bars + 1);
	if (rc)
		return rc;

	if (!nvdimm_pmem_region_create(bus->nvdimm_bus, &ndr_desc))
		return -ENOMEM;

	if (pci_bus_address(pdev, bar->index) != pci_resource_start(pdev, bar->index))
		pci_warn(pdev,
			 "BAR %d: bus and CPU address differ, without an IOMMU only DMA to the region's bus_address reaches it\n",
			 bar->index);
	return 0;
}

static void iopmem_disable_device(void *pdev)
{
	pci_disable_device(pdev);
}

/* Memory decoding only: a target needs neither I/O ports nor bus mastering. */
static int iopmem_enable_device(struct pci_dev *pdev)
{
	int rc;

	rc = pci_enable_device_mem(pdev);
	if (rc) {
		pci_err(pdev,
			"cannot be enabled (%d), a BAR without an address wants pci=realloc\n",
			rc);
		return rc;
	}
	return devm_add_action_or_reset(&pdev->dev, iopmem_disable_device,
					pdev);
}

static int iopmem_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct iopmem_bus *bus;
	int i, rc;

	bus = devm_kzalloc(&pdev->dev, sizeof(*bus), GFP_KERNEL);
	if (!bus)
		return -ENOMEM;

	bus->pdev = pdev;

	rc = iopmem_enable_device(pdev);
	if (rc)
		return rc;

	if (!pci_device_is_present(pdev)) {
		pci_err(pdev, "does not answer, power it up or put it in again\n");
		return -ENODEV;
	}

	rc = iopmem_setup_bars(bus);
	if (rc)
		return rc;

	/* before there is anything to flush */
	pci_set_drvdata(pdev, bus);
	pci_save_state(pdev);

	bus->desc.module = THIS_MODULE;
	bus->desc.ndctl = iopmem_ctl;
	bus->desc.provider_name = devm_kasprintf(&pdev->dev, GFP_KERNEL,
						 "iopmem-%s", pci_name(pdev));
	if (!bus->desc.provider_name)
		return -ENOMEM;

	bus->nvdimm_bus = nvdimm_bus_register(&pdev->dev, &bus->desc);
	if (!bus->nvdimm_bus)
		return -ENOMEM;

	/* Without its own driver, a bus leaves its regions behind when it goes. */
	if (device_attach(to_nvdimm_bus_dev(bus->nvdimm_bus)) <= 0) {
		rc = -ENXIO;
		goto err_unregister;
	}

	for (i = 0; i < bus->num_bars; i++) {
		rc = iopmem_create_region(bus, &bus->bars[i]);
		if (rc)
			goto err_unregister;
	}

	return 0;

err_unregister:
	nvdimm_bus_unregister(bus->nvdimm_bus);
	return rc;
}

/*
 * Is a block device below @dev open? Those that are not take no more I/O from
 * here on, so that nothing can be mounted from them any more. Who opens one just
 * then gets errors from it, and is waited for.
 */
static int iopmem_retire_disks(struct device *dev, void *say_for)
{
	struct pci_dev *pdev = say_for;
	struct gendisk *disk;

	if (!dev->class || strcmp(dev->class->name, "block"))
		return device_for_each_child(dev, say_for, iopmem_retire_disks);

	disk = dev_to_disk(dev);
	if (!disk_openers(disk) && !test_bit(GD_DEAD, &disk->state)) {
		/* Until 6.1 the next call does not, and buffered reads hang. */
		blk_queue_flag_set(QUEUE_FLAG_DYING, disk->queue);
		blk_mark_disk_dead(disk);
	}
	if (!disk_openers(disk))
		return 0;

	if (pdev)
		pci_warn(pdev,
			 "%s is in use, unmount or close it: removal waits\n",
			 dev_name(dev));
	return 1;
}

/*
 * A file system with DAX uses the struct pages of its files until it has been
 * unmounted, and would oops without them. So wait, as vfio does for its users,
 * and say so every 10 seconds.
 *
 * Not by devm: the PCI core may let the function sleep before devm's turn.
 */
static void iopmem_remove(struct pci_dev *pdev)
{
	struct iopmem_bus *bus = pci_get_drvdata(pdev);
	int i;

	for (i = 0; device_for_each_child(&pdev->dev, i % 100 ? NULL : pdev,
					  iopmem_retire_disks); i++)
		msleep(100);
	nvdimm_bus_unregister(bus->nvdimm_bus);
}

/*
 * Around a reset, stores go nowhere and memory may be cleared, and who stored
 * is not told. So no flush succeeds from then on.
 */
static void iopmem_lose(struct pci_dev *pdev)
{
	struct iopmem_bus *bus = pci_get_drvdata(pdev);

	WRITE_ONCE(bus->lost, true);
	pci_err(pdev,
		"reset or link error, flushes fail from here on: check the data, unbind and bind again\n");
}

static pci_ers_result_t iopmem_error_detected(struct pci_dev *pdev,
					      pci_channel_state_t state)
{
	iopmem_lose(pdev);
	return state == pci_channel_io_normal ? PCI_ERS_RESULT_CAN_RECOVER :
						PCI_ERS_RESULT_NEED_RESET;
}

static pci_ers_result_t iopmem_slot_reset(struct pci_dev *pdev)
{
	pci_restore_state(pdev);
	pci_save_state(pdev);
	return PCI_ERS_RESULT_RECOVERED;
}

static const struct pci_error_handlers iopmem_err_handler = {
	.error_detected = iopmem_error_detected,
	.slot_reset = iopmem_slot_reset,
	.reset_prepare = iopmem_lose,
};

/* What a power cycle leaves in the memory is the card's secret. */
static int iopmem_freeze(struct device *dev)
{
	dev_err(dev, "memory need not survive hibernation, unbind first\n");
	return -EBUSY;
}

static const struct dev_pm_ops iopmem_pm_ops = {
	.freeze = pm_sleep_ptr(iopmem_freeze),
};

static const struct pci_device_id iopmem_ids[] = {
	{ PCI_DEVICE(PCI_VENDOR_ID_MICROSEMI, PCI_DEVICE_ID_IOPMEM) },
	{ }
};
MODULE_DEVICE_TABLE(pci, iopmem_ids);

static struct pci_driver iopmem_driver = {
	.name = "iopmem",
	.id_table = iopmem_ids,
	.probe = iopmem_probe,
	.remove = iopmem_remove,
	.err_handler = &iopmem_err_handler,
	.driver.pm = pm_ptr(&iopmem_pm_ops),
};

/* One entry of ids=, in the grammar of vfio-pci's parameter. */
static int iopmem_add_id(char *entry)
{
	u32 f[] = { 0, 0, PCI_ANY_ID, PCI_ANY_ID, 0, 0 };
	char *field;
	int n;

	for (n = 0; (field = strsep(&entry, ":")); n++)
		if (n == ARRAY_SIZE(f) || kstrtou32(field, 16, &f[n]))
			return -EINVAL;
	if (n < 2 || f[0] > U16_MAX || f[1] > U16_MAX)
		return -EINVAL;

	return pci_add_dynid(&iopmem_driver, f[0], f[1], f[2], f[3], f[4],
			     f[5], 0);
}

static int iopmem_add_ids(void)
{
	char *copy, *rest, *entry;
	int rc = 0;

	if (!ids)
		return 0;

	copy = kstrdup(ids, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;

	for (rest = copy; !rc && (entry = strsep(&rest, ","));) {
		const char *given = ids + (entry - copy);

		if (!*entry)
			continue;
		rc = iopmem_add_id(entry);
		if (rc == -EINVAL)
			pr_err("ids=: \"%.*s\" is not vendor:device[:subvendor[:subdevice[:class[:class_mask]]]]\n",
			       (int)strcspn(given, ","), given);
	}

	kfree(copy);
	return rc;
}

static int __init iopmem_init(void)
{
	int rc;

	rc = bitmap_parselist(bars, &bar_mask, PCI_STD_NUM_BARS);
	if (rc) {
		pr_err("bars=: \"%s\" is not a list of BARs, 0 to 5\n", bars);
		return rc;
	}

	rc = pci_register_driver(&iopmem_driver);
	if (rc)
		return rc;

	rc = iopmem_add_ids();
	if (rc)
		pci_unregister_driver(&iopmem_driver);
	return rc;
}
module_init(iopmem_init);

static void __exit iopmem_exit(void)
{
	pci_unregister_driver(&iopmem_driver);
}
module_exit(iopmem_exit);

MODULE_DESCRIPTION("PCIe BAR memory as a persistent memory region");
MODULE_AUTHOR("iopmem developers");
MODULE_LICENSE("GPL");
