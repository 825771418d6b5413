/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <archive.h>
#include <endian.h>
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "helpers/attrs.h"
#include "util/cleanup.h"
#include "util/str.h"

#define ACCESS	   "system.posix_acl_access"
#define DEFAULT	   "system.posix_acl_default"
#define CAPABILITY "security.capability"

/* The kernel's form of an access control list. */
#define ACL_VERSION 2
#define ACL_MAX	    1024
enum {
	TAG_USER_OBJ = 1,
	TAG_USER = 2,
	TAG_GROUP_OBJ = 4,
	TAG_GROUP = 8,
	TAG_MASK = 16,
	TAG_OTHER = 32
};
struct raw_entry {
	uint16_t tag, perm;
	uint32_t id;
};
struct raw_acl {
	uint32_t version;
	struct raw_entry entry[ACL_MAX];
};

static const struct {
	uint16_t raw;
	int tag;
} tags[] = {
	{ TAG_USER_OBJ, ARCHIVE_ENTRY_ACL_USER_OBJ },	{ TAG_USER, ARCHIVE_ENTRY_ACL_USER },
	{ TAG_GROUP_OBJ, ARCHIVE_ENTRY_ACL_GROUP_OBJ }, { TAG_GROUP, ARCHIVE_ENTRY_ACL_GROUP },
	{ TAG_MASK, ARCHIVE_ENTRY_ACL_MASK },		{ TAG_OTHER, ARCHIVE_ENTRY_ACL_OTHER },
};

#define CHARDEV(major, minor) ((major) << 8 | (minor))
const unsigned int attrs_devices[] = { CHARDEV(1, 3),
				       CHARDEV(1, 5),
				       CHARDEV(1, 7),
				       CHARDEV(1, 8),
				       CHARDEV(1, 9),
				       CHARDEV(5, 0),
				       CHARDEV(5, 1),
				       CHARDEV(5, 2),
				       CHARDEV(10, 200),
				       CHARDEV(10, 229),
				       0 };

bool attrs_device_is_plain(uint64_t dev)
{
	for (const unsigned int *d = attrs_devices; *d; d++)
		if (makedev(*d >> 8, *d & 255) == dev)
			return true;
	return false;
}

static uint32_t id_in(const struct idmap_extent *ext, size_t n, uint32_t id, uint64_t *nobody)
{
	for (size_t i = 0; i < n; i++)
		if (id >= ext[i].outside && id - ext[i].outside < ext[i].count)
			return ext[i].inside + (id - ext[i].outside);
	if (!n)
		return id;
	(*nobody)++;
	return ATTRS_NOBODY;
}

uint32_t attrs_uid_in(const struct idmap *map, uint32_t id, uint64_t *nobody)
{
	return id_in(map->uid, map->n_uid, id, nobody);
}

uint32_t attrs_gid_in(const struct idmap *map, uint32_t id, uint64_t *nobody)
{
	return id_in(map->gid, map->n_gid, id, nobody);
}

bool attrs_is_user(const char *name)
{
	return str_has_prefix(name, "user.") && !str_has_prefix(name, "user.overlay.");
}

/* A list goes to the entry as the container means it. */
static int add_acl(struct archive_entry *e, int type, const struct raw_acl *acl, size_t size,
		   const struct idmap *map, uint64_t *nobody)
{
	size_t n = (size - sizeof(acl->version)) / sizeof(acl->entry[0]);

	if (size < sizeof(acl->version) || le32toh(acl->version) != ACL_VERSION || n > ACL_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		const struct raw_entry *x = &acl->entry[i];
		uint16_t tag = le16toh(x->tag);
		uint32_t id = le32toh(x->id);

		for (size_t k = 0; k < ARRAY_SIZE(tags); k++) {
			if (tags[k].raw != tag)
				continue;
			if (tag == TAG_USER)
				id = attrs_uid_in(map, id, nobody);
			else if (tag == TAG_GROUP)
				id = attrs_gid_in(map, id, nobody);
			archive_entry_acl_add_entry(e, type, le16toh(x->perm) & 7, tags[k].tag,
						    tag & (TAG_USER | TAG_GROUP) ? (int)id : -1,
						    NULL);
		}
	}
	return 0;
}

/* A capability that a namespace's root gave counts for that root: the container's own is 0. */
static size_t map_capability(char *value, size_t size, const struct idmap *map)
{
	struct vfs_ns_cap_data *cap = (void *)value;
	uint64_t lacks = 0;
	uint32_t magic, root;

	if (size != sizeof(*cap))
		return size;
	magic = le32toh(cap->magic_etc);
	root = attrs_uid_in(map, le32toh(cap->rootid), &lacks);
	if ((magic & VFS_CAP_REVISION_MASK) != VFS_CAP_REVISION_3)
		return size;
	if (lacks)
		return 0;
	cap->rootid = htole32(root);
	if (root)
		return size;
	cap->magic_etc = htole32((magic & VFS_CAP_FLAGS_MASK) | VFS_CAP_REVISION_2);
	return sizeof(struct vfs_cap_data);
}

static int add_one(struct archive_entry *e, const char *name, char *value, size_t size,
		   const struct idmap *map, uint64_t *nobody)
{
	if (str_eq(name, ACCESS))
		return add_acl(e, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, (void *)value, size, map, nobody);
	if (str_eq(name, DEFAULT))
		return add_acl(e, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, (void *)value, size, map, nobody);
	if (str_eq(name, CAPABILITY)) {
		size = map_capability(value, size, map);
		if (!size)
			return 0;
	}
	archive_entry_xattr_add_entry(e, name, value, size);
	return 0;
}

static bool is_taken(const char *name)
{
	return attrs_is_user(name) || str_eq(name, CAPABILITY) || str_eq(name, ACCESS) ||
	       str_eq(name, DEFAULT);
}

int attrs_read(int fd, const char *name, struct archive_entry *e, const struct idmap *map,
	       uint64_t *nobody, attrs_sum *sum, void *arg)
{
	static char names[ATTRS_NAMES], value[ATTRS_VALUE] __attribute__((aligned(8)));
	ssize_t n = fd >= 0 ? flistxattr(fd, names, sizeof(names))
			    : llistxattr(name, names, sizeof(names)),
		size;
	int r = 0;

	if (n < 0)
		return errno == EOPNOTSUPP ? 0 : -errno;
	for (const char *p = names; r == 0 && p < names + n; p += strlen(p) + 1) {
		if (!is_taken(p))
			continue;
		size = fd >= 0 ? fgetxattr(fd, p, value, sizeof(value))
			       : lgetxattr(name, p, value, sizeof(value));
		if (size < 0)
			return -errno;
		if (sum) {
			sum(p, strlen(p) + 1, arg);
			sum(&size, sizeof(size), arg);
			sum(value, (size_t)size, arg);
		}
		r = add_one(e, p, value, (size_t)size, map, nobody);
	}
	return r;
}

static int put(int fd, const char *name, const char *attr, const void *value, size_t size)
{
	int r = fd >= 0 ? fsetxattr(fd, attr, value, size, 0)
			: lsetxattr(name, attr, value, size, 0);

	return r < 0 ? -errno : 0;
}

/* In the order that the kernel wants: that of the tags. */
static int make_acl(struct archive_entry *e, int type, uint64_t ids, struct raw_acl *acl,
		    size_t *ret_size)
{
	size_t n = 0;

	for (size_t k = 0; k < ARRAY_SIZE(tags); k++) {
		int t, perm, tag, id;
		const char *who;

		archive_entry_acl_reset(e, type);
		while (archive_entry_acl_next(e, type, &t, &perm, &tag, &id, &who) == ARCHIVE_OK) {
			bool has_id = tags[k].raw & (TAG_USER | TAG_GROUP);

			if (tag != tags[k].tag)
				continue;
			if (n == ACL_MAX)
				return -E2BIG;
			if (has_id && (uint64_t)(uint32_t)id >= ids)
				return -EOVERFLOW;
			acl->entry[n++] =
				(struct raw_entry){ htole16(tags[k].raw),
						    htole16((uint16_t)(perm & 7)),
						    htole32(has_id ? (uint32_t)id : 0xffffffffU) };
		}
	}
	acl->version = htole32(ACL_VERSION);
	*ret_size = sizeof(acl->version) + n * sizeof(acl->entry[0]);
	return n != 0;
}

static int put_acl(int fd, const char *name, struct archive_entry *e, int type, const char *attr,
		   uint64_t ids)
{
	static struct raw_acl acl;
	size_t size;
	int r;

	if (!(archive_entry_acl_types(e) & type))
		return 0;
	r = make_acl(e, type, ids, &acl, &size);
	return r <= 0 ? r : put(fd, name, attr, &acl, size);
}

int attrs_write(int fd, const char *name, struct archive_entry *e, uint64_t ids)
{
	const char *attr;
	const void *value;
	size_t size;
	int r = 0;

	if (archive_entry_xattr_reset(e) > 1000)
		return -E2BIG;
	while (r == 0 && archive_entry_xattr_next(e, &attr, &value, &size) == ARCHIVE_OK) {
		/* Lists come as such, with ids that are looked at. */
		if (!attr || size > ATTRS_VALUE ||
		    !(attrs_is_user(attr) || str_eq(attr, CAPABILITY)))
			continue;
		r = put(fd, name, attr, value, size);
		if (r == -EOPNOTSUPP && attrs_is_user(attr))
			r = 0;
	}
	if (r == 0)
		r = put_acl(fd, name, e, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, ACCESS, ids);
	if (r == 0)
		r = put_acl(fd, name, e, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, DEFAULT, ids);
	return r;
}

int attrs_clear(int fd)
{
	static char names[ATTRS_NAMES];
	ssize_t n = flistxattr(fd, names, sizeof(names));

	if (n < 0)
		return errno == EOPNOTSUPP ? 0 : -errno;
	for (const char *p = names; p < names + n; p += strlen(p) + 1)
		if (is_taken(p) && fremovexattr(fd, p) < 0 && errno != ENODATA)
			return -errno;
	return 0;
}
