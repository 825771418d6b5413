/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/subvol.h"
#include "storage/btrfs_images.h"
#include "storage/treecopy.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/paths.h"
#include "util/str.h"

#define STORE	  ".images"
#define UNDONE	  "new"
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static int lock(int store, int how)
{
	int r;

	do {
		r = flock(store, how) < 0 ? -errno : 0;
	} while (r == -EINTR);
	return r;
}

static bool is_there(int store, const char *digest)
{
	cleanup_fd int fd = openat(store, digest, DIR_FLAGS);

	return fd >= 0 && subvol_is(fd);
}

/* The store's lock is held alone: what is unfinished is nobody's any more. */
static int import(int store, const char *digest, int root_fd, struct lxmgr_err *err)
{
	cleanup_fd int fd = -EBADF;
	int r;

	if (is_there(store, digest))
		return 0;
	/* A host that was rolled back has an empty directory where a subvolume was. */
	if (unlinkat(store, digest, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_set(err, -errno, "'" STORE "/%s' is no subvolume; remove it", digest);
	if (unlinkat(store, UNDONE, AT_REMOVEDIR) < 0 && errno != ENOENT && errno != ENOTEMPTY)
		return err_set(err, -errno, "remove an unfinished image");
	r = subvol_delete(store, UNDONE, err);
	if (r == 0)
		r = subvol_create(store, UNDONE, err);
	if (r < 0)
		return r;
	fd = openat(store, UNDONE, DIR_FLAGS);
	if (fd < 0)
		return err_set(err, -errno, "open the image's subvolume");
	r = tree_copy(root_fd, fd, err);
	/* Once it has its name it is believed to be whole. */
	if (r == 0 && syncfs(fd) < 0)
		r = err_set(err, -errno, "write the image to disk");
	if (r == 0)
		r = subvol_set_read_only(fd, true, err);
	if (r == 0 && renameat(store, UNDONE, store, digest) < 0)
		r = err_set(err, -errno, "name the image's subvolume");
	if (r < 0 && subvol_delete(store, UNDONE, NULL) < 0)
		log_warn("an unfinished image stays in '" STORE "', ignoring");
	return r;
}

int btrfs_images_use(int ct_fd, const char *digest, int root_fd, const char *name,
		     struct lxmgr_err *err)
{
	cleanup_fd int store = -EBADF, image = -EBADF;
	int r;

	if (mkdirat(ct_fd, "../" STORE, 0700) < 0 && errno != EEXIST)
		return err_set(err, -errno, "make the directory of images");
	store = openat(ct_fd, "../" STORE, DIR_FLAGS);
	if (store < 0)
		return err_set(err, -errno, "open the directory of images");
	r = lock(store, LOCK_SH);
	if (r == 0 && !is_there(store, digest)) {
		r = lock(store, LOCK_EX);
		if (r == 0 && (r = import(store, digest, root_fd, err)) < 0)
			return r;
	}
	if (r < 0)
		return err_set(err, r, "lock the directory of images");
	image = openat(store, digest, DIR_FLAGS);
	if (image < 0)
		return err_set(err, -errno, "open the image's subvolume");
	return subvol_snapshot(image, ct_fd, name, false, err);
}

static bool is_cached(const char *digest)
{
	char path[256];

	snprintf(path, sizeof(path), CACHEDIR "/images/%.64s", digest);
	return access(path, F_OK) == 0 || errno != ENOENT;
}

int btrfs_images_collect(int path_fd, struct lxmgr_err *err)
{
	int fd = openat(path_fd, STORE, DIR_FLAGS), r = 0;
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	/* Somebody is making or using one: whoever comes later collects. */
	if (!d || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return 0;
	while (r == 0 && (e = readdir(d)))
		if (str_eq(e->d_name, UNDONE) ||
		    (name_is_digest(e->d_name) && !is_cached(e->d_name))) {
			r = subvol_delete(fd, e->d_name, err);
			r = r == -ENOTDIR ? 0 : r;
		}
	return r;
}
