/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "container/draft.h"
#include "container/image_config.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"

/* A template is as hostile as its root: nothing else is its business. The environment is of what
 * runs inside alone: hooks run on the host. */
static const char *const keys[] = { "lxmgr.signal.halt",
				    "lxmgr.signal.reboot",
				    "lxmgr.init.cmd",
				    "lxmgr.arch",
				    "lxmgr.execute.cmd",
				    "lxmgr.init.cwd",
				    "lxmgr.environment.runtime",
				    "lxmgr.init.uid",
				    "lxmgr.init.gid" };

static const char *allowed(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (str_eq(keys[i], key))
			return keys[i];
	return NULL;
}

static int set(struct draft *d, const char *key, const char *value, struct lxmgr_err *err)
{
	int r = config_set(&d->config, key, value, err);

	return r < 0 ? r : draft_set(d, key, value, err);
}

/* What it set goes; what somebody added to a list, or put in its place, stays. */
static int drop(struct draft *d, const char *key, const char *value, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist have = { 0 };
	cleanup_free char *now = NULL;
	bool found = false;
	int r = config_get(&d->config, key, &now, err);

	if (r < 0)
		return r;
	if (strlist_split(&have, now, "\n") < 0)
		return err_set(err, -ENOMEM, "%s", key);
	for (size_t i = 0; i < have.n; i++)
		found |= str_eq(have.v[i], value);
	if (!found)
		return 0;
	r = config_clear(&d->config, key, err);
	if (r == 0)
		r = draft_set(d, key, NULL, err);
	for (size_t i = 0; i < have.n && r == 0; i++)
		if (!str_eq(have.v[i], value))
			r = set(d, key, have.v[i], err);
	return r;
}

static int each(struct draft *d, int image_root,
		int (*fn)(struct draft *d, const char *key, const char *value,
			  struct lxmgr_err *err),
		struct lxmgr_err *err)
{
	cleanup_strlist struct strlist lines = { 0 };
	cleanup_free char *text = NULL;
	cleanup_fd int dir = -EBADF, fd = -EBADF;
	int r = 0;

	if (image_root < 0)
		return 0;
	dir = openat(image_root, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = open_in(dir, "config", OPEN_NO_LINKS, O_RDONLY | O_NONBLOCK, 0);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0 || read_all(fd, 65536, &text, NULL) < 0 || strlist_split(&lines, text, "\n") < 0)
		return err_msg(err, -EINVAL, "the template's 'config' is no plain, small file");
	for (size_t i = 0; i < lines.n && r == 0; i++) {
		char *line = str_strip(lines.v[i]), *eq = strchr(line, '=');
		const char *key;

		if (!*line || *line == '#')
			continue;
		if (!eq)
			return err_msg(err, -EINVAL, "the template's 'config' has the line '%.80s'",
				       line);
		*eq = '\0';
		key = allowed(str_strip(line));
		if (!key)
			return err_status(err, STATUS_REFUSED, -EPERM,
					  "a template may not set '%.80s'", str_strip(line));
		r = fn(d, key, str_strip(eq + 1), err);
	}
	return r;
}

int image_config_add(struct draft *d, int image_root, struct lxmgr_err *err)
{
	return each(d, image_root, set, err);
}

int image_config_drop(struct draft *d, int image_root, struct lxmgr_err *err)
{
	return each(d, image_root, drop, err);
}

int image_config_text(const struct config *c, struct strbuf *ret, struct lxmgr_err *err)
{
	struct config plain;
	int r = 0;

	config_init(&plain);
	for (size_t i = 0; i < ARRAY_SIZE(keys) && r == 0; i++) {
		cleanup_strlist struct strlist lines = { 0 };
		cleanup_free char *value = NULL, *unset = NULL;

		r = config_get(c, keys[i], &value, err);
		if (r == 0)
			r = config_get(&plain, keys[i], &unset, err);
		if (r || str_eq(value, unset))
			continue;
		if (strlist_split(&lines, value, "\n") < 0)
			r = err_set(err, -ENOMEM, "%s", keys[i]);
		for (size_t k = 0; k < lines.n; k++)
			strbuf_addf(ret, "%s = %s\n", keys[i], lines.v[k]);
	}
	config_free(&plain);
	return r == 0 && ret->failed ? err_set(err, -ENOMEM, "the image's config") : r;
}

/* The lines of the key's value in a that b has not. What nobody set is not told. */
static int lost(const struct config *a, const struct config *b, const char *key,
		const struct config *plain, struct strlist *ret, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist was = { 0 }, is = { 0 };
	cleanup_free char *old = NULL, *new = NULL, *unset = NULL;
	int r = config_get(a, key, &old, err);

	if (r == 0)
		r = config_get(b, key, &new, err);
	if (r == 0)
		r = config_get(plain, key, &unset, err);
	if (r)
		return r;
	if (str_eq(old, unset))
		return 0;
	if (strlist_split(&was, old, "\n") < 0 || strlist_split(&is, new, "\n") < 0)
		return err_set(err, -ENOMEM, "%s", key);
	for (char *p = new; (p = strchr(p, '\n'));)
		*p = ' ';
	for (size_t i = 0; i < was.n; i++)
		if (!strlist_has(&is, was.v[i]) &&
		    strlist_addf(ret, "'%s = %.200s' is not kept: the new template's is '%.200s'",
				 key, was.v[i], new) < 0)
			return err_set(err, -ENOMEM, "%s", key);
	return 0;
}

int image_config_lost(const struct config *old, const struct config *now, struct strlist *ret,
		      struct lxmgr_err *err)
{
	struct config plain;
	int r = 0;

	config_init(&plain);
	for (size_t i = 0; i < ARRAY_SIZE(keys) && r == 0; i++)
		r = lost(old, now, keys[i], &plain, ret, err);
	config_free(&plain);
	return r;
}
