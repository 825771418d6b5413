/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The programs that make and mend file systems. A guest may have shaped what they read: they get
 * one descriptor that they can write to, and no rights. Private to storage/.
 */
#ifndef LXMGR_STORAGE_BLOCKRUN_H
#define LXMGR_STORAGE_BLOCKRUN_H

struct lxmgr_err;

/* What the descriptor is called in argv. */
#define BLOCKRUN_FD "/proc/self/fd/3"

/* Run the program with that descriptor. 0, or its wait status with its output in *ret_out (to be
 * freed), or an error. It ends with this process, and with its interrupt. */
int blockrun(const char *const *argv, int fd, char **ret_out, struct lxmgr_err *err);
/* Any status but 0 is an error. */
int blockrun_checked(const char *const *argv, int fd, struct lxmgr_err *err);
/* Say it; out is what it printed, and is changed. */
int blockrun_ended_badly(const char *program, int status, char *out, struct lxmgr_err *err);

#endif
