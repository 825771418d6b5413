/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copies of an overlay. To share what a stopped container holds, its own layer becomes a read-only
 * one in the store and it gets an empty one on top: `storage` names the new layer first, then one
 * rename fills it; recover() ends what was killed between the two.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/layers.h"
#include "storage/overlay.h"
#include "storage/project.h"
#include "storage/record.h"
#include "storage/treeattrs.h"
#include "storage/treecopy.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/str.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* The directory of upper and work, which take its project. */
static int new_tree(struct storage *st, struct lxmgr_err *err)
{
	cleanup_fd int dir = -EBADF;
	int r;

	if (mkdirat(st->ct_fd, overlay_tree(st), 0700) < 0)
		return err_set(err, -errno, "make the directory '%s'", overlay_tree(st));
	dir = openat(st->ct_fd, overlay_tree(st), DIR_FLAGS);
	if (dir < 0)
		return err_set(err, -errno, "open the directory '%s'", overlay_tree(st));
	r = project_begin(st, dir, err);
	return r < 0 ? r : take_fd(&dir);
}

int overlay_make_tree(struct storage *st, int model_fd, struct lxmgr_err *err)
{
	cleanup_fd int dir = new_tree(st, err), upper = -EBADF;

	if (dir < 0)
		return dir;
	if (mkdirat(dir, "upper", 0755) < 0 || mkdirat(dir, "work", 0700) < 0)
		return err_set(err, -errno, "make the container's layer");
	/* The root's own owner and mode come from the upper layer. */
	upper = openat(dir, "upper", DIR_FLAGS);
	if (upper < 0)
		return err_set(err, -errno, "open the container's layer");
	return tree_copy_attributes(model_fd, upper, err);
}

static int open_tree_dir(const struct storage *st, const char *name)
{
	cleanup_fd int dir = openat(st->ct_fd, overlay_tree(st), DIR_FLAGS);
	int fd = dir < 0 ? -1 : openat(dir, name, DIR_FLAGS);

	return fd < 0 ? -errno : fd;
}

static int make_upper(int dir, int model_fd, struct lxmgr_err *err)
{
	cleanup_fd int upper = -EBADF;
	int r;

	if (mkdirat(dir, "work", 0700) < 0 || mkdirat(dir, "upper.new", 0700) < 0)
		return err_set(err, -errno, "make the container's layer");
	upper = openat(dir, "upper.new", DIR_FLAGS);
	if (upper < 0)
		return err_set(err, -errno, "open the container's layer");
	r = tree_copy_attributes(model_fd, upper, err);
	if (r == 0 && renameat(dir, "upper.new", dir, "upper") < 0)
		r = err_set(err, -errno, "make the container's layer");
	return r;
}

int overlay_ensure_tree(struct storage *st, int model_fd, struct lxmgr_err *err)
{
	cleanup_fd int upper = open_tree_dir(st, "upper"), dir = -EBADF;
	int r = upper >= 0 ? 0 : remove_tree_at(st->ct_fd, overlay_tree(st));

	if (r < 0)
		return err_set(err, r, "clean '%s'", overlay_tree(st));
	if (upper >= 0)
		return 0;
	dir = new_tree(st, err);
	return dir < 0 ? dir : make_upper(dir, model_fd, err);
}

/* A new upper directory in place of the one that went into the store, made aside: one that is there
 * is whole. Work belongs to the old one. */
static int new_upper(struct storage *st, int model_fd, struct lxmgr_err *err)
{
	cleanup_fd int dir = openat(st->ct_fd, overlay_tree(st), DIR_FLAGS);
	bool room;
	int r;

	if (dir < 0)
		return err_set(err, -errno, "open '%s'", overlay_tree(st));
	r = remove_tree_at(dir, "work");
	if (r == 0)
		r = remove_tree_at(dir, "upper.new");
	if (r < 0)
		return err_set(err, r, "clean the container's layer");
	room = project_make_room(st, dir);
	r = make_upper(dir, model_fd, err);
	if (room)
		project_close_room(st, dir);
	return r;
}

/* The second half of freeze(): st names the layer, whose directory is there. */
static int fill_layer(struct storage *st, int layer, struct lxmgr_err *err)
{
	cleanup_fd int dir = openat(st->ct_fd, overlay_tree(st), DIR_FLAGS), root = -EBADF;

	if (dir < 0)
		return err_set(err, -errno, "open '%s'", overlay_tree(st));
	root = openat(layer, "rootfs", DIR_FLAGS);
	if (root < 0) {
		if (renameat(dir, "upper", layer, "rootfs") < 0)
			return err_set(err, -errno, "put the container's layer into the store");
		root = openat(layer, "rootfs", DIR_FLAGS);
	}
	if (root < 0)
		return err_set(err, -errno, "open the layer");
	return new_upper(st, root, err);
}

static bool is_empty(int fd)
{
	cleanup_dir DIR *d = fdopendir(dup(fd));
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
			return false;
	return d != NULL;
}

/* On top of st's layers. Where there are as many as there may be, they become one. The own tree, if
 * there is one, stands on that just as well. */
static int new_layer(struct storage *st, struct lxmgr_err *err)
{
	int fd = layers_new(st, err), r;

	if (fd != -E2BIG)
		return fd;
	r = overlay_flatten(st, err);
	return r < 0 ? r : layers_new(st, err);
}

/* The container's own layer into the store. */
static int freeze(struct storage *st, struct lxmgr_err *err)
{
	cleanup_fd int upper = open_tree_dir(st, "upper"), layer = -EBADF;
	int r;

	if (upper < 0)
		return err_set(err, upper, "open the container's layer");
	if (st->n_layers && is_empty(upper))
		return 0;
	layer = new_layer(st, err);
	if (layer < 0)
		return layer;
	r = storage_write(st, true, err);
	return r < 0 ? r : fill_layer(st, layer, err);
}

/* What the upper directory holds, for another container: `dir` gets it as `name`. */
static int copy_upper(const struct storage *st, int dir, const char *name,
		      const struct storage_copy *how, struct lxmgr_err *err)
{
	cleanup_fd int upper = open_tree_dir(st, "upper"), to = -EBADF;
	int r;

	if (upper < 0)
		return err_set(err, upper, "open the container's layer");
	if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
		return err_set(err, -errno, "make a layer");
	to = openat(dir, name, DIR_FLAGS);
	if (to < 0)
		return err_set(err, -errno, "open a layer");
	/* All that takes its time and does not change has been done before. */
	r = storage_pause(how, err);
	if (r == 0)
		r = tree_copy(upper, to, err);
	storage_resume(how);
	if (r < 0)
		return err_prefix(err, "copy the container's layer"), r;
	return tree_forget_origin(to, err);
}

static bool has_upper(const struct storage *st)
{
	cleanup_fd int upper = open_tree_dir(st, "upper");

	return upper >= 0;
}

static void take_layers(struct storage *to, const struct storage *from)
{
	memcpy(to->layer, from->layer, sizeof(to->layer));
	to->n_layers = from->n_layers;
}

static bool same_store(const struct storage *a, const struct storage *b)
{
	struct stat sa, sb;
	cleanup_fd int fa = layers_open(a->ct_fd), fb = layers_open(b->ct_fd);

	return fa >= 0 && fb >= 0 && fstat(fa, &sa) == 0 && fstat(fb, &sb) == 0 &&
	       sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

/* Another directory of containers has a store of its own. */
static int bring_layers(const struct storage *st, struct storage *to, struct lxmgr_err *err)
{
	for (size_t i = st->n_layers; i > 0; i--) {
		cleanup_fd int from = layers_open_root(st->ct_fd, st->layer[i - 1]);
		cleanup_fd int layer = layers_new(to, err), root = -EBADF;
		int r;

		if (from < 0)
			return err_set(err, from, "open the layer '%s'", st->layer[i - 1]);
		if (layer < 0)
			return layer;
		if (mkdirat(layer, "rootfs", 0700) < 0)
			return err_set(err, -errno, "make a layer");
		root = openat(layer, "rootfs", DIR_FLAGS);
		if (root < 0)
			return err_set(err, -errno, "open a layer");
		r = tree_copy(from, root, err);
		if (r == 0)
			r = tree_forget_origin(root, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The topmost layer of `to`, or its base: what its own root directory is modelled on. */
static int open_model(const struct storage *to, struct lxmgr_err *err)
{
	struct layers l __attribute__((cleanup(overlay_close_layers))) = { .writable = -EBADF };
	struct storage below = *to;
	int r;

	/* Nothing of its own is there yet. */
	snprintf(below.tree, sizeof(below.tree), "none");
	r = overlay_open_layers(&below, &l, err);
	return r < 0 ? r : take_fd(&l.lower[0]);
}

static int own_tree(struct storage *to, struct lxmgr_err *err)
{
	cleanup_fd int model = open_model(to, err);

	return model < 0 ? model : overlay_make_tree(to, model, err);
}

static int copy_whole(struct storage *st, struct storage *to, const struct storage_copy *how,
		      struct lxmgr_err *err)
{
	cleanup_fd int dir = new_tree(to, err);

	if (dir < 0)
		return dir;
	if (mkdirat(dir, "work", 0700) < 0)
		return err_set(err, -errno, "make the container's layer");
	return copy_upper(st, dir, "upper", how, err);
}

/* The layers that `to` stands on, as far as these do not change while st runs. */
static int give_layers(struct storage *st, struct storage *to, const struct storage_copy *how,
		       struct lxmgr_err *err)
{
	/* The copied upper directory; and that of a root in memory, which has another above it. */
	size_t more = (how->share && how->live) + (how->memory ? 2 : 1);
	int r = 0;

	snprintf(to->base, sizeof(to->base), "%s", st->base);
	if (!st->n_layers || same_store(st, to))
		take_layers(to, st);
	else if (how->share)
		return err_msg(err, -EOPNOTSUPP,
			       "only copies in the same directory of containers share layers");
	else
		r = bring_layers(st, to, err);
	if (r == 0 && to->n_layers > 1 && to->n_layers + more > OVERLAY_LOWERS)
		r = overlay_flatten(to, err);
	return r;
}

int overlay_copy(struct storage *st, struct storage *to, const struct storage_copy *how,
		 struct lxmgr_err *err)
{
	cleanup_fd int layer = -EBADF;
	int r = 0;

	/* Before anything of the source is touched. */
	if (overlay_is_outside(st))
		return err_msg(err, -EOPNOTSUPP,
			       "the layers that lxmgr.rootfs.path names are not lxmgr's to share");
	if (how->share && !how->live && has_upper(st))
		r = freeze(st, err);
	if (r == 0)
		r = give_layers(st, to, how, err);
	if (r < 0)
		return r;
	if (how->share && how->live) {
		layer = layers_new(to, err);
		r = layer < 0 ? layer : copy_upper(st, layer, "rootfs", how, err);
	} else if (!how->share && has_upper(st)) {
		return copy_whole(st, to, how, err);
	}
	if (r < 0)
		return r;
	/* The layers stay at least until to's file names them. */
	if (to->layers_lock < 0)
		to->layers_lock = take_fd(&st->layers_lock);
	return how->keep ? 0 : own_tree(to, err);
}

/* "overlay.1" and so on: any but the one that is in use. */
void overlay_new_tree(const struct storage *st, char ret[STORAGE_NAME_SIZE])
{
	const char *dot = strchr(overlay_tree(st), '.');

	snprintf(ret, STORAGE_NAME_SIZE, "overlay.%lu", dot ? strtoul(dot + 1, NULL, 10) + 1 : 1);
}

int overlay_replace(struct storage *st, struct storage *new, struct lxmgr_err *err)
{
	/* Its other name is what sets it apart from the old one. */
	int r = storage_write_over(st, new, err);

	if (r < 0)
		return r;
	r = remove_tree_at(st->ct_fd, overlay_tree(st));
	if (r < 0)
		log_warn("the old layer cannot be removed: it is tried again, ignoring");
	return 0;
}

static void remove_others(const struct storage *st)
{
	int fd = openat(st->ct_fd, ".", DIR_FLAGS);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (storage_is_tree(e->d_name, "overlay") && !str_eq(e->d_name, overlay_tree(st)) &&
		    remove_tree_at(fd, e->d_name) < 0)
			log_warn("cannot remove the old '%s', ignoring", e->d_name);
}

int overlay_recover(struct storage *st, struct lxmgr_err *err)
{
	cleanup_fd int layer = -EBADF, root = -EBADF, upper = -EBADF;

	/* A snapshot has no tree of its own. Where one that the file names is not there another may
	 * be all that there is. */
	if (overlay_is_outside(st) ||
	    faccessat(st->ct_fd, overlay_tree(st), F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	remove_others(st);
	if (!st->n_layers)
		return 0;
	upper = open_tree_dir(st, "upper");
	root = layers_open_root(st->ct_fd, st->layer[0]);
	if (upper >= 0 && root >= 0)
		return 0;
	layer = layers_open_dir(st->ct_fd, st->layer[0]);
	/* The record reached the disk before the directory that it names. */
	if (layer == -ENOENT && upper >= 0)
		layer = layers_make_dir(st->ct_fd, st->layer[0]);
	if (layer < 0)
		return err_set(err, layer, "open the layer '%s'", st->layer[0]);
	/* The lowest of all: that of overlay_copy_from(). */
	if (root < 0 && st->n_layers == 1 && !*st->base)
		return renameat(st->ct_fd, OVERLAY_FORMER, layer, "rootfs") < 0
			       ? err_set(err, -errno, "put the root file system into the store")
			       : 0;
	return fill_layer(st, layer, err);
}
