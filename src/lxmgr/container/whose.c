/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lxmgr_process(): whose a process is, by the cgroup that it cannot leave. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "container/container.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"

struct whose {
	struct lxmgr_process *p;
	const char *group; /* its group of the v2 tree, without the leading '/' */
};

static bool is_below(const char *group, const char *top)
{
	const char *rest = *top ? str_after(group, top) : NULL;

	return rest && (*rest == '/' || *rest == '\0');
}

static int compare(struct lxmgr_container *c, const struct state *s, void *data)
{
	struct whose *w = data;

	w->p->is_monitor = s->monitor_alive && s->monitor_pid == w->p->pid;
	if (!w->p->is_monitor && !is_below(w->group, s->cgroup))
		return 0;
	snprintf(w->p->name, sizeof(w->p->name), "%s", s->name);
	snprintf(w->p->path, sizeof(w->p->path), "%s", s->path);
	(void)c;
	return -EALREADY;
}

static int read_proc(pid_t pid, const char *file, char **ret, struct lxmgr_err *err)
{
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	r = read_file_at(AT_FDCWD, path, 1 << 20, ret, NULL);
	return r < 0 ? err_set(err, r, "read '%s'", path) : 0;
}

/* The last of them is what it is called in the innermost namespace of pids. */
static pid_t innermost(const char *status)
{
	const char *p = strstr(status, "\nNSpid:"), *end = p ? strchr(p + 1, '\n') : NULL;

	while (end && end > p && end[-1] != '\t' && end[-1] != ' ')
		end--;
	return end ? (pid_t)strtol(end, NULL, 10) : 0;
}

int lxmgr_process(pid_t pid, struct lxmgr_process *ret, struct lxmgr_err *err)
{
	cleanup_free char *groups = NULL, *status = NULL, *comm = NULL;
	cleanup_fd int pidfd = pid > 0 ? sys_pidfd_open(pid, 0) : -EINVAL;
	struct whose w = { .p = ret };
	char *group, *end;
	int r;

	*ret = (struct lxmgr_process){ .pid = pid };
	if (pidfd < 0)
		return err_msg(err, -ESRCH, "there is no process %d", pid);
	r = read_proc(pid, "cgroup", &groups, err);
	if (r == 0)
		r = read_proc(pid, "status", &status, err);
	if (r == 0)
		r = read_proc(pid, "comm", &comm, err);
	if (r < 0)
		return r;
	group = strstr(groups, "0::/");
	if (!group || (group != groups && group[-1] != '\n'))
		return err_msg(err, -ENOENT, "process %d is in no cgroup of the v2 tree", pid);
	group += strlen("0::/");
	end = strchr(group, '\n');
	if (end)
		*end = '\0';
	w.group = group;
	r = container_each_running(compare, &w, err);
	if (r < 0 && r != -EALREADY)
		return r;
	snprintf(ret->command, sizeof(ret->command), "%s", str_strip(comm));
	ret->inside = *ret->name && !ret->is_monitor ? innermost(status) : 0;
	/* What was read was of the process that had the number when this began. */
	if (poll(&(struct pollfd){ .fd = pidfd, .events = POLLIN }, 1, 0) > 0)
		return err_msg(err, -ESRCH, "there is no process %d", pid);
	return 0;
}
