/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/archive.h"
#include "kernel/idmap.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/run.h"
#include "util/str.h"

#define PACK	   LIBEXECDIR "/lxmgr-pack"
#define UNARCHIVE  LIBEXECDIR "/lxmgr-unarchive"
#define CONFIG_MAX (1 << 20)

/* What a helper says, in lines. What a confined program says is as hostile as what it reads. */
struct report {
	char line[1024];
	size_t len;
	char error[520], ok[400];
	void (*progress)(uint64_t bytes, void *arg);
	void *progress_arg;
	void (*other)(const char *line, void *arg);
	void *arg;
};

static void end_line(struct report *r)
{
	const char *v;
	uint64_t n;

	r->line[r->len] = '\0';
	r->len = 0;
	if ((v = str_after(r->line, "at "))) {
		if (r->progress && parse_u64(v, &n) == 0)
			r->progress(n, r->progress_arg);
	} else if ((v = str_after(r->line, "ok "))) {
		snprintf(r->ok, sizeof(r->ok), "%s", v);
	} else if ((v = str_after(r->line, "error "))) {
		snprintf(r->error, sizeof(r->error), "%s", v);
	} else {
		r->other(r->line, r->arg);
	}
}

static void on_output(const char *data, size_t n, void *arg)
{
	struct report *r = arg;

	for (size_t i = 0; i < n; i++)
		if (data[i] == '\n')
			end_line(r);
		else if (r->len < sizeof(r->line) - 1)
			r->line[r->len++] = data[i];
}

static int die_with_parent(void *data)
{
	return prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* 0, and "ok" was said; or the error. */
static int run(const struct strlist *argv, struct run_opts *o, struct report *rep,
	       struct lxmgr_err *err)
{
	static const char *const env[] = { "LC_ALL=C", NULL };
	char text[64];
	int r;

	o->env = env;
	o->prepare = die_with_parent;
	o->on_output = on_output;
	o->on_output_arg = rep;
	r = run_program((const char *const *)argv->v, o, NULL);
	if (r < 0)
		return err_set(err, r, "run %s", argv->v[0]);
	if (r == 0 && *rep->ok)
		return 0;
	if (!*rep->error)
		return err_msg(err, -EIO, "%s ended with %s", argv->v[0],
			       run_status_text(r, text, sizeof(text)));
	if (WIFEXITED(r) && WEXITSTATUS(r) == 2)
		return err_status(err, STATUS_REFUSED, -EBADMSG, "the archive is refused: %s",
				  rep->error);
	return err_msg(err, WIFEXITED(r) && WEXITSTATUS(r) == 3 ? -EBADMSG : -EIO, "%s",
		       rep->error);
}

static int memory_file(const char *a, const char *b)
{
	cleanup_fd int fd = sys_memfd_create("archive", 0);
	int r = fd < 0 ? fd : 0;

	if (r == 0 && a)
		r = write_all(fd, a, strlen(a) + 1);
	if (r == 0 && b)
		r = write_all(fd, b, strlen(b));
	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	return r < 0 ? r : take_fd(&fd);
}

static int add_map(struct strlist *argv, const char *option, const struct idmap_extent *ext,
		   size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n; i++)
		r |= strlist_addf(argv, "%s=%u:%u:%u", option, ext[i].inside, ext[i].outside,
				  ext[i].count);
	return r;
}

static int pack_argv(const struct archive_pack *p, struct strlist *argv)
{
	int r = strlist_add(argv, PACK);

	if (p->index_fd >= 0)
		r |= strlist_add(argv, "--index");
	if (p->before_fd >= 0)
		r |= strlist_add(argv, "--before");
	if (p->fast)
		r |= strlist_add(argv, "--fast");
	if (p->copied)
		r |= strlist_add(argv, "--copied");
	if (p->map)
		r |= add_map(argv, "--uid", p->map->uid, p->map->n_uid) |
		     add_map(argv, "--gid", p->map->gid, p->map->n_gid);
	return r;
}

static void pack_line(const char *line, void *arg)
{
	struct archive_pack *p = arg;
	const char *v = str_after(line, "skipped ");

	if (v)
		snprintf(p->skipped_name, sizeof(p->skipped_name), "%s", v);
}

int archive_pack(struct archive_pack *p, struct lxmgr_err *err)
{
	cleanup_fd int request = memory_file(p->head, p->config);
	cleanup_strlist struct strlist argv = { 0 };
	const int pass[] = { p->out_fd, p->index_fd, p->before_fd };
	struct report rep = { .progress = p->progress,
			      .progress_arg = p->progress_arg,
			      .other = pack_line,
			      .arg = p };
	struct run_opts o = RUN_OPTS_INIT;
	unsigned long long n[5];
	int r;

	if (request < 0 || pack_argv(p, &argv))
		return err_set(err, request < 0 ? request : -ENOMEM, "pack");
	o.stdin_fd = request;
	o.dirfd = p->root_fd;
	o.pass_fds = pass;
	o.n_pass = 1U + (p->index_fd >= 0) + (p->before_fd >= 0);
	r = run(&argv, &o, &rep, err);
	if (r < 0)
		return r;
	if (sscanf(rep.ok, "%llu %llu %llu %llu %llu %*64s %64s", &n[0], &n[1], &n[2], &n[3], &n[4],
		   p->sum) != 6)
		return err_msg(err, -EIO, "%s said nothing of what it made", PACK);
	p->files = n[0];
	p->bytes = n[1];
	p->skipped = n[2];
	p->nobody = n[3];
	p->size = n[4];
	return 0;
}

static int unpack_argv(const struct archive_unpack *u, struct strlist *argv)
{
	int r = strlist_add(argv, UNARCHIVE);

	if (u->increment)
		r |= strlist_add(argv, "--increment");
	if (u->sum)
		r |= strlist_addf(argv, "--sum=%s", u->sum);
	if (u->max_size)
		r |= strlist_addf(argv, "--size=%llu", (unsigned long long)u->max_size);
	if (u->max_entries)
		r |= strlist_addf(argv, "--entries=%llu", (unsigned long long)u->max_entries);
	if (u->max_ids)
		r |= strlist_addf(argv, "--ids=%llu", (unsigned long long)u->max_ids);
	if (u->any_ratio)
		r |= strlist_add(argv, "--ratio=0");
	return r;
}

static void unpack_line(const char *line, void *arg)
{
	struct archive_unpack *u = arg;
	const char *v;

	if ((v = str_after(line, "name ")))
		snprintf(u->name, sizeof(u->name), "%s", v);
	else if ((v = str_after(line, "point ")))
		snprintf(u->point, sizeof(u->point), "%s", v);
	else if ((v = str_after(line, "parent ")))
		snprintf(u->parent, sizeof(u->parent), "%s", v);
}

int archive_unpack(struct archive_unpack *u, struct lxmgr_err *err)
{
	cleanup_fd int config = memory_file(NULL, NULL);
	cleanup_strlist struct strlist argv = { 0 };
	struct report rep = { .progress = u->progress,
			      .progress_arg = u->progress_arg,
			      .other = unpack_line,
			      .arg = u };
	struct run_opts o = RUN_OPTS_INIT;
	unsigned long long n[2];
	int r;

	if (config < 0 || unpack_argv(u, &argv))
		return err_set(err, config < 0 ? config : -ENOMEM, "unpack");
	o.stdin_fd = u->archive_fd;
	o.dirfd = u->root_fd;
	o.pass_fds = &config;
	o.n_pass = 1;
	r = run(&argv, &o, &rep, err);
	if (r < 0)
		return r;
	if (sscanf(rep.ok, "%llu %llu", &n[0], &n[1]) != 2 || lseek(config, 0, SEEK_SET) < 0 ||
	    read_all(config, CONFIG_MAX, &u->config, NULL) < 0)
		return err_msg(err, -EIO, "%s said nothing of what it read", UNARCHIVE);
	u->entries = n[0];
	u->bytes = n[1];
	return 0;
}
