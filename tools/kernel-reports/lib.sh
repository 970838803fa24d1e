# SPDX-License-Identifier: GPL-2.0-only
# For the scripts beside this file. They run as root in a virtual machine that may be
# lost, with an NVDIMM of QEMU's (see README.md), and destroy what is on it. Each says
# what is expected and what came. It exits with 1 if the defect shows, with 0 if it does
# not, and with 125 if it cannot be tried, as "git bisect run" wants.
# shellcheck shell=sh
here=$(cd "$(dirname "$0")" && pwd)
nd=/sys/bus/nd/devices
drivers=/sys/bus/nd/drivers
tmp=$(mktemp -d) || exit 125
trap 'rm -rf "$tmp"' EXIT
modprobe -a nfit nd_pmem nd_btt device_dax dax_pmem 2>/dev/null

# cannot TEXT: it cannot be tried
cannot() {
	echo "not tried: $*"
	exit 125
}

# begin EXPECTED: say so, mark the place in the kernel's log, and have the kernel give
# again the warnings that it gives once
begin() {
	echo "kernel: $(uname -r)"
	echo "expected: $1"
	mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug
	echo 1 >/sys/kernel/debug/clear_warn_once
	mark="kernel-reports: $$"
	echo "$mark" >/dev/kmsg
}

# end bad|good GOT: say so, and exit
end() {
	echo "got: $2"
	[ "$1" = good ]
	exit
}

# log PATTERN: print the kernel's lines since begin that match
log() {
	dmesg | sed "1,/$mark/d" | grep -E "$1"
}

# logged SECONDS PATTERN: wait until the kernel says so
logged() {
	n=0
	while [ "$n" -lt "$1" ]; do
		log "$2" >/dev/null && return
		sleep 1
		n=$((n + 1))
	done
	return 1
}

# say PATTERN SECONDS: end, with what the kernel says against the pattern
say() {
	if logged "${2:-10}" "$1"; then
		end bad "$(log "$1" | head -n 1)"
	fi
	end good "nothing of the kind in the kernel's log"
}

# find_dimm: set dimm, region and bus to those of the NVDIMM that has a label area
find_dimm() {
	for r in "$nd"/region*; do
		dimm=$(sed 's/,.*//' "$r/mapping0" 2>/dev/null)
		if [ -z "$dimm" ] || [ ! -e "$nd/$dimm/nfit" ]; then
			continue
		fi
		region=${r##*/}
		bus=$(basename "$(dirname "$(readlink -f "$r")")")
		return
	done
	cannot "there is no NVDIMM of QEMU's: see README.md"
}

# settle: wait until libnvdimm has probed everything
settle() {
	cat "$nd/$bus/wait_probe" >/dev/null
}

off() {
	[ ! -e "$drivers/nd_region/$region" ] || echo "$region" >"$drivers/nd_region/unbind"
}

on() {
	echo "$region" >"$drivers/nd_region/bind"
	settle
}

# fresh: blank the NVDIMM, and write a label area of version 1.2
fresh() {
	find_dimm
	settle
	off
	ndctl init-labels -f -V 1.2 "$dimm" >/dev/null 2>&1 ||
		cannot "the label area of $dimm cannot be written: give the NVDIMM label-size=128K"
	dimm_again
	on
}

dimm_again() {
	[ ! -e "$drivers/nvdimm/$dimm" ] || echo "$dimm" >"$drivers/nvdimm/unbind"
	echo "$dimm" >"$drivers/nvdimm/bind"
}

# create MODE [OPTION...]: make a namespace, and set ns to its name and disk to that of
# its disk or its device DAX node
create() {
	mode=$1
	shift
	ndctl create-namespace -r "$region" -m "$mode" -s 64M "$@" >"$tmp/created" 2>&1 ||
		cannot "ndctl create-namespace: $(cat "$tmp/created")"
	ns=$(sed -n 's/.*"dev":"\(namespace[^"]*\)".*/\1/p' "$tmp/created" | head -n 1)
	disk=$(sed -n 's/.*"\(blockdev\|chardev\)":"\([^"]*\)".*/\2/p' "$tmp/created" | head -n 1)
	udevadm settle 2>/dev/null || sleep 1
}

# forge_labels OBJECT.FIELD=VALUE...: change the label area, and have it read again
forge_labels() {
	off
	if ! ndctl read-labels -o "$tmp/area" "$dimm" >/dev/null 2>&1 ||
		! perl "$here/forge.pl" "$@" <"$tmp/area" >"$tmp/forged" ||
		! ndctl write-labels -i "$tmp/forged" "$dimm" >/dev/null 2>&1; then
		cannot "the label area of $dimm cannot be changed"
	fi
	dimm_again
}

# raw_begin: enable the namespace as it is. Its disk is $raw.
raw_begin() {
	off
	echo 0 >/sys/bus/nd/drivers_autoprobe
	on
	echo 1 >"$nd/$ns/force_raw"
	echo "$ns" >"$drivers/nd_pmem/bind"
	raw=/dev/$(ls "$nd/$ns/block")
	n=0
	until [ -b "$raw" ] || [ "$n" = 10 ]; do
		sleep 1
		n=$((n + 1))
	done
}

# raw_end: leave the region disabled. "on" then has the namespace read, best by another
# process, since that may be killed.
raw_end() {
	sync
	echo "$ns" >"$drivers/nd_pmem/unbind"
	echo 0 >"$nd/$ns/force_raw"
	echo 1 >/sys/bus/nd/drivers_autoprobe
	off
}

# forge_block FIELD=VALUE...: change the info block of the namespace
forge_block() {
	raw_begin
	for at in 0 1; do
		dd if="$raw" of="$tmp/block" bs=4096 skip=$at count=1 2>/dev/null
		perl "$here/forge.pl" "$@" <"$tmp/block" >"$tmp/forged" 2>/dev/null && break
	done
	[ -s "$tmp/forged" ] || cannot "the namespace has no info block"
	dd if="$tmp/forged" of="$raw" bs=4096 seek="$at" conv=fsync 2>/dev/null
	raw_end
}

# compile NAME: build a C program from standard input
compile() {
	cc -O1 -pthread -o "$tmp/$1" -x c - || cannot "there is no C compiler"
}

# provider: set nfit to the folder of the driver of the nvdimm bus, and of to its device
provider() {
	of=ACPI0012:00
	for nfit in /sys/bus/acpi/drivers/nfit /sys/bus/platform/drivers/acpi-nfit; do
		[ ! -e "$nfit/$of" ] || return 0
	done
	cannot "the driver nfit has no device"
}
