// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Binding functions to the driver iopmem at each boot, by udev rules. A rule is
 * for one function, or for all functions with the same ids.
 *
 * udev writes attributes while it reads the rules, and loads modules after the
 * last rule. So driver_override is set before udev loads any driver by its
 * alias. If iopmem is loaded when a function appears, the write to
 * drivers_probe binds the function. If iopmem is loaded later, it binds the
 * function by driver_override.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

/* udev reads this folder, whatever the prefix of the command is. */
#define FOLDER		"/etc/udev/rules.d"
#define RULES		FOLDER "/60-iopmem-bind.rules"
#define TEMPORARY	FOLDER "/.60-iopmem-bind.XXXXXX"
#define HEADER \
"# Written by 'ndctl-iopmem bind --persist'. To undo: ndctl-iopmem unbind --persist FUNCTION\n"

#define MATCH	"ACTION==\"add\", SUBSYSTEM==\"pci\", "
#define TAKE \
	"ATTR{driver_override}=\"" DRIVER "\", " \
	"ATTR{[subsystem/pci]drivers_probe}=\"$kernel\", " \
	"RUN{builtin}+=\"kmod load iopmem_bus\"\n"
#define IDS	"ATTR{vendor}==\"0x%4x\", ATTR{device}==\"0x%4x\""
#define RULE_MAX	512

#define DRIVERCTL	"/etc/driverctl.d/pci-"

/* The id in the driver's own id table */
#define OWN_VENDOR	0x11f8
#define OWN_DEVICE	0xf115

static void rule_print(const struct iopmem_rule *rule, char *line)
{
	const char *address = rule->address;

	snprintf(line, RULE_MAX,
		 MATCH "%s%s%sATTR{vendor}==\"0x%04x\", ATTR{device}==\"0x%04x\", " TAKE,
		 *address ? "KERNEL==\"" : "", address, *address ? "\", " : "",
		 rule->vendor, rule->device);
}

/* A line is one of our rules only if rule_print() prints it the same way. */
static bool rule_read(const char *line, struct iopmem_rule *rule)
{
	char again[RULE_MAX];

	*rule = (struct iopmem_rule){};
	if (sscanf(line, MATCH "KERNEL==\"%23[0-9a-f:.]\", " IDS,
		   rule->address, &rule->vendor, &rule->device) != 3) {
		rule->address[0] = 0;
		if (sscanf(line, MATCH IDS, &rule->vendor, &rule->device) != 2)
			return false;
	}
	rule_print(rule, again);
	return !strcmp(line, again);
}

static bool same_rule(const struct iopmem_rule *a, const struct iopmem_rule *b)
{
	return a->vendor == b->vendor && a->device == b->device &&
		!strcmp(a->address, b->address);
}

/* The next line of a file, with its newline. The last line may have none. */
static char *next_line(FILE *file)
{
	char *line = NULL;
	size_t size = 0;

	if (getline(&line, &size, file) >= 0)
		return line;
	free(line);
	return NULL;
}

/* *@file is NULL if there is no such file, which is no error. */
static int rules_open(struct iopmem_ctx *ctx, FILE **file)
{
	*file = fopen(RULES, "re");
	if (*file || errno == ENOENT || errno == ENOTDIR)
		return 0;
	return set_error(ctx, -errno, RULES ": %s", strerror(errno));
}

static int rules_read(struct iopmem_ctx *ctx)
{
	struct iopmem_rule rule, *more;
	char *line;
	FILE *file;
	int rc;

	rc = rules_open(ctx, &file);
	if (rc || !file)
		return rc;
	while (!rc && (line = next_line(file))) {
		if (rule_read(line, &rule)) {
			more = reallocarray(ctx->rules, ctx->num_rules + 1,
					    sizeof(rule));
			if (more) {
				ctx->rules = more;
				more[ctx->num_rules++] = rule;
			} else {
				rc = set_error(ctx, -ENOMEM, "out of memory");
			}
		}
		free(line);
	}
	if (!rc && ferror(file))
		rc = set_error(ctx, -EIO, RULES ": cannot be read");
	fclose(file);
	return rc;
}

int iopmem_get_rules(struct iopmem_ctx *ctx, const struct iopmem_rule **rules)
{
	if (!ctx->rules_read) {
		int rc = rules_read(ctx);

		if (rc)
			return rc;
		ctx->rules_read = true;
	}
	*rules = ctx->rules;
	return ctx->num_rules;
}

void boot_reset(struct iopmem_ctx *ctx)
{
	free(ctx->rules);
	free(ctx->ids);
}

bool iopmem_rule_is_for(const struct iopmem_rule *rule,
			struct iopmem_function *fn)
{
	return rule->vendor == fn->vendor && rule->device == fn->device &&
		(!*rule->address || !strcmp(rule->address, fn->name));
}

int iopmem_check_rules(struct iopmem_ctx *ctx)
{
	struct stat st;

	if (access(FOLDER, W_OK)) {
		if (errno == ENOENT)
			return set_error(ctx, -ENOENT,
					 "%s: is not there, and --persist wants udev: install it",
					 FOLDER);
		if (errno == EACCES)
			return set_error(ctx, -EACCES, FOLDER ": this takes root");
		return set_error(ctx, -errno, FOLDER ": %s", strerror(errno));
	}
	if (!lstat(RULES, &st) && !S_ISREG(st.st_mode))
		return set_error(ctx, -EINVAL,
				 "%s: is no regular file, so someone has switched these rules off: remove it first",
				 RULES);
	return 0;
}

/* Write all of @text or change nothing, even if the power fails. */
static int replace_file(int folder, const char *text, size_t size)
{
	char path[] = TEMPORARY;
	ssize_t n = 0;
	int rc = 0, fd;

	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (; size; text += n, size -= n) {
		n = write(fd, text, size);
		if (n < 0)
			break;
	}
	if (n < 0 || fchmod(fd, 0644) || fsync(fd) || rename(path, RULES)) {
		rc = -errno;
		unlink(path);
	}
	close(fd);
	return rc || !fsync(folder) ? rc : -errno;
}

static bool is_in(const struct iopmem_rule *rule, const struct iopmem_rule *list,
		  int n)
{
	while (n--)
		if (same_rule(rule, &list[n]))
			return true;
	return false;
}

/*
 * Print the lines that stay, and after them the rules if @add is set. Returns
 * whether this prints anything but the first line and empty lines.
 */
static bool print_file(FILE *in, FILE *out, const struct iopmem_rule *rules,
		       int n, bool add)
{
	struct iopmem_rule rule;
	char *line, text[RULE_MAX];
	bool ends = true, full = add;
	int i;

	if (!in)
		fputs(HEADER, out);
	for (; in && (line = next_line(in)); free(line)) {
		if (rule_read(line, &rule) && is_in(&rule, rules, n))
			continue;
		if (strcmp(line, HEADER) && strcmp(line, "\n"))
			full = true;
		ends = line[strlen(line) - 1] == '\n';
		fputs(line, out);
	}
	if (!ends)
		fputc('\n', out);
	for (i = 0; add && i < n; i++) {
		rule_print(&rules[i], text);
		fputs(text, out);
	}
	return full;
}

static int rules_edit(struct iopmem_ctx *ctx, int folder,
		      const struct iopmem_rule *rules, int n, bool add)
{
	char *text = NULL;
	size_t size = 0;
	FILE *in, *out;
	bool full;
	int rc;

	rc = rules_open(ctx, &in);
	if (rc)
		return rc;
	out = open_memstream(&text, &size);
	full = out && print_file(in, out, rules, n, add);
	if (in && ferror(in))
		rc = -EIO;
	if (in)
		fclose(in);
	if (!out || fclose(out))
		rc = -ENOMEM;
	else if (!rc && full)
		rc = replace_file(folder, text, size);
	else if (!rc && unlink(RULES) && errno != ENOENT)
		rc = -errno;
	free(text);
	return rc ? set_error(ctx, rc, RULES ": %s", strerror(-rc)) : 0;
}

int iopmem_change_rules(struct iopmem_ctx *ctx, const struct iopmem_rule *rules,
			int n, bool add)
{
	int folder, rc;

	folder = open(FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* without a lock, two commands at once could lose each other's lines */
	if (folder >= 0 && !flock(folder, LOCK_EX))
		rc = rules_edit(ctx, folder, rules, n, add);
	else
		rc = set_error(ctx, -errno, FOLDER ": %s", strerror(errno));
	if (folder >= 0)
		close(folder);
	return rc;
}

int iopmem_function_get_driverctl(struct iopmem_function *fn, char **driver)
{
	char path[64], buf[SYSFS_MAX];
	int n;

	*driver = NULL;
	snprintf(path, sizeof(path), DRIVERCTL "%s", fn->name);
	n = sysfs_read(path, buf, sizeof(buf));
	if (n == -ENOENT || n == -ENOTDIR || !n)
		return 0;
	if (n < 0)
		return set_error(fn->ctx, n, "%s: %s", path, strerror(-n));
	*driver = strdup(buf);
	return *driver ? 0 : set_error(fn->ctx, -ENOMEM, "out of memory");
}

static unsigned int read_id(struct iopmem_function *fn, const char *attr)
{
	char buf[32];

	return sysfs_read_attr(fn->syspath, attr, buf, sizeof(buf)) > 0 ?
		strtoul(buf, NULL, 0) : 0;
}

/* As vfio-pci's ids=: VENDOR:DEVICE[:SUBVENDOR[:SUBDEVICE[:CLASS[:MASK]]]] */
static bool is_in_ids(struct iopmem_function *fn, const char *ids)
{
	for (; *ids; ids += strcspn(ids, ","), ids += strspn(ids, ",")) {
		unsigned int vendor, device, subvendor = ~0u, subdevice = ~0u;
		unsigned int class = 0, mask = 0;

		if (sscanf(ids, "%8x:%8x:%8x:%8x:%8x:%8x", &vendor, &device,
			   &subvendor, &subdevice, &class, &mask) < 2)
			continue;
		if (vendor == fn->vendor && device == fn->device &&
		    (subvendor == ~0u || subvendor == read_id(fn, "subsystem_vendor")) &&
		    (subdevice == ~0u || subdevice == read_id(fn, "subsystem_device")) &&
		    !((class ^ fn->class) & mask))
			return true;
	}
	return false;
}

/* Does ids= in modprobe.d name it, and is the module loaded at boot? */
static int boot_by_ids(struct iopmem_function *fn)
{
	struct iopmem_ctx *ctx = fn->ctx;
	struct iopmem_module module;
	int rc;

	if (!ctx->ids_read) {
		rc = module_parameter(ctx, "ids", &ctx->ids);
		if (rc)
			return rc;
		ctx->ids_read = true;
		ctx->loads_at_boot = ctx->ids &&
			(module_loads_at_boot() ||
			 (!iopmem_get_module(ctx, &module) && module.builtin));
	}
	if (!ctx->ids || !is_in_ids(fn, ctx->ids))
		return IOPMEM_BOOT_NONE;
	return ctx->loads_at_boot ? IOPMEM_BOOT_IDS :
		IOPMEM_BOOT_IDS_NOT_LOADED;
}

/* Look for a rule last: unbind --persist cannot undo the other reasons. */
int iopmem_function_get_boot(struct iopmem_function *fn)
{
	const struct iopmem_rule *rules;
	char *driver;
	bool ours;
	int i, n, rc;

	rc = iopmem_function_get_driverctl(fn, &driver);
	if (rc)
		return rc;
	ours = same_string(driver, DRIVER);
	free(driver);
	if (ours)
		return IOPMEM_BOOT_DRIVERCTL;
	if (fn->vendor == OWN_VENDOR && fn->device == OWN_DEVICE)
		return IOPMEM_BOOT_OWN;
	rc = boot_by_ids(fn);
	if (rc < 0 || rc == IOPMEM_BOOT_IDS)
		return rc;
	n = iopmem_get_rules(fn->ctx, &rules);
	if (n < 0)
		return n;
	for (i = 0; i < n; i++)
		if (iopmem_rule_is_for(&rules[i], fn))
			return IOPMEM_BOOT_RULE;
	return rc;
}
