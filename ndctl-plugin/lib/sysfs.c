// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "private.h"

int sysfs_read(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return n;
	if (n && buf[n - 1] == '\n')
		n--;
	buf[n] = 0;
	return n;
}

int sysfs_read_attr(struct iopmem_function *fn, const char *attr, char *buf,
		    size_t size)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", fn->syspath, attr) >= PATH_MAX)
		return -ENAMETOOLONG;
	return sysfs_read(path, buf, size);
}

int sysfs_read_link(const char *dir, const char *link, char *buf, size_t size)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *slash;
	ssize_t n;

	if (snprintf(path, sizeof(path), "%s/%s", dir, link) >= PATH_MAX)
		return -ENAMETOOLONG;
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = 0;
	slash = strrchr(target, '/');
	return snprintf(buf, size, "%s", slash ? slash + 1 : target);
}

int sysfs_read_all(const char *path, char **buf, size_t *len)
{
	size_t room = 0, have = 0;
	char *text = NULL, *more;
	ssize_t n;
	int fd, rc = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	do {
		if (have == room) {
			room = room ? 2 * room : 1 << 16;
			more = realloc(text, room);
			if (!more) {
				rc = -ENOMEM;
				break;
			}
			text = more;
		}
		n = read(fd, text + have, room - have);
		if (n < 0)
			rc = -errno;
		else
			have += n;
	} while (n > 0);
	close(fd);
	if (rc) {
		free(text);
		return rc;
	}
	*buf = text;
	*len = have;
	return 0;
}
