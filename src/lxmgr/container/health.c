/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/health.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/paths.h"
#include "util/run.h"

/* Not in the run directory: a check that ends as the container does would be in the way of its
 * removal. What a past run left is known by its init. */
#define HEALTH_DIR   RUNDIR "/.health"
#define HEALTH_LIMIT 4096
#define OUTPUT_LIMIT 65536

void health_parse(const char *text, struct health *ret, pid_t *ret_init, uint64_t *ret_start)
{
	cleanup_strlist struct strlist lines = { 0 };

	*ret = (struct health){ .healthy = true };
	*ret_init = 0;
	*ret_start = 0;
	if (strlist_split(&lines, text, "\n") < 0)
		return;
	for (size_t i = 0; i < lines.n; i++) {
		const char *line = lines.v[i], *v;
		uint32_t n;

		if ((v = str_after(line, "init ")))
			sscanf(v, "%d %" SCNu64, ret_init, ret_start);
		else if ((v = str_after(line, "healthy ")))
			ret->healthy = !str_eq(v, "0");
		else if ((v = str_after(line, "failures ")) && parse_u32(v, &n) == 0)
			ret->failures = n;
		else if ((v = str_after(line, "checked ")))
			parse_i64(v, &ret->checked);
		else if ((v = str_after(line, "result ")))
			snprintf(ret->result, sizeof(ret->result), "%s", v);
		else if ((v = str_after(line, "output ")))
			str_escape(ret->output, sizeof(ret->output), v);
	}
}

int health_read(const struct lxmgr_container *c, const struct state *s, struct health *ret)
{
	cleanup_fd int dir = open(HEALTH_DIR, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_free char *text = NULL;
	uint64_t start;
	pid_t init;
	int r = dir < 0 ? -errno : read_file_at(dir, c->tag, HEALTH_LIMIT, &text, NULL);

	if (r < 0)
		return r;
	health_parse(text, ret, &init, &start);
	return init == s->init_pid && start == s->init_start ? 0 : -ENOENT;
}

static int health_write(const struct lxmgr_container *c, const struct state *s,
			const struct health *h)
{
	cleanup_fd int dir = -EBADF;
	cleanup_free char *text =
		str_printf("init %d %" PRIu64 "\nhealthy %d\nfailures %u\nchecked %" PRId64
			   "\nresult %s\noutput %s\n",
			   s->init_pid, s->init_start, h->healthy, h->failures, h->checked,
			   h->result, h->output);
	int r = text ? mkdir_p(HEALTH_DIR, 0700) : -ENOMEM;

	if (r < 0)
		return r;
	dir = open(HEALTH_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return dir < 0 ? -errno : write_file_replace(dir, c->tag, text, strlen(text), 0600);
}

void health_forget(const struct lxmgr_container *c)
{
	char path[sizeof(HEALTH_DIR) + sizeof(c->tag) + 2];

	snprintf(path, sizeof(path), "%s/%s", HEALTH_DIR, c->tag);
	unlink(path);
}

static void last_line(char *text, char *buf, size_t size)
{
	char *line;

	text = str_strip(text);
	line = strrchr(text, '\n');
	str_escape(buf, size, line ? line + 1 : text);
}

/* The command runs as one of lxmgr-attach: in a process group of its own, which is killed, inside
 * too, when its time is over. true: it is well. */
static bool run_command(const struct lxmgr_container *c, struct health *h)
{
	const char *argv[] = { BINDIR "/lxmgr-attach",
			       "-P",
			       c->path,
			       "--rcfile=",
			       "--clear-env",
			       "-n",
			       c->name,
			       "--",
			       "/bin/sh",
			       "-c",
			       c->config.health_cmd,
			       NULL };
	struct run_opts o = RUN_OPTS_INIT;
	cleanup_free char *out = NULL;
	int status;

	o.capture = OUTPUT_LIMIT;
	o.timeout_ms = (int)c->config.health_timeout_ms;
	status = run_program(argv, &o, &out);
	if (status == -ETIMEDOUT)
		snprintf(h->result, sizeof(h->result), "no answer within %u ms",
			 (unsigned int)c->config.health_timeout_ms);
	else if (status < 0)
		snprintf(h->result, sizeof(h->result), "%s", strerror(-status));
	else
		run_status_text(status, h->result, sizeof(h->result));
	*h->output = '\0';
	if (out)
		last_line(out, h->output, sizeof(h->output));
	return status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int act(struct lxmgr_container *c, struct lxmgr_err *err)
{
	struct lxmgr_stop_opts stop = { .timeout_ms = -1,
					.kill = c->config.health_action == HEALTH_KILL };
	bool again = c->config.health_action == HEALTH_RESTART;
	struct lxmgr_container *fresh = NULL;
	int r = lxmgr_container_stop(c, &stop, err);

	if (r < 0 || !again)
		return r;
	/* As its config is now. */
	r = lxmgr_container_open(c->path, c->name, NULL, &fresh, err);
	if (r == 0)
		r = lxmgr_container_start(fresh, NULL, err);
	lxmgr_container_close(fresh);
	return r;
}

int health_check(struct lxmgr_container *c, struct health *ret, struct lxmgr_err *err)
{
	cleanup_fd int run = container_run_dir(c, false, err), lock = -EBADF;
	struct state s, now;
	bool stale;
	int r;

	lock = run < 0 ? run : openat(run, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0)
		return 0;
	r = state_read(c, &s, &stale, err);
	if (r < 0 || stale || (s.state != LXMGR_RUNNING && s.state != LXMGR_THAWED))
		return r == -ENOENT ? 0 : r;
	r = container_load_running_config(c, err);
	if (r < 0 || !c->config.health_cmd)
		return r;
	if (health_read(c, &s, ret) < 0)
		*ret = (struct health){ .healthy = true };
	if (run_command(c, ret))
		ret->failures = 0;
	else
		ret->failures++;
	ret->healthy = ret->failures < c->config.health_failures;
	ret->checked = time(NULL);
	/* A container that was stopped or frozen meanwhile has not failed. */
	if (state_read(c, &now, &stale, NULL) < 0 || stale || now.init_pid != s.init_pid ||
	    (now.state != LXMGR_RUNNING && now.state != LXMGR_THAWED))
		return 0;
	r = health_write(c, &s, ret);
	if (r < 0)
		return err_set(err, r, "note the health of '%s'", c->name);
	if (ret->healthy || c->config.health_action == HEALTH_NONE)
		return 0;
	log_warn("%s: unhealthy (%s: %s): %s", c->name, ret->result, ret->output,
		 c->config.health_action == HEALTH_RESTART ? "restarting it" : "stopping it");
	/* The run directory is about to go. */
	fd_close(&lock);
	r = act(c, err);
	return r < 0 ? r : 1;
}
