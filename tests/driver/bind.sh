# SPDX-License-Identifier: GPL-2.0-only
# Every way to bind a function, and which functions are refused
# shellcheck shell=bash
runs_in base

providers() {
	run "ndctl list -B | grep -o 'iopmem-[^\"]*' | sort | tr '\n' ' '"
}

unbind_all() {
	run "cd /sys/bus/pci/drivers/iopmem && for f in 0000:*; do echo \$f >unbind; done"
}

test_static_id() {
	shows "the module's only alias is for the id 11f8:f115, and modprobe finds the module by it"
	as_module
	run "modprobe -R pci:v000011F8d0000F115sv00001234sd00005678bc05sc80i00"
	is "module for that alias" iopmem_bus "$OUT"
	load
	logged "iopmem_bus: no function bound, name one by ids= or driver_override"
	run "modinfo -F alias iopmem_bus"
	is "its aliases" "pci:v000011F8d0000F115sv*sd*bc*sc*i*" "$OUT"
}

test_driver_override() {
	shows "driver_override binds one function: a bus, a dimm, a region, and a line in the log; unbind removes them"
	blank card
	load
	attach card
	logged "iopmem ${F[card]}: regions: 1, 512 MiB in all, see \"ndctl list -RN -b iopmem-${F[card]}\""
	run "ndctl list -BDRi"
	is "provider" "iopmem-${F[card]}" "$(field provider)"
	like "dimm" '"dev":"nmem0"' "$OUT"
	is "region size" $((512 * 1024 * 1024 - 128 * 1024)) "$(field size)"
	run "read -r _ end _ < <(sed -n 3p /sys/bus/pci/devices/${F[card]}/resource)
		printf '%x-%x : iopmem labels\n' \$((end + 1 - (128 << 10))) \$end; grep iopmem /proc/iomem"
	is "label area reserved" "$(head -n 1 <<<"$OUT")" "$(tail -n +2 <<<"$OUT" | sed 's/^ *//')"
	detach card
	run "ndctl list -BDRi; grep -c iopmem /proc/iomem || true"
	is "left of it" 0 "$OUT"
}

test_new_id() {
	shows "new_id binds every function with that id, and refuses those that do not fit"
	load
	run "echo 1af4 1110 >/sys/bus/pci/drivers/iopmem/new_id"
	settle
	providers
	is "bound" "$(for f in large card cut kept pair0 pair1 recorded; do echo "iopmem-${F[$f]}"; done | sort | tr '\n' ' ')" "$OUT"
	logged "iopmem ${F[tiny]}: BAR 2 .*: smaller than 4 MiB, skipped"
}

test_parameters() {
	shows "the parameters' defaults, and that sysfs does not let them be written"
	load
	run "cd /sys/module/iopmem_bus/parameters && for p in *; do echo \$p=\$(cat \$p) \$(stat -c %a \$p); done | tr '\n' ' '"
	is "parameters" "bars=0-5 444 cached=$CACHED 444 ids= 444 labels=Y 444 " "$OUT"
}

test_ids() {
	shows "ids= binds at load, with subvendor, subdevice, class and mask as vfio-pci has them"
	load ids=1af4:1110
	settle
	providers
	like "with vendor:device" "iopmem-${F[card]}" "$OUT"
	unlike "kernel log" "no function bound" "$(load_log)"
	# README.md names the region by the bus's provider, too
	blank card
	run "ndctl create-namespace -m fsdax -s 64M -b iopmem-${F[card]}; ndctl list -N -b iopmem-${F[card]}"
	is "namespace on that function's bus" fsdax "$(field mode)"
	unbind_all
	run "rmmod iopmem_bus"
	load ids=8086:10d3,1af4:1110:1af4:1100:050000:ffffff
	settle
	providers
	like "with all six fields, after another entry" "iopmem-${F[card]}" "$OUT"
	unbind_all
	run "rmmod iopmem_bus"
	load ids=1af4:1110:ffff:ffff
	providers
	is "with other subsystem ids" "" "$OUT"
}

test_ids_nonsense() {
	local junk
	shows "nonsense in ids= is named in the log, the module does not load, and the ids before it bind nothing"
	as_module
	for junk in junk 1af4 1af4: :1110 : 1af4::1110 1af4:1110: 1af4:1110::0 1af4:zz 1af4:-1 \
		10000:1110 11af4:1110 1af4:10000 1af4:11110 100000000:1110 1af4:100000000 \
		1af4:1110:100000000 1af4:1110:0:100000000 1af4:1110:0:0:100000000 \
		1af4:1110:0:0:0:100000000 1af4:1110:1:2:3:4:5; do
		fails "Invalid argument" "modprobe iopmem_bus ids=1af4:1110,$junk,8086:10d3"
		logged "iopmem_bus: ids=: \"$junk\" is not vendor:device"
	done
	run "ls /sys/bus/pci/drivers"
	unlike "drivers" '^iopmem$' "$OUT"
	unlike "functions that were bound" "iopmem 0000:" "$(case_log)"
}

test_ids_bounds() {
	shows "the largest ids and masks in ids= are taken, empty entries are skipped"
	as_module
	load ids=ffff:ffff,,ffff:0:ffffffff:ffffffff:ffffffff:ffffffff,0:ffff,1af4:1110:1af4:1100:60000:ffffff,
	run "ls -d /sys/bus/pci/drivers/iopmem/0000:* 2>/dev/null | wc -l"
	is "functions bound" 0 "$OUT"
	run "rmmod iopmem_bus"
	# the class is 0x050000, and the mask compares one bit of it
	load ids=,1af4:1110:ffffffff:ffffffff:50000:40000
	run "ls -d /sys/bus/pci/drivers/iopmem/0000:* | grep -c ${F[pair0]}"
	is "ffffffff is any subsystem, and the mask is the last: the function is bound" 1 "$OUT"
	settle
	unbind_all
}

test_cached_ids() {
	shows "cached= has the grammar of ids=: the module does not load with anything else, nor with more than 16 ids"
	as_module
	fails "Invalid argument" "modprobe iopmem_bus cached=8086:1234,nonsense"
	logged "iopmem_bus: cached=: \"nonsense\" is not vendor:device"
	load "cached=$(printf '1af4:12%02x,' {1..16})"
	run "rmmod iopmem_bus"
	fails "No space left" "modprobe iopmem_bus cached=$(printf '1af4:12%02x,' {1..17})"
	logged "iopmem_bus: cached=: more than 16 ids"
}

test_autoprobe() {
	shows "with the nd bus's drivers_autoprobe off, the bus has its driver all the same, unbinding leaves nothing, and a dimm and a region that ndctl enables work"
	blank card
	load
	run "echo 0 >/sys/bus/nd/drivers_autoprobe"
	attach card
	run "cd /sys/bus/pci/devices/${F[card]}/ndbus*; basename \$(readlink driver); ls -d nmem*/driver region*/driver 2>/dev/null; true"
	is "drivers of the bus, its dimm and its region" nd_bus "$OUT"
	run "ndctl enable-dimm nmem0 && ndctl enable-region $(region_of card)"
	run "echo 1 >/sys/bus/nd/drivers_autoprobe"
	create card raw -s 64M
	new_text
	run "echo '$text' | dd of=$NODE bs=4096 conv=sync,fsync oflag=direct status=none"
	is "times in the BAR's file" 1 "$(in_bar card "$text")"
	detach card
	run "echo 0 >/sys/bus/nd/drivers_autoprobe"
	attach card
	detach card
	run "echo 1 >/sys/bus/nd/drivers_autoprobe; ls /sys/bus/nd/devices; grep iopmem /proc/iomem; true"
	is "unbound, left" "" "$OUT"
	attach card
	run "ndctl list -N"
	is "bound again, mode" raw "$(field mode)"
}

# refused FUNCTION PATTERN: binding has to fail, and the log has to say why
refused() {
	run "echo iopmem >/sys/bus/pci/devices/$1/driver_override"
	fails "No such device" "echo $1 >/sys/bus/pci/drivers/iopmem/bind"
	logged "iopmem $1: $2"
	logged "iopmem $1: no BAR that can be a region"
}

test_refused() {
	shows "a BAR that is too small, not prefetchable or not memory is refused and named, and so is a function without BARs"
	load
	refused "${F[tiny]}" "BAR 2 \[mem .* 64bit pref\]: smaller than 4 MiB, skipped"
	refused "${F[registers]}" "BAR 0 \[mem .*\]: not prefetchable, so reading it may have side effects, skipped"
	run "echo ${F[ports]} >/sys/bus/pci/devices/${F[ports]}/driver/unbind"
	refused "${F[ports]}" "BAR 0 \[io .*\]: I/O ports, not memory, skipped"
	refused 0000:00:00.0 "no BAR that can be a region"
	unlike "BARs that a function does not have" "iopmem 0000:00:00.0: BAR" "$(case_log)"
	run "cat /sys/bus/pci/devices/${F[tiny]}/enable"
	is "a refused function's enable count" "0" "$OUT"
}

test_two_functions() {
	local a b
	shows "two functions whose BARs are less than 128 MiB apart can be used at once"
	blank pair0 pair1
	load
	attach pair0
	attach pair1
	run "for f in ${F[pair0]} ${F[pair1]}; do sed -n '3s/ .*//p' /sys/bus/pci/devices/\$f/resource; done"
	{ read -r a; read -r b; } <<<"$OUT"
	is "distance in MiB" 64 $((a > b ? (a - b) >> 20 : (b - a) >> 20))
	create pair0 fsdax
	a=$NODE
	create pair1 fsdax
	b=$NODE
	run "mkfs.ext4 -q -F -b 4096 $a && mkfs.ext4 -q -F -b 4096 $b"
	run "mount -o dax $a /mnt/a && mount -o dax $b /mnt/b"
	run "for m in a b; do
			fallocate -l 4M /mnt/\$m/file
			yes \"this is on \$m, from ${work##*/}\" | head -c 4M | mapcp in /mnt/\$m/file 4M &
		done; wait
		umount /mnt/a /mnt/b"
	is "lines of a in pair0's file" 1 "$(($(found "this is on a, from ${work##*/}" "$DIR/pair0.bar" | wc -l) > 100000))"
	is "lines of b in pair0's file" 0 "$(found "this is on b" "$DIR/pair0.bar" | wc -l)"
	is "lines of b in pair1's file" 1 "$(($(found "this is on b, from ${work##*/}" "$DIR/pair1.bar" | wc -l) > 100000))"
	is "lines of a in pair1's file" 0 "$(found "this is on a" "$DIR/pair1.bar" | wc -l)"
}

test_two_functions_apart() {
	shows "with two functions bound, unbinding one leaves the other as it was"
	blank pair0 pair1
	load
	attach pair0
	attach pair1
	create pair0 raw
	detach pair1
	run "echo still there | dd of=$NODE oflag=direct conv=sync bs=4096 status=none; dd if=$NODE bs=4096 count=1 iflag=direct status=none | head -n1"
	is "the other's data" "still there" "$OUT"
	providers
	is "bound" "iopmem-${F[pair0]} " "$OUT"
}

test_unload_bound() {
	shows "rmmod with functions bound is refused, as with every nvdimm bus; after unbinding it leaves nothing"
	as_module
	blank card pair0
	load
	attach card
	attach pair0
	create card fsdax -s 64M
	fails "Module iopmem_bus is in use" "rmmod iopmem_bus"
	detach pair0
	fails "Module iopmem_bus is in use" "rmmod iopmem_bus"
	run "ndctl list -N"
	like "still there" '"mode":"fsdax"' "$OUT"
	detach card
	run "rmmod iopmem_bus && ls /sys/bus/nd/devices /dev | grep -E 'ndbus|region|pmem[0-9]|ndctl[0-9]' || true"
	is "left in /sys and /dev" "" "$OUT"
}

test_unload_mounted() {
	local fs
	shows "rmmod under a mounted ext4 or xfs with an open mapping is refused, and the file system goes on"
	as_module
	blank card
	load
	for fs in "ext4 -b 4096 -F" "xfs -f"; do
		attach card
		run "ndctl destroy-namespace -f all 2>/dev/null; true"
		create card fsdax
		run "mkfs.$fs -q $NODE && mount -o dax $NODE /mnt/a && fallocate -l 2M /mnt/a/map"
		hold /mnt/a/map 2M
		fails "Module iopmem_bus is in use" "rmmod iopmem_bus"
		run "echo goes on >/mnt/a/file && sync /mnt/a/file && cat /mnt/a/file"
		is "${fs%% *}" "goes on" "$OUT"
		stop mapcp
		run "umount /mnt/a"
		detach card
	done
}

test_unbind_devdax() {
	shows "unbinding under an open devdax mapping ends the mapping: a process that stores to it gets SIGBUS"
	blank card
	load
	attach card
	create card devdax -s 64M
	hold "$NODE" 2M
	detach card
	run "ls /dev | grep -c ^dax || true"
	is "device DAX nodes left" 0 "$OUT"
	ended
	is "the process ended with SIGBUS, 128 + 7" 135 "$OUT"
}

runs_in nopat

test_cacheable() {
	shows "where the kernel cannot map write-combining (nopat), a function is refused"
	load
	run "echo iopmem >/sys/bus/pci/devices/${F[card]}/driver_override"
	fails "Operation not supported|not supported" "echo ${F[card]} >/sys/bus/pci/drivers/iopmem/bind"
	logged "iopmem ${F[card]}: this machine would map its BARs cacheable, name it in cached= if it is RAM"
}

test_cacheable_wanted() {
	shows "with the card in cached=, it is bound all the same"
	load cached=1af4:1110
	attach card
	run "ndctl list -B"
	is "in cached=" "iopmem-${F[card]}" "$(field provider)"
}
