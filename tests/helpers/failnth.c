// SPDX-License-Identifier: GPL-2.0-only
/*
 * failnth write FILE TEXT		write TEXT by one write()
 * failnth load MODULE PARAMETERS	load a module by finit_module()
 *
 * An allocation fails meanwhile if FAIL_NTH says so, see failnth.h. If the kernel
 * refuses, the name of the errno is printed.
 */
#define _GNU_SOURCE
#include "failnth.h"
#include <string.h>
#include <sys/syscall.h>

int main(int argc, char **argv)
{
	long rc;
	int fd;

	if (argc != 4)
		errx(2, "usage: failnth write|load FILE TEXT");
	if (!strcmp(argv[1], "write")) {
		fd = open(argv[2], O_WRONLY);
		if (fd < 0)
			err(2, "%s", argv[2]);
		fail_begin();
		rc = write(fd, argv[3], strlen(argv[3]));
		fail_end();
	} else {
		fd = open(argv[2], O_RDONLY);
		if (fd < 0)
			err(2, "%s", argv[2]);
		fail_begin();
		rc = syscall(SYS_finit_module, fd, argv[3], 0);
		fail_end();
	}
	if (rc < 0) {
		puts(strerrorname_np(errno));
		return 1;
	}
	return 0;
}
