/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* phys: a host interface is moved into the container and comes back when it stops. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/net_types.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/log.h"
#include "util/str.h"

#define RETURN_TRIES   200
#define RETURN_POLL_US 10000

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

/* The index it has inside. It differs, and is noted as negative, if the old one was taken there:
 * then it says nothing about the host. */
static int note_index(struct net_live *live, int netns_fd, struct lxmgr_err *err)
{
	struct netlink *inside = NULL;
	struct link_info l;
	int r = netlink_open_in(netns_fd, &inside, err);

	if (r < 0)
		return r;
	r = link_get(inside, live->name, &l);
	netlink_close(inside);
	if (r < 0)
		return err_set(err, r, "look up '%s' in the container", live->name);
	if (l.index != live->host_index)
		live->host_index = -l.index;
	return 0;
}

static int create(struct netlink *nl, const struct net_spec *n, int netns_fd, struct net_live *live,
		  struct lxmgr_err *err)
{
	struct link_info l;
	int r = net_parent(nl, n, &l, err);

	if (r < 0)
		return r;
	live->host_index = l.index;
	memcpy(live->kind, l.kind, sizeof(live->kind));
	memcpy(live->moved, l.name, sizeof(live->moved));
	r = link_move(nl, l.index, netns_fd, live->name);
	if (r < 0) {
		*live->moved = '\0';
		return net_fail(nl, r, err, "move into the container", n->link);
	}
	return note_index(live, netns_fd, err);
}

struct search {
	const struct net_live *live;
	struct link_info found; /* index 0: none */
};

/*
 * By its index and its kind. Not by its name: the guest may have
 * renamed it and put one of its own in its place, and the host may have another link of the name
 * it had inside.
 */
static int see_link(const struct link_info *l, void *data)
{
	struct search *s = data;

	if (l->index != abs(s->live->host_index) || (l->flags & IFF_LOOPBACK) ||
	    !str_eq(l->kind, s->live->kind))
		return 0;
	s->found = *l;
	return 1;
}

static bool find(struct netlink *nl, const struct net_live *live, struct link_info *ret)
{
	struct search s = { .live = live };

	if (link_list(nl, see_link, &s) < 0)
		return false;
	*ret = s.found;
	return s.found.index != 0;
}

static int bring_home(const struct net_live *live, int netns_fd)
{
	cleanup_fd int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	struct netlink *inside = NULL;
	struct link_info l;
	int r;

	if (home < 0)
		return -errno;
	r = netlink_open_in(netns_fd, &inside, NULL);
	if (r < 0)
		return r;
	r = find(inside, live, &l) ? link_move(inside, l.index, home, live->moved) : -ENODEV;
	netlink_close(inside);
	return r;
}

/* When the namespace dies the kernel gives hardware back, under its name inside or dev<index>;
 * links of other kinds die. */
static int wait_for_return(struct netlink *nl, const struct net_live *live)
{
	struct link_info l;

	for (int tries = 0; tries < RETURN_TRIES; tries++) {
		if (find(nl, live, &l)) {
			if (str_eq(l.name, live->moved))
				return 0;
			link_set_up(nl, l.index, false);
			return link_rename(nl, l.index, live->moved);
		}
		usleep(RETURN_POLL_US);
	}
	return -ENODEV;
}

static void destroy(struct netlink *nl, const struct net_spec *n, const struct net_live *live,
		    int netns_fd)
{
	struct link_info l;
	int r;

	/* It may never have left, or be back from an earlier try. */
	if (!*live->moved || link_get(nl, live->moved, &l) == 0)
		return;
	r = netns_fd >= 0 ? bring_home(live, netns_fd) : -ENODEV;
	if (r < 0 && !*live->kind && live->host_index > 0)
		r = wait_for_return(nl, live);
	if (r < 0)
		log_warn("the interface '%s' did not come back: %s, ignoring", live->moved,
			 strerror(-r));
}

const struct net_ops net_phys = {
	.name = "phys", .check = check, .create = create, .destroy = destroy
};
