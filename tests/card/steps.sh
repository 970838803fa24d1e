# SPDX-License-Identifier: GPL-2.0-only
# What is tried on a card: flush and throughput with labels=0, all else with labels=1
# shellcheck shell=bash

# labelled: from here on the BARs have labels
labelled() {
	reload labels=1
	each 4 align
}

# align: as the udev rule for it does
align() {
	local file=/sys/bus/nd/devices/$REGION/align
	[ ! -e "$file" ] || run "echo 2097152 >$file"
}

# fresh: the region has no namespace, whatever a step before has left
fresh() {
	unmount
	! cat "$device"/ndbus*/"$REGION"/namespace*/size | grep -qvx 0 ||
		run "ndctl destroy-namespace -f -r $REGION all"
}

# random BYTES: in $work/data
random() {
	run "head -c $1 /dev/urandom >$work/data"
}

# store [BYTE], stored [BYTE]: $work/data is written there, and is what is read
store() {
	run "dd if=$work/data of=$NODE bs=64K oflag=direct,seek_bytes seek=${1:-0} conv=fsync,notrunc status=none"
}

stored() {
	run "dd if=$NODE of=$work/got bs=64K iflag=direct,skip_bytes,count_bytes skip=${1:-0} count=$(stat -c %s "$work/data") status=none"
	cmp "$work/data" "$work/got" || wrong "$NODE does not have what was written to it from byte ${1:-0} on"
}

# keeps: what is written to both ends of the block device
keeps() {
	local at
	for at in 0 $((($(blockdev --getsize64 "$NODE") - (2 << 20)) & ~4095)); do
		random 2M
		store "$at"
		stored "$at"
		saw "2 MiB at byte $at of $NODE are as written"
	done
}

# mode MODE [OPTION]
mode() {
	fresh
	create card "$@"
	is "mode" "$1" "$(field mode)"
	if [ "$1" = devdax ]; then
		run "[ -c $NODE ] && cat /sys/bus/dax/devices/${NODE##*/}/size"
		saw "$NODE of $OUT bytes"
	else
		keeps
	fi
	fresh
}

# namespaces: what labels say of them
namespaces() {
	run "ndctl list -N -r $REGION"
	OUT=$(grep -E '"(uuid|name|mode|size)"' <<<"$OUT")
}

rebind() {
	settle
	run "ndctl-iopmem unbind $CARD"
	run "ndctl-iopmem bind $CARD"
	settle
}

labels() {
	local before i
	fresh
	create card sector -s 16M -n second
	create card raw -s 16M -n first
	random 2M
	store
	namespaces
	before=$OUT
	is "namespaces" "first second" "$(sed -n 's/.*"name":"\(.*\)".*/\1/p' <<<"$before" | sort | xargs)"
	for i in 1 2 3; do
		rebind
		namespaces
		is "namespaces, bound again, $i" "$before" "$OUT"
		NODE=$(block_device)
		stored
	done
	fresh
}

# file_system MKFS PACKAGE OPTION...
file_system() {
	command -v "$1" >/dev/null || skip "$1 is not installed: apt install $2"
	fresh
	create card fsdax --map=mem
	mount_dax "$1" "${@:3}"
	random 8M
	run "cp $work/data $mnt/file && umount $mnt && mount -o dax $NODE $mnt && cmp $work/data $mnt/file"
	fresh
}

# mount_dax MKFS...
mount_dax() {
	run "$* $NODE && mount -o dax $NODE $mnt"
	like "mounted with" "(^|,)dax" "$(findmnt -nro OPTIONS "$mnt")"
}

# by_fio FILE: by what a program has mapped, and fio reads again and compares
by_fio() {
	run "cd $work && fio --name=mapped --filename=$1 --ioengine=mmap --rw=randwrite --bs=4k --size=8M --verify=crc32c --verify_fatal=1"
	saw "$(grep -m1 'err=' <<<"$OUT")"
}

mapped() {
	command -v fio >/dev/null || skip "fio is not installed: apt install fio"
	command -v mkfs.ext4 >/dev/null || skip "mkfs.ext4 is not installed: apt install e2fsprogs"
	fresh
	create card devdax --map=mem
	by_fio "$NODE"
	fresh
	create card fsdax --map=mem
	mount_dax mkfs.ext4 -q -F -b 4096
	by_fio "$mnt/file"
	fresh
}

# mapping_type: what page tables say is not to be had; what the kernel has reserved is
mapping_type() {
	local type
	fresh
	create card fsdax --map=mem
	run "ndctl-iopmem list $CARD"
	type=$(sed -n "/\"bar\":$BAR,/,/\"memory_type\"/s/.*\"memory_type\":\"\?\([^\",]*\).*/\1/p" <<<"$OUT")
	[ ! -e /sys/kernel/debug/x86/pat_memtype_list ] || saw "$(cat /sys/kernel/debug/x86/pat_memtype_list)"
	[ ! -e /proc/mtrr ] || saw "$(cat /proc/mtrr)"
	[ "$type" != null ] || skip "the kernel does not show it: mount -t debugfs debugfs /sys/kernel/debug"
	if [ "$(cat "/sys/bus/nd/devices/$REGION/iopmem/cached")" = 0 ]; then
		is "memory type" write-combining "$type"
	fi
	note "BAR $BAR is $type"
	fresh
}

# took: the time that dd says
took() {
	sed -n 's/.* copied, \([^,]*\), .*/\1/p' <<<"$OUT"
}

rate() {
	sed -n 's/.* copied, .*, //p' <<<"$OUT"
}

# flush: its order against stores is not to be seen from the CPU, only that the data is
# there after it, and what it costs to go to the card
flush() {
	local with without
	whole || wrong "BAR $BAR is no block device of $SIZE bytes"
	random 1M
	run "dd if=$work/data of=$NODE bs=4K oflag=direct,dsync conv=notrunc"
	with=$(took)
	stored
	random 1M
	run "dd if=$work/data of=$NODE bs=4K oflag=direct conv=notrunc"
	without=$(took)
	stored
	note "256 writes of 4 KiB take $with with a flush each, and $without without"
}

# predicted: what the model of tests/bench expects of the link at most
predicted() {
	local speed width
	speed=$(sed 's/ .*//' "$device/current_link_speed" 2>/dev/null)
	width=$(cat "$device/current_link_width" 2>/dev/null)
	"$top/tests/bench/pcie" "$speed" "$width" 2>/dev/null | awk -F'\t' '
		/store of 8/ { uncached = $5 }
		/store of 64/ { combined = $5 }
		/load/ { load = $5 }
		END {
			if (NR)
				printf "; a link of %s GT/s and %s lanes lets through at most %s MB/s of write-combining stores, %s MB/s of uncached ones, and loads of %s MB/s if each takes %s ns", $1, $2, combined, uncached, load, $3
		}'
}

throughput() {
	local mib=$((SIZE >> 20 < 64 ? SIZE >> 20 : 64)) write
	whole || wrong "BAR $BAR is no block device of $SIZE bytes"
	run "dd if=/dev/zero of=$NODE bs=1M count=$mib oflag=direct conv=fsync,notrunc"
	write=$(rate)
	run "dd if=$NODE of=/dev/null bs=1M count=$mib iflag=direct"
	note "the CPU writes $write and reads $(rate)$(predicted)"
}

# arrives TARGET OPTION...: the drive's DMA, both ways
arrives() {
	local said way
	said=$(ndctl-iopmem verify -u --force --write 0:16M "${@:2}" "$DRIVE" "$1" 2>&1) || {
		saw "$said"
		wrong "$({ grep -Em1 ': (dropped|differs|refused)$' <<<"$said"; tail -n 1 <<<"$said"; } | uniq)"
	}
	saw "$said"
	for way in "drive to card" "card to drive"; do
		note "$way $(sed -n "s/^  $way .* of [0-9]*, //p" <<<"$said" | sort -n | tail -n 1)"
	done
}

p2p_file() {
	[ -n "$DRIVE" ] || skip "no drive is named by DRIVE="
	command -v mkfs.ext4 >/dev/null || skip "mkfs.ext4 is not installed: apt install e2fsprogs"
	fresh
	create card fsdax --map=mem
	mount_dax mkfs.ext4 -q -F -b 4096
	arrives "$mnt"
	fresh
}

p2p_devdax() {
	[ -n "$DRIVE" ] || skip "no drive is named by DRIVE="
	fresh
	create card devdax --map=mem
	arrives "$NODE" --range 0:16M
	fresh
}

# again: bound anew the card works, and what it has kept is said
again() {
	rebind
	NODE=$(block_device)
	if [ ! -b "$NODE" ]; then
		note "BAR $BAR has lost its labels"
	elif dd if="$NODE" bs=64K count=32 iflag=direct status=none | cmp - "$work/data"; then
		note "BAR $BAR has kept its contents"
	else
		note "BAR $BAR has lost its contents"
	fi
	fresh
	create card raw
	keeps
	fresh
}

# in_use: a namespace, with data that is flushed
in_use() {
	fresh
	create card raw
	random 2M
	store
}

reset() {
	[ -e "$device/reset" ] || skip "the function has none"
	in_use
	saw "reset by $(xargs <"$device/reset_method")"
	run "echo 1 >$device/reset"
	fails "Input/output error|No space left" "dd if=/dev/zero of=$NODE bs=4K count=1 oflag=direct conv=fsync,notrunc status=none"
	again
}

# suspend: a card may lose its contents. Then no read may succeed.
suspend() {
	[ "$SUSPEND" = yes ] || skip "not asked for by SUSPEND=yes"
	command -v rtcwake >/dev/null || skip "rtcwake is not installed: apt install util-linux"
	grep -qw mem /sys/power/state || skip "this machine has no suspend to RAM"
	in_use
	run "rtcwake -m mem -s 30"
	if dd if="$NODE" of="$work/got" bs=64K count=32 iflag=direct status=none; then
		cmp "$work/data" "$work/got" || wrong "BAR $BAR has lost its contents, and reads succeed"
		store
	else
		like "kernel log" "iopmem $CARD: does not answer as it did" "$(step_log)"
	fi
	again
}

kernel_log() {
	local found
	found=$(card_log | grep -E "WARNING:|BUG:|Oops|Call Trace:|general protection|[Mm]achine [Cc]heck|Hardware Error|$CARD.*(AER:|PCIe Bus Error)|AER:.*$CARD")
	[ -z "$found" ] || { saw "$found"; wrong "$(head -n 1 <<<"$found")"; }
}
