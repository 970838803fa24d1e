# SPDX-License-Identifier: GPL-2.0-only
# The steps. flush and throughput run with labels=0, all steps from bind on with labels=1.
# shellcheck shell=bash

# labelled: bind with label areas. They stay for the steps that follow.
labelled() {
	reload labels=1
	each 4 align
}

# align: set the alignment to 2 MiB, as our udev rule does
align() {
	local file=/sys/bus/nd/devices/$REGION/align
	[ ! -e "$file" ] || run "echo 2097152 >$file"
}

# fresh: unmount, and destroy the namespaces that an earlier step may have left
fresh() {
	unmount
	! cat "$device"/ndbus*/"$REGION"/namespace*/size | grep -qvx 0 ||
		run "ndctl destroy-namespace -f -r $REGION all"
}

# random BYTES: fill $work/data with random bytes
random() {
	run "head -c $1 /dev/urandom >$work/data"
}

# store [BYTE], stored [BYTE]: write $work/data to NODE at that byte, and check that it is
# there
store() {
	run "dd if=$work/data of=$NODE bs=64K oflag=direct,seek_bytes seek=${1:-0} conv=fsync,notrunc status=none"
}

stored() {
	run "dd if=$NODE of=$work/got bs=64K iflag=direct,skip_bytes,count_bytes skip=${1:-0} count=$(stat -c %s "$work/data") status=none"
	cmp "$work/data" "$work/got" || wrong "$NODE does not have what was written to it from byte ${1:-0} on"
}

# keeps: check that the block device keeps data at both of its ends
keeps() {
	local at
	for at in 0 $((($(blockdev --getsize64 "$NODE") - (2 << 20)) & ~4095)); do
		random 2M
		store "$at"
		stored "$at"
		saw "2 MiB at byte $at of $NODE are as written"
	done
}

# mode MODE [OPTION]: try a namespace of that mode
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

# namespaces: into OUT, what labels keep of the namespaces
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

# file_system MKFS PACKAGE OPTION...: a file on that file system survives unmounting
file_system() {
	command -v "$1" >/dev/null || skip "$1 is not installed: apt install $2"
	fresh
	create card fsdax --map=mem
	mount_dax "$1" "${@:3}"
	random 8M
	run "cp $work/data $mnt/file && umount $mnt && mount -o dax $NODE $mnt && cmp $work/data $mnt/file"
	fresh
}

# mount_dax MKFS...: make that file system on NODE, and mount it with DAX
mount_dax() {
	run "$* $NODE && mount -o dax $NODE $mnt"
	like "mounted with" "(^|,)dax" "$(findmnt -nro OPTIONS "$mnt")"
}

# by_fio FILE: fio maps the file, stores to it, reads it again and compares
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

# mapping_type: check the memory type that the kernel has reserved. The page tables cannot
# be read here.
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

# took: the time that dd has printed
took() {
	sed -n 's/.* copied, \([^,]*\), .*/\1/p' <<<"$OUT"
}

rate() {
	sed -n 's/.* copied, .*, //p' <<<"$OUT"
}

# flush: check that the data is there after a flush, and measure what a flush costs. The
# CPU cannot see whether a flush waits for the stores before it.
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

# predicted: the most that the link lets through, by the model of tests/bench
predicted() {
	local speed width
	speed=$(sed 's/ .*//' "$device/current_link_speed" 2>/dev/null)
	width=$(cat "$device/current_link_width" 2>/dev/null)
	"$top/tests/bench/pcie" "$speed" "$width" 2>/dev/null | awk -F'\t' '
		/store of 8/ { uncached = $5 }
		/store of 64/ { combined = $5 }
		/\tload/ { load = $5 }
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

# arrives TARGET OPTION...: check that the drive's DMA arrives, in both directions
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

# again: bind the card again, note whether it has kept its contents, and check that it
# works
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

# in_use: make a namespace, and write data to it that is flushed
in_use() {
	fresh
	create card raw
	random 2M
	store
}

reset() {
	[ -e "$device/reset" ] || skip "the function has no reset"
	in_use
	saw "reset by $(xargs <"$device/reset_method")"
	run "echo 1 >$device/reset"
	fails "Input/output error|No space left" "dd if=/dev/zero of=$NODE bs=4K count=1 oflag=direct conv=fsync,notrunc status=none"
	again
}

# suspend: a card may lose its contents while the machine sleeps. Then all reads have to
# fail.
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
