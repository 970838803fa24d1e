# SPDX-License-Identifier: GPL-2.0-only
# Functions that are plugged in and removed, and regions that are disabled
# shellcheck shell=bash
runs_in hotplug

# none_left WHEN: no nvdimm device may be left
none_left() {
	run "ls /sys/bus/nd/devices | grep -c . || true"
	is "$1: nvdimm devices left" 0 "$OUT"
}

test_hotplug() {
	shows "a card that is plugged in behind a root port can be bound and unplugged, and has its namespaces when it is plugged in again"
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

test_found_again() {
	local tries
	shows "a card that is removed and found again by sysfs while its slot waits to be emptied can be unplugged all the same, and plugged in again"
	plug hot 64M
	load ids=1af4:1110
	settle
	# the slot waits five seconds, which may be too short for this, so try it several times
	for ((tries = 1; ; tries++)); do
		run "said=\$(dmesg | grep -c 'Slot.*[Pp]ower.* off')
			(await 60 \"[ \\\$(dmesg | grep -c 'Slot.*[Pp]ower.* off') != \$said ]\"
			echo 1 >/sys/bus/pci/devices/${F[hot]}/remove
			echo 1 >/sys/bus/pci/rescan) >/dev/null 2>&1 &"
		unplug hot
		[ "$(case_log | grep -c "iopmem ${F[hot]}: BAR 0 .* skipped")" -le $tries ] || break
		[ $tries -lt 5 ] || bad "the card, removed and found again while its slot waits" "to be bound a second time" "$(case_log)"
		plug hot 64M
		settle
	done
	saw "bound a second time while its slot waits, at try $tries"
	run "readlink /sys/bus/nd/devices/* | grep -c '/${F[hot]}/' || true"
	is "unplugged: its nvdimm devices left" 0 "$OUT"
	plug hot 64M
	settle
	run "ls -d /sys/bus/pci/devices/${F[hot]}/ndbus*/region* | wc -l"
	is "plugged in again: its regions" 1 "$OUT"
	unplug hot
}

test_no_room() {
	local size=64G
	[ "$ARCH" = amd64 ] || size=1T	# for a smaller one the kernel moves the port's window
	shows "a function that is plugged in where the bridge's window has no room is refused, and the log names the BAR"
	plug cramped $size
	run "modprobe iopmem_bus"
	run "echo iopmem >/sys/bus/pci/devices/${F[cramped]}/driver_override"
	fails "No such device" "echo ${F[cramped]} >/sys/bus/pci/drivers/iopmem/bind"
	# the kernel drops a BAR that it has no room for, so the driver does not see it
	logged "BAR 2.*failed to assign"
	logged "iopmem ${F[cramped]}: no BAR that can be a region"
	unplug cramped
}

test_remove_rescan() {
	shows "the PCI core's remove removes everything, and rescan brings the function back with its namespaces"
	blank card
	load
	attach card
	create card devdax -s 64M -n kept
	run "echo 1 >/sys/bus/pci/devices/${F[card]}/remove"
	none_left "removed"
	run "echo 1 >/sys/bus/pci/rescan"
	attach card
	run "ndctl list -N"
	is "name" kept "$(field name)"
}

test_disabled_early() {
	local region
	shows "a disabled region leaves nothing behind when its function is unbound; if it was disabled by sysfs before its namespaces were registered, it has to be enabled first"
	blank card
	load
	attach card
	create card raw -s 16M -n kept
	region=$(region_of card)
	run "for i in \$(seq 10); do ndctl disable-region $region && ndctl enable-region $region || exit; done 2>&1
		ndctl disable-region $region; ls /sys/bus/nd/devices | grep -vc '^ndbus\|^nmem\|^region' || true"
	is "by ndctl, ten times: namespaces of a region that is disabled" 0 "$(tail -n 1 <<<"$OUT")"
	detach card
	none_left "unbound"
	attach card
	region=$(region_of card)
	udev_off
	# this is a defect of libnvdimm, see tools/kernel-reports/nvdimm-region-early.md
	run "cd /sys/bus/nd/drivers/nd_region; echo $region >unbind
		for i in \$(seq 100); do
			echo $region >bind; echo $region >unbind
			ls /sys/bus/nd/devices | grep -q ^namespace && echo \$i && break
		done; true"
	saw "by sysfs: namespaces are left at try ${OUT:-none of 100}"
	run "ndctl enable-region $region"
	udev_on
	detach card
	none_left "enabled and unbound"
	attach card
	run "ndctl list -N"
	is "bound again: name" kept "$(field name)"
}
