/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Control files that are read: one read() each, for there are many of them for each container. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/cgroup_tree.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/str.h"

/* memory.stat, the longest, has 2 kB. */
#define KEYED_SIZE 8192

int cgroup_tree_read(int dirfd, const char *file, uint64_t *ret)
{
	char buf[64];
	ssize_t n = read_small(dirfd, file, buf, sizeof(buf));

	if (n < 0)
		return (int)n;
	if (str_eq(buf, "max")) {
		*ret = LIMIT_MAX;
		return 0;
	}
	return parse_u64(buf, ret);
}

/* The number behind "key " at a line's beginning. */
static int find_key(const char *text, const char *key, uint64_t *ret)
{
	size_t n = strlen(key);

	for (const char *p = text; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL) {
		char *end;

		if (strncmp(p, key, n) != 0 || p[n] != ' ')
			continue;
		errno = 0;
		*ret = strtoull(p + n + 1, &end, 10);
		return errno || end == p + n + 1 ? -EINVAL : 0;
	}
	return -ENOENT;
}

int cgroup_tree_keyed_all(int dirfd, const char *file, const struct cgroup_keyed *want, size_t n)
{
	char text[KEYED_SIZE];
	ssize_t len = read_small(dirfd, file, text, sizeof(text));
	int r = 0;

	if (len < 0)
		return (int)len;
	for (size_t i = 0; i < n; i++) {
		uint64_t v;
		int found = find_key(text, want[i].key, &v);

		if (found == 0)
			*want[i].ret = v;
		r = r < 0 ? r : found;
	}
	return r;
}

int cgroup_tree_keyed(int dirfd, const char *file, const char *key, uint64_t *ret)
{
	return cgroup_tree_keyed_all(dirfd, file, &(struct cgroup_keyed){ key, ret }, 1);
}

void cgroup_tree_stalls(int dirfd, struct cgroup_counter *ret)
{
	static const struct {
		const char *file;
		enum cgroup_resource what;
	} all[] = {
		{ "cpu.pressure", CGROUP_CPU_STALL },
		{ "memory.pressure", CGROUP_MEMORY_STALL },
		{ "io.pressure", CGROUP_IO_STALL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		char text[256];
		const char *p;

		if (read_small(dirfd, all[i].file, text, sizeof(text)) < 0)
			continue;
		p = str_has_prefix(text, "some ") ? strstr(text, "total=") : NULL;
		if (p)
			ret[all[i].what].current = strtoull(p + strlen("total="), NULL, 10);
	}
}
