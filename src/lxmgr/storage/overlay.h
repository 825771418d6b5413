/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of backend overlay share. */
#ifndef LXMGR_STORAGE_OVERLAY_H
#define LXMGR_STORAGE_OVERLAY_H

#include "storage/storage.h"

/* As many lower directories as fsconfig(2) takes of 18 bytes each: the base and those of snapshots.
 */
#define OVERLAY_LOWERS 14

/* The layers: lowers from the topmost down, and the directory that holds upper/ and work/. */
struct layers {
	int lower[STORAGE_MAX_LAYERS];
	size_t n;
	int writable;	/* -1: none */
	char upper[64]; /* name of the upper directory in `writable` */
};

int overlay_open_layers(const struct storage *st, struct layers *l, struct lxmgr_err *err);
void overlay_close_layers(struct layers *l);
/* Its layers are named by lxmgr.rootfs.path and not ours. */
bool overlay_is_outside(const struct storage *st);
/* The container's own directory, which holds upper/ and work/. */
const char *overlay_tree(const struct storage *st);
/* Make it, with a root that has mode, owner and attributes of model_fd. */
int overlay_make_tree(struct storage *st, int model_fd, struct lxmgr_err *err);

/* Make it where it is not there as a whole. */
int overlay_ensure_tree(struct storage *st, int model_fd, struct lxmgr_err *err);

int overlay_copy(struct storage *st, struct storage *to, const struct storage_copy *how,
		 struct lxmgr_err *err);
/* The root of another backend, or with how->share that of a stopped one of backend dir beside `to`,
 * which becomes an overlay itself. -EOPNOTSUPP where it cannot be shared. */
int overlay_copy_from(struct storage *st, struct storage *to, const struct storage_copy *how,
		      struct lxmgr_err *err);
/* Where that root was; until it is moved, the layer that `storage` names is empty. */
#define OVERLAY_FORMER "rootfs"
void overlay_new_tree(const struct storage *st, char ret[STORAGE_NAME_SIZE]);
int overlay_replace(struct storage *st, struct storage *new, struct lxmgr_err *err);
/* Put a new layer that holds all of them in place of st's layers, in memory: the file is not
 * written. */
int overlay_flatten(struct storage *st, struct lxmgr_err *err);
int overlay_recover(struct storage *st, struct lxmgr_err *err);

#endif
