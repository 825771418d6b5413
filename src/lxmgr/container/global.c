/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Host-wide settings (lxmgr.conf(5)), names of states, the trace of callers. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <config.h>

#include "kernel/ns.h"
#include "lxmgr.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/paths.h"
#include "util/str.h"

static const char *const states[LXMGR_STATES] = {
	[LXMGR_STOPPED] = "STOPPED",   [LXMGR_STARTING] = "STARTING", [LXMGR_RUNNING] = "RUNNING",
	[LXMGR_STOPPING] = "STOPPING", [LXMGR_ABORTING] = "ABORTING", [LXMGR_FREEZING] = "FREEZING",
	[LXMGR_FROZEN] = "FROZEN",     [LXMGR_THAWED] = "THAWED",     [LXMGR_BROKEN] = "BROKEN",
};

const char *lxmgr_state_name(enum lxmgr_state state)
{
	return states[state];
}

int lxmgr_state_parse(const char *name)
{
	for (int i = 0; i < LXMGR_STATES; i++)
		if (!strcasecmp(name, states[i]))
			return i;
	return -EINVAL;
}

const char *lxmgr_version(void)
{
	return PACKAGE_VERSION;
}

static const struct {
	const char *key, *value;
} globals[] = {
	{ "lxmgr.bdev.lvm.thin_pool", "lxc" },
	{ "lxmgr.bdev.lvm.vg", "lxc" },
	{ "lxmgr.default_config", SYSCONFDIR "/default.conf" },
	{ "lxmgr.lxcfs.path", "/var/lib/lxcfs" },
	{ "lxmgr.lxmgrpath", STATEDIR },
	{ "lxmgr.mirror.alpine", "" },
	{ "lxmgr.mirror.debian", "" },
	{ "lxmgr.mirror.devuan", "" },
	{ "lxmgr.mirror.kali", "" },
	{ "lxmgr.mirror.ubuntu", "" },
	{ "lxmgr.overcommit.cpus", "" },
	{ "lxmgr.overcommit.disk", "" },
	{ "lxmgr.overcommit.memory", "" },
	{ "lxmgr.overcommit.pids", "" },
	{ "lxmgr.overcommit.swap", "" },
	{ "lxmgr.start.parallel", "auto" },
};

const char *lxmgr_global_key(size_t i)
{
	return i < ARRAY_SIZE(globals) ? globals[i].key : NULL;
}

/* lxc.lxcpath and lxmgr.lxmgrpath are one. */
static const char *canonical(const char *key, char buf[128])
{
	const char *rest = str_after(key, "lxc.");

	if (!rest)
		return key;
	snprintf(buf, 128, "lxmgr.%s", str_eq(rest, "lxcpath") ? "lxmgrpath" : rest);
	return buf;
}

static int read_setting(const char *key, char **ret, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist lines = { 0 };
	cleanup_free char *text = NULL;
	int r = read_file_at(AT_FDCWD, SYSCONFDIR "/lxmgr.conf", 1 << 20, &text, NULL);

	if (r == -ENOENT)
		return -ENOENT;
	if (r < 0 || strlist_split(&lines, text, "\n") < 0)
		return err_set(err, r < 0 ? r : -ENOMEM, "read '%s'", SYSCONFDIR "/lxmgr.conf");
	for (size_t i = 0; i < lines.n; i++) {
		char *line = str_strip(lines.v[i]), *eq = strchr(line, '='), buf[128];

		if (*line == '#' || !eq)
			continue;
		*eq = '\0';
		if (!str_eq(canonical(str_strip(line), buf), key))
			continue;
		*ret = strdup(str_strip(eq + 1));
		return *ret ? 0 : -ENOMEM;
	}
	return -ENOENT;
}

int lxmgr_global_get(const char *key, char **ret, struct lxmgr_err *err)
{
	char buf[128];
	int r;

	key = canonical(key, buf);
	for (size_t i = 0; i < ARRAY_SIZE(globals); i++) {
		if (!str_eq(globals[i].key, key))
			continue;
		r = read_setting(key, ret, err);
		if (r != -ENOENT)
			return r;
		*ret = strdup(globals[i].value);
		return *ret ? 0 : err_set(err, -ENOMEM, "%s", key);
	}
	return err_status(err, STATUS_USAGE, -ENOENT,
			  "unknown setting '%s'; lxmgr-config -l lists them", key);
}

int lxmgr_namespaces_parse(const char *text, int *ret, struct lxmgr_err *err)
{
	return ns_parse_mask(text, ret, err);
}

int lxmgr_log_setup(const char *level, const char *file, bool quiet, struct lxmgr_err *err)
{
	int n = level ? log_level_parse(level) : LOG_L_ERROR, fd;

	if (n < 0)
		return err_status(err, STATUS_USAGE, -EINVAL, "'%s' is no log level", level);
	if (level && !file && !quiet)
		log_to_stderr((enum log_level)n);
	if (!file)
		return 0;
	fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (fd < 0)
		return err_set(err, -errno, "open the log file '%s'", file);
	log_to_fd(fd, (enum log_level)n, "");
	return 0;
}
