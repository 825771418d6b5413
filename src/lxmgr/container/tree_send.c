/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading files and trees, which somebody may be changing: everything is opened without effects
 * first, looked at, and then that very thing is read. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "container/tree.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/str.h"

#define LIST_MAX 65536

struct walk {
	struct tree *t;
	char path[PATH_MAX]; /* for messages */
	int64_t shown;
};

static int send_at(struct walk *w, int fd, const char *name, int depth, struct lxmgr_err *err);

static int gone(int r, struct lxmgr_err *err)
{
	if (r == -ECANCELED)
		return err_msg(err, r, "interrupted");
	return err_set(err, r, "hand it over");
}

static int warn(struct walk *w, const char *what, struct lxmgr_err *err)
{
	struct tree *t = w->t;
	int r;

	if (t->warn) {
		char text[PATH_MAX + 128];

		snprintf(text, sizeof(text), "'%s' %s", w->path, what);
		t->warn(text, t->arg);
		return 0;
	}
	memset(&t->m, 0, offsetof(struct tree_msg, data));
	t->m.len = (uint32_t)snprintf(t->m.data, sizeof(t->m.data), "'%s' %s", w->path, what) + 1;
	r = tree_put(t, TREE_WARN, -1);
	return r < 0 ? gone(r, err) : 0;
}

static uint32_t id_in(const struct idmap_extent *e, size_t n, uint32_t id)
{
	for (size_t i = 0; i < n; i++)
		if (id >= e[i].outside && id - e[i].outside < e[i].count)
			return e[i].inside + (id - e[i].outside);
	return n ? 65534 : id;
}

static void describe(struct tree *t, const char *name, const struct stat *st)
{
	struct tree_msg *m = &t->m;
	bool shifted = t->pull && !idmap_is_none(&t->map);

	memset(m, 0, offsetof(struct tree_msg, data));
	snprintf(m->name, sizeof(m->name), "%s", name);
	m->mode = st->st_mode;
	m->uid = shifted ? id_in(t->map.uid, t->map.n_uid, st->st_uid) : st->st_uid;
	m->gid = shifted ? id_in(t->map.gid, t->map.n_gid, st->st_gid) : st->st_gid;
	m->atime[0] = st->st_atim.tv_sec;
	m->atime[1] = st->st_atim.tv_nsec;
	m->mtime[0] = st->st_mtim.tv_sec;
	m->mtime[1] = st->st_mtim.tv_nsec;
	/* A kernel's file says that it is empty. */
	m->size = S_ISREG(st->st_mode) && st->st_size ? (uint64_t)st->st_size : UINT64_MAX;
	m->sparse = S_ISREG(st->st_mode) && st->st_blocks < st->st_size / 512;
}

static int send_xattrs(struct walk *w, int fd, struct lxmgr_err *err)
{
	cleanup_free char *list = NULL;
	struct tree *t = w->t;
	ssize_t n;

	if (!t->archive)
		return 0;
	list = malloc(LIST_MAX);
	if (!list)
		return err_set(err, -ENOMEM, "read '%s'", w->path);
	n = flistxattr(fd, list, LIST_MAX);
	if (n < 0)
		return errno == EOPNOTSUPP
			       ? 0
			       : err_set(err, -errno, "read the attributes of '%s'", w->path);
	for (const char *p = list; p < list + n; p += strlen(p) + 1) {
		ssize_t len;
		int r;

		if (!tree_takes_xattr(t, p) || strlen(p) >= sizeof(t->m.name))
			continue;
		memset(&t->m, 0, offsetof(struct tree_msg, data));
		len = fgetxattr(fd, p, t->m.data, sizeof(t->m.data));
		if (len < 0 && errno == ENODATA)
			continue;
		if (len < 0)
			return err_set(err, -errno, "read the attributes of '%s'", w->path);
		snprintf(t->m.name, sizeof(t->m.name), "%s", p);
		t->m.len = (uint32_t)len;
		r = tree_put(t, TREE_XATTR, -1);
		if (r < 0)
			return gone(r, err);
	}
	return 0;
}

static int send_end(struct walk *w, struct lxmgr_err *err)
{
	int r;

	memset(&w->t->m, 0, offsetof(struct tree_msg, data));
	r = tree_put(w->t, TREE_END, -1);
	return r < 0 ? gone(r, err) : 0;
}

/* The other side reads no file of the guest's: one on a file system of the guest's own making may
 * never answer, and who waits for it cannot even be killed. */
static int pump(struct walk *w, int in, int pipe_in, uint64_t left, struct lxmgr_err *err)
{
	static char buf[1 << 17];

	while (left) {
		size_t want = left < sizeof(buf) ? (size_t)left : sizeof(buf);
		ssize_t n = read(in, buf, want);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, -errno, "read '%s'", w->path);
		if (n == 0)
			return 0;
		r = write_all(pipe_in, buf, (size_t)n);
		if (r < 0)
			return gone(r, err);
		left -= (uint64_t)n;
	}
	return 0;
}

static int send_pull(struct walk *w, int in, struct lxmgr_err *err)
{
	cleanup_fd int out = -EBADF, pipe_in = -EBADF;
	uint64_t size = w->t->m.size;
	int p[2], r;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_set(err, -errno, "make a pipe");
	out = p[0];
	pipe_in = p[1];
	/* Fewer turns; the limit of pipes' sizes may say no. */
	(void)fcntl(pipe_in, F_SETPIPE_SZ, 1 << 20);
	r = tree_put(w->t, TREE_FILE, out);
	fd_close(&out);
	return r < 0 ? gone(r, err) : pump(w, in, pipe_in, size, err);
}

static int send_file(struct walk *w, int fd, const char *name, const struct stat *st,
		     struct lxmgr_err *err)
{
	/* O_NONBLOCK: somebody may hold a lease. */
	cleanup_fd int in = tree_reopen(w->t, fd, O_RDONLY | O_NONBLOCK);
	int r;

	if (in < 0)
		return err_set(err, in, "open '%s'", w->path);
	describe(w->t, name, st);
	if (w->t->pull) {
		r = send_pull(w, in, err);
	} else {
		r = tree_put(w->t, TREE_FILE, in);
		if (r < 0)
			gone(r, err);
	}
	if (r == 0)
		r = send_xattrs(w, in, err);
	return r < 0 ? r : send_end(w, err);
}

static int send_link(struct walk *w, int fd, const char *name, const struct stat *st,
		     struct lxmgr_err *err)
{
	struct tree *t = w->t;
	ssize_t n;
	int r;

	describe(t, name, st);
	n = readlinkat(fd, "", t->m.data, PATH_MAX);
	if (n < 0 || n >= PATH_MAX)
		return err_set(err, n < 0 ? -errno : -ENAMETOOLONG, "read the link '%s'", w->path);
	t->m.data[n] = '\0';
	t->m.len = (uint32_t)n + 1;
	r = tree_put(t, TREE_LINK, -1);
	return r < 0 ? gone(r, err) : 0;
}

/* What the kernel makes up has no end, or effects when it is read. */
static bool is_made_up(int fd)
{
	static const unsigned long types[] = { PROC_SUPER_MAGIC,   SYSFS_MAGIC,
					       CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
					       DEVPTS_SUPER_MAGIC, DEBUGFS_MAGIC,
					       TRACEFS_MAGIC,	   SECURITYFS_MAGIC,
					       BPF_FS_MAGIC,	   0x19800202 /* mqueue */,
					       0x6165676c /* pstore */ };
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if ((unsigned long)fs.f_type == types[i])
			return true;
	return false;
}

static int send_entries(struct walk *w, DIR *d, int depth, struct lxmgr_err *err)
{
	size_t len = strlen(w->path);
	struct dirent *e;
	int r = 0;

	while (r == 0 && (errno = 0, e = readdir(d))) {
		cleanup_fd int fd = -EBADF;

		if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		snprintf(w->path + len, sizeof(w->path) - len, "%s%s",
			 len && w->path[len - 1] == '/' ? "" : "/", e->d_name);
		fd = open_in(dirfd(d), e->d_name, OPEN_NO_LINKS, O_PATH | O_NOFOLLOW, 0);
		if (tree_name_is_tmp(e->d_name))
			r = warn(w, "has the name of an unfinished copy and was left out", err);
		else if (fd == -ENOENT)
			r = warn(w, "was removed meanwhile", err);
		else if (fd < 0)
			r = err_set(err, fd, "open '%s'", w->path);
		else
			r = send_at(w, fd, e->d_name, depth + 1, err);
		w->path[len] = '\0';
	}
	return r == 0 && errno ? err_set(err, -errno, "read the directory '%s'", w->path) : r;
}

static int send_dir(struct walk *w, int fd, const char *name, const struct stat *st, int depth,
		    struct lxmgr_err *err)
{
	cleanup_fd int in = tree_reopen(w->t, fd, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
	cleanup_dir DIR *d = NULL;
	int copy, r;

	if (in < 0)
		return err_set(err, in, "open '%s'", w->path);
	if (depth > 0 && is_made_up(in))
		return warn(w, "is the kernel's own and was left out", err);
	if (depth >= TREE_DEPTH)
		return err_msg(err, -ELOOP, "'%.200s...' is more than %d directories deep", w->path,
			       TREE_DEPTH);
	describe(w->t, name, st);
	r = tree_put(w->t, TREE_DIR, -1);
	if (r < 0)
		return gone(r, err);
	copy = fcntl(in, F_DUPFD_CLOEXEC, 3);
	d = copy < 0 ? NULL : fdopendir(copy);
	if (!d)
		return err_set(err, -errno, "read the directory '%s'", w->path);
	r = send_entries(w, d, depth, err);
	if (r == 0)
		r = send_xattrs(w, in, err);
	return r < 0 ? r : send_end(w, err);
}

static const char *kind_of(mode_t mode)
{
	return S_ISFIFO(mode)	? "is a fifo"
	       : S_ISSOCK(mode) ? "is a socket"
	       : S_ISCHR(mode)	? "is a character device"
	       : S_ISBLK(mode)	? "is a block device"
				: "is no file";
}

/* fd is O_PATH: nothing has happened yet that opening could bring about. */
static int send_at(struct walk *w, int fd, const char *name, int depth, struct lxmgr_err *err)
{
	struct tree *t = w->t;
	char text[64];
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(err, -errno, "stat '%s'", w->path);
	if (t->progress && now_ms() - w->shown > 100) {
		w->shown = now_ms();
		t->progress(w->path, -1, t->arg);
	}
	if (S_ISREG(st.st_mode))
		return send_file(w, fd, name, &st, err);
	if (S_ISLNK(st.st_mode))
		return send_link(w, fd, name, &st, err);
	if (S_ISDIR(st.st_mode) && !t->recursive)
		return err_status(err, STATUS_USAGE, -EISDIR,
				  "'%s' is a directory (-r copies trees)", w->path);
	if (S_ISDIR(st.st_mode))
		return send_dir(w, fd, name, &st, depth, err);
	if (depth == 0)
		return err_status(err, STATUS_REFUSED, -EINVAL,
				  "'%s' %s; only files, directories and links are copied", w->path,
				  kind_of(st.st_mode));
	snprintf(text, sizeof(text), "%s and was left out", kind_of(st.st_mode));
	return warn(w, text, err);
}

static int send_stdin(struct tree *t, struct lxmgr_err *err)
{
	struct stat st = { .st_mode = S_IFREG | 0644 };
	struct walk w = { .t = t, .path = "standard input" };
	int r, fd = -1;

	describe(t, "", &st);
	t->m.ask = 1;
	r = tree_put(t, TREE_FILE, STDIN_FILENO);
	/* What kills us may have killed the writer of the pipe first: the end of its bytes is
	 * the end of the file only if nobody wants us to give up. */
	if (r == 0)
		r = tree_get(t, &fd);
	fd_close(&fd);
	if (r > 0 && t->m.kind == TREE_FAIL)
		return tree_failure(t, err);
	if (r >= 0)
		r = r > 0 && t->m.kind == TREE_READ ? 0 : -EPIPE;
	return r < 0 ? gone(r, err) : send_end(&w, err);
}

/* The last component; "" where that is no name, as of "/" or "dir/.". */
static int base_name(const char *path, char *buf, size_t size)
{
	size_t end = strlen(path), begin;

	while (end && path[end - 1] == '/')
		end--;
	for (begin = end; begin && path[begin - 1] != '/';)
		begin--;
	if (end - begin >= size)
		return -ENAMETOOLONG;
	memcpy(buf, path + begin, end - begin);
	buf[end - begin] = '\0';
	if (str_eq(buf, ".") || str_eq(buf, ".."))
		*buf = '\0';
	return 0;
}

int tree_send(struct tree *t, const char *path, struct lxmgr_err *err)
{
	cleanup_free struct walk *w = calloc(1, sizeof(*w));
	cleanup_fd int fd = -EBADF;
	char name[256];
	int r;

	if (!w)
		return err_set(err, -ENOMEM, "read '%s'", path);
	if (str_eq(path, "-") && t->root < 0)
		return send_stdin(t, err);
	w->t = t;
	snprintf(w->path, sizeof(w->path), "%s", path);
	r = *path ? base_name(path, name, sizeof(name)) : -ENOENT;
	fd = r < 0 ? r : tree_open(t, path, O_PATH);
	if (fd < 0)
		return err_set(err, fd, t->root < 0 ? "open '%s'" : "open '%s' in the container",
			       path);
	return send_at(w, fd, name, 0, err);
}

int tree_send_done(struct tree *t, const struct lxmgr_err *why, struct lxmgr_err *err)
{
	int r;

	memset(&t->m, 0, offsetof(struct tree_msg, data));
	if (why) {
		memcpy(t->m.data, why, sizeof(*why));
		t->m.len = sizeof(*why);
	}
	r = tree_put(t, why ? TREE_FAIL : TREE_DONE, -1);
	return r < 0 ? gone(r, err) : 0;
}
