/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* phys: a host interface is moved into the container and comes back when it stops. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "net/net_types.h"
#include "util/cleanup.h"
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

/* From the namespace it was moved to, which the caller kept alive. Without it (the monitor was
 * killed) the kernel gives real hardware back, under its name inside. */
static void destroy(struct netlink *nl, const struct net_live *live, int netns_fd)
{
	cleanup_fd int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	struct netlink *inside = NULL;
	struct link_info l;
	int r = -ENODEV;

	if (!*live->moved)
		return;
	if (netns_fd >= 0 && netlink_open_in(netns_fd, &inside, NULL) == 0) {
		r = link_get(inside, live->name, &l);
		if (r == 0)
			r = link_move(inside, l.index, own, live->moved);
		netlink_close(inside);
	} else if (link_get(nl, live->name, &l) == 0 && strcmp(live->moved, live->name) != 0) {
		link_set_up(nl, l.index, false);
		r = link_rename(nl, l.index, live->moved);
	}
	if (r < 0)
		log_warn("the interface '%s' did not come back: %s, ignoring", live->moved,
			 strerror(-r));
}

const struct net_ops net_phys = {
	.name = "phys", .check = check, .create = create, .destroy = destroy
};
