# SPDX-License-Identifier: GPL-2.0-only
# Each of the driver's calls that can fail fails once (tests/helpers/failcall). Then binding
# or loading fails with its error and leaves nothing, and the next attempt works.
# shellcheck shell=bash

bind=/sys/bus/pci/drivers/iopmem/bind
unbind=/sys/bus/pci/drivers/iopmem/unbind
failcall=/sys/module/failcall/parameters
# only x86 reserves memory types
memtypes=/sys/kernel/debug/x86/pat_memtype_list
[ "$ARCH" = amd64 ] || memtypes=/dev/null
functions=kmalloc_node_trace,__kmalloc_cache_node_noprof,pci_enable_device_mem,cc_platform_has
functions+=,pci_device_is_present,memremap,arch_io_reserve_memtype_wc
functions+=,__request_region,device_attach,device_add
functions+=,nvdimm_bus_register,bus_register_notifier,__nvdimm_create,nvdimm_pmem_region_create

# ready_for NAME REGIONS [PARAMETER...]: load the module, and prepare for binding that
# function. The guest's script /tmp/left prints what an attempt to bind it has left.
ready_for() {
	NAME=$1 REGIONS=$2
	load "${@:3}"
	udev_off
	run "insmod /usr/local/bin/failcall.ko func=$functions || exit
		echo 1 >/sys/kernel/rcu_expedited
		echo iopmem >/sys/bus/pci/devices/${F[$1]}/driver_override
		cat >/tmp/left <<-'END'
			cd /sys/bus/pci/devices/${F[$1]}
			[ \$(cat enable) = 0 ] || echo it is enabled
			[ ! -e driver ] || echo it is bound
			grep iopmem /proc/iomem
			ls /sys/bus/nd/devices
			while read -r start end flags; do
				[ \$((flags & 0x200)) != 0 ] || continue
				awk -v start=\$start -v end=\$end '
					\$1 == \"PAT:\" {
						split(\$3, range, /-/)
						if (range[1] >= start && range[1] <= end)
							print \"reserved:\", \$0
					}' $memtypes
			done <resource
			exit 0
		END"
}

# broken ERROR FUNCTION VALUE [N [CALLER]]: let the Nth call of FUNCTION return VALUE, if
# the driver or another CALLER calls it. Then binding has to end with ERROR, or with
# "bound" if it succeeds. The next attempt has to work.
broken() {
	run "echo '$2 $3 ${4:-1} ${5:-[iopmem_bus]}' >$failcall/fail || exit
		error=\$({ echo ${F[$NAME]} >$bind; } 2>&1) && error=bound
		echo >$failcall/fail
		echo \"\$(cat $failcall/hits) \${error##*: }\"
		[ \"\$error\" != bound ] || echo ${F[$NAME]} >$unbind
		bash /tmp/left
		echo ${F[$NAME]} >$bind && cat /sys/bus/pci/devices/${F[$NAME]}/ndbus*/wait_probe >/dev/null && ls -d /sys/bus/pci/devices/${F[$NAME]}/ndbus*/region* | wc -l
		echo ${F[$NAME]} >$unbind"
	is "$2, call ${4:-1}: failures, error, what is left, regions then" "1 $1 $REGIONS" "$(xargs <<<"$OUT")"
}

# usable: bind again, and make a namespace on the first region
usable() {
	run "rmmod failcall; echo 0 >/sys/kernel/rcu_expedited"
	udev_on
	attach "$NAME"
	run "ndctl create-namespace -r \$(ls -d /sys/bus/pci/devices/${F[$NAME]}/ndbus*/region* | sed -n '1s,.*/,,p') -m raw"
	is "bound afterwards, a namespace" raw "$(field mode)"
	# the CMB of two_bars is not a file, so no later case could blank it
	run "ndctl destroy-namespace -f all"
	detach "$NAME"
	run "bash /tmp/left"
	is "unbound, left" "" "$OUT"
}

# encrypts: a machine that encrypts memory has to be refused. Kernels after 6.1 allow no
# kprobe in cc_platform_has().
encrypts() {
	[ "$KERNEL" = 6.1 ] || {
		saw "not on this kernel: a machine that encrypts memory"
		return
	}
	broken "Operation not supported" cc_platform_has 1
	logged "iopmem ${F[$NAME]}: this machine encrypts memory \(SME, SEV, TDX\), which a BAR cannot be"
}

runs_in base

test_bind() {
	shows "if a call of the driver fails while it binds, its error is returned, the function is disabled, no reservation and no nvdimm device is left, and the next bind works"
	blank cut
	ready_for cut 1
	broken "Cannot allocate memory" kmalloc_node_trace,__kmalloc_cache_node_noprof 0
	broken "Input/output error" pci_enable_device_mem -5
	logged "iopmem ${F[cut]}: cannot be enabled \(-5\), boot with pci=realloc if a BAR has no address"
	encrypts
	broken "No such device" pci_device_is_present 0
	logged "iopmem ${F[cut]}: does not answer, power it up or put it in again"
	if [ "$ARCH" = amd64 ]; then
		broken "Device or resource busy" arch_io_reserve_memtype_wc -16
		logged "iopmem ${F[cut]}: BAR 2: .* cannot be reserved as write-combining \(-16\), end what maps it"
	fi
	broken "Cannot allocate memory" memremap 0
	broken "Cannot allocate memory" memremap 0 2
	broken "Device or resource busy" __request_region 0
	logged "iopmem ${F[cut]}: BAR 2: label area in use, see /proc/iomem for "
	broken "Cannot allocate memory" nvdimm_bus_register 0
	broken "Invalid argument" bus_register_notifier -22
	broken "No such device or address" device_attach 0
	broken "No such device or address" device_attach -6
	broken "Cannot allocate memory" __nvdimm_create 0
	broken "No such device or address" device_add -12 1 nd_async_device_register
	broken "Cannot allocate memory" nvdimm_pmem_region_create 0
	usable
}

test_bind_cached() {
	shows "a machine that encrypts memory is refused for a card that is RAM, too"
	[ "$KERNEL" = 6.1 ] || skip "the kernel lets no probe into cc_platform_has()"
	blank cut
	ready_for cut 1 cached=1af4:1110
	encrypts
	usable
}

# not_loaded ERROR FUNCTION VALUE PARAMETER...: loading has to end with ERROR, and the next
# attempt has to work
not_loaded() {
	local error=$1 func=$2 value=$3
	shift 3
	run "echo '$func $value 1 [iopmem_bus]' >$failcall/fail || exit
		error=\$(modprobe iopmem_bus $* 2>&1) && error=loaded
		echo >$failcall/fail
		echo \"\$(cat $failcall/hits) \${error##*: }\"
		ls -d /sys/bus/pci/drivers/iopmem /sys/module/iopmem_bus 2>/dev/null; true"
	is "$func: failures, error and what is left" "1 $error" "$OUT"
	load "$@"
	run "ls /sys/bus/pci/drivers/iopmem >/dev/null && rmmod iopmem_bus"
}

test_load() {
	shows "if a call of the driver fails while it is loaded, its error is returned, no driver and no module is left, and the next attempt works"
	as_module
	run "insmod /usr/local/bin/failcall.ko func=__pci_register_driver,pci_add_dynid"
	not_loaded "Cannot allocate memory" __pci_register_driver -12
	not_loaded "Cannot allocate memory" pci_add_dynid -12 ids=1af4:1234,1af4:1235
	run "rmmod failcall"
}

runs_in bars

test_second() {
	shows "if the same calls fail for the second of two BARs, nothing is left of the first"
	blank pmr
	ready_for two_bars 2
	broken "Cannot allocate memory" memremap 0 3
	broken "Device or resource busy" __request_region 0 2
	broken "Cannot allocate memory" __nvdimm_create 0 2
	broken "Cannot allocate memory" nvdimm_pmem_region_create 0 2
	usable
}

runs_in bare

# Without a hypervisor, the driver tests whether a write-back mapping would be cacheable.
test_cacheable() {
	local start
	shows "a BAR is not used if the test for a cacheable mapping fails, and the test leaves no reservation"
	blank card
	run "sed -n '3s/ .*//p' /sys/bus/pci/devices/${F[card]}/resource"
	start=$((OUT))
	run "printf 'base=0x%x size=0x%x type=uncachable' $start $((512 << 20)) >/proc/mtrr"
	ready_for card 1
	broken "No such device" memremap 0
	logged "iopmem ${F[card]}: BAR 2 .*: write-back by the firmware's MTRRs"
	broken "No such device" arch_io_reserve_memtype_wc -16
	usable
	run "echo disable=\$(sed -n 's/^reg0*\([0-9]*\): base=$(printf '0x0*%x' "$start") .*/\1/p' /proc/mtrr) >/proc/mtrr"
}
