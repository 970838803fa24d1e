#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A label that is written while the dimm has no driver. libnvdimm does not work any more
# afterwards.
. "$(dirname "$0")/lib.sh"

begin "writing the name of the namespace fails"
fresh
create raw
echo "$ns" >"$drivers/nd_pmem/unbind"
echo "$dimm" >"$drivers/nvdimm/unbind"
(echo name >"$nd/$ns/alt_name") &
say "BUG: kernel NULL|Oops|general protection|KASAN" 10
