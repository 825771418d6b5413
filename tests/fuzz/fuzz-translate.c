/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The first byte says whose config it is. Whatever comes out of it is a config that can be read. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "container/translate.h"
#include "util/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int (*const all[])(const char *text, size_t len, const struct translate_how *how,
				  struct translated *ret,
				  struct lxmgr_err *err) = { translate_lxc, translate_pct,
							     translate_openvz };
	const struct translate_how how = { "fuzz", "101", size > 1 && data[0] >= 'A' };
	static struct config c;
	struct lxmgr_err err = { 0 };
	struct translated t;

	if (!size || all[data[0] % 3]((const char *)data + 1, size - 1, &how, &t, &err) < 0)
		return 0;
	config_init(&c);
	if (config_read_text(&c, t.lines, strlen(t.lines), "it", &err) < 0) {
		fprintf(stderr, "%s\n%s", err.text, t.lines);
		abort();
	}
	config_free(&c);
	translated_free(&t);
	return 0;
}
