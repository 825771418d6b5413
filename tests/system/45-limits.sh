# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
. ./lib.sh

busybox a -s lxmgr.limit.memory=64M -s lxmgr.limit.pids=50 -s lxmgr.limit.cpus=0.5
lx start a
is '67108864' 'the memory limit is there' bash -c "lxmgr-info -P $TREE --json a | jq .memory_limit"
is '50' 'the process limit too' bash -c "lxmgr-info -P $TREE --json a | jq .pids_limit"
timeout 5 lxmgr-attach -P "$TREE" a -- sh -c 'b() { b | b & }; b' >/dev/null 2>&1
ok 'a fork bomb leaves the host usable' sh -c 'true | true'
ok 'stop -k ends it' lx stop -k a
lx start a
status 137 'a memory hog is killed' lx attach a -- dd if=/dev/zero of=/dev/null bs=200M count=1
ok 'the container runs on' lx attach a -- true
lx stop -k a
says 'lxmgr.limit.cpus' 'a bad number of CPUs is refused by key' lx start -s lxmgr.limit.cpus=0 a
finish
