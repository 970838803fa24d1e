# SPDX-License-Identifier: GPL-2.0-only
# All that one can do here is a target of this file. KDIR is the build folder of the
# kernel to build the module for. The scripts get the other variables in their
# environment.

KDIR ?= /lib/modules/$(shell uname -r)/build
# On Debian, sbin is not in a user's PATH.
export PATH := $(PATH):/usr/sbin:/sbin
export T KERNEL KERNELS V KEEP KSRC AUTHOR OUT CUTS COUNT SEED REPEAT LOAD SAMPLE WHO CARD DRIVE ERASE SUSPEND REPORT ONLY

kbuild = $(MAKE) -C $(KDIR) M=$(CURDIR)/drivers/nvdimm CONFIG_IOPMEM_BUS=m

.PHONY: all install uninstall plugin install-plugin uninstall-plugin demo check check-all check-debug kernel-debug matrix torture mutants check-stranger check-card bench bench-check bench-p2p lint guide patch dist deb release shell clean help

# Debian's kernel headers depend on a compiler with its version in its name, such as
# gcc-12, and not on the command gcc.
all:	## build the module for the running kernel, or for KDIR=
	@test -e $(KDIR)/Makefile || { echo "iopmem: no kernel headers in $(KDIR): install linux-headers-$$(uname -r), or set KDIR=" >&2; exit 1; }
	@! test -e $(KDIR)/include/config/auto.conf || grep -qx CONFIG_MEMORY_HOTPLUG=y $(KDIR)/include/config/auto.conf || { \
		echo "iopmem: the kernel of $(KDIR) has no CONFIG_MEMORY_HOTPLUG (32-bit kernels never have it): set KDIR= to the headers of another kernel" >&2; exit 1; }
	@for cc in $(firstword $(CC)) gcc clang /usr/bin/gcc-[0-9]*; do command -v $$cc >/dev/null && exit; done; \
		echo "iopmem: there is no C compiler: apt install gcc" >&2; exit 1
	@test -w drivers/nvdimm || { echo "iopmem: you may not write to $(CURDIR): copy it to a folder of your own, and run make there" >&2; exit 1; }
	+$(kbuild) modules

# The kernel that the module is built for
release = $$(modinfo -F vermagic drivers/nvdimm/iopmem_bus.ko | cut -d' ' -f1)

# This does not use modules_install of kbuild. That needs a System.map for depmod and a
# key to sign with, and kernel headers have neither. It does not build the module
# either: if root builds, the user cannot change the files afterwards. A second module
# is refused, since depmod does not say which of the two it takes.
install:	## install the module that make has built, for that kernel
	@test -e drivers/nvdimm/iopmem_bus.ko || { echo "iopmem: the module is not built: make" >&2; exit 1; }
	@command -v modinfo >/dev/null || { echo "iopmem: modinfo and depmod are missing: apt install kmod" >&2; exit 1; }
	@test -d /lib/modules/$(release) || { echo "iopmem: the module is for kernel $(release), which is not in /lib/modules: make clean, then make, or make KDIR=" >&2; exit 1; }
	@test -w /lib/modules/$(release) || { echo "iopmem: you may not write to /lib/modules/$(release): sudo make install" >&2; exit 1; }
	@! { command -v dkms && dkms status -m iopmem | grep .; } >/dev/null 2>&1 || { \
		echo "iopmem: DKMS has this module already, and only one of the two can be loaded: apt remove iopmem-dkms, or 'dkms remove' what 'dkms status' shows" >&2; exit 1; }
	rm -f /lib/modules/$(release)/updates/iopmem_bus.ko*
	install -D -m 644 -t /lib/modules/$(release)/updates drivers/nvdimm/iopmem_bus.ko
	depmod $(release)

uninstall:	## remove what install has installed, for each kernel
	@set -e; for ko in /lib/modules/*/updates/iopmem_bus.ko*; do \
		test -e $$ko || { echo "iopmem: /lib/modules has no module of make install: nothing is removed" >&2; exit 1; }; \
		test -w $${ko%/*} || { echo "iopmem: you may not write to $${ko%/*}: sudo make uninstall" >&2; exit 1; }; \
		kernel=$${ko#/lib/modules/}; \
		echo rm $$ko; rm $$ko; depmod $${kernel%%/*}; done

# The packages that the build needs, for the message to a user who lacks one
plugin_packages = meson gcc pkgconf libndctl-dev libdaxctl-dev libpci-dev libkmod-dev libmount-dev libjson-c-dev uuid-dev zlib1g-dev

# Without dpkg-dev, meson would install into lib64. Neither the dynamic linker nor
# pkg-config looks there on Debian.
plugin:	## build the command ndctl-iopmem and the library libiopmem, into build/plugin
	@for tool in meson $(firstword $(CC)); do command -v $$tool >/dev/null || { \
		echo "iopmem: $$tool is not installed: apt install $(plugin_packages)" >&2; exit 1; }; done
	@{ mkdir -p build && test -w build; } 2>/dev/null || { echo "iopmem: you may not write to $(CURDIR): copy it to a folder of your own, and run make there" >&2; exit 1; }
	@test -e build/plugin/build.ninja || meson setup --libdir=lib build/plugin ndctl-plugin || { \
		echo "iopmem: if something was not found: apt install $(plugin_packages)" >&2; exit 1; }
	meson compile -C build/plugin

# This does not build: if root builds, the user cannot change the files afterwards.
install-plugin:	## install that command and library (DESTDIR= for another tree)
	@test -e build/plugin/build.ninja || { echo "iopmem: build/plugin has no build: make plugin" >&2; exit 1; }
	meson install -C build/plugin --no-rebuild
	@[ -n "$$DESTDIR" ] || ldconfig

uninstall-plugin:	## remove what install-plugin has installed from this build
	@test -e build/plugin/meson-logs/install-log.txt || { echo "iopmem: build/plugin was not installed from: nothing is removed" >&2; exit 1; }
	ninja -C build/plugin uninstall
	@ldconfig

demo:	## show the main job in a virtual machine (KEEP=dir keeps its files, V=1 shows all)
	@tests/demo

check:	## run the tests (T=name runs one)
	@tests/run

check-all:	## run the slow tests, the installation on Debian 13 and the mutants, too
	@rc=0; ALL=1 tests/run || rc=1; \
	[ -n "$(T)" ] || for t in "env KERNEL=6.12 T=life tests/run" tests/mutants/run; do $$t || rc=1; done; exit $$rc

mutants:	## put small bugs into driver and library, and check that the cases notice
	@tests/mutants/run

torture:	## run the tests that take hours, and print their figures (CUTS=N, SEED=S)
	@TORTURE=1 tests/run

kernel-debug:	## build a kernel with sanitizers, for check-debug
	@tests/vm/debug/build

check-debug:	## run the tests on that kernel, with the driver as a module and built in
	@rc=0; for k in debug debug-y; do KERNEL=$$k tests/run || rc=1; done; exit $$rc

matrix:	## run the tests on each kernel (KERNELS= names some), and write the tables
	@tests/matrix

check-stranger:	## run the README's commands as a new user in a bare Debian 12 tree (WHO=root: as root)
	@tests/stranger

check-card:	## try a real card, as root (CARD=0000:01:00.0, DRIVE=partition, ERASE=yes, SUSPEND=yes, REPORT=file)
	@tests/card/run

bench:	## compare what iopmem and its peers cost, into tests/bench/results (ONLY="exact timed scale p2p")
	@tests/bench/run

bench-check:	## check that iopmem's cost is still what make bench has found
	@T=perf/unchanged KERNEL=7.3 tests/run

bench-p2p:	## measure what peer-to-peer costs the CPU, compared with bounce buffers and P2PDMA
	@tests/bench/p2p

lint:	## run the kernel's checkers on the driver, and shellcheck on the scripts
	@tests/lint

guide:	## make the user's guide as HTML, in build/guide
	@command -v sphinx-build >/dev/null || { echo "iopmem: sphinx-build is not installed: apt install python3-sphinx" >&2; exit 1; }
	@mkdir -p build && sphinx-build -q Documentation/guide build/guide
	@echo build/guide/index.html

patch:	## write the driver as a patch series for the kernel source in KSRC=, into ./patches or OUT= (AUTHOR="Name <address>")
	@tools/patch

dist:	## make a tarball of what is committed, in build/dist
	@tools/dist

deb:	## build the Debian packages, into build/deb
	@tools/deb

release:	## check what is missing for a release of the version in VERSION
	@tools/release

shell:	## open a shell in the demo's virtual machine
	@tests/vm/shell

clean:	## remove what was built here; the guest's image stays in the cache
	rm -rf build tests/helpers/bin
	find drivers $(wildcard tests) \( -name '*.o' -o -name '*.ko' -o -name '*.mod*' -o -name '.*.cmd' -o -name modules.order -o -name Module.symvers \) -delete

help:	## list these targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18
