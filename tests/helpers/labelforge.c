// SPDX-License-Identifier: GPL-2.0-only
/*
 * labelforge OBJECT.FIELD=VALUE... <AREA >AREA
 *
 * Change fields of a label area (UEFI specification, "Label Protocol"), and
 * correct the checksums afterwards. OBJECT is index0, index1 or index (both),
 * label0 or label1 (the first and second label in use). VALUE is a number. A field
 * of more than eight bytes is filled with its lowest byte.
 */
#define _GNU_SOURCE
#include "mapping.h"
#include "labelarea.h"

struct field {
	const char *name;
	unsigned int offset, size;
};

static const struct field index_fields[] = {
	{ "sig", 0, 16 }, { "labelsize", 19, 1 }, { "seq", 20, 4 },
	{ "myoff", 24, 8 }, { "mysize", 32, 8 }, { "otheroff", 40, 8 },
	{ "labeloff", 48, 8 }, { "nslot", 56, 4 }, { "major", 60, 2 },
	{ "minor", 62, 2 }, { "checksum", 64, 8 }, { "free", 72, INDEX - 72 },
	{ }
};

static const struct field label_fields[] = {
	{ "uuid", 0, 16 }, { "name", 16, 64 }, { "flags", 80, 4 },
	{ "nlabel", 84, 2 }, { "position", 86, 2 }, { "cookie", 88, 8 },
	{ "lbasize", 96, 8 }, { "dpa", 104, 8 }, { "rawsize", 112, 8 },
	{ "slot", 120, 4 }, { "type", 128, 16 }, { "abstraction", 144, 16 },
	{ "checksum", 248, 8 },
	{ }
};

static unsigned char area[AREA];
static unsigned char *label[2];
static unsigned int label_size;

static const struct field *find(const struct field *f, const char *name)
{
	for (; f->name; f++)
		if (!strcmp(f->name, name))
			return f;
	errx(2, "no field '%s'", name);
}

static void set(unsigned char *object, const struct field *f, uint64_t value)
{
	if (f->size > sizeof(value))
		memset(object + f->offset, value, f->size);
	else
		set_le(object + f->offset, f->size, value);
}

static void mend(unsigned char *object, const struct field *fields,
		 unsigned int size)
{
	const struct field *f = find(fields, "checksum");

	set(object, f, checksum(object, size, f->offset));
}

static void find_labels(void)
{
	unsigned char *index = current_index(area);
	unsigned int slot, n = 0;

	label_size = 128 << index[19];
	for (slot = 0; slot < get_le(index + 56, 4) && n < 2; slot++)
		if (!(index[72 + slot / 8] & 1 << slot % 8))
			label[n++] = area + LABELS + slot * label_size;
}

static void change(char *arg)
{
	char *name = strchr(arg, '.'), *value = strchr(arg, '=');
	uint64_t v;

	if (!name || !value)
		errx(2, "'%s' is not OBJECT.FIELD=VALUE", arg);
	*name++ = *value++ = '\0';
	v = strtoull(value, NULL, 0);

	if (!strncmp(arg, "index", 5)) {
		if (arg[5] != '1')
			set(area, find(index_fields, name), v);
		if (arg[5] != '0')
			set(area + INDEX, find(index_fields, name), v);
		return;
	}
	if (strncmp(arg, "label", 5) || (unsigned char)(arg[5] - '0') > 1)
		errx(2, "no object '%s'", arg);
	if (!label[arg[5] - '0'])
		errx(1, "%s is not in use", arg);
	set(label[arg[5] - '0'], find(label_fields, name), v);
}

int main(int argc, char **argv)
{
	int i;

	if (fread(area, 1, AREA, stdin) != AREA)
		errx(1, "standard input is not a label area");
	find_labels();
	for (i = 1; i < argc; i++)
		change(argv[i]);

	mend(area, index_fields, INDEX);
	mend(area + INDEX, index_fields, INDEX);
	for (i = 0; i < 2; i++)
		if (label[i] && label_size == 256)
			mend(label[i], label_fields, label_size);
	if (fwrite(area, 1, AREA, stdout) != AREA || fflush(stdout))
		err(1, "standard output");
	return 0;
}
