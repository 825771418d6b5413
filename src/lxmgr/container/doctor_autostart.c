/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether what starts at boot is what the configs say. */
#include "container/doctor.h"
#include "container/service.h"
#include "container/units.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/paths.h"

/* One line of what may be many names. */
static void say_names(struct doctor *d, const struct strlist *names, const char *what,
		      const char *cure)
{
	cleanup_strbuf struct strbuf b = { 0 };

	for (size_t i = 0; i < names->n && b.len < 80; i++)
		strbuf_addf(&b, "%s%s", i ? ", " : "", names->v[i]);
	doctor_say(d, DOCTOR_NOTICE, "%s: %s%s\t%s", what, b.failed ? "" : b.s,
		   names->n && b.len >= 80 ? " ..." : "", cure);
}

void doctor_auto_units(struct doctor *d)
{
	cleanup_strlist struct strlist names = { 0 };
	struct lxmgr_err err = { 0 };

	if (!service_is_host())
		doctor_say(d, DOCTOR_OK, "no systemd here: an init script runs lxmgr-autostart");
	else if (units_check(&names, &err) < 0)
		doctor_say(d, DOCTOR_NOTICE, "cannot be looked at: %s", err.text);
	else if (names.n)
		say_names(d, &names, "differ from the config", "lxmgr-autostart --sync");
	else
		doctor_say(d, DOCTOR_OK, "as the configs say");
}

/* lxmgr.start.auto in a group that no boot starts, as LXC has it, and names that nobody has. */
void doctor_autostart(struct doctor *d)
{
	cleanup_strlist struct strlist names = { 0 }, left = { 0 }, missing = { 0 };
	struct lxmgr_err err = { 0 };
	int r = lxmgr_list(STATEDIR, &names.v, &names.n, &err);

	for (size_t i = 0; r == 0 && i < names.n; i++) {
		struct lxmgr_container *c = NULL;

		if (lxmgr_container_open(STATEDIR, names.v[i], NULL, &c, NULL) == 0 &&
		    container_load_config(c, NULL) == 0) {
			if (c->config.start_auto &&
			    auto_group_rank(&c->config, auto_boot_groups) < 0)
				r = strlist_add(&left, names.v[i]);
			for (size_t k = 0; r == 0 && k < c->config.start_after.n; k++)
				if (!strlist_has(&names, c->config.start_after.v[k]))
					r = strlist_addf(&missing, "%s of %s",
							 c->config.start_after.v[k], names.v[i]);
		}
		lxmgr_container_close(c);
	}
	if (left.n)
		say_names(d, &left, "not started at boot, being in groups other than onboot",
			  "add lxmgr.group = onboot, or start them: lxmgr-autostart -g GROUP");
	if (missing.n)
		say_names(d, &missing, "lxmgr.start.after names what does not exist",
			  "lxmgr-config -n NAME lxmgr.start.after=");
	if (!left.n && !missing.n)
		doctor_say(d, DOCTOR_OK, "groups and names in order");
}

/* Snapshots by the clock are made by systemd's timers. */
void doctor_schedules(struct doctor *d)
{
	cleanup_strlist struct strlist names = { 0 }, with = { 0 };
	struct lxmgr_err err = { 0 };
	int r = lxmgr_list(STATEDIR, &names.v, &names.n, &err);

	for (size_t i = 0; r == 0 && i < names.n; i++) {
		struct lxmgr_container *c = NULL;

		if (lxmgr_container_open(STATEDIR, names.v[i], NULL, &c, NULL) == 0 &&
		    container_load_config(c, NULL) == 0 && c->config.snapshot_schedule)
			r = strlist_add(&with, names.v[i]);
		lxmgr_container_close(c);
	}
	if (with.n && !service_is_host())
		say_names(d, &with, "no systemd here: nothing makes the snapshots of",
			  "have cron run lxmgr-snapshot --scheduled NAME");
	else
		doctor_say(d, DOCTOR_OK, with.n ? "made by timers" : "none by the clock");
}
