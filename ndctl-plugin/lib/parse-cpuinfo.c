// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "parse.h"

/* x86's MAX_PHYSMEM_BITS: with 5-level page tables, and without */
#define BITS_LA57	52
#define BITS		46

int parse_cpuinfo(const char *buf, size_t len, unsigned int *bits)
{
	struct text t = { buf, buf + len }, line;

	while (text_line(&t, &line)) {
		if (!text_word(&line, "flags\t"))
			continue;
		*bits = BITS;
		for (; !text_is_empty(&line); line.at++) {
			struct text word = line;

			if (text_word(&word, " la57") &&
			    (text_is_empty(&word) || *word.at == ' '))
				*bits = BITS_LA57;
		}
		return 0;
	}
	return -ENOENT;
}
