// SPDX-License-Identifier: LGPL-2.1-or-later
#include <limits.h>

#include "parse.h"

/* x86's MAX_PHYSMEM_BITS: with 5-level page tables, and without */
#define BITS_LA57	52
#define BITS		46

static bool has_flag(struct text line, const char *flag)
{
	for (; !text_is_empty(&line); line.at++) {
		struct text word = line;

		if (text_char(&word, ' ') && text_word(&word, flag) &&
		    (text_is_empty(&word) || *word.at == ' '))
			return true;
	}
	return false;
}

/* From the first processor: "name<tab>: value" */
void parse_cpuinfo(const char *buf, size_t len, struct cpu *cpu)
{
	struct text t = { buf, buf + len }, line;
	bool amd = false;
	uint64_t family;

	*cpu = (struct cpu){ .address_bits = 64 };
	while (text_line(&t, &line)) {
		if (text_word(&line, "vendor_id\t: AuthenticAMD")) {
			amd = true;
		} else if (text_word(&line, "cpu family\t: ")) {
			if (!text_dec(&line, UINT_MAX, &family))
				cpu->zen = amd && family >= 0x17;
		} else if (text_word(&line, "flags\t")) {
			cpu->hypervisor = has_flag(line, "hypervisor");
			cpu->address_bits = has_flag(line, "la57") ? BITS_LA57 :
				BITS;
			return;
		}
	}
}
