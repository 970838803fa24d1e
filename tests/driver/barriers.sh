# SPDX-License-Identifier: GPL-2.0-only
# Barriers in the driver's code. QEMU has no write-combining buffers, so no case in a
# virtual machine would fail without them. These cases look for the instructions in the
# installed module.
# shellcheck shell=bash
runs_in base

# code FUNCTION...: print the functions' code by objdump. Each line has an instruction or a
# relocation.
code() {
	run "module=\$(modinfo -n iopmem_bus)
		case \$module in
		*.xz) xz -dc \$module >/tmp/module.ko ;;
		*) cp \$module /tmp/module.ko ;;
		esac
		objdump -dr --no-show-raw-insn /tmp/module.ko | tr '\t' ' '"
	awk -v names="$*" '
		BEGIN { split(names, n, " "); for (i in n) want[n[i]] }
		/^[0-9a-f]+ <.*>:$/ {
			name = $2
			gsub(/[<>:]|\..*/, "", name)
			inside = name in want
		}
		inside' <<<"$OUT"
}

# The instructions of mb(), rmb() and wmb(), and the one that reads a word of 32 bits through
# a pointer. Only the label area's first word is read in this way. The offset 0x0 is there
# since x86 cannot encode this instruction without an offset for two of the registers.
case $ARCH in
amd64)
	mb=mfence rmb=lfence wmb=sfence
	read_there='mov +(0x0)?\(%r[a-z0-9]+\),%(e[a-z]+|r[0-9]+d)$'
	;;
arm64)
	mb='dsb sy' rmb='dsb ld' wmb='dsb st'
	read_there='ldr w[0-9]+, \[x[0-9]+\]$'
	;;
esac

test_flush() {
	local got
	shows "a flush drains the write-combining buffers before it reads from the BAR"
	as_module
	got=$(code iopmem_flush | grep -oE "$mb|iopmem_(check|answers)|$read_there" | xargs)
	like "in iopmem_flush, before it calls the function that reads" "^$mb iopmem_(check|answers)" "$got"
	got=$(code iopmem_check iopmem_answers | grep -cE "$read_there")
	is "reads of the label area's first word there" 1 "$got"
}

test_check() {
	local got
	shows "a flush looks twice whether a label write is going on, and reads the label area between"
	as_module
	got=$(code iopmem_check iopmem_answers | grep -oE "$rmb|$read_there" | sed "s/.*[(\[].*/read/" | xargs)
	is "around that read" "$rmb read $rmb" "$got"
}

test_labels() {
	local got
	shows "a label write notes that it is going on before it stores, and drains its stores before it compares"
	as_module
	# uniq, since on arm64 a call and its relocation both have the function's name
	got=$(code iopmem_ctl iopmem_set_labels | grep -oE "$wmb|$mb|mem(cpy|cmp)|rep movs" | uniq | xargs)
	like "before the stores, and before the comparison" "$wmb (memcpy|rep movs) $mb memcmp" "$got"
}
