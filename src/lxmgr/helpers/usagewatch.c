/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/fanotify.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helpers/usagewatch.h"

int usage_watch_fd(const struct usage_watch *w)
{
	return w->done >= 0 ? w->done : w->ask;
}

int usage_watch_timeout(const struct usage_watch *w, int64_t now)
{
	if (w->ask < 0 || !w->at)
		return -1;
	return w->at > now ? (int)(w->at - now) : 0;
}

/* All who wait may open it. */
static void let_in(const struct usage_watch *w)
{
	struct fanotify_event_metadata buf[32], *e;
	ssize_t n;

	while ((n = read(w->ask, buf, sizeof(buf))) > 0)
		for (e = buf; FAN_EVENT_OK(e, n); e = FAN_EVENT_NEXT(e, n)) {
			struct fanotify_response yes = { .fd = e->fd, .response = FAN_ALLOW };

			if (e->fd < 0)
				continue;
			if (write(w->ask, &yes, sizeof(yes)) != sizeof(yes)) {
				/* Who asked was killed meanwhile. */
			}
			close(e->fd);
		}
}

static void mark(const struct usage_watch *w, bool on)
{
	fanotify_mark(w->ask, on ? FAN_MARK_ADD : FAN_MARK_REMOVE, FAN_OPEN_PERM, w->file, NULL);
}

static void written(struct usage_watch *w, int64_t now)
{
	close(w->done);
	w->done = -1;
	mark(w, false);
	let_in(w);
	w->at = now + USAGE_FRESH_MS;
}

/* "12" of 12. */
static char *digits(char buf[12], int n)
{
	char *p = buf + 11;

	*p = '\0';
	do {
		*--p = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	return p;
}

static void write_anew(struct usage_watch *w, int64_t now, void (*run)(char *const *argv))
{
	char number[12];
	/* Not above the three that programs take for their own. */
	int p[2], file = fcntl(w->file, F_DUPFD, 3);
	char *argv[] = { (char[]){ LIBEXECDIR "/lxmgr-table" }, w->name, w->path, NULL, NULL };

	if (file < 0 || pipe2(p, O_CLOEXEC) < 0) {
		if (file >= 0)
			close(file);
		let_in(w);
		return;
	}
	fcntl(p[1], F_SETFD, 0);
	argv[3] = digits(number, file);
	run(argv);
	close(p[1]);
	close(file);
	w->done = p[0];
	w->at = now + USAGE_PATIENCE_MS;
}

void usage_watch_due(struct usage_watch *w, int64_t now)
{
	if (w->ask < 0 || !w->at || now < w->at)
		return;
	w->at = 0;
	if (w->done >= 0)
		written(w, now);
	else
		mark(w, true);
}

void usage_watch_event(struct usage_watch *w, int64_t now, void (*run)(char *const *argv))
{
	if (w->done >= 0)
		written(w, now);
	else if (w->at)
		let_in(w);
	else
		write_anew(w, now, run);
}

/* The kernel takes some 15 ms to end a group that asks: whoever closes it last waits for that. It
 * is this process, which nobody waits for, and which has nothing else open. */
static void close_last(int ask, int parent)
{
	char c;

	if (dup2(ask, 0) < 0 || dup2(parent, 1) < 0)
		_exit(1);
	close_range(2, ~0U, 0);
	if (read(1, &c, 1) < 0)
		_exit(1);
	_exit(0);
}

void usage_watch_end(struct usage_watch *w)
{
	int p[2];
	pid_t pid;

	if (w->ask < 0)
		return;
	/* Whoever waits to open it would for as long. */
	let_in(w);
	if (pipe2(p, O_CLOEXEC) < 0)
		return;
	pid = vfork();
	if (pid == 0) {
		if (fork() == 0) {
			close(p[1]);
			close_last(w->ask, p[0]);
		}
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
	/* p[1] ends with this program. */
	close(p[0]);
}
