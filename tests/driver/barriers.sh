# SPDX-License-Identifier: GPL-2.0-only
# Barriers that no virtual machine misses: QEMU has no write-combining buffers. So
# they are looked for in the module as it is installed.
# shellcheck shell=bash
runs_in base

# code FUNCTION...: as objdump shows it, an instruction or a relocation a line,
# with the functions' names
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

# mb(), rmb() and wmb(), and a word of 32 bits that is read through a pointer, as
# the label area's first one only is. x86 has no form of it without an offset for
# two of the registers.
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
	like "in iopmem_flush, before it calls what reads" "^$mb iopmem_(check|answers)" "$got"
	got=$(code iopmem_check iopmem_answers | grep -cE "$read_there")
	is "reads of the label area's first word there" 1 "$got"
}

test_check() {
	local got
	shows "a flush reads the label area between its two looks at whether a label write goes on"
	as_module
	got=$(code iopmem_check iopmem_answers | grep -oE "$rmb|$read_there" | sed "s/.*[(\[].*/read/" | xargs)
	is "around that read" "$rmb read $rmb" "$got"
}

test_labels() {
	local got
	shows "a label write says that it goes on before it stores, and what it has stored is drained before it is compared"
	as_module
	# on arm64 a call has the function's name twice, with its relocation
	got=$(code iopmem_ctl iopmem_set_labels | grep -oE "$wmb|$mb|mem(cpy|cmp)|rep movs" | uniq | xargs)
	like "before the stores, and before the comparison" "$wmb (memcpy|rep movs) $mb memcmp" "$got"
}
