// SPDX-License-Identifier: GPL-2.0-only
/*
 * netsend HOW FILE[@offset] LENGTH ADDRESS PORT
 *
 * Send the contents of a file, or of a mapping of it, over a TCP socket:
 *
 * send		send() from the mapping, so the CPU copies
 * zerocopy	send() from the mapping with MSG_ZEROCOPY. Prints how many of the
 *		sends the kernel has copied all the same
 * vmsplice	move the mapping's pages through a pipe into the socket
 * sendfile	send from the file without mapping it
 *
 * Before that, the CPU stores one byte into each page of a mapping, so that the pages
 * exist. The program ends when the other side has acknowledged all.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include "mapping.h"

#define CHUNK	(64 << 10)	/* a pipe's capacity */

static int sock;
static unsigned int sends, copied;

static void connect_to(const char *address, const char *port)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(atoi(port)),
	};

	sock = socket(AF_INET, SOCK_STREAM, 0);
	if (!inet_aton(address, &to.sin_addr) || sock < 0 ||
	    connect(sock, (struct sockaddr *)&to, sizeof(to)))
		err(1, "%s port %s", address, port);
}

/* Wait until the kernel is done with @last sends. */
static void reap_zerocopy(unsigned int last)
{
	unsigned int seen = 0;

	while (seen < last) {
		char control[128];
		struct msghdr msg = {
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};
		struct pollfd ready = { .fd = sock };
		struct sock_extended_err *e;
		unsigned int n;

		if (poll(&ready, 1, 30000) != 1 ||
		    recvmsg(sock, &msg, MSG_ERRQUEUE) < 0 ||
		    !CMSG_FIRSTHDR(&msg))
			err(1, "MSG_ZEROCOPY's notification");
		e = (void *)CMSG_DATA(CMSG_FIRSTHDR(&msg));
		if (e->ee_origin != SO_EE_ORIGIN_ZEROCOPY || e->ee_errno)
			errx(1, "notification of origin %d, error %d",
			     e->ee_origin, e->ee_errno);
		n = e->ee_data - e->ee_info + 1;
		seen += n;
		if (e->ee_code & SO_EE_CODE_ZEROCOPY_COPIED)
			copied += n;
	}
}

static void send_zerocopy(const char *p, uint64_t length)
{
	int one = 1;

	if (setsockopt(sock, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)))
		err(1, "SO_ZEROCOPY");
	while (length) {
		ssize_t n = send(sock, p, length < CHUNK ? length : CHUNK,
				 MSG_ZEROCOPY);

		if (n < 0)
			err(1, "send with MSG_ZEROCOPY");
		sends++;
		p += n;
		length -= n;
	}
	reap_zerocopy(sends);
	printf("%u sends, %u of them copied\n", sends, copied);
}

static void send_vmsplice(char *p, uint64_t length)
{
	int ends[2];

	if (pipe(ends))
		err(1, "pipe");
	while (length) {
		struct iovec part = { p, length < CHUNK ? length : CHUNK };
		ssize_t n = vmsplice(ends[1], &part, 1, 0), left, m;

		if (n <= 0)
			err(1, "vmsplice");
		for (left = n; left; left -= m) {
			m = splice(ends[0], NULL, sock, NULL, left,
				   SPLICE_F_MORE);
			if (m <= 0)
				err(1, "splice");
		}
		p += n;
		length -= n;
	}
}

static void send_file(const char *path, off_t offset, uint64_t length)
{
	int fd = open(path, O_RDONLY);

	while (length) {
		ssize_t n = sendfile(sock, fd, &offset, length);

		if (n <= 0)
			err(1, "%s: sendfile", path);
		length -= n;
	}
}

static void send_plain(const char *p, uint64_t length)
{
	while (length) {
		ssize_t n = send(sock, p, length, 0);

		if (n < 0)
			err(1, "send");
		p += n;
		length -= n;
	}
}

static void wait_acknowledged(void)
{
	int left, i, most = 30000 * pace();

	for (i = 0; !ioctl(sock, SIOCOUTQ, &left) && left; i++) {
		if (i == most)
			errx(1, "%d bytes not acknowledged", left);
		usleep(1000);
	}
}

int main(int argc, char **argv)
{
	uint64_t offset, length, at;
	const char *how = argv[1];
	size_t mapped;
	char *p;

	if (argc != 6)
		errx(2, "usage: netsend HOW FILE[@offset] LENGTH ADDRESS PORT");
	offset = split_offset(argv[2]);
	length = parse_size(argv[3]);
	connect_to(argv[4], argv[5]);

	if (!strcmp(how, "sendfile")) {
		send_file(argv[2], offset, length);
	} else {
		p = map_path(argv[2], offset + length, MAP_SHARED, &mapped) +
		    offset;
		for (at = 0; at < length; at += 4096)
			*(volatile char *)(p + at) = *(volatile char *)(p + at);
		print_extents(p, length);
		if (!strcmp(how, "zerocopy"))
			send_zerocopy(p, length);
		else if (!strcmp(how, "vmsplice"))
			send_vmsplice(p, length);
		else if (!strcmp(how, "send"))
			send_plain(p, length);
		else
			errx(2, "'%s' is not send, zerocopy, vmsplice or sendfile",
			     how);
	}
	wait_acknowledged();
	printf("%" PRIu64 " bytes sent\n", length);
	return 0;
}
