# SPDX-License-Identifier: GPL-2.0-only
# A case that has to fail with a sanitizer kernel; run by tests/repo/sanitizers.sh
# shellcheck shell=bash
runs_in demo debug

# Lockdep ends at the first report of any kind; KASAN reports once.
test_sins() {
	local sin
	shows "does wrong things that a sanitizer kernel reports"
	for sin in deadlock atomic free_active shift dma overflow; do
		run "insmod /usr/local/bin/sins.ko sin=$sin"
		run "rmmod sins"
	done
}
