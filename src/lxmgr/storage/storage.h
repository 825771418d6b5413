/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Root file systems behind storage_ops, one backend a file. Ids on disk are 0..65535 unless the
 * config says otherwise; mapping happens at start with idmapped mounts. Where the kernel refuses
 * these, as to containers that hold containers, the ids on disk are those of the container's block.
 *
 * Layout below /var/lib/lxmgr/NAME/ (0700 root):
 *	storage		"version = 1", "backend = overlay", "base = <digest>", "ids = <first>", ...
 *	rootfs/		dir: the root; overlay: upper/ and work/ live in overlay/
 *	overlay/upper, overlay/work
 *	rootfs.img	loop: a file system of its own; rootfs/ may be btrfs' subvolume
 * and the golden images below /var/cache/lxmgr/images/<digest>/rootfs. Version 2 knows also
 *	"layer = <id>"	read-only layers between the own one and the base, topmost first
 *	"tree = <name>"	the backend's own file, directory or volume, where not its default
 *	"dir", "tag"	dir: made in a place of its own, and what tells it from others
 *	"group", "pool", "tag"	lvm: where the volume is, and what tells it from others
 *
 * A layer is a directory <id>/rootfs in .layers of the directory of containers; several containers
 * may share it. A version that is newer than what a program knows is refused. The file is what
 * counts: it is replaced in one rename, and what it does not name is left over from something
 * unfinished.
 */
#ifndef LXMGR_STORAGE_STORAGE_H
#define LXMGR_STORAGE_STORAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct disks;
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

#define STORAGE_NAME_SIZE 64
#define STORAGE_UNLIMITED 0
/* Where backends with a fixed name build what is to replace it. */
#define STORAGE_DIR_NEW "rootfs.new"

/* How much a root may hold; STORAGE_UNLIMITED. */
struct storage_limit {
	uint64_t bytes, inodes;
	/* Backends with ops->project: the number that is the container's alone; 0: none, or that
	 * which the tree has. Not in the `storage` file: the tree carries it. */
	uint32_t project;
};

/* What a new storage is to be like, beyond its backend; NULL and 0: as the backend likes it. */
struct storage_make {
	const char *fstype; /* of a root with a file system of its own: ext4, xfs, btrfs */
	uint64_t size;	    /* of that, in bytes; 0: the limit, if there is one, or the default */
	const char *group;  /* lvm: the volume group */
	const char *pool;   /* lvm: the thin pool in it; "" or NULL: a thick volume */
	bool try_pool;	    /* lvm: a thick volume where there is no such pool, too */
	const char *volume; /* lvm: its name */
	const char *dir;    /* dir: where the root is made; storage_place_check() was asked */
	const char *name;   /* the container's, for names that people see */
	const struct storage_limit *limit; /* in force from the beginning */
};

#define STORAGE_GROUP_SIZE 128
#define STORAGE_TAG_SIZE   20
#define STORAGE_PATH_SIZE  1024

/* One in-progress or opened storage. */
struct storage {
	const struct storage_ops *ops;
	const struct storage_spec *spec;
	int ct_fd;	/* /var/lib/lxmgr/NAME, or -1 for a root outside */
	char base[128]; /* image digest, "" if none */
	uint32_t ids;	/* 0: ids on disk begin at 0; else at this one, and are not mapped */
	char tree[STORAGE_NAME_SIZE];			   /* "": the backend's default */
	char layer[STORAGE_MAX_LAYERS][STORAGE_NAME_SIZE]; /* the topmost first */
	size_t n_layers;
	struct storage_limit limit; /* as asked for at create or resize */
	char group[STORAGE_GROUP_SIZE], pool[STORAGE_GROUP_SIZE], tag[STORAGE_TAG_SIZE]; /* lvm */
	char dir[STORAGE_PATH_SIZE]; /* dir: the root is there and bears the tag; "": it is not */
	const struct storage_make *make; /* while it is created, or NULL */
	uint64_t memory; /* bytes: what it writes while it runs stays in memory; 0: no */
	/* SELinux context of the mount that a container which runs has of it: a second one must
	 * have the same. NULL: it does not run, or has none. */
	const char *label;
	int layers_lock; /* held while layers are named that no `storage` file names yet; or -1 */
};

/* What a second storage is made for. */
struct storage_copy {
	bool share; /* copy on write: what does not change is shared; refused where that cannot be
		     */
	bool live;  /* the source is mounted, in a container that is frozen: only read it */
	bool keep;  /* the copy is a snapshot: nobody writes to it */
	uint64_t memory; /* that of the copy, which shares; 0: none */
	/* A live source stands still between the two, which may be NULL. storage_copy() calls them
	 * around the backend's copy(), unless that says in `pauses` that it does so itself. */
	int (*pause)(void *arg, struct lxmgr_err *err);
	void (*resume)(void *arg);
	void *pause_arg;
};

struct storage_ops {
	const char *name;
	/* Its root is a file system of its own: ids can be mapped there whatever the directory of
	 * containers lies on. */
	bool own_fs;
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
	/* The root to read it, as it is now, with no effects; live: a running container writes to
	 * it. In a private mount namespace. NULL: open_root() does, but for a live one. */
	int (*open_view)(struct storage *st, bool live, struct lxmgr_err *err);
	/* The directory whose files have the SELinux labels that the container sees (O_PATH). NULL
	 * where mount() takes the label. */
	int (*open_labelled)(struct storage *st, struct lxmgr_err *err);
	/* Delete all that create made. Idempotent. */
	int (*destroy)(struct storage *st, struct lxmgr_err *err);
	/* at_once: -ENODATA, without a message, where that takes a walk or a program. */
	int (*usage)(struct storage *st, bool at_once, uint64_t *ret_bytes, struct lxmgr_err *err);
	/* How large a file system of its own is, and how many inodes it has (0: as many as fit).
	 * at_once: -ENODATA, without a message, where that takes a program to find out. */
	int (*size)(struct storage *st, bool at_once, struct storage_limit *ret,
		    struct lxmgr_err *err);
	/* Fill `to` (its ct_fd, spec, ops and limit are set, nothing is made yet) with what st
	 * holds, and set those of its members that go to its `storage` file. Members of st that
	 * change are written with storage_write() by the backend, at the instant from which they
	 * are true. Called with the source's lock. -EOPNOTSUPP where sharing is not possible: the
	 * caller falls back to a full copy or says so. */
	int (*copy)(struct storage *st, struct storage *to, const struct storage_copy *how,
		    struct lxmgr_err *err);
	/* copy() calls storage_pause() and storage_resume() when it has to. */
	bool pauses;
	/* A name for a second tree in st's directory; NULL: STORAGE_DIR_NEW. */
	void (*new_tree)(const struct storage *st, char ret[STORAGE_NAME_SIZE]);
	/* Put what `new` holds, made by copy() in the same ct_fd as the tree storage_new_tree()
	 * said, in place of st's, at one instant; then delete the old. */
	int (*replace)(struct storage *st, struct storage *new, struct lxmgr_err *err);
	/* Finish or take back what a killed copy or replace left, and delete what `storage` does
	 * not name. Called with the lock. */
	int (*recover)(struct storage *st, struct lxmgr_err *err);
	/* Let the root hold no more than that; who calls it writes the limit down. running: in a
	 * container. Refused, with the cure, where that cannot be. */
	int (*resize)(struct storage *st, const struct storage_limit *limit, bool running,
		      struct lxmgr_err *err);
	/* A limit is a project quota of the host's file system: of which project is the root, 0 for
	 * none yet. NULL: limits are by the backend's own means, without a project. */
	int (*project)(struct storage *st, uint32_t *ret, struct lxmgr_err *err);
	/* Give back to the host what the root has freed. */
	int (*compact)(struct storage *st, uint64_t *ret_freed, struct lxmgr_err *err);
	/* What makes another one like st: type and size of a file system of its own. */
	void (*like)(const struct storage *st, struct storage_make *ret);
	/* Add the disks that it is on (kernel/disks.h); -ENODEV, without a message: on none. NULL:
	 * those of the file system that the directory of the root, or of the container, lies on. */
	int (*disks)(struct storage *st, struct disks *ret, struct lxmgr_err *err);
	/* Can this host do it? Tries it below dirfd, and leaves nothing there. NULL: probe says it.
	 */
	int (*trial)(int dirfd, struct lxmgr_err *err);
};

extern const struct storage_ops storage_overlay, storage_dir, storage_loop, storage_btrfs,
	storage_lvm;
/* All backends, NULL-terminated, in the order `best` tries them. */
extern const struct storage_ops *const storage_backends[];

/* Find the backend: spec->backend, the prefix of rootfs.path, or the file `storage`. A name that
 * LXC knows and we do not have (zfs, rbd, nbd) is refused by name. */
int storage_open(struct storage *st, int ct_fd, const struct storage_spec *spec,
		 struct lxmgr_err *err);
void storage_close(struct storage *st);
/* Can ids be mapped on the file system of this directory? Tries it: 0, or why not in err;
 * -EOPNOTSUPP if the kernel cannot, another error if that could not be found out. */
int storage_can_map(int dirfd, struct lxmgr_err *err);
/* Dispatchers: a NULL entry is one "not supported by BACKEND". */
int storage_create(struct storage *st, const char *backend, int ct_fd, const char *image_digest,
		   int image_root_fd, bool map, struct lxmgr_err *err);
/* The same, and what it is to be like. */
int storage_create_as(struct storage *st, const struct storage_make *make, const char *backend,
		      int ct_fd, const char *image_digest, int image_root_fd, bool map,
		      struct lxmgr_err *err);
/* What makes another one like st; points into st. */
void storage_make_like(const struct storage *st, struct storage_make *ret);
/* Does the backend need none of the options in make? Else which one, as lxmgr-create calls it. */
const char *storage_make_excess(const struct storage_make *make, const char *backend);
/* Delete the directory of a container, of a draft of one or of a snapshot, with all that its
 * storage and that of its snapshots hold elsewhere. 0 also where it is not there. */
int storage_remove_dir(int parent_fd, const char *name, struct lxmgr_err *err);
/* The backend that storage_create() would take below dirfd, or NULL: its error. */
const struct storage_ops *storage_choose(const char *backend, int dirfd, bool map,
					 struct lxmgr_err *err);
/* Can roots of this backend be limited on the file system of the directory of containers dirfd? 0,
 * or why not, with the cure, in err. */
int storage_can_limit(const struct storage_ops *ops, int dirfd, struct lxmgr_err *err);
/* Give what a container has on disk the ids of the block that begins at `first`, and record it:
 * where they cannot be mapped. */
int storage_shift(struct storage *st, uint32_t first, struct lxmgr_err *err);
int storage_check(struct storage *st, struct lxmgr_err *err);
int storage_mount(struct storage *st, const struct storage_stage *stage, struct lxmgr_err *err);
int storage_open_root(struct storage *st, struct lxmgr_err *err);
int storage_open_view(struct storage *st, bool live, struct lxmgr_err *err);
/* A detached overlay over the directory of the host `lower`, whose layer is the directory `name` of
 * the container of `root`, made where it is not there, in that one's project; in memory where that
 * is. Called in the monitor's private mount namespace, with fsids of 0. */
int storage_mount_delta(struct storage *root, const char *name, int lower,
			const struct storage_stage *stage, struct lxmgr_err *err);
/* -EOPNOTSUPP, without a message: the backend's mount has the label. */
int storage_open_labelled(struct storage *st, struct lxmgr_err *err);
int storage_destroy(struct storage *st, struct lxmgr_err *err);
/* at_once: only where it can be known without a walk or a program, else -ENODATA. */
int storage_usage(struct storage *st, bool at_once, uint64_t *ret_bytes, struct lxmgr_err *err);
/* What holds the root to its limit, whether asked for or not: the size of a file system of its own,
 * where it has one. at_once: only what can be known without a program. */
int storage_bounds(struct storage *st, bool at_once, struct storage_limit *ret,
		   struct lxmgr_err *err);
/* The whole disks that the root is on, none of them activated for it. -ENODEV, with a message: it
 * is on none that the kernel counts. */
int storage_disks(struct storage *st, struct disks *ret, struct lxmgr_err *err);
/* Write st's members to its file `storage`, in one rename; to the disk, too, if `sync`. */
int storage_write(const struct storage *st, bool sync, struct lxmgr_err *err);
/* Set new->tree for a copy into the directory of st itself. */
void storage_new_tree(const struct storage *st, struct storage *new);
/* Hold the layers that containers, drafts and snapshots beside ct_fd's directory name, while one of
 * these gets another name: who looks for what is in use might see it under neither. Returns an fd
 * to close; -ENOENT, without a message: there are no layers. */
int storage_hold_layers(int ct_fd, struct lxmgr_err *err);
/* Delete the layers that nothing below the directory of containers names any more. */
int storage_collect(int path_fd, struct lxmgr_err *err);
/* Make `to` in to_ct_fd a copy of st; its file is not written yet: storage_write(). Of `to`, tree,
 * limit and make are the caller's; make is NULL where the copy is to be as its source. backend
 * NULL: that of st. spec is the copy's. Where sharing is asked for and cannot be: -EOPNOTSUPP. */
int storage_copy(struct storage *st, struct storage *to, int to_ct_fd, const char *backend,
		 const struct storage_spec *spec, const struct storage_copy *how,
		 struct lxmgr_err *err);
/* For backends: the live source stands still from here to storage_resume(). */
int storage_pause(const struct storage_copy *how, struct lxmgr_err *err);
void storage_resume(const struct storage_copy *how);
int storage_replace(struct storage *st, struct storage *new, struct lxmgr_err *err);
int storage_recover(struct storage *st, struct lxmgr_err *err);
/* Writes the `storage` file where the limit is another than before. */
int storage_resize(struct storage *st, const struct storage_limit *limit, bool running,
		   struct lxmgr_err *err);
/* 0 for a backend that has no projects. */
int storage_project(struct storage *st, uint32_t *ret, struct lxmgr_err *err);
int storage_compact(struct storage *st, uint64_t *ret_freed, struct lxmgr_err *err);

#endif
