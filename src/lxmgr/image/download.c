/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Downloads by curl, which runs as nobody and writes to a file that it is given. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/remote.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/log.h"
#include "util/run.h"

#define NOBODY 65534
/* curl(1) */
#define CURL_HTTP_ERROR	 22
#define CURL_WRITE_ERROR 23
#define CURL_NO_RANGE	 33
#define CURL_BAD_RESUME	 36
#define CURL_TOO_LARGE	 63
/* What there has to be room for, or the disk is full. */
#define SOME_ROOM (1 << 20)

static int drop_rights(void *data)
{
	const struct download *d = data;
	struct rlimit l = { d->max, d->max };

	/* The file came as standard input; what is captured is left to messages. */
	if (dup2(0, 1) < 0)
		return -1;
	/* The size that a server tells is only what it tells. */
	if (setrlimit(RLIMIT_FSIZE, &l) < 0)
		return -1;
	if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
	    setresuid(NOBODY, NOBODY, NOBODY) < 0)
		return -1;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0;
}

int download_env(struct strlist *env)
{
	static const char *const kept[] = { "http_proxy",    "https_proxy",   "no_proxy",
					    "all_proxy",     "HTTPS_PROXY",   "NO_PROXY",
					    "ALL_PROXY",     "SSL_CERT_FILE", "SSL_CERT_DIR",
					    "CURL_CA_BUNDLE" };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (getenv(kept[i]))
			r |= strlist_addf(env, "%s=%s", kept[i], getenv(kept[i]));
	return r;
}

static int make_argv(const struct download *d, uint64_t at, struct strlist *argv)
{
	const char *protocols = d->is_encrypted ? "=https" : "=http,https";
	/* The first, or the caller's own file of options is read. */
	const char *const head[] = { "curl",	"--disable",	     "--silent",   "--show-error",
				     "--fail",	"--globoff",	     "--location", "--max-redirs",
				     "5",	"--proto",	     protocols,	   "--proto-redir",
				     protocols, "--connect-timeout", "30",	   "--speed-limit",
				     "100",	"--speed-time",	     "60" };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(head); i++)
		r |= strlist_add(argv, head[i]);
	r |= strlist_add(argv, "--max-filesize");
	r |= strlist_addf(argv, "%llu", (unsigned long long)d->max);
	if (at) {
		r |= strlist_add(argv, "--continue-at");
		r |= strlist_addf(argv, "%llu", (unsigned long long)at);
	}
	r |= strlist_add(argv, "--");
	r |= strlist_add(argv, d->url);
	return r;
}

/* curl does not tell why it could not write. 0: nor can be found out. */
static int why_not_written(int fd)
{
	struct stat st;
	int r = 0;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, st.st_size, SOME_ROOM) < 0)
		r = errno == EOPNOTSUPP ? 0 : -errno;
	return ftruncate(fd, st.st_size) < 0 && r == 0 ? -errno : r;
}

static int failed(const struct download *d, int status, const char *out, struct lxmgr_err *err)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
	char text[64], shown[300];

	if ((WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ) || code == CURL_TOO_LARGE)
		return err_status(err, STATUS_REFUSED, -EFBIG, "'%.200s' is more than %llu bytes",
				  d->url, (unsigned long long)d->max);
	if (code == CURL_HTTP_ERROR && strstr(out, " 404"))
		return err_msg(err, -ENOENT, "'%.200s' is not there", d->url);
	return err_msg(err, -EIO, "download of '%.200s': %.200s", d->url,
		       *out ? str_escape(shown, sizeof(shown), out)
			    : run_status_text(status, text, sizeof(text)));
}

/* 0, a status of curl's, or -errno without a message. */
static int run_curl(const struct download *d, int fd, uint64_t at, char **ret_out)
{
	cleanup_strlist struct strlist argv = { 0 }, env = { 0 };
	struct run_opts o = RUN_OPTS_INIT;
	int r;

	if (make_argv(d, at, &argv) || strlist_add(&env, "LC_ALL=C") ||
	    strlist_add(&env, "HOME=/nonexistent") || download_env(&env))
		return -ENOMEM;
	o.env = (const char *const *)env.v;
	o.stdin_fd = fd;
	o.capture = 500;
	o.cancel_fd = d->cancel_fd;
	o.prepare = drop_rights;
	o.data = (void *)d;
	r = run_program((const char *const *)argv.v, &o, ret_out);
	if (r >= 0)
		(*ret_out)[strcspn(*ret_out, "\r\n")] = '\0';
	return r;
}

int download(const struct download *d, struct lxmgr_err *err)
{
	cleanup_fd int fd =
		openat(d->dir, d->file, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct stat st;
	int r = -EAGAIN;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, -errno, "open a file for the download");
	if (!d->go_on || (uint64_t)st.st_size >= d->max)
		st.st_size = 0;
	for (int tries = 0; tries < 2; tries++) {
		cleanup_free char *out = NULL;
		int code;

		if (ftruncate(fd, st.st_size) < 0 || lseek(fd, st.st_size, SEEK_SET) < 0)
			return err_set(err, -errno, "write the download");
		r = run_curl(d, fd, (uint64_t)st.st_size, &out);
		if (r == -ECANCELED)
			return err_msg(err, r, "interrupted");
		if (r == -ENOENT)
			return err_msg(err, r, "downloads need curl; install the package curl");
		if (r < 0)
			return err_set(err, r, "run curl");
		if (r == 0)
			return 0;
		code = WIFEXITED(r) ? WEXITSTATUS(r) : 0;
		/* A server that cannot go on, or has another file now: all of it again. */
		if (st.st_size && (code == CURL_NO_RANGE || code == CURL_BAD_RESUME ||
				   (code == CURL_HTTP_ERROR && strstr(out, " 416")))) {
			log_info("the server does not go on with a download: it begins again");
			st.st_size = 0;
			continue;
		}
		code = code == CURL_WRITE_ERROR ? why_not_written(fd) : 0;
		return code < 0 ? err_set(err, code, "write the download") : failed(d, r, out, err);
	}
	return r;
}
