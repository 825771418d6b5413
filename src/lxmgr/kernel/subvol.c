/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/magic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "kernel/subvol.h"
#include "util/cleanup.h"
#include "util/err.h"

#define DIR_FLAGS   (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define HANDLE_TYPE 0x4d /* FILEID_BTRFS_WITHOUT_PARENT */
#define NAME_SIZE   256

bool subvol_is_btrfs(int fd)
{
	struct statfs s;

	return fstatfs(fd, &s) == 0 && s.f_type == BTRFS_SUPER_MAGIC;
}

bool subvol_is(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) &&
	       st.st_ino == BTRFS_FIRST_FREE_OBJECTID && subvol_is_btrfs(fd);
}

/* The id of the subvolume that fd is in. */
static int id_of(int fd, uint64_t *ret)
{
	struct btrfs_ioctl_ino_lookup_args a = { .objectid = BTRFS_FIRST_FREE_OBJECTID };

	if (ioctl(fd, BTRFS_IOC_INO_LOOKUP, &a) < 0)
		return -errno;
	*ret = a.treeid;
	return 0;
}

/* One item of a tree; -ENODATA: there is none. */
static int find_item(int fs, uint64_t tree, uint64_t objectid, uint32_t type, uint64_t offset,
		     void *ret, size_t size)
{
	struct btrfs_ioctl_search_args a = { .key = { .tree_id = tree,
						      .min_objectid = objectid,
						      .max_objectid = objectid,
						      .min_type = type,
						      .max_type = type,
						      .min_offset = offset,
						      .max_offset = offset,
						      .max_transid = UINT64_MAX,
						      .nr_items = 1 } };
	struct btrfs_ioctl_search_header h;

	if (ioctl(fs, BTRFS_IOC_TREE_SEARCH, &a) < 0)
		return -errno;
	if (!a.key.nr_items)
		return -ENODATA;
	memcpy(&h, a.buf, sizeof(h));
	if (h.len < size)
		return -EIO;
	memcpy(ret, a.buf + sizeof(h), size);
	return 0;
}

/* A directory of a subvolume, by its number. */
static int open_inode(int fs, uint64_t subvol, uint64_t inode)
{
	struct __attribute__((packed)) {
		uint64_t inode, subvol;
		uint32_t generation;
	} id = { inode, subvol, 0 };
	union {
		struct file_handle h;
		char room[sizeof(struct file_handle) + sizeof(id)];
	} u = { .h = { .handle_bytes = sizeof(id), .handle_type = HANDLE_TYPE } };
	struct btrfs_inode_item item = { 0 };
	/* Before Linux 6.2 a handle without its generation is stale. */
	int fd, r = find_item(fs, subvol, inode, BTRFS_INODE_ITEM_KEY, 0, &item, sizeof(item));

	if (r < 0)
		return r == -ENODATA ? -ESTALE : r;
	id.generation = (uint32_t)le64toh(item.generation);
	memcpy(u.h.f_handle, &id, sizeof(id));
	fd = open_by_handle_at(fs, &u.h, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

struct nested {
	uint64_t id, parent, dir;
	char name[NAME_SIZE];
};

struct list {
	struct nested *v;
	size_t n;
};

static void free_list(struct list *l)
{
	free(l->v);
}
#define cleanup_list __attribute__((cleanup(free_list)))

static int add(struct list *l, uint64_t parent, uint64_t id, const char *item, size_t size)
{
	const struct btrfs_root_ref *ref = (const void *)item;
	struct nested *v = realloc(l->v, (l->n + 1) * sizeof(*v));
	size_t len;

	if (!v)
		return -ENOMEM;
	l->v = v;
	if (size < sizeof(*ref))
		return -EIO;
	len = le16toh(ref->name_len);
	if (len >= NAME_SIZE || size < sizeof(*ref) + len)
		return -EIO;
	v += l->n++;
	*v = (struct nested){ .id = id, .parent = parent, .dir = le64toh(ref->dirid) };
	memcpy(v->name, item + sizeof(*ref), len);
	return 0;
}

/* Those that lie directly in `parent`. */
static int list_children(int fs, uint64_t parent, struct list *l)
{
	struct btrfs_ioctl_search_args a = { 0 };
	struct btrfs_ioctl_search_key *k = &a.key;
	struct btrfs_ioctl_search_header h = { 0 };

	*k = (struct btrfs_ioctl_search_key){ .tree_id = BTRFS_ROOT_TREE_OBJECTID,
					      .min_objectid = parent,
					      .max_objectid = parent,
					      .min_type = BTRFS_ROOT_REF_KEY,
					      .max_type = BTRFS_ROOT_REF_KEY,
					      .max_offset = UINT64_MAX,
					      .max_transid = UINT64_MAX };
	for (;;) {
		const char *p = a.buf;

		k->nr_items = 4096;
		if (ioctl(fs, BTRFS_IOC_TREE_SEARCH, &a) < 0)
			return -errno;
		if (!k->nr_items)
			return 0;
		for (uint32_t i = 0; i < k->nr_items; i++) {
			int r = 0;

			memcpy(&h, p, sizeof(h));
			p += sizeof(h);
			if (h.type == BTRFS_ROOT_REF_KEY && h.objectid == parent)
				r = add(l, parent, h.offset, p, h.len);
			if (r < 0)
				return r;
			p += h.len;
		}
		if (h.offset == UINT64_MAX)
			return 0;
		k->min_offset = h.offset + 1;
	}
}

/* All that is nested in id, each behind what it lies in. */
static int list_nested(int fs, uint64_t id, struct list *l)
{
	int r = list_children(fs, id, l);

	for (size_t i = 0; r == 0 && i < l->n; i++)
		r = list_children(fs, l->v[i].id, l);
	return r;
}

static int named(struct btrfs_ioctl_vol_args_v2 *a, const char *name)
{
	if (strlen(name) > BTRFS_SUBVOL_NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(a->name, name, strlen(name) + 1);
	return 0;
}

int subvol_create(int dir_fd, const char *name, struct lxmgr_err *err)
{
	cleanup_fd int dir = openat(dir_fd, ".", DIR_FLAGS);
	struct btrfs_ioctl_vol_args_v2 a = { 0 };
	int r = dir < 0 ? -errno : named(&a, name);

	if (r == 0 && ioctl(dir, BTRFS_IOC_SUBVOL_CREATE_V2, &a) < 0)
		r = -errno;
	return r < 0 ? err_set(err, r, "make the subvolume '%s'", name) : 0;
}

static int snapshot(int fd, int dir_fd, const char *name, bool read_only)
{
	struct btrfs_ioctl_vol_args_v2 a = { .fd = fd,
					     .flags = read_only ? BTRFS_SUBVOL_RDONLY : 0 };
	cleanup_fd int dir = openat(dir_fd, ".", DIR_FLAGS);
	int r = dir < 0 ? -errno : named(&a, name);

	return r == 0 && ioctl(dir, BTRFS_IOC_SNAP_CREATE_V2, &a) < 0 ? -errno : r;
}

static int set_read_only(int fd, bool on)
{
	uint64_t flags;

	if (ioctl(fd, BTRFS_IOC_SUBVOL_GETFLAGS, &flags) < 0)
		return -errno;
	if (!(flags & BTRFS_SUBVOL_RDONLY) == !on)
		return 0;
	flags ^= BTRFS_SUBVOL_RDONLY;
	return ioctl(fd, BTRFS_IOC_SUBVOL_SETFLAGS, &flags) < 0 ? -errno : 0;
}

int subvol_set_read_only(int fd, bool on, struct lxmgr_err *err)
{
	int r = set_read_only(fd, on);

	return r < 0 ? err_set(err, r, "make a subvolume %s", on ? "read-only" : "writable") : 0;
}

/* In a snapshot an empty directory is where one is nested: one of its own in place of that. Its
 * directory has the same number there. */
static int snapshot_nested(int fs, const struct nested *n, uint64_t to, uint64_t *ret)
{
	cleanup_fd int from = open_inode(fs, n->id, BTRFS_FIRST_FREE_OBJECTID);
	cleanup_fd int dir = open_inode(fs, to, n->dir), made = -EBADF;
	int r = from < 0 ? from : dir < 0 ? dir : 0;

	if (r == 0 && unlinkat(dir, n->name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = -errno;
	if (r == 0)
		r = snapshot(from, dir, n->name, false);
	if (r < 0)
		return r;
	made = openat(dir, n->name, DIR_FLAGS);
	return made < 0 ? -errno : id_of(made, ret);
}

/* Those in l, each in the copy of the one that it lies in. */
static int snapshot_all_nested(int fd, int copy, const struct list *l)
{
	cleanup_free uint64_t *copies = calloc(l->n, sizeof(*copies));
	uint64_t to = 0;
	int r = copies ? id_of(copy, &to) : -ENOMEM;

	for (size_t i = 0; r == 0 && i < l->n; i++) {
		uint64_t parent = to;

		for (size_t k = 0; k < i; k++)
			if (l->v[k].id == l->v[i].parent)
				parent = copies[k];
		r = snapshot_nested(fd, &l->v[i], parent, &copies[i]);
	}
	return r;
}

/* Into a read-only one nothing can be nested, and to make one so later is another commit: that is
 * what takes the time here. */
static int snapshot_with(int from, const struct list *l, int dir_fd, const char *name,
			 bool read_only)
{
	cleanup_fd int copy = -EBADF;
	int r = snapshot(from, dir_fd, name, read_only && !l->n);

	if (r < 0 || !l->n)
		return r;
	copy = openat(dir_fd, name, DIR_FLAGS);
	r = copy < 0 ? -errno : snapshot_all_nested(from, copy, l);
	return r == 0 && read_only ? set_read_only(copy, true) : r;
}

int subvol_snapshot(int fd, int dir_fd, const char *name, bool read_only, struct lxmgr_err *err)
{
	cleanup_fd int from = openat(fd, ".", DIR_FLAGS);
	cleanup_list struct list l = { 0 };
	uint64_t id = 0;
	int r = from < 0 ? -errno : 0;

	/* Before Linux 6.8 the kernel takes any directory for the subvolume that it lies in. */
	if (r == 0 && !subvol_is(from))
		return err_msg(err, -ENOTDIR, "what '%s' is to be made of is no subvolume", name);
	if (r == 0)
		r = id_of(from, &id);
	if (r == 0)
		r = list_nested(from, id, &l);
	if (r == 0)
		r = snapshot_with(from, &l, dir_fd, name, read_only);
	return r < 0 && r != -EXDEV ? err_set(err, r, "make the snapshot '%s'", name) : r;
}

static int delete_one(int dir_fd, const char *name)
{
	struct btrfs_ioctl_vol_args a = { .fd = 0 };

	if (strlen(name) > BTRFS_PATH_NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(a.name, name, strlen(name) + 1);
	return ioctl(dir_fd, BTRFS_IOC_SNAP_DESTROY, &a) < 0 ? -errno : 0;
}

/* From the innermost. What lies in a read-only one cannot be deleted. */
static int delete_nested(int fd)
{
	cleanup_list struct list l = { 0 };
	uint64_t id = 0;
	/* Of any other directory the id is that of the host's subvolume in which it lies. */
	int r = subvol_is(fd) ? id_of(fd, &id) : -ENOTDIR;

	if (r == 0)
		r = list_nested(fd, id, &l);
	if (r == 0 && l.n)
		r = set_read_only(fd, false);
	for (size_t i = 0; r == 0 && i < l.n; i++) {
		cleanup_fd int sub = open_inode(fd, l.v[i].id, BTRFS_FIRST_FREE_OBJECTID);

		r = sub < 0 ? sub : set_read_only(sub, false);
	}
	for (size_t i = l.n; r == 0 && i > 0; i--) {
		const struct nested *n = &l.v[i - 1];
		cleanup_fd int dir = open_inode(fd, n->parent, n->dir);

		r = dir < 0 ? dir : delete_one(dir, n->name);
	}
	return r;
}

int subvol_delete(int dir_fd, const char *name, struct lxmgr_err *err)
{
	cleanup_fd int fd = openat(dir_fd, name, DIR_FLAGS), dir = -EBADF;
	int r;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_set(err, -errno, "open the subvolume '%s'", name);
	if (!subvol_is(fd))
		return err_msg(err, -ENOTDIR, "'%s' is no subvolume of btrfs", name);
	r = delete_nested(fd);
	fd_close(&fd);
	dir = openat(dir_fd, ".", DIR_FLAGS);
	if (r == 0)
		r = dir < 0 ? -errno : delete_one(dir, name);
	return r < 0 ? err_set(err, r, "delete the subvolume '%s'", name) : 0;
}

int subvol_limit(int fd, uint64_t bytes, struct lxmgr_err *err)
{
	struct btrfs_ioctl_qgroup_limit_args a = {
		.lim = { .flags = BTRFS_QGROUP_LIMIT_MAX_RFER,
			 .max_rfer = bytes ? bytes : UINT64_MAX /* takes it away */ },
	};
	cleanup_fd int in = openat(fd, ".", DIR_FLAGS);
	/* By way of the one it lies in: one that has reached its limit takes no change at all. */
	cleanup_fd int dir = openat(fd, "..", DIR_FLAGS);
	uint64_t id = 0;
	int r = in < 0 || dir < 0 ? -errno : id_of(in, &id);

	if (r < 0)
		return err_set(err, r, "look at the subvolume");
	a.qgroupid = id;
	if (ioctl(dir, BTRFS_IOC_QGROUP_LIMIT, &a) == 0)
		return 0;
	return errno == ENOTCONN || errno == EINVAL ? -ENOTCONN
						    : err_set(err, -errno, "limit the subvolume");
}

int subvol_usage(int fd, uint64_t *ret_bytes, struct lxmgr_err *err)
{
	cleanup_fd int dir = openat(fd, ".", DIR_FLAGS);
	struct btrfs_qgroup_info_item item = { 0 };
	uint64_t id = 0;
	int r = dir < 0 ? -errno : id_of(dir, &id);

	if (r < 0)
		return err_set(err, r, "look at the subvolume");
	r = find_item(dir, BTRFS_QUOTA_TREE_OBJECTID, 0, BTRFS_QGROUP_INFO_KEY, id, &item,
		      sizeof(item));
	if (r == -ENOENT || r == -ENODATA)
		return -ENOTCONN;
	if (r < 0)
		return err_set(err, r, "look for its usage");
	*ret_bytes = le64toh(item.rfer);
	return 0;
}
