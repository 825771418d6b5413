/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The compiler of seccomp policies: LXC's formats (version 1 and 2) on stdin, the BPF program for
 * all ABIs of the machine on stdout. Not for users.
 *
 *	lxmgr-seccomp NAME-FOR-ERRORS [--deny-mount-api] <policy >program
 */
#include <ctype.h>
#include <errno.h>
#include <seccomp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/str.h"

#define MAX_ARCHES 3

/* The ABIs of a machine, its own first: a call that is denied in one only is not denied. */
static const struct machine {
	uint32_t native;
	struct {
		const char *name, *alias;
		uint32_t token;
	} abi[MAX_ARCHES];
} machines[] = {
	{ SCMP_ARCH_X86_64,
	  { { "x86_64", "amd64", SCMP_ARCH_X86_64 },
	    { "x86", "i386", SCMP_ARCH_X86 },
	    { "x32", NULL, SCMP_ARCH_X32 } } },
	{ SCMP_ARCH_AARCH64,
	  { { "arm64", "aarch64", SCMP_ARCH_AARCH64 }, { "arm", NULL, SCMP_ARCH_ARM } } },
	{ SCMP_ARCH_RISCV64, { { "riscv64", NULL, SCMP_ARCH_RISCV64 } } },
	{ SCMP_ARCH_S390X,
	  { { "s390x", NULL, SCMP_ARCH_S390X }, { "s390", NULL, SCMP_ARCH_S390 } } },
	{ SCMP_ARCH_PPC64LE, { { "ppc64le", NULL, SCMP_ARCH_PPC64LE } } },
};

static struct policy {
	const char *file;
	unsigned int line;
	const struct machine *machine;
	scmp_filter_ctx ctx[MAX_ARCHES];
	uint32_t default_action, rule_action;
	bool in_section[MAX_ARCHES]; /* which architectures the current section is for */
	bool deny_mount_api;	     /* --deny-mount-api: no line of the policy allows these */
} policy;

/* The calls that AppArmor does not see (it sees where a new mount goes, not what it is, and nothing
 * of its attributes). ENOSYS, for then mount(8) and systemd use mount(2). */
static const char *const mount_api[] = { "fsopen",	  "fspick",	   "fsconfig",
					 "fsmount",	  "open_tree",	   "move_mount",
					 "mount_setattr", "open_tree_attr" };

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "seccomp policy '%s', line %u: ", policy.file, policy.line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

/* "errno 1", "allow", "kill" ...; *used is how many words it took. 0 if it is none. */
static bool parse_action(char **w, size_t n, uint32_t *ret, size_t *used)
{
	static const struct {
		const char *word;
		uint32_t action;
	} actions[] = {
		{ "allow", SCMP_ACT_ALLOW },
		{ "kill", SCMP_ACT_KILL },
		{ "kill_thread", SCMP_ACT_KILL_THREAD },
		{ "kill_process", SCMP_ACT_KILL_PROCESS },
		{ "trap", SCMP_ACT_TRAP },
		{ "log", SCMP_ACT_LOG },
	};
	uint64_t value;

	*used = 1;
	if (n && str_eq(w[0], "errno")) {
		if (n < 2 || parse_range(w[1], 0, 4095, &value) < 0)
			die("errno needs a number from 0 to 4095");
		*ret = SCMP_ACT_ERRNO((uint16_t)value);
		*used = 2;
		return true;
	}
	if (n && str_eq(w[0], "notify"))
		die("notify is not supported: user notification has no receiver");
	for (size_t i = 0; n && i < ARRAY_SIZE(actions); i++)
		if (str_eq(w[0], actions[i].word)) {
			*ret = actions[i].action;
			return true;
		}
	return false;
}

static uint64_t parse_value(const char *s)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(s, &end, 0);
	if (errno || *end || !isdigit((unsigned char)*s))
		die("'%s' is no number", s);
	return v;
}

/* "[1,0x5412,SCMP_CMP_MASKED_EQ,0xffffffff]" */
static struct scmp_arg_cmp parse_arg(char *text)
{
	static const struct {
		const char *word;
		enum scmp_compare op;
	} ops[] = {
		{ "SCMP_CMP_NE", SCMP_CMP_NE },
		{ "!=", SCMP_CMP_NE },
		{ "SCMP_CMP_LT", SCMP_CMP_LT },
		{ "<", SCMP_CMP_LT },
		{ "SCMP_CMP_LE", SCMP_CMP_LE },
		{ "<=", SCMP_CMP_LE },
		{ "SCMP_CMP_EQ", SCMP_CMP_EQ },
		{ "==", SCMP_CMP_EQ },
		{ "SCMP_CMP_GE", SCMP_CMP_GE },
		{ ">=", SCMP_CMP_GE },
		{ "SCMP_CMP_GT", SCMP_CMP_GT },
		{ ">", SCMP_CMP_GT },
		{ "SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ },
		{ "&=", SCMP_CMP_MASKED_EQ },
	};
	cleanup_strlist struct strlist f = { 0 };
	struct scmp_arg_cmp cmp = { 0 };
	uint64_t index, value, mask;
	size_t len = strlen(text);

	if (len < 2 || text[0] != '[' || text[len - 1] != ']')
		die("'%s' is no argument filter [index,value,operator,mask]", text);
	text[len - 1] = '\0';
	if (strlist_split(&f, text + 1, ",") < 0 || f.n < 3 || f.n > 4)
		die("'%s]' is no argument filter [index,value,operator,mask]", text);
	if (parse_range(f.v[0], 0, 5, &index) < 0)
		die("argument index '%s' is not 0 to 5", f.v[0]);
	value = parse_value(f.v[1]);
	mask = f.n == 4 ? parse_value(f.v[3]) : 0;
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		if (!str_eq(f.v[2], ops[i].word))
			continue;
		cmp.arg = (unsigned int)index;
		cmp.op = ops[i].op;
		/* A masked comparison has the mask first. */
		cmp.datum_a = ops[i].op == SCMP_CMP_MASKED_EQ ? mask : value;
		cmp.datum_b = ops[i].op == SCMP_CMP_MASKED_EQ ? value : 0;
		return cmp;
	}
	die("unknown operator '%s'", f.v[2]);
}

static bool is_mount_api(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(mount_api); i++)
		if (str_eq(name, mount_api[i]))
			return true;
	return false;
}

static void add_rule(const char *name, uint32_t action, const struct scmp_arg_cmp *args, size_t n)
{
	/* The library takes the native number (or a pseudo number of its own for a call that only
	 * other ABIs have) and translates it for each filter's architecture. */
	int nr = seccomp_syscall_resolve_name(name);

	/* LXC ignores what this library does not know; a policy may be newer than it. */
	if (nr == __NR_SCMP_ERROR) {
		fprintf(stderr,
			"seccomp policy '%s', line %u: unknown system call '%s', ignoring\n",
			policy.file, policy.line, name);
		return;
	}
	/* What the default does anyway needs no rule, and libseccomp refuses it. */
	if (action == policy.default_action)
		return;
	for (size_t i = 0; i < MAX_ARCHES; i++) {
		int r;

		if (!policy.in_section[i] || !policy.ctx[i])
			continue;
		r = seccomp_rule_add_array(policy.ctx[i], action, nr, (unsigned int)n, args);
		/* EDOM: this architecture has no such call. */
		if (r < 0 && r != -EEXIST && r != -EDOM)
			die("%s: %s", name, strerror(-r));
	}
}

/* umount2 with MNT_FORCE reaches into file systems that others use. */
static void reject_force_umount(void)
{
	const struct scmp_arg_cmp cmp = {
		.arg = 1, .op = SCMP_CMP_MASKED_EQ, .datum_a = MNT_FORCE, .datum_b = MNT_FORCE
	};

	add_rule("umount2", SCMP_ACT_ERRNO(EACCES), &cmp, 1);
}

/* Sections for other machines are no mistake: LXC's policies have them. */
static bool is_known_section(const char *name)
{
	static const char *const known[] = { "arm",	    "arm64",	 "loongarch64", "mips",
					     "mips64",	    "mips64n32", "mipsel",	"mipsel64",
					     "mipsel64n32", "ppc",	 "ppc64",	"ppc64le",
					     "riscv64",	    "s390",	 "s390x",	"x32",
					     "x86",	    "x86_64" };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (str_eq(name, known[i]))
			return true;
	return false;
}

static void section(char *name)
{
	bool any = false;

	name[strcspn(name, "]")] = '\0';
	for (size_t i = 0; i < MAX_ARCHES; i++) {
		const char *own = policy.machine->abi[i].name,
			   *alias = policy.machine->abi[i].alias;

		policy.in_section[i] = str_eq(name, "all") || (own && str_eq(name, own)) ||
				       (alias && str_eq(name, alias));
		any |= policy.in_section[i];
	}
	if (!any && !is_known_section(name))
		die("unknown architecture '%s'", name);
}

static void parse_line(char *line)
{
	cleanup_strlist struct strlist w = { 0 };
	struct scmp_arg_cmp args[6];
	uint32_t action = policy.rule_action;
	size_t n = 0, used;

	line[strcspn(line, "#")] = '\0';
	line = str_strip(line);
	if (!*line)
		return;
	if (*line == '[') {
		section(line + 1);
		return;
	}
	if (strlist_split(&w, line, " \t") < 0)
		die("out of memory");
	if (str_eq(w.v[0], "reject_force_umount")) {
		reject_force_umount();
		return;
	}
	if (!parse_action(w.v + 1, w.n - 1, &action, &used))
		used = 0;
	for (size_t i = 1 + used; i < w.n; i++) {
		if (n == ARRAY_SIZE(args))
			die("more than 6 argument filters");
		args[n++] = parse_arg(w.v[i]);
	}
	if (!policy.deny_mount_api || !is_mount_api(w.v[0]))
		add_rule(w.v[0], action, args, n);
}

/* Version 1: numbers of system calls that are allowed, all others kill. */
static void parse_line_v1(char *line)
{
	uint32_t nr;
	int r;

	line = str_strip(line);
	if (!*line)
		return;
	if (parse_u32(line, &nr) < 0 || nr > 4095)
		die("'%s' is no system call number", line);
	if (policy.deny_mount_api) {
		cleanup_free char *name =
			seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int)nr);

		if (name && is_mount_api(name))
			return;
	}
	r = seccomp_rule_add(policy.ctx[0], SCMP_ACT_ALLOW, (int)nr, 0);
	if (r < 0)
		die("%u: %s", nr, strerror(-r));
}

static void make_contexts(size_t n)
{
	uint32_t native = seccomp_arch_native();

	for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
		if (machines[i].native == native)
			policy.machine = &machines[i];
	if (!policy.machine)
		die("policies are not supported on this machine");
	for (size_t i = 0; i < n && policy.machine->abi[i].name; i++) {
		scmp_filter_ctx c = seccomp_init(policy.default_action);

		if (!c)
			die("cannot make a filter");
		if (i && (seccomp_arch_add(c, policy.machine->abi[i].token) < 0 ||
			  seccomp_arch_remove(c, SCMP_ARCH_NATIVE) < 0))
			die("the library has no %s", policy.machine->abi[i].name);
		policy.ctx[i] = c;
		policy.in_section[i] = true;
	}
}

static void parse_head_v2(char *line)
{
	cleanup_strlist struct strlist w = { 0 };
	uint32_t action;
	size_t used;
	bool allow, has;

	if (strlist_split(&w, str_strip(line), " \t") < 0 || !w.n)
		die("expected allowlist or denylist");
	allow = str_eq(w.v[0], "allowlist") || str_eq(w.v[0], "whitelist");
	if (!allow && !str_eq(w.v[0], "denylist") && !str_eq(w.v[0], "blacklist"))
		die("'%s' is neither allowlist nor denylist", w.v[0]);
	has = parse_action(w.v + 1, w.n - 1, &action, &used);
	policy.default_action = allow ? (has ? action : SCMP_ACT_KILL) : SCMP_ACT_ALLOW;
	policy.rule_action = allow ? SCMP_ACT_ALLOW : has ? action : SCMP_ACT_KILL;
	make_contexts(MAX_ARCHES);
}

/* By number as in version 1, too: there the default is to kill. */
static void deny_mount_api(void)
{
	policy.deny_mount_api = false;
	for (size_t i = 0; i < MAX_ARCHES; i++)
		policy.in_section[i] = policy.ctx[i] != NULL;
	for (size_t i = 0; i < ARRAY_SIZE(mount_api); i++)
		if (seccomp_syscall_resolve_name(mount_api[i]) != __NR_SCMP_ERROR)
			add_rule(mount_api[i], SCMP_ACT_ERRNO(ENOSYS), NULL, 0);
}

static void finish(void)
{
	for (size_t i = 1; i < MAX_ARCHES; i++)
		if (policy.ctx[i] && seccomp_merge(policy.ctx[0], policy.ctx[i]) < 0)
			die("cannot merge the filters of the ABIs");
	/* A binary tree: 300 rules in a row cost as much at each system call. */
	seccomp_attr_set(policy.ctx[0], SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (seccomp_export_bpf(policy.ctx[0], STDOUT_FILENO) < 0)
		die("cannot write the program");
}

int main(int argc, char **argv)
{
	cleanup_free char *text = NULL;
	char *rest;
	uint32_t version = 0;

	policy.deny_mount_api = argc == 3 && str_eq(argv[2], "--deny-mount-api");
	if (argc != (policy.deny_mount_api ? 3 : 2)) {
		fprintf(stderr, "usage: lxmgr-seccomp NAME [--deny-mount-api] <policy >program\n");
		return 64;
	}
	policy.file = argv[1];
	if (read_all(STDIN_FILENO, 1 << 20, &text, NULL) < 0)
		die("cannot read it");
	rest = text;
	while (rest) {
		char *line = rest;

		rest = strchr(rest, '\n');
		if (rest)
			*rest++ = '\0';
		policy.line++;
		if (policy.line == 1) {
			if (parse_u32(str_strip(line), &version) < 0 || version < 1 || version > 2)
				die("the first line is the version, 1 or 2");
		} else if (policy.line == 2 && version == 2) {
			parse_head_v2(line);
		} else if (policy.line == 2) {
			if (!str_eq(str_strip(line), "allowlist") &&
			    !str_eq(str_strip(line), "whitelist"))
				die("version 1 has allowlist in its second line");
			policy.default_action = SCMP_ACT_KILL;
			make_contexts(1);
		} else if (version == 2) {
			parse_line(line);
		} else {
			parse_line_v1(line);
		}
	}
	if (policy.line < 3 || !policy.ctx[0])
		die("the policy is too short");
	if (policy.deny_mount_api)
		deny_mount_api();
	finish();
	return 0;
}
