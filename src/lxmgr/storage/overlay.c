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
#include "kernel/quota.h"
#include "storage/layers.h"
#include "storage/options.h"
#include "storage/overlay.h"
#include "storage/project.h"
#include "storage/tree.h"
#include "storage/treeattrs.h"
#include "storage/treecopy.h"
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
	if (l->writable < 0)
		return err_set(err, -errno, "open '%s'", p.v[p.n - 1]);
	/* LXC's own is called otherwise, and an overlay wants one that nothing else uses. */
	if (mkdirat(l->writable, "work", 0700) < 0 && errno != EEXIST)
		return err_set(err, -errno, "make 'work' in '%s'", p.v[p.n - 1]);
	return 0;
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
	/* Once the root of another backend: its layers are all that there is. */
	if (!*st->base && st->n_layers)
		return 0;
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

/* For whoever makes room on a full one. */
static bool is_full(int error)
{
	return error == ENOSPC || error == EDQUOT;
}

/* An overlay whose work directory cannot be used comes up read-only without an error: so make
 * something, without a name where that can be (Linux 6.1): of that nothing is left whatever
 * happens; or take it away again. */
static int check_writable(int mnt, struct lxmgr_err *err)
{
	static const char name[] = ".lxmgr-write-check";
	cleanup_fd int unnamed = openat(mnt, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	cleanup_fd int fd = -EBADF;

	if (unnamed >= 0 || is_full(errno))
		return 0;
	fd = openat(mnt, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0 && is_full(errno))
		return 0;
	if (fd < 0 && errno != EEXIST)
		return err_set(err, -errno, "the overlay came up read-only");
	/* What a guest made of that name may be a directory. */
	if (unlinkat(mnt, name, 0) < 0 && (fd >= 0 || errno == EROFS))
		return err_set(err, -errno, "write to the overlay");
	return 0;
}

/* One letter: the list of all lower ones has to fit into a string of fsconfig(2). */
static char lower_name(size_t i)
{
	return (char)('a' + i);
}

static int new_overlay(const struct storage *st, const struct layers *l, bool writable,
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
	if (writable)
		n += (size_t)snprintf(options + n, sizeof(options) - n,
				      ",upperdir=%s/w/%s,workdir=%s/w/work", stage->dir_path,
				      l->upper, stage->dir_path);
	n += (size_t)snprintf(options + n, sizeof(options) - n, ",redirect_dir=%s,metacopy=off%s",
			      writable ? "on" : "follow",
			      st->spec->checkpoint && writable ? ",index=on,nfs_export=on"
							       : ",index=off");
	if (stage->label)
		snprintf(options + n, sizeof(options) - n, ",context=\"%s\"", stage->label);
	return mount_new_fs("overlay", "overlay", options, attrs, err);
}

/* The upper directory becomes the topmost of the lower ones: nothing is written to it. */
static int lower_upper(struct layers *l, size_t max, struct lxmgr_err *err)
{
	int fd;

	if (l->n == max)
		return err_msg(err, -E2BIG, "more than %zu layers", max);
	fd = openat(l->writable, l->upper, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "open the container's layer");
	memmove(&l->lower[1], l->lower, l->n * sizeof(l->lower[0]));
	l->lower[0] = fd;
	l->n++;
	fd_close(&l->writable);
	return 0;
}

/* An upper and a work directory in memory, with the mode and the owner that the container's own
 * layer, which stands at `model` in the stage, has inside. Ids there are those of the host: it is
 * gone with the mount. */
static int attach_memory(const struct storage *st, const struct storage_stage *stage,
			 const char *model, struct lxmgr_err *err)
{
	cleanup_fd int tmp = -EBADF, target = -EBADF, upper = -EBADF, from = -EBADF;
	char options[64];
	int r;

	snprintf(options, sizeof(options), "mode=0700,size=%llu", (unsigned long long)st->memory);
	tmp = mount_new_fs("tmpfs", "lxmgr", options, 0, err);
	if (tmp < 0)
		return tmp;
	if (mkdirat(tmp, "upper", 0755) < 0 || mkdirat(tmp, "work", 0700) < 0 ||
	    fchownat(tmp, "work", stage->root_uid, stage->root_gid, 0) < 0)
		return err_set(err, -errno, "make a layer in memory");
	if (mkdirat(stage->dir_fd, "w", 0700) < 0 && errno != EEXIST)
		return err_set(err, -errno, "make a place for a layer");
	upper = openat(tmp, "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	from = openat(stage->dir_fd, model, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	target = openat(stage->dir_fd, "w", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (upper < 0 || from < 0 || target < 0)
		return err_set(err, -errno, "open a layer in memory");
	r = tree_copy_attributes(from, upper, err);
	return r < 0 ? r : mount_attach(tmp, target, "a layer", err);
}

static int attach_layers(const struct storage *st, struct layers *l, bool memory,
			 const struct storage_stage *stage, struct lxmgr_err *err)
{
	int r = memory ? lower_upper(l, OVERLAY_LOWERS, err) : 0;

	for (size_t i = 0; i < l->n && r == 0; i++)
		r = attach_layer(stage, l->lower[i], (char[]){ lower_name(i), '\0' }, true, err);
	if (r == 0 && memory)
		r = attach_memory(st, stage, (char[]){ lower_name(0), '\0' }, err);
	else if (r == 0 && l->writable >= 0)
		r = attach_layer(stage, l->writable, "w", false, err);
	return r;
}

/* Attached layers as one root; writable: there is a "w" among them. */
static int mount_layers(struct storage *st, const struct layers *l, bool writable,
			const struct storage_stage *stage, struct lxmgr_err *err)
{
	int r = 0, mnt;

	/* As fsuid 0, which the map does not know, the work directory fails with EOVERFLOW. */
	if (stage->userns_fd >= 0)
		r = fsids_set(stage->root_uid, stage->root_gid, err);
	if (r < 0)
		return r;
	mnt = new_overlay(st, l, writable, stage, err);
	if (mnt >= 0 && writable && !st->spec->read_only) {
		r = check_writable(mnt, err);
		if (r < 0)
			fd_close(&mnt);
	}
	if (fsids_set(0, 0, r < 0 || mnt < 0 ? NULL : err) < 0 && r == 0)
		r = -EPERM;
	return r < 0 ? r : mnt;
}

static int mount_opened(struct storage *st, struct layers *l, bool memory,
			const struct storage_stage *stage, struct lxmgr_err *err)
{
	int r = attach_layers(st, l, memory, stage, err);
	bool room;

	if (r < 0)
		return r;
	/* It would come up read-only in a full one. */
	room = !memory && l->writable >= 0 && project_make_room(st, l->writable);
	r = mount_layers(st, l, memory || l->writable >= 0, stage, err);
	if (room)
		project_close_room(st, l->writable);
	return r;
}

static int mount_all(struct storage *st, bool memory, const struct storage_stage *stage,
		     struct lxmgr_err *err)
{
	struct layers l __attribute__((cleanup(overlay_close_layers))) = { .writable = -EBADF };
	int r = overlay_open_layers(st, &l, err);

	return r < 0 ? r : mount_opened(st, &l, memory, stage, err);
}

/* The directory of upper and work: both belong to one project, or nothing could be moved from one
 * to the other. */
static int open_own(const struct storage *st, struct lxmgr_err *err)
{
	int fd = openat(st->ct_fd, overlay_tree(st), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_set(err, -errno, "open the container's '%s'", overlay_tree(st)) : fd;
}

static int overlay_mount(struct storage *st, const struct storage_stage *stage,
			 struct lxmgr_err *err)
{
	cleanup_fd int own = overlay_is_outside(st) ? -EBADF : open_own(st, err);

	/* Only a snapshot has none: it would come up as what the layers below hold. */
	if (own < 0 && !overlay_is_outside(st))
		return own;
	return mount_all(st, st->memory > 0, stage, err);
}

int storage_mount_delta(struct storage *root, const char *name, int lower,
			const struct storage_stage *stage, struct lxmgr_err *err)
{
	static const struct storage_spec plain;
	struct layers l __attribute__((cleanup(overlay_close_layers))) = { .writable = -EBADF };
	struct storage st = { .ops = &storage_overlay,
			      .spec = &plain,
			      .ct_fd = root->ct_fd,
			      .memory = root->memory,
			      .layers_lock = -EBADF };
	int r = storage_project(root, &st.limit.project, err);

	snprintf(st.tree, sizeof(st.tree), "%s", name);
	snprintf(l.upper, sizeof(l.upper), "upper");
	if (r == 0)
		r = overlay_ensure_tree(&st, lower, err);
	if (r < 0)
		return r;
	l.lower[0] = openat(lower, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (l.lower[0] < 0)
		return err_set(err, -errno, "open the directory below a delta");
	l.n = 1;
	l.writable = open_own(&st, err);
	return l.writable < 0 ? l.writable : mount_opened(&st, &l, st.memory > 0, stage, err);
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
		return err_msg(err, -EINVAL,
			       "backend overlay needs an image below it, which templates make; use "
			       "-B dir");
	return overlay_make_tree(st, image_root_fd, err);
}

static int destroy(struct storage *st, struct lxmgr_err *err)
{
	int r = overlay_is_outside(st) ? 0 : remove_tree_at(st->ct_fd, overlay_tree(st));

	return r < 0 ? err_set(err, r, "delete the container's layer") : 0;
}

/* A private file system on STAGEDIR; *ret_root is an empty directory on it. */
static int make_stage(int *ret_dir, int *ret_root, struct lxmgr_err *err)
{
	cleanup_fd int tmp = mount_new_fs("tmpfs", "lxmgr", "mode=0700,size=64k", 0, err);
	cleanup_fd int dir = -EBADF;
	int r = tmp < 0 ? tmp : mkdir_p(STAGEDIR, 0700);

	if (tmp < 0)
		return tmp;
	dir = r < 0 ? r : open(STAGEDIR, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_set(err, r < 0 ? r : -errno, "open '%s'", STAGEDIR);
	r = mount_attach(tmp, dir, STAGEDIR, err);
	if (r < 0)
		return r;
	if (mkdirat(tmp, "root", 0700) < 0)
		return err_set(err, -errno, "fill the stage");
	*ret_root = openat(tmp, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*ret_root < 0)
		return err_set(err, -errno, "open the stage");
	*ret_dir = take_fd(&tmp);
	return 0;
}

/* Writes of the host go to the upper layer through an overlay of its own: the same rules as at
 * start, unmapped. */
static int open_root(struct storage *st, struct lxmgr_err *err)
{
	cleanup_fd int dir = -EBADF, target = -EBADF, mnt = -EBADF;
	struct storage_stage stage = { .userns_fd = -1, .dir_path = STAGEDIR };
	int r = make_stage(&dir, &target, err);

	if (r < 0)
		return r;
	stage.dir_fd = dir;
	mnt = mount_all(st, false, &stage, err);
	if (mnt < 0)
		return mnt;
	r = mount_attach(mnt, target, "the root", err);
	return r < 0 ? r : take_fd(&mnt);
}

/* All layers as lower ones. What a running container writes meanwhile is seen or is not. The paths
 * in this stage are short enough for one more than OVERLAY_LOWERS. */
static int open_view(struct storage *st, bool live, struct lxmgr_err *err)
{
	struct layers l __attribute__((cleanup(overlay_close_layers))) = { .writable = -EBADF };
	cleanup_fd int dir = -EBADF, target = -EBADF, mnt = -EBADF;
	struct storage_stage stage = { .userns_fd = -1, .dir_path = STAGEDIR };
	int r = overlay_open_layers(st, &l, err);

	if (r == 0 && live && st->memory)
		return err_status(err, STATUS_REFUSED, -EOPNOTSUPP,
				  "what the container has written is in memory (lxmgr-copy -t)");
	if (r == 0 && l.writable >= 0)
		r = lower_upper(&l, OVERLAY_LOWERS + 1, err);
	if (r == 0)
		r = make_stage(&dir, &target, err);
	if (r < 0)
		return r;
	stage.dir_fd = dir;
	r = attach_layers(st, &l, false, &stage, err);
	mnt = r < 0 ? r : mount_layers(st, &l, false, &stage, err);
	if (mnt < 0)
		return mnt;
	r = mount_attach(mnt, target, "the root", err);
	return r < 0 ? r : take_fd(&mnt);
}

static int usage(struct storage *st, bool at_once, uint64_t *ret_bytes, struct lxmgr_err *err)
{
	struct layers l __attribute__((cleanup(overlay_close_layers))) = { .writable = -EBADF };
	int r = overlay_open_layers(st, &l, err);

	if (r < 0 || (l.writable >= 0 && project_usage(l.writable, ret_bytes) == 0))
		return r < 0 ? r : 0;
	return at_once ? -ENODATA
		       : tree_usage(l.writable >= 0 ? l.writable : l.lower[0], ret_bytes, err);
}

static int resize(struct storage *st, const struct storage_limit *limit, bool running,
		  struct lxmgr_err *err)
{
	cleanup_fd int dir = open_own(st, err);

	return dir < 0 ? dir : project_resize(st, dir, "work", limit, err);
}

static int project(struct storage *st, uint32_t *ret, struct lxmgr_err *err)
{
	cleanup_fd int dir = open_own(st, err);
	int r = dir < 0 ? dir : quota_project(dir, ret);

	return r < 0 && r != -EOPNOTSUPP ? err_set(err, r, "read the project of the root") : 0;
}

const struct storage_ops storage_overlay = {
	.name = "overlay",
	.probe = probe,
	.create = create,
	.check = check,
	.mount = overlay_mount,
	.open_root = open_root,
	.open_view = open_view,
	.destroy = destroy,
	.usage = usage,
	.copy = overlay_copy,
	.pauses = true,
	.new_tree = overlay_new_tree,
	.replace = overlay_replace,
	.recover = overlay_recover,
	.resize = resize,
	.project = project,
};
