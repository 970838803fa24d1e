# SPDX-License-Identifier: GPL-2.0-only
# From the installation to the removal, in a Debian as a user has it, with its own systemd,
# initramfs and apt. Each case begins with what the one before has left, so run all of them:
# T=life. KERNEL=6.1 is Debian 12, and KERNEL=6.12 is Debian 13. The newer kernel that a case
# installs is that of the Debian's backports.
# shellcheck shell=bash
runs_in life slow

# Seconds that apt, DKMS and update-initramfs may take under emulation
SLOWLY=3600

# slowly COMMAND: run a command that takes an emulated machine minutes
slowly() {
	local GUEST_SECONDS=$SLOWLY
	run "$1"
}

# follows CASE: that case has to have passed before
follows() {
	[ -e "$DIR/life.$1" ] || bad "life/$1, which comes before" "to have passed" "it has not"
}

# goes_before: note that this case has passed, for those that follow it. If the case has
# booted the machine, shut it down, since QEMU ends with the case that has started it.
goes_before() {
	[ -z "$REBOOTED" ] || {
		goes_off poweroff
		touch "$VM/used"
	}
	touch "$DIR/life.${CASE#*/}"
}

# goes_off reboot|poweroff: shut the machine down. The next boot uses the newest kernel, as a
# boot loader would.
goes_off() {
	run "cp -L /vmlinuz /host/vmlinuz && cp -L /initrd.img /host/initrd"
	parting "systemctl $1"
	await 300 '! vm_alive' || bad "systemctl $1" "the machine to end" "$(case_log | tail -n 5)"
	unlike "shutting down" "removal waits|Failed unmounting" "$(case_log)"
	mv "$VM/share"/{vmlinuz,initrd} "$DIR/boot/"
}

# in_suite FUNCTION: run a function of tests/repo/package.sh in that Debian's own tree, with
# DIR for its files
in_suite() {
	local out
	out=$(work=$DIR "$top/tests/vm/in-toolbox" -s "$suite" -w "$DIR" "$top/tests/vm/case" "$top/tests/repo/package.sh" "$1" 2>&1) ||
		bad "$1" "to succeed" "$out"
}

# apt_installs NAME [OPTION...]: install the packages in DIR/NAME, as a user does
apt_installs() {
	local name=$1
	shift
	rm -rf "$VM/share/$name"
	mkdir "$VM/share/$name"
	cp "$DIR/$name"/build/deb/*.deb "$VM/share/$name/"
	slowly "rm -rf /root/$name; cp -r /host/$name /root/ &&
		DEBIAN_FRONTEND=noninteractive apt-get install -y $* ndctl /root/$name/*.deb"
}

# installed VERSION KERNEL: DKMS and the command must have that version
installed() {
	run "dkms status iopmem"
	like "dkms status" "^iopmem/$1, ${2//+/\\+}, x86_64: installed" "$OUT"
	run "modinfo -k $2 -F version iopmem_bus; ndctl-iopmem --version"
	is "modinfo, ndctl-iopmem --version" "$1 $1" "$(xargs <<<"$OUT")"
}

# reboots [COMMAND]: reboot. The command runs on the host while the machine is off.
reboots() {
	goes_off reboot
	[ $# = 0 ] || "$@"
	vm_boot life "$DIR" || bad "vm_boot" "the machine" "none"
	REBOOTED=1
	guest "echo iopmem-case: $CASE_NUMBER >/dev/kmsg"
	run "systemctl is-system-running --wait; systemctl list-units --failed --plain --no-legend | cut -d' ' -f1"
	# ndctl-monitor may fail, since no DIMM here has smart data
	is "units that failed" "" "$(sed '1d; /^ndctl-monitor.service$/d' <<<"$OUT")"
}

# all_there: all that test_bind has made has to be there
all_there() {
	run "findmnt -no FSTYPE,OPTIONS /mnt/a"
	like "ext4" "^ext4 .*dax" "$OUT"
	run "findmnt -no FSTYPE,OPTIONS /mnt/b"
	like "xfs" "^xfs .*dax" "$OUT"
	run "cd / && sha256sum -c --quiet /root/sums && echo whole"
	is "the files" whole "$OUT"
	run "ls /sys/bus/pci/drivers/iopmem | grep : | xargs"
	is "bound" "${F[card]} ${F[second]}" "$OUT"
	run "ls /dev/iopmem/by-path | grep -c -- -bar2-"
	is "names of block devices and device DAX" 3 "$OUT"
}

suite=${SUITES##* } version=$(cat "$top/VERSION")
later=${version%.*}.$((${version##*.} + 1))

test_install() {
	shows "apt install ./*.deb: DKMS builds the module, the command starts, nothing is bound"
	in_suite packages_now
	apt_installs now
	unlike "apt install says" "[Ee]rror|[Ww]arning:|[Ff]ail" "$OUT"
	run "uname -r"
	installed "$version" "$OUT"
	# ndctl's file in modprobe.d prints messages, so drop them
	run "modprobe iopmem_bus 2>/dev/null && ls /sys/bus/pci/drivers/iopmem | grep -c : || true"
	is "bound by loading" 0 "$OUT"
	goes_before
}

# made CARD NAME MODE SIZE: make a namespace. NODE is its name in /dev/iopmem/by-path.
made() {
	run "ndctl create-namespace -b iopmem-${F[$1]} -n $2 -m $3 -s $4 --map=mem"
	NODE=/dev/iopmem/by-path/pci-${F[$1]}-bar2-$(field uuid)
	settle
	run "test -e $NODE"
}

test_bind() {
	follows install
	shows "bind --persist, namespaces, file systems and lines in fstab as in README.md"
	blank card second
	run "ndctl-iopmem bind --persist ${F[card]}"
	run "ndctl-iopmem bind --persist ${F[second]}"
	settle
	made card a fsdax 64M
	run "mkfs.ext4 -q -b 4096 $NODE
		echo '$NODE /mnt/a ext4 dax,nofail,x-systemd.device-timeout=60s 0 2' >>/etc/fstab"
	made card b fsdax 384M
	run "mkfs.xfs -q $NODE
		echo '$NODE /mnt/b xfs dax,nofail,x-systemd.device-timeout=60s 0 0' >>/etc/fstab"
	made second c devdax 128M
	run "set -e
		systemctl daemon-reload
		mount /mnt/a
		mount /mnt/b
		for d in a b; do
			dd if=/dev/urandom of=/mnt/\$d/file bs=1M count=16 conv=fsync status=none
		done
		sha256sum /mnt/a/file /mnt/b/file >/root/sums"
	all_there
	goes_before
}

test_reboot() {
	follows bind
	shows "after a reboot the cards are bound, the file systems checked and mounted, the files undamaged, and no unit has failed"
	reboots
	all_there
	run "cat /sys/module/iopmem_bus/version"
	is "the driver" "$version" "$OUT"
	goes_before
}

test_kernel() {
	local before
	follows reboot
	shows "apt installs a newer kernel: DKMS builds for it, and after the reboot all is there"
	run "uname -r"
	before=$OUT
	slowly "DEBIAN_FRONTEND=noninteractive apt-get install -y -t $suite-backports linux-image-amd64 linux-headers-amd64"
	reboots
	run "uname -r"
	[ "$OUT" != "$before" ] || bad "uname -r" "another than $before" "$OUT"
	saw "$before, and now $OUT"
	installed "$version" "$OUT"
	all_there
	goes_before
}

test_upgrade() {
	local before
	follows kernel
	shows "apt installs the next version while a file system is in use: its use goes on, and the next boot has the new driver"
	in_suite packages_next
	launch "(exec 9<>/mnt/a/file; while [ ! -e /tmp/enough ]; do
			dd if=/mnt/a/file of=/dev/null iflag=direct bs=1M status=none && echo again || exit
			sleep 1
		done; echo over)" 'grep -q again $said'
	apt_installs next
	goes_on "$SAID"
	run "touch /tmp/enough; await 60 'grep -q over $SAID'; cat /sys/module/iopmem_bus/version"
	is "the driver that runs" "$version" "$OUT"
	run "uname -r"
	installed "$later" "$OUT"
	all_there
	reboots
	run "cat /sys/module/iopmem_bus/version"
	is "the driver after the reboot" "$later" "$OUT"
	all_there
	goes_before
}

test_downgrade() {
	follows upgrade
	shows "apt installs the former version again, and the next boot has its driver"
	apt_installs now --allow-downgrades
	run "uname -r"
	installed "$version" "$OUT"
	reboots
	run "cat /sys/module/iopmem_bus/version"
	is "the driver after the reboot" "$version" "$OUT"
	all_there
	goes_before
}

test_missing() {
	follows bind
	shows "a card that is missing does not delay the boot, and is mounted once it is back"
	reboots touch "$DIR/MISSING"
	run "findmnt -n /mnt/a || echo not"
	is "mounted" not "$OUT"
	run "systemd-analyze critical-chain --no-pager multi-user.target"
	unlike "what multi-user.target waited for" "iopmem|mnt-" "$OUT"
	reboots rm "$DIR/MISSING"
	all_there
	goes_before
}

test_swapped() {
	local card=${F[card]} second=${F[second]}
	follows bind
	shows "if two cards swap their slots, the namespaces go with the cards, and the names by path follow the slots"
	reboots touch "$DIR/SWAPPED"
	is "where they are" "$second $card" "${F[card]} ${F[second]}"
	run "ndctl list -N -b iopmem-${F[card]} | sed -n 's/.*\"name\":\"\\(.*\\)\".*/\\1/p' | sort | xargs"
	is "namespaces of the first, in the second's slot" "a b" "$OUT"
	run "ls /dev/iopmem/by-path | cut -d- -f1-3 | sort | uniq -c | xargs"
	is "names by path" "$(printf '%s\n' "2 pci-${F[card]}-bar2" "1 pci-${F[second]}-bar2" | sort -k 2 | xargs)" "$OUT"
	run "findmnt -n /mnt/a || echo not"
	is "mounted by the line in fstab" not "$OUT"
	reboots rm "$DIR/SWAPPED"
	all_there
	goes_before
}

test_secure_boot() {
	follows bind
	shows "with Secure Boot the kernel refuses a module whose key it does not know, the package says what to do, and with a key that the firmware knows all is there"
	reboots in_suite secure_boot
	slowly "dpkg-reconfigure iopmem-dkms"
	like "without mokutil the package says" "^    sudo apt install mokutil\$" "$OUT"
	slowly "DEBIAN_FRONTEND=noninteractive apt-get install -y mokutil"
	run "mokutil --sb-state; grep -o '\\[[a-z]*\\]' /sys/kernel/security/lockdown"
	is "firmware and kernel" "SecureBoot enabled [integrity]" "$(xargs <<<"$OUT")"
	fails "Key was rejected by service" "modprobe iopmem_bus"
	run "ls -d /sys/module/iopmem_bus 2>/dev/null; findmnt -n /mnt/a || echo not"
	is "mounted" not "$OUT"
	slowly "dpkg-reconfigure iopmem-dkms"
	like "without openssl" "^iopmem-dkms: Secure Boot is on, and DKMS has no key to sign the module with" "$OUT"
	slowly "DEBIAN_FRONTEND=noninteractive apt-get install -y openssl"
	slowly "dpkg-reconfigure iopmem-dkms"
	like "the package says" "^iopmem-dkms: Secure Boot is on, and the kernel does not know DKMS's key yet, so it refuses the module" "$OUT"
	like "first" "^    sudo mokutil --import /var/lib/dkms/mok.pub\$" "$OUT"
	like "then" "^    sudo reboot  " "$OUT"
	like "then" "^    sudo modprobe iopmem_bus\$" "$OUT"
	fails "Key was rejected by service" "modprobe iopmem_bus"
	run "mokutil --generate-hash=word >/tmp/hash && mokutil --import /var/lib/dkms/mok.pub --hash-file /tmp/hash && mokutil --list-new"
	like "what the first command asks the firmware for" "Subject: .*CN ?= ?DKMS" "$OUT"

	cp "$DIR"/SECURE/firmware.* "$VM/share/"
	run "cp /host/firmware.* /root/ && cp /etc/dkms/framework.conf /root/ &&
		printf 'mok_signing_key=%s\\nmok_certificate=%s\\n' /root/firmware.key /root/firmware.der >>/etc/dkms/framework.conf"
	slowly "dkms remove iopmem/$version --all && dpkg-reconfigure iopmem-dkms"
	unlike "the package says" "Secure Boot" "$OUT"
	like "signed by" "SnakeOil" "$(guest 'modinfo iopmem_bus')"
	run "modprobe iopmem_bus && udevadm trigger --action=add --settle /sys/bus/pci/devices/* && systemctl start mnt-a.mount mnt-b.mount"
	all_there
	slowly "cp /root/framework.conf /etc/dkms/ && dkms remove iopmem/$version --all && dpkg-reconfigure iopmem-dkms"
	reboots rm -r "$DIR/SECURE"
	all_there
	goes_before
}

test_purge() {
	local sum
	follows bind
	shows "after apt purge only the user's own files are left, and the cards are as before"
	# a file system that the boot mounts later would change the card
	run "systemctl is-system-running --wait >/dev/null
		umount /mnt/a /mnt/b && ndctl-iopmem unbind ${F[card]} ${F[second]} && sync"
	sum=$(sha256sum "$DIR/card.bar" "$DIR/second.bar")
	slowly "DEBIAN_FRONTEND=noninteractive apt-get purge -y iopmem-dkms ndctl-iopmem libiopmem0 libiopmem-dev iopmem-doc"
	run "find / -xdev -name '*iopmem*' -not -path '/root/*' -not -path '/var/lib/dpkg/*' -not -path '/var/cache/apt/*' -not -path '/var/log/*'"
	is "files left" "" "$OUT"
	reboots
	run "ls -d /sys/module/iopmem_bus /sys/bus/nd/devices/ndbus* 2>/dev/null || true"
	is "left of the driver after the reboot" "" "$OUT"
	is "the cards' contents" "$sum" "$(sha256sum "$DIR/card.bar" "$DIR/second.bar")"
	goes_before
}
