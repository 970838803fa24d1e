/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libiopmem: PCI functions whose BARs are, or could be, persistent memory
 * regions of the driver iopmem_bus
 *
 * See libiopmem(3). It is made of the comments here, and it says first what
 * holds for all functions.
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
 * This reads nothing yet.
 *
 * Return: 0, or -ENOMEM.
 */
int iopmem_new(struct iopmem_ctx **ctx);

/**
 * iopmem_ref() - take a reference to a context
 * @ctx: the context, or NULL
 *
 * Return: @ctx.
 */
struct iopmem_ctx *iopmem_ref(struct iopmem_ctx *ctx);

/**
 * iopmem_unref() - drop a reference to a context
 * @ctx: the context, or NULL
 *
 * Dropping the last reference frees the context and all that belongs to it.
 * Maps, paths and users hold their own references.
 *
 * Return: @ctx, or NULL if it is freed.
 */
struct iopmem_ctx *iopmem_unref(struct iopmem_ctx *ctx);

/**
 * iopmem_get_error() - the reason of the last failure in a context
 * @ctx: the context
 *
 * Return: one line for people, without a newline. It says what is wrong, where,
 * and what to do. It is "" if nothing has failed yet, and it is valid until the
 * next call into the library.
 */
const char *iopmem_get_error(struct iopmem_ctx *ctx);

/**
 * typedef iopmem_log_fn - gets messages
 * @ctx: the context
 * @priority: as for syslog(3)
 * @file: the source file that the message comes from
 * @line: the line there
 * @fn: the function there
 * @format: as for printf(3), with a newline at its end
 * @args: as for vprintf(3)
 */
typedef void (*iopmem_log_fn)(struct iopmem_ctx *ctx, int priority,
			      const char *file, int line, const char *fn,
			      const char *format, va_list args);

/**
 * iopmem_set_log_fn() - send messages elsewhere
 * @ctx: the context
 * @log_fn: called with each message; NULL, the default: print to stderr
 */
void iopmem_set_log_fn(struct iopmem_ctx *ctx, iopmem_log_fn log_fn);

/**
 * iopmem_set_log_priority() - choose which messages are logged
 * @ctx: the context
 * @priority: as for syslog(3); less important messages are left out
 *
 * The default is LOG_ERR. It is LOG_DEBUG if the environment has
 * IOPMEM_LOG=debug and the program is not set-user-ID.
 */
void iopmem_set_log_priority(struct iopmem_ctx *ctx, int priority);

/**
 * iopmem_get_ndctl() - get libndctl's context
 * @ctx: the context
 *
 * The first call makes it. It belongs to @ctx. Use it with <ndctl/libndctl.h>.
 *
 * Return: libndctl's context, or NULL if libndctl cannot make one.
 */
struct ndctl_ctx *iopmem_get_ndctl(struct iopmem_ctx *ctx);

/**
 * iopmem_scan() - read the machine's PCI functions
 * @ctx: the context
 *
 * The first call reads them, in one pass over sysfs. Each later call reads
 * nothing and returns the same result. A program need not call this:
 * iopmem_function_get_first() does it if nobody has.
 *
 * Return: the number of functions that sysfs lists but that could not be read,
 * for instance because they have gone meanwhile. They are left out, and
 * iopmem_get_error() names the last of them. -ENOENT if there is no PCI in
 * sysfs, -ENOMEM, or another error of open(2).
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
 * Return: the device id, 0 to 0xffff, which the vendor assigns.
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
 * iopmem_function_get_driver() - the driver that a function is bound to
 * @fn: the function
 *
 * Return: the driver's name, or NULL if it is bound to none.
 */
const char *iopmem_function_get_driver(struct iopmem_function *fn);

/**
 * enum iopmem_state - whether iopmem uses a function, or could
 * @IOPMEM_STATE_BOUND: it is bound to the driver iopmem
 * @IOPMEM_STATE_AVAILABLE: a BAR is eligible, and the function has no driver
 * @IOPMEM_STATE_IN_USE: a BAR is eligible, and the function has another driver
 * @IOPMEM_STATE_INELIGIBLE: no BAR is eligible
 */
enum iopmem_state {
	IOPMEM_STATE_BOUND,
	IOPMEM_STATE_AVAILABLE,
	IOPMEM_STATE_IN_USE,
	IOPMEM_STATE_INELIGIBLE,
};

/**
 * iopmem_function_get_state() - whether iopmem uses a function, or could
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
 * The BARs are those of the six standard BARs that the function implements, in
 * their order.
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
 * @address: set to the bus address of its first byte
 *
 * The address comes from the BAR's register. If the register is empty, as in a
 * virtual function, it comes from the region.
 *
 * Return: 0; -ENXIO if no address is assigned, -EACCES if reading it needs
 * root, -ENOENT if the register is empty and there is no region, -ENODEV if the
 * function does not answer, -EINVAL if the region's value is no address,
 * -ENOMEM, or the negative errno of reading sysfs.
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
 * @IOPMEM_ELIGIBLE: the driver would not skip it
 * @IOPMEM_INELIGIBLE_NOT_IN_BARS: it is not in the module's parameter bars=
 * @IOPMEM_INELIGIBLE_IO: it has I/O ports, not memory
 * @IOPMEM_INELIGIBLE_NOT_PREFETCHABLE: reading it may have side effects
 * @IOPMEM_INELIGIBLE_UNASSIGNED: it has no address
 * @IOPMEM_INELIGIBLE_SMALL: it is smaller than 4 MiB
 * @IOPMEM_INELIGIBLE_BEYOND: it is beyond what the kernel can map
 *
 * Later versions may have more reasons.
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
 * binding shows the other reasons: outside of virtual machines, the firmware's
 * MTRRs may make the BAR write-back; it may answer all ones; it may lie above a
 * direct map that KASLR has made smaller at boot; others may map it with
 * several memory types; someone else may have reserved its label area. If a
 * function is bound and one of its eligible BARs has no region, one of these is
 * the reason.
 *
 * Return: the first reason of enum iopmem_ineligible, or IOPMEM_ELIGIBLE, which
 * is 0.
 */
enum iopmem_ineligible iopmem_bar_get_ineligible(struct iopmem_bar *bar);

/**
 * iopmem_ineligible_text() - a reason in words
 * @reason: of iopmem_bar_get_ineligible()
 *
 * Return: the words that the driver logs, a constant string, or NULL for
 * IOPMEM_ELIGIBLE.
 */
const char *iopmem_ineligible_text(enum iopmem_ineligible reason);

/* DOC: Regions */

/**
 * iopmem_region_get_ndctl() - the same region in libndctl
 * @region: the region
 *
 * Use it with <ndctl/libndctl.h>, which tells the name, size, namespaces and
 * dimms.
 *
 * Return: libndctl's region. It belongs to the context.
 */
struct ndctl_region *iopmem_region_get_ndctl(struct iopmem_region *region);

/* DOC: Users of a function */

/**
 * iopmem_users_new() - find out who uses a function now
 * @fn: the function
 * @users: set to the users that are found, to be freed
 *
 * This looks at the block devices, character devices and network interfaces of
 * its driver, at the devices that are made of them, at mounts, at swap space
 * and at all processes. It cannot find a user if only the kernel has a block
 * device open, for instance to export it by NVMe over fabrics.
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
 * iopmem_users_get_unreadable() - how many processes could not be looked into
 * @users: the users
 *
 * Return: the number of processes that need root to be looked into, or in a
 * container even more rights. They may be users too.
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
 * enum iopmem_user_kind - how a function is used
 * @IOPMEM_USER_MOUNT: a file system on it is mounted
 * @IOPMEM_USER_SWAP: it is swap space
 * @IOPMEM_USER_DEVICE: another block device is made of it (dm, md, loop)
 * @IOPMEM_USER_PROCESS: a process has it, or a file on it, open or mapped
 * @IOPMEM_USER_NETWORK: it is a network interface that is up
 * @IOPMEM_USER_KERNEL: the kernel has claimed it for an unknown purpose
 *
 * Later versions may have more kinds.
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
 * iopmem_user_get_kind() - how a user uses the function
 * @user: the user
 *
 * Return: one of enum iopmem_user_kind.
 */
enum iopmem_user_kind iopmem_user_get_kind(struct iopmem_user *user);

/**
 * iopmem_user_kind_text() - a kind of user in words
 * @kind: of iopmem_user_get_kind()
 *
 * Return: some words, as in "swap space", a constant string, or NULL if there
 * is no such kind.
 */
const char *iopmem_user_kind_text(enum iopmem_user_kind kind);

/**
 * iopmem_user_get_device() - which device of the function a user uses
 * @user: the user
 *
 * Return: the device's name, as in "pmem0", "dax0.0" or "eth0".
 */
const char *iopmem_user_get_device(struct iopmem_user *user);

/**
 * iopmem_user_get_path() - the path of a user
 * @user: the user
 *
 * Return: the mount point of a mount, the file of a process, or the name of the
 * device that is made of it; NULL for the other kinds. A file's name may have
 * any bytes.
 */
const char *iopmem_user_get_path(struct iopmem_user *user);

/**
 * iopmem_user_get_pid() - the process of a user
 * @user: the user
 *
 * Return: the process id. If the user is a mount in another mount namespace
 * than the caller's, it is that of a process in there. -ENODATA for all other
 * users.
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
 * The flags of bind and unbind have different values, so that each of the two
 * refuses the flags of the other.
 */

/**
 * enum iopmem_bind_flags - flags of iopmem_function_bind()
 * @IOPMEM_BIND_FORCE: take the function from another driver, if nobody uses it
 */
enum iopmem_bind_flags {
	IOPMEM_BIND_FORCE = 1 << 0,
};

/**
 * enum iopmem_unbind_flags - flags of iopmem_function_unbind()
 * @IOPMEM_UNBIND_FORCE: unbind although the function is in use: processes that
 *	have device DAX mapped get SIGBUS, and the driver waits until block
 *	devices are closed
 */
enum iopmem_unbind_flags {
	IOPMEM_UNBIND_FORCE = 1 << 2,
};

/**
 * iopmem_function_can_bind() - find out if iopmem_function_bind() would begin
 * @fn: the function
 * @flags: of enum iopmem_bind_flags
 * @users: if not NULL, set to the users of the function, to be freed, or to
 *	NULL if there was no need to look for them
 *
 * This changes nothing and starts no process.
 *
 * Return: 0; -EINVAL if no BAR is eligible or a flag is unknown, -EACCES if not
 * root, -EBUSY if it is bound to another driver and @flags lack
 * IOPMEM_BIND_FORCE, or if that driver's devices are in use, -ENOENT if /proc
 * is not mounted, -ENODEV if the function has gone, -EAGAIN if the kernel is
 * binding or unbinding it and waits, -ENOMEM.
 */
int iopmem_function_can_bind(struct iopmem_function *fn, unsigned int flags,
			     struct iopmem_users **users);

/**
 * iopmem_function_bind() - bind a function to the driver iopmem
 * @fn: the function
 * @flags: of enum iopmem_bind_flags
 *
 * This loads the module. It waits until the function's present driver has let
 * it go, see iopmem_set_wait_fn(). The context does not see the change.
 *
 * Return: 1 if something was changed, 0 if the function was bound already, or
 * an error of iopmem_function_can_bind(), of loading the module or of the
 * driver. After an error the function is as it was before.
 */
int iopmem_function_bind(struct iopmem_function *fn, unsigned int flags);

/**
 * iopmem_function_can_unbind() - find out if iopmem_function_unbind() would
 * begin
 * @fn: the function
 * @flags: of enum iopmem_unbind_flags
 * @users: as for iopmem_function_can_bind()
 *
 * This changes nothing and starts no process.
 *
 * Return: 0; -EINVAL if a flag is unknown, -EACCES if not root, -EBUSY if it is
 * bound to another driver, or if it is in use and @flags lack
 * IOPMEM_UNBIND_FORCE, -ENODEV if the function has gone, and -ENOENT, -EAGAIN
 * and -ENOMEM as for iopmem_function_can_bind().
 */
int iopmem_function_can_unbind(struct iopmem_function *fn, unsigned int flags,
			       struct iopmem_users **users);

/**
 * iopmem_function_unbind() - unbind a function from the driver iopmem
 * @fn: the function
 * @flags: of enum iopmem_unbind_flags
 *
 * The function has no driver after that. The context does not see the change.
 *
 * Return: 1 if something was changed, 0 if not, or an error of
 * iopmem_function_can_unbind(). -EINTR if the function of iopmem_set_wait_fn()
 * returned false: the kernel then goes on by itself.
 */
int iopmem_function_unbind(struct iopmem_function *fn, unsigned int flags);

/**
 * typedef iopmem_wait_fn - is told what a removal waits for
 * @ctx: the context
 * @message: a line for people
 * @data: as given to iopmem_set_wait_fn()
 *
 * Return: false to end iopmem_function_unbind(). Nothing can stop the kernel,
 * so it goes on. iopmem_function_bind() does not end either, until it can put
 * the function back.
 */
typedef bool (*iopmem_wait_fn)(struct iopmem_ctx *ctx, const char *message,
			       void *data);

/**
 * iopmem_set_wait_fn() - be told what a removal waits for
 * @ctx: the context
 * @wait_fn: called once a second, after two seconds at the earliest; NULL: none
 * @data: what it is called with
 */
void iopmem_set_wait_fn(struct iopmem_ctx *ctx, iopmem_wait_fn wait_fn,
			void *data);

/* DOC: Maps: contents of files, ready for DMA */

/**
 * enum iopmem_map_flags - flags of iopmem_map_new()
 * @IOPMEM_MAP_READ_ONLY: map for reading; this does not change the file, so all
 *	of it must have been written already
 */
enum iopmem_map_flags {
	IOPMEM_MAP_READ_ONLY = 1 << 0,
};

/**
 * iopmem_map_new() - map a DAX file or a device DAX node
 * @ctx: the context
 * @path: a file on an fsdax namespace, or /dev/daxX.Y
 * @offset: of the first byte; it need not be aligned
 * @length: bytes, or 0 for all that follows
 * @flags: of enum iopmem_map_flags
 * @map: set to the map, to be freed
 *
 * This maps the file shared and faults in all of its pages. Without
 * IOPMEM_MAP_READ_ONLY that allocates its holes and makes the file system treat
 * unwritten extents as written, so that read(2) returns what a device writes
 * there. Then this finds the extents and compares the address of each page with
 * that in /proc/self/pagemap.
 *
 * The extents of a device DAX node are valid as long as its namespace exists.
 * Those of a file are valid until someone truncates, punches, clones,
 * defragments or removes it. The mapping does not prevent that: the kernel
 * waits only for pinned pages, for instance those of O_DIRECT I/O in flight.
 *
 * Return: 0; -EACCES or -EPERM if this needs root, or if the file may not be
 * opened for that; -ENXIO if it is not on iopmem, or is neither a file nor a
 * device DAX node; -EOPNOTSUPP if it is not DAX, or if some of its contents
 * have no place of their own; -ERANGE if it ends before @offset + @length, or
 * is empty; -EAGAIN if it was moved meanwhile; -EFAULT if its pages cannot be
 * faulted in, for instance because there is no space; -EINVAL if a flag is
 * unknown; -ENOMEM, or another error of open(2) or mmap(2).
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
 * The CPU can use it as a buffer. It can also be the buffer of read(2) or
 * write(2) on a file that is opened with O_DIRECT: the device of that file then
 * does its DMA to the card. If the mapped file is truncated, or the function
 * removed, an access to the buffer raises SIGBUS.
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
 * iopmem_map_is_devdax() - whether a device DAX node is mapped
 * @map: the map
 *
 * Return: true, or false for a file.
 */
bool iopmem_map_is_devdax(struct iopmem_map *map);

/**
 * iopmem_map_sync() - wait until the CPU's stores have reached the card
 * @map: the map
 *
 * Call it before a device reads what the CPU wrote. What a device writes does
 * not need it. For a file this is msync(2), which fails if the function was
 * reset or is gone. Device DAX has no such call, so this does a fence and a
 * read from the mapping. These cannot tell whether the function is still there.
 *
 * Return: 0, or -EIO, -EINVAL or -ENOMEM, as for msync(2).
 */
int iopmem_map_sync(struct iopmem_map *map);

/**
 * iopmem_extent_get_first() - the first extent of a map
 * @map: the map
 *
 * The extents are in the order of the file and have no gaps. What is contiguous
 * on the card is one extent.
 *
 * Return: the extent. There is at least one.
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
 * Return: the bus address of its first byte. If an IOMMU translates for the
 * initiator, the initiator needs another address.
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
 * enum iopmem_verdict - whether DMA from one function reaches the BAR of
 * another
 * @IOPMEM_VERDICT_UNKNOWN: that depends on hardware that is not known
 * @IOPMEM_VERDICT_DIRECT: it does, without passing the root complex
 * @IOPMEM_VERDICT_ROOT_COMPLEX: it does, through a root complex that is known
 *	to pass peer-to-peer DMA
 * @IOPMEM_VERDICT_BLOCKED: it does not, as the functions are set up now
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
 * Return: 0; -EACCES if this needs root, -ENODEV if a function on the path does
 * not answer, -EBADMSG if the list of capabilities of one is broken, -E2BIG if
 * more than 64 bridges are above the initiator or the target, -EINVAL, -EIO,
 * -ENOMEM.
 */
int iopmem_path_new(struct iopmem_function *initiator,
		    struct iopmem_function *target, struct iopmem_path **path);

/**
 * iopmem_path_free() - free a path
 * @path: the path, or NULL
 */
void iopmem_path_free(struct iopmem_path *path);

/**
 * iopmem_path_get_verdict() - whether DMA gets through
 * @path: the path
 *
 * Return: one of enum iopmem_verdict.
 */
enum iopmem_verdict iopmem_path_get_verdict(struct iopmem_path *path);

/**
 * iopmem_verdict_text() - a verdict in a word
 * @verdict: of iopmem_path_get_verdict()
 *
 * Return: one of the constant strings "unknown", "direct", "root-complex" and
 * "blocked", or NULL if there is no such verdict.
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
 * enum iopmem_path_reason - the reasons for a verdict
 * @IOPMEM_REASON_SAME_FUNCTION: initiator and target are one function
 * @IOPMEM_REASON_BUS_MASTER_OFF: a function may not send requests upstream
 * @IOPMEM_REASON_MEMORY_OFF: a function does not answer to its addresses, or a
 *	bridge passes no requests downstream
 * @IOPMEM_REASON_NO_IOMMU: the initiator is in no IOMMU group
 * @IOPMEM_REASON_IOMMU_TYPE: the type of the initiator's IOMMU group
 * @IOPMEM_REASON_ACS_REDIRECTS: ACS sends requests or completions upstream
 * @IOPMEM_REASON_ACS_BLOCKS: ACS turns peer requests into errors
 * @IOPMEM_REASON_ACS_UNKNOWN: reading the ACS controls needs root
 * @IOPMEM_REASON_COMMON_BRIDGE: a bridge is above both functions
 * @IOPMEM_REASON_HOST_BRIDGE: no bridge is above both, only host bridges are
 * @IOPMEM_REASON_HOST_LISTED: the host bridge is known to pass peer-to-peer DMA
 * @IOPMEM_REASON_HOST_NOT_LISTED: the host bridge is not known to pass it
 * @IOPMEM_REASON_HOST_UNKNOWN: the host bridge cannot be identified
 * @IOPMEM_REASON_VIRTUAL_MACHINE: the hypervisor decides
 *
 * Later versions may have more reasons.
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
 * Return: a line that names the function or the host bridge in question, or
 * NULL after the last reason.
 */
const char *iopmem_path_get_reason_text(struct iopmem_path *path,
					unsigned int index);

#ifdef __cplusplus
}
#endif

#endif /* _IOPMEM_H_ */
