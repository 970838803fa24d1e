#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A label whose lbasize is none of 0, 512 and 4096
. "$(dirname "$0")/lib.sh"

begin "the label is refused, or its namespace is not enabled; no warning"
fresh
create raw
forge_labels label.lbasize=12345
on
say "unsupported sector size|WARNING" 5
