# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016,SC2034
# Backend btrfs: subvolumes and snapshots, in a btrfs of the test's own.
. ./lib.sh
need mkfs.btrfs btrfs gcc jq strace python3

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
inside() { # inside NAME COMMAND: in the stopped container
	local rc
	lx start "$1" && lx attach "$1" -- sh -c "$2"
	rc=$?
	lx stop -k "$1"
	return $rc
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
	os.chdir(sys.argv[1])
	make('one')
	os.chdir('one'); make('two'); open('f', 'w').write('1')
	os.chdir('two'); make('three'); open('f', 'w').write('2')
	os.chdir('three'); open('f', 'w').write('3')
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
	ok 'a larger limit' lx disk b --resize 100M
	ok 'lets more in' lx attach b -- sh -c 'dd if=/dev/urandom of=/fill bs=1M count=60 2>/dev/null && sync'
	lx attach b -- rm /fill
	lx stop -k b
	ok 'copy' lx copy b b2
	lx start b2
	status 1 'is limited, too' lx attach b2 -- sh -c 'dd if=/dev/urandom of=/fill bs=1M count=120 2>/dev/null && sync'
	lx destroy -q -f b2
fi

# Killed at any instant.
bad='' n=0
for call in openat ioctl mkdirat write fsync renameat,renameat2; do
	for at in $(places 1 2 3 5 8 13 21 34 55); do
		rm -rf "$TREE/.images/new" 2>/dev/null
		timeout 60 strace -f -qq -o /dev/null -e "trace=$call" -e "inject=$call:signal=SIGKILL:when=$at" \
			lxmgr-create -P "$TREE" -q -t busybox -n k -B btrfs >/dev/null 2>&1
		if [ -e "$TREE/k" ]; then
			[ "$(inside k 'echo up')" = up ] || bad="$bad half:$call@$at"
			lx destroy -q k || bad="$bad destroy:$call@$at"
		fi
		timeout 60 strace -f -qq -o /dev/null -e "trace=$call" -e "inject=$call:signal=SIGKILL:when=$at" \
			lxmgr-copy -P "$TREE" -q b kc >/dev/null 2>&1
		[ ! -e "$TREE/kc" ] || lx destroy -q kc || bad="$bad copy:$call@$at"
		n=$((n + 1))
	done
done
is '' "create and copy killed at $n points: nothing, or a whole one" echo "$bad"
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
