# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Backend loop where something goes wrong: a resize that ends half-way, an image that somebody else has
# open, a record that names nothing, a guest with another root.
# In machines: check-vm-full.
. ./lib.sh
need mkfs.ext4 losetup strace jq

loops() { losetup -n -O BACK-FILE | grep -c "^$TREE/"; }
none_left() { [ "$(loops)" = 0 ]; }
root_mb() { inside "$1" 'df -m /' | awk 'END { print $(NF - 4) }'; }

# Growth that was killed behind the image, before the file system: the next one goes on.
for fs in ext4:64:128 xfs:320:400 btrfs:320:400; do
	IFS=: read -r fs size large <<<"$fs"
	if ! command -v "mkfs.$fs" >/dev/null || { [ "$fs" = ext4 ] && ! may_resize; }; then
		skip "$fs: growth" "no mkfs.$fs, or no CAP_SYS_RESOURCE, on this host"
		continue
	fi
	busybox g -B loop --fstype "$fs" --fssize "$size"
	inside g 'echo one >/a'
	before=$(root_mb g)
	eventually none_left
	truncate -s "${large}M" "$TREE/g/rootfs.img"
	ok "$fs: the image has its new size already" lx disk g --resize "${large}M"
	ok "$fs: the file system gets it" test "$(root_mb g)" -gt $((before + (large - size) / 2))
	is one "$fs: with what it holds" inside g 'cat /a'
	# The guest has a file system of its own where the host looks for its root.
	lx start g
	ok "$fs: another file system over the guest's root" lx attach g -- sh -c 'mount -t tmpfs t / || mount --bind /tmp /'
	ok "$fs: is not what grows" lx disk g --resize $((large + 64))M
	lx stop -k g
	ok "$fs: the container's own does" test "$(root_mb g)" -gt $((before + large - size + 32))
	lx destroy -q g
done

busybox a -B loop --fssize 64
inside a 'echo one >/a'
image=$TREE/a/rootfs.img
ok 'no device stays' eventually none_left

# Nothing is deleted where what the record names is not there.
mv "$image" "$TREE/a/rootfs.1.img"
status 1 'the image has another name: no start' lx start a
ok 'it is still there' mv "$TREE/a/rootfs.1.img" "$image"
cp --sparse=always "$image" "$TREE/a/rootfs.old.img"
touch "$TREE/a/rootfs.7.img"
is one 'it starts' inside a 'cat /a'
ok 'what somebody else has put there stays' test -s "$TREE/a/rootfs.old.img"
ok 'what is of our names goes' test ! -e "$TREE/a/rootfs.7.img"
rm "$TREE/a/rootfs.old.img"

# An image that is in use is not copied byte by byte, nor replaced.
eventually none_left
device=$(losetup -f --show "$image")
status 4 'somebody else has the image: no copy' lx copy a b
says "in use as '$device'" 'which is said' lx disk a --resize 32M
ok 'it is as large as it was' test "$(stat -c %s "$image")" = $((64 << 20))
losetup -d "$device"
ok 'nobody has it: a copy' lx copy a b

# A copy that is given another number of inodes has them.
ok 'copy with a limit of inodes' lx copy a few --define lxmgr.limit.inodes=1024
is '1024' 'they are in force' inside few 'df -i / | awk "END { print \$(NF - 4) }"'
is one 'with what it holds' inside few 'cat /a'
lx destroy -q few

# The last fsync fails, of the directory with the record: nothing is lost.
bad='' n=0 size=62
for at in $(places 1 2 3 4 5 6); do
	timeout 60 strace -f -qq -o /dev/null -e trace=fsync -e "inject=fsync:error=EIO:when=$at" \
		lxmgr-disk -P "$TREE" a --resize ${size}M >/dev/null 2>&1
	[ "$(inside a 'cat /a' 2>&1)" = one ] || bad="$bad @$at"
	size=$((size - 2)) n=$((n + 1))
done
is '' "fsync $n times in error while it is made smaller: it starts" echo "$bad"
is 1 'one image' bash -c "ls $TREE/a/rootfs*.img | wc -l"
# One write fails, of those that the programs do (they try again by other means: these all fail). What is
# said to be smaller is, and whole.
busybox w -B loop --fssize 64
inside w 'mkdir /many && cd /many && for i in $(seq 300); do echo $i >$i; done'
sum='cd /many && cat $(seq 300) | md5sum'
many=$(inside w "$sum")
eventually none_left
bad='' n=0 size=62
for at in $(places $(seq 5 17 260)); do
	timeout 60 strace -f -qq -o /dev/null -e trace=pwrite64,write -e inject=pwrite64:error=EIO \
		-e "inject=write:error=EIO:when=$at" lxmgr-disk -P "$TREE" w --resize ${size}M >"$TREE/.said" 2>&1
	rc=$?
	eventually none_left
	e2fsck -fn "$TREE"/w/rootfs*.img >/dev/null 2>&1 && [ "$(inside w "$sum" 2>&1)" = "$many" ] || bad+=" @$at:$rc"
	[ $rc != 0 ] || [ "$(root_mb w)" -le $size ] || bad+=" @$at: not smaller"
	[ $rc = 0 ] || [ -s "$TREE/.said" ] || bad+=" @$at: says nothing"
	[ $rc != 0 ] || size=$((size - 2))
	n=$((n + 1))
done
is '' "a write in error $n times while it is made smaller: it is whole" echo "$bad"
lx destroy -q w

# Killed while it grows: one that cannot be made smaller starts again.
if command -v mkfs.xfs >/dev/null; then
	bad='' n=0 size=320
	busybox x -B loop --fstype xfs -s lxmgr.limit.disk=${size}M
	inside x 'echo one >/a'
	for verb in disk set; do
		for at in $(places 1 2 3); do
			size=$((size + 16))
			case $verb in
			disk) how=(lxmgr-disk -P "$TREE" x --resize "${size}M") ;;
			set) how=(lxmgr-set -P "$TREE" x --disk "${size}M") ;;
			esac
			eventually none_left
			timeout 60 strace -f -qq -o /dev/null -e trace=rename,renameat,renameat2 -e "inject=rename,renameat,renameat2:signal=KILL:when=$at" \
				"${how[@]}" >/dev/null 2>&1
			[ "$(inside x 'cat /a' 2>&1)" = one ] || bad+=" $verb@$at"
			"${how[@]}" >/dev/null 2>&1 && [ "$(lx disk x --json | jq .limit)" = $((size << 20)) ] || bad+=" $verb@$at: again"
			n=$((n + 1))
		done
	done
	is '' "xfs, killed $n times while it grows: it starts" echo "$bad"
	lx destroy -q x
else
	skip 'xfs, killed while it grows' 'no mkfs.xfs on this host'
fi
lx snapshot -q a s
bad='' n=0
for at in $(places 1 2 3 4 5 6); do
	timeout 60 strace -f -qq -o /dev/null -e trace=fsync -e "inject=fsync:error=EIO:when=$at" \
		lxmgr-snapshot -P "$TREE" -q a -r s >/dev/null 2>&1
	[ "$(inside a 'cat /a' 2>&1)" = one ] || bad="$bad @$at"
	n=$((n + 1))
done
is '' "and while it is restored: it starts" echo "$bad"

# Two look at one snapshot at once: it has one device.
diff_slowly() { strace -f -qq -o /dev/null -e trace=ioctl -e inject=ioctl:delay_enter=150000 lxmgr-snapshot -P "$TREE" a --diff s; }
eventually none_left
diff_slowly >"$TREE/.one" 2>&1 &
one=$!
diff_slowly >"$TREE/.two" 2>&1 &
two=$!
most=0
while kill -0 $one 2>/dev/null || kill -0 $two 2>/dev/null; do
	have=$(losetup -n -O BACK-FILE | grep -c "^$TREE/a/snapshots/s/")
	[ "$have" -le "$most" ] || most=$have
	sleep 0.02
done
wait $one && wait $two
result $? 'two differences at once'
is 1 'one device of the snapshot at any time' echo "$most"

# What reads a file system that a guest may have shaped cannot do anything else: uid 0 alone is no right.
mkdir "$TREE/.bin"
cat >"$TREE/.bin/mkfs.ext4" <<'END'
#!/bin/sh
(exec 9<>/dev/full) 2>&- && echo a device
(: >/var/lib/lxmgr-test.file) 2>&- && echo a file
kill -0 1 2>&- && echo a signal
kill -0 $PPID 2>&- && echo a signal to the tool
python3 -c 'import socket; socket.socket(socket.AF_UNIX)' 2>&- && echo a socket
unshare -U true 2>&- && echo a user namespace
[ -w /proc/self/fd/3 ] && echo its descriptor
exit 9
END
chmod 755 "$TREE/.bin/mkfs.ext4"
tried() { PATH=$TREE/.bin:$PATH busybox y -B loop --fssize 32M 2>&1 | sed -n 's/.*exit status 9: *//p'; }
is 'its descriptor' 'mkfs can write to nothing but the image' tried
# Whoever copies is killed, or interrupted: nobody goes on writing.
cat >"$TREE/.bin/cp" <<END
#!/bin/sh
echo \$\$ >$TREE/.cp
exec sleep 1000
END
chmod 755 "$TREE/.bin/cp"
copies() { # copies SIGNAL: which ends a copy, and cp with it
	local pid cp
	rm -f "$TREE/.cp"
	PATH=$TREE/.bin:$PATH lxmgr-copy -P "$TREE" a x >/dev/null 2>&1 &
	pid=$!
	eventually test -s "$TREE/.cp" || return 1
	cp=$(cat "$TREE/.cp")
	kill "-$1" $pid
	wait $pid && return 1
	eventually sh -c "! kill -0 $cp"
}
if cp --reflink=always "$TREE/.one" "$TREE/.two" 2>/dev/null; then
	skip 'a copy that is killed' 'files share their contents here: there is no cp'
else
	ok 'cp ends with the tool that is killed' copies KILL
	ok 'and with one that is interrupted' copies TERM
	ok 'the next copy' lx copy a x
	is '' 'nothing unfinished stays' find "$TREE" -maxdepth 1 -name '.*.new*'
fi
finish
