// SPDX-License-Identifier: GPL-2.0-only
/*
 * iopmem_bus: the memory behind a PCIe BAR as a persistent memory region
 *
 * Each function gets its own nvdimm bus. Each eligible BAR of the function
 * becomes one region on that bus. libnvdimm, nd_pmem and device_dax do the
 * rest.
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

/* Cards whose BARs are RAM: ivshmem, those in cached=, and an empty entry */
static struct pci_device_id cached_ids[1 + IOPMEM_MAX_CACHED_IDS + 1] = {
	{ PCI_DEVICE(PCI_VENDOR_ID_REDHAT_QUMRANET, PCI_DEVICE_ID_IVSHMEM) },
};

/* The driver has bound a function since the module was loaded. */
static bool bound;

/* The PM notifier's action while the system suspends or hibernates, else 0 */
static unsigned long sleeping;

/* The number of removals that wait for open disks */
static atomic_t waiting = ATOMIC_INIT(0);

/* One BAR and the region made of it */
struct iopmem_bar {
	struct iopmem_bus *bus;
	int index;		/* the BAR's number, 0 to 5 */
	bool wc;		/* its range is reserved as write-combining */
	bool labelled;		/* its last 128 KiB are a label area */
	bool reserved;		/* its label area is in the resource tree */
	void *label_area;	/* the mapped last 128 KiB, labelled or not */
	u32 label_sig;		/* its first word, as found or last written */
	seqcount_t label_seq;	/* tells readers of label_sig of label writes */
	struct nd_interleave_set nd_set;
};

/* One function */
struct iopmem_bus {
	struct pci_dev *pdev;
	bool cached;		/* its BARs are RAM and mapped write-back */
	unsigned long failed;	/* stores may be lost, reads may be wrong */
	bool removing;		/* disks that appear now have to be killed */
	struct work_struct kill;	/* kills the disks after a failure */
	bool killed;		/* that work is done */
	struct notifier_block bound_nb;	/* sees disks that appear later */
	char provider[32];
	struct nvdimm_bus_descriptor desc;
	struct nvdimm_bus *nvdimm_bus;
	int num_bars;
	struct iopmem_bar bars[PCI_STD_NUM_BARS];
};

/*
 * libnvdimm cannot tell the namespaces of a region that the memory has failed
 * or is about to be removed, so this driver kills their disks itself. In tree
 * nd_pmem and device_dax should do that.
 */

/*
 * From here on all I/O fails, and the file system is shut down. Marking a disk
 * dead sets its capacity to 0, and a read at the end of a disk succeeds with no
 * bytes. Put the capacity back, so that reads fail.
 */
static void iopmem_kill_disk(struct gendisk *disk)
{
	sector_t capacity = get_capacity(disk);

	if (test_bit(GD_DEAD, &disk->state))
		return;

	/* Only 6.1 needs the next line: without it, buffered reads hang. */
	blk_queue_flag_set(QUEUE_FLAG_DYING, disk->queue);
	blk_mark_disk_dead(disk);
	set_capacity(disk, capacity);
}

/* A file system with DAX bypasses the block queue, so kill its DAX device. */
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
	bool all;		/* kill also the disks that are in use */
	bool dead;		/* all disks have been killed */
	bool say;		/* log which disks are open */
	int open;		/* the number of disks to wait for */
};

/*
 * Kill each disk that nobody has open, so that it cannot be mounted any more. A
 * process that opens it at this moment gets I/O errors, and the removal waits
 * until that process closes it.
 *
 * Do not kill device DAX nodes. Only drivers/dax can unmap a node and keep its
 * struct pages, which may be pinned for DMA. Killing a node alone would make
 * the kernel oops when a process opens and maps the node after that.
 */
static int iopmem_walk_children(struct device *dev, void *data)
{
	struct iopmem_walk *walk = data;
	struct gendisk *disk;

	if (walk->all && dev->bus && !strcmp(dev->bus->name, "dax"))
		pci_warn(walk->pdev,
			 "%s: processes that map it still reach the card, end them\n",
			 dev_name(dev));
	if (!dev->class || strcmp(dev->class->name, "block"))
		return device_for_each_child(dev, data, iopmem_walk_children);

	disk = dev_to_disk(dev);
	if (walk->all || !disk_openers(disk))
		iopmem_kill_disk(disk);
	if (walk->all)
		iopmem_kill_disk_dax(disk);
	/* Nobody maps a disk without DAX, so it can go while it is open. */
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
 * libnvdimm enables namespaces in the background. Wait for those that it has
 * begun to enable, so that the walk misses none. nvdimm_bus_check_dimm_count()
 * waits for them before it counts. Its result does not matter.
 */
static void iopmem_wait_enabled(struct nvdimm_bus *nvdimm_bus)
{
	nvdimm_bus_check_dimm_count(nvdimm_bus, 0);
}

/*
 * The bad range covers the info block of each namespace. So a namespace that
 * libnvdimm enables from now on becomes a disk and never a device DAX node, and
 * iopmem_bound_notify() kills that disk.
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

	/* A new device is not yet among its parent's children: walk from it. */
	for (parent = dev; parent; parent = parent->parent)
		if (parent == &bus->pdev->dev)
			device_for_each_child(dev, &walk, iopmem_walk_children);
	return NOTIFY_DONE;
}

/*
 * Nobody knows whose stores are lost, so nothing may succeed until the function
 * is bound again. A work kills the disks, since a file system calls the flush
 * with locks held that its shutdown takes.
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
 * Is the function present, and is its memory switched on? The command register
 * of a virtual function has no memory enable bit (PCIe base specification,
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
 * Does the memory still answer as it did? A read may return anything if the
 * function is gone or its memory is switched off. So compare the first word of
 * the label area. Ask the function itself if the BAR has no labels, if a label
 * is being written, or if the word is 0 or all ones, since a read without an
 * answer may return these too.
 */
static bool iopmem_answers(struct iopmem_bar *bar)
{
	unsigned int seq = raw_seqcount_begin(&bar->label_seq);
	u32 sig = READ_ONCE(bar->label_sig);
	u32 now;

	rmb(); /* the seqcount's own barriers do not order reads of the card */
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
 * Stores to the BAR are posted writes, and some may still be in the CPU's
 * write-combining buffers. A read may not pass a posted write (PCIe base
 * specification, 2.4.1, "Transaction Ordering Rules"). So when a read has
 * returned, all stores before it have reached the function.
 */
static int iopmem_flush(struct nd_region *nd_region, struct bio *bio)
{
	mb(); /* drain the write-combining buffers before the read */
	return iopmem_check(nd_region_provider_data(nd_region));
}

/*
 * A label command reads or writes @length bytes at @offset of the label area.
 * The command itself takes @used bytes, and the caller has passed @len bytes.
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
	/* The status for the caller follows the data. */
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

	/* Take it from the command: a card that fails may answer anything. */
	if (cmd->in_offset < sizeof(sig))
		memcpy((void *)&sig + cmd->in_offset, cmd->in_buf,
		       min_t(size_t, cmd->in_length, sizeof(sig) - cmd->in_offset));

	/* No lock: libnvdimm runs one label command of a bus at a time. */
	raw_write_seqcount_begin(&bar->label_seq);
	wmb(); /* for the same reason as the rmb() of iopmem_answers() */
	memcpy(to, cmd->in_buf, cmd->in_length);
	mb(); /* drain the write-combining buffers before the read */
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

	/* There is no firmware, so there is no firmware status to translate. */
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
		/*
		 * libnvdimm reads this much even of a blank label area, and
		 * reads from a card are slow.
		 */
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

/* Only root may read it, as with the region's own attribute "resource". */
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
 * The cookie identifies the card and the BAR, never the slot. So a card keeps
 * its namespaces in another slot, and when its bus gets another number.
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
	/* The GUID of a persistent memory range in ACPI's NFIT */
	bar->nd_set.type_guid = GUID_INIT(0x66f0d379, 0xb4f3, 0x4074, 0xac, 0x43,
					  0x0d, 0x33, 0x18, 0xb7, 0x8c, 0xdb);
}

static void *iopmem_map(struct iopmem_bus *bus, resource_size_t start,
			size_t size)
{
	return memremap(start, size, bus->cached ? MEMREMAP_WB : MEMREMAP_WC);
}

/*
 * The places where data most often begins: the first bytes of a file system or
 * partition table, a GPT, ext4's superblock, and a namespace's info block. The
 * driver reads no more than these: a read from a card takes about a
 * microsecond, and up to 50 milliseconds if nothing answers.
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
 * The info block of a label-less namespace has no parent uuid. That of a
 * labelled one holds the label's uuid there.
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
 * Is there a namespace index block (UEFI specification, "Label Storage Area")?
 * An index block for 128 KiB takes 256 bytes with either label size. A damaged
 * index block counts too: it shows that the BAR is labelled, and
 * "ndctl init-labels" repairs it.
 */
static bool iopmem_has_index(struct iopmem_bar *bar)
{
	static const char sig[16] = "NAMESPACE_INDEX";

	return !memcmp(bar->label_area, sig, sizeof(sig)) ||
	       !memcmp(bar->label_area + SZ_256, sig, sizeof(sig));
}

/* Can the kernel have struct pages and, on x86, a direct map for the range? */
static bool iopmem_bar_mappable(struct resource *res)
{
	struct range range = mhp_get_pluggable_range(true);

	return res->start >= range.start && res->end <= range.end;
}

/*
 * Would user mappings be cacheable? A kernel that inserts DAX pages by struct
 * page ignores the reservation there, so the MTRRs alone decide. To find out,
 * ask for a write-back mapping. If the MTRRs allow it, a reservation of the
 * same range as write-combining fails. In a virtual machine the hypervisor
 * decides, so do not ask there. If there is no memory for the mapping, assume
 * the worst.
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
	/* For O_DIRECT the kernel gives an initiator the CPU's address. */
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

/* Labels are the default, but must not overwrite a label-less namespace. */
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
	 * The DMA of other devices to the BAR does not snoop the CPU's caches.
	 * This reservation makes the mappings of nd_pmem and device_dax
	 * write-combining too.
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

	/* Memory that is switched off or missing reads as all ones. */
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

	/* The namespaces reserve the rest of the BAR. */
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
		/* kmem must not make system RAM of a BAR */
		.target_node = NUMA_NO_NODE,
		.flush = iopmem_flush,
	};
	int rc;

	/* No MAP_SYNC: flushing the CPU's caches does not flush to the card. */
	__set_bit(ND_REGION_ASYNC, &ndr_desc.flags);

	/* The region's probe needs a dimm whose probe is done. */
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

	/* Fails if nvdimm_create() could not register the dimm and freed it. */
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

	/* An nvdimm bus without a driver leaves its regions behind. */
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
 * A file system with DAX uses the struct pages of its files until it is
 * unmounted, even after it has been shut down. Without them it would oops. So
 * wait, as vfio does for its users, and say so every 10 seconds.
 *
 * The wait holds the function's device lock, and the system needs that lock to
 * shut down or to resume. So return false without waiting if the system shuts
 * down, or if this is a hot-unplug and the processes are frozen.
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

/* Remove the nvdimm bus. False: its disks are in use, and it cannot wait. */
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

	/* A flush may queue the work until the bus is gone. */
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
		/* The nvdimm bus stays, so keep what it uses. */
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

/* Why this machine cannot map the BARs, or NULL if it can */
static const char *iopmem_unsupported(struct iopmem_bus *bus)
{
	/* The driver builds for them, but nobody has run it there. */
	if (IS_ENABLED(CONFIG_CPU_BIG_ENDIAN))
		return "big-endian kernels are not supported, use a little-endian one";
	/* Only x86's PAT makes later mappings follow a reservation. */
	if (!bus->cached &&
	    !(IS_ENABLED(CONFIG_X86) && arch_can_pci_mmap_wc()))
		return "this machine would map its BARs cacheable, name it in cached= if it is RAM";
	/* The CPU would encrypt what it stores. Other devices would not. */
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

	/* a target needs neither I/O ports nor bus mastering */
	rc = pci_enable_device_mem(pdev);
	if (rc) {
		pci_err(pdev,
			"cannot be enabled (%d), boot with pci=realloc if a BAR has no address\n",
			rc);
		kfree(bus);
		return rc;
	}

	/* the error handlers need these as soon as there is data to lose */
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
 * The PCI core reports an error of one function to all functions below the
 * port. Does this function, or a bridge above it, have the error? If the
 * registers cannot tell, since they do not exist or the firmware clears them,
 * assume that it does. A virtual function lacks some of the registers (PCIe
 * base specification, 9.4.2).
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

/* During a reset stores are lost, and the card may clear its memory. */
static void iopmem_reset_prepare(struct pci_dev *pdev)
{
	iopmem_mark_failed(pci_get_drvdata(pdev), "reset");
}

static pci_ers_result_t iopmem_error_detected(struct pci_dev *pdev,
					      pci_channel_state_t state)
{
	/* A kernel may report a permanent failure to functions without one. */
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
 * but not every kernel then does one. A reset switches the memory off, so look
 * at that.
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

/* The PCI core leaves a function in D0 if its driver has saved its state. */
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
 * Only the card knows whether its memory survives a power cycle, so refuse to
 * hibernate. Do not refuse in the kernel that loads the image: the system in
 * the image has hibernated, so the function was not bound in it.
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
 * Refuse to suspend while a removal waits, since it would be a deadlock: the
 * suspend waits for the device lock that the removal holds, and the removal
 * waits for processes that are frozen.
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
 * Call @add, if it is not NULL, for each id in @list. The grammar is that of
 * vfio-pci's parameter ids=.
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
/* Only out of tree: DKMS compares the versions. */
#ifdef IOPMEM_VERSION
MODULE_VERSION(IOPMEM_VERSION);
#endif
