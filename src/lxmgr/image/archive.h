/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lxmgr archives (lxmgr-archive(5)): a front to the helpers that write and read them, confined:
 * lxmgr-pack and lxmgr-unarchive, whose heads say what they take and refuse.
 */
#ifndef LXMGR_IMAGE_ARCHIVE_H
#define LXMGR_IMAGE_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

struct lxmgr_err;
struct idmap;

#define ARCHIVE_SUM 65

struct archive_pack {
	int root_fd;		 /* what is packed; nobody changes it */
	int out_fd;		 /* where to */
	int index_fd;		 /* an index is written here; -1: none */
	int before_fd;		 /* only what differs from this index is packed; -1: all */
	bool fast;		 /* for a pipe: hardly compressed */
	bool copied;		 /* the root is a copy: ctimes and inodes mean nothing */
	const char *head;	 /* the description */
	const char *config;	 /* text */
	const struct idmap *map; /* ids on disk (outside) and in the container; none: the same */
	void (*progress)(uint64_t bytes, void *arg); /* of files, so far; may be NULL */
	void *progress_arg;
	/* Set by archive_pack(). */
	uint64_t files, bytes, size; /* size: of the archive */
	uint64_t skipped, nobody;    /* devices that were left out; ids that the container lacks */
	char skipped_name[200];	     /* one of them, escaped */
	char sum[ARCHIVE_SUM];	     /* of the archive; with an index only */
};

/* 0 or -errno: -EIO where the helper says why, -EBADMSG where before_fd is damaged. */
int archive_pack(struct archive_pack *p, struct lxmgr_err *err);

struct archive_unpack {
	int archive_fd; /* a file or a pipe, read from where it stands */
	int root_fd;
	bool increment;	   /* root_fd is what the point before it left; else it is empty */
	const char *sum;   /* of the file; NULL: any */
	uint64_t max_size; /* bytes of content; 0: the helper's default */
	uint64_t max_entries;
	uint64_t max_ids;			     /* owners are below; 0: 65536 */
	bool any_ratio;				     /* what it grows by is not looked at */
	void (*progress)(uint64_t bytes, void *arg); /* of the archive, so far; may be NULL */
	void *progress_arg;
	/* Set by archive_unpack(): what the archive says of itself; no name is checked. */
	char name[80], point[80], parent[80];
	char *config; /* to be freed */
	uint64_t entries, bytes;
};

/* -EBADMSG: it is refused (STATUS_REFUSED); what was written stays in root_fd. */
int archive_unpack(struct archive_unpack *u, struct lxmgr_err *err);

#endif
