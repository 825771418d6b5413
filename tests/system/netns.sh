# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034
# A network namespace as the host: what a test does to links, firewalls and sysctls there touches
# nothing of the real one. Sourced after lib.sh; lx then works in it. Ends with netns_finish.
need ip nsenter jq nft sysctl ping
NS=lxt$$
ip netns add "$NS" || exit 1
# The first one of a host mounts /run/netns, which stays.
BEFORE=$(host_state | grep -v "^/run/netns/$NS$")

in_ns() { nsenter --net="/run/netns/$NS" -- "$@"; }

lx() {
	local verb=$1
	shift
	in_ns "lxmgr-$verb" -P "$TREE" "$@"
}

netns_finish() {
	local name
	for name in $(lx ls -1 2>/dev/null); do
		lx destroy -q -f "$name" >/dev/null 2>&1
	done
	ip netns del "$NS"
	finish
}

in_ns ip link set lo up
