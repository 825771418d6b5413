/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A root's own file system, in an image or a volume. Private to storage/. */
#ifndef LXMGR_STORAGE_BLOCKFS_H
#define LXMGR_STORAGE_BLOCKFS_H

#include <stdbool.h>
#include <stdint.h>

struct lxmgr_err;
struct storage;
struct storage_limit;

#define BLOCKFS_DEFAULT_SIZE (10ULL << 30)

struct blockfs {
	const char *name, *mkfs, *package;
	uint64_t min; /* bytes */
	uint64_t magic_at;
	const char *magic;
	const char *options; /* of the mount */
	bool copies_clash;   /* two images with one id cannot both be mounted */
	bool shrinks_live, shrinks_at_rest, inodes;
};

/* NULL or "": the default. Refused where there is no such file system, or no program to make it. */
const struct blockfs *blockfs_find(const char *name, struct lxmgr_err *err);
/* What is in the image or device. */
const struct blockfs *blockfs_detect(int fd, struct lxmgr_err *err);
/* Make one in fd, over all of it, with that many inodes (0: the default). */
int blockfs_make(const struct blockfs *fs, int fd, uint64_t inodes, struct lxmgr_err *err);
/* How many inodes the one in fd has; 0: as many as fit, or not known. */
uint64_t blockfs_inodes(const struct blockfs *fs, int fd);
/* A detached mount of the device. label: SELinux context of all files, or NULL. */
int blockfs_mount(const struct blockfs *fs, const char *device, uint64_t attrs, const char *label,
		  struct lxmgr_err *err);
/* Attach it at a place in the caller's private mount namespace. */
int blockfs_attach(int mnt, struct lxmgr_err *err);
/* Let the mounted file system have `bytes` of its device: where it shrinks, the device still has
 * its old size. */
int blockfs_resize(const struct blockfs *fs, int mnt, uint64_t bytes, struct lxmgr_err *err);
/* Check the file system at rest in fd, then make it smaller. */
int blockfs_shrink(const struct blockfs *fs, int fd, uint64_t bytes, struct lxmgr_err *err);
/* All that was written to it reaches the device. */
int blockfs_sync(int mnt, struct lxmgr_err *err);
/* Tell the device of `size` bytes what is free; watched as tree_copy() is. */
int blockfs_trim(const struct blockfs *fs, int mnt, uint64_t size, struct lxmgr_err *err);
/* What `to` does not say of a copy is as its source has it. */
void blockfs_inherit(struct storage_limit *to, const struct storage_limit *from);
/* How large a new one is to be: the limit, or what is asked for with st->make, or the default. */
int blockfs_size(const struct storage *st, uint64_t *ret, struct lxmgr_err *err);
/* Can it have that size, and that many inodes from now on? running: it is mounted in a container.
 * now: its size; no side effects. */
int blockfs_judge(const struct blockfs *fs, uint64_t now, const struct storage_limit *have,
		  const struct storage_limit *want, bool running, struct lxmgr_err *err);

/* Exposed for its test: the arguments of the program that makes one. */
#define BLOCKFS_ARGS 16
void blockfs_make_args(const struct blockfs *fs, const char *path, uint64_t inodes, char buf[32],
		       const char *argv[BLOCKFS_ARGS]);

#endif
