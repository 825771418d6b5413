/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lxmgr-metrics: what lxmgr-usage shows, as OpenMetrics or in Prometheus's older text format. */
#include "each.h"
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static bool text_format, http;
static const char *output;

static const struct opt opts[] = {
	{ 0, "text", OPT_FLAG, &text_format, NULL,
	  "Prometheus's text format, which node_exporter's textfile collector reads" },
	{ 0, "output", OPT_STRING, &output, "FILE", "write this file, all of it at once" },
	{ 0, "http", OPT_FLAG, &http, NULL,
	  "answer one HTTP request on standard input (lxmgr-metrics.socket)" },
};

static const struct tool tool = {
	.name = "lxmgr-metrics",
	.usage = "[[-n] NAME] [OPTIONS]",
	.summary = "Print the counters of containers for Prometheus.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.name_optional = true,
	.no_rcfile = true,
};

enum member { CURRENT, PEAK, LIMIT, FAILS };

/* A family of samples, one for each container: a member of lxmgr-usage's row of a resource. */
static const struct family {
	const char *name, *unit; /* unit: the end of the name, or NULL */
	bool is_counter;
	const char *resource;
	enum member member;
	unsigned int parts; /* of the unit, that the resource counts: 1, 1000, 1000000 */
	const char *help;
} families[] = {
	/* clang-format off */
	{ "memory_bytes", "bytes", false, "memory", CURRENT, 1, "memory in use, with page cache" },
	{ "memory_peak_bytes", "bytes", false, "memory", PEAK, 1, "most memory since its start" },
	{ "memory_limit_bytes", "bytes", false, "memory", LIMIT, 1, "lxmgr.limit.memory" },
	{ "memory_limit_hits", NULL, true, "memory", FAILS, 1, "times that memory ran into its limit" },
	{ "oom_kills", NULL, true, "memory.oom", FAILS, 1, "processes killed for want of memory" },
	{ "memory_kernel_bytes", "bytes", false, "memory.kernel", CURRENT, 1, "memory of it that the kernel uses" },
	{ "memory_socket_bytes", "bytes", false, "memory.sockets", CURRENT, 1, "memory of it in buffers of sockets" },
	{ "memory_stalled_seconds", "seconds", true, "memory.stalled", CURRENT, 1000000, "time in which some process waited for memory" },
	{ "swap_bytes", "bytes", false, "swap", CURRENT, 1, "swap in use" },
	{ "swap_limit_bytes", "bytes", false, "swap", LIMIT, 1, "lxmgr.limit.swap" },
	{ "swap_limit_hits", NULL, true, "swap", FAILS, 1, "times that swap ran into its limit" },
	{ "processes", NULL, false, "pids", CURRENT, 1, "processes and threads" },
	{ "processes_peak", NULL, false, "pids", PEAK, 1, "most processes and threads since its start" },
	{ "processes_limit", NULL, false, "pids", LIMIT, 1, "lxmgr.limit.pids" },
	{ "forks_refused", NULL, true, "pids", FAILS, 1, "forks that the limit refused" },
	{ "cpus_limit", NULL, false, "cpus", LIMIT, 1000, "lxmgr.limit.cpus" },
	{ "cpu_throttled_periods", NULL, true, "cpus", FAILS, 1, "periods in which the limit held it back" },
	{ "cpu_seconds", "seconds", true, "cpu.time", CURRENT, 1000000, "CPU time used" },
	{ "cpu_throttled_seconds", "seconds", true, "cpu.throttled", CURRENT, 1000000, "time in which the limit held it back" },
	{ "cpu_stalled_seconds", "seconds", true, "cpu.stalled", CURRENT, 1000000, "time in which some process waited for a CPU" },
	{ "io_read_bytes", "bytes", true, "io.read", CURRENT, 1, "read from disks" },
	{ "io_written_bytes", "bytes", true, "io.write", CURRENT, 1, "written to disks" },
	{ "io_stalled_seconds", "seconds", true, "io.stalled", CURRENT, 1000000, "time in which some process waited for a disk" },
	{ "rate_in_bytes", "bytes", true, "rate.in", CURRENT, 1, "received through lxmgr.net.[i].rate.in" },
	{ "rate_in_dropped", NULL, true, "rate.in", FAILS, 1, "packets that lxmgr.net.[i].rate.in dropped" },
	{ "rate_out_bytes", "bytes", true, "rate.out", CURRENT, 1, "sent through lxmgr.net.[i].rate.out" },
	{ "rate_out_dropped", NULL, true, "rate.out", FAILS, 1, "packets that lxmgr.net.[i].rate.out dropped" },
	{ "disk_bytes", "bytes", false, "disk", CURRENT, 1, "what the root takes, where that is known at once" },
	{ "disk_limit_bytes", "bytes", false, "disk", LIMIT, 1, "lxmgr.limit.disk" },
	{ "inodes", NULL, false, "inodes", CURRENT, 1, "files, directories and links of the root" },
	{ "inodes_limit", NULL, false, "inodes", LIMIT, 1, "lxmgr.limit.inodes" },
	/* clang-format on */
};

struct sample {
	const char *name;
	char *plan, *owner;
	struct lxmgr_info *info; /* NULL: there is nothing to tell */
	struct lxmgr_usage *usage;
	size_t n;
	bool unread; /* something of it could not be read */
	const struct lxmgr_usage *of[ARRAY_SIZE(families)];
};
static struct sample *samples;
static size_t n_samples;
static unsigned int unread;
static char **names;
static size_t n_names;
static FILE *out;

/* A label's value, "" of NULL: free() it. */
static char *quoted(const char *text)
{
	const char *s = tool_text(text ? text : "");
	char *v = malloc(2 * strlen(s) + 1), *p = v;

	if (!v)
		tool_no_memory();
	for (; *s; s++) {
		if (*s == '\\' || *s == '"')
			*p++ = '\\';
		*p++ = *s;
	}
	*p = '\0';
	return v;
}

static int take_sample(struct sample *s, struct lxmgr_err *err)
{
	struct lxmgr_container *c;
	int r = lxmgr_container_open(common.path, s->name, NULL, &c, err);

	if (r < 0)
		return r;
	r = lxmgr_container_info(c, LXMGR_INFO_CONFIG | LXMGR_INFO_TRAFFIC, &s->info, err);
	if (r < 0)
		s->info = NULL;
	else
		r = lxmgr_container_usage(c, &s->usage, &s->n, err);
	/* A broken config has none, and its state says so. */
	lxmgr_container_get_item(c, "lxmgr.plan", &s->plan, NULL);
	lxmgr_container_get_item(c, "lxmgr.owner", &s->owner, NULL);
	lxmgr_container_close(c);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(families); i++)
		for (size_t k = 0; k < s->n && !s->of[i]; k++)
			if (!strcmp(s->usage[k].resource, families[i].resource))
				s->of[i] = &s->usage[k];
	return r;
}

/* One that vanished meanwhile is not there; one that cannot be read is counted. */
static void try_sample(size_t i, void *arg)
{
	struct sample *s = (struct sample *)arg + i;
	struct lxmgr_err err = { 0 };

	s->unread = take_sample(s, &err) < 0 && err.status != LXMGR_NO_CONTAINER;
}

/* What stands before a family's samples. In the older format a counter is called as its samples. */
static void head(const char *name, const char *unit, bool is_counter, const char *help)
{
	const char *end = text_format && is_counter ? "_total" : "";

	fprintf(out, "# HELP lxmgr_%s%s %s\n", name, end, help);
	fprintf(out, "# TYPE lxmgr_%s%s %s\n", name, end, is_counter ? "counter" : "gauge");
	if (unit && !text_format)
		fprintf(out, "# UNIT lxmgr_%s %s\n", name, unit);
}

static uint64_t value_of(const struct family *f, const struct lxmgr_usage *u)
{
	switch (f->member) {
	case CURRENT:
		return u->current;
	case PEAK:
		return u->peak;
	case LIMIT:
		return u->limit;
	case FAILS:
		return u->fails;
	}
	return LXMGR_UNKNOWN;
}

static void print_family(size_t which)
{
	const struct family *f = &families[which];
	const char *end = f->is_counter ? "_total" : "";
	int digits = f->parts == 1000 ? 3 : 6;
	char name[64];

	snprintf(name, sizeof(name), "container_%s", f->name);
	head(name, f->unit, f->is_counter, f->help);
	for (size_t i = 0; i < n_samples; i++) {
		const struct lxmgr_usage *u = samples[i].of[which];
		uint64_t v = u ? value_of(f, u) : LXMGR_UNKNOWN;

		if (v == LXMGR_UNKNOWN)
			continue;
		fprintf(out, "lxmgr_%s%s{container=\"%s\"} %llu", name, end, samples[i].name,
			(unsigned long long)(v / f->parts));
		if (f->parts > 1)
			fprintf(out, ".%0*llu", digits, (unsigned long long)(v % f->parts));
		fputc('\n', out);
	}
}

static bool is_up(const struct sample *s)
{
	return s->info->state != LXMGR_STOPPED && s->info->state != LXMGR_BROKEN;
}

static void print_states(void)
{
	head("container_info", NULL, false, "its state, plan and owner; always 1");
	for (size_t i = 0; i < n_samples; i++) {
		char *plan = quoted(samples[i].plan), *owner = quoted(samples[i].owner);

		fprintf(out,
			"lxmgr_container_info{container=\"%s\",state=\"%s\",plan=\"%s\","
			"owner=\"%s\"} 1\n",
			samples[i].name, lxmgr_state_name(samples[i].info->state), plan, owner);
		free(plan);
		free(owner);
	}
	head("container_up", NULL, false, "1: it runs, or is frozen");
	for (size_t i = 0; i < n_samples; i++)
		fprintf(out, "lxmgr_container_up{container=\"%s\"} %d\n", samples[i].name,
			is_up(&samples[i]));
	head("container_autostart", NULL, false, "1: it is started when the host starts");
	for (size_t i = 0; i < n_samples; i++)
		fprintf(out, "lxmgr_container_autostart{container=\"%s\"} %d\n", samples[i].name,
			samples[i].info->autostart);
	head("container_healthy", NULL, false, "1: its last health check succeeded");
	for (size_t i = 0; i < n_samples; i++)
		if (samples[i].info->health)
			fprintf(out, "lxmgr_container_healthy{container=\"%s\"} %d\n",
				samples[i].name, !strcmp(samples[i].info->health, "healthy"));
	head("container_start_time_seconds", "seconds", false, "since the epoch");
	for (size_t i = 0; i < n_samples; i++)
		if (samples[i].info->started)
			fprintf(out, "lxmgr_container_start_time_seconds{container=\"%s\"} %llu\n",
				samples[i].name, (unsigned long long)samples[i].info->started);
}

static void print_traffic(bool received)
{
	const char *name =
		received ? "container_network_received_bytes" : "container_network_sent_bytes";

	head(name, "bytes", true, received ? "that came to it" : "that it sent");
	for (size_t i = 0; i < n_samples; i++)
		for (size_t k = 0; k < samples[i].info->n_links; k++) {
			const struct lxmgr_info_link *l = &samples[i].info->links[k];
			char *device = quoted(l->ifname);

			fprintf(out, "lxmgr_%s_total{container=\"%s\",device=\"%s\"} %llu\n", name,
				samples[i].name, device,
				(unsigned long long)(received ? l->rx_bytes : l->tx_bytes));
			free(device);
		}
}

/* Into samples those of which there is something to tell. */
static int collect(struct lxmgr_err *err)
{
	size_t n = 1;
	int r = common.name ? 0 : lxmgr_list(common.path, &names, &n, err);

	if (r < 0)
		return r;
	samples = calloc(n ? n : 1, sizeof(*samples));
	if (!samples)
		tool_no_memory();
	for (size_t i = 0; i < n; i++)
		samples[i].name = names ? names[i] : common.name;
	n_names = n;
	if (common.name)
		r = take_sample(samples, err);
	else
		each(n, try_sample, samples);
	for (size_t i = 0; i < n; i++) {
		unread += samples[i].unread;
		if (samples[i].info)
			samples[n_samples++] = samples[i];
	}
	return r;
}

static void print_all(void)
{
	print_states();
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		print_family(i);
	print_traffic(true);
	print_traffic(false);
	head("containers_unread", NULL, false, "containers of which something could not be read");
	fprintf(out, "lxmgr_containers_unread %u\n", unread);
	if (!text_format)
		fputs("# EOF\n", out);
}

static void forget(void)
{
	for (size_t i = 0; i < n_samples; i++) {
		free(samples[i].plan);
		free(samples[i].owner);
		free(samples[i].usage);
		lxmgr_info_free(samples[i].info);
	}
	free(samples);
	if (names)
		lxmgr_list_free(names, n_names);
}

/* Whoever reads the file sees the former one or this, and never a part. */
static int write_file(const char *text, size_t n)
{
	char *draft = NULL;
	int fd;

	if (asprintf(&draft, "%s.XXXXXX", output) < 0)
		tool_no_memory();
	fd = mkostemp(draft, O_CLOEXEC);
	if (fd < 0 || fchmod(fd, 0644) < 0)
		goto failed;
	for (size_t done = 0; done < n;) {
		ssize_t w = write(fd, text + done, n - done);

		if (w < 0 && errno != EINTR)
			goto failed;
		done += w > 0 ? (size_t)w : 0;
	}
	if (close(fd) < 0 || rename(draft, output) < 0) {
		fd = -1;
		goto failed;
	}
	free(draft);
	return 0;
failed:
	fprintf(stderr, "lxmgr-metrics: write '%s': %s\n", tool_text(output), strerror(errno));
	if (fd >= 0)
		close(fd);
	unlink(draft);
	free(draft);
	return LXMGR_FAILED;
}

#define REQUEST_MAX 8192
#define REQUEST_MS  5000

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* The request's line and headers, as text; false: none came in time, or it has no end. */
static bool read_request(char *buf, size_t size)
{
	int64_t end = now_ms() + REQUEST_MS, left;
	size_t n = 0;

	while ((left = end - now_ms()) > 0 && n + 1 < size) {
		struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
		ssize_t r;

		if (poll(&p, 1, (int)left) <= 0)
			continue;
		r = read(STDIN_FILENO, buf + n, size - 1 - n);
		if (r <= 0)
			return false;
		n += (size_t)r;
		buf[n] = '\0';
		if (memmem(buf, n, "\r\n\r\n", 4) || memmem(buf, n, "\n\n", 2))
			return strlen(buf) == n;
	}
	return false;
}

static void respond(const char *status, const char *type, const char *text, size_t n, bool body)
{
	printf("HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: "
	       "close\r\n\r\n",
	       status, type, n);
	if (body)
		fwrite(text, 1, n, stdout);
}

static void respond_error(const char *status)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%s\n", status);

	respond(status, "text/plain; charset=utf-8", text, (size_t)n, true);
}

/* A header's value holds the word. */
static bool accepts(const char *request, const char *header, const char *word)
{
	const char *line = strcasestr(request, header), *found, *end;

	if (!line)
		return false;
	found = strcasestr(line, word);
	end = strchr(line + 1, '\n');
	return found && (!end || found < end);
}

/* False: it was answered, with a refusal. */
static bool take_request(bool *ret_body)
{
	char request[REQUEST_MAX], *path, *end;

	if (!read_request(request, sizeof(request))) {
		respond_error("400 Bad Request");
		return false;
	}
	*ret_body = !strncmp(request, "GET ", 4);
	if (!*ret_body && strncmp(request, "HEAD ", 5) != 0) {
		respond_error("405 Method Not Allowed");
		return false;
	}
	text_format = !accepts(request, "\nAccept:", "application/openmetrics-text");
	path = strchr(request, ' ') + 1;
	end = path + strcspn(path, " ?\r\n");
	if ((size_t)(end - path) != strlen("/metrics") || strncmp(path, "/metrics", 8) != 0) {
		respond_error("404 Not Found");
		return false;
	}
	return true;
}

static int deliver(const char *text, size_t n, bool body)
{
	if (output)
		return write_file(text, n);
	if (http)
		respond("200 OK",
			text_format ? "text/plain; version=0.0.4; charset=utf-8"
				    : "application/openmetrics-text; version=1.0.0; charset=utf-8",
			text, n, body);
	else
		fwrite(text, 1, n, stdout);
	return 0;
}

int main(int argc, char **argv)
{
	int rest = tool_parse(&tool, argc, argv), status;
	struct lxmgr_err err = { 0 };
	bool body = true;
	char *text = NULL;
	size_t n = 0;

	if (rest < argc)
		tool_usage_error("unexpected argument '%s'", tool_text(argv[rest]));
	if (http && (output || text_format))
		tool_usage_error("--http goes with neither --output nor --text");
	if (http && !take_request(&body))
		return tool_exit(0);
	if (collect(&err) < 0) {
		if (http)
			respond_error("500 Internal Server Error");
		return tool_exit(tool_error(&err));
	}
	out = open_memstream(&text, &n);
	if (!out)
		tool_no_memory();
	print_all();
	if (fclose(out) != 0)
		tool_no_memory();
	status = deliver(text, n, body);
	free(text);
	forget();
	return tool_exit(status);
}
