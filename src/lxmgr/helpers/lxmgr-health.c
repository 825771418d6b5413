/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One health check of a container: run by a timer of systemd's, or by the container's monitor. Not
 * for users.
 *
 *	lxmgr-health NAME [PATH]
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "container/health.h"
#include "util/log.h"
#include "util/paths.h"

int main(int argc, char **argv)
{
	struct lxmgr_container *c = NULL;
	struct lxmgr_err err = { 0 };
	struct health h;
	char path[300];
	int r;

	if (argc != 2 && argc != 3)
		return 64;
	signal(SIGPIPE, SIG_IGN);
	r = lxmgr_container_open(argc > 2 ? argv[2] : NULL, argv[1], "", &c, &err);
	if (r == 0) {
		snprintf(path, sizeof(path), "%s/%s.log", LOGDIR, c->tag);
		log_to_fd(open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC), LOG_L_WARN,
			  argv[1]);
		/* Where a unit runs this, that is its journal. */
		log_to_stderr(LOG_L_WARN);
		r = health_check(c, &h, &err);
	}
	if (r < 0)
		log_error("%s", err.text);
	lxmgr_container_close(c);
	return r < 0;
}
