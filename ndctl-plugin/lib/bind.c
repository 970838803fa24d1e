// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Bind and unbind
 *
 * The binding of a function has two parts: its driver and its driver_override.
 * Each change goes from one binding to another, and back after an error.
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

#include "internal.h"

struct iopmem_binding {
	struct iopmem_ctx *ctx;
	char address[24];
	char *driver;
	char *override;
};

static int set(struct iopmem_ctx *ctx, char **part, const char *value)
{
	char *copy = value ? strdup(value) : NULL;

	if (value && !copy)
		return set_error(ctx, -ENOMEM, "out of memory");
	free(*part);
	*part = copy;
	return 0;
}

void iopmem_binding_free(struct iopmem_binding *b)
{
	if (!b)
		return;
	context_put(b->ctx);
	free(b->driver);
	free(b->override);
	free(b);
}

static int gone(struct iopmem_ctx *ctx, const char *address)
{
	return set_error(ctx, -ENODEV, "%s: has gone, nothing is left to do",
			 address);
}

static bool is_gone(const char *address)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), SYSFS_PCI "/%s/driver_override", address);
	return access(path, F_OK);
}

/*
 * While someone uses the function, a removal waits in the kernel, where signals
 * cannot end it. Some attributes cannot be read during that time. So a process
 * of the library's own makes the calls that may wait, and the library waits for
 * that process. Its parent ends at once, so that it is no longer a child of the
 * caller when the library stops waiting.
 */
struct child {
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

	/* whoever reads the caller's output must not wait for this process */
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

/* If the second fork() fails, there is no reply. */
static int child_fork(int file, int result, const char *text)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid) {
		if (!fork())
			child_run(file, result, text);
		_exit(0);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return 0;
}

/* Write @text to a file, or read the file if @text is NULL. */
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
	rc = child_fork(file, result[1], text);
	if (rc)
		close(result[0]);
	close(result[1]);
	close(file);
	return rc;
}

/* Block signals: a signal would end the wait early, as if @ms were over. */
static bool child_is_done(struct child *c, int ms)
{
	struct pollfd ready = { .fd = c->result, .events = POLLIN };
	struct timespec most = {
		.tv_sec = ms / 1000,
		.tv_nsec = ms % 1000 * 1000000,
	};
	sigset_t all;

	sigfillset(&all);
	return ppoll(&ready, 1, &most, &all) > 0;
}

static void child_leave(struct child *c)
{
	close(c->result);
}

/* Returns the child's result. @buf, if not NULL, gets what the child read. */
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
	if (have != sizeof(reply))
		return -EIO;
	if (buf)
		snprintf(buf, size, "%.*s",
			 (int)strcspn(reply.text, "\n"), reply.text);
	return reply.rc;
}

/* Print who uses the function. */
static void describe_users(struct iopmem_ctx *ctx, const char *address,
			   char *buf, size_t size)
{
	struct iopmem_function *fn = iopmem_function_get_by_address(ctx, address);
	struct iopmem_users *users;

	buf[0] = 0;
	if (fn && !iopmem_users_new(fn, &users)) {
		users_describe(users, buf, size);
		iopmem_users_free(users);
	}
	if (!buf[0])
		snprintf(buf, size, "the kernel log may say for what");
}

#define PATIENCE	3000	/* ms, for a bind or unbind that has begun */

static int in_progress(struct iopmem_ctx *ctx, const char *address)
{
	char users[400];

	describe_users(ctx, address, users, sizeof(users));
	return set_error(ctx, -EAGAIN,
			 "%s: the kernel is binding or unbinding it, and waits: %s",
			 address, users);
}

/* Use a child: older kernels lock driver_override while they bind or unbind. */
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
			return in_progress(ctx, address);
		}
		rc = child_end(&child, buf, size);
	}
	if (rc == -ENOENT || rc == -ENODEV)
		return gone(ctx, address);
	if (rc)
		return set_error(ctx, rc, "%s: %s", path, strerror(-rc));
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
 * An unbind first removes the link to the driver, then the driver waits. The
 * function's nvdimm bus exists until the driver is done.
 */
static int wait_for_removal(struct iopmem_ctx *ctx, const char *address)
{
	int ms;

	for (ms = 0; has_nvdimm_bus(address); ms += 100) {
		if (ms >= PATIENCE)
			return in_progress(ctx, address);
		usleep(100000);
	}
	return 0;
}

/* Read all but driver_override, without starting a process. */
static int binding_look(struct iopmem_binding *b)
{
	char path[PATH_MAX], buf[PATH_MAX];
	int rc;

	snprintf(path, sizeof(path), SYSFS_PCI "/%s", b->address);
	if (sysfs_read_link(path, "driver", buf, sizeof(buf)) > 0)
		rc = set(b->ctx, &b->driver, buf);
	else
		rc = wait_for_removal(b->ctx, b->address);
	return rc;
}

static struct iopmem_binding *binding_new(struct iopmem_ctx *ctx,
					  const char *address)
{
	struct iopmem_binding *b = calloc(1, sizeof(*b));

	if (!b) {
		set_error(ctx, -ENOMEM, "out of memory");
		return NULL;
	}
	b->ctx = context_get(ctx);
	snprintf(b->address, sizeof(b->address), "%s", address);
	return b;
}

/* Read the function's present binding. */
static int binding_read(struct iopmem_ctx *ctx, const char *address,
			struct iopmem_binding **binding)
{
	struct iopmem_binding *b = binding_new(ctx, address);
	char buf[SYSFS_MAX];
	int rc;

	if (!b)
		return -ENOMEM;
	/* First: when it can be read, no bind or unbind is under way. */
	rc = read_override(ctx, address, buf, sizeof(buf));
	/* The kernel shows "(null)" if it is not set. */
	if (!rc && buf[0] && strcmp(buf, "(null)"))
		rc = set(ctx, &b->override, buf);
	if (!rc)
		rc = binding_look(b);
	if (rc)
		iopmem_binding_free(b);
	else
		*binding = b;
	return rc;
}

/* Ask the wait function. False: do not wait any longer. */
static bool wait_on(struct iopmem_ctx *ctx, const char *address)
{
	char message[512], users[400];

	if (!ctx->wait_fn)
		return true;
	describe_users(ctx, address, users, sizeof(users));
	snprintf(message, sizeof(message), "%s: the kernel waits: %s", address,
		 users);
	return ctx->wait_fn(ctx, message, ctx->wait_data);
}

/*
 * Write to a file of a driver. -EINTR if the wait function returns false and
 * @may_end is set. The child then goes on.
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
		return set_error(ctx, -EACCES, "%s: this takes root",
				 now->address);
	if (rc)
		return set_error(ctx, rc, "%s: %s", path, strerror(-rc));
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
		return set_error(ctx, rc,
				 "%s: the kernel goes on waiting, and unbinds it as soon as nobody uses it",
				 now->address);
	if (is_gone(now->address))
		return gone(ctx, now->address);
	return set_error(ctx, rc, "%s: the driver %s does not let it go: %s",
			 now->address, now->driver, strerror(-rc));
}

/* Open the kernel's log at its end. -1 if it cannot be read. */
static int log_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

/* Collect what the driver has logged about the function since log_open(). */
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
			continue;	/* the oldest ones were overwritten */
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
		return set_error(ctx, -EACCES, "%s: this takes root",
				 now->address);
	if (said[0])
		return set_error(ctx, rc, "%s: the driver refuses it: %s",
				 now->address, said);
	return set_error(ctx, rc,
			 "%s: the driver %s refuses it: %s, look for '%s' in the kernel log",
			 now->address, driver, strerror(-rc), now->address);
}

/*
 * Change driver_override first, so that no other driver takes the function when
 * it loses its driver.
 */
static int step(struct iopmem_binding *now, const struct iopmem_binding *want,
		bool may_end)
{
	int rc;

	if (!same_string(now->override, want->override)) {
		rc = write_override(now, want->override);
		if (rc)
			return rc;
	}
	if (now->driver && !same_string(now->driver, want->driver)) {
		rc = leave_driver(now, may_end);
		if (rc)
			return rc;
	}
	if (want->driver && !now->driver)
		return enter_driver(now, want->driver);
	return 0;
}

static bool same_binding(const struct iopmem_binding *a,
			 const struct iopmem_binding *b)
{
	return same_string(a->driver, b->driver) &&
		same_string(a->override, b->override);
}

/* Go back to @was, and keep the message of the error that is the reason. */
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
	set_error(ctx, rc, "%.300s; and it cannot be put back: %.150s", error,
		  back);
}

/*
 * Go from @was to @want. This takes over @was. Returns whether something
 * changed. After -EINTR the kernel goes on, so nothing can be put back.
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

/* Only root can write what binding has to write. */
static int check_root(struct iopmem_function *fn)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/driver_override", fn->syspath);
	if (!access(path, W_OK))
		return 0;
	if (errno == ENOENT)
		return gone(fn->ctx, fn->name);
	return set_error(fn->ctx, -EACCES, "%s: this takes root", fn->name);
}

static int check_eligible(struct iopmem_function *fn)
{
	struct iopmem_bar *bar;
	char reasons[400] = "it has none";
	const char *reason;
	size_t at = 0;

	iopmem_bar_foreach(fn, bar) {
		reason = iopmem_ineligible_text(iopmem_bar_get_ineligible(bar));
		if (!reason)
			return 0;
		/* six of the longest reasons fit */
		at += snprintf(reasons + at, sizeof(reasons) - at,
			       "%sBAR %u: %s", at ? "; " : "", bar->index,
			       reason);
		if (at >= sizeof(reasons))
			break;
	}
	return set_error(fn->ctx, -EINVAL, "%s: no BAR can be a region: %s",
			 fn->name, reasons);
}

/* Sets *@users, if @users is not NULL. */
static int check_users(struct iopmem_function *fn, struct iopmem_users **users)
{
	struct iopmem_users *found;
	char text[400];
	int rc;

	rc = iopmem_users_new(fn, &found);
	if (rc)
		return rc;
	users_describe(found, text, sizeof(text));
	if (text[0])
		rc = set_error(fn->ctx, -EBUSY,
			       "%s: in use: %s: end that first", fn->name,
			       text);
	if (users)
		*users = found;
	else
		iopmem_users_free(found);
	return rc;
}

static int can_bind(struct iopmem_function *fn, unsigned int flags,
		    const struct iopmem_binding *now,
		    struct iopmem_users **users)
{
	int rc;

	if (same_string(now->driver, DRIVER))
		return 0;
	rc = check_eligible(fn);
	if (!rc)
		rc = check_root(fn);
	if (!rc && now->driver && !(flags & IOPMEM_BIND_FORCE))
		rc = set_error(fn->ctx, -EBUSY, "%s: the driver %s has it",
			       fn->name, now->driver);
	if (!rc && now->driver)
		rc = check_users(fn, users);
	return rc;
}

static int can_unbind(struct iopmem_function *fn, unsigned int flags,
		      const struct iopmem_binding *now,
		      struct iopmem_users **users)
{
	int rc;

	if (now->driver && !same_string(now->driver, DRIVER))
		return set_error(fn->ctx, -EBUSY, "%s: the driver %s has it, not "
				 DRIVER, fn->name, now->driver);
	rc = check_root(fn);
	if (!rc && now->driver && !(flags & IOPMEM_UNBIND_FORCE))
		rc = check_users(fn, users);
	return rc;
}

static int check_flags(struct iopmem_function *fn, unsigned int flags,
		       unsigned int known, const char *name)
{
	if (!(flags & ~known))
		return 0;
	return set_error(fn->ctx, -EINVAL, "%s: flags 0x%x are unknown, use %s",
			 fn->name, flags & ~known, name);
}

static int check_bind_flags(struct iopmem_function *fn, unsigned int flags)
{
	return check_flags(fn, flags, IOPMEM_BIND_FORCE, "IOPMEM_BIND_FORCE");
}

static int check_unbind_flags(struct iopmem_function *fn, unsigned int flags)
{
	return check_flags(fn, flags, IOPMEM_UNBIND_FORCE,
			   "IOPMEM_UNBIND_FORCE");
}

/* Ask without changing anything. This starts no process. */
static int query(struct iopmem_function *fn, unsigned int flags,
		 int (*can)(struct iopmem_function *fn, unsigned int flags,
			    const struct iopmem_binding *now,
			    struct iopmem_users **users),
		 struct iopmem_users **users)
{
	struct iopmem_binding *now;
	int rc;

	if (is_gone(fn->name))
		return gone(fn->ctx, fn->name);
	now = binding_new(fn->ctx, fn->name);
	if (!now)
		return -ENOMEM;
	rc = binding_look(now);
	if (!rc)
		rc = can(fn, flags, now, users);
	iopmem_binding_free(now);
	return rc;
}

EXPORT int iopmem_function_can_bind(struct iopmem_function *fn,
				    unsigned int flags,
				    struct iopmem_users **users)
{
	int rc = check_bind_flags(fn, flags);

	if (users)
		*users = NULL;
	return rc ? rc : query(fn, flags, can_bind, users);
}

EXPORT int iopmem_function_can_unbind(struct iopmem_function *fn,
				      unsigned int flags,
				      struct iopmem_users **users)
{
	int rc = check_unbind_flags(fn, flags);

	if (users)
		*users = NULL;
	return rc ? rc : query(fn, flags, can_unbind, users);
}

int iopmem_binding_bind(struct iopmem_function *fn, unsigned int flags,
			struct iopmem_binding **before)
{
	struct iopmem_binding *was, want;
	int rc;

	rc = check_bind_flags(fn, flags);
	if (!rc)
		rc = binding_read(fn->ctx, fn->name, &was);
	if (rc)
		return rc;
	rc = can_bind(fn, flags, was, NULL);
	if (!rc && !same_string(was->driver, DRIVER))
		rc = module_load(fn->ctx);
	if (rc) {
		iopmem_binding_free(was);
		return rc;
	}
	want = (struct iopmem_binding){
		.driver = DRIVER,
		.override = same_string(was->driver, DRIVER) ? was->override :
			DRIVER,
	};
	return change(was, &want, before);
}

int iopmem_binding_unbind(struct iopmem_function *fn, unsigned int flags,
			  struct iopmem_binding **before)
{
	struct iopmem_binding *was, want;
	int rc;

	rc = check_unbind_flags(fn, flags);
	if (!rc)
		rc = binding_read(fn->ctx, fn->name, &was);
	if (rc)
		return rc;
	rc = can_unbind(fn, flags, was, NULL);
	if (rc) {
		iopmem_binding_free(was);
		return rc;
	}
	want = (struct iopmem_binding){
		.override = same_string(was->override, DRIVER) ? NULL : was->override,
	};
	return change(was, &want, before);
}

EXPORT int iopmem_function_bind(struct iopmem_function *fn, unsigned int flags)
{
	return iopmem_binding_bind(fn, flags, NULL);
}

EXPORT int iopmem_function_unbind(struct iopmem_function *fn,
				  unsigned int flags)
{
	return iopmem_binding_unbind(fn, flags, NULL);
}

int iopmem_binding_restore(struct iopmem_binding *binding)
{
	struct iopmem_binding *was;
	int rc = binding_read(binding->ctx, binding->address, &was);

	return rc ? rc : change(was, binding, NULL);
}

const char *iopmem_binding_get_driver(struct iopmem_binding *binding)
{
	return binding->driver;
}
