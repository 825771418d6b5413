/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/quota.h"
#include "storage/project.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/log.h"
#include "util/str.h"

/* More than an overlay's mount and an empty upper directory take. */
#define ROOM_BYTES  (1ULL << 20)
#define ROOM_INODES 64ULL

/*
 * The directories that are still to be gone through, by handle: a guest can nest deeper than there
 * are descriptors. A directory gets the project before it is read: what is made in it from then on
 * has it, and what has it not can no longer be linked or moved there (EXDEV), so that one who runs
 * meanwhile cannot hide a file from the walk.
 */
struct walk {
	int top;
	dev_t dev;
	uint32_t project;
	struct file_handle **v;
	size_t n, size;
	uint64_t left; /* that cannot be put into a project */
};

static void walk_free(struct walk *w)
{
	while (w->n)
		free(w->v[--w->n]);
	free(w->v);
}

static int add(struct walk *w, int fd)
{
	struct file_handle *h = malloc(sizeof(*h) + MAX_HANDLE_SZ), **more, *fit;
	int mount;

	if (!h)
		return -ENOMEM;
	h->handle_bytes = MAX_HANDLE_SZ;
	if (name_to_handle_at(fd, "", h, &mount, AT_EMPTY_PATH) < 0) {
		free(h);
		return -errno;
	}
	fit = realloc(h, sizeof(*h) + h->handle_bytes);
	h = fit ? fit : h;
	if (w->n == w->size) {
		more = realloc(w->v, (w->size * 2 + 64) * sizeof(struct file_handle *));
		if (!more) {
			free(h);
			return -ENOMEM;
		}
		w->v = more;
		w->size = w->size * 2 + 64;
	}
	w->v[w->n++] = h;
	return 0;
}

static int tag(struct walk *w, int fd)
{
	int r = quota_project_set(fd, w->project);

	if (r == -EOPNOTSUPP || r == -EAGAIN) {
		w->left++;
		r = 0;
	}
	return r;
}

static int tag_entry(struct walk *w, int dir, const char *name)
{
	cleanup_fd int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	/* Of another file system, mounted there. */
	if (st.st_dev != w->dev)
		return 0;
	return S_ISDIR(st.st_mode) ? add(w, fd) : tag(w, fd);
}

static int tag_dir(struct walk *w, const struct file_handle *h)
{
	struct file_handle *copy = malloc(sizeof(*h) + h->handle_bytes);
	cleanup_dir DIR *d = NULL;
	struct dirent *e;
	int fd, r;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, h, sizeof(*h) + h->handle_bytes);
	fd = open_by_handle_at(w->top, copy, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = fd < 0 ? -errno : 0;
	free(copy);
	/* It was removed meanwhile. */
	if (r < 0)
		return r == -ESTALE || r == -ENOENT ? 0 : r;
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return -ENOMEM;
	}
	r = quota_project_set(fd, w->project);
	while (r == 0 && (errno = 0, e = readdir(d)))
		if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
			r = tag_entry(w, fd, e->d_name);
	return r < 0 ? r : -errno;
}

static int tag_tree(int dir_fd, uint32_t project, struct lxmgr_err *err)
{
	cleanup_fd int top = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct walk w __attribute__((cleanup(walk_free))) = { .top = top, .project = project };
	struct stat st = { 0 };
	int r = top < 0 || fstat(top, &st) < 0 ? -errno : 0;

	if (r == 0) {
		w.dev = st.st_dev;
		r = add(&w, top);
	}
	while (r == 0 && w.n) {
		cleanup_free struct file_handle *h = w.v[--w.n];

		r = tag_dir(&w, h);
	}
	if (r < 0)
		return err_set(err, r, "put the root into project %u", project);
	if (w.left)
		log_notice("%llu links and special files stay outside of the limit: this kernel "
			   "cannot change their project",
			   (unsigned long long)w.left);
	return 0;
}

/* A limit below what there is would be one that nothing can be written under. */
static int check_fits(int fd, const struct storage_limit *l, struct lxmgr_err *err)
{
	struct quota q;
	int r = quota_get(fd, l->project, &q);

	if (r < 0)
		return err_set(err, r, "read what project %u takes", l->project);
	if (l->bytes && q.bytes > l->bytes)
		return err_status(err, STATUS_REFUSED, -EDQUOT,
				  "the root takes %llu KiB, which is more than the limit of %llu",
				  (unsigned long long)q.bytes / 1024,
				  (unsigned long long)l->bytes / 1024);
	if (l->inodes && q.inodes > l->inodes)
		return err_status(err, STATUS_REFUSED, -EDQUOT,
				  "the root has %llu inodes, which is more than the limit of %llu",
				  (unsigned long long)q.inodes, (unsigned long long)l->inodes);
	return 0;
}

int project_begin(const struct storage *st, int dir_fd, struct lxmgr_err *err)
{
	int r;

	if (!st->limit.project)
		return 0;
	r = quota_check(dir_fd, err);
	if (r < 0)
		return r;
	r = quota_project_set(dir_fd, st->limit.project);
	return r < 0 ? err_set(err, r, "make a directory of project %u", st->limit.project) : 0;
}

static int tag_all(int dir_fd, const char *first, uint32_t project, struct lxmgr_err *err)
{
	cleanup_fd int fd = -EBADF;
	int r = 0;

	if (first) {
		fd = openat(dir_fd, first, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = fd < 0 ? err_set(err, -errno, "open '%s'", first) : tag_tree(fd, project, err);
	}
	return r < 0 ? r : tag_tree(dir_fd, project, err);
}

int project_resize(struct storage *st, int dir_fd, const char *first,
		   const struct storage_limit *limit, struct lxmgr_err *err)
{
	bool same = limit->bytes == st->limit.bytes && limit->inodes == st->limit.inodes;
	uint32_t have = 0;
	int r = quota_project(dir_fd, &have);

	/* Nothing limits it, and nothing is to. */
	if ((r < 0 || !have) && !limit->bytes && !limit->inodes)
		return 0;
	r = quota_check(dir_fd, err);
	if (r < 0)
		return limit->bytes || limit->inodes ? r : 0;
	if (limit->project && limit->project != have) {
		r = tag_all(dir_fd, first, limit->project, err);
		if (r < 0)
			return r;
		have = limit->project;
	}
	if (!have)
		return err_msg(err, -EINVAL, "the root has no project to limit");
	/* What was in force once is put in force again, however much there is by now. */
	r = same ? 0
		 : check_fits(dir_fd, &(struct storage_limit){ limit->bytes, limit->inodes, have },
			      err);
	if (r == 0) {
		r = quota_set(dir_fd, have, limit->bytes, limit->inodes);
		if (r < 0)
			err_set(err, r, "limit project %u", have);
	}
	return r;
}

static bool is_near(uint64_t used, uint64_t limit, uint64_t room)
{
	return limit && (used >= limit || limit - used < room);
}

static uint64_t above(uint64_t used, uint64_t limit, uint64_t room)
{
	return limit ? (used > limit ? used : limit) + room : 0;
}

bool project_make_room(const struct storage *st, int dir_fd)
{
	const struct storage_limit *l = &st->limit;
	uint32_t project;
	struct quota q;

	if ((!l->bytes && !l->inodes) || quota_project(dir_fd, &project) < 0 || !project ||
	    quota_get(dir_fd, project, &q) < 0)
		return false;
	if (!is_near(q.bytes, l->bytes, ROOM_BYTES) && !is_near(q.inodes, l->inodes, ROOM_INODES))
		return false;
	return quota_set(dir_fd, project, above(q.bytes, l->bytes, ROOM_BYTES),
			 above(q.inodes, l->inodes, ROOM_INODES)) == 0;
}

void project_close_room(const struct storage *st, int dir_fd)
{
	uint32_t project;
	int r = quota_project(dir_fd, &project);

	if (r == 0)
		r = quota_set(dir_fd, project, st->limit.bytes, st->limit.inodes);
	if (r < 0)
		log_warn("the limit of project %u is a little too high (%s) until the next start, "
			 "ignoring",
			 project, strerror(-r));
}

int project_usage(int dir_fd, uint64_t *ret_bytes)
{
	uint32_t project;
	struct quota q;
	int r = quota_project(dir_fd, &project);

	if (r < 0 || !project)
		return r < 0 ? r : -ENOENT;
	r = quota_check(dir_fd, NULL);
	if (r == 0)
		r = quota_get(dir_fd, project, &q);
	if (r == 0)
		*ret_bytes = q.bytes;
	return r;
}
