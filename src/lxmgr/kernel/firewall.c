/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/firewall.h"
#include "kernel/natquery.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/paths.h"
#include "util/run.h"
#include "util/str.h"

#define HELPER LIBEXECDIR "/lxmgr-nft"

int firewall_nat_look(void)
{
	struct nat_query q = NAT_QUERY_INIT;
	cleanup_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	char buf[1024];
	struct nlmsghdr *h = (struct nlmsghdr *)(void *)buf;
	int r;

	if (fd < 0 || send(fd, &q, sizeof(q), 0) < 0)
		return -errno;
	if (recv(fd, buf, sizeof(buf), 0) < (ssize_t)sizeof(*h))
		return -EIO;
	if (h->nlmsg_type != NLMSG_ERROR)
		return 1;
	r = ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
	return r == -ENOENT ? 0 : r;
}

static int run_helper(const char *verb, struct lxmgr_err *err)
{
	const char *argv[] = { HELPER, verb, NULL };
	struct run_opts o = RUN_OPTS_INIT;
	cleanup_free char *out = NULL;
	int r;

	o.capture = 2048;
	o.timeout_ms = 20000;
	r = run_program(argv, &o, &out);
	if (r < 0)
		return err_set(err, r, "run '%s'", HELPER);
	return r ? err_msg(err, -EIO, "%s", out && *out ? str_strip(out) : "lxmgr-nft failed") : 0;
}

int firewall_nat_ensure(struct lxmgr_err *err)
{
	return run_helper("ensure", err);
}

int firewall_nat_try(struct lxmgr_err *err)
{
	return run_helper("try", err);
}

int firewall_nat_remove(struct lxmgr_err *err)
{
	return run_helper("remove", err);
}

int firewall_forward_look(const char *bridge, struct strlist *ret, struct lxmgr_err *err)
{
	const char *argv[] = { HELPER, "forward", bridge, NULL };
	struct run_opts o = RUN_OPTS_INIT;
	cleanup_free char *out = NULL;
	int r;

	o.capture = 8192;
	o.timeout_ms = 30000;
	r = run_program(argv, &o, &out);
	if (r < 0)
		return err_set(err, r, "run '%s'", HELPER);
	if (r)
		return err_msg(err, -EIO, "%s", out && *out ? str_strip(out) : "lxmgr-nft failed");
	return out ? strlist_split(ret, out, "\n") : 0;
}
