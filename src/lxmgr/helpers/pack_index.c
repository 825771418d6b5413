/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The index of a backup: what every file was, in the order of the walk. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "helpers/pack.h"
#include "util/str.h"

#define RECORD                                                                             \
	"%" PRIo32 " %" PRIu32 " %" PRIu32 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRId64 \
	".%" PRId64 " %" PRId64 ".%" PRId64 " %s %s"
#define LINKS_START 1024

static int read_line(struct index_in *i)
{
	ssize_t n = getdelim(&i->line, &i->size, '\0', i->f);

	return n > 0 && i->line[n - 1] == '\0' ? (int)n : -1;
}

int index_open(struct index_in *i, int fd, struct lxmgr_err *err)
{
	struct sha256_ctx sum;
	char want[ZSUM_HEX];
	bool ended = false;
	int n;

	i->f = fdopen(fd, "re");
	if (!i->f)
		return err_set(err, -errno, "open the index");
	sha256_init(&sum);
	while (!ended && (n = read_line(i)) > 0) {
		const char *given = str_after(i->line, "end ");

		if (!given) {
			sha256_update(&sum, (size_t)n, (const uint8_t *)i->line);
			continue;
		}
		zsum_hex(&sum, want);
		ended = str_eq(given, want);
	}
	if (!ended)
		return err_msg(err, -EBADMSG, "the index of the last point is damaged");
	if (fseek(i->f, 0, SEEK_SET) < 0)
		return err_set(err, -errno, "read the index");
	return index_next(i, err);
}

/* The path is the rest of the line behind the eighth blank. */
int index_next(struct index_in *i, struct lxmgr_err *err)
{
	struct record *r = &i->next;
	int at = 0;

	i->has_next = false;
	if (read_line(i) <= 0)
		return err_msg(err, -EBADMSG, "the index of the last point ends early");
	if (str_has_prefix(i->line, "end "))
		return 0;
	if (sscanf(i->line,
		   "%" SCNo32 " %" SCNu32 " %" SCNu32 " %" SCNu64 " %" SCNu64 " %" SCNu64
		   " %" SCNd64 ".%" SCNd64 " %" SCNd64 ".%" SCNd64 " %64s%n",
		   &r->mode, &r->uid, &r->gid, &r->size, &r->ino, &r->nlink, &r->mtime,
		   &r->mtime_ns, &r->ctime, &r->ctime_ns, r->digest, &at) != 11 ||
	    i->line[at] != ' ')
		return err_msg(err, -EBADMSG, "the index of the last point has a bad line");
	r->path = i->line + at + 1;
	i->has_next = true;
	return 0;
}

static int rank(char c)
{
	return c == '/' ? 1 : c ? (unsigned char)c + 1 : 0;
}

int index_compare(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return rank(*a) - rank(*b);
}

void index_create(struct index_out *o, int fd)
{
	o->f = fdopen(fd, "we");
	o->count = 0;
	sha256_init(&o->sum);
}

int index_add(struct index_out *o, const struct record *r)
{
	char *line = str_printf(RECORD, r->mode, r->uid, r->gid, r->size, r->ino, r->nlink,
				r->mtime, r->mtime_ns, r->ctime, r->ctime_ns, r->digest, r->path);
	size_t n = line ? strlen(line) + 1 : 0;
	int ret = line ? 0 : -ENOMEM;

	if (ret == 0) {
		sha256_update(&o->sum, n, (const uint8_t *)line);
		o->count++;
		if (fwrite(line, 1, n, o->f) != n)
			ret = -errno;
	}
	free(line);
	return ret;
}

int index_end(struct index_out *o, struct lxmgr_err *err)
{
	char hex[ZSUM_HEX];
	int r = 0;

	zsum_hex(&o->sum, hex);
	if (fprintf(o->f, "end %s", hex) < 0 || fputc('\0', o->f) < 0 || fflush(o->f) < 0 ||
	    fsync(fileno(o->f)) < 0)
		r = err_set(err, -errno, "write the index");
	if (fclose(o->f) < 0 && r == 0)
		r = err_set(err, -errno, "write the index");
	o->f = NULL;
	return r;
}

static size_t place(const struct links *l, uint64_t dev, uint64_t ino)
{
	uint64_t h = (ino ^ dev * 0x9e3779b97f4a7c15ULL) * 0xff51afd7ed558ccdULL;
	size_t i = (h >> 20) & (l->size - 1);

	while (l->slot[i].path && (l->slot[i].ino != ino || l->slot[i].dev != dev))
		i = (i + 1) & (l->size - 1);
	return i;
}

static int grow(struct links *l)
{
	struct links bigger = { .size = l->size ? l->size * 2 : LINKS_START, .n = l->n };

	bigger.slot = calloc(bigger.size, sizeof(*bigger.slot));
	if (!bigger.slot)
		return -ENOMEM;
	for (size_t i = 0; i < l->size; i++)
		if (l->slot[i].path)
			bigger.slot[place(&bigger, l->slot[i].dev, l->slot[i].ino)] = l->slot[i];
	free(l->slot);
	*l = bigger;
	return 0;
}

struct link *links_add(struct links *l, uint64_t dev, uint64_t ino, const char *path)
{
	struct link *x;

	if (l->n * 2 >= l->size && grow(l) < 0)
		return NULL;
	x = &l->slot[place(l, dev, ino)];
	if (x->path)
		return x;
	*x = (struct link){ .dev = dev, .ino = ino, .path = strdup(path) };
	if (!x->path)
		return NULL;
	l->n++;
	return x;
}
