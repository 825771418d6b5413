/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of lxmgr-pack: walking a tree, what it was before, what has several names. */
#ifndef LXMGR_HELPERS_PACK_H
#define LXMGR_HELPERS_PACK_H

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <sys/stat.h>

#include "helpers/zsum.h"
#include "kernel/idmap.h"
#include "util/err.h"

/* What the index says of a file. Its text is in lxmgr-archive(5). */
struct record {
	uint32_t mode, uid, gid;
	uint64_t size, ino, nlink;
	int64_t mtime, mtime_ns, ctime, ctime_ns;
	char digest[ZSUM_HEX]; /* of attributes and content; "-" for a directory */
	char *path;
};

struct index_in {
	FILE *f;
	char *line;
	size_t size;
	struct record next; /* valid if has_next */
	bool has_next;
};

struct index_out {
	FILE *f;
	struct sha256_ctx sum;
	uint64_t count;
};

/* Names of files that have several, by inode. */
struct links {
	struct link {
		uint64_t dev, ino;
		char *path;   /* of the first */
		bool written; /* what it holds is in this archive */
	} * slot;
	size_t n, size;
};

struct pack {
	struct archive *a;
	struct archive_entry *e;
	struct zsum_out out;
	struct idmap map;
	struct links links;
	struct index_in before;
	struct index_out after;
	bool incremental; /* there is a `before` */
	bool keep_index;  /* there is an `after` */
	bool copied;	  /* ctime and inodes are those of a copy */
	int root;
	uint64_t files, bytes, skipped, nobody, deleted;
	uint64_t told;	   /* bytes that were told as progress */
	const char *zeros; /* so many as ZEROS, for holes; NULL: not there yet */
	char skipped_name[200];
	struct lxmgr_err err;
};

/* The whole tree, sorted; and what is gone. */
int pack_tree(struct pack *p);
/* One member with this content. */
int pack_member(struct pack *p, const char *name, const char *data, size_t len);
/* A member without content, for a name that is gone. */
int pack_deleted(struct pack *p, const char *path);
int pack_error(struct pack *p, const char *path);

/* The file of this name, which becomes the first if there was none. NULL: no memory. */
struct link *links_add(struct links *l, uint64_t dev, uint64_t ino, const char *path);

/* Checks all of it by the digest at its end. */
int index_open(struct index_in *i, int fd, struct lxmgr_err *err);
/* Read the next record. */
int index_next(struct index_in *i, struct lxmgr_err *err);
/* As paths are sorted: a directory stands before what is in it. */
int index_compare(const char *a, const char *b);
void index_create(struct index_out *o, int fd);
int index_add(struct index_out *o, const struct record *r);
int index_end(struct index_out *o, struct lxmgr_err *err);

#endif
