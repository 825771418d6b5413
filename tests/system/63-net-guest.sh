# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# What a guest is told of its network.
. ./lib.sh
. ./netns.sh

# with_resolv LINES COMMAND...: on a host whose resolv.conf has these lines.
with_resolv() {
	printf '%b' "$1" >"$TREE/resolv"
	shift
	in_ns unshare -m bash -c 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"' - "$TREE/resolv" "$@"
}
guest_resolv() { lx attach a -- cat /etc/resolv.conf; }

busybox a
ok 'start' with_resolv 'nameserver 192.0.2.1\n' lxmgr-start -P "$TREE" a
says '^nameserver 192.0.2.1$' "the guest has the host's resolver" guest_resolv
lx stop -k a
ok 'start on a host in another network' with_resolv 'nameserver 127.0.0.1\nnameserver 192.0.2.2\n' lxmgr-start -P "$TREE" a
is $'# Written by lxmgr; remove this line to keep your own.\nnameserver 192.0.2.2' \
	'the guest has the new one, and no loopback address' guest_resolv
lx stop -k a
stub='nameserver 127.0.0.53\noptions edns0\n'
ok 'start where the host has only a stub' with_resolv "$stub" lxmgr-start -P "$TREE" -s "lxmgr.log.file=$TREE/trace" a
says '^nameserver 192.0.2.2$' 'the guest keeps what it had' guest_resolv
if [ -e /run/systemd/resolve/resolv.conf ] || [ -e /run/NetworkManager/no-stub-resolv.conf ] || [ -e /run/dnsmasq/resolv.conf ]; then
	skip 'the trace names the cure' 'this host has what stands behind a stub'
	skip 'doctor names it' 'this host has what stands behind a stub'
else
	says 'no resolver for the container.*lxmgr.nameserver' 'the trace names the cure' cat "$TREE/trace"
	says 'name others: lxmgr.nameserver' 'doctor names it' with_resolv "$stub" lxmgr-doctor
fi
lx stop -k a
ok 'start with resolvers of its own' with_resolv "$stub" lxmgr-start -P "$TREE" -s lxmgr.nameserver=192.0.2.3 a
says '^nameserver 192.0.2.3$' 'they are there' guest_resolv
lx stop -k a

# /etc/hosts: one line is ours.
ok 'start' lx start a
says '^127.0.1.1.a.*kept by lxmgr$' 'its own name is in /etc/hosts' lx attach a -- cat /etc/hosts
lx attach a -- sh -c "sed -i 's/localhost/localhost mine/' /etc/hosts; echo '192.0.2.5 db' >>/etc/hosts"
lx stop -k a
ok 'start under another name' lx start -s lxmgr.uts.name=other.example a
hosts=$(lx attach a -- cat /etc/hosts)
says '^127.0.1.1.other.example other.*kept by lxmgr$' 'the line has the new name' printf %s "$hosts"
says '^192.0.2.5 db$' "the administrator's lines are there" printf %s "$hosts"
says '^127.0.0.1.localhost mine$' 'also an edited one' printf %s "$hosts"
lx stop -k a
says 'resolver +containers ask 192.0.2.1$' 'doctor shows what is reachable' \
	with_resolv 'nameserver 192.0.2.1\n' lxmgr-doctor
netns_finish
