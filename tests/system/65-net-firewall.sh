# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Other firewalls that drop what the bridge forwards: doctor names them, and its cure works as typed.
. ./lib.sh
. ./netns.sh

# A host that forwards, with an uplink and somebody behind it who answers on a port.
ip netns add "$NS-far"
in_ns ip link add lxtup type veth peer name lxtfar netns "$NS-far"
in_ns ip addr add 192.0.2.1/24 dev lxtup
in_ns ip link set lxtup up
in_ns ip route add default via 192.0.2.9
ip -n "$NS-far" addr add 192.0.2.9/24 dev lxtfar
ip -n "$NS-far" link set lo up
ip -n "$NS-far" link set lxtfar up

busybox a
ok 'start' lx start a
reached() { lx attach a -- ping -c 1 -W 1 192.0.2.9; }
ok 'what is behind the uplink is reached' eventually reached
doctor() { in_ns lxmgr-doctor --json | jq -r '.[] | select(.name == "firewall") | .text + "\t" + .cure'; }
is $'none drops what the bridge forwards\t' 'doctor: no firewall drops' doctor

# blocked WHO: it is not reached, doctor says WHO, and with what it tells to type it is reached again.
blocked() {
	status 1 "$1: not reached" reached
	says "$1" "$1: doctor names it" doctor
	doctor | cut -f 2 >"$TREE/cure"
	ok "$1: its cure can be typed" in_ns sh -e "$TREE/cure"
	ok "$1: it is reached" reached
	is $'none drops what the bridge forwards\t' "$1: doctor is content" doctor
}

in_ns nft 'table inet wall { chain forwarding { type filter hook forward priority 5; policy drop; }; }'
blocked 'the nftables chain inet wall forwarding drops'
in_ns nft delete table inet wall
in_ns nft 'table inet wall { chain forwarding { type filter hook forward priority 5;
	ct state established,related accept; iifname "docker0" accept; reject with icmpx admin-prohibited; }; }'
blocked 'the nftables chain inet wall forwarding rejects'
in_ns nft delete table inet wall

for kind in nft legacy; do
	if ! command -v iptables-$kind >/dev/null || ! in_ns iptables-$kind -P FORWARD DROP 2>/dev/null; then
		skip "iptables-$kind" 'it is not installed or not in this kernel'
		continue
	fi
	name=iptables
	[ $kind = nft ] || name=iptables-legacy
	blocked "FORWARD of $name drops"
	in_ns iptables-$kind -F FORWARD
	in_ns iptables-$kind -P FORWARD ACCEPT
	in_ns iptables-$kind -A FORWARD ! -i docker0 -j REJECT
	blocked "FORWARD of $name rejects"
	in_ns iptables-$kind -F FORWARD
	# As Docker does it.
	in_ns iptables-$kind -N DOCKER-USER
	in_ns iptables-$kind -A FORWARD -j DOCKER-USER
	in_ns iptables-$kind -P FORWARD DROP
	blocked 'the rules of Docker drop'
	says 'lxmgrbr0' 'the cure stands where Docker keeps it' in_ns iptables-$kind -S DOCKER-USER
	in_ns iptables-$kind -P FORWARD ACCEPT
	in_ns iptables-$kind -F
	in_ns iptables-$kind -X DOCKER-USER
done
lx stop -k a
ip netns del "$NS-far"
netns_finish
