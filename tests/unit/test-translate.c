/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Configs of other managers, as they are found on hosts, and such as somebody hostile writes. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "container/translate.h"
#include "util/err.h"

typedef int translator(const char *text, size_t len, const struct translate_how *how,
		       struct translated *ret, struct lxmgr_err *err);

static struct translated t;

static void run(translator *fn, const char *text, bool trust)
{
	const struct translate_how how = { "their.conf", "101", trust };
	struct lxmgr_err err = { 0 };
	struct config c;

	translated_free(&t);
	if (fn(text, strlen(text), &how, &t, &err) < 0)
		fail_msg("%s", err.text);
	/* What comes out is a config that is taken. */
	config_init(&c);
	if (config_read_text(&c, t.lines, strlen(t.lines), "it", &err) < 0 ||
	    config_check(&c, "web", &err) < 0)
		fail_msg("%s\n%s", err.text, t.lines);
	config_free(&c);
}

static bool has_line(const char *line)
{
	size_t n = strlen(line);

	for (const char *p = t.lines; (p = strstr(p, line)); p++)
		if ((p == t.lines || p[-1] == '\n') && p[n] == '\n')
			return true;
	return false;
}

static void wants(const char *const *lines)
{
	for (; *lines; lines++)
		if (!has_line(*lines))
			fail_msg("no line '%s' in\n%s", *lines, t.lines);
}

static bool noted(const char *text)
{
	for (size_t i = 0; i < t.notes.n; i++)
		if (strstr(t.notes.v[i], text))
			return true;
	return false;
}

static void says(const char *const *texts)
{
	for (; *texts; texts++)
		if (!noted(*texts)) {
			for (size_t i = 0; i < t.notes.n; i++)
				print_message("note: %s\n", t.notes.v[i]);
			fail_msg("no note '%s'", *texts);
		}
}

static void lacks(const char *const *texts)
{
	for (; *texts; texts++)
		if (strstr(t.lines, *texts))
			fail_msg("'%s' is in\n%s", *texts, t.lines);
}

#define WANTS(...) wants((const char *const[]){ __VA_ARGS__, NULL })
#define SAYS(...)  says((const char *const[]){ __VA_ARGS__, NULL })
#define LACKS(...) lacks((const char *const[]){ __VA_ARGS__, NULL })

/* As lxc-create -t download makes one on Debian 12, with some lines of an administrator's. */
static const char lxc5[] =
	"# Template used to create this container: /usr/share/lxc/templates/lxc-download\n"
	"# Parameters passed to the template: -d debian -r bookworm -a amd64\n"
	"\n"
	"lxc.include = /usr/share/lxc/config/common.conf\n"
	"lxc.include = /usr/share/lxc/config/userns.conf\n"
	"lxc.arch = linux64\n"
	"lxc.idmap = u 0 100000 65536\n"
	"lxc.idmap = g 0 100000 65536\n"
	"lxc.apparmor.profile = generated\n"
	"lxc.apparmor.allow_nesting = 1\n"
	"lxc.rootfs.path = dir:/var/lib/lxc/web/rootfs\n"
	"lxc.uts.name = web\n"
	"lxc.net.0.type = veth\n"
	"lxc.net.0.hwaddr = 00:16:3e:12:34:56\n"
	"lxc.net.0.link = lxcbr0\n"
	"lxc.net.0.flags = up\n"
	"lxc.net.0.ipv4.address = 10.0.3.20/24\n"
	"lxc.net.0.ipv4.gateway = 10.0.3.1\n"
	"lxc.net.0.veth.pair = vethweb\n"
	"lxc.start.auto = 1\n"
	"lxc.start.delay = 5\n"
	"lxc.group = onboot\n"
	"lxc.cgroup2.memory.max = 512M\n"
	"lxc.cgroup2.cpu.max = 150000 100000\n"
	"lxc.cgroup2.devices.allow = c 10:229 rwm\n"
	"lxc.mount.entry = /srv/www srv/www none bind,create=dir 0 0\n"
	"lxc.mount.entry = tmpfs tmp tmpfs size=64m 0 0\n"
	"lxc.hook.mount = /usr/share/lxcfs/lxc.mount.hook\n"
	"lxc.hook.pre-start = /root/bin/never-there\n"
	"lxc.environment = LANG=C.UTF-8\n";

static void test_lxc(void **state)
{
	run(translate_lxc, lxc5, false);
	WANTS("lxmgr.arch = linux64", "lxmgr.uts.name = web", "lxmgr.net.0.type = veth",
	      "lxmgr.net.0.hwaddr = 00:16:3e:12:34:56", "lxmgr.net.0.link = lxcbr0",
	      "lxmgr.net.0.ipv4.address = 10.0.3.20/24", "lxmgr.net.0.ipv4.gateway = 10.0.3.1",
	      "lxmgr.start.auto = 1", "lxmgr.start.delay = 5", "lxmgr.group = onboot",
	      "lxmgr.limit.memory = 536870912", "lxmgr.limit.cpus = 1.500",
	      "lxmgr.environment.runtime = LANG=C.UTF-8");
	LACKS("hook", "/srv/www", "apparmor", "idmap", "rootfs", "vethweb", "10:229", "include");
	SAYS("their.conf:26: mount.entry is left out: it gives '/srv/www'",
	     "their.conf:29: hook.pre-start", "their.conf:25: cgroup2.devices.allow");
	assert_non_null(strstr(t.lines, "mount.entry = tmpfs tmp tmpfs"));
	assert_string_equal(t.root, "dir:/var/lib/lxc/web/rootfs");
	assert_int_equal(idmap_uid_out(&t.ids, 33), 100033);
	assert_int_equal(idmap_gid_out(&t.ids, 0), 100000);
	assert_false(noted("lxcfs"));
	assert_false(noted("no user namespace"));
}

static void test_lxc_trusted(void **state)
{
	run(translate_lxc, lxc5, true);
	WANTS("lxmgr.environment = LANG=C.UTF-8", "lxmgr.cgroup2.devices.allow = c 10:229 rwm");
	assert_non_null(strstr(t.lines, "lxmgr.mount.entry = /srv/www srv/www none bind"));
	LACKS("hook", "idmap", "rootfs.path");
	SAYS("there is no program '/root/bin/never-there' here");
	run(translate_lxc,
	    "lxc.hook.pre-start = /bin/sh -c x\nlxc.net.0.type = phys\n"
	    "lxc.net.0.link = eth9\n",
	    true);
	WANTS("lxmgr.hook.pre-start = /bin/sh -c x", "lxmgr.net.0.type = phys");
}

/* LXC 1.0 and 2.0, as Ubuntu 14.04 and 16.04 have them. */
static void test_lxc_legacy(void **state)
{
	run(translate_lxc,
	    "lxc.include = /usr/share/lxc/config/ubuntu.common.conf\n"
	    "lxc.rootfs = /var/lib/lxc/old/rootfs\n"
	    "lxc.rootfs.backend = dir\n"
	    "lxc.mount = /var/lib/lxc/old/fstab\n"
	    "lxc.utsname = old\n"
	    "lxc.arch = amd64\n"
	    "lxc.tty = 4\n"
	    "lxc.pts = 1024\n"
	    "lxc.devttydir = lxc\n"
	    "lxc.id_map = u 0 165536 65536\n"
	    "lxc.id_map = g 0 165536 65536\n"
	    "lxc.aa_profile = lxc-container-default\n"
	    "lxc.network.type = veth\n"
	    "lxc.network.flags = up\n"
	    "lxc.network.link = lxcbr0\n"
	    "lxc.network.ipv4 = 10.0.3.5/24 10.0.3.255\n"
	    "lxc.network.ipv4.gateway = auto\n"
	    "lxc.network.type = veth\n"
	    "lxc.network.name = eth1\n"
	    "lxc.network.ipv6 = 2001:db8::5/64\n"
	    "lxc.network.script.up = /root/up\n"
	    "lxc.cgroup.memory.limit_in_bytes = 256M\n"
	    "lxc.cgroup.memory.memsw.limit_in_bytes = 384M\n"
	    "lxc.cgroup.cpu.shares = 512\n"
	    "lxc.cgroup.cpuset.cpus = 0-1\n"
	    "lxc.cgroup.devices.deny = a\n"
	    "lxc.cgroup.devices.allow = c 1:3 rwm\n"
	    "lxc.limit.nofile = 4096\n"
	    "lxc.cap.drop = sys_module mac_admin\n"
	    "lxc.haltsignal = SIGPWR\n"
	    "lxc.kmsg = 0\n",
	    false);
	WANTS("lxmgr.uts.name = old", "lxmgr.tty.max = 4", "lxmgr.pty.max = 1024",
	      "lxmgr.net.0.type = veth", "lxmgr.net.0.ipv4.address = 10.0.3.5/24 10.0.3.255",
	      "lxmgr.net.0.ipv4.gateway = auto", "lxmgr.net.1.type = veth",
	      "lxmgr.net.1.name = eth1", "lxmgr.net.1.ipv6.address = 2001:db8::5/64",
	      "lxmgr.limit.memory = 268435456", "lxmgr.limit.swap = 134217728",
	      "lxmgr.limit.cpu.weight = 50", "lxmgr.prlimit.nofile = 4096:4096",
	      "lxmgr.signal.halt = SIGPWR");
	LACKS("script", "cpuset", "devices", "fstab", "autodev");
	SAYS("mount.fstab = /var/lib/lxc/old/fstab is left out", "script.up = /root/up is left out",
	     "cgroup.cpuset.cpus = 0-1 is left out");
	assert_int_equal(idmap_uid_out(&t.ids, 0), 165536);
	assert_int_equal(t.notes.n, 3);
}

static void test_lxc_hostile(void **state)
{
	run(translate_lxc,
	    "lxc.mount.entry = / host none bind 0 0\n"
	    "lxc.hook.start-host = /bin/sh -c evil\n"
	    "lxc.cap.keep = sys_admin sys_module\n"
	    "lxc.apparmor.profile = unconfined\n"
	    "lxc.namespace.keep = net user\n"
	    "lxc.namespace.share.net = 1\n"
	    "lxc.console.logfile = /etc/cron.d/x\n"
	    "lxc.log.file = /etc/cron.d/y\n"
	    "lxc.seccomp.profile = /etc/shadow\n"
	    "lxc.include = /etc/shadow\n"
	    "lxc.proc.oom_score_adj = -1000\n"
	    "lxc.cgroup2.devices.allow = b 8:0 rwm\n"
	    "lxc.environment = PATH\n"
	    "lxc.environment.hooks = LD_PRELOAD=/x\n"
	    "lxc.ephemeral = 1\n"
	    "lxc.net.0.type = phys\n"
	    "lxc.net.0.link = eth0\n"
	    "lxc.net.0.ipv4.address = 10.9.9.9/24\n"
	    "lxc.net.0.ipv4.gateway = 10.9.9.1\n"
	    "lxc.net.1.type = veth\n"
	    "lxc.net.1.veth.ipv4.route = 0.0.0.0/0\n"
	    "lxc.net.99999.type = veth\n"
	    "lxc.net.2.type = none\n"
	    "lxc.rootfs.options = idmap=container,ro\n"
	    "lxc.idmap = u 0 4294967295 9\n"
	    "lxc.description = a\tb\n"
	    "lxmgr.lxcfs = 0\n"
	    "not a line\n"
	    "\xff\xfe = 1\n",
	    false);
	LACKS("mount", "hook", "cap", "apparmor", "namespace", "console", "log", "seccomp", "proc",
	      "devices", "environment", "ephemeral", "route", "phys", "none", "eth0", "10.9.9",
	      "rootfs", "idmap", "lxcfs", "99999");
	WANTS("lxmgr.net.0.type = veth", "lxmgr.net.1.type = veth", "lxmgr.net.2.type = veth");
	SAYS("one of type phys takes a part of the host's network", "include = /etc/shadow",
	     "idmap = u 0", "'not a line'", "no valid UTF-8", "environment = PATH");
	assert_true(idmap_is_none(&t.ids));
}

static const char pct8[] =
	"#Web server of the shop\n"
	"#  on call%3A 100%25 B%C3%A4r\n"
	"arch: amd64\n"
	"cores: 4\n"
	"cpulimit: 1.5\n"
	"cpuunits: 200\n"
	"features: nesting=1,keyctl=1,mount=nfs;cifs\n"
	"hostname: shop.example.com\n"
	"memory: 2048\n"
	"mp0: local-lvm:vm-101-disk-1,mp=/srv/data,backup=1,size=32G\n"
	"mp1: /tank/media,mp=/media,ro=1\n"
	"mp2: tank:subvol-101-disk-2,mp=/scratch,size=8G\n"
	"nameserver: 1.1.1.1 2606:4700:4700::1111\n"
	"net0: name=eth0,bridge=vmbr0,firewall=1,gw=192.168.7.1,gw6=fe80::1,"
	"hwaddr=BC:24:11:0A:0B:0C,ip=192.168.7.50/24,ip6=2001:db8:7::50/64,mtu=1400,rate=12.5,"
	"tag=7,type=veth\n"
	"net1: name=eth1,bridge=vmbr1,hwaddr=BC:24:11:0A:0B:0D,ip=dhcp,ip6=auto,link_down=1,"
	"type=veth\n"
	"onboot: 1\n"
	"ostype: debian\n"
	"protection: 1\n"
	"rootfs: local-lvm:vm-101-disk-0,size=8G\n"
	"searchdomain: example.com\n"
	"startup: order=2,up=30,down=90\n"
	"swap: 512\n"
	"tags: shop;web\n"
	"tty: 2\n"
	"unprivileged: 1\n"
	"unused0: local-lvm:vm-101-disk-9\n"
	"lxc.cgroup2.devices.allow: c 226:0 rwm\n"
	"\n"
	"[before-upgrade]\n"
	"#snapshot\n"
	"arch: amd64\n"
	"hostname: never\n"
	"memory: 1\n"
	"snaptime: 1700000000\n"
	"net9: name=eth9,bridge=vmbr9,type=veth\n";

static void test_pct(void **state)
{
	run(translate_pct, pct8, false);
	WANTS("lxmgr.arch = amd64", "lxmgr.uts.name = shop.example.com",
	      "lxmgr.limit.memory = 2147483648", "lxmgr.limit.swap = 536870912",
	      "lxmgr.limit.cpus = 1.500", "lxmgr.limit.cpu.weight = 200",
	      "lxmgr.features = nesting", "lxmgr.nameserver = 1.1.1.1", "lxmgr.net.0.type = veth",
	      "lxmgr.net.0.name = eth0", "lxmgr.net.0.link = vmbr0", "lxmgr.net.0.flags = up",
	      "lxmgr.net.0.hwaddr = bc:24:11:0a:0b:0c", "lxmgr.net.0.mtu = 1400",
	      "lxmgr.net.0.veth.vlan.id = 7", "lxmgr.net.0.rate.in = 100mbit",
	      "lxmgr.net.0.rate.out = 100mbit", "lxmgr.net.0.ipv4.address = 192.168.7.50/24",
	      "lxmgr.net.0.ipv4.gateway = 192.168.7.1",
	      "lxmgr.net.0.ipv6.address = 2001:db8:7::50/64", "lxmgr.net.0.ipv6.gateway = fe80::1",
	      "lxmgr.net.1.name = eth1", "lxmgr.start.auto = 1", "lxmgr.start.order = 999999",
	      "lxmgr.start.delay = 30", "lxmgr.stop.timeout = 90000ms", "lxmgr.tty.max = 2",
	      "lxmgr.protect = 1", "lxmgr.tag = shop", "lxmgr.tag = web");
	assert_non_null(strstr(t.lines, "Web server of the shop"));
	assert_non_null(strstr(t.lines, "on call: 100% B\xc3\xa4r"));
	LACKS("net.1.flags", "net.1.ipv4", "never", "net.9", "/tank/media", "226:0", "idmap");
	SAYS("mount=nfs;cifs", "mp0: the volume", "mp1 is left out: it gives '/tank/media'",
	     "lxmgr.mount.entry = /tank/media media none bind,create=dir,ro", "mp2 is left out",
	     "firewall", "searchdomain", "unused0",
	     "lxc.cgroup2.devices.allow = c 226:0 rwm is left out");
	assert_int_equal(idmap_uid_out(&t.ids, 0), 100000);
	assert_int_equal(idmap_gid_out(&t.ids, 65535), 165535);
	assert_string_equal(t.name, "shop");
}

static void test_pct_maps(void **state)
{
	/* One id of the host's in the middle, as the wiki shows it. */
	run(translate_pct,
	    "arch: i386\nhostname: m\nunprivileged: 1\n"
	    "lxc.idmap: u 0 100000 1005\nlxc.idmap: g 0 100000 1005\n"
	    "lxc.idmap = u 1005 1005 1\nlxc.idmap = g 1005 1005 1\n"
	    "lxc.idmap: u 1006 101006 64530\nlxc.idmap: g 1006 101006 64530\n",
	    false);
	WANTS("lxmgr.arch = i686");
	assert_int_equal(idmap_uid_out(&t.ids, 1005), 1005);
	assert_int_equal(idmap_uid_out(&t.ids, 1006), 101006);
	run(translate_pct,
	    "arch: amd64\nhostname: p\nnet0: name=eth0,bridge=vmbr0,"
	    "gw=172.31.1.1,ip=203.0.113.9/32,type=veth\n",
	    false);
	assert_true(idmap_is_none(&t.ids));
	SAYS("it had no user namespace", "172.31.1.1 lies in none of the interface's networks");
	WANTS("lxmgr.net.0.ipv4.gateway = dev");
}

static void test_pct_hostile(void **state)
{
	run(translate_pct,
	    "arch: amd64\nhostname: a b; reboot\nmemory: 99999999999999999999\n"
	    "cores: 0.0000001\ncpuunits: -5\nonboot: x\nstartup: order=-1\n"
	    "net0: name=../../x,bridge=%s,hwaddr=ff:ff:ff:ff:ff:ff,ip=999.1.1.1/24,gw=::1\n"
	    "net999999999999: name=a\nnet64: name=b\nmp0: /,mp=/host\nmp1: /etc\n"
	    "dev0: /dev/sda,mode=0666\nhookscript: local:snippets/x.pl\n"
	    "lxc.hook.pre-start: /bin/sh\nlxc.apparmor.profile: unconfined\n"
	    "lxc.rootfs.path: /\nlxc.cap.drop:\nlxc.nothing: 1\n"
	    "description: x%0alxmgr.hook.pre-start = /bin/sh%0d%00%ff\n"
	    "evil\xc3: 1\n: x\nkey\nkey x\n",
	    false);
	LACKS("hook.pre-start = /bin/sh\n", "apparmor", "rootfs", "mount", "..", "%s", "999",
	      "reboot", "/dev/sda", "lxmgr.limit.memory", "start.order", "gateway");
	SAYS("uts.name is left out", "dev0: /dev/sda", "hookscript", "mp0 is left out",
	     "mp1 is left out", "lxc.hook.pre-start = /bin/sh is left out",
	     "lxc.rootfs.path is left out", "net64 is left out",
	     "description is left out: it is no plain UTF-8");
	assert_false(noted("\x0a"));
	run(translate_pct, "arch: amd64\nmp0: /tank/media,mp=/media\nlxc.cap.drop: sys_time\n",
	    true);
	WANTS("lxmgr.cap.drop = sys_time");
	assert_non_null(strstr(t.lines, "mount.entry = /tank/media media none bind"));
}

/* VSwap, as vzctl 4 writes it. */
static const char ve6[] = "# Configuration file generated by vzsplit for 10 containers\n"
			  "PHYSPAGES=\"0:256M\"\n"
			  "SWAPPAGES=\"0:512M\"\n"
			  "KMEMSIZE=\"116M:128M\"\n"
			  "DCACHESIZE=\"58M:64M\"\n"
			  "LOCKEDPAGES=\"128M\"\n"
			  "PRIVVMPAGES=\"unlimited\"\n"
			  "NUMPROC=\"unlimited\"\n"
			  "DISKSPACE=\"2G:2.2G\"\n"
			  "DISKINODES=\"131072:144179\"\n"
			  "QUOTATIME=\"0\"\n"
			  "CPUUNITS=\"1000\"\n"
			  "CPULIMIT=\"150\"\n"
			  "CPUS=\"2\"\n"
			  "VE_ROOT=\"/vz/root/$VEID\"\n"
			  "VE_PRIVATE=\"/vz/private/${VEID}\"\n"
			  "OSTEMPLATE=\"debian-12.0-x86_64\"\n"
			  "ORIGIN_SAMPLE=\"vswap-256m\"\n"
			  "IP_ADDRESS=\"203.0.113.17 2001:db8:1::17\"\n"
			  "HOSTNAME=\"vps17.example.com\"\n"
			  "NAMESERVER=\"192.0.2.53 192.0.2.54\"\n"
			  "SEARCHDOMAIN=\"example.com\"\n"
			  "ONBOOT=\"yes\"\n"
			  "BOOTORDER=\"7\"\n"
			  "CAPABILITY=\"NET_ADMIN:on SYS_TIME:off \"\n"
			  "FEATURES=\"fuse:on nfs:on ppp:off\"\n"
			  "DEVNODES=\"net/tun:rw sda1:r\"\n"
			  "NETFILTER=\"stateful\"\n"
			  "NAME='shop'\n"
			  "DESCRIPTION=\"Shop \\\"two\\\" 5 \\$\" # a comment\n";

static void test_openvz(void **state)
{
	run(translate_openvz, ve6, false);
	WANTS("lxmgr.limit.memory = 268435456", "lxmgr.limit.swap = 536870912",
	      "lxmgr.limit.cpus = 1.500", "lxmgr.limit.cpu.weight = 100",
	      "lxmgr.uts.name = vps17.example.com", "lxmgr.start.auto = 1", "lxmgr.start.order = 7",
	      "lxmgr.net.0.type = veth", "lxmgr.net.0.veth.mode = router",
	      "lxmgr.net.0.ipv4.address = 203.0.113.17/32",
	      "lxmgr.net.0.ipv6.address = 2001:db8:1::17/128", "lxmgr.net.0.ipv4.gateway = dev",
	      "lxmgr.net.0.ipv6.gateway = dev", "lxmgr.cap.drop = sys_time",
	      "lxmgr.description = Shop \"two\" 5 $", "lxmgr.nameserver = 192.0.2.53");
	assert_non_null(strstr(t.lines, "lxmgr.features = fuse\n"));
	assert_non_null(strstr(t.lines, "tun\n"));
	LACKS("limit.pids", "idmap");
	SAYS("KMEMSIZE, DCACHESIZE, LOCKEDPAGES are left out", "nfs:on is left out",
	     "'sda1' is left out", "NETFILTER=stateful is left out", "SEARCHDOMAIN");
	assert_string_equal(t.root, "/vz/private/101");
	assert_string_equal(t.name, "shop");
	assert_true(idmap_is_none(&t.ids));
}

/* Beancounters in pages, veth interfaces, and no limit as the largest number. */
static void test_openvz_beans(void **state)
{
	run(translate_openvz,
	    "ONBOOT=no\n"
	    "PHYSPAGES=\"0:9223372036854775807\"\n"
	    "PRIVVMPAGES=\"65536:69632\"\n"
	    "NUMPROC=\"240:240\"\n"
	    "KMEMSIZE=\"14372700:14790164\"\n"
	    "DISKSPACE=\"1048576:1153024\"\n"
	    "CPUUNITS=\"25000\"\n"
	    "CPULIMIT=\"0\"\n"
	    "IP_ADDRESS=\"10.1.2.3/255.255.255.0\"\n"
	    "NETIF=\"ifname=eth0,mac=00:18:51:AA:BB:CC,host_ifname=veth101.0,"
	    "host_mac=00:18:51:AA:BB:CD,bridge=vzbr0;ifname=eth1,mac=00:18:51:AA:BB:CE,"
	    "mac_filter=off\"\n"
	    "DISABLED=yes\nLOCAL_UID=200000\nLOCAL_GID=200000\n",
	    false);
	WANTS("lxmgr.limit.memory = 285212672", "lxmgr.limit.pids = 240",
	      "lxmgr.limit.cpu.weight = 2500", "lxmgr.net.0.name = eth0",
	      "lxmgr.net.0.link = vzbr0", "lxmgr.net.0.hwaddr = 00:18:51:aa:bb:cc",
	      "lxmgr.net.1.name = eth1", "lxmgr.net.2.name = venet0",
	      "lxmgr.net.2.ipv4.address = 10.1.2.3/32", "lxmgr.suspended = 1");
	LACKS("limit.cpus", "veth101", "antispoof");
	SAYS("PRIVVMPAGES, a limit of what is allocated", "mac_filter=off");
	assert_int_equal(idmap_uid_out(&t.ids, 1), 200001);
}

static void test_openvz_hostile(void **state)
{
	run(translate_openvz,
	    "HOSTNAME=\"$(reboot)\"\n"
	    "DESCRIPTION=`id`\n"
	    "NAMESERVER=\"${IFS}1\"\n"
	    "VE_PRIVATE=\"$HOME/x\"\n"
	    "BOOTORDER=1;reboot\n"
	    "STOP_TIMEOUT=\"5\"; rm -rf /\n"
	    "ONBOOT=\"yes\n"
	    "CPUS=2 # two\n"
	    ". /etc/shadow\n"
	    "export A=b\n"
	    "if true; then\n"
	    "IP_ADDRESS=\"1.2.3.4/99 nothing ::gg\"\n"
	    "NETIF=\"ifname=../x,bridge=;;,=,\"\n"
	    "PHYSPAGES=\"1:99999999999999999999999\"\n"
	    "CAPABILITY=\"SYS_MODULE:on bogus:on\"\n"
	    "DEVICES=\"b:8:0:rw all\"\n",
	    false);
	LACKS("uts.name", "description", "nameserver", "start.", "stop.", "limit.memory", "8:0",
	      "cap.", "../x");
	WANTS("lxmgr.limit.cpus = 2.000");
	SAYS("HOSTNAME is left out: it would need a shell", "DESCRIPTION is left out",
	     "NAMESERVER is left out", "VE_PRIVATE is left out", "BOOTORDER is left out",
	     "STOP_TIMEOUT is left out", "ONBOOT is left out", "'. /etc/shadow' is left out",
	     "sys_module:on is left out", "'bogus' is left out", "'b:8:0");
	assert_null(t.root);
}

static void test_refused(void **state)
{
	static translator *const all[] = { translate_lxc, translate_pct, translate_openvz };
	const struct translate_how how = { "their.conf", NULL, false };
	char *big = malloc(TRANSLATE_LIMIT + 2);
	struct lxmgr_err err;

	assert_non_null(big);
	translated_free(&t);
	memset(big, '#', TRANSLATE_LIMIT + 2);
	for (size_t i = 0; i < 3; i++) {
		memset(&err, 0, sizeof(err));
		assert_int_equal(all[i]("a=\0b", 4, &how, &t, &err), -EBADMSG);
		assert_int_equal(err.status, STATUS_REFUSED);
		assert_int_equal(all[i](big, TRANSLATE_LIMIT + 2, &how, &t, &err), -EFBIG);
		assert_int_equal(all[i](big, 10000, &how, &t, &err), -E2BIG);
		assert_int_equal(all[i]("", 0, &how, &t, &err), 0);
		assert_string_equal(t.lines, "");
		translated_free(&t);
	}
	free(big);
}

/* However many lines are bad, what is said of them has an end. */
static void test_many(void **state)
{
	struct strbuf b = { 0 };

	for (int i = 0; i < 5000; i++)
		strbuf_addf(&b, "bad%d\n", i);
	run(translate_pct, b.s, false);
	assert_true(t.notes.n < 110);
	SAYS("and 49");
	strbuf_free(&b);
}

static int end(void **state)
{
	translated_free(&t);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lxc),	     cmocka_unit_test(test_lxc_trusted),
		cmocka_unit_test(test_lxc_legacy),   cmocka_unit_test(test_lxc_hostile),
		cmocka_unit_test(test_pct),	     cmocka_unit_test(test_pct_maps),
		cmocka_unit_test(test_pct_hostile),  cmocka_unit_test(test_openvz),
		cmocka_unit_test(test_openvz_beans), cmocka_unit_test(test_openvz_hostile),
		cmocka_unit_test(test_refused),	     cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, end);
}
