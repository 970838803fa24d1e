#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A BTT whose info block puts the log so far away that adding the length gives a small
# number. It wants a processor without ERMS. libnvdimm does not work any more afterwards.
. "$(dirname "$0")/lib.sh"

begin "the info block is refused; no oops"
fresh
create sector
# with labels 1.2 the log is at logoff, so its first 64 bytes are before the namespace
forge_block logoff=0xffffffffffffffc0
on &
say "BUG: unable|Oops" 20
