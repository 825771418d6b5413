# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Copies: full and shared, of stopped and running containers, ephemeral ones, and renames.
. ./lib.sh

root_sum() { # root_sum NAME: what its root holds, seen from inside
	lx start "$1" >/dev/null && lx attach "$1" -- sh -c 'cd / && find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./run -o -path ./etc \) -prune -o -print | sort | while read -r f; do ls -ldn "$f" | cut -d" " -f1; [ ! -f "$f" ] || md5sum <"$f"; done; echo "$(find . -xdev | wc -l)"' | md5sum
	lx stop -k "$1"
}
layers() { find "$TREE/.layers" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l; }
address() { lx info --json "$1" | jq -r '.addresses[] | select(.family == "ipv4") | .address'; }

for b in dir overlay; do
	busybox src -B $b
	lx start src
	lx attach src -- sh -c 'mkdir -p /data/sub && echo one >/data/a && ln /data/a /data/b && ln -s a /data/l &&
		dd if=/dev/zero of=/data/hole bs=1 count=1 seek=5000000 2>/dev/null && chown 7:8 /data/sub && chmod 4711 /data/b && rm /bin/true'
	lx stop -k src
	before=$(find "$TREE/src" -type f -not -name lock -exec md5sum {} + | sort)
	ok "$b: copy" lx copy src cp
	is "$before" "$b: the source is as before" bash -c "find '$TREE/src' -type f -not -name lock -exec md5sum {} + | sort"
	is '' "$b: no layer is made" bash -c "[ $(layers) = 0 ] || echo layers"
	is "$(root_sum src)" "$b: what it holds is the same" root_sum cp
	lx start src
	lx start cp
	is 'cp' "$b: its own host name" lx attach cp -- cat /etc/hostname
	is 2 "$b: an address of its own" bash -c "printf '%s\n' $(address src) $(address cp) | sort -u | wc -l"
	is 2 "$b: ids of its own" bash -c "printf '%s\n' $(lx info --json src | jq .id_base) $(lx info --json cp | jq .id_base) | sort -u | wc -l"
	is 2 "$b: a machine-id of its own" bash -c "cat <(lxmgr-attach -P $TREE src -- cat /etc/machine-id) <(lxmgr-attach -P $TREE cp -- cat /etc/machine-id) | sort -u | wc -l"
	is '7:8' "$b: owners" lx attach cp -- stat -c %u:%g /data/sub
	is '4711 2' "$b: modes and hard links" lx attach cp -- stat -c '%a %h' /data/a
	ok "$b: holes" test "$(lx attach cp -- du -k /data/hole | cut -f1)" -lt 1000
	lx attach cp -- sh -c 'echo two >/data/a'
	is 'one' "$b: the source does not see the copy's writes" lx attach src -- cat /data/a
	lx stop -k cp
	# One that runs: what is written before the copy is in it.
	lx attach src -- sh -c 'echo three >/data/a; sync'
	ok "$b: copy of a running one" lx copy src live
	is 'RUNNING' "$b: which runs on" lx info -s -H src
	lx start live
	is 'three' "$b: what was written before is in it" lx attach live -- cat /data/a
	lx stop -k live
	lx stop -k src
	for c in live cp; do ok "$b: destroy $c" lx destroy -q "$c"; done
	lx destroy -q src
done

# Copy on write: overlay.
busybox src -B overlay
lx start src
lx attach src -- sh -c 'echo one >/a; mkdir /d; echo x >/d/x; rm /bin/true'
lx stop -k src
ok 'share' lx copy -s src s1
is 1 'in one layer' layers
ok 'again' lx copy -s src s2
is 1 'which is enough for two' layers
is 'version = 2' 'the record has a version that older programs refuse' head -n 1 "$TREE/src/storage"
for c in src s1 s2; do
	lx start $c
	is 'one x' "$c has it" lx attach $c -- sh -c 'echo $(cat /a /d/x)'
	status 1 "$c: what was deleted is gone" lx attach $c -- test -e /bin/true
done
lx attach s1 -- sh -c 'echo two >/a; rm -r /d; mv /etc /etc.old; mkdir /etc'
is 'one x' 'others do not see it' lx attach src -- sh -c 'echo $(cat /a /d/x)'
ok 'share a running one' lx copy -s s1 s3
lx start s3
is 'two' 'it has what that wrote' lx attach s3 -- cat /a
status 1 'and lacks what that deleted' lx attach s3 -- test -e /d
ok 'a directory that was moved' lx attach s3 -- test -d /etc.old
for c in src s1 s2 s3; do lx stop -k $c; done
ok 'a copy of a copy' lx copy -s s3 s4
ok 'destroy the source' lx destroy -q src
lx start s2
is 'one' 'its copies keep what they stand on' lx attach s2 -- cat /a
lx stop -k s2
for c in s1 s2 s3 s4; do lx destroy -q $c; done
is 0 'the last one takes the layers away' layers
# A chain: more layers than there may be.
busybox chain -B overlay
for i in $(seq 20); do
	lx start chain
	lx attach chain -- sh -c "echo $i >/step; echo $i >/s$i"
	case $i in
	1) lx attach chain -- sh -c 'rm /bin/true; mkdir -p /usr/share/old/etc; echo x >/usr/share/old/etc/x' ;;
	3) lx attach chain -- mv /usr/share/old /moved ;;
	esac
	lx stop -k chain
	lx copy -q -s chain "c$i" || break
done
ok 'a chain of twenty shared copies' test "$i" = 20 -a -d "$TREE/c20"
lx start chain
is '20 1 20' 'the last one has all' lx attach chain -- sh -c 'echo $(cat /step /s1 /s20)'
status 1 'what was deleted stays so' lx attach chain -- test -e /bin/true
is '/moved/etc' 'what was moved, too' lx attach chain -- sh -c 'ls -d /moved/etc && ! ls -d /usr/share/old'
ok 'in fewer layers than that' test "$(grep -c ^layer "$TREE/chain/storage")" -le 13
lx stop -k chain
for i in chain $(seq -f 'c%.0f' 20); do lx destroy -q "$i"; done
# Backend dir has nothing to share on a file system without reflinks.
busybox plain -B dir
if cp --reflink=always "$TREE/plain/config" "$TREE/.reflink" 2>/dev/null; then
	ok 'dir: share' lx copy -s plain plain2
	lx destroy -q plain2
else
	status 1 'dir: sharing is refused where files cannot' lx copy -s plain plain2
	says 'reflink' 'with the reason' lx copy -s plain plain2
fi
status 3 'nothing is left of it' lx info plain2
rm -f "$TREE/.reflink"

# Keys of ssh, /etc/hosts, what the config fixes.
root=$TREE/plain/rootfs
mkdir -p "$root/etc/ssh"
ssh-keygen -q -N '' -t ed25519 -f "$root/etc/ssh/ssh_host_ed25519_key"
printf '127.0.0.1 localhost\n127.0.1.1 plain plain.example plainer\n' >"$root/etc/hosts"
lx config -n plain lxmgr.net.0.hwaddr=02:00:00:00:00:01
ok 'copy' lx copy plain k1
key() { cut -d' ' -f2 "$TREE/$1/rootfs/etc/ssh/ssh_host_ed25519_key.pub"; }
ok 'another host key' test "$(key plain)" != "$(key k1)"
ok 'that is one' ssh-keygen -l -f "$TREE/k1/rootfs/etc/ssh/ssh_host_ed25519_key.pub"
is '600' 'for root alone' stat -c %a "$TREE/k1/rootfs/etc/ssh/ssh_host_ed25519_key"
is '127.0.1.1 k1 k1.example plainer' 'its name in hosts' tail -n 1 "$TREE/k1/rootfs/etc/hosts"
is '' 'no MAC of another' lx config -n k1 lxmgr.net.0.hwaddr
ok 'copy and keep' lx copy -K -M --keepid plain k2
is "$(key plain)" 'the key' key k2
is '02:00:00:00:00:01' 'the MAC' lx config -n k2 lxmgr.net.0.hwaddr
is 'plain' 'the name' cat "$TREE/k2/rootfs/etc/hostname"
ok 'set a key' lx copy --define lxmgr.limit.pids=77 plain k3
is 77 'is set' lx config -n k3 lxmgr.limit.pids
status 4 'a name that is taken' lx copy plain k3
status 64 'a bad name' lx copy plain ../x
status 64 'no name' lx copy plain
status 3 'no source' lx copy nosuch new
status 1 'a key that there is not' lx copy --define lxmgr.nosuch=1 plain k4
is '' 'and nothing stays' find "$TREE" -maxdepth 1 -name '.k4*'
for c in k1 k2 k3; do lx destroy -q $c; done

# Elsewhere.
mkdir -m 711 "$TREE/other"
ok 'to another directory' lx copy -p "$TREE/other" plain far
ok 'it starts' lxmgr-start -P "$TREE/other" far
lxmgr-destroy -P "$TREE/other" -q -f far
busybox ov -B overlay
lx copy -s ov ov2
ok 'one that stands on layers' lx copy -p "$TREE/other" ov2 far
ok 'it starts' lxmgr-start -P "$TREE/other" far
status 1 'sharing ends at the directory' lx copy -s -p "$TREE/other" ov2 far2
lxmgr-destroy -P "$TREE/other" -q -f far
rm -rf "$TREE/other"
lx destroy -q ov
lx destroy -q ov2

# Rename.
lx start plain
status 4 'rename: not while it runs' lx copy -R plain new
lx stop -k plain
ids=$(grep "$TREE/plain\$" "$VAR/lib/lxmgr/idmap")
ok 'rename' lx copy -R plain new
status 3 'the old name is gone' lx info plain
ok 'the new one starts' lx start new
is "${ids% *} $TREE/new" 'with its ids' grep "$TREE/new\$" "$VAR/lib/lxmgr/idmap"
is 'new' 'and its name' lx attach new -- cat /etc/hostname
lx stop -k new
busybox plain
status 4 'not over another' lx copy -R new plain
ok 'which is as it was' lx start plain
lx destroy -q -f plain

# Ephemeral.
ok 'ephemeral' lx copy -e new short
is 'RUNNING' 'runs' lx info -s -H short
lx stop -k short
ok 'and goes when it stops' eventually bash -c "! [ -e $TREE/short ]"
out=$(lx copy -e new)
short=$(printf '%s\n' "$out" | sed -n 's/^Created \([^ ]*\) as a copy of new$/\1/p')
ok 'a name is made up' test -n "$short" -a -d "$TREE/$short"
lx stop -k "$short"
ok 'and goes as well' eventually bash -c "! [ -e $TREE/$short ]"
ok 'ephemeral, kept' lx copy -e -D new stays
lx stop -k stays
ok 'is there' test -d "$TREE/stays"

# Killed at any instant: the source works, and nothing stays.
need strace
busybox ks -B overlay
lx start ks
lx attach ks -- sh -c 'echo kept >/a'
lx stop -k ks
for call in mkdirat renameat openat write fsync unlinkat clone,clone3,vfork; do
	for n in $(places 1 2 3 5 8 13 21 34); do
		timeout 60 strace -f -qq -o /dev/null -e "trace=$call" -e "inject=$call:signal=SIGKILL:when=$n" \
			lxmgr-copy -P "$TREE" -q -s ks kc >/dev/null 2>&1
		lx start ks && [ "$(lx attach ks -- cat /a)" = kept ] && lx stop -k ks
		result $? "killed at $call $n: the source has what it had"
		[ ! -e "$TREE/kc" ] || ok "killed at $call $n: the copy is whole" bash -c "lxmgr-start -P $TREE kc && [ \"\$(lxmgr-attach -P $TREE kc -- cat /a)\" = kept ] && lxmgr-destroy -P $TREE -q -f kc"
	done
done
lx copy -q -s ks kc
lx destroy -q kc
is '' 'nothing unfinished stays' find "$TREE" -maxdepth 1 -name '.*.new*'
lx destroy -q ks
is 0 'no layer, either' layers
finish
