/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The service manager's notification socket, sd_notify(3): one datagram of KEY=VALUE lines. */
#ifndef LXMGR_UTIL_NOTIFY_H
#define LXMGR_UTIL_NOTIFY_H

/* A datagram socket connected to the manager's ($NOTIFY_SOCKET). -ENOENT: nobody wants to hear. */
int notify_connect(void);
/* Send one message there. 0, also where nobody wants to hear; else -errno. */
int notify_send(const char *text);

#endif
