/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lxmgr-setup: what was asked for, checked, as a request to the guest modules. */
#ifndef LXMGR_CONTAINER_SETUP_H
#define LXMGR_CONTAINER_SETUP_H

#include "container/config.h"
#include "lxmgr.h"
#include "util/str.h"

/* Where the modules are: the families, what they share, and the administrator's own. */
#define SETUP_MAIN  DATADIR "/setup.d/lib/main.lua"
#define SETUP_KEEP  DATADIR "/setup.d/lib/keep.lua"
#define SETUP_LIB   DATADIR "/setup.d/lib"
#define SETUP_DIR   DATADIR "/setup.d"
#define SETUP_LOCAL SYSCONFDIR "/setup.d"

/*
 * Check all of o against the config and write the request (image/luarun.h). NULL: to show. Reads
 * the files of keys, and the host's rule of a time zone. STATUS_USAGE or STATUS_REFUSED.
 */
int setup_request(const struct lxmgr_setup_opts *o, const struct config *cfg, struct strbuf *ret,
		  struct lxmgr_err *err);
/* "A time zone's name": parts of letters, digits and _ + -, separated by '/'. */
bool setup_zone_is_valid(const char *zone);
/* "de_DE.UTF-8", "sr_RS@latin", "C". */
bool setup_locale_is_valid(const char *locale);
/* A user's name as useradd takes it. */
bool setup_user_is_valid(const char *user);
/* "default=10.0.0.1", "10.9.0.0/16=10.0.0.1": *ret_default, or dest; -EINVAL with a reason. */
int setup_route_parse(const char *text, bool *ret_default, struct net_addr *ret_dest,
		      struct net_addr *ret_gateway, struct lxmgr_err *err);
/* The rule behind a time zone file (RFC 8536, version 2 and later) in buf; -EINVAL: none. */
int setup_zone_rule(const char *data, size_t len, char *buf, size_t size);

#endif
