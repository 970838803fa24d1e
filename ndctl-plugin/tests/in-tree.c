// SPDX-License-Identifier: GPL-2.0-only
/*
 * in-tree DIR COMMAND...: run the command on a machine that is made up. Of the
 * host it sees the programs, the temporary files, and the folders in the root
 * that do not describe a machine. Of DIR it sees
 *
 *	sys, dev, boot, lib/modules	as the folders of these names
 *	pci.ids		as /usr/share/misc/pci.ids, if it is there
 *	proc/NAME	as /proc/NAME, by fake.c, whose library is FAKE_SO. A
 *			mount cannot do that, since /proc may lack NAME.
 *
 * /etc, /run, /mnt and /lib/modprobe.d are empty and belong to the command
 * alone. /proc has only its processes. The command is a child of process 1,
 * which is in-tree.
 *
 * DIR/entered exists if the command was started. If it was not, in-tree says
 * why and exits with 77 if this machine does not allow it, otherwise with 125.
 * The command itself may also exit with these.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define SKIP	77
#define FAILED	125
#define ROOT	"/sys"		/* the new root: it covers the host's /sys */
#define HOST	"/.host"	/* in ROOT: folders of the host that are mirrored */

/* What the command does not see of the host's root */
static const char *const hidden[] = {
	"proc", "sys", "dev", "etc", "boot", "run", "mnt", "lost+found", NULL
};

/* What it does not see of the host's /usr/lib, or of /lib if that is no link */
static const char *const hidden_in_lib[] = { "modules", "modprobe.d", NULL };

/* What it does not see of the host's /usr/share/misc */
static const char *const hidden_in_misc[] = { "pci.ids", "pci.ids.gz", NULL };

/* What it sees of /etc, for the dynamic linker and Debian's programs */
static const char *const kept_in_etc[] = { "ld.so.cache", "alternatives" };

__attribute__((format(printf, 2, 3), noreturn))
static void die(int status, const char *format, ...)
{
	int error = errno;
	va_list args;

	fputs("in-tree: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, error ? ": %s\n" : "\n", strerror(error));
	exit(status);
}

__attribute__((format(printf, 1, 2)))
static char *text(const char *format, ...)
{
	va_list args;
	char *s;

	va_start(args, format);
	if (vasprintf(&s, format, args) < 0)
		die(FAILED, "text");
	va_end(args);
	return s;
}

static int is_in(const char *name, const char *const *list)
{
	for (; list && *list; list++)
		if (!strcmp(name, *list))
			return 1;
	return 0;
}

static void make_folder(const char *path)
{
	if (mkdir(path, 0755) && errno != EEXIST)
		die(FAILED, "mkdir %s", path);
}

static void bind_on(const char *from, const char *to)
{
	if (mount(from, to, NULL, MS_BIND | MS_REC, NULL))
		die(FAILED, "mount --rbind %s %s", from, to);
}

static void bind_folder(const char *from, const char *to)
{
	make_folder(to);
	bind_on(from, to);
}

static void bind_file(const char *from, const char *to)
{
	int fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

	if (fd < 0)
		die(FAILED, "create %s", to);
	close(fd);
	bind_on(from, to);
}

static void link_to(const char *target, const char *path)
{
	if (symlink(target, path))
		die(FAILED, "ln -s %s %s", target, path);
}

static void write_file(const char *path, const char *what)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, what, strlen(what)) < 0)
		die(SKIP, "%s", path);
	close(fd);
}

/* Make @folder with links to all in the host's folder at HOST but @without. */
static void mirror(const char *folder, const char *const *without)
{
	struct dirent *entry;
	DIR *dir;

	dir = opendir(text(ROOT HOST "/%s", folder));
	if (!dir)
		die(FAILED, "/%s", folder);
	make_folder(text(ROOT "/%s", folder));
	while ((entry = readdir(dir)))
		if (!is_in(entry->d_name, without) &&
		    strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			link_to(text(HOST "/%s/%s", folder, entry->d_name),
				text(ROOT "/%s/%s", folder, entry->d_name));
	closedir(dir);
}

static void bind_host(const char *name)
{
	bind_folder(text("/%s", name), text(ROOT HOST "/%s", name));
}

/* Mirror /usr: /usr/lib has kernel modules, and /usr/share/misc has pci.ids. */
static void mirror_usr(void)
{
	static const char *const folders[] = { "lib", "share", NULL };
	static const char *const misc[] = { "misc", NULL };

	bind_host("usr");
	mirror("usr", folders);
	mirror("usr/lib", hidden_in_lib);
	mirror("usr/share", misc);
	if (!access("/usr/share/misc", F_OK))
		mirror("usr/share/misc", hidden_in_misc);
}

/* Take over an entry of the host's root. */
static void take(const char *name)
{
	char *host = text("/%s", name), *path = text(ROOT "/%s", name);
	char target[PATH_MAX];
	struct stat st;
	ssize_t n;

	if (is_in(name, hidden) || lstat(host, &st))
		return;
	if (S_ISLNK(st.st_mode)) {
		n = readlink(host, target, sizeof(target) - 1);
		target[n < 0 ? 0 : n] = 0;
		link_to(target, path);
	} else if (!strcmp(name, "usr")) {
		mirror_usr();
	} else if (!strcmp(name, "lib")) {
		bind_host("lib");
		mirror("lib", hidden_in_lib);
	} else if (S_ISDIR(st.st_mode)) {
		bind_folder(host, path);
	}
}

static void take_etc(void)
{
	struct stat st;
	size_t i;

	make_folder(ROOT "/etc");
	for (i = 0; i < ARRAY_SIZE(kept_in_etc); i++) {
		char *host = text("/etc/%s", kept_in_etc[i]);
		char *path = text(ROOT "%s", host);

		if (stat(host, &st))
			continue;
		if (S_ISDIR(st.st_mode))
			bind_folder(host, path);
		else
			bind_file(host, path);
	}
}

static void take_root(void)
{
	struct dirent *entry;
	DIR *dir = opendir("/");

	if (!dir)
		die(FAILED, "/");
	make_folder(ROOT HOST);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			take(entry->d_name);
	closedir(dir);
	take_etc();
	make_folder(ROOT "/run");
	make_folder(ROOT "/mnt");
	make_folder(ROOT "/proc");
}

static void take_tree(const char *tree)
{
	static const char *const nodes[] = { "null", "zero", "full" };
	size_t i;

	make_folder(text("%s/lib", tree));
	make_folder(text("%s/lib/modules", tree));
	make_folder(text("%s/boot", tree));
	for (i = 0; i < ARRAY_SIZE(nodes); i++)
		bind_file(text("/dev/%s", nodes[i]), text("%s/dev/%s", tree, nodes[i]));
	bind_folder(text("%s/dev", tree), ROOT "/dev");
	bind_folder(text("%s/boot", tree), ROOT "/boot");
	/* this follows the link if /lib is a link to /usr/lib */
	bind_folder(text("%s/lib/modules", tree), ROOT "/lib/modules");
	if (!access(text("%s/pci.ids", tree), F_OK)) {
		make_folder(ROOT "/usr/share/misc");
		bind_file(text("%s/pci.ids", tree), ROOT "/usr/share/misc/pci.ids");
	}
	bind_folder(text("%s/sys", tree), ROOT "/sys");
}

/* Refuse a path that is not the same inside. */
static void check_seen(const char *what, const char *path)
{
	char real[PATH_MAX], *end;

	if (!path)
		return;
	if (!realpath(path, real))
		die(FAILED, "%s: %s", what, path);
	end = strchr(real + 1, '/');
	if (end)
		*end = 0;
	errno = 0;
	if (is_in(real + 1, hidden))
		die(FAILED, "%s: %s: nothing of %s is seen in a tree, have it elsewhere",
		    what, path, real);
}

/* Go up to the root of the file system tree. */
static void climb(void)
{
	struct stat before, after;

	do {
		if (stat(".", &before) || chdir("..") || stat(".", &after))
			die(FAILED, "cd ..");
	} while (before.st_ino != after.st_ino || before.st_dev != after.st_dev);
}

/*
 * Make mounts private, so that nobody else sees them. In a chroot "/" need not
 * be a mount. Then do it from the real root of the mount namespace. A process
 * whose folder is not below its root can go there.
 */
static void make_private(void)
{
	const unsigned long how = MS_REC | MS_PRIVATE;
	int root;

	if (!mount("none", "/", NULL, how, NULL))
		return;
	if (errno != EINVAL)
		die(SKIP, "this machine allows no private mounts");
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || chdir("/") || chroot(ROOT))
		die(SKIP, "this machine allows no private mounts");
	climb();
	if (chroot(".") || mount("none", "/", NULL, how, NULL))
		die(SKIP, "this machine allows no private mounts");
	if (fchdir(root) || chroot("."))
		die(FAILED, "back into the root");
	close(root);
}

/* Become root in new namespaces: as root, or by a user namespace. */
static void leave_host(void)
{
	const uid_t uid = geteuid();
	const gid_t gid = getegid();
	int flags = CLONE_NEWNS | CLONE_NEWPID;

	if (uid)
		flags |= CLONE_NEWUSER;
	if (unshare(flags))
		die(SKIP, "this machine allows no namespaces");
	if (uid) {
		write_file("/proc/self/setgroups", "deny");
		write_file("/proc/self/uid_map", text("0 %u 1", uid));
		write_file("/proc/self/gid_map", text("0 %u 1", gid));
	}
	make_private();
	if (mount("root", ROOT, "tmpfs", 0, "mode=755"))
		die(SKIP, "this machine allows no tmpfs");
}

/* The exit status as in a shell: a signal gives 128 and its number. */
static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			die(FAILED, "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void start(char *tree, char **argv)
{
	const char *fake = getenv("FAKE_SO");
	int marker = open(text("%s/entered", tree), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

	if (marker < 0)
		die(FAILED, "%s/entered", tree);
	if (chroot(ROOT) || chdir("/"))
		die(FAILED, "chroot");
	if (fake) {
		setenv("FAKE_PROC", text("%s/proc", tree), 1);
		setenv("LD_PRELOAD", fake, 1);
		setenv("ASAN_OPTIONS", text("%s:verify_asan_link_order=0",
					    getenv("ASAN_OPTIONS") ?: ""), 1);
	}
	execvp(argv[0], argv);
	unlink(text("%s/entered", tree));
	die(FAILED, "%s", argv[0]);
}

/* The init of the process namespace: when it ends, all processes there end. */
static void init(char *tree, char **argv)
{
	pid_t pid;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (mount("proc", ROOT "/proc", "proc", 0, NULL))
		die(SKIP, "this machine allows no /proc of its own");
	pid = fork();
	if (pid < 0)
		die(FAILED, "fork");
	if (!pid)
		start(tree, argv);
	exit(wait_for(pid));
}

int main(int argc, char **argv)
{
	char tree[PATH_MAX];
	pid_t pid;

	errno = 0;
	if (argc < 3)
		die(FAILED, "usage: in-tree DIR COMMAND...");
	if (!realpath(argv[1], tree))
		die(FAILED, "%s", argv[1]);
	/* if a test is killed since it takes too long, this is killed, too */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	unlink(text("%s/entered", tree));
	check_seen("the tree", tree);
	check_seen("FAKE_SO", getenv("FAKE_SO"));
	check_seen("NDCTL_IOPMEM", getenv("NDCTL_IOPMEM"));
	leave_host();
	take_root();
	take_tree(tree);
	pid = fork();
	if (pid < 0)
		die(FAILED, "fork");
	if (!pid)
		init(tree, argv + 2);
	return wait_for(pid);
}
