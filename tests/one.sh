# SPDX-License-Identifier: GPL-2.0-only
# Which cases there are, and running one: for tests/run and the mutants. The
# caller has work, a folder for its files, and results, a file for how it ended.
# shellcheck shell=bash
case_files=("$top"/tests/{driver,cmd,repo}/*.sh)
[ -z "$CASES" ] || case_files=("$CASES"/*.sh)

# "machine file function", in the order in which machines are booted
cases() {
	local m
	for m in base moved p2p strict passthrough viommu hotplug nopat bare bars many races cmdline exact exact_peers near demo life torture toolbox bookworm trixie none; do
		awk -v want="$m" -v all="$T$ALL" -v torture="$TORTURE" -v debug="$BASE" -v guests="$GUESTS$BASE" '
			$1 == "runs_in" {
				machine = $2
				chosen = !$3 || $3 == "slow" && all || $3 == "debug" && debug
				if (torture || $3 == "torture")
					chosen = torture && $3 == "torture"
				if (guests && machine ~ /^(life|none|toolbox|bookworm|trixie)$/ && $3 != "debug")
					chosen = 0
			}
			/^test_[a-z0-9_]+\(\)/ && machine == want && chosen {
				sub(/\(\).*/, "")
				print machine, FILENAME, $0
			}' "${case_files[@]}"
	done
}

logs() {
	case_log
	[ ! -e "$work/beside/console" ] || VM=$work/beside case_log
}

# What the kernel says of something that is wrong
wrong='BUG|WARNING:|Oops|KASAN|KFENCE|UBSAN|ODEBUG|DMA-API: (debugging out|cacheline|exceeded|.*device driver)|general protection|Kernel panic'
wrong+='|kmemleak: ([0-9]+ new|.*disabled)|Call Trace:|cut here|unable to handle|Machine check|detected stalls'
wrong+='|INFO: (task .* blocked|trying to register)|possible (recursive|circular|irq lock)|suspicious RCU|soft lockup|hard LOCKUP'
wrong+='|scheduling while atomic|sleeping function|refcount_t:|list_(add|del)(_valid)? corruption|Objects remaining|Busy inodes'
wrong+='|bad p[gmu4]d|[Bb]ad page|Bad rss|non-?zero (mapcount|_refcount)|page dumped because'
wrong+='|nonexistent resource|freeing invalid memtype|conflicting memory types|map pfn .* mapping type|resource sanity check|conflicts? with'
wrong+='|cannot create duplicate filename|kobject_(add|init).*(failed|error)|does not have a release|bad: scheduling|double free|use-after-free|nvdimm.*leak'
wrong+='|EXT4-fs error|Remounting filesystem read-only|JBD2: .*(error|Error)|Aborting journal'
wrong+='|XFS .*([Cc]orrupt|I/O [Ee]rror|[Ss]hutting down|shutdown)|Buffer I/O error|lost async page write|I/O error, dev'

# A line in the guests' logs that no case may cause. What stock kernels say on
# their own is in vm/stock-noise, what the case causes on purpose in may_log.
complaints() {
	logs | sed 's/^\[ *[0-9.]*\] *\(\[ *[TC][0-9]*\] *\)\?//' | grep -aE "$wrong" |
		grep -avxFf <(grep -v '^#' "$top/tests/vm/stock-noise") | grep -avEf "$work/may_log"
}

# Back to a guest with the module unloaded and nothing of it left.
tidy() {
	guest '
		pkill -x "mapcp|fio"
		await 10 "! pgrep -x \"mapcp|fio\" >/dev/null"
		# a file system that is shut down answers nothing, so ask the kernel
		for m in /mnt/a /mnt/b; do grep -q " $m " /proc/mounts && umount $m; done
		for d in /sys/bus/pci/devices/*; do
			[ "$(cat $d/driver_override)" = iopmem ] && echo >$d/driver_override
			d=/sys/bus/pci/drivers/iopmem/${d##*/}
			[ -e $d ] && echo ${d##*/} >${d%/*}/unbind
		done
		[ -d /sys/module/softbridge ] && ! rmmod softbridge && exit 1
		[ -e /sys/module/iopmem_bus/initstate ] && ! rmmod iopmem_bus && exit 1
		[ -d /sys/module/iopmem_bus ] || ! ls -d /sys/bus/pci/drivers/iopmem 2>/dev/null || exit 1
		grep -i iopmem /proc/iomem && exit 1
		ls /sys/bus/nd/devices 2>/dev/null | grep . && exit 1
		exit 0'
}

# Memory that nothing points to any more, by kmemleak. It counts only what is
# five seconds old, and its first look is for a checksum. It takes long, so once
# a file.
look_for_leaks() {
	local why
	why=$(guest '
		cd /sys/kernel/debug && sleep 5 && echo scan >kmemleak && echo scan >kmemleak || exit
		grep . kmemleak || exit 0
		echo clear >kmemleak
		exit 1' 2>&1) && return
	echo "    kmemleak, after the cases of $1: $why"
	echo "  FAILED"
	CASE=$1/kmemleak result failed
}

begin() {
	vm_alive && [ ! -e "$VM/lost" ] && [ "$booted" = "$1" ] && return
	vm_off
	if [ "$1" = life ]; then
		[ ! -e "$work/life_failed" ] || return	# nothing to go on from
		life_disk "$work" || return
	fi
	vm_boot "$1" "$work" || return
	booted=$1
	echo "-- $1 machine up after $VM_BOOT_TIME s ($ACCEL, kernel $KERNEL)"
}

# sources FILE: the kernels' sources that the cases of the file want. Fetched
# here, since the toolbox has no network.
sources() {
	local version
	while read -r version <&5; do
		vm_wait "$top/tests/vm/source" "$version" 3>/dev/null || return
	done 5< <(awk '$1 == "wants_source" { for (i = 2; i <= NF; i++) print $i }' "$1")
}

# result RESULT [REASON]: that is how the case ended
result() {
	# shellcheck disable=SC2153 # the caller's
	echo "$1: $CASE${2:+: $2}" >>"$results"
}

# one MACHINE FILE FUNCTION: the case CASE. It fails when one of its steps does,
# when the guest is lost, when the kernel complains meanwhile, or when unbinding
# and unloading afterwards leaves something behind. The machine that a failed
# case has had is not used again, unless KEEP_MACHINE says so.
one() {
	local machine=$1 file=$2 fn=$3 rc=0 start=$EPOCHREALTIME took why suite=()
	CASE_NUMBER=$((CASE_NUMBER + 1))
	: >"$work/may_log"
	rm -f "$work/skipped"
	case $machine in
	none) ;;
	bookworm | trixie)
		suite=(-s "$machine")
		machine=toolbox
		;;
	toolbox)
		sources "$file" || {
			echo "$CASE: FAILED, for want of a kernel's source"
			result failed
			return
		}
		;;
	*)
		begin "$machine" || {
			echo "$CASE: FAILED, for want of a machine"
			result failed
			return
		}
		guest "echo iopmem-case: $CASE_NUMBER >/dev/kmsg"
		;;
	esac
	if [ "$machine" = toolbox ]; then
		env "CASE=$CASE" "work=$work" "$top/tests/vm/in-toolbox" "${suite[@]}" -w "$work" "$top/tests/vm/case" "$file" "$fn" || rc=$?
	else
		(
			# shellcheck source=/dev/null
			. "$file"
			"$fn"
		) || rc=$?
	fi
	if [ -e "$work/skipped" ]; then
		result skipped "$(cat "$work/skipped")"
		return
	fi
	if [ "$machine" != none ] && [ "$machine" != toolbox ]; then
		if [ -e "$VM/lost" ]; then
			rc=1
		elif [ -e "$VM/used" ] || [ "$machine" = life ]; then
			:
		elif ! why=$(tidy 2>&1); then
			echo "    unbinding and unloading left: $why"
			rc=1 booted=
		fi
		if why=$(complaints); then
			echo "    the kernel complained: $why"
			rc=1 booted=
		fi
		# what a failed case has left is nobody else's matter
		[ "$rc" = 0 ] || {
			logs | sed 's/^/    log | /'
			[ "$machine" != life ] || touch "$work/life_failed"
			[ -n "$KEEP_MACHINE" ] || booted=
		}
	fi
	took=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
	if [ "$rc" = 0 ]; then
		result passed
		echo "  ok ($took s)"
	else
		result failed
		echo "  FAILED ($took s)"
	fi
}
