# SPDX-License-Identifier: GPL-2.0-only
# The contents of the BARs. With labels=0 all of a BAR, with its label area, is one block
# device.
# shellcheck shell=bash

# block_device: print the region's block device
block_device() {
	find "$device"/ndbus*/"$REGION"/*/block -mindepth 1 -maxdepth 1 -name 'pmem*[0-9]' -printf '/dev/%f\n'
}

# whole: set NODE to the block device. Fail unless it is as large as the region.
whole() {
	NODE=$(block_device)
	# shellcheck disable=SC2153 # each sets it
	[ -b "$NODE" ] && [ "$(blockdev --getsize64 "$NODE")" = "$SIZE" ]
}

# no_namespace: refuse the card if the region has a namespace
no_namespace() {
	local size
	for size in "$device"/ndbus*/"$REGION"/namespace*/size; do
		[ "$(cat "$size")" = 0 ] || {
			size=${size%/size}
			refuse "BAR $BAR holds ${size##*/}, of $(cat "$size/size") bytes"
		}
	done
}

# first_different: the first byte that differs, from the output of cmp -l. Other output of
# cmp depends on the locale.
first_different() {
	awk 'NR == 1 { print $1; exit }'
}

# zeros FROM LENGTH: refuse the card unless all these bytes are zero, and name the first
# byte that is not
zeros() {
	local byte why
	byte=$(
		set -o pipefail
		dd if="$NODE" bs=64K iflag=direct,skip_bytes,count_bytes skip="$1" count="$2" status=none |
			cmp -l -n "$2" - /dev/zero | first_different
	) && [ -z "$byte" ] && return
	[ -n "$byte" ] || wrong "BAR $BAR cannot be read from byte $1 on"
	byte=$(($1 + byte - 1))
	why="BAR $BAR is not zero at byte $byte"
	[ "$byte" -lt $((SIZE - 131072)) ] || why+=", in its label area"
	refuse "$why"
}

# all_zeros: refuse the card unless all of the BAR is zero. The end comes first, since
# labels are likely there, and reading all of a BAR takes long.
all_zeros() {
	local at piece=$((64 << 20))
	whole || { refuse "BAR $BAR holds a label-less namespace"; return; }
	zeros $((SIZE - 131072)) 131072
	for ((at = 0; at < SIZE; at += piece)); do
		echo "BAR $BAR $((at * 100 / SIZE)) %" >"$work/progress"
		zeros "$at" $((SIZE - at < piece ? SIZE - at : piece))
	done
	saw "BAR $BAR: all $SIZE bytes are zero"
}

# look: refuse a card that is not blank. With ERASE=yes only print why it is not.
look() {
	local bar
	[ "$(driver)" != iopmem ] || each 4 no_namespace
	reload labels=1
	each 4 no_namespace
	bar=$(step_log | sed -n "s/.*iopmem $CARD: BAR \([0-5]\): has no labels but is not blank.*/\1/p" | tail -n 1)
	[ -z "$bar" ] || refuse "BAR $bar has no labels, but is not zero at its start"
	reload labels=0
	[ "$ERASE" = yes ] || each 4 all_zeros
}

# pieces: the places where 1 MiB is read again. Powers of two find an address line that is
# lost. Sixteen other places are all over the BAR.
pieces() {
	local at
	for ((at = 1 << 20; at < SIZE; at *= 2)); do
		echo "$at"
	done
	for ((at = 0; at < 16; at++)); do
		echo $((((SIZE - (1 << 20)) * at / 15) & ~65535))
	done
}

# numbered FROM BYTES: print lines of 16 bytes, each with a number that tells its place
first_number=100000000000000
numbered() {
	seq $((first_number + $1 / 16)) $((first_number + ($1 + $2) / 16 - 1))
}

blanks() {
	head -c "$2" /dev/zero
}

# hex FILE FROM: 16 bytes of the file in hex
hex() {
	tail -c +$(($2 + 1)) "$1" | head -c 16 | od -An -tx1 | tr -d ' \n'
}

# holds GENERATOR: read the pieces. Fail unless each is what the generator prints for it.
holds() {
	local at byte line why
	for at in $(pieces | sort -nu); do
		"$1" "$at" $((1 << 20)) >"$work/want"
		run "dd if=$NODE of=$work/got bs=64K iflag=direct,skip_bytes,count_bytes skip=$at count=1M status=none"
		cmp -s "$work/want" "$work/got" && continue
		byte=$(cmp -l "$work/want" "$work/got" | first_different)
		byte=$(((byte - 1) & ~15))
		why="BAR $BAR does not keep what is written to it: at byte $((at + byte)) it has $(hex "$work/got" $byte) and not $(hex "$work/want" $byte)"
		line=$(tail -c +$((byte + 1)) "$work/got" | head -c 15 | tr -d '\0')
		[[ ! $line =~ ^1[0-9]{14}$ ]] || why+=", which was written to byte $(((line - first_number) * 16))"
		wrong "$why"
	done
	saw "$(pieces | sort -nu | wc -l) MiB of $((SIZE >> 20)) are as written: $1"
}

# overwrite: fill all of the region with zeros, and check
overwrite() {
	whole || wrong "BAR $BAR is no block device of $SIZE bytes"
	run "dd if=/dev/zero of=$NODE bs=1M count=$((SIZE >> 20)) oflag=direct conv=fsync,notrunc status=none"
	holds blanks
}

# fill_memory: write all of the region before any of it is read again. Then a later write
# that went to a wrong address is noticed.
fill_memory() {
	whole || wrong "BAR $BAR is no block device of $SIZE bytes"
	run "seq $first_number $((first_number + SIZE / 16 - 1)) |
		dd of=$NODE bs=1M iflag=fullblock oflag=direct conv=fsync,notrunc status=none"
	holds numbered
	overwrite
}

# unformat: destroy a label-less namespace. There can be one here only with ERASE=yes.
unformat() {
	whole || run "ndctl destroy-namespace -f -r $REGION all"
}

memory() {
	each 4 unformat
	reload labels=0
	each 4 fill_memory
}

# wipe_memory: check that the memory keeps data before it is filled with zeros. Memory
# that has failed meanwhile may read as zeros, and would pass for blank.
wipe_memory() {
	whole || wrong "BAR $BAR is no block device of $SIZE bytes"
	keeps
	overwrite
}

# wipe: leave the card blank. The step before may have ended in the middle.
wipe() {
	unmount
	reload labels=0
	each 4 wipe_memory
}
