#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# An ioctl on /dev/nmemX while the nvdimm bus goes. All that needs the bus or its parent
# hangs afterwards.
. "$(dirname "$0")/lib.sh"

begin "unbinding and binding nfit, 200 times, ends"
fresh
provider
compile getter <<'END'
#include <fcntl.h>
#include <linux/ndctl.h>
#include <sys/ioctl.h>

int main(int argc, char **argv)
{
	static struct { struct nd_cmd_get_config_data_hdr hdr; char data[4096]; } get;
	int fd = open(argv[1], O_RDONLY);

	for (;;) {
		get.hdr.in_length = 4096;
		ioctl(fd, ND_IOCTL_GET_CONFIG_DATA, &get);
	}
}
END
"$tmp/getter" "/dev/$dimm" &
getter=$!
(
	for n in $(seq 200); do
		echo "$n" >"$tmp/round"
		echo "$of" >"$nfit/unbind"
		echo "$of" >"$nfit/bind"
	done 2>/dev/null
	echo end >"$tmp/round"
) &
was=
n=0
while [ "$n" -lt 60 ]; do
	now=$(cat "$tmp/round" 2>/dev/null)
	[ "$now" != end ] || break
	if [ "$now" = "$was" ]; then
		n=$((n + 1))
	else
		n=0 was=$now
	fi
	sleep 1
done
if [ "$now" != end ]; then
	echo "the ioctl is in:"
	cat "/proc/$getter/stack"
	end bad "the write to unbind does not return: 60 s in round $now"
fi
kill "$getter"
end good "200 rounds"
