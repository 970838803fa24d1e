// SPDX-License-Identifier: GPL-2.0-only
/* ndctl-iopmem verify: does DMA between a drive and the card arrive? */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "verify.h"

static const char usage[] =
"usage: ndctl-iopmem verify [<options>] <initiator> <target>\n"
"\n"
"  <initiator>: a drive, /dev/nvme0n1\n"
"  <target>:    a folder on a DAX file system of the card, where a file is made\n"
"               and removed; a file there; or /dev/daxX.Y\n"
"\n"
"        --range <offset>:<length>\n"
"                          the part of a file or of /dev/daxX.Y to use\n"
"    -w, --write <offset>:<length>\n"
"                          try the other way too, into this range of the drive\n"
"    -f, --force           overwrite these ranges, put their data back at the end\n"
"        --repeat <n>      try each size so many times (default: 3)\n"
"    -u, --human           a table for people\n"
"\n"
"A number may end in K, M, G or T.\n";

const uint64_t verify_sizes[NUM_SIZES] = { 4 << 10, 64 << 10, 1 << 20, 16 << 20 };

#define MOST		(16u << 20)	/* the last of verify_sizes */
#define UNIT		4096
#define MAX_REPEAT	1000000
#define ATTEMPTS	10	/* while others write to the drive */

static volatile sig_atomic_t stopped;
static sigjmp_buf bus_error;

static void on_stop(int signal)
{
	(void)signal;
	stopped = 1;
}

static void on_bus_error(int signal)
{
	(void)signal;
	siglongjmp(bus_error, 1);
}

/*
 * Run a step that accesses the mapping. If the target is truncated or unbound
 * meanwhile, the access raises SIGBUS.
 */
static int guard(struct verify *v, int (*step)(struct verify *v))
{
	if (sigsetjmp(bus_error, 1)) {
		v->is_gone = true;
		return print_error(EXIT_FAILED,
				   "%s: its memory has gone meanwhile: was it truncated, or the function unbound?",
				   v->target);
	}
	return step(v);
}

static void catch_signals(void)
{
	/* SIGPIPE too: errors are printed before the data is put back */
	static const int stops[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE };
	struct sigaction stop = {
		.sa_handler = on_stop,
		.sa_flags = SA_RESTART,
	};
	struct sigaction bus = { .sa_handler = on_bus_error };
	struct sigaction old;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(stops); i++) {
		sigaction(stops[i], &stop, &old);
		/* under nohup, SIGHUP stays ignored */
		if (stops[i] == SIGHUP && old.sa_handler == SIG_IGN)
			sigaction(SIGHUP, &old, NULL);
	}
	sigaction(SIGBUS, &bus, NULL);
}

/*
 * Announce each transfer, since a transfer that never ends cannot be
 * interrupted. The next output overwrites the line.
 */
static void progress(struct verify *v, enum direction way, uint64_t size,
		     unsigned int pass)
{
	char text[32];

	if (!v->progress)
		return;
	size_for_people(text, sizeof(text), size);
	fprintf(stderr, "%s: %s, %u of %u ...\033[K\r", verify_ways[way], text,
		pass + 1, v->repeat);
}

static void progress_end(struct verify *v)
{
	if (v->progress)
		fputs("\033[K", stderr);
}

/*
 * Copy words. The C library's functions may copy uncached memory byte by byte.
 */
static void store_words(void *to, const void *from, uint64_t size)
{
	volatile uint64_t *t = to;
	const uint64_t *f = from;
	uint64_t i;

	for (i = 0; i < size / sizeof(*t); i++)
		t[i] = f[i];
}

static void load_words(void *to, const void *from, uint64_t size)
{
	const volatile uint64_t *f = from;
	uint64_t *t = to;
	uint64_t i;

	for (i = 0; i < size / sizeof(*f); i++)
		t[i] = f[i];
}

/* The library's message names v->path. Users know only v->target. */
static int target_error(struct verify *v)
{
	const char *error = iopmem_get_error(v->ctx);
	size_t len = strlen(v->path);

	if (strncmp(error, v->path, len))
		return print_ctx_error(EXIT_FAILED, v->ctx);
	return print_error(EXIT_FAILED, "%s%s", v->target, error + len);
}

static uint64_t first_difference(const char *a, const char *b, uint64_t size)
{
	uint64_t i;

	if (!memcmp(a, b, size))
		return size;
	for (i = 0; a[i] == b[i]; i++)
		;
	return i;
}

/* Write to the card by the CPU, and read it back. */
static int store(struct verify *v, uint64_t at, const char *data, uint64_t size)
{
	uint64_t i;

	store_words(v->card + at, data, size);
	if (iopmem_map_sync(v->map))
		return target_error(v);
	load_words(v->readback, v->card + at, size);
	i = first_difference(v->readback, data, size);
	if (i == size)
		return EXIT_OK;
	return print_error(EXIT_FAILED,
			   "%s: at offset %" PRIu64
			   " it does not keep what the CPU writes (0x%02x, and 0x%02x is read): 'ndctl-iopmem check %s' may tell why",
			   v->target, v->range.offset + at + i,
			   (unsigned char)data[i], (unsigned char)v->readback[i],
			   verify_target_address(v));
}

/* The data that a transfer has to overwrite: every byte of it is different. */
static void complement(char *to, const char *from, uint64_t size)
{
	const uint64_t *f = (const uint64_t *)from;
	uint64_t *t = (uint64_t *)to;
	uint64_t i;

	for (i = 0; i < size / sizeof(*t); i++)
		t[i] = ~f[i];
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* Make the transfer that is tested, of @test->size bytes. */
static void transfer(struct verify *v, enum direction way, struct test *test,
		     uint64_t at, uint64_t drive_at)
{
	uint64_t start = now();
	int rc;

	test->target_offset = v->range.offset + at;
	test->drive_offset = drive_at;
	if (way == TO_CARD)
		rc = drive_read(&v->drive, v->card + at, test->size, drive_at);
	else
		rc = drive_write(&v->drive, v->card + at, test->size, drive_at);
	test->nanoseconds += now() - start;
	test->passes++;
	if (rc) {
		test->result = REFUSED;
		test->error = -rc;
	}
}

/* Compare what has arrived with what should have. */
static void compare(struct verify *v, struct test *test)
{
	uint64_t first = 0, i;
	bool kept = true;

	test->result = PASSED;
	if (!memcmp(v->found, v->expected, test->size))
		return;
	for (i = 0; i < test->size; i++) {
		if (v->found[i] == v->expected[i])
			continue;
		if (!test->wrong++)
			first = i;
		if (v->found[i] != (char)~v->expected[i])
			kept = false;
	}
	test->result = kept ? DROPPED : DIFFERS;
	test->target_offset += first;
	test->drive_offset += first;
	test->shown = test->size - first < SHOWN ? test->size - first : SHOWN;
	memcpy(test->expected, v->expected + first, test->shown);
	memcpy(test->found, v->found + first, test->shown);
}

static int drive_error(struct verify *v, const char *what, uint64_t at, int rc)
{
	return print_error(EXIT_FAILED,
			   "%s: %s fails at offset %" PRIu64 ": %s: is it the drive?",
			   v->drive.name, what, at, strerror(-rc));
}

/*
 * Read the drive's data into RAM first: the drive's DMA to the card has to
 * bring the same. *@same: how many bytes of that the drive still has
 * afterwards.
 */
static int try_to_card(struct verify *v, struct test *test, uint64_t at,
		       uint64_t drive_at, uint64_t *same)
{
	int rc;

	*same = test->size;

	rc = drive_read(&v->drive, v->expected, test->size, drive_at);
	if (rc)
		return drive_error(v, "reading into RAM", drive_at, rc);
	complement(v->found, v->expected, test->size);
	rc = store(v, at, v->found, test->size);
	if (rc)
		return rc;

	transfer(v, TO_CARD, test, at, drive_at);
	if (test->result == REFUSED)
		return EXIT_OK;
	if (iopmem_map_sync(v->map))
		return target_error(v);
	load_words(v->found, v->card + at, test->size);
	compare(v, test);
	if (test->result == PASSED)
		return EXIT_OK;

	rc = drive_read(&v->drive, v->found, test->size, drive_at);
	if (rc)
		return drive_error(v, "reading into RAM", drive_at, rc);
	*same = first_difference(v->found, v->expected, test->size);
	return EXIT_OK;
}

/* Try again if others write to the drive meanwhile: then a test is no proof. */
static int to_card(struct verify *v, struct test *test, uint64_t at,
		   uint64_t drive_at)
{
	const struct test before = *test;
	uint64_t same = 0;
	unsigned int i;
	int rc;

	for (i = 0; i < ATTEMPTS && !stopped; i++) {
		*test = before;
		rc = try_to_card(v, test, at, drive_at, &same);
		if (rc || same == test->size)
			return rc;
	}
	if (stopped)
		return EXIT_OK;
	return print_error(EXIT_FAILED,
			   "%s: its contents change meanwhile, at offset %" PRIu64
			   ": unmount it, or take a drive that is not in use",
			   v->drive.name, drive_at + same);
}

/*
 * The card has the drive's data by DMA, or by the CPU if that has failed. The
 * DMA back has to put it where it was on the drive.
 */
static int to_drive(struct verify *v, struct test *test, uint64_t at,
		    uint64_t drive_at, bool is_on_card)
{
	int rc = EXIT_OK;

	if (!is_on_card)
		rc = store(v, at, v->expected, test->size);
	if (rc)
		return rc;
	complement(v->found, v->expected, test->size);
	rc = drive_write(&v->drive, v->found, test->size, drive_at);
	if (rc)
		return drive_error(v, "writing from RAM", drive_at, rc);

	transfer(v, TO_DRIVE, test, at, drive_at);
	if (test->result == REFUSED)
		return EXIT_OK;
	rc = drive_read(&v->drive, v->found, test->size, drive_at);
	if (rc)
		return drive_error(v, "reading into RAM", drive_at, rc);
	compare(v, test);
	return EXIT_OK;
}

/* Write random data, so that a block from a wrong place is found, too. */
static int new_data(struct verify *v, uint64_t size, uint64_t drive_at)
{
	uint64_t done = 0;
	int rc;

	while (done < size) {
		ssize_t n = getrandom(v->expected + done, size - done, 0);

		if (n < 0 && errno != EINTR)
			return print_error(EXIT_FAILED, "getrandom: %s",
					   strerror(errno));
		if (n > 0)
			done += n;
	}
	rc = drive_write(&v->drive, v->expected, size, drive_at);
	return rc ? drive_error(v, "writing from RAM", drive_at, rc) : EXIT_OK;
}

/* Where a pass is: the passes go from the start of @range to its end. */
static uint64_t place(struct verify *v, const struct range *range,
		      uint64_t size, unsigned int pass)
{
	uint64_t room = (range->length - size) / v->unit;

	if (v->repeat > 1)
		room = room / (v->repeat - 1) * pass +
			room % (v->repeat - 1) * pass / (v->repeat - 1);
	else
		room = 0;
	return range->offset + room * v->unit;
}

static int one_pass(struct verify *v, size_t i, unsigned int pass)
{
	const struct range drive = { 0, v->drive.size };
	const struct range card = { 0, v->range.length };
	bool write = v->write.length >= verify_sizes[i];
	struct test *test = &v->tests[TO_CARD][i];
	uint64_t at = place(v, &card, verify_sizes[i], pass);
	uint64_t drive_at = place(v, write ? &v->write : &drive, verify_sizes[i], pass);
	int rc = EXIT_OK;

	test->size = verify_sizes[i];
	progress(v, TO_CARD, verify_sizes[i], pass);
	if (write)
		rc = new_data(v, verify_sizes[i], drive_at);
	if (!rc)
		rc = to_card(v, test, at, drive_at);
	if (rc || !write || stopped)
		return rc;
	v->tests[TO_DRIVE][i].size = verify_sizes[i];
	progress(v, TO_DRIVE, verify_sizes[i], pass);
	return to_drive(v, &v->tests[TO_DRIVE][i], at, drive_at,
			test->result == PASSED);
}

static bool is_usable(struct verify *v, uint64_t size)
{
	return size >= v->unit && size <= v->range.length &&
		size <= v->drive.size;
}

static int all_passes(struct verify *v)
{
	unsigned int pass;
	size_t i;
	int rc = EXIT_OK;

	for (i = 0; i < NUM_SIZES; i++) {
		for (pass = 0; pass < v->repeat && is_usable(v, verify_sizes[i]); pass++) {
			if (stopped || rc)
				return rc;
			rc = one_pass(v, i, pass);
			/* the first failure is the result of this size */
			if (v->tests[TO_CARD][i].result > PASSED ||
			    v->tests[TO_DRIVE][i].result > PASSED)
				break;
		}
	}
	return rc;
}

static int save(struct verify *v)
{
	int rc = 0;

	if (v->write.length)
		rc = drive_read(&v->drive, v->saved_drive, v->write.length,
				v->write.offset);
	if (rc)
		return drive_error(v, "reading into RAM", v->write.offset, rc);
	if (v->scratch < 0)
		load_words(v->saved_target, v->card, v->range.length);
	v->is_saved = true;
	return EXIT_OK;
}

static int not_put_back(const char *name, const struct range *range,
			const char *why)
{
	return print_error(EXIT_FAILED,
			   "%s: what was in %" PRIu64 " bytes from offset %" PRIu64
			   " on could not be put back: %s",
			   name, range->length, range->offset, why);
}

static int restore_target(struct verify *v)
{
	if (v->scratch >= 0)
		return EXIT_OK;
	if (!v->is_gone && !store(v, 0, v->saved_target, v->range.length))
		return EXIT_OK;
	return not_put_back(v->target, &v->range, "see above");
}

static int restore_drive(struct verify *v)
{
	int rc;

	if (!v->write.length)
		return EXIT_OK;
	rc = drive_write(&v->drive, v->saved_drive, v->write.length,
			 v->write.offset);
	/* without this, the test's data could be back after a loss of power */
	if (!rc && fdatasync(v->drive.fd))
		rc = -errno;
	if (!rc)
		rc = drive_read(&v->drive, v->found, v->write.length,
				v->write.offset);
	if (!rc && memcmp(v->found, v->saved_drive, v->write.length))
		rc = -EIO;
	if (!rc)
		return EXIT_OK;
	return not_put_back(v->drive.name, &v->write, strerror(-rc));
}

/* Print what a bad result means. */
static int verdict(struct verify *v)
{
	static const char *const meanings[] = {
		[NOT_CHECKED] = "nothing was checked",
		[REFUSED] = "the kernel refuses transfers between them",
		[DIFFERS] =
			"transfers between them succeed, and other data arrives: trust no data to them",
		[DROPPED] =
			"transfers between them succeed, and data does not arrive: trust no data to them",
	};
	enum result result = verify_worst(v);

	if (result == PASSED)
		return EXIT_OK;
	return print_error(EXIT_FAILED,
			   "%s, %s: %s. 'ndctl-iopmem path %s %s' shows the way",
			   v->drive.name, v->target, meanings[result],
			   iopmem_function_get_address(v->drive.function),
			   verify_target_address(v));
}

/* Make a file without a name, which goes when its descriptor is closed. */
static int make_scratch(struct verify *v)
{
	size_t i = NUM_SIZES;
	int rc = ENOSPC;

	if (v->range.length)
		return print_error(EXIT_USAGE,
				   "--range: %s is a folder, where a new file is used: give a file, or leave it out",
				   v->target);
	v->scratch = open(v->target, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (v->scratch < 0)
		return print_error(EXIT_FAILED, "%s: no file can be made there: %s",
				   v->target, strerror(errno));
	while (rc == ENOSPC && i > 0) {
		i--;
		v->range.length = verify_sizes[i];
		if (ftruncate(v->scratch, 0))
			rc = errno;
		else
			rc = posix_fallocate(v->scratch, 0, verify_sizes[i]);
	}
	if (rc)
		return print_error(EXIT_FAILED,
				   "%s: no file of %" PRIu64 " bytes can be made there: %s",
				   v->target, v->range.length, strerror(rc));
	snprintf(v->path, sizeof(v->path), "/proc/self/fd/%d", v->scratch);
	return EXIT_OK;
}

/* The target is a file or node: find the part of it to use. */
static int take_given(struct verify *v, const struct statx *st)
{
	if (snprintf(v->path, sizeof(v->path), "%s", v->target) >= PATH_MAX)
		return print_error(EXIT_FAILED, "%s: %s", v->target,
				   strerror(ENAMETOOLONG));
	if (S_ISCHR(st->stx_mode) && !v->range.length)
		return print_error(EXIT_USAGE,
				   "%s: give --range, the part that may be overwritten",
				   v->target);
	if (S_ISREG(st->stx_mode) && !v->range.length)
		v->range.length = st->stx_size / UNIT * UNIT;
	if (S_ISREG(st->stx_mode) && !v->range.length)
		return print_error(EXIT_FAILED,
				   "%s: has %" PRIu64 " bytes, at least %u are needed",
				   v->target, (uint64_t)st->stx_size, UNIT);
	if (v->range.length > MOST)
		v->range.length = MOST;
	return EXIT_OK;
}

static void describe(char *buf, size_t size, const char *name,
		     const struct range *range)
{
	snprintf(buf, size, "%" PRIu64 " bytes of %s from offset %" PRIu64 " on",
		 range->length, name, range->offset);
}

/* Do not overwrite anything that somebody may need without --force. */
static int confirm(struct verify *v)
{
	char target[PATH_MAX + 64] = "", drive[PATH_MAX + 64] = "";

	if (v->force)
		return EXIT_OK;
	if (v->scratch < 0)
		describe(target, sizeof(target), v->target, &v->range);
	if (v->write.length)
		describe(drive, sizeof(drive), v->drive.name, &v->write);
	if (!*target && !*drive)
		return EXIT_OK;
	return print_error(EXIT_USAGE,
			   "%s%s%s would be overwritten, and put back at the end: give --force if nothing else uses that",
			   target, *target && *drive ? ", and " : "", drive);
}

static int find_target(struct verify *v)
{
	struct statx st;

	if (statx(AT_FDCWD, v->target, 0, STATX_BASIC_STATS, &st))
		return print_error(EXIT_FAILED, "%s: %s", v->target,
				   strerror(errno));
	if (S_ISDIR(st.stx_mode))
		return make_scratch(v);
	if (S_ISREG(st.stx_mode) || S_ISCHR(st.stx_mode))
		return take_given(v, &st);
	return print_error(EXIT_FAILED,
			   "%s: is neither a folder, nor a file, nor a device DAX node",
			   v->target);
}

static int map_target(struct verify *v)
{
	if (!iopmem_map_new(v->ctx, v->path, v->range.offset, v->range.length,
			    0, &v->map)) {
		v->card = iopmem_map_get_address(v->map);
		return EXIT_OK;
	}
	return target_error(v);
}

static int check_sizes(struct verify *v)
{
	const struct range *w = &v->write;
	size_t i;

	v->unit = v->drive.block > UNIT ? v->drive.block : UNIT;
	if (w->offset % v->unit || w->length % v->unit)
		return print_error(EXIT_USAGE,
				   "--write: %s has blocks of %" PRIu64 " bytes, give whole ones",
				   v->drive.name, v->unit);
	if (w->length > v->drive.size || w->offset > v->drive.size - w->length)
		return print_error(EXIT_USAGE,
				   "--write: %s has %" PRIu64 " bytes, %" PRIu64
				   " from offset %" PRIu64 " on are more",
				   v->drive.name, v->drive.size, w->length,
				   w->offset);
	for (i = 0; i < NUM_SIZES; i++)
		if (is_usable(v, verify_sizes[i]) &&
		    (!w->length || w->length >= verify_sizes[i]))
			return EXIT_OK;
	return print_error(EXIT_FAILED,
			   "%s, %s: too small: the drive has blocks of %" PRIu64
			   " bytes, and is of %" PRIu64 "; the target has %" PRIu64,
			   v->drive.name, v->target, v->drive.block, v->drive.size,
			   v->range.length);
}

static int make_buffers(struct verify *v)
{
	/* this alignment fits the blocks of any drive */
	v->buffers = aligned_alloc(1 << 16, 5ul * MOST);
	if (!v->buffers)
		return print_error(EXIT_FAILED, "out of memory");
	v->expected = v->buffers;
	v->found = v->expected + MOST;
	v->readback = v->found + MOST;
	v->saved_target = v->readback + MOST;
	v->saved_drive = v->saved_target + MOST;
	return EXIT_OK;
}

static int prepare(struct verify *v)
{
	int rc = find_target(v);

	if (!rc)
		rc = confirm(v);
	if (!rc)
		rc = drive_open(v->ctx, &v->drive, v->write.length);
	if (!rc)
		rc = map_target(v);
	if (!rc)
		rc = check_sizes(v);
	if (!rc)
		rc = make_buffers(v);
	return rc;
}

/* Test, and then always put the saved data back. *@restored is an exit code. */
static int check(struct verify *v, int *restored)
{
	int rc;

	catch_signals();
	rc = guard(v, save);
	if (!rc)
		rc = guard(v, all_passes);
	if (v->is_saved) {
		*restored = restore_drive(v);
		if (guard(v, restore_target))
			*restored = EXIT_FAILED;
	}
	progress_end(v);
	if (!rc && stopped)
		rc = print_error(EXIT_FAILED, "interrupted");
	return rc;
}

static void close_all(struct verify *v)
{
	iopmem_map_free(v->map);
	free(v->buffers);
	if (v->scratch >= 0)
		close(v->scratch);
	if (v->drive.fd >= 0)
		close(v->drive.fd);
}

static int parse_range(const char *option, const char *text,
		       struct range *range)
{
	const char *colon = strchr(text, ':');
	char offset[32];
	int rc;

	if (!colon || (size_t)(colon - text) >= sizeof(offset))
		return print_error(EXIT_USAGE,
				   "%s: '%s' is no range, give OFFSET:LENGTH, 0:16M for instance",
				   option, text);
	snprintf(offset, sizeof(offset), "%.*s", (int)(colon - text), text);
	rc = parse_bytes(option, offset, &range->offset);
	if (!rc)
		rc = parse_bytes(option, colon + 1, &range->length);
	if (rc)
		return rc;
	if (!range->length || range->offset % UNIT || range->length % UNIT)
		return print_error(EXIT_USAGE,
				   "%s: '%s' is not made of whole units of %u bytes",
				   option, text, UNIT);
	/* the largest size needs no more */
	if (range->length > MOST)
		range->length = MOST;
	return EXIT_OK;
}

static int parse_repeat(const char *text, unsigned int *repeat)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end || !n || n > MAX_REPEAT)
		return print_error(EXIT_USAGE,
				   "--repeat: '%s' is no number from 1 to %u", text,
				   MAX_REPEAT);
	*repeat = n;
	return EXIT_OK;
}

static int cmd_verify(int argc, char **argv, struct iopmem_ctx *ctx)
{
	enum { RANGE = 256, REPEAT };
	static const struct option options[] = {
		{ "range", required_argument, NULL, RANGE },
		{ "write", required_argument, NULL, 'w' },
		{ "force", no_argument, NULL, 'f' },
		{ "repeat", required_argument, NULL, REPEAT },
		{ "human", no_argument, NULL, 'u' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct verify v = {
		.ctx = ctx,
		.drive.fd = -1,
		.scratch = -1,
		.repeat = 3,
		.progress = isatty(STDERR_FILENO),
	};
	bool human = false;
	int rc = EXIT_OK, restored = EXIT_OK, c;

	while ((c = next_option(argc, argv, ":w:fuh", options, &rc)) != -1) {
		switch (c) {
		case RANGE:
			rc = parse_range("--range", optarg, &v.range);
			break;
		case 'w':
			rc = parse_range("--write", optarg, &v.write);
			break;
		case 'f':
			v.force = true;
			break;
		case REPEAT:
			rc = parse_repeat(optarg, &v.repeat);
			break;
		case 'u':
			human = true;
			break;
		default:
			return rc;
		}
		if (rc)
			return rc;
	}
	if (argc - optind != 2)
		return print_error(EXIT_USAGE,
				   "give a drive, and a folder, a file or a node on the card, see 'ndctl-iopmem verify --help'");
	v.drive.name = argv[optind];
	v.target = argv[optind + 1];

	if (iopmem_scan(ctx) < 0)
		return print_ctx_error(EXIT_FAILED, ctx);
	rc = prepare(&v);
	if (!rc)
		rc = check(&v, &restored);
	if (!rc) {
		if (human)
			verify_print_for_people(&v);
		else
			verify_print_json(&v);
		rc = verdict(&v);
	}
	close_all(&v);
	return rc ? rc : restored;
}

const struct command command_verify = {
	.name = "verify",
	.summary = "whether a drive's DMA arrives in a file on the card, and from there",
	.usage = usage,
	.run = cmd_verify,
};
