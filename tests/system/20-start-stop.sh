# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
. ./lib.sh

pid() { lx info -p -H a; }
other_init() {
	local p
	p=$(pid)
	[ -n "$p" ] && [ "$p" != "$before" ]
}
busybox a
busybox d..t
ok 'start one with dots in its name' lx start d..t
ok 'attach to it' lx attach d..t -- true
ok 'and stop it' lx stop -k d..t
ok 'start' lx start a
is 'RUNNING' 'it runs' lx info -s -H a
status 4 'starting it again is refused' lx start a
ok 'wait for RUNNING returns' lx wait -s 'RUNNING|STOPPED' -t 5 a
status 1 'wait for another state times out' lx wait -s STOPPED -t 1 a
ok 'a clean stop' lx stop -t 10 a
is 'STOPPED' 'it is stopped' lx info -s -H a
status 2 'stopping it again says so' lx stop a
says '^idmap: u 0 [0-9]+ 65536' 'the plan is printed' lx start --dry-run a
is 'STOPPED' 'and nothing was started' lx info -s -H a
ok 'start again' lx start a
ok 'stop -k' lx stop -k a
ok 'restart of a stopped one' lx restart a
ok 'restart of a running one' lx restart a
before=$(pid)
dir=$(run_dir a)
exec {held}<"$dir"
ok 'a reboot from inside' lx attach a -- reboot
ok 'gives another init' eventually other_init
ok 'its state was there all the time: nobody takes it for stopped meanwhile' test "/proc/$$/fd/$held" -ef "$dir"
exec {held}<&-
ok 'which runs' lx wait -s RUNNING -t 10 a
ok 'stop -r reboots' lx stop -r -t 20 a
ok 'freeze' lx freeze a
is 'FROZEN' 'it is frozen' lx info -s -H a
status 125 'attach to a frozen one is refused' lx attach a -- true
ok 'unfreeze' lx unfreeze a
ok 'attach works again' lx attach a -- true
ok 'freeze again' lx freeze a
ok 'a frozen one can be killed' lx stop -k a

# The monitor is killed: the container runs on and can be managed.
lx start a
kill -9 "$(lx info --json a | jq .monitor_pid)"
is 'RUNNING' 'without its monitor it runs' lx info -s -H a
gone() { lx info a | grep -qE 'Monitor: +gone'; }
ok 'info says so' eventually gone
ok 'attach works' lx attach a -- true
ok 'stop works' lx stop -t 10 a
ok 'and it starts again' lx start a
kill -9 "$(lx info --json a | jq .monitor_pid)" "$(pid)"
ok 'monitor and init killed: it starts' eventually lx start a
lx stop -k a
lx start a &
lx start a
first=$?
wait $!
ok 'two starts at once: one wins' test $((first + $?)) = 4
lx stop -k a
for i in 1 2 3 4 5 6 7 8 9 10; do
	lx start a && lx stop -k a || break
done
ok 'ten times in a row' test "$i" = 10

ok 'start with -s' lx start -s lxmgr.uts.name=other a
is 'other' 'it counts' lx attach a -- hostname
is 'other' 'and is told' lx info -H -c lxmgr.uts.name a
lx stop -k a
says 'key .lxmgr.uts.name.' 'a bad value is refused by key' lx start -s lxmgr.uts.name=-bad a
status 3 'a foreground start ends as the command' lx start -F a -- /bin/sh -c 'exit 3'
is 'STOPPED' 'and is over' lx info -s -H a

# A step that fails leaves nothing; the leak check at the end looks.
# shellcheck disable=SC2046 # words
for s in $(places $(sed -n 's/^\t{ "\([a-z-]*\)", [a-z_]* },.*/\1/p' ../../src/lxmgr/container/acquire.c ../../src/lxmgr/container/child.c)); do
	says "step '$s' made to fail" "failing at $s is told" env "LXMGR_FAIL_AT=$s" lxmgr-start -P "$TREE" a
	is 'STOPPED' "and after $s it is stopped" lx info -s -H a
done
ok 'after all that it starts' lx start a
# Whatever the caller keeps from others.
busybox u
(umask 077 && lx start u)
is 'drwxr-xr-x -r--r--r-- drwxr-xr-x' 'started by somebody with another umask it has the same /dev' \
	bash -c "lxmgr-attach -P $TREE u -- ls -ld /dev/net /dev/lxmgr /dev/lxmgr/usage | awk '{ print \$1 }' | paste -sd ' '"
is 0022 'and its init the usual one' bash -c "awk '/^Umask/ { print \$2 }' /proc/$(lx info -p -H u)/status"
lx stop -k u
finish
