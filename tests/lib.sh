# SPDX-License-Identifier: GPL-2.0-only
# The functions that cases are written with. A case is a function test_NAME in a file of
# driver, cmd or repo. A line "runs_in NAME" before it names its machine in
# tests/vm/machine.sh. Some names stand for no machine: with "toolbox" the case runs in
# tests/vm/toolbox, with "bookworm" or "trixie" in that Debian's tree for packages, and
# with "none" on the host, which is for the harness itself. "runs_in NAME slow" leaves
# the case to make check-all. A case begins with shows, and ends at the first step that
# fails.
# shellcheck shell=bash

# tests/one.sh reads the lines that call these two, so nothing is left to do here.
# wants_source names the kernels whose sources the file's toolbox cases need.
runs_in() { :; }
wants_source() { :; }

# shows TEXT: say in one line what the case shows
shows() {
	echo "$CASE: $1"
}

saw() {
	printf '    %s\n' "$*"
}

# figure WHAT COUNT RESULT: print a figure, now and in the table at the end of make
# torture
figure() {
	saw "$1: $2, $3"
	printf '%-60s | %8s | %s\n' "$@" >>"$work/figures"
}

# skip REASON: end the case as skipped, since it cannot run here. The file is what
# counts: an exit status of 77 alone may come from a tool.
skip() {
	saw "skipped: $1"
	echo "$1" >"$work/skipped"
	exit 77
}

# bad COMMAND EXPECTED GOT: the case has failed
bad() {
	echo "    command:  $1"
	echo "    expected: $2"
	printf '%s\n' "$3" | sed '1s/^/    got:      /; 2,$s/^/              /'
	exit 1
}

# The Makefile exports OUT for make patch. Here it holds what the guest prints, which can be
# too long for the environment of a command.
export -n OUT

# run COMMAND: run it in the guest, where it has to succeed. Its output is in OUT.
run() {
	local rc=0
	OUT=$(guest "$1" 2>&1) || rc=$?
	[ -n "$V" ] && printf '%s\n' "$1" "$OUT" | sed '1s/^/    # /; 2,$s/^/      /'
	[ "$rc" = 0 ] || bad "$1" "to succeed" "exit status $rc, $OUT"
}

# fails PATTERN COMMAND: run it in the guest, where it has to fail with a line that
# matches the pattern
fails() {
	local rc=0
	OUT=$(guest "$2" 2>&1) || rc=$?
	[ "$rc" = 0 ] && bad "$2" "to fail" "success, $OUT"
	[ "$rc" = 255 ] && bad "$2" "to fail" "$OUT"
	grep -Eq -- "$1" <<<"$OUT" || bad "$2" "$1" "$OUT"
	saw "$(grep -E -m1 -- "$1" <<<"$OUT")"
}

# is WHAT WANT GOT: the two have to be equal
is() {
	[ "$3" = "$2" ] || bad "$1" "$2" "$3"
	saw "$1: $3"
}

# like WHAT PATTERN TEXT: a line of TEXT has to match
like() {
	grep -Eq -- "$2" <<<"$3" || bad "$1" "$2" "$3"
	saw "$1: $(grep -E -m1 -- "$2" <<<"$3" | sed 's/^ *//')"
}

# unlike WHAT PATTERN TEXT: no line of TEXT may match
unlike() {
	grep -Eq -- "$2" <<<"$3" && bad "$1" "no $2" "$3"
	saw "$1: no $2"
}

# may_log PATTERN: allow complaints of the kernel that match, since the case causes
# them on purpose. Any other complaint fails the case.
may_log() {
	echo "$1" >>"$work/may_log"
}

# disks_fail: allow what the kernel says of disks and file systems on a function that
# fails
disks_fail() {
	may_log 'Aborting journal|JBD2: .*[Ee]rror|EXT4-fs error|Remounting filesystem read-only|XFS .*(I/O [Ee]rror|[Ss]hutting down|[Ss]hut down|Corruption)|Buffer I/O error|I/O error, dev'
}

# case_log: the kernel's log since the case began, without the last line, which may be
# half written
case_log() {
	{ cat "$VM/console"; echo; } | tr -d '\r' | sed "1,/ iopmem-case: $CASE_NUMBER\$/d;\$d"
}

# load_log: the kernel's log since load was last called, or since the case began
load_log() {
	case_log | awk '/ iopmem-load/ { n = 0; next } { line[n++] = $0 } END { for (i = 0; i < n; i++) print line[i] }'
}

# logged PATTERN: a line of load_log has to match, now or within a deadline
logged() {
	await "${LOG_SECONDS:-30}" "load_log | grep -E -- $(printf %q "$1") >/dev/null" 2>/dev/null
	like "kernel log" "$1" "$(load_log)"
}

# launch COMMAND CONDITION: start a process in the guest, and wait until CONDITION, a
# line of shell, holds. In it, $pid is the process's number and $said is the file with
# its output. PID and SAID keep both for the case.
launch() {
	SAID=/tmp/said.$((LAUNCHED += 1))
	run "said=$SAID; rm -f \$said*
		{ $1 >\$said 2>&1 & echo \$! >\$said.pid; wait \$!; echo \$? >\$said.status; } 2>/dev/null &
		await 60 '[ -s $SAID.pid ] && [ -e $SAID ]' && pid=\$(cat \$said.pid) &&
			await 60 $(printf %q "$2") 2>>\$said || { cat \$said; exit 1; }
		echo \$pid"
	PID=$OUT
}

# ended [SAID]: wait until a launched process has ended by itself. Its exit status is in
# OUT.
ended() {
	run "await 60 '[ -s ${1:-$SAID}.status ]' && cat ${1:-$SAID}.status"
}

# goes_on FILE: wait until the file has two more lines. Then the second one was begun
# and ended meanwhile.
goes_on() {
	run "n=\$(wc -l <$1); await 60 \"[ \\\$(wc -l <$1) -gt \$((n + 1)) ]\""
}

# stop PID|NAME: end the process, or all processes of that name, and wait until they are
# gone
stop() {
	case $1 in
	*[!0-9]*) run "pkill -x $1; await 60 '! pgrep -x $1 >/dev/null'" ;;
	*) run "kill $1; await 60 '[ ! -e /proc/$1 ]'" ;;
	esac
}

# hold FILE[@OFFSET] LENGTH: launch a process that keeps the file mapped and stores to
# the mapping
hold() {
	launch "mapcp hold $1 $2" 'grep -q held $said'
}

# blank NAME...: fill the BAR with zeros, as in a new card. This runs on the host, where
# the BAR is a file.
blank() {
	local n
	for n in "$@"; do
		fallocate -p -o 0 -l "$(stat -c %s "$DIR/$n.bar")" "$DIR/$n.bar" 2>/dev/null ||
			dd if=/dev/zero of="$DIR/$n.bar" bs=1M conv=notrunc \
				count=$(($(stat -c %s "$DIR/$n.bar") >> 20)) status=none
	done
}

# as_module: skip the case unless the driver can be loaded and unloaded
as_module() {
	[ "$DRIVER" != y ] || skip "the driver is built in"
}

# load [PARAMETER...]: load the module. A built-in driver takes parameters only at boot,
# so a case that gives some is skipped with it.
load() {
	[ $# = 0 ] || as_module
	run "echo iopmem-load >/dev/kmsg; modprobe iopmem_bus $*"
}

# attach NAME: bind the function by driver_override. The module is loaded. The function
# may be bound already, if it had this override when the module was loaded.
attach() {
	run "cd /sys/bus/pci/devices/${F[$1]} && echo iopmem >driver_override &&
		{ [ -e driver ] || echo ${F[$1]} >/sys/bus/pci/drivers/iopmem/bind; }"
	settle
}

detach() {
	run "echo ${F[$1]} >/sys/bus/pci/drivers/iopmem/unbind"
}

# settle: wait for regions and namespaces, whose probing goes on after bind has returned
settle() {
	guest "cat /sys/bus/nd/devices/ndbus*/wait_probe >/dev/null; udevadm settle"
}

# udev_off, udev_on: stop udev for a while. It takes CPU time, and its handling of each
# event gets in the way of some cases. "udevadm control" would not do: udevd ignores about
# one request in 1500 of it, since it asks for the sender's credentials only after it has
# accepted the connection. udevadm exits with 0 then.
udev_off() {
	run "udevadm settle; pkill -x systemd-udevd; await 10 '! pgrep -x systemd-udevd >/dev/null'"
}

udev_on() {
	run "/lib/systemd/systemd-udevd --daemon"
}

# without_udev: load libnvdimm's drivers, which udev would load, and stop udev
without_udev() {
	run "modprobe -a nd_pmem nd_btt device_dax dax_pmem"
	udev_off
}

# rules_on: install our udev rules until the case ends. Most cases run without them, so
# that udev leaves the function alone.
rules_on() {
	trap 'new_rules "rm -f /run/udev/rules.d/90-iopmem-* /etc/udev/rules.d/90-iopmem-*"' EXIT
	new_rules "mkdir -p /run/udev/rules.d /etc/udev/rules.d && cp /usr/share/iopmem/*.rules /run/udev/rules.d/"
}

# new_rules COMMAND: change udev's rules by the command. udev reads them when it starts.
new_rules() {
	udev_off
	run "$1"
	udev_on
}

# in_toolbox COMMAND...: run it in tests/vm/toolbox. It may write to $work.
in_toolbox() {
	"$top/tests/vm/in-toolbox" -w "$work" "$@"
}

# use_library: write $work/use.c, a program that uses the library
use_library() {
	cat >"$work/use.c" <<-'END'
	#include <stdio.h>
	#include <iopmem.h>

	int main(void)
	{
		struct iopmem_ctx *ctx;

		if (iopmem_new(&ctx))
			return 1;
		printf("%d %s\n", iopmem_scan(ctx), iopmem_get_error(ctx));
		iopmem_unref(ctx);
		return 0;
	}
	END
}

# region_of NAME: the function's region
region_of() {
	guest "ls -d /sys/bus/pci/devices/${F[$1]}/ndbus*/region*" | sed 's,.*/,,'
}

# create NAME MODE [OPTION...]: make a namespace on the function's region. NODE is its
# node in /dev.
create() {
	local name=$1 mode=$2
	shift 2
	run "ndctl create-namespace -r $(region_of "$name") -m $mode $*"
	NODE=/dev/$(sed -n 's/.*"\(blockdev\|chardev\)":"\([^"]*\)".*/\2/p' <<<"$OUT" | tail -n 1)
	[ "$NODE" != /dev/ ] || bad "create-namespace -m $mode" "a device node" "$OUT"
	settle
}

# field KEY: the key's first value in OUT, which is JSON
field() {
	sed -n "s/.*\"$1\":\"\?\([^\",]*\)\"\?,\?\$/\1/p" <<<"$OUT" | head -n 1
}

# pattern TEXT: print 8 MiB that begin with TEXT. The rest is random.
pattern() {
	{
		echo "$1"
		head -c 8M /dev/urandom
	} | head -c 8M
}

# found TEXT FILE: the offsets of TEXT in a file on the host
found() {
	LC_ALL=C grep -abo -F -- "$1" "$2" | cut -d: -f1
}

# in_bar NAME TEXT: how often TEXT is in a function's BAR, as the host sees it
in_bar() {
	found "$2" "$DIR/$1.bar" | wc -l
}

# new_text: set text to a string that is nowhere else
new_text() {
	text="$CASE $RANDOM$RANDOM$RANDOM"
}

# port_of NAME: the port above the function
port_of() {
	guest "basename \$(dirname \$(readlink -f /sys/bus/pci/devices/${F[$1]}))"
}

# insert PORT SIZE: plug a card into the slot
insert() {
	local answer
	truncate -s "$2" "$DIR/hot.bar"
	answer=$(hmp "object_add memory-backend-file,id=hot-mem,mem-path=$DIR/hot.bar,size=$2,share=on"
		hmp "device_add ivshmem-plain,id=hot,memdev=hot-mem,bus=$1-port")
	[ -z "$answer" ] || bad "device_add" "no complaint of QEMU's" "$answer"
}

# plug PORT SIZE: plug a card into the slot, and wait until the kernel has found it
plug() {
	insert "$@"
	wait_slot "$1" present
	vm_find_functions
}

# slot_of PORT: the address of the port itself
slot_of() {
	echo "0000:00:$(printf '%s\n' "${SLOTS[@]}" | sed -n "s/^$1 //p").0"
}

# wait_slot PORT present|empty: wait until the kernel has a function there, or none
wait_slot() {
	local want=0
	[ "$2" = present ] && want=1
	run "await 15 '[ \$(ls -d /sys/bus/pci/devices/$(slot_of "$1")/????:??:??.? 2>/dev/null | wc -l) = $want ]'"
}

# unplug PORT: pull the card out, and wait until the slot can take another one.
#
# The card is out once QEMU releases its memory. A missing function in the guest does
# not show that, since in some cases the guest removes functions and finds them again.
# device_del is repeated, since QEMU refuses it while the slot is busy. The removal
# waits for mounted file systems, hence the long deadline.
#
# The kernel waits five seconds before it takes the power off a slot. It does not notice
# a new card until it has switched the power indicator off (3 in Slot Control, PCIe base
# specification 7.5.3.10).
unplug() {
	await 600 'hmp "device_del hot" >/dev/null; [ -z "$(hmp "object_del hot-mem")" ]' ||
		bad "device_del, repeated until the deadline" "the card to be out of the slot" "$(guest 'cat /proc/[0-9]*/stack | grep -A5 iopmem')"
	wait_slot "$1" empty
	[ "$HOTPLUG" = acpi ] ||
		run "await 30 '[ \$((0x\$(setpci -s $(slot_of "$1") CAP_EXP+18.w) >> 8 & 3)) = 3 ]'"
}

# used_up: end the machine, since no other case can use it after this one. That is no
# failure.
used_up() {
	touch "$VM/used"
	vm_kill
}

# memtypes NAME: the memory types that the kernel has reserved within the function's
# BAR 2. Addresses are compared as text: the kernel's list and the file "resource" pad
# them to the same width.
memtypes() {
	run "read -r start end _ < <(sed -n 3p /sys/bus/pci/devices/${F[$1]}/resource)
		awk -v start=\$start -v end=\$end '
			\$1 == \"PAT:\" {
				split(\$3, range, /-/)
				if (range[1] >= start && range[1] <= end)
					print \$4
			}' /sys/kernel/debug/x86/pat_memtype_list | sort -u | xargs"
}

# parting COMMAND: run a command that ends the guest. It waits in the background until
# the host has the answer of run, which could not come afterwards.
parting() {
	rm -f "$VM/share/go"
	run "(await 60 '[ -e /host/go ]'; $1) >/dev/null 2>&1 &"
	touch "$VM/share/go"
}

# beside MACHINE: start a second machine with the same BARs. It ends with the case.
beside() {
	local VM QEMU APPEND CACHED CPU_FLAGS OWN_ACCEL SLOTS MODULES SERIAL
	local -A F
	vm_boot "$1" "$DIR" beside || exit 1
	guest "echo iopmem-case: $CASE_NUMBER >/dev/kmsg"
}

# there COMMAND...: run a function of this file in the second machine
there() {
	local VM=$DIR/beside
	"$@"
}

# copied NAME: copy the source, without built files, into $work/NAME
copied() {
	rm -rf "${work:?}/$1"
	mkdir "$work/$1"
	(cd "$top" && tar -c --exclude=./build --exclude=./.git --exclude=./patches --exclude='*.ko' --exclude='*.o' .) |
		tar -C "$work/$1" --no-same-owner -x
}

# committed DIR: make DIR a git repository with one commit. The commit's time is fixed,
# so that a case can find it.
committed() {
	export GIT_CONFIG_GLOBAL=/dev/null EMAIL=nobody@localhost GIT_AUTHOR_NAME=nobody GIT_COMMITTER_NAME=nobody
	{ git -C "$1" init -q && git -C "$1" add . &&
		GIT_COMMITTER_DATE='2026-01-02 03:04:05 +0000' git -C "$1" commit -qm all; } ||
		bad "git commit" "to succeed" ""
}
