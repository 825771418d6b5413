/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/btrfs_images.h"
#include "storage/layers.h"
#include "storage/overlay.h"
#include "storage/record.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/str.h"

#define STORE	  ".layers"
#define SNAPSHOTS "snapshots"

/* A snapshot is a directory NAME/snapshots/SNAP. */
static bool is_snapshot(int ct_fd)
{
	struct stat up, named, record;

	return fstatat(ct_fd, "..", &up, 0) == 0 &&
	       fstatat(ct_fd, "../../" SNAPSHOTS, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       up.st_dev == named.st_dev && up.st_ino == named.st_ino &&
	       fstatat(ct_fd, "../../storage", &record, AT_SYMLINK_NOFOLLOW) == 0;
}

/* It lies beside the container. */
static const char *store_of(int ct_fd)
{
	return is_snapshot(ct_fd) ? "../../../" STORE : "../" STORE;
}

int layers_open(int ct_fd)
{
	int fd = openat(ct_fd, store_of(ct_fd), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int lock_store(struct storage *st, struct lxmgr_err *err)
{
	int r;

	if (st->layers_lock >= 0)
		return 0;
	if (mkdirat(st->ct_fd, store_of(st->ct_fd), 0700) < 0 && errno != EEXIST)
		return err_set(err, -errno, "make the directory of layers");
	st->layers_lock = layers_open(st->ct_fd);
	if (st->layers_lock < 0)
		return err_set(err, st->layers_lock, "open the directory of layers");
	do {
		r = flock(st->layers_lock, LOCK_SH) < 0 ? -errno : 0;
	} while (r == -EINTR);
	return r < 0 ? err_set(err, r, "lock the directory of layers") : 0;
}

int layers_new(struct storage *st, struct lxmgr_err *err)
{
	char id[STORAGE_NAME_SIZE];
	uint64_t random;
	int fd, r;

	if (st->n_layers + 1 >= OVERLAY_LOWERS)
		return -E2BIG;
	r = lock_store(st, err);
	if (r < 0)
		return r;
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return err_set(err, -EIO, "make a name for a layer");
	snprintf(id, sizeof(id), "%016" PRIx64, random);
	if (mkdirat(st->layers_lock, id, 0700) < 0)
		return err_set(err, -errno, "make a layer");
	fd = openat(st->layers_lock, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "open a layer");
	memmove(st->layer[1], st->layer[0], st->n_layers * sizeof(st->layer[0]));
	snprintf(st->layer[0], sizeof(st->layer[0]), "%s", id);
	st->n_layers++;
	return fd;
}

int layers_open_dir(int ct_fd, const char *id)
{
	cleanup_fd int store = layers_open(ct_fd);
	int fd;

	if (store < 0)
		return store;
	fd = openat(store, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int layers_make_dir(int ct_fd, const char *id)
{
	cleanup_fd int store = layers_open(ct_fd);

	if (store < 0)
		return store;
	if (mkdirat(store, id, 0700) < 0 && errno != EEXIST)
		return -errno;
	return layers_open_dir(ct_fd, id);
}

int layers_open_root(int ct_fd, const char *id)
{
	cleanup_fd int dir = layers_open_dir(ct_fd, id);
	int fd;

	if (dir < 0)
		return dir;
	fd = openat(dir, "rootfs", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The layers that the file `storage` in dir names. A file that cannot be read, other than one that
 * is not there, ends the collection: what it names is not known. */
static int add_used(int dir, struct strlist *used)
{
	static const struct storage_spec none;
	struct storage st;
	int r;

	storage_init(&st, dir, &none);
	r = storage_read(&st, NULL);
	for (size_t i = 0; r == 0 && i < st.n_layers; i++)
		r = strlist_add(used, st.layer[i]);
	return r == -ENOENT ? 0 : r;
}

/* fn for each directory below dir, but "." and "..". */
static int each_dir(int dir, int (*fn)(int sub, struct strlist *used), struct strlist *used)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d)
		return -errno;
	while (r == 0 && (e = readdir(d))) {
		cleanup_fd int sub = -EBADF;

		if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		sub = openat(fd, e->d_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0)
			r = fn(sub, used);
		else if (errno != ENOTDIR && errno != ENOENT && errno != ELOOP)
			r = -errno;
	}
	return r;
}

static int add_container(int dir, struct strlist *used)
{
	cleanup_fd int snapshots =
		openat(dir, SNAPSHOTS, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = add_used(dir, used);

	if (r < 0 || snapshots < 0)
		return r;
	return each_dir(snapshots, add_used, used);
}

int storage_collect(int path_fd, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist used = { 0 };
	int fd = openat(path_fd, STORE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int missing = fd < 0 ? -errno : 0, r = btrfs_images_collect(path_fd, err);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (r < 0 || missing == -ENOENT)
		return r;
	if (!d)
		return err_set(err, missing ? missing : -errno, "open the directory of layers");
	/* Somebody is making one: whoever comes later collects. */
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? 0 : err_set(err, -errno, "lock the layers");
	r = each_dir(path_fd, add_container, &used);
	if (r < 0)
		return err_set(err, r, "find the layers that are in use");
	while ((e = readdir(d))) {
		if (*e->d_name == '.' || strlist_has(&used, e->d_name))
			continue;
		log_info("removing the layer '%s', which nothing needs", e->d_name);
		r = remove_tree_at(fd, e->d_name);
		if (r < 0)
			return err_set(err, r, "delete the layer '%s'", e->d_name);
	}
	return 0;
}
