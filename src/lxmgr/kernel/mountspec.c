/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/mount.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/mount.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/str.h"

/* MS_* of sys/mount.h, which clashes with linux/mount.h. */
#define P_UNBINDABLE (1UL << 17)
#define P_PRIVATE    (1UL << 18)
#define P_SLAVE	     (1UL << 19)
#define P_SHARED     (1UL << 20)

/* Options that change mount attributes. */
static const struct {
	const char *name;
	uint64_t set, clear;
	bool recursive;
} attr_options[] = {
	{ "ro", MOUNT_ATTR_RDONLY, 0, false },
	{ "rw", 0, MOUNT_ATTR_RDONLY, false },
	{ "nosuid", MOUNT_ATTR_NOSUID, 0, false },
	{ "suid", 0, MOUNT_ATTR_NOSUID, false },
	{ "nodev", MOUNT_ATTR_NODEV, 0, false },
	{ "dev", 0, MOUNT_ATTR_NODEV, false },
	{ "noexec", MOUNT_ATTR_NOEXEC, 0, false },
	{ "exec", 0, MOUNT_ATTR_NOEXEC, false },
	{ "noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME, false },
	{ "relatime", 0, MOUNT_ATTR__ATIME, false },
	{ "strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME, false },
	{ "nodiratime", MOUNT_ATTR_NODIRATIME, 0, false },
	{ "diratime", 0, MOUNT_ATTR_NODIRATIME, false },
	{ "nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0, false },
	{ "rro", MOUNT_ATTR_RDONLY, 0, true },
	{ "rrw", 0, MOUNT_ATTR_RDONLY, true },
	{ "rnosuid", MOUNT_ATTR_NOSUID, 0, true },
	{ "rnodev", MOUNT_ATTR_NODEV, 0, true },
	{ "rnoexec", MOUNT_ATTR_NOEXEC, 0, true },
	{ "rnoatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME, true },
	{ "defaults", 0, 0, false },
};

static const struct {
	const char *name;
	uint64_t flag;
	bool recursive;
} propagation_options[] = {
	{ "private", P_PRIVATE, false },       { "rprivate", P_PRIVATE, true },
	{ "slave", P_SLAVE, false },	       { "rslave", P_SLAVE, true },
	{ "shared", P_SHARED, false },	       { "rshared", P_SHARED, true },
	{ "unbindable", P_UNBINDABLE, false }, { "runbindable", P_UNBINDABLE, true },
};

static bool attr_option(const char *word, struct mount_spec *m)
{
	for (size_t i = 0; i < ARRAY_SIZE(attr_options); i++) {
		if (!str_eq(word, attr_options[i].name))
			continue;
		m->set = (m->set & ~attr_options[i].clear) | attr_options[i].set;
		m->clear = (m->clear & ~attr_options[i].set) | attr_options[i].clear;
		m->attr_recursive |= attr_options[i].recursive;
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(propagation_options); i++) {
		if (!str_eq(word, propagation_options[i].name))
			continue;
		m->propagation = propagation_options[i].flag;
		m->propagation_recursive = propagation_options[i].recursive;
		return true;
	}
	return false;
}

/* LXC's own words. 1: taken, 0: not one of them. */
static int lxc_option(const char *word, struct mount_spec *m, struct lxmgr_err *err)
{
	const char *v;

	if (str_eq(word, "bind")) {
		m->bind = true;
	} else if (str_eq(word, "rbind")) {
		m->bind = m->rbind = true;
	} else if (str_eq(word, "move")) {
		m->move = true;
	} else if (str_eq(word, "optional")) {
		m->optional = true;
	} else if (str_eq(word, "delta")) {
		m->delta = true;
	} else if (str_eq(word, "relative")) {
		m->relative = true;
	} else if (str_eq(word, "relabel")) {
		m->relabel = RELABEL_PRIVATE;
	} else if (str_eq(word, "relabel=shared")) {
		m->relabel = RELABEL_SHARED;
	} else if ((v = str_after(word, "create="))) {
		if (!str_eq(v, "dir") && !str_eq(v, "file"))
			return err_msg(err, -EINVAL, "create=%s: it is dir or file", v);
		m->create = str_eq(v, "dir") ? MOUNT_CREATE_DIR : MOUNT_CREATE_FILE;
	} else if ((v = str_after(word, "idmap="))) {
		if (!str_eq(v, "container") && *v != '/')
			return err_msg(
				err, -EINVAL,
				"idmap=%s: it is 'container' or the path of a user namespace", v);
		free(m->idmap);
		m->idmap = strdup(v);
		if (!m->idmap)
			return err_set(err, -ENOMEM, "mount entry");
	} else {
		return 0;
	}
	return 1;
}

static int parse_options(const char *text, struct mount_spec *m, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist words = { 0 };
	cleanup_strbuf struct strbuf data = { 0 };

	if (strlist_split(&words, text, ",") < 0)
		return err_set(err, -ENOMEM, "mount entry");
	for (size_t i = 0; i < words.n; i++) {
		int r = attr_option(words.v[i], m) ? 1 : lxc_option(words.v[i], m, err);

		if (r < 0)
			return r;
		if (!r)
			strbuf_addf(&data, "%s%s", data.len ? "," : "", words.v[i]);
	}
	if (data.len) {
		m->data = strbuf_take(&data);
		if (!m->data)
			return err_set(err, -ENOMEM, "mount entry");
	}
	return 0;
}

/* fstab(5) writes blanks, tabs, newlines and backslashes in octal. */
static void decode(char *s)
{
	char *out = s;

	while (*s) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			*out++ = *s++;
		}
	}
	*out = '\0';
}

static int check_target(struct mount_spec *m, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist parts = { 0 };
	char *t = m->target + strspn(m->target, "/");

	if (strlist_split(&parts, t, "/") < 0)
		return err_set(err, -ENOMEM, "mount entry");
	for (size_t i = 0; i < parts.n; i++)
		if (str_eq(parts.v[i], ".."))
			return err_msg(err, -EINVAL, "the target '%s' contains '..'", m->target);
	memmove(m->target, t, strlen(t) + 1);
	return 0;
}

static int check_delta(const struct mount_spec *m, struct lxmgr_err *err)
{
	static const char *const api[] = { "proc", "sys", "dev" };
	size_t n = strcspn(m->target, "/");

	if (!m->bind || m->rbind || m->relative || m->idmap || m->relabel ||
	    m->create == MOUNT_CREATE_FILE)
		return err_msg(err, -EINVAL,
			       "delta needs a bind mount of a directory of the host's, without "
			       "rbind, relative, idmap, relabel and create=file");
	for (size_t i = 0; i < ARRAY_SIZE(api); i++)
		if (strlen(api[i]) == n && !strncmp(m->target, api[i], n))
			return err_msg(err, -EINVAL, "delta goes not with the target '%s'",
				       m->target);
	return n ? 0 : err_msg(err, -EINVAL, "delta needs a target below /");
}

static int check_spec(const struct mount_spec *m, struct lxmgr_err *err)
{
	if (m->delta && check_delta(m, err) < 0)
		return -EINVAL;
	if (m->idmap && !m->bind)
		return err_msg(err, -EINVAL, "idmap= needs a bind mount");
	if (m->move && (m->bind || m->data))
		return err_msg(err, -EINVAL, "move goes without bind and other options");
	if (m->bind && m->data)
		return err_msg(err, -EINVAL, "unknown option in '%s' for a bind mount", m->data);
	if (m->relabel && (!m->bind || m->relative))
		return err_msg(err, -EINVAL, "relabel needs a bind mount of the host's");
	if (m->relative && !m->bind)
		return err_msg(err, -EINVAL, "relative needs a bind mount");
	if (!m->bind && !m->move && str_eq(m->fstype, "none"))
		return err_msg(err, -EINVAL, "type none needs the option bind, rbind or move");
	if (!m->relative && (m->bind || m->move) && m->source[0] != '/')
		return err_msg(err, -EINVAL, "the source '%s' is no absolute path", m->source);
	return 0;
}

int mount_spec_parse(const char *line, struct mount_spec *ret, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist f = { 0 };
	struct mount_spec m = { 0 };
	int r;

	if (strlist_split(&f, line, " \t") < 0)
		return err_set(err, -ENOMEM, "mount entry");
	if (f.n < 3 || f.n > 6)
		return err_msg(err, -EINVAL,
			       "'%s' has %zu fields, not 3 to 6: source target type [options [freq "
			       "[passno]]]",
			       line, f.n);
	for (size_t i = 0; i < 3; i++)
		decode(f.v[i]);
	m.source = strdup(f.v[0]);
	m.target = strdup(f.v[1]);
	m.fstype = strdup(f.v[2]);
	r = m.source && m.target && m.fstype ? 0 : err_set(err, -ENOMEM, "mount entry");
	if (r == 0 && f.n > 3) {
		decode(f.v[3]);
		r = parse_options(f.v[3], &m, err);
	}
	if (r == 0)
		r = check_target(&m, err);
	if (r == 0)
		r = check_spec(&m, err);
	if (r < 0) {
		mount_spec_free(&m);
		return r;
	}
	*ret = m;
	return 0;
}

static void print_field(struct strbuf *b, const char *s)
{
	if (!*s)
		strbuf_addf(b, ".");
	for (; *s; s++) {
		if (strchr(" \t\n\\", *s))
			strbuf_addf(b, "\\%03o", (unsigned char)*s);
		else
			strbuf_add(b, s, 1);
	}
}

static void print_attrs(struct strbuf *b, const struct mount_spec *m)
{
	struct mount_spec left = *m;

	/* Recursive words only where the spec is recursive, and each bit once. */
	for (size_t i = 0; i < ARRAY_SIZE(attr_options); i++) {
		uint64_t set = attr_options[i].set, clear = attr_options[i].clear;

		/* relatime is what is left when neither of the other modes is set. */
		if (!set && (left.set & clear))
			continue;
		if ((!set && !clear) || (left.set & set) != set ||
		    (clear & ~(left.clear | left.set)) ||
		    (attr_options[i].recursive && !m->attr_recursive) ||
		    (!set && (left.clear & clear) != clear))
			continue;
		if (m->attr_recursive && !attr_options[i].recursive &&
		    (str_eq(attr_options[i].name, "ro") || str_eq(attr_options[i].name, "rw") ||
		     str_eq(attr_options[i].name, "nosuid") ||
		     str_eq(attr_options[i].name, "nodev") ||
		     str_eq(attr_options[i].name, "noexec") ||
		     str_eq(attr_options[i].name, "noatime")))
			continue;
		strbuf_addf(b, ",%s", attr_options[i].name);
		left.set &= ~set;
		left.clear &= ~clear;
	}
	for (size_t i = 0; i < ARRAY_SIZE(propagation_options); i++)
		if (m->propagation == propagation_options[i].flag &&
		    m->propagation_recursive == propagation_options[i].recursive)
			strbuf_addf(b, ",%s", propagation_options[i].name);
}

char *mount_spec_print(const struct mount_spec *m)
{
	cleanup_strbuf struct strbuf b = { 0 }, o = { 0 };

	print_field(&b, m->source);
	strbuf_addf(&b, " ");
	print_field(&b, *m->target ? m->target : "/");
	strbuf_addf(&b, " ");
	print_field(&b, m->fstype);
	strbuf_addf(&o, "%s", m->rbind ? ",rbind" : m->bind ? ",bind" : m->move ? ",move" : "");
	print_attrs(&o, m);
	if (m->optional)
		strbuf_addf(&o, ",optional");
	if (m->delta)
		strbuf_addf(&o, ",delta");
	if (m->relative)
		strbuf_addf(&o, ",relative");
	if (m->relabel)
		strbuf_addf(&o, ",relabel%s", m->relabel == RELABEL_SHARED ? "=shared" : "");
	if (m->create)
		strbuf_addf(&o, ",create=%s", m->create == MOUNT_CREATE_DIR ? "dir" : "file");
	if (m->idmap)
		strbuf_addf(&o, ",idmap=%s", m->idmap);
	if (m->data)
		strbuf_addf(&o, ",%s", m->data);
	strbuf_addf(&b, " ");
	print_field(&b, o.len ? o.s + 1 : "defaults");
	return o.failed ? NULL : strbuf_take(&b);
}

void mount_spec_free(struct mount_spec *m)
{
	free(m->source);
	free(m->target);
	free(m->fstype);
	free(m->data);
	free(m->idmap);
	memset(m, 0, sizeof(*m));
}
