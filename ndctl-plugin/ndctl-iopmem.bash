# SPDX-License-Identifier: GPL-2.0-only
# bash completion of ndctl-iopmem and, if that is wanted, of "ndctl iopmem"
# shellcheck shell=bash

# Offer the values of an option.
__ndctl_iopmem_values() {
	case $1 in
	-b | --bus) ndctl list -B 2>/dev/null | sed -n 's/.*"provider":"\(.*\)".*/\1/p' ;;
	-r | --region) ndctl list -R 2>/dev/null | sed -n 's/.*"dev":"\(region.*\)".*/\1/p' ;;
	-d | --dimm) ndctl list -D 2>/dev/null | sed -n 's/.*"dev":"\(nmem.*\)".*/\1/p' ;;
	-n | --namespace) ndctl list -N 2>/dev/null | sed -n 's/.*"dev":"\(.*\)".*/\1/p' ;;
	-m | --mode) printf '%s\n' raw sector fsdax devdax ;;
	-U | --numa-node) cd /sys/devices/system/node 2>/dev/null && printf '%s\n' node[0-9]* | sed 's/node//' ;;
	-o | --offset | -l | --length | --range | -w | --write | --repeat) ;;
	-s | --svg) compgen -f -- "$cur" ;;
	*) return 1 ;;
	esac
}

# What unbind --persist can remove. The card need not be in the machine.
__ndctl_iopmem_rules() {
	sed -n 's/.*, KERNEL=="\([^"]*\)".*/\1/p
		s/.*"pci", ATTR{vendor}=="0x\(....\)", ATTR{device}=="0x\(....\)".*/\1:\2/p' \
		/etc/udev/rules.d/60-iopmem-bind.rules 2>/dev/null
}

# $1: the number of words before the subcommand
__ndctl_iopmem() {
	local first=$1 cur prev words cword options
	_get_comp_words_by_ref -n := cur prev words cword
	if [ "$cword" = "$first" ]; then
		mapfile -t COMPREPLY < <(compgen -W "$(ndctl-iopmem --list-cmds) --help --version" -- "$cur")
		return
	fi
	if options=$(__ndctl_iopmem_values "$prev"); then
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
	elif [[ $cur == -* ]]; then
		options=$(ndctl-iopmem "${words[first]}" --help 2>/dev/null | grep -oE -- '--[a-z-]+')
		mapfile -t COMPREPLY < <(compgen -W "$options --help" -- "$cur")
	elif [[ ${words[first]} == @(extents|verify) ]]; then
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	else
		options=$(cd /sys/bus/pci/devices && echo *)
		[ "${words[first]}" != unbind ] || options+=" $(__ndctl_iopmem_rules)"
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
	fi
	__ltrim_colon_completions "$cur"
}

_ndctl_iopmem() {
	__ndctl_iopmem 1
}

# "ndctl iopmem ..." goes to the completion above, all else to ndctl's own.
_ndctl_with_iopmem() {
	if [ "${COMP_WORDS[1]}" = iopmem ] && [ "$COMP_CWORD" -gt 1 ]; then
		__ndctl_iopmem 2
		return
	fi
	declare -F _ndctl >/dev/null && _ndctl "$@"
	[ "$COMP_CWORD" != 1 ] || [[ iopmem != "$2"* ]] || COMPREPLY+=("iopmem ")
}

# For ~/.bashrc: ndctl does not start commands of others, so this function does.
ndctl_iopmem_one_word() {
	# shellcheck disable=SC2317 # called by who typed it
	ndctl() {
		if [ "$1" = iopmem ]; then
			shift
			ndctl-iopmem "$@"
		else
			command ndctl "$@"
		fi
	}
	declare -F _completion_loader >/dev/null && _completion_loader ndctl
	complete -o nospace -F _ndctl_with_iopmem ndctl
}

complete -F _ndctl_iopmem ndctl-iopmem
