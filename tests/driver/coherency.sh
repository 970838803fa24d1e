# SPDX-License-Identifier: GPL-2.0-only
# How the kernel and programs map the BAR. The cases read the kernel's own list, and the
# page tables by QEMU's monitor.
#
# WB is write-back, which is the only cacheable type here. WC is write-combining, UC is
# uncached, and UC- is uncached unless an MTRR says write-combining.
# shellcheck shell=bash

# mtrr_at ADDRESS: set MTRR to the type that the MTRRs give that address. /proc/mtrr has the
# ranges. IA32_MTRR_DEF_TYPE has the default for all other addresses.
mtrr_at() {
	run "modprobe msr && od -An -td8 -j $((0x2ff)) -N 8 /dev/cpu/0/msr; cat /proc/mtrr"
	local default base size unit type rest
	MTRR=
	while read -r base size unit type; do
		[ $(($1 >= base && $1 < base + (size << unit))) = 1 ] || continue
		[ "$MTRR" = UC ] || MTRR=$type
	done < <(sed -n 's/^reg.*base=\(0x[0-9a-f]*\).*size= *\([0-9]*\)\([KM]\)B.*: \(.*\)$/\1 \2 \3 \4/p' <<<"$OUT" |
		sed 's/ K / 10 /; s/ M / 20 /; s/uncachable/UC/; s/write-back/WB/')
	[ -z "$MTRR" ] || return 0
	read -r default rest <<<"$OUT"
	case $((default & 0xff)) in
	0) MTRR=UC ;;
	6) MTRR=WB ;;
	*) bad "IA32_MTRR_DEF_TYPE" "0 or 6" "$default" ;;
	esac
}

# effective PAT MTRR: the memory type that results from both (Intel SDM volume 3,
# "Effective Memory Type Depends on MTRR, PAT...")
effective() {
	case "$1 $2" in
	"WB WB") echo WB ;;
	"WC "*) echo WC ;;
	"WB UC" | "UC "* | "UC- WB" | "UC- UC") echo UC ;;
	*) echo "unknown" ;;
	esac
}

# read_word xp|x ADDRESS: print eight bytes of the guest's memory, at a physical address (xp)
# or at a virtual one of CPU 1 (x)
read_word() {
	hmp "$1 /1gx $(printf '0x%x' "$2")" 1 | sed -n 's/^[0-9a-f]*: \(0x[0-9a-f]*\).*/\1/p'
}

# walk ADDRESS: walk the page tables that CPU 1 has now. Set PHYS to the physical address,
# PAGE to the page's size, and PAT to the type that its entry selects.
walk() {
	local va=$(($1)) shift=39 regs entry types
	regs=$(hmp "info registers" 1)
	entry=0x$(sed -n 's/.*CR3=\([0-9a-f]*\).*/\1/p' <<<"$regs")
	[ $((0x$(sed -n 's/.*CR4=\([0-9a-f]*\).*/\1/p' <<<"$regs") >> 12 & 1)) = 0 ] || shift=48
	for (( ; ; shift -= 9)); do
		entry=$(read_word xp $(((entry & 0xffffffffff000) + (va >> shift & 511) * 8)))
		[ $((entry & 1)) = 1 ] || return 1
		[ "$shift" = 12 ] && break
		[ "$shift" -le 30 ] && [ $((entry >> 7 & 1)) = 1 ] && break
	done
	PAGE=$((1 << (shift - 10)))K
	PHYS=$(((entry & 0xffffffffff000 & -(1 << shift)) | (va & (1 << shift) - 1)))
	read -ra types < <(tr -d '\r' <"$VM/console" | sed -n 's/.*x86\/PAT: Configuration \[0-7\]: //p')
	PAT=${types[(entry >> (shift == 12 ? 7 : 12) & 1) << 2 | entry >> 3 & 3]}
}

# symbol NAME: print the value of a variable of the kernel
symbol() {
	run "awk '\$3 == \"$1\" { print \"0x\" \$1 }' /proc/kallsyms"
	read_word x "$OUT"
}

# bar2 NAME: set BAR_START, BAR_END and MTRR for the function's BAR 2
bar2() {
	run "sed -n 3p /sys/bus/pci/devices/${F[$1]}/resource"
	read -r BAR_START BAR_END _ <<<"$OUT"
	BAR_START=$((BAR_START)) BAR_END=$((BAR_END))
	mtrr_at $BAR_START
}

in_bar2() {
	[ "$1" -ge "$BAR_START" ] && [ "$1" -le "$BAR_END" ]
}

# expect CACHED: set the types that have to be found. LIST is that of the kernel's list.
# BY_KERNEL and BY_USER are those of mappings, as "page table + MTRR = effective".
expect() {
	case "$1 $MTRR" in
	"0 "*) LIST=write-combining BY_KERNEL="WC + $MTRR = WC" ;;
	"1 WB") LIST=write-back BY_KERNEL="WB + WB = WB" ;;
	"1 UC") LIST=uncached-minus BY_KERNEL="UC- + UC = UC" ;;
	esac
	case $KERNEL in
	# the debug kernels have the series of make patch, whose fix of mm looks at the list
	6.* | debug*) BY_USER=$BY_KERNEL ;;
	# a DAX page is inserted by its struct page, which ignores the list
	*) BY_USER="WB + $MTRR = $MTRR" ;;
	esac
}

# mapped_as WHAT WANT: compare the types that walk has found
mapped_as() {
	is "$1" "$2" "$PAT + $MTRR = $(effective "$PAT" "$MTRR")"
}

# spin FILE SIZE: launch a process that maps the file and stores to it on CPU 1. Then walk
# until CPU 1 has the page tables of this process.
spin() {
	local va pa
	launch "taskset -c 1 mapcp spin $1 $2" 'grep -q physical $said'
	run "cat $SAID"
	read -r _ va _ pa <<<"$OUT"
	[ -n "$pa" ] || bad "mapcp spin $1" "an address" "$OUT"
	await 30 'walk "$va" && [ "$PHYS" = $((pa)) ]' ||
		bad "page tables of CPU 1 at $va" "$pa" "$(printf '0x%x' "$PHYS")"
}

spun() {
	stop mapcp
}

# dax_page FILE SIZE PAGE: check a program's mapping of the file or node, and the kernel's
# mapping of the same page
dax_page() {
	local pa
	spin "$1" "$2"
	pa=$PHYS
	in_bar2 "$pa" || bad "the page's address" "in the BAR" "$(printf '0x%x' "$pa")"
	[ "$PAGE" = "$3" ] || bad "size of the page" "$3" "$PAGE"
	mapped_as "user's, page of $PAGE" "$BY_USER"
	walk $(($(symbol page_offset_base) + pa)) || bad "walk of the direct map" "an entry" "none"
	[ "$PHYS" = "$pa" ] || bad "direct map" "$pa" "$PHYS"
	mapped_as "kernel's of that page" "$BY_KERNEL"
	spun
}

# struct_pages: check that the struct page of the namespace's first page is on the card
struct_pages() {
	walk $(($(symbol vmemmap_base) + (BAR_START >> 12) * 64)) || bad "walk of the struct pages" "an entry" "none"
	in_bar2 "$PHYS" || bad "address of the struct pages" "in the BAR" "$(printf '0x%x' "$PHYS")"
	mapped_as "struct pages on the card" "WB + $MTRR = $MTRR"
}

# remapped COUNT: check the mappings of the BAR that memremap() has made
remapped() {
	local va pa count=0
	run "echo 1 >/proc/sys/kernel/kptr_restrict
		sed -n 's/^\(0x[^-]*\)-.* phys=\(0x[^ ]*\) ioremap.*/\1 \2/p' /proc/vmallocinfo
		echo 0 >/proc/sys/kernel/kptr_restrict"
	while read -r va pa; do
		in_bar2 $((pa)) || continue
		walk "$va" || bad "walk of $va" "an entry" "none"
		[ "$PHYS" = $((pa)) ] || bad "page at $va" "$pa" "$(printf '0x%x' "$PHYS")"
		mapped_as "kernel's at BAR + $(printf '0x%x' $((pa - BAR_START)))" "$BY_KERNEL"
		count=$((count + 1))
	done <<<"$OUT"
	[ $count = "$1" ] || bad "memremap()s of the BAR" "$1" "$count"
}

# file_system MOUNT_OPTIONS: make ext4 on NODE, so that files can have pages of 2 MiB
file_system() {
	run "mkfs.ext4 -q -F -b 4096 -E stride=512,stripe_width=512 $NODE && mount $1 $NODE /mnt/a &&
		fallocate -l 64K /mnt/a/small && fallocate -l 4M /mnt/a/large"
}

dax_files() {
	file_system "-o dax=always"
	dax_page /mnt/a/small 64K 4K
	dax_page /mnt/a/large 4M 2048K
	run "umount /mnt/a"
}

# no_dax: check that a program's mapping is in the page cache, and not in the BAR
no_dax() {
	file_system
	spin /mnt/a/large 4M
	! in_bar2 "$PHYS" || bad "the page's address" "not in the BAR" "$(printf '0x%x' "$PHYS")"
	saw "user's page is at $(printf '0x%x' "$PHYS"), not in the BAR"
	spun
	run "umount /mnt/a"
	fails "wrong fs type, bad option, bad superblock" "mount -o dax=always $NODE /mnt/a"
	logged "${NODE#/dev/}.*DAX unsupported by block device"
}

# in_list: check that the kernel's list has one type for the whole BAR
in_list() {
	memtypes card
	is "pat_memtype_list" "$LIST" "$OUT"
}

# bind_card CACHED LABELS MTRR: bind card. CACHED is 1 if ivshmem has to be known as RAM.
bind_card() {
	local ids=(none 1af4:1110)
	blank card
	load "cached=${ids[$1]}" "labels=$2"
	attach card
	bar2 card
	is "MTRRs" "$3" "$MTRR"
	expect "$1"
}

modes() {
	saw "fsdax:"
	create card fsdax -s 256M
	struct_pages
	dax_files
	saw "devdax:"
	create card devdax -s 32M -a 4K
	dax_page "$NODE" 2M 4K
	create card devdax -s 32M
	dax_page "$NODE" 2M 2048K
	saw "raw:"
	create card raw -s 32M
	no_dax
	saw "sector:"
	create card sector -s 32M
	no_dax
	saw "raw, sector, and the label area:"
	remapped 3
	in_list
}

# labelless MTRR: check the mappings of a card that is not RAM, and of one that is
labelless() {
	local cached
	for cached in 0 1; do
		saw "known as RAM: $cached"
		bind_card $cached 0 "$1"
		NODE=/dev/pmem0
		dax_files
		remapped 1
		in_list
		detach card
		run "rmmod iopmem_bus"
	done
	blank card
}

runs_in base

test_default() {
	shows "MTRRs write-back: page tables of kernel and programs in each mode"
	bind_card 0 1 WB
	modes
}

test_cached() {
	shows "MTRRs write-back, the card known as RAM: page tables of kernel and programs in each mode"
	bind_card 1 1 WB
	modes
}

runs_in moved slow

test_default_uncached() {
	shows "MTRRs uncached: page tables of kernel and programs in each mode"
	bind_card 0 1 UC
	modes
}

test_cached_uncached() {
	shows "MTRRs uncached, the card known as RAM: page tables of kernel and programs in each mode"
	bind_card 1 1 UC
	modes
}

test_labelless_uncached() {
	shows "MTRRs uncached, labels=0: page tables of kernel and programs, not RAM, and known as RAM"
	labelless UC
}

runs_in bare slow

test_bare() {
	shows "without a hypervisor, a BAR that an MTRR makes uncached is used, and no mapping is cacheable"
	bar2 card
	is "MTRRs before" WB "$MTRR"
	run "printf 'base=0x%x size=0x%x type=uncachable' $BAR_START $((512 << 20)) >/proc/mtrr"
	bind_card 0 1 UC
	modes
	detach card
	run "echo disable=\$(sed -n 's/^reg0*\([0-9]*\): base=$(printf '0x0*%x' $BAR_START) .*/\1/p' /proc/mtrr) >/proc/mtrr"
	mtrr_at $BAR_START
	is "MTRRs afterwards" WB "$MTRR"
}

runs_in base slow

test_labelless() {
	shows "MTRRs write-back, labels=0: page tables of kernel and programs, not RAM, and known as RAM"
	labelless WB
}
