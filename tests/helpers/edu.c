// SPDX-License-Identifier: GPL-2.0-only
/*
 * edu [-v] FUNCTION copy FILE FROM TO LENGTH
 * edu [-v] FUNCTION order FILE TEXT ROUNDS
 *
 * Drive QEMU's bare DMA engine "edu" from user space. It copies between its own
 * buffer and any address that it is given.
 *
 * copy: the engine copies from offset FROM of the mapped FILE to offset TO. The
 * CPU touches neither place.
 * order: ROUNDS times, the CPU writes into the mapping for the device, and reads
 * what the device has written there.
 *
 * Without -v the engine's registers are mapped from sysfs, and the engine gets
 * physical addresses from pagemap. Its memory space and bus mastering have to be
 * on (setpci). With -v it has to be bound to vfio-pci. Then the mapping is
 * registered with VFIO_IOMMU_MAP_DMA, and the engine gets IOVAs.
 */
#define _GNU_SOURCE
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include "mapping.h"

#define REGISTERS	0x100000	/* size of BAR 0 */
#define DMA_FROM	0x80
#define DMA_TO		0x88
#define DMA_COUNT	0x90
#define DMA_COMMAND	0x98
#define DMA_RUN		1
#define DMA_TO_BUS	2
#define BUFFER		0x40000
#define CHUNK		2048		/* half of the buffer */

#define IOVA		0x1234000000	/* no physical address here is like this */

static volatile char *registers;
static char *map;
static int use_vfio;

static void write_register(unsigned int at, uint64_t value)
{
	*(volatile uint64_t *)(registers + at) = value;
}

/* The address of @offset of the mapping, as the device needs it */
static uint64_t bus_address(uint64_t offset)
{
	return use_vfio ? IOVA + offset : physical_address(map + offset);
}

static void dma(uint64_t from, uint64_t to, uint64_t length, uint64_t command)
{
	int i, most = 10000 * pace();

	write_register(DMA_FROM, from);
	write_register(DMA_TO, to);
	write_register(DMA_COUNT, length);
	write_register(DMA_COMMAND, command | DMA_RUN);
	for (i = 0; *(volatile uint64_t *)(registers + DMA_COMMAND) & DMA_RUN;
	     i++) {
		if (i == most)
			errx(1, "the DMA does not end");
		usleep(1000);
	}
}

static void fetch(uint64_t offset, uint64_t length)
{
	dma(bus_address(offset), BUFFER, length, 0);
}

/* @skip: how far into the device's buffer */
static void deliver(uint64_t skip, uint64_t offset, uint64_t length)
{
	dma(BUFFER + skip, bus_address(offset), length, DMA_TO_BUS);
}

static void map_registers(const char *function)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource0",
		 function);
	fd = open(path, O_RDWR | O_SYNC);
	if (fd < 0)
		err(1, "%s", path);
	registers = mmap(NULL, REGISTERS, PROT_READ | PROT_WRITE, MAP_SHARED,
			 fd, 0);
	if (registers == MAP_FAILED)
		err(1, "%s: mmap", path);
}

static int open_group(const char *function)
{
	char path[128], target[128], *number;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group",
		 function);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		err(1, "%s", path);
	target[n] = '\0';
	number = strrchr(target, '/');
	snprintf(path, sizeof(path), "/dev/vfio/%s", number + 1);
	fd = open(path, O_RDWR);
	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

static void map_by_vfio(const char *function, uint64_t length)
{
	struct vfio_region_info bar = {
		.argsz = sizeof(bar), .index = VFIO_PCI_BAR0_REGION_INDEX,
	}, config = {
		.argsz = sizeof(config), .index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	struct vfio_iommu_type1_dma_map all = {
		.argsz = sizeof(all),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)map, .iova = IOVA, .size = length,
	};
	uint16_t command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	int container = open("/dev/vfio/vfio", O_RDWR);
	int group = open_group(function), device;

	if (container < 0 ||
	    ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) ||
	    ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		err(1, "vfio: container");
	if (ioctl(container, VFIO_IOMMU_MAP_DMA, &all))
		err(1, "VFIO_IOMMU_MAP_DMA");
	device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, function);
	if (device < 0 ||
	    ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &bar) ||
	    ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &config))
		err(1, "vfio: %s", function);
	registers = mmap(NULL, REGISTERS, PROT_READ | PROT_WRITE, MAP_SHARED,
			 device, bar.offset);
	if (registers == MAP_FAILED)
		err(1, "vfio: registers");
	if (pwrite(device, &command, sizeof(command),
		   config.offset + PCI_COMMAND) != sizeof(command))
		err(1, "vfio: bus mastering");
	printf("registered at IOVA 0x%lx\n", IOVA);
}

static void copy(uint64_t from, uint64_t to, uint64_t length)
{
	uint64_t done;

	printf("from 0x%" PRIx64 " to 0x%" PRIx64 "\n", bus_address(from),
	       bus_address(to));
	for (done = 0; done < length; done += CHUNK) {
		fetch(from + done, CHUNK);
		deliver(0, to + done, CHUNK);
	}
}

/*
 * The CPU writes this at offset 0: data, and a number. The device's answer is at
 * ANSWER: the same data, and the number, which it writes last.
 */
struct work {
	char data[1024];
	uint64_t number;
};

#define ANSWER	0x10000

/* A real device would do this by itself when its doorbell is rung. */
static void ring_doorbell(void)
{
	fetch(0, sizeof(struct work));
	deliver(0, ANSWER, offsetof(struct work, number));
	deliver(offsetof(struct work, number),
		ANSWER + offsetof(struct work, number), sizeof(uint64_t));
}

static void order(const char *text, uint64_t rounds)
{
	struct work *out = (void *)map, *in = (void *)(map + ANSWER);
	char data[sizeof(out->data)] = "";
	uint64_t number;

	in->number = 0;
	for (number = 1; number <= rounds; number++) {
		snprintf(data, sizeof(data), "%s %" PRIu64, text, number);
		memcpy(out->data, data, sizeof(data));
		out->number = number;
		/*
		 * Stores may wait in the CPU's write-combining buffers, so drain
		 * these. On the bus stores are posted, and a read may not pass
		 * them, so read back. After that the device may read.
		 */
		__sync_synchronize();
		if (*(volatile uint64_t *)&out->number != number)
			errx(1, "read back something else");
		ring_doorbell();

		/* The device's writes arrive in order, the number last. */
		while (__atomic_load_n(&in->number, __ATOMIC_ACQUIRE) != number)
			usleep(1000);
		if (memcmp(in->data, data, sizeof(data)))
			errx(1, "round %" PRIu64 ": the flag came before the data",
			     number);
	}
	printf("%" PRIu64 " rounds in order\n", rounds);
}

int main(int argc, char **argv)
{
	uint64_t length;
	size_t mapped;
	int copies;

	use_vfio = argc > 1 && !strcmp(argv[1], "-v");
	argv += use_vfio;
	argc -= use_vfio;
	copies = argc == 7 && !strcmp(argv[2], "copy");
	if (!copies && (argc != 6 || strcmp(argv[2], "order")))
		errx(2, "usage: edu [-v] FUNCTION copy FILE FROM TO LENGTH|order FILE TEXT ROUNDS");

	length = DAX_ALIGN;
	map = map_path(argv[3], length, MAP_SHARED, &mapped);
	for (uint64_t at = 0; at < length; at += 4096)
		*(volatile char *)(map + at) = *(volatile char *)(map + at);
	print_extents(map, length);

	if (use_vfio)
		map_by_vfio(argv[1], mapped);
	else
		map_registers(argv[1]);
	if (copies)
		copy(parse_size(argv[4]), parse_size(argv[5]),
		     parse_size(argv[6]));
	else
		order(argv[4], parse_size(argv[5]));
	return 0;
}
