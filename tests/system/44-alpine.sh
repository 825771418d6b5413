# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091
# The template alpine on a small archive in the format of Alpine's: what is checked, and in which order.
# In machines: check-vm-full.
. ./lib.sh
need python3 curl openssl jq

WWW=$TREE/.www KEYS=$TREE/.keys
mkdir -p "$WWW" "$KEYS"
BUSYBOX=$(type -P busybox)
export BUSYBOX
name=test@example-4a6a0840.rsa.pub
openssl genrsa -out "$KEYS/key" 2048 2>/dev/null
openssl rsa -in "$KEYS/key" -pubout -out "$KEYS/$name" 2>/dev/null
mkdir "$KEYS/other" && openssl genrsa 2048 2>/dev/null | openssl rsa -pubout -out "$KEYS/other/$name" 2>/dev/null
python3 ./www.py "$WWW" >/dev/null 2>&1 &
server=$!
eventually test -e "$WWW/.port"
URL=http://127.0.0.1:$(cat "$WWW/.port")
archive() { # archive NAME [BREAK]
	BREAK=${2:-} ARCH=$(uname -m) python3 ./mkapk.py "$WWW/$1" "$KEYS/key" "$name"
}
create() { # create NAME ARCHIVE [OPTIONS]
	local n=$1 a=$2
	shift 2
	lx create -q -t alpine -n "$n" -- -r v3.20 --mirror "$URL/$a" "$@"
}
archive good

says 'no mirror is known: give --mirror URL, or set lxmgr.mirror.alpine' 'no mirror' lx create -q -t alpine -n x
says 'no key is known' 'no key' create x good
says "there is no 'v2.9'" 'no such release' lx create -q -t alpine -n x -- -r v2.9 --mirror "$URL/good" --key "$KEYS/$name"
says 'is no url' 'a mirror that is none' lx create -q -t alpine -n x -- --mirror file:///srv --key "$KEYS/$name"
ok 'a container of its packages' create a good --key "$KEYS/$name" --packages nano
img=$CACHE/$(lx info a --json | jq -r .image)/rootfs
is 3.20.3 'alpine-base is there' cat "$img/etc/alpine-release"
ok 'and what was asked for' test -x "$img/usr/bin/nano"
is /bin/busybox 'what a name provides is found' readlink "$img/bin/sh"
is 3.6.5-r0 'a script before the files ran in the root' cat "$img/pre-install"
is 0 'one after them, too, and its failure is no end' cat "$img/etc/post-install"
says '^[^ ]+ /bin /usr/bin$' 'a trigger hears of its directories' cat "$img/etc/triggered"
is '1777' 'modes' stat -c %a "$img/tmp"
is 640 'of files' stat -c %a "$img/etc/shadow"
ok 'links of busybox' test -L "$img/bin/ls"
is 7 'the data base of apk has the packages' grep -c '^P:' "$img/lib/apk/db/installed"
ok 'with the sums of their files' grep -qxF "Z:Q1$(openssl dgst -sha1 -binary "$BUSYBOX" | base64)" "$img/lib/apk/db/installed"
is $'alpine-base\nnano' 'and its world' cat "$img/etc/apk/world"
ok 'the key' cmp "$KEYS/$name" "$img/etc/apk/keys/$name"
is "$URL/good/v3.20/main" 'the mirror' cat "$img/etc/apk/repositories"
ok 'services' test -L "$img/etc/runlevels/boot/networking" -a -L "$img/etc/runlevels/shutdown/killprocs"
is SIGUSR2 'how it is halted' lxmgr-config -P "$TREE" -n a lxmgr.signal.halt
ok 'it starts' lx start a
is ID=alpine 'and runs' lx attach a -- grep ^ID= /etc/os-release
ok 'it stops by its signal' lx stop -t 30 a
asked() { curl -s "$URL/log" | sort | uniq -c | grep -c "$1"; }
had=$(asked good/v3.20/main/.*/APKINDEX)
ok 'a second one' create b good --key "$KEYS/$name" --packages nano
is "$had" 'is made of the same image' asked good/v3.20/main/.*/APKINDEX

ok 'a package that is bigger than the memory' create h good --key "$KEYS/$name" --packages huge
img=$CACHE/$(lx info h --json | jq -r .image)/rootfs
is 70451200 'is there' stat -c %s "$img/usr/lib/huge"
is $'F:usr/lib\nR:huge' 'and in the data base' grep -A1 -x 'F:usr/lib' "$img/lib/apk/db/installed"
says '^a:0:0:600' 'with what stands behind it' grep -A1 -x 'R:last' "$img/lib/apk/db/installed"

refused() { # refused PATTERN NAME ARCHIVE [OPTIONS]
	local want=$1 what=$2
	shift 2
	says "$want" "$what" create x "$@"
	ok 'nothing is made' test ! -e "$TREE/x"
}
refused 'the signature of .* is wrong' 'a key of the same name' good --key "$KEYS/other/$name"
cp "$KEYS/$name" "$KEYS/another.rsa.pub"
refused 'is not signed with any' 'a key of another name' good --key "$KEYS/another.rsa.pub"
printf 'junk\n' >"$KEYS/junk" && mkdir "$KEYS/j" && cp "$KEYS/junk" "$KEYS/j/$name"
refused 'the signature of .* is wrong' 'a key that is none' good --key "$KEYS/j/$name"
for b in index unsigned control files newline escape; do archive "$b" "$b"; done
refused 'the signature of .* is wrong' 'an index that was changed' index --key "$KEYS/$name"
refused 'is not signed with any' 'an index without a signature' unsigned --key "$KEYS/$name"
refused 'musl-1.2.5-r0.apk: .*digest is' 'a control part that was changed' control --key "$KEYS/$name"
refused 'musl-1.2.5-r0.apk: its files: .*digest is' 'files that were changed' files --key "$KEYS/$name"
refused "the index names a package '../../nano'" 'a name that leads out' newline --key "$KEYS/$name"
refused 'archive is refused' 'a file that leads out' escape --key "$KEYS/$name" --packages evil
refused "there is no package 'none'" 'a package that there is not' good --key "$KEYS/$name" --packages none
refused "'so:libnone.so.1', which 'needy' needs" 'or one that it needs' good --key "$KEYS/$name" --packages needy
refused '404' 'another mirror' nowhere --key "$KEYS/$name"
cp -a "$WWW/good" "$WWW/long"
for f in "$WWW"/long/v3.20/main/*/musl-*.apk; do cat /dev/zero | head -c 100000 >>"$f"; done
refused 'longer|[Mm]aximum|exceed' 'a package longer than the index says' long --key "$KEYS/$name"
kill $server
wait $server 2>/dev/null
finish
