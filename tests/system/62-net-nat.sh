# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# NAT stays while a container runs, whatever other firewalls do, and a host without NAT starts them.
. ./lib.sh
. ./netns.sh

has_nat() { in_ns nft list chain inet lxmgr postrouting | grep -q masquerade; }
monitor() { lx info --json a | jq -r .monitor_pid; }
# Dirty: its program's own pages are shared as soon as there is a second monitor.
private_kb() { awk '/^Private_Dirty/ { n += $2 } END { print n }' "/proc/$(monitor)/smaps_rollup"; }

busybox a
ok 'start' lx start a
ok 'NAT is there' has_nat
in_ns nft flush ruleset
ok 'it is back after a flush' eventually has_nat
# As `systemctl reload nftables` does it: one transaction that flushes and loads another ruleset.
printf '%s\n' 'flush ruleset' 'table inet filter {' \
	'chain input { type filter hook input priority 0; policy accept; }' '}' >"$TREE/rules"
for _ in 1 2 3; do
	in_ns nft -f "$TREE/rules"
done
ok 'and after a reload' eventually has_nat
says 'hook input' 'the other ruleset is there too' in_ns nft list table inet filter
# More at once than the socket holds.
{
	for i in $(seq 400); do
		printf 'table inet t%s {\nchain c { }\n}\n' "$i"
	done
	echo 'flush ruleset'
} >"$TREE/rules"
in_ns nft -f "$TREE/rules"
ok 'and after one with hundreds of tables' eventually has_nat
ok 'the monitor that watches has at most 64 kB of its own' test "$(private_kb)" -le 64
lx stop -k a

# Between the start's look and the monitor's first there is a moment.
printf '#!/bin/sh\nnft flush ruleset\n' >"$TREE/flush"
chmod +x "$TREE/flush"
ok 'start while somebody flushes' lx start -s "lxmgr.hook.start-host=$TREE/flush" a
ok 'NAT is there all the same' eventually has_nat
helper=$(readlink "/proc/$(monitor)/exe")
helper=${helper%/*}/lxmgr-nft
lx stop -k a

# The helper that makes the table fails, as it does where the kernel lacks a part of nftables.
without_nat() {
	in_ns unshare -m bash -c 'mount --bind /bin/false "$1" && shift && exec "$@"' - "$helper" "$@"
}
in_ns nft flush ruleset
ok 'without NAT it starts' without_nat lxmgr-start -P "$TREE" -s "lxmgr.log.file=$TREE/trace" a
says 'no NAT for the containers on .lxmgrbr0.*modprobe -a nf_tables' 'the trace names the cure' \
	cat "$TREE/trace"
status 1 'there is no NAT' has_nat
ok 'the host reaches it' in_ns ping -c 1 -W 3 "$(lx info --json a | jq -r '.addresses[0].address')"
says '^ *notice +NAT +cannot be made' 'doctor says so' without_nat lxmgr-doctor
lx stop -k a
says 'NAT .*made when the first container starts' 'and nothing where it can be made' in_ns lxmgr-doctor
netns_finish
