# SPDX-License-Identifier: GPL-2.0-only
# The kernel with sanitizers: what it reports fails a case
# shellcheck shell=bash
runs_in none debug

test_report() {
	local out why
	shows "a report of a sanitizer kernel fails the case that has caused it"
	out=$(CASES=$top/tests/harness T="leak sins" "$top/tests/run" 2>&1) && bad "tests/run" "to fail" "$out"
	for why in \
		"the kernel complained: .*possible circular locking dependency" \
		"sleeping function called from invalid context" \
		"ODEBUG: free active" \
		"UBSAN: shift-out-of-bounds" \
		"DMA-API: .*tries to free DMA memory it has not allocated" \
		"KASAN: slab-out-of-bounds" \
		"kmemleak, after the cases of leak: unreferenced object" \
		"failed: leak/kmemleak sins/sins" \
		"^ *1 passed, 2 failed$"; do
		like "says" "$why" "$out"
	done
}

runs_in base debug

test_silent() {
	shows "nothing is reported if the module sins is told to do nothing wrong"
	run "insmod /usr/local/bin/sins.ko sin=none && rmmod sins"
}

runs_in p2p debug

# dma_api: into OUT, whether the kernel's checks of the DMA API are off, and how many
# errors they have found
dma_api() {
	run "cd /sys/kernel/debug/dma-api && cat disabled error_count | paste -sd' '"
}

test_dma_api() {
	local to
	shows "the checks of the DMA API are on, and find no error while a drive reads into the card's pages and writes from them"
	blank card
	load
	attach card
	dma_api
	is "off, errors before" "N 0" "$OUT"
	create card fsdax -s 128M
	run "mkfs.ext4 -q -F -b 4096 $NODE && mount -o dax=always $NODE /mnt/a && fallocate -l 8M /mnt/a/file"
	create card devdax -s 64M
	for to in /mnt/a/file "$NODE"; do
		run "dma /dev/nvme0n1 $to 8M"
		like "$to" "read 8388608 bytes" "$OUT"
		run "dma $to /dev/nvme0n1@64M 8M"
		like "$to" "wrote 8388608 bytes" "$OUT"
	done
	dma_api
	is "off, errors afterwards" "N 0" "$OUT"
	run "umount /mnt/a"
}
