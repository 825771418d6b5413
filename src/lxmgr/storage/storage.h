/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Root file systems behind storage_ops, one backend a file. Ids on disk are 0..65535 unless the
 * config says otherwise; mapping happens at start with idmapped mounts. Where the kernel refuses
 * these, as to containers that hold containers, the ids on disk are those of the container's block.
 *
 * Layout, version 1, below /var/lib/lxmgr/NAME/ (0700 root):
 *	storage		"version = 1", "backend = overlay", "base = <digest>", "ids = <first>", ...
 *	rootfs/		dir: the root; overlay: upper/ and work/ live in overlay/
 *	overlay/upper, overlay/work
 * and the golden images below /var/cache/lxmgr/images/<digest>/rootfs.
 */
#ifndef LXMGR_STORAGE_STORAGE_H
#define LXMGR_STORAGE_STORAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct lxmgr_err;
struct idmap;

#define STORAGE_MAX_LAYERS 16

/* What a container's root is made of. */
struct storage_spec {
	char *path;    /* lxmgr.rootfs.path without its prefix; "" or NULL: the built-in layout */
	char *backend; /* "dir", "overlay", ... or NULL: what the path or file `storage` says */
	char *options; /* lxmgr.rootfs.options: mount options */
	char *mountpoint;     /* lxmgr.rootfs.mount, or NULL: the default */
	bool idmap_container; /* rootfs.options has idmap=container */
	bool managed;	      /* lxmgr.rootfs.managed, default true */
	bool ids_shifted; /* ids on disk are host ids already: do not map (LXC's explicit idmap) */
	bool read_only;	  /* rootfs.options has ro */
	bool checkpoint;  /* overlay with index=on,nfs_export=on (criu.md) */
	char *base;	  /* overlay: "/lower1:/lower2" (LXC's overlay:) or an image digest */
};

/* Where the pieces of a root get attached in the monitor's private mount namespace. */
struct storage_stage {
	int dir_fd;	      /* an empty directory on a private tmpfs, for the backend's own use */
	const char *dir_path; /* its path, 15 bytes at most (fsconfig strings end at 255) */
	int userns_fd;	      /* map with this namespace, or -1 */
	uid_t root_uid;	      /* host ids of the container's root */
	gid_t root_gid;
	const char
		*label; /* SELinux context of all files, for a mount that takes one; NULL: none */
};

/* One in-progress or opened storage. */
struct storage {
	const struct storage_ops *ops;
	const struct storage_spec *spec;
	int ct_fd;	/* /var/lib/lxmgr/NAME, or -1 for a root outside */
	char base[128]; /* image digest, "" if none */
	uint32_t ids;	/* 0: ids on disk begin at 0; else at this one, and are not mapped */
	void *priv;
};

struct storage_ops {
	const char *name;
	/* Can this host do it, for a container below dirfd whose ids are to be mapped? 0, or why
	 * not in err. */
	int (*probe)(int dirfd, bool map, struct lxmgr_err *err);
	/* Make an empty storage in st->ct_fd over the golden image image_root_fd (-1: none: an
	 * empty root). */
	int (*create)(struct storage *st, int image_root_fd, struct lxmgr_err *err);
	/* Verify that what the config names exists; no side effects. */
	int (*check)(struct storage *st, struct lxmgr_err *err);
	/* Make the mounted root as one detached or attached mount and return its fd, mapped
	 * as stage says. Called in the monitor's private mount namespace. */
	int (*mount)(struct storage *st, const struct storage_stage *stage, struct lxmgr_err *err);
	/* Open the root for the host while the container is stopped, unmapped, writable:
	 * for guest files. Called in a private mount namespace. */
	int (*open_root)(struct storage *st, struct lxmgr_err *err);
	/* The directory whose files have the SELinux labels that the container sees (O_PATH). NULL
	 * where mount() takes the label. */
	int (*open_labelled)(struct storage *st, struct lxmgr_err *err);
	/* Delete all that create made. Idempotent. */
	int (*destroy)(struct storage *st, struct lxmgr_err *err);
	int (*usage)(struct storage *st, uint64_t *ret_bytes, struct lxmgr_err *err);
};

extern const struct storage_ops storage_overlay, storage_dir;
/* All backends, NULL-terminated, in the order `best` tries them. */
extern const struct storage_ops *const storage_backends[];

/* Find the backend: spec->backend, the prefix of rootfs.path, or the file `storage`. A name that
 * LXC knows and we do not have (zfs, rbd, nbd, lvm, loop, btrfs) is refused by name. */
int storage_open(struct storage *st, int ct_fd, const struct storage_spec *spec,
		 struct lxmgr_err *err);
void storage_close(struct storage *st);
/* Can ids be mapped on the file system of this directory? Tries it: 0, or why not in err. */
int storage_can_map(int dirfd, struct lxmgr_err *err);
/* Dispatchers: a NULL entry is one "not supported by BACKEND". */
int storage_create(struct storage *st, const char *backend, int ct_fd, const char *image_digest,
		   int image_root_fd, bool map, struct lxmgr_err *err);
/* Give what a container has on disk the ids of the block that begins at `first`, and record it:
 * where they cannot be mapped. */
int storage_shift(struct storage *st, uint32_t first, struct lxmgr_err *err);
int storage_check(struct storage *st, struct lxmgr_err *err);
int storage_mount(struct storage *st, const struct storage_stage *stage, struct lxmgr_err *err);
int storage_open_root(struct storage *st, struct lxmgr_err *err);
/* -EOPNOTSUPP, without a message: the backend's mount has the label. */
int storage_open_labelled(struct storage *st, struct lxmgr_err *err);
int storage_destroy(struct storage *st, struct lxmgr_err *err);
int storage_usage(struct storage *st, uint64_t *ret_bytes, struct lxmgr_err *err);

#endif
