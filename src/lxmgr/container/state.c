/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/container.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/parse.h"

#define STATE_LIMIT (256 * 1024)
#define LINE_LIMIT  (PATH_MAX + 64)

uint64_t proc_start_time(pid_t pid)
{
	char path[32], buf[1024], *p;
	unsigned long long ticks = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (read_small(AT_FDCWD, path, buf, sizeof(buf)) <= 0)
		return 0;
	/* The name may hold blanks and parentheses: fields are counted behind the last one. */
	p = strrchr(buf, ')');
	/* A zombie is nobody any more: its parent may not reap it for long. */
	if (!p || str_has_prefix(p, ") Z") || str_has_prefix(p, ") X"))
		return 0;
	for (int field = 2; field < 22; field++) {
		p = strchr(p + 1, ' ');
		if (!p)
			return 0;
	}
	return sscanf(p, " %llu", &ticks) == 1 ? ticks : 0;
}

int boot_id(char buf[37])
{
	static _Thread_local char id[37];
	ssize_t n;

	/* It does not change while anybody lives; a list of containers asks for each. */
	if (!*id) {
		n = read_small(AT_FDCWD, "/proc/sys/kernel/random/boot_id", id, sizeof(id));
		if (n != 36) {
			*id = '\0';
			return n < 0 ? (int)n : -EIO;
		}
	}
	memcpy(buf, id, sizeof(id));
	return 0;
}

static int begin(const struct lxmgr_container *c, int fd)
{
	char id[37];
	int r = boot_id(id);

	if (r == 0)
		r = state_add(fd, "boot %s", id);
	if (r == 0)
		r = state_add(fd, "monitor %d %llu", getpid(),
			      (unsigned long long)proc_start_time(getpid()));
	if (r == 0)
		r = state_add(fd, "name %s", c->name);
	/* A line cannot hold every path; lxmgr-autostart --all-trees does not see those then. */
	if (r == 0 && !strchr(c->path, '\n'))
		r = state_add(fd, "path %s", c->path);
	return r < 0 ? r : state_add(fd, "state STARTING");
}

int state_create(const struct lxmgr_container *c, int run_fd, struct lxmgr_err *err)
{
	cleanup_fd int fd = -EBADF;
	int r;

	unlinkat(run_fd, STATE_NEW, 0);
	fd = openat(run_fd, STATE_NEW, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
	r = fd < 0 ? -errno : begin(c, fd);
	if (r == 0 && renameat(run_fd, STATE_NEW, run_fd, "state") < 0)
		r = -errno;
	if (r < 0)
		unlinkat(run_fd, STATE_NEW, 0);
	return r < 0 ? err_set(err, r, "create the state file of '%s'", c->name) : take_fd(&fd);
}

int state_add(int state_fd, const char *fmt, ...)
{
	char line[LINE_LIMIT];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (n < 0 || n >= (int)sizeof(line) - 1 || strchr(line, '\n'))
		return -EINVAL;
	line[n++] = '\n';
	return write_all(state_fd, line, (size_t)n);
}

int state_add_idmap(int state_fd, const struct idmap *map)
{
	int r = 0;

	for (size_t i = 0; i < map->n_uid && r == 0; i++)
		r = state_add(state_fd, "idmap u %u %u %u", map->uid[i].inside, map->uid[i].outside,
			      map->uid[i].count);
	for (size_t i = 0; i < map->n_gid && r == 0; i++)
		r = state_add(state_fd, "idmap g %u %u %u", map->gid[i].inside, map->gid[i].outside,
			      map->gid[i].count);
	return r;
}

int state_add_net(int state_fd, enum net_type type, unsigned int index, const struct net_live *live)
{
	return state_add(state_fd, "net %u %d %d %s %s %s %s", index, (int)type, live->host_index,
			 *live->host_name ? live->host_name : "-", *live->name ? live->name : "-",
			 *live->moved ? live->moved : "-", *live->kind ? live->kind : "-");
}

int state_set(const struct lxmgr_container *c, enum lxmgr_state state)
{
	cleanup_fd int run = container_run_dir(c, false, NULL);
	cleanup_fd int fd = -EBADF;

	if (run < 0)
		return run;
	fd = openat(run, "state", O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	return state_add(fd, "state %s", lxmgr_state_name(state));
}

static void parse_state(const char *v, struct state *s)
{
	int n = lxmgr_state_parse(v);

	if (n >= 0)
		s->state = (enum lxmgr_state)n;
}

static void parse_process(const char *v, pid_t *ret_pid, uint64_t *ret_start)
{
	long long pid;
	unsigned long long start;

	if (sscanf(v, "%lld %llu", &pid, &start) == 2 && pid > 1 && pid <= INT32_MAX) {
		*ret_pid = (pid_t)pid;
		*ret_start = start;
	}
}

static void parse_monitor(const char *v, struct state *s)
{
	parse_process(v, &s->monitor_pid, &s->monitor_start);
}

static void parse_init(const char *v, struct state *s)
{
	parse_process(v, &s->init_pid, &s->init_start);
}

static void parse_boot(const char *v, struct state *s)
{
	snprintf(s->boot_id, sizeof(s->boot_id), "%.36s", v);
}

static void parse_started(const char *v, struct state *s)
{
	parse_i64(v, &s->started);
}

static void parse_cgroup(const char *v, struct state *s)
{
	/* Never "", "/" or a way out by "..": teardown removes what stands here. */
	if (cgroup_check_path(v, NULL) == 0)
		snprintf(s->cgroup, sizeof(s->cgroup), "%s", v);
}

static void parse_cgroup_inner(const char *v, struct state *s)
{
	if (cgroup_check_path(v, NULL) == 0 && !strchr(v, '/'))
		snprintf(s->cgroup_inner, sizeof(s->cgroup_inner), "%s", v);
}

static void parse_lsm(const char *v, struct state *s)
{
	snprintf(s->lsm_name, sizeof(s->lsm_name), "%s", v);
}

static void parse_name(const char *v, struct state *s)
{
	if (name_is_valid(v))
		snprintf(s->name, sizeof(s->name), "%s", v);
}

static void parse_path(const char *v, struct state *s)
{
	if (*v == '/')
		snprintf(s->path, sizeof(s->path), "%s", v);
}

static void parse_selinux(const char *v, struct state *s)
{
	snprintf(s->selinux, sizeof(s->selinux), "%s", v);
}

static void parse_apparmor(const char *v, struct state *s)
{
	snprintf(s->apparmor, sizeof(s->apparmor), "%s", v);
}

static void parse_flag(const char *v, struct state *s)
{
	if (str_eq(v, "privileged"))
		s->privileged = true;
	else if (str_eq(v, "hooks"))
		s->hooks_started = true;
	else if (str_eq(v, "waiting"))
		s->waiting = true;
	else if (str_eq(v, "machine"))
		s->machine = true;
	else if (str_eq(v, "unit"))
		s->unit = true;
}

static void parse_idmap(const char *v, struct state *s)
{
	struct idmap *m = &s->idmap;
	struct idmap_extent e;
	char kind;

	if (sscanf(v, "%c %" SCNu32 " %" SCNu32 " %" SCNu32, &kind, &e.inside, &e.outside,
		   &e.count) != 4)
		return;
	if (kind == 'u' && m->n_uid < IDMAP_MAX)
		m->uid[m->n_uid++] = e;
	else if (kind == 'g' && m->n_gid < IDMAP_MAX)
		m->gid[m->n_gid++] = e;
}

static void parse_net(const char *v, struct state *s)
{
	struct net_live *l = &s->net[s->n_net];
	int type;

	if (s->n_net == CONFIG_MAX_NETS)
		return;
	memset(l, 0, sizeof(*l));
	if (sscanf(v, "%u %d %d %15s %15s %15s %15s", &s->net_index[s->n_net], &type,
		   &l->host_index, l->host_name, l->name, l->moved, l->kind) < 6 ||
	    type < 0 || type >= NET_TYPES)
		return;
	if (str_eq(l->host_name, "-"))
		*l->host_name = '\0';
	if (str_eq(l->name, "-"))
		*l->name = '\0';
	if (str_eq(l->moved, "-"))
		*l->moved = '\0';
	if (str_eq(l->kind, "-"))
		*l->kind = '\0';
	s->net_type[s->n_net++] = (enum net_type)type;
}

void state_parse(const char *text, struct state *ret)
{
	static const struct {
		const char *key;
		void (*parse)(const char *value, struct state *s);
	} keys[] = {
		{ "state ", parse_state },
		{ "monitor ", parse_monitor },
		{ "init ", parse_init },
		{ "boot ", parse_boot },
		{ "started ", parse_started },
		{ "cgroup ", parse_cgroup },
		{ "cgroup-inner ", parse_cgroup_inner },
		{ "lsm ", parse_lsm },
		{ "selinux ", parse_selinux },
		{ "apparmor ", parse_apparmor },
		{ "flag ", parse_flag },
		{ "name ", parse_name },
		{ "path ", parse_path },
		{ "idmap ", parse_idmap },
		{ "net ", parse_net },
	};

	while (*text) {
		size_t n = strcspn(text, "\n");
		char line[LINE_LIMIT];

		/* A line without its newline was cut short by a crash: it does not count. */
		if (text[n] && n < sizeof(line)) {
			memcpy(line, text, n);
			line[n] = '\0';
			for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
				const char *value = str_after(line, keys[i].key);

				if (value)
					keys[i].parse(value, ret);
			}
		}
		text += n + (text[n] == '\n');
	}
}

static bool process_is(pid_t pid, uint64_t start)
{
	return pid > 0 && proc_start_time(pid) == start && start != 0;
}

static bool boot_is_this(const struct state *s)
{
	char id[37];

	return boot_id(id) == 0 && str_eq(id, s->boot_id);
}

int state_peek(int base, const char *tag, struct state *ret)
{
	cleanup_fd int run = openat(base, tag, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_free char *text = NULL;
	int r = run < 0 ? -errno : read_file_at(run, "state", STATE_LIMIT, &text, NULL);

	memset(ret, 0, sizeof(*ret));
	if (r == 0)
		state_parse(text, ret);
	return r;
}

int state_read(const struct lxmgr_container *c, struct state *ret, bool *ret_stale,
	       struct lxmgr_err *err)
{
	cleanup_fd int run = container_run_dir(c, false, err);
	cleanup_free char *text = NULL;
	int r;

	memset(ret, 0, sizeof(*ret));
	*ret_stale = false;
	if (run < 0)
		return run;
	r = read_file_at(run, "state", STATE_LIMIT, &text, NULL);
	if (r < 0)
		return r == -ENOENT ? r : err_set(err, r, "read the state of '%s'", c->name);
	state_parse(text, ret);
	if (!boot_is_this(ret)) {
		*ret_stale = true;
		return 0;
	}
	ret->monitor_alive = process_is(ret->monitor_pid, ret->monitor_start);
	*ret_stale = !ret->monitor_alive && !process_is(ret->init_pid, ret->init_start);
	/* A monitor that was killed at its last step wrote no more; an init that outlives it is
	 * past the point where it would have died with it. */
	if (!ret->monitor_alive && !*ret_stale && ret->state == LXMGR_STARTING)
		ret->state = LXMGR_RUNNING;
	return 0;
}

/* Open first, check afterwards: the pidfd pins the process that the check then looks at. */
static int verified_pidfd(const struct state *s, pid_t pid, uint64_t start)
{
	cleanup_fd int fd = -EBADF;

	if (pid <= 0 || !boot_is_this(s))
		return -ESRCH;
	fd = sys_pidfd_open(pid, 0);
	if (fd < 0)
		return fd == -EINVAL ? -ESRCH : fd;
	if (!process_is(pid, start))
		return -ESRCH;
	return take_fd(&fd);
}

int state_init_pidfd(const struct state *s)
{
	return verified_pidfd(s, s->init_pid, s->init_start);
}

int state_monitor_pidfd(const struct state *s)
{
	return verified_pidfd(s, s->monitor_pid, s->monitor_start);
}
