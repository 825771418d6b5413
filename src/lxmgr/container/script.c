/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verb runscript: a script of the host's, as a sealed copy, run by the container's own
 * interpreter. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container/audit.h"
#include "container/container.h"
#include "container/label.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U
#endif

#define SCRIPT_LIMIT (64 << 20)

struct script {
	int fd; /* the sealed copy */
	char path[32];
	char interpreter[256]; /* of its first line, "" if it has none */
	bool is_program;       /* the kernel knows how to run it; else a shell does */
	struct strlist argv;
};

static int seal(struct script *s, int fd, struct lxmgr_err *err)
{
	cleanup_free char *text = NULL;
	size_t len;
	int r = read_all(fd, SCRIPT_LIMIT, &text, &len);

	if (r < 0)
		return err_set(err, r, "read the script");
	/* Hosts may forbid programs in memory unless they are asked for (vm.memfd_noexec). */
	s->fd = sys_memfd_create("lxmgr-script", MFD_ALLOW_SEALING | MFD_EXEC);
	if (s->fd == -EINVAL)
		s->fd = sys_memfd_create("lxmgr-script", MFD_ALLOW_SEALING);
	r = s->fd < 0 ? s->fd : write_all(s->fd, text, len);
	if (r == 0 &&
	    fcntl(s->fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		r = -errno;
	if (r < 0)
		return err_set(err, r, "copy the script");
	s->is_program = str_has_prefix(text, "#!") || str_has_prefix(text, "\177ELF");
	if (str_has_prefix(text, "#!"))
		(void)sscanf(text + 2, " %255[^ \t\n]", s->interpreter);
	return 0;
}

/* On a host with SELinux the container may read its own files only. */
static int label(const struct lxmgr_container *c, int fd, struct lxmgr_err *err)
{
	char context[SELINUX_CONTEXT_SIZE];
	int r = label_of_files(c, context, err);

	return r == 0 && *context ? selinux_label_fd(fd, context, "the script", err) : r;
}

static int make_argv(struct script *s, const char *const *args)
{
	int r;

	/* A name that leads to the copy in the process itself: the container's /proc has it. */
	snprintf(s->path, sizeof(s->path), "/proc/self/fd/%d", s->fd);
	r = s->is_program ? 0 : strlist_add(&s->argv, "/bin/sh");
	if (r == 0)
		r = strlist_add(&s->argv, s->path);
	for (size_t i = 0; r == 0 && args && args[i]; i++)
		r = strlist_add(&s->argv, args[i]);
	return r;
}

static int run_attached(struct lxmgr_container *c, const struct script *s,
			const struct lxmgr_script_opts *o, int *ret_status, struct lxmgr_err *err)
{
	struct lxmgr_attach_opts a = {
		.argv = (const char *const *)s->argv.v,
		.clear_env = true,
		.set_vars = o->set_vars,
		.uid = o->uid,
		.gid = o->gid,
		.script_fd = s->fd,
	};
	int r = lxmgr_container_attach(c, &a, ret_status, err);

	if (r < 0 && *ret_status == 127)
		return err_status(err, 127, r,
				  "the script's interpreter '%s' is not in the container",
				  s->is_program ? s->interpreter : "/bin/sh");
	return r;
}

static int run_started(struct lxmgr_container *c, const struct script *s,
		       const struct lxmgr_script_opts *o, int *ret_status, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist defines = { 0 };
	int status = 0, r = 0;
	struct lxmgr_start_opts start = {
		.argv = (const char *const *)s->argv.v,
		.execute = true,
		.foreground = true,
		/* As in a running one: whatever user the config gives the command of the image. */
		.uid = o->uid == (uid_t)-1 ? 0 : o->uid,
		.gid = o->gid == (gid_t)-1 ? 0 : o->gid,
		.script_fd = s->fd,
		.ret_status = &status,
		.progress = o->progress,
		.warn = o->warn,
		.progress_arg = o->arg,
	};

	for (size_t i = 0; o->set_vars && o->set_vars[i]; i++)
		r |= strlist_addf(&defines, "lxmgr.environment = %s", o->set_vars[i]);
	if (r < 0)
		return err_set(err, -ENOMEM, "environment");
	start.defines = (const char *const *)defines.v;
	r = lxmgr_container_start(c, &start, err);
	if (r < 0)
		return r;
	*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return 0;
}

static int run_script(struct lxmgr_container *c, const struct lxmgr_script_opts *opts,
		      int *ret_status, struct lxmgr_err *err)
{
	struct script s = { .fd = -EBADF };
	struct state state;
	bool stale, runs;
	int r = seal(&s, opts->fd, err);

	*ret_status = 125;
	if (r == 0 && (r = make_argv(&s, opts->args)) < 0)
		err_set(err, r, "run the script");
	if (r == 0) {
		r = state_read(c, &state, &stale, err);
		runs = r == 0 && !stale;
		if (r == 0 || r == -ENOENT)
			r = runs ? container_load_running_config(c, err)
				 : container_load_config(c, err);
		if (r == 0)
			r = label(c, s.fd, err);
		if (r == 0)
			r = runs ? run_attached(c, &s, opts, ret_status, err)
				 : run_started(c, &s, opts, ret_status, err);
	}
	strlist_free(&s.argv);
	fd_close(&s.fd);
	return r;
}

int lxmgr_container_runscript(struct lxmgr_container *c, const struct lxmgr_script_opts *opts,
			      int *ret_status, struct lxmgr_err *err)
{
	/* It may run for long, and its status is no failure of ours. */
	audit(c, "runscript", NULL, 0, NULL);
	return run_script(c, opts, ret_status, err);
}
