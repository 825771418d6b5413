/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest can nest deeper than a path is long. The walk over the source takes along the directory
 * of the copy. Nobody else reaches the copy, and nobody changes the source.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/deepcopy.h"
#include "storage/treeattrs.h"
#include "storage/treecopy.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/treewalk.h"

/* What cp puts before a name takes less than the difference. */
#define PATH_LIMIT (PATH_MAX - 128)
#define DIR_FLAGS  (O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
#define LINKS	   ".lxmgr-links-"

struct copy {
	struct treealong to;
	int links; /* a directory of the copy's top: files with several names, by inode */
	char links_name[32];
};

#define cleanup_copy __attribute__((cleanup(copy_end)))

static void copy_end(struct copy *c)
{
	treealong_end(&c->to);
	fd_close(&c->links);
}

/* The file systems that share contents do, and holes stay holes. */
static int copy_contents(int from, int to, off_t size)
{
	off_t at = 0, end;

	if (ioctl(to, FICLONE, from) == 0)
		return 0;
	if (ftruncate(to, size) < 0)
		return -errno;
	while (at < size && (at = lseek(from, at, SEEK_DATA)) >= 0) {
		end = lseek(from, at, SEEK_HOLE);
		if (end < 0)
			return -errno;
		if (lseek(from, at, SEEK_SET) < 0 || lseek(to, at, SEEK_SET) < 0)
			return -errno;
		while (at < end) {
			char buf[65536];
			size_t want =
				(size_t)(end - at) < sizeof(buf) ? (size_t)(end - at) : sizeof(buf);
			ssize_t got = read(from, buf, want);
			int r = got < 0 ? -errno : write_all(to, buf, (size_t)got);

			if (r < 0 || got == 0)
				return r;
			at += got;
		}
	}
	/* Behind the last data there is but a hole. */
	return at < 0 && errno != ENXIO ? -errno : 0;
}

static int make_regular(struct copy *c, int dir, const char *name, const struct stat *st)
{
	cleanup_fd int from = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	cleanup_fd int to =
		from < 0 ? -EBADF
			 : openat(c->to.fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return from < 0 || to < 0 ? -errno : copy_contents(from, to, st->st_size);
}

static int make_link(struct copy *c, int dir, const char *name)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dir, name, target, sizeof(target));

	if (n < 0 || (size_t)n >= sizeof(target))
		return n < 0 ? -errno : -ENAMETOOLONG;
	target[n] = '\0';
	return symlinkat(target, c->to.fd, name) < 0 ? -errno : 0;
}

static int make_file(struct copy *c, int dir, const char *name, const struct stat *st)
{
	cleanup_fd int from = -EBADF, to = -EBADF;
	int r = 0;

	if (S_ISREG(st->st_mode))
		r = make_regular(c, dir, name, st);
	else if (S_ISLNK(st->st_mode))
		r = make_link(c, dir, name);
	else if (mknodat(c->to.fd, name, st->st_mode & (S_IFMT | 0600), st->st_rdev) < 0)
		r = -errno;
	if (r < 0)
		return r;
	from = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	to = openat(c->to.fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return from < 0 || to < 0 ? -errno : tree_copy_all_attributes(from, to);
}

static int copy_file(void *arg, int dir, const char *name, unsigned char type)
{
	struct copy *c = arg;
	struct stat st;
	char key[48];
	int r;

	(void)type;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (st.st_nlink < 2)
		return make_file(c, dir, name, &st);
	snprintf(key, sizeof(key), "%jx-%jx", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	if (linkat(c->links, key, c->to.fd, name, 0) == 0)
		return 0;
	if (errno != ENOENT)
		return -errno;
	r = make_file(c, dir, name, &st);
	return r < 0 || linkat(c->to.fd, name, c->links, key, 0) == 0 ? r : -errno;
}

static int enter(void *arg, int fd, const char *name)
{
	struct copy *c = arg;

	(void)fd;
	if (tree_copy_is_cancelled())
		return -ECANCELED;
	return mkdirat(c->to.fd, name, 0700) < 0 ? -errno : treealong_down(&c->to, name);
}

static int leave(void *arg, int fd, const char *name)
{
	struct copy *c = arg;
	int r = tree_copy_all_attributes(fd, c->to.fd);

	(void)name;
	return r < 0 ? r : treealong_up(&c->to);
}

/* How long the paths are, in bytes. */
static int add_length(void *arg, int fd, const char *name)
{
	size_t *len = arg;

	(void)fd;
	*len += strlen(name) + 1;
	/* A file's name comes behind that. */
	return *len + NAME_MAX > PATH_LIMIT;
}

static int take_length(void *arg, int fd, const char *name)
{
	size_t *len = arg;

	(void)fd;
	*len -= strlen(name) + 1;
	return 0;
}

bool deepcopy_is_needed(int dir_fd)
{
	static const struct treewalk how = { .enter = add_length, .leave = take_length };
	size_t len = 0;

	return tree_walk(dir_fd, &how, &len) > 0;
}

/* A name that the source has not got. */
static int make_links(struct copy *c, int from_fd)
{
	struct stat st;
	int r = -EEXIST;

	for (int i = 0; i < 1000 && r == -EEXIST; i++) {
		snprintf(c->links_name, sizeof(c->links_name), LINKS "%d", i);
		if (fstatat(from_fd, c->links_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		r = mkdirat(c->to.fd, c->links_name, 0700) < 0 ? -errno : 0;
	}
	if (r == 0)
		r = c->links = open_in(c->to.fd, c->links_name, OPEN_NO_XDEV, DIR_FLAGS, 0);
	return r < 0 ? r : 0;
}

int deepcopy(int from_fd, int to_fd, struct lxmgr_err *err)
{
	static const struct treewalk how = { .file = copy_file, .enter = enter, .leave = leave };
	cleanup_copy struct copy c = { .to = TREEALONG_INIT, .links = -EBADF };
	int r;

	r = treealong_begin(&c.to, to_fd);
	if (r == 0)
		r = make_links(&c, from_fd);
	if (r == 0)
		r = tree_walk(from_fd, &how, &c);
	if (r == 0)
		r = remove_tree_at(c.to.fd, c.links_name);
	if (r == 0)
		r = tree_copy_all_attributes(from_fd, c.to.fd);
	return r < 0 ? err_set(err, r, "copy a tree that is nested deeper than a path is long") : 0;
}
