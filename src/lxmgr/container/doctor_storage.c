/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which backends the host can do for /var/lib/lxmgr, each tried. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container/doctor.h"
#include "storage/storage.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/msg.h"
#include "util/paths.h"

/* In a child: what it has mounted goes with it. */
static int try_backend(const struct storage_ops *ops, int dir, struct lxmgr_err *err)
{
	cleanup_fd int mine = -EBADF, its = -EBADF;
	int pair[2], status = 0, r = msg_pair(pair);
	pid_t pid;

	if (r < 0)
		return err_set(err, r, "make a socket pair");
	mine = pair[0];
	its = pair[1];
	pid = fork();
	if (pid < 0)
		return err_set(err, -errno, "fork");
	if (pid == 0) {
		struct lxmgr_err why = { 0 };

		r = ops->trial ? ops->trial(dir, &why)
			       : (ops->probe ? ops->probe(dir, true, &why) : 0);
		if (r < 0 && msg_send(its, &why, sizeof(why), NULL, 0) < 0)
			_exit(2);
		_exit(r < 0);
	}
	fd_close(&its);
	r = (int)msg_recv(mine, err, sizeof(*err), NULL, NULL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	err->text[sizeof(err->text) - 1] = '\0';
	if (r == sizeof(*err))
		return err->code < 0 ? err->code : -EIO;
	return status ? err_msg(err, -EIO, "the trial ended early") : 0;
}

void doctor_backends(struct doctor *d)
{
	cleanup_fd int dir = -EBADF;

	mkdir_p(STATEDIR, 0711);
	dir = open(STATEDIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return;
	for (size_t i = 0; storage_backends[i]; i++) {
		struct lxmgr_err err = { 0 };
		char name[32];

		snprintf(name, sizeof(name), "backend %s", storage_backends[i]->name);
		d->name = name;
		/* None is missed where there is another. */
		if (try_backend(storage_backends[i], dir, &err) == 0)
			doctor_say(d, DOCTOR_OK, "works");
		else
			doctor_say(d, DOCTOR_OK, "not on this host: %s", err.text);
	}
}
