// SPDX-License-Identifier: GPL-2.0-only
/*
 * verbs serve DEVICE PATH LENGTH
 * verbs write|read DEVICE HOST LENGTH
 *
 * RDMA into and from a mapping of PATH. The server registers the mapping, and its
 * CPU takes no part in the transfer. The client writes its standard input into the
 * mapping, or reads the mapping to its standard output. The two exchange the numbers of
 * their queue pairs over TCP. The server ends when the client does.
 */
#define _GNU_SOURCE
#include <netdb.h>
#include <sys/socket.h>
#include <infiniband/verbs.h>
#include "mapping.h"

#define PORT	"7471"
#define CHUNK	1048576

/* Sent as it is, since both machines have the same architecture */
struct side {
	union ibv_gid gid;
	uint64_t address;
	uint64_t length;
	uint32_t key;
	uint32_t queue;
};

static struct ibv_context *context;
static struct ibv_pd *domain;
static struct ibv_cq *completions;
static struct ibv_qp *queue;
static int gid_index;

/*
 * Open the device and make a queue pair. The device has one port, and a GID for
 * each address. Use that of the IPv4 address.
 */
static void open_device(const char *name, struct side *here)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	struct ibv_qp_init_attr init = {
		.qp_type = IBV_QPT_RC,
		.cap = { .max_send_wr = 1, .max_recv_wr = 1,
			 .max_send_sge = 1, .max_recv_sge = 1 },
	};
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_INIT,
		.port_num = 1,
		.qp_access_flags = IBV_ACCESS_REMOTE_WRITE |
				   IBV_ACCESS_REMOTE_READ,
	};
	int i;

	if (!list)
		err(1, "RDMA devices");
	while (*list && strcmp(ibv_get_device_name(*list), name))
		list++;
	if (!*list)
		errx(1, "%s: no such RDMA device", name);
	context = ibv_open_device(*list);
	if (!context)
		err(1, "%s", name);
	for (i = 0; !ibv_query_gid(context, 1, i, &here->gid); i++)
		if (here->gid.raw[10] == 0xff && here->gid.raw[11] == 0xff)
			break;
	gid_index = i;

	domain = ibv_alloc_pd(context);
	completions = ibv_create_cq(context, 1, NULL, NULL, 0);
	if (!domain || !completions)
		err(1, "%s", name);
	init.send_cq = completions;
	init.recv_cq = completions;
	queue = ibv_create_qp(domain, &init);
	if (!queue || ibv_modify_qp(queue, &attr,
				    IBV_QP_STATE | IBV_QP_PKEY_INDEX |
				    IBV_QP_PORT | IBV_QP_ACCESS_FLAGS))
		err(1, "%s: queue pair", name);
	here->queue = queue->qp_num;
}

static struct ibv_mr *register_memory(const char *what, void *p, size_t length)
{
	struct ibv_mr *mr = ibv_reg_mr(domain, p, length,
				       IBV_ACCESS_LOCAL_WRITE |
				       IBV_ACCESS_REMOTE_WRITE |
				       IBV_ACCESS_REMOTE_READ);

	if (!mr)
		err(1, "%s: registering its memory", what);
	return mr;
}

static void connect_queue(const struct side *there)
{
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_RTR,
		.path_mtu = IBV_MTU_1024,
		.dest_qp_num = there->queue,
		.max_dest_rd_atomic = 1,
		.min_rnr_timer = 12,
		.ah_attr = {
			.is_global = 1,
			.port_num = 1,
			.grh = { .dgid = there->gid, .hop_limit = 1,
				 .sgid_index = gid_index },
		},
	};

	if (ibv_modify_qp(queue, &attr,
			  IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU |
			  IBV_QP_DEST_QPN | IBV_QP_RQ_PSN |
			  IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER))
		err(1, "queue pair, to receive");
	attr = (struct ibv_qp_attr) {
		.qp_state = IBV_QPS_RTS,
		.timeout = 18,
		.retry_cnt = 7,
		.rnr_retry = 7,
		.max_rd_atomic = 1,
	};
	if (ibv_modify_qp(queue, &attr,
			  IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
			  IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN |
			  IBV_QP_MAX_QP_RD_ATOMIC))
		err(1, "queue pair, to send");
}

static void exchange(int fd, const struct side *here, struct side *there)
{
	if (send(fd, here, sizeof(*here), 0) != sizeof(*here) ||
	    recv(fd, there, sizeof(*there), MSG_WAITALL) != sizeof(*there))
		errx(1, "the other side has gone");
}

static int tcp(const char *host)
{
	struct addrinfo hints = { .ai_family = AF_INET,
				  .ai_socktype = SOCK_STREAM,
				  .ai_flags = host ? 0 : AI_PASSIVE };
	struct addrinfo *to;
	int fd, one = 1;

	if (getaddrinfo(host, PORT, &hints, &to))
		errx(1, "%s: no such host", host);
	fd = socket(to->ai_family, to->ai_socktype, 0);
	if (host) {
		if (connect(fd, to->ai_addr, to->ai_addrlen))
			err(1, "%s", host);
		return fd;
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, to->ai_addr, to->ai_addrlen) || listen(fd, 1))
		err(1, "port " PORT);
	return accept(fd, NULL, NULL);
}

static void serve(const char *path, uint64_t length, struct side *here)
{
	struct side there;
	struct ibv_mr *mr;
	size_t mapped;
	char *map;
	char c;
	int fd;

	map = map_path(path, length, MAP_SHARED, &mapped);
	mr = register_memory(path, map, length);
	printf("%s registered, physical address 0x%" PRIx64 "\n", path,
	       physical_address(map));
	fflush(stdout);
	here->address = (uintptr_t)map;
	here->length = length;
	here->key = mr->rkey;
	fd = tcp(NULL);
	exchange(fd, here, &there);
	connect_queue(&there);
	if (send(fd, "", 1, 0) != 1 || recv(fd, &c, 1, 0) < 0)
		errx(1, "the other side has gone");
}

static void transfer(enum ibv_wr_opcode opcode, struct ibv_mr *mr,
		     uint32_t length, uint64_t address, uint32_t key)
{
	struct ibv_sge sge = { (uintptr_t)mr->addr, length, mr->lkey };
	struct ibv_send_wr wr = {
		.sg_list = &sge,
		.num_sge = 1,
		.opcode = opcode,
		.send_flags = IBV_SEND_SIGNALED,
		.wr.rdma = { .remote_addr = address, .rkey = key },
	};
	struct ibv_send_wr *failed;
	struct ibv_wc wc;
	int n;

	errno = ibv_post_send(queue, &wr, &failed);
	if (errno)
		err(1, "post");
	do
		n = ibv_poll_cq(completions, 1, &wc);
	while (!n);
	if (n < 0 || wc.status)
		errx(1, "transfer: %s", ibv_wc_status_str(wc.status));
}

static void request(int reads, const char *host, uint64_t length,
		    struct side *here)
{
	char *buf = aligned_alloc(4096, CHUNK);
	struct ibv_mr *mr = register_memory("buffer", buf, CHUNK);
	struct side there;
	uint64_t done;
	char c;
	int fd = tcp(host);

	exchange(fd, here, &there);
	connect_queue(&there);
	if (recv(fd, &c, 1, 0) != 1)
		errx(1, "the other side has gone");
	if (length > there.length)
		errx(1, "there are %" PRIu64 " bytes", there.length);
	for (done = 0; done < length; done += CHUNK) {
		uint32_t n = length - done < CHUNK ? length - done : CHUNK;

		if (!reads && fread(buf, n, 1, stdin) != 1)
			errx(1, "standard input is too short");
		transfer(reads ? IBV_WR_RDMA_READ : IBV_WR_RDMA_WRITE, mr, n,
			 there.address + done, there.key);
		if (reads && fwrite(buf, n, 1, stdout) != 1)
			err(1, "standard output");
	}
}

int main(int argc, char **argv)
{
	struct side here = {};
	uint64_t length;

	if (argc != 5)
		errx(2, "usage: verbs serve DEVICE PATH LENGTH, or write|read DEVICE HOST LENGTH");
	length = parse_size(argv[4]);
	open_device(argv[2], &here);
	if (!strcmp(argv[1], "serve"))
		serve(argv[3], length, &here);
	else
		request(!strcmp(argv[1], "read"), argv[3], length, &here);
	return 0;
}
