/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Value types of lxmgr.net.[i].*; the field is in a struct net_spec. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "container/config_value.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/parse.h"

static struct net_spec *spec(const struct value_ctx *v)
{
	return (struct net_spec *)((char *)v->field - v->key->offset);
}

static int set_type(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	for (int i = 0; i < NET_TYPES; i++)
		if (str_eq(net_types[i]->name, value)) {
			spec(v)->type = (enum net_type)i;
			return 0;
		}
	return err_msg(err, -EINVAL, "'%s' is none of empty none veth macvlan ipvlan phys vlan",
		       value);
}

static void print_type(const struct value_ctx *v, struct strbuf *out)
{
	strbuf_addf(out, "%s\n", net_types[spec(v)->type]->name);
}

const struct value_type value_net_type = { "word", set_type, NULL, print_type, false };

static int set_flags(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	if (!str_eq(value, "up"))
		return err_msg(err, -EINVAL, "'%s': the only flag is up", value);
	spec(v)->up = true;
	return 0;
}

static void print_flags(const struct value_ctx *v, struct strbuf *out)
{
	if (spec(v)->up)
		strbuf_addf(out, "up\n");
}

const struct value_type value_net_flags = { "word", set_flags, NULL, print_flags, false };

static int set_mac(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	int r = mac_parse(value, spec(v)->mac, err);

	spec(v)->has_mac = r == 0;
	return r;
}

static void print_mac(const struct value_ctx *v, struct strbuf *out)
{
	char buf[18];

	if (spec(v)->has_mac)
		strbuf_addf(out, "%s\n", mac_print(spec(v)->mac, buf));
}

const struct value_type value_mac = { "MAC", set_mac, NULL, print_mac, false };

/* "10.0.0.2/24", without a prefix the class of LXC's days is not guessed: /24 and /64. */
static int set_addr(const struct value_ctx *v, const char *value, int family, struct lxmgr_err *err)
{
	struct net_spec *n = spec(v);
	int r;

	if (n->n_addr == NET_MAX_ADDRS)
		return err_msg(err, -E2BIG, "more than %d addresses", NET_MAX_ADDRS);
	r = net_addr_parse(value, family, &n->addr[n->n_addr], err);
	if (r < 0)
		return r;
	if (!strchr(value, '/'))
		n->addr[n->n_addr].prefix = family == AF_INET ? 24 : 64;
	n->n_addr++;
	return 0;
}

static int set_addr4(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	return set_addr(v, value, AF_INET, err);
}

static int set_addr6(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	return set_addr(v, value, AF_INET6, err);
}

static void clear_family(struct net_addr *a, size_t *n, int family)
{
	size_t kept = 0;

	for (size_t i = 0; i < *n; i++)
		if (a[i].family != family)
			a[kept++] = a[i];
	*n = kept;
}

static void print_family(const struct net_addr *a, size_t n, int family, struct strbuf *out)
{
	char buf[INET6_ADDRSTRLEN + 4], bc[INET_ADDRSTRLEN];

	for (size_t i = 0; i < n; i++) {
		if (a[i].family != family)
			continue;
		strbuf_addf(out, "%s", net_addr_print(&a[i], false, buf));
		if (family == AF_INET && a[i].broadcast.s_addr) {
			struct net_addr b = { .family = AF_INET, .v4 = a[i].broadcast };

			strbuf_addf(out, " %s", net_addr_print(&b, true, bc));
		}
		strbuf_addf(out, "\n");
	}
}

static void clear_addr4(const struct value_ctx *v)
{
	clear_family(spec(v)->addr, &spec(v)->n_addr, AF_INET);
}

static void clear_addr6(const struct value_ctx *v)
{
	clear_family(spec(v)->addr, &spec(v)->n_addr, AF_INET6);
}

static void print_addr4(const struct value_ctx *v, struct strbuf *out)
{
	print_family(spec(v)->addr, spec(v)->n_addr, AF_INET, out);
}

static void print_addr6(const struct value_ctx *v, struct strbuf *out)
{
	print_family(spec(v)->addr, spec(v)->n_addr, AF_INET6, out);
}

const struct value_type value_addr4 = { "address", set_addr4, clear_addr4, print_addr4, true };
const struct value_type value_addr6 = { "address", set_addr6, clear_addr6, print_addr6, true };

static int set_route(const struct value_ctx *v, const char *value, int family,
		     struct lxmgr_err *err)
{
	struct net_spec *n = spec(v);
	int r;

	if (n->n_route == NET_MAX_ROUTES)
		return err_msg(err, -E2BIG, "more than %d routes", NET_MAX_ROUTES);
	r = net_addr_parse(value, family, &n->route[n->n_route], err);
	if (r == 0)
		n->n_route++;
	return r;
}

static int set_route4(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	return set_route(v, value, AF_INET, err);
}

static int set_route6(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	return set_route(v, value, AF_INET6, err);
}

static void clear_route4(const struct value_ctx *v)
{
	clear_family(spec(v)->route, &spec(v)->n_route, AF_INET);
}

static void clear_route6(const struct value_ctx *v)
{
	clear_family(spec(v)->route, &spec(v)->n_route, AF_INET6);
}

static void print_route4(const struct value_ctx *v, struct strbuf *out)
{
	print_family(spec(v)->route, spec(v)->n_route, AF_INET, out);
}

static void print_route6(const struct value_ctx *v, struct strbuf *out)
{
	print_family(spec(v)->route, spec(v)->n_route, AF_INET6, out);
}

const struct value_type value_route4 = { "network", set_route4, clear_route4, print_route4, true };
const struct value_type value_route6 = { "network", set_route6, clear_route6, print_route6, true };

static int set_gw(const char *value, int family, enum net_gateway *mode, struct net_addr *gw,
		  struct lxmgr_err *err)
{
	int r;

	if (str_eq(value, "auto") || str_eq(value, "dev")) {
		*mode = str_eq(value, "auto") ? NET_GW_AUTO : NET_GW_DEV;
		return 0;
	}
	if (strchr(value, '/'))
		return err_msg(err, -EINVAL, "'%s': a gateway has no prefix length", value);
	r = net_addr_parse(value, family, gw, err);
	if (r == 0)
		*mode = NET_GW_ADDR;
	return r;
}

static int set_gw4(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	return set_gw(value, AF_INET, &spec(v)->gw4_mode, &spec(v)->gw4, err);
}

static int set_gw6(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	return set_gw(value, AF_INET6, &spec(v)->gw6_mode, &spec(v)->gw6, err);
}

static void print_gw(enum net_gateway mode, const struct net_addr *gw, struct strbuf *out)
{
	char buf[INET6_ADDRSTRLEN + 4];

	if (mode == NET_GW_ADDR)
		strbuf_addf(out, "%s\n", net_addr_print(gw, true, buf));
	else if (mode != NET_GW_NONE)
		strbuf_addf(out, "%s\n", mode == NET_GW_AUTO ? "auto" : "dev");
}

static void print_gw4(const struct value_ctx *v, struct strbuf *out)
{
	print_gw(spec(v)->gw4_mode, &spec(v)->gw4, out);
}

static void print_gw6(const struct value_ctx *v, struct strbuf *out)
{
	print_gw(spec(v)->gw6_mode, &spec(v)->gw6, out);
}

static void clear_gw4(const struct value_ctx *v)
{
	spec(v)->gw4_mode = NET_GW_NONE;
}

static void clear_gw6(const struct value_ctx *v)
{
	spec(v)->gw6_mode = NET_GW_NONE;
}

const struct value_type value_gw4 = { "address, auto or dev", set_gw4, clear_gw4, print_gw4,
				      false };
const struct value_type value_gw6 = { "address, auto or dev", set_gw6, clear_gw6, print_gw6,
				      false };

static int parse_vlan(const char *value, uint64_t *ret, struct lxmgr_err *err)
{
	return parse_range(value, 1, 4094, ret) < 0
		       ? err_msg(err, -EINVAL, "'%s' is no VLAN id from 1 to 4094", value)
		       : 0;
}

static int set_vlan_none(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	uint64_t n = 0;
	int r = str_eq(value, "none") ? 0 : parse_vlan(value, &n, err);

	if (r == 0)
		spec(v)->veth_vlan_id = (int32_t)n;
	return r;
}

static void print_vlan_none(const struct value_ctx *v, struct strbuf *out)
{
	if (spec(v)->veth_vlan_id == 0)
		strbuf_addf(out, "none\n");
	else if (spec(v)->veth_vlan_id > 0)
		strbuf_addf(out, "%d\n", spec(v)->veth_vlan_id);
}

const struct value_type value_vlan_none = { "1 to 4094 or none", set_vlan_none, NULL,
					    print_vlan_none, false };

static int set_vlan_tagged(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	struct net_spec *n = spec(v);
	uint64_t id;
	int r = parse_vlan(value, &id, err);

	if (r < 0)
		return r;
	if (n->n_vlan_tagged == NET_MAX_VLANS)
		return err_msg(err, -E2BIG, "more than %d VLANs", NET_MAX_VLANS);
	n->veth_vlan_tagged[n->n_vlan_tagged++] = (uint16_t)id;
	return 0;
}

static void clear_vlan_tagged(const struct value_ctx *v)
{
	spec(v)->n_vlan_tagged = 0;
}

static void print_vlan_tagged(const struct value_ctx *v, struct strbuf *out)
{
	for (size_t i = 0; i < spec(v)->n_vlan_tagged; i++)
		strbuf_addf(out, "%u\n", spec(v)->veth_vlan_tagged[i]);
}

const struct value_type value_vlan_tagged = { "1 to 4094", set_vlan_tagged, clear_vlan_tagged,
					      print_vlan_tagged, true };

static int set_vlan_id(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	uint64_t id;
	int r = parse_vlan(value, &id, err);

	if (r == 0)
		spec(v)->vlan_id = (uint16_t)id;
	return r;
}

static void print_vlan_id(const struct value_ctx *v, struct strbuf *out)
{
	if (spec(v)->vlan_id)
		strbuf_addf(out, "%u\n", spec(v)->vlan_id);
}

const struct value_type value_vlan_id = { "1 to 4094", set_vlan_id, NULL, print_vlan_id, false };

static const struct {
	const char *name;
	uint64_t bits;
} rate_units[] = {
	{ "gbit", 1000000000 },
	{ "mbit", 1000000 },
	{ "kbit", 1000 },
	{ "bit", 1 },
};

#define MIN_RATE  8000
#define MAX_RATE  1000000000000
#define MIN_BURST 16384
#define MAX_BURST INT32_MAX

/* "100mbit", "1.5gbit", "64000". */
static int parse_bits(const char *text, uint64_t *ret)
{
	size_t n = strspn(text, "0123456789.");
	char number[32];
	uint64_t unit = text[n] ? 0 : 1, milli;

	for (size_t i = 0; i < ARRAY_SIZE(rate_units); i++)
		if (!strcasecmp(text + n, rate_units[i].name))
			unit = rate_units[i].bits;
	if (!unit || n >= sizeof(number))
		return -EINVAL;
	snprintf(number, sizeof(number), "%.*s", (int)n, text);
	if (parse_milli(number, MAX_RATE, &milli) < 0)
		return -EINVAL;
	/* Nothing that is in range overflows. */
	if (milli / 1000 > MAX_RATE / unit)
		return -ERANGE;
	*ret = milli * unit / 1000;
	return *ret >= MIN_RATE && *ret <= MAX_RATE ? 0 : -ERANGE;
}

static int set_rate(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	cleanup_free char *text = strdup(value);
	struct rate rate = { RATE_NONE, 0 }, *field = v->field;
	char *slash = text ? strchr(text, '/') : NULL;

	if (!text)
		return err_set(err, -ENOMEM, "config");
	if (slash)
		*slash++ = '\0';
	if (str_eq(value, "max")) {
		*field = rate;
		return 0;
	}
	if (parse_bits(text, &rate.bits) < 0)
		return err_msg(err, -EINVAL,
			       "'%s' is no rate from 8kbit to 1000gbit (10mbit, 1.5gbit), or max",
			       text);
	if (slash && (parse_size(slash, &rate.burst) < 0 || rate.burst < MIN_BURST ||
		      rate.burst > MAX_BURST))
		return err_msg(err, -EINVAL, "'%s' is no burst from 16K to 2G", slash);
	*field = rate;
	return 0;
}

static void clear_rate(const struct value_ctx *v)
{
	*(struct rate *)v->field = (struct rate){ RATE_NONE, 0 };
}

static void print_rate(const struct value_ctx *v, struct strbuf *out)
{
	const struct rate *r = v->field;
	size_t i = 0;

	if (r->bits == RATE_NONE)
		return;
	while (r->bits % rate_units[i].bits)
		i++;
	strbuf_addf(out, "%llu%s", (unsigned long long)(r->bits / rate_units[i].bits),
		    rate_units[i].name);
	if (r->burst)
		strbuf_addf(out, "/%llu", (unsigned long long)r->burst);
	strbuf_addf(out, "\n");
}

const struct value_type value_rate = { "rate or max", set_rate, clear_rate, print_rate, false };
