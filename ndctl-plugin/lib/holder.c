// SPDX-License-Identifier: LGPL-2.1-or-later
/* Who uses a function: mounts, swap, devices made of its own, processes */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "private.h"

#define SYS_BLOCK	"/sys/class/block"

/* A device that the function's driver has made, or one made of such */
struct device {
	bool block;
	unsigned int major;
	unsigned int minor;
	char name[64];
};

/**
 * struct search - one search for holders
 * @namespaces: mount namespaces whose mounts were looked at
 * @rc: -ENOMEM if that has happened
 */
struct search {
	struct iopmem_function *fn;
	struct device *devices;
	size_t num_devices;
	uint64_t *namespaces;
	size_t num_namespaces;
	int rc;
};

static void *grow(struct search *s, void *array, size_t n, size_t size)
{
	void *more = array;

	/* room for 16, 32, 64, ... */
	if (!n)
		more = malloc(16 * size);
	else if (n >= 16 && !(n & (n - 1)))
		more = realloc(array, 2 * n * size);
	if (!more)
		s->rc = -ENOMEM;
	return more;
}

static void add_holder(struct search *s, const struct iopmem_holder *h,
		       const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Once only: a mount is seen from several namespaces. */
static void add_holder(struct search *s, const struct iopmem_holder *h,
		       const char *format, ...)
{
	struct iopmem_function *fn = s->fn;
	struct iopmem_holder *new;
	va_list args;
	size_t i;

	for (i = 0; i < fn->num_holders; i++)
		if (fn->holders[i].kind == h->kind &&
		    !strcmp(fn->holders[i].device, h->device) &&
		    same_string(fn->holders[i].path, h->path) &&
		    (h->kind != IOPMEM_HOLDER_PROCESS ||
		     fn->holders[i].pid == h->pid))
			return;

	new = grow(s, fn->holders, fn->num_holders, sizeof(*new));
	if (!new)
		return;
	fn->holders = new;
	new += fn->num_holders;
	*new = *h;
	new->fn = fn;
	new->path = h->path ? strdup(h->path) : NULL;
	va_start(args, format);
	if (vasprintf(&new->text, format, args) < 0)
		new->text = NULL;
	va_end(args);
	if (!new->text || (h->path && !new->path)) {
		free(new->path);
		free(new->text);
		s->rc = -ENOMEM;
		return;
	}
	fn->num_holders++;
}

static struct iopmem_holder holder(enum iopmem_holder_kind kind,
				   const char *device, char *path)
{
	struct iopmem_holder h = { .kind = kind, .path = path };

	snprintf(h.device, sizeof(h.device), "%s", device);
	return h;
}

/* Devices */

static void walk(struct search *s, const char *path, const char *name);

static const struct device *find_device(struct search *s, bool block,
					unsigned int major, unsigned int minor)
{
	size_t i;

	for (i = 0; i < s->num_devices; i++)
		if (s->devices[i].block == block &&
		    s->devices[i].major == major &&
		    s->devices[i].minor == minor)
			return &s->devices[i];
	return NULL;
}

static void add_device(struct search *s, bool block, const char *name,
		       unsigned int major, unsigned int minor)
{
	struct device *d;

	if (find_device(s, block, major, minor))
		return;
	d = grow(s, s->devices, s->num_devices, sizeof(*d));
	if (!d)
		return;
	s->devices = d;
	d += s->num_devices++;
	*d = (struct device){ block, major, minor, "" };
	snprintf(d->name, sizeof(d->name), "%s", name);
}

static bool is_block(const char *path)
{
	char subsystem[64];

	return sysfs_read_link(path, "subsystem", subsystem,
			       sizeof(subsystem)) > 0 &&
		!strcmp(subsystem, "block");
}

/* What is made of a block device: dm, md and the like */
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
		struct iopmem_holder h;

		if (entry->d_name[0] == '.')
			continue;
		h = holder(IOPMEM_HOLDER_DEVICE, name, entry->d_name);
		add_holder(s, &h, "%s is part of %s", name, entry->d_name);
		snprintf(above, sizeof(above), SYS_BLOCK "/%s",
			 entry->d_name);
		walk(s, above, entry->d_name);
	}
	closedir(dir);
}

/*
 * An NVMe drive's block device may be that of one path to it, hidden:
 * nvme0c1n1. What programs open is nvme0n1, which lies elsewhere.
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
	struct iopmem_holder h = holder(IOPMEM_HOLDER_NETWORK, name, NULL);
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
		add_holder(s, &h, "network interface %s is up", name);
}

/* The folder @path is a device, called @name? And what is below it? */
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
 * Loop devices: the kernel neither lists them as holders, nor claims for them
 * what they are made of, nor shows a process that has it open.
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
		struct iopmem_holder h;
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
		h = holder(IOPMEM_HOLDER_DEVICE, d->name, entry->d_name);
		add_holder(s, &h, "%s is part of %s", d->name, entry->d_name);
		snprintf(path, sizeof(path), SYS_BLOCK "/%s", entry->d_name);
		walk(s, path, entry->d_name);
	}
	closedir(dir);
}

/* Who has a function by VFIO opens the node of its group. */
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

/* @pid, if not 0: in its mount namespace, which is not ours */
static void look_at_mounts(struct search *s, const char *path, int pid,
			   const char *process)
{
	struct text t, line;
	struct mount m;
	char *buf;
	size_t len;

	if (sysfs_read_all(path, &buf, &len))
		return;
	t = (struct text){ buf, buf + len };
	while (text_line(&t, &line)) {
		const struct device *d;
		struct iopmem_holder h;

		if (parse_mount(line.at, line.end - line.at, &m))
			continue;
		d = find_device(s, true, m.major, m.minor);
		if (!d)
			continue;
		h = holder(IOPMEM_HOLDER_MOUNT, d->name, m.path);
		if (pid) {
			h.pid = pid;
			snprintf(h.process, sizeof(h.process), "%s", process);
			add_holder(s, &h,
				   "%s is mounted on %s where %s (pid %d) is",
				   d->name, m.path, process, pid);
		} else {
			add_holder(s, &h, "%s is mounted on %s", d->name,
				   m.path);
		}
	}
	free(buf);
}

static void look_at_swap(struct search *s)
{
	struct text t, line;
	char path[PATH_MAX];
	char *buf;
	size_t len;

	if (sysfs_read_all("/proc/swaps", &buf, &len))
		return;
	t = (struct text){ buf, buf + len };
	while (text_line(&t, &line)) {
		const struct device *d;
		struct iopmem_holder h;
		struct stat st;

		if (parse_swap(line.at, line.end - line.at, path) ||
		    stat(path, &st) || !S_ISBLK(st.st_mode))
			continue;
		d = find_device(s, true, major(st.st_rdev),
				minor(st.st_rdev));
		if (!d)
			continue;
		h = holder(IOPMEM_HOLDER_SWAP, d->name, NULL);
		add_holder(s, &h, "%s is swap space", d->name);
	}
	free(buf);
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

/* A link in /proc: is it to one of the devices, or to a file on one? */
static int look_at_link(struct search *s, const struct process *p, int at,
			const char *name, const char *how)
{
	char target[PATH_MAX];
	const struct device *d = NULL;
	struct iopmem_holder h;
	struct statx st;
	ssize_t n;

	/* not to wait for a server that has gone */
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
	h = holder(IOPMEM_HOLDER_PROCESS, d->name, target);
	h.pid = p->pid;
	snprintf(h.process, sizeof(h.process), "%s", p->name);
	add_holder(s, &h, "%s (pid %d) has %s %s", p->name, p->pid, target,
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
	uint64_t *more;
	struct stat st;
	size_t i;

	snprintf(path, sizeof(path), "%s/ns/mnt", p->path);
	if (stat(path, &st))
		return;
	for (i = 0; i < s->num_namespaces; i++)
		if (s->namespaces[i] == st.st_ino)
			return;
	more = grow(s, s->namespaces, s->num_namespaces, sizeof(*more));
	if (!more)
		return;
	s->namespaces = more;
	s->namespaces[s->num_namespaces++] = st.st_ino;
	snprintf(path, sizeof(path), "%s/mountinfo", p->path);
	look_at_mounts(s, path, s->num_namespaces == 1 ? 0 : p->pid, p->name);
}

static void look_at_process(struct search *s, const char *pid)
{
	struct process p = { .pid = atoi(pid) };
	char path[PATH_MAX];
	bool unseen;
	char *c;

	snprintf(p.path, sizeof(p.path), "/proc/%s", pid);
	snprintf(path, sizeof(path), "%s/comm", p.path);
	if (sysfs_read(path, p.name, sizeof(p.name)) < 0)
		return;
	for (c = p.name; *c; c++)
		if (!isprint((unsigned char)*c))
			*c = '?';

	look_at_namespace(s, &p);
	unseen = look_at_links(s, &p, "fd", "open");
	unseen |= look_at_links(s, &p, "map_files", "mapped");
	snprintf(path, sizeof(path), "%s/cwd", p.path);
	unseen |= look_at_link(s, &p, AT_FDCWD, path, "as its folder");
	snprintf(path, sizeof(path), "%s/root", p.path);
	unseen |= look_at_link(s, &p, AT_FDCWD, path, "as its root");
	if (p.pid != getpid())
		s->fn->unseen += unseen;
}

static void look_at_processes(struct search *s)
{
	const struct process self = { .pid = getpid(), .path = "/proc/self" };
	struct dirent *entry;
	DIR *dir;

	/* ours first: the others' mounts are marked */
	look_at_namespace(s, &self);
	dir = opendir("/proc");
	if (!dir)
		return;
	while (!s->rc && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]))
			look_at_process(s, entry->d_name);
	closedir(dir);
}

/* The last resort: who has a block device for itself keeps others out. */
static void look_at_claims(struct search *s)
{
	char path[PATH_MAX];
	struct iopmem_holder h;
	char *c;
	size_t i;
	int fd;

	for (i = 0; i < s->num_devices && !s->fn->num_holders; i++) {
		if (!s->devices[i].block)
			continue;
		snprintf(path, sizeof(path), "/dev/%s", s->devices[i].name);
		for (c = path + strlen("/dev/"); *c; c++)
			if (*c == '!')
				*c = '/';
		fd = open(path, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0) {
			close(fd);
		} else if (errno == EBUSY) {
			h = holder(IOPMEM_HOLDER_KERNEL, s->devices[i].name,
				   NULL);
			add_holder(s, &h, "%s is claimed by the kernel, nothing tells for whom",
				   s->devices[i].name);
		}
	}
}

void holders_free(struct iopmem_function *fn)
{
	size_t i;

	for (i = 0; i < fn->num_holders; i++) {
		free(fn->holders[i].path);
		free(fn->holders[i].text);
	}
	free(fn->holders);
	fn->holders = NULL;
	fn->num_holders = 0;
	fn->unseen = 0;
}

void holders_describe(struct iopmem_function *fn, char *buf, size_t size)
{
	size_t i, at = 0;

	buf[0] = 0;
	for (i = 0; i < fn->num_holders; i++) {
		const char *text = fn->holders[i].text;

		/* room for the last words */
		if (at + strlen(text) + 32 > size) {
			snprintf(buf + at, size - at, "%s%zu more",
				 at ? ", " : "", fn->num_holders - i);
			return;
		}
		at += sprintf(buf + at, "%s%s", at ? ", " : "", text);
	}
}

EXPORT int iopmem_function_find_holders(struct iopmem_function *fn)
{
	struct search s = { .fn = fn };

	holders_free(fn);
	walk(&s, fn->syspath, fn->name);
	look_at_vfio(&s);
	if (s.num_devices) {
		look_at_loops(&s);
		look_at_swap(&s);
		look_at_processes(&s);
		look_at_claims(&s);
	}
	free(s.devices);
	free(s.namespaces);
	if (s.rc)
		return failed(fn->ctx, s.rc, "out of memory");
	return fn->num_holders;
}

EXPORT unsigned int iopmem_function_get_unseen(struct iopmem_function *fn)
{
	return fn->unseen;
}

EXPORT struct iopmem_holder *
iopmem_holder_get_first(struct iopmem_function *fn)
{
	return fn->num_holders ? fn->holders : NULL;
}

EXPORT struct iopmem_holder *iopmem_holder_get_next(struct iopmem_holder *h)
{
	struct iopmem_function *fn = h->fn;

	return ++h < fn->holders + fn->num_holders ? h : NULL;
}

EXPORT struct iopmem_function *
iopmem_holder_get_function(struct iopmem_holder *h)
{
	return h->fn;
}

EXPORT enum iopmem_holder_kind iopmem_holder_get_kind(struct iopmem_holder *h)
{
	return h->kind;
}

EXPORT const char *iopmem_holder_get_device(struct iopmem_holder *h)
{
	return h->device;
}

EXPORT const char *iopmem_holder_get_path(struct iopmem_holder *h)
{
	return h->path;
}

EXPORT int iopmem_holder_get_pid(struct iopmem_holder *h)
{
	return h->pid;
}

EXPORT const char *iopmem_holder_get_process(struct iopmem_holder *h)
{
	return h->pid ? h->process : NULL;
}

EXPORT const char *iopmem_holder_get_text(struct iopmem_holder *h)
{
	return h->text;
}
