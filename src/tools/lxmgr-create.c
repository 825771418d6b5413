/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct lxmgr_create_opts o;
static struct strings defines;
static const char *bdev, *unsupported, *password_file;
static char *password;
static int timeout;

static const struct opt opts[] = {
	{ 't', "template", OPT_STRING, &o.template_name, "TEMPLATE",
	  "template: a name (lxmgr-templates(7)), a path, or none" },
	{ 0, "image", OPT_STRING, &o.image, "IMAGE",
	  "an image of the cache in place of a template (lxmgr-image list)" },
	{ 'f', "config", OPT_STRING, &o.config, "FILE",
	  "config to start from (default: default.conf)" },
	{ 'B', "bdev", OPT_STRING, &bdev, "TYPE",
	  "storage backend: overlay, btrfs, dir, loop, lvm or best" },
	{ 0, "dir", OPT_STRING, &o.dir, "DIR",
	  "backend dir: make the root file system at DIR; with -t none: use DIR as it is" },
	{ 's', "define", OPT_STRINGS, &defines, "KEY=VALUE", "set a key in the new config" },
	{ 0, "plan", OPT_STRING, &o.plan, "PLAN", "limits of a plan (lxmgr-plan list)" },
	{ 0, "privileged", OPT_FLAG, &o.privileged, NULL,
	  "no user namespace: its root is the host's" },
	{ 0, "hostname", OPT_STRING, &o.hostname, "NAME",
	  "host name (default: the container's name)" },
	{ 0, "password", OPT_STRING, &password, "PASS",
	  "root's password (visible in ps; see --password-file)" },
	{ 0, "password-file", OPT_STRING, &password_file, "FILE",
	  "file with root's password, - for stdin" },
	{ 0, "ssh-key", OPT_STRING, &o.ssh_key_file, "FILE", "file with public keys for root" },
	{ 'F', "flush-cache", OPT_FLAG, &o.flush_cache, NULL, "build the template's image again" },
	{ 0, "timeout", OPT_NUMBER, &timeout, "SECONDS",
	  "kill the template after this time (default: 3600)" },
	{ 0, "fstype", OPT_STRING, &o.fstype, "TYPE",
	  "with -B loop or lvm: ext4 (the default), xfs or btrfs" },
	{ 0, "fssize", OPT_STRING, &o.fssize, "SIZE",
	  "with -B loop or lvm: 512M, 20G, a number alone in MiB (default: 10G)" },
	{ 0, "lvname", OPT_STRING, &o.lvname, "NAME",
	  "with -B lvm: the volume (default: the container's name and eight digits)" },
	{ 0, "vgname", OPT_STRING, &o.vgname, "NAME",
	  "with -B lvm: the volume group (default: lxmgr.bdev.lvm.vg)" },
	{ 0, "thinpool", OPT_STRING, &o.thinpool, "NAME",
	  "with -B lvm: the thin pool, '' for a thick volume (default: lxmgr.bdev.lvm.thin_pool)" },
	{ 0, "zfsroot", OPT_STRING, &unsupported, "PATH", "refused: there is no backend zfs" },
	{ 0, "rbdname", OPT_STRING, &unsupported, "NAME", "refused: there is no backend rbd" },
	{ 0, "rbdpool", OPT_STRING, &unsupported, "POOL", "refused: there is no backend rbd" },
	{ 0, "rbduser", OPT_STRING, &unsupported, "USER", "refused: there is no backend rbd" },
};

static void template_help(void)
{
	struct lxmgr_err err = { 0 };
	char *text = NULL;

	if (!o.template_name || !strcmp(o.template_name, "none"))
		return;
	if (lxmgr_template_help(o.template_name, &text, &err) < 0)
		exit(tool_exit(tool_error(&err)));
	printf("\nThe template %s:\n", o.template_name);
	tool_value(NULL, text);
	free(text);
}

/* What the template download has to offer, as LXC's: -l behind "--". */
static bool wants_list(char **args)
{
	if (!o.template_name || strcmp(o.template_name, "download") != 0)
		return false;
	for (; *args; args++)
		if (!strcmp(*args, "-l") || !strcmp(*args, "--list"))
			return true;
	return false;
}

static int template_list(char **args)
{
	struct lxmgr_err err = { 0 };
	char *text = NULL;

	if (lxmgr_template_list(o.template_name, (const char *const *)args, &text, &err) < 0)
		return tool_exit(tool_error(&err));
	tool_value(NULL, text);
	free(text);
	return tool_exit(0);
}

static const struct tool tool = {
	.name = "lxmgr-create",
	.usage = "-t TEMPLATE [-n] NAME [OPTIONS] [-- TEMPLATE OPTIONS]",
	.summary = "Create a container from a template.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.more_help = template_help,
};

int main(int argc, char **argv)
{
	struct lxmgr_err err = { 0 };
	char *notice = NULL;
	int rest = tool_parse(&tool, argc, argv);
	char **list;

	if (unsupported)
		tool_usage_error("options of the backends zfs and rbd are refused: there are "
				 "overlay, btrfs, dir, loop and lvm");
	if (o.template_name && o.image)
		tool_usage_error("-t and --image exclude each other");
	if (!o.template_name && !o.image)
		tool_usage_error("no template given (-t debian, -t busybox, -t none, or --image)");
	if (o.dir && bdev && strcmp(bdev, "dir") != 0)
		tool_usage_error("--dir goes with -B dir");
	for (int i = rest; i < argc; i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			template_help();
			return tool_exit(0);
		}
	/* It needs no name: what stands first behind "--" was taken for one. */
	list = argv + rest - (*common.name == '-' && argv[rest - 1] == common.name);
	if (wants_list(list))
		return template_list(list);
	if (password && password_file)
		tool_usage_error("--password and --password-file exclude each other");
	if (common.rcfile && o.config)
		tool_usage_error("-f and --rcfile are the same; give one");
	if (common.rcfile)
		o.config = common.rcfile;
	o.backend = bdev;
	o.template_args = (const char *const *)argv + rest;
	o.defines = defines.v;
	if (password_file)
		o.password = tool_read_line(password_file);
	else if (password)
		o.password = tool_take_secret(password);
	o.quiet = common.quiet;
	o.progress = tool_progress;
	if (timeout > 2000000)
		tool_usage_error("--timeout %d is too long", timeout);
	o.timeout_ms = timeout * 1000;
	o.ret_notice = &notice;
	if (lxmgr_container_create(common.path, common.name, &o, &err) < 0)
		return tool_exit(tool_error(&err));
	tool_progress_end();
	if (o.privileged && !common.quiet)
		fprintf(stderr, "%s: warning: '%s' is privileged: its root is the host's root\n",
			tool.name, common.name);
	if (notice && !common.quiet)
		fprintf(stderr, "%s: notice: %s\n", tool.name, notice);
	free(notice);
	if (!common.quiet)
		printf("Created %s. Start it with: lxmgr-start %s\n", common.name, common.name);
	return tool_exit(0);
}
