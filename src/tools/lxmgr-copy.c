/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tool.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct lxmgr_copy_opts o;
static struct strings defines;
static struct strings mounts;
static const char *newname, *tmpfs_size;
static bool rename_it, foreground, keep_data, keep_ids, allow_running, tmpfs;

static const struct opt opts[] = {
	{ 'N', "newname", OPT_STRING, &newname, "NEWNAME", "name of the copy" },
	{ 'p', "newpath", OPT_STRING, &o.path, "DIR", "directory of containers for the copy" },
	{ 'R', "rename", OPT_FLAG, &rename_it, NULL, "rename the container instead" },
	{ 's', "snapshot", OPT_FLAG, &o.share, NULL, "copy on write: share what does not change" },
	{ 'e', "ephemeral", OPT_FLAG, &o.ephemeral, NULL,
	  "start the copy now, and destroy it when it stops" },
	{ 'F', "foreground", OPT_FLAG, &foreground, NULL, "with -e: start it in the foreground" },
	{ 'd', "daemon", OPT_OFF, &foreground, NULL,
	  "with -e: in the background (the default); of -F and -d the last one counts" },
	{ 'D', "keepdata", OPT_FLAG, &keep_data, NULL, "with -e: it stays when it stops" },
	{ 'K', "keepname", OPT_FLAG, &o.keep_name, NULL, "keep the host name" },
	{ 'M', "keepmac", OPT_FLAG, &o.keep_mac, NULL, "keep MAC addresses" },
	{ 0, "keepaddress", OPT_FLAG, &o.keep_addresses, NULL, "keep IP addresses" },
	{ 0, "keepid", OPT_FLAG, &o.keep_identity, NULL, "keep machine-id and ssh host keys" },
	{ 0, "keepids", OPT_FLAG, &keep_ids, NULL, "refused: two never have one block of ids" },
	{ 0, "define", OPT_STRINGS, &defines, "KEY=VALUE", "set a key in the copy's config" },
	{ 'a', "allowrunning", OPT_FLAG, &allow_running, NULL,
	  "for LXC's scripts: a running container may always be copied" },
	{ 'B', "backingstorage", OPT_STRING, &o.backend, "TYPE",
	  "overlay, dir, loop, btrfs or lvm; best: that of the container" },
	{ 0, "fstype", OPT_STRING, &o.fstype, "TYPE", "with loop and lvm: ext4, xfs or btrfs" },
	{ 'L', "fssize", OPT_STRING, &o.fssize, "SIZE",
	  "with loop and lvm: how large, in MiB or with a unit" },
	{ 't', "tmpfs", OPT_FLAG, &tmpfs, NULL, "with -e: what it writes stays in memory" },
	{ 0, "tmpfs-size", OPT_STRING, &tmpfs_size, "SIZE",
	  "the same, and how much (default: half of the host's memory)" },
	{ 'm', "mount", OPT_STRINGS, &mounts, "bind=SRC[:DEST][:OPTIONS][,overlay=SRC[:DEST]...]",
	  "with -e: a directory or file of the host's in the copy; overlay: not to be changed" },
};

static const struct tool tool = {
	.name = "lxmgr-copy",
	.usage = "[-n] NAME [-N] NEWNAME [OPTIONS] [-- ARGUMENT...]",
	.summary = "Copy or rename a container.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.second = &newname,
};

/* "SIZE" as the keys of limits have it: bytes, or with K, M, G, T. */
static uint64_t parse_size(const char *text)
{
	static const char units[] = "KMGT";
	unsigned long long n;
	const char *unit;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	unit = *end ? strchr(units, *end) : NULL;
	if (errno || *text < '0' || *text > '9' || (*end && (!unit || end[1])) || !n)
		tool_usage_error(
			"--tmpfs-size: '%s' is no size: bytes, or a number with K, M, G, T",
			tool_text(text));
	for (ptrdiff_t i = unit ? unit - units + 1 : 0; i > 0; i--) {
		if (n > UINT64_MAX / 1024)
			tool_usage_error("--tmpfs-size: '%s' is too much", tool_text(text));
		n *= 1024;
	}
	return n;
}

static uint64_t half_of_memory(void)
{
	return (uint64_t)sysconf(_SC_PHYS_PAGES) / 2 * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void check_options(const char *spec, const char *options)
{
	static const char *const known[] = { "ro", "rw", "nosuid", "nodev", "noexec" };

	for (const char *p = options; *p; p += strcspn(p, ",") + !!p[strcspn(p, ",")]) {
		size_t n = strcspn(p, ","), i = 0;

		while (i < ARRAY_SIZE(known) &&
		       (strlen(known[i]) != n || strncmp(known[i], p, n) != 0))
			i++;
		if (i == ARRAY_SIZE(known))
			tool_usage_error("-m '%s': the options are ro, rw, nosuid, nodev and "
					 "noexec",
					 tool_text(spec));
	}
}

static bool is_mode(const char *text)
{
	return !strcmp(text, "ro") || !strcmp(text, "rw");
}

/* LXC's "bind=SRC[:DEST][:OPTIONS]" and "overlay=SRC[:DEST]" as lxmgr.mount.entry. As there a '/'
 * may be missing, and what stands behind one colon is options if it is "ro" or "rw". */
static void add_mount(const char *spec)
{
	bool overlay = !strncmp(spec, "overlay=", 8);
	char *copy = strdup(spec), *rest, *src, *text;
	const char *dest, *options;
	struct stat st;
	bool is_file;

	if (!strncmp(spec, "aufs=", 5))
		tool_usage_error("-m '%s' is refused: there is no aufs; use overlay=...",
				 tool_text(spec));
	if (!copy || (!overlay && strncmp(spec, "bind=", 5) != 0) || strpbrk(spec, " \t\n\\"))
		tool_usage_error("-m '%s' is neither bind=SRC[:DEST][:OPTIONS] nor "
				 "overlay=SRC[:DEST]",
				 tool_text(spec));
	rest = strchr(copy, '=') + 1;
	src = strsep(&rest, ":");
	dest = strsep(&rest, ":");
	options = strsep(&rest, ":");
	if (dest && !options && is_mode(dest)) {
		options = dest;
		dest = NULL;
	}
	src += strspn(src, "/");
	dest = dest ? dest + strspn(dest, "/") : src;
	if (rest || !*src || !*dest || (options && (!*options || overlay)))
		tool_usage_error("-m '%s' is not %s", tool_text(spec),
				 overlay ? "overlay=SRC[:DEST]" : "bind=SRC[:DEST][:OPTIONS]");
	if (options)
		check_options(spec, options);
	/* In place: what stands before is "bind=" or '/'. */
	*--src = '/';
	is_file = stat(src, &st) == 0 && !S_ISDIR(st.st_mode);
	if (overlay && is_file)
		tool_usage_error("-m '%s': overlay= needs a directory", tool_text(spec));
	if (asprintf(&text, "lxmgr.mount.entry=%s %s none bind%s,create=%s%s%s 0 0", src, dest,
		     overlay ? ",delta" : "", is_file ? "file" : "dir", options ? "," : "",
		     options ? options : "") < 0)
		tool_no_memory();
	free(copy);
	strings_add(&defines, text);
}

/* A list, as LXC has it; options have commas as well. */
static void add_mounts(const char *list)
{
	static const char *const kinds[] = { ",bind=", ",overlay=", ",aufs=" };

	while (*list) {
		const char *end = list + strlen(list);
		char *one;

		for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
			const char *p = strstr(list, kinds[i]);

			if (p && p < end)
				end = p;
		}
		one = strndup(list, (size_t)(end - list));
		if (!one)
			tool_no_memory();
		add_mount(one);
		free(one);
		list = end + !!*end;
	}
}

/* The command runs, and then the copy is stopped. */
static int run_command(struct lxmgr_container *c, const char *const *argv)
{
	struct lxmgr_attach_opts ao = {
		.argv = argv, .clear_env = true, .uid = (uid_t)-1, .gid = (gid_t)-1
	};
	struct lxmgr_stop_opts so = { .timeout_ms = -1, .if_running = true };
	struct lxmgr_err err = { 0 };
	int status = 125;

	if (lxmgr_container_attach(c, &ao, &status, &err) < 0)
		status = tool_error(&err);
	memset(&err, 0, sizeof(err));
	if (lxmgr_container_stop(c, &so, &err) < 0)
		tool_error(&err);
	return status;
}

static int start(const char *name, const char *const *argv)
{
	struct lxmgr_start_opts so = { .foreground = foreground && !*argv,
				       .uid = (uid_t)-1,
				       .gid = (gid_t)-1,
				       .warn = tool_warn };
	struct lxmgr_container *c;
	struct lxmgr_err err = { 0 };
	int r = lxmgr_container_open(o.path ? o.path : common.path, name, NULL, &c, &err);

	if (r < 0)
		return tool_error(&err);
	r = lxmgr_container_start(c, &so, &err);
	if (r < 0) {
		r = tool_error(&err);
		/* It was to live no longer than its run. */
		memset(&err, 0, sizeof(err));
		if (!keep_data && lxmgr_container_destroy(c, true, false, &err) < 0) {
			tool_error(&err);
			fprintf(stderr, "%s: '%s' is left: lxmgr-destroy %s\n", tool.name, name,
				name);
		}
	} else {
		r = *argv ? run_command(c, argv) : 0;
	}
	lxmgr_container_close(c);
	return r;
}

static int rename_container(struct lxmgr_container *c)
{
	struct lxmgr_err err = { 0 };

	if (lxmgr_container_rename(c, newname, &err) < 0)
		return tool_error(&err);
	if (!common.quiet)
		printf("Renamed %s to %s\n", common.name, newname);
	return 0;
}

static int copy_container(struct lxmgr_container *c, const char *const *argv)
{
	struct lxmgr_err err = { 0 };
	bool ephemeral = o.ephemeral, no_keys = false;
	char *name = NULL;
	int status = 0;

	if (keep_data)
		o.ephemeral = false;
	o.try_share = ephemeral;
	o.defines = defines.v;
	o.memory = tmpfs_size ? parse_size(tmpfs_size) : tmpfs ? half_of_memory() : 0;
	o.hook_args = ephemeral ? NULL : argv;
	o.progress = tool_progress;
	o.ret_no_keys = &no_keys;
	if (lxmgr_container_copy(c, newname, &o, &name, &err) < 0)
		return tool_error(&err);
	tool_progress_end();
	if (no_keys)
		tool_no_host_keys(name);
	if (!common.quiet)
		printf("Created %s as a copy of %s\n", name, common.name);
	if (o.memory && !common.quiet)
		printf("What it writes is in memory: a reboot of it takes all of that away\n");
	if (ephemeral)
		status = start(name, argv);
	free(name);
	return status;
}

int main(int argc, char **argv)
{
	struct lxmgr_container *c;
	int rest = tool_parse(&tool, argc, argv), status, dashes = 1;

	while (dashes < argc && strcmp(argv[dashes], "--") != 0)
		dashes++;
	/* What stands behind "--" is never the new name. */
	if (dashes + 1 < argc && newname == argv[dashes + 1]) {
		newname = NULL;
		rest = dashes + 1;
	}
	if (rest < argc && rest <= dashes)
		tool_usage_error("unexpected argument '%s'", tool_text(argv[rest]));
	if (o.backend && !strcmp(o.backend, "best"))
		o.backend = NULL;
	if ((tmpfs || tmpfs_size || mounts.n) && !o.ephemeral)
		tool_usage_error("-t, --tmpfs-size and -m go with -e");
	if ((tmpfs || tmpfs_size) && keep_data)
		tool_usage_error("-D and -t exclude each other: what is in memory cannot be kept");
	if (!newname && !o.ephemeral)
		tool_usage_error("no name for the copy (-N NEWNAME)");
	if (rename_it && (defines.n || o.keep_name))
		tool_usage_error("-R goes without --define and -K: all but the name stays");
	if (rename_it && common.rcfile)
		tool_usage_error("-R goes without --rcfile");
	if (rename_it &&
	    (o.ephemeral || o.share || o.path || o.backend || o.fstype || o.fssize || rest < argc))
		tool_usage_error("-R goes without -e, -s, -p, -B, -L, --fstype and arguments");
	if ((foreground || keep_data) && !o.ephemeral)
		tool_usage_error("-F and -D go with -e");
	if (keep_ids)
		tool_usage_error(
			"--keepids is refused: a block of ids is one container's alone, and "
			"free for others when that is destroyed; -R keeps it");
	if (keep_data && !newname)
		tool_usage_error("-D needs a name for the copy (-N NEWNAME)");
	for (size_t i = 0; i < mounts.n; i++)
		add_mounts(mounts.v[i]);
	c = tool_open();
	status = rename_it ? rename_container(c)
			   : copy_container(c, (const char *const *)argv + rest);
	lxmgr_container_close(c);
	return tool_exit(status);
}
