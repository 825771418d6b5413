/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Export into a directory of backups: the whole, or what differs from the last time. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "container/audit.h"
#include "container/backup.h"
#include "container/copy.h"
#include "container/export.h"
#include "image/interrupt.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/keep.h"
#include "util/log.h"
#include "util/str.h"

static int open_new(struct backup *b, const char *name, struct lxmgr_err *err)
{
	int fd = openat(b->dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd < 0 ? err_set(err, -errno, "make a file in '%s'", b->path) : fd;
}

static int open_before(const struct backup *b, const struct backup_part *base)
{
	char name[BACKUP_FILE_SIZE];
	int fd;

	snprintf(name, sizeof(name), "%s.index", base->point);
	fd = openat(b->dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* One try: an increment over base, or with NULL a full one. Sets what p has of the file. */
static int make_part(struct export *x, struct backup *b, const struct backup_part *base,
		     struct backup_part *p, struct lxmgr_err *err)
{
	cleanup_fd int out = open_new(b, BACKUP_NEW, err), index = -EBADF, before = -EBADF;
	cleanup_free char *head = export_head(x, base ? "increment" : "full", p->point,
					      base ? base->point : NULL, p->when);
	struct archive_pack a = { .before_fd = -1, .head = head };
	int r;

	if (out < 0)
		return out;
	index = open_new(b, BACKUP_NEW_INDEX, err);
	if (index < 0)
		return index;
	if (base) {
		before = open_before(b, base);
		if (before < 0)
			return err_set(err, before, "open the index of '%s'", base->point);
	}
	if (!head)
		return err_set(err, -ENOMEM, "export");
	a.out_fd = out;
	a.index_fd = index;
	a.before_fd = before;
	r = export_pack(x, &a, err);
	if (r < 0)
		return r;
	if (close(take_fd(&out)) < 0 || close(take_fd(&index)) < 0)
		return err_set(err, -errno, "write to '%s'", b->path);
	snprintf(p->parent, sizeof(p->parent), "%s", base ? base->point : "");
	snprintf(p->sum, sizeof(p->sum), "%s", a.sum);
	p->size = a.size;
	p->is_point = true;
	export_warn(x, &a);
	return 0;
}

static void remove_new(const struct backup *b)
{
	unlinkat(b->dir_fd, BACKUP_NEW, 0);
	unlinkat(b->dir_fd, BACKUP_NEW_INDEX, 0);
}

static int add_point(struct export *x, struct backup *b, const struct keep *keep,
		     struct lxmgr_backup_done *ret, struct lxmgr_err *err)
{
	const struct backup_part *base = x->o->full ? NULL : backup_base(b);
	struct backup_part p = { .when = (uint64_t)time(NULL) };
	int r = backup_new_point(b, p.when, p.point, err);

	if (r == 0)
		r = make_part(x, b, base, &p, err);
	if (r == -EBADMSG && base) {
		log_warn("%s: %s", b->path, err ? err->text : "the last index is damaged");
		base = NULL;
		remove_new(b);
		r = make_part(x, b, base, &p, err);
	}
	if (r < 0) {
		remove_new(b);
		return r;
	}
	snprintf(ret->point, sizeof(ret->point), "%s", p.point);
	ret->full = !base;
	ret->size = p.size;
	snprintf(b->name, sizeof(b->name), "%s", x->from.c->name);
	return backup_add(b, &p, keep, &ret->removed, err);
}

static int check_name(const struct backup *b, const struct lxmgr_container *c,
		      struct lxmgr_err *err)
{
	if (!*b->name || str_eq(b->name, c->name))
		return 0;
	return err_status(err, STATUS_REFUSED, -EEXIST,
			  "'%s' holds the backups of '%s'; give each container a directory",
			  b->path, b->name);
}

static int parse_keep(const char *text, struct keep *k, struct lxmgr_err *err)
{
	if (!text || keep_parse(text, k) == 0)
		return 0;
	return err_status(err, STATUS_USAGE, -EINVAL,
			  "'%.80s' does not say what is kept: numbers with h, d, w, m or y, as "
			  "7d,4w,6m",
			  text);
}

static int back_up(struct lxmgr_container *c, const char *dir, const struct lxmgr_export_opts *opts,
		   struct lxmgr_backup_done *ret, struct lxmgr_err *err)
{
	cleanup_backup struct backup b = BACKUP_INIT;
	struct export x = EXPORT_INIT;
	struct interrupt i;
	struct keep keep;
	int r = parse_keep(opts->keep, &keep, err);

	memset(ret, 0, sizeof(*ret));
	x.o = opts;
	copy_interrupt_begin(&i, opts->progress, opts->progress_arg);
	x.cancel_fd = i.fd;
	/* What may be wrong with the directory comes before the container has to stand still. */
	if (r == 0)
		r = backup_open(&b, dir, true, err);
	if (r == 0)
		r = check_name(&b, c, err);
	if (r == 0)
		r = export_begin(&x, c, err);
	if (r == 0)
		r = add_point(&x, &b, opts->keep ? &keep : NULL, ret, err);
	if (r < 0)
		backup_forget(&b);
	export_end(&x);
	copy_interrupt_end(&i);
	return r;
}

int lxmgr_container_backup(struct lxmgr_container *c, const char *dir,
			   const struct lxmgr_export_opts *opts, struct lxmgr_backup_done *ret,
			   struct lxmgr_err *err)
{
	return audit(c, "backup", dir, back_up(c, dir, opts, ret, err), err);
}

int lxmgr_backup_list(const char *dir, struct lxmgr_backup **ret, size_t *ret_n,
		      struct lxmgr_err *err)
{
	cleanup_backup struct backup b = BACKUP_INIT;
	int r = backup_open(&b, dir, false, err);
	struct lxmgr_backup *list;
	size_t n = 0;

	*ret = NULL;
	*ret_n = 0;
	if (r < 0)
		return r;
	list = calloc(b.n + 1, sizeof(*list));
	if (!list)
		return err_set(err, -ENOMEM, "list backups");
	for (size_t i = 0; i < b.n; i++) {
		const struct backup_part *p = &b.part[i];
		const char *lost = backup_missing(&b, p);
		struct lxmgr_backup *x = &list[n];

		if (!p->is_point)
			continue;
		snprintf(x->name, sizeof(x->name), "%s", b.name);
		snprintf(x->point, sizeof(x->point), "%s", p->point);
		snprintf(x->parent, sizeof(x->parent), "%s", p->parent);
		snprintf(x->missing, sizeof(x->missing), "%s", lost ? lost : "");
		x->created = p->when;
		x->size = p->size;
		n++;
	}
	*ret = list;
	*ret_n = n;
	return 0;
}

void lxmgr_backup_free(struct lxmgr_backup *list)
{
	free(list);
}
