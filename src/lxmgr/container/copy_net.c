/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "container/copy_net.h"
#include "net/net.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/str.h"

struct edit {
	struct draft *d;
	const struct net_spec *net;
	const struct lxmgr_container *of;
	struct lxmgr_err *err;
};

static int set(const struct edit *e, const char *key, const char *value)
{
	char full[64];

	snprintf(full, sizeof(full), "lxmgr.net.%u.%s", e->net->index, key);
	return draft_set(e->d, full, value, e->err);
}

/* What the address manager keeps for it. */
static int get_lease(const struct edit *e, struct bridge_conf *bridge, struct ipam_lease *lease)
{
	char id[sizeof(e->of->path) + sizeof(e->of->name) + 2];
	int r = bridge_conf_get(bridge, e->err);

	snprintf(id, sizeof(id), "%s/%s", e->of->path, e->of->name);
	return r < 0 ? r : ipam_acquire(bridge, id, e->net->index, lease, e->err);
}

static int keep_mac(const struct edit *e)
{
	struct bridge_conf bridge;
	struct ipam_lease lease;
	const uint8_t *m = lease.mac;
	char text[18];
	int r;

	if (e->net->has_mac)
		return 0;
	if (e->net->managed) {
		r = get_lease(e, &bridge, &lease);
		if (r < 0)
			return r;
	} else if (!net_default_mac(e->net, e->of->tag, lease.mac)) {
		return 0;
	}
	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4],
		 m[5]);
	return set(e, "hwaddr", text);
}

static int keep_address(const struct edit *e, const char *family, const struct net_addr *addr,
			const struct net_addr *net, enum net_gateway gw)
{
	struct net_addr a = *addr;
	char key[32], text[64];
	int r;

	if (!a.family)
		return 0;
	a.prefix = net->prefix;
	snprintf(key, sizeof(key), "%s.address", family);
	r = set(e, key, net_addr_print(&a, false, text));
	if (r < 0 || (gw != NET_GW_NONE && gw != NET_GW_AUTO))
		return r;
	snprintf(key, sizeof(key), "%s.gateway", family);
	return set(e, key, net_addr_print(net, true, text));
}

/* From the manager's they become the config's own. The copy starts when their owner is gone. */
static int keep_managed(const struct edit *e)
{
	struct bridge_conf bridge;
	struct ipam_lease lease;
	int r = get_lease(e, &bridge, &lease);

	if (r == 0 && !*e->net->link)
		r = set(e, "link", bridge.name);
	if (r == 0)
		r = keep_address(e, "ipv4", &lease.v4, &bridge.v4, e->net->gw4_mode);
	return r < 0 ? r : keep_address(e, "ipv6", &lease.v6, &bridge.v6, e->net->gw6_mode);
}

static int drop_addresses(const struct edit *e)
{
	static const char *const keys[] = { "ipv4.address", "ipv6.address", "ipv4.gateway",
					    "ipv6.gateway" };
	int r = 0;

	if (e->net->managed || !e->net->n_addr)
		return 0;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(keys); i++)
		r = set(e, keys[i], NULL);
	return r;
}

int copy_edit_nets(struct draft *d, const struct config *have, const struct lxmgr_container *of,
		   const struct lxmgr_copy_opts *o, struct lxmgr_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < have->n_nets; i++) {
		const struct edit e = { d, &have->nets[i], of, err };

		if (o->keep_mac)
			r = keep_mac(&e);
		else if (e.net->has_mac)
			r = set(&e, "hwaddr", NULL);
		if (r == 0 && *e.net->veth_pair)
			r = set(&e, "veth.pair", NULL);
		if (r == 0 && !o->keep_addresses)
			r = drop_addresses(&e);
		else if (r == 0 && e.net->managed)
			r = keep_managed(&e);
	}
	return r;
}
