// SPDX-License-Identifier: GPL-2.0-only
/*
 * failcall: make calls of a kernel function fail, for one caller
 *
 * The parameter "func" names the functions that can fail. Writing to the parameter
 * "fail" chooses one of them, and the caller. Then a call does not enter the
 * function, but returns a value of ours. Tests look at what the caller does.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/ptrace.h>
#include <linux/string.h>

#define MAX_PROBES	32

static char *func;
module_param(func, charp, 0444);
MODULE_PARM_DESC(func, "The functions, separated by commas. Functions that do not exist are left out");

static struct kprobe probes[MAX_PROBES];
static int num_probes;

/* The function that fails, if active is set, and the caller */
static struct kprobe *active;
static char caller[64];
static long value;
static unsigned int nth;

static atomic_t calls = ATOMIC_INIT(0);

static uint hits;
module_param(hits, uint, 0444);
MODULE_PARM_DESC(hits, "How many calls have failed since \"fail\" was written");

/* A failing call ends up here instead of in the function. */
static noinline notrace long failcall_return(void)
{
	return READ_ONCE(value);
}
NOKPROBE_SYMBOL(failcall_return);

/* Only right at the function's first instruction */
static void *caller_of(struct pt_regs *regs)
{
#ifdef CONFIG_ARM64
	return (void *)procedure_link_pointer(regs);
#else
	return (void *)regs_get_kernel_stack_nth(regs, 0);
#endif
}
NOKPROBE_SYMBOL(caller_of);

static int failcall_pre(struct kprobe *p, struct pt_regs *regs)
{
	char name[KSYM_SYMBOL_LEN];

	/* pairs with smp_store_release() in fail_set() */
	if (smp_load_acquire(&active) != p)
		return 0;

	snprintf(name, sizeof(name), "%pS", caller_of(regs));
	if (!strstr(name, caller) || atomic_inc_return(&calls) != nth)
		return 0;

	WRITE_ONCE(hits, hits + 1);
	instruction_pointer_set(regs, (unsigned long)failcall_return);
	return 1;
}
NOKPROBE_SYMBOL(failcall_pre);

/*
 * A probe with a post handler is never optimized to a jump. That would ignore the
 * instruction pointer that failcall_pre() sets.
 */
static void failcall_post(struct kprobe *p, struct pt_regs *regs,
			  unsigned long flags)
{
}
NOKPROBE_SYMBOL(failcall_post);

static struct kprobe *find_probe(const char *name)
{
	int i;

	for (i = 0; i < num_probes; i++)
		if (!strcmp(probes[i].symbol_name, name))
			return &probes[i];
	return NULL;
}

static int fail_set(const char *val, const struct kernel_param *kp)
{
	char names[64], *rest = names, *name;
	struct kprobe *p = NULL;

	WRITE_ONCE(active, NULL);
	if (sysfs_streq(val, ""))
		return 0;
	if (sscanf(val, "%63s %ld %u %63s", names, &value, &nth, caller) != 4)
		return -EINVAL;

	while (!p && (name = strsep(&rest, ",")))
		p = find_probe(name);
	if (!p)
		return -ENOENT;

	hits = 0;
	atomic_set(&calls, 0);
	/* failcall_pre() reads caller, value and nth after active */
	smp_store_release(&active, p);
	return 0;
}

static const struct kernel_param_ops fail_ops = {
	.set = fail_set,
};
module_param_cb(fail, &fail_ops, NULL, 0200);
MODULE_PARM_DESC(fail, "\"function value n caller\": the nth call from a caller returns the value. The caller's name has to contain the given text, in the form of stack traces, name+0x1/0x2 [module]. Of several functions, separated by commas, the first that exists is used. Empty: nothing fails");

static void remove_probes(void)
{
	int i;

	for (i = 0; i < num_probes; i++)
		unregister_kprobe(&probes[i]);
}

static int __init failcall_init(void)
{
	char *rest = func, *name;
	int rc;

	while ((name = strsep(&rest, ","))) {
		struct kprobe *p = &probes[num_probes];

		if (num_probes == MAX_PROBES) {
			remove_probes();
			return -E2BIG;
		}
		/* Begin with an empty probe. A refused one has left its address here. */
		*p = (struct kprobe) {
			.symbol_name = name,
			.pre_handler = failcall_pre,
			.post_handler = failcall_post,
		};
		rc = register_kprobe(p);
		if (rc)
			pr_info("no probe of %s (%d)\n", name, rc);
		else
			num_probes++;
	}
	return num_probes ? 0 : -ENOENT;
}
module_init(failcall_init);

static void __exit failcall_exit(void)
{
	remove_probes();
}
module_exit(failcall_exit);

MODULE_DESCRIPTION("Makes a kernel function fail, for iopmem's tests");
MODULE_AUTHOR("iopmem developers");
MODULE_LICENSE("GPL");
