# SPDX-License-Identifier: GPL-2.0-only
# What is refused before anything is touched
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

# driver: the function's, if it has one
driver() {
	basename "$(readlink "$device/driver")"
}

# The step that looks at the contents loads the module with labels=0.
check_module() {
	local file
	file=$(modinfo -n iopmem_bus 2>/dev/null) ||
		die "check-card: the module iopmem_bus is not installed for kernel $(uname -r): make, then make install"
	[ "$file" != "(builtin)" ] ||
		die "check-card: the driver is built into kernel $(uname -r), and it has to be loaded with other parameters: boot a kernel that has it as a module"
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
		die "check-card: iopmem_bus has to be loaded with other parameters, and has other functions: ndctl-iopmem unbind ${other% }"
}

# 16 MiB of it are written, and then put back. verify opens the drive before it finds
# out that its target is on no card.
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
