/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* phys: a host interface is moved into the container and comes back when it stops. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "net/net_types.h"
#include "util/err.h"
#include "util/log.h"

static int check(const struct net_spec *n, struct lxmgr_err *err)
{
	char path[64];

	if (!*n->link)
		return err_msg(err, -EINVAL, "an interface of type phys needs lxmgr.net.%u.link",
			       n->index);
	/* A wireless interface moves only with its whole radio. */
	snprintf(path, sizeof(path), "/sys/class/net/%s/phy80211", n->link);
	if (access(path, F_OK) == 0)
		return err_msg(err, -EOPNOTSUPP,
			       "the wireless interface '%s' cannot be moved (lxmgr.net.%u.link)",
			       n->link, n->index);
	return 0;
}

static int create(struct netlink *nl, const struct net_spec *n, int netns_fd, struct net_live *live,
		  struct lxmgr_err *err)
{
	struct link_info l;
	int r = net_parent(nl, n, &l, err);

	if (r < 0)
		return r;
	snprintf(live->moved, sizeof(live->moved), "%s", n->link);
	r = link_move(nl, l.index, netns_fd, live->name);
	if (r < 0) {
		*live->moved = '\0';
		return net_fail(nl, r, err, "move into the container", n->link);
	}
	return 0;
}

/* When the namespace dies the kernel gives the interface back, under its name inside. */
static void destroy(struct netlink *nl, const struct net_live *live, int netns_fd)
{
	struct link_info l;

	if (!*live->moved || !strcmp(live->moved, live->name))
		return;
	for (int tries = 0; tries < 200; tries++) {
		if (link_get(nl, live->name, &l) == 0) {
			link_set_up(nl, l.index, false);
			if (link_rename(nl, l.index, live->moved) == 0)
				return;
		}
		usleep(10000);
	}
	log_warn("the interface '%s' did not come back as '%s', ignoring", live->name, live->moved);
}

const struct net_ops net_phys = {
	.name = "phys", .check = check, .create = create, .destroy = destroy};
