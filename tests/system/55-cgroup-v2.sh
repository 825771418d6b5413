# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# What only a host with pure cgroup v2 has: limits in one tree, device rules as a BPF program, a
# delegated subtree, systemd as the owner of the rest (make check-vm).
. ./lib.sh

if [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]; then
	skip 'pure cgroup v2' 'this host has v1 hierarchies'
	finish
	exit
fi
# The group of a container of another tree than the default one carries a hash in its name.
group() { dirname "$(sed -n 's,^0::,/sys/fs/cgroup,p' "/proc/$(lx info -p -H "$1")/cgroup")"; }
file() { cat "$(group a)/$1"; }
inside() { lx attach a -- sh -c "$1"; }

busybox a
ok 'start with every limit' lx start -s lxmgr.limit.memory=96M -s lxmgr.limit.swap=32M -s lxmgr.limit.cpus=1.5 \
	-s lxmgr.limit.cpu.weight=250 -s lxmgr.limit.pids=60 -s lxmgr.cgroup2.memory.high=80M -s lxmgr.cgroup2.cpuset.cpus=0 a
is 100663296 'memory.max' file memory.max
is 33554432 'memory.swap.max' file memory.swap.max
is '150000 100000' 'cpu.max' file cpu.max
is 250 'cpu.weight' file cpu.weight
is 60 'pids.max' file pids.max
is 83886080 'a control file by name' file memory.high
is 1 'one of cpuset' inside 'nproc'
is 60 'lxmgr-cgroup reads' lx cgroup a pids.max
ok 'and writes' lx cgroup a pids.max 70
is 70 'what the group then has' file pids.max
status 1 'but no file of another group' lx cgroup a ../cgroup.procs
status 137 'a memory hog is killed' inside 'exec dd if=/dev/zero of=/dev/null bs=300M count=1'
says '^oom_kill [1-9]' 'by the limit' file memory.events
says 'fork|unavailable' 'too many processes are refused' inside 'i=0; while [ $i -lt 90 ]; do sleep 60 >/dev/null 2>&1 & i=$((i + 1)); done'
# Before Linux 6.11 it is counted where the process is, and not where the limit is.
says '^max [1-9]' 'by the limit' find "$(group a)" -name pids.events -exec cat '{}' +
ok 'stop -k ends them all' lx stop -k a

status 1 'a v1 key is refused' lx start -s lxmgr.cgroup.memory.limit_in_bytes=64M a
says 'cgroup v2 only' 'with the reason' lx start -s lxmgr.cgroup.memory.limit_in_bytes=64M a
says 'lxmgr.cgroup2.memory.nosuch' 'a control file that is not there is named' lx start -s lxmgr.cgroup2.memory.nosuch=1 a
is STOPPED 'and nothing runs' lx info -s -H a

# A busy loop runs into its limit, however fast the machine is.
throttled() { [ "$(file cpu.stat | awk '/^nr_throttled/ { print $2 }')" -gt 0 ]; }
lx start -s lxmgr.limit.cpus=0.05 a
lx attach a -- sh -c 'while :; do :; done' >/dev/null 2>&1 &
ok 'a busy loop is throttled' eventually throttled
ok 'it writes' inside 'dd if=/dev/zero of=/root/x bs=1M count=4 conv=fsync'
written() { lx info --json a | jq -e '.io_write >= 4194304'; }
ok 'and info counts it' eventually written
stats() { lx info --json a | jq -e ".cpu_ns > 0 and .memory > 0 and .pids > 1 and .kmem > 0"; }
ok 'info has the figures' stats
lx stop -k a
wait

# The guest owns its group and what is below, not the limits.
lx start -s lxmgr.limit.memory=96M -s lxmgr.limit.pids=60 a
is '0::/' 'it sees its group as the root' inside 'cat /proc/self/cgroup'
for f in memory.max pids.max cpu.max cpu.weight cgroup.freeze cgroup.kill; do
	status 1 "it cannot write its own $f" inside "echo 1 >/sys/fs/cgroup/$f"
done
status 1 'nor leave by ..' inside 'ls /sys/fs/cgroup/../lxmgr'
ok 'it may make a group' inside 'mkdir -p /sys/fs/cgroup/svc/sub'
ok 'move a process there' inside 'sleep 300 >/dev/null 2>&1 & echo $! >/sys/fs/cgroup/svc/sub/cgroup.procs'
ok 'freeze it' inside 'echo 1 >/sys/fs/cgroup/svc/cgroup.freeze; grep -q "frozen 1" /sys/fs/cgroup/svc/cgroup.events || sleep 1; grep "frozen 1" /sys/fs/cgroup/svc/cgroup.events'
ok 'freeze of the whole' lx freeze a
is FROZEN 'is seen' lx info -s -H a
ok 'unfreeze' lx unfreeze a
is 1 "the guest's own freezer is as it was" inside 'cat /sys/fs/cgroup/svc/cgroup.freeze'
# As systemd does: all of its own into a leaf, then controllers for the children.
ok 'it hands controllers on' inside 'mkdir /sys/fs/cgroup/init && for p in $(cat /sys/fs/cgroup/cgroup.procs); do echo $p >/sys/fs/cgroup/init/cgroup.procs; done 2>/dev/null
	echo "+memory +pids" >/sys/fs/cgroup/cgroup.subtree_control'
ok 'and sets limits of its own' inside 'echo 16M >/sys/fs/cgroup/svc/memory.max && echo 5 >/sys/fs/cgroup/svc/pids.max'
ok 'attach works with the root of its tree closed to processes' lx attach a -- true
says '^0::/.' 'beside the guest'"'"'s groups' inside 'cat /proc/self/cgroup'
# A guest that makes its group one without processes, and back, just when a command comes.
lx attach a -- sh -c 'cd /sys/fs/cgroup; echo $$ >init/cgroup.procs; : >/tmp/on
	while [ -e /tmp/on ]; do echo "-memory -pids" >cgroup.subtree_control; echo "+memory +pids" >cgroup.subtree_control; done' >/dev/null 2>&1 &
ok 'a guest switches its controllers on and off' eventually lx attach a -- test -e /tmp/on
many() { for _ in $(seq 60); do lx attach a -- true || return 1; done; }
ok 'attach works all the same' many
lx attach a -- rm /tmp/on
wait
ok 'a deep tree' inside 'd=/sys/fs/cgroup; for i in $(seq 40); do d=$d/d; mkdir $d || exit 1; done'
g=$(group a)
ok 'stop -k with all that' lx stop -k a
status 1 'leaves no group' test -e "$g"

# Device rules: a program. A privileged container may make nodes, so that only the rules decide.
lx create -q -t busybox -n p --privileged
modprobe -q loop
node() { lx attach p -- sh -c "rm -f /tmp/n; mknod /tmp/n $1 && $2"; }
ok 'start a privileged one' lx start p
ok 'a node may be made' node 'c 10 237' true
status 1 'but not opened' node 'c 10 237' 'dd if=/tmp/n of=/dev/null bs=1 count=0 2>/dev/null'
status 1 'no disk either' node 'b 254 0' 'dd if=/tmp/n of=/dev/null bs=1 count=0 2>/dev/null'
ok 'null may' node 'c 1 3' 'dd if=/tmp/n of=/dev/null bs=1 count=0 2>/dev/null'
ok 'a rule for the running one' lx cgroup p devices.allow 'c 10:237 r'
ok 'opens it for reading' node 'c 10 237' 'exec 5</tmp/n'
status 1 'not for writing' node 'c 10 237' 'exec 5>/tmp/n'
ok 'and is taken back' lx cgroup p devices.deny 'c 10:237 r'
status 1 'it is closed again' node 'c 10 237' 'exec 5</tmp/n'
ok 'a device is handed in' lx device p add /dev/loop-control
# Its label is the host's: SELinux leaves that to the administrator.
! has_selinux || setsebool lxmgr_devices on
ok 'and can be used' lx attach p -- sh -c 'exec 5</dev/loop-control'
ok 'it is taken back' lx device p del /dev/loop-control
! has_selinux || setsebool lxmgr_devices off
status 1 'and cannot' node 'c 10 237' 'exec 5</tmp/n'
lx stop -k p
rules() { # rules CONFIG... -- COMMAND
	local o=()
	while [ "$1" != -- ]; do o+=(-s "$1"); shift; done
	shift
	lx start "${o[@]}" p || return 9
	"$@"
	local rc=$?
	lx stop -k p
	return "$rc"
}
ok 'a rule of the config comes on top' rules 'lxmgr.cgroup2.devices.allow=c 10:237 rw' -- node 'c 10 237' 'exec 5<>/tmp/n'
ok 'it may allow a whole major' rules 'lxmgr.cgroup2.devices.allow=c 10:* r' -- node 'c 10 237' 'exec 5</tmp/n'
status 1 'less one' rules 'lxmgr.cgroup2.devices.allow=c 10:* r' 'lxmgr.cgroup2.devices.deny=c 10:237 rwm' -- node 'c 10 237' 'exec 5</tmp/n'
opens() { lx attach p -- sh -c "exec 5<$1"; }
ok 'without all, the terminal stays' rules 'lxmgr.cgroup2.devices.deny=a' -- opens /dev/ptmx
status 1 'nothing else' rules 'lxmgr.cgroup2.devices.deny=a' -- opens /dev/zero
ok 'everything on demand' rules 'lxmgr.cgroup2.devices.allow=a' -- node 'c 10 237' 'exec 5</tmp/n'

# systemd owns the tree. It takes controllers away where no unit needs them, and ends sessions.
lx start -s lxmgr.limit.memory=96M -s lxmgr.limit.cpus=1.5 a
ok 'systemd reloads' systemctl daemon-reload
ok 'and starts and stops a unit' systemd-run -q --wait -p CPUWeight=50 true
is 100663296 'the limits stay' file memory.max
is '150000 100000' 'all' file cpu.max
lx stop -k a

# A session: what is started in it must not depend on it.
# By a file: SELinux lets systemd take no pipe of ours.
service() { # service [OPTION...] -- COMMAND...: its output and status
	local rc
	: >"$TREE/.service"
	systemd-run -q --wait -p "StandardOutput=append:$TREE/.service" -p "StandardError=append:$TREE/.service" \
		-E "PATH=$PATH" "$@"
	rc=$?
	cat "$TREE/.service"
	return "$rc"
}
session() { service -p PAMName=login -p User=root -- "$@"; }
is yes 'the test can open a session' session sh -c 'grep -q session- /proc/self/cgroup && echo yes'
ok 'start in a session' session lxmgr-start -P "$TREE" -s lxmgr.limit.memory=64M a
is RUNNING 'it outlives the session' lx info -s -H a
is 67108864 'with its limit' file memory.max
ok 'attach from another session' session lxmgr-attach -P "$TREE" a -- true
says '^0::/($|[^.])' 'the attached process is in the group of the container' session lxmgr-attach -P "$TREE" a -- cat /proc/self/cgroup
monitor() { kill -0 "$(lx info --json a | jq .monitor_pid)"; }
ok 'its monitor does too' monitor
ok 'stop from a session' session lxmgr-stop -k -P "$TREE" a
# systemd kills what a service leaves when it ends.
ok 'start by a service that ends' systemd-run -q --wait -p Type=oneshot -E "PATH=$PATH" -- lxmgr-start -P "$TREE" a
is RUNNING 'the container runs' lx info -s -H a
ok 'and so does its monitor' monitor
says '^0::/machine.slice/lxmgr-a-.*scope/supervisor$' 'in a group of its own' sh -c "cat /proc/$(lx info --json a | jq .monitor_pid)/cgroup"
before=$(lx info -p -H a)
other_init() {
	local p
	p=$(lx info -p -H a)
	[ -n "$p" ] && [ "$p" != "$before" ]
}
ok 'a reboot from inside' lx attach a -- reboot
ok 'gives another init' eventually other_init
ok 'stop' lx stop -k a
scope() { systemd-run -q --scope "$@"; }
ok 'start in a scope' scope lxmgr-start -P "$TREE" a
ok 'it runs when the scope is gone' lx attach a -- true
lx stop -k a

# Below the caller's group. That holds the caller, so no limit can act there, and it must not be made
# the root of a threaded tree.
OUT=$(service -p Delegate=yes -- sh -c "
	lxmgr-start -P $TREE -s lxmgr.cgroup.relative=1 -s lxmgr.limit.memory=max -s lxmgr.limit.pids=max a &&
	cat /proc/\$(lxmgr-info -P $TREE -p -H a)/cgroup; lxmgr-stop -k -P $TREE a
	cat /sys/fs/cgroup\$(sed s/0::// /proc/self/cgroup)/cgroup.type" 2>&1)
says '/run-.*service/lxmgr/' 'cgroup.relative in a service' echo "$OUT"
says '^domain$' 'whose group stays what it was' printf '%s\n' "$OUT"
says 'lxmgr.limit.memory.*controller' 'a limit is refused there, with the reason' \
	session lxmgr-start -P "$TREE" -s lxmgr.cgroup.relative=1 -s lxmgr.limit.memory=64M a
is STOPPED 'and nothing runs' lx info -s -H a
x=aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee
long() { service "--slice=lxt-$x-$x" -- "$@"; }
says 'longer than' 'a path that could not be recorded is refused' long lxmgr-start -P "$TREE" -s lxmgr.cgroup.relative=1 \
	-s lxmgr.limit.memory=max -s lxmgr.limit.pids=max a
is STOPPED 'and nothing runs' lx info -s -H a
finish
