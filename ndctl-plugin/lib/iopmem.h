/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libiopmem: PCI functions whose BARs are, or could be, persistent memory
 * regions of the driver iopmem_bus
 *
 * See libiopmem(3), which is made of the comments here: what holds for all
 * functions is there.
 */
#ifndef _IOPMEM_H_
#define _IOPMEM_H_

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ndctl_ctx;
struct ndctl_region;

struct iopmem_ctx;
struct iopmem_function;
struct iopmem_bar;
struct iopmem_region;
struct iopmem_users;
struct iopmem_user;
struct iopmem_map;
struct iopmem_extent;
struct iopmem_path;

/* DOC: Contexts */

/**
 * iopmem_new() - make a context
 * @ctx: set to a context with one reference
 *
 * Reads nothing yet.
 *
 * Return: 0, or -ENOMEM.
 */
int iopmem_new(struct iopmem_ctx **ctx);

/**
 * iopmem_ref() - take a reference on a context
 * @ctx: the context, or NULL
 *
 * Return: @ctx.
 */
struct iopmem_ctx *iopmem_ref(struct iopmem_ctx *ctx);

/**
 * iopmem_unref() - give a reference on a context back
 * @ctx: the context, or NULL
 *
 * With the last reference the context and all that belongs to it are freed.
 * Maps, paths and users have references of their own.
 *
 * Return: @ctx, or NULL if it is freed.
 */
struct iopmem_ctx *iopmem_unref(struct iopmem_ctx *ctx);

/**
 * iopmem_get_error() - the reason of the last failure in a context
 * @ctx: the context
 *
 * Return: one line for people, without a newline: what is wrong, where, and what
 * to do. "" if nothing has failed yet. It is valid until the next call into the
 * library.
 */
const char *iopmem_get_error(struct iopmem_ctx *ctx);

/**
 * typedef iopmem_log_fn - where messages go
 * @ctx: the context
 * @priority: as of syslog(3)
 * @file: the source file that the message comes from
 * @line: the line there
 * @fn: the function there
 * @format: as of printf(3), with a newline at its end
 * @args: as of vprintf(3)
 */
typedef void (*iopmem_log_fn)(struct iopmem_ctx *ctx, int priority,
			      const char *file, int line, const char *fn,
			      const char *format, va_list args);

/**
 * iopmem_set_log_fn() - have messages sent elsewhere
 * @ctx: the context
 * @log_fn: is called with each message; NULL: stderr, as at first
 */
void iopmem_set_log_fn(struct iopmem_ctx *ctx, iopmem_log_fn log_fn);

/**
 * iopmem_set_log_priority() - say which messages are wanted
 * @ctx: the context
 * @priority: as of syslog(3): those that are less important are left out
 *
 * At first it is LOG_ERR, or LOG_DEBUG where the environment has
 * IOPMEM_LOG=debug and the program is not set-user-ID.
 */
void iopmem_set_log_priority(struct iopmem_ctx *ctx, int priority);

/**
 * iopmem_get_ndctl() - libndctl's context behind a context
 * @ctx: the context
 *
 * Made when it is first asked for. It belongs to @ctx. For <ndctl/libndctl.h>.
 *
 * Return: libndctl's context, or NULL if libndctl refuses.
 */
struct ndctl_ctx *iopmem_get_ndctl(struct iopmem_ctx *ctx);

/**
 * iopmem_scan() - read the machine's PCI functions
 * @ctx: the context
 *
 * The first call reads them, in one pass over sysfs. Each later call returns what
 * the first one did, and reads nothing. The first
 * iopmem_function_get_first() does this by itself.
 *
 * Return: the number of functions that are listed and could not be read, for
 * instance since they have gone meanwhile; they are left out, and
 * iopmem_get_error() names the last of them. -ENOENT if there is no PCI in sysfs,
 * -ENOMEM, or another error of open(2).
 */
int iopmem_scan(struct iopmem_ctx *ctx);

/* DOC: Functions */

/**
 * iopmem_function_get_first() - the first function of the machine
 * @ctx: the context
 *
 * Functions are in the order of their addresses.
 *
 * Return: the function, or NULL if there is none.
 */
struct iopmem_function *iopmem_function_get_first(struct iopmem_ctx *ctx);

/**
 * iopmem_function_get_next() - the function after another one
 * @fn: the function before it
 *
 * Return: the function, or NULL after the last one.
 */
struct iopmem_function *iopmem_function_get_next(struct iopmem_function *fn);

/**
 * iopmem_function_foreach() - a loop over the functions
 * @ctx: the context
 * @fn: the function
 */
#define iopmem_function_foreach(ctx, fn) \
	for (fn = iopmem_function_get_first(ctx); \
	     fn != NULL; \
	     fn = iopmem_function_get_next(fn))

/**
 * iopmem_function_get_by_address() - the function at an address
 * @ctx: the context
 * @address: "DDDD:BB:DD.F", or "BB:DD.F" in domain 0; hexadecimal
 *
 * Return: the function, or NULL if there is none, or if @address is malformed.
 */
struct iopmem_function *
iopmem_function_get_by_address(struct iopmem_ctx *ctx, const char *address);

/**
 * iopmem_function_get_address() - where a function is
 * @fn: the function
 *
 * Return: its address, as in "0000:01:00.0".
 */
const char *iopmem_function_get_address(struct iopmem_function *fn);

/**
 * iopmem_function_get_vendor() - the vendor's number
 * @fn: the function
 *
 * Return: the vendor id, 0 to 0xffff.
 */
unsigned int iopmem_function_get_vendor(struct iopmem_function *fn);

/**
 * iopmem_function_get_device() - the device's number
 * @fn: the function
 *
 * Return: the device id, 0 to 0xffff, which the vendor has given.
 */
unsigned int iopmem_function_get_device(struct iopmem_function *fn);

/**
 * iopmem_function_get_vendor_name() - the vendor's name
 * @fn: the function
 *
 * Return: the name in the file pci.ids, or NULL if there is none.
 */
const char *iopmem_function_get_vendor_name(struct iopmem_function *fn);

/**
 * iopmem_function_get_device_name() - the device's name
 * @fn: the function
 *
 * Return: the name in the file pci.ids, or NULL if there is none.
 */
const char *iopmem_function_get_device_name(struct iopmem_function *fn);

/**
 * iopmem_function_get_driver() - which driver has a function
 * @fn: the function
 *
 * Return: the driver's name, or NULL if none has it.
 */
const char *iopmem_function_get_driver(struct iopmem_function *fn);

/**
 * enum iopmem_state - what a function is to iopmem
 * @IOPMEM_STATE_BOUND: the driver iopmem has it
 * @IOPMEM_STATE_AVAILABLE: no driver has it, and a BAR is eligible
 * @IOPMEM_STATE_IN_USE: a BAR is eligible, and another driver has the function
 * @IOPMEM_STATE_INELIGIBLE: no BAR is eligible
 */
enum iopmem_state {
	IOPMEM_STATE_BOUND,
	IOPMEM_STATE_AVAILABLE,
	IOPMEM_STATE_IN_USE,
	IOPMEM_STATE_INELIGIBLE,
};

/**
 * iopmem_function_get_state() - what a function is to iopmem
 * @fn: the function
 *
 * Return: one of enum iopmem_state.
 */
enum iopmem_state iopmem_function_get_state(struct iopmem_function *fn);

/* DOC: BARs */

/**
 * iopmem_bar_get_first() - the first BAR of a function
 * @fn: the function
 *
 * BARs are the implemented ones of the six standard ones, in their order.
 *
 * Return: the BAR, or NULL if there is none.
 */
struct iopmem_bar *iopmem_bar_get_first(struct iopmem_function *fn);

/**
 * iopmem_bar_get_next() - the BAR after another one
 * @bar: the BAR before it
 *
 * Return: the BAR, or NULL after the last one of the function.
 */
struct iopmem_bar *iopmem_bar_get_next(struct iopmem_bar *bar);

/**
 * iopmem_bar_foreach() - a loop over the BARs of a function
 * @fn: the function
 * @bar: the BAR
 */
#define iopmem_bar_foreach(fn, bar) \
	for (bar = iopmem_bar_get_first(fn); \
	     bar != NULL; \
	     bar = iopmem_bar_get_next(bar))

/**
 * iopmem_bar_get_function() - the function that a BAR belongs to
 * @bar: the BAR
 *
 * Return: the function.
 */
struct iopmem_function *iopmem_bar_get_function(struct iopmem_bar *bar);

/**
 * iopmem_bar_get_index() - which BAR it is
 * @bar: the BAR
 *
 * Return: 0 to 5.
 */
unsigned int iopmem_bar_get_index(struct iopmem_bar *bar);

/**
 * iopmem_bar_get_size() - how large a BAR is
 * @bar: the BAR
 *
 * Return: bytes.
 */
uint64_t iopmem_bar_get_size(struct iopmem_bar *bar);

/**
 * iopmem_bar_get_resource() - where the CPU sees a BAR
 * @bar: the BAR
 *
 * Return: the physical address of its first byte, or UINT64_MAX if none is
 * assigned.
 */
uint64_t iopmem_bar_get_resource(struct iopmem_bar *bar);

/**
 * iopmem_bar_get_bus_address() - where an initiator sees a BAR
 * @bar: the BAR
 * @address: set to what an initiator puts on the bus for its first byte
 *
 * It is taken from the BAR's register, or from the region where the register says
 * nothing, as in a virtual function.
 *
 * Return: 0; -ENXIO if no address is assigned, -EACCES if it takes root to tell,
 * -ENOENT if nothing tells it, -ENODEV if the function does not answer, -EINVAL if
 * what the region tells is no address, -ENOMEM, or the negative errno of reading
 * sysfs.
 */
int iopmem_bar_get_bus_address(struct iopmem_bar *bar, uint64_t *address);

/**
 * iopmem_bar_get_region() - the region that is made of a BAR
 * @bar: the BAR
 *
 * Return: the region, or NULL if there is none.
 */
struct iopmem_region *iopmem_bar_get_region(struct iopmem_bar *bar);

/**
 * enum iopmem_ineligible - why the driver would skip a BAR
 * @IOPMEM_ELIGIBLE: it would not
 * @IOPMEM_INELIGIBLE_NOT_IN_BARS: it is not in the module's parameter bars=
 * @IOPMEM_INELIGIBLE_IO: it is I/O ports
 * @IOPMEM_INELIGIBLE_NOT_PREFETCHABLE: reading it may have side effects
 * @IOPMEM_INELIGIBLE_UNASSIGNED: it has no address
 * @IOPMEM_INELIGIBLE_SMALL: it is smaller than 4 MiB
 * @IOPMEM_INELIGIBLE_BEYOND: it is beyond what the kernel can map
 *
 * Further ones may come.
 */
enum iopmem_ineligible {
	IOPMEM_ELIGIBLE,
	IOPMEM_INELIGIBLE_NOT_IN_BARS,
	IOPMEM_INELIGIBLE_IO,
	IOPMEM_INELIGIBLE_NOT_PREFETCHABLE,
	IOPMEM_INELIGIBLE_UNASSIGNED,
	IOPMEM_INELIGIBLE_SMALL,
	IOPMEM_INELIGIBLE_BEYOND,
};

/**
 * iopmem_bar_get_ineligible() - why the driver would skip a BAR
 * @bar: the BAR
 *
 * These are the rules that user space can check without touching the BAR. Only
 * binding tells whether the BAR is write-back by the firmware's MTRRs outside of
 * virtual machines, answers all ones, lies above a direct map that was made
 * smaller at boot (KASLR), is mapped by others with several memory types, or has
 * its label area reserved by someone else. A BAR of a bound function that has no
 * region was skipped for one of those.
 *
 * Return: the first reason of enum iopmem_ineligible, or IOPMEM_ELIGIBLE, which
 * is 0.
 */
enum iopmem_ineligible iopmem_bar_get_ineligible(struct iopmem_bar *bar);

/**
 * iopmem_ineligible_text() - a reason in words
 * @reason: of iopmem_bar_get_ineligible()
 *
 * Return: the words of the driver's log, or NULL for IOPMEM_ELIGIBLE. They are
 * constant.
 */
const char *iopmem_ineligible_text(enum iopmem_ineligible reason);

/* DOC: Regions */

/**
 * iopmem_region_get_ndctl() - the same region in libndctl
 * @region: the region
 *
 * For <ndctl/libndctl.h>, which has all else: name, size, namespaces, dimms.
 *
 * Return: libndctl's region. It belongs to the context.
 */
struct ndctl_region *iopmem_region_get_ndctl(struct iopmem_region *region);

/* DOC: Users of a function */

/**
 * iopmem_users_new() - see who uses a function now
 * @fn: the function
 * @users: set to what is found, to be freed
 *
 * Looks at the block and character devices and the network interfaces that its
 * driver has made, at what is made of these, at mounts, swap and all processes.
 * Block devices that only the kernel has open, for instance to export them by
 * NVMe over fabrics, cannot be told.
 *
 * Return: 0; -ENOENT if /proc is not mounted, or -ENOMEM.
 */
int iopmem_users_new(struct iopmem_function *fn, struct iopmem_users **users);

/**
 * iopmem_users_free() - free what iopmem_users_new() has found
 * @users: the users, or NULL
 */
void iopmem_users_free(struct iopmem_users *users);

/**
 * iopmem_users_get_unreadable() - how many processes were not looked into
 * @users: the users
 *
 * Return: the number of processes that took root, or in a container more than
 * that. They may be users too.
 */
unsigned int iopmem_users_get_unreadable(struct iopmem_users *users);

/**
 * iopmem_user_get_first() - the first user
 * @users: the users
 *
 * Return: the user, or NULL if there is none.
 */
struct iopmem_user *iopmem_user_get_first(struct iopmem_users *users);

/**
 * iopmem_user_get_next() - the user after another one
 * @user: the user before it
 *
 * Return: the user, or NULL after the last one.
 */
struct iopmem_user *iopmem_user_get_next(struct iopmem_user *user);

/**
 * iopmem_user_foreach() - a loop over the users
 * @users: the users
 * @user: the user
 */
#define iopmem_user_foreach(users, user) \
	for (user = iopmem_user_get_first(users); \
	     user != NULL; \
	     user = iopmem_user_get_next(user))

/**
 * enum iopmem_user_kind - in what way a function is used
 * @IOPMEM_USER_MOUNT: a file system of it is mounted
 * @IOPMEM_USER_SWAP: it is swap space
 * @IOPMEM_USER_DEVICE: another block device is made of it (dm, md, loop)
 * @IOPMEM_USER_PROCESS: a process has it, or a file on it, open or mapped
 * @IOPMEM_USER_NETWORK: it is a network interface that is up
 * @IOPMEM_USER_KERNEL: the kernel has it claimed, and nothing tells what for
 *
 * Further ones may come.
 */
enum iopmem_user_kind {
	IOPMEM_USER_MOUNT,
	IOPMEM_USER_SWAP,
	IOPMEM_USER_DEVICE,
	IOPMEM_USER_PROCESS,
	IOPMEM_USER_NETWORK,
	IOPMEM_USER_KERNEL,
};

/**
 * iopmem_user_get_kind() - in what way it uses the function
 * @user: the user
 *
 * Return: one of enum iopmem_user_kind.
 */
enum iopmem_user_kind iopmem_user_get_kind(struct iopmem_user *user);

/**
 * iopmem_user_kind_text() - a kind of user in words
 * @kind: of iopmem_user_get_kind()
 *
 * Return: some words, as in "swap space", or NULL if there is no such kind. They
 * are constant.
 */
const char *iopmem_user_kind_text(enum iopmem_user_kind kind);

/**
 * iopmem_user_get_device() - what it uses
 * @user: the user
 *
 * Return: the device's name, as in "pmem0", "dax0.0" or "eth0".
 */
const char *iopmem_user_get_device(struct iopmem_user *user);

/**
 * iopmem_user_get_path() - where it uses the function
 * @user: the user
 *
 * Return: the mount point, the file, or the name of the device that is made of it;
 * NULL for the other kinds. A file's name may have any bytes.
 */
const char *iopmem_user_get_path(struct iopmem_user *user);

/**
 * iopmem_user_get_pid() - the process that it is
 * @user: the user
 *
 * Return: the process; of a mount that is in another mount namespace than the
 * caller's, one that is in there. -ENODATA for all others.
 */
int iopmem_user_get_pid(struct iopmem_user *user);

/**
 * iopmem_user_get_text() - the user in words
 * @user: the user
 *
 * Return: some words, as in "pmem0 is mounted on /mnt". A path in them may have
 * any bytes.
 */
const char *iopmem_user_get_text(struct iopmem_user *user);

/* DOC: Bind and unbind */

/*
 * The flags of both have values of their own, so that those of the one are
 * unknown to the other.
 */

/**
 * enum iopmem_bind_flags - how iopmem_function_bind() goes about it
 * @IOPMEM_BIND_FORCE: take the function from another driver, if nobody uses it
 */
enum iopmem_bind_flags {
	IOPMEM_BIND_FORCE = 1 << 0,
};

/**
 * enum iopmem_unbind_flags - how iopmem_function_unbind() goes about it
 * @IOPMEM_UNBIND_FORCE: though the function is in use: what has device DAX mapped
 *	gets SIGBUS, for block devices the driver waits until they are closed
 */
enum iopmem_unbind_flags {
	IOPMEM_UNBIND_FORCE = 1 << 2,
};

/**
 * iopmem_function_can_bind() - would iopmem_function_bind() begin?
 * @fn: the function
 * @flags: of enum iopmem_bind_flags
 * @users: if not NULL, set to those that use the function, to be freed, or to
 *	NULL if there was no need to look
 *
 * Changes nothing and starts no process.
 *
 * Return: 0; -EINVAL if no BAR is eligible or a flag is unknown, -EACCES if not
 * root, -EBUSY if another driver has it and @flags have no IOPMEM_BIND_FORCE, or
 * if that driver's devices are in use, -ENOENT if /proc is not mounted, -ENODEV if
 * the function has gone, -EAGAIN if the kernel is about to bind or unbind it, and
 * waits, -ENOMEM.
 */
int iopmem_function_can_bind(struct iopmem_function *fn, unsigned int flags,
			     struct iopmem_users **users);

/**
 * iopmem_function_bind() - have the driver iopmem take a function
 * @fn: the function
 * @flags: of enum iopmem_bind_flags
 *
 * Loads the module. Waits for the driver that has the function, see
 * iopmem_set_wait_fn(). The context does not see the change.
 *
 * Return: 1 if something was changed, 0 if it was so already. Errors of
 * iopmem_function_can_bind(), of loading a module, of the driver; the function is
 * then where it was.
 */
int iopmem_function_bind(struct iopmem_function *fn, unsigned int flags);

/**
 * iopmem_function_can_unbind() - would iopmem_function_unbind() begin?
 * @fn: the function
 * @flags: of enum iopmem_unbind_flags
 * @users: as of iopmem_function_can_bind()
 *
 * Changes nothing and starts no process.
 *
 * Return: 0; -EINVAL if a flag is unknown, -EACCES if not root, -EBUSY if another
 * driver has it, or if it is in use and @flags have no IOPMEM_UNBIND_FORCE,
 * -ENOENT as above, -ENODEV if the function has gone, -EAGAIN as above, -ENOMEM.
 */
int iopmem_function_can_unbind(struct iopmem_function *fn, unsigned int flags,
			       struct iopmem_users **users);

/**
 * iopmem_function_unbind() - take a function away from the driver iopmem
 * @fn: the function
 * @flags: of enum iopmem_unbind_flags
 *
 * It has no driver then. The context does not see the change.
 *
 * Return: 1 if something was changed, 0 if not. Errors of
 * iopmem_function_can_unbind(); -EINTR if the function of iopmem_set_wait_fn()
 * said so: the kernel goes on by itself.
 */
int iopmem_function_unbind(struct iopmem_function *fn, unsigned int flags);

/**
 * typedef iopmem_wait_fn - is told what a removal waits for
 * @ctx: the context
 * @message: a line for people
 * @data: as given to iopmem_set_wait_fn()
 *
 * Return: false to end iopmem_function_unbind(). There is nothing to stop the
 * kernel, and iopmem_function_bind() goes on until it can put things back.
 */
typedef bool (*iopmem_wait_fn)(struct iopmem_ctx *ctx, const char *message,
			       void *data);

/**
 * iopmem_set_wait_fn() - be told what a removal waits for
 * @ctx: the context
 * @wait_fn: is called each second, unless it takes less than two; NULL: nothing is
 * @data: what it is called with
 */
void iopmem_set_wait_fn(struct iopmem_ctx *ctx, iopmem_wait_fn wait_fn,
			void *data);

/* DOC: Maps: contents of files, ready for DMA */

/**
 * enum iopmem_map_flags - how iopmem_map_new() maps
 * @IOPMEM_MAP_READ_ONLY: for reading, and the file is not changed: all of it has
 *	to be written already
 */
enum iopmem_map_flags {
	IOPMEM_MAP_READ_ONLY = 1 << 0,
};

/**
 * iopmem_map_new() - map a DAX file or a device DAX node
 * @ctx: the context
 * @path: a file on an fsdax namespace, or /dev/daxX.Y
 * @offset: of the first byte, need not be aligned
 * @length: bytes, or 0 for all that follows
 * @flags: of enum iopmem_map_flags
 * @map: set to the map, to be freed
 *
 * Maps it shared and faults all of it in. Without IOPMEM_MAP_READ_ONLY this
 * allocates what is a hole, and has the file system see as written what is not:
 * what a device puts there is then read by read(2) too. Then it finds the extents
 * and compares each page with what /proc/self/pagemap has for the mapping.
 *
 * The extents of a device DAX node are valid while its namespace is there. Those
 * of a file are valid while nobody truncates, punches, clones, defragments or
 * removes it, also when it is mapped: the kernel waits with that only for pages
 * that are pinned, as by O_DIRECT I/O in flight.
 *
 * Return: 0; -EACCES or -EPERM if it takes root, or the file may not be opened so;
 * -ENXIO if it is not on iopmem, or no file; -EOPNOTSUPP if it is not DAX, or has
 * contents that have no place of their own; -ERANGE if it ends before @offset +
 * @length, or is empty; -EAGAIN if it was moved meanwhile; -EFAULT if pages cannot
 * be had, for instance since there is no space; -EINVAL if a flag is unknown;
 * -ENOMEM, or another error of open(2) or mmap(2).
 */
int iopmem_map_new(struct iopmem_ctx *ctx, const char *path, uint64_t offset,
		   uint64_t length, unsigned int flags,
		   struct iopmem_map **map);

/**
 * iopmem_map_free() - end a mapping, and free the map and its extents
 * @map: the map, or NULL
 */
void iopmem_map_free(struct iopmem_map *map);

/**
 * iopmem_map_get_address() - where the contents are mapped
 * @map: the map
 *
 * It is a buffer for the CPU, or for read(2) and write(2) of a file opened
 * O_DIRECT, whose device then does its DMA to the card. Where the file is
 * truncated, or the function is removed, touching it is a SIGBUS.
 *
 * Return: the address of the byte at the offset that was asked for.
 */
void *iopmem_map_get_address(struct iopmem_map *map);

/**
 * iopmem_map_get_length() - how much is mapped
 * @map: the map
 *
 * Return: bytes, from the offset that was asked for.
 */
uint64_t iopmem_map_get_length(struct iopmem_map *map);

/**
 * iopmem_map_get_device() - the device that the contents are on
 * @map: the map
 *
 * Return: the name of the block or character device, as in "pmem0".
 */
const char *iopmem_map_get_device(struct iopmem_map *map);

/**
 * iopmem_map_is_devdax() - is it a device DAX node?
 * @map: the map
 *
 * Return: true, or false for a file.
 */
bool iopmem_map_is_devdax(struct iopmem_map *map);

/**
 * iopmem_map_sync() - wait until the CPU's stores have reached the card
 * @map: the map
 *
 * Call it before a device reads what the CPU wrote. A device's own writes need
 * none of it. For a file this is msync(2), which fails if the function was reset
 * or is gone. For device DAX there is no such call: it is a fence and a read from
 * the mapping, which cannot tell whether the function is still there.
 *
 * Return: 0, or -EIO, -EINVAL or -ENOMEM, as of msync(2).
 */
int iopmem_map_sync(struct iopmem_map *map);

/**
 * iopmem_extent_get_first() - the first extent of a map
 * @map: the map
 *
 * Extents are in the order of the file and without gaps. What is contiguous on the
 * card is one extent.
 *
 * Return: the extent. There is one at least.
 */
struct iopmem_extent *iopmem_extent_get_first(struct iopmem_map *map);

/**
 * iopmem_extent_get_next() - the extent after another one
 * @extent: the extent before it
 *
 * Return: the extent, or NULL after the last one.
 */
struct iopmem_extent *iopmem_extent_get_next(struct iopmem_extent *extent);

/**
 * iopmem_extent_foreach() - a loop over the extents of a map
 * @map: the map
 * @extent: the extent
 */
#define iopmem_extent_foreach(map, extent) \
	for (extent = iopmem_extent_get_first(map); \
	     extent != NULL; \
	     extent = iopmem_extent_get_next(extent))

/**
 * iopmem_extent_get_offset() - where an extent begins in the file
 * @extent: the extent
 *
 * Return: bytes from the file's start.
 */
uint64_t iopmem_extent_get_offset(struct iopmem_extent *extent);

/**
 * iopmem_extent_get_length() - how long an extent is
 * @extent: the extent
 *
 * Return: bytes.
 */
uint64_t iopmem_extent_get_length(struct iopmem_extent *extent);

/**
 * iopmem_extent_get_resource() - where the CPU sees an extent
 * @extent: the extent
 *
 * Return: the physical address of its first byte.
 */
uint64_t iopmem_extent_get_resource(struct iopmem_extent *extent);

/**
 * iopmem_extent_get_bus_address() - where an initiator sees an extent
 * @extent: the extent
 *
 * Return: what an initiator puts on the bus for its first byte. With an IOMMU this
 * is only so if it does not translate.
 */
uint64_t iopmem_extent_get_bus_address(struct iopmem_extent *extent);

/**
 * iopmem_extent_get_bar() - the BAR that an extent is in
 * @extent: the extent
 *
 * Return: the BAR.
 */
struct iopmem_bar *iopmem_extent_get_bar(struct iopmem_extent *extent);

/* DOC: Paths between functions */

/**
 * enum iopmem_verdict - does DMA from one function reach another one's BAR?
 * @IOPMEM_VERDICT_UNKNOWN: it depends on hardware of which nothing is known
 * @IOPMEM_VERDICT_DIRECT: yes, not passing the root complex
 * @IOPMEM_VERDICT_ROOT_COMPLEX: yes, through a root complex that is known to
 *	pass it
 * @IOPMEM_VERDICT_BLOCKED: no, as things are now
 */
enum iopmem_verdict {
	IOPMEM_VERDICT_UNKNOWN,
	IOPMEM_VERDICT_DIRECT,
	IOPMEM_VERDICT_ROOT_COMPLEX,
	IOPMEM_VERDICT_BLOCKED,
};

/**
 * iopmem_path_new() - find the path between two functions, and a verdict
 * @initiator: the function that does the DMA
 * @target: the function whose BAR is the memory, in the same context
 * @path: set to the path, to be freed
 *
 * Return: 0; -EACCES if it takes root to tell, -ENODEV if a function on the path
 * does not answer, -EBADMSG if one's list of capabilities is broken, -E2BIG if
 * there are more than 64 bridges above one of them, -EINVAL, -EIO, -ENOMEM.
 */
int iopmem_path_new(struct iopmem_function *initiator,
		    struct iopmem_function *target, struct iopmem_path **path);

/**
 * iopmem_path_free() - free a path
 * @path: the path, or NULL
 */
void iopmem_path_free(struct iopmem_path *path);

/**
 * iopmem_path_get_verdict() - does DMA get through?
 * @path: the path
 *
 * Return: one of enum iopmem_verdict.
 */
enum iopmem_verdict iopmem_path_get_verdict(struct iopmem_path *path);

/**
 * iopmem_verdict_text() - a verdict in a word
 * @verdict: of iopmem_path_get_verdict()
 *
 * Return: "unknown", "direct", "root-complex" or "blocked", which are constant, or
 * NULL if there is no such verdict.
 */
const char *iopmem_verdict_text(enum iopmem_verdict verdict);

/**
 * iopmem_path_get_function() - a function on the path
 * @path: the path
 * @index: from 0, the initiator, to the target
 *
 * Return: the function, or NULL after the target.
 */
struct iopmem_function *
iopmem_path_get_function(struct iopmem_path *path, unsigned int index);

/**
 * enum iopmem_path_reason - what a verdict comes from
 * @IOPMEM_REASON_SAME_FUNCTION: initiator and target are one function
 * @IOPMEM_REASON_BUS_MASTER_OFF: a function may not send requests upstream
 * @IOPMEM_REASON_MEMORY_OFF: a function does not answer to its addresses, or a
 *	bridge passes no requests downstream
 * @IOPMEM_REASON_NO_IOMMU: the initiator is in no IOMMU group
 * @IOPMEM_REASON_IOMMU_TYPE: the type of the initiator's IOMMU group
 * @IOPMEM_REASON_ACS_REDIRECTS: ACS sends requests or completions upstream
 * @IOPMEM_REASON_ACS_BLOCKS: ACS makes errors of peer requests
 * @IOPMEM_REASON_ACS_UNKNOWN: it takes root to tell what ACS does
 * @IOPMEM_REASON_COMMON_BRIDGE: a bridge is above both
 * @IOPMEM_REASON_HOST_BRIDGE: only a host bridge is, or several
 * @IOPMEM_REASON_HOST_LISTED: the host bridge is known to pass it
 * @IOPMEM_REASON_HOST_NOT_LISTED: the host bridge is not known to pass it
 * @IOPMEM_REASON_HOST_UNKNOWN: which host bridge it is cannot be told
 * @IOPMEM_REASON_VIRTUAL_MACHINE: the hypervisor decides
 *
 * Further ones may come.
 */
enum iopmem_path_reason {
	IOPMEM_REASON_SAME_FUNCTION,
	IOPMEM_REASON_BUS_MASTER_OFF,
	IOPMEM_REASON_MEMORY_OFF,
	IOPMEM_REASON_NO_IOMMU,
	IOPMEM_REASON_IOMMU_TYPE,
	IOPMEM_REASON_ACS_REDIRECTS,
	IOPMEM_REASON_ACS_BLOCKS,
	IOPMEM_REASON_ACS_UNKNOWN,
	IOPMEM_REASON_COMMON_BRIDGE,
	IOPMEM_REASON_HOST_BRIDGE,
	IOPMEM_REASON_HOST_LISTED,
	IOPMEM_REASON_HOST_NOT_LISTED,
	IOPMEM_REASON_HOST_UNKNOWN,
	IOPMEM_REASON_VIRTUAL_MACHINE,
};

/**
 * iopmem_path_get_reason() - a reason of the verdict
 * @path: the path
 * @index: from 0 on
 *
 * Return: one of enum iopmem_path_reason, or -ENODATA after the last one.
 */
int iopmem_path_get_reason(struct iopmem_path *path, unsigned int index);

/**
 * iopmem_path_get_reason_text() - a reason of the verdict in words
 * @path: the path
 * @index: from 0 on
 *
 * Return: a line that names the function or the host bridge that it is about, or
 * NULL after the last one.
 */
const char *iopmem_path_get_reason_text(struct iopmem_path *path,
					unsigned int index);

#ifdef __cplusplus
}
#endif

#endif /* _IOPMEM_H_ */
