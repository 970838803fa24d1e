# SPDX-License-Identifier: GPL-2.0-only
# One version everywhere, and what is made for who installs
# shellcheck shell=bash
runs_in toolbox

# copied NAME: the source in a folder of its own, as in git, without what is built
copied() {
	mkdir "$work/$1"
	git -C "$top" ls-files -z | tar -C "$top" -c --null -T - | tar -C "$work/$1" -x
}

test_version() {
	local headers out copy=$work/copy
	shows "what is built has its version from VERSION, and each file with a version has that one"
	out=$("$top/tools/versions" 2>&1) || bad "tools/versions" "to succeed" "$out"
	saw "tools/versions agrees"
	copied copy
	echo 9.8.7 >"$copy/VERSION"
	out=$("$copy/tools/versions" 2>&1) && bad "tools/versions" "to fail" "$out"
	like "with another VERSION" "^iopmem: CHANGELOG.md has version $(cat "$top/VERSION") and VERSION has 9.8.7: change one of them\$" "$out"

	headers=$(find /usr/src -maxdepth 1 -name 'linux-headers-6.1*-amd64' | sort -V | tail -n 1)
	out=$(make -C "$copy" KDIR="$headers" 2>&1) || bad "make" "to succeed" "$out"
	is "modinfo" 9.8.7 "$(modinfo -F version "$copy/drivers/nvdimm/iopmem_bus.ko")"
	out=$(make -C "$copy" plugin 2>&1 && DESTDIR=$work/root make -C "$copy" install-plugin 2>&1) ||
		bad "make plugin install-plugin" "to succeed" "$out"
	is "ndctl-iopmem --version" 9.8.7 "$("$work/root/usr/local/bin/ndctl-iopmem" --version)"
	is "the library" libiopmem.so.9.8.7 "$(basename "$(readlink -f "$work/root/usr/local/lib/libiopmem.so.0")")"
	is "pkg-config" 9.8.7 "$(PKG_CONFIG_PATH=$work/root/usr/local/lib/pkgconfig pkg-config --modversion libiopmem)"
	like "manual" "^ndctl-iopmem 9\\.8\\.7 .*NDCTL-IOPMEM\\(1\\)\$" "$(man -l "$work/root/usr/local/share/man/man1/ndctl-iopmem.1" 2>&1)"
	mkdir "$work/dkms"
	out=$(dkms add "$copy" --sourcetree "$work" --dkmstree "$work/dkms" 2>&1) || bad "dkms add" "to succeed" "$out"
	out=$(dkms status --dkmstree "$work/dkms")
	like "dkms status" "^iopmem/9.8.7" "$out"
}
