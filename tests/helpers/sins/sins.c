// SPDX-License-Identifier: GPL-2.0-only
/*
 * sins: a module that does one wrong thing when it is loaded. A kernel with
 * sanitizers has to notice.
 */
#include <linux/dma-mapping.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

static char *sin = "";
module_param(sin, charp, 0444);
MODULE_PARM_DESC(sin, "overflow, use_after_free, shift, deadlock, atomic, leak, free_active, dma or none");

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);

static void sins_timeout(struct timer_list *timer)
{
}

static void sins_overflow(int n)
{
	char *p = kmalloc(64, GFP_KERNEL);

	if (!p)
		return;
	OPTIMIZER_HIDE_VAR(n);
	WRITE_ONCE(p[64 + n], 0);
	kfree(p);
}

static void sins_use_after_free(void)
{
	char *p = kmalloc(64, GFP_KERNEL);

	if (!p)
		return;
	kfree(p);
	OPTIMIZER_HIDE_VAR(p);
	READ_ONCE(*p);
}

static void sins_shift(int n)
{
	OPTIMIZER_HIDE_VAR(n);
	pr_info("sins: %d\n", 1 << (n + 40));
}

static void sins_deadlock(void)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);
	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
}

static void sins_atomic(void)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	might_sleep();
	spin_unlock(&lock);
}

/* Leak several objects, since the address of the last one may stay on a stack. */
static void sins_leak(void)
{
	void *p;
	int i;

	for (i = 0; i < 16; i++) {
		p = kmalloc(64, GFP_KERNEL);
		OPTIMIZER_HIDE_VAR(p);
	}
}

static void sins_free_active(void)
{
	struct timer_list *timer = kmalloc(sizeof(*timer), GFP_KERNEL);

	if (!timer)
		return;
	timer_setup(timer, sins_timeout, 0);
	mod_timer(timer, jiffies + 3600 * HZ);
	kfree(timer);
}

/* Unmap DMA memory that was never mapped. */
static void sins_dma(void)
{
	struct platform_device *pdev;

	pdev = platform_device_register_simple("sins", PLATFORM_DEVID_NONE,
					       NULL, 0);
	if (IS_ERR(pdev))
		return;
	if (!dma_coerce_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64)))
		dma_unmap_single(&pdev->dev, SZ_4K, 64, DMA_TO_DEVICE);
	platform_device_unregister(pdev);
}

static int __init sins_init(void)
{
	if (!strcmp(sin, "overflow"))
		sins_overflow(0);
	else if (!strcmp(sin, "use_after_free"))
		sins_use_after_free();
	else if (!strcmp(sin, "shift"))
		sins_shift(0);
	else if (!strcmp(sin, "deadlock"))
		sins_deadlock();
	else if (!strcmp(sin, "atomic"))
		sins_atomic();
	else if (!strcmp(sin, "leak"))
		sins_leak();
	else if (!strcmp(sin, "free_active"))
		sins_free_active();
	else if (!strcmp(sin, "dma"))
		sins_dma();
	else if (strcmp(sin, "none"))
		return -EINVAL;
	return 0;
}
module_init(sins_init);

static void __exit sins_exit(void)
{
}
module_exit(sins_exit);

MODULE_DESCRIPTION("Wrong things for a kernel to notice");
MODULE_AUTHOR("iopmem developers");
MODULE_LICENSE("GPL");
