/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mandatory access control: AppArmor and SELinux, each behind lsm_ops. */
#ifndef LXMGR_KERNEL_LSM_H
#define LXMGR_KERNEL_LSM_H

#include <stdbool.h>

#include "util/str.h"

struct lxmgr_err;

struct lsm_spec {
	char *apparmor; /* NULL (as "generated"), "generated", "unconfined", "unchanged", a name */
	bool apparmor_incomplete;    /* allow_incomplete */
	bool apparmor_nesting;	     /* allow_nesting */
	struct strlist apparmor_raw; /* more lines of the generated profile */
	char *selinux;		     /* context or NULL */
	char *selinux_keyring;
	char *selinux_file; /* context of the container's files or NULL */
};

struct lsm_ops {
	const char *name; /* "apparmor", "selinux" */
	bool (*is_enabled)(void);
	/* Refuse what cannot be applied, before anything is touched. *ret_notice (static text or
	 * NULL) is for the one tolerated case, `apparmor.profile = generated` where none can be
	 * loaded. */
	int (*check)(const struct lsm_spec *spec, const char **ret_notice, struct lxmgr_err *err);
	/* Host side, before clone: find or load what the label needs. privileged: there is no user
	 * namespace. */
	int (*prepare)(const struct lsm_spec *spec, const char *name, bool privileged,
		       struct lxmgr_err *err);
	/* In the child or in attach, before a session keyring is made: set the label of new keys.
	 */
	int (*apply_keyring)(const struct lsm_spec *spec, int proc_fd, struct lxmgr_err *err);
	/* In the child or in attach, just before exec: set the label for the next exec. proc_fd is
	 * an fd of a procfs that the container has not shaped: the host's. spec's apparmor is what
	 * lsm_apparmor_label() gave before, or "unchanged". */
	int (*apply)(const struct lsm_spec *spec, const char *name, int proc_fd,
		     struct lxmgr_err *err);
	/* apply() has the next exec change the label. */
	bool (*changes)(const struct lsm_spec *spec);
	void (*release)(const struct lsm_spec *spec, const char *name);
};

extern const struct lsm_ops lsm_apparmor, lsm_selinux;
/* All backends, NULL-terminated. */
extern const struct lsm_ops *const lsm_backends[];

/* Also finds out what the host has: to be called there, before lsm_apply() inside. */
int lsm_check(const struct lsm_spec *spec, const char **ret_notice, struct lxmgr_err *err);
int lsm_prepare(const struct lsm_spec *spec, const char *name, bool privileged,
		struct lxmgr_err *err);
int lsm_apply_keyring(const struct lsm_spec *spec, int proc_fd, struct lxmgr_err *err);
int lsm_apply(const struct lsm_spec *spec, const char *name, int proc_fd, struct lxmgr_err *err);
/* The exec behind lsm_apply() changes the label: it also clears the death signal (kernel/death.h).
 * Behind lsm_check(). */
bool lsm_changes_label(const struct lsm_spec *spec);
void lsm_release(const struct lsm_spec *spec, const char *name);
/* For the backends: write a label to a file of the calling thread's, "attr/exec", through a procfs
 * that the guest has not shaped. */
int lsm_write_attr(int proc_fd, const char *file, const char *label, struct lxmgr_err *err);

/* The AppArmor profile that a container of that name (its lsm_name) starts in: name itself for the
 * generated one, NULL for none. */
const char *lsm_apparmor_label(const struct lsm_spec *spec, const char *name);
/* For doctor: compile what an unprivileged container gets, or find it in the cache. */
int lsm_apparmor_try(struct lxmgr_err *err);
/* Take the generated profile of that name out of the kernel: nobody runs in it any more. */
void lsm_apparmor_unload(const char *name);

#endif
