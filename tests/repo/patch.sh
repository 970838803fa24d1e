# SPDX-License-Identifier: GPL-2.0-only
# The patch series for a kernel tree
# shellcheck shell=bash
runs_in toolbox
wants_source 6.12 7.3
. "$top/tests/vm/kbuild.sh"

# built TREE OBJECTS VALUE LIBNVDIMM: build drivers/nvdimm with these values of IOPMEM_BUS and
# LIBNVDIMM. W=1 also finds faults in other files of the folder, so the callers look only for
# the driver's name.
built() {
	"$1/scripts/config" --file "$2/.config" --set-val LIBNVDIMM "$4" --set-val IOPMEM_BUS "$3" &&
		make -s -C "$1" O="$2" olddefconfig &&
		rm -f "$2/drivers/nvdimm/iopmem_bus.o" &&
		make -s -j"$(nproc)" -C "$1" O="$2" W=1 drivers/nvdimm/
}

# patched VERSION: set src to the kernel's source, and tree to a copy with the series applied
patched() {
	local f out
	tree=$work/tree
	rm -rf "$tree"
	kernel_source "$1"
	export GIT_CONFIG_GLOBAL=/dev/null EMAIL=nobody@localhost
	export GIT_AUTHOR_NAME=nobody GIT_COMMITTER_NAME=nobody
	kernel_copy "$src" "$tree" || bad "kernel_copy" "a tree" ""
	out=$(KSRC=$src OUT=$work/patches make -s -C "$top" patch 2>&1) || bad "make patch" "a series" "$out"
	out=$(git -C "$tree" am "$work"/patches/*.patch 2>&1) || bad "git am" "to take it" "$out"
	is "kernel $1, patches applied" 3 "$(grep -c ^Applying <<<"$out")"
	out=$(diff "$top/drivers/nvdimm/iopmem_bus.c" "$tree/drivers/nvdimm/iopmem_bus.c")
	is "lines that the driver there lacks" "blk_queue_flag_set MODULE_VERSION" \
		"$(sed -n 's/^< *\t*\([a-zA-Z_]*\)(.*/\1/p; s/^>.*/more/p' <<<"$out" | xargs)"
	for f in $(cd "$top" && ls Documentation/driver-api/nvdimm/iopmem*.rst) Documentation/ABI/testing/sysfs-bus-nd-iopmem; do
		cmp "$top/$f" "$tree/$f" || bad "$f" "as it is here" ""
	done
}

# in_kernel VERSION PROPOSALS: apply the series and so many proposals, and build
in_kernel() {
	local obj=$work/obj out proposals
	patched "$1"
	mapfile -t proposals < <(find "$work/patches/proposal" -name '*.patch' 2>/dev/null)
	is "and proposals to mm" "$2" ${#proposals[@]}
	[ "$2" = 0 ] || out=$(git -C "$tree" am "${proposals[@]}" 2>&1) || bad "git am" "to take it" "$out"
	out=$("$src/scripts/checkpatch.pl" --strict --no-tree --no-signoff --terse --ignore FILE_PATH_CHANGES \
		"$work"/patches/*.patch "${proposals[@]}") || bad "checkpatch" "nothing" "$out"

	rm -rf "$obj"
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
	shows "make patch gives a series that git am takes and that builds in the kernel 7.3: m, y and n"
	in_kernel 7.3 1
}

# option NAME: the option's value in the configuration in obj
option() {
	sed -n "s/^CONFIG_$1=//p" "$obj/.config"
}

# everything OBJECTS: configure with allmodconfig, which includes WERROR and COMPILE_TEST
everything() {
	obj=$1
	{
		make -s -C "$tree" O="$obj" allmodconfig &&
			make -s -j"$(nproc)" -C "$tree" O="$obj" modules_prepare
	} >"$work/log" 2>&1 || bad "modules_prepare" "to succeed" "$(tail -n 20 "$work/log")"
	is "WERROR, COMPILE_TEST, IOPMEM_BUS" "y y m" "$(option WERROR) $(option COMPILE_TEST) $(option IOPMEM_BUS)"
}

# object WHAT MAKE-VARIABLE...: build the driver's object, without any message about it
object() {
	local what=$1 out
	shift
	rm -f "$obj/drivers/nvdimm/iopmem_bus.o"
	out=$(make -s -j"$(nproc)" -C "$tree" O="$obj" W=1 "$@" drivers/nvdimm/iopmem_bus.o 2>&1) ||
		bad "$what" "to build" "$out"
	unlike "$what says of the driver" iopmem "$out"
	is "and gives" "iopmem_bus.o" "$(cd "$obj/drivers/nvdimm" && ls iopmem_bus.o)"
}

test_series_refused() {
	local out
	shows "a KSRC that is no kernel source is refused in one line"
	out=$(KSRC='' "$top/tools/patch" 2>&1) && bad "no KSRC" "to fail" "$out"
	is "no KSRC" "iopmem: KSRC is not set: make patch KSRC=DIR, the folder of an unpacked kernel source" "$out"
	out=$(KSRC=/proc "$top/tools/patch" 2>&1) && bad "KSRC=/proc" "to fail" "$out"
	is "KSRC=/proc" "iopmem: KSRC=/proc has no drivers/nvdimm/Kconfig: name the folder of an unpacked kernel source" "$out"
}

runs_in toolbox slow

test_series_older() {
	shows "make patch gives a series that git am takes and that builds in the kernel 6.12: m, y and n"
	in_kernel 6.12 0
}

test_allmodconfig() {
	local v obj
	shows "with allmodconfig, whose warnings are errors, the driver builds in the kernels 6.12 and 7.3"
	for v in 6.12 7.3; do
		patched $v
		everything "$work/all-$v"
		object "allmodconfig, W=1"
	done
}

# few OPTION=VALUE...: configure with allnoconfig, the driver, its dependencies, and these
# options
few() {
	local fragment=$work/fragment o value
	printf 'CONFIG_%s\n' WERROR=y EXPERT=y 64BIT=y SPARSEMEM_VMEMMAP=y BLOCK=y BLK_DEV=y \
		PCI=y MEMORY_HOTPLUG=y MEMORY_HOTREMOVE=y ZONE_DEVICE=y LIBNVDIMM=y IOPMEM_BUS=y >"$fragment"
	for o; do
		sed -i "/^CONFIG_${o%=*}=/d" "$fragment"
		echo "CONFIG_$o" >>"$fragment"
	done
	KCONFIG_ALLCONFIG=$fragment make -s -C "$tree" O="$obj" allnoconfig >"$work/log" 2>&1 ||
		bad "allnoconfig" "to succeed" "$(cat "$work/log")"
	for o; do
		value=$(option "${o%=*}")
		[ "${value:-n}" = "${o#*=}" ] || bad "${o%=*}" "${o#*=}" "${value:-n}"
	done
}

test_options() {
	local obj=$work/few o
	shows "the driver builds without the options that it does not need, and cannot be chosen without those that it needs"
	patched 7.3
	few SMP=n PM=n ACPI=n PCIEAER=n PCI_MSI=n MTRR=n X86_PAT=n PRINTK=n SYSFS=n PROC_FS=n
	object "the fewest options"
	few MTRR=y X86_PAT=n SUSPEND=y HIBERNATION=n
	object "MTRRs but no PAT, suspend but no hibernation"
	few MTRR=y X86_PAT=y SWAP=y SUSPEND=n HIBERNATION=y
	object "PAT, hibernation but no suspend"
	few MODULES=y LIBNVDIMM=m IOPMEM_BUS=m SMP=y NUMA=y PCIEPORTBUS=y PCIEAER=y
	object "a module, NUMA, AER"
	for o in PCI LIBNVDIMM ZONE_DEVICE; do
		few $o=n
		is "IOPMEM_BUS without $o" "" "$(option IOPMEM_BUS)"
	done
	few MODULES=y LIBNVDIMM=m
	is "IOPMEM_BUS=y with LIBNVDIMM=m becomes" m "$(option IOPMEM_BUS)"
}

# without_compile_test: the value of IOPMEM_BUS without COMPILE_TEST
without_compile_test() {
	"$tree/scripts/config" --file "$obj/.config" -d COMPILE_TEST
	make -s -C "$tree" O="$obj" olddefconfig >"$work/log" 2>&1 ||
		bad "olddefconfig" "to succeed" "$(cat "$work/log")"
	option IOPMEM_BUS
}

# registers TIMES: the object has to call nvdimm_bus_register() so often. If the driver refuses
# every card, the compiler drops all code after that, so there is no call.
registers() {
	local driver=$obj/drivers/nvdimm/iopmem_bus.o
	is "calls of nvdimm_bus_register()" "$1" \
		"$("${CROSS_COMPILE}objdump" -r "$driver" | grep -c ' nvdimm_bus_register\b')"
	is "refusals of every card" $((1 - $1)) \
		"$(grep -c 'big-endian kernels are not supported' "$driver")"
}

# The driver can be used on arm64. s390 is big-endian, and the driver refuses that.
test_architectures() {
	local obj
	shows "on arm64 and on big-endian s390, gcc W=1 and sparse find nothing; on s390 the driver can be chosen only with COMPILE_TEST, and refuses every card"
	patched 7.3
	sparse_header "$work/sparse.h"
	export ARCH CROSS_COMPILE
	ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu-
	everything "$work/$ARCH"
	object "$ARCH" C=2 CHECK="sparse -include $work/sparse.h"
	registers 1
	is "without COMPILE_TEST, IOPMEM_BUS" m "$(without_compile_test)"
	ARCH=s390 CROSS_COMPILE=s390x-linux-gnu-
	everything "$work/$ARCH"
	object "$ARCH" C=2 CHECK="sparse -include $work/sparse.h"
	registers 0
	is "without COMPILE_TEST, IOPMEM_BUS" "" "$(without_compile_test)"
}

# 7.3 has no big-endian arm64 any more, so this uses 6.12.
test_byte_order() {
	local obj=$work/few
	shows "in a big-endian arm64 kernel the driver can be chosen only with COMPILE_TEST"
	patched 6.12
	export ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu-
	few MIGRATION=y CPU_LITTLE_ENDIAN=y
	is "IOPMEM_BUS, little-endian" y "$(option IOPMEM_BUS)"
	few MIGRATION=y CPU_BIG_ENDIAN=y
	is "IOPMEM_BUS, big-endian" "" "$(option IOPMEM_BUS)"
	few MIGRATION=y CPU_BIG_ENDIAN=y COMPILE_TEST=y
	is "IOPMEM_BUS, big-endian with COMPILE_TEST" y "$(option IOPMEM_BUS)"
}

test_32_bit() {
	local obj=$work/few out
	shows "in a 32-bit kernel the driver cannot be chosen even with COMPILE_TEST, and make says why it does not build"
	patched 7.3
	few 64BIT=n X86_PAE=y LIBNVDIMM=y COMPILE_TEST=y
	is "IOPMEM_BUS with COMPILE_TEST" "" "$(option IOPMEM_BUS)"
	make -s -C "$tree" O="$obj" syncconfig >"$work/log" 2>&1 || bad "syncconfig" "to succeed" "$(cat "$work/log")"
	out=$(make -C "$top" KDIR="$obj" 2>&1) && bad "make for it" "to fail" "$out"
	like "make for it" "^iopmem: the kernel of $obj has no CONFIG_MEMORY_HOTPLUG \\(32-bit kernels never have it\\): set KDIR= to the headers of another kernel\$" "$out"
}
