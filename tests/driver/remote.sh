# SPDX-License-Identifier: GPL-2.0-only
# Several machines: RDMA, NVMe over fabrics, and a card that two machines share
# shellcheck shell=bash

HERE=10.0.0.1
THERE=10.0.0.2

# online ADDRESS: configure the network, with RDMA (rxe) on it. Two machines are needed, since
# with some kernels rxe works only in the first network namespace.
online() {
	run "nic=\$(ls /sys/bus/pci/devices/0000:00:17.0/virtio*/net)
		ip addr replace $1/24 dev \$nic && ip link set \$nic up || exit
		modprobe rdma_rxe
		rdma link show | grep -q rxe0 || rdma link add rxe0 type rxe netdev \$nic"
}

# two_machines: start the second machine, and bind the card there
two_machines() {
	blank card
	beside far
	there online $THERE
	online $HERE
	there load
	there attach card
}

# put FILE: write the file into the namespace at the BAR's start, from the host. The
# namespace's data begins at 2 MiB.
put() {
	dd if="$1" of="$DIR/card.bar" bs=2M seek=1 conv=notrunc status=none
}

runs_in near

test_rdma() {
	shows "RDMA from another machine writes into a registered devdax mapping, and reads from it"
	two_machines
	there create card devdax -s 64M --map=mem
	new_text
	pattern "$text" >"$VM/share/data"

	there launch "verbs serve rxe0 $NODE 8M" 'grep -q registered $said'
	run "verbs write rxe0 $THERE 8M </host/data"
	is "in the BAR's file at" $((2 << 20)) "$(found "$text" "$DIR/card.bar")"
	is "the BAR against the bytes sent" equal \
		"$(cmp -n 8M -i 2M:0 "$DIR/card.bar" "$VM/share/data" && echo equal)"

	new_text
	pattern "$text" >"$VM/share/data"
	put "$VM/share/data"
	there launch "verbs serve rxe0 $NODE 8M" 'grep -q registered $said'
	run "verbs read rxe0 $THERE 8M | cmp - /host/data && echo equal"
	is "bytes that the host has put into the BAR, as they arrive" equal "$OUT"
}

test_rdma_fsdax() {
	shows "a file on fsdax cannot be registered: the kernel refuses the long-lived pin"
	two_machines
	there create card fsdax -s 64M
	there run "mkfs.ext4 -q -F -b 4096 $NODE && mount -o dax=always $NODE /mnt/a && fallocate -l 8M /mnt/a/file"
	there fails "/mnt/a/file: registering its memory: Operation not supported" "verbs serve rxe0 /mnt/a/file 8M"
	there run "umount /mnt/a"
}

# export_over TRANSPORT: export NODE by the kernel's own target. The names have to be the same
# each time. Otherwise the other side takes it for another namespace.
export_over() {
	there run "modprobe -a nvmet nvmet-$1
		mountpoint -q /sys/kernel/config || mount -t configfs config /sys/kernel/config
		cd /sys/kernel/config/nvmet && mkdir subsystems/iopmem && cd subsystems/iopmem || exit
		echo 1 >attr_allow_any_host
		echo iopmem >attr_serial
		mkdir namespaces/1
		echo $NODE >namespaces/1/device_path
		echo 11f8f115-0000-4000-8000-000000000001 >namespaces/1/device_uuid
		echo 1 >namespaces/1/enable || exit
		mkdir ../../ports/1 && cd ../../ports/1 || exit
		echo $1 >addr_trtype
		echo ipv4 >addr_adrfam
		echo $THERE >addr_traddr
		echo 4420 >addr_trsvcid
		ln -s ../../subsystems/iopmem subsystems/"
}

over_fabric() {
	local before after last
	two_machines
	there create card fsdax -s 128M --map=mem
	export_over "$1"
	run "modprobe nvme-$1 && nvme connect -t $1 -a $THERE -s 4420 -n iopmem \
		--hostnqn=nqn.2014-08.org.nvmexpress:uuid:11f8f115-0000-4000-8000-000000000002 \
		--reconnect-delay=1 --ctrl-loss-tmo=600 --keep-alive-tmo=5"
	run "await 30 '[ -b /dev/nvme0n1 ]'"
	run "cat /sys/class/nvme/nvme0/transport /sys/class/nvme/nvme0/state | tr '\n' ' '"
	is "controller" "$1 live " "$OUT"
	run "mkfs.ext4 -q -F -b 4096 /dev/nvme0n1 && mount /dev/nvme0n1 /mnt/a"
	new_text
	pattern "$text" >"$VM/share/data"
	run "cp /host/data /mnt/a/file && sync /mnt/a/file"
	is "times in the BAR's file" 1 "$(in_bar card "$text")"

	# the writer prints a line's number, as an acknowledgement, once the line is synced
	launch "(n=0; while [ ! -e /tmp/enough ]; do
			n=\$((n + 1))
			echo \"$text \$n\" >>/mnt/a/log && sync /mnt/a/log || exit
			echo \$n
		done)" '[ $(wc -l <$said) -gt 20 ]'
	there vm_kill
	# once the controller is not live, nothing more can be acknowledged
	run "await 60 '[ \$(cat /sys/class/nvme/nvme0/state) != live ]'; tail -n 1 $SAID"
	before=$OUT
	saw "lines acknowledged when the target was killed: $before"
	is "the last of them, in the BAR's file" 1 "$(in_bar card "$text $before"$'\n')"

	beside far
	there online $THERE
	there load
	there attach card
	there run "ndctl list -N"
	NODE=/dev/$(field blockdev)
	export_over "$1"
	run "await 90 '[ \$(wc -l <$SAID) -gt $((before + 20)) ]'; touch /tmp/enough"
	ended
	is "the writer's exit status" 0 "$OUT"
	run "tail -n 1 $SAID"
	after=$OUT
	saw "lines acknowledged after it came back: $after"
	run "umount /mnt/a && e2fsck -fn /dev/nvme0n1 >/dev/null 2>&1 && mount /dev/nvme0n1 /mnt/a && cmp /mnt/a/file /host/data && grep -c '$text' /mnt/a/log"
	is "the file is equal, and the log has lines" "$after" "$OUT"
	run "tail -n 1 /mnt/a/log; umount /mnt/a; nvme disconnect -n iopmem; rm -f /tmp/enough"
	like "its last line" "$text $after" "$OUT"
	there run "mount -o ro,dax $NODE /mnt/a && tail -n 1 /mnt/a/log; umount /mnt/a"
	like "the same, mounted where the card is" "$text $after" "$OUT"
}

runs_in near slow

# perftest does not compare the bytes. It fills the buffers of both sides by rand(), with the
# time as the seed, so the case sets one clock to another time. The first half of the
# client's buffer is sent to the second half of the server's, or read from there.
test_perftest() {
	local test
	shows "perftest's ib_write_bw and ib_read_bw work on a devdax mapping, and the bytes are in the BAR"
	two_machines
	run "date -s @1000000000"
	there create card devdax -s 64M --map=mem --align=4096
	for test in write read; do
		run "rm -f /tmp/buffer && truncate -s 8M /tmp/buffer"
		there launch "ib_${test}_bw -d rxe0 -F -s 65536 -n 20 --mmap=$NODE" "ss -ltn | grep -q :18515"
		run "ib_${test}_bw -d rxe0 -F -s 65536 -n 20 --mmap=/tmp/buffer $THERE"
		like "ib_${test}_bw" "^ *65536 +20 " "$OUT"
		run "cp /tmp/buffer /host/buffer"
		is "the client's 64 KiB and the BAR's second" equal "$(same 0 65536)"
		is "the other halves" different "$(same 65536 0)"
	done
}

# same AT BAR_AT: compare 64 KiB of the client's buffer with 64 KiB of the BAR's data
same() {
	cmp -s -n 65536 -i "$1:$(((2 << 20) + $2))" "$VM/share/buffer" "$DIR/card.bar" &&
		echo equal || echo different
}

# --map=mem, since both kernels would write to struct pages on the card
test_two_machines() {
	shows "one card in two machines: one writer and one reader work within limits, and a second writer causes damage unless it is kept out"
	two_machines
	load
	attach card
	create card fsdax -s 128M --map=mem
	run "mkfs.ext4 -q -F -b 4096 -O mmp $NODE && mount -o dax=always $NODE /mnt/a && fallocate -l 1M /mnt/a/file && echo first | dd of=/mnt/a/file conv=notrunc,fsync status=none && sync"

	there detach card
	there attach card
	there run "mount -o ro,noload,dax=always $NODE /mnt/a && head -c 5 /mnt/a/file"
	is "the reader's mount, what the writer has synced" first "$OUT"
	run "echo other | dd of=/mnt/a/file conv=notrunc,fsync status=none"
	there run "head -c 5 /mnt/a/file"
	is "overwritten in place: DAX has no page cache that could be stale" other "$OUT"
	run "echo new >/mnt/a/new && echo more >>/mnt/a/file && sync"
	there run "ls /mnt/a/new 2>&1; stat -c %s /mnt/a/file"
	like "a new file is not seen" "No such file" "$OUT"
	like "nor a new length" "^1048576$" "$OUT"
	there run "umount /mnt/a && mount -o ro,noload,dax=always $NODE /mnt/a && cat /mnt/a/new && stat -c %s /mnt/a/file"
	is "mounted again" "new 1048581" "$(tr '\n' ' ' <<<"$OUT" | sed 's/ $//')"
	there run "umount /mnt/a"

	there fails "." "mount -o dax=always $NODE /mnt/a"
	there logged "Device is already active on another node"
	run "umount /mnt/a"

	# without that protection
	run "mkfs.ext4 -q -F -b 4096 $NODE && mount -o dax=always $NODE /mnt/a && mkdir /mnt/a/d && sync"
	there run "mount -o dax=always $NODE /mnt/a"
	run "for i in \$(seq 50); do echo \$i >/mnt/a/d/here\$i; done; sync"
	there run "for i in \$(seq 50); do echo \$i >/mnt/a/d/there\$i; done; sync; umount /mnt/a"
	run "umount /mnt/a; e2fsck -fn $NODE >/dev/null 2>&1; echo e2fsck \$?, files of 100: \$(debugfs -R 'ls -p /d' $NODE 2>/dev/null | grep -cE 't?here[0-9]')"
	[ "$OUT" != "e2fsck 0, files of 100: 100" ] || bad "two writers" "damage" "$OUT"
	saw "two writers: $OUT"
}

test_nvmeof_tcp() {
	shows "a namespace is exported by nvmet over TCP; the target is killed and comes back, and nothing that was synced is lost"
	over_fabric tcp
}

test_nvmeof_rdma() {
	shows "a namespace is exported by nvmet over RDMA; the target is killed and comes back, and nothing that was synced is lost"
	over_fabric rdma
}
