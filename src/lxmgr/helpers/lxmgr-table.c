/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a container has of each resource, for who is inside: run by its monitor when
 * /dev/lxmgr/usage is opened there. Not for users.
 *
 *	lxmgr-table NAME PATH FD
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "lxmgr.h"
#include "util/cleanup.h"
#include "util/parse.h"
#include "util/str.h"

static void add_number(struct strbuf *b, uint64_t n)
{
	if (n == LXMGR_UNKNOWN)
		strbuf_addf(b, " %20s", "-");
	else
		strbuf_addf(b, " %20" PRIu64, n);
}

static void add_table(struct strbuf *b, const struct lxmgr_usage *v, size_t n)
{
	time_t now = time(NULL);
	char text[32];
	struct tm tm;

	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	strbuf_addf(b, "# %s\n%-16s %-12s %20s %20s %20s %20s\n", text, "resource", "unit",
		    "current", "peak", "limit", "fails");
	for (size_t i = 0; i < n; i++) {
		strbuf_addf(b, "%-16s %-12s", v[i].resource, v[i].unit);
		add_number(b, v[i].current);
		add_number(b, v[i].peak);
		add_number(b, v[i].limit);
		add_number(b, v[i].fails);
		strbuf_addf(b, "\n");
	}
}

int main(int argc, char **argv)
{
	cleanup_strbuf struct strbuf b = { 0 };
	struct lxmgr_container *c = NULL;
	struct lxmgr_usage *v = NULL;
	struct lxmgr_err err = { 0 };
	uint64_t fd;
	size_t n;
	int r;

	if (argc != 4 || parse_range(argv[3], 3, 1 << 20, &fd) < 0)
		return 64;
	r = lxmgr_container_open(argv[2], argv[1], NULL, &c, &err);
	if (r == 0)
		r = lxmgr_container_usage(c, &v, &n, &err);
	if (r == 0)
		add_table(&b, v, n);
	lxmgr_container_close(c);
	free(v);
	if (r < 0 || b.failed)
		return 1;
	/* One write, and the rest of a longer one before is cut off: a reader sees whole lines. */
	return pwrite((int)fd, b.s, b.len, 0) != (ssize_t)b.len ||
	       ftruncate((int)fd, (off_t)b.len) < 0;
}
