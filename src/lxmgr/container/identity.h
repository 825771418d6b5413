/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What no two roots may have alike, and taking files out of one that is hostile. */
#ifndef LXMGR_CONTAINER_IDENTITY_H
#define LXMGR_CONTAINER_IDENTITY_H

struct lxmgr_err;

#define IDENTITY_MAX_DEPTH 16

/* All but machine-id and ssh host keys, which are made anew. */
int identity_forget(int root, struct lxmgr_err *err);
/* Remove path below root with all in it, through no link; 0 also where it is not there. */
int identity_remove(int root, const char *path, struct lxmgr_err *err);
/* The files below path that begin with prefix; with deep, in its directories too, which stay. */
int identity_empty(int root, const char *path, const char *prefix, int deep, struct lxmgr_err *err);

#endif
