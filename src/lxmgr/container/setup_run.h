/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Running a script of setup.d on a root. */
#ifndef LXMGR_CONTAINER_SETUP_RUN_H
#define LXMGR_CONTAINER_SETUP_RUN_H

#include "container/container.h"
#include "image/luarun.h"

/* On the root of the stopped container in ct_fd, which path names; its answer goes to the file in
 * memory. */
int setup_run_stopped(int ct_fd, const char *path, const struct config *cfg, const char *script,
		      const struct strbuf *request, int answer_fd, struct lxmgr_err *err);
/* On the root of a running one, in whose mount namespace nothing is run. -ETIMEDOUT: a file system
 * of the guest's own does not answer. */
int setup_run_running(const struct state *state, const char *script, const struct strbuf *request,
		      int answer_fd, struct lxmgr_err *err);
/* Take what was set of the network out of a root that has no ids of its own. */
int setup_run_forget(int root, const struct config *cfg, struct lxmgr_err *err);
/* The same of the stopped container in ct_fd, which path names. */
int setup_run_forget_stopped(int ct_fd, const char *path, const struct config *cfg,
			     struct lxmgr_err *err);
/* That something was set of its network, which no copy may have too; noted before it is done. */
int setup_note_network(int ct_fd, struct lxmgr_err *err);
bool setup_has_network(int ct_fd);
/* What came, to be freed. */
int setup_answer(int answer_fd, char **ret, struct lxmgr_err *err);

#endif
