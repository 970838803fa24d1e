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

# as_nobody: let git commit here
as_nobody() {
	export GIT_CONFIG_GLOBAL=/dev/null EMAIL=nobody@localhost
	export GIT_AUTHOR_NAME=nobody GIT_COMMITTER_NAME=nobody
}

# series VERSION: set src to the kernel's source, tree to a copy of it, and patches to those
# that make patch writes for it, without the cover letter
series() {
	local out
	tree=$work/tree
	rm -rf "$tree" "$work/patches"
	kernel_source "$1"
	as_nobody
	kernel_copy "$src" "$tree" || bad "kernel_copy" "a tree" ""
	out=$(KSRC=$src OUT=$work/patches make -s -C "$top" patch 2>&1) || bad "make patch" "a series" "$out"
	patches=("$work"/patches/000[1-9]-*.patch)
}

# apply PATCH...: git am
apply() {
	local out
	out=$(git -C "$tree" am "$@" 2>&1) || bad "git am" "to take $*" "$out"
}

# whole: with the series applied, the tree has the driver and its documents as here
whole() {
	local f out
	out=$(diff "$top/drivers/nvdimm/iopmem_bus.c" "$tree/drivers/nvdimm/iopmem_bus.c")
	# comments and what follows from a line before it are not listed
	is "lines that the driver there lacks" \
		"blk_queue_flag_set int rc nvdimm_bus_check_dimm_count device_attach MODULE_VERSION" \
		"$(sed -n '/^< *\t*\/\*/d; s/^<.*\(\(int rc\|blk_queue_flag_set\|nvdimm_bus_check_dimm_count\|device_attach\|MODULE_VERSION\)\).*/\1/p; s/^>.*/more/p' <<<"$out" | xargs)"
	is "how many" 17 "$(grep -c '^<' <<<"$out")"
	for f in $(cd "$top" && ls Documentation/driver-api/nvdimm/iopmem*.rst) Documentation/ABI/testing/sysfs-bus-nd-iopmem; do
		cmp "$top/$f" "$tree/$f" || bad "$f" "as it is here" ""
	done
}

# patched VERSION: the same with the series applied
patched() {
	series "$1"
	apply "${patches[@]}"
	whole
}

# builds_fix: build the objects that the last patch has changed, for all that includes a
# header is too much
builds_fix() {
	local out objects
	mapfile -t objects < <(git -C "$tree" show --format= --name-only | sed -n 's/\.c$/.o/p')
	out=$(make -s -j"$(nproc)" -C "$tree" O="$obj" W=1 "${objects[@]}" 2>&1) || bad "the fix" "to build" "$out"
	is "says" "" "$out"
	saw "builds ${objects[*]}"
}

# builds_driver VALUE...: build libnvdimm's folder with each of these values of IOPMEM_BUS
# and LIBNVDIMM, as in m/y
builds_driver() {
	local v out
	for v; do
		out=$(built "$tree" "$obj" "${v%/*}" "${v#*/}" 2>&1) || bad "IOPMEM_BUS=$v" "to build" "$out"
		unlike "IOPMEM_BUS/LIBNVDIMM=$v says of the driver" iopmem "$out"
		is "and gives" "$([ "$v" = n/y ] || echo iopmem_bus.o)" "$(cd "$obj/drivers/nvdimm" && ls iopmem_bus.o 2>/dev/null)"
		[ "${v%/*}" != y ] || like "and, in built-in.a," "iopmem_bus.o" "$(ar t "$obj/drivers/nvdimm/built-in.a")"
	done
}

# documented: the pages of this step are well-formed, are in the index, and name no page
# that is not there yet
documented() {
	local page name
	for page in "$tree"/Documentation/driver-api/nvdimm/iopmem*.rst; do
		name=$(basename "$page" .rst)
		rst2html --strict "$page" >"$work/page" 2>&1 || bad "rst2html $name" "to succeed" "$(cat "$work/page")"
		grep -qx "   $name" "$tree/Documentation/driver-api/nvdimm/index.rst" || bad "the index" "$name" ""
		grep -o 'Documentation/[-A-Za-z/]*iopmem[-.a-z0-9]*' "$page" | sed 's/\.$//' | while read -r name; do
			[ -e "$tree/$name" ] || echo "$page: no $name"
		done >"$work/missing"
		is "what ${page##*/} names and is not there" "" "$(cat "$work/missing")"
	done
}

# in_kernel VERSION PATCH...: apply the series patch by patch, of which there have to be
# these, and build after each
in_kernel() {
	local obj=$work/obj out p
	series "$1"
	shift
	is "the patches" "$*" "$(sed -n 's/^Subject: \[PATCH [0-9/]*\] \([^:]*: [^ :]*:\? [^ ]*\).*/\1/p' "${patches[@]}" | tr ' ' _ | tr -d , | xargs)"
	# the source has no history in which the commits of Fixes: could be found
	out=$(cd "$work" && "$src/scripts/checkpatch.pl" --strict --no-tree --no-signoff --terse \
		--ignore FILE_PATH_CHANGES,UNKNOWN_COMMIT_ID "${patches[@]}") || bad "checkpatch" "nothing" "$out"
	saw "checkpatch --strict finds nothing"

	rm -rf "$obj"
	{
		configure "$tree" "$obj" -e FS_DAX -e TRANSPARENT_HUGEPAGE &&
			make -s -j"$(nproc)" -C "$tree" O="$obj" modules_prepare
	} >"$work/log" 2>&1 || bad "modules_prepare" "to succeed" "$(tail -n 20 "$work/log")"
	for p in "${patches[@]}"; do
		saw "${p##*/}"
		apply "$p"
		case $p in
		*-nvdimm-*)
			builds_driver y/y m/y n/y
			documented
			;;
		*) builds_fix ;;
		esac
	done
	builds_driver m/m
	whole
}

fixes=(libnvdimm:_Fail_to libnvdimm:_Fail_to)
steps=(nvdimm:_Add_iopmem_bus nvdimm:_iopmem_bus:_Keep nvdimm:_iopmem_bus:_Let nvdimm:_iopmem_bus:_Sleep)

test_series() {
	shows "make patch gives a series that git am takes and each patch of which builds in the kernel 7.3: m, y and n"
	in_kernel 7.3 "${fixes[@]}" mm:_Map_DAX "${steps[@]}"
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

# letters AUTHOR: set from to the addresses of the patches' authors
letters() {
	local out
	out=$(AUTHOR=$1 KSRC=$src OUT=$work/patches "$top/tools/patch" 2>&1) || bad "AUTHOR=$1" "a series" "$out"
	from=$(sed -n 's/^From: //p' "$work"/patches/*.patch | sort -u)
}

test_author() {
	local from a out
	shows "the author of the patches is AUTHOR, or the developers without an address; what is no name and address is refused"
	kernel_source 7.3
	letters ""
	is "without AUTHOR, From:" "iopmem developers <>" "$from"
	is "M: in MAINTAINERS" "" "$(sed -n 's/^+M:\t//p' "$work"/patches/*.patch)"
	letters "An Other <other@example.org>"
	is "From:" "An Other <other@example.org>" "$from"
	is "M: in MAINTAINERS" "An Other <other@example.org>" "$(sed -n 's/^+M:\t//p' "$work"/patches/*.patch)"
	is "Signed-off-by, which the sender adds" "" "$(grep -h ^Signed-off-by: "$work"/patches/*.patch)"
	for a in "Other" "other@example.org" "<other@example.org>" "Other <other>" "Other <a b@example.org>" \
		"Other <other@example.org> x" $'Other\nCc: x <other@example.org>' " <other@example.org>"; do
		out=$(AUTHOR=$a KSRC=$src OUT=$work/none "$top/tools/patch" 2>&1) && bad "AUTHOR=$a" "to fail" "$out"
		is "refused" "iopmem: AUTHOR=$(tr '\n' ' ' <<<"$a" | sed 's/ $//') is not a name and an address: make patch AUTHOR=\"Your Name <you@example.org>\"" "$out"
	done
	is "what a refusal has written" "" "$(ls "$work/none" 2>/dev/null)"
}

test_cover_letter() {
	local letter=$work/patches/0000-cover-letter.patch out title tree
	shows "the cover letter says why, what was tested and what is missing, and has the commit that the series is based on, if there is one"
	kernel_source 7.3
	rm -rf "$work/patches" "$work/tree"
	mkdir "$work/patches"
	echo stale >"$work/patches/0009-stale.patch"
	out=$(KSRC=$src OUT=$work/patches "$top/tools/patch" 2>&1) || bad "make patch" "a series" "$out"
	is "what it lists" "$(ls "$work"/patches/*)" "$out"
	is "files" 8 "$(find "$work/patches" -type f | wc -l)"
	like "the letter" "^Subject: \[PATCH 0/7\] nvdimm: PCIe BAR memory" "$(cat "$letter")"
	for title in "Why" "Why not \.\.\." "P2PDMA" "CXL" "dma-buf" "2016" "The patches" "Tested" "Limits" "iopmem developers \(7\):"; do
		like "the letter" "^$title\$" "$(cat "$letter")"
	done
	is "what was not filled in" "" "$(grep -E '\*\*\*|@[A-Z]+@' "$letter")"
	is "lines that are too long" "" "$(sed '1,/^$/d; /^---$/q' "$letter" | grep -E '^.{79,}')"
	like "of a source that is no git tree" "^This is for Linux 7\.3\S*\. It has no base-commit" "$(cat "$letter")"
	is "base-commit" "" "$(grep ^base-commit: "$letter")"

	tree=$work/tree
	as_nobody
	kernel_copy "$src" "$tree" || bad "kernel_copy" "a tree" ""
	out=$(KSRC=$tree OUT=$work/patches "$top/tools/patch" 2>&1) || bad "make patch" "a series" "$out"
	is "of a git tree" "base-commit: $(git -C "$tree" rev-parse HEAD)" "$(grep base-commit "$letter")"
	echo >>"$tree/MAINTAINERS"
	out=$(KSRC=$tree OUT=$work/patches "$top/tools/patch" 2>&1) && bad "a changed tree" "to fail" "$out"
	is "a changed tree" "iopmem: KSRC=$tree has changes that are not committed, in files that the series changes: commit them" "$out"
	git -C "$tree" checkout -q MAINTAINERS
	apply "$work"/patches/0001-*.patch
	out=$(KSRC=$tree OUT=$work/patches "$top/tools/patch" 2>&1) || bad "make patch" "a series" "$out"
	like "of a tree that has a fix, the letter" "^\"libnvdimm: Fail to register a bus.*\" is left out" "$(cat "$letter")"
	is "patches then" 6 "$(find "$work/patches" -name '000[1-9]-*' | wc -l)"
}

# The steps are patches, so a change of the driver can leave one that does not apply.
test_changed_driver() {
	local repo=$work/repo driver=drivers/nvdimm/iopmem_bus.c out
	shows "if the driver has changed so much that a step does not apply, make patch says what to do, and that helps"
	kernel_source 7.3
	as_nobody
	rm -rf "$repo" "$work/steps" "$work/tree"
	mkdir "$repo"
	cp -r "$top"/{Makefile,drivers,Documentation,tools} "$repo" || bad "cp" "to succeed" ""
	{ git -C "$repo" init -q && git -C "$repo" add . && git -C "$repo" commit -qm base; } || bad "git" "a repository" ""
	sed -i 's/iopmem_kill_disk\b/iopmem_end_disk/' "$repo/$driver"
	out=$(KSRC=$src OUT=$work/patches make -s -C "$repo" patch 2>&1) && bad "make patch" "to fail" "$out"
	like "make patch" "^iopmem: tools/series/[34]-[a-z]*\.patch does not apply to the driver and its documents as they are now: run tools/series/rebuild\$" "$out"
	out=$("$repo/tools/series/rebuild" 2>&1) || bad "rebuild" "to succeed" "$out"
	like "rebuild" "^tools/series has new patches" "$out"
	out=$(KSRC=$src OUT=$work/patches make -s -C "$repo" patch 2>&1) || bad "make patch" "a series" "$out"
	tree=$work/tree
	kernel_copy "$src" "$tree" || bad "kernel_copy" "a tree" ""
	apply "$work"/patches/000[1-4]-*.patch
	is "in the first step: old names, new ones" "0 2" \
		"$(grep -c 'iopmem_kill_disk\b' "$tree/$driver") $(grep -c 'iopmem_end_disk\b' "$tree/$driver")"
	out=$("$repo/tools/series/rebuild" unpack "$work/steps" 2>&1) || bad "unpack" "to succeed" "$out"
	is "unpack writes" "1 2 3 4" "$(cd "$work/steps" && echo *)"
	git -C "$repo" commit -qam steps
	out=$("$repo/tools/series/rebuild" pack "$work/steps" 2>&1) || bad "pack" "to succeed" "$out"
	is "pack changes, if no step was changed" "" "$(git -C "$repo" status --short)"
	out=$("$repo/tools/series/rebuild" pack 2>&1) && bad "pack without a folder" "to fail" "$out"
	is "pack without a folder" "iopmem: pack needs a folder that unpack has written: tools/series/rebuild pack DIR" "$out"
}

runs_in toolbox slow

test_series_older() {
	shows "make patch gives a series that git am takes and each patch of which builds in the kernel 6.12: m, y and n"
	in_kernel 6.12 "${fixes[@]}" "${steps[@]}"
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

# each_step WHAT: build the driver's object as it is before each of the later steps, too
each_step() {
	local n whole
	whole=$(git -C "$tree" rev-parse HEAD)
	for n in 3 2 1; do
		git -C "$tree" checkout -q "$whole~$n" || bad "git checkout" "step $((4 - n))" ""
		object "$1, step $((4 - n))"
	done
	git -C "$tree" checkout -q "$whole"
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
	each_step "$ARCH"
	is "without COMPILE_TEST, IOPMEM_BUS" "" "$(without_compile_test)"
}

# 7.3 has no big-endian arm64 any more, so this uses 6.12.
test_byte_order() {
	local obj=$work/few-6.12
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
