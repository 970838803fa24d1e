// SPDX-License-Identifier: GPL-2.0-only
/* Text that comes from outside, made safe for a terminal */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

size_t utf8_length(const char *text)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *s = (const unsigned char *)text;
	uint32_t code;
	size_t n, i;

	if (s[0] < 0x80)
		return 1;
	n = s[0] >> 5 == 0x06 ? 2 : s[0] >> 4 == 0x0e ? 3 : s[0] >> 3 == 0x1e ? 4 : 0;
	code = s[0] & (0x7f >> n);
	for (i = 1; i < n; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	/* not a start byte, an overlong form, a surrogate, or no character */
	if (!n || code < least[n] || code > 0x10ffff || code >> 11 == 0x1b ||
	    (code & 0xfffe) == 0xfffe)
		return 0;
	return n;
}

bool is_control(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	return s[0] < 0x20 || s[0] == 0x7f || (s[0] == 0xc2 && s[1] < 0xa0);
}

bool next_printable(const char **text, char buf[5])
{
	size_t n = utf8_length(*text);

	if (!**text)
		return false;
	if (!n || is_control(*text)) {
		snprintf(buf, 5, "\\x%02x", (unsigned char)**text);
		++*text;
		return true;
	}
	memcpy(buf, *text, n);
	buf[n] = 0;
	*text += n;
	return true;
}

void put_text_va(FILE *out, const char *format, va_list args)
{
	char *text, part[5];
	const char *at;

	if (vasprintf(&text, format, args) < 0) {
		fputs("out of memory", out);
		return;
	}
	for (at = text; next_printable(&at, part);)
		fputs(part, out);
	free(text);
}

void put_text(FILE *out, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_text_va(out, format, args);
	va_end(args);
}

void put_function(struct iopmem_function *fn)
{
	const char *name;

	printf("%s %04x:%04x", iopmem_function_get_address(fn),
	       iopmem_function_get_vendor(fn), iopmem_function_get_device(fn));
	name = iopmem_function_get_vendor_name(fn);
	if (name)
		put_text(stdout, " %s", name);
	name = iopmem_function_get_device_name(fn);
	if (name)
		put_text(stdout, " %s", name);
}
