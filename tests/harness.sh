# SPDX-License-Identifier: GPL-2.0-only
# The tests' own machinery: what has to fail, fails
# shellcheck shell=bash
runs_in none

test_failures() {
	local out why
	shows "a hang, a panic, a warning, a leftover and a wrong result each fail their case, with the reason"
	out=$(CASES=$top/tests/harness T='' "$top/tests/run" 2>&1) && bad "tests/run" "to fail" "$out"
	for why in \
		"no answer to 'sleep 1000' within its deadline, ended" \
		"no answer to 'echo c >/proc/sysrq-trigger', QEMU has ended" \
		"console \| .*Kernel Offset" \
		"the kernel complained: .*WARNING: said by a test" \
		"the kernel complained: .*BUG: said by a test" \
		"the kernel complained: .*Oops: said by a test" \
		"unbinding and unloading left: rmmod: ERROR: Module iopmem_bus is in use" \
		"expected: 5" \
		"exit status 3" \
		"^    log \| .*iopmem 0000:.*passed over" \
		"^ *1 passed, 8 failed$"; do
		like "says" "$why" "$out"
	done
}

test_bad_input() {
	local out
	shows "an unknown kernel, case or machine and a cache that cannot be written are one line each"
	for what in "KERNEL=9.9 $top/tests/run" "T=nonsense $top/tests/run" \
		"KERNEL=9.9 $top/tests/demo" "XDG_CACHE_HOME=/proc $top/tests/demo"; do
		out=$(eval "$what" 2>&1) && bad "$what" "to fail" "$out"
		is "lines" 1 "$(wc -l <<<"$out")"
		like "${what//$top\//}" "^iopmem: " "$out"
	done
}
