/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is known of a container: state, addresses, counters, statistics. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "container/container.h"
#include "container/disk.h"
#include "container/health.h"
#include "kernel/antispoof.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/str.h"

static enum lxmgr_state public_state(struct lxmgr_container *c, enum lxmgr_state s)
{
	/* The states of a transition are for those who watch. */
	if (s == LXMGR_THAWED)
		return LXMGR_RUNNING;
	if (s != LXMGR_STOPPED || c->config_loaded || c->dir_fd < 0)
		return s;
	return container_load_config(c, NULL) < 0 ? LXMGR_BROKEN : LXMGR_STOPPED;
}

int lxmgr_container_state(struct lxmgr_container *c, enum lxmgr_state *ret, struct lxmgr_err *err)
{
	struct state s;
	bool stale;
	int r = state_read(c, &s, &stale, err);

	if (r < 0 && r != -ENOENT)
		return r;
	*ret = public_state(c, r == -ENOENT || stale ? LXMGR_STOPPED : s.state);
	return 0;
}

struct gather {
	struct lxmgr_info *info;
	struct {
		int index;
		char name[16];
	} link[64];
	size_t n;
};

/* NULL: no memory. */
static struct lxmgr_info_link *add_link(struct lxmgr_info *info, const char *name, uint64_t rx,
					uint64_t tx)
{
	struct lxmgr_info_link *v = realloc(info->links, (info->n_links + 1) * sizeof(*v));

	if (!v)
		return NULL;
	info->links = v;
	v += info->n_links++;
	memset(v, 0, sizeof(*v));
	snprintf(v->ifname, sizeof(v->ifname), "%s", name);
	v->rx_bytes = rx;
	v->tx_bytes = tx;
	snprintf(v->antispoof, sizeof(v->antispoof), "not enforceable");
	return v;
}

static int see_link(const struct link_info *l, void *data)
{
	struct gather *g = data;

	if (g->n < ARRAY_SIZE(g->link)) {
		g->link[g->n].index = l->index;
		snprintf(g->link[g->n++].name, sizeof(g->link[0].name), "%s", l->name);
	}
	if (l->flags & IFF_LOOPBACK)
		return 0;
	return add_link(g->info, l->name, l->rx_bytes, l->tx_bytes) ? 0 : -ENOMEM;
}

static int see_addr(int ifindex, const struct net_addr *a, int scope, void *data)
{
	struct gather *g = data;
	struct lxmgr_info_addr *v;
	const char *name = "";
	char buf[INET6_ADDRSTRLEN + 4];

	if (scope == RT_SCOPE_HOST || scope == RT_SCOPE_LINK)
		return 0;
	for (size_t i = 0; i < g->n; i++)
		if (g->link[i].index == ifindex)
			name = g->link[i].name;
	if (str_eq(name, "lo"))
		return 0;
	v = realloc(g->info->addrs, (g->info->n_addrs + 1) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	g->info->addrs = v;
	v += g->info->n_addrs++;
	memset(v, 0, sizeof(*v));
	snprintf(v->ifname, sizeof(v->ifname), "%s", name);
	v->family = a->family;
	v->prefix = a->prefix;
	snprintf(v->text, sizeof(v->text), "%s", net_addr_print(a, true, buf));
	return 0;
}

/* Host names and anti-spoofing of the interfaces that the state file records. */
static void add_host_side(const struct state *s, struct lxmgr_info *info)
{
	struct netlink *nl = NULL;

	for (size_t i = 0; i < info->n_links; i++)
		for (size_t k = 0; k < s->n_net; k++) {
			struct lxmgr_info_link *l = &info->links[i];

			if (!str_eq(s->net[k].name, l->ifname) || !*s->net[k].host_name)
				continue;
			snprintf(l->host_ifname, sizeof(l->host_ifname), "%s", s->net[k].host_name);
			if (!nl && netlink_open(&nl, NULL) < 0)
				continue;
			snprintf(l->antispoof, sizeof(l->antispoof), "%s",
				 antispoof_is_on(nl, s->net[k].host_index) ? "on"
				 : ns_is_nested()			   ? "not enforceable"
									   : "off");
		}
	netlink_close(nl);
}

/* One socket in the container's network namespace answers both questions. */
static void add_network(const struct state *s, struct lxmgr_info *info)
{
	cleanup_fd int pidfd = state_init_pidfd(s), ns = -EBADF;
	struct gather g = { .info = info };
	struct netlink *nl = NULL;

	if (pidfd < 0 || ns_is_ours(s->init_pid, NS_NET))
		return;
	ns = ns_open(s->init_pid, NS_NET);
	/* The pid may have been reused between the two: the pidfd tells. */
	if (ns < 0 || poll(&(struct pollfd){ .fd = pidfd, .events = POLLIN }, 1, 0) > 0)
		return;
	if (netlink_open_in(ns, &nl, NULL) < 0)
		return;
	if (link_list(nl, see_link, &g) == 0)
		addr_list(nl, see_addr, &g);
	netlink_close(nl);
}

static bool is_configured(const struct state *s, const char *ifname)
{
	for (size_t k = 0; k < s->n_net; k++)
		if (str_eq(s->net[k].name, ifname))
			return true;
	return false;
}

/* The interfaces of its config, and none that it made itself. A veth's end on the host counts the
 * same the other way round, and nobody has to enter the container for it. */
static void add_traffic(const struct state *s, struct lxmgr_info *info)
{
	struct netlink *nl = NULL;
	size_t n = 0;

	for (size_t k = 0; k < s->n_net; k++)
		n += *s->net[k].host_name != '\0';
	if (n < s->n_net) {
		add_network(s, info);
		n = 0;
		for (size_t i = 0; i < info->n_links; i++)
			if (is_configured(s, info->links[i].ifname))
				info->links[n++] = info->links[i];
		info->n_links = n;
		return;
	}
	if (!n || netlink_open(&nl, NULL) < 0)
		return;
	for (size_t k = 0; k < s->n_net; k++) {
		struct lxmgr_info_link *v;
		struct link_info l;

		/* Another link may have its name by now. */
		if (link_get(nl, s->net[k].host_name, &l) < 0 || l.index != s->net[k].host_index)
			continue;
		v = add_link(info, s->net[k].name, l.tx_bytes, l.rx_bytes);
		if (v)
			snprintf(v->host_ifname, sizeof(v->host_ifname), "%s", l.name);
	}
	netlink_close(nl);
}

static void add_stats(const struct state *s, struct lxmgr_info *info)
{
	struct cgroup_stats st;
	struct cgroup cg;

	if (!*s->cgroup || cgroup_open_counters(&cg, s->cgroup, s->cgroup_inner, NULL) < 0)
		return;
	if (cgroup_stats(&cg, &st, NULL) == 0) {
		info->cpu_ns = st.cpu_ns;
		info->memory = st.memory;
		info->memory_limit = st.memory_limit == LIMIT_MAX ? LXMGR_UNKNOWN : st.memory_limit;
		info->kmem = st.kmem;
		info->swap = st.swap;
		info->pids = st.pids;
		info->pids_limit = st.pids_limit == LIMIT_MAX ? LXMGR_UNKNOWN : st.pids_limit;
		info->io_read = st.io_read;
		info->io_write = st.io_write;
	}
	cgroup_close(&cg);
}

static void add_config(struct lxmgr_container *c, struct lxmgr_info *info)
{
	cleanup_strbuf struct strbuf groups = { 0 };

	if (container_load_config(c, NULL) < 0)
		return;
	info->autostart = c->config.start_auto;
	info->unprivileged = c->config.idmap_policy != IDMAP_NONE;
	for (size_t i = 0; i < c->config.groups.n; i++)
		strbuf_addf(&groups, "%s%s", i ? "," : "", c->config.groups.v[i]);
	free(info->groups);
	info->groups = strbuf_take(&groups);
}

static void add_storage(struct lxmgr_container *c, struct lxmgr_info *info)
{
	struct storage st;

	if (container_load_config(c, NULL) < 0)
		return;
	if (storage_open(&st, c->dir_fd, &c->config.storage, NULL) == 0) {
		free(info->backend);
		free(info->image);
		info->backend = strdup(st.ops->name);
		info->image = strdup(st.base);
		disk_look(c, &st, &info->disk);
		storage_close(&st);
	}
}

static void init_unknown(struct lxmgr_info *i)
{
	i->cpu_ns = i->memory = i->memory_limit = i->kmem = i->swap = LXMGR_UNKNOWN;
	i->pids = i->pids_limit = i->io_read = i->io_write = LXMGR_UNKNOWN;
	i->disk.bytes = i->disk.inodes = i->disk.max_bytes = i->disk.max_inodes = LXMGR_UNKNOWN;
	i->groups = strdup("");
	i->selinux = strdup("");
	i->backend = strdup("");
	i->image = strdup("");
	i->apparmor = strdup("");
}

static void add_health(const struct lxmgr_container *c, const struct state *s,
		       struct lxmgr_info *info)
{
	struct health h;

	if (health_read(c, s, &h) < 0)
		return;
	info->health = h.healthy ? "healthy" : "unhealthy";
	info->health_failures = h.failures;
	info->health_checked = (uint64_t)h.checked;
	snprintf(info->health_result, sizeof(info->health_result), "%s", h.result);
	snprintf(info->health_output, sizeof(info->health_output), "%s", h.output);
}

static void add_running(const struct state *s, unsigned int what, struct lxmgr_info *info)
{
	info->init_pid = s->init_pid;
	info->waiting = s->waiting;
	info->monitor_alive = s->monitor_alive;
	info->monitor_pid = s->monitor_alive ? s->monitor_pid : 0;
	info->started = (uint64_t)s->started;
	info->unprivileged = !s->privileged;
	free(info->selinux);
	info->selinux = strdup(s->selinux);
	free(info->apparmor);
	info->apparmor = strdup(s->apparmor);
	if (s->idmap.n_uid) {
		info->id_base = s->idmap.uid[0].outside;
		info->id_count = s->idmap.uid[0].count;
	}
	if (what & (LXMGR_INFO_ADDRS | LXMGR_INFO_LINKS))
		add_network(s, info);
	else if (what & LXMGR_INFO_TRAFFIC)
		add_traffic(s, info);
	if (what & LXMGR_INFO_LINKS)
		add_host_side(s, info);
	if (what & LXMGR_INFO_STATS)
		add_stats(s, info);
}

int lxmgr_container_info(struct lxmgr_container *c, unsigned int what, struct lxmgr_info **ret,
			 struct lxmgr_err *err)
{
	struct lxmgr_info *info = calloc(1, sizeof(*info));
	struct state s = { 0 };
	bool stale;
	int r;

	if (!info)
		return err_set(err, -ENOMEM, "info");
	init_unknown(info);
	if (what & LXMGR_INFO_CONFIG)
		add_config(c, info);
	if (what & LXMGR_INFO_STORAGE)
		add_storage(c, info);
	r = state_read(c, &s, &stale, err);
	if (r < 0 && r != -ENOENT) {
		lxmgr_info_free(info);
		return r;
	}
	stale |= r == -ENOENT;
	info->state = public_state(c, stale ? LXMGR_STOPPED : s.state);
	if (!stale)
		add_running(&s, what, info);
	if (!stale && (what & LXMGR_INFO_CONFIG))
		add_health(c, &s, info);
	*ret = info;
	return 0;
}

void lxmgr_info_free(struct lxmgr_info *info)
{
	if (!info)
		return;
	free(info->groups);
	free(info->selinux);
	free(info->backend);
	free(info->image);
	free(info->apparmor);
	free(info->addrs);
	free(info->links);
	free(info);
}
