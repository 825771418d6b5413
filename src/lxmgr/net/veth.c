/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "kernel/antispoof.h"
#include "kernel/ns.h"
#include "net/net_types.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/str.h"

static int check(const struct net_spec *n, struct lxmgr_err *err)
{
	if (n->veth_mode == NET_VETH_ROUTER && !n->n_addr)
		return err_msg(err, -EINVAL,
			       "veth in router mode needs an address (lxmgr.net.%u.ipv4.address)",
			       n->index);
	if (n->veth_mode == NET_VETH_ROUTER && (n->veth_vlan_id >= 0 || n->n_vlan_tagged))
		return err_msg(err, -EINVAL, "VLANs are for bridge mode (lxmgr.net.%u.veth.vlan)",
			       n->index);
	return 0;
}

/* A fresh name at each start: the old link may still be dying when the next start comes. */
static void host_name(const struct net_spec *n, char name[IFNAMSIZ])
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	uint8_t rnd[8] = { 0 };

	if (*n->veth_pair) {
		snprintf(name, IFNAMSIZ, "%s", n->veth_pair);
		return;
	}
	if (getrandom(rnd, sizeof(rnd), 0) < 0)
		log_debug("no random bytes for an interface name, ignoring");
	memcpy(name, "veth", 4);
	for (int i = 0; i < 8; i++)
		name[4 + i] = digits[rnd[i] % 36];
	name[12] = '\0';
}

static int write_sysctl(const char *family, const char *dir, const char *name, const char *key,
			const char *value, struct lxmgr_err *err)
{
	char path[128];
	int r;

	snprintf(path, sizeof(path), "/proc/sys/net/%s/%s/%s/%s", family, dir, name, key);
	r = write_small(AT_FDCWD, path, value);
	return r < 0 ? err_set(err, r, "write '%s'", path) : 0;
}

/* Router mode: the host end forwards, answers for others at once and listens to no router. */
static int router_sysctls(const char *host, bool v4, struct lxmgr_err *err)
{
	static const struct {
		bool v4;
		const char *dir, *key, *value;
	} table[] = {
		{ true, "conf", "forwarding", "1" },
		{ true, "conf", "proxy_arp", "1" },
		{ true, "neigh", "proxy_delay", "0" },
		{ false, "conf", "forwarding", "1" },
		{ false, "conf", "proxy_ndp", "1" },
		{ false, "neigh", "proxy_delay", "0" },
		{ false, "conf", "accept_ra", "0" },
		/* Or the host cannot ask for the container before that is over. */
		{ false, "conf", "accept_dad", "0" },
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(table) && r == 0; i++)
		if (table[i].v4 == v4)
			r = write_sysctl(v4 ? "ipv4" : "ipv6", table[i].dir, host, table[i].key,
					 table[i].value, err);
	return r;
}

static int router(struct netlink *nl, const struct net_spec *n, const struct net_live *live,
		  struct lxmgr_err *err)
{
	int r = 0;

	for (size_t i = 0; i < n->n_addr && r == 0; i++) {
		struct net_addr dst = n->addr[i];
		bool v4 = dst.family == AF_INET;

		dst.prefix = v4 ? 32 : 128;
		r = router_sysctls(live->host_name, v4, err);
		if (r < 0)
			return r;
		r = route_add(nl, live->host_index, &dst, NULL);
		if (r < 0)
			return net_fail(nl, r, err, "route to the container through",
					live->host_name);
		if (!v4 && n->gw6_mode == NET_GW_ADDR) {
			r = neigh_proxy_add(nl, live->host_index, &n->gw6);
			if (r < 0)
				return net_fail(nl, r, err, "answer for the gateway on",
						live->host_name);
		}
	}
	if (r == 0 && n->l2proxy)
		r = l2proxy_add(nl, n, err);
	return r;
}

static int bridge_port(struct netlink *nl, const struct net_spec *n, const struct net_live *live,
		       const uint8_t mac[6], struct lxmgr_err *err)
{
	int r = 0;

	/* An earlier container may have had this address and MAC behind another port, which dies
	 * only a moment later. A switch that is no Linux bridge learns by itself. */
	if (*n->link)
		r = bridge_fdb_set(nl, live->host_index, mac);
	if (r < 0)
		log_debug("%s: the bridge takes no entry for the MAC: %s, ignoring",
			  live->host_name, strerror(-r));
	r = 0;
	if (n->veth_vlan_id >= 0) {
		/* The bridge's default VLAN is 1. */
		r = bridge_vlan_del(nl, live->host_index, 1);
		if (r == -ENOENT)
			r = 0;
	}
	if (r == 0 && n->veth_vlan_id > 0)
		r = bridge_vlan_add(nl, live->host_index, (uint16_t)n->veth_vlan_id, true);
	for (size_t i = 0; r == 0 && i < n->n_vlan_tagged; i++)
		r = bridge_vlan_add(nl, live->host_index, n->veth_vlan_tagged[i], false);
	return r < 0 ? net_fail(nl, r, err, "set the VLANs of", live->host_name) : 0;
}

/* A bridge that does not filter takes the ports' VLANs and heeds none of them: the container would
 * be in everybody's. */
static int check_vlans(const struct net_spec *n, const struct link_info *bridge,
		       struct lxmgr_err *err)
{
	const char *key = n->veth_vlan_id >= 0 ? "veth.vlan.id" : "veth.vlan.tagged.id";

	if (n->veth_vlan_id < 0 && !n->n_vlan_tagged)
		return 0;
	if (!*n->link)
		return err_msg(err, -EINVAL, "lxmgr.net.%u.%s needs lxmgr.net.%u.link", n->index,
			       key, n->index);
	if (!str_eq(bridge->kind, "bridge"))
		return err_msg(err, -EOPNOTSUPP, "'%s' is no Linux bridge (lxmgr.net.%u.%s)",
			       n->link, n->index, key);
	if (!bridge->vlan_aware)
		return err_msg(err, -EOPNOTSUPP,
			       "no bridge of this kernel filters VLANs (lxmgr.net.%u.%s); it needs "
			       "CONFIG_BRIDGE_VLAN_FILTERING",
			       n->index, key);
	if (!bridge->vlan_filtering)
		return err_msg(err, -EOPNOTSUPP,
			       "the bridge '%s' does not filter VLANs (lxmgr.net.%u.%s); switch it "
			       "on with: ip link set dev %s type bridge vlan_filtering 1",
			       n->link, n->index, key, n->link);
	return 0;
}

/* What the container may send; -ENOENT: anything. */
static int preload(const struct net_spec *n, struct lxmgr_err *err)
{
	struct net_addr allow[NET_MAX_ADDRS + NET_MAX_ROUTES];
	struct antispoof_spec a = { .allow = allow, .vlan = n->n_vlan_tagged > 0 };

	if (!n->antispoof)
		return -ENOENT;
	memcpy(a.mac, n->mac, 6);
	for (size_t i = 0; i < n->n_addr; i++) {
		allow[a.n_allow] = n->addr[i];
		allow[a.n_allow++].prefix = n->addr[i].family == AF_INET ? 32 : 128;
	}
	/* Networks that the host routes to the container are its to send from. */
	for (size_t i = 0; i < n->n_route; i++)
		allow[a.n_allow++] = n->route[i];
	return antispoof_load(&a, err);
}

static int antispoof(const struct net_spec *n, const struct net_live *live, struct netlink *nl,
		     struct lxmgr_err *err)
{
	cleanup_fd int loaded = -EBADF;

	if (n->antispoof && !n->program) {
		loaded = preload(n, err);
		/* The kernel takes such programs from the host's root only. */
		if (loaded == -EPERM && ns_is_nested()) {
			log_notice("%s: nothing keeps the container from sending with other "
				   "addresses (lxmgr.net.%u.antispoof): the kernel does not let a "
				   "container filter its containers, ignoring",
				   live->host_name, n->index);
			return 0;
		}
		if (loaded < 0)
			return loaded;
	}
	return n->antispoof ? antispoof_attach(nl, live->host_index,
					       n->program ? n->program : loaded, err)
			    : 0;
}

static int create(struct netlink *nl, const struct net_spec *n, int netns_fd, struct net_live *live,
		  struct lxmgr_err *err)
{
	struct link_info master = { 0 }, made;
	struct link_new l = { .kind = "veth",
			      .name = live->host_name,
			      .mtu = n->mtu,
			      .up = true,
			      .ns_fd = -1,
			      .peer_name = live->name,
			      .peer_ns_fd = netns_fd,
			      .rxqueues = n->n_rxqueues,
			      .txqueues = n->n_txqueues };
	uint8_t mac[6], host_mac[6];
	int r;

	if (n->veth_mode == NET_VETH_BRIDGE && *n->link) {
		r = net_parent(nl, n, &master, err);
		if (r < 0)
			return r;
		l.master = master.index;
		/* A bridge takes the smallest MTU of its ports: a new one must not shrink it. */
		if (!l.mtu)
			l.mtu = master.mtu;
	}
	r = check_vlans(n, &master, err);
	if (r < 0)
		return r;
	/* And the lowest MAC: with fe: the container's never becomes the host's own. */
	if (mac_parse("fe:xx:xx:xx:xx:xx", host_mac, err) < 0)
		return -EIO;
	l.mac = host_mac;
	if (n->has_mac)
		memcpy(mac, n->mac, 6);
	else if (mac_parse("10:66:6a:xx:xx:xx", mac, err) < 0)
		return -EIO;
	l.peer_mac = mac;
	host_name(n, live->host_name);
	r = link_create(nl, &l);
	if (r < 0) {
		char name[IFNAMSIZ];

		memcpy(name, live->host_name, sizeof(name));
		*live->host_name = '\0';
		return r == -EEXIST ? err_msg(err, r,
					      "the interface '%s' exists already "
					      "(lxmgr.net.%u.veth.pair)",
					      name, n->index)
				    : net_fail(nl, r, err, "make the veth pair", name);
	}
	r = link_get(nl, live->host_name, &made);
	if (r < 0)
		return net_fail(nl, r, err, "look up", live->host_name);
	live->host_index = made.index;
	r = antispoof(n, live, nl, err);
	if (r == 0)
		r = n->veth_mode == NET_VETH_ROUTER ? router(nl, n, live, err)
						    : bridge_port(nl, n, live, mac, err);
	if (r == 0 && (n->rate_in.bits != RATE_NONE || n->rate_out.bits != RATE_NONE))
		r = net_rate_set(nl, live, &n->rate_in, &n->rate_out, err);
	for (size_t i = 0; r == 0 && i < n->n_route; i++) {
		r = route_add(nl, live->host_index, &n->route[i], NULL);
		if (r < 0)
			net_fail(nl, r, err, "add the host's route through", live->host_name);
	}
	if (r < 0) {
		if (n->l2proxy)
			l2proxy_del(nl, n);
		net_rate_end(nl, live);
		link_delete(nl, live->host_index);
		*live->host_name = '\0';
	}
	return r;
}

/* The namespace's death removes the pair; deleting it costs 25 ms. Only a pair whose name was
 * asked for is waited for: the next start wants it. */
static void destroy(struct netlink *nl, const struct net_spec *n, const struct net_live *live,
		    int netns_fd)
{
	struct link_info l;

	if (n && n->l2proxy)
		l2proxy_del(nl, n);
	if (*live->host_name)
		net_rate_end(nl, live);
	if (!*live->host_name || (n && !*n->veth_pair))
		return;
	if (link_get(nl, live->host_name, &l) == 0 && l.index == live->host_index)
		link_delete(nl, l.index);
}

const struct net_ops net_veth = {
	.name = "veth",
	.check = check,
	.preload = preload,
	.create = create,
	.destroy = destroy,
};
