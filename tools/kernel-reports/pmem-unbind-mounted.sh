#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A disk that loses its driver below a file system with DAX, while a program has a file
# open that it has stored to by mmap(). FS=xfs takes xfs, else it is ext4. HOLD=hold has the
# program keep the mapping, too. The file system cannot be unmounted afterwards.
. "$(dirname "$0")/lib.sh"

FS=${FS:-ext4}
compile map <"$here/map.c"
begin "the program and umount of $FS end, with errors of the file system and no oops"
fresh
create fsdax --map=mem -s 400M
case $FS in
ext4) mkfs.ext4 -q -F -b 4096 "/dev/$disk" ;;
xfs) mkfs.xfs -q -f "/dev/$disk" ;;
esac || cannot "there is no mkfs.$FS"
mkdir "$tmp/mnt"
mount -o dax "/dev/$disk" "$tmp/mnt" || cannot "mount -o dax fails"
dd if=/dev/zero of="$tmp/mnt/file" bs=1M count=8 conv=fsync 2>/dev/null
"$tmp/map" "${HOLD:-open}" "$tmp/mnt/file" >"$tmp/said" &
map=$!
until [ -s "$tmp/said" ] || ! kill -0 "$map"; do
	sleep 1
done
pfn=$(basename "$(dirname "$(dirname "$(readlink -f "/sys/class/block/$disk")")")")
echo "$pfn" >"$drivers/nd_pmem/unbind"
kill "$map"
sleep 3
umount "$tmp/mnt" &
say "BUG: |Oops|general protection|WARNING" 20
