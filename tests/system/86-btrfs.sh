# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016,SC2034
# Backend btrfs: subvolumes and snapshots, in a btrfs of the test's own.
# In machines: check-vm-full.
. ./lib.sh
. ./tree.sh
. ./backends.sh
need mkfs.btrfs btrfs gcc jq strace python3 zstd setfattr setfacl setcap

TOP=$TREE
truncate -s 2G "$TOP/.btrfs"
mkdir "$TOP/.mnt"
if ! mkfs.btrfs -q "$TOP/.btrfs" || ! mount -o loop "$TOP/.btrfs" "$TOP/.mnt"; then
	skip 'backend btrfs' 'no btrfs in this kernel'
	finish
	exit
fi
TREE=$TOP/.mnt/ct
mkdir -m 711 "$TREE"
# What there is but the images, which are kept. Some have no path that could be listed.
subvolumes() {
	btrfs filesystem sync "$TOP/.mnt" >/dev/null
	echo $(($(btrfs inspect-internal dump-tree -t root "$TOP/.btrfs" | grep -c ' ROOT_REF ') - $(find "$TREE/.images" -mindepth 1 -maxdepth 1 | wc -l)))
}

ok 'create' busybox a -B btrfs
is 256 'its root is a subvolume' stat -c %i "$TREE/a/rootfs"
digest=$(sed -n 's/^base = //p' "$TREE/a/storage")
is true 'a snapshot of an image, which is read-only' bash -c "btrfs property get $TREE/.images/$digest ro | sed s/ro=//"
ok 'another' busybox b -B btrfs
is 1 'of the same one' bash -c "ls $TREE/.images | wc -l"
lx start a
is btrfs 'it is the root' lx attach a -- sh -c 'grep " / " /proc/mounts | cut -d" " -f3'
is '0 0' 'ids are mapped' lx attach a -- sh -c 'touch /f && stat -c "%u %g" /f | cat'
is '0 0' 'and stored as they are' stat -c '%u %g' "$TREE/a/rootfs/f"
lx attach a -- sh -c 'mkdir /data; echo one >/data/a; ln /data/a /data/b; chown 7:8 /data'
status 1 'the other one does not see it' inside b 'test -e /data'
kill -9 "$(lx info --json a | jq .monitor_pid)"
is one 'it runs on without its monitor' lx attach a -- cat /data/a
ok 'copy of a running one' lx copy a live
is one 'has what was written a moment ago' inside live 'cat /data/a'
lx stop -k a
ok 'copy' lx copy a cp
ok 'a shared one' lx copy -s a shared
for c in cp shared; do
	is 'one 7:8 2' "$c: what it holds is the same" inside $c 'echo $(cat /data/a; stat -c %u:%g /data; stat -c %h /data/b); echo two >/data/a'
done
is one 'the source does not see the writes' inside a 'cat /data/a'
ok 'snapshot' lx snapshot a s
is true 'is read-only' bash -c "btrfs property get $TREE/a/snapshots/s/rootfs ro | sed s/ro=//"
inside a 'echo two >/data/a'
ok 'restore' lx snapshot a -r s
is one 'it is as it was' inside a 'cat /data/a; echo three >/data/a'
is 1 'in one subvolume' bash -c "find $TREE/a -mindepth 1 -maxdepth 1 -inum 256 | wc -l"
ok 'restore again' lx snapshot a -r s
is one 'is the same' inside a 'cat /data/a'
ok 'a container of the snapshot' lx snapshot a -r s -N n
is one 'has it' inside n 'cat /data/a; echo x >/x'
ok 'destroy the snapshot' lx snapshot a -d s
ok 'destroy' lx destroy -q n
ok 'rename' lx copy -R cp cp2
is two 'is whole' inside cp2 'cat /data/a'
ok 'reinstall' lx reinstall cp2
status 1 'is fresh' inside cp2 'test -e /data'
is 256 'in a subvolume' stat -c %i "$TREE/cp2/rootfs"

before=$(subvolumes)
verbs_on btrfs
is "$before" 'no subvolume is left of all verbs' subvolumes

# To another file system: in full, where that is no btrfs not at all.
status 1 'not to one that is no btrfs' lx copy -p "$TOP/far" a far
status 1 'nor create there' lxmgr-create -P "$TOP/far" -q -t busybox -n far -B btrfs
says 'needs containers on btrfs' 'with the reason' lxmgr-create -P "$TOP/far" -q -t busybox -n far -B btrfs

# What a guest nests: copied with it, snapshotted, deleted with it, as deep as it may be.
lx start a
root=$TREE/a/$(sed -n 's/^tree = //p' "$TREE/a/storage")
OUT=$(python3 - "$root" <<-'END' 2>&1
	import fcntl, os, struct, sys
	CREATE, SETFLAGS = 0x5000940e, 0x4008941a
	def make(name):
	    d = os.open('.', os.O_RDONLY)
	    fcntl.ioctl(d, CREATE, bytearray(struct.pack('=q4088s', 0, name.encode())))
	    os.close(d)
	label = 'system_u:object_r:lxmgr_file_t:s0' if os.path.exists('/sys/fs/selinux/enforce') else None
	if label:
	    open('/proc/self/attr/fscreate', 'w').write(label)
	def enter(name): # the kernel labels no new subvolume
	    os.chdir(name)
	    if label: os.setxattr('.', 'security.selinux', label.encode())
	os.chdir(sys.argv[1])
	make('one')
	enter('one'); make('two'); open('f', 'w').write('1')
	enter('two'); make('three'); open('f', 'w').write('2')
	enter('three'); open('f', 'w').write('3')
	# Deeper than any path is long.
	for i in range(60):
	    os.mkdir('x' * 200); os.chdir('x' * 200)
	make('deep'); os.chdir('deep'); make('deeper'); open('f', 'w').write('4')
	d = os.open('deeper', os.O_RDONLY); fcntl.ioctl(d, SETFLAGS, struct.pack('=Q', 2))
	d = os.open('.', os.O_RDONLY); fcntl.ioctl(d, SETFLAGS, struct.pack('=Q', 2))
END
)
result $? 'a guest nests subvolumes, two of them read-only'
is '123' 'it sees them' lx attach a -- sh -c 'echo $(cat /one/f /one/two/f /one/two/three/f)'
ok 'copy of the running one' lx copy a nest
lx stop -k a
is '123' 'has them' inside nest 'echo $(cat /one/f /one/two/f /one/two/three/f); echo 9 >/one/two/f'
is 2 'of its own' inside a 'cat /one/two/f'
deep='/one/two/three'
for _ in $(seq 17); do deep=$deep/'x*'; done
ok 'to the bottom' inside nest "cd $deep && cd x* && cd x* && cd x*"
ok 'snapshot' lx snapshot a nested
inside a 'echo 8 >/one/two/f'
ok 'restore' lx snapshot a -r nested
is '123' 'has them, too' inside a 'echo $(cat /one/f /one/two/f /one/two/three/f)'
before=$(subvolumes)
ok 'destroy the copy' lx destroy -q nest
is $((before - 6)) 'with all of them' subvolumes
ok 'destroy with the snapshot' lx destroy -q -s a
is $((before - 18)) 'leaves none' subvolumes

# Each of these is a commit of the file system, and what a copy or snapshot takes of time.
commits() { # commits COMMAND ...
	strace -f -qq -o "$TOP/.calls" -e trace=fsync,fdatasync,syncfs,ioctl "$@" >/dev/null || return 1
	grep -c -E 'SNAP_CREATE|SUBVOL_SETFLAGS|sync(fs)?\(' "$TOP/.calls"
}
# With SELinux they have categories, too.
categories=0
[ ! -e /sys/fs/selinux/enforce ] || categories=2
busybox w -B btrfs
is 3 'a snapshot waits for the disk three times' commits lxmgr-snapshot -q -P "$TREE" w
is true 'it is read-only' bash -c "btrfs property get $TREE/w/snapshots/snap0/rootfs ro | sed s/ro=//"
is $((6 + categories)) 'a copy three times, and three times for what it reserves' commits lxmgr-copy -q -s -P "$TREE" w w2
lx destroy -q -s w
lx destroy -q w2

# An image of backend loop there shares what it holds, by reflink.
busybox r -B loop --fssize 64M
inside r 'echo one >/a'
ok 'loop: a shared copy' lx copy -s r r2
is one 'loop: has it' inside r2 'cat /a; echo two >/a'
lx start r
lx attach r -- sh -c 'echo three >/a'
ok 'loop: of a running one' lx copy -s r r3
is three 'loop: has what was written a moment ago' inside r3 'cat /a'
is three 'loop: the source does not see their writes' lx attach r -- cat /a
lx stop -k r
for c in r r2 r3; do lx destroy -q $c; done

# What nobody counts: a subvolume of the guest's own.
attack=$TOP/.attack
ok 'the attack builds' gcc -O1 -static -Wall -o "$attack" attack.c
cp "$attack" "$TREE/b/rootfs/attack"
lx start b
says no 'a guest makes no subvolume' lx attach b -- /attack subvolume /
lx stop -k b
lx config -n b lxmgr.seccomp.profile=none
lx start b
says yes 'control: it does where the policy lets it' lx attach b -- /attack subvolume /
lx stop -k b
lx config -n b lxmgr.seccomp.profile=
rmdir "$TREE/b/rootfs/escaped"

# Limits: where the file system counts.
if ! command -v lxmgr-disk >/dev/null; then
	skip 'limits' 'no lxmgr-disk'
else
	status 6 'nothing is limited where nothing is counted' lx disk b --resize 40M
	says 'btrfs quota enable' 'with the cure' lx disk b --resize 40M
	btrfs quota enable "$TREE"
	btrfs quota rescan -w "$TREE" >/dev/null
	status 6 'inodes are not limited' lx disk b --inodes 1000
	lx start b
	ok 'limit a running one' lx disk b --resize 40M
	status 1 'writing stops there' lx attach b -- sh -c 'dd if=/dev/urandom of=/fill bs=1M count=60 2>/dev/null && sync'
	is true 'usage has both' bash -c "lxmgr-usage -P $TREE --json b | jq '.[0].resources[] | select(.resource == \"disk\") | .current > 0 and .limit == 41943040'"
	ok 'a larger limit' lx disk b --resize 100M
	ok 'lets more in' lx attach b -- sh -c 'dd if=/dev/urandom of=/fill bs=1M count=60 2>/dev/null && sync'
	lx attach b -- rm /fill
	ok 'a limit that is in use' lx attach b -- sh -c 'dd if=/dev/urandom of=/fill bs=1M count=60 2>/dev/null && sync'
	status 6 'none below what there is' lx disk b --resize 20M
	says 'more than the limit' 'with the reason' lx disk b --resize 20M
	ok 'it can still be written to' lx attach b -- sh -c 'rm /fill && echo x >/x && sync'
	lx stop -k b
	ok 'copy' lx copy b b2
	lx start b2
	status 1 'is limited, too' lx attach b2 -- sh -c 'dd if=/dev/urandom of=/fill bs=1M count=120 2>/dev/null && sync'
	lx destroy -q -f b2
fi

# A root of somebody else's making, in a subvolume.
btrfs -q subvolume snapshot "$TREE/b/rootfs" "$TREE/.sub" >/dev/null
ok 'outside' lx create -q -t none -n out -s "lxmgr.rootfs.path=btrfs:$TREE/.sub" -s lxmgr.init.cmd=/sbin/init
ok 'outside: starts' lx start out
is btrfs 'outside: it is the root' lx attach out -- sh -c 'echo out >/out; grep " / " /proc/mounts | cut -d" " -f3'
ok 'outside: destroy' lx destroy -q -f out
is 'out' 'outside: the subvolume stays' cat "$TREE/.sub/out"
btrfs -q subvolume delete "$TREE/.sub" >/dev/null

# Backend dir on a file system with reflinks: nothing is there twice.
busybox d -B dir
head -c 8388608 /dev/urandom >"$TREE/d/rootfs/big"
alone() { # alone FILE: bytes that no other file has
	btrfs filesystem sync "$TOP/.mnt" >/dev/null
	btrfs filesystem du --raw "$1" | awk 'END { print $2 }'
}
is 8388608 'dir: alone it has its bytes' alone "$TREE/d/rootfs/big"
ok 'dir: copy' lx copy d d2
ok 'dir: a shared one' lx copy -s d d3
ok 'dir: snapshot' lx snapshot d s
for f in d/rootfs d2/rootfs d3/rootfs d/snapshots/s/rootfs; do
	is 0 "dir: $f shares what it holds" alone "$TREE/$f/big"
done
lx start d2
lx attach d2 -- sh -c 'echo x | dd of=/big bs=4096 count=1 conv=notrunc 2>/dev/null; sync'
lx stop -k d2
ok 'dir: a write is its own' test "$(alone "$TREE/d2/rootfs/big")" -ge 4096
ok 'dir: and nobody else sees it' cmp "$TREE/d/rootfs/big" "$TREE/d3/rootfs/big"
status 1 'dir: but itself' cmp -s "$TREE/d/rootfs/big" "$TREE/d2/rootfs/big"
lx destroy -q -s d
lx destroy -q d2
lx destroy -q d3
# Directories in place of subvolumes, as cp, rsync and a host that was rolled back leave them: what they
# lie in is the subvolume of all others.
busybox other -B btrfs
before=$(subvolumes)
mkdir "$TREE/b/rootfs.bak" "$TREE/b/rootfs.7"
echo mine >"$TREE/b/rootfs.bak/f"
is up 'beside directories of such names it starts' inside b 'echo up'
is "$before mine" 'and all is there' echo "$(subvolumes) $(cat "$TREE/b/rootfs.bak/f" && ls -d "$TREE/b/rootfs.7" >/dev/null)"
rmdir "$TREE/b/rootfs.7"
busybox cpd -B btrfs
tree=$TREE/cpd/rootfs
cp -a "$tree" "$tree.x" && btrfs subvolume delete "$tree" >/dev/null && mv "$tree.x" "$tree"
ok 'one whose root is a directory by now is destroyed' lx destroy -q cpd
is "$before" 'alone' subvolumes
# The tree that is named is away: another may be the only one.
lx snapshot -q other s
before=$(subvolumes)
echo 'tree = rootfs.3' >>"$TREE/other/storage"
status 1 'one whose tree is not there does not start' lx start other
is "$before" 'and what is there stays' subvolumes
sed -i '/^tree/d' "$TREE/other/storage"
is up 'so that it can be mended' inside other 'echo up'
lx destroy -q -s other
before=$(subvolumes)
# The cache after a roll-back.
btrfs subvolume delete "$TREE/.images/$digest" >/dev/null
mkdir "$TREE/.images/$digest"
ok 'an empty directory for an image is no image' busybox other -B btrfs
is 256 'it is made again' stat -c %i "$TREE/.images/$digest"
is up 'and is whole' inside other 'echo up'
nobodys=$(printf '%064d' 0)
mkdir "$TREE/.images/$nobodys"
ok 'nor does one go as an image' lx destroy -q other
rmdir "$TREE/.images/$nobodys"
is "$before" 'with all others' subvolumes

# A restore that fails behind the rename of its record is undone.
lx snapshot -q b s
inside b 'echo now >/f'
for at in 1 2; do
	status 1 "restore with EIO at fsync $at" strace -f -qq -o /dev/null -e trace=fsync -e "inject=fsync:error=EIO:when=$at" \
		lxmgr-snapshot -P "$TREE" -q b -r s
	is now 'it is as it was' inside b 'cat /f'
done
lx snapshot -q b -d s

# An image that was not brought to its end.
busybox k -B btrfs
btrfs property set "$TREE/.images/$digest" ro false
mv "$TREE/.images/$digest" "$TREE/.images/new"
lx destroy -q k
ok 'an unfinished image is made again' busybox k -B btrfs
is "$digest" 'whole' ls "$TREE/.images"
is '' 'nothing unfinished stays' find "$TREE" -maxdepth 1 -name '.*.new*'
for c in $(lx ls -1); do lx destroy -q -f "$c"; done
is 0 'no subvolume is left' subvolumes
umount "$TOP/.mnt"
TREE=$TOP
finish
