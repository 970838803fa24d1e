#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# An nvdimm bus that has no driver. Here drivers_autoprobe keeps the driver away; want of
# memory in nd_bus_probe() does the same.
. "$(dirname "$0")/lib.sh"

begin "binding nfit fails, or nothing is left when it is unbound"
fresh
provider
echo "$of" >"$nfit/unbind"
before=$(cd "$nd" && echo ./*)
echo 0 >/sys/bus/nd/drivers_autoprobe
echo "$of" >"$nfit/bind"
echo 1 >/sys/bus/nd/drivers_autoprobe
[ -e "$nfit/$of" ] || end good "binding nfit fails"
echo "$of" >"$nfit/unbind"
sleep 1
left=
for name in "$nd"/*; do
	case " $before " in
	*" ./${name##*/} "*) ;;
	*) left="$left ${name##*/}" ;;
	esac
done
[ -n "$left" ] || end good "nothing is left"
end bad "left:$left"
