/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Backend dir: a plain directory, rootfs/ of the container or one that the config names. */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/mount.h"
#include "storage/options.h"
#include "storage/tree.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/run.h"
#include "util/str.h"

static bool is_outside(const struct storage *st)
{
	return st->spec->path && *st->spec->path;
}

static int open_dir(const struct storage *st, struct lxmgr_err *err)
{
	const char *path = is_outside(st) ? st->spec->path : "rootfs";
	int fd = openat(is_outside(st) ? AT_FDCWD : st->ct_fd, path,
			O_PATH | O_DIRECTORY | O_CLOEXEC | (is_outside(st) ? 0 : O_NOFOLLOW));

	return fd < 0 ? err_set(err, -errno, "open the root file system '%s'", path) : fd;
}

static int check(struct storage *st, struct lxmgr_err *err)
{
	cleanup_fd int fd = open_dir(st, err);
	uint64_t attrs;

	return fd < 0 ? fd : storage_attrs(st->spec, &attrs, err);
}

/* cp knows reflinks, sparse files, extended attributes and hard links. */
static int copy_image(int image_fd, int root_fd, struct lxmgr_err *err)
{
	char from[FD_PATH_SIZE + 4], to[FD_PATH_SIZE + 4], text[64];
	const char *argv[] = { "cp", "-a", "--reflink=auto", "-T", "--", from, to, NULL };
	struct run_opts o = RUN_OPTS_INIT;
	cleanup_free char *out = NULL;
	int r;

	snprintf(from, sizeof(from), "/proc/%d/fd/%d/.", getpid(), image_fd);
	snprintf(to, sizeof(to), "/proc/%d/fd/%d/.", getpid(), root_fd);
	o.capture = 4096;
	r = run_program(argv, &o, &out);
	if (r < 0)
		return err_set(err, r, "run cp");
	if (r > 0)
		return err_msg(err, -EIO, "copy the image: cp ended with %s%s%s",
			       run_status_text(r, text, sizeof(text)), out && *out ? ": " : "",
			       out ? str_strip(out) : "");
	return 0;
}

static int create(struct storage *st, int image_root_fd, struct lxmgr_err *err)
{
	cleanup_fd int fd = -EBADF;

	if (mkdirat(st->ct_fd, "rootfs", 0755) < 0)
		return err_set(err, -errno, "make the directory 'rootfs'");
	fd = openat(st->ct_fd, "rootfs", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "open the directory 'rootfs'");
	return image_root_fd < 0 ? 0 : copy_image(image_root_fd, fd, err);
}

static int dir_mount(struct storage *st, const struct storage_stage *stage, struct lxmgr_err *err)
{
	cleanup_fd int dir = open_dir(st, err), mnt = -EBADF;
	uint64_t attrs;
	int r;

	if (dir < 0)
		return dir;
	r = storage_attrs(st->spec, &attrs, err);
	if (r < 0)
		return r;
	mnt = mount_clone(dir, "", false, err);
	if (mnt < 0)
		return mnt;
	r = mount_set(mnt, attrs, 0, 0, false, stage->userns_fd, err);
	return r < 0 ? r : take_fd(&mnt);
}

static int dir_open_root(struct storage *st, struct lxmgr_err *err)
{
	return open_dir(st, err);
}

/* A directory outside belongs to whoever made it. */
static int destroy(struct storage *st, struct lxmgr_err *err)
{
	int r = is_outside(st) ? 0 : remove_tree_at(st->ct_fd, "rootfs");

	return r < 0 ? err_set(err, r, "delete 'rootfs'") : 0;
}

static int usage(struct storage *st, uint64_t *ret_bytes, struct lxmgr_err *err)
{
	cleanup_fd int dir = open_dir(st, err);

	return dir < 0 ? dir : tree_usage(dir, ret_bytes, err);
}

const struct storage_ops storage_dir = {
	.name = "dir",
	.create = create,
	.check = check,
	.mount = dir_mount,
	.open_root = dir_open_root,
	.open_labelled = dir_open_root,
	.destroy = destroy,
	.usage = usage,
};
