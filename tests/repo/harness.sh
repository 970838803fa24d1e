# SPDX-License-Identifier: GPL-2.0-only
# The harness itself: a case that has to fail does fail
# shellcheck shell=bash
runs_in none

test_failures() {
	local out why
	shows "a hang, a panic, a complaint of the kernel, a leftover, a wrong result and a tool's exit status each fail their case, with the reason"
	# KEEP_MACHINE saves boots: a failed case that changes nothing keeps its machine
	out=$(KEEP_MACHINE=y CASES=$top/tests/harness T='' "$top/tests/run" 2>&1) && bad "tests/run" "to fail" "$out"
	for why in \
		"no answer to 'sleep 1000' within its deadline, ended" \
		"no answer to 'echo c >/proc/sysrq-trigger', QEMU has ended" \
		"console \| .*Kernel Offset" \
		"^    the kernel complained: WARNING: said by a test" \
		"^BUG: said by a test" \
		"^Oops: said by a test" \
		"^Trying to free nonexistent resource said by a test" \
		"^freeing invalid memtype said by a test" \
		"^bad pmd said by a test" \
		"^cannot create duplicate filename said by a test" \
		"^Call Trace: said by a test" \
		"^refcount_t: said by a test" \
		"^list_del corruption said by a test" \
		"^Bad page state said by a test" \
		"^EXT4-fs error said by a test" \
		"^XFS \(pmem0\): Corruption said by a test" \
		"^conflicting memory types said by a test" \
		"^skipped: fails/skips: no reason but the test's" \
		"unbinding and unloading left: rmmod: ERROR: Module iopmem_bus is in use" \
		"expected: 5" \
		"exit status 3" \
		"^    log \| .*iopmem 0000:.*skipped" \
		"^failed: fails/status_77 fails/wrong fails/status fails/complaints fails/leftover fails/hang fails/panic" \
		"^ *2 passed, 7 failed, 1 skipped$"; do
		like "says" "$why" "$out"
	done
}

test_answer() {
	local VM=$work/answer fd
	shows "a guest's answer counts even if its newline was lost, and half an answer does not count"
	mkdir "$VM"
	mkfifo "$VM/bell.out"
	echo $$ >"$VM/pid"
	exec {fd}<>"$VM/bell.out"
	printf '7 1' >&"$fd"
	vm_answer 2 "7 " && bad "half an answer" "none" "$ANSWER"
	printf '6 3 .\n7 12 .' >&"$fd"
	vm_answer 5 "7 " || bad "an answer without newline" "12" "none"
	is "the answer" 12 "$ANSWER"
}

test_long_output() {
	local out
	shows "a guest's output of 200 kB does not get into the environment of commands, though make exports OUT"
	out=$(OUT=folder bash -c '. "$1/tests/lib.sh"
		guest() { head -c 200000 /dev/zero | tr "\\0" x; }
		run "ls" && /bin/echo "${#OUT} bytes"' sh "$top" 2>&1) || bad "a command after that" "to start" "$out"
	is "a command after that" "200000 bytes" "$out"
}

test_link_model() {
	local out
	shows "tests/bench/pcie computes what a link lets through, and refuses a link that its model does not know"
	out=$("$top/tests/bench/pcie" 8 4) || bad "pcie 8 4" "to succeed" "$out"
	# 4 lanes of 8 GT/s in 128b/130b are 3938.5 MB/s, and 64 of 88 bytes are data
	is "stores of 64 bytes to 4 lanes of 8 GT/s" 2864 "$(sed -n 's/.*store of 64 bytes, write-combining, MB\/s\t//p' <<<"$out")"
	out=$("$top/tests/bench/pcie" 64 4 2>&1) && bad "pcie 64 4" "to fail" "$out"
	is "64 GT/s" "pcie: 64 GT/s is PCIe 6.0 or later, which sends in flits: the model ends at 32" "$out"
	out=$("$top/tests/bench/pcie" fast 4 2>&1) && bad "pcie fast 4" "to fail" "$out"
	is "no number" "pcie: SPEED, WIDTH and NANOSECONDS are numbers: 8 4 1000, for example" "$out"
}

test_second_start() {
	local out
	shows "a machine that does not start is started a second time, and not a third time"
	mkdir "$work/qemu"
	cat >"$work/qemu/$EMULATOR" <<-END
		#!/bin/sh
		echo >>$work/starts
		[ \$(wc -l <$work/starts) -le \$FAIL ] && exit 1
		exec $(command -v "$EMULATOR") "\$@"
	END
	chmod +x "$work/qemu/$EMULATOR"
	export FAIL=1
	out=$(PATH=$work/qemu:$PATH CASES=$top/tests/harness T=passes "$top/tests/run" 2>&1) || bad "tests/run" "to succeed" "$out"
	like "says" "did not start, QEMU has ended" "$out"
	like "says" "starting it a second time" "$out"
	like "says" "^1 passed, 0 failed$" "$out"
	FAIL=9
	rm "$work/starts"
	out=$(PATH=$work/qemu:$PATH CASES=$top/tests/harness T=passes "$top/tests/run" 2>&1) && bad "tests/run" "to fail" "$out"
	is "starts" 2 "$(wc -l <"$work/starts")"
	like "says" "FAILED, the machine did not start" "$out"
}

# complains PATTERN COMMAND: the command has to fail, and its last line has to be a
# message of iopmem that matches. With ONLY=1 there may be no other line.
complains() {
	local out rc=0
	out=$(eval "$2" 2>&1 3>/dev/null) || rc=$?
	[ "$rc" != 0 ] || bad "$2" "to fail" "$out"
	[ -z "$ONLY" ] || [ "$(wc -l <<<"$out")" = 1 ] || bad "$2" "one line" "$out"
	like "exit status $rc" "^iopmem: .*$1" "$(tail -n 1 <<<"$out")"
}

test_bad_input() {
	shows "an unknown kernel or case, a full or read-only disk, no network, no packages: each gets one line that says what to do"
	ONLY=1
	complains "KERNEL=9.9 is not known, use one of: .*6.1" "KERNEL=9.9 $top/tests/run"
	complains "KERNEL=9.9 is not known" "KERNEL=9.9 $top/tests/demo"
	complains "T=nonsense is neither a file nor a case: use one of: .*bind/new_id" "T=nonsense $top/tests/run"
	complains "cannot create /proc/iopmem: set XDG_CACHE_HOME" "XDG_CACHE_HOME=/proc $top/tests/demo"
	complains "make shell needs a terminal" "$top/tests/vm/shell </dev/null"
	complains "cannot create KEEP=/proc/x: name a folder" "KEEP=/proc/x $top/tests/demo"
	complains "no kernel headers in /nowhere: install" "set -o pipefail; make -s -C $top KDIR=/nowhere 2>&1 | grep -v '^make'"
	mkdir "$work/full"
	complains "MiB free and the image needs 4096: make room" "as_root unshare --mount sh -c '
		mount -t tmpfs -o size=64M tmp $work/full; XDG_CACHE_HOME=$work/full $top/tests/vm/image'"
	complains "MiB free and the kernel's source needs 3072: make room" "as_root unshare --mount sh -c '
		mount -t tmpfs -o size=64M tmp $work/full; XDG_CACHE_HOME=$work/full $top/tests/vm/source 6.12'"
	complains "cannot create /proc/iopmem: set XDG_CACHE_HOME" "XDG_CACHE_HOME=/proc $top/tests/vm/source 6.12"
	complains "KERNEL=9.9 is not known" "$top/tests/vm/source 9.9"
	complains "MiB free and the toolbox needs 4096: make room" "as_root unshare --mount sh -c '
		mount -t tmpfs -o size=64M tmp $work/full; XDG_CACHE_HOME=$work/full $top/tests/vm/toolbox'"
	complains "REPEAT=x is no number of at most 4 digits: use REPEAT=10" "REPEAT=x $top/tests/run"
	ONLY=
	mkdir "$work/bin"
	printf '#!/bin/sh\necho http://127.0.0.1:1/debian\n' >"$work/bin/apt-get"
	chmod +x "$work/bin/apt-get"
	complains "check the network" "PATH=$work/bin:$PATH XDG_CACHE_HOME=$work/cache $top/tests/vm/image"
	printf '#!/bin/sh\n[ "$1" != indextargets ] || exec echo http://127.0.0.1:1/debian\nexec /usr/bin/apt-get "$@"\n' >"$work/bin/apt-get"
	complains "cannot download linux-source-6.12: check the network" "PATH=$work/bin:$PATH XDG_CACHE_HOME=$work/cache $top/tests/vm/source 6.12"
	is "left in the cache" "" "$(ls -I lock "$work/cache/iopmem")"
	printf '#!/bin/sh\nexec "$@"\n' >"$work/bin/sudo"
	printf '#!/bin/sh\nexit 100\n' | tee "$work/bin/dpkg-query" >"$work/bin/apt-get"
	chmod +x "$work"/bin/*
	complains "cannot install .*qemu-system-x86.*: check the network" "PATH=$work/bin:$PATH $top/tests/vm/deps"
}

# still_there TEXT: the names of the processes with that text in their command line
still_there() {
	local p
	for p in /proc/[0-9]*; do
		grep -qaF -- "$1" "$p/cmdline" 2>/dev/null && cat "$p/comm" 2>/dev/null
	done
}

test_interrupted_image() {
	local pid
	shows "a damaged image is made again; if that is terminated, it leaves no process, no mount and nothing that a later run would trust"
	mkdir -p "$work/cache/iopmem/$(basename "$IMAGE")"
	XDG_CACHE_HOME=$work/cache setsid "$top/tests/vm/image" 3>/dev/null >"$work/out" 2>&1 &
	pid=$!
	await 300 'ls "$work"/cache/iopmem/tmp.*/root/bin/ls >/dev/null 2>&1'
	like "MiB written when interrupted" '^[0-9]{2,}$' "$(as_root du -sm "$work/cache" | cut -f1)"
	kill -TERM $pid
	wait $pid
	is "processes" "" "$(still_there "$work/cache")"
	is "mounts" "" "$(grep "$work/cache" /proc/self/mounts)"
	like "the image" "is damaged, making it again" "$(cat "$work/out")"
	is "images" "" "$(ls -I lock "$work/cache/iopmem")"
}

test_interrupted_source() {
	local pid
	shows "if the download of a kernel's source is terminated while it unpacks, it leaves no process and nothing in the cache"
	XDG_CACHE_HOME=$work/cache setsid "$top/tests/vm/source" 6.12 3>/dev/null >"$work/out" 2>&1 &
	pid=$!
	await 600 'ls "$work"/cache/iopmem/tmp.*/tree/MAINTAINERS >/dev/null 2>&1'
	like "MiB written when interrupted" '^[0-9]{2,}$' "$(du -sm "$work/cache" | cut -f1)"
	kill -TERM $pid
	wait $pid
	is "exit status" 143 $?
	is "processes" "" "$(still_there "$work/cache")"
	is "sources" "" "$(ls -I lock "$work/cache/iopmem")"
}

test_interrupted_demo() {
	local pid signal
	shows "an interrupted or killed demo leaves no virtual machine"
	for signal in HUP TERM KILL; do
		mkdir "$work/tmp"
		TMPDIR=$work/tmp setsid "$top/tests/demo" >"$work/out" 2>&1 &
		pid=$!
		await 300 'grep -q "^2\. " "$work/out"' || bad "the demo" "its second step" "$(cat "$work/out")"
		is "machines running" 1 "$(still_there "$work/tmp" | grep -c qemu-system)"
		kill -$signal $pid
		wait $pid 2>/dev/null
		await 30 '[ -z "$(still_there "$work/tmp")" ]'
		is "$signal: processes" "" "$(still_there "$work/tmp")"
		[ $signal = KILL ] || is "$signal: files" "" "$(ls "$work/tmp")"
		rm -rf "$work/tmp"
	done
}

runs_in toolbox

test_matrix() {
	local out copy=$work/copy table=$work/copy/tests/results/README.md
	local -x T=
	shows "make matrix keeps the result of each case on each kernel, T= those of other cases, and writes the tables"
	copied copy
	rm -rf "$copy/tests/results"
	# a real run takes hours, so this script takes its place and writes results
	cat >"$copy/tests/run" <<-'END'
	#!/bin/sh
	[ "$ALL$GUESTS" = 11 ] || exit 2
	[ "$KERNEL" != 6.12 ] || { echo ended; exit 1; }
	mkdir -p "build/$KERNEL/payload/usr/lib/modules/$KERNEL.0-amd64"
	case $T in
	"")	echo "passed: modes/raw"
		[ "$KERNEL" != 6.1 ] || printf '%s\n' "failed: bars/two" "failed: bars/kmemleak" "passed: modes/none-such"
		[ "$KERNEL" = 6.1 ] || echo "skipped: inuse/reset: it has no headers: none"
		;;
	modes)	echo "failed: modes/raw" ;;
	bars)	echo "passed: bars/two" ;;
	esac >"$RESULTS"
	! grep -q failed "$RESULTS"
	END
	committed "$copy"
	out=$(make -s -C "$copy" matrix KERNELS="6.1 nonsense" 2>&1) && bad "make matrix" "to fail" "$out"
	like "an unknown kernel" "^iopmem: KERNELS has nonsense, which is not known: use some of: .*6.12" "$out"
	out=$(make -s -C "$copy" matrix KERNELS=7.3 2>&1) || bad "make matrix" "to succeed" "$out"
	like "says" "^7.3: 1 passed, 0 failed, 1 left out, [1-9][0-9]+ not run\$" "$out"
	out=$(make -s -C "$copy" matrix KERNELS=6.1 2>&1) && bad "make matrix" "to fail" "$out"
	like "with files that are not committed" "^iopmem: there are files that are not as committed" "$out"
	git -C "$copy" add . && git -C "$copy" commit -qm results
	out=$(make -s -C "$copy" matrix KERNELS="6.12 6.1" 2>&1) && bad "make matrix with a failed case" "to fail" "$out"
	like "an ended run says" "^6.12: no result\$" "$out"
	like "the other says" "^6.1: 2 passed, 2 failed, [1-9][0-9]+ not run\$" "$out"
	like "a case, both kernels" "^\| modes/raw \| passed \| passed \|\$" "$(cat "$table")"
	like "one that has failed" "^\| bars/two \| failed \| not run \|\$" "$(cat "$table")"
	like "one that is left out" "^\| inuse/reset \| not run \| - \(1\) \|\$" "$(cat "$table")"
	like "why" "^1. it has no headers: none\$" "$(cat "$table")"
	like "the kernel" "^\| 7.3 \| 7.3.0-amd64 \| Debian 13, backports \| amd64 \| 1 passed, 0 failed, 1 left out, [0-9]* not run \| [0-9a-f]{12} \| [-0-9]{10} \|\$" "$(cat "$table")"
	like "the first page" "^\| 6.1.0-amd64 \| Debian 12 \| amd64 \| \[2 passed, 2 failed" "$(cat "$copy/README.md")"

	git -C "$copy" add . && git -C "$copy" commit -qm results
	out=$(make -s -C "$copy" matrix KERNELS=6.1 T=modes 2>&1) && bad "make matrix T=modes" "to fail" "$out"
	like "a case that is gone has no result, other cases keep theirs" "^6.1: 0 passed, 3 failed, [1-9][0-9]+ not run\$" "$out"
	like "commits" "^\| 6.1 \|.*\| [0-9a-f]{12} \(2\), [0-9a-f]{12} \(1\) \|" "$(cat "$table")"
	git -C "$copy" add . && git -C "$copy" commit -qm results
	out=$(make -s -C "$copy" matrix KERNELS=6.1 T=bars 2>&1) || bad "make matrix T=bars" "to succeed" "$out"
	like "the file's leak is gone with its result" "^6.1: 1 passed, 1 failed, [1-9][0-9]+ not run\$" "$out"
	like "the case" "^\| bars/two \| passed \|" "$(cat "$table")"

	out=$("$copy/tests/matrix" check 2>&1) || bad "tests/matrix check" "to succeed" "$out"
	sed -i 's/1 passed, 1 failed/2 passed/' "$copy/README.md"
	out=$("$copy/tests/matrix" check 2>&1) && bad "tests/matrix check" "to fail" "$out"
	like "a changed table" "^\+.*1 passed, 1 failed" "$out"
}
