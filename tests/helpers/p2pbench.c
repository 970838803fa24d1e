// SPDX-License-Identifier: GPL-2.0-only
/*
 * p2pbench read|write DRIVE TARGET direct|bounce psync|uring SIZE COUNT
 *
 * Move COUNT times SIZE bytes with O_DIRECT from the drive to a mapping of TARGET
 * (read), or back (write). The drive's buffer is the mapping itself (direct), or a
 * buffer in memory that memcpy() copies from or to (bounce). TARGET is a file on a DAX
 * file system, a device DAX node or PCI's p2pmem/allocate. With uring, the buffer is
 * registered with io_uring before.
 *
 * QEMU's plugin counts between the marks, and there are only the transfers.
 * Afterwards one page of each 64 KiB is compared. All pages would take long, since the
 * CPU's access may be emulated.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <liburing.h>
#include "mapping.h"
#include "mark.h"

#define PAGE	4096
#define STEP	65536

static struct io_uring ring;

static void ring_init(void *buf, size_t size)
{
	struct iovec iov = { buf, size };

	errno = -io_uring_queue_init(1, &ring, 0);
	if (errno)
		err(1, "io_uring");
	errno = -io_uring_register_buffers(&ring, &iov, 1);
	if (errno)
		err(1, "io_uring: registering the buffer");
}

/* Returns as pread() and pwrite() do, with the error in errno. */
static ssize_t ring_io(int drive, int reads, void *buf, size_t size,
		       uint64_t at)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	struct io_uring_cqe *cqe;
	int result;

	if (reads)
		io_uring_prep_read_fixed(sqe, drive, buf, size, at, 0);
	else
		io_uring_prep_write_fixed(sqe, drive, buf, size, at, 0);
	if (io_uring_submit_and_wait(&ring, 1) != 1 ||
	    io_uring_peek_cqe(&ring, &cqe))
		errx(1, "io_uring: nothing completed");
	result = cqe->res;
	io_uring_cqe_seen(&ring, cqe);
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

/* Compare what the CPU reads in the mapping with what the drive has. */
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

/* Fill the mapping with new bytes, so that old ones on the drive cannot pass. */
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
	/* the first transfer also does work that is done only once */
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
