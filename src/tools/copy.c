/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "copy.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>

static struct lxmgr_files_opts o;
static const char *mode, *uid, *gid;

const struct opt copy_opts[] = {
	{ 'r', "recursive", OPT_FLAG, &o.recursive, NULL, "copy directories too" },
	{ 'a', "archive", OPT_FLAG, &o.archive, NULL,
	  "keep times, modes, owners and extended attributes; with -r" },
	{ 'p', "parents", OPT_FLAG, &o.parents, NULL, "make the directories that DEST lacks" },
	{ 'm', "mode", OPT_STRING, &mode, "MODE", "mode of the files, octal" },
	{ 'u', "uid", OPT_STRING, &uid, "UID", "their owner" },
	{ 'g', "gid", OPT_STRING, &gid, "GID", "their group" },
};
const size_t copy_n_opts = ARRAY_SIZE(copy_opts);

static mode_t parse_mode(const char *text, unsigned int max)
{
	unsigned long v;
	char *end;

	errno = 0;
	v = strtoul(text, &end, 8);
	if (errno || *end || *text < '0' || *text > '7')
		tool_usage_error("-m: '%s' is no octal mode", tool_text(text));
	if (v > max)
		tool_usage_error("-m: '%s' is more than 0%o", tool_text(text), max);
	return (mode_t)v;
}

/* An interrupted copy takes back what it began. */
static int catch_signals(void)
{
	static const int sigs[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction act;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(sigs); i++)
		/* What the caller ignores, as nohup does, stays so. */
		if (sigaction(sigs[i], NULL, &act) == 0 && act.sa_handler != SIG_IGN)
			sigaddset(&set, sigs[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* A closed pipe is an error like others. */
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

int copy_main(const struct tool *t, int argc, char **argv,
	      int (*verb)(struct lxmgr_container *c, const char *const *sources, const char *dest,
			  const struct lxmgr_files_opts *opts, struct lxmgr_err *err),
	      unsigned int mode_max)
{
	int rest = tool_parse(t, argc, argv), r;
	struct lxmgr_container *c;
	struct lxmgr_err err = { 0 };
	const char *dest;

	if (argc - rest < 2)
		tool_usage_error("expected SRC... DEST");
	o.recursive = o.recursive || o.archive;
	o.mode = mode ? parse_mode(mode, mode_max) : (mode_t)-1;
	o.uid = uid ? tool_id("-u", uid) : (uid_t)-1;
	o.gid = gid ? tool_id("-g", gid) : (gid_t)-1;
	o.warn = tool_warn;
	o.progress = tool_progress;
	o.cancel_fd = catch_signals();
	dest = argv[argc - 1];
	argv[argc - 1] = NULL;
	c = tool_open();
	r = verb(c, (const char *const *)argv + rest, dest, &o, &err);
	lxmgr_container_close(c);
	tool_progress_end();
	return tool_exit(r < 0 ? tool_error(&err) : 0);
}
