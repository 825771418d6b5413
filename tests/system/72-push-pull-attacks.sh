# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016,SC2034
# push and pull against a root of the container that swaps links and directories under them, each with
# a careless copy as the control; full disks, and kills in the middle.
# In machines: check-vm-full.
. ./lib.sh
need gcc

attack=$TREE/.attack
ok 'the attacks build' gcc -O1 -static -Wall -o "$attack" attack.c
host=$TREE/.host out=$TREE/.out
mkdir "$host" "$out"
reset() { echo untouched >"$host/secret"; }
reset
echo pushed >"$out/new"
busybox a -B dir
root=$TREE/a/rootfs
cp "$attack" "$root/attack"
chmod 755 "$root/attack"
at() { lx attach a -- "$@"; }
lx start a
init=$(lx info -p -H a)
inside=/proc/$init/root

# CVE-2018-15664: a directory on the way is now one, now a link that leads out.
at sh -c "mkdir /srv; cd /srv; mkdir d; ln -s $host l"
at /attack swap "60:/srv/d:/srv/l" >/dev/null 2>&1 &
spin=$!
fooled() { # fooled COMMAND...: it is done until the secret is another, or a thousand times
	for _ in $(seq 1000); do
		"$@" >/dev/null 2>&1
		[ "$(cat "$host/secret")" = untouched ] || return 0
	done
	return 1
}
ok 'control: a careless copy in writes outside' fooled cp "$out/new" "$inside/srv/d/secret"
reset
for _ in $(seq "$(thinned 60)"); do lx push a "$out/new" /srv/d/secret >/dev/null 2>&1; done
is 'untouched' 'push does not' cat "$host/secret"
mkdir -p "$out/tree/sub"
echo pushed >"$out/tree/sub/secret"
echo pushed >"$out/tree/secret"
for _ in $(seq "$(thinned 40)"); do lx push -r a "$out/tree/." /srv/d >/dev/null 2>&1; done
is 'untouched' 'nor with a tree' cat "$host/secret"
is 'secret' 'and nothing is beside it' ls -A "$host"
kill "$spin"
wait "$spin" 2>/dev/null
at killall attack 2>/dev/null

# Out: a file, then a tree.
at sh -c "rm -rf /srv; mkdir /srv; cd /srv; echo mine >f; ln -s $host/secret l; mkdir d; echo mine >d/secret; ln -s $host e"
at /attack swap "60:/srv/f:/srv/l" >/dev/null 2>&1 &
at /attack swap "60:/srv/d:/srv/e" >/dev/null 2>&1 &
stolen() { # stolen COMMAND...: it brings the secret
	for _ in $(seq 1000); do
		rm -rf "$out/got"
		"$@" >/dev/null 2>&1
		! grep -rqs untouched "$out/got" || return 0
	done
	return 1
}
ok 'control: a careless copy out brings a file of the host'"'"'s' stolen cp "$inside/srv/f" "$out/got"
n=0
for _ in $(seq "$(thinned 40)"); do
	rm -rf "$out/got"
	lx pull a /srv/f "$out/got" >/dev/null 2>&1
	! grep -qs untouched "$out/got" || n=$((n + 1))
	rm -rf "$out/got"
	lx pull -r a /srv "$out/got" >/dev/null 2>&1
	[ -z "$(find "$out/got" -type f -exec grep -l untouched {} + 2>/dev/null)" ] || n=$((n + 1))
done
is 0 'pull never does' echo "$n"
at killall attack 2>/dev/null
wait

# A tree that comes in two parts: first a link, then a directory of its name.
at sh -c "rm -rf /srv; mkdir -p /srv/t; ln -s $host /srv/t/sub"
rm -rf "$out/got"
mkdir "$out/got"
ok 'a link comes as a link' lx pull -r a /srv/t "$out/got"
ok 'which it is' test -L "$out/got/t/sub"
at sh -c 'rm /srv/t/sub; mkdir /srv/t/sub; echo pulled >/srv/t/sub/secret'
mkdir "$out/copy"
cp "$root/srv/t/sub/secret" "$out/copy/"
ok 'control: a careless copy follows it' bash -c "cp $out/copy/secret $out/got/t/sub/secret && grep -q pulled $host/secret"
reset
status 1 'pull does not' lx pull -r a /srv/t "$out/got"
is 'untouched' 'and leaves what is there' cat "$host/secret"
at sh -c 'rm -rf /srv/t; mkdir /srv/t; echo pulled >/srv/t/sub'
ok 'a file takes the place of a link' lx pull -r a /srv/t "$out/got"
is 'untouched' 'which is not followed' cat "$host/secret"
is 'pulled' 'it is there' cat "$out/got/t/sub"

# What hangs whoever opens it.
at sh -c 'rm -rf /srv; mkdir /srv; mkfifo /srv/p; echo x >/srv/x'
status 124 'control: a careless copy waits for a fifo' timeout 2 cat "$inside/srv/p"
status 6 'pull refuses it' timeout 60 lxmgr-pull -P "$TREE" a /srv/p "$out/p"
says 'is a fifo' 'in a tree it is left out' timeout 60 lxmgr-pull -P "$TREE" -r a /srv "$out/fifos"
is 'x' 'and the rest comes' cat "$out/fifos/x"
at /attack lease 100:/srv/x >/dev/null 2>&1 &
ok 'a file is leased' eventually grep -q "WRITE.*:$(stat -c %i "$root/srv/x") " /proc/locks
status 124 'control: a careless copy waits for who has it' timeout 2 cat "$inside/srv/x"
status 1 'pull does not' timeout 30 lxmgr-pull -P "$TREE" a /srv/x "$out/x"
at killall attack 2>/dev/null
wait
ok 'push puts a file in its place' timeout 60 lxmgr-push -P "$TREE" a "$out/new" /srv/p
is 'pushed' 'for it' at cat /srv/p
mknod -m 666 "$root/dev-null" c 1 3
status 6 'a device is not read' lx pull a /dev-null "$out/null"

# Names.
at sh -c 'rm -rf /srv; mkdir /srv; cd /srv; mkfifo "$(printf "e\033[2Jvil")"; echo x >"$(printf "a\nb")"'
rm -rf "$out/names"
says 'x1b' 'control characters in names are escaped' lx pull -r a /srv "$out/names"
is 1 'in all that is said' bash -c "lxmgr-pull -P $TREE -r a /srv $out/names2 2>&1 | grep -c . ; lxmgr-pull -P $TREE -r a /srv $out/names2 2>&1 | grep -q \$'\e' && echo raw; true"
ok 'a name with a line break is copied' test -e "$out/names/"$'a\nb'

# Too deep: cheaper than it looks for the guest.
at sh -c 'rm -rf /srv; mkdir /srv; cd /srv; for i in $(seq 300); do mkdir d && cd d; done'
says 'more than 200 directories deep' 'a tree that is too deep is refused' lx pull -r a /srv "$out/deep"
is '' 'and nothing of it is there' find "$out" -maxdepth 1 -name 'deep' -o -maxdepth 1 -name '.lxmgr-*'

# Names of what is not finished are nobody's.
mkdir "$out/unfinished"
: >"$out/unfinished/.lxmgr-tmp-0123456789abcdef"
: >"$out/unfinished/.lxmgr-tmp-mine"
says 'unfinished copy and was left out' 'the name of an unfinished file' lx push -r a "$out/unfinished" /
is '.lxmgr-tmp-mine' 'is not brought in' at ls -A /unfinished
status 64 'nor made' lx push a "$out/unfinished/.lxmgr-tmp-mine" /unfinished/.lxmgr-tmp-0123456789abcdef
at rm -r /unfinished

# A full disk.
at sh -c 'rm -rf /srv; mkdir /srv; mount -t tmpfs -o size=1m none /srv; echo old >/srv/file'
head -c 4M /dev/zero >"$out/four"
head -c 4M /dev/urandom >"$out/four"
status 1 'a full disk' lx push a "$out/four" /srv/file
says 'No space left' 'is told' lx push a "$out/four" /srv/file
is 'old' 'the old file is there' at cat /srv/file
says 'No space left' 'from a pipe, too' sh -c "lxmgr-push -P $TREE a - /srv/file <$out/four"
is 'old' 'and then' at cat /srv/file
is 'file' 'and nothing else' at ls -A /srv
mkdir "$out/full"
cp "$out/four" "$out/full/x"
status 1 'with a tree, too' lx push -r a "$out/full" /srv
is 'file' 'of which nothing is left' at ls -A /srv
at umount /srv

OUT=''
# Killed. The bytes come slowly, so that it is in the middle; a group, so that both halves go.
begin() { # begin DIR COMMAND...: until a temporary name is there
	local dir=$1
	shift
	env --default-signal=INT setsid bash -c '(head -c 100000 /dev/zero; sleep 100) | exec "$@"' x "$@" >/dev/null 2>&1 &
	group=$!
	eventually sh -c "ls -A $dir | grep -q ^.lxmgr-tmp"
}
at sh -c 'echo old >/srv/file'
for sig in KILL INT TERM; do
	begin "$root/srv" lxmgr-push -P "$TREE" a - /srv/file
	result $? "a push is in the middle ($sig)"
	kill "-$sig" -- "-$group"
	eventually sh -c "! pgrep -g $group lxmgr-push"
	kill -KILL -- "-$group" 2>/dev/null
	wait "$group" 2>/dev/null
	is 'old' "the old file is there after $sig" at cat /srv/file
	if [ $sig = KILL ]; then
		ok 'control: a temporary file was left' sh -c "ls -A $root/srv | grep -q ^.lxmgr-tmp"
		ok 'the next push' lx push a "$out/new" /srv/other
	fi
	ok "$sig: no temporary file is there" eventually sh -c "! ls -A $root/srv | grep -q ^.lxmgr-tmp"
done
begin "$root/srv" lxmgr-push -P "$TREE" a - /srv/file
result $? 'one that is killed alone'
kill -KILL "$(pgrep -g "$group" -o lxmgr-push)"
ok 'is taken back by its other half' eventually sh -c "! ls -A $root/srv | grep -q ^.lxmgr-tmp"
kill -KILL -- "-$group" 2>/dev/null
begin "$root/srv" lxmgr-push -P "$TREE" a - /srv/file
result $? 'a push that is in the middle'
lx push a "$out/new" /srv/other
ok 'is not disturbed by another' sh -c "ls -A $root/srv | grep -q ^.lxmgr-tmp"
ok 'a container that is stopped ends it' lx stop -k a
ok 'with the old file' grep -q old "$root/srv/file"
kill -KILL -- "-$group" 2>/dev/null
wait
ok 'and the next push cleans' lx push a "$out/new" /srv/third
is '' 'all' find "$root" -name '.lxmgr-*'

# At many points: old or new, whole or not there.
mkdir -p "$out/kill/sub"
for i in $(seq 40); do cp "$out/four" "$out/kill/sub/$i"; done
bad=''
for ms in $(places 1 3 5 8 12 16 20 25 30 40 50 60 80 100 130 160 200); do
	setsid lxmgr-push -P "$TREE" -r a "$out/kill" /srv >/dev/null 2>&1 &
	pid=$!
	sleep "$(printf '0.%03d' "$ms")"
	kill -KILL -- "-$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	[ ! -e "$root/srv/kill" ] || diff -rq "$out/kill" "$root/srv/kill" >/dev/null || bad="$bad push@$ms"
	rm -rf "$root/srv/kill" "$out/kill2"
	setsid lxmgr-pull -P "$TREE" -r a /srv "$out/kill2" >/dev/null 2>&1 &
	pid=$!
	sleep "$(printf '0.%03d' "$ms")"
	kill -KILL -- "-$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	[ ! -e "$out/kill2" ] || diff -rq -x '.lxmgr-tmp-*' "$root/srv" "$out/kill2" >/dev/null || bad="$bad pull@$ms"
done
is '' 'killed at many points: a tree is whole or not there' echo "$bad"
ok 'the next push' lx push -r a "$out/kill" /srv
ok 'and the next pull' lx pull -r a /srv "$out/kill3"
is '' 'leave nothing of all that' find "$root/srv" "$out" -maxdepth 1 -name '.lxmgr-*'
finish
