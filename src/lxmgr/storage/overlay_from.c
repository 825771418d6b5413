/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Roots of other backends as overlays. In full: an empty layer, and all in the upper directory. On
 * write, of backend dir: its root becomes a layer of the store and the container an overlay on it,
 * like its copy: `storage` says so first, then one rename moves the root; overlay_recover() ends
 * what was killed between the two.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "storage/aside.h"
#include "storage/layers.h"
#include "storage/overlay.h"
#include "storage/record.h"
#include "storage/treecopy.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"
#include "util/treewalk.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static int check_attributes(int fd)
{
	static const char *const names[] = { "trusted.overlay.opaque", "trusted.overlay.redirect",
					     "trusted.overlay.metacopy" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (fgetxattr(fd, names[i], NULL, 0) >= 0)
			return -EOPNOTSUPP;
	return 0;
}

static int check_dir(void *arg, int fd, const char *name)
{
	(void)arg;
	(void)name;
	return check_attributes(fd);
}

static int check_file(void *arg, int dir, const char *name, unsigned char type)
{
	cleanup_fd int fd = -EBADF;
	struct stat st;

	(void)arg;
	if (type == DT_CHR && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !st.st_rdev)
		return -EOPNOTSUPP;
	if (type != DT_REG)
		return 0;
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	return check_attributes(fd);
}

/* What a guest's own overlays have left would mean something to ours: then files would be gone or
 * come back. */
static int check_tree(int fd)
{
	static const struct treewalk how = { .file = check_file, .enter = check_dir };

	return tree_walk(fd, &how, NULL);
}

static int check_root(int root, struct lxmgr_err *err)
{
	int r = check_tree(root);

	if (r == -EOPNOTSUPP)
		return err_status(err, STATUS_REFUSED, -EPERM,
				  "the root holds what overlays of its own have left (whiteouts), "
				  "and can be no overlay itself");
	return r < 0 ? err_set(err, r, "look through the root") : 0;
}

struct work {
	struct storage *from;
	bool live;
	int upper;
};

/* Namespaces here: a mount namespace of its own. */
static int copy_root(void *data, struct lxmgr_err *err)
{
	struct work *w = data;
	cleanup_fd int from = storage_open_view(w->from, w->live, err);
	int r = from < 0 ? from : check_root(from, err);

	if (r < 0)
		return r;
	r = tree_copy(from, w->upper, err);
	if (r < 0)
		return err_prefix(err, "copy the root file system"), r;
	/* A write that fails later would be nobody's to hear of. */
	return syncfs(w->upper) < 0 ? err_set(err, -errno, "write the copy to disk") : 0;
}

static int copy_full(struct storage *st, struct storage *to, const struct storage_copy *how,
		     struct lxmgr_err *err)
{
	struct work w = { .from = st, .live = how->live };
	int *const dirs[] = { &st->ct_fd };
	cleanup_fd int layer = layers_new(to, err), root = -EBADF, own = -EBADF, upper = -EBADF;
	int r;

	if (layer < 0)
		return layer;
	if (mkdirat(layer, "rootfs", 0755) < 0)
		return err_set(err, -errno, "make a layer");
	root = openat(layer, "rootfs", DIR_FLAGS);
	if (root < 0)
		return err_set(err, -errno, "open a layer");
	r = overlay_make_tree(to, root, err);
	if (r < 0)
		return r;
	own = openat(to->ct_fd, overlay_tree(to), DIR_FLAGS);
	w.upper = upper = own < 0 ? -1 : openat(own, "upper", DIR_FLAGS);
	if (upper < 0)
		return err_set(err, -errno, "open the container's layer");
	r = storage_pause(how, err);
	if (r == 0)
		r = storage_aside(dirs, ARRAY_SIZE(dirs), copy_root, &w, err);
	storage_resume(how);
	return r;
}

/* Of one directory of containers; a snapshot lies elsewhere. */
static bool are_beside(const struct storage *a, const struct storage *b)
{
	struct stat sa, sb;

	return fstatat(a->ct_fd, "..", &sa, 0) == 0 && fstatat(b->ct_fd, "..", &sb, 0) == 0 &&
	       sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

static int can_share(const struct storage *st, const struct storage *to,
		     const struct storage_copy *how, struct lxmgr_err *err)
{
	const char *why = NULL;

	if (st->ops != &storage_dir)
		why = "only a container of backend dir can become an overlay that its copies share";
	else if (how->live)
		why = "a container of backend dir that runs cannot become an overlay; stop it "
		      "first";
	else if (overlay_is_outside(st) || *st->dir)
		why = "only a root in the container's own directory can become an overlay";
	else if (*st->tree)
		why = "only a root in its first place (NAME/rootfs) can become an overlay: this "
		      "one came back from a snapshot";
	else if (!are_beside(st, to))
		why = "only copies in the same directory of containers share layers";
	return why ? err_msg(err, -EOPNOTSUPP, "%s", why) : 0;
}

/* st is an overlay from the record on. */
static int into_layer(struct storage *st, struct lxmgr_err *err)
{
	cleanup_fd int root = openat(st->ct_fd, OVERLAY_FORMER, DIR_FLAGS), layer = -EBADF;
	struct storage new = *st;
	int r = root < 0 ? err_set(err, -errno, "open the root file system")
			 : check_root(root, err);

	if (r == 0)
		r = storage_project(st, &new.limit.project, err);
	new.ops = &storage_overlay;
	*new.base = '\0';
	if (r == 0)
		r = overlay_ensure_tree(&new, root, err);
	layer = r < 0 ? r : layers_new(&new, err);
	st->layers_lock = new.layers_lock;
	if (layer < 0)
		return layer;
	/* What the record names is there before it. */
	if (syncfs(layer) < 0)
		return err_set(err, -errno, "write a layer to disk");
	r = storage_write_over(st, &new, err);
	if (r < 0)
		return r;
	*st = new;
	return overlay_recover(st, err);
}

int overlay_copy_from(struct storage *st, struct storage *to, const struct storage_copy *how,
		      struct lxmgr_err *err)
{
	int r = how->share ? can_share(st, to, how, err) : 0;

	if (r == 0 && st->ids)
		r = err_status(err, STATUS_REFUSED, -EPERM,
			       "the ids of this root are for backend '%s' alone", st->ops->name);
	if (r == 0)
		r = storage_overlay.probe(to->ct_fd, true, err);
	if (r < 0)
		return r;
	if (!how->share)
		return copy_full(st, to, how, err);
	r = into_layer(st, err);
	return r < 0 ? r : overlay_copy(st, to, how, err);
}
