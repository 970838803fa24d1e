// SPDX-License-Identifier: GPL-2.0-only
/* ndctl-iopmem verify: print the results */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "verify.h"

const char *const verify_ways[NUM_WAYS] = { "drive to card", "card to drive" };

static const char *const result_names[] = {
	"not checked", "passed", "refused", "differs", "dropped"
};

static enum result way_result(const struct verify *v, enum direction way)
{
	enum result worst = NOT_CHECKED;
	size_t i;

	for (i = 0; i < NUM_SIZES; i++)
		if (v->tests[way][i].result > worst)
			worst = v->tests[way][i].result;
	return worst;
}

enum result verify_worst(const struct verify *v)
{
	enum result a = way_result(v, TO_CARD), b = way_result(v, TO_DRIVE);

	return a > b ? a : b;
}

static struct iopmem_bar *target_bar(const struct verify *v)
{
	return iopmem_extent_get_bar(iopmem_extent_get_first(v->map));
}

const char *verify_target_address(const struct verify *v)
{
	return iopmem_function_get_address(iopmem_bar_get_function(target_bar(v)));
}

static double speed(const struct test *test)
{
	/* do not divide by 0, whatever the clock's resolution is */
	return test->size * (double)test->passes / (1 << 20) /
		((test->nanoseconds + 1) / 1e9);
}

static void hex(char *buf, const unsigned char *bytes, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		sprintf(buf + 2 * i, "%02x", bytes[i]);
}

static struct json_object *test_to_json(const struct test *test, uint64_t size)
{
	struct json_object *j = json_object_new_object();
	char text[2 * SHOWN + 1];

	json_add_int(j, "size", size);
	json_add_int(j, "passes", test->passes);
	json_add_string(j, "result", result_names[test->result]);
	if (test->result == NOT_CHECKED)
		return j;
	if (test->result == PASSED) {
		snprintf(text, sizeof(text), "%.1f", speed(test));
		json_object_object_add(j, "mib_per_second",
				       json_object_new_double_s(speed(test), text));
		return j;
	}
	json_add_int(j, "target_offset", test->target_offset);
	json_add_int(j, "drive_offset", test->drive_offset);
	if (test->result == REFUSED) {
		json_add_string(j, "error", strerror(test->error));
		return j;
	}
	json_add_int(j, "wrong_bytes", test->wrong);
	hex(text, test->expected, test->shown);
	json_add_string(j, "expected", text);
	hex(text, test->found, test->shown);
	json_add_string(j, "found", text);
	return j;
}

static struct json_object *way_to_json(const struct verify *v, enum direction way)
{
	struct json_object *j = json_object_new_object();
	struct json_object *tests = json_object_new_array();
	size_t i;

	json_add_string(j, "way", verify_ways[way]);
	json_add_string(j, "result", result_names[way_result(v, way)]);
	for (i = 0; i < NUM_SIZES && way_result(v, way) != NOT_CHECKED; i++)
		json_object_array_add(tests, test_to_json(&v->tests[way][i],
							  verify_sizes[i]));
	json_object_object_add(j, "tests", tests);
	return j;
}

void verify_print_json(const struct verify *v)
{
	struct json_object *array = json_object_new_array();
	struct json_object *j = json_object_new_object();
	struct json_object *ways = json_object_new_array();
	enum direction way;

	json_add_string(j, "initiator", v->drive.name);
	json_add_string(j, "initiator_function",
			iopmem_function_get_address(v->drive.function));
	json_add_string(j, "initiator_driver",
			iopmem_function_get_driver(v->drive.function));
	json_add_string(j, "target", v->target);
	json_add_string(j, "device", iopmem_map_get_device(v->map));
	json_add_string(j, "function", verify_target_address(v));
	json_add_int(j, "bar", iopmem_bar_get_index(target_bar(v)));
	json_add_string(j, "result", result_names[verify_worst(v)]);
	for (way = 0; way < NUM_WAYS; way++)
		json_object_array_add(ways, way_to_json(v, way));
	json_object_object_add(j, "ways", ways);
	json_object_array_add(array, j);
	json_print(array, 0);
}

static void print_test(enum direction way, const struct test *test,
		       uint64_t bytes, unsigned int repeat)
{
	char size[32], expected[2 * SHOWN + 1], found[2 * SHOWN + 1];

	size_for_people(size, sizeof(size), bytes);
	printf("  %s %10s  %-7s", verify_ways[way], size, result_names[test->result]);
	switch (test->result) {
	case NOT_CHECKED:
		puts(", it does not fit");
		break;
	case PASSED:
		printf("  %u of %u, %.1f MiB/s\n", test->passes, repeat,
		       speed(test));
		break;
	case REFUSED:
		printf("  %s, at offset %" PRIu64 " of the target and %" PRIu64
		       " of the drive\n",
		       strerror(test->error), test->target_offset,
		       test->drive_offset);
		break;
	default:
		hex(expected, test->expected, test->shown);
		hex(found, test->found, test->shown);
		printf("  wrong bytes: %" PRIu64 ", the first at offset %" PRIu64
		       " of the target and %" PRIu64 " of the drive\n"
		       "    expected %s ...\n"
		       "    found    %s ...\n",
		       test->wrong, test->target_offset, test->drive_offset,
		       expected, found);
		break;
	}
}

void verify_print_for_people(const struct verify *v)
{
	const char *driver = iopmem_function_get_driver(v->drive.function);
	enum direction way;
	size_t i;

	put_text(stdout, "%s (%s, %s) and %s (%s, %s BAR %u): %s", v->drive.name,
		 iopmem_function_get_address(v->drive.function),
		 driver ? driver : "no driver", v->target,
		 iopmem_map_get_device(v->map), verify_target_address(v),
		 iopmem_bar_get_index(target_bar(v)),
		 result_names[verify_worst(v)]);
	putchar('\n');
	for (way = 0; way < NUM_WAYS; way++) {
		if (way_result(v, way) == NOT_CHECKED) {
			printf("  %s not checked, give --write for it\n",
			       verify_ways[way]);
			continue;
		}
		for (i = 0; i < NUM_SIZES; i++)
			print_test(way, &v->tests[way][i], verify_sizes[i],
				   v->repeat);
	}
}
