/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which backend a container has, and the dispatcher. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "kernel/idmap.h"
#include "kernel/mount.h"
#include "storage/record.h"
#include "storage/storage.h"
#include "storage/tree.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/str.h"

const struct storage_ops *const storage_backends[] = { &storage_overlay, &storage_dir, NULL };

const struct storage_ops *storage_find(const char *name)
{
	if (str_eq(name, "overlayfs"))
		name = "overlay";
	for (size_t i = 0; storage_backends[i]; i++)
		if (str_eq(storage_backends[i]->name, name))
			return storage_backends[i];
	return NULL;
}

int storage_unknown(const char *name, struct lxmgr_err *err)
{
	static const char *const lxc[] = { "zfs", "rbd", "nbd", "lvm", "loop", "btrfs", "aufs" };

	for (size_t i = 0; i < ARRAY_SIZE(lxc); i++)
		if (str_eq(lxc[i], name))
			return err_status(
				err, STATUS_REFUSED, -EOPNOTSUPP,
				"storage backend '%s' is not supported; there are overlay "
				"and dir",
				name);
	return err_msg(err, -EINVAL, "unknown storage backend '%s'; there are overlay and dir",
		       name);
}

int storage_open(struct storage *st, int ct_fd, const struct storage_spec *spec,
		 struct lxmgr_err *err)
{
	int r;

	storage_init(st, ct_fd, spec);
	if (spec->backend) {
		st->ops = storage_find(spec->backend);
		return st->ops ? 0 : storage_unknown(spec->backend, err);
	}
	if (spec->path && *spec->path) {
		st->ops = &storage_dir;
		return 0;
	}
	if (ct_fd >= 0) {
		r = storage_read(st, err);
		if (r != -ENOENT)
			return r;
	}
	return err_msg(err, -EINVAL,
		       "the container has no root file system (lxmgr.rootfs.path is not set)");
}

void storage_close(struct storage *st)
{
	fd_close(&st->layers_lock);
	memset(st, 0, sizeof(*st));
	st->layers_lock = -EBADF;
}

static int lacks(const struct storage *st, const char *what, struct lxmgr_err *err)
{
	return err_status(err, STATUS_REFUSED, -EOPNOTSUPP, "%s is not supported by backend '%s'",
			  what, st->ops->name);
}

/* The first that can; not one that another seems not to be able to by accident. */
static int best(struct storage *st, int ct_fd, bool map, struct lxmgr_err *err)
{
	for (size_t i = 0; storage_backends[i]; i++) {
		int r = storage_backends[i]->probe ? storage_backends[i]->probe(ct_fd, map, err)
						   : 0;

		if (r == 0)
			st->ops = storage_backends[i];
		if (r == 0 || r == -EIO || r == -ENOSPC || r == -ENOMEM || r == -EMFILE)
			return r;
	}
	st->ops = &storage_dir;
	return 0;
}

int storage_can_map(int dirfd, struct lxmgr_err *err)
{
	struct idmap map = { .n_uid = 0 };
	cleanup_fd int mnt = -EBADF, ns = -EBADF;
	int r;

	/* Any map will do: of an id that there is in a container, too. */
	idmap_add_both(&map, 0, 1, 1);
	r = ns = idmap_userns_fd(&map, err);
	if (r >= 0)
		r = mnt = mount_clone(dirfd, "", false, err);
	if (r >= 0)
		r = mount_set(mnt, 0, 0, 0, false, ns, err);
	/* Those of the kernel and of file systems that cannot; any other is an accident. */
	return r == -EINVAL || r == -EPERM || r == -ENOSYS ? -EOPNOTSUPP : r;
}

void storage_init(struct storage *st, int ct_fd, const struct storage_spec *spec)
{
	memset(st, 0, sizeof(*st));
	st->spec = spec;
	st->ct_fd = ct_fd;
	st->layers_lock = -EBADF;
}

int storage_create(struct storage *st, const char *backend, int ct_fd, const char *image_digest,
		   int image_root_fd, bool map, struct lxmgr_err *err)
{
	static const struct storage_spec none;
	int r;

	storage_init(st, ct_fd, &none);
	snprintf(st->base, sizeof(st->base), "%s", image_digest ? image_digest : "");
	st->ops = NULL;
	r = !backend || str_eq(backend, "best") ? best(st, ct_fd, map, err) : 0;
	if (r < 0)
		return r;
	if (!st->ops)
		st->ops = storage_find(backend);
	if (!st->ops)
		return storage_unknown(backend, err);
	if (!st->ops->create)
		return lacks(st, "create", err);
	if (st->ops->probe) {
		r = st->ops->probe(ct_fd, map, err);
		if (r < 0)
			return r;
	}
	r = st->ops->create(st, image_root_fd, err);
	return r < 0 ? r : storage_write(st, false, err);
}

int storage_shift(struct storage *st, uint32_t first, struct lxmgr_err *err)
{
	cleanup_fd int root = storage_open_root(st, err);
	int r = root < 0 ? root : tree_shift(root, st->ids, first, err);

	if (r < 0)
		return r;
	st->ids = first;
	return storage_write(st, false, err);
}

int storage_check(struct storage *st, struct lxmgr_err *err)
{
	return st->ops->check ? st->ops->check(st, err) : 0;
}

int storage_mount(struct storage *st, const struct storage_stage *stage, struct lxmgr_err *err)
{
	return st->ops->mount ? st->ops->mount(st, stage, err) : lacks(st, "mount", err);
}

int storage_open_root(struct storage *st, struct lxmgr_err *err)
{
	return st->ops->open_root ? st->ops->open_root(st, err) : lacks(st, "open_root", err);
}

int storage_open_labelled(struct storage *st, struct lxmgr_err *err)
{
	return st->ops->open_labelled ? st->ops->open_labelled(st, err) : -EOPNOTSUPP;
}

int storage_destroy(struct storage *st, struct lxmgr_err *err)
{
	return st->ops->destroy ? st->ops->destroy(st, err) : lacks(st, "destroy", err);
}

int storage_usage(struct storage *st, uint64_t *ret_bytes, struct lxmgr_err *err)
{
	return st->ops->usage ? st->ops->usage(st, ret_bytes, err) : lacks(st, "usage", err);
}

int storage_copy(struct storage *st, struct storage *to, int to_ct_fd, const char *backend,
		 const struct storage_spec *spec, const struct storage_copy *how,
		 struct lxmgr_err *err)
{
	char tree[STORAGE_NAME_SIZE];

	snprintf(tree, sizeof(tree), "%s", to->tree);
	storage_init(to, to_ct_fd, spec);
	snprintf(to->tree, sizeof(to->tree), "%s", tree);
	to->ops = backend ? storage_find(backend) : st->ops;
	if (!to->ops)
		return storage_unknown(backend, err);
	to->ids = st->ids;
	if (to->ops != st->ops)
		return err_msg(err, -EOPNOTSUPP, "backend '%s' cannot take over what '%s' holds",
			       to->ops->name, st->ops->name);
	return st->ops->copy ? st->ops->copy(st, to, how, err) : lacks(st, "copy", err);
}

int storage_replace(struct storage *st, struct storage *new, struct lxmgr_err *err)
{
	return st->ops->replace ? st->ops->replace(st, new, err) : lacks(st, "replace", err);
}

int storage_recover(struct storage *st, struct lxmgr_err *err)
{
	return st->ops->recover ? st->ops->recover(st, err) : 0;
}

int storage_resize(struct storage *st, const struct storage_limit *limit, int running,
		   struct lxmgr_err *err)
{
	return st->ops->resize ? st->ops->resize(st, limit, running, err)
			       : lacks(st, "a limit of disk space", err);
}

int storage_compact(struct storage *st, uint64_t *ret_freed, struct lxmgr_err *err)
{
	*ret_freed = 0;
	return st->ops->compact ? st->ops->compact(st, ret_freed, err) : lacks(st, "compact", err);
}

void storage_new_tree(const struct storage *st, struct storage *new)
{
	memset(new, 0, sizeof(*new));
	if (!st->ops->new_tree)
		snprintf(new->tree, sizeof(new->tree), STORAGE_DIR_NEW);
	else
		st->ops->new_tree(st, new->tree);
}
