/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /etc/network/interfaces: ifupdown, ifupdown-ng and busybox's. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "net/guest.h"
#include "util/cleanup.h"
#include "util/err.h"

#define IFACES "etc/network/interfaces"

struct word {
	const char *s;
	size_t len;
};

static struct word next_word(const char **p, const char *end)
{
	struct word w;

	while (*p < end && strchr(" \t\r", **p))
		(*p)++;
	w.s = *p;
	while (*p < end && !strchr(" \t\r", **p))
		(*p)++;
	w.len = (size_t)(*p - w.s);
	return w;
}

static bool word_is(struct word w, const char *s)
{
	return w.len == strlen(s) && !memcmp(w.s, s, w.len);
}

static bool word_is_one_of(struct word w, const char *const *list)
{
	for (; *list; list++)
		if (word_is(w, *list))
			return true;
	return false;
}

static bool is_ours_to_set(struct word w, const struct guest_net *g)
{
	char name[IFNAMSIZ];

	for (size_t i = 0; i < g->n_nets; i++) {
		net_inside_name(&g->nets[i], name);
		if (guest_is_host_set(&g->nets[i]) && word_is(w, name))
			return true;
	}
	return false;
}

static bool is_source(const char *line, const char *end)
{
	static const char *const words[] = { "source", "source-directory", "source-dir", NULL };

	return word_is_one_of(next_word(&line, end), words);
}

/* ret_named: such a line is a stanza of an interface whose addresses the host sets. */
static bool is_default_line(const char *p, const char *end, const struct guest_net *g,
			    bool *ret_named)
{
	static const char *const autos[] = { "auto", "allow-auto", "allow-hotplug", NULL };
	static const char *const methods[] = { "dhcp", "auto", "manual", NULL };
	static const char *const families[] = { "inet", "inet6", NULL };
	struct word key, name, family, method;

	if (is_source(p, end))
		return true;
	key = next_word(&p, end);
	if (!key.len || *key.s == '#' || word_is(key, "hostname"))
		return true;
	if (word_is_one_of(key, autos)) {
		while ((name = next_word(&p, end)).len)
			if (!word_is(name, "lo") && !is_ours_to_set(name, g))
				return false;
		return true;
	}
	if (!word_is(key, "iface"))
		return false;
	name = next_word(&p, end);
	family = next_word(&p, end);
	method = next_word(&p, end);
	if (next_word(&p, end).len || !word_is_one_of(family, families))
		return false;
	if (word_is(name, "lo"))
		return word_is(method, "loopback");
	*ret_named = true;
	return is_ours_to_set(name, g) && word_is_one_of(method, methods);
}

/* What distributions ship: nothing, or loopback and DHCP or nothing on an interface whose addresses
 * the host sets. DHCP would take these away, and a stanza without addresses does not bring them
 * back. */
static bool is_default(const char *text, const struct guest_net *g)
{
	bool named = !text[strspn(text, " \t\r\n")];

	for (size_t n; *text; text += n + (text[n] == '\n')) {
		n = strcspn(text, "\n");
		if ((n && text[n - 1] == '\\') || !is_default_line(text, text + n, g, &named))
			return false;
	}
	return named;
}

static void keep_sources(struct strbuf *b, const char *text)
{
	for (size_t n; *text; text += n + (text[n] == '\n')) {
		n = strcspn(text, "\n");
		if (is_source(text, text + n))
			strbuf_addf(b, "%.*s\n", (int)n, text);
	}
}

static void ifupdown_gateway(struct strbuf *b, const struct net_spec *n, const char *name,
			     int family)
{
	enum net_gateway mode = family == AF_INET ? n->gw4_mode : n->gw6_mode;
	const struct net_addr *gw = family == AF_INET ? &n->gw4 : &n->gw6;
	const char *ip = family == AF_INET ? "ip" : "ip -6";
	char buf[INET6_ADDRSTRLEN + 4];
	bool reachable = false;

	if (mode == NET_GW_DEV)
		strbuf_addf(b, "\tup %s route replace default dev %s\n", ip, name);
	if (mode != NET_GW_ADDR)
		return;
	/* In router mode the address is a /32 or /128: no network has the gateway. */
	for (size_t i = 0; i < n->n_addr; i++)
		reachable |= net_addr_contains(&n->addr[i], gw);
	strbuf_addf(b, "\tup %s route replace default via %s dev %s%s\n", ip,
		    net_addr_print(gw, true, buf), name, reachable ? "" : " onlink");
}

/* dns: for resolvconf(8), or NULL where resolv.conf is not its link: other hooks of ifupdown's
 * would take it up too. */
static void ifupdown_stanza(struct strbuf *b, const struct net_spec *n, const struct strlist *dns)
{
	char name[IFNAMSIZ], buf[INET6_ADDRSTRLEN + 4];

	net_inside_name(n, name);
	strbuf_addf(b, "\nauto %s\niface %s inet manual\n\tup ip link set %s up\n", name, name,
		    name);
	for (size_t i = 0; i < n->n_addr; i++) {
		net_addr_print(&n->addr[i], false, buf);
		if (n->addr[i].family == AF_INET)
			strbuf_addf(b, "\tup ip addr replace %s dev %s\n", buf, name);
		else
			/* The ip of busybox knows no nodad. */
			strbuf_addf(b,
				    "\tup ip -6 addr replace %s dev %s nodad 2>/dev/null || "
				    "ip -6 addr replace %s dev %s\n",
				    buf, name, buf, name);
	}
	ifupdown_gateway(b, n, name, AF_INET);
	ifupdown_gateway(b, n, name, AF_INET6);
	for (size_t i = 0; dns && i < dns->n; i++)
		strbuf_addf(b, "%s%s%s", i ? " " : "\tdns-nameservers ", dns->v[i],
			    i + 1 == dns->n ? "\n" : "");
}

int guest_write_ifupdown(int root, const struct guest_net *g, const struct strlist *dns,
			 struct lxmgr_err *err)
{
	cleanup_free char *old = guest_read(root, IFACES);
	cleanup_strbuf struct strbuf b = { 0 };
	bool marked = old && strstr(old, GUEST_MARKER), any = false;

	for (size_t i = 0; i < g->n_nets; i++)
		any |= guest_is_host_set(&g->nets[i]);
	if (!marked && (!any || (old ? !is_default(old, g) : guest_has_entry(root, IFACES))))
		return 0;
	strbuf_addf(&b, GUEST_MARKER "\n" GUEST_KEEPS "auto lo\niface lo inet loopback\n");
	for (size_t i = 0; i < g->n_nets; i++)
		if (guest_is_host_set(&g->nets[i]))
			ifupdown_stanza(&b, &g->nets[i], dns);
	keep_sources(&b, old ? old : "");
	if (b.failed)
		return err_set(err, -ENOMEM, "guest files");
	return guest_put(root, IFACES, b.s, GUEST_PUT_ALWAYS, err);
}
