/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helpers/zsum.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"

#define LEVEL	    3
#define FAST	    -20
#define MAX_WORKERS 16
#define CHUNK	    (1U << 17)
/* On its way to the disk at once, so that little is left to wait for at the end. */
#define FLUSH (8U << 20)
/* Read ahead by the reader of tar, headers with attributes: what is not hashed yet. */
#define KEEP_MAX (64U << 20)

void zsum_hex(const struct sha256_ctx *sum, char ret[ZSUM_HEX])
{
	struct sha256_ctx copy = *sum;
	uint8_t digest[SHA256_DIGEST_SIZE];

	sha256_digest(&copy, sizeof(digest), digest);
	for (size_t i = 0; i < sizeof(digest); i++) {
		ret[2 * i] = "0123456789abcdef"[digest[i] >> 4];
		ret[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
	}
	ret[2 * sizeof(digest)] = '\0';
}

static int workers(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	return n < MAX_WORKERS ? n : MAX_WORKERS;
}

int zsum_out_open(struct zsum_out *o, int fd, struct lxmgr_err *err)
{
	int n = workers();

	o->fd = fd;
	sha256_init(&o->tar);
	sha256_init(&o->file);
	o->size = CHUNK;
	o->buf = malloc(o->size);
	o->z = ZSTD_createCCtx();
	if (!o->buf || !o->z)
		return err_set(err, -ENOMEM, "compress");
	ZSTD_CCtx_setParameter(o->z, ZSTD_c_compressionLevel, o->fast ? FAST : LEVEL);
	ZSTD_CCtx_setParameter(o->z, ZSTD_c_checksumFlag, 1);
	/* One that was built without threads compresses in this one. Each worker holds a few
	 * jobs' worth of memory. */
	if (n > 1 && !o->fast && !ZSTD_isError(ZSTD_CCtx_setParameter(o->z, ZSTD_c_nbWorkers, n)))
		ZSTD_CCtx_setParameter(o->z, ZSTD_c_jobSize, n <= 4 ? 2 << 20 : 1 << 19);
	return 0;
}

/* What is no file refuses this, and an error of the disk is told by the fsync at the end. */
static void start_flush(struct zsum_out *o)
{
	if (o->out - o->flushed < FLUSH)
		return;
	o->flushed = o->out;
	(void)sync_file_range(o->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

static int put(struct zsum_out *o, ZSTD_inBuffer *in, ZSTD_EndDirective end)
{
	size_t left;

	do {
		ZSTD_outBuffer out = { o->buf, o->size, 0 };

		left = ZSTD_compressStream2(o->z, &out, in, end);
		if (ZSTD_isError(left))
			return -ENOMEM;
		if (o->has_file)
			sha256_update(&o->file, out.pos, (const uint8_t *)o->buf);
		o->error = write_all(o->fd, o->buf, out.pos);
		if (o->error < 0)
			return o->error;
		o->out += out.pos;
		start_flush(o);
	} while (end == ZSTD_e_continue ? in->pos < in->size : left > 0);
	return 0;
}

int zsum_out_write(struct zsum_out *o, const void *data, size_t len)
{
	ZSTD_inBuffer in = { data, len, 0 };

	if (o->error < 0)
		return o->error;
	sha256_update(&o->tar, len, data);
	o->in += len;
	o->error = put(o, &in, ZSTD_e_continue);
	return o->error;
}

int zsum_out_close(struct zsum_out *o, struct lxmgr_err *err)
{
	ZSTD_inBuffer none = { NULL, 0, 0 };
	struct stat st;
	int r = o->error;

	if (r == 0)
		r = put(o, &none, ZSTD_e_end);
	/* A disk that is full says so here at the latest, one over the network at the close. */
	if (r == 0 && fstat(o->fd, &st) == 0 && S_ISREG(st.st_mode) && fsync(o->fd) < 0)
		r = -errno;
	if (close(o->fd) < 0 && r == 0)
		r = -errno;
	o->fd = -1;
	return r < 0 ? err_set(err, r, "write the archive") : 0;
}

int zsum_in_open(struct zsum_in *i, int fd, struct lxmgr_err *err)
{
	i->fd = fd;
	i->err = err;
	sha256_init(&i->tar);
	sha256_init(&i->file);
	i->raw = malloc(CHUNK);
	i->z = ZSTD_createDCtx();
	if (!i->raw || !i->z)
		return err_set(err, -ENOMEM, "decompress");
	/* What one frame may take of memory. */
	ZSTD_DCtx_setParameter(i->z, ZSTD_d_windowLogMax, 27);
	return 0;
}

/* 1: there is some, 0: the end. */
static int fill_raw(struct zsum_in *i)
{
	ssize_t n;

	if (i->raw_at < i->raw_len)
		return 1;
	do
		n = read(i->fd, i->raw, CHUNK);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set(i->err, -errno, "read the archive");
	i->raw_at = 0;
	i->raw_len = (size_t)n;
	i->in += (uint64_t)n;
	sha256_update(&i->file, (size_t)n, (const uint8_t *)i->raw);
	return n > 0;
}

/* What was hashed goes. Nobody reads from the last piece any more when the next is asked for. */
static int make_room(struct zsum_in *i)
{
	size_t done = (size_t)(i->hashed - i->base);
	char *more;

	i->kept -= done;
	if (done && i->kept)
		memmove(i->buf, i->buf + done, i->kept);
	i->base = i->hashed;
	if (i->kept > KEEP_MAX)
		return err_status(i->err, ZSUM_REFUSED, -EBADMSG, "a header is too large");
	more = realloc(i->buf, i->kept + CHUNK);
	if (!more)
		return err_set(i->err, -ENOMEM, "decompress");
	i->buf = more;
	return 0;
}

ssize_t zsum_in_read(struct zsum_in *i, const void **ret)
{
	int r = i->eof ? 0 : make_room(i);
	ZSTD_outBuffer out = { i->buf + i->kept, CHUNK, 0 };

	if (r < 0 || i->eof)
		return r;
	while (out.pos == 0) {
		ZSTD_inBuffer in = { i->raw, 0, 0 };
		size_t left;

		r = fill_raw(i);
		if (r < 0)
			return r;
		if (r == 0) {
			i->eof = true;
			return i->frame_open
				       ? err_status(i->err, ZSUM_REFUSED, -EBADMSG, "it is cut off")
				       : 0;
		}
		in.size = i->raw_len;
		in.pos = i->raw_at;
		left = ZSTD_decompressStream(i->z, &out, &in);
		if (ZSTD_isError(left))
			return err_status(i->err, ZSUM_REFUSED, -EBADMSG, "it is damaged: %s",
					  ZSTD_getErrorName(left));
		i->frame_open = left > 0;
		i->raw_at = in.pos;
	}
	*ret = out.dst;
	i->kept += out.pos;
	i->out += out.pos;
	return (ssize_t)out.pos;
}

void zsum_in_taken(struct zsum_in *i, uint64_t position)
{
	if (position <= i->hashed || position > i->out)
		return;
	sha256_update(&i->tar, (size_t)(position - i->hashed),
		      (const uint8_t *)i->buf + (i->hashed - i->base));
	i->hashed = position;
}

int zsum_in_drain(struct zsum_in *i)
{
	const void *data;
	ssize_t n;

	do {
		zsum_in_taken(i, i->out);
		n = zsum_in_read(i, &data);
	} while (n > 0);
	return (int)n;
}
