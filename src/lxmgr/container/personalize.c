/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "container/identity.h"
#include "container/personalize.h"
#include "container/rootrun.h"
#include "image/password.h"
#include "kernel/fsids.h"
#include "storage/storage.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"

#define FILE_LIMIT    (1 << 20)
#define SHADOW_FIELDS 9

int personalize_check(const struct personalize *p, struct lxmgr_err *err)
{
	cleanup_free char *keys = NULL;
	int r;

	if (p->password && (!*p->password || strpbrk(p->password, "\n\r") ||
			    strlen(p->password) >= CRYPT_MAX_PASSPHRASE_SIZE))
		return err_status(err, STATUS_USAGE, -EINVAL,
				  "the password is empty, too long or has a line break");
	if (!p->ssh_key_file)
		return 0;
	r = read_file_at(AT_FDCWD, p->ssh_key_file, FILE_LIMIT, &keys, NULL);
	if (r < 0)
		return err_set(err, r, "read the ssh key '%s'", p->ssh_key_file);
	if (strstr(keys, "PRIVATE KEY"))
		return err_status(err, STATUS_USAGE, -EINVAL,
				  "'%s' is a private key; give the public one (%s.pub?)",
				  p->ssh_key_file, p->ssh_key_file);
	if (!strstr(keys, "ssh-") && !strstr(keys, "ecdsa-") && !strstr(keys, "sk-"))
		return err_status(err, STATUS_USAGE, -EINVAL, "'%s' holds no public ssh key",
				  p->ssh_key_file);
	return 0;
}

int personalize_open(int root, const char *path)
{
	cleanup_fd int fd = open_in(root, path, OPEN_NO_LINKS, O_PATH, 0);
	char name[FD_PATH_SIZE];
	struct stat st;
	int r;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -EINVAL;
	r = open(fd_path(fd, name), O_RDONLY | O_CLOEXEC);
	return r < 0 ? -errno : r;
}

static int put_as(int root, const char *path, const char *text, size_t len, mode_t mode,
		  const struct stat *like, struct lxmgr_err *err)
{
	const char *base;
	cleanup_fd int dir = open_parent_in(root, path, OPEN_IN_ROOT, &base);
	int r;

	if (dir == -ENOENT)
		return 0;
	r = dir < 0 ? dir : write_file_replace(dir, base, text, len, mode);
	if (r == 0 && like &&
	    fchownat(dir, base, like->st_uid, like->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		r = -errno;
	if (r >= 0)
		return 0;
	r = err_set(err, r, "write '/%s' in the container", path);
	if (r == -ENOSPC || r == -EDQUOT)
		err_hint(err, "make room in it, or raise its limit (lxmgr-disk --resize)");
	return r;
}

int personalize_put(int root, const char *path, const char *text, size_t len, mode_t mode,
		    struct lxmgr_err *err)
{
	return put_as(root, path, text, len, mode, NULL, err);
}

int personalize_put_like(int root, const char *path, const char *text, size_t len,
			 const struct stat *like, struct lxmgr_err *err)
{
	return put_as(root, path, text, len, like->st_mode & 0777, like, err);
}

static int put(int root, const char *path, const char *text, mode_t mode, struct lxmgr_err *err)
{
	return personalize_put(root, path, text, strlen(text), mode, err);
}

static int put_machine_id(int root, struct lxmgr_err *err)
{
	cleanup_fd int dbus = -EBADF;
	unsigned char rnd[16];
	struct stat st;
	char text[40];
	int r;

	if (getrandom(rnd, sizeof(rnd), 0) != sizeof(rnd))
		return err_set(err, -EIO, "random machine-id");
	/* A UUID of version 4, as systemd makes them. */
	rnd[6] = (unsigned char)((rnd[6] & 0x0f) | 0x40);
	rnd[8] = (unsigned char)((rnd[8] & 0x3f) | 0x80);
	for (int i = 0; i < 16; i++)
		snprintf(text + 2 * i, 3, "%02x", rnd[i]);
	memcpy(text + 32, "\n", 2);
	r = put(root, "etc/machine-id", text, 0444, err);
	/* Where D-Bus has a file of its own it reads that first. */
	dbus = open_in(root, "var/lib/dbus/machine-id", OPEN_NO_LINKS, O_PATH, 0);
	if (r == 0 && dbus >= 0 && fstat(dbus, &st) == 0 && S_ISREG(st.st_mode))
		r = put(root, "var/lib/dbus/machine-id", text, 0444, err);
	return r;
}

static int hash_password(int root, const char *password, char hash[CRYPT_OUTPUT_SIZE],
			 struct lxmgr_err *err)
{
	static struct crypt_data data;
	const char *kind = password_kind(root), *h;
	char salt[CRYPT_GENSALT_OUTPUT_SIZE];

	if (!crypt_gensalt_rn(kind, password_cost(kind), NULL, 0, salt, sizeof(salt)))
		return err_set(err, -errno, "make a salt");
	h = crypt_rn(password, salt, &data, sizeof(data));
	if (!h || *h == '*')
		return err_set(err, -EIO, "hash the password");
	snprintf(hash, CRYPT_OUTPUT_SIZE, "%s", h);
	return 0;
}

/* The line with the hash, and all of the nine fields that a line has. */
static void add_root(struct strbuf *b, const char *line, size_t n, const char *hash)
{
	const char *rest = memchr(line, ':', n);
	size_t colons = 1;

	rest = memchr(rest + 1, ':', n - (size_t)(rest + 1 - line));
	strbuf_addf(b, "root:%s", hash);
	if (rest)
		strbuf_add(b, rest, n - (size_t)(rest - line));
	for (const char *p = rest; p && p < line + n; p++)
		colons += *p == ':';
	for (; colons < SHADOW_FIELDS - 1; colons++)
		strbuf_add(b, ":", 1);
	strbuf_add(b, "\n", 1);
}

char *personalize_shadow(const char *text, const char *hash)
{
	cleanup_strbuf struct strbuf b = { 0 };
	bool found = false;

	for (const char *line = text ? text : ""; *line;) {
		size_t n = strcspn(line, "\n");

		if (!found && str_has_prefix(line, "root:")) {
			add_root(&b, line, n, hash);
			found = true;
		} else {
			strbuf_addf(&b, "%.*s\n", (int)n, line);
		}
		line += n + (line[n] == '\n');
	}
	if (!found)
		strbuf_addf(&b, "root:%s:%lld:0:99999:7:::\n", hash,
			    (long long)(time(NULL) / 86400));
	return strbuf_take(&b);
}

/* What reads it besides root, and how, is the distribution's choice: group shadow, or nobody. */
static int put_password(int root, const char *password, struct lxmgr_err *err)
{
	cleanup_fd int fd = personalize_open(root, "etc/shadow");
	cleanup_free char *text = NULL, *new = NULL;
	char hash[CRYPT_OUTPUT_SIZE];
	struct stat st;
	int r = hash_password(root, password, hash, err);

	if (r < 0)
		return r;
	if (fd >= 0)
		r = fstat(fd, &st) < 0 ? -errno : read_all(fd, FILE_LIMIT, &text, NULL);
	else if (fd != -ENOENT)
		r = fd;
	if (r < 0)
		return err_set(err, r, "read '/etc/shadow' in the container");
	new = personalize_shadow(text, hash);
	if (!new)
		return err_set(err, -ENOMEM, "password");
	return fd >= 0 ? personalize_put_like(root, "etc/shadow", new, strlen(new), &st, err)
		       : put(root, "etc/shadow", new, 0640, err);
}

static int put_key(int root, const char *file, struct lxmgr_err *err)
{
	cleanup_fd int dir = -EBADF;
	cleanup_free char *keys = NULL;
	int r = read_file_at(AT_FDCWD, file, FILE_LIMIT, &keys, NULL);

	if (r < 0)
		return err_set(err, r, "read the ssh key '%s'", file);
	dir = mkdir_in(root, "root/.ssh", 0700, (uid_t)-1, (gid_t)-1);
	if (dir < 0)
		return err_set(err, dir, "make '/root/.ssh' in the container");
	return put(root, "root/.ssh/authorized_keys", keys, 0600, err);
}

static int write_all_files(int root, const struct personalize *p, struct lxmgr_err *err)
{
	char name[80];
	int r = p->keep_machine_id ? 0 : put_machine_id(root, err);

	snprintf(name, sizeof(name), "%s\n", p->hostname);
	if (r == 0)
		r = put(root, "etc/hostname", name, 0644, err);
	if (r == 0 && p->password)
		r = put_password(root, p->password, err);
	if (r == 0 && p->ssh_key_file)
		r = put_key(root, p->ssh_key_file, err);
	if (r == 0 && p->old_hostname)
		r = personalize_hosts(root, p->old_hostname, p->hostname, err);
	if (r == 0 && p->new_host_keys)
		r = identity_forget(root, err);
	if (r == 0 && p->new_host_keys)
		r = personalize_host_keys(root, err);
	return r;
}

/* Where the ids on disk are shifted, what is written belongs to the container's root as well. */
static int write_in(int root, const struct storage *st, void *data, struct lxmgr_err *err)
{
	struct stat own = { .st_uid = st->ids, .st_gid = st->ids };
	int r;

	/* By the config's map: its root has the directory. */
	if (!st->ids && st->spec->ids_shifted && fstat(root, &own) < 0)
		return err_set(err, -errno, "stat the container's root");
	r = fsids_set(own.st_uid, own.st_gid, err);
	/* The change of ids took it away. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return r < 0 ? r : write_all_files(root, data, err);
}

int personalize_root(int ct_fd, const char *path, const struct storage_spec *spec,
		     const struct personalize *p, struct lxmgr_err *err)
{
	int r = rootrun_stopped(ct_fd, path, spec, write_in, (void *)p, err);

	/* write_all_files() says so: the process that knows it is gone. */
	if (r > 0 && p->ret_no_keys)
		*p->ret_no_keys = true;
	return r < 0 ? r : 0;
}
