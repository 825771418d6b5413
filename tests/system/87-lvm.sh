# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Backend lvm: thin and thick volumes, in a volume group of the test's own on a loop device.
. ./lib.sh
need lvcreate jq

modprobe -a dm_mod dm_thin_pool 2>/dev/null
if [ ! -e /dev/mapper/control ]; then
	skip 'backend lvm' 'no device mapper in this kernel'
	status 1 'which a create says' busybox x -B lvm
	says 'device mapper' 'by name' busybox x -B lvm
	finish
	exit
fi
VG=lxmgrtest$$
truncate -s 3G "$TREE/.pv"
LOOP=$(losetup -f --show "$TREE/.pv")
vgcreate -q -y $VG "$LOOP" >/dev/null || { skip 'backend lvm' "no volume group can be made"; losetup -d "$LOOP"; finish; exit; }
lvcreate -q -y -T -L 1200M $VG/pool >/dev/null 2>&1
volumes() { lvs --noheadings -o lv_name $VG | grep -cvw pool; }
tags() { lvs --noheadings -o lv_tags $VG | grep -c x; }
inside() { # inside NAME COMMAND: in the stopped container
	local rc
	lx start "$1" && lx attach "$1" -- sh -c "$2"
	rc=$?
	lx stop -k "$1"
	return $rc
}

for kind in thin thick; do
	pool=pool
	[ $kind = thin ] || pool=''
	ok "$kind: create" busybox a -B lvm --vgname $VG --thinpool "$pool" --fssize 256M --lvname "vol.$kind"
	is "vol.$kind" "$kind: of that name" bash -c "lvs --noheadings -o lv_name $VG | grep -w vol | tr -d ' '"
	is 1 "$kind: with a tag" tags
	lx start a
	is ext4 "$kind: it is the root" lx attach a -- sh -c 'grep " / " /proc/mounts | cut -d" " -f3'
	is '0 0' "$kind: ids are mapped" lx attach a -- sh -c 'touch /f && stat -c "%u %g" /f | cat'
	lx attach a -- sh -c 'echo one >/a'
	kill -9 "$(lx info --json a | jq .monitor_pid)"
	ok "$kind: copy of a running one" lx copy a live
	lx stop -k a
	is one "$kind: has what was written a moment ago" inside live 'cat /a'
	case $kind in
	thin) ok "$kind: shared copy" lx copy -s a cp ;;
	thick)
		status 1 "$kind: nothing is shared" lx copy -s a cp
		ok "$kind: copy" lx copy a cp
		;;
	esac
	is one "$kind: has the same" inside cp 'cat /a; echo two >/a'
	is one "$kind: the source does not see its writes" inside a 'cat /a'
	ok "$kind: snapshot" lx snapshot a s
	inside a 'echo three >/a'
	ok "$kind: restore" lx snapshot a -r s
	is one "$kind: it is as it was" inside a 'cat /a'
	is 4 "$kind: a, its snapshot and two copies" volumes
	if command -v lxmgr-disk >/dev/null; then
		lx start a
		ok "$kind: grow a running one" lx disk a --resize 384M
		ok "$kind: it has that" test "$(lx attach a -- df -m / | awk 'END { print $2 }')" -gt 300
		status 4 "$kind: it is not made smaller while it runs" lx disk a --resize 128M
		lx stop -k a
		ok "$kind: but at rest" lx disk a --resize 128M
		is one "$kind: with what it holds" inside a 'cat /a'
		is 4 "$kind: no volume is left of that" volumes
	else
		skip "$kind: sizes" 'no lxmgr-disk'
	fi
	# What has another tag is nobody's business.
	lvcreate -q -y -Wn -Zn -an -L 8M -n other $VG >/dev/null
	status 1 "$kind: a name that is taken" busybox x -B lvm --vgname $VG --thinpool "$pool" --fssize 64M --lvname other
	for c in live cp; do ok "$kind: destroy $c" lx destroy -q $c; done
	ok "$kind: destroy" lx destroy -q -s a
	is 1 "$kind: only that of another is left" volumes
	lvremove -q -y $VG/other >/dev/null
done
status 6 'no such group' busybox x -B lvm --vgname nosuch
status 6 'no such pool' busybox x -B lvm --vgname $VG --thinpool nosuch
status 64 'no name' busybox x -B lvm --vgname '../x'
status 64 'a group for an overlay' busybox x -B overlay --vgname $VG

bad='' n=0
for at in $(places 1 2 3 4 5 6 7 8 10 12 14 16); do
	timeout 120 strace -f -qq -o /dev/null -e trace=execve -e "inject=execve:signal=SIGKILL:when=$at" \
		lxmgr-create -P "$TREE" -q -t busybox -n k -B lvm --vgname $VG --thinpool pool --fssize 64M >/dev/null 2>&1
	if [ -e "$TREE/k" ]; then
		[ "$(inside k 'echo up')" = up ] || bad="$bad half@$at"
		lx destroy -q k || bad="$bad destroy@$at"
	fi
	n=$((n + 1))
done
busybox k -B lvm --vgname $VG --thinpool pool --fssize 64M
lx destroy -q k
is '' "create killed at $n programs: nothing, or a whole one" echo "$bad"
is 0 'no volume is left' volumes
vgchange -q -an $VG >/dev/null 2>&1
vgremove -q -f -y $VG >/dev/null 2>&1
losetup -d "$LOOP"
finish
