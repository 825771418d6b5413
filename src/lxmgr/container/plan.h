/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The plan of a start: everything decided, nothing touched; what --dry-run prints. */
#ifndef LXMGR_CONTAINER_PLAN_H
#define LXMGR_CONTAINER_PLAN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "container/container.h"
#include "container/label.h"
#include "kernel/lsm.h"

/* Where init says that it is up (lxmgr.start.ready = init): in the container's own /dev. */
#define START_READY_NAME   ".lxmgr-notify"
#define START_READY_SOCKET "/dev/" START_READY_NAME

struct plan {
	int ns_new;	  /* CLONE_NEW* of the namespaces that the container gets */
	struct idmap map; /* empty: no user namespace */
	uid_t root_uid;	  /* host ids of the container's root */
	gid_t root_gid;
	bool map_storage;  /* ids on disk are the container's: map with idmapped mounts */
	uint64_t caps;	   /* mask that init keeps */
	uint32_t uid, gid; /* ids inside that init starts as: the config's, or see plan_ids() */
	bool config_user;  /* ... the config's, with its groups */
	char hostname[65];
	char mountpoint[256]; /* where the root is staged, and hooks see it */
	struct strlist argv, env;
	const char *lsm_notice; /* static, or NULL */
	struct label label;
	struct lsm_spec lsm; /* the config's, with that label; its strings belong to the two */
	char lsm_name[128];
	const char
		*apparmor; /* the label that init gets (lsm_name, or of the config); NULL: none */
	char share[NS_COUNT][256]; /* "" or what is shared: a PID as text or a path */
	unsigned long personality; /* 0xffffffff: leave */
};

/* Decide everything from the config. base is the first host id of the allocated block of count ids,
 * used when the config leaves the map to the allocator; level the same for SELinux (label_make()).
 */
int plan_make(const struct lxmgr_container *c, const struct lxmgr_start_opts *opts, uint32_t base,
	      uint32_t count, const char *level, struct plan *p, struct lxmgr_err *err);
void plan_free(struct plan *p);
/* The plan as text, one "key: value" a line, malloc'ed. */
int plan_print(const struct lxmgr_container *c, const struct plan *p, char **ret);

#endif
