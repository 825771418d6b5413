/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A container in the making: a locked directory under a temporary name beside the containers, which
 * one rename puts in place. What a killed maker left is removed by the next one.
 */
#ifndef LXMGR_CONTAINER_DRAFT_H
#define LXMGR_CONTAINER_DRAFT_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "container/config.h"
#include "container/label.h"

#define DRAFT_TMP_SIZE 96
struct draft {
	char name[64];
	char path[PATH_MAX];	  /* the directory of containers, resolved */
	char id[PATH_MAX + 80];	  /* path/name: who the allocators know it as */
	char tmp[DRAFT_TMP_SIZE]; /* its name in path for now; "": there is no directory yet */
	int path_fd, dir_fd, lock;
	char *text;	      /* its config file; owned */
	struct config config; /* text, parsed and checked; valid if has_config */
	bool has_config, has_ids;
	/* A snapshot: who looks for the users of an image finds it below its container. To be set
	 * behind draft_open(). */
	bool in_known_tree;
	uint32_t ids; /* first of its block */
};

/* The name is checked and the directory of containers (NULL: the default) made and opened. To be
 * closed by draft_close() also when it failed. */
int draft_open(struct draft *d, const char *path, const char *name, struct lxmgr_err *err);
/* -EEXIST where the container is there already. */
int draft_make_dir(struct draft *d, struct lxmgr_err *err);
/* It was made under another name: before anything was reserved. -EEXIST where that container is
 * there. */
int draft_rename(struct draft *d, const char *name, struct lxmgr_err *err);
/* Take a container or snapshot away, in one rename: ret is its name from then on. The caller holds
 * its lock, so that nobody cleans it meanwhile. */
int draft_bury(int path_fd, const char *name, char ret[DRAFT_TMP_SIZE]);
/* The same for what is no container any more, or none yet. */
int draft_bury_entry(int path_fd, const char *entry, const char *name, char ret[DRAFT_TMP_SIZE]);
/* All of what was buried but the directory, its lock, and what says where its root is. */
int draft_empty(int path_fd, const char *name);
/* Is it the name of an unfinished directory, of kind "new" or "dead" (NULL: either)? ret_name (of
 * 64 bytes, may be NULL) is the container's. */
bool draft_is_temp_name(const char *entry, const char *of_kind, char *ret_name);
/* Remove what killed makers left in the directory that draft_open() opened. */
void draft_clean(const struct draft *d);
/* The same beside a container of that name, whose lock the caller holds. */
int draft_make_beside(struct draft *d, struct lxmgr_err *err);
/* Change d->text as config_edit() does: value NULL takes the key away. */
int draft_set(struct draft *d, const char *key, const char *value, struct lxmgr_err *err);
/* Make d->config of d->text and check it; display names the text in errors. */
int draft_parse(struct draft *d, const char *display, struct lxmgr_err *err);
/* Ids and addresses, as the config says. */
int draft_reserve(struct draft *d, struct lxmgr_err *err);
/* Where ids cannot be mapped at start, those on disk are changed to those of the block. */
int draft_shift_root(struct draft *d, struct lxmgr_err *err);
/* SELinux: its categories, and the labels of a root that keeps them. */
int draft_label(struct draft *d, const struct label_progress *p, struct lxmgr_err *err);
/* The path of the directory in the making, in buf of PATH_MAX + 100 bytes. */
#define DRAFT_PATH_SIZE (PATH_MAX + 100)
const char *draft_path(const struct draft *d, char *buf);
/* Write the config, all that is below to the disk, and put it in place. */
int draft_publish(struct draft *d, struct lxmgr_err *err);
/* As draft_publish(), in place of the container that is there, at one instant: d->tmp is then the
 * old one, which draft_give_up() removes. */
int draft_exchange(struct draft *d, struct lxmgr_err *err);
/* It was not published: give back and remove what there is. */
void draft_give_up(struct draft *d);
void draft_close(struct draft *d);

#endif
