/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "storage/treediff.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/str.h"

#define PIECE 65536
/* The kernel's own limits. */
#define NAMES_SIZE 65536
#define VALUE_SIZE 65536

/* A directory was written to: nobody is told but that it differs. */
#define TREE_TIME 32

struct walk {
	enum tree_compare how;
	tree_diff_fn *fn;
	void *arg;
	char path[PATH_MAX];
};

/* The names in a directory, sorted. */
static int list(int fd, struct strlist *names)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *e;

	if (!d)
		return -errno;
	while ((errno = 0, e = readdir(d)))
		if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, "..") &&
		    strlist_add(names, e->d_name) < 0)
			return -ENOMEM;
	if (errno)
		return -errno;
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

/* A regular file, and nothing that whoever writes to the tree puts in its place: opening a device
 * has effects. */
static int open_file(int dir, const char *name)
{
	cleanup_fd int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char path[FD_PATH_SIZE];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ESTALE;
	dir = open(fd_path(fd, path), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return dir < 0 ? -errno : dir;
}

/* 1: the same bytes. */
static int same_bytes(int a_dir, int b_dir, const char *name)
{
	cleanup_fd int a = open_file(a_dir, name), b = open_file(b_dir, name);
	static char x[PIECE], y[PIECE];
	ssize_t n, m;

	if (a < 0 || b < 0)
		return a < 0 ? a : b;
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
	static char names[NAMES_SIZE], x[VALUE_SIZE], y[VALUE_SIZE];
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
	char dir[FD_PATH_SIZE], a[FD_PATH_SIZE + NAME_MAX + 2], b[FD_PATH_SIZE + NAME_MAX + 2];
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
	if (w->how == TREE_BY_CONTENT || w->how == TREE_EACH)
		return same_bytes(a_dir, b_dir, name);
	return same_time(&a->st_mtim, &b->st_mtim);
}

static int walk_dirs(struct walk *w, int before, int after);

static int told(struct walk *w, enum tree_change change, unsigned int what)
{
	return w->fn(change, what, w->path, w->arg);
}

static int go_to(struct walk *w, const char *name, size_t *ret_back)
{
	size_t n = strlen(w->path);

	if (n + strlen(name) + 2 > sizeof(w->path))
		return -ENAMETOOLONG;
	snprintf(w->path + n, sizeof(w->path) - n, "%s%s", n ? "/" : "", name);
	*ret_back = n;
	return 0;
}

/* All that is below w's path, which is in one tree alone. */
static int tell_below(struct walk *w, enum tree_change change, int dir, const char *name)
{
	cleanup_fd int fd = open_in(dir, name, OPEN_NO_XDEV, O_RDONLY | O_DIRECTORY, 0);
	cleanup_strlist struct strlist names = { 0 };
	int r;

	if (w->how != TREE_EACH || fd == -ENOTDIR || fd == -ELOOP)
		return 0;
	r = fd < 0 ? fd : list(fd, &names);
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		size_t back;

		r = go_to(w, names.v[i], &back);
		if (r < 0)
			break;
		r = told(w, change, 0);
		if (r == 0)
			r = tell_below(w, change, fd, names.v[i]);
		if (r == 0)
			w->path[back] = '\0';
	}
	return r;
}

static int differ_in_type(struct walk *w, int before, int after, const char *name)
{
	int r = told(w, TREE_CONTENT, TREE_TYPE);

	if (r == 0)
		r = tell_below(w, TREE_DELETED, before, name);
	return r < 0 ? r : tell_below(w, TREE_ADDED, after, name);
}

/* What sets the two apart, both of one type; a negative errno. */
static int find_what(const struct walk *w, int before, int after, const char *name,
		     const struct stat *a, const struct stat *b)
{
	int what = 0, r = same_content(w, before, after, name, a, b);

	if (r < 0)
		return r;
	if (r == 0)
		what |= TREE_DATA;
	/* Enough for others. */
	if (r == 0 && w->how != TREE_EACH)
		return what;
	if (a->st_mode != b->st_mode)
		what |= TREE_MODE;
	if (a->st_uid != b->st_uid || a->st_gid != b->st_gid)
		what |= TREE_OWNER;
	if (w->how == TREE_BY_CHANGE_TIME && !same_time(&a->st_mtim, &b->st_mtim))
		what |= TREE_TIME;
	if (!what || w->how == TREE_EACH) {
		r = same_xattrs(before, after, name);
		if (r < 0)
			return r;
		what |= r ? 0 : TREE_XATTR;
	}
	return what;
}

/* Seen twice, and not changed in between. Numbers of inodes differ between an overlay and its layer
 * where these are of several file systems; nobody inside sets the time of a change. */
static bool is_same_inode(const struct walk *w, const struct stat *a, const struct stat *b)
{
	return same_time(&a->st_ctim, &b->st_ctim) && same_time(&a->st_mtim, &b->st_mtim) &&
	       a->st_size == b->st_size && a->st_mode == b->st_mode && a->st_uid == b->st_uid &&
	       a->st_gid == b->st_gid && a->st_rdev == b->st_rdev &&
	       (w->how == TREE_BY_CHANGE_TIME || a->st_ino == b->st_ino);
}

static int compare(struct walk *w, int before, int after, const char *name)
{
	struct stat a, b;
	int r;

	if (fstatat(before, name, &a, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fstatat(after, name, &b, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if ((a.st_mode & S_IFMT) != (b.st_mode & S_IFMT))
		return differ_in_type(w, before, after, name);
	if ((w->how == TREE_BY_CHANGE_TIME || w->how == TREE_EACH) && !S_ISDIR(a.st_mode)) {
		bool same = is_same_inode(w, &a, &b);

		if (same || w->how == TREE_BY_CHANGE_TIME)
			return same ? 0 : told(w, TREE_CONTENT, 0);
	}
	r = find_what(w, before, after, name, &a, &b);
	if (r > 0)
		r = told(w, r & TREE_DATA ? TREE_CONTENT : TREE_META, (unsigned int)r);
	if (r < 0 || !S_ISDIR(a.st_mode))
		return r;
	{
		cleanup_fd int x = open_in(before, name, OPEN_NO_XDEV, O_RDONLY | O_DIRECTORY, 0);
		cleanup_fd int y = open_in(after, name, OPEN_NO_XDEV, O_RDONLY | O_DIRECTORY, 0);

		return x < 0 ? x : y < 0 ? y : walk_dirs(w, x, y);
	}
}

/* One name of either list; the path is w's while it is looked at. */
static int visit(struct walk *w, int before, int after, const char *name, int order)
{
	size_t back;
	int r = go_to(w, name, &back);

	if (r < 0)
		return r;
	if (order == 0) {
		r = compare(w, before, after, name);
	} else {
		enum tree_change change = order < 0 ? TREE_DELETED : TREE_ADDED;

		r = told(w, change, 0);
		if (r == 0)
			r = tell_below(w, change, order < 0 ? before : after, name);
	}
	/* An error is told with the path that it is of. */
	if (r == 0)
		w->path[back] = '\0';
	return r;
}

static int walk_dirs(struct walk *w, int before, int after)
{
	cleanup_strlist struct strlist a = { 0 }, b = { 0 };
	size_t i = 0, k = 0;
	int r = list(before, &a);

	if (r == 0)
		r = list(after, &b);
	while (r == 0 && (i < a.n || k < b.n)) {
		int order = i == a.n ? 1 : k == b.n ? -1 : strcmp(a.v[i], b.v[k]);

		r = visit(w, before, after, order > 0 ? b.v[k] : a.v[i], order);
		i += order <= 0;
		k += order >= 0;
	}
	return r;
}

/* Mode, owner and attributes of the two roots themselves. */
static int compare_roots(struct walk *w, int before, int after)
{
	struct stat a, b;
	int r;

	if (fstat(before, &a) < 0 || fstat(after, &b) < 0)
		return -errno;
	snprintf(w->path, sizeof(w->path), ".");
	r = find_what(w, before, after, ".", &a, &b);
	if (r > 0)
		r = told(w, TREE_META, (unsigned int)r);
	if (r == 0)
		*w->path = '\0';
	return r;
}

/* Two descriptors for each level, of which a guest may make as many as a path has room for. */
static void allow_files(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur == l.rlim_max)
		return;
	l.rlim_cur = l.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &l) < 0)
		log_info("the limit of open files cannot be raised, ignoring");
}

int tree_diff(int before_fd, int after_fd, enum tree_compare how, tree_diff_fn *fn, void *arg,
	      struct lxmgr_err *err)
{
	struct walk *w = calloc(1, sizeof(*w));
	char place[160];
	int r;

	if (!w)
		return err_set(err, -ENOMEM, "compare two roots");
	allow_files();
	w->how = how;
	w->fn = fn;
	w->arg = arg;
	r = how == TREE_EACH ? compare_roots(w, before_fd, after_fd) : 0;
	if (r == 0)
		r = walk_dirs(w, before_fd, after_fd);
	if (r < 0)
		err_set(err, r, "compare the two roots at '%s'",
			str_escape(place, sizeof(place), w->path));
	free(w);
	return r;
}
