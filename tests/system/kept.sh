# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What tests of booted guests share: a guest has its addresses, keeps them, reboots. Sourced after lib.sh.

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
kept_by_all() { # kept_by_all NAME...
	local r
	for r; do
		kept "$r" || return 1
	done
}
# LXMGR_TEST_LONG: nothing takes the addresses away while nobody looks.
kept_while_idle() { # kept_while_idle NAME...
	if [ -n "${LXMGR_TEST_LONG:-}" ]; then
		idle 300
		ok 'kept for five minutes more' kept_by_all "$@"
	else
		skip 'kept for five minutes more' 'LXMGR_TEST_LONG is not set'
	fi
}

other_init() { # other_init NAME PID
	local p
	p=$(lx info -p -H "$1" 2>/dev/null)
	[ -n "$p" ] && [ "$p" != "$2" ]
}
# From inside; the guest has another init when it returns.
reboot_guest() { # reboot_guest NAME COMMAND...
	local name=$1 init
	shift
	init=$(lx info -p -H "$name")
	inside "$name" -- "$@" >/dev/null 2>&1
	eventually other_init "$name" "$init"
}
# All at once: a clean stop of each.
stop_guests() { # stop_guests NAME...
	local r
	for r; do
		lx stop -t 120 "$r" >"$TREE/stop-$r" 2>&1 &
		echo $! >"$TREE/pid-$r"
	done
	for r; do
		wait "$(cat "$TREE/pid-$r")"
		result $? "$r: a clean stop"
		is '' "$r: without a word" cat "$TREE/stop-$r"
	done
}
