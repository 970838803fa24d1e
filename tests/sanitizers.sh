# SPDX-License-Identifier: GPL-2.0-only
# The kernel that watches itself
# shellcheck shell=bash
runs_in none debug

test_report() {
	local out why
	shows "what a sanitizer kernel reports fails the case that has caused it"
	out=$(CASES=$top/tests/harness T="leak sins" "$top/tests/run" 2>&1) && bad "tests/run" "to fail" "$out"
	for why in \
		"the kernel complained: .*possible circular locking dependency" \
		"sleeping function called from invalid context" \
		"ODEBUG: free active" \
		"UBSAN: shift-out-of-bounds" \
		"KASAN: slab-out-of-bounds" \
		"kmemleak, after the cases of leak: unreferenced object" \
		"failed: leak/kmemleak sins/sins" \
		"^ *1 passed, 2 failed$"; do
		like "says" "$why" "$out"
	done
}

runs_in base debug

test_silent() {
	shows "the module that does these things does none when told so, and nothing is reported"
	run "insmod /usr/local/bin/sins.ko sin=none && rmmod sins"
}
