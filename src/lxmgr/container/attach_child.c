/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The side of attach that goes into the container. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "container/attach.h"
#include "kernel/mount.h"
#include "kernel/sys.h"
#include "kernel/tty.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/msg.h"
#include "util/parse.h"

#define PASSWD_LIMIT (1 << 20)
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

__attribute__((noreturn)) static void fail(const struct attach *a, struct lxmgr_err *err)
{
	struct attach_msg m = { .err = *err };

	if (!m.err.code)
		m.err.code = -EIO;
	if (!m.err.status || m.err.status == STATUS_FAILED)
		m.err.status = 125;
	msg_send(a->child_sock, &m, sizeof(m), NULL, 0);
	_exit(m.err.status);
}

/* What the passwd of the container says of a user. Parsed by us: a name service module of the
 * guest's must not run in a process that still has the host's rights. */
struct account {
	char name[64], home[256], shell[256];
};

static void find_account(uid_t uid, struct account *ret)
{
	cleanup_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int fd = open_in(root, "etc/passwd", OPEN_IN_ROOT, O_RDONLY | O_NONBLOCK, 0);
	cleanup_strlist struct strlist lines = { 0 };
	cleanup_free char *text = NULL;

	*ret = (struct account){ .home = "/" };
	if (uid == 0)
		*ret = (struct account){ "root", "/root", "" };
	if (fd < 0 || read_all(fd, PASSWD_LIMIT, &text, NULL) < 0 ||
	    strlist_split(&lines, text, "\n") < 0)
		return;
	for (size_t i = 0; i < lines.n; i++) {
		char *f[7], *p = lines.v[i];
		uint32_t id;
		int n = 0;

		while (p && n < 7) {
			f[n++] = p;
			p = strchr(p, ':');
			if (p)
				*p++ = '\0';
		}
		if (n < 7 || parse_u32(f[2], &id) < 0 || id != uid)
			continue;
		snprintf(ret->name, sizeof(ret->name), "%s", f[0]);
		snprintf(ret->home, sizeof(ret->home), "%s", *f[5] == '/' ? f[5] : "/");
		snprintf(ret->shell, sizeof(ret->shell), "%s", *f[6] == '/' ? f[6] : "");
		return;
	}
}

static int add_env(struct strlist *env, const char *name, const char *value)
{
	return value ? strlist_addf(env, "%s=%s", name, value) : 0;
}

static bool has_var(const struct strlist *env, const char *name, size_t n)
{
	for (size_t i = 0; i < env->n; i++)
		if (!strncmp(env->v[i], name, n) && env->v[i][n] == '=')
			return true;
	return false;
}

/* -v first, so that it wins; then what is kept; then what every command needs. */
static int make_env(const struct attach *a, const struct account *acc, struct strlist *env)
{
	const struct lxmgr_attach_opts *o = a->o;
	const struct config *cfg = &a->c->config;
	const struct {
		const char *name, *value;
	} base[] = {
		{ "PATH", DEFAULT_PATH },
		{ "TERM", getenv("TERM") ? getenv("TERM") : "linux" },
		{ "HOME", acc->home },
		{ "USER", *acc->name ? acc->name : NULL },
		{ "LOGNAME", *acc->name ? acc->name : NULL },
		{ "SHELL", *acc->shell ? acc->shell : "/bin/sh" },
		{ "container", "lxc" },
	};
	int r = 0;

	for (size_t i = 0; o->set_vars && o->set_vars[i]; i++)
		r |= strlist_add(env, o->set_vars[i]);
	for (size_t i = 0; o->keep_vars && o->keep_vars[i]; i++)
		if (!has_var(env, o->keep_vars[i], strlen(o->keep_vars[i])))
			r |= add_env(env, o->keep_vars[i], getenv(o->keep_vars[i]));
	for (size_t i = 0; i < cfg->environment.n; i++)
		r |= strlist_add(env, cfg->environment.v[i]);
	for (size_t i = 0; i < cfg->environment_runtime.n; i++)
		r |= strlist_add(env, cfg->environment_runtime.v[i]);
	for (size_t i = 0; i < ARRAY_SIZE(base); i++)
		if (!has_var(env, base[i].name, strlen(base[i].name)))
			r |= add_env(env, base[i].name, base[i].value);
	for (char **e = o->clear_env ? NULL : environ; e && *e; e++)
		if (!has_var(env, *e, strcspn(*e, "=")))
			r |= strlist_add(env, *e);
	return r;
}

/* A terminal of the container's own: the caller's never comes inside (TIOCSTI). */
static int open_pty(const struct attach *a, int *ret_peer, struct lxmgr_err *err)
{
	cleanup_fd int pts = open("/dev/pts", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_fd int master = -EBADF;
	struct attach_msg m = { 0 };
	int index, r;

	if (pts < 0)
		return err_set(err, -errno, "open the container's /dev/pts");
	r = tty_open_pair(pts, &master, ret_peer, &index, err);
	if (r < 0)
		return r;
	for (int fd = 0; fd < 3; fd++)
		if (a->is_tty[fd] && tty_copy_size(fd, master) == 0)
			break;
	r = msg_send(a->child_sock, &m, sizeof(m), &master, 1);
	return r < 0 ? err_set(err, r, "hand the terminal out") : 0;
}

/* -R: /proc and /sys of what was joined, for commands that look there. */
static int remount(struct lxmgr_err *err)
{
	static const struct {
		const char *fs, *where;
	} mounts[] = { { "proc", "/proc" }, { "sysfs", "/sys" } };
	int r = sys_unshare(CLONE_NEWNS);

	if (r < 0)
		return err_set(err, r, "make a mount namespace (-R)");
	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		cleanup_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		cleanup_fd int mnt = -EBADF, target = -EBADF;

		r = mount_set(root, 0, 0, 1UL << 18 /* MS_PRIVATE */, true, -1, err);
		if (r < 0)
			return r;
		mnt = mount_new_fs(mounts[i].fs, mounts[i].fs, NULL,
				   MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, err);
		if (mnt < 0)
			return mnt;
		target = open(mounts[i].where, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = target < 0 ? err_set(err, -errno, "open '%s'", mounts[i].where)
			       : mount_attach(mnt, target, mounts[i].where, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Namespaces here: all that were joined; process 1's sibling in its pid namespace. */
__attribute__((noreturn)) static void command(const struct attach *a)
{
	const struct lxmgr_attach_opts *o = a->o;
	const struct config *cfg = &a->c->config;
	cleanup_strlist struct strlist env = { 0 };
	const char *shell[2] = { NULL, NULL };
	struct lxmgr_err err = { 0 };
	struct account acc;
	int peer = -1;
	struct enter_spec e = {
		.cwd = "/",
		.uid = o->uid == (uid_t)-1 ? 0 : o->uid,
		.gid = o->gid == (gid_t)-1 ? 0 : o->gid,
		.caps_keep = a->caps,
		.no_new_privs = cfg->no_new_privs,
		.seccomp = o->elevated_lsm ? NULL : &a->seccomp,
		.lsm = attach_lsm(a),
		.lsm_name = a->state.lsm_name,
		.report_fd = a->child_sock,
		.keep_fd = o->script_fd,
		.stdio = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO },
		.new_keyring = cfg->keyring_session,
		.new_session = a->want_pty,
	};

	if (o->remount_sys_proc && remount(&err) < 0)
		fail(a, &err);
	if (a->personality != 0xffffffff && personality(a->personality) < 0) {
		err_set(&err, -errno, "set the personality (-a)");
		fail(a, &err);
	}
	find_account(e.uid, &acc);
	if (make_env(a, &acc, &env)) {
		err_set(&err, -ENOMEM, "environment");
		fail(a, &err);
	}
	e.envp = (const char *const *)env.v;
	shell[0] = *acc.shell ? acc.shell : "/bin/sh";
	e.argv = o->argv && o->argv[0] ? o->argv : shell;
	if ((a->flags & CLONE_NEWNS) && access(acc.home, X_OK) == 0 && !(o->argv && o->argv[0]))
		e.cwd = acc.home;
	if (a->want_pty && (a->flags & CLONE_NEWNS)) {
		if (open_pty(a, &peer, &err) < 0)
			fail(a, &err);
		for (int fd = 0; fd < 3; fd++)
			if (a->is_tty[fd])
				e.stdio[fd] = peer;
		/* The controlling terminal is taken from descriptor 0; with that redirected, the
		 * command has none. */
	}
	e.proc_fd = a->proc_fd;
	enter_exec(&e, &err);
	fail(a, &err);
}

static int join(struct attach *a, struct lxmgr_err *err)
{
	/* Where this process was born already. */
	int flags = a->flags & ~CLONE_NEWPID, r;

	/* From the first moment, processes of the container could look at this one: without
	 * dumpability neither /proc/PID/exe nor its memory is theirs (CVE-2016-9962,
	 * CVE-2019-5736). */
	prctl(PR_SET_DUMPABLE, 0);
	if (a->has_cgroup) {
		r = cgroup_join(&a->cg, err);
		if (r < 0)
			return r;
	}
	/* The guest's may be of its making: a label written there would go nowhere (CVE-2015-1334,
	 * CVE-2019-16884). */
	a->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (a->proc_fd < 0)
		return err_set(err, -errno, "open /proc");
	/* One call joins all; the kernel takes the user namespace first. */
	r = flags ? sys_setns(a->pidfd, flags) : 0;
	if (r < 0)
		return err_set(err, r, "join the namespaces of '%s'", a->c->name);
	if (a->flags & CLONE_NEWUSER) {
		if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
			return err_set(err, -errno, "become root of the container");
		prctl(PR_SET_DUMPABLE, 0);
	}
	return 0;
}

/* Namespaces here: the host's but for the pid namespace, then the container's. */
void attach_child(struct attach *a)
{
	struct lxmgr_err err = { 0 };

	fd_close(&a->sock);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (join(a, &err) < 0)
		fail(a, &err);
	/* The change of ids cleared it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	command(a);
}
