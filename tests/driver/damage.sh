# SPDX-License-Identifier: GPL-2.0-only
# A label area that is torn, stale, random or hostile. Only undamaged namespaces are shown,
# binding writes nothing, and ndctl init-labels repairs the area.
# shellcheck shell=bash
runs_in base

area=131072

# prepare: make a BAR with two namespaces and random data, and keep copies. The whole BAR is
# in the file good, and its label area in the guest's /host/area. The file older has the
# label area from when there was only one namespace.
prepare() {
	blank pair0
	load
	attach pair0
	create pair0 fsdax -s 16M -n first --map=mem
	tail -c $area "$DIR/pair0.bar" >"$DIR/older"
	create pair0 raw -s 16M -n second
	detach pair0
	head -c 40M /dev/urandom |
		dd of="$DIR/pair0.bar" bs=1M seek=8 conv=notrunc status=none
	cp "$DIR/pair0.bar" "$DIR/good"
	tail -c $area "$DIR/pair0.bar" >"$VM/share/area"
}

# put OFFSET: write standard input into the label area
put() {
	dd of="$DIR/pair0.bar" bs=64K oflag=seek_bytes conv=notrunc status=none \
		seek=$(($(stat -c %s "$DIR/pair0.bar") - area + $1))
}

make_good() {
	dd if="$DIR/good" of="$DIR/pair0.bar" bs=1M conv=notrunc status=none
}

# damaged STATE WHAT [COMMAND...]: restore the BAR, and let COMMAND damage it. Then it has to
# show STATE: the names of the namespaces, "none", or "off" for a region that cannot be
# enabled. After init-labels it has to be an empty region.
damaged() {
	local want=$1 what=$2
	shift 2
	make_good
	"$@"
	cp "$DIR/pair0.bar" "$DIR/before"
	attach pair0
	run "if ndctl list -Ri | grep -q '\"state\":\"disabled\"'; then echo off; else
			ndctl list -N | sed -n 's/.*\"name\":\"\(.*\)\".*/\1/p' | sort | grep . || echo none
		fi"
	[ "$(xargs <<<"$OUT")" = "$want" ] || bad "$what" "$want" "$OUT"
	cmp "$DIR/before" "$DIR/pair0.bar" || bad "$what" "the BAR as it was" "changes"
	run "region=$(region_of pair0)
		{ ndctl disable-region \$region && ndctl init-labels -f nmem0 &&
		ndctl enable-dimm nmem0 && ndctl enable-region \$region &&
		ndctl create-namespace -r \$region -m raw -s 48M -n repaired; } 2>&1 || exit 1
		cd /sys/bus/pci/drivers/iopmem && echo ${F[pair0]} >unbind && echo ${F[pair0]} >bind &&
		cat /sys/bus/nd/devices/ndbus*/wait_probe >/dev/null
		ndctl list -N"
	[ "$(field name)" = repaired ] || bad "$what, after init-labels" repaired "$OUT"
	detach pair0
	saw "$what: $want; repaired"
}

# torn AT...: zero the second half of the index blocks or labels at these offsets
torn() {
	local at
	for at in "$@"; do
		head -c 128 /dev/zero | put $((at + 128))
	done
}

# unsigned AT...: zero the first half of the index blocks at these offsets, which has the
# signature
unsigned() {
	local at
	for at in "$@"; do
		head -c 128 /dev/zero | put "$at"
	done
}

stale() {
	head -c "$1" "$DIR/older" | put 0
}

random_bytes() {
	head -c $area /dev/urandom | put 0
}

random_signed() {
	random_bytes
	printf 'NAMESPACE_INDEX\0' | put 0
	printf 'NAMESPACE_INDEX\0' | put 256
}

forged() {
	run "labelforge $* </host/area >/host/forged"
	put 0 <"$VM/share/forged"
}

# forge STATE FIELD=VALUE...: set these fields, with right checksums
forge() {
	local want=$1
	shift
	damaged "$want" "$*" forged "$@"
}

test_torn() {
	shows "with torn index blocks, a torn label, or a stale or random label area, the namespaces are those of the undamaged index block, or none"
	prepare
	damaged "first second" "first index block torn" torn 0
	damaged "first second" "second index block torn" torn 256
	damaged "first second" "first index block torn, with its signature" unsigned 0
	damaged "first second" "second index block torn, with its signature" unsigned 256
	damaged "none" "both torn" torn 0 256
	# the first namespace's label is in the second slot
	damaged "second" "label of the first namespace torn" torn 768
	damaged "first" "the whole area older" stale $area
	make_good
	stale $area
	attach pair0
	create pair0 raw -s 32M -n third
	saw "the space of the namespace that the older area does not know is free"
	detach pair0
	damaged "first second" "the first index block older" stale 256
	damaged "none" "random bytes" random_bytes
	logged "iopmem ${F[pair0]}: BAR 2: has no labels but is not blank, the first namespace will overwrite it"
	damaged "none" "random bytes with both signatures" random_signed
}

# labelled_with WHAT [AT]: zero the index block at AT. The BAR still has to count as
# labelled.
labelled_with() {
	make_good
	[ -z "$2" ] || head -c 256 /dev/zero | put "$2"
	dd if="$DIR/stale" of="$DIR/pair0.bar" bs=4K seek=1 conv=notrunc status=none
	attach pair0
	run "cat /sys/bus/nd/devices/$(region_of pair0)/size; ndctl list -N | sed -n 's/.*\"name\":\"\(.*\)\".*/\1/p' | sort"
	is "$1, region's size and namespaces" "$(((64 << 20) - area)) first second" "$(xargs <<<"$OUT")"
	detach pair0
}

test_second_index() {
	shows "either index block is enough for a BAR to be labelled, even if the stale info block of a label-less namespace is at its start"
	blank pair0
	load labels=0
	attach pair0
	run "ndctl create-namespace -f -e namespace0.0 -m fsdax"
	detach pair0
	dd if="$DIR/pair0.bar" of="$DIR/stale" bs=4K skip=1 count=1 status=none
	is "info blocks in it" 1 "$(found NVDIMM_PFN_INFO "$DIR/stale" | wc -l)"
	run "rmmod iopmem_bus"
	prepare
	labelled_with "both index blocks"
	labelled_with "the second index block" 0
	labelled_with "the first index block" 256
	unlike "kernel log" "holds a label-less namespace|has no labels" "$(case_log)"
	# without any index block, the stale info block counts
	make_good
	head -c 512 /dev/zero | put 0
	dd if="$DIR/stale" of="$DIR/pair0.bar" bs=4K seek=1 conv=notrunc status=none
	attach pair0
	logged "iopmem ${F[pair0]}: BAR 2: holds a label-less namespace, used without labels"
}

runs_in base slow

# index.nslot=0 is left out, since libnvdimm warns: nvdimm-index-nslot-zero.md in
# tools/kernel-reports
test_index() {
	shows "index blocks with correct checksums and hostile fields"
	prepare
	forge none index.nslot=0xffffffff
	forge first index.nslot=2
	forge none index.mysize=64
	forge none index.labelsize=0
	forge none index.labelsize=255
	forge none index.myoff=0x10000
	forge "first second" index1.otheroff=256
	forge none index.labeloff=0
	forge none index.seq=0
	forge "first second" index.seq=2
	forge off index.free=0
}

# label.lbasize=12345 and label.name=65 are left out: nvdimm-label-lbasize.md and
# nvdimm-label-name.md in tools/kernel-reports
test_label() {
	shows "labels with correct checksums and hostile fields are skipped, or the region is off"
	prepare
	forge first label1.dpa=0x3fe0000
	forge off label1.dpa=0
	forge "first second" label1.dpa=0x1000800
	forge off label0.rawsize=0
	forge off label1.rawsize=0x8000000000000000
	forge off label1.rawsize=0x3000000
	forge second label0.slot=77
	forge off label0.nlabel=0
	forge off label0.nlabel=65535
	forge off label0.position=1
	forge second label0.cookie=1
	forge off label0.type=5
	forge "first second" label1.abstraction=5
	forge "first second" label0.flags=8
	forge off label0.uuid=7 label1.uuid=7
}
