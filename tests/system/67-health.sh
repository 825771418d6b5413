# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# lxmgr.health.*: in this tree the container's monitor has the checks made.
. ./lib.sh

health() { lx info --json a | jq -e ".health${1-}"; }
pid() { lx info -p -H a; }
restarted() {
	local p
	p=$(pid)
	[ -n "$p" ] && [ "$p" != "$old" ]
}
busybox a
says 'goes from' 'an interval of nothing is refused' lx config -n a lxmgr.health.interval=0
says 'none of: none restart stop kill' 'an action that is none' lx config -n a lxmgr.health.action=pray
lx config -n a 'lxmgr.health.cmd=echo first; printf "it is \033[31mred\n"; test -e /tmp/well'
lx config -n a lxmgr.health.interval=1
lx config -n a lxmgr.health.failures=2
lx start a
lx attach a -- touch /tmp/well
is 'null' 'no check yet is null' bash -c "lxmgr-info -P $TREE --json a | jq .health"
ok 'a check' eventually health
is '"healthy"' 'finds it healthy' health .status
says '^Health: +healthy$' 'in words too' lx info a
ok 'which it is no more' lx attach a -- rm /tmp/well
ok 'unhealthy' eventually health '.status == "unhealthy"'
is '"exit status 1"' 'by its status' health .result
is '"it is \\x1b[31mred"' 'with the last line, escaped' health .output
says '^Health: +unhealthy, [0-9]+ failures in a row: exit status 1: it is .x1b.31mred$' 'in words' lx info a
ok 'well again' lx attach a -- touch /tmp/well
ok 'it is healthy again' eventually health ' | .status == "healthy" and .failures == 0'
lx freeze a
last=$(health .checked)
sleep 3
is "$last" 'a frozen one is not checked' health .checked
lx unfreeze a
lx stop -k a

# A command that hangs is killed, and all that it started.
lx config -n a lxmgr.health.timeout=500ms
lx config -n a 'lxmgr.health.cmd=sleep 4321 & sleep 4321'
lx start a
ok 'one that hangs is a failure' eventually health '.failures >= 1'
says 'no answer within 500 ms' 'which is told' health .result
lx config -n a --unset lxmgr.health.cmd
lx stop -k a
ok 'none of its processes is left' bash -c '! pgrep -f "[s]leep 4321"'

# Actions.
lx config -n a 'lxmgr.health.cmd=test -e /tmp/nowhere'
lx config -n a lxmgr.health.action=restart
lx config -n a lxmgr.stop.timeout=20
lx start a
old=$(pid)
ok 'restart' eventually restarted
lx stop -k a
lx config -n a lxmgr.health.action=stop
lx start a
ok 'stop' lx wait -s STOPPED -t 60 a
lx config -n a lxmgr.health.action=kill
lx start a
ok 'kill' lx wait -s STOPPED -t 60 a
sleep 2
is 'STOPPED' 'it stays stopped' lx info -s -H a
finish
