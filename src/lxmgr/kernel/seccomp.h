/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Seccomp: LXC's policy files (versions 1 and 2) and our default policy, compiled with libseccomp
 * into a BPF program that is cached by digest of policy, architecture list and library version.
 */
#ifndef LXMGR_KERNEL_SECCOMP_H
#define LXMGR_KERNEL_SECCOMP_H

#include <stdbool.h>
#include <stddef.h>

struct lxmgr_err;
struct sock_filter;

struct seccomp_program {
	struct sock_filter *insns; /* malloc'ed */
	size_t n;		   /* instructions, at most BPF_MAXINSNS */
};

/* Compile (or take from cache_dirfd, -1: no cache) the policy text. `file` names it in errors.
 * deny_mount_api: the calls of the new mount API fail with ENOSYS, whatever the policy says. */
int seccomp_compile(const char *text, const char *file, bool allow_nesting, bool deny_mount_api,
		    int cache_dirfd, struct seccomp_program *ret, struct lxmgr_err *err);
/* Load it into the calling process. Only system calls; needs CAP_SYS_ADMIN or no_new_privs.
 */
int seccomp_load(const struct seccomp_program *p, struct lxmgr_err *err);
void seccomp_free(struct seccomp_program *p);

#endif
