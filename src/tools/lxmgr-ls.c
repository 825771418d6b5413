/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "each.h"
#include "report.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static bool line, fancy, active, running, frozen, stopped, defined;
static const char *format, *groups, *filter, *sort_by, *nesting;

static const struct opt opts[] = {
	{ '1', "line", OPT_FLAG, &line, NULL, "one name a line" },
	{ 'f', "fancy", OPT_FLAG, &fancy, NULL, "a table" },
	{ 'F', "fancy-format", OPT_STRING, &format, "COLUMNS",
	  "columns of the table, comma separated" },
	{ 0, "active", OPT_FLAG, &active, NULL, "only active containers (running, frozen, ...)" },
	{ 0, "running", OPT_FLAG, &running, NULL, "only running containers" },
	{ 0, "frozen", OPT_FLAG, &frozen, NULL, "only frozen containers" },
	{ 0, "stopped", OPT_FLAG, &stopped, NULL, "only stopped containers" },
	{ 0, "defined", OPT_FLAG, &defined, NULL,
	  "only defined containers (all that are listed are)" },
	{ 0, "nesting", OPT_OPTIONAL, &nesting, "DEPTH",
	  "refused: containers in containers are not listed" },
	{ 'g', "groups", OPT_STRING, &groups, "G,G", "only containers in all of these groups" },
	{ 0, "filter", OPT_STRING, &filter, "REGEX", "only names that match" },
	{ 0, "sort", OPT_STRING, &sort_by, "[-]COLUMN", "sort by a column, - for descending" },
};

static const struct tool tool = {
	.name = "lxmgr-ls",
	.usage = "[OPTIONS] [REGEX]",
	.summary = "List containers.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.name_optional = true,
	.no_rcfile = true,
	.has_json = true,
};

struct row {
	const char *name;
	struct lxmgr_info *info;
};

typedef void (*print_fn)(const struct row *r, char *buf, size_t size);

static void col_name(const struct row *r, char *buf, size_t size)
{
	snprintf(buf, size, "%s", r->name);
}

static void col_state(const struct row *r, char *buf, size_t size)
{
	snprintf(buf, size, "%s", lxmgr_state_name(r->info->state));
}

static void col_pid(const struct row *r, char *buf, size_t size)
{
	if (r->info->init_pid)
		snprintf(buf, size, "%d", r->info->init_pid);
}

static void col_size(uint64_t v, char *buf, size_t size)
{
	if (v != LXMGR_UNKNOWN)
		snprintf(buf, size, "%.2fMB", (double)v / 1048576);
}

static void col_ram(const struct row *r, char *buf, size_t size)
{
	col_size(r->info->memory, buf, size);
}

static void col_swap(const struct row *r, char *buf, size_t size)
{
	col_size(r->info->swap, buf, size);
}

static void col_disk(const struct row *r, char *buf, size_t size)
{
	col_size(r->info->disk.bytes, buf, size);
}

static void col_disk_limit(const struct row *r, char *buf, size_t size)
{
	col_size(r->info->disk.max_bytes, buf, size);
}

static void col_autostart(const struct row *r, char *buf, size_t size)
{
	snprintf(buf, size, "%d", r->info->autostart);
}

static void col_groups(const struct row *r, char *buf, size_t size)
{
	snprintf(buf, size, "%s", r->info->groups);
}

static void col_interfaces(const struct row *r, char *buf, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < r->info->n_links && n < size; i++)
		n += (size_t)snprintf(buf + n, size - n, "%s%s", i ? ", " : "",
				      r->info->links[i].ifname);
}

static void col_addrs(const struct row *r, int family, char *buf, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < r->info->n_addrs && n < size; i++)
		if (r->info->addrs[i].family == family)
			n += (size_t)snprintf(buf + n, size - n, "%s%s", n ? ", " : "",
					      r->info->addrs[i].text);
}

static void col_ipv4(const struct row *r, char *buf, size_t size)
{
	col_addrs(r, AF_INET, buf, size);
}

static void col_ipv6(const struct row *r, char *buf, size_t size)
{
	col_addrs(r, AF_INET6, buf, size);
}

static void col_unprivileged(const struct row *r, char *buf, size_t size)
{
	snprintf(buf, size, "%s", r->info->unprivileged ? "true" : "false");
}

static const struct column {
	const char *name;
	print_fn print;
	unsigned int what; /* LXMGR_INFO_* that it needs */
} columns[] = {
	{ "NAME", col_name, 0 },
	{ "STATE", col_state, 0 },
	{ "PID", col_pid, 0 },
	{ "RAM", col_ram, LXMGR_INFO_STATS },
	{ "SWAP", col_swap, LXMGR_INFO_STATS },
	{ "DISK", col_disk, LXMGR_INFO_STORAGE },
	{ "DISKLIMIT", col_disk_limit, LXMGR_INFO_STORAGE },
	{ "AUTOSTART", col_autostart, LXMGR_INFO_CONFIG },
	{ "GROUPS", col_groups, LXMGR_INFO_CONFIG },
	{ "INTERFACE", col_interfaces, LXMGR_INFO_ADDRS },
	{ "IPV4", col_ipv4, LXMGR_INFO_ADDRS },
	{ "IPV6", col_ipv6, LXMGR_INFO_ADDRS },
	{ "UNPRIVILEGED", col_unprivileged, LXMGR_INFO_CONFIG },
};

static const struct column *find_column(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		if (!strcasecmp(columns[i].name, name))
			return &columns[i];
	tool_usage_error("unknown column '%s': NAME STATE PID RAM SWAP DISK DISKLIMIT AUTOSTART "
			 "GROUPS INTERFACE IPV4 IPV6 UNPRIVILEGED",
			 tool_text(name));
}

static size_t pick_columns(const struct column **ret)
{
	char *copy = strdup(format ? format : "NAME,STATE,AUTOSTART,GROUPS,IPV4,IPV6,UNPRIVILEGED");
	char *save = NULL;
	size_t n = 0;

	if (!copy)
		tool_no_memory();
	for (char *w = strtok_r(copy, ", ", &save); w; w = strtok_r(NULL, ", ", &save)) {
		if (n == 16)
			tool_usage_error("more than 16 columns");
		ret[n++] = find_column(w);
	}
	free(copy);
	if (!n)
		tool_usage_error("-F '%s' names no column", tool_text(format));
	return n;
}

static bool in_groups(const char *have)
{
	size_t n;

	for (const char *w = groups; w && *w; w += n + (w[n] == ',')) {
		const char *p = have;

		n = strcspn(w, ",");
		if (!n)
			continue;
		while (p && (strncmp(p, w, n) != 0 || (p[n] && p[n] != ','))) {
			p = strchr(p, ',');
			p = p ? p + 1 : NULL;
		}
		if (!p)
			return false;
	}
	return true;
}

static bool is_wanted(const struct row *r)
{
	enum lxmgr_state s = r->info->state;
	bool any = active || running || frozen || stopped;
	bool is_down = s == LXMGR_STOPPED || s == LXMGR_BROKEN;

	if (!in_groups(r->info->groups))
		return false;
	return !any || (active && !is_down) || (running && s == LXMGR_RUNNING) ||
	       (frozen && s == LXMGR_FROZEN) || (stopped && is_down);
}

static const struct column *sort_column;
static bool descending;

static int compare(const void *a, const void *b)
{
	char x[512] = "", y[512] = "";
	int r;

	sort_column->print(a, x, sizeof(x));
	sort_column->print(b, y, sizeof(y));
	/* Numbers in it count as numbers: 10.0.3.9 stands before 10.0.3.10. */
	r = strverscmp(x, y);
	return descending ? -r : r;
}

static const char *cell(const struct column *c, const struct row *r)
{
	char buf[512] = "";

	c->print(r, buf, sizeof(buf));
	return *buf ? tool_text(buf) : "-";
}

static void print_table(const struct row *rows, size_t n)
{
	const struct column *cols[16];
	size_t n_cols = pick_columns(cols), width[16];

	for (size_t c = 0; c < n_cols; c++) {
		width[c] = strlen(cols[c]->name);
		for (size_t i = 0; i < n; i++) {
			size_t w = strlen(cell(cols[c], &rows[i]));

			if (w > width[c])
				width[c] = w;
		}
	}
	for (size_t c = 0; c < n_cols; c++)
		printf("%-*s%s", (int)width[c], cols[c]->name, c + 1 < n_cols ? " " : "\n");
	for (size_t i = 0; i < n; i++)
		for (size_t c = 0; c < n_cols; c++)
			printf("%-*s%s", c + 1 < n_cols ? (int)width[c] : 0,
			       cell(cols[c], &rows[i]), c + 1 < n_cols ? " " : "\n");
}

static void print_json(const struct row *rows, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		const struct lxmgr_info *f = rows[i].info;

		json_array_append_new(
			list, json_pack("{ss ss so sb so sb so so so}", "name", rows[i].name,
					"state", lxmgr_state_name(f->state), "pid",
					report_pid(f->init_pid), "autostart", f->autostart,
					"groups", report_text(f->groups), "unprivileged",
					f->unprivileged, "memory", report_number(f->memory), "swap",
					report_number(f->swap), "addresses", report_addrs(f)));
	}
	report_json(list);
}

static void print_names(const struct row *rows, size_t n)
{
	bool one = line || !isatty(STDOUT_FILENO);

	for (size_t i = 0; i < n; i++)
		printf("%s%s", tool_text(rows[i].name), one || i + 1 == n ? "\n" : "  ");
}

static unsigned int needed(void)
{
	const struct column *cols[16];
	unsigned int what = groups ? LXMGR_INFO_CONFIG : 0;
	size_t n;

	if (common.json)
		return LXMGR_INFO_ADDRS | LXMGR_INFO_STATS | LXMGR_INFO_CONFIG;
	if (sort_column)
		what |= sort_column->what;
	if (fancy) {
		n = pick_columns(cols);
		for (size_t i = 0; i < n; i++)
			what |= cols[i]->what;
	}
	return what;
}

struct gather {
	struct row *rows; /* in: names; out: info, NULL where there is nothing to tell */
	unsigned int what;
};

/* One that vanished meanwhile, or cannot be read, never stops the others. */
static void read_row(size_t i, void *arg)
{
	struct gather *g = arg;
	struct lxmgr_container *c;

	if (lxmgr_container_open(common.path, g->rows[i].name, NULL, &c, NULL) < 0)
		return;
	if (lxmgr_container_info(c, g->what, &g->rows[i].info, NULL) < 0)
		g->rows[i].info = NULL;
	lxmgr_container_close(c);
}

static size_t gather(char **names, size_t n, struct row *rows, const regex_t *re)
{
	struct gather g = { .rows = rows, .what = needed() };
	size_t kept = 0, found = 0;

	for (size_t i = 0; i < n; i++)
		if (!re || regexec(re, names[i], 0, NULL, 0) == 0)
			rows[found++] = (struct row){ .name = names[i] };
	each(found, read_row, &g);
	for (size_t i = 0; i < found; i++)
		if (rows[i].info && is_wanted(&rows[i]))
			rows[kept++] = rows[i];
		else
			lxmgr_info_free(rows[i].info);
	return kept;
}

int main(int argc, char **argv)
{
	int rest = tool_parse(&tool, argc, argv);
	struct lxmgr_err err = { 0 };
	char **names = NULL;
	struct row *rows;
	regex_t re;
	size_t n = 0, kept;

	if (rest < argc)
		tool_usage_error("unexpected argument '%s'", tool_text(argv[rest]));
	if (nesting)
		tool_usage_error("--nesting is refused: containers in containers are not listed");
	if (!filter)
		filter = common.name;
	if (filter && regcomp(&re, filter, REG_EXTENDED | REG_NOSUB))
		tool_usage_error("'%s' is no regular expression", tool_text(filter));
	fancy |= format != NULL;
	if (sort_by) {
		descending = *sort_by == '-';
		sort_column = find_column(sort_by + descending);
	}
	if (lxmgr_list(common.path, &names, &n, &err) < 0)
		return tool_exit(tool_error(&err));
	rows = calloc(n + 1, sizeof(*rows));
	if (!rows)
		tool_no_memory();
	kept = gather(names, n, rows, filter ? &re : NULL);
	if (sort_column)
		qsort(rows, kept, sizeof(*rows), compare);
	if (common.json)
		print_json(rows, kept);
	else if (fancy)
		print_table(rows, kept);
	else
		print_names(rows, kept);
	for (size_t i = 0; i < kept; i++)
		lxmgr_info_free(rows[i].info);
	free(rows);
	lxmgr_list_free(names, n);
	return tool_exit(0);
}
