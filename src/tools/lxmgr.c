/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tool.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* "lxmgr VERB ..." is "lxmgr-VERB ...". */
static const struct {
	const char *verb, *help;
} verbs[] = {
	{ "create", "create a container from a template" },
	{ "start", "start it" },
	{ "stop", "stop it: a clean halt, then by force" },
	{ "restart", "stop and start it" },
	{ "destroy", "destroy it" },
	{ "copy", "copy or rename it" },
	{ "snapshot", "snapshots: make, list, restore, compare" },
	{ "execute", "run one command in a container of its own" },
	{ "attach", "run a command in a running container" },
	{ "console", "connect to a terminal of it" },
	{ "ls", "list containers" },
	{ "info", "print what is known of one" },
	{ "usage", "what it has of each resource, and was refused" },
	{ "top", "what they use, as they go" },
	{ "metrics", "counters of all, for Prometheus" },
	{ "pid", "whose a process is" },
	{ "wait", "wait for a state" },
	{ "monitor", "print state changes" },
	{ "autostart", "start or stop many, in order" },
	{ "runscript", "run a script of the host's in it" },
	{ "push", "copy files into it" },
	{ "pull", "copy files out of it" },
	{ "mount", "mount the root of a stopped one" },
	{ "umount", "unmount that" },
	{ "setup", "set names, keys, users, the time zone in it" },
	{ "reinstall", "give it a fresh root" },
	{ "freeze", "freeze all its processes" },
	{ "unfreeze", "let them go on" },
	{ "set", "change limits at once, with what is kept" },
	{ "plan", "plans: list, show, apply, diff, split" },
	{ "config", "settings, and keys of a container" },
	{ "cgroup", "read or write a cgroup control file" },
	{ "device", "give it a device or an interface" },
	{ "disk", "what its root takes on disk, and may take" },
	{ "lxcfs", "give running ones lxcfs' files again" },
	{ "export", "write it to a file, or to backups" },
	{ "import", "make one of an export or a backup" },
	{ "host", "what this host has, and what of it is promised" },
	{ "image", "images: list, fetch, publish, prune ..." },
	{ "doctor", "what this host can do, and how to mend it" },
	{ "checkconfig", "check the kernel's configuration" },
	{ "unshare", "run a command in new namespaces" },
	{ "usernsexec", "run a command in a new user namespace" },
};

static int print_verbs(FILE *f)
{
	fprintf(f, "Usage: lxmgr VERB [OPTIONS]\n\nSystem containers. The verbs:\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		fprintf(f, "  %-12s %s\n", verbs[i].verb, verbs[i].help);
	fprintf(f, "\nlxmgr VERB --help tells more; lxmgr(7) is the overview.\n");
	return f == stderr ? LXMGR_USAGE : 0;
}

int main(int argc, char **argv)
{
	char path[PATH_MAX];

	if (argc < 2)
		return print_verbs(stderr);
	if (!strcmp(argv[1], "--version")) {
		printf("%s\n", lxmgr_version());
		return tool_exit(0);
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-?") || !strcmp(argv[1], "-h") ||
	    !strcmp(argv[1], "help"))
		return tool_exit(print_verbs(stdout));
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(argv[1], verbs[i].verb) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/lxmgr-%s", BINDIR, argv[1]);
		execv(path, argv + 1);
		perror(path);
		return LXMGR_FAILED;
	}
	fprintf(stderr, "lxmgr: unknown verb '%s' (see lxmgr --help)\n", tool_text(argv[1]));
	return LXMGR_USAGE;
}
