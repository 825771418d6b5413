/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/disks.h"
#include "storage/lvmcmd.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/run.h"
#include "util/str.h"

#define NAME_LIMIT 60
#define OUTPUT	   65536
#define SAID_SIZE  4096
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

/* The wait status; *ret_out is what the program prints, and `said` what it has to say of that:
 * warnings are no part of an answer. hold: a lock that is to last as long as the program, or -1. As
 * its standard input, because it closes others. */
static int run_both(const struct strlist *args, int hold, char **ret_out, char said[SAID_SIZE],
		    struct lxmgr_err *err)
{
	cleanup_fd int from = -EBADF, to = -EBADF;
	struct run_opts o = RUN_OPTS_INIT;
	ssize_t n;
	int p[2], r;

	/* What does not go into the pipe is lost: nobody waits for it to be read. */
	if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_set(err, -errno, "run %s", args->v[0]);
	from = p[0];
	to = p[1];
	o.capture = OUTPUT;
	o.timeout_ms = TIMEOUT_MS;
	o.stdin_fd = hold;
	o.stderr_fd = to;
	r = run_program((const char *const *)args->v, &o, ret_out);
	if (r == -ENOENT)
		return err_status(err, STATUS_REFUSED, r,
				  "there is no '%s' on this host (install lvm2)", args->v[0]);
	n = read(from, said, SAID_SIZE - 1);
	said[n > 0 ? n : 0] = '\0';
	return r < 0 ? err_set(err, r, "run %s", args->v[0]) : r;
}

static int ended_badly(const char *program, int status, char *said, struct lxmgr_err *err)
{
	char text[64];

	for (char *c = said; *c; c++)
		if (*c == '\n')
			*c = ' ';
	return err_msg(err, -EIO, "%s ended with %s: %.300s", program,
		       run_status_text(status, text, sizeof(text)), str_strip(said));
}

static int run_held(int made, const struct strlist *args, int hold, char **ret_out,
		    struct lxmgr_err *err)
{
	cleanup_free char *out = NULL;
	char said[SAID_SIZE];
	int r = made < 0 ? err_set(err, made, "arguments of lvm2")
			 : run_both(args, hold, &out, said, err);

	if (r != 0)
		return r < 0 ? r : ended_badly(args->v[0], r, said, err);
	if (ret_out)
		*ret_out = take_ptr(out);
	return 0;
}

static int run_made(int made, const struct strlist *args, char **ret_out, struct lxmgr_err *err)
{
	return run_held(made, args, -1, ret_out, err);
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
	       uint64_t bytes, int hold, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist a = { 0 };
	int r = lvm_create_args(group, pool, volume, tag, bytes, &a);

	r = run_held(r, &a, hold, NULL, err);
	return r < 0 ? r : skip_activation(group, volume, err);
}

int lvm_snapshot(const char *group, const char *from, const char *volume, const char *tag, int hold,
		 struct lxmgr_err *err)
{
	cleanup_strlist struct strlist a = { 0 };
	int r = lvm_snapshot_args(group, from, volume, tag, &a);

	return run_held(r, &a, hold, NULL, err);
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

bool lvm_lists(const char *text, const char *name)
{
	size_t len = strlen(name);

	while (*text) {
		size_t n;

		text += strspn(text, " \t\n");
		n = strcspn(text, " \t\n");
		if (n == len && memcmp(text, name, n) == 0)
			return true;
		text += n;
	}
	return false;
}

/* Is `name` among what the report `field` has of those that are selected? All groups are looked
 * through: one that is broken is of no account where the other is found. */
static int lists(const char *program, const char *field, const char *group, const char *name,
		 char *select, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist a = { 0 };
	cleanup_free char *out = NULL, *owned = select;
	char said[SAID_SIZE];
	int r = owned ? WORDS(&a, program, "--noheadings", "--options", field, "--select", owned)
		      : -ENOMEM;

	if (r == 0 && group)
		r = strlist_add(&a, group);
	r = r < 0 ? err_set(err, r, "arguments of lvm2") : run_both(&a, -1, &out, said, err);
	if (r >= 0 && lvm_lists(out, name))
		return 1;
	return r > 0 ? ended_badly(program, r, said, err) : r;
}

int lvm_has_group(const char *group, struct lxmgr_err *err)
{
	return lists("vgs", "vg_name", NULL, group, str_printf("vg_name=\"%s\"", group), err);
}

int lvm_has_pool(const char *group, const char *pool, struct lxmgr_err *err)
{
	return lists("lvs", "lv_name", group, pool,
		     str_printf("lv_name=\"%s\" && lv_layout={\"pool\",\"thin\"}", pool), err);
}

int lvm_has_volume(const char *group, const char *tag, const char *volume, struct lxmgr_err *err)
{
	return lists("lvs", "lv_name", group, volume,
		     str_printf("lv_tags={\"%s\"} && lv_name=\"%s\"", tag, volume), err);
}

int lvm_disks(const char *group, struct disks *ret, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist a = { 0 }, volumes = { 0 };
	cleanup_free char *out = NULL;
	int r = WORDS(&a, "vgs", "--noheadings", "--options", "pv_name", group);

	r = run_made(r, &a, &out, err);
	if (r < 0)
		return r;
	if (strlist_split(&volumes, out, " \t\n") < 0)
		return err_set(err, -ENOMEM, "physical volumes");
	for (size_t i = 0; r == 0 && i < volumes.n; i++) {
		r = disks_add_path(ret, volumes.v[i]);
		if (r < 0)
			err_set(err, r, "find the disk of the physical volume '%.80s'",
				volumes.v[i]);
	}
	return r;
}

int lvm_parse_extent(const char *text, uint64_t *ret)
{
	uint64_t n;
	char rest;

	/* The kernel's sectors, to the size of a volume group's largest. */
	if (sscanf(text, " %" SCNu64 " %c", &n, &rest) != 1 || n < 512 || n > 16ULL << 30)
		return -EINVAL;
	*ret = n;
	return 0;
}

int lvm_extent(const char *group, uint64_t *ret, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist a = { 0 };
	cleanup_free char *out = NULL;
	int r = WORDS(&a, "vgs", "--noheadings", "--nosuffix", "--units", "b", "--options",
		      "vg_extent_size", group);

	r = run_made(r, &a, &out, err);
	if (r == 0 && lvm_parse_extent(out, ret) < 0)
		r = err_msg(err, -EINVAL, "vgs says '%.80s'", str_strip(out));
	return r;
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
