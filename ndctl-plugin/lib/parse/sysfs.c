// SPDX-License-Identifier: LGPL-2.1-or-later
/* Parsers of names, links and attributes in sysfs */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "parse.h"

/* "01:00.0" */
static int bus_dev_fn(struct text *t, struct address *a)
{
	uint64_t bus, dev, fn;

	if (text_hex(t, 2, 2, &bus) || !text_char(t, ':') ||
	    text_hex(t, 2, 2, &dev) || !text_char(t, '.') ||
	    text_hex(t, 1, 1, &fn) || !text_is_empty(t) || dev > 31 || fn > 7)
		return -EINVAL;
	a->bus = bus;
	a->dev = dev;
	a->fn = fn;
	return 0;
}

/* A domain has four digits, or more if a bridge creates the domain (VMD). */
int parse_address(const char *buf, size_t len, struct address *a)
{
	struct text t = { buf, buf + len };
	uint64_t domain;

	if (text_hex(&t, 4, 8, &domain) || !text_char(&t, ':'))
		return -EINVAL;
	a->domain = domain;
	return bus_dev_fn(&t, a);
}

int parse_short_address(const char *buf, size_t len, struct address *a)
{
	struct text t = { buf, buf + len };

	if (!parse_address(buf, len, a))
		return 0;
	a->domain = 0;
	return bus_dev_fn(&t, a);
}

int address_compare(const struct address *a, const struct address *b)
{
	if (a->domain != b->domain)
		return a->domain < b->domain ? -1 : 1;
	if (a->bus != b->bus)
		return a->bus - b->bus;
	if (a->dev != b->dev)
		return a->dev - b->dev;
	return a->fn - b->fn;
}

static void last_component(struct text *t)
{
	const char *slash;

	while (t->end > t->at && t->end[-1] == '/')
		t->end--;
	for (slash = t->end; slash > t->at && slash[-1] != '/'; slash--)
		;
	t->at = slash;
}

int parse_place(const char *buf, size_t len, struct place *p)
{
	struct text t = { buf, buf + len };
	struct address self;
	bool first = true;

	*p = (struct place){};
	last_component(&t);
	if (parse_address(t.at, t.end - t.at, &self))
		return -EINVAL;

	while (t.at > buf) {
		t = (struct text){ buf, t.at };
		last_component(&t);
		if (first)
			p->has_parent = !parse_address(t.at, t.end - t.at,
						       &p->parent);
		first = false;
		if (text_word(&t, "pci")) {
			p->host_bridge = t.at - 3;
			p->host_bridge_len = t.end - p->host_bridge;
			break;
		}
	}
	return 0;
}

static int resource_line(struct text *line, struct resource *r)
{
	if (text_0x(line, &r->start) || !text_char(line, ' ') ||
	    text_0x(line, &r->end) || !text_char(line, ' ') ||
	    text_0x(line, &r->flags) || !text_is_empty(line))
		return -EINVAL;
	if (r->end < r->start)
		return -EINVAL;
	return 0;
}

int parse_resource(const char *buf, size_t len, struct resource res[NUM_BARS])
{
	struct text t = { buf, buf + len }, line;
	int i;

	for (i = 0; i < NUM_BARS; i++)
		if (!text_line(&t, &line) || resource_line(&line, &res[i]))
			return -EINVAL;
	return 0;
}

int parse_link_speed(const char *buf, size_t len, unsigned int *speed)
{
	struct text t = { buf, buf + len };
	uint64_t whole, tenth;

	if (text_word(&t, "Unknown")) {
		*speed = 0;
		return 0;
	}
	if (text_dec(&t, 1000, &whole) || !text_char(&t, '.') ||
	    text_dec(&t, 9, &tenth) || !text_word(&t, " GT/s"))
		return -EINVAL;
	*speed = whole * 10 + tenth;
	return 0;
}

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

/* Cut off the next component, without its slashes. */
static bool component(struct text *t, struct text *c)
{
	while (text_char(t, '/'))
		;
	c->at = t->at;
	while (t->at < t->end && *t->at != '/')
		t->at++;
	c->end = t->at;
	return !text_is_empty(c);
}

static bool is_number(struct text t, const char *prefix)
{
	uint64_t n;

	return text_word(&t, prefix) && !text_dec(&t, INT32_MAX, &n) &&
		text_is_empty(&t);
}

static bool is_pair(struct text t, const char *prefix)
{
	uint64_t n;

	return text_word(&t, prefix) && !text_dec(&t, INT32_MAX, &n) &&
		text_char(&t, '.') && !text_dec(&t, INT32_MAX, &n) &&
		text_is_empty(&t);
}

/*
 * .../ndbus0/region0/pfn0.1/block/pmem0[/pmem0p1]
 * .../ndbus0/region0/dax0.1/dax0.1
 */
int parse_nd_path(const char *buf, size_t len, struct nd_path *p)
{
	struct text t = { buf, buf + len }, c;
	bool block;

	*p = (struct nd_path){};
	do {
		if (!component(&t, &c))
			return -ENOENT;
	} while (!is_number(c, "ndbus"));

	if (!component(&t, &c) || !is_number(c, "region"))
		return -ENOENT;
	p->region = c.at;
	p->region_len = c.end - c.at;

	if (!component(&t, &c))
		return -ENOENT;
	if (is_pair(c, "btt"))
		p->is_btt = true;
	else if (!is_pair(c, "pfn") && !is_pair(c, "dax") &&
		 !is_pair(c, "namespace"))
		return -ENOENT;
	p->device_len = c.end - buf;

	if (!component(&t, &c))
		return -ENOENT;
	block = c.end - c.at == 5 && text_word(&c, "block");
	if (block && !component(&t, &c))
		return -ENOENT;
	if (component(&t, &c)) {
		if (!block)
			return -ENOENT;
		p->is_partition = true;
	}
	return component(&t, &c) ? -ENOENT : 0;
}

int parse_dev(const char *buf, size_t len, unsigned int *major,
	      unsigned int *minor)
{
	struct text t = { buf, buf + len };
	uint64_t a, b;

	if (text_dec(&t, UINT_MAX, &a) || !text_char(&t, ':') ||
	    text_dec(&t, UINT_MAX, &b) || !text_is_empty(&t))
		return -EINVAL;
	*major = a;
	*minor = b;
	return 0;
}
