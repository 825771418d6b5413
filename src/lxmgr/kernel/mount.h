/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mounts through file descriptors. A mount_spec is one fstab-like entry as the config gives it;
 * the functions make detached mounts and attach them last.
 */
#ifndef LXMGR_KERNEL_MOUNT_H
#define LXMGR_KERNEL_MOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lxmgr_err;
struct idmap;

/* On a host with SELinux: label the source for the container, or for all of them. */
enum mount_relabel { RELABEL_NONE, RELABEL_PRIVATE, RELABEL_SHARED };

enum mount_create { MOUNT_CREATE_NONE, MOUNT_CREATE_DIR, MOUNT_CREATE_FILE };

/* One mount entry: "source target type options freq passno" (fstab(5) with LXC's additions). */
struct mount_spec {
	char *source;		/* path, device or "none" */
	char *target;		/* relative to the container's root; no "..", no leading '/' kept */
	char *fstype;		/* "none" for a bind */
	char *data;		/* file system options, comma separated, or NULL */
	uint64_t set;		/* MOUNT_ATTR_* to set */
	uint64_t clear;		/* MOUNT_ATTR_* to clear, after set */
	uint64_t propagation;	/* MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE or 0 */
	bool bind, rbind, move; /* bind: also set by rbind */
	bool attr_recursive;	/* rro and friends: apply set/clear to the whole tree */
	bool propagation_recursive; /* rprivate, rslave, rshared */
	bool optional;		    /* a missing source or target is no error */
	bool delta;    /* bind of a directory: what is written goes to the container's directory */
	bool relative; /* source is relative to the container's root */
	enum mount_create create;
	enum mount_relabel relabel;
	char *idmap; /* NULL, "container", or a path of a user namespace */
};

/* Parse one entry. Fields are separated by blanks, \040 \011 \012 \134 are decoded.
 * -EINVAL with the reason: unknown option, "..", missing field, idmap without bind. */
int mount_spec_parse(const char *line, struct mount_spec *ret, struct lxmgr_err *err);
/* The line again, in the same form (escaped), malloc'ed; parse(print(x)) == x. */
char *mount_spec_print(const struct mount_spec *m);
void mount_spec_free(struct mount_spec *m);

/* A new file system as a detached mount: options is "a=b,c" or NULL; a value with a comma stands in
 * double quotes. The kernel's own message
 * (from the fs context) is put into err. */
int mount_new_fs(const char *fstype, const char *source, const char *options, uint64_t attr,
		 struct lxmgr_err *err);
/* A detached clone of the tree or mount at dirfd/path ("" for dirfd itself). */
int mount_clone(int dirfd, const char *path, bool recursive, struct lxmgr_err *err);
/* Change attributes of a (detached) mount; userns_fd -1: no idmap. */
int mount_set(int mnt_fd, uint64_t set, uint64_t clear, uint64_t propagation, bool recursive,
	      int userns_fd, struct lxmgr_err *err);
/* Attach a detached mount on target_fd (O_PATH, resolved under a policy by the caller). */
int mount_attach(int mnt_fd, int target_fd, const char *what, struct lxmgr_err *err);
/* Open (and, if asked, create with its parents) a mount target below rootfd: no symbolic link
 * anywhere; it must be a directory if is_dir, else not one. */
int mount_open_target(int rootfd, const char *target, enum mount_create create, bool is_dir,
		      struct lxmgr_err *err);

#endif
