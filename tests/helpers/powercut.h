/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writers note what they have begun and what is safe. The notes are not on the card,
 * but in the BAR of another function, which is memory shared with the host. The host
 * sees a store there even if the machine ends with the next instruction.
 */
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NOTES_SIZE	(1024UL << 10)

struct note {
	volatile uint64_t started;
	volatile uint64_t acked;
	uint64_t unused[6];
};

static inline struct note *open_note(const char *path, const char *number)
{
	struct note *notes;
	int fd = open(path, O_RDWR);

	if (fd < 0)
		err(2, "%s", path);
	notes = mmap(NULL, NOTES_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (notes == MAP_FAILED)
		err(2, "%s: mmap", path);
	close(fd);
	return notes + strtoul(number, NULL, 0);
}

static inline void start(struct note *note, uint64_t n)
{
	note->started = n;
	__sync_synchronize();
}

static inline void acknowledge(struct note *note, uint64_t n)
{
	__sync_synchronize();
	note->acked = n;
	__sync_synchronize();
}
