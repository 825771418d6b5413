# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
. ./lib.sh

ok 'create from busybox' busybox a
is 'STOPPED' 'it is stopped' lx info -s -H a
is '700' 'its directory is root'"'"'s alone' stat -c %a "$TREE/a"
is '600' 'so is its config' stat -c %a "$TREE/a/config"
status 4 'the same name again is refused' busybox a
status 64 'a bad name is refused' lx create -t busybox -n '../x'
status 64 'a name with a line break is refused' lx create -t busybox -n $'a\nb'
status 1 'an unknown template is refused' lx create -t nosuch -n b
status 64 'no template is refused' lx create -n b
says 'did you mean' 'an unknown key is refused, the nearest is told' busybox b -s lxmgr.limit.memroy=1G
says 'too large' 'an overflowing size is refused' busybox b -s lxmgr.limit.memory=17179869184G
says 'not supported' 'a backend we lack is refused by name' lx create -t busybox -n b -B zfs
status 1 'none of these left a container' test -e "$TREE/b"
is '' 'nor a temporary directory' find "$TREE" -maxdepth 1 -name '.*.new-*'
ok 'create with backend dir' busybox d -B dir
ok 'its root is a directory' test -x "$TREE/d/rootfs/bin/busybox"
status 1 'two have machine-ids of their own' cmp -s "$TREE/d/rootfs/etc/machine-id" "$TREE/a/overlay/upper/etc/machine-id"
ok 'create with a password' busybox p --password secret
says '^root:\$6\$' 'it becomes a hash' cat "$TREE/p/overlay/upper/etc/shadow"
printf 'ssh-ed25519 AAAAC3 test\n' >"$TREE/.key"
ok 'create with a key' busybox k --ssh-key "$TREE/.key"
is '600' 'with the right mode' stat -c %a "$TREE/k/overlay/upper/root/.ssh/authorized_keys"
echo 'PRIVATE KEY' >"$TREE/.bad"
status 64 'a private key is refused' busybox k2 --ssh-key "$TREE/.bad"

# A template is as hostile as what it leaves behind.
tmpl() {
	printf '#!/bin/sh\nfor a; do case $a in --rootfs=*) r=${a#*=};; esac; done\n%s\n' "$1" >"$TREE/.tmpl"
	chmod 755 "$TREE/.tmpl"
}
tmpl 'mkdir "$r/etc"; echo "root:*:19000:0:99999:7:::" >"$r/etc/shadow"; chown 0:42 "$r/etc/shadow"; chmod 600 "$r/etc/shadow"'
ok 'a password into what only some may read' lx create -q -t "$TREE/.tmpl" -n f -B dir --password secret
is '600 0:42' 'whose owner and mode stay' stat -c '%a %u:%g' "$TREE/f/rootfs/etc/shadow"
says '^root:[$]6[$].*:19000:0:99999:7:::$' 'it has the hash, of the kind that any guest can check' cat "$TREE/f/rootfs/etc/shadow"
lx destroy -q f
tmpl "echo >$TREE/.ran; exit 3"
mkdir "$TREE/.root"
status 4 'a template and a directory that there is' lx create -t "$TREE/.tmpl" -n f --dir "$TREE/.root"
printf 'lxc.rootfs.path = dir:%s\n' "$TREE/.root" >"$TREE/.conf"
status 64 'a template and a root of the config' lx create -t "$TREE/.tmpl" -n f -f "$TREE/.conf"
status 64 'a template and a root by -s' lx create -t "$TREE/.tmpl" -n f -s "lxmgr.rootfs.path=dir:$TREE/.root"
ok 'the template has not run' test ! -e "$TREE/.ran"
tmpl 'exit 3'
says 'exit status 3' 'a failing template is told' lx create -t "$TREE/.tmpl" -n f
tmpl 'rmdir "$r"; ln -s / "$r"'
status 1 'a template that leaves a link as root is refused' lx create -t "$TREE/.tmpl" -n f
tmpl 'mkdir "$r/dev"; mknod "$r/dev/sda" b 8 0'
ok 'a template may leave a device' lx create -q -t "$TREE/.tmpl" -n f
is '' 'which is gone from the image' find /var/cache/lxmgr/images -path '*/rootfs/dev/sda'
tmpl 'mkdir "$r/etc"; echo "lxmgr.hook.pre-start = /bin/false" >"$(dirname "$r")/config"'
status 6 'a template may not set a hook' lx create -t "$TREE/.tmpl" -n g
tmpl 'sleep 300'
timeout -s INT 2 lxmgr-create -P "$TREE" -t "$TREE/.tmpl" -n h >/dev/null 2>&1
is '' 'an interrupted template leaves nothing' find "$TREE" /var/cache/lxmgr/images -maxdepth 1 -name '.*.new*'

mkdir "$TREE/.full"
mount -t tmpfs -o size=64k,mode=0711 tmpfs "$TREE/.full"
status 1 'a full disk is told' lxmgr-create -P "$TREE/.full" -t busybox -n x -B dir
is '' 'and nothing is left' find "$TREE/.full" -mindepth 1
umount "$TREE/.full"

ok 'start one' lx start a
status 4 'destroy refuses a running one' lx destroy a
ok 'destroy -f stops it first' lx destroy -f a
status 3 'then it does not exist' lx info a
echo 'garbage' >"$TREE/d/config"
is 'BROKEN' 'a corrupt config shows as BROKEN' lx info -s -H d
says 'd +BROKEN' 'and ls goes on' lx ls -f
ok 'destroy works on it' lx destroy d
printf '#!/bin/sh\nexit 0\n' >"$TREE/.empty"
chmod 755 "$TREE/.empty"
says 'empty root directory' 'a template that makes nothing is refused' lx create -t "$TREE/.empty" -n none
says '^ .*--release SUITE' 'the help of a template' lx create -t debian --help
says '^ .*--release SUITE' 'also behind the dashes' lx create -t debian -n none -- --help
says 'does not exist' 'and neither made a container' lx info none
# Nothing is taken and not looked at.
mkdir -p "$TREE/.own"
says "a password: -t none takes a root as it is" '-t none has no use for a password' lx create -t none --dir "$TREE/.own" -n none --password x
says "ssh-key: -t none takes" 'nor for keys' lx create -t none --dir "$TREE/.own" -n none --ssh-key /dev/null
says "'-F' is for a template" 'nor for -F' lx create -t none --dir "$TREE/.own" -n none -F
says "'--timeout' is for a template" 'nor for a time limit' lx create -t none --dir "$TREE/.own" -n none --timeout 5
says "'--release' is for a template, and with --image" 'an image takes no options of templates' lx create --image x -n none -- --release x
status 64 'that is wrong usage' lx create --image x -n none -F
says '--password: its value is missing' 'a password behind the dashes that is not there' lx create -t busybox -n none -- --password
says 'does not exist' 'and none made a container' lx info none
# Names of files behind the dashes are relative to where the user is.
echo here >"$TREE/.file"
tmpl 'for a; do case $a in --file=*) mkdir "$r/etc" && cat "${a#*=}" >"$r/etc/file" ;; esac; done'
ok 'a file with a relative name' bash -c 'cd "$1" && lxmgr-create -q -P "$1" -t "$1/.tmpl" -n none -B dir -- --file=.file' x "$TREE"
is here 'is found' cat "$TREE/none/rootfs/etc/file"
lx destroy none
says 'backend (overlay|dir) +works' 'doctor tells which backends work' lxmgr-doctor
ok 'of each one, whether it does' bash -c '[ "$(lxmgr-doctor | grep -cE "backend (overlay|btrfs|dir|loop|lvm) +(works|not on this host: .)")" = 5 ]'
says 'blocks of ids +[0-9]+ of [0-9]+' 'doctor tells how many blocks of ids are taken' lxmgr-doctor
finish
