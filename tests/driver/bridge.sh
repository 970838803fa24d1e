# SPDX-License-Identifier: GPL-2.0-only
# Functions that no device of QEMU is like, by a host bridge in software
# (tests/helpers/softbridge). Its only function has the driver's own id. Its BAR 2 is a part
# of card's BAR.
# shellcheck shell=bash
runs_in base

F[soft]=10000:00:00.0
part=$((256 << 20))	# offset of the part in card's BAR
size=$((128 << 20))

# bridge [PARAMETER...]: load softbridge. Without target= nothing is behind the BAR.
bridge() {
	run "insmod /usr/local/bin/softbridge.ko size=$size $*"
}

# with_card [PARAMETER...]: load softbridge with memory behind the BAR. The driver binds by
# itself.
with_card() {
	bridge "target=${F[card]} offset=$part $*"
	settle
}

# attribute NAME: an attribute of the function's region
attribute() {
	guest "cat /sys/bus/nd/devices/$(region_of soft)/$1"
}

# on_the_wire: the address that the function answers to, from its BAR's two registers
on_the_wire() {
	printf '%#x\n' $((0x$(setpci_soft 3)$(setpci_soft 2) & ~15))
}

setpci_soft() {
	guest "setpci -s ${F[soft]} BASE_ADDRESS_$1.l"
}

refused="bus and CPU address differ, so DMA would go elsewhere"

test_address_refused() {
	shows "a BAR behind a bridge with an address offset is refused, since the kernel would give an initiator the CPU's address"
	blank card
	load
	bridge "target=${F[card]} offset=$part" bus_address=0x40000000
	is "in the BAR's registers" 0x40000000 "$(on_the_wire)"
	logged "iopmem ${F[soft]}: BAR 2 .*: $refused, skipped"
	fails "No such device" "echo ${F[soft]} >/sys/bus/pci/drivers/iopmem/bind"
}

# another PARAMETER...: replace the function by another one with the same memory
another() {
	run "rmmod softbridge"
	with_card "$@"
	run "ndctl list -N"
}

test_serial() {
	local serial=0x0102030405060708 cookie none
	shows "the cookie comes from the serial number and not from the slot; labels of a card with another serial number, or with none, are not used"
	blank card
	load
	with_card serial=$serial
	create soft devdax -s 64M -n kept
	# labels hold the cookie, so each version of the driver has to make the same one
	cookie=0x1d262f3a06080a0e
	is "cookie" $cookie "$(attribute set_cookie)"
	another serial=0x0102030405060709
	is "another serial, namespaces" "" "$OUT"
	unlike "cookie" "^$cookie\$" "$(attribute set_cookie)"
	another
	is "no serial, namespaces" "" "$OUT"
	none=$(attribute set_cookie)
	unlike "cookie" "^$cookie\$" "$none"
	another serial=$serial domain=0x10001 slot=5
	F[soft]=10001:00:05.0
	is "the first serial in another domain and slot, cookie" $cookie "$(attribute set_cookie)"
	is "name" kept "$(field name)"
	another domain=0x10001 slot=5
	is "no serial in another domain and slot, cookie" "$none" "$(attribute set_cookie)"
}

test_beyond() {
	shows "a BAR beyond the addresses that the kernel can map is named and refused"
	load
	bridge
	logged "iopmem ${F[soft]}: BAR 2 .*: beyond what the kernel maps, have the firmware place it lower, skipped"
	fails "No such device" "echo ${F[soft]} >/sys/bus/pci/drivers/iopmem/bind"
}

test_across() {
	shows "a BAR that only begins within the addresses that the kernel can map is refused, too"
	load
	bridge within=$((size / 2)) bus_address=0x40000000
	is "the BAR's registers" 0x40000000 "$(on_the_wire)"
	logged "iopmem ${F[soft]}: BAR 2 .*: beyond what the kernel maps, have the firmware place it lower, skipped"
	fails "No such device" "echo ${F[soft]} >/sys/bus/pci/drivers/iopmem/bind"
}

test_smallest() {
	shows "a BAR of 4 MiB is a region, one of 2 MiB is too small"
	blank card
	load
	size=$((2 << 20)) with_card
	logged "iopmem ${F[soft]}: BAR 2 .*: smaller than 4 MiB, skipped"
	fails "No such device" "echo ${F[soft]} >/sys/bus/pci/drivers/iopmem/bind"
	run "rmmod softbridge"
	size=$((4 << 20)) with_card
	is "4 MiB, the region's size" $(((4 << 20) - 131072)) "$(attribute size)"
}

test_io_bar() {
	shows "a function whose BAR of I/O ports has no address is bound all the same, since only memory is enabled"
	blank card
	load
	with_card io=1
	logged "iopmem ${F[soft]}: BAR 0 \[io .*\]: I/O ports, not memory, skipped"
	is "the region's size" $((size - 131072)) "$(attribute size)"
	run "setpci -s ${F[soft]} COMMAND"
	is "in the command register, I/O and memory" 2 $((0x$OUT & 3))
}

test_numa() {
	local n
	shows "the region has the function's NUMA node, or none if the function has none"
	blank card
	load
	for n in -1 0; do
		with_card node=$n
		is "the function's" "$n" "$(guest "cat /sys/bus/pci/devices/${F[soft]}/numa_node")"
		is "the region's" "$n" "$(attribute numa_node)"
		run "rmmod softbridge"
	done
}

test_autoload() {
	shows "udev loads the module for a function with the id 11f8:f115, and the module binds it"
	as_module
	blank card
	run "ls /sys/module"
	unlike "modules" "iopmem" "$OUT"
	with_card
	run "await 10 '[ -e /sys/bus/pci/drivers/iopmem/${F[soft]} ]'"
	settle
	is "the region's size" $((size - 131072)) "$(attribute size)"
}

test_unassigned() {
	shows "a function with a BAR that has no address is refused, with what to do"
	load
	bridge "target=${F[card]} offset=$part unassigned=1"
	logged "iopmem ${F[soft]}: cannot be enabled \(-22\), boot with pci=realloc if a BAR has no address"
	fails "Invalid argument" "echo ${F[soft]} >/sys/bus/pci/drivers/iopmem/bind"
}

test_ivshmem_is_ram() {
	shows "without a parameter, ivshmem is known as RAM and mapped write-back, and another card is not"
	as_module
	blank card kept
	# insmod, since modprobe would read cached= from the kernel's command line
	run "modprobe libnvdimm && insmod \$(modinfo -n iopmem_bus)"
	with_card
	attach kept
	is "ivshmem, cached" 1 "$(guest "cat /sys/bus/nd/devices/$(region_of kept)/iopmem/cached")"
	memtypes kept
	is "ivshmem's memory type" write-back "$OUT"
	is "the card, cached" 0 "$(attribute iopmem/cached)"
	memtypes soft
	is "the card's memory type" write-combining "$OUT"
}

test_cached_beside_ivshmem() {
	shows "a card that is the last of 16 in cached= is mapped write-back, and ivshmem still is"
	blank card kept
	load "cached=$(printf '1af4:12%02x,' {1..15})11f8:f115"
	with_card
	attach kept
	is "the card, cached" 1 "$(attribute iopmem/cached)"
	memtypes soft
	is "the card's memory type" write-back "$OUT"
	is "ivshmem, cached" 1 "$(guest "cat /sys/bus/nd/devices/$(region_of kept)/iopmem/cached")"
	memtypes kept
	is "ivshmem's memory type" write-back "$OUT"
}

# gone 1|0: let the configuration space read as all ones, or as before
gone() {
	run "echo $1 >/sys/module/softbridge/parameters/gone"
}

test_gone() {
	shows "without labels: if the configuration space reads as all ones, fsync fails, and the function can be unbound but not bound; once it is back, it has its data; with its memory off, fsync fails, too"
	may_log '^Buffer I/O error on dev pmem[0-9.]*s?, logical block'	# udev's
	blank card
	load labels=0
	with_card
	NODE=/dev/pmem0
	run "echo kept | dd of=$NODE bs=4096 conv=sync,fsync oflag=direct status=none"
	gone 1
	fails "fsync failed.*Input/output error" "dd if=/dev/zero of=$NODE seek=1 bs=4K count=1 conv=fsync status=none"
	detach soft
	run "ls /sys/bus/nd/devices | grep -c . || true"
	is "nvdimm devices left" 0 "$OUT"
	fails "No such device" "echo ${F[soft]} >/sys/bus/pci/drivers/iopmem/bind"
	logged "iopmem ${F[soft]}: does not answer, power it up or put it in again"
	gone 0
	attach soft
	run "head -n1 $NODE; dd if=/dev/zero of=$NODE seek=1 bs=4K count=1 conv=fsync status=none"
	is "back again, and fsync works" kept "$OUT"
	run "setpci -s ${F[soft]} COMMAND=0:2"
	fails "fsync failed.*Input/output error" "dd if=/dev/zero of=$NODE seek=1 bs=4K count=1 conv=fsync status=none"
}

test_label_does_not_tell() {
	local what
	shows "if the label area begins with zeros or ones, as memory that is gone may read, fsync asks the configuration space; otherwise it does not"
	may_log '^Buffer I/O error on dev pmem[0-9.]*s?, logical block'	# udev's
	blank card
	load
	with_card
	create soft raw -s 64M
	gone 1
	run "dd if=/dev/zero of=$NODE bs=4K count=1 conv=fsync status=none"
	for what in 000 377; do
		gone 0
		detach soft
		# overwrite only the first index block
		head -c 256 /dev/zero | tr '\0' "\\$what" |
			dd of="$DIR/card.bar" bs=128K seek=$(((part + size) / 131072 - 1)) conv=notrunc status=none
		attach soft
		run "dd if=/dev/zero of=$NODE bs=4K count=1 conv=fsync,nocreat status=none"
		gone 1
		fails "fsync failed.*Input/output error" "dd if=/dev/zero of=$NODE bs=4K count=1 conv=fsync,nocreat status=none"
	done
	gone 0
}

test_gone_in_use() {
	shows "a card that is gone is unbound while a disk without DAX is open: a process that reads the disk gets nothing, and the removal does not wait for it"
	may_log '^Buffer I/O error on dev pmem[0-9.]*s?, logical block'	# udev's
	blank card
	load
	with_card
	create soft raw -s 64M
	run "rm -f /tmp/close"
	launch "(exec 9<$NODE
		echo open
		while [ \$(dd iflag=direct bs=4K count=1 status=none <&9 2>/dev/null | wc -c) = 4096 ]; do :; done
		echo over
		await 60 '[ -e /tmp/close ]')" 'grep -q open $said'
	gone 1
	run "echo ${F[soft]} >/sys/bus/pci/drivers/iopmem/unbind"
	logged "iopmem ${F[soft]}: is gone: reads and flushes fail from here on"
	unlike "kernel log" "removal waits" "$(case_log)"
	run "await 60 '! ls /sys/bus/nd/devices | grep .'"
	run "touch /tmp/close"
	ended
	run "cat $SAID"
	is "the reader" "open over" "$(xargs <<<"$OUT")"
	gone 0
}

test_gone_mounted() {
	local mode m=a
	shows "a card that is gone is unbound while file systems without DAX are mounted: the removal does not wait for them, and they can be unmounted afterwards"
	disks_fail
	blank card
	load
	with_card
	for mode in raw sector; do
		create soft $mode -s 32M
		run "mkfs.ext4 -q -F -b 4096 $NODE && mount $NODE /mnt/$m && echo old >/mnt/$m/old && sync -f /mnt/$m && echo new >/mnt/$m/new"
		m=b
	done
	gone 1
	run "echo ${F[soft]} >/sys/bus/pci/drivers/iopmem/unbind"
	run "await 60 '! ls /sys/bus/nd/devices | grep .'"
	unlike "kernel log" "removal waits" "$(case_log)"
	for m in a b; do
		fails "Input/output error|No such device|Read-only file system" "dd if=/dev/zero of=/mnt/$m/new bs=4K count=1 conv=fsync status=none"
		run "umount /mnt/$m"
	done
	gone 0
}

# turn WHAT: replace the function's memory by ones, zeros or noise. "turn back" restores it.
turn() {
	local bar="$DIR/card.bar" blocks="bs=1M count=$((size >> 20))" at=$((part >> 20))
	# shellcheck disable=SC2086 # two words
	if [ "$1" = back ]; then
		dd if="$work/turned" of="$bar" $blocks seek=$at conv=notrunc status=none
		return
	fi
	# shellcheck disable=SC2086 # two words
	dd if="$bar" of="$work/turned" $blocks skip=$at status=none
	case $1 in
	ones) tr '\0' '\377' </dev/zero ;;
	zeros) cat /dev/zero ;;
	noise) cat /dev/urandom ;;
	esac 2>/dev/null |
		dd of="$bar" bs=1M count=$((size >> 20)) seek=$at iflag=fullblock conv=notrunc status=none
}

test_turned() {
	local what
	shows "memory that turns to ones, to zeros or to noise, and back: the first fsync fails with EIO, all reads fail from then on, and the data is there when the function is bound again"
	may_log 'Buffer I/O error on dev pmem[0-9.]*s?, logical block'
	blank card
	load
	with_card
	create soft raw -s 64M -n kept
	new_text
	run "echo '$text' | dd of=$NODE bs=4096 conv=sync,fsync oflag=direct status=none"
	for what in ones zeros noise; do
		turn $what
		fails "Input/output error" "dd if=/dev/zero of=$NODE seek=1 bs=4K count=1 oflag=direct conv=fsync status=none"
		turn back
		logged "iopmem ${F[soft]}: does not answer as it did: reads and flushes fail from here on, check the data, unbind and bind again"
		run "await 10 '! dd if=$NODE of=/dev/null iflag=direct bs=4K count=1 2>/dev/null'"
		fails "Input/output error" "dd if=$NODE of=/dev/null iflag=direct bs=4K count=1"
		fails "Input/output error|No space left" "dd if=/dev/zero of=$NODE seek=1 bs=4K count=1 conv=fsync,notrunc status=none"
		detach soft
		attach soft
		run "ndctl list -N -b iopmem-${F[soft]}"
		is "$what: bound again, the namespace" kept "$(field name)"
		NODE=/dev/$(field blockdev)
		run "head -n 1 $NODE; dd if=/dev/zero of=$NODE seek=1 bs=4K count=1 conv=fsync,notrunc status=none"
		is "and what was stored" "$text" "$OUT"
	done
}

test_enabled_later() {
	local raw devdax disk disks size=$((256 << 20))
	shows "a namespace that is enabled after the failure cannot be read, however large it is, even if the card answers again"
	may_log '^Buffer I/O error on dev pmem[0-9.]*s?, logical block'	# udev's
	blank card
	load
	with_card
	create soft devdax -s 64M -M mem
	devdax=$(field dev)
	create soft raw -s 160M
	raw=$(field dev)
	turn ones
	fails "fsync failed.*Input/output error" "dd if=/dev/zero of=$NODE bs=4K count=1 conv=fsync status=none"
	turn back
	run "for n in $devdax $raw; do
			ndctl disable-namespace \$n && ndctl enable-namespace \$n || exit
		done; udevadm settle"
	if [ "$KERNEL" = 6.1 ]; then
		# 6.1 finds no bad block in a range as large as a BAR
		logged "dax0.0: processes that map it still reach the card, end them"
		is "times that it says so, once for each of the two" 2 "$(load_log | grep -c "dax0.0: processes that map it")"
	else
		disks="$devdax $raw"
	fi
	for disk in ${disks:-$raw}; do
		run "cat /sys/bus/nd/devices/$disk/block/*/size; echo /dev/\$(ls /sys/bus/nd/devices/$disk/block)"
		like "the disk's sectors" "^[1-9]" "$OUT"
		NODE=$(tail -n 1 <<<"$OUT")
		fails "Input/output error" "dd if=$NODE of=/dev/null iflag=direct bs=4K count=1"
	done
	# an entry of the kernel's list of bad ranges has at most 128 MiB, so look beyond
	fails "Input/output error" "dd if=$NODE of=/dev/null iflag=direct bs=1M skip=150 count=1"
	detach soft
	attach soft
	run "dd if=$NODE of=/dev/null iflag=direct bs=1M skip=150 count=1"
}

test_removed() {
	shows "the whole bridge is removed while a raw namespace is written to: the removal waits for the writer and leaves nothing, and with the bridge back the data is there"
	may_log '^Buffer I/O error on dev pmem[0-9.]*s?, logical block'	# udev's
	blank card
	load
	with_card
	create soft raw -s 64M
	run "echo kept | dd of=$NODE bs=4096 conv=sync,fsync oflag=direct status=none
		touch /tmp/go"
	launch "(exec 9<>$NODE
		while [ -e /tmp/go ]; do
			dd if=/dev/zero of=$NODE seek=1 bs=4K count=16 conv=fsync,nocreat status=none && echo again || exit
		done; echo over)" 'grep -q again $said'
	saw "it is written to"
	run "rmmod softbridge >/tmp/rmmod 2>&1 &"
	logged "iopmem ${F[soft]}: pmem[0-9.]* is in use, unmount or close it: removal waits"
	goes_on "$SAID"
	run "rm /tmp/go; await 60 '[ ! -d /sys/module/softbridge ]'; cat /tmp/rmmod; grep -vx again $SAID"
	is "the writer, and the bridge's removal" over "$OUT"
	run "ls /sys/bus/nd/devices | grep -c . || true; grep -c softbridge /proc/iomem || true; ls -d /sys/bus/pci/devices/1*:* 2>/dev/null | grep -c . || true"
	is "left of it" "0 0 0 " "$(tr '\n' ' ' <<<"$OUT")"
	with_card
	run "head -n1 $NODE"
	is "with the bridge again" kept "$OUT"
}

# sleep_over PARAMETER...: suspend to RAM, with a raw namespace on a function that can be
# put into D3hot. OUT is what the guest says afterwards.
sleep_over() {
	blank card
	load
	with_card pm=1 "$@"
	create soft raw -s 64M
	new_text
	run "echo '$text' | dd of=$NODE bs=4096 conv=sync,fsync oflag=direct status=none"
	# the folder that is shared with the host is gone after the suspend
	run "cat >/tmp/sleep.sh <<-END
			echo mem >/sys/power/state
			cd /sys/module/softbridge/parameters
			{
				echo asleep \\\$(cat sleeps) times
				dd if=/dev/zero of=$NODE seek=1 bs=4K count=1 oflag=direct conv=fsync status=none && echo fsync works
				dd if=$NODE iflag=direct bs=4K count=1 status=none | head -n 1 | tr -d '\\0'
			} 2>&1 | xargs echo iopmem-awake: >/dev/kmsg
		END"
	parting "bash /tmp/sleep.sh"
	await 60 '[[ $(hmp "info status") = *suspended* ]]' || bad "the machine" "suspended" "$(hmp "info status")"
	hmp system_wakeup >/dev/null
	await 60 'OUT=$(case_log | sed -n "s/.*iopmem-awake: //p"); [ -n "$OUT" ]'
	used_up
}

test_awake() {
	shows "suspend to RAM: a function that forgets its memory in D3hot stays in D0"
	sleep_over
	is "after that" "asleep 0 times fsync works $text" "$OUT"
}

test_awake_no_soft_reset() {
	shows "suspend to RAM: a function that forgets nothing in D3hot (NoSoftReset) stays in D0, too"
	sleep_over no_soft_reset=1
	is "after that" "asleep 0 times fsync works $text" "$OUT"
}

runs_in bars

test_limit() {
	shows "a BAR that ends exactly at the last address that the kernel can map is used"
	load
	bridge within=$size
	settle
	is "the region's size" $((size - 131072)) "$(attribute size)"
	is "it ends at the limit, where the next BAR is placed" "$(printf '%#x' $(($(attribute resource) + size)))" \
		"$(guest "rmmod softbridge; insmod /usr/local/bin/softbridge.ko size=$size; sed -n '3s/ .*//p' /sys/bus/pci/devices/${F[soft]}/resource" | sed 's/0x0*/0x/')"
}
