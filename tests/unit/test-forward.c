/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules of other firewalls, and what is told about them. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/forward.h"
#include "util/cleanup.h"

static struct forward_query query = { .bridge = "lxmgrbr0", .has_iptables_nft = true };
static char *told;

static int setup(void **state)
{
	query.out4 = query.out6 = "eth0";
	assert_int_equal(net_addr_parse("10.64.0.1/20", AF_INET, &query.v4, NULL), 0);
	assert_int_equal(net_addr_parse("fd00:64::1/64", AF_INET6, &query.v6, NULL), 0);
	return 0;
}

/* What is told of nft's and iptables-legacy's rules; NULL for none of these. */
static const char *judge(const char *nft, const char *legacy4, const char *legacy6)
{
	cleanup_forward struct forward_rules rules = { 0 };
	struct strbuf out = { 0 };

	if (nft)
		assert_int_equal(forward_add_nft(&rules, nft), 0);
	if (legacy4)
		assert_int_equal(forward_add_legacy(&rules, AF_INET, legacy4), 0);
	if (legacy6)
		assert_int_equal(forward_add_legacy(&rules, AF_INET6, legacy6), 0);
	assert_int_equal(forward_judge(&rules, &query, &out), 0);
	free(told);
	told = strbuf_take(&out);
	return told;
}

/* The body of one chain on the forward hook, in a table for both families. */
static const char *chain(const char *policy, const char *body)
{
	static char text[4096];

	snprintf(text, sizeof(text),
		 "table inet filter {\n\tchain forward {\n"
		 "\t\ttype filter hook forward priority filter; policy %s;\n%s\t}\n}\n",
		 policy, body);
	return judge(text, NULL, NULL);
}

#define CHAIN "the nftables chain inet filter forward "
#define RULE  "nft insert rule inet filter forward "
#define OUT   RULE "iifname lxmgrbr0 accept"
#define BACK  RULE "oifname lxmgrbr0 ct state established,related accept"

static const char both[] = CHAIN "drops what lxmgrbr0 forwards\t" OUT "; " BACK "\n";
static const char out_only[] = CHAIN "drops what lxmgrbr0 forwards\t" OUT "\n";
static const char back_only[] = CHAIN "drops what lxmgrbr0 gets back\t" BACK "\n";

static void test_policy(void **state)
{
	assert_string_equal(judge("", "", ""), "");
	assert_string_equal(chain("accept", ""), "");
	assert_string_equal(chain("drop", ""), both);
	/* Another hook, another family of packets. */
	assert_string_equal(judge("table inet f {\nchain input {\ntype filter hook input priority "
				  "filter; policy drop;\n}\n}\n",
				  NULL, NULL),
			    "");
	assert_string_equal(judge("table bridge f {\nchain forward {\ntype filter hook forward "
				  "priority filter; policy drop;\n}\n}\n",
				  NULL, NULL),
			    "");
	/* One family only. */
	assert_string_equal(judge("table ip6 f {\nchain fw {\ntype filter hook forward priority "
				  "filter; policy drop;\n}\n}\n",
				  NULL, NULL),
			    "the nftables chain ip6 f fw drops what lxmgrbr0 forwards\tnft insert "
			    "rule ip6 f fw iifname lxmgrbr0 accept; nft insert rule ip6 f fw "
			    "oifname lxmgrbr0 ct state established,related accept\n");
}

static void test_rules(void **state)
{
	static const char ok[] =
		"ct state established,related accept\niifname \"lxmgrbr0\" accept\n";

	/* What the cure makes of it; and half of that. */
	assert_string_equal(chain("drop", ok), "");
	assert_string_equal(chain("drop", "ct state established,related accept\n"), out_only);
	assert_string_equal(chain("drop", "ct state { established, related } counter packets 1 "
					  "bytes 2 accept\n"),
			    out_only);
	assert_string_equal(chain("drop", "iifname \"lxmgrbr0\" accept\n"), back_only);
	/* Rejects at the end, or before what would let through. */
	assert_string_equal(chain("accept", "reject with icmpx admin-prohibited\n"),
			    CHAIN "rejects what lxmgrbr0 forwards\t" OUT "; " BACK "\n");
	assert_string_equal(chain("drop", "drop\nct state established accept\niifname \"lxmgrbr0\" "
					  "accept\n"),
			    both);
	assert_string_equal(chain("accept", "xt target \"REJECT\"\n"),
			    CHAIN "rejects what lxmgrbr0 forwards\t" OUT "; " BACK "\n");
	/* Others' interfaces and states. */
	assert_string_equal(chain("accept", "iifname \"docker0\" drop\noifname \"virbr0\" reject\n"
					    "ct state invalid drop\nct status dnat drop\n"
					    "iifname != \"eth0\" oifname \"docker0\" drop\n"),
			    "");
	assert_string_equal(chain("accept", "iifname { \"docker0\", \"lxmgrbr0\" } drop\n"),
			    out_only);
	assert_string_equal(chain("accept", "iifname \"lxmgr*\" drop\n"), out_only);
	assert_string_equal(chain("accept", "oifname != \"docker0\" ct state new drop\n"),
			    out_only);
	assert_string_equal(chain("accept", "iifname != { \"lo\", \"lxmgrbr0\" } ct state != new "
					    "drop\n"),
			    back_only);
	assert_string_equal(chain("drop", "iif \"lxmgrbr0\" oif \"eth0\" accept\n"
					  "iif \"eth0\" oif \"lxmgrbr0\" accept\n"),
			    "");
	/* A part of it only: nothing is let through in general, and nothing is dropped. */
	assert_string_equal(chain("drop", "iifname \"lxmgrbr0\" tcp dport 53 accept\n"
					  "ct state established accept\n"),
			    out_only);
	assert_string_equal(chain("accept", "tcp dport 25 drop\nlimit rate over 9/second drop\n"
					    "ip saddr @bad drop\nmeta l4proto icmp drop\n"),
			    "");
	/* What says nothing about the packet. */
	assert_string_equal(chain("drop", "counter packets 5 bytes 6 log prefix \"drop it \" level "
					  "info comment \"reject\"\nmeta mark set 0x00000001 "
					  "counter accept\n"),
			    "");
}

static void test_addresses(void **state)
{
	assert_string_equal(chain("drop", "ip saddr 10.64.0.0/20 accept\nip6 saddr fd00:64::/64 "
					  "accept\nip daddr 10.0.0.0/8 accept\n"
					  "ip6 daddr fd00::/8 accept\n"),
			    "");
	assert_string_equal(chain("accept", "ip saddr 192.0.2.0/24 drop\nip6 saddr 2001:db8::/32 "
					    "drop\nip saddr 10.64.0.7 drop\n"),
			    "");
	assert_string_equal(chain("accept", "ip saddr { 192.0.2.0/24, 10.64.0.0/16 } drop\n"),
			    out_only);
	assert_string_equal(chain("accept", "ip saddr != 10.64.0.0/16 ct state new drop\n"), "");
	assert_string_equal(chain("accept", "meta nfproto ipv6 iifname \"lxmgrbr0\" drop\n"),
			    out_only);
	assert_string_equal(chain("drop", "meta nfproto ipv4 accept\n"), both);
}

static void test_vmap(void **state)
{
	assert_string_equal(chain("drop", "ct state vmap { invalid : drop, established : accept, "
					  "related : accept }\niifname vmap { \"lo\" : accept, "
					  "\"lxmgrbr0\" : accept }\n"),
			    "");
	assert_string_equal(chain("accept", "ct state vmap { established : accept,\n\t\t\t  new : "
					    "drop }\n"),
			    out_only);
	assert_string_equal(chain("drop", "iifname . oifname { \"lxmgrbr0\" . \"eth0\",\n\t\t"
					  "\"eth0\" . \"lxmgrbr0\" } accept\n"),
			    "");
	assert_string_equal(chain("accept", "iifname . oifname { \"a\" . \"b\" } drop\n"), "");
	/* Jumps out of a map. */
	assert_string_equal(judge("table inet f {\n\tset s {\n\t\ttype ipv4_addr\n\t\telements = { "
				  "10.0.0.1,\n\t\t\t     10.0.0.2 }\n\t}\n\n\tchain lx {\n\t\t"
				  "reject\n\t}\n\n\tchain fw {\n\t\ttype filter hook forward "
				  "priority 0; policy accept;\n\t\tiifname vmap { \"lxmgrbr0\" : "
				  "goto lx }\n\t}\n}\n",
				  NULL, NULL),
			    "the nftables chain inet f fw rejects what lxmgrbr0 forwards\tnft "
			    "insert rule inet f fw iifname lxmgrbr0 accept\n");
}

static void test_jumps(void **state)
{
	static const char text[] = "table inet f {\n"
				   "chain a {\n%s\n}\n"
				   "chain b {\n%s\n}\n"
				   "chain forward {\n"
				   "type filter hook forward priority filter; policy drop;\n"
				   "ct state established accept\n%s\n}\n}\n";
	static const struct {
		const char *a, *b, *top;
		bool drops;
	} cases[] = {
		{ "accept", "", "jump a", false },
		{ "return\naccept", "", "jump a", true },
		{ "jump b", "accept", "jump a", false },
		{ "goto b", "return", "jump a\naccept", false },
		{ "goto b", "return", "goto a\naccept", true },
		{ "iifname \"docker0\" accept", "", "jump a", true },
		{ "iifname \"lxmgrbr0\" goto b\ndrop", "accept", "jump a", false },
		{ "drop", "", "tcp dport 80 jump a\naccept", false },
		{ "accept", "", "tcp dport 80 jump a", true },
		{ "", "", "jump nowhere\naccept", false },
		/* The kernel refuses loops: what is told of one does not matter, but it ends. */
		{ "jump b", "jump a", "jump a", false },
		{ "jump a\njump a", "jump b\njump b", "jump a\njump b", false },
	};
	char buf[1024];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(buf, sizeof(buf), text, cases[i].a, cases[i].b, cases[i].top);
		assert_int_equal(!!*judge(buf, NULL, NULL), cases[i].drops);
	}
}

/* Without a default route nobody knows the other interface. */
static void test_no_uplink(void **state)
{
	query.out4 = query.out6 = "";
	assert_string_equal(chain("drop", "iifname \"lxmgrbr0\" oifname \"wan\" accept\n"
					  "iifname \"wan\" oifname \"lxmgrbr0\" accept\n"),
			    "");
	assert_string_equal(chain("accept", "oifname \"wan\" drop\niifname \"wan\" drop\n"), "");
	assert_string_equal(chain("drop", "oifname != \"lxmgrbr0\" accept\noifname \"lxmgrbr0\" ct "
					  "state established accept\n"),
			    "");
	setup(NULL);
}

#define IPTABLES_TOP(family) \
	"table " family      \
	" filter {\nchain FORWARD {\ntype filter hook forward priority filter; policy drop;\n"

static void test_iptables_nft(void **state)
{
	static const char v4[] = IPTABLES_TOP("ip") "}\n}\n";

	assert_string_equal(judge(v4, NULL, NULL),
			    "FORWARD of iptables drops what lxmgrbr0 forwards (IPv4)\tiptables-nft "
			    "-I FORWARD -i lxmgrbr0 -j ACCEPT; iptables-nft -I FORWARD -o lxmgrbr0 "
			    "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n");
	/* Nobody can type that: nft's own words. */
	query.has_iptables_nft = false;
	assert_non_null(
		strstr(judge(v4, NULL, NULL), "\tnft insert rule ip filter FORWARD iifname "));
	query.has_iptables_nft = true;
	assert_string_equal(
		judge(IPTABLES_TOP("ip") "counter packets 0 bytes 0 accept\n}\n}\n", NULL, NULL),
		"");
	assert_string_equal(judge(IPTABLES_TOP("ip6") "}\n}\n", NULL, NULL),
			    "FORWARD of iptables drops what lxmgrbr0 forwards (IPv6)\t"
			    "ip6tables-nft -I FORWARD -i lxmgrbr0 -j ACCEPT; ip6tables-nft -I "
			    "FORWARD -o lxmgrbr0 -m conntrack --ctstate RELATED,ESTABLISHED -j "
			    "ACCEPT\n");
}

/* As each of them sets it up, what does not matter here left out. */
#define UFW(family, u)                                                                \
	IPTABLES_TOP(family)                                                          \
	"counter packets 1 bytes 60 jump " u "-before-forward\n"                      \
	"counter packets 1 bytes 60 jump " u "-reject-forward\n}\n"                   \
	"chain " u "-before-forward {\n"                                              \
	"ct state related,established counter packets 0 bytes 0 accept\n"             \
	"meta l4proto icmp icmp type echo-request counter packets 0 bytes 0 accept\n" \
	"counter packets 1 bytes 60 jump " u "-user-forward\n}\n"                     \
	"chain " u "-reject-forward {\n}\n"                                           \
	"chain " u "-user-forward {\n%s}\n}\n"

static void test_ufw(void **state)
{
	static const char format[] = UFW("ip", "ufw") UFW("ip6", "ufw6");
	static const char rule[] = "iifname \"lxmgrbr0\" counter packets 0 bytes 0 accept\n";
	char text[4096];

	snprintf(text, sizeof(text), format, "", "");
	assert_string_equal(judge(text, NULL, NULL),
			    "ufw drops what lxmgrbr0 forwards\tufw route allow in on lxmgrbr0\n");
	snprintf(text, sizeof(text), format, rule, rule);
	assert_string_equal(judge(text, NULL, NULL), "");
}

static void test_docker(void **state)
{
	static const char format[] = IPTABLES_TOP(
		"ip") "counter packets 1 bytes 60 jump DOCKER-USER\n"
		      "counter packets 1 bytes 60 jump DOCKER-ISOLATION-STAGE-1\n"
		      "oifname \"docker0\" ct state related,established counter packets 0 bytes 0 "
		      "accept\n"
		      "oifname \"docker0\" counter packets 0 bytes 0 jump DOCKER\n"
		      "iifname \"docker0\" oifname != \"docker0\" counter packets 0 bytes 0 "
		      "accept\n"
		      "iifname \"docker0\" oifname \"docker0\" counter packets 0 bytes 0 "
		      "accept\n}\n"
		      "chain DOCKER-ISOLATION-STAGE-1 {\n"
		      "iifname \"docker0\" oifname != \"docker0\" counter jump "
		      "DOCKER-ISOLATION-STAGE-2\n"
		      "counter packets 1 bytes 60 return\n}\n"
		      "chain DOCKER-ISOLATION-STAGE-2 {\n"
		      "oifname \"docker0\" counter drop\ncounter return\n}\n"
		      "chain DOCKER {\n}\nchain DOCKER-USER {\n%scounter return\n}\n}\n";
	char text[4096];

	snprintf(text, sizeof(text), format, "");
	assert_string_equal(judge(text, NULL, NULL),
			    "the rules of Docker drop what lxmgrbr0 forwards (IPv4)\tiptables-nft "
			    "-I DOCKER-USER -i lxmgrbr0 -j ACCEPT; iptables-nft -I DOCKER-USER -o "
			    "lxmgrbr0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n");
	snprintf(text, sizeof(text), format, "iifname \"lxmgrbr0\" counter accept\n");
	assert_string_equal(judge(text, NULL, NULL),
			    "the rules of Docker drop what lxmgrbr0 gets back (IPv4)\tiptables-nft "
			    "-I DOCKER-USER -o lxmgrbr0 -m conntrack --ctstate "
			    "RELATED,ESTABLISHED -j ACCEPT\n");
	snprintf(text, sizeof(text), format,
		 "oifname \"lxmgrbr0\" ct state related,established counter accept\n"
		 "iifname \"lxmgrbr0\" counter accept\n");
	assert_string_equal(judge(text, NULL, NULL), "");
}

#define FIREWALLD_CURE                                                                       \
	"firewalld rejects what lxmgrbr0 forwards\tfirewall-cmd --permanent --zone=trusted " \
	"--change-interface=lxmgrbr0 && firewall-cmd --reload\n"

static void test_firewalld(void **state)
{
	static const char format[] =
		"table inet firewalld { # progname firewalld\n\tchain filter_FORWARD {\n"
		"type filter hook forward priority filter + 10; policy accept;\n"
		"ct state { established, related } accept\nct status dnat accept\n"
		"iifname \"lo\" accept\nct state invalid drop\n"
		"ip6 daddr { ::/96, ::ffff:0.0.0.0/96, 2002::/24 } reject with icmpv6 "
		"addr-unreachable\njump filter_FORWARD_ZONES\n"
		"reject with icmpx admin-prohibited\n}\n"
		"chain filter_FORWARD_ZONES {\n%sgoto filter_FWD_public\n}\n"
		"chain filter_FWD_public {\nreject with icmpx admin-prohibited\n}\n"
		"chain filter_FWD_trusted {\naccept\n}\n}\n";
	static const char over_iptables[] =
		"table ip filter {\nchain FORWARD {\n"
		"type filter hook forward priority filter; policy accept;\n"
		"ct status dnat counter packets 0 bytes 0 accept\njump FORWARD_direct\n%s"
		"counter packets 0 bytes 0 reject with icmp type host-prohibited\n}\n"
		"chain FORWARD_direct {\n}\n}\n";
	char text[4096];

	snprintf(text, sizeof(text), format, "");
	assert_string_equal(judge(text, NULL, NULL), FIREWALLD_CURE);
	snprintf(text, sizeof(text), format, "iifname \"lxmgrbr0\" goto filter_FWD_trusted\n");
	assert_string_equal(judge(text, NULL, NULL), "");
	snprintf(text, sizeof(text), over_iptables, "");
	assert_string_equal(judge(text, NULL, NULL), FIREWALLD_CURE);
	snprintf(text, sizeof(text), over_iptables, "iifname \"lxmgrbr0\" accept\n");
	assert_string_equal(judge(text, NULL, NULL), "");
}

#define LEGACY "# Generated\n*nat\n:FORWARD DROP [0:0]\nCOMMIT\n*filter\n:INPUT DROP [0:0]\n"

static void test_legacy(void **state)
{
	static const struct {
		const char *rules;
		bool out, back;
	} cases[] = {
		{ "", true, true },
		{ "-A FORWARD -i lxmgrbr0 -j ACCEPT\n", false, true },
		{ "-A FORWARD -o lxmgrbr0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n",
		  true, false },
		{ "-A FORWARD ! -i eth0 -j ACCEPT\n-A FORWARD -m state --state ESTABLISHED -j "
		  "ACCEPT\n",
		  false, false },
		{ "-A FORWARD -m comment --comment \"-j ACCEPT, all\" -i lxmgr+ -j ACCEPT\n"
		  "-A FORWARD ! -o eth0 -m comment --comment \"-p tcp\" -j ACCEPT\n",
		  false, false },
		{ "-A FORWARD -s 10.64.0.0/16 -j ACCEPT\n-A FORWARD -d 10.64.0.0/20 -j ACCEPT\n",
		  false, false },
		{ "-A FORWARD -p tcp -j ACCEPT\n-A FORWARD -m limit --limit 3/min -j ACCEPT\n",
		  true, true },
		{ "-A FORWARD -j LOG --log-prefix \"DROP \"\n-A FORWARD -j own\n", false, false },
		{ "-A FORWARD -j REJECT --reject-with icmp-port-unreachable\n-A FORWARD -j own\n",
		  true, true },
		{ "-A FORWARD -i lxmgrbr0 -g own\n-A FORWARD -j ACCEPT\n", false, false },
		{ "-A FORWARD -i Lxmgrbr0 -j ACCEPT\n", true, true },
	};
	char text[1024];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *t;

		snprintf(text, sizeof(text),
			 LEGACY ":FORWARD DROP [0:0]\n:own - [0:0]\n-A own -j ACCEPT\n%sCOMMIT\n",
			 cases[i].rules);
		t = judge(NULL, text, NULL);
		assert_int_equal(!!strstr(t, "-I FORWARD -i lxmgrbr0 "), cases[i].out);
		assert_int_equal(!!strstr(t, "-I FORWARD -o lxmgrbr0 "), cases[i].back);
	}
	assert_string_equal(
		judge(NULL, LEGACY ":FORWARD DROP [0:0]\nCOMMIT\n",
		      LEGACY
		      ":FORWARD ACCEPT [0:0]\n:DOCKER-USER - [0:0]\n-A FORWARD -i lxmgrbr0 -j "
		      "REJECT\nCOMMIT\n"),
		"FORWARD of iptables-legacy drops what lxmgrbr0 forwards (IPv4)\tiptables-legacy "
		"-I "
		"FORWARD -i lxmgrbr0 -j ACCEPT; iptables-legacy -I FORWARD -o lxmgrbr0 -m "
		"conntrack "
		"--ctstate RELATED,ESTABLISHED -j ACCEPT\n"
		"the rules of Docker drop what lxmgrbr0 forwards (IPv6)\tip6tables-legacy -I "
		"DOCKER-USER -i lxmgrbr0 -j ACCEPT\n");
}

/* Text that no tool prints: it ends, and nothing is read outside of it. */
static void test_broken(void **state)
{
	static const char *const texts[] = {
		"table",
		"table inet",
		"table inet f {",
		"table inet f {\nchain",
		"table inet f {\nchain c {",
		"chain c {\ntype filter hook forward priority 0; policy drop;\n",
		"table inet f {\nchain c {\ntype filter hook",
		"table inet f {\nchain c {\nct state { a, {\n\n",
		"table inet f {\nchain c {\niifname \"unended\n}\n",
		"}}}}\n{{{{\n",
	};
	static const char *const rules[] = { "iifname",
					     "iifname vmap",
					     "iifname vmap {",
					     "ct",
					     "ct state",
					     "jump",
					     "log prefix",
					     "ip",
					     "iifname vmap { \"lxmgrbr0\" : jump",
					     "/* open",
					     "counter packets",
					     "xt target",
					     "meta mark set",
					     "iifname . {",
					     "iifname \"\"",
					     "ip saddr /" };
	cleanup_strbuf struct strbuf b = { 0 };
	char line[128];

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		judge(texts[i], texts[i], texts[i]);
		assert_string_equal(told, "");
	}
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		snprintf(line, sizeof(line), "%s\n", rules[i]);
		assert_string_equal(chain("accept", line), "");
	}
	/* A rule of a thousand words lets nothing through that it may not. */
	strbuf_addf(&b, "table ip f {\nchain c {\ntype filter hook forward priority 0; policy "
			"drop;\n ip saddr {");
	for (int i = 0; i < 1000; i++)
		strbuf_addf(&b, " 192.0.2.%d,", i % 256);
	strbuf_addf(&b, " } accept\n}\n}\n");
	assert_true(*judge(b.s, NULL, NULL) != '\0');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy),	     cmocka_unit_test(test_rules),
		cmocka_unit_test(test_addresses),    cmocka_unit_test(test_vmap),
		cmocka_unit_test(test_jumps),	     cmocka_unit_test(test_no_uplink),
		cmocka_unit_test(test_iptables_nft), cmocka_unit_test(test_ufw),
		cmocka_unit_test(test_docker),	     cmocka_unit_test(test_firewalld),
		cmocka_unit_test(test_legacy),	     cmocka_unit_test(test_broken),
	};
	int r = cmocka_run_group_tests(tests, setup, NULL);

	free(told);
	return r;
}
