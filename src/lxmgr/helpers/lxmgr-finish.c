/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a container's monitor becomes when init has ended: the one teardown, and the next start
 * where the guest asked for a reboot. Not for users.
 *
 *	lxmgr-finish NAME PATH --status=N [--rcfile=F] [--report=FD] [--no-restart] [--service]
 *		[--restarts=N] [--base=CGROUP] [--ns=TYPE:FD]...
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "container/finish.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/paths.h"
#include "util/str.h"

struct args {
	const char *rcfile;
	uint32_t status;
	struct finish f;
};

static int parse_fd(const char *text)
{
	uint64_t fd;

	if (parse_range(text, 0, 1 << 20, &fd) < 0 || fd_cloexec((int)fd, true) < 0)
		return -1;
	return (int)fd;
}

static void parse_arg(const char *arg, struct args *a)
{
	const char *v;
	uint32_t n;

	if ((v = str_after(arg, "--status=")))
		parse_u32(v, &a->status);
	else if ((v = str_after(arg, "--rcfile=")))
		a->rcfile = v;
	else if ((v = str_after(arg, "--report=")))
		a->f.report_fd = parse_fd(v);
	else if (str_eq(arg, "--no-restart"))
		a->f.restart = false;
	else if (str_eq(arg, "--service"))
		a->f.service = true;
	else if ((v = str_after(arg, "--base=")))
		a->f.base = v;
	else if ((v = str_after(arg, "--restarts=")) && parse_u32(v, &n) == 0)
		a->f.restarts = (int)n;
	else if ((v = str_after(arg, "--ns=")) && *v >= '0' && *v < '0' + NS_COUNT && v[1] == ':')
		a->f.ns_fd[*v - '0'] = parse_fd(v + 2);
}

int main(int argc, char **argv)
{
	struct args a = { .f = { .report_fd = -1,
				 .restart = true,
				 .restarts = -1,
				 .ns_fd = { -1, -1, -1, -1, -1, -1, -1, -1 } } };
	struct lxmgr_container *c = NULL;
	struct lxmgr_err err = { 0 };
	char path[300];
	int trace, r;

	if (argc < 3)
		return 64;
	for (int i = 3; i < argc; i++)
		parse_arg(argv[i], &a);
	signal(SIGPIPE, SIG_IGN);
	r = lxmgr_container_open(argv[2], argv[1], a.rcfile, &c, &err);
	if (r < 0) {
		/* Its directory was removed under it: open it as one that has none. */
		r = lxmgr_container_open(argv[2], argv[1], "", &c, &err);
		if (r < 0)
			return 1;
	}
	snprintf(path, sizeof(path), "%s/%s.log", LOGDIR, c->tag);
	trace = open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
	log_to_fd(trace, LOG_L_DEBUG, argv[1]);
	a.f.wait_status = (int)a.status;
	r = container_finish(c, &a.f);
	lxmgr_container_close(c);
	return r;
}
