/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "kernel/cgroup_io.h"
#include "kernel/cgroup_tree.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"

const char *const cgroup_io_keys[IO_LIMITS] = {
	[IO_READ] = "limit.io.read",	   [IO_WRITE] = "limit.io.write",
	[IO_READ_OPS] = "limit.iops.read", [IO_WRITE_OPS] = "limit.iops.write",
	[IO_WEIGHT] = "limit.io.weight",
};

/* As io.max names them. */
static const char *const words[IO_RATES] = {
	[IO_READ] = "rbps",
	[IO_WRITE] = "wbps",
	[IO_READ_OPS] = "riops",
	[IO_WRITE_OPS] = "wiops",
};

/* "default 100" or "100" */
static uint64_t read_weight(int dir, const char *file)
{
	char text[64];
	const char *n = text;

	if (!file || read_small(dir, file, text, sizeof(text)) <= 0)
		return LIMIT_UNSET;
	if (str_has_prefix(text, "default "))
		n += strlen("default ");
	return strtoull(n, NULL, 10);
}

uint64_t cgroup_io_bfq_weight(uint64_t weight)
{
	return weight <= 100 ? weight : 100 + (weight - 100) * 900 / 9900;
}

uint64_t cgroup_io_parse(const char *text, dev_t dev, const char *key)
{
	size_t len = key ? strlen(key) : 0;
	char want[32];

	snprintf(want, sizeof(want), "%u:%u ", major(dev), minor(dev));
	while (text && !str_has_prefix(text, want))
		text = strchr(text, '\n') ? strchr(text, '\n') + 1 : NULL;
	if (!text)
		return LIMIT_MAX;
	text += strlen(want);
	while (key && (strncmp(text, key, len) != 0 || text[len] != '=')) {
		text += strcspn(text, " \n");
		if (*text != ' ')
			return LIMIT_MAX;
		text++;
	}
	if (key)
		text += len + 1;
	return *text >= '0' && *text <= '9' ? strtoull(text, NULL, 10) : LIMIT_MAX;
}

static uint64_t read_rate(int dir, const struct cgroup_io_files *f, dev_t dev, int which)
{
	cleanup_free char *text = NULL;
	const char *file = f->all ? f->all : f->each[which];

	if (!file || read_file_at(dir, file, 1 << 20, &text, NULL) < 0)
		return LIMIT_UNSET;
	return cgroup_io_parse(text, dev, f->all ? words[which] : NULL);
}

static int write_rate(int dir, const struct cgroup_io_files *f, dev_t dev, int which,
		      uint64_t value, struct lxmgr_err *err)
{
	const char *file = f->all ? f->all : f->each[which];
	char text[96], number[32], name[DISKS_NAME_SIZE];
	int r;

	snprintf(number, sizeof(number), "%llu", (unsigned long long)value);
	if (value == LIMIT_MAX)
		snprintf(number, sizeof(number), "%s", f->all ? "max" : "0");
	snprintf(text, sizeof(text), "%u:%u %s%s%s", major(dev), minor(dev),
		 f->all ? words[which] : "", f->all ? "=" : "", number);
	r = write_small(dir, file, text);
	/* Where the controller is not enabled, nothing limits. */
	if (r == -ENOENT && value == LIMIT_MAX)
		return 0;
	return r < 0 ? err_set(err, r, "apply lxmgr.%s = %s on the disk %s (%s)",
			       cgroup_io_keys[which], number, disks_name(dev, name), file)
		     : 0;
}

/* io.cost.qos of the topmost group: "254:0 enable=1 ..." */
static bool has_cost(const struct cgroup_io_files *f, int root, dev_t dev)
{
	cleanup_free char *text = NULL;

	return f->cost && read_file_at(root, "io.cost.qos", 1 << 20, &text, NULL) == 0 &&
	       cgroup_io_parse(text, dev, "enable") == 1;
}

static int check_weight(const struct cgroup_io_files *f, int root, const struct disks *disks,
			struct lxmgr_err *err)
{
	char name[DISKS_NAME_SIZE];

	for (size_t i = 0; disks && i < disks->n; i++)
		if (!disks_has_bfq(disks->dev[i]) && !has_cost(f, root, disks->dev[i]))
			return err_msg(err, -EOPNOTSUPP,
				       "lxmgr.limit.io.weight cannot act on this host: the disk %s "
				       "looks at no weights; 'echo bfq "
				       ">/sys/block/%s/queue/scheduler' makes it%s",
				       disks_name(disks->dev[i], name), name,
				       f->cost ? ", or io.cost.qos of cgroup v2" : "");
	return 0;
}

int cgroup_io_check(const uint64_t io[IO_LIMITS], const struct disks *disks, struct lxmgr_err *err)
{
	const struct cgroup_ops *ops = cgroup_driver(err);
	const struct cgroup_io_files *f = ops ? ops->io : NULL;
	cleanup_fd int root = -EBADF;

	if (!ops)
		return -EOPNOTSUPP;
	root = ops->open_io(NULL);
	for (size_t i = 0; i < IO_LIMITS; i++) {
		if (io[i] >= LIMIT_MAX)
			continue;
		if (root < 0)
			return err_msg(err, -EOPNOTSUPP,
				       "lxmgr.%s cannot act on this host: the controller '%s' is "
				       "not available",
				       cgroup_io_keys[i], f->controller);
		if (i < IO_RATES && !f->all && !f->each[i])
			return err_msg(err, -EOPNOTSUPP,
				       "lxmgr.%s cannot act on this host: cgroup v1 does not know "
				       "whose it is what the kernel writes behind",
				       cgroup_io_keys[i]);
		if ((i == IO_READ_OPS || i == IO_WRITE_OPS) && io[i] >= UINT32_MAX)
			return err_msg(err, -ERANGE, "lxmgr.%s: the kernel counts to %u",
				       cgroup_io_keys[i], UINT32_MAX - 1);
	}
	return io[IO_WEIGHT] < LIMIT_MAX ? check_weight(f, root, disks, err) : 0;
}

static int set_weight(int dir, const char *file, uint64_t weight, struct lxmgr_err *err)
{
	char text[32];
	int r;

	if (!file || faccessat(dir, file, F_OK, 0) < 0)
		return 0;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)weight);
	r = write_small(dir, file, text);
	if (r < 0)
		return err_set(err, r, "apply lxmgr.%s = %s (%s)", cgroup_io_keys[IO_WEIGHT], text,
			       file);
	return read_weight(dir, file) == weight
		       ? 0
		       : err_msg(err, -EIO, "lxmgr.%s: %s was written, but the kernel has %llu",
				 cgroup_io_keys[IO_WEIGHT], text,
				 (unsigned long long)read_weight(dir, file));
}

static int set_rate(int dir, const struct cgroup_io_files *f, dev_t dev, int which, uint64_t value,
		    struct lxmgr_err *err)
{
	uint64_t have;
	int r;

	/* What is never limited needs no "max". */
	if (value == LIMIT_UNSET || (value == LIMIT_MAX && !f->all && !f->each[which]))
		return 0;
	r = write_rate(dir, f, dev, which, value, err);
	if (r < 0)
		return r;
	have = read_rate(dir, f, dev, which);
	if (have != value && (value != LIMIT_MAX || have != LIMIT_UNSET))
		return err_msg(err, -EIO, "lxmgr.%s: %llu was written, but the kernel has %llu",
			       cgroup_io_keys[which], (unsigned long long)value,
			       (unsigned long long)have);
	return 0;
}

int cgroup_io_set(struct cgroup *cg, const uint64_t io[IO_LIMITS], const struct disks *disks,
		  struct lxmgr_err *err)
{
	const struct cgroup_io_files *f = cg->ops->io;
	cleanup_fd int dir = cg->ops->open_io(cg);
	uint64_t weight = io[IO_WEIGHT] == LIMIT_MAX ? 100 : io[IO_WEIGHT];
	int r = 0;

	for (size_t i = 0; i < disks->n; i++)
		for (int which = 0; r == 0 && which < IO_RATES; which++)
			r = set_rate(dir, f, disks->dev[i], which, io[which], err);
	if (r == 0 && weight != LIMIT_UNSET)
		r = set_weight(dir, f->bfq, cgroup_io_bfq_weight(weight), err);
	if (r == 0 && weight != LIMIT_UNSET)
		r = set_weight(dir, f->cost, weight, err);
	return r;
}

void cgroup_io_get(struct cgroup *cg, const struct disks *disks, struct cgroup_io_now *ret)
{
	const struct cgroup_io_files *f = cg->ops->io;
	cleanup_fd int dir = cg->ops->open_io(cg);

	ret->disks = *disks;
	for (size_t i = 0; i < disks->n; i++)
		for (int which = 0; which < IO_RATES; which++)
			ret->rate[i][which] = read_rate(dir, f, disks->dev[i], which);
	ret->weight[0] = read_weight(dir, f->bfq);
	ret->weight[1] = read_weight(dir, f->cost);
}

int cgroup_io_restore(struct cgroup *cg, const struct cgroup_io_now *was, struct lxmgr_err *err)
{
	const struct cgroup_io_files *f = cg->ops->io;
	cleanup_fd int dir = cg->ops->open_io(cg);
	int r = 0;

	for (size_t i = 0; i < was->disks.n; i++)
		for (int which = 0; r == 0 && which < IO_RATES; which++)
			r = set_rate(dir, f, was->disks.dev[i], which, was->rate[i][which], err);
	if (r == 0 && was->weight[0] != LIMIT_UNSET)
		r = set_weight(dir, f->bfq, was->weight[0], err);
	if (r == 0 && was->weight[1] != LIMIT_UNSET)
		r = set_weight(dir, f->cost, was->weight[1], err);
	return r;
}
