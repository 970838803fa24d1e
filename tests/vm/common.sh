# SPDX-License-Identifier: GPL-2.0-only
# For all scripts of the tests: messages, progress, the cache, Debian's packages
# shellcheck shell=bash

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PATH=$PATH:/usr/sbin:/sbin
cache=${XDG_CACHE_HOME:-$HOME/.cache}/iopmem
KERNEL=${KERNEL:-6.1}
V=${V:-}

# die TEXT: end with one line that says what is wrong, where, and what to do
die() {
	echo "iopmem: $*" >&2
	exit 1
}

# Only installing packages and working in another system's tree needs root.
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

# during WHAT COMMAND...: run the command with its output in a log, and show how long it
# has been running. With V=1 show the output instead.
during() {
	local what=$1 start=$SECONDS log rc=0
	shift
	if [ -n "$V" ]; then
		echo "$what"
		"$@"
		return
	fi
	log=$(mktemp) || return
	# a process group, so that one signal ends all of it
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

# cache_lock: make the cache's folder, and lock it until this process ends
cache_lock() {
	mkdir -p "$cache" 2>/dev/null ||
		die "cannot create $cache: set XDG_CACHE_HOME to a folder that can be written"
	exec 9>"$cache/lock"
	flock 9
}

# cache_clean PATTERN: remove from the cache what an interrupted run has left, and what
# matches the pattern and was not used for two weeks
cache_clean() {
	local old
	find "$cache" -maxdepth 1 -name 'tmp.*' -o -maxdepth 1 -name "$1" -mtime +14 |
		while read -r old; do
			as_root rm -rf --one-file-system "$old"
		done
}

# cache_room MIB WHAT: fail unless the cache's disk has that much room for WHAT
cache_room() {
	local free
	free=$(df -Pm "$cache" | awk 'NR == 2 { print $4 }')
	[ "$free" -ge "$1" ] ||
		die "$cache has $free MiB free and $2 needs $1: make room, or set XDG_CACHE_HOME to another disk"
}

# load_kernel: read the kernel's file. SUITES are Debian's suites, of which the last one
# is preferred. DEBS are the kernel's packages, and ARCH is Debian's name of the
# architecture.
load_kernel() {
	local known
	ARCH=amd64 BASE='' DRIVER=m SLOW=1 PART='' CMDLINE='' HOTPLUG='' LEFT_OUT=()
	# shellcheck source=/dev/null
	if ! . "$top/tests/vm/kernels/$KERNEL" 2>/dev/null; then
		known=$(cd "$top/tests/vm/kernels" && echo *)
		die "KERNEL=$KERNEL is not known, use one of: $known"
	fi
}

# debian_mirror: print the mirror that the machine's own apt uses
debian_mirror() {
	apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' \
		'Origin: Debian' 'Codename: bookworm' | head -n 1
}

# find_mirror: set mirror
find_mirror() {
	mirror=$(debian_mirror)
	if [ -z "$mirror" ]; then
		during "package lists" as_root apt-get update
		mirror=$(debian_mirror)
	fi
	[ -n "$mirror" ] ||
		die "apt knows no Debian mirror: add one to /etc/apt/sources.list and run 'apt-get update'"
}

# suite_download DIR PACKAGE: download a package of SUITES into DIR, from mirror. The
# machine may run another suite, so apt gets its own lists and state there, too.
suite_download() {
	local suite
	mkdir -p "$1"/{lists,archives}/partial &&
	for suite in $SUITES; do
		echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main"
	done >"$1/sources.list"
	set -- "$1" "$2" -o Dir::Etc::SourceList="$1/sources.list" -o Dir::Etc::SourceParts=- \
		-o Dir::State="$1" -o Dir::State::Lists="$1/lists" \
		-o Dir::State::Status=/dev/null \
		-o Dir::Cache="$1" -o Dir::Cache::Archives="$1/archives" \
		-o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none
	apt-get "${@:3}" update -o APT::Update::Error-Mode=any &&
		(cd "$1" && apt-get "${@:3}" download "$2")
}
