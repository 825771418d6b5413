# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Files into a container and out of it, running and stopped; what a hostile root of the container does
# against it is in 72-push-pull-attacks.sh.
# In machines: check-vm-full.
. ./lib.sh
need python3

work=$TREE/.work
mkdir "$work"
push() { lx push "$@"; }
pull() { lx pull "$@"; }
left() { find "$@" -xdev -name '.lxmgr-*' 2>/dev/null; }
busybox a -B dir
root=$TREE/a/rootfs
busybox o
head -c 3000000 /dev/urandom >"$work/big"
sum=$(md5sum <"$work/big")
mkdir -p "$work/tree/sub/deep" "$work/tree/empty"
echo one >"$work/tree/one"
echo two >"$work/tree/sub/deep/two"
ln -s ../one "$work/tree/sub/link"
ln -s /nowhere "$work/tree/dangling"
: >"$work/tree/nothing"
printf 'odd' >"$work/tree/"$'odd \e[2J\n name'
mkdir "$work/ways"
ln -s /made/too "$work/ways/way"
echo file >"$work/sub"
chmod 751 "$work/tree/sub"
chmod 640 "$work/tree/one"

# The same in a container that is stopped, then in one that runs.
both() { # both NAME ROOT
	local c=$1
	ok "$c: a file" push "$c" "$work/big" /srv-file
	is "$sum" "$c: and back to standard output" bash -c "lxmgr-pull -P $TREE $c /srv-file - | md5sum"
	is "$sum" "$c: from standard input" bash -c "lxmgr-push -P $TREE $c - /srv-stdin <$work/big && lxmgr-pull -P $TREE $c srv-stdin - | md5sum"
	ok "$c: into a directory, more than one" push "$c" "$work/big" "$work/tree/one" /root/
	ok "$c: by a new name in one" push "$c" "$work/tree/one" /root/other
	is 'one' "$c: which it has" pull "$c" /root/other -
	status 1 "$c: a directory that is not there" push "$c" "$work/big" /no/such/dir/file
	says '-p makes it' "$c: and the cure" push "$c" "$work/big" /no/such/dir/file
	ok "$c: -p makes it" push -p "$c" "$work/tree/one" /made/for/it/file
	ok "$c: and one that ends in a slash" push -p "$c" "$work/tree/one" /made/too/
	is 'one' "$c: with the file in it" pull "$c" /made/too/one -
	status 64 "$c: a directory needs -r" push "$c" "$work/tree" /root
	ok "$c: a tree" push -r "$c" "$work/tree" /root
	rm -rf "$work/back"
	ok "$c: and back, by a new name" pull -r "$c" /root/tree "$work/back"
	is '' "$c: the same" diff -r --no-dereference "$work/tree" "$work/back"
	is '751 640' "$c: with the modes" bash -c "echo \$(stat -c %a $work/back/sub $work/back/one)"
	ok "$c: a tree over itself" push -r "$c" "$work/tree" /root
	ok "$c: the contents of a directory" push -r "$c" "$work/tree/." /made/too
	is 'two' "$c: are there" pull "$c" /made/too/sub/deep/two -
	status 1 "$c: no tree over a file" push -r "$c" "$work/tree/." /root/other
	status 1 "$c: no file over a directory" push "$c" "$work/sub" /root/tree
	ok "$c: a link to a directory" push -r "$c" "$work/ways" /root
	ok "$c: leads where it leads inside" push "$c" "$work/tree/one" /root/ways/way/through
	is 'one' "$c: which is there" pull "$c" /made/too/through -
	is 'one' "$c: and so out" pull "$c" /root/ways/way/through -
	ok "$c: -m, -u, -g" push -m 4711 -u 12 -g 13 "$c" "$work/tree/one" /root/owned
	mkdir -p "$work/umask"
	(umask 077 && pull "$c" /root/owned "$work/umask/f")
	is '700 0 0' "$c: pull: no set-id bits, the caller's umask, the caller's" stat -c '%a %u %g' "$work/umask/f"
	(umask 077 && pull -a "$c" /root/owned "$work/umask/f")
	is '711 12 13' "$c: pull -a: the container's numbers, no set-id bits" stat -c '%a %u %g' "$work/umask/f"
	status 64 "$c: pull gives no set-id bits either by -m" pull -m 4755 "$c" /root/owned "$work/umask/f"
	[ -e "$work/fifo" ] || mkfifo "$work/fifo"
	status 6 "$c: a fifo is refused" timeout 20 lxmgr-push -P "$TREE" "$c" "$work/fifo" /root/fifo
	status 6 "$c: a device is refused" push "$c" /dev/null /root/null
	mkdir -p "$work/mixed"
	[ -e "$work/mixed/p" ] || { mkfifo "$work/mixed/p"; echo x >"$work/mixed/x"; }
	says 'is a fifo and was left out' "$c: in a tree it is left out with a word" timeout 20 lxmgr-push -P "$TREE" -r "$c" "$work/mixed" /root
	is '' "$c: -q says nothing" timeout 20 lxmgr-push -P "$TREE" -q -r "$c" "$work/mixed" /root
	is 'x' "$c: the rest is there" pull "$c" /root/mixed/x -
	truncate -s 50M "$work/holes"
	echo end >>"$work/holes"
	ok "$c: a sparse file" push "$c" "$work/holes" /root/holes
	rm -f "$work/holes2"
	ok "$c: and back" pull "$c" /root/holes "$work/holes2"
	is '' "$c: is the same" cmp "$work/holes" "$work/holes2"
	ok "$c: and sparse" test "$(stat -c %b "$work/holes2")" -lt 2000
	status 64 "$c: - takes one file" bash -c "lxmgr-push -P $TREE $c - $work/big /root </dev/null"
	status 1 "$c: a full standard output is told" bash -c "lxmgr-pull -P $TREE $c /srv-file - >/dev/full"
}
both a
is '12 13 4711' 'ids on disk are the container'"'"'s' stat -c '%u %g %a' "$root/root/owned"
is '0 0' 'root pushes as root' stat -c '%u %g' "$root/root/tree/sub"
both o
lx start a
lx start o
both a
is '12 13 4711' 'running: ids on disk are the container'"'"'s' stat -c '%u %g %a' "$root/root/owned"
is '0 0' 'running: root pushes as root' stat -c '%u %g' "$root/root/tree/sub"
both o
is '1' 'what was pushed is seen inside' lx attach a -- sh -c 'ls /root/tree/one | wc -l'
says 'cpu' 'a kernel'"'"'s file comes out' pull a /proc/cpuinfo -
says 'own and was left out' 'what the kernel makes up is no part of a tree' pull -r a / "$work/whole"
ok 'the rest is' test -e "$work/whole/etc/passwd"
is '' 'no temporary name is left' left "$root" "$TREE/o/overlay" "$work"

# -a.
f=$work/keep
echo k >"$f"
chown 5:6 "$f" && chmod 4755 "$f"
chmod 4755 "$f"
xattr() { python3 -c 'import os, sys; f = sys.argv[1]; print(*("%s=%s" % (n, os.getxattr(f, n)) for n in sorted(os.listxattr(f)) if n.startswith(("user.", "security.capability"))))' "$1"; }
# cap_net_raw+ep
python3 -c 'import os, sys; f = sys.argv[1]; os.setxattr(f, "user.test", b"value"); os.setxattr(f, "security.capability", bytes.fromhex("0100000200200000" + "0" * 24))' "$f"
touch -d '2001-02-03 04:05:06' "$f"
ok 'push -a' push -a a "$f" /root/keep
is '5 6 4755 981173106' 'keeps owner, mode and time' stat -c '%u %g %a %Y' "$root/root/keep"
says 'security.capability=.*user.test=.*value' 'and attributes' xattr "$root/root/keep"
rm -f "$work/kept"
ok 'pull -a' env TZ=UTC lxmgr-pull -P "$TREE" -a a /root/keep "$work/kept"
is '5 6 755 981173106' 'keeps all but set-id bits' stat -c '%u %g %a %Y' "$work/kept"
is "user.test=b'value'" 'with attributes of users, but no capabilities' xattr "$work/kept"
chown 70000:70000 "$f"
says 'has no ids 70000' 'an owner that the container has not' push -a a "$f" /root/keep
lx stop -k a
says 'has no ids 70000' 'stopped, too' push -a a "$f" /root/keep
chown 5:6 "$f" && chmod 4755 "$f"
ok 'stopped: push -a' push -a a "$f" /root/keep2
is '5 6 4755' 'stopped: keeps owner and mode' stat -c '%u %g %a' "$root/root/keep2"
rm -f "$work/kept"
ok 'stopped: pull -a' pull -a a /root/keep "$work/kept"
is '5 6 755' 'stopped: without set-id bits' stat -c '%u %g %a' "$work/kept"
is "user.test=b'value'" 'stopped: nor capabilities' xattr "$work/kept"

# Whose ids on disk are others: the host's, and LXC's explicit map.
busybox p -B dir --privileged
ok 'privileged' push -u 12 p "$work/tree/one" /root/owned
busybox x -B dir
chown -hR --from=0:0 300000:300000 "$TREE/x/rootfs"
sed -i '/^lxmgr.idmap/d' "$TREE/x/config"
echo 'lxmgr.idmap = b 0 300000 65536' >>"$TREE/x/config"
ok 'explicit map' push -u 12 x "$work/tree/one" /root/owned
is '300012 300000' 'ids on disk are of the map' stat -c '%u %g' "$TREE/x/rootfs/root/owned"
rm -f "$work/kept"
ok 'and back' pull -a x /root/owned "$work/kept"
is '12 0' 'as numbers of the container' stat -c '%u %g' "$work/kept"
for c in p x; do
	lx start "$c"
	is '12 0' "$c: inside they are the container's" lx attach "$c" -- stat -c '%u %g' /root/owned
	ok "$c: running" push -u 13 "$c" "$work/tree/one" /root/owned2
	is '13 0' "$c: the same" lx attach "$c" -- stat -c '%u %g' /root/owned2
	is 'one' "$c: and back" pull "$c" /root/owned2 -
	lx stop -k "$c"
done

status 3 'no such container' push nosuch "$work/big" /x
status 64 'no destination' push a "$work/big"
lx start a
lx freeze a
status 4 'a frozen one is refused' push a "$work/big" /x
lx unfreeze a
finish
