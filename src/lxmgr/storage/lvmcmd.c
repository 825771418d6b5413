/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "storage/lvmcmd.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/run.h"
#include "util/str.h"

#define NAME_LIMIT 60
#define OUTPUT	   65536
#define TIMEOUT_MS 300000

bool lvm_name_is_valid(const char *name)
{
	/* What LVM names its own parts with. */
	static const char *const kept[] = { "_cdata",	"_cmeta",   "_corig", "_mimage", "_mlog",
					    "_pmspare", "_rimage",  "_rmeta", "_tdata",	 "_tmeta",
					    "_vdata",	"_vorigin", "_cvol",  "_wcorig" };

	if (!isalnum((unsigned char)*name) || strlen(name) > NAME_LIMIT ||
	    str_has_prefix(name, "snapshot") || str_has_prefix(name, "pvmove"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (strstr(name, kept[i]))
			return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("._-+", *name))
			return false;
	return true;
}

static char *double_dashes(char *to, const char *end, const char *name)
{
	for (; *name && to + 2 < end; name++) {
		*to++ = *name;
		if (*name == '-')
			*to++ = '-';
	}
	return to;
}

void lvm_device(const char *group, const char *volume, char ret[LVM_DEVICE_SIZE])
{
	const char *end = ret + LVM_DEVICE_SIZE - 2;
	char *p = ret + snprintf(ret, LVM_DEVICE_SIZE, "/dev/mapper/");

	p = double_dashes(p, end, group);
	*p++ = '-';
	p = double_dashes(p, end, volume);
	*p = '\0';
}

static int add_words(struct strlist *l, const char *const *words)
{
	for (; *words; words++)
		if (strlist_add(l, *words) < 0)
			return -ENOMEM;
	return 0;
}

#define WORDS(l, ...) add_words(l, (const char *const[]){ __VA_ARGS__, NULL })

int lvm_create_args(const char *group, const char *pool, const char *volume, const char *tag,
		    uint64_t bytes, struct strlist *ret)
{
	char size[32];
	int r;

	snprintf(size, sizeof(size), "%" PRIu64 "b", bytes);
	r = WORDS(ret, "lvcreate", "--yes", "--quiet", "--name", volume, "--addtag", tag);
	if (r == 0 && *pool)
		r = WORDS(ret, "--thinpool", pool, "--virtualsize", size);
	else if (r == 0)
		r = WORDS(ret, "--zero", "y", "--wipesignatures", "y", "--size", size);
	return r < 0 ? r : strlist_add(ret, group);
}

int lvm_snapshot_args(const char *group, const char *from, const char *volume, const char *tag,
		      struct strlist *ret)
{
	int r = WORDS(ret, "lvcreate", "--yes", "--quiet", "--snapshot", "--name", volume,
		      "--addtag", tag);

	return r < 0 ? r : strlist_addf(ret, "%s/%s", group, from);
}

int lvm_extend_args(const char *group, const char *volume, uint64_t bytes, struct strlist *ret)
{
	int r = WORDS(ret, "lvextend", "--yes", "--quiet", "--size");

	if (r == 0)
		r = strlist_addf(ret, "%" PRIu64 "b", bytes);
	return r < 0 ? r : strlist_addf(ret, "%s/%s", group, volume);
}

int lvm_remove_args(const char *group, const char *tag, const char *keep, struct strlist *ret)
{
	int r = WORDS(ret, "lvremove", "--yes", "--quiet", "--select");

	if (r == 0)
		r = keep ? strlist_addf(ret, "lv_tags={\"%s\"} && lv_name!=\"%s\"", tag, keep)
			 : strlist_addf(ret, "lv_tags={\"%s\"}", tag);
	return r < 0 ? r : strlist_add(ret, group);
}

/* "1073741824 Vwi-aotz-- 25.00", "1073741824 -wi-a-----" */
int lvm_parse_usage(const char *text, uint64_t *ret_bytes)
{
	unsigned int whole, part = 0;
	char kind;
	uint64_t size;
	int n = sscanf(text, " %" SCNu64 " %c%*s %u.%u", &size, &kind, &whole, &part);

	if (n < 2)
		return -EINVAL;
	/* 'V': a thin volume. */
	if (kind != 'V') {
		*ret_bytes = size;
		return 0;
	}
	if (n < 3 || whole > 100)
		return -ENODATA;
	*ret_bytes = size / 10000 * (whole * 100 + part);
	return 0;
}

static int run(const struct strlist *args, char **ret_out, struct lxmgr_err *err)
{
	struct run_opts o = RUN_OPTS_INIT;
	cleanup_free char *out = NULL;
	char text[64];
	int r;

	o.capture = OUTPUT;
	o.timeout_ms = TIMEOUT_MS;
	r = run_program((const char *const *)args->v, &o, &out);
	if (r == -ENOENT)
		return err_status(err, STATUS_REFUSED, r,
				  "there is no '%s' on this host (install lvm2)", args->v[0]);
	if (r < 0)
		return err_set(err, r, "run %s", args->v[0]);
	for (char *c = out; r && *c; c++)
		if (*c == '\n')
			*c = ' ';
	if (r)
		return err_msg(err, -EIO, "%s ended with %s: %.300s", args->v[0],
			       run_status_text(r, text, sizeof(text)), str_strip(out));
	if (ret_out)
		*ret_out = take_ptr(out);
	return 0;
}

static int run_made(int made, const struct strlist *args, char **ret_out, struct lxmgr_err *err)
{
	return made < 0 ? err_set(err, made, "arguments of lvm2") : run(args, ret_out, err);
}

/* Not by those who activate all that there is, as a boot does. */
static int skip_activation(const char *group, const char *volume, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist a = { 0 };
	int r = WORDS(&a, "lvchange", "--yes", "--quiet", "--setactivationskip", "y");

	if (r == 0)
		r = strlist_addf(&a, "%s/%s", group, volume);
	return run_made(r, &a, NULL, err);
}

int lvm_create(const char *group, const char *pool, const char *volume, const char *tag,
	       uint64_t bytes, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist a = { 0 };
	int r = lvm_create_args(group, pool, volume, tag, bytes, &a);

	r = run_made(r, &a, NULL, err);
	return r < 0 ? r : skip_activation(group, volume, err);
}

int lvm_snapshot(const char *group, const char *from, const char *volume, const char *tag,
		 struct lxmgr_err *err)
{
	cleanup_strlist struct strlist a = { 0 };
	int r = lvm_snapshot_args(group, from, volume, tag, &a);

	return run_made(r, &a, NULL, err);
}

int lvm_activate(const char *group, const char *volume, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist a = { 0 };
	int r = WORDS(&a, "lvchange", "--quiet", "--activate", "y", "--ignoreactivationskip");

	if (r == 0)
		r = strlist_addf(&a, "%s/%s", group, volume);
	return run_made(r, &a, NULL, err);
}

void lvm_let_go(const char *group, const char *volume)
{
	cleanup_strlist struct strlist a = { 0 };
	char device[LVM_DEVICE_SIZE];
	struct lxmgr_err why = { 0 };
	int r;

	lvm_device(group, volume, device);
	r = WORDS(&a, "dmsetup", "remove", "--deferred", strrchr(device, '/') + 1);
	if (run_made(r, &a, NULL, &why) < 0)
		log_info("the volume '%s/%s' stays active: %s, ignoring", group, volume, why.text);
}

int lvm_extend(const char *group, const char *volume, uint64_t bytes, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist a = { 0 };
	int r = lvm_extend_args(group, volume, bytes, &a);

	return run_made(r, &a, NULL, err);
}

int lvm_remove(const char *group, const char *tag, const char *keep, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist a = { 0 };
	int r = lvm_remove_args(group, tag, keep, &a);

	return run_made(r, &a, NULL, err);
}

static bool lists(const char *program, const char *select, const char *group)
{
	cleanup_strlist struct strlist a = { 0 };
	cleanup_free char *out = NULL;
	int r = WORDS(&a, program, "--noheadings", "--options",
		      str_eq(program, "vgs") ? "vg_name" : "lv_name");

	if (r == 0 && select)
		r = WORDS(&a, "--select", select);
	if (r == 0)
		r = strlist_add(&a, group);
	return run_made(r, &a, &out, NULL) == 0 && *str_strip(out);
}

bool lvm_has_group(const char *group)
{
	return lists("vgs", NULL, group);
}

bool lvm_has_pool(const char *group, const char *pool)
{
	cleanup_free char *select =
		str_printf("lv_name=\"%s\" && lv_layout={\"pool\",\"thin\"}", pool);

	return select && lists("lvs", select, group);
}

int lvm_usage(const char *group, const char *volume, uint64_t *ret_bytes, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist a = { 0 };
	cleanup_free char *out = NULL;
	int r = WORDS(&a, "lvs", "--noheadings", "--nosuffix", "--units", "b", "--options",
		      "lv_size,lv_attr,data_percent");

	if (r == 0)
		r = strlist_addf(&a, "%s/%s", group, volume);
	r = run_made(r, &a, &out, err);
	if (r < 0)
		return r;
	r = lvm_parse_usage(out, ret_bytes);
	return r == -EINVAL ? err_msg(err, r, "lvs says '%.80s'", str_strip(out)) : r;
}
