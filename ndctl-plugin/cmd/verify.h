/* SPDX-License-Identifier: GPL-2.0-only */
/* What verify.c finds out and verify-print.c prints */
#ifndef _VERIFY_H_
#define _VERIFY_H_

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "cmd.h"

#define NUM_SIZES	4
#define SHOWN		16	/* bytes of wrong data that are printed */

enum direction {
	TO_CARD,
	TO_DRIVE,
	NUM_WAYS
};

/* From good to bad: the last one counts most. */
enum result {
	NOT_CHECKED,
	PASSED,
	REFUSED,
	DIFFERS,
	DROPPED,
};

struct range {
	uint64_t offset;
	uint64_t length;
};

/**
 * struct test - the transfers of one way and size
 * @passes: how many transfers were made
 * @nanoseconds: how long they took together
 * @error: the errno with which the kernel refused
 * @wrong: the number of wrong bytes; the first is at @target_offset and
 *	@drive_offset
 * @shown: the number of bytes in @expected and @found
 */
struct test {
	enum result result;
	uint64_t size;
	unsigned int passes;
	uint64_t nanoseconds;
	int error;
	uint64_t wrong;
	uint64_t target_offset;
	uint64_t drive_offset;
	unsigned int shown;
	unsigned char expected[SHOWN];
	unsigned char found[SHOWN];
};

/**
 * struct verify - one run
 * @path: the path of the target, or of the file that was made there
 * @scratch: the descriptor of the file that was made, or -1
 * @range: the part of the target to use
 * @write: the part of the drive to write to; its length is 0 if there is none
 * @unit: offsets and sizes are multiples of it
 * @expected: the data that a transfer should bring
 * @found: the data that it has brought
 * @is_saved: @saved_target and @saved_drive have what was in both parts
 * @is_gone: the target's memory has gone
 */
struct verify {
	struct iopmem_ctx *ctx;
	struct drive drive;
	const char *target;
	char path[PATH_MAX];
	int scratch;
	struct range range;
	struct range write;
	bool force;
	unsigned int repeat;
	bool progress;
	uint64_t unit;
	struct iopmem_map *map;
	char *card;
	char *buffers;
	char *expected;
	char *found;
	char *readback;
	char *saved_target;
	char *saved_drive;
	bool is_saved;
	bool is_gone;
	struct test tests[NUM_WAYS][NUM_SIZES];
};

extern const uint64_t verify_sizes[NUM_SIZES];

/* verify-print.c */
extern const char *const verify_ways[NUM_WAYS];

enum result verify_worst(const struct verify *v);
/* The address of the target's function */
const char *verify_target_address(const struct verify *v);
void verify_print_json(const struct verify *v);
void verify_print_for_people(const struct verify *v);

#endif /* _VERIFY_H_ */
