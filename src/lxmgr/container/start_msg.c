/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What both sides of a start use: messages between them, and the walk through a table of steps. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "container/start.h"
#include "util/err.h"
#include "util/file.h"
#include "util/log.h"
#include "util/msg.h"

int start_send(int sock, enum start_msg_kind kind, int value, const struct lxmgr_err *err,
	       const int *fds, size_t n)
{
	struct start_msg m = { .kind = kind, .value = value };

	if (err)
		m.err = *err;
	return msg_send(sock, &m, sizeof(m), fds, n);
}

int start_receive(int sock, struct start_msg *m, int *fds, size_t *n, struct lxmgr_err *err)
{
	ssize_t len = msg_recv(sock, m, sizeof(*m), fds, n);

	if (len == 0)
		return err_msg(err, -EPIPE, "the other side ended without a word (was it killed?)");
	if (len != sizeof(*m))
		return err_set(err, len < 0 ? (int)len : -EPROTO, "receive a start message");
	if (m->kind == START_FAILED) {
		m->err.text[sizeof(m->err.text) - 1] = '\0';
		if (err)
			*err = m->err;
		return m->err.code < 0 ? m->err.code : -EIO;
	}
	return 0;
}

int start_expect(int sock, enum start_msg_kind kind, int *fds, size_t *n, struct lxmgr_err *err)
{
	struct start_msg m;
	int r = start_receive(sock, &m, fds, n, err);

	if (r < 0)
		return r;
	if (m.kind != kind)
		return err_msg(err, -EPROTO, "unexpected start message %u", m.kind);
	return m.value;
}

int start_run_steps(struct start *s, const struct start_step *steps, size_t n,
		    struct lxmgr_err *err)
{
	const char *fail = getenv("LXMGR_FAIL_AT");

	for (size_t i = 0; i < n; i++) {
		int64_t begin = now_us();
		int r;

		if (fail && str_eq(fail, steps[i].name))
			r = err_msg(err, -EIO, "step '%s' made to fail (LXMGR_FAIL_AT)",
				    steps[i].name);
		else
			r = steps[i].run(s, err);
		if (r < 0) {
			log_error("step %s: %s", steps[i].name, err->text);
			return r;
		}
		log_debug("step %s: %lld us", steps[i].name, (long long)(now_us() - begin));
	}
	return 0;
}
