# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
. ./lib.sh

busybox a -s lxmgr.group=web
busybox b
lx start a
is $'a\nb' 'ls' lx ls -1
is 'a' 'ls --running' lx ls -1 --running
is 'b' 'ls --stopped' lx ls -1 --stopped
is 'a' 'ls -g' lx ls -1 -g web
is 'b' 'ls --filter' lx ls -1 --filter '^b'
says '^NAME +STATE +PID' 'ls -F' lx ls -F NAME,STATE,PID
is $'b\na' 'ls --sort' lx ls -1 --sort -name
ok 'ls --json is JSON' bash -c "lxmgr-ls -P $TREE --json | jq -e 'length == 2'"
ok 'info --json is JSON' bash -c "lxmgr-info -P $TREE --json a | jq -e '.state == \"RUNNING\"'"
says '^State: +RUNNING' 'info' lx info a
status 64 'an unknown column is refused' lx ls -F NOSUCH
status 64 'an unknown option is refused' lx ls --nosuch
status 3 'info of a missing one' lx info nosuch
ok 'config sets a key' lxmgr-config -P "$TREE" -n b lxmgr.limit.pids=77
is '77' 'and gets it' lxmgr-config -P "$TREE" -n b lxmgr.limit.pids
status 1 'config refuses a bad value' lxmgr-config -P "$TREE" -n b lxmgr.limit.pids=x
is '77' 'and leaves the old' lxmgr-config -P "$TREE" -n b lxmgr.limit.pids
is '/var/lib/lxmgr' 'a host-wide setting' lxmgr-config lxc.lxcpath
ok 'doctor is JSON' bash -c "lxmgr-doctor --json | jq -e 'length > 10'"
ok 'checkconfig is JSON' bash -c "lxmgr-checkconfig --json | jq -e 'length > 10'"
is '4096' 'cgroup reads' lx cgroup a pids.max
ok 'a device is added' lx device a add /dev/fuse
ok 'and is there' lx attach a -- test -c /dev/fuse
is 'five' 'unshare' lxmgr-unshare -s UTSNAME -H five -- hostname
is '0' 'usernsexec' lxmgr-usernsexec -- id -u
status 3 'execute' lx execute b -- sh -c 'exit 3'
status 1 'a full stdout is an error' bash -c "lxmgr-ls -P $TREE --json >/dev/full"
for t in create start stop restart destroy execute attach console wait freeze unfreeze monitor ls \
	info config doctor checkconfig unshare usernsexec cgroup device push pull mount umount runscript; do
	ok "lxmgr-$t --help" "lxmgr-$t" --help
	ok "lxmgr-$t has a manual page" test -s "/usr/local/share/man/man1/lxmgr-$t.1"
done
finish
