/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "image/names.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/str.h"

#define NAMES	    "names"
#define NAMES_LIMIT (4 << 20)
#define LETTERS	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS	    "0123456789"

bool image_name_is_valid(const char *name)
{
	size_t n = strlen(name);

	return n >= 1 && n <= 100 && strspn(name, LETTERS DIGITS) > 0 &&
	       strspn(name, LETTERS DIGITS "_.+/-") == n && !strstr(name, "..") &&
	       !strstr(name, "//") && name[n - 1] != '/' &&
	       !(n >= 12 && strspn(name, DIGITS "abcdef") == n);
}

struct line {
	const char *name, *digest;
};

/* The next line of *text, which is cut up; one that is none is left out. */
static bool next_line(char **text, struct line *ret)
{
	while (**text) {
		size_t n = strcspn(*text, "\n");
		char *line = *text, *eq;

		*text += n + (line[n] == '\n');
		line[n] = '\0';
		eq = strstr(line, " = ");
		if (!eq || !name_is_digest(eq + 3))
			continue;
		*eq = '\0';
		*ret = (struct line){ line, eq + 3 };
		return true;
	}
	return false;
}

static int read_names(int cache, char **ret)
{
	int r = read_file_at(cache, NAMES, NAMES_LIMIT, ret, NULL);

	if (r == -ENOENT) {
		*ret = strdup("");
		r = *ret ? 0 : -ENOMEM;
	}
	return r;
}

int names_get(int cache, const char *name, char ret[IMAGE_DIGEST_LEN + 1])
{
	cleanup_free char *text = NULL;
	struct line l;
	char *rest;
	int r = read_names(cache, &text);

	if (r < 0)
		return r;
	for (rest = text; next_line(&rest, &l);) {
		if (!str_eq(l.name, name))
			continue;
		snprintf(ret, IMAGE_DIGEST_LEN + 1, "%s", l.digest);
		return 0;
	}
	return -ENOENT;
}

int names_of(int cache, const char *digest, struct strlist *ret)
{
	cleanup_free char *text = NULL;
	struct line l;
	char *rest;
	int r = read_names(cache, &text);

	if (r < 0)
		return r;
	for (rest = text; r == 0 && next_line(&rest, &l);)
		if (*l.name != '@' && str_eq(l.digest, digest))
			r = strlist_add(ret, l.name);
	strlist_sort(ret);
	return r;
}

/* All lines but those of this name, or of this digest; then the new one. */
static int rewrite(int cache, const char *name, const char *without, const char *digest,
		   struct lxmgr_err *err)
{
	cleanup_fd int lock = lock_at(cache, ".names.lock", true, 30000, NULL);
	cleanup_strbuf struct strbuf b = { 0 };
	cleanup_free char *text = NULL;
	bool changed = digest != NULL;
	struct line l;
	char *rest;
	int r;

	if (lock < 0)
		return err_set(err, lock, "lock the names of images");
	r = read_names(cache, &text);
	if (r < 0)
		return err_set(err, r, "read the names of images");
	for (rest = text; next_line(&rest, &l);) {
		if (name ? str_eq(l.name, name) : str_eq(l.digest, without))
			changed = true;
		else
			strbuf_addf(&b, "%s = %s\n", l.name, l.digest);
	}
	if (digest)
		strbuf_addf(&b, "%s = %s\n", name, digest);
	if (!changed)
		return 0;
	r = b.failed ? -ENOMEM : write_file_atomic(cache, NAMES, b.s ? b.s : "", b.len, 0600);
	return r < 0 ? err_set(err, r, "write the names of images") : 0;
}

int names_set(int cache, const char *name, const char *digest, struct lxmgr_err *err)
{
	if (*name != '@' && !image_name_is_valid(name))
		return err_status(err, STATUS_USAGE, -EINVAL,
				  "'%.120s' is no image name: 1 to 100 of A-Z a-z 0-9 _ . + / -, a "
				  "letter or digit first",
				  name);
	return rewrite(cache, name, NULL, digest, err);
}

int names_drop(int cache, const char *digest, struct lxmgr_err *err)
{
	return rewrite(cache, NULL, digest, NULL, err);
}
