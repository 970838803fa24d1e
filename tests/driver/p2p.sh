# SPDX-License-Identifier: GPL-2.0-only
# Peer-to-peer: other devices' own DMA into and out of the BAR. The host puts the data on the
# drive or into the BAR, and finds it again in the BAR, on the drive or on the wire.
# shellcheck shell=bash

declare -A N	# the node of each drive

# drives NAME...: set N for these drives
drives() {
	local name
	for name; do
		N[$name]=/dev/$(guest "grep -l '^$name *\$' /sys/block/nvme*/device/serial" | cut -d/ -f4)
		[ "${N[$name]}" != /dev/ ] || bad "the node of $name" "a node" "$(guest 'head /sys/block/nvme*/device/serial')"
	done
}

# new_pattern SIZE: make $DIR/pattern, a file of that many random bytes
new_pattern() {
	new_text
	{
		echo "$text"
		head -c "$1" /dev/urandom
	} | head -c "$1" >"$DIR/pattern"
}

# bar_of NAME: print the first and the last address of the BAR
bar_of() {
	guest "sed -n '3s/ 0x[^ ]*\$//p' /sys/bus/pci/devices/${F[$1]}/resource"
}

# in_the_bar NAME: check that the extents in OUT are in that BAR and hold the pattern
in_the_bar() {
	local start end offset address length n=0
	read -r start end < <(bar_of "$1")
	while read -r _ offset address length; do
		((address >= start && address + length - 1 <= end)) ||
			bad "pages of the mapping" "within $start to $end" "$address"
		cmp -s -n "$length" -i $((address - start)):"$offset" "$DIR/$1.bar" "$DIR/pattern" ||
			bad "$1.bar at $((address - start))" "the pattern from $offset on, $length bytes" "something else"
		n=$((n + 1))
	done < <(grep '^extent:' <<<"$OUT")
	[ $n -gt 0 ] || bad "$1's pages" "extents" "$OUT"
	saw "$1.bar holds the bytes, in $n piece(s)"
}

# through DRIVE CARD FILE DRIVE SIZE [OPTION...]: move the pattern from a drive to a mapping
# on the card, and from there to a drive
through() {
	local from=$1 card=$2 file=$3 to=$4 size
	size=$(numfmt --from=iec "$5")
	new_pattern "$size"
	dd if="$DIR/pattern" of="$DIR/$from.img" bs=1M seek=16 conv=notrunc status=none
	dd if=/dev/zero of="$DIR/$to.img" bs=1M seek=96 count=64 conv=notrunc status=none

	run "dma ${*:6} ${N[$from]}@16M $file $size"
	like "${*:5}" "read $size bytes into the mapping" "$OUT"
	in_the_bar "$card"

	run "dma ${*:6} $file ${N[$to]}@96M $size"
	is "$to, written from $file" equal \
		"$(cmp -n "$size" -i 96M:0 "$DIR/$to.img" "$DIR/pattern" && echo equal)"
}

# with_fs MKFS: make that file system on the card, and a large file on it
with_fs() {
	create card fsdax
	run "$1 $NODE && mount -o dax=always $NODE /mnt/a && fallocate -l 64M /mnt/a/file && sync"
}

mkfs_ext4="mkfs.ext4 -q -F -b 4096"
mkfs_xfs="mkfs.xfs -q -f"

start() {
	blank card
	load ${cached:+cached=$cached}
	attach card
}

all_kinds() {
	local mkfs
	start
	drives drive
	for mkfs in "$mkfs_ext4" "$mkfs_xfs"; do
		with_fs "$mkfs"
		through drive card /mnt/a/file drive 8M
		run "umount /mnt/a"
		run "ndctl destroy-namespace -f all"
	done
	create card devdax -s 128M
	through drive card "$NODE" drive 8M
}

runs_in base

test_nvme() {
	shows "NVMe reads into, and writes from, files on ext4 and xfs and a devdax mapping"
	all_kinds
}

test_nvme_ram() {
	shows "the same with ivshmem known as RAM, as it is without a parameter"
	local cached=1af4:1110
	all_kinds
}

runs_in moved

test_nvme_iommu() {
	shows "the same behind an IOMMU"
	run "cat /sys/bus/pci/devices/${F[drive]}/iommu_group/type"
	like "the drive's IOMMU domain" "^DMA" "$OUT"
	all_kinds
}

runs_in p2p

# engines FILE: move data from a drive to the mapping to the other drive, by each engine
engines() {
	local engine
	drives drive drive2
	for engine in psync libaio io_uring; do
		through drive card "$1" drive2 4K -e $engine
		through drive card "$1" drive2 1M -e $engine -b 64K
		through drive card "$1" drive2 64M -e $engine -b 1M
	done
	through drive card "$1" drive2 64M
}

test_registered_buffers() {
	local refused="registering the mapping: Operation not supported"
	shows "io_uring's registered buffers: refused on fsdax, and on devdax by 6.1"
	start
	drives drive drive2
	with_fs "$mkfs_ext4"
	fails "$refused" "dma -e fixed ${N[drive]} /mnt/a/file 1M"
	run "umount /mnt/a && ndctl destroy-namespace -f all"
	create card devdax -s 128M
	case $KERNEL in
	6.1)
		fails "$refused" "dma -e fixed ${N[drive]} $NODE 1M"
		;;
	*)
		through drive card "$NODE" drive2 4K -e fixed
		through drive card "$NODE" drive2 64M -e fixed -b 1M
		;;
	esac
}

# edu COMMAND...: run the program edu, with the engine's registers mapped from sysfs
edu() {
	run "setpci -s ${F[edu]} COMMAND=6:6 && edu ${F[edu]} $*"
}

# copied_in_bar COMMAND...: let the engine copy, within the BAR, data that the host has put
# there
copied_in_bar() {
	local start end address at
	read -r start end < <(bar_of card)
	"$@" copy "$NODE" 0 0 0
	address=$(awk '$1 == "extent:" { print $3; exit }' <<<"$OUT")
	((address >= start && address <= end)) ||
		bad "pages of the mapping" "within $start to $end" "$address"
	at=$((address - start))
	new_pattern 8192
	dd if="$DIR/pattern" of="$DIR/card.bar" bs=4096 seek=$((at / 4096)) conv=notrunc status=none
	"$@" copy "$NODE" 0 64K 8K
	like "device" "from 0x" "$OUT"
	is "the copy in the BAR's file" equal \
		"$(cmp -n 8192 -i $((at + 65536)):0 "$DIR/card.bar" "$DIR/pattern" && echo equal)"
}

# in_order COMMAND...: let CPU and engine be producer and consumer
in_order() {
	new_text
	"$@" order "$NODE" "'$text'" 5
	like "CPU to device to CPU" "5 rounds in order" "$OUT"
	is "the last round's text, sent and answered, in the BAR's file" 2 "$(in_bar card "$text 5")"
}

test_edu() {
	shows "a bare DMA engine copies within the BAR, by physical addresses"
	start
	create card devdax -s 64M
	copied_in_bar edu
}

test_edu_order() {
	shows "CPU and device as producer and consumer, in order both ways"
	start
	create card devdax -s 64M
	in_order edu
}

test_edu_no_master() {
	shows "without its Bus Master bit the engine's DMA goes nowhere, silently"
	start
	create card devdax -s 64M
	run "setpci -s ${F[edu]} COMMAND=2:6"
	new_text
	run "echo '$text' | head -c 4096 | mapcp in $NODE $((${#text} + 1)) && edu ${F[edu]} copy $NODE 0 64K 4K"
	is "times in the BAR's file" 1 "$(in_bar card "$text")"
}

# network_up: configure the network card with the address that QEMU's network expects
network_up() {
	run "modprobe -q e1000e; d=\$(ls /sys/bus/pci/devices/${F[net]}/net) &&
		busybox ip link set \$d up &&
		{ busybox ip addr show dev \$d | grep -q 10.0.2.15 || busybox ip addr add 10.0.2.15/24 dev \$d; } &&
		busybox ip link set lo up &&
		await 30 \"[ \\\$(cat /sys/class/net/\$d/carrier) = 1 ]\""
}

# received HOW FILE SIZE: send the file, and compare what arrives on the host
received() {
	: >"$DIR/received"
	run "netsend $1 $2 $3 10.0.2.9 9"
	like "$1" "bytes sent" "$OUT"
	await 30 "[ \$(stat -c %s '$DIR/received') = $3 ]"
	is "received on the host" equal "$(cmp "$DIR/received" "$DIR/pattern" && echo equal)"
}

# network_kinds FILE: send the file, which holds the pattern, in each way
network_kinds() {
	received zerocopy "$1" 4194304
	in_the_bar card
	like "MSG_ZEROCOPY" "^[1-9][0-9]* sends, 0 of them copied" "$OUT"
	received vmsplice "$1" 4194304
	in_the_bar card
	received send "$1" 4194304
}

test_network() {
	local size=4194304
	shows "a network card sends from the card's pages: MSG_ZEROCOPY, vmsplice; sendfile from a file"
	start
	drives drive
	network_up
	new_pattern $size
	dd if="$DIR/pattern" of="$DIR/drive.img" bs=1M seek=16 conv=notrunc status=none
	with_fs "$mkfs_ext4"
	run "dma ${N[drive]}@16M /mnt/a/file $size"
	in_the_bar card
	network_kinds /mnt/a/file
	received sendfile /mnt/a/file $size
	run "umount /mnt/a && ndctl destroy-namespace -f all"
	create card devdax -s 64M
	run "dma ${N[drive]}@16M $NODE $size"
	network_kinds "$NODE"
	fails "sendfile: Invalid argument" "netsend sendfile $NODE $size 10.0.2.9 9"
}

test_network_loopback() {
	shows "over loopback the kernel copies, even with MSG_ZEROCOPY"
	start
	create card devdax -s 64M
	run "busybox ip link set lo up"
	launch "busybox nc -l -p 9" "ss -ltn | grep -q ':9 '"
	run "netsend zerocopy $NODE 1M 127.0.0.1 9"
	like "MSG_ZEROCOPY" "^([1-9][0-9]*) sends, \1 of them copied" "$OUT"
}

# caught COMMAND...: a check of this file has to fail
caught() {
	local out
	if out=$("$@" 2>&1); then
		bad "$*" "to fail" "$out"
	fi
	like "${*:1:4}" "within 0x|expected:" "$(grep expected: <<<"$out")"
}

test_redirected() {
	shows "the checks of these cases fail if the mapping is in DRAM"
	start
	drives drive drive2
	network_up
	create card devdax -s 64M
	run "head -c 8M /dev/zero >/tmp/memory"
	caught through drive card /tmp/memory drive2 8M
	NODE=/tmp/memory
	caught copied_in_bar edu
	caught in_order edu
	new_pattern 4194304
	dd if="$DIR/pattern" of="$DIR/drive.img" bs=1M seek=16 conv=notrunc status=none
	run "dma ${N[drive]}@16M /tmp/memory 4M"
	caught network_kinds /tmp/memory
	new_text
	echo "$text" | dd of="$DIR/drive.img" bs=1M seek=200 conv=notrunc status=none
	run "cd /tmp && fio --name=memory --filename=${N[drive]} --direct=1 --rw=read --bs=1M \
		--offset=200M --size=1M --iomem=mmapshared:/tmp/memory"
	is "text that fio has read into memory, times in the BAR's file" 0 "$(in_bar card "$text")"
}

# every_pair DOMAIN: try each drive with each card. One of each is behind a root port of its
# own, the other behind the switch.
every_pair() {
	local drive card
	declare -A at
	blank card card2
	load
	drives drive drive2
	for card in card card2; do
		attach $card
		create $card devdax -s 64M
		at[$card]=$NODE
	done
	for drive in drive drive2; do
		run "cat /sys/bus/pci/devices/${F[$drive]}/iommu_group/type 2>/dev/null || echo none"
		like "$drive's IOMMU domain" "^$1\$" "$OUT"
		run "lspci -vvv -s $(port_of $drive) | grep -o 'ACSCtl:.*' || echo none"
		saw "ACS of its port: $OUT"
		for card in card card2; do
			saw "$drive and $card:"
			through $drive $card "${at[$card]}" $drive 8M
		done
	done
}

# by_vfio COMMAND...: run the program edu, with the engine bound to vfio-pci
by_vfio() {
	run "edu -v ${F[edu]} $*"
	like "device" "registered at IOVA 0x1234000000" "$OUT"
}

vfio() {
	start
	run "modprobe vfio-pci && cd /sys/bus/pci/devices/${F[edu]} && echo vfio-pci >driver_override &&
		{ [ -e driver ] || echo ${F[edu]} >/sys/bus/pci/drivers/vfio-pci/bind; }"
	with_fs "$mkfs_ext4"
	fails "VFIO_IOMMU_MAP_DMA: Operation not supported" "edu -v ${F[edu]} copy /mnt/a/file 0 64K 8K"
	run "umount /mnt/a && ndctl destroy-namespace -f all"
	create card devdax -s 64M
	copied_in_bar by_vfio
	in_order by_vfio
	run "head -c 2M /dev/zero >/tmp/memory"
	NODE=/tmp/memory
	caught copied_in_bar by_vfio
	caught in_order by_vfio
	run "echo ${F[edu]} >/sys/bus/pci/drivers/vfio-pci/unbind; echo >/sys/bus/pci/devices/${F[edu]}/driver_override"
}

test_topologies() {
	shows "no IOMMU: drive and card both on root ports, both behind one switch, and one of them on each"
	every_pair none
}

runs_in p2p slow

test_engines_ext4() {
	shows "from a drive to a file on ext4 to another drive, 4 KiB to 64 MiB, by psync, libaio and io_uring"
	start
	with_fs "$mkfs_ext4"
	engines /mnt/a/file
}

test_unaligned() {
	local engine where at answer memory
	shows "unaligned offsets, lengths and addresses get the same answers as with memory"
	start
	drives drive
	create card devdax -s 128M
	run "head -c 2M /dev/zero >/tmp/memory"
	for engine in psync libaio io_uring; do
		for at in "@100 MAP 4K" "@512 MAP 4K" " MAP 100" " MAP@1 4K" " MAP@4 4K"; do
			memory=
			for where in /tmp/memory "$NODE"; do
				OUT=$(guest "dma -e $engine ${N[drive]}${at/MAP/$where}" 2>&1) || true
				answer=$(grep -o -e 'read: .*' -e 'read [0-9]* bytes' <<<"$OUT")
				[ -n "$answer" ] || bad "dma" "an answer" "$OUT"
				[ -n "$memory" ] || memory=$answer
				[ "$answer" = "$memory" ] ||
					bad "$engine ${at/MAP/$where}" "as with memory: $memory" "$answer"
			done
			saw "$engine, drive$at: $answer"
			case $at in
			@100* | *" 100" | *@1*) like "it is" "Invalid argument" "$answer" ;;
			*@512*) like "it is" "4096 bytes" "$answer" ;;
			esac
		done
	done
}

# Each thread has buffers of its own in the BAR. It first writes to the drive, reads that
# again and verifies it. Then it reads what the host has put on the drive.
test_fio() {
	local job jobs read_jobs n=0 drive engine
	local -a texts
	shows "fio with its buffers on the card: two drives, four threads, verified"
	start
	drives drive drive2
	with_fs "$mkfs_xfs"
	for drive in drive drive2; do
		for engine in libaio io_uring; do
			n=$((n + 1))
			new_text
			texts[n]=$text
			echo "$text" | dd of="$DIR/$drive.img" bs=4M seek=$((n * 8 + 4)) conv=notrunc status=none
			# fio unlinks its buffer, so keep another link
			run "fallocate -l 4M /mnt/a/$n && ln /mnt/a/$n /mnt/a/$n.verify && ln /mnt/a/$n /mnt/a/$n.read"
			job=" --name=$n --filename=${N[$drive]} --ioengine=$engine"
			jobs+="$job --iomem=mmapshared:/mnt/a/$n.verify --offset=$((n * 32))M --size=16M"
			read_jobs+="$job --iomem=mmapshared:/mnt/a/$n.read --offset=$((n * 32 + 16))M --size=1M --bs=1M"
		done
	done
	run "cd /tmp && fio --direct=1 --thread --rw=randwrite --bsrange=4k-128k --iodepth=8 \
		--verify=crc32c --verify_fatal=1 $jobs"
	is "threads that ended with an error" 0 "$(grep -c 'err= *[1-9]' <<<"$OUT")"
	is "threads without" 4 "$(grep -c 'err= *0' <<<"$OUT")"
	run "cd /tmp && fio --direct=1 --thread --rw=read $read_jobs"
	for n in 1 2 3 4; do
		is "text of thread $n, times in the BAR's file" 1 "$(in_bar card "${texts[n]}")"
	done
}

test_engines_xfs() {
	shows "from a drive to a file on xfs to another drive, 4 KiB to 64 MiB, by psync, libaio and io_uring"
	start
	with_fs "$mkfs_xfs"
	engines /mnt/a/file
}

test_engines_devdax() {
	shows "the same on devdax"
	start
	create card devdax -s 128M
	engines "$NODE"
}

runs_in strict

test_vfio() {
	shows "a devdax mapping that is registered with vfio is reached by IOVA; fsdax is refused"
	vfio
}

runs_in passthrough slow

test_topologies_passthrough() {
	shows "intel-iommu, iommu=pt: drive and card both on root ports, both behind one switch, and one of them on each"
	every_pair identity
}

runs_in viommu slow

has_viommu() {
	[ "$KERNEL" != 6.1 ] || skip "Debian's 6.1 is built without CONFIG_VIRTIO_IOMMU"
}

test_topologies_viommu() {
	shows "virtio-iommu, on another host bridge: drive and card both on root ports, both behind one switch, and one of them on each"
	has_viommu
	every_pair 'DMA(-FQ)?'
}

test_vfio_viommu() {
	shows "a devdax mapping that is registered with vfio is reached behind virtio-iommu"
	has_viommu
	# vfio asks for interrupt remapping, which this machine does not have
	run "modprobe vfio_iommu_type1 allow_unsafe_interrupts=1"
	vfio
}

runs_in strict slow

test_topologies_strict() {
	shows "intel-iommu, strict: drive and card both on root ports, both behind one switch, and one of them on each"
	every_pair DMA
}
