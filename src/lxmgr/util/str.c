/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/str.h"

const char *str_after(const char *s, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(s, prefix, n) ? NULL : s + n;
}

bool str_has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && !memcmp(s + n - m, suffix, m);
}

char *str_strip(char *s)
{
	char *end;

	while (isspace((unsigned char)*s))
		s++;
	end = s + strlen(s);
	while (end > s && isspace((unsigned char)end[-1]))
		end--;
	*end = '\0';
	return s;
}

/* Length of the UTF-8 sequence at s, 0 if it is not valid. */
static size_t utf8_len(const unsigned char *s, size_t left, uint32_t *ret_cp)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t cp;
	size_t n;

	if (s[0] < 0x80) {
		*ret_cp = s[0];
		return 1;
	}
	if ((s[0] & 0xe0) == 0xc0)
		n = 2, cp = s[0] & 0x1f;
	else if ((s[0] & 0xf0) == 0xe0)
		n = 3, cp = s[0] & 0x0f;
	else if ((s[0] & 0xf8) == 0xf0)
		n = 4, cp = s[0] & 0x07;
	else
		return 0;
	if (n > left)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | (s[i] & 0x3f);
	}
	if (cp < least[n] || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		return 0;
	*ret_cp = cp;
	return n;
}

bool str_is_utf8(const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;
	uint32_t cp;

	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_len(s + i, len - i, &cp);
		if (!n)
			return false;
	}
	return true;
}

char *str_escape(char *buf, size_t size, const char *text)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *s = (const unsigned char *)text;
	size_t left = strlen(text), out = 0;

	while (left) {
		uint32_t cp = 0;
		size_t n = utf8_len(s, left, &cp);
		bool plain = n && cp >= 0x20 && cp != 0x7f && !(cp >= 0x80 && cp < 0xa0);

		if (!n)
			n = 1;
		if (out + (plain ? n : 4 * n) + 1 > size)
			break;
		for (size_t i = 0; i < n; i++) {
			if (plain) {
				buf[out++] = (char)s[i];
			} else {
				buf[out++] = '\\';
				buf[out++] = 'x';
				buf[out++] = hex[s[i] >> 4];
				buf[out++] = hex[s[i] & 15];
			}
		}
		s += n;
		left -= n;
	}
	buf[out] = '\0';
	return buf;
}

static bool strbuf_room(struct strbuf *b, size_t more)
{
	size_t want = b->len + more + 1;
	char *s;

	if (b->failed)
		return false;
	if (want <= b->size)
		return true;
	want = want < 2 * b->size ? 2 * b->size : want < 64 ? 64 : want;
	s = realloc(b->s, want);
	if (!s) {
		b->failed = true;
		return false;
	}
	b->s = s;
	b->size = want;
	return true;
}

void strbuf_add(struct strbuf *b, const char *text, size_t len)
{
	if (!strbuf_room(b, len))
		return;
	memcpy(b->s + b->len, text, len);
	b->len += len;
	b->s[b->len] = '\0';
}

void strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !strbuf_room(b, (size_t)n)) {
		b->failed = true;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(b->s + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

void strbuf_free(struct strbuf *b)
{
	free(b->s);
	memset(b, 0, sizeof(*b));
}

char *strbuf_take(struct strbuf *b)
{
	char *s;

	strbuf_add(b, "", 0);
	s = b->failed ? NULL : take_ptr(b->s);
	strbuf_free(b);
	return s;
}

static int strlist_own(struct strlist *l, char *s)
{
	char **v;

	if (!s)
		return -ENOMEM;
	v = realloc(l->v, (l->n + 2) * sizeof(*v));
	if (!v) {
		free(s);
		return -ENOMEM;
	}
	v[l->n++] = s;
	v[l->n] = NULL;
	l->v = v;
	return 0;
}

int strlist_add(struct strlist *l, const char *s)
{
	return strlist_own(l, strdup(s));
}

int strlist_addf(struct strlist *l, const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return strlist_own(l, n < 0 ? NULL : s);
}

int strlist_split(struct strlist *l, const char *s, const char *delims)
{
	while (*(s += strspn(s, delims))) {
		size_t n = strcspn(s, delims);
		int r = strlist_own(l, strndup(s, n));

		if (r < 0)
			return r;
		s += n;
	}
	return 0;
}

bool strlist_has(const struct strlist *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i], s))
			return true;
	return false;
}

static int cmp_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strlist_sort(struct strlist *l)
{
	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), cmp_strings);
}

void strlist_free(struct strlist *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	memset(l, 0, sizeof(*l));
}

char *str_printf(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : s;
}

unsigned long long str_hash(const void *data, size_t len)
{
	const unsigned char *p = data;
	unsigned long long h = 0xcbf29ce484222325ULL;

	while (len--)
		h = (h ^ *p++) * 0x100000001b3ULL;
	return h;
}

int str_next_setting(char **text, unsigned int *n, char **ret_key, char **ret_value)
{
	while (**text) {
		size_t len = strcspn(*text, "\n");
		char *line = *text, *eq;

		(*n)++;
		*text += len + (line[len] == '\n');
		line[len] = '\0';
		*ret_key = str_strip(line);
		if (!**ret_key || **ret_key == '#')
			continue;
		eq = strchr(*ret_key, '=');
		if (!eq)
			return -EINVAL;
		*eq = '\0';
		*ret_key = str_strip(*ret_key);
		*ret_value = str_strip(eq + 1);
		return 1;
	}
	return 0;
}
