/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernel limits per user. A container's user namespace belongs to its own root, so that
 * what is used in there counts for that one; the one with the most is named.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/container.h"
#include "container/doctor.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/paths.h"
#include "util/str.h"

static bool has_uid(const struct idmap *m, uint32_t uid)
{
	for (size_t i = 0; i < m->n_uid; i++)
		if (uid - m->uid[i].outside < m->uid[i].count)
			return true;
	return false;
}

struct owner {
	uint32_t uid;
	char *buf;
	size_t size;
};

static int name_if_owner(struct lxmgr_container *c, const struct state *s, void *data)
{
	const struct owner *o = data;

	if (has_uid(&s->idmap, o->uid))
		snprintf(o->buf, o->size, "container '%s'", c->name);
	return 0;
}

/* "container 'web'", or "uid 1000". */
static void name_owner(uint32_t uid, char *buf, size_t size)
{
	struct owner o = { uid, buf, size };

	snprintf(buf, size, "uid %u", uid);
	container_each_running(name_if_owner, &o, NULL);
}

/* Users, or user namespaces, and what they have. */
struct tally {
	struct count {
		uint64_t ns;
		uint32_t uid;
		uint64_t n;
	} * v;
	size_t n;
};

static void tally_add(struct tally *t, uint64_t ns, uint32_t uid, uint64_t n)
{
	struct count *v;

	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].ns == ns) {
			t->v[i].n += n;
			return;
		}
	v = realloc(t->v, (t->n + 1) * sizeof(*v));
	if (!v)
		return;
	t->v = v;
	t->v[t->n++] = (struct count){ ns, uid, n };
}

static uint64_t count_inotify(int proc, const char *pid)
{
	char path[32], target[64];
	cleanup_dir DIR *d = NULL;
	struct dirent *e;
	uint64_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "%.16s/fd", pid);
	fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		fd_close(&fd);
	while (d && (e = readdir(d))) {
		ssize_t len = readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);

		if (len > 0) {
			target[len] = '\0';
			n += strstr(target, "inotify") == target + strlen("anon_inode:");
		}
	}
	return n;
}

/* Who is charged: the uid on the host itself, else the user namespace. Descriptors that processes
 * share by fork are counted for each, so that it is rather too much. */
static void tally_process(struct tally *t, int proc, const char *pid, ino_t host_ns)
{
	uint64_t n = count_inotify(proc, pid);
	struct stat ns, who;
	char path[32];

	if (!n)
		return;
	snprintf(path, sizeof(path), "%.16s/ns/user", pid);
	if (fstatat(proc, path, &ns, 0) < 0)
		return;
	snprintf(path, sizeof(path), "%.16s/task", pid);
	if (fstatat(proc, path, &who, 0) < 0)
		return;
	tally_add(t, ns.st_ino == host_ns ? who.st_uid : (uint64_t)1 << 32 | ns.st_ino, who.st_uid,
		  n);
}

void doctor_inotify(struct doctor *d)
{
	cleanup_dir DIR *proc = opendir("/proc");
	struct count most = { 0 };
	struct tally t = { 0 };
	char buf[32], who[300];
	struct dirent *e;
	struct stat own;
	uint64_t max;

	if (!proc || stat("/proc/self/ns/user", &own) < 0 ||
	    read_small(AT_FDCWD, "/proc/sys/fs/inotify/max_user_instances", buf, sizeof(buf)) < 0 ||
	    parse_u64(buf, &max) < 0)
		return;
	while ((e = readdir(proc)))
		if (*e->d_name >= '1' && *e->d_name <= '9')
			tally_process(&t, dirfd(proc), e->d_name, own.st_ino);
	for (size_t i = 0; i < t.n; i++)
		if (t.v[i].n > most.n)
			most = t.v[i];
	free(t.v);
	name_owner(most.uid, who, sizeof(who));
	doctor_used(d, most.n, max, who, "raise the sysctl fs.inotify.max_user_instances");
}

void doctor_keys(struct doctor *d)
{
	uint64_t worst_used = 0, worst_max = 1;
	cleanup_strlist struct strlist lines = { 0 };
	cleanup_free char *text = NULL;
	uint32_t worst = 0;
	char who[300];

	if (read_file_at(AT_FDCWD, "/proc/key-users", 4 << 20, &text, NULL) < 0 ||
	    strlist_split(&lines, text, "\n") < 0)
		return;
	/* "UID: usage keys/instantiated quota-keys/max quota-bytes/max" */
	for (size_t i = 0; i < lines.n; i++) {
		uint64_t keys, max_keys, bytes, max_bytes;
		uint32_t uid;

		if (sscanf(lines.v[i],
			   "%" SCNu32 ": %*u %*u/%*u %" SCNu64 "/%" SCNu64 " %" SCNu64 "/%" SCNu64,
			   &uid, &keys, &max_keys, &bytes, &max_bytes) != 5 ||
		    !max_keys || !max_bytes)
			continue;
		/* What is nearer to its end, keys or their bytes. */
		if (bytes * max_keys > keys * max_bytes) {
			keys = bytes;
			max_keys = max_bytes;
		}
		if (keys * worst_max > worst_used * max_keys || worst_max == 1) {
			worst = uid;
			worst_used = keys;
			worst_max = max_keys;
		}
	}
	name_owner(worst, who, sizeof(who));
	doctor_used(d, worst_used, worst_max, who,
		    "raise the sysctls kernel.keys.maxkeys and kernel.keys.maxbytes");
}
