/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which remotes there are, and their indexes. */
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
#include "util/run.h"

#define REMOTES	       SYSCONFDIR "/remotes"
#define KEYS	       SYSCONFDIR "/keys"
#define STATE	       CACHEDIR "/remotes"
#define INDEX_HELPER   LIBEXECDIR "/lxmgr-index"
#define CONF_LIMIT     65536
#define INDEX_LIMIT    (4 << 20)
#define PRODUCTS_LIMIT (64 << 20)
#define SIGN_LIMIT     65536
#define LINES_LIMIT    (64 << 20)
#define FIELDS	       11

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
	unsigned int n = 0;

	for (char *rest = text; *rest;) {
		size_t len = strcspn(rest, "\n");
		char *line = rest, *eq, *key;
		int e;

		n++;
		rest += len + (rest[len] == '\n');
		line[len] = '\0';
		key = str_strip(line);
		if (!*key || *key == '#')
			continue;
		eq = strchr(key, '=');
		if (!eq)
			return err_msg(err, -EINVAL, "%s:%u: '%.80s' is not KEY = VALUE", path, n,
				       key);
		*eq = '\0';
		e = set(r, str_strip(key), str_strip(eq + 1));
		if (e == -ENOENT)
			return err_msg(err, -EINVAL,
				       "%s:%u: unknown key '%.80s'; there are url, keyring, "
				       "signature, signed",
				       path, n, key);
		if (e < 0)
			return err_msg(err, e, "%s:%u: '%s' may not be '%.200s'", path, n, key,
				       str_strip(eq + 1));
	}
	return 0;
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

/* gpgv takes no key but from these keyrings. */
static int check_signature(const struct remote *r, int dir, const char *file, const char *sig,
			   struct lxmgr_err *err)
{
	static const char *const env[] = { "LC_ALL=C", "HOME=/nonexistent",
					   "GNUPGHOME=/nonexistent",
					   "PATH=/usr/bin:/bin:/usr/local/bin", NULL };
	cleanup_strlist struct strlist argv = { 0 };
	struct run_opts o = RUN_OPTS_INIT;
	cleanup_free char *out = NULL;
	char shown[400];
	int e = strlist_add(&argv, "gpgv");

	for (size_t i = 0; i < r->keys.n; i++) {
		e |= strlist_add(&argv, "--keyring");
		e |= strlist_add(&argv, r->keys.v[i]);
	}
	e |= strlist_add(&argv, "--");
	e |= strlist_addf(&argv, "./%s", sig);
	e |= strlist_addf(&argv, "./%s", file);
	if (e)
		return err_set(err, -ENOMEM, "signature");
	o.env = env;
	o.dirfd = dir;
	o.capture = 2048;
	o.timeout_ms = 60000;
	e = run_program((const char *const *)argv.v, &o, &out);
	if (e == -ENOENT)
		return err_msg(err, e, "signatures are checked by gpgv; install the package gpgv");
	if (e < 0)
		return err_set(err, e, "run gpgv");
	if (e == 0)
		return 0;
	for (char *p = out; *p; p++)
		if (*p == '\n')
			*p = p[1] ? ';' : '\0';
	return err_status(err, STATUS_REFUSED, -EKEYREJECTED,
			  "the signature of the index of '%s' is not good: %.250s", r->name,
			  str_escape(shown, sizeof(shown), out));
}

/* Get URL/path and its signature, check it, and open it. */
static int get_signed(const struct remote *r, int dir, const char *path, const char *file,
		      uint64_t max, int cancel_fd, struct lxmgr_err *err)
{
	char url[2048], sig[64];
	struct download d = { .url = url,
			      .dir = dir,
			      .file = file,
			      .max = max,
			      .is_encrypted = str_has_prefix(r->url, "https://"),
			      .cancel_fd = cancel_fd };
	int e, fd;

	snprintf(url, sizeof(url), "%s/%s", r->url, path);
	e = download(&d, err);
	if (e == 0 && !r->is_unsigned) {
		snprintf(url, sizeof(url), "%s/%s%s", r->url, path, r->suffix);
		snprintf(sig, sizeof(sig), "%s.sig", file);
		d.file = sig;
		d.max = SIGN_LIMIT;
		e = download(&d, err);
		if (e == -ENOENT)
			e = err_status(err, STATUS_REFUSED, -EKEYREJECTED,
				       "the index of '%s' is not signed: '%.200s' is not there",
				       r->name, url);
		if (e == 0)
			e = check_signature(r, dir, file, sig, err);
		unlinkat(dir, sig, 0);
	}
	if (e < 0)
		return e;
	fd = openat(dir, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_set(err, -errno, "open the index") : fd;
}

/* The helper's lines of what fd is. */
static int read_index(const struct remote *r, const char *what, int fd, char **ret,
		      struct lxmgr_err *err)
{
	const char *argv[] = { INDEX_HELPER, what, NULL };
	struct run_opts o = RUN_OPTS_INIT;
	const char *why;
	int e;

	o.stdin_fd = fd;
	o.capture = LINES_LIMIT;
	o.timeout_ms = 120000;
	e = run_program(argv, &o, ret);
	if (e < 0)
		return err_set(err, e, "run %s", INDEX_HELPER);
	if (e == 0)
		return 0;
	why = str_after(*ret, "error ");
	return err_status(err, STATUS_REFUSED, -EBADMSG, "the index of '%s' is refused: %.300s",
			  r->name, why ? str_strip((char *)why) : "its reader was killed");
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

struct age {
	uint64_t updated; /* what the files say */
	char newest[64];  /* the greatest version of all */
};

static void age_of(const char *lines, struct age *ret)
{
	cleanup_free char *copy = strdup(lines);
	struct remote_image i;
	uint64_t t;

	for (const char *p = lines; p; p = strchr(p, '\n')) {
		char number[24];

		p += *p == '\n';
		if (!str_has_prefix(p, "updated\t"))
			continue;
		snprintf(number, sizeof(number), "%.*s", (int)strcspn(p + 8, "\n"), p + 8);
		if (parse_u64(number, &t) == 0 && t > ret->updated)
			ret->updated = t;
	}
	for (char *rest = copy; rest && remote_next(&rest, &i);)
		if (strcmp(i.version, ret->newest) > 0)
			snprintf(ret->newest, sizeof(ret->newest), "%s", i.version);
}

/* Whoever sits between may answer with an index of last year, signed and full of holes known since.
 */
static int check_age(const struct remote *r, int dir, const struct age *now, struct lxmgr_err *err)
{
	cleanup_free char *text = NULL;
	struct age last = { 0 };
	int e = read_file_at(dir, "images", LINES_LIMIT, &text, NULL);

	if (e == -ENOENT)
		return 0;
	if (e < 0)
		return err_set(err, e, "read the last index of '%s'", r->name);
	age_of(text, &last);
	if (now->updated && last.updated ? now->updated < last.updated
					 : strcmp(now->newest, last.newest) < 0)
		return err_status(err, STATUS_REFUSED, -ESTALE,
				  "the index of '%s' is older than the last one: somebody may play "
				  "an old one back (if not, remove %s/%s)",
				  r->name, STATE, r->name);
	return 0;
}

static int open_state(const struct remote *r, struct lxmgr_err *err)
{
	char path[300];
	int e, fd;

	snprintf(path, sizeof(path), "%s/%s", STATE, r->name);
	e = mkdir_p(path, 0700);
	fd = e < 0 ? e : open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_set(err, e < 0 ? e : -errno, "open '%s'", path) : fd;
}

static int get_products(const struct remote *r, int dir, const char *streams, int cancel_fd,
			struct strbuf *all, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist lines = { 0 };

	if (strlist_split(&lines, streams, "\n") < 0)
		return err_set(err, -ENOMEM, "index");
	for (size_t i = 0; i < lines.n; i++) {
		const char *path = str_after(lines.v[i], "path\t");
		cleanup_free char *part = NULL;
		cleanup_fd int fd = -EBADF;
		int e;

		if (!path)
			continue;
		fd = get_signed(r, dir, path, "products.new", PRODUCTS_LIMIT, cancel_fd, err);
		e = fd < 0 ? fd : read_index(r, "products", fd, &part, err);
		if (e < 0)
			return e;
		strbuf_add(all, part, strlen(part));
	}
	return all->failed ? err_set(err, -ENOMEM, "index") : 0;
}

int remote_update(const struct remote *r, int cancel_fd, struct lxmgr_err *err)
{
	cleanup_fd int dir = open_state(r, err), lock = -EBADF, fd = -EBADF;
	cleanup_free char *streams = NULL;
	cleanup_strbuf struct strbuf all = { 0 };
	struct age now = { 0 };
	int e;

	if (dir < 0)
		return dir;
	lock = lock_at(dir, "lock", true, 600000, NULL);
	if (lock < 0)
		return err_set(err, lock, "lock the index of '%s'", r->name);
	fd = get_signed(r, dir, "streams/v1/index.json", "index.new", INDEX_LIMIT, cancel_fd, err);
	e = fd < 0 ? fd : read_index(r, "streams", fd, &streams, err);
	if (e == 0) {
		strbuf_add(&all, streams, strcspn(streams, "\n") + 1);
		e = get_products(r, dir, streams, cancel_fd, &all, err);
	}
	unlinkat(dir, "index.new", 0);
	unlinkat(dir, "products.new", 0);
	if (e < 0)
		return e;
	age_of(all.s, &now);
	e = check_age(r, dir, &now, err);
	if (e < 0)
		return e;
	e = write_file_atomic(dir, "images", all.s, all.len, 0600);
	return e < 0 ? err_set(err, e, "keep the index of '%s'", r->name) : 0;
}

int remote_index(const struct remote *r, char **ret, struct lxmgr_err *err)
{
	cleanup_fd int dir = open_state(r, err);
	int e = dir < 0 ? dir : read_file_at(dir, "images", LINES_LIMIT, ret, NULL);

	if (dir < 0)
		return dir;
	if (e == -ENOENT)
		return err_msg(err, e, "there is no index of '%s' yet: it must be fetched once",
			       r->name);
	return e < 0 ? err_set(err, e, "read the index of '%s'", r->name) : 0;
}
