# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
runs_in toolbox
wants_source 6.12 7.3

test_lint() {
	local out rc=0
	shows "the kernel's checkers and shellcheck find nothing"
	out=$("$top/tests/lint" 2>&1) || rc=$?
	[ "$rc" = 0 ] || bad "make lint" "no findings" "$out"
	saw "$(grep -c ': clean' <<<"$out") checks clean"
}

runs_in toolbox slow

test_lint_finds() {
	local out
	shows "a fault in the driver or in a script makes lint fail, and lint names the place"
	copied tree
	sed -i -e 's/^static bool bound;$/& /' -e 's/__le64 serial;/u64 serial;/' \
		-e 's|^struct iopmem_walk {|/**\n * struct iopmem_walk - one\n * @nobars: none\n */\n&|' \
		-e 's/answers all ones, switch/answers ones only, switch/' \
		-e 's/if (!bus->num_bars) {/if (bus == NULL || (bus \&\& !bus->num_bars)) {/' \
		"$work/tree/drivers/nvdimm/iopmem_bus.c"
	printf '#!/bin/bash\nrm $1\n' >"$work/tree/tests/broken"
	: >"$work/tree/tests/driver/unnamed.sh"
	printf 'test_lost() {\n\t:\n}\n' >"$work/tree/tests/lost.sh"
	echo '*modes/lost*' >>"$work/tree/Documentation/guide/faq.rst"
	out=$("$work/tree/tests/lint" 2>&1) && bad "lint" "to fail" "$out"
	like "shellcheck" "tests/broken:2:4: .*SC2086" "$out"
	like "tests/README.md" "^ *\\+unnamed.sh" "$out"
	like "a case that never runs" "^ *tests/lost.sh: has cases, which run only from driver, cmd and repo: move it\$" "$out"
	like "sparse" "iopmem_bus.c:[0-9]+:[0-9]+: warning: incorrect type in initializer" "$out"
	like "checkpatch" "iopmem_bus.c:[0-9]+: ERROR: trailing whitespace" "$out"
	like "kernel-doc" "pdev' not described in 'iopmem_walk'" "$out"
	like "the guide" "messages.rst: has no \"answers ones only, switch its memory on\" of the driver" "$out"
	like "a case in the guide" "^ *Documentation/guide/faq.rst: names the case modes/lost, which does not exist\$" "$out"
	like "the series" "^ *tools/series/[2-4]-[a-z]*\\.patch: does not apply .*: run tools/series/rebuild\$" "$out"
	like "last line" "^iopmem: lint has findings in: .*fix them$" "$(tail -n 1 <<<"$out")"
}
