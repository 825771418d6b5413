/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "container/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct control_request q;

	if (control_check(data, size) < 0)
		return 0;
	/* What passes has the size and an operation that there is. */
	memcpy(&q, data, sizeof(q));
	if (size != sizeof(q) || q.op < CONTROL_PING || q.op >= CONTROL_OPS)
		abort();
	return 0;
}
