/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Setting, getting and printing by key; defaults; where keys were set. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "container/config_value.h"
#include "util/cleanup.h"
#include "util/err.h"

struct config_lines {
	struct config_pair *v; /* key, where */
	size_t n;
};

void config_init(struct config *c)
{
	memset(c, 0, sizeof(*c));
	c->tty_max = 0;
	c->autodev = true;
	c->autodev_tmpfs_size = 500000;
	c->keyring_session = true;
	c->storage.managed = true;
	cgroup_spec_init(&c->cgroup);
	c->limit_disk = c->limit_inodes = LIMIT_UNSET;
	c->stop_timeout_ms = 60000;
	c->health_interval_ms = 30000;
	c->health_timeout_ms = 10000;
	c->health_failures = 3;
	c->config_version = 1;
	c->api.proc = API_PROC_MIXED;
	c->api.sys = API_SYS_MIXED;
	c->api.cgroup = API_CG_MIXED;
}

static void *field_of(struct config *c, const struct config_key *k, struct net_spec *n)
{
	return (k->flags & KEY_NET ? (char *)n : (char *)c) + k->offset;
}

void config_free(struct config *c)
{
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *k = &config_keys[i];
		struct value_ctx v = { .c = c, .key = k, .suffix = "" };

		if (!k->type->clear)
			continue;
		if (!(k->flags & KEY_NET)) {
			v.field = field_of(c, k, NULL);
			k->type->clear(&v);
			continue;
		}
		for (size_t n = 0; n < c->n_nets; n++) {
			v.field = field_of(c, k, &c->nets[n]);
			k->type->clear(&v);
		}
	}
	free(c->cgroup.raw);
	free(c->cgroup.devices);
	free(c->prlimits);
	config_lines_free(c->lines);
	memset(c, 0, sizeof(*c));
}

static const char *strip_prefix(const char *key)
{
	const char *rest = str_after(key, "lxmgr.");

	if (!rest)
		rest = str_after(key, "lxc.");
	return rest ? rest : key;
}

/* How far two words are apart, for "did you mean". */
static size_t distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b), row[128];

	if (lb + 1 > ARRAY_SIZE(row))
		return 99;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t diag = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t best = diag + (a[i - 1] != b[j - 1]);

			diag = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[lb];
}

static int unknown(const char *key, struct lxmgr_err *err)
{
	const char *best = NULL;
	size_t least = 4;

	for (size_t i = 0; i < config_n_keys; i++) {
		size_t d = distance(key, config_keys[i].name);

		if (d < least) {
			least = d;
			best = config_keys[i].name;
		}
	}
	if (best)
		return err_msg(err, -ENOENT, "unknown key; did you mean 'lxmgr.%s'?", best);
	return err_msg(err, -ENOENT, "unknown key");
}

static int check_value(const char *value, struct lxmgr_err *err)
{
	/* What lxmgr writes into a config must never become a line of its own. */
	if (strpbrk(value, "\n\r"))
		return err_msg(err, -EINVAL, "the value has a line break");
	if (!str_is_utf8(value, strlen(value)))
		return err_msg(err, -EINVAL, "the value is no valid UTF-8");
	return 0;
}

/* Copy the field from a config that says nothing. */
static void reset_field(struct config *c, const struct config_key *k, struct net_spec *n)
{
	static _Thread_local struct config fresh;
	struct net_spec net;

	if (k->flags & KEY_NET) {
		config_net_init(&net, n->index);
		if (k->type == &value_mac)
			n->has_mac = false;
		else if (k->type == &value_net_type)
			n->type = net.type;
		else if (k->type == &value_ifname)
			memcpy(field_of(c, k, n), field_of(c, k, &net), IFNAMSIZ);
		else if (k->type == &value_bool || k->type == &value_net_flags)
			*(bool *)field_of(c, k, n) = *(bool *)field_of(c, k, &net);
		else if (k->type == &value_vlan_id)
			n->vlan_id = 0;
		else
			*(uint32_t *)field_of(c, k, n) = *(uint32_t *)field_of(c, k, &net);
		return;
	}
	config_init(&fresh);
	if (k->type == &value_api)
		c->api = fresh.api;
	else if (k->type == &value_bool)
		*(bool *)field_of(c, k, NULL) = *(bool *)field_of(&fresh, k, NULL);
	else if (k->type == &value_u32 || k->type == &value_seconds || k->type == &value_signal ||
		 k->type == &value_ns_mask || k->type == &value_enum)
		*(uint32_t *)field_of(c, k, NULL) = *(uint32_t *)field_of(&fresh, k, NULL);
	else
		*(uint64_t *)field_of(c, k, NULL) = *(uint64_t *)field_of(&fresh, k, NULL);
}

static int clear_key(struct config *c, const struct config_key *k, const char *suffix,
		     struct net_spec *n)
{
	struct value_ctx v = { .c = c, .key = k, .suffix = suffix, .field = field_of(c, k, n) };

	if (k->type->clear)
		k->type->clear(&v);
	else if (k->type != &value_refused)
		reset_field(c, k, n);
	return 0;
}

int config_set(struct config *c, const char *key, const char *value, struct lxmgr_err *err)
{
	const char *name = strip_prefix(key), *suffix;
	struct value_ctx v = { .c = c };
	struct net_spec *n = NULL;
	long index;
	int r;

	v.key = config_find(name, &suffix, &index);
	if (!v.key)
		return unknown(name, err);
	r = check_value(value, err);
	if (r < 0)
		return r;
	if (v.key->flags & KEY_NET) {
		n = config_net(c, (unsigned long)index, true);
		if (!n)
			return err_msg(err, -E2BIG, "more than %d interfaces", CONFIG_MAX_NETS);
	}
	if (!*value)
		return clear_key(c, v.key, suffix, n);
	v.suffix = suffix;
	v.field = field_of(c, v.key, n);
	return v.key->type->set(&v, value, err);
}

int config_clear(struct config *c, const char *key, struct lxmgr_err *err)
{
	const char *name = strip_prefix(key), *suffix;
	const struct config_key *k;
	struct net_spec *n;
	long index;

	if (str_eq(name, "net")) {
		while (c->n_nets) {
			n = &c->nets[--c->n_nets];
			free(n->script_up);
			free(n->script_down);
		}
		return 0;
	}
	k = config_find(name, &suffix, &index);
	if (!k)
		return unknown(name, err);
	n = k->flags & KEY_NET ? config_net(c, (unsigned long)index, false) : NULL;
	return k->flags & KEY_NET && !n ? 0 : clear_key(c, k, suffix, n);
}

int config_get(const struct config *cc, const char *key, char **ret, struct lxmgr_err *err)
{
	struct config *c = (struct config *)cc;
	const char *name = strip_prefix(key);
	cleanup_strbuf struct strbuf b = { 0 };
	struct value_ctx v = { .c = c };
	struct net_spec *n = NULL;
	long index;

	v.key = config_find(name, &v.suffix, &index);
	if (!v.key)
		return unknown(name, err);
	if (v.key->flags & KEY_NET)
		n = config_net(c, (unsigned long)index, false);
	if (!(v.key->flags & KEY_NET) || n) {
		v.field = field_of(c, v.key, n);
		v.key->type->print(&v, &b);
	}
	if (b.len)
		b.s[--b.len] = '\0';
	*ret = strbuf_take(&b);
	return *ret ? 0 : err_set(err, -ENOMEM, "config");
}

void config_add_value(struct strbuf *out, const char *value, size_t n)
{
	/* The reader takes blanks at the ends and then one pair of quotes away. */
	bool quote = n && (strchr(" \t", value[0]) || strchr(" \t", value[n - 1]) ||
			   (n > 1 && value[0] == '"' && value[n - 1] == '"'));

	strbuf_addf(out, quote ? "\"%.*s\"\n" : "%.*s\n", (int)n, value);
}

/* "name value" lines as "lxmgr.PREFIXname = value". */
static void print_lines(struct strbuf *out, const struct config_key *k, unsigned int net,
			const char *lines)
{
	while (*lines) {
		size_t n = strcspn(lines, "\n");

		if (k->flags & KEY_FAMILY) {
			size_t name = strcspn(lines, " ");

			strbuf_addf(out, "lxmgr.%s%.*s = ", k->name, (int)name, lines);
			config_add_value(out, lines + name + 1, n > name ? n - name - 1 : 0);
		} else {
			if (k->flags & KEY_NET)
				strbuf_addf(out, "lxmgr.net.%u.%s = ", net,
					    k->name + strlen("net.[i]."));
			else
				strbuf_addf(out, "lxmgr.%s = ", k->name);
			config_add_value(out, lines, n);
		}
		lines += n + (lines[n] == '\n');
	}
}

static void print_key(const struct config *c, const struct config *fresh,
		      const struct config_key *k, const struct net_spec *n,
		      const struct net_spec *fresh_net, struct strbuf *out)
{
	struct value_ctx v = { .c = (struct config *)c, .key = k, .suffix = "" };
	cleanup_strbuf struct strbuf is = { 0 }, was = { 0 };

	v.field = field_of((struct config *)c, k, (struct net_spec *)n);
	k->type->print(&v, &is);
	v.c = (struct config *)fresh;
	v.field = field_of((struct config *)fresh, k, (struct net_spec *)fresh_net);
	k->type->print(&v, &was);
	if (is.failed || was.failed) {
		out->failed = true;
		return;
	}
	if (k->type == &value_net_type || !str_eq(is.s ? is.s : "", was.s ? was.s : ""))
		print_lines(out, k, n ? n->index : 0, is.s ? is.s : "");
	/* A default that was taken away shows as an empty value. */
	if (!is.len && was.len)
		strbuf_addf(out, "lxmgr.%s =\n", k->name);
}

int config_print(const struct config *c, char **ret, struct lxmgr_err *err)
{
	cleanup_free struct config *fresh = malloc(sizeof(*fresh));
	cleanup_strbuf struct strbuf out = { 0 };
	struct net_spec fresh_net;

	if (!fresh)
		return err_set(err, -ENOMEM, "config");
	config_init(fresh);
	config_net_init(&fresh_net, 0);
	for (size_t i = 0; i < config_n_keys; i++)
		if (!(config_keys[i].flags & KEY_NET))
			print_key(c, fresh, &config_keys[i], NULL, NULL, &out);
	for (size_t n = 0; n < c->n_nets; n++)
		for (size_t i = 0; i < config_n_keys; i++)
			if (config_keys[i].flags & KEY_NET)
				print_key(c, fresh, &config_keys[i], &c->nets[n], &fresh_net, &out);
	*ret = strbuf_take(&out);
	return *ret ? 0 : err_set(err, -ENOMEM, "config");
}

int config_note(struct config *c, const char *key, const char *where)
{
	struct config_pair *v;

	if (!c->lines && !(c->lines = calloc(1, sizeof(*c->lines))))
		return -ENOMEM;
	v = realloc(c->lines->v, (c->lines->n + 1) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	c->lines->v = v;
	v[c->lines->n] = (struct config_pair){ strdup(strip_prefix(key)), strdup(where) };
	c->lines->n++;
	return v[c->lines->n - 1].name && v[c->lines->n - 1].value ? 0 : -ENOMEM;
}

const char *config_where_item(const struct config *c, const char *key, size_t back)
{
	if (!c->lines)
		return NULL;
	for (size_t i = c->lines->n; i-- > 0;)
		if (c->lines->v[i].name && str_eq(c->lines->v[i].name, key) && back-- == 0)
			return c->lines->v[i].value;
	return NULL;
}

const char *config_noted(const struct config *c, const char *key)
{
	return config_where_item(c, key, 0);
}

const char *config_where(const struct config *c, const char *key)
{
	return config_noted(c, strip_prefix(key));
}

void config_lines_free(struct config_lines *l)
{
	for (size_t i = 0; l && i < l->n; i++) {
		free(l->v[i].name);
		free(l->v[i].value);
	}
	if (l)
		free(l->v);
	free(l);
}
