/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The monitor of a running container: waits for init, keeps its terminals, answers the control
 * socket (container/control.h). Static, without malloc and stdio, so that a hundred of them cost
 * next to nothing. When init has ended it becomes lxmgr-finish, in the same process.
 *
 *	lxmgr-supervise NAME PATH --pidfd=FD [--control=FD] [--ttyN=FD] [--log=FD ...] ...
 *
 * With --service standard output is the journal, which gets the console's output as text.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "container/control.h"
#include "helpers/usagewatch.h"
#include "kernel/natquery.h"
#include "util/msg.h"

#define MAX_TTYS    65
#define MAX_CLIENTS 32
#define MAX_ARGS    96

static struct monitor {
	char **argv;
	int argc;
	int pidfd, control, report, log, nat, ready, ready_out;
	bool journal;			     /* standard output is a unit's */
	enum { TEXT, ESCAPE, CSI, OSC } esc; /* of what goes there */
	const char *log_path;
	uint64_t log_size, log_written; /* bytes; size 0: the default bound */
	bool log_rotate, no_restart;
	int64_t health_every, health_at; /* milliseconds; 0: no checks by this process */
	int tty[MAX_TTYS];		 /* masters, -1: none */
	int owner[MAX_TTYS];		 /* client fd that has it, -1: free */
	int client[MAX_CLIENTS];
	struct usage_watch usage;
	char *ring; /* the console's last bytes */
	uint64_t ring_size, ring_pos;
} m;

#define LOG_DEFAULT_BOUND (16ULL << 20)

static uint64_t number(const char *s)
{
	uint64_t v = 0;

	while (*s >= '0' && *s <= '9')
		v = v * 10 + (uint64_t)(*s++ - '0');
	return v;
}

static const char *after(const char *s, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(s, prefix, n) ? NULL : s + n;
}

static int take(const char *text)
{
	int fd = (int)number(text);

	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

/* The kernel tells of every change of nftables. Another firewall's "flush ruleset" takes our NAT
 * along (kernel/firewall.h). */
static int watch_nat(void)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK,
				 .nl_groups = 1U << (NFNLGRP_NFTABLES - 1) };
	static const struct nat_query q = NAT_QUERY_INIT;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		close(fd);
		fd = -1;
	}
	/* A flush since the start looked was heard by nobody. The answer comes to check_nat(). */
	if (fd >= 0 && send(fd, &q, sizeof(q), 0) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Run a helper as a grandchild: nobody has to wait for it. */
static void spawn(char *const *argv)
{
	pid_t pid = vfork();

	if (pid == 0) {
		if (vfork() == 0)
			execve(argv[0], argv, environ);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

/* Something was deleted, or more happened than the socket holds: the helper looks whether the
 * table is still there. */
static void check_nat(void)
{
	char *const argv[] = { (char[]){ LIBEXECDIR "/lxmgr-nft" }, (char[]){ "ensure" }, NULL };
	bool gone = false;
	char buf[4096];
	ssize_t n;

	while ((n = recv(m.nat, buf, sizeof(buf), 0)) != -1 || errno == ENOBUFS) {
		const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)buf;

		/* One datagram holds many messages, and may have been cut: any doubt is worth a
		 * look. */
		gone |= n < 0 || n == (ssize_t)sizeof(buf);
		for (; n > 0 && NLMSG_OK(h, (size_t)n); h = NLMSG_NEXT(h, n))
			gone |= h->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE) ||
				h->nlmsg_type == NLMSG_ERROR;
	}
	if (gone)
		spawn(argv);
}

/* Until the next health check is due; -1: there is none. It is done by now where it was due. */
static int health_timeout(void)
{
	char *const argv[] = { (char[]){ LIBEXECDIR "/lxmgr-health" }, m.argv[1], m.argv[2], NULL };
	int64_t left;

	if (!m.health_every)
		return -1;
	if (now() >= m.health_at) {
		spawn(argv);
		m.health_at = now() + m.health_every;
	}
	left = m.health_at - now();
	return left > 0 ? (int)left : 0;
}

/* Until the first of what is due. */
static int timeout(void)
{
	int health = health_timeout(), usage = usage_watch_timeout(&m.usage, now());

	return health < 0 || (usage >= 0 && usage < health) ? usage : health;
}

static void parse(const char *arg)
{
	const char *v;

	if ((v = after(arg, "--pidfd="))) {
		m.pidfd = take(v);
	} else if ((v = after(arg, "--control="))) {
		m.control = take(v);
	} else if ((v = after(arg, "--report="))) {
		m.report = take(v);
	} else if ((v = after(arg, "--log="))) {
		m.log = take(v);
	} else if ((v = after(arg, "--log-path="))) {
		m.log_path = v;
	} else if ((v = after(arg, "--log-size="))) {
		m.log_size = number(v);
	} else if (!strcmp(arg, "--log-rotate")) {
		m.log_rotate = true;
	} else if (!strcmp(arg, "--service")) {
		m.journal = true;
	} else if ((v = after(arg, "--health="))) {
		m.health_every = (int64_t)number(v);
		m.health_at = now() + m.health_every;
	} else if ((v = after(arg, "--ready="))) {
		m.ready = take(v);
	} else if ((v = after(arg, "--ready-out="))) {
		m.ready_out = take(v);
	} else if ((v = after(arg, "--usage="))) {
		m.usage.file = take(v);
	} else if ((v = after(arg, "--usage-ask="))) {
		m.usage.ask = take(v);
	} else if (!strcmp(arg, "--watch-nat")) {
		m.nat = watch_nat();
	} else if ((v = after(arg, "--ring="))) {
		m.ring_size = number(v);
	} else if ((v = after(arg, "--tty"))) {
		uint64_t n = number(v);

		v = strchr(v, '=');
		if (v && n < MAX_TTYS)
			m.tty[n] = take(v + 1);
	}
}

/* The log is bounded: a guest must not fill the host's disk through its console. */
static void bound_log(void)
{
	uint64_t bound = m.log_size ? m.log_size : LOG_DEFAULT_BOUND;
	char old[1024];
	size_t n;
	int fd;

	if (m.log_written < bound)
		return;
	m.log_written = 0;
	n = m.log_path ? strlen(m.log_path) : 0;
	if (!m.log_rotate || !n || n + 3 > sizeof(old)) {
		if (ftruncate(m.log, 0) < 0)
			m.log = -1;
		return;
	}
	memcpy(old, m.log_path, n);
	memcpy(old + n, ".1", 3);
	rename(m.log_path, old);
	fd = open(m.log_path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK,
		  0640);
	close(m.log);
	m.log = fd;
}

static void ring_add(const char *data, size_t n)
{
	for (size_t i = 0; i < n; i++)
		m.ring[m.ring_pos++ % m.ring_size] = data[i];
}

/* Colours and other orders to a terminal would make a line binary data for the journal. Returns
 * whether the byte is text. */
static bool is_text(char c)
{
	switch (m.esc) {
	case ESCAPE:
		m.esc = c == '[' ? CSI : c == ']' || c == 'P' ? OSC : TEXT;
		return false;
	case CSI:
		if (c >= 0x40 && c <= 0x7e)
			m.esc = TEXT;
		return false;
	case OSC:
		/* Ended by BEL or by ESC and a backslash. */
		m.esc = c == '\a' ? TEXT : c == '\033' ? ESCAPE : OSC;
		return false;
	default:
		if (c == '\033')
			m.esc = ESCAPE;
		return (unsigned char)c >= ' ' ? c != 0x7f : c == '\n' || c == '\t';
	}
}

static void write_journal(const char *data, size_t n)
{
	char text[1024];
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		if (is_text(data[i]))
			text[len++] = data[i];
	/* A journal that does not listen must not stop the container's console. */
	if (len)
		send(STDOUT_FILENO, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Nobody is at the console: read it so that no writer inside blocks; keep what was asked for. */
static void drain_console(void)
{
	char buf[1024];
	ssize_t n = read(m.tty[0], buf, sizeof(buf));

	if (n <= 0)
		return;
	if (m.ring)
		ring_add(buf, (size_t)n);
	if (m.journal)
		write_journal(buf, (size_t)n);
	if (m.log >= 0 && write(m.log, buf, (size_t)n) == n) {
		m.log_written += (uint64_t)n;
		bound_log();
	}
}

static void drop_client(int slot)
{
	for (int i = 0; i < MAX_TTYS; i++)
		if (m.owner[i] == m.client[slot])
			m.owner[i] = -1;
	close(m.client[slot]);
	m.client[slot] = -1;
}

static bool has_terminals(void)
{
	for (int i = 1; i < MAX_TTYS; i++)
		if (m.tty[i] >= 0)
			return true;
	return false;
}

static int do_console(int client, int arg, int *ret_value, int *ret_fd)
{
	int n = arg;

	if (arg == -1)
		for (n = 1; n < MAX_TTYS && (m.tty[n] < 0 || m.owner[n] >= 0);)
			n++;
	if (arg == -1 && n == MAX_TTYS)
		return has_terminals() ? -EBUSY : -ENXIO;
	if (n < 0 || n >= MAX_TTYS || m.tty[n] < 0)
		return -ENXIO;
	if (m.owner[n] >= 0)
		return -EBUSY;
	m.owner[n] = client;
	*ret_value = n;
	*ret_fd = m.tty[n];
	return 0;
}

static int do_log(int *ret_fd)
{
	uint64_t have = m.ring_pos < m.ring_size ? m.ring_pos : m.ring_size;
	uint64_t start = m.ring_pos - have;
	int fd;

	if (!m.ring)
		return -ENODATA;
	fd = (int)syscall(SYS_memfd_create, "console", 1U /* MFD_CLOEXEC */);
	if (fd < 0)
		return -errno;
	for (uint64_t i = 0; i < have; i++)
		if (write(fd, &m.ring[(start + i) % m.ring_size], 1) != 1)
			break;
	*ret_fd = fd;
	return 0;
}

static void serve(int slot)
{
	struct control_reply reply = { 0 };
	struct control_request q;
	int client = m.client[slot], fd = -1;
	ssize_t len = msg_recv(client, &q, sizeof(q), NULL, NULL);

	if (len == 0 || len == -ECONNRESET) {
		drop_client(slot);
		return;
	}
	reply.result = len < 0 ? (int)len : control_check(&q, (size_t)len);
	if (reply.result == 0) {
		switch (q.op) {
		case CONTROL_CONSOLE:
			reply.result = do_console(client, q.arg, &reply.value, &fd);
			break;
		case CONTROL_NO_RESTART:
			m.no_restart = q.arg;
			break;
		case CONTROL_LOG:
			reply.result = do_log(&fd);
			break;
		case CONTROL_PIDFD:
			fd = m.pidfd;
			break;
		default:
			break;
		}
	}
	if (msg_send(client, &reply, sizeof(reply), &fd, fd >= 0) < 0)
		drop_client(slot);
	if (q.op == CONTROL_LOG && fd >= 0)
		close(fd);
}

static void accept_client(void)
{
	int fd = accept4(m.control, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred cred = { 0 };
	socklen_t len = sizeof(cred);

	if (fd < 0)
		return;
	/* The directory is root's alone; a descriptor that was handed on is not enough. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 || cred.uid != 0) {
		close(fd);
		return;
	}
	for (int i = 0; i < MAX_CLIENTS; i++)
		if (m.client[i] < 0) {
			m.client[i] = fd;
			return;
		}
	close(fd);
}

/* The tool in the foreground went away: the console is free again. */
static void lose_report(void)
{
	for (int i = 0; i < MAX_TTYS; i++)
		if (m.owner[i] == m.report)
			m.owner[i] = -1;
	close(m.report);
	m.report = -1;
}

/* Init says that it is up. Of its words only this one is handed on: others are orders to the host's
 * systemd. */
static void hear_ready(void)
{
	static const char word[] = "READY=1";
	char buf[4097], *p;
	ssize_t n = recv(m.ready, buf, sizeof(buf) - 1, MSG_DONTWAIT);

	if (n <= 0)
		return;
	buf[n] = '\0';
	p = strstr(buf, word);
	if (!p || (p > buf && p[-1] != '\n') || (p[7] && p[7] != '\n'))
		return;
	if (m.ready_out >= 0) {
		send(m.ready_out, word, sizeof(word) - 1, MSG_NOSIGNAL);
		close(m.ready_out);
	}
	close(m.ready);
	m.ready = m.ready_out = -1;
}

/* Build "--name=N" without stdio. */
static char *number_arg(char *buf, const char *name, unsigned int n)
{
	char digits[12];
	size_t len = strlen(name), i = sizeof(digits);

	memcpy(buf, name, len);
	digits[--i] = '\0';
	do {
		digits[--i] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	memcpy(buf + len, digits + i, sizeof(digits) - i);
	return buf;
}

static void finish(void)
{
	static char status_arg[32], report_arg[32];
	const char *argv[MAX_ARGS + 6];
	siginfo_t info = { 0 };
	unsigned int status;
	int n = 0;

	waitid(P_PIDFD, (id_t)m.pidfd, &info, WEXITED);
	status = info.si_code == CLD_EXITED ? (unsigned int)(info.si_status & 0xff) << 8
					    : (unsigned int)info.si_status & 0x7f;
	/* What init wrote last. */
	if (m.tty[0] >= 0 && m.owner[0] < 0) {
		struct pollfd p = { .fd = m.tty[0], .events = POLLIN };

		for (int i = 0; i < 256 && poll(&p, 1, 0) > 0 && (p.revents & POLLIN); i++)
			drain_console();
	}
	argv[n++] = "lxmgr-finish";
	argv[n++] = m.argv[1];
	argv[n++] = m.argv[2];
	argv[n++] = number_arg(status_arg, "--status=", status);
	if (m.report >= 0) {
		fcntl(m.report, F_SETFD, 0);
		argv[n++] = number_arg(report_arg, "--report=", (unsigned int)m.report);
	}
	if (m.no_restart)
		argv[n++] = "--no-restart";
	for (int i = 3; i < m.argc; i++)
		if (after(m.argv[i], "--ns=") || after(m.argv[i], "--rcfile=") ||
		    after(m.argv[i], "--base=") || after(m.argv[i], "--restarts=") ||
		    after(m.argv[i], "--service"))
			argv[n++] = m.argv[i];
	argv[n] = NULL;
	usage_watch_end(&m.usage);
	execve(LIBEXECDIR "/lxmgr-finish", (char *const *)argv, environ);
	_exit(126);
}

static size_t fill_poll(struct pollfd *p, int *what)
{
	size_t n = 0;

	p[n] = (struct pollfd){ .fd = m.pidfd, .events = POLLIN };
	what[n++] = -1;
	p[n] = (struct pollfd){ .fd = m.control, .events = POLLIN };
	what[n++] = -2;
	p[n] = (struct pollfd){ .fd = m.report, .events = POLLIN };
	what[n++] = -3;
	p[n] = (struct pollfd){ .fd = m.nat, .events = POLLIN };
	what[n++] = -5;
	p[n] = (struct pollfd){ .fd = m.ready, .events = POLLIN };
	what[n++] = -6;
	p[n] = (struct pollfd){ .fd = usage_watch_fd(&m.usage), .events = POLLIN };
	what[n++] = -7;
	p[n] = (struct pollfd){ .fd = m.owner[0] < 0 ? m.tty[0] : -1, .events = POLLIN };
	what[n++] = -4;
	for (int i = 0; i < MAX_CLIENTS; i++)
		if (m.client[i] >= 0) {
			p[n] = (struct pollfd){ .fd = m.client[i], .events = POLLIN };
			what[n++] = i;
		}
	return n;
}

static void dispatch(int what)
{
	switch (what) {
	case -1:
		finish();
		break;
	case -2:
		accept_client();
		break;
	case -3:
		lose_report();
		break;
	case -4:
		drain_console();
		break;
	case -5:
		check_nat();
		break;
	case -6:
		hear_ready();
		break;
	case -7:
		usage_watch_event(&m.usage, now(), spawn);
		break;
	default:
		serve(what);
		break;
	}
}

int main(int argc, char **argv)
{
	struct pollfd p[MAX_CLIENTS + 7];
	int what[MAX_CLIENTS + 7];

	if (argc < 4 || argc > MAX_ARGS)
		return 64;
	m.argc = argc;
	m.argv = argv;
	m.pidfd = m.control = m.report = m.log = m.nat = m.ready = m.ready_out = -1;
	m.usage = (struct usage_watch){ .file = -1, .ask = -1, .done = -1 };
	memset(m.tty, 0xff, sizeof(m.tty));
	memset(m.owner, 0xff, sizeof(m.owner));
	memset(m.client, 0xff, sizeof(m.client));
	for (int i = 3; i < argc; i++)
		parse(argv[i]);
	if (m.pidfd < 0)
		return 64;
	prctl(PR_SET_NAME, "lxmgr-supervise");
	signal(SIGPIPE, SIG_IGN);
	m.usage.name = argv[1];
	m.usage.path = argv[2];
	if (m.report >= 0)
		m.owner[0] = m.report;
	/* While nothing inside has the console open, poll() would report a hang-up without end:
	 * one end of our own, closed by the exec in finish(), keeps it quiet. */
	if (m.tty[0] >= 0)
		ioctl(m.tty[0], TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (m.ring_size) {
		m.ring = mmap(NULL, m.ring_size, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (m.ring == MAP_FAILED)
			m.ring = NULL;
	}
	for (;;) {
		size_t n = fill_poll(p, what);

		int got = poll(p, n, timeout());

		usage_watch_due(&m.usage, now());
		if (got <= 0)
			continue;
		for (size_t i = 0; i < n; i++)
			if (p[i].revents)
				dispatch(what[i]);
	}
}
