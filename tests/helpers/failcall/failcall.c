// SPDX-License-Identifier: GPL-2.0-only
/*
 * failcall: a kernel function fails for who is named as its caller
 *
 * While the module is loaded, the nth call does not get into the function: it
 * returns a value of ours. For the tests of what is done about it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/ptrace.h>
#include <linux/string.h>

static char *func;
module_param(func, charp, 0444);
MODULE_PARM_DESC(func, "The function. Several names, separated by commas: the first that there is");

static char *caller = "";
module_param(caller, charp, 0444);
MODULE_PARM_DESC(caller, "A part of the caller's name as in a stack trace, \"name+0x1/0x2 [module]\" (default: any caller)");

static long value;
module_param(value, long, 0444);
MODULE_PARM_DESC(value, "What it returns (default: 0)");

static uint nth = 1;
module_param(nth, uint, 0444);
MODULE_PARM_DESC(nth, "Which of the caller's calls fails (default: 1, 0: each)");

static atomic_t calls = ATOMIC_INIT(0);

static uint hits;
module_param(hits, uint, 0444);
MODULE_PARM_DESC(hits, "How many have failed");

/* It is returned from in the function's place. */
static noinline notrace long failcall_return(void)
{
	return READ_ONCE(value);
}
NOKPROBE_SYMBOL(failcall_return);

static int failcall_pre(struct kprobe *p, struct pt_regs *regs)
{
	char name[KSYM_SYMBOL_LEN];

	snprintf(name, sizeof(name), "%pS",
		 (void *)regs_get_kernel_stack_nth(regs, 0));
	if (!strstr(name, caller))
		return 0;
	if (atomic_inc_return(&calls) != nth && nth)
		return 0;

	WRITE_ONCE(hits, hits + 1);
	regs->ip = (unsigned long)failcall_return;
	return 1;
}
NOKPROBE_SYMBOL(failcall_pre);

/* With this, the probe is never made a jump, which would ignore regs->ip. */
static void failcall_post(struct kprobe *p, struct pt_regs *regs,
			  unsigned long flags)
{
}
NOKPROBE_SYMBOL(failcall_post);

static struct kprobe failcall_probe = {
	.pre_handler = failcall_pre,
	.post_handler = failcall_post,
};

static int __init failcall_init(void)
{
	char *rest = func, *name;
	int rc = -EINVAL;

	while (rc && (name = strsep(&rest, ","))) {
		failcall_probe.symbol_name = name;
		rc = register_kprobe(&failcall_probe);
		if (rc)
			pr_info("no probe of %s (%d)\n", name, rc);
	}
	return rc;
}
module_init(failcall_init);

static void __exit failcall_exit(void)
{
	unregister_kprobe(&failcall_probe);
}
module_exit(failcall_exit);

MODULE_DESCRIPTION("Makes a kernel function fail, for iopmem's tests");
MODULE_AUTHOR("iopmem developers");
MODULE_LICENSE("GPL");
