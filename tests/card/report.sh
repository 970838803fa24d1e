# SPDX-License-Identifier: GPL-2.0-only
# The report, which a user can attach to a bug
# shellcheck shell=bash

# part TITLE COMMAND...: a part of the report, with the command's output
part() {
	printf '\n== %s\n' "$1"
	shift
	"$@" 2>&1
}

versions() {
	echo "iopmem $(cat "$top/VERSION")"
	uname -srvm
	modinfo iopmem_bus | grep -E '^(filename|version|srcversion|vermagic):'
	echo "parameters, if it was loaded: ${parameters[*]}"
	echo "ndctl $(ndctl --version)"
	echo "ndctl-iopmem $(ndctl-iopmem --version)"
	grep -m1 'model name' /proc/cpuinfo
	cat /sys/class/dmi/id/{board_vendor,board_name,bios_version} 2>/dev/null
	cat /proc/cmdline
}

# drive_function: the function that does the drive's DMA
drive_function() {
	readlink -f "/sys/class/block/$(basename "$(readlink -f "$DRIVE")")" |
		grep -oE '[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]' | tail -n 1
}

# machine: the parts about the machine, the function and the drive
machine() {
	part "versions" versions
	part "lspci -vvnn -s $CARD" lspci -vvnn -s "$CARD"
	part "lspci -tvnn" lspci -tvnn
	part "ndctl-iopmem list -v $CARD" ndctl-iopmem list -v "$CARD"
	part "ndctl-iopmem check -u $CARD" ndctl-iopmem check -u "$CARD"
	[ -n "$DRIVE" ] || return
	part "lspci -vvnn -s $(drive_function)" lspci -vvnn -s "$(drive_function)"
	part "ndctl-iopmem path -u $(drive_function) $CARD" ndctl-iopmem path -u "$(drive_function)" "$CARD"
}

# plan: say what is about to be overwritten
plan() {
	local dir
	echo "$CARD is blank${ERASE:+, or may be erased}. From here on, this is written to:"
	for dir in "$device"/ndbus*/region*; do
		echo "  BAR $(cat "$dir/iopmem/bar"): all of its $(($(cat "$dir/size") >> 20)) MiB, which are zero afterwards"
	done
	[ -z "$DRIVE" ] || echo "  $DRIVE: its first 16 MiB, which are put back afterwards"
}

# report LAST_LINE: print the whole report
report() {
	echo "iopmem check-card $CARD, $(date)"
	cat "$work/results"
	echo "$1"
	cat "$work/machine" "$work/details"
	part "dmesg, from the beginning of check-card on" card_log
}
