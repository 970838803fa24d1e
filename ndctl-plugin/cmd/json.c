// SPDX-License-Identifier: GPL-2.0-only
/* JSON in the style of ndctl */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>
#include <json-c/printbuf.h>

#include "cmd.h"

/*
 * Escape as json-c does, and escape more. json-c does not escape DEL and the
 * control characters from U+0080 on, which a terminal may obey. Nor does it
 * replace bytes that are not UTF-8, and these would make the output invalid
 * JSON.
 */
static int print_string(struct json_object *object, struct printbuf *out,
			int level, int flags)
{
	const char *text = json_object_get_string(object);
	const char *end = text + json_object_get_string_len(object);
	char buf[16];

	(void)level;
	(void)flags;
	printbuf_memappend(out, "\"", 1);
	while (text < end) {
		size_t n = utf8_length(text);

		if (!n)
			snprintf(buf, sizeof(buf), "\\ufffd");
		else if (is_control(text))
			snprintf(buf, sizeof(buf), "\\u%04x",
				 (unsigned char)text[n - 1]);
		else
			snprintf(buf, sizeof(buf), "%s%.*s",
				 strchr("\"\\", *text) ? "\\" : "",
				 (int)n, text);
		printbuf_memappend(out, buf, strlen(buf));
		text += n ? n : 1;
	}
	return printbuf_memappend(out, "\"", 1);
}

struct json_object *json_new_string(const char *text)
{
	struct json_object *value = json_object_new_string(text);

	json_object_set_serializer(value, print_string, NULL, NULL);
	return value;
}

void json_add_string(struct json_object *to, const char *key,
		     const char *value)
{
	json_object_object_add(to, key, value ? json_new_string(value) : NULL);
}

void json_add_int(struct json_object *to, const char *key, int64_t value)
{
	json_object_object_add(to, key, json_object_new_int64(value));
}

void json_add_bool(struct json_object *to, const char *key, bool value)
{
	json_object_object_add(to, key, json_object_new_boolean(value));
}

/* Print @bytes in units of @unit, rounded to hundredths. */
static void hundredths(char *buf, size_t size, uint64_t bytes, uint64_t unit)
{
	uint64_t whole = bytes / unit;
	uint64_t part = ((bytes % unit) * 200 / unit + 1) / 2;

	if (part == 100) {
		whole++;
		part = 0;
	}
	snprintf(buf, size, "%" PRIu64 ".%02" PRIu64, whole, part);
}

static int print_size(struct json_object *object, struct printbuf *out,
		      int level, int flags)
{
	uint64_t bytes = json_object_get_uint64(object);
	bool giga = bytes >= 2ull << 30;
	char buf[96], binary[32], decimal[32];
	int n;

	(void)level;
	(void)flags;
	/* ndctl prints smaller sizes exactly */
	if (bytes < 5000 * 1024) {
		n = snprintf(buf, sizeof(buf), "%" PRIu64, bytes);
	} else {
		hundredths(binary, sizeof(binary), bytes,
			   giga ? 1ull << 30 : 1ull << 20);
		hundredths(decimal, sizeof(decimal), bytes,
			   giga ? 1000000000 : 1000000);
		n = snprintf(buf, sizeof(buf), "\"%s %s (%s %s)\"", binary,
			     giga ? "GiB" : "MiB", decimal,
			     giga ? "GB" : "MB");
	}
	return printbuf_memappend(out, buf, n);
}

static int print_hex(struct json_object *object, struct printbuf *out,
		     int level, int flags)
{
	char buf[32];
	int n = snprintf(buf, sizeof(buf), "\"0x%" PRIx64 "\"",
			 json_object_get_uint64(object));

	(void)level;
	(void)flags;
	return printbuf_memappend(out, buf, n);
}

void json_add_size(struct json_object *to, const char *key, uint64_t bytes,
		   unsigned int flags)
{
	struct json_object *value = json_object_new_uint64(bytes);

	if (flags & JSON_HUMAN)
		json_object_set_serializer(value, print_size, NULL, NULL);
	json_object_object_add(to, key, value);
}

void json_add_hex(struct json_object *to, const char *key, uint64_t value,
		  unsigned int flags)
{
	struct json_object *object = json_object_new_uint64(value);

	if (flags & JSON_HUMAN)
		json_object_set_serializer(object, print_hex, NULL, NULL);
	json_object_object_add(to, key, object);
}

void json_add_unknown(struct json_object *to, const char *key, int rc,
		      unsigned int flags)
{
	const char *text = NULL;

	if (flags & JSON_HUMAN)
		text = rc == -EACCES ? "unknown, needs root" : "unknown";
	json_add_string(to, key, text);
}

void json_add_persistent(struct json_object *to, struct iopmem_function *fn,
			 unsigned int flags)
{
	int boot = iopmem_function_get_boot(fn);

	if (boot < 0)
		json_add_unknown(to, "persistent", boot, flags);
	else
		json_add_bool(to, "persistent", boot != IOPMEM_BOOT_NONE &&
			      boot != IOPMEM_BOOT_IDS_NOT_LOADED);
}

int json_print(struct json_object *array, unsigned int flags)
{
	size_t n = json_object_array_length(array);
	struct json_object *shown = array;

	if (n == 1 && flags & JSON_HUMAN)
		shown = json_object_array_get_idx(array, 0);
	if (n)
		puts(json_object_to_json_string_ext(shown, JSON_C_TO_STRING_PRETTY));
	json_object_put(array);
	return EXIT_OK;
}
