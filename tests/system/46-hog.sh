# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# A container made with no options at all, gone wild. The host goes on, and so do the others.
. ./lib.sh

busybox wild
busybox calm
lx start wild
lx start calm
limit=$(lx info --json wild | jq .pids_limit)
memory=$(lx info --json wild | jq .memory_limit)
ok 'there is a limit of processes without being asked for' test "$limit" -gt 0 -a "$limit" -le 32768
ok 'and one of memory' test "$memory" -gt 0 -a "$memory" -le $((64 << 30))
usable() { # usable WHAT
	ok "$1: the host forks" sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do sh -c "true | true" || exit 1; done'
	ok "$1: another container works" timeout 60 lxmgr-attach -P "$TREE" calm -- sh -c 'true | true'
	ok "$1: ls works" timeout 60 lxmgr-ls -P "$TREE" -f
	ok "$1: a new one starts" timeout 60 lxmgr-start -P "$TREE" third
	ok "$1: and stops" timeout 60 lxmgr-stop -P "$TREE" -k third
}
busybox third

# A fork bomb that is as many as it may be: each process sleeps, so that it is the number that counts.
processes() { lx info --json wild | jq .pids; }
timeout 600 lxmgr-attach -P "$TREE" wild -- sh -c 'b() { while :; do b & sleep 300 & done; }; b' >/dev/null 2>&1 &
bomb=$!
# Thousands of forks take minutes in an emulated machine: it is waited for while they become more.
goes_off() {
	local most=0 now end=$((SECONDS + 60))
	until now=$(processes) && [ "$now" -ge $((limit * 9 / 10)) ]; do
		! [ "$now" -gt "$most" ] || most=$now end=$((SECONDS + 60))
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.1
	done
}
ok 'the bomb goes off' goes_off
ok 'and has its limit' test "$(processes)" -le "$limit"
usable 'a fork bomb'
ok 'freeze' timeout 60 lxmgr-freeze -P "$TREE" wild
usable 'a frozen bomb'
ok 'unfreeze' timeout 60 lxmgr-unfreeze -P "$TREE" wild
ok 'stop -k ends it' timeout 60 lxmgr-stop -P "$TREE" -k wild
kill $bomb 2>/dev/null
wait $bomb 2>/dev/null
is 'STOPPED' 'it is stopped' lx info -s -H wild

# No room for one process more.
lx start -s lxmgr.limit.pids=6 wild
jobs=''
for _ in 1 2 3 4 5 6 7 8; do
	lxmgr-attach -P "$TREE" wild -- sleep 300 >/dev/null 2>&1 &
	jobs="$jobs $!"
done
# On v2 attach itself finds no place; on v1 a process that comes from outside is let in, and may
# not fork there.
no_room() { lx attach wild -- sh -c 'sleep 0 & wait' 2>&1 | grep -E "limit.pids|can't fork"; }
ok 'all places are taken, which is told' eventually no_room
ok 'stop -k needs none' timeout 60 lxmgr-stop -P "$TREE" -k wild
# shellcheck disable=SC2086
wait $jobs

# A memory hog: one process that wants more than it may, then a file in memory that outlives it.
lx start -s lxmgr.limit.memory=256M wild
status 137 'a hog is killed' lx attach wild -- dd if=/dev/zero of=/dev/null bs=400M count=1
usable 'a memory hog'
lx attach wild -- sh -c 'mkdir -p /tmp/m; dd if=/dev/zero of=/dev/shm/x bs=1M count=400' >/dev/null 2>&1
ok 'a file in memory is bounded, too' test "$(lx info --json wild | jq .memory)" -le $((256 << 20))
usable 'a file in memory'
is 'RUNNING' 'the wild one runs' lx info -s -H wild
ok 'stop -k ends it' timeout 60 lxmgr-stop -P "$TREE" -k wild

# The disk by the log of the console: it is bounded.
lx start -s lxmgr.console.size=64K -L "$TREE/.console" wild
lx attach wild -- sh -c 'yes | head -c 4000000 >/dev/console'
ok 'what is written to the console does not fill the disk' test "$(stat -c %s "$TREE/.console")" -le 131072
lx stop -k wild
# /dev cannot be filled beyond its size.
lx start wild
lx attach wild -- sh -c 'dd if=/dev/zero of=/dev/fill bs=1M count=64' >/dev/null 2>&1
ok '/dev is bounded' test "$(lx attach wild -- stat -c %s /dev/fill)" -le 1000000
ok 'inotify watches, keys and such do not keep it from ending' timeout 60 lxmgr-stop -P "$TREE" -k wild
finish
