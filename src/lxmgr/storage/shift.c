/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ids on disk, changed: for file systems whose mounts cannot be id-mapped. */
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
#include "util/treewalk.h"

#define PLAIN	 65536U /* ids of a tree that is not shifted */
#define ACL_SIZE 4096

#define TAG_USER  0x02
#define TAG_GROUP 0x08

/* From the block that begins at `from`, or from none, to the one that begins at `first`. */
struct shift {
	uint32_t from, first;
};

/* In a tree that was shifted what is below is new: the host's root wrote it. */
static bool is_due(uint32_t id, const struct shift *s)
{
	return id < PLAIN || (s->from && id >= s->from && id - s->from < PLAIN);
}

static uint32_t shifted(uint32_t id, const struct shift *s)
{
	if (id < PLAIN)
		return id + s->first;
	return is_due(id, s) ? id - s->from + s->first : id;
}

/* Read before the change of owner, which takes them away. Written again, they belong to the root of
 * the block. */
static int shift_caps(const char *path, const struct vfs_ns_cap_data *have, uint32_t first)
{
	struct vfs_ns_cap_data caps = *have;

	caps.rootid = first;
	caps.magic_etc = VFS_CAP_REVISION_3 | (have->magic_etc & VFS_CAP_FLAGS_EFFECTIVE);
	return setxattr(path, "security.capability", &caps, sizeof(caps), 0) < 0 ? -errno : 0;
}

static int shift_acl(const char *path, const char *name, const struct shift *s)
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
			e[i].e_id = shifted(e[i].e_id, s);
	return setxattr(path, name, &acl, (size_t)n, 0) < 0 ? -errno : 0;
}

static int shift_one(int fd, const struct stat *st, const struct shift *s)
{
	struct vfs_ns_cap_data caps = { 0 };
	char path[FD_PATH_SIZE];
	ssize_t n = -1;
	int r = 0;

	fd_path(fd, path);
	if (S_ISREG(st->st_mode))
		n = getxattr(path, "security.capability", &caps, sizeof(caps));
	if (fchownat(fd, "", shifted(st->st_uid, s), shifted(st->st_gid, s),
		     AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISLNK(st->st_mode))
		return 0;
	/* The kernel takes set-user-id with the owner. */
	if ((st->st_mode & (S_ISUID | S_ISGID)) && chmod(path, st->st_mode & 07777) < 0)
		return -errno;
	if (n == sizeof(struct vfs_cap_data) || n == sizeof(caps))
		r = shift_caps(path, &caps, s->first);
	if (r == 0)
		r = shift_acl(path, "system.posix_acl_access", s);
	if (r == 0 && S_ISDIR(st->st_mode))
		r = shift_acl(path, "system.posix_acl_default", s);
	return r;
}

static int shift_due(int fd, const struct shift *s)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return is_due(st.st_uid, s) || is_due(st.st_gid, s) ? shift_one(fd, &st, s) : 0;
}

static int shift_file(void *arg, int dir, const char *name, unsigned char type)
{
	cleanup_fd int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	(void)type;
	return fd < 0 ? -errno : shift_due(fd, arg);
}

static int shift_dir(void *arg, int fd, const char *name)
{
	(void)name;
	return shift_due(fd, arg);
}

int tree_shift(int dir_fd, uint32_t from, uint32_t first, struct lxmgr_err *err)
{
	/* What is below it first: a directory's own owner says that it was done. */
	static const struct treewalk how = { .file = shift_file, .leave = shift_dir };
	struct shift s = { from, first };
	int r = tree_walk(dir_fd, &how, &s);

	if (r == 0)
		r = shift_due(dir_fd, &s);
	return r < 0 ? err_set(err, r, "give the root the ids from %u on", first) : 0;
}
