# SPDX-License-Identifier: GPL-2.0-only
# Set the function's binding and the module's parameters as a step needs them, put them
# back afterwards, and read the kernel's log
# shellcheck shell=bash
probing=/sys/bus/pci/drivers_autoprobe

# The functions of lib.sh run commands by guest and find functions in F. There is no guest
# here, so commands run on the machine itself.
declare -A F
guest() {
	bash -c "$1"
}

# region_of: the region for lib.sh's create. It is the one that each has reached.
region_of() {
	echo "$REGION"
}

# wrong TEXT: the step has failed, for that reason
wrong() {
	echo "    $1"
	tr '\n' ' ' <<<"$1" | sed 's/ *$//' >"$work/why"
	exit 1
}

bad() {
	wrong "$1: expected $2, got $3"
}

# note TEXT: add a text that is printed after "passed"
note() {
	saw "$1"
	printf '%s' "${sep:-}$1" >>"$work/note"
	sep=', '
}

# refuse TEXT: the card is not blank
refuse() {
	saw "$1"
	[ "$ERASE" = yes ] && return
	echo "$1" >"$work/refused"
	exit 1
}

begin() {
	started="iopmem check-card: begins, $$ $RANDOM$RANDOM"
	F[card]=$CARD
	echo "$started" >/dev/kmsg
}

# mark STEP: write a line into the kernel's log, where step_log begins
mark() {
	echo "iopmem check-card: $1" >/dev/kmsg
}

# card_log: the kernel's log since begin
card_log() {
	dmesg | awk -v mark="$started" 'index($0, mark) { found = 1 } { line[NR] = $0; if (found && !from) from = NR }
		END { for (i = from ? from : 1; i <= NR; i++) print line[i] }'
}

# step_log: the kernel's log since the last mark
step_log() {
	dmesg | awk '/iopmem check-card: / { n = 0 } { line[n++] = $0 } END { for (i = 0; i < n; i++) print line[i] }'
}

# driver_says: the driver's last message in this step that the card has failed
driver_says() {
	step_log | sed -n "s/.*\(iopmem $CARD: .*\)/\1/p" |
		grep -E 'fail from here on|does not keep|answers all ones|does not answer' | tail -n 1 | sed 's/.*/ (&)/'
}

remember() {
	local p
	was_bound='' was_loaded='' parameters=()
	[ "$(driver)" != iopmem ] || was_bound=y
	was_override=$(cat "$device/driver_override")
	was_probing=$(cat "$probing")
	[ -d /sys/module/iopmem_bus ] || return 0
	was_loaded=y
	for p in /sys/module/iopmem_bus/parameters/*; do
		parameters+=("${p##*/}=$(cat "$p")")
	done
}

# unload: unbind the function and remove the module
unload() {
	[ "$(driver)" != iopmem ] || settle
	run "ndctl-iopmem unbind $CARD"
	[ ! -d /sys/module/iopmem_bus ] || run "rmmod iopmem_bus"
}

# reload labels=0|1: load the module with that parameter, and bind only this function. No
# other function may be probed meanwhile, so ids= is empty and probing is off.
reload() {
	unload
	run "echo 0 >$probing; modprobe iopmem_bus ${parameters[*]} ids= $1; rc=\$?; echo $was_probing >$probing; exit \$rc"
	run "ndctl-iopmem bind $CARD"
	settle
}

# unmount: unmount what a step has left mounted
unmount() {
	! grep -q " $mnt " /proc/mounts || run "umount $mnt"
}

restore() {
	unmount
	unload
	echo "$was_probing" >"$probing"
	[ -z "$was_loaded" ] || run "modprobe iopmem_bus ${parameters[*]}"
	if [ -n "$was_bound" ]; then
		run "ndctl-iopmem bind $CARD"
	else
		run "ndctl-iopmem unbind $CARD"
	fi
	run "echo '${was_override/(null)/}' >$device/driver_override"
}

# bar_mib: the size in MiB of all prefetchable BARs. It decides how long steps may take.
bar_mib() {
	local start end flags mib=0
	while read -r start end flags; do
		! ((flags & 0x2000)) || mib=$((mib + ((end - start + 1) >> 20)))
	done < <(head -n 6 "$device/resource")
	echo "$mib"
}

# each MIB COMMAND...: run the command for each region of at least so many MiB. REGION is
# its name, BAR the BAR's number, and SIZE the region's size in bytes.
each() {
	local least=$1 dir tried=''
	shift
	[ "$(driver)" = iopmem ] || wrong "$CARD is not bound any more"
	for dir in "$device"/ndbus*/region*; do
		[ -d "$dir" ] || continue
		REGION=${dir##*/} BAR=$(cat "$dir/iopmem/bar") SIZE=$(cat "$dir/size")
		if [ "$SIZE" -lt $(((least << 20) - 131072)) ]; then
			saw "BAR $BAR is smaller than $least MiB"
			continue
		fi
		tried=y
		saw "BAR $BAR, $REGION, $SIZE bytes"
		"$@"
	done
	[ -n "$tried" ] || skip "no BAR has $least MiB or more"
}
