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
		objdump -dr --no-show-raw-insn /tmp/module.ko"
	awk -v names="$*" '
		BEGIN { split(names, n, " "); for (i in n) want[n[i]] }
		/^[0-9a-f]+ <.*>:$/ {
			name = $2
			gsub(/[<>:]|\..*/, "", name)
			inside = name in want
		}
		inside' <<<"$OUT"
}

test_flush() {
	local got
	shows "a flush drains the write-combining buffers before it reads from the BAR"
	as_module
	# the mark is the one word of 32 bits that is read through a pointer; what
	# has been called before has no such
	got=$(code iopmem_flush iopmem_drain | awk '
		/^[0-9a-f]+ <.*>:$/ { name = $2; fence = 0 }
		/\tmfence/ { fence = 1 }
		/\tmov +\(%r[a-z0-9]+\),%(e[a-z]+|r[0-9]+d)$/ { print name, fence ? "fence, read" : "read without fence" }')
	[ -n "$got" ] || bad "the read in iopmem_flush" "one" "none: $OUT"
	is "reads of the label area's first word" "" "$(grep -v "fence, read" <<<"$got")"
	saw "$got"
}

test_labels() {
	local got
	shows "what is written to the label area is drained before it is compared"
	as_module
	got=$(code iopmem_ctl iopmem_set_config_data | grep -oE "mfence|mem(cpy|cmp)|rep movs" | xargs)
	like "before the comparison" "mfence memcmp" "$got"
}
