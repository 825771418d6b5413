/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Capabilities: names, masks, and dropping them in the child. */
#ifndef LXMGR_KERNEL_CAPS_H
#define LXMGR_KERNEL_CAPS_H

#include <stdint.h>

struct lxmgr_err;

#define CAPS_ALL UINT64_MAX

/* "sys_admin", "cap_sys_admin", "CAP_SYS_ADMIN" or a number: its number; -EINVAL if unknown. */
int caps_parse(const char *name);
/* The name without "cap_", or NULL. */
const char *caps_name(int cap);
/* The last capability this kernel knows (from /proc/sys/kernel/cap_last_cap, read once). */
int caps_last(void);
/* Reduce the bounding set to keep, clear inheritable and ambient, and set permitted and effective
 * to keep. Only system calls: used after clone. */
int caps_apply(uint64_t keep, struct lxmgr_err *err);
/* Only the bounding, inheritable and ambient part of caps_apply(): before a change of uid, which
 * clears the other sets itself. */
int caps_drop_bounding(uint64_t keep, struct lxmgr_err *err);
/* Set effective = permitted again (after a change of fsuid or uid dropped it). */
int caps_raise_effective(void);

#endif
