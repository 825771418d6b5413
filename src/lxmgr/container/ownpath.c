/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "container/ownpath.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"

#define CONFIG_LIMIT (1 << 20)

enum kind { OTHER, HOST_PATH, READ_FILE };

/* Values of other keys are text, or paths inside the container. */
static enum kind kind_of(const char *line, size_t n)
{
	static const struct {
		const char *name;
		bool is_prefix;
		enum kind kind;
	} keys[] = {
		{ "rootfs.path", false, HOST_PATH },
		{ "mount.entry", false, HOST_PATH },
		{ "hook.", true, HOST_PATH },
		{ "log.file", false, HOST_PATH },
		{ "console.logfile", false, HOST_PATH },
		{ "seccomp.profile", false, HOST_PATH },
		{ "include", false, READ_FILE },
		{ "mount.fstab", false, READ_FILE },
	};
	cleanup_free char *copy = strndup(line, n);
	char *eq = copy ? strchr(copy, '=') : NULL;
	const char *key, *name;

	if (!eq)
		return OTHER;
	*eq = '\0';
	key = str_strip(copy);
	name = str_after(key, "lxmgr.");
	if (!name)
		name = str_after(key, "lxc.");
	for (size_t i = 0; name && i < ARRAY_SIZE(keys); i++)
		if (keys[i].is_prefix ? str_has_prefix(name, keys[i].name)
				      : str_eq(name, keys[i].name))
			return keys[i].kind;
	return OTHER;
}

static bool goes_on(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '-';
}

/* A whole path, or the first parts of one: "dir:/x/web/rootfs", "lowerdir=/x/web,". */
static bool begins_here(const char *line, size_t i, size_t left, const char *from, size_t n)
{
	return left >= n && !memcmp(line + i, from, n) && (left == n || !goes_on(line[i + n])) &&
	       (i == 0 || (line[i - 1] != '/' && !goes_on(line[i - 1])));
}

static bool move_line(struct strbuf *b, const char *line, size_t len, const char *from,
		      const char *to)
{
	size_t n = strlen(from);
	bool any = false;

	for (size_t i = 0; i < len;) {
		if (begins_here(line, i, len - i, from, n)) {
			strbuf_addf(b, "%s", to);
			i += n;
			any = true;
		} else {
			strbuf_add(b, line + i++, 1);
		}
	}
	strbuf_add(b, "\n", 1);
	return any;
}

int ownpath_move(const char *text, const char *from, const char *to, char **ret,
		 struct lxmgr_err *err)
{
	cleanup_strbuf struct strbuf b = { 0 };

	while (*text) {
		size_t n = strcspn(text, "\n");
		enum kind kind = kind_of(text, n);

		if (kind == OTHER)
			strbuf_addf(&b, "%.*s\n", (int)n, text);
		else if (move_line(&b, text, n, from, to) && kind == READ_FILE)
			return err_status(err, STATUS_REFUSED, -EBUSY,
					  "'%.*s' is a file in the container's own directory, "
					  "whose name would change",
					  (int)n, text);
		text += n + (text[n] == '\n');
	}
	*ret = strbuf_take(&b);
	return *ret ? 0 : err_set(err, -ENOMEM, "config");
}

int ownpath_check_dependents(struct lxmgr_container *c, struct lxmgr_err *err)
{
	cleanup_free char *own = str_printf("%s/%s/", c->path, c->name);
	cleanup_strlist struct strlist names = { 0 };
	int r = own ? lxmgr_list(c->path, &names.v, &names.n, err) : -ENOMEM;

	for (size_t i = 0; r == 0 && i < names.n; i++) {
		cleanup_free char *file = str_printf("%s/%s/config", c->path, names.v[i]);
		cleanup_free char *text = NULL;
		struct config cfg;

		/* Most name no path at all: these need not be parsed. */
		if (str_eq(names.v[i], c->name) || !file ||
		    read_file_at(AT_FDCWD, file, CONFIG_LIMIT, &text, NULL) < 0 ||
		    !strstr(text, own))
			continue;
		config_init(&cfg);
		if (config_read_text(&cfg, text, strlen(text), names.v[i], NULL) == 0 &&
		    cfg.storage.path && strstr(cfg.storage.path, own))
			r = err_status(err, STATUS_WRONG_STATE, -EBUSY,
				       "the root of container '%s' stands on '%s' "
				       "(lxmgr.rootfs.path)",
				       names.v[i], c->name);
		config_free(&cfg);
	}
	return r;
}
