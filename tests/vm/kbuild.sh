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
# building modules with M=. In the cache, by what it is made from.
kernel_for_modules() {
	kernel_source "$1"
	obj=$cache/modules-$2-$({
		basename "$src"
		"$2" --version
		cat "${BASH_SOURCE[0]}"
	} | sha256sum | cut -c1-12)
	exec 8>"$cache/modules.lock"
	flock 8
	[ -e "$obj/prepared" ] ||
		during "kernel $1 with $2, to build modules for" modules_prepare "$2" ||
		die "cannot prepare $src: the lines above say why, V=1 shows all"
	touch "$obj"
	exec 8>&-
}

modules_prepare() {
	export CC=$1 HOSTCC=gcc
	rm -rf "$obj" &&
		configure "$src" "$obj" &&
		make -s -j"$(nproc)" -C "$src" O="$obj" CC="$1" modules_prepare &&
		touch "$obj/prepared"
}

# kernel_copy SOURCE TREE: a tree of links, where only what the series and the
# patches of tests/vm/debug touch is a copy, and that in git
kernel_copy() {
	local d copies=(MAINTAINERS drivers/nvdimm Documentation/driver-api/nvdimm Documentation/ABI/testing
		arch/x86/mm/pat include/linux/memremap.h include/linux/pgtable.h
		mm/internal.h mm/memory.c mm/memremap.c mm/huge_memory.c kernel/dma)
	mkdir -p "$2" &&
		ln -s "$1"/* "$2/" || return
	for d in drivers kernel mm arch arch/x86 arch/x86/mm include include/linux \
		Documentation Documentation/driver-api Documentation/ABI; do
		rm "$2/$d" && mkdir "$2/$d" && ln -s "$1/$d"/* "$2/$d/" || return
	done
	for d in "${copies[@]}"; do
		rm "$2/$d" && cp -rp "$1/$d" "$2/$d" || return
	done
	git -C "$2" init -q &&
		git -C "$2" add "${copies[@]}" &&
		git -C "$2" commit -qm base
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
