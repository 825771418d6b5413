# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
. ./lib.sh

addr() { lx info --json deb | jq -r ".addresses[] | select(.family == \"$1\") | .address"; }
other_init() {
	local p
	p=$(lx info -p -H deb)
	[ -n "$p" ] && [ "$p" != "$before" ]
}
# Emulated, the template takes minutes: unless all is wanted, what it made is taken there.
template=debian
! in_haste || template=$DEBIAN
ok "create a Debian container by $template" lx create -q -t "$template" -n deb --password secret
ok 'start it' lx start deb
is running 'systemd comes up' came_up deb
is '' 'no unit failed' lx attach deb -- systemctl --failed --no-legend
is 'systemd' 'systemd is its init' lx attach deb -- cat /proc/1/comm
is 'deb' 'its own host name' lx attach deb -- hostname
v4=$(addr ipv4) v6=$(addr ipv6)
ok 'the host pings its IPv4 address' ping -c 1 -W 3 "$v4"
ok 'and its IPv6 address' ping -c 1 -W 3 "$v6"
ok 'the network service restarts' lx attach deb -- systemctl restart systemd-networkd
sleep 3
says "$v4" 'and keeps the address' lx attach deb -- ip -4 addr show eth0
says "$v6" 'IPv6 too' lx attach deb -- ip -6 addr show eth0
says 'default' 'and the route' lx attach deb -- ip route
says '^root:\$y\$' 'root has the password' lx attach deb -- grep ^root /etc/shadow
says nameserver 'it has a resolver' lx attach deb -- cat /etc/resolv.conf
if [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; then
	says 'memory' 'systemd has controllers to hand on' lx attach deb -- cat /sys/fs/cgroup/system.slice/cgroup.controllers
	says 'oom-kill' 'the limit of a unit acts' lx attach deb -- sh -c 'systemd-run --wait -p MemoryMax=16M -p MemorySwapMax=0 -u hog dd if=/dev/zero of=/dev/null bs=100M count=1; systemctl show -p Result hog'
	is '' 'no process is beside its units' lx attach deb -- cat /sys/fs/cgroup/cgroup.procs
else
	skip 'limits of units' 'this host hands on no controllers: it has v1 hierarchies'
fi
before=$(lx info -p -H deb)
lx attach deb -- systemctl reboot >/dev/null 2>&1
ok 'a reboot from inside gives another init' eventually other_init
is running 'and comes up again' came_up deb
ok 'a clean stop' lx stop -t 30 deb
finish
