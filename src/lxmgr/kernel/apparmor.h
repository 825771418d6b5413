/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * AppArmor behind lsm_ops (apparmor.c), and the generated profile as text (apparmor_profile.c):
 * no system call there.
 */
#ifndef LXMGR_KERNEL_APPARMOR_H
#define LXMGR_KERNEL_APPARMOR_H

#include <stdbool.h>
#include <stddef.h>

#include "util/str.h"

struct lxmgr_err;

struct apparmor_profile {
	const char *name;
	bool privileged; /* no user namespace around it: mounts are restricted */
	bool nesting;	 /* containers inside need mounts of their own */
	const struct strlist *raw;
};

/* The profile, without includes: it depends on no file. malloc'ed, NULL: out of memory. *ret_raw is
 * the number of the line where the raw lines begin. */
char *apparmor_profile_text(const struct apparmor_profile *p, unsigned int *ret_raw);

/* A raw line stays inside the profile: braces are balanced in the line and never close what the
 * line did not open, quotes are closed. */
int apparmor_check_raw(const char *line, struct lxmgr_err *err);

/* In data of *len bytes, a compiled profile, put name where placeholder stands as the profile's
 * name: *ret is malloc'ed and the length is the same plus the difference. Both lengths are the same
 * modulo 8, since the tables behind it are aligned to that. -EINVAL: it is not there exactly once.
 */
int apparmor_rename(const char *data, size_t len, const char *placeholder, const char *name,
		    char **ret, size_t *ret_len);

#endif
