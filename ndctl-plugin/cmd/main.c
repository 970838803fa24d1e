// SPDX-License-Identifier: GPL-2.0-only
/* ndctl-iopmem: finds the subcommand */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "version.h"

static const struct command *const commands[] = {
	&command_bind,
	&command_check,
	&command_extents,
	&command_list,
	&command_map,
	&command_path,
	&command_unbind,
	&command_verify,
};

static const struct command *current;

int print_error(int exit_code, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "ndctl-iopmem%s%s: ", current ? " " : "",
		current ? current->name : "");
	va_start(args, format);
	put_text_va(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return exit_code;
}

int print_ctx_error(int exit_code, struct iopmem_ctx *ctx)
{
	return print_error(exit_code, "%s", iopmem_get_error(ctx));
}

static int wrong_option(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

static int wrong_option(const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return print_error(EXIT_USAGE, "%s, see 'ndctl-iopmem %s --help'", text,
			   current->name);
}

/* The option with the character @c. If there is none, its name is NULL. */
static const struct option *option_of(const struct option *options, int c)
{
	while (options->name && options->val != c)
		options++;
	return options;
}

/* The options that begin like @arg: for "--reg", "--region or --regions" */
static unsigned int beginning_like(const struct option *options,
				   const char *arg, char *buf, size_t size)
{
	size_t len = strcspn(arg, "=");
	unsigned int n = 0;

	*buf = 0;
	for (; len > 2 && options->name; options++)
		if (!strncmp(options->name, arg + 2, len - 2)) {
			size_t at = strlen(buf);

			snprintf(buf + at, size - at, "%s--%s",
				 n++ ? " or " : "", options->name);
		}
	return n;
}

/*
 * getopt_long() sets optopt to the option in question, and to 0 for an unknown
 * long option. argv[optind - 1] is the word with that option only if
 * getopt_long() is done with the word: after a long option, or after the last
 * letter of the word.
 */
static int explain_option(int c, char **argv, const struct option *options)
{
	const struct option *option = option_of(options, optopt);
	const char *arg = argv[optind - 1];
	char names[128];

	if (c == ':' && !strncmp(arg, "--", 2))
		return wrong_option("option '--%s' needs a value", option->name);
	if (c == ':')
		return wrong_option("option '-%c' needs a value", optopt);
	if (optopt && option->name)
		return wrong_option("option '--%s' takes no value", option->name);
	if (optopt)
		return wrong_option("unknown option '-%c'", optopt);
	if (beginning_like(options, arg, names, sizeof(names)) > 1)
		return wrong_option("option '%s' can be %s", arg, names);
	return wrong_option("unknown option '%s'", arg);
}

int next_option(int argc, char **argv, const char *short_options,
		const struct option *options, int *exit_code)
{
	int c = getopt_long(argc, argv, short_options, options, NULL);

	if (c == 'h') {
		*exit_code = fputs(current->usage, stdout) < 0 ? EXIT_FAILED :
			EXIT_OK;
		return '?';
	}
	if (c != '?' && c != ':')
		return c;
	*exit_code = explain_option(c, argv, options);
	return '?';
}

int parse_bytes(const char *option, const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	const char *unit = NULL;
	unsigned int shift = 0;
	char *end;

	errno = 0;
	*bytes = strtoull(text, &end, 0);
	if (*end)
		unit = strchr(units, toupper((unsigned char)*end));
	if (unit) {
		shift = 10 * (unit - units + 1);
		end++;
	}
	if (errno || !isdigit((unsigned char)text[0]) || *end ||
	    *bytes << shift >> shift != *bytes)
		return print_error(EXIT_USAGE, "%s: '%s' is no number of bytes",
				   option, text);
	*bytes <<= shift;
	return EXIT_OK;
}

static int help(void)
{
	size_t i;

	puts("usage: ndctl-iopmem [-v|--version] [-h|--help] COMMAND [ARGS]\n"
	     "       ndctl-iopmem help [COMMAND]\n");
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
	puts("\n'ndctl-iopmem COMMAND --help' and 'man ndctl-iopmem-COMMAND' say more.\n"
	     "'man ndctl-iopmem' has an example from list to a file that a drive has filled.");
	return EXIT_OK;
}

static int list_cmds(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		puts(commands[i]->name);
	return EXIT_OK;
}

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

static int run(int argc, char **argv)
{
	struct iopmem_ctx *ctx;
	const char *name;
	bool asks_help;
	int rc;

	if (argc < 2)
		return print_error(EXIT_USAGE,
				   "which command? 'ndctl-iopmem --help' lists them");
	name = argv[1];
	if (!strcmp(name, "--help") || !strcmp(name, "-h") ||
	    (!strcmp(name, "help") && argc == 2))
		return help();
	if (!strcmp(name, "--version") || !strcmp(name, "-v") ||
	    !strcmp(name, "version")) {
		puts(VERSION);
		return EXIT_OK;
	}
	if (!strcmp(name, "--list-cmds"))
		return list_cmds();

	asks_help = !strcmp(name, "help");
	if (asks_help)
		name = argv[2];
	current = find_command(name);
	if (!current)
		return print_error(EXIT_USAGE,
				   "unknown %s '%s', 'ndctl-iopmem --help' lists them",
				   name[0] == '-' ? "option" : "command", name);
	if (asks_help)
		return fputs(current->usage, stdout) < 0 ? EXIT_FAILED : EXIT_OK;
	rc = iopmem_new(&ctx);
	if (rc)
		return print_error(EXIT_FAILED, "%s", strerror(-rc));
	rc = current->run(argc - 1, argv + 1, ctx);
	iopmem_unref(ctx);
	return rc;
}

int main(int argc, char **argv)
{
	int rc = run(argc, argv);

	/* A full disk shows only here. */
	if (fflush(stdout) || ferror(stdout))
		return print_error(EXIT_FAILED, "cannot write: %s",
				   strerror(errno));
	return rc;
}
