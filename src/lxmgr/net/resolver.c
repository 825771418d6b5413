/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's resolvers, as far as a container can reach them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "net/net.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/str.h"

/* What resolv.conf(5) allows. */
#define MAX_SERVERS 3

/* The loopback of a container is its own: the host's stub (127.0.0.53) or cache is not there.
 * Nor is a link-local address of the host's networks, whose scope it lacks. */
static bool is_reachable(const struct net_addr *a)
{
	const uint8_t *b = a->v6.s6_addr;

	if (a->family == AF_INET)
		return b[0] && b[0] != 127 && b[0] < 224;
	if (IN6_IS_ADDR_V4MAPPED(&a->v6))
		return b[12] && b[12] != 127;
	return !IN6_IS_ADDR_LOOPBACK(&a->v6) && !IN6_IS_ADDR_UNSPECIFIED(&a->v6) &&
	       !IN6_IS_ADDR_LINKLOCAL(&a->v6) && !IN6_IS_ADDR_MULTICAST(&a->v6);
}

static int add_servers(const char *text, struct strlist *ret)
{
	cleanup_strlist struct strlist lines = { 0 };
	int r = strlist_split(&lines, text, "\n");

	for (size_t i = 0; i < lines.n && r == 0 && ret->n < MAX_SERVERS; i++) {
		const char *v = str_after(lines.v[i], "nameserver");
		struct net_addr a;
		char one[64];

		if (!v || (*v != ' ' && *v != '\t') || sscanf(v, "%63s", one) != 1 ||
		    net_addr_parse(one, strchr(one, ':') ? AF_INET6 : AF_INET, &a, NULL) < 0)
			continue;
		if (is_reachable(&a) && !strlist_has(ret, one))
			r = strlist_add(ret, one);
	}
	return r;
}

int host_nameservers(int rootfd, struct strlist *ret)
{
	/* What the host itself asks, else what stands behind its stub. */
	static const char *const files[] = { "etc/resolv.conf", "run/systemd/resolve/resolv.conf",
					     "run/NetworkManager/no-stub-resolv.conf",
					     "run/dnsmasq/resolv.conf" };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(files) && !ret->n && r == 0; i++) {
		cleanup_fd int fd =
			open_in(rootfd, files[i], OPEN_IN_ROOT, O_RDONLY | O_NONBLOCK, 0);
		cleanup_free char *text = NULL;

		if (fd >= 0 && read_all(fd, 65536, &text, NULL) == 0)
			r = add_servers(text, ret);
	}
	return r;
}

int host_nameservers_here(struct strlist *ret)
{
	cleanup_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return root < 0 ? -errno : host_nameservers(root, ret);
}
