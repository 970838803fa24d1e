# SPDX-License-Identifier: GPL-2.0-only
# Kernels from Debian's source, configured to build the driver against or in.
# shellcheck shell=bash

# kernel_source VERSION: sets src
kernel_source() {
	local name
	name=$(mktemp) || exit
	"$top/tests/vm/source" "$1" 3>"$name" || exit
	src=$(cat "$name")
	rm "$name"
}

# configure SOURCE OBJECTS OPTION...: every option that the driver and the modes
# want, and those given, as scripts/config takes them
configure() {
	local from=$1 to=$2
	shift 2
	mkdir -p "$to" &&
		make -s -C "$from" O="$to" x86_64_defconfig &&
		"$from/scripts/config" --file "$to/.config" \
			-e MEMORY_HOTPLUG -e MEMORY_HOTREMOVE -e ZONE_DEVICE \
			-m LIBNVDIMM -m BLK_DEV_PMEM -e DAX -m DEV_DAX \
			-e COMPILE_TEST -e WERROR "$@" &&
		make -s -C "$from" O="$to" olddefconfig
}

# kernel_for_modules VERSION COMPILER: sets src and obj, the latter ready for
# building modules with M=
kernel_for_modules() {
	kernel_source "$1"
	obj=$top/build/kernel/$(basename "$src")-$2
	[ -e "$obj/prepared" ] && return
	during "kernel $1 with $2, to build modules for" modules_prepare "$2" ||
		die "cannot prepare $src: the lines above say why, V=1 shows all"
}

modules_prepare() {
	export CC=$1 HOSTCC=gcc
	rm -rf "$obj" &&
		configure "$src" "$obj" &&
		make -s -j"$(nproc)" -C "$src" O="$obj" CC="$1" modules_prepare &&
		touch "$obj/prepared"
}

# sparse_header FILE: for the kernel 7.3. Debian 12's sparse knows neither the
# keyword nor that strlen() of a constant is one, which the module_param() of
# today asserts.
sparse_header() {
	cat >"$1" <<-'END'
	#define __typeof_unqual__ __typeof__
	#define _Static_assert(...)
	END
}
