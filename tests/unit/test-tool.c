/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report.h"

static bool flag, other;
static const char *string, *optional, *id;
static struct strings many;
static int number = -1;

static const struct opt opts[] = {
	{ 'a', "all", OPT_FLAG, &flag, NULL, "a flag" },
	{ 'b', NULL, OPT_FLAG, &other, NULL, "another" },
	{ 't', "text", OPT_STRING, &string, "TEXT", "a value" },
	{ 'e', "elevate", OPT_OPTIONAL, &optional, "WHAT", "a value that may be left out" },
	{ 's', "define", OPT_STRINGS, &many, "K=V", "values" },
	{ 'N', "number", OPT_NUMBER, &number, "N", "a number" },
	{ 'u', "uid", OPT_STRING, &id, "UID", "an id" },
	{ 'l', "list", OPT_FLAG, &other, NULL, "takes the letter of --logpriority" },
};

static const struct tool named = {
	.name = "lxmgr-try",
	.usage = "[-n] NAME",
	.summary = "Try.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.any_user = true,
};

static const struct tool nameless = {
	.name = "lxmgr-try",
	.usage = "[COMMAND ...]",
	.summary = "Try.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.no_name = true,
	.any_user = true,
};

static char out[65536];
static const struct tool *tool;
static char *args[16];

/* What main of a tool does; ends the child. */
static void print_parsed(void)
{
	unsigned int uid = 0;
	int argc = 0, rest;

	while (args[argc])
		argc++;
	rest = tool_parse(tool, argc, args);
	if (id)
		uid = tool_id("-u", id);
	printf("name=%s", common.name ? common.name : "-");
	if (flag)
		printf(" all");
	if (other)
		printf(" b");
	if (string)
		printf(" text=%s", string);
	if (optional)
		printf(" elevate=%s", optional);
	if (number >= 0)
		printf(" number=%d", number);
	if (id)
		printf(" uid=%u", uid);
	for (size_t i = 0; i < many.n; i++)
		printf(" define=%s", many.v[i]);
	for (int i = rest; i < argc; i++)
		printf(" [%s]", args[i]);
	exit(tool_exit(0));
}

/* A tool's functions exit, and keep what they parsed: each case has a process of its own. Its
 * output, both streams, is in out. close_fd: one that is closed before; full: stdout is. */
static int run(void (*fn)(void), int close_fd, bool full)
{
	FILE *f = tmpfile();
	pid_t pid;
	int status;

	assert_non_null(f);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(fileno(f), STDOUT_FILENO);
		dup2(fileno(f), STDERR_FILENO);
		if (full)
			dup2(open("/dev/full", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
		if (close_fd >= 0)
			close(close_fd);
		fn();
		_exit(99);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	rewind(f);
	out[fread(out, 1, sizeof(out) - 1, f)] = '\0';
	fclose(f);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int parse(const struct tool *t, const char *line)
{
	static char copy[512];
	char *save = NULL;
	size_t n = 0;

	snprintf(copy, sizeof(copy), "lxmgr-try %s", line);
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		args[n++] = w;
	args[n] = NULL;
	tool = t;
	return run(print_parsed, -1, false);
}

static void test_parse(void **state)
{
	static const struct {
		const struct tool *tool;
		const char *line, *want;
	} cases[] = {
		{ &named, "-n web", "name=web" },
		{ &named, "-nweb", "name=web" },
		{ &named, "--name=web", "name=web" },
		{ &named, "--name web", "name=web" },
		{ &named, "web", "name=web" },
		{ &named, "-P /nowhere web", "name=web" },
		{ &named, "--lxcpath /nowhere web", "name=web" },
		{ &named, "web -a", "name=web all" },
		{ &named, "-a web -b", "name=web all b" },
		{ &named, "-ab web", "name=web all b" },
		{ &named, "-abtx web", "name=web all b text=x" },
		{ &named, "-t x -t y web", "name=web text=y" },
		{ &named, "-t=x web", "name=web text=x" },
		{ &named, "--text= web", "name=web text=" },
		{ &named, "-e web", "name=web elevate=" },
		{ &named, "-eCAP web", "name=web elevate=CAP" },
		{ &named, "-e=CAP web", "name=web elevate=CAP" },
		{ &named, "--elevate=CAP web", "name=web elevate=CAP" },
		{ &named, "-s a=1 --define b=2 web", "name=web define=a=1 define=b=2" },
		{ &named, "-N 0 web", "name=web number=0" },
		{ &named, "-l web", "name=web b" },
		/* A command's options are its own. */
		{ &named, "web ls -a", "name=web [ls] [-a]" },
		{ &named, "web -b ls -a", "name=web b [ls] [-a]" },
		{ &named, "-n web -- -a", "name=web [-a]" },
		{ &named, "web -- -- -a", "name=web [--] [-a]" },
		{ &named, "-- web -a", "name=web [-a]" },
		{ &named, "-n web other", "name=web [other]" },
		{ &named, "-", "name=-" },
		{ &nameless, "ls -a", "name=- [ls] [-a]" },
		{ &nameless, "-a -- ls", "name=- all [ls]" },
		{ &named, "-u 0 web", "name=web uid=0" },
		{ &named, "-u 4294967294 web", "name=web uid=4294967294" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(parse(cases[i].tool, cases[i].line), 0);
		assert_string_equal(out, cases[i].want);
	}
}

static void test_mistakes(void **state)
{
	static const struct {
		const struct tool *tool;
		const char *line, *says;
	} cases[] = {
		{ &named, "", "no container name" },
		{ &named, "-a", "no container name" },
		{ &named, "--", "no container name" },
		{ &named, "--nosuch web", "unknown option '--nosuch'" },
		{ &named, "-x web", "unknown option '-x'" },
		{ &named, "-ax web", "unknown option '-x'" },
		{ &named, "--al web", "unknown option '--al'" },
		{ &named, "--all=1 web", "takes no value" },
		{ &named, "web -t", "'-t' needs a value" },
		{ &named, "web --text", "'--text' needs a value" },
		{ &named, "web --json", "unknown option '--json'" },
		{ &named, "-N x web", "is no number" },
		{ &named, "-N -1 web", "is no number" },
		{ &named, "-N 2147483648 web", "is no number" },
		{ &named, "-N 1x web", "is no number" },
		{ &nameless, "-n web", "unknown option '-n'" },
		{ &nameless, "-P /nowhere", "unknown option '-P'" },
		{ &nameless, "--rcfile x", "unknown option '--rcfile'" },
		/* None of these may become 0, root. */
		{ &named, "-u 4294967295 web", "is no id" },
		{ &named, "-u 4294967296 web", "is no id" },
		{ &named, "-u 18446744073709551616 web", "is no id" },
		{ &named, "-u -1 web", "is no id" },
		{ &named, "-u +1 web", "is no id" },
		{ &named, "-u 0x0 web", "is no id" },
		{ &named, "-u= web", "is no id" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(parse(cases[i].tool, cases[i].line), LXMGR_USAGE);
		assert_non_null(strstr(out, cases[i].says));
		/* One line. */
		assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
	}
}

static void test_help(void **state)
{
	assert_int_equal(parse(&named, "--help"), 0);
	assert_non_null(strstr(out, "Usage: lxmgr-try [-n] NAME\n"));
	assert_non_null(strstr(out, "  -e, --elevate[=WHAT]"));
	assert_non_null(strstr(out, "  -n, --name=NAME"));
	assert_non_null(strstr(out, "      --logpriority=LEVEL"));
	assert_null(strstr(out, "dump-options"));
	assert_null(strstr(out, "--json"));
	assert_int_equal(parse(&named, "-h"), 0);
	assert_int_equal(parse(&named, "-?"), 0);
	assert_int_equal(parse(&nameless, "--help"), 0);
	assert_null(strstr(out, "--name"));
	assert_null(strstr(out, "--lxmgrpath"));
	assert_int_equal(parse(&named, "--usage"), 0);
	assert_string_equal(out, "Usage: lxmgr-try [-n] NAME\n");
	assert_int_equal(parse(&named, "--version"), 0);
	assert_int_equal(parse(&named, "--dump-options"), 0);
	assert_non_null(strstr(out, "-a\t--all\t\n"));
	assert_non_null(strstr(out, "-b\t\t\n"));
	assert_non_null(strstr(out, "-e\t--elevate\t[=WHAT]\n"));
	assert_non_null(strstr(out, " \t--logpriority\tLEVEL\n"));
}

static void test_output_fails(void **state)
{
	args[0] = (char[]){ "lxmgr-try" };
	args[1] = (char[]){ "--help" };
	args[2] = NULL;
	tool = &named;
	assert_int_equal(run(print_parsed, -1, true), LXMGR_FAILED);
	assert_string_equal(out, "lxmgr-try: cannot write the output: No space left on device\n");
	assert_int_equal(run(print_parsed, STDOUT_FILENO, false), LXMGR_FAILED);
	assert_string_equal(out, "lxmgr-try: cannot write the output: Bad file descriptor\n");
	assert_int_equal(run(print_parsed, STDIN_FILENO, false), 0);
	assert_int_equal(run(print_parsed, STDERR_FILENO, false), 0);
}

static void print_nothing(void)
{
	char *argv[] = { (char[]){ "lxmgr-try" }, (char[]){ "web" }, NULL };

	tool_parse(&named, 2, argv);
	/* What is opened now must not become stdout. */
	if (open("/dev/null", O_RDONLY | O_CLOEXEC) <= STDERR_FILENO)
		exit(98);
	exit(tool_exit(0));
}

/* A tool that has nothing to say is content with a closed stdout, as of a daemon. */
static void test_silent(void **state)
{
	for (int fd = 0; fd <= 2; fd++)
		assert_int_equal(run(print_nothing, fd, false), 0);
	assert_int_equal(run(print_nothing, -1, true), 0);
}

static void print_errors(void)
{
	struct lxmgr_err err = { .status = LXMGR_LOCKED, .text = "web is not here" };
	char *argv[] = { (char[]){ "lxmgr-try" }, (char[]){ "web" }, NULL };

	tool_parse(&named, 2, argv);
	tool_error(&err);
	snprintf(err.text, sizeof(err.text), "'webs' and \033[2J");
	tool_error(&err);
	snprintf(err.text, sizeof(err.text), "container 'web' is here");
	exit(tool_error(&err));
}

static void test_errors(void **state)
{
	assert_int_equal(run(print_errors, -1, false), LXMGR_LOCKED);
	assert_string_equal(out, "lxmgr-try: web: web is not here\n"
				 "lxmgr-try: web: 'webs' and \\x1b[2J\n"
				 "lxmgr-try: container 'web' is here\n");
}

static void test_text(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "" },
		{ "plain \\ text", "plain \\ text" },
		{ "a\nb\tc\x7f", "a\\x0ab\\x09c\\x7f" },
		{ "\033]0;title\a", "\\x1b]0;title\\x07" },
		{ "\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xa7", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xa7" },
		{ "\xc2\x9b", "\\xc2\\x9b" }, /* C1: control sequence introducer */
		{ "\x9b", "\\x9b" },	      /* the same in 8 bits */
		{ "\xc0\x9b", "\\xc0\\x9b" }, /* overlong */
		{ "\xe0\x80\x9b", "\\xe0\\x80\\x9b" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" }, /* a surrogate */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },
		{ "\xfc\x80\x80\x80", "\\xfc\\x80\\x80\\x80" },
		{ "\xff\xfe", "\\xff\\xfe" },
		{ "\xe2\x82", "\\xe2\\x82" }, /* cut */
	};
	char *big = malloc(5001);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(tool_text(cases[i].text), cases[i].want);
	assert_non_null(big);
	memset(big, 'x', 5000);
	big[5000] = '\0';
	assert_string_equal(tool_text(big), big);
	free(big);
}

static void test_sizes(void **state)
{
	assert_string_equal(tool_size(0), "0 B");
	assert_string_equal(tool_size(1023), "1023 B");
	assert_string_equal(tool_size(1536), "1.50 KiB");
	assert_string_equal(tool_size(UINT64_MAX - 1), "16384.00 PiB");
	assert_string_equal(tool_size(LXMGR_UNKNOWN), "-");
}

static void print_values(void)
{
	tool_value(NULL, "one");
	tool_value("key", "a\nb\033\n");
	tool_value(NULL, "");
	exit(tool_exit(0));
}

static void test_values(void **state)
{
	assert_int_equal(run(print_values, -1, false), 0);
	assert_string_equal(out, "one\nkey = a\nkey = b\\x1b\n\n");
}

static void print_json(void)
{
	report_json(json_pack("{so so so}", "b", report_text("bad\xff"), "a",
			      report_number(LXMGR_UNKNOWN), "id", report_number(4294967294U)));
	exit(tool_exit(0));
}

static void print_no_json(void)
{
	report_json(json_string("\xff"));
	exit(tool_exit(0));
}

static void test_json(void **state)
{
	assert_int_equal(run(print_json, -1, false), 0);
	assert_string_equal(out, "{\n  \"b\": \"bad\\\\xff\",\n  \"a\": null,\n"
				 "  \"id\": 4294967294\n}\n");
	assert_int_equal(run(print_no_json, -1, false), LXMGR_FAILED);
	assert_non_null(strstr(out, "cannot make the JSON"));
	assert_int_equal(run(print_json, -1, true), LXMGR_FAILED);
}

static int checks_missing(void)
{
	struct lxmgr_check c = { .group = "kernel", .name = "time", .text = "there", .cure = "" };

	report_check(&c, NULL);
	c.name = "space";
	c.result = 2;
	snprintf(c.text, sizeof(c.text), "not\033there");
	snprintf(c.cure, sizeof(c.cure), "make some");
	report_check(&c, NULL);
	return report_check_end();
}

static void print_checks(void)
{
	exit(tool_exit(checks_missing()));
}

static void print_checks_json(void)
{
	common.json = true;
	exit(tool_exit(checks_missing()));
}

static void test_checks(void **state)
{
	assert_int_equal(run(print_checks, -1, false), LXMGR_FAILED);
	assert_non_null(strstr(out, "kernel:\n  ok      time "));
	assert_non_null(strstr(out, "  MISSING space "));
	assert_non_null(strstr(out, " not\\x1bthere\n          -> make some\n"));
	assert_int_equal(run(print_checks_json, -1, false), LXMGR_FAILED);
	assert_non_null(strstr(out, "\"result\": \"missing\""));
	assert_non_null(strstr(out, "\"text\": \"not\\u001Bthere\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),  cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_help),   cmocka_unit_test(test_output_fails),
		cmocka_unit_test(test_silent), cmocka_unit_test(test_errors),
		cmocka_unit_test(test_text),   cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_values), cmocka_unit_test(test_json),
		cmocka_unit_test(test_checks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
