# SPDX-License-Identifier: GPL-2.0-only
# Cases for tests/repo/harness.sh. All but the first three have to fail.
# shellcheck shell=bash
runs_in demo

test_passes() {
	shows "passes"
	run "true"
}

test_expected() {
	shows "makes the kernel complain, and has said so"
	may_log "^EXT4-fs error .*: expected"
	run "echo 'EXT4-fs error (device none): expected' >/dev/kmsg"
}

test_skips() {
	shows "is skipped"
	skip "no reason but the test's"
}

test_status_77() {
	shows "ends with exit status 77, as a tool may, but has not called skip"
	exit 77
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
	run "for what in WARNING: BUG: Oops: 'Trying to free nonexistent resource' 'freeing invalid memtype' \
			'bad pmd' 'cannot create duplicate filename' 'Call Trace:' 'refcount_t:' 'list_del corruption' \
			'Bad page state' 'EXT4-fs error' 'XFS (pmem0): Corruption' 'conflicting memory types'; do
			echo \$what said by a test >/dev/kmsg
		done"
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
