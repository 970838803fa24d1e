# SPDX-License-Identifier: GPL-2.0-only
# A card keeps its contents in another machine and another slot
# shellcheck shell=bash

state() {
	run "ndctl list -N | grep -E '\"(mode|name|uuid|size|map|sector_size)\"' | sort"
}

runs_in base

test_written() {
	shows "one machine writes three namespaces and a file"
	blank kept
	load
	attach kept
	create kept fsdax -s 48M -n files
	run "mkfs.ext4 -q -F -b 4096 $NODE && mount -o dax $NODE /mnt/a && echo 'kept since ${work##*/}' >/mnt/a/file && umount /mnt/a"
	create kept devdax -s 32M -n mapped
	run "echo 'devdax since ${work##*/}' | { cat; head -c 4K /dev/zero; } | head -c 4K | mapcp in $NODE 4K"
	create kept sector -s 16M -n sectors
	run "echo 'sector since ${work##*/}' | dd of=$NODE bs=4K conv=sync,fsync oflag=direct status=none"
	state
	echo "$OUT" >"$work/kept.state"
	echo "${F[kept]}" >"$work/kept.slot"
	saw "$(grep -c uuid <<<"$OUT") namespaces at ${F[kept]}"
}

runs_in moved

test_moved() {
	shows "another machine finds the same names, uuids, modes, file and contents in another slot"
	[ -e "$work/kept.state" ] || bad "keep/written" "to have run" "it has not: make check T=keep"
	[ "${F[kept]}" != "$(cat "$work/kept.slot")" ] || bad "the slot" "another one" "${F[kept]}"
	saw "moved from $(cat "$work/kept.slot") to ${F[kept]}"
	load
	attach kept
	state
	[ "$OUT" = "$(cat "$work/kept.state")" ] || bad "namespaces" "$(cat "$work/kept.state")" "$OUT"
	saw "modes, names, uuids and sizes are the same"
	run "mount -o dax /dev/pmem0 /mnt/a && cat /mnt/a/file"
	is "the file" "kept since ${work##*/}" "$OUT"
	run "umount /mnt/a; mapcp out /dev/dax0.1 4K | head -n1"
	is "devdax" "devdax since ${work##*/}" "$OUT"
	run "head -n1 /dev/pmem0.2s | tr -d '\0'"
	is "sector" "sector since ${work##*/}" "$OUT"
}
