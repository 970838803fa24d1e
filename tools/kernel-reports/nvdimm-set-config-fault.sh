#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# SET_CONFIG_DATA with a buffer that can be read and not written
. "$(dirname "$0")/lib.sh"

begin "the call fails and the label area is as it was, or the call succeeds"
fresh
off
compile set <<'END'
#include <errno.h>
#include <fcntl.h>
#include <linux/ndctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

int main(int argc, char **argv)
{
	static struct { struct nd_cmd_get_config_data_hdr hdr; char data[16]; } get;
	struct nd_cmd_set_config_hdr *set = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
						 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open(argv[1], O_RDWR), rc;

	set->in_offset = 0x10000;	/* in the middle, where no label is */
	set->in_length = 16;
	memcpy(set->in_buf, "kernel-reports!", 16);
	mprotect(set, 4096, PROT_READ);
	rc = ioctl(fd, ND_IOCTL_SET_CONFIG_DATA, set);
	printf("%s", rc < 0 ? strerror(errno) : "success");
	get.hdr.in_offset = 0x10000;
	get.hdr.in_length = 16;
	if (ioctl(fd, ND_IOCTL_GET_CONFIG_DATA, &get) < 0)
		return 125;
	printf(", and the bytes are %s\n", memcmp(get.hdr.out_buf, set->in_buf, 16) ? "as they were" : "written");
	return rc < 0 && !memcmp(get.hdr.out_buf, set->in_buf, 16);
}
END
got=$("$tmp/set" "/dev/$dimm")
case $? in
0) end good "$got" ;;
1) end bad "$got" ;;
*) cannot "/dev/$dimm: $got" ;;
esac
