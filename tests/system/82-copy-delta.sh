# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# lxmgr-copy -e -m overlay=SRC:DEST: the copy may change what it sees of SRC, and SRC stays as it is.
# In machines: check-vm-full.
. ./lib.sh

SRC=$TREE/.src
mkdir -p "$SRC/sub"
echo host >"$SRC/f"
echo secret >"$SRC/sub/closed"
chmod 700 "$SRC/sub"
chown 7:8 "$SRC/sub/closed"
chmod 751 "$SRC"
for_containers "$SRC"
sum() { find "$SRC" -printf '%p %y %m %U %G %s %T@ %C@\n' | sort; }
deltas() { find "$TREE/$1" -maxdepth 1 -name 'delta.*'; }
in_() { lx attach "$1" -- sh -c "$2"; }
WAS=$(sum)

for b in overlay dir; do
	busybox "$b" -B "$b"
	ok "$b: a copy with a delta" lx copy -q -e -m "overlay=$SRC:/mnt/src" "$b" d
	is host 'it sees what is there' in_ d 'cat /mnt/src/f'
	is '751 0 0' 'with its mode and owner' in_ d 'stat -c "%a %u %g" /mnt/src'
	is '7 8' 'those of files, too' in_ d 'stat -c "%u %g" /mnt/src/sub/closed'
	ok 'it writes' in_ d 'echo mine >/mnt/src/f; echo new >/mnt/src/new; rm -r /mnt/src/sub; mkdir /mnt/src/d'
	is 'd f new mine' 'and sees that' in_ d 'echo $(ls /mnt/src; cat /mnt/src/f)'
	is "$WAS" 'the source is as it was' sum
	lx stop -k d
	ok 'then all goes' eventually bash -c "! [ -e $TREE/d ]"
	is "$WAS" 'but the source' sum
done

# In memory, two at once, without a place, and what is kept.
ok 'in memory' lx copy -q -e -t -m "overlay=$SRC:/mnt/src" overlay d
ok 'it writes there' in_ d 'echo mine >/mnt/src/f'
is '' 'not to the disk' find "$TREE/d" -path '*/delta.*/upper/f'
lx stop -k d
ok 'which goes' eventually bash -c "! [ -e $TREE/d ]"
ok 'two, and a bind' lx copy -q -e -D -m "overlay=$SRC:/a,bind=$SRC:/b:ro,overlay=${SRC#/}" overlay d
ok 'both are written' in_ d "echo a >/a/f; echo c >$SRC/f"
is "a host c" 'each for itself' in_ d "echo \$(cat /a/f /b/f $SRC/f)"
is "$WAS" 'the source is as it was' sum
lx stop -k d
is 2 'with -D they stay' bash -c "find $TREE/d -maxdepth 1 -name 'delta.*' | wc -l"
ok 'under another name' lx copy -q -R d e
lx start e
is a 'too' in_ e 'cat /a/f'
lx stop -k e
ok 'a copy of it' lx copy -q e f
is '' 'has none of its own' deltas f
lx start f
is host 'until it starts' in_ f 'cat /a/f'
lx stop -k f
# One that was killed while it was made.
rm -r "$TREE"/f/delta.*/upper
touch "$(deltas f | head -n 1)/upper.new"
ok 'what was half made is made again' lx start f
is host 'as a whole' in_ f 'cat /a/f'
lx stop -k f
lx destroy -q e
status 1 'destroy takes them along' test -e "$TREE/e"
is "$WAS" 'and not the source' sum

# A limit that they would not count to.
if command -v mkfs.ext4 >/dev/null && lx create -q -t busybox -n loop -B loop --fssize 64M; then
	says 'would not count to lxmgr.limit.disk' 'not past a limit' \
		lx copy -q -e -m "overlay=$SRC:/a" --define lxmgr.limit.disk=64M loop g
	status 3 'and nothing is left' lx info g
else
	skip 'not past a limit' 'no loop devices on this host'
fi
says 'No such file' 'a source that is not there' lx copy -q -e -m "overlay=$TREE/.none:/a" overlay g
status 3 'fails the start' lx info g
finish
