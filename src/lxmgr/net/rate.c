/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "net/net_types.h"
#include "util/err.h"
#include "util/str.h"

static void ifb_name(const struct net_live *live, char ret[IFNAMSIZ])
{
	unsigned long long h = str_hash(live->host_name, strlen(live->host_name));

	snprintf(ret, IFNAMSIZ, "ifb%012llx", h & 0xffffffffffffULL);
}

int net_rate_check(const struct net_spec *n, struct lxmgr_err *err)
{
	bool in = n->rate_in.bits != RATE_NONE;

	if ((!in && n->rate_out.bits == RATE_NONE) || n->type == NET_VETH)
		return 0;
	return err_msg(err, -EOPNOTSUPP,
		       "lxmgr.net.%u.rate.%s cannot act on an interface of type %s: it has no end "
		       "on the host, only veth has",
		       n->index, in ? "in" : "out", net_types[n->type]->name);
}

/* The kernel keeps bytes a second, and for a burst the time that it takes. */
static bool agrees(const struct rate *want, const struct rate *have)
{
	return want->bits / 8 == have->bits / 8;
}

static int limit(struct netlink *nl, int index, const struct rate *r, const char *which,
		 struct lxmgr_err *err)
{
	struct rate_now now;
	int e = traffic_limit(nl, index, r);

	if (e < 0)
		return net_fail(nl, e, err, "limit the rate", which);
	e = traffic_get(nl, index, &now);
	if (e < 0)
		return net_fail(nl, e, err, "read back the rate", which);
	return agrees(r, &now.rate)
		       ? 0
		       : err_msg(err, -EIO,
				 "rate %s: %llu bit/s were asked for, but the kernel has %llu",
				 which, (unsigned long long)r->bits,
				 (unsigned long long)now.rate.bits);
}

static int make_ifb(struct netlink *nl, const struct net_live *live, struct link_info *ret,
		    struct lxmgr_err *err)
{
	char name[IFNAMSIZ];
	const struct link_new l = { .kind = "ifb", .name = name, .up = true, .ns_fd = -1 };
	int r;

	ifb_name(live, name);
	r = link_create(nl, &l);
	if (r == -EOPNOTSUPP)
		return err_msg(err, r,
			       "lxmgr.net.*.rate.out cannot act on this host: its kernel has no "
			       "ifb (CONFIG_IFB)");
	if (r == 0)
		r = link_get(nl, name, ret);
	return r < 0 ? net_fail(nl, r, err, "make the link", name) : 0;
}

static int limit_out(struct netlink *nl, const struct net_live *live, const struct rate *out,
		     struct lxmgr_err *err)
{
	struct link_info ifb;
	char name[IFNAMSIZ];
	int r;

	ifb_name(live, name);
	r = link_get(nl, name, &ifb);
	if (r == 0)
		return limit(nl, ifb.index, out, "out", err);
	if (r != -ENODEV)
		return net_fail(nl, r, err, "look up", name);
	r = make_ifb(nl, live, &ifb, err);
	/* Limited before anything comes. */
	if (r == 0)
		r = limit(nl, ifb.index, out, "out", err);
	if (r == 0) {
		r = traffic_redirect(nl, live->host_index, ifb.index);
		if (r < 0)
			net_fail(nl, r, err, "send through", name);
	}
	return r;
}

int net_rate_set(struct netlink *nl, const struct net_live *live, const struct rate *in,
		 const struct rate *out, struct lxmgr_err *err)
{
	int r = limit(nl, live->host_index, in, "in", err);

	if (r < 0)
		return r;
	if (out->bits != RATE_NONE)
		return limit_out(nl, live, out, err);
	r = net_rate_end(nl, live);
	return r < 0 ? net_fail(nl, r, err, "end the rate", "out") : 0;
}

int net_rate_get(struct netlink *nl, const struct net_live *live, struct rate_now *ret_in,
		 struct rate_now *ret_out, struct lxmgr_err *err)
{
	struct link_info ifb;
	char name[IFNAMSIZ];
	int r = traffic_get(nl, live->host_index, ret_in);

	*ret_out = (struct rate_now){ .bytes = 0 };
	if (r < 0)
		return net_fail(nl, r, err, "read the rate", "in");
	ifb_name(live, name);
	r = link_get(nl, name, &ifb);
	if (r == 0)
		r = traffic_get(nl, ifb.index, ret_out);
	return r < 0 && r != -ENODEV ? net_fail(nl, r, err, "read the rate", "out") : 0;
}

/* The redirection first: what came while the ifb is deleted would be lost. */
int net_rate_end(struct netlink *nl, const struct net_live *live)
{
	struct link_info ifb;
	char name[IFNAMSIZ];
	int r;

	ifb_name(live, name);
	r = link_get(nl, name, &ifb);
	if (r < 0)
		return r == -ENODEV ? 0 : r;
	r = traffic_redirect_end(nl, live->host_index);
	/* The host end is gone already. */
	if (r < 0 && r != -ENODEV)
		return r;
	return link_delete(nl, ifb.index);
}
