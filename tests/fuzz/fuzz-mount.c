/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/mount.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mount_spec m = { 0 }, again = { 0 };
	char line[1024], *text;

	if (size >= sizeof(line))
		return 0;
	memcpy(line, data, size);
	line[size] = 0;
	if (mount_spec_parse(line, &m, NULL) < 0)
		return 0;
	/* What was read is printed so that it reads as the same. */
	text = mount_spec_print(&m);
	if (!text || mount_spec_parse(text, &again, NULL) < 0 || again.set != m.set ||
	    again.clear != m.clear || strcmp(again.target, m.target) != 0)
		abort();
	free(text);
	mount_spec_free(&m);
	mount_spec_free(&again);
	return 0;
}
