/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packets led through the rules of forward_parse.c, and what an administrator types about them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/forward.h"
#include "util/cleanup.h"

#define MAX_WORDS 96
/* The kernel refuses more. */
#define MAX_DEPTH 16
/* Rules looked at for one packet: a ruleset made to be read long is not. */
#define MAX_STEPS 200000

/* LIKELY: but for the other interface, which is not known. */
enum match { NO, MAYBE, LIKELY, YES };
enum verdict { NONE, ACCEPT, DROP, REJECT, RETURN, JUMP, GOTO };

struct packet {
	const struct forward_rules *rules;
	int family;
	const char *in, *out; /* "": some other interface */
	const char *bridge;
	const struct net_addr *src, *dst; /* networks; family 0: not known */
	const char *state;		  /* "new", "established" */
	int steps;
};

struct rule {
	struct forward_word w[MAX_WORDS];
	size_t n, i;
	enum match match;
	enum verdict verdict;
	struct forward_word target;
};

static bool next_is(const struct rule *r, const char *s)
{
	return r->i < r->n && forward_word_is(&r->w[r->i], s);
}

/* Go on behind s if it comes next. */
static bool take(struct rule *r, const char *s)
{
	if (!next_is(r, s))
		return false;
	r->i++;
	return true;
}

static void narrow(struct rule *r, enum match m)
{
	if (m < r->match)
		r->match = m;
}

static enum match match_name(const struct packet *p, const char *name, const struct forward_word *w)
{
	bool wild = w->n && w->s[w->n - 1] == '*';

	if (*w->s == '@')
		return MAYBE;
	if (wild && w->n == 1)
		return YES;
	if (*name)
		return wild ? (!strncmp(name, w->s, w->n - 1) ? YES : NO)
			    : (forward_word_is(w, name) ? YES : NO);
	/* Some other interface is not the bridge; which one it is nobody knows. */
	return !wild && forward_word_is(w, p->bridge) ? NO : LIKELY;
}

static enum match match_state(const struct packet *p, const struct forward_word *w)
{
	return forward_word_is(w, p->state) ? YES : NO;
}

static enum match match_net(const struct net_addr *have, const struct forward_word *w)
{
	char text[64];
	struct net_addr net;

	snprintf(text, sizeof(text), "%.*s", (int)w->n, w->s);
	if (net_addr_parse(text, strchr(text, ':') ? AF_INET6 : AF_INET, &net, NULL) < 0)
		return MAYBE;
	if (net.prefix == 0)
		return YES;
	if (!have->family)
		return MAYBE;
	if (net_addr_contains(&net, have))
		return YES;
	/* A part of the network, a single container perhaps. */
	return net_addr_contains(have, &net) ? MAYBE : NO;
}

enum key { KEY_IN, KEY_OUT, KEY_STATE, KEY_SRC, KEY_DST };

static enum match match_one(const struct packet *p, enum key key, const struct forward_word *w)
{
	switch (key) {
	case KEY_IN:
		return match_name(p, p->in, w);
	case KEY_OUT:
		return match_name(p, p->out, w);
	case KEY_STATE:
		return match_state(p, w);
	case KEY_SRC:
		return match_net(p->src, w);
	case KEY_DST:
		return match_net(p->dst, w);
	}
	return MAYBE;
}

static enum verdict verdict_of(const struct forward_word *w)
{
	static const char *const words[] = {
		[ACCEPT] = "accept", [DROP] = "drop", [REJECT] = "reject",
		[RETURN] = "return", [JUMP] = "jump", [GOTO] = "goto"
	};

	for (size_t i = ACCEPT; i < ARRAY_SIZE(words); i++)
		if (forward_word_is(w, words[i]))
			return (enum verdict)i;
	/* A program in user space decides. */
	return forward_word_is(w, "queue") ? ACCEPT : NONE;
}

static void take_verdict(struct rule *r)
{
	r->verdict = verdict_of(&r->w[r->i++]);
	if ((r->verdict == JUMP || r->verdict == GOTO) && r->i < r->n)
		r->target = r->w[r->i++];
}

/* "vmap { established : accept, new : jump x }", the brace is taken. */
static void match_vmap(const struct packet *p, struct rule *r, enum key key)
{
	bool found = false;

	while (r->i + 2 < r->n && !next_is(r, "}")) {
		enum match m = match_one(p, key, &r->w[r->i]);

		r->i += 2;
		if (m == YES && !found) {
			found = true;
			take_verdict(r);
			continue;
		}
		r->i += verdict_of(&r->w[r->i]) >= JUMP ? 2 : 1;
	}
	/* Nothing for this packet; or nothing that is certain, which comes to the same. */
	if (!found)
		narrow(r, NO);
	r->i = r->n;
}

/* "iifname . oifname { "lxmgrbr0" . "eth0" }": not taken apart, but where the bridge is named it is
 * about the bridge. */
static void match_joined(const struct packet *p, struct rule *r)
{
	enum match m = MAYBE;

	for (; r->i < r->n && !take(r, "}"); r->i++)
		if (r->w[r->i].quoted && forward_word_is(&r->w[r->i], p->bridge))
			m = LIKELY;
	narrow(r, m);
}

/* What follows a key: "x", "!= x", "{ x, y }", iptables' "x,y" and vmap. */
static void match_values(const struct packet *p, struct rule *r, enum key key)
{
	bool not, set, more = true;
	enum match any = NO;

	if (take(r, "vmap")) {
		if (take(r, "{"))
			match_vmap(p, r, key);
		else
			narrow(r, MAYBE);
		return;
	}
	if (next_is(r, ".")) {
		match_joined(p, r);
		return;
	}
	not = take(r, "!=");
	take(r, "==");
	set = take(r, "{");
	for (; r->i < r->n && more && !next_is(r, "}"); r->i++) {
		enum match m = match_one(p, key, &r->w[r->i]);

		any = m > any ? m : any;
		/* The comma of "related,established" is gone: all states that follow are its. */
		more = set || (key == KEY_STATE && r->i + 1 < r->n &&
			       (forward_word_is(&r->w[r->i + 1], "established") ||
				forward_word_is(&r->w[r->i + 1], "related") ||
				forward_word_is(&r->w[r->i + 1], "new") ||
				forward_word_is(&r->w[r->i + 1], "untracked") ||
				forward_word_is(&r->w[r->i + 1], "invalid")));
	}
	if (set)
		take(r, "}");
	if (not &&(any == YES || any == NO))
		any = any == YES ? NO : YES;
	narrow(r, any);
}

static void skip(struct rule *r, size_t n)
{
	r->i = r->i + n < r->n ? r->i + n : r->n;
}

/* Statements that change nothing about what becomes of the packet. */
static bool take_statement(struct rule *r)
{
	if (take(r, "counter")) {
		if (next_is(r, "packets"))
			skip(r, 4);
	} else if (take(r, "log")) {
		while (next_is(r, "prefix") || next_is(r, "level") || next_is(r, "flags") ||
		       next_is(r, "group") || next_is(r, "snaplen"))
			skip(r, 2);
	} else if (take(r, "comment")) {
		skip(r, 1);
	} else if (next_is(r, "/*")) {
		while (r->i < r->n && !take(r, "*/"))
			r->i++;
	} else if ((next_is(r, "meta") || next_is(r, "ct")) && r->i + 3 < r->n &&
		   forward_word_is(&r->w[r->i + 2], "set")) {
		skip(r, 4);
	} else if (next_is(r, "flow") && r->i + 1 < r->n &&
		   forward_word_is(&r->w[r->i + 1], "add")) {
		skip(r, 3);
	} else {
		return false;
	}
	return true;
}

/* "ip saddr 10.0.0.0/8": of the other family it never matches. */
static bool take_ip(const struct packet *p, struct rule *r)
{
	int family = next_is(r, "ip") ? AF_INET : next_is(r, "ip6") ? AF_INET6 : 0;

	if (!family)
		return false;
	r->i++;
	if (family != p->family)
		narrow(r, NO);
	if (take(r, "saddr"))
		match_values(p, r, KEY_SRC);
	else if (take(r, "daddr"))
		match_values(p, r, KEY_DST);
	else
		narrow(r, MAYBE);
	return true;
}

static bool take_condition(const struct packet *p, struct rule *r)
{
	if (take(r, "iifname") || take(r, "iif")) {
		match_values(p, r, KEY_IN);
	} else if (take(r, "oifname") || take(r, "oif")) {
		match_values(p, r, KEY_OUT);
	} else if (next_is(r, "ct") && r->i + 2 < r->n) {
		r->i++;
		if (take(r, "state"))
			match_values(p, r, KEY_STATE);
		else if (take(r, "status") && take(r, "dnat"))
			/* So nft shows iptables' "RELATED,ESTABLISHED,DNAT" too, firewalld's. */
			narrow(r, str_eq(p->state, "established") ? LIKELY : NO);
		else
			narrow(r, MAYBE);
	} else if (next_is(r, "meta") && r->i + 2 < r->n &&
		   forward_word_is(&r->w[r->i + 1], "nfproto")) {
		r->i += 2;
		narrow(r, take(r, p->family == AF_INET ? "ipv4" : "ipv6") ? YES : NO);
	} else {
		return take_ip(p, r);
	}
	return true;
}

static void read_rule(const struct packet *p, const char *text, struct rule *r)
{
	*r = (struct rule){ .match = YES };
	r->n = forward_words(text, r->w, MAX_WORDS);
	/* The end of a rule that long is not seen. */
	if (r->n == MAX_WORDS)
		r->match = MAYBE;
	while (r->i < r->n && r->verdict == NONE && r->match != NO) {
		if (take_statement(r) || take_condition(p, r))
			continue;
		/* A target of iptables that nft has no word for. */
		if (take(r, "xt") && take(r, "target") && next_is(r, "REJECT")) {
			r->verdict = REJECT;
			continue;
		}
		if (r->i < r->n && !r->w[r->i].quoted && verdict_of(&r->w[r->i]) != NONE) {
			take_verdict(r);
			continue;
		}
		narrow(r, MAYBE);
		r->i++;
	}
}

static const struct forward_chain *find_chain(const struct forward_rules *rules,
					      const struct forward_chain *same,
					      const struct forward_word *name)
{
	for (size_t i = 0; i < rules->n; i++) {
		const struct forward_chain *c = &rules->chain[i];

		if (c->legacy == same->legacy && str_eq(c->family, same->family) &&
		    str_eq(c->table, same->table) && forward_word_is(name, c->name))
			return c;
	}
	return NULL;
}

/* ACCEPT, DROP, REJECT, or NONE at the end of the chain. certain: only then does it drop. */
static enum verdict walk(struct packet *p, const struct forward_chain *c, bool certain, int depth)
{
	for (size_t i = 0; i < c->rules.n; i++) {
		const struct forward_chain *to = NULL;
		enum verdict v;
		struct rule r;

		/* Nothing is said about what is not understood to the end. */
		if (depth > MAX_DEPTH || ++p->steps > MAX_STEPS)
			return ACCEPT;
		read_rule(p, c->rules.v[i], &r);
		v = r.verdict;
		if (v == NONE || r.match < LIKELY)
			continue;
		if (v == JUMP || v == GOTO) {
			to = find_chain(p->rules, c, &r.target);
			v = to ? walk(p, to, certain && r.match == YES, depth + 1) : NONE;
			if (v == NONE && r.verdict == GOTO && r.match == YES)
				return NONE;
		}
		if (v == ACCEPT || ((v == DROP || v == REJECT) && certain && r.match == YES))
			return v;
		if (v == RETURN && r.match == YES)
			return NONE;
	}
	return NONE;
}

static bool is_for(const struct forward_chain *c, int family)
{
	return c->is_base &&
	       (str_eq(c->family, "inet") || str_eq(c->family, family == AF_INET ? "ip" : "ip6"));
}

/* What a base chain does to a packet of the family: DROP, REJECT, or ACCEPT. */
static enum verdict judge(const struct forward_rules *rules, const struct forward_query *q,
			  const struct forward_chain *c, int family, bool answer)
{
	static const struct net_addr anywhere;
	const struct net_addr *net = family == AF_INET ? &q->v4 : &q->v6;
	const char *other = family == AF_INET ? q->out4 : q->out6;
	struct packet p = { .rules = rules,
			    .family = family,
			    .bridge = q->bridge,
			    .in = answer ? other : q->bridge,
			    .out = answer ? q->bridge : other,
			    .src = answer ? &anywhere : net,
			    .dst = answer ? net : &anywhere,
			    .state = answer ? "established" : "new" };
	enum verdict v = walk(&p, c, true, 0);

	return v != NONE ? v : c->policy_drop ? DROP : ACCEPT;
}

enum firewall { UFW, FIREWALLD, DOCKER, IPTABLES, NFTABLES };

static bool has_chain(const struct forward_rules *rules, const struct forward_chain *same,
		      const char *prefix)
{
	for (size_t i = 0; i < rules->n; i++) {
		const struct forward_chain *c = &rules->chain[i];

		if (c->legacy == same->legacy && str_eq(c->family, same->family) &&
		    str_eq(c->table, same->table) && str_has_prefix(c->name, prefix))
			return true;
	}
	return false;
}

/* Whose rules they are: each firewall has names of its own. */
static enum firewall whose(const struct forward_rules *rules, const struct forward_query *q,
			   const struct forward_chain *c)
{
	if (str_eq(c->table, "firewalld"))
		return FIREWALLD;
	if (!str_eq(c->table, "filter") || !str_eq(c->name, "FORWARD") || str_eq(c->family, "inet"))
		return NFTABLES;
	if (has_chain(rules, c, "ufw"))
		return UFW;
	if (has_chain(rules, c, "FORWARD_direct") || has_chain(rules, c, "FWD_public"))
		return FIREWALLD;
	if (!c->legacy && !q->has_iptables_nft)
		return NFTABLES;
	return has_chain(rules, c, "DOCKER-USER") ? DOCKER : IPTABLES;
}

/* The rules that are missing: out for connections of containers, back for the answers. */
static void cure_rules(struct strbuf *b, const struct forward_query *q,
		       const struct forward_chain *c, enum firewall fw, bool out, bool back)
{
	const char *tool = str_eq(c->family, "ip6") ? "ip6tables" : "iptables";
	const char *chain = fw == DOCKER ? "DOCKER-USER" : c->name;
	char head[160];

	if (fw == NFTABLES)
		snprintf(head, sizeof(head), "nft insert rule %s %s %s", c->family, c->table,
			 c->name);
	else
		snprintf(head, sizeof(head), "%s-%s -I %s", tool, c->legacy ? "legacy" : "nft",
			 chain);
	if (out)
		strbuf_addf(b, fw == NFTABLES ? "%s iifname %s accept" : "%s -i %s -j ACCEPT", head,
			    q->bridge);
	if (back)
		strbuf_addf(b,
			    fw == NFTABLES ? "%s%s oifname %s ct state established,related accept"
					   : "%s%s -o %s -m conntrack --ctstate "
					     "RELATED,ESTABLISHED -j ACCEPT",
			    out ? "; " : "", head, q->bridge);
	strbuf_addf(b, "\n");
}

static void tell(struct strbuf *b, const struct forward_rules *rules, const struct forward_query *q,
		 const struct forward_chain *c, bool out, bool back, enum verdict v)
{
	enum firewall fw = whose(rules, q, c);
	const char *does = v == REJECT ? "rejects" : "drops",
		   *what = out ? "forwards" : "gets back";
	const char *version = str_eq(c->family, "inet") ? ""
			      : str_eq(c->family, "ip") ? " (IPv4)"
							: " (IPv6)";

	switch (fw) {
	case UFW:
		strbuf_addf(b, "ufw %s what %s %s\tufw route allow in on %s", does, q->bridge, what,
			    q->bridge);
		if (back)
			strbuf_addf(b, "; ufw route allow out on %s", q->bridge);
		strbuf_addf(b, "\n");
		return;
	case FIREWALLD:
		strbuf_addf(b,
			    "firewalld %s what %s %s\tfirewall-cmd --permanent --zone=trusted "
			    "--change-interface=%s && firewall-cmd --reload\n",
			    does, q->bridge, what, q->bridge);
		return;
	case DOCKER:
		strbuf_addf(b, "the rules of Docker drop what %s %s%s\t", q->bridge, what, version);
		break;
	case IPTABLES:
		strbuf_addf(b, "FORWARD of %s %s what %s %s%s\t",
			    c->legacy ? "iptables-legacy" : "iptables", does, q->bridge, what,
			    version);
		break;
	case NFTABLES:
		strbuf_addf(b, "the nftables chain %s %s %s %s what %s %s\t", c->family, c->table,
			    c->name, does, q->bridge, what);
		break;
	}
	cure_rules(b, q, c, fw, out, back);
}

int forward_judge(const struct forward_rules *rules, const struct forward_query *q,
		  struct strbuf *ret)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < rules->n; i++) {
		const struct forward_chain *c = &rules->chain[i];
		enum verdict out = ACCEPT, back = ACCEPT;
		struct strbuf line = { 0 };

		for (size_t k = 0; k < ARRAY_SIZE(families); k++) {
			if (!is_for(c, families[k]))
				continue;
			if (out == ACCEPT)
				out = judge(rules, q, c, families[k], false);
			if (back == ACCEPT)
				back = judge(rules, q, c, families[k], true);
		}
		if (out == ACCEPT && back == ACCEPT)
			continue;
		tell(&line, rules, q, c, out != ACCEPT, back != ACCEPT, out != ACCEPT ? out : back);
		/* ufw and firewalld do both families by one command. */
		if (line.failed)
			ret->failed = true;
		else if (!ret->s || !strstr(ret->s, line.s))
			strbuf_add(ret, line.s, line.len);
		strbuf_free(&line);
	}
	return ret->failed ? -ENOMEM : 0;
}
