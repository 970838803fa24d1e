// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "parse.h"

#define COMMAND			0x04
#define COMMAND_MEMORY		0x02
#define COMMAND_MASTER		0x04
#define STATUS			0x06
#define STATUS_CAP_LIST		0x10
#define HEADER_TYPE		0x0e
#define BASE_ADDRESS		0x10
#define CAPABILITY_LIST		0x34
#define EXT_CAPABILITY_LIST	0x100
#define CAP_PCIE		0x10
#define CAP_PCIE_FLAGS		0x02

static uint16_t le16(const uint8_t *p)
{
	return p[0] | p[1] << 8;
}

static uint32_t le32(const uint8_t *p)
{
	return le16(p) | (uint32_t)le16(p + 2) << 16;
}

/* A list without an end has more entries than there is room for. */
int config_find_capability(const uint8_t *buf, size_t len, unsigned int id)
{
	unsigned int at, n;

	if (len < 64)
		return -EBADMSG;
	if (!(le16(buf + STATUS) & STATUS_CAP_LIST))
		return -ENOENT;
	at = buf[CAPABILITY_LIST] & ~3u;
	for (n = 0; at; n++) {
		if (at < 64 || n == (256 - 64) / 4)
			return -EBADMSG;
		if (at + 2 > len)
			return -EACCES;
		if (buf[at] == id)
			return at;
		at = buf[at + 1] & ~3u;
	}
	return -ENOENT;
}

int config_find_ext_capability(const uint8_t *buf, size_t len,
			       unsigned int id)
{
	unsigned int at = EXT_CAPABILITY_LIST, n;

	if (len == 64)
		return -EACCES;
	if (len < EXT_CAPABILITY_LIST + 4)
		return -ENOENT;
	for (n = 0; at; n++) {
		uint32_t head;

		if (at < EXT_CAPABILITY_LIST || at + 4 > len ||
		    n == (CONFIG_SIZE - EXT_CAPABILITY_LIST) / 4)
			return -EBADMSG;
		head = le32(buf + at);
		if (head == 0)
			return -ENOENT;
		if ((head & 0xffff) == id)
			return at;
		at = head >> 20 & ~3u;
	}
	return -ENOENT;
}

int config_bar_address(const uint8_t *buf, size_t len, unsigned int index,
		       uint64_t *address)
{
	unsigned int bars = 0;
	const uint8_t *reg;

	if (len < 64)
		return -EINVAL;
	switch (buf[HEADER_TYPE] & 0x7f) {
	case 0:
		bars = 6;
		break;
	case 1:
		bars = 2;
		break;
	}
	if (index >= bars)
		return -EINVAL;

	reg = buf + BASE_ADDRESS + 4 * index;
	if (reg[0] & 1) {
		*address = le32(reg) & ~3u;
	} else {
		*address = le32(reg) & ~0xfu;
		if ((reg[0] & 6) == 4) {
			if (index + 1 == bars)
				return -EINVAL;
			*address |= (uint64_t)le32(reg + 4) << 32;
		}
	}
	return *address ? 0 : -ENOENT;
}

bool config_bus_master(const uint8_t *buf, size_t len)
{
	return len > COMMAND && buf[COMMAND] & COMMAND_MASTER;
}

bool config_memory_on(const uint8_t *buf, size_t len)
{
	return len > COMMAND && buf[COMMAND] & COMMAND_MEMORY;
}

int config_port_type(const uint8_t *buf, size_t len)
{
	int at = config_find_capability(buf, len, CAP_PCIE);

	if (at < 0)
		return at;
	if ((size_t)at + CAP_PCIE_FLAGS + 2 > len)
		return -EACCES;
	return le16(buf + at + CAP_PCIE_FLAGS) >> 4 & 0xf;
}

int config_acs(const uint8_t *buf, size_t len, struct acs *acs)
{
	int at = config_find_ext_capability(buf, len, EXT_CAP_ACS);

	if (at < 0)
		return at;
	if ((size_t)at + 8 > len)
		return -EBADMSG;
	acs->capability = le16(buf + at + 4);
	acs->control = le16(buf + at + 6);
	return 0;
}
