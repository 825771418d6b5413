/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct strings configs;
static bool ips, pid, stats, raw, state;

static const struct opt opts[] = {
	{ 'c', "config", OPT_STRINGS, &configs, "KEY", "print a key of the (running) config" },
	{ 'i', "ips", OPT_FLAG, &ips, NULL, "print the addresses" },
	{ 'p', "pid", OPT_FLAG, &pid, NULL, "print the pid of init" },
	{ 'S', "stats", OPT_FLAG, &stats, NULL, "print statistics" },
	{ 'H', "no-humanize", OPT_FLAG, &raw, NULL, "plain values, for scripts" },
	{ 's', "state", OPT_FLAG, &state, NULL, "print the state" },
};

static const struct tool tool = {
	.name = "lxmgr-info",
	.usage = "[-n] NAME [OPTIONS]",
	.summary = "Print what is known of a container.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.has_json = true,
};

static void item(const char *label, const char *value)
{
	if (raw)
		printf("%s\n", tool_text(value));
	else
		printf("%-16s%s\n", label, tool_text(value));
}

static void size_item(const char *label, uint64_t v)
{
	char buf[32];

	if (v == LXMGR_UNKNOWN)
		return;
	snprintf(buf, sizeof(buf), "%llu", (unsigned long long)v);
	item(label, raw ? buf : tool_size(v));
}

static void print_stats(const struct lxmgr_info *f)
{
	char buf[64];

	if (f->cpu_ns != LXMGR_UNKNOWN) {
		if (raw)
			snprintf(buf, sizeof(buf), "%llu", (unsigned long long)f->cpu_ns);
		else
			snprintf(buf, sizeof(buf), "%.2f seconds", (double)f->cpu_ns / 1e9);
		item("CPU use:", buf);
	}
	if (f->io_read != LXMGR_UNKNOWN)
		size_item("BlkIO use:", f->io_read + f->io_write);
	size_item("Memory use:", f->memory);
	size_item("Memory limit:", f->memory_limit);
	size_item("KMem use:", f->kmem);
	size_item("Swap use:", f->swap);
	if (f->pids != LXMGR_UNKNOWN) {
		snprintf(buf, sizeof(buf), "%llu", (unsigned long long)f->pids);
		item("Tasks:", buf);
	}
	for (size_t i = 0; i < f->n_links; i++) {
		item("Link:",
		     *f->links[i].host_ifname ? f->links[i].host_ifname : f->links[i].ifname);
		/* Seen from the host, as LXC prints it: what the container sends comes in. */
		size_item(" TX bytes:", f->links[i].tx_bytes);
		size_item(" RX bytes:", f->links[i].rx_bytes);
		if (!raw)
			item(" Anti-spoofing:", f->links[i].antispoof);
	}
}

static void print_config(struct lxmgr_container *c)
{
	for (size_t i = 0; i < configs.n; i++) {
		struct lxmgr_err err = { 0 };
		char *value = NULL;

		if (lxmgr_container_get_running_item(c, configs.v[i], &value, &err) < 0)
			exit(tool_error(&err));
		tool_value(raw ? NULL : configs.v[i], value);
		free(value);
	}
}

static void print_text(struct lxmgr_container *c, const struct lxmgr_info *f)
{
	bool all = !configs.n && !ips && !pid && !stats && !state;
	char buf[128], health[512];

	if (all && !raw)
		item("Name:", lxmgr_container_name(c));
	if (all || state)
		item("State:", lxmgr_state_name(f->state));
	if ((all || pid) && f->init_pid) {
		snprintf(buf, sizeof(buf), "%d", f->init_pid);
		item("PID:", buf);
	}
	if (all && f->init_pid && !f->monitor_alive)
		item("Monitor:", "gone: no console and no reboot from inside until the next start");
	if (all && f->waiting)
		item("Restart:", "waits before it is started again (lxmgr.start.restart)");
	if (all && f->health) {
		snprintf(health, sizeof(health), "%s, %u failures in a row: %s%s%s", f->health,
			 f->health_failures, f->health_result, *f->health_output ? ": " : "",
			 f->health_output);
		item("Health:", f->health_failures ? health : f->health);
	}
	if (all && f->id_count) {
		snprintf(buf, sizeof(buf), "%u to %u", f->id_base, f->id_base + f->id_count - 1);
		item("Host ids:", buf);
	} else if (all && f->init_pid && !f->unprivileged) {
		item("Host ids:", "privileged: its root is the host's root");
	}
	if (all && *f->selinux)
		item("SELinux:", f->selinux);
	if (all && *f->apparmor)
		item("AppArmor:", f->apparmor);
	if (all && *f->backend) {
		snprintf(buf, sizeof(buf), "%s%s%.12s", f->backend, *f->image ? ", image " : "",
			 f->image);
		item("Storage:", buf);
	}
	if (all) {
		size_item("Disk use:", f->disk.bytes);
		size_item("Disk limit:", f->disk.max_bytes);
	}
	if (all || ips)
		for (size_t i = 0; i < f->n_addrs; i++)
			item("IP:", f->addrs[i].text);
	if (all || stats)
		print_stats(f);
	print_config(c);
}

static json_t *config_json(struct lxmgr_container *c)
{
	json_t *config = json_object();

	for (size_t i = 0; i < configs.n; i++) {
		struct lxmgr_err err = { 0 };
		char *value = NULL;

		if (lxmgr_container_get_running_item(c, configs.v[i], &value, &err) < 0)
			exit(tool_error(&err));
		json_object_set_new(config, configs.v[i], report_text(value));
		free(value);
	}
	return config;
}

static json_t *links_json(const struct lxmgr_info *f)
{
	json_t *links = json_array();

	for (size_t i = 0; i < f->n_links; i++) {
		const struct lxmgr_info_link *l = &f->links[i];

		json_array_append_new(
			links, json_pack("{so so so so ss}", "interface", report_text(l->ifname),
					 "host_interface", report_text(l->host_ifname), "rx_bytes",
					 report_number(l->rx_bytes), "tx_bytes",
					 report_number(l->tx_bytes), "antispoof", l->antispoof));
	}
	return links;
}

static json_t *health_json(const struct lxmgr_info *f)
{
	if (!f->health)
		return json_null();
	return json_pack("{ss sI so so so}", "status", f->health, "failures",
			 (json_int_t)f->health_failures, "checked",
			 report_number(f->health_checked), "result", report_text(f->health_result),
			 "output", report_text(f->health_output));
}

static void print_json(struct lxmgr_container *c, const struct lxmgr_info *f)
{
	json_t *o = json_pack("{ss ss so so sb sb so so so so}", "name", lxmgr_container_name(c),
			      "state", lxmgr_state_name(f->state), "pid", report_pid(f->init_pid),
			      "monitor_pid", report_pid(f->monitor_pid), "unprivileged",
			      f->unprivileged, "autostart", f->autostart, "id_base",
			      report_number(f->id_base), "id_count", report_number(f->id_count),
			      "backend", report_text(f->backend), "image", report_text(f->image));

	json_object_set_new(o, "selinux", *f->selinux ? report_text(f->selinux) : json_null());
	json_object_set_new(o, "groups", report_text(f->groups));
	json_object_set_new(o, "apparmor", report_text(f->apparmor));
	json_object_set_new(o, "started", f->started ? report_number(f->started) : json_null());
	json_object_set_new(o, "cpu_ns", report_number(f->cpu_ns));
	json_object_set_new(o, "memory", report_number(f->memory));
	json_object_set_new(o, "memory_limit", report_number(f->memory_limit));
	json_object_set_new(o, "kmem", report_number(f->kmem));
	json_object_set_new(o, "swap", report_number(f->swap));
	json_object_set_new(o, "pids", report_number(f->pids));
	json_object_set_new(o, "pids_limit", report_number(f->pids_limit));
	json_object_set_new(o, "io_read", report_number(f->io_read));
	json_object_set_new(o, "io_write", report_number(f->io_write));
	json_object_set_new(o, "disk", report_number(f->disk.bytes));
	json_object_set_new(o, "disk_limit", report_number(f->disk.max_bytes));
	json_object_set_new(o, "waiting", json_boolean(f->waiting));
	json_object_set_new(o, "health", health_json(f));
	json_object_set_new(o, "addresses", report_addrs(f));
	json_object_set_new(o, "links", links_json(f));
	json_object_set_new(o, "config", config_json(c));
	report_json(o);
}

int main(int argc, char **argv)
{
	int rest = tool_parse(&tool, argc, argv);
	struct lxmgr_container *c;
	struct lxmgr_info *info = NULL;
	struct lxmgr_err err = { 0 };

	if (rest < argc)
		tool_usage_error("unexpected argument '%s'", tool_text(argv[rest]));
	c = tool_open();
	if (lxmgr_container_info(c, LXMGR_INFO_ALL, &info, &err) < 0)
		return tool_exit(tool_error(&err));
	if (common.json)
		print_json(c, info);
	else
		print_text(c, info);
	lxmgr_info_free(info);
	lxmgr_container_close(c);
	return tool_exit(0);
}
