// SPDX-License-Identifier: GPL-2.0-only
/* What the parsers accept and what they refuse */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/fiemap.h>

#include "parse.h"

static int failures;

#define check(want) \
	do { \
		if (!(want)) { \
			printf("%s:%d: not so: %s\n", __FILE__, __LINE__, \
			       #want); \
			failures++; \
		} \
	} while (0)

/* A copy on the heap without a NUL, so that valgrind finds reads beyond it */
static char *copy(const char *text)
{
	size_t len = strlen(text);
	char *buf = malloc(len ? len : 1);

	if (!buf)
		abort();
	memcpy(buf, text, len);
	return buf;
}

#define with(text, call) \
	({ \
		char *buf = copy(text); \
		size_t len = strlen(text); \
		int rc = call; \
		free(buf); \
		rc; \
	})

static void test_address(void)
{
	struct address a;

	check(!with("0000:01:1f.7", parse_address(buf, len, &a)));
	check(a.domain == 0 && a.bus == 1 && a.dev == 31 && a.fn == 7);
	check(!with("10000:e1:00.0", parse_address(buf, len, &a)));
	check(a.domain == 0x10000 && a.bus == 0xe1);
	check(!with("abcdef01:00:00.0", parse_address(buf, len, &a)));
	check(a.domain == 0xabcdef01);
	check(!with("0000:AF:00.0", parse_address(buf, len, &a)));
	check(a.bus == 0xaf);
	check(with("", parse_address(buf, len, &a)) == -EINVAL);
	check(with("0000:01:00", parse_address(buf, len, &a)) == -EINVAL);
	check(with("0000:01:00.8", parse_address(buf, len, &a)) == -EINVAL);
	check(with("0000:01:20.0", parse_address(buf, len, &a)) == -EINVAL);
	check(with("0000:1:00.0", parse_address(buf, len, &a)) == -EINVAL);
	check(with("000:01:00.0", parse_address(buf, len, &a)) == -EINVAL);
	check(with("0x00:01:00.0", parse_address(buf, len, &a)) == -EINVAL);
	check(with("123456789:01:00.0", parse_address(buf, len, &a)) == -EINVAL);
	check(with("0000:01:00.0 ", parse_address(buf, len, &a)) == -EINVAL);
}

/* Is each address before the one that follows it? */
static void test_order(void)
{
	static const char *const sorted[] = {
		"0000:00:00.0", "0000:00:00.7", "0000:00:1f.0", "0000:01:00.0",
		"0001:00:00.0", "10000:00:00.0", "ffffffff:00:00.0",
	};
	struct address a, b;
	size_t i;

	for (i = 0; i + 1 < ARRAY_SIZE(sorted); i++) {
		parse_address(sorted[i], strlen(sorted[i]), &a);
		parse_address(sorted[i + 1], strlen(sorted[i + 1]), &b);
		check(address_compare(&a, &b) < 0);
		check(address_compare(&b, &a) > 0);
		check(address_compare(&a, &a) == 0);
	}
}

static void test_short_address(void)
{
	struct address a;

	check(!with("01:00.0", parse_short_address(buf, len, &a)));
	check(a.domain == 0 && a.bus == 1);
	check(!with("0001:02:00.1", parse_short_address(buf, len, &a)));
	check(a.domain == 1 && a.bus == 2 && a.fn == 1);
	check(with("", parse_short_address(buf, len, &a)) == -EINVAL);
	check(with("1af4:1110", parse_short_address(buf, len, &a)) == -EINVAL);
	check(with("01:00", parse_short_address(buf, len, &a)) == -EINVAL);
	check(with("/sys/bus/pci/devices/0000:02:00.1",
		   parse_short_address(buf, len, &a)) == -EINVAL);
}

static int bridge_is(const char *text, const char *bridge,
		     unsigned int parent_bus)
{
	struct place p;
	char *buf = copy(text);
	int good = !parse_place(buf, strlen(text), &p) &&
		p.host_bridge_len == strlen(bridge) &&
		!memcmp(p.host_bridge, bridge, strlen(bridge)) &&
		p.has_parent == !!parent_bus &&
		(!parent_bus || p.parent.bus == parent_bus);

	free(buf);
	return good;
}

static void test_place(void)
{
	struct place p;

	check(bridge_is("../../../devices/pci0000:00/0000:00:01.0",
			"pci0000:00", 0));
	check(bridge_is("../../../devices/pci0000:00/0000:00:01.0/0000:01:00.0/0000:02:00.0",
			"pci0000:00", 1));
	check(bridge_is("../../../devices/pci0000:00/0000:00:0e.0/pci10000:e0/10000:e0:1d.0",
			"pci10000:e0", 0));
	check(bridge_is("../../../devices/platform/soc/pci0002:00/0002:00:00.0",
			"pci0002:00", 0));
	check(!with("0000:00:01.0", parse_place(buf, len, &p)) &&
	      !p.host_bridge && !p.has_parent);
	check(with("../eth0", parse_place(buf, len, &p)) == -EINVAL);
}

#define NONE	"0x0000000000000000 0x0000000000000000 0x0000000000000000\n"

static void test_resource(void)
{
	struct resource r[NUM_BARS];

	check(!with(NONE NONE "0x380000000000 0x38001fffffff 0x14220c\n" NONE NONE NONE NONE,
		    parse_resource(buf, len, r)));
	check(r[2].start == 0x380000000000 && r[2].end == 0x38001fffffff &&
	      r[2].flags == 0x14220c);
	check(with(NONE NONE NONE NONE NONE,
		   parse_resource(buf, len, r)) == -EINVAL);
	check(with("0x2 0x1 0x200\n" NONE NONE NONE NONE NONE,
		   parse_resource(buf, len, r)) == -EINVAL);
	check(with("0x1 0x2\n" NONE NONE NONE NONE NONE,
		   parse_resource(buf, len, r)) == -EINVAL);
	check(with("0x10000000000000000 0x2 0x3\n" NONE NONE NONE NONE NONE,
		   parse_resource(buf, len, r)) == -EINVAL);
	check(with("", parse_resource(buf, len, r)) == -EINVAL);
}

static void test_link(void)
{
	unsigned int speed;

	check(!with("16.0 GT/s PCIe", parse_link_speed(buf, len, &speed)) &&
	      speed == 160);
	check(!with("2.5 GT/s PCIe", parse_link_speed(buf, len, &speed)) &&
	      speed == 25);
	check(!with("Unknown", parse_link_speed(buf, len, &speed)) && !speed);
	check(with("fast", parse_link_speed(buf, len, &speed)) == -EINVAL);
	check(with("16 GT/s", parse_link_speed(buf, len, &speed)) == -EINVAL);
}

static void test_memtypes(void)
{
	struct memtype *list = NULL;

	check(with("PAT memtype list:\n"
		   "PAT: [mem 0x0000000200000000-0x0000000300000000] write-combining\n"
		   "PAT: [mem 0x0000000000001000-0x0000000000002000] uncached-minus\n"
		   "PAT: [mem 0x5000-0x4000] write-back\n"
		   "PAT: [mem 0x5000-0x6000] strange",
		   parse_memtypes(buf, len, &list)) == 2);
	check(list && list[0].start == 0x1000 &&
	      !strcmp(list[0].type, "uncached-minus"));
	check(list && list[1].end == 0x300000000 &&
	      !strcmp(list[1].type, "write-combining"));
	free(list);
	check(with("", parse_memtypes(buf, len, &list)) == 0 && !list);
}

static void test_bars(void)
{
	unsigned int mask;

	check(!with("0-5\n", parse_bars(buf, len, &mask)) && mask == 0x3f);
	check(!with("2,4-5", parse_bars(buf, len, &mask)) && mask == 0x34);
	check(!with("", parse_bars(buf, len, &mask)) && mask == 0);
	check(with("6", parse_bars(buf, len, &mask)) == -EINVAL);
	check(with("5-4", parse_bars(buf, len, &mask)) == -EINVAL);
	check(with("1;2", parse_bars(buf, len, &mask)) == -EINVAL);
	check(with("99999999999999999999", parse_bars(buf, len, &mask)) == -EINVAL);
}

/* What FIEMAP returns, on the heap and without a spare byte */
static int fiemap(const struct fiemap_extent *e, unsigned int n,
		  unsigned int said, struct pieces *p, const char **why)
{
	size_t len = sizeof(struct fiemap) + n * sizeof(*e);
	struct fiemap *buf = calloc(1, len);
	int rc;

	if (!buf)
		abort();
	buf->fm_mapped_extents = said;
	memcpy(buf->fm_extents, e, n * sizeof(*e));
	rc = parse_fiemap(buf, len, p, why);
	free(buf);
	return rc;
}

#define extent(logical, physical, length, flags) \
	{ logical, physical, length, { }, flags, { } }

static void test_fiemap(void)
{
	const struct fiemap_extent e[] = {
		extent(0, 1 << 20, 8192, 0),
		extent(8192, (1 << 20) + 8192, 4096, 0),
		extent(12288, 4096, 4096, FIEMAP_EXTENT_MERGED),
		extent(20480, 65536, 4096, FIEMAP_EXTENT_LAST),
	};
	const struct fiemap_extent wrap = extent(4096, 0, UINT64_MAX - 4000, 0);
	const struct fiemap_extent far = extent(0, UINT64_MAX - 4000, 4096, 0);
	const struct fiemap_extent none = extent(0, 0, 0, 0);
	const struct fiemap_extent unwritten =
		extent(0, 4096, 4096, FIEMAP_EXTENT_UNWRITTEN);
	struct pieces p = { .at = 100, .end = 16384 };
	const char *why;
	char byte = 0;

	check(!fiemap(e, 4, 4, &p, &why) && !why && p.at == 16384 && p.n == 2);
	check(p.list[0].logical == 100 &&
	      p.list[0].physical == (1 << 20) + 100 &&
	      p.list[0].length == 12288 - 100);
	check(p.list[1].logical == 12288 && p.list[1].physical == 4096 &&
	      p.list[1].length == 4096);
	p.n = 0;
	p.at = 0;
	p.end = 24576;
	check(fiemap(e, 4, 4, &p, &why) == -EOPNOTSUPP && why &&
	      p.at == 16384);
	p.n = 0;
	p.at = 4096;
	p.end = 5000;
	check(!fiemap(e, 4, 4, &p, &why) && p.n == 1 && p.at == 5000 &&
	      p.list[0].length == 904 && p.list[0].physical == (1 << 20) + 4096);
	p.n = 0;
	p.at = 0;
	p.end = 16384;
	check(!fiemap(e, 2, 2, &p, &why) && p.at == 12288);
	check(fiemap(e, 2, 2, &p, &why) == -EINVAL);
	check(fiemap(e, 0, 0, &p, &why) == -EOPNOTSUPP && why);
	check(fiemap(e, 4, 5, &p, &why) == -EINVAL);
	check(fiemap(&wrap, 1, 1, &p, &why) == -EINVAL);
	p.n = 0;
	p.at = 0;
	p.end = 1 << 20;
	check(fiemap(e, 2, 3, &p, &why) == -EINVAL && !p.n);
	check(fiemap(&far, 1, 1, &p, &why) == -EINVAL);
	check(fiemap(&none, 1, 1, &p, &why) == -EINVAL);
	check(fiemap(&unwritten, 1, 1, &p, &why) == -EOPNOTSUPP && why &&
	      !p.at);
	check(parse_fiemap(&byte, 1, &p, &why) == -EINVAL);
	free(p.list);
}

static void test_pagemap(void)
{
	const uint64_t entries[] = {
		1ull << 63 | 0x380000200, 1ull << 63 | 1ull << 55 | 1, 5,
		1ull << 63, UINT64_MAX,
	};
	uint64_t address;

	check(!parse_pagemap(entries, sizeof(entries), 0, 4096, &address) &&
	      address == 0x380000200000);
	check(!parse_pagemap(entries, sizeof(entries), 1, 65536, &address) &&
	      address == 65536);
	check(parse_pagemap(entries, sizeof(entries), 2, 4096, &address) ==
	      -ENXIO);
	check(parse_pagemap(entries, sizeof(entries), 3, 4096, &address) ==
	      -EPERM);
	check(parse_pagemap(entries, sizeof(entries), 4, 4096, &address) ==
	      -EINVAL);
	check(parse_pagemap(entries, 15, 1, 4096, &address) == -EINVAL);
}

static void test_nd_path(void)
{
	struct nd_path p;

#define AT	"/sys/devices/pci0000:00/0000:01:00.0/ndbus0/region12/"
	check(!with(AT "pfn12.1/block/pmem12",
		    parse_nd_path(buf, len, &p)) &&
	      p.region_len == 8 && p.device_len == strlen(AT "pfn12.1") &&
	      !p.is_btt && !p.is_partition);
	check(!with(AT "namespace12.0/block/pmem12/pmem12p1",
		    parse_nd_path(buf, len, &p)) && p.is_partition);
	check(!with(AT "btt12.0/block/pmem12s",
		    parse_nd_path(buf, len, &p)) && p.is_btt);
	check(!with(AT "dax12.1/dax12.1", parse_nd_path(buf, len, &p)) &&
	      p.device_len == strlen(AT "dax12.1"));
	check(with(AT "pfn12.1", parse_nd_path(buf, len, &p)) == -ENOENT);
	check(with(AT "pfn12.1/block", parse_nd_path(buf, len, &p)) == -ENOENT);
	check(with(AT "pfn12/block/pmem12",
		   parse_nd_path(buf, len, &p)) == -ENOENT);
	check(with(AT "dax12.1/dax12.1/mapping0",
		   parse_nd_path(buf, len, &p)) == -ENOENT);
	check(with(AT "pfn12.1/block/pmem12/pmem12p1/holders",
		   parse_nd_path(buf, len, &p)) == -ENOENT);
	check(with("/sys/devices/virtual/block/dm-0",
		   parse_nd_path(buf, len, &p)) == -ENOENT);
	check(with("", parse_nd_path(buf, len, &p)) == -ENOENT);
#undef AT
}

static void test_cpuinfo(void)
{
	struct cpu cpu;

	parse_cpuinfo("", 0, &cpu);
	check(!cpu.zen && !cpu.hypervisor && cpu.address_bits == 64);
	with("Features\t: fp la57\n", (parse_cpuinfo(buf, len, &cpu), 0));
	check(cpu.address_bits == 64);
	with("processor\t: 0\nflags\t\t: fpu la57 ibs\n",
	     (parse_cpuinfo(buf, len, &cpu), 0));
	check(cpu.address_bits == 52);
	with("flags\t\t: fpu la57x", (parse_cpuinfo(buf, len, &cpu), 0));
	check(cpu.address_bits == 46);
	with("vendor_id\t: AuthenticAMD\ncpu family\t: 23\nflags\t\t: a hypervisor\n",
	     (parse_cpuinfo(buf, len, &cpu), 0));
	check(cpu.zen && cpu.hypervisor);
	with("vendor_id\t: AuthenticAMD\ncpu family\t: 22\nflags\t\t: hypervisor2\n",
	     (parse_cpuinfo(buf, len, &cpu), 0));
	check(!cpu.zen && !cpu.hypervisor);
	with("vendor_id\t: GenuineIntel\ncpu family\t: 25\n",
	     (parse_cpuinfo(buf, len, &cpu), 0));
	check(!cpu.zen);
}

#define UC	"reg00: base=0x0c0000000 ( 3072MB), size= 1024MB, count=1: uncachable\n"
#define WB	"reg01: base=0x000000000 (    0MB), size= 4096MB, count=1: write-back\n"

static int mtrr_is(const char *text, uint64_t start, uint64_t last,
		   const char *want)
{
	struct memtype *list;
	const char *type = NULL;
	int n = with(text, parse_mtrrs(buf, len, &list));
	int rc = mtrrs_type(list, n, start, last, &type);
	int good = want ? !rc && !strcmp(type, want) : rc == -ENXIO;

	free(list);
	return good;
}

static void test_mtrrs(void)
{
	struct memtype *list;

	check(with(UC WB, parse_mtrrs(buf, len, &list)) == 2);
	check(list[0].start == 0xc0000000 && list[0].end == 0x100000000);
	free(list);
	check(mtrr_is(UC WB, 0xd0000000, 0xdfffffff, "uncached"));
	check(mtrr_is(WB UC, 0xd0000000, 0xdfffffff, "uncached"));
	check(mtrr_is(WB, 0xd0000000, 0xdfffffff, "write-back"));
	check(mtrr_is(UC, 0xd0000000, 0x10fffffff, "mixed"));
	check(mtrr_is(UC, 0x100000000, 0x10fffffff, NULL));
	check(mtrr_is("", 0, 1, NULL));
	/* two MTRRs that touch */
	check(mtrr_is(UC "reg01: base=0x100000000 ( 4096MB), size= 1024MB, count=1: uncachable\n",
		      0xf0000000, 0x10fffffff, "uncached"));
	check(mtrr_is("reg00: base=0x000001000 (    0MB), size=    4KB, count=1: write-through\n"
		      "reg01: base=0x000001000 (    0MB), size=    4KB, count=1: write-combining\n",
		      0x1000, 0x1fff, "write-through"));
	check(mtrr_is("reg00: base=0x000001000 (    0MB), size=    4KB, count=1: write-combining\n"
		      "reg01: base=0x000001000 (    0MB), size=    4KB, count=1: write-back\n",
		      0x1000, 0x1fff, "mixed"));
	check(mtrr_is("reg00: base=0x000001000 (    0MB), size=    4KB, count=1: write-back",
		      0x2000, 0x2fff, NULL));
	check(with("reg00: base=0xfffffffffffff000 (1MB), size= 1MB, count=1: write-back",
		   parse_mtrrs(buf, len, &list)) == 0);
	check(with("reg00: base=0x0 (0MB), size= 0MB, count=1: write-back",
		   parse_mtrrs(buf, len, &list)) == 0);
	check(with("reg00: base=0x0 (0MB), size= 1MB, count=1: strange",
		   parse_mtrrs(buf, len, &list)) == 0);
}

static void test_kconfig(void)
{
	const char *text = "# CONFIG_A is not set\nCONFIG_B=y\nCONFIG_BC=m\n"
		"CONFIG_D=\"y\"\nCONFIG_E=yes";

	check(with(text, parse_kconfig(buf, len, "A")) == 'n');
	check(with(text, parse_kconfig(buf, len, "B")) == 'y');
	check(with(text, parse_kconfig(buf, len, "BC")) == 'm');
	check(with(text, parse_kconfig(buf, len, "D")) == 'n');
	check(with(text, parse_kconfig(buf, len, "E")) == 'n');
	check(with(text, is_kconfig(buf, len)));
	check(!with("# CONFIG_A", is_kconfig(buf, len)));
}

static void test_lockdown(void)
{
	const char *level = NULL;

	check(!with("none [integrity] confidentiality",
		    parse_lockdown(buf, len, &level)) &&
	      !strcmp(level, "integrity"));
	check(with("none integrity", parse_lockdown(buf, len, &level)) == -EINVAL);
	check(with("[", parse_lockdown(buf, len, &level)) == -EINVAL);
	check(with("[integrityx]", parse_lockdown(buf, len, &level)) == -EINVAL);
	check(with("[strict]", parse_lockdown(buf, len, &level)) == -EINVAL);
}

static void test_iommu(void)
{
	const char *type = NULL;

	check(!with("DMA-FQ\n", parse_iommu_type(buf, len, &type)) &&
	      !strcmp(type, "DMA-FQ"));
	check(!with("DMA", parse_iommu_type(buf, len, &type)) &&
	      !strcmp(type, "DMA"));
	check(with("DMAX", parse_iommu_type(buf, len, &type)) == -EINVAL);
	check(with("", parse_iommu_type(buf, len, &type)) == -EINVAL);
}

static void test_proc(void)
{
	unsigned int major, minor;
	struct text message = {};

	check(!with("259:3", parse_dev(buf, len, &major, &minor)) &&
	      major == 259 && minor == 3);
	check(with("259:", parse_dev(buf, len, &major, &minor)) == -EINVAL);
	check(with("259:3 ", parse_dev(buf, len, &major, &minor)) == -EINVAL);
	check(with("4294967296:0", parse_dev(buf, len, &major, &minor)) == -EINVAL);

	check(!with("3,77,123,-;iopmem 0000:01:00.0: no BAR\n SUBSYSTEM=pci",
		    parse_kmsg(buf, len, &message)));
	check(message.end - message.at == 27);
	check(with("3,77,123,-", parse_kmsg(buf, len, &message)) == -EINVAL);
	check(with("3,77,123,-;", parse_kmsg(buf, len, &message)) == -EINVAL);
}

int main(void)
{
	test_address();
	test_order();
	test_short_address();
	test_place();
	test_resource();
	test_link();
	test_memtypes();
	test_bars();
	test_fiemap();
	test_pagemap();
	test_nd_path();
	test_cpuinfo();
	test_mtrrs();
	test_kconfig();
	test_lockdown();
	test_iommu();
	test_proc();
	printf("%d failed\n", failures);
	return failures != 0;
}
