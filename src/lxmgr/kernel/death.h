/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A death signal by a process of our own. The kernel clears PR_SET_PDEATHSIG where an exec changes
 * the security label (AppArmor's and SELinux' bprm_committing_creds).
 */
#ifndef LXMGR_KERNEL_DEATH_H
#define LXMGR_KERNEL_DEATH_H

struct lxmgr_err;

/* When the calling process dies before the one of pidfd, that gets the signal. The guard is
 * nobody's child here, in a session of its own, and ends with whoever ends first. */
int death_guard(int pidfd, int signal, struct lxmgr_err *err);

#endif
