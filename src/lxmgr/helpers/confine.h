/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a helper does with itself before it reads a hostile byte: namespaces of its own, one
 * directory as all that there is, an id that nothing belongs to, no rights but those it names, and
 * a list of system calls.
 */
#ifndef LXMGR_HELPERS_CONFINE_H
#define LXMGR_HELPERS_CONFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lxmgr_err;

struct confine {
	/* The working directory becomes "/", without setuid, programs and devices; false: an empty
	 * directory that cannot be written to. */
	bool keep_directory;
	uint64_t caps;		 /* mask of CAP_* that stay */
	uint64_t memory;	 /* bytes of address space; 0: no limit */
	uint64_t file_size;	 /* of one file that is written, 64 KiB at least */
	unsigned int keep_fds;	 /* so many behind 2 stay open */
	unsigned int open_files; /* at once; 0: 64 */
	bool threads;		 /* may make threads */
	const unsigned int
		*devices; /* may make these character devices, 0-terminated; NULL: none */
	/* Names of the system calls beyond those that every program needs, NULL-terminated. */
	const char *const *syscalls;
};

/* Never undone. Only 0, 1, 2 and keep_fds stay open. */
int confine(const struct confine *c, struct lxmgr_err *err);

#endif
