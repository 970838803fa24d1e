# SPDX-License-Identifier: GPL-2.0-only
# A function is taken away while it is in use: a drive's DMA goes into a file on ext4, a file
# on xfs is mapped, and device DAX is mapped
# shellcheck shell=bash
runs_in hotplug

# busy NAME [MAP]: use the function in all these ways at once. Beside them, a file of each is
# mapped and not touched (mapcp later). The struct pages of xfs are in memory, or with
# MAP dev on the card. The contents that have to survive are in two files "kept".
#
# ext4's journal would commit every five seconds (commit=3600). If flushes fail, that makes
# ext4 read-only before the case calls fsync.
busy() {
	new_text
	blank "$1"
	load
	attach "$1"
	create "$1" fsdax -s 64M
	EXT4=$NODE
	run "mkfs.ext4 -q -F -b 4096 -E lazy_itable_init=0,lazy_journal_init=0 $NODE && mount -o dax,commit=3600 $NODE /mnt/a"
	create "$1" fsdax -s 384M "--map=${2:-mem}"
	XFS=$NODE
	run "mkfs.xfs -q -f $NODE && mount -o dax $NODE /mnt/b"
	create "$1" devdax -s 16M
	DAX=$NODE
	run "for m in /mnt/a /mnt/b; do
			echo '$text' >\$m/kept && fallocate -l 8M \$m/file && sync \$m/kept \$m/file || exit
		done
		rm -f /tmp/*.out /tmp/*.status /tmp/go.*; touch /tmp/busy
		later() {
			mkfifo /tmp/go.\$1 && mapcp later \$2 2M <>/tmp/go.\$1 >/tmp/later.\$1.out 2>/dev/null
			echo \$? >/tmp/later.\$1.status
		}
		hold() {
			mapcp hold \$1 2M >/tmp/\$2.out 2>/dev/null
			echo \$? >/tmp/\$2.status
		}
		hold $DAX devdax &
		hold /mnt/b/file mapped &
		(while [ -e /tmp/busy ] && dma /dev/nvme0n1@16M /mnt/a/file 8M; do :; done >/tmp/dma.out 2>&1; touch /tmp/dma.status) &
		later a /mnt/a/file 2>/dev/null &
		later b /mnt/b/file 2>/dev/null &
		later dax $DAX 2>/dev/null &
		for f in devdax mapped dma later.a later.b later.dax; do
			await 60 \"[ -s /tmp/\$f.out ]\" || exit
		done"
}

# idle: end all uses but the mapping of device DAX, and unmount
idle() {
	run "rm /tmp/busy
		pkill -x -f 'mapcp hold /mnt/b/file 2M'
		pkill -x -f 'mapcp later .*'
		await 60 '[ \$(ls /tmp/{dma,mapped,later.a,later.b,later.dax}.status 2>/dev/null | wc -l) = 5 ]'
		umount /mnt/a; umount /mnt/b; ! grep /mnt/ /proc/mounts"
}

# checked NAME: bind again, and check that the synced contents are there
checked() {
	attach "$1"
	run "mount $EXT4 /mnt/a && mount $XFS /mnt/b && cat /mnt/a/kept /mnt/b/kept"
	is "after binding again, in ext4 and xfs" "$text $text" "$(tr '\n' ' ' <<<"$OUT" | sed 's/ $//')"
	run "umount /mnt/a /mnt/b && e2fsck -fn $EXT4 && xfs_repair -n $XFS 2>&1"
}

# The errors of a file system that is lost. Up to 6.1 the kernel does not tell the file
# system, and the second error comes from its access to the memory.
gone="Input/output error|No such device or address"

# fsync_fails: fsync has to fail on both file systems. The kernel complains of that.
fsync_fails() {
	local m
	disks_fail
	for m in /mnt/a /mnt/b; do
		fails "$gone" "dd if=/dev/zero of=$m/file bs=4K count=1 conv=notrunc,fsync status=none"
	done
}

# touched NAME: let the process touch its mapping for the first time, and set OUT to its exit
# status
touched() {
	run "echo >/tmp/go.$1; await 60 '[ -s /tmp/later.$1.status ]'; cat /tmp/later.$1.status"
}

# all_fails NAME WHY: the driver has to say that the function is lost. All reads have to fail,
# and a new page fault in a file's mapping has to end in SIGBUS.
all_fails() {
	local m
	logged "iopmem ${F[$1]}: $2: reads and flushes fail from here on, check the data, unbind and bind again"
	is "times that it says so" 1 "$(load_log | grep -c "fail from here on")"
	fsync_fails
	for m in a b; do
		fails "$gone" "cat /mnt/$m/kept"
		touched $m
		is "a new page fault in /mnt/$m ends with (128 + SIGBUS)" 135 "$OUT"
	done
	touched dax
	is "a new page fault in device DAX succeeds" 0 "$OUT"
	# so does a new mapping, which some kernels cannot refuse without an oops
	run "mapcp out $DAX 2M | wc -c"
	is "bytes read from device DAX" $((2 << 20)) "$OUT"
	for NODE in $EXT4 $XFS; do
		fails "Input/output error" "dd if=$NODE of=/dev/null iflag=direct bs=4K count=1"
		# read a place that no file system has in the page cache
		run "dd if=$NODE bs=4K count=1 skip=4095 2>/dev/null | wc -c"
		is "bytes read from $NODE by the page cache" 0 "$OUT"
	done
	logged "iopmem ${F[$1]}: dax[0-9.]*: processes that map it still reach the card, end them"
	is "times that it says so" 1 "$(load_log | grep -c "still reach the card")"
}

# sigbus: the process with device DAX mapped has to have ended by SIGBUS
sigbus() {
	run "await 60 '[ -s /tmp/devdax.status ]'; cat /tmp/devdax.status"
	is "the mapping of device DAX ended with (128 + SIGBUS)" 135 "$OUT"
}

# waits NAME: the removal has to have begun, and all uses have to go on
waits() {
	logged "iopmem ${F[$1]}: pmem[0-9.]* is in use, unmount or close it: removal waits"
	goes_on /tmp/dma.out
	run "for m in /mnt/a /mnt/b; do
			dd if=/dev/zero of=\$m/more bs=4K count=1 conv=fsync status=none && cat \$m/kept || exit
		done; ! ls /tmp/*.status 2>/dev/null && echo in use"
	is "meanwhile" "$text $text in use" "$(tr '\n' ' ' <<<"$OUT" | sed 's/ $//')"
	unlike "kernel log" "still reach the card" "$(case_log)"
}

removed() {
	run "await 60 '! ls /sys/bus/nd/devices | grep .'"
}

# gone: all nvdimm devices and reservations of the function have to be gone
gone() {
	removed
	run "grep -c 'iopmem labels' /proc/iomem || true"
	is "reservations left" 0 "$OUT"
	sigbus
}

test_unbind() {
	shows "unbinding waits for the file systems, then ends; nothing is lost"
	busy card dev
	run "echo ${F[card]} >/sys/bus/pci/drivers/iopmem/unbind 2>/dev/null &"
	waits card
	idle
	gone
	checked card
}

# said_again TEXT: the kernel has to print the text a second time, at least ten seconds later
said_again() {
	local text=$1 first second
	await 20 '[ "$(case_log | grep -cF -- "$text")" -ge 2 ]' ||
		bad "kernel log" "to say twice: $text" "$(case_log | grep -F -- "$text")"
	{ read -r first; read -r second; } < <(case_log | grep -F -- "$text" | sed 's/^\[ *\([0-9]*\)\..*/\1/')
	like "said again after" "^[0-9]{2,} s" "$((second - first)) s"
}

test_unbind_others() {
	local mode others=() flag held late
	shows "while unbinding waits for one disk, the function's other disks can be neither read, written nor mounted, even if they are enabled meanwhile, and unbinding does not wait for them; every ten seconds it says what it waits for"
	may_log '^Buffer I/O error on dev pmem[0-9.]*s?, logical block'
	blank card
	load
	attach card
	for mode in raw sector fsdax; do
		create card $mode -s 32M
		run "mkfs.ext4 -q -F -b 4096 $NODE"
		others+=("$NODE")
	done
	create card fsdax -s 32M
	late=$(field dev)
	others+=("$NODE")
	run "mkfs.ext4 -q -F -b 4096 $NODE && ndctl disable-namespace $late"
	create card fsdax -s 64M
	run "mkfs.ext4 -q -F -b 4096 $NODE && mount -o dax $NODE /mnt/a
		echo ${F[card]} >/sys/bus/pci/drivers/iopmem/unbind 2>/dev/null &"
	held=${NODE#/dev/}
	logged "iopmem ${F[card]}: $held is in use, unmount or close it: removal waits"
	run "ndctl enable-namespace $late && await 10 '[ -b ${others[-1]} ]'"
	run "echo 3 >/proc/sys/vm/drop_caches"
	GUEST_SECONDS=30
	for NODE in "${others[@]}"; do
		for flag in "" iflag=direct; do
			run "dd if=$NODE bs=4K count=1 $flag 2>/dev/null | wc -c"
			is "bytes read from $NODE ${flag:-by the page cache}" 0 "$OUT"
		done
		fails "Input/output error|No space left" "dd if=/dev/zero of=$NODE bs=4K count=1 conv=fsync,notrunc"
		fails "can't read superblock|Input/output error|wrong fs type" "mount -t ext4 $NODE /mnt/b"
	done
	said_again "iopmem ${F[card]}: $held is in use, unmount or close it: removal waits"
	run "umount /mnt/a"
	removed
	saw "unmounted: all disks are gone"
	attach card
	run "for o in ${others[*]}; do e2fsck -fn \$o || exit; done"
}

test_remove() {
	shows "the PCI core's remove waits for the file systems, too"
	busy card dev
	run "echo 1 >/sys/bus/pci/devices/${F[card]}/remove 2>/dev/null &"
	waits card
	idle
	gone
	run "echo 1 >/sys/bus/pci/rescan"
	checked card
}

test_unplug() {
	shows "an orderly hot-unplug waits for the file systems, too"
	plug hot 512M
	busy hot dev
	hmp "device_del hot" >/dev/null
	waits hot	# the slot waits five seconds before
	idle
	gone
	unplug hot
	plug hot 512M
	checked hot
	detach hot
	unplug hot
}

# pull: switch the power of hot's slot off. pciehp takes the slot for empty after that, so the
# cases ask for the removal by sysfs.
pull() {
	PORT=$(port_of hot)
	run "setpci -s $PORT CAP_EXP+18.w=0700:0700"
}

# pulled: the removal has to end when all is unmounted, and the synced contents have to be
# there in the next card
pulled() {
	logged "iopmem ${F[hot]}: pmem[0-9.]* is in use, unmount or close it: removal waits"
	idle
	gone
	wait_slot hot empty
	if [ "$HOTPLUG" = acpi ]; then
		# QEMU has kept the card in the slot, and nothing switches the slot on again
		run "setpci -s $PORT CAP_EXP+18.w=0:0400; echo 1 >/sys/bus/pci/rescan"
		wait_slot hot present
	else
		hmp "object_del hot-mem" >/dev/null
		plug hot 512M
	fi
	checked hot
	detach hot
	unplug hot
}

test_surprise() {
	shows "surprise removal: fsync fails with EIO, the removal ends when all is unmounted, and the synced contents are there"
	plug hot 512M
	busy hot
	pull
	fsync_fails
	all_fails hot "does not answer as it did"
	run "echo 1 >/sys/bus/pci/devices/${F[hot]}/remove &"
	pulled
}

test_surprise_unbinding() {
	shows "if a card is pulled while an unbind waits for a file system, the driver says so, and all reads fail from then on"
	plug hot 512M
	busy hot
	run "echo ${F[hot]} >/sys/bus/pci/drivers/iopmem/unbind 2>/dev/null &"
	waits hot
	pull
	all_fails hot "is gone"
	run "echo 1 >/sys/bus/pci/devices/${F[hot]}/remove &"
	pulled
}

# lost_until_bound WHY: stores may have been lost. All has to fail until the function is bound
# again, and then the synced contents have to be there.
lost_until_bound() {
	all_fails card "$1"
	idle
	run "[ ! -e /tmp/devdax.status ]"
	unlike "kernel log" "removal waits" "$(case_log)"
	detach card
	gone
	checked card
}

# inject ID NAME: inject the AER error NAME into QEMU's device ID
inject() {
	like "pcie_aer_inject_error" "^OK id: $1" "$(hmp "pcie_aer_inject_error $1 $2")"
}

# error NAME: use card, and inject the error into its port
error() {
	busy card
	inject card-port "$1"
}

test_fatal_error() {
	shows "a fatal error on the link (AER): the link is reset, and fsync fails with EIO until the function is bound again"
	error SDN
	logged "severity=Uncorrect(ed|able) \(Fatal\)"
	logged "AER: device recovery successful"
	lost_until_bound "link error"
}

# hit COUNT: inject the COUNT-th fatal error into card's port. The kernel has to recover, and
# the registers have to be as in WAS.
hit() {
	inject card-port SDN
	await 30 '[ "$(case_log | grep -c "AER: device recovery")" -ge '"$1 ]" ||
		bad "kernel log" "AER: device recovery, $1 times" "$(case_log | tail -n 5)"
	is "recoveries that were successful" "$1" "$(case_log | grep -c "AER: device recovery successful")"
	registers
	is "after fatal error $1: memory decoding and the BAR" "$WAS" "$OUT"
}

# registers [SAID]: set OUT to the bit for memory decoding and to the BAR's two registers.
# SAID is setpci's output, if it has run already.
registers() {
	local command bar
	[ $# != 0 ] || run "setpci -s ${F[card]} COMMAND.w BASE_ADDRESS_2.l BASE_ADDRESS_3.l | xargs"
	read -r command bar <<<"${1:-$OUT}"
	OUT="$((0x$command & 2)) $bar"
}

# refuses_all: all flushes, label commands and reads have to fail
refuses_all() {
	local skip
	may_log '^Buffer I/O error on dev pmem[0-9.]*s?, logical block'
	fails "Input/output error|No space left" "dd if=/dev/zero of=$NODE seek=1 bs=4K count=1 conv=fsync,notrunc status=none"
	run "ndctl disable-region $(region_of card)"
	fails "get: EIO" "labelcmd get /dev/nmem0 0 16"
	# at a place without a label
	fails "set: EIO" "labelcmd set /dev/nmem0 131056 16"
	is "how many of these 16 bytes are in the BAR" 0 "$(tail -c 16 "$DIR/card.bar" | tr -cd Z | wc -c)"
	run "ndctl enable-region $(region_of card)"
	fails "Input/output error|No space left" "dd if=/dev/zero of=$NODE seek=1 bs=4K count=1 conv=fsync,notrunc status=none"
	# the first page and the last one
	for skip in 0 16383; do
		run "await 10 '! dd if=$NODE of=/dev/null iflag=direct bs=4K count=1 skip=$skip 2>/dev/null'"
		fails "Input/output error" "dd if=$NODE of=/dev/null iflag=direct bs=4K count=1 skip=$skip"
	done
}

test_fatal_error_twice() {
	shows "two fatal errors, one after another: memory decoding and the BAR's address are restored after each, and flushes and label commands fail until the function is bound again"
	blank card
	load
	attach card
	create card raw -s 64M -n kept
	new_text
	run "echo '$text' | dd of=$NODE bs=4096 conv=sync,fsync oflag=direct status=none"
	registers
	WAS=$OUT
	like "memory decoding and the BAR" "^2 [0-9a-f]{8} [0-9a-f]{8}$" "$WAS"
	hit 1
	refuses_all
	hit 2
	refuses_all
	detach card
	attach card
	run "dd if=/dev/zero of=$NODE seek=1 bs=4K count=1 conv=fsync,notrunc status=none; head -n 1 $NODE"
	is "bound again, a flush succeeds, and the contents are" "$text" "$OUT"
	run "ndctl list -N"
	is "and its label" kept "$(field name)"
}

# goes_down COMMAND [SECONDS]: the command has to end the machine, without a complaint in its
# log. Then the machine is booted again for the rest of this case.
goes_down() {
	parting "$1"
	await "${2:-60}" '! vm_alive' || bad "$1" "the machine to end" "it is still there: $(case_log | tail -n 3)"
	complaints && bad "kernel log" "no complaint" "the above"
	vm_boot hotplug "$work" || bad "vm_boot" "the machine" "none"
	guest "echo iopmem-case: $CASE_NUMBER >/dev/kmsg"
}

test_reboot() {
	shows "after a reboot without unmounting, the synced contents are there"
	busy card dev
	goes_down "busybox reboot -f"
	load
	checked card
	used_up	# this machine ends with the case that has booted it
}

test_memory_off() {
	shows "if memory decoding is switched off, the first fsync fails, and after it all reads and flushes fail until the function is bound again, even once memory decoding is on"
	busy card
	run "setpci -s ${F[card]} COMMAND=0:2"
	fsync_fails
	run "setpci -s ${F[card]} COMMAND=2:2"
	lost_until_bound "does not answer as it did"
}

test_ones_map_dev() {
	shows "if memory with the struct pages of 384 MiB turns to ones, the kernel has lost its struct pages, and warns"
	busy card dev
	# x86 puts struct pages on the card only for whole sections of 128 MiB
	run "fallocate -l 200M /mnt/b/large"
	hold /mnt/b/large 200M
	tr '\0' '\377' </dev/zero 2>/dev/null | dd of="$DIR/card.bar" bs=1M count=512 iflag=fullblock conv=notrunc status=none
	may_log '.*'
	launch "sync /mnt/b/file; rm /tmp/busy; pkill -x -f 'mapcp (hold /mnt/b/.*|later .*)'; await 60 '! pgrep -f \"mapcp hold /mnt/b\"'; umount /mnt/b" true
	logged "iopmem ${F[card]}: does not answer as it did: reads and flushes fail from here on"
	await 60 'case_log | grep -qE "WARNING|BUG:|Oops"' || bad "kernel log" "a warning of the kernel" "$(case_log | tail -n 5)"
	saw "$(case_log | grep -oE "(WARNING|BUG:|Oops).*" | head -n 1)"
	used_up
}

# leaving COMMAND: the machine has to go down by this command while an unbind waits
leaving() {
	busy card dev
	run "echo ${F[card]} >/sys/bus/pci/drivers/iopmem/unbind 2>/dev/null &"
	waits card
	goes_down "$1" 120
	load
	checked card
	used_up	# this machine ends with the case that has booted it
}

test_reboot_unbinding() {
	shows "a reboot while an unbind waits for a file system: the machine goes down, and the synced contents are there"
	leaving "busybox reboot -f"
}

test_suspend_unbinding() {
	local state
	local said="iopmem_bus: a removal waits for disks that are in use: unmount or close them before the system can sleep"
	shows "while an unbind waits for a file system, suspend to RAM and hibernation are refused with one line each; afterwards the machine can be suspended"
	busy card
	run "echo ${F[card]} >/sys/bus/pci/drivers/iopmem/unbind 2>/dev/null &"
	waits card
	for state in mem disk; do
		fails "Device or resource busy" "echo $state >/sys/power/state"
	done
	await 10 '[ "$(case_log | grep -cF -- "$said")" = 2 ]' ||
		bad "kernel log" "to say twice: $said" "$(case_log | tail -n 5)"
	unlike "what the kernel has tried" "Freezing .*failed" "$(case_log)"
	idle
	gone
	checked card
	# only freeze processes and let them go on, which the debug kernels cannot do
	[ -n "$BASE" ] || run "cd /sys/power && echo freezer >pm_test && echo mem >state; rc=\$?; echo none >pm_test; exit \$rc"
}

test_suspend() {
	local said
	shows "hibernation is refused with one line, although there is swap for it; after suspend to RAM the contents are there, and fsync works"
	busy card dev
	# The folder that is shared with the host does not survive either of the two.
	run "fallocate -l 1G /swap && chmod 600 /swap && mkswap /swap >/dev/null && swapon /swap
		cat >/tmp/sleep.sh <<-'END'
			said=\$({ echo disk >/sys/power/state; } 2>&1) && exit
			echo iopmem-refused: \${said##*: } >/dev/kmsg
			echo mem >/sys/power/state
			for m in /mnt/a /mnt/b; do
				dd if=/dev/zero of=\$m/more bs=4K count=1 conv=fsync status=none || exit
			done
			[ ! -e /tmp/dma.status ] && [ ! -e /tmp/mapped.status ] && [ ! -e /tmp/devdax.status ] &&
				echo iopmem-awake: \$(cat /mnt/a/kept /mnt/b/kept) >/dev/kmsg
		END"
	parting "bash /tmp/sleep.sh"
	await 60 '[[ $(hmp "info status") = *suspended* ]]'
	like "the machine" "suspended" "$(hmp "info status")"
	hmp system_wakeup >/dev/null
	await 60 'said=$(case_log | sed -n "s/.*iopmem-awake: //p"); [ -n "$said" ]'
	used_up
	like "hibernation" "iopmem ${F[card]}: memory need not survive hibernation, unbind first" "$(case_log)"
	like "the PM core" "iopmem ${F[card]}: PM: failed to freeze.*: error -16" "$(case_log)"
	like "and its end" "iopmem-refused: Device or resource busy" "$(case_log)"
	like "woken" "PM: suspend exit" "$(case_log)"
	is "after that, all is still in use, and the contents are" "$text $text" "$said"
}

test_suspend_forgets() {
	shows "if memory is blank after a suspend, the driver says on resume that the card is lost, and reads fail"
	may_log 'Buffer I/O error on dev'
	blank card
	load
	attach card
	create card raw -s 64M
	# the folder that is shared with the host is gone after the suspend
	run "cat >/tmp/sleep.sh <<-END
			echo mem >/sys/power/state
			dd if=$NODE of=/dev/null iflag=direct bs=4K count=1 2>&1 | sed -n 's/^dd: /iopmem-read: /p' >/dev/kmsg
		END"
	parting "bash /tmp/sleep.sh"
	await 60 '[[ $(hmp "info status") = *suspended* ]]'
	blank card
	hmp system_wakeup >/dev/null
	await 60 'case_log | grep -q iopmem-read:' || bad "after resume" "a read that fails" "$(case_log | tail -n 5)"
	used_up
	like "on resume" "iopmem ${F[card]}: does not answer as it did: reads and flushes fail from here on" "$(case_log)"
	like "a read" "iopmem-read: .*Input/output error" "$(case_log)"
}

runs_in hotplug slow

test_restored() {
	shows "a hibernated system in which the function was not bound can be resumed by a kernel that has bound it"
	load
	run "mkswap /dev/nvme0n1 >/dev/null && swapon /dev/nvme0n1
		cat >/tmp/sleep.sh <<-'END'
			echo shutdown >/sys/power/disk
			echo 0 >/sys/power/image_size
			echo disk >/sys/power/state
			echo iopmem-restored: \$? >/dev/kmsg
		END"
	goes_down "bash /tmp/sleep.sh" 120
	blank card
	load
	attach card
	parting 'cat /sys/class/block/nvme0n1/dev >/sys/power/resume'
	await 60 'case_log | grep -q iopmem-restored:' || bad "kernel log" "the hibernated system" "$(case_log | tail -n 5)"
	used_up
	like "the hibernated system" "iopmem-restored: 0" "$(case_log)"
	unlike "the driver in the kernel that resumes it" "unbind first" "$(case_log)"
}

test_suspend_fatal_error() {
	local said
	shows "after a suspend and a fatal error, memory decoding and the BAR's address are as before"
	blank card
	load
	attach card
	registers
	WAS=$OUT
	# The folder that is shared with the host is gone after the suspend. SeaBIOS leaves
	# the host bridge's PCIEXBAR off, and the kernel needs it to reach the AER capability.
	run "cat >/tmp/sleep.sh <<-'END'
			dmesg -C
			port=\$(readlink -f /sys/bus/pci/devices/${F[card]}/..)
			set -- \$(setpci -s 0:0.0 60.l 64.l) \$(setpci -s \${port##*/} ECAP_AER+2c.l)
			echo mem >/sys/power/state
			setpci -s 0:0.0 64.l=\$2 60.l=\$1
			setpci -s \${port##*/} ECAP_AER+2c.l=\$3
			echo iopmem-awake >/dev/kmsg
			for ((i = 0; i < 300; i++)); do
				dmesg | grep -q 'AER: device recovery' && break
				sleep 0.1
			done
			echo iopmem-registers: \$(setpci -s ${F[card]} COMMAND.w BASE_ADDRESS_2.l BASE_ADDRESS_3.l) >/dev/kmsg
		END"
	parting "bash /tmp/sleep.sh"
	await 60 '[[ $(hmp "info status") = *suspended* ]]' || bad "the machine" "suspended" "$(hmp "info status")"
	hmp system_wakeup >/dev/null
	await 60 'case_log | grep -q iopmem-awake' || bad "kernel log" "iopmem-awake" "$(case_log | tail -n 5)"
	inject card-port SDN
	await 60 'said=$(case_log | sed -n "s/.*iopmem-registers: //p"); [ -n "$said" ]' ||
		bad "kernel log" "iopmem-registers" "$(case_log | tail -n 5)"
	used_up
	like "the error" "AER: device recovery successful" "$(case_log)"
	registers "$said"
	is "memory decoding and the BAR" "$WAS" "$OUT"
}

test_kexec_unbinding() {
	shows "kexec while an unbind waits for a file system: the synced contents are there"
	busy card
	run "echo ${F[card]} >/sys/bus/pci/drivers/iopmem/unbind 2>/dev/null &"
	waits card
	kexec_into
	checked card
}

test_reset() {
	shows "after a function reset, fsync fails with EIO until the function is bound again"
	busy card
	run "cat /sys/bus/pci/devices/${F[card]}/reset_method; echo 1 >/sys/bus/pci/devices/${F[card]}/reset"
	saw "reset by: $(head -n1 <<<"$OUT")"
	lost_until_bound reset
}

test_nonfatal_error() {
	shows "after a nonfatal link error there is no reset, but fsync fails with EIO all the same, since a store may have been lost"
	error COMP_TIME
	logged "severity=Uncorrect(ed|able) \(Non-Fatal\)"
	logged "AER: device recovery successful"
	lost_until_bound "link error"
}

# neighbour DRIVER: make a raw namespace on beside, and bind the other function below the same
# port to that driver. virtio-pci handles no errors.
neighbour() {
	local at=${F[beside]%.*}.0
	blank beside
	load
	attach beside
	create beside raw -s 16M
	run "cd /sys/bus/pci/devices/$at && { [ ! -e driver ] || echo $at >driver/unbind; }
		echo $1 >driver_override
		[ -d /sys/bus/pci/drivers/$1 ] || insmod /usr/local/bin/$1.ko || exit
		[ -e driver ] || echo $at >/sys/bus/pci/drivers_probe && [ -e driver ] || exit
		setpci -s $at CAP_EXP+8.w=7:7 COMMAND=100:100"
}

# lost_beside WHY: flushes of beside have to fail from here on
lost_beside() {
	may_log '^Buffer I/O error on dev pmem[0-9.]*s?, logical block'
	logged "iopmem ${F[beside]}: $1: reads and flushes fail from here on"
	fails "Input/output error|No space left" "dd if=/dev/zero of=$NODE bs=4K count=1 conv=fsync,notrunc status=none"
}

# kept_beside: flushes of beside have to work
kept_beside() {
	run "dd if=/dev/zero of=$NODE bs=4K count=1 conv=fsync,notrunc status=none"
	unlike "kernel log" "fail from here on" "$(case_log)"
}

test_neighbour_error() {
	shows "a nonfatal error of another function below the same port changes nothing, unless the kernel resets both functions"
	neighbour virtio-pci
	inject neighbour POISON_TLP
	logged "severity=Uncorrect(ed|able) \(Non-Fatal\)"
	logged "AER: device recovery failed"
	kept_beside
	detach beside
	# this driver asks for a reset
	neighbour wantsreset
	inject neighbour POISON_TLP
	logged "AER: device recovery successful"
	case $KERNEL in
	6.*) kept_beside ;;	# 6.x tells drivers of a reset that it does not do
	*) lost_beside reset ;;
	esac
	run "rmmod wantsreset"
}

test_neighbour_fatal_error() {
	shows "after a fatal error of another function below the same port, flushes fail, since the link is reset"
	neighbour wantsreset
	inject neighbour DLP
	logged "severity=Uncorrect(ed|able) \(Fatal\)"
	logged "AER: device recovery successful"
	lost_beside "link error"
	run "rmmod wantsreset"
}

test_corrected_error() {
	shows "a corrected error changes nothing"
	busy card
	like "pcie_aer_inject_error" "^OK id: card-port" "$(hmp "pcie_aer_inject_error -c card-port BAD_TLP")"
	run "for m in /mnt/a /mnt/b; do dd if=/dev/zero of=\$m/file bs=4K count=1 conv=notrunc,fsync status=none || exit; done"
	saw "fsync works"
	idle
	detach card
	gone
	checked card
}

# kexec_into: start another kernel by kexec
kexec_into() {
	cp "$IMAGE/vmlinuz" "$IMAGE/initrd" "$VM/share/"
	# under emulation, storing over the old kernel's code is slow
	run "cp /host/vmlinuz /host/initrd /tmp && kexec /tmp/vmlinuz /tmp/initrd nosoftlockup"
	parting kexec
	vm_answer $((2 * BOOT_SECONDS)) "ready " || bad "kexec" "to start the kernel again" "$(case_log | tail -n 5)"
	run "cut -d. -f1 /proc/uptime"
	saw "up since $OUT s"
	load
}

test_kexec() {
	shows "after kexec into another kernel, the synced contents are there"
	busy card
	kexec_into
	checked card
}
