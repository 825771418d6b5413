/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/luarun.h"
#include "image/remote.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/run.h"

#define ANSWER_MAX (4 << 20)

/* The tail of the messages, for where the helper ends without an answer. */
struct output {
	const struct lua_run *l;
	char tail[400];
	size_t len;
};

static void on_output(const char *data, size_t n, void *arg)
{
	struct output *o = arg;

	if (o->l->on_output)
		o->l->on_output(data, n, o->l->on_output_arg);
	if (n >= sizeof(o->tail)) {
		data += n - (sizeof(o->tail) - 1);
		n = sizeof(o->tail) - 1;
	}
	if (o->len + n >= sizeof(o->tail)) {
		size_t drop = o->len + n - (sizeof(o->tail) - 1);

		memmove(o->tail, o->tail + drop, o->len - drop);
		o->len -= drop;
	}
	memcpy(o->tail + o->len, data, n);
	o->len += n;
	o->tail[o->len] = '\0';
}

int lua_request_add(struct strbuf *b, const char *key, const char *value)
{
	if (!*key)
		return -EINVAL;
	strbuf_add(b, key, strlen(key) + 1);
	strbuf_add(b, value, strlen(value) + 1);
	return b->failed ? -ENOMEM : 0;
}

static int make_argv(const struct lua_run *l, struct strlist *argv)
{
	int r = strlist_add(argv, LIBEXECDIR "/lxmgr-lua");

	if (l->userns_fd >= 0)
		r |= strlist_add(argv, "--userns=4");
	if (l->allow_net)
		r |= strlist_add(argv, "--net");
	if (l->allow_host)
		r |= strlist_add(argv, "--host");
	if (l->allow_run)
		r |= strlist_add(argv, "--run");
	if (l->memory_mib)
		r |= strlist_addf(argv, "--memory=%u", l->memory_mib);
	if (l->seconds)
		r |= strlist_addf(argv, "--seconds=%u", l->seconds);
	for (size_t i = 0; l->lib_dirs && l->lib_dirs[i]; i++)
		r |= strlist_addf(argv, "--libs=%s", l->lib_dirs[i]);
	if (l->lib_file)
		r |= strlist_addf(argv, "--lib=%s", l->lib_file);
	r |= strlist_add(argv, l->script);
	return r;
}

/* A file in memory with the text, read from its beginning. */
static int memory_file(const struct strbuf *b)
{
	cleanup_fd int fd = sys_memfd_create("lua", 0);
	int r = fd < 0 ? fd : b && b->len ? write_all(fd, b->s, b->len) : 0;

	if (r < 0)
		return r;
	return lseek(fd, 0, SEEK_SET) < 0 ? -errno : take_fd(&fd);
}

static int judge(const struct lua_run *l, int status, int answer_fd, const struct output *out,
		 char **ret_json, struct lxmgr_err *err)
{
	cleanup_free char *answer = NULL;
	char shown[480], text[64];
	int r = lseek(answer_fd, 0, SEEK_SET) < 0 ? -errno
						  : read_all(answer_fd, ANSWER_MAX, &answer, NULL);

	if (r < 0 || !answer)
		return err_set(err, r < 0 ? r : -ENOMEM, "read the answer of '%s'", l->script);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && *answer == 'R') {
		if (!ret_json)
			return 0;
		*ret_json = strdup(answer + 1);
		return *ret_json ? 0 : err_set(err, -ENOMEM, "answer");
	}
	r = WIFEXITED(status) && WEXITSTATUS(status) != 2 ? -EIO : -EOVERFLOW;
	if (*answer == 'E')
		return err_msg(err, r, "%s", str_escape(shown, sizeof(shown), answer + 1));
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
		return err_msg(err, -EOVERFLOW, "'%s' took too much processor time", l->script);
	err_msg(err, r, "'%s' ended with %s", l->script,
		run_status_text(status, text, sizeof(text)));
	if (out->len)
		err_hint(err, "%s", str_strip(str_escape(shown, sizeof(shown), out->tail)));
	return r;
}

/* In the child: without the caller's lock it may not go on. */
static int die_with_parent(void *data)
{
	return prctl(PR_SET_PDEATHSIG, SIGKILL);
}

int lua_run(const struct lua_run *l, char **ret_json, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist argv = { 0 }, env = { 0 };
	cleanup_fd int request = memory_file(l->request), answer = memory_file(NULL);
	const int pass[] = { answer, l->userns_fd };
	struct run_opts o = RUN_OPTS_INIT;
	struct output out = { .l = l };
	int r;

	if (request < 0 || answer < 0)
		return err_set(err, request < 0 ? request : answer, "make a file in memory");
	if (make_argv(l, &argv) ||
	    strlist_add(&env,
			"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin") ||
	    strlist_add(&env, "LC_ALL=C") || (l->allow_host && download_env(&env)))
		return err_set(err, -ENOMEM, "script");
	o.env = (const char *const *)env.v;
	o.stdin_fd = request;
	o.dirfd = l->root_fd;
	o.timeout_ms = l->timeout_ms;
	o.cancel_fd = l->cancel_fd;
	o.prepare = die_with_parent;
	o.on_output = on_output;
	o.on_output_arg = &out;
	o.pass_fds = pass;
	o.n_pass = l->userns_fd >= 0 ? 2 : 1;
	r = run_program((const char *const *)argv.v, &o, NULL);
	if (r == -ETIMEDOUT)
		return err_msg(err, r, "'%s' was killed after %d s", l->script,
			       l->timeout_ms / 1000);
	if (r == -ECANCELED)
		return err_msg(err, r, "interrupted");
	if (r < 0)
		return err_set(err, r, "run '%s'", LIBEXECDIR "/lxmgr-lua");
	return judge(l, r, answer, &out, ret_json, err);
}
