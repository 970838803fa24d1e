# SPDX-License-Identifier: GPL-2.0-only
# iopmem and its peers in one virtual machine, and the jobs that all of them do
# shellcheck shell=bash

# The others are compared with nfit. iopmem is there twice: card is mapped
# write-combining, and ram is known as RAM.
PEERS=(nfit card ram e820 ramdax virtio)

# How long a job runs
RUNTIME=500ms

# provider NAME: set REGION to the region of that bus
provider() {
	settle
	run "ndctl list -R -b $1"
	REGION=$(field dev)
}

# peer NAME: bind it, and set REGION to its region
peer() {
	case $1 in
	card)
		# the memory answers once PMRCTL.EN is set
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

# namespace MODE [MAP]: make one namespace of the whole region. NODE is its device.
namespace() {
	local where="-r $REGION"
	run "ndctl list -N -r $REGION"
	[ -z "$(field dev)" ] || where="-f -e $(field dev)"
	run "ndctl create-namespace $where -m $1 ${2:+-M $2} && udevadm settle"
	NODE=/dev/$(sed -n 's/.*"\(blockdev\|chardev\)":"\([^"]*\)".*/\2/p' <<<"$OUT" | tail -n 1)
	[ "$NODE" != /dev/ ] || bad "create-namespace -m $1" "a device node" "$OUT"
}

# fio_ns FILE OPTION...: set VALUE to the nanoseconds that fio takes for one operation
fio_ns() {
	run "fio --name=job --filename=$1 --size=64M --thread --time_based --runtime=$RUNTIME --gtod_reduce=1 --output-format=terse --terse-version=3 ${*:2}"
	VALUE=$(awk -F';' '$1 == 3 && $8 + $49 { printf "%.1f\n", 1e9 / ($8 + $49) }' <<<"$OUT")
	[[ $VALUE =~ ^[0-9.]+$ ]] || bad "fio ${*:2}" "figures" "$OUT"
}

# took COMMAND [BEFORE]: run COMMAND three times, and set VALUE to the least nanoseconds
# that it took. BEFORE runs before it each time, and is not counted.
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

# mkfs TYPE: print the command that makes that file system on NODE. The options for ext4
# align extents to large pages.
mkfs() {
	case $1 in
	ext4) echo "mkfs.ext4 -q -F -b 4096 -E lazy_itable_init=0,lazy_journal_init=0,stride=512,stripe_width=512 $NODE" ;;
	xfs) echo "mkfs.xfs -q -f $NODE" ;;
	esac
}

# mount_dax TYPE: print the command that mounts it with DAX. ext4's journal does not commit
# by itself meanwhile, which would disturb the measurement.
mount_dax() {
	local options=dax=always
	[ "$1" != ext4 ] || options+=,commit=3600
	echo "mount -o $options $NODE /mnt/a"
}

# binding NAME...: bind functions one after another, and wait each time until the regions
# are probed, too. OUT has the microseconds that each takes.
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

# unbinding NAME...: the same for unbinding
unbinding() {
	local name
	run "cd /sys/bus/pci/drivers/iopmem
		for f in $(for name in "$@"; do echo "${F[$name]}"; done | tr '\n' ' '); do
			start=\${EPOCHREALTIME/./}
			echo \$f >unbind || exit
			echo \$((\${EPOCHREALTIME/./} - start))
		done"
}

# lowest NAME TIMES: bind and unbind a function several times, and set BIND and UNBIND to the
# shortest times. The others include waits for the timer's next tick.
lowest() {
	local i bound='' unbound=''
	for ((i = 0; i < $2; i++)); do
		binding "$1"
		bound+=$OUT$'\n'
		unbinding "$1"
		unbound+=$OUT$'\n'
	done
	BIND=$(sort -n <<<"${bound%$'\n'}" | head -n 1)
	UNBIND=$(sort -n <<<"${unbound%$'\n'}" | head -n 1)
}
