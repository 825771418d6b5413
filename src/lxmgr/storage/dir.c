/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Backend dir: a plain directory, rootfs/ of the container or one that the config names. */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/mount.h"
#include "kernel/quota.h"
#include "storage/options.h"
#include "storage/place.h"
#include "storage/project.h"
#include "storage/tree.h"
#include "storage/treecopy.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/str.h"

static const char *outside(const struct storage *st)
{
	if (st->spec->path && *st->spec->path)
		return st->spec->path;
	return *st->dir ? st->dir : NULL;
}

static bool is_outside(const struct storage *st)
{
	return outside(st) != NULL;
}

static const char *tree(const struct storage *st)
{
	return *st->tree ? st->tree : "rootfs";
}

static int open_dir(const struct storage *st, struct lxmgr_err *err)
{
	const char *path = is_outside(st) ? outside(st) : tree(st);
	int fd = openat(is_outside(st) ? AT_FDCWD : st->ct_fd, path,
			O_PATH | O_DIRECTORY | O_CLOEXEC | (is_outside(st) ? 0 : O_NOFOLLOW));

	return fd < 0 ? err_set(err, -errno, "open the root file system '%s'", path) : fd;
}

static int check(struct storage *st, struct lxmgr_err *err)
{
	cleanup_fd int fd = open_dir(st, err);
	uint64_t attrs;

	return fd < 0 ? fd : storage_attrs(st->spec, &attrs, err);
}

/* An empty root in st's place, opened. */
static int make_root(struct storage *st, struct lxmgr_err *err)
{
	cleanup_fd int fd = -EBADF;
	int r;

	if (mkdirat(st->ct_fd, tree(st), 0755) < 0)
		return err_set(err, -errno, "make the directory '%s'", tree(st));
	fd = openat(st->ct_fd, tree(st), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "open the directory '%s'", tree(st));
	r = project_begin(st, fd, err);
	return r < 0 ? r : take_fd(&fd);
}

static int create(struct storage *st, int image_root_fd, struct lxmgr_err *err)
{
	bool placed = st->make && st->make->dir;
	cleanup_fd int fd = placed ? place_make(st, err) : make_root(st, err);
	int r = 0;

	if (fd >= 0 && image_root_fd >= 0)
		r = tree_copy(image_root_fd, fd, err);
	return fd < 0 ? fd : r < 0 ? err_prefix(err, "copy the image") : 0;
}

/* A root that the config names is copied into the container. */
static int copy(struct storage *st, struct storage *to, const struct storage_copy *how,
		struct lxmgr_err *err)
{
	cleanup_fd int from = open_dir(st, err), fd = -EBADF;
	int r;

	if (from < 0)
		return from;
	if (how->share && !tree_can_reflink(to->ct_fd))
		return err_msg(err, -EOPNOTSUPP,
			       "files cannot share their contents here (no reflinks): a container "
			       "of backend dir can only be copied in full");
	fd = make_root(to, err);
	if (fd < 0)
		return fd;
	r = tree_copy(from, fd, err);
	return r < 0 ? err_prefix(err, "copy the root file system") : 0;
}

/* Both have the same `storage` file: the names are exchanged. */
static int replace(struct storage *st, struct storage *new, struct lxmgr_err *err)
{
	cleanup_fd int dir = openat(st->ct_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (is_outside(st))
		return err_msg(err, -EOPNOTSUPP,
			       "the root that lxmgr.rootfs.path names is not lxmgr's to replace");
	/* The old one goes for good: the new one must be on the disk before. */
	if (dir < 0 || syncfs(dir) < 0)
		return err_set(err, -errno, "write the root file system to disk");
	if (renameat2(st->ct_fd, tree(new), st->ct_fd, tree(st), RENAME_EXCHANGE) < 0)
		return err_set(err, -errno, "put the root file system in place");
	if (fsync(dir) < 0) {
		r = -errno;
		renameat2(st->ct_fd, tree(new), st->ct_fd, tree(st), RENAME_EXCHANGE);
		return err_set(err, r, "write the container's directory to disk");
	}
	r = remove_tree_at(st->ct_fd, tree(new));
	if (r < 0)
		log_warn("the old root cannot be removed: it is tried again, ignoring");
	return 0;
}

static int recover(struct storage *st, struct lxmgr_err *err)
{
	int r = is_outside(st) ? 0 : remove_tree_at(st->ct_fd, STORAGE_DIR_NEW);

	/* Of one that was to become an overlay. */
	if (r == 0 && !is_outside(st) && !str_eq(tree(st), "overlay"))
		r = remove_tree_at(st->ct_fd, "overlay");
	return r < 0 ? err_set(err, r, "remove an unfinished root file system") : 0;
}

static int dir_mount(struct storage *st, const struct storage_stage *stage, struct lxmgr_err *err)
{
	cleanup_fd int dir = open_dir(st, err), mnt = -EBADF;
	uint64_t attrs;
	int r;

	if (dir < 0)
		return dir;
	r = storage_attrs(st->spec, &attrs, err);
	if (r < 0)
		return r;
	mnt = mount_clone(dir, "", false, err);
	if (mnt < 0)
		return mnt;
	r = mount_set(mnt, attrs, 0, 0, false, stage->userns_fd, err);
	return r < 0 ? r : take_fd(&mnt);
}

static int dir_open_root(struct storage *st, struct lxmgr_err *err)
{
	return open_dir(st, err);
}

static int dir_open_view(struct storage *st, bool live, struct lxmgr_err *err)
{
	(void)live;
	return open_dir(st, err);
}

/* A directory outside belongs to whoever made it: lxmgr, where `storage` says so. */
static int destroy(struct storage *st, struct lxmgr_err *err)
{
	int r;

	if (st->spec->path && *st->spec->path)
		return 0;
	if (*st->dir)
		return place_remove(st, err);
	r = remove_tree_at(st->ct_fd, tree(st));
	return r < 0 ? err_set(err, r, "delete 'rootfs'") : 0;
}

static int usage(struct storage *st, bool at_once, uint64_t *ret_bytes, struct lxmgr_err *err)
{
	cleanup_fd int dir = open_dir(st, err);

	if (dir < 0 || project_usage(dir, ret_bytes) == 0)
		return dir < 0 ? dir : 0;
	return at_once ? -ENODATA : tree_usage(dir, ret_bytes, err);
}

static int resize(struct storage *st, const struct storage_limit *limit, bool running,
		  struct lxmgr_err *err)
{
	cleanup_fd int dir = open_dir(st, err);

	return dir < 0 ? dir : project_resize(st, dir, NULL, limit, err);
}

static int project(struct storage *st, uint32_t *ret, struct lxmgr_err *err)
{
	cleanup_fd int dir = open_dir(st, err);
	int r = dir < 0 ? dir : quota_project(dir, ret);

	return r < 0 && r != -EOPNOTSUPP ? err_set(err, r, "read the project of the root") : 0;
}

const struct storage_ops storage_dir = {
	.name = "dir",
	.create = create,
	.check = check,
	.mount = dir_mount,
	.open_root = dir_open_root,
	.open_view = dir_open_view,
	.open_labelled = dir_open_root,
	.destroy = destroy,
	.usage = usage,
	.copy = copy,
	.replace = replace,
	.recover = recover,
	.resize = resize,
	.project = project,
};
