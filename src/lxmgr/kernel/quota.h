/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Project quotas: a number that files carry and new ones take from their directory, and what all
 * files of one number on a file system may take together. Any descriptor of something on the file
 * system does, also one that was opened with O_PATH.
 */
#ifndef LXMGR_KERNEL_QUOTA_H
#define LXMGR_KERNEL_QUOTA_H

#include <stdint.h>

struct lxmgr_err;

/* 0 in max_: no limit. */
struct quota {
	uint64_t bytes, inodes, max_bytes, max_inodes;
};

/* Does the file system of fd hold projects to their limits, and may we set these? 0, or why not in
 * err, with the cure; -EOPNOTSUPP. */
int quota_check(int fd, struct lxmgr_err *err);
int quota_get(int fd, uint32_t project, struct quota *ret);
/* The hard limits; 0: none. Bytes are rounded up to 1024. */
int quota_set(int fd, uint32_t project, uint64_t max_bytes, uint64_t max_inodes);

/* The project that the directory gives to what is made in it, 0 for none. -EOPNOTSUPP: its file
 * system knows no projects. */
int quota_project(int dir_fd, uint32_t *ret);
/* Put a file of any kind into a project; a directory gives it on. The file that fd is of, whatever
 * name it has by now. -EOPNOTSUPP: not this kind of file, on this kernel and file system (before
 * Linux 6.17: links, devices, sockets, fifos). */
int quota_project_set(int fd, uint32_t project);

#endif
