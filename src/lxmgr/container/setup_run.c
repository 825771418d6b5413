/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest module in the confined lxmgr-lua works on a guest's files, stopped or running. The host's
 * own rights are not there while it does.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container/inside.h"
#include "container/rootrun.h"
#include "container/setup.h"
#include "container/setup_run.h"
#include "kernel/ns.h"
#include "kernel/sys.h"
#include "storage/storage.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/msg.h"

#define RUN_TIMEOUT_MS	  120000
#define ANSWER_TIMEOUT_MS (RUN_TIMEOUT_MS + 10000)
#define ANSWER_MAX	  (4 << 20)

struct setup {
	const struct config *cfg; /* of a stopped container */
	const char *script;
	const struct strbuf *request;
	int answer; /* a file in memory for the JSON */
};

static int run_module(const struct setup *s, int root, int userns, struct lxmgr_err *err)
{
	static const char *const dirs[] = { SETUP_LIB, SETUP_DIR, SETUP_LOCAL, NULL };
	const char *use[ARRAY_SIZE(dirs)] = { NULL };
	struct lua_run l = LUA_RUN_INIT;
	cleanup_free char *json = NULL;
	size_t n = 0;
	int r;

	for (size_t i = 0; dirs[i]; i++)
		if (access(dirs[i], F_OK) == 0)
			use[n++] = dirs[i];
	l.script = s->script;
	l.lib_dirs = use;
	l.request = s->request;
	l.root_fd = root;
	l.userns_fd = userns;
	l.timeout_ms = RUN_TIMEOUT_MS;
	r = lua_run(&l, &json, err);
	if (r < 0)
		return r;
	r = write_all(s->answer, json, strlen(json));
	return r < 0 ? err_set(err, r, "keep the answer of the guest's module") : 0;
}

/* In which the ids of the stored root are 0 and up. What stands on disk as 0..65535 is these. */
static int stored_userns(const struct config *cfg, const struct storage *st, struct lxmgr_err *err)
{
	struct idmap map = { 0 };
	int fd;

	if (st->ids) {
		idmap_add_both(&map, 0, st->ids, 65536);
	} else if (st->spec->ids_shifted) {
		map = cfg->idmap;
	} else {
		idmap_add_both(&map, 0, 0, UINT32_MAX);
		fd = idmap_userns_fd(&map, NULL);
		if (fd >= 0)
			return fd;
		/* Within a container there are no more than these. */
		map = (struct idmap){ 0 };
		idmap_add_both(&map, 0, 0, 65536);
	}
	return idmap_userns_fd(&map, err);
}

/* Namespaces here: a mount namespace of its own. */
static int in_stopped(int root, const struct storage *st, void *data, struct lxmgr_err *err)
{
	const struct setup *s = data;
	cleanup_fd int userns = stored_userns(s->cfg, st, err);

	return userns < 0 ? userns : run_module(s, root, userns, err);
}

/* In the child: its user namespace, or one like it for a privileged container. */
static int running_userns(const struct state *state, struct lxmgr_err *err)
{
	struct idmap map = { 0 };
	int fd;

	if (!ns_is_ours(state->init_pid, NS_USER)) {
		fd = ns_open(state->init_pid, NS_USER);
		return fd < 0 ? err_set(err, fd, "open the container's user namespace") : fd;
	}
	idmap_add_both(&map, 0, 0, UINT32_MAX);
	return idmap_userns_fd(&map, err);
}

static int in_running(const struct setup *s, const struct state *state, struct lxmgr_err *err)
{
	cleanup_fd int init = state_init_pidfd(state), root = inside_root(state, err);
	cleanup_fd int userns = -EBADF;
	struct pollfd p = { .fd = init, .events = POLLIN };

	if (root < 0)
		return root;
	userns = running_userns(state, err);
	if (userns < 0)
		return userns;
	/* It was opened by pid: of whom, if init is gone? */
	if (init < 0 || poll(&p, 1, 0) != 0)
		return err_msg(err, -ESRCH, "the container has just ended");
	return run_module(s, root, userns, err);
}

/* In a child with a time limit: a file system of the guest's own (FUSE) may never answer. */
static int guarded(const struct setup *s, const struct state *state, struct lxmgr_err *err)
{
	struct lxmgr_err why = { 0 };
	int pair[2], r = msg_pair(pair);
	struct pollfd p;
	pid_t pid;

	if (r < 0)
		return err_set(err, r, "make a socket pair");
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		why.code = in_running(s, state, &why);
		_exit(msg_send(pair[1], &why, sizeof(why), NULL, 0) < 0);
	}
	close(pair[1]);
	p = (struct pollfd){ .fd = pair[0], .events = POLLIN };
	if (pid < 0)
		err_msg(&why, -EIO, "cannot fork");
	else if (poll(&p, 1, ANSWER_TIMEOUT_MS) == 0)
		err_msg(&why, -ETIMEDOUT, "the container's files did not answer within %d s",
			ANSWER_TIMEOUT_MS / 1000);
	else if (msg_recv(pair[0], &why, sizeof(why), NULL, NULL) != sizeof(why))
		err_msg(&why, -EIO, "the helper process ended");
	close(pair[0]);
	if (pid > 0) {
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, why.code == -ETIMEDOUT ? WNOHANG : 0) < 0 &&
		       errno == EINTR)
			;
	}
	why.text[sizeof(why.text) - 1] = '\0';
	if (why.code < 0 && err)
		*err = why;
	return why.code < 0 ? why.code : 0;
}

int setup_run_running(const struct state *state, const char *script, const struct strbuf *request,
		      int answer_fd, struct lxmgr_err *err)
{
	const struct setup s = { .script = script, .request = request, .answer = answer_fd };

	return guarded(&s, state, err);
}

int setup_run_stopped(int ct_fd, const char *path, const struct config *cfg, const char *script,
		      const struct strbuf *request, int answer_fd, struct lxmgr_err *err)
{
	struct setup s = { .cfg = cfg, .script = script, .request = request, .answer = answer_fd };

	return rootrun_stopped(ct_fd, path, &cfg->storage, in_stopped, &s, err);
}

static int forget_request(const struct config *cfg, struct strbuf *request, int answer,
			  struct lxmgr_err *err)
{
	int r = answer < 0 ? err_set(err, answer, "make a file in memory")
			   : setup_request(NULL, cfg, request, err);

	if (r == 0 && lua_request_add(request, "forget", "1") < 0)
		r = err_set(err, -ENOMEM, "request");
	return r;
}

int setup_run_forget_stopped(int ct_fd, const char *path, const struct config *cfg,
			     struct lxmgr_err *err)
{
	cleanup_strbuf struct strbuf request = { 0 };
	cleanup_fd int answer = sys_memfd_create("answer", 0);
	int r = forget_request(cfg, &request, answer, err);

	return r < 0 ? r : setup_run_stopped(ct_fd, path, cfg, SETUP_MAIN, &request, answer, err);
}

#define NETWORK "network"

int setup_note_network(int ct_fd, struct lxmgr_err *err)
{
	cleanup_fd int fd =
		openat(ct_fd, NETWORK, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd < 0 ? err_set(err, -errno, "note that the network is set") : 0;
}

bool setup_has_network(int ct_fd)
{
	return faccessat(ct_fd, NETWORK, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int setup_run_forget(int root, const struct config *cfg, struct lxmgr_err *err)
{
	cleanup_strbuf struct strbuf request = { 0 };
	cleanup_fd int answer = sys_memfd_create("answer", 0), userns = -EBADF;
	const struct setup s = {
		.cfg = cfg, .script = SETUP_MAIN, .request = &request, .answer = answer
	};
	struct storage plain = { .spec = &cfg->storage };
	int r = forget_request(cfg, &request, answer, err);

	if (r < 0)
		return r;
	userns = stored_userns(cfg, &plain, err);
	return userns < 0 ? userns : run_module(&s, root, userns, err);
}

int setup_answer(int answer_fd, char **ret, struct lxmgr_err *err)
{
	int r = lseek(answer_fd, 0, SEEK_SET) < 0 ? -errno
						  : read_all(answer_fd, ANSWER_MAX, ret, NULL);

	return r < 0 ? err_set(err, r, "read the answer of the guest's module") : 0;
}
