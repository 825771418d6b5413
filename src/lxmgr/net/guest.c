/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files in the guest, so that its own network service keeps the addresses that the host sets. */
#include <errno.h>

#include "net/guest.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/log.h"

int guest_write_network(int rootfd, const struct guest_net *g, struct lxmgr_err *err)
{
	cleanup_strlist struct strlist dns = { 0 };
	bool net = false;
	int r;

	for (size_t i = 0; g->nameservers && g->nameservers[i]; i++)
		if (strlist_add(&dns, g->nameservers[i]) < 0)
			return err_set(err, -ENOMEM, "guest files");
	if (!dns.n && host_nameservers_here(&dns) < 0)
		return err_set(err, -ENOMEM, "guest files");
	for (size_t i = 0; i < g->n_nets; i++)
		net |= guest_is_host_set(&g->nets[i]);
	if (net && !dns.n)
		log_notice("no resolver for the container: the host's are on its loopback; name "
			   "some with lxmgr.nameserver");
	r = guest_write_names(rootfd, g->hostname, err);
	if (r == 0)
		r = guest_write_services(rootfd, g, &dns, err);
	return r == 0 && net && dns.n ? guest_write_resolv(rootfd, g, &dns, err) : r;
}
