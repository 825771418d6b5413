/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which backend a container has, and the dispatcher. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "kernel/idmap.h"
#include "kernel/mount.h"
#include "storage/storage.h"
#include "storage/tree.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/str.h"

const struct storage_ops *const storage_backends[] = { &storage_overlay, &storage_dir, NULL };

static const struct storage_ops *find(const char *name)
{
	if (str_eq(name, "overlayfs"))
		name = "overlay";
	for (size_t i = 0; storage_backends[i]; i++)
		if (str_eq(storage_backends[i]->name, name))
			return storage_backends[i];
	return NULL;
}

static int unknown(const char *name, struct lxmgr_err *err)
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

/* The file `storage` of the container: "version = 1", "backend = ...", "base = ...". */
static int read_file(struct storage *st, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist lines = { 0 };
	cleanup_free char *text = NULL;
	const char *v;
	int r = read_file_at(st->ct_fd, "storage", 4096, &text, NULL);

	if (r < 0)
		return r == -ENOENT ? r : err_set(err, r, "read the container's 'storage' file");
	if (strlist_split(&lines, text, "\n") < 0)
		return err_set(err, -ENOMEM, "storage");
	for (size_t i = 0; i < lines.n; i++) {
		if ((v = str_after(lines.v[i], "version = ")) && !str_eq(v, "1"))
			return err_msg(err, -EPROTO,
				       "the container's storage has version %s, which this lxmgr "
				       "does not know",
				       v);
		if ((v = str_after(lines.v[i], "backend = "))) {
			st->ops = find(v);
			if (!st->ops)
				return unknown(v, err);
		}
		if ((v = str_after(lines.v[i], "base = ")))
			snprintf(st->base, sizeof(st->base), "%s", v);
		if ((v = str_after(lines.v[i], "ids = ")) && parse_u32(v, &st->ids) < 0)
			return err_msg(err, -EINVAL, "the container's 'storage' file says '%.40s'",
				       lines.v[i]);
	}
	return st->ops ? 0
		       : err_msg(err, -EINVAL, "the container's 'storage' file names no backend");
}

int storage_open(struct storage *st, int ct_fd, const struct storage_spec *spec,
		 struct lxmgr_err *err)
{
	int r;

	memset(st, 0, sizeof(*st));
	st->spec = spec;
	st->ct_fd = ct_fd;
	if (spec->backend) {
		st->ops = find(spec->backend);
		return st->ops ? 0 : unknown(spec->backend, err);
	}
	if (spec->path && *spec->path) {
		st->ops = &storage_dir;
		return 0;
	}
	if (ct_fd >= 0) {
		r = read_file(st, err);
		if (r != -ENOENT)
			return r;
	}
	return err_msg(err, -EINVAL,
		       "the container has no root file system (lxmgr.rootfs.path is not set)");
}

void storage_close(struct storage *st)
{
	memset(st, 0, sizeof(*st));
}

static int lacks(const struct storage *st, const char *what, struct lxmgr_err *err)
{
	return err_status(err, STATUS_REFUSED, -EOPNOTSUPP, "%s is not supported by backend '%s'",
			  what, st->ops->name);
}

static const struct storage_ops *best(int ct_fd, bool map)
{
	for (size_t i = 0; storage_backends[i]; i++)
		if (!storage_backends[i]->probe ||
		    storage_backends[i]->probe(ct_fd, map, NULL) == 0)
			return storage_backends[i];
	return &storage_dir;
}

int storage_can_map(int dirfd, struct lxmgr_err *err)
{
	struct idmap map = { .n_uid = 0 };
	cleanup_fd int mnt = -EBADF, ns = -EBADF;

	/* Any map will do: of an id that there is in a container, too. */
	idmap_add_both(&map, 0, 1, 1);
	ns = idmap_userns_fd(&map, err);
	if (ns < 0)
		return ns;
	mnt = mount_clone(dirfd, "", false, err);
	return mnt < 0 ? mnt : mount_set(mnt, 0, 0, 0, false, ns, err);
}

static int write_file(const struct storage *st, struct lxmgr_err *err)
{
	char text[256], ids[32] = "";
	int r;

	if (st->ids)
		snprintf(ids, sizeof(ids), "ids = %u\n", st->ids);
	snprintf(text, sizeof(text), "version = 1\nbackend = %s\n%s%s%s%s", st->ops->name,
		 *st->base ? "base = " : "", st->base, *st->base ? "\n" : "", ids);
	r = write_file_replace(st->ct_fd, "storage", text, strlen(text), 0600);
	return r < 0 ? err_set(err, r, "write the container's 'storage' file") : 0;
}

int storage_create(struct storage *st, const char *backend, int ct_fd, const char *image_digest,
		   int image_root_fd, bool map, struct lxmgr_err *err)
{
	static const struct storage_spec none;
	int r;

	memset(st, 0, sizeof(*st));
	st->spec = &none;
	st->ct_fd = ct_fd;
	snprintf(st->base, sizeof(st->base), "%s", image_digest ? image_digest : "");
	st->ops = !backend || str_eq(backend, "best") ? best(ct_fd, map) : find(backend);
	if (!st->ops)
		return unknown(backend, err);
	if (!st->ops->create)
		return lacks(st, "create", err);
	if (st->ops->probe) {
		r = st->ops->probe(ct_fd, map, err);
		if (r < 0)
			return r;
	}
	r = st->ops->create(st, image_root_fd, err);
	return r < 0 ? r : write_file(st, err);
}

int storage_shift(struct storage *st, uint32_t first, struct lxmgr_err *err)
{
	cleanup_fd int root = storage_open_root(st, err);
	int r = root < 0 ? root : tree_shift(root, first, err);

	if (r < 0)
		return r;
	st->ids = first;
	return write_file(st, err);
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
