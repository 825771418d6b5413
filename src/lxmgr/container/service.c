/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/service.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/notify.h"
#include "util/paths.h"
#include "util/run.h"
#include "util/str.h"

#define HELPER	       LIBEXECDIR "/lxmgr-systemd"
#define NO_SUCH_UNIT   100
#define TIMEOUT_MS     30000
#define MACHINE_MS     10000
#define RELOAD_MS      200000
#define SWEEP_PAUSE_US 10000
/* systemd has a file here for each unit that it was told of by a call. */
#define TRANSIENT "/run/systemd/transient"

bool service_is_host(void)
{
	/* As sd_booted(3) has it. */
	return access("/run/systemd/system/", F_OK) == 0 && access(HELPER, X_OK) == 0;
}

/* Run the helper: its exit status, or a negative errno. What it prints is the error. */
static int run(const char *const *args, int timeout_ms, struct lxmgr_err *err)
{
	struct run_opts o = RUN_OPTS_INIT;
	cleanup_free char *out = NULL;
	int status;

	o.capture = sizeof(err->text);
	o.timeout_ms = timeout_ms;
	status = run_program(args, &o, &out);
	if (status < 0)
		return err_set(err, status, "run '%s'", HELPER);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (out)
		out[strcspn(out, "\n")] = '\0';
	if (!WIFEXITED(status) || !out || !*out) {
		char buf[64];

		return err_msg(err, -EIO, "'%s %s' ended with %s", HELPER, args[1],
			       run_status_text(status, buf, sizeof(buf)));
	}
	err_status(err, WEXITSTATUS(status), -EIO, "%s", out);
	return WEXITSTATUS(status);
}

bool service_has_unit(const struct lxmgr_container *c, const struct lxmgr_start_opts *o)
{
	const struct cgroup_spec *cg = &c->config.cgroup;

	for (size_t i = 0; i < ARRAY_SIZE(o->share); i++)
		if (o->share[i])
			return false;
	/* The unit starts what the config says, in the default tree, in the background. */
	return str_eq(c->tag, c->name) && !c->rcfile && !o->foreground && !o->argv && !o->execute &&
	       !(o->defines && o->defines[0]) && !o->console && !o->console_log && !o->pidfile &&
	       !cg->dir && !cg->dir_container && !cg->relative && !getenv("LXMGR_FAIL_AT");
}

static const char *force_file(const struct lxmgr_container *c, char buf[PATH_MAX])
{
	snprintf(buf, PATH_MAX, "%s/.force-%s", RUNDIR, c->tag);
	return buf;
}

void service_force(const struct lxmgr_container *c, bool on)
{
	char path[PATH_MAX];
	cleanup_fd int fd = -EBADF;

	if (!on) {
		unlink(force_file(c, path));
		return;
	}
	mkdir_p(RUNDIR, 0700);
	fd = open(force_file(c, path), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
}

bool service_was_forced(const struct lxmgr_container *c, const struct lxmgr_start_opts *o)
{
	char path[PATH_MAX];

	return o->service && unlink(force_file(c, path)) == 0;
}

int service_start_unit(const struct lxmgr_container *c, struct lxmgr_err *err)
{
	char unit[sizeof(c->name) + 32];
	const char *const args[] = { HELPER, "start", unit, NULL };
	int r;

	snprintf(unit, sizeof(unit), "lxmgr@%s.service", c->name);
	r = run(args, 0, err);
	if (r == NO_SUCH_UNIT)
		return -ENOENT;
	return r > 0 ? -EIO : r;
}

int service_stop_unit(const struct lxmgr_container *c, struct lxmgr_err *err)
{
	char unit[sizeof(c->name) + 32];
	const char *const args[] = { HELPER, "stop", unit, NULL };
	int r;

	if (!service_is_host() || !str_eq(c->tag, c->name))
		return 0;
	snprintf(unit, sizeof(unit), "lxmgr@%s.service", c->name);
	r = run(args, TIMEOUT_MS, err);
	return r > 0 ? -EIO : r;
}

int service_make_scope(const struct lxmgr_container *c, pid_t pid, struct lxmgr_err *err)
{
	char unit[sizeof(c->tag) + 32], number[16], text[sizeof(c->path) + 96];
	const char *const args[] = { HELPER, "scope", unit, number, text, NULL };
	int r;

	/* Its number too: the last run's scope may still be about to go. */
	snprintf(unit, sizeof(unit), "lxmgr-%s-%d.scope", c->tag, pid);
	snprintf(number, sizeof(number), "%d", pid);
	snprintf(text, sizeof(text), "Container %s in %s", c->name, c->path);
	r = run(args, TIMEOUT_MS, err);
	return r > 0 ? -EIO : r;
}

static bool is_scope_of(const struct lxmgr_container *c, const char *name)
{
	const char *rest = str_after(name, "lxmgr-");

	rest = rest ? str_after(rest, c->tag) : NULL;
	if (!rest || *rest != '-')
		return false;
	rest++;
	return str_eq(rest + strspn(rest, "0123456789"), ".scope");
}

/* 1: it is still there. The kernel removes only groups without processes. The group of a unit is
 * systemd's: it would not learn that one is empty that is gone, and make it again when it reloads.
 */
static int remove_scope(int slice, const char *name)
{
	cleanup_fd int scope = openat(slice, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char unit[sizeof(TRANSIENT) + 1 + NAME_MAX];

	if (scope < 0)
		return 0;
	snprintf(unit, sizeof(unit), TRANSIENT "/%s", name);
	if (access(unit, F_OK) == 0)
		return 1;
	unlinkat(scope, "supervisor", AT_REMOVEDIR);
	return unlinkat(slice, name, AT_REMOVEDIR) < 0 && errno != ENOENT;
}

static int sweep(const struct lxmgr_container *c, const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), left = 0;
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (is_scope_of(c, e->d_name))
			left += remove_scope(fd, e->d_name);
	return left;
}

void service_sweep_scopes(const struct lxmgr_container *c, int wait_ms)
{
	static const char *const slices[] = { "/sys/fs/cgroup/machine.slice",
					      "/sys/fs/cgroup/unified/machine.slice" };
	int64_t end = now_ms() + wait_ms;
	int left;

	if (!service_is_host())
		return;
	for (;;) {
		left = 0;
		for (size_t i = 0; i < ARRAY_SIZE(slices); i++)
			left += sweep(c, slices[i]);
		if (!left || now_ms() >= end)
			return;
		usleep(SWEEP_PAUSE_US);
	}
}

int service_reload(struct lxmgr_err *err)
{
	static const char *const args[] = { HELPER, "reload", NULL };
	int r = run(args, RELOAD_MS, err);

	return r > 0 ? -EIO : r;
}

int service_timer(const char *unit, bool begin, struct lxmgr_err *err)
{
	const char *const args[] = { HELPER, begin ? "restart" : "stop", unit, NULL };
	int r = run(args, TIMEOUT_MS, err);

	return r > 0 ? -EIO : r;
}

/* machined takes names of hosts only. */
static bool machine_name(const struct lxmgr_container *c, char *name, size_t size)
{
	snprintf(name, size, "%s", c->tag);
	for (char *p = name; *p; p++)
		if (*p == '_')
			*p = '-';
	return strlen(name) <= 64;
}

int service_register(const struct lxmgr_container *c, pid_t init, const int *index, size_t n,
		     struct lxmgr_err *err)
{
	cleanup_strlist struct strlist args = { 0 };
	char name[sizeof(c->tag)];
	int r = 0;

	if (!service_is_host() || !machine_name(c, name, sizeof(name)))
		return err_set(err, -EOPNOTSUPP, "tell machined of '%s'", c->name);
	r |= strlist_add(&args, HELPER);
	r |= strlist_add(&args, "register");
	r |= strlist_add(&args, name);
	r |= strlist_addf(&args, "%d", init);
	for (size_t i = 0; i < n; i++)
		r |= strlist_addf(&args, "%d", index[i]);
	if (r)
		return err_set(err, -ENOMEM, "tell machined");
	r = run((const char *const *)args.v, MACHINE_MS, err);
	return r > 0 ? -EIO : r;
}

int service_unregister(const struct lxmgr_container *c, struct lxmgr_err *err)
{
	char name[sizeof(c->tag)];
	const char *const args[] = { HELPER, "unregister", name, NULL };
	int r;

	if (!service_is_host() || !machine_name(c, name, sizeof(name)))
		return 0;
	r = run(args, MACHINE_MS, err);
	return r > 0 ? -EIO : r;
}

void service_extend(uint64_t ms)
{
	char text[64];

	snprintf(text, sizeof(text), "EXTEND_TIMEOUT_USEC=%" PRIu64, ms * 1000);
	notify_send(text);
}
