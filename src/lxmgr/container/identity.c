/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What of a root that has run must not be the same in its copy. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/identity.h"
#include "container/personalize.h"
#include "kernel/mount.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/run.h"
#include "util/str.h"

#define FILE_LIMIT (1 << 20)
#define SSH_DIR	   "etc/ssh"

int identity_remove(int root, const char *path, struct lxmgr_err *err)
{
	const char *base;
	cleanup_fd int dir = open_parent_in(root, path, OPEN_NO_LINKS, &base);
	int r = dir < 0 ? dir : remove_tree_at(dir, base);

	return r == 0 || r == -ENOENT || r == -ELOOP || r == -ENOTDIR
		       ? 0
		       : err_set(err, r, "remove '/%s' of the copy", path);
}

int identity_empty(int root, const char *path, const char *prefix, int deep, struct lxmgr_err *err)
{
	int fd = open_in(root, path, OPEN_NO_LINKS, O_RDONLY | O_DIRECTORY, 0), r = 0;
	cleanup_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	while (d && r == 0 && (e = readdir(d))) {
		struct stat st;

		if (str_eq(e->d_name, ".") || str_eq(e->d_name, "..") ||
		    !str_has_prefix(e->d_name, prefix) ||
		    fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (!S_ISDIR(st.st_mode))
			r = unlinkat(fd, e->d_name, 0) < 0 ? -errno : 0;
		else if (deep > 0)
			r = identity_empty(fd, e->d_name, "", deep - 1, err);
	}
	return r < 0 ? err_set(err, r, "empty '/%s' of the copy", path) : 0;
}

/* Keys and numbers by which others know it, or which are secret. Its DHCP client would ask for the
 * address of the other one. */
int identity_forget(int root, struct lxmgr_err *err)
{
	static const char *const gone[] = { "var/lib/systemd/random-seed",
					    "var/lib/systemd/credential.secret",
					    "var/lib/urandom/random-seed" };
	static const struct {
		const char *path, *prefix;
	} emptied[] = {
		{ "etc/dropbear", "dropbear_" }, /* its service makes new ones */
		{ "var/lib/dhcp", "" },		 { "var/lib/dhclient", "" },
		{ "var/lib/dhcpcd", "" },	 { "var/lib/NetworkManager", "" },
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(gone) && r == 0; i++)
		r = identity_remove(root, gone[i], err);
	for (size_t i = 0; i < ARRAY_SIZE(emptied) && r == 0; i++)
		r = identity_empty(root, emptied[i].path, emptied[i].prefix, 0, err);
	return r;
}

static bool has_key(int dir, const char *type)
{
	char name[64];
	struct stat st;

	snprintf(name, sizeof(name), "ssh_host_%s_key", type);
	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int take_away(int dir, const char *type, struct lxmgr_err *err)
{
	static const char *const suffixes[] = { "", ".pub", "-cert.pub" };
	char name[64];

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		snprintf(name, sizeof(name), "ssh_host_%s_key%s", type, suffixes[i]);
		if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
			return err_set(err, -errno, "delete '/" SSH_DIR "/%s' in the container",
				       name);
	}
	return 0;
}

static int put_file(int root, int tmp, const char *from, const char *type, const char *suffix,
		    mode_t mode, struct lxmgr_err *err)
{
	cleanup_free char *text = NULL;
	char path[96];
	size_t len;
	int r = read_file_at(tmp, from, FILE_LIMIT, &text, &len);

	if (r < 0)
		return err_set(err, r, "read the new host key");
	snprintf(path, sizeof(path), SSH_DIR "/ssh_host_%s_key%s", type, suffix);
	return personalize_put(root, path, text, len, mode, err);
}

/* By the host's ssh-keygen, on a file system in memory that goes with this process. */
static int make_key(int root, const char *type, struct lxmgr_err *err)
{
	cleanup_fd int tmp = mount_new_fs("tmpfs", "lxmgr", "mode=0700,size=256k", 0, err);
	char file[FD_PATH_SIZE + 16], text[64];
	const char *argv[] = { "ssh-keygen", "-q", "-N", "",   "-C", "root",
			       "-t",	     type, "-f", file, NULL };
	struct run_opts o = RUN_OPTS_INIT;
	cleanup_free char *out = NULL;
	int r;

	if (tmp < 0)
		return tmp;
	snprintf(file, sizeof(file), "/proc/%d/fd/%d/key", getpid(), tmp);
	o.capture = 1024;
	r = run_program(argv, &o, &out);
	if (r < 0)
		return err_set(err, r, "run ssh-keygen");
	if (r > 0)
		return err_msg(err, -EIO, "ssh-keygen ended with %s: %s",
			       run_status_text(r, text, sizeof(text)), out ? str_strip(out) : "");
	r = put_file(root, tmp, "key", type, "", 0600, err);
	return r < 0 ? r : put_file(root, tmp, "key.pub", type, ".pub", 0644, err);
}

int personalize_host_keys(int root, struct lxmgr_err *err)
{
	static const char *const types[] = { "rsa", "ecdsa", "ed25519", "dsa" };
	cleanup_fd int dir = open_in(root, SSH_DIR, OPEN_NO_LINKS, O_RDONLY | O_DIRECTORY, 0);
	bool can = run_has_program("ssh-keygen"), lost = false;

	if (dir == -ENOENT || dir == -ENOTDIR)
		return 0;
	if (dir < 0) {
		err_set(err, dir, "open '/" SSH_DIR "' in the container");
		err_hint(err, "with --keepid its keys stay as they are");
		return dir;
	}
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		int r;

		if (!has_key(dir, types[i]))
			continue;
		r = take_away(dir, types[i], err);
		/* No ssh of today makes keys of type dsa. */
		if (r == 0 && can && !str_eq(types[i], "dsa"))
			r = make_key(root, types[i], err);
		if (r < 0)
			return r;
		lost |= !can;
	}
	return lost;
}

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '_';
}

/* Names stand behind the address, which may look like one, and before a comment. */
static bool rename_line(struct strbuf *b, const char *line, size_t len, const char *from,
			const char *to)
{
	size_t n = strlen(from), i = 0;
	bool any = false;

	while (i < len && isblank((unsigned char)line[i]))
		i++;
	while (i < len && !isspace((unsigned char)line[i]) && line[i] != '#')
		i++;
	strbuf_add(b, line, i);
	while (i < len && line[i] != '#') {
		/* A whole name, or the first part of one. */
		if (isspace((unsigned char)line[i - 1]) && len - i >= n &&
		    !memcmp(line + i, from, n) && (len - i == n || !is_name_char(line[i + n]))) {
			strbuf_addf(b, "%s", to);
			i += n;
			any = true;
		} else {
			strbuf_add(b, line + i++, 1);
		}
	}
	strbuf_add(b, line + i, len - i);
	return any;
}

int personalize_hosts(int root, const char *from, const char *to, struct lxmgr_err *err)
{
	cleanup_fd int fd = personalize_open(root, "etc/hosts");
	cleanup_strbuf struct strbuf b = { 0 };
	cleanup_free char *text = NULL;
	bool any = false;
	struct stat st;

	/* A container of that name has it there as every other. */
	if (!*from || str_eq(from, to) || str_eq(from, "localhost"))
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0 || read_all(fd, FILE_LIMIT, &text, NULL) < 0)
		return 0;
	for (const char *p = text; *p;) {
		size_t n = strcspn(p, "\n");

		any |= rename_line(&b, p, n, from, to);
		p += n;
		if (*p)
			strbuf_add(&b, p++, 1);
	}
	if (b.failed)
		return err_set(err, -ENOMEM, "hosts");
	return any ? personalize_put_like(root, "etc/hosts", b.s, b.len, &st, err) : 0;
}
