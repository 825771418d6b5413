/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* LXC's config files. Its keys are ours, so what is here is what must not be taken as it is. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "container/config_value.h"
#include "container/translate_text.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/parse.h"

#define LXC_SHARE "/usr/share/lxc/"

enum what {
	TAKE,
	OURS,  /* what lxmgr does by itself: nothing is said */
	TRUST, /* only if root vouches for the text */
	NEVER, /* it says nothing about another host */
};

struct rule {
	const char *key; /* ends in '.': all that begin so */
	enum what what;
	const char *why;
};

/* The first that fits. */
static const struct rule rules[] = {
	{ "arch", TAKE, NULL },
	{ "uts.name", TAKE, NULL },
	{ "signal.", TAKE, NULL },
	{ "init.", TAKE, NULL },
	{ "execute.cmd", TAKE, NULL },
	{ "sched.core", TAKE, NULL },
	{ "prlimit.", TAKE, NULL },
	{ "sysctl.", TAKE, NULL },
	{ "time.offset.", TAKE, NULL },
	{ "pty.max", TAKE, NULL },
	{ "tty.max", TAKE, NULL },
	{ "cap.drop", TAKE, NULL },
	{ "no_new_privs", TAKE, NULL },
	{ "start.", TAKE, NULL },
	{ "group", TAKE, NULL },
	{ "environment.runtime", TAKE, NULL },
	{ "stop.timeout", TAKE, NULL },
	{ "limit.", TAKE, NULL },
	{ "autodev", OURS, NULL },
	{ "autodev.tmpfs.size", TAKE, NULL },
	{ "tty.dir", OURS, NULL },
	{ "kmsg", OURS, NULL },
	{ "keyring.session", OURS, NULL },
	{ "rootfs.backend", OURS, NULL },
	{ "rootfs.mount", OURS, NULL },
	{ "rootfs.managed", OURS, NULL },
	{ "log.", OURS, NULL },
	{ "apparmor.allow_nesting", TRUST, "containers in it need lxmgr.features = nesting" },
	{ "apparmor.", TRUST, "the profile is this host's affair" },
	{ "selinux.", TRUST, "the label is this host's affair" },
	{ "hook.version", TRUST, "it says how hooks are run" },
	{ "console.", TRUST, "it names a file of the host" },
	{ "cap.keep", TRUST, "it decides about rights" },
	{ "namespace.", TRUST, "it shares what is the host's" },
	{ "proc.", TRUST, "it acts on the host's scheduling and memory" },
	{ "environment.hooks", TRUST, "it is for programs of the host" },
	{ "rootfs.options", NEVER, "its storage is another one here" },
	{ "ephemeral", NEVER, "it would delete the container at its first stop" },
	{ "monitor.", NEVER, "the monitor is lxmgr's own" },
	{ "cgroup.dir", NEVER, "its cgroup is named by lxmgr" },
	{ "cgroup.relative", NEVER, "its cgroup is named by lxmgr" },
	{ "seccomp.notify.", NEVER, "it names a socket of the other host" },
	{ "seccomp.allow_nesting", TRUST, "it decides about rights" },
	{ "mount.fstab", NEVER, "that file is not read: give its lines as lxmgr.mount.entry" },
};

/* Keys of LXC 2.0 and before. */
static const char *const old_names[][2] = {
	{ "utsname", "uts.name" },
	{ "haltsignal", "signal.halt" },
	{ "rebootsignal", "signal.reboot" },
	{ "stopsignal", "signal.stop" },
	{ "init_cmd", "init.cmd" },
	{ "init_uid", "init.uid" },
	{ "init_gid", "init.gid" },
	{ "tty", "tty.max" },
	{ "pts", "pty.max" },
	{ "devttydir", "tty.dir" },
	{ "console", "console.path" },
	{ "mount", "mount.fstab" },
	{ "rootfs", "rootfs.path" },
	{ "id_map", "idmap" },
	{ "aa_profile", "apparmor.profile" },
	{ "aa_allow_incomplete", "apparmor.allow_incomplete" },
	{ "se_context", "selinux.context" },
	{ "seccomp", "seccomp.profile" },
	{ "syslog", "log.syslog" },
	{ "loglevel", "log.level" },
	{ "logfile", "log.file" },
	{ "cap.drop", "cap.drop" },
};

/* Interfaces of the old form: a line that begins another, and names of keys. */
static const char *const old_net[][2] = {
	{ "ipv4", "ipv4.address" },
	{ "ipv6", "ipv6.address" },
};

struct lxc {
	struct translation t;
	unsigned int nets; /* of the old form */
	char *gateway[CONFIG_MAX_NETS][2];
	struct idmap ids;
	uint64_t memory, memsw, quota, period;
	bool has_ids, as_inside; /* as_inside: ids on disk are those inside, in spite of a map */
};

static bool fits(const char *pattern, const char *key)
{
	size_t n = strlen(pattern);

	return pattern[n - 1] == '.' ? str_has_prefix(key, pattern) : str_eq(pattern, key);
}

static const struct rule *find_rule(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (fits(rules[i].key, key))
			return &rules[i];
	return NULL;
}

/* "-1" and 0: none. */
static uint64_t amount(const char *value)
{
	uint64_t n;

	return parse_size(value, &n) == 0 && n < INT64_MAX ? n : 0;
}

/* Control files that a limit of ours says. True: done. */
static bool set_limit(struct lxc *l, const char *file, const char *value)
{
	static const char *const same[][2] = {
		{ "memory.max", "limit.memory" },
		{ "memory.swap.max", "limit.swap" },
		{ "cpu.weight", "limit.cpu.weight" },
		{ "pids.max", "limit.pids" },
	};
	struct translation *t = &l->t;
	char quota[24], period[24];

	for (size_t i = 0; i < ARRAY_SIZE(same); i++)
		if (str_eq(file, same[i][0]))
			return translate_set(t, same[i][1], value), true;
	if (str_eq(file, "memory.limit_in_bytes")) {
		l->memory = amount(value);
	} else if (str_eq(file, "memory.memsw.limit_in_bytes")) {
		l->memsw = amount(value);
	} else if (str_eq(file, "cpu.cfs_quota_us")) {
		l->quota = amount(value);
	} else if (str_eq(file, "cpu.cfs_period_us")) {
		l->period = amount(value);
	} else if (str_eq(file, "cpu.max")) {
		if (sscanf(value, "%20s %20s", quota, period) == 2)
			l->period = amount(period);
		l->quota = amount(quota);
	} else if (str_eq(file, "cpu.shares")) {
		uint64_t shares = amount(value), weight = shares * 100 / 1024;

		if (shares)
			translate_setf(t, "limit.cpu.weight", "%llu",
				       (unsigned long long)(weight < 1	     ? 1
							    : weight > 10000 ? 10000
									     : weight));
	} else {
		return false;
	}
	return true;
}

static void set_cgroup(struct lxc *l, const char *key, const char *file, const char *value)
{
	/* What /dev holds is lxmgr's affair; the old templates listed it in each config. */
	static const char *const usual[] = { "a",	  "a rwm",     "c *:* m",    "b *:* m",
					     "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm",  "c 1:8 rwm",
					     "c 1:9 rwm", "c 5:0 rwm", "c 5:1 rwm",  "c 5:2 rwm",
					     "c 4:0 rwm", "c 4:1 rwm", "c 136:* rwm" };

	if (set_limit(l, file, value))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(usual) && str_has_prefix(file, "devices."); i++)
		if (str_eq(value, usual[i]))
			return;
	if (l->t.how->trust)
		translate_set(&l->t, key, value);
	else
		translate_note(&l->t, "%s = %s is left out: it acts on the host", key, value);
}

static void set_mount(struct lxc *l, const char *value)
{
	static const char *const own[] = { "proc",   "sysfs",  "cgroup", "cgroup2",
					   "mqueue", "devpts", "debugfs" };
	char source[512], target[512], type[64];

	if (sscanf(value, "%511s %511s %63s", source, target, type) != 3) {
		translate_note(&l->t, "mount.entry is left out: '%.200s' is no entry", value);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (str_eq(type, own[i]))
			return;
	/* LXC's own files have these for every container. */
	if (str_has_prefix(source, "/sys/") || str_has_prefix(source, "/proc/"))
		return;
	if (l->t.how->trust || str_eq(type, "tmpfs"))
		translate_set(&l->t, "mount.entry", value);
	else
		translate_note(&l->t,
			       "mount.entry is left out: it gives '%.200s' of the host to the "
			       "container; if it shall have it: lxmgr.mount.entry = %.300s",
			       source, value);
}

static void set_hook(struct lxc *l, const char *key, const char *value)
{
	char program[512] = "";

	if (sscanf(value, "%511s", program) != 1)
		return;
	/* LXC's own, and lxcfs': lxmgr does what they did. */
	if (str_has_prefix(program, "/usr/share/lxc/hooks/") ||
	    str_has_prefix(program, "/usr/share/lxcfs/"))
		return;
	if (!l->t.how->trust)
		translate_note(&l->t, "%s = %s is left out: a hook is a program of the host", key,
			       value);
	else if (access(program, X_OK) < 0)
		translate_note(&l->t, "%s is left out: there is no program '%s' here", key,
			       program);
	else
		translate_set(&l->t, key, value);
}

static void set_environment(struct lxc *l, const char *value)
{
	/* A bare name would take what the importer's own environment has. */
	if (!strchr(value, '='))
		translate_note(&l->t, "environment = %s is left out: it has no value", value);
	else
		translate_set(&l->t, l->t.how->trust ? "environment" : "environment.runtime",
			      value);
}

static void set_net(struct lxc *l, unsigned int index, const char *key, const char *value)
{
	static const char *const taken[] = { "type",
					     "flags",
					     "link",
					     "name",
					     "hwaddr",
					     "mtu",
					     "ipv4.address",
					     "ipv6.address",
					     "veth.mode",
					     "veth.vlan.id",
					     "veth.vlan.tagged.id" };
	int six = str_eq(key, "ipv6.gateway");

	if (index >= CONFIG_MAX_NETS) {
		translate_note(&l->t, "net.%u.%s is left out: there are too many interfaces", index,
			       key);
		return;
	}
	if (six || str_eq(key, "ipv4.gateway")) {
		free(l->gateway[index][six]);
		l->gateway[index][six] = strdup(value);
		l->t.failed |= !l->gateway[index][six];
		return;
	}
	/* The name on the host is made anew at each start. */
	if (str_eq(key, "veth.pair"))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		if (str_eq(key, taken[i])) {
			translate_net(&l->t, index, key, value);
			return;
		}
	if (l->t.how->trust)
		translate_net(&l->t, index, key, value);
	else
		translate_note(&l->t, "net.%u.%s = %s is left out: it acts on the host", index, key,
			       value);
}

/* "net.0.link", "network.link", "network.0.link" of 2.0. True: it was one. */
static bool net_key(struct lxc *l, const char *key, const char *value)
{
	const char *rest = str_after(key, "net."), *old = str_after(key, "network.");
	unsigned int index;
	char *end;

	if (!rest && !old)
		return false;
	if (old && !(*old >= '0' && *old <= '9')) {
		/* Keys before the first type belong to none. */
		if (str_eq(old, "type"))
			l->nets++;
		else if (!l->nets)
			l->nets = 1;
		for (size_t i = 0; i < ARRAY_SIZE(old_net); i++)
			if (str_eq(old, old_net[i][0]))
				old = old_net[i][1];
		set_net(l, l->nets - 1, old, value);
		return true;
	}
	rest = rest ? rest : old;
	index = strlen(rest) > 3 ? (unsigned int)strtoul(rest, &end, 10) : 0;
	if (strlen(rest) <= 3 || end == rest || *end != '.') {
		translate_note(&l->t, "%s is left out: it is no key of an interface", key);
		return true;
	}
	set_net(l, index, end + 1, value);
	return true;
}

static void set_include(struct lxc *l, const char *value)
{
	if (str_eq(value, LXC_SHARE "config/nesting.conf"))
		translate_set(&l->t, "features", "nesting");
	if (str_has_prefix(value, LXC_SHARE) || str_has_prefix(value, "/usr/local/share/lxc/"))
		return;
	translate_note(&l->t, "include = %s is left out: only the one file is read", value);
}

static void set_seccomp(struct lxc *l, const char *value)
{
	if (str_has_prefix(value, LXC_SHARE))
		return;
	if (l->t.how->trust && access(value, R_OK) == 0)
		translate_set(&l->t, "seccomp.profile", value);
	else
		translate_note(&l->t, "seccomp.profile = %s is left out: lxmgr's own is used",
			       value);
}

static void set_idmap(struct lxc *l, const char *value)
{
	struct lxmgr_err why = { 0 };

	if (idmap_parse_line(value, &l->ids, &why) < 0)
		translate_note(&l->t, "idmap = %s is left out: %s", value, why.text);
	else
		l->has_ids = true;
}

/* LXC's ordinary ones, as generated is ours. */
static bool is_usual_profile(const char *key, const char *value)
{
	return str_eq(key, "apparmor.profile") &&
	       (str_eq(value, "generated") || str_has_prefix(value, "lxc-container-default"));
}

static bool special(struct lxc *l, const char *key, const char *value)
{
	const char *rest;

	if (str_eq(key, "rootfs.path")) {
		free(l->t.to->root);
		l->t.to->root = strdup(value);
		l->t.failed |= !l->t.to->root;
	} else if (str_eq(key, "rootfs.options") && str_eq(value, "idmap=container")) {
		l->as_inside = true;
	} else if (str_eq(key, "include")) {
		set_include(l, value);
	} else if (str_eq(key, "idmap")) {
		set_idmap(l, value);
	} else if (str_eq(key, "mount.entry")) {
		set_mount(l, value);
	} else if (str_eq(key, "mount.auto")) {
		if (strstr(value, ":rw") || strstr(value, "-full"))
			translate_note(&l->t,
				       "mount.auto = %s is left out: /proc, /sys and "
				       "/sys/fs/cgroup are as lxmgr has them",
				       value);
	} else if (str_has_prefix(key, "hook.") && !str_eq(key, "hook.version")) {
		set_hook(l, key, value);
	} else if (is_usual_profile(key, value)) {
		;
	} else if (str_eq(key, "environment")) {
		set_environment(l, value);
	} else if (str_eq(key, "seccomp.profile")) {
		set_seccomp(l, value);
	} else if ((rest = str_after(key, "cgroup2.")) ||
		   ((rest = str_after(key, "cgroup.")) && !str_has_prefix(rest, "dir") &&
		    !str_eq(rest, "relative"))) {
		set_cgroup(l, key, rest, value);
	} else {
		return net_key(l, key, value);
	}
	return true;
}

static void by_rule(struct lxc *l, const char *key, const char *value)
{
	const struct rule *rule = find_rule(key);
	struct translation *t = &l->t;

	if (!rule && !translate_knows(key))
		translate_note(t, "%s is left out: lxmgr has no such key", key);
	else if (!rule)
		translate_note(t, "%s = %s is left out: it is not known to be harmless", key,
			       value);
	else if (rule->what == TAKE || (rule->what == TRUST && t->how->trust))
		translate_set(t, key, value);
	else if (rule->what != OURS)
		translate_note(t, "%s = %s is left out: %s", key, value, rule->why);
}

static void lxc_line(struct translation *t, char *line)
{
	struct lxc *l = (struct lxc *)t;
	char *value = strchr(line, '=');
	const char *key, *rest;
	char name[128];

	if (!*line || *line == '#')
		return;
	if (!value) {
		translate_note(t, "'%.60s' is left out: it is not 'key = value'", line);
		return;
	}
	*value++ = '\0';
	value = str_strip(value);
	key = str_strip(line);
	rest = str_after(key, "lxc.");
	if (!rest)
		rest = str_after(key, "lxmgr.");
	if (!rest) {
		translate_note(t, "'%.60s' is left out: it does not begin with lxc.", key);
		return;
	}
	if (*value == '"' && strlen(value) > 1 && value[strlen(value) - 1] == '"') {
		value[strlen(value) - 1] = '\0';
		value++;
	}
	for (size_t i = 0; i < ARRAY_SIZE(old_names); i++)
		if (str_eq(rest, old_names[i][0]))
			rest = old_names[i][1];
	if (str_has_prefix(rest, "limit.") && !translate_knows(rest)) {
		snprintf(name, sizeof(name), "prlimit.%.100s", rest + strlen("limit."));
		rest = name;
	}
	/* LXC takes back what stood before; what an include brought in is not there. */
	if (*value && !special(l, rest, value))
		by_rule(l, rest, value);
}

/* Kinds that take a part of the host's network are not a guest's to choose. */
static void judge_nets(struct lxc *l)
{
	struct config *have = l->t.have;

	for (size_t i = 0; i < have->n_nets && !l->t.how->trust; i++) {
		struct net_spec *n = &have->nets[i], plain;

		if (n->type == NET_VETH || n->type == NET_EMPTY)
			continue;
		translate_note(&l->t,
			       "net.%u is an interface at lxmgr's own bridge now: one of type %s "
			       "takes a part of the host's network",
			       n->index, net_types[n->type]->name);
		config_net_init(&plain, n->index);
		plain.type = NET_VETH;
		plain.up = n->up;
		memcpy(plain.name, n->name, sizeof(plain.name));
		free(n->script_up);
		free(n->script_down);
		*n = plain;
		for (int k = 0; k < 2 && n->index < CONFIG_MAX_NETS; k++) {
			free(l->gateway[n->index][k]);
			l->gateway[n->index][k] = NULL;
		}
	}
}

static void lxc_end(struct translation *t)
{
	struct lxc *l = (struct lxc *)t;
	struct lxmgr_err why = { 0 };

	judge_nets(l);
	for (unsigned int i = 0; i < CONFIG_MAX_NETS; i++)
		for (int six = 0; six < 2; six++) {
			const char *gw = l->gateway[i][six];

			if (gw && (str_eq(gw, "auto") || str_eq(gw, "dev")))
				translate_net(t, i, six ? "ipv6.gateway" : "ipv4.gateway", gw);
			else if (gw)
				translate_gateway(t, i, six ? AF_INET6 : AF_INET, gw);
		}
	if (l->memory)
		translate_setf(t, "limit.memory", "%llu", (unsigned long long)l->memory);
	if (l->memsw > l->memory)
		translate_setf(t, "limit.swap", "%llu", (unsigned long long)(l->memsw - l->memory));
	if (l->quota)
		translate_cpus(t, l->quota * 1000 / (l->period ? l->period : 100000));
	if (!l->has_ids)
		translate_note(t, "it had no user namespace and gets one: lxmgr.idmap = none is "
				  "as it was");
	else if (idmap_check(&l->ids, &why) < 0)
		translate_note(t, "its id map is no map, so ids stay as they lie on disk: %s",
			       why.text);
	else if (!l->as_inside)
		t->to->ids = l->ids;
}

int translate_lxc(const char *text, size_t len, const struct translate_how *how,
		  struct translated *ret, struct lxmgr_err *err)
{
	struct lxc *l = calloc(1, sizeof(*l));
	int r = l ? translate_run(text, len, how, ret, lxc_line, lxc_end, &l->t, err)
		  : err_set(err, -ENOMEM, "%s", how->name);

	for (size_t i = 0; l && i < CONFIG_MAX_NETS; i++) {
		free(l->gateway[i][0]);
		free(l->gateway[i][1]);
	}
	free(l);
	return r;
}
