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
#include "storage/deepcopy.h"
#include "storage/layers.h"
#include "storage/overlay.h"
#include "storage/treeattrs.h"
#include "storage/treecopy.h"
#include "storage/treediff.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/msg.h"
#include "util/run.h"
#include "util/str.h"

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

static int list_path(struct flatten *f, const char *path)
{
	return fprintf(f->list, "./%s", path) < 0 || fputc('\0', f->list) == EOF ? -EIO : 0;
}

/* The directories on the way, for what is made there before tar comes, which makes them like those
 * of the whole. */
static int make_parents(struct flatten *f, const char *path)
{
	cleanup_free char *copy = strdup(path);
	int r = copy ? 0 : -ENOMEM;

	for (char *p = r < 0 ? NULL : strchr(copy, '/'); r == 0 && p; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdirat(f->out, copy, 0700) == 0)
			r = list_path(f, copy);
		else if (errno != EEXIST)
			r = -errno;
		*p = '/';
	}
	return r;
}

/* A socket, which tar has no entry for. */
static int add_socket(struct flatten *f, const char *path)
{
	int r = make_parents(f, path);
	cleanup_fd int from = -EBADF, to = -EBADF;

	if (r < 0)
		return r;
	if (mknodat(f->out, path, S_IFSOCK | 0600, 0) < 0)
		return -errno;
	from = open_in(f->whole, path, OPEN_NO_XDEV, O_PATH | O_NOFOLLOW, 0);
	to = open_in(f->out, path, OPEN_NO_XDEV, O_PATH | O_NOFOLLOW, 0);
	if (from < 0 || to < 0)
		return from < 0 ? from : to;
	return tree_copy_attributes(from, to, f->err);
}

static int add_path(struct flatten *f, const char *path)
{
	struct stat st;

	if (fstatat(f->whole, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISSOCK(st.st_mode))
		return add_socket(f, path);
	return list_path(f, path);
}

/* All that is below a directory. */
static int add_below(struct flatten *f, const char *path)
{
	int fd = open_in(f->whole, path, OPEN_NO_XDEV, O_RDONLY | O_DIRECTORY, 0), r = 0;
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d)
		return fd == -ENOTDIR || fd == -ELOOP ? 0 : fd < 0 ? fd : -errno;
	while (r == 0 && (e = readdir(d))) {
		cleanup_free char *below = NULL;

		if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		below = str_printf("%s/%s", path, e->d_name);
		r = below ? add_path(f, below) : -ENOMEM;
		if (r == 0)
			r = add_below(f, below);
	}
	return r;
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
	return r < 0 || change == TREE_META ? r : add_below(f, path);
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
	r = tree_diff(base, whole, TREE_BY_CHANGE_TIME, take, &f, err);
	if (r == 0 && fflush(list) != 0)
		r = err_set(err, -errno, "write a list");
	if (r == 0)
		r = copy_list(&f, list_fd, err);
	if (r < 0 && r != -ECANCELED && deepcopy_is_needed(whole))
		return err_set(err, -ENAMETOOLONG, "merge the layers");
	return r < 0 ? r : tree_copy_attributes(whole, out, err);
}

/* Namespaces here: a mount namespace of its own. */
static int copy_whole(void *data, struct lxmgr_err *err)
{
	const struct work *w = data;
	cleanup_fd int whole = storage_open_root(w->below, err);

	return whole < 0 ? whole : tree_copy(whole, w->out, err);
}

static int make_root(int layer, int *ret, struct lxmgr_err *err)
{
	int r = remove_tree_at(layer, "rootfs");

	if (r == 0 && mkdirat(layer, "rootfs", 0755) < 0)
		r = -errno;
	if (r < 0)
		return err_set(err, r, "make a layer");
	fd_close(ret);
	*ret = openat(layer, "rootfs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *ret < 0 ? err_set(err, -errno, "open a layer") : 0;
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
	/* Without an image the lowest layer is what the others are set apart from. */
	if (!*st->base) {
		memcpy(flat.layer[0], st->layer[st->n_layers - 1], sizeof(flat.layer[0]));
		flat.n_layers = 1;
	}
	layer = layers_new(&flat, err);
	st->layers_lock = flat.layers_lock;
	if (layer < 0)
		return layer;
	r = make_root(layer, &root, err);
	if (r < 0)
		return r;
	w.out = root;
	r = storage_aside(dirs, ARRAY_SIZE(dirs), flatten_into, &w, err);
	/* A guest nests deeper than a path is long, and what differs is listed by paths. Then all
	 * becomes one layer that needs no image. */
	if (r == -ENAMETOOLONG) {
		*flat.base = '\0';
		flat.n_layers = 1;
		r = make_root(layer, &root, err);
		w.out = root;
		if (r == 0)
			r = storage_aside(dirs, ARRAY_SIZE(dirs), copy_whole, &w, err);
	}
	if (r < 0)
		return r;
	if (syncfs(root) < 0)
		return err_set(err, -errno, "write a layer to disk");
	memcpy(st->layer, flat.layer, sizeof(st->layer));
	st->n_layers = flat.n_layers;
	memcpy(st->base, flat.base, sizeof(st->base));
	return 0;
}
