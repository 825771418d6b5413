/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading files: lines, includes, limits; and editing a file's text. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/config_value.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/paths.h"

#define FILE_LIMIT  (1024 * 1024)
#define LINE_LIMIT  8192
#define DEPTH_LIMIT 16

#define LXC_SHARE "/usr/share/lxc/config/"

static int read_at(struct config *c, int dirfd, const char *name, const char *display, int depth,
		   struct lxmgr_err *err);

static int include_dir(struct config *c, const char *path, int depth, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist names = { 0 };
	cleanup_dir DIR *d = opendir(path);
	struct dirent *e;

	if (!d)
		return err_set(err, -errno, "open the directory '%s'", path);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.' && str_has_suffix(e->d_name, ".conf") &&
		    strlist_addf(&names, "%s/%s", path, e->d_name) < 0)
			return err_set(err, -ENOMEM, "config");
	strlist_sort(&names);
	for (size_t i = 0; i < names.n; i++) {
		int r = read_at(c, AT_FDCWD, names.v[i], names.v[i], depth, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int include(struct config *c, const char *path, int depth, struct lxmgr_err *err)
{
	char ours[512];
	struct stat st;

	if (depth >= DEPTH_LIMIT)
		return err_msg(err, -ELOOP, "includes are nested deeper than %d (a cycle?)",
			       DEPTH_LIMIT);
	/* A config from an LXC host names LXC's shared files; where LXC is not installed, ours of
	 * the same name say the same. */
	if (stat(path, &st) < 0 && str_has_prefix(path, LXC_SHARE)) {
		snprintf(ours, sizeof(ours), "%s/config/%s", DATADIR, path + strlen(LXC_SHARE));
		path = ours;
	}
	if (stat(path, &st) < 0)
		return err_set(err, -errno, "include '%s'", path);
	if (S_ISDIR(st.st_mode))
		return include_dir(c, path, depth + 1, err);
	return read_at(c, AT_FDCWD, path, path, depth + 1, err);
}

/* Scalars set twice in one file are a mistake; one that an include set may be overridden. */
static int check_duplicate(const struct config *c, const char *key, const char *display,
			   struct lxmgr_err *err)
{
	const char *name = str_after(key, "lxmgr."), *suffix, *where;
	const struct config_key *k;
	size_t n = strlen(display);
	long index;

	if (!name)
		name = str_after(key, "lxc.");
	k = name ? config_find(name, &suffix, &index) : NULL;
	if (!k || k->type->is_list || k->type == &value_api)
		return 0;
	where = config_noted(c, name);
	if (where && !strncmp(where, display, n) && where[n] == ':' && !str_eq(display, "-s"))
		return err_msg(err, -EEXIST, "set before, in line %s", where + n + 1);
	return 0;
}

static int do_line(struct config *c, char *line, const char *display, unsigned int number,
		   int depth, struct lxmgr_err *err)
{
	char *key = str_strip(line), *value;
	char where[300];
	int r;

	if (!*key || *key == '#')
		return 0;
	value = strchr(key, '=');
	if (!value)
		return err_msg(err, -EINVAL, "%s:%u: '%.60s' is not 'key = value'", display, number,
			       key);
	*value++ = '\0';
	key = str_strip(key);
	value = str_strip(value);
	if (!str_has_prefix(key, "lxmgr.") && !str_has_prefix(key, "lxc."))
		return err_msg(err, -EINVAL,
			       "%s:%u: key '%.80s' begins with neither lxmgr. nor lxc.", display,
			       number, key);
	if (str_eq(key, "lxmgr.include") || str_eq(key, "lxc.include")) {
		r = include(c, value, depth, err);
		/* The innermost place is the one to mend; say how it came to be read. */
		return r < 0 ? (err_hint(err, "included at %s:%u", display, number), r) : 0;
	}
	if (*value == '"' && strlen(value) > 1 && value[strlen(value) - 1] == '"') {
		value[strlen(value) - 1] = '\0';
		value++;
	}
	snprintf(where, sizeof(where), "%s:%u", display, number);
	r = check_duplicate(c, key, display, err);
	if (r == 0 && !*value && (str_eq(key, "lxmgr.net") || str_eq(key, "lxc.net")))
		r = config_clear(c, key, err);
	else if (r == 0)
		r = config_set(c, key, value, err);
	if (r < 0)
		return err_prefix(err, "%s: key '%.80s'", where, key), r;
	return config_note(c, key, where) < 0 ? err_set(err, -ENOMEM, "config") : 0;
}

static int read_text(struct config *c, const char *text, size_t len, const char *display, int depth,
		     struct lxmgr_err *err)
{
	char line[LINE_LIMIT + 1];
	unsigned int number = 0;

	for (size_t pos = 0; pos < len;) {
		const char *nl = memchr(text + pos, '\n', len - pos);
		size_t n = nl ? (size_t)(nl - text) - pos : len - pos;
		int r;

		number++;
		if (n > LINE_LIMIT)
			return err_msg(err, -E2BIG, "%s:%u: the line is longer than %d bytes",
				       display, number, LINE_LIMIT);
		if (memchr(text + pos, '\0', n))
			return err_msg(err, -EINVAL, "%s:%u: the line has a NUL byte", display,
				       number);
		if (!str_is_utf8(text + pos, n))
			return err_msg(err, -EINVAL, "%s:%u: the line is no valid UTF-8", display,
				       number);
		memcpy(line, text + pos, n);
		line[n] = '\0';
		r = do_line(c, line, display, number, depth, err);
		if (r < 0)
			return r;
		pos += n + 1;
	}
	return 0;
}

static int read_at(struct config *c, int dirfd, const char *name, const char *display, int depth,
		   struct lxmgr_err *err)
{
	/* O_NONBLOCK: a FIFO in its place must not hang the tool. */
	cleanup_fd int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	cleanup_free char *text = NULL;
	struct stat st;
	size_t len;
	int r;

	if (fd < 0)
		return err_set(err, -errno, "open '%s'", display);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_msg(err, -EINVAL, "'%s' is not a regular file", display);
	r = read_all(fd, FILE_LIMIT, &text, &len);
	if (r < 0)
		return err_set(err, r, "read '%s'", display);
	return read_text(c, text, len, display, depth, err);
}

int config_read(struct config *c, int dirfd, const char *name, const char *display,
		struct lxmgr_err *err)
{
	return read_at(c, dirfd, name, display, 0, err);
}

int config_read_text(struct config *c, const char *text, size_t len, const char *display,
		     struct lxmgr_err *err)
{
	return read_text(c, text, len, display, 0, err);
}

/* The key of a line, without its prefix, or NULL. */
static char *line_key(const char *line, size_t n)
{
	cleanup_free char *copy = strndup(line, n);
	char *eq, *key;
	const char *rest;

	if (!copy || !(eq = strchr(copy, '=')))
		return NULL;
	*eq = '\0';
	key = str_strip(copy);
	rest = str_after(key, "lxmgr.");
	if (!rest)
		rest = str_after(key, "lxc.");
	return rest && *key != '#' ? strdup(rest) : NULL;
}

static void add_line(struct strbuf *b, const char *name, const char *value)
{
	strbuf_addf(b, "lxmgr.%s = ", name);
	config_add_value(b, value, strlen(value));
}

int config_edit(const char *text, const char *key, const char *value, char **ret,
		struct lxmgr_err *err)
{
	const char *name = str_after(key, "lxmgr."), *suffix;
	cleanup_strbuf struct strbuf b = { 0 };
	const struct config_key *k;
	bool is_list, done = false;
	long index;

	if (!name)
		name = str_after(key, "lxc.");
	if (!name)
		name = key;
	k = config_find(name, &suffix, &index);
	if (!k)
		return err_msg(err, -ENOENT, "unknown key '%s'", key);
	if (value && (strpbrk(value, "\n\r") || !str_is_utf8(value, strlen(value))))
		return err_msg(err, -EINVAL, "key '%s': the value has a line break or is no UTF-8",
			       key);
	is_list = k->type->is_list;
	while (*text) {
		size_t n = strcspn(text, "\n");
		cleanup_free char *have = line_key(text, n);
		bool same = have && str_eq(have, name);

		/* A list gets another line; a scalar's line is replaced where it stands. */
		if (!same || (is_list && value))
			strbuf_addf(&b, "%.*s\n", (int)n, text);
		else if (value && !done)
			add_line(&b, name, value);
		done |= same && !is_list;
		text += n + (text[n] == '\n');
	}
	if (value && !done)
		add_line(&b, name, value);
	*ret = strbuf_take(&b);
	return *ret ? 0 : err_set(err, -ENOMEM, "config");
}
