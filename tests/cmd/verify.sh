# SPDX-License-Identifier: GPL-2.0-only
# ndctl-iopmem verify: transfers that arrive, and transfers that succeed but are dropped.
# Overwritten data is put back. The cases compare the BAR's and the drive's files on the host.
# shellcheck shell=bash
runs_in p2p

# card_and_drive: bind a blank card, set DRIVE to the drive's node, and fill the drive with
# random data
card_and_drive() {
	blank card
	load
	attach card
	DRIVE=/dev/$(guest "grep -l '^drive *\$' /sys/block/nvme*/device/serial" | cut -d/ -f4)
	head -c 256M /dev/urandom | dd of="$DIR/drive.img" bs=1M conv=notrunc status=none
}

# node_with_data: make a device DAX node, NODE. Its first 8 MiB are those of $DIR/pattern, and
# are in the BAR at the offset $at.
node_with_data() {
	create card devdax -s 64M
	new_text
	pattern "$text" >"$DIR/pattern"
	cp "$DIR/pattern" "$VM/share/data"
	run "mapcp in $NODE 8M </host/data"
	at=$(found "$text" "$DIR/card.bar")
}

# same_drive, same_node: print "same" if no byte has changed
same_drive() {
	cmp "$DIR/drive.img" "$DIR/drive.before" && echo same
}

same_node() {
	cmp -n 8M -i "$at:0" "$DIR/card.bar" "$DIR/pattern" && echo same
}

# first_bytes: the drive's first 16 bytes in hex
first_bytes() {
	od -An -tx1 -N16 "$DIR/drive.img" | tr -d ' \n'
}

# passed_lines WAY [TIMES]: how many sizes have passed, by the lines in OUT
passed_lines() {
	grep -cE "^  $1 +[0-9]+ [KM]iB  passed +${2:-3} of ${2:-3}, [0-9.]+ MiB/s\$" <<<"$OUT"
}

# in_folder MKFS: verify with a folder on that file system. The drive's data has to arrive in
# the BAR, and the temporary file has to be gone afterwards.
in_folder() {
	create card fsdax -s 400M
	run "$1 $NODE && mount -o dax=always $NODE /mnt/a && ls -A /mnt/a"
	before=$OUT
	new_text
	# at the place that the last pass of the largest size reads
	echo "$text" | dd of="$DIR/drive.img" bs=1M seek=240 conv=notrunc status=none
	cp "$DIR/drive.img" "$DIR/drive.before"
	run "ndctl-iopmem verify -u $DRIVE /mnt/a"
	like "first line" "^$DRIVE \\(${F[drive]}, nvme\\) and /mnt/a \\(${NODE#/dev/}, ${F[card]} BAR 2\\): passed\$" "$OUT"
	is "sizes from drive to card" 4 "$(passed_lines "drive to card")"
	like "the other way" "card to drive not checked, give --write" "$OUT"
	is "the drive's text in the BAR" 1 "$(in_bar card "$text")"

	run "ndctl-iopmem verify -u --repeat 1 --force --write 64M:16M $DRIVE /mnt/a"
	is "sizes from drive to card" 4 "$(passed_lines "drive to card" 1)"
	is "sizes from card to drive" 4 "$(passed_lines "card to drive" 1)"
	is "the drive" same "$(same_drive)"
	run "ls -A /mnt/a"
	is "files" "$before" "$OUT"
	run "umount /mnt/a && ndctl destroy-namespace -f all"
}

test_folder() {
	local before
	shows "a folder on ext4 and on xfs: all sizes pass in both directions, no file stays, and the drive is as before"
	card_and_drive
	in_folder "mkfs.ext4 -q -F -b 4096"
	in_folder "mkfs.xfs -q -f"
}

test_given() {
	shows "an existing file and a device DAX node are overwritten only with --force, and put back"
	card_and_drive
	node_with_data
	cp "$DIR/drive.img" "$DIR/drive.before"
	fails "bytes of $NODE from offset 1048576 on, and 4194304 bytes of $DRIVE from offset 8388608 on would be overwritten" \
		"ndctl-iopmem verify --range 1M:4M --write 8M:4M $DRIVE $NODE"
	run "ndctl-iopmem verify -u --force --range 1M:4M --write 8M:4M $DRIVE $NODE"
	is "sizes from drive to card" 3 "$(passed_lines "drive to card")"
	is "sizes from card to drive" 3 "$(passed_lines "card to drive")"
	is "the node" same "$(same_node)"
	is "the drive" same "$(same_drive)"
	run "ndctl-iopmem verify -u --force --range 4K:4K --write 0x1000:4K $DRIVE $NODE"
	is "the node" same "$(same_node)"
	is "the drive" same "$(same_drive)"

	create card fsdax -s 128M
	run "mkfs.ext4 -q -F -b 4096 $NODE && mount -o dax=always $NODE /mnt/a
		cp /host/data /mnt/a/file && truncate -s 9000001 /mnt/a/file && cp /mnt/a/file /tmp/file"
	fails "8998912 bytes of /mnt/a/file from offset 0 on would be overwritten" "ndctl-iopmem verify $DRIVE /mnt/a/file"
	run "cmp /mnt/a/file /tmp/file"
	run "ndctl-iopmem verify -u --force $DRIVE /mnt/a/file"
	is "sizes from drive to card" 3 "$(passed_lines "drive to card")"
	run "cmp /mnt/a/file /tmp/file && umount /mnt/a && mount -o dax=always $NODE /mnt/a && cmp /mnt/a/file /tmp/file"
	saw "the file is as before, also after mounting again"
}

# with_nomem [WAY]: print the variables that make a command run with tests/helpers/nomem.c
with_nomem() {
	echo "LD_PRELOAD=/usr/local/bin/nomem.so NOMEM=/sys/bus/pci/devices/${F[card]}${1:+ NOMEM_WAYS=$1}"
}

test_dropped() {
	shows "verify says dropped if the card does not take the drive's writes although the kernel reports success"
	card_and_drive
	node_with_data
	cp "$DIR/drive.img" "$DIR/drive.before"
	fails "^$DRIVE .*: dropped\$" "$(with_nomem) ndctl-iopmem verify -u --force --range 0:8M $DRIVE $NODE"
	like "the kernel reports" "nomem: pread of 4096 returned 4096" "$OUT"
	like "the kernel reports" "nomem: pread of 1048576 returned 1048576" "$OUT"
	is "sizes that are dropped" 3 "$(grep -cE "^  drive to card +[0-9]+ [KM]iB  dropped  wrong bytes: (4096|65536|1048576), the first at offset 0 of the target and 0 of the drive\$" <<<"$OUT")"
	like "expected" "^    expected $(first_bytes) " "$OUT"
	like "found, its complement" "^    found    $(first_bytes | tr 0123456789abcdef fedcba9876543210) " "$OUT"
	like "the last line" "^ndctl-iopmem verify: $DRIVE, $NODE: transfers between them succeed, and data does not arrive: trust no data to them. 'ndctl-iopmem path ${F[drive]} ${F[card]}' shows" "$OUT"
	is "the node" same "$(same_node)"
	is "the drive" same "$(same_drive)"

	fails "^  card to drive +4 KiB  differs  wrong bytes: [0-9]+, " \
		"$(with_nomem write) ndctl-iopmem verify -u --force --repeat 1 --range 0:8M --write 16M:64K $DRIVE $NODE"
	like "the kernel reports" "nomem: pwrite of 65536 returned 65536" "$OUT"
	like "and the way to the card" "^  drive to card +64 KiB  passed  +1 of 1, " "$OUT"
	is "the node" same "$(same_node)"
	is "the drive" same "$(same_drive)"

	run "ndctl-iopmem verify -u --force --range 0:8M --write 16M:64K $DRIVE $NODE"
	is "sizes that are passed with the card answering" 3 "$(passed_lines "drive to card")"
}

test_interrupted() {
	local signal n=0
	shows "after Ctrl-C or SIGTERM in the middle, the node and the drive are put back"
	card_and_drive
	node_with_data
	cp "$DIR/drive.img" "$DIR/drive.before"
	for signal in INT TERM; do
		# a shell starts background processes with SIGINT ignored
		launch "exec env --default-signal=INT ndctl-iopmem verify --force --repeat 1000000 --range 0:8M --write 64M:8M $DRIVE $NODE" \
			'grep -qx ndctl-iopmem /proc/$pid/comm'
		await 60 "[ -z \"\$(same_drive 2>&1 | grep same)\" ] && [ -z \"\$(same_node 2>&1 | grep same)\" ]" ||
			bad "the node and the drive" "to be overwritten" "they are not"
		saw "both are being overwritten"
		run "kill -$signal $PID"
		ended
		is "exit status after SIG$signal" 1 "$OUT"
		run "cat $SAID"
		is "it says" "ndctl-iopmem verify: interrupted" "$OUT"
		is "the node" same "$(same_node)"
		is "the drive" same "$(same_drive)"
	done
}

test_gone() {
	shows "if the function is unbound in the middle, verify says so, and the drive is as before"
	card_and_drive
	node_with_data
	cp "$DIR/drive.img" "$DIR/drive.before"
	launch "ndctl-iopmem verify --force --repeat 1000000 --range 0:8M --write 64M:8M $DRIVE $NODE" \
		'grep -qx ndctl-iopmem /proc/$pid/comm'
	await 60 '[ -z "$(same_drive 2>&1 | grep same)" ]' ||
		bad "the drive" "to be overwritten" "it is not"
	detach card
	ended
	is "exit status" 1 "$OUT"
	run "cat $SAID"
	like "it says" "^ndctl-iopmem verify: $NODE: its memory has gone meanwhile" "$OUT"
	like "it says" "^ndctl-iopmem verify: $NODE: what was in 8388608 bytes from offset 0 on could not be put back" "$OUT"
	is "the drive" same "$(same_drive)"
}

test_refused() {
	local size
	shows "a drive that is in use or has no DMA, or a target that is not on a card, is refused in one line, and nothing is changed"
	card_and_drive
	create card fsdax -s 128M
	run "mkfs.ext4 -q -F -b 4096 $NODE && mount -o dax=always $NODE /mnt/a && mkfs.ext4 -q -F -E lazy_itable_init=0 $DRIVE && mount $DRIVE /mnt/b && sync"
	fails "^ndctl-iopmem verify: $DRIVE: is in use" "ndctl-iopmem verify --force --write 0:4K $DRIVE /mnt/a"
	run "ndctl-iopmem verify -u $DRIVE /mnt/a"
	like "a mounted drive, only read" ": passed\$" "$OUT"
	run "umount /mnt/b; modprobe loop; losetup /dev/loop0 $DRIVE"
	fails "^ndctl-iopmem verify: /dev/loop0: is loop0, for which no PCI function" "ndctl-iopmem verify /dev/loop0 /mnt/a"
	run "losetup -d /dev/loop0"
	size=$(guest "blockdev --getsz $DRIVE")
	run "echo 0 $size linear $DRIVE 0 | dmsetup create over"
	fails "^ndctl-iopmem verify: /dev/mapper/over: is dm-0, for which no PCI function" "ndctl-iopmem verify /dev/mapper/over /mnt/a"
	fails "^ndctl-iopmem verify: $DRIVE: is in use" "ndctl-iopmem verify --force --write 0:4K $DRIVE /mnt/a"
	run "dmsetup remove over"
	fails "^ndctl-iopmem verify: $NODE: is ${NODE#/dev/}, for which no PCI function" "ndctl-iopmem verify $NODE /mnt/a"
	fails "^ndctl-iopmem verify: /root: is on vda, not on iopmem" "ndctl-iopmem verify $DRIVE /root"
	fails "^ndctl-iopmem verify: /tmp: is on tmpfs, which is not on one block device" "ndctl-iopmem verify $DRIVE /tmp"
	fails "^ndctl-iopmem verify: --write: $DRIVE has 268435456 bytes, 8192 from offset 268431360 on are more" \
		"ndctl-iopmem verify --force --write 0xffff000:8K $DRIVE /mnt/a"
	run "chmod 777 /mnt/a"
	fails "^ndctl-iopmem verify: $DRIVE: Permission denied" "setpriv --reuid=65534 --clear-groups ndctl-iopmem verify $DRIVE /mnt/a"
	fails "^ndctl-iopmem verify: /mnt/a: physical addresses need root" \
		"setpriv --inh-caps=-sys_admin --bounding-set=-sys_admin ndctl-iopmem verify $DRIVE /mnt/a"
	run "umount /mnt/a && mount -o dax=never $NODE /mnt/a"
	fails "^ndctl-iopmem verify: /mnt/a: is not DAX" "ndctl-iopmem verify $DRIVE /mnt/a"
	run "ls -A /mnt/a"
	is "files" lost+found "$OUT"
}

test_progress() {
	shows "on a terminal verify says which transfer it waits for, and erases that line at the end"
	card_and_drive
	create card fsdax -s 128M
	run "mkfs.ext4 -q -F -b 4096 $NODE && mount -o dax=always $NODE /mnt/a"
	run "mkdir -p /dev/pts && mount -t devpts devpts /dev/pts
		script -qec 'ndctl-iopmem verify -u --repeat 1 $DRIVE /mnt/a' /dev/null; rc=\$?; umount /dev/pts; exit \$rc"
	like "before a transfer" "drive to card: 16 MiB, 1 of 1 \.\.\..\[K" "$(tr '\r' '\n' <<<"$OUT")"
	like "in the end" "^.\[K$DRIVE .*: passed" "$(tr '\r' '\n' <<<"$OUT")"
}
