# SPDX-License-Identifier: GPL-2.0-only
# ndctl-iopmem check, path and map, and the udev rules, with the real driver
# shellcheck shell=bash
runs_in base

# check FUNCTION...: run check -u. FOUND is its output, and STATUS its exit status.
check() {
	run "rc=0; ndctl-iopmem check -u $* || rc=\$?; echo status \$rc"
	STATUS=${OUT##*status }
	FOUND=$OUT
}

# found SEVERITY ID PATTERN: check has to have printed that finding
found() {
	like "check" "^$1 +.*$3.*\\($2\\)" "$FOUND"
}

# act_on ID [FUNCTION]: run the action that check prints for the finding
act_on() {
	local action
	action=$(grep -A2 -E "^[a-z]+ +$2.*\($1\)" <<<"$FOUND" | sed -n 's/^ *-> //p' | head -n 1)
	saw "doing: $action"
	run "$action"
	settle
}

test_check() {
	local region
	shows "check finds what is wrong on a real machine, and its actions correct that"
	blank card
	check "${F[card]}"
	found warning driver-none "no driver has it"
	found ok kernel-options-complete "all that the four modes need"
	found ok module-installed "iopmem_bus is installed, not signed"
	load
	attach card
	region=$(region_of card)
	create card fsdax -s 64M
	check "${F[card]}"
	is "exit status with warnings" 0 "$STATUS"
	found ok module-loaded "iopmem_bus is loaded"
	found ok driver-bound "iopmem has it"
	found ok bar-region "BAR 2: is a region"
	found ok bar-other "BAR 0: not prefetchable"
	found ok mtrr-virtual "in a virtual machine the hypervisor decides"
	found ok bus-address-equal "are equal"
	found ok memory-type-write-combining "write-combining"
	found ok labels-good "is good"
	found ok bus-master-on "may start DMA"
	found ok iommu-off "no IOMMU translates"

	found warning align-wastes "14336 more"
	act_on align-wastes
	check "${F[card]}"
	found ok align-best "$region: 522240 of 524160 KiB"
	run "ndctl create-namespace -r $region -m raw | grep '\"size\"'"
	like "the rest, in one namespace" '"size":(467664896|"446.00 MiB)' "$OUT"

	found warning struct-pages-on-card "struct pages are on the card"
	like "check" "DESTROYS DATA" "$FOUND"
	act_on struct-pages-on-card
	check "${F[card]}"
	found ok struct-pages-in-memory "no namespace"
	run "ndctl list -N -m fsdax"
	is "map" mem "$(field map)"

	run "setpci -s ${F[card]} COMMAND=0:2; setpci -s ${F[drive]} COMMAND=0:4"
	check "${F[card]}"
	is "exit status with an error" 1 "$STATUS"
	found error memory-decoding-off "Mem-"
	found warning bus-master-off "${F[drive]}: this possible initiator may not start DMA"
	act_on memory-decoding-off
	act_on bus-master-off "${F[drive]}"
	check "${F[card]}"
	is "exit status" 0 "$STATUS"
	found ok memory-decoding-on "Mem\\+"
	run "lspci -vs ${F[drive]} | grep -i flags"
	like "the drive" "bus master" "$OUT"
}

test_check_labels() {
	local i
	shows "check finds a damaged label area, and its action makes a blank one"
	blank card
	for i in 0 1; do
		printf 'NAMESPACE_INDEX\0' |
			dd of="$DIR/card.bar" bs=1 seek=$(((512 << 20) - (128 << 10) + i * 256)) conv=notrunc status=none
	done
	load
	attach card
	check "${F[card]}"
	is "exit status" 1 "$STATUS"
	found error labels-damaged "damaged"
	act_on labels-damaged
	check "${F[card]}"
	found ok labels-good "is good"
	create card raw
}

test_check_user() {
	shows "without root, check says what it cannot find out, and map says why it draws nothing"
	blank card
	load
	attach card
	create card raw -s 64M
	run "setpriv --reuid=65534 --clear-groups ndctl-iopmem check -u ${F[card]}"
	FOUND=$OUT
	found note memory-type-unreadable "needs root"
	found note acs-unreadable "needs root"
	fails "only root can see where" "setpriv --reuid=65534 --clear-groups ndctl-iopmem map ${F[card]}"
}

test_path() {
	local want
	shows "path has the root ports that sysfs has, and says that in a virtual machine the hypervisor decides"
	run "ndctl-iopmem path ${F[drive]} ${F[card]}"
	is "verdict" unknown "$(field verdict)"
	like "why" "virtual machine" "$OUT"
	want=$(for f in drive card; do
		guest "readlink /sys/bus/pci/devices/${F[$f]}" | grep -oE '0000:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]'
	done)
	# the order is up from the drive, and down to the card
	want=$(sed -n '2p;1p' <<<"$want" | tac; sed -n '3,4p' <<<"$want")
	want="${F[drive]} $(grep -v "${F[drive]}" <<<"$want" | tr '\n' ' ')"
	is "functions" "${want% }" "$(sed -n '/"path"/,$s/.*"function":"\(.*\)",/\1/p' <<<"$OUT" | tr '\n' ' ' | sed 's/ $//')"
	is "types" "endpoint root-port root-port endpoint" \
		"$(sed -n 's/.*"type":"\(.*\)",/\1/p' <<<"$OUT" | tr '\n' ' ' | sed 's/ $//')"
	run "setpci -s ${F[drive]} COMMAND=0:4; ndctl-iopmem path ${F[drive]} ${F[card]}; setpci -s ${F[drive]} COMMAND=4:4"
	is "verdict, bus mastering off" blocked "$(field verdict)"
}

test_map() {
	shows "map draws the namespaces that ndctl has made, as text and as SVG"
	blank card
	load
	attach card
	create card fsdax -s 64M -n 'a\<b\>'
	create card devdax -s 96M
	create card sector -s 64M
	run "ndctl-iopmem map ${F[card]}"
	like "the picture" '^\[F+D+S+\.+-+L\]$' "$OUT"
	is "its width" 80 "$(sed -n 2p <<<"$OUT" | tr -d '\n' | wc -c)"
	like "fsdax" 'F  0x00000000000 +64 MiB  .*fsdax "a<b>"' "$OUT"
	like "devdax" 'D  0x00004000000 +96 MiB' "$OUT"
	like "labels" 'L  0x0001ffe0000 +128 KiB' "$OUT"
	like "cost" 'costs 15.88 MiB; with 2 MiB 14 MiB' "$OUT"
	run "ndctl-iopmem map ${F[card]} --svg /tmp/map.svg && cat /tmp/map.svg"
	in_toolbox python3 -c 'import sys, xml.dom.minidom as m; m.parseString(sys.stdin.read())' <<<"$OUT" ||
		bad "python3" "well-formed XML" "$OUT"
	like "the name" "a&lt;b&gt;" "$OUT"
}

offers() {
	run "ndctl list -R -r $(region_of "$1")"
	echo "$(($(field available_size) >> 20)) MiB"
}

# link: the name in /dev/iopmem/by-path of the namespace in OUT has to lead to NODE
link() {
	local name
	name=/dev/iopmem/by-path/pci-${F[cut]}-bar2-$(field uuid)
	run "readlink -f $name"
	is "$name" "$NODE" "$OUT"
}

test_udev() {
	shows "with the udev rules, a 64 MiB BAR offers 62 MiB, and namespaces have stable names; each rules file can be switched off"
	blank cut
	load
	attach cut
	is "without them" "48 MiB" "$(offers cut)"
	detach cut

	rules_on
	attach cut
	is "with them" "62 MiB" "$(offers cut)"
	create cut fsdax -s 20M
	link
	fails "misaligned to 16M" "ndctl create-namespace -r $(region_of cut) -m devdax -s 20M"
	create cut devdax -s 20M -f
	link
	create cut raw -s 22M
	link
	is "left" "0 MiB" "$(offers cut)"
	detach cut
	run "udevadm settle; ls /dev/iopmem/by-path 2>/dev/null | wc -l"
	is "links when it is unbound" 0 "$OUT"

	attach cut
	run "ls /dev/iopmem/by-path | wc -l"
	is "links when it is bound again" 3 "$OUT"
	run "ndctl destroy-namespace -f -r $(region_of cut) all"
	detach cut
	new_rules "touch /etc/udev/rules.d/90-iopmem-align.rules"
	attach cut
	is "without the first file" "48 MiB" "$(offers cut)"
	create cut raw -s 16M
	link
	detach cut
	new_rules "ln -sf /dev/null /etc/udev/rules.d/90-iopmem-links.rules"
	attach cut
	run "ls /dev/iopmem/by-path 2>/dev/null | wc -l"
	is "links without the second" 0 "$OUT"
	detach cut
}

runs_in moved

test_check_iommu() {
	local port group
	shows "with an IOMMU, check counts the functions that it translates for, and path has the IOMMU's type and ACS as in the registers"
	load
	attach card
	check "${F[card]}"
	found note iommu-translates "translates for [1-9]"
	run "basename \$(dirname \$(readlink /sys/bus/pci/devices/${F[card]}))"
	port=$OUT
	found warning acs-redirects "$port: ACS of this bridge"
	run "ndctl-iopmem path -u ${F[drive]} ${F[card]}"
	FOUND=$OUT
	group=$(guest "cat /sys/bus/pci/devices/${F[drive]}/iommu_group/type")
	like "why" "has the type $group: addresses are translated" "$FOUND"
	run "printf %d 0x\$(setpci -s $port ECAP_ACS+6.w)"
	is "request redirect" $((OUT >> 2 & 1)) "$(grep -c "$port .*ReqRedir+" <<<"$FOUND")"
	is "completion redirect" $((OUT >> 3 & 1)) "$(grep -c "$port .*CmpltRedir+" <<<"$FOUND")"
	is "egress control" $((OUT >> 5 & 1)) "$(grep -c "$port .*EgressCtrl+" <<<"$FOUND")"
	like "verdict" "to ${F[card]}: unknown" "$FOUND"
}
