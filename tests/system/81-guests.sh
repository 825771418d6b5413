# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016,SC2086
# Debian 11, 12 and 13 as unprivileged containers: each comes up with no failed unit, and keeps its
# address whatever its own network service does. LXMGR_TEST_LONG: also through five minutes of waiting.
. ./lib.sh
. ./kept.sh
releases='bullseye bookworm trixie'

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
		inside "$r" -- $event >/dev/null 2>&1
	done
	for r in $releases; do
		inside "$r" -- /lib/systemd/systemd-networkd-wait-online -i eth0 --timeout=60 >/dev/null 2>&1
	done
	ok "kept through: $event" kept_by_all $releases
done
kept_while_idle $releases
stop_guests $releases
finish
