# SPDX-License-Identifier: GPL-2.0-only
# What happens to a function that is taken away while it is in use: ext4 with a
# drive's DMA going into a file, xfs with a file mapped, device-dax mapped
# shellcheck shell=bash
runs_in hotplug

# busy NAME: all of that at once; what has to survive is in two files "kept". Of
# its own accord the journal would commit every five seconds; where flushes fail,
# that has ext4 read-only before a case has asked it for an fsync.
busy() {
	new_text
	blank "$1"
	load
	attach "$1"
	create "$1" fsdax -s 64M
	EXT4=$NODE
	run "mkfs.ext4 -q -F -b 4096 -E lazy_itable_init=0,lazy_journal_init=0 $NODE && mount -o dax,commit=3600 $NODE /mnt/a"
	create "$1" fsdax -s 320M --map=mem
	XFS=$NODE
	run "mkfs.xfs -q -f $NODE && mount -o dax $NODE /mnt/b"
	create "$1" devdax -s 16M
	DAX=$NODE
	run "for m in /mnt/a /mnt/b; do
			echo '$text' >\$m/kept && fallocate -l 8M \$m/file && sync \$m/kept \$m/file || exit
		done
		rm -f /tmp/*.out /tmp/*.status; touch /tmp/busy
		hold() {
			mapcp hold \$1 2M >/tmp/\$2.out 2>/dev/null
			echo \$? >/tmp/\$2.status
		}
		hold $DAX devdax &
		hold /mnt/b/file mapped &
		(while [ -e /tmp/busy ] && dma /dev/nvme0n1@16M /mnt/a/file 8M; do :; done >/tmp/dma.out 2>&1; touch /tmp/dma.status) &
		for f in devdax mapped dma; do
			await 60 \"[ -s /tmp/\$f.out ]\" || exit
		done"
}

# idle: end it, but for the mapping of device-dax
idle() {
	run "rm /tmp/busy
		pkill -x -f 'mapcp hold /mnt/b/file 2M'
		await 60 '[ -e /tmp/dma.status ] && [ -e /tmp/mapped.status ]'
		umount /mnt/a; umount /mnt/b; ! grep /mnt/ /proc/mounts"
}

# checked NAME: bound again, what was synced is there
checked() {
	attach "$1"
	run "mount $EXT4 /mnt/a && mount $XFS /mnt/b && cat /mnt/a/kept /mnt/b/kept"
	is "after binding again, in ext4 and xfs" "$text $text" "$(tr '\n' ' ' <<<"$OUT" | sed 's/ $//')"
	run "umount /mnt/a /mnt/b && e2fsck -fn $EXT4 && xfs_repair -n $XFS 2>&1"
}

# fsync_fails: on both file systems, which they complain of
fsync_fails() {
	local m
	may_log 'Aborting journal|JBD2: .*[Ee]rror|EXT4-fs error|Remounting filesystem read-only|XFS .*(I/O [Ee]rror|[Ss]hutting down)|Buffer I/O error|I/O error, dev'
	for m in /mnt/a /mnt/b; do
		fails "Input/output error" "dd if=/dev/zero of=$m/file bs=4K count=1 conv=notrunc,fsync status=none"
	done
}

# sigbus: what had device-dax mapped has got it
sigbus() {
	run "await 60 '[ -s /tmp/devdax.status ]'; cat /tmp/devdax.status"
	is "the mapping of device-dax ended with (128 + SIGBUS)" 135 "$OUT"
}

# waits NAME: the removal has begun, and harms nobody
waits() {
	logged "iopmem ${F[$1]}: pmem[0-9.]* is in use, unmount or close it: removal waits"
	goes_on /tmp/dma.out
	run "for m in /mnt/a /mnt/b; do
			dd if=/dev/zero of=\$m/more bs=4K count=1 conv=fsync status=none && cat \$m/kept || exit
		done; [ ! -e /tmp/dma.status ] && [ ! -e /tmp/mapped.status ] && echo in use"
	is "meanwhile" "$text $text in use" "$(tr '\n' ' ' <<<"$OUT" | sed 's/ $//')"
}

removed() {
	run "await 60 '! ls /sys/bus/nd/devices | grep .'"
}

# gone: with all that belonged to it
gone() {
	removed
	run "grep -c 'iopmem labels' /proc/iomem || true"
	is "reservations left" 0 "$OUT"
	sigbus
}

test_unbind() {
	shows "unbinding waits for the file systems, then ends; nothing is lost"
	busy card
	run "echo ${F[card]} >/sys/bus/pci/drivers/iopmem/unbind 2>/dev/null &"
	waits card
	idle
	gone
	checked card
}

# said_again TEXT: the kernel says it a second time, ten seconds or more later
said_again() {
	local text=$1 first second
	await 20 '[ "$(case_log | grep -cF -- "$text")" -ge 2 ]' ||
		bad "kernel log" "to say twice: $text" "$(case_log | grep -F -- "$text")"
	{ read -r first; read -r second; } < <(case_log | grep -F -- "$text" | sed 's/^\[ *\([0-9]*\)\..*/\1/')
	like "said again after" "^[0-9]{2,} s" "$((second - first)) s"
}

test_unbind_others() {
	local mode others=() flag held
	shows "while unbinding waits for one disk, the function's others give nothing, take nothing and are not mounted, all at once, and do not hold it up; every ten seconds it says so again"
	may_log '^Buffer I/O error on dev pmem[0-9.]*s?, logical block'
	blank card
	load
	attach card
	for mode in raw sector fsdax; do
		create card $mode -s 32M
		run "mkfs.ext4 -q -F -b 4096 $NODE"
		others+=("$NODE")
	done
	create card fsdax -s 64M
	run "mkfs.ext4 -q -F -b 4096 $NODE && mount -o dax $NODE /mnt/a
		echo ${F[card]} >/sys/bus/pci/drivers/iopmem/unbind 2>/dev/null &"
	held=${NODE#/dev/}
	logged "iopmem ${F[card]}: $held is in use, unmount or close it: removal waits"
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
	saw "unmounted: all of it is gone"
	attach card
	run "for o in ${others[*]}; do e2fsck -fn \$o || exit; done"
}

test_remove() {
	shows "so does the PCI core's remove"
	busy card
	run "echo 1 >/sys/bus/pci/devices/${F[card]}/remove 2>/dev/null &"
	waits card
	idle
	gone
	run "echo 1 >/sys/bus/pci/rescan"
	checked card
}

test_unplug() {
	shows "so does an orderly hot-unplug"
	plug hot 512M
	busy hot
	hmp "device_del hot" >/dev/null
	waits hot	# after the slot's five seconds
	idle
	gone
	unplug hot
	plug hot 512M
	checked hot
	detach hot
	unplug hot
}

test_surprise() {
	local port
	shows "surprise removal: fsync says EIO, the removal ends when all is unmounted, what was synced before is there"
	plug hot 512M
	busy hot
	port=$(port_of hot)
	run "setpci -s $port CAP_EXP+18.w=0700:0700"
	fsync_fails
	# pciehp sees a slot without power and takes it for one already empty
	run "echo 1 >/sys/bus/pci/devices/${F[hot]}/remove &"
	logged "iopmem ${F[hot]}: pmem[0-9.]* is in use, unmount or close it: removal waits"
	idle
	gone
	wait_slot hot empty
	if [ "$HOTPLUG" = acpi ]; then
		# QEMU has kept it in the slot, which nobody switches on again
		run "setpci -s $port CAP_EXP+18.w=0:0400; echo 1 >/sys/bus/pci/rescan"
		wait_slot hot present
	else
		hmp "object_del hot-mem" >/dev/null
		plug hot 512M
	fi
	checked hot
	detach hot
	unplug hot
}

# lost_until_bound: after an event that may have lost stores
lost_until_bound() {
	logged "iopmem ${F[card]}: reset or link error, flushes fail from here on: check the data, unbind and bind again"
	fsync_fails
	idle
	detach card
	gone
	checked card
}

# error NAME: inject it at the card's port (AER)
error() {
	busy card
	like "pcie_aer_inject_error" "^OK id: card-port" "$(hmp "pcie_aer_inject_error card-port $1")"
}

test_fatal_error() {
	shows "a fatal error on the link (AER): the link is reset, fsync says EIO until the function is bound again"
	error SDN
	logged "severity=Uncorrect(ed|able) \(Fatal\)"
	logged "AER: device recovery successful"
	lost_until_bound
}

# hit COUNT: a fatal error at the port of card, the COUNT-th. It is recovered from,
# with the registers as in WAS.
hit() {
	like "pcie_aer_inject_error" "^OK id: card-port" "$(hmp "pcie_aer_inject_error card-port SDN")"
	await 30 '[ "$(case_log | grep -c "AER: device recovery")" -ge '"$1 ]" ||
		bad "kernel log" "AER: device recovery, $1 times" "$(case_log | tail -n 5)"
	is "recoveries that were successful" "$1" "$(case_log | grep -c "AER: device recovery successful")"
	registers
	is "after fatal error $1: memory decoding and the BAR" "$WAS" "$OUT"
}

# registers: the bit for memory decoding and the BAR's two registers, in OUT
registers() {
	local command bar
	run "setpci -s ${F[card]} COMMAND.w BASE_ADDRESS_2.l BASE_ADDRESS_3.l | xargs"
	read -r command bar <<<"$OUT"
	OUT="$((0x$command & 2)) $bar"
}

# refuses_all: no flush and no label command succeeds
refuses_all() {
	fails "fsync failed.*Input/output error" "dd if=/dev/zero of=$NODE seek=1 bs=4K count=1 conv=fsync,notrunc status=none"
	run "ndctl disable-region $(region_of card)"
	fails "get: EIO" "labelcmd get /dev/nmem0 0 16"
	# where there is no label; the memory may take it nevertheless
	fails "set: EIO" "labelcmd set /dev/nmem0 131056 16"
	saw "of these 16 bytes, in the BAR: $(tail -c 16 "$DIR/card.bar" | tr -cd Z | wc -c)"
	run "ndctl enable-region $(region_of card)"
	fails "fsync failed.*Input/output error" "dd if=/dev/zero of=$NODE seek=1 bs=4K count=1 conv=fsync,notrunc status=none"
}

test_fatal_error_twice() {
	shows "a fatal error, and then another: memory decoding and the BAR's address are there again after each, and flushes and label commands are refused until the function is bound again"
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
	is "bound again, a flush succeeds; what was stored" "$text" "$OUT"
	run "ndctl list -N"
	is "and its label" kept "$(field name)"
}

# parting COMMAND: with which the guest is gone. It waits for the host to have seen
# that it was begun.
parting() {
	rm -f "$VM/share/go"
	run "(await 60 '[ -e /host/go ]'; $1) >/dev/null 2>&1 &"
	touch "$VM/share/go"
}

test_reboot() {
	local before
	shows "reboot without unmounting: what was synced is there"
	busy card
	parting "busybox reboot -f"
	await 60 '! vm_alive' || bad "reboot" "the machine to end" "it is still there"
	before=$(complaints) && bad "kernel log of the reboot" "no complaint" "$before"
	vm_boot hotplug "$work" || bad "vm_boot" "the machine" "none"
	guest "echo iopmem-case: $CASE_NUMBER >/dev/kmsg"
	load
	checked card
	used_up	# this machine ends with the case that has booted it
}

test_suspend() {
	local said
	shows "with swap to hibernate to, hibernation is refused with a line; suspend to RAM keeps what was stored, and fsync works afterwards"
	busy card
	# The folder shared with the host does not come back from either.
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
	is "after that, with all still in use" "$text $text" "$said"
}

runs_in hotplug slow

test_reset() {
	shows "a function reset: fsync says EIO until the function is bound again"
	busy card
	run "cat /sys/bus/pci/devices/${F[card]}/reset_method; echo 1 >/sys/bus/pci/devices/${F[card]}/reset"
	saw "reset by: $(head -n1 <<<"$OUT")"
	lost_until_bound
}

test_nonfatal_error() {
	shows "a nonfatal link error: no reset, but fsync says EIO all the same, as a store may have got lost"
	error COMP_TIME
	logged "severity=Uncorrect(ed|able) \(Non-Fatal\)"
	logged "AER: device recovery successful"
	lost_until_bound
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

test_kexec() {
	shows "kexec into another kernel: what was synced is there"
	busy card
	cp "$IMAGE/vmlinuz" "$IMAGE/initrd" "$VM/share/"
	# emulated, what stores over the old kernel's code is slow
	run "cp /host/vmlinuz /host/initrd /tmp && kexec /tmp/vmlinuz /tmp/initrd nosoftlockup"
	parting kexec
	vm_answer $((2 * BOOT_SECONDS)) "ready " || bad "kexec" "to start the kernel again" "$(case_log | tail -n 5)"
	run "cut -d. -f1 /proc/uptime"
	saw "up since $OUT s"
	load
	checked card
}
