/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the writers of guest files share. Private to net/. */
#ifndef LXMGR_NET_GUEST_H
#define LXMGR_NET_GUEST_H

#include <stdbool.h>

#include "net/net_types.h"
#include "util/str.h"

#define GUEST_MARKER "# Written by lxmgr; remove this line to keep your own."
#define GUEST_KEEPS  "# The host sets the addresses before init runs; this keeps them.\n"

enum guest_put {
	GUEST_PUT_ALWAYS, /* replace a regular file, whatever is in it */
	GUEST_PUT_MARKED, /* only one with our marker, or an empty one */
	GUEST_PUT_LINK,	  /* as GUEST_PUT_MARKED, or a symbolic link */
};

/* A new file in place of the old one, below a directory that exists. 0 also where there is no such
 * directory or the file is the guest's own. */
int guest_put(int root, const char *path, const char *text, enum guest_put how,
	      struct lxmgr_err *err);
/* Take a file with our marker away. */
int guest_drop(int root, const char *path, struct lxmgr_err *err);
/* A regular file's text, to be freed; NULL where there is none, or one that is too long. */
char *guest_read(int root, const char *path);
/* True if a file with our marker is there. */
bool guest_is_marked(int root, const char *path);
/* True if there is something at path; a link counts as what it leads to inside the root. */
bool guest_exists(int root, const char *path);
/* The same, the last component not followed: a link that leads nowhere is there too. */
bool guest_has_entry(int root, const char *path);
/* Interfaces whose addresses the host sets. */
bool guest_is_host_set(const struct net_spec *n);

/* systemd-networkd, ifupdown, NetworkManager. */
int guest_write_services(int root, const struct guest_net *g, const struct strlist *dns,
			 struct lxmgr_err *err);
/* The part of it that is ifupdown's. dns: for resolvconf(8), or NULL. A file of the administrator's
 * stays; one that only asks DHCP for what the host sets is the distribution's, and goes. */
int guest_write_ifupdown(int root, const struct guest_net *g, const struct strlist *dns,
			 struct lxmgr_err *err);
/* /etc/resolv.conf, or what feeds the service that it is a link to. */
int guest_write_resolv(int root, const struct guest_net *g, const struct strlist *dns,
		       struct lxmgr_err *err);
/* /etc/hostname, and the line of /etc/hosts with the container's own name. */
int guest_write_names(int root, const char *hostname, struct lxmgr_err *err);

#endif
