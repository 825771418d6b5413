/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the text of nft and iptables-legacy-save to chains of rules in one syntax, nft's. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/forward.h"
#include "util/cleanup.h"

#define MAX_WORDS 96

size_t forward_words(const char *p, struct forward_word *ret, size_t max)
{
	size_t n = 0;

	while (*(p += strspn(p, " \t\n,;")) && n < max) {
		size_t len = strcspn(p, " \t\n,;");

		if (*p == '"') {
			len = strcspn(++p, "\"");
			ret[n++] = (struct forward_word){ p, len, true };
			p += len + (p[len] == '"');
			continue;
		}
		ret[n++] = (struct forward_word){ p, len, false };
		p += len;
	}
	return n;
}

bool forward_word_is(const struct forward_word *w, const char *s)
{
	return strlen(s) == w->n && !memcmp(w->s, s, w->n);
}

void forward_rules_free(struct forward_rules *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->chain[i].family);
		free(r->chain[i].table);
		free(r->chain[i].name);
		strlist_free(&r->chain[i].rules);
	}
	free(r->chain);
	r->chain = NULL;
	r->n = 0;
}

static struct forward_chain *add_chain(struct forward_rules *r, const char *family,
				       const char *table, const struct forward_word *name)
{
	struct forward_chain *c = reallocarray(r->chain, r->n + 1, sizeof(*c));

	if (!c)
		return NULL;
	r->chain = c;
	c += r->n++;
	*c = (struct forward_chain){ 0 };
	c->family = strdup(family);
	c->table = strdup(table);
	c->name = strndup(name->s, name->n);
	return c->family && c->table && c->name ? c : NULL;
}

/* How deep the braces are after n bytes; those in quotes do not count. */
static int depth_after(const char *s, size_t n, int depth)
{
	bool quoted = false;

	for (size_t i = 0; i < n; i++) {
		quoted ^= s[i] == '"';
		if (!quoted)
			depth += (s[i] == '{') - (s[i] == '}');
	}
	return depth;
}

/* The next statement, cut at its sides: a line, or as many as its braces need. For what opens a
 * table or a chain only the first one. NULL: the end. */
static const char *next_statement(const char *p, const char **ret, size_t *ret_n)
{
	size_t n;
	int depth;

	p += strspn(p, " \t\n");
	if (!*p)
		return NULL;
	n = strcspn(p, "\n");
	*ret = p;
	if (!str_has_prefix(p, "table ") && !str_has_prefix(p, "chain "))
		for (depth = depth_after(p, n, 0); depth > 0 && p[n]; n++) {
			size_t more = strcspn(p + n + 1, "\n");

			depth = depth_after(p + n + 1, more, depth);
			n += more;
		}
	*ret_n = n;
	return p + n;
}

/* "type filter hook forward priority filter; policy drop;" */
static void parse_hook(struct forward_chain *c, const struct forward_word *w, size_t n)
{
	for (size_t i = 0; i + 1 < n; i++) {
		if (forward_word_is(&w[i], "hook"))
			c->is_base = forward_word_is(&w[i + 1], "forward");
		if (forward_word_is(&w[i], "policy"))
			c->policy_drop = forward_word_is(&w[i + 1], "drop");
	}
}

int forward_add_nft(struct forward_rules *r, const char *text)
{
	cleanup_free char *family = NULL, *table = NULL;
	struct forward_chain *chain = NULL;
	const char *s;
	size_t len;

	while ((text = next_statement(text, &s, &len))) {
		cleanup_free char *line = strndup(s, len);
		struct forward_word w[MAX_WORDS];
		size_t n;

		if (!line)
			return -ENOMEM;
		n = forward_words(line, w, MAX_WORDS);
		if (n == 0 || *line == '#') {
			continue;
		} else if (n >= 4 && forward_word_is(&w[0], "table")) {
			free(family);
			free(table);
			family = strndup(w[1].s, w[1].n);
			table = strndup(w[2].s, w[2].n);
			if (!family || !table)
				return -ENOMEM;
		} else if (n >= 3 && forward_word_is(&w[0], "chain") && table) {
			chain = add_chain(r, family, table, &w[1]);
			if (!chain)
				return -ENOMEM;
		} else if (*line == '}') {
			chain = NULL;
		} else if (chain && forward_word_is(&w[0], "type")) {
			parse_hook(chain, w, n);
		} else if (chain && strlist_add(&chain->rules, line) < 0) {
			return -ENOMEM;
		}
	}
	return 0;
}

static const struct legacy_option {
	const char *option, *nft; /* NULL: says nothing that matters */
	bool family;		  /* nft's word begins with ip or ip6 */
} options[] = {
	{ "-i", "iifname", false },
	{ "-o", "oifname", false },
	{ "-s", "saddr", true },
	{ "-d", "daddr", true },
	{ "--ctstate", "ct state", false },
	{ "--state", "ct state", false },
	{ "--comment", NULL, false },
	{ "--reject-with", NULL, false },
	{ "--log-prefix", NULL, false },
	{ "--log-level", NULL, false },
	{ "-j", NULL, false },
	{ "-g", NULL, false },
};

static const struct legacy_option *find_option(const struct forward_word *w)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (forward_word_is(w, options[i].option))
			return &options[i];
	return NULL;
}

static void add_lower(struct strbuf *b, const struct forward_word *w)
{
	for (size_t i = 0; i < w->n; i++)
		strbuf_addf(b, "%c", w->s[i] >= 'A' && w->s[i] <= 'Z' ? w->s[i] | 0x20 : w->s[i]);
}

/* Values of an option as one of nft's sets; "docker+" is its "docker*". */
static void legacy_set(struct strbuf *b, const struct forward_word *w, size_t n, bool state)
{
	strbuf_addf(b, "{ ");
	for (size_t i = 0; i < n; i++) {
		bool all = w[i].n && w[i].s[w[i].n - 1] == '+';

		if (state)
			add_lower(b, &w[i]);
		else
			strbuf_addf(b, "%.*s%s", (int)(w[i].n - all), w[i].s, all ? "*" : "");
		strbuf_addf(b, " ");
	}
	strbuf_addf(b, "} ");
}

/* ACCEPT and the like; what goes on to the next rule is no verdict; the rest are chains. */
static void legacy_verdict(struct strbuf *b, const struct forward_word *target, bool go)
{
	static const char *const verdicts[] = { "ACCEPT", "DROP", "REJECT", "RETURN" };
	static const char *const others[] = { "LOG",	    "NFLOG", "MARK",	 "CONNMARK",
					      "TCPMSS",	    "AUDIT", "CLASSIFY", "TRACE",
					      "ULOG",	    "SET",   "TEE",	 "SECMARK",
					      "CONNSECMARK" };

	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++)
		if (forward_word_is(target, verdicts[i])) {
			add_lower(b, target);
			return;
		}
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (forward_word_is(target, others[i]))
			return;
	strbuf_addf(b, "%s %.*s", go ? "goto" : "jump", (int)target->n, target->s);
}

/* "-A FORWARD ! -i docker0 -m conntrack --ctstate NEW -j DROP" in nft's words. Words are cut at
 * commas too, so an option takes all that follows up to the next one. */
static char *legacy_rule(const struct forward_word *w, size_t n, int family)
{
	cleanup_strbuf struct strbuf b = { 0 };
	const struct legacy_option *verdict = NULL;
	struct forward_word target = { 0 };
	bool not = false;

	for (size_t i = 2; i < n;) {
		const struct legacy_option *o = find_option(&w[i]);
		size_t first = ++i;

		if (!o && forward_word_is(&w[i - 1], "!")) {
			not = true;
			continue;
		}
		while (i < n && (w[i].quoted || (*w[i].s != '-' && !forward_word_is(&w[i], "!"))))
			i++;
		if (o && (str_eq(o->option, "-j") || str_eq(o->option, "-g"))) {
			verdict = o;
			target = first < n ? w[first] : target;
		} else if (o && o->nft) {
			strbuf_addf(&b, "%s%s %s",
				    !o->family		? ""
				    : family == AF_INET ? "ip "
							: "ip6 ",
				    o->nft, not ? "!= " : "");
			legacy_set(&b, &w[first], i - first, str_eq(o->nft, "ct state"));
		} else if (!o && !forward_word_is(&w[first - 1], "-m")) {
			strbuf_addf(&b, "? ");
		}
		not = false;
	}
	if (verdict && target.n)
		legacy_verdict(&b, &target, str_eq(verdict->option, "-g"));
	strbuf_addf(&b, "\n");
	return b.failed ? NULL : strbuf_take(&b);
}

static struct forward_chain *find_legacy(struct forward_rules *r, const char *family,
					 const struct forward_word *name)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->chain[i].legacy && str_eq(r->chain[i].family, family) &&
		    forward_word_is(name, r->chain[i].name))
			return &r->chain[i];
	return NULL;
}

int forward_add_legacy(struct forward_rules *r, int family, const char *text)
{
	const char *name = family == AF_INET ? "ip" : "ip6";
	cleanup_strlist struct strlist lines = { 0 };
	bool filter = false;
	int result = strlist_split(&lines, text, "\n");

	for (size_t i = 0; i < lines.n && result == 0; i++) {
		struct forward_word w[MAX_WORDS];
		size_t n = forward_words(lines.v[i], w, MAX_WORDS);
		struct forward_chain *c;

		if (*lines.v[i] == '*')
			filter = str_eq(lines.v[i], "*filter");
		if (!filter || n < 2)
			continue;
		if (*w[0].s == ':') {
			w[0].s++;
			w[0].n--;
			c = add_chain(r, name, "filter", &w[0]);
			if (!c)
				return -ENOMEM;
			c->legacy = true;
			c->is_base = str_eq(c->name, "FORWARD");
			c->policy_drop = forward_word_is(&w[1], "DROP");
		} else if (forward_word_is(&w[0], "-A") && (c = find_legacy(r, name, &w[1]))) {
			cleanup_free char *rule = legacy_rule(w, n, family);

			result = rule ? strlist_add(&c->rules, rule) : -ENOMEM;
		}
	}
	return result;
}
