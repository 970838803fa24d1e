// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma [-e ENGINE] [-b BLOCK] FROM[@offset] TO[@offset] LENGTH
 *
 * Let a drive read into a mapping, or write from it. One of FROM and TO is a
 * block device, which is opened with O_DIRECT. The other is a file or a device
 * DAX node, which is mapped. Before the transfer the CPU stores one byte into each
 * page, so that the pages exist, and nothing else. Prints where the pages are.
 *
 * ENGINE	psync (the default), libaio, io_uring, or fixed: io_uring with the
 *		mapping as a registered buffer
 * BLOCK	the size of a request; by default one request moves all
 */
#define _GNU_SOURCE
#include <errno.h>
#include <libaio.h>
#include <liburing.h>
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

/*
 * @done: the request's offset
 * @result: what the request has returned, or a negative error number
 */
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

/* End if @rc, the result of a function, is a negative error number. */
static void must(const char *what, int rc)
{
	if (rc < 0) {
		errno = -rc;
		err(1, "%s", what);
	}
}

static io_context_t aio;

static void libaio_setup(void)
{
	must("io_setup", io_setup(DEPTH, &aio));
}

static void libaio_submit(uint64_t done)
{
	struct iocb cb, *list = &cb;
	int rc;

	if (job.reads)
		io_prep_pread(&cb, job.fd, job.map + done, size_of(done),
			      job.at + done);
	else
		io_prep_pwrite(&cb, job.fd, job.map + done, size_of(done),
			       job.at + done);
	cb.data = (void *)(uintptr_t)done;
	rc = io_submit(aio, 1, &list);
	if (rc < 0)
		check(done, rc);
}

static void libaio_reap(void)
{
	struct io_event event;

	must("io_getevents", io_getevents(aio, 1, 1, &event, NULL));
	check((uintptr_t)event.data, (long)event.res);
}

static struct io_uring ring;
static int fixed;

static void uring_setup(void)
{
	must("io_uring", io_uring_queue_init(DEPTH, &ring, 0));
}

static void fixed_setup(void)
{
	struct iovec all = { job.map, job.length };

	uring_setup();
	must("io_uring: registering the mapping",
	     io_uring_register_buffers(&ring, &all, 1));
	fixed = 1;
}

static void uring_submit(uint64_t done)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	uint64_t at = job.at + done;
	char *p = job.map + done;
	int rc;

	if (fixed && job.reads)
		io_uring_prep_read_fixed(sqe, job.fd, p, size_of(done), at, 0);
	else if (fixed)
		io_uring_prep_write_fixed(sqe, job.fd, p, size_of(done), at, 0);
	else if (job.reads)
		io_uring_prep_read(sqe, job.fd, p, size_of(done), at);
	else
		io_uring_prep_write(sqe, job.fd, p, size_of(done), at);
	io_uring_sqe_set_data64(sqe, done);
	rc = io_uring_submit(&ring);
	if (rc < 0)
		check(done, rc);
}

static void uring_reap(void)
{
	struct io_uring_cqe *cqe;

	must("io_uring: waiting", io_uring_wait_cqe(&ring, &cqe));
	check(cqe->user_data, cqe->res);
	io_uring_cqe_seen(&ring, cqe);
}

static const struct engine {
	const char *name;
	void (*setup)(void);
	void (*submit)(uint64_t done);
	void (*reap)(void);
} engines[] = {
	{ "psync", psync_setup, psync_submit, psync_reap },
	{ "libaio", libaio_setup, libaio_submit, libaio_reap },
	{ "io_uring", uring_setup, uring_submit, uring_reap },
	{ "fixed", fixed_setup, uring_submit, uring_reap },
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
