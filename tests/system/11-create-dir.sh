# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# lxmgr-create --dir: the root is made in a place of its own, and goes with the container.
# In machines: check-vm-full.
. ./lib.sh
need getfattr setfattr

ROOTS=$(mktemp -d /var/lib/lxmgr-roots.XXXXXX)
for_containers "$ROOTS"
left() { ls -A "$ROOTS"; }
none_begun() { find "$TREE" -maxdepth 1 -name '.*.new-*'; }

ok 'create at a place' busybox a -B dir --dir "$ROOTS/a/"
ok 'the root is there' test -x "$ROOTS/a/bin/busybox"
status 1 'and not in the container' test -e "$TREE/a/rootfs"
is "dir:$ROOTS/a" 'the config says so' sed -n 's/^lxmgr.rootfs.path = //p' "$TREE/a/config"
is a 'it is called as it should' cat "$ROOTS/a/etc/hostname"
ok 'it starts' lx start a
is '0 0' 'with its ids mapped' lx attach a -- stat -c '%u %g' /etc
ok 'and writes' lx attach a -- sh -c 'echo mine >/mine'
lx stop -k a
is mine 'there' cat "$ROOTS/a/mine"
ok 'a copy' lx copy a b
is mine 'has a root of its own' cat "$TREE/b/rootfs/mine"
ok 'a snapshot' lx snapshot -q a s
ok 'a new name' lx copy -R a c
ok 'a destroy of the copy' lx destroy -q b
is mine 'leaves the first' cat "$ROOTS/a/mine"
ok 'destroy' lx destroy -q -s c
is '' 'takes the root along' left

# What is not lxmgr's is not deleted, whatever the file says.
busybox a --dir "$ROOTS/a"
mv "$ROOTS/a" "$ROOTS/moved"
mkdir "$ROOTS/a"
echo precious >"$ROOTS/a/file"
ok 'destroy where another directory has the name' lx destroy -q a
is precious 'which stays' cat "$ROOTS/a/file"
rm -r "$ROOTS/a" "$ROOTS/moved"
busybox a --dir "$ROOTS/a"
rm -r "$ROOTS/a"
ln -s "$TREE" "$ROOTS/a"
ok 'destroy where a link has it' lx destroy -q a
ok 'which leads nowhere' test -d "$TREE"
rm "$ROOTS/a"
busybox a --dir "$ROOTS/a"
setfattr -n trusted.lxmgr.root -v 0000000000000000 "$ROOTS/a"
ok "destroy where another container's has it" lx destroy -q a
ok 'which stays' test -d "$ROOTS/a/bin"
rm -r "$ROOTS/a"

# Refused before a template runs, and nothing is left.
printf '#!/bin/sh\necho >%s/.ran\nexit 3\n' "$TREE" >"$TREE/.tmpl"
chmod 755 "$TREE/.tmpl"
refused() { # refused STATUS NAME DIR [OPTIONS]
	local want=$1 name=$2 dir=$3
	shift 3
	status "$want" "$name" lx create -q -t "$TREE/.tmpl" -n r --dir "$dir" "$@"
}
mkdir -p "$ROOTS/full" "$ROOTS/empty" "$ROOTS/writable" "$ROOTS/others"
echo precious >"$ROOTS/full/file"
refused 4 'one that holds something' "$ROOTS/full"
is precious 'which it still does' cat "$ROOTS/full/file"
refused 4 'an empty one that somebody made' "$ROOTS/empty"
ok 'which stays' test -d "$ROOTS/empty"
refused 64 'one that has no name' /
refused 64 'no absolute one' roots/a
refused 64 'dots' "$ROOTS/.."
refused 64 'a line break' "$ROOTS/a"$'\n'"lxmgr.hook.start = x"
refused 1 'below what is not there' "$ROOTS/none/a"
chmod 1777 "$ROOTS/writable"
refused 6 'where others write' "$ROOTS/writable/a"
chown 1000 "$ROOTS/others"
refused 6 'what belongs to others' "$ROOTS/others/a"
chmod 711 "$ROOTS"
refused 6 'where all can enter' "$ROOTS/a"
says 'set-user-ID' 'with the reason' lx create -t "$TREE/.tmpl" -n r --dir "$ROOTS/a"
chmod 700 "$ROOTS"
refused 6 'in a directory of containers' "$TREE/r2"
lx create -q -t none -n own --dir "$ROOTS/full"
refused 6 "in another container's root" "$ROOTS/full/a"
ln -s "$ROOTS/full" "$ROOTS/link"
refused 6 'also through a link' "$ROOTS/link/a"
busybox made --dir "$ROOTS/made"
refused 6 'in one that was made so' "$ROOTS/made/a"
refused 64 'another backend' "$ROOTS/a" -B overlay
refused 64 'two roots' "$ROOTS/a" -s "lxmgr.rootfs.path=dir:$ROOTS/b"
refused 6 'a limit that it could not have' "$ROOTS/a" -s lxmgr.limit.disk=1G
status 1 'the template has not run' test -e "$TREE/.ran"
refused 1 'a template that fails' "$ROOTS/a"
ok 'that one has' test -e "$TREE/.ran"
is '' 'nothing is left of all these' none_begun
is $'empty\nfull\nlink\nmade\nothers\nwritable' 'nor where the root was to be' left
ok "destroy of one that uses somebody's directory" lx destroy -q own
is precious 'leaves that' cat "$ROOTS/full/file"
lx destroy -q made

# A root that was begun is given back. (One of a create that is killed: 93-crash.sh.)
status 64 'a create that fails late' busybox late --dir "$ROOTS/late" --ssh-key /dev/null
status 1 'has no root' test -e "$ROOTS/late"
rm -r "$ROOTS"
finish
