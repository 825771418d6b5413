/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the managed bridge needs of the host: forwarding, firewalls, NAT, resolvers. */
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>

#include "container/doctor.h"
#include "kernel/firewall.h"
#include "kernel/netlink.h"
#include "kernel/sys.h"
#include "net/net.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/log.h"
#include "util/paths.h"
#include "util/str.h"

static void bridge_name(struct bridge_conf *conf)
{
	*conf = (struct bridge_conf){ .name = "lxmgrbr0" };
	if (bridge_conf_read(conf, NULL) < 0)
		log_debug("no networks are chosen yet, ignoring");
}

static int try_nat(void)
{
	int r = sys_unshare(CLONE_NEWNET);

	return r < 0 ? r : firewall_nat_try(NULL);
}

void doctor_nat(struct doctor *d)
{
	int r = firewall_nat_look();

	if (r > 0)
		doctor_say(d, DOCTOR_OK, "the table inet lxmgr is there");
	else if (r == 0 && doctor_try(try_nat) == 0)
		doctor_say(d, DOCTOR_OK, "made when the first container starts");
	else
		doctor_say(d, DOCTOR_NOTICE,
			   "cannot be made: containers reach only this host and one another\t%s",
			   FIREWALL_NAT_CURE);
}

void doctor_resolver(struct doctor *d)
{
	cleanup_strlist struct strlist dns = { 0 };

	if (host_nameservers_here(&dns) < 0 || !dns.n)
		doctor_say(d, DOCTOR_NOTICE,
			   "the host's are on its loopback only, where no container gets\t"
			   "name others: lxmgr.nameserver = ADDRESS in %s",
			   SYSCONFDIR "/default.conf");
	else
		doctor_say(d, DOCTOR_OK, "containers ask %s%s%s", dns.v[0], dns.n > 1 ? " " : "",
			   dns.n > 1 ? dns.v[1] : "");
}

static void forwarding(struct doctor *d, int family, const char *key)
{
	struct bridge_conf conf;
	char closed[IFNAMSIZ];
	struct netlink *nl;
	struct link_info l;
	int r = netlink_open(&nl, NULL), have;

	if (r < 0) {
		d->ended = r;
		return;
	}
	bridge_name(&conf);
	r = link_get(nl, conf.name, &l);
	have = forwarding_look(nl, conf.name, family, closed);
	netlink_close(nl);
	switch ((enum forwarding)have) {
	case FORWARDING_HOST:
		doctor_say(d, DOCTOR_OK, "on for the whole host (%s)", key);
		return;
	case FORWARDING_LINKS:
		doctor_say(d, DOCTOR_OK, "on for %s; the host's own is off", conf.name);
		return;
	case FORWARDING_PART:
		doctor_say(d, DOCTOR_NOTICE,
			   "'%s' does not forward: no answers reach containers from there\t"
			   "sysctl -w %s=1 (the next start does it)",
			   closed, key);
		return;
	case FORWARDING_OFF:
		break;
	}
	if (r == -ENODEV)
		doctor_say(d, DOCTOR_OK, "off until the first container starts");
	else
		doctor_say(d, DOCTOR_NOTICE, "off for %s\tsysctl -w %s=1 (the next start does it)",
			   conf.name, key);
}

void doctor_forward4(struct doctor *d)
{
	forwarding(d, AF_INET, "net.ipv4.ip_forward");
}

void doctor_forward6(struct doctor *d)
{
	forwarding(d, AF_INET6, "net.ipv6.conf.all.forwarding");
}

void doctor_firewalls(struct doctor *d)
{
	cleanup_strlist struct strlist found = { 0 };
	struct lxmgr_err err = { 0 };
	struct bridge_conf conf;

	bridge_name(&conf);
	if (firewall_forward_look(conf.name, &found, &err) < 0)
		doctor_say(d, DOCTOR_NOTICE, "cannot be looked at: %s", err.text);
	else if (!found.n)
		doctor_say(d, DOCTOR_OK, "none drops what the bridge forwards");
	for (size_t i = 0; i < found.n; i++)
		doctor_say(d, DOCTOR_NOTICE, "%s", found.v[i]);
}
