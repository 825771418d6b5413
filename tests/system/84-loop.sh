# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Backend loop: a file system of the container's own in one sparse file.
# In machines: check-vm-full.
. ./lib.sh
. ./tree.sh
. ./backends.sh
need mkfs.ext4 losetup jq strace python3 zstd setfattr setfacl setcap

loops() { losetup -n -O BACK-FILE | grep -c "^$TREE/"; }
none_left() { [ "$(loops)" = 0 ]; }
one_left() { [ "$(loops)" = 1 ]; }
on_disk() { du -m "$1" | cut -f1; }

for fs in ext4:64:256:48 xfs:320:400:350 btrfs:400:600:300; do
	# Its size, a larger and a smaller one, MiB.
	IFS=: read -r fs size large small <<<"$fs"
	if ! command -v "mkfs.$fs" >/dev/null; then
		skip "$fs" "no mkfs.$fs on this host"
		continue
	fi
	ok "$fs: create" busybox a -B loop --fstype $fs --fssize "$size"
	image=$TREE/a/rootfs.img
	is "$((size << 20)) 600 0:0" "$fs: one file of that size, for root alone" stat -c '%s %a %u:%g' "$image"
	ok "$fs: which is sparse" test "$(on_disk "$image")" -lt $((size / 2))
	ok "$fs: no device stays" eventually none_left
	lx start a
	is 1 "$fs: one device while it runs" loops
	says '^ *1$' "$fs: which goes by itself" losetup -n -O AUTOCLEAR -j "$image"
	is 0 "$fs: the host has no mount of it" grep -c '^/dev/loop' /proc/self/mounts
	is "$fs" "$fs: it is the root" lx attach a -- sh -c 'grep " / " /proc/mounts | cut -d" " -f3'
	says 'nodev' "$fs: no device nodes there" lx attach a -- grep ' / ' /proc/mounts
	ok "$fs: df shows its size" test "$(lx attach a -- df -m / | awk 'END { print $2 }')" -le "$size"
	is '0 0' "$fs: ids are mapped" lx attach a -- sh -c 'touch /f && stat -c "%u %g" /f | cat'
	if [ $fs = ext4 ]; then
		status 1 "$fs: writing stops at its end" lx attach a -- sh -c 'dd if=/dev/zero of=/fill bs=1M count=100 2>/dev/null'
		ok "$fs: the image is no larger" test "$(stat -c %s "$image")" = "$((size << 20))"
		lx attach a -- rm /fill
	fi
	lx attach a -- sh -c 'mkdir /data; echo one >/data/a; ln /data/a /data/b; chown 7:8 /data; sync'
	lx stop -k a
	ok "$fs: no device after the stop" eventually none_left

	# The monitor dies: what it held stays with the container, and goes with it.
	lx start a
	kill -9 "$(lx info --json a | jq .monitor_pid)"
	is 'one' "$fs: runs on without its monitor" lx attach a -- cat /data/a
	ok "$fs: stop" lx stop -k a
	ok "$fs: and nothing is left" eventually none_left
	is 'one' "$fs: it starts again" inside a 'cat /data/a'

	# Copies.
	ok "$fs: copy" lx copy a cp
	is 'one 7:8 2' "$fs: what it holds is the same" inside cp 'echo $(cat /data/a; stat -c %u:%g /data; stat -c %h /data/b)'
	lx start a
	lx attach a -- sh -c 'echo two >/data/a'
	ok "$fs: copy of a running one" lx copy a live
	is 'RUNNING' "$fs: which runs on" lx info -s -H a
	ok "$fs: on one device" eventually one_left
	lx start live
	is 'two' "$fs: what was written before is in it, both running" lx attach live -- cat /data/a
	lx attach live -- sh -c 'echo other >/data/a'
	is 'two' "$fs: each for itself" lx attach a -- cat /data/a
	is 'one' "$fs: the older copy, too" inside cp 'cat /data/a'
	lx stop -k live
	ok "$fs: snapshot of a running one" lx snapshot a s
	lx attach a -- sh -c 'echo three >/data/a'
	lx stop -k a
	ok "$fs: restore" lx snapshot a -r s
	is 'two' "$fs: it is as it was" inside a 'cat /data/a'
	is 1 "$fs: one image" bash -c "ls $TREE/a/rootfs*.img | wc -l"
	ok "$fs: restore again" lx snapshot a -r s
	is 'two' "$fs: is the same" inside a 'cat /data/a'
	lx destroy -q cp
	lx destroy -q live

	# Size: grows in a container that runs; ext4 shrinks at rest, xfs does not, btrfs does both.
	if ! command -v lxmgr-disk >/dev/null; then
		skip "$fs: sizes" "no lxmgr-disk"
	else
		size_in() { lx attach a -- df -m / | awk 'END { print $2 }'; }
		lx start a
		if [ $fs = ext4 ] && ! may_resize; then
			skip "$fs: grow a running one" 'no CAP_SYS_RESOURCE on this host'
		else
			ok "$fs: grow a running one" lx disk a --resize "${large}M"
			ok "$fs: it has that" test "$(size_in)" -gt $((large / 4 * 3))
		fi
		lx attach a -- sh -c 'dd if=/dev/urandom of=/fill bs=1M count=40 2>/dev/null; echo kept >/keep; sync'
		case $fs in
		ext4)
			status 4 "$fs: it is not made smaller while it runs" lx disk a --resize "${small}M"
			lx attach a -- rm /fill
			lx stop -k a
			ok "$fs: but at rest" lx disk a --resize "${small}M"
			;;
		xfs)
			status 6 "$fs: it is not made smaller" lx disk a --resize "${small}M"
			lx attach a -- rm /fill
			lx stop -k a
			;;
		btrfs)
			ok "$fs: it is made smaller while it runs" lx disk a --resize "${small}M"
			lx attach a -- rm /fill
			lx stop -k a
			;;
		esac
		before=$(on_disk "$TREE"/a/rootfs*.img)
		ok "$fs: compact" lx disk a --compact
		# The small image was made in a copy, which may have left out what was free.
		ok "$fs: gives back what was freed" test "$(on_disk "$TREE"/a/rootfs*.img)" -lt $((before > 70 ? before - 30 : 41))
		lx start a
		is 'kept' "$fs: what it holds is still there" lx attach a -- cat /keep
		case $fs in
		ext4 | btrfs) ok "$fs: it has its new size" test "$(size_in)" -le "$small" ;;
		xfs) ok "$fs: it has the size it had" test "$(size_in)" -gt $((large / 4 * 3)) ;;
		esac
		lx stop -k a
		status 6 "$fs: a size that nothing fits into" lx disk a --resize 1M
	fi
	ok "$fs: destroy" lx destroy -q -s a
	ok "$fs: nothing is left" eventually none_left
done

verbs_on loop 96M
ok 'no device is left of all verbs' eventually none_left

# Refused.
status 6 'a file system that there is not' busybox x -B loop --fstype zfs
says 'ext4, xfs and btrfs' 'with those that there are' busybox x -B loop --fstype zfs
status 64 'no size' busybox x -B loop --fssize 1Q
status 64 'nothing' busybox x -B loop --fssize 0
status 6 'too small' busybox x -B loop --fssize 1M
status 64 'a size for an overlay' busybox x -B overlay --fssize 1G
status 64 'for what is best' busybox x --fstype ext4
for b in zfs rbd nbd; do
	status 6 "$b is refused" busybox x -B $b
	says 'use ' 'with what to use' busybox x -B $b
done
is '' 'nothing is left of them' find "$TREE" -mindepth 1 -maxdepth 1 ! -name '.lock*'

# A root of somebody else's making.
busybox a -B loop --fssize 64M
cp --sparse=always "$TREE/a/rootfs.img" "$TREE/.root.img"
for path in "loop:$TREE/.root.img" "$TREE/.root.img"; do
	ok "outside: ${path%%:*}" lx create -q -t none -n out -s "lxmgr.rootfs.path=$path" -s lxmgr.init.cmd=/sbin/init
	ok 'outside: starts' lx start out
	ok 'outside: it is the root' lx attach out -- sh -c 'grep -q " / ext4 " /proc/mounts'
	ok 'outside: destroy' lx destroy -q -f out
	ok 'outside: the image stays' test -s "$TREE/.root.img"
done
head -c 1048576 /dev/zero >"$TREE/.root.img"
lx create -q -t none -n out -s "lxmgr.rootfs.path=loop:$TREE/.root.img"
status 1 'outside: an image with nothing in it' lx start out
says 'none of the file systems' 'outside: with the reason' lx start out
lx destroy -q out
rm "$TREE/.root.img"
# Its own, spoilt: refused, and destroyed.
truncate -s 0 "$TREE/a/rootfs.img"
status 1 'an image that was cut off' lx start a
ok 'is destroyed' lx destroy -q a

finish
