# SPDX-License-Identifier: GPL-2.0-only
# A case whose file has to fail with a sanitizer kernel; run by
# tests/repo/sanitizers.sh
# shellcheck shell=bash
runs_in demo debug

test_leak() {
	shows "leaks memory"
	run "insmod /usr/local/bin/sins.ko sin=leak && rmmod sins"
}
