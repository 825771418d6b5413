/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "image/cache.h"
#include "image/digest.h"
#include "image/names.h"
#include "image/store.h"
#include "image/unpack.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/str.h"

#define BUILD_WAIT_MS 3600000

int image_build_begin(struct image_build *b, const char *digest, struct lxmgr_err *err)
{
	pid_t holder = 0;
	int r;

	b->cache = image_cache_open(err);
	if (b->cache < 0)
		return b->cache;
	snprintf(b->id, sizeof(b->id), "%s", digest);
	snprintf(b->tmp, sizeof(b->tmp), ".%s.new", digest);
	b->lock = image_build_lock(b->cache, digest, BUILD_WAIT_MS, &holder);
	if (b->lock == -EWOULDBLOCK)
		return err_status(err, STATUS_LOCKED, b->lock,
				  "another process (%d) still builds this image", holder);
	if (b->lock < 0)
		return err_set(err, b->lock, "lock the image that is to be built");
	image_clean(b->cache);
	r = remove_tree_at(b->cache, b->tmp);
	if (r < 0 || mkdirat(b->cache, b->tmp, 0700) < 0)
		return err_set(err, r < 0 ? r : -errno, "make a place for the image");
	b->dir = openat(b->cache, b->tmp, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* Whatever the caller's umask is: below it are services that are not root's. */
	if (b->dir < 0 || mkdirat(b->dir, "rootfs", 0755) < 0 ||
	    fchmodat(b->dir, "rootfs", 0755, 0) < 0)
		return err_set(err, -errno, "make the image's root");
	b->root = openat(b->dir, "rootfs", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return b->root < 0 ? err_set(err, -errno, "open the image's root") : 0;
}

static int finish_tree(struct image_build *b, struct image_meta *m, struct lxmgr_err *err)
{
	uint64_t bytes;
	int r = image_verify_tree(b->root, &bytes, err);

	if (r == 0 && !m->size)
		m->size = bytes;
	if (r == 0 && !*m->tree)
		r = digest_tree(b->root, m->tree, err);
	if (!m->created)
		m->created = time(NULL);
	return r < 0 ? r : image_meta_write(b->dir, m, err);
}

int image_build_commit(struct image_build *b, const char *digest, struct image_meta *m,
		       struct lxmgr_err *err)
{
	int r = finish_tree(b, m, err);

	if (r < 0)
		return r;
	/* Before it has its name: nobody deletes it then until the caller has opened it. */
	b->hold = lock_at(b->dir, "lock", false, 0, NULL);
	if (b->hold < 0)
		return err_set(err, b->hold, "lock the new image");
	/* All of the tree reaches the disk before its name does. */
	if (syncfs(b->cache) < 0)
		return err_set(err, -errno, "write the image to disk");
	if (renameat2(b->cache, b->tmp, b->cache, digest, RENAME_NOREPLACE) < 0 && errno != EEXIST)
		return err_set(err, -errno, "put the image in place");
	fsync(b->cache);
	return 0;
}

void image_build_end(struct image_build *b)
{
	if (b->lock >= 0 && remove_tree_at(b->cache, b->tmp) < 0)
		log_warn("cannot remove the unfinished image, ignoring");
	fd_close(&b->root);
	fd_close(&b->dir);
	fd_close(&b->hold);
	if (b->lock >= 0)
		image_build_unlock(b->cache, b->id, &b->lock);
	fd_close(&b->cache);
}

static bool is_dir(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* Beside metadata.yaml, rootfs/ is the root: of the metadata nothing is taken. */
static int take_unified(struct image_build *b, struct lxmgr_err *err)
{
	int r;

	if (!is_dir(b->root, "rootfs") || is_dir(b->root, "etc") || is_dir(b->root, "usr") ||
	    faccessat(b->root, "metadata.yaml", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (renameat(b->dir, "rootfs", b->dir, "outer") < 0 ||
	    renameat(b->root, "rootfs", b->dir, "rootfs") < 0)
		return err_set(err, -errno, "take the root out of the archive");
	fd_close(&b->root);
	b->root = openat(b->dir, "rootfs", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (b->root < 0)
		return err_set(err, -errno, "open the image's root");
	r = remove_tree_at(b->dir, "outer");
	return r < 0 ? err_set(err, r, "remove the archive's metadata") : 0;
}

static int unpack(struct image_build *b, struct image_archive *a, struct lxmgr_err *err)
{
	struct unpack u = UNPACK_INIT;
	int r;

	if (lseek(a->fd, 0, SEEK_SET) < 0)
		return err_set(err, -errno, "read the archive");
	u.archive_fd = a->fd;
	u.target_fd = b->root;
	u.max_size = a->max_size;
	u.cancel_fd = a->cancel_fd;
	r = unpack_run(&u, err);
	if (r == 0 && !a->meta.size)
		a->meta.size = u.bytes;
	return r < 0 ? r : take_unified(b, err);
}

int image_from_archive(struct image_archive *a, struct lxmgr_err *err)
{
	struct image_build b __attribute__((cleanup(image_build_end))) = IMAGE_BUILD_INIT;
	struct image img = { .root_fd = -EBADF, .lock_fd = -EBADF };
	int r = image_build_begin(&b, a->digest, err);

	if (r < 0)
		return r;
	r = image_open_in(b.cache, a->digest, &img);
	if (r == -ENOENT && a->fd < 0)
		return err_msg(err, r, "the image %.12s is gone", a->digest);
	if (r < 0 && a->fd < 0)
		return err_set(err, r, "open the image %.12s", a->digest);
	if (r < 0) {
		r = unpack(&b, a, err);
		if (r == 0)
			r = image_build_commit(&b, a->digest, &a->meta, err);
		if (r < 0)
			return r;
		r = image_open_in(b.cache, a->digest, &img);
		if (r < 0)
			return err_set(err, r, "open the new image %.12s", a->digest);
	}
	/* Named before it is let go of: a prune would take one without a name. */
	if (r == 0 && a->name)
		r = names_set(b.cache, a->name, a->digest, err);
	if (r == 0 && a->keep)
		*a->keep = img;
	else
		image_close(&img);
	return r;
}

static int by_prefix(int cache, const char *prefix, char ret[IMAGE_DIGEST_LEN + 1])
{
	int fd = dup(cache), found = 0;
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (d)
		rewinddir(d);
	while (d && (e = readdir(d)))
		if (name_is_digest(e->d_name) && str_has_prefix(e->d_name, prefix)) {
			snprintf(ret, IMAGE_DIGEST_LEN + 1, "%.64s", e->d_name);
			found++;
		}
	return found;
}

int image_resolve(int cache, const char *name, char ret[IMAGE_DIGEST_LEN + 1],
		  struct lxmgr_err *err)
{
	size_t n = strlen(name);
	int r;

	if (n >= 12 && n <= IMAGE_DIGEST_LEN && strspn(name, "0123456789abcdef") == n) {
		r = by_prefix(cache, name, ret);
		if (r == 1)
			return 0;
		return r ? err_msg(err, -EINVAL, "'%s' begins several images' digests", name)
			 : err_msg(err, -ENOENT, "there is no image %s", name);
	}
	r = *name == '@' ? -ENOENT : names_get(cache, name, ret);
	/* Of a deletion that was killed. */
	if (r == 0 && faccessat(cache, ret, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		r = -ENOENT;
	if (r == -ENOENT)
		return err_msg(err, r, "there is no image '%.100s' (see lxmgr-image list)", name);
	return r < 0 ? err_set(err, r, "look for the image '%.100s'", name) : 0;
}

int image_open_named(const char *name, struct image *ret, struct lxmgr_err *err)
{
	cleanup_fd int cache = image_cache_open(err);
	char digest[IMAGE_DIGEST_LEN + 1];
	int r = cache < 0 ? cache : image_resolve(cache, name, digest, err);

	return r < 0 ? r : image_open(digest, ret, err);
}
