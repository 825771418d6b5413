/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a template leaves behind is hostile: it is gone through once, by fd, before it becomes an
 * image that containers stand on.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "image/image.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/str.h"

#define MAX_DEPTH   100
#define MAX_ENTRIES 4000000

struct walk {
	unsigned long entries;
	uint64_t bytes;
	struct lxmgr_err *err;
};

/* Overlay's own attributes would redirect a lookup, or make a file look removed. */
static int strip_xattrs(int dir, const char *name, struct walk *w)
{
	cleanup_fd int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char path[FD_PATH_SIZE], list[4096];
	ssize_t n;

	if (fd < 0)
		return err_set(w->err, -errno, "open '%s'", name);
	fd_path(fd, path);
	n = listxattr(path, list, sizeof(list));
	/* Links and special files carry none that count; a list that long is no image's. */
	if (n < 0)
		return errno == ERANGE
			       ? err_msg(w->err, -E2BIG, "'%s' has too many attributes", name)
			       : 0;
	for (char *p = list; p < list + n; p += strlen(p) + 1)
		if ((str_has_prefix(p, "trusted.overlay.") || str_has_prefix(p, "user.overlay.")) &&
		    removexattr(path, p) < 0)
			return err_set(w->err, -errno, "remove the attribute %s of '%s'", p, name);
	return 0;
}

static int walk_dir(int parent, const char *name, int depth, struct walk *w);

static int visit(int dir, const char *name, int depth, struct walk *w)
{
	struct stat st;

	if (++w->entries > MAX_ENTRIES)
		return err_msg(w->err, -E2BIG, "there are more than %d files", MAX_ENTRIES);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(w->err, -errno, "stat '%s'", name);
	/* /dev is a tmpfs of ours: nodes in an image have no use but a bad one. */
	if (S_ISBLK(st.st_mode) || S_ISCHR(st.st_mode) || S_ISSOCK(st.st_mode)) {
		if (unlinkat(dir, name, 0) < 0)
			return err_set(w->err, -errno, "remove the device '%s'", name);
		return 0;
	}
	/* A file with several names counts its share for each. */
	w->bytes += (uint64_t)st.st_blocks * 512 / (S_ISDIR(st.st_mode) ? 1 : st.st_nlink);
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return 0;
	if (strip_xattrs(dir, name, w) < 0)
		return w->err ? w->err->code : -EIO;
	return S_ISDIR(st.st_mode) ? walk_dir(dir, name, depth + 1, w) : 0;
}

static int walk_dir(int parent, const char *name, int depth, struct walk *w)
{
	int fd = open_in(parent, name, OPEN_NO_XDEV, O_RDONLY | O_DIRECTORY, 0), r = 0;
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d)
		return fd == -EXDEV ? err_msg(w->err, fd, "something is mounted on '%s'", name)
				    : err_set(w->err, fd < 0 ? fd : -errno, "open '%s'", name);
	if (depth > MAX_DEPTH)
		return err_msg(w->err, -ELOOP, "directories are nested deeper than %d", MAX_DEPTH);
	while (r == 0 && (e = readdir(d)))
		if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
			r = visit(fd, e->d_name, depth, w);
	return r;
}

int image_verify_tree(int rootfd, uint64_t *ret_bytes, struct lxmgr_err *err)
{
	struct walk w = { .err = err };
	struct stat st;

	if (fstat(rootfd, &st) < 0 || !S_ISDIR(st.st_mode))
		return err_msg(err, -ENOTDIR, "there is no root directory");
	if (st.st_uid != 0 || (st.st_mode & 022))
		return err_msg(err, -EPERM,
			       "the root directory belongs to user %u "
			       "or is writable by others",
			       st.st_uid);
	if (walk_dir(rootfd, ".", 0, &w) < 0)
		return err ? err->code : -EIO;
	*ret_bytes = w.bytes;
	return w.entries ? 0 : err_msg(err, -ENODATA, "it left an empty root directory");
}
