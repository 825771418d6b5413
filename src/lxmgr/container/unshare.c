/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A command in new namespaces: lxmgr-unshare and lxmgr-usernsexec. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/idmap.h"
#include "kernel/mount.h"
#include "kernel/netlink.h"
#include "kernel/ns.h"
#include "kernel/sys.h"
#include "lxmgr.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/msg.h"
#include "util/parse.h"

static int make_map(const struct lxmgr_unshare_opts *o, struct idmap *map, struct lxmgr_err *err)
{
	int r = 0;

	memset(map, 0, sizeof(*map));
	for (size_t i = 0; r == 0 && o->idmap && o->idmap[i]; i++)
		r = idmap_parse_line(o->idmap[i], map, err);
	if (r == 0 && o->map_self)
		r = idmap_add_both(map, 0, geteuid(), 1);
	/* Without a map the host's root would be nobody: all ids are kept. */
	if (r == 0 && (o->namespaces & CLONE_NEWUSER) && idmap_is_none(map))
		r = idmap_add_both(map, 0, 0, UINT32_MAX);
	return r;
}

static int remount_proc(struct lxmgr_err *err)
{
	cleanup_fd int mnt =
		mount_new_fs("proc", "proc", NULL,
			     MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, err);
	cleanup_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int target = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (mnt < 0)
		return mnt;
	r = mount_set(root, 0, 0, 1UL << 18 /* MS_PRIVATE */, true, -1, err);
	return r < 0 ? r : mount_attach(mnt, target, "/proc", err);
}

/* Namespaces here: the new ones. */
__attribute__((noreturn)) static void child(const struct lxmgr_unshare_opts *o, int sock)
{
	uid_t uid = o->uid == (uid_t)-1 ? 0 : o->uid;
	gid_t gid = o->gid == (gid_t)-1 ? 0 : o->gid;
	struct lxmgr_err err = { 0 };
	char go;

	/* The maps are written now. */
	if (msg_recv(sock, &go, 1, NULL, NULL) != 1)
		_exit(125);
	if (o->namespaces & CLONE_NEWUSER || o->uid != (uid_t)-1 || o->gid != (gid_t)-1) {
		if (setgroups(0, NULL) < 0 && errno != EPERM)
			err_set(&err, -errno, "drop the groups");
		else if (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
			err_set(&err, -errno, "become %u:%u", uid, gid);
	}
	if (!err.code && o->hostname && sys_sethostname(o->hostname) < 0)
		err_msg(&err, -EPERM, "cannot set the host name '%s'", o->hostname);
	if (!err.code && o->remount)
		remount_proc(&err);
	if (!err.code) {
		execvp(o->argv[0], (char *const *)o->argv);
		err_status(&err, errno == ENOENT ? 127 : 126, -errno, "run '%s': %s", o->argv[0],
			   strerror(errno));
	}
	if (!err.status || err.status == STATUS_FAILED)
		err.status = 125;
	msg_send(sock, &err, sizeof(err), NULL, 0);
	_exit(err.status);
}

static int move_interfaces(const struct lxmgr_unshare_opts *o, pid_t pid, struct lxmgr_err *err)
{
	cleanup_fd int ns = -EBADF;
	struct netlink *nl = NULL;
	int r;

	if (!o->ifnames || !o->ifnames[0])
		return 0;
	ns = ns_open(pid, NS_NET);
	r = netlink_open(&nl, err);
	for (size_t i = 0; r == 0 && o->ifnames[i]; i++) {
		struct link_info l;

		r = link_get(nl, o->ifnames[i], &l);
		if (r == 0)
			r = link_move(nl, l.index, ns, NULL);
		if (r < 0)
			err_set(err, r, "move the interface '%s'", o->ifnames[i]);
	}
	netlink_close(nl);
	return r;
}

static int check(const struct lxmgr_unshare_opts *o, struct lxmgr_err *err)
{
	if (!o->argv || !o->argv[0])
		return err_status(err, STATUS_USAGE, -EINVAL, "no command given");
	if (o->hostname && !(o->namespaces & CLONE_NEWUTS))
		return err_status(err, STATUS_USAGE, -EINVAL,
				  "a host name (-H) needs the UTSNAME namespace");
	if (o->hostname && !hostname_is_valid(o->hostname))
		return err_status(err, STATUS_USAGE, -EINVAL, "'%s' is no host name", o->hostname);
	if (o->ifnames && o->ifnames[0] && !(o->namespaces & CLONE_NEWNET))
		return err_status(err, STATUS_USAGE, -EINVAL,
				  "an interface (-i) needs the NETWORK namespace");
	if (o->remount && !(o->namespaces & CLONE_NEWNS))
		return err_status(err, STATUS_USAGE, -EINVAL,
				  "remounting (-M) needs the MOUNT namespace");
	return 0;
}

static int finish(const struct lxmgr_unshare_opts *o, pid_t pid, int sock, int *ret_status,
		  struct lxmgr_err *err)
{
	struct lxmgr_err why;
	int status = 0;

	if (msg_send(sock, "g", 1, NULL, 0) < 0)
		return err_msg(err, -EPIPE, "the command's process ended");
	if (msg_recv(sock, &why, sizeof(why), NULL, NULL) == sizeof(why)) {
		waitpid(pid, NULL, 0);
		why.text[sizeof(why.text) - 1] = '\0';
		if (err)
			*err = why;
		*ret_status = why.status;
		return why.code;
	}
	*ret_status = 0;
	if (o->daemonize)
		return 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return 0;
}

int lxmgr_unshare(const struct lxmgr_unshare_opts *o, int *ret_status, struct lxmgr_err *err)
{
	struct clone_args args = { .flags = (uint64_t)o->namespaces, .exit_signal = SIGCHLD };
	cleanup_fd int mine = -EBADF, its = -EBADF;
	struct idmap map;
	int pair[2] = { -1, -1 }, pid, r = check(o, err);

	*ret_status = 125;
	if (r == 0)
		r = make_map(o, &map, err);
	if (r == 0 && msg_pair(pair) < 0)
		r = err_set(err, -errno, "make a socket pair");
	if (r < 0)
		return r;
	mine = pair[0];
	its = pair[1];
	pid = sys_clone3(&args);
	if (pid == 0) {
		fd_close(&mine);
		child(o, its);
	}
	if (pid < 0)
		return err_set(err, pid, "make the namespaces");
	fd_close(&its);
	if (o->namespaces & CLONE_NEWUSER)
		r = idmap_write(pid, &map, err);
	if (r == 0)
		r = move_interfaces(o, pid, err);
	if (r < 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return r;
	}
	return finish(o, pid, mine, ret_status, err);
}
