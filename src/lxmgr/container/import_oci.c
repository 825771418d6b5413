/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An OCI layout with one image in it; lxmgr-oci knows what that is. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/import_foreign.h"
#include "kernel/mount.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/run.h"

#define HELPER LIBEXECDIR "/lxmgr-oci"
#define LAYOUT "oci-layout"
/* As of other formats. */
#define MAX_SIZE (1ULL << 40)

static int oci_probe(const struct import_source *s, struct lxmgr_err *err)
{
	struct stat st;

	if (!S_ISDIR(s->st.st_mode))
		return import_has_member(s, LAYOUT);
	return fstatat(s->fd, LAYOUT, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

/* Lines "progress: PERMILLE TEXT" of the helper, in pieces. */
struct output {
	const struct import_progress *p;
	char line[256];
	size_t len;
};

static void on_output(const char *data, size_t len, void *arg)
{
	struct output *o = arg;

	for (size_t i = 0; i < len; i++) {
		char text[200], shown[200];
		int permille;

		if (data[i] != '\n') {
			if (o->len < sizeof(o->line) - 1)
				o->line[o->len++] = data[i];
			continue;
		}
		o->line[o->len] = '\0';
		o->len = 0;
		if (o->p && o->p->fn &&
		    sscanf(o->line, "progress: %4d %199[^\n]", &permille, text) == 2 &&
		    permille >= 0 && permille <= 1000)
			o->p->fn(str_escape(shown, sizeof(shown), text), permille, o->p->arg);
	}
}

static int die_with_parent(void *data)
{
	return prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static int run_helper(const struct import_source *s, int root, int tmp,
		      const struct import_progress *p, struct lxmgr_err *err)
{
	char layout[FD_PATH_SIZE + 16], to[FD_PATH_SIZE + 16], config[FD_PATH_SIZE + 16], text[64];
	cleanup_free char *size = str_printf(
		"--size=%llu", (unsigned long long)(s->max_size ? s->max_size : MAX_SIZE));
	cleanup_free char *entries =
		str_printf("--entries=%llu", (unsigned long long)s->max_entries);
	const char *const argv[] = {
		HELPER, layout, "", to, config, size, s->max_entries ? entries : NULL, NULL
	};
	struct output output = { .p = p };
	struct run_opts o = RUN_OPTS_INIT;
	cleanup_free char *out = NULL;
	const char *why;
	int r;

	if (!size || !entries)
		return err_set(err, -ENOMEM, "import");
	/* The helper does not follow a link to the root. */
	snprintf(layout, sizeof(layout), "/proc/%d/fd/%d/.", getpid(), s->fd);
	snprintf(to, sizeof(to), "/proc/%d/fd/%d/.", getpid(), root);
	snprintf(config, sizeof(config), "/proc/%d/fd/%d/config", getpid(), tmp);
	o.capture = 16384;
	o.cancel_fd = s->cancel_fd;
	o.prepare = die_with_parent;
	o.on_output = on_output;
	o.on_output_arg = &output;
	r = run_program(argv, &o, &out);
	if (r == -ECANCELED)
		return err_msg(err, r, "interrupted");
	if (r < 0)
		return err_set(err, r, "run " HELPER);
	if (r == 0)
		return 0;
	why = out ? strstr(out, "oci: ") : NULL;
	if (!why)
		return err_msg(err, -EIO, "lxmgr-oci ended with %s",
			       run_status_text(r, text, sizeof(text)));
	out[why - out + (ptrdiff_t)strcspn(why, "\n")] = '\0';
	return err_status(err, STATUS_REFUSED, -EBADMSG, "%s", why + strlen("oci: "));
}

static int oci_fill(const struct import_source *s, int root, const struct import_progress *p,
		    struct import_parts *ret, struct lxmgr_err *err)
{
	cleanup_fd int tmp = -EBADF;
	int r;

	if (!S_ISDIR(s->st.st_mode))
		return err_status(
			err, STATUS_REFUSED, -EOPNOTSUPP,
			"'%s' is an OCI layout in an archive (unpack it into a directory, "
			"and import that)",
			s->path);
	tmp = mount_new_fs("tmpfs", "lxmgr", "mode=0700,size=4m", 0, err);
	if (tmp < 0)
		return tmp;
	r = run_helper(s, root, tmp, p, err);
	if (r < 0)
		return r;
	r = read_file_at(tmp, "config", TRANSLATE_LIMIT, &ret->config, NULL);
	return r < 0 ? err_set(err, r, "read the image's config") : 0;
}

const struct import_format import_oci = {
	.name = "oci",
	.help = "a directory in the OCI image layout, with one image",
	.probe = oci_probe,
	.fill = oci_fill,
};
