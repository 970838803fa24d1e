# SPDX-License-Identifier: GPL-2.0-only
# Checks that come before the card or the machine is changed
# shellcheck shell=bash

check_tools() {
	local tool package
	while read -r tool package; do
		command -v "$tool" >/dev/null || die "check-card: $tool is not installed: $package"
	done <<-END
	lspci apt install pciutils
	modprobe apt install kmod
	udevadm apt install udev
	ndctl apt install ndctl
	ndctl-iopmem make plugin, then make install-plugin
	END
}

# driver: the driver that the function is bound to, if any
driver() {
	basename "$(readlink "$device/driver")"
}

# Steps load the module with different parameters, so it must not be built in.
check_module() {
	local file
	file=$(modinfo -n iopmem_bus 2>/dev/null) ||
		die "check-card: the module iopmem_bus is not installed for kernel $(uname -r): make, then make install"
	[ "$file" != "(builtin)" ] ||
		die "check-card: the driver is built into kernel $(uname -r), and check-card has to load it with other parameters: boot a kernel that has it as a module"
}

check_function() {
	local other
	[ -d "$device" ] || die "check-card: there is no function $CARD: 'lspci -D' shows them"
	case $(driver) in
	'' | iopmem) ;;
	*) die "check-card: $CARD has the driver $(driver): if nothing uses it, echo $CARD >$device/driver/unbind" ;;
	esac
	other=$(find /sys/bus/pci/drivers/iopmem -name '*:??:??.?' ! -name "$CARD" -printf '%f ' 2>/dev/null)
	[ -z "$other" ] ||
		die "check-card: iopmem_bus has to be loaded with other parameters, but other functions are bound to it: ndctl-iopmem unbind ${other% }"
}

# DMA will overwrite the drive's first 16 MiB, and they are put back afterwards. verify
# checks the drive first and the target second. The target here is a folder that is on no
# card, so this only checks the drive, and writes nothing.
check_drive() {
	local said
	said=$(ndctl-iopmem verify --force --write 0:16M "$DRIVE" "$work" 2>&1 | grep -F "verify: $DRIVE: ")
	[ -z "$said" ] || die "check-card: DRIVE=${said#*verify: }"
	[ "$(blockdev --getsize64 "$DRIVE")" -ge $((16 << 20)) ] ||
		die "check-card: DRIVE=$DRIVE: is smaller than 16 MiB: name a larger one"
	said=$(wipefs --noheadings --output TYPE "$DRIVE" | sort -u | xargs)
	[ -z "$said" ] || [ "$ERASE" = yes ] ||
		die "check-card: DRIVE=$DRIVE: holds $said: name a partition that holds nothing, or give ERASE=yes"
}
