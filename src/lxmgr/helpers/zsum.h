/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bytes of an lxmgr archive (lxmgr-archive(5)): a tar stream, whose SHA-256 is taken on the
 * way, compressed with zstd by several threads; and back.
 */
#ifndef LXMGR_HELPERS_ZSUM_H
#define LXMGR_HELPERS_ZSUM_H

#include <nettle/sha2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zstd.h>

struct lxmgr_err;

#define ZSUM_HEX 65
/* err.status for what is wrong with the archive itself. */
#define ZSUM_REFUSED 2

/* The digest of what was added so far. */
void zsum_hex(const struct sha256_ctx *sum, char ret[ZSUM_HEX]);

struct zsum_out {
	int fd;
	ZSTD_CCtx *z;
	struct sha256_ctx tar, file; /* before and after the compression; file: if has_file */
	bool has_file, fast;
	uint64_t in, out; /* bytes */
	uint64_t flushed; /* of out: they are on their way to the disk */
	char *buf;
	size_t size;
	int error; /* the first errno of a write, negative */
};

/* Compress to fd, with all processors up to a bound of memory. */
int zsum_out_open(struct zsum_out *o, int fd, struct lxmgr_err *err);
/* 0 or -errno, which stays. */
int zsum_out_write(struct zsum_out *o, const void *data, size_t len);
/* The rest is written; and to the disk, where fd is a file. */
int zsum_out_close(struct zsum_out *o, struct lxmgr_err *err);

/* What is read is hashed up to where the caller says that it has taken it (zsum_in_taken()). */
struct zsum_in {
	int fd;
	ZSTD_DCtx *z;
	struct sha256_ctx tar, file;
	uint64_t in, out;      /* bytes read from fd; bytes given to the caller */
	uint64_t base, hashed; /* of out: where buf begins; so far it is hashed */
	char *raw, *buf;       /* compressed; and what is not */
	size_t raw_at, raw_len, kept;
	bool eof, frame_open;
	struct lxmgr_err *err;
};

int zsum_in_open(struct zsum_in *i, int fd, struct lxmgr_err *err);
/* The next piece; 0: the end; -errno with a message in i->err. It stays until the next call. */
ssize_t zsum_in_read(struct zsum_in *i, const void **ret);
/* All before this position of the stream was taken. */
void zsum_in_taken(struct zsum_in *i, uint64_t position);
/* Read up to the end of the file, so that i->file is its digest. */
int zsum_in_drain(struct zsum_in *i);

#endif
