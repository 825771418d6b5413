/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which backend a container has, and the dispatcher. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "kernel/disks.h"
#include "kernel/idmap.h"
#include "kernel/mount.h"
#include "kernel/quota.h"
#include "storage/across.h"
#include "storage/record.h"
#include "storage/storage.h"
#include "storage/tree.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/str.h"

const struct storage_ops *const storage_backends[] = { &storage_overlay, &storage_btrfs,
						       &storage_dir,	 &storage_loop,
						       &storage_lvm,	 NULL };

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
	static const struct {
		const char *name, *instead;
	} lxc[] = {
		{ "zfs", "dir or overlay on a dataset of it (-P), or btrfs" },
		{ "rbd", "loop or dir on a file system of the device (-P)" },
		{ "nbd", "loop or dir on a file system of the device (-P)" },
		{ "aufs", "overlay" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lxc); i++)
		if (str_eq(lxc[i].name, name))
			return err_status(err, STATUS_REFUSED, -EOPNOTSUPP,
					  "storage backend '%s' is not supported; use %s", name,
					  lxc[i].instead);
	return err_msg(err, -EINVAL,
		       "unknown storage backend '%.40s'; there are overlay, btrfs, dir, loop and "
		       "lvm",
		       name);
}

/* As LXC finds it: an image, a block device or a directory. */
static const struct storage_ops *find_outside(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
		return &storage_loop;
	return stat(path, &st) == 0 && S_ISBLK(st.st_mode) ? &storage_lvm : &storage_dir;
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
		st->ops = find_outside(spec->path);
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

/* The first that can. A host that cannot say is none that cannot: else one would be passed over by
 * accident. */
static const struct storage_ops *best(int dirfd, bool map, struct lxmgr_err *err)
{
	for (size_t i = 0; storage_backends[i]; i++) {
		struct lxmgr_err why = { 0 };
		int r = storage_backends[i]->probe ? storage_backends[i]->probe(dirfd, map, &why)
						   : 0;

		if (r == 0)
			return storage_backends[i];
		if (r == -EIO || r == -ENOSPC || r == -ENOMEM || r == -EMFILE) {
			if (err)
				*err = why;
			return NULL;
		}
	}
	return &storage_dir;
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

const struct storage_ops *storage_choose(const char *backend, int dirfd, bool map,
					 struct lxmgr_err *err)
{
	bool any = !backend || str_eq(backend, "best");
	const struct storage_ops *ops = any ? best(dirfd, map, err) : storage_find(backend);

	if (!ops && !any)
		storage_unknown(backend, err);
	return ops;
}

int storage_can_limit(const struct storage_ops *ops, int dirfd, struct lxmgr_err *err)
{
	uint32_t project = 0;
	int r;

	if (!ops->resize)
		return lacks(&(struct storage){ .ops = ops }, "a limit of disk space", err);
	r = ops->project ? quota_check(dirfd, err) : 0;
	if (r < 0 || !ops->project)
		return r < 0 ? err_prefix(err, "lxmgr.limit.disk") : 0;
	/* Nothing can be moved into a directory that is of another project, nor out of ours. */
	if (quota_project(dirfd, &project) == 0 && project)
		return err_status(
			err, STATUS_REFUSED, -EOPNOTSUPP,
			"the directory of containers is of project %u itself; take it out "
			"('chattr -P -p 0'), or use -B loop",
			project);
	return 0;
}

/* In force from here on, and not before: what fills a new root must not run into it half-way. */
static int limit_new(struct storage *st, struct lxmgr_err *err)
{
	struct storage_limit limit = st->limit;
	int r = 0;

	if (!limit.project || (!limit.bytes && !limit.inodes))
		return 0;
	st->limit.bytes = st->limit.inodes = STORAGE_UNLIMITED;
	r = st->ops->resize(st, &limit, false, err);
	st->limit = limit;
	return r;
}

int storage_create(struct storage *st, const char *backend, int ct_fd, const char *image_digest,
		   int image_root_fd, bool map, struct lxmgr_err *err)
{
	return storage_create_as(st, NULL, backend, ct_fd, image_digest, image_root_fd, map, err);
}

int storage_create_as(struct storage *st, const struct storage_make *make, const char *backend,
		      int ct_fd, const char *image_digest, int image_root_fd, bool map,
		      struct lxmgr_err *err)
{
	static const struct storage_spec none;
	int r;

	storage_init(st, ct_fd, &none);
	st->make = make;
	if (make && make->limit)
		st->limit = *make->limit;
	snprintf(st->base, sizeof(st->base), "%s", image_digest ? image_digest : "");
	st->ops = storage_choose(backend, ct_fd, map, err);
	if (!st->ops)
		return err ? err->code : -EINVAL;
	if (!st->ops->create)
		return lacks(st, "create", err);
	if (st->ops->probe) {
		r = st->ops->probe(ct_fd, map, err);
		if (r < 0)
			return r;
	}
	r = st->ops->create(st, image_root_fd, err);
	st->make = NULL;
	if (r == 0)
		r = limit_new(st, err);
	return r < 0 ? r : storage_write(st, false, err);
}

void storage_make_like(const struct storage *st, struct storage_make *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (st->ops->like)
		st->ops->like(st, ret);
}

int storage_disks(struct storage *st, struct disks *ret, struct lxmgr_err *err)
{
	const char *outside = st->spec->path && *st->spec->path ? st->spec->path
			      : *st->dir			? st->dir
								: NULL;
	cleanup_fd int fd = -EBADF;
	int r;

	*ret = (struct disks){ .n = 0 };
	/* Of the directories of an overlay the last one is written to. */
	if (outside && st->ops == &storage_overlay && strrchr(outside, ':'))
		outside = strrchr(outside, ':') + 1;
	if (st->ops->disks) {
		r = st->ops->disks(st, ret, err);
		if (r != -ENODEV)
			return r;
	} else {
		fd = outside ? open(outside, O_PATH | O_CLOEXEC)
			     : openat(st->ct_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return err_set(err, -errno, "open '%s'",
				       outside ? outside : "the container's directory");
		r = disks_add(ret, fd);
	}
	if (r == -ENODEV)
		return err_status(err, STATUS_REFUSED, r,
				  "the root is on no disk of this host that the kernel counts");
	return r < 0 ? err_set(err, r, "find the disks that the root is on") : 0;
}

const char *storage_make_excess(const struct storage_make *make, const char *backend)
{
	bool lvm = backend && str_eq(backend, "lvm");
	const struct storage_ops *ops = backend ? storage_find(backend) : NULL;

	if (make->fstype && (!ops || !ops->own_fs))
		return "--fstype";
	if (make->size && (!ops || !ops->own_fs))
		return "--fssize";
	if (make->volume && !lvm)
		return "--lvname";
	if (make->group && !lvm)
		return "--vgname";
	return make->pool && !lvm ? "--thinpool" : NULL;
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

int storage_open_view(struct storage *st, bool live, struct lxmgr_err *err)
{
	if (st->ops->open_view)
		return st->ops->open_view(st, live, err);
	return live ? lacks(st, "a look at the root of a running container", err)
		    : storage_open_root(st, err);
}

int storage_open_labelled(struct storage *st, struct lxmgr_err *err)
{
	return st->ops->open_labelled ? st->ops->open_labelled(st, err) : -EOPNOTSUPP;
}

int storage_destroy(struct storage *st, struct lxmgr_err *err)
{
	return st->ops->destroy ? st->ops->destroy(st, err) : lacks(st, "destroy", err);
}

int storage_usage(struct storage *st, bool at_once, uint64_t *ret_bytes, struct lxmgr_err *err)
{
	return st->ops->usage ? st->ops->usage(st, at_once, ret_bytes, err)
			      : lacks(st, "usage", err);
}

int storage_bounds(struct storage *st, bool at_once, struct storage_limit *ret,
		   struct lxmgr_err *err)
{
	struct storage_limit own;
	int r = st->ops->size ? st->ops->size(st, at_once, &own, err) : -ENODATA;

	*ret = st->limit;
	if (r < 0)
		return r == -ENODATA ? 0 : r;
	/* What was asked for is what a resize that was killed goes on to. */
	if (!ret->bytes)
		ret->bytes = own.bytes;
	if (own.inodes)
		ret->inodes = own.inodes;
	return 0;
}

int storage_copy(struct storage *st, struct storage *to, int to_ct_fd, const char *backend,
		 const struct storage_spec *spec, const struct storage_copy *how,
		 struct lxmgr_err *err)
{
	const struct storage_make *make = to->make;
	struct storage_limit limit = to->limit;
	char tree[STORAGE_NAME_SIZE];
	bool across;
	int r;

	snprintf(tree, sizeof(tree), "%s", to->tree);
	storage_init(to, to_ct_fd, spec);
	snprintf(to->tree, sizeof(to->tree), "%s", tree);
	to->limit = limit;
	to->ops = st->ops;
	if (backend && !(to->ops = storage_find(backend)))
		return storage_unknown(backend, err);
	to->ids = st->ids;
	if (how->live && st->memory)
		return err_status(err, STATUS_REFUSED, -EINVAL,
				  "what the running container has written is in memory "
				  "(lxmgr-copy -t) and cannot be copied");
	if (how->memory && to->ops != &storage_overlay)
		return err_status(err, STATUS_REFUSED, -EINVAL,
				  "a root in memory needs backend 'overlay', not '%s'",
				  to->ops->name);
	to->memory = how->memory;
	across = make || to->ops != st->ops;
	if (across && !to->ops->create)
		return lacks(to, "create", err);
	if (!across && !st->ops->copy)
		return lacks(st, "copy", err);
	r = across || st->ops->pauses ? 0 : storage_pause(how, err);
	if (r == 0 && across) {
		to->make = make;
		r = storage_copy_across(st, to, how, err);
		to->make = NULL;
	} else if (r == 0) {
		r = st->ops->copy(st, to, how, err);
	}
	storage_resume(how);
	return r < 0 ? r : limit_new(to, err);
}

int storage_pause(const struct storage_copy *how, struct lxmgr_err *err)
{
	return how->live && how->pause ? how->pause(how->pause_arg, err) : 0;
}

void storage_resume(const struct storage_copy *how)
{
	if (how->resume)
		how->resume(how->pause_arg);
}

int storage_replace(struct storage *st, struct storage *new, struct lxmgr_err *err)
{
	/* Each knows how its own kind takes the place of another one alone. */
	if (new->ops != st->ops && st->ops != &storage_overlay)
		return err_status(err, STATUS_REFUSED, -EOPNOTSUPP,
				  "a root of backend '%s' cannot take the place of one of '%s'; "
				  "restore it as a new container",
				  new->ops->name, st->ops->name);
	return st->ops->replace ? st->ops->replace(st, new, err) : lacks(st, "replace", err);
}

int storage_recover(struct storage *st, struct lxmgr_err *err)
{
	return st->ops->recover ? st->ops->recover(st, err) : 0;
}

int storage_resize(struct storage *st, const struct storage_limit *limit, bool running,
		   struct lxmgr_err *err)
{
	bool same = st->limit.bytes == limit->bytes && st->limit.inodes == limit->inodes;
	/* Until all is done the file has the old limit: so the next try is one, too. */
	int r = st->ops->resize ? st->ops->resize(st, limit, running, err)
				: lacks(st, "a limit of disk space", err);

	if (r < 0)
		return r;
	st->limit = *limit;
	return same ? 0 : storage_write(st, true, err);
}

int storage_project(struct storage *st, uint32_t *ret, struct lxmgr_err *err)
{
	*ret = 0;
	return st->ops->project ? st->ops->project(st, ret, err) : 0;
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
