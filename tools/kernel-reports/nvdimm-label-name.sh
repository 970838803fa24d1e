#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A label whose name takes all of its 64 bytes, with no NUL
. "$(dirname "$0")/lib.sh"

begin "alt_name has at most 64 bytes"
fresh
# some labels, since what is behind one in memory can begin with a NUL
longest=0
for n in 1 2 3 4 5 6 7 8; do
	create raw
	forge_labels label.name=65
	on
	for name in "$nd/namespace${region#region}".*/alt_name; do
		length=$(($(wc -c <"$name") - 1))
		[ "$length" -le "$longest" ] || longest=$length
	done
	[ "$longest" -le 64 ] || end bad "$longest bytes"
	fresh
done
end good "$longest bytes"
