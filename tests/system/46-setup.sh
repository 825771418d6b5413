# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# lxmgr-setup on Debian guests that boot: their own network service, which nothing on the host helps,
# has the address, and has it again after a reboot.
. ./lib.sh
. ./netns.sh

in_ns ip link add lxtbr type bridge
in_ns ip addr add 10.99.0.1/24 dev lxtbr
in_ns ip addr add fd99::1/64 dev lxtbr nodad
in_ns ip link set lxtbr up
NET=(-s lxmgr.net.0.link=lxtbr -s lxmgr.net.0.antispoof=0)

inside() { lx attach "$@" </dev/null; }
init_of() { lx info -p -H "$1"; }
other_init() {
	local p
	p=$(init_of "$1")
	[ -n "$p" ] && [ "$p" != "$before" ]
}
reboot_guest() {
	before=$(init_of "$1")
	inside "$1" -- systemctl reboot >/dev/null 2>&1
	eventually other_init "$1"
}
has_addresses() { # has_addresses GUEST V4 V6: in the guest, and its neighbour reaches it
	inside "$1" -- ip -o addr show eth0 | grep -F " $2/24" && inside "$1" -- ip -o addr show eth0 | grep -F " $3/64" &&
		inside "$1" -- ip route | grep '^default via 10.99.0.1 ' &&
		in_ns ping -q -c 1 -W 5 "$2" && in_ns ping -q -c 1 -W 5 "$3"
}
mtime() { inside "$1" -- stat -c %Y.%i "$2"; }
HOSTNAME_BEFORE=$(hostname)

# systemd-networkd, which the template has.
# What downloads is not in the namespace.
ok 'create a guest whose addresses are its own business' lxmgr-create -P "$TREE" -q -t "$DEBIAN" -n nd "${NET[@]}"
ok 'set all' bash -c "echo secret | nsenter --net=/run/netns/$NS lxmgr-setup -P '$TREE' nd -q --hostname nd.example.org \
	--address 10.99.0.2/24 --address fd99::2/64 --route default=10.99.0.1 --nameserver 10.99.0.1 --search example.org \
	--hosts '10.99.0.1 gate' --timezone Etc/UTC --locale C.UTF-8 --password-stdin"
ok 'start' lx start nd
is running 'it comes up' came_up nd
says '06-lxmgr-setup-eth0.network' "networkd has our file" inside nd -- networkctl --no-pager status eth0
configured() { inside nd -- networkctl --no-pager --no-legend list eth0 | grep -E 'routable +configured'; }
ok 'and is done with it' eventually configured
ok 'the addresses' eventually has_addresses nd 10.99.0.2 fd99::2
ok 'reboot' reboot_guest nd
is running 'it comes up again' came_up nd
ok 'the addresses are there again' eventually has_addresses nd 10.99.0.2 fd99::2
is nd.example.org 'the host name' inside nd -- hostname
says '^10.99.0.1 ' '/etc/hosts' inside nd -- getent hosts gate
says 'nameserver 10.99.0.1' 'the resolver' inside nd -- cat /etc/resolv.conf
says 'search example.org' 'and its domain' inside nd -- cat /etc/resolv.conf
says '/Etc/UTC$' 'the time zone' inside nd -- readlink /etc/localtime
says 'LANG=C.UTF-8' 'the locale' inside nd -- systemctl show-environment
says '^root:\$y\$' 'the password' inside nd -- grep ^root: /etc/shadow

# Running.
says 'Nothing had to be changed' 'running: the same again changes nothing' lx setup nd --hostname nd.example.org --hosts '10.99.0.1 gate' \
	--address 10.99.0.2/24 --address fd99::2/64 --route default=10.99.0.1 --nameserver 10.99.0.1 --search example.org
ok 'running: other addresses, another name' lx setup nd --hostname other --address 10.99.0.3/24 --address fd99::3/64 \
	--route default=10.99.0.1
is other 'the name has changed at once' inside nd -- hostname
is "$HOSTNAME_BEFORE" "and the host's has not" hostname
ok 'the addresses have' eventually has_addresses nd 10.99.0.3 fd99::3
inside nd -- useradd -m bob
echo 'ssh-ed25519 AAAA test' >"$TREE/key.pub"
ok "running: a user's password and key" bash -c "echo secret | nsenter --net=/run/netns/$NS lxmgr-setup -P '$TREE' nd -q --user bob \
	--password-stdin --ssh-key '$TREE/key.pub'"
is 'bob bob 600' "the file is the user's, in its own ids" inside nd -- stat -c '%U %G %a' /home/bob/.ssh/authorized_keys
says '"hostname": *"other"' 'show' lx setup nd --show --json
lx freeze nd >/dev/null 2>&1
ok 'frozen: the files are set' timeout 60 lxmgr-setup -P "$TREE" nd -q --hosts '10.99.0.1 gate2'
lx unfreeze nd
says '^10.99.0.1 ' 'and are there' inside nd -- getent hosts gate2

# A guest that lies in wait.
inside nd -- sh -c 'cp -a /etc /e && mount --bind /proc/sys/kernel /mnt && rm -f /etc/hostname /etc/hosts &&
	ln -s /proc/sys/kernel/hostname /etc/hostname && ln -s /proc/1/root/etc/passwd /etc/hosts'
lx setup nd -q --hostname evil --hosts '10.0.0.1 evil' >/dev/null 2>&1
is "$HOSTNAME_BEFORE" "links to /proc do not change the host's name" hostname
inside nd -- sh -c 'mount --bind /proc/sys/kernel /etc'
status 1 'a mount of /proc over /etc is an error' lx setup nd --hostname worse --timezone Etc/UTC
is "$HOSTNAME_BEFORE" "and does not change the host's name" hostname
lx stop -q -k nd

# ifupdown.
if [ "$DEBIAN" = debian ]; then
	ok 'create a guest with ifupdown' lxmgr-create -P "$TREE" -q -t debian -n iu "${NET[@]}" -- --packages=ifupdown
	ok 'start' lx start iu
	came_up iu >/dev/null
	inside iu -- systemctl disable systemd-networkd.service systemd-networkd.socket >/dev/null 2>&1
	lx stop -q iu
	ok 'set addresses' lx setup iu --address 10.99.0.4/24 --address 10.99.0.14/24 --address fd99::4/64 --route default=10.99.0.1
	ok 'start' lx start iu
	is running 'it comes up' came_up iu
	is active 'its service is content' inside iu -- systemctl is-active networking.service
	is eth0=eth0 'and has the interface' inside iu -- ifquery --state eth0
	ok 'the addresses' eventually has_addresses iu 10.99.0.4 fd99::4
	says '10.99.0.14/24' 'the second one' inside iu -- ip -o addr show eth0
	ok 'reboot' reboot_guest iu
	is running 'it comes up again' came_up iu
	ok 'the addresses are there again' eventually has_addresses iu 10.99.0.4 fd99::4
	ok 'running: other addresses' lx setup iu --address 10.99.0.5/24 --address fd99::5/64 --route default=10.99.0.1
	ok 'it has them' eventually has_addresses iu 10.99.0.5 fd99::5
	lx stop -q -k iu
else
	skip 'ifupdown' 'the ready guests of this machine have it not'
fi

# NetworkManager.
if [ "$DEBIAN" = debian ]; then
	ok 'create a guest with NetworkManager' lxmgr-create -P "$TREE" -q -t debian -n nm "${NET[@]}" -- --packages=network-manager
	ok 'start' lx start nm
	came_up nm >/dev/null
	inside nm -- systemctl disable systemd-networkd.service systemd-networkd.socket >/dev/null 2>&1
	inside nm -- systemctl enable NetworkManager.service >/dev/null 2>&1
	lx stop -q nm
	ok 'set addresses' lx setup nm --address 10.99.0.6/24 --address fd99::6/64 --route default=10.99.0.1 --nameserver 10.99.0.1
	ok 'start' lx start nm
	is running 'it comes up' came_up nm
	connected() { inside nm -- nmcli -g GENERAL.STATE,IP4.ADDRESS device show eth0 | tr '\n' ' ' | grep -F "(connected) $1/24"; }
	ok 'its service has connected the interface' eventually connected 10.99.0.6
	ok 'the addresses' eventually has_addresses nm 10.99.0.6 fd99::6
	ok 'reboot' reboot_guest nm
	is running 'it comes up again' came_up nm
	ok 'connected again' eventually connected 10.99.0.6
	ok 'the addresses are there again' eventually has_addresses nm 10.99.0.6 fd99::6
	says 'nameserver 10.99.0.1' 'the resolver' inside nm -- cat /etc/resolv.conf
	ok 'running: other addresses' lx setup nm --address 10.99.0.7/24 --address fd99::7/64 --route default=10.99.0.1
	ok 'it has them' eventually has_addresses nm 10.99.0.7 fd99::7
	says 'Nothing had to be changed' 'and the same again changes nothing' lx setup nm --address 10.99.0.7/24 --address fd99::7/64 --route default=10.99.0.1
else
	skip 'NetworkManager' 'the ready guests of this machine have it not'
fi
netns_finish
