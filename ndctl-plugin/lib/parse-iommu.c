// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "parse.h"

int parse_iommu_type(const char *buf, size_t len, const char **type)
{
	static const char *const types[] = {
		"DMA", "DMA-FQ", "identity", "unmanaged", "blocked", "unknown",
	};
	struct text t = { buf, buf + len }, line = t;
	size_t i;

	text_line(&t, &line);
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		struct text word = line;

		if (text_word(&word, types[i]) && text_is_empty(&word)) {
			*type = types[i];
			return 0;
		}
	}
	return -EINVAL;
}
