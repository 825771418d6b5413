# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Links at the end of a container, and what a bridge must be able to do.
. ./lib.sh
. ./netns.sh

has_link() { in_ns ip -o link show "$1"; }
monitor_of() { lx info --json "$1" | jq -r .monitor_pid; }

busybox a

# A name that was asked for is free again when stop returns, whatever it begins with.
for pair in vethlxt0 lxtpair0; do
	ok "start with veth.pair = $pair" lx start -s lxmgr.net.0.veth.pair=$pair a
	ok 'the pair has this name' has_link $pair
	ok 'stop it' lx stop -k a
	status 1 'the name is free' has_link $pair
done

# A bridge that does not filter would let the container into every VLAN.
in_ns ip link add lxtbr type bridge
in_ns ip link set lxtbr up
vlan=(-s lxmgr.net.0.link=lxtbr -s lxmgr.net.0.ipv4.address=10.99.0.2/24)
says 'filter.* VLANs.*lxmgr.net.0.veth.vlan.id\); (it needs CONFIG|switch it on with: ip link set dev lxtbr )' \
	'a VLAN on a bridge without filtering is refused with the cure' \
	lx start "${vlan[@]}" -s lxmgr.net.0.veth.vlan.id=7 a
says 'filter.* VLANs.*veth.vlan.tagged.id' 'and so is a tagged one' \
	lx start "${vlan[@]}" -s lxmgr.net.0.veth.vlan.tagged.id=8 a
says STOPPED 'nothing was started' lx info -s a
if in_ns ip link set dev lxtbr type bridge vlan_filtering 1 2>/dev/null; then
	ok 'after the cure it starts' lx start "${vlan[@]}" -s lxmgr.net.0.veth.vlan.id=7 \
		-s lxmgr.net.0.veth.vlan.tagged.id=8 -s lxmgr.net.0.veth.pair=lxtv a
	says '7 PVID Egress Untagged' 'the port has its VLAN' in_ns bridge vlan show dev lxtv
	says ' 8$' 'and the tagged one' in_ns bridge vlan show dev lxtv
	lx stop -k a
else
	skip 'VLANs of a port' 'this kernel has no CONFIG_BRIDGE_VLAN_FILTERING'
fi

# l2proxy: a neighbour of the host reaches the container; with it the answers go.
in_ns ip link add lxtup type veth peer name lxtfar
ip netns add "$NS-far"
in_ns ip link set lxtfar netns "$NS-far"
in_ns ip addr add 192.0.2.1/24 dev lxtup
in_ns ip link set lxtup up
in_ns sysctl -q -w net.ipv4.conf.lxtup.forwarding=1
ip -n "$NS-far" addr add 192.0.2.9/24 dev lxtfar
ip -n "$NS-far" link set lxtfar up
answers() { in_ns ip neigh show proxy dev lxtup; }
router=(-s lxmgr.net.0.veth.mode=router -s lxmgr.net.0.link=lxtup
	-s lxmgr.net.0.ipv4.address=192.0.2.50/32 -s lxmgr.net.0.ipv4.gateway=192.0.2.1)
says 'lxmgr.net.0.l2proxy works with type ipvlan, or veth in router mode' 'l2proxy is refused for other types' \
	lx start -s lxmgr.net.0.type=macvlan -s lxmgr.net.0.link=lxtup -s lxmgr.net.0.l2proxy=1 a
says 'lxmgr.net.0.l2proxy works with lxmgr.net.0.ipvlan.mode = l3s' 'and for other modes of ipvlan' \
	lx start -s lxmgr.net.0.type=ipvlan -s lxmgr.net.0.link=lxtup -s lxmgr.net.0.l2proxy=1 a
ok 'start with l2proxy' lx start "${router[@]}" -s lxmgr.net.0.l2proxy=1 a
ok 'a neighbour reaches it' nsenter --net="/run/netns/$NS-far" -- ping -c 1 -W 3 192.0.2.50
says '192.0.2.50' 'the host answers' answers
lx stop -k a
is '' 'and no more after its end' answers
ok 'start again' lx start "${router[@]}" -s lxmgr.net.0.l2proxy=1 a
kill -9 "$(monitor_of a)"
lx stop -k a
is '' 'nor without a monitor' answers
ipvlan=(-s lxmgr.net.0.type=ipvlan -s lxmgr.net.0.ipvlan.mode=l3s -s lxmgr.net.0.link=lxtup
	-s lxmgr.net.0.ipv4.address=192.0.2.60/32 -s lxmgr.net.0.ipv4.gateway=dev -s lxmgr.net.0.l2proxy=1)
if in_ns ip link add lxtiv link lxtup type ipvlan mode l3s 2>/dev/null; then
	in_ns ip link del lxtiv
	ok 'start an ipvlan with l2proxy' lx start "${ipvlan[@]}" a
	ok 'a neighbour reaches it' nsenter --net="/run/netns/$NS-far" -- ping -c 1 -W 3 192.0.2.60
	says '192.0.2.60' 'the host answers' answers
	lx stop -k a
	is '' 'and no more after its end' answers
	is '' 'nor is a route left' in_ns ip route show 192.0.2.60
	in_ns sysctl -q -w net.ipv4.conf.lxtup.forwarding=0
	says 'sysctl -w net.ipv4.conf.lxtup.forwarding=1' 'what it needs of the link is told' lx start "${ipvlan[@]}" a
	is '' 'and nothing is left of that' in_ns ip route show 192.0.2.60
else
	skip 'l2proxy of an ipvlan' 'this kernel has no CONFIG_IPVLAN'
fi
ip netns del "$NS-far"

# phys without a monitor: whoever stops the container brings the interface home.
phys() { lx start -s lxmgr.net.0.type=phys -s lxmgr.net.0.link=lxtphys -s lxmgr.net.0.name=eth7 a; }
in_ns ip link add lxtphys type veth peer name lxtpeer
for how in 'stop -k' 'stop -t 5' 'destroy -f'; do
	ok 'start with phys' phys
	status 1 'it left the host' has_link lxtphys
	kill -9 "$(monitor_of a)"
	# shellcheck disable=SC2086
	ok "$how without a monitor" lx $how a
	ok 'brings it home' has_link lxtphys
done
netns_finish
