// SPDX-License-Identifier: GPL-2.0-only
/* --persist of bind and unbind: udev rules that bind functions at each boot */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pci/pci.h>

#include "cmd.h"

static int add_rule(struct persist *p, const struct iopmem_rule *rule)
{
	struct iopmem_rule *more = reallocarray(p->rules, p->n + 1,
						sizeof(*more));

	if (!more)
		return print_error(EXIT_FAILED, "out of memory");
	p->rules = more;
	p->rules[p->n++] = *rule;
	return EXIT_OK;
}

static struct iopmem_rule rule_of(struct iopmem_function *fn)
{
	struct iopmem_rule rule = {
		.vendor = iopmem_function_get_vendor(fn),
		.device = iopmem_function_get_device(fn),
	};

	snprintf(rule.address, sizeof(rule.address), "%s",
		 iopmem_function_get_address(fn));
	return rule;
}

static bool is_covered(const struct iopmem_rule *rules, int n,
		       struct iopmem_function *fn)
{
	while (n--)
		if (iopmem_rule_is_for(&rules[n], fn))
			return true;
	return false;
}

/* Refuse if driverctl has saved @wanted, or any driver if @wanted is NULL. */
static int check_driverctl(struct iopmem_ctx *ctx, struct iopmem_function *fn,
			   const char *wanted)
{
	const char *address = iopmem_function_get_address(fn);
	char *driver;
	int rc = EXIT_OK;

	if (iopmem_function_get_driverctl(fn, &driver) < 0)
		return print_ctx_error(EXIT_FAILED, ctx);
	if (driver && (!wanted || !strcmp(driver, wanted)))
		rc = print_error(EXIT_FAILED,
				 "%s: driverctl has saved the driver %s for each boot: 'driverctl --noprobe unset-override %s' first",
				 address, driver, address);
	free(driver);
	return rc;
}

/* If the operand has ids, add a rule for all functions with these ids. */
static int add_kind(struct persist *p, const char *text,
		    const struct pci_filter *f)
{
	struct iopmem_rule rule = { .vendor = f->vendor, .device = f->device };

	if (f->vendor < 0 && f->device < 0 && f->device_class < 0 &&
	    f->prog_if < 0)
		return EXIT_OK;
	if (f->vendor < 0 || f->device < 0 || f->device_class >= 0 ||
	    f->prog_if >= 0)
		return print_error(EXIT_USAGE,
				   "'%s' may be several kinds: with --persist give an address or VENDOR:DEVICE",
				   text);
	return add_rule(p, &rule);
}

int persist_bind(struct iopmem_ctx *ctx, char **texts, const struct specs *specs,
		 struct persist *p)
{
	const struct iopmem_rule *present;
	struct iopmem_function *fn;
	struct iopmem_rule rule;
	int i, n, rc = EXIT_OK;

	n = iopmem_get_rules(ctx, &present);
	if (n < 0)
		return print_ctx_error(EXIT_FAILED, ctx);
	for (i = 0; i < specs->n && !rc; i++)
		rc = add_kind(p, texts[i], &specs->filters[i]);
	iopmem_function_foreach(ctx, fn) {
		if (rc)
			return rc;
		if (!specs_match(specs, fn))
			continue;
		rc = check_driverctl(ctx, fn, NULL);
		rule = rule_of(fn);
		if (!rc && !is_covered(p->rules, p->n, fn) &&
		    !is_covered(present, n, fn))
			rc = add_rule(p, &rule);
	}
	return rc;
}

/* Would something else still bind it at the next boot? */
static int check_left(struct iopmem_ctx *ctx, struct iopmem_function *fn,
		      const struct iopmem_rule *left, int n)
{
	const char *address = iopmem_function_get_address(fn);
	unsigned int vendor = iopmem_function_get_vendor(fn);
	unsigned int device = iopmem_function_get_device(fn);

	if (is_covered(left, n, fn))
		return print_error(EXIT_FAILED,
				   "%s: is bound at each boot as all of %04x:%04x are: 'ndctl-iopmem unbind --persist %04x:%04x' ends that",
				   address, vendor, device, vendor, device);
	if (iopmem_function_get_boot(fn) == IOPMEM_BOOT_IDS)
		return print_error(EXIT_FAILED,
				   "%s: is bound at each boot by ids= in modprobe.d: take it out there first",
				   address);
	return check_driverctl(ctx, fn, "iopmem");
}

/* Does an operand name the rule, or the only function that the rule is for? */
static bool is_named(struct iopmem_ctx *ctx, const struct specs *specs,
		     const struct iopmem_rule *rule)
{
	struct iopmem_function *fn = NULL;

	if (specs_match_rule(specs, rule))
		return true;
	if (*rule->address)
		fn = iopmem_function_get_by_address(ctx, rule->address);
	return fn && specs_match(specs, fn);
}

int persist_unbind(struct iopmem_ctx *ctx, const struct specs *specs,
		   struct persist *p)
{
	struct persist left = {};
	const struct iopmem_rule *present;
	struct iopmem_function *fn;
	int i, n, rc = EXIT_OK, fn_rc;

	n = iopmem_get_rules(ctx, &present);
	if (n < 0)
		return print_ctx_error(EXIT_FAILED, ctx);
	for (i = 0; i < n && !rc; i++)
		rc = add_rule(is_named(ctx, specs, &present[i]) ? p : &left,
			      &present[i]);
	if (!rc)
		iopmem_function_foreach(ctx, fn)
			if (specs_match(specs, fn)) {
				fn_rc = check_left(ctx, fn, left.rules, left.n);
				rc = fn_rc ? fn_rc : rc;
			}
	free(left.rules);
	return rc;
}
