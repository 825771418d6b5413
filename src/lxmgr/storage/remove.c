/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Directories of containers, with what their storage holds that is no file below them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "kernel/subvol.h"
#include "storage/record.h"
#include "storage/storage.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"

#define SNAPSHOTS "snapshots"
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static bool is_absent(int r)
{
	return r == -ENOENT || r == -ENOTDIR || r == -ELOOP;
}

/* A file that makes no sense says of nothing else that it is ours. One that cannot be read may name
 * a volume: it is the only one that does. */
static int remove_named(int dir, struct lxmgr_err *err)
{
	static const struct storage_spec none;
	cleanup_free char *text = NULL;
	struct storage st;
	int r = storage_read_text(dir, &text);

	if (r < 0 && !is_absent(r) && r != -EISDIR && r != -EFBIG)
		return err_set(err, r, "read the 'storage' file of what is deleted");
	storage_init(&st, dir, &none);
	if (r < 0 || storage_parse(&st, text, NULL) < 0 || !st.ops->destroy)
		return 0;
	return st.ops->destroy(&st, err);
}

/* Those of an unfinished container too, whose file `storage` is not there yet. */
static int remove_subvolumes(int dir, struct lxmgr_err *err)
{
	int fd = openat(dir, ".", DIR_FLAGS), r = 0;
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d)
		return err_set(err, -errno, "open the container's directory");
	if (!subvol_is_btrfs(fd))
		return 0;
	while (r == 0 && (e = readdir(d))) {
		if (str_eq(e->d_name, ".") || str_eq(e->d_name, "..") || e->d_type != DT_DIR)
			continue;
		r = subvol_delete(fd, e->d_name, err);
		r = r == -ENOTDIR ? 0 : r;
	}
	return r;
}

static int remove_elsewhere(int dir, struct lxmgr_err *err)
{
	int r = remove_named(dir, err);

	return r < 0 ? r : remove_subvolumes(dir, err);
}

/* *ret is negative where there is no such directory. Whatever else keeps it from being opened hides
 * what it names: then nothing of it is deleted. */
static int open_dir(int parent_fd, const char *name, int *ret, struct lxmgr_err *err)
{
	*ret = openat(parent_fd, name, DIR_FLAGS);
	if (*ret >= 0 || is_absent(-errno))
		return 0;
	return err_set(err, -errno, "open '%s', which is to be deleted", name);
}

static int remove_snapshots(int dir, struct lxmgr_err *err)
{
	cleanup_dir DIR *d = NULL;
	struct dirent *e;
	int fd, r = open_dir(dir, SNAPSHOTS, &fd, err);

	if (r < 0 || fd < 0)
		return r;
	d = fdopendir(fd);
	if (!d)
		return err_set(err, -ENOMEM, "read the list of snapshots");
	while (r == 0 && (errno = 0, e = readdir(d))) {
		cleanup_fd int sub = -EBADF;

		if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		r = open_dir(fd, e->d_name, &sub, err);
		if (r == 0 && sub >= 0)
			r = remove_elsewhere(sub, err);
	}
	return r < 0 || !errno ? r : err_set(err, -errno, "read the list of snapshots");
}

int storage_remove_dir(int parent_fd, const char *name, struct lxmgr_err *err)
{
	cleanup_fd int dir = -EBADF;
	int r = open_dir(parent_fd, name, &dir, err);

	if (r == 0 && dir >= 0)
		r = remove_snapshots(dir, err);
	if (r == 0 && dir >= 0)
		r = remove_elsewhere(dir, err);
	if (r < 0)
		return r;
	r = remove_tree_at(parent_fd, name);
	return r < 0 ? err_set(err, r, "delete '%s'", name) : 0;
}
