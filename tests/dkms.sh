# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
runs_in none

test_build() {
	local headers kver out
	shows "DKMS builds the module for Debian's kernel, in folders of its own"
	out=$("$top/tests/vm/deps" dkms 2>&1) || bad "tests/vm/deps dkms" "to succeed" "$out"
	headers=$(find /usr/src -maxdepth 1 -name 'linux-headers-6.1*-amd64' | sort -V | tail -n 1)
	kver=${headers#*linux-headers-}
	mkdir -p "$work/source/iopmem-0.1" "$work/dkms" "$work/modules"
	(cd "$top" && tar -c --exclude=./build --exclude=./.git --exclude=./patches --exclude='*.ko' --exclude='*.o' .) |
		tar -C "$work/source/iopmem-0.1" -x
	ours() {
		as_root dkms "$@" --sourcetree "$work/source" --dkmstree "$work/dkms" \
			--installtree "$work/modules" -m iopmem -v 0.1 2>&1
	}
	out=$(ours add) || bad "dkms add" "to succeed" "$out"
	out=$(ours build -k "$kver" --kernelsourcedir "$headers") ||
		bad "dkms build" "to succeed" "$out$(cat "$work"/dkms/iopmem/0.1/build/make.log)"
	out=$(ours status)
	like "dkms status" "^iopmem/0.1, $kver, x86_64: built" "$out"
	out=$(/sbin/modinfo -F vermagic "$work/dkms/iopmem/0.1/$kver/x86_64/module"/iopmem_bus.ko*)
	like "the module is for" "^$kver " "$out"
	as_root rm -rf "$work/dkms"
}
