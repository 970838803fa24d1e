// SPDX-License-Identifier: GPL-2.0-only
/* ndctl-iopmem bind, ndctl-iopmem unbind */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>
#include <ndctl/libndctl.h>

#include "cmd.h"

static const char bind_usage[] =
"usage: ndctl-iopmem bind [<options>] <function>...\n"
"\n"
FUNCTION_HELP
"\n"
"    -f, --force           take it from another driver, unless it is in use\n"
"    -p, --persist         bind it at each boot, too. Given ids, bind all functions\n"
"                          with these ids\n"
"    -u, --human           use human friendly number formats\n";

static const char unbind_usage[] =
"usage: ndctl-iopmem unbind [<options>] <function>...\n"
"\n"
FUNCTION_HELP
"\n"
"    -f, --force           unbind it although it is in use, wait until it is not\n"
"    -p, --persist         do not bind it at the next boot either\n"
"    -u, --human           use human friendly number formats\n";

/**
 * struct job - what is done to one function
 * @fn: the function before the command changes anything
 * @address: its address
 * @before: its former binding, if the command has changed it
 * @changed: the command has changed its binding
 */
struct job {
	struct iopmem_function *fn;
	char address[24];
	struct iopmem_binding *before;
	bool changed;
};

/*
 * @ctx: the machine before the command changes anything
 * @now: the machine, read again afterwards
 */
struct jobs {
	struct iopmem_ctx *ctx;
	struct iopmem_ctx *now;
	bool bind;
	unsigned int flags;
	bool persist;
	struct persist rules;
	struct job *list;
	int n;
};

static sigset_t blocked;

/* Is one of the blocked signals pending? */
static bool interrupted(void)
{
	sigset_t pending;
	int number;

	sigpending(&pending);
	for (number = 1; number < NSIG; number++)
		if (sigismember(&blocked, number) == 1 &&
		    sigismember(&pending, number) == 1)
			return true;
	return false;
}

static void block(sigset_t *old)
{
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGHUP);
	sigaddset(&blocked, SIGQUIT);
	/* SIGPIPE comes if nobody reads the error messages any more */
	sigaddset(&blocked, SIGPIPE);
	sigprocmask(SIG_BLOCK, &blocked, old);
}

/* Say what the kernel waits for, once, and again if that has changed. */
static bool waiting(struct iopmem_ctx *ctx, const char *message, void *data)
{
	char **last = data;

	(void)ctx;
	if (!*last || strcmp(*last, message)) {
		print_error(EXIT_FAILED, "%s", message);
		free(*last);
		*last = strdup(message);
	}
	return !interrupted();
}

/* What the user can try after a refusal */
static const char *hint(struct jobs *j, struct iopmem_function *fn, int rc)
{
	const char *driver = iopmem_function_get_driver(fn);
	bool ours = driver && !strcmp(driver, "iopmem");
	bool force = j->flags & (IOPMEM_BIND_FORCE | IOPMEM_UNBIND_FORCE);

	if (rc != -EBUSY || force || j->bind == ours)
		return "";
	return j->bind ? ": free it first, or use --force" : ", or use --force";
}

/* unbind --persist is right too if another driver was faster to bind. */
static bool is_left_alone(struct jobs *j, struct iopmem_function *fn)
{
	const char *driver = iopmem_function_get_driver(fn);

	return !j->bind && j->persist && driver && strcmp(driver, "iopmem");
}

/* Check all functions before the first one is changed. */
static int check_all(struct jobs *j)
{
	int i, rc, result = EXIT_OK;

	for (i = 0; i < j->n; i++) {
		struct iopmem_function *fn = j->list[i].fn;
		struct iopmem_users *users;
		unsigned int unreadable;

		if (is_left_alone(j, fn))
			continue;
		rc = j->bind ?
			iopmem_function_can_bind(fn, j->flags, &users) :
			iopmem_function_can_unbind(fn, j->flags, &users);
		unreadable = users ? iopmem_users_get_unreadable(users) : 0;
		if (rc)
			result = print_error(EXIT_FAILED, "%s%s",
					     iopmem_get_error(j->ctx),
					     hint(j, fn, rc));
		else if (unreadable)
			print_error(EXIT_OK,
				    "%s: going on, though processes that are unreadable may use it: %u",
				    iopmem_function_get_address(fn), unreadable);
		iopmem_users_free(users);
	}
	if (!result && j->persist && iopmem_check_rules(j->ctx) < 0)
		result = print_ctx_error(EXIT_FAILED, j->ctx);
	return result;
}

static int do_one(struct jobs *j, struct job *job)
{
	int rc;

	if (is_left_alone(j, job->fn))
		return EXIT_OK;
	rc = j->bind ?
		iopmem_binding_bind(job->fn, j->flags, &job->before) :
		iopmem_binding_unbind(job->fn, j->flags, &job->before);

	if (rc < 0)
		return print_ctx_error(EXIT_FAILED, j->ctx);
	job->changed = rc;
	return EXIT_OK;
}

static void undo_all(struct jobs *j, int n)
{
	while (n--)
		if (j->list[n].changed &&
		    iopmem_binding_restore(j->list[n].before) < 0)
			print_ctx_error(EXIT_FAILED, j->ctx);
}

/* Change all functions, or none. */
static int do_all(struct jobs *j)
{
	char *last = NULL;
	int i, rc = EXIT_OK;
	sigset_t old;

	iopmem_set_wait_fn(j->ctx, waiting, &last);
	block(&old);
	for (i = 0; i < j->n && !rc; i++) {
		rc = do_one(j, &j->list[i]);
		if (rc)
			break;
		if (interrupted())
			rc = print_error(EXIT_FAILED, "interrupted, nothing is changed");
	}
	if (!rc && j->rules.n &&
	    iopmem_change_rules(j->ctx, j->rules.rules, j->rules.n, j->bind) < 0)
		rc = print_ctx_error(EXIT_FAILED, j->ctx);
	if (rc)
		undo_all(j, i);
	iopmem_set_wait_fn(j->ctx, NULL, NULL);
	free(last);
	/* a pending signal ends the program here */
	sigprocmask(SIG_SETMASK, &old, NULL);
	return rc;
}

/* Read the machine again, as a context does not see changes. */
static int read_again(struct jobs *j)
{
	iopmem_unref(j->now);
	j->now = NULL;
	if (iopmem_new(&j->now))
		return print_error(EXIT_FAILED, "out of memory");
	if (iopmem_scan(j->now) < 0)
		return print_ctx_error(EXIT_FAILED, j->now);
	return EXIT_OK;
}

/* Regions and namespaces may appear after the bind has returned. */
static int wait_for_regions(struct jobs *j)
{
	struct iopmem_function *fn;
	struct ndctl_bus *bus;
	int i, rc;

	rc = read_again(j);
	if (rc)
		return rc;
	for (i = 0; i < j->n; i++) {
		fn = iopmem_function_get_by_address(j->now,
						    j->list[i].address);
		bus = fn ? iopmem_function_get_ndctl_bus(fn) : NULL;
		if (bus)
			ndctl_bus_wait_probe(bus);
	}
	return read_again(j);
}

static void add_region(struct json_object *to, struct iopmem_region *region,
		       unsigned int flags)
{
	struct ndctl_region *nd = iopmem_region_get_ndctl(region);
	struct json_object *namespaces = json_object_new_array();
	struct json_object *json = json_object_new_object();
	struct ndctl_namespace *ndns;

	json_add_string(json, "region", ndctl_region_get_devname(nd));
	json_add_int(json, "bar",
		     iopmem_bar_get_index(iopmem_region_get_bar(region)));
	json_add_size(json, "region_size", ndctl_region_get_size(nd), flags);
	json_add_size(json, "available_size",
		      ndctl_region_get_available_size(nd), flags);
	ndctl_namespace_foreach(nd, ndns)
		if (namespace_is_used(ndns))
			json_object_array_add(namespaces,
					      namespace_to_json(ndns, flags));
	json_object_array_sort(namespaces, namespace_compare);
	json_object_object_add(json, "namespaces", namespaces);
	json_object_array_add(to, json);
}

static struct json_object *regions_to_json(struct iopmem_function *fn,
					   unsigned int flags)
{
	struct json_object *regions = json_object_new_array();
	struct iopmem_region *region;
	struct iopmem_bar *bar;

	if (fn)
		iopmem_bar_foreach(fn, bar) {
			region = iopmem_bar_get_region(bar);
			if (region)
				add_region(regions, region, flags);
		}
	return regions;
}

static int add_job(struct json_object *to, struct jobs *j, struct job *job,
		   unsigned int flags)
{
	struct json_object *json = json_object_new_object();
	struct iopmem_function *fn;
	int rc = EXIT_OK;

	json_add_string(json, "function", job->address);
	json_add_string(json, "action", !job->changed ? "none" :
			j->bind ? "bound" : "unbound");
	json_add_string(json, "previous_driver", job->before ?
			iopmem_binding_get_driver(job->before) :
			iopmem_function_get_driver(job->fn));
	fn = iopmem_function_get_by_address(j->now, job->address);
	json_add_string(json, "driver",
			fn ? iopmem_function_get_driver(fn) : NULL);
	if (fn)
		json_add_persistent(json, fn, flags);
	else
		json_add_string(json, "persistent", NULL);
	if (j->bind)
		json_object_object_add(json, "regions",
				       regions_to_json(fn, flags));
	json_object_array_add(to, json);
	if (!fn)
		rc = print_error(EXIT_FAILED, "%s: has gone meanwhile",
				 job->address);
	return rc;
}

static int report(struct jobs *j, unsigned int flags)
{
	struct json_object *array;
	int i, rc, result = EXIT_OK;

	rc = wait_for_regions(j);
	if (rc)
		return rc;
	array = json_object_new_array();
	for (i = 0; i < j->n; i++) {
		rc = add_job(array, j, &j->list[i], flags);
		result = rc ? rc : result;
	}
	json_print(array, flags);
	return result;
}

/* Make one job for each function that the operands name. */
static int find_jobs(struct jobs *j, const struct specs *specs)
{
	struct iopmem_function *fn;
	int count = 0;

	iopmem_function_foreach(j->ctx, fn)
		count++;
	j->list = calloc(count, sizeof(*j->list));
	if (!j->list)
		return print_error(EXIT_FAILED, "out of memory");
	iopmem_function_foreach(j->ctx, fn)
		if (specs_match(specs, fn)) {
			struct job *job = &j->list[j->n++];

			job->fn = fn;
			snprintf(job->address, sizeof(job->address), "%s",
				 iopmem_function_get_address(fn));
		}
	return EXIT_OK;
}

/* unbind --persist can remove a rule even if the card is gone. */
static int read_specs(struct jobs *j, char **texts, int n, struct specs *specs)
{
	const struct iopmem_rule *rules = NULL;
	int num_rules = 0;

	*specs = (struct specs){};
	if (!j->bind && j->persist)
		num_rules = iopmem_get_rules(j->ctx, &rules);
	if (num_rules < 0)
		return print_ctx_error(EXIT_FAILED, j->ctx);
	return specs_read_with(j->ctx, texts, n, rules, num_rules, specs);
}

static int run(struct jobs *j, char **texts, int n, unsigned int flags)
{
	struct specs specs;
	int rc;

	if (iopmem_scan(j->ctx) < 0)
		return print_ctx_error(EXIT_FAILED, j->ctx);
	rc = read_specs(j, texts, n, &specs);
	if (!rc)
		rc = find_jobs(j, &specs);
	if (!rc && j->persist)
		rc = j->bind ?
			persist_bind(j->ctx, texts, &specs, &j->rules) :
			persist_unbind(j->ctx, &specs, &j->rules);
	specs_free(&specs);
	if (!rc)
		rc = check_all(j);
	if (!rc)
		rc = do_all(j);
	if (!rc)
		rc = report(j, flags);
	return rc;
}

static int bind_or_unbind(int argc, char **argv, struct iopmem_ctx *ctx,
			  bool bind)
{
	static const struct option options[] = {
		{ "force", no_argument, NULL, 'f' },
		{ "persist", no_argument, NULL, 'p' },
		{ "human", no_argument, NULL, 'u' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct jobs jobs = { .ctx = ctx, .bind = bind };
	unsigned int flags = 0;
	int c, i, rc = EXIT_OK;

	while ((c = next_option(argc, argv, ":fpuh", options, &rc)) != -1) {
		switch (c) {
		case 'f':
			jobs.flags |= bind ? IOPMEM_BIND_FORCE :
				IOPMEM_UNBIND_FORCE;
			break;
		case 'p':
			jobs.persist = true;
			break;
		case 'u':
			flags |= JSON_HUMAN;
			break;
		default:
			return rc;
		}
	}
	if (optind == argc)
		return print_error(EXIT_USAGE,
				   "which function? 'ndctl-iopmem list' shows them");

	rc = run(&jobs, argv + optind, argc - optind, flags);
	for (i = 0; i < jobs.n; i++)
		iopmem_binding_free(jobs.list[i].before);
	free(jobs.list);
	free(jobs.rules.rules);
	iopmem_unref(jobs.now);
	return rc;
}

static int cmd_bind(int argc, char **argv, struct iopmem_ctx *ctx)
{
	return bind_or_unbind(argc, argv, ctx, true);
}

static int cmd_unbind(int argc, char **argv, struct iopmem_ctx *ctx)
{
	return bind_or_unbind(argc, argv, ctx, false);
}

const struct command command_bind = {
	.name = "bind",
	.summary = "bind functions to the driver iopmem",
	.usage = bind_usage,
	.run = cmd_bind,
};

const struct command command_unbind = {
	.name = "unbind",
	.summary = "unbind functions from the driver iopmem",
	.usage = unbind_usage,
	.run = cmd_unbind,
};
