/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where things live; the build sets the directories. */
#ifndef LXMGR_UTIL_PATHS_H
#define LXMGR_UTIL_PATHS_H

/* Set by the build: SYSCONFDIR /etc/lxmgr, STATEDIR /var/lib/lxmgr, CACHEDIR /var/cache/lxmgr,
 * RUNDIR /run/lxmgr, LOGDIR /var/log/lxmgr, LIBEXECDIR, DATADIR (PREFIX/share/lxmgr). */
#ifndef STATEDIR
#error "the build defines the directories"
#endif

/* The place in the monitor's private mount namespace where roots are staged: short, because
 * fsconfig strings end at 255 bytes. */
#define STAGEDIR RUNDIR "/.m"

#endif
