# SPDX-License-Identifier: GPL-2.0-only
# What QEMU has no device for, by a host bridge in software
# (tests/helpers/softbridge): its one function has the driver's own id, and a
# part of card's BAR as its BAR 2
# shellcheck shell=bash
runs_in base

F[soft]=10000:00:00.0
part=$((256 << 20))	# where in card's BAR
size=$((128 << 20))

# bridge [PARAMETER...]: with nothing behind the BAR
bridge() {
	run "insmod /usr/local/bin/softbridge.ko size=$size $*"
}

# with_card [PARAMETER...]: with memory behind it; the driver binds by itself
with_card() {
	bridge "target=${F[card]} offset=$part $*"
	settle
}

# attribute NAME: of the function's region
attribute() {
	guest "cat /sys/bus/nd/devices/$(region_of soft)/$1"
}

# on_the_wire: what the function answers to, from its BAR's two registers
on_the_wire() {
	printf '%#x\n' $((0x$(setpci_soft 3)$(setpci_soft 2) & ~15))
}

setpci_soft() {
	guest "setpci -s ${F[soft]} BASE_ADDRESS_$1.l"
}

# said_differ: how often the driver has, since the module was loaded
said_differ() {
	guest "dmesg | tac | sed '/iopmem-load/q' | grep -c 'bus and CPU address differ'"
}

# extents_on_the_wire FILE: its addresses are the BAR's on the bus and for the CPU,
# plus where it is in the BAR
extents_on_the_wire() {
	local at
	run "ndctl-iopmem extents $1"
	at=$(field bar_offset)
	like "$1 at, in the BAR" "^[1-9]" "$at"
	is "$1: bus_address, resource" "$((0x40000000 + at)) $((cpu + at))" "$(field bus_address) $(field resource)"
}

test_address() {
	local cpu
	shows "behind a bridge with an offset, bus_address is the bus's and all else goes by the CPU's address"
	blank card
	new_text
	load
	with_card
	cpu=$(on_the_wire)
	is "no offset: bus_address" "$cpu" "$(attribute iopmem/bus_address)"
	is "the region's resource" "$cpu" "$(attribute resource)"
	is "lines about it" 0 "$(said_differ)"
	run "rmmod softbridge"
	with_card bus_address=0x40000000
	logged "iopmem ${F[soft]}: BAR 2: bus and CPU address differ, without an IOMMU only DMA to the region's bus_address reaches it"
	is "in the BAR's registers" 0x40000000 "$(on_the_wire)"
	is "bus_address" 0x40000000 "$(attribute iopmem/bus_address)"
	is "the region's resource" "$cpu" "$(attribute resource)"
	create soft raw -s 64M
	run "echo '$text' | dd of=$NODE bs=4096 seek=100 conv=sync,fsync oflag=direct status=none"
	is "in card's BAR, data" $((part + 100 * 4096)) "$(found "$text" "$DIR/card.bar")"
	is "label area" $((part + size - 131072)) "$(found NAMESPACE_INDEX "$DIR/card.bar" | head -n 1)"
	create soft fsdax -s 32M --map=mem
	run "mkfs.ext4 -q -F -b 4096 $NODE && mount -o dax=always $NODE /mnt/a && fallocate -l 4K /mnt/a/file &&
		{ echo 'mapped $text'; head -c 4K /dev/zero; } | head -c 4K | mapcp in /mnt/a/file 4K"
	is "times a mapped file's data is there" 1 "$(in_bar card "mapped $text")"
	extents_on_the_wire /mnt/a/file
	run "umount /mnt/a"
	create soft devdax -s 16M
	extents_on_the_wire "$NODE"
	run "ndctl-iopmem list ${F[soft]}"
	is "list: bus_address, resource" "$((0x40000000)) $((cpu))" "$(field bus_address) $(field resource)"
}

# drive_reads: from the drive into a devdax namespace by O_DIRECT. There is
# nothing at the bus address.
drive_reads() {
	blank card
	new_text
	pattern "$text" >"$DIR/pattern"
	dd if="$DIR/pattern" of="$DIR/drive.img" bs=1M seek=16 conv=notrunc status=none
	load
	with_card bus_address=0x4000000000
	is "bus_address" 0x4000000000 "$(attribute iopmem/bus_address)"
	create soft devdax -s 64M
	run "dma /dev/nvme0n1@16M $NODE 8M"
	like "$NODE" "read 8388608 bytes" "$OUT"
	is "times in card's BAR" 1 "$(in_bar card "$text")"
}

test_dma() {
	shows "the kernel gives an initiator the CPU's address, not the bus's"
	drive_reads
}

# another PARAMETER...: the same memory, in another function
another() {
	run "rmmod softbridge"
	with_card "$@"
	run "ndctl list -N"
}

test_serial() {
	local serial=0x0102030405060708 cookie none
	shows "the serial number makes the cookie, whatever the slot; labels of a card with another one, or with none, are not taken"
	blank card
	load
	with_card serial=$serial
	create soft devdax -s 64M -n kept
	# as every version of the driver has to make it: labels hold it
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
	shows "a BAR beyond what the kernel maps is named and refused"
	load
	bridge
	logged "iopmem ${F[soft]}: BAR 2 .*: beyond what the kernel maps, have the firmware place it lower, passed over"
	fails "No such device" "echo ${F[soft]} >/sys/bus/pci/drivers/iopmem/bind"
}

test_across() {
	shows "a BAR that begins within what the kernel maps, and ends beyond it, is refused, too"
	load
	bridge within=$((size / 2)) bus_address=0x40000000
	is "the BAR's registers" 0x40000000 "$(on_the_wire)"
	logged "iopmem ${F[soft]}: BAR 2 .*: beyond what the kernel maps, have the firmware place it lower, passed over"
	fails "No such device" "echo ${F[soft]} >/sys/bus/pci/drivers/iopmem/bind"
}

test_smallest() {
	shows "a BAR of 4 MiB is a region, one of 2 MiB is too small"
	blank card
	load
	size=$((2 << 20)) with_card
	logged "iopmem ${F[soft]}: BAR 2 .*: smaller than 4 MiB, passed over"
	fails "No such device" "echo ${F[soft]} >/sys/bus/pci/drivers/iopmem/bind"
	run "rmmod softbridge"
	size=$((4 << 20)) with_card
	is "4 MiB, the region's size" $(((4 << 20) - 131072)) "$(attribute size)"
}

test_io_bar() {
	shows "a function with a BAR of I/O ports that has no address is bound all the same: only memory is enabled"
	blank card
	load
	with_card io=1
	logged "iopmem ${F[soft]}: BAR 0 \[io .*\]: I/O ports, not memory, passed over"
	is "the region's size" $((size - 131072)) "$(attribute size)"
	run "setpci -s ${F[soft]} COMMAND"
	is "in the command register, I/O and memory" 2 $((0x$OUT & 3))
}

test_numa() {
	local n
	shows "the region's NUMA node is the function's, be it one or none"
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
	shows "a function with the id 11f8:f115 makes udev load the module, which binds it"
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
	logged "iopmem ${F[soft]}: cannot be enabled \(-22\), a BAR without an address wants pci=realloc"
	fails "Invalid argument" "echo ${F[soft]} >/sys/bus/pci/drivers/iopmem/bind"
}

test_gone() {
	shows "a card whose configuration space answers all ones: fsync fails, it can be unbound and not be bound; back again, it has its data"
	blank card
	load
	with_card
	create soft raw -s 64M
	run "echo kept | dd of=$NODE bs=4096 conv=sync,fsync oflag=direct status=none"
	run "echo 1 >/sys/module/softbridge/parameters/gone"
	fails "fsync failed.*Input/output error" "dd if=/dev/zero of=$NODE seek=1 bs=4K count=1 conv=fsync status=none"
	detach soft
	run "ls /sys/bus/nd/devices | grep -c . || true"
	is "nvdimm devices left" 0 "$OUT"
	fails "No such device" "echo ${F[soft]} >/sys/bus/pci/drivers/iopmem/bind"
	logged "iopmem ${F[soft]}: does not answer, power it up or put it in again"
	run "echo 0 >/sys/module/softbridge/parameters/gone"
	attach soft
	run "head -n1 $NODE; dd if=/dev/zero of=$NODE seek=1 bs=4K count=1 conv=fsync status=none"
	is "back again, and fsync works" kept "$OUT"
}

test_removed() {
	shows "the whole bridge is removed below a raw namespace that is written to: it waits for the writer, nothing is left, and with the bridge again the data is there"
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

runs_in moved

test_dma_iommu() {
	shows "behind an IOMMU, an initiator's address is mapped to the CPU's"
	run "cat /sys/bus/pci/devices/${F[drive]}/iommu_group/type"
	like "the drive's IOMMU domain" "^DMA" "$OUT"
	drive_reads
}

runs_in bars

test_limit() {
	shows "a BAR that ends exactly where what the kernel maps ends is used"
	load
	bridge within=$size
	settle
	is "the region's size" $((size - 131072)) "$(attribute size)"
	is "it ends at the limit: the next is beyond" "$(printf '%#x' $(($(attribute resource) + size)))" \
		"$(guest "rmmod softbridge; insmod /usr/local/bin/softbridge.ko size=$size; sed -n '3s/ .*//p' /sys/bus/pci/devices/${F[soft]}/resource" | sed 's/0x0*/0x/')"
}
