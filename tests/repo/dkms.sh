# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
runs_in toolbox

test_build() {
	local headers kver out version
	shows "DKMS builds the module for Debian's kernel"
	version=$(cat "$top/VERSION")
	headers=$(find /usr/src -maxdepth 1 -name 'linux-headers-6.1*-amd64' | sort -V | tail -n 1)
	kver=${headers#*linux-headers-}
	mkdir -p "$work/source/iopmem-$version" "$work/dkms" "$work/modules"
	(cd "$top" && tar -c --exclude=./build --exclude=./.git --exclude=./patches --exclude='*.ko' --exclude='*.o' .) |
		tar -C "$work/source/iopmem-$version" -x
	ours() {
		dkms "$@" --sourcetree "$work/source" --dkmstree "$work/dkms" \
			--installtree "$work/modules" -m iopmem -v "$version" 2>&1
	}
	out=$(ours add) || bad "dkms add" "to succeed" "$out"
	out=$(ours build -k "$kver" --kernelsourcedir "$headers") ||
		bad "dkms build" "to succeed" "$out$(cat "$work/dkms/iopmem/$version/build/make.log")"
	out=$(ours status)
	like "dkms status" "^iopmem/$version, $kver, x86_64: built" "$out"
	out=$(/sbin/modinfo -F vermagic "$work/dkms/iopmem/$version/$kver/x86_64/module"/iopmem_bus.ko*)
	like "the module is for" "^$kver " "$out"
	is "its version" "$version" "$(/sbin/modinfo -F version "$work/dkms/iopmem/$version/$kver/x86_64/module"/iopmem_bus.ko*)"
	rm -rf "$work/dkms"
}

runs_in base

# in_guest_tree KERNEL SHARE: run dkms in a temporary copy of the guest's tree. Its dkms is the
# one of the guest's Debian, since Debian 12's dkms compresses modules in a way that the
# kernel 7.3 cannot read. Only its scripts are unpacked. The files of dkms and depmod are
# copied to SHARE/installed, and after the removal to SHARE/removed.
in_guest_tree() {
	local kver=$1 share=$2 over=$work/over version
	version=$(cat "$top/VERSION")
	mkdir -p "$over" "$share"/{installed,removed}
	as_root "$top/tests/vm/foreign" "$ARCH" sh -ec "
		mount -t tmpfs tmp '$over'
		mkdir '$over/upper' '$over/work' '$over/root'
		mount -t overlay -o 'lowerdir=$IMAGE/root,upperdir=$over/upper,workdir=$over/work' overlay '$over/root'
		mount -t proc proc '$over/root/proc'
		mount -t tmpfs tmp '$over/root/tmp'
		dpkg-deb --fsys-tarfile '$work'/apt/dkms_*.deb | tar -C '$over/root' --keep-directory-symlink -x
		mkdir '$over/root/usr/src/iopmem-$version'
		tar -C '$top' -c --exclude=./build --exclude=./.git --exclude=./patches . |
			tar -C '$over/root/usr/src/iopmem-$version' --no-same-owner -x
		cd '$over/root/lib/modules/$kver'
		rm -r updates
		in_tree() {
			PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot '$over/root' \"\$@\"
		}
		in_tree dkms install iopmem/$version -k $kver || {
			cat '$over'/root/var/lib/dkms/iopmem/$version/build/make.log
			exit 1
		}
		in_tree dkms status
		cp -r modules.* updates '$share/installed/'
		in_tree dkms remove iopmem/$version --all
		find . '$over/root/var/lib/dkms' -name '*iopmem*' | sed 's/^/left: /'
		cp -r modules.* '$share/removed/'
		chown -R $(id -u) '$share'
	" 2>&1
}

test_install() {
	local kver out
	shows "dkms install puts the module where modprobe finds it, and dkms remove removes it"
	kver=$(basename "$IMAGE"/root/lib/modules/*)
	load_kernel
	find_mirror
	out=$(suite_download "$work/apt" dkms 2>&1) || bad "dkms, a package of $SUITES" "to be downloaded" "$out"
	out=$(in_guest_tree "$kver" "$VM/share/dkms") || bad "dkms install, dkms remove" "to succeed" "$out"
	like "dkms status" "^iopmem/$(cat "$top/VERSION"), ${kver//+/.}, $(guest "uname -m"): installed" "$out"
	unlike "after dkms remove, files" "^left:" "$out"

	trap 'guest "tar -xf /host/payload.tar -C / --no-same-owner"' EXIT
	run "rm -r /lib/modules/$kver/updates; cp -r /host/dkms/installed/. /lib/modules/$kver/; modinfo -n iopmem_bus"
	like "modprobe finds" "/updates/dkms/iopmem_bus.ko" "$OUT"
	blank card
	load
	attach card
	is "a region of the card" 1 "$(guest "ls -d /sys/bus/pci/devices/${F[card]}/ndbus*/region*" | wc -l)"
	detach card
	run "rmmod iopmem_bus; rm -r /lib/modules/$kver/updates; cp -r /host/dkms/removed/. /lib/modules/$kver/"
	fails "Module iopmem_bus not found" "modprobe iopmem_bus"
}
