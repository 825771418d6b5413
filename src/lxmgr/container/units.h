/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What systemd is told of a container's autostart: files below /etc/systemd/system, which it reads
 * before /var is mounted. Only containers of the default tree have units.
 */
#ifndef LXMGR_CONTAINER_UNITS_H
#define LXMGR_CONTAINER_UNITS_H

#include "container/autostart.h"
#include "util/str.h"

/*
 * Bring the units of one container in line with cfg, its saved config; cfg NULL: it is gone. Writes
 * only what differs, and has systemd read its files again only then. 1: something was changed, 0:
 * nothing had to be (also where systemd does not run this host, and for another tree).
 */
int units_sync(const char *path, const char *name, const struct config *cfg, struct lxmgr_err *err);
/* All containers of the default tree, and what is left of those that are gone. How many changed. */
int units_sync_all(struct lxmgr_err *err);
/* Whether units_sync_all() would change something: the names of those in *ret. */
int units_check(struct strlist *ret, struct lxmgr_err *err);

/* Stands in the drop-in of a container that we enabled: what systemctl enabled stays. */
#define UNIT_ENABLED "# lxmgr.start.auto = 1\n"

/* The texts of the drop-ins; a NULL one is not wanted. */
struct unit_texts {
	char *service, *delay, *timer;
	char *snapshots; /* the timer of lxmgr.snapshot.schedule, which runs if there is one */
	bool enabled;
	bool has_level;
	struct auto_level level;
};
int unit_texts_make(const char *name, const struct config *cfg, struct unit_texts *ret);
void unit_texts_free(struct unit_texts *t);
/* A level as the instance of lxmgr-turn@ and lxmgr-done@, and back. */
void unit_level_print(const struct auto_level *l, char *buf, size_t size);
int unit_level_parse(const char *text, struct auto_level *ret);

#endif
