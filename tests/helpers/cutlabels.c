// SPDX-License-Identifier: GPL-2.0-only
/*
 * cutlabels view NOTES NUMBER BAR	say how far the last update came. Read the
 *				label area at the end of this BAR, before the
 *				kernel does
 * cutlabels check NOTES NUMBER REGION	check that the namespace is as acknowledged
 * cutlabels prepare NOTES NUMBER REGION	destroy the namespace, and acknowledge
 *				that
 * cutlabels loop NOTES NUMBER REGION	create, rename and destroy the namespace
 *				until the power is cut
 *
 * The namespace's name has the number of the last update. REGION is the region's
 * folder in sysfs. The updates are those of ndctl, without its other work.
 */
#define _GNU_SOURCE
#include "labelarea.h"
#include "powercut.h"
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#define LIFE	8	/* updates of a namespace, from creation to destruction */
#define SIZE	"16777216"
#define UUID	"6c7574d0-0000-4000-8000-000000000001"

static const char *region;

/* Read an attribute without its newline, or "" if there is none. */
static char *read_value(const char *device, const char *attribute)
{
	static char value[4][256];
	static int turn;
	char path[512], *v = value[turn++ % 4];
	ssize_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/%s/%s", region, device, attribute);
	fd = open(path, O_RDONLY);
	if (fd >= 0) {
		n = read(fd, v, 255);
		close(fd);
	}
	v[n > 0 ? n : 0] = '\0';
	v[strcspn(v, "\n")] = '\0';
	return v;
}

static int write_value(const char *device, const char *attribute,
		       const char *value)
{
	char path[512];
	int fd, rc;

	snprintf(path, sizeof(path), "%s/%s/%s", region, device, attribute);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return -1;
	rc = write(fd, value, strlen(value)) < 0 ? -1 : 0;
	close(fd);
	return rc;
}

static void must(const char *device, const char *attribute, const char *value)
{
	if (write_value(device, attribute, value))
		err(2, "%s: %s to %s", device, value, attribute);
}

/* Find our namespaces by their uuid, and return how many there are. */
static int find(char found[][32], int max)
{
	DIR *dir = opendir(region);
	struct dirent *e;
	int n = 0;

	if (!dir)
		err(2, "%s", region);
	while ((e = readdir(dir)))
		if (!strncmp(e->d_name, "namespace", 9) &&
		    strchr(e->d_name, '.') && n < max &&
		    !strcmp(read_value(e->d_name, "uuid"), UUID))
			snprintf(found[n++], 32, "%.31s", e->d_name);
	closedir(dir);
	return n;
}

/* The namespace's name after update n, or "" if it does not exist then */
static const char *state(uint64_t n, char name[32])
{
	name[0] = '\0';
	if (n && n % LIFE != LIFE - 1)
		snprintf(name, 32, "cut-%" PRIu64, n);
	return name;
}

static int check(struct note *note)
{
	char found[2][32], seen[256] = "", before[32], after[32];
	int n = find(found, 2);

	if (n > 1) {
		printf("labels: %s and %s have the same uuid\n", found[0],
		       found[1]);
		return 1;
	}
	if (n && strcmp(read_value(found[0], "size"), SIZE)) {
		printf("labels: %s has %s bytes, not " SIZE "\n", found[0],
		       read_value(found[0], "size"));
		return 1;
	}
	if (n) {
		snprintf(seen, sizeof(seen), "%s", read_value(found[0], "alt_name"));
		if (!seen[0])
			snprintf(seen, sizeof(seen), "without a name");
	}
	state(note->acked, before);
	state(note->started, after);
	if (strcmp(seen, before) && strcmp(seen, after)) {
		printf("labels: found '%s', acknowledged '%s', under way '%s'\n",
		       seen, before, after);
		return 1;
	}
	return 0;
}

static void prepare(struct note *note)
{
	uint64_t n = (note->started / LIFE + 1) * LIFE - 1;
	char found[1][32];

	if (find(found, 1)) {
		write_value(found[0], "driver/unbind", found[0]);
		must(found[0], "size", "0");
	}
	start(note, n);
	acknowledge(note, n);
}

/*
 * Use the empty namespace that a region always has (namespace_seed). It keeps its
 * device when the namespace is destroyed, so all rounds use the same one.
 */
static void loop(struct note *note)
{
	char device[32], name[32];
	uint64_t n;

	snprintf(device, sizeof(device), "%.31s", read_value(".", "namespace_seed"));
	for (n = note->acked + 1;; n++) {
		state(n, name);
		if (n % LIFE == 0) {
			must(device, "uuid", UUID);
			must(device, "alt_name", name);
		}
		start(note, n);
		if (n % LIFE == 0)
			must(device, "size", SIZE);
		else if (name[0])
			must(device, "alt_name", name);
		else
			must(device, "size", "0");
		acknowledge(note, n);
	}
}

static int whole(const unsigned char *index)
{
	return !memcmp(index, "NAMESPACE_INDEX", 16) &&
		get_le(index + 64, 8) == checksum(index, INDEX, 64);
}

/*
 * Find the label with the name that update n sets. @any: look also in slots that
 * the index block calls free.
 */
static const unsigned char *find_label(const unsigned char *area,
				       const unsigned char *index, int any,
				       uint64_t n)
{
	uint32_t slots = get_le(index + 56, 4), size = 128 << index[19], i;
	const unsigned char *label;
	char name[32];

	snprintf(name, sizeof(name), "cut-%" PRIu64, n);
	for (i = 0; i < slots && LABELS + (i + 1) * size <= AREA; i++) {
		label = area + LABELS + i * size;
		if (!any && index[72 + i / 8] & 1 << i % 8)
			continue;
		if (!strncmp((const char *)label + 16, name, 32))
			return label;
	}
	return NULL;
}

static const char *view(struct note *note, const char *path)
{
	unsigned char area[AREA], *map, *index;
	const unsigned char *label;
	int fd = open(path, O_RDONLY), ok[2];
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		err(2, "%s", path);
	map = mmap(NULL, AREA, PROT_READ, MAP_SHARED, fd, st.st_size - AREA);
	if (map == MAP_FAILED)
		err(2, "%s: mmap", path);
	memcpy(area, map, AREA);
	ok[0] = whole(area);
	ok[1] = whole(area + INDEX);
	if (!ok[0] && !ok[1])
		return "no index block is whole";
	if (!ok[0] || !ok[1])
		return "an index block half written";
	if (note->started == note->acked)
		return "none under way";
	index = current_index(area);
	label = find_label(area, index, 0, note->started);
	if (label)
		return get_le(label + 80, 4) & 8 ? "in use, marked as being updated" :
			"all written, not yet acknowledged";
	if (find_label(area, index, 1, note->started))
		return "label written, index not";
	return "nothing written";
}

int main(int argc, char **argv)
{
	struct note *note;

	if (argc != 5)
		errx(2, "view|check|prepare|loop NOTES NUMBER PATH");
	note = open_note(argv[2], argv[3]);
	region = argv[4];
	if (!strcmp(argv[1], "view")) {
		puts(view(note, argv[4]));
		return 0;
	}
	if (!strcmp(argv[1], "check"))
		return check(note);
	if (!strcmp(argv[1], "prepare"))
		prepare(note);
	else
		loop(note);
	return 0;
}
