/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The address manager: STATEDIR/leases, a line per interface, "ID<TAB>INDEX V4 V6 MAC", and one per
 * static address inside the managed networks, "ID<TAB>INDEX =ADDRESS". The file is read and
 * replaced as a whole under a lock.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/net.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/paths.h"
#include "util/str.h"
#include "util/table.h"

#define FILE_NAME "leases"

static int leases_open(struct table *l, bool lock, struct lxmgr_err *err)
{
	int r = table_open(l, STATEDIR, FILE_NAME, lock);

	return r < 0 ? err_set(err, r, "open the table '%s/%s'", STATEDIR, FILE_NAME) : 0;
}

/* Parse the part behind the tab. */
static int parse_lease(const char *s, unsigned int *ret_index, struct ipam_lease *l)
{
	char v4[64], v6[64], mac[32];

	memset(l, 0, sizeof(*l));
	if (sscanf(s, "%u %63s %63s %31s", ret_index, v4, v6, mac) != 4)
		return -EINVAL;
	if (net_addr_parse(v4, AF_INET, &l->v4, NULL) < 0 ||
	    net_addr_parse(v6, AF_INET6, &l->v6, NULL) < 0 || mac_parse(mac, l->mac, NULL) < 0)
		return -EINVAL;
	return 0;
}

/* The same of a line for a static address. */
static int parse_static(const char *s, unsigned int *ret_index, struct net_addr *ret)
{
	char text[64];

	if (sscanf(s, "%u =%63s", ret_index, text) != 2)
		return -EINVAL;
	return net_addr_parse(text, 0, ret, NULL);
}

/* The next line: its id (not terminated, *n bytes) and what is behind the tab. */
static const char *next_lease(const char *p, const char **ret_id, size_t *ret_n,
			      const char **ret_rest)
{
	if (!p || !*p)
		return NULL;
	*ret_id = p;
	*ret_n = strcspn(p, "\t\n");
	*ret_rest = p + *ret_n + (p[*ret_n] == '\t');
	p += strcspn(p, "\n");
	return p + (*p == '\n');
}

static bool id_is(const char *id, size_t n, const char *want)
{
	return strlen(want) == n && !memcmp(id, want, n);
}

static int find(const struct table *l, const char *id, unsigned int index, struct ipam_lease *ret)
{
	const char *p = l->text, *have, *rest;
	unsigned int i;
	size_t n;

	while ((p = next_lease(p, &have, &n, &rest)))
		if (id_is(have, n, id) && parse_lease(rest, &i, ret) == 0 && i == index)
			return 0;
	return -ENOENT;
}

int ipam_lookup(const char *id, unsigned int net_index, struct ipam_lease *ret)
{
	cleanup_table struct table l = TABLE_INIT;
	int r = leases_open(&l, false, NULL);

	return r < 0 ? r : find(&l, id, net_index, ret);
}

/* The offset of an address in the bridge's network. */
static uint32_t offset_of(const struct bridge_conf *c, const struct net_addr *a)
{
	return ntohl(a->v4.s_addr) & (0xffffffffU >> c->v4.prefix);
}

static void mark(uint8_t *used, uint32_t size, uint32_t o)
{
	if (o < size)
		used[o / 8] |= (uint8_t)(1U << o % 8);
}

/* A lease takes the same offset in both networks, so a static address of either one blocks it. */
static void mark_address(const struct bridge_conf *c, const struct net_addr *a, uint8_t *used,
			 uint32_t size)
{
	const uint8_t *b = a->v6.s6_addr;

	if (net_addr_contains(&c->v4, a))
		mark(used, size, offset_of(c, a));
	else if (net_addr_contains(&c->v6, a) && !memcmp(b + 8, "\0\0\0\0\0", 6))
		mark(used, size, (uint32_t)b[14] << 8 | b[15]);
}

/* The first offset nobody has: 0 is the network, 1 the bridge, the last the broadcast. */
static int choose(const struct bridge_conf *c, const struct table *l, uint32_t *ret)
{
	uint32_t size = 0xffffffffU >> c->v4.prefix;
	cleanup_free uint8_t *used = calloc(size / 8 + 1, 1);
	const char *p = l->text, *id, *rest;
	struct ipam_lease have;
	unsigned int index;
	size_t n;

	if (!used)
		return -ENOMEM;
	while ((p = next_lease(p, &id, &n, &rest)))
		if (parse_lease(rest, &index, &have) == 0 ||
		    parse_static(rest, &index, &have.v4) == 0)
			mark_address(c, &have.v4, used, size);
	for (uint32_t o = 2; o < size; o++)
		if (!(used[o / 8] >> o % 8 & 1) && o != offset_of(c, &c->v4)) {
			*ret = o;
			return 0;
		}
	return -EADDRNOTAVAIL;
}

static void make_lease(const struct bridge_conf *c, uint32_t o, struct ipam_lease *l)
{
	unsigned long long h = str_hash(&c->v4.v4, 4);
	uint32_t net = ntohl(c->v4.v4.s_addr) & ~(0xffffffffU >> c->v4.prefix);

	memset(l, 0, sizeof(*l));
	l->v4 = (struct net_addr){ .family = AF_INET, .prefix = c->v4.prefix };
	l->v4.v4.s_addr = htonl(net | o);
	l->v6 = c->v6;
	l->v6.v6.s6_addr[14] = (uint8_t)(o >> 8);
	l->v6.v6.s6_addr[15] = (uint8_t)o;
	/* The prefix is LXC's; the address's offset makes it unique on the bridge. The same address
	 * always has the same MAC: a neighbour's cache is right also for its next owner. */
	l->mac[0] = 0x10;
	l->mac[1] = 0x66;
	l->mac[2] = 0x6a;
	l->mac[3] = (uint8_t)h;
	l->mac[4] = (uint8_t)(o >> 8);
	l->mac[5] = (uint8_t)o;
}

/* All lines but those of the interface, leases or static addresses. */
static void copy_others(struct strbuf *b, const struct table *l, const char *id, unsigned int index,
			bool leases)
{
	const char *p, *line, *have, *rest;
	struct ipam_lease lease;
	unsigned int i;
	size_t n;

	for (line = p = l->text; (p = next_lease(p, &have, &n, &rest)); line = p) {
		bool same = (leases ? parse_lease(rest, &i, &lease)
				    : parse_static(rest, &i, &lease.v4)) == 0 &&
			    i == index && id_is(have, n, id);

		if (!same)
			strbuf_add(b, line, (size_t)(p - line));
	}
}

static int replace_leases(struct table *l, const struct strbuf *b, bool sync, struct lxmgr_err *err)
{
	int r = table_replace(l, b, sync);

	return r < 0 ? err_set(err, r, "write '%s/%s'", STATEDIR, FILE_NAME) : 0;
}

int ipam_acquire(const struct bridge_conf *conf, const char *id, unsigned int net_index,
		 struct ipam_lease *ret, struct lxmgr_err *err)
{
	cleanup_table struct table l = TABLE_INIT;
	char v4[INET6_ADDRSTRLEN + 4], v6[INET6_ADDRSTRLEN + 4], mac[18];
	cleanup_strbuf struct strbuf b = { 0 };
	uint32_t o;
	int r;

	/* The usual case needs no lock: the file is replaced as a whole. */
	if (ipam_lookup(id, net_index, ret) == 0 && net_addr_contains(&conf->v4, &ret->v4))
		return 0;
	if (strpbrk(id, "\t\n"))
		return err_msg(err, -EINVAL, "'%s' cannot be recorded as a path", id);
	r = leases_open(&l, true, err);
	if (r < 0)
		return r;
	/* Somebody else who makes it may have been faster. */
	if (ipam_lookup(id, net_index, ret) == 0 && net_addr_contains(&conf->v4, &ret->v4))
		return 0;
	r = choose(conf, &l, &o);
	if (r < 0)
		return err_msg(err, r, "no address is left in the network of '%s'", conf->name);
	make_lease(conf, o, ret);
	/* A lease of networks that were chosen anew is replaced. */
	copy_others(&b, &l, id, net_index, true);
	strbuf_addf(&b, "%s\t%u %s %s %s\n", id, net_index, net_addr_print(&ret->v4, false, v4),
		    net_addr_print(&ret->v6, false, v6), mac_print(ret->mac, mac));
	return replace_leases(&l, &b, true, err);
}

struct wish {
	struct net_addr addr[NET_MAX_ADDRS];
	bool noted[NET_MAX_ADDRS];
	size_t n, n_noted;
	bool stale; /* one is noted that is not wished any more */
};

static struct net_addr host_of(struct net_addr a)
{
	a.prefix = a.family == AF_INET ? 32 : 128;
	a.broadcast.s_addr = 0;
	return a;
}

/* Whatever prefix length the config gives it. */
static bool is_managed(const struct bridge_conf *c, const struct net_addr *a)
{
	struct net_addr host = host_of(*a);

	return net_addr_contains(&c->v4, &host) || net_addr_contains(&c->v6, &host);
}

/* Take an address that is noted for the interface itself off the wishes. */
static void see_own(struct wish *w, const struct net_addr *a)
{
	for (size_t i = 0; i < w->n; i++) {
		if (!net_addr_equal(&w->addr[i], a))
			continue;
		w->n_noted += !w->noted[i];
		w->noted[i] = true;
		return;
	}
	w->stale = true;
}

static bool is_wished(const struct wish *w, const struct net_addr *a, char *text)
{
	struct net_addr host = host_of(*a);

	for (size_t i = 0; i < w->n; i++)
		if (net_addr_equal(&w->addr[i], &host)) {
			net_addr_print(&host, true, text);
			return true;
		}
	return false;
}

/* Compare the wishes with what is noted. -EEXIST if another container has one of them. */
static int compare(const struct table *l, const char *id, unsigned int index, struct wish *w,
		   struct lxmgr_err *err)
{
	const char *p = l->text, *have, *rest, *name;
	char text[INET6_ADDRSTRLEN + 4];
	struct ipam_lease lease;
	unsigned int i;
	size_t n;

	while ((p = next_lease(p, &have, &n, &rest))) {
		bool is_static = parse_static(rest, &i, &lease.v4) == 0;

		if (!is_static && parse_lease(rest, &i, &lease) < 0)
			continue;
		if (id_is(have, n, id)) {
			if (is_static && i == index)
				see_own(w, &lease.v4);
			continue;
		}
		if (!is_wished(w, &lease.v4, text) && (is_static || !is_wished(w, &lease.v6, text)))
			continue;
		name = memrchr(have, '/', n);
		name = name ? name + 1 : have;
		return err_msg(err, -EEXIST, "the address %s of net.%u belongs to container '%.*s'",
			       text, index, (int)(n - (size_t)(name - have)), name);
	}
	return 0;
}

int ipam_reserve(const struct bridge_conf *conf, const char *id, unsigned int net_index,
		 const struct net_addr *addr, size_t n, struct lxmgr_err *err)
{
	char text[INET6_ADDRSTRLEN + 4];
	cleanup_strbuf struct strbuf b = { 0 };
	struct wish w = { 0 };
	int r;

	for (size_t i = 0; i < n; i++)
		if (is_managed(conf, &addr[i]) && w.n < NET_MAX_ADDRS)
			w.addr[w.n++] = host_of(addr[i]);
	/* First without the lock: nearly always nothing is to be changed. */
	for (int locked = 0; locked < 2; locked++) {
		cleanup_table struct table l = TABLE_INIT;

		memset(w.noted, 0, sizeof(w.noted));
		w.n_noted = 0;
		w.stale = false;
		r = leases_open(&l, locked, err);
		if (r == 0)
			r = compare(&l, id, net_index, &w, err);
		if (r < 0 || (w.n_noted == w.n && !w.stale))
			return r;
		if (!locked)
			continue;
		if (strpbrk(id, "\t\n"))
			return err_msg(err, -EINVAL, "'%s' cannot be recorded as a path", id);
		copy_others(&b, &l, id, net_index, false);
		for (size_t i = 0; i < w.n; i++)
			strbuf_addf(&b, "%s\t%u =%s\n", id, net_index,
				    net_addr_print(&w.addr[i], false, text));
		return replace_leases(&l, &b, true, err);
	}
	return 0;
}

int ipam_release(const char *id, struct lxmgr_err *err)
{
	cleanup_table struct table l = TABLE_INIT;
	cleanup_strbuf struct strbuf b = { 0 };
	const char *p, *line, *have, *rest;
	bool any = false;
	size_t n;
	int r = leases_open(&l, true, err);

	if (r < 0)
		return r;
	for (line = p = l.text; (p = next_lease(p, &have, &n, &rest)); line = p) {
		if (id_is(have, n, id))
			any = true;
		else
			strbuf_add(&b, line, (size_t)(p - line));
	}
	if (!any)
		return 0;
	return replace_leases(&l, &b, false, err);
}

int ipam_rename(const char *from, const char *to, struct lxmgr_err *err)
{
	cleanup_table struct table l = TABLE_INIT;
	cleanup_strbuf struct strbuf b = { 0 };
	const char *p, *line, *have, *rest;
	size_t n;
	int r = leases_open(&l, true, err);

	if (r < 0)
		return r;
	for (line = p = l.text; (p = next_lease(p, &have, &n, &rest)); line = p) {
		if (id_is(have, n, from)) {
			strbuf_addf(&b, "%.*s%s", (int)(have - line), line, to);
			line = have + n;
		}
		strbuf_add(&b, line, (size_t)(p - line));
	}
	return replace_leases(&l, &b, true, err);
}

int ipam_usage(const struct bridge_conf *conf, uint64_t *ret_used, uint64_t *ret_total,
	       struct lxmgr_err *err)
{
	cleanup_table struct table l = TABLE_INIT;
	const char *p, *id, *rest;
	size_t n;
	int r = leases_open(&l, false, err);

	if (r < 0)
		return r;
	/* All but the network's own address, its broadcast and the bridge. */
	*ret_total = (1ULL << (32 - conf->v4.prefix)) - 3;
	*ret_used = 0;
	for (p = l.text; (p = next_lease(p, &id, &n, &rest));)
		++*ret_used;
	return 0;
}
