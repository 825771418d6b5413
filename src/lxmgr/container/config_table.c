/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The key table: a new key is one line here and its entry in lxmgr.container.conf(5). */
#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "container/config_value.h"
#include "util/cleanup.h"
#include "util/parse.h"

#define C(field) offsetof(struct config, field)
#define N(field) offsetof(struct net_spec, field)

static const char *const start_ready[] = { "exec", "init", NULL };
static const char *const lxcfs_policies[] = { "auto", "0", "1", NULL };
static const char *const start_restarts[] = { "no", "on-failure", "always", NULL };
static const char *const health_actions[] = { "none", "restart", "stop", "kill", NULL };
static const char *const veth_modes[] = { "bridge", "router", NULL };
static const char *const macvlan_modes[] = { "private", "vepa", "bridge", "passthru", NULL };
static const char *const ipvlan_modes[] = { "l3", "l3s", "l2", NULL };
static const char *const ipvlan_isolations[] = { "bridge", "private", "vepa", NULL };

/* clang-format off */
const struct config_key config_keys[] = {
	/* identity and init */
	{ "arch", &value_arch, C(arch), "architecture (personality) of the container" },
	{ "uts.name", &value_hostname, C(uts_name), "host name; default the container's name" },
	{ "signal.halt", &value_signal, C(signal_halt), "asks init to halt" },
	{ "signal.reboot", &value_signal, C(signal_reboot), "asks init to reboot" },
	{ "signal.stop", &value_signal, C(signal_stop), "ends init by force" },
	{ "init.cmd", &value_string, C(init_cmd), "init program and its arguments" },
	{ "init.cwd", &value_path, C(init_cwd), "working directory of init" },
	{ "init.uid", &value_u32, C(init_uid), "user id of init inside" },
	{ "init.gid", &value_u32, C(init_gid), "group id of init inside" },
	{ "init.groups", &value_groups, 0, "supplementary groups of init" },
	{ "execute.cmd", &value_string, C(execute_cmd), "default command of lxmgr-execute" },
	{ "ephemeral", &value_bool, C(ephemeral), "destroy the container when it stops" },
	{ "protect", &value_bool, C(protect), "neither destroyed nor reinstalled", NULL, KEY_OURS },
	{ "suspended", &value_bool, C(suspended), "not started", NULL, KEY_OURS },
	{ "sched.core", &value_bool, C(sched_core), "a core scheduling domain of its own" },
	{ "proc.", &value_pairs_proc, C(proc), "write /proc/PID/FILE of init", NULL, KEY_FAMILY },
	{ "prlimit.", &value_rlimit, 0, "resource limit of init", NULL, KEY_FAMILY },
	{ "sysctl.", &value_pairs_sysctl, C(sysctls), "sysctl of the container's namespaces", NULL, KEY_FAMILY },
	{ "time.offset.boot", &value_time_boot, C(time_boot_ns), "offset of the boot clock" },
	{ "time.offset.monotonic", &value_time_monotonic, C(time_monotonic_ns), "offset of the monotonic clock" },
	/* terminals */
	{ "pty.max", &value_u32, C(pty_max), "number of ptys in the container's devpts" },
	{ "tty.max", &value_u32, C(tty_max), "number of /dev/ttyN" },
	{ "tty.dir", &value_string, C(tty_dir), "directory below /dev for the terminals" },
	{ "console.path", &value_string, C(console_path), "'none': no console" },
	{ "console.logfile", &value_path, C(console_logfile), "file that gets the console's output" },
	{ "console.size", &value_size, C(console_size), "bound of that file" },
	{ "console.rotate", &value_bool, C(console_rotate), "keep one old file at the bound" },
	{ "console.buffer.size", &value_size, C(console_buffer_size), "memory ring of the console's output" },
	{ "autodev", &value_bool, C(autodev), "/dev is a tmpfs filled by lxmgr" },
	{ "autodev.tmpfs.size", &value_size, C(autodev_tmpfs_size), "size of that tmpfs" },
	/* mounts and root */
	{ "mount.fstab", &value_path, C(mount_fstab), "file of mount entries" },
	{ "mount.entry", &value_mount, 0, "one mount entry" },
	{ "mount.auto", &value_api, C(api), "/proc, /sys and /sys/fs/cgroup" },
	{ "lxcfs", &value_enum, C(lxcfs), "/proc shows the container's limits: auto, 0 or 1", lxcfs_policies, KEY_OURS },
	{ "rootfs.path", &value_rootfs, 0, "root file system" },
	{ "rootfs.mount", &value_path, C(storage.mountpoint), "where it is put together" },
	{ "rootfs.options", &value_rootfs_options, 0, "mount options of the root" },
	{ "rootfs.managed", &value_bool, C(storage.managed), "lxmgr may change and delete it" },
	/* cgroups and limits */
	{ "limit.memory", &value_limit_size, C(cgroup.limit[LIMIT_MEMORY]), "memory limit", NULL, KEY_OURS },
	{ "limit.swap", &value_limit_size, C(cgroup.limit[LIMIT_SWAP]), "swap beyond the memory limit", NULL, KEY_OURS },
	{ "limit.cpus", &value_cpus, C(cgroup.limit[LIMIT_CPUS]), "CPU time, in CPUs", NULL, KEY_OURS },
	{ "limit.cpu.burst", &value_burst, C(cgroup.limit[LIMIT_CPU_BURST]), "CPU time beyond that, of what was left over", NULL, KEY_OURS },
	{ "limit.cpuset", &value_cpuset, C(cgroup.cpuset), "CPUs that it may use", NULL, KEY_OURS },
	{ "limit.cpu.weight", &value_weight, C(cgroup.limit[LIMIT_CPU_WEIGHT]), "share of contended CPU time", NULL, KEY_OURS },
	{ "limit.pids", &value_limit_pids, C(cgroup.limit[LIMIT_PIDS]), "number of processes and threads", NULL, KEY_OURS },
	{ "limit.io.read", &value_limit_disk, C(cgroup.io[IO_READ]), "bytes a second from each disk of the root", NULL, KEY_OURS },
	{ "limit.io.write", &value_limit_disk, C(cgroup.io[IO_WRITE]), "bytes a second to each disk of the root", NULL, KEY_OURS },
	{ "limit.iops.read", &value_limit_count, C(cgroup.io[IO_READ_OPS]), "reads a second from each disk of the root", NULL, KEY_OURS },
	{ "limit.iops.write", &value_limit_count, C(cgroup.io[IO_WRITE_OPS]), "writes a second to each disk of the root", NULL, KEY_OURS },
	{ "limit.io.weight", &value_weight, C(cgroup.io[IO_WEIGHT]), "share of a disk that is busy", NULL, KEY_OURS },
	{ "limit.disk", &value_limit_disk, C(limit_disk), "what the root may take on disk", NULL, KEY_OURS },
	{ "limit.inodes", &value_limit_count, C(limit_inodes), "number of files, directories and links in the root", NULL, KEY_OURS },
	{ "cgroup.dir", &value_string, C(cgroup.dir), "cgroup of the container" },
	{ "cgroup.dir.container", &value_string, C(cgroup.dir_container), "cgroup that carries the limits" },
	{ "cgroup.dir.container.inner", &value_string, C(cgroup.dir_inner), "cgroup that the container owns" },
	{ "cgroup.dir.monitor", &value_refused, 0, "the monitor's cgroup cannot be chosen" },
	{ "cgroup.dir.monitor.pivot", &value_refused, 0, "the monitor's cgroup cannot be chosen" },
	{ "cgroup.relative", &value_bool, C(cgroup.relative), "below the caller's cgroup" },
	{ "cgroup.", &value_cgroup1, 0, "control file of a v1 controller", NULL, KEY_FAMILY },
	{ "cgroup2.", &value_cgroup2, 0, "control file of cgroup v2", NULL, KEY_FAMILY },
	/* privileges */
	{ "cap.drop", &value_words, C(cap_drop), "capabilities that are dropped" },
	{ "cap.keep", &value_words, C(cap_keep), "the only capabilities that are kept" },
	{ "namespace.clone", &value_ns_mask, C(ns_clone), "the only namespaces that are made" },
	{ "namespace.keep", &value_ns_mask, C(ns_keep), "namespaces that stay the caller's" },
	{ "namespace.share.", &value_ns_share, 0, "namespace of another container or process", NULL, KEY_FAMILY },
	{ "idmap", &value_idmap, 0, "id map, or none" },
	{ "apparmor.profile", &value_string, C(lsm.apparmor), "AppArmor profile" },
	{ "apparmor.allow_incomplete", &value_bool, C(lsm.apparmor_incomplete), "start with incomplete AppArmor support" },
	{ "apparmor.allow_nesting", &value_bool, C(lsm.apparmor_nesting), "profile allows nested containers" },
	{ "apparmor.raw", &value_apparmor_raw, C(lsm.apparmor_raw), "line of the generated profile" },
	{ "selinux.context", &value_string, C(lsm.selinux), "SELinux context of init, generated or unchanged" },
	{ "selinux.context.keyring", &value_string, C(lsm.selinux_keyring), "SELinux context of its keyring" },
	{ "selinux.file", &value_string, C(lsm.selinux_file), "SELinux context of its files", NULL, KEY_OURS },
	{ "keyring.session", &value_bool, C(keyring_session), "a new session keyring" },
	{ "seccomp.profile", &value_string, C(seccomp_profile), "policy file, default or none" },
	{ "seccomp.allow_nesting", &value_bool, C(seccomp_allow_nesting), "load it beside an inherited filter" },
	{ "seccomp.notify.proxy", &value_refused, 0, "user notification has no receiver yet" },
	{ "seccomp.notify.cookie", &value_refused, 0, "user notification has no receiver yet" },
	{ "features", &value_features, C(features), "what it may have beyond the default", NULL, KEY_OURS },
	{ "no_new_privs", &value_bool, C(no_new_privs), "no privileges are gained by exec" },
	/* hooks, environment, log */
	{ "hook.version", &value_u32, C(hook_version), "0: by arguments, 1: by environment" },
	{ "hook.pre-start", &value_list, C(hooks[HOOK_PRE_START]), "on the host, before anything is made" },
	{ "hook.pre-mount", &value_list, C(hooks[HOOK_PRE_MOUNT]), "in the staging namespace, before the root" },
	{ "hook.mount", &value_list, C(hooks[HOOK_MOUNT]), "in the container, after its mounts" },
	{ "hook.autodev", &value_list, C(hooks[HOOK_AUTODEV]), "in the container, after /dev" },
	{ "hook.start-host", &value_list, C(hooks[HOOK_START_HOST]), "on the host, just before init" },
	{ "hook.start", &value_list, C(hooks[HOOK_START]), "in the container, just before init" },
	{ "hook.stop", &value_list, C(hooks[HOOK_STOP]), "on the host, when init has ended" },
	{ "hook.post-stop", &value_list, C(hooks[HOOK_POST_STOP]), "on the host, when all is taken back" },
	{ "hook.clone", &value_list, C(hooks[HOOK_CLONE]), "on the host, for a copy" },
	{ "hook.destroy", &value_list, C(hooks[HOOK_DESTROY]), "on the host, before it is destroyed" },
	{ "environment", &value_env, C(environment), "for init and hooks" },
	{ "environment.runtime", &value_env, C(environment_runtime), "for init" },
	{ "environment.hooks", &value_env, C(environment_hooks), "for hooks" },
	{ "log.level", &value_loglevel, C(log_level), "level of the trace" },
	{ "log.file", &value_path, C(log_file), "file of the trace" },
	{ "log.syslog", &value_string, C(log_syslog), "also to this syslog facility" },
	/* start */
	{ "start.auto", &value_bool, C(start_auto), "start at boot" },
	{ "start.delay", &value_seconds, C(start_delay), "seconds to wait after it" },
	{ "start.ready", &value_enum, C(start_ready), "when a start is done: exec, or init (it says so itself)", start_ready, KEY_OURS },
	{ "start.order", &value_u32, C(start_order), "higher starts earlier" },
	{ "start.after", &value_names, C(start_after), "containers that are started before it", NULL, KEY_OURS },
	{ "start.restart", &value_enum, C(start_restart), "start it again when it ends by itself", start_restarts, KEY_OURS },
	{ "group", &value_words, C(groups), "groups for autostart and ls" },
	{ "monitor.unshare", &value_bool, C(monitor_unshare), "the monitor always has a mount namespace of its own while it starts" },
	{ "monitor.signal.pdeath", &value_signal, C(monitor_signal_pdeath), "sent to init when the monitor dies" },
	/* health */
	{ "health.cmd", &value_string, C(health_cmd), "shell command inside that tells whether it is well", NULL, KEY_OURS },
	{ "health.interval", &value_duration, C(health_interval_ms), "time between two checks", NULL, KEY_OURS },
	{ "health.timeout", &value_duration, C(health_timeout_ms), "time that a check may take", NULL, KEY_OURS },
	{ "health.failures", &value_u32, C(health_failures), "failures in a row that make it unhealthy", NULL, KEY_OURS },
	{ "health.action", &value_enum, C(health_action), "what is done then", health_actions, KEY_OURS },
	/* network */
	{ "net.[i].type", &value_net_type, N(type), "type of the interface", NULL, KEY_NET },
	{ "net.[i].flags", &value_net_flags, N(up), "up", NULL, KEY_NET },
	{ "net.[i].link", &value_ifname, N(link), "bridge or parent on the host", NULL, KEY_NET },
	{ "net.[i].name", &value_ifname, N(name), "name inside", NULL, KEY_NET },
	{ "net.[i].hwaddr", &value_mac, N(mac), "MAC; x is a random digit", NULL, KEY_NET },
	{ "net.[i].mtu", &value_mtu, N(mtu), "MTU", NULL, KEY_NET },
	{ "net.[i].l2proxy", &value_bool, N(l2proxy), "answer for the container on the parent", NULL, KEY_NET },
	{ "net.[i].ipv4.address", &value_addr4, N(addr), "IPv4 address/prefix", NULL, KEY_NET },
	{ "net.[i].ipv4.gateway", &value_gw4, N(gw4), "IPv4 gateway", NULL, KEY_NET },
	{ "net.[i].ipv6.address", &value_addr6, N(addr), "IPv6 address/prefix", NULL, KEY_NET },
	{ "net.[i].ipv6.gateway", &value_gw6, N(gw6), "IPv6 gateway", NULL, KEY_NET },
	{ "net.[i].script.up", &value_string, N(script_up), "run on the host when it is there", NULL, KEY_NET },
	{ "net.[i].script.down", &value_string, N(script_down), "run on the host when it goes", NULL, KEY_NET },
	{ "net.[i].antispoof", &value_bool, N(antispoof), "only its own addresses may be sent from", NULL, KEY_NET | KEY_OURS },
	{ "net.[i].rate.in", &value_rate, N(rate_in), "bits a second to the container", NULL, KEY_NET | KEY_OURS },
	{ "net.[i].rate.out", &value_rate, N(rate_out), "bits a second from the container", NULL, KEY_NET | KEY_OURS },
	{ "net.[i].veth.pair", &value_ifname, N(veth_pair), "name of the host end", NULL, KEY_NET },
	{ "net.[i].veth.mode", &value_enum, N(veth_mode), "bridge or router", veth_modes, KEY_NET },
	{ "net.[i].veth.n_rxqueues", &value_u32, N(n_rxqueues), "receive queues", NULL, KEY_NET },
	{ "net.[i].veth.n_txqueues", &value_u32, N(n_txqueues), "send queues", NULL, KEY_NET },
	{ "net.[i].veth.ipv4.route", &value_route4, N(route), "route on the host", NULL, KEY_NET },
	{ "net.[i].veth.ipv6.route", &value_route6, N(route), "route on the host", NULL, KEY_NET },
	{ "net.[i].veth.vlan.id", &value_vlan_none, N(veth_vlan_id), "VLAN of the port of a bridge that filters", NULL, KEY_NET },
	{ "net.[i].veth.vlan.tagged.id", &value_vlan_tagged, N(veth_vlan_tagged), "tagged VLANs of the port of a bridge that filters", NULL, KEY_NET },
	{ "net.[i].vlan.id", &value_vlan_id, N(vlan_id), "VLAN of a vlan interface", NULL, KEY_NET },
	{ "net.[i].macvlan.mode", &value_enum, N(macvlan_mode), "macvlan mode", macvlan_modes, KEY_NET },
	{ "net.[i].ipvlan.mode", &value_enum, N(ipvlan_mode), "ipvlan mode", ipvlan_modes, KEY_NET },
	{ "net.[i].ipvlan.isolation", &value_enum, N(ipvlan_isolation), "ipvlan isolation", ipvlan_isolations, KEY_NET },
	/* ours */
	{ "version", &value_u32, C(config_version), "version of the file's format", NULL, KEY_OURS },
	{ "stop.timeout", &value_duration, C(stop_timeout_ms), "time for a clean halt", NULL, KEY_OURS },
	{ "description", &value_string, C(description), "free text", NULL, KEY_OURS },
	{ "owner", &value_string, C(owner), "whose it is, free text", NULL, KEY_OURS },
	{ "tag", &value_words, C(tags), "words for whoever looks for it", NULL, KEY_OURS },
	{ "plan", &value_string, C(plan), "plan that its limits are of", NULL, KEY_OURS },
	{ "template", &value_string, C(template_name), "template it was made from", NULL, KEY_OURS },
	{ "nameserver", &value_words, C(nameservers), "resolvers written into the guest", NULL, KEY_OURS },
	{ "snapshot.schedule", &value_schedule, C(snapshot_schedule), "when snapshots are made by themselves", NULL, KEY_OURS },
	{ "snapshot.keep", &value_keep, C(snapshot_keep), "how many of those are kept", NULL, KEY_OURS },
	{ "checkpoint", &value_bool, C(checkpoint), "keep it ready for checkpoints", NULL, KEY_OURS },
};
/* clang-format on */
const size_t config_n_keys = ARRAY_SIZE(config_keys);

const struct config_key_info *config_key(size_t i)
{
	static struct config_key_info info;

	if (i >= config_n_keys)
		return NULL;
	info = (struct config_key_info){
		.name = config_keys[i].name,
		.type = config_keys[i].type->name,
		.help = config_keys[i].help,
		.is_list = config_keys[i].type->is_list,
		.ours = config_keys[i].flags & KEY_OURS,
	};
	return &info;
}

/* "net.12.type": its index and the rest. NULL if it is none. */
static const char *net_rest(const char *name, long *ret_index)
{
	const char *p = str_after(name, "net.");
	long index = 0;

	if (!p || !isdigit((unsigned char)*p))
		return NULL;
	for (; isdigit((unsigned char)*p) && index < 100000; p++)
		index = index * 10 + (*p - '0');
	if (*p != '.')
		return NULL;
	*ret_index = index;
	return p + 1;
}

const struct config_key *config_find(const char *name, const char **ret_suffix, long *ret_net)
{
	const char *rest = net_rest(name, ret_net);

	*ret_suffix = "";
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *k = &config_keys[i];
		const char *suffix;

		if (k->flags & KEY_NET) {
			if (rest && str_eq(rest, k->name + strlen("net.[i].")))
				return k;
		} else if (!(k->flags & KEY_FAMILY)) {
			if (str_eq(name, k->name)) {
				*ret_net = -1;
				return k;
			}
		} else if ((suffix = str_after(name, k->name)) && *suffix) {
			*ret_net = -1;
			*ret_suffix = suffix;
			return k;
		}
	}
	return NULL;
}

void config_net_init(struct net_spec *n, unsigned int index)
{
	memset(n, 0, sizeof(*n));
	n->index = index;
	n->type = NET_EMPTY;
	n->veth_vlan_id = -1;
	n->antispoof = true;
	n->macvlan_mode = NET_MACVLAN_PRIVATE;
}

struct net_spec *config_net(struct config *c, unsigned long index, bool make)
{
	size_t i = 0;

	while (i < c->n_nets && c->nets[i].index < index)
		i++;
	if (i < c->n_nets && c->nets[i].index == index)
		return &c->nets[i];
	if (!make || c->n_nets == CONFIG_MAX_NETS || index > 65535)
		return NULL;
	/* In the order of their indexes, whatever the order of the lines. */
	memmove(&c->nets[i + 1], &c->nets[i], (c->n_nets - i) * sizeof(c->nets[0]));
	c->n_nets++;
	config_net_init(&c->nets[i], (unsigned int)index);
	return &c->nets[i];
}
