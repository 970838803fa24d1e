#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# MAP_SYNC on a pmem device that does not offer it, after a device DAX node was destroyed.
# This wants a virtio-pmem device, too.
. "$(dirname "$0")/lib.sh"

modprobe virtio_pmem 2>/dev/null
for vdev in /sys/bus/virtio/drivers/virtio_pmem/virtio*; do
	vdev=${vdev##*/}
done
[ "$vdev" != 'virtio*' ] || cannot "there is no virtio-pmem device"

# find_block: set vblock to the disk of the virtio-pmem device
find_block() {
	for vblock in "/sys/bus/virtio/devices/$vdev"/ndbus*/region*/*/block/pmem*; do
		vblock=/dev/${vblock##*/}
	done
}

# try: whether MAP_SYNC is taken
try() {
	find_block
	mount -o dax "$vblock" "$tmp/mnt" || cannot "mount -o dax $vblock fails"
	"$tmp/map" sync "$tmp/mnt/file" 2>/dev/null
	rc=$?
	umount "$tmp/mnt"
	return "$rc"
}

again() {
	echo "$vdev" >/sys/bus/virtio/drivers/virtio_pmem/unbind
	echo "$vdev" >/sys/bus/virtio/drivers/virtio_pmem/bind
	sleep 1
}

begin "mmap() with MAP_SYNC fails with EOPNOTSUPP, each time"
compile map <"$here/map.c"
mkdir "$tmp/mnt"
again
for vns in "/sys/bus/virtio/devices/$vdev"/ndbus*/region*/namespace*; do
	ndctl destroy-namespace -f "${vns##*/}" >/dev/null 2>&1
done
again
find_block
mkfs.ext4 -q -F -b 4096 "$vblock" || cannot "there is no mkfs.ext4"
mount -o dax "$vblock" "$tmp/mnt" || cannot "mount -o dax $vblock fails"
dd if=/dev/zero of="$tmp/mnt/file" bs=1M count=8 conv=fsync 2>/dev/null
umount "$tmp/mnt"
try && echo "it is accepted from the start"
for n in $(seq 20); do
	fresh
	create devdax
	ndctl destroy-namespace -f "$ns" >/dev/null 2>&1
	again
	! try || end bad "it is accepted, after a device DAX node was destroyed $n times"
done
end good "it is refused, 20 times"
