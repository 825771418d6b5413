# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# lxmgr-pid: whose a process of the host is.
. ./lib.sh
. ./lua.sh
need jq lua5.4

field() { lxmgr-pid --json "$1" | jq -r ".[0].$2"; } # field PID FIELD
busybox a
busybox ab
lx start a
lx start ab
init=$(lx info -p -H a)
monitor=$(lx info --json a | jq .monitor_pid)
is "a $TREE 1 false" 'init' echo "$(field "$init" name) $(field "$init" path) $(field "$init" pid_inside) $(field "$init" monitor)"
is ab 'of another, with a longer name' field "$(lx info -p -H ab)" name
is 'a null true' 'the monitor' echo "$(field "$monitor" name) $(field "$monitor" pid_inside) $(field "$monitor" monitor)"
is 'null null' 'one of the host' echo "$(field $$ name) $(field $$ pid_inside)"
lx attach a -- unshare -p -f sleep "6$$" >/dev/null 2>&1 &
attached=$!
sleeper() { pgrep -f "^sleep 6$$\$"; }
eventually sleeper
inner=$(sleeper)
is "a 1" 'one in a namespace of its own is called what that calls it' echo "$(field "$inner" name) $(field "$inner" pid_inside)"
says "^$init +a +1 " 'for people' lxmgr-pid "$init"
says "^$$ +- +- " 'of the host' lxmgr-pid $$
is 3 'several' bash -c "lxmgr-pid $init $monitor | wc -l"
lx stop -k a
wait "$attached"
monitor=$(lx info --json ab | jq .monitor_pid)
lua 'the Lua module tells the same' "
local p = assert(lxmgr.process($monitor)); eq(p.name, 'ab'); eq(p.monitor, true); eq(p.pid_inside, nil)
eq(assert(lxmgr.process($$)).name, nil)"
lx stop -k ab
status 1 'one that has ended' lxmgr-pid "$init"
status 1 'which does not hide the others' bash -c "OUT=\$(lxmgr-pid $init 1); rc=\$?; echo \"\$OUT\" | grep -q '^1 ' && exit \$rc"
status 64 'no number' lxmgr-pid x
status 64 'none' lxmgr-pid
finish
