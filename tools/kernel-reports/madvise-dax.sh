#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# MADV_COLD and MADV_PAGEOUT for a huge page of a file on DAX
. "$(dirname "$0")/lib.sh"

begin "nothing in the log"
compile map <"$here/map.c"
fresh
create fsdax
mkfs.ext4 -q -F -b 4096 -E stride=512,stripe_width=512 "/dev/$disk" || cannot "there is no mkfs.ext4"
mkdir "$tmp/mnt"
mount -o dax "/dev/$disk" "$tmp/mnt" || cannot "mount -o dax fails"
fallocate -l 16M "$tmp/mnt/file"
"$tmp/map" cold "$tmp/mnt/file"
"$tmp/map" pageout "$tmp/mnt/file"
umount "$tmp/mnt"
say "bad pmd|BUG|WARNING" 3
