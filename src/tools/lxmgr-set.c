/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An option for each key; NULL where it was not given. */
enum {
	MEMORY,
	SWAP,
	CPUS,
	CPU_BURST,
	CPU_WEIGHT,
	CPUSET,
	PIDS,
	IO_READ,
	IO_WRITE,
	IOPS_READ,
	IOPS_WRITE,
	IO_WEIGHT,
	RATE_IN,
	RATE_OUT,
	DISK,
	INODES,
	ONBOOT,
	BOOT_ORDER,
	BOOT_DELAY,
	STOP_TIMEOUT,
	DESCRIPTION,
	OWNER,
	TAG,
	FEATURES,
	PROTECT,
	SUSPEND,
	OPTIONS
};
static const char *given[OPTIONS];
static const char *const keys[OPTIONS] = {
	[MEMORY] = "lxmgr.limit.memory",
	[SWAP] = "lxmgr.limit.swap",
	[CPUS] = "lxmgr.limit.cpus",
	[CPU_BURST] = "lxmgr.limit.cpu.burst",
	[CPUSET] = "lxmgr.limit.cpuset",
	[CPU_WEIGHT] = "lxmgr.limit.cpu.weight",
	[PIDS] = "lxmgr.limit.pids",
	[IO_READ] = "lxmgr.limit.io.read",
	[IO_WRITE] = "lxmgr.limit.io.write",
	[IOPS_READ] = "lxmgr.limit.iops.read",
	[IOPS_WRITE] = "lxmgr.limit.iops.write",
	[IO_WEIGHT] = "lxmgr.limit.io.weight",
	[RATE_IN] = "lxmgr.net.0.rate.in",
	[RATE_OUT] = "lxmgr.net.0.rate.out",
	[DISK] = "lxmgr.limit.disk",
	[INODES] = "lxmgr.limit.inodes",
	[ONBOOT] = "lxmgr.start.auto",
	[BOOT_ORDER] = "lxmgr.start.order",
	[BOOT_DELAY] = "lxmgr.start.delay",
	[STOP_TIMEOUT] = "lxmgr.stop.timeout",
	[DESCRIPTION] = "lxmgr.description",
	[OWNER] = "lxmgr.owner",
	[TAG] = "lxmgr.tag",
	[FEATURES] = "lxmgr.features",
	[PROTECT] = "lxmgr.protect",
	[SUSPEND] = "lxmgr.suspended",
};
static bool dry_run, force;

/* What the guest's own files say. */
static struct lxmgr_setup_opts guest;
static struct strings nameservers, search, ssh_keys;
static char *user_password;
static const char *user_password_file;
static bool crypted;

static const struct opt opts[] = {
	{ 0, "memory", OPT_STRING, &given[MEMORY], "SIZE", "memory (2G, max)" },
	{ 0, "swap", OPT_STRING, &given[SWAP], "SIZE", "swap beyond the memory (1G, 0, max)" },
	{ 0, "cpus", OPT_STRING, &given[CPUS], "N", "CPU time, in CPUs (1.5, max)" },
	{ 0, "cpu-burst", OPT_STRING, &given[CPU_BURST], "N",
	  "CPUs beyond that for a moment, of what was left over (0.5, 0)" },
	{ 0, "cpuset", OPT_STRING, &given[CPUSET], "LIST", "the CPUs it may use (0-3,8)" },
	{ 0, "cpu-weight", OPT_STRING, &given[CPU_WEIGHT], "N",
	  "share of CPU time where it is short, 1 to 10000 (100)" },
	{ 0, "pids", OPT_STRING, &given[PIDS], "N", "processes and threads (4096, max)" },
	{ 0, "io-read", OPT_STRING, &given[IO_READ], "SIZE",
	  "bytes a second from each disk of its root (50M, max)" },
	{ 0, "io-write", OPT_STRING, &given[IO_WRITE], "SIZE",
	  "bytes a second to each disk of its root (cgroup v2)" },
	{ 0, "iops-read", OPT_STRING, &given[IOPS_READ], "N", "reads a second (500, max)" },
	{ 0, "iops-write", OPT_STRING, &given[IOPS_WRITE], "N", "writes a second (cgroup v2)" },
	{ 0, "io-weight", OPT_STRING, &given[IO_WEIGHT], "N",
	  "share of a disk that is busy, 1 to 10000 (100)" },
	{ 0, "rate-in", OPT_STRING, &given[RATE_IN], "RATE",
	  "bits a second to it, over its first interface (100mbit, 1gbit/256K, max)" },
	{ 0, "rate-out", OPT_STRING, &given[RATE_OUT], "RATE", "the same from it" },
	{ 0, "disk", OPT_STRING, &given[DISK], "SIZE", "what its root may take (20G, max)" },
	{ 0, "inodes", OPT_STRING, &given[INODES], "N",
	  "files, directories and links of its root (200k, max)" },
	{ 0, "onboot", OPT_STRING, &given[ONBOOT], "yes|no", "start it when the host starts" },
	{ 0, "boot-order", OPT_STRING, &given[BOOT_ORDER], "N", "the highest starts first" },
	{ 0, "boot-delay", OPT_STRING, &given[BOOT_DELAY], "SECONDS", "wait behind its start" },
	{ 0, "stop-timeout", OPT_STRING, &given[STOP_TIMEOUT], "TIME",
	  "what a clean halt may take (60s)" },
	{ 0, "description", OPT_STRING, &given[DESCRIPTION], "TEXT", "what it is for" },
	{ 0, "owner", OPT_STRING, &given[OWNER], "TEXT", "whose it is" },
	{ 0, "tag", OPT_STRING, &given[TAG], "WORDS", "words for whoever looks for it" },
	{ 0, "features", OPT_STRING, &given[FEATURES], "WORDS",
	  "what it may have beyond the default (nesting, fuse, tun; while it is stopped)" },
	{ 0, "protect", OPT_STRING, &given[PROTECT], "yes|no",
	  "yes: it can neither be destroyed nor reinstalled" },
	{ 0, "suspend-service", OPT_STRING, &given[SUSPEND], "yes|no",
	  "yes: it cannot be started, what runs goes on" },
	{ 0, "hostname", OPT_STRING, &guest.hostname, "NAME", "host name, also in the guest" },
	{ 0, "nameserver", OPT_STRINGS, &nameservers, "ADDRESS",
	  "in the guest: a resolver; '' for none" },
	{ 0, "searchdomain", OPT_STRINGS, &search, "DOMAIN",
	  "in the guest: a domain that names are looked up in" },
	{ 0, "user-password", OPT_STRING, &user_password, "USER:PASS",
	  "in the guest: a user's password (visible in ps; see --user-password-file)" },
	{ 0, "user-password-file", OPT_STRING, &user_password_file, "FILE",
	  "file with USER:PASS, - for stdin" },
	{ 0, "crypted", OPT_FLAG, &crypted, NULL, "PASS is a hash of crypt(3)" },
	{ 0, "ssh-key", OPT_STRINGS, &ssh_keys, "FILE",
	  "in the guest: file with public keys for that user, or root" },
	{ 0, "force", OPT_FLAG, &force, NULL,
	  "also beyond what the host may promise (lxmgr-host)" },
	{ 0, "dry-run", OPT_FLAG, &dry_run, NULL, "tell what would change, and change nothing" },
};

static void more_help(void)
{
	puts("\nAn empty value (--swap=) is the default again.");
}

static const struct tool tool = {
	.name = "lxmgr-set",
	.usage = "[-n] NAME OPTIONS",
	.summary = "Change a container, at once if it runs, and its config.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.no_rcfile = true,
	.has_json = true,
	.more_help = more_help,
};

/* What was changed, to be changed back. */
static struct lxmgr_change undo[OPTIONS];
static size_t n_undo;

static void print_change(const char *key, const char *old, const char *value, void *arg)
{
	if (arg)
		json_array_append_new(arg,
				      json_pack("{ss so so}", "key", key, "old", report_text(old),
						"value", report_text(value)));
	else if (!common.quiet)
		printf("%s: %s -> %s\n", key, *old ? tool_text(old) : "default",
		       *value ? tool_text(value) : "default");
}

/* What cannot be compared, or is nobody's to read. */
static void print_set(const char *key, const char *whose, json_t *told)
{
	if (told)
		print_change(key, "", whose, told);
	else if (!common.quiet)
		printf("%s: that of %s\n", key, tool_text(whose));
}

static void note_change(const char *key, const char *old, const char *value, void *arg)
{
	char *text = *old ? strdup(old) : NULL;

	if (*old && !text)
		tool_no_memory();
	for (int i = 0; i < OPTIONS; i++)
		if (!strcmp(keys[i], key))
			undo[n_undo++] = (struct lxmgr_change){ keys[i], text };
	print_change(key, old, value, arg);
}

/* The option that takes yes or no, or NULL. */
static const char *switch_name(int option)
{
	return option == ONBOOT	   ? "--onboot"
	       : option == PROTECT ? "--protect"
	       : option == SUSPEND ? "--suspend-service"
				   : NULL;
}

static const char *value_of(int option)
{
	const char *text = given[option], *name = switch_name(option);

	if (!*text)
		return NULL;
	if (!name)
		return text;
	if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
		tool_usage_error("%s takes yes or no, not '%s'", name, tool_text(text));
	return strcmp(text, "yes") == 0 ? "1" : "0";
}

static void read_guest(void)
{
	char *text, *colon;

	if (user_password && user_password_file)
		tool_usage_error("--user-password and --user-password-file exclude each other");
	if (crypted && !user_password && !user_password_file)
		tool_usage_error("--crypted goes with a password");
	if (search.n && !nameservers.n)
		tool_usage_error("--searchdomain goes with --nameserver: both are set together");
	guest.nameservers = nameservers.v;
	guest.search = search.v;
	guest.ssh_key_files = ssh_keys.v;
	if (!user_password && !user_password_file)
		return;
	text = user_password ? tool_take_secret(user_password) : tool_read_line(user_password_file);
	colon = strchr(text, ':');
	if (!colon || colon == text)
		tool_usage_error("a password is given as USER:PASS");
	*colon = '\0';
	guest.user = text;
	if (crypted)
		guest.password_hash = colon + 1;
	else
		guest.password = colon + 1;
}

static bool sets_guest(void)
{
	return guest.hostname || guest.nameservers || guest.user || guest.ssh_key_files;
}

/* The strings of a list, with blanks between. */
static char *words_of(const char *const *list)
{
	size_t size = 1;
	char *text, *end;

	for (size_t i = 0; list && list[i]; i++)
		size += strlen(list[i]) + 1;
	text = end = calloc(1, size);
	if (!text)
		tool_no_memory();
	for (size_t i = 0; list && list[i]; i++) {
		size_t len = strlen(list[i]);

		if (i)
			*end++ = ' ';
		memcpy(end, list[i], len);
		end += len;
	}
	return text;
}

static void tell_list(const char *key, const json_t *have, const char *const *want, json_t *told)
{
	const char *old[64] = { NULL };
	char *before, *after = words_of(want);
	const json_t *v;
	size_t i;

	json_array_foreach(have, i, v) if (i < ARRAY_SIZE(old) - 1) old[i] = json_string_value(v);
	before = words_of(old);
	if (strcmp(before, after) != 0)
		print_change(key, before, after, told);
	free(before);
	free(after);
}

/* What in the guest becomes other than it is. A password cannot be compared, and is not told. */
static int tell_guest(struct lxmgr_container *c, json_t *told, struct lxmgr_err *err)
{
	const char *who = guest.user ? guest.user : "root";
	const char *name;
	char *text = NULL;
	json_t *j;

	if (lxmgr_container_setup(c, NULL, &text, err) < 0)
		return -1;
	j = json_loads(text, 0, NULL);
	free(text);
	if (!j)
		tool_no_memory();
	name = json_string_value(json_object_get(j, "hostname"));
	if (guest.hostname && (!name || strcmp(name, guest.hostname) != 0))
		print_change("guest.hostname", name ? name : "", guest.hostname, told);
	if (guest.nameservers)
		tell_list("guest.nameservers", json_object_get(j, "nameservers"), guest.nameservers,
			  told);
	if (guest.nameservers)
		tell_list("guest.search", json_object_get(j, "search"), guest.search, told);
	if (guest.password || guest.password_hash)
		print_set("guest.password", who, told);
	if (guest.ssh_key_files)
		print_set("guest.ssh-keys", who, told);
	json_decref(j);
	return 0;
}

static int set_guest(struct lxmgr_container *c, struct lxmgr_err *err)
{
	char *text = NULL;
	json_t *j;

	if (lxmgr_container_setup(c, &guest, &text, err) < 0)
		return -1;
	j = json_loads(text, 0, NULL);
	free(text);
	if (!j)
		tool_no_memory();
	guest_apply(c, json_object_get(j, "apply"));
	guest_notices(&tool, j);
	json_decref(j);
	return 0;
}

/* What the guest refused: its keys go back to what they were. */
static void take_back(struct lxmgr_container *c)
{
	struct lxmgr_err err = { 0 };

	if (!n_undo)
		return;
	if (lxmgr_container_set(c, undo, n_undo, LXMGR_SET_FORCE, NULL, NULL, &err) < 0) {
		tool_error(&err);
		tool_warn("the keys that were changed stay so", NULL);
	} else {
		tool_warn("the keys that were changed are as they were", NULL);
	}
}

/* All that can be refused is, before anything is changed. */
static int change(struct lxmgr_container *c, const struct lxmgr_change *changes, size_t n,
		  json_t *told)
{
	unsigned int flags = (dry_run ? LXMGR_SET_DRY_RUN : 0) | (force ? LXMGR_SET_FORCE : 0);
	struct lxmgr_err err = { 0 };
	int r = 0;

	if (sets_guest()) {
		guest.check = true;
		r = lxmgr_container_setup(c, &guest, NULL, &err);
		guest.check = false;
	}
	if (r == 0 && n)
		r = lxmgr_container_set(c, changes, n, flags, note_change, told, &err);
	if (r == 0 && sets_guest()) {
		r = tell_guest(c, told, &err);
		if (r == 0 && !dry_run)
			r = set_guest(c, &err);
		if (r < 0 && !dry_run)
			take_back(c);
	}
	return r < 0 ? tool_error(&err) : 0;
}

int main(int argc, char **argv)
{
	int rest = tool_parse(&tool, argc, argv), status;
	struct lxmgr_change changes[OPTIONS];
	struct lxmgr_container *c;
	json_t *told = NULL;
	size_t n = 0;

	if (rest < argc)
		tool_usage_error("unexpected argument '%s'", tool_text(argv[rest]));
	for (int i = 0; i < OPTIONS; i++)
		if (given[i])
			changes[n++] = (struct lxmgr_change){ keys[i], value_of(i) };
	read_guest();
	if (!n && !sets_guest())
		tool_usage_error("nothing to change; see --help");
	c = tool_open();
	if (common.json)
		told = json_array();
	status = change(c, changes, n, told);
	if (status == 0 && common.json)
		report_json(json_pack("{ss sO sb}", "name", common.name, "changes", told, "dry_run",
				      dry_run));
	json_decref(told);
	lxmgr_container_close(c);
	return tool_exit(status);
}
