/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks across keys, and what follows from several of them. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "container/config_value.h"
#include "container/features.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"

#define CONSOLE_BUFFER_MAX (16ULL << 20)

/* Say where the key that is to blame was set. */
static int blame(const struct config *c, const char *key, int r, struct lxmgr_err *err)
{
	const char *where = config_where(c, key);

	if (where)
		err_hint(err, "lxmgr.%s, %s", key, where);
	else
		err_hint(err, "lxmgr.%s", key);
	return r;
}

static int check_caps(const struct config *c, struct lxmgr_err *err)
{
	if (c->cap_drop.n && c->cap_keep.n) {
		err_msg(err, -EINVAL, "cap.drop and cap.keep cannot be used together");
		return blame(c, "cap.keep", -EINVAL, err);
	}
	return 0;
}

static int check_ready(const struct config *c, struct lxmgr_err *err)
{
	if (c->start_ready == START_READY_INIT && !c->autodev) {
		err_msg(err, -EINVAL,
			"start.ready = init needs autodev = 1: the socket is in /dev");
		return blame(c, "start.ready", -EINVAL, err);
	}
	return 0;
}

static int check_start(const struct config *c, const char *name, struct lxmgr_err *err)
{
	if (!strlist_has(&c->start_after, name))
		return 0;
	err_msg(err, -ELOOP, "a container cannot be started after itself");
	return blame(c, "start.after", -ELOOP, err);
}

static int check_end(const struct config *c, struct lxmgr_err *err)
{
	if (!c->ephemeral || !c->protect)
		return 0;
	err_msg(err, -EINVAL, "what is destroyed when it stops (ephemeral) cannot be protected");
	return blame(c, "protect", -EINVAL, err);
}

static int check_health(const struct config *c, struct lxmgr_err *err)
{
	const struct {
		const char *key;
		uint64_t have, least, most;
		const char *range;
	} limits[] = {
		{ "health.interval", c->health_interval_ms, 1000, 86400000, "1 s to 1 d" },
		{ "health.timeout", c->health_timeout_ms, 1, 3600000, "1 ms to 1 h" },
		{ "health.failures", c->health_failures, 1, 1000, "1 to 1000" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		if (limits[i].have >= limits[i].least && limits[i].have <= limits[i].most)
			continue;
		err_msg(err, -ERANGE, "%s goes from %s", limits[i].key, limits[i].range);
		return blame(c, limits[i].key, -ERANGE, err);
	}
	return 0;
}

static int check_namespaces(const struct config *c, struct lxmgr_err *err)
{
	if (c->ns_clone && c->ns_keep) {
		err_msg(err, -EINVAL, "namespace.clone and namespace.keep cannot be used together");
		return blame(c, "namespace.keep", -EINVAL, err);
	}
	return 0;
}

static bool reachable(const struct net_spec *n, const struct net_addr *gw)
{
	bool any = false;

	for (size_t i = 0; i < n->n_addr; i++) {
		if (n->addr[i].family != gw->family)
			continue;
		any = true;
		if (net_addr_contains(&n->addr[i], gw))
			return true;
	}
	/* Link-local gateways are reached without an address of their network. */
	return !any || (gw->family == AF_INET6 && gw->v6.s6_addr[0] == 0xfe &&
			(gw->v6.s6_addr[1] & 0xc0) == 0x80);
}

static int check_gateway(const struct config *c, const struct net_spec *n, int family,
			 enum net_gateway mode, const struct net_addr *gw, struct lxmgr_err *err)
{
	char key[32], buf[INET6_ADDRSTRLEN + 4];

	snprintf(key, sizeof(key), "net.%u.%s.gateway", n->index,
		 family == AF_INET ? "ipv4" : "ipv6");
	if (mode == NET_GW_AUTO && n->type != NET_VETH && n->type != NET_MACVLAN) {
		err_msg(err, -EINVAL,
			"gateway auto needs an interface with a link of type veth or "
			"macvlan");
		return blame(c, key, -EINVAL, err);
	}
	if (mode == NET_GW_ADDR && !(n->type == NET_VETH && n->veth_mode == NET_VETH_ROUTER) &&
	    !reachable(n, gw)) {
		err_msg(err, -EINVAL, "the gateway %s lies in none of the interface's networks",
			net_addr_print(gw, true, buf));
		return blame(c, key, -EINVAL, err);
	}
	return 0;
}

static int check_net(struct config *c, struct net_spec *n, struct lxmgr_err *err)
{
	char key[32], buf[INET6_ADDRSTRLEN + 4];
	int r;

	for (size_t i = 0; i < n->n_addr; i++)
		for (size_t k = 0; k < i; k++)
			if (net_addr_equal(&n->addr[i], &n->addr[k])) {
				snprintf(key, sizeof(key), "net.%u.%s.address", n->index,
					 n->addr[i].family == AF_INET ? "ipv4" : "ipv6");
				err_msg(err, -EEXIST, "the address %s is given twice",
					net_addr_print(&n->addr[i], true, buf));
				return blame(c, key, -EEXIST, err);
			}
	if (n->type == NET_NONE && c->n_nets > 1) {
		snprintf(key, sizeof(key), "net.%u.type", n->index);
		err_msg(err, -EINVAL,
			"type none shares the host's network: it goes with no other "
			"interface");
		return blame(c, key, -EINVAL, err);
	}
	r = check_gateway(c, n, AF_INET, n->gw4_mode, &n->gw4, err);
	if (r == 0)
		r = check_gateway(c, n, AF_INET6, n->gw6_mode, &n->gw6, err);
	/* Addresses that nobody gave come from the address manager, on its bridge only. */
	n->managed = n->type == NET_VETH && n->veth_mode == NET_VETH_BRIDGE && !n->n_addr &&
		     (!*n->link || str_eq(n->link, "lxmgrbr0"));
	return r;
}

static int check_nets(struct config *c, struct lxmgr_err *err)
{
	for (size_t i = 0; i < c->n_nets; i++) {
		int r = check_net(c, &c->nets[i], err);

		if (r < 0)
			return r;
		for (size_t k = 0; k < i; k++)
			if (*c->nets[i].name && str_eq(c->nets[i].name, c->nets[k].name)) {
				char key[32];

				snprintf(key, sizeof(key), "net.%u.name", c->nets[i].index);
				err_msg(err, -EEXIST, "two interfaces have the name '%s'",
					c->nets[i].name);
				return blame(c, key, -EEXIST, err);
			}
	}
	return 0;
}

/* The lines of mount.fstab come before the entries, as LXC mounts them. */
static int add_fstab(struct config *c, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist lines = { 0 };
	cleanup_free char *text = NULL;
	size_t n = 0;
	struct mount_spec *all;
	int r = read_file_at(AT_FDCWD, c->mount_fstab, 1 << 20, &text, NULL);

	if (r < 0) {
		err_set(err, r, "read '%s'", c->mount_fstab);
		return blame(c, "mount.fstab", r, err);
	}
	if (strlist_split(&lines, text, "\n") < 0)
		return err_set(err, -ENOMEM, "config");
	all = calloc(lines.n + c->n_mounts + 1, sizeof(*all));
	if (!all)
		return err_set(err, -ENOMEM, "config");
	for (size_t i = 0; i < lines.n && r == 0; i++) {
		char *line = str_strip(lines.v[i]);

		if (!*line || *line == '#')
			continue;
		r = mount_spec_parse(line, &all[n], err);
		if (r == 0)
			n++;
		else
			err_prefix(err, "%s: '%.80s'", c->mount_fstab, line);
	}
	if (r < 0) {
		while (n)
			mount_spec_free(&all[--n]);
		free(all);
		return r;
	}
	if (c->n_mounts)
		memcpy(all + n, c->mounts, c->n_mounts * sizeof(*all));
	free(c->mounts);
	c->mounts = all;
	c->n_mounts += n;
	/* They are entries now: a second check, or a printed config, must not add them again. */
	free(c->mount_fstab);
	c->mount_fstab = NULL;
	return 0;
}

/* They would write to one layer. */
static int check_deltas(const struct config *c, struct lxmgr_err *err)
{
	for (size_t i = 0; i < c->n_mounts; i++)
		for (size_t j = 0; j < i && c->mounts[i].delta; j++)
			if (c->mounts[j].delta && str_eq(c->mounts[i].target, c->mounts[j].target))
				return blame(c, "mount.entry",
					     err_msg(err, -EINVAL,
						     "two entries with a delta have the target "
						     "'%s'",
						     c->mounts[i].target),
					     err);
	return 0;
}

int config_check(struct config *c, const char *name, struct lxmgr_err *err)
{
	int r = check_caps(c, err);

	if (r == 0)
		r = check_ready(c, err);
	if (r == 0)
		r = check_namespaces(c, err);
	if (r == 0)
		r = check_start(c, name, err);
	if (r == 0)
		r = check_end(c, err);
	if (r == 0)
		r = check_health(c, err);
	if (r == 0)
		r = check_nets(c, err);
	/* LXC's meaning of a map without idmap=container. */
	c->storage.ids_shifted = c->idmap_policy == IDMAP_EXPLICIT && !c->storage.idmap_container;
	if (r == 0 && c->idmap_policy == IDMAP_EXPLICIT) {
		r = idmap_check(&c->idmap, err);
		if (r < 0)
			return blame(c, "idmap", r, err);
	}
	if (r == 0 && c->mount_fstab)
		r = add_fstab(c, err);
	if (r == 0)
		r = check_deltas(c, err);
	if (r == 0 && c->config_version != 1) {
		r = err_msg(err, -EPROTO, "version %u of the format is newer than this lxmgr knows",
			    c->config_version);
		return blame(c, "version", r, err);
	}
	if (r == 0 && c->tty_max > 64) {
		r = err_msg(err, -ERANGE, "at most 64 terminals can be had");
		return blame(c, "tty.max", r, err);
	}
	/* The host's memory, which no limit of the container counts. */
	if (r == 0 && c->console_buffer_size > CONSOLE_BUFFER_MAX) {
		r = err_msg(err, -ERANGE, "at most 16M of the console's output can be kept");
		return blame(c, "console.buffer.size", r, err);
	}
	c->storage.checkpoint = c->checkpoint;
	c->lsm.apparmor_nesting |= features_nesting(c);
	return r;
}
