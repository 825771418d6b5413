# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# lxmgr-copy -B overlay of other backends: in full, and on write, where the source becomes an overlay as well.
# In machines: check-vm-full.
. ./lib.sh
. ./tree.sh
need python3 jq setfattr setfacl setcap

seen() { # seen NAME: the list of its root, of a stopped container
	local dir
	lx mount -q "$1" || return
	dir=$(lx mount --json | jq -r ".[] | select(.name == \"$1\") | .dir")
	# Zeros may become holes; an overlay that is mounted has a root written to just now.
	list "$dir" | sed '1d; s/ [0-9,-]*$//'
	lx umount -q "$1"
}
same() { diff "$TREE/.list" <(seen "$1"); }
backend() { sed -n 's/^backend = //p' "$TREE/$1/storage"; }
layers() { find "$TREE/.layers" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l; }
in_() { lx attach "$1" -- sh -c "$2"; }

busybox dir -B dir
fill "$TREE/dir/rootfs"
seen dir >"$TREE/.list"
ok 'the list is one' test "$(wc -l <"$TREE/.list")" -gt 60

# In full.
ok 'dir to overlay' lx copy -K --keepid -B overlay dir full
is overlay 'of that backend' backend full
is dir 'the source stays what it is' backend dir
ok 'all came along' same full
ok 'it starts' lx start full
is '7 8' 'with its ids mapped' in_ full 'stat -c "%u %g" /d/sub'
ok 'and writes' in_ full 'echo mine >/mine; rm -r /d/sub'
ok 'a copy of it while it runs' lx copy -q -s full two
lx stop -k full
ok 'a snapshot' lx snapshot -q full s
ok 'a copy of it' lx copy -q -s full three
lx start three
is mine 'has what it wrote' in_ three 'cat /mine; ls /d/sub 2>/dev/null'
lx stop -k three
ok 'back to dir' lx copy -q -B dir three back
is mine 'as it was' cat "$TREE/back/rootfs/mine"
for c in full two three back; do lx destroy -q -s "$c"; done
is 0 'no layer is left' layers
lx start dir
ok 'of one that runs' lx copy -q -B overlay dir live
says 'stop it first' 'but not on write' lx copy -q -s -B overlay dir no
is RUNNING 'which goes on' lx info -s -H dir
is dir 'as it is' backend dir
lx stop -k dir
lx destroy -q live

# On write.
ok 'a snapshot of before' lx snapshot -q dir before
seen dir >"$TREE/.list"
ok 'copy on write' lx copy -K --keepid -s -B overlay dir cow
is 'overlay overlay' 'both are overlays' bash -c "sed -n 's/^backend = //p' $TREE/{dir,cow}/storage | xargs"
is 1 'of one layer' layers
ok 'the source is what it was' same dir
ok 'so is the copy' same cow
lx start dir
lx start cow
ok 'each writes' in_ dir 'echo base >/mine; rm /bin/vi'
is no 'for itself' in_ cow 'test -e /mine || echo no'
ok 'and has the other one'"'"'s not' in_ cow 'test -x /bin/vi && echo copy >/mine'
is base 'either' in_ dir 'cat /mine'
lx stop -k dir
lx stop -k cow
ok 'another one, in memory and for now' lx copy -q -e -t -B overlay dir eph
is base 'has what the source wrote' in_ eph 'cat /mine'
lx stop -k eph
ok 'which goes' eventually bash -c "! [ -e $TREE/eph ]"
ok 'the snapshot of before comes back' lx snapshot -q -r before dir
is dir 'as the backend that it had' backend dir
ok 'as it was' same dir
says 'in its first place' 'which cannot become an overlay again' lx copy -q -s -B overlay dir no
lx start cow
is copy 'the copy does not mind' in_ cow 'cat /mine'
lx stop -k cow
lx destroy -q -s dir
ok 'nor that the source is destroyed' lx start cow
is copy 'at all' in_ cow 'cat /mine'
lx stop -k cow
# Many layers are made one, without an image below.
for i in $(seq 15); do
	lx mount -q cow
	echo "$i" >"$(lx mount --json | jq -r '.[] | select(.name == "cow") | .dir')/step$i"
	lx umount -q cow
	lx snapshot -q cow "s$i" || break
done
is 15 'fifteen snapshots' bash -c "ls $TREE/cow/snapshots | wc -l"
lx start cow
is '1 15 copy' 'all of it is there' in_ cow 'echo $(cat /step1 /step15 /mine)'
lx stop -k cow
lx destroy -q -s cow
is 0 'with the last one the layers go' layers

# An ephemeral one of one that runs cannot share, and is one in full.
busybox dir -B dir
lx start dir
ok 'ephemeral, of one that runs' lx copy -q -e -B overlay dir eph
is dir 'which stays what it is' backend dir
lx stop -k eph
lx stop -k dir
# What only looks like an overlay's.
mkdir "$TREE/dir/rootfs/w"
mknod "$TREE/dir/rootfs/w/gone" c 0 0
for how in '' -s; do
	# shellcheck disable=SC2086
	status 6 "whiteouts of its own $how" lx copy $how -B overlay dir no
done
rm "$TREE/dir/rootfs/w/gone"
setfattr -n trusted.overlay.opaque -v y "$TREE/dir/rootfs/w"
status 6 'what hides, too' lx copy -s -B overlay dir no
setfattr -x trusted.overlay.opaque "$TREE/dir/rootfs/w"
mkdir "$TREE/.other" "$TREE/.root"
status 1 'in another directory of containers' lx copy -s -B overlay -p "$TREE/.other" dir no
lx snapshot -q dir s
says 'same directory' 'of a snapshot' lxmgr-copy -P "$TREE/dir/snapshots" -p "$TREE" -s -B overlay s no
cp -a "$TREE/dir/rootfs/." "$TREE/.root"
lx create -q -t none -n own --dir "$TREE/.root"
status 1 'of a root outside' lx copy -s -B overlay own no
is 'dir dir' 'none of these is another one now' bash -c "sed -n 's/^backend = //p' $TREE/{dir,dir/snapshots/s}/storage | xargs"
status 3 'nor is there a copy' lx info no
is 0 'or a layer' layers
finish
