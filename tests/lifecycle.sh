# SPDX-License-Identifier: GPL-2.0-only
# Functions that come, go, sleep and are reset
# shellcheck shell=bash
runs_in hotplug

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
