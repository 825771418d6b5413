# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Images of OCI layouts and registries: layers, whiteouts, what an image says of its command, and lies.
# In machines: check-vm-full.
. ./lib.sh
need python3

# A cache of the test's own: others on this host build in theirs.
if [ -z "${IMAGE_TEST_INSIDE:-}" ]; then
	mkdir -p "$CACHE"
	export IMAGE_TEST_INSIDE=1
	exec unshare --mount --propagation private bash "$0" "$@"
fi
mount -t tmpfs -o mode=0711 tmpfs "$VAR/cache/lxmgr"
mkdir -m 0711 "$CACHE"
export BEFORE
BEFORE=$(host_state)

site() { python3 ./oci-site.py "$@"; }
SITE=$TREE/.oci
oci() { # oci NAME URL [OPTIONS]
	local name=$1 url=$2
	shift 2
	lx create -q -t oci -n "$name" -- --url "$url" "$@"
}
mkdir -p "$SITE"
site make "$SITE" "$(type -P busybox)" || exit 1
chmod -R go-rwx "$SITE"

ok 'an application of a layout' oci app "oci:$SITE/app:v1"
root=$TREE/app/rootfs
base=$CACHE/$(sed -n 's/^base = //p' "$TREE/app/storage")/rootfs
[ -d "$root" ] || root=$base
is 'new' 'a file of an upper layer replaces one below' cat "$root/etc/file"
is '' 'whiteouts remove, and are not there' find "$root" -name gone -o -name '.wh.*' -o -name old
is 'kept' 'what an opaque directory gets in its own layer stays' cat "$root/opaque/mine"
ok 'a directory takes the place of a file' test -d "$root/swap"
ok 'a file that of a directory' test -f "$root/paws"
is 'usr-lib' 'what goes through a link of a lower layer is there' cat "$root/usr/lib/x"
is '7:8' 'owners are kept' stat -c %u:%g "$root/owned"
says "^lxmgr.execute.cmd = /bin/sh -c 'echo " 'its command is in the config' cat "$TREE/app/config"
OUT=$(lx execute app 2>&1)
[ "$OUT" = $'hello a b|'"it's|/work|1000|1001|/opt/bin:/bin" ]
result $? 'executed, it has words, environment, directory and user'
is '' 'it has no hook' grep hook "$TREE/app/config"
# Its user is whom its own command runs as, and may become nobody else.
is '1000 1001' 'a command of ours runs as that, too' lx execute app -- /bin/sh -c 'echo $(id -u) $(id -g)'
is '0 0' 'but as root if asked' lx execute -u 0 -g 0 app -- /bin/sh -c 'echo $(id -u) $(id -g)'
is '7 1001' 'or as another user' lx execute -u 7 app -- /bin/sh -c 'echo $(id -u) $(id -g)'
is '0' 'which is in no group besides' lx execute -u 0 -g 0 -s lxmgr.init.groups=9 app -- /bin/sh -c 'id -G'
is '7 8' 'also where root may change no ids' lx execute -s 'lxmgr.cap.drop = setuid setgid' -u 7 -g 8 app -- /bin/sh -c 'echo $(id -u) $(id -g)'
printf '#!/bin/sh\necho $(id -u) $(id -g)\nexit 7\n' >"$TREE/.script"
is '0 0' 'a script of the host runs as root' lx runscript app "$TREE/.script"
status 7 'its status is the script' lx runscript app "$TREE/.script"
is '7 0' 'or as another user' lx runscript -u 7 app "$TREE/.script"
ok 'the application is published' lxmgr-image -q -P "$TREE" publish app --as oci-app
ok 'a container is made of that' lx create -q -n again --image oci-app
OUT=$(lx execute again 2>&1)
[ "$OUT" = $'hello a b|'"it's|/work|1000|1001|/opt/bin:/bin" ]
result $? 'it has the words, environment, directory and user'
is "$(dpkg --print-architecture)" 'the list tells the architecture' bash -c \
	"lxmgr-image --json list | jq -r '.[] | select(.names == [\"oci-app\"]).arch'"
ok 'a layout with a relative name' bash -c 'cd "$1" && lxmgr-create -q -P "$2" -t oci -n rel -- --url oci:app:v1' x "$SITE" "$TREE"
says '^lxmgr.execute.cmd' 'is that one' cat "$TREE/rel/config"
says 'are for registries' 'a layout takes no --insecure' oci bad "oci:$SITE/app:v1" --insecure
says 'are for registries' 'and no --authfile' oci bad "oci:$SITE/app:v1" --authfile /dev/null
ok 'of a system' oci sys "oci:$SITE/sys"
says '^lxmgr.init.cmd = /sbin/init$' 'its init is the command' cat "$TREE/sys/config"
echo '{"imageLayoutVersion": "1.0.0" }' >"$SITE/sys/oci-layout"
ok 'the layout was written anew' oci sys2 "oci:$SITE/sys"
OUT="$(cat "$TREE/sys/storage") $(cat "$TREE/sys2/storage")"
! cmp -s "$TREE/sys/storage" "$TREE/sys2/storage"
result $? 'it is another image'
ok 'it boots' lx start sys
says 'PID1' 'by its init' lx attach sys -- /bin/sh -c '[ "$(cat /proc/1/comm)" = init ] && echo PID1'
lx stop -k sys

for bad in arch env cmd digest layer-digest size type dotdot bomb user manifest-path; do
	status 1 "refused: $bad" oci bad "oci:$SITE/bad-$bad"
	is '' "refused: $bad leaves nothing" find "$TREE" "$CACHE" -mindepth 1 -maxdepth 1 -name 'bad' -o -maxdepth 1 -name '.*.new' -o -maxdepth 1 -name '.bad.*'
done
says 'several images' 'several images, and no tag' oci bad "oci:$SITE/two"
says "no image 'nosuch'" 'a tag that there is not' oci bad "oci:$SITE/app:nosuch"
says 'no OCI layout' 'what is no layout' oci bad "oci:$TREE"
says 'neither docker' 'another transport' oci bad "docker-daemon:x"
ln -s /etc "$SITE/bad-link-blobs"
mkdir "$SITE/link"
cp "$SITE/app/index.json" "$SITE/app/oci-layout" "$SITE/link"
ln -s "$SITE/app/blobs" "$SITE/link/blobs"
status 1 'a layout whose parts are links' oci bad "oci:$SITE/link:v1"

if command -v skopeo >/dev/null; then
	python3 ./oci-site.py serve "$SITE/app" "$TREE/.port" >"$TREE/.served" 2>&1 &
	server=$!
	eventually test -s "$TREE/.port"
	ok 'from a registry' oci reg "docker://127.0.0.1:$(cat "$TREE/.port")/some/app:v1" --insecure
	OUT=$(lx execute reg 2>&1)
	[ "${OUT%%|*}" = 'hello a b' ]
	result $? 'it runs'
	says 'could not get' 'a tag that there is not' oci bad "docker://127.0.0.1:$(cat "$TREE/.port")/some/app:v2" --insecure
	kill $server
	wait $server 2>/dev/null
	served() { pgrep -f "oci-site.py serve $SITE/app"; }
	ok 'its server has ended' eventually eval '! served'
	(
		python3 ./oci-site.py serve "$SITE/app" "$TREE/.port2" >/dev/null 2>&1 &
		eventually test -s "$TREE/.port2"
	)
	ok 'that of a shell that has ended, too' eventually eval '! served'
else
	skip 'from a registry' 'no skopeo on this host'
fi
finish
