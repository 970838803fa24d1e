# SPDX-License-Identifier: GPL-2.0-only
# Nonsense from a card, from a program and from an administrator: label areas, info blocks
# and BTTs, ioctls, configuration space, sysfs. COUNT= is the number of runs, SEED= the seed
# of the random numbers, and FIRST= the run to begin with.
# shellcheck shell=bash

area=131072

# runs DEFAULT: set the number of runs and the seed. make check uses the same seed each time,
# so that only a change can make it fail. make torture uses a new one.
runs() {
	N=${COUNT:-$1}
	[ -n "$TORTURE" ] || SEED=${SEED:-1}
	SEED=${SEED:-$((RANDOM << 15 | RANDOM))}
	FIRST=${FIRST:-0}
	saw "SEED=$SEED FIRST=$FIRST COUNT=$N"
}

# quick: save time. End udev, shorten RCU's grace periods, and print only warnings to the
# console. slow_again undoes that.
quick() {
	without_udev
	run "dmesg -n 5; echo 1 >/sys/kernel/rcu_expedited"
}

slow_again() {
	run "dmesg -n 7; echo 0 >/sys/kernel/rcu_expedited"
	udev_on
}

# program SECONDS COMMAND: run a command that has to succeed. SECONDS is its deadline on an
# idle machine. Its output is in OUT.
program() {
	local rc=0
	OUT=$(guest_slow $(($1 * PACE)) "$2" 2>&1) || rc=$?
	[ "$rc" = 0 ] || bad "$2" "to succeed" "exit status $rc, $OUT"
}

# number NAME: a number of the last line of OUT
number() {
	sed -n "s/^seed.* $1 \([0-9.]*\).*/\1/p" <<<"$OUT"
}

# some NAME: that number has to be more than 0
some() {
	[ "$(number "$1")" -gt 0 ] || bad "$1" "some" "$(number "$1")"
}

# label_area VERSION: make a file for the guest of a recorded label area (see versions.sh).
# Mutations begin with it.
label_area() {
	local at bytes
	truncate -s $area "$VM/share/area-$1"
	while read -r at bytes; do
		[ "$at" != '#' ] || continue
		[ $((16#$at)) -ge $((0x7fe0000)) ] || continue
		# shellcheck disable=SC2059
		printf "\\x${bytes// /\\x}" |
			dd of="$VM/share/area-$1" bs=1 seek=$((16#$at - 0x7fe0000)) conv=notrunc status=none
	done <"$top/tests/data/labels-$1"
}

# data_of NAME: a checksum of the BAR without the label area
data_of() {
	head -c -$area "$DIR/$1.bar" | sha256sum
}

# labels DEFAULT: try that many label areas
labels() {
	local before n
	runs "$1"
	label_area 1.1
	label_area 1.2
	load
	attach recorded
	detach recorded
	head -c 128M /dev/urandom >"$DIR/recorded.bar"
	before=$(data_of recorded)
	quick
	program $((60 + N)) "hostile labels ${F[recorded]} $SEED $FIRST $N /host/area-*"
	saw "$(grep ^seed <<<"$OUT")"
	is "areas" "$N" "$(number areas)"
	[ "$N" -lt 50 ] || for n in namespaces dimms_off regions_off created refused found_again; do
		some $n
	done
	slow_again
	[ "$(data_of recorded)" = "$before" ] || bad "the BAR outside its label area" "as it was" "changes"
	figure "hostile label areas" "$N" "bound and unbound, SEED=$SEED"
	saw "the BAR outside its label area: as it was"
	blank recorded
	attach recorded
	create recorded fsdax -s 16M
}

runs_in base

test_labels() {
	shows "200 hostile label areas are bound, listed and unbound, and a namespace is created and deleted; no namespaces overlap, and no other byte is written"
	labels 200
}

# The program hostile needs room for such a label. Without it, it ends with "buffer
# overflow".
test_labels_last_slot() {
	shows "the same with ten areas, one of which has a label of 256 bytes in the last slot for 128 bytes"
	SEED=${SEED:-699458176} FIRST=${FIRST:-1370} labels 10
}

runs_in base torture

test_labels_many() {
	shows "the same with 10000 label areas"
	labels 10000
}

runs_in base

# On 6.1 such an index makes libnvdimm write beyond its copy of the label area.
test_labels_off() {
	shows "with labels=0, a label area that harms libnvdimm of 6.1 is not read; the region is one namespace without labels"
	label_area 1.2
	blank recorded
	run "labelforge index.nslot=0x10001fe index.free=0xff </host/area-1.2 >/host/forged"
	dd if="$VM/share/forged" of="$DIR/recorded.bar" bs=$area seek=1023 conv=notrunc status=none
	load labels=0
	attach recorded
	fails "^read 0 nmem" "ndctl read-labels -j nmem0"
	run "ndctl list -N"
	is "namespace" fsdax "$(field mode)"
	is "its size" $((128 << 20)) "$(field size)"
	detach recorded
	is "the label area in the BAR's file" same \
		"$(tail -c $area "$DIR/recorded.bar" | cmp - "$VM/share/forged" && echo same)"
}

# blocks DEFAULT: try hostile info blocks of three namespaces, a BTT, a PFN and a DAX one.
# With labels 1.1, a BTT's info block is at the offset that it had before there were labels.
blocks() {
	local v before n
	runs "$1"
	blank pair0
	for v in 1.1 1.2; do
		load
		attach pair0
		run "region=$(region_of pair0); ndctl disable-region \$region && ndctl init-labels -f -V $v nmem0 &&
			ndctl enable-region \$region && echo $((2 << 20)) >/sys/bus/nd/devices/\$region/align"
		create pair0 fsdax -s 16M
		create pair0 devdax -s 16M
		create pair0 sector -s 20M
		detach pair0
		before=$(tail -c $area "$DIR/pair0.bar" | sha256sum)
		# the rest of the region, which belongs to no namespace
		head -c $((12 << 20)) /dev/urandom | head -c -$area |
			dd of="$DIR/pair0.bar" bs=1M seek=52 conv=notrunc status=none
		before+=$(tail -c $((12 << 20)) "$DIR/pair0.bar" | sha256sum)
		quick
		program $((60 + 2 * N)) "hostile blocks ${F[pair0]} $SEED $FIRST $((N / 2))"
		saw "labels $v: $(tr '\n' ' ' <<<"$OUT")"
		is "areas" $((N / 2)) "$(number areas)"
		[ "$N" -lt 50 ] || for n in disabled disks reads; do
			some $n
		done
		slow_again
		[ "$(tail -c $area "$DIR/pair0.bar" | sha256sum)$(tail -c $((12 << 20)) "$DIR/pair0.bar" | sha256sum)" = "$before" ] ||
			bad "the label area and what belongs to no namespace" "as they were" "changes"
		run "rmmod iopmem_bus"
	done
	figure "hostile info blocks and BTTs" "$N" "nothing else written, SEED=$SEED"
	saw "the label area and what belongs to no namespace: as they were"
}

# ioctls root|user DEFAULT: make that many random calls
ioctls() {
	runs "$2"
	blank pair0
	load
	attach pair0
	run "ndctl disable-region $(region_of pair0) && ndctl init-labels -f nmem0 && ndctl enable-region $(region_of pair0)"
	quick
	program $((120 + N / 100)) "ioctls $1 ${F[pair0]} $SEED $N"
	saw "$(tr '\n' ' ' <<<"$OUT")"
	is "calls" "$N" "$(number calls)"
	like "the driver's own refusals" "^EINVAL [1-9]" "$OUT"
	figure "random ioctls as $1" "$N" "no report, SEED=$SEED"
}

# racing_ioctls DEFAULT: make random calls as root, beside changes of the region
racing_ioctls() {
	ioctls root "$1"
	like "refusals since the region is on" "^EBUSY [1-9]" "$OUT"
	like "refusals since the function is gone" "^ENXIO [1-9]" "$OUT"
	like "refusals of pointers" "^EFAULT [1-9]" "$OUT"
	for n in gets sets rebinds; do
		some $n
	done
	slow_again
}

# user_ioctls DEFAULT: make random calls as a user
user_ioctls() {
	ioctls user "$1"
	like "the kernel refuses to open the nodes" "^opens refused [1-9]" "$OUT"
	like "refusals of a descriptor for reading" "^EPERM [1-9]" "$OUT"
	is "label commands that wrote" 0 "$(number sets)"
	like "afterwards" "the label area is as it was" "$OUT"
	slow_again
}

runs_in base

test_blocks() {
	shows "20 hostile info blocks and BTTs: the namespace is enabled or not, and no other byte is written"
	blocks 20
}

test_ioctls() {
	shows "40000 random calls as root, with the region on and off, lengths that change meanwhile, and unbinding and binding between the calls: only a call that succeeds changes labels"
	racing_ioctls 40000
}

test_ioctls_user() {
	shows "10000 random calls as a user: no node can be opened, and a descriptor that root has opened for reading changes nothing"
	user_ioctls 10000
}

runs_in base torture

test_blocks_many() {
	shows "the same with 1000 info blocks and BTTs"
	blocks 1000
}

test_ioctls_many() {
	shows "800000 random calls as root"
	racing_ioctls 800000
}

test_ioctls_user_many() {
	shows "200000 random calls as a user"
	user_ioctls 200000
}

runs_in base

# fsync_fails, fsync_works WHEN: an fsync of NODE has to fail, or to work
fsync_fails() {
	fails "fsync failed.*Input/output error" "dd if=/dev/zero of=$NODE bs=4K count=1 seek=1 conv=fsync,notrunc status=none"
}

fsync_works() {
	run "dd if=/dev/zero of=$NODE bs=4K count=1 seek=1 conv=fsync,notrunc status=none && head -n1 $NODE"
	is "$1: fsync works, and the contents are" kept "$OUT"
}

kept_namespace() {
	create "$1" raw -s 16M
	run "echo kept | dd of=$NODE bs=4096 conv=sync,fsync oflag=direct status=none"
}

# registers WHAT NAME=VALUE...: change these registers in cut's configuration space while
# the driver is bound, and put them back
registers() {
	local what=$1 r was=()
	shift
	for r in "$@"; do
		was+=("${r%%=*}=$(guest "setpci -s ${F[cut]} ${r%%=*}")")
	done
	run "setpci -s ${F[cut]} $*"
	fsync_fails
	fails "get: EIO" "labelcmd get /dev/nmem0 0 16"
	run "setpci -s ${F[cut]} ${was[*]}"
	fails "Input/output error" "dd if=/dev/zero of=$NODE bs=4K count=1 seek=1 conv=fsync,notrunc status=none"
	run "setpci -s ${F[cut]} $*"
	detach cut
	run "setpci -s ${F[cut]} ${was[*]}"
	attach cut
	fsync_works "unbound with $what, bound again"
}

test_config() {
	shows "if memory decoding is switched off or the BAR's address is changed while the driver is bound, fsync and label commands fail, and unbinding works"
	disks_fail
	blank cut
	load
	attach cut
	kept_namespace cut
	registers "no memory decoding" COMMAND=0:2
	registers "another address in the BAR" BASE_ADDRESS_2.l=0x0000000c BASE_ADDRESS_3.l=0x00000070
	registers "all ones in the BAR" BASE_ADDRESS_2.l=0xffffffff BASE_ADDRESS_3.l=0xffffffff
}

test_sysfs() {
	shows "garbage in every writable file of the module, the driver and the function's nd bus is refused, unless the file takes any text, and nothing else changes"
	blank pair0
	load
	attach pair0
	create pair0 raw -s 16M -n first
	create pair0 sector -s 16M -n second
	udev_off
	run "cat >/tmp/garbage.sh <<-'END'
		f=\$1
		cd /sys
		# leave out files of the block layer and of the driver core
		find module/iopmem_bus/ bus/pci/drivers/iopmem/ bus/pci/devices/\$f/ndbus*/ \\
			-name block -prune -o -name power -prune -o -type f -perm /222 ! -name uevent -print >/tmp/files
		echo bus/pci/devices/\$f/driver_override >>/tmp/files
		find module/iopmem_bus/ bus/pci/devices/\$f/ndbus*/ -name block -prune -o -name power -prune -o \\
			-type f -perm /444 ! -name alt_name -print >/tmp/readable
		A=\$(printf '%4095s' | tr ' ' A)
		garbage=('\n' ' ' '-1' '-9223372036854775809' '99999999999999999999999' '0xfffffffffffffffff'
			'\0377\0376\0001\0002' '\0000\0000' 'кирилл' '%s%n%p' '../../../etc/passwd' '2e9' ';reboot'
			\"\$A\" \"\$A\$A\$A\" '-' ',' ':' '0000:00:00.0.0' 'zzzz:zz:zz.z' 'ffff ffff ffff ffff ffff ffff ffff ffff z')
		state() {
			while read -r name; do
				value=
				IFS= read -r -d '' value 2>/dev/null <\$name
				printf '%s: %s\n' \$name \"\$value\"
			done </tmp/readable
			ls -l --time-style=+ bus/pci/drivers/iopmem/
		}
		state >/tmp/state.0 2>/dev/null
		tries=0 refused=0
		while read -r name; do
			for g in \"\${garbage[@]}\"; do
				tries=\$((tries + 1))
				if printf '%b' \"\$g\" 2>/dev/null >\$name; then
					echo \"\${name##*/}\" >>/tmp/taken
				else
					refused=\$((refused + 1))
				fi
			done
			: 2>/dev/null >\$name
		done </tmp/files
		echo >bus/pci/devices/\$f/driver_override
		echo iopmem >bus/pci/devices/\$f/driver_override
		state >/tmp/state.1 2>/dev/null
		echo files \$(wc -l </tmp/files) tries \$tries refused \$refused
		echo names \$(sed 's,.*/,,' /tmp/files | sort -u)
		echo taken \$(sort -u /tmp/taken)
		diff /tmp/state.0 /tmp/state.1 && echo nothing has changed
	END
	rm -f /tmp/taken; bash /tmp/garbage.sh ${F[pair0]}"
	saw "$(head -n 1 <<<"$OUT")"
	like "the files" "^names .*bind .*driver_override .*new_id .*remove_id .*unbind" "$OUT"
	# These files of libnvdimm take any name, any text that begins like a truth value, or
	# an empty line.
	is "other files that take any of it" "" "$(sed -n 's/^taken //p' <<<"$OUT" | tr ' ' '\n' |
		grep -vxE 'driver_override|alt_name|force_raw|read_only|holder_class|mode|namespace' | xargs)"
	like "afterwards" "^nothing has changed" "$OUT"
	like "refused" "refused [1-9][0-9]{2}" "$OUT"
	udev_on
	run "ndctl list -N | grep -c '\"uuid\"'"
	is "namespaces" 2 "$OUT"
	detach pair0
	attach pair0
	run "ndctl list -N | grep -c '\"uuid\"'"
	is "bound again" 2 "$OUT"
}

runs_in base slow

test_config_soft() {
	local soft=10000:00:00.0
	shows "if the ids or the size of a resizable BAR change while the driver is bound, it goes on with the ids and the size from before"
	blank card
	load
	F[soft]=$soft
	run "insmod /usr/local/bin/softbridge.ko size=$((128 << 20)) target=${F[card]} offset=$((256 << 20))"
	settle
	kept_namespace soft
	run "echo 0x12345678 >/sys/module/softbridge/parameters/id; setpci -s $soft VENDOR_ID.l"
	is "the ids" 12345678 "$OUT"
	fsync_works "with other ids"
	detach soft
	attach soft
	fsync_works "bound again"
	run "echo 0 >/sys/module/softbridge/parameters/id"
	fails "Device or resource busy" "echo 6 >/sys/bus/pci/devices/$soft/resource2_resize"
	run "setpci -s $soft ECAP_REBAR+8.l=00000622; setpci -s $soft ECAP_REBAR+8.l"
	is "the size in its register, 64 MiB" 00000622 "$OUT"
	fsync_works "with another size in the register"
	run "cat /sys/bus/nd/devices/$(region_of soft)/size"
	is "the region's size" $(((128 << 20) - area)) "$OUT"
	detach soft
	attach soft
	fsync_works "bound again"
}
