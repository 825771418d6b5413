/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/tree.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"

#define MAX_DEPTH 200

static int walk(int dir_fd, int depth, uint64_t *sum)
{
	int fd = open_in(dir_fd, ".", OPEN_NO_XDEV, O_RDONLY | O_DIRECTORY, 0);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d)
		return fd < 0 ? fd : -errno;
	while ((e = readdir(d))) {
		cleanup_fd int sub = -EBADF;
		struct stat st;

		if (str_eq(e->d_name, ".") || str_eq(e->d_name, "..") ||
		    fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		/* A file with several names counts its share for each. */
		*sum += (uint64_t)st.st_blocks * 512 / (S_ISDIR(st.st_mode) ? 1 : st.st_nlink);
		if (!S_ISDIR(st.st_mode) || depth == MAX_DEPTH)
			continue;
		sub = open_in(fd, e->d_name, OPEN_NO_XDEV, O_PATH | O_DIRECTORY, 0);
		if (sub >= 0)
			walk(sub, depth + 1, sum);
	}
	return 0;
}

int tree_usage(int dir_fd, uint64_t *ret_bytes, struct lxmgr_err *err)
{
	int r;

	*ret_bytes = 0;
	r = walk(dir_fd, 0, ret_bytes);
	return r < 0 ? err_set(err, r, "add up the size of the root") : 0;
}
