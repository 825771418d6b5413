/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The managed bridge: its networks, itself, forwarding and NAT. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "kernel/firewall.h"
#include "net/net.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/paths.h"
#include "util/str.h"

#define BRIDGE	  "lxmgrbr0"
#define FILE_NAME "network"
#define PREFIX4	  20 /* room for 4093 containers */

static int open_state(struct lxmgr_err *err)
{
	int r = mkdir_p(STATEDIR, 0711), fd;

	if (r < 0)
		return err_set(err, r, "make '%s'", STATEDIR);
	fd = open(STATEDIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_set(err, -errno, "open '%s'", STATEDIR) : fd;
}

static int parse_conf(char *text, struct bridge_conf *c, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist lines = { 0 };
	const char *v;
	int r = 0;

	memset(c, 0, sizeof(*c));
	if (strlist_split(&lines, text, "\n") < 0)
		return err_set(err, -ENOMEM, "network");
	for (size_t i = 0; i < lines.n && r == 0; i++) {
		if ((v = str_after(lines.v[i], "bridge = ")) && ifname_is_valid(v))
			snprintf(c->name, sizeof(c->name), "%s", v);
		else if ((v = str_after(lines.v[i], "ipv4 = ")))
			r = net_addr_parse(v, AF_INET, &c->v4, err);
		else if ((v = str_after(lines.v[i], "ipv6 = ")))
			r = net_addr_parse(v, AF_INET6, &c->v6, err);
		else if ((v = str_after(lines.v[i], "nat = ")))
			r = parse_bool(v, &c->nat);
	}
	if (r < 0 || !*c->name || !c->v4.family || !c->v6.family)
		return err_msg(err, -EINVAL,
			       "'%s/%s' is damaged; remove it to have new networks "
			       "chosen",
			       STATEDIR, FILE_NAME);
	return 0;
}

struct overlap {
	struct net_addr net;
	bool found;
};

static int see_network(const struct net_addr *a, void *data)
{
	struct overlap *o = data;

	if (net_addr_contains(&o->net, a) || net_addr_contains(a, &o->net))
		o->found = true;
	return 0;
}

static int see_address(int ifindex, const struct net_addr *a, int scope, void *data)
{
	(void)ifindex;
	(void)scope;
	return see_network(a, data);
}

static bool is_used(struct netlink *nl, const struct net_addr *net)
{
	struct overlap o = { .net = *net };

	return addr_list(nl, see_address, &o) < 0 || route_list(nl, see_network, &o) < 0 || o.found;
}

/* Networks that no address and no route of the host touches. */
static int choose(struct bridge_conf *c, struct lxmgr_err *err)
{
	struct netlink *nl = NULL;
	uint8_t rnd[16];
	int r = netlink_open(&nl, err);

	if (r < 0)
		return r;
	memset(c, 0, sizeof(*c));
	snprintf(c->name, sizeof(c->name), "%s", BRIDGE);
	c->nat = true;
	r = -EADDRINUSE;
	for (int tries = 0; tries < 200 && r < 0; tries++) {
		if (getrandom(rnd, sizeof(rnd), 0) != sizeof(rnd))
			break;
		c->v4 = (struct net_addr){ .family = AF_INET, .prefix = PREFIX4 };
		c->v4.v4.s_addr =
			htonl(10U << 24 | (64U + rnd[0] % 160) << 16 | (rnd[1] & 0xf0U) << 8 | 1);
		c->v6 = (struct net_addr){ .family = AF_INET6, .prefix = 64 };
		c->v6.v6.s6_addr[0] = 0xfd;
		memcpy(&c->v6.v6.s6_addr[1], rnd + 2, 7);
		c->v6.v6.s6_addr[15] = 1;
		if (!is_used(nl, &c->v4) && !is_used(nl, &c->v6))
			r = 0;
	}
	netlink_close(nl);
	return r < 0 ? err_msg(err, r, "no private network is free on this host for '%s'", BRIDGE)
		     : 0;
}

int bridge_conf_read(struct bridge_conf *ret, struct lxmgr_err *err)
{
	cleanup_free char *text = NULL;
	int r = read_file_at(AT_FDCWD, STATEDIR "/" FILE_NAME, 4096, &text, NULL);

	return r < 0 ? err_set(err, r, "read '%s/%s'", STATEDIR, FILE_NAME)
		     : parse_conf(text, ret, err);
}

int bridge_conf_get(struct bridge_conf *ret, struct lxmgr_err *err)
{
	char v4[INET6_ADDRSTRLEN + 4], v6[INET6_ADDRSTRLEN + 4], out[400];
	cleanup_fd int dir = open_state(err), lock = -EBADF;
	cleanup_free char *text = NULL;
	int r;

	if (dir < 0)
		return dir;
	r = read_file_at(dir, FILE_NAME, 4096, &text, NULL);
	if (r == 0)
		return parse_conf(text, ret, err);
	lock = lock_at(dir, ".network.lock", true, 10000, NULL);
	if (lock < 0)
		return err_set(err, lock, "lock '%s/%s'", STATEDIR, FILE_NAME);
	if (read_file_at(dir, FILE_NAME, 4096, &text, NULL) == 0)
		return parse_conf(text, ret, err);
	r = choose(ret, err);
	if (r < 0)
		return r;
	snprintf(out, sizeof(out),
		 "# The networks of the managed bridge, chosen once by lxmgr.\n"
		 "version = 1\nbridge = %s\nipv4 = %s\nipv6 = %s\nnat = %d\n",
		 ret->name, net_addr_print(&ret->v4, false, v4),
		 net_addr_print(&ret->v6, false, v6), ret->nat);
	r = write_file_atomic(dir, FILE_NAME, out, strlen(out), 0600);
	return r < 0 ? err_set(err, r, "write '%s/%s'", STATEDIR, FILE_NAME) : 0;
}

static int set_addresses(struct netlink *nl, const struct bridge_conf *c, int index)
{
	int r = addr_add(nl, index, &c->v4);

	if (r == 0)
		r = addr_add(nl, index, &c->v6);
	/* A host without IPv6. */
	if (r == -EOPNOTSUPP || r == -EACCES || r == -EAFNOSUPPORT) {
		log_notice("the bridge '%s' gets no IPv6 address: %s, ignoring", c->name,
			   strerror(-r));
		r = 0;
	}
	return r;
}

/* The host listens to no router among its containers, and waits for no duplicate detection: a
 * guest's first packet would wait for it. */
static void quiet_ipv6(const char *bridge)
{
	static const char *const keys[] = { "accept_ra", "autoconf", "accept_dad" };
	char path[96];

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		int r;

		snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s", bridge, keys[i]);
		r = write_small(AT_FDCWD, path, "0");
		if (r < 0 && r != -ENOENT)
			log_warn("write '%s': %s, ignoring", path, strerror(-r));
	}
}

static int make(struct netlink *nl, const struct bridge_conf *c, struct link_info *ret,
		struct lxmgr_err *err)
{
	uint8_t mac[6] = { 0x10, 0x66, 0x6a };
	struct link_new l = {
		.kind = "bridge", .name = c->name, .mac = mac, .ns_fd = -1, .peer_ns_fd = -1
	};
	unsigned long long h = str_hash(&c->v6.v6, 16);
	int r;

	/* A MAC of its own: a bridge that takes the lowest of its ports changes it as they come
	 * and go. */
	memcpy(mac + 3, &h, 3);
	r = link_create(nl, &l);
	if (r < 0 && r != -EEXIST)
		return err_set(err, r, "make the bridge '%s'", c->name);
	r = link_get(nl, c->name, ret);
	if (r < 0)
		return err_set(err, r, "look up the bridge '%s'", c->name);
	quiet_ipv6(c->name);
	r = set_addresses(nl, c, ret->index);
	if (r == 0)
		r = link_set_up(nl, ret->index, true);
	return r < 0 ? err_set(err, r, "set up the bridge '%s'", c->name) : 0;
}

/* Without it the containers still reach this host and one another: no reason not to start. */
static void ensure_nat(const char *bridge)
{
	struct lxmgr_err why = { 0 };
	int r = firewall_nat_look();

	if (r > 0)
		return;
	if (r < 0)
		err_set(&why, r, "the kernel's nftables do not answer");
	else
		r = firewall_nat_ensure(&why);
	if (r < 0)
		log_notice("no NAT for the containers on '%s': %s; it needs " FIREWALL_NAT_CURE,
			   bridge, why.text);
}

int bridge_ensure(struct netlink *nl, const struct bridge_conf *c, struct lxmgr_err *err)
{
	struct link_info l;
	int r = link_get(nl, c->name, &l);

	if (r < 0 && r != -ENODEV)
		return err_set(err, r, "look up the bridge '%s'", c->name);
	if (r == 0 && !str_eq(l.kind, "bridge"))
		return err_msg(err, -EEXIST, "the interface '%s' exists and is no bridge", c->name);
	if (r < 0 || !(l.flags & IFF_UP)) {
		r = make(nl, c, &l, err);
		if (r < 0)
			return r;
	} else {
		/* Somebody may have taken them off: to set them again costs nothing. */
		r = set_addresses(nl, c, l.index);
		if (r < 0)
			return err_set(err, r, "set the addresses of the bridge '%s'", c->name);
	}
	/* Each time: `sysctl --system` may have reset it. */
	forwarding_ensure(nl, c->name);
	if (c->nat)
		ensure_nat(c->name);
	return 0;
}

static int count_port(const struct link_info *l, void *data)
{
	int *v = data; /* [0] the bridge's index, [1] how many ports */

	v[1] += l->master == v[0];
	return 0;
}

int bridge_remove(struct netlink *nl, const struct bridge_conf *c, struct lxmgr_err *err)
{
	struct link_info l;
	int ports[2] = { 0 }, r = link_get(nl, c->name, &l);

	if (r == -ENODEV)
		return c->nat && firewall_nat_look() > 0 ? firewall_nat_remove(err) : 0;
	ports[0] = l.index;
	if (r == 0)
		r = link_list(nl, count_port, ports);
	if (r < 0)
		return err_set(err, r, "look at the bridge '%s'", c->name);
	if (ports[1])
		return err_msg(err, -EBUSY, "the bridge '%s' is in use by %d interfaces", c->name,
			       ports[1]);
	r = link_delete(nl, l.index);
	if (r < 0)
		return err_set(err, r, "remove the bridge '%s'", c->name);
	return c->nat && firewall_nat_look() > 0 ? firewall_nat_remove(err) : 0;
}
