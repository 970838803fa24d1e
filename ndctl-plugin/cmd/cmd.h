/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _CMD_H_
#define _CMD_H_

#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <iopmem.h>
#include <private.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* Exit codes, as ndctl-iopmem(1) documents them */
enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NOT_FOUND = 3,
};

/**
 * struct command - a subcommand
 * @name: as typed
 * @summary: its line in ndctl-iopmem --help
 * @usage: the whole text of its own --help
 * @run: gets the name as argv[0] and what follows it; returns an exit code
 */
struct command {
	const char *name;
	const char *summary;
	const char *usage;
	int (*run)(int argc, char **argv, struct iopmem_ctx *ctx);
};

extern const struct command command_bind;
extern const struct command command_check;
extern const struct command command_extents;
extern const struct command command_list;
extern const struct command command_map;
extern const struct command command_path;
extern const struct command command_unbind;
extern const struct command command_verify;

/* main.c */
/* Print a line on stderr, "ndctl-iopmem NAME: ...". Returns @exit_code. */
int print_error(int exit_code, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Print the context's last error in the same way. */
int print_ctx_error(int exit_code, struct iopmem_ctx *ctx);
/*
 * The next option's character, or -1 at the end. After an error or --help (-h)
 * it is '?', and *@exit_code is set. Operands start at argv[optind].
 */
int next_option(int argc, char **argv, const char *short_options,
		const struct option *options, int *exit_code);

/* The value of an option: "4096", "0x1000" or "4K", with units up to T */
int parse_bytes(const char *option, const char *text, uint64_t *bytes);

/* text.c */
/*
 * Print text for people. It may contain text from outside: names of files,
 * processes and namespaces, and messages of the kernel. A control character in
 * such a name could command the terminal. So control characters, and bytes that
 * are not UTF-8, are printed as "\x1b".
 */
void put_text(FILE *out, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void put_text_va(FILE *out, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
/*
 * Take the next character of *@text, in the form that put_text() prints.
 * Returns false at the end.
 */
bool next_printable(const char **text, char buf[5]);
/* Print "0000:01:00.0 1af4:1110" and the function's names on stdout. */
void put_function(struct iopmem_function *fn);
/* The length of the character at @text in bytes, or 0 if it is not UTF-8 */
size_t utf8_length(const char *text);
/* Is the UTF-8 character at @text a control character? */
bool is_control(const char *text);

/* spec.c */
struct pci_filter;

struct specs {
	struct pci_filter *filters;
	int n;
};

/* For the usage text of a subcommand */
#define FUNCTION_HELP \
"  <function>: its address (0000:01:00.0 or 01:00, as lspci -s has it), its ids\n" \
"              (1af4:1110 or 1af4:, as lspci -d has them) or its path in sysfs\n"

/*
 * Parse operands, each of which must name functions of this machine. The
 * context must be scanned already. Returns an exit code. Call specs_free() in
 * any case.
 */
int specs_read(struct iopmem_ctx *ctx, char **texts, int n,
	       struct specs *specs);
/* The same, but an operand may also name what one of @rules is for. */
int specs_read_with(struct iopmem_ctx *ctx, char **texts, int n,
		    const struct iopmem_rule *rules, int num_rules,
		    struct specs *specs);
/* If there are no operands, everything matches. */
bool specs_match(const struct specs *specs, struct iopmem_function *fn);
bool specs_match_rule(const struct specs *specs, const struct iopmem_rule *rule);
void specs_free(struct specs *specs);

/* persist.c */

/* Rules to add or to remove. The caller frees @rules. */
struct persist {
	struct iopmem_rule *rules;
	int n;
};

/* Find the rules that --persist has to add or remove. Returns an exit code. */
int persist_bind(struct iopmem_ctx *ctx, char **texts, const struct specs *specs,
		 struct persist *p);
int persist_unbind(struct iopmem_ctx *ctx, const struct specs *specs,
		   struct persist *p);

/* json.c */
struct json_object;

enum {
	JSON_HUMAN = 1 << 0,	/* -u */
	JSON_VERBOSE = 1 << 1,	/* -v */
};

struct json_object *json_new_string(const char *text);
void json_add_string(struct json_object *to, const char *key,
		     const char *value);	/* NULL: null */
void json_add_int(struct json_object *to, const char *key, int64_t value);
void json_add_bool(struct json_object *to, const char *key, bool value);
/* With JSON_HUMAN these look as in ndctl: "512.00 MiB (536.87 MB)", "0x1000" */
void json_add_size(struct json_object *to, const char *key, uint64_t bytes,
		   unsigned int flags);
void json_add_hex(struct json_object *to, const char *key, uint64_t value,
		  unsigned int flags);
/* "persistent": is the function bound to iopmem at each boot? */
void json_add_persistent(struct json_object *to, struct iopmem_function *fn,
			 unsigned int flags);
/*
 * Add a value that could not be read, because of @rc, a negative errno. It is
 * null. For people it is "unknown", or "unknown, needs root".
 */
void json_add_unknown(struct json_object *to, const char *key, int rc,
		      unsigned int flags);
/*
 * Print as ndctl does: nothing if the array is empty; for people the object
 * alone if there is only one. Frees the array.
 */
int json_print(struct json_object *array, unsigned int flags);

/* namespace.c */
struct ndctl_namespace;

struct json_object *namespace_to_json(struct ndctl_namespace *ndns,
				      unsigned int flags);
/* "raw", "fsdax", "sector", "devdax" */
const char *namespace_mode(struct ndctl_namespace *ndns);
bool namespace_is_used(struct ndctl_namespace *ndns);
/* For json_object_array_sort(), since libndctl lists them in sysfs's order */
int namespace_compare(const void *a, const void *b);

/* The alignment that wastes least of a BAR: the size of a huge page */
#define SMALL_ALIGN	(2u << 20)

/* map.c */

/**
 * struct segment - a part of a BAR
 * @offset: from the BAR's start
 * @symbol: its character on the terminal
 * @color: its color in SVG
 * @what: its description for people
 */
struct segment {
	uint64_t offset;
	uint64_t size;
	char symbol;
	const char *color;
	char what[200];
};

/**
 * struct picture - the picture of a BAR that is a region
 * @segments: the parts of the BAR, in order
 */
struct picture {
	char title[200];
	char cost[200];
	uint64_t size;
	struct segment *segments;
	size_t num_segments;
};

/* "94.00 MiB" */
void size_for_people(char *buf, size_t len, uint64_t bytes);

/* map-svg.c */
/*
 * Write the pictures to a file, or to stdout if @name is "-". If this fails,
 * the file is as before. Returns an exit code.
 */
int svg_write(const char *name, const struct picture *pictures, size_t n);

/* drive.c */

/**
 * struct drive - a block device, opened for O_DIRECT
 * @name: as given on the command line
 * @function: the function that does the drive's DMA
 * @block: the size of a logical block in bytes
 */
struct drive {
	const char *name;
	int fd;
	uint64_t size;
	uint64_t block;
	struct iopmem_function *function;
};

/*
 * The caller sets @drive's name, and its fd to -1. If @write is set, fail if
 * somebody else uses the drive. Returns an exit code.
 */
int drive_open(struct iopmem_ctx *ctx, struct drive *drive, bool write);
/* Transfer all @size bytes, or return a negative errno. */
int drive_read(struct drive *drive, void *buf, uint64_t size, uint64_t at);
int drive_write(struct drive *drive, const void *buf, uint64_t size,
		uint64_t at);

/* tree.c */
struct tree_options {
	const struct specs *specs;
	bool all;
};

int tree_print(struct iopmem_ctx *ctx, const struct tree_options *options);

#endif /* _CMD_H_ */
