#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A label area whose index blocks say that there are no slots
. "$(dirname "$0")/lib.sh"

begin "available_slots is a number, or the index blocks are refused; no warning"
fresh
forge_labels index.nslot=0
echo "available_slots: $(cat "$nd/$dimm/available_slots")"
say "ate our last label|WARNING" 3
