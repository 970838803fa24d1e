# SPDX-License-Identifier: GPL-2.0-only
# ndctl's modes on a region: raw, sector, fsdax and devdax, with labels and without
# shellcheck shell=bash
runs_in base

test_raw() {
	shows "a raw namespace is a plain block device, and stays raw over unbinding"
	blank card
	new_text
	load
	attach card
	create card raw -s 64M
	is "mode" raw "$(field mode)"
	run "echo '$text' | dd of=$NODE bs=4096 seek=100 conv=sync,fsync oflag=direct status=none"
	is "times in the BAR's file" 1 "$(in_bar card "$text")"
	is "its offset in the BAR" $((100 * 4096)) "$(found "$text" "$DIR/card.bar")"
	detach card
	attach card
	run "ndctl list -N"
	is "mode after binding again" raw "$(field mode)"
	is "its node" "/dev/$(field blockdev)" "$NODE"
}

test_sector() {
	shows "a sector namespace (BTT) with a file system keeps the synced contents over unbinding"
	blank card
	new_text
	load
	attach card
	create card sector -s 64M -l 4096
	is "mode" sector "$(field mode)"
	run "mkfs.ext4 -q -F $NODE && mount $NODE /mnt/a && echo '$text' >/mnt/a/file && sync /mnt/a/file && umount /mnt/a"
	is "times in the BAR's file" 1 "$(in_bar card "$text")"
	detach card
	attach card
	run "mount $NODE /mnt/a && cat /mnt/a/file"
	is "after binding again" "$text" "$OUT"
}

test_fsdax() {
	shows "an fsdax namespace has struct pages on the card or in memory (--map), ext4 mounts with dax"
	local map
	for map in dev mem; do
		blank card
		new_text
		load
		attach card
		create card fsdax -s 64M --map=$map
		is "map" "$map" "$(field map)"
		run "mkfs.ext4 -q -F -b 4096 $NODE && mount -o dax=always $NODE /mnt/a && grep ' /mnt/a ' /proc/mounts"
		like "mounted" "dax=always" "$OUT"
		run "fallocate -l 4K /mnt/a/file && { echo '$text'; head -c 4K /dev/zero; } | head -c 4K | mapcp in /mnt/a/file 4K"
		is "times in the BAR's file" 1 "$(in_bar card "$text")"
		run "umount /mnt/a"
		detach card
	done
}

test_devdax() {
	shows "a devdax namespace maps with 4 KiB and 2 MiB alignment, and daxctl lists it"
	local align
	for align in 4K 2M; do
		blank card
		new_text
		load
		attach card
		create card devdax -s 64M -a $align
		run "daxctl list"
		is "chardev" "${NODE#/dev/}" "$(field chardev)"
		is "alignment" "$(numfmt --from=iec $align)" "$(field align)"
		run "{ echo '$text'; head -c 4K /dev/zero; } | head -c 4K | mapcp in $NODE@4M 4K"
		is "times in the BAR's file" 1 "$(in_bar card "$text")"
		run "mapcp out $NODE@4M 4K | head -n1"
		is "read back" "$text" "$OUT"
		detach card
	done
}

# The namespace has room for a memory block of 128 MiB. Smaller RAM cannot be added.
test_devdax_not_ram() {
	local online
	shows "the kernel will not make system RAM of a BAR (daxctl reconfigure-device)"
	blank card
	load
	attach card
	create card devdax -s 384M
	# if memory comes online by itself, daxctl -N does not even try
	run "cd /sys/devices/system/memory && cat auto_online_blocks && echo offline >auto_online_blocks"
	online=$OUT
	fails "error reconfiguring devices: Invalid argument" "daxctl reconfigure-device -N -m system-ram ${NODE#/dev/}"
	logged "kmem ${NODE#/dev/}: rejecting DAX region.* with invalid node: -1"
	run "echo $online >/sys/devices/system/memory/auto_online_blocks; grep -c 'System RAM (kmem)' /proc/iomem || true"
	is "System RAM from it" 0 "$OUT"
}

test_several() {
	local before
	shows "several namespaces, one destroyed, one reconfigured; names and uuids are kept over unbinding"
	blank card
	load
	attach card
	create card fsdax -s 96M -n first
	create card devdax -s 64M -n second
	create card sector -s 64M -n third
	create card raw -s 32M -n fourth
	run "ndctl list -N | grep -c '\"uuid\"'"
	is "namespaces" 4 "$OUT"
	run "ndctl destroy-namespace -f \$(ndctl list -N -m devdax | sed -n 's/.*\"dev\":\"\(.*\)\".*/\1/p')"
	run "ndctl create-namespace -f -m fsdax -n was-third -e \$(ndctl list -N -m sector | sed -n 's/.*\"dev\":\"\(.*\)\".*/\1/p')"
	run "ndctl list -N | grep -E '\"(mode|name|uuid|size)\"' | sort"
	before=$OUT
	like "destroyed and reconfigured" '"name":"was-third"' "$before"
	unlike "destroyed" second "$before"
	detach card
	attach card
	run "ndctl list -N | grep -E '\"(mode|name|uuid|size)\"' | sort"
	[ "$OUT" = "$before" ] || bad "after binding again" "$before" "$OUT"
	saw "after binding again, modes, names, uuids and sizes are the same"
}

test_labelless() {
	shows "labels=0: the whole BAR is one label-less namespace, and ndctl can make it fsdax"
	blank card
	new_text
	load labels=0
	attach card
	run "ndctl list -R"
	is "region size" $((512 << 20)) "$(field size)"
	run "ndctl create-namespace -f -e namespace0.0 -m fsdax --map=mem"
	run "mkfs.ext4 -q -F -b 4096 /dev/pmem0 && mount -o dax /dev/pmem0 /mnt/a && echo '$text' >/mnt/a/file && umount /mnt/a"
	is "times in the BAR's file" 1 "$(in_bar card "$text")"
	fails "^read 0 nmem" "ndctl read-labels -j nmem0"
}

test_labelless_end() {
	shows "labels=0: the BAR's last 128 KiB hold data like the rest, and data there makes no flush fail"
	blank card
	new_text
	load labels=0
	attach card
	run "echo '$text' | dd of=/dev/pmem0 bs=128K seek=4095 conv=sync,fsync oflag=direct status=none"
	is "in the BAR's file, 128 KiB before its end" "$text" "$(tail -c 128K "$DIR/card.bar" | head -n 1)"
	run "dd if=/dev/zero of=/dev/pmem0 bs=4K count=1 conv=fsync status=none && tail -c 128K /dev/pmem0 | head -n 1"
	is "read back" "$text" "$OUT"
}

# data_of MODE: a checksum of the BAR's file. In mode fsdax the struct pages at its start are
# left out.
data_of() {
	case $1 in
	fsdax) tail -c 480M "$DIR/card.bar" ;;
	*) cat "$DIR/card.bar" ;;
	esac | sha256sum
}

test_labelless_found() {
	local mode map before
	shows "with labels=1, the default, a label-less namespace is found as it is and not overwritten"
	for mode in sector fsdax devdax; do
		blank card
		load labels=0
		attach card
		# The kernel rewrites struct pages on the card with each binding, so have
		# those of devdax in memory.
		[ $mode = devdax ] && map=--map=mem || map=
		run "ndctl create-namespace -f -e namespace0.0 -m $mode $map"
		detach card
		run "rmmod iopmem_bus"
		before=$(data_of $mode)
		load
		attach card
		logged "iopmem ${F[card]}: BAR 2: holds a label-less namespace, used without labels"
		run "ndctl list -NRu"
		like "region size" '"size":"512.00 MiB' "$OUT"
		is "mode" $mode "$(field mode)"
		detach card
		is "$mode: what is in the BAR's file is the same" "$before" "$(data_of $mode)"
		run "rmmod iopmem_bus"
	done
}

test_binding_writes_nothing() {
	local before what
	shows "binding and unbinding write nothing to a BAR, be it blank, labelled or full of random bytes"
	load
	for what in blank labelled random; do
		blank card
		case $what in
		labelled)
			attach card
			create card fsdax -s 64M --map=mem
			detach card
			;;
		random)
			head -c 16M /dev/urandom | dd of="$DIR/card.bar" conv=notrunc status=none
			head -c 128K /dev/urandom | dd of="$DIR/card.bar" bs=128K seek=4095 conv=notrunc status=none
			;;
		esac
		before=$(sha256sum <"$DIR/card.bar")
		attach card
		run "ndctl list -BDRNi"
		[ $what != random ] ||
			logged "iopmem ${F[card]}: BAR 2: has no labels but is not blank, the first namespace will overwrite it"
		detach card
		is "$what" "$before" "$(sha256sum <"$DIR/card.bar")"
	done
}

test_not_blank() {
	local name at
	shows "a BAR does not count as blank if it has one word at its start, or where a GPT, a superblock or an info block would be"
	load
	while read -r name at; do
		blank "$name"
		printf word | dd of="$DIR/$name.bar" bs=1 seek="$at" conv=notrunc status=none
		attach "$name"
		logged "iopmem ${F[$name]}: BAR 2: has no labels but is not blank"
	done <<-END
		pair0 0
		pair1 512
		cut 1024
		card 4096
	END
}

test_attributes() {
	shows "the region's attributes bar and bus_address, and who may read them"
	blank card
	load
	attach card
	local at
	at=/sys/bus/nd/devices/$(region_of card)/iopmem
	run "cat $at/bar"
	is "bar" 2 "$OUT"
	run "cat $at/bus_address"
	local address=$OUT
	run "sed -n '3s/ .*//p' /sys/bus/pci/devices/${F[card]}/resource"
	is "bus_address is the BAR's" "$(printf '%#x' $((OUT)))" "$address"
	run "stat -c %a $at/bar $at/bus_address | tr '\n' ' '"
	is "modes" "444 400 " "$OUT"
}

# This runs in a machine without device DAX. The kernel's dax_alloc_inode() reuses a
# dax_device with the flags of its last user, and a device DAX leaves "synchronous" there.
runs_in bars

test_map_sync() {
	shows "MAP_SYNC is refused on a file, since flushing CPU caches is not enough here"
	load
	attach display
	create display fsdax -s 32M
	run "mkfs.ext4 -q -F -b 4096 $NODE && mount -o dax $NODE /mnt/a && fallocate -l 4K /mnt/a/file"
	fails "mmap: Operation not supported" "mapcp sync /mnt/a/file 4K"
}
