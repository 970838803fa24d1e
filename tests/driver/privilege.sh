# SPDX-License-Identifier: GPL-2.0-only
# Who may do what. The cases check the claims of
# Documentation/driver-api/nvdimm/iopmem-threat-model.rst
# shellcheck shell=bash
runs_in base

user="setpriv --reuid=65534 --regid=65534 --clear-groups"
lockdown=/sys/kernel/security/lockdown

# nodes NAME: bind the function, and make a namespace for each kind of node
nodes() {
	blank "$1"
	load
	attach "$1"
	create "$1" fsdax -s 16M
	DISK=$NODE
	create "$1" devdax -s 16M
	DAX=$NODE
	AT=/sys/bus/pci/devices/${F[$1]}
}

# bar_address NAME [OFFSET]: set ADDRESS to the CPU's address of the BAR
bar_address() {
	run "read -r start _ < <(sed -n 3p /sys/bus/pci/devices/${F[$1]}/resource); printf '%#x\n' \$((start + ${2:-0}))"
	ADDRESS=$OUT
}

# table: print the document's table of files, as "mode owner:group path"
table() {
	sed -n '/^\.\. the files/,/^\.\. their end/s/^ *\([0-7]\{3\}\) \+\([a-z]*:[a-z]*\) \+\(\/.*\)/\1 \2 \3/p' \
		"$top/Documentation/driver-api/nvdimm/iopmem-threat-model.rst"
}

test_modes() {
	local want line
	shows "the files that lead to a BAR have the modes that the document says, and a user reads and writes only what these allow"
	nodes cut
	want=$(table | sed "s/FUNCTION/${F[cut]}/")
	[ "$(wc -l <<<"$want")" -ge 15 ] || bad "files in the document's table" "15 at least" "$want"
	cut -d' ' -f3 <<<"$want" >"$VM/share/files"
	run "while read -r f; do
			stat -c '%a %U:%G %n' \$f
			$user sh -c \"cat \$f\" 2>&1 >/dev/null | sed 's/.*: //; s,^,reads ,'
			$user sh -c \": >>\$f\" 2>&1 | sed 's/.*: //; s,^,writes ,'
		done </host/files"
	# the user may not read what only root may read, and may write nothing
	diff <(while read -r line; do
		echo "$line"
		[[ $line = ??0* ]] && echo "reads Permission denied"
		echo "writes Permission denied"
	done <<<"$want") - <<<"$OUT" >"$work/diff" || bad "the document's table" "what is there" "$(cat "$work/diff")"
	while read -r line; do
		saw "$line"
	done <<<"$want"
	saw "each tried as a user: $(grep -c ^reads <<<"$OUT") not read, $(grep -c ^writes <<<"$OUT") not written"
}

test_all_files() {
	local got
	shows "no file of the module, the driver and the nd bus has more permissions than the document's table says"
	nodes cut
	run "cd /sys; find module/iopmem_bus/ bus/pci/drivers/iopmem/ bus/pci/devices/${F[cut]}/ndbus*/ -type f -perm /022"
	is "writable by others than root" "" "$OUT"
	run "find $AT/ndbus*/ -type f \\( -name resource -o -name bus_address \\) -perm /044"
	is "files with addresses that others than root can read" "" "$OUT"
	run "find $AT/ndbus*/ -type f \\( -name resource -o -name bus_address \\) | sed 's,.*/,,' | sort | uniq -c | xargs"
	like "files with addresses" "1 bus_address [2-9] resource" "$OUT"
	run "find /dev \\( -name 'pmem*' -o -name 'dax*' -o -name 'nmem*' -o -name 'ndctl*' \\) ! -type d ! -type l -perm /007"
	is "nodes open to all" "" "$OUT"
}

test_user() {
	local before
	shows "as a user, ndctl lists and changes nothing; /proc/iomem, pagemap and sysfs show him no addresses"
	nodes cut
	before=$(sha256sum <"$DIR/cut.bar")
	run "$user ndctl list -BDRN"
	is "namespaces listed" 2 "$(grep -c '"uuid"' <<<"$OUT")"
	unlike "with addresses" '"resource"' "$OUT"
	fails "Permission denied" "$user ndctl create-namespace -r $(region_of cut) -m raw -s 16M"
	fails "^destroyed 0 namespaces" "$user ndctl destroy-namespace -f all"
	run "$user ndctl disable-region all"
	is "disable-region" "disabled 0 regions" "$OUT"
	fails "failed to open /dev/nmem0: Permission denied" "$user ndctl read-labels nmem0"
	fails "Permission denied" "$user sh -c 'echo ${F[cut]} >/sys/bus/pci/drivers/iopmem/unbind'"
	run "$user sh -c 'cat /proc/iomem' | grep 'iopmem labels'"
	like "/proc/iomem" "^ *00000000-00000000 : iopmem labels" "$OUT"
	run "ndctl list -N | grep -c '\"uuid\"'"
	is "namespaces" 2 "$OUT"
	[ "$(sha256sum <"$DIR/cut.bar")" = "$before" ] || bad "the BAR" "as it was" "changes"
	saw "the BAR: as it was"
	# disable the region, since while it uses the labels even root is refused
	run "ndctl disable-region all"
	fails "failed to open /dev/nmem0: Permission denied" "$user ndctl zero-labels nmem0"
	run "ndctl enable-region all && ndctl list -N | grep -c '\"uuid\"'"
	is "namespaces" 2 "$(tail -n 1 <<<"$OUT")"
}

test_user_file() {
	local at
	shows "a user with a file on a DAX file system can change its contents, and nothing outside the namespace; he does not see its pages' addresses"
	nodes cut
	new_text
	run "mkfs.ext4 -q -F -b 4096 $DISK && mount -o dax $DISK /mnt/a && dd if=/dev/zero of=/mnt/a/file bs=1M count=2 status=none && chown 65534 /mnt/a/file && sync /mnt/a/file
		ndctl-iopmem extents /mnt/a/file"
	at=$(field bar_offset)
	cp "$DIR/cut.bar" "$DIR/before"
	run "{ echo '$text'; head -c 2M /dev/zero; } | head -c 2M >/tmp/text; $user mapcp in /mnt/a/file 2M </tmp/text"
	is "his data is at the file's offset in the BAR" "$at" "$(found "$text" "$DIR/cut.bar")"
	launch "$user mapcp spin /mnt/a/file 4K" 'grep -q physical $said'
	run "cat $SAID"
	like "its address, in his pagemap" "physical 0x0\$" "$OUT"
	stop mapcp
	fails "Permission denied|not permitted|root" "$user ndctl-iopmem extents /mnt/a/file"
	run "umount /mnt/a"
	# compare from 16 MiB on, since the file system itself writes to the namespace
	cmp -i $((16 << 20)) "$DIR/before" "$DIR/cut.bar" || bad "the BAR outside this namespace" "as it was" "changes"
	saw "the BAR outside this namespace: as it was"
}

test_bus_master() {
	shows "the driver never switches bus mastering on, neither with binding and unbinding nor with namespaces, I/O, labels and flushes"
	blank cut
	load
	run "setpci -s ${F[cut]} COMMAND"
	is "command register before" 0 $((0x$OUT & 4))
	nodes cut
	run "mkfs.ext4 -q -F -b 4096 $DISK && mount -o dax $DISK /mnt/a && dd if=/dev/zero of=/mnt/a/file bs=1M count=1 conv=fsync status=none && umount /mnt/a
		setpci -s ${F[cut]} COMMAND; lspci -vv -s ${F[cut]}"
	is "in use, memory decoding" 2 $((0x$(head -n1 <<<"$OUT") & 2))
	is "in use, bus mastering" 0 $((0x$(head -n1 <<<"$OUT") & 4))
	like "lspci" "Control: .* Mem\+ BusMaster-" "$OUT"
	detach cut
	run "setpci -s ${F[cut]} COMMAND"
	is "unbound" 0 $((0x$OUT & 4))
	run "setpci -s ${F[cut]} COMMAND=4:4"
	attach cut
	detach cut
	run "setpci -s ${F[cut]} COMMAND"
	is "it was on, and unbinding has switched it off" 0 $((0x$OUT & 4))
}

test_root_mappings() {
	local data
	shows "through /dev/mem and resource2, root can reach neither the label area nor an enabled namespace, but the rest of the BAR"
	blank cut
	load
	attach cut
	bar_address cut $(((64 << 20) - 4096))
	fails "Operation not permitted|Bad address|Invalid argument" "busybox devmem $ADDRESS 32"
	bar_address cut 0
	data=$ADDRESS
	run "busybox devmem $data 32"
	saw "/dev/mem, no namespace there: $OUT"
	run "mapcp out /sys/bus/pci/devices/${F[cut]}/resource2 4K | wc -c"
	is "resource2, no namespace at the start" 4096 "$OUT"
	create cut raw -s 16M
	fails "Operation not permitted|Bad address|Invalid argument" "busybox devmem $data 32"
	fails "mmap: (Invalid argument|Operation not permitted)" "mapcp out /sys/bus/pci/devices/${F[cut]}/resource2 4K"
}

# The host changes the card's memory while the function is bound.
test_labels_change() {
	shows "labels that change on the card while it is bound are not read until it is bound again; a flush notices if they are gone"
	disks_fail
	blank cut
	load
	attach cut
	create cut raw -s 16M -n first
	dd if=/dev/zero of="$DIR/cut.bar" bs=128 seek=$(((64 << 20) / 128 - 1022)) count=32 conv=notrunc status=none
	run "ndctl list -N"
	is "labels zeroed, the index not: name" first "$(field name)"
	run "dd if=/dev/zero of=$NODE bs=4K count=1 conv=fsync status=none; ndctl destroy-namespace -f all"
	create cut raw -s 16M -n second
	dd if=/dev/zero of="$DIR/cut.bar" bs=128K seek=511 count=1 conv=notrunc status=none
	fails "fsync failed.*Input/output error" "dd if=/dev/zero of=$NODE bs=4K count=1 conv=fsync status=none"
	detach cut
	attach cut
	run "ndctl list -N"
	is "bound again, namespaces" "" "$OUT"
}

# locked MODE: check what is refused under this lockdown mode, and what still works
locked() {
	nodes cut
	run "mount -t securityfs none /sys/kernel/security 2>/dev/null; cat $lockdown"
	like "lockdown before" "\[none\]" "$OUT"
	bar_address large 0
	run "busybox devmem $ADDRESS 32; mapcp out /sys/bus/pci/devices/${F[large]}/resource2 4K | wc -c
		setpci -s ${F[large]} LATENCY_TIMER=0"
	saw "before: /dev/mem, resource2 and setpci work on a function that is not bound"
	run "echo $1 >$lockdown; cat $lockdown"
	like "lockdown" "\[$1\]" "$OUT"
	fails "Operation not permitted" "busybox devmem $ADDRESS 32"
	fails "Operation not permitted" "mapcp out /sys/bus/pci/devices/${F[large]}/resource2 4K"
	fails "not permitted|Permission denied" "setpci -s ${F[large]} LATENCY_TIMER=0; exit 1"
	fails "Operation not permitted|Key was rejected" "insmod /usr/local/bin/softbridge.ko"
	new_text
	run "mkfs.ext4 -q -F -b 4096 $DISK && mount -o dax $DISK /mnt/a && echo '$text' >/mnt/a/file && sync /mnt/a/file && umount /mnt/a"
	is "a bound function works: times in its BAR" 1 "$(in_bar cut "$text")"
	create cut raw -s 16M
	detach cut
	attach cut
	run "ndctl list -N | grep -c '\"uuid\"'"
	is "bound again, namespaces" 3 "$OUT"
	detach cut
	run "rmmod iopmem_bus"
	fails "Operation not permitted|Key was rejected" "modprobe iopmem_bus"
	used_up
}

test_lockdown_integrity() {
	shows "under lockdown=integrity, as with Secure Boot, /dev/mem, resource2, setpci and unsigned modules are refused, and a bound function goes on"
	locked integrity
}

runs_in base slow

test_lockdown_confidentiality() {
	shows "the same under lockdown=confidentiality"
	locked confidentiality
}
