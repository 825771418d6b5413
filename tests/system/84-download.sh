# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# The template download: images of a remote by distribution and release; and remotes behind https.
# In machines: check-vm-full.
. ./lib.sh
. ./lua.sh
need lua5.4 python3 gpg gpgv curl xz jq openssl

. ./images.sh
genkey good
sign good
servers=
serve() { # serve PORTFILE [PEM]
	python3 ./image-site.py serve "$SITE" "$@" >"$1.log" 2>&1 &
	servers="$servers $!"
	eventually test -s "$1"
}
trap 'kill $servers 2>/dev/null' EXIT
serve "$TREE/.port"
PORT=$(cat "$TREE/.port")
remote() { # remote NAME URL LINE...
	printf '%s\n' "url = $2" "${@:3}" >"$ETC/lxmgr/remotes/$1.conf"
}
made() { # made NAME OPTIONS...
	local name=$1
	shift
	lx create -q -t download -n "$name" -- "$@"
}
origin() { lxmgr-image --json show "$(sed -n 's/^base = //p' "$TREE/$1/storage")" | jq -r .origin; }
variant() { cat "$CACHE/$(sed -n 's/^base = //p' "$TREE/$1/storage")/rootfs/etc/variant"; }
ARCH=$(dpkg --print-architecture)

says 'no remote is known' 'without a remote' made x -d alpine -r 3.22
remote "$REMOTE" "http://127.0.0.1:$PORT/" "keyring = $KEYS/good.gpg"
says '^Alpine +3.22 +'"$ARCH"' +cloud +20260101' '-l shows what there is' lx create -t download -- -l
lua 'Lua: the same' 'assert(lxmgr.template_list("download", {"-l"}):find("Alpine +3.22"))
	local text, why = lxmgr.template_list("busybox", {"-l"}); eq(text, nil); assert(why:find("busybox"))'
says '^Debian +bookworm' 'of all' lx create -t download -n x -- --list
is 2 'or of one release' bash -c "lxmgr-create -P '$TREE' -t download -- -d alpine -r 3.22 -l | grep -c Alpine"
is '' 'and makes nothing' ls "$TREE"
ok 'by distribution, release and architecture' made a -d alpine -r 3.22 -a "$ARCH"
is "$REMOTE:alpine:3.22:$ARCH:default" 'it is that image' origin a
is default 'of the default variant' variant a
ok 'another variant' made b --dist=alpine --release 3.22 --variant=cloud
is cloud 'is another image' variant b
ok "what the aliases call it, of the server's name" made c -d debian -r 12 --server 127.0.0.1
says 'debian:12' 'is found' origin c
status 64 'no release' made x -d alpine
status 1 'a release that there is not' made x -d alpine -r 9.9
status 1 'another architecture' made x -d alpine -r 3.22 -a riscv64
status 1 'another server' made x -d alpine -r 3.22 --server example.org
status 64 'an unknown option' made x -d alpine -r 3.22 --colour
status 64 'an option without a value' made x -d
says 'signatures are checked' 'LXC no-validate is refused' made x -d alpine -r 3.22 --no-validate
says 'keys that count' 'and its key servers' made x -d alpine -r 3.22 --keyserver=x
says '--variant VARIANT' 'its options are told' lx create -t download --help

# What is there, what is newer.
python3 ./image-site.py newer "$SITE"
sign good
ok '--force-cache takes what is there' made d -d alpine -r 3.22 --force-cache
is "$(cat "$TREE/a/storage" | grep base)" 'which is the old one' grep base "$TREE/d/storage"
ok 'without it, the newer one' made e -d alpine -r 3.22
ok 'has what is new' test -s "$CACHE/$(sed -n 's/^base = //p' "$TREE/e/storage")/rootfs/new"
loads() { grep -c newer.tar "$TREE/.port.log"; }
n=$(loads)
ok 'it is downloaded once' made f -d alpine -r 3.22
is "$n" 'and not again' loads
lx destroy -q -f e
lx destroy -q -f f
ok '--flush-cache gets it again' made e -d alpine -r 3.22 --flush-cache
is $((n + 1)) 'once' loads
ok 'so does -F' lx create -q -F -t download -n f -- -d alpine -r 3.22
is $((n + 1)) 'but not while a container stands on it' loads
status 64 'both cannot be' made x -d alpine -r 3.22 --flush-cache --force-cache
ok 'a reinstall knows what it was' lx reinstall -q a
is "$(grep base "$TREE/e/storage")" 'and takes the newest' grep base "$TREE/a/storage"
: >"$SITE/slow"
says 'ended after 1 s' 'it ends in its time' lx create -q -t download -n x --timeout 1 -- -d big -r 1
rm "$SITE/slow"
ok 'offline' kill -STOP $servers
ok '--force-cache needs nobody' made g -d debian -r bookworm --force-cache
kill -CONT $servers

# https, with a certificate authority of the test's own.
(
	cd "$TREE/.site/.." || exit
	openssl req -x509 -newkey ed25519 -nodes -days 2 -subj /CN=ca -keyout .ca.key -out .ca.pem
	openssl req -newkey ed25519 -nodes -subj /CN=127.0.0.1 -keyout .tls.key -out .tls.csr
	printf 'subjectAltName=IP:127.0.0.1\n' >.tls.ext
	openssl x509 -req -days 2 -in .tls.csr -CA .ca.pem -CAkey .ca.key -CAcreateserial -extfile .tls.ext -out .tls.crt
	cat .tls.key .tls.crt >.tls.pem
) >"$TREE/.openssl" 2>&1 || cat "$TREE/.openssl"
serve "$TREE/.tport" "$TREE/.tls.pem"
S=https://127.0.0.1:$(cat "$TREE/.tport")
remote "$REMOTE" "$S" "keyring = $KEYS/good.gpg"
status 1 'a certificate of nobody knows whom is refused' lxmgr-image list "$REMOTE:"
says 'certificate' 'and it is told why' lxmgr-image list "$REMOTE:"
export CURL_CA_BUNDLE=$TREE/.ca.pem
ok 'one of a known authority is taken' lxmgr-image -q list "$REMOTE:"
ok 'for images, too' made h -d alpine -r 3.22 --variant cloud --flush-cache
remote "$REMOTE" "$S" 'signed = no'
rm "$SITE"/streams/v1/*.asc
ok 'over https the remote may be without signatures' lxmgr-image -q list "$REMOTE:"
remote "$REMOTE" "https://localhost:${S##*:}" 'signed = no'
says 'does not match|SSL|certificate' 'a certificate of another name is refused' lxmgr-image list "$REMOTE:"
remote "$REMOTE" "$S" 'signed = no'
echo "http://127.0.0.1:$PORT" >"$SITE/elsewhere"
status 1 'and a redirection to what is not encrypted' lxmgr-image list "$REMOTE:"
rm "$SITE/elsewhere"
kill $servers
wait $servers 2>/dev/null
finish
