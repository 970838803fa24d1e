# SPDX-License-Identifier: GPL-2.0-only
# A flush reaches the card, or fails
# shellcheck shell=bash
runs_in base

# cut_power NAME: cut the power of the function's slot, so that the kernel does not notice.
# This sets Power Controller Control and Power Indicator Control in Slot Control (PCIe base
# specification 7.5.3.10) to off.
cut_power() {
	local port
	port=$(port_of "$1")
	run "for d in /sys/bus/pci_express/drivers/pciehp/$port:*; do
			echo \${d##*/} >/sys/bus/pci_express/drivers/pciehp/unbind
		done
		setpci -s $port CAP_EXP+18.w=0700:0700
		setpci -s ${F[$1]} VENDOR_ID.w 2>/dev/null || echo gone"
	like "the function's vendor id" "ffff|gone" "$OUT"
}

test_gone() {
	local raw
	shows "once the function is gone, fsync and label commands fail with EIO, and unbinding still works"
	disks_fail
	blank cut
	load
	attach cut
	create cut raw -s 16M
	raw=$NODE
	create cut fsdax -s 32M
	# Without a journal. It would commit by itself after some seconds, that would fail,
	# and stores would then end in SIGBUS before any fsync.
	run "mkfs.ext4 -q -F -b 4096 -O ^has_journal $NODE && mount -o dax $NODE /mnt/a && fallocate -l 64K /mnt/a/file && sync"
	run "dd if=/dev/zero of=$raw bs=4K count=1 conv=fsync status=none && echo fsync: 0"
	is "before" "fsync: 0" "$OUT"
	run "rm -f /tmp/go; mkfifo /tmp/go"
	# the fifo is open for writing too, so that reading it does not end
	launch "mapcp dirty /mnt/a/file 64K <>/tmp/go" 'grep -q mapped $said'
	cut_power cut
	fails "fsync failed.*Input/output error" "dd if=/dev/zero of=$raw bs=4K count=1 conv=fsync status=none"
	run "echo >/tmp/go"
	ended
	# shellcheck disable=SC2153 # launch sets it
	run "cat $SAID"
	like "fsync of the mapped file" "fsync: Input/output error" "$OUT"
	run "umount /mnt/a; ndctl disable-region $(region_of cut)"
	fails "get: EIO" "labelcmd get /dev/nmem0 0 16"
	fails "set: EIO" "labelcmd set /dev/nmem0 0 16"
	detach cut
	run "ls /sys/bus/nd/devices | grep -c . || true"
	is "nvdimm devices left" 0 "$OUT"
	run "echo 1 >/sys/bus/pci/devices/${F[cut]}/remove"
	used_up
}

runs_in bars

# accesses COMMAND: run it in the guest, while QEMU traces each access to the CMB, which is
# BAR 2. $work/accesses gets a line for each: "data" or "labels", "read" or "write", and the
# number of bytes. OUT is the command's output.
accesses() {
	local start end seen what at bytes part said
	run "udevadm settle; read -r start end _ < <(sed -n 3p /sys/bus/pci/devices/${F[two_bars]}/resource); echo \$((start)) \$((end))"
	read -r start end <<<"$OUT"
	seen=$(wc -l <"$VM/qemu.log")
	hmp "trace-event memory_region_ops_read on" >/dev/null
	hmp "trace-event memory_region_ops_write on" >/dev/null
	run "$1"
	hmp "trace-event memory_region_ops_write off" >/dev/null
	hmp "trace-event memory_region_ops_read off" >/dev/null
	tail -n +$((seen + 1)) "$VM/qemu.log" |
		sed -n "s/.*_\(read\|write\) .* addr \(0x[0-9a-f]*\) .* size \([0-9]*\) name 'nvme-cmb'.*/\1 \2 \3/p" |
		while read -r what at bytes; do
			[ $((at < end + 1 - 131072)) = 1 ] && part=data || part=labels
			echo "$part $what $bytes"
		done >"$work/accesses"
}

# traced COMMAND: run it, and set OUT to the order of "stores" to the data and "reads" from
# the label area
traced() {
	accesses "$1"
	OUT=$(sed -n 's/^data write .*/stores/p; s/^labels read .*/reads/p' "$work/accesses" | uniq | xargs)
}

test_few_reads() {
	shows "binding reads 32 words of the data, and at most 4 KiB of a blank label area; fsync reads one word of it"
	load bars=2
	run "echo iopmem >/sys/bus/pci/devices/${F[two_bars]}/driver_override"
	accesses "cd /sys/bus/pci/devices/${F[two_bars]} && { [ ! -e driver ] || echo ${F[two_bars]} >driver/unbind; }
		echo ${F[two_bars]} >/sys/bus/pci/drivers/iopmem/bind && cat ndbus*/wait_probe >/dev/null && udevadm settle"
	is "binding, accesses to the data" "32 data read 8" "$(grep data "$work/accesses" | sort | uniq -c | sed 's/^ *//')"
	is "writes to the label area" "" "$(grep 'labels write' "$work/accesses")"
	is "more than 4 KiB and some words read from the label area" "" \
		"$(awk '/labels read/ { bytes += $3 } END { if (bytes > 4096 + 512) print bytes }' "$work/accesses")"
	create two_bars raw -s 16M
	accesses "dd if=/dev/zero of=$NODE bs=4K count=1 oflag=direct conv=fsync status=none"
	is "fsync, reads" "labels read 4" "$(grep 'labels' "$work/accesses")"
	run "ndctl destroy-namespace -f all"
}

test_read_back() {
	shows "by QEMU's trace, fsync makes the driver read from the BAR after the last store, and without fsync nothing is read"
	load bars=2
	attach two_bars
	create two_bars raw -s 16M
	traced "dd if=/dev/zero of=$NODE bs=4K count=2 oflag=direct status=none"
	is "O_DIRECT writes" "stores" "$OUT"
	traced "dd if=/dev/zero of=$NODE bs=4K count=2 oflag=direct conv=fsync status=none"
	is "with fsync" "stores reads" "$OUT"
	traced "sync -d $NODE"
	is "fsync with nothing to store" "reads" "$OUT"
	run "ndctl destroy-namespace -f all"
}
