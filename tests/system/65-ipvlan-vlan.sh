# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016,SC2034
# The types that are a child of an interface of the host. The wire is a veth pair whose other end lies
# in a namespace of the test.
. ./lib.sh

wire=lxw$$ far=lxf$$ ns=lxmgr-test-$$
can() { # can TYPE OPTIONS...: this kernel has it
	ip link add "lxp$$" link "$wire" type "$@" 2>/dev/null && ip link del "lxp$$"
}
busybox a
busybox b
ip netns add "$ns"
# The first one of a host mounts /run/netns, which stays.
# shellcheck disable=SC2034 # for finish
BEFORE=$(host_state | grep -v "^/run/netns/$ns$")
ip link add "$wire" up type veth peer name "$far" netns "$ns"
ip -n "$ns" addr add 10.77.0.1/24 dev "$far"
ip -n "$ns" link set "$far" up
one() { # one CONTAINER TYPE ADDRESS OPTIONS...
	local c=$1 type=$2 addr=$3 o s=()
	shift 3
	for o; do s+=(-s "lxmgr.net.0.$o"); done
	lx start -s "lxmgr.net.0.type=$type" -s "lxmgr.net.0.link=$wire" -s "lxmgr.net.0.ipv4.address=$addr" "${s[@]}" "$c"
}
detail() { nsenter -t "$(lx info -p -H a)" -n ip -d link show dev "${1:-eth0}"; }
pings() { lx attach "$1" -- ping -c 1 -W 3 "$2"; }
pair() { # pair TYPE OPTIONS...: a and b on the wire
	local type=$1
	shift
	one a "$type" 10.77.0.2/24 "$@" && one b "$type" 10.77.0.3/24 "$@"
}
none() {
	lx stop -k a
	lx stop -k b
} 2>/dev/null

if can macvlan; then
	ok 'macvlan' one a macvlan 10.77.0.2/24 macvlan.mode=bridge hwaddr=02:00:00:00:00:77 mtu=1400
	says 'macvlan mode bridge' 'of its mode' detail
	says '02:00:00:00:00:77' 'with its MAC' detail
	says 'mtu 1400' 'and MTU' detail
	ok 'it reaches the wire' pings a 10.77.0.1
	none
	ok 'two in mode private' pair macvlan macvlan.mode=private
	status 1 'do not reach each other' pings a 10.77.0.3
	none
	ok 'two in mode bridge' pair macvlan macvlan.mode=bridge
	ok 'do' pings a 10.77.0.3
	none
	# An interface of the host must not stand in the way of a name inside.
	ok "macvlan with the name of an interface of the host" one a macvlan 10.77.0.2/24 "name=$wire"
	says "^[0-9]*: $wire@" 'has it inside' detail "$wire"
	none
else
	skip 'macvlan' 'this kernel has no macvlan'
fi

if can ipvlan mode l2; then
	ok 'ipvlan' one a ipvlan 10.77.0.2/24 ipvlan.mode=l2
	says 'ipvlan  *mode l2 bridge' 'of its mode' detail
	says "link/ether $(cat "/sys/class/net/$wire/address")" "with its parent's MAC" detail
	ok 'it reaches the wire' pings a 10.77.0.1
	none
	ok 'two in mode l3' pair ipvlan ipvlan.mode=l3
	says 'ipvlan  *mode l3 bridge' 'are that' detail
	ok 'and reach each other' pings a 10.77.0.3
	none
	ok 'two in mode l3s' pair ipvlan ipvlan.mode=l3s
	says 'ipvlan  *mode l3s' 'are that' detail
	none
	ok 'two that are private' pair ipvlan ipvlan.mode=l2 ipvlan.isolation=private
	says 'ipvlan  *mode l2 private' 'are that' detail
	status 1 'and do not reach each other' pings a 10.77.0.3
	none
	ok 'one with vepa' one a ipvlan 10.77.0.2/24 ipvlan.mode=l2 ipvlan.isolation=vepa
	says 'ipvlan  *mode l2 vepa' 'is that' detail
	none
	says "parent's MAC" 'a MAC of its own is refused' one a ipvlan 10.77.0.2/24 hwaddr=02:00:00:00:00:77
	ok 'ipvlan with the name of an interface of the host' one a ipvlan 10.77.0.2/24 "name=$wire"
	says "^[0-9]*: $wire@" 'has it inside' detail "$wire"
	none
else
	skip 'ipvlan' 'this kernel has no ipvlan'
fi

if can vlan id 5; then
	ip -n "$ns" link add link "$far" name "$far.5" type vlan id 5
	ip -n "$ns" addr add 10.77.5.1/24 dev "$far.5"
	ip -n "$ns" link set "$far.5" up
	ok 'vlan' one a vlan 10.77.5.2/24 vlan.id=5
	says 'vlan protocol 802.1Q id 5' 'with its number' detail
	ok 'it reaches the same VLAN' pings a 10.77.5.1
	says 'File exists|already' 'a number is there once' one b vlan 10.77.5.3/24 vlan.id=5
	ok 'another number is another' one b vlan 10.77.0.3/24 vlan.id=6
	status 1 'which reaches neither' pings b 10.77.0.1
	none
	says 'vlan.id' 'the number is needed' one a vlan 10.77.5.2/24
	ok 'vlan with the name of an interface of the host' one a vlan 10.77.5.2/24 vlan.id=5 "name=$wire"
	says "^[0-9]*: $wire@" 'has it inside' detail "$wire"
	ok 'a restart' lx restart a
	none
else
	skip 'vlan' 'this kernel has no vlan'
fi
for type in macvlan ipvlan vlan; do
	says 'nosuch0' "$type: a parent that does not exist is named" lx start -s "lxmgr.net.0.type=$type" -s lxmgr.net.0.link=nosuch0 -s lxmgr.net.0.vlan.id=5 a
	says 'net.0.link' "$type: a parent is needed" lx start -s "lxmgr.net.0.type=$type" -s lxmgr.net.0.vlan.id=5 a
done
ip link del "$wire"
ip netns del "$ns"
finish
