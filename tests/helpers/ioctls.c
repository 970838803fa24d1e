// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioctls root FUNCTION SEED COUNT
 * ioctls user FUNCTION SEED COUNT
 * ioctls deadlock FUNCTION 0 0
 *
 * Make COUNT random calls on /dev/ndctlN and /dev/nmemN of a bound function, with
 * any command, size and pointer.
 *
 * root: the region is on or off, the length changes while the kernel reads it, and
 * the function is unbound and bound between calls. This program keeps a copy of the
 * label area, and changes it only if SET_CONFIG_DATA succeeds. The kernel has to
 * return the same bytes. A call that fails must not change its buffer, and no call
 * may change the bytes behind its buffer.
 *
 * user: opening the nodes has to fail. Calls on descriptors that root has opened
 * for reading must not change anything.
 *
 * deadlock: keep calling while the function is unbound, until the kernel hangs. No
 * case uses this.
 */
#define _GNU_SOURCE
#include "fuzz.h"
#include <glob.h>
#include <grp.h>
#include <linux/ndctl.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#define NOBODY	65534
#define ARENA	(256 << 10)
#define SLACK	256
#define PHASE	512	/* calls */

enum { BUS_RW, BUS_RO, DIMM_RW, DIMM_RO, FDS };

static const char *function;
static char region[32];
static int fds[FDS];
static char nodes[2][64];	/* the bus's, the dimm's */
static unsigned char labels[AREA];	/* what the label area has to be */
static unsigned char *arena, *locked, *readonly, before[ARENA];
static uint64_t calls, errnos[256], done, gets, sets, rebinds, refused_opens;
static bool racing, bound = true;
static volatile bool stop, flips, pause_flips = true;
static pthread_mutex_t flipping = PTHREAD_MUTEX_INITIALIZER;
static volatile uint32_t *flip_at;
static uint32_t flip_to[2];

#define bad(...)	found_bad("call", calls, __VA_ARGS__)

/* Find the only path below the function that matches, and return its last part. */
static bool find_child(const char *pattern, char *name, size_t size)
{
	char path[256];
	glob_t g;
	bool found;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", function,
		 pattern);
	found = !glob(path, 0, NULL, &g) && g.gl_pathc == 1;
	if (found)
		snprintf(name, size, "%s", strrchr(g.gl_pathv[0], '/') + 1);
	globfree(&g);
	return found;
}

static void find_nodes(void)
{
	char name[32];

	if (!find_child("ndbus*/*/ndctl[0-9]*", name, sizeof(name)))
		bad("no ndctl node of %s", function);
	snprintf(nodes[0], sizeof(nodes[0]), "/dev/%s", name);
	if (!find_child("ndbus*/nmem*", name, sizeof(name)))
		bad("no dimm of %s", function);
	snprintf(nodes[1], sizeof(nodes[1]), "/dev/%s", name);
}

static void open_nodes(void)
{
	int i;

	for (i = 0; i < FDS; i++) {
		fds[i] = open(nodes[i / 2], i % 2 ? O_RDONLY : O_RDWR);
		if (fds[i] < 0)
			bad("%s: %s", nodes[i / 2], strerror(errno));
	}
}

/* Read all of the label area. Returns 0 or an errno. */
static int get_labels(unsigned char *to)
{
	static struct {
		struct nd_cmd_get_config_data_hdr hdr;
		unsigned char data[AREA];
	} cmd;

	cmd.hdr = (struct nd_cmd_get_config_data_hdr){ .in_length = AREA };
	if (ioctl(fds[DIMM_RW], ND_IOCTL_GET_CONFIG_DATA, &cmd) < 0)
		return errno;
	memcpy(to, cmd.hdr.out_buf, AREA);
	return 0;
}

static void check_labels(void)
{
	static unsigned char now[AREA];
	int rc = get_labels(now);

	if (rc && !racing)
		bad("the label area cannot be read: %s", strerror(rc));
	if (!rc && memcmp(now, labels, AREA))
		bad("the label area has changed, and no call said so");
}

static uint32_t any_length(void)
{
	switch (below(8)) {
	case 0:
		return below(AREA + 64);
	case 1:
		return AREA - 2 + below(4);
	case 2:
		return odd_value(AREA);
	default:
		return below(4096);
	}
}

static uint32_t any_offset(uint32_t length)
{
	switch (below(8)) {
	case 0:
		return AREA - length;
	case 1:
		return AREA - length + 1 - below(3);
	case 2:
		return odd_value(AREA);
	default:
		return below(AREA);
	}
}

/*
 * Make a request whose buffer ends where the mapped memory ends, or SLACK bytes
 * before. Returns its command, and sets the buffer's address and size.
 */
static unsigned int make_request(unsigned char **at, size_t *size)
{
	unsigned int nr, dir = _IOC_READ | _IOC_WRITE, type = ND_IOCTL;
	uint32_t length = any_length(), offset = any_offset(length);
	size_t data = length < AREA + 4096 ? length : below(4096);
	struct nd_cmd_pkg pkg;
	unsigned char *p;

	nr = one_in(4) ? below(16) : ND_CMD_GET_CONFIG_SIZE + below(3);
	if (one_in(16))
		nr = ND_CMD_CALL;
	if (nr == ND_CMD_CALL)
		data = below(8192);
	*size = (nr == ND_CMD_CALL ? sizeof(pkg) : 12) + data;
	if (!one_in(8))
		*size += 4;	/* room for a status behind the data */
	p = arena + ARENA - *size - (one_in(2) ? SLACK : 0);
	if (*size <= 8192 || one_in(16))
		rnd_fill(p, *size);
	if (nr == ND_CMD_CALL) {
		rnd_fill(&pkg, sizeof(pkg));
		pkg.nd_family = one_in(4) ? odd_value(5) : below(8);
		pkg.nd_command = one_in(2) ? below(32) : odd_value(0);
		pkg.nd_size_in = one_in(2) ? below(data + 1) : odd_value(data);
		pkg.nd_size_out = one_in(2) ? below(data + 1) : odd_value(data);
		memcpy(p, &pkg, sizeof(pkg));
	} else if (!one_in(16)) {
		memcpy(p, &offset, 4);
		memcpy(p + 4, &length, 4);
	}
	if (one_in(16)) {	/* the kernel looks only at the number */
		dir = below(4);
		if (one_in(2))
			type = below(256);
	}
	*at = p;
	return _IOC(dir, type, nr, one_in(8) ? below(1 << 14) : 4096);
}

/* Check a call that has succeeded. @p is its buffer, and @old what was there. */
static void check_success(unsigned int nr, int which, const unsigned char *p,
			  const unsigned char *old)
{
	uint32_t offset, length, status[3];

	done++;
	if (which < DIMM_RW)
		bad("the bus accepts command %u", nr);
	memcpy(&offset, old, 4);
	memcpy(&length, old + 4, 4);
	switch (nr) {
	case ND_CMD_GET_CONFIG_SIZE:
		memcpy(status, p, sizeof(status));
		if (status[0] || status[1] != AREA || status[2] != MAX_XFER)
			bad("size: %u %u %u", status[0], status[1], status[2]);
		break;
	case ND_CMD_GET_CONFIG_DATA:
		if ((uint64_t)offset + length > AREA)
			bad("get of %u at %u succeeds", length, offset);
		memcpy(status, p + 8, 4);
		if (status[0] || memcmp(p, old, 8) ||
		    memcmp(p + 12, labels + offset, length))
			bad("get of %u at %u gives something else", length, offset);
		gets++;
		break;
	case ND_CMD_SET_CONFIG_DATA:
		if (which != DIMM_RW)
			bad("set succeeds on a read-only descriptor");
		if ((uint64_t)offset + length > AREA)
			bad("set of %u at %u succeeds", length, offset);
		memcpy(status, p + 8 + length, 4);
		if (status[0] || memcmp(p, old, 8 + length))
			bad("set of %u at %u changes what it was given", length, offset);
		memcpy(labels + offset, old + 8, length);
		sets++;
		break;
	default:
		bad("the dimm accepts command %u", nr);
	}
}

/* A pointer to memory that does not exist, or that may not be accessed */
static void *bad_pointer(void)
{
	switch (below(5)) {
	case 0:
		return (void *)below(4096);
	case 1:
		return locked + below(4096);
	case 2:
		return (void *)(0xffff888000000000 + below(1 << 30));
	case 3:
		return (void *)-(1 + below(4096));
	default:
		return arena + ARENA - 1 - below(7);
	}
}

static void one_call(int which)
{
	unsigned char *p, *end = arena + ARENA;
	unsigned int cmd, nr;
	uint32_t length;
	size_t size;
	int rc;

	cmd = make_request(&p, &size);
	nr = _IOC_NR(cmd);
	if (one_in(16)) {
		rc = ioctl(fds[which], cmd, bad_pointer());
		if (rc >= 0)
			bad("command %u with a bad pointer: success", nr);
	/* not SET_CONFIG_DATA, which writes before it fails to return a status */
	} else if (one_in(32) && nr != ND_CMD_SET_CONFIG_DATA) {
		memcpy(readonly, p, size < 4096 ? size : 4096);
		mprotect(readonly, 4096, PROT_READ);
		rc = ioctl(fds[which], cmd, readonly);
		mprotect(readonly, 4096, PROT_READ | PROT_WRITE);
		if (rc >= 0)
			bad("command %u with a read-only buffer: success", nr);
	} else {
		memcpy(before, p, end - p);
		rc = ioctl(fds[which], cmd, p);
		if (rc >= 0) {
			check_success(nr, which, p, before);
		} else {
			/* keep errno, since memcmp() may change it */
			rc = -errno;
			if (memcmp(before, p, end - p))
				bad("command %u fails and changes the buffer", nr);
			errno = -rc;
		}
		/* if the header is random, the kernel may have used another length */
		memcpy(&length, before + 4, 4);
		if (rc >= 0 && nr != ND_CMD_GET_CONFIG_SIZE && 12 + length > size)
			size = 12 + length;
		if (memcmp(before + size, p + size, end - p - size))
			bad("command %u writes behind its buffer", nr);
	}
	errnos[rc < 0 ? errno & 255 : 0]++;
}

/*
 * Change the length while the kernel reads it. A set writes the bytes that are there
 * already, so the copy of the label area stays right.
 */
static void one_flip(void)
{
	uint32_t len = below(8192), offset = below(AREA - 2 * 8192);
	bool set = one_in(2);
	unsigned char *p = arena + ARENA - SLACK - 16 - 2 * 8192;
	int rc;

	memcpy(p, &offset, 4);
	memcpy(p + (set ? 8 : 12), labels + offset, 2 * 8192);
	flip_to[0] = len;
	flip_to[1] = one_in(2) ? below(2 * 8192) : odd_value(len);
	memset(arena + ARENA - SLACK, 0xa5, SLACK);
	flip_at = (volatile uint32_t *)(p + 4);
	*flip_at = len;
	pause_flips = false;
	rc = ioctl(fds[DIMM_RW], set ? ND_IOCTL_SET_CONFIG_DATA :
		   ND_IOCTL_GET_CONFIG_DATA, p);
	rc = rc < 0 ? errno : 0;
	pause_flips = true;
	pthread_mutex_lock(&flipping);	/* flip() has stopped once we hold this */
	pthread_mutex_unlock(&flipping);
	errnos[rc & 255]++;
	done += !rc;
	for (p = arena + ARENA - SLACK; p < arena + ARENA; p++)
		if (*p != 0xa5)
			bad("writes behind the buffer");
}

static void *flip(void *unused)
{
	int i;

	while (!stop) {
		pthread_mutex_lock(&flipping);
		for (i = 0; i < 64 && !pause_flips; i++)
			*flip_at = flip_to[i % 2];
		pthread_mutex_unlock(&flipping);
		if (pause_flips)
			usleep(flips ? 10 : 10000);
	}
	return unused;
}

/*
 * Bind or unbind between calls. If that happens during a call, libnvdimm waits for
 * ever, see tools/kernel-reports/nvdimm-ioctl-deadlock.md. The calls after a bind
 * come while the region and its namespaces are still probed.
 */
static void bind_function(bool on)
{
	int rc = sysfs_write(function, "/sys/bus/pci/drivers/iopmem/%sbind",
			     on ? "" : "un");

	if (rc && rc != ENODEV)
		bad("%s: %s", on ? "bind" : "unbind", strerror(rc));
	bound = on;
	rebinds += on;
}

static void *get_forever(void *unused)
{
	static unsigned char now[AREA];

	while (!stop)
		get_labels(now);
	return unused;
}

static void deadlock(void)
{
	pthread_t getter;

	if (pthread_create(&getter, NULL, get_forever, NULL))
		bad("pthread_create");
	for (;;) {
		bind_function(false);
		bind_function(true);
	}
}

/*
 * libnvdimm registers a region and its namespaces asynchronously, so wait for that.
 * Otherwise disabling the region would leave its namespaces behind, see
 * tools/kernel-reports/nvdimm-region-early.md.
 */
static void wait_probe(void)
{
	char bus[32], path[64], c;
	int fd;

	if (!find_child("ndbus*", bus, sizeof(bus)))
		bad("no bus of %s", function);
	snprintf(path, sizeof(path), "/sys/bus/nd/devices/%s/wait_probe", bus);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, &c, 1) != 1)
		bad("%s: %s", path, strerror(errno));
	close(fd);
}

/* Enable or disable the region. The function is bound when a phase begins. */
static void region_state(bool on)
{
	int rc;

	wait_probe();
	if (!find_child("ndbus*/region*", region, sizeof(region)))
		bad("no region");
	rc = sysfs_write(region, "/sys/bus/nd/drivers/nd_region/%sbind",
			 on ? "" : "un");
	if (rc && rc != ENODEV && rc != EBUSY)
		bad("region %s: %s", on ? "on" : "off", strerror(rc));
}

static void as_root(uint64_t seed, uint64_t count)
{
	pthread_t flipper;
	int i;

	if (pthread_create(&flipper, NULL, flip, NULL))
		bad("pthread_create");
	for (calls = 0; calls < count; calls++) {
		if (calls % PHASE == 0) {
			uint64_t phase = calls / PHASE;

			alarm(120);	/* ends this program if the kernel hangs */
			rnd_seed(seed, phase);
			if (!bound)
				bind_function(true);
			if (racing) {	/* the nodes may have other numbers now */
				for (i = 0; i < FDS; i++)
					close(fds[i]);
				find_nodes();
				open_nodes();
			}
			racing = false;
			if (phase)
				check_labels();
			region_state(phase % 8 == 0);
			racing = phase % 16 == 3;
			flips = phase % 4 == 2;
		}
		if (calls % 64 == 0)
			check_labels();
		if (racing && one_in(16))
			bind_function(!bound);
		if (flips)
			one_flip();
		else
			one_call(below(FDS));
	}
	stop = true;
	pthread_join(flipper, NULL);
	if (!bound)
		bind_function(true);
	check_labels();
}

static void as_user(uint64_t seed, uint64_t count)
{
	static const int modes[] = { O_RDONLY, O_WRONLY, O_RDWR };
	int status;

	fflush(stdout);
	if (!fork()) {
		if (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY))
			bad("setuid: %s", strerror(errno));
		for (calls = 0; calls < count; calls++) {
			if (calls % PHASE == 0)
				rnd_seed(seed, calls / PHASE);
			if (one_in(4)) {
				if (open(nodes[below(2)], modes[below(3)]) >= 0 ||
				    errno != EACCES)
					bad("a user can open %s", nodes[0]);
				refused_opens++;
				errnos[EACCES]++;
			} else {
				one_call(one_in(2) ? BUS_RO : DIMM_RO);
			}
		}
		printf("opens refused %" PRIu64 "\n", refused_opens);
		return;	/* the child prints the histogram */
	}
	wait(&status);
	check_labels();
	printf("the label area is as it was\n");
	exit(status != 0);
}

int main(int argc, char **argv)
{
	uint64_t seed, count, taint_before = taint();
	double start = seconds();
	int i;

	if (argc != 5)
		errx(2, "usage: ioctls root|user|deadlock FUNCTION SEED COUNT");
	function = argv[2];
	seed = strtoull(argv[3], NULL, 0);
	count = strtoull(argv[4], NULL, 0);

	/*
	 * Behind the arena are a page without access, a page to make read-only, and
	 * another page without access.
	 */
	arena = mmap(NULL, ARENA + 3 * 4096, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (arena == MAP_FAILED)
		err(1, "mmap");
	locked = arena + ARENA;
	readonly = locked + 4096;
	if (mprotect(locked, 4096, PROT_NONE) ||
	    mprotect(readonly + 4096, 4096, PROT_NONE))
		err(1, "mprotect");

	find_nodes();
	open_nodes();
	if (get_labels(labels))
		bad("the label area cannot be read");
	if (!strcmp(argv[1], "root"))
		as_root(seed, count);
	else if (!strcmp(argv[1], "deadlock"))
		deadlock();
	else
		as_user(seed, count);
	if (taint() != taint_before)
		bad("the kernel has complained, see its log");

	printf("seed %" PRIu64 " calls %" PRIu64 " done %" PRIu64 " gets %" PRIu64
	       " sets %" PRIu64 " rebinds %" PRIu64 " seconds %.1f\n",
	       seed, calls, done, gets, sets, rebinds, seconds() - start);
	for (i = 0; i < 256; i++)
		if (errnos[i])
			printf("%s %" PRIu64 "\n",
			       i ? strerrorname_np(i) : "success", errnos[i]);
	return 0;
}
