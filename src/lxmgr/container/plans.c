/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Plans of slices: files of limits that many containers have alike. (plan.c is that of a start.) */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "container/container.h"
#include "container/plans.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/paths.h"
#include "util/str.h"

#define PLANS	   SYSCONFDIR "/plans"
#define PLAN_LIMIT 65536
#define MIB	   (1ULL << 20)

void lxmgr_plan_free(struct lxmgr_plan *p)
{
	free(p->keys);
	free(p->text);
	*p = (struct lxmgr_plan){ NULL };
}

/* What a slice is sold as, and lxmgr-set changes at once. */
static bool is_of_plans(const char *key)
{
	return str_has_prefix(key, "lxmgr.limit.") || str_has_prefix(key, "lxmgr.snapshot.");
}

static int add_key(struct lxmgr_plan *p, const char *key, const char *value, struct lxmgr_err *err)
{
	struct lxmgr_change *v;

	if (!is_of_plans(key))
		return err_msg(err, -EINVAL,
			       "a plan has no '%.80s', only lxmgr.limit.* and lxmgr.snapshot.*",
			       key);
	for (size_t i = 0; i < p->n; i++)
		if (str_eq(p->keys[i].key, key))
			return err_msg(err, -EINVAL, "'%.80s' is there twice", key);
	v = realloc(p->keys, (p->n + 1) * sizeof(*v));
	if (!v)
		return err_set(err, -ENOMEM, "plan");
	p->keys = v;
	v[p->n++] = (struct lxmgr_change){ key, *value ? value : NULL };
	return 0;
}

/* Its values go into *as, which tells what they are, and whether they are. */
static int parse(struct lxmgr_plan *p, struct config *as, const char *path, struct lxmgr_err *err)
{
	char *rest = p->text, *key, *value;
	unsigned int n = 0;
	int e;

	while ((e = str_next_setting(&rest, &n, &key, &value)) > 0) {
		int r = add_key(p, key, value, err);

		if (r == 0)
			r = config_set(as, key, value, err);
		if (r < 0) {
			err_prefix(err, "%s:%u", path, n);
			return r;
		}
	}
	return e < 0 ? err_msg(err, e, "%s:%u: '%.80s' is not KEY = VALUE", path, n, key) : 0;
}

static int read_plan(const char *name, struct lxmgr_plan *ret, struct config *as,
		     struct lxmgr_err *err)
{
	cleanup_free char *path = str_printf("%s/%s.conf", PLANS, name);
	int r;

	*ret = (struct lxmgr_plan){ NULL };
	if (!name_is_valid(name))
		return err_status(err, STATUS_USAGE, -EINVAL, "'%.80s' is no plan's name", name);
	if (!path)
		return err_set(err, -ENOMEM, "plan");
	r = read_file_at(AT_FDCWD, path, PLAN_LIMIT, &ret->text, NULL);
	if (r == -ENOENT)
		return err_status(err, STATUS_USAGE, r, "there is no plan '%s' (%s)", name, path);
	if (r < 0)
		return err_set(err, r, "read '%s'", path);
	r = parse(ret, as, path, err);
	if (r < 0)
		lxmgr_plan_free(ret);
	return r;
}

int lxmgr_plan_read(const char *name, struct lxmgr_plan *ret, struct lxmgr_err *err)
{
	struct config as;
	int r;

	config_init(&as);
	r = read_plan(name, ret, &as, err);
	config_free(&as);
	return r;
}

int lxmgr_plan_list(char ***ret_names, size_t *ret_n, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist names = { 0 };
	cleanup_dir DIR *d = opendir(PLANS);
	struct dirent *e;

	if (!d && errno != ENOENT)
		return err_set(err, -errno, "open '%s'", PLANS);
	while (d && (e = readdir(d))) {
		char *dot = strrchr(e->d_name, '.');

		if (!dot || !str_eq(dot, ".conf"))
			continue;
		*dot = '\0';
		if (name_is_valid(e->d_name) && strlist_add(&names, e->d_name) < 0)
			return err_set(err, -ENOMEM, "plans");
	}
	strlist_sort(&names);
	*ret_n = names.n;
	*ret_names = take_ptr(names.v);
	names.n = 0;
	return 0;
}

int lxmgr_container_plan(struct lxmgr_container *c, const char *name, unsigned int flags,
			 lxmgr_set_fn *fn, void *arg, struct lxmgr_err *err)
{
	cleanup_plan struct lxmgr_plan plan = { NULL };
	cleanup_free struct lxmgr_change *all = NULL;
	int r = lxmgr_plan_read(name, &plan, err);

	if (r < 0)
		return r;
	all = malloc((plan.n + 1) * sizeof(*all));
	if (!all)
		return err_set(err, -ENOMEM, "plan");
	for (size_t i = 0; i < plan.n; i++)
		all[i] = plan.keys[i];
	all[plan.n] = (struct lxmgr_change){ "lxmgr.plan", name };
	return lxmgr_container_set(c, all, plan.n + 1, flags, fn, arg, err);
}

/* Which of its keys have another value; both as a config has them. */
static int compare(struct lxmgr_container *c, const struct lxmgr_plan *plan,
		   const struct config *as, lxmgr_set_fn *fn, void *arg, struct lxmgr_err *err)
{
	int n = 0;

	for (size_t i = 0; i < plan->n; i++) {
		cleanup_free char *have = NULL, *want = NULL;
		int r = config_get(&c->config, plan->keys[i].key, &have, err);

		if (r == 0)
			r = config_get(as, plan->keys[i].key, &want, err);
		if (r)
			return r;
		if (str_eq(have, want))
			continue;
		n++;
		if (fn)
			fn(plan->keys[i].key, have, want, arg);
	}
	return n;
}

int lxmgr_container_plan_diff(struct lxmgr_container *c, const char *name, lxmgr_set_fn *fn,
			      void *arg, struct lxmgr_err *err)
{
	cleanup_plan struct lxmgr_plan plan = { NULL };
	struct config as;
	int r = container_load_config(c, err);

	if (r < 0)
		return r;
	if (!name)
		name = c->config.plan;
	if (!name)
		return err_msg(err, -ENOENT, "container '%s' has no plan", c->name);
	config_init(&as);
	r = read_plan(name, &plan, &as, err);
	if (r == 0)
		r = compare(c, &plan, &as, fn, arg, err);
	config_free(&as);
	return r;
}

static uint64_t number_in(const char *path)
{
	char text[32];
	uint64_t n;

	return read_small(AT_FDCWD, path, text, sizeof(text)) > 0 && parse_u64(text, &n) == 0
		       ? n
		       : UINT64_MAX;
}

/* The host keeps a sixteenth of its memory, at least a quarter of a gigabyte, a tenth of its
 * process numbers and a twentieth of its disk. */
int lxmgr_plan_split(const char *path, unsigned int n, char **ret, struct lxmgr_err *err)
{
	uint64_t threads = number_in("/proc/sys/kernel/threads-max");
	uint64_t pids = number_in("/proc/sys/kernel/pid_max"), memory, keep, swap, disk, cpus;
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	cleanup_strbuf struct strbuf b = { 0 };
	struct sysinfo host;
	struct statvfs fs;

	path = path ? path : STATEDIR;
	if (sysinfo(&host) < 0 || online < 1)
		return err_set(err, -errno, "look at the host");
	if (statvfs(path, &fs) < 0)
		return err_set(err, -errno, "look at '%s'", path);
	memory = (uint64_t)host.totalram * host.mem_unit;
	keep = memory / 16 > 256 * MIB ? memory / 16 : 256 * MIB;
	memory = n && memory > keep ? (memory - keep) / n / MIB : 0;
	cpus = n ? (uint64_t)online * 1000 / n : 0;
	pids = n ? (threads < pids ? threads : pids) / 10 * 9 / n : 0;
	if (memory < 4 || cpus < 10 || pids < 16)
		return err_status(err, STATUS_USAGE, -ERANGE,
				  "this host has no %u parts that a container could run in", n);
	swap = (uint64_t)host.totalswap * host.mem_unit / n / MIB;
	disk = (uint64_t)fs.f_blocks * fs.f_frsize / 20 * 19 / n / MIB;
	strbuf_addf(&b, "# One of %u equal parts of this host.\n", n);
	strbuf_addf(&b, "lxmgr.limit.memory = %lluM\n", (unsigned long long)memory);
	if (swap)
		strbuf_addf(&b, "lxmgr.limit.swap = %lluM\n", (unsigned long long)swap);
	strbuf_addf(&b, "lxmgr.limit.cpus = %llu.%03llu\n", (unsigned long long)cpus / 1000,
		    (unsigned long long)cpus % 1000);
	strbuf_addf(&b, "lxmgr.limit.pids = %llu\n", (unsigned long long)pids);
	strbuf_addf(&b,
		    "# Where a root can be limited (lxmgr-disk(1)):\n"
		    "# lxmgr.limit.disk = %lluM\n",
		    (unsigned long long)disk);
	*ret = strbuf_take(&b);
	return *ret ? 0 : err_set(err, -ENOMEM, "plan");
}
