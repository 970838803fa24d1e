#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# An info block of fsdax with the data where the info block itself is
. "$(dirname "$0")/lib.sh"

begin "the info block is refused; no warning"
fresh
create fsdax --map=dev
forge_block align=0x1000 dataoff=0x1000
on &
say "invalid altmap|WARNING" 10
