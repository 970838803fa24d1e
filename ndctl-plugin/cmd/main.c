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

int complain(int exit_code, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "ndctl-iopmem%s%s: ", current ? " " : "",
		current ? current->name : "");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return exit_code;
}

int complain_ctx(int exit_code, struct iopmem_ctx *ctx)
{
	return complain(exit_code, "%s", iopmem_get_error(ctx));
}

int next_option(int argc, char **argv, const char *short_options,
		const struct option *options, int *exit_code)
{
	int c = getopt_long(argc, argv, short_options, options, NULL);
	const char *arg = argv[optind - 1];

	if (c == 'h') {
		*exit_code = fputs(current->usage, stdout) < 0 ? EXIT_FAILED :
			EXIT_OK;
		return '?';
	}
	if (c != '?' && c != ':')
		return c;

	*exit_code = EXIT_USAGE;
	if (c == ':')
		complain(EXIT_USAGE, "option '%s' needs a value, see 'ndctl-iopmem %s --help'",
			 arg, current->name);
	else if (optopt && arg[1] != '-')
		complain(EXIT_USAGE, "unknown option '-%c', see 'ndctl-iopmem %s --help'",
			 optopt, current->name);
	else
		complain(EXIT_USAGE, "unknown option '%s', see 'ndctl-iopmem %s --help'",
			 arg, current->name);
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
		return complain(EXIT_USAGE, "%s: '%s' is no number of bytes",
				option, text);
	*bytes <<= shift;
	return EXIT_OK;
}

int check_specs(struct iopmem_ctx *ctx, char **specs, int n)
{
	struct iopmem_function *fn;
	int i;

	for (i = 0; i < n; i++)
		if (iopmem_spec_check(ctx, specs[i]))
			return complain_ctx(EXIT_USAGE, ctx);
	for (i = 0; i < n; i++) {
		iopmem_function_foreach(ctx, fn)
			if (iopmem_function_matches(fn, specs[i]))
				break;
		if (!fn)
			return complain(EXIT_NOT_FOUND,
					"'%s' is not in this machine, 'ndctl-iopmem list --all' shows what is",
					specs[i]);
	}
	return EXIT_OK;
}

bool matches_specs(struct iopmem_function *fn, char **specs, int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (iopmem_function_matches(fn, specs[i]))
			return true;
	return n == 0;
}

static int help(void)
{
	size_t i;

	puts("usage: ndctl-iopmem [--version] [--help] COMMAND [ARGS]\n"
	     "       ndctl-iopmem help [COMMAND]\n");
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
	puts("\n'ndctl-iopmem COMMAND --help' and 'man ndctl-iopmem-COMMAND' have more,\n"
	     "'man ndctl-iopmem' an example from list to a file that a drive has filled.");
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
		return complain(EXIT_USAGE,
				"which command? 'ndctl-iopmem --help' lists them");
	name = argv[1];
	if (!strcmp(name, "--help") || !strcmp(name, "-h") ||
	    (!strcmp(name, "help") && argc == 2))
		return help();
	if (!strcmp(name, "--version")) {
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
		return complain(EXIT_USAGE,
				"unknown %s '%s', 'ndctl-iopmem --help' lists them",
				name[0] == '-' ? "option" : "command", name);
	if (asks_help)
		return fputs(current->usage, stdout) < 0 ? EXIT_FAILED : EXIT_OK;
	rc = iopmem_new(&ctx);
	if (rc)
		return complain(EXIT_FAILED, "%s", strerror(-rc));
	rc = current->run(argc - 1, argv + 1, ctx);
	iopmem_unref(ctx);
	return rc;
}

int main(int argc, char **argv)
{
	int rc = run(argc, argv);

	/* A full disk is found out about here. */
	if (fflush(stdout) || ferror(stdout))
		return complain(EXIT_FAILED, "cannot write: %s",
				strerror(errno));
	return rc;
}
