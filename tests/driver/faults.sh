# SPDX-License-Identifier: GPL-2.0-only
# Allocations that fail: the nth allocation of an operation fails, for n = 1, 2, 3 ... until
# the operation makes fewer than n
# shellcheck shell=bash
runs_in base debug

bind=/sys/bus/pci/drivers/iopmem/bind
unbind=/sys/bus/pci/drivers/iopmem/unbind

# prepare: print commands that let the kernel log each failure with its stack, and that
# begin a new list of places. kmemleak's own allocations, one for each object, must not fail.
prepare() {
	cat <<-'END'
		# range SYMBOL: set start and end to the addresses of this function of the kernel
		range() {
			awk -v name=$1 'found { print "0x" $1; exit } $3 == name { print "0x" $1; found = 1 }' /proc/kallsyms >/tmp/range
			{ read -r start && read -r end; } </tmp/range
		}
		cd /sys/kernel/debug/failslab && echo 2 >verbose && echo N >ignore-gfp-wait &&
			range kmemleak_alloc && echo $start >reject-start && echo $end >reject-end &&
			cd ../fail_page_alloc && echo 2 >verbose && echo 0 >min-order && cd / || exit
		echo "iopmem-each:" >/dev/kmsg
	END
}

# allocations_fail: allow what the kernel says of allocations that fail
allocations_fail() {
	may_log '^Call Trace:$|^kobject: .*error: -12'
}

# each WHAT COMMAND CLEAN [END]: run COMMAND once for each allocation of its own thread,
# which fails, and run CLEAN after each. COMMAND prints "point taken", or "no point" if no
# allocation has failed. With "no point" it has to succeed, or to end with END. Objects and
# pages fail in separate rounds, since the number of pages that objects take varies. udev is
# off meanwhile: if it listens to events, the kernel allocates more for some, and the count
# could skip an allocation of the driver's.
each() {
	allocations_fail
	udev_off
	GUEST_SECONDS=3600 run "
		$(prepare)
		taken=0
		for what in failslab fail_page_alloc; do
			echo Y | tee /sys/kernel/debug/fail*/ignore-gfp-wait >/dev/null
			echo N >/sys/kernel/debug/\$what/ignore-gfp-wait
			for ((n = 1; ; n++)); do
				said=\$(FAIL_NTH=\$n $2 2>&1)
				rc=\$?
				end=\${said##*[[:space:]]}
				[ \$rc = 0 ] && end=success
				case \$said in
				*'no point'*)
					[ \$end = ${4:-success} ] && break
					echo \"without a failure: \$said\"
					exit 1
					;;
				*'point taken'*) ;;
				*) echo \"at \$n: \$said\"; exit 1 ;;
				esac
				ends+=\" \$end\"
				( $3 ) || { echo \"after \$n of \$what, \$end: not clean\"; exit 1; }
			done
			( $3 ) || exit
			taken=\$((taken + n - 1))
		done
		echo \$taken points taken\${ends:+:} \$(printf '%s\n' \$ends | sort | uniq -c | sed -n 's/^ *\([0-9]*\) \([A-Za-z].*\)/\1 \2,/p')"
	# an operation that is refused at once may make no allocation
	like "$1" "^[${4:+0}1-9][0-9]* points taken" "$OUT"
	figure "failed allocations: $1" "${OUT%% *}" "clean"
	places
	udev_on
}

# places: set PLACES to the driver's calls in which an allocation failed, as "COUNT
# FUNCTION+OFFSET calls FUNCTION". They come from the stacks in the log.
places() {
	PLACES=$(case_log | sed 's/^\[ *[0-9.]*\] *//' | awk '
		/^iopmem-each:/ { split("", count) }
		/^FAULT_INJECTION: forcing a failure/ { inside = 1; callee = "" }
		/^<\/TASK>/ { inside = 0 }
		!inside || /^\? / { next }
		/^iopmem_[a-z_]+\+0x/ {
			sub(/\/.*/, "")
			count[$0 " calls " callee]++
			inside = 0
		}
		/^[A-Za-z0-9_.]+\+0x/ { callee = $1; sub(/\+.*/, "", callee) }
		END { for (c in count) print count[c], c }' | sort -k 2)
	[ -z "$PLACES" ] || while read -r; do saw "in $REPLY"; done <<<"$PLACES"
}

# failed_in CALLEE...: an allocation has to have failed in each of these calls of the driver
failed_in() {
	local c
	for c in "$@"; do
		grep -q " calls $c\$" <<<"$PLACES" || bad "failures in the driver" "calls $c" "$PLACES"
	done
}

# none_left NAME: print a command that succeeds if the function is not bound, nothing is
# reserved, and the module is not in use
none_left() {
	echo "[ ! -e /sys/bus/pci/devices/${F[$1]}/driver ] && ! ls /sys/bus/nd/devices | grep . && ! grep iopmem /proc/iomem && grep -x 0 /sys/module/iopmem_bus/refcnt >/dev/null"
}

# bound NAME: print a command that succeeds if the function is bound and has a region
bound() {
	echo "cat /sys/bus/nd/devices/ndbus*/wait_probe >/dev/null && [ -e /sys/bus/pci/drivers/iopmem/${F[$1]} ] && ls -d /sys/bus/pci/devices/${F[$1]}/ndbus*/region* >/dev/null"
}

# unbind_if_bound NAME: print a command that unbinds the function. It waits before for
# libnvdimm's threads, which may still be probing.
unbind_if_bound() {
	echo "[ ! -e /sys/bus/pci/drivers/iopmem/${F[$1]} ] || { cat /sys/bus/nd/devices/ndbus*/wait_probe >/dev/null; echo ${F[$1]} >$unbind; }"
}

# bindable NAME: prepare a blank function for binding, with the module loaded. It gets no
# NUMA node, since then the kernel probes it in the thread that asks for it.
bindable() {
	blank "$1"
	load
	run "cd /sys/bus/pci/devices/${F[$1]} && echo iopmem >driver_override && echo -1 >numa_node"
}

test_probe() {
	shows "each allocation of a probe fails once: nothing is left, and the next bind works"
	bindable cut
	# the next round binds again, and gets one allocation further
	each "probe" "failnth write $bind ${F[cut]}" "$(unbind_if_bound cut) && $(none_left cut)"
	failed_in __kmalloc_cache_node_noprof arch_io_reserve_memtype_wc memremap __request_region \
		nvdimm_bus_register __nvdimm_create nvdimm_pmem_region_create
	run "echo ${F[cut]} >$bind && $(bound cut)"
}

# only_in SYMBOL: print a command, to be used after prepare's, that lets allocations fail
# below this function of the kernel, in any thread. "interval" and "times" say which. anywhere
# ends that.
only_in() {
	echo "
		cd /sys/kernel/debug/failslab
		range $1 && echo \$start >require-start && echo \$end >require-end || exit
		echo N >task-filter
		echo 100 >probability"
}

anywhere() {
	echo "
		cd /sys/kernel/debug/failslab
		echo 0 >probability
		echo 0 >require-start
		echo 0xffffffffffffffff >require-end"
}

test_threads() {
	shows "each allocation of the threads in which libnvdimm probes regions and namespaces fails once: nothing is left, and the next bind works"
	bindable cut
	allocations_fail
	# a listener for events changes the number of allocations
	udev_off
	# The kernel counts the matching allocations, and fails each interval-th. The count
	# starts at 0, and stays while the interval is less than 2. Before round n it is
	# 2 + ... + (n - 1), which gives this interval.
	GUEST_SECONDS=3600 run "
		$(prepare)
		$(only_in async_run_entry_fn)
		for ((n = 1; ; n++)); do
			echo \$((n * (n + 1) / 2 - 1)) >interval
			echo 1 >times
			echo ${F[cut]} >$bind || exit
			cat /sys/bus/nd/devices/ndbus*/wait_probe >/dev/null
			read -r left <times
			ends+=\" \$(ls -d /sys/bus/nd/devices/{region,namespace}* 2>/dev/null | wc -l)\"
			echo 0 >times
			echo ${F[cut]} >$unbind || exit
			( $(none_left cut) ) || { echo \"after \$n: not clean\"; exit 1; }
			[ \$left = 0 ] || break
		done
		$(anywhere)
		echo \$((n - 1)) points taken\${ends:+:} \$(printf '%s\n' \$ends | sort | uniq -c | sed 's/^ *\([0-9]*\) \(.*\)/\1 with \2 devices,/')"
	like "probes in threads" "^[1-9][0-9]* points taken" "$OUT"
	figure "failed allocations: probes in threads" "${OUT%% *}" "clean"
	udev_on
	run "echo ${F[cut]} >$bind && $(bound cut)"
}

test_bus() {
	shows "binding fails if libnvdimm gets no memory to bind its bus, and works once there is memory"
	bindable cut
	allocations_fail
	fails "Cannot allocate memory" "
		$(prepare)
		$(only_in nd_bus_probe)
		echo 1 >interval
		echo -1 >times
		echo ${F[cut]} >$bind
		rc=\$?
		$(anywhere)
		exit \$rc"
	run "$(none_left cut)"
	run "echo ${F[cut]} >$bind && $(bound cut)"
}

test_remove() {
	shows "each allocation of a removal fails once: the removal is complete, and the next bind works"
	blank cut
	load
	attach cut
	each "remove" "failnth write $unbind ${F[cut]}" "
		if [ ! -e /sys/bus/pci/drivers/iopmem/${F[cut]} ]; then
			$(none_left cut) && echo ${F[cut]} >$bind || exit
		fi
		$(bound cut)"
}

test_labels() {
	local c
	shows "each allocation of each label command fails once: the command is complete or fails"
	blank cut
	load
	attach cut
	run "ndctl disable-region $(region_of cut)"
	for c in "size /dev/nmem0" "get /dev/nmem0 0 131072" "set /dev/nmem0 0 131072"; do
		each "$c" "labelcmd $c" "$(bound cut) && labelcmd ${c/set/get} >/dev/null"
	done
	# 9 is for vendors' commands, and 8 does not exist
	for c in 9 8; do
		each "other $c" "labelcmd other /dev/nmem0 $c" "$(bound cut)" ENOTTY
	done
}

# parse PARAMETERS [END]: load the module with these parameters
parse() {
	each "$1" "failnth load $module '$1'" "
		[ ! -d /sys/module/iopmem_bus ] || rmmod iopmem_bus
		[ ! -e /sys/bus/pci/drivers/iopmem ]" "$2"
}

test_parameters() {
	local module
	shows "each allocation of loading the module with parameters fails once: the module is loaded completely or not at all"
	run "modinfo -n iopmem_bus"
	module=$OUT
	# no function here has these ids
	parse "ids=abcd:ef01,1234:5678:9abc bars=2,4-5 labels=0 cached=1af4:1110"
	failed_in __pci_register_driver pci_add_dynid
	parse "bars=2-9" ERANGE
	parse "ids=1af4" EINVAL
}

runs_in bare debug

test_bare() {
	shows "where the MTRRs say write-back outside of a virtual machine, no failed allocation lets the BAR be used"
	bindable card
	each "probe of a write-back BAR" "failnth write $bind ${F[card]}" "$(none_left card)" ENODEV
	failed_in memremap
}
