/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nftables by libnftables, in a program of its own. Not for users.
 *
 *	lxmgr-nft ensure		make the NAT table of the managed bridge if it is not there
 *	lxmgr-nft try			make one like it, to see whether it can be made
 *	lxmgr-nft remove
 *	lxmgr-nft forward BRIDGE	print who drops what BRIDGE forwards, and the cure
 */
#include <errno.h>
#include <fcntl.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/firewall.h"
#include "kernel/natquery.h"
#include "net/net.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/paths.h"
#include "util/str.h"

static int run(const char *commands, const char **ret_out)
{
	static struct nft_ctx *nft;
	int r;

	if (!nft)
		nft = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!nft)
		return -ENOMEM;
	nft_ctx_buffer_output(nft);
	nft_ctx_buffer_error(nft);
	r = nft_run_cmd_from_buffer(nft, commands);
	if (ret_out)
		*ret_out = r ? nft_ctx_get_error_buffer(nft) : nft_ctx_get_output_buffer(nft);
	return r ? -EIO : 0;
}

static int make_table(const char *bridge, const char *v4, const char *v6)
{
	const char *why = "";
	char text[1024];

	snprintf(text, sizeof(text),
		 "table inet " FIREWALL_TABLE " {\n"
		 "	comment \"made by lxmgr for %s\"\n"
		 "	chain postrouting {\n"
		 "		type nat hook postrouting priority srcnat; policy accept;\n"
		 "		ip saddr %s ip daddr != %s masquerade\n"
		 "		ip6 saddr %s ip6 daddr != %s masquerade\n"
		 "	}\n"
		 "}\n",
		 bridge, v4, v4, v6, v6);
	if (run(text, &why) < 0) {
		printf("make the NAT table: %s\n", why);
		return 1;
	}
	return 0;
}

static int ensure(void)
{
	cleanup_fd int dir = open(RUNDIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int lock = -EBADF;
	char v4[INET6_ADDRSTRLEN + 4], v6[INET6_ADDRSTRLEN + 4];
	struct lxmgr_err err = { 0 };
	struct bridge_conf c;

	/* All monitors hear of a flush at once: one makes the table, the others find it. */
	if (dir >= 0)
		lock = lock_at(dir, ".nat.lock", true, 10000, NULL);
	if (firewall_nat_look() > 0)
		return 0;
	if (bridge_conf_get(&c, &err) < 0) {
		printf("%s\n", err.text);
		return 1;
	}
	return make_table(c.name, net_addr_print(&c.v4, false, v4),
			  net_addr_print(&c.v6, false, v6));
}

static int remove_table(void)
{
	const char *why = "";

	if (run("table inet " FIREWALL_TABLE "\ndelete table inet " FIREWALL_TABLE "\n", &why) <
	    0) {
		printf("remove the NAT table: %s\n", why);
		return 1;
	}
	return 0;
}

/* The next line of text that has all words, copied to line. */
static const char *next_line(const char *text, char *line, size_t size)
{
	size_t n;

	if (!text || !*text)
		return NULL;
	n = strcspn(text, "\n");
	snprintf(line, size, "%.*s", (int)n, text);
	return text + n + (text[n] == '\n');
}

/* A base chain on the forward hook with policy drop is what ufw, Docker and firewalld put there. */
static int forward(const char *bridge)
{
	char line[512], table[128] = "", chain[128] = "";
	const char *out = NULL;
	bool ours = false, drops = false;

	if (run("list ruleset", &out) < 0)
		return 1;
	while ((out = next_line(out, line, sizeof(line)))) {
		char *s = str_strip(line);

		if (str_has_prefix(s, "table ")) {
			snprintf(table, sizeof(table), "%.*s", (int)strcspn(s + 6, "{"), s + 6);
			str_strip(table);
		} else if (str_has_prefix(s, "chain ")) {
			snprintf(chain, sizeof(chain), "%.*s", (int)strcspn(s + 6, " {"), s + 6);
		} else if (strstr(s, "hook forward") && strstr(s, "policy drop")) {
			drops = true;
		}
		ours |= strstr(s, bridge) && strstr(s, "accept");
	}
	if (!drops || ours)
		return 0;
	if (strstr(table, "ip") && access("/usr/sbin/ufw", X_OK) == 0)
		printf("a forward chain has the policy drop (ufw)\tufw route allow in on %s; "
		       "ufw route allow out on %s\n",
		       bridge, bridge);
	else
		printf("a forward chain has the policy drop (Docker or another firewall)\t"
		       "iptables -I FORWARD -i %s -j ACCEPT; iptables -I FORWARD -o %s -m "
		       "conntrack "
		       "--ctstate RELATED,ESTABLISHED -j ACCEPT (and the same with ip6tables)\n",
		       bridge, bridge);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && str_eq(argv[1], "ensure"))
		return ensure();
	if (argc == 2 && str_eq(argv[1], "try"))
		return make_table("nobody", "10.0.0.0/8", "fd00::/8");
	if (argc == 2 && str_eq(argv[1], "remove"))
		return remove_table();
	if (argc == 3 && str_eq(argv[1], "forward"))
		return forward(argv[2]);
	fprintf(stderr, "usage: lxmgr-nft ensure|try|remove|forward BRIDGE\n");
	return 64;
}
