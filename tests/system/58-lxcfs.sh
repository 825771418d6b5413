# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# The view of /proc by lxcfs: limits are shown, and its death and return need no restart. The test's
# lxcfs is one of its own, beside the host's.
. ./lib.sh
need lxcfs

conf=$(dirname "$(lxmgr-config lxmgr.default_config)")/lxmgr.conf
cfs=$TREE/.lxcfs
mkdir "$cfs"
LXCFS_PID=''
saved=$(cat "$conf" 2>/dev/null)
had=$?
restore() {
	[ -z "$LXCFS_PID" ] || kill -9 "$LXCFS_PID" 2>/dev/null
	while umount -l "$cfs" 2>/dev/null; do :; done
	if [ "$had" = 0 ]; then printf '%s\n' "$saved" >"$conf"; else rm -f "$conf"; fi
}
trap restore EXIT
{ printf '%s\n' "$saved" | grep -v 'lxcfs.path'; echo "lxmgr.lxcfs.path = $cfs"; } >"$conf"
served() { grep -q MemTotal "$cfs/proc/meminfo"; }
up() { # lxcfs comes, in the place of a dead one, as its unit does it
	umount -l "$cfs" 2>/dev/null
	lxcfs -f -p "$TREE/.lxcfs.pid" "$cfs" >"$TREE/.lxcfs.log" 2>&1 &
	LXCFS_PID=$!
	ok 'lxcfs is up' eventually served
}
down() { # and dies without a word
	kill -9 "$LXCFS_PID"
	wait "$LXCFS_PID" 2>/dev/null
	LXCFS_PID=''
}
field() { lx attach "$1" -- awk "/^$2:/ { print \$2 }" /proc/meminfo; }
host_total() { awk '/^MemTotal:/ { print $2 }' /proc/meminfo; }

busybox a -s lxmgr.limit.memory=64M
busybox b -s lxmgr.limit.memory=128M
busybox off -s lxmgr.lxcfs=0 -s lxmgr.limit.memory=64M
says "lxcfs does not run at '$cfs' .apt install lxcfs.*lxmgr.lxcfs = 1, -s" 'asked for and absent it is refused' lx start -s lxmgr.lxcfs=1 a
is STOPPED 'and nothing was begun' lx info -s -H a
says 'auto.* 0.* 1' 'a wrong word is refused' lx start -s lxmgr.lxcfs=yes a
ok 'auto starts without it' lx start a
is "$(host_total)" 'and /proc shows the host' field a MemTotal
lx stop -k a

up
for c in a b off; do ok "$c starts" lx start "$c"; done
is 65536 'the memory limit shows' field a MemTotal
is 131072 'each container has its own' field b MemTotal
is "$(host_total)" '0: the host shows' field off MemTotal
used() { [ "$(($(field a MemTotal) - $(field a MemFree)))" -lt 65536 ]; }
ok 'so does what is used of it' used
young() { [ "$(lx attach a -- cut -d. -f1 /proc/uptime)" -lt "$(cut -d. -f1 /proc/uptime)" ]; }
ok 'uptime is the container'"'"'s' young
status 1 'its files are not written' lx attach a -- sh -c 'echo x >/proc/meminfo'
ok 'a service inside may mount a fresh /proc' lx attach a -- unshare -m mount -t proc proc /proc
ok 'the CPUs that are online read' lx attach a -- cat /sys/devices/system/cpu/online
echo mine >"$TREE/own"
own() { lx start -s "lxmgr.mount.entry=$TREE/own proc/uptime none bind,ro,relabel 0 0" a; }
lx stop -k a
ok 'an entry of the config wins' own
is mine 'over a file of lxcfs' lx attach a -- cat /proc/uptime
lx stop -k a
lx start a

lx attach b -- sh -c 'echo busy >/tmp/x; exec sleep 1000' >/dev/null 2>&1 &
down
says 'not connected' 'control: lxcfs is dead' lx attach a -- cat /proc/meminfo
busybox c
says "lxcfs at '$cfs' has died" 'asked for and dead it is refused' lx start -s lxmgr.lxcfs=1 c
ok 'auto starts without it' lx start c
is "$(host_total)" 'and /proc shows the host' field c MemTotal
status 1 'there is nothing to attach' lxmgr-lxcfs
ok 'what is dead is taken away' lxmgr-lxcfs --detach
is "$(host_total)" 'the kernel'"'"'s own shows' field a MemTotal
up
out=$(lxmgr-lxcfs -t 5 2>&1)
says '^a$' 'is given to a' printf '%s\n' "$out"
says '^b$' 'and b' printf '%s\n' "$out"
status 1 'not to who wants none' grep -q '^off$' <<<"$out"
is 65536 'the limit shows again' field a MemTotal
is 131072 'in b, too' field b MemTotal
is "$(host_total)" '0: the host shows' field off MemTotal
is 1 'one layer, not two' lx attach a -- grep -c ' /proc/meminfo ' /proc/mounts
down
up
ok 'without a detach it heals as well' lxmgr-lxcfs -q
is 65536 'the limit shows' field a MemTotal
is 1 'one layer, not two' lx attach a -- grep -c ' /proc/meminfo ' /proc/mounts
for _ in 1 2 3 4; do
	lxmgr-lxcfs -q &
	pids="${pids:-} $!"
done
# shellcheck disable=SC2086
wait $pids
is 1 'four at once leave one layer' lx attach a -- grep -c ' /proc/meminfo ' /proc/mounts
ok 'one container alone' lx lxcfs a
lx stop -k b
is '' 'one that is stopped gets nothing' lx lxcfs b
status 3 'one that is not there is an error' lx lxcfs nosuch

# The guest has something of its own in the way.
lx attach a -- sh -c 'mount -t tmpfs none /proc'
ok 'a guest without /proc is left alone' lx lxcfs a
lx attach a -- umount /proc
says 'MemTotal: +65536' 'and has it still' lx attach a -- cat /proc/meminfo
# LXC's package brings a hook, which cannot know of a new lxcfs.
lx stop -k a
ok 'the hook of the package lxcfs is left out' lx start -s lxmgr.hook.mount=/usr/share/lxcfs/lxc.mount.hook a
is 65536 'and not missed' field a MemTotal
lx stop -k a
down
restore
finish
