/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "image/unpack.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/run.h"
#include "util/str.h"

#define HELPER LIBEXECDIR "/lxmgr-unpack"

static int make_argv(const struct unpack *u, struct strlist *argv)
{
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {
		{ "strip", u->strip },	   { "entries", u->max_entries }, { "size", u->max_size },
		{ "depth", u->max_depth }, { "ratio", u->max_ratio },	  { "ids", u->max_ids },
		{ "shift", u->shift },
	};
	int r = strlist_add(argv, HELPER);

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (numbers[i].value)
			r |= strlist_addf(argv, "--%s=%llu", numbers[i].name,
					  (unsigned long long)numbers[i].value);
	if (u->subdir && *u->subdir)
		r |= strlist_addf(argv, "--subdir=%s", u->subdir);
	if (u->without && *u->without)
		r |= strlist_addf(argv, "--without=%s", u->without);
	if (u->layer)
		r |= strlist_add(argv, "--layer");
	if (u->whiteouts)
		r |= strlist_add(argv, "--whiteouts");
	return r;
}

static int die_with_parent(void *data)
{
	return prctl(PR_SET_PDEATHSIG, SIGKILL);
}

int unpack_run(struct unpack *u, struct lxmgr_err *err)
{
	static const char *const env[] = { "LC_ALL=C", NULL };
	cleanup_strlist struct strlist argv = { 0 };
	cleanup_free char *out = NULL;
	struct run_opts o = RUN_OPTS_INIT;
	unsigned long long n[3];
	const char *why;
	char text[64];
	int r;

	if (make_argv(u, &argv))
		return err_set(err, -ENOMEM, "unpack");
	o.env = env;
	o.stdin_fd = u->archive_fd;
	o.dirfd = u->target_fd;
	o.capture = 1024;
	o.timeout_ms = u->timeout_ms ? u->timeout_ms : 3600000;
	if (o.timeout_ms < 0)
		o.timeout_ms = 0;
	o.cancel_fd = u->cancel_fd;
	o.prepare = die_with_parent;
	r = run_program((const char *const *)argv.v, &o, &out);
	if (r == -ECANCELED)
		return err_msg(err, r, "interrupted");
	if (r == -ETIMEDOUT)
		return err_msg(err, r, "unpacking took longer than %d s", o.timeout_ms / 1000);
	if (r < 0)
		return err_set(err, r, "run %s", HELPER);
	if (r == 0 && sscanf(out, "ok %llu %llu %llu", &n[0], &n[1], &n[2]) == 3) {
		u->entries = n[0];
		u->bytes = n[1];
		u->skipped = n[2];
		return 0;
	}
	why = str_after(out, "error ");
	if (!why)
		return err_msg(err, -EIO, "unpacking failed with %s",
			       run_status_text(r, text, sizeof(text)));
	/* What a confined program says is as hostile as what it reads: one line of it. */
	out[strcspn(out, "\n")] = '\0';
	if (WIFEXITED(r) && WEXITSTATUS(r) == 2)
		return err_status(err, STATUS_REFUSED, -EBADMSG, "the archive is refused: %s", why);
	return err_msg(err, -EIO, "unpack: %s", why);
}
