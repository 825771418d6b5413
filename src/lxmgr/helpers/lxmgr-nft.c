/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nftables by libnftables, in a program of its own. Not for users.
 *
 *	lxmgr-nft ensure		make the NAT table of the managed bridge if it is not there
 *	lxmgr-nft try			make one like it, to see whether it can be made
 *	lxmgr-nft remove
 *	lxmgr-nft forward BRIDGE	print who drops what BRIDGE forwards, a tab, the cure
 */
#include <errno.h>
#include <fcntl.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/firewall.h"
#include "kernel/forward.h"
#include "kernel/natquery.h"
#include "net/net.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/file.h"
#include "util/paths.h"
#include "util/run.h"
#include "util/str.h"

static int run(const char *commands, const char **ret_out)
{
	static struct nft_ctx *nft;
	int r;

	if (!nft)
		nft = nft_ctx_new(NFT_CTX_DEFAULT);
	/* Neither counters nor the elements of sets, of which there may be a million. */
	if (nft)
		nft_ctx_output_set_flags(nft, NFT_CTX_OUTPUT_STATELESS | NFT_CTX_OUTPUT_TERSE);
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

/* The interface of the default route: by it containers reach the rest of the world. */
static void default_interface(int family, char ret[IFNAMSIZ])
{
	cleanup_file FILE *f =
		fopen(family == AF_INET ? "/proc/net/route" : "/proc/net/ipv6_route", "re");
	char line[512], dest[40], bits[10], name[IFNAMSIZ];

	*ret = '\0';
	while (f && !*ret && fgets(line, sizeof(line), f)) {
		if (family == AF_INET) {
			if (sscanf(line, "%15s %39s %*s %*s %*s %*s %*s %9s", name, dest, bits) !=
			    3)
				continue;
		} else if (sscanf(line, "%39s %9s %*s %*s %*s %*s %*s %*s %*s %15s", dest, bits,
				  name) != 3) {
			continue;
		}
		if (!dest[strspn(dest, "0")] && !bits[strspn(bits, "0")] && !str_eq(name, "lo"))
			snprintf(ret, IFNAMSIZ, "%s", name);
	}
}

/* iptables-legacy has tables of its own that nft does not show. It is asked only where the kernel
 * has one: asking would make it. */
static int add_legacy(struct forward_rules *rules, int family)
{
	const char *names =
		family == AF_INET ? "/proc/net/ip_tables_names" : "/proc/net/ip6_tables_names";
	const char *tool = family == AF_INET ? "iptables-legacy-save" : "ip6tables-legacy-save";
	const char *argv[] = { tool, "-t", "filter", NULL };
	cleanup_free char *have = NULL, *out = NULL;
	struct run_opts o = RUN_OPTS_INIT;

	if (read_file_at(AT_FDCWD, names, 4096, &have, NULL) < 0 || !strstr(have, "filter\n"))
		return 0;
	o.capture = 16 << 20;
	o.timeout_ms = 10000;
	if (run_program(argv, &o, &out) != 0) {
		printf("the tables of iptables-legacy cannot be read\tapt install iptables\n");
		return 0;
	}
	return forward_add_legacy(rules, family, out);
}

static int forward(const char *bridge)
{
	char out4[IFNAMSIZ], out6[IFNAMSIZ];
	struct forward_query q = { .bridge = bridge, .out4 = out4, .out6 = out6 };
	cleanup_forward struct forward_rules rules = { 0 };
	cleanup_strbuf struct strbuf found = { 0 };
	struct bridge_conf c;
	const char *out = "";

	default_interface(AF_INET, out4);
	default_interface(AF_INET6, out6);
	q.has_iptables_nft = run_has_program("iptables-nft");
	if (bridge_conf_read(&c, NULL) == 0) {
		q.v4 = c.v4;
		q.v6 = c.v6;
	}
	/* Where the kernel has no nftables nobody drops by them. */
	if (firewall_nat_look() >= 0 &&
	    (run("list ruleset", &out) < 0 || forward_add_nft(&rules, out) < 0)) {
		printf("the rules of nftables cannot be read: %s\n", out);
		return 1;
	}
	if (add_legacy(&rules, AF_INET) < 0 || add_legacy(&rules, AF_INET6) < 0 ||
	    forward_judge(&rules, &q, &found) < 0)
		return 1;
	printf("%s", found.s ? found.s : "");
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
