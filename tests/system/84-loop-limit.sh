# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# The limit of a file system in a file: its size is one, lxmgr.limit.disk and .inodes make it, a start
# brings a changed one into force; what takes long tells how far it is.
# In machines: check-vm-full.
. ./lib.sh
need mkfs.ext4 resize2fs jq script strace

M=1048576
limit() { lx disk "$1" --json | jq .limit; }
inodes() { lx disk "$1" --json | jq .inodes_limit; }
df_mb() { lx attach "$1" -- df -m / | awk 'END { print $(NF - 4) }'; }
df_inodes() { lx attach "$1" -- df -i / | awk 'END { print $(NF - 4) }'; }
between() { [ "$2" -ge "$1" ] && [ "$2" -le "$3" ]; }
set_key() { sed -i "/^$2 =/d" "$TREE/$1/config" && echo "$2 = $3" >>"$TREE/$1/config"; }

# Nobody set a limit: it has a size all the same.
busybox a -B loop --fssize 32M
is $((32 * M)) 'the size of the image is the limit' limit a
is true 'usage has it, with what the image takes' bash -c "lxmgr-usage -P $TREE --json a | jq '.[0].resources[] | select(.resource == \"disk\") | .current > 0 and .limit == 33554432'"
is $((32 * M)) 'for info, too' bash -c "lxmgr-info -P $TREE --json a | jq .disk_limit"
lx start a
between 1 "$(inodes a)" 100000
result $? 'so are the inodes that it has'
is "$(inodes a)" 'as df inside has them' df_inodes a
lx stop -k a
is '' 'its config says nothing of it' grep limit.disk "$TREE/a/config"
fs=ext4 size=32
may_resize || fs=xfs size=320
if command -v "mkfs.$fs" >/dev/null; then
	busybox g -B loop --fstype $fs --fssize ${size}M
	ok "$fs: so much more than it has" lx disk g --resize +${size}M
	is $((2 * size * M)) "$fs: is twice that" limit g
	is "lxmgr.limit.disk = $((2 * size * M))" "$fs: which its config says" grep limit.disk "$TREE/g/config"
	lx start g
	between $((2 * size * 2 / 3)) "$(df_mb g)" $((2 * size))
	result $? "$fs: df shows it"
	lx destroy -q -f g
else
	skip "$fs: so much more than it has" "nothing here can grow: no CAP_SYS_RESOURCE, no mkfs.xfs"
fi

# By key, at create.
ok 'create with both limits' busybox k -B loop -s lxmgr.limit.disk=48M -s lxmgr.limit.inodes=2000
is $((48 * M)) 'an image of that size' stat -c %s "$TREE/k/rootfs.img"
is $((48 * M)) 'which is the limit' limit k
lx start k
between 36 "$(df_mb k)" 48
result $? 'df shows it'
between 1900 "$(df_inodes k)" 2100
result $? 'and the inodes'
is "$(df_inodes k)" 'as disk does' inodes k
says 'No space left' 'more cannot be written' lx attach k -- dd if=/dev/zero of=/fill bs=1M count=60
lx attach k -- rm /fill
says 'No space left' 'nor more files' lx attach k -- sh -c 'mkdir /m; i=0; while [ $i -lt 3000 ]; do : >/m/$i || exit; i=$((i + 1)); done'
lx attach k -- sh -c 'rm -r /m; echo kept >/keep; sync'
status 64 'the size twice' busybox x -B loop --fssize 32M -s lxmgr.limit.disk=48M
says 'give one' 'is to be told once' busybox x -B loop --fssize 32M -s lxmgr.limit.disk=48M
if command -v mkfs.xfs >/dev/null; then
	status 6 'xfs has no number of inodes' busybox x -B loop --fstype xfs -s lxmgr.limit.inodes=2000
	says 'fstype ext4' 'with what to take' busybox x -B loop --fstype xfs -s lxmgr.limit.inodes=2000
fi
is '' 'nothing is left of them' find "$TREE" -mindepth 1 -maxdepth 1 ! -name '.*' ! -name a ! -name g ! -name k

# Another number of inodes needs another file system.
for v in 4000 +100; do
	status 6 "--inodes $v is refused" lx disk k --inodes $v
	says 'lxmgr-copy .*--define lxmgr.limit.inodes' "--inodes $v: with the cure" lx disk k --inodes $v
done
lx stop -k k
set_key k lxmgr.limit.inodes 4000
status 6 'so is a start with another one in its config' lx start k
says 'lxmgr-copy .*--define lxmgr.limit.inodes' 'with the cure' lx start k
set_key k lxmgr.limit.inodes 2000
ok 'which is one' lx copy k many --define lxmgr.limit.inodes=4000
lx start many
between 3900 "$(df_inodes many)" 4100
result $? 'the copy has them'
is kept 'with what it holds' lx attach many -- cat /keep
lx destroy -q -f many

# By key, later: from the next start.
set_key k lxmgr.limit.disk 32M
ok 'a start with less in its config' lx start k
between 20 "$(df_mb k)" 32
result $? 'df shows it'
is $((32 * M)) 'so does disk' limit k
is kept 'what it holds is there' lx attach k -- cat /keep
lx attach k -- sh -c 'dd if=/dev/urandom of=/fill bs=1M count=20 2>/dev/null; sync'
lx stop -k k
set_key k lxmgr.limit.disk 17M
status 6 'a limit below what there is is refused' lx start k
says 'takes more' 'with the reason' lx start k
is $((32 * M)) 'it is as large as it was' stat -c %s "$TREE"/k/rootfs*.img
status 6 'by disk, too' lx disk k --resize 18M
set_key k lxmgr.limit.disk 32M
ok 'with the one that it had it starts' lx start k
is kept 'and all is there' lx attach k -- cat /keep
if may_resize; then
	lx stop -k k
	set_key k lxmgr.limit.disk max
	ok 'no limit at all' lx start k
	is $((32 * M)) 'but that of its size' limit k
else
	skip 'no limit at all' 'no CAP_SYS_RESOURCE on this host'
fi
lx stop -k k

# What takes long tells it on a terminal. The program waits until that is seen.
mkdir "$TREE/.bin"
cat >"$TREE/.bin/e2fsck" <<END
#!/bin/sh
n=0
while ! grep -q 'e2fsck: [0-9]* MiB' $TREE/.tty && [ \$n -lt 300 ]; do
	sleep 0.1
	n=\$((n + 1))
done
exec $(command -v e2fsck) "\$@"
END
chmod 755 "$TREE/.bin/e2fsck"
lx start k
lx attach k -- rm /fill
lx stop -k k
PATH=$TREE/.bin:$PATH ok 'it is made smaller' script -fqec "lxmgr-disk -P $TREE k --resize 30M" "$TREE/.tty"
ok 'a terminal sees how far' grep -q 'e2fsck: [0-9]* MiB' "$TREE/.tty"
is $((30 * M)) 'and it is smaller' limit k
script -fqec "lxmgr-disk -P $TREE k --compact" "$TREE/.tty" >/dev/null
ok 'so of a compaction' grep -q '0% giving back' "$TREE/.tty"
script -fqec "lxmgr-disk -q -P $TREE k --compact" "$TREE/.tty" >/dev/null
is 0 'but -q' grep -c giving "$TREE/.tty"
says '^k gave back [0-9.]* .*B$' 'and where there is no terminal' lx disk k --compact

# What cannot be removed is not what is in the way of the next try.
lx snapshot -q k s
for at in 1 2 3; do
	timeout 60 strace -f -qq -o /dev/null -e trace=unlinkat -e "inject=unlinkat:error=ENOSPC:when=$at" \
		lxmgr-snapshot -P "$TREE" -q k -r s >"$TREE/.out" 2>&1 || cat "$TREE/.out"
done >"$TREE/.all"
is '' 'a restore that cannot delete says why' grep -v 'No space left' "$TREE/.all"
ok 'and is done when it can' lx snapshot -q k -r s
is 1 'nothing unfinished stays' bash -c "ls $TREE/k/rootfs*.img | wc -l"
lx destroy -q -s k
lx destroy -q a
finish
