#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A label that gives its namespace less than the region's alignment, and too little to be
# enabled
. "$(dirname "$0")/lib.sh"

begin "the label is refused, or the namespace can be given a size or cannot; no warning"
fresh
create raw
forge_labels label.rawsize=0x800
on
seed=$(cat "$nd/$region/namespace_seed")
echo "the seed is $seed, with $(cat "$nd/$seed/size") bytes"
(echo $((128 << 20)) >"$nd/$seed/size")
say "allocation underrun|WARNING" 5
