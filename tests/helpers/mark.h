/* SPDX-License-Identifier: GPL-2.0-only */
/* A no-op for the processor. QEMU's plugin tests/bench/count.c looks for it. */
#define MARK		0x10be1100U

static inline __attribute__((always_inline)) void mark_here(unsigned int n)
{
	asm volatile(".byte 0x0f, 0x1f, 0x84, 0x00\n\t.long %c0"
		     :: "i" (MARK | n) : "memory");
}
