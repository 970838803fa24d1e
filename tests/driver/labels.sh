# SPDX-License-Identifier: GPL-2.0-only
# The label area and the commands that read and write it
# shellcheck shell=bash
runs_in base

area=131072

# label_area NAME: a checksum of the BAR's last 128 KiB, as the host sees them
label_area() {
	tail -c $area "$DIR/$1.bar" | sha256sum
}

test_commands() {
	local at
	shows "by the bare ioctl, the label commands take every offset and length in the area"
	blank card
	load
	attach card
	run "labelcmd size /dev/nmem0"
	is "size" "status 0 size $area max_xfer 4096" "$OUT"
	# libnvdimm refuses writes while a region uses the labels
	fails "set: EBUSY" "labelcmd set /dev/nmem0 0 16"
	run "ndctl disable-region $(region_of card)"
	for at in "0 1" "1 7" "131071 1" "4096 65536" "0 $area"; do
		run "labelcmd set /dev/nmem0 $at"
		is "set $at" "status 0" "$OUT"
		run "labelcmd get /dev/nmem0 $at"
		like "get $at" "status 0 data 5a" "$OUT"
	done
	is "the area, from outside" "$(head -c $area /dev/zero | tr '\0' Z | sha256sum)" "$(label_area card)"
	is "the byte before the area" 00 "$(tail -c $((area + 1)) "$DIR/card.bar" | od -An -tx1 -N1 | tr -d ' ')"
}

test_one_command() {
	shows "a write changes the bytes it names and no others"
	blank card
	load
	attach card
	run "ndctl disable-region $(region_of card)"
	run "labelcmd set /dev/nmem0 1000 3"
	is "bytes 998 to 1004 of the area" "00 00 5a 5a 5a 00 00" \
		"$(tail -c $((area - 998)) "$DIR/card.bar" | od -An -tx1 -N7 | sed 's/^ //')"
	is "bytes that are not 0 in the area" 3 "$(tail -c $area "$DIR/card.bar" | tr -d '\0' | wc -c)"
	is "bytes that are not 0 before it" 0 "$(head -c -$area "$DIR/card.bar" | tr -d '\0' | wc -c)"
}

test_wrong_ranges() {
	local at before
	shows "offsets and lengths outside the area are refused, and nothing is read or written"
	blank card
	load
	attach card
	run "ndctl disable-region $(region_of card)"
	before=$(label_area card)
	for at in "131072 1" "131071 2" "0 131073" "1 131072" "4294967295 1" \
		"4294967288 16" "2147483648 4096" \
		"131072 0x3ff000"; do
		fails "get: EINVAL" "labelcmd get /dev/nmem0 $at"
		fails "set: EINVAL" "labelcmd set /dev/nmem0 $at"
	done
	# libnvdimm takes this length for 0, and refuses it with errors of its own
	fails "get: EFAULT" "labelcmd get /dev/nmem0 0 4294967295"
	fails "set: ENXIO" "labelcmd set /dev/nmem0 0 4294967295"
	is "the area is as before" "$before" "$(label_area card)"
	fails "other: ENOTTY" "labelcmd other /dev/nmem0 9"
	fails "other: E(NOTTY|INVAL)" "labelcmd other /dev/ndctl0 1"
	fails "Permission denied" "setpriv --reuid 65534 --clear-groups labelcmd size /dev/nmem0"
}

test_ndctl() {
	shows "ndctl reads, zeroes, writes, checks and initialises labels"
	blank card
	load
	attach card
	create card fsdax -s 64M --map=mem
	run "ndctl disable-region all; ndctl read-labels nmem0 -o /tmp/labels && stat -c %s /tmp/labels"
	like "read" "^$area$" "$OUT"
	is "as in the BAR's file" "$(label_area card)" "$(guest "sha256sum </tmp/labels")"
	run "ndctl zero-labels nmem0"
	is "zeroed" 0 "$(tail -c $area "$DIR/card.bar" | tr -d '\0' | wc -c)"
	run "ndctl write-labels nmem0 -i /tmp/labels && ndctl check-labels nmem0"
	is "written back, as before" "$(guest "sha256sum </tmp/labels")" "$(label_area card)"
	run "ndctl enable-region all; ndctl list -N"
	is "the namespace is back" fsdax "$(field mode)"
	run "ndctl disable-region all; ndctl init-labels -f nmem0; ndctl enable-region all; ndctl list -N"
	unlike "after init-labels -f" uuid "$OUT"
}

test_exclusive() {
	local map at
	shows "user space cannot map the label area through /dev/mem, nor a BAR in use through sysfs, and older mappings end"
	blank pair0
	map=/sys/bus/pci/devices/${F[pair0]}/resource2
	run "sed -n '3s/ .*//p' /sys/bus/pci/devices/${F[pair0]}/resource"
	at=$(printf '%#x' $((OUT + (64 << 20) - area)))
	load
	run "busybox devmem $at"
	is "/dev/mem, before binding" 0x00000000 "$OUT"
	hold "$map@$(((64 << 20) - area))" 4K
	saw "sysfs, before binding: mapped by $PID"
	attach pair0
	ended
	is "its process, after binding, ended with SIGBUS" 135 "$OUT"
	fails "mmap: Operation not permitted" "busybox devmem $at"
	detach pair0
	attach pair0
	create pair0 raw -s 16M
	fails "mmap: Invalid argument" "mapcp out $map 4K"
}

test_memory_off() {
	shows "once memory decoding is off, the first label command fails with EIO, whether it reads or writes, and the function counts as lost"
	blank pair0 pair1
	load
	attach pair0
	run "ndctl disable-region $(region_of pair0); setpci -s ${F[pair0]} COMMAND=0:2"
	fails "get: EIO" "labelcmd get /dev/nmem0 0 16"
	logged "iopmem ${F[pair0]}: does not answer as it did: reads and flushes fail from here on"
	detach pair0
	attach pair1
	run "ndctl disable-region $(region_of pair1); setpci -s ${F[pair1]} COMMAND=0:2"
	fails "set: EIO" "labelcmd set /dev/nmem0 0 16"
	logged "iopmem ${F[pair1]}: does not answer as it did: reads and flushes fail from here on"
}

test_beside_flushes() {
	local region
	shows "10,000 label commands change the area's first bytes beside 10,000 flushes: no command and no flush fails, and the function does not count as lost"
	blank pair0
	load
	attach pair0
	region=$(region_of pair0)
	run "ndctl disable-region $region"
	run "labelcmd beside /dev/nmem0 /sys/bus/nd/devices/$region/deep_flush 10000"
	like "label commands" "label commands: 0 failed" "$OUT"
	like "flushes" "deep_flush: 0 failed" "$OUT"
	unlike "kernel log" "fail from here on" "$(case_log)"
	run "ndctl init-labels -f nmem0 && ndctl enable-region $region"
	create pair0 raw -s 16M
	run "dd if=/dev/zero of=$NODE bs=4K count=1 conv=fsync status=none"
}

test_lost_meanwhile() {
	local i region at=$(((64 << 20) - (128 << 10)))
	shows "if the area's first word changes while a label command writes elsewhere, that command or the next one fails, whatever the moment"
	blank pair0
	load
	attach pair0
	region=$(region_of pair0)
	run "ndctl disable-region $region && ndctl init-labels -f nmem0"
	for i in {1..8}; do
		launch "exec labelcmd until /dev/nmem0 8192 122880" 'grep -q filling $said'
		printf word | dd of="$DIR/pair0.bar" bs=4 seek=$((at / 4)) conv=notrunc status=none
		ended
		run "tail -n 1 $SAID"
		is "it ends with, $i" EIO "$OUT"
		detach pair0
		printf NAME | dd of="$DIR/pair0.bar" bs=4 seek=$((at / 4)) conv=notrunc status=none
		attach pair0
		run "ndctl disable-region $(region_of pair0)"
	done
}
