/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /etc/hostname, and the one line of /etc/hosts that is ours among the administrator's. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/guest.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"

#define OWN_NAME "# the container's own name, kept by lxmgr"
#define LIMIT	 65536

static void own_line(struct strbuf *b, const char *hostname)
{
	size_t first = strcspn(hostname, ".");

	strbuf_addf(b, "127.0.1.1\t%s", hostname);
	if (hostname[first])
		strbuf_addf(b, " %.*s", (int)first, hostname);
	strbuf_addf(b, "\t" OWN_NAME "\n");
}

/* True if one of the names of the line, none in its comment, is this one. */
static bool line_names(const char *line, size_t len, const char *hostname)
{
	size_t want = strlen(hostname), i = 0;
	bool address = true;

	while (i < len && line[i] != '#') {
		size_t n = 0;

		while (i + n < len && !strchr(" \t#", line[i + n]))
			n++;
		if (n && !address && n == want && !strncasecmp(line + i, hostname, n))
			return true;
		address &= !n;
		i += n ? n : 1;
	}
	return false;
}

static bool line_has(const char *line, size_t len, const char *what)
{
	return memmem(line, len, what, strlen(what)) != NULL;
}

/* The old text with our line as it has to be. False: nothing is to be changed. Earlier versions
 * wrote the whole file and marked its first line, which goes. */
static bool edit_hosts(const char *old, const char *hostname, struct strbuf *b)
{
	bool all_ours = strstr(old, GUEST_MARKER) != NULL, named = false, written = false;
	const char *p;
	size_t n;

	for (p = old; *p; p += n + (p[n] == '\n')) {
		n = strcspn(p, "\n");
		if (line_has(p, n, GUEST_MARKER))
			continue;
		if (line_has(p, n, OWN_NAME) || (all_ours && str_has_prefix(p, "127.0.1.1\t"))) {
			if (!written)
				own_line(b, hostname);
			written = true;
			continue;
		}
		named |= line_names(p, n, hostname);
		strbuf_addf(b, "%.*s\n", (int)n, p);
	}
	if (!written && named && !all_ours)
		return false;
	if (!written && !named)
		own_line(b, hostname);
	return b->failed || !b->s || !str_eq(b->s, old);
}

/* What stands there now and its mode; "" where nothing does. NULL: what is not ours to edit. */
static char *read_hosts(int etc, mode_t *ret_mode)
{
	cleanup_free char *text = NULL;
	cleanup_fd int fd = -EBADF;
	struct stat st;
	size_t len;

	*ret_mode = 0644;
	if (fstatat(etc, "hosts", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? strdup("") : NULL;
	if (!S_ISREG(st.st_mode))
		return NULL;
	/* Should it be a fifo by now, the open does not wait for a writer. */
	fd = open_in(etc, "hosts", OPEN_NO_LINKS, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd < 0 || read_all(fd, LIMIT, &text, &len) < 0 || strlen(text) != len)
		return NULL;
	*ret_mode = st.st_mode & 0777;
	return take_ptr(text);
}

static int write_hosts(int root, const char *hostname, struct lxmgr_err *err)
{
	const char *base;
	cleanup_fd int etc = open_parent_in(root, "etc/hosts", OPEN_IN_ROOT, &base);
	cleanup_strbuf struct strbuf b = { 0 };
	cleanup_free char *old = NULL;
	mode_t mode;
	int r;

	if (etc < 0)
		return 0;
	old = read_hosts(etc, &mode);
	if (!old) {
		log_debug("'etc/hosts' in the container is its own, it stays");
		return 0;
	}
	if (!old[strspn(old, " \t\n")]) {
		strbuf_addf(&b, "127.0.0.1\tlocalhost\n");
		own_line(&b, hostname);
		strbuf_addf(&b, "::1\t\tlocalhost ip6-localhost ip6-loopback\n"
				"ff02::1\t\tip6-allnodes\nff02::2\t\tip6-allrouters\n");
	} else if (!edit_hosts(old, hostname, &b)) {
		return 0;
	}
	if (b.failed)
		return err_set(err, -ENOMEM, "guest files");
	r = write_file_replace(etc, base, b.s, b.len, mode);
	return r < 0 ? err_set(err, r, "write 'etc/hosts' in the container") : 0;
}

int guest_write_names(int root, const char *hostname, struct lxmgr_err *err)
{
	char name[80];
	int r;

	snprintf(name, sizeof(name), "%s\n", hostname);
	r = guest_put(root, "etc/hostname", name, GUEST_PUT_ALWAYS, err);
	return r < 0 ? r : write_hosts(root, hostname, err);
}
