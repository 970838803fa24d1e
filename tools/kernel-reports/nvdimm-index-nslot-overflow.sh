#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A label area whose number of slots, times the size of a label, needs more than 32 bits.
# The kernel may not survive it.
. "$(dirname "$0")/lib.sh"

begin "the index blocks are refused: the label area counts as blank, and the dimm has its driver"
fresh
forge_labels index.nslot=0x10001fe index.free=0xff
[ -e "$drivers/nvdimm/$dimm" ] || end bad "the index blocks are used: $(log "probe of $dimm|$dimm: probe|BUG|KASAN" | head -n 1)"
end good "the index blocks are refused"
