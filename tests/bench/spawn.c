/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How long a command takes, from posix_spawn to its end: prints microseconds. A shell that forks to
 * measure would add the cost of its own size. SPAWN_MEMORY: prints how many kB all its processes
 * had in memory at once at most instead (the sum of PSS, looked at each two milliseconds).
 *
 *	spawn COMMAND [ARGUMENT ...]
 */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

static long pss(pid_t pid)
{
	char path[64], line[256];
	long kb = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f) && sscanf(line, "Pss: %ld", &kb) != 1)
		;
	if (f)
		fclose(f);
	return kb;
}

static long pss_of_all(pid_t pid)
{
	long kb = pss(pid);
	char path[64];
	pid_t child;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	f = fopen(path, "r");
	while (f && fscanf(f, "%d", &child) == 1)
		kb += pss_of_all(child);
	if (f)
		fclose(f);
	return kb;
}

/* Until it has ended. */
static long most_memory(pid_t pid)
{
	const struct timespec pause = { .tv_nsec = 2000000 };
	siginfo_t info = { 0 };
	long most = 0;

	while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && !info.si_pid) {
		long kb = pss_of_all(pid);

		most = kb > most ? kb : most;
		nanosleep(&pause, NULL);
	}
	return most;
}

int main(int argc, char **argv)
{
	extern char **environ;
	posix_spawn_file_actions_t quiet;
	struct timespec t0, t1;
	long memory = 0;
	int status;
	pid_t pid;

	if (argc < 2) {
		fprintf(stderr, "usage: spawn COMMAND [ARGUMENT ...]\n");
		return 64;
	}
	posix_spawn_file_actions_init(&quiet);
	for (int fd = 0; fd < 3; fd++)
		posix_spawn_file_actions_addopen(&quiet, fd, "/dev/null", O_RDWR, 0);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	if (posix_spawnp(&pid, argv[1], &quiet, NULL, argv + 1, environ))
		return 1;
	if (getenv("SPAWN_MEMORY"))
		memory = most_memory(pid);
	if (waitpid(pid, &status, 0) != pid)
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &t1);
	if (status) {
		fprintf(stderr, "bench: failed: %s\n", argv[1]);
		return 1;
	}
	if (getenv("SPAWN_MEMORY")) {
		printf("%ld\n", memory);
		return 0;
	}
	printf("%lld\n", (t1.tv_sec - t0.tv_sec) * 1000000LL + (t1.tv_nsec - t0.tv_nsec) / 1000);
	return 0;
}
