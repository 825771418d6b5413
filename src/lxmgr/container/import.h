/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Import: a container from an archive or directory that something wrote. A format is a file
 * import_NAME.c with one struct import_format, and its line in import_formats[] of import.c. It
 * says what the config is and where the root stands; all else (the draft, the storage, the
 * unpacking, owners, identity, ids, addresses) is done by import.c for all of them.
 *
 * Everything that a format reads is hostile: an archive by confined helpers alone, a directory by
 * open_in(), a config as text that import_config.c goes through key by key.
 */
#ifndef LXMGR_CONTAINER_IMPORT_H
#define LXMGR_CONTAINER_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "kernel/idmap.h"
#include "util/str.h"

struct lxmgr_err;

/* What is imported. */
struct import_source {
	/* Opened for reading (a directory: O_RDONLY | O_DIRECTORY); a plain file stands at its
	 * beginning when a format is called. Borrowed. */
	int fd;
	const char *path; /* as the user gave it; "-": standard input */
	struct stat st;	  /* of fd: S_ISREG, S_ISDIR, else a stream that can be read once */
	/* The first names in the archive (128 at most, as they stand there, and what a directory
	 * has of members in it is not looked at), read by a confined helper; empty where it is no
	 * tar archive, and for a stream and a directory. */
	struct strlist members;
	char why[200];	   /* there are none, as the helper says it */
	int cancel_fd;	   /* readable: give up (-ECANCELED); -1: none. For run_opts and unpack */
	bool trust;	   /* root vouches for it: what names things of the host stays */
	const char *point; /* of a directory of backups, "DIR@POINT"; NULL: the last */
	uint64_t max_size; /* bytes of content; 0: the helpers' defaults */
	uint64_t max_entries;
	uint32_t ids; /* owners are below, unless it is trusted: what the container will have */
};

struct import_progress {
	void (*fn)(const char *text, int permille, void *arg); /* may be NULL */
	void *arg;
};

/* What a format says of it. All zero but the fds, which are -1, when it is called;
 * import_parts_free() frees the strings and closes the fds. */
struct import_parts {
	/* Lines "lxmgr.KEY = VALUE" (or lxc.KEY), or NULL: none. Keys that name what is the host's
	 * are left out by the caller, with a notice, unless the user trusts the source. */
	char *config;
	char *name; /* of the container there, or NULL; a bad one is as none */
	/* The root: one of these two. */
	int root_fd;	/* a directory, which is copied; O_PATH will do */
	int archive_fd; /* a tar archive for lxmgr-unpack, plain or compressed, from where it stands
			 */
	char *subdir;	/* of the archive: the root lies below this; NULL: at its top */
	unsigned int strip;  /* of the archive: parts of names to leave out first */
	const char *without; /* of the archive: this directory is no part of the root; NULL: none */
	uint32_t shift; /* of the archive: owners from this one on may stand for those from 0 on */
	/* Of a directory: owners there, as outside ids of the container's inside ones; none: they
	 * are the container's own. One that is not in it becomes nobody (65534), with a notice. An
	 * archive's owners are always the container's own. */
	struct idmap owners;
	/* Things that were left out or are other than there: one line each, shown to the user. */
	struct strlist notices;
};

struct import_format {
	const char *name; /* for --format: "lxmgr", "vzdump" */
	const char *help; /* "a backup of Proxmox VE (vzdump)" */
	/* 1: it is one; 0: it is not; -errno, with err: it cannot be looked at. A stream is given
	 * to a format that was asked for by name only, and is not probed. */
	int (*probe)(const struct import_source *s, struct lxmgr_err *err);
	/* Fill in ret. Nothing was made yet. */
	int (*begin)(const struct import_source *s, struct import_parts *ret,
		     struct lxmgr_err *err);
	/* Or, in place of begin: fill the empty directory `root` (the mounted root of the new
	 * container, ids not mapped) and ret, in one pass. It runs in the child that has the mount,
	 * so ret comes back over a socket: config, name and notices only. */
	int (*fill)(const struct import_source *s, int root, const struct import_progress *p,
		    struct import_parts *ret, struct lxmgr_err *err);
};

extern const struct import_format import_lxmgr;
/* All of them, NULL-terminated, in the order they are probed. */
extern const struct import_format *const import_formats[];

void import_parts_free(struct import_parts *p);
/* True if one of s->members is this name, whatever "./" stands before it. */
bool import_has_member(const struct import_source *s, const char *name);
/* One file of an archive that is a plain file: up to limit bytes, read by a confined helper, to
 * malloc'ed *ret. s->fd stands at the beginning afterwards. -ENOENT without a message where it is
 * not there. */
int import_read_member(const struct import_source *s, const char *name, size_t limit, char **ret,
		       size_t *ret_len, struct lxmgr_err *err);

#endif
