/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * systemd and machined over D-Bus, in a program of its own: a start on another host does not pay
 * for libsystemd. Not for users. What went wrong is printed as one line.
 *
 *	lxmgr-systemd start UNIT		start it and wait
 *	lxmgr-systemd restart UNIT		the same from anew, without waiting
 *	lxmgr-systemd scope UNIT PID TEXT	a delegated scope with this process in it
 *	lxmgr-systemd reload			read the unit files again
 *	lxmgr-systemd register NAME PID [IFINDEX...]	tell machined of a machine
 *	lxmgr-systemd unregister NAME
 *
 * The status of start is that of the unit's main process, or 100: there is no such unit.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/parse.h"
#include "util/str.h"

#define NO_SUCH_UNIT 100
#define RELOAD_USEC  (180 * UINT64_C(1000000))
/* As long as a hook takes; the tool that waits can be interrupted. */
#define FOREVER (~UINT64_C(0))

#define MANAGER \
	"org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"
#define MACHINED \
	"org.freedesktop.machine1", "/org/freedesktop/machine1", "org.freedesktop.machine1.Manager"

static sd_bus *bus;
static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

static int complain(const char *what, int r, const sd_bus_error *e)
{
	printf("%s: %s\n", what, e && e->message ? e->message : strerror(-r));
	return 1;
}

struct job {
	const char *path;
	char result[32];
};

static int on_removed(sd_bus_message *m, void *data, sd_bus_error *e)
{
	const char *path, *result;
	struct job *job = data;

	(void)e;
	if (sd_bus_message_read(m, "uoss", NULL, &path, NULL, &result) >= 0 && job->path &&
	    str_eq(path, job->path))
		snprintf(job->result, sizeof(job->result), "%s", result);
	return 0;
}

/* Before the job is asked for: its end may come before the answer is read. */
static int watch_jobs(struct job *job)
{
	int r = sd_bus_match_signal(bus, NULL, MANAGER, "JobRemoved", on_removed, job);

	return r < 0 ? r : sd_bus_call_method(bus, MANAGER, "Subscribe", NULL, NULL, NULL);
}

static int wait_job(struct job *job)
{
	while (!*job->result && !interrupted) {
		int r = sd_bus_process(bus, NULL);

		if (r == 0)
			r = sd_bus_wait(bus, FOREVER);
		if (r < 0 && r != -EINTR)
			return r;
	}
	return *job->result ? 0 : -EINTR;
}

/* Why the unit's main process failed, in its own words (STATUS= of sd_notify). */
static int unit_failed(const char *unit, const struct job *job)
{
	static const char service[] = "org.freedesktop.systemd1.Service";
	sd_bus_message *reply = NULL;
	char *text = NULL;
	const char *path;
	int32_t status = 1;

	if (sd_bus_call_method(bus, MANAGER, "GetUnit", NULL, &reply, "s", unit) >= 0 &&
	    sd_bus_message_read(reply, "o", &path) >= 0) {
		sd_bus_get_property_string(bus, "org.freedesktop.systemd1", path, service,
					   "StatusText", NULL, &text);
		sd_bus_get_property_trivial(bus, "org.freedesktop.systemd1", path, service,
					    "ExecMainStatus", NULL, 'i', &status);
	}
	if (text && *text)
		printf("%s\n", text);
	else
		printf("the unit '%s' could not be started: %s (see: systemctl status %s)\n", unit,
		       job->result, unit);
	free(text);
	sd_bus_message_unref(reply);
	return status > 0 && status < NO_SUCH_UNIT ? status : 1;
}

static int do_start(char **args, int n)
{
	sd_bus_error e = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	struct job job = { 0 };
	int r;

	(void)n;
	r = watch_jobs(&job);
	if (r < 0)
		return complain("talk to systemd", r, NULL);
	/* Somebody asks for it: how often it failed or was started before does not count. */
	sd_bus_call_method(bus, MANAGER, "ResetFailedUnit", NULL, NULL, "s", args[0]);
	r = sd_bus_call_method(bus, MANAGER, "StartUnit", &e, &reply, "ss", args[0], "replace");
	if (sd_bus_error_has_name(&e, "org.freedesktop.systemd1.NoSuchUnit"))
		return NO_SUCH_UNIT;
	if (r >= 0)
		r = sd_bus_message_read(reply, "o", &job.path);
	if (r >= 0)
		r = wait_job(&job);
	if (r == -EINTR) {
		/* The user does not want it any more. */
		sd_bus_call_method(bus, MANAGER, "StopUnit", NULL, NULL, "ss", args[0], "replace");
		printf("interrupted\n");
		return 1;
	}
	if (r < 0)
		return complain("start the unit", r, &e);
	return str_eq(job.result, "done") ? 0 : unit_failed(args[0], &job);
}

/* Only asks for it: the caller is who stops the container, maybe in this very job. */
static int do_stop(char **args, int n)
{
	sd_bus_error e = SD_BUS_ERROR_NULL;
	int r;

	(void)n;
	r = sd_bus_call_method(bus, MANAGER, "StopUnit", &e, NULL, "ss", args[0], "replace");
	if (r < 0 && sd_bus_error_has_name(&e, "org.freedesktop.systemd1.NoSuchUnit"))
		return 0;
	return r < 0 ? complain("stop the unit", r, &e) : 0;
}

static int do_restart(char **args, int n)
{
	sd_bus_error e = SD_BUS_ERROR_NULL;
	int r;

	(void)n;
	r = sd_bus_call_method(bus, MANAGER, "RestartUnit", &e, NULL, "ss", args[0], "replace");
	return r < 0 ? complain("start the unit", r, &e) : 0;
}

static int fill_scope(sd_bus_message *m, const char *unit, uint32_t pid, const char *text)
{
	int r = sd_bus_message_append(m, "ss", unit, "fail");

	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "(sv)");
	if (r >= 0)
		r = sd_bus_message_append(m, "(sv)", "Description", "s", text);
	if (r >= 0)
		r = sd_bus_message_append(m, "(sv)", "Slice", "s", "machine.slice");
	if (r >= 0)
		r = sd_bus_message_append(m, "(sv)", "Delegate", "b", 1);
	if (r >= 0)
		r = sd_bus_message_append(m, "(sv)", "TasksMax", "t", UINT64_MAX);
	if (r >= 0)
		r = sd_bus_message_append(m, "(sv)", "CollectMode", "s", "inactive-or-failed");
	/* At shutdown that service is stopped first: it asks the guest's own init to halt. */
	if (r >= 0)
		r = sd_bus_message_append(m, "(sv)", "Wants", "as", 1, "lxmgr-guests.service");
	if (r >= 0)
		r = sd_bus_message_append(m, "(sv)", "Before", "as", 1, "lxmgr-guests.service");
	if (r >= 0)
		r = sd_bus_message_append(m, "(sv)", "PIDs", "au", 1, pid);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_append(m, "a(sa(sv))", 0);
}

static int do_scope(char **args, int n)
{
	sd_bus_error e = SD_BUS_ERROR_NULL;
	sd_bus_message *m = NULL, *reply = NULL;
	struct job job = { 0 };
	uint32_t pid;
	int r;

	(void)n;
	if (parse_u32(args[1], &pid) < 0)
		return complain("scope", -EINVAL, NULL);
	r = watch_jobs(&job);
	if (r >= 0)
		r = sd_bus_message_new_method_call(bus, &m, MANAGER, "StartTransientUnit");
	if (r >= 0)
		r = fill_scope(m, args[0], pid, args[2]);
	if (r >= 0)
		r = sd_bus_call(bus, m, 0, &e, &reply);
	if (r >= 0)
		r = sd_bus_message_read(reply, "o", &job.path);
	if (r >= 0)
		r = wait_job(&job);
	if (r < 0)
		return complain("make the scope", r, &e);
	if (str_eq(job.result, "done"))
		return 0;
	printf("make the scope '%s': %s\n", args[0], job.result);
	return 1;
}

static int do_reload(char **args, int n)
{
	sd_bus_error e = SD_BUS_ERROR_NULL;
	sd_bus_message *m = NULL;
	int r;

	(void)args;
	(void)n;
	r = sd_bus_message_new_method_call(bus, &m, MANAGER, "Reload");
	/* All generators run: on a busy host longer than other calls take, as systemctl knows. */
	if (r >= 0)
		r = sd_bus_call(bus, m, RELOAD_USEC, &e, NULL);
	return r < 0 ? complain("reload systemd's units", r, &e) : 0;
}

static int do_register(char **args, int n)
{
	sd_bus_error e = SD_BUS_ERROR_NULL;
	sd_bus_message *m = NULL;
	uint32_t pid;
	int r;

	if (parse_u32(args[1], &pid) < 0)
		return complain("register", -EINVAL, NULL);
	r = sd_bus_message_new_method_call(bus, &m, MACHINED, "RegisterMachineWithNetwork");
	if (r >= 0)
		r = sd_bus_message_append(m, "s", args[0]);
	/* No id and no directory: the machine's own root has the one, and its mount namespace the
	 * other. */
	if (r >= 0)
		r = sd_bus_message_append_array(m, 'y', NULL, 0);
	if (r >= 0)
		r = sd_bus_message_append(m, "ssus", "lxmgr", "container", pid, "");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "i");
	for (int i = 2; r >= 0 && i < n; i++) {
		uint32_t index;

		r = parse_u32(args[i], &index);
		if (r >= 0)
			r = sd_bus_message_append(m, "i", (int)index);
	}
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	if (r >= 0)
		r = sd_bus_call(bus, m, 0, &e, NULL);
	return r < 0 ? complain("register with machined", r, &e) : 0;
}

static int do_unregister(char **args, int n)
{
	sd_bus_error e = SD_BUS_ERROR_NULL;
	int r;

	(void)n;
	r = sd_bus_call_method(bus, MACHINED, "UnregisterMachine", &e, NULL, "s", args[0]);
	if (r < 0 && sd_bus_error_has_name(&e, "org.freedesktop.machine1.NoSuchMachine"))
		return 0;
	return r < 0 ? complain("unregister with machined", r, &e) : 0;
}

static const struct {
	const char *name;
	int min, max;
	bool manager; /* systemd itself: there also without a bus daemon */
	int (*run)(char **args, int n);
} verbs[] = {
	{ "start", 1, 1, true, do_start },
	{ "stop", 1, 1, true, do_stop },
	{ "restart", 1, 1, true, do_restart },
	{ "scope", 3, 3, true, do_scope },
	{ "reload", 0, 0, true, do_reload },
	{ "register", 2, 1024, false, do_register },
	{ "unregister", 1, 1, false, do_unregister },
};

/* The bus, or systemd's own socket where no bus runs. */
static int connect_bus(bool manager)
{
	int r = sd_bus_open_system(&bus);

	if (r >= 0 || !manager)
		return r;
	r = sd_bus_new(&bus);
	if (r >= 0)
		r = sd_bus_set_address(bus, "unix:path=/run/systemd/private");
	return r < 0 ? r : sd_bus_start(bus);
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };
	int n = argc - 2;

	/* The end of the tool that waits is Ctrl-C. */
	sigaction(SIGTERM, &sa, NULL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(verbs); i++) {
		int r;

		if (!str_eq(argv[1], verbs[i].name) || n < verbs[i].min || n > verbs[i].max)
			continue;
		r = connect_bus(verbs[i].manager);
		return r < 0 ? complain("connect to the system bus", r, NULL)
			     : verbs[i].run(argv + 2, n);
	}
	return 64;
}
