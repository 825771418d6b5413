# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# The states as wait, monitor, ls and info tell them, and a container whose monitor is gone.
# In machines: check-vm-full.
. ./lib.sh

state() { lx info -s -H a; }
# A time that only our own sleeps have.
long=$((100000 + $$))
busybox a
busybox b
log=$TREE/.log
told() { grep -qxF "$1" "$log"; }

lxmgr-monitor -P "$TREE" >"$log" 2>&1 &
all=$!
lxmgr-monitor -P "$TREE" 'b|c.*' >"$log.b" 2>&1 &
only=$!
lxmgr-monitor -P "$TREE" --json -n a >"$log.json" 2>&1 &
json=$!
watches() { [ "$(grep -lc inotify /proc/$all/fdinfo/* /proc/$only/fdinfo/* /proc/$json/fdinfo/* 2>/dev/null | wc -l)" -ge 3 ]; }
ok 'three monitors watch' eventually watches
lxmgr-wait -P "$TREE" a -s 'RUNNING|FROZEN' -t 30 &
running=$!
lxmgr-wait -P "$TREE" a -s FROZEN -t 30 &
frozen=$!
ok 'start' lx start a
ok 'monitor tells of RUNNING' eventually told "'a' changed state to [RUNNING]"
wait $running
is 0 'wait for one of two states returned at the first' echo $?
lxmgr-attach -P "$TREE" a -- sh -c "while :; do : $TREE; done" &
spins() { loop=$(pgrep -f "^sh -c while :; do : $TREE"); }
ok 'something spins in it' eventually spins
spins
ok 'freeze' lx freeze a
is 'FROZEN' 'info tells' state
is 'a' 'ls --frozen' lx ls -1 --frozen
is '' 'ls --running' lx ls -1 --running
is 'a' 'ls --active' lx ls -1 --active
ok 'monitor tells of FROZEN' eventually told "'a' changed state to [FROZEN]"
wait $frozen
is 0 'so does wait' echo $?
is '0' 'the processes stand still' bash -c "a=\$(awk '{ print \$14 + \$15 }' /proc/$loop/stat); sleep 0.5; b=\$(awk '{ print \$14 + \$15 }' /proc/$loop/stat); echo \$((b - a))"
ok 'freezing it again is no error' lx freeze a
ok 'wait for a state that it is in returns' lx wait -s 'STOPPED|FROZEN' -t 5 a
status 1 'wait for THAWED times out' lx wait -s THAWED -t 1 a
ok 'unfreeze' lx unfreeze a
is 'RUNNING' 'it runs' state
ok 'unfreezing it again is no error' lx unfreeze a
ok 'freeze once more' lx freeze a
ok 'a clean stop of a frozen one' lx stop -t 10 a
ok 'monitor tells of STOPPED' eventually told "'a' changed state to [STOPPED]"
status 4 'a stopped one cannot be frozen' lx freeze a
status 4 'nor unfrozen' lx unfreeze a
status 3 'one that does not exist neither' lx freeze nosuch
ok 'start the other' lx start b
ok 'monitor with a pattern tells of it' eventually grep -qxF "'b' changed state to [RUNNING]" "$log.b"
is '' 'and of nobody else' grep "'a'" "$log.b"
kill $all $only $json
wait $all $only $json 2>/dev/null
ok 'each line of monitor --json is an object' bash -c "jq -es 'length > 3 and all(.name == \"a\" and (.state | length > 0) and .time > 1e9)' $log.json"
is '' 'states are not told twice' uniq -d "$log"
status 64 'monitor with a broken pattern' lxmgr-monitor -P "$TREE" '('
status 64 'wait for no such state' lx wait -s SLEEPING a
status 64 'wait without a state' lx wait a
status 3 'wait for no such container' lx wait -s STOPPED nosuch
lx stop -k b

# One that does not want to stop, and is left alone.
lx start b -- sh -c 'trap "" 1 2 10 12 15 30; while :; do sleep 0.2; done'
says 'left alone' 'stop --nokill gives up' lx stop -t 1 --nokill b
is 'RUNNING' 'and it runs, as before' lx info -s -H b
lx stop -k b

# Without its monitor: everything that needs none goes on, what needs one says so.
lose() { # the monitor is killed
	local m
	m=$(lx info --json a | jq .monitor_pid)
	kill -9 "$m"
	eventually sh -c "! kill -0 $m"
}
lx start a
lose
is 'RUNNING' 'without its monitor it runs' state
says '^a +RUNNING' 'ls shows it' lx ls -f -F NAME,STATE
is 'null' 'info --json has no monitor' bash -c "lxmgr-info -P $TREE --json a | jq .monitor_pid"
says 'Monitor: +gone' 'info says so' lx info a
is '7' 'attach' bash -c "lxmgr-attach -P $TREE a -- sh -c 'exit 7'; echo \$?"
ok 'freeze' lx freeze a
is 'FROZEN' 'is seen' state
ok 'unfreeze' lx unfreeze a
ok 'cgroup' lx cgroup a pids.max
ok 'device' lx device a add /dev/null /dev/null7
says 'no monitor' 'console says why not' lx console -q a
status 4 'it cannot be started again' lx start a
status 4 'nor destroyed without -f' lx destroy a
lxmgr-wait -P "$TREE" a -s STOPPED -t 30 &
waiting=$!
ok 'a halt from inside' lx attach a -- poweroff
wait $waiting
is 0 'wait sees its end' echo $?
is 'STOPPED' 'info too' state
ok 'it starts again at once' lx start a
is "$(lx info --json a | jq .monitor_pid)" 'with a monitor' bash -c "pgrep -f '^lxmgr-supervise a $TREE'"
lose
ok 'restart without a monitor' lx restart a
ok 'has one again' bash -c "lxmgr-info -P $TREE --json a | jq -e .monitor_pid"
lose
status 4 'stop -r is refused, since nobody would start it again' lx stop -r -t 10 a
is 'RUNNING' 'and it runs on' state
ok 'destroy -f' lx destroy -q -f a

# A start that hangs in a hook, with its tool and without.
for type in pre-start start-host mount start; do
	busybox c -s lxmgr.hook.version=1 -s "lxmgr.hook.$type=/bin/sleep $long"
	lxmgr-start -P "$TREE" c >/dev/null 2>&1 &
	pid=$!
	ok "a hook $type hangs" eventually pgrep -f "^/bin/sleep $long"
	is 'STARTING' 'it is STARTING' lx info -s -H c
	case $type in start-host | start) kill -9 $pid ;; esac
	ok 'stop -k ends it' timeout 30 lxmgr-stop -P "$TREE" -k c
	wait $pid 2>/dev/null
	is 'STOPPED' 'it is stopped' lx info -s -H c
	ok 'the hook is gone, too' eventually sh -c "! pgrep -f '^/bin/sleep $long'"
	ok 'destroy' lx destroy c
done
busybox c -s lxmgr.hook.version=1 -s "lxmgr.hook.post-stop=/bin/sleep $long"
lx start c
lx attach c -- poweroff
ok 'a hook post-stop hangs' eventually pgrep -f "^/bin/sleep $long"
ok 'destroy -f works all the same' timeout 80 lxmgr-destroy -P "$TREE" -q -f c
ok 'the hook is gone, too' eventually sh -c "! pgrep -f '^/bin/sleep $long'"
# The monitor takes init along, when it was told to.
busybox d -s lxmgr.monitor.signal.pdeath=SIGKILL
ok 'start with a death signal' lx start d
kill -9 "$(lx info --json d | jq .monitor_pid)"
no_init() { [ "$(lx info -s -H d)" = STOPPED ]; }
ok 'init dies with its monitor' eventually no_init
finish
