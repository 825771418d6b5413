/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "image/users.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/paths.h"
#include "util/str.h"

#define TREES	    "trees"
#define TREES_LIMIT (1 << 20)
#define DEPTH	    3

static int read_trees(int dir, struct strlist *ret)
{
	cleanup_free char *text = NULL;
	int r = read_file_at(dir, TREES, TREES_LIMIT, &text, NULL);

	return r == -ENOENT ? 0 : r < 0 ? r : strlist_split(ret, text, "\n");
}

static int open_state(struct lxmgr_err *err)
{
	int r = mkdir_p(STATEDIR, 0711);
	int fd = r < 0 ? r : open(STATEDIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_set(err, r < 0 ? r : -errno, "open '%s'", STATEDIR) : fd;
}

struct search {
	const char *digest; /* NULL: any storage file will do */
	struct strlist *ret;
	struct lxmgr_err *err;
};

/* The image's name stands in it as the base or as one of several layers. */
static bool names_image(int dir, const char *digest)
{
	cleanup_fd int fd = open_in(dir, "storage", OPEN_NO_LINKS, O_RDONLY | O_NONBLOCK, 0);
	cleanup_free char *text = NULL;

	if (fd == -ENOENT)
		return false;
	/* What cannot be read may be a user. */
	return fd < 0 || read_all(fd, 65536, &text, NULL) < 0 || !digest || strstr(text, digest);
}

/* TREE/NAME/snapshots/SNAPSHOT: nothing else is looked into, for a guest shapes it. */
static bool may_hold(int depth, const char *name)
{
	if (str_eq(name, ".") || str_eq(name, ".."))
		return false;
	return depth == 0 ? !str_eq(name, ".layers") : depth == 2 || str_eq(name, "snapshots");
}

static int look(const struct search *s, int fd, const char *path, int depth)
{
	cleanup_dir DIR *d = fdopendir(fd);
	struct dirent *e;
	int r = 0;

	if (!d) {
		close(fd);
		return err_set(s->err, -errno, "read '%s'", path);
	}
	if (depth && (names_image(fd, s->digest) || (!s->digest && strstr(path, ".new-"))) &&
	    strlist_add(s->ret, path) < 0)
		return err_set(s->err, -ENOMEM, "users of an image");
	while (r == 0 && depth < DEPTH && (e = readdir(d))) {
		char below[4096];
		int sub;

		if (e->d_type != DT_DIR && e->d_type != DT_UNKNOWN)
			continue;
		if (!may_hold(depth, e->d_name))
			continue;
		sub = openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
			continue;
		snprintf(below, sizeof(below), "%.3800s/%s", path, e->d_name);
		if (sub < 0)
			return err_set(s->err, -errno, "read '%s'", below);
		r = look(s, sub, below, depth + 1);
	}
	return r;
}

static int look_in(const struct search *s, const char *tree)
{
	int fd = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && str_eq(tree, STATEDIR))
		return 0;
	if (fd < 0) {
		err_set(s->err, -errno, "look for containers in '%s'", tree);
		return err_hint(s->err, "if it is gone for ever: --forget=%s", tree);
	}
	return look(s, fd, tree, 0);
}

static int write_trees(int dir, const struct strlist *trees, const char *without, const char *more,
		       struct lxmgr_err *err)
{
	cleanup_strbuf struct strbuf b = { 0 };
	int r;

	for (size_t i = 0; i < trees->n; i++)
		if (!without || !str_eq(trees->v[i], without))
			strbuf_addf(&b, "%s\n", trees->v[i]);
	if (more)
		strbuf_addf(&b, "%s\n", more);
	r = b.failed ? -ENOMEM : write_file_atomic(dir, TREES, b.s ? b.s : "", b.len, 0600);
	return r < 0 ? err_set(err, r, "write '%s/%s'", STATEDIR, TREES) : 0;
}

/* The list under its lock: STATEDIR. */
static int lock_trees(int *ret_lock, struct strlist *ret, struct lxmgr_err *err)
{
	cleanup_fd int dir = open_state(err);
	int r;

	if (dir < 0)
		return dir;
	*ret_lock = lock_at(dir, ".trees.lock", true, 30000, NULL);
	if (*ret_lock < 0)
		return err_set(err, *ret_lock, "lock '%s/%s'", STATEDIR, TREES);
	r = read_trees(dir, ret);
	return r < 0 ? err_set(err, r, "read '%s/%s'", STATEDIR, TREES) : take_fd(&dir);
}

int image_tree_add(const char *path, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist trees = { 0 };
	cleanup_fd int dir = -EBADF, lock = -EBADF;

	if (str_eq(path, STATEDIR))
		return 0;
	if (*path != '/' || strchr(path, '\n'))
		return err_msg(err, -EINVAL, "'%.200s' can be no directory of containers", path);
	dir = lock_trees(&lock, &trees, err);
	if (dir < 0)
		return dir;
	return strlist_has(&trees, path) ? 0 : write_trees(dir, &trees, NULL, path, err);
}

int image_tree_forget(const char *path, bool gone, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist trees = { 0 }, left = { 0 };
	struct search s = { NULL, &left, err };
	cleanup_fd int dir = -EBADF, lock = -EBADF;
	int r;

	if (str_eq(path, STATEDIR))
		return 0;
	if (gone && access(path, F_OK) == 0)
		return err_msg(err, -EEXIST, "'%s' is there: it is not forgotten", path);
	dir = lock_trees(&lock, &trees, err);
	if (dir < 0)
		return dir;
	if (!strlist_has(&trees, path))
		return 0;
	/* Under the lock: who makes a container now has its directory there, or adds the tree
	 * again. */
	r = gone ? 0 : look_in(&s, path);
	return r < 0 || left.n ? r : write_trees(dir, &trees, path, NULL, err);
}

int image_users(const char *digest, struct strlist *ret, struct lxmgr_err *err)
{
	cleanup_fd int dir = open_state(err);
	cleanup_strlist struct strlist trees = { 0 };
	struct search s = { digest, ret, err };
	int r;

	if (dir < 0)
		return dir;
	r = read_trees(dir, &trees);
	if (r < 0)
		return err_set(err, r, "read '%s/%s'", STATEDIR, TREES);
	r = look_in(&s, STATEDIR);
	for (size_t i = 0; r == 0 && i < trees.n; i++)
		r = look_in(&s, trees.v[i]);
	return r;
}

int image_trees(struct strlist *ret, struct lxmgr_err *err)
{
	cleanup_fd int dir = open_state(err);
	int r;

	if (dir < 0)
		return dir;
	r = read_trees(dir, ret);
	if (r == 0)
		r = strlist_add(ret, STATEDIR);
	return r < 0 ? err_set(err, r, "read '%s/%s'", STATEDIR, TREES) : 0;
}
