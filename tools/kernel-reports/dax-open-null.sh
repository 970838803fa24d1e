#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A device DAX node that is opened and mapped while its driver is unbound. device_dax does
# not work any more afterwards.
. "$(dirname "$0")/lib.sh"

begin "mmap() of the node fails"
fresh
create devdax
compile mapper <<'END'
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	for (;;) {
		int fd = open(argv[1], O_RDWR);
		void *p;

		if (fd < 0)
			continue;
		p = mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (p != MAP_FAILED)
			munmap(p, 2 << 20);
		close(fd);
	}
}
END
"$tmp/mapper" "/dev/$disk" &
mapper=$!
cd /sys/bus/dax/drivers/device_dax || cannot "there is no device_dax"
(
	n=0
	while [ "$n" -lt 500 ] && kill -0 "$mapper"; do
		echo "$disk" >unbind
		echo "$disk" >bind
		n=$((n + 1))
	done 2>/dev/null
) &
logged 60 "BUG: kernel NULL|Oops|general protection"
kill "$mapper" 2>/dev/null
say "BUG: kernel NULL|Oops|general protection" 1
