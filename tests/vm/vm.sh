# SPDX-License-Identifier: GPL-2.0-only
# Boot a virtual machine and run commands in it.
# shellcheck shell=bash
#
#	vm_prepare			make what all machines need
#	vm_boot MACHINE DIR [NAME]	start a machine; its BARs and drives are in DIR, and
#					its other files in DIR/vm or DIR/NAME
#	guest COMMAND			run a shell command in it, which may use await
#	guest_slow SECONDS COMMAND	the same with another deadline
#	vm_off, vm_kill			end the machine
#
# $VM is the folder of the running machine. F[name] is the address of a function.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$top/tests/vm/await.sh"
. "$top/tests/vm/machine.sh"

declare -A F
VM=
IMAGE=
CHILD=
load_kernel
# The guest's names of the console and of the agent's serial line, and the processor to
# emulate
case $ARCH in
# With 5-level paging (la57) KASAN makes a false report under TCG. With erms and fsrm the
# kernel copies and clears memory byte by byte, which is slow under emulation. On a busy
# host the kernel's check of the timer would find too few ticks (no_timer_check).
amd64)
	EMULATOR=qemu-system-x86_64 MACHINE=q35 TCG_CPU=max,la57=off,-erms,-fsrm
	CONSOLE=ttyS0 BELL=ttyS1 KERNEL_ARGS=" no_timer_check"
	;;
# Pointer authentication with the architecture's cipher is slow under emulation, so use
# QEMU's own cipher (pauth-impdef). The machine has only one serial line, so the agent's is
# a PCI device.
arm64)
	EMULATOR=qemu-system-aarch64 MACHINE=virt,gic-version=3,its=on TCG_CPU=max,lpa2=off,pauth-impdef=on
	CONSOLE=ttyAMA0 BELL=ttyS0 KERNEL_ARGS=''
	;;
esac
BOOT_SECONDS=$((240 * SLOW))
GUEST_SECONDS=120

vm_prepare() {
	local name
	name=$(mktemp) || exit
	vm_wait "$top/tests/vm/deps" &&
		vm_wait "$top/tests/vm/image" 3>"$name" &&
		IMAGE=$(cat "$name") && rm "$name" &&
		vm_wait "$top/tests/vm/build" "$IMAGE" || exit
	ACCEL=$("$top/tests/vm/accel" "$IMAGE") || exit
	case $ACCEL in
	kvm) CPU=host ;;
	*) CPU=$TCG_CPU ACCEL=tcg,thread=multi ;;
	esac
}

# vm_wait COMMAND...: run a script. A signal ends the waiting, and vm_kill then ends the
# script.
vm_wait() {
	local rc=0
	"$@" &
	CHILD=$!
	wait "$CHILD" || rc=$?
	CHILD=
	return "$rc"
}

# vm_qemu: become QEMU, so call this in a subshell. QEMU is killed when the shell that
# started it ends, for whatever reason.
#
# An emulator translates a program again for each address that it is loaded to. With
# random addresses, starting a process takes four times as long (norandmaps).
vm_qemu() {
	local accel=$ACCEL cpu=$CPU maps=
	[ -z "$OWN_ACCEL" ] || accel=$OWN_ACCEL cpu=$TCG_CPU
	[ "$accel" = kvm ] || maps=" norandmaps"
	exec setpriv --pdeathsig KILL "$EMULATOR" \
		-machine "$MACHINE" -accel "$accel" -cpu "$cpu$CPU_FLAGS" \
		-nodefaults -display none -no-reboot \
		-kernel "$BOOT/vmlinuz" -initrd "$BOOT/initrd" \
		-append "console=$CONSOLE panic=-1 oops=panic$KERNEL_ARGS$maps$CMDLINE$APPEND" \
		-drive "file=$DISK,if=none,id=disk,format=raw" \
		-device virtio-blk-pci,drive=disk,bus=pcie.0 \
		-fsdev "local,path=$VM/share,id=share,security_model=none,multidevs=remap" \
		-device virtio-9p-pci,fsdev=share,mount_tag=host,bus=pcie.0 \
		"${QEMU[@]}" "${SERIAL[@]}"
}

# life_disk DIR: put the disk and the kernel of the machine life into DIR
life_disk() {
	local name image
	[ ! -e "$1/disk.img" ] || return 0
	name=$(mktemp) && vm_wait "$top/tests/vm/life/image" 3>"$name" || return
	image=$(cat "$name")
	rm "$name"
	mkdir -p "$1/boot"
	cp "$image/vmlinuz" "$1/boot/" && cp "$image/initrd.img" "$1/boot/initrd" &&
		cp --sparse=always "$image/disk.img" "$1/"
}

vm_folder() {
	VM=$2/${3:-vm}
	rm -rf "$VM"
	mkdir -p "$VM/share"
	cp "$top"/tests/vm/{init,agent,await.sh} "$VM/share/"
	# Use one file. The guest takes twice as long to copy a folder, and on a busy host
	# far longer.
	tar -cf "$VM/share/payload.tar" -C "$top/build/$KERNEL/payload" .
	machine "$1" "$2"
	echo "${MODULES[*]}" >"$VM/share/modules"
	echo "$BELL" >"$VM/share/bell"
}

# vm_boot MACHINE DIR [NAME]: start a machine, if necessary twice. Under emulation, once in
# some hundred boots, a CPU hangs in an instruction that the kernel has just patched. A
# driver that is a module is not loaded yet at that time, so the second start cannot hide
# a fault of the driver. With a built-in driver it could, so there is none.
vm_boot() {
	vm_start "$@" && return
	[ "$DRIVER" != y ] || return
	echo "guest: starting it a second time" >&2
	vm_start "$@"
}

vm_start() {
	local start=$EPOCHREALTIME
	vm_folder "$@"
	mkfifo "$VM"/{bell,qmp}.{in,out}
	echo 0 >"$VM/count"
	case $ARCH in
	amd64) SERIAL=(-serial "file:$VM/console" -serial "pipe:$VM/bell") ;;
	*)	# before the machine's own serial functions, so that it becomes ttyS0
		SERIAL=(-serial "file:$VM/console" -chardev "pipe,id=bell,path=$VM/bell"
			-device "pci-serial,chardev=bell,bus=pcie.0,addr=f")
		;;
	esac
	SERIAL+=(-chardev "pipe,id=qmp,path=$VM/qmp" -mon "chardev=qmp,mode=control")
	vm_qemu >"$VM/qemu.log" 2>&1 </dev/null &
	echo $! >"$VM/pid"
	disown	# bash must not print a message when it ends
	PACE=$SLOW
	vm_answer "$BOOT_SECONDS" "ready " || {
		vm_why "did not start"
		return 1
	}
	[ "$ANSWER" -le "$PACE" ] || PACE=$ANSWER
	qmp '{"execute":"qmp_capabilities"}' >/dev/null
	VM_BOOT_TIME=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
	vm_find_functions
}

# vm_find_functions: set F to the addresses of the functions. Ask the guest, which has
# numbered the buses behind ports.
vm_find_functions() {
	local name slot
	F=()
	while read -r name slot; do
		F[$name]=$slot
	done < <(guest "
		while read -r name slot; do
			case \$slot in
			*:*) ;;
			*) slot=00:\$slot ;;
			esac
			case \$slot in
			*.*) echo \$name 0000:\$slot ;;
			*) cd /sys/bus/pci/devices/0000:\${slot//\//.0/????:??:}.0 && ls -d ????:??:??.? 2>/dev/null | sed \"s/^/\$name /\" ;;
			esac
		done <<-END
		$(printf '%s\n' "${SLOTS[@]}")
		END
	")
}

vm_alive() {
	[ -n "$VM" ] && [ -e "$VM/pid" ] && kill -0 "$(cat "$VM/pid")" 2>/dev/null
}

# vm_answer SECONDS WORD: wait for a line that begins with WORD and ends with a dot. ANSWER
# is the text between the two.
vm_answer() {
	local end=$((SECONDS + $1)) line='' part fd rc
	exec {fd}<>"$VM/bell.out"
	while :; do
		IFS= read -r -t 1 part <&$fd
		rc=$?
		line+=$part
		# A read that times out may have consumed the newline, so the dot shows that
		# the line is complete.
		case $line in
		"$2"*" .")
			ANSWER=${line#"$2"}
			ANSWER=${ANSWER% .}
			exec {fd}>&-
			return 0
			;;
		esac
		[ "$rc" != 0 ] || line=
		vm_alive && [ "$SECONDS" -lt "$end" ] && continue
		exec {fd}>&-
		return 1
	done
}

# qmp JSON: give a command to QEMU's monitor, and print the answer
qmp() {
	local line='' part whole fd end=$((SECONDS + 30)) rc=1
	exec {fd}<>"$VM/qmp.out"
	printf '%s\n' "$1" 1<>"$VM/qmp.in"
	while vm_alive && [ "$SECONDS" -lt "$end" ]; do
		IFS= read -r -t 5 part <&$fd
		whole=$?
		line+=$part
		# the newline may be lost, as in vm_answer
		[ "$whole" = 0 ] || [[ $line = *"}" ]] || continue
		case $line in
		'{"return"'*) rc=0 ;;
		'{"error"'*) ;;
		*)	# greeting, events
			line=
			continue
			;;
		esac
		printf '%s\n' "$line"
		break
	done
	exec {fd}>&-
	return "$rc"
}

# hmp COMMAND [CPU]: give a command to the monitor in the form that people type
hmp() {
	qmp "{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":\"$1\",\"cpu-index\":${2:-0}}}" |
		sed 's/^{"return": "\(.*\)"}.*$/\1/; s/\\r\\n/\n/g'
}

# vm_why TEXT: the machine is lost. Say why, with the console's last lines, and end it.
vm_why() {
	if vm_alive; then
		echo "guest: $1 within its deadline, ended" >&2
	else
		echo "guest: $1, QEMU has ended" >&2
	fi
	tail -n 5 "$VM/qemu.log" 2>/dev/null | sed 's/^/  qemu | /' >&2
	tail -n 25 "$VM/console" 2>/dev/null | tr -d '\r' | sed 's/^/  console | /' >&2
	vm_kill
	touch "$VM/lost"
}

guest() {
	guest_slow $((GUEST_SECONDS * PACE)) "$1"
}

guest_slow() {
	local n rc
	[ -e "$VM/lost" ] && return 255
	n=$(($(cat "$VM/count") + 1))
	echo "$n" >"$VM/count"
	printf '%s\n' "$2" >"$VM/share/cmd.$n"
	echo "$n" 1<>"$VM/bell.in"	# read-write, since opening for write only would hang without QEMU
	if vm_answer "$1" "$n "; then
		rc=$ANSWER
		cat "$VM/share/out.$n"
		return "$rc"
	fi
	cat "$VM/share/out.$n" 2>/dev/null
	vm_why "no answer to '$2'"
	return 255
}

vm_kill() {
	local pid
	[ -n "$CHILD" ] && kill "$CHILD" 2>/dev/null && wait "$CHILD"
	pid=$(cat "$VM/pid" 2>/dev/null) || return 0
	rm -f "$VM/pid"
	kill -KILL "$pid" 2>/dev/null
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.05
	done
}

# vm_off: end the machine without a shutdown, as if its plug were pulled. The contents of
# BARs stay.
vm_off() {
	vm_alive || return 0
	guest sync
	qmp '{"execute":"quit"}' >/dev/null
	await 10 '! vm_alive'
	vm_kill
}
