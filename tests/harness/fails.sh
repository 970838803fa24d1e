# SPDX-License-Identifier: GPL-2.0-only
# Cases that have to fail, but for the first; run by tests/harness.sh
# shellcheck shell=bash
runs_in demo

test_passes() {
	shows "passes"
	run "true"
}

test_wrong() {
	shows "has a wrong result, with something in the kernel's log"
	load
	attach card
	is "two and two" 5 $((2 + 2))
}

test_status() {
	shows "runs a command that fails"
	run "exit 3"
}

test_complaints() {
	shows "makes the kernel warn, meet a bug and oops"
	run "for what in WARNING BUG Oops; do echo \$what: said by a test >/dev/kmsg; done"
}

test_leftover() {
	shows "leaves the module in use"
	load
	attach card
	run "mount --bind /dev/null /sys/bus/pci/drivers/iopmem/unbind"
}

test_hang() {
	shows "hangs"
	GUEST_SECONDS=5
	run "sleep 1000"
}

test_panic() {
	shows "panics"
	run "echo c >/proc/sysrq-trigger"
}
