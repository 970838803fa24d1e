# SPDX-License-Identifier: GPL-2.0-only
# ndctl-iopmem and libiopmem: in the toolbox with artificial sysfs trees, and in the guest
# with the real driver
# shellcheck shell=bash
runs_in toolbox

# meson_tests NAME [SETUP OPTION...]: build in a folder NAME, and run meson's tests there. WHICH
# has options of meson test, to choose some.
meson_tests() {
	local name=$1 out
	shift
	out=$(meson setup "$@" "$work/$name" "$top/ndctl-plugin" 2>&1 && meson compile -C "$work/$name" 2>&1) ||
		bad "meson setup $*, compile" "to succeed" "$out"
	unlike "the compiler's output" "warning:" "$out"
	# shellcheck disable=SC2086 # options
	out=$(meson test -C "$work/$name" --print-errorlogs $WHICH 2>&1) || bad "meson test" "to succeed" "$out"
	like "$name" "^Fail: +0" "$out"
	like "$name" "^Ok: +[1-9]" "$out"
	unlike "$name" "^(Skipped|Timeout): +[1-9]" "$out"
}

test_trees() {
	shows "in artificial sysfs trees, list has the right fields, refuses bad input, and takes time linear in the number of functions"
	WHICH="--no-suite memcheck" meson_tests plain -Dwerror=true -Ddocs=enabled
}

test_sanitizers() {
	shows "the tests of the command and the library pass under ASan and UBSan"
	# gcc warns of NULL in formats, misled by the sanitizer's own checks for NULL
	meson_tests sanitized -Db_sanitize=address,undefined -Dc_args=-Wno-format-overflow
}

test_fuzz() {
	shows "libFuzzer with ASan and UBSan finds nothing in the parsers"
	WHICH="--suite fuzz" CC=clang meson_tests fuzz -Dfuzz=true
}

test_make() {
	local out
	shows "make plugin builds; once installed as README.md says, the command starts, and a program can be built with the library"
	mkdir "$work/installed"
	(cd "$top" && tar -c VERSION Makefile ndctl-plugin) | tar -C "$work/installed" -x
	mkdir "$work/bin"
	out=$(PATH=$work/bin /usr/bin/make -C "$work/installed" plugin 2>&1) && bad "make plugin without meson" "to fail" "success"
	like "make plugin without meson" "^iopmem: meson is not installed: apt install meson gcc pkgconf " "$out"
	ln -s /usr/bin/meson "$work/bin"
	out=$(PATH=$work/bin /usr/bin/make -C "$work/installed" plugin 2>&1) && bad "make plugin without a compiler" "to fail" "success"
	like "make plugin without a compiler" "^iopmem: cc is not installed: apt install meson gcc pkgconf " "$out"
	out=$(make -C "$work/installed" plugin 2>&1) || bad "make plugin" "to succeed" "$out"
	out=$(DESTDIR=$work/root make -C "$work/installed" install-plugin 2>&1) ||
		bad "make install-plugin" "to succeed" "$out"
	use_library
	# hide the build, so that only installed files can be used
	out=$(as_root unshare --mount sh -ec "
		mount -t tmpfs tmp /usr/local
		make -C '$work/installed' install-plugin >/dev/null
		mount -t tmpfs tmp '$work/installed'
		/usr/local/bin/ndctl-iopmem --version
		ldconfig -p | grep -c 'libiopmem.* => /usr/local/lib/libiopmem'
		gcc -Wall -Werror -o /usr/local/use '$work/use.c' \$(pkg-config --cflags --libs libiopmem)
		/usr/local/use | cut -d' ' -f1
		rm /usr/local/use
		umount '$work/installed'
		make -C '$work/installed' uninstall-plugin >/dev/null
		find /usr/local -type f -o -type l" 2>&1)
	is "installed without DESTDIR, it starts; libraries that the linker knows; what a program gets; uninstalled, files left" \
		"$(cat "$top/VERSION") 2 -2" "$(xargs <<<"$out")"
	rm -r "$work/installed/build"
	out=$(make -C "$work/installed" install-plugin 2>&1) && bad "make install-plugin without a build" "to fail" "success"
	like "make install-plugin without a build" "^iopmem: build/plugin has no build: make plugin\$" "$out"
	out=$(make -C "$work/installed" uninstall-plugin 2>&1) && bad "make uninstall-plugin without a build" "to fail" "success"
	like "make uninstall-plugin without a build" "^iopmem: build/plugin was not installed from: nothing is removed\$" "$out"
	export PKG_CONFIG_SYSROOT_DIR=$work/root PKG_CONFIG_PATH
	PKG_CONFIG_PATH=$(dirname "$(find "$work/root" -name libiopmem.pc)")
	# shellcheck disable=SC2046 # flags
	out=$(gcc -Wall -Werror -o "$work/use" "$work/use.c" $(pkg-config --cflags --libs libiopmem) 2>&1) ||
		bad "gcc with pkg-config" "to succeed" "$out"
	is "libraries that it links besides libc" "-liopmem" "$(pkg-config --libs-only-l libiopmem | xargs)"
	export LD_LIBRARY_PATH
	LD_LIBRARY_PATH=$(dirname "$(find "$work/root" -name libiopmem.so.0)")
	is "its scan without sysfs" "-2 /sys/bus/pci/devices: No such file or directory: is sysfs mounted, and is there PCI?" "$("$work/use")"
	unlike "symbols that are not the library's" . "$(nm -D --defined-only "$LD_LIBRARY_PATH/libiopmem.so.0" | grep -v -e ' A LIBIOPMEM_0$' -e ' T iopmem_')"
	like "manual" "NDCTL-IOPMEM-LIST" "$(man -l "$work"/root/usr/local/share/man/man1/ndctl-iopmem-list.1 2>&1)"
}

test_dist() {
	local out
	shows "meson dist makes a tarball of the command and the library that builds apart from this tree"
	copied tree
	committed "$work/tree"
	out=$(cd "$work/tree" && meson setup "$work/build" ndctl-plugin 2>&1 &&
		meson dist -C "$work/build" --no-tests 2>&1) || bad "meson dist" "to succeed" "$out"
	tar -C "$work" -xf "$work/build/meson-dist/ndctl-iopmem-$(cat "$top/VERSION").tar.xz" || bad "tar" "to succeed" ""
	cd "$work/ndctl-iopmem-$(cat "$top/VERSION")" || bad "the tarball's folder" "to be there" "$(ls "$work")"
	is "links, and the files of the folder above" "COPYING LICENSES/GPL-2.0-only.txt LICENSES/LGPL-2.1-or-later.txt VERSION" \
		"$(find . -type l; echo COPYING LICENSES/* VERSION)"
	out=$(meson setup build 2>&1 && meson compile -C build 2>&1) || bad "meson setup, compile" "to succeed" "$out"
	is "its version" "$(cat "$top/VERSION")" "$(build/cmd/ndctl-iopmem --version)"
}

runs_in toolbox slow

test_memcheck() {
	shows "the tests of the command and the library pass under valgrind"
	WHICH="--suite memcheck" meson_tests memcheck
}

runs_in base

# listed KEY [N]: the key's first or Nth value in JSON, the output of ndctl-iopmem list
listed() {
	sed -n "s/^ *\"$1\":\"\?\([^\",]*\)\"\?,\?\$/\1/p" <<<"$JSON" | sed -n "${2:-1}p"
}

test_list() {
	shows "list before and after binding; its tree has targets and initiators (tests/cmd/fields.sh compares each field)"
	blank card
	run "ndctl-iopmem list ${F[card]}"
	JSON=$OUT
	is "state" available "$(listed state)"
	is "driver" null "$(listed driver)"
	is "bus" null "$(listed bus)"
	is "BAR 2" available "$(listed state 3)"
	load
	attach card
	run "ndctl-iopmem list ${F[card]}"
	JSON=$OUT
	is "state" bound "$(listed state)"
	is "BAR 2" region "$(listed state 3)"
	run "ndctl-iopmem list -t"
	like "tree: target" "${F[card]} .* iopmem  target, BAR 2 $(region_of card)\$" "$OUT"
	like "tree: initiator" "${F[drive]} .* nvme  initiator" "$OUT"
}

test_list_reasons() {
	local name bar reasons line
	shows "list gives each skipped BAR the reason that the driver logs, and tells blank labels from damaged ones"
	blank card
	load
	attach card
	run "ndctl-iopmem list ${F[card]}"
	JSON=$OUT
	is "labels of a blank BAR" blank "$(listed labels)"
	for name in card tiny registers ports; do
		run "cd /sys/bus/pci/devices/${F[$name]}
			echo iopmem >driver_override
			[ \"\$(basename \$(readlink driver))\" = iopmem ] || {
				[ ! -e driver ] || echo ${F[$name]} >driver/unbind
				echo ${F[$name]} >/sys/bus/pci/drivers/iopmem/bind || :
			}"
		run "ndctl-iopmem list ${F[$name]} | sed -n 's/.*\"reason\":\"\(.*\)\",*/\1/p'"
		reasons=$OUT
		like "$name: reasons" . "$reasons"
		while read -r line; do
			logged "iopmem ${F[$name]}: BAR [0-9] .*: $line, skipped"
		done <<<"$reasons"
	done
	detach card
	for ((bar = 0; bar < 2; bar++)); do
		printf 'NAMESPACE_INDEX\0' |
			dd of="$DIR/card.bar" bs=1 seek=$(((512 << 20) - (128 << 10) + bar * 256)) conv=notrunc status=none
	done
	attach card
	run "ndctl-iopmem list ${F[card]}"
	JSON=$OUT
	is "labels, if there is only a signature" damaged "$(listed labels)"
	detach card
	run "rmmod iopmem_bus"
	blank card
	load labels=0
	attach card
	run "ndctl-iopmem list ${F[card]}"
	JSON=$OUT
	is "labels with labels=0" label-less "$(listed labels)"
}

test_list_user() {
	shows "without root, fields that need root are null, and list succeeds"
	blank card
	load
	attach card
	run "setpriv --reuid=65534 --clear-groups ndctl-iopmem list ${F[card]}"
	JSON=$OUT
	is "labels" null "$(listed labels)"
	is "memory_type" null "$(listed memory_type 2)"
	run "setpriv --reuid=65534 --clear-groups ndctl-iopmem list -u ${F[card]}"
	JSON=$OUT
	is "labels, -u" "unknown, needs root" "$(sed -n 's/.*"labels":"\(.*\)",/\1/p' <<<"$OUT")"
	fails "is not in this machine" "ndctl-iopmem list 0000:ff:1f.7"
}

runs_in moved

test_list_iommu() {
	local group
	shows "with an IOMMU, list has the function's group"
	run "ndctl-iopmem list ${F[card]} ${F[drive]}"
	JSON=$OUT
	run "basename \$(readlink /sys/bus/pci/devices/${F[drive]}/iommu_group)"
	group=$OUT
	run "basename \$(readlink /sys/bus/pci/devices/${F[card]}/iommu_group)"
	# the list is in the order of addresses, so the drive comes first
	is "the drive's group" "$group" "$(listed iommu_group 1)"
	is "the card's group" "$OUT" "$(listed iommu_group 2)"
}
