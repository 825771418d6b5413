# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Copies: full and shared, of stopped and running containers, ephemeral ones, and renames.
# In machines: check-vm-full.
. ./lib.sh
need getfattr setfattr jq python3 strace

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

# cp keeps silent about an attribute that it could not write, on a disk that is full in just that instant.
without_space() { # without_space CALL=WHEN... -- COMMAND...: these calls find none
	local how=()
	while [ "$1" != -- ]; do
		how+=(-e "inject=${1%=*}:error=ENOSPC:when=${1#*=}")
		shift
	done
	strace -f -qq -o /dev/null -e trace=fsetxattr,lsetxattr "${how[@]}" "${@:2}"
}
nth() { # nth TRACE: which of its process' fsetxattr is that of the mark
	awk '/fsetxattr\(/ { n[$1]++ } /"user.lxmgr"/ && /fsetxattr\(/ { print n[$1]; exit }' "$1"
}
for b in dir overlay; do
	busybox src -B $b
	lx start src
	lx attach src -- sh -c 'mkdir /marked && echo >/marked/f'
	setfattr -n user.lxmgr -v mark "/proc/$(lx info -p -H src)/root/marked/f"
	lx stop -k src
	marked=$(find "$TREE/src" -type d -name marked)
	strace -f -qq -o "$TREE/.trace" -e trace=fsetxattr cp -a "$marked" "$TREE/.cp"
	rm -r "$TREE/.cp"
	ok "$b: control: cp says nothing" without_space fsetxattr="$(nth "$TREE/.trace")" -- cp -a "$marked" "$TREE/.cp"
	status 1 "$b: control: and has lost it" getfattr -n user.lxmgr "$TREE/.cp/f"
	rm -r "$TREE/.cp"
	strace -f -qq -o "$TREE/.trace" -e trace=fsetxattr lxmgr-copy -q -P "$TREE" src cp
	lx destroy -q cp
	call=fsetxattr=$(nth "$TREE/.trace")
	ok "$b: a copy where cp cannot write an attribute" without_space "$call" -- lxmgr-copy -q -P "$TREE" src cp
	is 'mark' "$b: has it" getfattr --absolute-names --only-values -n user.lxmgr "$(find "$TREE/cp" -type d -name marked)/f"
	lx destroy -q cp
	says 'copy attributes of (f|\.): No space left' "$b: where it cannot be written at all, the copy fails" \
		without_space "$call" lsetxattr=1+ -- lxmgr-copy -q -P "$TREE" src cp
	ok "$b: and nothing is left" test ! -e "$TREE/cp"
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
is '/moved/etc' 'what was moved, too' lx attach chain -- sh -c 'ls -d /moved/etc && ! test -e /usr/share/old'
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
lx start k2
is 'plain' 'also when it has started' lx attach k2 -- hostname
lx stop -k k2
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
# Paths through its own directory, as LXC's configs have them.
busybox ours -B dir
lx config -n ours "lxmgr.rootfs.path=dir:$TREE/ours/rootfs"
lx config -n ours "lxmgr.log.file=$TREE/ours/trace"
lx config -n ours "lxmgr.mount.entry=$TREE/ours.d srv none bind,optional 0 0"
strace -f -qq -o /dev/null -e trace=renameat2 -e inject=renameat2:signal=KILL lxmgr-copy -P "$TREE" -R ours theirs >/dev/null 2>&1
ok 'rename: killed before it has the new name' test -d "$TREE/ours" -a ! -e "$TREE/theirs"
ok 'the same command does the rest' lx copy -R ours theirs
is "dir:$TREE/theirs/rootfs" 'the path of its root is moved' lx config -n theirs lxmgr.rootfs.path
is "$TREE/theirs/trace" 'and that of its log' lx config -n theirs lxmgr.log.file
says "^$TREE/ours.d srv" 'one that only begins like it stays' lx config -n theirs lxmgr.mount.entry
ok 'it starts' lx start theirs
lx stop -k theirs
echo "lxmgr.include = $TREE/theirs/more" >>"$TREE/theirs/config"
: >"$TREE/theirs/more"
status 6 'a file of the config in its own directory' lx copy -R theirs ours
ok 'which changed nothing' lx start theirs
lx destroy -q -f theirs
# What the address manager gave, kept. Two cannot have it, one after the other can.
mac() { lx attach "$1" -- cat /sys/class/net/eth0/address; }
busybox blue -B dir
lx start blue
OUT=$(address blue)/$(mac blue)
[ "${OUT#/}" = "$OUT" ]
result $? 'it has an address'
was=$OUT
lx stop -k blue
lx copy -q -M blue same-mac
lx start same-mac
is "${was#*/}" '-M: the MAC is the same' mac same-mac
ok 'the address is not' test "$(address same-mac)" != "${was%/*}"
lx destroy -q -f same-mac
lx copy -q -M --keepaddress blue green
status 1 'its address is taken as long as the other one is there' lx start green
says "blue" 'by whom is said' lx start green
lx destroy -q blue
ok 'then it starts' lx start green
is "$was" 'with address and MAC' echo "$(address green)/$(mac green)"
is default 'and a route' lx attach green -- sh -c 'ip route | sed -n "s/^\(default\) .*/\1/p"'
lx destroy -q -f green
# Host names have no underscores, names of containers may.
lx config -n new lxmgr.uts.name=abc
ok 'rename to what is no host name' lx copy -R new new_
is new 'it has one like it' lx config -n new_ lxmgr.uts.name
lx copy -q -R new_ new
ok 'ephemeral of one with a host name' lx copy -e --define lxmgr.init.cmd=/bin/true new ab_cd
lx copy -q -K new kept
is new 'kept' lx config -n kept lxmgr.uts.name
lx destroy -q kept
lx config -n new lxmgr.uts.name=

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

status 64 'in memory, and kept' lx copy -e -D -t new stays2
status 64 'in memory, and not ephemeral' lx copy -t new stays2
status 64 'a size that is none' lx copy -e --tmpfs-size=1X new x
status 6 'in memory: not by backend dir' lx copy -e -t new mem
says "needs backend 'overlay'" 'with the reason' lx copy -e -t new mem
status 3 'and nothing of it' lx info mem
status 64 'a mount of LXC that there is not' lx copy -e -m aufs=/srv:/srv new x
for m in bind= bind=/ bind=/a:/b:ro:x bind=/a:/b:exec bind=/a:/b:ro,suid 'bind=/a b' bind=/a:/b,overlay= overlay=/ overlay=/a:/b:ro overlay=/a:ro overlay=/etc/passwd:/b; do
	status 64 "no mount: $m" lx copy -e -m "$m" new x
done
for m in overlay=/etc:/proc/x overlay=/etc:/dev overlay=/etc:/b,overlay=/usr:/b; do
	says "delta .* the target '" "no mount: $m" lx copy -e -m "$m" new x
done
status 64 'a size of a backend without one' lx copy -L 5G new x
status 3 'none of these is there' lx info x
ok 'its own backend' lx copy -B dir new x
lx destroy -q x
# A start that fails takes the copy away.
status 127 'ephemeral, cannot start' lx copy -e --define lxmgr.init.cmd=/nosuch new fails
status 3 'is gone' lx info fails
# A command, and then it stops; what of the host it sees.
mkdir -p "$TREE/seen"
echo host >"$TREE/seen/f"
for_containers "$TREE/seen"
is host 'a command in a copy' bash -c "lxmgr-copy -P $TREE -q -e -m bind=$TREE/seen:/mnt/seen:ro new cmd -- cat /mnt/seen/f"
status 7 'its status' lx copy -q -e -m "bind=$TREE/seen:/mnt/seen:ro" new cmd -- sh -c 'echo x >/mnt/seen/f || exit 7'
ok 'then it goes' eventually bash -c "! [ -e $TREE/cmd ]"
is host 'read-only' cat "$TREE/seen/f"
chmod 777 "$TREE/seen"
# The forms that LXC has: a list, no '/' before the places, options without a place.
is 'host host host 3' 'a list of mounts' bash -c "lxmgr-copy -P $TREE -q -e -m bind=$TREE/seen:mnt/one:ro,nosuid,bind=${TREE#/}/seen:/mnt/two,bind=$TREE/seen:ro new cmd -- \
	sh -c 'echo \$(cat /mnt/one/f /mnt/two/f $TREE/seen/f) \$(grep -cE \"(/mnt/one|/mnt/two|$TREE/seen) \" /proc/self/mountinfo)'"
is 'ro,rw,ro' 'and their options' bash -c "lxmgr-copy -P $TREE -q -e -m bind=$TREE/seen:mnt/one:ro,nosuid,bind=${TREE#/}/seen:/mnt/two,bind=$TREE/seen:ro new cmd -- \
	sh -c 'for d in /mnt/one /mnt/two $TREE/seen; do if (: >\$d/w) 2>/dev/null; then echo rw; else echo ro; fi; done' | paste -sd,"
# In the foreground; -d and -a are what is done anyway, the last of -F and -d counts.
ok 'in the foreground' lx copy -q -e -F --define 'lxmgr.init.cmd=/bin/sh -c "exit 0"' new front
ok 'it has ended before' test ! -e "$TREE/front"
is 'here' 'with a command it is not' lx copy -q -e -F new front -- echo here
ok '-F -d: not in the foreground' lx copy -q -e -F -d new back
is 'RUNNING' 'it runs' lx info -s -H back
lx stop -k back
ok '-d without -e, -a, -N' lx copy -q -d -a -n new -N named
is 'STOPPED' 'is a copy' lx info -s -H named
lx destroy -q named
status 64 '-F without -e' lx copy -F new x
status 64 '--keepids is refused' lx copy --keepids new x
says 'one container.s alone' 'with the reason' lx copy --keepids new x
# Another config.
sed 's/^lxmgr.limit.pids.*/lxmgr.limit.pids = 55/' "$TREE/new/config" >"$TREE/rc"
ok 'with --rcfile' lx copy -q --rcfile "$TREE/rc" new other
is 55 'the copy has what that says' lx config -n other lxmgr.limit.pids
is 4096 'the container has not' lx config -n new lxmgr.limit.pids
lx destroy -q other
status 64 'not with a rename' lx copy -R --rcfile "$TREE/rc" new other
# Arguments for the hook.
printf '#!/bin/sh\necho "$@" >%s/said\n' "$TREE" >"$TREE/hook"
chmod 755 "$TREE/hook"
lx config -n new "lxmgr.hook.clone=$TREE/hook"
ok 'arguments for the hook' lx copy new hooked -- one two
is 'hooked lxc clone new one two' 'come there' cat "$TREE/said"
lx destroy -q hooked
lx config -n new lxmgr.hook.clone=

# In memory.
busybox mo -B overlay
lx start mo
lx attach mo -- sh -c 'echo disk >/f; mkdir /d; chown 3:4 /d; chmod 1777 /'
lx stop -k mo
lx copy -q -s mo mo2
ok 'ephemeral in memory' lx copy -e --tmpfs-size=8M mo mem
is 'disk 3:4 1777' 'has what the container has' lx attach mem -- sh -c 'echo $(cat /f; stat -c %u:%g /d; stat -c %a /)'
is mem 'and a name of its own' lx attach mem -- cat /etc/hostname
lx attach mem -- sh -c 'echo memory >/f; rm -r /d; echo >/only-in-memory; chown 5:6 /f'
is 'memory 5:6' 'it can be written to' lx attach mem -- sh -c 'echo $(cat /f; stat -c %u:%g /f)'
is '' 'but not on the disk' find "$TREE/mem" -name only-in-memory
status 1 'no more than there is' lx attach mem -- dd if=/dev/zero of=/big bs=1M count=16
status 6 'it is not copied while it runs' lx copy mem mem2
status 6 'nor kept' lx snapshot mem

lx stop -k mem
ok 'and goes when it stops' eventually bash -c "! [ -e $TREE/mem ]"
lx start mo
is disk 'the container has what it had' lx attach mo -- cat /f
lx stop -k mo
# Thirteen layers, and one more in memory.
for i in $(seq 13); do
	sed -n '/^layer/p' "$TREE/mo/storage" | wc -l >"$TREE/n"
	lx start mo && lx attach mo -- sh -c "echo $i >/n$i" && lx stop -k mo
	[ "$(cat "$TREE/n")" -lt 12 ] || break
	lx copy -q -s mo "mo-$i" && lx destroy -q "mo-$i"
done
ok 'in memory, above as many layers as there may be' lx copy -e -t mo mem
is "disk $(cat "$TREE/n")" 'has all' lx attach mem -- sh -c 'echo $(cat /f; ls /n* | wc -l)'
lx stop -k mem
ok 'and goes as well' eventually bash -c "! [ -e $TREE/mem ]"
lx destroy -q mo2
lx destroy -q mo

# Two at once for one name: one wins, and what is reserved for it stays.
for i in 1 2 3 4; do lx copy -q new twin >/dev/null 2>&1 & done
wait
ok 'one of four for one name' test -d "$TREE/twin"
is 1 'has its ids' grep -c " $TREE/twin\$" "$VAR/lib/lxmgr/idmap"
is '' 'the others are gone' find "$TREE" -maxdepth 1 -name '.twin*'
lx destroy -q twin
# A device in place of a file is not opened: that alone can have effects.
mv "$TREE/new/rootfs/etc/hosts" "$TREE/hosts" 2>/dev/null
mknod "$TREE/new/rootfs/etc/hosts" c 1 5
strace -f -qq -yy -o "$TREE/trace" -e trace=read,pread64 lxmgr-copy -P "$TREE" -q new device
ok 'a device for a file' test -d "$TREE/device"
is 0 'is not read from' bash -c "grep -cE '(hosts|char 1:5)' $TREE/trace; true"
rm "$TREE/new/rootfs/etc/hosts"
mv "$TREE/hosts" "$TREE/new/rootfs/etc/hosts" 2>/dev/null
lx destroy -q device

# What is the same in both betrays both.
mkdir -p "$TREE/new/rootfs/var/lib/dbus" "$TREE/new/rootfs/var/lib/systemd"
echo 0123456789abcdef0123456789abcdef >"$TREE/new/rootfs/var/lib/dbus/machine-id"
echo seed >"$TREE/new/rootfs/var/lib/systemd/random-seed"
identity=(etc/dropbear/dropbear_ed25519_host_key var/lib/dhcp/dhclient.leases var/lib/dhclient/x.lease
	var/lib/dhcpcd/duid var/lib/NetworkManager/secret_key var/lib/systemd/credential.secret var/lib/urandom/random-seed)
for f in "${identity[@]}"; do mkdir -p "$TREE/new/rootfs/${f%/*}" && echo mine >"$TREE/new/rootfs/$f"; done
echo config >"$TREE/new/rootfs/etc/dropbear/banner"
lx copy -q new ident
is banner 'nothing by which others know it' bash -c "cd $TREE/ident/rootfs && find etc/dropbear var/lib/{dhcp,dhclient,dhcpcd,NetworkManager,urandom} var/lib/systemd/cred* -type f -printf '%f\n' 2>/dev/null"
lx copy -q --keepid new kept
ok 'unless it is asked for' bash -c "cd $TREE/kept/rootfs && ls ${identity[*]}"
lx destroy -q kept
status 64 'a rename defines nothing' lx copy -R ident other --define lxmgr.limit.pids=5
status 64 'nor keeps the host name' lx copy -R -K ident other
# Where its keys would be there is no directory.
mv "$TREE/new/rootfs/etc/ssh" "$TREE/ssh" 2>/dev/null
echo >"$TREE/new/rootfs/etc/ssh"
ok 'a file for a directory' lx copy -q new odd
lx destroy -q odd
ln -sfn loop "$TREE/new/rootfs/etc/ssh"
says 'with --keepid' 'a link is told, with the cure' lx copy new odd
ok 'which is one' lx copy -q --keepid new odd
lx destroy -q odd
rm "$TREE/new/rootfs/etc/ssh"
mv "$TREE/ssh" "$TREE/new/rootfs/etc/ssh" 2>/dev/null
is 1 "D-Bus has the copy's machine-id" bash -c "cat $TREE/ident/rootfs/etc/machine-id $TREE/ident/rootfs/var/lib/dbus/machine-id | sort -u | wc -l"
ok 'which is not that of the source' bash -c "! grep -q 0123456789abcdef $TREE/ident/rootfs/etc/machine-id"
ok 'no random seed' bash -c "! [ -e $TREE/ident/rootfs/var/lib/systemd/random-seed ]"
lx destroy -q ident

# Killed while the source stands still: that goes on. The copier is stopped just behind the freeze.
busybox fz -B dir
lx start fz
for how in copy snapshot; do
	mkfifo "$TREE/gate"
	mkdir -p "$TREE/bin"
	printf '#!/bin/sh\n: <%s/gate\nexec /bin/cp "$@"\n' "$TREE" >"$TREE/bin/cp"
	chmod 755 "$TREE/bin/cp"
	if [ $how = copy ]; then
		PATH=$TREE/bin:$PATH lxmgr-copy -P "$TREE" -q fz fz2 &
	else
		PATH=$TREE/bin:$PATH lxmgr-snapshot -P "$TREE" -q fz &
	fi
	pid=$!
	ok "$how: the copier waits with the container frozen" eventually bash -c "! timeout 2 lxmgr-attach -P $TREE fz -- true"
	kill -9 $pid
	wait $pid 2>/dev/null
	ok "$how: killed, the container goes on" eventually timeout 5 lxmgr-attach -P "$TREE" fz -- true
	rm -f "$TREE/gate"
done
lx stop -k fz
lx copy -q fz fz3
lx snapshot -q fz
is '' 'and what was begun is taken away' find "$TREE" "$TREE/fz/snapshots" -maxdepth 1 -name '.*new*'
# Interrupted: nothing stays.
mkfifo "$TREE/gate"
PATH=$TREE/bin:$PATH lxmgr-copy -P "$TREE" -q fz fz4 &
pid=$!
eventually bash -c "ls -d $TREE/.fz4.new-*"
kill -TERM $pid
wait $pid
is 1 'interrupted' echo $?
is '' 'nothing is left behind' find "$TREE" -maxdepth 1 -name '.fz4*'
rm -rf "$TREE/gate" "${TREE:?}/bin"
lx destroy -q fz3
lx destroy -q -s fz
lx destroy -q new

# Many layers into one: what the kernel says of the whole, for all that a layer can hold.
busybox fl -B overlay
inside() { lx start "$1" && lx attach "$1" -- sh -c "$2" && lx stop -k "$1"; }
inside fl 'mkdir -p /w/d/sub /w/op/old /w/mv/in; for i in a b c; do echo $i >/w/d/$i; done; for i in h k; do echo 1 >/w/${i}1; ln /w/${i}1 /w/${i}2; done; ln -s /nosuch /w/l; echo x >/w/op/old/x
	mkfifo /w/fifo; dd if=/dev/zero of=/w/hole bs=1 count=1 seek=3000000 2>/dev/null; echo moved >/w/mv/in/f; echo x >/w/kind; chmod 2751 /w/d; chown 9:10 /w/d/a'
lx copy -q -s fl fl-a
inside fl 'rm /w/d/a; rm -r /w/op; mkdir /w/op; echo new >/w/op/n; mv /w/mv /w/moved; rm /w/kind; mkdir /w/kind; ln -s y /w/kind/y; rm /bin/true; rmdir /w/d/sub; echo 2 >>/w/h1; chmod 700 /w/d
	mkdir /w/touched /w/t2; touch -d "2002-03-04 05:06:07" /w/touched /w/t2 /sbin; : >/w/mv2; rm /w/mv2
	i=0; cd /w; while [ $i -lt 300 ]; do mkdir n; cd n || exit 1; i=$((i + 1)); done; echo deep >f
	mkdir -p /w/links/deep; ln -s /etc /w/links/abs; ln -s ../x /w/links/deep/rel; printf x >"/w/$(printf "odd\n name")"; touch -d "2001-02-03 04:05:06" /w/d/b'
python3 -c 'import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1])' "$TREE/fl/overlay/upper/w/sock"
lx copy -q -s fl fl-b
root_of() { # root_of NAME: mounts it
	lx mount "$1" >/dev/null
	lx mount --json | jq -r ".[] | select(.name == \"$1\") | .dir"
}
sum() { # sum NAME: all that the stopped container's root is, but the labels of who has it
	local dir
	dir=$(root_of "$1")
	(cd "$dir" && find . -xdev -mindepth 1 \( -path ./etc -o -path ./run \) -prune -o -printf '%p %y %m %U:%G %s %l %T@\n' | sed 's/^\(.* d .*\) [0-9]*  \([0-9.]*\)$/\1 \2/' | sort | md5sum; getfattr -R -h -d -m - . 2>/dev/null | grep -v ^security.selinux= | md5sum; find . -xdev -path ./etc -prune -o -type f -exec md5sum {} + | sort | md5sum)
	lx umount "$1"
}
n=0
until [ "$(grep -c ^layer "$TREE/fl/storage")" = 13 ] || [ $n = 20 ]; do
	n=$((n + 1))
	inside fl "echo $n >/n$n"
	lx copy -q -s fl "fl$n"
done
inside fl 'rm /n1'
was=$(sum fl)
ok 'one layer more than there may be' lx copy -q -s fl "fl$((n + 1))"
is 2 'the others were made one' grep -c ^layer "$TREE/fl/storage"
is "$was" 'which is what they were' sum fl
cd "$(root_of fl)/w" || exit 1
is 'deep' 'what lies deep' bash -c "cat \$(printf 'n/%.0s' {1..300})f"
is '2002-03-04 05:06:07' 'times of directories' bash -c "stat -c %y touched | cut -d. -f1"
is 'b c' 'what was deleted' bash -c 'echo $(ls d)'
is 'n' 'what was replaced by an empty one' ls op
is 'moved' 'what was moved' cat moved/in/f
is 'y' 'what became a directory' ls kind
ok 'hard links' test k1 -ef k2
is '1 2' 'of which one was written to' bash -c 'echo $(cat h2) $(tail -n 1 h1)'
ok 'a socket' test -S sock
ok 'a fifo' test -p fifo
ok 'a hole' test "$(stat -c %b hole)" -lt 1000
cd "$OLDPWD" || exit 1
lx umount fl
for c in fl fl-a fl-b $(seq -f 'fl%.0f' $((n + 1))); do lx destroy -q "$c"; done
is 0 'no layer is left' layers

# What a copy takes of time: a wait for the disk each for its ids and its address, which go with the copy
# from there on; two for the layer that both share, two for the copy.
# With SELinux they have categories, too.
categories=0
[ ! -e /sys/fs/selinux/enforce ] || categories=2
busybox w -B overlay
lx push w /etc/hostname /written
strace -f -qq -o "$TREE/.calls" -e trace=fsync,fdatasync,syncfs lxmgr-copy -q -s -P "$TREE" w w2
is $((6 + categories)) 'a shared copy waits for the disk six times' grep -c -E 'sync(fs)?\(' "$TREE/.calls"
lx destroy -q w
lx destroy -q w2
rm "$TREE/.calls"

finish
