/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Strings: a growing buffer, a list of strings, escaping, small helpers. libc only. */
#ifndef LXMGR_UTIL_STR_H
#define LXMGR_UTIL_STR_H

#include <stdbool.h>
#include <stddef.h>

static inline bool str_eq(const char *a, const char *b)
{
	return __builtin_strcmp(a, b) == 0;
}

/* The rest of s behind prefix, or NULL if s does not begin with it. */
const char *str_after(const char *s, const char *prefix);
static inline bool str_has_prefix(const char *s, const char *prefix)
{
	return str_after(s, prefix) != NULL;
}
bool str_has_suffix(const char *s, const char *suffix);

/* Cut white space off both ends, in place; returns the new beginning. */
char *str_strip(char *s);
/* The next "KEY = VALUE" of a text, which is cut up; empty lines and comments are passed over. *n
 * counts lines, *text is what is left. 1; 0: the end; -EINVAL: *ret_key is a line that is none. */
int str_next_setting(char **text, unsigned int *n, char **ret_key, char **ret_value);

/* Copy text to buf, every control character, DEL, C1 control (as UTF-8) and byte that is no
 * valid UTF-8 as \xNN, a backslash kept; cut at size, always terminated. Returns buf. */
char *str_escape(char *buf, size_t size, const char *text);

/* True if text is valid UTF-8 (no surrogates, no overlong forms). */
bool str_is_utf8(const char *text, size_t len);

/* A growing string. Zero-initialised is empty and valid; `failed` is set when memory ran out and
 * then stays set, so that a caller checks once at the end. */
struct strbuf {
	char *s; /* terminated, NULL while nothing was added */
	size_t len, size;
	bool failed;
};

void strbuf_add(struct strbuf *b, const char *text, size_t len);
void strbuf_addf(struct strbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strbuf_free(struct strbuf *b);
/* Give the string away (never NULL unless failed); b is empty afterwards. */
char *strbuf_take(struct strbuf *b);
#define cleanup_strbuf __attribute__((cleanup(strbuf_free)))

/* A NULL-terminated list of strings that it owns. Zero-initialised is empty and valid;
 * list.v is NULL while it is empty. */
struct strlist {
	char **v;
	size_t n;
};

int strlist_add(struct strlist *l, const char *s); /* copies; 0 or -ENOMEM */
int strlist_addf(struct strlist *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int strlist_split(struct strlist *l, const char *s, const char *delims); /* adds the tokens */
bool strlist_has(const struct strlist *l, const char *s);
void strlist_sort(struct strlist *l);
void strlist_free(struct strlist *l);
#define cleanup_strlist __attribute__((cleanup(strlist_free)))

/* asprintf() that returns the string or NULL. */
char *str_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* FNV-1a, 64 bits: for names and cache keys that an attacker does not choose. */
unsigned long long str_hash(const void *data, size_t len);

#endif
