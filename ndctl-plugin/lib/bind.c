// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Bind and unbind
 *
 * Where a function is has three parts: its driver, driver_override, and what
 * driverctl has saved for the next boot. Each change goes from one such state
 * to another, and on an error back.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "private.h"

struct iopmem_binding {
	struct iopmem_ctx *ctx;
	char address[24];
	char *driver;
	char *override;
	char *saved;
};

static int set(struct iopmem_ctx *ctx, char **part, const char *value)
{
	char *copy = value ? strdup(value) : NULL;

	if (value && !copy)
		return failed(ctx, -ENOMEM, "out of memory");
	free(*part);
	*part = copy;
	return 0;
}

EXPORT void iopmem_binding_free(struct iopmem_binding *b)
{
	if (!b)
		return;
	iopmem_unref(b->ctx);
	free(b->driver);
	free(b->override);
	free(b->saved);
	free(b);
}

static int gone(struct iopmem_ctx *ctx, const char *address)
{
	return failed(ctx, -ENODEV, "%s: has gone, nothing is left to do",
		      address);
}

static bool is_gone(const char *address)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), SYSFS_PCI "/%s/driver_override", address);
	return access(path, F_OK);
}

/*
 * Removal waits in the kernel, out of reach for signals, as long as someone uses
 * the function, and meanwhile some attributes cannot be read. So a child does
 * what may wait, and we wait for the child.
 */
struct child {
	pid_t pid;
	int result;
};

struct reply {
	int rc;
	char text[SYSFS_MAX];
};

static void child_run(int file, int result, const char *text)
{
	struct reply reply = {};
	ssize_t n;

	/* nobody who waits for our output is to wait for this */
	if (dup2(file, 0) < 0 || dup2(result, 1) < 0)
		_exit(1);
	close_range(2, ~0u, 0);
	setsid();
	n = text ? write(0, text, strlen(text)) :
		read(0, reply.text, sizeof(reply.text) - 1);
	if (n < 0)
		reply.rc = -errno;
	if (write(1, &reply, sizeof(reply)) != sizeof(reply))
		_exit(1);
	_exit(0);
}

/* Write @text to a file, or without read it. */
static int child_start(struct child *c, const char *path, const char *text)
{
	int result[2], file, rc = 0;

	file = open(path, (text ? O_WRONLY | O_TRUNC : O_RDONLY) | O_CLOEXEC);
	if (file < 0)
		return -errno;
	if (pipe2(result, O_CLOEXEC)) {
		rc = -errno;
		close(file);
		return rc;
	}
	c->result = result[0];
	c->pid = fork();
	if (!c->pid)
		child_run(file, result[1], text);
	if (c->pid < 0) {
		rc = -errno;
		close(result[0]);
	}
	close(result[1]);
	close(file);
	return rc;
}

static bool child_is_done(struct child *c, int ms)
{
	struct pollfd ready = { .fd = c->result, .events = POLLIN };

	return poll(&ready, 1, ms) > 0;
}

static void child_leave(struct child *c)
{
	close(c->result);
}

/* What it was, with @buf also what was read */
static int child_end(struct child *c, char *buf, size_t size)
{
	struct reply reply = {};
	size_t have = 0;
	ssize_t n;

	do {
		n = read(c->result, (char *)&reply + have,
			 sizeof(reply) - have);
		if (n > 0)
			have += n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	close(c->result);
	while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (have != sizeof(reply))
		return -EIO;
	if (buf)
		snprintf(buf, size, "%.*s",
			 (int)strcspn(reply.text, "\n"), reply.text);
	return reply.rc;
}

/* Who uses the function, for people */
static void describe_holders(struct iopmem_ctx *ctx, const char *address,
			     char *buf, size_t size)
{
	struct iopmem_function *fn = NULL;
	struct address a;

	if (!parse_address(address, strlen(address), &a))
		fn = function_find(ctx, &a);
	if (fn && iopmem_function_find_holders(fn) > 0)
		holders_describe(fn, buf, size);
	else
		snprintf(buf, size, "the kernel log may say for what");
}

#define PATIENCE	3000	/* ms, for what the kernel is about to do */

static int at_it(struct iopmem_ctx *ctx, const char *address)
{
	char holders[400];

	describe_holders(ctx, address, holders, sizeof(holders));
	return failed(ctx, -EAGAIN, "%s: the kernel is at it, and waits: %s",
		      address, holders);
}

/* Older kernels keep driver_override locked while they bind or unbind. */
static int read_override(struct iopmem_ctx *ctx, const char *address,
			 char *buf, size_t size)
{
	char path[PATH_MAX];
	struct child child;
	int rc;

	snprintf(path, sizeof(path), SYSFS_PCI "/%s/driver_override", address);
	rc = child_start(&child, path, NULL);
	if (!rc) {
		if (!child_is_done(&child, PATIENCE)) {
			child_leave(&child);
			return at_it(ctx, address);
		}
		rc = child_end(&child, buf, size);
	}
	if (rc == -ENOENT || rc == -ENODEV)
		return gone(ctx, address);
	if (rc)
		return failed(ctx, rc, "%s: %s", path, strerror(-rc));
	return 0;
}

static bool has_nvdimm_bus(const char *address)
{
	char path[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), SYSFS_PCI "/%s", address);
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir)))
		found = !strncmp(entry->d_name, "ndbus", 5);
	closedir(dir);
	return found;
}

/*
 * The link to the driver goes first, then the driver waits. Until it is done
 * the function's nvdimm bus is there.
 */
static int wait_for_removal(struct iopmem_ctx *ctx, const char *address)
{
	int ms;

	for (ms = 0; has_nvdimm_bus(address); ms += 100) {
		if (ms >= PATIENCE)
			return at_it(ctx, address);
		usleep(100000);
	}
	return 0;
}

/* Where the function is now */
static int binding_read(struct iopmem_ctx *ctx, const char *address,
			struct iopmem_binding **binding)
{
	char path[PATH_MAX], buf[PATH_MAX];
	struct iopmem_binding *b;
	int rc;

	b = calloc(1, sizeof(*b));
	if (!b)
		return failed(ctx, -ENOMEM, "out of memory");
	b->ctx = iopmem_ref(ctx);
	snprintf(b->address, sizeof(b->address), "%s", address);

	rc = read_override(ctx, address, buf, sizeof(buf));
	if (rc)
		goto err;
	/* the kernel shows what is not set as "(null)" */
	rc = set(ctx, &b->override, buf[0] && strcmp(buf, "(null)") ? buf :
		 NULL);
	if (rc)
		goto err;

	snprintf(path, sizeof(path), SYSFS_PCI "/%s", address);
	if (sysfs_read_link(path, "driver", buf, sizeof(buf)) > 0)
		rc = set(ctx, &b->driver, buf);
	else
		rc = wait_for_removal(ctx, address);
	if (rc)
		goto err;
	rc = driverctl_saved(ctx, address, &b->saved);
	if (rc)
		goto err;
	*binding = b;
	return 0;

err:
	iopmem_binding_free(b);
	return rc;
}

/* Asks the wait function; false: do not wait any longer. */
static bool wait_on(struct iopmem_ctx *ctx, const char *address)
{
	char message[512], holders[400];

	if (!ctx->wait_fn)
		return true;
	describe_holders(ctx, address, holders, sizeof(holders));
	snprintf(message, sizeof(message), "%s: the kernel waits: %s", address,
		 holders);
	return ctx->wait_fn(ctx, message, ctx->wait_data);
}

/*
 * Write to a file of a driver. -EINTR if the wait function has had enough and
 * @may_end; the child goes on then.
 */
static int write_driver(struct iopmem_ctx *ctx, const char *driver,
			const char *file, const char *address, bool may_end)
{
	char path[PATH_MAX];
	struct child child;
	int rc, seconds = 0;

	snprintf(path, sizeof(path), SYSFS_DRIVERS "/%s/%s", driver, file);
	rc = child_start(&child, path, address);
	if (rc)
		return rc;
	while (!child_is_done(&child, 1000))
		if (++seconds > 1 && !wait_on(ctx, address) && may_end) {
			child_leave(&child);
			return -EINTR;
		}
	return child_end(&child, NULL, 0);
}

static int write_override(struct iopmem_binding *now, const char *driver)
{
	struct iopmem_ctx *ctx = now->ctx;
	char path[PATH_MAX];
	int fd, rc = 0;

	snprintf(path, sizeof(path), SYSFS_PCI "/%s/driver_override",
		 now->address);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0) {
		rc = -errno;
	} else {
		if (dprintf(fd, "%s\n", driver ? driver : "") < 0)
			rc = -errno;
		close(fd);
	}
	if (rc == -ENOENT || rc == -ENODEV)
		return gone(ctx, now->address);
	if (rc == -EACCES || rc == -EPERM)
		return failed(ctx, -EACCES, "%s: this takes root",
			      now->address);
	if (rc)
		return failed(ctx, rc, "%s: %s", path, strerror(-rc));
	return set(ctx, &now->override, driver);
}

static int leave_driver(struct iopmem_binding *now, bool may_end)
{
	struct iopmem_ctx *ctx = now->ctx;
	int rc;

	rc = write_driver(ctx, now->driver, "unbind", now->address, may_end);
	if (!rc)
		return set(ctx, &now->driver, NULL);
	if (rc == -EINTR)
		return failed(ctx, rc,
			      "%s: the kernel goes on waiting, and unbinds it as soon as nobody uses it",
			      now->address);
	if (is_gone(now->address))
		return gone(ctx, now->address);
	return failed(ctx, rc, "%s: the driver %s does not let it go: %s",
		      now->address, now->driver, strerror(-rc));
}

/* From here on, or -1 if there is no way to read the kernel's log */
static int log_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

/* What the driver has said about the function meanwhile */
static void log_close(int fd, const char *address, char *said, size_t size)
{
	char record[8192], prefix[64];
	size_t at = 0;
	ssize_t n;

	said[0] = 0;
	snprintf(prefix, sizeof(prefix), DRIVER " %s: ", address);
	while (fd >= 0) {
		struct text t;
		size_t len;

		n = read(fd, record, sizeof(record));
		if (n < 0 && errno == EPIPE)
			continue;	/* the oldest were overwritten */
		if (n <= 0)
			break;
		if (parse_kmsg(record, n, &t) || !text_word(&t, prefix))
			continue;
		len = t.end - t.at;
		if (at + len + 3 > size)
			continue;
		at += sprintf(said + at, "%s%.*s", at ? "; " : "", (int)len,
			      t.at);
	}
	if (fd >= 0)
		close(fd);
}

static int enter_driver(struct iopmem_binding *now, const char *driver)
{
	struct iopmem_ctx *ctx = now->ctx;
	bool ours = same_string(driver, DRIVER);
	int rc, log = ours ? log_open() : -1;
	char said[400];

	rc = write_driver(ctx, driver, "bind", now->address, false);
	log_close(log, now->address, said, sizeof(said));
	if (!rc)
		return set(ctx, &now->driver, driver);
	if (is_gone(now->address))
		return gone(ctx, now->address);
	if (rc == -EACCES || rc == -EPERM)
		return failed(ctx, -EACCES, "%s: this takes root",
			      now->address);
	if (said[0])
		return failed(ctx, rc, "%s: the driver refuses it: %s",
			      now->address, said);
	return failed(ctx, rc,
		      "%s: the driver %s refuses it: %s, look for '%s' in the kernel log",
		      now->address, driver, strerror(-rc), now->address);
}

/* driverctl may have failed half way. */
static void see_what_is_done(struct iopmem_binding *now)
{
	struct iopmem_ctx *ctx = now->ctx;
	struct iopmem_binding *seen;
	char error[sizeof(ctx->error)];

	memcpy(error, ctx->error, sizeof(error));
	if (!binding_read(ctx, now->address, &seen)) {
		set(ctx, &now->override, seen->override);
		set(ctx, &now->saved, seen->saved);
		iopmem_binding_free(seen);
	}
	memcpy(ctx->error, error, sizeof(error));
}

/*
 * driver_override comes first, so that nothing else takes a function that has
 * lost its driver. driverctl unbinds, so it comes when nothing is bound.
 */
static int step(struct iopmem_binding *now, const struct iopmem_binding *want,
		bool may_end)
{
	bool save = !same_string(now->saved, want->saved);
	int rc;

	if (!same_string(now->override, want->override)) {
		rc = write_override(now, want->override);
		if (rc)
			return rc;
	}
	if (now->driver && (save || !same_string(now->driver, want->driver))) {
		rc = leave_driver(now, may_end);
		if (rc)
			return rc;
	}
	if (save) {
		rc = driverctl_save(now->ctx, now->address, want->saved);
		if (rc) {
			see_what_is_done(now);
			return rc;
		}
		rc = set(now->ctx, &now->saved, want->saved);
		if (rc)
			return rc;
		if (!same_string(want->saved, want->override)) {
			rc = write_override(now, want->override);
			if (rc)
				return rc;
		}
	}
	if (want->driver && !now->driver)
		return enter_driver(now, want->driver);
	return 0;
}

static bool same_binding(const struct iopmem_binding *a,
			 const struct iopmem_binding *b)
{
	return same_string(a->driver, b->driver) && same_string(a->override, b->override) &&
		same_string(a->saved, b->saved);
}

/* Back to @was, with the message of what has gone wrong */
static void put_back(struct iopmem_binding *now,
		     const struct iopmem_binding *was, int rc)
{
	struct iopmem_ctx *ctx = now->ctx;
	char error[sizeof(ctx->error)], back[sizeof(ctx->error)];

	memcpy(error, ctx->error, sizeof(error));
	if (!step(now, was, false)) {
		memcpy(ctx->error, error, sizeof(error));
		return;
	}
	memcpy(back, ctx->error, sizeof(back));
	failed(ctx, rc, "%.300s; and it cannot be put back: %.150s", error,
	       back);
}

/*
 * From @was, which is taken over, to @want. Returns whether that was a change.
 * After -EINTR the kernel is about to do what cannot be taken back.
 */
static int change(struct iopmem_binding *was,
		  const struct iopmem_binding *want,
		  struct iopmem_binding **before)
{
	static const int numbers[] = {
		SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP
	};
	struct iopmem_ctx *ctx = was->ctx;
	struct iopmem_binding *now = NULL;
	sigset_t blocked, old;
	size_t i;
	int rc;

	sigemptyset(&blocked);
	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		sigaddset(&blocked, numbers[i]);
	pthread_sigmask(SIG_BLOCK, &blocked, &old);

	rc = binding_read(ctx, was->address, &now);
	if (!rc && !same_binding(now, want)) {
		rc = step(now, want, !want->driver);
		if (rc && rc != -EINTR && !is_gone(was->address))
			put_back(now, was, rc);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);

	iopmem_binding_free(now);
	if (!rc)
		rc = !same_binding(was, want);
	if (rc >= 0 && before)
		*before = was;
	else
		iopmem_binding_free(was);
	return rc;
}

/* Are we root? Nothing can be written without. */
static int check_root(struct iopmem_function *fn)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/driver_override", fn->syspath);
	if (!access(path, W_OK))
		return 0;
	if (errno == ENOENT)
		return gone(fn->ctx, fn->name);
	return failed(fn->ctx, -EACCES, "%s: this takes root", fn->name);
}

static int check_fit(struct iopmem_function *fn)
{
	struct iopmem_bar *bar;
	char reasons[400] = "it has none";
	const char *unfit;
	size_t at = 0;

	iopmem_bar_foreach(fn, bar) {
		unfit = iopmem_bar_get_unfit(bar);
		if (!unfit)
			return 0;
		/* six of the longest fit */
		at += snprintf(reasons + at, sizeof(reasons) - at,
			       "%sBAR %u: %s", at ? "; " : "", bar->index,
			       unfit);
		if (at >= sizeof(reasons))
			break;
	}
	return failed(fn->ctx, -EINVAL, "%s: no BAR can be a region: %s",
		      fn->name, reasons);
}

static int check_holders(struct iopmem_function *fn)
{
	char holders[400];
	int n = iopmem_function_find_holders(fn);

	if (n < 0)
		return n;
	holders_describe(fn, holders, sizeof(holders));
	if (n)
		return failed(fn->ctx, -EBUSY,
			      "%s: in use: %s: end that first", fn->name,
			      holders);
	return 0;
}

/* Is there nothing to be done to get there? */
static bool is_there(const struct iopmem_binding *b, const char *driver,
		     unsigned int flags)
{
	return same_string(b->driver, driver) &&
		(!(flags & IOPMEM_PERSIST) || same_string(b->saved, driver));
}

static int can_bind(struct iopmem_function *fn, unsigned int flags,
		    const struct iopmem_binding *now)
{
	bool ours = same_string(now->driver, DRIVER);
	int rc;

	if (is_there(now, DRIVER, flags))
		return 0;
	rc = ours ? 0 : check_fit(fn);
	if (!rc)
		rc = check_root(fn);
	if (!rc && now->driver && !ours && !(flags & IOPMEM_FORCE))
		rc = failed(fn->ctx, -EBUSY, "%s: the driver %s has it",
			    fn->name, now->driver);
	if (!rc && flags & IOPMEM_PERSIST && !same_string(now->saved, DRIVER))
		rc = driverctl_check(fn->ctx, fn->name);
	if (!rc && now->driver)
		rc = check_holders(fn);
	return rc;
}

EXPORT int iopmem_function_can_bind(struct iopmem_function *fn,
				    unsigned int flags)
{
	struct iopmem_binding *now;
	int rc = binding_read(fn->ctx, fn->name, &now);

	if (rc)
		return rc;
	rc = can_bind(fn, flags, now);
	iopmem_binding_free(now);
	return rc;
}

static int can_unbind(struct iopmem_function *fn, unsigned int flags,
		      const struct iopmem_binding *now)
{
	int rc;

	if (now->driver && !same_string(now->driver, DRIVER))
		return failed(fn->ctx, -EBUSY, "%s: the driver %s has it, not "
			      DRIVER, fn->name, now->driver);
	rc = check_root(fn);
	if (!rc && flags & IOPMEM_PERSIST && same_string(now->saved, DRIVER))
		rc = driverctl_check(fn->ctx, fn->name);
	if (!rc && now->driver && !(flags & IOPMEM_FORCE))
		rc = check_holders(fn);
	return rc;
}

EXPORT int iopmem_function_can_unbind(struct iopmem_function *fn,
				      unsigned int flags)
{
	struct iopmem_binding *now;
	int rc = binding_read(fn->ctx, fn->name, &now);

	if (rc)
		return rc;
	rc = can_unbind(fn, flags, now);
	iopmem_binding_free(now);
	return rc;
}

EXPORT int iopmem_function_bind(struct iopmem_function *fn,
				unsigned int flags,
				struct iopmem_binding **before)
{
	struct iopmem_binding *was, want;
	int rc;

	rc = binding_read(fn->ctx, fn->name, &was);
	if (rc)
		return rc;
	rc = can_bind(fn, flags, was);
	if (!rc && !same_string(was->driver, DRIVER))
		rc = module_load(fn->ctx);
	if (rc) {
		iopmem_binding_free(was);
		return rc;
	}
	want = (struct iopmem_binding){
		.driver = DRIVER,
		.override = is_there(was, DRIVER, flags) ? was->override :
			DRIVER,
		.saved = flags & IOPMEM_PERSIST ? DRIVER : was->saved,
	};
	return change(was, &want, before);
}

EXPORT int iopmem_function_unbind(struct iopmem_function *fn,
				  unsigned int flags,
				  struct iopmem_binding **before)
{
	struct iopmem_binding *was, want;
	bool forget;
	int rc;

	rc = binding_read(fn->ctx, fn->name, &was);
	if (rc)
		return rc;
	rc = can_unbind(fn, flags, was);
	if (rc) {
		iopmem_binding_free(was);
		return rc;
	}
	forget = flags & IOPMEM_PERSIST && same_string(was->saved, DRIVER);
	want = (struct iopmem_binding){
		.override = same_string(was->override, DRIVER) ? NULL : was->override,
		.saved = forget ? NULL : was->saved,
	};
	return change(was, &want, before);
}

EXPORT int iopmem_binding_restore(struct iopmem_binding *binding)
{
	struct iopmem_binding *was;
	int rc = binding_read(binding->ctx, binding->address, &was);

	return rc ? rc : change(was, binding, NULL);
}

EXPORT const char *iopmem_binding_get_driver(struct iopmem_binding *binding)
{
	return binding->driver;
}

EXPORT const char *iopmem_binding_get_override(struct iopmem_binding *binding)
{
	return binding->override;
}

EXPORT const char *iopmem_binding_get_saved(struct iopmem_binding *binding)
{
	return binding->saved;
}

EXPORT bool iopmem_function_is_persistent(struct iopmem_function *fn)
{
	char *saved = NULL;
	bool persistent;

	driverctl_saved(fn->ctx, fn->name, &saved);
	persistent = same_string(saved, DRIVER);
	free(saved);
	return persistent;
}
