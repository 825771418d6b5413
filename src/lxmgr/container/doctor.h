/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What lxmgr-doctor looks at. A check is a function in a file of its subject and one line in the
 * table of doctor.c; it says what it found with doctor_say(), once or, under names of its own,
 * several times.
 */
#ifndef LXMGR_CONTAINER_DOCTOR_H
#define LXMGR_CONTAINER_DOCTOR_H

#include <stdint.h>

#include "lxmgr.h"

enum doctor_result {
	DOCTOR_OK,
	DOCTOR_NOTICE,	/* something will not be as good as it could, or soon not work */
	DOCTOR_MISSING, /* containers cannot be run: the tool's status is 1 */
};

struct doctor {
	const char *group, *name; /* of the next doctor_say(): a check with more rows sets name */
	int (*fn)(const struct lxmgr_check *, void *);
	void *arg;
	int ended; /* what fn returned; not 0: nobody wants to hear more */
};

/* One row: "what was found", or "what was found<TAB>how to mend it". */
void doctor_say(struct doctor *d, enum doctor_result result, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Run fn in a child; its negative errno comes back, -EIO if it crashed. */
int doctor_try(int (*fn)(void));

/* doctor_trials.c: what is found by trying it, the rows of d->group. */
void doctor_trials(struct doctor *d);

/* doctor_host.c */
void doctor_kernel(struct doctor *d);
void doctor_cgroup(struct doctor *d);
void doctor_guests(struct doctor *d);
void doctor_disk(struct doctor *d);
void doctor_disk_limits(struct doctor *d);
void doctor_lsm(struct doctor *d);
void doctor_seccomp(struct doctor *d);
void doctor_programs(struct doctor *d);

/* doctor_network.c: of the managed bridge. */
void doctor_firewalls(struct doctor *d);
void doctor_forward4(struct doctor *d);
void doctor_forward6(struct doctor *d);
void doctor_nat(struct doctor *d);
void doctor_resolver(struct doctor *d);

/* doctor_autostart.c */
void doctor_auto_units(struct doctor *d);
void doctor_autostart(struct doctor *d);
void doctor_schedules(struct doctor *d);

/* doctor_limits.c: what of the host's limits is used. */
void doctor_sysctls(struct doctor *d);
void doctor_usage(struct doctor *d);
void doctor_neighbours(struct doctor *d);
void doctor_ids(struct doctor *d);
void doctor_addresses(struct doctor *d);
/* Used and allowed as one row: a notice from four fifths on. who: of whom, "" for the host. */
void doctor_used(struct doctor *d, uint64_t used, uint64_t max, const char *who, const char *cure);

/* doctor_users.c: limits per user, which are the containers' own. */
void doctor_inotify(struct doctor *d);
void doctor_keys(struct doctor *d);

/* doctor_storage.c */
void doctor_backends(struct doctor *d);

/* doctor_systemd.c */
void doctor_units(struct doctor *d);
void doctor_machined(struct doctor *d);

#endif
