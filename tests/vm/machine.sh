# SPDX-License-Identifier: GPL-2.0-only
# The virtual machines of the demo, the tests and the benchmarks
# shellcheck shell=bash
#
# machine NAME DIR sets these:
#
#	QEMU		arguments
#	APPEND		the kernel's command line
#	CACHED		the driver's parameter of that name, as it is in APPEND
#	CPU_FLAGS	added to the processor's model
#	OWN_ACCEL	the accelerator, if it must not be the best one
#	BOOT		the folder of vmlinuz and initrd
#	DISK		the disk with the root file system
#	MODULES		the modules to load at boot
#	SLOTS		a line for each function: "name slot" if it is behind a root port,
#			"name slot/0/N" if it is behind port N of a switch there, and
#			"name slot.function" if it is on the root bus. The slot begins with
#			"80:" if that is not bus 0.
#
# The contents of BARs and drives are files in DIR, and outlive the machine.

QEMU=() APPEND='' CACHED='' CPU_FLAGS='' OWN_ACCEL='' SLOTS=() MODULES=() BOOT='' DISK=''

# The bus that root ports are on, which is pcie.0 or another host bridge, and its number
ROOT=pcie.0 ROOT_NUMBER=''

# bar NAME SIZE SLOT: an ivshmem card in a root port. Its BAR 2 is 64-bit and prefetchable.
bar() {
	memory "$1" "$2"
	root_port "$1" "$3"
	QEMU+=(-device "ivshmem-plain,memdev=$1-mem,bus=$1-port")
}

# bar_on_root NAME SIZE SLOT.FUNCTION: the same on the root bus, without a port
bar_on_root() {
	memory "$1" "$2"
	QEMU+=(-device "ivshmem-plain,memdev=$1-mem,bus=pcie.0,addr=$3,multifunction=on")
	SLOTS+=("$1 $3")
}

memory() {
	[ -e "$DIR/$1.bar" ] || truncate -s "$2" "$DIR/$1.bar"
	QEMU+=(-object "memory-backend-file,id=$1-mem,mem-path=$DIR/$1.bar,size=$2,share=on")
}

# root_port NAME SLOT [PROPERTIES]
root_port() {
	QEMU+=(-device "pcie-root-port,id=$1-port,bus=$ROOT,addr=$2,chassis=$((16#$2)),slot=$((16#$2))$3")
	SLOTS+=("$1 $ROOT_NUMBER$2")
}

# drive SLOT: an NVMe controller in a root port, as the initiator of DMA
drive() {
	root_port drive "$1"
	nvme drive
}

# nvme NAME: a drive in the port of that name. The name is its serial number, too.
nvme() {
	[ -e "$DIR/$1.img" ] || truncate -s 256M "$DIR/$1.img"
	MODULES+=(nvme)
	QEMU+=(-drive "file=$DIR/$1.img,if=none,id=$1,format=raw"
		-device "nvme,serial=$1,drive=$1,bus=$1-port")
}

# switch SLOT NAME...: a switch with a downstream port for each name
switch() {
	local slot=$1 n=0
	root_port switch "$slot"
	QEMU+=(-device "x3130-upstream,id=switch,bus=switch-port")
	for name in "${@:2}"; do
		QEMU+=(-device "xio3130-downstream,id=$name-port,bus=switch,addr=$n,chassis=64,slot=$n")
		SLOTS+=("$name $ROOT_NUMBER$slot/00/0$n")
		n=$((n + 1))
	done
}

# on_root NAME SLOT DEVICE: any other function
on_root() {
	QEMU+=(-device "$3,bus=pcie.0,addr=$2.0")
	SLOTS+=("$1 $2.0")
}

# p2p_devices: a card and a drive in root ports of their own, another card and drive behind
# one switch, and a bare DMA engine
p2p_devices() {
	bar card 512M 10
	drive 11
	switch 12 card2 drive2
	memory card2 128M
	QEMU+=(-device "ivshmem-plain,memdev=card2-mem,bus=card2-port")
	nvme drive2
	root_port edu 14
	QEMU+=(-device "edu,dma_mask=0xffffffffffffffff,bus=edu-port")
}

# network SLOT: a network card. Data sent to port 9 of 10.0.2.9 arrives in the file
# "received" on the host. The guest reaches nothing else.
network() {
	root_port net "$1"
	MODULES+=(e1000e)
	QEMU+=(-chardev "file,id=received,path=$DIR/received,append=on"
		-netdev "user,id=net,restrict=on,guestfwd=tcp:10.0.2.9:9-chardev:received"
		-device "e1000e,netdev=net,bus=net-port")
}

# two_bars SLOT: an NVMe controller with a drive, and with memory in two BARs. The memory
# of BAR 2 (CMB) answers from the start, that of BAR 4 (PMR) once it is switched on.
two_bars() {
	[ -e "$DIR/pmr.bar" ] || truncate -s 16M "$DIR/pmr.bar"
	[ -e "$DIR/two.img" ] || truncate -s 16M "$DIR/two.img"
	root_port two_bars "$1"
	QEMU+=(-object "memory-backend-file,id=pmr,mem-path=$DIR/pmr.bar,size=16M,share=on"
		-drive "file=$DIR/two.img,if=none,id=two,format=raw"
		-device "nvme,serial=two,drive=two,cmb_size_mb=64,legacy-cmb=on,pmrdev=pmr,bus=two_bars-port")
}

# wire HERE THERE NUMBER: a network between two machines. The other one swaps the names.
# It uses datagrams, so either machine can start and end alone.
wire() {
	MODULES+=(virtio_net)
	QEMU+=(-netdev "dgram,id=net,local.type=unix,local.path=$DIR/$1.net,remote.type=unix,remote.path=$DIR/$2.net"
		-device "virtio-net-pci,netdev=net,host_mtu=9000,mac=52:54:00:00:00:0$3,bus=pcie.0,addr=17.0")
}

# hotplug: plug cards by PCIe's native hotplug, or by ACPI's with HOTPLUG=acpi. On arm64
# there is no firmware that reserves memory for a port as QEMU's property asks, so the
# kernel reserves some for each port.
hotplug() {
	case $ARCH in
	amd64)
		[ "$HOTPLUG" = acpi ] ||
			QEMU+=(-global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off)
		;;
	arm64) APPEND+=" pci=hpmmioprefsize=1G" ;;
	esac
}

# iommu: add an IOMMU that translates
iommu() {
	case $ARCH in
	amd64)
		QEMU+=(-device intel-iommu)
		APPEND+=" intel_iommu=on"
		;;
	arm64) QEMU+=(-machine iommu=smmuv3) ;;
	esac
}

# only_ram [IDS]: say by cached= which cards are RAM. On arm64 the driver takes only cards
# that are RAM: ivshmem, and those of IDS. Elsewhere cached=none makes ivshmem a card that
# is not RAM. modprobe reads the parameter from the kernel's command line, too.
only_ram() {
	case $ARCH in
	amd64) CACHED=none ;;
	arm64) CACHED=$1 ;;
	esac
	APPEND=${CACHED:+" iopmem_bus.cached=$CACHED"}
}

machine() {
	DIR=$2
	QEMU=(-smp 2 -m 2G) CPU_FLAGS='' OWN_ACCEL='' SLOTS=() MODULES=()
	only_ram
	ROOT=pcie.0 ROOT_NUMBER=''
	BOOT=$IMAGE DISK=$IMAGE/disk.img,snapshot=on
	case $1 in
	demo)
		APPEND=''
		bar card 512M 10
		drive 11
		;;
	# The large BAR makes the firmware put all BARs above 4 GiB. There its MTRRs say
	# write-back, and below they say uncached.
	base)
		only_ram 11f8:f115	# the card that tests/helpers/softbridge makes
		bar large 8G 13
		bar card 512M 10
		bar cut 64M 11
		drive 12
		bar kept 128M 14
		bar recorded 128M 15
		bar_on_root pair0 64M 18.0
		bar_on_root pair1 64M 18.1
		bar_on_root tiny 1M 19.0
		on_root registers 1a edu,dma_mask=0xffffffffffffffff
		on_root ports 1b pci-serial
		;;
	# two cards of base in other slots, and an IOMMU
	moved)
		iommu
		drive 10
		bar card 512M 15
		bar kept 128M 16
		;;
	# peer-to-peer without an IOMMU
	p2p)
		p2p_devices
		network 13
		;;
	# with an IOMMU that translates, and unmaps at once
	strict)
		iommu
		APPEND+=" iommu.strict=1"
		p2p_devices
		;;
	# with an IOMMU that translates only for drivers that ask for it, as vfio does
	passthrough)
		iommu
		case $ARCH in
		amd64) APPEND+=" iommu=pt" ;;
		arm64) APPEND+=" iommu.passthrough=1" ;;
		esac
		p2p_devices
		;;
	# with a virtio-iommu. It is for a second host bridge only, since the disk has its
	# driver, so the disk must not be behind it.
	viommu)
		QEMU+=(-machine default-bus-bypass-iommu=on
			-device "virtio-iommu-pci,bus=pcie.0,addr=8"
			-device "pxb-pcie,id=far,bus=pcie.0,addr=9,bus_nr=128")
		MODULES+=(virtio_iommu)
		ROOT=far ROOT_NUMBER=80:
		p2p_devices
		;;
	# for hotplug: a port with room in its window for a card, and one without
	hotplug)
		hotplug
		bar card 512M 10
		drive 12
		root_port hot 13 ,pref64-reserve=1G
		root_port cramped 14
		# Two functions below one port. QEMU can inject an error into the first one,
		# since of its devices only those of virtio report injected errors.
		memory beside 64M
		root_port beside 15
		QEMU+=(-device "virtio-rng-pci,id=neighbour,bus=beside-port,addr=0.0,multifunction=on,aer=on"
			-device "ivshmem-plain,memdev=beside-mem,bus=beside-port,addr=0.1")
		;;
	# kinds of BARs, and more address bits than the kernel maps
	bars)
		[ "$ARCH" != amd64 ] || CPU_FLAGS=,phys-bits=46
		only_ram 1b36:0010,1234:1111
		two_bars 10
		on_root display 1a bochs-display,vgamem=64M
		;;
	# 32 functions in 4 slots
	many)
		for ((i = 0; i < 32; i++)); do
			bar_on_root "many$i" 4M "$(printf '%x.%d' $((16 + i / 8)) $((i % 8)))"
		done
		;;
	# for work on many functions at once: 16 functions, a drive, and a slot
	races)
		hotplug
		drive 12
		root_port hot 13 ,pref64-reserve=1G
		for ((i = 0; i < 16; i++)); do
			bar_on_root "race$i" 64M "$(printf '%x.%d' $((24 + i / 8)) $((i % 8)))"
		done
		;;
	# the driver's parameters on the kernel's command line, as for a built-in driver
	cmdline)
		APPEND+=" iopmem_bus.ids=1af4:1110 iopmem_bus.bars=2-3 iopmem_bus.labels=0 iopmem_bus.cached=1af4:1110"
		bar card 512M 10
		;;
	# as on bare metal, with BARs where the MTRRs say write-back
	bare)
		CPU_FLAGS=,-hypervisor
		bar large 8G 13
		bar card 512M 10
		;;
	# for measuring time: the clock counts instructions, so times repeat exactly
	exact)
		OWN_ACCEL=tcg,thread=single
		CPU_FLAGS=,phys-bits=46
		QEMU=(-smp 1 -m "2G,slots=1,maxmem=3G" -icount "shift=0,sleep=off"
			-machine nvdimm=on
			-object "memory-backend-ram,id=nfit,size=256M" -device "nvdimm,memdev=nfit")
		bar_on_root huge 1T 18.0
		bar_on_root small 256M 18.1
		for ((i = 0; i < 64; i++)); do
			bar_on_root "many$i" 4M "$(printf '%x.%d' $((16 + i / 8)) $((i % 8)))"
		done
		;;
	# two machines on one network that have the same card
	near)
		wire near far 1
		bar card 512M 10
		;;
	far)
		wire far near 2
		bar card 512M 10
		;;
	# for make bench-p2p: QEMU counts instructions, and the drive has memory in a BAR of
	# its own
	peers)
		OWN_ACCEL=tcg,thread=single
		QEMU=(-smp 1 -m 2G -icount shift=0 -plugin "$DIR/count.so")
		bar card 512M 10
		[ -e "$DIR/drive.img" ] || truncate -s 256M "$DIR/drive.img"
		root_port drive 11
		MODULES+=(nvme)
		QEMU+=(-drive "file=$DIR/drive.img,if=none,id=drive,format=raw"
			-device "nvme,serial=iopmem,drive=drive,cmb_size_mb=64,mdts=10,bus=drive-port")
		;;
	# for make bench: iopmem and its peers, each with 512 MiB. e820 and ramdax use the
	# same memory. In exact_peers the clock counts instructions, as in exact. The memory
	# is anonymous: where the host writes a file back, the guest's next store takes long.
	# virtio-pmem needs a file.
	exact_peers | timed_peers)
		QEMU=(-smp 2)
		[ "$1" = timed_peers ] || {
			OWN_ACCEL=tcg,thread=single
			QEMU=(-smp 1 -icount "shift=0,sleep=off")
		}
		QEMU+=(-m "2560M,slots=1,maxmem=8G" -machine nvdimm=on)
		APPEND=" memmap=512M!1536M"
		[ -e "$DIR/peers.img" ] || truncate -s 512M "$DIR/peers.img"
		local name
		for name in nfit ram card; do
			QEMU+=(-object "memory-backend-ram,id=$name-mem,size=512M")
		done
		QEMU+=(-device "nvdimm,memdev=nfit-mem")
		root_port ram 10
		QEMU+=(-device "ivshmem-plain,memdev=ram-mem,bus=ram-port")
		# NVMe's PMR is memory that the driver does not know as RAM
		root_port card 11
		QEMU+=(-device "nvme,serial=card,pmrdev=card-mem,bus=card-port")
		memory virtio 512M
		QEMU+=(-device "virtio-pmem-pci,memdev=virtio-mem,bus=pcie.0,addr=12.0")
		root_port drive 13
		QEMU+=(-drive "file=$DIR/peers.img,if=none,id=drive,format=raw"
			-device "nvme,serial=drive,drive=drive,bus=drive-port")
		;;
	# for costs that grow with the size of a BAR, or with the number of functions
	scale)
		OWN_ACCEL=tcg,thread=single
		CPU_FLAGS=,phys-bits=46
		QEMU=(-smp 1 -m 2G -icount "shift=0,sleep=off")
		local size=256
		for ((i = 0; i < 7; i++)); do
			bar_on_root "size$size" "${size}M" "$(printf '18.%d' "$i")"
			size=$((size * 4))
		done
		for ((i = 0; i < 64; i++)); do
			bar_on_root "many$i" 4M "$(printf '%x.%d' $((16 + i / 8)) $((i % 8)))"
		done
		;;
	# for power cuts: the guest writes into notes what was acknowledged, so the host sees
	# it at once
	torture)
		# boot fast, since this machine is booted often
		APPEND+=" loglevel=5 mitigations=off"
		MODULES+=(ext4 xfs nd_pmem nd_btt device_dax dax_pmem)
		bar victim 1G 10
		bar_on_root notes 1M 18.0
		;;
	# a Debian as a user has it, made by tests/vm/life/image. Its disk is kept from case
	# to case. tests/repo/life.sh leaves out a card by the file MISSING, and swaps the
	# slots by the file SWAPPED. The folder SECURE has another firmware, if it exists.
	life)
		BOOT=$DIR/boot DISK=$DIR/disk.img
		[ ! -e "$DIR/SECURE" ] || QEMU+=(-machine smm=on
			-global "driver=cfi.pflash01,property=secure,value=on"
			-drive "if=pflash,unit=0,format=raw,readonly=on,file=$DIR/SECURE/code.fd"
			-drive "if=pflash,unit=1,format=raw,file=$DIR/SECURE/vars.fd")
		APPEND=' root=/dev/vda rw quiet'
		local slots=(10 11)
		[ ! -e "$DIR/SWAPPED" ] || slots=(11 10)
		[ -e "$DIR/MISSING" ] || bar card 512M "${slots[0]}"
		bar second 512M "${slots[1]}"
		drive 12
		;;
	# with a kernel that cannot map write-combining
	nopat)
		APPEND=" iopmem_bus.cached=none"
		[ "$ARCH" != amd64 ] || APPEND+=" nopat"
		bar card 512M 10
		;;
	*)
		die "machine '$1' is not in tests/vm/machine.sh"
		;;
	esac
}
