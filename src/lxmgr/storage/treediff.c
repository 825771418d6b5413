/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "storage/treediff.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"

#define MAX_DEPTH  200
#define PIECE	   65536
#define NAMES_SIZE 4096
#define VALUE_SIZE 4096

struct walk {
	enum tree_compare how;
	int (*fn)(enum tree_change change, const char *path, void *arg);
	void *arg;
	char path[PATH_MAX];
	int depth;
};

/* The names in a directory, sorted. */
static int list(int fd, struct strlist *names)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *e;

	if (!d)
		return -errno;
	while ((e = readdir(d)))
		if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, "..") &&
		    strlist_add(names, e->d_name) < 0)
			return -ENOMEM;
	strlist_sort(names);
	return 0;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static ssize_t read_full(int fd, char *buf, size_t size)
{
	size_t n = 0;

	while (n < size) {
		ssize_t got = read(fd, buf + n, size - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : (ssize_t)n;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

/* 1: the same bytes. */
static int same_bytes(int a_dir, int b_dir, const char *name)
{
	cleanup_fd int a = openat(a_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	cleanup_fd int b = openat(b_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	static char x[PIECE], y[PIECE];
	ssize_t n, m;

	if (a < 0 || b < 0)
		return -errno;
	do {
		n = read_full(a, x, sizeof(x));
		m = read_full(b, y, sizeof(y));
		if (n < 0 || m < 0)
			return (int)(n < 0 ? n : m);
		if (n != m || memcmp(x, y, (size_t)n) != 0)
			return 0;
	} while (n > 0);
	return 1;
}

static int same_link(int a_dir, int b_dir, const char *name)
{
	char a[PATH_MAX], b[PATH_MAX];
	ssize_t n = readlinkat(a_dir, name, a, sizeof(a));
	ssize_t m = readlinkat(b_dir, name, b, sizeof(b));

	if (n < 0 || m < 0)
		return -errno;
	return n == m && memcmp(a, b, (size_t)n) == 0;
}

/* Are all extended attributes of a in b? Those of the overlay itself are not the guest's. */
static int has_xattrs(const char *a, const char *b)
{
	char names[NAMES_SIZE], x[VALUE_SIZE], y[VALUE_SIZE];
	ssize_t len = llistxattr(a, names, sizeof(names));

	if (len < 0)
		return errno == EOPNOTSUPP ? 1 : -errno;
	for (const char *n = names; n < names + len; n += strlen(n) + 1) {
		ssize_t i, k;

		if (str_has_prefix(n, "trusted.overlay.") || str_eq(n, "security.selinux"))
			continue;
		i = lgetxattr(a, n, x, sizeof(x));
		k = lgetxattr(b, n, y, sizeof(y));
		if (i < 0)
			return -errno;
		if (i != k || memcmp(x, y, (size_t)i) != 0)
			return 0;
	}
	return 1;
}

static int same_xattrs(int a_dir, int b_dir, const char *name)
{
	char dir[FD_PATH_SIZE], a[FD_PATH_SIZE + 256], b[FD_PATH_SIZE + 256];
	int r;

	snprintf(a, sizeof(a), "%s/%s", fd_path(a_dir, dir), name);
	snprintf(b, sizeof(b), "%s/%s", fd_path(b_dir, dir), name);
	r = has_xattrs(a, b);
	return r == 1 ? has_xattrs(b, a) : r;
}

/* 1: the same content. Both are of one type. */
static int same_content(const struct walk *w, int a_dir, int b_dir, const char *name,
			const struct stat *a, const struct stat *b)
{
	if (S_ISLNK(a->st_mode))
		return same_link(a_dir, b_dir, name);
	if (S_ISCHR(a->st_mode) || S_ISBLK(a->st_mode))
		return a->st_rdev == b->st_rdev;
	if (!S_ISREG(a->st_mode))
		return 1;
	if (a->st_size != b->st_size)
		return 0;
	if (w->how == TREE_BY_CONTENT)
		return same_bytes(a_dir, b_dir, name);
	return same_time(&a->st_mtim, &b->st_mtim);
}

static int walk_dirs(struct walk *w, int before, int after);

static int told(struct walk *w, enum tree_change change)
{
	return w->fn(change, w->path, w->arg);
}

static int compare(struct walk *w, int before, int after, const char *name)
{
	struct stat a, b;
	int r;

	if (fstatat(before, name, &a, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fstatat(after, name, &b, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if ((a.st_mode & S_IFMT) != (b.st_mode & S_IFMT))
		return told(w, TREE_CONTENT);
	if (w->how == TREE_BY_CHANGE_TIME && !S_ISDIR(a.st_mode)) {
		/* Another inode, or one that was changed. */
		if (a.st_ino != b.st_ino || !same_time(&a.st_ctim, &b.st_ctim))
			return told(w, TREE_CONTENT);
		return 0;
	}
	r = same_content(w, before, after, name, &a, &b);
	if (r <= 0)
		return r < 0 ? r : told(w, TREE_CONTENT);
	if (a.st_mode == b.st_mode && a.st_uid == b.st_uid && a.st_gid == b.st_gid)
		r = same_xattrs(before, after, name);
	else
		r = 0;
	if (r == 0)
		r = told(w, TREE_META);
	if (r < 0 || !S_ISDIR(a.st_mode))
		return r < 0 ? r : 0;
	{
		cleanup_fd int x = open_in(before, name, OPEN_NO_XDEV, O_RDONLY | O_DIRECTORY, 0);
		cleanup_fd int y = open_in(after, name, OPEN_NO_XDEV, O_RDONLY | O_DIRECTORY, 0);

		return x < 0 ? x : y < 0 ? y : walk_dirs(w, x, y);
	}
}

/* One name of either list; the path is w's while it is looked at. */
static int visit(struct walk *w, int before, int after, const char *name, int order)
{
	size_t n = strlen(w->path);
	int r;

	if (n + strlen(name) + 2 > sizeof(w->path))
		return -ENAMETOOLONG;
	snprintf(w->path + n, sizeof(w->path) - n, "%s%s", n ? "/" : "", name);
	if (order < 0)
		r = told(w, TREE_DELETED);
	else if (order > 0)
		r = told(w, TREE_ADDED);
	else
		r = compare(w, before, after, name);
	w->path[n] = '\0';
	return r;
}

static int walk_dirs(struct walk *w, int before, int after)
{
	cleanup_strlist struct strlist a = { 0 }, b = { 0 };
	size_t i = 0, k = 0;
	int r = w->depth == MAX_DEPTH ? -ELOOP : list(before, &a);

	if (r == 0)
		r = list(after, &b);
	w->depth++;
	while (r == 0 && (i < a.n || k < b.n)) {
		int order = i == a.n ? 1 : k == b.n ? -1 : strcmp(a.v[i], b.v[k]);

		r = visit(w, before, after, order > 0 ? b.v[k] : a.v[i], order);
		i += order <= 0;
		k += order >= 0;
	}
	w->depth--;
	return r;
}

int tree_diff(int before_fd, int after_fd, enum tree_compare how,
	      int (*fn)(enum tree_change change, const char *path, void *arg), void *arg,
	      struct lxmgr_err *err)
{
	struct walk *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return err_set(err, -ENOMEM, "compare two roots");
	w->how = how;
	w->fn = fn;
	w->arg = arg;
	r = walk_dirs(w, before_fd, after_fd);
	if (r < 0)
		err_set(err, r, "compare the two roots at '%s'", w->path);
	free(w);
	return r;
}
