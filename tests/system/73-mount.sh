# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# The root of a stopped container, mounted for the host.
# In machines: check-vm-full.
. ./lib.sh
need jq findmnt strace

mounted() { findmnt -n -M "$1" >/dev/null; }
for backend in dir overlay; do
	c=m$backend
	busybox "$c" -B "$backend"
	ok "$backend: mount" lx mount "$c"
	dir=$(lx mount --json | jq -r ".[] | select(.name == \"$c\") | .dir")
	ok "$backend: it is there" mounted "$dir"
	is '0 700' "$backend: below a directory of root's" stat -c '%u %a' "$(dirname "$dir")"
	is '0 0 640' "$backend: ids are as on disk" stat -c '%u %g %a' "$dir/etc/shadow"
	says 'nosuid' "$backend: nosuid" findmnt -n -o OPTIONS -M "$dir"
	says 'nodev' "$backend: nodev" findmnt -n -o OPTIONS -M "$dir"
	is 'private' "$backend: private" findmnt -n -o PROPAGATION -M "$dir"
	ok "$backend: it can be written" sh -c "echo host >$dir/root/file && chown 7:8 $dir/root/file"
	status 4 "$backend: not twice" lx mount "$c"
	status 4 "$backend: start is refused" lx start "$c"
	says "mounted on '$dir' .lxmgr-umount $c" "$backend: and names the mount" lx start "$c"
	status 125 "$backend: so is execute" lx execute "$c" -- true
	status 4 "$backend: and destroy" lx destroy "$c"
	status 4 "$backend: and reinstall" lx reinstall "$c"
	status 4 "$backend: and setup" lx setup "$c" --hostname other
	status 4 "$backend: and publish" lxmgr-image -P "$TREE" publish "$c" --as "mount-test-$$"
	is 'host 7 8' "$backend: what was written is there" sh -c "echo \$(cat $dir/root/file) \$(stat -c '%u %g' $dir/root/file)"
	status 4 "$backend: and push" lx push "$c" lib.sh /root/
	status 4 "$backend: and pull" lx pull "$c" /root/file -
	cd "$dir" || exit 1
	status 1 "$backend: umount fails while it is used" lx umount "$c"
	cd - >/dev/null || exit 1
	ok "$backend: and is still there" mounted "$dir"
	mount -t tmpfs none "$dir/mnt" 2>/dev/null || { mkdir -p "$dir/mnt" && mount -t tmpfs none "$dir/mnt"; }
	says "is mounted in it" "$backend: or something is mounted in it" lx umount "$c"
	umount "$dir/mnt"
	ok "$backend: umount" lx umount "$c"
	status 4 "$backend: not twice" lx umount "$c"
	ok "$backend: the place is gone" test ! -e "$dir"
	is '[]' "$backend: and the record" lx mount --json
	ok "$backend: it starts" lx start "$c"
	is '7 8 host' "$backend: with what was written" lx attach "$c" -- sh -c 'echo $(stat -c "%u %g" /root/file) $(cat /root/file)'
	status 4 "$backend: no mount while it runs" lx mount "$c"
	lx stop -k "$c"

	mkdir -p "$TREE/.at it"
	ok "$backend: --read-only, at a place of ours" lx mount --read-only "$c" "$TREE/.at it"
	is 'true' "$backend: as JSON" bash -c "lxmgr-mount -P $TREE --json | jq '.[0].read_only'"
	says "ro $TREE/.at it" "$backend: as text" lx mount
	status 2 "$backend: nothing can be written" sh -c ": >'$TREE/.at it/root/x'"
	ok "$backend: umount(8) ends it too" umount "$TREE/.at it"
	ok "$backend: the next command sees that" lx start "$c"
	lx stop -k "$c"
	lx mount -q "$c" "$TREE/.at it"
	mv "$TREE/.at it" "$TREE/.moved" 2>/dev/null
	ok "$backend: destroy -f lets go of it" lx destroy -q -f "$c"
	ok "$backend: it is gone" test ! -e "$TREE/$c"
	status 1 "$backend: and unmounted" mounted "$TREE/.at it"
	rm -rf "$TREE/.at it" "$TREE/.moved"
done

# Whether an overlay came up read-only is tried by making a file.
busybox full -B overlay
traced() { # traced INJECTION...: what is opened relative to a root
	strace -f -qq -o "$TREE/.trace" -e trace=openat -P / "$@" lxmgr-mount -P "$TREE" -q full
}
ok 'control: a root is mounted' traced
lx umount full
at=$(awk '/openat\(/ { n[$1]++ } /O_TMPFILE/ { print n[$1]; exit }' "$TREE/.trace")
ok 'the file has no name' test "${at:-0}" -gt 0
for e in ENOSPC EDQUOT; do
	ok "a root without room is mounted ($e)" traced -e "inject=openat:error=$e:when=$at"
	lx umount full
done
ok 'where files have to have a name' traced -e "inject=openat:error=EOPNOTSUPP:when=$at"
ok 'it is not left' test ! -e "$TREE/full/overlay/upper/.lxmgr-write-check"
lx umount full
# The kernel cannot clear its work directory: then it mounts it read-only, and says so to its log alone.
mkdir -p "$TREE/full/overlay/work/work"
: >"$TREE/full/overlay/work/work/stuck"
if chattr +i "$TREE/full/overlay/work/work/stuck" 2>/dev/null; then
	says 'came up read-only' 'one that came up read-only is not' lx mount -q full
	chattr -i "$TREE/full/overlay/work/work/stuck"
else
	skip 'one that came up read-only is not' 'no immutable files on this file system'
fi
mkdir "$TREE/full/overlay/upper/.lxmgr-write-check"
ok 'nor does a directory in its place matter' lx mount -q full
lx umount full
ok 'which stays' rmdir "$TREE/full/overlay/upper/.lxmgr-write-check"
lx destroy -q full

# Files that are hostile on a mount with suid and devices.
busybox a -B dir
root=$TREE/a/rootfs
cp /bin/true "$root/suid"
chmod 4755 "$root/suid"
mknod -m 666 "$root/node" c 1 3
ok 'control: the device opens in the tree' sh -c "echo x >$root/node"
dir=$(lx mount a)
status 2 'not on the mount' sh -c ": >$dir/node"
lx umount a

# A boot ago, or a mount namespace that is gone.
lx mount -q a
rec=$(grep -lx "path $TREE" "$RUN"/.mounts/*)
cp "$rec" "$TREE/.rec"
lx umount a
sed 's/^boot .*/boot 00000000-0000-0000-0000-000000000000/' "$TREE/.rec" >"$rec"
is '[]' 'a record of an earlier boot is none' lx mount --json
cp "$TREE/.rec" "$rec"
is '[]' 'nor is one of a mount that is gone' lx mount --json
cp "$TREE/.rec" "$rec"
ok 'start does not mind' lx start a
ok 'and has removed it' test ! -e "$rec"
lx stop -k a
unshare -m lxmgr-mount -P "$TREE" -q a
ok 'a mount namespace that ended took its mount along' lx start a
lx stop -k a
unshare -m sh -c "lxmgr-mount -P $TREE -q a; exec sleep 100" &
eventually test -e "$rec"
says 'in the mount namespace of process [0-9]+' 'one in another namespace is seen' lx start a
busybox e -B dir
unshare -m sh -c "lxmgr-mount -P $TREE -q e; exec sleep 100" &
eventually sh -c "lxmgr-mount -P $TREE | grep -q ^e"
ok 'which does not keep destroy -f from it' lx destroy -q -f e
kill %1 %2
wait
ok 'it starts when that is over' lx start a
lx stop -k a

# Where mounts are shared, as on hosts with systemd, others get it, and must lose it with us.
mkdir -p "$TREE/.shared/at"
mount --bind "$TREE/.shared" "$TREE/.shared"
# Not a peer of the place it hides: there would be a second mount, under it.
mount --make-private "$TREE/.shared"
mount --make-shared "$TREE/.shared"
unshare -m --propagation slave sleep 100 &
other=$!
eventually sh -c "[ \$(readlink /proc/$other/ns/mnt) != \$(readlink /proc/self/ns/mnt) ]"
lx mount -q a "$TREE/.shared/at"
is 'private' 'at a shared place it is private' findmnt -n -o PROPAGATION -M "$TREE/.shared/at"
ok 'control: another namespace has it' grep -q "$TREE/.shared/at" "/proc/$other/mountinfo"
ok 'umount' lx umount a
status 1 'takes it from there' grep -q "$TREE/.shared/at" "/proc/$other/mountinfo"
kill "$other"
wait
umount "$TREE/.shared"

# Killed.
bad=''
for ms in $(places 1 2 3 4 5 6 8 10 12 15 18 22 26 30 40); do
	lxmgr-mount -P "$TREE" -q a >/dev/null 2>&1 &
	pid=$!
	sleep "$(printf '0.%03d' "$ms")"
	kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	if [ "$(lx mount --json | jq length)" = 1 ]; then
		lx start a 2>/dev/null && bad="$bad started@$ms"
		lx umount a || bad="$bad umount@$ms"
	else
		! grep -q "$RUN/.mnt/a" /proc/self/mountinfo || bad="$bad unknown@$ms"
	fi
	lx start a || bad="$bad start@$ms"
	lx stop -k a
done
is '' 'killed at many points: it is mounted and known, or not' echo "$bad"
# What lies on top is somebody else's.
place=$TREE/.place
mkdir "$place"
ok 'mounted' lx mount a "$place"
mount -t tmpfs none "$place"
status 4 'under another mount' lx umount a
says 'something else is mounted' 'which is said' lx umount a
status 4 'it is known, still' lx start a
umount "$place"
ok 'until it is unmounted' lx umount a
ok 'then it starts' lx start a
lx stop -k a

# One that was moved is followed, with a backend whose roots are plain directories, too.
mount -t tmpfs none "$place"
mount --make-private "$place"
mkdir "$place/one" "$place/two"
busybox moved -B dir
ok 'dir: mounted' lx mount moved "$place/one"
mount --move "$place/one" "$place/two"
status 4 'dir: moved, it is known' lx start moved
ok 'dir: and found' lx umount moved
is 0 'dir: there, too' bash -c "grep -c '$place/' /proc/self/mountinfo"
umount "$place"
lx destroy -q moved

status 3 'no such container' lx mount nosuch
status 1 'no such place' lx mount a /no/such/place
status 64 'not on /' lx mount a /
ok 'a refused one leaves nothing' lx start a
finish
