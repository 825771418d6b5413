# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# A copy in another backend, or with another file system of its own: all of the root comes along.
# In machines: check-vm-full.
. ./lib.sh
. ./tree.sh
. ./backends.sh
need python3 mkfs.ext4 losetup jq setfattr setfacl setcap

same() { diff "$TREE/.list" <(seen "$1"); }
none_left() { ! losetup -n -O BACK-FILE | grep -q "^$TREE/"; }

busybox dir -B dir
fill "$TREE/dir/rootfs"
head -c 20000000 /dev/urandom >"$TREE/dir/rootfs/d/huge"
seen dir >"$TREE/.list"
ok 'the list is one' test "$(wc -l <"$TREE/.list")" -gt 60

ok 'dir to loop' lx copy -K --keepid -B loop -L 200 dir loop
is loop 'of that backend' backend loop
is $((200 << 20)) 'of that size' stat -c %s "$TREE/loop/rootfs.img"
ok 'all came along' same loop
ok 'and back' lx copy -K --keepid -B dir loop back
is dir 'of that backend' backend back
ok 'all came along, again' same back
lx destroy -q back

# Another size or file system of the same backend.
ok 'loop to a larger one' lx copy -K --keepid -L 300M loop large
is $((300 << 20)) 'of that size' stat -c %s "$TREE/large/rootfs.img"
ok 'which holds the same' same large
lx destroy -q large
status 1 'a smaller one that is too small' lx copy -L 16 loop small
says 'too small \(--fssize\): No space left on device$' 'with the cure' lx copy -L 16 loop small
status 3 'is not there' lx info small
if command -v mkfs.btrfs >/dev/null; then
	ok 'ext4 to btrfs' lx copy -K --keepid --fstype btrfs -L 400 loop other
	lx start other
	is btrfs 'which it is' lx attach other -- sh -c 'grep " / " /proc/mounts | cut -d" " -f3'
	lx stop -k other
	lx destroy -q other
else
	skip 'ext4 to btrfs' 'no mkfs.btrfs on this host'
fi
ok 'it starts' lx start loop
is '7 8' 'with its ids mapped' lx attach loop -- stat -c '%u %g' /d/sub
lx stop -k loop
ok 'no loop device is left' eventually none_left

# An overlay is what its layers are together.
busybox ov -B overlay
ok 'a file of the image goes' bash -c "lxmgr-start -P $TREE ov && lxmgr-attach -P $TREE ov -- sh -c 'rm /bin/vi; echo mine >/mine; mkdir /many; sync'"
status 1 'copy on write it cannot be' lx copy -s -B dir ov plain
ok 'of one that runs' lx copy -B dir ov plain
is RUNNING 'which goes on' lx info -s -H ov
is dir 'overlay to dir' backend plain
is mine 'what it wrote is there' cat "$TREE/plain/rootfs/mine"
status 1 'and what it deleted is not' test -e "$TREE/plain/rootfs/bin/vi"
is '' 'no trace of an overlay' bash -c "getfattr -R -d -m '^trusted.overlay' '$TREE/plain/rootfs' 2>/dev/null"
ok 'it starts' lx start plain
lx stop -k plain
ok 'of one that runs, to loop' lx copy -B loop -L 100 ov img
is mine 'what it wrote is there' bash -c "lxmgr-start -P $TREE img && lxmgr-attach -P $TREE img -- cat /mine"
# A loop that runs, to dir.
lx attach img -- sh -c 'echo late >/late'
ok 'of a loop that runs' lx copy -B dir img out
is late 'what was written last is there' cat "$TREE/out/rootfs/late"
lx attach img -- true
ok 'it can be written to' lx attach img -- touch /still
lx stop -k img

# Refusals leave nothing.
status 1 'no backend of that name' lx copy -B moon plain no
status 6 'one of LXC that there is not' lx copy -B zfs plain no
status 64 'a size for dir' lx copy -L 100 plain no
status 64 'no size' lx copy -B loop -L many plain no
status 64 'rename with a backend' lx copy -R -B dir plain no
status 3 'nothing of them is there' lx info no
ok 'and no loop device' eventually none_left
finish
