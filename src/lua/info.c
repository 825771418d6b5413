/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the library knows, as tables; the names are those of the tools' JSON. */
#include "module.h"

#include <sys/socket.h>

static void push_addresses(lua_State *L, const struct lxmgr_info *f)
{
	lua_createtable(L, (int)f->n_addrs, 0);
	for (size_t i = 0; i < f->n_addrs; i++) {
		const struct lxmgr_info_addr *a = &f->addrs[i];

		lua_newtable(L);
		table_text(L, "interface", a->ifname);
		table_text(L, "family", a->family == AF_INET ? "ipv4" : "ipv6");
		table_text(L, "address", a->text);
		table_number(L, "prefix", a->prefix);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

static void push_links(lua_State *L, const struct lxmgr_info *f)
{
	lua_createtable(L, (int)f->n_links, 0);
	for (size_t i = 0; i < f->n_links; i++) {
		const struct lxmgr_info_link *l = &f->links[i];

		lua_newtable(L);
		table_text(L, "interface", l->ifname);
		table_text(L, "host_interface", l->host_ifname);
		table_text(L, "antispoof", l->antispoof);
		table_number(L, "rx_bytes", l->rx_bytes);
		table_number(L, "tx_bytes", l->tx_bytes);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

static void set_health(lua_State *L, const struct lxmgr_info *f)
{
	if (!f->health)
		return;
	lua_newtable(L);
	table_text(L, "status", f->health);
	table_number(L, "failures", f->health_failures);
	table_number(L, "checked", f->health_checked);
	table_text(L, "result", f->health_result);
	table_text(L, "output", f->health_output);
	lua_setfield(L, -2, "health");
}

void info_push(lua_State *L, const char *name, const struct lxmgr_info *f)
{
	const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
		{ "disk", f->disk.bytes },
		{ "disk_limit", f->disk.max_bytes },
		{ "cpu_ns", f->cpu_ns },
		{ "memory", f->memory },
		{ "memory_limit", f->memory_limit },
		{ "kmem", f->kmem },
		{ "swap", f->swap },
		{ "pids", f->pids },
		{ "pids_limit", f->pids_limit },
		{ "io_read", f->io_read },
		{ "io_write", f->io_write },
		{ "id_base", f->id_base },
		{ "id_count", f->id_count },
		{ "pid", f->init_pid ? (uint64_t)f->init_pid : LXMGR_UNKNOWN },
		{ "monitor_pid", f->monitor_pid ? (uint64_t)f->monitor_pid : LXMGR_UNKNOWN },
		{ "started", f->started ? f->started : LXMGR_UNKNOWN },
	};

	lua_newtable(L);
	table_text(L, "name", name);
	table_text(L, "state", lxmgr_state_name(f->state));
	table_text(L, "backend", f->backend);
	table_text(L, "image", f->image);
	table_text(L, "groups", f->groups);
	table_text(L, "selinux", f->selinux);
	table_text(L, "apparmor", f->apparmor);
	table_bool(L, "unprivileged", f->unprivileged);
	table_bool(L, "autostart", f->autostart);
	table_bool(L, "waiting", f->waiting);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		table_number(L, numbers[i].key, numbers[i].value);
	set_health(L, f);
	push_addresses(L, f);
	lua_setfield(L, -2, "addresses");
	push_links(L, f);
	lua_setfield(L, -2, "links");
}

void autostart_push(lua_State *L, const struct lxmgr_auto *e)
{
	lua_newtable(L);
	table_text(L, "name", e->name);
	table_text(L, "path", e->path);
	table_text(L, "groups", e->groups);
	table_text(L, "state", lxmgr_state_name(e->state));
	table_number(L, "rank", e->rank);
	table_number(L, "order", e->order);
	table_number(L, "delay", e->delay);
	table_bool(L, "autostart", e->autostart);
	table_strings(L, "after", e->after);
}
