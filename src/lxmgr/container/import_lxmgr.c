/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What lxmgr-export wrote: an archive, or a directory of backups. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "container/backup.h"
#include "container/import.h"
#include "image/archive.h"
#include "util/cleanup.h"
#include "util/err.h"

#define MAX_PARTS 1024

struct job {
	const struct import_source *s;
	const struct import_progress *p;
	uint64_t done, total; /* of what is read */
	int root;
	bool own; /* backups that nobody else can write to, whose digests are known */
};

static int probe(const struct import_source *s, struct lxmgr_err *err)
{
	if (S_ISDIR(s->st.st_mode))
		return faccessat(s->fd, "points", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	return s->members.n && str_eq(s->members.v[0], "lxmgr-archive.json");
}

static void tell(uint64_t bytes, void *arg)
{
	struct job *j = arg;
	uint64_t at = j->done + bytes;
	char text[64];

	if (!j->p->fn)
		return;
	snprintf(text, sizeof(text), "unpacking: %llu MiB", (unsigned long long)(at >> 20));
	j->p->fn(text, j->total && at < j->total ? (int)(at * 1000 / j->total) : -1, j->p->arg);
}

static int unpack(struct job *j, int fd, const char *sum, bool increment, struct archive_unpack *u,
		  struct lxmgr_err *err)
{
	*u = (struct archive_unpack){
		.archive_fd = fd,
		.root_fd = j->root,
		.increment = increment,
		.sum = sum,
		.max_size = j->s->max_size,
		.max_entries = j->s->max_entries,
		/* A privileged container may have any owner. */
		.max_ids = j->s->trust ? UINT32_MAX : j->s->ids,
		/* One's own data may be of zeros; and who says how much it may be has said it. */
		.any_ratio = j->s->trust || j->own || j->s->max_size,
		.progress = tell,
		.progress_arg = j,
	};
	return archive_unpack(u, err);
}

/* It takes the config of the last part. */
static int take(struct archive_unpack *u, struct import_parts *ret, struct lxmgr_err *err)
{
	free(ret->config);
	free(ret->name);
	ret->config = take_ptr(u->config);
	ret->name = strdup(u->name);
	return ret->name ? 0 : err_set(err, -ENOMEM, "import");
}

static int one_part(struct job *j, const struct backup *b, const struct backup_part *p,
		    struct import_parts *ret, struct lxmgr_err *err)
{
	char file[BACKUP_FILE_SIZE];
	cleanup_fd int fd = openat(b->dir_fd, backup_file(p, file),
				   O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct archive_unpack u;
	int r;

	if (fd < 0)
		return err_set(err, -errno, "open '%s/%s'", b->path, file);
	r = unpack(j, fd, p->sum, *p->parent != '\0', &u, err);
	if (r == 0 && (!str_eq(u.point, p->point) || !str_eq(u.parent, p->parent)))
		r = err_status(err, STATUS_REFUSED, -EBADMSG, "it is another part");
	if (r == 0)
		r = take(&u, ret, err);
	free(u.config);
	j->done += p->size;
	return r < 0 ? err_prefix(err, "%s/%s", b->path, file) : 0;
}

static int fill_point(struct job *j, const struct backup *b, const struct backup_part *point,
		      struct import_parts *ret, struct lxmgr_err *err)
{
	const struct backup_part *chain[MAX_PARTS];
	const char *lost = backup_missing(b, point);
	size_t n = lost ? 0 : backup_chain(b, point, chain, MAX_PARTS);
	int r = 0;

	if (!n)
		return err_status(err, STATUS_REFUSED, -ENOENT,
				  "point '%s' cannot be restored: its part '%s' is missing or has "
				  "another size",
				  point->point, lost ? lost : point->point);
	for (size_t i = 0; i < n; i++)
		j->total += chain[i]->size;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = one_part(j, b, chain[i], ret, err);
	return r;
}

static int fill_directory(struct job *j, struct import_parts *ret, struct lxmgr_err *err)
{
	cleanup_backup struct backup b = BACKUP_INIT;
	int r = backup_open_at(&b, j->s->fd, j->s->path, err);
	const struct backup_part *point = r < 0 ? NULL : backup_find(&b, j->s->point);

	if (r < 0)
		return r;
	j->own = j->s->st.st_uid == geteuid() && !(j->s->st.st_mode & 022);
	if (!point)
		return err_status(err, STATUS_NO_CONTAINER, -ENOENT, "'%s' has no point%s%.80s%s",
				  b.path, j->s->point ? " '" : "", j->s->point ? j->s->point : "",
				  j->s->point ? "'" : "");
	return fill_point(j, &b, point, ret, err);
}

static int fill(const struct import_source *s, int root, const struct import_progress *p,
		struct import_parts *ret, struct lxmgr_err *err)
{
	struct job j = { .s = s, .p = p, .root = root };
	struct archive_unpack u;
	int r;

	if (S_ISDIR(s->st.st_mode))
		return fill_directory(&j, ret, err);
	j.total = S_ISREG(s->st.st_mode) ? (uint64_t)s->st.st_size : 0;
	r = unpack(&j, s->fd, NULL, false, &u, err);
	if (r == 0)
		r = take(&u, ret, err);
	free(u.config);
	return r;
}

const struct import_format import_lxmgr = {
	.name = "lxmgr",
	.help = "what lxmgr-export wrote: an archive, or DIR[@POINT] of backups",
	.probe = probe,
	.fill = fill,
};
