/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lxmgr-top: containers and what they use, on a terminal (ncurses) or as text. */
#include "tool.h"
#include "top.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <math.h>
#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static bool batch, all;
static int count;
static const char *delay_text, *sort_text, *filter_text;

static const struct opt opts[] = {
	{ 'd', "delay", OPT_STRING, &delay_text, "SECONDS",
	  "time from look to look (2, longer where many containers take more than 2 % of a CPU)" },
	{ 's', "sort", OPT_STRING, &sort_text, "COLUMN",
	  "sort by this column, with - in front the other way round (CPU%)" },
	{ 'f', "filter", OPT_STRING, &filter_text, "REGEX", "only names that match" },
	{ 'a', "all", OPT_FLAG, &all, NULL, "also containers that do not run" },
	{ 'b', "batch", OPT_FLAG, &batch, NULL, "print tables, for pipes and files" },
	{ 'c', "count", OPT_NUMBER, &count, "N", "end after so many tables" },
};

static const struct tool tool = {
	.name = "lxmgr-top",
	.usage = "[[-n] NAME|REGEX] [OPTIONS]",
	.summary = "Show containers and what they use, as they go.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.name_optional = true,
	.no_rcfile = true,
};

#define FIRST_RATES_MS 500 /* the second look, which has rates, comes soon */
#define SHARE	       50  /* one part in so many of a CPU is what looking may take */

static struct top top;
static enum top_column sort_by = TOP_CPU;
static bool reverse;
static double delay = 2;
static bool delay_given;
static regex_t pattern;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double pause_length(void)
{
	return delay_given ? delay : fmax(delay, top.cost * SHARE);
}

/* Name is left, numbers are right. */
static int print_cell(char *buf, size_t size, enum top_column c, const char *text, int name_width)
{
	int width = c == TOP_NAME ? name_width : top_titles[c].width;

	return snprintf(buf, size, c <= TOP_STATE ? "%-*s" : "%*s", width, text);
}

static void print_line(char *buf, size_t size, const struct top_row *row, int name_width)
{
	size_t len = 0;

	for (int c = 0; c < TOP_COLUMNS && len < size; c++) {
		char cell[64];

		len += (size_t)snprintf(buf + len, size - len, "%s", c ? " " : "");
		if (len < size)
			len += (size_t)print_cell(buf + len, size - len, (enum top_column)c,
						  row ? top_cell(row, (enum top_column)c, cell)
						      : top_titles[c].title,
						  name_width);
	}
}

static int name_width(void)
{
	size_t width = strlen("NAME");

	for (size_t i = 0; i < top.n; i++)
		if (strlen(top.rows[i].name) > width)
			width = strlen(top.rows[i].name);
	return (int)width;
}

static void print_summary(char *buf, size_t size)
{
	double cpu = 0, memory = 0, tasks = 0;
	char clock[16], used[64];
	time_t t = time(NULL);
	struct top_row sum = { 0 };
	struct tm tm;

	for (size_t i = 0; i < top.n; i++) {
		cpu += fmax(top.rows[i].value[TOP_CPU], 0);
		memory += fmax(top.rows[i].value[TOP_MEMORY], 0);
		tasks += fmax(top.rows[i].value[TOP_TASKS], 0);
	}
	sum.value[TOP_MEMORY] = memory;
	strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&t, &tm));
	snprintf(buf, size,
		 "%s  %zu running, %zu frozen, %zu stopped; shown: CPU %.1f%% of %ld00%%, memory "
		 "%s, "
		 "tasks %.0f",
		 clock, top.n_running, top.n_frozen, top.n_stopped, cpu,
		 sysconf(_SC_NPROCESSORS_ONLN), top_cell(&sum, TOP_MEMORY, used), tasks);
}

/* Tables one below the other, the first when there are rates. */
static int run_batch(struct lxmgr_err *err)
{
	char line[512];
	int r = top_look(&top, err);

	for (int i = 0; r == 0 && (!count || i < count); i++) {
		int width;

		if (poll(NULL, 0, (int)(pause_length() * 1000)) < 0 && errno != EINTR)
			return -errno;
		r = top_look(&top, err);
		if (r < 0)
			break;
		top_sort(&top, sort_by, reverse);
		width = name_width();
		print_summary(line, sizeof(line));
		printf("%s%s\n", i ? "\n" : "", line);
		print_line(line, sizeof(line), NULL, width);
		puts(line);
		for (size_t k = 0; k < top.n; k++) {
			print_line(line, sizeof(line), &top.rows[k], width);
			puts(line);
		}
		if (fflush(stdout))
			break;
	}
	return r;
}

/* The terminal. */
static char selected[64]; /* stays at its container, wherever that is sorted to */
static size_t at, first;
static char message[512];
static char typed[128]; /* the filter while it is typed */
static bool typing, asking_stop, asking_kill, helping;

static void select_row(void)
{
	for (size_t i = 0; i < top.n; i++)
		if (!strcmp(top.rows[i].name, selected))
			at = i;
	if (at >= top.n)
		at = top.n ? top.n - 1 : 0;
	snprintf(selected, sizeof(selected), "%s", top.n ? top.rows[at].name : "");
}

static void move_to(size_t to)
{
	at = top.n && to >= top.n ? top.n - 1 : to;
	snprintf(selected, sizeof(selected), "%s", top.n ? top.rows[at].name : "");
}

static void draw_help(void)
{
	static const char *const lines[] = {
		"Up, Down, PgUp, PgDn, Home, End   choose a container",
		"Left, Right                       sort by another column",
		"r                                 the other way round",
		"/                                 only names that match; an empty one ends that",
		"a                                 show or hide those that do not run",
		"Enter, e                          enter the container, until its shell ends",
		"f                                 freeze it, or let it go on",
		"s, k                              stop it; kill it",
		"Space                             look now",
		"q                                 end",
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		mvaddnstr((int)i + 2, 2, lines[i], COLS - 3);
}

static void draw_table(void)
{
	int width = name_width(), rows = LINES - 3;
	char line[512];

	for (int c = 0, x = 0; c < TOP_COLUMNS && x < COLS; c++) {
		int n = print_cell(line, sizeof(line), (enum top_column)c, top_titles[c].title,
				   width);

		attrset(c == (int)sort_by ? A_REVERSE | A_BOLD : A_BOLD);
		mvaddnstr(1, x, line, COLS - x);
		x += n + 1;
	}
	attrset(A_NORMAL);
	if (rows < 1)
		return;
	if (at < first)
		first = at;
	if (at >= first + (size_t)rows)
		first = at - (size_t)rows + 1;
	for (int y = 0; y < rows && first + (size_t)y < top.n; y++) {
		attrset(first + (size_t)y == at ? A_REVERSE : A_NORMAL);
		print_line(line, sizeof(line), &top.rows[first + (size_t)y], width);
		mvaddnstr(y + 2, 0, line, COLS);
	}
	attrset(A_NORMAL);
}

static void draw(void)
{
	char line[512];

	erase();
	print_summary(line, sizeof(line));
	mvaddnstr(0, 0, line, COLS);
	if (helping)
		draw_help();
	else
		draw_table();
	if (typing)
		snprintf(line, sizeof(line), "filter: %s", typed);
	else if (asking_stop || asking_kill)
		snprintf(line, sizeof(line), "%s %s? y or n", asking_kill ? "kill" : "stop",
			 selected);
	else
		snprintf(line, sizeof(line), "%s",
			 *message ? message
				  : "q end  / filter  Enter enter  f freeze  s stop  ? help");
	mvaddnstr(LINES - 1, 0, line, COLS - 1);
	refresh();
}

/* A tool of ours as a child; in the background it says nothing. */
static pid_t spawn_tool(const char *program, const char *option, bool background)
{
	pid_t pid = fork();
	int null;

	if (pid != 0)
		return pid;
	if (background && (null = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
	}
	if (common.path)
		execlp(program, program, "-P", common.path, "-n", selected, option, (char *)NULL);
	else
		execlp(program, program, "-n", selected, option, (char *)NULL);
	_exit(127);
}

static struct {
	pid_t pid; /* 0: none */
	char name[64];
} job;

static void start_job(bool by_force)
{
	if (job.pid) {
		snprintf(message, sizeof(message), "%s is still being stopped", job.name);
		return;
	}
	job.pid = spawn_tool("lxmgr-stop", by_force ? "-k" : "-q", true);
	if (job.pid < 0)
		job.pid = 0;
	snprintf(job.name, sizeof(job.name), "%s", selected);
	snprintf(message, sizeof(message),
		 job.pid ? "stopping %s" : "%s: no process can be started", job.name);
}

static void check_job(void)
{
	int status;

	if (!job.pid || waitpid(job.pid, &status, WNOHANG) != job.pid)
		return;
	job.pid = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		snprintf(message, sizeof(message), "%s is stopped", job.name);
	else
		snprintf(message, sizeof(message),
			 "%s could not be stopped; lxmgr-stop -n %s tells why", job.name, job.name);
}

static void enter(void)
{
	pid_t pid;
	int status = 0;

	if (!top.n)
		return;
	def_prog_mode();
	endwin();
	printf("lxmgr-top: in %s; its shell's end comes back\n", selected);
	fflush(stdout);
	pid = spawn_tool("lxmgr-attach", NULL, false);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	reset_prog_mode();
	clearok(stdscr, TRUE);
	snprintf(message, sizeof(message), pid > 0 ? "back from %s" : "%s cannot be entered",
		 selected);
}

static void freeze_or_thaw(void)
{
	struct lxmgr_err err = { 0 };
	struct lxmgr_container *c;
	bool frozen;
	int r;

	if (!top.n)
		return;
	frozen = top.rows[at].state == LXMGR_FROZEN;
	r = lxmgr_container_open(common.path, selected, NULL, &c, &err);
	if (r == 0) {
		r = frozen ? lxmgr_container_unfreeze(c, &err) : lxmgr_container_freeze(c, &err);
		lxmgr_container_close(c);
	}
	snprintf(message, sizeof(message), "%s%s%.400s", r < 0 ? "" : selected,
		 r < 0	  ? ""
		 : frozen ? " goes on"
			  : " is frozen",
		 r < 0 ? tool_text(err.text) : "");
}

static void set_filter(void)
{
	regex_t fresh;

	if (*typed && regcomp(&fresh, typed, REG_EXTENDED | REG_NOSUB) != 0) {
		snprintf(message, sizeof(message), "'%s' is no regular expression",
			 tool_text(typed));
		return;
	}
	if (top.filter)
		regfree(&pattern);
	if (*typed)
		pattern = fresh;
	top.filter = *typed ? &pattern : NULL;
	if (*typed)
		snprintf(message, sizeof(message), "names like '%s'; / and Enter shows all",
			 tool_text(typed));
	else
		*message = '\0';
	top_pick(&top);
}

static void type(int key)
{
	size_t n = strlen(typed);

	if (key == '\n' || key == KEY_ENTER) {
		typing = false;
		set_filter();
	} else if (key == 27) {
		typing = false;
	} else if ((key == KEY_BACKSPACE || key == 127 || key == 8) && n) {
		typed[n - 1] = '\0';
	} else if (key >= ' ' && key < 127 && n + 1 < sizeof(typed)) {
		typed[n] = (char)key;
		typed[n + 1] = '\0';
	}
}

static void move_key(int key)
{
	size_t page = LINES > 4 ? (size_t)LINES - 3 : 1;

	if (key == KEY_UP)
		move_to(at ? at - 1 : 0);
	else if (key == KEY_DOWN)
		move_to(at + 1);
	else if (key == KEY_PPAGE)
		move_to(at > page ? at - page : 0);
	else if (key == KEY_NPAGE)
		move_to(at + page);
	else if (key == KEY_HOME)
		move_to(0);
	else if (key == KEY_END)
		move_to(top.n ? top.n - 1 : 0);
	else if (key == KEY_LEFT)
		sort_by = sort_by ? sort_by - 1 : TOP_COLUMNS - 1;
	else if (key == KEY_RIGHT)
		sort_by = (sort_by + 1) % TOP_COLUMNS;
}

/* False: that was the last one. ret_look: look at once. */
static bool press(int key, bool *ret_look)
{
	if (typing) {
		type(key);
		return true;
	}
	if (asking_stop || asking_kill) {
		if (key == 'y' && top.n)
			start_job(asking_kill);
		asking_stop = asking_kill = false;
		return true;
	}
	helping = false;
	switch (key) {
	case 'q':
		return false;
	case '?':
	case 'h':
		helping = true;
		break;
	case 'r':
		reverse = !reverse;
		break;
	case 'a':
		top.all = !top.all;
		top_pick(&top);
		break;
	case '/':
		typing = true;
		*typed = '\0';
		break;
	case 's':
		asking_stop = top.n > 0;
		break;
	case 'k':
		asking_kill = top.n > 0;
		break;
	case 'f':
		freeze_or_thaw();
		*ret_look = true;
		break;
	case 'e':
	case '\n':
	case KEY_ENTER:
		enter();
		*ret_look = true;
		break;
	case ' ':
		*ret_look = true;
		break;
	default:
		move_key(key);
	}
	return true;
}

static void prepare_terminal(void)
{
	setlocale(LC_CTYPE, "");
	/* Messages name it; an unknown terminal ends the program here, with words. */
	if (!newterm(NULL, stdout, stdin)) {
		fprintf(stderr, "lxmgr-top: this terminal is not known (TERM); see --batch\n");
		exit(LXMGR_FAILED);
	}
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	set_escdelay(50);
	curs_set(0);
}

/* Keys in between two looks, until the next is due. */
static bool wait_keys(double until)
{
	for (;;) {
		double left = until - now();
		bool look = false;
		int key;

		if (left <= 0)
			return true;
		top_sort(&top, sort_by, reverse);
		select_row();
		draw();
		timeout((int)ceil(fmin(left, job.pid ? 0.2 : left) * 1000));
		key = getch();
		check_job();
		if (key == ERR || key == KEY_RESIZE)
			continue;
		if (!typing && !asking_stop && !asking_kill)
			*message = '\0';
		if (!press(key, &look))
			return false;
		if (look)
			return true;
	}
}

static int run_terminal(struct lxmgr_err *err)
{
	double wait = FIRST_RATES_MS / 1000.0;
	int r;

	prepare_terminal();
	do {
		r = top_look(&top, err);
		if (r < 0 || !wait_keys(now() + wait))
			break;
		wait = pause_length();
	} while (count == 0 || --count > 0);
	endwin();
	return r;
}

static void read_options(void)
{
	char *end;

	if (delay_text) {
		delay = strtod(delay_text, &end);
		if (*end || end == delay_text || !(delay >= 0.1 && delay <= 86400))
			tool_usage_error("--delay takes 0.1 to 86400 seconds, not '%s'",
					 tool_text(delay_text));
		delay_given = true;
	}
	if (sort_text) {
		reverse = *sort_text == '-';
		sort_by = top_column_parse(sort_text + reverse);
		if (sort_by == TOP_COLUMNS)
			tool_usage_error("no column '%s'", tool_text(sort_text + reverse));
	}
	if (!filter_text && common.name)
		filter_text = common.name;
	if (filter_text) {
		if (regcomp(&pattern, filter_text, REG_EXTENDED | REG_NOSUB) != 0)
			tool_usage_error("'%s' is no regular expression", tool_text(filter_text));
		top.filter = &pattern;
	}
	top.all = all;
	top.path = common.path;
}

int main(int argc, char **argv)
{
	int rest = tool_parse(&tool, argc, argv), r;
	struct lxmgr_err err = { 0 };

	if (rest < argc)
		tool_usage_error("unexpected argument '%s'", tool_text(argv[rest]));
	read_options();
	if (!batch && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
		tool_usage_error("there is no terminal here; --batch prints tables");
	r = batch ? run_batch(&err) : run_terminal(&err);
	top_free(&top);
	return tool_exit(r < 0 ? tool_error(&err) : 0);
}
