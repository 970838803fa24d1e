# SPDX-License-Identifier: GPL-2.0-only
# iopmem and its peers in one virtual machine, and the jobs that they all do
# shellcheck shell=bash

# nfit is the one that the others are compared with. card is write-combining, ram
# is known as RAM.
PEERS=(nfit card ram e820 ramdax virtio)

# How long a job runs
RUNTIME=500ms

# provider NAME: into REGION the region of that bus
provider() {
	run "udevadm settle; ndctl list -R -b $1"
	REGION=$(field dev)
}

# peer NAME: bind it; its region is in REGION
peer() {
	case $1 in
	card)
		# PMRCTL.EN
		run "setpci -s ${F[card]} COMMAND=2:2
			read -r start _ </sys/bus/pci/devices/${F[card]}/resource
			busybox devmem \$((start + 0xe04)) 32 1"
		;&
	ram)
		run "modprobe iopmem_bus"
		attach "$1"
		REGION=$(region_of "$1")
		;;
	nfit)
		run "modprobe nfit"
		provider ACPI.NFIT
		;;
	e820)
		run "modprobe nd_e820"
		provider e820
		;;
	ramdax)
		# e820's jobs have left a namespace in the same memory
		provider e820
		namespace raw
		run "dd if=/dev/zero of=$NODE bs=1M count=16 oflag=direct conv=fsync status=none"
		run "cd /sys/bus/platform && modprobe ramdax &&
			echo ramdax >devices/e820_pmem/driver_override &&
			{ [ ! -e devices/e820_pmem/driver ] || echo e820_pmem >drivers/e820_pmem/unbind; } &&
			echo e820_pmem >drivers/ramdax/bind"
		provider ramdax
		run "ndctl disable-region $REGION && ndctl init-labels -f -b ramdax all && ndctl enable-region $REGION"
		;;
	virtio)
		run "modprobe virtio_pmem"
		provider virtio-pmem
		;;
	esac
	[[ $REGION = region* ]] || bad "ndctl list -R" "the region of $1" "$OUT"
}

# namespace MODE [MAP]: the whole region as one; its device is in NODE
namespace() {
	local where="-r $REGION"
	run "ndctl list -N -r $REGION"
	[ -z "$(field dev)" ] || where="-f -e $(field dev)"
	run "ndctl create-namespace $where -m $1 ${2:+-M $2} && udevadm settle"
	NODE=/dev/$(sed -n 's/.*"\(blockdev\|chardev\)":"\([^"]*\)".*/\2/p' <<<"$OUT" | tail -n 1)
	[ "$NODE" != /dev/ ] || bad "create-namespace -m $1" "a device node" "$OUT"
}

# io FILE OPTION...: into VALUE the nanoseconds that fio takes for one operation
io() {
	run "fio --name=job --filename=$1 --size=64M --thread --time_based --runtime=$RUNTIME --gtod_reduce=1 --output-format=terse --terse-version=3 ${*:2}"
	VALUE=$(awk -F';' '$1 == 3 && $8 + $49 { printf "%.1f\n", 1e9 / ($8 + $49) }' <<<"$OUT")
	[[ $VALUE =~ ^[0-9.]+$ ]] || bad "fio ${*:2}" "figures" "$OUT"
}

# took COMMAND [BEFORE]: into VALUE the nanoseconds of COMMAND, of three times the
# least. BEFORE is not counted.
took() {
	run "for i in 1 2 3; do
			{ ${2:-:}; } >/dev/null 2>&1
			start=\${EPOCHREALTIME/./}
			{ $1; } >/dev/null || exit
			echo \$(((\${EPOCHREALTIME/./} - start) * 1000))
		done"
	VALUE=$(grep -x "[0-9]*" <<<"$OUT" | sort -n | head -n 1)
	[[ $VALUE =~ ^[0-9]+$ ]] || bad "$1" "its time" "$OUT"
}

# mkfs TYPE: the command that makes it on NODE. In ext4 extents fit large pages.
mkfs() {
	case $1 in
	ext4) echo "mkfs.ext4 -q -F -b 4096 -E lazy_itable_init=0,lazy_journal_init=0,stride=512,stripe_width=512 $NODE" ;;
	xfs) echo "mkfs.xfs -q -f $NODE" ;;
	esac
}

# mount_dax TYPE: the command that mounts it. ext4's journal commits when it is told to.
mount_dax() {
	local options=dax=always
	[ "$1" != ext4 ] || options+=,commit=3600
	echo "mount -o $options $NODE /mnt/a"
}

# binding NAME...: bind functions one after another, each until it has been probed to
# the end. Prints the microseconds that each takes.
binding() {
	local name
	run "cd /sys/bus/pci/drivers/iopmem
		for f in $(for name in "$@"; do echo "${F[$name]}"; done | tr '\n' ' '); do
			echo iopmem >/sys/bus/pci/devices/\$f/driver_override
			start=\${EPOCHREALTIME/./}
			echo \$f >bind && cat \$f/ndbus*/wait_probe >/dev/null || exit
			echo \$((\${EPOCHREALTIME/./} - start))
		done"
}

# lowest NAME TIMES: the shortest time of several to bind a function, since waits for
# the timer's next tick come on top
lowest() {
	local i
	for ((i = 0; i < $2; i++)); do
		binding "$1"
		echo "$OUT"
		detach "$1"
	done | sort -n | head -n 1
}
