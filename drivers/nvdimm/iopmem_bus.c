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

#include <linux/aer.h>
#include <linux/blkdev.h>
#include <linux/cc_platform.h>
#include <linux/dax.h>
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/libnvdimm.h>
#include <linux/memory_hotplug.h>
#include <linux/module.h>
#include <linux/nd.h>
#include <linux/ndctl.h>
#include <linux/pci.h>
#include <linux/seqlock.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/suspend.h>
#include <linux/workqueue.h>
#ifdef CONFIG_X86
#include <asm/cpufeature.h>
#endif

#define IOPMEM_MIN_BAR_SIZE	SZ_4M
#define IOPMEM_LABEL_AREA_SIZE	SZ_128K
#define IOPMEM_MAX_CACHED_IDS	16
#define PCI_DEVICE_ID_IOPMEM	0xf115
#define PCI_DEVICE_ID_IVSHMEM	0x1110

static char *ids = "";
module_param(ids, charp, 0444);
MODULE_PARM_DESC(ids, "Further PCI ids to bind to, \"vendor:device[:subvendor[:subdevice[:class[:class_mask]]]]\", hexadecimal, separated by commas");

static char *cached = "";
module_param(cached, charp, 0444);
MODULE_PARM_DESC(cached, "PCI ids, written as in ids=, of further cards whose BARs are RAM and are mapped write-back; ivshmem (1af4:1110) always is one. none: no card is one, not even ivshmem");

static char *bars = "0-5";
module_param(bars, charp, 0444);
MODULE_PARM_DESC(bars, "The BARs to use if they are eligible, a list as in \"2,4-5\" (default: 0-5)");
static unsigned long bar_mask;

static bool labels = true;
module_param(labels, bool, 0444);
MODULE_PARM_DESC(labels, "Keep namespace labels in the last 128 KiB of each BAR (default: 1). 0: each BAR is one label-less namespace");

/* The cards that are RAM: ivshmem, those in cached=, and an empty entry */
static struct pci_device_id cached_ids[1 + IOPMEM_MAX_CACHED_IDS + 1] = {
	{ PCI_DEVICE(PCI_VENDOR_ID_REDHAT_QUMRANET, PCI_DEVICE_ID_IVSHMEM) },
};

/* A function has been bound since the module was loaded. */
static bool bound;

/* The system suspends or hibernates, as its notifier says, or 0 */
static unsigned long sleeping;

/* The number of removals that wait for open disks */
static atomic_t waiting = ATOMIC_INIT(0);

/* One BAR and the region made of it */
struct iopmem_bar {
	struct iopmem_bus *bus;
	int index;		/* the BAR's number, 0 to 5 */
	bool wc;		/* its range is reserved as write-combining */
	bool labelled;		/* its last 128 KiB are a label area */
	bool reserved;		/* the label area is, in the resource tree */
	void *label_area;	/* the last 128 KiB, mapped, labelled or not */
	u32 label_sig;		/* the first word there, as bound or last written */
	seqcount_t label_seq;	/* against label writes, which may change it */
	struct nd_interleave_set nd_set;
};

/* One function */
struct iopmem_bus {
	struct pci_dev *pdev;
	bool cached;		/* its BARs are RAM and mapped write-back */
	unsigned long failed;	/* stores may be lost, what is read may be wrong */
	bool removing;		/* no disk may appear that could be opened */
	struct work_struct kill;	/* its disks, once it has failed */
	bool killed;		/* the work is done */
	struct notifier_block bound_nb;	/* tells of disks that appear later */
	char provider[32];
	struct nvdimm_bus_descriptor desc;
	struct nvdimm_bus *nvdimm_bus;
	int num_bars;
	struct iopmem_bar bars[PCI_STD_NUM_BARS];
};

/*
 * libnvdimm cannot tell the namespaces of a region that the memory has failed
 * or is about to go. In tree this belongs into nd_pmem and device_dax.
 */

/*
 * From here on all I/O fails, and the file system is shut down. Marking a disk
 * dead makes its capacity 0, and a read at the end of a disk succeeds, with no
 * bytes. So put the capacity back.
 */
static void iopmem_kill_disk(struct gendisk *disk)
{
	sector_t capacity = get_capacity(disk);

	if (test_bit(GD_DEAD, &disk->state))
		return;

	/* Only 6.1 needs the next line: there buffered reads would hang. */
	blk_queue_flag_set(QUEUE_FLAG_DYING, disk->queue);
	blk_mark_disk_dead(disk);
	set_capacity(disk, capacity);
}

/* File systems with DAX go past the queue. */
static void iopmem_kill_disk_dax(struct gendisk *disk)
{
	struct dax_device *dax_dev;
	u64 start;

	dax_dev = fs_dax_get_by_bdev(disk->part0, &start, NULL, NULL);
	if (dax_dev) {
		kill_dax(dax_dev);
		put_dax(dax_dev);
	}
}

struct iopmem_walk {
	struct pci_dev *pdev;
	bool all;		/* kill what is in use, too */
	bool dead;		/* all disks are, in use or not */
	bool say;		/* which disks are open */
	int open;		/* the disks to be waited for */
};

/*
 * A disk that nobody has open is killed, so that it cannot be mounted any more.
 * A process that opens it at this moment gets I/O errors, and the removal waits
 * for it.
 *
 * Device DAX goes on. Only drivers/dax can unmap a node and leave its struct
 * pages, which may be pinned for DMA. A node that is only killed makes the
 * kernel oops when it is opened and mapped after that.
 */
static int iopmem_walk_children(struct device *dev, void *data)
{
	struct iopmem_walk *walk = data;
	struct gendisk *disk;

	if (walk->all && dev->bus && !strcmp(dev->bus->name, "dax"))
		pci_warn(walk->pdev,
			 "%s: what maps it still reaches the card, end it\n",
			 dev_name(dev));
	if (!dev->class || strcmp(dev->class->name, "block"))
		return device_for_each_child(dev, data, iopmem_walk_children);

	disk = dev_to_disk(dev);
	if (walk->all || !disk_openers(disk))
		iopmem_kill_disk(disk);
	if (walk->all)
		iopmem_kill_disk_dax(disk);
	/* Without DAX nobody else has the memory, so a dead disk can go. */
	if (disk_openers(disk) && (!walk->dead || blk_queue_dax(disk->queue))) {
		walk->open++;
		if (walk->say)
			pci_warn(walk->pdev,
				 "%s is in use, unmount or close it: removal waits\n",
				 dev_name(dev));
	}
	return 0;
}

/*
 * libnvdimm enables namespaces in the background. Wait for those that it is at,
 * so that none is missed: nvdimm_bus_check_dimm_count() does, whatever it finds.
 */
static void iopmem_wait_enabled(struct nvdimm_bus *nvdimm_bus)
{
	nvdimm_bus_check_dimm_count(nvdimm_bus, 0);
}

/*
 * A namespace that is enabled from now on finds a bad block where its info block
 * is. So it becomes a disk and no device DAX node, and iopmem_bound_notify()
 * kills that disk.
 */
static void iopmem_kill(struct work_struct *work)
{
	struct iopmem_bus *bus = container_of(work, struct iopmem_bus, kill);
	struct iopmem_walk walk = { .pdev = bus->pdev, .all = true };
	struct nvdimm_bus *nvdimm_bus = READ_ONCE(bus->nvdimm_bus);
	struct resource *res;
	int i;

	if (!nvdimm_bus)
		return;
	for (i = 0; i < bus->num_bars; i++) {
		res = &bus->pdev->resource[bus->bars[i].index];
		nvdimm_bus_add_badrange(nvdimm_bus, res->start,
					resource_size(res));
	}
	iopmem_wait_enabled(nvdimm_bus);
	device_for_each_child(&bus->pdev->dev, &walk, iopmem_walk_children);
	WRITE_ONCE(bus->killed, true);
}

static int iopmem_bound_notify(struct notifier_block *nb, unsigned long action,
			       void *data)
{
	struct iopmem_bus *bus = container_of(nb, struct iopmem_bus, bound_nb);
	struct iopmem_walk walk = { .pdev = bus->pdev, .all = true };
	struct device *dev = data, *parent;

	if (action != BUS_NOTIFY_BOUND_DRIVER ||
	    !(READ_ONCE(bus->failed) || READ_ONCE(bus->removing)))
		return NOTIFY_DONE;

	/* One that is new is not yet among its parent's children. */
	for (parent = dev; parent; parent = parent->parent)
		if (parent == &bus->pdev->dev)
			device_for_each_child(dev, &walk, iopmem_walk_children);
	return NOTIFY_DONE;
}

/*
 * Nobody knows whose stores are lost, so nothing succeeds any more until the
 * function is bound again. A file system calls the flush with locks held that
 * its shutdown takes, so the disks are killed by a work.
 */
static void iopmem_mark_failed(struct iopmem_bus *bus, const char *why)
{
	if (test_and_set_bit(0, &bus->failed))
		return;
	pci_err(bus->pdev,
		"%s: reads and flushes fail from here on, check the data, unbind and bind again\n",
		why);
	schedule_work(&bus->kill);
}

/*
 * Is the function there, and its memory switched on? The command register of a
 * virtual function has no memory enable bit (PCIe base specification,
 * 9.3.4.1.3).
 */
static bool iopmem_decodes(struct pci_dev *pdev)
{
	u16 command;

	if (pdev->is_virtfn)
		return pci_device_is_present(pdev);
	pci_read_config_word(pdev, PCI_COMMAND, &command);
	return !PCI_POSSIBLE_ERROR(command) && command & PCI_COMMAND_MEMORY;
}

/*
 * Does the memory still answer as it did? A read from a function that is gone,
 * or whose memory is switched off, may return anything. The first word of the
 * label area tells, unless it is 0 or all ones, which such memory may return
 * too, or a label is being written.
 */
static bool iopmem_answers(struct iopmem_bar *bar)
{
	unsigned int seq = raw_seqcount_begin(&bar->label_seq);
	u32 sig = READ_ONCE(bar->label_sig);
	u32 now;

	rmb(); /* since the seqcount's own do not order reads of the card */
	now = READ_ONCE(*(u32 *)bar->label_area);
	rmb(); /* the same */

	if (bar->labelled && !read_seqcount_retry(&bar->label_seq, seq)) {
		if (now != sig)
			return false;
		if (sig && sig != U32_MAX)
			return true;
	}
	return iopmem_decodes(bar->bus->pdev);
}

static int iopmem_check(struct iopmem_bar *bar)
{
	if (!READ_ONCE(bar->bus->failed) && !iopmem_answers(bar))
		iopmem_mark_failed(bar->bus, "does not answer as it did");
	return READ_ONCE(bar->bus->failed) ? -EIO : 0;
}

/*
 * Stores to the BAR are posted writes, perhaps still in the CPU's
 * write-combining buffers. A read may not pass a posted write (PCIe base
 * specification, 2.4.1, "Transaction Ordering Rules"), so once one has
 * returned, what was stored before has reached the function.
 */
static int iopmem_flush(struct nd_region *nd_region, struct bio *bio)
{
	mb(); /* drain the write-combining buffers ahead of the read */
	return iopmem_check(nd_region_provider_data(nd_region));
}

/*
 * A label command's data is @length bytes at @offset of the label area. The
 * command takes @used of the @len bytes that the caller has passed.
 */
static int iopmem_check_span(u32 offset, u32 length, size_t used, unsigned int len)
{
	if (used > len || size_add(offset, length) > IOPMEM_LABEL_AREA_SIZE)
		return -EINVAL;
	return 0;
}

static int iopmem_get_labels(struct iopmem_bar *bar,
			     struct nd_cmd_get_config_data_hdr *cmd,
			     unsigned int len)
{
	size_t used = struct_size(cmd, out_buf, cmd->in_length);
	int rc = iopmem_check_span(cmd->in_offset, cmd->in_length, used, len);

	if (rc)
		return rc;
	if (READ_ONCE(bar->bus->failed))
		return -EIO;
	memcpy(cmd->out_buf, bar->label_area + cmd->in_offset, cmd->in_length);
	cmd->status = 0;
	return iopmem_check(bar);
}

static int iopmem_set_labels(struct iopmem_bar *bar,
			     struct nd_cmd_set_config_hdr *cmd,
			     unsigned int len)
{
	/* The status that the caller gets back follows the data. */
	size_t used = size_add(struct_size(cmd, in_buf, cmd->in_length),
			       sizeof(u32));
	int rc = iopmem_check_span(cmd->in_offset, cmd->in_length, used, len);
	void *to = bar->label_area + cmd->in_offset;
	u32 sig = bar->label_sig;
	bool kept;

	if (!rc)
		rc = iopmem_check(bar);
	if (rc)
		return rc;
	memset(cmd->in_buf + cmd->in_length, 0, sizeof(u32));

	/* What is written, and not what a card that fails meanwhile answers */
	if (cmd->in_offset < sizeof(sig))
		memcpy((void *)&sig + cmd->in_offset, cmd->in_buf,
		       min_t(size_t, cmd->in_length, sizeof(sig) - cmd->in_offset));

	/* libnvdimm runs one label command of a bus at a time. */
	raw_write_seqcount_begin(&bar->label_seq);
	wmb(); /* as the reader's rmb() */
	memcpy(to, cmd->in_buf, cmd->in_length);
	mb(); /* drain the write-combining buffers ahead of the read */
	kept = !memcmp(to, cmd->in_buf, cmd->in_length);
	if (kept)
		WRITE_ONCE(bar->label_sig, sig);
	raw_write_seqcount_end(&bar->label_seq);

	rc = iopmem_check(bar);
	if (!rc && !kept) {
		pci_err(bar->bus->pdev,
			"BAR %d: does not keep what is written to it, switch its memory on\n",
			bar->index);
		rc = -EIO;
	}
	return rc;
}

static int iopmem_ctl(struct nvdimm_bus_descriptor *desc,
		      struct nvdimm *nvdimm, unsigned int cmd, void *buf,
		      unsigned int buf_len, int *cmd_rc)
{
	struct iopmem_bar *bar = nvdimm ? nvdimm_provider_data(nvdimm) : NULL;
	struct nd_cmd_get_config_size *size = buf;

	/* There is no firmware whose status would need translating. */
	*cmd_rc = 0;

	if (!bar || !bar->labelled)
		return -ENOTTY;
	if (buf_len < sizeof(struct nd_cmd_set_config_hdr))
		return -EINVAL;

	switch (cmd) {
	case ND_CMD_GET_CONFIG_SIZE:
		if (buf_len < sizeof(*size))
			return -EINVAL;
		size->status = 0;
		size->config_size = IOPMEM_LABEL_AREA_SIZE;
		/* Reads from a card are slow, and this much of a blank area is read. */
		size->max_xfer = SZ_4K;
		return 0;
	case ND_CMD_GET_CONFIG_DATA:
		return iopmem_get_labels(bar, buf, buf_len);
	case ND_CMD_SET_CONFIG_DATA:
		return iopmem_set_labels(bar, buf, buf_len);
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

static ssize_t cached_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	return sysfs_emit(buf, "%d\n", dev_to_bar(dev)->bus->cached);
}
static DEVICE_ATTR_RO(cached);

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
	&dev_attr_cached.attr,
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
	bar->nd_set.type_guid = GUID_INIT(0x66f0d379, 0xb4f3, 0x4074, 0xac, 0x43,
					  0x0d, 0x33, 0x18, 0xb7, 0x8c, 0xdb);
}

static void *iopmem_map(struct iopmem_bus *bus, resource_size_t start,
			size_t size)
{
	return memremap(start, size, bus->cached ? MEMREMAP_WB : MEMREMAP_WC);
}

/*
 * The places where data can be seen: the first bytes of a file system or
 * partition table, a GPT, ext4's superblock, and a namespace's info block. They
 * stand for the whole BAR, since a read from a card takes about a microsecond,
 * and one that is not answered up to 50 milliseconds.
 */
struct iopmem_sample {
	u64 words[4][8];
};

static int iopmem_read_sample(struct iopmem_bar *bar,
			      struct iopmem_sample *sample)
{
	static const u16 offsets[] = { 0, 512, 1024, SZ_4K };
	resource_size_t bar_start = pci_resource_start(bar->bus->pdev, bar->index);
	void *start = iopmem_map(bar->bus, bar_start, SZ_8K);
	int i, j;

	if (!start)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(sample->words); i++)
		for (j = 0; j < ARRAY_SIZE(sample->words[i]); j++)
			sample->words[i][j] =
				READ_ONCE(((u64 *)(start + offsets[i]))[j]);
	memunmap(start);
	return 0;
}

/*
 * The info block of a label-less namespace has no parent: otherwise it would
 * hold the uuid in the label.
 */
static bool iopmem_is_labelless(const struct iopmem_sample *sample)
{
	static const char sigs[][16] = {
		"BTT_ARENA_INFO", "NVDIMM_PFN_INFO", "NVDIMM_DAX_INFO",
	};
	const struct {
		char sig[16];
		uuid_t uuid;
		uuid_t parent_uuid;
	} *info = (const void *)sample->words[3];
	int i;

	for (i = 0; i < ARRAY_SIZE(sigs); i++)
		if (!memcmp(info->sig, sigs[i], sizeof(sigs[i])))
			return uuid_is_null(&info->parent_uuid);
	return false;
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

	return !memcmp(bar->label_area, sig, sizeof(sig)) ||
	       !memcmp(bar->label_area + SZ_256, sig, sizeof(sig));
}

/* struct pages, and the direct map on x86, reach only so far. */
static bool iopmem_bar_mappable(struct resource *res)
{
	struct range range = mhp_get_pluggable_range(true);

	return res->start >= range.start && res->end <= range.end;
}

/*
 * Would user mappings be cacheable? Those of DAX pages that are inserted by
 * struct page do not follow a reservation, so the MTRRs alone decide. Make a
 * write-back mapping: if it really is one, a reservation as write-combining
 * fails beside it. In a virtual machine the hypervisor decides, so do not ask
 * there. Without memory for the mapping, assume the worst.
 */
static bool iopmem_bar_cacheable(struct resource *res)
{
	bool cacheable = false;
#ifdef CONFIG_X86
	void *plain;

	if (boot_cpu_has(X86_FEATURE_HYPERVISOR))
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

/* Why a BAR cannot be a region, or NULL if it can */
static const char *iopmem_bar_ineligible(struct iopmem_bar *bar)
{
	struct resource *res = &bar->bus->pdev->resource[bar->index];

	if (!test_bit(bar->index, &bar_mask))
		return "not in bars=";
	if (!(res->flags & IORESOURCE_MEM))
		return "I/O ports, not memory";
	if (!(res->flags & IORESOURCE_PREFETCH))
		return "not prefetchable, so reading it may have side effects";
	if (resource_size(res) < IOPMEM_MIN_BAR_SIZE)
		return "smaller than 4 MiB";
	if (!iopmem_bar_mappable(res))
		return "beyond what the kernel maps, have the firmware place it lower";
	/* An ordinary O_DIRECT gives an initiator the CPU's address. */
	if (pci_bus_address(bar->bus->pdev, bar->index) != res->start)
		return "bus and CPU address differ, so DMA would go elsewhere";
	if (!bar->bus->cached && iopmem_bar_cacheable(res))
		return "write-back by the firmware's MTRRs, name the card in cached= if it is RAM";
	return NULL;
}

static void iopmem_release_bar(struct iopmem_bar *bar)
{
	struct resource *res = &bar->bus->pdev->resource[bar->index];

	if (bar->reserved)
		release_mem_region(res->end + 1 - IOPMEM_LABEL_AREA_SIZE,
				   IOPMEM_LABEL_AREA_SIZE);
	if (bar->label_area)
		memunmap(bar->label_area);
	if (bar->wc)
		arch_io_free_memtype_wc(res->start, resource_size(res));
}

/* Labels are the default, but never over a namespace that has none. */
static void iopmem_choose_labels(struct iopmem_bar *bar,
				 const struct iopmem_sample *sample)
{
	struct pci_dev *pdev = bar->bus->pdev;

	bar->labelled = labels;
	if (!labels || iopmem_has_index(bar))
		return;

	if (iopmem_is_labelless(sample)) {
		bar->labelled = false;
		pci_info(pdev,
			 "BAR %d: holds a label-less namespace, used without labels\n",
			 bar->index);
	} else if (memchr_inv(sample, 0, sizeof(*sample))) {
		pci_info(pdev,
			 "BAR %d: has no labels but is not blank, the first namespace will overwrite it; if it is one without labels, load with labels=0\n",
			 bar->index);
	}
}

/* The caller calls iopmem_release_bar(), also after an error. */
static int iopmem_setup_bar(struct iopmem_bar *bar)
{
	struct pci_dev *pdev = bar->bus->pdev;
	struct resource *res = &pdev->resource[bar->index];
	resource_size_t tail = res->end + 1 - IOPMEM_LABEL_AREA_SIZE;
	struct iopmem_sample sample;
	int rc;

	/*
	 * Other devices' DMA to the BAR does not snoop the CPU's caches. With
	 * the range reserved so, nd_pmem's and device_dax's own mappings come
	 * out write-combining too.
	 */
	if (!bar->bus->cached) {
		rc = arch_io_reserve_memtype_wc(res->start, resource_size(res));
		if (rc) {
			pci_err(pdev,
				"BAR %d: %pR cannot be reserved as write-combining (%d), end what maps it\n",
				bar->index, res, rc);
			return rc;
		}
		bar->wc = true;
	}

	bar->label_area = iopmem_map(bar->bus, tail, IOPMEM_LABEL_AREA_SIZE);
	if (!bar->label_area)
		return -ENOMEM;

	rc = iopmem_read_sample(bar, &sample);
	if (rc)
		return rc;

	/* Memory that is switched off, or not there, answers all ones. */
	if (!memchr_inv(&sample, 0xff, sizeof(sample)) &&
	    !memchr_inv(bar->label_area, 0xff, SZ_64)) {
		pci_info(pdev,
			 "BAR %d %pR: answers all ones, switch its memory on, skipped\n",
			 bar->index, res);
		return -ENODEV;
	}

	iopmem_choose_labels(bar, &sample);
	bar->label_sig = READ_ONCE(*(u32 *)bar->label_area);
	seqcount_init(&bar->label_seq);
	iopmem_init_set(bar);

	/* The rest of the BAR is left for the namespaces to reserve. */
	if (bar->labelled) {
		if (!request_mem_region_exclusive(tail, IOPMEM_LABEL_AREA_SIZE,
						  "iopmem labels")) {
			pci_err(pdev,
				"BAR %d: label area in use, see /proc/iomem for %pR\n",
				bar->index, res);
			return -EBUSY;
		}
		bar->reserved = true;
	}
	return 0;
}

static int iopmem_setup_bars(struct iopmem_bus *bus)
{
	struct pci_dev *pdev = bus->pdev;
	int i, rc;

	for (i = 0; i < PCI_STD_NUM_BARS; i++) {
		struct iopmem_bar *bar = &bus->bars[bus->num_bars];
		const char *ineligible;

		if (!pdev->resource[i].flags)
			continue;

		*bar = (struct iopmem_bar) { .bus = bus, .index = i };
		ineligible = iopmem_bar_ineligible(bar);
		if (ineligible) {
			pci_info(pdev, "BAR %d %pR: %s, skipped\n", i,
				 &pdev->resource[i], ineligible);
			continue;
		}

		rc = iopmem_setup_bar(bar);
		if (rc)
			iopmem_release_bar(bar);
		else
			bus->num_bars++;
		if (rc && rc != -ENODEV)
			return rc;
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
	struct resource res = bus->pdev->resource[bar->index];
	unsigned long dimm_flags = 0, cmd_mask = 0;
	struct nd_mapping_desc mapping = {};
	struct nd_region_desc ndr_desc = {
		.res = &res,
		.mapping = &mapping,
		.num_mappings = 1,
		.attr_groups = iopmem_region_attribute_groups,
		.nd_set = &bar->nd_set,
		.provider_data = bar,
		.numa_node = dev_to_node(&bus->pdev->dev),
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
	return 0;
}

static int iopmem_register(struct iopmem_bus *bus)
{
	struct device *dev;
	int i, rc;

	bus->desc.module = THIS_MODULE;
	bus->desc.ndctl = iopmem_ctl;
	bus->desc.provider_name = bus->provider;
	snprintf(bus->provider, sizeof(bus->provider), "iopmem-%s",
		 pci_name(bus->pdev));

	bus->nvdimm_bus = nvdimm_bus_register(&bus->pdev->dev, &bus->desc);
	if (!bus->nvdimm_bus)
		return -ENOMEM;

	dev = to_nvdimm_bus_dev(bus->nvdimm_bus);
	bus->bound_nb.notifier_call = iopmem_bound_notify;
	rc = bus_register_notifier(dev->bus, &bus->bound_nb);
	if (rc)
		return rc;

	/* Without its own driver, a bus leaves its regions behind when it goes. */
	if (device_attach(dev) <= 0)
		return -ENXIO;

	for (i = 0; i < bus->num_bars; i++) {
		rc = iopmem_create_region(bus, &bus->bars[i]);
		if (rc)
			return rc;
	}
	return 0;
}

/*
 * A file system with DAX uses the struct pages of its files until it has been
 * unmounted, also after it has been shut down, and would oops without them. So
 * wait, as vfio does for its users, and say so every 10 seconds.
 *
 * The wait holds the function's device lock, which the system wants, too, when
 * it goes down or wakes up. So do not wait, and answer false, when it goes down,
 * or when a hot-unplug meets processes that are frozen.
 */
static bool iopmem_wait_idle(struct iopmem_bus *bus)
{
	struct iopmem_walk walk = { .pdev = bus->pdev };
	bool idle = false;
	int i;

	atomic_inc(&waiting);
	for (i = 0; system_state <= SYSTEM_RUNNING; i++) {
		if (!pci_device_is_present(bus->pdev)) {
			iopmem_mark_failed(bus, "is gone");
			flush_work(&bus->kill);
		}
		walk.dead = READ_ONCE(bus->killed);
		walk.say = i % 100 == 0;
		walk.open = 0;
		device_for_each_child(&bus->pdev->dev, &walk,
				      iopmem_walk_children);
		idle = !walk.open;
		if (idle || (READ_ONCE(sleeping) && current->flags & PF_KTHREAD))
			break;
		msleep(100);
	}
	atomic_dec(&waiting);
	return idle;
}

/* The nvdimm bus goes. False: its disks are in use and cannot be waited for. */
static bool iopmem_unregister(struct iopmem_bus *bus)
{
	struct nvdimm_bus *nvdimm_bus = bus->nvdimm_bus;
	struct device *dev;

	if (!nvdimm_bus)
		return true;

	WRITE_ONCE(bus->removing, true);
	iopmem_wait_enabled(nvdimm_bus);
	if (!iopmem_wait_idle(bus))
		return false;

	/* A flush may still queue the work, until the bus is gone. */
	WRITE_ONCE(bus->nvdimm_bus, NULL);
	cancel_work_sync(&bus->kill);
	dev = get_device(to_nvdimm_bus_dev(nvdimm_bus));
	nvdimm_bus_unregister(nvdimm_bus);
	bus_unregister_notifier(dev->bus, &bus->bound_nb);
	put_device(dev);
	cancel_work_sync(&bus->kill);
	return true;
}

static void iopmem_free(struct iopmem_bus *bus)
{
	int i;

	if (!iopmem_unregister(bus)) {
		/* All stays as it is, so what it uses must, too. */
		__module_get(THIS_MODULE);
		pci_dev_get(bus->pdev);
		if (system_state <= SYSTEM_RUNNING)
			iopmem_mark_failed(bus, "removed while in use");
		return;
	}

	for (i = 0; i < bus->num_bars; i++)
		iopmem_release_bar(&bus->bars[i]);
	pci_disable_device(bus->pdev);
	kfree(bus);
}

static void iopmem_remove(struct pci_dev *pdev)
{
	iopmem_free(pci_get_drvdata(pdev));
}

/* Why this machine cannot have the BARs mapped, or NULL if it can. */
static const char *iopmem_unsupported(struct iopmem_bus *bus)
{
	/* It builds there, but nobody has run it. */
	if (IS_ENABLED(CONFIG_CPU_BIG_ENDIAN))
		return "big-endian kernels are not supported, use a little-endian one";
	/* Only with x86's PAT does a reservation decide over later mappings. */
	if (!bus->cached &&
	    !(IS_ENABLED(CONFIG_X86) && arch_can_pci_mmap_wc()))
		return "this machine would map its BARs cacheable, name it in cached= if it is RAM";
	/* The CPU would encrypt what it stores, and other devices would not. */
	if (cc_platform_has(CC_ATTR_MEM_ENCRYPT))
		return "this machine encrypts memory (SME, SEV, TDX), which a BAR cannot be";
	return NULL;
}

static int iopmem_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct iopmem_bus *bus;
	const char *unsupported;
	u64 size = 0;
	int i, rc;

	bus = kzalloc_node(sizeof(*bus), GFP_KERNEL, dev_to_node(&pdev->dev));
	if (!bus)
		return -ENOMEM;

	bus->pdev = pdev;
	bus->cached = pci_match_id(cached_ids, pdev);
	INIT_WORK(&bus->kill, iopmem_kill);

	/* no I/O ports, and no bus mastering: a target needs neither */
	rc = pci_enable_device_mem(pdev);
	if (rc) {
		pci_err(pdev,
			"cannot be enabled (%d), a BAR without an address wants pci=realloc\n",
			rc);
		kfree(bus);
		return rc;
	}

	/* before there is anything to flush, and for slot_reset */
	pci_set_drvdata(pdev, bus);
	pci_save_state(pdev);
	pci_aer_clear_nonfatal_status(pdev);

	unsupported = iopmem_unsupported(bus);
	if (unsupported) {
		pci_err(pdev, "%s\n", unsupported);
		rc = -EOPNOTSUPP;
	} else if (!pci_device_is_present(pdev)) {
		pci_err(pdev, "does not answer, power it up or put it in again\n");
		rc = -ENODEV;
	} else {
		rc = iopmem_setup_bars(bus);
	}
	if (!rc)
		rc = iopmem_register(bus);
	if (rc) {
		iopmem_free(bus);
		return rc;
	}

	bound = true;
	for (i = 0; i < bus->num_bars; i++)
		size += pci_resource_len(pdev, bus->bars[i].index);
	pci_info(pdev, "regions: %d, %llu MiB in all, see \"ndctl list -RN -b %s\"\n",
		 bus->num_bars, size / SZ_1M, bus->provider);
	return 0;
}

/*
 * The PCI core tells all functions below a port of the error of one. Is it this
 * function's, or that of a bridge on the way to it? If the registers cannot tell,
 * since they do not exist or the firmware clears them, assume that it is. A
 * virtual function has not all of its own (PCIe base specification, 9.4.2).
 */
static bool iopmem_has_error(struct pci_dev *pdev)
{
	u32 status, mask;
	u16 aer;

	if (pdev->is_virtfn || !pci_find_host_bridge(pdev->bus)->native_aer)
		return true;
	for (; pdev; pdev = pci_upstream_bridge(pdev)) {
		if (!pci_is_pcie(pdev))
			continue;
		aer = pci_find_ext_capability(pdev, PCI_EXT_CAP_ID_ERR);
		if (!aer)
			return true;
		pci_read_config_dword(pdev, aer + PCI_ERR_UNCOR_STATUS, &status);
		pci_read_config_dword(pdev, aer + PCI_ERR_UNCOR_MASK, &mask);
		if (PCI_POSSIBLE_ERROR(status) || status & ~mask)
			return true;
	}
	return false;
}

/* Around a reset, stores go nowhere and memory may be cleared. */
static void iopmem_reset_prepare(struct pci_dev *pdev)
{
	iopmem_mark_failed(pci_get_drvdata(pdev), "reset");
}

static pci_ers_result_t iopmem_error_detected(struct pci_dev *pdev,
					      pci_channel_state_t state)
{
	/* A kernel may tell of a permanent failure those who had none, too. */
	if (state == pci_channel_io_frozen || iopmem_has_error(pdev) ||
	    (state == pci_channel_io_perm_failure && !iopmem_decodes(pdev)))
		iopmem_mark_failed(pci_get_drvdata(pdev), "link error");

	switch (state) {
	case pci_channel_io_normal:
		return PCI_ERS_RESULT_CAN_RECOVER;
	case pci_channel_io_frozen:
		return PCI_ERS_RESULT_NEED_RESET;
	default:
		return PCI_ERS_RESULT_DISCONNECT;
	}
}

/*
 * After a nonfatal error another function's driver may have asked for a reset,
 * and not every kernel then does one. One switches the memory off.
 */
static pci_ers_result_t iopmem_slot_reset(struct pci_dev *pdev)
{
	if (pdev->is_virtfn || !iopmem_decodes(pdev))
		iopmem_mark_failed(pci_get_drvdata(pdev), "reset");
	if (!pci_device_is_present(pdev))
		return PCI_ERS_RESULT_DISCONNECT;
	pci_restore_state(pdev);
	pci_save_state(pdev);
	return PCI_ERS_RESULT_RECOVERED;
}

static const struct pci_error_handlers iopmem_err_handler = {
	.error_detected = iopmem_error_detected,
	.slot_reset = iopmem_slot_reset,
	.reset_prepare = iopmem_reset_prepare,
};

/* The PCI core leaves a function in D0 whose driver has saved its state. */
static int iopmem_suspend(struct device *dev)
{
	return pci_save_state(to_pci_dev(dev));
}

static int iopmem_resume(struct device *dev)
{
	struct iopmem_bus *bus = dev_get_drvdata(dev);
	int i;

	if (pci_device_is_present(bus->pdev))
		pci_save_state(bus->pdev);
	for (i = 0; i < bus->num_bars; i++)
		iopmem_check(&bus->bars[i]);
	return 0;
}

/*
 * Nobody but the card knows whether its memory survives a power cycle. The
 * kernel that only fetches an image is left in peace: in the image's system the
 * function was not bound.
 */
static int iopmem_freeze(struct device *dev)
{
	if (READ_ONCE(sleeping) != PM_HIBERNATION_PREPARE)
		return 0;
	dev_err(dev, "memory need not survive hibernation, unbind first\n");
	return -EBUSY;
}

static const struct dev_pm_ops iopmem_pm_ops = {
	.suspend = pm_sleep_ptr(iopmem_suspend),
	.resume = pm_sleep_ptr(iopmem_resume),
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

/*
 * Suspending would wait for the device lock that a waiting removal holds, and
 * the removal for processes that are frozen.
 */
static int iopmem_pm_notify(struct notifier_block *nb, unsigned long action,
			    void *data)
{
	bool begins = action == PM_SUSPEND_PREPARE ||
		      action == PM_HIBERNATION_PREPARE;

	if (begins && atomic_read(&waiting)) {
		pr_err("a removal waits for disks that are in use: unmount or close them before the system can sleep\n");
		return notifier_from_errno(-EBUSY);
	}
	WRITE_ONCE(sleeping, begins ? action : 0);
	return NOTIFY_DONE;
}

static struct notifier_block iopmem_pm_nb = {
	.notifier_call = iopmem_pm_notify,
};

static int __init iopmem_add_bound_id(const struct pci_device_id *id)
{
	return pci_add_dynid(&iopmem_driver, id->vendor, id->device,
			     id->subvendor, id->subdevice, id->class,
			     id->class_mask, 0);
}

static int __init iopmem_add_cached_id(const struct pci_device_id *id)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(cached_ids) - 1; i++)
		if (!cached_ids[i].vendor) {
			cached_ids[i] = *id;
			return 0;
		}
	pr_err("cached=: more than %d ids\n", IOPMEM_MAX_CACHED_IDS);
	return -ENOSPC;
}

/*
 * Call @add, if there is one, for each id of @list, which has the grammar of
 * vfio-pci's parameter.
 */
static int __init iopmem_parse_ids(const char *name, const char *list,
				   int (*add)(const struct pci_device_id *id))
{
	int n, len, rc = 0;

	for (; *list && !rc; list += len + !!list[len]) {
		struct pci_device_id id = {
			.subvendor = PCI_ANY_ID, .subdevice = PCI_ANY_ID,
		};

		len = 0;
		if (*list == ',')
			continue;
		n = sscanf(list, "%8x:%8x%n:%8x%n:%8x%n:%8x%n:%8x%n",
			   &id.vendor, &id.device, &len, &id.subvendor, &len,
			   &id.subdevice, &len, &id.class, &len,
			   &id.class_mask, &len);
		if (n < 2 || (list[len] && list[len] != ',') ||
		    id.vendor > U16_MAX || id.device > U16_MAX) {
			pr_err("%s=: \"%.*s\" is not vendor:device[:subvendor[:subdevice[:class[:class_mask]]]]\n",
			       name, (int)strcspn(list, ","), list);
			return -EINVAL;
		}
		if (add)
			rc = add(&id);
	}
	return rc;
}

static int __init iopmem_init(void)
{
	int rc;

	rc = bitmap_parselist(bars, &bar_mask, PCI_STD_NUM_BARS);
	if (rc)
		pr_err("bars=: \"%s\" is not a list of BARs, 0 to 5\n", bars);
	if (!strcmp(cached, "none"))
		memset(cached_ids, 0, sizeof(cached_ids));
	else if (!rc)
		rc = iopmem_parse_ids("cached", cached, iopmem_add_cached_id);
	if (!rc)
		rc = iopmem_parse_ids("ids", ids, NULL);
	if (rc)
		return rc;

	register_pm_notifier(&iopmem_pm_nb);
	rc = pci_register_driver(&iopmem_driver);
	if (rc)
		goto err_notifier;

	rc = iopmem_parse_ids("ids", ids, iopmem_add_bound_id);
	if (rc)
		goto err_driver;

	if (!bound)
		pr_info("no function bound, name one by ids= or driver_override\n");
	return 0;

err_driver:
	pci_unregister_driver(&iopmem_driver);
err_notifier:
	unregister_pm_notifier(&iopmem_pm_nb);
	return rc;
}
module_init(iopmem_init);

static void __exit iopmem_exit(void)
{
	pci_unregister_driver(&iopmem_driver);
	unregister_pm_notifier(&iopmem_pm_nb);
}
module_exit(iopmem_exit);

MODULE_DESCRIPTION("PCIe BAR memory as a persistent memory region");
MODULE_AUTHOR("iopmem developers");
MODULE_LICENSE("GPL");
/* Only out of tree: DKMS compares it. */
#ifdef IOPMEM_VERSION
MODULE_VERSION(IOPMEM_VERSION);
#endif
