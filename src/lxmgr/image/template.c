/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Running a template: once per distinct set of arguments, into a golden image. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "image/cache.h"
#include "image/luatemplate.h"
#include "image/digest.h"
#include "image/interrupt.h"
#include "image/names.h"
#include "image/remote.h"
#include "image/template_download.h"
#include "image/template_key.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/paths.h"
#include "util/run.h"
#include "util/str.h"

#define TEMPLATES	DATADIR "/templates"
#define TEMPLATE_LIMIT	(4 << 20)
#define HELP_LIMIT	16384
#define DEFAULT_TIMEOUT 3600000
#define TAIL_SIZE	600

/* A name is one of ours, a program or NAME.lua; a path is the user's own. */
static int find_template(const char *name, char *path, size_t size, struct lxmgr_err *err)
{
	struct stat st;

	if (*name == '/')
		snprintf(path, size, "%s", name);
	else if (!name_is_valid(name))
		return err_msg(err, -EINVAL, "'%s' is no template name", name);
	else
		snprintf(path, size, "%s/%s", TEMPLATES, name);
	if (*name == '/' && lua_template_is(path) && access(path, R_OK) == 0)
		return 0;
	if (*name != '/' && stat(path, &st) < 0 && strlen(path) + sizeof(".lua") <= size) {
		snprintf(path + strlen(path), size - strlen(path), ".lua");
		if (access(path, R_OK) == 0)
			return 0;
		path[strlen(path) - strlen(".lua")] = '\0';
	}
	if (access(path, X_OK) == 0)
		return 0;
	if (errno == ENOENT)
		return err_msg(err, -ENOENT, "template '%s' does not exist (%s)", name, path);
	return err_set(err, -errno, "run the template '%s' (%s)", name, path);
}

int image_template_help(const char *name, char **ret, struct lxmgr_err *err)
{
	const char *argv[] = { NULL, "--help", NULL };
	struct run_opts o = RUN_OPTS_INIT;
	char path[512];
	int r;

	if (download_template_is(name))
		return download_template_help(ret, err);
	r = find_template(name, path, sizeof(path), err);
	if (r < 0)
		return r;
	if (lua_template_is(path))
		return lua_template_help(path, ret, err);
	argv[0] = path;
	o.capture = HELP_LIMIT;
	o.timeout_ms = 10000;
	r = run_program(argv, &o, ret);
	if (r != 0) {
		free(*ret);
		*ret = NULL;
	}
	return r < 0 ? err_set(err, r, "run '%s --help'", path)
	       : r   ? err_msg(err, -EIO, "'%s --help' failed", path)
		     : 0;
}

int image_template_list(const char *name, const char *const *args, char **ret,
			struct lxmgr_err *err)
{
	if (!download_template_is(name))
		return err_status(err, STATUS_USAGE, -EINVAL,
				  "the template '%.100s' has no list of images", name);
	return download_template_list(args, ret, err);
}

static int digest_of(const char *path, const struct template_run *t, char ret[65],
		     struct lxmgr_err *err)
{
	cleanup_strbuf struct strbuf b = { 0 };
	cleanup_free char *text = NULL;
	size_t len;
	int r = read_file_at(AT_FDCWD, path, TEMPLATE_LIMIT, &text, &len);

	if (r < 0)
		return err_set(err, r, "read the template '%s'", path);
	strbuf_addf(&b, "lxmgr image 1\n%s\n", path);
	strbuf_add(&b, text, len);
	for (size_t i = 0; t->args && t->args[i]; i++)
		strbuf_add(&b, t->args[i], strlen(t->args[i]) + 1);
	r = template_key_add(&b, t->args);
	if (r < 0)
		return err_set(err, r, "look at the files that are named for the template");
	return b.failed ? err_set(err, -ENOMEM, "template") : digest_data(b.s, b.len, ret, err);
}

/* Progress lines of the template, and the tail of its output for the error. */
struct output {
	const struct template_run *t;
	char line[256];
	size_t len;
	char tail[TAIL_SIZE];
};

static void end_line(struct output *o)
{
	const char *rest;
	char shown[512];
	int permille = -1;

	o->line[o->len] = '\0';
	o->len = 0;
	rest = str_after(o->line, "progress: ");
	if (rest) {
		permille = (int)strtol(rest, (char **)&rest, 10);
		if (permille < 0 || permille > 1000)
			permille = -1;
		rest += *rest == ' ';
	} else {
		size_t have = strlen(o->tail), n = strlen(o->line);

		rest = o->line;
		log_info("template: %s", rest);
		if (!n)
			return;
		if (have + n + 2 > sizeof(o->tail))
			have = 0;
		snprintf(o->tail + have, sizeof(o->tail) - have, "%s%s", have ? "; " : "", o->line);
	}
	if (o->t->progress)
		o->t->progress(str_escape(shown, sizeof(shown), rest), permille,
			       o->t->progress_arg);
}

static void on_output(const char *data, size_t n, void *arg)
{
	struct output *o = arg;

	for (size_t i = 0; i < n; i++) {
		if (data[i] == '\n' || data[i] == '\r')
			end_line(o);
		else if (o->len + 1 < sizeof(o->line))
			o->line[o->len++] = data[i];
	}
}

/* In the child: when this tool is killed, the template goes too. */
static int die_with_parent(void *data)
{
	umask(022);
	return prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* The template's own namespaces: what it mounts or leaves running ends with it. */
static int make_argv(const char *path, const struct template_run *t, const char *dir,
		     struct strlist *argv)
{
	static const char *const head[] = { "unshare",
					    "--mount",
					    "--pid",
					    "--ipc",
					    "--uts",
					    "--fork",
					    "--kill-child=SIGKILL",
					    "--mount-proc",
					    "--propagation",
					    "private",
					    "--" };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(head); i++)
		r |= strlist_add(argv, head[i]);
	r |= strlist_add(argv, path);
	r |= strlist_addf(argv, "--name=%s", t->container ? t->container : "image");
	r |= strlist_addf(argv, "--path=%s", dir);
	r |= strlist_addf(argv, "--rootfs=%s/rootfs", dir);
	for (size_t i = 0; t->args && t->args[i]; i++)
		r |= strlist_add(argv, t->args[i]);
	return r;
}

static int run_template(const char *path, const struct template_run *t, const char *dir,
			int cancel_fd, struct lxmgr_err *err)
{
	static const char *const fixed[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"LC_ALL=C.UTF-8",
		"HOME=/root",
		"DEBIAN_FRONTEND=noninteractive",
		"LXMGR_CONFIG_DIR=" DATADIR "/config",
		("LXMGR_LIBEXEC_DIR=" LIBEXECDIR),
	};
	cleanup_strlist struct strlist argv = { 0 }, env = { 0 };
	/* What its arguments name is where its caller is. */
	cleanup_fd int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct run_opts o = RUN_OPTS_INIT;
	struct output out = { .t = t };
	char text[64];
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		if (strlist_add(&env, fixed[i]) < 0)
			return err_set(err, -ENOMEM, "template");
	if (make_argv(path, t, dir, &argv) || download_env(&env))
		return err_set(err, -ENOMEM, "template");
	o.env = (const char *const *)env.v;
	o.on_output = on_output;
	o.on_output_arg = &out;
	o.timeout_ms = t->timeout_ms ? t->timeout_ms : DEFAULT_TIMEOUT;
	o.cancel_fd = cancel_fd;
	o.dirfd = here;
	o.prepare = die_with_parent;
	r = run_program((const char *const *)argv.v, &o, NULL);
	if (r == 0)
		return 0;
	if (r == -ETIMEDOUT)
		return err_msg(err, r, "template '%s' was killed after %d s", t->name,
			       o.timeout_ms / 1000);
	if (r == -ECANCELED)
		return err_msg(err, r, "interrupted");
	if (r < 0)
		return err_set(err, r, "run the template '%s'", t->name);
	err_msg(err, -EIO, "template '%s' failed with %s", t->name,
		run_status_text(r, text, sizeof(text)));
	if (*out.tail)
		err_hint(err, "%.300s",
			 out.tail + (strlen(out.tail) > 300 ? strlen(out.tail) - 300 : 0));
	return -EIO;
}

/* As above, by lxmgr-lua, whose error is the script's own. */
static int run_lua(const char *path, const struct template_run *t, int dir, int cancel_fd,
		   struct lxmgr_err *err)
{
	cleanup_fd int root = openat(dir, "rootfs", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct output out = { .t = t };
	struct lua_template_io io = { .timeout_ms = t->timeout_ms ? t->timeout_ms : DEFAULT_TIMEOUT,
				      .cancel_fd = cancel_fd,
				      .on_output = on_output,
				      .arg = &out };
	int r;

	if (root < 0)
		return err_set(err, -errno, "open the image's root");
	r = lua_template_run(path, t, root, &io, err);
	if (r == -ETIMEDOUT)
		return err_msg(err, r, "template '%s' was killed after %d s", t->name,
			       io.timeout_ms / 1000);
	return r < 0 && r != -ECANCELED ? err_prefix(err, "template '%s'", t->name) : r;
}

/* As templates are asked for another one; NULL: the host's. */
static const char *arch_asked(const struct template_run *t)
{
	const char *ret = NULL;

	for (size_t i = 0; t->args && t->args[i]; i++) {
		const char *v = str_after(t->args[i], "--arch=");

		if (str_eq(t->args[i], "--arch") || str_eq(t->args[i], "-a"))
			v = t->args[i + 1];
		if (v && !strpbrk(v, "\n\r"))
			ret = v;
	}
	return ret;
}

static int write_meta(int dir, int root, const struct template_run *t, uint64_t size,
		      struct lxmgr_err *err)
{
	cleanup_strbuf struct strbuf b = { 0 };
	char tree[65];
	int r = digest_tree(root, tree, err);

	if (r < 0)
		return r;
	strbuf_addf(&b, "meta = 1\ntemplate = %s\ncreated = %lld\ntree = %s\n", t->name,
		    (long long)time(NULL), tree);
	strbuf_addf(&b, "arch = %s\nsize = %llu\n", remote_arch(arch_asked(t)),
		    (unsigned long long)size);
	for (size_t i = 0; t->args && t->args[i]; i++)
		if (!strpbrk(t->args[i], "\n\r"))
			strbuf_addf(&b, "arg = %s\n", t->args[i]);
	if (b.failed)
		return err_set(err, -ENOMEM, "image");
	r = write_file_atomic(dir, "meta", b.s, b.len, 0600);
	return r < 0 ? err_set(err, r, "write the image's metadata") : 0;
}

/* Build in `tmp` of the cache. */
static int build_in(int cache, const char *tmp, const char *path, const struct template_run *t,
		    int cancel_fd, struct lxmgr_err *err)
{
	cleanup_fd int dir = openat(cache, tmp, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_fd int root = -EBADF;
	char full[300];
	uint64_t size;
	int r;

	if (dir < 0)
		return err_set(err, -errno, "open the new image");
	/* Whatever the caller's umask is: below it are services that are not root's. */
	if (mkdirat(dir, "rootfs", 0755) < 0 || fchmodat(dir, "rootfs", 0755, 0) < 0)
		return err_set(err, -errno, "make the image's root");
	snprintf(full, sizeof(full), "%s/%s", IMAGE_CACHE, tmp);
	r = lua_template_is(path) ? run_lua(path, t, dir, cancel_fd, err)
				  : run_template(path, t, full, cancel_fd, err);
	if (r < 0)
		return r;
	root = openat(dir, "rootfs", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (root < 0)
		return err_msg(err, -ENOTDIR,
			       "the template '%s' put something else in place of "
			       "the root directory",
			       t->name);
	r = image_verify_tree(root, &size, err);
	return r < 0 ? r : write_meta(dir, root, t, size, err);
}

/* Put it in place as `digest`, and open it. */
static int commit(int cache, const char *tmp, const char *digest, struct image *ret,
		  struct lxmgr_err *err)
{
	cleanup_fd int dir = openat(cache, tmp, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* Before it has its name: nobody deletes it then. */
	cleanup_fd int hold = dir < 0 ? -errno : lock_at(dir, "lock", false, 0, NULL);
	int r;

	if (hold < 0)
		return err_set(err, hold, "lock the new image");
	if (fchmodat(cache, tmp, 0700, 0) < 0)
		return err_set(err, -errno, "close the new image to others");
	/* All of the tree reaches the disk before its name does. */
	if (syncfs(cache) < 0)
		return err_set(err, -errno, "write the image to disk");
	if (renameat2(cache, tmp, cache, digest, RENAME_NOREPLACE) < 0)
		return err_set(err, -errno, "put the image in place");
	fsync(cache);
	r = image_open_in(cache, digest, ret);
	return r < 0 ? err_set(err, r, "open the new image") : 0;
}

/* Under the lock of `key`, as `digest`. */
static int build(int cache, const char *path, const char *key, const char *digest,
		 const struct template_run *t, int cancel_fd, struct image *ret,
		 struct lxmgr_err *err)
{
	/* A program among the templates has parts that run as others (apt's downloads). */
	mode_t mode = lua_template_is(path) ? 0700 : 0711;
	char tmp[IMAGE_DIGEST_LEN + 16];
	int r;

	snprintf(tmp, sizeof(tmp), ".%s.new", key);
	r = remove_tree_at(cache, tmp);
	if (r < 0 || mkdirat(cache, tmp, mode) < 0 || fchmodat(cache, tmp, mode, 0) < 0)
		return err_set(err, r < 0 ? r : -errno, "make a place for the image");
	r = build_in(cache, tmp, path, t, cancel_fd, err);
	if (r == 0)
		r = commit(cache, tmp, digest, ret, err);
	if (r < 0 && remove_tree_at(cache, tmp) < 0)
		log_warn("cannot remove the unfinished image, ignoring");
	return r;
}

static int build_interruptible(int cache, const char *path, const char *key, const char *digest,
			       const struct template_run *t, struct image *ret,
			       struct lxmgr_err *err)
{
	struct interrupt i;
	int r;

	interrupt_begin(&i);
	r = build(cache, path, key, digest, t, i.fd, ret, err);
	interrupt_end(&i);
	return r;
}

/* The image that was made last of what has this key. */
static int open_last(int cache, const char *key, struct image *ret)
{
	char name[IMAGE_DIGEST_LEN + 2], digest[IMAGE_DIGEST_LEN + 1];

	snprintf(name, sizeof(name), "@%s", key);
	if (names_get(cache, name, digest) == 0 && image_open_in(cache, digest, ret) == 0)
		return 0;
	return image_open_in(cache, key, ret);
}

/* Containers may stand on the one that there is: the new one gets a digest of its own, the old one
 * goes if nobody needs it. */
static int build_again(int cache, const char *path, const char *key, const struct template_run *t,
		       struct image *ret, struct lxmgr_err *err)
{
	char name[IMAGE_DIGEST_LEN + 2], old[IMAGE_DIGEST_LEN + 1], digest[65], text[128];
	struct lxmgr_err why = { 0 };
	int r;

	snprintf(text, sizeof(text), "%s %lld %lld", key, (long long)time(NULL),
		 (long long)now_us());
	r = digest_data(text, strlen(text), digest, err);
	if (r == 0)
		r = build_interruptible(cache, path, key, digest, t, ret, err);
	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "@%s", key);
	if (names_get(cache, name, old) < 0)
		snprintf(old, sizeof(old), "%s", key);
	r = names_set(cache, name, digest, err);
	if (r == 0 && image_delete(old, &why) < 0)
		log_info("%s, it stays", why.text);
	return r;
}

int image_from_template(const struct template_run *t, struct image *ret, struct lxmgr_err *err)
{
	cleanup_fd int cache = -EBADF, lock = -EBADF;
	char path[512], digest[65];
	pid_t holder = 0;
	int r;

	ret->root_fd = ret->lock_fd = -EBADF;
	if (download_template_is(t->name))
		return download_template_get(t, ret, err);
	r = find_template(t->name, path, sizeof(path), err);
	if (r == 0)
		r = digest_of(path, t, digest, err);
	if (r < 0)
		return r;
	cache = image_cache_open(err);
	if (cache < 0)
		return cache;
	if (!t->flush_cache && open_last(cache, digest, ret) == 0)
		return 0;
	lock = image_build_lock(cache, digest, t->timeout_ms ? t->timeout_ms : DEFAULT_TIMEOUT,
				&holder);
	if (lock == -EWOULDBLOCK)
		return err_status(err, STATUS_LOCKED, lock,
				  "another process (%d) still builds this image", holder);
	if (lock < 0)
		return err_set(err, lock, "lock the image that is to be built");
	image_clean(cache);
	if (t->flush_cache) {
		r = build_again(cache, path, digest, t, ret, err);
	} else if (open_last(cache, digest, ret) < 0) {
		/* Nobody built it meanwhile. */
		r = build_interruptible(cache, path, digest, digest, t, ret, err);
	}
	if (r < 0)
		image_close(ret);
	image_build_unlock(cache, digest, &lock);
	return r;
}
