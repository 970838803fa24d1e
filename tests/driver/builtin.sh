# SPDX-License-Identifier: GPL-2.0-only
# The driver's parameters on the kernel's command line. They are for a built-in driver, and
# modprobe reads them for a module, too.
# shellcheck shell=bash
runs_in cmdline debug

test_parameters() {
	local name
	shows "ids=, bars=, labels= and cached= on the kernel's command line"
	blank card
	if [ "$DRIVER" = y ]; then
		# it was bound before user space existed, so it is blank only now
		is "bound at boot" 0 "$(guest "[ -e /sys/bus/pci/drivers/iopmem/${F[card]} ]; echo \$?")"
	else
		load
	fi
	settle
	for name in ids=1af4:1110 bars=2-3 labels=N cached=1af4:1110; do
		run "cat /sys/module/iopmem_bus/parameters/${name%%=*}"
		is "${name%%=*}" "${name#*=}" "$OUT"
	done
	run "cat /sys/bus/nd/devices/$(region_of card)/{size,iopmem/bar}"
	is "the region's size and BAR" "$((512 << 20)) 2" "$(tr '\n' ' ' <<<"$OUT" | sed 's/ $//')"
	new_text
	run "echo '$text' | dd of=/dev/pmem0 bs=4096 conv=sync,fsync oflag=direct status=none"
	is "its offset in the BAR" 0 "$(found "$text" "$DIR/card.bar")"
}
