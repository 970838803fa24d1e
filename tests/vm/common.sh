# SPDX-License-Identifier: GPL-2.0-only
# What every script here shares: messages, progress, the cache.
# shellcheck shell=bash

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PATH=$PATH:/usr/sbin:/sbin
cache=${XDG_CACHE_HOME:-$HOME/.cache}/iopmem
KERNEL=${KERNEL:-6.1}
V=${V:-}

# One line: what is wrong, where, what to do.
die() {
	echo "iopmem: $*" >&2
	exit 1
}

# Packages and another system's tree want root; nothing else here does.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "root is needed for '$1': become root, or install sudo"
	fi
}

elapsed() {
	local s=$((SECONDS - $1))
	printf '%d:%02d' $((s / 60)) $((s % 60))
}

# during WHAT COMMAND...: run the command with its output in a log, show for
# how long it has run. V=1 shows the output instead.
during() {
	local what=$1 start=$SECONDS log rc=0
	shift
	if [ -n "$V" ]; then
		echo "$what"
		"$@"
		return
	fi
	log=$(mktemp) || return
	# a process group, so that it can be ended whole
	set -m
	"$@" >"$log" 2>&1 &
	local pid=$!
	set +m
	# shellcheck disable=SC2064
	trap "as_root sh -c 'kill -- -$pid'; wait $pid; rm -f '$log'; exit 143" INT TERM HUP
	while kill -0 "$pid" 2>/dev/null; do
		if [ -t 1 ]; then
			printf '\r%s ... %s ' "$what" "$(elapsed "$start")"
		elif [ $(((SECONDS - start) % 60)) = 59 ]; then
			echo "$what ... $(elapsed "$start")"
		fi
		sleep 1
	done
	wait "$pid" || rc=$?
	trap - INT TERM HUP
	[ -t 1 ] && printf '\r'
	if [ "$rc" = 0 ]; then
		echo "$what: $(elapsed "$start") "
	else
		echo "$what: failed after $(elapsed "$start"), its last lines:"
		tail -n 15 "$log" | sed 's/^/  | /'
	fi
	rm -f "$log"
	return "$rc"
}

# Sets SUITES (the last is preferred) and DEBS, from the kernel's own file.
load_kernel() {
	local known
	# shellcheck source=/dev/null
	if ! . "$top/tests/vm/kernels/$KERNEL" 2>/dev/null; then
		known=$(cd "$top/tests/vm/kernels" && echo *)
		die "KERNEL=$KERNEL is not known, use one of: $known"
	fi
}
