# SPDX-License-Identifier: GPL-2.0-only
# Labels written by one version of the driver and read by another
# shellcheck shell=bash
runs_in base

# tests/data/labels-1.2 was recorded after three_namespaces, below, on a blank BAR of
# 128 MiB, and labels-1.1 in the same way after "ndctl init-labels -V 1.1". They have the
# bytes that are not zero, as printed by
#
#	od -v -Ax -tx1 -w32 recorded.bar | grep -vE '^[0-9a-f]+( 00)*$'
#
# Do not change them, since cards in use have such labels.

# record_of VERSION FILE: write the recorded bytes into a file of zeros
record_of() {
	local at bytes
	while read -r at bytes; do
		[ "$at" != '#' ] || continue
		# shellcheck disable=SC2059
		printf "\\x${bytes// /\\x}" |
			dd of="$2" bs=1 seek=$((16#$at)) conv=notrunc status=none
	done <"$top/tests/data/labels-$1"
}

# recorded_namespaces VERSION: the recorded namespaces: name, mode, size, uuid
recorded_namespaces() {
	local files pages
	case $1 in
	1.2) files=b7e8e76a-b491-4ca5-9837-9c27fc054e62 pages=9eea38c9-d03f-465b-b818-93ad01c82d70 ;;
	1.1) files=50248a92-ac96-418a-a926-0bfd63234710 pages=38ddc7bf-afc3-465e-868d-dfbc3e752782 ;;
	esac
	echo "files fsdax 31457280 $files, pages devdax 31457280 $pages, plain raw 16777216 00000000-0000-4000-8000-000000000003"
}

# three_namespaces: make the recorded namespaces. Their uuids are given, so the labels are the
# same each time.
three_namespaces() {
	local uuid=00000000-0000-4000-8000-00000000000
	create recorded fsdax -s 32M --map=mem -n files -u ${uuid}1
	create recorded devdax -s 32M --map=mem -n pages -u ${uuid}2
	create recorded raw -s 16M -n plain -u ${uuid}3
}

# listed: print the namespaces of the JSON in OUT
listed() {
	awk -F'"' '
		$2 == "mode" { mode = $4 }
		$2 == "uuid" { uuid = $4 }
		$2 == "size" { size = $3; gsub(/[:,]/, "", size) }
		$2 == "name" { print $4, mode, size, uuid }' <<<"$OUT" |
		sort | paste -sd, | sed 's/,/, /g'
}

test_read() {
	local v
	shows "the names, modes, sizes and uuids of recorded labels, 1.1 and 1.2, are read; then one namespace can be added and one destroyed"
	load
	for v in 1.2 1.1; do
		new_text
		blank recorded
		record_of $v "$DIR/recorded.bar"
		attach recorded
		run "ndctl list -N"
		is "labels $v" "$(recorded_namespaces $v)" "$(listed)"
		run "echo '$text' | dd of=/dev/pmem0.2 bs=4096 conv=sync,fsync oflag=direct status=none"
		is "plain begins in the BAR at" $((64 << 20)) "$(found "$text" "$DIR/recorded.bar")"
		create recorded fsdax -s 16M -n added --map=mem
		run "ndctl destroy-namespace -f namespace0.2"
		detach recorded
		attach recorded
		run "ndctl list -N"
		like "labels $v, after binding again" '^added fsdax [^,]*, files fsdax [^,]*, pages devdax [^,]*$' "$(listed)"
		is "minor version in the index" "${v#1.}" \
			"$(od -An -tu2 -j $(((128 << 20) - 131072 + 62)) -N2 "$DIR/recorded.bar" | xargs)"
		detach recorded
	done
}

test_written() {
	local v
	shows "labels that are written now, 1.1 and 1.2, equal the recorded ones byte for byte, so older versions can read them"
	load
	for v in 1.2 1.1; do
		blank recorded
		attach recorded
		[ $v = 1.2 ] ||
			run "ndctl disable-region $(region_of recorded) && ndctl init-labels -V $v nmem0 && ndctl enable-region $(region_of recorded)"
		three_namespaces
		detach recorded
		rm -f "$DIR/recorded"
		truncate -s 128M "$DIR/recorded"
		record_of $v "$DIR/recorded"
		is "labels $v, bytes of the label area that differ" 0 \
			"$(cmp -l -i $(((128 << 20) - 131072)) "$DIR/recorded" "$DIR/recorded.bar" 2>&1 | wc -l)"
	done
	rm "$DIR/recorded"
}
