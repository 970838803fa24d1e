# SPDX-License-Identifier: GPL-2.0-only
# Each field that a subcommand prints, compared with another source: sysfs, ndctl, the
# registers, the kernel's log. A field that is not compared fails the case.
# shellcheck shell=bash
runs_in base

# json COMMAND: set JSON to the command's output, and begin to count compared fields
json() {
	run "$1"
	JSON=$OUT
	: >"$work/compared"
}

# value EXPRESSION: evaluate a jq expression on JSON
value() {
	jq -r "$1" <<<"$JSON"
}

# field_is EXPRESSION WANT: compare the field, and count it as compared
field_is() {
	is "$1" "$2" "$(value "$1" | paste -sd ' ')"
	jq -r "path($1) | map(strings) | join(\".\")" <<<"$JSON" >>"$work/compared" ||
		bad "jq path($1)" "to succeed" "an error"
}

# same_as EXPRESSION COMMAND: compare the field with the output of a command in the guest
same_as() {
	run "$2"
	field_is "$1" "$OUT"
}

every_field() {
	is "fields compared" \
		"$(value 'paths(type != "object" and type != "array") | map(strings) | join(".")' | sort -u | paste -sd ' ')" \
		"$(sort -u "$work/compared" | paste -sd ' ')"
}

# by_ndctl EXPRESSION: evaluate a jq expression on ndctl's list of the region's namespaces.
# It needs -i to show the "state" of a disabled one.
by_ndctl() {
	jq -r "[.. | objects | select(.dev? // \"\" | startswith(\"namespace\"))] | $1" <<<"$NDCTL"
}

three_namespaces() {
	blank card
	load
	attach card
	create card fsdax -s 64M -n first
	create card devdax -s 64M
	create card raw -s 16M
	REGION=$(region_of card)
}

ask_ndctl() {
	run "ndctl list -NDRiv -r $REGION"
	NDCTL=$OUT
}

# names EXPRESSION ADDRESS: compare the function's names with those of lspci
names() {
	same_as "$1.vendor_name" "lspci -vmm -s $2 | sed -n 's/^Vendor:\t//p'"
	same_as "$1.device_name" "lspci -vmm -s $2 | sed -n 's/^Device:\t//p'"
}

# namespaces EXPRESSION [KEY...]: compare each field of that array of namespaces, and the
# given keys, too
namespaces() {
	local i key want
	ask_ndctl
	for i in 0 1 2; do
		for key in dev mode map size uuid sector_size align blockdev name state "${@:2}"; do
			want=$(by_ndctl "sort_by(.dev)[$i].$key // empty")
			[ -z "$want" ] || field_is "$1[$i].$key" "$want"
		done
	done
	field_is "$1[1].chardev" "$(by_ndctl 'sort_by(.dev)[1] | .. | .chardev? // empty' | sort -u)"
}

test_list() {
	local dev f b
	shows "list: each field of a function, a BAR, a region and a namespace"
	three_namespaces
	run "ndctl disable-namespace namespace${REGION#region}.2"
	json "ndctl-iopmem list -v ${F[card]} ${F[drive]} ${F[tiny]}"
	dev=/sys/bus/pci/devices/${F[card]}
	f=".[] | select(.function == \"${F[card]}\")"
	field_is "$f.function" "${F[card]}"
	same_as "$f.id" "cd $dev; echo \$(cut -c3- vendor):\$(cut -c3- device)"
	same_as "$f.class" "cat $dev/class"
	names "$f" "${F[card]}"
	same_as "$f.host_bridge" "readlink $dev | cut -d/ -f5"
	same_as "$f.parent" "basename \$(dirname \$(readlink $dev))"
	same_as "$f.driver" "basename \$(readlink $dev/driver)"
	field_is "$f.persistent" false
	field_is "$f.state" bound
	same_as "$f.bus" "basename $dev/ndbus*"
	run "ls $dev/iommu_group $dev/max_link_speed 2>&1 | grep -c 'No such file'"
	is "files of iommu_group and link that are missing" 2 "$OUT"
	# in sysfs -1 stands for unknown
	same_as "$f.numa_node" "sed s/^-1\$/null/ $dev/numa_node"
	field_is "$f.iommu_group" null
	field_is "$f.link" null
	field_is ".[] | select(.function == \"${F[tiny]}\").state" ineligible

	dev=/sys/bus/pci/devices/${F[drive]}
	f=".[] | select(.function == \"${F[drive]}\")"
	same_as "$f.link.speed" "sed 's/ PCIe//' $dev/current_link_speed"
	same_as "$f.link.width" "cat $dev/current_link_width"
	same_as "$f.link.max_speed" "sed 's/ PCIe//' $dev/max_link_speed"
	same_as "$f.link.max_width" "cat $dev/max_link_width"

	dev=/sys/bus/pci/devices/${F[card]}
	b=".[] | select(.function == \"${F[card]}\").bars[]"
	field_is "$b.bar" "0 2"
	field_is "$b.state" "skipped region"
	b=".[] | select(.function == \"${F[card]}\").bars[0]"
	logged "iopmem ${F[card]}: BAR 0 .*: $(value "$b.reason"), skipped"
	field_is "$b.reason" "$(case_log | tr -d '\r' | sed -n "s/.*iopmem ${F[card]}: BAR 0 .*\\]: \\(.*\\), skipped/\\1/p" | tail -n 1)"
	b=".[] | select(.function == \"${F[card]}\").bars[1]"
	run "sed -n 3p $dev/resource"
	read -r start end flags <<<"$OUT"
	field_is "$b.size" $((end - start + 1))
	field_is "$b.resource" $((start))
	field_is "$b.prefetchable" "$([ $((flags & 0x2000)) = 0 ] && echo false || echo true)"
	field_is "$b.\"64bit\"" "$([ $((flags & 0x100000)) = 0 ] && echo false || echo true)"
	# the BAR has 64 bits, in two registers
	same_as "$b.bus_address" "echo \$((0x\$(setpci -s ${F[card]} BASE_ADDRESS_3)\$(setpci -s ${F[card]} BASE_ADDRESS_2) & ~0xf))"
	OUT=null	# only x86 has the list
	[ "$ARCH" != amd64 ] ||
		run "sed -n 's/^PAT: \\[mem 0x0*$(printf %x $((start)))-0x0*$(printf %x $((end + 1)))\\] //p' /sys/kernel/debug/x86/pat_memtype_list"
	field_is "$b.memory_type" "$OUT"
	field_is "$b.region" "$REGION"
	dev=/sys/bus/nd/devices/$REGION
	same_as "$b.region_size" "cat $dev/size"
	same_as "$b.available_size" "cat $dev/available_size"
	same_as "$b.align" "printf '%d\n' \$(cat $dev/align)"
	same_as "$b.dimm" "sed 's/,.*//' $dev/mapping0"
	run "ndctl read-labels ${OUT} 2>/dev/null | head -c 15"
	is "the label area begins with" NAMESPACE_INDEX "$OUT"
	field_is "$b.labels" labelled
	namespaces "$b.namespaces" raw_uuid numa_node
	field_is "$b.namespaces[2].state" disabled
	same_as "$b.namespaces[0].resource" "printf '%d\n' \$(cat $dev/namespace${REGION#region}.0/resource)"
	every_field
}

test_bind() {
	local f
	shows "bind and unbind: each field, with a region that has namespaces already"
	three_namespaces
	json "ndctl-iopmem unbind ${F[card]}"
	field_is ".[].function" "${F[card]}"
	field_is ".[].action" unbound
	field_is ".[].previous_driver" iopmem
	same_as ".[].driver" "readlink /sys/bus/pci/devices/${F[card]}/driver || echo null"
	same_as ".[].persistent" "ls /etc/udev/rules.d/60-iopmem-bind.rules 2>/dev/null || echo false"
	every_field

	json "ndctl-iopmem bind ${F[card]}"
	f=".[].regions[0]"
	field_is ".[].function" "${F[card]}"
	field_is ".[].action" bound
	field_is ".[].previous_driver" null
	same_as ".[].driver" "basename \$(readlink /sys/bus/pci/devices/${F[card]}/driver)"
	same_as ".[].persistent" "ls /etc/udev/rules.d/60-iopmem-bind.rules 2>/dev/null || echo false"
	REGION=$(region_of card)
	field_is "$f.region" "$REGION"
	same_as "$f.bar" "cat /sys/bus/nd/devices/$REGION/iopmem/bar"
	same_as "$f.region_size" "cat /sys/bus/nd/devices/$REGION/size"
	same_as "$f.available_size" "cat /sys/bus/nd/devices/$REGION/available_size"
	namespaces "$f.namespaces"
	every_field
}

test_extents() {
	local place start
	shows "extents: each field, compared with filefrag, the region and the BAR's file"
	blank card
	load
	attach card
	create card fsdax -s 128M
	run "mkfs.ext4 -q -F -b 4096 $NODE && mount -o dax=always $NODE /mnt/a"
	new_text
	pattern "$text" >"$VM/share/data"
	run "dd if=/host/data of=/mnt/a/file bs=1M count=1 conv=fsync status=none"
	json "ndctl-iopmem extents -o 4K /mnt/a/file"
	field_is ".[].file" /mnt/a/file
	same_as ".[].mode" "ndctl list -N | sed -n 's/.*\"mode\":\"\\(.*\\)\".*/\\1/p'"
	same_as ".[].device" "basename \$(readlink /sys/dev/block/\$(stat -c %Hd:%Ld /mnt/a/file))"
	field_is ".[].size" $(((1 << 20) - 4096))
	like "valid_while" "truncates, punches, clones, defragments or removes" "$(value .[].valid_while)"
	field_is ".[].valid_while" "$(value .[].valid_while)"
	# "0: 0.. 255: 33024.. 33279: ..."
	run "filefrag -e /mnt/a/file | sed -n 's/^ *0: *\\([0-9]*\\)\\.\\. *[0-9]*: *\\([0-9]*\\)\\.\\. *\\([0-9]*\\):.*/\\2 \\3/p'"
	read -r first last <<<"$OUT"
	run "cat /sys/block/${NODE#/dev/}/device/resource; sed -n '3s/ .*//p' /sys/bus/pci/devices/${F[card]}/resource; cat /sys/bus/nd/devices/$(region_of card)/iopmem/bus_address"
	read -r place start bus <<<"$(paste -sd ' ' <<<"$OUT")"
	field_is ".[].extents[].offset" 4096
	field_is ".[].extents[].length" $(((last - first) * 4096))
	field_is ".[].extents[].resource" $((place + (first + 1) * 4096))
	field_is ".[].extents[].bus_address" $((place + (first + 1) * 4096 - start + bus))
	field_is ".[].extents[].function" "${F[card]}"
	same_as ".[].extents[].bar" "cat /sys/bus/nd/devices/$(region_of card)/iopmem/bar"
	field_is ".[].extents[].bar_offset" "$(($(found "$text" "$DIR/card.bar") + 4096))"
	every_field
}

test_verify() {
	local tests='.[].ways[].tests[]' drive=/dev/nvme0n1 first
	shows "verify: each field, of transfers that arrive and of dropped ones, compared with the drive's file"
	blank card
	load
	attach card
	create card devdax -s 64M
	head -c 1M /dev/urandom | dd of="$DIR/drive.img" bs=1M conv=notrunc status=none
	first=$(od -An -tx1 -N16 "$DIR/drive.img" | tr -d ' \n')
	json "ndctl-iopmem verify --force --range 4K:1M --write 8M:64K $drive $NODE"
	field_is ".[].initiator" $drive
	field_is ".[].initiator_function" "${F[drive]}"
	same_as ".[].initiator_driver" "basename \$(readlink /sys/bus/pci/devices/${F[drive]}/driver)"
	field_is ".[].target" "$NODE"
	field_is ".[].device" "${NODE#/dev/}"
	field_is ".[].function" "${F[card]}"
	same_as ".[].bar" "cat /sys/bus/nd/devices/$(region_of card)/iopmem/bar"
	field_is ".[].result" passed
	field_is ".[].ways[].way" "drive to card card to drive"
	field_is ".[].ways[].result" "passed passed"
	field_is "$tests.size" "4096 65536 1048576 16777216 4096 65536 1048576 16777216"
	field_is "$tests.passes" "3 3 3 0 3 3 0 0"
	is "results" "passed,passed,passed,not checked,passed,passed,not checked,not checked" \
		"$(value "$tests.result" | paste -sd ,)"
	field_is "$tests.result" "$(value "$tests.result" | paste -sd ' ')"
	is "speeds above 0" 5 "$(value "$tests.mib_per_second" | grep -cE '^[0-9.]*[1-9]')"
	field_is "$tests.mib_per_second" "$(value "$tests.mib_per_second" | paste -sd ' ')"
	every_field

	json "LD_PRELOAD=/usr/local/bin/nomem.so NOMEM=/sys/bus/pci/devices/${F[card]} \
		ndctl-iopmem verify --force --range 4K:64K $drive $NODE 2>/dev/null || [ \$? = 1 ]"
	is "result" dropped "$(value '.[].result')"
	is "ways" "dropped,not checked" "$(value '.[].ways[].result' | paste -sd ,)"
	is "passes" "1 1 0 0" "$(value "$tests.passes" | paste -sd ' ')"
	is "results" "dropped,dropped,not checked,not checked" "$(value "$tests.result" | paste -sd ,)"
	tests+='|select(.passes>0)'
	is "wrong bytes" "4096 65536" "$(value "$tests.wrong_bytes" | paste -sd ' ')"
	is "first in the target" "4096 4096" "$(value "$tests.target_offset" | paste -sd ' ')"
	is "first on the drive" "0 0" "$(value "$tests.drive_offset" | paste -sd ' ')"
	is "expected" "$first" "$(value "$tests.expected" | sort -u)"
	is "found, the complement" "$(tr 0123456789abcdef fedcba9876543210 <<<"$first")" \
		"$(value "$tests.found" | sort -u)"
}

test_check() {
	shows "check: its JSON has the same findings as -u, which tests/cmd/checks.sh compares with the machine; the manual page has each id"
	blank card
	load
	attach card
	create card fsdax -s 64M
	json "ndctl-iopmem check ${F[card]}"
	run "ndctl-iopmem check -u ${F[card]}"
	is "lines of both" "$(value '.[] | "\(.severity) \(if .function then .function + ": " else "" end)\(.message) (\(.id))", .action // empty' | tr -s ' ')" \
		"$(sed '1d; /DESTROYS DATA/d; s/^ *-> //' <<<"$OUT" | tr -s ' ')"
	is "summary" "$(value '[.[].severity] as $s | "error warning note ok" / " " | map(. as $w | [$s[] | select(. == $w)] | length) | join(" ")')" \
		"$(sed '1s/;.*//; 1q' <<<"$OUT" | tr -dc '0-9 ' | tr -s ' ' | sed 's/ $//')"
	is "fields" "action destructive function id message severity" "$(value '[.[] | keys[]] | unique | join(" ")')"
	is "ids that ndctl-iopmem-check(1) does not have" "" \
		"$(comm -23 <(value '.[].id' | sort -u) <(sed -n 's/^\([a-z-]*\)::$/\1/p' "$top/ndctl-plugin/Documentation/ndctl-iopmem-check.txt" | sort -u))"
}

runs_in moved

test_path() {
	local i dev f bit name acs
	shows "path: each field of the way from the drive to the card, compared with sysfs and the registers"
	load
	attach card
	json "ndctl-iopmem path ${F[drive]} ${F[card]}"
	field_is ".[].initiator" "${F[drive]}"
	field_is ".[].target" "${F[card]}"
	field_is ".[].common" null
	same_as ".[].initiator_host_bridge" "readlink /sys/bus/pci/devices/${F[drive]} | cut -d/ -f5"
	same_as ".[].target_host_bridge" "readlink /sys/bus/pci/devices/${F[card]} | cut -d/ -f5"
	run "ndctl-iopmem path -u ${F[drive]} ${F[card]}"
	field_is ".[].verdict" "$(sed -n "s/^${F[drive]} to ${F[card]}: //p" <<<"$OUT")"
	field_is ".[].why[]" "$(sed '1,/^why:/d; s/^ *//' <<<"$OUT" | paste -sd ' ')"

	field_is ".[].path[].function" "$({
		guest "readlink /sys/bus/pci/devices/${F[drive]}" | tr / '\n' | tail -n 2 | tac
		guest "readlink /sys/bus/pci/devices/${F[card]}" | tr / '\n' | tail -n 2
	} | paste -sd ' ')"
	field_is ".[].path[].type" "endpoint root-port root-port endpoint"
	for i in 0 1 2 3; do
		dev=$(value ".[].path[$i].function")
		f=".[].path[$i]"
		names "$f" "$dev"
		run "echo \$((0x\$(setpci -s $dev COMMAND)))"
		field_is "$f.memory" "$([ $((OUT & 2)) = 0 ] && echo false || echo true)"
		field_is "$f.bus_master" "$([ $((OUT & 4)) = 0 ] && echo false || echo true)"
		same_as "$f.iommu_group" "basename \$(readlink /sys/bus/pci/devices/$dev/iommu_group)"
		same_as "$f.iommu_type" "cat /sys/bus/pci/devices/$dev/iommu_group/type"
		acs=$(guest "setpci -s $dev ECAP_ACS+6.w 2>/dev/null")
		if [ -z "$acs" ]; then
			field_is "$f.acs" null
			continue
		fi
		bit=0
		for name in source_validation translation_blocking request_redirect completion_redirect \
			upstream_forwarding egress_control direct_translated; do
			field_is "$f.acs.$name" "$([ $((16#$acs >> bit & 1)) = 0 ] && echo false || echo true)"
			bit=$((bit + 1))
		done
	done
	every_field
}
