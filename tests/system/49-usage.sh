# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# lxmgr-usage: what a container has of each resource, and what it was refused, with the reason.
. ./lib.sh
. ./lua.sh
need jq lua5.4

of() { # of RESOURCE FIELD: of the container a
	lx usage --json a | jq -r --arg r "$1" ".[0].resources[] | select(.resource == \$r) | .$2"
}
is_more() { # is_more RESOURCE FIELD THAN
	local v
	v=$(of "$1" "$2")
	[[ $v =~ ^[0-9]+$ ]] && [ "$v" -gt "$3" ]
}
now_more() { eventually is_more "$@"; }
rows() { lx usage a "$@" | awk 'NR > 1 { print $2 }' | tr '\n' ' '; }

busybox a -s lxmgr.limit.memory=64M -s lxmgr.limit.pids=30 -s lxmgr.limit.cpus=0.2
busybox b
status 3 'no such container' lxmgr-usage -P "$TREE" none
status 64 'two names' lxmgr-usage -P "$TREE" a b
is '' 'a stopped one has nothing but its disk' bash -c "lxmgr-usage -P $TREE a | awk 'NR > 1 && \$2 != \"disk\" && \$2 != \"inodes\"'"
lx start a
lx start b
is '67108864 30 200' 'limits' echo "$(of memory limit) $(of pids limit) $(of cpus limit)"
is 'null' 'b has no limit of CPUs' bash -c "lxmgr-usage -P $TREE --json b | jq '.[0].resources[] | select(.resource == \"cpus\") | .limit'"
is '0 0 0' 'nothing was refused' echo "$(of memory fails) $(of pids fails) $(of memory.oom fails)"
# It may be held back on its way up.
is '' 'nor is told' bash -c "lxmgr-usage -P $TREE a --failed | awk 'NR > 1 && \$2 != \"cpus\"'"
ok 'it has memory' is_more memory current 0
ok 'and had at least as much' bash -c "[ $(of memory peak) -ge $(of memory current) ]"
ok 'it has processes' is_more pids current 0
ok 'it has used CPU time' is_more cpu.time current 0
is 'memory pids ' 'two of them' rows -r memory -r pids
is 'cpu.time cpu.throttled ' 'a group of them' bash -c "lxmgr-usage -P $TREE a -r cpu. | awk 'NR > 1 && \$2 != \"cpu.stalled\" { print \$2 }' | tr '\n' ' '"
is '' 'none of a name that there is not' rows -r nosuch
says '^a +memory +[0-9.]+ [KMG]iB +[0-9.]+ [KMG]iB +64.00 MiB +0$' 'for people' lx usage a
says '^a +memory +[0-9]+ +[0-9]+ +67108864 +0$' 'for scripts' lx usage -H a
says '^a +cpus +- +- +0.200 +' 'CPUs' lx usage a
is 'a b' 'without a name all' bash -c "lxmgr-usage -P $TREE --json | jq -r '[.[].name] | join(\" \")'"

# Each limit, and what tells of it.
lx attach a -- sh -c 'for i in $(seq 60); do sleep 2 & done' 2>/dev/null
ok 'forks were refused' now_more pids fails 0
is 'pids ' 'that is told, and nothing else' bash -c "lxmgr-usage -P $TREE a -f | awk 'NR > 1 && \$2 != \"cpus\" { print \$2 }' | tr '\n' ' '"
is '' 'not of the other' bash -c "lxmgr-usage -P $TREE b -f | sed 1d"
few() { [ "$(of pids current)" -lt 10 ]; }
ok 'they end' eventually few
lx attach a -- timeout 1 sh -c 'while :; do :; done'
ok 'it was held back' now_more cpus fails 0
ok 'for some time' is_more cpu.throttled current 0
lx set -q a --cpus=
is 'null' 'a limit that was taken away is none' of cpus limit
lx attach a -- dd if=/dev/zero of=/dev/null bs=100M count=1 2>/dev/null
ok 'memory ran out' now_more memory fails 0
ok 'and a process was killed' now_more memory.oom fails 0
if [ -e /proc/pressure/cpu ]; then
	ok 'waiting is counted' is_more cpu.stalled current 0
else
	skip 'waiting is counted' 'no PSI in this kernel'
fi
lua 'the Lua module tells the same' '
local u = assert(assert(lxmgr.open("a", P)):usage())
eq(u.pids.limit, 30); eq(u.memory.limit, 67108864); eq(u.memory.unit, "bytes"); eq(u.cpus.limit, nil)
assert(u.pids.fails > 0 and u["memory.oom"].fails > 0)'

# The tenant sees the same, in a file that is written when it is opened.
table() { lx attach a -- cat /dev/lxmgr/usage; }
row() { table | awk -v r="$1" '$1 == r { print $6 }'; } # row RESOURCE: its fails
ok 'a table inside' bash -c "lxmgr-attach -P '$TREE' a -- test -r /dev/lxmgr/usage"
says '^# 20[0-9-]+T[0-9:]+Z$' 'with the time' table
says '^resource +unit +current +peak +limit +fails$' 'and what its columns are' table
says '^pids +processes +[0-9]+ +([0-9]+|-) +30 +[0-9]+$' 'tells limits' table
ok 'and what was refused' test "$(row pids)" -gt 0 -a "$(row memory.oom)" -gt 0
is "$(of pids fails) $(of memory.oom fails)" 'the same numbers as outside' echo "$(row pids) $(row memory.oom)"
had=$(row pids)
lx attach a -- sh -c 'for i in $(seq 60); do sleep 1 & done' 2>/dev/null
refused_more() { [ "$(row pids)" -gt "$had" ]; }
ok 'more refusals are there within a moment' eventually refused_more
status 1 'it cannot be written' lx attach a -- sh -c 'echo 1 >/dev/lxmgr/usage'
status 1 'nor deleted' lx attach a -- rm -f /dev/lxmgr/usage
ok 'they end' eventually few
# Two thousand openings are as many tables as seconds pass, and one more at either end.
said=$(lx attach a -- sh -c 's=$(date +%s); for i in $(seq 2000); do read -r a b </dev/lxmgr/usage; echo "$b"; done | sort -u | wc -l; echo $(($(date +%s) - s + 2))')
# shellcheck disable=SC2086
set -- $said
ok 'whoever opens it without end has one table a second' test "$1" -ge 1 -a "$1" -le "$2"
# Without whom it is written it is as it was, and nobody waits.
kill -9 "$(lx info --json a | jq .monitor_pid)"
says '^pids ' 'its monitor is dead: it can be read' timeout 60 lxmgr-attach -P "$TREE" a -- cat /dev/lxmgr/usage
# The program that writes it hangs: who opens the file waits for it, but not for ever.
program=$(dirname "$(type -P lxmgr-usage)")/../libexec/lxmgr/lxmgr-table
busybox c
printf '#!/bin/sh\nsleep 20\n' >"$TREE/.hangs"
chmod 755 "$TREE/.hangs"
# shellcheck disable=SC2016
unshare --mount --propagation private sh -c 'mount --bind "$1" "$2" && exec lxmgr-start -P "$3" c' x "$TREE/.hangs" "$program" "$TREE" ||
	result 1 'start with a program that hangs'
is 0 'it is not waited for without end' timeout 15 lxmgr-attach -P "$TREE" c -- sh -c 'wc -c </dev/lxmgr/usage'
is RUNNING 'its monitor goes on' lx info -s -H c

# One that cannot be read does not hide the others.
mkdir "$TREE/broken"
echo 'lxmgr.nonsense = 1' >"$TREE/broken/config"
says '^b +memory ' 'beside a broken one' lx usage
finish
