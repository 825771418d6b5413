# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Limits of disks: lxmgr.limit.io.*, lxmgr.limit.iops.*; on a disk of the test's own, whose scheduler it sets.
. ./lib.sh
need jq strace losetup mkfs.ext4

v1() { [ ! -e /sys/fs/cgroup/cgroup.controllers ]; }
key() { lx config -n a "lxmgr.$1"; }
running() { lx config -n a --running "lxmgr.$1"; }
# of NAME: bytes and requests a second that the kernel lets it read from the disk; max: as many as it likes.
of() {
	if v1; then
		echo "$(on_disk "$(lx cgroup "$1" blkio.throttle.read_bps_device)") $(on_disk "$(lx cgroup "$1" blkio.throttle.read_iops_device)")"
	else
		io_max "$1" rbps riops
	fi
}
on_disk() { awk -v disk="$DISK" '$1 == disk { n = $2 } END { print n ? n : "max" }' <<<"$1"; }
io_max() { # io_max NAME WORD WORD
	lx cgroup "$1" io.max | awk -v disk="$DISK" -v a="$2" -v b="$3" '
		$1 == disk { for (i = 2; i <= NF; i++) { split($i, v, "="); has[v[1]] = v[2] } }
		END { print a in has ? has[a] : "max", b in has ? has[b] : "max" }'
}
reads() { of a; }
writes() { io_max a wbps wiops; }
weight() { lx cgroup a "$(if v1; then echo blkio.bfq.weight; else echo io.bfq.weight; fi)" | sed 's/default //'; }

TOP=$TREE
truncate -s 512M "$TOP/.disk"
LOOP=$(losetup -f --show "$TOP/.disk")
PART=${LOOP}p1
# Limits are the whole disk's.
if addpart "$LOOP" 1 2048 1000000 2>/dev/null && [ -b "$PART" ]; then
	ok 'the tree is on a partition' test -b "$PART"
else
	skip 'the tree is on a partition' 'this kernel makes none of a loop device'
	PART=$LOOP
fi
mkdir "$TOP/.mnt"
if ! mkfs.ext4 -q "$PART" || ! mount "$PART" "$TOP/.mnt"; then
	skip 'limits of disks' 'no ext4 on a loop device here'
	losetup -d "$LOOP"
	finish
	exit
fi
TREE=$TOP/.mnt/ct
mkdir -m 711 "$TREE"
for_containers "$TREE"
DISK=$(lsblk -dno MAJ:MIN "$LOOP" | tr -d ' ')

ok 'a container' busybox a -B dir -s lxmgr.limit.io.read=40M -s lxmgr.limit.pids=60
is '41943040' 'has the limit in its config' key limit.io.read
says '^limit.io.read: 41943040$' 'and in the plan of its start' lx start a --dry-run
lx start a
is '41943040 max' 'the kernel has it, of the whole disk' reads
is 'lxmgr.limit.io.read: 41943040 -> 10485760' 'another one while it runs' lx set a --io-read 10M
is '10485760 10485760 10485760 max' 'everywhere' echo "$(key limit.io.read) $(running limit.io.read) $(reads)"
is 'lxmgr.limit.iops.read: default -> 300' 'requests' lx set a --iops-read 300
is '10485760 300' 'the kernel has both' reads
is '{"key":"lxmgr.limit.iops.read","old":"300","value":"400"}' 'as JSON' \
	bash -c "lxmgr-set -P $TREE --json a --iops-read 400 --dry-run | jq -c '.changes[]'"
is '10485760 300' 'a dry run changes nothing' reads
lx stop -k a
lx start a
is '10485760 300' 'the next start agrees' reads
lx cgroup a "$(if v1; then echo blkio.throttle.read_bps_device; else echo io.max; fi)" \
	"$DISK $(if v1; then echo 5; else echo rbps=5; fi)000000"
is '5000000 300' 'somebody else changes it' reads
ok 'set to what the config says' lx set -q a --io-read 10M
is '10485760 300' 'it is that again' reads
ok 'none' lx set -q a --io-read= --iops-read max
is 'max max' 'is none' reads
is ' max' 'in the config, too' echo "$(key limit.io.read) $(key limit.iops.read)"
ok 'a limit again' lx set -q a --io-read 10M

# What a part of cannot be is not done at all.
status 1 'no limit at all is no number' lx set a --io-read 0 --pids 70
status 1 'nor what is none' lx set a --iops-read many --pids 70
status 1 'nor more than the kernel counts to' lx set a --iops-read 5G --pids 70
says 'limit.iops.read: the kernel counts to' 'which is said' lx set a --iops-read 5G
if v1; then
	for option in --io-write --iops-write; do
		status 1 "$option on cgroup v1" lx set a --pids 70 "$option" 1000000
		says 'v1 does not know whose' 'is refused with the reason' lx set a "$option" 1000000
	done
	ok 'none is none, there too' lx set -q a --io-write max
	status 1 'a start with one' bash -c "lxmgr-config -P $TREE -n a lxmgr.limit.iops.write=9 && lxmgr-stop -P $TREE -k a && lxmgr-start -P $TREE a"
	lx config -n a lxmgr.limit.iops.write=
	lx start a
else
	ok 'writes' lx set -q a --io-write 20M --iops-write 200
	is '20971520 200 10485760 max' 'the kernel has them beside the reads' echo "$(writes) $(reads)"
	ok 'none' lx set -q a --io-write= --iops-write=
	is 'max max' 'is none' writes
fi
is '60 10485760 max' 'and all else is as it was' echo "$(key limit.pids) $(reads)"

# A share is one where the disk's scheduler looks at it.
scheduler=/sys/block/${LOOP##*/}/queue/scheduler
echo none >"$scheduler"
status 1 'a weight that nothing looks at' lx set a --io-weight 300 --pids 70
says "echo bfq >$scheduler" 'is refused with the cure' lx set a --io-weight 300
if echo bfq 2>/dev/null >"$scheduler" && [ "$(weight)" = 100 ]; then
	ok 'which helps' lx set -q a --io-weight 300
	is 118 'in the measure of bfq' weight
	ok 'half' lx set -q a --io-weight 50
	is '50 50' 'is half' echo "$(weight) $(key limit.io.weight)"
	ok 'as it was' lx set -q a --io-weight=
	is 100 'is 100' weight
	echo none >"$scheduler"
else
	skip 'which helps' 'this kernel has no scheduler bfq, or it counts no groups'
fi

# A part that fails takes back the others.
for call in fsync renameat write; do
	hits=0
	before="$(reads) $(md5sum <"$TREE/a/config") $(running limit.pids)"
	for at in $(places 1 2 3 4 5); do
		strace -f -qq -o /dev/null -e "trace=$call" -e "inject=$call:error=EIO:when=$at" \
			lxmgr-set -P "$TREE" -q a --pids 95 --io-read 30M --iops-read 77 >/dev/null 2>&1 && continue
		OUT="$(reads) $(md5sum <"$TREE/a/config") $(running limit.pids)"
		[ "$OUT" = "$before" ]
		result $? "$call $at fails: all is as before"
		hits=$((hits + 1))
	done
	ok "$call can fail" test "$hits" -gt 0
	lx set -q a --io-read 10M --iops-read= --pids 60
done

# A plan has them as it has others.
plans=/etc/lxmgr/plans
mkdir -p "$plans"
printf 'lxmgr.limit.io.read = 30M\n' >"$plans/t$$.conf"
ok 'a plan' lx plan apply "t$$" a
is '31457280 max' 'with a limit of a disk' reads
rm "$plans/t$$.conf"

# Other places of a root.
ok 'an overlay' busybox o -B overlay -s lxmgr.limit.io.read=7M
lx start o
is '7340032 max' 'lies where its container does' of o
lx stop -k o
lx destroy -q o
if may_resize || [ -e /dev/loop-control ]; then
	ok 'a file system in a file' busybox l -B loop --fssize 40M -s lxmgr.limit.io.read=7M
	lx start l
	is '7340032 max' 'is limited where the file is' of l
	lx stop -k l
	lx destroy -q l
fi
mkdir "$TOP/.memory"
mount -t tmpfs -o size=200M,mode=711 none "$TOP/.memory"
lx copy -q -B dir a m
cp -a "$TREE/m/rootfs" "$TOP/.memory/rootfs"
ok 'a root in memory' lx config -n m "lxmgr.rootfs.path=dir:$TOP/.memory/rootfs"
status 6 'has no disk' lx start m
says 'limits of disks .*no disk of this host' 'which is said' lx start m
ok 'without the limit' lx set -q m --io-read= --iops-read=
ok 'it starts' lx start m
status 6 'nor gets it one while it runs' lx set m --io-read 5M --pids 70
is 60 'and all is as it was' lx config -n m lxmgr.limit.pids
lx stop -k m
lx destroy -q m
umount "$TOP/.memory"
if command -v mkfs.btrfs >/dev/null && truncate -s 600M "$TOP/.btrfs" && mkfs.btrfs -q "$TOP/.btrfs" &&
	mkdir "$TOP/.bt" && mount -o loop "$TOP/.btrfs" "$TOP/.bt" 2>/dev/null; then
	mkdir -m 711 "$TOP/.bt/ct"
	for_containers "$TOP/.bt/ct"
	other=$(lsblk -no MAJ:MIN "$(losetup -nO NAME -j "$TOP/.btrfs" | head -n 1)" | tr -d ' ')
	TREE=$TOP/.bt/ct
	ok 'on btrfs, whose files have numbers of no device' busybox b -B btrfs -s lxmgr.limit.io.read=7M
	lx start b
	is '7340032 max' 'its disk is found' bash -c "$(declare -f of on_disk io_max v1 lx); TREE=$TREE DISK=$other; of b"
	lx destroy -q -f b
	umount "$TOP/.bt"
	TREE=$TOP/.mnt/ct
else
	skip 'on btrfs, whose files have numbers of no device' 'no btrfs here'
fi

lx destroy -q -f a
rm -rf --one-file-system "$TREE"
umount "$TOP/.mnt"
[ "$PART" = "$LOOP" ] || delpart "$LOOP" 1
losetup -d "$LOOP"
TREE=$TOP
finish
