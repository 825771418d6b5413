/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netlink/msg.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/netlink.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"

/* So many answers fit in the default receive buffer. */
#define BATCH	   64
#define MSG_SIZE   2048
#define ACK_SIZE   512
#define REPLY_SIZE 32768

struct request {
	struct nl_msg *msg;
	char what[96];
	int tolerated; /* positive errno */
};

struct netlink {
	int fd;
	uint32_t seq;
	struct request req[BATCH];
	size_t n;
	int failed; /* what went wrong since the last flush */
	struct lxmgr_err first;
	char reply[REPLY_SIZE];
};

static int open_socket(void)
{
	static const struct sockaddr_nl addr = {.nl_family = AF_NETLINK};
	cleanup_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	const int on = 1;

	if (fd < 0 || bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	/* Short acks, with an explanation; dumps that are filtered by the kernel. */
	if (setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on)) < 0)
		return -errno;
	return take_fd(&fd);
}

static int wrap_socket(int fd, struct netlink **ret, struct lxmgr_err *err)
{
	struct netlink *nl;

	if (fd < 0)
		return err_set(err, fd, "open a netlink socket");
	nl = malloc(sizeof(*nl));
	if (!nl) {
		close(fd);
		return err_set(err, -ENOMEM, "open a netlink socket");
	}
	memset(nl, 0, offsetof(struct netlink, reply));
	nl->fd = fd;
	*ret = nl;
	return 0;
}

int netlink_open(struct netlink **ret, struct lxmgr_err *err)
{
	return wrap_socket(open_socket(), ret, err);
}

int netlink_open_in(int ns_fd, struct netlink **ret, struct lxmgr_err *err)
{
	cleanup_fd int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int fd, r;

	if (home < 0)
		return err_set(err, -errno, "open this process's network namespace");
	r = sys_setns(ns_fd, CLONE_NEWNET);
	if (r < 0)
		return err_set(err, r, "enter the container's network namespace");
	/* Namespaces here: the container's network, all else the host's. */
	fd = open_socket();
	/* Going on in the wrong network would send the host's next request to the guest. */
	if (sys_setns(home, CLONE_NEWNET) < 0)
		abort();
	return wrap_socket(fd, ret, err);
}

static void forget_requests(struct netlink *nl)
{
	for (size_t i = 0; i < nl->n; i++)
		nlmsg_free(nl->req[i].msg);
	nl->n = 0;
}

void netlink_close(struct netlink *nl)
{
	if (!nl)
		return;
	forget_requests(nl);
	close(nl->fd);
	free(nl);
}

static void fail(struct netlink *nl, int code, const char *what, const char *why)
{
	if (nl->failed)
		return;
	nl->failed = code;
	err_set(&nl->first, code, "%s", what);
	if (why && *why)
		err_hint(&nl->first, "%s", why);
}

static struct nl_msg *last(struct netlink *nl)
{
	return nl->n ? nl->req[nl->n - 1].msg : NULL;
}

static void check_put(struct netlink *nl, int r)
{
	if (r < 0)
		fail(nl, -EMSGSIZE, nl->req[nl->n - 1].what, NULL);
}

static void send_requests(struct netlink *nl);

void netlink_queue(struct netlink *nl, uint16_t type, uint16_t flags, const void *header,
		   size_t len, const char *fmt, ...)
{
	struct request *q;
	va_list ap;

	if (nl->n == BATCH)
		send_requests(nl);
	q = &nl->req[nl->n];
	va_start(ap, fmt);
	vsnprintf(q->what, sizeof(q->what), fmt, ap);
	va_end(ap);
	q->tolerated = 0;
	q->msg = nlmsg_alloc_size(MSG_SIZE);
	if (!q->msg || !nlmsg_put(q->msg, 0, ++nl->seq, type, 0, NLM_F_REQUEST | NLM_F_ACK | flags))
		fail(nl, -ENOMEM, q->what, NULL);
	if (!q->msg)
		return;
	nl->n++;
	check_put(nl, nlmsg_append(q->msg, (void *)(uintptr_t)header, len, NLMSG_ALIGNTO));
}

void netlink_put(struct netlink *nl, int attr, const void *data, size_t len)
{
	if (!nl->failed)
		check_put(nl, nla_put(last(nl), attr, (int)len, data));
}

void netlink_put_u16(struct netlink *nl, int attr, uint16_t v)
{
	netlink_put(nl, attr, &v, sizeof(v));
}

void netlink_put_u32(struct netlink *nl, int attr, uint32_t v)
{
	netlink_put(nl, attr, &v, sizeof(v));
}

void netlink_put_str(struct netlink *nl, int attr, const char *s)
{
	netlink_put(nl, attr, s, strlen(s) + 1);
}

void netlink_put_addr(struct netlink *nl, int attr, const struct net_addr *a)
{
	uint8_t bytes[16];

	netlink_put(nl, attr, bytes, net_addr_bytes(a, bytes));
}

void netlink_put_raw(struct netlink *nl, const void *data, size_t len)
{
	if (!nl->failed)
		check_put(nl, nlmsg_append(last(nl), (void *)(uintptr_t)data, len, NLMSG_ALIGNTO));
}

void *netlink_nest(struct netlink *nl, int attr)
{
	struct nlattr *nest = nl->failed ? NULL : nla_nest_start(last(nl), attr);

	if (!nest)
		fail(nl, -EMSGSIZE, nl->n ? nl->req[nl->n - 1].what : "netlink", NULL);
	return nest;
}

void netlink_nest_end(struct netlink *nl, void *nest)
{
	if (!nl->failed)
		nla_nest_end_keep_empty(last(nl), nest);
}

void netlink_tolerate(struct netlink *nl, int error)
{
	if (nl->n)
		nl->req[nl->n - 1].tolerated = error;
}

/* The text that came with an error answer, or "". */
static const char *ext_ack_text(const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = NLMSG_DATA(h);
	size_t off = sizeof(*e);
	struct nlattr *a;

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return "";
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		off += e->msg.nlmsg_len - sizeof(e->msg);
	if (NLMSG_HDRLEN + off > h->nlmsg_len)
		return "";
	a = nla_find((struct nlattr *)((char *)NLMSG_DATA(h) + NLMSG_ALIGN(off)),
		     (int)(h->nlmsg_len - NLMSG_HDRLEN - NLMSG_ALIGN(off)), NLMSGERR_ATTR_MSG);
	return a && memchr(nla_data(a), 0, (size_t)nla_len(a)) ? nla_get_string(a) : "";
}

/* Look at one answer; true if it was one to a request of this batch. */
static bool take_ack(struct netlink *nl, const struct nlmsghdr *h, size_t len)
{
	const struct nlmsgerr *e = NLMSG_DATA(h);
	uint32_t i = h->nlmsg_seq - (nl->seq - (uint32_t)nl->n + 1);

	if (!NLMSG_OK(h, len) || h->nlmsg_type != NLMSG_ERROR || i >= nl->n)
		return false;
	if (e->error && e->error != -nl->req[i].tolerated)
		fail(nl, e->error, nl->req[i].what, ext_ack_text(h));
	return true;
}

static void send_requests(struct netlink *nl)
{
	struct iovec iov[BATCH], ack_iov[BATCH];
	struct mmsghdr acks[BATCH];
	char buf[BATCH][ACK_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = nl->n};
	size_t answered = 0;

	for (size_t i = 0; i < nl->n; i++) {
		struct nlmsghdr *h = nlmsg_hdr(nl->req[i].msg);

		iov[i] = (struct iovec){h, NLMSG_ALIGN(h->nlmsg_len)};
		ack_iov[i] = (struct iovec){buf[i], ACK_SIZE};
		acks[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &ack_iov[i], .msg_iovlen = 1}};
	}
	if (!nl->failed && nl->n && sendmsg(nl->fd, &m, 0) < 0)
		fail(nl, -errno, nl->req[0].what, NULL);
	else if (!nl->failed)
		while (answered < nl->n) {
			int got = recvmmsg(nl->fd, acks, (unsigned int)(nl->n - answered),
					   MSG_WAITFORONE, NULL);

			if (got < 0 && errno == EINTR)
				continue;
			if (got < 0) {
				fail(nl, -errno, nl->req[0].what, NULL);
				break;
			}
			for (int i = 0; i < got; i++)
				answered +=
					take_ack(nl, (struct nlmsghdr *)buf[i], acks[i].msg_len);
		}
	forget_requests(nl);
}

int netlink_flush(struct netlink *nl, struct lxmgr_err *err)
{
	int r;

	send_requests(nl);
	r = nl->failed;
	if (r && err)
		*err = nl->first;
	nl->failed = 0;
	return r;
}

/* Once fn had enough, the rest of the answer is still read, so that the socket is clean for the
 * next question. */
struct taker {
	int (*fn)(const struct nlmsghdr *, void *);
	void *data;
	int value;
};

/* Hand the messages of one datagram to fn. 1: the answer is complete. */
static int take_reply(struct netlink *nl, size_t len, bool dump, struct taker *t)
{
	for (struct nlmsghdr *h = (struct nlmsghdr *)nl->reply; NLMSG_OK(h, len);
	     h = NLMSG_NEXT(h, len)) {
		const struct nlmsgerr *e = NLMSG_DATA(h);

		if (h->nlmsg_seq != nl->seq)
			continue;
		if (h->nlmsg_type == NLMSG_DONE)
			return 1;
		if (h->nlmsg_type == NLMSG_ERROR)
			return e->error ? e->error : 1;
		if (!t->value)
			t->value = t->fn(h, t->data);
		if (!dump)
			return 1;
	}
	return 0;
}

static int read_replies(struct netlink *nl, bool dump, struct taker *t)
{
	int r;

	do {
		ssize_t len = recv(nl->fd, nl->reply, sizeof(nl->reply), 0);

		if (len < 0 && errno == EINTR) {
			r = 0;
			continue;
		}
		if (len < 0)
			return -errno;
		r = take_reply(nl, (size_t)len, dump, t);
	} while (r == 0);
	return r < 0 ? r : 0;
}

int netlink_ask(struct netlink *nl, const struct netlink_query *q,
		int (*fn)(const struct nlmsghdr *, void *), void *data)
{
	struct taker taker = {fn, data, 0};
	struct nl_msg *msg = nlmsg_alloc_size(MSG_SIZE);
	int r = -ENOMEM;

	if (msg && nlmsg_put(msg, 0, ++nl->seq, q->type, 0, NLM_F_REQUEST | q->flags) &&
	    nlmsg_append(msg, (void *)(uintptr_t)q->header, q->header_len, NLMSG_ALIGNTO) == 0 &&
	    (!q->attr_str || nla_put_string(msg, q->attr_str, q->str) == 0) &&
	    (!q->attr_u32 || nla_put_u32(msg, q->attr_u32, q->u32) == 0)) {
		r = send(nl->fd, nlmsg_hdr(msg), nlmsg_hdr(msg)->nlmsg_len, 0) < 0 ? -errno : 0;
	}
	nlmsg_free(msg);
	if (r < 0)
		return r;
	r = read_replies(nl, q->flags & NLM_F_DUMP, &taker);
	return r < 0 ? r : taker.value;
}
