// SPDX-License-Identifier: LGPL-2.1-or-later
/* Where a node's folder in sysfs sits below a region of libnvdimm */
#include <errno.h>

#include "parse.h"

/* Cut the next component off, without its slashes. */
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
