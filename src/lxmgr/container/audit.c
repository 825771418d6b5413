/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "container/container.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"

#define JOURNAL "/run/systemd/journal/socket"
#define SYSLOG	"/dev/log"
/* A log that takes nothing more keeps nobody from his work for long. */
#define PATIENCE_MS 500

struct entry {
	bool is_image;
	char text[2048];		/* for people */
	char name[256], path[PATH_MAX]; /* the container's */
	char verb[32], detail[AUDIT_CHANGES], failed[512];
	char login[16]; /* the uid that logged in, "" if nobody did */
};

/* Whoever became root with su or sudo: the kernel keeps it. */
static void login_of(char *ret, size_t size)
{
	if (read_small(AT_FDCWD, "/proc/self/loginuid", ret, size) < 0 || str_eq(ret, "4294967295"))
		*ret = '\0';
}

static int reach(const char *where)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_usec = PATIENCE_MS * 1000 };
	cleanup_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", where);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
	    connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return -errno;
	return take_fd(&fd);
}

/* The journal's own protocol: a field a line. What is in them has no line breaks. */
static int to_journal(const struct entry *e)
{
	cleanup_fd int fd = reach(JOURNAL);
	cleanup_strbuf struct strbuf b = { 0 };

	if (fd < 0)
		return fd;
	strbuf_addf(&b, "MESSAGE=%s\nPRIORITY=%d\nSYSLOG_FACILITY=%d\nSYSLOG_IDENTIFIER=lxmgr\n",
		    e->text, *e->failed ? LOG_WARNING : LOG_NOTICE, LOG_AUTHPRIV >> 3);
	if (e->is_image)
		strbuf_addf(&b, "LXMGR_IMAGE=%s\n", e->name);
	else
		strbuf_addf(&b, "LXMGR_CONTAINER=%s\nLXMGR_PATH=%s\n", e->name, e->path);
	strbuf_addf(&b, "LXMGR_VERB=%s\n", e->verb);
	if (*e->detail)
		strbuf_addf(&b, "LXMGR_DETAIL=%s\n", e->detail);
	if (*e->failed)
		strbuf_addf(&b, "LXMGR_FAILED=%s\n", e->failed);
	if (b.failed)
		return -ENOMEM;
	return send(fd, b.s, b.len, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void to_syslog(const struct entry *e)
{
	cleanup_fd int fd = reach(SYSLOG);
	char line[sizeof(e->text) + 64];
	int n = snprintf(line, sizeof(line), "<%d>lxmgr[%d]: %s",
			 LOG_AUTHPRIV | (*e->failed ? LOG_WARNING : LOG_NOTICE), getpid(), e->text);

	/* Without a log there is nobody to tell that. */
	if (fd >= 0 && send(fd, line, (size_t)n, MSG_NOSIGNAL) < 0)
		return;
}

static void compose(struct entry *e)
{
	const char *sudo = getenv("SUDO_USER");
	char who[128], raw[1800];

	snprintf(who, sizeof(who), "uid %u%s%s%s%.32s, pid %d", getuid(),
		 *e->login ? ", login " : "", e->login, sudo ? ", sudo of " : "", sudo ? sudo : "",
		 getpid());
	snprintf(raw, sizeof(raw), "%s%s: %s%s%s%s%s%s (%s)", e->is_image ? "image " : "", e->name,
		 e->verb, *e->detail ? " " : "", e->detail, *e->failed ? " failed" : "",
		 *e->failed ? ": " : "", e->failed, who);
	str_escape(e->text, sizeof(e->text), raw);
}

static int tell(struct entry *e, const char *verb, const char *detail, int r,
		const struct lxmgr_err *err)
{
	int saved = errno, sent;

	/* Names from images and archives, and a reason that quotes them: nobody writes a line of
	 * his own here. */
	snprintf(e->verb, sizeof(e->verb), "%s", verb);
	str_escape(e->detail, sizeof(e->detail), detail ? detail : "");
	if (r < 0)
		str_escape(e->failed, sizeof(e->failed),
			   err && *err->text ? err->text : strerror(-r));
	login_of(e->login, sizeof(e->login));
	compose(e);
	sent = to_journal(e);
	/* A journal that hangs is syslog, too: it has been waited for. */
	if (sent < 0 && sent != -EAGAIN)
		to_syslog(e);
	errno = saved;
	return r;
}

int audit_name(const char *path, const char *name, const char *verb, const char *detail, int r,
	       const struct lxmgr_err *err)
{
	struct entry e = { .is_image = false };

	str_escape(e.name, sizeof(e.name), name ? name : "?");
	str_escape(e.path, sizeof(e.path), path ? path : "");
	return tell(&e, verb, detail, r, err);
}

int audit_image(const char *image, const char *verb, const char *detail, int r,
		const struct lxmgr_err *err)
{
	struct entry e = { .is_image = true };

	str_escape(e.name, sizeof(e.name), image ? image : "?");
	return tell(&e, verb, detail, r, err);
}

int audit(const struct lxmgr_container *c, const char *verb, const char *detail, int r,
	  const struct lxmgr_err *err)
{
	return audit_name(c->path, c->name, verb, detail, r, err);
}

const char *audit_changes(const struct lxmgr_change *changes, size_t n, char buf[AUDIT_CHANGES])
{
	size_t len = 0;

	*buf = '\0';
	for (size_t i = 0; i < n && len < AUDIT_CHANGES; i++) {
		const char *value = changes[i].value ? changes[i].value : "";
		const char *name = str_after(changes[i].key, "lxmgr.");
		bool secret = name && str_has_prefix(name, "environment");

		len += (size_t)snprintf(buf + len, AUDIT_CHANGES - len, "%s%s=%s", i ? " " : "",
					changes[i].key, secret ? "..." : value);
	}
	return buf;
}
