/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Value types of keys that fill more than one field. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "container/config_value.h"
#include "storage/storage.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/parse.h"

/* One more element of a counted array. */
static int grow(void **array, size_t n, size_t size, struct lxmgr_err *err)
{
	void *p = realloc(*array, (n + 1) * size);

	if (!p)
		return err_set(err, -ENOMEM, "config");
	*array = p;
	memset((char *)p + n * size, 0, size);
	return 0;
}

static int set_idmap(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	struct config *c = v->c;
	int r;

	if (str_eq(value, "none")) {
		if (c->idmap_policy == IDMAP_EXPLICIT)
			return err_msg(err, -EINVAL, "'none' beside id map lines");
		c->idmap_policy = IDMAP_NONE;
		return 0;
	}
	if (str_eq(value, "auto")) {
		memset(&c->idmap, 0, sizeof(c->idmap));
		c->idmap_policy = IDMAP_AUTO;
		return 0;
	}
	if (c->idmap_policy == IDMAP_NONE)
		return err_msg(err, -EINVAL, "an id map line beside 'none'");
	r = idmap_parse_line(value, &c->idmap, err);
	if (r == 0)
		c->idmap_policy = IDMAP_EXPLICIT;
	return r;
}

static void clear_idmap(const struct value_ctx *v)
{
	memset(&v->c->idmap, 0, sizeof(v->c->idmap));
	v->c->idmap_policy = IDMAP_AUTO;
}

static void print_idmap(const struct value_ctx *v, struct strbuf *out)
{
	const struct idmap *m = &v->c->idmap;

	if (v->c->idmap_policy == IDMAP_NONE)
		strbuf_addf(out, "none\n");
	for (size_t i = 0; i < m->n_uid; i++)
		strbuf_addf(out, "u %u %u %u\n", m->uid[i].inside, m->uid[i].outside,
			    m->uid[i].count);
	for (size_t i = 0; i < m->n_gid; i++)
		strbuf_addf(out, "g %u %u %u\n", m->gid[i].inside, m->gid[i].outside,
			    m->gid[i].count);
}

const struct value_type value_idmap = { "id map", set_idmap, clear_idmap, print_idmap, true };

static int set_mount(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	struct config *c = v->c;
	int r = grow((void **)&c->mounts, c->n_mounts, sizeof(*c->mounts), err);

	if (r == 0)
		r = mount_spec_parse(value, &c->mounts[c->n_mounts], err);
	if (r == 0)
		c->n_mounts++;
	return r;
}

static void clear_mount(const struct value_ctx *v)
{
	for (size_t i = 0; i < v->c->n_mounts; i++)
		mount_spec_free(&v->c->mounts[i]);
	free(v->c->mounts);
	v->c->mounts = NULL;
	v->c->n_mounts = 0;
}

static void print_mount(const struct value_ctx *v, struct strbuf *out)
{
	for (size_t i = 0; i < v->c->n_mounts; i++) {
		cleanup_free char *s = mount_spec_print(&v->c->mounts[i]);

		strbuf_addf(out, "%s\n", s ? s : "");
	}
}

const struct value_type value_mount = { "mount entry", set_mount, clear_mount, print_mount, true };

static int set_api(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	return api_spec_parse(value, v->field, err);
}

static void print_api(const struct value_ctx *v, struct strbuf *out)
{
	char buf[128];

	api_spec_print(v->field, buf, sizeof(buf));
	if (*buf)
		strbuf_addf(out, "%s\n", buf);
}

const struct value_type value_api = { "words", set_api, NULL, print_api, false };

static int set_ns_mask(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	return ns_parse_mask(value, v->field, err);
}

static void print_ns_mask(const struct value_ctx *v, struct strbuf *out)
{
	int mask = *(int *)v->field;

	for (int i = 0, first = 1; i < NS_COUNT; i++)
		if (mask & ns_table[i].flag) {
			strbuf_addf(out, "%s%s", first ? "" : " ", ns_table[i].name);
			first = 0;
		}
	if (mask)
		strbuf_addf(out, "\n");
}

const struct value_type value_ns_mask = { "namespaces", set_ns_mask, NULL, print_ns_mask, false };

static int set_ns_share(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	int type = ns_parse(v->suffix);
	char *s;

	if (type < 0)
		return err_msg(err, -EINVAL, "'%s' is no namespace", v->suffix);
	s = strdup(value);
	if (!s)
		return err_set(err, -ENOMEM, "config");
	free(v->c->ns_share[type]);
	v->c->ns_share[type] = s;
	return 0;
}

static void clear_ns_share(const struct value_ctx *v)
{
	for (int i = 0; i < NS_COUNT; i++) {
		if (*v->suffix && ns_parse(v->suffix) != i)
			continue;
		free(v->c->ns_share[i]);
		v->c->ns_share[i] = NULL;
	}
}

static void print_ns_share(const struct value_ctx *v, struct strbuf *out)
{
	for (int i = 0; i < NS_COUNT; i++) {
		if (!v->c->ns_share[i] || (*v->suffix && ns_parse(v->suffix) != i))
			continue;
		if (!*v->suffix)
			strbuf_addf(out, "%s ", ns_table[i].name);
		strbuf_addf(out, "%s\n", v->c->ns_share[i]);
	}
}

const struct value_type value_ns_share = { "NAME, PID or path", set_ns_share, clear_ns_share,
					   print_ns_share, false };

static int set_groups(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist w = { 0 };
	struct config *c = v->c;

	if (strlist_split(&w, value, ", \t") < 0)
		return err_set(err, -ENOMEM, "config");
	for (size_t i = 0; i < w.n; i++) {
		int r = grow((void **)&c->init_groups, c->n_init_groups, sizeof(uint32_t), err);

		if (r < 0)
			return r;
		if (parse_u32(w.v[i], &c->init_groups[c->n_init_groups]) < 0)
			return err_msg(err, -EINVAL, "'%s' is no group id", w.v[i]);
		c->n_init_groups++;
	}
	return 0;
}

static void clear_groups(const struct value_ctx *v)
{
	free(v->c->init_groups);
	v->c->init_groups = NULL;
	v->c->n_init_groups = 0;
}

static void print_groups(const struct value_ctx *v, struct strbuf *out)
{
	for (size_t i = 0; i < v->c->n_init_groups; i++)
		strbuf_addf(out, "%u\n", v->c->init_groups[i]);
}

const struct value_type value_groups = { "group ids", set_groups, clear_groups, print_groups,
					 true };

static int pairs_set(struct config_pairs *p, const char *name, const char *value,
		     struct lxmgr_err *err)
{
	struct config_pair pair = { strdup(name), strdup(value) };
	int r = pair.name && pair.value ? 0 : err_set(err, -ENOMEM, "config");

	for (size_t i = 0; r == 0 && i < p->n; i++)
		if (str_eq(p->v[i].name, name)) {
			free(p->v[i].name);
			free(p->v[i].value);
			p->v[i] = pair;
			return 0;
		}
	if (r == 0)
		r = grow((void **)&p->v, p->n, sizeof(pair), err);
	if (r < 0) {
		free(pair.name);
		free(pair.value);
		return r;
	}
	p->v[p->n++] = pair;
	return 0;
}

static int set_proc(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	int r = procfile_check(v->suffix, err);

	return r < 0 ? r : pairs_set(v->field, v->suffix, value, err);
}

static int set_sysctl(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	int r = sysctl_check(v->suffix, -1, err);

	return r < 0 ? r : pairs_set(v->field, v->suffix, value, err);
}

static void clear_pairs(const struct value_ctx *v)
{
	struct config_pairs *p = v->field;
	size_t kept = 0;

	for (size_t i = 0; i < p->n; i++) {
		if (*v->suffix && !str_eq(p->v[i].name, v->suffix)) {
			p->v[kept++] = p->v[i];
			continue;
		}
		free(p->v[i].name);
		free(p->v[i].value);
	}
	p->n = kept;
	if (!kept) {
		free(p->v);
		p->v = NULL;
	}
}

static void print_pairs(const struct value_ctx *v, struct strbuf *out)
{
	const struct config_pairs *p = v->field;

	for (size_t i = 0; i < p->n; i++) {
		if (!*v->suffix)
			strbuf_addf(out, "%s %s\n", p->v[i].name, p->v[i].value);
		else if (str_eq(p->v[i].name, v->suffix))
			strbuf_addf(out, "%s\n", p->v[i].value);
	}
}

const struct value_type value_pairs_proc = { "text", set_proc, clear_pairs, print_pairs, false };
const struct value_type value_pairs_sysctl = { "text", set_sysctl, clear_pairs, print_pairs,
					       false };

static int set_rlimit(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	struct config *c = v->c;
	struct rlimit_spec spec = { .resource = rlimit_parse_name(v->suffix) };
	int r;

	if (spec.resource < 0)
		return err_msg(err, -EINVAL, "'%s' is no resource limit of prlimit(2)", v->suffix);
	if (rlimit_parse_value(value, &spec) < 0)
		return err_msg(err, -EINVAL,
			       "'%s' is no limit: N, unlimited or SOFT:HARD with SOFT <= HARD",
			       value);
	for (size_t i = 0; i < c->n_prlimits; i++)
		if (c->prlimits[i].resource == spec.resource) {
			c->prlimits[i] = spec;
			return 0;
		}
	r = grow((void **)&c->prlimits, c->n_prlimits, sizeof(spec), err);
	if (r == 0)
		c->prlimits[c->n_prlimits++] = spec;
	return r;
}

static void clear_rlimit(const struct value_ctx *v)
{
	struct config *c = v->c;
	size_t kept = 0;

	for (size_t i = 0; i < c->n_prlimits; i++)
		if (*v->suffix && rlimit_parse_name(v->suffix) != c->prlimits[i].resource)
			c->prlimits[kept++] = c->prlimits[i];
	c->n_prlimits = kept;
}

static void print_rlim(struct strbuf *out, uint64_t n)
{
	if (n == RLIM_INFINITY)
		strbuf_addf(out, "unlimited");
	else
		strbuf_addf(out, "%llu", (unsigned long long)n);
}

static void print_rlimit(const struct value_ctx *v, struct strbuf *out)
{
	const struct config *c = v->c;

	for (size_t i = 0; i < c->n_prlimits; i++) {
		const struct rlimit_spec *s = &c->prlimits[i];

		if (*v->suffix && rlimit_parse_name(v->suffix) != s->resource)
			continue;
		if (!*v->suffix)
			strbuf_addf(out, "%s ", rlimit_name(s->resource));
		print_rlim(out, s->soft);
		strbuf_addf(out, ":");
		print_rlim(out, s->hard);
		strbuf_addf(out, "\n");
	}
}

const struct value_type value_rlimit = { "soft:hard", set_rlimit, clear_rlimit, print_rlimit,
					 false };

static int add_device(struct config *c, bool allow, const char *value, struct lxmgr_err *err)
{
	struct cgroup_spec *cg = &c->cgroup;
	int r = grow((void **)&cg->devices, cg->n_devices, sizeof(*cg->devices), err);

	if (r == 0)
		r = cgroup_device_parse(value, allow, &cg->devices[cg->n_devices], err);
	if (r == 0)
		cg->n_devices++;
	return r;
}

static int set_cgroup(const struct value_ctx *v, const char *value, bool v1, struct lxmgr_err *err)
{
	struct cgroup_spec *cg = &v->c->cgroup;
	struct cgroup_raw raw = { .v1 = v1 };
	int r;

	if (str_eq(v->suffix, "devices.allow") || str_eq(v->suffix, "devices.deny"))
		return add_device(v->c, str_eq(v->suffix, "devices.allow"), value, err);
	/* A name of a control file: what teardown and the guest's files cannot be reached by. */
	if (strchr(v->suffix, '/') || !strchr(v->suffix, '.') || v->suffix[0] == '.')
		return err_msg(err, -EINVAL, "'%s' is no cgroup control file", v->suffix);
	r = grow((void **)&cg->raw, cg->n_raw, sizeof(raw), err);
	if (r < 0)
		return r;
	raw.file = strdup(v->suffix);
	raw.value = strdup(value);
	if (!raw.file || !raw.value) {
		free(raw.file);
		free(raw.value);
		return err_set(err, -ENOMEM, "config");
	}
	cg->raw[cg->n_raw++] = raw;
	return 0;
}

static int set_cgroup1(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	return set_cgroup(v, value, true, err);
}

static int set_cgroup2(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	return set_cgroup(v, value, false, err);
}

static bool is_devices(const char *suffix)
{
	return str_eq(suffix, "devices.allow") || str_eq(suffix, "devices.deny");
}

static void clear_cgroup(const struct value_ctx *v, bool v1)
{
	struct cgroup_spec *cg = &v->c->cgroup;
	size_t kept = 0;

	for (size_t i = 0; i < cg->n_raw; i++) {
		if (cg->raw[i].v1 != v1 || (*v->suffix && !str_eq(v->suffix, cg->raw[i].file))) {
			cg->raw[kept++] = cg->raw[i];
			continue;
		}
		free(cg->raw[i].file);
		free(cg->raw[i].value);
	}
	cg->n_raw = kept;
	if (!*v->suffix || is_devices(v->suffix))
		cg->n_devices = 0;
}

static void clear_cgroup1(const struct value_ctx *v)
{
	clear_cgroup(v, true);
}

static void clear_cgroup2(const struct value_ctx *v)
{
	clear_cgroup(v, false);
}

static void print_device(const struct cgroup_device_rule *d, struct strbuf *out)
{
	char major[24] = "*", minor[24] = "*";

	if (d->major >= 0)
		snprintf(major, sizeof(major), "%" PRId64, d->major);
	if (d->minor >= 0)
		snprintf(minor, sizeof(minor), "%" PRId64, d->minor);
	if (d->type == 'a')
		strbuf_addf(out, "a\n");
	else
		strbuf_addf(out, "%c %s:%s %s%s%s\n", d->type, major, minor, d->read ? "r" : "",
			    d->write ? "w" : "", d->mknod ? "m" : "");
}

/* Device rules are printed once, as cgroup2 keys, in their order. */
static void print_cgroup(const struct value_ctx *v, bool v1, struct strbuf *out)
{
	const struct cgroup_spec *cg = &v->c->cgroup;

	for (size_t i = 0; i < cg->n_raw; i++) {
		if (cg->raw[i].v1 != v1)
			continue;
		if (!*v->suffix)
			strbuf_addf(out, "%s %s\n", cg->raw[i].file, cg->raw[i].value);
		else if (str_eq(v->suffix, cg->raw[i].file))
			strbuf_addf(out, "%s\n", cg->raw[i].value);
	}
	for (size_t i = 0; i < cg->n_devices; i++) {
		const char *name = cg->devices[i].allow ? "devices.allow" : "devices.deny";

		if (*v->suffix ? !str_eq(v->suffix, name) : v1)
			continue;
		if (!*v->suffix)
			strbuf_addf(out, "%s ", name);
		print_device(&cg->devices[i], out);
	}
}

static void print_cgroup1(const struct value_ctx *v, struct strbuf *out)
{
	print_cgroup(v, true, out);
}

static void print_cgroup2(const struct value_ctx *v, struct strbuf *out)
{
	print_cgroup(v, false, out);
}

const struct value_type value_cgroup1 = { "control file", set_cgroup1, clear_cgroup1, print_cgroup1,
					  true };
const struct value_type value_cgroup2 = { "control file", set_cgroup2, clear_cgroup2, print_cgroup2,
					  true };

/* LXC's units: h m s ms us ns; a bare number is in seconds. */
static int parse_offset(const char *value, int64_t *ret_ns, struct lxmgr_err *err)
{
	static const struct {
		const char *unit;
		int64_t ns;
	} units[] = { { "", 1000000000 },  { "h", 3600000000000 }, { "m", 60000000000 },
		      { "s", 1000000000 }, { "ms", 1000000 },	   { "us", 1000 },
		      { "ns", 1 } };
	size_t n = strspn(value, "-0123456789");
	cleanup_free char *digits = strndup(value, n);
	int64_t v;

	if (!digits)
		return err_set(err, -ENOMEM, "config");
	for (size_t i = 0; i < ARRAY_SIZE(units) && parse_i64(digits, &v) == 0; i++)
		if (str_eq(value + n, units[i].unit) &&
		    !__builtin_mul_overflow(v, units[i].ns, ret_ns))
			return 0;
	return err_msg(err, -EINVAL, "'%s' is no time: a number with h, m, s, ms, us or ns", value);
}

static int set_time_boot(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	v->c->has_time_boot = true;
	return parse_offset(value, &v->c->time_boot_ns, err);
}

static int set_time_monotonic(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	v->c->has_time_monotonic = true;
	return parse_offset(value, &v->c->time_monotonic_ns, err);
}

static void clear_time(const struct value_ctx *v)
{
	if (v->field == &v->c->time_boot_ns)
		v->c->has_time_boot = false;
	else
		v->c->has_time_monotonic = false;
	*(int64_t *)v->field = 0;
}

static void print_time(const struct value_ctx *v, struct strbuf *out)
{
	if (v->field == &v->c->time_boot_ns ? v->c->has_time_boot : v->c->has_time_monotonic)
		strbuf_addf(out, "%lldns\n", *(long long *)v->field);
}

const struct value_type value_time_boot = { "time", set_time_boot, clear_time, print_time, false };
const struct value_type value_time_monotonic = { "time", set_time_monotonic, clear_time, print_time,
						 false };

static int known_backend(char *name, struct lxmgr_err *err)
{
	const struct storage_spec spec = { .backend = name };
	struct storage st;
	int r = storage_open(&st, -EBADF, &spec, err);

	storage_close(&st);
	return r;
}

/* The prefix decides the backend; which there are is storage's business. */
static int set_rootfs(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	struct storage_spec *s = &v->c->storage;
	const char *colon = strchr(value, ':');
	char *path, *backend = NULL;
	int r;

	if (*value != '/' && (!colon || strchr(value, '/') < colon))
		return err_msg(err, -EINVAL,
			       "'%s' is neither an absolute path nor TYPE:PATH (dir:, "
			       "overlay:, loop:, btrfs:, lvm:)",
			       value);
	if (*value != '/') {
		backend = strndup(value, (size_t)(colon - value));
		path = strdup(colon + 1);
	} else {
		path = strdup(value);
	}
	if (!path || (*value != '/' && !backend)) {
		free(path);
		free(backend);
		return err_set(err, -ENOMEM, "config");
	}
	r = backend ? known_backend(backend, err) : 0;
	if (r < 0) {
		free(path);
		free(backend);
		return r;
	}
	free(s->path);
	free(s->backend);
	s->path = path;
	s->backend = backend;
	return 0;
}

static void clear_rootfs(const struct value_ctx *v)
{
	struct storage_spec *s = &v->c->storage;

	free(s->path);
	free(s->backend);
	s->path = s->backend = NULL;
}

static void print_rootfs(const struct value_ctx *v, struct strbuf *out)
{
	const struct storage_spec *s = &v->c->storage;

	if (s->path)
		strbuf_addf(out, "%s%s%s\n", s->backend ? s->backend : "", s->backend ? ":" : "",
			    s->path);
}

const struct value_type value_rootfs = { "TYPE:PATH", set_rootfs, clear_rootfs, print_rootfs,
					 false };

static int set_rootfs_options(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	struct storage_spec *s = &v->c->storage;
	cleanup_strlist struct strlist words = { 0 };
	char *copy = strdup(value);

	if (!copy || strlist_split(&words, value, ",") < 0) {
		free(copy);
		return err_set(err, -ENOMEM, "config");
	}
	free(s->options);
	s->options = copy;
	s->idmap_container = s->read_only = false;
	for (size_t i = 0; i < words.n; i++) {
		if (str_eq(words.v[i], "idmap=container"))
			s->idmap_container = true;
		else if (str_eq(words.v[i], "ro"))
			s->read_only = true;
		else if (str_has_prefix(words.v[i], "idmap="))
			return err_msg(err, -EINVAL, "'%s': only idmap=container is supported",
				       words.v[i]);
	}
	return 0;
}

static void clear_rootfs_options(const struct value_ctx *v)
{
	struct storage_spec *s = &v->c->storage;

	free(s->options);
	s->options = NULL;
	s->idmap_container = s->read_only = false;
}

static void print_rootfs_options(const struct value_ctx *v, struct strbuf *out)
{
	if (v->c->storage.options)
		strbuf_addf(out, "%s\n", v->c->storage.options);
}

const struct value_type value_rootfs_options = { "mount options", set_rootfs_options,
						 clear_rootfs_options, print_rootfs_options,
						 false };
