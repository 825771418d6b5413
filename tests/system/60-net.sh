# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
. ./lib.sh

addr() { lx info --json "$1" | jq -r ".addresses[] | select(.family == \"$2\") | .address"; }
busybox a
busybox b
lx start a
lx start b
v4=$(addr a ipv4)
ok "the host pings IPv4" ping -c 1 -W 3 "$v4"
ok "and IPv6" ping -c 1 -W 3 "$(addr a ipv6)"
ok 'containers reach each other' lx attach a -- ping -c 1 -W 3 "$(addr b ipv4)"
gw=$(lx attach a -- ip route | awk '/^default/ { print $3 }')
ok 'the default route leads to the host' lx attach a -- ping -c 1 -W 3 "$gw"
is 'on' 'anti-spoofing is on' bash -c "lxmgr-info -P $TREE --json a | jq -r '.links[0].antispoof'"
lx attach a -- ip addr add "${v4%.*}.250/20" dev eth0
status 1 'another address cannot be used' lx attach a -- ping -c 1 -W 1 -I "${v4%.*}.250" "$gw"
says 'masquerade' 'NAT is there' nft list table inet lxmgr
nft delete table inet lxmgr
ok 'NAT comes back' eventually nft list table inet lxmgr
lx stop -k a
lx start a
is "$v4" 'the address is the same after a restart' addr a ipv4
lx stop -k a

run() {
	lx start "$@" a && lx attach a -- ip addr
	lx stop -k a
}
says 'inet 10.99.0.2/24' 'a static address' run -s lxmgr.net.0.ipv4.address=10.99.0.2/24 -s lxmgr.net.0.link=lxmgrbr0
says '^1: lo' 'type empty has lo' run -s lxmgr.net.0.type=empty
says 'does not exist' 'a missing bridge is named' lx start -s lxmgr.net.0.link=br9 -s lxmgr.net.0.ipv4.address=10.99.0.2/24 a
says 'multicast' 'a multicast MAC is refused' lx start -s lxmgr.net.0.hwaddr=01:00:00:00:00:01 a
says 'none of the interface' 'a gateway outside is refused' lx start -s lxmgr.net.0.ipv4.address=10.99.0.2/24 -s lxmgr.net.0.ipv4.gateway=10.98.0.1 a
ip link add lxtest0 type veth peer name lxtest1
says 'eth0' 'macvlan' run -s lxmgr.net.0.type=macvlan -s lxmgr.net.0.link=lxtest0 -s lxmgr.net.0.macvlan.mode=bridge
says 'lxtest1' 'phys is moved in' run -s lxmgr.net.0.type=phys -s lxmgr.net.0.link=lxtest1
ok 'and comes back' eventually ip link show lxtest1
ip link del lxtest0
# The host answers for the gateway if it has a way there and an address to speak from: without a network
# of its own it has neither.
ip link add lxtest2 type dummy
ip addr add 198.51.100.1/32 dev lxtest2
ip link set lxtest2 up
ip route add 169.254.1.1/32 dev lxtest2
ok 'router mode' lx start -s lxmgr.net.0.veth.mode=router -s lxmgr.net.0.ipv4.address=10.99.7.2/32 -s lxmgr.net.0.ipv4.gateway=169.254.1.1 a
ok 'is reached by a host route' ping -c 3 -W 10 10.99.7.2
lx stop -k a
ip link del lxtest2
finish
