/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/idmap.h"
#include "kernel/ns.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/str.h"

static int add(struct idmap_extent *v, size_t *n, struct idmap_extent e)
{
	if (*n == IDMAP_MAX)
		return -E2BIG;
	v[(*n)++] = e;
	return 0;
}

int idmap_parse_line(const char *text, struct idmap *map, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist w = { 0 };
	struct idmap_extent e;
	int r = 0;

	if (strlist_split(&w, text, " \t") < 0)
		return err_set(err, -ENOMEM, "id map");
	if (w.n != 4 || !strchr("ugb", w.v[0][0]) || w.v[0][1])
		return err_msg(err, -EINVAL,
			       "'%s' is no id map line: 'u|g|b first-inside first-outside count'",
			       text);
	if (parse_u32(w.v[1], &e.inside) < 0 || parse_u32(w.v[2], &e.outside) < 0 ||
	    parse_u32(w.v[3], &e.count) < 0)
		return err_msg(err, -EINVAL, "id map '%s': ids and count are 0 to 4294967295",
			       text);
	if (!e.count)
		return err_msg(err, -EINVAL, "id map '%s': the count is 0", text);
	if (e.inside > UINT32_MAX - e.count || e.outside > UINT32_MAX - e.count)
		return err_msg(err, -ERANGE, "id map '%s' goes beyond id 4294967294", text);
	if (w.v[0][0] != 'g')
		r = add(map->uid, &map->n_uid, e);
	if (r == 0 && w.v[0][0] != 'u')
		r = add(map->gid, &map->n_gid, e);
	return r < 0 ? err_msg(err, r, "more than %d id map lines", IDMAP_MAX) : 0;
}

int idmap_add_both(struct idmap *map, uint32_t inside, uint32_t outside, uint32_t count)
{
	struct idmap_extent e = { .inside = inside, .outside = outside, .count = count };
	int r = add(map->uid, &map->n_uid, e);

	return r < 0 ? r : add(map->gid, &map->n_gid, e);
}

static bool overlap(uint32_t a, uint32_t b, uint32_t na, uint32_t nb)
{
	return a < b ? b - a < na : a - b < nb;
}

static int check_one(const char *kind, const struct idmap_extent *v, size_t n,
		     struct lxmgr_err *err)
{
	bool zero = false;

	for (size_t i = 0; i < n; i++) {
		zero |= v[i].inside == 0;
		for (size_t k = 0; k < i; k++) {
			if (overlap(v[i].inside, v[k].inside, v[i].count, v[k].count))
				return err_msg(err, -EINVAL,
					       "the %s maps overlap inside at %u and %u", kind,
					       v[k].inside, v[i].inside);
			if (overlap(v[i].outside, v[k].outside, v[i].count, v[k].count))
				return err_msg(err, -EINVAL,
					       "the %s maps overlap on the host at %u and %u", kind,
					       v[k].outside, v[i].outside);
		}
	}
	return zero ? 0 : err_msg(err, -EINVAL, "the %s maps leave out id 0, the root", kind);
}

int idmap_check(const struct idmap *map, struct lxmgr_err *err)
{
	int r;

	if (idmap_is_none(map))
		return 0;
	if (!map->n_uid || !map->n_gid)
		return err_msg(err, -EINVAL, "the id map has %s but no %s",
			       map->n_uid ? "users" : "groups", map->n_uid ? "groups" : "users");
	r = check_one("user id", map->uid, map->n_uid, err);
	return r < 0 ? r : check_one("group id", map->gid, map->n_gid, err);
}

static uint32_t out(const struct idmap_extent *v, size_t n, uint32_t inside)
{
	for (size_t i = 0; i < n; i++)
		if (inside >= v[i].inside && inside - v[i].inside < v[i].count)
			return v[i].outside + (inside - v[i].inside);
	return (uint32_t)-1;
}

uint32_t idmap_uid_out(const struct idmap *map, uint32_t inside)
{
	return out(map->uid, map->n_uid, inside);
}

uint32_t idmap_gid_out(const struct idmap *map, uint32_t inside)
{
	return out(map->gid, map->n_gid, inside);
}

int idmap_format(const struct idmap_extent *ext, size_t n, char *buf, size_t size)
{
	size_t len = 0;

	*buf = '\0';
	for (size_t i = 0; i < n; i++) {
		int k = snprintf(buf + len, size - len, "%u %u %u\n", ext[i].inside, ext[i].outside,
				 ext[i].count);

		if (k < 0 || (size_t)k >= size - len)
			return -ENOSPC;
		len += (size_t)k;
	}
	return 0;
}

static int write_one(pid_t pid, const char *file, const struct idmap_extent *v, size_t n,
		     struct lxmgr_err *err)
{
	char path[48], text[4096];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	r = idmap_format(v, n, text, sizeof(text));
	if (r == 0)
		r = write_small(AT_FDCWD, path, text);
	return r < 0 ? err_set(err, r, "write the %s of process %d", file, pid) : 0;
}

int idmap_write(pid_t pid, const struct idmap *map, struct lxmgr_err *err)
{
	int r = write_one(pid, "gid_map", map->gid, map->n_gid, err);

	if (r == -EPERM) {
		char path[48];

		/* Without CAP_SETGID over the namespace the kernel wants setgroups given up first.
		 */
		snprintf(path, sizeof(path), "/proc/%d/setgroups", pid);
		write_small(AT_FDCWD, path, "deny");
		r = write_one(pid, "gid_map", map->gid, map->n_gid, err);
	}
	return r < 0 ? r : write_one(pid, "uid_map", map->uid, map->n_uid, err);
}

int idmap_userns_fd(const struct idmap *map, struct lxmgr_err *err)
{
	struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
	cleanup_fd int fd = -EBADF;
	pid_t parent = getpid();
	int pid = sys_clone3(&args), r;

	if (pid == 0) {
		/* A killed caller takes it along, also one that was gone before this. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		for (;;)
			pause();
	}
	if (pid < 0)
		return err_set(err, pid, "make a user namespace");
	r = idmap_write(pid, map, err);
	if (r == 0) {
		fd = ns_open(pid, NS_USER);
		if (fd < 0)
			r = err_set(err, fd, "open the user namespace");
	}
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r < 0 ? r : take_fd(&fd);
}
