# SPDX-License-Identifier: GPL-2.0-only
# Find the cases and run one, for tests/run and the mutants. The caller sets $work, a
# folder for a case's files, and $results, a file that gets a line for each result.
# shellcheck shell=bash
case_files=("$top"/tests/{driver,cmd,repo}/*.sh)
[ -z "$CASES" ] || case_files=("$CASES"/*.sh)

# cases: print "machine file function" for each case of the kinds that are wanted. The
# machines are booted in this order.
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

# chosen: print the cases that are for this kernel, or those of them that T names
chosen() {
	local machine file fn name t
	while read -r machine file fn; do
		name=$(basename "$file" .sh)
		[ -z "$PART" ] || [[ " $PART " = *" $name "* ]] || continue
		[ -n "$T" ] || echo "$machine $file $fn"
		for t in $T; do
			case $t in
			"$name" | "${fn#test_}" | "$name/${fn#test_}")
				echo "$machine $file $fn"
				break
				;;
			esac
		done
	done < <(cases)
}

logs() {
	case_log
	[ ! -e "$work/beside/console" ] || VM=$work/beside case_log
}

# Lines in which the kernel says that something is wrong
wrong='BUG|WARNING:|Oops|KASAN|KFENCE|UBSAN|ODEBUG|DMA-API: (debugging out|cacheline|exceeded|.*device driver)|general protection|Kernel panic'
wrong+='|kmemleak: ([0-9]+ new|.*disabled)|Call Trace:|cut here|unable to handle|Machine check|detected stalls'
wrong+='|INFO: (task .* blocked|trying to register)|possible (recursive|circular|irq lock)|suspicious RCU|soft lockup|hard LOCKUP'
wrong+='|scheduling while atomic|sleeping function|refcount_t:|list_(add|del)(_valid)? corruption|Objects remaining|Busy inodes'
wrong+='|bad p[gmu4]d|[Bb]ad page|Bad rss|non-?zero (mapcount|_refcount)|page dumped because'
wrong+='|nonexistent resource|freeing invalid memtype|conflicting memory types|map pfn .* mapping type|resource sanity check|conflicts? with'
wrong+='|cannot create duplicate filename|kobject_(add|init).*(failed|error)|does not have a release|bad: scheduling|double free|use-after-free|nvdimm.*leak'
wrong+='|EXT4-fs error|Remounting filesystem read-only|JBD2: .*(error|Error)|Aborting journal'
wrong+='|XFS .*([Cc]orrupt|I/O [Ee]rror|[Ss]hutting down|shutdown)|Buffer I/O error|lost async page write|I/O error, dev'

# complaints: print the lines of the guests' logs that fail the case. Two kinds are
# left out: those that stock kernels print on their own (tests/vm/stock-noise), and those
# that the case causes on purpose (may_log).
complaints() {
	logs | sed 's/^\[ *[0-9.]*\] *\(\[ *[TC][0-9]*\] *\)\?//' | grep -aE "$wrong" |
		grep -avxFf <(grep -v '^#' "$top/tests/vm/stock-noise") | grep -avEf "$work/may_log"
}

# tidy: unbind the functions and unload the module. Fail if something of it is left.
tidy() {
	guest '
		pkill -x "mapcp|fio"
		await 10 "! pgrep -x \"mapcp|fio\" >/dev/null"
		# a file system that is shut down answers no request, so ask the kernel
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

# look_for_leaks NAME: fail the file if kmemleak finds memory that nothing points to.
# kmemleak reports only what is five seconds old, and its first scan only computes a
# checksum, so it takes two scans. They take long, so this runs once for each file.
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
		[ ! -e "$work/life_failed" ] || return	# each case goes on from the one before
		life_disk "$work" || return
	fi
	vm_boot "$1" "$work" || return
	booted=$1
	echo "-- $1 machine up after $VM_BOOT_TIME s ($ACCEL, kernel $KERNEL)"
}

# sources FILE: download the kernel sources that the cases of the file need. This
# happens here, since the toolbox has no network.
sources() {
	local version
	while read -r version <&5; do
		vm_wait "$top/tests/vm/source" "$version" 3>/dev/null || return
	done 5< <(awk '$1 == "wants_source" { for (i = 2; i <= NF; i++) print $i }' "$1")
}

# result RESULT [REASON]: write down how the case ended
result() {
	# shellcheck disable=SC2153 # the caller sets it
	echo "$1: $CASE${2:+: $2}" >>"$results"
}

# one MACHINE FILE FUNCTION: run the case. It fails if one of its steps fails, if the
# guest is lost, if the kernel complains meanwhile, or if unbinding and unloading
# afterwards leaves something behind. After a failure the machine is not used again,
# unless KEEP_MACHINE is set. $CASE is the case's name.
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
			echo "$CASE: FAILED, a kernel's source could not be downloaded"
			result failed
			return
		}
		;;
	*)
		begin "$machine" || {
			echo "$CASE: FAILED, the machine did not start"
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
		# no other case may start in what a failed one has left
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
