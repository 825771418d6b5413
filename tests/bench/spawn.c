/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How long a command takes, from posix_spawn to its end: prints microseconds. A shell that forks to
 * measure would add the cost of its own size. SPAWN_MEMORY: prints how many kB the largest process
 * of it had in memory instead.
 *
 *	spawn COMMAND [ARGUMENT ...]
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

int main(int argc, char **argv)
{
	extern char **environ;
	posix_spawn_file_actions_t quiet;
	struct timespec t0, t1;
	struct rusage all;
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
	if (posix_spawnp(&pid, argv[1], &quiet, NULL, argv + 1, environ) ||
	    waitpid(pid, &status, 0) != pid)
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &t1);
	if (status) {
		fprintf(stderr, "bench: failed: %s\n", argv[1]);
		return 1;
	}
	if (getenv("SPAWN_MEMORY") && getrusage(RUSAGE_CHILDREN, &all) == 0) {
		printf("%ld\n", all.ru_maxrss);
		return 0;
	}
	printf("%lld\n", (t1.tv_sec - t0.tv_sec) * 1000000LL + (t1.tv_nsec - t0.tv_nsec) / 1000);
	return 0;
}
