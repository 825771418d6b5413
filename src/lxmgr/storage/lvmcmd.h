/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lvm2's programs. All volumes of one container's or snapshot's directory have its tag, a random
 * one: what has another tag is never touched. Private to storage/.
 */
#ifndef LXMGR_STORAGE_LVMCMD_H
#define LXMGR_STORAGE_LVMCMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct disks;
struct lxmgr_err;
struct strlist;

#define LVM_DEVICE_SIZE 320

/* A name of LVM's own rules, which are stricter for volumes. */
bool lvm_name_is_valid(const char *name);
/* "/dev/mapper/GROUP-VOLUME", every '-' of the two doubled. */
void lvm_device(const char *group, const char *volume, char ret[LVM_DEVICE_SIZE]);

/* A new volume, active. pool "": a thick one. hold: a descriptor that lvcreate keeps open, also
 * when its caller is killed. */
int lvm_create(const char *group, const char *pool, const char *volume, const char *tag,
	       uint64_t bytes, int hold, struct lxmgr_err *err);
/* A snapshot of the thin volume `from`, which needs no room of its own. */
int lvm_snapshot(const char *group, const char *from, const char *volume, const char *tag, int hold,
		 struct lxmgr_err *err);
/* Add the disks that the group's physical volumes are on; without activating anything. */
int lvm_disks(const char *group, struct disks *ret, struct lxmgr_err *err);
int lvm_activate(const char *group, const char *volume, struct lxmgr_err *err);
/* Let go of it when its last user does; what fails is only logged. */
void lvm_let_go(const char *group, const char *volume);
int lvm_extend(const char *group, const char *volume, uint64_t bytes, struct lxmgr_err *err);
/* Delete the volumes that have the tag, but `keep` (NULL: none). */
int lvm_remove(const char *group, const char *tag, const char *keep, struct lxmgr_err *err);
/* Whether there is that group; a thin pool of that name; a volume of that name and tag: 0 or 1, or
 * an error where that cannot be found out. */
int lvm_has_group(const char *group, struct lxmgr_err *err);
int lvm_has_pool(const char *group, const char *pool, struct lxmgr_err *err);
int lvm_has_volume(const char *group, const char *tag, const char *volume, struct lxmgr_err *err);
/* What the size of all volumes of the group is a multiple of, in bytes. */
int lvm_extent(const char *group, uint64_t *ret, struct lxmgr_err *err);
/* What it takes of the group or pool. -ENODATA, without a message: not known while it is inactive.
 */
int lvm_usage(const char *group, const char *volume, uint64_t *ret_bytes, struct lxmgr_err *err);

/* For the test: argument vectors, NULL-terminated, and what lvs and vgs say. */
int lvm_create_args(const char *group, const char *pool, const char *volume, const char *tag,
		    uint64_t bytes, struct strlist *ret);
int lvm_snapshot_args(const char *group, const char *from, const char *volume, const char *tag,
		      struct strlist *ret);
int lvm_remove_args(const char *group, const char *tag, const char *keep, struct strlist *ret);
int lvm_extend_args(const char *group, const char *volume, uint64_t bytes, struct strlist *ret);
int lvm_parse_usage(const char *text, uint64_t *ret_bytes);
int lvm_parse_extent(const char *text, uint64_t *ret);
bool lvm_lists(const char *text, const char *name);

#endif
