// SPDX-License-Identifier: GPL-2.0-only
/*
 * cutwrite write NOTES NUMBER HOW PATH	write until the power is cut
 * cutwrite check NOTES NUMBER HOW PATH	check that all acknowledged writes are there
 * cutwrite ack NOTES NUMBER		acknowledge N for each line "ack N" on standard
 *					input
 * cutwrite sql N			print transactions for sqlite3, from N on
 *
 * HOW says how each write is made safe:
 *
 *	fsync	pwrite, fdatasync
 *	dsync	pwrite to a file opened with O_DSYNC
 *	sector	pwrite to a file opened with O_DSYNC and O_DIRECT. No block may
 *		be torn
 *	msync	a store to a mapping, msync
 *	cpu	a store to a mapping, fence, read back
 *	none	pwrite alone, which is not safe
 *	create	a new file, fsync, rename over the old one, fsync of the folder;
 *		PATH is the folder. No file may be torn
 *
 * The block of write n is computed from n, and its bytes from n and NUMBER. Only
 * one write is under way at any time.
 */
#define _GNU_SOURCE
#include "powercut.h"

#define BLOCK	4096
#define BLOCKS	256UL
#define LINE	64

static const char *how, *path;
static unsigned int number;
static int fd, dir;
static char *map;
static char buf[BLOCK] __attribute__((aligned(BLOCK)));
static char want[BLOCK];

static int is_how(const char *s)
{
	return !strcmp(how, s);
}

/* A permutation of the blocks: BLOCKS writes in a row go to BLOCKS blocks. */
static unsigned long block_of(uint64_t n)
{
	return n * 101 % BLOCKS;
}

/* Each LINE begins with readable text, for someone who looks at the card's file. */
static void fill(char *to, uint64_t n)
{
	uint64_t x = n * 0x9e3779b97f4a7c15 + number;
	int i;

	for (i = 0; i < BLOCK; i += sizeof(x)) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(to + i, &x, sizeof(x));
	}
	for (i = 0; i < BLOCK; i += LINE) {
		memset(to + i, 0, 32);
		snprintf(to + i, 32, "cut %u:%" PRIu64 " ", number, n);
	}
}

/* The number of the write that a line comes from */
static uint64_t line(int i)
{
	char *colon = memchr(buf + i, ':', 32);

	return colon ? strtoull(colon + 1, NULL, 10) : 0;
}

static void open_target(void)
{
	int flags = O_RDWR;

	if (is_how("create")) {
		dir = open(path, O_RDONLY | O_DIRECTORY);
		if (dir < 0)
			err(2, "%s", path);
		return;
	}
	if (is_how("dsync"))
		flags |= O_DSYNC;
	if (is_how("sector"))
		flags |= O_DSYNC | O_DIRECT;
	fd = open(path, flags);
	if (fd < 0)
		err(2, "%s", path);
	if (is_how("msync") || is_how("cpu")) {
		map = mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (map == MAP_FAILED)
			err(2, "%s: mmap", path);
	}
}

static void create(unsigned long block)
{
	char tmp[32], name[32];

	snprintf(tmp, sizeof(tmp), "%lu.new", block);
	snprintf(name, sizeof(name), "%lu", block);
	fd = openat(dir, tmp, O_RDWR | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || write(fd, buf, BLOCK) != BLOCK || fsync(fd) ||
	    close(fd) || renameat(dir, tmp, dir, name) || fsync(dir))
		err(2, "%s/%s", path, name);
}

static void write_block(unsigned long block)
{
	char *to = map + block * BLOCK;

	if (is_how("create")) {
		create(block);
		return;
	}
	if (map) {
		memcpy(to, buf, BLOCK);
		__sync_synchronize();
		if (is_how("cpu"))
			*(volatile char *)to;
		else if (msync(to, BLOCK, MS_SYNC))
			err(2, "%s: msync", path);
		return;
	}
	if (pwrite(fd, buf, BLOCK, block * BLOCK) != BLOCK)
		err(2, "%s: write", path);
	if (is_how("fsync") && fdatasync(fd))
		err(2, "%s: fdatasync", path);
}

static int read_block(unsigned long block)
{
	char name[32];
	ssize_t n;

	if (map) {
		memcpy(buf, map + block * BLOCK, BLOCK);
		return 1;
	}
	if (!is_how("create"))
		return pread(fd, buf, BLOCK, block * BLOCK) == BLOCK;

	snprintf(name, sizeof(name), "%lu", block);
	fd = openat(dir, name, O_RDONLY);
	if (fd < 0)
		return 0;
	n = read(fd, buf, BLOCK);
	close(fd);
	return n == BLOCK;
}

static int holds(uint64_t n)
{
	fill(want, n);
	return !memcmp(buf, want, BLOCK);
}

static void report(uint64_t n, int readable)
{
	int i;

	printf("%s: block %lu: write %" PRIu64 " was acknowledged, ", path,
	       block_of(n), n);
	if (!readable) {
		printf("cannot be read\n");
		return;
	}
	for (i = LINE; i < BLOCK && line(i) == line(0); i += LINE)
		;
	if (i < BLOCK)
		printf("torn: %" PRIu64 " and %" PRIu64 " in one block\n",
		       line(0), line(i));
	else
		printf("found: %" PRIu64 "%s\n", line(0),
		       holds(line(0)) ? "" : ", damaged");
}

static int check(struct note *note)
{
	uint64_t acked = note->acked, started = note->started;
	uint64_t n = acked > BLOCKS ? acked - BLOCKS + 1 : 1;
	int bad = 0, readable;

	for (; n <= acked; n++) {
		readable = read_block(block_of(n));
		if (readable && holds(n))
			continue;
		/* the write that was under way may have changed its block */
		if (started > acked && block_of(started) == block_of(n) &&
		    (!(is_how("sector") || is_how("create")) ||
		     (readable && holds(started))))
			continue;
		if (bad++ < 3)
			report(n, readable);
	}
	if (bad > 3)
		printf("%s: and %d more\n", path, bad - 3);
	return bad > 0;
}

static void write_all(struct note *note)
{
	uint64_t n;

	for (n = note->acked + 1;; n++) {
		fill(buf, n);
		start(note, n);
		write_block(block_of(n));
		acknowledge(note, n);
		/* leave time for the slow writers */
		usleep(2000);
	}
}

static void ack(struct note *note)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin))
		if (!strncmp(line, "ack ", 4))
			acknowledge(note, strtoull(line + 4, NULL, 10));
}

static void sql(uint64_t n)
{
	for (;; n++)
		printf("BEGIN; INSERT INTO log VALUES(%" PRIu64 ", printf('%%0200d', %" PRIu64
		       ")); UPDATE state SET n = %" PRIu64 "; COMMIT;\n.print ack %" PRIu64 "\n",
		       n, n * 7919, n, n);
}

int main(int argc, char **argv)
{
	struct note *note;

	if (argc == 3 && !strcmp(argv[1], "sql"))
		sql(strtoull(argv[2], NULL, 10));
	if (argc != 4 && argc != 6)
		errx(2, "write|check|ack NOTES NUMBER [HOW PATH], or sql N");
	note = open_note(argv[2], argv[3]);
	number = strtoul(argv[3], NULL, 0);
	if (argc == 4) {
		ack(note);
		return 0;
	}
	how = argv[4];
	path = argv[5];
	open_target();
	if (!strcmp(argv[1], "check"))
		return check(note);
	write_all(note);
}
