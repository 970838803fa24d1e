// SPDX-License-Identifier: GPL-2.0-only
/* What the parsers take and refuse */
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

/* A copy on the heap without a NUL, so that reading too far is found. */
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

static void test_spec(void)
{
	struct spec s;

	check(!with("01:00.0", parse_spec(buf, len, &s)) && !s.by_id);
	check(s.address.domain == 0 && s.address.bus == 1);
	check(!with("1AF4:1110", parse_spec(buf, len, &s)) && s.by_id);
	check(s.vendor == 0x1af4 && s.device == 0x1110);
	check(!with("/sys/bus/pci/devices/0000:02:00.1//",
		    parse_spec(buf, len, &s)) && !s.by_id);
	check(s.address.bus == 2 && s.address.fn == 1);
	check(with("/sys", parse_spec(buf, len, &s)) == -EINVAL);
	check(with("/", parse_spec(buf, len, &s)) == -EINVAL);
	check(with("", parse_spec(buf, len, &s)) == -EINVAL);
	check(with("1af4:111", parse_spec(buf, len, &s)) == -EINVAL);
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

static void test_config(void)
{
	uint8_t c[CONFIG_SIZE] = { [6] = 0x10, [4] = 0x06, [0x34] = 0x40,
		[0x40] = 0x05, [0x41] = 0x60, [0x60] = 0x10,
		[0x100] = 0x03, [0x102] = 0x01, [0x103] = 0x20,
		[0x200] = 0x0d, [0x202] = 0x01 };
	uint64_t address;

	check(config_bus_master(c, 64));
	check(!config_bus_master(c, 0));
	check(config_find_capability(c, 256, 0x10) == 0x60);
	check(config_find_capability(c, 256, 0x11) == -ENOENT);
	check(config_find_capability(c, 64, 0x10) == -EACCES);
	check(config_find_capability(c, 10, 0x10) == -EBADMSG);
	c[0x61] = 0x40;
	check(config_find_capability(c, 256, 0x11) == -EBADMSG);
	c[0x61] = 0x08;
	check(config_find_capability(c, 256, 0x11) == -EBADMSG);
	c[6] = 0;
	check(config_find_capability(c, 256, 0x10) == -ENOENT);

	check(config_find_ext_capability(c, sizeof(c), 0x0d) == 0x200);
	check(config_find_ext_capability(c, sizeof(c), 0x0e) == -ENOENT);
	check(config_find_ext_capability(c, 256, 0x0d) == -ENOENT);
	check(config_find_ext_capability(c, 64, 0x0d) == -EACCES);
	c[0x202] = 0x01;
	c[0x203] = 0x10;
	check(config_find_ext_capability(c, sizeof(c), 0x0e) == -EBADMSG);

	c[0x10] = 0x0c;
	c[0x14] = 0x38;
	check(!config_bar_address(c, 64, 0, &address) &&
	      address == 0x3800000000);
	c[0x18] = 0x01;
	c[0x19] = 0xc0;
	check(!config_bar_address(c, 64, 2, &address) && address == 0xc000);
	check(config_bar_address(c, 64, 3, &address) == -ENOENT);
	check(config_bar_address(c, 64, 6, &address) == -EINVAL);
	c[0x24] = 0x04;
	check(config_bar_address(c, 64, 5, &address) == -EINVAL);
	c[0x0e] = 1;
	check(config_bar_address(c, 64, 2, &address) == -EINVAL);
	check(config_bar_address(c, 63, 0, &address) == -EINVAL);
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

static void test_cpuinfo(void)
{
	unsigned int bits;

	check(!with("processor\t: 0\nflags\t\t: fpu la57 ibs\n",
		    parse_cpuinfo(buf, len, &bits)) && bits == 52);
	check(!with("flags\t\t: fpu la57x",
		    parse_cpuinfo(buf, len, &bits)) && bits == 46);
	check(with("Features\t: fp asimd\n",
		   parse_cpuinfo(buf, len, &bits)) == -ENOENT);
}

static void test_proc(void)
{
	unsigned int major, minor;
	struct text message = {};
	char path[PATH_MAX];
	struct mount m;

	check(!with("259:3", parse_dev(buf, len, &major, &minor)) &&
	      major == 259 && minor == 3);
	check(with("259:", parse_dev(buf, len, &major, &minor)) == -EINVAL);
	check(with("259:3 ", parse_dev(buf, len, &major, &minor)) == -EINVAL);
	check(with("4294967296:0", parse_dev(buf, len, &major, &minor)) == -EINVAL);

	check(!with("36 35 98:7 /sub\\040dir /mnt/a\\040b\\134 rw master:1 - ext3 /dev/root rw",
		    parse_mount(buf, len, &m)));
	check(m.major == 98 && m.minor == 7 && !strcmp(m.path, "/mnt/a b\\"));
	check(!with("1 1 0:1 / /", parse_mount(buf, len, &m)) &&
	      !strcmp(m.path, "/"));
	check(with("36 35 98:7 /", parse_mount(buf, len, &m)) == -EINVAL);
	check(with("36 35 98:7 / mnt rw", parse_mount(buf, len, &m)) == -EINVAL);
	check(with("36 35 98:7 / /mnt\\000a", parse_mount(buf, len, &m)) == -EINVAL);
	check(with("36 35 98:7 / /mnt\\08a rw", parse_mount(buf, len, &m)) == -EINVAL);
	check(with("", parse_mount(buf, len, &m)) == -EINVAL);

	check(!with("/dev/pmem0s\t\tpartition\t65532\t0\t-2",
		    parse_swap(buf, len, path)) && !strcmp(path, "/dev/pmem0s"));
	check(with("Filename\t\t\t\tType", parse_swap(buf, len, path)) == -EINVAL);

	check(!with("3,77,123,-;iopmem 0000:01:00.0: no BAR\n SUBSYSTEM=pci",
		    parse_kmsg(buf, len, &message)));
	check(message.end - message.at == 27);
	check(with("3,77,123,-", parse_kmsg(buf, len, &message)) == -EINVAL);
	check(with("3,77,123,-;", parse_kmsg(buf, len, &message)) == -EINVAL);
}

int main(void)
{
	test_address();
	test_spec();
	test_place();
	test_resource();
	test_config();
	test_link();
	test_memtypes();
	test_bars();
	test_cpuinfo();
	test_proc();
	printf("%d failed\n", failures);
	return failures != 0;
}
