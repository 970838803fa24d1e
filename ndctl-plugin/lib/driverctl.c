// SPDX-License-Identifier: LGPL-2.1-or-later
/* The program driverctl, which keeps driver_override over a reboot */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "private.h"

#define SAVED		"/etc/driverctl.d/pci-"

int driverctl_saved(struct iopmem_ctx *ctx, const char *address, char **driver)
{
	char path[PATH_MAX], buf[SYSFS_MAX];
	int n;

	*driver = NULL;
	snprintf(path, sizeof(path), SAVED "%s", address);
	n = sysfs_read(path, buf, sizeof(buf));
	if (n == -ENOENT || n == -ENOTDIR || !n)
		return 0;
	if (n < 0)
		return failed(ctx, n, "%s: %s", path, strerror(-n));
	*driver = strdup(buf);
	return *driver ? 0 : failed(ctx, -ENOMEM, "out of memory");
}

/* Root's PATH need not have the folders of root's programs. */
static int find_program(char path[PATH_MAX])
{
	char folders[PATH_MAX], *rest = folders, *folder;

	snprintf(folders, sizeof(folders), "%s:/usr/sbin:/sbin",
		 getenv("PATH") ?: "");
	while ((folder = strsep(&rest, ":"))) {
		if (folder[0] != '/' ||
		    snprintf(path, PATH_MAX, "%s/driverctl", folder) >= PATH_MAX)
			continue;
		if (!access(path, X_OK))
			return 0;
	}
	return -ENOENT;
}

int driverctl_check(struct iopmem_ctx *ctx, const char *address)
{
	char path[PATH_MAX];

	if (find_program(path))
		return failed(ctx, -ENOENT,
			      "%s: keeping this over a reboot takes the program driverctl, which is not there: install it",
			      address);
	return 0;
}

/* In a session of its own: what ends us, must not end it half way. */
static int spawn(const char *path, const char *const *argv, int out,
		 pid_t *pid)
{
	static const char *const env[] = {
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL
	};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;
	int rc;

	sigemptyset(&none);
	if (posix_spawnattr_init(&attr))
		return -ENOMEM;
	if (posix_spawn_file_actions_init(&actions)) {
		posix_spawnattr_destroy(&attr);
		return -ENOMEM;
	}
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK |
				 POSIX_SPAWN_SETSID);
	rc = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO,
					      "/dev/null", O_RDONLY, 0);
	if (!rc)
		rc = posix_spawn_file_actions_adddup2(&actions, out,
						      STDOUT_FILENO);
	if (!rc)
		rc = posix_spawn_file_actions_adddup2(&actions, out,
						      STDERR_FILENO);
	if (!rc)
		rc = posix_spawn(pid, path, &actions, &attr, (char **)argv,
				 (char **)env);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return -rc;
}

/* The last line of what it says goes into @said. */
static void listen_to(int fd, char *said, size_t size)
{
	size_t have = 0;
	char *newline;
	ssize_t n;

	do {
		if (have == size - 1) {
			have = size / 2;
			memmove(said, said + size - 1 - have, have);
		}
		n = read(fd, said + have, size - 1 - have);
		if (n > 0)
			have += n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	while (have && said[have - 1] == '\n')
		have--;
	said[have] = 0;
	newline = strrchr(said, '\n');
	if (newline)
		memmove(said, newline + 1, strlen(newline));
}

static int run(struct iopmem_ctx *ctx, const char *address,
	       const char *const *argv)
{
	char path[PATH_MAX], said[256] = "";
	int out[2], rc, status;
	pid_t pid;

	rc = driverctl_check(ctx, address);
	if (rc)
		return rc;
	find_program(path);
	if (pipe2(out, O_CLOEXEC))
		return failed(ctx, -errno, "%s: %s", address, strerror(errno));
	rc = spawn(path, argv, out[1], &pid);
	close(out[1]);
	if (rc) {
		close(out[0]);
		return failed(ctx, rc, "%s: %s: %s", address, path,
			      strerror(-rc));
	}
	listen_to(out[0], said, sizeof(said));
	close(out[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	return failed(ctx, -EIO, "%s: driverctl %s has failed: %s", address,
		      argv[2], said[0] ? said : "it does not say why");
}

int driverctl_save(struct iopmem_ctx *ctx, const char *address,
		   const char *driver)
{
	const char *const set[] = {
		"driverctl", "--noprobe", "set-override", address, driver, NULL
	};
	const char *const unset[] = {
		"driverctl", "--noprobe", "unset-override", address, NULL
	};

	return run(ctx, address, driver ? set : unset);
}
