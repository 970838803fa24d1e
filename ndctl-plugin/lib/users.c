// SPDX-License-Identifier: LGPL-2.1-or-later
/* Who uses a function: mounts, swap, stacked devices, processes */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <libmount.h>

#include "internal.h"

#define SYS_BLOCK	"/sys/class/block"

struct iopmem_user {
	struct iopmem_user *next;
	enum iopmem_user_kind kind;
	char device[64];
	char *path;
	int pid;
	char process[64];
	char *text;
};

/**
 * struct iopmem_users - what a search has found
 * @first: the first user, in the order of finding
 * @last: where to link the next one
 * @unreadable: processes that could not be looked into
 */
struct iopmem_users {
	struct iopmem_function *fn;
	struct iopmem_user *first;
	struct iopmem_user **last;
	unsigned int unreadable;
};

/* A device of the function's driver, or one that is made of such devices */
struct device {
	struct device *next;
	bool block;
	unsigned int major;
	unsigned int minor;
	char name[64];
};

/**
 * struct search - one search for users
 * @known: the users, as a tree of search.h, so that each is listed once
 * @devices: all devices; @last_device is where to link the next one
 * @by_number: all devices, as a tree
 * @namespaces: mount namespaces whose mounts were looked at, as a tree
 * @foreign: the caller's own namespace is done, the next ones are others
 * @rc: 0, or the error that ends the search
 */
struct search {
	struct iopmem_function *fn;
	struct iopmem_users *users;
	void *known;
	struct device *devices;
	struct device **last_device;
	void *by_number;
	void *namespaces;
	bool foreign;
	int rc;
};

static int compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* Ignore a mount's process: the same mount shows in several namespaces. */
static int compare_users(const void *a, const void *b)
{
	const struct iopmem_user *x = a, *y = b;
	int rc = compare(x->kind, y->kind);

	if (!rc && x->kind == IOPMEM_USER_PROCESS)
		rc = compare(x->pid, y->pid);
	if (!rc)
		rc = strcmp(x->device, y->device);
	if (!rc)
		rc = strcmp(x->path ? x->path : "", y->path ? y->path : "");
	return rc;
}

static int compare_devices(const void *a, const void *b)
{
	const struct device *x = a, *y = b;
	int rc = compare(x->block, y->block);

	if (!rc)
		rc = compare(x->major, y->major);
	if (!rc)
		rc = compare(x->minor, y->minor);
	return rc;
}

static int compare_inodes(const void *a, const void *b)
{
	return compare(*(const ino_t *)a, *(const ino_t *)b);
}

static void keep(void *node)
{
	(void)node;
}

/* Put @key into the tree. False if an equal one is there, or without memory. */
static bool add_to(struct search *s, void **tree, void *key,
		   int (*order)(const void *a, const void *b))
{
	void **node = tsearch(key, tree, order);

	if (!node)
		s->rc = -ENOMEM;
	return node && *node == key;
}

static void user_free(struct iopmem_user *user)
{
	free(user->path);
	free(user->text);
	free(user);
}

static void add_user(struct search *s, const struct iopmem_user *u,
		     const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Add a user, unless it is known already. */
static void add_user(struct search *s, const struct iopmem_user *u,
		     const char *format, ...)
{
	struct iopmem_user *new;
	va_list args;

	if (tfind(u, &s->known, compare_users))
		return;
	new = malloc(sizeof(*new));
	if (!new) {
		s->rc = -ENOMEM;
		return;
	}
	*new = *u;
	new->path = u->path ? strdup(u->path) : NULL;
	va_start(args, format);
	if (vasprintf(&new->text, format, args) < 0)
		new->text = NULL;
	va_end(args);
	if (!new->text || (u->path && !new->path) ||
	    !add_to(s, &s->known, new, compare_users)) {
		s->rc = -ENOMEM;
		user_free(new);
		return;
	}
	*s->users->last = new;
	s->users->last = &new->next;
}

static struct iopmem_user user(enum iopmem_user_kind kind, const char *device,
			       char *path)
{
	struct iopmem_user u = { .kind = kind, .path = path };

	snprintf(u.device, sizeof(u.device), "%s", device);
	return u;
}

/* Devices */

static void walk(struct search *s, const char *path, const char *name);

static const struct device *find_device(struct search *s, bool block,
					unsigned int major, unsigned int minor)
{
	const struct device key = {
		.block = block,
		.major = major,
		.minor = minor,
	};
	struct device *const *node = tfind(&key, &s->by_number,
					   compare_devices);

	return node ? *node : NULL;
}

static void add_device(struct search *s, bool block, const char *name,
		       unsigned int major, unsigned int minor)
{
	struct device *d = malloc(sizeof(*d));

	if (!d) {
		s->rc = -ENOMEM;
		return;
	}
	*d = (struct device){
		.block = block,
		.major = major,
		.minor = minor,
	};
	snprintf(d->name, sizeof(d->name), "%s", name);
	if (!add_to(s, &s->by_number, d, compare_devices)) {
		free(d);
		return;
	}
	*s->last_device = d;
	s->last_device = &d->next;
}

static bool is_block(const char *path)
{
	char subsystem[64];

	return sysfs_read_link(path, "subsystem", subsystem,
			       sizeof(subsystem)) > 0 &&
		!strcmp(subsystem, "block");
}

/* The devices that are made of a block device: dm, md and others */
static void look_at_holders(struct search *s, const char *path,
			    const char *name)
{
	char dir_path[PATH_MAX], above[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	if (snprintf(dir_path, sizeof(dir_path), "%s/holders", path) >=
	    (int)sizeof(dir_path))
		return;
	dir = opendir(dir_path);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		struct iopmem_user u;

		if (entry->d_name[0] == '.')
			continue;
		u = user(IOPMEM_USER_DEVICE, name, entry->d_name);
		add_user(s, &u, "%s is part of %s", name, entry->d_name);
		snprintf(above, sizeof(above), SYS_BLOCK "/%s",
			 entry->d_name);
		walk(s, above, entry->d_name);
	}
	closedir(dir);
}

/*
 * The block device below an NVMe function may be hidden and stand for one path
 * to the drive: nvme0c1n1. Programs open nvme0n1, which is elsewhere in sysfs.
 */
static void look_behind_hidden(struct search *s, const char *name)
{
	char path[PATH_MAX];
	unsigned int subsystem, controller, ns;

	if (sscanf(name, "nvme%uc%un%u", &subsystem, &controller, &ns) != 3)
		return;
	snprintf(path, sizeof(path), SYS_BLOCK "/nvme%un%u", subsystem, ns);
	walk(s, path, strrchr(path, '/') + 1);
}

static void look_at_interface(struct search *s, const char *path,
			      const char *name)
{
	struct iopmem_user u = user(IOPMEM_USER_NETWORK, name, NULL);
	char attr[PATH_MAX], buf[64];
	struct text t;
	uint64_t flags;
	int n;

	if (snprintf(attr, sizeof(attr), "%s/flags", path) >= (int)sizeof(attr))
		return;
	n = sysfs_read(attr, buf, sizeof(buf));
	if (n < 0)
		return;
	t = (struct text){ buf, buf + n };
	if (!text_0x(&t, &flags) && flags & IFF_UP)
		add_user(s, &u, "network interface %s is up", name);
}

/* Is the folder @path, called @name, a device? Which devices are below it? */
static void walk(struct search *s, const char *path, const char *name)
{
	const char *parent = path + strlen(path) - strlen(name) - 1;
	char below[PATH_MAX], buf[64];
	unsigned int major, minor;
	struct dirent *entry;
	DIR *dir;
	int n;

	if (snprintf(below, sizeof(below), "%s/dev", path) >=
	    (int)sizeof(below))
		return;
	n = sysfs_read(below, buf, sizeof(buf));
	if (n >= 0 && !parse_dev(buf, n, &major, &minor)) {
		bool block = is_block(path);

		if (find_device(s, block, major, minor))
			return;
		add_device(s, block, name, major, minor);
		if (block) {
			look_at_holders(s, path, name);
			look_behind_hidden(s, name);
		}
	} else if (parent - path >= 4 && !strncmp(parent - 4, "/net", 4)) {
		look_at_interface(s, path, name);
	}

	dir = opendir(path);
	if (!dir)
		return;
	while (!s->rc && (entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		n = snprintf(below, sizeof(below), "%s/%s", path,
			     entry->d_name);
		if (n < (int)sizeof(below))
			walk(s, below, entry->d_name);
	}
	closedir(dir);
}

/*
 * Loop devices need a search of their own. The kernel does not list them as
 * holders, does not claim their backing device, and shows no process that has
 * that open.
 */
static void look_at_loops(struct search *s)
{
	char path[PATH_MAX], file[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	dir = opendir(SYS_BLOCK);
	if (!dir)
		return;
	while (!s->rc && (entry = readdir(dir))) {
		const struct device *d;
		struct iopmem_user u;
		struct stat st;

		snprintf(path, sizeof(path), SYS_BLOCK "/%s/loop/backing_file",
			 entry->d_name);
		if (sysfs_read(path, file, sizeof(file)) < 0 ||
		    stat(file, &st) || !S_ISBLK(st.st_mode))
			continue;
		d = find_device(s, true, major(st.st_rdev),
				minor(st.st_rdev));
		if (!d)
			continue;
		u = user(IOPMEM_USER_DEVICE, d->name, entry->d_name);
		add_user(s, &u, "%s is part of %s", d->name, entry->d_name);
		snprintf(path, sizeof(path), SYS_BLOCK "/%s", entry->d_name);
		walk(s, path, entry->d_name);
	}
	closedir(dir);
}

/* A program that uses a function by VFIO opens the node of its group. */
static void look_at_vfio(struct search *s)
{
	int group = iopmem_function_get_iommu_group(s->fn);
	char path[64];
	struct stat st;

	if (group < 0)
		return;
	snprintf(path, sizeof(path), "/dev/vfio/%d", group);
	if (!stat(path, &st) && S_ISCHR(st.st_mode))
		add_device(s, false, path + strlen("/dev/"),
			   major(st.st_rdev), minor(st.st_rdev));
}

/* Mounts and swap */

/* @pid: a process in the mount namespace, or 0 if that is the caller's own */
static void look_at_mounts(struct search *s, const char *path, int pid,
			   const char *process)
{
	struct libmnt_table *table = mnt_new_table_from_file(path);
	struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs;

	while (table && iter && !mnt_table_next_fs(table, iter, &fs)) {
		const char *target = mnt_fs_get_target(fs);
		dev_t dev = mnt_fs_get_devno(fs);
		const struct device *d = find_device(s, true, major(dev),
						     minor(dev));
		struct iopmem_user u;

		if (!d || !target)
			continue;
		u = user(IOPMEM_USER_MOUNT, d->name, (char *)target);
		if (pid) {
			u.pid = pid;
			snprintf(u.process, sizeof(u.process), "%s", process);
			add_user(s, &u,
				 "%s is mounted on %s where %s (pid %d) is",
				 d->name, target, process, pid);
		} else {
			add_user(s, &u, "%s is mounted on %s", d->name, target);
		}
	}
	mnt_free_iter(iter);
	mnt_unref_table(table);
}

static void look_at_swap(struct search *s)
{
	struct libmnt_table *table = mnt_new_table();
	struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs;

	if (table && iter)
		mnt_table_parse_swaps(table, NULL);
	while (table && iter && !mnt_table_next_fs(table, iter, &fs)) {
		const char *path = mnt_fs_get_source(fs);
		const struct device *d;
		struct iopmem_user u;
		struct stat st;

		if (!path || stat(path, &st) || !S_ISBLK(st.st_mode))
			continue;
		d = find_device(s, true, major(st.st_rdev),
				minor(st.st_rdev));
		if (!d)
			continue;
		u = user(IOPMEM_USER_SWAP, d->name, NULL);
		add_user(s, &u, "%s is swap space", d->name);
	}
	mnt_free_iter(iter);
	mnt_unref_table(table);
}

/* Processes */

struct process {
	int pid;
	char name[64];
	char path[64];		/* "/proc/1" */
};

static bool denied(int error)
{
	return error == EACCES || error == EPERM;
}

/* Does a link in /proc lead to one of the devices, or to a file on one? */
static int look_at_link(struct search *s, const struct process *p, int at,
			const char *name, const char *how)
{
	char target[PATH_MAX];
	const struct device *d = NULL;
	struct iopmem_user u;
	struct statx st;
	ssize_t n;

	/* do not wait for a network server that does not answer */
	if (statx(at, name, AT_STATX_DONT_SYNC, STATX_TYPE, &st))
		return denied(errno) ? -EACCES : 0;
	if (S_ISBLK(st.stx_mode) || S_ISCHR(st.stx_mode))
		d = find_device(s, S_ISBLK(st.stx_mode), st.stx_rdev_major,
				st.stx_rdev_minor);
	if (!d)
		d = find_device(s, true, st.stx_dev_major, st.stx_dev_minor);
	if (!d)
		return 0;
	n = readlinkat(at, name, target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = 0;
	u = user(IOPMEM_USER_PROCESS, d->name, target);
	u.pid = p->pid;
	snprintf(u.process, sizeof(u.process), "%s", p->name);
	add_user(s, &u, "%s (pid %d) has %s %s", p->name, p->pid, target,
		 how);
	return 0;
}

static int look_at_links(struct search *s, const struct process *p,
			 const char *folder, const char *how)
{
	char path[PATH_MAX];
	struct dirent *entry;
	int rc = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", p->path, folder);
	dir = opendir(path);
	if (!dir)
		return denied(errno) ? -EACCES : 0;
	while (!s->rc && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' &&
		    look_at_link(s, p, dirfd(dir), entry->d_name, how))
			rc = -EACCES;
	closedir(dir);
	return rc;
}

static void look_at_namespace(struct search *s, const struct process *p)
{
	char path[PATH_MAX];
	struct stat st;
	ino_t *inode;

	snprintf(path, sizeof(path), "%s/ns/mnt", p->path);
	if (stat(path, &st))
		return;
	inode = malloc(sizeof(*inode));
	if (!inode) {
		s->rc = -ENOMEM;
		return;
	}
	*inode = st.st_ino;
	if (!add_to(s, &s->namespaces, inode, compare_inodes)) {
		free(inode);
		return;
	}
	snprintf(path, sizeof(path), "%s/mountinfo", p->path);
	look_at_mounts(s, path, s->foreign ? p->pid : 0, p->name);
}

static void look_at_process(struct search *s, const char *pid)
{
	struct process p = { .pid = atoi(pid) };
	char path[PATH_MAX];
	bool unreadable;
	char *c;

	snprintf(p.path, sizeof(p.path), "/proc/%s", pid);
	snprintf(path, sizeof(path), "%s/comm", p.path);
	if (sysfs_read(path, p.name, sizeof(p.name)) < 0)
		return;
	for (c = p.name; *c; c++)
		if (!isprint((unsigned char)*c))
			*c = '?';

	look_at_namespace(s, &p);
	unreadable = look_at_links(s, &p, "fd", "open");
	unreadable |= look_at_links(s, &p, "map_files", "mapped");
	snprintf(path, sizeof(path), "%s/cwd", p.path);
	unreadable |= look_at_link(s, &p, AT_FDCWD, path, "as its folder");
	snprintf(path, sizeof(path), "%s/root", p.path);
	unreadable |= look_at_link(s, &p, AT_FDCWD, path, "as its root");
	if (p.pid != getpid())
		s->users->unreadable += unreadable;
}

static void look_at_processes(struct search *s)
{
	const struct process self = { .pid = getpid(), .path = "/proc/self" };
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	/* the caller's own namespace first: mounts in others name a process */
	look_at_namespace(s, &self);
	s->foreign = true;
	dir = opendir("/proc");
	while (dir && !s->rc && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0])) {
			look_at_process(s, entry->d_name);
			found = true;
		}
	if (dir)
		closedir(dir);
	/* at least this process must be there, so /proc is not to be trusted */
	if (!s->rc && !found)
		s->rc = -ENOENT;
}

/* The last resort: a claimed block device cannot be opened with O_EXCL. */
static void look_at_claims(struct search *s)
{
	const struct device *d;
	char path[PATH_MAX];
	struct iopmem_user u;
	char *c;
	int fd;

	for (d = s->devices; d && !s->users->first; d = d->next) {
		if (!d->block)
			continue;
		snprintf(path, sizeof(path), "/dev/%s", d->name);
		for (c = path + strlen("/dev/"); *c; c++)
			if (*c == '!')
				*c = '/';
		fd = open(path, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0) {
			close(fd);
		} else if (errno == EBUSY) {
			u = user(IOPMEM_USER_KERNEL, d->name, NULL);
			add_user(s, &u, "%s is claimed by the kernel, nothing tells for whom",
				 d->name);
		}
	}
}

static void search_end(struct search *s)
{
	struct device *d;

	while ((d = s->devices)) {
		s->devices = d->next;
		free(d);
	}
	tdestroy(s->known, keep);
	tdestroy(s->by_number, keep);
	tdestroy(s->namespaces, free);
}

EXPORT int iopmem_users_new(struct iopmem_function *fn,
			    struct iopmem_users **users)
{
	struct search s = { .fn = fn };

	s.users = calloc(1, sizeof(*s.users));
	if (!s.users)
		return set_error(fn->ctx, -ENOMEM, "out of memory");
	context_get(fn->ctx);
	s.users->fn = fn;
	s.users->last = &s.users->first;
	s.last_device = &s.devices;
	walk(&s, fn->syspath, fn->name);
	look_at_vfio(&s);
	if (s.devices) {
		look_at_loops(&s);
		look_at_swap(&s);
		look_at_processes(&s);
		look_at_claims(&s);
	}
	search_end(&s);
	if (s.rc) {
		set_error(fn->ctx, s.rc, s.rc == -ENOENT ?
			  "/proc shows no process, so users cannot be told: mount it" :
			  "out of memory");
		iopmem_users_free(s.users);
		return s.rc;
	}
	*users = s.users;
	return 0;
}

EXPORT void iopmem_users_free(struct iopmem_users *users)
{
	struct iopmem_user *u;

	if (!users)
		return;
	while ((u = users->first)) {
		users->first = u->next;
		user_free(u);
	}
	context_put(users->fn->ctx);
	free(users);
}

void users_describe(struct iopmem_users *users, char *buf, size_t size)
{
	struct iopmem_user *u;
	size_t at = 0, left = 0;

	for (u = users->first; u; u = u->next)
		left++;
	buf[0] = 0;
	for (u = users->first; u; u = u->next, left--) {
		/* leave room for "N more" */
		if (at + strlen(u->text) + 32 > size) {
			snprintf(buf + at, size - at, "%s%zu more",
				 at ? ", " : "", left);
			return;
		}
		at += sprintf(buf + at, "%s%s", at ? ", " : "", u->text);
	}
}

EXPORT unsigned int iopmem_users_get_unreadable(struct iopmem_users *users)
{
	return users->unreadable;
}

EXPORT struct iopmem_user *iopmem_user_get_first(struct iopmem_users *users)
{
	return users->first;
}

EXPORT struct iopmem_user *iopmem_user_get_next(struct iopmem_user *user)
{
	return user->next;
}

EXPORT enum iopmem_user_kind iopmem_user_get_kind(struct iopmem_user *user)
{
	return user->kind;
}

EXPORT const char *iopmem_user_kind_text(enum iopmem_user_kind kind)
{
	switch (kind) {
	case IOPMEM_USER_MOUNT:
		return "mounted file system";
	case IOPMEM_USER_SWAP:
		return "swap space";
	case IOPMEM_USER_DEVICE:
		return "block device made of it";
	case IOPMEM_USER_PROCESS:
		return "process";
	case IOPMEM_USER_NETWORK:
		return "network interface";
	case IOPMEM_USER_KERNEL:
		return "kernel";
	}
	return NULL;
}

EXPORT const char *iopmem_user_get_device(struct iopmem_user *user)
{
	return user->device;
}

EXPORT const char *iopmem_user_get_path(struct iopmem_user *user)
{
	return user->path;
}

EXPORT int iopmem_user_get_pid(struct iopmem_user *user)
{
	return user->pid ? user->pid : -ENODATA;
}

EXPORT const char *iopmem_user_get_text(struct iopmem_user *user)
{
	return user->text;
}
