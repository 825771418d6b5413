# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# lxmgr.limit.disk and .inodes: refused with the cure where the file system has no project quotas; where
# it has, on ext4 and xfs, they hold: at create, live, and through copy, restore, rename and reinstall.
. ./lib.sh
need jq mkfs.ext4

projects=$VAR/lib/lxmgr/projects
files() { find "$1" -mindepth 1 | sort; }

# Wrong values, whatever the file system.
busybox plain
for v in 0 -1 10X 1e3 17179869184G '1 G'; do
	status 64 "disk --resize '$v' is refused" lx disk plain --resize "$v"
done
for v in 0 x 1.5 -3; do
	status 64 "disk --inodes '$v' is refused" lx disk plain --inodes "$v"
done
status 4 'there is no limit that could be raised' lx disk plain --resize +1G
status 64 '--compact and --resize' lx disk plain --compact --resize 1G
status 6 'an overlay has nothing to compact' lx disk plain --compact
status 3 'no such container' lx disk nobody
ok 'no limit is set where none was' lx disk plain --resize max --inodes max
is 'overlay null null null' 'what is not limited' bash -c \
	"lxmgr-disk -P $TREE plain --json | jq -r '\"\(.backend) \(.limit) \(.inodes) \(.inodes_limit)\"'"
ok 'but what it takes is known' bash -c "[ \$(lxmgr-disk -P $TREE plain --json | jq .used) -gt 0 ]"
lx destroy -q plain

# Without quotas: nothing is made, nothing changes.
refusals() {
	local before b
	# Its directory of layers and the list of trees are there from here on.
	for b in overlay dir; do
		busybox "has-$b" -B "$b"
		before=$(files "$TREE")
		status 6 "$b: create is refused" busybox new -B "$b" -s lxmgr.limit.disk=10M
		says 'lxmgr.limit.disk.*quota.*-B loop' "$b: with the cure" busybox new -B "$b" -s lxmgr.limit.disk=10M
		status 6 "$b: for inodes, too" busybox new -B "$b" -s lxmgr.limit.inodes=200k
		status 6 "$b: a copy is refused" lx copy "has-$b" new --define lxmgr.limit.disk=10M
		status 6 "$b: a change of a stopped one is refused" lx disk "has-$b" --resize 10M
		is "$before" "$b: nothing is made" files "$TREE"
		is '' "$b: and its config says nothing of it" grep limit.disk "$TREE/has-$b/config"
		lx start "has-$b"
		status 6 "$b: a change of a running one is refused" lx disk "has-$b" --resize 10M
		is '' "$b: and its config says nothing of it" grep limit.disk "$TREE/has-$b/config"
		lx stop -k "has-$b"
		echo 'lxmgr.limit.disk = 10M' >>"$TREE/has-$b/config"
		status 6 "$b: a start that could not hold it is refused" lx start "has-$b"
		ok "$b: without it, it starts" lx disk "has-$b" --resize max
		ok "$b: really" lx start "has-$b"
		lx destroy -q -f "has-$b"
	done
	is '' 'no project is left over' grep -s "$TREE/" "$projects"
}

TREE0=$TREE IMAGE='' MOUNTED=''
unmount() { [ -z "$MOUNTED" ] || umount "$MOUNTED"; MOUNTED=''; }
trap unmount EXIT

# with FS OPTIONS: a file system with project quotas in a file, as the tree of containers.
with() {
	IMAGE=$TREE0/$1.img MOUNTED=''
	mkdir -p "$TREE0/$1"
	truncate -s 1G "$IMAGE"
	if [ "$1" = ext4 ]; then
		mkfs.ext4 -q -O quota,project "$IMAGE"
	else
		command -v mkfs.xfs >/dev/null && mkfs.xfs -q "$IMAGE"
	fi && mount -o loop,prjquota "$IMAGE" "$TREE0/$1" 2>/dev/null || return 1
	MOUNTED=$TREE0/$1
	# xfs mounts without them where the kernel has none.
	if ! grep -q "$MOUNTED .*prjquota" /proc/mounts; then
		unmount
		return 1
	fi
	TREE=$MOUNTED/ct
	mkdir -m 0711 "$TREE"
}

df_mb() { lx attach "$1" -- df -m / | awk 'NR > 1 { print $(NF - 4) }'; }
fill() { lx attach "$1" -- dd if=/dev/zero of=/filled bs=1M count="$2"; }
number() { awk -v id="$TREE/$1" '$2 == id { print $1 }' "$projects"; }
limits() { lx disk "$1" --json | jq -r '"\(.limit) \(.inodes_limit)"'; }
M=1048576

quotas() { # quotas FS BACKEND
	local t="$1 $2" n
	ok "$t: create" busybox c -B "$2" -s lxmgr.limit.disk=40M -s lxmgr.limit.inodes=2000
	n=$(number c)
	ok "$t: it has a project" test -n "$n"
	ok "$t: start" lx start c
	is 40 "$t: df inside shows the limit" df_mb c
	ok "$t: less than it can be written" fill c 20
	is 0 "$t: and counts" bash -c "[ \$(lxmgr-disk -P $TREE c --json | jq .used) -ge $((20 * M)) ]; echo \$?"
	says 'No space left|uota' "$t: more cannot be written" fill c 60
	ok "$t: it takes no more" bash -c "[ \$(lxmgr-disk -P $TREE c --json | jq .used) -le $((40 * M)) ]"
	ok "$t: room again" lx attach c -- rm /filled
	says 'No space left|uota' "$t: nor more files" lx attach c -- sh -c 'mkdir /m; i=0; while [ $i -lt 3000 ]; do : >/m/$i || exit; i=$((i + 1)); done'
	lx stop -k c
	ok "$t: without an inode left it starts" lx start c
	ok "$t: to make room" lx attach c -- rm -r /m
	# From inside nothing leads out of it.
	is yes "$t: control: the host takes a directory out of its project" "$attack" project "$control"
	lx push c "$attack" /attack
	is no "$t: the guest does not take its root out of it" lx attach c -- /attack project /
	lx attach c -- mkdir /mine
	is no "$t: nor a directory that it made" lx attach c -- /attack project /mine
	is 0 "$t: what it makes is in the project" bash -c "[ \$(lxmgr-disk -P $TREE c --json | jq .inodes) -gt 3 ]; echo \$?"
	ok "$t: files and links are moved and linked as ever" lx attach c -- sh -c 'ln -s x /l && mv /l /mine/l && : >/f && ln /f /mine/f && mv /mine /mine2'
	# Live.
	ok "$t: more at once" lx disk c --resize +40M --inodes 4k
	is 80 "$t: df shows it" df_mb c
	is "$((80 * M)) 4096" "$t: so does disk" limits c
	ok "$t: and it can be written" fill c 60
	status 6 "$t: a limit below what there is is refused" lx disk c --resize 30M
	is "lxmgr.limit.disk = $((80 * M))" "$t: the config says the one in force" grep limit.disk "$TREE/c/config"
	lx attach c -- rm /filled
	ok "$t: less at once" lx disk c --resize 40M
	is 40 "$t: df shows it" df_mb c
	# With other limits, all or none.
	ok "$t: with other limits" lx set -q c --disk 60M --inodes 3k --pids 77
	is "60 $((60 * M)) 3072" "$t: they are in force" echo "$(df_mb c) $(limits c)"
	is "$((60 * M)) 3072 77" "$t: and saved" echo "$(lx config -n c lxmgr.limit.disk) $(lx config -n c lxmgr.limit.inodes) $(lx config -n c lxmgr.limit.pids)"
	lx attach c -- dd if=/dev/zero of=/filled bs=1M count=45 2>/dev/null
	status 6 "$t: less than there is is refused" lx set c --pids 66 --disk 30M
	strace -f -qq -o /dev/null -e trace=renameat -e inject=renameat:error=EIO lxmgr-set -P "$TREE" c --pids 66 --disk 70M >/dev/null 2>&1
	is 1 "$t: what cannot be saved fails" echo $?
	is "60 $((60 * M)) 3072 77" "$t: and nothing has changed" echo "$(df_mb c) $(limits c) $(lx usage --json c | jq '.[0].resources[] | select(.resource == "pids") | .limit')"
	lx attach c -- rm /filled
	ok "$t: back" lx set -q c --disk 40M --inodes 4k
	lx stop -k c
	sed -i 's/^lxmgr.limit.disk.*/lxmgr.limit.disk = 50M/' "$TREE/c/config"
	lx start c
	is 50 "$t: a start brings the config into force" df_mb c
	fill c 30 >/dev/null 2>&1
	lx stop -k c
	# Copies and snapshots.
	ok "$t: copy" lx copy c d
	is 1 "$t: of a project of its own" bash -c "[ '$(number d)' != '$n' ] && echo 1"
	lx start d
	is 50 "$t: with the same limit" df_mb d
	lx stop -k d
	status 6 "$t: a copy that does not fit is refused" lx copy c e --define lxmgr.limit.disk=10M
	ok "$t: and leaves nothing" test ! -e "$TREE/e" -a -z "$(number e)"
	ok "$t: snapshot" lx snapshot c s
	ok "$t: restore" lx snapshot c -r s
	lx start c
	is 50 "$t: is as limited" df_mb c
	says 'No space left|uota' "$t: really" lx attach c -- dd if=/dev/zero of=/more bs=1M count=60
	lx attach c -- dd if=/dev/zero of=/rest bs=4k >/dev/null 2>&1
	lx stop -k c
	# The host's root writes beyond a limit of ext4; through an overlay it does not.
	[ "$2" = dir ] || says 'lxmgr-disk --resize' "$t: a full one is not renamed" lx copy -R c r
	lx start c
	lx attach c -- rm /more /rest
	lx stop -k c
	lx snapshot c -d s
	ok "$t: rename" lx copy -R c r
	is "$n" "$t: keeps its project" number r
	lx start r
	is 50 "$t: and its limit" df_mb r
	lx stop -k r
	ok "$t: reinstall" lx reinstall r
	lx start r
	is 50 "$t: keeps the limit" df_mb r
	ok "$t: and what was before is not counted" bash -c "[ \$(lxmgr-disk -P $TREE r --json | jq .used) -lt $((20 * M)) ]"
	ok "$t: no limit at once" lx disk r --resize max --inodes max
	ok "$t: then more can be written" fill r 60
	lx destroy -q -f r
	lx start d
	lx attach d -- dd if=/dev/zero of=/more bs=1M count=60 >/dev/null 2>&1
	lx attach d -- dd if=/dev/zero of=/rest bs=4k >/dev/null 2>&1
	lx stop -k d
	ok "$t: snapshot of a full one" lx snapshot d full
	ok "$t: which starts" lx start d
	lx stop -k d
	lx destroy -q -s d
	is '' "$t: its project is free again" grep -s "$TREE/" "$projects"
	# One that has files already.
	busybox late -B "$2"
	lx start late
	lx attach late -- sh -c 'mkdir -p /a/b/c; dd if=/dev/zero of=/a/b/c/f bs=1M count=20 2>/dev/null; ln /a/b/c/f /g'
	ok "$t: a limit for one that has files, and runs" lx disk late --resize 60M
	ok "$t: counts them" bash -c "[ \$(lxmgr-disk -P $TREE late --json | jq .used) -ge $((20 * M)) ]"
	says 'No space left|uota' "$t: and holds" fill late 60
	lx attach late -- rm /filled
	ok "$t: files can be moved and linked" lx attach late -- sh -c 'mv /a/b/c/f /h && ln /h /i'
	lx destroy -q -f late
}

if [ "$(lxmgr-doctor --json | jq -r '.[] | select(.name == "disk limits") | .result')" = ok ]; then
	skip 'refusals' 'the file system of the containers has project quotas'
else
	refusals
fi
attack=$TREE0/.attack
ok 'the attack builds' gcc -O1 -static -o "$attack" attack.c
for fs in ext4 xfs; do
	if ! with $fs; then
		skip "$fs: quotas" "this kernel has no project quotas for $fs"
		continue
	fi
	control=$MOUNTED/control
	mkdir "$control"
	for b in overlay dir; do quotas $fs $b; done
	if [ $fs = ext4 ]; then
		status 6 'ext4 dir: the root of a privileged container would not notice' \
			busybox p -B dir --privileged -s lxmgr.limit.disk=40M
		ok 'ext4 dir: without the capability it does' \
			busybox p -B dir --privileged -s lxmgr.limit.disk=40M -s lxmgr.cap.drop=sys_resource
		lx destroy -q p
	fi
	TREE=$TREE0
	unmount
done
finish
