/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "kernel/tty.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/loop.h"

int tty_open_pair(int devpts_fd, int *ret_master, int *ret_peer, int *ret_index,
		  struct lxmgr_err *err)
{
	cleanup_fd int master = open_in(devpts_fd, "ptmx", OPEN_NO_LINKS, O_RDWR | O_NOCTTY, 0);
	cleanup_fd int peer = -EBADF;
	struct statfs st;
	int unlock = 0, index;

	if (master < 0)
		return err_set(err, master, "open a new terminal in the container's /dev/pts");
	/* A file of the guest's could stand there: the other end is taken from the master itself,
	 * never by a path. */
	if (fstatfs(master, &st) < 0 || st.f_type != DEVPTS_SUPER_MAGIC)
		return err_msg(err, -ENXIO, "the container's /dev/pts is no devpts");
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0 || ioctl(master, TIOCGPTN, &index) < 0)
		return err_set(err, -errno, "unlock a terminal");
	peer = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (peer < 0)
		return err_set(err, -errno, "open the other end of a terminal");
	*ret_master = take_fd(&master);
	*ret_peer = take_fd(&peer);
	*ret_index = index;
	return 0;
}

int tty_raw(int tty_fd, struct termios *ret_saved)
{
	struct termios t;

	if (tcgetattr(tty_fd, ret_saved) < 0)
		return -errno;
	t = *ret_saved;
	cfmakeraw(&t);
	/* Not TCSAFLUSH: what is typed while a tool starts is for the container. */
	return tcsetattr(tty_fd, TCSADRAIN, &t) < 0 ? -errno : 0;
}

int tty_restore(int tty_fd, const struct termios *saved)
{
	return tcsetattr(tty_fd, TCSADRAIN, saved) < 0 ? -errno : 0;
}

int tty_plain(int tty_fd)
{
	struct termios t;

	if (tcgetattr(tty_fd, &t) < 0)
		return -errno;
	t.c_oflag &= ~(tcflag_t)ONLCR;
	return tcsetattr(tty_fd, TCSANOW, &t) < 0 ? -errno : 0;
}

int tty_copy_size(int from_fd, int to_fd)
{
	struct winsize w;

	if (ioctl(from_fd, TIOCGWINSZ, &w) < 0 || ioctl(to_fd, TIOCSWINSZ, &w) < 0)
		return -errno;
	return 0;
}

/* One direction: what was read and not yet written. */
struct pipe_buf {
	char data[32768];
	size_t start, len;
	bool eof;
};

struct proxy {
	const struct tty_proxy *p;
	struct pipe_buf in, out; /* to the container, from it */
	bool escaped;		 /* the prefix was typed */
	bool left;		 /* the escape was completed */
	bool ended;		 /* the process is gone: what is left is drained */
};

/* Take the escape out of what was typed. */
static void filter(struct proxy *x, const char *data, size_t n)
{
	struct pipe_buf *b = &x->in;

	b->start = b->len = 0;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)data[i];

		if (x->p->escape < 0) {
			b->data[b->len++] = data[i];
			continue;
		}
		if (x->escaped) {
			x->escaped = false;
			if (c == 'q') {
				x->left = true;
				return;
			}
			/* The prefix twice sends it once; another key sends both. */
			if (c != x->p->escape)
				b->data[b->len++] = (char)x->p->escape;
			b->data[b->len++] = data[i];
		} else if (c == x->p->escape) {
			x->escaped = true;
		} else {
			b->data[b->len++] = data[i];
		}
	}
}

static void read_user(struct proxy *x)
{
	char buf[sizeof(x->in.data) / 2];
	ssize_t n = read(x->p->in_fd, buf, sizeof(buf));

	if (n > 0)
		filter(x, buf, (size_t)n);
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		x->in.eof = true;
}

static void read_master(struct proxy *x)
{
	ssize_t n = read(x->p->master_fd, x->out.data, sizeof(x->out.data));

	if (n > 0) {
		x->out.start = 0;
		x->out.len = (size_t)n;
		if (x->p->log_fd >= 0 && write_all(x->p->log_fd, x->out.data, (size_t)n) < 0)
			errno = 0;
	} else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
		/* EIO: nobody has the other end open. */
		x->out.eof = true;
	}
}

static int drain(struct pipe_buf *b, int fd)
{
	ssize_t n = write(fd, b->data + b->start, b->len);

	if (n > 0) {
		b->start += (size_t)n;
		b->len -= (size_t)n;
	} else if (errno != EINTR && errno != EAGAIN) {
		return -errno;
	}
	return 0;
}

/* The input ended: the other side sees it as the terminal's end-of-file character. */
static void send_eof(struct proxy *x)
{
	static const char eot = 4;

	if (x->p->in_fd >= 0 && write(x->p->master_fd, &eot, 1) == 1)
		x->in.len = 0;
}

static int step(struct proxy *x, int sigfd, bool *ret_done)
{
	const struct tty_proxy *p = x->p;
	bool want_in = !x->in.len && !x->in.eof && !x->ended;
	struct pollfd f[5] = {
		{ .fd = want_in ? p->in_fd : -1, .events = POLLIN },
		{ .fd = x->out.len ? p->out_fd : -1, .events = POLLOUT },
		{ .fd = p->master_fd,
		  .events = (short)((x->out.len || x->out.eof ? 0 : POLLIN) |
				    (x->in.len ? POLLOUT : 0)) },
		{ .fd = x->ended ? -1 : p->pidfd, .events = POLLIN },
		{ .fd = sigfd, .events = POLLIN },
	};
	int r;

	/* A master whose other end is closed reports POLLHUP always: look only when we can read. */
	if (!f[2].events)
		f[2].fd = -1;
	if (poll(f, 5, x->ended ? 50 : -1) < 0)
		return errno == EINTR ? 0 : -errno;
	if (f[4].revents) {
		struct signalfd_siginfo si;

		if (read(sigfd, &si, sizeof(si)) > 0)
			tty_copy_size(p->in_fd, p->master_fd);
	}
	if (f[3].revents)
		x->ended = true;
	if (f[0].revents) {
		read_user(x);
		if (x->in.eof && p->leave_at_eof)
			x->left = true;
		else if (x->in.eof)
			send_eof(x);
		/* What was typed before the escape, in the same read, still goes in; a guest that
		 * does not read must not keep the user here. */
		if (x->left && x->in.len)
			drain(&x->in, p->master_fd);
	}
	if ((f[2].revents & POLLOUT) && x->in.len && drain(&x->in, p->master_fd) < 0)
		x->in.len = 0;
	if ((f[2].revents & (POLLIN | POLLHUP | POLLERR)) && !x->out.len && !x->out.eof)
		read_master(x);
	else if (x->ended && !f[2].revents && !x->out.len)
		x->out.eof = true;
	if (f[1].revents) {
		r = drain(&x->out, p->out_fd);
		if (r < 0)
			return r;
	}
	*ret_done = x->left || (x->out.eof && !x->out.len);
	return 0;
}

int tty_proxy_run(const struct tty_proxy *p, struct lxmgr_err *err)
{
	static struct proxy x;
	cleanup_fd int sigfd = -EBADF;
	bool done = false;
	int r = 0;

	memset(&x, 0, sizeof(x));
	x.p = p;
	if (p->winch && isatty(p->in_fd)) {
		sigset_t set;

		sigemptyset(&set);
		sigaddset(&set, SIGWINCH);
		sigfd = loop_signalfd(&set);
	}
	fd_nonblock(p->master_fd, true);
	while (!done && r == 0)
		r = step(&x, sigfd, &done);
	if (r < 0)
		return err_set(err, r, "copy between the terminals");
	return x.left ? 1 : 0;
}
