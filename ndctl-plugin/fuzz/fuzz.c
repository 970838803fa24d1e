// SPDX-License-Identifier: GPL-2.0-only
/* libFuzzer's entry. It runs the parser of FUZZ_NAME and checks its results. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"

static void must(bool good)
{
	if (!good)
		abort();
}

#if defined(FUZZ_address)
static void fuzz(const char *buf, size_t len)
{
	struct address a, b;

	if (!parse_address(buf, len, &a)) {
		must(a.dev < 32 && a.fn < 8);
		must(!parse_short_address(buf, len, &b) &&
		     !address_compare(&a, &b));
	}
	parse_short_address(buf, len, &b);
}
#elif defined(FUZZ_place)
static void fuzz(const char *buf, size_t len)
{
	struct place p;

	if (!parse_place(buf, len, &p) && p.host_bridge)
		must(p.host_bridge >= buf &&
		     p.host_bridge + p.host_bridge_len <= buf + len);
}
#elif defined(FUZZ_resource)
static void fuzz(const char *buf, size_t len)
{
	struct resource res[NUM_BARS];
	int i;

	if (!parse_resource(buf, len, res))
		for (i = 0; i < NUM_BARS; i++)
			must(res[i].start <= res[i].end);
}
#elif defined(FUZZ_link)
static void fuzz(const char *buf, size_t len)
{
	unsigned int speed;

	if (!parse_link_speed(buf, len, &speed))
		must(speed <= 10009);
}
#elif defined(FUZZ_memtype)
static void fuzz(const char *buf, size_t len)
{
	struct memtype *list;
	int i, n = parse_memtypes(buf, len, &list);

	for (i = 0; i < n; i++)
		must(list[i].start < list[i].end && list[i].type &&
		     (!i || list[i - 1].start <= list[i].start));
	free(list);
}
#elif defined(FUZZ_bars)
static void fuzz(const char *buf, size_t len)
{
	unsigned int mask;

	if (!parse_bars(buf, len, &mask))
		must(mask < 1u << NUM_BARS);
}
#elif defined(FUZZ_fiemap)
static void fuzz(const char *buf, size_t len)
{
	struct pieces p = { .at = 0 };
	const char *why;
	uint64_t at;
	size_t i;
	int rc;

	/* the input is the range to look for, then what the kernel returns */
	if (len < 2 * sizeof(at))
		return;
	memcpy(&p.at, buf, sizeof(p.at));
	memcpy(&p.end, buf + sizeof(at), sizeof(p.end));
	if (p.at >= p.end)
		return;
	at = p.at;
	rc = parse_fiemap(buf + 2 * sizeof(at), len - 2 * sizeof(at), &p, &why);
	must((rc == -EOPNOTSUPP) == !!why);
	must(rc || p.n);
	for (i = 0; i < p.n; i++) {
		must(p.list[i].logical == at && p.list[i].length);
		must(p.list[i].physical <= UINT64_MAX - p.list[i].length);
		must(!i || p.list[i].physical !=
		     p.list[i - 1].physical + p.list[i - 1].length);
		at += p.list[i].length;
	}
	must(p.at == at && at <= p.end);
	free(p.list);
}
#elif defined(FUZZ_pagemap)
static void fuzz(const char *buf, size_t len)
{
	uint64_t address;
	size_t i;

	for (i = 0; i <= len / 8; i++)
		if (!parse_pagemap(buf, len, i, 4096, &address))
			must(i < len / 8 && address && !(address % 4096));
}
#elif defined(FUZZ_ndpath)
static void fuzz(const char *buf, size_t len)
{
	struct nd_path p;

	if (!parse_nd_path(buf, len, &p))
		must(p.region > buf && p.region_len > strlen("region") &&
		     !memcmp(p.region, "region", strlen("region")) &&
		     p.region + p.region_len < buf + p.device_len &&
		     p.device_len < len);
}
#elif defined(FUZZ_cpuinfo)
static void fuzz(const char *buf, size_t len)
{
	struct cpu cpu;

	parse_cpuinfo(buf, len, &cpu);
	must(cpu.address_bits == 46 || cpu.address_bits == 52 ||
	     cpu.address_bits == 64);
}
#elif defined(FUZZ_mtrr)
static void fuzz(const char *buf, size_t len)
{
	struct memtype *list;
	const char *type;
	int i, n = parse_mtrrs(buf, len, &list);

	must(n >= 0);
	for (i = 0; i < n; i++) {
		must(list[i].start < list[i].end && list[i].type);
		must(!mtrrs_type(list, n, list[i].start, list[i].end - 1, &type) &&
		     type);
	}
	free(list);
}
#elif defined(FUZZ_kconfig)
static void fuzz(const char *buf, size_t len)
{
	char value = parse_kconfig(buf, len, "FS_DAX");

	must(value == 'y' || value == 'm' || value == 'n');
	must(value == 'n' || is_kconfig(buf, len));
}
#elif defined(FUZZ_lockdown)
static void fuzz(const char *buf, size_t len)
{
	const char *level = NULL;

	must(parse_lockdown(buf, len, &level) || level);
}
#elif defined(FUZZ_iommu)
static void fuzz(const char *buf, size_t len)
{
	const char *type = NULL;

	must(parse_iommu_type(buf, len, &type) || type);
}
#elif defined(FUZZ_proc)
static void fuzz(const char *buf, size_t len)
{
	unsigned int major, minor;
	struct text message;

	parse_dev(buf, len, &major, &minor);
	if (!parse_kmsg(buf, len, &message))
		must(message.at > buf && message.at <= message.end &&
		     message.end <= buf + len);
}
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz((const char *)data, size);
	return 0;
}
