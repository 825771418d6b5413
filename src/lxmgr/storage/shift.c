/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ids on disk, changed: for file systems whose mounts cannot be id-mapped. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/posix_acl_xattr.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "storage/tree.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"

#define PLAIN	  65536U /* ids of a tree that is not shifted */
#define MAX_DEPTH 200
#define ACL_SIZE  4096

#define TAG_USER  0x02
#define TAG_GROUP 0x08

static uint32_t shifted(uint32_t id, uint32_t first)
{
	return id < PLAIN ? id + first : id;
}

/* Read before the change of owner, which takes them away. Written again, they belong to the root of
 * the block. */
static int shift_caps(const char *path, const struct vfs_cap_data *have, uint32_t first)
{
	struct vfs_ns_cap_data caps = { .rootid = first };

	memcpy(&caps, have, sizeof(*have));
	caps.magic_etc = VFS_CAP_REVISION_3 | (have->magic_etc & VFS_CAP_FLAGS_EFFECTIVE);
	return setxattr(path, "security.capability", &caps, sizeof(caps), 0) < 0 ? -errno : 0;
}

static int shift_acl(const char *path, const char *name, uint32_t first)
{
	union {
		struct posix_acl_xattr_header header;
		char bytes[ACL_SIZE];
	} acl;
	ssize_t n = getxattr(path, name, &acl, sizeof(acl));
	struct posix_acl_xattr_entry *e = (void *)(acl.bytes + sizeof(acl.header));

	if (n < (ssize_t)sizeof(acl.header))
		return n < 0 && errno != ENODATA && errno != EOPNOTSUPP ? -errno : 0;
	for (size_t i = 0; i < ((size_t)n - sizeof(acl.header)) / sizeof(*e); i++)
		if (e[i].e_tag == TAG_USER || e[i].e_tag == TAG_GROUP)
			e[i].e_id = shifted(e[i].e_id, first);
	return setxattr(path, name, &acl, (size_t)n, 0) < 0 ? -errno : 0;
}

static int shift_one(int fd, const struct stat *st, uint32_t first)
{
	struct vfs_cap_data caps;
	char path[FD_PATH_SIZE];
	ssize_t n = -1;
	int r = 0;

	fd_path(fd, path);
	if (S_ISREG(st->st_mode))
		n = getxattr(path, "security.capability", &caps, sizeof(caps));
	if (fchownat(fd, "", shifted(st->st_uid, first), shifted(st->st_gid, first),
		     AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISLNK(st->st_mode))
		return 0;
	/* The kernel takes set-user-id with the owner. */
	if ((st->st_mode & (S_ISUID | S_ISGID)) && chmod(path, st->st_mode & 07777) < 0)
		return -errno;
	if (n == sizeof(caps))
		r = shift_caps(path, &caps, first);
	if (r == 0)
		r = shift_acl(path, "system.posix_acl_access", first);
	if (r == 0 && S_ISDIR(st->st_mode))
		r = shift_acl(path, "system.posix_acl_default", first);
	return r;
}

static int shift_entry(int fd, uint32_t first, int depth);

static int shift_dir(int dir_fd, uint32_t first, int depth)
{
	int fd = open_in(dir_fd, ".", OPEN_NO_XDEV, O_RDONLY | O_DIRECTORY, 0);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	int r = 0;

	if (!d)
		return fd < 0 ? fd : -errno;
	if (depth == MAX_DEPTH)
		return -ELOOP;
	while (r == 0 && (e = readdir(d))) {
		cleanup_fd int sub = -EBADF;

		if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		sub = openat(fd, e->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		r = sub < 0 ? -errno : shift_entry(sub, first, depth + 1);
	}
	return r;
}

/* What is below first: the directory's own owner says that it was done. */
static int shift_entry(int fd, uint32_t first, int depth)
{
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	r = S_ISDIR(st.st_mode) ? shift_dir(fd, first, depth) : 0;
	if (r < 0 || (st.st_uid >= PLAIN && st.st_gid >= PLAIN))
		return r;
	return shift_one(fd, &st, first);
}

int tree_shift(int dir_fd, uint32_t first, struct lxmgr_err *err)
{
	int r = shift_entry(dir_fd, first, 0);

	return r < 0 ? err_set(err, r, "give the root the ids from %u on", first) : 0;
}
