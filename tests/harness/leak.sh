# SPDX-License-Identifier: GPL-2.0-only
# A case for tests/repo/sanitizers.sh. It passes, and kmemleak has to fail its file
# afterwards.
# shellcheck shell=bash
runs_in demo debug

test_leak() {
	shows "leaks memory"
	run "insmod /usr/local/bin/sins.ko sin=leak && rmmod sins"
}
