/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container/import_root.h"
#include "container/rootjob.h"
#include "image/archive.h"
#include "image/unpack.h"
#include "kernel/sys.h"
#include "storage/storage.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/run.h"

#define UNPACK	     LIBEXECDIR "/lxmgr-unpack"
#define MEMBERS	     128
#define RESULT_LIMIT (4 << 20)
#define LOOK_MS	     60000
#define MAX_SIZE     (1ULL << 40)

/* Looking into an archive. */

static int die_with_parent(void *data)
{
	return prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* Run lxmgr-unpack to look; the file stands at its beginning before and after. The wait status. */
static int look(const struct import_source *s, const char *const *argv, int data_fd, char **ret)
{
	static const char *const env[] = { "LC_ALL=C", NULL };
	struct run_opts o = RUN_OPTS_INIT;
	int r;

	if (lseek(s->fd, 0, SEEK_SET) < 0)
		return -errno;
	o.env = env;
	o.stdin_fd = s->fd;
	o.capture = 1 << 20;
	o.timeout_ms = LOOK_MS;
	o.cancel_fd = s->cancel_fd;
	o.prepare = die_with_parent;
	o.pass_fds = &data_fd;
	o.n_pass = data_fd >= 0;
	r = run_program(argv, &o, ret);
	return lseek(s->fd, 0, SEEK_SET) < 0 ? -errno : r;
}

int import_list_members(struct import_source *s, struct lxmgr_err *err)
{
	const char *argv[] = { UNPACK, "--list=128", NULL };
	cleanup_strlist struct strlist lines = { 0 };
	cleanup_free char *out = NULL;
	int r = look(s, argv, -1, &out);

	if (r < 0)
		return r == -ECANCELED ? err_msg(err, r, "interrupted")
				       : err_set(err, r, "look into '%s'", s->path);
	if (strlist_split(&lines, out, "\n") < 0)
		return err_set(err, -ENOMEM, "import");
	for (size_t i = 0; i < lines.n && s->members.n < MEMBERS; i++) {
		const char *name = str_after(lines.v[i], "name ");

		if (name && strlist_add(&s->members, name) < 0)
			return err_set(err, -ENOMEM, "import");
		/* What stands before the damage is known all the same. */
		if (!name && (name = str_after(lines.v[i], "error ")))
			snprintf(s->why, sizeof(s->why), "%s", name);
	}
	return 0;
}

int import_read_member(const struct import_source *s, const char *name, size_t limit, char **ret,
		       size_t *ret_len, struct lxmgr_err *err)
{
	cleanup_fd int data = sys_memfd_create("member", 0);
	cleanup_free char *file = str_printf("--file=%s", name), *out = NULL;
	cleanup_free char *max = str_printf("--size=%zu", limit);
	const char *argv[] = { UNPACK, file, max, NULL };
	const char *why;
	int r;

	if (data < 0 || !file || !max)
		return err_set(err, data < 0 ? data : -ENOMEM, "import");
	r = look(s, argv, data, &out);
	if (r < 0 || !out)
		return err_set(err, r < 0 ? r : -ENOMEM, "look into '%s'", s->path);
	if (r > 0) {
		out[strcspn(out, "\n")] = '\0';
		why = str_after(out, "error ");
		return err_status(err, STATUS_REFUSED, -EBADMSG, "'%s' is refused: %s", s->path,
				  why ? why : "it cannot be read");
	}
	if (!str_has_prefix(out, "ok 1 "))
		return -ENOENT;
	if (lseek(data, 0, SEEK_SET) < 0)
		return err_set(err, -errno, "look into '%s'", s->path);
	r = read_all(data, limit, ret, ret_len);
	return r < 0 ? err_set(err, r, "look into '%s'", s->path) : 0;
}

/* Filling the root, in the child. */

static void say(const char *text, int permille, void *arg)
{
	rootjob_tell(arg, text, permille);
}

/* Each is a letter, text and a NUL. */
static void result(struct strbuf *b, char what, const char *text)
{
	if (!text)
		return;
	strbuf_add(b, &what, 1);
	strbuf_add(b, text, strlen(text) + 1);
}

static int write_result(struct rootjob *j, const struct import_parts *p, struct lxmgr_err *err)
{
	cleanup_strbuf struct strbuf b = { 0 };
	int r;

	result(&b, 'c', p->config);
	result(&b, 'n', p->name);
	for (size_t i = 0; i < p->notices.n; i++)
		result(&b, 'w', p->notices.v[i]);
	r = b.failed ? -ENOMEM : write_all(j->result_fd, b.s ? b.s : "", b.len);
	return r < 0 ? err_set(err, r, "hand over what was read") : 0;
}

static int read_result(int fd, struct import_parts *p, struct lxmgr_err *err)
{
	cleanup_free char *text = NULL;
	size_t len, n;
	int r = read_all(fd, RESULT_LIMIT, &text, &len);

	for (size_t i = 0; r == 0 && i < len; i += n) {
		const char *s = text + i;
		char **to = *s == 'c' ? &p->config : &p->name;

		n = strlen(s) + 1;
		if (*s == 'w') {
			r = strlist_add(&p->notices, s + 1);
			continue;
		}
		free(*to);
		*to = strdup(s + 1);
		r = *to ? 0 : -ENOMEM;
	}
	return r < 0 ? err_set(err, r, "take over what was read") : 0;
}

/* A new file system has one directory. */
static bool is_empty(int root)
{
	int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, "..") &&
		    !str_eq(e->d_name, "lost+found"))
			return false;
	return d != NULL;
}

static int unpack(struct import_fill *f, int root, struct lxmgr_err *err)
{
	struct unpack u = UNPACK_INIT;
	int r;

	u.archive_fd = f->parts->archive_fd;
	u.target_fd = root;
	u.subdir = f->parts->subdir;
	u.strip = f->parts->strip;
	u.without = f->parts->without;
	u.shift = f->parts->shift;
	u.max_size = f->from->max_size ? f->from->max_size : MAX_SIZE;
	u.max_entries = f->from->max_entries;
	/* Who says how much it may be has said it. */
	u.max_ratio = f->from->max_size || f->from->trust ? UINT64_MAX : 0;
	u.timeout_ms = -1;
	r = unpack_run(&u, err);
	if (r == 0 && is_empty(root))
		return err_status(err, STATUS_REFUSED, -EBADMSG, "the archive has no root in it");
	if (r < 0 || !u.skipped)
		return r;
	return strlist_addf(&f->parts->notices, "%llu devices and sockets are left out",
			    (unsigned long long)u.skipped) < 0
		       ? err_set(err, -ENOMEM, "import")
		       : 0;
}

/* It was opened before this mount namespace was made, and is of another one. */
static int open_again(int fd, struct lxmgr_err *err)
{
	char link[FD_PATH_SIZE], path[PATH_MAX];
	ssize_t n = readlink(fd_path(fd, link), path, sizeof(path) - 1);
	int again;

	if (n < 0)
		return err_set(err, -errno, "open the root");
	path[n] = '\0';
	again = reopen_dir(fd, path);
	return again < 0 ? err_set(err, again, "open the root '%s'", path) : again;
}

/* How the packer ended, in a file that it shares with its parent. */
struct packed {
	struct lxmgr_err why;
	uint64_t skipped, nobody;
	char skipped_name[200];
};

/* A tree goes through an archive: what reads it is confined, and so is what writes. */
static int pack_to(struct import_fill *f, int out, struct packed *ret)
{
	cleanup_fd int root = open_again(f->parts->root_fd, &ret->why);
	struct archive_pack p = {
		.root_fd = root,
		.out_fd = out,
		.index_fd = -1,
		.before_fd = -1,
		.fast = true,
		.head = "{\"format\": \"lxmgr-archive\", \"version\": 1}",
		.config = "\n",
		.map = &f->parts->owners,
	};

	int r = root < 0 ? root : archive_pack(&p, &ret->why);

	ret->skipped = p.skipped;
	ret->nobody = p.nobody;
	snprintf(ret->skipped_name, sizeof(ret->skipped_name), "%s", p.skipped_name);
	return r;
}

static pid_t fork_packer(struct import_fill *f, int out, int close_fd, int why_fd)
{
	struct packed done = { 0 };
	pid_t pid = fork();
	int r;

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(close_fd);
	r = pack_to(f, out, &done);
	_exit(write_all(why_fd, &done, sizeof(done)) < 0 ? 2 : r < 0);
}

static int tell_packed(struct import_fill *f, const struct packed *p, struct lxmgr_err *err)
{
	struct strlist *to = &f->parts->notices;
	int r = 0;

	if (p->skipped)
		r = strlist_addf(to,
				 "%llu devices that no container is given are left out, as '%s'",
				 (unsigned long long)p->skipped, p->skipped_name);
	if (r == 0 && p->nobody)
		r = strlist_addf(to, "files of owners that the container does not have are "
				     "nobody's (65534)");
	return r < 0 ? err_set(err, r, "import") : 0;
}

static int copy_tree(struct import_fill *f, int root, struct rootjob *j, struct lxmgr_err *err)
{
	cleanup_fd int why_fd = sys_memfd_create("why", 0);
	struct archive_unpack u = { .root_fd = root,
				    .max_size = f->from->max_size,
				    .max_entries = f->from->max_entries,
				    .max_ids = UINT32_MAX,
				    .any_ratio = true };
	struct packed done = { 0 };
	int fds[2], status = 0, r;
	struct stat st;
	bool was_first;
	pid_t pid;

	rootjob_tell(j, "copying the root", -1);
	if (why_fd < 0 || pipe2(fds, O_CLOEXEC) < 0)
		return err_set(err, why_fd < 0 ? why_fd : -errno, "make a pipe");
	pid = fork_packer(f, fds[1], fds[0], why_fd);
	close(fds[1]);
	u.archive_fd = fds[0];
	r = pid < 0 ? err_set(err, -errno, "fork") : archive_unpack(&u, err);
	/* Whoever ends while the other one works is the cause: that other one sees a pipe that
	 * breaks, or ends early. */
	was_first = fstat(why_fd, &st) == 0 && st.st_size > 0;
	close(fds[0]);
	free(u.config);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (lseek(why_fd, 0, SEEK_SET) < 0 ||
	    read(why_fd, &done, sizeof(done)) != (ssize_t)sizeof(done))
		return r == 0 ? err_msg(err, -EIO, "the root could not be read") : r;
	if (status && (was_first || r == 0)) {
		if (err)
			*err = done.why;
		return done.why.code < 0 ? done.why.code : -EIO;
	}
	return r < 0 ? r : tell_packed(f, &done, err);
}

static int fill(int root, const struct storage *st, struct rootjob *j, struct lxmgr_err *err)
{
	struct import_fill *f = j->data;
	struct import_progress p = { say, j };
	int r;

	if (f->format->fill)
		r = f->format->fill(f->from, root, &p, f->parts, err);
	else if (f->parts->archive_fd >= 0)
		r = unpack(f, root, err);
	else
		r = copy_tree(f, root, j, err);
	return r < 0 ? r : write_result(j, f->parts, err);
}

int import_fill_root(struct import_fill *f, struct lxmgr_err *err)
{
	static const struct storage_spec none;
	struct rootjob j = ROOTJOB_INIT;
	int r;

	j.ct_fd = f->ct_fd;
	j.path = f->path;
	j.spec = &none;
	j.fn = fill;
	j.data = f;
	j.cancel_fd = f->from->cancel_fd;
	j.progress = f->progress;
	j.progress_arg = f->progress_arg;
	r = rootjob_run(&j, err);
	if (r == 0) {
		strlist_free(&f->parts->notices);
		r = read_result(j.result_fd, f->parts, err);
	}
	fd_close(&j.result_fd);
	return r;
}
