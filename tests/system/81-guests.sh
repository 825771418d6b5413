# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Debian 11, 12 and 13 as unprivileged containers: each comes up with no failed unit, and keeps its
# address whatever its own network service does. LXMGR_TEST_LONG: also through five minutes of waiting.
. ./lib.sh
releases='bullseye bookworm trixie'

inside() { lx attach "$@" </dev/null; }
address() { lx info --json "$1" | jq -r ".addresses[] | select(.family == \"$2\") | .address"; }
# Everything that a neighbour needs of a guest.
kept() {
	local v4 v6
	v4=$(address "$1" ipv4) v6=$(address "$1" ipv6)
	[ -n "$v4" ] && [ -n "$v6" ] || { echo "$1: no address in info"; return 1; }
	inside "$1" -- ip -o addr show eth0 | grep -F "$v4/" || { echo "$1: $v4 is gone"; return 1; }
	inside "$1" -- ip -o addr show eth0 | grep -F "$v6/" || { echo "$1: $v6 is gone"; return 1; }
	inside "$1" -- ip -4 route | grep '^default' || { echo "$1: no default route"; return 1; }
	inside "$1" -- ip -6 route | grep '^default' || { echo "$1: no default route of IPv6"; return 1; }
	ping -q -c 1 -W 10 "$v4" && ping -q -c 1 -W 10 "$v6"
}
kept_by_all() {
	local r
	for r in $releases; do
		kept "$r" || return 1
	done
}

for r in $releases; do
	ok "$r: create" lx create -q -t "$DEBIAN" -n "$r" -- --release "$r"
	ok "$r: start" lx start "$r"
done
for r in $releases; do
	is running "$r: comes up" came_up "$r"
	is '' "$r: no unit failed" inside "$r" -- systemctl --failed --no-legend --plain
	ok "$r: has its addresses and routes" kept "$r"
	# No client of DHCP, no address that a lease or an advertisement could let end.
	is '' "$r: no address ends by itself" inside "$r" -- \
		sh -c 'ip -o addr show eth0 scope global | grep -v "valid_lft forever"'
	is 0 "$r: advertisements of routers count for nothing" inside "$r" -- cat /proc/sys/net/ipv6/conf/eth0/accept_ra
done
for event in 'systemctl restart systemd-networkd' 'networkctl reload' 'networkctl renew eth0' 'networkctl reconfigure eth0'; do
	for r in $releases; do
		# shellcheck disable=SC2086
		inside "$r" -- $event >/dev/null 2>&1
	done
	for r in $releases; do
		inside "$r" -- /lib/systemd/systemd-networkd-wait-online -i eth0 --timeout=60 >/dev/null 2>&1
	done
	ok "kept through: $event" kept_by_all
done
if [ -n "${LXMGR_TEST_LONG:-}" ]; then
	idle 300
	ok 'kept for five minutes more' kept_by_all
else
	skip 'kept for five minutes more' 'LXMGR_TEST_LONG is not set'
fi
for r in $releases; do
	lx stop -t 120 "$r" >"$TREE/stop-$r" 2>&1 &
	echo $! >"$TREE/pid-$r"
done
for r in $releases; do
	wait "$(cat "$TREE/pid-$r")"
	result $? "$r: a clean stop"
	is '' "$r: without a word" cat "$TREE/stop-$r"
done
finish
