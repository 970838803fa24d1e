#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lib.sh WORKDIR [PATCH...]: put small bugs into libiopmem and ndctl-iopmem, one at a time, and
# check that the meson test that each bug names notices it. WORKDIR is an empty folder, for
# a copy to change and build. Without PATCH it tries all mutants of lib/. "run" describes
# their format.
#
# Each mutant gets a line, in their order:
#
#	killed lib/NAME (TEST): WHAT	the test fails with the mutant
#	survived ...			the test passes with the mutant
#	stale ...			the patch does not apply
#	broken ...			the mutant does not compile
#	unclear ... -- WHY		the test does not pass without it, or cannot run
#
# Exit status: 0 if all are killed.
here=$(dirname "$(readlink -f "$0")")
top=$(readlink -f "$here/../..")

# die WHAT...: end with a message
die() {
	echo "iopmem: $*" >&2
	exit 1
}

[ $# != 0 ] || die "usage: tests/mutants/lib.sh WORKDIR [PATCH...]"
work=$(readlink -f "$1")
[ -d "$work" ] || die "$1: there is no such folder"
shift
[ $# != 0 ] || set -- "$here"/lib/*.patch
src=$work/src
build=$work/build
for program in meson patch; do
	command -v $program >/dev/null || die "there is no $program: it is in the toolbox, see run"
done
declare -A control quick
rc=0

# field FILE NAME: a field of the patch's header
field() {
	sed -n "1,/^\$/s/^$2: //p" "$1"
}

# verdict WORD FILE [WHY]: print the verdict on a mutant
verdict() {
	echo "$1 lib/$(basename "$2" .patch) ($(field "$2" Test)): $(head -n 1 "$2")${3:+ -- $3}"
	[ "$1" = killed ] || rc=1
}

# results TEST...: run the tests, and print "NAME RESULT SECONDS" for each, in meson's words.
# MULTIPLIER multiplies the deadlines of the tests.
results() {
	meson test -C "$build" --no-rebuild --num-processes 1 ${MULTIPLIER:+-t "$MULTIPLIER"} "$@" >"$work/test.log" 2>&1 </dev/null
	sed -n 's,^ *[0-9]*/[0-9]* [^/]* / \([^ ]*\) *\([A-Z]*\) *\([0-9]*\).*,\1 \2 \3,p' "$work/test.log"
}

make_copy() {
	mkdir "$src" &&
		tar -C "$top" -c VERSION ndctl-plugin | tar -C "$src" -x --no-same-owner &&
		meson setup --buildtype=debugoptimized -Ddocs=disabled "$build" "$src/ndctl-plugin" &&
		meson compile -C "$build"
}

# run_control FILE...: run each test that the mutants name once, without a mutant
run_control() {
	local file name result seconds tests=()
	while read -r name; do
		tests+=("$name")
	done <<<"$(for file in "$@"; do field "$file" Test; done | sort -u)"
	while read -r name result seconds; do
		control[$name]=$result
		[ "${seconds:-99}" -ge 20 ] || quick[$name]=1
	done <<<"$(results "${tests[@]}")"
}

# try FILE: try a mutant, and print its verdict
try() {
	local file=$1 test result
	test=$(field "$file" Test)
	if [ "${control[$test]}" != OK ]; then
		verdict unclear "$file" "without it the test is ${control[$test]:-not there}"
		return
	fi
	if ! patch -s -N -p1 --fuzz=0 --dry-run -d "$src" <"$file" >"$work/patch.log" 2>&1; then
		verdict stale "$file"
		return
	fi
	patch -s -p1 --fuzz=0 -d "$src" <"$file" || die "$file: half applied"
	if meson compile -C "$build" >"$work/compile.log" 2>&1 </dev/null; then
		# A mutant may hang. meson.build gives each test five times its deadline, which is
		# ten minutes and more. What takes less than 20 s without a mutant gets it once.
		read -r _ result _ < <(MULTIPLIER=${quick[$test]} results "$test")
		case $result in
		FAIL | TIMEOUT) verdict killed "$file" ;;
		OK) verdict survived "$file" ;;
		*) verdict unclear "$file" "the test is ${result:-not there}" ;;
		esac
	else
		verdict broken "$file"
	fi
	patch -s -R -p1 --fuzz=0 -d "$src" <"$file" || die "$file: cannot be taken out again"
}

make_copy >"$work/make.log" 2>&1 </dev/null ||
	{ tail -n 20 "$work/make.log" >&2; die "the library does not build, as said above"; }
run_control "$@"
for file; do
	try "$file"
done
exit $rc
