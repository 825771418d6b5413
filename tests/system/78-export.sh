# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Archives: what goes out comes back, of stopped and running containers; hostile ones; full disks, kills.
# In machines: check-vm-full.
. ./lib.sh
. ./tree.sh
need python3 zstd jq setfattr setfacl setcap

OUTDIR=$TREE/.out
mkdir -m 700 "$OUTDIR"
HELPERS=$(dirname "$(type -P lxmgr-import)")/../libexec/lxmgr
PWNED=$RUN-test-pwned
same() { # same WANT NAME: NAME's root is what the file WANT says
	diff "$1" <(list "$TREE/$2/rootfs")
}
# Round trip.
busybox src -B dir
for k in lxmgr.limit.pids=77 lxmgr.hook.pre-start=/bin/true lxmgr.description='of the test'; do lx config -n src "$k"; done
fill "$TREE/src/rootfs"
list "$TREE/src/rootfs" >"$OUTDIR/list"
before=$(find "$TREE/src" -type f -not -name lock -exec md5sum {} + | sort)
ok 'export' lx export src "$OUTDIR/a.tar.zst"
is "$before" 'the source is as before' bash -c "find '$TREE/src' -type f -not -name lock -exec md5sum {} + | sort"
is '600' 'for root alone' stat -c %a "$OUTDIR/a.tar.zst"
ok 'it is a tar archive' tar --zstd -tf "$OUTDIR/a.tar.zst" rootfs/d/a lxmgr-archive.json config lxmgr-end.json
is 'src' 'that says what it is' bash -c "tar --zstd --warning=no-unknown-keyword -xOf '$OUTDIR/a.tar.zst' lxmgr-archive.json | jq -r .name"
is "$(tar --zstd --warning=no-unknown-keyword -xOf "$OUTDIR/a.tar.zst" lxmgr-end.json | jq -r .sha256)" 'and whose digest anybody can compare' bash -c "
	n=\$(tar --zstd --warning=no-unknown-keyword -xOf '$OUTDIR/a.tar.zst' lxmgr-end.json | jq .bytes); zstd -qdc '$OUTDIR/a.tar.zst' | head -c \$n | sha256sum | cut -d' ' -f1"
says 'hook.pre-start' 'import: a hook is left out, and that is said' lx import -K --keepid "$OUTDIR/a.tar.zst" -n one
ok 'all is as it was' same "$OUTDIR/list" one
is '' 'no hook' lx config -n one lxmgr.hook.pre-start
is 77 'its limit' lx config -n one lxmgr.limit.pids
is 'of the test' 'its description' lx config -n one lxmgr.description
ok 'with trust' lx import -K --keepid --trust "$OUTDIR/a.tar.zst" -n two
is '/bin/true' 'the hook' lx config -n two lxmgr.hook.pre-start
ok 'through a pipe' bash -c "set -o pipefail; lxmgr-export -P $TREE src - | lxmgr-import -P $TREE - -n three -K --keepid -q"
ok 'all is as it was' same "$OUTDIR/list" three
ok 'it starts' lx start one
is src 'with the host name that it had' lx attach one -- hostname
lx start src
is 2 'with ids of its own' bash -c "printf '%s\n' $(lx info --json src | jq .id_base) $(lx info --json one | jq .id_base) | sort -u | wc -l"
lx stop -k src
lx stop -k one
ok 'its own identity' lx import -q "$OUTDIR/a.tar.zst" -n four
is 'four' 'its own name' cat "$TREE/four/rootfs/etc/hostname"
ok 'its own machine-id' bash -c "! cmp -s $TREE/src/rootfs/etc/machine-id $TREE/four/rootfs/etc/machine-id"
status 4 'a name that is taken: its own' lx import "$OUTDIR/a.tar.zst"
status 4 'or one that is given' lx import "$OUTDIR/a.tar.zst" -n one
lx destroy -q src
ok 'its own name where it is free' lx import -q "$OUTDIR/a.tar.zst"
ok 'is there' test -d "$TREE/src/rootfs"
for c in one two three four; do lx destroy -q $c; done
# What a device of no container's is.
mknod "$TREE/src/rootfs/sda" b 8 0
says 'sda' 'a device that no container is given is left out, and that is said' lx export src "$OUTDIR/d.tar.zst"
ok 'the rest comes back' lx import -q "$OUTDIR/d.tar.zst" -n one
is '' 'without it' find "$TREE/one/rootfs" -type b
lx destroy -q one
# A limit of the disk, which the archive says when all is unpacked.
busybox sized -B loop -s lxmgr.limit.disk=800M -s lxmgr.limit.pids=5000
ok 'of one with a limit of the disk' lx export -q sized "$OUTDIR/sized"
ok 'into a file system of its own' lx import -q -B loop "$OUTDIR/sized" -n one
is 838860800 'which has it' bash -c "lxmgr-disk -P $TREE --json one | jq .limit"
lx destroy -q one
if ! lx create -q -t none -n q -s lxmgr.limit.disk=1G >/dev/null 2>&1; then
	says 'limit of the disk .* left out: ' 'where it cannot be it is left out' lx import "$OUTDIR/sized" -n one
	is '' 'of the config' lx config -n one lxmgr.limit.disk
	ok 'and it starts' lx start one
	lx stop -k one
	lx destroy -q one
	says 'limit of the disk .* left out: ' 'with trust, too' lx import --trust "$OUTDIR/sized" -n one
	lx destroy -q one
	status 6 'one that is asked for is refused' lx import --define lxmgr.limit.disk=1G "$OUTDIR/sized" -n one
fi
lx destroy -q -f q >/dev/null 2>&1
ok 'a wrong key is found before all is read' bash -c "(head -c 2000 '$OUTDIR/sized'; sleep 1; echo) | lxmgr-import -P $TREE - -n one --define lxmgr.limit.memroy=1G 2>&1 | grep -q memroy"
says "limit.pids = 5000' is left out.*--define lxmgr.limit.pids=5000" 'more than the host gives is left out, and that is said' \
	lx import "$OUTDIR/sized" -n one --define lxmgr.limit.disk=max
is 4096 'what the host gives stays' lx config -n one lxmgr.limit.pids
lx destroy -q one
lx destroy -q sized
# Into what there is.
echo old >"$OUTDIR/old"
ok 'a file that is there is replaced' lx export -q src "$OUTDIR/old"
ok 'by an archive' lx import "$OUTDIR/old" one -q
status 64 'two names' lx import "$OUTDIR/old" two -n one
lx destroy -q one
status 64 'a directory is none' lx export src "$OUTDIR"
status 1 'no such directory' lx export src "$OUTDIR/no/x"
status 3 'no such container' lx export nosuch "$OUTDIR/x"
status 64 'no file' lx import
status 64 'a name is no file' lx import -n one
status 1 'no such file' lx import "$OUTDIR/nosuch" -n one
status 6 'what is no archive' lx import "$TREE/src/config" -n one
status 64 'no such format' lx import --format nosuch "$OUTDIR/old" -n one
status 64 'a bad size' lx import --max-size many "$OUTDIR/old" -n one
status 6 'more than it may hold' lx import --max-size 1M "$OUTDIR/old" -n one
status 64 'a bad number' lx import --max-entries none "$OUTDIR/old" -n one
status 6 'more files than it may have' lx import --max-entries 5 "$OUTDIR/old" -n one
says '--max-entries=N' 'is told with the cure' lx import --max-entries 5 "$OUTDIR/old" -n one
status 64 'a bad name' lx import "$OUTDIR/old" -n ../x
is '' 'nothing is left of these' find "$TREE" "$OUTDIR" -maxdepth 1 \( -name '*one*' -o -name '.*.new-*' -o -name '.lxmgr-export*' \)
lx destroy -q src

# Of one that runs.
for b in dir overlay; do
	busybox live -B $b
	lx start live
	lx attach live -- sh -c 'echo one >/a; ln /a /b; rm /bin/true; (while :; do echo x >>/log; done) >/dev/null 2>&1 &'
	ok "$b: export of a running one" lx export -q live "$OUTDIR/live"
	is 'RUNNING' "$b: which runs on" lx info -s -H live
	ok "$b: import" lx import -q "$OUTDIR/live" -n back
	lx stop -k live
	lx start back
	is 'one 2' "$b: it has what that wrote" lx attach back -- sh -c 'echo $(cat /a) $(stat -c %h /b)'
	status 1 "$b: and lacks what that deleted" lx attach back -- test -e /bin/true
	lx stop -k back
	is '' "$b: no copy stays" find "$TREE" -maxdepth 1 -name '.live*'
	lx destroy -q live
	lx destroy -q back
done
is 0 'nor a layer' bash -c "find $TREE/.layers -mindepth 1 -maxdepth 1 2>/dev/null | wc -l"

# Hostile archives: refused by the name of the entry, and nothing is left.
evil() { # evil CASE PATTERN
	python3 mkarchive.py "$1" >"$OUTDIR/evil"
	says "$2" "hostile: $1" lx import "$OUTDIR/evil" -n evil
	status 6 "hostile: $1: refused" lx import -q "$OUTDIR/evil" -n evil
	[ ! -e "$TREE/evil" ] || ok "hostile: $1: nothing is made" false
}
rm -f "$PWNED" /tmp/out
evil dotdot "'../../out'"
evil absolute "'/etc/out'"
evil outside "'out' stands outside"
evil through "'lnk/out'"
evil through2 "'d/up/x'"
evil swap "'d' is there twice"
evil hardlink "'shadow' is a link out of the root"
evil hardlink2 "shadow' .*'\\.\\.'|part that is empty"
evil hardlink3 "'x' is a link to 'l/shadow'"
evil block "'dev/sda' is a device.*block 8:0"
evil char "'mem' is a device"
evil whiteout "'gone' is a device"
evil owner "'theirs' belongs to 200000"
evil twice "'ok' is there twice"
evil orphan "'no/such/dir' does not stand behind"
evil deleted "'deleted/etc' stands outside"
evil bomb 'bomb'
evil deep 'too deep'
python3 mkarchive.py good >"$OUTDIR/evil"
says 'more than 4 entries' 'hostile: too many entries' bash -c "mkdir '$OUTDIR/e' && cd '$OUTDIR/e' && $HELPERS/lxmgr-unarchive --entries=4 <'$OUTDIR/evil' 3>'$OUTDIR/e.config'"
says '^ok 5 ' 'hostile: not too many' bash -c "rm -r '$OUTDIR/e' && mkdir '$OUTDIR/e' && cd '$OUTDIR/e' && $HELPERS/lxmgr-unarchive --entries=5 <'$OUTDIR/evil' 3>'$OUTDIR/e.config'"
python3 mkarchive.py bomb >"$OUTDIR/evil"
says '--max-size=SIZE' 'a bomb: with the cure, if it is none' lx import "$OUTDIR/evil" -n one
ok 'which helps' lx import -q --max-size 100M "$OUTDIR/evil" -n one
lx destroy -q one
evil noroot 'no root'
evil digest 'digest'
evil noend 'cut off'
evil cut 'cut off|damaged'
evil behind "'rootfs/late' stands behind the end"
evil newer 'newer lxmgr'
evil foreign 'does not describe'
evil noconfig "where 'config' belongs"
python3 mkarchive.py good >"$OUTDIR/evil"
for at in 0 10 100 300; do
	head -c $at "$OUTDIR/evil" >"$OUTDIR/short"
	status 6 "cut at $at" lx import -q --format lxmgr "$OUTDIR/short" -n evil
done
ok 'the same without anything bad in it' bash -c "python3 mkarchive.py good >'$OUTDIR/evil'; lxmgr-import -P $TREE '$OUTDIR/evil' -n evil -q"
is '' 'its config runs nothing' lx config -n evil lxmgr.hook.pre-start
is '' 'and mounts nothing' lx config -n evil lxmgr.mount.entry
is 99 'but has its limit' lx config -n evil lxmgr.limit.pids
ok 'no file came out' test ! -e "$PWNED" -a ! -e /tmp/out
lx destroy -q evil

# Whatever is exported is imported: at the bounds of both.
busybox edge -B dir
long=$(printf 'x%.0s' $(seq 250))
# into TIMES NAME: the innermost of so many directories
into() { (
	cd "$TREE/edge/rootfs" || exit 1
	for ((i = 0; i < $1; i++)); do mkdir -p "$2" && cd -P "./$2" || exit 1; done
	echo deep >f
); }
into 199 d
into 16 "$long"
ok 'names of 200 parts, and of 4000 bytes' lx export -q edge "$OUTDIR/edge"
ok 'come back' lx import -q "$OUTDIR/edge" -n back
is '2' 'all of them' bash -c "grep -rl deep $TREE/back/rootfs/d $TREE/back/rootfs/$long | wc -l"
lx destroy -q back
into 200 d
status 1 'of more parts' lx export -q edge "$OUTDIR/edge2"
says 'more than 200 parts' 'are refused at once' lx export -q edge "$OUTDIR/edge2"
rm -r "$TREE/edge/rootfs/d"
into 17 "$long"
status 1 'as is a longer one' lx export -q edge "$OUTDIR/edge2"
rm -r "${TREE:?}/edge/rootfs/$long"
# Ids of containers inside.
touch "$TREE/edge/rootfs/inner"
chown 100000:100000 "$TREE/edge/rootfs/inner"
ok 'one with files of containers inside' lx export -q edge "$OUTDIR/edge"
says 'lxmgr.features=nesting' 'is told with the cure' lx import "$OUTDIR/edge" -n back
ok 'comes back as one with nesting' lx import -q "$OUTDIR/edge" -n back --define lxmgr.features=nesting
is 100000 'with its ids' stat -c %u "$TREE/back/rootfs/inner"
lx destroy -q back
lx destroy -q edge

# A full disk.
busybox src -B dir
mkdir "$OUTDIR/full"
mount -t tmpfs -o size=400k,mode=700 lxmgr-test "$OUTDIR/full"
echo old >"$OUTDIR/full/a"
status 1 'a full disk' lx export src "$OUTDIR/full/a"
says 'No space' 'is said' lx export src "$OUTDIR/full/a"
is 'old' 'the old file stays' cat "$OUTDIR/full/a"
is 'a' 'alone' ls -A "$OUTDIR/full"
status 1 'on standard output, too' bash -c "lxmgr-export -P $TREE src - >'$OUTDIR/full/b'"
status 1 'a device that is full' bash -c "lxmgr-export -P $TREE src - >/dev/full"
status 1 'nobody reads' bash -c "set -o pipefail; lxmgr-export -P $TREE src - 2>/dev/null | true"
status 1 'closed' bash -c "lxmgr-export -P $TREE src - >&-"
umount "$OUTDIR/full"
ok 'a good archive' lx export -q src "$OUTDIR/good"
mount -t tmpfs -o size=400k,mode=711 lxmgr-test "$OUTDIR/full"
status 1 'import onto a full disk' lxmgr-import -P "$OUTDIR/full" -q "$OUTDIR/good" -n one
is '' 'nothing stays' find "$OUTDIR/full" -mindepth 1 -maxdepth 1 -name '*one*'
umount "$OUTDIR/full"

lx destroy -q src
# Interrupted: it cleans up itself.
busybox src -B dir
head -c 60000000 /dev/urandom >"$TREE/src/rootfs/big"
rm -rf "$OUTDIR/k" && mkdir "$OUTDIR/k"
mkfifo "$OUTDIR/fifo"
lxmgr-export -P "$TREE" -q src "$OUTDIR/fifo" >/dev/null 2>&1 &
pid=$!
exec 5<"$OUTDIR/fifo"
head -c 1000000 <&5 >/dev/null
kill -TERM $pid
wait $pid
result $(($? == 0)) 'a signal ends an export'
exec 5<&-
mkfifo "$OUTDIR/fifo3"
lxmgr-export -P "$TREE" -q src "$OUTDIR/fifo3" >/dev/null 2>&1 &
pid=$!
sleep 0.5
kill -TERM $pid && ! wait $pid
result $? 'a signal ends an export to a pipe that nobody reads'
lxmgr-import -P "$TREE" -q "$OUTDIR/fifo3" -n piped >"$OUTDIR/piped" 2>&1 &
pid=$!
sleep 0.5
cat "$OUTDIR/good" >"$OUTDIR/fifo3"
wait $pid
result $? 'an import waits for who writes to a pipe'
lx destroy -q piped
lxmgr-import -P "$TREE" -q "$OUTDIR/fifo3" -n piped >/dev/null 2>&1 &
pid=$!
sleep 0.5
kill -TERM $pid && ! wait $pid
result $? 'until a signal ends it'
# Another one: what was not read of the first is there as long as somebody has it open.
mkfifo "$OUTDIR/fifo2"
(
	lxmgr-import -P "$TREE" -q - -n slow <"$OUTDIR/fifo2" >/dev/null 2>&1 &
	pid=$!
	exec 5>"$OUTDIR/fifo2"
	head -c 100000 "$OUTDIR/good" >&5
	sleep 0.5
	kill -TERM $pid && ! wait $pid
)
result $? 'and an import'
is '' 'nothing of it stays' find "$TREE" -maxdepth 1 -name '.*.new-*'
lx destroy -q src
rm -rf "$OUTDIR"
finish
