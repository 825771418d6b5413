# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Backups: points of a directory, each of which comes back; retention, damage, kills.
# In machines: check-vm-full.
. ./lib.sh
. ./tree.sh
need python3 zstd strace jq setfattr

OUTDIR=$TREE/.out DIR=$TREE/.out/web
mkdir -m 700 "$OUTDIR"
points() { lx export --json --list "$DIR" | jq -r '.[].point'; }
last() { points | tail -n 1; }
parts() { find "$DIR" -name '*.tar.zst' | wc -l; }
# point NAME: add one, and remember what the root was.
point() {
	ok "point $1" lx export -q src --incremental "$DIR"
	echo "$1 $(last)" >>"$OUTDIR/points"
	list "$ROOT" >"$OUTDIR/list.$1"
}
name_of() { awk -v n="$1" '$1 == n { print $2 }' "$OUTDIR/points"; }
# comes_back NAME: that point has what the root was then.
comes_back() {
	lx import -q -K --keepid "$DIR@$(name_of "$1")" -n back && diff "$OUTDIR/list.$1" <(list "$TREE/back/rootfs")
	local rc=$?
	lx destroy -q back
	return $rc
}

busybox src -B dir
ROOT=$TREE/src/rootfs
(
	cd "$ROOT" || exit
	mkdir -p d/sub e/f/g && echo one >d/a && ln d/a d/b && ln -s a d/l && echo same >d/same && echo x >e/f/g/x
	echo file >tofile && mkdir todir && echo y >todir/y && head -c 200000 /dev/urandom >d/big
	printf n >$'d/by\377te' && mkfifo d/fifo && echo attr >d/attr && setfattr -n user.x -v 1 d/attr d/sub
	truncate -s 1M d/hole
)
point first
ok 'the directory is root'"'"'s' test "$(stat -c %a "$DIR")" = 700
is 'null' 'the first is full' bash -c "lxmgr-export --json --list $DIR | jq -r .[0].parent"
point nothing
ok 'where nothing has changed it is small' test "$(lx export --json --list "$DIR" | jq '.[1].size * 10 < .[0].size')" = true
(
	cd "$ROOT" || exit
	echo two >d/a                                # all names of a file
	touch -r d/same "$OUTDIR/ref" && echo SAME >d/same && touch -r "$OUTDIR/ref" d/same # as large, as old
	rm -r e/f && rm $'d/by\377te' && rm tofile && mkdir tofile && echo in >tofile/in # file to directory
	rm -r todir && echo now >todir               # directory to file
	chmod 640 d/big && setfattr -x user.x d/sub && setfattr -n user.x -v 2 d/attr
	mkdir new && mv d/fifo new/fifo && ln d/same new/same && printf h | dd of=d/hole bs=1 seek=500000 conv=notrunc 2>/dev/null
)
point changed
(
	cd "$ROOT" || exit
	rm d/l && ln -s /tmp d/l && rm -r tofile && ln -s d tofile # directory to link
	rm new/same && mv new renamed && rm d/b && echo b >d/b
	chown 5:6 d && touch -d '2003-03-03' d/sub
)
point more
rm -r "$ROOT/d" && mkdir "$ROOT/d" && echo back >"$ROOT/d/b"
point gone
for p in first nothing changed more gone; do
	ok "$p comes back" comes_back $p
done
ok 'the last without a name' lx import -q -K --keepid "$DIR" -n back
ok 'is the last' diff "$OUTDIR/list.gone" <(list "$TREE/back/rootfs")
lx destroy -q back
status 3 'no such point' lx import "$DIR@20000101T000000Z" -n back
status 6 'a part alone is refused' lx import "$DIR/$(name_of more).tar.zst" -n back
says "DIR@$(name_of more)" 'with the cure' lx import "$DIR/$(name_of more).tar.zst" -n back
ok 'but the full one is an archive as any' lx import -q "$DIR/$(name_of first).tar.zst" -n back
lx destroy -q back
# A directory that was moved changes nothing of the files in it: names of one file stay together, whether the
# name that is new comes before or behind one that is not.
mkdir "$ROOT/m" "$ROOT/m/a" "$ROOT/m/d1" "$ROOT/m/e" "$ROOT/m/z1"
head -c 300000 /dev/urandom >"$ROOT/m/e/f"
head -c 300000 /dev/urandom >"$ROOT/m/a/f"
ln "$ROOT/m/e/f" "$ROOT/m/d1/f" && ln "$ROOT/m/a/f" "$ROOT/m/z1/f"
point linked
mv "$ROOT/m/d1" "$ROOT/m/d2" && mv "$ROOT/m/z1" "$ROOT/m/z2"
point moved
ok 'names of one file come back' comes_back moved
ok 'only the names that come before are written with what is in them' test "$(lx export --json --list "$DIR" | jq '.[-1].size < 400000')" = true
lx import -q "$DIR" -n back
ok 'the new name first: one file' test "$TREE/back/rootfs/m/d2/f" -ef "$TREE/back/rootfs/m/e/f"
ok 'the new name last: one file' test "$TREE/back/rootfs/m/a/f" -ef "$TREE/back/rootfs/m/z2/f"
ok 'with what is in it' cmp "$TREE/back/rootfs/m/a/f" "$ROOT/m/z2/f"
ok 'and in the other' cmp "$TREE/back/rootfs/m/d2/f" "$ROOT/m/e/f"
lx destroy -q back
rm -r "$ROOT/m"
# A file of zeros makes a backup small, and is none of a bomb's.
head -c 100000000 /dev/zero >"$ROOT/0zeros"
ok 'a backup of zeros' lx export -q src --incremental "$OUTDIR/z"
ok 'comes back' lx import -q "$OUTDIR/z" -n back
ok 'whole' cmp "$ROOT/0zeros" "$TREE/back/rootfs/0zeros"
lx destroy -q back
chmod 777 "$OUTDIR/z"
status 6 'where others write it is a bomb' lx import -q "$OUTDIR/z" -n back
rm -r "$OUTDIR/z" "$ROOT/0zeros"
# Holes are not read: these would be for hours.
truncate -s 15T "$ROOT/vast"
printf data | dd of="$ROOT/vast" bs=1 seek=7T conv=notrunc 2>/dev/null
printf end | dd of="$ROOT/vast" bs=1 seek=$((15 * 1024 * 1024 * 1024 * 1024 - 3)) conv=notrunc 2>/dev/null
ok 'a file of holes' timeout 120 lxmgr-export -P "$TREE" -q src "$OUTDIR/vast.tar.zst"
ok 'comes back' timeout 120 lxmgr-import -P "$TREE" -q "$OUTDIR/vast.tar.zst" -n back
is "$(stat -c '%s %b' "$ROOT/vast")" 'as long, and as small' stat -c '%s %b' "$TREE/back/rootfs/vast"
is 'data' 'with what is in it' dd if="$TREE/back/rootfs/vast" bs=1 skip=7T count=4 status=none
is 'end' 'to its end' tail -c 3 "$TREE/back/rootfs/vast"
lx destroy -q back
rm "$ROOT/vast" "$OUTDIR/vast.tar.zst"
sed -i '/^linked\|^moved/d' "$OUTDIR/points"

busybox other -B dir
status 6 'another container has no place in it' lx export other --incremental "$DIR"
lx destroy -q other
status 64 'nonsense is not kept' lx export src --incremental "$DIR" --keep 7x
status 64 'keep goes with incremental' lx export src --keep 7d "$OUTDIR/x"
is "$(points | wc -l)" 'no point more' echo 7

# Of other backends: what did not change is found, also where a root is mounted anew for each point.
for b in overlay loop; do
	busybox $b -B $b
	lx start $b
	lx attach $b -- sh -c 'mkdir /m; head -c 100000 /dev/urandom >/m/a; ln /m/a /m/b; echo 1 >/state'
	lx stop -k $b
	ok "$b: a point" lx export -q $b --incremental "$OUTDIR/$b"
	lx start $b
	lx attach $b -- sh -c 'echo 2 >/state; rm /bin/true'
	lx stop -k $b
	ok "$b: another one" lx export -q $b --incremental "$OUTDIR/$b"
	ok "$b: is small" test "$(lx export --json --list "$OUTDIR/$b" | jq '.[1].size * 3 < .[0].size')" = true
	ok "$b: comes back" lx import -q -B loop "$OUTDIR/$b" -n back
	lx start back
	is '2 2' "$b: as it was" lx attach back -- sh -c 'echo $(cat /state) $(stat -c %h /m/b)'
	status 1 "$b: without what was deleted" lx attach back -- test -e /bin/true
	lx stop -k back
	lx destroy -q back
	lx destroy -q $b
	rm -r "${OUTDIR:?}/$b"
done

# One that runs: what did not change since it was stopped is found by its content.
lx start src
lx attach src -- sh -c 'echo live >/d/live'
ok 'a point while it runs' lx export -q src --incremental "$DIR"
is 'RUNNING' 'which it does on' lx info -s -H src
ok 'is small, too' test "$(lx export --json --list "$DIR" | jq '.[-1].size * 4 < .[0].size')" = true
lx stop -k src
ok 'comes back' lx import -q "$DIR" -n back
is 'live' 'with what was written' cat "$TREE/back/rootfs/d/live"
lx destroy -q back
point later

# What is not kept goes, and what is kept stays whole.
ok 'keep two' lx export -q src --incremental "$DIR" --keep 2
is 2 'there are two' bash -c "lxmgr-export --json --list $DIR | jq length"
ok 'the parts that they need are there' test "$(parts)" -ge 3
status 3 'what went is no point any more' lx import -q "$DIR@$(name_of changed)" -n back
ok 'later comes back' comes_back later
ok 'a full one' lx export -q src --incremental "$DIR" --full --keep 1
is 1 'alone' parts
ok 'comes back' lx import -q -K --keepid "$DIR" -n back
ok 'as it was' diff "$OUTDIR/list.later" <(list "$TREE/back/rootfs")
lx destroy -q back

# Damage.
rm "$OUTDIR/points"
point base
echo 1 >"$ROOT/1"
point one
echo 2 >"$ROOT/2"
point two
one=$DIR/$(name_of one).tar.zst
cp "$one" "$OUTDIR/saved"
printf X | dd of="$one" bs=1 seek=2000 conv=notrunc 2>/dev/null
status 6 'a damaged part' lx import -q "$DIR@$(name_of two)" -n back
says "$(name_of one)" 'is named' lx import "$DIR@$(name_of two)" -n back
ok 'what stands before it comes back' comes_back base
cp "$DIR/$(name_of two).tar.zst" "$one"
status 6 'another part in its place' lx import -q "$DIR@$(name_of two)" -n back
rm "$one"
status 6 'a missing part' lx import -q "$DIR@$(name_of two)" -n back
says "lacks $(name_of one)" 'is listed' lx export --list "$DIR"
ok 'the next point does not stand on it' lx export -q src --incremental "$DIR"
is 'null' 'but is full' bash -c "lxmgr-export --json --list $DIR | jq -r .[-1].parent"
cp "$OUTDIR/saved" "$one"
ok 'when it is there again' comes_back two
printf X | dd of="$DIR/$(last).index" bs=1 seek=100 conv=notrunc 2>/dev/null
ok 'a damaged index' lx export -q src --incremental "$DIR"
is 'null' 'makes a full one' bash -c "lxmgr-export --json --list $DIR | jq -r .[-1].parent"
status 1 'no backups' lx export --list "$OUTDIR"
cp "$DIR/points" "$OUTDIR/saved"
echo nonsense >>"$DIR/points"
status 1 'a damaged list' lx export --list "$DIR"
says 'points.*line' 'is named' lx export src --incremental "$DIR"
cp "$OUTDIR/saved" "$DIR/points"

# The list is lost, and the archives are not: they are all that there is.
mv "$DIR/points" "$OUTDIR/saved"
had=$(find "$DIR" -name '*.tar.zst' | sort)
status 6 'archives without a list' lx export -q src --incremental "$DIR"
says "no list of them, 'points'" 'this is said' lx export -q src --incremental "$DIR"
is "$had" 'and they stay' bash -c "find $DIR -name '*.tar.zst' | sort"
for f in $had; do [ "$f" = "$(echo "$had" | head -n 1)" ] || mv "$f" "$OUTDIR"; done
status 6 'one alone, too' lx export -q src --incremental "$DIR"
is 1 'and it stays' parts
mv "$OUTDIR"/2*.tar.zst "$DIR"
mv "$OUTDIR/saved" "$DIR/points"
mkdir -m 700 "$OUTDIR/odd" && ln -s "$DIR/points" "$OUTDIR/odd/points"
status 1 'a list that is a link' lx import -q "$OUTDIR/odd" -n back
rm -r "$OUTDIR/odd"

# A full disk.
mkdir "$OUTDIR/full"
mount -t tmpfs -o size=2m,mode=700 lxmgr-test "$OUTDIR/full"
ok 'a small disk' lx export -q src --incremental "$OUTDIR/full/b"
head -c 3000000 /dev/urandom >"$ROOT/large"
status 1 'is full' lx export -q src --incremental "$OUTDIR/full/b"
is 1 'the point that there was stays' bash -c "lxmgr-export --json --list $OUTDIR/full/b | jq length"
rm "$ROOT/large"
ok 'and the next one goes on from it' lx export -q src --incremental "$OUTDIR/full/b"
ok 'comes back' lx import -q "$OUTDIR/full/b" -n back
lx destroy -q back
umount "$OUTDIR/full"

# Killed at any instant: the points are as they were, or one more.
rm -r "$DIR"
ok 'anew' lx export -q src --incremental "$DIR"
for call in openat write fsync renameat unlinkat clone,clone3,vfork; do
	for n in $(places 1 3 8 21); do
		had=$(points | wc -l)
		echo "$call $n" >"$ROOT/step"
		{ timeout 60 strace -f -qq -o /dev/null -e "trace=$call" -e "inject=$call:signal=SIGKILL:when=$n" \
			lxmgr-export -P "$TREE" -q src --incremental "$DIR" --keep 3 >/dev/null 2>&1; } 2>/dev/null
		now=$(points | wc -l)
		[ "$now" = "$had" ] || [ "$now" = $((had + 1)) ] || [ "$now" = 3 ]
		result $? "killed at $call $n: as it was, or one more"
		[ "$(lx export --json --list "$DIR" | jq '[.[].missing] | any')" = false ]
		result $? "killed at $call $n: nothing is missing"
	done
done
rm -f "$OUTDIR/points"
point end
ok 'the last comes back' comes_back end
is "$(points | wc -l)" 'no part is left over' bash -c "echo \$(($(parts) - $(grep -c ' base$' "$DIR/points")))"
is '' 'nothing unfinished is' find "$DIR" -name '.new*'
lx destroy -q src
rm -rf "$OUTDIR"
finish
