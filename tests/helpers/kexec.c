// SPDX-License-Identifier: GPL-2.0-only
/*
 * kexec KERNEL INITRD APPEND	load this kernel. Its command line is the running
 *				kernel's, and APPEND
 * kexec			start the loaded kernel
 */
#include <err.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_read(const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

int main(int argc, char **argv)
{
	char line[4096];
	ssize_t n;

	if (argc == 1) {
		syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
			LINUX_REBOOT_CMD_KEXEC, NULL);
		err(1, "reboot");
	}
	if (argc != 4)
		errx(2, "usage: kexec [KERNEL INITRD APPEND]");

	n = read(open_read("/proc/cmdline"), line, sizeof(line) / 2);
	if (n <= 0)
		err(1, "/proc/cmdline");
	snprintf(line + n - 1, sizeof(line) - n + 1, " %s", argv[3]);
	if (syscall(SYS_kexec_file_load, open_read(argv[1]), open_read(argv[2]),
		    strlen(line) + 1, line, 0UL))
		err(1, "kexec_file_load");
	return 0;
}
