/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files of a hostile archive, by descriptors of directories that were made here: an entry must
 * stand behind its directory, in it, as a walk finds them. No name is resolved but by one part, so
 * that no link leads anywhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "helpers/attrs.h"
#include "helpers/unarchive.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/str.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

const char *entry_name(struct unarchive *u, const char *name)
{
	size_t parts = 0;

	if (strlen(name) >= PATH_MAX)
		return refuse(u, "a name is too long: '%.200s'", name), NULL;
	for (const char *p = name; *p;) {
		size_t n = strcspn(p, "/");

		/* The last part of a directory's name may have a slash behind it. */
		if (n == 0 || (n == 1 && *p == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return refuse(u, "the name '%.200s' has a part that is empty, '.' or '..'",
				      name),
			       NULL;
		if (n > NAME_MAX || ++parts > ARCHIVE_DEPTH)
			return refuse(u, "the name '%.200s' is too long or too deep", name), NULL;
		p += n + (p[n] == '/');
	}
	return name;
}

static int failed(struct unarchive *u, const char *step, const char *name)
{
	return err_set(&u->err, -errno, "%s '%.200s'", step, name);
}

/* The times of a directory last: what was made in it changed them. */
static int leave(struct unarchive *u)
{
	struct level *l = &u->level[--u->n_levels];
	struct timespec t[2] = { { 0, UTIME_OMIT }, l->mtime };
	int r = futimens(l->fd, t) < 0 ? failed(u, "set the time of", u->path) : 0;

	fd_close(&l->fd);
	if (u->n_levels)
		u->path[u->level[u->n_levels - 1].len] = '\0';
	return r;
}

int make_end(struct unarchive *u)
{
	int r = 0;

	while (r == 0 && u->n_levels)
		r = leave(u);
	return r;
}

static bool is_below(const struct unarchive *u, const char *name)
{
	size_t n = u->level[u->n_levels - 1].len;

	return n == 0 || (strncmp(name, u->path, n) == 0 && name[n] == '/');
}

/* Leave those that name is not below; the rest of name is returned, in the innermost. NULL. */
static const char *enter_parent(struct unarchive *u, const char *name)
{
	const char *rest;
	size_t n;

	if (!u->n_levels)
		return refuse(u, "'%.200s' stands before the root", name), NULL;
	while (!is_below(u, name))
		if (leave(u) < 0)
			return NULL;
	n = u->level[u->n_levels - 1].len;
	rest = name + n + (n > 0);
	if (strchr(rest, '/'))
		return refuse(u, "'%.200s' does not stand behind its directory", name), NULL;
	return rest;
}

static int here(const struct unarchive *u)
{
	return u->level[u->n_levels - 1].fd;
}

static int push(struct unarchive *u, int fd, const char *name, struct archive_entry *e)
{
	struct level *l = &u->level[u->n_levels++];

	l->fd = fd;
	l->len = strlen(name);
	l->mtime = (struct timespec){ archive_entry_mtime(e), archive_entry_mtime_nsec(e) };
	memcpy(u->path, name, l->len + 1);
	return 0;
}

static int write_all_at(int fd, const char *data, size_t n, off_t at)
{
	while (n) {
		ssize_t w = pwrite(fd, data, n, at);

		if (w < 0 && errno != EINTR)
			return -errno;
		if (w > 0)
			data += w, n -= (size_t)w, at += w;
	}
	return 0;
}

static int fill(struct unarchive *u, int fd, struct archive_entry *e, const char *name)
{
	la_int64_t at, size = archive_entry_size(e);
	const void *data;
	size_t n;
	int r;

	while ((r = archive_read_data_block(u->a, &data, &n, &at)) != ARCHIVE_EOF) {
		if (r < ARCHIVE_WARN)
			return read_error(u, name);
		r = count_bytes(u, n);
		if (r == 0)
			r = write_all_at(fd, data, n, at);
		if (r < 0)
			return u->err.code ? r : err_set(&u->err, r, "write '%.200s'", name);
		zsum_in_taken(&u->in, (uint64_t)archive_filter_bytes(u->a, 0));
	}
	return ftruncate(fd, size) < 0 ? failed(u, "write", name) : 0;
}

/* Owner, then mode, which a change of the owner would cut; then what a mode cannot say. fd or, for
 * what is not opened, base in the innermost directory. */
static int attributes(struct unarchive *u, int fd, const char *base, struct archive_entry *e,
		      const char *name)
{
	uid_t uid = (uid_t)archive_entry_uid(e);
	gid_t gid = (gid_t)archive_entry_gid(e);
	mode_t mode = archive_entry_perm(e);
	bool link = archive_entry_filetype(e) == AE_IFLNK;
	struct timespec t[2] = { { 0, UTIME_OMIT },
				 { archive_entry_mtime(e), archive_entry_mtime_nsec(e) } };
	int r;

	if (fd >= 0) {
		if (fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0)
			return failed(u, "set owner and mode of", name);
	} else {
		if (fchdir(here(u)) < 0 ||
		    fchownat(here(u), base, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 ||
		    (!link && fchmodat(here(u), base, mode, 0) < 0))
			return failed(u, "set owner and mode of", name);
	}
	r = link ? 0 : attrs_write(fd, base, e, u->ids);
	if (r == -EOVERFLOW)
		return refuse(u, "'%.200s' has a list of an owner that no container has", name);
	if (r < 0)
		return r == -EINVAL ? refuse(u, "'%.200s' has a bad attribute", name)
				    : err_set(&u->err, r, "set attributes of '%.200s'", name);
	if (archive_entry_filetype(e) == AE_IFDIR)
		return 0;
	r = fd >= 0 ? futimens(fd, t) : utimensat(here(u), base, t, AT_SYMLINK_NOFOLLOW);
	return r < 0 ? failed(u, "set the time of", name) : 0;
}

static int make_root(struct unarchive *u, struct archive_entry *e)
{
	int fd, r;

	if (u->n_levels || archive_entry_filetype(e) != AE_IFDIR)
		return refuse(u, "the root is no directory, or is there twice");
	fd = fcntl(u->root, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return failed(u, "open", "the root");
	r = u->increment ? attrs_clear(fd) : 0;
	push(u, fd, "", e);
	return r < 0 ? err_set(&u->err, r, "clear the root's attributes")
		     : attributes(u, fd, ".", e, "the root");
}

static int make_dir(struct unarchive *u, struct archive_entry *e, const char *base,
		    const char *name)
{
	int made = mkdirat(here(u), base, 0700), fd, r = 0;
	/* A new file system has this one. */
	bool may = u->increment || str_eq(name, "lost+found");

	if (made < 0 && !(errno == EEXIST && may))
		return errno == EEXIST ? refuse(u, "'%.200s' is there twice", name)
				       : failed(u, "make", name);
	fd = openat(here(u), base, DIR_FLAGS);
	if (fd < 0)
		return failed(u, "open", name);
	push(u, fd, name, e);
	if (made < 0)
		r = attrs_clear(fd);
	return r < 0 ? err_set(&u->err, r, "clear the attributes of '%.200s'", name)
		     : attributes(u, fd, base, e, name);
}

static int make_file(struct unarchive *u, struct archive_entry *e, const char *base,
		     const char *name)
{
	cleanup_fd int fd =
		openat(here(u), base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return errno == EEXIST ? refuse(u, "'%.200s' is there twice", name)
				       : failed(u, "make", name);
	r = fill(u, fd, e, name);
	return r < 0 ? r : attributes(u, fd, base, e, name);
}

static int make_hardlink(struct unarchive *u, const char *target, const char *base,
			 const char *name)
{
	cleanup_fd int dir = -EBADF;
	const char *last, *to = str_after(target, "rootfs/");
	struct stat st;

	if (!to || !*to || !entry_name(u, to))
		return refuse(u, "'%.200s' is a link out of the root, to '%.200s'", name, target);
	dir = open_parent_in(u->root, to, OPEN_NO_LINKS, &last);
	if (dir < 0 || fstatat(dir, last, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(st.st_mode))
		return refuse(u, "'%.200s' is a link to '%.200s', which is not there", name, to);
	return linkat(dir, last, here(u), base, 0) < 0 ? failed(u, "link", name) : 0;
}

static int make_special(struct unarchive *u, struct archive_entry *e, const char *base,
			const char *name)
{
	int type = archive_entry_filetype(e), r;
	const char *target = archive_entry_symlink(e);
	dev_t dev = archive_entry_rdev(e);

	if (type == AE_IFLNK) {
		if (!target || !*target || strlen(target) >= PATH_MAX)
			return refuse(u, "the link '%.200s' has no target", name);
		r = symlinkat(target, here(u), base);
	} else if (type == AE_IFIFO) {
		r = mknodat(here(u), base, S_IFIFO | 0600, 0);
	} else if (type == AE_IFCHR && attrs_device_is_plain(dev)) {
		r = mknodat(here(u), base, S_IFCHR | 0600, dev);
	} else if (type == AE_IFCHR || type == AE_IFBLK) {
		return refuse(u, "'%.200s' is a device that no container is given (%s %u:%u)", name,
			      type == AE_IFCHR ? "character" : "block", major(dev), minor(dev));
	} else {
		return refuse(u, "'%.200s' is of an unknown type", name);
	}
	if (r < 0)
		return errno == EEXIST ? refuse(u, "'%.200s' is there twice", name)
				       : failed(u, "make", name);
	return attributes(u, -1, base, e, name);
}

/* A directory that becomes another thing goes with what is in it. */
static int make_way(struct unarchive *u, const char *base, bool is_dir, const char *name)
{
	struct stat st;
	int r;

	if (!u->increment || fstatat(here(u), base, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    (is_dir && S_ISDIR(st.st_mode)))
		return 0;
	r = remove_tree_at(here(u), base);
	return r < 0 ? err_set(&u->err, r, "replace '%.200s'", name) : 0;
}

int make_entry(struct unarchive *u, struct archive_entry *e, const char *name)
{
	static char path[PATH_MAX];
	const char *link = archive_entry_hardlink(e), *base;
	int64_t uid = archive_entry_uid(e), gid = archive_entry_gid(e);
	int type = archive_entry_filetype(e), r;

	snprintf(path, sizeof(path), "%s", name);
	if (*path && path[strlen(path) - 1] == '/')
		path[strlen(path) - 1] = '\0';
	if (uid < 0 || gid < 0 || (uint64_t)uid >= u->ids || (uint64_t)gid >= u->ids)
		return refuse(
			u,
			"'%.200s' belongs to %lld:%lld; only a container with nesting has such "
			"ids (--define lxmgr.features=nesting)",
			path, (long long)uid, (long long)gid);
	if (archive_entry_size(e) < 0)
		return refuse(u, "'%.200s' has a bad size", path);
	if (!*path)
		return make_root(u, e);
	base = enter_parent(u, path);
	if (!base)
		return u->err.code;
	r = make_way(u, base, type == AE_IFDIR && !link, path);
	if (r < 0)
		return r;
	if (link)
		return make_hardlink(u, link, base, path);
	if (type == AE_IFDIR)
		return make_dir(u, e, base, path);
	return type == AE_IFREG ? make_file(u, e, base, path) : make_special(u, e, base, path);
}

/* Below what has become a file, or a link, there is nothing. */
int make_gone(struct unarchive *u, const char *name)
{
	const char *base;
	cleanup_fd int dir = open_parent_in(u->root, name, OPEN_NO_LINKS, &base);
	int r;

	if (dir == -ENOENT || dir == -ENOTDIR || dir == -ELOOP)
		return 0;
	/* Its directory is left later: then its time is set. */
	r = dir < 0 ? dir : remove_tree_at(dir, base);
	return r < 0 ? err_set(&u->err, r, "remove '%.200s'", name) : 0;
}
