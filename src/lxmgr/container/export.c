/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The export verb: a container as one file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <dirent.h>

#include "container/audit.h"
#include "container/export.h"
#include "container/rootjob.h"
#include "image/interrupt.h"
#include "image/remote.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/str.h"

#define UNFINISHED ".lxmgr-export-"

/* The root. */

/* The copy is a draft beside the containers: what a kill leaves of it the next draft removes. */
static int copy_live(struct export *x, struct lxmgr_err *err)
{
	static const struct storage_spec none;
	struct storage_copy how = { .share = true };
	struct lxmgr_container *c = x->from.c;
	int r = draft_open(&x->copy, c->path, c->name, err);

	x->has_copy = r == 0;
	if (r == 0)
		r = draft_make_beside(&x->copy, err);
	if (r == 0)
		r = source_copy(&x->from, &x->copied, x->copy.dir_fd, NULL, &none, &how, true, err);
	return r < 0 ? r : storage_write(&x->copied, false, err);
}

static void find_map(struct export *x)
{
	const struct config *cfg = &x->from.c->config;

	if (x->from.storage.ids)
		idmap_add_both(&x->map, 0, x->from.storage.ids, 65536);
	else if (cfg->idmap_policy == IDMAP_EXPLICIT && !cfg->storage.idmap_container)
		x->map = cfg->idmap;
}

int export_begin(struct export *x, struct lxmgr_container *c, struct lxmgr_err *err)
{
	int r = source_open(&x->from, c, err);

	if (r == 0)
		r = source_config(&x->from, &x->config, err);
	if (r < 0)
		return r;
	find_map(x);
	if (!x->from.live)
		return 0;
	if (x->o->progress)
		x->o->progress("copying what the running container has written", -1,
			       x->o->progress_arg);
	r = copy_live(x, err);
	/* It may be stopped and started while the archive is made. */
	if (r == 0)
		fd_close(&x->from.lock);
	return r;
}

void export_end(struct export *x)
{
	bool copied = x->has_copy;

	storage_close(&x->copied);
	if (copied)
		draft_give_up(&x->copy);
	if (copied && storage_collect(x->copy.path_fd, NULL) < 0)
		log_warn("layers of the copy stay, ignoring");
	draft_close(&x->copy);
	source_close(&x->from);
	free(x->config);
	x->config = NULL;
}

/* Each value has a character set of its own in which nothing needs to be escaped. */
char *export_head(const struct export *x, const char *kind, const char *point, const char *parent,
		  uint64_t when)
{
	const struct storage *st = &x->from.storage;
	cleanup_strbuf struct strbuf b = { 0 };
	char created[32] = "";
	time_t t = (time_t)when;
	struct tm tm;

	if (gmtime_r(&t, &tm))
		strftime(created, sizeof(created), "%Y-%m-%dT%H:%M:%SZ", &tm);
	strbuf_addf(&b, "{\n\t\"format\": \"lxmgr-archive\",\n\t\"version\": 1,\n");
	strbuf_addf(&b, "\t\"name\": \"%s\",\n\t\"created\": \"%s\",\n", x->from.c->name, created);
	strbuf_addf(&b, "\t\"kind\": \"%s\",\n", kind);
	if (point)
		strbuf_addf(&b, "\t\"point\": \"%s\",\n", point);
	if (parent)
		strbuf_addf(&b, "\t\"parent\": \"%s\",\n", parent);
	strbuf_addf(&b, "\t\"lxmgr\": \"%s\",\n\t\"arch\": \"%s\",\n", lxmgr_version(),
		    remote_arch(x->from.c->config.arch));
	strbuf_addf(&b, "\t\"running\": %s,\n", x->has_copy ? "true" : "false");
	strbuf_addf(&b,
		    "\t\"storage\": { \"backend\": \"%s\", \"image\": \"%s\", \"layers\": %zu },\n",
		    st->ops->name, st->base, st->n_layers);
	strbuf_addf(&b, "\t\"ids\": { \"mapped\": %s, \"first\": %u }\n}\n",
		    idmap_is_none(&x->map) ? "false" : "true",
		    x->map.n_uid ? x->map.uid[0].outside : 0);
	return strbuf_take(&b);
}

struct packing {
	struct rootjob *j;
	struct archive_pack *p;
};

static void tell(uint64_t bytes, void *arg)
{
	struct rootjob *j = arg;
	char text[64];

	snprintf(text, sizeof(text), "packing: %llu MiB", (unsigned long long)(bytes >> 20));
	rootjob_tell(j, text, -1);
}

static int pack(int root, const struct storage *st, struct rootjob *j, struct lxmgr_err *err)
{
	struct archive_pack *p = j->data;
	int r;

	p->root_fd = root;
	p->progress = tell;
	p->progress_arg = j;
	r = archive_pack(p, err);
	if (r == 0) {
		r = write_all(j->result_fd, p, sizeof(*p));
		if (r < 0)
			err_set(err, r, "hand over what was packed");
	}
	return r;
}

/* What it counted comes back; the rest of p stays. */
static int take_counts(int fd, struct archive_pack *p, struct lxmgr_err *err)
{
	struct archive_pack done;

	if (read(fd, &done, sizeof(done)) != (ssize_t)sizeof(done))
		return err_msg(err, -EIO, "packing ended early");
	p->files = done.files;
	p->bytes = done.bytes;
	p->size = done.size;
	p->skipped = done.skipped;
	p->nobody = done.nobody;
	memcpy(p->skipped_name, done.skipped_name, sizeof(p->skipped_name));
	memcpy(p->sum, done.sum, sizeof(p->sum));
	return 0;
}

int export_pack(struct export *x, struct archive_pack *p, struct lxmgr_err *err)
{
	static const struct storage_spec none;
	struct lxmgr_container *c = x->from.c;
	char path[DRAFT_PATH_SIZE];
	struct rootjob j = ROOTJOB_INIT;
	int r;

	snprintf(path, sizeof(path), "%s/%s", c->path, c->name);
	j.ct_fd = x->has_copy ? x->copy.dir_fd : c->dir_fd;
	j.path = x->has_copy ? draft_path(&x->copy, path) : path;
	j.spec = x->has_copy ? &none : &c->config.storage;
	j.fn = pack;
	j.data = p;
	j.cancel_fd = x->cancel_fd;
	j.progress = x->o->progress;
	j.progress_arg = x->o->progress_arg;
	p->config = x->config;
	p->map = &x->map;
	p->copied = x->has_copy;
	r = rootjob_run(&j, err);
	if (r == 0)
		r = take_counts(j.result_fd, p, err);
	fd_close(&j.result_fd);
	return r;
}

void export_warn(const struct export *x, const struct archive_pack *p)
{
	char text[400];

	if (!x->o->warn)
		return;
	if (p->skipped) {
		snprintf(text, sizeof(text),
			 "%llu devices that no container is given are left out, as '%s'",
			 (unsigned long long)p->skipped, p->skipped_name);
		x->o->warn(text, x->o->warn_arg);
	}
	if (p->nobody)
		x->o->warn("files of owners that the container does not have are nobody's (65534)",
			   x->o->warn_arg);
}

/* The file. */

struct target {
	char dir[PATH_MAX];
	const char *base; /* points into the path that was given */
	char tmp[64];
	int dir_fd, fd;
};

/* What killed exports left in this directory: nobody holds its lock. */
static void clean(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		const char *pid = str_after(e->d_name, UNFINISHED);
		cleanup_fd int old = -EBADF;
		struct stat st;
		uint32_t n;

		if (!pid || parse_u32(pid, &n) < 0)
			continue;
		old = openat(dir_fd, e->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (old >= 0 && fstat(old, &st) == 0 && S_ISREG(st.st_mode) &&
		    st.st_uid == geteuid() && flock(old, LOCK_EX | LOCK_NB) == 0)
			unlinkat(dir_fd, e->d_name, 0);
	}
}

/* A name that is no plain file is written to as it is: a pipe, a device. */
static int open_special(const char *file, struct target *t, struct lxmgr_err *err)
{
	struct stat st;

	if (str_eq(file, "-")) {
		t->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
		return t->fd < 0 ? err_set(err, -errno, "open the standard output") : 1;
	}
	if (stat(file, &st) < 0 || S_ISREG(st.st_mode))
		return 0;
	if (S_ISDIR(st.st_mode))
		return err_status(err, STATUS_USAGE, -EISDIR,
				  "'%s' is a directory (--incremental takes one)", file);
	t->fd = open(file, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	return t->fd < 0 ? err_set(err, -errno, "open '%s'", file) : 1;
}

/* A file of ours under a name that clean() knows. Between the two calls that of another export can
 * take it for left over, and remove it: then another one. */
static int open_new(struct target *t, struct lxmgr_err *err)
{
	struct stat st, there;

	for (unsigned int i = 0; i < 100; i++) {
		fd_close(&t->fd);
		snprintf(t->tmp, sizeof(t->tmp), UNFINISHED "%d", getpid());
		t->fd = openat(t->dir_fd, t->tmp,
			       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (t->fd < 0) {
			int r = -errno;

			*t->tmp = '\0';
			return err_set(err, r, "make a file in '%s'", t->dir);
		}
		if (flock(t->fd, LOCK_EX) < 0 || fstat(t->fd, &st) < 0)
			return err_set(err, -errno, "lock the new file");
		if (fstatat(t->dir_fd, t->tmp, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
		    there.st_dev == st.st_dev && there.st_ino == st.st_ino)
			return 0;
	}
	return err_msg(err, -EAGAIN, "'%s' is removed again and again", t->tmp);
}

static int open_target(const char *file, struct target *t, struct lxmgr_err *err)
{
	const char *slash = strrchr(file, '/');

	t->base = slash ? slash + 1 : file;
	if (!*t->base || strlen(file) >= PATH_MAX)
		return err_status(err, STATUS_USAGE, -EINVAL, "'%.200s' is no file name", file);
	snprintf(t->dir, sizeof(t->dir), "%.*s", slash ? (int)(slash - file + 1) : 1,
		 slash ? file : ".");
	t->dir_fd = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->dir_fd < 0)
		return err_set(err, -errno, "open '%s'", t->dir);
	clean(t->dir_fd);
	return open_new(t, err);
}

/* The helper has brought it to the disk; a close may still say that it could not. */
static int finish(struct target *t, const char *file, struct lxmgr_err *err)
{
	if (close(take_fd(&t->fd)) < 0)
		return err_set(err, -errno, "write '%s'", file);
	if (!*t->tmp)
		return 0;
	if (renameat(t->dir_fd, t->tmp, t->dir_fd, t->base) < 0)
		return err_set(err, -errno, "put '%s' in place", file);
	*t->tmp = '\0';
	return fsync(t->dir_fd) < 0 ? err_set(err, -errno, "write '%s' to disk", t->dir) : 0;
}

static int write_file(struct export *x, struct target *t, const char *file, struct lxmgr_err *err)
{
	cleanup_free char *head = export_head(x, "full", NULL, NULL, (uint64_t)time(NULL));
	struct archive_pack p = { .out_fd = t->fd, .index_fd = -1, .before_fd = -1, .head = head };
	int r = head ? export_pack(x, &p, err) : err_set(err, -ENOMEM, "export");

	if (r == 0)
		r = finish(t, file, err);
	if (r == 0)
		export_warn(x, &p);
	return r;
}

static int export(struct lxmgr_container *c, const char *file, const struct lxmgr_export_opts *opts,
		  struct lxmgr_err *err)
{
	struct target t = { .dir_fd = -EBADF, .fd = -EBADF };
	struct export x = EXPORT_INIT;
	struct interrupt i;
	int r;

	x.o = opts;
	/* A named pipe waits for who reads it: until then a signal just ends this. */
	r = open_special(file, &t, err);
	copy_interrupt_begin(&i, opts->progress, opts->progress_arg);
	x.cancel_fd = i.fd;
	if (r == 0)
		r = open_target(file, &t, err);
	else if (r > 0)
		r = 0;
	if (r == 0)
		r = export_begin(&x, c, err);
	if (r == 0)
		r = write_file(&x, &t, file, err);
	export_end(&x);
	if (*t.tmp)
		unlinkat(t.dir_fd, t.tmp, 0);
	fd_close(&t.fd);
	fd_close(&t.dir_fd);
	copy_interrupt_end(&i);
	return r;
}

int lxmgr_container_export(struct lxmgr_container *c, const char *file,
			   const struct lxmgr_export_opts *opts, struct lxmgr_err *err)
{
	return audit(c, "export", file, export(c, file, opts, err), err);
}
