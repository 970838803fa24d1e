// SPDX-License-Identifier: GPL-2.0-only
/*
 * wantsreset: a PCI driver that asks for a reset if its function reports an error, as
 * drivers of network cards do. It binds by driver_override.
 */
#include <linux/module.h>
#include <linux/pci.h>

static int wantsreset_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	return pci_save_state(pdev);
}

static pci_ers_result_t wantsreset_error_detected(struct pci_dev *pdev,
						  pci_channel_state_t state)
{
	return PCI_ERS_RESULT_NEED_RESET;
}

static pci_ers_result_t wantsreset_slot_reset(struct pci_dev *pdev)
{
	pci_restore_state(pdev);
	pci_save_state(pdev);
	return PCI_ERS_RESULT_RECOVERED;
}

static const struct pci_error_handlers wantsreset_err_handler = {
	.error_detected = wantsreset_error_detected,
	.slot_reset = wantsreset_slot_reset,
};

static const struct pci_device_id wantsreset_ids[] = {
	{ }
};

static struct pci_driver wantsreset_driver = {
	.name = "wantsreset",
	.id_table = wantsreset_ids,
	.probe = wantsreset_probe,
	.err_handler = &wantsreset_err_handler,
};
module_pci_driver(wantsreset_driver);

MODULE_DESCRIPTION("Answers PCI errors with the wish for a reset");
MODULE_LICENSE("GPL");
