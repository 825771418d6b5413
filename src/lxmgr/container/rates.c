/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "container/rates.h"
#include "util/err.h"

int rates_check(const struct config *cfg, struct lxmgr_err *err)
{
	for (size_t i = 0; i < cfg->n_nets; i++) {
		int r = net_rate_check(&cfg->nets[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

static bool has_end(const struct state *s, size_t i)
{
	return s->net_type[i] == NET_VETH && *s->net[i].host_name;
}

int rates_get(const struct state *s, struct rates *ret, struct lxmgr_err *err)
{
	struct netlink *nl = NULL;
	int r = netlink_open(&nl, err);

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; r == 0 && i < s->n_net; i++)
		if (has_end(s, i))
			r = net_rate_get(nl, &s->net[i], &ret->in[i], &ret->out[i], err);
	if (nl)
		netlink_close(nl);
	return r;
}

int rates_change(const struct state *s, const struct config *cfg, struct lxmgr_err *err)
{
	struct netlink *nl = NULL;
	int r = netlink_open(&nl, err);

	for (size_t i = 0; r == 0 && i < s->n_net; i++)
		for (size_t k = 0; r == 0 && has_end(s, i) && k < cfg->n_nets; k++)
			if (cfg->nets[k].index == s->net_index[i])
				r = net_rate_set(nl, &s->net[i], &cfg->nets[k].rate_in,
						 &cfg->nets[k].rate_out, err);
	if (nl)
		netlink_close(nl);
	return r;
}

int rates_restore(const struct state *s, const struct rates *was, struct lxmgr_err *err)
{
	struct netlink *nl = NULL;
	int r = netlink_open(&nl, err);

	for (size_t i = 0; r == 0 && i < s->n_net; i++)
		if (has_end(s, i))
			r = net_rate_set(nl, &s->net[i], &was->in[i].rate, &was->out[i].rate, err);
	if (nl)
		netlink_close(nl);
	return r;
}
