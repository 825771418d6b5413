/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Backend overlay: a writable layer of the container's own over a golden image (or over the
 * directories of LXC's "overlay:/lower:/upper"), each layer id-mapped.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "kernel/fsids.h"
#include "kernel/mount.h"
#include "storage/layers.h"
#include "storage/options.h"
#include "storage/overlay.h"
#include "storage/tree.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/paths.h"
#include "util/str.h"

#define IMAGES CACHEDIR "/images"

void overlay_close_layers(struct layers *l)
{
	for (size_t i = 0; i < l->n; i++)
		fd_close(&l->lower[i]);
	fd_close(&l->writable);
}

bool overlay_is_outside(const struct storage *st)
{
	return st->spec->path && *st->spec->path;
}

const char *overlay_tree(const struct storage *st)
{
	return *st->tree ? st->tree : "overlay";
}

static int add_lower(struct layers *l, const char *path, struct lxmgr_err *err)
{
	int fd;

	if (l->n == OVERLAY_LOWERS)
		return err_msg(err, -E2BIG, "more than %d layers", OVERLAY_LOWERS);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "open the layer '%s'", path);
	l->lower[l->n++] = fd;
	return 0;
}

/* LXC's "/lower1:/lower2:/upper"; work lies beside upper. */
static int open_outside(const struct storage *st, struct layers *l, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist p = { 0 };
	const char *base;
	int r;

	if (strlist_split(&p, st->spec->path, ":") < 0)
		return err_set(err, -ENOMEM, "layers");
	if (p.n < 2)
		return err_msg(err, -EINVAL,
			       "'%s' is not /LOWER:/UPPER (lxmgr.rootfs.path = overlay:...)",
			       st->spec->path);
	for (size_t i = 0; i + 1 < p.n; i++) {
		r = add_lower(l, p.v[i], err);
		if (r < 0)
			return r;
	}
	base = strrchr(p.v[p.n - 1], '/');
	if (!base || !base[1] || strlen(base + 1) >= sizeof(l->upper))
		return err_msg(err, -EINVAL, "'%s' is no upper directory", p.v[p.n - 1]);
	snprintf(l->upper, sizeof(l->upper), "%s", base + 1);
	p.v[p.n - 1][base - p.v[p.n - 1]] = '\0';
	l->writable = open(*p.v[p.n - 1] ? p.v[p.n - 1] : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return l->writable < 0 ? err_set(err, -errno, "open '%s'", p.v[p.n - 1]) : 0;
}

int overlay_open_layers(const struct storage *st, struct layers *l, struct lxmgr_err *err)
{
	char path[256];
	int r;

	memset(l, 0, sizeof(*l));
	l->writable = -EBADF;
	if (overlay_is_outside(st))
		return open_outside(st, l, err);
	snprintf(l->upper, sizeof(l->upper), "upper");
	l->writable =
		openat(st->ct_fd, overlay_tree(st), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* A snapshot has no layer of its own. */
	if (l->writable < 0 && (errno != ENOENT || !st->n_layers))
		return err_set(err, -errno, "open the container's '%s'", overlay_tree(st));
	if (st->n_layers >= OVERLAY_LOWERS)
		return err_msg(err, -E2BIG, "more than %d layers", OVERLAY_LOWERS);
	for (size_t i = 0; i < st->n_layers; i++) {
		int fd = layers_open_root(st->ct_fd, st->layer[i]);

		if (fd < 0)
			return err_set(err, fd, "open the layer '%s'", st->layer[i]);
		l->lower[l->n++] = fd;
	}
	if (!name_is_digest(st->base))
		return err_msg(err, -EINVAL, "the container's 'storage' file names no image");
	snprintf(path, sizeof(path), IMAGES "/%s/rootfs", st->base);
	r = add_lower(l, path, err);
	if (r == -ENOENT)
		err_hint(err, "the image that the container stands on was deleted");
	return r;
}

static int check(struct storage *st, struct lxmgr_err *err)
{
	struct layers l;
	uint64_t attrs;
	int r = overlay_open_layers(st, &l, err);

	overlay_close_layers(&l);
	return r < 0 ? r : storage_attrs(st->spec, &attrs, err);
}

/* Attach a clone of a layer, mapped, at name in the stage. */
static int attach_layer(const struct storage_stage *stage, int layer, const char *name, bool ro,
			struct lxmgr_err *err)
{
	cleanup_fd int mnt = mount_clone(layer, "", false, err), target = -EBADF;
	int r;

	if (mnt < 0)
		return mnt;
	r = mount_set(mnt, ro ? MOUNT_ATTR_RDONLY : 0, 0, 0, false, stage->userns_fd, err);
	if (r < 0)
		return r;
	if (mkdirat(stage->dir_fd, name, 0700) < 0 && errno != EEXIST)
		return err_set(err, -errno, "make a place for a layer");
	target = openat(stage->dir_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (target < 0)
		return err_set(err, -errno, "open the place of a layer");
	return mount_attach(mnt, target, "a layer", err);
}

/* An overlay whose work directory cannot be used comes up read-only without an error: so make
 * something and take it away again. */
static int check_writable(int mnt, struct lxmgr_err *err)
{
	static const char name[] = ".lxmgr-write-check";
	cleanup_fd int fd = openat(mnt, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

	if (fd < 0 && errno != EEXIST)
		return err_set(err, -errno, "the overlay came up read-only");
	if (unlinkat(mnt, name, 0) < 0)
		return err_set(err, -errno, "write to the overlay");
	return 0;
}

/* One letter: the list of all lower ones has to fit into a string of fsconfig(2). */
static char lower_name(size_t i)
{
	return (char)('a' + i);
}

static int new_overlay(const struct storage *st, const struct layers *l,
		       const struct storage_stage *stage, struct lxmgr_err *err)
{
	char options[1024];
	uint64_t attrs;
	size_t n = (size_t)snprintf(options, sizeof(options), "lowerdir=");
	int r = storage_attrs(st->spec, &attrs, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < l->n; i++)
		n += (size_t)snprintf(options + n, sizeof(options) - n, "%s%s/%c", i ? ":" : "",
				      stage->dir_path, lower_name(i));
	if (l->writable >= 0)
		n += (size_t)snprintf(options + n, sizeof(options) - n,
				      ",upperdir=%s/w/%s,workdir=%s/w/work", stage->dir_path,
				      l->upper, stage->dir_path);
	n += (size_t)snprintf(options + n, sizeof(options) - n, ",redirect_dir=%s,metacopy=off%s",
			      l->writable < 0 ? "follow" : "on",
			      st->spec->checkpoint && l->writable >= 0 ? ",index=on,nfs_export=on"
								       : ",index=off");
	if (stage->label)
		snprintf(options + n, sizeof(options) - n, ",context=\"%s\"", stage->label);
	return mount_new_fs("overlay", "overlay", options, attrs, err);
}

static int overlay_mount(struct storage *st, const struct storage_stage *stage,
			 struct lxmgr_err *err)
{
	struct layers l __attribute__((cleanup(overlay_close_layers))) = { .writable = -EBADF };
	int r = overlay_open_layers(st, &l, err), mnt;

	for (size_t i = 0; i < l.n && r == 0; i++)
		r = attach_layer(stage, l.lower[i], (char[]){ lower_name(i), '\0' }, true, err);
	if (r == 0 && l.writable >= 0)
		r = attach_layer(stage, l.writable, "w", false, err);
	/* As fsuid 0, which the map does not know, the work directory fails with EOVERFLOW. */
	if (r == 0 && stage->userns_fd >= 0)
		r = fsids_set(stage->root_uid, stage->root_gid, err);
	if (r < 0)
		return r;
	mnt = new_overlay(st, &l, stage, err);
	if (mnt >= 0 && l.writable >= 0 && !st->spec->read_only) {
		r = check_writable(mnt, err);
		if (r < 0)
			fd_close(&mnt);
	}
	if (fsids_set(0, 0, r < 0 || mnt < 0 ? NULL : err) < 0 && r == 0)
		r = -EPERM;
	return r < 0 ? r : mnt;
}

static int probe(int dirfd, bool map, struct lxmgr_err *err)
{
	struct statfs st;
	int r;

	if (fstatfs(dirfd, &st) < 0)
		return err_set(err, -errno, "look at the file system");
	if (st.f_type == OVERLAYFS_SUPER_MAGIC)
		return err_msg(err, -EOPNOTSUPP,
			       "backend overlay cannot write to a file system that is an overlay "
			       "itself; use -B dir");
	r = map ? storage_can_map(dirfd, err) : 0;
	if (r == -EOPNOTSUPP)
		err_hint(err, "backend overlay needs id-mapped mounts, which the kernel refuses "
			      "here; use -B dir");
	return r;
}

static int create(struct storage *st, int image_root_fd, struct lxmgr_err *err)
{
	if (image_root_fd < 0)
		return err_msg(err, -EINVAL, "backend overlay needs a template (-t); use -B dir");
	return overlay_make_tree(st, image_root_fd, err);
}

static int destroy(struct storage *st, struct lxmgr_err *err)
{
	int r = overlay_is_outside(st) ? 0 : remove_tree_at(st->ct_fd, overlay_tree(st));

	return r < 0 ? err_set(err, r, "delete the container's layer") : 0;
}

/* Writes of the host go to the upper layer through an overlay of its own: the same rules as at
 * start, unmapped. */
static int open_root(struct storage *st, struct lxmgr_err *err)
{
	cleanup_fd int tmp = mount_new_fs("tmpfs", "lxmgr", "mode=0700,size=64k", 0, err);
	cleanup_fd int stage_dir = -EBADF, dir = -EBADF, mnt = -EBADF, target = -EBADF;
	struct storage_stage stage = { .userns_fd = -1, .dir_path = STAGEDIR "/s" };
	int r = mkdir_p(STAGEDIR, 0700);

	if (tmp < 0)
		return tmp;
	dir = r < 0 ? r : open(STAGEDIR, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_set(err, r < 0 ? r : -errno, "open '%s'", STAGEDIR);
	r = mount_attach(tmp, dir, STAGEDIR, err);
	if (r < 0)
		return r;
	if (mkdirat(tmp, "s", 0700) < 0 || mkdirat(tmp, "r", 0700) < 0)
		return err_set(err, -errno, "fill the stage");
	stage_dir = openat(tmp, "s", O_PATH | O_DIRECTORY | O_CLOEXEC);
	target = openat(tmp, "r", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (stage_dir < 0 || target < 0)
		return err_set(err, -errno, "open the stage");
	stage.dir_fd = stage_dir;
	mnt = overlay_mount(st, &stage, err);
	if (mnt < 0)
		return mnt;
	r = mount_attach(mnt, target, "the root", err);
	return r < 0 ? r : take_fd(&mnt);
}

static int usage(struct storage *st, uint64_t *ret_bytes, struct lxmgr_err *err)
{
	struct layers l __attribute__((cleanup(overlay_close_layers))) = { .writable = -EBADF };
	int r = overlay_open_layers(st, &l, err);

	if (r < 0 || l.writable >= 0)
		return r < 0 ? r : tree_usage(l.writable, ret_bytes, err);
	return tree_usage(l.lower[0], ret_bytes, err);
}

const struct storage_ops storage_overlay = {
	.name = "overlay",
	.probe = probe,
	.create = create,
	.check = check,
	.mount = overlay_mount,
	.open_root = open_root,
	.destroy = destroy,
	.usage = usage,
	.copy = overlay_copy,
	.new_tree = overlay_new_tree,
	.replace = overlay_replace,
	.recover = overlay_recover,
};
