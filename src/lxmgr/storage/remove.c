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

/* Where the file cannot be read, it says of nothing else that it is ours. */
static int remove_named(int dir, struct lxmgr_err *err)
{
	static const struct storage_spec none;
	struct storage st;

	storage_init(&st, dir, &none);
	if (storage_read(&st, NULL) < 0 || !st.ops || !st.ops->destroy)
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
		cleanup_fd int sub = -EBADF;

		if (str_eq(e->d_name, ".") || str_eq(e->d_name, "..") || e->d_type != DT_DIR)
			continue;
		sub = openat(fd, e->d_name, DIR_FLAGS);
		if (sub >= 0 && subvol_is(sub))
			r = subvol_delete(fd, e->d_name, err);
	}
	return r;
}

static int remove_elsewhere(int dir, struct lxmgr_err *err)
{
	int r = remove_named(dir, err);

	return r < 0 ? r : remove_subvolumes(dir, err);
}

int storage_remove_dir(int parent_fd, const char *name, struct lxmgr_err *err)
{
	cleanup_fd int dir = openat(parent_fd, name, DIR_FLAGS);
	int snapshots = dir < 0 ? -EBADF : openat(dir, SNAPSHOTS, DIR_FLAGS);
	cleanup_dir DIR *d = snapshots < 0 ? NULL : fdopendir(snapshots);
	struct dirent *e;
	int r = 0;

	while (d && r == 0 && (e = readdir(d))) {
		cleanup_fd int sub = -EBADF;

		if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		sub = openat(snapshots, e->d_name, DIR_FLAGS);
		r = sub < 0 ? 0 : remove_elsewhere(sub, err);
	}
	if (r == 0 && dir >= 0)
		r = remove_elsewhere(dir, err);
	if (r < 0)
		return r;
	r = remove_tree_at(parent_fd, name);
	return r < 0 ? err_set(err, r, "delete '%s'", name) : 0;
}
