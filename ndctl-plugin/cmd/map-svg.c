// SPDX-License-Identifier: GPL-2.0-only
/* ndctl-iopmem map --svg */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"

#define WIDTH		960
#define MARGIN		20
#define LINE		20	/* of text */
#define BAR_HEIGHT	40
#define INNER		(WIDTH - 2 * MARGIN)

static void put_escaped(FILE *out, const char *text)
{
	char part[5];

	while (next_printable(&text, part))
		switch (part[0]) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			fputs(part, out);
		}
}

static void put_line(FILE *out, unsigned int x, unsigned int y,
		     const char *text)
{
	fprintf(out, "<text x=\"%u\" y=\"%u\">", x, y);
	put_escaped(out, text);
	fputs("</text>\n", out);
}

static unsigned int height_of(const struct picture *p)
{
	return LINE * (p->num_segments + 2) + BAR_HEIGHT + MARGIN;
}

static void put_segment(FILE *out, const struct segment *s, double x,
			double width, unsigned int y)
{
	fprintf(out,
		"<rect x=\"%.2f\" y=\"%u\" width=\"%.2f\" height=\"%d\" fill=\"%s\" stroke=\"#1f2328\"><title>",
		x, y, width, BAR_HEIGHT, s->color);
	put_escaped(out, s->what);
	fputs("</title></rect>\n", out);
}

/* Draw each segment wide enough to be seen, unless there are 100 or more. */
static void put_picture(FILE *out, const struct picture *p, unsigned int y)
{
	double least = p->num_segments < 100 ? 3 : 0;
	double spare = INNER - least * p->num_segments, x = MARGIN;
	unsigned int line = y + LINE + BAR_HEIGHT + LINE;
	size_t i;

	put_line(out, MARGIN, y + LINE / 2, p->title);
	for (i = 0; i < p->num_segments; i++, line += LINE) {
		const struct segment *s = &p->segments[i];
		double width = least + (double)s->size / p->size * spare;
		char size[32], text[300];

		put_segment(out, s, x, width, y + LINE);
		x += width;
		size_for_people(size, sizeof(size), s->size);
		snprintf(text, sizeof(text), "0x%" PRIx64 "  %s  %s",
			 s->offset, size, s->what);
		fprintf(out,
			"<rect x=\"%d\" y=\"%u\" width=\"12\" height=\"12\" fill=\"%s\" stroke=\"#1f2328\"/>\n",
			MARGIN, line - 10, s->color);
		put_line(out, MARGIN + 20, line, text);
	}
	put_line(out, MARGIN, line, p->cost);
}

/* Draw a panel behind it, so that the color of the page does not matter. */
static void put_all(FILE *out, const struct picture *pictures, size_t n)
{
	unsigned int y = MARGIN, height = 2 * MARGIN;
	size_t i;

	for (i = 0; i < n; i++)
		height += height_of(&pictures[i]);
	fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%u\" viewBox=\"0 0 %d %u\" font-family=\"monospace\" font-size=\"13\" fill=\"#1f2328\" role=\"img\">\n",
		WIDTH, height, WIDTH, height);
	fputs("<title>", out);
	put_escaped(out, pictures[0].title);
	fprintf(out,
		"</title>\n<rect width=\"%d\" height=\"%u\" rx=\"6\" fill=\"#ffffff\" stroke=\"#8c959f\"/>\n",
		WIDTH, height);
	for (i = 0; i < n; i++) {
		put_picture(out, &pictures[i], y);
		y += height_of(&pictures[i]);
	}
	fputs("</svg>\n", out);
}

static int cannot(const char *name)
{
	return print_error(EXIT_FAILED, "%s: cannot write: %s", name,
			   strerror(errno));
}

/* Write to @out and close it. Returns an exit code. */
static int put_to(FILE *out, const char *name, const struct picture *pictures,
		  size_t n)
{
	int bad;

	put_all(out, pictures, n);
	bad = fflush(out) || ferror(out);
	if (fclose(out) || bad)
		return cannot(name);
	return EXIT_OK;
}

/* Write a new file and rename it, so that nobody sees half of a file. */
static int replace(const char *name, const struct picture *pictures, size_t n)
{
	mode_t mask = umask(0);
	char temp[PATH_MAX];
	FILE *out;
	int fd, rc;

	umask(mask);
	if (snprintf(temp, sizeof(temp), "%s.XXXXXX", name) >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return cannot(name);
	}
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return cannot(name);
	out = fchmod(fd, 0666 & ~mask) ? NULL : fdopen(fd, "w");
	if (!out) {
		rc = cannot(name);
		close(fd);
	} else {
		rc = put_to(out, name, pictures, n);
	}
	if (!rc && rename(temp, name))
		rc = cannot(name);
	if (rc)
		unlink(temp);
	return rc;
}

/* Follow a link to its target. Write to a device or pipe, do not replace it. */
int svg_write(const char *name, const struct picture *pictures, size_t n)
{
	char real[PATH_MAX];
	struct stat st;
	FILE *out;

	if (!strcmp(name, "-")) {
		put_all(stdout, pictures, n);
		return EXIT_OK;
	}
	if (!realpath(name, real))
		return errno == ENOENT ? replace(name, pictures, n) :
			cannot(name);
	if (stat(real, &st))
		return cannot(name);
	if (S_ISREG(st.st_mode))
		return replace(real, pictures, n);
	out = fopen(real, "we");
	return out ? put_to(out, name, pictures, n) : cannot(name);
}
