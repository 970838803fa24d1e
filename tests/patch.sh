# SPDX-License-Identifier: GPL-2.0-only
# The series for a kernel tree
# shellcheck shell=bash
runs_in none
. "$top/tests/vm/kbuild.sh"

# kernel_copy SOURCE TREE: a tree of links, where only what the series touches
# is a copy, and that in git
kernel_copy() {
	local d
	mkdir -p "$2"/{drivers,Documentation/driver-api,Documentation/ABI} &&
		ln -s "$1"/* "$2/" 2>/dev/null
	for d in drivers Documentation Documentation/driver-api Documentation/ABI; do
		ln -s "$1/$d"/* "$2/$d/" 2>/dev/null
	done
	for d in MAINTAINERS drivers/nvdimm Documentation/driver-api/nvdimm Documentation/ABI/testing; do
		rm "$2/$d" && cp -r "$1/$d" "$2/$d" || return
	done
	git -C "$2" init -q &&
		git -C "$2" add MAINTAINERS drivers/nvdimm Documentation/driver-api/nvdimm Documentation/ABI/testing &&
		git -C "$2" commit -qm base
}

# built TREE OBJECTS VALUE LIBNVDIMM: build drivers/nvdimm so. W=1 finds some
# in the rest of the folder.
built() {
	"$1/scripts/config" --file "$2/.config" --set-val LIBNVDIMM "$4" --set-val IOPMEM_BUS "$3" &&
		make -s -C "$1" O="$2" olddefconfig &&
		rm -f "$2/drivers/nvdimm/iopmem_bus.o" &&
		make -s -j"$(nproc)" -C "$1" O="$2" W=1 drivers/nvdimm/
}

# in_kernel VERSION
in_kernel() {
	local tree=$work/tree obj=$work/obj f out
	rm -rf "$tree" "$obj"
	kernel_source "$1"
	export GIT_CONFIG_GLOBAL=/dev/null EMAIL=nobody@localhost
	export GIT_AUTHOR_NAME=nobody GIT_COMMITTER_NAME=nobody
	kernel_copy "$src" "$tree" || bad "kernel_copy" "a tree" ""
	out=$(KSRC=$src OUT=$work/patches make -s -C "$top" patch 2>&1) || bad "make patch" "a series" "$out"
	out=$(git -C "$tree" am "$work"/patches/*.patch 2>&1) || bad "git am" "to take it" "$out"
	is "kernel $1, patches applied" 3 "$(grep -c ^Applying <<<"$out")"
	for f in drivers/nvdimm/iopmem_bus.c Documentation/driver-api/nvdimm/iopmem.rst Documentation/ABI/testing/sysfs-bus-nd-iopmem; do
		cmp "$top/$f" "$tree/$f" || bad "$f" "as it is here" ""
	done
	out=$("$src/scripts/checkpatch.pl" --strict --no-tree --no-signoff --terse --ignore FILE_PATH_CHANGES \
		"$work"/patches/*.patch) || bad "checkpatch" "nothing" "$out"

	{
		configure "$tree" "$obj" &&
			make -s -j"$(nproc)" -C "$tree" O="$obj" modules_prepare
	} >"$work/log" 2>&1 || bad "modules_prepare" "to succeed" "$(tail -n 20 "$work/log")"
	out=$(built "$tree" "$obj" m m 2>&1) || bad "IOPMEM_BUS=m" "to build" "$out"
	unlike "IOPMEM_BUS=m says of the driver" iopmem "$out"
	is "and gives" "iopmem_bus.o" "$(cd "$obj/drivers/nvdimm" && ls iopmem_bus.o)"
	out=$(built "$tree" "$obj" y y 2>&1) || bad "IOPMEM_BUS=y" "to build" "$out"
	unlike "IOPMEM_BUS=y says of the driver" iopmem "$out"
	like "and gives, in built-in.a," "iopmem_bus.o" "$(ar t "$obj/drivers/nvdimm/built-in.a")"
	out=$(built "$tree" "$obj" n y 2>&1) || bad "IOPMEM_BUS=n" "to build" "$out"
	is "IOPMEM_BUS=n gives" "" "$(cd "$obj/drivers/nvdimm" && ls iopmem_bus.o 2>/dev/null)"
}

test_series() {
	local out
	shows "make patch gives a series that git am takes and that builds in the kernels 6.12 and 7.3: m, y and n"
	out=$("$top/tests/vm/deps" kernel 2>&1) || bad "tests/vm/deps kernel" "to succeed" "$out"
	in_kernel 6.12
	in_kernel 7.3
}

test_series_refused() {
	local out
	shows "a KSRC that is none is refused in one line"
	out=$(KSRC='' "$top/tools/patch" 2>&1) && bad "no KSRC" "to fail" "$out"
	is "no KSRC" "iopmem: KSRC is not set: make patch KSRC=DIR, the folder of an unpacked kernel source" "$out"
	out=$(KSRC=/proc "$top/tools/patch" 2>&1) && bad "KSRC=/proc" "to fail" "$out"
	is "KSRC=/proc" "iopmem: KSRC=/proc has no drivers/nvdimm/Kconfig: name the folder of an unpacked kernel source" "$out"
}
