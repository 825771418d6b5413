/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes of a running container: freezer, control files, devices; and of its saved config. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "container/audit.h"
#include "container/inside.h"
#include "container/autostart.h"
#include "container/container.h"
#include "container/schedule.h"
#include "container/units.h"
#include "kernel/fsids.h"
#include "kernel/mount.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/str.h"

#define FREEZE_TIMEOUT_MS 30000
#define INSIDE_TIMEOUT_MS 30000

static int open_running(struct lxmgr_container *c, struct state *s, struct cgroup *cg,
			struct lxmgr_err *err)
{
	bool stale;
	int r = state_read(c, s, &stale, err);

	if (r == -ENOENT || (r == 0 && stale))
		return err_status(err, STATUS_WRONG_STATE, -ESRCH, "container '%s' is not running",
				  c->name);
	if (r < 0)
		return r;
	if (!*s->cgroup)
		return err_msg(err, -ENOENT, "container '%s' has no cgroup", c->name);
	return cgroup_open(cg, s->cgroup, s->cgroup_inner, err);
}

/* One that is frozen and not known to be would be thawed by whoever goes in. */
static int record(struct lxmgr_container *c, enum lxmgr_state state, struct lxmgr_err *err)
{
	int r = state_set(c, state);

	return r < 0 ? err_set(err, r, "record that '%s' is %s", c->name, lxmgr_state_name(state))
		     : 0;
}

static int freeze_now(struct lxmgr_container *c, struct cgroup *cg, enum lxmgr_state was,
		      struct lxmgr_err *err)
{
	int r = record(c, LXMGR_FREEZING, err);

	if (r == 0)
		r = cgroup_freeze(cg, true, FREEZE_TIMEOUT_MS, err);
	if (r == 0)
		r = record(c, LXMGR_FROZEN, err);
	/* A freeze that did not succeed is taken back. */
	if (r < 0 && was != LXMGR_FROZEN) {
		cgroup_freeze(cg, false, 1000, NULL);
		state_set(c, LXMGR_RUNNING);
	}
	return r;
}

static int thaw_now(struct lxmgr_container *c, struct cgroup *cg, struct lxmgr_err *err)
{
	int r = cgroup_freeze(cg, false, FREEZE_TIMEOUT_MS, err);

	if (r < 0)
		return r;
	state_set(c, LXMGR_THAWED);
	return record(c, LXMGR_RUNNING, err);
}

static int set_frozen(struct lxmgr_container *c, bool freeze, struct lxmgr_err *err)
{
	cleanup_fd int lock = container_lock(c, CONTAINER_LOCK_TIMEOUT_MS, err);
	struct cgroup cg;
	struct state s;
	int r;

	if (lock < 0)
		return lock;
	r = open_running(c, &s, &cg, err);
	if (r < 0)
		return r;
	/* With the lock, who was about to freeze it or has just thawed it was killed. */
	if (s.state != LXMGR_RUNNING && s.state != LXMGR_FROZEN && s.state != LXMGR_THAWED &&
	    s.state != LXMGR_FREEZING)
		r = err_status(err, STATUS_WRONG_STATE, -EBUSY, "container '%s' is %s", c->name,
			       lxmgr_state_name(s.state));
	else
		r = freeze ? freeze_now(c, &cg, s.state, err) : thaw_now(c, &cg, err);
	cgroup_close(&cg);
	return r;
}

int lxmgr_container_freeze(struct lxmgr_container *c, struct lxmgr_err *err)
{
	return audit(c, "freeze", NULL, set_frozen(c, true, err), err);
}

int lxmgr_container_unfreeze(struct lxmgr_container *c, struct lxmgr_err *err)
{
	return audit(c, "unfreeze", NULL, set_frozen(c, false, err), err);
}

static int control_file(struct lxmgr_container *c, const char *file, const char *value, char **ret,
			struct lxmgr_err *err)
{
	struct cgroup cg;
	struct state s;
	int r = open_running(c, &s, &cg, err);

	if (r < 0)
		return r;
	r = value ? cgroup_set(&cg, file, value, err) : cgroup_get(&cg, file, ret, err);
	cgroup_close(&cg);
	return r;
}

int lxmgr_container_cgroup(struct lxmgr_container *c, const char *file, const char *value,
			   char **ret, struct lxmgr_err *err)
{
	char buf[AUDIT_CHANGES];
	int r = control_file(c, file, value, ret, err);

	return value ? audit(c, "cgroup",
			     audit_changes(&(struct lxmgr_change){ file, value }, 1, buf), r, err)
		     : r;
}

struct device_bind {
	const struct idmap *map;
	const char *dest;
	int mnt;
	bool add;
};

/* A bind mount of the host's node in the container's /dev.
 * Namespaces here: the host's, but for the container's mount namespace. */
static int bind_inside(int root, void *data, struct lxmgr_err *err)
{
	const struct device_bind *b = data;
	cleanup_fd int target = -EBADF;
	int r;

	if (b->map->n_uid) {
		r = fsids_set(idmap_uid_out(b->map, 0), idmap_gid_out(b->map, 0), err);
		if (r < 0)
			return r;
	}
	if (b->add) {
		target = mount_open_target(root, b->dest, MOUNT_CREATE_FILE, false, err);
		return target < 0 ? target : mount_attach(b->mnt, target, b->dest, err);
	}
	target = open_in(root, b->dest, OPEN_NO_LINKS, O_PATH, 0);
	if (target < 0)
		return err_set(err, target, "open '%s' in the container", b->dest);
	r = sys_umount2(b->dest, 2 /* MNT_DETACH */);
	return r < 0 ? err_set(err, r, "unmount '%s' in the container", b->dest) : 0;
}

static int device_node(struct lxmgr_container *c, bool add, const char *dev, const char *dest,
		       struct lxmgr_err *err)
{
	cleanup_fd int host = open(dev, O_PATH | O_CLOEXEC), mnt = -EBADF;
	struct cgroup_device_rule rule = {
		.allow = add, .read = true, .write = true, .mknod = true
	};
	struct cgroup cg;
	struct state s;
	struct stat st;
	int r;

	if (host < 0 || fstat(host, &st) < 0)
		return err_set(err, -errno, "open '%s'", dev);
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_msg(err, -ENODEV, "'%s' is no device", dev);
	rule.type = S_ISCHR(st.st_mode) ? 'c' : 'b';
	rule.major = major(st.st_rdev);
	rule.minor = minor(st.st_rdev);
	r = open_running(c, &s, &cg, err);
	if (r < 0)
		return r;
	if (add) {
		mnt = mount_clone(host, "", false, err);
		r = mnt < 0 ? mnt : cgroup_device(&cg, &rule, err);
	}
	if (r == 0) {
		struct device_bind b = { &s.idmap, dest, mnt, add };

		r = inside_run(&s, INSIDE_TIMEOUT_MS, bind_inside, &b, err);
	}
	if (r == 0 && !add)
		r = cgroup_device(&cg, &rule, err);
	cgroup_close(&cg);
	return r;
}

static int move_interface(struct lxmgr_container *c, bool add, const char *name, const char *dest,
			  struct lxmgr_err *err)
{
	cleanup_fd int ns = -EBADF, own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	struct netlink *nl = NULL;
	struct link_info l;
	struct state s;
	bool stale;
	int r = state_read(c, &s, &stale, err);

	if (r < 0 || stale)
		return err_status(err, STATUS_WRONG_STATE, -ESRCH, "container '%s' is not running",
				  c->name);
	ns = ns_open(s.init_pid, NS_NET);
	if (ns < 0)
		return err_set(err, ns, "open the container's network namespace");
	r = add ? netlink_open(&nl, err) : netlink_open_in(ns, &nl, err);
	if (r < 0)
		return r;
	r = link_get(nl, name, &l);
	if (r == 0)
		r = link_move(nl, l.index, add ? ns : own, dest);
	if (r < 0)
		err_set(err, r, "move the interface '%s'", name);
	netlink_close(nl);
	return r;
}

static int device(struct lxmgr_container *c, bool add, const char *dev, const char *dest,
		  struct lxmgr_err *err)
{
	cleanup_fd int lock = container_lock(c, CONTAINER_LOCK_TIMEOUT_MS, err);

	if (lock < 0)
		return lock;
	if (*dev == '/')
		return device_node(c, add, dev, dest ? dest : dev, err);
	if (!ifname_is_valid(dev))
		return err_status(err, STATUS_USAGE, -EINVAL,
				  "'%s' is neither the path of a device nor an interface", dev);
	return move_interface(c, add, dev, dest ? dest : dev, err);
}

int lxmgr_container_device(struct lxmgr_container *c, bool add, const char *dev, const char *dest,
			   struct lxmgr_err *err)
{
	return audit(c, add ? "device, add" : "device, remove", dev, device(c, add, dev, dest, err),
		     err);
}

int lxmgr_container_get_item(struct lxmgr_container *c, const char *key, char **ret,
			     struct lxmgr_err *err)
{
	int r = container_load_config(c, err);

	return r < 0 ? r : config_get(&c->config, key, ret, err);
}

int lxmgr_container_get_running_item(struct lxmgr_container *c, const char *key, char **ret,
				     struct lxmgr_err *err)
{
	int r;

	/* The saved one may have been read before. */
	if (c->config_loaded)
		config_free(&c->config);
	c->config_loaded = false;
	r = container_load_running_config(c, err);
	return r < 0 ? r : config_get(&c->config, key, ret, err);
}

static int edit(struct lxmgr_container *c, const char *key, const char *value,
		struct lxmgr_err *err)
{
	cleanup_fd int lock = -EBADF;

	if (c->dir_fd < 0)
		return err_status(err, STATUS_NO_CONTAINER, -ENOENT,
				  "container '%s' does not exist", c->name);
	lock = container_lock(c, CONTAINER_LOCK_TIMEOUT_MS, err);
	return lock < 0 ? lock : container_edit_config(c, key, value, err);
}

static int set_item(struct lxmgr_container *c, const char *key, const char *value,
		    struct lxmgr_err *err)
{
	return edit(c, key, value, err);
}

int lxmgr_container_set_item(struct lxmgr_container *c, const char *key, const char *value,
			     struct lxmgr_err *err)
{
	char buf[AUDIT_CHANGES];
	const struct lxmgr_change change = { key, value };

	audit_changes(&change, 1, buf);
	return audit(c, "config", buf, set_item(c, key, value, err), err);
}

static int clear_item(struct lxmgr_container *c, const char *key, struct lxmgr_err *err)
{
	return edit(c, key, NULL, err);
}

int lxmgr_container_clear_item(struct lxmgr_container *c, const char *key, struct lxmgr_err *err)
{
	return audit(c, "config, clear", key, clear_item(c, key, err), err);
}

const struct lxmgr_key *lxmgr_config_key(size_t i)
{
	static struct lxmgr_key key;
	const struct config_key_info *k = config_key(i);

	if (!k)
		return NULL;
	key = (struct lxmgr_key){ k->name, k->type, k->help, k->is_list, k->ours };
	return &key;
}
