# SPDX-License-Identifier: GPL-2.0-only
# ndctl-iopmem bind and unbind with the real driver and a real /proc
# shellcheck shell=bash
runs_in base

# at NAME: set AT to the function's "driver,driver_override"
at() {
	run "cd /sys/bus/pci/devices/${F[$1]}; d=\$(readlink driver); echo \${d##*/},\$(cat driver_override)"
	AT=$OUT
}

# json KEY [N]: the key's first or Nth value in the JSON in OUT, which may have other lines
# before it
json() {
	sed -n "s/^ *\"$1\":\"\?\([^\",]*\)\"\?,\?\$/\1/p" <<<"$OUT" | sed -n "${2:-1}p"
}

# opens FILE: launch a process that keeps the file open
opens() {
	launch "sleep 999 3<$1" 'grep -qx sleep /proc/$pid/comm'
}

# maps FILE@OFFSET LENGTH: launch a process that keeps the file mapped, and does not store
maps() {
	local name=${1##*/}
	launch "mapcp part $1 $2" "grep -q '/${name%@*}\$' /proc/\$pid/maps"
}

test_bind() {
	shows "bind loads the module, binds the function, and lists its regions and namespaces; unbind undoes that"
	blank card
	run "ndctl-iopmem bind ${F[card]}"
	is "function" "${F[card]}" "$(json function)"
	is "action" bound "$(json action)"
	is "previous_driver" null "$(json previous_driver)"
	is "driver" iopmem "$(json driver)"
	is "persistent" false "$(json persistent)"
	is "region" "$(region_of card)" "$(json region)"
	is "bar" 2 "$(json bar)"
	is "region_size" $(((512 << 20) - 131072)) "$(json region_size)"
	at card
	is "where it is" iopmem,iopmem "$AT"
	create card fsdax -s 64M -n first
	create card devdax -s 32M -n second
	run "ndctl-iopmem bind ${F[card]}"
	is "again" none "$(json action)"
	run "ndctl-iopmem unbind ${F[card]}"
	is "unbind" unbound "$(json action)"
	is "previous_driver" iopmem "$(json previous_driver)"
	is "driver" null "$(json driver)"
	at card
	is "where it is" ",(null)" "$AT"
	run "ls /sys/bus/nd/devices | wc -l"
	is "left on the nd bus" 0 "$OUT"
	run "ndctl-iopmem unbind ${F[card]}"
	is "again" none "$(json action)"
	run "ndctl-iopmem bind -u /sys/bus/pci/devices/${F[card]}"
	is "namespaces listed at the next bind" "first second " "$(json name 1) $(json name 2) "
	is "their nodes, there already" "pmem0 dax0.1" "$(json blockdev) $(json chardev)"
	run "ls /dev/pmem0 /dev/dax0.1"
}

test_refused() {
	shows "if one of several functions cannot be bound, all are refused before anything is changed"
	fails "${F[tiny]}: no BAR can be a region: .*BAR 2: smaller than 4 MiB" "ndctl-iopmem bind --force 1af4:1110"
	at card
	is "another of them" ",(null)" "$AT"
	run "ls -d /sys/module/iopmem_bus 2>&1 || true"
	like "the module" "No such file" "$OUT"
	fails "the driver ahci has it|no BAR can be a region" "ndctl-iopmem bind 0000:00:1f.2"
}

# If part of a range is mapped already, the kernel reserves the range with the type of that
# mapping. If the mappings have two types, it refuses.
test_mapped() {
	local dev
	shows "if another program maps a BAR uncached, the BAR is uncached, and check says so; if it is mapped with two types, the driver refuses it, and a function that was bound before it is put back"
	blank pair0 pair1
	may_log "conflicting memory types"
	load
	dev=/sys/bus/pci/devices/${F[pair1]}
	maps "$dev/resource2" 4096
	run "ndctl-iopmem bind ${F[pair1]} >/dev/null; ndctl-iopmem list ${F[pair1]}"
	is "memory_type" uncached-minus "$(json memory_type 2)"
	stop "$PID"
	run "ndctl-iopmem check -u ${F[pair1]} | grep -A1 memory-type"
	like "check" "warning +.*BAR 2: the kernel maps it uncached-minus, which is right, and slow" "$OUT"
	like "check" "-> unbind the function, end what else maps the BAR, and bind it again" "$OUT"
	run "ndctl-iopmem unbind ${F[pair1]} >/dev/null; ndctl-iopmem bind ${F[pair1]} >/dev/null; ndctl-iopmem list ${F[pair1]}"
	is "memory_type, bound again" write-combining "$(json memory_type 2)"
	run "ndctl-iopmem unbind ${F[pair1]} >/dev/null"

	run "echo none >/sys/bus/pci/devices/${F[pair0]}/driver_override"
	maps "$dev/resource2" 4096
	maps "$dev/resource2_wc@8192" 4096
	fails "${F[pair1]}: the driver refuses it: .*BAR 2: .* cannot be reserved as write-combining \\(-16\\), end what maps it" \
		"ndctl-iopmem bind ${F[pair0]} ${F[pair1]}"
	at pair1
	is "the second is" ",(null)" "$AT"
	at pair0
	is "the first is" ",none" "$AT"
	stop mapcp
	run "ndctl-iopmem bind ${F[pair0]} ${F[pair1]} >/dev/null; ndctl list -B | grep -c provider"
	is "buses, once nothing maps it" 2 "$OUT"
	run "ndctl-iopmem unbind ${F[pair0]} ${F[pair1]} >/dev/null; echo >/sys/bus/pci/devices/${F[pair0]}/driver_override"
}

# held_by TEXT: unbind has to be refused with exactly that reason
held_by() {
	fails "^ndctl-iopmem unbind: ${F[card]}: in use: $1: end that first, or use --force\$" "ndctl-iopmem unbind ${F[card]}"
}

test_held() {
	shows "unbind is refused while the function is in use, and says by what: a mount, a process, swap, device DAX, another mount namespace"
	blank card
	run "ndctl-iopmem bind ${F[card]} >/dev/null"
	create card fsdax -s 64M
	run "mkfs.ext4 -q -F -b 4096 $NODE && mount -o dax $NODE /mnt/a && fallocate -l 2M /mnt/a/file"
	held_by "${NODE#/dev/} is mounted on /mnt/a"
	hold /mnt/a/file 2M
	held_by "${NODE#/dev/} is mounted on /mnt/a, mapcp \(pid $PID\) has /mnt/a/file (open|mapped)"
	stop "$PID"
	run "umount /mnt/a"
	launch "unshare -m sh -c 'mount -o dax $NODE /mnt/b && exec sleep 999'" 'grep -qx sleep /proc/$pid/comm'
	held_by "${NODE#/dev/} is mounted on /mnt/b where sleep \(pid $PID\) is"
	stop "$PID"
	opens "$NODE"
	held_by "sleep \(pid $PID\) has $NODE open"
	stop "$PID"
	create card raw -s 16M
	run "mkswap -q $NODE && swapon $NODE"
	held_by "${NODE#/dev/} is swap space"
	run "swapoff $NODE"
	create card devdax -s 16M
	hold "$NODE" 2M
	held_by "mapcp \(pid $PID\) has $NODE (open|mapped)"
	at card
	is "where it is" iopmem,iopmem "$AT"
	stop "$PID"
	run "ndctl-iopmem unbind ${F[card]}"
	is "in the end" unbound "$(json action)"
}

test_held_process() {
	shows "unbind names a process whose working folder or root is in the mount, even after a lazy unmount"
	blank card
	run "ndctl-iopmem bind ${F[card]} >/dev/null"
	create card fsdax -s 64M
	run "mkfs.ext4 -q -F -b 4096 $NODE && mount -o dax $NODE /mnt/a && mkdir /mnt/a/folder /mnt/a/root"
	launch "env -C /mnt/a/folder sleep 999" 'grep -qx sleep /proc/$pid/comm'
	held_by "${NODE#/dev/} is mounted on /mnt/a, sleep \(pid $PID\) has /mnt/a/folder as its folder"
	stop "$PID"
	launch "perl -e '\$| = 1; chroot \"/mnt/a/root\" or die \$!; print \"there\n\"; sleep 999'" 'grep -qx there $said'
	held_by "${NODE#/dev/} is mounted on /mnt/a, perl \(pid $PID\) has /mnt/a/root as its root"
	run "umount -l /mnt/a"
	held_by "perl \(pid $PID\) has /root as its root"
	stop "$PID"
	run "ndctl-iopmem unbind ${F[card]}"
	is "in the end" unbound "$(json action)"
}

test_held_kernel() {
	local disk
	shows "unbind names the device that is stacked on a disk, and says that the kernel has claimed a journal's disk"
	blank card cut
	run "ndctl-iopmem bind ${F[card]} ${F[cut]} >/dev/null"
	create cut raw -s 32M
	disk=$NODE
	create card raw -s 32M
	run "modprobe dm-mod && echo 0 \$(blockdev --getsz $NODE) linear $NODE 0 | dmsetup create over && udevadm settle"
	held_by "${NODE#/dev/} is part of dm-0"
	launch "sleep 999 3</dev/dm-0" 'grep -qx sleep /proc/$pid/comm'
	held_by "${NODE#/dev/} is part of dm-0, sleep \(pid $PID\) has /dev/dm-0 open"
	stop "$PID"
	run "dmsetup remove over"
	run "mke2fs -q -F -b 4096 -O journal_dev $NODE && mkfs.ext4 -q -F -b 4096 -J device=$NODE $disk && mount $disk /mnt/a"
	held_by "${NODE#/dev/} is claimed by the kernel, nothing tells for whom"
	run "umount /mnt/a && modprobe loop && losetup /dev/loop0 $NODE && mkfs.ext4 -q -F /dev/loop0 && mount /dev/loop0 /mnt/a"
	held_by "${NODE#/dev/} is part of loop0, loop0 is mounted on /mnt/a"
	run "umount /mnt/a"
	held_by "${NODE#/dev/} is part of loop0"
	run "losetup -d /dev/loop0; udevadm settle; ndctl-iopmem unbind ${F[card]} ${F[cut]}"
	is "in the end" unbound "$(json action)"
}

test_force() {
	shows "unbind --force says what the kernel waits for, and ends when it is unmounted; Ctrl-C ends the command only"
	blank card
	run "ndctl-iopmem bind ${F[card]} >/dev/null"
	create card fsdax -s 64M
	run "mkfs.ext4 -q -F -b 4096 $NODE && mount -o dax $NODE /mnt/a"
	launch "ndctl-iopmem unbind --force ${F[card]}" 'grep -q waits $said'
	# it looks once a second, so wait for some seconds for a second line
	run "sleep 3; cat $SAID"
	is "meanwhile, once" "ndctl-iopmem unbind: ${F[card]}: the kernel waits: ${NODE#/dev/} is mounted on /mnt/a" "$OUT"
	run "echo still >/mnt/a/file && sync /mnt/a/file && umount /mnt/a"
	ended
	is "exit status" 0 "$OUT"
	run "cat $SAID"
	is "action" unbound "$(json action)"

	run "ndctl-iopmem bind ${F[card]} >/dev/null; mount -o dax $NODE /mnt/a"
	# without a terminal, bash starts background processes with SIGINT ignored
	launch "env --default-signal=INT ndctl-iopmem unbind --force ${F[card]}" 'grep -q waits $said'
	run "kill -INT $PID"
	ended
	is "exit status after Ctrl-C, 128 + SIGINT" 130 "$OUT"
	run "cat $SAID"
	like "what it says" "${F[card]}: the kernel goes on waiting, and unbinds it as soon as nobody uses it$" "$OUT"
	fails "${F[card]}: (the kernel is binding or unbinding it, and waits|in use): ${NODE#/dev/} is mounted on /mnt/a" "ndctl-iopmem unbind ${F[card]}"
	run "cat /mnt/a/file; umount /mnt/a; await 60 '[ ! -e /sys/bus/pci/devices/${F[card]}/ndbus* ]'"
	is "what it keeps working" still "$OUT"
	at card
	is "where it is after the unmount" ",(null)" "$AT"
}

# moments COMMAND START RESET: interrupt the command at 25 random moments during its run, or
# shortly after it. Afterwards the function must have its state from before or from after the
# command. How long a run takes depends on the load, so each round adjusts the range of
# moments. It is shorter after the command was faster, and longer after the signal was.
moments() {
	local took
	guest_slow $((500 * PACE)) "cd /sys/bus/pci/devices/${F[card]}
		at() { d=\$(readlink driver); echo \${d##*/},\$(cat driver_override); }
		$3
		s=\${EPOCHREALTIME/./}; ndctl-iopmem $1 ${F[card]} >/dev/null 2>&1; took=\$(((\${EPOCHREALTIME/./} - s) / 1000))
		signals=(INT TERM HUP)
		most=\$((took * 5 / 4))
		for i in \$(seq 25); do
			$3
			[ \"\$(at)\" = '$2' ] || { echo \"not ready: \$(at)\"; exit 1; }
			ms=\$((RANDOM % most + 1))
			timeout -s \${signals[i % 3]} \$((ms / 1000)).\$(printf %03d \$((ms % 1000))) ndctl-iopmem $1 ${F[card]} >/dev/null 2>&1
			at
			[ \"\$(at)\" = '$2' ] && most=\$((most * 5 / 4 + 1)) || most=\$((most * 3 / 4 + 1))
		done | sort | uniq -c; echo took \$took ms" >"$work/moments" 2>&1 || bad "$1, interrupted" "to go on" "$(cat "$work/moments")"
	took=$(sed -n 's/^took //p' "$work/moments")
	saw "$1 takes $took; after 25 interruptions: $(grep -v ^took "$work/moments" | tr -s ' \n' ' ')"
	unlike "states in between" "^ *[0-9]+ ([^,]+,\(null\)|,iopmem|not|.*none)" "$(cat "$work/moments")"
	is "states in all" 25 "$(grep -v ^took "$work/moments" | awk '$2 == ",(null)" || $2 == "iopmem,iopmem" { n += $1 } END { print n }')"
	like "it was in its former state at least once" "^ *[1-9][0-9]* ${2//[()]/.}" "$(cat "$work/moments")"
}

test_interrupted() {
	shows "after interruptions at 50 random moments, the function has its former state or the new one, and none in between"
	blank card
	load
	moments bind ",(null)" "[ ! -e driver ] || { echo ${F[card]} >driver/unbind; echo >driver_override; }"
	moments unbind "iopmem,iopmem" "echo iopmem >driver_override; [ -e driver ] || echo ${F[card]} >/sys/bus/pci/drivers/iopmem/bind"
}

# boot NAME...: do what a boot does: the module is not loaded, and the functions appear
boot() {
	local n
	udev_off
	run "rmmod iopmem_bus"
	udev_on
	for n in "$@"; do
		run "echo 1 >/sys/bus/pci/devices/${F[$n]}/remove; [ ! -e /sys/bus/pci/devices/${F[$n]} ]"
	done
	run "echo 1 >/sys/bus/pci/rescan; udevadm settle"
}

# bound NAME: udev has to bind the function within a deadline
bound() {
	run "await 30 '[ -e /sys/bus/pci/drivers/iopmem/${F[$1]} ]'"
	settle
	at "$1"
	is "$1 is" iopmem,iopmem "$AT"
}

test_persist() {
	local name
	as_module
	shows "after bind --persist, udev binds the card when it appears, with its namespace, and no other card of its kind; after unbind --persist it is not bound"
	blank card cut
	rules_on
	run "ndctl-iopmem bind --persist ${F[card]}"
	is "action" bound "$(json action)"
	is "persistent" true "$(json persistent)"
	create card raw -s 16M
	new_text
	run "echo '$text' | dd of=$NODE bs=4096 conv=sync,fsync status=none; udevadm settle; ls /dev/iopmem/by-path"
	name=$OUT
	like "the lasting name" "^pci-${F[card]}-bar2-[0-9a-f-]{36}\$" "$name"
	run "ndctl-iopmem unbind ${F[card]}"
	is "unbind alone leaves it so" true "$(json persistent)"
	boot card cut
	bound card
	run "await 30 '[ -b /dev/iopmem/by-path/$name ]'; head -c ${#text} /dev/iopmem/by-path/$name"
	is "what was written" "$text" "$OUT"
	at cut
	is "another of its kind" ",(null)" "$AT"

	# once more, with the module loaded already
	run "echo 1 >/sys/bus/pci/devices/${F[card]}/remove && echo 1 >/sys/bus/pci/rescan"
	bound card

	run "ndctl-iopmem bind --persist ${F[card]}; grep -c ^ACTION /etc/udev/rules.d/60-iopmem-bind.rules"
	is "again" none "$(json action)"
	is "rules" 1 "$(tail -n 1 <<<"$OUT")"
	# Debian's 7.3 comes with dracut, its older kernels with initramfs-tools
	GUEST_SECONDS=600 run "mkdir /tmp/initramfs
		if [ -e /usr/share/initramfs-tools/hook-functions ]; then
			DESTDIR=/tmp/initramfs verbose=n sh /usr/share/initramfs-tools/hooks/udev >/dev/null 2>&1
		else
			dracut --force --no-kernel --hostonly --modules udev-rules /tmp/initramfs.img >/dev/null 2>&1
			cd /tmp/initramfs && zcat /tmp/initramfs.img | cpio -i --quiet
		fi
		cd /
		find /tmp/initramfs -path '*/udev/rules.d/60-iopmem-bind.rules' -printf '%f\n'
		rm -r /tmp/initramfs*"
	is "Debian's initramfs has" 60-iopmem-bind.rules "$OUT"

	run "ndctl-iopmem unbind --persist ${F[card]}"
	is "unbind --persist" unbound "$(json action)"
	is "persistent" false "$(json persistent)"
	run "ls -A /etc/udev/rules.d"
	unlike "rules" "iopmem-bind" "$OUT"
	boot card
	at card
	is "where it is then" ",(null)" "$AT"
}

test_persist_driverctl() {
	shows "if driverctl has saved the function's driver, bind --persist and unbind --persist refuse, and say what to do"
	run "mkdir -p /etc/driverctl.d && echo iopmem >/etc/driverctl.d/pci-${F[card]}"
	fails "^ndctl-iopmem bind: ${F[card]}: driverctl has saved the driver iopmem for each boot: 'driverctl --noprobe unset-override ${F[card]}' first\$" "ndctl-iopmem bind -p ${F[card]}"
	at card
	is "where it is" ",(null)" "$AT"
	run "ndctl-iopmem bind ${F[card]}"
	is "persistent" true "$(json persistent)"
	fails "^ndctl-iopmem unbind: ${F[card]}: driverctl has saved the driver iopmem for each boot" "ndctl-iopmem unbind -p ${F[card]}"
	run "driverctl --noprobe unset-override ${F[card]} && ndctl-iopmem unbind -p ${F[card]}"
	is "after driverctl unset-override" false "$(json persistent)"
}

test_user() {
	shows "without root: one line, and nothing is changed"
	fails "^ndctl-iopmem bind: ${F[card]}: this takes root\$" "setpriv --reuid=65534 --clear-groups ndctl-iopmem bind ${F[card]}"
	run "ndctl-iopmem bind ${F[card]} >/dev/null"
	fails "^ndctl-iopmem unbind: ${F[card]}: this takes root\$" "setpriv --reuid=65534 --clear-groups ndctl-iopmem unbind ${F[card]}"
	at card
	is "where it is" iopmem,iopmem "$AT"
}

test_module() {
	local file
	shows "if the module is missing, has wrong parameters or is not signed, one line says what to do"
	run "modinfo -n iopmem_bus"
	file=$OUT
	run "mv $file /tmp/ko && depmod"
	fails "^ndctl-iopmem bind: the module iopmem_bus is not installed for kernel .*: install it" "ndctl-iopmem bind ${F[card]}"
	run "mv /tmp/ko $file && depmod"
	run "echo options iopmem_bus bars=two >/etc/modprobe.d/iopmem.conf"
	fails "cannot be loaded: Invalid argument: its parameters in modprobe.d may be wrong" "ndctl-iopmem bind ${F[card]}"
	run "rm /etc/modprobe.d/iopmem.conf"
	run "echo Y >/sys/module/module/parameters/sig_enforce"
	fails "cannot be loaded: Key was rejected by service: this kernel takes signed modules only" "ndctl-iopmem bind ${F[card]}"
	at card
	is "where it is" ",(null)" "$AT"
	used_up
}

runs_in p2p

test_persist_kind() {
	as_module
	shows "after bind --persist by ids, udev binds all cards of that kind when they appear; after unbind --persist by ids it binds none"
	blank card card2
	run "ndctl-iopmem bind --persist ${F[card]} >/dev/null && ndctl-iopmem bind --persist 1af4:1110 >/dev/null && ndctl-iopmem unbind 1af4:1110"
	is "persistent, the first" true "$(json persistent)"
	is "the second" true "$(json persistent 2)"
	boot card card2
	bound card
	bound card2
	fails "^ndctl-iopmem unbind: ${F[card2]}: is bound at each boot as all of 1af4:1110 are: 'ndctl-iopmem unbind --persist 1af4:1110' ends that\$" "ndctl-iopmem unbind --persist ${F[card2]}"
	run "ndctl-iopmem unbind --persist 1af4:1110 >/dev/null; ls -A /etc/udev/rules.d"
	unlike "rules" "iopmem" "$OUT"
	boot card card2
	at card
	is "where the first is then" ",(null)" "$AT"
	at card2
	is "where the second is then" ",(null)" "$AT"
}

runs_in moved

test_held_vfio() {
	local group
	shows "a program that uses a function through VFIO is named, and keeps the function even if bind is called with --force"
	group=$(guest "basename \$(readlink /sys/bus/pci/devices/${F[card]}/iommu_group)")
	run "modprobe vfio-pci && echo vfio-pci >/sys/bus/pci/devices/${F[card]}/driver_override &&
		echo ${F[card]} >/sys/bus/pci/drivers_probe && udevadm settle"
	fails "^ndctl-iopmem bind: ${F[card]}: the driver vfio-pci has it: free it first, or use --force\$" "ndctl-iopmem bind ${F[card]}"
	opens "/dev/vfio/$group"
	fails "^ndctl-iopmem bind: ${F[card]}: in use: sleep \(pid $PID\) has /dev/vfio/$group open: end that first\$" \
		"ndctl-iopmem bind --force ${F[card]}"
	at card
	is "where it is" vfio-pci,vfio-pci "$AT"
	stop "$PID"
	run "ndctl-iopmem bind --force ${F[card]}"
	is "once that has ended" bound "$(json action)"
	is "previous_driver" vfio-pci "$(json previous_driver)"
	run "ndctl-iopmem unbind ${F[card]} && echo >/sys/bus/pci/devices/${F[card]}/driver_override"
}

runs_in nopat

test_probe() {
	shows "if the driver refuses, its message is quoted, and the old driver_override is put back"
	run "echo vfio-pci >/sys/bus/pci/devices/${F[card]}/driver_override"
	fails "${F[card]}: the driver refuses it: this machine would map its BARs cacheable, name it in cached= if it is RAM" "ndctl-iopmem bind ${F[card]}"
	at card
	is "where it is" ",vfio-pci" "$AT"
	run "echo >/sys/bus/pci/devices/${F[card]}/driver_override"
}

runs_in bars

test_working() {
	local name
	shows "a function with a driver is taken only with --force, and not while its drive is mounted"
	run "modprobe -a nvme ext4; await 30 '[ -b /dev/nvme0n1 ]'"
	name=${F[two_bars]}
	fails "$name: the driver nvme has it: free it first, or use --force" "ndctl-iopmem bind $name"
	run "mkfs.ext4 -q -F /dev/nvme0n1 && mount /dev/nvme0n1 /mnt/a"
	fails "$name: in use: nvme0n1 is mounted on /mnt/a: end that first" "ndctl-iopmem bind --force $name"
	at two_bars
	is "where it is" "nvme,(null)" "$AT"
	run "umount /mnt/a"
	opens /dev/nvme0
	fails "$name: in use: sleep \(pid $PID\) has /dev/nvme0 open" "ndctl-iopmem bind --force $name"
	stop "$PID"
	# with bars=0 loaded, the driver would refuse all BARs, which only the driver knows
	run "modprobe iopmem_bus bars=0"
	fails "no BAR can be a region: .*BAR 2: not in bars=" "ndctl-iopmem bind --force $name"
	run "rmmod iopmem_bus"
	run "ndctl-iopmem bind --force $name"
	is "action" bound "$(json action)"
	is "previous_driver" nvme "$(json previous_driver)"
	at two_bars
	is "where it is" iopmem,iopmem "$AT"
	run "ndctl-iopmem unbind $name >/dev/null; echo $name >/sys/bus/pci/drivers_probe"
	at two_bars
	is "given back" "nvme,(null)" "$AT"
	run "rmmod nvme"
}
