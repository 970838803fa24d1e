# SPDX-License-Identifier: GPL-2.0-only
# Where the contents of files are: ndctl-iopmem extents, compared with the BAR's file on the
# host, and the library's examples
# shellcheck shell=bash
runs_in base

# values KEY: all values of the key in OUT, one on each line
values() {
	sed -n "s/^ *\"$1\":\"\?\([^\",]*\)\"\?,\?\$/\1/p" <<<"$OUT"
}

# in_place FILE DATA [OFFSET LENGTH]: check that the BAR has the bytes of DATA, a file on the
# host, at each extent, and that the addresses belong to the BAR
in_place() {
	local file=$1 data=$2 from=${3:-0} offsets lengths places resources buses at next i
	local length=${4:-$(($(stat -c %s "$data") - from))} start bus
	at=/sys/bus/nd/devices/$(region_of card)/iopmem/bus_address
	run "sed -n '3s/ .*//p' /sys/bus/pci/devices/${F[card]}/resource"
	start=$((OUT))
	run "cat $at"
	bus=$((OUT))
	run "ndctl-iopmem extents $file ${3:+--offset=$3 --length=$4}"
	mapfile -t offsets < <(values offset)
	mapfile -t lengths < <(values length)
	mapfile -t places < <(values bar_offset)
	mapfile -t buses < <(values bus_address)
	is "$file: functions, BARs" "${F[card]} 2" "$(values function | sort -u) $(values bar | sort -u)"
	mapfile -t resources < <(values resource)
	next=$from
	for ((i = 0; i < ${#offsets[@]}; i++)); do
		[ "${offsets[i]}" = "$next" ] || bad "extent $i" "to begin at $next" "${offsets[i]}"
		[ $((start + places[i])) = "${resources[i]}" ] || bad "resource $i" $((start + places[i])) "${resources[i]}"
		[ $((bus + places[i])) = "${buses[i]}" ] || bad "bus address $i" $((bus + places[i])) "${buses[i]}"
		cmp -n "${lengths[i]}" -i "${places[i]}:${offsets[i]}" "$DIR/card.bar" "$data" >&2 ||
			bad "extent $i in the BAR, at ${places[i]}" "the bytes of $file from ${offsets[i]} on" "others"
		next=$((next + lengths[i]))
	done
	is "extents end at" $((from + length)) "$next"
	EXTENTS=${#offsets[@]}
	saw "$EXTENTS extents, each byte-equal in the BAR's file"
}

# on_fs MKFS: make that file system, and two files on it. They grow in turns, so that each
# gets several extents. Their contents come from the host.
on_fs() {
	blank card
	load
	attach card
	create card fsdax -s 400M
	run "$1 $NODE && mount -o dax=always $NODE /mnt/a"
	head -c 1000000 /dev/urandom >"$VM/share/data"
	run "for i in \$(seq 0 15); do
			for f in file other; do
				dd if=/host/data of=/mnt/a/\$f bs=64K skip=\$i seek=\$i count=1 conv=notrunc,fsync status=none
			done
		done"
	in_place /mnt/a/file "$VM/share/data"
	run "ndctl-iopmem extents /mnt/a/file"
	is "size" 1000000 "$(values size)"
	is "mode" fsdax "$(values mode)"
	is "device" "${NODE#/dev/}" "$(values device)"
	like "valid_while" "nobody truncates" "$OUT"
	[ "$EXTENTS" -gt 1 ] || bad "extents of a file that grew beside another" "several" "$EXTENTS"
	in_place /mnt/a/file "$VM/share/data" 65000 300001
	in_place /mnt/a/file "$VM/share/data" 999999 1
}

test_ext4() {
	shows "a file on ext4, and parts of it, are in the BAR where extents says"
	on_fs "mkfs.ext4 -q -F -b 4096"
}

test_xfs() {
	shows "a file on xfs is in the BAR where extents says, and a clone is refused"
	on_fs "mkfs.xfs -q -f -m reflink=1"
	run "cp --reflink=always /mnt/a/file /mnt/a/clone"
	fails "clone: at offset 0 it shares its blocks with another file" "ndctl-iopmem extents /mnt/a/clone"
	run "cp --reflink=never /mnt/a/clone /mnt/a/copy && sync /mnt/a/copy"
	in_place /mnt/a/copy "$VM/share/data"
}

test_partition() {
	shows "a file on a partition is where extents says"
	blank card
	load
	attach card
	create card fsdax -s 128M
	# a partition table: one begins at sector 4096, the other at 24576 and has 64 MiB
	printf '\0\0\0\0\203\0\0\0\0\20\0\0\0\40\0\0\0\0\0\0\203\0\0\0\0\140\0\0\0\0\2\0' |
		dd of="$VM/share/table" bs=1 seek=446 status=none
	printf '\125\252' | dd of="$VM/share/table" bs=1 seek=510 status=none
	run "dd if=/host/table of=$NODE conv=fsync status=none; udevadm settle; flock $NODE blockdev --rereadpt $NODE; udevadm settle
		cat /sys/block/${NODE#/dev/}/${NODE#/dev/}p2/{start,size}"
	is "the second partition, in sectors" "24576 131072" "${OUT/$'\n'/ }"
	run "mkfs.ext4 -q -F -b 4096 ${NODE}p2 && mount -o dax=always ${NODE}p2 /mnt/a"
	head -c 300000 /dev/urandom >"$VM/share/data"
	run "cp /host/data /mnt/a/file && sync /mnt/a/file"
	in_place /mnt/a/file "$VM/share/data"
	run "ndctl-iopmem extents /mnt/a/file"
	is "device" "${NODE#/dev/}p2" "$(values device)"
}

test_devdax() {
	local align
	shows "a device DAX node and parts of it are in the BAR where extents says"
	for align in 4K 2M; do
		blank card
		load
		attach card
		create card fsdax -s 32M
		create card devdax -s 64M -a $align
		head -c 8M /dev/urandom >"$VM/share/data"
		run "mapcp in $NODE 8M </host/data"
		in_place "$NODE" "$VM/share/data" 0 $((8 << 20))
		is "extents" 1 "$EXTENTS"
		in_place "$NODE" "$VM/share/data" 2097000 3000001
		run "ndctl-iopmem extents $NODE"
		is "size of all" "$(guest "cat /sys/bus/dax/devices/${NODE#/dev/}/size")" "$(values size)"
		is "mode" devdax "$(values mode)"
		like "valid_while" "the namespace is there" "$OUT"
		detach card
	done
}

refused() {
	fails "^ndctl-iopmem extents: $2" "ndctl-iopmem extents $1"
	is "lines" 1 "$(wc -l <<<"$OUT")"
}

test_refused() {
	local data disk
	shows "what has no fixed place of its own on a card is refused in one line, with the reason"
	blank card
	load
	attach card
	create card fsdax -s 128M
	data=${NODE#/dev/}
	run "mkfs.ext4 -q -F -b 4096 $NODE && mount -o dax=always $NODE /mnt/a"
	run "cd /mnt/a; head -c 1M /dev/urandom >whole; truncate -s 1M hole; fallocate -l 1M unwritten; : >empty; mkfifo fifo
		cp whole punched; cp whole half; sync; fallocate -p -o 64K -l 64K punched; truncate -s 2M half; sync"
	refused /mnt/a/hole "/mnt/a/hole: at offset 0 it has a hole, write zeros there first"
	refused /mnt/a/punched "/mnt/a/punched: at offset 65536 it has a hole"
	refused /mnt/a/half "/mnt/a/half: at offset 1048576 it has a hole"
	refused /mnt/a/unwritten "/mnt/a/unwritten: at offset 0 it is allocated but unwritten"
	refused /mnt/a/empty "/mnt/a/empty: is empty"
	refused "/mnt/a/whole -o 1M" "/mnt/a/whole: has 1048576 bytes, offset 1048576 is beyond its end"
	refused "/mnt/a/whole -o 1K -l 1M" "/mnt/a/whole: has 1048576 bytes, 1048576 from offset 1024 on are more"
	refused /mnt/a "/mnt/a: is neither a file nor"
	refused /mnt/a/fifo "/mnt/a/fifo: is neither a file nor"
	refused /mnt/a/nosuch "/mnt/a/nosuch: No such file"
	refused "/dev/$data" "/dev/$data: is a block device: give a file on it"
	refused /dev/null "/dev/null: is on null, not on iopmem"
	run "ndctl-iopmem extents /mnt/a/punched -l 64K; ndctl-iopmem extents /mnt/a/punched -o 128K"
	saw "the parts beside the hole are not refused"

	run "echo x >/run/file"
	refused /run/file "/run/file: is on tmpfs, which is not on one block device"
	run "echo x >/root/file"
	refused /root/file "/root/file: is on vda, not on iopmem"
	run "chmod 644 /mnt/a/whole"
	fails "^ndctl-iopmem extents: /mnt/a/whole: physical addresses need root" \
		"setpriv --reuid=65534 --clear-groups ndctl-iopmem extents /mnt/a/whole"
	fails "^ndctl-iopmem extents: /mnt/a/whole: physical addresses need root, with CAP_SYS_ADMIN" \
		"setpriv --inh-caps=-sys_admin --bounding-set=-sys_admin ndctl-iopmem extents /mnt/a/whole"

	run "umount /mnt/a; mount $NODE /mnt/a"
	refused /mnt/a/whole "/mnt/a/whole: is not DAX, a mapping of it is in RAM: mount $data with -o dax=always"
	run "umount /mnt/a; modprobe loop; losetup /dev/loop0 $NODE; mount /dev/loop0 /mnt/a"
	refused /mnt/a/whole "/mnt/a/whole: is on loop0, not on iopmem"
	run "umount /mnt/a; losetup -d /dev/loop0"

	disk=$(guest "blockdev --getsz $NODE")
	run "echo 0 $disk linear $NODE 0 | dmsetup create over && mount -o dax=always /dev/mapper/over /mnt/a"
	refused /mnt/a/whole "/mnt/a/whole: is on dm-0, a stacked device"
	run "umount /mnt/a; dmsetup remove over"

	create card sector -s 64M -l 4096
	run "mkfs.ext4 -q -F $NODE && mount $NODE /mnt/b && echo x >/mnt/b/file && sync"
	refused /mnt/b/file "/mnt/b/file: is on ${NODE#/dev/}, a sector namespace, whose blocks move"
}

# build_example NAME: build an example of the library with installed files only
build_example() {
	run "gcc -Wall -Wextra -Werror -o /tmp/$1 /usr/share/doc/libiopmem/examples/$1.c \$(pkg-config --cflags --libs libiopmem)"
}

test_nvme_example() {
	shows "the example nvme-to-file can be built with installed files, and lets a drive read into a new file on the card"
	blank card
	load
	attach card
	create card fsdax -s 128M
	build_example nvme-to-file
	run "mkfs.ext4 -q -F -b 4096 $NODE && mount -o dax=always $NODE /mnt/a"
	new_text
	pattern "$text" >"$DIR/pattern"
	dd if="$DIR/pattern" of="$DIR/drive.img" bs=1M seek=16 conv=notrunc status=none
	run "/tmp/nvme-to-file /dev/nvme0n1 $((16 << 20)) /mnt/a/file $((8 << 20))"
	in_place /mnt/a/file "$DIR/pattern"
	run "umount /mnt/a && mount -o dax=always $NODE /mnt/a && cp /mnt/a/file /host/file"
	is "read(2) after mounting again" equal "$(cmp "$VM/share/file" "$DIR/pattern" && echo equal)"
	fails "/root/new: is on vda, not on iopmem" "/tmp/nvme-to-file /dev/nvme0n1 0 /root/new 4096"
}

test_dma_example() {
	shows "the example dma-engine lets a bare DMA engine copy between files and devdax by bus addresses"
	blank card
	load
	attach card
	create card fsdax -s 128M
	build_example dma-engine
	run "mkfs.ext4 -q -F -b 4096 $NODE && mount -o dax=always $NODE /mnt/a"
	head -c 20001 /dev/urandom >"$VM/share/data"
	run "for i in 0 1 2 3 4; do
			for f in from other; do
				dd if=/host/data of=/mnt/a/\$f bs=4K skip=\$i seek=\$i count=1 conv=notrunc,fsync status=none
			done
		done; fallocate -l 20001 /mnt/a/to"
	run "cd /sys/bus/pci/devices/${F[registers]} && echo 1 >enable; setpci -s ${F[registers]} COMMAND=6:6"
	run "/tmp/dma-engine /sys/bus/pci/devices/${F[registers]} /mnt/a/from /mnt/a/to"
	in_place /mnt/a/to "$VM/share/data"
	in_place /mnt/a/from "$VM/share/data"
	[ "$EXTENTS" -gt 1 ] || bad "extents of a file that grew beside another" "several" "$EXTENTS"
	run "umount /mnt/a && mount -o dax=always $NODE /mnt/a && cp /mnt/a/to /host/to"
	is "read(2), of what was allocated and unwritten" equal "$(cmp "$VM/share/to" "$VM/share/data" && echo equal)"
	create card devdax -s 64M
	run "/tmp/dma-engine /sys/bus/pci/devices/${F[registers]} /mnt/a/to $NODE"
	in_place "$NODE" "$VM/share/data" 0 20001
	run "echo 0 >/sys/bus/pci/devices/${F[registers]}/enable"
}

test_no_dax() {
	local data
	shows "a file system with inline data cannot be mounted with DAX; files without DAX, encrypted files, and files on the realtime device of an xfs are refused"
	blank card
	load
	attach card
	create card fsdax -s 320M --map=mem
	run "modprobe ext4; mkfs.ext4 -q -F -b 4096 -O inline_data $NODE"
	fails "wrong fs type, bad option, bad superblock" "mount -o dax=always $NODE /mnt/a"
	logged "Cannot use DAX on a filesystem that may contain inline data"
	run "mount $NODE /mnt/a && echo x >/mnt/a/file && sync /mnt/a/file"
	refused /mnt/a/file "/mnt/a/file: is not DAX"
	run "umount /mnt/a"

	run "mkfs.ext4 -q -F -b 4096 -O encrypt $NODE && mount -o dax=always $NODE /mnt/a && mkdir /mnt/a/dir
		id=\$(head -c 64 /dev/urandom | xfs_io -c add_enckey /mnt/a | grep -oE '[0-9a-f]{32}')
		xfs_io -c \"set_encpolicy -v 2 \$id\" /mnt/a/dir && xfs_io -c get_encpolicy /mnt/a/dir
		for f in dir/file file; do head -c 64K /dev/urandom >/mnt/a/\$f; done; sync"
	like "policy" "Encryption policy for /mnt/a/dir" "$OUT"
	refused /mnt/a/dir/file "/mnt/a/dir/file: is encrypted, use a file that is not"
	run "ndctl-iopmem extents /mnt/a/file; umount /mnt/a"
	saw "a file beside it that is not encrypted is not refused"

	data=$NODE
	create card fsdax -s 96M --map=mem
	run "mkfs.xfs -q -f -r rtdev=$NODE,extsize=4k -d rtinherit=0 $data && mount -o dax=always,rtdev=$NODE $data /mnt/a
		xfs_io -f -R -c 'pwrite -q 0 64k' /mnt/a/realtime && head -c 64K /dev/urandom >/mnt/a/file && sync"
	refused /mnt/a/realtime "/mnt/a/realtime: is on the realtime device of its file system, not on ${data#/dev/}"
	run "ndctl-iopmem extents /mnt/a/file"
}

# build_syncer: build a program that, for each line of input, stores to a mapping and calls
# iopmem_map_sync()
build_syncer() {
	cat >"$VM/share/syncer.c" <<-'END'
	#include <err.h>
	#include <errno.h>
	#include <iopmem.h>
	#include <stdio.h>
	#include <string.h>

	int main(int argc, char **argv)
	{
		struct iopmem_ctx *ctx;
		struct iopmem_map *map;
		int rc;

		if (argc != 2 || iopmem_new(&ctx))
			return 2;
		if (iopmem_map_new(ctx, argv[1], 0, 0, 0, &map))
			errx(1, "%s", iopmem_get_error(ctx));
		while (getchar() == '\n') {
			memset(iopmem_map_get_address(map), 0x5a, 4096);
			rc = iopmem_map_sync(map);
			printf("%s%s%s\n", rc ? strerrorname_np(-rc) : "synced",
			       rc ? ": " : "", rc ? iopmem_get_error(ctx) : "");
			fflush(stdout);
		}
		iopmem_map_free(map);
		iopmem_unref(ctx);
		return 0;
	}
	END
	run "gcc -D_GNU_SOURCE -Wall -Werror -o /tmp/syncer /host/syncer.c \$(pkg-config --cflags --libs libiopmem)"
}

# sync_now: send the program a line, and set OUT to its answer
sync_now() {
	run "n=\$(wc -l <$SAID); echo >/tmp/go; await 60 \"[ \\\$(wc -l <$SAID) -gt \$n ]\"; tail -n 1 $SAID"
}

test_sync() {
	shows "iopmem_map_sync() of a file fails with EIO if the function's memory is off"
	disks_fail
	blank cut
	load
	attach cut
	build_syncer
	create cut fsdax -s 32M
	run "mkfs.ext4 -q -F -b 4096 $NODE && mount -o dax=always $NODE /mnt/a && head -c 64K /dev/zero >/mnt/a/file && sync /mnt/a/file"
	run "rm -f /tmp/go; mkfifo /tmp/go"
	# the fifo is open for writing too, so that reading it does not end
	launch "/tmp/syncer /mnt/a/file <>/tmp/go" '[ $(readlink /proc/$pid/exe) = /tmp/syncer ]'
	sync_now
	is "before" synced "$OUT"
	run "setpci -s ${F[cut]} COMMAND=0:2"
	sync_now
	like "memory off" "^EIO: /mnt/a/file: msync: Input/output error: has the function been reset, or is it gone\?" "$OUT"
	run "setpci -s ${F[cut]} COMMAND=2:2"
	stop syncer
	run "umount /mnt/a"
}

runs_in base slow

test_labelless() {
	shows "with labels=0, when the namespace itself is the block device, a file is where extents says"
	blank card
	load labels=0
	attach card
	run "ndctl create-namespace -f -e namespace0.0 -m fsdax --map=mem"
	run "mkfs.ext4 -q -F -b 4096 /dev/pmem0 && mount -o dax=always /dev/pmem0 /mnt/a"
	head -c 300000 /dev/urandom >"$VM/share/data"
	run "cp /host/data /mnt/a/file && sync /mnt/a/file"
	in_place /mnt/a/file "$VM/share/data"
}

test_clone() {
	shows "a clone that is mapped for writing gets blocks of its own: a drive fills it, and the original does not change"
	blank card
	load
	attach card
	create card fsdax -s 400M
	build_example nvme-to-file
	run "mkfs.xfs -q -f -m reflink=1 $NODE && mount -o dax=always $NODE /mnt/a"
	head -c 1M /dev/urandom >"$VM/share/data"
	run "cp /host/data /mnt/a/file && cp --reflink=always /mnt/a/file /mnt/a/clone && sync"
	refused /mnt/a/clone "/mnt/a/clone: at offset 0 it shares its blocks"
	head -c 1M /dev/urandom >"$DIR/pattern"
	dd if="$DIR/pattern" of="$DIR/drive.img" bs=1M seek=16 conv=notrunc status=none
	run "/tmp/nvme-to-file /dev/nvme0n1 $((16 << 20)) /mnt/a/clone $((1 << 20)) && sync"
	in_place /mnt/a/clone "$DIR/pattern"
	in_place /mnt/a/file "$VM/share/data"
	run "umount /mnt/a && mount -o dax=always $NODE /mnt/a && cp /mnt/a/clone /mnt/a/file /host"
	is "read(2) after mounting again: the clone" equal "$(cmp "$VM/share/clone" "$DIR/pattern" && echo equal)"
	is "the original" equal "$(cmp "$VM/share/file" "$VM/share/data" && echo equal)"
}
