// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma [-e ENGINE] [-b BLOCK] FROM[@offset] TO[@offset] LENGTH
 *
 * Have a drive read into a mapping, or write from it. One of the two is a
 * block device, opened O_DIRECT, the other a file or device-dax node, mapped.
 * Beforehand the CPU stores one byte a page, so that the pages are there, and
 * no more. Prints where the pages are.
 *
 * ENGINE	psync (the default), libaio, io_uring, or fixed: io_uring with the
 *		mapping as a registered buffer
 * BLOCK	a request's size, by default all in one
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include "mapping.h"

#define DEPTH	8	/* requests in flight */

static struct {
	const char *drive;
	int fd, reads;
	char *map;
	uint64_t at, block, length;
} job;

static uint64_t size_of(uint64_t done)
{
	return job.length - done < job.block ? job.length - done : job.block;
}

/* @result: what a request of @done has returned, or a negative error number */
static void check(uint64_t done, int64_t result)
{
	if (result < 0) {
		errno = -result;
		err(1, "%s: %s", job.drive, job.reads ? "read" : "write");
	}
	if ((uint64_t)result != size_of(done))
		errx(1, "%s: %" PRId64 " bytes of %" PRIu64, job.drive, result,
		     size_of(done));
}

static void psync_setup(void)
{
}

static void psync_submit(uint64_t done)
{
	char *p = job.map + done;
	ssize_t n = job.reads ?
		pread(job.fd, p, size_of(done), job.at + done) :
		pwrite(job.fd, p, size_of(done), job.at + done);

	check(done, n < 0 ? -errno : n);
}

static void psync_reap(void)
{
}

static aio_context_t aio;

static void libaio_setup(void)
{
	if (syscall(SYS_io_setup, DEPTH, &aio))
		err(1, "io_setup");
}

static void libaio_submit(uint64_t done)
{
	struct iocb cb = {
		.aio_data = done,
		.aio_lio_opcode = job.reads ? IOCB_CMD_PREAD : IOCB_CMD_PWRITE,
		.aio_fildes = job.fd,
		.aio_buf = (uintptr_t)job.map + done,
		.aio_nbytes = size_of(done),
		.aio_offset = job.at + done,
	}, *list = &cb;

	if (syscall(SYS_io_submit, aio, 1, &list) != 1)
		check(done, -errno);
}

static void libaio_reap(void)
{
	struct io_event event;

	if (syscall(SYS_io_getevents, aio, 1, 1, &event, NULL) != 1)
		err(1, "io_getevents");
	check(event.data, event.res);
}

static struct {
	int fd, fixed;
	unsigned int *sq_tail, *sq_mask, *sq_array;
	unsigned int *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
} ring;

static char *ring_map(uint64_t length, uint64_t offset)
{
	char *p = mmap(NULL, length, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_POPULATE, ring.fd, offset);

	if (p == MAP_FAILED)
		err(1, "io_uring: mmap");
	return p;
}

static void io_uring_setup(void)
{
	struct io_uring_params p = {};
	char *sq, *cq;

	ring.fd = syscall(SYS_io_uring_setup, DEPTH, &p);
	if (ring.fd < 0)
		err(1, "io_uring_setup");
	sq = ring_map(p.sq_off.array + p.sq_entries * sizeof(unsigned int),
		      IORING_OFF_SQ_RING);
	cq = ring_map(p.cq_off.cqes +
		      p.cq_entries * sizeof(struct io_uring_cqe),
		      IORING_OFF_CQ_RING);
	ring.sqes = (void *)ring_map(p.sq_entries * sizeof(*ring.sqes),
				     IORING_OFF_SQES);
	ring.sq_tail = (void *)(sq + p.sq_off.tail);
	ring.sq_mask = (void *)(sq + p.sq_off.ring_mask);
	ring.sq_array = (void *)(sq + p.sq_off.array);
	ring.cq_head = (void *)(cq + p.cq_off.head);
	ring.cq_tail = (void *)(cq + p.cq_off.tail);
	ring.cq_mask = (void *)(cq + p.cq_off.ring_mask);
	ring.cqes = (void *)(cq + p.cq_off.cqes);
}

static void fixed_setup(void)
{
	struct iovec all = { job.map, job.length };

	io_uring_setup();
	if (syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_BUFFERS,
		    &all, 1))
		err(1, "io_uring: registering the mapping");
	ring.fixed = 1;
}

static void io_uring_submit(uint64_t done)
{
	unsigned int tail = *ring.sq_tail, i = tail & *ring.sq_mask;
	int op;

	if (ring.fixed)
		op = job.reads ? IORING_OP_READ_FIXED : IORING_OP_WRITE_FIXED;
	else
		op = job.reads ? IORING_OP_READ : IORING_OP_WRITE;
	ring.sqes[i] = (struct io_uring_sqe) {
		.opcode = op,
		.fd = job.fd,
		.off = job.at + done,
		.addr = (uintptr_t)job.map + done,
		.len = size_of(done),
		.user_data = done,
	};
	ring.sq_array[i] = i;
	__atomic_store_n(ring.sq_tail, tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring.fd, 1, 0, 0, NULL, 0) != 1)
		check(done, -errno);
}

static void io_uring_reap(void)
{
	unsigned int head = *ring.cq_head;
	struct io_uring_cqe *cqe;

	while (__atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE) == head)
		if (syscall(SYS_io_uring_enter, ring.fd, 0, 1,
			    IORING_ENTER_GETEVENTS, NULL, 0) < 0)
			err(1, "io_uring_enter");
	cqe = &ring.cqes[head & *ring.cq_mask];
	check(cqe->user_data, cqe->res);
	__atomic_store_n(ring.cq_head, head + 1, __ATOMIC_RELEASE);
}

static const struct engine {
	const char *name;
	void (*setup)(void);
	void (*submit)(uint64_t done);
	void (*reap)(void);
} engines[] = {
	{ "psync", psync_setup, psync_submit, psync_reap },
	{ "libaio", libaio_setup, libaio_submit, libaio_reap },
	{ "io_uring", io_uring_setup, io_uring_submit, io_uring_reap },
	{ "fixed", fixed_setup, io_uring_submit, io_uring_reap },
};

static const struct engine *find_engine(const char *name)
{
	unsigned int i;

	for (i = 0; i < sizeof(engines) / sizeof(*engines); i++)
		if (!strcmp(engines[i].name, name))
			return &engines[i];
	errx(2, "'%s' is not psync, libaio, io_uring or fixed", name);
}

static void transfer(const struct engine *engine)
{
	unsigned int flying = 0;
	uint64_t done = 0;

	engine->setup();
	while (done < job.length || flying) {
		if (done < job.length && flying < DEPTH) {
			engine->submit(done);
			done += size_of(done);
			flying++;
		} else {
			engine->reap();
			flying--;
		}
	}
}

static int is_block(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		err(1, "%s", path);
	return S_ISBLK(st.st_mode);
}

int main(int argc, char **argv)
{
	const struct engine *engine = engines;
	uint64_t from, to, map_at, done;
	size_t mapped;
	const char *file;
	int option;
	char *map;

	while ((option = getopt(argc, argv, "e:b:")) != -1) {
		if (option == 'e')
			engine = find_engine(optarg);
		else if (option == 'b')
			job.block = parse_size(optarg);
		else
			return 2;
	}
	argv += optind;
	if (argc - optind != 3)
		errx(2, "usage: dma [-e ENGINE] [-b BLOCK] FROM[@offset] TO[@offset] LENGTH");
	from = split_offset(argv[0]);
	to = split_offset(argv[1]);
	job.length = parse_size(argv[2]);
	if (!job.block)
		job.block = job.length;
	job.reads = is_block(argv[0]);
	if (job.reads == is_block(argv[1]))
		errx(2, "one of %s and %s has to be a block device", argv[0],
		     argv[1]);

	job.drive = job.reads ? argv[0] : argv[1];
	job.at = job.reads ? from : to;
	file = job.reads ? argv[1] : argv[0];
	map_at = job.reads ? to : from;

	job.fd = open(job.drive, O_RDWR | O_DIRECT);
	if (job.fd < 0)
		err(1, "%s", job.drive);
	map = map_path(file, map_at + job.length, MAP_SHARED, &mapped);
	job.map = map + map_at;
	/* a load alone would map the zero page over an unwritten extent */
	for (done = 0; done < job.length; done += 4096) {
		volatile char *p = job.map + done;

		*p = *p;
	}

	printf("%s mapped, physical addresses 0x%" PRIx64 " to 0x%" PRIx64 "\n",
	       file, physical_address(job.map),
	       physical_address(job.map + job.length - 1));
	print_extents(job.map, job.length);

	transfer(engine);
	printf("%s %s %" PRIu64 " bytes %s the mapping by DMA\n", job.drive,
	       job.reads ? "read" : "wrote", job.length,
	       job.reads ? "into" : "from");

	sync_mapping(file, map, mapped);
	return 0;
}
