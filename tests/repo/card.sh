# SPDX-License-Identifier: GPL-2.0-only
# make check-card on emulated cards: good ones, some that are not blank, and bad ones
# shellcheck shell=bash
runs_in p2p

# card_tree: put the files of make check-card into the guest's /host/tree
card_tree() {
	mkdir -p "$VM/share/tree"
	tar -C "$top" -c Makefile VERSION tests/card tests/bench/pcie tests/lib.sh tests/vm/common.sh tests/vm/await.sh |
		tar -C "$VM/share/tree" -x
}

# check_card NAME [VARIABLE=VALUE...]: print the command that tries that card. Its report
# goes to /tmp/report.
check_card() {
	echo "rm -f /tmp/report; make -s -C /host/tree check-card CARD=${F[$1]} REPORT=/tmp/report ${*:2}"
}

# steps WORD: the steps in OUT that have that result
steps() {
	sed -n "s/^\([a-z0-9-]*\): $1.*/\1/p" <<<"$OUT" | xargs
}

# is_blank NAME: all of the BAR has to be zero, as the host sees it
is_blank() {
	is "bytes of $1's BAR that are not zero" 0 "$(tr -d '\0' <"$DIR/$1.bar" | wc -c)"
}

# untouched NAME: the function must have no driver, and the module must not be loaded
untouched() {
	run "cd /sys/bus/pci/devices/${F[$1]}; [ -e driver ]; echo \$? \$(cat driver_override) \$(ls -d /sys/module/iopmem_bus 2>&1 | grep -c 'No such')"
	is "no driver, no driver_override, no module" "1 (null) 1" "$OUT"
}

# find_drive: set DRIVE to the node of drive2
find_drive() {
	DRIVE=/dev/$(guest "grep -l '^drive2 *\$' /sys/block/nvme*/device/serial" | cut -d/ -f4)
}

# checksum FILE: the checksum of a file on the host
checksum() {
	sha256sum <"$DIR/$1"
}

# soft_card: make a card F[soft] of 16 MiB of card's BAR, from 64 MiB on. The driver's
# id table has the card's id, so udev loads the driver.
soft_card() {
	F[soft]=10000:00:00.0
	run "insmod /usr/local/bin/softbridge.ko target=${F[card]} offset=$((64 << 20)) size=$((16 << 20))
		await 30 '[ -e /sys/bus/pci/drivers/iopmem/${F[soft]} ]'"
	settle
}

# meanwhile COMMAND: repeat a command on the host, until quiet is called
meanwhile() {
	while :; do
		eval "$1"
		sleep 0.05
	done &
	again=$!
	# shellcheck disable=SC2064
	trap "kill $again 2>/dev/null" EXIT
}

quiet() {
	kill "$again"
	wait "$again"
} 2>/dev/null

not_blank="is not blank, so nothing is tried: "

test_full() {
	local before
	as_module
	shows "a card that holds a namespace is refused, bound or not, and none of its bytes changes"
	card_tree
	blank card2
	load
	attach card2
	create card2 fsdax -s 32M
	before=$(checksum card2.bar)
	fails "iopmem: check-card: ${F[card2]} ${not_blank}BAR 2 holds namespace0.0, of 33554432 bytes: save what is on it, then give ERASE=yes" "$(check_card card2)"
	is "the BAR" "$before" "$(checksum card2.bar)"
	run "ndctl list -N"
	is "still bound" "${NODE#/dev/}" "$(field blockdev)"
	detach card2
	run "rmmod iopmem_bus; echo >/sys/bus/pci/devices/${F[card2]}/driver_override"
	fails "${not_blank}BAR 2 holds namespace0.0" "$(check_card card2)"
	is "the BAR" "$before" "$(checksum card2.bar)"
	untouched card2
	run "ls /tmp /host/tree"
	unlike "left" "report|iopmem-card" "$OUT"
}

runs_in p2p slow

test_bad() {
	local at=$(((64 + 4) << 20))
	as_module
	shows "memory that forgets, that mixes up addresses, that is off, or that reads as all ones: one line says so, and the other steps are left out"
	card_tree
	blank card
	soft_card
	meanwhile "dd if=/dev/zero of='$DIR/card.bar' bs=64K seek=$((at >> 16)) count=1 conv=notrunc status=none"
	fails "^memory: failed: BAR 2 does not keep what is written to it: at byte 4194304 it has 00000000000000000000000000000000 and not 3130303030303030303236323134340a\$" "$(check_card soft)"
	quiet
	is "passed" "look blank restore" "$(steps passed)"
	like "the rest" "^raw: skipped: the memory has failed\$" "$OUT"
	like "the count" "^3 passed, 1 failed, 1[0-9] skipped\$" "$OUT"
	run "cat /tmp/report"
	like "the report" "^memory: failed: BAR 2 does not keep" "$OUT"
	like "the report" "iopmem ${F[soft]}: regions: 1, 16 MiB in all" "$OUT"

	meanwhile "dd if='$DIR/card.bar' of='$DIR/card.bar' bs=64K skip=$(((at >> 16) - 32)) seek=$((at >> 16)) count=1 conv=notrunc status=none"
	fails "^memory: failed: .*: at byte 4194304 it has .*, which was written to byte 2097152\$" "$(check_card soft)"
	quiet
	is_blank card

	# with its memory space off, the card reads as zeros
	run "setpci -s ${F[card]} COMMAND=0:2"
	fails "^memory: failed: BAR 2 does not keep what is written to it: at byte 0 it has 00000000000000000000000000000000 and not" "$(check_card soft)"
	like "in the end" "^blank: failed: .* does not have what was written to it from byte 0 on" "$OUT"
	run "setpci -s ${F[card]} COMMAND=2:2"

	tr '\0' '\377' </dev/zero 2>/dev/null | dd of="$DIR/card.bar" bs=1M seek=64 count=16 iflag=fullblock conv=notrunc status=none
	fails "^look: failed: .*answers all ones, switch its memory on" "$(check_card soft)"
}

test_data() {
	local at said before
	as_module
	shows "a card without labels is refused if any byte is not zero, and none of its bytes changes"
	card_tree
	while read -r at said; do
		blank card2
		printf x | dd of="$DIR/card2.bar" bs=1 seek="$at" conv=notrunc status=none
		before=$(checksum card2.bar)
		fails "$not_blank$said" "$(check_card card2)"
		is "the BAR" "$before" "$(checksum card2.bar)"
		untouched card2
	done <<-END
	1030 BAR 2 has no labels, but is not zero at its start: save
	70000001 BAR 2 is not zero at byte 70000001: save
	134217727 BAR 2 is not zero at byte 134217727, in its label area: save
	END
}

test_refused() {
	local before
	as_module
	shows "each refusal is one line, and neither the card nor the drive is changed"
	card_tree
	blank card2
	find_drive
	fails "^iopmem: check-card: CARD= is no function's address" "make -s -C /host/tree check-card"
	fails "^iopmem: check-card: CARD=1af4:1110 is no function's address" "make -s -C /host/tree check-card CARD=1af4:1110"
	fails "^iopmem: check-card: there is no function 0000:7f:00.0" "make -s -C /host/tree check-card CARD=7f:00.0"
	fails "^iopmem: check-card: only root can try a card: sudo make check-card CARD=${F[card2]}" \
		"setpriv --reuid=65534 --clear-groups make -s -C /host/tree check-card CARD=${F[card2]}"
	fails "^iopmem: check-card: ${F[drive]} has the driver nvme: " "$(check_card drive)"
	fails "^iopmem: check-card: ERASE=no is not yes" "$(check_card card2 ERASE=no)"
	fails "^iopmem: check-card: DRIVE=/dev/null: is no block device" "$(check_card card2 DRIVE=/dev/null)"
	fails "^iopmem: check-card: DRIVE=/dev/none: No such file or directory" "$(check_card card2 DRIVE=/dev/none)"
	fails "^iopmem: check-card: REPORT=$DRIVE is there already" "$(check_card card2 "REPORT=$DRIVE")"
	run "mkfs.ext4 -q -F $DRIVE && mount $DRIVE /mnt/b"
	fails "^iopmem: check-card: DRIVE=$DRIVE: is in use, mounted" "$(check_card card2 "DRIVE=$DRIVE" ERASE=yes)"
	run "umount /mnt/b; modprobe loop; losetup /dev/loop0 $DRIVE"
	fails "^iopmem: check-card: DRIVE=/dev/loop0: is loop0, for which no PCI function" "$(check_card card2 DRIVE=/dev/loop0)"
	run "losetup -d /dev/loop0; sync"
	before=$(checksum drive2.img)
	fails "^iopmem: check-card: DRIVE=$DRIVE: holds ext4: name a partition that holds nothing, or give ERASE=yes" "$(check_card card2 "DRIVE=$DRIVE")"
	is "the drive" "$before" "$(checksum drive2.img)"
	untouched card2
	load
	attach card
	fails "^iopmem: check-card: .* other functions are bound to it: ndctl-iopmem unbind ${F[card]}" "$(check_card card2)"
	is_blank card2
}

test_good() {
	as_module
	shows "a good card passes and is blank afterwards, the drive is as before, and the report has what a bug report needs"
	may_log 'Buffer I/O error on dev pmem'
	blank card2
	card_tree
	head -c 32M /dev/urandom | dd of="$DIR/drive2.img" bs=1M conv=notrunc status=none
	cp --sparse=always "$DIR/drive2.img" "$DIR/drive2.before"
	find_drive
	GUEST_SECONDS=600 run "$(check_card card2 "DRIVE=$DRIVE")"
	saw "$OUT"
	is "passed" "look memory flush throughput bind raw sector fsdax devdax labels ext4 mapped mapping-type p2p-file p2p-devdax reset kernel-log blank restore" "$(steps passed)"
	is "skipped" "xfs suspend" "$(steps skipped)"
	is "last line" "19 passed, 0 failed, 2 skipped" "$(tail -n 1 <<<"$OUT")"
	is_blank card2
	is "the drive" same "$(cmp "$DIR/drive2.img" "$DIR/drive2.before" && echo same)"
	untouched card2
	run "cat /tmp/report"
	for part in "== versions" "ndctl-iopmem 0" "== lspci -vvnn -s ${F[card2]}" "== ndctl-iopmem check" "== ndctl-iopmem path -u ${F[drive2]} ${F[card2]}" \
		"^PAT: " "drive to card +16 MiB  passed" "== dmesg" "iopmem ${F[card2]}: reset: reads and flushes fail"; do
		like "report" "$part" "$OUT"
	done
}

test_erase() {
	as_module
	shows "with ERASE=yes a label-less namespace is destroyed, the steps run, xfs too, and the card is blank; it is bound again, and the module has its former parameters"
	may_log 'Buffer I/O error on dev pmem'
	blank card
	card_tree
	load labels=0 bars=2-3
	attach card
	run "ndctl create-namespace -f -e namespace0.0 -m fsdax --map=dev"
	fails "${not_blank}BAR 2 holds namespace0.0" "$(check_card card)"
	GUEST_SECONDS=600 run "$(check_card card ERASE=yes)"
	is "failed" "" "$(steps failed)"
	is "skipped" "p2p-file p2p-devdax suspend" "$(steps skipped)"
	like "xfs" "^xfs: passed" "$OUT"
	is_blank card
	run "cd /sys/module/iopmem_bus/parameters && cat bars labels && basename \$(readlink /sys/bus/pci/devices/${F[card]}/driver)"
	is "parameters and driver" "2-3 N iopmem" "$(xargs <<<"$OUT")"
}

test_dropped() {
	as_module
	shows "if the drive's DMA does not reach the card, the steps with DMA say dropped, and the others pass"
	may_log 'Buffer I/O error on dev pmem'
	blank card2
	card_tree
	find_drive
	run "wipefs -qa $DRIVE; mkdir -p /tmp/bin; cat >/tmp/bin/ndctl-iopmem <<-'END'
			#!/bin/sh
			[ \"\$1\" != verify ] || export LD_PRELOAD=/usr/local/bin/nomem.so NOMEM=/sys/bus/pci/devices/${F[card2]} NOMEM_WAYS=read
			exec /usr/bin/ndctl-iopmem \"\$@\"
		END
		chmod +x /tmp/bin/ndctl-iopmem"
	GUEST_SECONDS=600 fails "^p2p-file: failed: $DRIVE .*: dropped ndctl-iopmem verify: .* data does not arrive" "PATH=/tmp/bin:\$PATH; $(check_card card2 "DRIVE=$DRIVE")"
	is "failed" "p2p-file p2p-devdax" "$(steps failed)"
	is "skipped" "xfs suspend" "$(steps skipped)"
	is_blank card2
}

test_lost() {
	as_module
	shows "if a card's memory is switched off meanwhile and reads as zeros, steps fail with the driver's message, none hangs, and the card does not pass for blank"
	may_log 'Buffer I/O error on dev pmem'
	card_tree
	blank card
	soft_card
	launch "$(check_card soft)" 'grep -q "^bind: passed" $said'
	run "setpci -s ${F[card]} COMMAND=0:2"
	GUEST_SECONDS=600 ended
	is "exit status" 2 "$OUT"
	# shellcheck disable=SC2153 # launch sets it
	run "setpci -s ${F[card]} COMMAND=2:2; cat $SAID"
	# if there are no labels yet, the driver finds it out when the first is written
	like "a step" "^[a-z]*: failed: .*iopmem ${F[soft]}: (does not answer as it did: reads and flushes fail from here on|BAR 2: does not keep what is written to it, switch its memory on)" "$OUT"
	like "the end" "^blank: failed: .* does not have what was written to it from byte 0 on" "$OUT"
}

test_interrupted() {
	as_module
	shows "Ctrl-C: the step ends, the others are left out, the card is blank and the function is bound as before"
	card_tree
	blank card2
	launch "exec env --default-signal=INT $(check_card card2 | sed 's/.*; //')" 'grep -q "^  BAR 2: all of" $said'
	await 60 '! cmp -s -n 1M "$DIR/card2.bar" /dev/zero' || bad "the BAR" "to be written" "it is not"
	run "pkill -INT -o -f '^/bin/bash tests/card/run\$'"
	GUEST_SECONDS=600 ended
	is "exit status" 2 "$OUT"
	run "cat $SAID"
	like "it says" "^memory: failed: interrupted\$" "$OUT"
	is "passed" "look blank restore" "$(steps passed)"
	like "it says" "^3 passed, 1 failed, [0-9]* skipped\$" "$OUT"
	is_blank card2
	untouched card2
}

test_suspend() {
	local said
	as_module
	shows "SUSPEND=yes: the machine sleeps and wakes, and the card has kept its contents"
	may_log 'Buffer I/O error on dev pmem'
	card_tree
	blank card2
	# The folder that is shared with the host is gone after the suspend. Whoever asks for a
	# file there waits for ever, and unbind asks for each file that a process has open. So
	# hide the processes that have some. One write to /dev/kmsg is one line (sed -u).
	run "cp -r /host/tree /tmp/tree"
	parting "{ rm -f /tmp/report; unshare --pid --fork --mount-proc make -s -C /tmp/tree check-card CARD=${F[card2]} SUSPEND=yes REPORT=/tmp/report; echo ended; } 2>&1 | sed -u 's/^/iopmem-card: /' >/dev/kmsg"
	await 300 'said=$(case_log | sed -n "s/.*iopmem-card: //p"); [[ $said = *ended ]]'
	used_up
	like "suspend" "^suspend: passed: BAR 2 has kept its contents\$" "$said"
	like "woken" "PM: suspend exit" "$(case_log)"
	like "count" "^18 passed, 0 failed, 3 skipped\$" "$said"
	is_blank card2
}

runs_in none

test_predicted() {
	local device=$work/link
	shows "the throughput step says what the link lets through at most; without a link it says nothing"
	# shellcheck source=/dev/null
	. "$top/tests/card/steps.sh"
	is "without a link" "" "$(predicted)"
	mkdir "$device"
	echo "8.0 GT/s PCIe" >"$device/current_link_speed"
	echo 4 >"$device/current_link_width"
	# The link has 3938 MB/s. A store of 64 bytes takes 88 bytes of it, one of 8 bytes takes
	# 32. A load of 8 bytes takes a microsecond.
	is "PCIe 3.0 with 4 lanes" "; a link of 8.0 GT/s and 4 lanes lets through at most 2864 MB/s of write-combining stores, 985 MB/s of uncached ones, and loads of 8 MB/s if each takes 1000 ns" "$(predicted)"
	echo "Unknown" >"$device/current_link_speed"
	is "a link that is down" "" "$(predicted)"
}
