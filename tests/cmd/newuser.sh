# SPDX-License-Identifier: GPL-2.0-only
# The command lines that the manual pages of ndctl-iopmem give a new user. Only the addresses
# are replaced.
# shellcheck shell=bash
runs_in base

# pages: build and install the manual pages into the folder MAN. They contain paths of
# installed files, so the prefix is that of the guest.
pages() {
	local out
	out=$(in_toolbox sh -c "meson setup --prefix=/usr '$work/plugin' '$top/ndctl-plugin' &&
		DESTDIR='$work/installed' meson install -C '$work/plugin'" 2>&1) ||
		bad "meson setup, install" "to succeed" "$out"
	MAN=$(find "$work/installed" -name man1)
}

# typed PAGE: print the command lines of the page's EXAMPLES, as man shows them, one on each
# line
typed() {
	in_toolbox sh -c "MANWIDTH=80 man -l '$MAN/$1.1' 2>/dev/null | col -bx" |
		sed -n '/^EXAMPLES/,/^[A-Z]/p' |
		sed -n ':more; /\\$/ { N; s/\\\n */ /; b more }; s/^ *# //p'
}

# here CARD DRIVE: replace these addresses of the page, also without a domain, by this
# machine's
here() {
	sed -E "s/(0000:)?$1/${F[card]}/g; s/(0000:)?$2/${F[drive]}/g"
}

test_walk() {
	local command at
	shows "the command lines of ndctl-iopmem(1) work as printed, from list to a file that a drive has filled"
	rules_on
	blank card
	new_text
	pattern "$text" | dd of="$DIR/drive.img" conv=notrunc status=none
	pages
	typed ndctl-iopmem | here 01:00.0 04:00.0 >"$work/walk"
	is "command lines" 16 "$(wc -l <"$work/walk")"
	while read -r command <&5; do
		run "cd /root && { $command
		}"
		case $command in
		*' list '*) like "list: the card" "^ *\"function\":\"${F[card]}\",\$" "$OUT"
			like "list" '"state":"available"' "$(grep -A4 "\"${F[card]}\"" <<<"$OUT")" ;;
		*' bind '*) like "bind" '"region":"region0"' "$OUT" ;;
		*' check '*) unlike "check" "^ *error" "$OUT" ;;
		*' path '*) like "path" "^${F[drive]} to ${F[card]}: unknown" "$OUT" ;;
		*' verify '*) like "verify" "^/dev/nvme0n1 .* and /mnt .*: passed\$" "$OUT" ;;
		*' create-namespace '*) like "create-namespace" '"blockdev":"pmem0"' "$OUT" ;;
		*' extents '*)
			is "extents" "${F[card]}" "$(field function)"
			at=$(($(field bar_offset)))
			is "8 MiB at $at in the BAR's file are the drive's" equal \
				"$(cmp -n 8M -i "$at:0" "$DIR/card.bar" "$DIR/drive.img" && echo equal)"
			;;
		*) saw "$command" ;;
		esac
	done 5<"$work/walk"
	is "copies in the BAR, with the namespace gone" 1 "$(in_bar card "$text")"
	run "readlink /sys/bus/pci/devices/${F[card]}/driver || echo none"
	is "driver at the end" none "$OUT"
}

runs_in base slow

# The guest has no jq, so jq runs on the host.
test_examples() {
	local page command card shown=0
	shows "each command line in the EXAMPLES of the subcommands' manual pages works as printed"
	rules_on
	blank card
	pages
	run "ndctl-iopmem bind ${F[card]}"
	create card fsdax -s 128M
	run "mkfs.ext4 -q -F -b 4096 $NODE && mount -o dax $NODE /mnt && head -c 1M /dev/urandom >/tmp/data && dd if=/tmp/data of=/mnt/file bs=1M conv=fsync status=none"
	for page in list bind extents check path map verify unbind; do
		card=01:00.0
		[ "$page" != path ] || card=03:00.0
		typed "ndctl-iopmem-$page" | here "$card" 04:00.0 >"$work/$page"
		grep -q "^ndctl-iopmem $page" "$work/$page" || bad "EXAMPLES of $page" "ndctl-iopmem $page" "$(cat "$work/$page")"
		while read -r command <&5; do
			run "${command%% | jq *}"
			shown=$((shown + 1))
			case $command in
			*' | jq '*)
				OUT=$(bash -c "jq ${command#* | jq }" <<<"$OUT" 2>&1) || bad "$command" "to succeed" "$OUT"
				;;
			*' path '*) like "$command" "${F[drive]} to ${F[card]}: " "$OUT" ;;
			esac
			case $command in
			*available*) like "$command" "^${F[pair0]}\$" "$OUT" ;;
			*bus_address*) like "$command" "^[0-9]+ 1048576\$" "$OUT" ;;
			*) saw "$command" ;;
			esac
		done 5<"$work/$page"
	done
	is "command lines" 18 "$shown"
}
