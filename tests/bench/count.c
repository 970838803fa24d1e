// SPDX-License-Identifier: GPL-2.0-only
/*
 * A QEMU plugin that counts the guest's instructions and system calls. A program
 * sets a mark by the instruction "nopl MARK|n(%rax,%rax,1)", which has no other
 * effect. At each mark the plugin prints
 *
 *	mark n user kernel syscalls
 *
 * where user and kernel are the instructions executed so far. The guest must
 * have one processor.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "../helpers/mark.h"
#include "plugin.h"

int qemu_plugin_version = 1;

static uint64_t instructions[2], syscalls;

static void mark(unsigned int cpu, void *data)
{
	(void)cpu;
	fprintf(stderr, "mark %u %lu %lu %lu\n", (unsigned int)(uintptr_t)data,
		instructions[0], instructions[1], syscalls);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t i, n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	for (i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		const uint8_t *code = qemu_plugin_insn_data(insn);
		size_t size = qemu_plugin_insn_size(insn);
		int kernel = qemu_plugin_insn_vaddr(insn) >> 63;
		uint32_t word;

		qemu_plugin_register_vcpu_insn_exec_inline(insn, ADD_U64,
							   &instructions[kernel], 1);
		if (!kernel && size == 2 && !memcmp(code, "\x0f\x05", 2))
			qemu_plugin_register_vcpu_insn_exec_inline(insn, ADD_U64,
								   &syscalls, 1);
		if (size != 8 || memcmp(code, "\x0f\x1f\x84\x00", 4))
			continue;
		memcpy(&word, code + 4, 4);
		if ((word & ~0xffU) == MARK)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, mark, NO_REGISTERS,
							       (void *)(uintptr_t)(word & 0xff));
	}
}

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc,
			char **argv)
{
	(void)info;
	(void)argc;
	(void)argv;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
