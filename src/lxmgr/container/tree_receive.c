/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Making files and trees where somebody may be swapping links and directories: every step is by a
 * descriptor of the directory, no link is followed below the destination, and what stands in the
 * way of a file is replaced by a rename.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "container/tree.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/str.h"

#define TRIES 16

/* A directory or file that is being made. */
struct open_entry {
	int fd;
	bool fresh; /* made here: gets its attributes */
	char name[256];
	char tmp[40]; /* its name until it is complete; "": it has its own */
	uint32_t mode, uid, gid;
	struct timespec times[2];
};

struct receiver {
	struct tree *t;
	const char *dest;
	const char *rename; /* what the one source is to be called, or NULL */
	bool to_stdout;
	/* [0] is where it all goes; the others are below it. */
	struct open_entry dirs[TREE_DEPTH + 2];
	size_t n;
	struct open_entry file;
	bool has_file;
	bool unsynced; /* files got their names before they were on disk */
	int64_t shown;
};

static void entry_close(struct receiver *r, struct open_entry *e, int parent)
{
	fd_close(&e->fd);
	if (!*e->tmp)
		return;
	if (e == &r->file)
		unlinkat(parent, e->tmp, 0);
	else
		remove_tree_at(parent, e->tmp);
	*e->tmp = '\0';
}

/* Take away what is not complete; files first, then the directories they are in. */
static void receiver_free(struct receiver *r)
{
	if (r->has_file && r->n)
		entry_close(r, &r->file, r->dirs[r->n - 1].fd);
	while (r->n > 1) {
		r->n--;
		entry_close(r, &r->dirs[r->n], r->dirs[r->n - 1].fd);
	}
	if (r->n)
		fd_close(&r->dirs[0].fd);
	free(r);
}

static int failed(const struct receiver *r, int code, const char *what, const char *name,
		  struct lxmgr_err *err)
{
	return err_set(err, code, "%s '%s%s%s'%s", what, r->dest,
		       *name && !str_has_suffix(r->dest, "/") ? "/" : "", name,
		       r->t->pull ? "" : " in the container");
}

static void tmp_name(char buf[40])
{
	unsigned long long rnd = 0;

	if (getrandom(&rnd, sizeof(rnd), 0) < 0)
		rnd = (unsigned long long)now_us();
	snprintf(buf, 40, TREE_TMP "%016llx", rnd);
}

/* Left by one that was killed: nobody holds its lock. */
static void clean_one(const struct tree *t, int dir, const char *name)
{
	cleanup_fd int fd = open_in(dir, name, OPEN_NO_LINKS, O_PATH | O_NOFOLLOW, 0);
	cleanup_fd int held = -EBADF;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) {
		held = tree_reopen(t, fd, O_RDONLY | O_NONBLOCK);
		if (held < 0 || flock(held, LOCK_EX | LOCK_NB) < 0)
			return;
	}
	/* A link has no lock; who makes one just now makes it again. */
	if (S_ISDIR(st.st_mode))
		remove_tree_at(dir, name);
	else
		unlinkat(dir, name, 0);
}

static void clean_stale(const struct tree *t, int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (tree_name_is_tmp(e->d_name))
			clean_one(t, dir, e->d_name);
}

/* Lock what was just made under the name. Before that, one who cleans may have taken it away:
 * -ESTALE. */
static int hold(int dir, const char *name, int fd)
{
	struct stat a, b;

	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -ESTALE : -errno;
	if (fstat(fd, &a) < 0)
		return -errno;
	if (fstatat(dir, name, &b, AT_SYMLINK_NOFOLLOW) < 0 || a.st_ino != b.st_ino ||
	    a.st_dev != b.st_dev)
		return -ESTALE;
	return 0;
}

static int make_tmp(int dir, bool is_dir, char name[40], int *ret_fd)
{
	int r = -ESTALE;

	for (int i = 0; i < TRIES && (r == -ESTALE || r == -EEXIST || r == -ENOENT); i++) {
		cleanup_fd int fd = -EBADF;

		tmp_name(name);
		if (is_dir)
			fd = mkdirat(dir, name, 0700) < 0
				     ? -errno
				     : open_in(dir, name, OPEN_NO_LINKS,
					       O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
		else
			fd = open_in(dir, name, OPEN_NO_LINKS,
				     O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
		r = fd < 0 ? fd : hold(dir, name, fd);
		if (r == 0)
			*ret_fd = take_fd(&fd);
	}
	if (r < 0)
		*name = '\0';
	return r;
}

static void remember(struct open_entry *e, const struct tree_msg *m)
{
	e->mode = m->mode;
	e->uid = m->uid;
	e->gid = m->gid;
	e->times[0] = (struct timespec){ .tv_sec = m->atime[0], .tv_nsec = m->atime[1] };
	e->times[1] = (struct timespec){ .tv_sec = m->mtime[0], .tv_nsec = m->mtime[1] };
}

static int id_out(const struct tree *t, bool is_gid, uint32_t *id)
{
	if (t->pull || *id == (uint32_t)-1)
		return 0;
	if (t->ids && *id >= t->ids)
		return -EINVAL;
	if (!idmap_is_none(&t->map))
		*id = is_gid ? idmap_gid_out(&t->map, *id) : idmap_uid_out(&t->map, *id);
	return *id == (uint32_t)-1 ? -EINVAL : 0;
}

/* Whose it is to be; (uid_t)-1: whoever made it. */
static int pick_owner(const struct receiver *r, uint32_t uid, uint32_t gid, uint32_t *ret_uid,
		      uint32_t *ret_gid, struct lxmgr_err *err)
{
	const struct tree *t = r->t;
	uint32_t other = t->pull ? (uint32_t)-1 : 0;

	uid = t->uid != (uid_t)-1 ? t->uid : t->archive ? uid : other;
	gid = t->gid != (gid_t)-1 ? t->gid : t->archive ? gid : other;
	*ret_uid = uid;
	*ret_gid = gid;
	if (id_out(t, false, ret_uid) < 0 || id_out(t, true, ret_gid) < 0)
		return err_msg(err, -EINVAL, "the container has no ids %u:%u", uid, gid);
	return 0;
}

static int set_owner(const struct receiver *r, const struct open_entry *e, struct lxmgr_err *err)
{
	uint32_t uid, gid;
	int code = pick_owner(r, e->uid, e->gid, &uid, &gid, err);

	if (code < 0)
		return code;
	if ((uid != (uint32_t)-1 || gid != (uint32_t)-1) && fchown(e->fd, uid, gid) < 0)
		return failed(r, -errno, "set the owner of", e->name, err);
	return 0;
}

static int set_mode(const struct receiver *r, const struct open_entry *e, bool is_dir,
		    struct lxmgr_err *err)
{
	if (fchmod(e->fd, tree_mode(r->t, e->mode, is_dir)) < 0)
		return failed(r, -errno, "set the mode of", e->name, err);
	if (r->t->archive && futimens(e->fd, e->times) < 0)
		return failed(r, -errno, "set the times of", e->name, err);
	return 0;
}

static bool is_zero(const char *buf, size_t n)
{
	return n && !*buf && !memcmp(buf, buf + 1, n - 1);
}

/* Holes of a sparse file stay holes. */
static int copy_data(struct receiver *r, int in, int out, struct lxmgr_err *err)
{
	static char buf[1 << 17];
	uint64_t left = r->t->m.size;
	const char *name = r->to_stdout ? "" : r->file.name;
	bool sparse = r->t->m.sparse && !r->to_stdout, hole = false;

	while (left) {
		size_t want = left < sizeof(buf) ? (size_t)left : sizeof(buf);
		int code = tree_wait_readable(r->t, in);
		ssize_t n;

		if (code <= 0)
			return err_msg(err, code < 0 ? code : -ECANCELED, "interrupted");
		n = read(in, buf, want);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return err_set(err, -errno, "read what is to be '%s'", r->dest);
		if (n == 0)
			break;
		left -= (uint64_t)n;
		hole = sparse && is_zero(buf, (size_t)n) && lseek(out, n, SEEK_CUR) >= 0;
		code = hole ? 0 : write_all(out, buf, (size_t)n);
		if (code < 0)
			return failed(r, code, "write", name, err);
	}
	if (hole && ftruncate(out, lseek(out, 0, SEEK_CUR)) < 0)
		return failed(r, -errno, "write", name, err);
	return 0;
}

/* The name that an entry gets in the directory that is open. */
static int pick_name(struct receiver *r, char buf[256], struct lxmgr_err *err)
{
	const char *name = r->t->m.name;

	if (r->n == 1 && r->rename)
		name = r->rename;
	if (!tree_name_is_valid(name))
		return err_status(err, STATUS_USAGE, -EINVAL,
				  "'%s' is a directory: the file needs a name there", r->dest);
	if (tree_name_is_tmp(name))
		return err_status(err, STATUS_USAGE, -EINVAL, "'%s' is a name of unfinished copies",
				  name);
	snprintf(buf, 256, "%s", name);
	return 0;
}

static int begin_file(struct receiver *r, int in, struct lxmgr_err *err)
{
	int dir = r->dirs[r->n - 1].fd, code;
	bool ask;

	if (in < 0 || r->has_file)
		return err_msg(err, -EPROTO, "a file came without its bytes");
	if (r->to_stdout) {
		r->has_file = true;
		return copy_data(r, in, STDOUT_FILENO, err);
	}
	ask = r->t->m.ask;
	r->file = (struct open_entry){ .fd = -EBADF, .fresh = true };
	code = pick_name(r, r->file.name, err);
	if (code < 0)
		return code;
	remember(&r->file, &r->t->m);
	code = make_tmp(dir, false, r->file.tmp, &r->file.fd);
	if (code < 0)
		return failed(r, code, "make", r->file.name, err);
	r->has_file = true;
	code = copy_data(r, in, r->file.fd, err);
	if (code == 0 && ask) {
		memset(&r->t->m, 0, offsetof(struct tree_msg, data));
		code = tree_put(r->t, TREE_READ, -1);
		if (code < 0)
			return err_set(err, code, "say that all was read");
	}
	/* Before the attributes: a change of owner takes capabilities away. */
	return code < 0 ? code : set_owner(r, &r->file, err);
}

/* A power cut must not leave nothing of a file where there was one. The others are written all at
 * once, which takes less time. */
static int sync_file(struct receiver *r, int dir, struct lxmgr_err *err)
{
	struct stat st;

	if (r->n > 1 && fstatat(dir, r->file.name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		r->unsynced = true;
		return 0;
	}
	return fsync(r->file.fd) < 0 ? failed(r, -errno, "write", r->file.name, err) : 0;
}

static int sync_rest(struct receiver *r, int dir, struct lxmgr_err *err)
{
	cleanup_fd int fd = -EBADF;

	if (!r->unsynced)
		return 0;
	fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || syncfs(fd) < 0)
		return failed(r, -errno, "write", "", err);
	r->unsynced = false;
	return 0;
}

static int end_file(struct receiver *r, struct lxmgr_err *err)
{
	int dir = r->dirs[r->n - 1].fd, code;

	if (r->to_stdout)
		return 0;
	code = set_mode(r, &r->file, false, err);
	if (code == 0)
		code = sync_file(r, dir, err);
	if (code < 0)
		return code;
	if (renameat(dir, r->file.tmp, dir, r->file.name) < 0)
		return failed(r, -errno, "put in place", r->file.name, err);
	*r->file.tmp = '\0';
	fd_close(&r->file.fd);
	r->has_file = false;
	return 0;
}

/* By descriptor: whom the directory belongs to may put another file there, which would be given to
 * somebody by its name. */
static int dress_link(const struct receiver *r, int dir, const char *tmp, uint32_t uid,
		      uint32_t gid)
{
	const struct tree_msg *m = &r->t->m;
	const struct timespec times[2] = { { m->atime[0], m->atime[1] },
					   { m->mtime[0], m->mtime[1] } };
	cleanup_fd int fd = open_in(dir, tmp, OPEN_NO_LINKS, O_PATH | O_NOFOLLOW, 0);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISLNK(st.st_mode) || st.st_nlink != 1)
		return -ESTALE;
	if ((uid != (uint32_t)-1 || gid != (uint32_t)-1) &&
	    fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0)
		return -errno;
	if (r->t->archive)
		utimensat(fd, "", times, AT_EMPTY_PATH);
	return 0;
}

static int make_link(struct receiver *r, struct lxmgr_err *err)
{
	int dir = r->n ? r->dirs[r->n - 1].fd : -EBADF, code;
	const struct tree_msg *m = &r->t->m;
	char name[256], tmp[40];
	uint32_t uid, gid;

	if (r->to_stdout || !m->len || m->len > PATH_MAX || m->data[m->len - 1])
		return err_msg(err, -EPROTO, "a link came without its target");
	code = pick_name(r, name, err);
	if (code == 0)
		code = pick_owner(r, m->uid, m->gid, &uid, &gid, err);
	if (code < 0)
		return code;
	code = -ENOENT;
	for (int i = 0; i < TRIES && (code == -ENOENT || code == -ESTALE); i++) {
		tmp_name(tmp);
		if (symlinkat(m->data, dir, tmp) < 0)
			return failed(r, -errno, "make", name, err);
		code = dress_link(r, dir, tmp, uid, gid);
		if (code == 0 && renameat(dir, tmp, dir, name) < 0)
			code = -errno;
		if (code < 0)
			unlinkat(dir, tmp, 0);
	}
	return code < 0 ? failed(r, code, "make", name, err) : 0;
}

/* In a directory that is there already, the top of a new tree gets its name when it is whole. */
static int open_dir(struct receiver *r, struct open_entry *e, struct lxmgr_err *err)
{
	int dir = r->dirs[r->n - 1].fd, code;

	e->fd = open_in(dir, e->name, OPEN_NO_LINKS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (e->fd >= 0) {
		clean_stale(r->t, e->fd);
		return 0;
	}
	if (e->fd == -ELOOP || e->fd == -ENOTDIR)
		return failed(r, -ENOTDIR, "there is something else than a directory at", e->name,
			      err);
	if (e->fd != -ENOENT)
		return failed(r, e->fd, "open", e->name, err);
	e->fresh = true;
	if (!r->dirs[r->n - 1].fresh) {
		code = make_tmp(dir, true, e->tmp, &e->fd);
		return code < 0 ? failed(r, code, "make", e->name, err) : 0;
	}
	if (mkdirat(dir, e->name, 0700) < 0)
		return failed(r, -errno, "make", e->name, err);
	e->fd = open_in(dir, e->name, OPEN_NO_LINKS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	return e->fd < 0 ? failed(r, e->fd, "open", e->name, err) : 0;
}

static int begin_dir(struct receiver *r, struct lxmgr_err *err)
{
	struct open_entry *e = &r->dirs[r->n];
	int code = 0;

	if (r->to_stdout || r->has_file || r->n > TREE_DEPTH)
		return err_msg(err, -EPROTO, "a directory came where none can be");
	*e = (struct open_entry){ .fd = -EBADF };
	remember(e, &r->t->m);
	if (r->n == 1 && !r->rename && !*r->t->m.name) {
		/* The contents of the source go into the destination itself. */
		e->fd = openat(r->dirs[0].fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (e->fd < 0)
			return failed(r, -errno, "open", "", err);
	} else {
		code = pick_name(r, e->name, err);
		if (code == 0)
			code = open_dir(r, e, err);
	}
	if (code < 0) {
		fd_close(&e->fd);
		return code;
	}
	r->n++;
	return 0;
}

static int end_dir(struct receiver *r, struct lxmgr_err *err)
{
	struct open_entry *e = &r->dirs[r->n - 1];
	int parent, code = 0;

	if (r->n < 2)
		return err_msg(err, -EPROTO, "a directory ended that did not begin");
	parent = r->dirs[r->n - 2].fd;
	if (e->fresh || r->t->archive) {
		code = set_owner(r, e, err);
		if (code == 0)
			code = set_mode(r, e, true, err);
	}
	if (code == 0 && *e->tmp)
		code = sync_rest(r, e->fd, err);
	if (code == 0 && *e->tmp &&
	    renameat2(parent, e->tmp, parent, e->name, RENAME_NOREPLACE) < 0)
		code = failed(r, -errno, "put in place", e->name, err);
	if (code < 0)
		return code;
	*e->tmp = '\0';
	fd_close(&e->fd);
	r->n--;
	return 0;
}

static int set_xattr(struct receiver *r, struct lxmgr_err *err)
{
	struct open_entry *e = r->has_file ? &r->file : &r->dirs[r->n - 1];
	const struct tree_msg *m = &r->t->m;

	if (r->to_stdout || (!r->has_file && (r->n < 2 || !(e->fresh || r->t->archive))))
		return 0;
	if (!tree_takes_xattr(r->t, m->name))
		return err_msg(err, -EPROTO, "an attribute came that is not copied");
	/* Not every file system has them. */
	if (fsetxattr(e->fd, m->name, m->data, m->len, 0) < 0 && errno != EOPNOTSUPP)
		return failed(r, -errno, "set the attributes of", e->name, err);
	return 0;
}

static int take_warning(struct receiver *r)
{
	struct tree *t = r->t;

	if (t->warn && t->m.len && !t->m.data[t->m.len - 1])
		t->warn(t->m.data, t->arg);
	return 0;
}

static int take(struct receiver *r, int fd, struct lxmgr_err *err)
{
	if (r->t->pull && r->t->progress && now_ms() - r->shown > 100) {
		r->shown = now_ms();
		r->t->progress(r->t->m.name, -1, r->t->arg);
	}
	switch (r->t->m.kind) {
	case TREE_FILE:
		return begin_file(r, fd, err);
	case TREE_DIR:
		return begin_dir(r, err);
	case TREE_LINK:
		return make_link(r, err);
	case TREE_XATTR:
		return set_xattr(r, err);
	case TREE_END:
		return r->has_file ? end_file(r, err) : end_dir(r, err);
	case TREE_WARN:
		return take_warning(r);
	case TREE_FAIL:
		return tree_failure(r->t, err);
	default:
		return err_msg(err, -EPROTO, "an unknown message came");
	}
}

/* mkdir -p: links that are there are followed, inside t->root. The last directory, O_PATH. */
static int make_parents(struct receiver *r, const char *path, struct lxmgr_err *err)
{
	cleanup_free char *copy = strdup(path);
	cleanup_fd int dir = tree_open(r->t, *path == '/' ? "/" : ".", O_PATH | O_DIRECTORY);

	if (!copy || dir < 0)
		return err_set(err, copy ? dir : -ENOMEM, "open '/'");
	for (char *p = copy; *(p += strspn(p, "/"));) {
		size_t n = strcspn(p, "/");
		char saved = p[n];
		uint32_t uid, gid;
		int next, code;

		p[n] = '\0';
		next = tree_open(r->t, copy, O_PATH | O_DIRECTORY);
		if (next == -ENOENT && mkdirat(dir, p, 0755) == 0) {
			next = open_in(dir, p, OPEN_NO_LINKS, O_PATH | O_DIRECTORY, 0);
			if (next >= 0 && pick_owner(r, 0, 0, &uid, &gid, NULL) == 0 &&
			    !r->t->pull && fchownat(next, "", uid, gid, AT_EMPTY_PATH) < 0) {
				code = -errno;
				fd_close(&next);
				next = code;
			}
		} else if (next == -ENOENT) {
			next = -errno;
		}
		if (next < 0)
			return err_set(err, next, "make '%s'%s", copy,
				       r->t->pull ? "" : " in the container");
		fd_close(&dir);
		dir = next;
		p += n;
		*p = saved;
	}
	return take_fd(&dir);
}

/* An existing directory, or a new name in one. */
static int open_dest(struct receiver *r, bool many, char parent[PATH_MAX], struct lxmgr_err *err)
{
	const char *dest = r->dest, *slash = strrchr(dest, '/');
	const char *base = slash ? slash + 1 : dest;
	cleanup_fd int dir = tree_open(r->t, dest, O_PATH | O_DIRECTORY);
	bool as_dir = many || !*base || str_eq(base, ".") || str_eq(base, "..");

	if (dir == -ENOENT && as_dir && r->t->parents)
		dir = make_parents(r, dest, err);
	else if ((dir == -ENOENT || dir == -ENOTDIR || dir == -ELOOP) && !as_dir) {
		snprintf(parent, PATH_MAX, "%.*s", (int)(base - dest), dest);
		if (!*parent)
			snprintf(parent, PATH_MAX, ".");
		/* "-ELOOP": a link that leads nowhere; it is replaced. */
		fd_close(&dir);
		dir = tree_open(r->t, parent, O_PATH | O_DIRECTORY);
		if (dir == -ENOENT && r->t->parents)
			dir = make_parents(r, parent, err);
		else if (dir < 0)
			err_set(err, dir, "open the directory '%s'%s", parent,
				r->t->pull ? "" : " in the container");
		r->rename = base;
		r->dest = parent;
	} else if (dir < 0) {
		err_set(err, dir, "open the directory '%s'%s", dest,
			r->t->pull ? "" : " in the container");
	}
	if (dir == -ENOENT && !r->t->parents)
		err_hint(err, "-p makes it");
	return take_fd(&dir);
}

static int prepare(struct receiver *r, bool many, char parent[PATH_MAX], struct lxmgr_err *err)
{
	int fd;

	if (r->to_stdout)
		return 0;
	if (strlen(r->dest) >= PATH_MAX || !*r->dest)
		return err_status(err, STATUS_USAGE, -EINVAL, "'%.40s' is no destination", r->dest);
	fd = open_dest(r, many, parent, err);
	if (fd < 0)
		return fd;
	r->dirs[0] = (struct open_entry){ .fd = fd };
	r->n = 1;
	clean_stale(r->t, fd);
	return 0;
}

int tree_receive(struct tree *t, const char *dest, bool many, struct lxmgr_err *err)
{
	struct receiver *r = calloc(1, sizeof(*r));
	char parent[PATH_MAX];
	int code, fd;

	if (!r)
		return err_set(err, -ENOMEM, "make '%s'", dest);
	r->t = t;
	r->dest = dest;
	r->file.fd = -EBADF;
	r->to_stdout = t->pull && str_eq(dest, "-");
	code = prepare(r, many, parent, err);
	while (code == 0) {
		code = tree_get(t, &fd);
		if (code <= 0) {
			code = code == -ECANCELED
				       ? err_msg(err, code, "interrupted")
				       : err_msg(err, code < 0 ? code : -EPIPE,
						 "the helper process in the container was killed "
						 "(is it being stopped?)");
			break;
		}
		if (t->m.kind == TREE_DONE && !r->has_file && r->n <= 1) {
			fd_close(&fd);
			code = r->to_stdout ? 0 : sync_rest(r, r->dirs[0].fd, err);
			break;
		}
		code = take(r, fd, err);
		if (r->to_stdout && t->m.kind == TREE_END)
			r->has_file = false;
		fd_close(&fd);
	}
	receiver_free(r);
	return code;
}
