#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A BTT whose info block puts the log behind the end of the namespace
. "$(dirname "$0")/lib.sh"

begin "the info block is refused; no warning"
fresh
create sector
forge_block logoff=0x100000000
on &
say "request out of range|WARNING" 10
