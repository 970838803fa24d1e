# SPDX-License-Identifier: GPL-2.0-only
# The steps of the driver in the series for a kernel tree. The last step is the driver
# as it is here. Each patch N-NAME.patch in this folder has the message of step N, a
# line "---", and what leads from step N-1 to it. So the patches are undone from the
# last to the first.
# shellcheck shell=bash

series=$top/tools/series
mapfile -t step_patches < <(LC_ALL=C printf '%s\n' "$series"/[1-9]-*.patch)
last_step=${#step_patches[@]}

# message PATCH: print its message, and differences PATCH: the rest
message() {
	sed '/^---$/,$d' "$1"
}

differences() {
	sed '1,/^---$/d' "$1"
}

# strip: take out of the driver what no kernel tree with this series needs: the lines
# for old kernels, those for building out of tree, and those for a libnvdimm that our
# first two patches have not mended
strip() {
	sed '/^\t\/\* Only 6\.1 needs the next line:/,+1d
		/^\/\* Only out of tree:/,/^#endif/d
		/^\t\/\* An nvdimm bus without a driver leaves its regions/,/^$/d
		/^\t\/\* Fails if nvdimm_create() could not register/,/^$/d
		/^static int iopmem_create_region(/,/^}/{ /^\tint rc;$/d }'
}

# whole_driver FROM TO: copy the driver and its documents, as the last step has them
whole_driver() {
	local f
	(cd "$1" && printf '%s\n' drivers/nvdimm/{iopmem_bus.c,Kconfig} \
		Documentation/driver-api/nvdimm/iopmem*.rst Documentation/ABI/testing/sysfs-bus-nd-iopmem) |
		while read -r f; do
			mkdir -p "$2/${f%/*}" &&
				case $f in
				*.c) strip <"$1/$f" >"$2/$f" ;;
				*) cp "$1/$f" "$2/$f" ;;
				esac || return
		done
}

# apply FOLDER [OPTION...]: apply the patch on standard input there, even if a repository
# is around it
apply() {
	(cd "$1" && GIT_CEILING_DIRECTORIES=$(dirname "$PWD") git apply --whitespace=nowarn "${@:2}" -)
}

# undo_steps FOLDER PATCH...: FOLDER has a folder for the last step. Make those of the
# steps before it, by the step's patches. If one does not apply, print its name and fail.
undo_steps() {
	local dir=$1 n
	shift
	for ((n = $#; n > 1; n--)); do
		cp -r "$dir/$n" "$dir/$((n - 1))" || return
		differences "${!n}" | apply "$dir/$((n - 1))" -R 2>/dev/null || {
			echo "${!n##*/}"
			return 1
		}
	done
}
