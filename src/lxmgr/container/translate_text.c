/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "container/config_value.h"
#include "container/translate_text.h"
#include "util/cleanup.h"
#include "util/err.h"

#define LINE_LIMIT 8192
#define MOST_NOTES 100

void translate_note(struct translation *t, const char *fmt, ...)
{
	char raw[800], shown[1000];
	size_t n = 0;
	va_list ap;

	if (t->to->notes.n >= MOST_NOTES) {
		t->more++;
		return;
	}
	if (t->line)
		n = (size_t)snprintf(raw, sizeof(raw), "%s:%u: ", t->how->name, t->line);
	va_start(ap, fmt);
	vsnprintf(raw + n, sizeof(raw) - n, fmt, ap);
	va_end(ap);
	if (strlist_add(&t->to->notes, str_escape(shown, sizeof(shown), raw)) < 0)
		t->failed = true;
}

bool translate_knows(const char *key)
{
	const char *suffix;
	long index;

	return config_find(key, &suffix, &index) != NULL;
}

/* What refuses a value may have taken a part of it: first where that does not matter. */
static int try_set(struct translation *t, const char *key, const char *value, struct lxmgr_err *err)
{
	int r;

	config_init(t->scratch);
	r = config_set(t->scratch, key, value, err);
	config_free(t->scratch);
	return r < 0 ? r : config_set(t->have, key, value, err);
}

bool translate_set(struct translation *t, const char *key, const char *value)
{
	struct lxmgr_err why = { 0 };

	if (!*value) {
		translate_note(t, "%s is left out: it has no value", key);
		return false;
	}
	/* A blank in a key would be one between key and value when it is written. */
	if (key[strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")]) {
		translate_note(t, "'%.80s' is left out: it is no key", key);
		return false;
	}
	/* Of text that was decoded or cut. */
	if (strpbrk(value, "\n\r") || !str_is_utf8(value, strlen(value))) {
		translate_note(t, "%s is left out: it is no plain UTF-8", key);
		return false;
	}
	if (try_set(t, key, value, &why) == 0)
		return true;
	translate_note(t, "%s is left out: %s", key, why.text);
	return false;
}

bool translate_setf(struct translation *t, const char *key, const char *fmt, ...)
{
	cleanup_free char *value = NULL;
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = vasprintf(&value, fmt, ap);
	va_end(ap);
	if (r < 0) {
		value = NULL;
		t->failed = true;
		return false;
	}
	return translate_set(t, key, value);
}

bool translate_net(struct translation *t, unsigned int index, const char *key, const char *value)
{
	char full[64];

	snprintf(full, sizeof(full), "net.%u.%s", index, key);
	return translate_set(t, full, value);
}

void translate_gateway(struct translation *t, unsigned int index, int family, const char *value)
{
	const char *key = family == AF_INET ? "ipv4.gateway" : "ipv6.gateway";
	struct net_spec *n = config_net(t->have, index, false);
	bool any = false, near = false;
	struct lxmgr_err why = { 0 };
	struct net_addr gw;

	if (net_addr_parse(value, family, &gw, &why) < 0) {
		translate_note(t, "net.%u.%s is left out: %s", index, key, why.text);
		return;
	}
	for (size_t i = 0; n && i < n->n_addr; i++) {
		any |= n->addr[i].family == family;
		near |= n->addr[i].family == family && net_addr_contains(&n->addr[i], &gw);
	}
	near |= family == AF_INET6 && gw.v6.s6_addr[0] == 0xfe && (gw.v6.s6_addr[1] & 0xc0) == 0x80;
	if (!any) {
		translate_note(t, "net.%u.%s is left out: %s goes with no address", index, key,
			       value);
		return;
	}
	if (!near)
		translate_note(t,
			       "net.%u.%s = dev: %s lies in none of the interface's networks, "
			       "so the way out is the interface itself",
			       index, key, value);
	translate_net(t, index, key, near ? value : "dev");
}

void translate_name(struct translation *t, const char *name)
{
	free(t->to->name);
	t->to->name = strdup(name);
	t->failed |= !t->to->name;
}

void translate_disk(struct translation *t, const char *key, uint64_t value)
{
	if (value && translate_knows(key))
		translate_setf(t, key, "%llu", (unsigned long long)value);
}

void translate_cpus(struct translation *t, uint64_t milli)
{
	if (milli)
		translate_setf(t, "limit.cpus", "%llu.%03llu", (unsigned long long)milli / 1000,
			       (unsigned long long)milli % 1000);
}

static int each_line(struct translation *t, const char *text, size_t len,
		     void (*fn)(struct translation *t, char *line), struct lxmgr_err *err)
{
	char line[LINE_LIMIT + 1];

	for (size_t pos = 0; pos < len && !t->failed;) {
		const char *nl = memchr(text + pos, '\n', len - pos);
		size_t n = nl ? (size_t)(nl - text) - pos : len - pos;

		t->line++;
		if (n > LINE_LIMIT)
			return err_status(err, STATUS_REFUSED, -E2BIG,
					  "%s:%u: the line is longer than %d bytes", t->how->name,
					  t->line, LINE_LIMIT);
		if (memchr(text + pos, '\0', n))
			return err_status(err, STATUS_REFUSED, -EBADMSG,
					  "%s:%u: the line has a NUL byte", t->how->name, t->line);
		memcpy(line, text + pos, n);
		line[n] = '\0';
		pos += n + 1;
		if (str_is_utf8(line, n))
			fn(t, str_strip(line));
		else
			translate_note(t, "the line is left out: it is no valid UTF-8");
	}
	t->line = 0;
	return 0;
}

int translate_run(const char *text, size_t len, const struct translate_how *how,
		  struct translated *ret, void (*line)(struct translation *t, char *line),
		  void (*end)(struct translation *t), void *data, struct lxmgr_err *err)
{
	struct translation *t = data;
	int r;

	memset(ret, 0, sizeof(*ret));
	t->how = how;
	t->to = ret;
	if (len > TRANSLATE_LIMIT)
		return err_status(err, STATUS_REFUSED, -EFBIG, "%s is larger than %d bytes",
				  how->name, TRANSLATE_LIMIT);
	t->have = malloc(2 * sizeof(*t->have));
	if (!t->have)
		return err_set(err, -ENOMEM, "%s", how->name);
	t->scratch = t->have + 1;
	config_init(t->have);
	r = each_line(t, text, len, line, err);
	if (r == 0 && !t->failed)
		end(t);
	if (r == 0 && t->more && strlist_addf(&ret->notes, "and %zu more", t->more) < 0)
		t->failed = true;
	if (r == 0)
		r = t->failed ? err_set(err, -ENOMEM, "%s", how->name)
			      : config_print(t->have, &ret->lines, err);
	config_free(t->have);
	free(t->have);
	t->have = NULL;
	if (r < 0)
		translated_free(ret);
	return r;
}

void translated_free(struct translated *c)
{
	free(c->lines);
	free(c->root);
	free(c->name);
	strlist_free(&c->notes);
	memset(c, 0, sizeof(*c));
}
