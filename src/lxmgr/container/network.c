/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the config's interfaces to what is made: addresses of the address manager filled in. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "container/start.h"
#include "util/err.h"

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
