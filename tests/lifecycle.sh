# SPDX-License-Identifier: GPL-2.0-only
# Functions that come, go, sleep and are reset
# shellcheck shell=bash
runs_in hotplug

# plug PORT SIZE: into the slot, and wait for the kernel to find it
plug() {
	truncate -s "$2" "$DIR/hot.bar"
	hmp "object_add memory-backend-file,id=hot-mem,mem-path=$DIR/hot.bar,size=$2,share=on" >/dev/null
	hmp "device_add ivshmem-plain,id=hot,memdev=hot-mem,bus=$1-port" >/dev/null
	wait_slot "$1" present
	vm_find_functions
}

# wait_slot PORT present|empty
wait_slot() {
	local slot want=0
	[ "$2" = present ] && want=1
	slot=$(printf '%s\n' "${SLOTS[@]}" | sed -n "s/^$1 //p")
	run "for i in \$(seq 150); do
			[ \$(ls -d /sys/bus/pci/devices/0000:00:$slot.0/????:??:??.? 2>/dev/null | wc -l) = $want ] && exit 0
			sleep 0.1
		done; exit 1"
}

# The kernel gives a slot five seconds before it takes the power away, and
# misses what is plugged in while it is still at it.
unplug() {
	hmp "device_del hot" >/dev/null
	wait_slot "$1" empty
	sleep 3
	hmp "object_del hot-mem" >/dev/null
}

test_hotplug() {
	shows "plugged in behind a root port, a card is bound; unplugged, it goes; plugged in again, its namespaces are there"
	plug hot 64M
	blank hot
	load
	attach hot
	create hot fsdax -s 32M -n kept --map=mem
	run "mkfs.ext4 -q -F -b 4096 $NODE && mount -o dax $NODE /mnt/a && echo hot >/mnt/a/file && umount /mnt/a"
	unplug hot
	run "ls /sys/bus/nd/devices | grep -c . || true; grep -c 'iopmem labels' /proc/iomem || true"
	is "left of it" "0 0" "$(tr '\n' ' ' <<<"$OUT" | sed 's/ $//')"
	plug hot 64M
	attach hot
	run "ndctl list -N"
	is "name after plugging in again" kept "$(field name)"
	run "mount -o dax /dev/$(field blockdev) /mnt/a && cat /mnt/a/file && umount /mnt/a"
	is "the file" hot "$OUT"
	unplug hot
}

test_no_room() {
	shows "plugged in where the bridge's window has no room, a BAR is named as unassigned"
	plug cramped 64G
	run "modprobe iopmem_bus"
	run "echo iopmem >/sys/bus/pci/devices/${F[cramped]}/driver_override"
	fails "Invalid argument|No such device" "echo ${F[cramped]} >/sys/bus/pci/drivers/iopmem/bind"
	# a kernel that forgets a BAR it has no room for has said so itself
	logged "BAR 2 .*(failed to assign|no address assigned)"
	unplug cramped
}

test_remove_rescan() {
	shows "the PCI core's remove takes all away, rescan brings it back with its namespaces"
	blank card
	load
	attach card
	create card devdax -s 64M -n kept
	run "echo 1 >/sys/bus/pci/devices/${F[card]}/remove; ls /sys/bus/nd/devices | grep -c . || true"
	is "nvdimm devices left" 0 "$OUT"
	run "echo 1 >/sys/bus/pci/rescan"
	attach card
	run "ndctl list -N"
	is "name" kept "$(field name)"
}

test_reset() {
	shows "after a function reset fsync fails until the function is bound again, and then the data is there"
	blank card
	load
	attach card
	create card raw -s 64M
	run "echo synced | dd of=$NODE bs=4096 conv=sync,fsync oflag=direct status=none"
	run "cat /sys/bus/pci/devices/${F[card]}/reset_method; echo 1 >/sys/bus/pci/devices/${F[card]}/reset"
	saw "reset by: $(head -n1 <<<"$OUT")"
	logged "iopmem ${F[card]}: reset or link error, flushes fail from here on: check the data, unbind and bind again"
	fails "fsync failed.*Input/output error" "dd if=/dev/zero of=$NODE seek=1 bs=4K count=1 conv=fsync status=none"
	detach card
	attach card
	run "head -n1 $NODE; dd if=/dev/zero of=$NODE seek=1 bs=4K count=1 conv=fsync status=none"
	is "after binding again, and fsync works" synced "$OUT"
}

test_surprise() {
	shows "surprise removal with a devdax mapping open and raw I/O: SIGBUS, I/O errors, and nothing is left"
	plug hot 64M
	blank hot
	load
	attach hot
	create hot raw -s 16M
	local raw=$NODE
	create hot devdax -s 16M
	run "(mapcp hold $NODE 2M >/tmp/held; echo \$? >/tmp/status) &
		for i in \$(seq 50); do grep -q held /tmp/held && break; sleep 0.1; done
		(while dd if=/dev/zero of=$raw bs=4K count=16 conv=fsync 2>/tmp/dd; do :; done) &
		sleep 0.5"
	run "port=\$(basename \$(dirname \$(readlink -f /sys/bus/pci/devices/${F[hot]}))); setpci -s \$port CAP_EXP+18.w=0700:0700"
	# pciehp sees a slot without power and takes it for one already empty
	run "sleep 1; echo 1 >/sys/bus/pci/devices/${F[hot]}/remove"
	wait_slot hot empty
	run "for i in \$(seq 50); do grep -q . /tmp/status && break; sleep 0.1; done; cat /tmp/status; cat /tmp/dd"
	like "the mapping's process" "^135" "$OUT"
	like "the writer" "Input/output error|No such|No space" "$OUT"
	run "ls /sys/bus/nd/devices | grep -c . || true"
	is "nvdimm devices left" 0 "$OUT"
	hmp "object_del hot-mem" >/dev/null
}

test_suspend() {
	local said
	shows "suspend keeps what was stored and fsync works afterwards; hibernation is refused with a line"
	blank card
	load
	attach card
	create card raw -s 64M
	fails "busy|Busy" "echo disk >/sys/power/state"
	logged "iopmem ${F[card]}: memory need not survive hibernation, unbind first"
	run "echo stored | dd of=$NODE bs=4096 conv=sync oflag=direct status=none; head -n1 $NODE"
	is "after that" stored "$OUT"
	# The folder shared with the host does not come back from suspend.
	run "cat >/tmp/sleep.sh <<-'END'
			sleep 1
			echo devices >/sys/power/pm_test
			echo mem >/sys/power/state
			dd if=/dev/zero of=$NODE seek=1 bs=4K count=1 conv=fsync status=none && echo \"iopmem-awake: \$(head -n1 $NODE)\" >/dev/kmsg
		END
		setsid bash /tmp/sleep.sh >/dev/null 2>&1 &"
	for ((i = 0; i < 60; i++)); do
		said=$(case_log | sed -n 's/.*iopmem-awake: //p')
		[ -n "$said" ] && break
		sleep 1
	done
	used_up
	like "suspended" "PM: suspend debug: Waiting" "$(case_log)"
	is "after suspending and resuming all devices" stored "$said"
}
