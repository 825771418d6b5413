/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A remote's index: downloaded, its signatures checked, its age compared, kept as lines. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "image/digest.h"
#include "image/remote.h"
#include "kernel/idmap.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/paths.h"
#include "util/run.h"

#define STATE	       CACHEDIR "/remotes"
#define INDEX_HELPER   LIBEXECDIR "/lxmgr-index"
#define INDEX_PATH     "streams/v1/index.json"
#define INDEX_LIMIT    (4 << 20)
#define PRODUCTS_LIMIT (64 << 20)
#define SIGN_LIMIT     65536
#define KEYS_LIMIT     (16 << 20)
#define LINES_LIMIT    (64 << 20)
#define NOBODY	       65534U

/* What comes from the network is read by nobody: what it makes of gpgv has nothing. */
static int drop_rights(void *data)
{
	const struct rlimit none = { 0, 0 };
	uid_t id = IDMAP_CONFINED;

	if (setgroups(0, NULL) < 0 || setrlimit(RLIMIT_FSIZE, &none) < 0 ||
	    setrlimit(RLIMIT_CORE, &none) < 0)
		return -1;
	/* In a container that id is not mapped. */
	if (setresgid(id, id, id) < 0) {
		id = NOBODY;
		if (setresgid(id, id, id) < 0)
			return -1;
	}
	if (setresuid(id, id, id) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* A keyring in memory: whoever runs gpgv may not be able to open the file. */
static int open_keyring(const char *path, struct lxmgr_err *err)
{
	cleanup_fd int fd = sys_memfd_create("keyring", 0);
	cleanup_free char *text = NULL;
	size_t len = 0;
	int r = fd < 0 ? fd : read_file_at(AT_FDCWD, path, KEYS_LIMIT, &text, &len);

	if (r == 0)
		r = write_all(fd, text, len);
	return r < 0 ? err_set(err, r, "read the keyring '%s'", path) : take_fd(&fd);
}

static int run_gpgv(const struct remote *r, const int *fds, size_t n, int data, char **ret_out,
		    struct lxmgr_err *err)
{
	static const char *const env[] = { "LC_ALL=C", "HOME=/nonexistent",
					   "GNUPGHOME=/nonexistent",
					   "PATH=/usr/bin:/bin:/usr/local/bin", NULL };
	cleanup_strlist struct strlist argv = { 0 };
	struct run_opts o = RUN_OPTS_INIT;
	int e = strlist_add(&argv, "gpgv");

	e |= strlist_add(&argv, "--enable-special-filenames");
	/* What is passed begins at 3: the signature, then the keyrings. */
	for (size_t i = 1; i < n; i++) {
		e |= strlist_add(&argv, "--keyring");
		e |= strlist_addf(&argv, "/dev/fd/%zu", 3 + i);
	}
	e |= strlist_add(&argv, "--");
	e |= strlist_add(&argv, "-&3");
	e |= strlist_add(&argv, "-");
	if (e)
		return err_set(err, -ENOMEM, "signature");
	o.env = env;
	o.stdin_fd = data;
	o.pass_fds = fds;
	o.n_pass = n;
	o.prepare = drop_rights;
	o.capture = 2048;
	o.timeout_ms = 60000;
	e = run_program((const char *const *)argv.v, &o, ret_out);
	if (e == -ENOENT)
		return err_msg(err, e, "signatures are checked by gpgv; install the package gpgv");
	return e < 0 ? err_set(err, e, "run gpgv for '%s'", r->name) : e;
}

/* gpgv takes no key but from these keyrings. */
static int check_signature(const struct remote *r, int data, int sig, struct lxmgr_err *err)
{
	cleanup_free char *out = NULL;
	int fds[RUN_MAX_PASS] = { sig }, e = 0;
	size_t n = 1;
	char shown[400];

	if (r->keys.n >= RUN_MAX_PASS)
		return err_msg(err, -E2BIG, "the remote '%s' has more than %d keyrings", r->name,
			       RUN_MAX_PASS - 1);
	for (size_t i = 0; i < r->keys.n && e == 0; i++) {
		fds[n] = open_keyring(r->keys.v[i], err);
		e = fds[n] < 0 ? fds[n] : 0;
		n += fds[n] >= 0;
	}
	if (e == 0)
		e = run_gpgv(r, fds, n, data, &out, err);
	while (n > 1)
		close(fds[--n]);
	if (e <= 0)
		return e;
	for (char *p = out; *p; p++)
		if (*p == '\n')
			*p = p[1] ? ';' : '\0';
	return err_status(err, STATUS_REFUSED, -EKEYREJECTED,
			  "the signature of the index of '%s' is not good: %.250s", r->name,
			  str_escape(shown, sizeof(shown), out));
}

/* Get a file of the remote's. What it was downloaded into somebody may still hold open: a copy. */
static int get(const struct remote *r, int dir, const char *path, const char *suffix, uint64_t max,
	       int cancel_fd, struct lxmgr_err *err)
{
	char url[2048];
	struct download d = { .url = url,
			      .dir = dir,
			      .file = "download.new",
			      .max = max,
			      .is_encrypted = str_has_prefix(r->url, "https://"),
			      .cancel_fd = cancel_fd };
	cleanup_fd int fd = -EBADF;
	int e;

	snprintf(url, sizeof(url), "%s/%s%s", r->url, path, suffix);
	e = download(&d, err);
	if (e == 0) {
		fd = openat(dir, d.file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		e = fd < 0 ? err_set(err, -errno, "open the download") : private_copy(fd, err);
	}
	unlinkat(dir, d.file, 0);
	return e;
}

/* Get URL/path and its signature, and check it. */
static int get_signed(const struct remote *r, int dir, const char *path, uint64_t max,
		      int cancel_fd, struct lxmgr_err *err)
{
	cleanup_fd int fd = get(r, dir, path, "", max, cancel_fd, err), sig = -EBADF;
	int e;

	if (fd < 0 || r->is_unsigned)
		return take_fd(&fd);
	sig = get(r, dir, path, r->suffix, SIGN_LIMIT, cancel_fd, err);
	if (sig == -ENOENT)
		return err_status(err, STATUS_REFUSED, -EKEYREJECTED,
				  "the index of '%s' is not signed: '%s/%.200s%s' is not there",
				  r->name, r->url, path, r->suffix);
	e = sig < 0 ? sig : check_signature(r, fd, sig, err);
	if (e == 0 && lseek(fd, 0, SEEK_SET) < 0)
		e = err_set(err, -errno, "read the index");
	return e < 0 ? e : take_fd(&fd);
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

/* When a file says it was made; 0: it does not say. False: it is not among them. */
static bool updated_of(const char *lines, const char *path, size_t len, uint64_t *ret)
{
	for (const char *p = lines; *p; p += strcspn(p, "\n")) {
		char number[24];

		p += *p == '\n';
		if (!str_has_prefix(p, "updated\t") || strncmp(p + 8, path, len) != 0 ||
		    p[8 + len] != '\t')
			continue;
		p += 9 + len;
		snprintf(number, sizeof(number), "%.*s", (int)strcspn(p, "\n"), p);
		return parse_u64(number, ret) == 0;
	}
	return false;
}

/* The greatest version of all. */
static void newest_of(const char *lines, char *ret, size_t size)
{
	cleanup_free char *copy = strdup(lines);
	struct remote_image i;

	*ret = '\0';
	for (char *rest = copy; rest && remote_next(&rest, &i);)
		if (strcmp(i.version, ret) > 0)
			snprintf(ret, size, "%s", i.version);
}

bool remote_is_older(const char *now, const char *last)
{
	char newest[64], before[64];
	bool dated = false;
	uint64_t old, new;

	for (const char *p = last; *p; p += strcspn(p, "\n")) {
		const char *path;
		size_t len;

		p += *p == '\n';
		if (!str_has_prefix(p, "updated\t"))
			continue;
		path = p + 8;
		len = strcspn(path, "\t\n");
		/* A list that is not there any more: the newer index says so. */
		if (!updated_of(last, path, len, &old) || !updated_of(now, path, len, &new))
			continue;
		if (new < old)
			return true;
		dated |= old > 0;
	}
	if (dated)
		return false;
	newest_of(now, newest, sizeof(newest));
	newest_of(last, before, sizeof(before));
	return strcmp(newest, before) < 0;
}

/* Whoever sits between may answer with an index of last year, or with today's index and a list of
 * last year, each well signed and full of holes known since. */
static int check_age(const struct remote *r, int dir, const char *now, struct lxmgr_err *err)
{
	cleanup_free char *text = NULL;
	int e = read_file_at(dir, "images", LINES_LIMIT, &text, NULL);

	if (e == -ENOENT)
		return 0;
	if (e < 0 || !text)
		return err_set(err, e < 0 ? e : -ENOMEM, "read the last index of '%s'", r->name);
	if (remote_is_older(now, text))
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

/* The images of a file's lines, and its date with its path. */
static void add_dated(struct strbuf *all, const char *path, const char *lines)
{
	for (; *lines; lines += strcspn(lines, "\n"), lines += *lines == '\n') {
		const char *date = str_after(lines, "updated\t");
		int len = (int)strcspn(date ? date : lines, "\n");

		if (date)
			strbuf_addf(all, "updated\t%s\t%.*s\n", path, len, date);
		else if (str_has_prefix(lines, "image\t"))
			strbuf_addf(all, "%.*s\n", len, lines);
	}
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
		fd = get_signed(r, dir, path, PRODUCTS_LIMIT, cancel_fd, err);
		e = fd < 0 ? fd : read_index(r, "products", fd, &part, err);
		if (e < 0)
			return e;
		add_dated(all, path, part);
	}
	return all->failed ? err_set(err, -ENOMEM, "index") : 0;
}

int remote_update(const struct remote *r, int cancel_fd, struct lxmgr_err *err)
{
	cleanup_fd int dir = open_state(r, err), lock = -EBADF, fd = -EBADF;
	cleanup_free char *streams = NULL;
	cleanup_strbuf struct strbuf all = { 0 };
	int e;

	if (dir < 0)
		return dir;
	lock = lock_at(dir, "lock", true, 600000, NULL);
	if (lock < 0)
		return err_set(err, lock, "lock the index of '%s'", r->name);
	fd = get_signed(r, dir, INDEX_PATH, INDEX_LIMIT, cancel_fd, err);
	e = fd < 0 ? fd : read_index(r, "streams", fd, &streams, err);
	if (e == 0) {
		add_dated(&all, INDEX_PATH, streams);
		e = get_products(r, dir, streams, cancel_fd, &all, err);
	}
	if (e == 0 && all.failed)
		e = err_set(err, -ENOMEM, "keep the index of '%s'", r->name);
	if (e == 0)
		e = check_age(r, dir, all.s ? all.s : "", err);
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
