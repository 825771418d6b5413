# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# lxmgr-plan: limits that many containers have alike.
. ./lib.sh
. ./lua.sh
need jq lua5.4

ETC=${VAR%/var}/etc
PLAN=t$$ OTHER=u$$ PLANS=$ETC/lxmgr/plans
key() { lx config -n "$1" "lxmgr.$2"; }
plan() { printf '%s\n' "${@:2}" >"$PLANS/$1.conf"; } # plan NAME LINE...
made=''
[ -d "$PLANS" ] || { made=1 && mkdir -p "$PLANS"; }
trap 'rm -f "$PLANS/$PLAN.conf" "$PLANS/$OTHER.conf"; [ -z "$made" ] || rmdir "$PLANS"' EXIT

status 64 'one that there is not' lxmgr-plan show "$PLAN"
plan "$PLAN" '# small' '' 'lxmgr.limit.memory = 96M' 'lxmgr.limit.pids=40' ' lxmgr.limit.cpus = 0.5 '
ok 'one is in the list' bash -c "lxmgr-plan list | grep -qx $PLAN"
is 'lxmgr.limit.memory = 96M lxmgr.limit.pids = 40 lxmgr.limit.cpus = 0.5' 'its keys' bash -c "lxmgr-plan show $PLAN | xargs"
is '40' 'as JSON' bash -c "lxmgr-plan --json show $PLAN | jq -r '.keys[\"lxmgr.limit.pids\"]'"
is "$PLAN" 'the list as JSON' bash -c "lxmgr-plan --json list | jq -r '.[] | select(.name == \"$PLAN\") | .name'"
for bad in 'lxmgr.limit.pids = many' 'lxmgr.hook.start = /x' 'lxmgr.limit.pids' 'lxmgr.limit.nothing = 1'; do
	plan "$OTHER" 'lxmgr.limit.memory = 1G' "$bad"
	status 1 "'$bad' is refused" lxmgr-plan show "$OTHER"
	says "$OTHER.conf:2" 'with its place' lxmgr-plan show "$OTHER"
done
plan "$OTHER" 'lxmgr.limit.memory = 1G' 'lxmgr.limit.memory = 2G'
says 'twice' 'two of a key are refused' lxmgr-plan show "$OTHER"
status 64 'a path is no name' lxmgr-plan show ../default

ok 'a container of it' lx create -q -t busybox -n a --plan "$PLAN"
is "$PLAN 100663296 40 0.500" 'has its keys' echo "$(key a plan) $(key a limit.memory) $(key a limit.pids) $(key a limit.cpus)"
ok 'another key of its own counts' lx create -q -t busybox -n b --plan "$PLAN" -s lxmgr.limit.pids=50
is 50 'more than the plan' key b limit.pids
status 64 'of one that there is not' lx create -q -t busybox -n c --plan "no$$"
ok 'nothing is left of that' test ! -e "$TREE/c"
busybox none

is "b ($PLAN): lxmgr.limit.pids: 50 -> 40" 'which one differs' lx plan diff
status 1 'by the status, too' lx plan diff
status 0 'one that does not' lx plan diff a
is "b 50 40" 'as JSON' bash -c "lxmgr-plan -P $TREE --json diff | jq -r '.[] | select(.differences != []) | \"\\(.name) \\(.differences[0].value) \\(.differences[0].plan)\"'"
status 1 'one without a plan' lx plan diff none
says 'has no plan' 'is told' lx plan diff none

lx start a
plan "$PLAN" 'lxmgr.limit.memory = 80M' 'lxmgr.limit.pids = 45' 'lxmgr.limit.cpus ='
is 'lxmgr.limit.memory: 100663296 -> 83886080 lxmgr.limit.pids: 40 -> 45 lxmgr.limit.cpus: 0.500 -> default' 'a dry run' bash -c "lxmgr-plan -P $TREE apply $PLAN a --dry-run | xargs"
is 40 'changes nothing' key a limit.pids
ok 'two at once' lx plan apply "$PLAN" a b -q
is '45 45  ' 'have it' echo "$(key a limit.pids) $(key b limit.pids) $(key a limit.cpus) $(key b limit.cpus)"
is 45 'and the kernel' lx cgroup a pids.max
status 0 'nothing differs' lx plan diff
status 3 'one that there is not, of three' lx plan apply "$PLAN" -q nosuch none
is "$PLAN 45" 'the others have it' echo "$(key none plan) $(key none limit.pids)"
lx attach a -- sh -c 'head -c 50000000 /dev/zero >/dev/shm/used'
plan "$OTHER" 'lxmgr.limit.pids = 60' 'lxmgr.limit.memory = 20M'
if [ ! -e /sys/fs/cgroup/cgroup.controllers ] || [ "$(awk '/^SwapTotal/ { print $2 }' /proc/meminfo)" = 0 ]; then
	status 6 'less than is in use' lx plan apply "$OTHER" a
	is "$PLAN 45 83886080" 'leaves all as it was' echo "$(key a plan) $(key a limit.pids) $(key a limit.memory)"
else
	skip 'less than is in use' 'this host has swap to put it in'
fi
lx stop -k a
rm "$PLANS/$OTHER.conf"
ok 'whose plan is gone' lx config -n b lxmgr.plan="$OTHER"
status 64 'is told' lx plan diff b
lua 'the Lua module does the same' '
local names = assert(lxmgr.plans()); local found = false
for _, n in ipairs(names) do found = found or n == "'"$PLAN"'" end
eq(found, true); eq(assert(lxmgr.plan("'"$PLAN"'"))["lxmgr.limit.pids"], "45")
local c = assert(lxmgr.open("a", P)); assert(c:set("lxmgr.limit.pids", "7"))
local d = assert(c:plan_diff()); eq(#d, 1); eq(d[1].old, "7"); eq(d[1].value, "45")
eq(#assert(c:plan("'"$PLAN"'", {dry_run = true})), 1); assert(c:plan("'"$PLAN"'")); eq(c:get("lxmgr.limit.pids"), "45")
eq(assert(lxmgr.plan_split(2)):match("lxmgr.limit.cpus = %d+%.%d+") ~= nil, true)'

# Parts of the host: N of them are not more than there is.
number() { sed -n "s/^lxmgr.limit.$1 = \\([0-9.]*\\)M\\?$/\\1/p" <<<"$PARTS"; }
for n in 1 3 10; do
	PARTS=$(lx plan split $n)
	total=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
	ok "$n parts: memory" test $(($(number memory) * n)) -lt "$total" -a $(($(number memory) * n)) -gt $((total / 2))
	ok 'CPUs' awk -v c="$(number cpus)" -v n=$n -v all="$(nproc)" 'BEGIN { exit !(c * n <= all && c * n > all * 0.9) }'
	ok 'processes' test $(($(number pids) * n)) -le "$(cat /proc/sys/kernel/pid_max)"
done
lx plan split 10 >"$PLANS/$OTHER.conf"
ok 'which is a plan' lx plan apply "$OTHER" none -q
status 64 'too many parts' lx plan split 1000000
status 64 'none' lx plan split 0
status 64 'no subcommand' lxmgr-plan
status 64 'an unknown one' lxmgr-plan nothing
finish
