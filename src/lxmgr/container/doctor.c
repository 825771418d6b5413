/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of what lxmgr-doctor looks at, and how a check says what it found. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container/doctor.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/str.h"

void doctor_say(struct doctor *d, enum doctor_result result, const char *fmt, ...)
{
	struct lxmgr_check c = { .group = d->group, .name = d->name, .result = (int)result };
	char text[sizeof(c.text) + sizeof(c.cure)], *tab;
	va_list ap;

	if (d->ended)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	tab = strchr(text, '\t');
	if (tab)
		*tab++ = '\0';
	snprintf(c.text, sizeof(c.text), "%.159s", text);
	snprintf(c.cure, sizeof(c.cure), "%.239s", tab ? tab : "");
	d->ended = d->fn(&c, d->arg);
}

int doctor_try(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int r = fn();

		_exit(r < 0 ? (-r & 0x7f) : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return -EIO;
	return -WEXITSTATUS(status);
}

static const struct {
	const char *group;
	const char *name; /* NULL: run() names its rows */
	void (*run)(struct doctor *d);
} checks[] = {
	{ "kernel", "version", doctor_kernel },
	{ "kernel", NULL, doctor_trials },
	{ "cgroup", NULL, doctor_cgroup },
	{ "cgroup", "guests", doctor_guests },
	{ "storage", NULL, doctor_trials },
	{ "storage", NULL, doctor_backends },
	{ "storage", NULL, doctor_disk },
	{ "storage", "disk limits", doctor_disk_limits },
	{ "network", NULL, doctor_trials },
	{ "network", "firewall", doctor_firewalls },
	{ "network", "IPv4 forwarding", doctor_forward4 },
	{ "network", "IPv6 forwarding", doctor_forward6 },
	{ "network", "NAT", doctor_nat },
	{ "network", "resolver", doctor_resolver },
	{ "security", NULL, doctor_lsm },
	{ "security", "seccomp compiler", doctor_seccomp },
	{ "sysctls", NULL, doctor_sysctls },
	{ "limits", NULL, doctor_usage },
	{ "limits", "IPv4 and IPv6 neighbours", doctor_neighbours },
	{ "limits", "inotify instances of a user", doctor_inotify },
	{ "limits", "keys of a user", doctor_keys },
	{ "limits", "blocks of ids", doctor_ids },
	{ "limits", "addresses", doctor_addresses },
	{ "systemd", "container unit", doctor_units },
	{ "systemd", "machined", doctor_machined },
	{ "autostart", "units", doctor_auto_units },
	{ "autostart", "containers", doctor_autostart },
	{ "autostart", "snapshots", doctor_schedules },
	{ "programs", NULL, doctor_programs },
};

int lxmgr_doctor(int (*fn)(const struct lxmgr_check *check, void *arg), void *arg,
		 struct lxmgr_err *err)
{
	struct doctor d = { .fn = fn, .arg = arg };

	for (size_t i = 0; i < ARRAY_SIZE(checks) && !d.ended; i++) {
		d.group = checks[i].group;
		d.name = checks[i].name;
		checks[i].run(&d);
	}
	return d.ended < 0 ? err_set(err, d.ended, "look at the host") : 0;
}
