# SPDX-License-Identifier: GPL-2.0-only
# What a case is written with. A case is a function test_NAME in a file of
# this folder, after a line "runs_in NAME" that says which of
# tests/vm/machine.sh it runs in ("toolbox": in tests/vm/toolbox, on no machine;
# "bookworm", "trixie": in that Debian's tree for packages;
# "none": on the host, for the harness itself). "runs_in NAME slow" is
# for those that make check leaves to make check-all. A case begins with shows,
# and ends at the first thing that is not as it should be.
# shellcheck shell=bash

# read by tests/run; the second has the kernels whose sources a file's cases in
# the toolbox want
runs_in() { :; }
wants_source() { :; }

# shows TEXT: what the case shows, in one line
shows() {
	echo "$CASE: $1"
}

saw() {
	printf '    %s\n' "$*"
}

# figure WHAT COUNT RESULT: for the table at the end of make torture, too
figure() {
	saw "$1: $2, $3"
	printf '%-60s | %8s | %s\n' "$@" >>"$work/figures"
}

# skip REASON: the case cannot be had here. A bare exit status says nothing, it
# may be a tool's.
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

# run COMMAND: in the guest; it has to succeed. Its output is in OUT.
run() {
	local rc=0
	OUT=$(guest "$1" 2>&1) || rc=$?
	[ -n "$V" ] && printf '%s\n' "$1" "$OUT" | sed '1s/^/    # /; 2,$s/^/      /'
	[ "$rc" = 0 ] || bad "$1" "to succeed" "exit status $rc, $OUT"
}

# fails PATTERN COMMAND: it has to fail, and to say PATTERN
fails() {
	local rc=0
	OUT=$(guest "$2" 2>&1) || rc=$?
	[ "$rc" = 0 ] && bad "$2" "to fail" "success, $OUT"
	[ "$rc" = 255 ] && bad "$2" "to fail" "$OUT"
	grep -Eq -- "$1" <<<"$OUT" || bad "$2" "$1" "$OUT"
	saw "$(grep -E -m1 -- "$1" <<<"$OUT")"
}

# is WHAT WANT GOT
is() {
	[ "$3" = "$2" ] || bad "$1" "$2" "$3"
	saw "$1: $3"
}

# like WHAT PATTERN TEXT: a line of TEXT matches
like() {
	grep -Eq -- "$2" <<<"$3" || bad "$1" "$2" "$3"
	saw "$1: $(grep -E -m1 -- "$2" <<<"$3" | sed 's/^ *//')"
}

# unlike WHAT PATTERN TEXT: none does
unlike() {
	grep -Eq -- "$2" <<<"$3" && bad "$1" "no $2" "$3"
	saw "$1: no $2"
}

# may_log PATTERN: the case makes the kernel complain with a line that matches;
# for all other lines it fails
may_log() {
	echo "$1" >>"$work/may_log"
}

# disks_fail: the function fails, and the kernel complains of what is on its disks
disks_fail() {
	may_log 'Aborting journal|JBD2: .*[Ee]rror|EXT4-fs error|Remounting filesystem read-only|XFS .*(I/O [Ee]rror|[Ss]hutting down|[Ss]hut down|Corruption)|Buffer I/O error|I/O error, dev'
}

# the kernel's log since the case began, in whole lines: the last one may be half
# written
case_log() {
	{ cat "$VM/console"; echo; } | tr -d '\r' | sed "1,/ iopmem-case: $CASE_NUMBER\$/d;\$d"
}

# the same, or since the module was last loaded
load_log() {
	case_log | awk '/ iopmem-load/ { n = 0; next } { line[n++] = $0 } END { for (i = 0; i < n; i++) print line[i] }'
}

# logged PATTERN: the kernel says so, or has done since load_log begins
logged() {
	await "${LOG_SECONDS:-30}" "load_log | grep -E -- $(printf %q "$1") >/dev/null" 2>/dev/null
	like "kernel log" "$1" "$(load_log)"
}

# launch COMMAND CONDITION: a process in the guest that goes on, and has come to
# where CONDITION, a line of shell, holds; in it, $pid is the process's number and
# $said the file with what it has said. Both are kept in PID and SAID.
launch() {
	SAID=/tmp/said.$((LAUNCHED += 1))
	run "said=$SAID; rm -f \$said*
		{ $1 >\$said 2>&1 & echo \$! >\$said.pid; wait \$!; echo \$? >\$said.status; } 2>/dev/null &
		await 60 '[ -s $SAID.pid ] && [ -e $SAID ]' && pid=\$(cat \$said.pid) &&
			await 60 $(printf %q "$2") 2>>\$said || { cat \$said; exit 1; }
		echo \$pid"
	PID=$OUT
}

# ended [SAID]: what was launched, by itself; its exit status is in OUT
ended() {
	run "await 60 '[ -s ${1:-$SAID}.status ]' && cat ${1:-$SAID}.status"
}

# goes_on FILE: it gets lines, of which one was begun and ended meanwhile
goes_on() {
	run "n=\$(wc -l <$1); await 60 \"[ \\\$(wc -l <$1) -gt \$((n + 1)) ]\""
}

# stop PID|NAME: end such processes, which lets go of what they have
stop() {
	case $1 in
	*[!0-9]*) run "pkill -x $1; await 60 '! pgrep -x $1 >/dev/null'" ;;
	*) run "kill $1; await 60 '[ ! -e /proc/$1 ]'" ;;
	esac
}

# hold FILE[@OFFSET] LENGTH: a process that has it mapped, and stores to it
hold() {
	launch "mapcp hold $1 $2" 'grep -q held $said'
}

# blank NAME...: the BAR holds zeros, as a card from the factory. From the
# host, where the BAR is a file.
blank() {
	local n
	for n in "$@"; do
		fallocate -p -o 0 -l "$(stat -c %s "$DIR/$n.bar")" "$DIR/$n.bar" 2>/dev/null ||
			dd if=/dev/zero of="$DIR/$n.bar" bs=1M conv=notrunc \
				count=$(($(stat -c %s "$DIR/$n.bar") >> 20)) status=none
	done
}

# as_module: what follows is for a driver that can be loaded and unloaded
as_module() {
	[ "$DRIVER" != y ] || skip "the driver is built in"
}

# load [PARAMETER...]: the module. A driver that is built in takes parameters
# only at boot.
load() {
	[ $# = 0 ] || as_module
	run "echo iopmem-load >/dev/kmsg; modprobe iopmem_bus $*"
}

# attach NAME: by driver_override, the module being loaded. What had it before
# is bound already.
attach() {
	run "cd /sys/bus/pci/devices/${F[$1]} && echo iopmem >driver_override &&
		{ [ -e driver ] || echo ${F[$1]} >/sys/bus/pci/drivers/iopmem/bind; }"
	settle
}

detach() {
	run "echo ${F[$1]} >/sys/bus/pci/drivers/iopmem/unbind"
}

# probing of regions and namespaces goes on after bind has returned
settle() {
	guest "cat /sys/bus/nd/devices/ndbus*/wait_probe >/dev/null; udevadm settle"
}

# udev away, which takes time and listens to what happens; and there again
udev_off() {
	run "udevadm settle; pkill -x systemd-udevd"
}

udev_on() {
	run "/lib/systemd/systemd-udevd --daemon"
}

# rules_on: our udev rules, as installed; until the case ends, since most cases want
# udev to know nothing of the function
rules_on() {
	# shellcheck disable=SC2064
	trap 'guest "rm -f /run/udev/rules.d/90-iopmem-* /etc/udev/rules.d/90-iopmem-*; udevadm control --reload"' EXIT
	new_rules "mkdir -p /run/udev/rules.d /etc/udev/rules.d && cp /usr/share/iopmem/*.rules /run/udev/rules.d/"
}

# new_rules COMMAND: it changes udev's rules, while udev is at no event with
# those before
new_rules() {
	run "udevadm settle && $1 && udevadm control --reload"
}

# in_toolbox COMMAND...: in tests/vm/toolbox, where it may write to work
in_toolbox() {
	"$top/tests/vm/in-toolbox" -w "$work" "$@"
}

# use_library: work/use.c, a program on the library
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

# create NAME MODE [OPTION...]: a namespace on the function's region; the node
# in /dev is in NODE.
create() {
	local name=$1 mode=$2
	shift 2
	run "ndctl create-namespace -r $(region_of "$name") -m $mode $*"
	NODE=/dev/$(sed -n 's/.*"\(blockdev\|chardev\)":"\([^"]*\)".*/\2/p' <<<"$OUT" | tail -n 1)
	[ "$NODE" != /dev/ ] || bad "create-namespace -m $mode" "a device node" "$OUT"
	settle
}

# field KEY: of the JSON in OUT, its first value
field() {
	sed -n "s/.*\"$1\":\"\?\([^\",]*\)\"\?,\?\$/\1/p" <<<"$OUT" | head -n 1
}

# pattern TEXT: 8 MiB that begin with TEXT and are random else
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

# in_bar NAME TEXT: how often TEXT is in a function's BAR, seen from outside
in_bar() {
	found "$2" "$DIR/$1.bar" | wc -l
}

# new_text: sets text to what is nowhere else
new_text() {
	text="$CASE $RANDOM$RANDOM$RANDOM"
}

# port_of NAME: the port that it is behind
port_of() {
	guest "basename \$(dirname \$(readlink -f /sys/bus/pci/devices/${F[$1]}))"
}

# insert PORT SIZE: the card into the slot
insert() {
	local answer
	truncate -s "$2" "$DIR/hot.bar"
	answer=$(hmp "object_add memory-backend-file,id=hot-mem,mem-path=$DIR/hot.bar,size=$2,share=on"
		hmp "device_add ivshmem-plain,id=hot,memdev=hot-mem,bus=$1-port")
	[ -z "$answer" ] || bad "device_add" "no complaint of QEMU's" "$answer"
}

# plug PORT SIZE: the same, and wait for the kernel to find it
plug() {
	insert "$@"
	wait_slot "$1" present
	vm_find_functions
}

# slot_of PORT
slot_of() {
	echo "0000:00:$(printf '%s\n' "${SLOTS[@]}" | sed -n "s/^$1 //p").0"
}

# wait_slot PORT present|empty
wait_slot() {
	local want=0
	[ "$2" = present ] && want=1
	run "await 15 '[ \$(ls -d /sys/bus/pci/devices/$(slot_of "$1")/????:??:??.? 2>/dev/null | wc -l) = $want ]'"
}

# unplug PORT: the card is out when QEMU lets go of its memory. That the guest
# shows none is no sign, where it takes functions out and finds them again by
# itself. QEMU refuses device_del while the slot is at work. A removal waits for
# file systems. The kernel gives a slot five seconds before it takes the power
# away, and misses what is plugged in until it has switched the power indicator
# off (3 in Slot Control, PCIe base specification 7.5.3.10).
unplug() {
	await 600 'hmp "device_del hot" >/dev/null; [ -z "$(hmp "object_del hot-mem")" ]' ||
		bad "device_del, until the deadline" "the card out of the slot" "$(guest 'cat /proc/[0-9]*/stack | grep -A5 iopmem')"
	wait_slot "$1" empty
	[ "$HOTPLUG" = acpi ] ||
		run "await 30 '[ \$((0x\$(setpci -s $(slot_of "$1") CAP_EXP+18.w) >> 8 & 3)) = 3 ]'"
}

# used_up: nothing more can run in this machine, though nothing is wrong
used_up() {
	touch "$VM/used"
	vm_kill
}

# memtypes NAME: memory types reserved within the function's BAR 2, from the
# kernel's list, whose addresses are as wide as those in the file "resource"
memtypes() {
	run "read -r start end _ < <(sed -n 3p /sys/bus/pci/devices/${F[$1]}/resource)
		awk -v start=\$start -v end=\$end '
			\$1 == \"PAT:\" {
				split(\$3, range, /-/)
				if (range[1] >= start && range[1] <= end)
					print \$4
			}' /sys/kernel/debug/x86/pat_memtype_list | sort -u | xargs"
}

# parting COMMAND: with which the guest is gone. It waits for the host to have seen
# that it was begun.
parting() {
	rm -f "$VM/share/go"
	run "(await 60 '[ -e /host/go ]'; $1) >/dev/null 2>&1 &"
	touch "$VM/share/go"
}

# beside MACHINE: a second machine, with the same BARs; it ends with the case
beside() {
	local VM QEMU APPEND CACHED CPU_FLAGS OWN_ACCEL SLOTS MODULES SERIAL
	local -A F
	vm_boot "$1" "$DIR" beside || exit 1
	guest "echo iopmem-case: $CASE_NUMBER >/dev/kmsg"
}

# there COMMAND...: one of these here, in the machine beside
there() {
	local VM=$DIR/beside
	"$@"
}

# copied NAME: the source in a folder of its own, without what is built
copied() {
	rm -rf "${work:?}/$1"
	mkdir "$work/$1"
	(cd "$top" && tar -c --exclude=./build --exclude=./.git --exclude=./patches --exclude='*.ko' --exclude='*.o' .) |
		tar -C "$work/$1" --no-same-owner -x
}

# committed DIR: make it a git repository with one commit, of a time of its own
committed() {
	export GIT_CONFIG_GLOBAL=/dev/null EMAIL=nobody@localhost GIT_AUTHOR_NAME=nobody GIT_COMMITTER_NAME=nobody
	{ git -C "$1" init -q && git -C "$1" add . &&
		GIT_COMMITTER_DATE='2026-01-02 03:04:05 +0000' git -C "$1" commit -qm all; } ||
		bad "git commit" "to succeed" ""
}
