# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Backend lvm: thin and thick volumes, in a volume group of the test's own on a loop device.
. ./lib.sh
. ./tree.sh
. ./backends.sh
need lvcreate jq strace python3 zstd setfattr setfacl setcap

modprobe -a dm_mod dm_thin_pool 2>/dev/null
# A node alone is left by the tools of LVM, too.
if ! : 2>/dev/null </dev/mapper/control; then
	skip 'backend lvm' 'no device mapper in this kernel'
	status 1 'which a create says' busybox x -B lvm
	says 'device mapper' 'by name' busybox x -B lvm
	says 'backend lvm +not on this host: .*device mapper' 'and the doctor' lxmgr-doctor
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

size_in() { lx attach "$1" -- df -m / | awk 'END { print $(NF - 4) }'; }
root_mb() { inside "$1" 'df -m /' | awk 'END { print $(NF - 4) }'; }
volume_of() { sed -n 's/^tree = //p' "$TREE/$1/storage"; }
has_volume() { lvs --noheadings -o lv_name $VG | grep -qw "$1"; }
# instead PROGRAM TEXT: what is called in its place; $REAL is the one that there is.
mkdir "$TREE/.bin"
instead() {
	printf '#!/bin/sh\nREAL=%s\n%s\n' "$(command -v "$1")" "$2" >"$TREE/.bin/$1"
	chmod 755 "$TREE/.bin/$1"
}
with_it() { PATH=$TREE/.bin:$PATH "$@"; }

# Which group and pool it is, only create can be told: all others look there.
CONF=$(lxmgr-config lxmgr.default_config)
CONF=${CONF%/*}/lxmgr.conf
cp -a "$CONF" "$TREE/.conf"
trap 'cp -a "$TREE/.conf" "$CONF" 2>/dev/null' EXIT
group_is() { # group_is GROUP POOL
	{
		grep -v '^lxmgr.bdev.lvm' "$TREE/.conf"
		printf 'lxmgr.bdev.lvm.%s\n' "vg = $1" "thin_pool = $2"
	} >"$CONF"
}

for kind in thin thick; do
	if [ $kind = thick ] && in_haste; then
		skip "$kind" 'left to check-vm-full'
		continue
	fi
	pool=pool
	[ $kind = thin ] || pool=''
	group_is $VG "${pool:-none}"
	verbs_on lvm 96M
	is 0 "$kind: no volume is left of all verbs" volumes
	cp -a "$TREE/.conf" "$CONF"
	ok "$kind: create" busybox a -B lvm --vgname $VG --thinpool "$pool" --fssize 256M --lvname "vol.$kind"
	is "vol.$kind" "$kind: of that name" bash -c "lvs --noheadings -o lv_name $VG | grep -w vol | tr -d ' '"
	is 1 "$kind: with a tag" tags
	lx start a
	is ext4 "$kind: it is the root" lx attach a -- sh -c 'grep " / " /proc/mounts | cut -d" " -f3'
	is '0 0' "$kind: ids are mapped" lx attach a -- sh -c 'touch /f && stat -c "%u %g" /f | cat'
	ok "$kind: a limit of reads" lx set -q a --io-read 20M
	lx stop -k a
	lx start a
	says "^$(lsblk -dno MAJ:MIN "$LOOP" | tr -d ' ') .*20971520" "$kind: is of the group's disk" \
		lx cgroup a "$(if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo io.max; else echo blkio.throttle.read_bps_device; fi)"
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
		is $((256 << 20)) "$kind: the size of the volume is the limit" bash -c "lxmgr-disk -P $TREE a --json | jq .limit"
		ok "$kind: grow a running one" lx disk a --resize +128M
		ok "$kind: it has that" test "$(size_in a)" -gt 300
		status 4 "$kind: it is not made smaller while it runs" lx disk a --resize 128M
		lx stop -k a
		ok "$kind: but at rest" lx disk a --resize 128M
		is one "$kind: with what it holds" inside a 'cat /a'
		is 4 "$kind: no volume is left of that" volumes
		# A size is in force, whatever made the volume.
		ok "$kind: restore of a larger one" lx snapshot a -r s
		ok "$kind: it has the size that the container has" test "$(root_mb a)" -le 128
		is one "$kind: and what the snapshot holds" inside a 'cat /a'
		status 1 "$kind: a copy of another size does not share" lx copy -s a x --define lxmgr.limit.disk=256M
		ok "$kind: copy of another size" lx copy a big --define lxmgr.limit.disk=256M
		ok "$kind: which it has" test "$(root_mb big)" -gt 200
		lx destroy -q big
		ok "$kind: copy with another number of inodes" lx copy a few --define lxmgr.limit.inodes=1024
		is 1024 "$kind: which it has" inside few 'df -i / | awk "END { print \$(NF - 4) }"'
		lx destroy -q few
		is 4 "$kind: nothing is left of these" volumes
		# One that was killed behind lvextend.
		lvextend -q -y -L 192M "$VG/$(volume_of a)" >/dev/null 2>&1
		ok "$kind: the volume has its new size already" lx disk a --resize 192M
		ok "$kind: the file system gets it" test "$(root_mb a)" -gt 150
		# 193 and 194 MiB are both 196 to LVM.
		lx start a
		ok "$kind: no multiple of what LVM counts in" lx disk a --resize 193M
		ok "$kind: to grow into the same volume is no shrinking" lx disk a --resize 194M
		ok "$kind: another file system over the guest's root" lx attach a -- sh -c 'mount -t tmpfs t / || mount --bind /tmp /'
		ok "$kind: is not what grows" lx disk a --resize 256M
		lx stop -k a
		ok "$kind: the container's own does" test "$(root_mb a)" -gt 200
		is one "$kind: with what it holds" inside a 'cat /a'
	else
		skip "$kind: sizes" 'no lxmgr-disk'
	fi
	# The volume that the record names is not there: then no other is deleted.
	volume=$(volume_of a)
	lvrename -q $VG "$volume" elsewhere >/dev/null
	touch "$TREE/a/volume.new"
	status 1 "$kind: the volume has another name: no start" lx start a
	ok "$kind: it is still there" has_volume elsewhere
	lvrename -q $VG elsewhere "$volume" >/dev/null
	is one "$kind: with its name it starts" inside a 'cat /a'
	ok "$kind: and nothing is to be finished" test ! -e "$TREE/a/volume.new"
	# LVM cannot say whether there is the group.
	instead vgs 'echo "no lock" >&2; exit 5'
	status 1 "$kind: destroy where vgs fails" with_it lx destroy -q cp
	is 4 "$kind: no volume is forgotten" volumes
	instead vgs 'echo "WARNING: this is odd" >&2; exec $REAL "$@"'
	ok "$kind: create where vgs has something to say" with_it busybox cp -B lvm --vgname $VG --thinpool "$pool" --fssize 64M
	is 4 "$kind: what was left is gone" volumes
	# The tool is killed while lvcreate waits, as it does for a lock of the group.
	instead lvcreate "echo \$\$ >$TREE/.waits; while [ ! -e $TREE/.go ]; do sleep 0.1; done; exec \$REAL \"\$@\""
	rm -f "$TREE/.go" "$TREE/.waits"
	PATH=$TREE/.bin:$PATH lxmgr-create -P "$TREE" -q -t busybox -n k -B lvm --vgname $VG --thinpool "$pool" --fssize 64M >/dev/null 2>&1 &
	tool=$!
	eventually test -s "$TREE/.waits"
	kill -9 $tool
	wait $tool 2>/dev/null
	ok "$kind: create beside lvcreate of one that was killed" busybox k2 -B dir
	is 1 "$kind: the record of its volume is kept" bash -c "ls -d $TREE/.k.new-* $TREE/.k.dead-* 2>/dev/null | wc -l"
	touch "$TREE/.go"
	ok "$kind: lvcreate ends" eventually sh -c "! kill -0 $(cat "$TREE/.waits")"
	lx destroy -q k2
	ok "$kind: the next create" busybox k2 -B dir
	lx destroy -q k2
	is 4 "$kind: its volume is gone" volumes
	is '' "$kind: and the record" find "$TREE" -maxdepth 1 -name '.k.new-*'
	# What LVM would not have as a volume's name is one for a container.
	ok "$kind: a container whose name LVM keeps for itself" busybox snapshot1 -B lvm --vgname $VG --thinpool "$pool" --fssize 64M
	ok "$kind: it can be destroyed" lx destroy -q snapshot1
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

says 'backend lvm +works' 'the doctor says so' lxmgr-doctor
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
