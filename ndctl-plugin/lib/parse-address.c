// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
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

/* A domain has four digits, or more where a bridge makes domains (VMD). */
int parse_address(const char *buf, size_t len, struct address *a)
{
	struct text t = { buf, buf + len };
	uint64_t domain;

	if (text_hex(&t, 4, 8, &domain) || !text_char(&t, ':'))
		return -EINVAL;
	a->domain = domain;
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

int parse_spec(const char *buf, size_t len, struct spec *s)
{
	struct text t = { buf, buf + len }, ids;
	uint64_t vendor, device;

	*s = (struct spec){};
	if (len && buf[0] == '/') {
		last_component(&t);
		return parse_address(t.at, t.end - t.at, &s->address);
	}
	if (!parse_address(buf, len, &s->address))
		return 0;

	ids = t;
	if (!text_hex(&ids, 4, 4, &vendor) && text_char(&ids, ':') &&
	    !text_hex(&ids, 4, 4, &device) && text_is_empty(&ids)) {
		s->by_id = true;
		s->vendor = vendor;
		s->device = device;
		return 0;
	}

	s->address.domain = 0;
	return bus_dev_fn(&t, &s->address);
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
