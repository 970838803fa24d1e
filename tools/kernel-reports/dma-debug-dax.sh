#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A read with O_DIRECT from an NVMe drive into a mapping of a device DAX node, on a kernel
# with CONFIG_DMA_API_DEBUG
. "$(dirname "$0")/lib.sh"

begin "4 KiB are read"
modprobe nvme 2>/dev/null
[ -b /dev/nvme0n1 ] || cannot "there is no NVMe drive"
zgrep -q CONFIG_DMA_API_DEBUG=y /proc/config.gz 2>/dev/null ||
	grep -q CONFIG_DMA_API_DEBUG=y "/boot/config-$(uname -r)" 2>/dev/null ||
	echo "the kernel seems to be without CONFIG_DMA_API_DEBUG"
compile map <"$here/map.c"
fresh
create devdax
"$tmp/map" read /dev/nvme0n1 "/dev/$disk" &
map=$!
n=0
while kill -0 "$map" 2>/dev/null && [ "$n" -lt 30 ]; do
	sleep 1
	n=$((n + 1))
done
! kill -0 "$map" 2>/dev/null || end bad "no end after 30 s; $(log WARNING | head -n 1)"
wait "$map" || end bad "the read fails"
end good "4 KiB"
