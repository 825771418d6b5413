/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs a command and numbers the calls by which it and all that it starts change something: files,
 * mounts, namespaces, processes. At one of them it kills, or has the call fail. The calls are held
 * by a filter that asks (seccomp user notification), and none goes on before it is judged: what is
 * killed has done all calls before the chosen one and neither that one nor any later.
 *
 *	crash [-s] [-o REPORT] COMMAND ...		only count: one line a call
 *	crash ... -n N -k WHOM COMMAND ...		SIGKILL at call N: `all` of them, the `tool`
 *							(the first process; what it started goes
 *							on), or `one`, who makes the call
 *	crash ... -n N -e ERROR COMMAND ...		call N fails with ENOSPC or EIO; `full`:
 *							that and each later one that needs room,
 *							with ENOSPC
 *
 * REPORT gets "N PROGRAM[PID] CALL WHAT" for the calls counted, or for those killed at or failed,
 * and "left PROGRAM[PID]" for what outlives the command by LEFT_MS, which is then killed. The
 * status is the command's, 128 + N for a signal; 125 is a failure here. With -s some
 * processes are meant to outlive the command: one of crash's stays with them, for their filter has
 * to ask somebody, and lets all that they do then pass.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "this architecture's AUDIT_ARCH is not known here"
#endif

#define LEFT_MS	    10000
#define OPEN_CHANGE (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)

/* What is looked at to tell whether a call changes something, and what is told of it: its argument
 * number arg is a path or a descriptor. */
enum kind {
	PATH,
	MAKE,
	REMOVE,
	FD,
	FILE_DATA,
	OPEN,
	OPENAT,
	OPENAT2,
	IOCTL,
	CLONE,
	CLONE3,
	TREE,
	CONFIG,
	OTHER
};

struct call {
	long nr;
	const char *name;
	enum kind kind;
	int arg;
	bool needs_room;
};

#define C(name, kind, arg, room)                   \
	{                                          \
		SYS_##name, #name, kind, arg, room \
	}

static const struct call calls[] = {
#ifdef SYS_open
	C(open, OPEN, 0, true),		  C(creat, PATH, 0, true),
	C(mkdir, MAKE, 0, true),	  C(rmdir, REMOVE, 0, false),
	C(rename, PATH, 0, false),	  C(unlink, REMOVE, 0, false),
	C(link, PATH, 1, true),		  C(symlink, PATH, 1, true),
	C(mknod, PATH, 0, true),	  C(chmod, PATH, 0, false),
	C(chown, PATH, 0, false),	  C(lchown, PATH, 0, false),
	C(fork, OTHER, 0, false),	  C(vfork, OTHER, 0, false),
#endif
#ifdef SYS_renameat
	C(renameat, PATH, 1, false),
#endif
#ifdef SYS_fchmodat2
	C(fchmodat2, PATH, 1, false),
#endif
	C(openat, OPENAT, 1, true),	  C(openat2, OPENAT2, 1, true),
	C(mkdirat, MAKE, 1, true),	  C(renameat2, PATH, 1, false),
	C(unlinkat, REMOVE, 1, false),	  C(linkat, PATH, 3, true),
	C(symlinkat, PATH, 2, true),	  C(mknodat, PATH, 1, true),
	C(write, FILE_DATA, 0, true),	  C(pwrite64, FILE_DATA, 0, true),
	C(writev, FILE_DATA, 0, true),	  C(pwritev, FILE_DATA, 0, true),
	C(pwritev2, FILE_DATA, 0, true),  C(copy_file_range, FILE_DATA, 2, true),
	C(sendfile, FILE_DATA, 0, true),  C(splice, FILE_DATA, 2, true),
	C(truncate, PATH, 0, false),	  C(ftruncate, FILE_DATA, 0, false),
	C(fallocate, FILE_DATA, 0, true), C(fsync, FD, 0, false),
	C(fdatasync, FD, 0, false),	  C(syncfs, FD, 0, false),
	C(sync_file_range, FD, 0, false), C(fchmod, FD, 0, false),
	C(fchmodat, PATH, 1, false),	  C(fchown, FD, 0, false),
	C(fchownat, PATH, 1, false),	  C(utimensat, PATH, 1, false),
	C(setxattr, PATH, 0, true),	  C(lsetxattr, PATH, 0, true),
	C(fsetxattr, FD, 0, true),	  C(removexattr, PATH, 0, false),
	C(lremovexattr, PATH, 0, false),  C(fremovexattr, FD, 0, false),
	C(ioctl, IOCTL, 0, false),	  C(mount, PATH, 1, false),
	C(umount2, PATH, 0, false),	  C(pivot_root, PATH, 0, false),
	C(move_mount, PATH, 3, false),	  C(open_tree, TREE, 1, false),
	C(fsopen, PATH, 0, false),	  C(fsconfig, CONFIG, 0, false),
	C(fsmount, FD, 0, false),	  C(mount_setattr, PATH, 1, false),
	C(clone, CLONE, 0, false),	  C(clone3, CLONE3, 0, false),
	C(unshare, OTHER, 0, false),	  C(setns, OTHER, 0, false),
};

#define N_CALLS (sizeof(calls) / sizeof(calls[0]))

static struct {
	FILE *report;
	long at;
	enum { COUNT, KILL_ALL, KILL_TOOL, KILL_ONE, FAIL, FULL } what;
	int error;
	pid_t tool;
	int listener;
	long n;
	bool dead; /* nothing is answered any more */
	bool stays, passes;
	int status_fd;
} g;

static void __attribute__((noreturn)) give_up(const char *step)
{
	fprintf(stderr, "crash: %s: %s\n", step, strerror(errno));
	exit(125);
}

/* In the child. */

static int install(void)
{
	/* Per call one comparison and its answer, with two more lines for those that are mostly
	 * harmless and many: files opened to be read. */
	struct sock_filter f[5 + 2 * N_CALLS + 8];
	struct sock_fprog prog = { .filter = f };
	unsigned short n = 0;

#define LOAD(member)         \
	(struct sock_filter) \
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define RETURN(action) (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, action)
#define JUMP(test, value, yes, no) \
	(struct sock_filter) BPF_JUMP(BPF_JMP | (test) | BPF_K, (unsigned int)(value), yes, no)
	f[n++] = LOAD(arch);
	f[n++] = JUMP(BPF_JEQ, ARCH, 1, 0);
	f[n++] = RETURN(SECCOMP_RET_ALLOW);
	f[n++] = LOAD(nr);
	for (size_t i = 0; i < N_CALLS; i++) {
		bool look = calls[i].kind == OPENAT;

		f[n++] = JUMP(BPF_JEQ, calls[i].nr, 0, look ? 4 : 1);
		if (look) {
			f[n++] = LOAD(args[2]); /* the lower half: little endian */
			f[n++] = JUMP(BPF_JSET, OPEN_CHANGE, 1, 0);
			f[n++] = RETURN(SECCOMP_RET_ALLOW);
		}
		f[n++] = RETURN(SECCOMP_RET_USER_NOTIF);
	}
	f[n++] = RETURN(SECCOMP_RET_ALLOW);
	prog.len = n;
	return (int)syscall(
		SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &prog);
}

union fd_message {
	char space[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static int send_fd(int sock, int fd)
{
	union fd_message control = { 0 };
	struct iovec iov = { "", 1 };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	return sendmsg(sock, &m, 0) == 1 ? 0 : -1;
}

static int receive_fd(int sock)
{
	union fd_message control = { 0 };
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	int fd;

	if (recvmsg(sock, &m, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&m))
		return -1;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
	return fd;
}

static void __attribute__((noreturn)) run_tool(int sock, char **argv, const sigset_t *mask)
{
	int listener;

	sigprocmask(SIG_SETMASK, mask, NULL);
	listener = install();
	if (listener < 0 || send_fd(sock, listener) < 0)
		_exit(125);
	close(listener);
	close(sock);
	execvp(argv[0], argv);
	_exit(127);
}

/* What a call is about. */

static bool read_mem(pid_t pid, unsigned long long at, void *buf, size_t size)
{
	struct iovec to = { buf, size }, from = { (void *)(uintptr_t)at, size };

	return process_vm_readv(pid, &to, 1, &from, 1, 0) == (ssize_t)size;
}

/* A string ends somewhere; the page behind it may not be there. */
static void read_path(pid_t pid, unsigned long long at, char *buf, size_t size)
{
	size_t n = 0;

	while (n + 1 < size && read_mem(pid, at + n, buf + n, 1) && buf[n])
		n++;
	buf[n] = '\0';
}

static void fd_name(pid_t pid, int fd, char *buf, size_t size)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	n = readlink(path, buf, size - 1);
	buf[n < 0 ? 0 : n] = '\0';
}

/* Pipes, sockets and terminals are nobody's state, and files in memory go with who has them. */
static bool is_file(pid_t pid, int fd, const char *name)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	return stat(path, &st) == 0 && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)) &&
	       strncmp(name, "/memfd:", 7);
}

/* Whether what a call is to make or to remove is there: if not, or if so, it fails and changes
 * nothing. For calls whose first argument is a path, or a descriptor before the path. */
static bool is_there(const struct call *c, const struct seccomp_notif *req, const char *what)
{
	int at = c->arg ? (int)req->data.args[0] : AT_FDCWD;
	char path[640];
	struct stat st;

	if (*what == '/')
		snprintf(path, sizeof(path), "/proc/%d/root%s", req->pid, what);
	else if (at == AT_FDCWD)
		snprintf(path, sizeof(path), "/proc/%d/cwd/%s", req->pid, what);
	else
		snprintf(path, sizeof(path), "/proc/%d/fd/%d/%s", req->pid, at, what);
	return lstat(path, &st) == 0;
}

/* Attributes, shared blocks, subvolumes, loop devices: those that set something. */
static bool ioctl_changes(unsigned int cmd)
{
	switch (_IOC_TYPE(cmd)) {
	case 'X':
	case 'f':
		return _IOC_DIR(cmd) == _IOC_WRITE;
	case 0x94:
		return _IOC_DIR(cmd) & _IOC_WRITE;
	case 'L':
		return true;
	}
	return false;
}

static bool is_change(const struct call *c, const struct seccomp_notif *req, char *what,
		      size_t size)
{
	const __u64 *a = req->data.args;
	pid_t pid = (pid_t)req->pid;
	struct clone_args clone;
	struct open_how how;

	*what = '\0';
	switch (c->kind) {
	case PATH:
	case MAKE:
	case REMOVE:
	case OPEN:
	case OPENAT:
	case OPENAT2:
	case TREE:
		read_path(pid, a[c->arg], what, size);
		break;
	case FD:
	case FILE_DATA:
	case IOCTL:
	case CONFIG:
		fd_name(pid, (int)a[c->arg], what, size);
		break;
	default:
		snprintf(what, size, "%llx", a[0]);
	}
	switch (c->kind) {
	case MAKE:
		return !is_there(c, req, what);
	case REMOVE:
		return is_there(c, req, what);
	case FILE_DATA:
		return is_file(pid, (int)a[c->arg], what);
	case OPEN:
		return (a[1] & OPEN_CHANGE) && strncmp(what, "/dev/", 5);
	case OPENAT:
		return strncmp(what, "/dev/", 5);
	case OPENAT2:
		return read_mem(pid, a[2], &how, sizeof(how)) && (how.flags & OPEN_CHANGE);
	case IOCTL:
		return ioctl_changes((unsigned int)a[1]);
	case TREE:
		return a[2] & 1; /* OPEN_TREE_CLONE */
	case CONFIG:
		return a[1] >= 6; /* FSCONFIG_CMD_CREATE, _RECONFIGURE */
	case CLONE:
		return !(a[0] & CLONE_THREAD);
	case CLONE3:
		return read_mem(pid, a[0], &clone, CLONE_ARGS_SIZE_VER0) &&
		       !(clone.flags & CLONE_THREAD);
	default:
		return true;
	}
}

static void program_of(pid_t pid, char buf[32])
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, buf, 31);
	buf[n <= 0 ? 0 : n - 1] = '\0';
	if (fd >= 0)
		close(fd);
}

static void tell(const struct call *c, pid_t pid, const char *what)
{
	char program[32];

	program_of(pid, program);
	if (pid == g.tool)
		fprintf(g.report, "%ld %s[tool] %s %s\n", g.n, program, c->name, what);
	else
		fprintf(g.report, "%ld %s[%d] %s %s\n", g.n, program, pid, c->name, what);
	fflush(g.report);
}

/* Killing. */

/* The process of a thread. */
static pid_t process_of(pid_t tid)
{
	char path[64], line[256];
	int pid = tid;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Tgid: %d", &pid) == 1)
			break;
	if (f)
		fclose(f);
	return pid;
}

static pid_t parent_of(pid_t pid, char *ret_state)
{
	char path[64], buf[512];
	const char *p;
	int parent = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, buf, sizeof(buf) - 1);
	if (fd >= 0)
		close(fd);
	buf[n < 0 ? 0 : n] = '\0';
	p = strrchr(buf, ')');
	if (!p || sscanf(p + 1, " %c %d", ret_state, &parent) != 2)
		return 0;
	return parent;
}

/* Ours are the children of our children: who loses its parent becomes our own child. */
static bool is_ours(pid_t pid)
{
	char state;

	for (int depth = 0; pid > 1 && depth < 100; depth++) {
		pid = parent_of(pid, &state);
		if (pid == getpid())
			return true;
	}
	return false;
}

static int kill_all(bool name_them)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	char program[32], state;
	int n = 0;

	while (d && (e = readdir(d))) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);

		if (pid <= 1 || !is_ours(pid) || !parent_of(pid, &state) || state == 'Z')
			continue;
		if (name_them) {
			program_of(pid, program);
			fprintf(g.report, "left %s[%d]\n", program, pid);
		}
		kill(pid, SIGKILL);
		n++;
	}
	if (d)
		closedir(d);
	return n;
}

/* Until it is dead, what it had open is open. */
static void kill_tool(void)
{
	siginfo_t info;

	kill(g.tool, SIGKILL);
	while (waitid(P_PID, (id_t)g.tool, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		;
}

/* The loop. */

static void answer(const struct seccomp_notif *req, int error)
{
	struct seccomp_notif_resp resp = { .id = req->id };

	if (error)
		resp.error = -error;
	else
		resp.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	/* Whoever was killed meanwhile waits for no answer. */
	if (ioctl(g.listener, SECCOMP_IOCTL_NOTIF_SEND, &resp) < 0 && errno != ENOENT)
		give_up("answer a call");
}

/* Files of the kernel's need no room on a disk. */
static bool is_virtual(const char *what)
{
	return !strncmp(what, "/proc/", 6) || !strncmp(what, "/sys/", 5);
}

static void strike(const struct call *c, const struct seccomp_notif *req, const char *what)
{
	switch (g.what) {
	case KILL_ALL:
		/* Who makes a call now waits for ever, and dies. */
		g.dead = true;
		break;
	case KILL_TOOL:
		kill_tool();
		answer(req, 0);
		break;
	case KILL_ONE:
		kill(process_of((pid_t)req->pid), SIGKILL);
		break;
	case FAIL:
		answer(req, g.error);
		break;
	case FULL:
		answer(req, c->needs_room && !is_virtual(what) ? ENOSPC : 0);
		break;
	case COUNT:
		break;
	}
}

static void judge(const struct seccomp_notif *req)
{
	const struct call *c = NULL;
	char what[512];

	for (size_t i = 0; i < N_CALLS && !c; i++)
		if (calls[i].nr == req->data.nr)
			c = &calls[i];
	if (!c || g.passes || !is_change(c, req, what, sizeof(what))) {
		answer(req, 0);
		return;
	}
	g.n++;
	if (g.what == COUNT || g.n == g.at)
		tell(c, (pid_t)req->pid, what);
	if (g.what != COUNT && (g.n == g.at || (g.what == FULL && g.n > g.at)))
		strike(c, req, what);
	else
		answer(req, 0);
}

/* From the notification on it waits for our answer or its death. */
static void take(void)
{
	union {
		struct seccomp_notif req;
		char space[512];
	} u = { 0 };

	if (ioctl(g.listener, SECCOMP_IOCTL_NOTIF_RECV, &u.req) == 0) {
		if (!g.dead)
			judge(&u.req);
	} else if (errno != ENOENT && errno != EINTR) {
		give_up("receive a call");
	}
}

static void reap(int *status, bool *ended)
{
	pid_t pid;
	int s;

	while ((pid = waitpid(-1, &s, WNOHANG)) > 0)
		if (pid == g.tool) {
			*ended = true;
			*status = s;
		}
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* Whoever waits for the command gets its status now; what follows is nobody's business. */
static void stay(int status)
{
	int null = open("/dev/null", O_RDWR);

	g.what = COUNT;
	g.passes = true;
	fflush(g.report);
	setsid();
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	close(null);
	if (write(g.status_fd, &status, sizeof(status)) < 0)
		give_up("tell the status");
	close(g.status_fd);
}

/* Until all are gone. */
static int watch(int children)
{
	struct pollfd p[2] = { { .fd = g.listener, .events = POLLIN },
			       { .fd = children, .events = POLLIN } };
	struct signalfd_siginfo info;
	long long end = 0;
	bool ended = false, given_up = false;
	int status = 0;

	for (;;) {
		reap(&status, &ended);
		/* The last one that is bound by the filter is gone. */
		if (ended && (p[0].revents & (POLLHUP | POLLERR))) {
			if (g.stays && !g.passes)
				stay(status);
			return status;
		}
		if (ended && !g.dead && g.stays && !g.passes)
			stay(status);
		if (ended && !end)
			end = now_ms() + LEFT_MS;
		if (g.dead) {
			kill_all(false);
		} else if (end && now_ms() > end && !given_up && !g.stays) {
			given_up = g.dead = true;
			kill_all(true);
		}
		if (poll(p, 2, ended || g.dead ? 5 : 1000) < 0 && errno != EINTR)
			give_up("poll");
		if (p[1].revents && read(children, &info, sizeof(info)) < 0)
			give_up("read");
		if (p[0].revents & POLLIN)
			take();
	}
}

static void parse(int argc, char **argv)
{
	const char *report = "/dev/null";
	int o;

	while ((o = getopt(argc, argv, "+so:n:k:e:")) >= 0) {
		if (o == 's')
			g.stays = true;
		else if (o == 'o')
			report = optarg;
		else if (o == 'n')
			g.at = strtol(optarg, NULL, 10);
		else if (o == 'k')
			g.what = !strcmp(optarg, "all")	   ? KILL_ALL
				 : !strcmp(optarg, "tool") ? KILL_TOOL
							   : KILL_ONE;
		else if (o == 'e')
			g.what = !strcmp(optarg, "full") ? FULL : FAIL;
		else
			exit(125);
		if (o == 'e')
			g.error = !strcmp(optarg, "EIO") ? EIO : ENOSPC;
	}
	if (optind == argc || (g.what == COUNT) != (g.at == 0)) {
		fprintf(stderr,
			"crash [-s] [-o REPORT] [-n N -k all|tool|one | -n N -e ENOSPC|EIO|full] "
			"COMMAND ...\n");
		exit(125);
	}
	g.report = fopen(report, "we");
	if (!g.report)
		give_up(report);
}

/* In a process of its own, which outlives this one: returns in that. */
static void serve_apart(void)
{
	int way[2], status;

	if (pipe2(way, O_CLOEXEC) < 0)
		give_up("make a pipe");
	switch (fork()) {
	case -1:
		give_up("fork");
	case 0:
		close(way[0]);
		g.status_fd = way[1];
		return;
	}
	close(way[1]);
	if (read(way[0], &status, sizeof(status)) != sizeof(status))
		_exit(125);
	_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

int main(int argc, char **argv)
{
	sigset_t chld, mask;
	int pair[2], children, status;

	parse(argc, argv);
	if (g.stays)
		serve_apart();
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, &mask);
	children = signalfd(-1, &chld, SFD_CLOEXEC);
	if (children < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		give_up("prepare");
	g.tool = fork();
	if (g.tool < 0)
		give_up("fork");
	if (g.tool == 0)
		run_tool(pair[1], argv + optind, &mask);
	close(pair[1]);
	g.listener = receive_fd(pair[0]);
	if (g.listener < 0)
		give_up("install the filter");
	status = watch(children);
	fclose(g.report);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
