#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A region that is disabled while its namespaces are still being registered
. "$(dirname "$0")/lib.sh"

begin "no namespace is left when the region is disabled"
fresh
create raw
off
for n in $(seq 200); do
	echo "$region" >"$drivers/nd_region/bind"
	echo "$region" >"$drivers/nd_region/unbind"
	sleep 0.1
	left=$(cd "$nd" && ls -d "namespace${region#region}".* 2>/dev/null)
	[ -z "$left" ] || break
done
[ -n "$left" ] || end good "none is left, 200 times"
echo "left at try $n: $left"
provider
echo "$of" >"$nfit/unbind"
sleep 1
end bad "after nfit is unbound there is $(cd "$nd" && ls -d -C "$region" -- *"${region#region}".* 2>/dev/null)"
