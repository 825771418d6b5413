/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which remotes there are, and the lines of their indexes. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "image/remote.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/paths.h"

#define REMOTES	   SYSCONFDIR "/remotes"
#define KEYS	   SYSCONFDIR "/keys"
#define CONF_LIMIT 65536
#define FIELDS	   11

void remote_free(struct remote *r)
{
	strlist_free(&r->keys);
}

static int set(struct remote *r, const char *key, const char *value)
{
	bool on;

	if (str_eq(key, "url")) {
		size_t n = strlen(value);

		if ((!str_has_prefix(value, "http://") && !str_has_prefix(value, "https://")) ||
		    n >= sizeof(r->url) || strpbrk(value, " \t?#"))
			return -EINVAL;
		while (n && value[n - 1] == '/')
			n--;
		snprintf(r->url, sizeof(r->url), "%.*s", (int)n, value);
	} else if (str_eq(key, "keyring")) {
		return *value == '/' ? strlist_add(&r->keys, value) : -EINVAL;
	} else if (str_eq(key, "signature")) {
		if (*value != '.' || strlen(value) >= sizeof(r->suffix) || strpbrk(value, "/?#% "))
			return -EINVAL;
		snprintf(r->suffix, sizeof(r->suffix), "%s", value);
	} else if (str_eq(key, "signed")) {
		if (parse_bool(value, &on) < 0)
			return -EINVAL;
		r->is_unsigned = !on;
	} else {
		return -ENOENT;
	}
	return 0;
}

static int add_keys(struct remote *r, struct lxmgr_err *err)
{
	cleanup_dir DIR *d = opendir(KEYS);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (*e->d_name != '.' && str_has_suffix(e->d_name, ".gpg") &&
		    strlist_addf(&r->keys, "%s/%s", KEYS, e->d_name) < 0)
			return err_set(err, -ENOMEM, "keys");
	strlist_sort(&r->keys);
	return r->keys.n ? 0
			 : err_status(err, STATUS_REFUSED, -ENOKEY,
				      "no key is known whose signature counts for the remote '%s' "
				      "(keyring = FILE in its file, or %s/*.gpg)",
				      r->name, KEYS);
}

static int read_conf(struct remote *r, char *text, const char *path, struct lxmgr_err *err)
{
	char *key, *value;
	unsigned int n = 0;
	int e;

	while ((e = str_next_setting(&text, &n, &key, &value)) > 0) {
		e = set(r, key, value);
		if (e == -ENOENT)
			return err_msg(err, -EINVAL,
				       "%s:%u: unknown key '%.80s'; there are url, keyring, "
				       "signature, signed",
				       path, n, key);
		if (e < 0)
			return err_msg(err, e, "%s:%u: '%s' may not be '%.200s'", path, n, key,
				       value);
	}
	return e < 0 ? err_msg(err, e, "%s:%u: '%.80s' is not KEY = VALUE", path, n, key) : 0;
}

int remote_read(const char *name, struct remote *ret, struct lxmgr_err *err)
{
	cleanup_free char *text = NULL;
	char path[300];
	size_t len;
	int r;

	memset(ret, 0, sizeof(*ret));
	if (!name_is_valid(name))
		return err_status(err, STATUS_USAGE, -EINVAL, "'%.80s' is no remote's name", name);
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	snprintf(ret->suffix, sizeof(ret->suffix), ".asc");
	snprintf(path, sizeof(path), "%s/%s.conf", REMOTES, name);
	r = read_file_at(AT_FDCWD, path, CONF_LIMIT, &text, &len);
	if (r == -ENOENT)
		return err_msg(err, r, "there is no remote '%s' (%s)", name, path);
	if (r < 0 || strlen(text) != len)
		return err_set(err, r < 0 ? r : -EINVAL, "read '%s'", path);
	r = read_conf(ret, text, path, err);
	if (r == 0 && !*ret->url)
		r = err_msg(err, -EINVAL, "%s has no url", path);
	if (r == 0 && ret->is_unsigned && !str_has_prefix(ret->url, "https://"))
		r = err_status(err, STATUS_REFUSED, -EPERM,
			       "%s: 'signed = no' needs a url with https", path);
	if (r == 0 && !ret->is_unsigned && !ret->keys.n)
		r = add_keys(ret, err);
	return r;
}

int remote_names(struct strlist *ret, struct lxmgr_err *err)
{
	cleanup_dir DIR *d = opendir(REMOTES);
	struct dirent *e;

	if (!d && errno != ENOENT)
		return err_set(err, -errno, "open '%s'", REMOTES);
	while (d && (e = readdir(d))) {
		char name[256];
		size_t n = strlen(e->d_name);

		if (!str_has_suffix(e->d_name, ".conf") || n <= 5)
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(n - 5), e->d_name);
		if (name_is_valid(name) && strlist_add(ret, name) < 0)
			return err_set(err, -ENOMEM, "remotes");
	}
	strlist_sort(ret);
	return 0;
}

const char *remote_arch(const char *arch)
{
	static const struct {
		const char *kernel, *debian;
	} names[] = { { "x86_64", "amd64" }, { "aarch64", "arm64" },   { "armv7l", "armhf" },
		      { "i686", "i386" },    { "ppc64le", "ppc64el" }, { "i586", "i386" },
		      { "armv8l", "armhf" } };
	static struct utsname u;

	if (!arch || !*arch) {
		if (uname(&u) < 0)
			return "";
		arch = u.machine;
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_eq(names[i].kernel, arch))
			return names[i].debian;
	return arch;
}

bool remote_next(char **text, struct remote_image *ret)
{
	while (**text) {
		size_t n = strcspn(*text, "\n"), i = 0;
		char *line = *text, *f[FIELDS + 1], *rest;

		*text += n + (line[n] == '\n');
		line[n] = '\0';
		for (rest = line; rest && i <= FIELDS; i++) {
			f[i] = rest;
			rest = strchr(rest, '\t');
			if (rest)
				*rest++ = '\0';
		}
		if (rest || i != FIELDS + 1 || !str_eq(f[0], "image") || !name_is_digest(f[10]) ||
		    parse_u64(f[11], &ret->size) < 0)
			continue;
		*ret = (struct remote_image){ f[1], f[2], f[3], f[4],  f[5],	 f[6],
					      f[7], f[8], f[9], f[10], ret->size };
		return true;
	}
	return false;
}
