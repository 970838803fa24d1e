// SPDX-License-Identifier: GPL-2.0-only
/*
 * labelcmd size /dev/nmemN
 * labelcmd get /dev/nmemN OFFSET LENGTH	print the first bytes
 * labelcmd set /dev/nmemN OFFSET LENGTH	fill with 0x5a
 * labelcmd beside /dev/nmemN FILE COUNT	change the first bytes at least COUNT
 *	times. Another process meanwhile writes "1" to FILE at least COUNT times. Each
 *	goes on until the other is done. Print how many of both failed
 * labelcmd until /dev/nmemN OFFSET LENGTH	fill this again and again until it
 *	fails
 * labelcmd other /dev/nmemN NUMBER		give any other command
 *
 * The commands are bare ioctls, so offsets and lengths reach the driver as given. An
 * allocation fails meanwhile if FAIL_NTH says so, see failnth.h. If the kernel
 * refuses, the name of the errno is printed.
 */
#define _GNU_SOURCE
#include "failnth.h"
#include "mapping.h"
#include <linux/ndctl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#define ND_IOCTL_MAX	(4U << 20)	/* libnvdimm's ND_IOCTL_MAX_BUFLEN */

static void *buffer(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		err(1, "mmap");
	return p;
}

static int command(int fd, unsigned long request, void *argument)
{
	int rc;

	fail_begin();
	rc = ioctl(fd, request, argument);
	fail_end();
	return rc;
}

static int refused(const char *what)
{
	printf("%s: %s\n", what, strerrorname_np(errno));
	return 1;
}

static int size(int fd)
{
	struct nd_cmd_get_config_size cmd = { .status = ~0 };

	if (command(fd, ND_IOCTL_GET_CONFIG_SIZE, &cmd) < 0)
		return refused("size");
	printf("status %u size %u max_xfer %u\n", cmd.status, cmd.config_size,
	       cmd.max_xfer);
	return 0;
}

static int get(int fd, uint32_t offset, uint32_t length)
{
	struct nd_cmd_get_config_data_hdr *cmd =
		buffer(sizeof(*cmd) + (size_t)length);

	cmd->in_offset = offset;
	cmd->in_length = length;
	cmd->status = ~0;
	if (command(fd, ND_IOCTL_GET_CONFIG_DATA, cmd) < 0)
		return refused("get");
	printf("status %u data", cmd->status);
	for (uint32_t i = 0; i < length && i < 8; i++)
		printf(" %02x", cmd->out_buf[i]);
	puts("");
	return 0;
}

static int set(int fd, uint32_t offset, uint32_t length)
{
	struct nd_cmd_set_config_hdr *cmd =
		buffer(sizeof(*cmd) + (size_t)length + sizeof(uint32_t));
	uint32_t status = ~0;

	cmd->in_offset = offset;
	cmd->in_length = length;
	/* the kernel refuses longer ones by their length, without reading the data */
	if (length <= ND_IOCTL_MAX) {
		memset(cmd->in_buf, 0x5a, length);
		memcpy(cmd->in_buf + length, &status, sizeof(status));
	}
	if (command(fd, ND_IOCTL_SET_CONFIG_DATA, cmd) < 0)
		return refused("set");
	memcpy(&status, cmd->in_buf + length, sizeof(status));
	printf("status %u\n", status);
	return 0;
}

/* Note if this side has done enough. Returns true if both sides have. */
static bool both_through(atomic_bool *through, int side, bool enough)
{
	if (enough)
		through[side] = true;
	return enough && through[!side];
}

static unsigned int change(int fd, unsigned int count, atomic_bool *through)
{
	struct nd_cmd_set_config_hdr *cmd =
		buffer(sizeof(*cmd) + 16 + sizeof(uint32_t));
	unsigned int failed = 0;

	cmd->in_length = 16;
	for (unsigned int i = 0; !both_through(through, 0, i >= count); i++) {
		memset(cmd->in_buf, i % 2 ? 0x5a : 0xa5, 16);
		failed += command(fd, ND_IOCTL_SET_CONFIG_DATA, cmd) < 0;
	}
	return failed;
}

static int until(int fd, uint32_t offset, uint32_t length)
{
	struct nd_cmd_set_config_hdr *cmd =
		buffer(sizeof(*cmd) + length + sizeof(uint32_t));

	cmd->in_offset = offset;
	cmd->in_length = length;
	memset(cmd->in_buf, 0x5a, length);
	puts("filling");
	fflush(stdout);
	while (command(fd, ND_IOCTL_SET_CONFIG_DATA, cmd) >= 0)
		;
	puts(strerrorname_np(errno));
	return 0;
}

static unsigned int write_ones(int fd, unsigned int count,
			       atomic_bool *through)
{
	unsigned int failed = 0;

	for (unsigned int i = 0; !both_through(through, 1, i >= count); i++)
		failed += pwrite(fd, "1", 1, 0) != 1;
	return failed;
}

static int beside(int fd, const char *file, unsigned int count)
{
	atomic_bool *through = mmap(NULL, 2 * sizeof(*through),
				    PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status, ones = open(file, O_WRONLY);
	pid_t child;

	if (ones < 0)
		err(1, "%s", file);
	if (through == MAP_FAILED)
		err(1, "mmap");
	child = fork();
	if (child < 0)
		err(1, "fork");
	if (!child) {
		printf("%s: %u failed\n", file,
		       write_ones(ones, count, through));
		exit(0);
	}
	printf("label commands: %u failed\n", change(fd, count, through));
	return waitpid(child, &status, 0) != child || status;
}

static int other(int fd, unsigned int number)
{
	char buf[4096] = { 0 };

	if (command(fd, _IOC(_IOC_READ | _IOC_WRITE, ND_IOCTL, number,
			     sizeof(buf)), buf) < 0)
		return refused("other");
	puts("accepted");
	return 0;
}

int main(int argc, char **argv)
{
	int fd;

	if (argc < 3)
		errx(2, "usage: labelcmd size|get|set|beside|until|other /dev/nmemN ...");
	fd = open(argv[2], O_RDWR);
	if (fd < 0)
		err(1, "%s", argv[2]);
	if (!strcmp(argv[1], "size") && argc == 3)
		return size(fd);
	if (!strcmp(argv[1], "get") && argc == 5)
		return get(fd, strtoul(argv[3], NULL, 0), strtoul(argv[4], NULL, 0));
	if (!strcmp(argv[1], "set") && argc == 5)
		return set(fd, strtoul(argv[3], NULL, 0), strtoul(argv[4], NULL, 0));
	if (!strcmp(argv[1], "beside") && argc == 5)
		return beside(fd, argv[3], strtoul(argv[4], NULL, 0));
	if (!strcmp(argv[1], "until") && argc == 5)
		return until(fd, strtoul(argv[3], NULL, 0), strtoul(argv[4], NULL, 0));
	if (!strcmp(argv[1], "other") && argc == 4)
		return other(fd, strtoul(argv[3], NULL, 0));
	errx(2, "usage: labelcmd size|get|set|beside|until|other /dev/nmemN ...");
}
