/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Does another firewall stop what the bridge forwards? The rules of all firewalls are read as data,
 * from `nft list ruleset` (ufw, firewalld, Docker and iptables-nft put theirs there) and from
 * iptables-legacy-save, and two packets are led through them: the first one of a connection from a
 * container to somewhere else, and an answer to it. Pure: no system call.
 *
 * A rule with a condition that is not understood neither lets through nor drops: what is left is
 * the chain's policy. So what is told may be open for some packets, but the plain case is judged.
 */
#ifndef LXMGR_KERNEL_FORWARD_H
#define LXMGR_KERNEL_FORWARD_H

#include <stdbool.h>
#include <stddef.h>

#include "kernel/netlink.h"
#include "util/str.h"

struct lxmgr_err;

struct forward_chain {
	char *family, *table, *name; /* "inet", "filter", "forward" */
	bool legacy;		     /* of iptables-legacy */
	bool is_base, policy_drop;   /* on the forward hook, and what it does at its end */
	struct strlist rules;	     /* in nft's syntax */
};

struct forward_rules {
	struct forward_chain *chain;
	size_t n;
};

/* Add what `nft list ruleset` prints. */
int forward_add_nft(struct forward_rules *r, const char *text);
/* Add what iptables-legacy-save (AF_INET) or ip6tables-legacy-save prints of the filter table. */
int forward_add_legacy(struct forward_rules *r, int family, const char *text);
void forward_rules_free(struct forward_rules *r);
#define cleanup_forward __attribute__((cleanup(forward_rules_free)))

struct forward_query {
	const char *bridge;
	struct net_addr v4, v6;	 /* its networks; family 0: not known */
	const char *out4, *out6; /* interfaces of the default routes, "" if there is none */
	bool has_iptables_nft;	 /* the administrator can type it */
};

/* A line for each firewall that drops: "what<TAB>the commands that let it through". */
int forward_judge(const struct forward_rules *r, const struct forward_query *q, struct strbuf *ret);

/* The words of a rule, without commas, quotes cut off; "{" and "}" apart. At most max. */
struct forward_word {
	const char *s; /* not terminated */
	size_t n;
	bool quoted;
};
size_t forward_words(const char *p, struct forward_word *ret, size_t max);
bool forward_word_is(const struct forward_word *w, const char *s);

#endif
