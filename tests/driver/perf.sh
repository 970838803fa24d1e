# SPDX-License-Identifier: GPL-2.0-only
# The cost of binding, and that the driver does nothing on reads and writes
# shellcheck shell=bash

. "$top/tests/bench/lib.sh"

# at_most WHAT LIMIT GOT: the figure may be at most LIMIT
at_most() {
	[[ $3 =~ ^[0-9.]+$ ]] || bad "$1" "a number" "$3"
	awk -v a="$3" -v b="$2" 'BEGIN { exit !(a <= b) }' || bad "$1" "at most $2" "$3"
	saw "$1: $3, at most $2"
}

ratio() {
	awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'
}

runs_in exact slow

test_size() {
	local small huge
	shows "binding a BAR of 1 TiB takes as long as one of 256 MiB"
	load
	lowest small 10
	small=$BIND
	lowest huge 10
	huge=$BIND
	saw "256 MiB: $small us, 1 TiB: $huge us"
	at_most "1 TiB to 256 MiB" 1.5 "$(ratio "$huge" "$small")"
}

test_functions() {
	local names=() i eighth last
	shows "binding a function takes as long with 63 others bound as with 7"
	for ((i = 0; i < 63; i++)); do
		names+=("many$i")
	done
	load
	binding "${names[@]:0:7}"
	lowest many63 10
	eighth=$BIND
	binding "${names[@]:7}"
	lowest many63 10
	last=$BIND
	saw "with 7 others: $eighth us, with 63: $last us"
	at_most "with 63 to with 7" 1.5 "$(ratio "$last" "$eighth")"
}

# fsyncs DEVICE: how many writes of 4 KiB, each with an fsync, the device takes per second.
# fio counts in whole milliseconds, so the job has to last a second or more.
fsyncs() {
	run "fio --name=io --filename=$1 --direct=1 --ioengine=psync --bs=4k --size=8M --loops=64 --rw=write --fsync=1 --output-format=json"
	awk -F '[:,]' '/"iops" / && $2 > 0 { print int($2); exit }' <<<"$OUT"
}

test_fsync() {
	local nfit ours
	shows "an fsync costs at most one percent more than one of an NFIT NVDIMM"
	blank small
	load
	attach small
	create small raw -s 64M
	run "modprobe nfit; udevadm settle; ndctl list -N -b ACPI.NFIT"
	nfit=/dev/$(field blockdev)
	ours=$(fsyncs "$NODE")
	nfit=$(fsyncs "$nfit")
	run "ndctl disable-region -b ACPI.NFIT all && modprobe -r nfit"
	saw "fsyncs a second: $ours, on the NVDIMM $nfit"
	at_most "the NVDIMM's to ours" 1.01 "$(awk -v a="$nfit" -v b="$ours" 'BEGIN { printf "%.4f", a / b }')"
}

# expected JOB: the job's time as a multiple of the NVDIMM's, by the committed results
expected() {
	awk -F'\t' -v job="$1" '
		$1 == job { t[$2] = $3 }
		END { if (t["nfit"] && t["card"]) printf "%.4f", t["card"] / t["nfit"] }' "$top/tests/bench/results/exact.tsv"
}

runs_in exact_peers slow

# least_ns FILE OPTION...: set VALUE to the nanoseconds that fio takes for one operation, in
# the faster of two runs. The kernel's own work took 1 % of the time in one run of ten.
least_ns() {
	local first
	fio_ns "$@"
	first=$VALUE
	fio_ns "$@"
	VALUE=$(printf '%s\n' "$first" "$VALUE" | sort -n | head -n 1)
}

test_unchanged() {
	local file=/mnt/a/file o=(--ioengine=psync --bs=4k) PEER job was
	local -A got
	shows "compared with an NVDIMM, read, write, fsync and page fault take no more instructions than make bench has found"
	for PEER in nfit card; do
		peer $PEER
		namespace fsdax mem
		for job in read write; do
			least_ns "$NODE" --direct=1 "${o[@]}" --rw=rand$job
			got[raw $job 4k,$PEER]=$VALUE
		done
		least_ns "$NODE" --direct=1 "${o[@]}" --rw=randwrite --fsync=1
		got[raw write 4k, fsync,$PEER]=$VALUE
		run "$(mkfs ext4) && $(mount_dax ext4) && dd if=/dev/zero of=$file bs=1M count=64 status=none && sync
			for i in 1 2 3 4 5; do faultbench $file 32M 4K || exit; done"
		got[ext4 fault 4K,$PEER]=$(grep -x '[0-9]*' <<<"$OUT" | sort -n | head -n 1)
		run "umount /mnt/a"
	done
	for job in "raw read 4k" "raw write 4k" "raw write 4k, fsync" "ext4 fault 4K"; do
		was=$(expected "$job")
		[ -n "$was" ] || bad "tests/bench/results/exact.tsv" "a figure for $job" "none"
		at_most "$job, time relative to those results" 1.01 "$(awk -v was="$was" -v a="${got[$job,card]}" -v b="${got[$job,nfit]}" 'BEGIN { printf "%.4f", a / b / was }')"
	done
	run "ndctl disable-region -b ACPI.NFIT all && modprobe -r nfit"
}

# calls COMMAND: run it, and set OUT to the module's functions that were entered meanwhile
calls() {
	run "mountpoint -q /sys/kernel/tracing || mount -t tracefs tracing /sys/kernel/tracing
		cd /sys/kernel/tracing
		echo ':mod:iopmem_bus' >set_ftrace_filter && echo function >current_tracer || exit
		$1
		sed -n 's/^[^#].*: \([a-z_.0-9]*\) <-.*/\1/p' trace | sort -u | tr '\n' ' '
		echo nop >current_tracer"
}

# io ARGUMENTS: print a command that runs fio over 512 KiB without output
io() {
	echo "fio --name=io --bs=4k --size=8M --io_size=512k --rw=randrw $* --output=/dev/null || exit"
}

# touch_all FILE LENGTH: print a command that stores to all pages of a mapping
touch_all() {
	echo "rm -f /tmp/held; mapcp hold $1 $2 >/tmp/held & await 60 'grep -q held /tmp/held' || exit; kill \$!; wait \$!"
}

runs_in base

test_io() {
	local raw dax
	shows "no function of the driver runs on a read, write or page fault, and only the flush on fsync"
	blank card
	load
	attach card
	create card raw -s 64M
	raw=$NODE
	create card fsdax -s 64M
	dax=$NODE
	# These options keep two others from flushing: the journal's own commits, and the
	# thread that clears inode tables after the first mount.
	run "mkfs.ext4 -q -F -b 4096 -E lazy_itable_init=0,lazy_journal_init=0 $dax && mount -o dax=always,commit=3600 $dax /mnt/a && dd if=/dev/zero of=/mnt/a/file bs=1M count=8 status=none && fallocate -l 4M /mnt/a/new && sync"
	create card devdax -s 64M
	calls "$(io --filename="$raw" --direct=1 --ioengine=psync)"
	is "raw, psync" "" "$OUT"
	calls "$(io --filename=/mnt/a/file --ioengine=psync)"
	is "file, psync" "" "$OUT"
	calls "$(io --filename=/mnt/a/file --ioengine=mmap)"
	is "file, mmap" "" "$OUT"
	calls "mapcp out /mnt/a/new 4M >/dev/null; $(touch_all /mnt/a/new 4M)"
	is "file, page faults" "" "$OUT"
	calls "$(touch_all "$NODE" 8M)"
	is "devdax, page faults" "" "$OUT"
	calls "$(io --filename="$raw" --direct=1 --ioengine=psync --fsync=8)"
	like "raw, psync and fsync" "^(iopmem_answers )?(iopmem_check )?iopmem_flush $" "$OUT"
	calls "$(io --filename=/mnt/a/file --ioengine=psync --fsync=8)"
	like "file, psync and fsync" "^(iopmem_answers )?(iopmem_check )?iopmem_flush $" "$OUT"
	calls "$(io --filename=/mnt/a/file --ioengine=mmap --fsync=8)"
	like "file, mmap and msync" "^(iopmem_answers )?(iopmem_check )?iopmem_flush $" "$OUT"
}
