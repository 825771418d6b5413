/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whose the ids, addresses, categories and projects are that are recorded for PATH/NAME: the
 * container's of that name, or whose draft is becoming it. They are the same for all that make one
 * of that name at once, so that who gives up gives nothing back as long as there is another.
 */
#ifndef LXMGR_CONTAINER_CLAIM_H
#define LXMGR_CONTAINER_CLAIM_H

#include <stdbool.h>

struct lxmgr_err;

/* A lock, or < 0: who makes a draft, or looks whether there is one, does it under this. Short. */
int claim_lock(struct lxmgr_err *err);
/* Somebody makes a container of that name, in path: to be asked under the lock. */
bool claim_is_draft(int path, const char *name);
/* Give back what is recorded for id, PATH/NAME, unless it is somebody's. What the caller had of
 * that name is not there any more, or under a name of the dead. */
int claim_release(int path, const char *id, const char *name, struct lxmgr_err *err);
/* The same for a draft of the caller's, entry in path, which becomes one of the dead; one beside a
 * container of the name stays what it is. */
int claim_give_up(int path, const char *id, const char *name, char *entry, struct lxmgr_err *err);

#endif
