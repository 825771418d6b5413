/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Many layers into one: what sets the whole apart from the base, as a new layer. The kernel itself
 * says what the whole is, by mounting it; deleted, moved and replaced directories need no rules of
 * ours.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/mount.h"
#include "kernel/sys.h"
#include "storage/aside.h"
#include "storage/layers.h"
#include "storage/overlay.h"
#include "storage/treecopy.h"
#include "storage/treediff.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/msg.h"
#include "util/run.h"
#include "util/str.h"

#define MAX_DEPTH 200

/* below: without a layer of its own. */
struct work {
	struct storage *below;
	int out;
};

struct flatten {
	int whole, out;
	FILE *list; /* paths for tar, each behind a NUL */
	struct lxmgr_err *err;
};

static int make_parents(struct flatten *f, const char *path);

/* A socket, which tar has no entry for. */
static int add_socket(struct flatten *f, const char *path, const struct stat *st)
{
	int r = make_parents(f, path);
	cleanup_fd int from = -EBADF, to = -EBADF;
	struct timespec times[2];

	if (r < 0)
		return r;
	if (mknodat(f->out, path, S_IFSOCK | 0600, 0) < 0)
		return -errno;
	from = open_in(f->whole, path, OPEN_NO_XDEV, O_PATH | O_NOFOLLOW, 0);
	to = open_in(f->out, path, OPEN_NO_XDEV, O_PATH | O_NOFOLLOW, 0);
	if (from < 0 || to < 0)
		return from < 0 ? from : to;
	times[0] = st->st_atim;
	times[1] = st->st_mtim;
	r = tree_copy_attributes(from, to, f->err);
	return r == 0 && utimensat(f->out, path, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : r;
}

static int add_path(struct flatten *f, const char *path)
{
	struct stat st;

	if (fstatat(f->whole, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISSOCK(st.st_mode))
		return add_socket(f, path, &st);
	return fprintf(f->list, "./%s", path) < 0 || fputc('\0', f->list) == EOF ? -EIO : 0;
}

/* All that is below a directory. */
static int add_below(struct flatten *f, const char *path, int depth)
{
	int fd = open_in(f->whole, path, OPEN_NO_XDEV, O_RDONLY | O_DIRECTORY, 0), r = 0;
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d)
		return fd == -ENOTDIR || fd == -ELOOP ? 0 : fd < 0 ? fd : -errno;
	if (depth == MAX_DEPTH)
		return -ELOOP;
	while (r == 0 && (e = readdir(d))) {
		cleanup_free char *below = NULL;

		if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		below = str_printf("%s/%s", path, e->d_name);
		r = below ? add_path(f, below) : -ENOMEM;
		if (r == 0)
			r = add_below(f, below, depth + 1);
	}
	return r;
}

/* The directories on the way, as they are in the whole. */
static int make_parents(struct flatten *f, const char *path)
{
	cleanup_free char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	for (char *p = strchr(copy, '/'); p; p = strchr(p + 1, '/')) {
		cleanup_fd int from = -EBADF, to = -EBADF;

		*p = '\0';
		if (mkdirat(f->out, copy, 0700) < 0) {
			*p = '/';
			if (errno == EEXIST)
				continue;
			return -errno;
		}
		from = open_in(f->whole, copy, OPEN_NO_XDEV, O_RDONLY | O_DIRECTORY, 0);
		to = open_in(f->out, copy, OPEN_NO_XDEV, O_RDONLY | O_DIRECTORY, 0);
		*p = '/';
		if (from < 0 || to < 0 || tree_copy_attributes(from, to, f->err) < 0)
			return -EIO;
	}
	return 0;
}

static int take(enum tree_change change, unsigned int what, const char *path, void *arg)
{
	struct flatten *f = arg;
	int r = make_parents(f, path);

	(void)what;
	if (r < 0)
		return r;
	if (change == TREE_DELETED)
		return mknodat(f->out, path, S_IFCHR, makedev(0, 0)) < 0 ? -errno : 0;
	r = add_path(f, path);
	return r < 0 || change == TREE_META ? r : add_below(f, path, 0);
}

/* tar, since it knows holes, attributes and, among all files of one list, hard links. */
static int copy_list(struct flatten *f, int list_fd, struct lxmgr_err *err)
{
	char from[FD_PATH_SIZE + 4], to[FD_PATH_SIZE + 4], list[FD_PATH_SIZE], text[64];
	const char *pack[] = { "tar",
			       "-C",
			       from,
			       "--null",
			       "--no-recursion",
			       "--sparse",
			       "--xattrs",
			       "--xattrs-include=*",
			       "--acls",
			       "--numeric-owner",
			       "-c",
			       "-T",
			       list,
			       NULL };
	const char *unpack[] = {
		"tar", "-C", to,  "--xattrs", "--xattrs-include=*", "--acls", "--numeric-owner",
		"-p",  "-x", NULL
	};
	struct run_opts o = RUN_OPTS_INIT;
	int fds[2], r, status = 0;
	pid_t pid, self = getpid();

	snprintf(from, sizeof(from), "/proc/%d/fd/%d/.", getpid(), f->whole);
	snprintf(to, sizeof(to), "/proc/%d/fd/%d/.", getpid(), f->out);
	snprintf(list, sizeof(list), "/proc/%d/fd/%d", getpid(), list_fd);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(err, -errno, "make a pipe");
	o.prepare = tree_die_with_parent;
	o.data = &self;
	pid = fork();
	if (pid == 0) {
		tree_die_with_parent(&self);
		self = getpid();
		close(fds[0]);
		o.stdout_fd = fds[1];
		_exit(run_program(pack, &o, NULL) != 0);
	}
	close(fds[1]);
	o.stdin_fd = fds[0];
	r = pid < 0 ? -errno : run_program(unpack, &o, NULL);
	close(fds[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return err_set(err, r, "run tar");
	if (r > 0 || status)
		return err_msg(err, -EIO, "merge the layers: tar ended with %s",
			       run_status_text(r ? r : status, text, sizeof(text)));
	return 0;
}

/* Namespaces here: a mount namespace of its own. */
static int flatten_into(void *data, struct lxmgr_err *err)
{
	const struct work *w = data;
	struct storage *below = w->below;
	int out = w->out;
	struct layers l __attribute__((cleanup(overlay_close_layers))) = { .writable = -EBADF };
	cleanup_fd int whole = -EBADF, base = -EBADF, list_fd = sys_memfd_create("list", 0);
	struct flatten f = { .out = out, .err = err };
	cleanup_file FILE *list = list_fd < 0 ? NULL : fdopen(dup(list_fd), "w");
	int r = overlay_open_layers(below, &l, err);

	if (r == 0 && !list)
		r = err_set(err, -errno, "make a list");
	if (r < 0)
		return r;
	whole = storage_open_root(below, err);
	base = openat(l.lower[l.n - 1], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (whole < 0 || base < 0)
		return whole < 0 ? whole : err_set(err, -errno, "open the image");
	f.whole = whole;
	f.list = list;
	r = tree_copy_attributes(whole, out, err);
	if (r == 0)
		r = tree_diff(base, whole, TREE_BY_CHANGE_TIME, take, &f, err);
	if (r == 0 && fflush(list) != 0)
		r = err_set(err, -errno, "write a list");
	return r < 0 ? r : copy_list(&f, list_fd, err);
}

int overlay_flatten(struct storage *st, struct lxmgr_err *err)
{
	struct storage below = *st, flat = *st;
	cleanup_fd int layer = -EBADF, root = -EBADF;
	struct work w = { .below = &below };
	int *const dirs[] = { &below.ct_fd };
	int r;

	snprintf(below.tree, sizeof(below.tree), "none");
	flat.n_layers = 0;
	layer = layers_new(&flat, err);
	st->layers_lock = flat.layers_lock;
	if (layer < 0)
		return layer;
	if (mkdirat(layer, "rootfs", 0755) < 0)
		return err_set(err, -errno, "make a layer");
	root = openat(layer, "rootfs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (root < 0)
		return err_set(err, -errno, "open a layer");
	w.out = root;
	r = storage_aside(dirs, ARRAY_SIZE(dirs), flatten_into, &w, err);
	if (r < 0)
		return r;
	if (syncfs(root) < 0)
		return err_set(err, -errno, "write a layer to disk");
	memcpy(st->layer, flat.layer, sizeof(st->layer));
	st->n_layers = flat.n_layers;
	return 0;
}
