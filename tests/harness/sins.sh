# SPDX-License-Identifier: GPL-2.0-only
# A case for tests/repo/sanitizers.sh. It has to fail with a sanitizer kernel.
# shellcheck shell=bash
runs_in demo debug

# Lockdep switches itself off after the first report of any kind, so deadlock comes first.
# KASAN reports only once, so there is one sin for it.
test_sins() {
	local sin
	shows "does wrong things that a sanitizer kernel reports"
	for sin in deadlock atomic free_active shift dma overflow; do
		run "insmod /usr/local/bin/sins.ko sin=$sin"
		run "rmmod sins"
	done
}
