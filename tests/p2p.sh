# SPDX-License-Identifier: GPL-2.0-only
# Peer-to-peer: the drive's own DMA into and from the BAR
# shellcheck shell=bash

# transfer FILE: drive to mapping and back. The drive's bytes are put there,
# and looked for in the BAR, from the host.
transfer() {
	local at
	new_text
	pattern "$text" >"$DIR/pattern"
	dd if="$DIR/pattern" of="$DIR/drive.img" bs=1M seek=16 conv=notrunc status=none
	dd if=/dev/zero of="$DIR/drive.img" bs=1M seek=32 count=8 conv=notrunc status=none

	run "dma /dev/nvme0n1@16M $1 8M"
	like "$1" "read 8388608 bytes" "$OUT"
	read -r _ start end < <(guest "echo bar \$(sed -n 3p /sys/bus/pci/devices/${F[card]}/resource)")
	end=${end%% *}
	first=$(sed -n 's/.*addresses \(0x[0-9a-f]*\) to .*/\1/p' <<<"$OUT")
	last=$(sed -n 's/.* to \(0x[0-9a-f]*\)$/\1/p' <<<"$OUT")
	((first >= start && last <= end)) ||
		bad "pages of $1" "within $start to $end" "$first to $last"
	at=$(found "$text" "$DIR/card.bar")
	is "in the BAR's file at" "$((first - start))" "$at"
	is "the BAR against the drive's bytes" equal \
		"$(cmp -n 8M -i "$at:0" "$DIR/card.bar" "$DIR/pattern" && echo equal)"

	run "dma $1 /dev/nvme0n1@32M 8M"
	is "the drive, written from $1" equal \
		"$(cmp -n 8M -i 32M:0 "$DIR/drive.img" "$DIR/pattern" && echo equal)"
}

# a file that is large and on the card
on_fs() {
	create card fsdax
	run "$1 $NODE && mount -o dax=always $NODE /mnt/a && fallocate -l 8M /mnt/a/file && sync"
	transfer /mnt/a/file
	run "umount /mnt/a"
	run "ndctl destroy-namespace -f all"
}

all_kinds() {
	blank card
	load
	attach card
	on_fs "mkfs.ext4 -q -F -b 4096"
	on_fs "mkfs.xfs -q -f"
	create card devdax -s 64M
	transfer "$NODE"
}

runs_in base

test_nvme() {
	shows "NVMe reads into, and writes from, files on ext4 and xfs and a devdax mapping"
	all_kinds
}

runs_in moved

test_nvme_iommu() {
	shows "the same behind an IOMMU"
	run "cat /sys/bus/pci/devices/${F[drive]}/iommu_group/type"
	like "the drive's IOMMU domain" "^DMA" "$OUT"
	all_kinds
}
