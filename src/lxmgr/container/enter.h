/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The last step of start and of attach: from a process that is in all namespaces to the program.
 */
#ifndef LXMGR_CONTAINER_ENTER_H
#define LXMGR_CONTAINER_ENTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct lxmgr_err;
struct config;
struct seccomp_program;
struct lsm_spec;

struct enter_spec {
	const char *const *argv; /* argv[0] with a slash: that path; else searched in envp's PATH */
	int exec_fd;		 /* run this program instead, argv[0] is only its name; 0: none */
	const char *const *envp;
	const char *cwd; /* inside the root; NULL: "/" */
	uid_t uid;	 /* ids inside */
	gid_t gid;
	const gid_t *groups;
	size_t n_groups;
	bool keep_groups;   /* leave the supplementary groups (setgroups is denied) */
	uint64_t caps_keep; /* mask; CAPS_ALL: drop none */
	bool no_new_privs;
	const struct seccomp_program *seccomp; /* NULL: none */
	const struct lsm_spec *lsm;	       /* NULL: no change of label */
	const char *lsm_name;
	int proc_fd;	  /* root of a procfs that nobody shaped, for the label; -1 without lsm */
	int report_fd;	  /* stays open until exec (close-on-exec); moved out of 0..2; -1: none */
	int keep_fd;	  /* > 2: is left to the program; 0: none */
	int stdio[3];	  /* become 0, 1, 2; -1: /dev/null */
	bool new_session; /* setsid() and, if stdio[0] is a tty, make it the controlling one */
	bool new_keyring; /* join a new session keyring */
};

/* The mask of capabilities that the config leaves: cap.drop or cap.keep. */
int enter_caps(const struct config *c, uint64_t *ret, struct lxmgr_err *err);
/* The seccomp program of the config (default, file, none): n == 0 for none. From the cache where
 * it is there. Called before entering. deny_mount_api: see seccomp_compile(). */
int enter_seccomp(const struct config *c, bool deny_mount_api, struct seccomp_program *ret,
		  struct lxmgr_err *err);
/* True if mounts are limited by the generated AppArmor profile, label, alone: then the calls that
 * it does not see must be denied. */
bool enter_limits_mounts(const struct config *c, bool privileged, const char *label,
			 const char *lsm_name);
/*
 * Do it all and exec. Returns only on error: err->status is 126 (found but cannot be executed),
 * 127 (not found) or 125. Namespaces here: all of the container's; the root is the container's.
 */
int enter_exec(const struct enter_spec *s, struct lxmgr_err *err);

#endif
