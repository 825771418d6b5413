/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/container.h"
#include "container/label.h"
#include "container/mcsalloc.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/log.h"
#include "util/paths.h"
#include "util/str.h"

#define MODULE "semodule -i " DATADIR "/selinux/lxmgr.cil"

/* LXC takes a process that has this type for one that is to stay what it is. */
static bool is_unchanged(const char *context)
{
	return str_eq(context, "unchanged") || str_eq(context, "unconfined_t");
}

static bool is_generated(const struct config *cfg)
{
	return !cfg->lsm.selinux || str_eq(cfg->lsm.selinux, "generated");
}

bool label_is_ours(const struct config *cfg)
{
	return is_generated(cfg) && selinux_is_enabled();
}

static int refuse(const char *key, const char *value, const char *why, struct lxmgr_err *err)
{
	return err_status(err, STATUS_REFUSED, -EINVAL, "%s = %s: %s", key, value, why);
}

static int copy_checked(const char *key, const char *value, char *to, struct lxmgr_err *err)
{
	if (selinux_check_context(value) < 0)
		return refuse(key, value, "this host's SELinux policy knows no such context", err);
	if ((size_t)snprintf(to, SELINUX_CONTEXT_SIZE, "%s", value) >= SELINUX_CONTEXT_SIZE)
		return refuse(key, value, "too long", err);
	return 0;
}

/* A host without SELinux: what asks for a context by name is refused. */
static int without_selinux(const struct config *cfg, struct label *ret, struct lxmgr_err *err)
{
	static const char none[] = "this kernel runs without SELinux";
	const char *context = cfg->lsm.selinux;

	if (context && str_eq(context, "generated"))
		ret->notice = "lxmgr.selinux.context = generated: this kernel runs without "
			      "SELinux, the container starts without a context";
	else if (context && !is_unchanged(context))
		return refuse("lxmgr.selinux.context", context, none, err);
	if (cfg->lsm.selinux_file)
		return refuse("lxmgr.selinux.file", cfg->lsm.selinux_file, none, err);
	if (cfg->lsm.selinux_keyring)
		return refuse("lxmgr.selinux.context.keyring", cfg->lsm.selinux_keyring, none, err);
	return 0;
}

static int make_ours(const struct config *cfg, const char *level, struct label *ret,
		     struct lxmgr_err *err)
{
	/* The rights of a privileged container's root are the host's: its type has fewer. */
	const char *type =
		cfg->idmap_policy == IDMAP_NONE ? "lxmgr_privileged_t" : "lxmgr_container_t";

	snprintf(ret->process, sizeof(ret->process), "system_u:system_r:%s:%s", type, level);
	if (selinux_check_context(ret->process) == 0) {
		snprintf(ret->file, sizeof(ret->file), "system_u:object_r:lxmgr_file_t:%s", level);
		if (!selinux_is_enforcing())
			ret->notice = "SELinux is permissive on this host: what the container does "
				      "against the policy is only logged";
		return 0;
	}
	if (cfg->lsm.selinux)
		return refuse("lxmgr.selinux.context", cfg->lsm.selinux,
			      "SELinux has not loaded lxmgr's policy module; load it: " MODULE,
			      err);
	*ret->process = '\0';
	ret->warning = "SELinux does not confine this container: lxmgr's policy module is not "
		       "loaded; load it: " MODULE;
	return 0;
}

int label_make(const struct config *cfg, const char *level, struct label *ret,
	       struct lxmgr_err *err)
{
	const char *context = cfg->lsm.selinux;
	int r = 0;

	memset(ret, 0, sizeof(*ret));
	if (!selinux_is_enabled())
		return without_selinux(cfg, ret, err);
	if (is_generated(cfg))
		r = make_ours(cfg, level, ret, err);
	else if (!is_unchanged(context))
		r = copy_checked("lxmgr.selinux.context", context, ret->process, err);
	if (r == 0 && cfg->lsm.selinux_file)
		r = copy_checked("lxmgr.selinux.file", cfg->lsm.selinux_file, ret->file, err);
	if (r == 0 && cfg->lsm.selinux_keyring &&
	    selinux_check_context(cfg->lsm.selinux_keyring) < 0)
		r = refuse("lxmgr.selinux.context.keyring", cfg->lsm.selinux_keyring,
			   "this host's SELinux policy knows no such context", err);
	return r;
}

int label_of_files(const struct lxmgr_container *c, char ret[SELINUX_CONTEXT_SIZE],
		   struct lxmgr_err *err)
{
	char id[sizeof(c->path) + sizeof(c->name) + 2], level[MCS_LEVEL_SIZE] = "";
	struct label l = { .file = "" };
	int r = 0;

	snprintf(id, sizeof(id), "%s/%s", c->path, c->name);
	if (label_is_ours(&c->config))
		r = mcs_acquire(id, level, err);
	if (r == 0 && selinux_is_enabled())
		r = label_make(&c->config, level, &l, err);
	snprintf(ret, SELINUX_CONTEXT_SIZE, "%s", l.file);
	return r;
}

struct lsm_spec label_apply(const struct config *cfg, const struct label *label)
{
	struct lsm_spec s = cfg->lsm;

	s.selinux = *label->process ? (char *)label->process : NULL;
	return s;
}

int label_mount(const char *file_label, const char *fstype, char **options)
{
	/* Those whose files have labels of their own, or none. */
	static const char *const takes[] = {
		"tmpfs", "ramfs", "devpts", "overlay", "ext2",	   "ext3", "ext4", "xfs",
		"btrfs", "f2fs",  "vfat",   "iso9660", "squashfs", "nfs",  "nfs4", "cifs",
	};
	size_t i = 0;
	char *text;

	while (i < ARRAY_SIZE(takes) && !str_eq(takes[i], fstype))
		i++;
	if (!*file_label || i == ARRAY_SIZE(takes) || (*options && strstr(*options, "context=")))
		return 0;
	/* In quotes: categories are separated by a comma, as options are. */
	text = str_printf("%s%scontext=\"%s\"", *options ? *options : "", *options ? "," : "",
			  file_label);
	if (!text)
		return -ENOMEM;
	free(*options);
	*options = text;
	return 0;
}

static void report_files(size_t n, void *arg)
{
	const struct label_progress *p = arg;
	char text[64];

	snprintf(text, sizeof(text), "labelling for SELinux: %zu files", n);
	p->fn(text, -1, p->arg);
}

static int label_tree(int fd, const char *context, const struct label_progress *p, const char *what,
		      struct lxmgr_err *err)
{
	struct label_progress copy = *p;
	bool done;
	int r = selinux_label_tree(fd, context, p->fn ? report_files : NULL, &copy, &done, err);

	if (r < 0)
		return err_prefix(err, "label %s for SELinux", what), r;
	if (!done)
		log_info("%s has the label %s now", what, context);
	return 0;
}

/* What others than the container need under the label it has. */
static bool is_system_dir(const char *path)
{
	static const char *const dirs[] = { "/",	"/bin",	    "/boot",	 "/dev",  "/etc",
					    "/home",	"/lib",	    "/opt",	 "/proc", "/root",
					    "/run",	"/sbin",    "/srv",	 "/sys",  "/tmp",
					    "/usr",	"/var",	    "/lib64",	 "/mnt",  "/media",
					    "/var/lib", "/var/log", "/usr/local" };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (str_eq(dirs[i], path))
			return true;
	return false;
}

static int label_volume(const struct mount_spec *m, const char *file_label,
			const struct label_progress *p, struct lxmgr_err *err)
{
	cleanup_free char *path = realpath(m->source, NULL);
	cleanup_fd int fd = path ? open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC) : -EBADF;
	char shared[SELINUX_CONTEXT_SIZE];
	struct stat st;
	char *level;

	if (fd < 0 || fstat(fd, &st) < 0)
		return m->optional ? 0 : err_set(err, -errno, "open '%s'", m->source);
	if (is_system_dir(path))
		return err_status(err, STATUS_REFUSED, -EPERM,
				  "'%s' is the system's: it is not relabelled "
				  "(lxmgr.mount.entry, relabel)",
				  path);
	/* Without categories every container may have it. */
	snprintf(shared, sizeof(shared), "%s", file_label);
	level = m->relabel == RELABEL_SHARED ? strstr(shared, ":s0:") : NULL;
	if (level)
		level[3] = '\0';
	if (S_ISDIR(st.st_mode))
		return label_tree(fd, shared, p, m->source, err);
	return selinux_label_fd(fd, shared, m->source, err);
}

int label_root(const struct config *cfg, int ct_fd, const char *file_label,
	       const struct label_progress *p, struct lxmgr_err *err)
{
	const char *outside = cfg->storage.path;
	cleanup_free char *path = NULL;
	cleanup_fd int fd = -EBADF;
	struct storage st;
	int r;

	if (!*file_label || !cfg->storage.managed)
		return 0;
	path = outside && *outside ? realpath(outside, NULL) : NULL;
	if (path && is_system_dir(path))
		return refuse("lxmgr.rootfs.path", path,
			      "the system's, it is not relabelled for SELinux; say which context "
			      "it is to run with (lxmgr.selinux.context)",
			      err);
	r = storage_open(&st, ct_fd, &cfg->storage, err);
	if (r < 0)
		return r;
	fd = storage_open_labelled(&st, err);
	storage_close(&st);
	/* -EOPNOTSUPP: its mount has the label. */
	if (fd < 0)
		return fd == -EOPNOTSUPP ? 0 : fd;
	return label_tree(fd, file_label, p, "the root file system", err);
}

int label_volumes(const struct config *cfg, const char *file_label, const struct label_progress *p,
		  struct lxmgr_err *err)
{
	int r = 0;

	for (size_t i = 0; *file_label && r == 0 && i < cfg->n_mounts; i++)
		if (cfg->mounts[i].relabel)
			r = label_volume(&cfg->mounts[i], file_label, p, err);
	return r;
}
