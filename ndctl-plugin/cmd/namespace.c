// SPDX-License-Identifier: GPL-2.0-only
/* A namespace, with the fields that ndctl list prints */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <daxctl/libdaxctl.h>
#include <json-c/json.h>
#include <ndctl/libndctl.h>
#include <uuid/uuid.h>

#include "cmd.h"

const char *namespace_mode(struct ndctl_namespace *ndns)
{
	switch (ndctl_namespace_get_mode(ndns)) {
	case NDCTL_NS_MODE_FSDAX:
		return "fsdax";
	case NDCTL_NS_MODE_SECTOR:
		return "sector";
	case NDCTL_NS_MODE_DEVDAX:
		return "devdax";
	case NDCTL_NS_MODE_RAW:
		return "raw";
	default:
		return "unknown";
	}
}

/* In each region libnvdimm keeps an empty namespace, the seed. */
bool namespace_is_used(struct ndctl_namespace *ndns)
{
	return ndctl_namespace_get_size(ndns) != 0;
}

static const char *chardev(struct ndctl_dax *dax)
{
	struct daxctl_region *region = ndctl_dax_get_daxctl_region(dax);
	struct daxctl_dev *dev;

	if (!region)
		return NULL;
	daxctl_dev_foreach(region, dev)
		return daxctl_dev_get_devname(dev);
	return NULL;
}

static const char *map_name(enum ndctl_pfn_loc location)
{
	switch (location) {
	case NDCTL_PFN_LOC_PMEM:
		return "dev";
	case NDCTL_PFN_LOC_RAM:
		return "mem";
	default:
		return "none";
	}
}

static void add_uuid(struct json_object *to, const char *key, uuid_t uuid)
{
	char text[40];

	if (uuid_is_null(uuid))
		return;
	uuid_unparse(uuid, text);
	json_add_string(to, key, text);
}

static unsigned int sector_size(struct ndctl_namespace *ndns)
{
	unsigned int size = ndctl_namespace_get_sector_size(ndns);

	/* the kernel uses 512 for a namespace without a sector size */
	return size && size != UINT_MAX ? size : 512;
}

/*
 * The fields and their order are those of ndctl. "resource" is added, which
 * ndctl does not print.
 */
struct json_object *namespace_to_json(struct ndctl_namespace *ndns,
				      unsigned int flags)
{
	struct json_object *j = json_object_new_object();
	struct ndctl_btt *btt = ndctl_namespace_get_btt(ndns);
	struct ndctl_pfn *pfn = ndctl_namespace_get_pfn(ndns);
	struct ndctl_dax *dax = ndctl_namespace_get_dax(ndns);
	unsigned long long size = ndctl_namespace_get_size(ndns);
	unsigned long long resource = ndctl_namespace_get_resource(ndns);
	unsigned int sector = sector_size(ndns);
	const char *map = NULL, *block = NULL, *name;
	bool verbose = flags & JSON_VERBOSE;
	unsigned long align = 0;
	uuid_t uuid, raw_uuid;

	ndctl_namespace_get_uuid(ndns, raw_uuid);
	uuid_copy(uuid, raw_uuid);
	if (dax) {
		map = map_name(ndctl_dax_get_location(dax));
		size = ndctl_dax_get_size(dax);
		align = ndctl_dax_get_align(dax);
		ndctl_dax_get_uuid(dax, uuid);
		sector = 0;
	} else if (pfn) {
		map = map_name(ndctl_pfn_get_location(pfn));
		size = ndctl_pfn_get_size(pfn);
		align = ndctl_pfn_get_align(pfn);
		ndctl_pfn_get_uuid(pfn, uuid);
		block = ndctl_pfn_get_block_device(pfn);
	} else if (btt) {
		size = ndctl_btt_get_size(btt);
		sector = ndctl_btt_get_sector_size(btt);
		ndctl_btt_get_uuid(btt, uuid);
		block = ndctl_btt_get_block_device(btt);
	} else {
		if (ndctl_namespace_get_mode(ndns) == NDCTL_NS_MODE_FSDAX)
			map = "mem";
		block = ndctl_namespace_get_block_device(ndns);
	}

	json_add_string(j, "dev", ndctl_namespace_get_devname(ndns));
	json_add_string(j, "mode", namespace_mode(ndns));
	if (map)
		json_add_string(j, "map", map);
	if (size != ULLONG_MAX)
		json_add_size(j, "size", size, flags);
	add_uuid(j, "uuid", uuid);
	if (verbose && (btt || pfn || dax))
		add_uuid(j, "raw_uuid", raw_uuid);
	if (verbose && resource != ULLONG_MAX)
		json_add_hex(j, "resource", resource, flags);
	if (dax && chardev(dax))
		json_add_string(j, "chardev", chardev(dax));
	if (sector && sector != UINT_MAX)
		json_add_int(j, "sector_size", sector);
	if (align && align != ULONG_MAX)
		json_add_int(j, "align", align);
	if (block && block[0])
		json_add_string(j, "blockdev", block);
	if (!ndctl_namespace_is_active(ndns))
		json_add_string(j, "state", "disabled");
	name = ndctl_namespace_get_alt_name(ndns);
	if (name && name[0])
		json_add_string(j, "name", name);
	if (verbose && ndctl_namespace_get_numa_node(ndns) >= 0)
		json_add_int(j, "numa_node", ndctl_namespace_get_numa_node(ndns));
	return j;
}

int namespace_compare(const void *a, const void *b)
{
	struct json_object *const *x = a, *const *y = b;

	return strverscmp(json_object_get_string(json_object_object_get(*x, "dev")),
			  json_object_get_string(json_object_object_get(*y, "dev")));
}
