/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "kernel/ns.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/str.h"

const struct ns_info ns_table[NS_COUNT] = {
	[NS_USER] = { "user", "user", "USER", CLONE_NEWUSER },
	[NS_MNT] = { "mnt", "mnt", "MOUNT", CLONE_NEWNS },
	[NS_PID] = { "pid", "pid", "PID", CLONE_NEWPID },
	[NS_UTS] = { "uts", "uts", "UTSNAME", CLONE_NEWUTS },
	[NS_IPC] = { "ipc", "ipc", "IPC", CLONE_NEWIPC },
	[NS_NET] = { "net", "net", "NETWORK", CLONE_NEWNET },
	[NS_CGROUP] = { "cgroup", "cgroup", "CGROUP", CLONE_NEWCGROUP },
	[NS_TIME] = { "time", "time", "TIME", CLONE_NEWTIME },
};

int ns_parse(const char *name)
{
	for (int i = 0; i < NS_COUNT; i++)
		if (!strcasecmp(name, ns_table[i].name) || !strcasecmp(name, ns_table[i].alt_name))
			return i;
	return -EINVAL;
}

int ns_parse_mask(const char *text, int *ret_flags, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist words = { 0 };
	int flags = 0;

	if (strlist_split(&words, text, "|, \t") < 0)
		return err_set(err, -ENOMEM, "namespaces");
	for (size_t i = 0; i < words.n; i++) {
		int type = ns_parse(words.v[i]);

		if (type < 0)
			return err_status(err, STATUS_USAGE, -EINVAL,
					  "'%s' is no namespace: user mnt pid uts ipc net cgroup "
					  "time",
					  words.v[i]);
		flags |= ns_table[type].flag;
	}
	if (!flags)
		return err_status(err, STATUS_USAGE, -EINVAL, "no namespace is named");
	*ret_flags = flags;
	return 0;
}

static void ns_path(pid_t pid, enum ns_type type, char path[64])
{
	snprintf(path, 64, "/proc/%d/ns/%s", pid, ns_table[type].proc);
}

int ns_open(pid_t pid, enum ns_type type)
{
	char path[64];
	int fd;

	ns_path(pid, type, path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

bool ns_is_ours(pid_t pid, enum ns_type type)
{
	struct stat a, b;
	char path[64], self[64];

	ns_path(pid, type, path);
	snprintf(self, sizeof(self), "/proc/self/ns/%s", ns_table[type].proc);
	return stat(path, &a) == 0 && stat(self, &b) == 0 && a.st_ino == b.st_ino &&
	       a.st_dev == b.st_dev;
}

bool ns_is_nested(void)
{
	struct stat st;

	/* The number of the first one is fixed: PROC_USER_INIT_INO. */
	return stat("/proc/self/ns/user", &st) == 0 && st.st_ino != 0xEFFFFFFDU;
}
