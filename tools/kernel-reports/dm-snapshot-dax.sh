#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A snapshot of an active volume on pmem that is not mounted. This does with dmsetup what
# lvcreate --snapshot does.
. "$(dirname "$0")/lib.sh"

command -v dmsetup >/dev/null || cannot "there is no dmsetup"
modprobe -a dm_mod dm_snapshot 2>/dev/null
begin "the volume's table is replaced"
fresh
create fsdax -s 256M
sectors=$((64 << 11))
table="0 $sectors linear /dev/$disk"
dmsetup create kr-volume --table "$table 0" || cannot "dmsetup create fails"
dmsetup create kr-real --table "$table 0"
dmsetup create kr-cow --table "$table $sectors"
dmsetup create kr-snap --table "0 $sectors snapshot /dev/mapper/kr-real /dev/mapper/kr-cow P 8"
if dmsetup load kr-volume --table "0 $sectors snapshot-origin /dev/mapper/kr-real" 2>"$tmp/why"; then
	rc=good got="it is"
else
	rc=bad got="$(cat "$tmp/why") ($(log "device-mapper" | tail -n 1))"
fi
for name in snap cow real volume; do
	dmsetup remove "kr-$name"
done
end "$rc" "$got"
