// SPDX-License-Identifier: GPL-2.0-only
/* ndctl-iopmem extents */
#include <json-c/json.h>

#include "cmd.h"

static const char usage[] =
"usage: ndctl-iopmem extents [<options>] <file>\n"
"\n"
"  <file>: a file on an fsdax namespace, or /dev/daxX.Y\n"
"\n"
"    -o, --offset <bytes>  where to begin, with K, M, G or T as unit\n"
"    -l, --length <bytes>  how much of the file (default: all that follows)\n"
"    -u, --human           use human friendly number formats\n";

static void add_extent(struct json_object *to, struct iopmem_extent *extent,
		       unsigned int flags)
{
	struct iopmem_bar *bar = iopmem_extent_get_bar(extent);
	struct json_object *j = json_object_new_object();

	json_add_hex(j, "offset", iopmem_extent_get_offset(extent), flags);
	json_add_size(j, "length", iopmem_extent_get_length(extent), flags);
	json_add_hex(j, "resource", iopmem_extent_get_resource(extent), flags);
	json_add_hex(j, "bus_address", iopmem_extent_get_bus_address(extent),
		     flags);
	json_add_string(j, "function",
			iopmem_function_get_address(iopmem_bar_get_function(bar)));
	json_add_int(j, "bar", iopmem_bar_get_index(bar));
	json_add_hex(j, "bar_offset", iopmem_extent_get_bar_offset(extent),
		     flags);
	json_object_array_add(to, j);
}

static struct json_object *map_to_json(const char *file,
				       struct iopmem_map *map,
				       unsigned int flags)
{
	struct json_object *extents = json_object_new_array();
	struct json_object *j = json_object_new_object();
	bool devdax = iopmem_map_is_devdax(map);
	struct iopmem_extent *extent;

	json_add_string(j, "file", file);
	json_add_string(j, "mode", devdax ? "devdax" : "fsdax");
	json_add_string(j, "device", iopmem_map_get_device(map));
	json_add_size(j, "size", iopmem_map_get_length(map), flags);
	json_add_string(j, "valid_while", devdax ? "the namespace is there" :
			"nobody truncates, punches, clones, defragments or removes the file");
	iopmem_extent_foreach(map, extent)
		add_extent(extents, extent, flags);
	json_object_object_add(j, "extents", extents);
	return j;
}

static int cmd_extents(int argc, char **argv, struct iopmem_ctx *ctx)
{
	static const struct option options[] = {
		{ "offset", required_argument, NULL, 'o' },
		{ "length", required_argument, NULL, 'l' },
		{ "human", no_argument, NULL, 'u' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct json_object *array;
	uint64_t offset = 0, length = 0;
	struct iopmem_map *map;
	unsigned int flags = 0;
	int c, rc = EXIT_OK;

	while ((c = next_option(argc, argv, ":o:l:uh", options, &rc)) != -1) {
		switch (c) {
		case 'o':
			rc = parse_bytes("--offset", optarg, &offset);
			break;
		case 'l':
			rc = parse_bytes("--length", optarg, &length);
			if (!rc && !length)
				rc = print_error(EXIT_USAGE, "--length: 0 bytes have no place");
			break;
		case 'u':
			flags |= JSON_HUMAN;
			break;
		default:
			return rc;
		}
		if (rc)
			return rc;
	}
	if (argc - optind != 1)
		return print_error(EXIT_USAGE,
				   "give one file, or one /dev/daxX.Y, see 'ndctl-iopmem extents --help'");

	if (iopmem_map_new(ctx, argv[optind], offset, length,
			   IOPMEM_MAP_READ_ONLY, &map))
		return print_ctx_error(EXIT_FAILED, ctx);
	array = json_object_new_array();
	json_object_array_add(array, map_to_json(argv[optind], map, flags));
	json_print(array, flags);
	iopmem_map_free(map);
	return EXIT_OK;
}

const struct command command_extents = {
	.name = "extents",
	.summary = "where a file's contents are: what a device needs for DMA",
	.usage = usage,
	.run = cmd_extents,
};
