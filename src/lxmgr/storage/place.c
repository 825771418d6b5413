/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "storage/place.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/str.h"

/* User namespaces cannot set it. */
#define MARK	  "trusted.lxmgr.root"
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

#define TMP_SIZE (STORAGE_TAG_SIZE + 8)

bool storage_place_is_valid(const char *path)
{
	if (*path != '/' || !path[1] || strlen(path) >= STORAGE_PATH_SIZE)
		return false;
	for (const char *p = path; *p; p += 1 + strcspn(p + 1, "/")) {
		size_t n = strcspn(p + 1, "/");

		if (n == 0 || (n <= 2 && strspn(p + 1, ".") >= n))
			return false;
	}
	for (; *path; path++)
		if ((unsigned char)*path < ' ' || *path == 0x7f)
			return false;
	return true;
}

static int open_dir(const char *path)
{
	cleanup_fd int top = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return top < 0 ? -errno : open_in(top, path, OPEN_NO_LINKS, O_RDONLY | O_DIRECTORY, 0);
}

static int open_parent(const char *path)
{
	char parent[STORAGE_PATH_SIZE];

	snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(path, '/') - path), path);
	return open_dir(*parent ? parent : "/");
}

static const char *name_of(const char *path)
{
	return strrchr(path, '/') + 1;
}

static void temp_name(const struct storage *st, char ret[TMP_SIZE])
{
	snprintf(ret, TMP_SIZE, ".lxmgr-%s", st->tag);
}

static int check_parent(int fd, const char *path, bool *closed, struct lxmgr_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(err, -errno, "look at '%s'", path);
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return err_status(err, STATUS_REFUSED, -EPERM,
				  "--dir: '%s' must belong to root and be writable by nobody else",
				  path);
	if (fgetxattr(fd, MARK, NULL, 0) >= 0)
		return err_status(err, STATUS_REFUSED, -EPERM,
				  "--dir: '%s' is the root of another container", path);
	*closed = *closed || !(st.st_mode & 011);
	return 0;
}

int storage_place_check(const char *path, bool map, struct lxmgr_err *err)
{
	char part[STORAGE_PATH_SIZE];
	bool closed = false;
	int r = 0;

	snprintf(part, sizeof(part), "%s", path);
	for (char *end = strrchr(part, '/'); end && r == 0; end = strrchr(part, '/')) {
		cleanup_fd int fd = -EBADF;
		bool first = strlen(part) == strlen(path);

		*end = '\0';
		fd = open_dir(*part ? part : "/");
		if (fd < 0)
			return err_set(err, fd, "--dir: open '%s'", *part ? part : "/");
		r = check_parent(fd, *part ? part : "/", &closed, err);
		if (r == 0 && first && map) {
			r = storage_can_map(fd, err);
			if (r < 0)
				err_prefix(err, "--dir: ids cannot be mapped there");
		}
	}
	if (r < 0 || closed)
		return r;
	err_status(err, STATUS_REFUSED, -EPERM,
		   "--dir: all users of the host could enter '%s', and run what the guest makes "
		   "set-user-ID there",
		   path);
	return err_hint(err, "name one below a directory that is root's alone (mkdir -m 700)");
}

/* Under a name of its own until it bears the mark. */
static int make_marked(const struct storage *st, int parent, struct lxmgr_err *err)
{
	cleanup_fd int fd = -EBADF;
	char tmp[TMP_SIZE];

	temp_name(st, tmp);
	if (mkdirat(parent, tmp, 0700) < 0)
		return err_set(err, -errno, "make the directory '%s'", st->dir);
	fd = openat(parent, tmp, DIR_FLAGS);
	if (fd < 0)
		return err_set(err, -errno, "open the directory '%s'", st->dir);
	if (fsetxattr(fd, MARK, st->tag, strlen(st->tag), XATTR_CREATE) < 0)
		return err_set(err, -errno, "mark '%s' as lxmgr's own (its attribute %s)", st->dir,
			       MARK);
	if (fsync(fd) < 0)
		return err_set(err, -errno, "write '%s' to disk", st->dir);
	if (renameat2(parent, tmp, parent, name_of(st->dir), RENAME_NOREPLACE) < 0)
		return errno == EEXIST ? err_status(err, STATUS_WRONG_STATE, -EEXIST,
						    "'%s' is there already", st->dir)
				       : err_set(err, -errno, "put '%s' in place", st->dir);
	return take_fd(&fd);
}

int place_make(struct storage *st, struct lxmgr_err *err)
{
	cleanup_fd int parent = -EBADF;
	uint64_t random;
	int r;

	if (!storage_place_is_valid(st->make->dir))
		return err_msg(err, -EINVAL, "no root can be made at '%s'", st->make->dir);
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return err_set(err, -EIO, "make a mark for '%s'", st->make->dir);
	snprintf(st->dir, sizeof(st->dir), "%s", st->make->dir);
	snprintf(st->tag, sizeof(st->tag), "%016" PRIx64, random);
	r = storage_write(st, true, err);
	if (r < 0)
		return r;
	parent = open_parent(st->dir);
	return parent < 0 ? err_set(err, parent, "open the directory above '%s'", st->dir)
			  : make_marked(st, parent, err);
}

/* 1: it is ours; 0: it is not, or is not there. */
static int is_ours(const struct storage *st, int parent)
{
	cleanup_fd int fd = openat(parent, name_of(st->dir), DIR_FLAGS);
	char mark[STORAGE_TAG_SIZE];
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : -errno;
	n = fgetxattr(fd, MARK, mark, sizeof(mark));
	if (n < 0 && errno != ENODATA && errno != EOPNOTSUPP && errno != ERANGE)
		return -errno;
	return n > 0 && (size_t)n == strlen(st->tag) && !memcmp(mark, st->tag, (size_t)n);
}

int place_remove(const struct storage *st, struct lxmgr_err *err)
{
	cleanup_fd int parent = open_parent(st->dir);
	char tmp[TMP_SIZE];
	int r;

	if (parent == -ENOENT || parent == -ENOTDIR || parent == -ELOOP || !*st->tag)
		return 0;
	if (parent < 0)
		return err_set(err, parent, "open the directory above '%s'", st->dir);
	temp_name(st, tmp);
	r = remove_tree_at(parent, tmp);
	if (r == 0)
		r = is_ours(st, parent);
	if (r == 0 && faccessat(parent, name_of(st->dir), F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		log_warn("'%s' is not what lxmgr made there: it stays", st->dir);
	else if (r > 0)
		r = remove_tree_at(parent, name_of(st->dir));
	return r < 0 ? err_set(err, r, "delete '%s'", st->dir) : 0;
}
