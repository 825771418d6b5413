/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The managed bridge without a container: lxmgr-net.service, or another init's script.
 *
 *	lxmgr-net up	make bridge, addresses, forwarding and NAT, or what is missing of them
 *	lxmgr-net down	take bridge and NAT away, unless a container is on it
 */
#include <errno.h>
#include <stdio.h>

#include "net/net.h"
#include "util/err.h"
#include "util/log.h"
#include "util/str.h"

int main(int argc, char **argv)
{
	bool up = argc == 2 && str_eq(argv[1], "up");
	struct bridge_conf conf;
	struct lxmgr_err err = { 0 };
	struct netlink *nl = NULL;
	int r;

	if (argc != 2 || (!up && !str_eq(argv[1], "down"))) {
		fprintf(stderr, "usage: lxmgr-net up|down\n");
		return 64;
	}
	log_to_stderr(LOG_L_NOTICE);
	r = up ? bridge_conf_get(&conf, &err) : bridge_conf_read(&conf, &err);
	if (r == -ENOENT && !up)
		return 0;
	if (r >= 0)
		r = netlink_open(&nl, &err);
	if (r >= 0)
		r = up ? bridge_ensure(nl, &conf, &err) : bridge_remove(nl, &conf, &err);
	if (nl)
		netlink_close(nl);
	if (r >= 0)
		return 0;
	fprintf(stderr, "lxmgr-net: %s\n", err.text);
	/* Containers that go on running without their unit's knowledge keep their bridge. */
	return r == -EBUSY && !up ? 0 : 1;
}
