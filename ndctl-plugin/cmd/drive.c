// SPDX-License-Identifier: GPL-2.0-only
/* A drive, and the function that does its DMA */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <linux/fs.h>

#include "cmd.h"

/*
 * The last function in a sysfs path. NULL if there is none, or if the CPU may
 * move the data: pmem is also below a PCI function, and a host controller for
 * MMC may have no DMA.
 */
static struct iopmem_function *function_in(struct iopmem_ctx *ctx,
					   const char *folder)
{
	struct iopmem_function *found = NULL, *fn;
	char path[PATH_MAX], *rest = path, *name;

	snprintf(path, sizeof(path), "%s", folder);
	while ((name = strsep(&rest, "/"))) {
		if (!strncmp(name, "ndbus", 5) || !strcmp(name, "mmc_host"))
			return NULL;
		fn = iopmem_function_get_by_address(ctx, name);
		if (fn)
			found = fn;
	}
	return found;
}

/*
 * The controller of a drive that may have several. The kernel puts such a drive
 * below its subsystem, which has links to the controllers.
 */
static int function_of_subsystem(struct iopmem_ctx *ctx, const char *name,
				 const char *folder, struct iopmem_function **found)
{
	static const char top[] = "/sys/devices/virtual/nvme-subsystem/";
	const char *end;
	char pattern[PATH_MAX + 16], target[PATH_MAX];
	int rc = EXIT_OK;
	glob_t links;
	size_t i;

	*found = NULL;
	if (strncmp(folder, top, strlen(top)))
		return EXIT_OK;
	end = strchrnul(folder + strlen(top), '/');
	snprintf(pattern, sizeof(pattern), "%.*s/nvme[0-9]*",
		 (int)(end - folder), folder);
	if (glob(pattern, 0, NULL, &links))
		return EXIT_OK;
	for (i = 0; i < links.gl_pathc && !rc; i++) {
		struct iopmem_function *fn = NULL;

		if (realpath(links.gl_pathv[i], target))
			fn = function_in(ctx, target);
		if (fn && *found && fn != *found)
			rc = print_error(EXIT_FAILED,
					 "%s: has several controllers, %s and %s, and nothing tells which one does the DMA: disconnect all but one",
					 name, iopmem_function_get_address(*found),
					 iopmem_function_get_address(fn));
		else if (fn)
			*found = fn;
	}
	globfree(&links);
	return rc;
}

static int find_function(struct iopmem_ctx *ctx, struct drive *drive)
{
	char link[64], folder[PATH_MAX];
	struct stat st;
	int rc;

	if (stat(drive->name, &st))
		return print_error(EXIT_FAILED, "%s: %s", drive->name,
				   strerror(errno));
	if (!S_ISBLK(st.st_mode))
		return print_error(EXIT_FAILED,
				   "%s: is no block device: give the node of a drive, /dev/nvme0n1 for instance",
				   drive->name);
	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u",
		 major(st.st_rdev), minor(st.st_rdev));
	if (!realpath(link, folder))
		return print_error(EXIT_FAILED, "%s: there is no %s, is sysfs mounted?",
				   drive->name, link);
	drive->function = function_in(ctx, folder);
	if (drive->function)
		return EXIT_OK;
	rc = function_of_subsystem(ctx, drive->name, folder, &drive->function);
	if (!rc && !drive->function)
		rc = print_error(EXIT_FAILED,
				 "%s: is %s, for which no PCI function is known to do the DMA: give a drive itself, /dev/nvme0n1 for instance",
				 drive->name, strrchr(folder, '/') + 1);
	return rc;
}

int drive_open(struct iopmem_ctx *ctx, struct drive *drive, bool write)
{
	/* O_EXCL refuses a drive that is mounted or part of another device. */
	const int how = write ? O_RDWR | O_EXCL : O_RDONLY;
	int rc = find_function(ctx, drive), sector;
	off_t size;

	if (rc)
		return rc;
	drive->fd = open(drive->name, how | O_DIRECT | O_CLOEXEC);
	if (drive->fd < 0 && errno == EBUSY)
		return print_error(EXIT_FAILED,
				   "%s: is in use, mounted or part of another device: unmount it, or leave --write out",
				   drive->name);
	if (drive->fd < 0)
		return print_error(EXIT_FAILED, "%s: %s", drive->name,
				   strerror(errno));
	size = lseek(drive->fd, 0, SEEK_END);
	if (size < 0 || ioctl(drive->fd, BLKSSZGET, &sector))
		return print_error(EXIT_FAILED, "%s: its size cannot be read: %s",
				   drive->name, strerror(errno));
	drive->size = size;
	drive->block = sector;
	return EXIT_OK;
}

static int transfer(struct drive *drive, bool to_drive, void *buf,
		    uint64_t size, uint64_t at)
{
	uint64_t done = 0;

	while (done < size) {
		char *p = (char *)buf + done;
		ssize_t n = to_drive ?
			pwrite(drive->fd, p, size - done, at + done) :
			pread(drive->fd, p, size - done, at + done);

		if (n < 0)
			return -errno;
		if (!n)
			return -ENODATA;
		done += n;
	}
	return 0;
}

int drive_read(struct drive *drive, void *buf, uint64_t size, uint64_t at)
{
	return transfer(drive, false, buf, size, at);
}

int drive_write(struct drive *drive, const void *buf, uint64_t size,
		uint64_t at)
{
	return transfer(drive, true, (void *)buf, size, at);
}
