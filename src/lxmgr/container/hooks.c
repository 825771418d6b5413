/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container/hooks.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/paths.h"
#include "util/run.h"
#include "util/str.h"

static const char *const names[HOOK_TYPES] = {
	[HOOK_PRE_START] = "pre-start", [HOOK_PRE_MOUNT] = "pre-mount",	  [HOOK_MOUNT] = "mount",
	[HOOK_AUTODEV] = "autodev",	[HOOK_START_HOST] = "start-host", [HOOK_START] = "start",
	[HOOK_STOP] = "stop",		[HOOK_POST_STOP] = "post-stop",	  [HOOK_CLONE] = "clone",
	[HOOK_DESTROY] = "destroy",
};

const char *hook_name(enum hook_type type)
{
	return names[type];
}

/* Every variable under both names, ours and LXC's. */
static int add(struct strlist *env, const char *name, const char *value)
{
	if (!value)
		return 0;
	if (strlist_addf(env, "LXMGR_%s=%s", name, value) < 0)
		return -ENOMEM;
	return strlist_addf(env, "LXC_%s=%s", name, value);
}

static int add_ns(struct strlist *env, const struct hook_env *h)
{
	for (int i = 0; i < NS_COUNT; i++) {
		char name[32], path[64];

		if (h->ns_fd[i] < 0)
			continue;
		snprintf(name, sizeof(name), "%s_NS", ns_table[i].name);
		for (char *p = name; *p && *p != '_'; p++)
			*p = (char)(*p - ('a' - 'A'));
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), h->ns_fd[i]);
		if (add(env, name, path) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int make_env(struct strlist *env, const char *type, const char *section,
		    const struct hook_env *h)
{
	const struct config *cfg = h->cfg;
	const char *path = getenv("PATH");
	char version[16];
	int r = 0;

	snprintf(version, sizeof(version), "%u", cfg->hook_version);
	r |= strlist_addf(env, "PATH=%s",
			  path ? path
			       : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	r |= add(env, "NAME", h->c->name);
	if (h->c->rcfile) {
		r |= add(env, "CONFIG_FILE", h->c->rcfile);
	} else {
		cleanup_free char *file = str_printf("%s/%s/config", h->c->path, h->c->name);

		r |= file ? add(env, "CONFIG_FILE", file) : -ENOMEM;
	}
	r |= add(env, "ROOTFS_PATH", cfg->storage.path);
	r |= add(env, "ROOTFS_MOUNT", h->rootfs_mount);
	r |= add(env, "CONSOLE", cfg->console_path);
	r |= add(env, "CONSOLE_LOGPATH", cfg->console_logfile);
	r |= add(env, "CGNS_AWARE", "1");
	r |= add(env, "LOG_LEVEL", cfg->log_level);
	r |= add(env, "HOOK_TYPE", type);
	r |= add(env, "HOOK_SECTION", section);
	r |= add(env, "HOOK_VERSION", version);
	r |= add(env, "TARGET", h->target);
	r |= add(env, "SRC_NAME", h->src_name);
	r |= add_ns(env, h);
	for (size_t i = 0; i < cfg->environment.n; i++)
		r |= strlist_add(env, cfg->environment.v[i]);
	for (size_t i = 0; i < cfg->environment_hooks.n; i++)
		r |= strlist_add(env, cfg->environment_hooks.v[i]);
	return r ? -ENOMEM : 0;
}

static void log_lines(const char *what, const char *out)
{
	while (*(out += strspn(out, "\n"))) {
		size_t n = strcspn(out, "\n");

		log_info("%s: %.*s", what, (int)(n < 900 ? n : 900), out);
		out += n;
	}
}

/* In the child: who kills a monitor that hangs in its hook ends the hook, too. */
static int die_with_parent(void *data)
{
	return prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* Run one program; its last line of output is part of the error, since that is what tells why. */
static int run_one(const char *program, struct strlist *args, struct strlist *env, const char *what,
		   struct lxmgr_err *err)
{
	struct run_opts o = RUN_OPTS_INIT;
	cleanup_free char *out = NULL;
	char text[64], last[160] = "";
	int r;

	o.env = (const char *const *)env->v;
	o.capture = 64 * 1024;
	o.prepare = die_with_parent;
	r = run_program((const char *const *)args->v, &o, &out);
	if (r < 0)
		return err_set(err, r, "%s '%s'", what, program);
	if (out && *out) {
		char *nl;

		snprintf(last, sizeof(last), "%s", str_strip(out));
		nl = strrchr(last, '\n');
		if (nl)
			memmove(last, nl + 1, strlen(nl));
		log_lines(what, out);
	}
	if (r == 0)
		return 0;
	err_msg(err, -ECANCELED, "%s '%s' failed: %s", what, program,
		run_status_text(r, text, sizeof(text)));
	if (*last)
		err_hint(err, "%s", last);
	return -ECANCELED;
}

/* What Debian's lxcfs puts into the config of all of LXC's containers; lxmgr.lxcfs does it here,
 * so that lxcfs may die. The stage could not be reached by the first one. */
static bool is_lxcfs_hook(const char *program)
{
	return str_eq(program, "/usr/share/lxcfs/lxc.mount.hook") ||
	       str_eq(program, "/usr/share/lxcfs/lxc.reboot.hook");
}

int hooks_run(enum hook_type type, const struct hook_env *h, struct lxmgr_err *err)
{
	const struct strlist *hooks = &h->cfg->hooks[type];
	cleanup_strlist struct strlist env = { 0 };
	char what[40];

	if (!hooks->n)
		return 0;
	if (make_env(&env, names[type], "lxc", h) < 0)
		return err_set(err, -ENOMEM, "hook %s", names[type]);
	snprintf(what, sizeof(what), "hook %s", names[type]);
	for (size_t i = 0; i < hooks->n; i++) {
		cleanup_strlist struct strlist args = { 0 };
		int r = strlist_split(&args, hooks->v[i], " \t");

		/* Version 0 tells by arguments, version 1 by environment alone. */
		if (r == 0 && h->cfg->hook_version == 0) {
			r |= strlist_add(&args, h->c->name);
			r |= strlist_add(&args, "lxc");
			r |= strlist_add(&args, names[type]);
			if (h->src_name)
				r |= strlist_add(&args, h->src_name);
			for (int n = 0; n < NS_COUNT && type == HOOK_STOP; n++)
				if (h->ns_fd[n] >= 0)
					r |= strlist_addf(&args, "%s:/proc/%d/fd/%d",
							  ns_table[n].name, getpid(), h->ns_fd[n]);
		}
		for (size_t n = 0; h->args && h->args[n]; n++)
			r |= strlist_add(&args, h->args[n]);
		if (r < 0 || !args.n)
			return err_set(err, -ENOMEM, "hook %s", names[type]);
		if (is_lxcfs_hook(args.v[0])) {
			log_info("%s '%s' is left out: see lxmgr.lxcfs", what, args.v[0]);
			continue;
		}
		log_debug("%s: run '%s'", what, hooks->v[i]);
		r = run_one(args.v[0], &args, &env, what, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int hooks_net_script(bool up, const struct hook_env *h, const struct net_spec *spec,
		     const struct net_live *live, struct lxmgr_err *err)
{
	const char *script = up ? spec->script_up : spec->script_down;
	cleanup_strlist struct strlist env = { 0 }, args = { 0 };
	const char *type = net_types[spec->type]->name;
	int r;

	if (!script)
		return 0;
	r = make_env(&env, up ? "up" : "down", "net", h);
	r |= add(&env, "NET_TYPE", type);
	r |= add(&env, "NET_PARENT", *spec->link ? spec->link : NULL);
	r |= add(&env, "NET_PEER", *live->host_name ? live->host_name : NULL);
	r |= strlist_split(&args, script, " \t");
	if (h->cfg->hook_version == 0) {
		r |= strlist_add(&args, h->c->name);
		r |= strlist_add(&args, "net");
		r |= strlist_add(&args, up ? "up" : "down");
		r |= strlist_add(&args, type);
		if (*live->host_name)
			r |= strlist_add(&args, live->host_name);
		else if (*spec->link)
			r |= strlist_add(&args, spec->link);
	}
	if (r || !args.n)
		return err_set(err, -ENOMEM, "network script");
	return run_one(args.v[0], &args, &env, up ? "script.up" : "script.down", err);
}
