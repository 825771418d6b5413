/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cache of golden images. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/image.h"
#include "image/cache.h"
#include "image/names.h"
#include "image/users.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/paths.h"
#include "util/str.h"

int image_cache_open(struct lxmgr_err *err)
{
	int r = mkdir_p(IMAGE_CACHE, 0711), fd;

	if (r < 0)
		return err_set(err, r, "make '%s'", IMAGE_CACHE);
	fd = open(IMAGE_CACHE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_set(err, -errno, "open '%s'", IMAGE_CACHE) : fd;
}

int image_open_in(int cache, const char *digest, struct image *ret)
{
	cleanup_fd int dir = openat(cache, digest, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_fd int root = -EBADF, lock = -EBADF;

	if (dir < 0)
		return -errno;
	root = openat(dir, "rootfs", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (root < 0)
		return -errno;
	lock = lock_at(dir, "lock", false, 1000, NULL);
	if (lock < 0)
		return lock;
	/* When it was used last. */
	if (futimens(lock, NULL) < 0)
		log_info("cannot note that the image is used, ignoring");
	snprintf(ret->digest, sizeof(ret->digest), "%s", digest);
	ret->root_fd = take_fd(&root);
	ret->lock_fd = take_fd(&lock);
	return 0;
}

int image_open(const char *digest, struct image *ret, struct lxmgr_err *err)
{
	cleanup_fd int cache = image_cache_open(err);
	int r;

	if (cache < 0)
		return cache;
	if (!name_is_digest(digest))
		return err_msg(err, -EINVAL, "'%s' is no image digest", digest);
	r = image_open_in(cache, digest, ret);
	return r < 0 ? err_set(err, r, "open the image %.12s", digest) : 0;
}

void image_close(struct image *img)
{
	fd_close(&img->root_fd);
	fd_close(&img->lock_fd);
}

int image_list(int (*fn)(const char *digest, int dirfd, void *arg), void *arg)
{
	cleanup_fd int cache = image_cache_open(NULL);
	cleanup_dir DIR *d = NULL;
	struct dirent *e;
	int r = 0, fd;

	if (cache < 0)
		return cache;
	fd = dup(cache);
	d = fdopendir(fd);
	while (d && r == 0 && (e = readdir(d))) {
		cleanup_fd int dir = -EBADF;

		if (!name_is_digest(e->d_name))
			continue;
		dir = openat(cache, e->d_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (dir >= 0)
			r = fn(e->d_name, dir, arg);
	}
	return r;
}

int image_delete(const char *digest, struct lxmgr_err *err)
{
	cleanup_fd int cache = image_cache_open(err), dir = -EBADF, lock = -EBADF;
	cleanup_strlist struct strlist users = { 0 };
	char dead[IMAGE_DIGEST_LEN + 16];
	int r;

	if (cache < 0)
		return cache;
	if (!name_is_digest(digest))
		return err_msg(err, -EINVAL, "'%s' is no image digest", digest);
	dir = openat(cache, digest, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? 0 : err_set(err, -errno, "open the image %.12s", digest);
	lock = lock_at(dir, "lock", true, 0, NULL);
	if (lock < 0 && lock != -EWOULDBLOCK)
		return err_set(err, lock, "lock the image %.12s", digest);
	if (lock < 0)
		return err_status(err, STATUS_WRONG_STATE, -EBUSY,
				  "the image %.12s is in use: a container is made of it", digest);
	/* With the lock, nobody becomes one. */
	r = image_users(digest, &users, err);
	if (r < 0)
		return r;
	if (users.n)
		return err_status(err, STATUS_WRONG_STATE, -EBUSY,
				  "the image %.12s is in use: '%s' stands on it%s", digest,
				  users.v[0], users.n > 1 ? ", and others" : "");
	/* From the rename on it is gone; a kill behind it leaves its names to image_clean(). */
	snprintf(dead, sizeof(dead), ".%s.dead", digest);
	if (renameat(cache, digest, cache, dead) < 0)
		return err_set(err, -errno, "remove the image %.12s", digest);
	r = names_drop(cache, digest, err);
	if (r < 0)
		return r;
	r = remove_tree_at(cache, dead);
	return r < 0 ? err_set(err, r, "delete the image %.12s", digest) : 0;
}

static void lock_name(const char *digest, char *buf, size_t size)
{
	snprintf(buf, size, ".%.*s.lock", IMAGE_DIGEST_LEN, digest);
}

int image_build_lock(int cache, const char *digest, int timeout_ms, pid_t *ret_holder)
{
	char name[IMAGE_DIGEST_LEN + 16];

	lock_name(digest, name, sizeof(name));
	return lock_at(cache, name, true, timeout_ms, ret_holder);
}

void image_build_unlock(int cache, const char *digest, int *lock)
{
	char name[IMAGE_DIGEST_LEN + 16];

	lock_name(digest, name, sizeof(name));
	unlinkat(cache, name, 0);
	fd_close(lock);
}

static void clean_entry(int cache, const char *entry)
{
	if (remove_tree_at(cache, entry) < 0)
		log_warn("cannot remove %s, ignoring", entry);
}

/* Nobody builds it any more when its lock is free. */
static void clean_build(int cache, const char *entry)
{
	int lock = image_build_lock(cache, entry + 1, 0, NULL);

	if (lock < 0)
		return;
	clean_entry(cache, entry);
	image_build_unlock(cache, entry + 1, &lock);
}

static void clean_deleted(int cache, const char *entry)
{
	cleanup_fd int dir = openat(cache, entry, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_fd int lock = dir < 0 ? -EBADF : lock_at(dir, "lock", true, 0, NULL);
	char digest[IMAGE_DIGEST_LEN + 1];

	if (lock < 0)
		return;
	snprintf(digest, sizeof(digest), "%.64s", entry + 1);
	/* One of the same content may have come since; then the names may be its. */
	if (faccessat(cache, digest, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT &&
	    names_drop(cache, digest, NULL) < 0)
		return;
	clean_entry(cache, entry);
}

void image_clean(int cache)
{
	int fd = dup(cache);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (d)
		rewinddir(d);
	while (d && (e = readdir(d))) {
		/* Those of an earlier version could be passed by everybody. */
		if (name_is_digest(e->d_name) && fchmodat(cache, e->d_name, 0700, 0) < 0)
			log_info("cannot close %s to others, ignoring", e->d_name);
		if (e->d_name[0] != '.')
			continue;
		if (str_has_suffix(e->d_name, ".new"))
			clean_build(cache, e->d_name);
		else if (str_has_suffix(e->d_name, ".dead"))
			clean_deleted(cache, e->d_name);
	}
}
