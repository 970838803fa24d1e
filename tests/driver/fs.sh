# SPDX-License-Identifier: GPL-2.0-only
# File systems with DAX
# shellcheck shell=bash
runs_in base

# one_fs MKFS CHECK: try a file system on card
one_fs() {
	blank card
	load
	attach card
	create card fsdax
	run "$1 $NODE && mount -o dax=always $NODE /mnt/a"

	new_text
	run "echo '$text' >/mnt/a/written && sync /mnt/a/written"
	is "write and fsync, in the BAR's file" 1 "$(in_bar card "$text")"

	new_text
	run "fallocate -l 4M /mnt/a/mapped && { echo '$text'; head -c 4M /dev/urandom; } >/tmp/data; mapcp in /mnt/a/mapped@1M 1M </tmp/data"
	is "mmap and msync, in the BAR's file" 1 "$(in_bar card "$text")"
	run "head -c 1M /tmp/data >/tmp/want; dd if=/mnt/a/mapped bs=1M skip=1 count=1 status=none | cmp - /tmp/want && echo equal"
	is "read(2) sees what the mapping wrote" equal "$OUT"
	run "dd if=/tmp/want of=/mnt/a/mapped bs=1M seek=2 conv=notrunc,fsync status=none; mapcp out /mnt/a/mapped@2M 1M | cmp - /tmp/want && echo equal"
	is "the mapping sees what write(2) wrote" equal "$OUT"

	run "umount /mnt/a && $2 $NODE"
	detach card
	attach card
	run "mount -o dax=always $NODE /mnt/a && cat /mnt/a/written && dd if=/mnt/a/mapped bs=1M skip=1 count=1 status=none | cmp - /tmp/want && echo all there"
	like "after unbinding and binding" "all there" "$OUT"
}

test_ext4() {
	shows "ext4 with dax=always: write, mmap, fsync and msync reach the BAR"
	one_fs "mkfs.ext4 -q -F -b 4096" "e2fsck -fn"
}

test_xfs() {
	shows "xfs with dax=always: write, mmap, fsync and msync reach the BAR"
	one_fs "mkfs.xfs -q -f" "xfs_repair -n"
}
