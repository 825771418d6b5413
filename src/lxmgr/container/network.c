/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the config's interfaces to what is made: addresses of the address manager filled in. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container/hooks.h"
#include "container/start.h"
#include "kernel/ns.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/msg.h"

static int add_addr(struct net_spec *n, const struct net_addr *a, const struct net_addr *net,
		    struct lxmgr_err *err)
{
	if (n->n_addr == NET_MAX_ADDRS)
		return err_msg(err, -E2BIG, "net.%u has too many addresses", n->index);
	n->addr[n->n_addr] = *a;
	n->addr[n->n_addr++].prefix = net->prefix;
	return 0;
}

static int fill_managed(struct net_spec *n, const char *id, const struct bridge_conf *conf,
			struct lxmgr_err *err)
{
	struct ipam_lease lease;
	int r = ipam_acquire(conf, id, n->index, &lease, err);

	if (r < 0)
		return r;
	snprintf(n->link, sizeof(n->link), "%s", conf->name);
	if (!n->has_mac) {
		memcpy(n->mac, lease.mac, sizeof(n->mac));
		n->has_mac = true;
	}
	if (lease.v4.family) {
		r = add_addr(n, &lease.v4, &conf->v4, err);
		if (n->gw4_mode == NET_GW_NONE || n->gw4_mode == NET_GW_AUTO) {
			n->gw4_mode = NET_GW_ADDR;
			n->gw4 = conf->v4;
		}
	}
	if (r == 0 && lease.v6.family) {
		r = add_addr(n, &lease.v6, &conf->v6, err);
		if (n->gw6_mode == NET_GW_NONE || n->gw6_mode == NET_GW_AUTO) {
			n->gw6_mode = NET_GW_ADDR;
			n->gw6 = conf->v6;
		}
	}
	return r;
}

int start_resolve_nets(struct start *s, struct lxmgr_err *err)
{
	const struct config *cfg = &s->c->config;
	struct bridge_conf conf = { 0 };
	char id[sizeof(s->c->path) + sizeof(s->c->name) + 2];
	bool need_bridge = false;
	int r;

	if (!cfg->n_nets)
		return 0;
	s->nets = calloc(cfg->n_nets, sizeof(*s->nets));
	s->live = calloc(cfg->n_nets, sizeof(*s->live));
	if (!s->nets || !s->live)
		return err_set(err, -ENOMEM, "network");
	memcpy(s->nets, cfg->nets, cfg->n_nets * sizeof(*s->nets));
	s->n_nets = cfg->n_nets;
	r = netlink_open(&s->nl, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < s->n_nets; i++) {
		struct net_spec *n = &s->nets[i];

		if (n->type != NET_VETH || n->veth_mode != NET_VETH_BRIDGE)
			continue;
		if (!*conf.name) {
			r = bridge_conf_get(&conf, err);
			if (r < 0)
				return r;
		}
		need_bridge |= !*n->link || str_eq(n->link, conf.name);
		snprintf(id, sizeof(id), "%s/%s", s->c->path, s->c->name);
		r = n->managed ? fill_managed(n, id, &conf, err)
			       : ipam_reserve(&conf, id, n->index, n->addr, n->n_addr, err);
		if (r < 0)
			return r;
	}
	if (need_bridge)
		r = bridge_ensure(s->nl, &conf, err);
	if (r == 0)
		r = net_resolve(s->nl, s->nets, s->n_nets, err);
	return r < 0 ? r : net_check(s->nets, s->n_nets, err);
}

/* In the fork: a message for each program, its number with its fd. Never returns. */
static void preload(const struct start *s, int sock)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; i < s->n_nets; i++) {
		cleanup_fd int program = net_preload(&s->nets[i], s->c->tag, NULL);
		uint32_t index = (uint32_t)i;

		if (program >= 0)
			msg_send(sock, &index, sizeof(index), &program, 1);
	}
	_exit(0);
}

/* The kernel's verifier takes a millisecond for each: that runs beside what comes next. What is not
 * loaded here is when the interface is made, where errors are told. */
int start_preload_nets(struct start *s, struct lxmgr_err *err)
{
	bool any = false;
	int pair[2], r;
	pid_t pid;

	for (size_t i = 0; i < s->n_nets; i++)
		any |= s->nets[i].antispoof;
	/* Nobody would take them, and wait for the process, where the namespace is shared. */
	if (!any || !(s->plan.ns_new & CLONE_NEWNET))
		return 0;
	r = msg_pair(pair);
	if (r < 0)
		return err_set(err, r, "make a socket pair");
	pid = fork();
	if (pid == 0)
		preload(s, pair[1]);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return err_set(err, -errno, "fork the process that loads anti-spoofing programs");
	}
	s->preload_sock = pair[0];
	s->preload_pid = pid;
	return 0;
}

static void take_programs(struct start *s)
{
	uint32_t index;
	int fds[1];
	size_t n = 1;

	if (s->preload_sock < 0)
		return;
	while (msg_recv(s->preload_sock, &index, sizeof(index), fds, &n) == sizeof(index) && n == 1)
		if (index < s->n_nets)
			s->nets[index].program = fds[0];
	fd_close(&s->preload_sock);
	while (waitpid(s->preload_pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static int create_one(struct start *s, size_t i, const struct hook_env *h, struct lxmgr_err *err)
{
	const struct net_spec *n = &s->nets[i];
	struct net_live *live = &s->live[i];
	int r = net_create(s->nl, n, s->netns_fd, s->c->tag, live, err);

	/* Recorded also when it failed halfway: what has a name is to be taken back. */
	if (r == 0 || *live->host_name || *live->moved) {
		int rec = state_add_net(s->state_fd, n->type, n->index, live);

		if (rec < 0 && r == 0)
			r = err_set(err, rec, "write the state of '%s'", s->c->name);
	}
	return r < 0 ? r : hooks_net_script(true, h, n, live, err);
}

int start_create_nets(struct start *s, struct lxmgr_err *err)
{
	struct hook_env h = HOOK_ENV_INIT(s->c, &s->c->config);

	if (!(s->plan.ns_new & CLONE_NEWNET) || !s->n_nets)
		return 0;
	s->netns_fd = ns_open(s->pid, NS_NET);
	if (s->netns_fd < 0)
		return err_set(err, s->netns_fd, "open the network namespace");
	take_programs(s);
	for (size_t i = 0; i < s->n_nets; i++) {
		int r = create_one(s, i, &h, err);

		if (r < 0)
			return err && strstr(err->text, "(lxmgr.net.")
				       ? r
				       : (err_hint(err, "lxmgr.net.%u", s->nets[i].index), r);
	}
	return 0;
}
