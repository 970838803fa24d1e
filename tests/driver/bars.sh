# SPDX-License-Identifier: GPL-2.0-only
# Which BARs of a function become regions
# shellcheck shell=bash

# with_regions NAME: set OUT to "BAR:size" of each region of the function
with_regions() {
	run "cd /sys/bus/pci/devices/${F[$1]} && for r in ndbus*/region*; do echo \$(cat \$r/iopmem/bar):\$(cat \$r/size); done | sort | tr '\n' ' '"
}

runs_in bars

test_two() {
	shows "a function with two prefetchable BARs gives two regions on one bus; bars= chooses"
	load
	attach two_bars
	logged "iopmem ${F[two_bars]}: regions: 2, 80 MiB in all, see"
	with_regions two_bars
	is "BARs and sizes" "2:$(((64 << 20) - 131072)) 4:$(((16 << 20) - 131072)) " "$OUT"
	run "ndctl list -B | grep -c provider"
	is "buses" 1 "$OUT"
	run "sort -u /sys/bus/pci/devices/${F[two_bars]}/ndbus*/region*/set_cookie | wc -l"
	is "different cookies" 2 "$OUT"
	detach two_bars
	run "rmmod iopmem_bus"
	load bars=0-1,4
	attach two_bars
	with_regions two_bars
	is "with bars=0-1,4" "4:$(((16 << 20) - 131072)) " "$OUT"
	logged "iopmem ${F[two_bars]}: BAR 2 .*: not in bars=, skipped"
}

test_bars_nonsense() {
	local junk
	shows "nonsense in bars= is named in the log, and the module does not load"
	for junk in 6 two -1 2-9 0x4; do
		fails "could not insert" "modprobe iopmem_bus bars=$junk"
		logged "iopmem_bus: bars=: \"$junk\" is not a list of BARs, 0 to 5"
	done
}

test_32bit() {
	shows "a 32-bit prefetchable BAR is used like a 64-bit one"
	load
	attach display
	with_regions display
	is "BAR and size" "0:$((64 * 1024 * 1024 - 131072)) " "$OUT"
	create display raw -s 16M
	new_text
	run "echo '$text' | dd of=$NODE bs=4096 conv=sync,fsync oflag=direct status=none; head -n1 $NODE"
	is "read back" "$text" "$OUT"
}

# pmr on|off: switch NVMe's Persistent Memory Region on or off by PMRCTL.EN. It is BAR 4
# of two_bars.
pmr() {
	local enable=0
	[ "$1" = on ] && enable=1
	run "read -r start _ </sys/bus/pci/devices/${F[two_bars]}/resource
		setpci -s ${F[two_bars]} COMMAND=2:2
		busybox devmem \$((start + 0xe04)) 32 $enable"
}

test_pmr() {
	shows "a BAR that is switched on by a register (NVMe's PMR) holds labels and data"
	new_text
	blank pmr
	load bars=4
	pmr on
	attach two_bars
	create two_bars raw
	run "echo '$text' | dd of=$NODE bs=4096 conv=sync,fsync oflag=direct status=none"
	is "its offset in the PMR's file" 0 "$(found "$text" "$DIR/pmr.bar")"
	is "index blocks in it" 2 "$(in_bar pmr NAMESPACE_INDEX)"
	detach two_bars
	attach two_bars
	run "ndctl list -N | grep -c '\"uuid\"'"
	is "namespaces after binding again" 1 "$OUT"
	pmr off
}

test_two_labelled() {
	local dimm
	shows "each of a function's two BARs has the labels of its own namespace"
	blank pmr
	pmr on
	load bars=2,4
	attach two_bars
	# a namespace on BAR 4's region, and the name of its dimm
	run "cd /sys/bus/pci/devices/${F[two_bars]}/ndbus*; region=\$(dirname \$(dirname \$(grep -l 4 region*/iopmem/bar)))
		ndctl create-namespace -r \$region -m raw -n fourth >/dev/null && cut -d, -f1 \$region/mapping0"
	dimm=$OUT
	is "index blocks in the file of BAR 4" 2 "$(in_bar pmr NAMESPACE_INDEX)"
	run "cd /sys/bus/pci/devices/${F[two_bars]}/ndbus*; for d in nmem*; do [ \$d = $dimm ] || ndctl read-labels \$d 2>/dev/null; done | grep -ac NAMESPACE_INDEX || true"
	is "the other BAR's labels: index blocks" 0 "$OUT"
	detach two_bars
	pmr off
}

test_pmr_off() {
	shows "while the PMR is off, QEMU drops writes and reads give zeros: creating a namespace fails and says why"
	load bars=4
	pmr off
	attach two_bars
	fails "Input/output error" "ndctl create-namespace -r $(region_of two_bars) -m raw"
	logged "iopmem ${F[two_bars]}: BAR 4: does not keep what is written to it, switch its memory on"
	run "ndctl list -N"
	is "namespaces" "" "$OUT"
}

test_pmr_off_forgotten() {
	shows "if a label disappears between two looks at it, the command fails, and other bytes of the card are not taken for the label"
	load bars=4
	pmr off
	attach two_bars
	run "ndctl disable-region $(region_of two_bars)"
	# The PMR drops the label. memcmp() returns 0 once, so the first look finds it all
	# the same.
	run "insmod /usr/local/bin/failcall.ko func=memcmp
		echo 'memcmp 0 1 [iopmem_bus]' >/sys/module/failcall/parameters/fail"
	fails "set: EIO" "labelcmd set /dev/nmem0 0 16"
	run "cat /sys/module/failcall/parameters/hits; rmmod failcall"
	is "looks that found the label" 1 "$OUT"
	logged "iopmem ${F[two_bars]}: does not answer as it did"
}

test_pmr_off_in_use() {
	shows "once the PMR is switched off below a namespace, fsync fails"
	may_log '^Buffer I/O error on dev pmem[0-9.]*s?, logical block'	# udev's
	blank pmr
	load bars=4
	pmr on
	attach two_bars
	create two_bars raw
	run "dd if=/dev/zero of=$NODE bs=4K count=1 conv=fsync status=none"
	pmr off
	fails "fsync failed.*Input/output error" "dd if=/dev/zero of=$NODE bs=4K count=1 conv=fsync status=none"
}

# cmb VALUE: fill the words that binding looks at with VALUE, in the CMB, which is BAR 2 of
# two_bars
cmb() {
	run "read -r start end _ < <(sed -n 3p /sys/bus/pci/devices/${F[two_bars]}/resource)
		setpci -s ${F[two_bars]} COMMAND=2:2
		for at in 0 512 1024 4096 \$((end + 1 - start - 131072)); do
			for ((i = 0; i < 64; i += 8)); do
				busybox devmem \$((start + at + i)) 64 $1 || exit
			done
		done"
}

test_one_of_ones() {
	shows "if one BAR of a function reads as all ones and another does not, the other is used"
	blank pmr
	pmr on
	cmb 0xffffffffffffffff
	load
	attach two_bars
	with_regions two_bars
	is "BAR and size" "4:$(((16 << 20) - 131072)) " "$OUT"
	logged "iopmem ${F[two_bars]}: BAR 2 .*: answers all ones, switch its memory on, skipped"
	detach two_bars
	cmb 0
	pmr off
}

runs_in base

test_all_ones() {
	shows "a BAR that reads as all ones is named and skipped"
	tr '\0' '\377' </dev/zero | dd of="$DIR/pair0.bar" bs=64M count=1 iflag=fullblock conv=notrunc status=none
	load
	run "echo iopmem >/sys/bus/pci/devices/${F[pair0]}/driver_override"
	fails "No such device" "echo ${F[pair0]} >/sys/bus/pci/drivers/iopmem/bind"
	logged "iopmem ${F[pair0]}: BAR 2 .*: answers all ones, switch its memory on, skipped"
	blank pair0
	attach pair0
	with_regions pair0
	is "with zeros in it" "2:$(((64 << 20) - 131072)) " "$OUT"
}

# ones SEEK COUNT: write ones into pair0's BAR. Both numbers are in units of 128 KiB.
ones() {
	tr '\0' '\377' </dev/zero | dd of="$DIR/pair0.bar" bs=128K seek="$1" count="$2" iflag=fullblock conv=notrunc status=none
}

test_ones_at_one_end() {
	local at
	shows "a BAR that has ones only at one end is used, with its labels if it has any"
	blank pair0
	ones 511 1
	load
	attach pair0
	with_regions pair0
	is "ones in the label area" "2:$(((64 << 20) - 131072)) " "$OUT"
	unlike "kernel log" "skipped|label-less|not blank" "$(case_log | grep "${F[pair0]}: BAR 2")"
	create pair0 raw -s 16M -n kept
	run "dd if=/dev/zero of=$NODE bs=4K count=1 conv=fsync status=none"
	detach pair0
	ones 0 1
	attach pair0
	with_regions pair0
	is "ones at the start" "2:$(((64 << 20) - 131072)) " "$OUT"
	run "ndctl list -N"
	is "its namespace" kept "$(field name)"
	detach pair0
	blank pair0
	printf '\377' | dd of="$DIR/pair0.bar" conv=notrunc status=none
	printf '\377' | dd of="$DIR/pair0.bar" bs=128K seek=511 conv=notrunc status=none
	attach pair0
	with_regions pair0
	is "a byte of ones at either end" "2:$(((64 << 20) - 131072)) " "$OUT"
	detach pair0
	for at in 0 511; do
		blank pair0
		ones $at 1
		printf '\377' | dd of="$DIR/pair0.bar" bs=128K seek=$((511 - at)) conv=notrunc status=none
		attach pair0
		with_regions pair0
		is "ones at one end, a byte of them at the other" "2:$(((64 << 20) - 131072)) " "$OUT"
		detach pair0
	done
	blank pair0
	ones 0 1
	attach pair0
	with_regions pair0
	is "ones at the start, no labels" "2:$(((64 << 20) - 131072)) " "$OUT"
	logged "iopmem ${F[pair0]}: BAR 2: has no labels but is not blank"
}

test_high() {
	shows "a BAR of 8 GiB above RAM and above 4 GiB keeps data that is 5 GiB from its start"
	load
	attach large
	run "read -r start _ < <(sed -n 3p /sys/bus/pci/devices/${F[large]}/resource); echo \$((start >> 30))"
	like "it starts at GiB" "^[0-9]{1,}$" "$OUT"
	[ "$OUT" -ge 4 ] || bad "start" "above 4 GiB" "$OUT GiB"
	create large raw -s 6G
	new_text
	run "echo '$text' | dd of=$NODE bs=4096 seek=$((5 << 18)) conv=sync,fsync oflag=direct status=none"
	is "in the BAR's file, 5 GiB from its start" "$text" \
		"$(dd if="$DIR/large.bar" bs=4096 skip=$((5 << 18)) count=1 status=none | head -n 1)"
	run "ndctl destroy-namespace -f all"
}

runs_in bare

test_cacheable() {
	shows "without a hypervisor, a BAR that the MTRRs make write-back is refused unless the card is in cached="
	load
	run "echo iopmem >/sys/bus/pci/devices/${F[card]}/driver_override"
	fails "No such device" "echo ${F[card]} >/sys/bus/pci/drivers/iopmem/bind"
	logged "iopmem ${F[card]}: BAR 2 .*: write-back by the firmware's MTRRs, name the card in cached= if it is RAM"
	run "rmmod iopmem_bus"
	load cached=1af4:1110
	attach card
	with_regions card
	like "in cached=" "2:536739840" "$OUT"
}

runs_in many

test_many() {
	local n
	shows "1, 8 and 32 functions are bound at once, probed in parallel, and unbound again"
	for n in 1 8 32; do
		load
		run "cd /sys/bus/pci/devices; i=0; for d in \$(grep -l 0x1af4 */vendor); do
				d=\${d%/*}; [ \$(cat \$d/device) = 0x1110 ] || continue
				[ \$((i++)) -lt $n ] && echo iopmem >\$d/driver_override && (echo \$d >/sys/bus/pci/drivers/iopmem/bind &)
			done
			await 60 '[ \$(ls -d /sys/bus/pci/drivers/iopmem/0000:* | wc -l) = $n ]'"
		settle
		run "ndctl list -R | grep -c '\"dev\":\"region'"
		is "regions of $n functions" "$n" "$OUT"
		run "cd /sys/bus/pci/drivers/iopmem && for f in 0000:*; do (echo \$f >unbind &) done
			await 60 '! ls -d 0000:* >/dev/null 2>&1'; ls /sys/bus/nd/devices | grep -c . || true"
		is "nvdimm devices left" 0 "$OUT"
		run "rmmod iopmem_bus"
	done
}
