/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "container/personalize.h"
#include "container/rootrun.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"

#define FILE_LIMIT (1 << 20)
/* Exit status of the child: all is done but the host keys. */

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

int personalize_put(int root, const char *path, const char *text, size_t len, mode_t mode,
		    struct lxmgr_err *err)
{
	const char *base;
	cleanup_fd int dir = open_parent_in(root, path, OPEN_IN_ROOT, &base);
	int r;

	if (dir == -ENOENT)
		return 0;
	r = dir < 0 ? dir : write_file_replace(dir, base, text, len, mode);
	return r < 0 ? err_set(err, r, "write '/%s' in the container", path) : 0;
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

/* What makes random numbers is no longer secret, and the same in both. */
static int drop_seed(int root, struct lxmgr_err *err)
{
	const char *base;
	cleanup_fd int dir =
		open_parent_in(root, "var/lib/systemd/random-seed", OPEN_IN_ROOT, &base);

	if (dir >= 0 && unlinkat(dir, base, 0) < 0 && errno != ENOENT && errno != EISDIR)
		return err_set(err, -errno, "delete the copied random seed");
	return 0;
}

static int hash_password(const char *password, char hash[CRYPT_OUTPUT_SIZE], struct lxmgr_err *err)
{
	static struct crypt_data data;
	char salt[CRYPT_GENSALT_OUTPUT_SIZE];
	const char *h;

	if (!crypt_gensalt_rn("$y$", 0, NULL, 0, salt, sizeof(salt)))
		return err_set(err, -errno, "make a salt");
	h = crypt_rn(password, salt, &data, sizeof(data));
	if (!h || *h == '*')
		return err_set(err, -EIO, "hash the password");
	snprintf(hash, CRYPT_OUTPUT_SIZE, "%s", h);
	return 0;
}

/* root's line of /etc/shadow gets the hash; the other lines stay as they are. */
static int put_password(int root, const char *password, struct lxmgr_err *err)
{
	cleanup_fd int fd = personalize_open(root, "etc/shadow");
	cleanup_strbuf struct strbuf b = { 0 };
	cleanup_free char *text = NULL;
	char hash[CRYPT_OUTPUT_SIZE];
	const char *line;
	bool found = false;
	int r = hash_password(password, hash, err);

	if (r < 0)
		return r;
	if (fd >= 0)
		r = read_all(fd, FILE_LIMIT, &text, NULL);
	else if (fd == -ENOENT)
		text = strdup("");
	else
		r = fd;
	if (r < 0 || !text)
		return err_set(err, r < 0 ? r : -ENOMEM, "read '/etc/shadow' in the container");
	for (line = text; *line;) {
		size_t n = strcspn(line, "\n");

		if (!found && str_has_prefix(line, "root:")) {
			const char *rest = memchr(line + 5, ':', n > 5 ? n - 5 : 0);

			strbuf_addf(&b, "root:%s%.*s\n", hash, rest ? (int)(line + n - rest) : 1,
				    rest ? rest : ":");
			found = true;
		} else {
			strbuf_addf(&b, "%.*s\n", (int)n, line);
		}
		line += n + (line[n] == '\n');
	}
	if (!found)
		strbuf_addf(&b, "root:%s:%lld:0:99999:7:::\n", hash,
			    (long long)(time(NULL) / 86400));
	if (b.failed)
		return err_set(err, -ENOMEM, "password");
	return put(root, "etc/shadow", b.s, 0640, err);
}

static int put_key(int root, const char *file, struct lxmgr_err *err)
{
	cleanup_fd int dir = -EBADF;
	cleanup_free char *keys = NULL;
	int r = read_file_at(AT_FDCWD, file, FILE_LIMIT, &keys, NULL);

	if (r < 0)
		return err_set(err, r, "read the ssh key '%s'", file);
	dir = mkdir_in(root, "root/.ssh", 0700, 0, 0);
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
		r = drop_seed(root, err);
	if (r == 0 && p->new_host_keys)
		r = personalize_host_keys(root, err);
	return r;
}

static int write_in(int root, const struct storage *st, void *data, struct lxmgr_err *err)
{
	return write_all_files(root, data, err);
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
