/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/file.h"
#include "util/str.h"
#include "util/treewalk.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* One directory on the way down, and what is still to be done in it. */
struct level {
	struct strlist below;
	size_t next;
	dev_t dev;
	ino_t ino;
};

struct walk {
	const struct treewalk *how;
	void *arg;
	struct level *v;
	size_t n, size;
	int fd; /* the directory that v[n - 1] is of */
};

static void walk_end(struct walk *w)
{
	while (w->n)
		strlist_free(&w->v[--w->n].below);
	free(w->v);
	fd_close(&w->fd);
}

static int type_of(int dir_fd, const struct dirent *e, unsigned char *ret)
{
	struct stat st;

	*ret = e->d_type;
	if (e->d_type != DT_UNKNOWN)
		return 0;
	if (fstatat(dir_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	*ret = IFTODT(st.st_mode);
	return 0;
}

/* The files of the directory, and the names of the directories in it. */
static int read_level(struct walk *w, struct level *l)
{
	int fd = openat(w->fd, ".", DIR_FLAGS), r = 0;
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	unsigned char type;

	if (!d)
		return -errno;
	while (r == 0 && (errno = 0, e = readdir(d))) {
		if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		r = type_of(fd, e, &type);
		if (r == 0 && type == DT_DIR)
			r = strlist_add(&l->below, e->d_name);
		else if (r == 0 && w->how->file)
			r = w->how->file(w->arg, fd, e->d_name, type);
		else if (r == -ENOENT)
			r = 0;
		errno = 0;
	}
	return r ? r : -errno;
}

static int push(struct walk *w)
{
	struct level *l, *more;
	struct stat st;

	if (fstat(w->fd, &st) < 0)
		return -errno;
	if (w->n == w->size) {
		more = reallocarray(w->v, w->size * 2 + 64, sizeof(*more));
		if (!more)
			return -ENOMEM;
		w->v = more;
		w->size = w->size * 2 + 64;
	}
	l = &w->v[w->n++];
	*l = (struct level){ .dev = st.st_dev, .ino = st.st_ino };
	return read_level(w, l);
}

static int go_down(struct walk *w, const char *name)
{
	cleanup_fd int fd = open_in(w->fd, name, OPEN_NO_XDEV, O_RDONLY | O_DIRECTORY, 0);
	int r = 0;

	if (fd == -ENOENT || (fd == -EXDEV && w->how->skip_mounts))
		return 0;
	if (fd < 0)
		return fd;
	if (w->how->enter)
		r = w->how->enter(w->arg, fd, name);
	if (r)
		return r;
	fd_close(&w->fd);
	w->fd = fd;
	fd = -EBADF;
	return push(w);
}

static int to_parent(int *fd, dev_t dev, ino_t ino)
{
	int up = openat(*fd, "..", DIR_FLAGS);
	struct stat st;

	if (up < 0)
		return -errno;
	fd_close(fd);
	*fd = up;
	if (fstat(up, &st) < 0)
		return -errno;
	return st.st_ino == ino && st.st_dev == dev ? 0 : -ESTALE;
}

static int go_up(struct walk *w)
{
	struct level *up = w->n > 1 ? &w->v[w->n - 2] : NULL;
	int r = up && w->how->leave ? w->how->leave(w->arg, w->fd, up->below.v[up->next - 1]) : 0;

	strlist_free(&w->v[--w->n].below);
	return r || !up ? r : to_parent(&w->fd, up->dev, up->ino);
}

int tree_walk(int dir_fd, const struct treewalk *how, void *arg)
{
	__attribute__((cleanup(walk_end))) struct walk w = { .how = how, .arg = arg };
	int r;

	w.fd = openat(dir_fd, ".", DIR_FLAGS);
	r = w.fd < 0 ? -errno : push(&w);
	while (r == 0 && w.n) {
		struct level *l = &w.v[w.n - 1];

		r = l->next < l->below.n ? go_down(&w, l->below.v[l->next++]) : go_up(&w);
	}
	return r;
}

/* A directory on the second way down. */
struct treealong_level {
	dev_t dev;
	ino_t ino;
};

int treealong_begin(struct treealong *a, int dir_fd)
{
	*a = (struct treealong){ .fd = openat(dir_fd, ".", DIR_FLAGS) };
	return a->fd < 0 ? -errno : 0;
}

int treealong_down(struct treealong *a, const char *name)
{
	struct treealong_level *more;
	struct stat st;
	int fd;

	if (a->n == a->size) {
		more = reallocarray(a->v, a->size * 2 + 64, sizeof(*more));
		if (!more)
			return -ENOMEM;
		a->v = more;
		a->size = a->size * 2 + 64;
	}
	if (fstat(a->fd, &st) < 0)
		return -errno;
	fd = open_in(a->fd, name, OPEN_NO_XDEV, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd < 0)
		return fd;
	a->v[a->n++] = (struct treealong_level){ st.st_dev, st.st_ino };
	fd_close(&a->fd);
	a->fd = fd;
	return 0;
}

int treealong_up(struct treealong *a)
{
	if (a->n == 0)
		return -EINVAL;
	a->n--;
	return to_parent(&a->fd, a->v[a->n].dev, a->v[a->n].ino);
}

void treealong_end(struct treealong *a)
{
	free(a->v);
	fd_close(&a->fd);
}
