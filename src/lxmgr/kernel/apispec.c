/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel/apimount.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/str.h"

/* The words of mount.auto; a bare word means mixed, as in LXC. */
static const struct {
	const char *word;
	int proc, sys, cgroup; /* -1: not this one's business */
	bool full;
} words[] = {
	{ "proc", API_PROC_MIXED, -1, -1, false },
	{ "proc:mixed", API_PROC_MIXED, -1, -1, false },
	{ "proc:rw", API_PROC_RW, -1, -1, false },
	{ "sys", -1, API_SYS_MIXED, -1, false },
	{ "sys:mixed", -1, API_SYS_MIXED, -1, false },
	{ "sys:ro", -1, API_SYS_RO, -1, false },
	{ "sys:rw", -1, API_SYS_RW, -1, false },
	{ "cgroup", -1, -1, API_CG_MIXED, false },
	{ "cgroup:mixed", -1, -1, API_CG_MIXED, false },
	{ "cgroup:ro", -1, -1, API_CG_RO, false },
	{ "cgroup:rw", -1, -1, API_CG_RW, false },
	{ "cgroup-full", -1, -1, API_CG_MIXED, true },
	{ "cgroup-full:mixed", -1, -1, API_CG_MIXED, true },
	{ "cgroup-full:ro", -1, -1, API_CG_RO, true },
	{ "cgroup-full:rw", -1, -1, API_CG_RW, true },
	{ "cgroup2", -1, -1, API_CG_MIXED, false },
	{ "cgroup2:rw", -1, -1, API_CG_RW, false },
	{ "cgroup2:ro", -1, -1, API_CG_RO, false },
};

static int parse_word(char *word, struct api_spec *s, struct lxmgr_err *err)
{
	size_t n = strlen(word);
	bool force = n > 6 && str_has_suffix(word, ":force") && str_has_prefix(word, "cgroup");

	if (str_has_prefix(word, "shmounts:"))
		return err_msg(err, -EOPNOTSUPP,
			       "'%s' is not supported: use a mount.entry with the option shared",
			       word);
	if (force)
		word[n - 6] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!str_eq(word, words[i].word))
			continue;
		if (words[i].proc >= 0)
			s->proc = (enum api_proc)words[i].proc;
		if (words[i].sys >= 0)
			s->sys = (enum api_sys)words[i].sys;
		if (words[i].cgroup >= 0) {
			s->cgroup = (enum api_cgroup)words[i].cgroup;
			s->cgroup_full = words[i].full;
			s->cgroup_force = force;
		}
		return 0;
	}
	return err_msg(err, -EINVAL,
		       "'%s' is none of proc[:mixed|rw] sys[:mixed|ro|rw] "
		       "cgroup[-full][:mixed|ro|rw][:force]",
		       word);
}

int api_spec_parse(const char *text, struct api_spec *spec, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist list = { 0 };

	if (strlist_split(&list, text, " \t") < 0)
		return err_set(err, -ENOMEM, "mount.auto");
	for (size_t i = 0; i < list.n; i++) {
		int r = parse_word(list.v[i], spec, err);

		if (r < 0)
			return r;
	}
	return 0;
}

void api_spec_print(const struct api_spec *s, char *buf, unsigned long size)
{
	static const char *const proc[] = { "", "proc:mixed ", "proc:rw " };
	static const char *const sys[] = { "", "sys:mixed ", "sys:ro ", "sys:rw " };
	static const char *const cgroup[] = { "", ":mixed", ":ro", ":rw" };
	char cg[64] = "";
	size_t n;

	if (s->cgroup)
		snprintf(cg, sizeof(cg), "%s%s%s", s->cgroup_full ? "cgroup-full" : "cgroup",
			 cgroup[s->cgroup], s->cgroup_force ? ":force" : "");
	snprintf(buf, size, "%s%s%s", proc[s->proc], sys[s->sys], cg);
	n = strlen(buf);
	if (n && buf[n - 1] == ' ')
		buf[n - 1] = '\0';
}
