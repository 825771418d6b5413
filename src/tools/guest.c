/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define APPLY_SECONDS 60

/* In a child of its own, with a time limit, and nothing of the caller's terminal. */
static int run_inside(struct lxmgr_container *c, const char *const *argv)
{
	const struct lxmgr_attach_opts a = {
		.argv = argv, .clear_env = true, .uid = (uid_t)-1, .gid = (gid_t)-1, .no_pty = true
	};
	int status = 125;
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		for (int fd = 0; fd < 3; fd++)
			if (dup2(null, fd) < 0)
				_exit(125);
		if (null > 2)
			close(null);
		alarm(APPLY_SECONDS);
		if (lxmgr_container_attach(c, &a, &status, NULL) < 0)
			_exit(125);
		_exit(status);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid < 0 ? 125 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void guest_apply(struct lxmgr_container *c, const json_t *commands)
{
	enum lxmgr_state state;
	const json_t *command;
	size_t i;

	if (lxmgr_container_state(c, &state, NULL) < 0 || state != LXMGR_RUNNING)
		return;
	json_array_foreach(commands, i, command)
	{
		const char *argv[16] = { NULL };
		const json_t *word;
		char text[200];
		size_t n;
		int r;

		json_array_foreach(command, n, word) if (n < ARRAY_SIZE(argv) - 1) argv[n] =
			json_string_value(word);
		if (!argv[0])
			continue;
		r = run_inside(c, argv);
		if (!r || common.quiet)
			continue;
		snprintf(text, sizeof(text),
			 "'%s' in the container ended with %d; what was set counts from its next "
			 "start",
			 argv[0], r);
		tool_warn(text, NULL);
	}
}

void guest_notices(const struct tool *tool, const json_t *answer)
{
	const json_t *v;
	size_t i;

	json_array_foreach(json_object_get(answer, "notices"), i, v) if (!common.quiet)
		fprintf(stderr, "%s: notice: %s\n", tool->name, tool_text(json_string_value(v)));
}
