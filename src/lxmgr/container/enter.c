/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/config.h"
#include "container/enter.h"
#include "kernel/caps.h"
#include "kernel/lsm.h"
#include "kernel/seccomp.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/paths.h"
#include "util/str.h"

#define POLICY_LIMIT (1024 * 1024)

static int caps_mask(const struct strlist *names, uint64_t *ret, const char *key,
		     struct lxmgr_err *err)
{
	*ret = 0;
	for (size_t i = 0; i < names->n; i++) {
		int cap = caps_parse(names->v[i]);

		if (str_eq(names->v[i], "none"))
			continue;
		if (cap < 0)
			return err_msg(err, -EINVAL, "%s: unknown capability '%s'", key,
				       names->v[i]);
		*ret |= 1ULL << cap;
	}
	return 0;
}

int enter_caps(const struct config *c, uint64_t *ret, struct lxmgr_err *err)
{
	uint64_t mask;
	int r;

	if (c->cap_keep.n)
		return caps_mask(&c->cap_keep, ret, "lxmgr.cap.keep", err);
	r = caps_mask(&c->cap_drop, &mask, "lxmgr.cap.drop", err);
	if (r == 0)
		*ret = CAPS_ALL & ~mask;
	return r;
}

bool enter_limits_mounts(const struct config *c, bool privileged, const char *label,
			 const char *lsm_name)
{
	return privileged && label && str_eq(label, lsm_name) && !c->lsm.apparmor_nesting;
}

int enter_seccomp(const struct config *c, bool deny_mount_api, struct seccomp_program *ret,
		  struct lxmgr_err *err)
{
	const char *file = c->seccomp_profile;
	cleanup_free char *text = NULL;
	cleanup_fd int cache = -EBADF;
	int r;

	memset(ret, 0, sizeof(*ret));
	if (file && str_eq(file, "none") && !deny_mount_api)
		return 0;
	if (!file || str_eq(file, "default"))
		file = DATADIR "/config/default.seccomp";
	else if (str_eq(file, "none"))
		file = DATADIR "/config/empty.seccomp";
	r = read_file_at(AT_FDCWD, file, POLICY_LIMIT, &text, NULL);
	if (r < 0)
		return err_set(err, r, "read the seccomp policy '%s' (lxmgr.seccomp.profile)",
			       file);
	if (mkdir_p(CACHEDIR "/seccomp", 0700) == 0)
		cache = open(CACHEDIR "/seccomp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (cache < 0)
		log_info("no cache for seccomp programs in %s, ignoring", CACHEDIR);
	return seccomp_compile(text, file, c->seccomp_allow_nesting, deny_mount_api, cache, ret,
			       err);
}

/* Put the three descriptors in place. None of the sources is lost on the way. */
static int set_stdio(const struct enter_spec *s, struct lxmgr_err *err)
{
	int fd[3];

	for (int i = 0; i < 3; i++) {
		fd[i] = s->stdio[i] >= 0 ? fcntl(s->stdio[i], F_DUPFD_CLOEXEC, 3)
					 : open("/dev/null", O_RDWR | O_CLOEXEC);
		if (fd[i] >= 0 && fd[i] < 3)
			fd[i] = fcntl(fd[i], F_DUPFD_CLOEXEC, 3);
		if (fd[i] < 0)
			return err_set(err, -errno, "standard descriptor %d", i);
	}
	for (int i = 0; i < 3; i++)
		if (dup2(fd[i], i) < 0)
			return err_set(err, -errno, "standard descriptor %d", i);
	return 0;
}

static int set_session(const struct enter_spec *s, struct lxmgr_err *err)
{
	long key;

	if (s->new_session) {
		setsid();
		if (isatty(STDIN_FILENO) && ioctl(STDIN_FILENO, TIOCSCTTY, 0) < 0)
			log_debug("no controlling terminal: %m, ignoring");
	}
	if (!s->new_keyring)
		return 0;
	if (s->lsm) {
		int r = lsm_apply_keyring(s->lsm, s->proc_fd, err);

		if (r < 0)
			return r;
	}
	key = sys_keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0);
	/* ENOSYS: a kernel without keys, or a policy that denies them. */
	if (key < 0 && key != -ENOSYS)
		return err_set(err, (int)key, "make a session keyring");
	return 0;
}

static int set_ids(const struct enter_spec *s, struct lxmgr_err *err)
{
	int death_signal = 0;

	/* A change of the effective ids clears it. */
	prctl(PR_GET_PDEATHSIG, &death_signal);
	if (!s->keep_groups && setgroups(s->n_groups, s->groups) < 0)
		return err_set(err, -errno, "set the supplementary groups");
	if (setresgid(s->gid, s->gid, s->gid) < 0)
		return err_set(err, -errno, "become group %u", s->gid);
	if (setresuid(s->uid, s->uid, s->uid) < 0)
		return err_set(err, -errno, "become user %u", s->uid);
	prctl(PR_SET_PDEATHSIG, death_signal);
	return 0;
}

/* caps, label, ids, filter: the filter comes last but for exec, so that it need not allow what
 * the steps before it use; without no_new_privs loading it needs CAP_SYS_ADMIN, so then it comes
 * before the capabilities go. */
static int set_privileges(const struct enter_spec *s, struct lxmgr_err *err)
{
	bool filter = s->seccomp && s->seccomp->n;
	int r;

	if (s->lsm) {
		r = lsm_apply(s->lsm, s->lsm_name, s->proc_fd, err);
		if (r < 0)
			return r;
	}
	if (s->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, "set no_new_privs");
	if (filter && !s->no_new_privs) {
		r = seccomp_load(s->seccomp, err);
		if (r < 0)
			return r;
	}
	/* The bounding set first: dropping from it needs CAP_SETPCAP, which setuid loses. */
	if (s->uid == 0) {
		r = set_ids(s, err);
		if (r == 0)
			r = caps_apply(s->caps_keep, err);
	} else {
		r = caps_drop_bounding(s->caps_keep, err);
		if (r == 0)
			r = set_ids(s, err);
	}
	if (r == 0 && filter && s->no_new_privs)
		r = seccomp_load(s->seccomp, err);
	return r;
}

static const char *env_value(const char *const *envp, const char *name)
{
	size_t n = strlen(name);

	for (; envp && *envp; envp++)
		if (!strncmp(*envp, name, n) && (*envp)[n] == '=')
			return *envp + n + 1;
	return NULL;
}

/* exec as the shell does: a name without a slash is searched, a file that is found but cannot be
 * run wins over "not found". */
static int exec_searched(const struct enter_spec *s)
{
	const char *path = env_value(s->envp, "PATH");
	const char *prog = s->argv[0];
	int found = -ENOENT;
	char file[4096];

	if (s->exec_fd > 2) {
		execveat(s->exec_fd, "", (char *const *)s->argv, (char *const *)s->envp,
			 AT_EMPTY_PATH);
		return -errno;
	}
	if (strchr(prog, '/')) {
		execve(prog, (char *const *)s->argv, (char *const *)s->envp);
		return -errno;
	}
	if (!path)
		path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	while (*path) {
		size_t n = strcspn(path, ":");

		if (n && (size_t)snprintf(file, sizeof(file), "%.*s/%s", (int)n, path, prog) <
				 sizeof(file)) {
			execve(file, (char *const *)s->argv, (char *const *)s->envp);
			if (errno != ENOENT && errno != ENOTDIR)
				found = -errno;
		}
		path += n + (path[n] == ':');
	}
	return found;
}

static int fail_exec(const char *prog, int r, struct lxmgr_err *err)
{
	int status = r == -ENOENT || r == -ENOTDIR ? 127 : 126;

	if (r == -ENOENT && strchr(prog, '/'))
		return err_status(err, status, r,
				  "'%s': not found in the container, or its "
				  "interpreter is not",
				  prog);
	if (r == -ENOENT)
		return err_status(err, status, r, "'%s': command not found in the container", prog);
	return err_status(err, status, r, "'%s': cannot be executed: %s", prog, strerror(-r));
}

/* Namespaces here: all of the container's. */
int enter_exec(const struct enter_spec *s, struct lxmgr_err *err)
{
	int report = s->report_fd, proc = s->proc_fd, r;
	struct enter_spec copy = *s;
	sigset_t none;

	/* Out of the way of 0, 1, 2 before these are set. */
	if (report >= 0 && report < 3)
		copy.report_fd = report = fcntl(report, F_DUPFD_CLOEXEC, 3);
	if (proc >= 0 && proc < 3)
		copy.proc_fd = proc = fcntl(proc, F_DUPFD_CLOEXEC, 3);
	r = set_stdio(&copy, err);
	if (r == 0)
		r = set_session(&copy, err);
	/* CVE-2016-9962, CVE-2024-21626: nothing of the host stays open across exec, and it is
	 * marked before the working directory is set, so that no path leads through a leaked fd. */
	if (r == 0 && sys_close_range(3, ~0U, 1U << 2 /* CLOSE_RANGE_CLOEXEC */) < 0)
		r = err_set(err, -errno, "mark descriptors close-on-exec");
	/* A sealed copy of a script: its bytes, and nothing that leads anywhere. */
	if (r == 0 && s->keep_fd > 2 && (r = fd_cloexec(s->keep_fd, false)) < 0)
		err_set(err, r, "keep the script open");
	if (r == 0 && chdir(s->cwd ? s->cwd : "/") < 0)
		r = err_set(err, -errno, "change to the directory '%s'", s->cwd);
	if (r == 0)
		r = set_privileges(&copy, err);
	if (r < 0) {
		if (err)
			err->status = 125;
		return r;
	}
	sigemptyset(&none);
	for (int sig = 1; sig < NSIG; sig++)
		sys_signal_default(sig);
	sigprocmask(SIG_SETMASK, &none, NULL);
	return fail_exec(s->argv[0], exec_searched(&copy), err);
}
