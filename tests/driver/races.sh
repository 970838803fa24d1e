# SPDX-License-Identifier: GPL-2.0-only
# Many operations at once, and one operation many times
# shellcheck shell=bash
runs_in races torture

# The functions up to the first case run in the guest. Each process runs "worker NAME ROLE
# SEED". An operation that comes too late is refused, so attempts are counted as done or as
# refused. The case fails only by a hang or a complaint.
driver=/sys/bus/pci/drivers/iopmem

# attempt WHAT COMMAND...: run the command, and count it as done or refused
attempt() {
	local what=$1
	shift
	if "$@" >/dev/null; then
		echo "$what: done" >>"/tmp/races/count.$me"
	else
		echo "$what: refused" >>"/tmp/races/count.$me"
		return 1
	fi
}

# pick PATTERN: set PICK to a random path that matches
pick() {
	local all
	mapfile -t all < <(compgen -G "$1")
	[ ${#all[@]} != 0 ] && PICK=${all[RANDOM % ${#all[@]}]}
}

store() {
	echo "$2" >"$1"
}

transfer() {
	dma /dev/nvme0n1@16M "$1" 1M && dma "$1" /dev/nvme0n1@32M 1M
}

# file_system NAME: make a file system on the block device, mount it, use it, and unmount it
file_system() {
	local dir=/tmp/races/mnt.$me
	mkdir -p "$dir"
	attempt mkfs mkfs.ext4 -q -F -b 4096 "/dev/$1" || return
	attempt mount mount -o dax "/dev/$1" "$dir" || return
	attempt fio fio --name=x --directory="$dir" --size=4M --rw=randwrite --bs=4k --ioengine=mmap \
		--fsync=64 --verify=crc32c --time_based=0
	attempt "P2P into a file" transfer "$dir/x.0.0"
	sync -f "$dir"
	await 100 "umount $dir"
}

# alone NAME COMMAND...: run the command while holding the lock NAME
alone() {
	local name=$1
	shift
	(flock 9 && "$@") 9>"/tmp/races/lock.$name"
}

# region NAME: the name of the region of pmemR.N, daxR.N or namespaceR.N, which is also the
# name of its lock. Each region has one, since the kernel oopses, on any pmem, if a
# namespace loses its driver under a file system with DAX (pmem-unbind-mounted.md in
# tools/kernel-reports).
region() {
	local number=${1##*/}
	number=${number//[!0-9.]/}
	echo "region${number%%.*}"
}

mount_one() {
	pick '/sys/bus/nd/devices/*/block/pmem*' && alone "$(region "$PICK")" file_system "${PICK##*/}"
}

destroy() {
	attempt destroy timeout $((60 * PACE)) ndctl destroy-namespace -f "$1"
}

# bound PATTERN COMMAND...: set PICK to a path below a function, and run the command while
# holding the function's lock.
#
# Each function has a lock, except the one that the host unplugs. Without it, two defects of
# the kernel itself show while a function is unbound: mapping a device DAX node that was
# opened meanwhile oopses, and so can writing a label (dax-open-null.md and
# nvdimm-label-update.md in tools/kernel-reports).
bound() {
	local function
	pick "/sys/bus/pci/devices/0000:00:*/ndbus*/$1" || return
	function=${PICK#/sys/bus/pci/devices/}
	alone "${function%%/*}" "${@:2}"
}

destroy_one() {
	bound 'region*/namespace*/driver' eval 'PICK=${PICK%/driver}; alone "$(region "$PICK")" destroy "${PICK##*/}"'
}

dax_one() {
	bound 'region*/dax*/dax*' eval 'alone "$(region "$PICK")" attempt "P2P into devdax" transfer "/dev/${PICK##*/}"'
}

create_one() {
	local modes=(fsdax fsdax devdax sector raw)
	bound 'region*' eval 'attempt create timeout $((60 * PACE)) ndctl create-namespace -r "${PICK##*/}" -m "${modes[RANDOM % ${#modes[@]}]}" -s 16M'
}

function_of_ours() {
	local ours
	mapfile -t ours < <(grep -l 0x1110 /sys/bus/pci/devices/*/device 2>/dev/null)
	[ ${#ours[@]} != 0 ] && PICK=$(dirname "${ours[RANDOM % ${#ours[@]}]}")
}

worker() {
	me=$1
	RANDOM=$3
	while [ ! -e /tmp/races/stop ]; do
		case $2 in
		binder)
			function_of_ours || continue
			alone "${PICK##*/}" attempt unbind store $driver/unbind "${PICK##*/}"
			attempt bind store $driver/bind "${PICK##*/}"
			;;
		remover)
			function_of_ours || continue
			alone "${PICK##*/}" attempt remove store "$PICK/remove" 1
			attempt rescan store /sys/bus/pci/rescan 1
			sleep 1	# otherwise the others would get little done
			;;
		# sleep if there is nothing to do
		creator) create_one || sleep 0.2 ;;
		destroyer) destroy_one || sleep 0.2 ;;
		mounter) mount_one || sleep 0.2 ;;
		dax) dax_one || sleep 0.2 ;;
		esac
	done
	echo "$me" >>/tmp/races/ended
}

# The rest runs on the host.

test_races() {
	local workers=(binder binder remover creator creator destroyer mounter mounter mounter dax)
	local seed=${RACES_SEED:-$RANDOM} end plugged=0 i f at said list
	shows "bind, unbind, remove, hot-unplug, create, destroy, mount, fio and P2P run at once on 16 functions: nothing hangs, and all functions can be used afterwards"
	for ((i = 0; i < 16; i++)); do
		blank race$i
	done
	load ids=1af4:1110
	settle
	saw "RACES_SEED=$seed"
	{
		declare -p driver
		declare -f attempt pick store transfer file_system alone region bound mount_one destroy destroy_one dax_one create_one function_of_ours worker
		echo "worker \"\$@\""
	} >"$VM/share/worker"
	run "mkdir -p /tmp/races && rm -rf /tmp/races/*
		n=0
		for role in ${workers[*]}; do
			n=\$((n + 1))
			setsid bash /host/worker \$role.\$n \$role \$(($seed + n)) >/tmp/races/\$n.log 2>&1 &
		done"

	# The workers run for this time. How much they get done does not matter.
	end=$((SECONDS + ${RACES_SECONDS:-600}))
	while [ $SECONDS -lt $end ]; do
		insert hot 64M
		until (wait_slot hot present) >/dev/null; do	# the remover may take it away meanwhile
			[ $SECONDS -lt $((end + 600 * PACE)) ] || bad "the slot" "a function in it" "none"
		done
		sleep $((RANDOM % 10))	# unplug at a random moment
		unplug hot
		plugged=$((plugged + 1))
	done
	run "touch /tmp/races/stop
		await 100 '[ \"\$(wc -l </tmp/races/ended)\" = ${#workers[@]} ]' && exit
		for p in /proc/[0-9]*; do
			grep -q /host/worker \$p/cmdline || grep -q ' D ' \$p/stat || continue
			tr '\0' ' ' <\$p/cmdline; echo; cat \$p/stack
		done
		exit 1"
	run "sort /tmp/races/count.* | uniq -c"
	list=$OUT
	while read -r; do saw "$REPLY"; done <<<"$list"
	saw "plugged and unplugged: $plugged"
	while read -r i f; do figure "many at once: ${f%: done}" "$i" "RACES_SECONDS=${RACES_SECONDS:-600}"; done < <(grep ': done$' <<<"$list")
	run "tail -n 4 /tmp/races/*.log"
	said=$OUT
	for f in unbind bind remove rescan create destroy mkfs mount fio "P2P into a file" "P2P into devdax"; do
		grep -q "^ *[1-9][0-9]* $f: done\$" <<<"$list" || bad "operations that were done" "at least one $f" "$said"
	done
	vm_find_functions
	run "for f in ${F[*]}; do [ \$(cat /sys/bus/pci/devices/\$f/device) != 0x1110 ] || [ -e $driver/\$f ] || echo \$f >$driver/bind || exit; done"
	settle
	run "ndctl destroy-namespace -f all 2>&1; ndctl list -N"
	is "namespaces left" "" "$(grep uuid <<<"$OUT")"
	for ((i = 0; i < 16; i++)); do
		new_text
		create race$i raw >/dev/null
		run "echo '$text' | dd of=$NODE bs=4096 conv=sync,fsync oflag=direct status=none"
		at=$(found "$text" "$DIR/race$i.bar")
		[ "$at" = 0 ] || bad "what is stored to race$i" "at 0 of its BAR" "at '$at'"
	done
	saw "stored to all 16, and found in their BARs"
}

# counts FILE: write into FILE what the kernel has in use, one line for each kind. To make the
# numbers repeat, it first lets the kernel free what is freed late:
#
#	udev		handles the events that wait in sockets
#	rmmod, modprobe	make vmalloc free its areas
#	drop_caches	drops entries that were used lately only the second time
#	shrink		gives back the objects that CPUs keep for themselves
#
# Some objects are freed even later, so the callers repeat the comparison for a while.
counts() {
	GUEST_SECONDS=600 run "udevadm settle --timeout=$((500 * PACE)) && rmmod iopmem_bus && modprobe iopmem_bus && cat /sys/bus/nd/devices/ndbus*/wait_probe >/dev/null &&
			echo ${F[race0]} >$driver/unbind || exit
		sync; for i in 1 2 3; do echo 3 >/proc/sys/vm/drop_caches; done
		for c in /sys/kernel/slab/*/shrink; do echo 1 >\$c; done 2>/dev/null
		awk 'NR > 2 { print \$1, \$2 }' /proc/slabinfo >$1.slab
		{
			grep -v 'unpurged\|dup_task_struct\|copy_process\|kernel_clone\|alloc_thread_stack' /proc/vmallocinfo | awk '{ print \"vmalloc\", \$2, \$3 }' | sed 's/+.*//' | sort | uniq -c
			grep -c @ /sys/kernel/debug/x86/pat_memtype_list | sed 's/^/memtype reservations: /'
			sed 's/^/iomem /' /proc/iomem
			find /sys -path /sys/kernel/slab -prune -o -path /sys/kernel/debug -prune -o -print | sed 's/[0-9][0-9]*/N/g' | sort | uniq -c
		} >$1
		grep -c . $1"
}

test_cycles() {
	local times=${CYCLES:-1000} cycle
	shows "after bind and unbind $times times, slabs, vmalloc, memory types, addresses and sysfs are as before"
	blank race0
	load
	run "echo iopmem >/sys/bus/pci/devices/${F[race0]}/driver_override"
	cycle="echo ${F[race0]} >$driver/bind && cat /sys/bus/nd/devices/ndbus*/wait_probe >/dev/null && echo ${F[race0]} >$driver/unbind || exit"
	GUEST_SECONDS=3600 run "for i in \$(seq 50); do $cycle; done"
	counts /tmp/before	# the first call creates inodes itself
	await 100 '(run "mv /tmp/before /tmp/earlier"; counts /tmp/before; run "cmp /tmp/earlier /tmp/before") >/dev/null'
	GUEST_SECONDS=3600 run "for i in \$(seq $times); do $cycle; done"
	await 100 '(counts /tmp/after; run "cmp /tmp/before /tmp/after") >/dev/null'
	run "diff /tmp/before /tmp/after"
	run "grep memtype /tmp/after; grep -c ' vmalloc ' /tmp/after; grep -c ^iomem /tmp/after; grep -c ' /sys' /tmp/after"
	saw "unchanged: $(tr '\n' ' ' <<<"$OUT")(kinds of vmalloc, lines of /proc/iomem, kinds of files in /sys)"
	run "join <(sort /tmp/before.slab) <(sort /tmp/after.slab) | awk '{ print \$3 - \$2, \$1 }' | sort -rn"
	saw "slab caches with the most objects more: $(head -n 3 <<<"$OUT" | tr '\n' ' ')"
	# The number of slabs varies by a few, so fewer than 1,000 times show nothing here.
	is "caches with 9 objects more for every 10 times" "" \
		"$(awk -v most=$((times < 1000 ? 900 : times * 9 / 10)) '$1 >= most' <<<"$OUT")"
	figure "bind and unbind of one function" "$times" "all as before"
}

runs_in base slow

test_mount() {
	local i
	shows "if a file system is mounted just when the removal begins, the removal waits, or the mount fails"
	may_log "Buffer I/O error on dev pmem.* async page read"
	blank card
	load
	attach card
	# these namespaces are removed before the mounted one, which gives the mount time
	for ((i = 0; i < 10; i++)); do
		create card raw -s 16M
	done
	create card fsdax -s 32M
	run "mkfs.ext4 -q -F -b 4096 $NODE; echo ${F[card]} >$driver/unbind"
	# How long the mount takes depends on the load, so each round adjusts the moment. The
	# removal begins later if the mount has failed, and earlier if the removal waited.
	GUEST_SECONDS=600 run "waited=0 later=0
		pause() { [ \$1 -le 0 ] || sleep \$((\$1 / 1000)).\$(printf %03d \$((\$1 % 1000))); }
		warned() { dmesg | grep -c 'is in use, unmount or close it: removal waits'; }
		for ((i = 0; i < 20; i++)); do
			echo ${F[card]} >$driver/bind && cat /sys/bus/nd/devices/ndbus*/wait_probe >/dev/null || exit
			node=/dev/\$(ls /sys/bus/nd/devices/pfn*/block)
			udevadm settle
			said=\$(warned)
			{ pause \$later; echo ${F[card]} >$driver/unbind; } &
			pause \$((-later))
			until mount -o dax \$node /mnt/a 2>/dev/null; do
				[ -e \$node ] || break
			done
			if mountpoint -q /mnt/a; then
				await 60 '[ \$(warned) != \$said ]'
				[ -e /sys/bus/pci/devices/${F[card]}/ndbus* ] || { echo unbound while it is mounted, in round \$i; exit 1; }
				umount /mnt/a
				waited=\$((waited + 1))
				later=\$((later - 10 - \${later#-} / 4))
			else
				later=\$((later + 10 + \${later#-} / 2))
			fi
			wait
		done
		echo \$waited times it waited, \$((i - waited)) times the mount failed"
	like "of 20 rounds" "^[1-9][0-9]* times it waited" "$OUT"
	attach card
	run "e2fsck -fn /dev/\$(ls /sys/bus/nd/devices/pfn*/block)"
}
