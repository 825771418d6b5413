/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "container/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config c;

	config_init(&c);
	if (config_read_text(&c, (const char *)data, size, "fuzz", NULL) == 0)
		config_check(&c, "fuzz", NULL);
	config_free(&c);
	return 0;
}
