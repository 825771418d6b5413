/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Value types of one field: strings, numbers, sizes, words. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "container/config_value.h"
#include "container/features.h"
#include "container/schedule.h"
#include "kernel/apparmor.h"
#include "kernel/cpulist.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/keep.h"
#include "util/log.h"
#include "util/parse.h"

static int replace_string(char **field, const char *value, struct lxmgr_err *err)
{
	char *s = strdup(value);

	if (!s)
		return err_set(err, -ENOMEM, "config");
	free(*field);
	*field = s;
	return 0;
}

static int set_string(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	return replace_string(v->field, value, err);
}

static void clear_string(const struct value_ctx *v)
{
	char **f = v->field;

	free(*f);
	*f = NULL;
}

static void print_string(const struct value_ctx *v, struct strbuf *out)
{
	const char *s = *(char **)v->field;

	if (s)
		strbuf_addf(out, "%s\n", s);
}

const struct value_type value_string = { "string", set_string, clear_string, print_string, false };

static int set_path(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	if (*value != '/')
		return err_msg(err, -EINVAL, "'%s' is no absolute path", value);
	return set_string(v, value, err);
}

const struct value_type value_path = { "path", set_path, clear_string, print_string, false };

static int set_hostname(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	if (!hostname_is_valid(value))
		return err_msg(err, -EINVAL,
			       "'%s' is no host name: 1 to 64 of letters, digits, '-' and '.'",
			       value);
	return set_string(v, value, err);
}

const struct value_type value_hostname = { "host name", set_hostname, clear_string, print_string,
					   false };

static int set_loglevel(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	if (log_level_parse(value) < 0)
		return err_msg(err, -EINVAL,
			       "'%s' is no level: TRACE DEBUG INFO NOTICE WARN ERROR "
			       "CRIT ALERT FATAL or 0 to 8",
			       value);
	return set_string(v, value, err);
}

const struct value_type value_loglevel = { "log level", set_loglevel, clear_string, print_string,
					   false };

static int set_arch(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	static const char *const known[] = { "x86",    "i386",	  "i486",   "i586",  "i686",
					     "athlon", "linux32", "x86_64", "amd64", "linux64" };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcasecmp(value, known[i]))
			return set_string(v, value, err);
	return err_msg(err, -EINVAL,
		       "architecture '%s' cannot run here: x86 i386 i486 i586 i686 athlon linux32 "
		       "x86_64 amd64 linux64",
		       value);
}

const struct value_type value_arch = { "architecture", set_arch, clear_string, print_string,
				       false };

static int set_schedule(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	if (!schedule_is_valid(value))
		return err_msg(err, -EINVAL,
			       "'%s' is neither hourly, daily, weekly, monthly nor an OnCalendar "
			       "expression of systemd.time(7)",
			       value);
	return set_string(v, value, err);
}

const struct value_type value_schedule = { "schedule", set_schedule, clear_string, print_string,
					   false };

static int set_keep(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	struct keep k;

	if (keep_parse(value, &k) < 0)
		return err_msg(err, -EINVAL,
			       "'%s' does not say what is kept: 7d,4w,6m and the like, of h d w m "
			       "y, 1 to 10000 each",
			       value);
	return set_string(v, value, err);
}

const struct value_type value_keep = { "counts per period", set_keep, clear_string, print_string,
				       false };

static int set_bool(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	return parse_bool(value, v->field) < 0
		       ? err_msg(err, -EINVAL, "'%s' is neither 0 nor 1", value)
		       : 0;
}

static void print_bool(const struct value_ctx *v, struct strbuf *out)
{
	strbuf_addf(out, "%d\n", *(bool *)v->field);
}

const struct value_type value_bool = { "bool", set_bool, NULL, print_bool, false };

static int set_true_only(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	int r = set_bool(v, value, err);

	if (r == 0 && !*(bool *)v->field) {
		*(bool *)v->field = true;
		return err_msg(err, -EOPNOTSUPP, "0 is not supported");
	}
	return r;
}

const struct value_type value_true_only = { "bool", set_true_only, NULL, print_bool, false };

static int range_error(const char *value, unsigned long long max, struct lxmgr_err *err)
{
	return err_msg(err, -EINVAL, "'%s' is no number from 0 to %llu", value, max);
}

static int set_u32(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	return parse_u32(value, v->field) < 0 ? range_error(value, UINT32_MAX, err) : 0;
}

static void print_u32(const struct value_ctx *v, struct strbuf *out)
{
	strbuf_addf(out, "%u\n", *(uint32_t *)v->field);
}

const struct value_type value_u32 = { "number", set_u32, NULL, print_u32, false };
const struct value_type value_seconds = { "seconds", set_u32, NULL, print_u32, false };

static int set_mtu(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	uint64_t n;

	if (parse_range(value, 68, 65535, &n) < 0)
		return err_msg(err, -EINVAL, "'%s' is no MTU from 68 to 65535", value);
	*(uint32_t *)v->field = (uint32_t)n;
	return 0;
}

const struct value_type value_mtu = { "bytes", set_mtu, NULL, print_u32, false };

static int set_size(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	int r;

	/* LXC's console.buffer.size and .size: auto is 128 kB. */
	if (str_eq(value, "auto")) {
		*(uint64_t *)v->field = 128 * 1024;
		return 0;
	}
	r = parse_size(value, v->field);
	return r < 0 ? err_msg(err, r, "'%s' is no size: bytes, or a number with K, M, G, T%s",
			       value, r == -ERANGE ? "; it is too large" : "")
		     : 0;
}

static void print_size(const struct value_ctx *v, struct strbuf *out)
{
	strbuf_addf(out, "%llu\n", *(unsigned long long *)v->field);
}

const struct value_type value_size = { "size", set_size, NULL, print_size, false };

static int set_limit_size(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	uint64_t *f = v->field;
	int r;

	if (str_eq(value, "max")) {
		*f = LIMIT_MAX;
		return 0;
	}
	r = parse_size(value, f);
	if (r == 0 && *f >= INT64_MAX) {
		*f = LIMIT_UNSET;
		r = -ERANGE;
	}
	return r < 0 ? err_msg(err, r, "'%s' is no size: bytes, a number with K, M, G, T, or max%s",
			       value, r == -ERANGE ? "; it is too large" : "")
		     : 0;
}

static void print_limit(const struct value_ctx *v, struct strbuf *out)
{
	uint64_t n = *(uint64_t *)v->field;

	if (n == LIMIT_MAX)
		strbuf_addf(out, "max\n");
	else if (n != LIMIT_UNSET)
		strbuf_addf(out, "%llu\n", (unsigned long long)n);
}

const struct value_type value_limit_size = { "size or max", set_limit_size, NULL, print_limit,
					     false };

/* 0 would be a limit that nothing fits into, and is what no limit is below. */
static int set_limit_disk(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	uint64_t *f = v->field;
	int r = set_limit_size(v, value, err);

	if (r < 0 || *f)
		return r;
	*f = LIMIT_UNSET;
	return err_msg(err, -ERANGE, "'%s' is no limit; max is none at all", value);
}

const struct value_type value_limit_disk = { "size or max", set_limit_disk, NULL, print_limit,
					     false };

static int set_limit_count(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	uint64_t *f = v->field;
	int r = str_eq(value, "max") ? 0 : parse_size(value, f);

	if (str_eq(value, "max"))
		*f = LIMIT_MAX;
	else if (r == 0 && (!*f || *f >= INT64_MAX))
		r = -ERANGE;
	if (r < 0) {
		*f = LIMIT_UNSET;
		err_msg(err, r, "'%s' is no number from 1 on, also with K, M, G, or max", value);
	}
	return r;
}

const struct value_type value_limit_count = { "number or max", set_limit_count, NULL, print_limit,
					      false };

static int set_limit_pids(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	if (str_eq(value, "max")) {
		*(uint64_t *)v->field = LIMIT_MAX;
		return 0;
	}
	return parse_range(value, 1, 4194304, v->field) < 0
		       ? err_msg(err, -EINVAL,
				 "'%s' is no number of processes from 1 to 4194304, "
				 "or max",
				 value)
		       : 0;
}

const struct value_type value_limit_pids = { "number or max", set_limit_pids, NULL, print_limit,
					     false };

/* The kernel's smallest quota is one millisecond of a period of 100. */
static int set_cpus(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	uint64_t n = LIMIT_MAX;

	if (!str_eq(value, "max") && (parse_milli(value, 8192, &n) < 0 || n < 10))
		return err_msg(err, -EINVAL, "'%s' is no number of CPUs: 0.01 to 8192, or max",
			       value);
	*(uint64_t *)v->field = n;
	return 0;
}

static void print_cpus(const struct value_ctx *v, struct strbuf *out)
{
	uint64_t n = *(uint64_t *)v->field;

	if (n == LIMIT_MAX || n == LIMIT_UNSET)
		print_limit(v, out);
	else
		strbuf_addf(out, "%llu.%03llu\n", (unsigned long long)n / 1000,
			    (unsigned long long)n % 1000);
}

const struct value_type value_cpus = { "CPUs or max", set_cpus, NULL, print_cpus, false };

static int set_burst(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	if (str_eq(value, "max"))
		return err_msg(err, -EINVAL, "a burst has an end: 0, or 0.01 to 8192 CPUs");
	if (!str_eq(value, "0"))
		return set_cpus(v, value, err);
	*(uint64_t *)v->field = 0;
	return 0;
}

const struct value_type value_burst = { "CPUs", set_burst, NULL, print_cpus, false };

static int set_cpuset(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	struct cpulist list;

	if (cpulist_parse(value, &list) < 0)
		return err_msg(err, -EINVAL, "'%s' is no list of CPUs, as 0-3,8", value);
	return replace_string(v->field, value, err);
}

const struct value_type value_cpuset = { "list of CPUs", set_cpuset, clear_string, print_string,
					 false };

static int set_weight(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	return parse_range(value, 1, 10000, v->field) < 0
		       ? err_msg(err, -EINVAL, "'%s' is no weight from 1 to 10000", value)
		       : 0;
}

const struct value_type value_weight = { "1 to 10000", set_weight, NULL, print_limit, false };

static int set_duration(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	return parse_duration(value, v->field) < 0
		       ? err_msg(err, -EINVAL,
				 "'%s' is no time: seconds, or a number with ms, s, m, "
				 "h, d",
				 value)
		       : 0;
}

static void print_duration(const struct value_ctx *v, struct strbuf *out)
{
	strbuf_addf(out, "%llums\n", *(unsigned long long *)v->field);
}

const struct value_type value_duration = { "time", set_duration, NULL, print_duration, false };

/* "SIGPWR", "PWR", "SIGRTMIN+3", "30". */
static int parse_signal(const char *s)
{
	uint64_t n;
	const char *rest;

	if (parse_range(s, 1, (uint64_t)SIGRTMAX, &n) == 0)
		return (int)n;
	if (!strncasecmp(s, "SIG", 3))
		s += 3;
	if (!strncasecmp(s, "RTMIN", 5) || !strncasecmp(s, "RTMAX", 5)) {
		bool min = !strncasecmp(s, "RTMIN", 5);

		rest = s + 5;
		if (!*rest)
			return min ? SIGRTMIN : SIGRTMAX;
		if (*rest != (min ? '+' : '-') ||
		    parse_range(rest + 1, 0, (uint64_t)(SIGRTMAX - SIGRTMIN), &n) < 0)
			return -EINVAL;
		return min ? SIGRTMIN + (int)n : SIGRTMAX - (int)n;
	}
	for (int i = 1; i < SIGRTMIN; i++) {
		const char *name = sigabbrev_np(i);

		if (name && !strcasecmp(name, s))
			return i;
	}
	return -EINVAL;
}

static int set_signal(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	int n = parse_signal(value);

	if (n < 0)
		return err_msg(err, -EINVAL, "'%s' is no signal: SIGPWR, SIGRTMIN+3 or a number",
			       value);
	*(int *)v->field = n;
	return 0;
}

static void print_signal(const struct value_ctx *v, struct strbuf *out)
{
	int n = *(int *)v->field;

	if (n >= SIGRTMIN)
		strbuf_addf(out, "SIGRTMIN+%d\n", n - SIGRTMIN);
	else if (n)
		strbuf_addf(out, "SIG%s\n", sigabbrev_np(n));
}

const struct value_type value_signal = { "signal", set_signal, NULL, print_signal, false };

static int set_list(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	return strlist_add(v->field, value) < 0 ? err_set(err, -ENOMEM, "config") : 0;
}

static int set_apparmor_raw(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	int r = apparmor_check_raw(value, err);

	return r < 0 ? r : set_list(v, value, err);
}

static int set_words(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	return strlist_split(v->field, value, " \t") < 0 ? err_set(err, -ENOMEM, "config") : 0;
}

/* Names of containers. */
static int set_names(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist words = { 0 };
	int r = strlist_split(&words, value, " \t,");

	for (size_t i = 0; r == 0 && i < words.n; i++) {
		if (!name_is_valid(words.v[i]))
			return err_msg(err, -EINVAL, "'%s' is no container name", words.v[i]);
		if (!strlist_has(v->field, words.v[i]))
			r = strlist_add(v->field, words.v[i]);
	}
	return r < 0 ? err_set(err, -ENOMEM, "config") : 0;
}

static int set_features(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	return features_parse(value, v->field, err);
}

static int set_env(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	const char *eq = strchr(value, '=');
	const char *inherited;

	if (eq == value)
		return err_msg(err, -EINVAL, "'%s' is not NAME=VALUE", value);
	if (eq)
		return set_list(v, value, err);
	/* LXC: a bare name takes the caller's value, and is left out where there is none. */
	inherited = getenv(value);
	if (!inherited)
		return 0;
	/* It is written into the running config: a line break would begin a key of its own. */
	if (strpbrk(inherited, "\n\r") || !str_is_utf8(inherited, strlen(inherited)))
		return err_msg(err, -EINVAL,
			       "'%s' of the environment has a line break or is no UTF-8", value);
	return strlist_addf(v->field, "%s=%s", value, inherited) < 0
		       ? err_set(err, -ENOMEM, "config")
		       : 0;
}

static void clear_list(const struct value_ctx *v)
{
	strlist_free(v->field);
}

static void print_list(const struct value_ctx *v, struct strbuf *out)
{
	const struct strlist *l = v->field;

	for (size_t i = 0; i < l->n; i++)
		strbuf_addf(out, "%s\n", l->v[i]);
}

const struct value_type value_list = { "list", set_list, clear_list, print_list, true };
const struct value_type value_apparmor_raw = { "list", set_apparmor_raw, clear_list, print_list,
					       true };
const struct value_type value_words = { "words", set_words, clear_list, print_list, true };
const struct value_type value_names = { "names", set_names, clear_list, print_list, true };
const struct value_type value_features = { "features", set_features, clear_list, print_list, true };
const struct value_type value_env = { "NAME=VALUE", set_env, clear_list, print_list, true };

static int set_enum(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	char all[200] = "";
	size_t len = 0;

	for (int i = 0; v->key->names[i]; i++) {
		if (str_eq(v->key->names[i], value)) {
			*(int *)v->field = i;
			return 0;
		}
		len += (size_t)snprintf(all + len, sizeof(all) - len, " %s", v->key->names[i]);
	}
	return err_msg(err, -EINVAL, "'%s' is none of:%s", value, all);
}

static void print_enum(const struct value_ctx *v, struct strbuf *out)
{
	strbuf_addf(out, "%s\n", v->key->names[*(int *)v->field]);
}

const struct value_type value_enum = { "word", set_enum, NULL, print_enum, false };

static int set_refused(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	return err_msg(err, -EOPNOTSUPP, "this key is not supported: %s", v->key->help);
}

static void print_nothing(const struct value_ctx *v, struct strbuf *out)
{
}

const struct value_type value_refused = { "refused", set_refused, NULL, print_nothing, false };

static int set_ifname(const struct value_ctx *v, const char *value, struct lxmgr_err *err)
{
	if (!ifname_is_valid(value))
		return err_msg(err, -EINVAL,
			       "'%s' is no interface name: 1 to 15 bytes without / : %% and blanks",
			       value);
	snprintf(v->field, IFNAMSIZ, "%s", value);
	return 0;
}

static void print_ifname(const struct value_ctx *v, struct strbuf *out)
{
	if (*(char *)v->field)
		strbuf_addf(out, "%s\n", (char *)v->field);
}

const struct value_type value_ifname = { "interface name", set_ifname, NULL, print_ifname, false };
