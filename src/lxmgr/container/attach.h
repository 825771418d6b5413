/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An attach in progress: attach.c (outside), attach_child.c (inside). */
#ifndef LXMGR_CONTAINER_ATTACH_H
#define LXMGR_CONTAINER_ATTACH_H

#include "container/container.h"
#include "container/enter.h"
#include "kernel/lsm.h"
#include "kernel/seccomp.h"

struct attach {
	struct lxmgr_container *c;
	const struct lxmgr_attach_opts *o;
	struct state state;
	int pidfd;
	struct cgroup cg;
	bool has_cgroup;
	int flags; /* CLONE_NEW* to join */
	uint64_t caps;
	struct seccomp_program seccomp;
	struct lsm_spec lsm;
	unsigned long personality; /* 0xffffffff: leave */
	bool is_tty[3], want_pty;
	int proc_fd;	      /* in the child: the host's /proc */
	int sock, child_sock; /* outside's and inside's end */
	int child_pidfd, master, log_fd, pty_out;
};

/* From inside to outside: a terminal's master as its fd, or an error. */
struct attach_msg {
	struct lxmgr_err err;
};

/* The labels that the command gets, or NULL. */
static inline const struct lsm_spec *attach_lsm(const struct attach *a)
{
	return a->o->elevated_lsm && !a->o->selinux_context ? NULL : &a->lsm;
}

/* Never returns: exits with the command's status. */
void attach_child(struct attach *a) __attribute__((noreturn));

#endif
