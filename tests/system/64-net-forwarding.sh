# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# The host forwards for containers, and for nobody else where that is enough.
. ./lib.sh
. ./netns.sh
need python3

value() { in_ns sysctl -n "net.$1"; }
# On and off again: only a change reaches the interfaces.
off() {
	in_ns sysctl -q -w net.ipv4.ip_forward=1 net.ipv4.ip_forward=0 \
		net.ipv6.conf.all.forwarding=1 net.ipv6.conf.all.forwarding=0
}
start() { lx start -s "lxmgr.log.file=$TREE/trace" a; }
global='ipv4.ip_forward ipv6.conf.all.forwarding'
force=ipv6.conf.lxmgrbr0.force_forwarding

busybox a
off
says 'IPv4 forwarding +off until the first container starts' 'doctor: before the first start' in_ns lxmgr-doctor
ok 'start on a host without another interface' start
is 0 'IPv4 forwarding of the host stays off' value ipv4.ip_forward
is 1 'the bridge forwards' value ipv4.conf.lxmgrbr0.forwarding
says 'IPv4 forwarding +on for lxmgrbr0; the host.s own is off' 'doctor says so' in_ns lxmgr-doctor
if [ "$(value $force 2>/dev/null)" = 1 ]; then
	is 0 'and IPv6 forwarding too' value ipv6.conf.all.forwarding
else
	is 1 'IPv6 forwarding is on: this kernel has none for an interface' value ipv6.conf.all.forwarding
fi
lx stop -k a

# An uplink with somebody behind it, who knows no way to the containers.
ip netns add "$NS-far"
in_ns ip link add lxtup type veth peer name lxtfar netns "$NS-far"
in_ns ip addr add 192.0.2.1/24 dev lxtup
in_ns ip addr add 2001:db8::1/64 dev lxtup nodad
in_ns ip link set lxtup up
in_ns ip route add default via 192.0.2.9
in_ns ip -6 route add default via 2001:db8::9
ip -n "$NS-far" addr add 192.0.2.9/24 dev lxtfar
ip -n "$NS-far" addr add 2001:db8::9/64 dev lxtfar nodad
ip -n "$NS-far" link set lxtfar up
inside() { eventually lx attach a -- ping -c 1 -W 2 "$1"; }

# It forwards by itself: nothing else is needed.
off
in_ns sysctl -q -w net.ipv4.conf.lxtup.forwarding=1
[ -z "$(value $force 2>/dev/null)" ] || in_ns sysctl -q -w net.ipv6.conf.lxtup.force_forwarding=1
ok 'start with an uplink that forwards' start
is 0 'IPv4 forwarding of the host stays off' value ipv4.ip_forward
ok 'the container reaches what is behind the uplink' inside 192.0.2.9
ok 'with IPv6 too' inside 2001:db8::9
lx stop -k a

# It does not: the host has to, and it lives by a route that a router advertises.
off
in_ns sysctl -q -w net.ipv6.conf.lxtup.accept_ra=1 net.ipv6.conf.lxtup.accept_ra_defrtr=1
cat >"$TREE/.advertise" <<'EOT'
import socket, struct
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lxtfar")
s.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0), ("ff02::1", 0, 0, socket.if_nametoindex("lxtfar")))
EOT
advertise() {
	ip netns exec "$NS-far" python3 "$TREE/.advertise"
	in_ns ip -6 route show default dev lxtup proto ra | grep -q 'via fe80'
}
ok 'a router advertises itself' eventually advertise
says "IPv4 forwarding +off for lxmgrbr0" 'doctor: somebody switched it off' in_ns lxmgr-doctor
ok 'start with an uplink that does not forward' start
for key in $global; do
	is 1 "$key is on" value "$key"
done
says "IPv4 forwarding is switched on for the whole host .net.ipv4.ip_forward = 1.: .*'lxtup'" \
	'the trace says why' cat "$TREE/trace"
is 2 'the uplink goes on taking router advertisements' value ipv6.conf.lxtup.accept_ra
says 'via fe80' 'the advertised route is still there' in_ns ip -6 route show default dev lxtup proto ra
in_ns ip -6 route flush proto ra
ok 'and comes again with the next advertisement' eventually advertise
ok 'the container reaches what is behind the uplink' inside 192.0.2.9
ok 'with IPv6 too' inside 2001:db8::9
says 'IPv4 forwarding +on for the whole host' 'doctor says so' in_ns lxmgr-doctor
off
in_ns sysctl -q -w net.ipv4.conf.lxmgrbr0.forwarding=1
says "IPv4 forwarding +'lxtup' does not forward" 'doctor: an uplink that was closed later' in_ns lxmgr-doctor
says 'sysctl -w net.ipv4.ip_forward=1' 'with the cure' in_ns lxmgr-doctor
lx stop -k a
ip netns del "$NS-far"
netns_finish
