/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/personality.h>

#include "container/enter.h"
#include "container/plan.h"
#include "kernel/caps.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/paths.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const int share_order[4] = { NS_NET, NS_IPC, NS_UTS, NS_PID };

static int plan_idmap(const struct config *cfg, uint32_t base, uint32_t count, struct plan *p,
		      struct lxmgr_err *err)
{
	switch (cfg->idmap_policy) {
	case IDMAP_NONE:
		return 0;
	case IDMAP_AUTO:
		p->map_storage = !cfg->storage.ids_shifted;
		return idmap_add_both(&p->map, 0, base, count);
	case IDMAP_EXPLICIT:
		p->map = cfg->idmap;
		/* LXC's meaning: without idmap=container the ids on disk are shifted already. */
		p->map_storage = cfg->storage.idmap_container;
		return idmap_check(&p->map, err);
	}
	return -EINVAL;
}

static bool has_net_none(const struct config *cfg)
{
	return cfg->n_nets == 1 && cfg->nets[0].type == NET_NONE;
}

static int plan_namespaces(const struct config *cfg, const struct lxmgr_start_opts *opts,
			   struct plan *p, struct lxmgr_err *err)
{
	int flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET |
		    CLONE_NEWCGROUP;

	if (cfg->ns_clone)
		flags = cfg->ns_clone;
	flags &= ~cfg->ns_keep;
	if (has_net_none(cfg))
		flags &= ~CLONE_NEWNET;
	if (p->map.n_uid)
		flags |= CLONE_NEWUSER;
	if (cfg->has_time_boot || cfg->has_time_monotonic)
		flags |= CLONE_NEWTIME;
	for (int i = 0; i < NS_COUNT; i++)
		if (cfg->ns_share[i])
			snprintf(p->share[i], sizeof(p->share[i]), "%s", cfg->ns_share[i]);
	for (int i = 0; opts && i < 4; i++)
		if (opts->share[i])
			snprintf(p->share[share_order[i]], sizeof(p->share[0]), "%s",
				 opts->share[i]);
	for (int i = 0; i < NS_COUNT; i++)
		if (*p->share[i])
			flags &= ~ns_table[i].flag;
	/* Without its own mount and pid namespace it is no container: the host's mounts would be
	 * pivoted away, and init would be a process like any other. */
	if (!(flags & CLONE_NEWNS) || *p->share[NS_MNT])
		return err_msg(err, -EINVAL,
			       "the mount namespace cannot be kept or shared (lxmgr.namespace.*)");
	if (*p->share[NS_USER] || *p->share[NS_CGROUP] || *p->share[NS_TIME])
		return err_msg(
			err, -EINVAL,
			"only net, ipc, uts and pid can be shared (lxmgr.namespace.share.*)");
	p->ns_new = flags;
	return 0;
}

/* Of a variable that is set twice the last stays: programs differ in which they take. */
static void drop_older(struct strlist *env)
{
	size_t n = 0;

	for (size_t i = 0; i < env->n; i++) {
		size_t len = strcspn(env->v[i], "=") + 1, k = i + 1;

		while (k < env->n && strncmp(env->v[i], env->v[k], len) != 0)
			k++;
		if (k < env->n)
			free(env->v[i]);
		else
			env->v[n++] = env->v[i];
	}
	if (env->v)
		env->v[n] = NULL;
	env->n = n;
}

static int plan_env(const struct lxmgr_container *c, struct plan *p)
{
	const struct config *cfg = &c->config;
	int r = 0;

	r |= strlist_add(&p->env, "PATH=" DEFAULT_PATH);
	/* systemd, udev and dpkg scripts know this value and adapt. */
	r |= strlist_add(&p->env, "container=lxc");
	r |= strlist_add(&p->env, "TERM=linux");
	r |= strlist_addf(&p->env, "LXMGR_NAME=%s", c->name);
	if (cfg->start_ready == START_READY_INIT)
		r |= strlist_add(&p->env, "NOTIFY_SOCKET=" START_READY_SOCKET);
	for (size_t i = 0; i < cfg->environment.n; i++)
		r |= strlist_add(&p->env, cfg->environment.v[i]);
	for (size_t i = 0; i < cfg->environment_runtime.n; i++)
		r |= strlist_add(&p->env, cfg->environment_runtime.v[i]);
	drop_older(&p->env);
	return r ? -ENOMEM : 0;
}

/* init.cmd and execute.cmd: words, "..." and '...' keep blanks together. */
static int split_command(const char *cmd, struct strlist *ret, struct lxmgr_err *err)
{
	cleanup_strbuf struct strbuf word = { 0 };
	bool in_word = false;
	char quote = 0;

	for (;; cmd++) {
		if (!*cmd || (!quote && (*cmd == ' ' || *cmd == '\t'))) {
			if (in_word) {
				strbuf_add(&word, "", 0);
				if (word.failed || strlist_add(ret, word.s) < 0)
					return err_set(err, -ENOMEM, "init command");
				strbuf_free(&word);
			}
			in_word = false;
			if (!*cmd)
				break;
			continue;
		}
		in_word = true;
		if (quote && *cmd == quote)
			quote = 0;
		else if (!quote && (*cmd == '"' || *cmd == '\''))
			quote = *cmd;
		else
			strbuf_add(&word, cmd, 1);
	}
	if (quote)
		return err_msg(err, -EINVAL, "init command: a quote is not closed");
	return 0;
}

/* Whom init starts as, and of lxmgr-execute the arguments of the small init in front: its name, and
 * whom it has the command run as. Asked for another than the config's user (init.uid), who may
 * become nobody else, the small init is root, who may also signal what the command becomes. Where
 * root may not change its ids, it starts as that user. */
static int plan_ids(const struct config *cfg, const struct lxmgr_start_opts *opts, struct plan *p)
{
	const uint64_t needs = 1ULL << CAP_SETUID | 1ULL << CAP_SETGID;
	uint32_t uid = cfg->init_uid, gid = cfg->init_gid;
	bool asked;

	p->uid = uid;
	p->gid = gid;
	p->config_user = true;
	if (!opts || !opts->execute)
		return 0;
	asked = opts->uid != (uid_t)-1 || opts->gid != (gid_t)-1;
	if (asked) {
		uid = opts->uid != (uid_t)-1 ? opts->uid : uid;
		gid = opts->gid != (gid_t)-1 ? opts->gid : gid;
		p->config_user = false;
		p->uid = (p->caps & needs) == needs ? 0 : uid;
		p->gid = (p->caps & needs) == needs ? 0 : gid;
	}
	if (p->uid == uid && p->gid == gid)
		uid = gid = (uint32_t)-1;
	return strlist_add(&p->argv, "lxmgr-init") | strlist_addf(&p->argv, "%u", uid) |
	       strlist_addf(&p->argv, "%u", gid);
}

static int plan_argv(const struct config *cfg, const struct lxmgr_start_opts *opts, struct plan *p,
		     struct lxmgr_err *err)
{
	const char *cmd = cfg->init_cmd ? cfg->init_cmd : "/sbin/init";

	if (plan_ids(cfg, opts, p) < 0)
		return err_set(err, -ENOMEM, "command");
	if (opts && opts->argv && opts->argv[0]) {
		for (size_t i = 0; opts->argv[i]; i++)
			if (strlist_add(&p->argv, opts->argv[i]) < 0)
				return err_set(err, -ENOMEM, "command");
		return 0;
	}
	if (opts && opts->execute) {
		cmd = cfg->execute_cmd;
		if (!cmd)
			return err_status(err, STATUS_USAGE, -EINVAL,
					  "no command given, and lxmgr.execute.cmd is not set");
	}
	if (split_command(cmd, &p->argv, err) < 0)
		return -EINVAL;
	return p->argv.n ? 0 : err_msg(err, -EINVAL, "the init command is empty");
}

static int plan_personality(const struct config *cfg, struct plan *p, struct lxmgr_err *err)
{
	static const char *const bits32[] = { "x86",  "i386",	"i486",	  "i586",
					      "i686", "athlon", "linux32" };
	static const char *const bits64[] = { "x86_64", "amd64", "linux64" };

	p->personality = 0xffffffff;
	if (!cfg->arch)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(bits32); i++)
		if (!strcasecmp(cfg->arch, bits32[i]))
			p->personality = PER_LINUX32;
	for (size_t i = 0; i < ARRAY_SIZE(bits64); i++)
		if (!strcasecmp(cfg->arch, bits64[i]))
			p->personality = PER_LINUX;
	if (p->personality == 0xffffffff)
		return err_msg(err, -EINVAL, "architecture '%s' cannot run here (lxmgr.arch)",
			       cfg->arch);
	return 0;
}

int plan_make(const struct lxmgr_container *c, const struct lxmgr_start_opts *opts, uint32_t base,
	      uint32_t count, const char *level, struct plan *p, struct lxmgr_err *err)
{
	const struct config *cfg = &c->config;
	int r;

	memset(p, 0, sizeof(*p));
	r = plan_idmap(cfg, base, count, p, err);
	if (r == 0)
		r = plan_namespaces(cfg, opts, p, err);
	if (r == 0)
		r = enter_caps(cfg, &p->caps, err);
	if (r == 0)
		r = plan_argv(cfg, opts, p, err);
	if (r == 0)
		r = plan_personality(cfg, p, err);
	if (r == 0)
		r = label_make(cfg, level, &p->label, err);
	if (r == 0) {
		p->lsm = label_apply(cfg, &p->label);
		r = lsm_check(&p->lsm, &p->lsm_notice, err);
	}
	if (r == 0 && plan_env(c, p) < 0)
		r = err_set(err, -ENOMEM, "environment");
	if (r < 0) {
		plan_free(p);
		return r;
	}
	p->root_uid = p->map.n_uid ? idmap_uid_out(&p->map, 0) : 0;
	p->root_gid = p->map.n_gid ? idmap_gid_out(&p->map, 0) : 0;
	snprintf(p->hostname, sizeof(p->hostname), "%s", cfg->uts_name ? cfg->uts_name : c->name);
	snprintf(p->mountpoint, sizeof(p->mountpoint), "%s",
		 cfg->storage.mountpoint ? cfg->storage.mountpoint : STAGEDIR "/r");
	snprintf(p->lsm_name, sizeof(p->lsm_name), "lxmgr-%s", c->tag);
	p->apparmor = lsm_apparmor_label(&cfg->lsm, p->lsm_name);
	p->lsm.apparmor = (char *)(p->apparmor ? p->apparmor : "unchanged");
	return 0;
}

void plan_free(struct plan *p)
{
	strlist_free(&p->argv);
	strlist_free(&p->env);
}

static void print_list(struct strbuf *b, const char *key, const struct strlist *l)
{
	for (size_t i = 0; i < l->n; i++) {
		char line[1024];

		strbuf_addf(b, "%s: %s\n", key, str_escape(line, sizeof(line), l->v[i]));
	}
}

static void print_nets(struct strbuf *b, const struct config *cfg)
{
	for (size_t i = 0; i < cfg->n_nets; i++) {
		const struct net_spec *n = &cfg->nets[i];
		char buf[INET6_ADDRSTRLEN + 4];

		strbuf_addf(b, "net.%u: %s", n->index, net_types[n->type]->name);
		if (*n->link)
			strbuf_addf(b, " link %s", n->link);
		for (size_t k = 0; k < n->n_addr; k++)
			strbuf_addf(b, " %s", net_addr_print(&n->addr[k], false, buf));
		if (n->managed)
			strbuf_addf(b, " managed");
		strbuf_addf(b, "\n");
	}
}

static void print_limit(struct strbuf *b, const char *key, uint64_t value)
{
	if (value == LIMIT_MAX)
		strbuf_addf(b, "%s: max\n", key);
	else if (value != LIMIT_UNSET)
		strbuf_addf(b, "%s: %llu\n", key, (unsigned long long)value);
}

int plan_print(const struct lxmgr_container *c, const struct plan *p, char **ret)
{
	const struct config *cfg = &c->config;
	cleanup_strbuf struct strbuf b = { 0 };

	strbuf_addf(&b, "container: %s\nhostname: %s\nnamespaces:", c->name, p->hostname);
	for (int i = 0; i < NS_COUNT; i++)
		if (p->ns_new & ns_table[i].flag)
			strbuf_addf(&b, " %s", ns_table[i].name);
	strbuf_addf(&b, "\n");
	for (int i = 0; i < NS_COUNT; i++)
		if (*p->share[i])
			strbuf_addf(&b, "share.%s: %s\n", ns_table[i].name, p->share[i]);
	for (size_t i = 0; i < p->map.n_uid; i++)
		strbuf_addf(&b, "idmap: u %u %u %u\n", p->map.uid[i].inside, p->map.uid[i].outside,
			    p->map.uid[i].count);
	for (size_t i = 0; i < p->map.n_gid; i++)
		strbuf_addf(&b, "idmap: g %u %u %u\n", p->map.gid[i].inside, p->map.gid[i].outside,
			    p->map.gid[i].count);
	strbuf_addf(&b, "rootfs: %s%s\n",
		    cfg->storage.path && *cfg->storage.path ? cfg->storage.path : "built-in",
		    p->map_storage ? " (id-mapped)" : "");
	print_limit(&b, "limit.memory", cfg->cgroup.limit[LIMIT_MEMORY]);
	print_limit(&b, "limit.swap", cfg->cgroup.limit[LIMIT_SWAP]);
	print_limit(&b, "limit.cpus (thousandths)", cfg->cgroup.limit[LIMIT_CPUS]);
	print_limit(&b, "limit.cpu.burst (thousandths)", cfg->cgroup.limit[LIMIT_CPU_BURST]);
	print_limit(&b, "limit.cpu.weight", cfg->cgroup.limit[LIMIT_CPU_WEIGHT]);
	print_limit(&b, "limit.pids", cfg->cgroup.limit[LIMIT_PIDS]);
	for (size_t i = 0; i < IO_LIMITS; i++)
		print_limit(&b, cgroup_io_keys[i], cfg->cgroup.io[i]);
	if (cfg->cgroup.cpuset)
		strbuf_addf(&b, "limit.cpuset: %s\n", cfg->cgroup.cpuset);
	print_limit(&b, "limit.disk", cfg->limit_disk);
	print_limit(&b, "limit.inodes", cfg->limit_inodes);
	for (size_t i = 0; i < cfg->n_mounts; i++) {
		cleanup_free char *m = mount_spec_print(&cfg->mounts[i]);

		strbuf_addf(&b, "mount: %s\n", m ? m : "");
	}
	print_nets(&b, cfg);
	strbuf_addf(&b, "caps:");
	for (int i = 0; i <= caps_last(); i++)
		if (p->caps >> i & 1)
			strbuf_addf(&b, " %s", caps_name(i));
	strbuf_addf(&b, "\nseccomp: %s\n", cfg->seccomp_profile ? cfg->seccomp_profile : "default");
	if (*p->label.process)
		strbuf_addf(&b, "selinux: %s\n", p->label.process);
	if (p->apparmor)
		strbuf_addf(&b, "apparmor: %s\n", p->apparmor);
	if (p->lsm_notice)
		strbuf_addf(&b, "notice: %s\n", p->lsm_notice);
	if (p->label.notice)
		strbuf_addf(&b, "notice: %s\n", p->label.notice);
	if (p->label.warning)
		strbuf_addf(&b, "warning: %s\n", p->label.warning);
	print_list(&b, "argv", &p->argv);
	print_list(&b, "env", &p->env);
	*ret = strbuf_take(&b);
	return *ret ? 0 : -ENOMEM;
}
