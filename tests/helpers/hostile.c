// SPDX-License-Identifier: GPL-2.0-only
/*
 * hostile labels FUNCTION SEED FIRST COUNT AREA AREA...
 * hostile blocks|all-blocks FUNCTION SEED FIRST COUNT
 *
 * Try what a malicious card could have in its memory.
 *
 * labels tries COUNT label areas, which are mutations of the given AREAs, or
 * random. blocks mutates info blocks of the namespaces in the BAR, and the maps and
 * logs of their BTTs. Each trial writes them into the function's BAR 2, binds the
 * function, checks what the kernel shows, and unbinds the function. With labels, it
 * also creates a namespace and deletes it.
 *
 * The kernel is known to handle some values wrongly, and these are left out.
 * all-blocks leaves none out, and ends at the kernel's first complaint.
 *
 * All random numbers come from SEED. With FIRST COUNT = N 1, trial N is repeated.
 * udev should not run meanwhile, since it only takes time.
 */
#define _GNU_SOURCE
#include "fuzz.h"
#include <linux/ndctl.h>
#include <ndctl/libndctl.h>
#include <sys/ioctl.h>
#include <uuid/uuid.h>

#define MIN_LABEL	128
#define BASES		8
#define BLOCKS		16
#define BLOCK		4096
#define BTT_NUMBERS	56	/* a BTT's info block has sizes, counts and offsets here */
#define BTT_NUMBERS_END	120
#define RANGES		1024

struct field {
	unsigned int offset, size;
};

/* UEFI specification, "Label Protocol" */
static const struct field index_fields[] = {
	{ 0, 8 }, { 16, 3 }, { 19, 1 }, { 20, 4 }, { 24, 8 }, { 32, 8 },
	{ 40, 8 }, { 48, 8 }, { 56, 4 }, { 60, 2 }, { 62, 2 }, { 64, 8 },
};

static const struct field label_fields[] = {
	{ 0, 8 }, { 8, 8 }, { 16, 8 }, { 80, 4 }, { 84, 2 }, { 86, 2 },
	{ 88, 8 }, { 96, 8 }, { 104, 8 }, { 112, 8 }, { 120, 4 }, { 124, 4 },
	{ 128, 8 }, { 136, 8 }, { 144, 8 }, { 152, 8 }, { 160, 8 }, { 248, 8 },
};

/* drivers/nvdimm/pfn.h and btt.h: signature, uuids, flags, version, and so on */
static const struct field pfn_fields[] = {
	{ 0, 8 }, { 16, 8 }, { 32, 8 }, { 48, 4 }, { 52, 2 }, { 54, 2 },
	{ 56, 8 }, { 64, 8 }, { 72, 4 }, { 76, 4 }, { 80, 4 }, { 84, 4 },
	{ 88, 4 }, { 92, 2 }, { 4088, 8 },
};

static const struct field btt_fields[] = {
	{ 0, 8 }, { 16, 8 }, { 32, 8 }, { 48, 4 }, { 52, 2 }, { 54, 2 },
	{ 56, 4 }, { 60, 4 }, { 64, 4 }, { 68, 4 }, { 72, 4 }, { 76, 4 },
	{ 80, 8 }, { 88, 8 }, { 96, 8 }, { 104, 8 }, { 112, 8 }, { 4088, 8 },
};

#define ANY(fields) ((fields) + below(sizeof(fields) / sizeof((fields)[0])))

static const char *function;
static uint64_t bar_start, bar_size;
/* with room for a large label in the last slot for small ones */
static unsigned char area[AREA + MIN_LABEL];
static unsigned char base[BASES][AREA];
static unsigned int bases;
static uint64_t at;	/* the number of the area */
static bool all;	/* all-blocks: leave no value out */

static struct {
	uint64_t areas, dimms_off, regions_off, namespaces, disabled, created,
		refused, found_again, disks, reads, eio;
} seen;

#define bad(...)	found_bad("area", at, __VA_ARGS__)

static void mend(unsigned char *p, unsigned int size, unsigned int sum_at)
{
	set_le(p + sum_at, 8, checksum(p, size, sum_at));
}

static void mutate_field(unsigned char *object, const struct field *f)
{
	set_le(object + f->offset, f->size,
	       odd_value(get_le(object + f->offset, f->size)));
}

static unsigned int label_size(void)
{
	return area[19] ? 256 : 128;
}

static unsigned int slots(void)
{
	return (AREA - LABELS) / label_size();
}

static unsigned char *slot(unsigned int n)
{
	return area + LABELS + n * label_size();
}

static void use_slot(unsigned int n)
{
	area[72 + n / 8] &= ~(1 << n % 8);
	area[INDEX + 72 + n / 8] &= ~(1 << n % 8);
}

/* mostly a slot in use */
static unsigned int any_slot(void)
{
	unsigned int i, n;

	if (one_in(8))
		return below(slots());
	for (i = 0; i < 16; i++) {
		n = below(8);
		if (!(area[INDEX + 72 + n / 8] & 1 << n % 8))
			break;
	}
	return n;
}

static void mutate_labels(void)
{
	const unsigned char *other = base[below(bases)];
	unsigned char *l = slot(any_slot());
	unsigned int n;

	switch (below(13)) {
	case 0:
	case 1:
		n = below(3);
		if (n != 1)
			mutate_field(area, ANY(index_fields));
		if (n != 0)
			mutate_field(area + INDEX, ANY(index_fields));
		break;
	case 2:
		set_le(area + 20, 4, below(5));
		set_le(area + INDEX + 20, 4, below(5));
		break;
	case 3:
		n = one_in(2) ? 0 : INDEX;
		switch (below(4)) {
		case 0:
			memset(area + n + 72, 0, INDEX - 72);
			break;
		case 1:
			memset(area + n + 72, 0xff, INDEX - 72);
			break;
		case 2:
			rnd_fill(area + n + 72, 1 + below(8));
			break;
		default:
			area[n + 72 + below(4)] ^= 1 << below(8);
		}
		break;
	case 4:
	case 5:
		mutate_field(l, ANY(label_fields));
		break;
	case 6:	/* offsets and sizes that are almost right */
		set_le(l + 104, 8, below(bar_size >> 20) << 20);
		if (one_in(2))
			set_le(l + 112, 8, (1 + below(bar_size >> 20)) << 20);
		else	/* up to the end of the BAR, or of the region */
			set_le(l + 112, 8, bar_size - get_le(l + 104, 8) -
			       below(3) * AREA);
		break;
	case 7:
	case 8:	/* the same label in another slot */
		n = below(one_in(2) ? 8 : slots());
		memmove(slot(n), l, label_size());
		if (!one_in(4))
			set_le(slot(n) + 120, 4, n);
		if (one_in(2))
			rnd_fill(slot(n), 16);
		use_slot(n);
		break;
	case 9:
		for (n = 1 + below(8); n; n--)
			area[below(4096)] ^= 1 << below(8);
		break;
	case 10:
		n = below(4096);
		if (one_in(2))
			rnd_fill(area + n, 1 + below(1024));
		else
			memset(area + n, -below(2), 1 + below(1024));
		break;
	case 11:	/* parts of another area, which may have another version */
		if (one_in(2))
			memcpy(l, other + LABELS + below(8) * 128, 256);
		else
			memcpy(area + below(2) * INDEX, other + below(2) * INDEX,
			       INDEX);
		break;
	case 12:
		n = below(2) * INDEX;
		area[n + 19] = below(3);
		set_le(area + n + 60, 2, 1);
		set_le(area + n + 62, 2, below(4));
		break;
	}
}

/*
 * Correct the values that the kernel is known to handle wrongly (see
 * tools/kernel-reports): index.nslot = 0 or too large for 32 bits, label.lbasize
 * other than 0, 512 and 4096, and a name without an end.
 */
static void leave_out(void)
{
	static const unsigned int lbasizes[] = { 0, 512, 4096 };
	unsigned int i;
	unsigned char *l;
	uint64_t lbasize;
	uint32_t nslot;

	for (i = 0; i < 2; i++) {
		nslot = get_le(area + i * INDEX + 56, 4) % (1 << 24);
		set_le(area + i * INDEX + 56, 4, nslot ? nslot : 1);
	}
	for (l = area + LABELS; l < area + AREA; l += MIN_LABEL) {
		l[16 + 63] = 0;
		lbasize = get_le(l + 96, 8);
		if (lbasize && lbasize != 512 && lbasize != 4096)
			set_le(l + 96, 8, lbasizes[lbasize % 3]);
	}
}

static void right_checksums(void)
{
	unsigned int i;

	for (i = 0; i < 2; i++)
		if (!one_in(4))
			mend(area + i * INDEX, INDEX, 64);
	if (label_size() == 256 && !one_in(8))
		for (i = 0; i < slots(); i++)
			if (get_le(slot(i), 8))
				mend(slot(i), 256, 248);
}

static void make_area(void)
{
	unsigned int i, n = below(10);

	memcpy(area, base[below(bases)], AREA);
	if (n == 0) {
		rnd_fill(area, AREA);
	} else if (n == 1) {	/* random but for the heads of the index blocks */
		for (i = 0; i < 2; i++)
			rnd_fill(area + i * INDEX + 72, INDEX - 72);
		rnd_fill(area + LABELS, AREA - LABELS);
	} else {
		for (i = 1 + below(4); i; i--)
			mutate_labels();
	}
	leave_out();
	if (n)
		right_checksums();
}

/* Map BAR 2 from @offset on. The kernel allows that only while no driver has it. */
static unsigned char *map_bar(uint64_t offset, uint64_t length)
{
	char path[128];
	void *map;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource2",
		 function);
	fd = open(path, O_RDWR);
	map = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		   offset);
	if (fd < 0 || map == MAP_FAILED)
		bad("%s: %s", path, strerror(errno));
	close(fd);
	return map;
}

static void find_bar(void)
{
	unsigned long long start, end;
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource",
		 function);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%*s %*s %*s %*s %*s %*s %llx %llx", &start, &end) != 2)
		err(1, "%s", path);
	fclose(f);
	bar_start = start;
	bar_size = end + 1 - start;
}

static void bind_function(void)
{
	int rc = sysfs_write(function, "/sys/bus/pci/drivers/iopmem/bind");

	if (rc)
		bad("bind: %s", strerror(rc));
}

static void unbind_function(void)
{
	int rc = sysfs_write(function, "/sys/bus/pci/drivers/iopmem/unbind");

	if (rc)
		bad("unbind: %s", strerror(rc));
}

/* The function in libndctl: one bus, one region, one dimm */
static struct ndctl_ctx *ctx;
static struct ndctl_region *region;
static struct ndctl_dimm *dimm;

static void enumerate(void)
{
	struct ndctl_bus *bus;
	char provider[64];

	if (ndctl_new(&ctx))
		bad("ndctl_new");
	ndctl_set_log_priority(ctx, 0);
	snprintf(provider, sizeof(provider), "iopmem-%s", function);
	bus = ndctl_bus_get_by_provider(ctx, provider);
	if (!bus)
		bad("no bus %s", provider);
	ndctl_bus_wait_probe(bus);
	region = ndctl_region_get_first(bus);
	if (!region)
		bad("no region");
	dimm = ndctl_region_get_first_dimm(region);
	if (!dimm)
		bad("no dimm");
}

/* Namespaces must be in the BAR, outside of the label area, and must not overlap. */
static void check_ranges(void)
{
	struct {
		uint64_t start, end;
	} r[RANGES];
	struct ndctl_namespace *ndns;
	unsigned int n = 0, i;

	ndctl_namespace_foreach(region, ndns) {
		uint64_t size = ndctl_namespace_get_size(ndns);

		if (!size)
			continue;
		if (n == RANGES)
			bad("more than %d namespaces", RANGES);
		r[n].start = ndctl_namespace_get_resource(ndns);
		r[n].end = r[n].start + size;
		if (r[n].start < bar_start || r[n].end < r[n].start ||
		    r[n].end > bar_start + bar_size - AREA)
			bad("%s is at %#" PRIx64 ", size %#" PRIx64 ": not in the region",
			    ndctl_namespace_get_devname(ndns), r[n].start, size);
		for (i = 0; i < n; i++)
			if (r[n].start < r[i].end && r[i].start < r[n].end)
				bad("%s overlaps another",
				    ndctl_namespace_get_devname(ndns));
		n++;
	}
}

/* Binding and reading must not change the label area. */
static void check_area(void)
{
	static struct {
		struct nd_cmd_get_config_data_hdr hdr;
		unsigned char data[AREA];
	} cmd;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/%s", ndctl_dimm_get_devname(dimm));
	fd = open(path, O_RDWR);
	cmd.hdr = (struct nd_cmd_get_config_data_hdr){ .in_length = AREA };
	if (fd < 0 || ioctl(fd, ND_IOCTL_GET_CONFIG_DATA, &cmd) < 0)
		bad("%s: %s", path, strerror(errno));
	close(fd);
	if (memcmp(cmd.hdr.out_buf, area, AREA))
		bad("the label area has changed");
}

static struct ndctl_namespace *create(uuid_t uuid)
{
	struct ndctl_namespace *ndns = NULL;
	uint64_t room = 0, size;

	rnd_fill(uuid, sizeof(uuid_t));
	if (ndctl_region_is_enabled(region)) {
		ndns = ndctl_region_get_namespace_seed(region);
		room = ndctl_region_get_max_available_extent(region);
	}
	if (room == ~0ULL)
		room = 0;
	/* growing one that is smaller than its alignment would cause a warning */
	if (ndns && ndctl_namespace_get_size(ndns))
		ndns = NULL;
	size = one_in(4) && room ? room : (1 + below(2)) << 24;
	if (!ndns || size > room ||
	    ndctl_namespace_set_uuid(ndns, uuid) ||
	    ndctl_namespace_set_size(ndns, size) ||
	    ndctl_namespace_enable(ndns) < 0) {
		seen.refused++;
		return NULL;
	}
	seen.created++;
	return ndns;
}

static bool there(uuid_t uuid)
{
	struct ndctl_namespace *ndns;
	uuid_t other;

	ndctl_namespace_foreach(region, ndns) {
		ndctl_namespace_get_uuid(ndns, other);
		if (!uuid_compare(uuid, other))
			return true;
	}
	return false;
}

static void try_labels(void)
{
	struct ndctl_namespace *ndns;
	unsigned char *map;
	uuid_t uuid;

	make_area();
	map = map_bar(bar_size - AREA, AREA);
	memcpy(map, area, AREA);
	munmap(map, AREA);

	bind_function();
	enumerate();
	seen.dimms_off += !ndctl_dimm_is_enabled(dimm);
	seen.regions_off += !ndctl_region_is_enabled(region);
	ndctl_namespace_foreach(region, ndns)
		seen.namespaces += ndctl_namespace_get_size(ndns) > 0;
	check_ranges();
	check_area();

	ndns = create(uuid);
	if (ndns) {
		check_ranges();
		if (one_in(8)) {
			ndctl_unref(ctx);
			unbind_function();
			bind_function();
			enumerate();
			check_ranges();
			if (!there(uuid))
				bad("what was created is gone after binding again");
			seen.found_again++;
		} else if (ndctl_namespace_disable_invalidate(ndns) ||
			   ndctl_namespace_delete(ndns)) {
			bad("what was created cannot be deleted");
		}
	}
	ndctl_unref(ctx);
	unbind_function();
}

/* The BAR as it was at the beginning, and the info blocks in it */
static unsigned char *whole;
static struct {
	uint64_t offset;
	bool btt;
} block[BLOCKS];
static unsigned int blocks;

static void find_blocks(void)
{
	static const char sig[][16] = {
		"BTT_ARENA_INFO", "NVDIMM_PFN_INFO", "NVDIMM_DAX_INFO",
	};
	unsigned char *map = map_bar(0, bar_size);
	unsigned int i;
	uint64_t o;

	whole = malloc(bar_size);
	if (!whole)
		err(1, "malloc");
	memcpy(whole, map, bar_size);
	munmap(map, bar_size);
	for (o = 0; o < bar_size - AREA; o += BLOCK)
		for (i = 0; i < 3; i++)
			if (!memcmp(whole + o, sig[i], 15) && blocks < BLOCKS) {
				block[blocks].offset = o;
				block[blocks++].btt = !i;
			}
	printf("%u info blocks\n", blocks);
	if (!blocks)
		exit(1);
}

/*
 * Correct the values that the kernel uses unchecked, and that make it warn or oops
 * (see tools/kernel-reports). In an info block with a right checksum, these are a
 * BTT's numbers, and numbers of a PFN that leave no room for its pages. In a BTT's
 * map and log, these are blocks that the arena does not have.
 */
static void leave_out_numbers(unsigned char *b, unsigned int n)
{
	const unsigned char *was = whole + block[n].offset;
	uint64_t size = get_le(was + 56, 8) + get_le(was + 64, 8) * 4096;

	if (block[n].btt) {
		memcpy(b + BTT_NUMBERS, was + BTT_NUMBERS,
		       BTT_NUMBERS_END - BTT_NUMBERS);
		return;
	}
	/* struct pages begin after the info block, and pads are part of the size */
	if (get_le(b + 56, 8) < 2 * BLOCK)
		set_le(b + 56, 8, 2 * BLOCK);
	if (get_le(b + 76, 4) + get_le(b + 80, 4) >= size)
		memset(b + 76, 0, 8);
}

/* An entry of a map or log has two flags and a block's number, below @count. */
static void leave_out_block(unsigned char *entry, uint32_t count)
{
	uint32_t e = get_le(entry, 4);

	set_le(entry, 4, (e & 3U << 30) | (e & ~(3U << 30)) % count);
}

/* Mutate the map or the log of the arena that info block @n describes. */
static void mutate_btt(unsigned char *map, unsigned int n)
{
	const unsigned char *b = whole + block[n].offset;
	bool log = one_in(2);
	uint64_t o = block[n].offset + get_le(b + (log ? 104 : 96), 8);
	uint32_t external = get_le(b + 60, 4), internal = get_le(b + 68, 4);
	unsigned int i;

	if (o > bar_size - AREA - 4 * BLOCK)
		return;	/* this is the second info block, at the arena's end */
	for (i = 0; i < 1 + below(16); i++)
		set_le(map + o + below(4096) * 4, 4, odd_value(get_le(whole + o, 4)));
	if (one_in(4))
		rnd_fill(map + o, 4096);
	/* an entry of the log is lba, old block, new block, sequence number */
	for (i = 0; i < 4096 && !all; i++)
		if (!log || i % 4 == 1 || i % 4 == 2)
			leave_out_block(map + o + i * 4, internal);
		else if (i % 4 == 0)
			set_le(map + o + i * 4, 4, get_le(map + o + i * 4, 4) % external);
}

static void mutate_block(unsigned char *map, unsigned int n)
{
	unsigned char b[BLOCK];
	unsigned int i;

	memcpy(b, whole + block[n].offset, BLOCK);
	for (i = 1 + below(3); i; i--)
		switch (below(8)) {
		case 0:
			memcpy(b, whole + block[below(blocks)].offset, BLOCK);
			break;
		case 1:
			b[below(128)] ^= 1 << below(8);
			break;
		case 2:
			rnd_fill(b + 16 + below(112), 1 + below(64));
			break;
		default:
			mutate_field(b, block[n].btt ? ANY(btt_fields) : ANY(pfn_fields));
		}
	if (!one_in(4)) {
		if (!all)
			leave_out_numbers(b, n);
		mend(b, BLOCK, BLOCK - 8);
	}
	if (one_in(32))
		rnd_fill(b, BLOCK);
	memcpy(map + block[n].offset, b, BLOCK);
}

/* Read a disk at some places. */
static void read_disk(const char *name)
{
	static void *buf;
	char path[64];
	off_t end, o;
	int fd, i;

	if (!buf && posix_memalign(&buf, BLOCK, BLOCK))
		err(1, "posix_memalign");
	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = open(path, O_RDONLY | O_DIRECT);
	if (fd < 0)
		bad("%s: %s", path, strerror(errno));
	seen.disks++;
	end = lseek(fd, 0, SEEK_END);
	if (end > (off_t)bar_size)
		bad("%s has %jd bytes", path, (intmax_t)end);
	for (i = 0; i < 8 && end >= BLOCK; i++) {
		o = i == 0 ? 0 : i == 1 ? end / BLOCK - 1 : (off_t)below(end / BLOCK);
		if (pread(fd, buf, BLOCK, o * BLOCK) < 0)
			seen.eio++;
		else
			seen.reads++;
	}
	close(fd);
}

/* Read the namespace if it, or the BTT or PFN that claims it, is enabled. */
static bool read_namespace(struct ndctl_namespace *ndns)
{
	struct ndctl_btt *btt = ndctl_namespace_get_btt(ndns);
	struct ndctl_pfn *pfn = ndctl_namespace_get_pfn(ndns);
	struct ndctl_dax *dax = ndctl_namespace_get_dax(ndns);
	const char *disk = NULL;
	bool enabled;

	if (btt) {
		enabled = ndctl_btt_is_enabled(btt);
		disk = ndctl_btt_get_block_device(btt);
	} else if (pfn) {
		enabled = ndctl_pfn_is_enabled(pfn);
		disk = ndctl_pfn_get_block_device(pfn);
	} else if (dax) {
		enabled = ndctl_dax_is_enabled(dax);
	} else {
		enabled = ndctl_namespace_is_enabled(ndns);
		disk = ndctl_namespace_get_block_device(ndns);
	}
	if (enabled && disk && *disk)
		read_disk(disk);
	return enabled;
}

static void try_blocks(void)
{
	struct ndctl_namespace *ndns;
	unsigned char *map = map_bar(0, bar_size);
	unsigned int n, i;

	memcpy(map, whole, bar_size - AREA);
	for (i = 1 + below(2); i; i--) {
		n = below(blocks);
		if (block[n].btt && one_in(3))
			mutate_btt(map, n);
		else
			mutate_block(map, n);
	}
	munmap(map, bar_size);

	bind_function();
	enumerate();
	seen.regions_off += !ndctl_region_is_enabled(region);
	check_ranges();
	ndctl_namespace_foreach(region, ndns) {
		if (!ndctl_namespace_get_size(ndns))
			continue;
		seen.namespaces++;
		seen.disabled += !read_namespace(ndns);
	}
	ndctl_unref(ctx);
	unbind_function();
}

static void read_base(const char *path)
{
	FILE *f = fopen(path, "r");

	if (!f || bases == BASES || fread(base[bases++], 1, AREA, f) != AREA)
		errx(1, "%s is not a label area, or one too many", path);
	fclose(f);
}

int main(int argc, char **argv)
{
	uint64_t seed, first, count, before = taint();
	double start = seconds(), took;
	bool labels;

	labels = argc >= 6 && !strcmp(argv[1], "labels");
	all = argc >= 6 && !strcmp(argv[1], "all-blocks");
	if (argc < 6 || (!labels && !all && strcmp(argv[1], "blocks")))
		errx(2,
		     "usage: hostile labels|blocks|all-blocks FUNCTION SEED FIRST COUNT [AREA...]");
	if (labels ? argc == 6 : argc > 6)
		errx(2, "labels wants label areas to begin with, blocks none");
	function = argv[2];
	seed = strtoull(argv[3], NULL, 0);
	first = strtoull(argv[4], NULL, 0);
	count = strtoull(argv[5], NULL, 0);
	for (argv += 6; *argv; argv++)
		read_base(*argv);
	find_bar();
	if (!labels)
		find_blocks();

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (at = first; at < first + count; at++) {
		alarm(60);	/* ends this program if the kernel hangs */
		rnd_seed(seed, at);
		if (labels)
			try_labels();
		else
			try_blocks();
		seen.areas++;
		if (taint() != before)
			bad("the kernel has complained, see its log");
	}
	took = seconds() - start;
	printf("seed %" PRIu64 " areas %" PRIu64 " namespaces %" PRIu64
	       " disabled %" PRIu64 " dimms_off %" PRIu64 " regions_off %" PRIu64
	       " created %" PRIu64 " refused %" PRIu64 " found_again %" PRIu64
	       " disks %" PRIu64 " reads %" PRIu64 " eio %" PRIu64
	       " seconds %.1f ms_each %.1f\n",
	       seed, seen.areas, seen.namespaces, seen.disabled, seen.dimms_off,
	       seen.regions_off, seen.created, seen.refused, seen.found_again,
	       seen.disks, seen.reads, seen.eio, took,
	       count ? took * 1000 / count : 0);
	return 0;
}
