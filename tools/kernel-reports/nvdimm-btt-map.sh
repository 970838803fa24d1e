#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A BTT whose map gives block 0 a place that the arena does not have
. "$(dirname "$0")/lib.sh"

begin "reading block 0 fails with EIO; no warning"
fresh
create sector
raw_begin
# with labels 1.2 the info block is at the start
at=$(od -An -tu8 -j 96 -N 8 "$raw")
printf '\377\377\377\377' | dd of="$raw" bs=1 seek=$((at)) conv=notrunc 2>/dev/null
raw_end
on
for disk in "$nd"/btt*/block/pmem*; do
	disk=${disk##*/}
done
udevadm settle 2>/dev/null || sleep 1
dd if="/dev/$disk" of=/dev/null bs=4096 count=1 iflag=direct 2>&1 | head -n 1
say "request out of range|WARNING" 3
