/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "copy.h"

int main(int argc, char **argv)
{
	struct tool tool = {
		.name = "lxmgr-pull",
		.usage = "[-n] NAME [OPTIONS] SRC ... DEST",
		.summary = "Copy files and trees out of a container.",
		.opts = copy_opts,
		.n_opts = copy_n_opts,
	};

	return copy_main(&tool, argc, argv, lxmgr_container_pull, 0777);
}
