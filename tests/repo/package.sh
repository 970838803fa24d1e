# SPDX-License-Identifier: GPL-2.0-only
# The version, the tarball, make install, and the packages of each distribution
# shellcheck shell=bash
runs_in toolbox

test_version() {
	local headers out copy=$work/copy
	shows "what is built has its version from VERSION, and each file that has the version in it has the same"
	out=$("$top/tools/versions" 2>&1) || bad "tools/versions" "to succeed" "$out"
	saw "tools/versions agrees"
	copied copy
	echo 9.8.7 >"$copy/VERSION"
	out=$("$copy/tools/versions" 2>&1) && bad "tools/versions" "to fail" "$out"
	like "with another VERSION" "^iopmem: CHANGELOG.md has version $(cat "$top/VERSION") and VERSION has 9.8.7: change one of them\$" "$out"

	headers=$(find /usr/src -maxdepth 1 -name 'linux-headers-6.1*-amd64' | sort -V | tail -n 1)
	out=$(make -C "$copy" KDIR="$headers" 2>&1) || bad "make" "to succeed" "$out"
	is "modinfo" 9.8.7 "$(modinfo -F version "$copy/drivers/nvdimm/iopmem_bus.ko")"
	out=$(make -C "$copy" plugin 2>&1 && DESTDIR=$work/root make -C "$copy" install-plugin 2>&1) ||
		bad "make plugin install-plugin" "to succeed" "$out"
	is "ndctl-iopmem --version" 9.8.7 "$("$work/root/usr/local/bin/ndctl-iopmem" --version)"
	is "the library" libiopmem.so.9.8.7 "$(basename "$(readlink -f "$work/root/usr/local/lib/libiopmem.so.0")")"
	is "pkg-config" 9.8.7 "$(PKG_CONFIG_PATH=$work/root/usr/local/lib/pkgconfig pkg-config --modversion libiopmem)"
	like "manual" "^ndctl-iopmem 9\\.8\\.7 .*NDCTL-IOPMEM\\(1\\)\$" "$(man -l "$work/root/usr/local/share/man/man1/ndctl-iopmem.1" 2>&1)"
	rm -rf "$work/root" "$work/dkms"
	mkdir "$work/dkms"
	out=$(dkms add "$copy" --sourcetree "$work" --dkmstree "$work/dkms" 2>&1) || bad "dkms add" "to succeed" "$out"
	out=$(dkms status --dkmstree "$work/dkms")
	like "dkms status" "^iopmem/9.8.7" "$out"
}

# refused WHAT LINE COMMAND...: it fails, and LINE is all that is said, but for make's own lines
refused() {
	local what=$1 line=$2 out
	shift 2
	out=$("$@" 2>&1) && bad "$what" "to fail" "$out"
	is "$what" "iopmem: $line" "$(grep -v '^make.*: ' <<<"$out")"
}

test_make() {
	local headers kver out module copy=$work/copy user=(setpriv --reuid=65534 --clear-groups make -C "$work/copy")
	shows "make, make install and make uninstall work without a warning, or tell in one line what to do"
	copied copy
	chmod go+rx "$work"
	headers=$(find /usr/src -maxdepth 1 -name 'linux-headers-6.1*-amd64' | sort -V | tail -n 1)
	kver=${headers#*linux-headers-}
	module=/lib/modules/$kver/updates/iopmem_bus.ko
	refused "no headers" "no kernel headers in /nowhere: install linux-headers-$(uname -r), or set KDIR=" make -C "$copy" KDIR=/nowhere
	refused "no right to write" "you may not write to $copy: copy it to a folder of your own, and run make there" "${user[@]}" KDIR="$headers"
	refused "the same with make plugin" "you may not write to $copy: copy it to a folder of your own, and run make there" "${user[@]}" plugin
	refused "make install without a build" "the module is not built: make" make -C "$copy" install

	out=$(make -C "$copy" KDIR="$headers" 2>&1) || bad "make" "to succeed" "$out"
	refused "make install by a user" "you may not write to /lib/modules/$kver: sudo make install" "${user[@]}" install
	mkdir "/lib/modules/$kver/updates"
	touch "$module.xz"
	out=$(make -C "$copy" install 2>&1) || bad "make install" "to succeed" "$out"
	unlike "make install says" "[Ww]arn.*System|[Ee]rror|[Ff]ail|SSL|[Ss]kip" "$out"
	is "installed" "$module" "$(ls "$module"*)"
	is "modprobe finds" "insmod $module" "$(modprobe -S "$kver" --show-depends iopmem_bus 2>&1 | grep iopmem | sed 's/ *$//')"
	refused "make uninstall by a user" "you may not write to ${module%/*}: sudo make uninstall" "${user[@]}" uninstall
	out=$(make -C "$copy" uninstall 2>&1) || bad "make uninstall" "to succeed" "$out"
	is "uninstalled, modules left" 0 "$(find "/lib/modules/$kver/" -name 'iopmem*' | wc -l)"
	out=$(modprobe -S "$kver" --show-depends iopmem_bus 2>&1) && bad "modprobe" "to fail" "$out"
	refused "make uninstall again" "/lib/modules has no module of make install: nothing is removed" make -C "$copy" uninstall

	out=$(dkms add "$copy" 2>&1) || bad "dkms add" "to succeed" "$out"
	refused "make install beside DKMS" "DKMS has this module already, and only one of the two can be loaded: apt remove iopmem-dkms, or 'dkms remove' what 'dkms status' shows" make -C "$copy" install
	is "installed" 0 "$(find "/lib/modules/$kver/" -name 'iopmem*' | wc -l)"
	out=$(dkms remove "iopmem/$(cat "$top/VERSION")" --all 2>&1) || bad "dkms remove" "to succeed" "$out"
	out=$(make -C "$copy" install 2>&1) || bad "make install" "to succeed" "$out"

	mv "/lib/modules/$kver" /lib/modules/other
	refused "make install for a kernel that is not there" "the module is for kernel $kver, which is not in /lib/modules: make clean, then make, or make KDIR=" make -C "$copy" install
	rm -f /usr/bin/{cc,gcc,clang,gcc-[0-9]*}
	refused "no compiler" "there is no C compiler: apt install gcc" make -C "$copy" KDIR="$headers"
}

test_dist() {
	local out headers name copy=$work/copy
	shows "make dist gives a tarball, the same bytes each time, that builds without git"
	copied copy
	refused "make dist without git's folder" "$copy is no git clone: use the tarball that these files come from, make dist would make the same" make -C "$copy" dist
	committed "$copy"
	name=iopmem-$(cat "$copy/VERSION")
	out=$(make -s -C "$copy" dist 2>&1) || bad "make dist" "to succeed" "$out"
	is "make dist says" "build/dist/$name.tar.xz" "$out"
	mv "$copy/build/dist/$name.tar.xz" "$work/first"
	# the second clone has other file times and permissions, and is packed later
	git clone -q "$copy" "$work/again"
	chmod -R go-rwx "$work/again"
	out=$(umask 077 && make -s -C "$work/again" dist 2>&1) || bad "make dist in a clone" "to succeed" "$out"
	is "in a clone, the same bytes" yes "$(cmp "$work/first" "$work/again/build/dist/$name.tar.xz" && echo yes)"
	is "files in it, and in git" "$(git -C "$copy" ls-files | wc -l)" "$(tar -tf "$work/first" | grep -vc '/$')"
	is "times in it" "2026-01-02 03:04" "$(TZ=UTC tar -tvf "$work/first" | awk '{ print $4, $5 }' | sort -u)"
	touch "$copy/more"
	refused "make dist with a file that git does not know" "1 files are not as committed, see 'git status': commit them, or take them away" make -C "$copy" dist

	rm -r "$copy" "$work/again" /usr/bin/git
	tar -C "$work" -xf "$work/first"
	headers=$(find /usr/src -maxdepth 1 -name 'linux-headers-6.1*-amd64' | sort -V | tail -n 1)
	out=$(make -C "$work/$name" KDIR="$headers" 2>&1 && make -C "$work/$name" plugin 2>&1) ||
		bad "make, make plugin" "to succeed" "$out"
	is "built without git" "$(cat "$top/VERSION")" "$("$work/$name/build/plugin/cmd/ndctl-iopmem" --version)"
	tar -C /usr/src -xf "$work/first"
	out=$(dkms install "iopmem/$(cat "$top/VERSION")" -k "${headers#*linux-headers-}" 2>&1) || bad "dkms install" "to succeed" "$out"
	like "by DKMS" ": installed\$" "$(dkms status iopmem)"
}

test_release() {
	local out script version copy=$work/copy
	shows "make release names each thing that a release lacks, and succeeds if it lacks none"
	version=$(cat "$top/VERSION")
	copied copy
	# make lint and make check take an hour, and have cases of their own. These
	# scripts stand in for them, and fail if this case wants it.
	for script in lint run; do
		printf '#!/bin/sh\n[ ! -e broken ]\n' >"$copy/tests/$script"
	done
	sed -i "s/^\(## \[$version\] - \).*/\1unreleased/" "$copy/CHANGELOG.md"
	committed "$copy"
	refused "no date" "CHANGELOG.md has no line '## [$version] - YYYY-MM-DD': write the date of the release" make -C "$copy" release
	sed -i "s/^\(## \[$version\] - \).*/\12026-01-02/" "$copy/CHANGELOG.md"
	git -C "$copy" commit -qam date
	out=$(make -s -C "$copy" release 2>&1) || bad "make release" "to succeed" "$out"
	is "all there" "$version is ready: git tag v$version" "$out"

	sed -i '1s/(.*)/(9.8.7)/' "$copy/debian/changelog"
	touch "$copy/broken"
	out=$(make -s -C "$copy" release 2>&1) && bad "make release" "to fail" "$out"
	like "another version" "^iopmem: debian/changelog has version 9.8.7 and VERSION has $version: change one of them\$" "$out"
	like "changed files" "^iopmem: 2 files are not as committed, see 'git status': commit them, or take them away\$" "$out"
	like "no tarball" "^iopmem: make dist has failed: see build/release-make-dist.log\$" "$out"
	like "lint" "^iopmem: make lint has failed: see build/release-make-lint.log\$" "$out"
	like "tests" "^iopmem: make check has failed: see build/release-make-check.log\$" "$out"
	is "lines" 5 "$(grep -c '^iopmem: ' <<<"$out")"
}

test_arch() {
	local out
	shows "PKGBUILD has the right syntax, and the variables and functions that makepkg reads"
	out=$(bash -n "$top/packaging/arch/PKGBUILD" 2>&1) || bad "bash -n" "to succeed" "$out"
	out=$(set -e
		# shellcheck source=/dev/null
		. "$top/packaging/arch/PKGBUILD"
		for n in "${pkgname[@]}"; do
			[ "$(type -t "package_$n")" = function ]
		done
		[ "$(type -t build)" = function ] && [ ${#source[@]} = ${#sha256sums[@]} ]
		echo "$pkgbase $pkgver $pkgrel ${arch[*]} ${source[*]}") || bad "its variables and functions" "to be there" "$out"
	is "its variables" "iopmem $(cat "$top/VERSION") 1 x86_64 iopmem-$(cat "$top/VERSION").tar.xz" "$out"
}

# next_version DIR: give the source there the version after this one
next_version() {
	local version next
	version=$(cat "$1/VERSION")
	next=${version%.*}.$((${version##*.} + 1))
	echo "$next" >"$1/VERSION"
	sed -i "s/^## \[$version\]/## [$next]/" "$1/CHANGELOG.md"
	sed -i -e "1s/($version)/($next)/" -e "s/^\( -- .*  \).*/\1$(date -R)/" "$1/debian/changelog"
}

# packaged NAME [COMMAND]: build the Debian packages in work/NAME/build/deb, from a copy
# of the source that the command may change
packaged() {
	local out
	copied "$1"
	[ $# = 1 ] || "$2" "$work/$1"
	out=$(make -s -C "$work/$1" deb 2>&1) || bad "make deb" "to succeed" "$out$(cat "$work/$1/build/deb/log")"
	like "make deb" "^build/deb/iopmem-dkms_$(cat "$work/$1/VERSION")_all.deb\$" "$out"
}

# tests/repo/life.sh calls these two, too.
packages_now() {
	packaged now
}

packages_next() {
	packaged next next_version
}

# secure_boot: put firmware with Secure Boot into work/SECURE, and sign
# work/boot/vmlinuz for it. The key, firmware.key, is public: Debian ships it for tests.
secure_boot() {
	set -e
	mkdir "$work/SECURE"
	cp /usr/share/OVMF/OVMF_CODE_4M.secboot.fd "$work/SECURE/code.fd"
	cp /usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd "$work/SECURE/vars.fd"
	cd "$work/SECURE"
	openssl rsa -passin pass:snakeoil -in /usr/share/ovmf/PkKek-1-snakeoil.key -out firmware.key
	openssl x509 -in /usr/share/ovmf/PkKek-1-snakeoil.pem -outform DER -out firmware.der
	sbsign --key firmware.key --cert /usr/share/ovmf/PkKek-1-snakeoil.pem --output signed "$work/boot/vmlinuz"
	mv signed "$work/boot/vmlinuz"
	chown -R --reference="$work" "$work/SECURE" "$work/boot"
}

# files: list the tree's files, without the state that apt, dpkg, dkms and depmod keep
files() {
	find / -xdev -path /proc -prune -o -path /tmp -prune -o -path "$work" -prune -o \
		-path '/var/lib/dpkg/*' -prune -o -path '/var/lib/apt/*' -prune -o -path '/var/cache/*' -prune -o \
		-path '/var/log/*' -prune -o -path '/var/lib/dkms/mok.*' -prune -o \
		-path '/lib/modules/*/modules.*' -prune -o -path '/usr/lib/modules/*/modules.*' -prune -o \
		-name '__pycache__' -prune -o -print | sort
}

# apt_does ARGUMENT...: run apt-get, which has to succeed. Its output is in OUT.
apt_does() {
	OUT=$(apt-get -y -o APT::Sandbox::User=root --no-install-recommends "$@" 2>&1) || bad "apt-get $*" "to succeed" "$OUT"
}

# installed VERSION: DKMS has this version and no other, and modprobe finds it
installed() {
	is "dkms status, versions" "iopmem/$1" "$(dkms status iopmem | cut -d, -f1 | xargs)"
	like "dkms status" ": installed\$" "$(dkms status iopmem)"
	is "modinfo" "$1" "$(modinfo -k "$kver" -F version iopmem_bus)"
	is "ndctl-iopmem --version" "$1" "$(ndctl-iopmem --version)"
}

# debian: build the packages, install, upgrade, downgrade and remove them
debian() {
	local out f kver version next
	version=$(cat "$top/VERSION")
	kver=$(basename "$(find /lib/modules -maxdepth 1 -name '*-amd64' | sort -V | tail -n 1)")
	packaged first
	packaged second
	for f in "$work"/first/build/deb/*.{deb,dsc,tar.xz}; do
		cmp "$f" "$work/second/build/deb/${f##*/}" || bad "${f##*/} of a second build" "the same bytes" ""
		saw "${f##*/} of a second build: the same bytes"
	done
	# debian/control has no address of the developers on purpose
	out=$(lintian --allow-root --fail-on error,warning --suppress-tags malformed-contact,bogus-mail-host-in-debian-changelog \
		"$work"/first/build/deb/*.changes 2>&1) ||
		bad "lintian" "no error and no warning" "$out"
	unlike "lintian" "^[EW]: " "$out"
	rm -rf "$work/next"
	mv "$work/second" "$work/next"
	next_version "$work/next"
	out=$(make -s -C "$work/next" deb 2>&1) || bad "make deb" "to succeed" "$out"
	next=$(cat "$work/next/VERSION")

	# The tree has headers and no kernel, and depmod warns that the kernel's files
	# are missing.
	depmod "$kver" 2>/dev/null
	# the folder stays after the purge, for it is not of these packages
	mkdir -p /etc/udev/rules.d
	files >"$work/before"
	apt_does install "$work"/first/build/deb/*.deb
	unlike "apt install says" "[Ee]rror|[Ww]arning:|[Ff]ail" "$OUT"
	installed "$version"
	is "the module is in" "/lib/modules/$kver/updates/dkms" "$(dirname "$(modinfo -k "$kver" -n iopmem_bus)")"
	for f in /usr/lib/udev/rules.d/90-iopmem-{align,links}.rules /usr/lib/modprobe.d/ndctl-iopmem.conf \
		/usr/share/bash-completion/completions/ndctl-iopmem /usr/share/zsh/vendor-completions/_ndctl-iopmem \
		/usr/share/man/man1/ndctl-iopmem-bind.1.gz /usr/share/man/man3/libiopmem.3.gz \
		/usr/share/doc/iopmem-doc/Documentation/driver-api/nvdimm/iopmem.rst \
		/usr/share/doc/iopmem-doc/html/{index.html,_images/bar.svg,_static/{custom.css,doctools.js}}; do
		[ -e "$f" ] || bad "$f" "to be installed" "$(dpkg -L ndctl-iopmem libiopmem-dev iopmem-doc)"
	done
	saw "udev rules, completion, manual pages and documents are where they belong"
	use_library
	# shellcheck disable=SC2046 # flags
	out=$(gcc -Wall -Werror -o "$work/use" "$work/use.c" $(pkg-config --cflags --libs libiopmem) 2>&1) ||
		bad "gcc with libiopmem-dev" "to succeed" "$out"
	is "a program on the library" -2 "$("$work/use" | cut -d' ' -f1)"

	# this mokutil answers as if Secure Boot were on
	cat >/usr/bin/mokutil <<-'END'
	#!/bin/sh
	case $1 in
	--sb-state) echo "SecureBoot enabled" ;;
	--test-key) echo "$2 is $(cat /tmp/enrolled)" ;;
	esac
	END
	chmod +x /usr/bin/mokutil
	echo "not enrolled" >/tmp/enrolled
	out=$(dpkg-reconfigure iopmem-dkms 2>&1) || bad "dpkg-reconfigure" "to succeed" "$out"
	like "Secure Boot without the key" "^    sudo mokutil --import /var/lib/dkms/mok.pub\$" "$out"
	like "and then" "^    sudo reboot " "$out"
	like "and then" "^    sudo modprobe iopmem_bus\$" "$out"
	echo "already enrolled" >/tmp/enrolled
	out=$(dpkg-reconfigure iopmem-dkms 2>&1) || bad "dpkg-reconfigure" "to succeed" "$out"
	unlike "Secure Boot with the key" "Secure Boot" "$out"
	mv /usr/bin/openssl /usr/bin/away
	rm /var/lib/dkms/mok.*
	out=$(dpkg-reconfigure iopmem-dkms 2>&1) || bad "dpkg-reconfigure" "to succeed" "$out"
	like "Secure Boot without a key" "^    sudo dpkg-reconfigure iopmem-dkms\$" "$out"
	mv /usr/bin/away /usr/bin/openssl
	rm /usr/bin/mokutil

	rm -rf "$work/copy"
	cp -r "$work/first" "$work/copy"
	out=$(make -C "$work/copy" KDIR="/lib/modules/$kver/build" 2>&1) || bad "make" "to succeed" "$out"
	sed -i 's/^Build-Depends:$/& iopmem-absent,/' "$work/copy/debian/control"
	refused "make deb without a package that it needs" "make deb lacks packages that it needs: sudo apt build-dep ." make -C "$work/copy" deb
	refused "make install beside the package" "DKMS has this module already, and only one of the two can be loaded: apt remove iopmem-dkms, or 'dkms remove' what 'dkms status' shows" make -C "$work/copy" install

	apt_does install "$work"/next/build/deb/*.deb
	installed "$next"
	apt_does install --allow-downgrades "$work"/first/build/deb/*.deb
	installed "$version"
	apt_does remove iopmem-dkms
	is "removed, modules left" 0 "$(find "/lib/modules/$kver/" -name 'iopmem*' | wc -l)"
	is "dkms status" "" "$(dkms status iopmem)"
	apt_does install "$work"/first/build/deb/iopmem-dkms_*.deb
	installed "$version"
	# this stands for the rule that 'bind --persist' writes
	echo '# a rule' >/etc/udev/rules.d/60-iopmem-bind.rules
	apt_does remove ndctl-iopmem
	is "removed, the rule for each boot" "# a rule" "$(cat /etc/udev/rules.d/60-iopmem-bind.rules)"
	apt_does purge iopmem-dkms ndctl-iopmem libiopmem-dev libiopmem0 iopmem-doc
	files >"$work/after"
	out=$(diff "$work/before" "$work/after") || bad "files after purge" "those before install" "$out"
	saw "files after purge: those before install"
}

runs_in bookworm slow

test_deb12() {
	shows "Debian 12: the packages build to the same bytes, lintian is silent, and they can be installed, upgraded and removed"
	debian
}

test_rpm() {
	local out name rpms=$work/rpm/RPMS
	shows "rpmbuild makes the rpm packages of the tarball, and rpmlint finds nothing wrong"
	name=iopmem-$(cat "$top/VERSION")
	copied "$name"
	mkdir -p "$work/rpm/SOURCES"
	tar -C "$work" -cJf "$work/rpm/SOURCES/$name.tar.xz" "$name"
	# --nodeps: the build dependencies are installed as Debian's packages, which rpm
	# does not see
	out=$(rpmbuild -ba --nodeps --define "_topdir $work/rpm" --define "debug_package %{nil}" \
		"$top/packaging/rpm/iopmem.spec" 2>&1) || bad "rpmbuild" "to succeed" "$out"
	is "packages" "iopmem-dkms iopmem-doc libiopmem libiopmem-devel ndctl-iopmem" \
		"$(rpm -qp --qf '%{NAME}\n' "$rpms"/*/*.rpm | sort | xargs)"
	is "noarch" "iopmem-dkms iopmem-doc" "$(rpm -qp --qf '%{NAME}\n' "$rpms"/noarch/*.rpm | sort | xargs)"
	out=$(rpm -qpl "$rpms"/*/*.rpm)
	like "the driver" "^/usr/src/$name/drivers/nvdimm/iopmem_bus.c\$" "$out"
	like "the command" "^/usr/bin/ndctl-iopmem\$" "$out"
	like "udev rules" "^/usr/lib/udev/rules.d/90-iopmem-align.rules\$" "$out"
	like "the library" "^/usr/lib.*/libiopmem.so.0\$" "$out"
	like "the header" "^/usr/include/iopmem.h\$" "$out"
	like "a manual page" "^/usr/share/man/man3/libiopmem.3" "$out"
	like "a document" "/iopmem-doc[^/]*/Documentation/driver-api/nvdimm/iopmem.rst\$" "$out"
	out=$(rpmlint -c "$top/packaging/rpm/rpmlint.toml" "$top/packaging/rpm/iopmem.spec" "$rpms" 2>&1) ||
		bad "rpmlint" "to succeed" "$out"
	like "rpmlint" "0 errors, 0 warnings" "$out"
}

runs_in trixie slow

test_deb13() {
	shows "Debian 13: the same"
	debian
}
