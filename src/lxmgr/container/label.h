/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The SELinux labels of a container: what its processes and its files get. Where the config does
 * not say, they are of lxmgr's own policy module, with a pair of categories that no other container
 * has.
 */
#ifndef LXMGR_CONTAINER_LABEL_H
#define LXMGR_CONTAINER_LABEL_H

#include "container/config.h"
#include "kernel/selinux.h"

struct lxmgr_container;

struct label {
	char process[SELINUX_CONTEXT_SIZE]; /* "": that of whoever starts or attaches */
	char file[SELINUX_CONTEXT_SIZE];    /* "": nothing is labelled */
	const char *notice;		    /* for the trace, or NULL */
	const char *warning;		    /* for whoever starts it, or NULL; both are static */
};

/* True if the config leaves the label to lxmgr, on a host with SELinux: label_make() needs a level.
 */
bool label_is_ours(const struct config *cfg);
/* Decide. level is of mcs_acquire(). Refused: what the host or its policy does not know. */
int label_make(const struct config *cfg, const char *level, struct label *ret,
	       struct lxmgr_err *err);
/* What all that decides for the files of a container, "" for none. */
int label_of_files(const struct lxmgr_container *c, char ret[SELINUX_CONTEXT_SIZE],
		   struct lxmgr_err *err);
/* The config's lsm with the label in the place of what it says; valid as long as both are. */
struct lsm_spec label_apply(const struct config *cfg, const struct label *label);

/* options (malloc'ed, or NULL) with the context for a new mount of fstype added, where that takes
 * one and the options name none. -ENOMEM. */
int label_mount(const char *file_label, const char *fstype, char **options);

struct label_progress {
	void (*fn)(const char *text, int permille, void *arg); /* NULL: none */
	void *arg;
};
/* Label the root, where its files keep labels of their own and it is lxmgr's to change; once that
 * is done it costs a look at the root directory. ct_fd is the container's directory or -1. */
int label_root(const struct config *cfg, int ct_fd, const char *file_label,
	       const struct label_progress *progress, struct lxmgr_err *err);
/* The same for the volumes with the option relabel. */
int label_volumes(const struct config *cfg, const char *file_label,
		  const struct label_progress *progress, struct lxmgr_err *err);

#endif
