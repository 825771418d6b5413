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

/* Is it a container's, a draft's or a snapshot's directory? */
static bool has_record(int dir_fd)
{
	static const struct storage_spec none;
	struct storage st;

	storage_init(&st, dir_fd, &none);
	return storage_read(&st, NULL) == 0;
}

/* A snapshot is a directory NAME/snapshots/SNAP. A directory of containers may have that name, too,
 * but what it lies in is no container. */
static bool is_snapshot(int ct_fd)
{
	cleanup_fd int above = openat(ct_fd, "../..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat up, named;

	return above >= 0 && fstatat(ct_fd, "..", &up, 0) == 0 &&
	       fstatat(above, SNAPSHOTS, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       up.st_dev == named.st_dev && up.st_ino == named.st_ino && has_record(above);
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

static int lock_shared(int store)
{
	int r;

	do {
		r = flock(store, LOCK_SH) < 0 ? -errno : 0;
	} while (r == -EINTR);
	return r;
}

int storage_hold_layers(int ct_fd, struct lxmgr_err *err)
{
	cleanup_fd int store = layers_open(ct_fd);
	int r = store < 0 ? store : lock_shared(store);

	if (r < 0)
		return r == -ENOENT ? r : err_set(err, r, "lock the directory of layers");
	return take_fd(&store);
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
	r = lock_shared(st->layers_lock);
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

/* fn for each directory below dir, but "." and "..". -EAGAIN: one was renamed or deleted meanwhile,
 * so that another that is there may not have been seen. */
static int each_dir(int dir, int (*fn)(int sub, struct strlist *used), struct strlist *used)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d)
		return -errno;
	while (r == 0 && (errno = 0, e = readdir(d))) {
		cleanup_fd int sub = -EBADF;

		if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		sub = openat(fd, e->d_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0)
			r = fn(sub, used);
		else if (errno == ENOENT)
			r = -EAGAIN;
		else if (errno != ENOTDIR && errno != ELOOP)
			r = -errno;
	}
	return r < 0 ? r : -errno;
}

static int add_container(int dir, struct strlist *used)
{
	cleanup_fd int snapshots =
		openat(dir, SNAPSHOTS, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = snapshots < 0 ? -errno : 0;

	if (r == 0)
		r = each_dir(snapshots, add_used, used);
	else if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP)
		r = 0;
	return r < 0 ? r : add_used(dir, used);
}

/* A few times, because there is always one that comes or goes where many are at work. */
static int find_used(int path_fd, struct strlist *used)
{
	int r = -EAGAIN;

	for (int tries = 0; tries < 10 && r == -EAGAIN; tries++)
		r = each_dir(path_fd, add_container, used);
	return r;
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
	r = find_used(path_fd, &used);
	if (r < 0)
		return r == -EAGAIN ? 0 : err_set(err, r, "find the layers that are in use");
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
