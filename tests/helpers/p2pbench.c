// SPDX-License-Identifier: GPL-2.0-only
/*
 * p2pbench read|write DRIVE TARGET direct|bounce psync|uring SIZE COUNT
 *
 * Move COUNT times SIZE bytes from the drive to a mapping of TARGET, or the
 * other way, O_DIRECT: with the mapping as the drive's buffer (direct), or by a
 * buffer in memory and memcpy() (bounce). TARGET is a file on a DAX file
 * system, a device-dax node or PCI's p2pmem/allocate. With uring the buffer is
 * registered with io_uring beforehand. Between the marks, for the plugin that
 * counts, is nothing but the transfers. Afterwards a page of each 64 KiB is
 * compared: all of them would take long where the CPU's access is emulated.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include "mapping.h"
#include "mark.h"

#define PAGE	4096
#define STEP	65536

/* io_uring without its library: one request at a time */
static struct {
	int fd;
	unsigned int *sq_tail, *sq_mask, *sq_array;
	unsigned int *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
} ring;

static void *ring_map(uint64_t offset, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_POPULATE, ring.fd, offset);

	if (p == MAP_FAILED)
		err(1, "io_uring: mmap");
	return p;
}

static void ring_init(void *buf, size_t size)
{
	struct iovec iov = { buf, size };
	struct io_uring_params p = {};
	char *sq, *cq;

	ring.fd = syscall(SYS_io_uring_setup, 1, &p);
	if (ring.fd < 0)
		err(1, "io_uring");
	sq = ring_map(IORING_OFF_SQ_RING, p.sq_off.array + p.sq_entries * 4);
	cq = ring_map(IORING_OFF_CQ_RING,
		      p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe));
	ring.sqes = ring_map(IORING_OFF_SQES,
			     p.sq_entries * sizeof(struct io_uring_sqe));
	ring.sq_tail = (void *)(sq + p.sq_off.tail);
	ring.sq_mask = (void *)(sq + p.sq_off.ring_mask);
	ring.sq_array = (void *)(sq + p.sq_off.array);
	ring.cq_head = (void *)(cq + p.cq_off.head);
	ring.cq_tail = (void *)(cq + p.cq_off.tail);
	ring.cq_mask = (void *)(cq + p.cq_off.ring_mask);
	ring.cqes = (void *)(cq + p.cq_off.cqes);
	if (syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_BUFFERS,
		    &iov, 1))
		err(1, "io_uring: registering the buffer");
}

/* as pread() and pwrite(), the error in errno */
static ssize_t ring_io(int drive, int reads, void *buf, size_t size,
		       uint64_t at)
{
	unsigned int slot = *ring.sq_tail & *ring.sq_mask, head = *ring.cq_head;
	int result;

	ring.sqes[slot] = (struct io_uring_sqe) {
		.opcode = reads ? IORING_OP_READ_FIXED : IORING_OP_WRITE_FIXED,
		.fd = drive,
		.off = at,
		.addr = (uintptr_t)buf,
		.len = size,
	};
	ring.sq_array[slot] = slot;
	__atomic_store_n(ring.sq_tail, *ring.sq_tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring.fd, 1, 1, IORING_ENTER_GETEVENTS,
		    NULL, 0) != 1)
		err(1, "io_uring: enter");
	if (__atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE) == head)
		errx(1, "io_uring: nothing completed");
	result = ring.cqes[head & *ring.cq_mask].res;
	__atomic_store_n(ring.cq_head, head + 1, __ATOMIC_RELEASE);
	if (result >= 0)
		return result;
	errno = -result;
	return -1;
}

static void transfer(int drive, int reads, int uring, char *buf, size_t size,
		     uint64_t at)
{
	ssize_t n;

	if (uring)
		n = ring_io(drive, reads, buf, size, at);
	else if (reads)
		n = pread(drive, buf, size, at);
	else
		n = pwrite(drive, buf, size, at);
	if (n < 0)
		err(1, "drive: %s", reads ? "read" : "write");
	if ((size_t)n != size)
		errx(1, "drive: %zd bytes of %zu", n, size);
}

/* The CPU's view of the mapping, against what the drive has */
static void compare(int drive, char *check, const char *map, size_t size,
		    uint64_t at)
{
	size_t i;

	transfer(drive, 1, 0, check, size, at);
	for (i = 0; i < size; i += STEP)
		if (memcmp(check + i, map + at + i, PAGE))
			errx(1, "at %" PRIu64 ": the bytes are not the same",
			     at + i);
}

/* What is to be moved away differs each time. */
static void fill(char *map, size_t length)
{
	int fd = open("/dev/urandom", O_RDONLY);
	char page[PAGE];
	size_t i;

	for (i = 0; i < length; i += STEP) {
		if (read(fd, page, PAGE) != PAGE)
			err(1, "/dev/urandom");
		memcpy(map + i, page, PAGE);
	}
	close(fd);
}

int main(int argc, char **argv)
{
	int reads, bounce, uring, drive;
	char *map, *buf, *check;
	size_t size, count, i, mapped;

	if (argc != 8)
		errx(2, "usage: p2pbench read|write DRIVE TARGET direct|bounce psync|uring SIZE N");
	reads = !strcmp(argv[1], "read");
	bounce = !strcmp(argv[4], "bounce");
	uring = !strcmp(argv[5], "uring");
	size = parse_size(argv[6]);
	count = parse_size(argv[7]);

	drive = open(argv[2], O_RDWR | O_DIRECT);
	if (drive < 0)
		err(1, "%s", argv[2]);
	map = map_path(argv[3], size * count, MAP_SHARED, &mapped);
	check = aligned_alloc(PAGE, size);
	buf = bounce ? aligned_alloc(PAGE, size) : map;
	if (!check || !buf)
		err(1, "memory");
	for (i = 0; i < size * count; i += PAGE)
		map[i] = 1;
	memset(check, 1, size);
	if (bounce)
		memset(buf, 1, size);
	if (!reads)
		fill(map, size * count);
	sync_mapping(argv[3], map, mapped);
	if (uring)
		ring_init(buf, bounce ? size : size * count);
	/* the first one also does what is done only once */
	transfer(drive, reads, uring, buf, size, 0);

	mark_here(1);
	for (i = 0; i < count; i++) {
		char *p = bounce ? buf : map + i * size;

		if (bounce && !reads)
			memcpy(buf, map + i * size, size);
		transfer(drive, reads, uring, p, size, i * size);
		if (bounce && reads)
			memcpy(map + i * size, buf, size);
	}
	mark_here(2);

	printf("buffer 0x%" PRIx64 "\n", physical_address(buf));
	for (i = 0; i < count; i++)
		compare(drive, check, map, size, i * size);
	printf("equal\n");
	return 0;
}
