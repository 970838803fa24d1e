// SPDX-License-Identifier: GPL-2.0-only
/*
 * api WHAT [ARGUMENT...]: test what the library promises to programs, on a
 * machine that is made up. cases/api-* have the expected output. Under valgrind
 * they also show that what a program holds stays valid.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <iopmem.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include <ndctl/libndctl.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static struct iopmem_ctx *ctx;

static struct iopmem_function *function(const char *address)
{
	struct iopmem_function *fn = iopmem_function_get_by_address(ctx, address);

	if (!fn)
		errx(1, "%s is not there", address);
	return fn;
}

static void give_back(void)
{
	iopmem_unref(ctx);
	ctx = NULL;
}

static void children(void)
{
	if (waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD)
		puts("no child");
	else
		puts("a child is left");
}

/* What the program got before the second scan stays the same. */
static void scan_twice(char **argv)
{
	struct iopmem_function *fn = function(argv[0]);
	struct iopmem_bar *bar = iopmem_bar_get_first(fn);
	struct iopmem_region *region = iopmem_bar_get_region(bar);
	const char *address = iopmem_function_get_address(fn);
	struct ndctl_ctx *ndctl = iopmem_get_ndctl(ctx);

	printf("%d, %d\n", iopmem_scan(ctx), iopmem_scan(ctx));
	printf("%s, BAR %u, %s, %s\n", address, iopmem_bar_get_index(bar),
	       ndctl_region_get_devname(iopmem_region_get_ndctl(region)),
	       ndctl_bus_get_provider(ndctl_bus_get_first(ndctl)));
	puts(fn == function(argv[0]) && ndctl == iopmem_get_ndctl(ctx) ?
	     "the same" : "others");
}

/* If the first scan failed, the next one returns the same error and message. */
static void scan_fails(char **argv)
{
	struct iopmem_map *map;
	int rc = iopmem_scan(ctx);

	(void)argv;
	iopmem_map_new(ctx, "/none", 0, 0, 0, &map);
	puts(iopmem_scan(ctx) == rc ? "the same" : "another");
	puts(iopmem_get_error(ctx));
}

static void map(char **argv)
{
	struct iopmem_extent *e;
	struct iopmem_map *m;

	if (iopmem_map_new(ctx, argv[0], 0, 0, IOPMEM_MAP_READ_ONLY, &m))
		errx(1, "%s", iopmem_get_error(ctx));
	iopmem_scan(ctx);
	give_back();
	iopmem_extent_foreach(m, e) {
		struct iopmem_bar *bar = iopmem_extent_get_bar(e);

		printf("%s, BAR %u + %#llx\n",
		       iopmem_function_get_address(iopmem_bar_get_function(bar)),
		       iopmem_bar_get_index(bar),
		       (unsigned long long)(iopmem_extent_get_resource(e) -
					    iopmem_bar_get_resource(bar)));
	}
	printf("%s, %s\n", iopmem_map_get_device(m),
	       iopmem_map_sync(m) ? "not synced" : "synced");
	iopmem_map_free(m);
}

static void path(char **argv)
{
	struct iopmem_function *fn;
	struct iopmem_path *p;
	unsigned int i;

	if (iopmem_path_new(function(argv[0]), function(argv[1]), &p))
		errx(1, "%s", iopmem_get_error(ctx));
	iopmem_scan(ctx);
	give_back();
	for (i = 0; (fn = iopmem_path_get_function(p, i)); i++)
		printf("%s\n", iopmem_function_get_address(fn));
	puts(iopmem_verdict_text(iopmem_path_get_verdict(p)));
	for (i = 0; iopmem_path_get_reason(p, i) >= 0; i++)
		printf("%d: %s\n", iopmem_path_get_reason(p, i),
		       iopmem_path_get_reason_text(p, i));
	printf("then %s, %s\n",
	       iopmem_path_get_reason(p, i) == -ENODATA ? "-ENODATA" : "another",
	       iopmem_path_get_reason_text(p, i) ?: "NULL");
	iopmem_path_free(p);
}

static void print_users(struct iopmem_users *users)
{
	struct iopmem_user *u;

	iopmem_user_foreach(users, u) {
		int pid = iopmem_user_get_pid(u);

		printf("%s, %s, %s, %s: %s\n",
		       iopmem_user_kind_text(iopmem_user_get_kind(u)),
		       iopmem_user_get_device(u), iopmem_user_get_path(u) ?: "NULL",
		       pid == -ENODATA ? "-ENODATA" : pid > 0 ? "a pid" : "?",
		       iopmem_user_get_text(u));
	}
	printf("unreadable: %u\n", iopmem_users_get_unreadable(users));
}

/* A search's result stays valid after a second one and without the context. */
static void users(char **argv)
{
	struct iopmem_users *first, *second, *third;

	if (iopmem_users_new(function(argv[0]), &first) ||
	    iopmem_users_new(function(argv[0]), &second) ||
	    iopmem_function_can_unbind(function(argv[0]), 0, &third) != -EBUSY)
		errx(1, "%s", iopmem_get_error(ctx));
	iopmem_users_free(second);
	give_back();
	print_users(first);
	iopmem_users_free(first);
	print_users(third);
	iopmem_users_free(third);
	iopmem_users_free(NULL);
}

/* A second reference keeps what belongs to the context. */
static void references(char **argv)
{
	struct iopmem_function *fn = function(argv[0]);

	iopmem_ref(ctx);
	printf("%s\n", iopmem_unref(ctx) == ctx ? "kept" : "gone");
	puts(iopmem_function_get_address(fn));
	printf("%s\n", iopmem_unref(ctx) ? "kept" : "gone");
	ctx = NULL;
	printf("%s\n", iopmem_unref(ctx) ? "kept" : "nothing");
}

/*
 * Queries start no process, which fake.c does not allow here. The last call is
 * no query: it shows that fake.c works.
 */
static void queries(char **argv)
{
	struct iopmem_function *fn = function(argv[0]);
	struct iopmem_users *found;

	setenv("FAKE", "nofork", 1);
	printf("%d", iopmem_function_can_bind(fn, 0, &found));
	iopmem_users_free(found);
	printf(" %d", iopmem_function_can_bind(fn, IOPMEM_BIND_FORCE, NULL));
	printf(" %d", iopmem_function_can_unbind(fn, IOPMEM_UNBIND_FORCE, &found));
	iopmem_users_free(found);
	printf(" %d\n", iopmem_users_new(fn, &found));
	iopmem_users_free(found);
	children();
	fflush(stdout);
	iopmem_function_unbind(fn, 0);
}

/* Bind without iopmem_function_can_bind(). */
static void bind(char **argv)
{
	int rc = iopmem_function_bind(function(argv[0]), 0);

	printf("%s: %s\n", rc == -ENODEV ? "-ENODEV" : "?", iopmem_get_error(ctx));
}

static bool wait_no_longer(struct iopmem_ctx *ctx, const char *message,
			   void *data)
{
	(void)ctx;
	puts(message);
	return *(bool *)data;
}

static void leave(char **argv)
{
	bool go_on = false;

	iopmem_set_wait_fn(ctx, wait_no_longer, &go_on);
	if (iopmem_function_unbind(function(argv[0]), IOPMEM_UNBIND_FORCE) == -EINTR)
		puts("-EINTR");
	puts(iopmem_get_error(ctx));
	children();
}

/* The library's children work even if the program ignores SIGCHLD. */
static void ignores(char **argv)
{
	signal(SIGCHLD, SIG_IGN);
	printf("%d\n", iopmem_function_bind(function(argv[0]), 0));
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* Ten signals a second do not make the library think that the kernel waits. */
static void alarms(char **argv)
{
	const struct itimerval often = { { 0, 100000 }, { 0, 100000 } };
	struct sigaction action = {
		.sa_handler = on_alarm,
		.sa_flags = SA_RESTART,
	};
	int rc;

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	rc = iopmem_function_unbind(function(argv[0]), 0);
	printf("%d %s\n", rc, iopmem_get_error(ctx));
}

static void try_flags(int rc)
{
	printf("%s%s\n", rc == -EINVAL ? "-EINVAL: " : "?: ",
	       iopmem_get_error(ctx));
}

static void flags(char **argv)
{
	struct iopmem_function *fn = function(argv[0]);
	struct iopmem_users *found;
	struct iopmem_map *m;

	try_flags(iopmem_function_bind(fn, 0x10));
	try_flags(iopmem_function_bind(fn, IOPMEM_UNBIND_FORCE));
	try_flags(iopmem_function_can_bind(fn, ~0u, &found));
	try_flags(iopmem_function_unbind(fn, IOPMEM_BIND_FORCE));
	try_flags(iopmem_function_can_unbind(fn, 0x2, &found));
	try_flags(iopmem_map_new(ctx, "/dev/null", 0, 0, 0x2, &m));
	puts(found ? "users" : "NULL");
}

/* Each value of an enum has a text, and no other value has one. */
static void texts(char **argv)
{
	int i;

	(void)argv;
	for (i = 0; iopmem_verdict_text(i); i++)
		printf("verdict: %s\n", iopmem_verdict_text(i));
	for (i = 0; iopmem_user_kind_text(i); i++)
		printf("user: %s\n", iopmem_user_kind_text(i));
	printf("eligible: %s\n", iopmem_ineligible_text(IOPMEM_ELIGIBLE) ?: "NULL");
	for (i = 1; iopmem_ineligible_text(i); i++)
		printf("ineligible: %s\n", iopmem_ineligible_text(i));
}

static void log_fn(struct iopmem_ctx *ctx, int priority, const char *file,
		   int line, const char *fn, const char *format, va_list args)
{
	(void)ctx;
	printf("%s:%s %s: priority %d: ", file, line > 0 ? "line" : "no line", fn,
	       priority);
	vprintf(format, args);
}

static void log_place(char **argv)
{
	struct iopmem_users *found;
	struct iopmem_map *m;

	(void)argv;
	iopmem_set_log_fn(ctx, log_fn);
	iopmem_map_new(ctx, "/none", 0, 0, 0, &m);
	iopmem_set_log_priority(ctx, LOG_DEBUG);
	iopmem_map_new(ctx, "/none", 0, 0, 0, &m);
	iopmem_function_can_bind(function(argv[0]), 0x10, &found);
}

static void names(char **argv)
{
	struct iopmem_function *fn = function(argv[0]);
	uint64_t address;

	printf("%s, %s\n", iopmem_function_get_vendor_name(fn) ?: "NULL",
	       iopmem_function_get_device_name(fn) ?: "NULL");
	printf("%s", iopmem_get_error(ctx)[0] ? iopmem_get_error(ctx) : "no error");
	/* libpci still works */
	printf("; %d\n", iopmem_bar_get_bus_address(iopmem_bar_get_first(fn), &address));
}

/* many ADDRESS FOLDER N: open N files of the folder. Each makes it a user. */
static void many(char **argv)
{
	int i, n = atoi(argv[2]);
	struct rlimit limit;
	struct iopmem_users *found;
	struct iopmem_user *u;
	char name[4096];

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s/%d", argv[1], i);
		if (open(name, O_RDWR | O_CREAT, 0600) < 0)
			err(77, "%s", name);
	}
	if (iopmem_users_new(function(argv[0]), &found))
		errx(1, "%s", iopmem_get_error(ctx));
	i = 0;
	iopmem_user_foreach(found, u)
		i += iopmem_user_get_kind(u) == IOPMEM_USER_PROCESS;
	printf("%d\n", i);
	iopmem_users_free(found);
}

static const struct {
	const char *name;
	int argc;
	void (*run)(char **argv);
} scenarios[] = {
	{ "alarms", 1, alarms },
	{ "bind", 1, bind },
	{ "flags", 1, flags },
	{ "ignores", 1, ignores },
	{ "leave", 1, leave },
	{ "log", 1, log_place },
	{ "many", 3, many },
	{ "map", 1, map },
	{ "names", 1, names },
	{ "path", 2, path },
	{ "queries", 1, queries },
	{ "references", 1, references },
	{ "scan-fails", 0, scan_fails },
	{ "scan-twice", 1, scan_twice },
	{ "texts", 0, texts },
	{ "users", 1, users },
};

int main(int argc, char **argv)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(scenarios); i++) {
		if (argc != 2 + scenarios[i].argc ||
		    strcmp(argv[1], scenarios[i].name))
			continue;
		if (iopmem_new(&ctx))
			errx(1, "out of memory");
		scenarios[i].run(argv + 2);
		give_back();
		return 0;
	}
	errx(2, "which?");
}
