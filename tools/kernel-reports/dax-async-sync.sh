#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# MAP_SYNC on device DAX of a region that is ND_REGION_ASYNC. This wants a virtio-pmem
# device.
. "$(dirname "$0")/lib.sh"

modprobe virtio_pmem 2>/dev/null
for vregion in /sys/bus/virtio/drivers/virtio_pmem/virtio*/ndbus*/region*; do
	vregion=${vregion##*/}
done
[ "$vregion" != 'region*' ] || cannot "there is no virtio-pmem device"
begin "mmap() with MAP_SYNC of a node on such a region fails with EOPNOTSUPP"
compile map <"$here/map.c"
ndctl create-namespace -f -e "namespace${vregion#region}.0" -m devdax >"$tmp/created" 2>&1 ||
	cannot "ndctl create-namespace: $(cat "$tmp/created")"
node=/dev/$(sed -n 's/.*"chardev":"\([^"]*\)".*/\1/p' "$tmp/created" | head -n 1)
udevadm settle 2>/dev/null || sleep 1
"$tmp/map" sync "$node"
case $? in
0) end bad "it succeeds" ;;
1) end good "it fails" ;;
*) cannot "$node cannot be opened" ;;
esac
