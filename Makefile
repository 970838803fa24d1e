# SPDX-License-Identifier: GPL-2.0-only
# The one entry. KDIR is the kernel to build the module for; the other variables
# reach the scripts by the environment.

KDIR ?= /lib/modules/$(shell uname -r)/build
# Debian's users have no sbin in theirs.
export PATH := $(PATH):/usr/sbin:/sbin
export T KERNEL KERNELS V KEEP KSRC OUT CUTS COUNT SEED REPEAT LOAD SAMPLE WHO CARD DRIVE ERASE SUSPEND REPORT ONLY

kbuild = $(MAKE) -C $(KDIR) M=$(CURDIR)/drivers/nvdimm CONFIG_IOPMEM_BUS=m

.PHONY: all install uninstall plugin install-plugin uninstall-plugin demo check check-all check-debug kernel-debug matrix torture mutants check-stranger check-card bench bench-check bench-p2p lint guide patch dist deb release shell clean help

# Debian's headers bring a compiler that has its version in its name, and no gcc.
all:	## build the module for the running kernel, or for KDIR=
	@test -e $(KDIR)/Makefile || { echo "iopmem: no kernel headers in $(KDIR): install linux-headers-$$(uname -r), or set KDIR=" >&2; exit 1; }
	@! test -e $(KDIR)/include/config/auto.conf || grep -qx CONFIG_MEMORY_HOTPLUG=y $(KDIR)/include/config/auto.conf || { \
		echo "iopmem: the kernel of $(KDIR) has no CONFIG_MEMORY_HOTPLUG, as no 32-bit one has: set KDIR= to another one's" >&2; exit 1; }
	@for cc in $(firstword $(CC)) gcc clang /usr/bin/gcc-[0-9]*; do command -v $$cc >/dev/null && exit; done; \
		echo "iopmem: there is no C compiler: apt install gcc" >&2; exit 1
	@test -w drivers/nvdimm || { echo "iopmem: you may not write to $(CURDIR): copy it to a folder of yours, and make there" >&2; exit 1; }
	+$(kbuild) modules

# The kernel that the module is built for
release = $$(modinfo -F vermagic drivers/nvdimm/iopmem_bus.ko | cut -d' ' -f1)

# Not by kbuild: it wants a System.map for depmod and a key to sign with, of which
# headers have none. Without a build of its own: root's would leave files that the
# user cannot change. depmod does not say which of two modules it takes.
install:	## install the module that make has built, for that kernel
	@test -e drivers/nvdimm/iopmem_bus.ko || { echo "iopmem: the module is not built: make" >&2; exit 1; }
	@command -v modinfo >/dev/null || { echo "iopmem: modinfo and depmod are missing: apt install kmod" >&2; exit 1; }
	@test -d /lib/modules/$(release) || { echo "iopmem: the module is for kernel $(release), which /lib/modules has not: make clean, then make, or make KDIR=" >&2; exit 1; }
	@test -w /lib/modules/$(release) || { echo "iopmem: you may not write to /lib/modules/$(release): sudo make install" >&2; exit 1; }
	@! { command -v dkms && dkms status -m iopmem | grep .; } >/dev/null 2>&1 || { \
		echo "iopmem: DKMS has this module already, and only one of the two can be loaded: apt remove iopmem-dkms, or by 'dkms remove' what 'dkms status' names" >&2; exit 1; }
	rm -f /lib/modules/$(release)/updates/iopmem_bus.ko*
	install -D -m 644 -t /lib/modules/$(release)/updates drivers/nvdimm/iopmem_bus.ko
	depmod $(release)

uninstall:	## remove what install has installed, for each kernel
	@set -e; for ko in /lib/modules/*/updates/iopmem_bus.ko*; do \
		test -e $$ko || { echo "iopmem: /lib/modules has no module of make install: nothing is removed" >&2; exit 1; }; \
		test -w $${ko%/*} || { echo "iopmem: you may not write to $${ko%/*}: sudo make uninstall" >&2; exit 1; }; \
		kernel=$${ko#/lib/modules/}; \
		echo rm $$ko; rm $$ko; depmod $${kernel%%/*}; done

# What it wants: a new user's machine has neither.
plugin_packages = meson gcc pkgconf libndctl-dev libdaxctl-dev libpci-dev libkmod-dev libmount-dev libjson-c-dev uuid-dev zlib1g-dev

# In a tree without dpkg-dev meson takes lib64, where neither the dynamic linker nor
# pkg-config looks.
plugin:	## build the command ndctl-iopmem and the library libiopmem, into build/plugin
	@for tool in meson $(firstword $(CC)); do command -v $$tool >/dev/null || { \
		echo "iopmem: $$tool is not installed: apt install $(plugin_packages)" >&2; exit 1; }; done
	@{ mkdir -p build && test -w build; } 2>/dev/null || { echo "iopmem: you may not write to $(CURDIR): copy it to a folder of yours, and make there" >&2; exit 1; }
	@test -e build/plugin/build.ninja || meson setup --libdir=lib build/plugin ndctl-plugin || { \
		echo "iopmem: if something was not found: apt install $(plugin_packages)" >&2; exit 1; }
	meson compile -C build/plugin

# Without a build of its own: root's would leave files that the user cannot change.
install-plugin:	## install them (DESTDIR= for another tree)
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

check-all:	## run the slow ones too, Debian 13's installation to removal, and the mutants
	@rc=0; ALL=1 tests/run || rc=1; \
	[ -n "$(T)" ] || for t in "env KERNEL=6.12 T=life tests/run" tests/mutants/run; do $$t || rc=1; done; exit $$rc

mutants:	## put small bugs into driver and library, and see that the cases notice
	@tests/mutants/run

torture:	## run those that take hours, and print their figures (CUTS=N, SEED=S)
	@TORTURE=1 tests/run

kernel-debug:	## build a kernel with sanitizers, for check-debug
	@tests/vm/debug/build

check-debug:	## run the tests on it, with the driver as a module and built in
	@rc=0; for k in debug debug-y; do KERNEL=$$k tests/run || rc=1; done; exit $$rc

matrix:	## run the tests on each kernel (KERNELS= on some), and write the tables
	@tests/matrix

check-stranger:	## the README's commands by a new user in a bare Debian 12 tree (WHO=root: by root)
	@tests/stranger

check-card:	## try a real card, as root (CARD=0000:01:00.0, DRIVE=partition, ERASE=yes, SUSPEND=yes, REPORT=file)
	@tests/card/run

bench:	## what iopmem costs beside its peers, into tests/bench/results (ONLY="exact timed scale p2p")
	@tests/bench/run

bench-check:	## whether iopmem's cost is still what make bench has found
	@T=perf/unchanged KERNEL=7.3 tests/run

bench-p2p:	## what peer-to-peer costs the CPU, beside bounce buffers and P2PDMA
	@tests/bench/p2p

lint:	## the kernel's checkers over the driver, shellcheck over the scripts
	@tests/lint

guide:	## the user's guide as HTML, into build/guide
	@command -v sphinx-build >/dev/null || { echo "iopmem: sphinx-build is not installed: apt install python3-sphinx" >&2; exit 1; }
	@mkdir -p build && sphinx-build -q Documentation/guide build/guide
	@echo build/guide/index.html

patch:	## the driver as a series for the kernel source in KSRC=, into ./patches or OUT=
	@tools/patch

dist:	## what is committed, as a tarball, into build/dist
	@tools/dist

deb:	## Debian packages, into build/deb
	@tools/deb

release:	## what the version in VERSION still wants before it can go out
	@tools/release

shell:	## a shell in the demo's virtual machine
	@tests/vm/shell

clean:	## remove what was built here; the guest's image stays in the cache
	rm -rf build tests/helpers/bin
	find drivers $(wildcard tests) \( -name '*.o' -o -name '*.ko' -o -name '*.mod*' -o -name '.*.cmd' -o -name modules.order -o -name Module.symvers \) -delete

help:	## list these targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18
