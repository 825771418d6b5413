# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Guest modules on roots with the configuration files of each family. Fedora, Arch, openSUSE, Alpine
# and OpenWrt cannot be installed here: for these the files that lxmgr-setup writes are compared with
# what their own documentation has, and no service of theirs has read them. Debian's services do in
# 46-setup.sh. And: roots that want to lead it out.
# In machines: check-vm-full.
. ./lib.sh

# guest NAME ID: a stopped container over a root of plain files, with an interface of its own.
guest() {
	local root=$TREE/roots/$1
	mkdir -p "$root"/{etc,dev,proc,sys,root,sbin,usr/share/zoneinfo/Europe}
	cp /usr/share/zoneinfo/Europe/Vienna "$root/usr/share/zoneinfo/Europe/" 2>/dev/null ||
		printf 'TZif2\nCET-1\n' >"$root/usr/share/zoneinfo/Europe/Vienna"
	printf 'ID=%s\n' "$2" >"$root/etc/os-release"
	printf 'root:x:0:0:root:/root:/bin/sh\nbob:x:1000:1000::/home/bob:/bin/sh\n' >"$root/etc/passwd"
	printf 'root:*:19000:0:99999:7:::\nbob:!:19000:0:99999:7:::\n' >"$root/etc/shadow"
	chmod 640 "$root/etc/shadow"
	lx create -q -t none -n "$1" --dir "$root" -s lxmgr.net.0.type=macvlan -s lxmgr.net.0.link=lo0x
}
file() { cat "$TREE/roots/$1/$2"; }
units() { # units GUEST UNIT...: installed and enabled
	local root=$TREE/roots/$1 u
	shift
	mkdir -p "$root/usr/lib/systemd/system" "$root/etc/systemd/system/multi-user.target.wants"
	for u; do
		: >"$root/usr/lib/systemd/system/$u"
		ln -s "/usr/lib/systemd/system/$u" "$root/etc/systemd/system/multi-user.target.wants/$u"
	done
}
network() {
	lx setup "$1" --address 10.0.0.2/24 --address 10.0.0.3/24 --address fd00::2/64 --route default=10.0.0.1 \
		--route 10.9.0.0/16=10.0.0.254 --route default=fe80::1
}
# What show says of it, whatever the family.
shown() {
	lx setup "$1" --show --json | jq -c '.interfaces[0] | [.addresses, (.routes | sort)]'
}
WANT='[["10.0.0.2/24","10.0.0.3/24","fd00::2/64"],["10.9.0.0/16=10.0.0.254","default=10.0.0.1","default=fe80::1"]]'
# again NAME: a second time nothing is to be done; and taken away, show has nothing.
again() {
	says 'Nothing had to be changed' "$1: a second time changes nothing" network "$1"
	is "$WANT" "$1: show reads it back" shown "$1"
	ok "$1: it is taken away" lx setup "$1" -q --address ''
	is '[[],[]]' "$1: and is gone" shown "$1"
}
need jq

guest deb debian
: >"$TREE/roots/deb/sbin/ifup"
mkdir -p "$TREE/roots/deb/etc/network"
printf 'auto lo eth0\niface lo inet loopback\n\niface eth0 inet dhcp\n\thostname x\n' >"$TREE/roots/deb/etc/network/interfaces"
ok 'debian: ifupdown' network deb
is '#lxmgr-setup: eth0: auto lo eth0
auto lo
iface lo inet loopback

#lxmgr-setup: eth0: iface eth0 inet dhcp
#lxmgr-setup: eth0: 	hostname x

# lxmgr-setup eth0 begins
auto eth0
iface eth0 inet static
	address 10.0.0.2/24
	up ip addr replace 10.0.0.3/24 dev eth0
	up ip route replace default via 10.0.0.1 dev eth0
	up ip route replace 10.9.0.0/16 via 10.0.0.254 dev eth0
iface eth0 inet6 static
	address fd00::2/64
	up ip -6 route replace default via fe80::1 dev eth0 onlink
# lxmgr-setup eth0 ends' 'debian: the former stanza is put out of use' file deb etc/network/interfaces
again deb
is 'auto lo eth0
iface lo inet loopback

iface eth0 inet dhcp
	hostname x' 'debian: the former stanza is back' file deb etc/network/interfaces
# Two with one address would be no good to each other.
lx setup deb -q --address 10.0.0.2/24
before=$(file deb etc/network/interfaces)
copied() { cat "$TREE/$1/rootfs/etc/network/interfaces"; }
ok 'a copy' lx copy -q deb deb2
is 'auto lo eth0
iface lo inet loopback

iface eth0 inet dhcp
	hostname x' 'has not its address' copied deb2
is "$before" 'the source still has it' file deb etc/network/interfaces
ok 'a copy that keeps it' lx copy -q --keepaddress deb deb3
is "$before" 'has it' copied deb3
ok 'a copy of that' lx copy -q deb3 deb4
status 1 'has not' grep -q 10.0.0.2 "$TREE/deb4/rootfs/etc/network/interfaces"
ok 'a snapshot' lx snapshot -q deb3 s
ok 'as a new one' lx snapshot -q deb3 -r s -N deb5
status 1 'has not its address, either' grep -q 10.0.0.2 "$TREE/deb5/rootfs/etc/network/interfaces"
ok 'an export' lx export -q deb "$TREE/deb.tar.zst"
ok 'imported' lx import -q "$TREE/deb.tar.zst" -n deb6
status 1 'has not its address' grep -q 10.0.0.2 "$TREE/deb6/rootfs/etc/network/interfaces"
ok 'unless it is asked for' lx import -q --keepaddress "$TREE/deb.tar.zst" -n deb7
is "$before" 'has it' copied deb7
for c in deb2 deb3 deb4 deb5 deb6 deb7; do lx destroy -q -s $c; done
lx setup deb -q --address ''

guest arch arch
units arch systemd-networkd.service
ok 'arch: systemd-networkd' network arch
is '# Set by lxmgr-setup.
[Match]
Name=eth0

[Network]
DHCP=no
IPv6AcceptRA=no
LinkLocalAddressing=ipv6
Address=10.0.0.2/24
Address=10.0.0.3/24
Address=fd00::2/64

[Route]
Gateway=10.0.0.1

[Route]
Destination=10.9.0.0/16
Gateway=10.0.0.254

[Route]
Gateway=fe80::1
GatewayOnLink=yes' 'arch: its file' file arch etc/systemd/network/06-lxmgr-setup-eth0.network
again arch

guest fed fedora
units fed NetworkManager.service
ok 'fedora: NetworkManager' network fed
is '# Set by lxmgr-setup.
[connection]
id=lxmgr-setup-eth0
type=ethernet
interface-name=eth0
autoconnect=true
autoconnect-priority=100

[ipv4]
method=manual
address1=10.0.0.2/24
address2=10.0.0.3/24
route1=0.0.0.0/0,10.0.0.1
route2=10.9.0.0/16,10.0.0.254

[ipv6]
method=manual
address1=fd00::2/64
route1=::/0,fe80::1
route1_options=onlink=true
addr-gen-mode=eui64' 'fedora: its keyfile' file fed etc/NetworkManager/system-connections/lxmgr-setup-eth0.nmconnection
is 600 'fedora: that only root reads' stat -c %a "$TREE/roots/fed/etc/NetworkManager/system-connections/lxmgr-setup-eth0.nmconnection"
again fed
ok 'fedora: resolver' lx setup fed -q --nameserver 9.9.9.9 --nameserver fd00::53 --search example.org
is '# Set by lxmgr-setup.
[global-dns]
searches=example.org
[global-dns-domain-*]
servers=9.9.9.9,fd00::53' 'fedora: by NetworkManager, too' file fed etc/NetworkManager/conf.d/10-lxmgr-setup.conf

guest el6 centos
mkdir -p "$TREE/roots/el6/etc/sysconfig/network-scripts" "$TREE/roots/el6/etc/rc.d/init.d"
: >"$TREE/roots/el6/etc/sysconfig/network-scripts/ifup-eth"
ok 'rhel: network scripts' network el6
is '# Set by lxmgr-setup.
DEVICE=eth0
TYPE=Ethernet
ONBOOT=yes
BOOTPROTO=none
# address 10.0.0.2/24
IPADDR0=10.0.0.2
PREFIX0=24
# address 10.0.0.3/24
IPADDR1=10.0.0.3
PREFIX1=24
# address fd00::2/64
IPV6INIT=yes
IPV6_AUTOCONF=no
IPV6ADDR=fd00::2/64' 'rhel: ifcfg' file el6 etc/sysconfig/network-scripts/ifcfg-eth0
is '# Set by lxmgr-setup.
default via 10.0.0.1 dev eth0
10.9.0.0/16 via 10.0.0.254 dev eth0' 'rhel: routes' file el6 etc/sysconfig/network-scripts/route-eth0
again el6

guest suse opensuse-leap
units suse wicked.service
mkdir -p "$TREE/roots/suse/etc/sysconfig/network"
printf 'NETCONFIG_DNS_POLICY="auto"\nNETCONFIG_DNS_STATIC_SERVERS=""\n' >"$TREE/roots/suse/etc/sysconfig/network/config"
ok 'opensuse: wicked' network suse
is "# Set by lxmgr-setup.
STARTMODE='auto'
BOOTPROTO='static'
IPADDR='10.0.0.2/24'
IPADDR_1='10.0.0.3/24'
IPADDR_2='fd00::2/64'" 'opensuse: ifcfg' file suse etc/sysconfig/network/ifcfg-eth0
is '# Set by lxmgr-setup.
default 10.0.0.1 - eth0
10.9.0.0/16 10.0.0.254 - eth0
default fe80::1 - eth0' 'opensuse: routes' file suse etc/sysconfig/network/ifroute-eth0
again suse
ok 'opensuse: resolver' lx setup suse -q --nameserver 9.9.9.9
is 'NETCONFIG_DNS_POLICY="auto"
NETCONFIG_DNS_STATIC_SERVERS="9.9.9.9"
NETCONFIG_DNS_STATIC_SEARCHLIST=""' 'opensuse: netconfig' file suse etc/sysconfig/network/config

guest alp alpine
: >"$TREE/roots/alp/sbin/ifup"
ok 'alpine: ifupdown' network alp
says '^iface eth0 inet static$' 'alpine: interfaces' file alp etc/network/interfaces
again alp
ok 'alpine: locale' lx setup alp -q --locale de_AT.UTF-8
is '# Set by lxmgr-setup.
export LANG=de_AT.UTF-8' 'alpine: a variable' file alp etc/profile.d/10lxmgr-locale.sh

guest wrt openwrt
mkdir -p "$TREE/roots/wrt/etc/config"
: >"$TREE/roots/wrt/sbin/netifd"
printf "config interface 'loopback'\n\toption device 'lo'\n\nconfig interface 'lan'\n\toption device 'eth0'\n\toption proto 'dhcp'\n" \
	>"$TREE/roots/wrt/etc/config/network"
printf "config system\n\toption hostname 'OpenWrt'\n\toption timezone 'UTC'\n" >"$TREE/roots/wrt/etc/config/system"
ok 'openwrt: netifd' network wrt
is "config interface 'loopback'
	option device 'lo'

config interface 'lan'
	option auto '0'
	option device 'eth0'
	option proto 'dhcp'

config interface 'lxmgr_eth0'
	option device 'eth0'
	option proto 'static'
	list ipaddr '10.0.0.2/24'
	list ipaddr '10.0.0.3/24'
	list ip6addr 'fd00::2/64'

config route
	option interface 'lxmgr_eth0'
	option target '0.0.0.0/0'
	option gateway '10.0.0.1'

config route
	option interface 'lxmgr_eth0'
	option target '10.9.0.0/16'
	option gateway '10.0.0.254'

config route6
	option interface 'lxmgr_eth0'
	option target '::/0'
	option gateway 'fe80::1'
	option onlink '1'" 'openwrt: its file' file wrt etc/config/network
again wrt
ok 'openwrt: host name and time zone' lx setup wrt -q --hostname router --timezone Europe/Vienna
says "option timezone 'CET-1CEST" 'openwrt: the rule of the zone' file wrt etc/config/system
says "option hostname 'router'" 'openwrt: the name' file wrt etc/config/system
status 1 'openwrt: no locales' lx setup wrt --locale C

# What is the same everywhere, on Debian's.
ok 'names, hosts, zone, locale, password and key' bash -c "
	ssh-keygen -q -t ed25519 -N '' -f '$TREE/key' 2>/dev/null || echo 'ssh-ed25519 AAAA test' >'$TREE/key.pub'
	echo secret | lxmgr-setup -P '$TREE' deb -q --hostname web.example.org --hosts '10.1.1.1 db  d' \
		--timezone Europe/Vienna --locale C.UTF-8 --user bob --password-stdin --ssh-key '$TREE/key.pub'"
is 'web.example.org' 'the host name' file deb etc/hostname
is 'web.example.org' 'and in the config, which start writes' lx config deb lxmgr.uts.name
is '127.0.0.1	localhost
::1		localhost ip6-localhost ip6-loopback
127.0.1.1	web.example.org web	# the container'\''s own name, kept by lxmgr
10.1.1.1	db d	# lxmgr-setup' 'hosts' file deb etc/hosts
is /usr/share/zoneinfo/Europe/Vienna 'the zone' readlink "$TREE/roots/deb/etc/localtime"
is 'LANG=C.UTF-8' 'the locale' file deb etc/default/locale
says '^root:\*:19000:0' "root's line of shadow stays" file deb etc/shadow
is ok "bob's password is that" perl -F: -ane 'print crypt("secret", $F[1]) eq $F[1] ? "ok" : $F[1] if $F[0] eq "bob"' \
	"$TREE/roots/deb/etc/shadow"
is '640' 'the mode of shadow stays' stat -c %a "$TREE/roots/deb/etc/shadow"
is '1000:1000 600' "the key is bob's" stat -c '%u:%g %a' "$TREE/roots/deb/home/bob/.ssh/authorized_keys"
is '1000:1000 700' 'its directory too' stat -c '%u:%g %a' "$TREE/roots/deb/home/bob/.ssh"
says 'Nothing had to be changed' 'all of it a second time' bash -c "
	echo secret | lxmgr-setup -P '$TREE' deb --hostname web.example.org --hosts '10.1.1.1 db d' \
		--timezone Europe/Vienna --locale C.UTF-8 --user bob --password-stdin --ssh-key '$TREE/key.pub'"
ok 'hosts are taken away' lx setup deb -q --hosts ''
is 3 'and only ours' grep -c . "$TREE/roots/deb/etc/hosts"

# Refused before anything is touched.
sum() { (cd "$TREE/roots/deb" && find . -type f -exec sha256sum {} + && find . -type l -printf '%p %l\n') | sort | sha256sum; }
S=$(sum)
status 3 'no such container' lx setup nobody --show
status 64 'nothing to set' lx setup deb
status 64 'show goes alone' lx setup deb --show --hostname x
status 64 'no prefix' lx setup deb --address 10.0.0.2
status 64 'no such interface' lx setup deb --address 10.0.0.2/24 --interface eth7
status 64 'a route alone' lx setup deb --route default=10.0.0.1
status 64 'a line break in hosts' lx setup deb --hosts $'10.0.0.1 a\nb'
status 64 'a zone that leads elsewhere' lx setup deb --timezone ../../etc/passwd
status 1 'a zone that the guest has not got' lx setup deb --timezone Asia/Nowhere
status 1 'a user that the guest has not got' lx setup deb --user alice --password x
status 64 'a private key' bash -c "echo 'BEGIN OPENSSH PRIVATE KEY' >'$TREE/priv'; lxmgr-setup -P '$TREE' deb --ssh-key '$TREE/priv'"
is "$S" 'nothing was touched' sum
lx create -q -t none -n hostset --dir "$TREE/roots/deb" -s lxmgr.net.0.type=macvlan -s lxmgr.net.0.link=lo0x \
	-s lxmgr.net.0.ipv4.address=10.5.5.5/24
status 6 'addresses that the host sets' lx setup hostset --address 10.0.0.2/24

# Roots that want it to write elsewhere. What stands outside must stay as it is.
mkdir -p "$TREE/outside/etc" "$TREE/outside/home"
echo outside >"$TREE/outside/etc/hostname"
hostile() { # hostile NAME COMMAND: a root that this shell line prepares
	guest "$1" debian
	(cd "$TREE/roots/$1" && eval "$2")
	lx setup "$1" -q --hostname evil --hosts '10.0.0.1 evil' --nameserver 10.0.0.1 --timezone Europe/Vienna \
		--locale C.UTF-8 --password evil --ssh-key "$TREE/key.pub" >/dev/null 2>&1
	[ "$(find "$TREE/outside" -type f)" = "$TREE/outside/etc/hostname" ] && [ "$(cat "$TREE/outside/etc/hostname")" = outside ] &&
		! grep -q evil /etc/hostname /etc/hosts /etc/resolv.conf && [ "$(hostname)" != evil ]
}
up=../../../../../../../../../..
ok 'etc is a link out (CVE-2015-1335)' hostile e1 "mv etc e; ln -s $TREE/outside/etc etc"
ok 'etc is a link up' hostile e2 "mv etc e; ln -s $up$TREE/outside/etc etc"
ok 'etc/hostname is a link out' hostile e3 "ln -s $TREE/outside/etc/hostname etc/hostname"
ok 'etc/hosts and resolv.conf are links to the host' hostile e4 "ln -s $up/etc/hosts etc/hosts; ln -s /proc/1/root/etc/resolv.conf etc/resolv.conf"
ok 'etc is a link to /proc/sys/kernel' hostile e5 "mv etc e; ln -s /proc/sys/kernel etc"
ok "root's home is a link out" hostile e6 "rmdir root; ln -s $TREE/outside/home root"
ok 'root has a home of its choice' hostile e7 "sed -i s,:/root:,:$up$TREE/outside/home:, etc/passwd"
ok 'etc/shadow is a fifo' hostile e8 'rm etc/shadow; mkfifo etc/shadow'
ok 'etc/hostname is a directory' hostile e9 'mkdir -p etc/hostname/x'
ok 'os-release is endless' hostile e10 'rm etc/os-release; ln -s /dev/zero etc/os-release'

# All or nothing: what cannot be is known before anything is written.
S=$(sum)
status 1 'a zone that is not there, with more' lx setup deb --hostname other --address 10.0.0.9/24 --timezone Asia/Nowhere
status 1 'a user that is not there, with more' lx setup deb --hostname other --nameserver 10.0.0.9 --user alice --password x
is "$S" 'nothing of it was written' sum
status 1 'nor is the name in the config' grep -q 'uts.name = other' "$TREE/deb/config"

# A gateway that is not in the interface's networks.
guest suse2 opensuse
units suse2 wicked.service
ok 'opensuse: a gateway elsewhere' lx setup suse2 -q --address 10.0.0.2/32 --route default=192.0.2.1
is '# Set by lxmgr-setup.
192.0.2.1/32 - - eth0
default 192.0.2.1 - eth0' 'has a way to it' file suse2 etc/sysconfig/network/ifroute-eth0
is '[["10.0.0.2/32"],["default=192.0.2.1"]]' 'which show leaves out' shown suse2

# Files that are sourced, and an interface among others.
guest src debian
: >"$TREE/roots/src/sbin/ifup"
mkdir -p "$TREE/roots/src/etc/network/interfaces.d"
printf 'auto lo eth0 eth1\niface lo inet loopback\nsource /etc/network/interfaces.d/*\n' >"$TREE/roots/src/etc/network/interfaces"
printf 'auto eth0\niface eth0 inet dhcp\n' >"$TREE/roots/src/etc/network/interfaces.d/50-cloud-init"
BEFORE_SRC=$(cat "$TREE"/roots/src/etc/network/interfaces "$TREE"/roots/src/etc/network/interfaces.d/*)
ok 'an address' lx setup src -q --address 10.0.0.2/24
is '#lxmgr-setup: eth0: auto eth0
#lxmgr-setup: eth0: iface eth0 inet dhcp' 'a sourced stanza of the interface is out of use' file src etc/network/interfaces.d/50-cloud-init
says '^auto lo eth1$' 'the others of its line stay' file src etc/network/interfaces
says 'Nothing had' 'a second time changes nothing' lx setup src --address 10.0.0.2/24
ok 'it is taken away' lx setup src -q --address ''
is "$BEFORE_SRC" 'and all is as it was' bash -c "cat '$TREE'/roots/src/etc/network/interfaces '$TREE'/roots/src/etc/network/interfaces.d/*"

# No servers: lxmgr-start's count again.
ok 'servers' lx setup src -q --nameserver 10.0.0.9
ok 'none' lx setup src -q --nameserver ''
is '# Written by lxmgr; remove this line to keep your own.' 'resolv.conf is lxmgr-start'"'"'s again' file src etc/resolv.conf
guest nmfile fedora
units nmfile NetworkManager.service
echo '# Generated by NetworkManager' >"$TREE/roots/nmfile/etc/resolv.conf"
ok "NetworkManager's servers" lx setup nmfile -q --nameserver 10.0.0.9
is '# Generated by NetworkManager' 'its own file it writes itself' file nmfile etc/resolv.conf
ok 'none' lx setup nmfile -q --nameserver ''
status 1 'nothing of ours stays' test -e "$TREE/roots/nmfile/etc/NetworkManager/conf.d/10-lxmgr-setup.conf"

# Which hashes a guest can check its own files say: musl and busybox know no yescrypt.
hash() { # hash NAME: that of root's, set anew
	lx setup "$1" -q --password secret && sed -n 's/^root:\(\$[^$]*\$\).*/\1/p' "$TREE/roots/$1/etc/shadow"
}
guest musl alpine
is '$6$' 'alpine gets a password that its login knows' hash musl
mkdir -p "$TREE/roots/deb/etc/pam.d"
echo '# yescrypt' >"$TREE/roots/deb/etc/pam.d/common-password"
is '$6$' 'and so does who does not say more' hash deb
echo 'password [success=1 default=ignore] pam_unix.so obscure yescrypt' >"$TREE/roots/deb/etc/pam.d/common-password"
ok 'debian' lx setup deb -q --password other
says '^root:[$]y[$]' 'has yescrypt' file deb etc/shadow
says 'Nothing had' 'the same once more changes nothing' lx setup deb --password other

# What a guest's user lays in the way of the guest's root.
keys() { # keys NAME COMMAND: prepared by it, bob gets a key; what /etc has then
	guest "$1" debian
	(cd "$TREE/roots/$1" && mkdir -p home/bob etc/cron.d && eval "$2")
	lx setup "$1" -q --user bob --ssh-key "$TREE/key.pub" >/dev/null 2>&1
	echo "$? $(find "$TREE/roots/$1/etc" -user 1000 -o -name authorized_keys)"
}
is '1 ' "bob's .ssh leads to /etc/cron.d" keys u1 'ln -s /etc/cron.d home/bob/.ssh'
is '1 ' 'relatively' keys u2 'ln -s ../../etc/cron.d home/bob/.ssh'
is '0 ' 'he has an empty one' keys u3 'mkdir home/bob/.ssh; : >home/bob/.ssh/authorized_keys'
is '1 ' 'or leads to /etc/shadow' keys u4 'mkdir home/bob/.ssh; ln -s /etc/shadow home/bob/.ssh/authorized_keys'
says 'a link of the user' 'and it is told why' lx setup u1 --user bob --ssh-key "$TREE/key.pub"
ok "root's own .ssh may be one" bash -c "
	ln -s /etc/keys '$TREE/roots/u1/root/.ssh'; mkdir '$TREE/roots/u1/etc/keys'
	lxmgr-setup -q -P '$TREE' u1 --ssh-key '$TREE/key.pub' && test -s '$TREE/roots/u1/etc/keys/authorized_keys'"

# The runner itself: what a script must not get at.
L=$(dirname "$(dirname "$(command -v lxmgr-setup)")")/libexec/lxmgr/lxmgr-lua
script() { # script TEXT [OPTIONS]: its answer
	printf '%s\n' "$1" >"$TREE/script.lua"
	shift
	(cd "$TREE/roots/deb" && "$L" "$@" "$TREE/script.lua" 3>"$TREE/answer" </dev/null) || echo "status $?"
	cat "$TREE/answer"
}
is 'R[]' 'no io, os, load, package, debug' script 'local r = lxmgr.array({})
	for _, n in ipairs({"io", "os", "load", "loadfile", "dofile", "package", "debug", "collectgarbage", "coroutine"}) do
		if _G[n] ~= nil then r[#r + 1] = n end end
	if string.dump then r[#r + 1] = "dump" end return r'
says '^status (2|152)' 'an endless loop, also in pcall: by its steps or its processor time' script 'while true do pcall(function() while true do end end) end' --seconds 1
says 'not enough memory' 'memory without end' script 'local s = "x" while true do s = s .. s end' --memory 8
says 'no module' 'require of another file' script 'require("/etc/passwd")'
is 'R"nil"' 'no program to be run' script 'return type(lxmgr.run)'
# Whoever started it had the container's lock: without that it may not go on writing.
echo 'while true do end' >"$TREE/script.lua"
(cd "$TREE/roots/deb" && exec bash -c '"$0" --seconds 600 "$1" 3>/dev/null </dev/null & echo $! >"$2"; wait' "$L" "$TREE/script.lua" "$TREE/pid") &
parent=$!
confined() { grep -q '^Seccomp:.2' "/proc/$(cat "$TREE/pid")/status"; }
ended() { ! confined; }
ok 'a script that takes its time' eventually confined
kill -KILL $parent
wait $parent 2>/dev/null
ok 'ends when its caller is killed' eventually ended
printf '\033LuaT' >"$TREE/script.lua"
says 'binary chunk' 'bytecode' bash -c "cd '$TREE/roots/deb' && '$L' '$TREE/script.lua' 3>&1 </dev/null"
chmod 666 "$TREE/script.lua"
says 'nobody else can write' 'a script of everybody' bash -c "cd '$TREE/roots/deb' && '$L' '$TREE/script.lua' 3>&1 </dev/null"
finish
