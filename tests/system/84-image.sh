# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Images: remote indexes from a server of the test's own, archives that lie, names, publish, prune.
# In machines: check-vm-full.
. ./lib.sh
. ./lua.sh
need python3 gpg gpgv curl xz jq

. ./images.sh
im() { lxmgr-image -P "$TREE" "$@"; }
genkey good
genkey other
sign good
PORT=$TREE/.port
python3 ./image-site.py serve "$SITE" "$PORT" >"$TREE/.served" 2>&1 &
server=$!
trap 'kill $server 2>/dev/null' EXIT
eventually test -s "$PORT"
conf() { # conf LINES...
	{
		echo "url = http://127.0.0.1:$(cat "$PORT")/"
		printf '%s\n' "$@"
	} >"$ETC/lxmgr/remotes/$REMOTE.conf"
}
conf "keyring = $KEYS/good.gpg"
# left: what a refused fetch may not leave.
left() { find "$CACHE" -mindepth 1 -maxdepth 1 ! -name names ! -name '.names.lock'; }

is "$REMOTE" 'the remote is there' im remotes
says 'debian/12' 'its images are listed' im list "$REMOTE:"
says '"version": "20260102_0000"' 'the newest version of each' im --json list "$REMOTE:"
is "$(cat "$SITE/good.sha256")" 'an image is fetched' bash -c 'lxmgr-image -q --json fetch "$0" --as base | jq -r .digest' "$REMOTE:debian/12"
ok 'which makes it that of its name' test "$(im --json show base | jq -r .digest)" = "$(cat "$SITE/good.sha256")"
is 'base' 'with its name' bash -c 'lxmgr-image --json show base | jq -r ".names[0]"'
is "$REMOTE:debian:12:$(dpkg --print-architecture):default" 'and origin' bash -c 'lxmgr-image --json show base | jq -r .origin'
ok 'its content is what it was' im verify base
root=$CACHE/$(cat "$SITE/good.sha256")/rootfs
is '4755 0 0' 'setuid and owner are kept' stat -c '%a %u %g' "$root/bin/su"
is '2' 'hard links too' stat -c %h "$root/bin/su"
is '1000' 'owners' stat -c %u "$root/home/user"
if command -v setpriv >/dev/null; then
	status 1 'which nobody else of the host can run' setpriv --reuid=65534 --regid=65534 --clear-groups test -e "$root/bin/su"
else
	skip 'which nobody else of the host can run' 'no setpriv'
fi
is '' 'no device came' find "$root" -type b -o -type c
is '' 'nor an attribute of overlay' bash -c "getfattr -h -R -d -m - '$root' 2>/dev/null | grep -E 'overlay|trusted'"
ok 'a container is made of it' lx create -q -n a --image base
is "$(cat "$SITE/good.sha256")" 'and stands on it' sed -n 's/^base = //p' "$TREE/a/storage"
status 4 'it cannot be deleted' im delete base
says "stands on it" 'and it is told why' im delete base
# tmpfs before Linux 6.6, NFS, and here ramfs.
is "$(cat "$SITE/good.sha256")" 'where there are no attributes of users they are left away' unshare -m bash -c '
	mount -t ramfs ramfs "$0" && chmod 711 "$0" && mkdir -m 711 "$0/images" && lxmgr-image -q --json fetch "$1:debian/12" --as base | jq -r .digest' "$VAR/cache/lxmgr" "$REMOTE"
ok 'again it is not downloaded' bash -c 'n=$(grep -c good.tar "$1"); lxmgr-image -q fetch "$2:debian/12" --as base && [ "$(grep -c good.tar "$1")" = "$n" ]' x "$TREE/.served" "$REMOTE"

# Without the server.
kill -STOP $server
ok 'offline, what is there is there' im -q fetch --offline "$REMOTE:debian/12" --as two
says 'not downloaded yet' 'and what is not, is not' im fetch --offline "$REMOTE:evil/ratio"
kill -CONT $server

# Who signs.
sign other
status 6 'an index signed with another key is refused' im fetch "$REMOTE:evil/ratio"
rm "$SITE/streams/v1/images.json.asc"
sign good
printf ' ' >>"$SITE/streams/v1/images.json"
status 6 'an index that was changed is refused' im list "$REMOTE:"
truncate -s -1 "$SITE/streams/v1/images.json"
ok 'as it was, it is good' im list "$REMOTE:"
rm "$SITE/streams/v1/images.json.asc"
status 6 'a list without a signature is refused' im list "$REMOTE:"
conf 'signed = no'
status 6 'no signatures are for https alone' im list "$REMOTE:"
conf 'keyring = relative'
says "$REMOTE.conf:2" 'a bad line is named' im list "$REMOTE:"
conf 'colour = red'
says 'unknown key' 'an unknown key, too' im list "$REMOTE:"
conf
status 6 'no keys: nothing is taken' im list "$REMOTE:"
conf "keyring = $KEYS/good.gpg" "keyring = $KEYS/other.gpg"
sign good

# An old index, well signed.
cp -a "$SITE/streams/v1" "$SITE/streams/new"
python3 ./image-site.py old "$SITE"
sign good
status 6 'an older index is refused' im list "$REMOTE:"
says 'older than the last' 'and it is told why' im fetch "$REMOTE:debian/12"
ok 'offline the new one still holds' im list --offline "$REMOTE:"
python3 ./image-site.py replay "$SITE"
sign good
status 6 'so is an old list that a new index names' im list "$REMOTE:"
rm -rf "$SITE/streams/v1"
mv "$SITE/streams/new" "$SITE/streams/v1"
ok 'the new one is taken' im list "$REMOTE:"

# What archives try.
lx create -q -n keep --image base
had=$(left)
for evil in digest size dotdot absolute hardlink uid ratio deep junk; do
	status 6 "archive: $evil is refused" im fetch "$REMOTE:evil/$evil"
	OUT=$(diff <(left) <(printf '%s\n' "$had"))
	[ -z "$OUT" ]
	result $? "archive: $evil leaves nothing"
done
says 'empty root' 'an archive with nothing in it' im fetch "$REMOTE:evil/empty"
is '' 'nothing of them is outside' find / -xdev -maxdepth 2 -name 'lxmgr-evil*'
ok 'a link in the way of a name leads nowhere' im -q fetch "$REMOTE:evil/link" --as link
is '' 'what was behind it stays inside' find /tmp -maxdepth 1 -name 'lxmgr-evil*'
ok 'devices are left out' im -q fetch "$REMOTE:evil/device" --as device
is '' 'all of them' bash -c 'find "$CACHE/$(lxmgr-image --json show device | jq -r .digest)/rootfs" -type b -o -type c -o -type s'
ok 'an archive with metadata is taken' im -q fetch "$REMOTE:unified" --as unified
is 'root:x:0:0::/root:/bin/sh' 'its rootfs is the root' bash -c 'cat "$CACHE/$(lxmgr-image --json show unified | jq -r .digest)/rootfs/etc/passwd"'
says 'squashfs' 'what cannot be read is told' im fetch "$REMOTE:squash"
says 'has no image' 'what is not there is told' im fetch "$REMOTE:nosuch"
status 64 'a list is of all that a remote has' im list "$REMOTE:debian/12"
status 64 'a product of another architecture' im fetch --arch=riscv64 "$REMOTE:debian:12:$(dpkg --print-architecture):default"
status 64 'a name that is none' im fetch "$REMOTE:debian/12" --as '../x'

# An interrupted download goes on where it ended.
: >"$SITE/cut"
status 1 'a connection that breaks is told' im fetch "$REMOTE:big" --as big
part=$(find "$VAR/cache/lxmgr/downloads" -name '*.part' -size +0)
ok 'what came stays' test -s "$part"
rm "$SITE/cut"
ok 'then it goes on' im -q fetch "$REMOTE:big" --as big
says 'big.tar.xz bytes=[1-9]' 'from there' cat "$TREE/.served"
is '' 'and nothing is left of it' find "$VAR/cache/lxmgr/downloads" -type f
# What was there is the beginning of something else.
im -q delete big
: >"$SITE/cut"
im fetch "$REMOTE:big" >/dev/null 2>&1
part=$(find "$VAR/cache/lxmgr/downloads" -name '*.part')
printf XXXX | dd of="$part" conv=notrunc status=none
rm "$SITE/cut"
ok 'a part that is not of it is loaded again' im -q fetch "$REMOTE:big"
ok 'and is good' im verify big
: >"$SITE/slow"
im delete big
timeout -s INT 3 lxmgr-image -q fetch "$REMOTE:big" >/dev/null 2>&1
rm "$SITE/slow"
is '' 'Ctrl-C leaves no half image' find "$CACHE" -maxdepth 1 -name '.*.new'
mount -t tmpfs -o size=1m tmpfs "${CACHE%/*}/downloads"
says 'write the download: No space left' 'a disk that is full is named' im fetch "$REMOTE:big"
mount -o remount,ro "${CACHE%/*}/downloads"
status 1 'one that cannot be written to is no other download' im fetch "$REMOTE:big"
says 'lock the download: Read-only' 'with the reason' im fetch "$REMOTE:big"
umount "${CACHE%/*}/downloads"
ok 'with room it is fetched' im -q fetch "$REMOTE:big"
im delete big

# The same from Lua, where there is one.
if ! command -v lua5.4 >/dev/null; then
	lua() { skip "$1" 'no lua5.4 on this host'; }
fi
lua 'Lua: of a remote, listed and fetched' '
local remote, n = os.getenv("REMOTE"), 0
eq(assert(lxmgr.image.remotes())[1], remote)
for _, offline in ipairs{false, true} do
	for _, i in ipairs(assert(lxmgr.image.list{remote = remote, offline = offline})) do if i.os then n = n + 1 end end
end
assert(n > 3)
local digest = assert(lxmgr.image.fetch(remote .. ":debian/12", {name = "from-lua", progress = function() end}))
eq(lxmgr.image.show("from-lua").digest, digest)
fails(1, "no%-such", lxmgr.image.fetch(remote .. ":no-such")); fails(1, "no%-such", lxmgr.image.fetch("no-such:x"))
fails(1, "no%-such", lxmgr.image.list{remote = "no-such"})'

# A newer version.
python3 ./image-site.py newer "$SITE"
sign good
before=$(im --json show base | jq -r .digest)
says 'a newer one' 'refresh takes the newer version' im refresh base
OUT=$(im --json show base | jq -r .digest)
[ "$OUT" != "$before" ]
result $? 'and gives it the name'
is "$before" 'containers stay where they are' sed -n 's/^base = //p' "$TREE/a/storage"
says 'newest already' 'then it is the newest' im refresh base
lua 'Lua: refresh tells whether there was a newer one' '
eq(lxmgr.image.refresh("from-lua"), true); eq(lxmgr.image.refresh("from-lua"), false)
fails(1, "none", lxmgr.image.refresh("none")); assert(lxmgr.image.delete("from-lua"))'
(umask 077 && busybox t)
is '755' 'whatever the umask is, the root of an image is open' stat -c %a "$CACHE/$(sed -n 's/^base = //p' "$TREE/t/storage")/rootfs"
ok 'what a template made can be verified' im verify "$(sed -n 's/^base = //p' "$TREE/t/storage")"
im -q verify base
printf x >>"$CACHE/$(im --json show base | jq -r .digest)/rootfs/etc/passwd"
status 1 'a changed image is found out' im verify base
truncate -s -1 "$CACHE/$(im --json show base | jq -r .digest)/rootfs/etc/passwd"

# Publish: not who it was.
root=$TREE/t/overlay/upper
mkdir -p "$root/etc/ssh" "$root/var/log" "$root/root" "$root/home/u"
echo key >"$root/etc/ssh/ssh_host_ed25519_key"
echo log >"$root/var/log/syslog"
echo secret >"$root/root/.bash_history"
echo keep >"$root/etc/kept"
ln -s /etc/passwd "$root/home/u/.bash_history"
ln -sfn /tmp "$root/var/tmp"
mkdir -p "$root/etc/systemd/network" "$root/etc/network" "$root/sbin"
printf 'auto lo\niface lo inet loopback\n\n# lxmgr-setup eth0 begins\nauto eth0\niface eth0 inet static\n\taddress 10.9.8.7/24\n# lxmgr-setup eth0 ends\n' >"$root/etc/network/interfaces"
ln -sf ../bin/busybox "$root/sbin/ifup"
ok 'a container is published' im -q publish t --as mine
root=$CACHE/$(im --json show mine | jq -r .digest)/rootfs
is '' 'without key, log and history' find "$root" -name 'ssh_host*' -o -name syslog -o -name .bash_history
is '0' 'its machine-id is empty' stat -c %s "$root/etc/machine-id"
status 1 'without the address that lxmgr-setup gave it' grep -rq 10.9.8.7 "$root/etc"
is 'keep' 'what was made in it is there' cat "$root/etc/kept"
ok 'no link of it led out' test -s /etc/passwd
says 'comes from no remote' 'there is no newer one of it' im refresh mine
ok 'a container is made of it' lx create -q -n u --image mine
ok 'with the halt signal of busybox' grep -q 'signal.halt = SIGUSR2' "$TREE/u/config"
ok 'it starts' lx start u
says keep 'and has it' lx attach u -- /bin/cat /etc/kept
lx config t lxmgr.signal.halt=SIGTERM
ok 'it is published with another config' im -q publish t --as other
OUT=$(im --json show other | jq -r .digest)
[ -n "$OUT" ] && [ "$OUT" != "$(sed -n 's/^tree = //p' "$CACHE/$OUT/meta")" ]
result $? 'which is in its digest'
ok 'a container of it' lx create -q -n o --image other
says 'signal.halt = SIGTERM' 'has that config' cat "$TREE/o/config"
ok 'both are good' im -q verify mine
ok 'each' im -q verify other
lx destroy o && im -q delete other && lx config t lxmgr.signal.halt=SIGUSR2
status 4 'a running one is not published' im publish u
lx stop -k u
status 3 'nor one that there is not' im publish nosuch
says 'base' 'verify --every names the one whose file has another time' im -q verify --every
is '1' 'and no other' bash -c 'lxmgr-image -q verify --every 2>&1 | wc -l'

# Import.
xz -dc "$SITE/images/good.tar.xz" >"$TREE/.plain.tar"
ok 'an archive is imported' im -q import "$TREE/.plain.tar" --as plain
status 6 'one with another digest is not' im import "$TREE/.plain.tar" --sha256 "$(printf '%064d' 0)"
status 1 'a directory is not' im import "$TREE"

lua 'Lua: published, shown, used, verified, deleted' '
local t = assert(lxmgr.open("t", P))
local digest = assert(t:publish{name = "of-lua"}); local i = assert(lxmgr.image.show("of-lua"))
eq(i.digest, digest); eq(i.names[1], "of-lua"); eq(i.origin, "container t"); eq(#i.users, 0)
local seen
for _, v in ipairs(assert(lxmgr.image.list())) do if v.digest == digest then seen = true end end
eq(seen, true); assert(lxmgr.image.verify("of-lua"))
local c = assert(lxmgr.create("lua", {path = P.path, image = "of-lua"})); fails(4, "stands on", lxmgr.image.delete("of-lua"))
assert(c:destroy())
for _, v in ipairs(assert(lxmgr.image.prune{path = P.path, dry_run = true, all = true})) do if v.digest == digest then seen = "gone" end end
eq(seen, "gone"); assert(lxmgr.image.delete("of-lua")); fails(1, "of%-lua", lxmgr.image.show("of-lua"))
fails(1, "of%-lua", lxmgr.image.verify("of-lua")); fails(1, "of%-lua", lxmgr.image.delete("of-lua"))
fails(1, "of%-lua", lxmgr.create("lua", {path = P.path, image = "of-lua"}))'
lua 'Lua: of an archive; nor can a running one be published' '
local tar = P.path .. "/.plain.tar"
local digest = assert(lxmgr.image.import(tar, {name = "lua-tar"})); eq(lxmgr.image.show("lua-tar").digest, digest); assert(lxmgr.image.delete("lua-tar"))
fails(6, "digest", lxmgr.image.import(tar, {name = "lua-tar", sha256 = ("0"):rep(64)}))
local u = assert(lxmgr.open("u", P)); assert(u:start()); fails(4, "is running", u:publish()); assert(u:stop{kill = true})'

# Prune: never from under a container, wherever it is.
mkdir -m 711 "$TREE/.far"
lxmgr-create -P "$TREE/.far" -q -n far --image plain
im -q delete two 2>/dev/null
is '' 'prune takes nothing that has a name' im prune
ok 'all, and dry: told' im prune --all --dry-run
ok 'and not done' im show unified
im -q prune --all
status 1 'all: the unused are gone' im show unified
for n in a keep t u; do
	ok "the image of $n is there" test -d "$CACHE/$(sed -n 's/^base = //p' "$TREE/$n/storage")/rootfs/bin"
done
ok 'that of another directory, too' test -d "$CACHE/$(sed -n 's/^base = //p' "$TREE/.far/far/storage")/rootfs/bin"
lx create -q -n snapped --image plain
lx snapshot -q snapped one
is '' 'snapshots are no directory of their own' grep snapshots "$VAR/lib/lxmgr/trees"
lx destroy -q -s snapped
ok 'one that had snapshots is gone, and prune goes on' im prune
mv "$TREE/.far" "$TREE/.away"
says 'look for containers in' 'while a directory is away nothing is pruned' im prune --all
status 64 'to forget it cannot be tried' im prune --dry-run --forget="$TREE/.far"
ok 'and it is not forgotten' grep -qx "$TREE/.far" "$VAR/lib/lxmgr/trees"
mv "$TREE/.away" "$TREE/.far"
lxmgr-destroy -P "$TREE/.far" -q far
ok 'when it is back it is' im -q prune --all
status 1 'and what it used goes with it' im show plain
is '' 'a directory without containers is forgotten' grep -x "$TREE/.far" "$VAR/lib/lxmgr/trees"

# A deletion that was killed: its name leads nowhere, and the next image that is made ends it.
im -q fetch "$REMOTE:debian/12" --as gone
d=$(im --json show gone | jq -r .digest)
mv "$CACHE/$d" "$CACHE/.$d.dead"
says 'no image .gone' 'half deleted, it is not there' lx create -n z --image gone
ok 'it can be fetched again' im -q fetch "$REMOTE:debian/12" --as again
is '' 'and nothing is left of it' find "$CACHE" -name '*.dead'
status 1 'nor its name' grep '^gone ' "$CACHE/names"
im -q delete again

# create -F builds beside an image that is used.
old=$(sed -n 's/^base = //p' "$TREE/t/storage")
ok 'the template once more' lx create -q -F -t busybox -n v
OUT=$(sed -n 's/^base = //p' "$TREE/v/storage")
[ "$OUT" != "$old" ] && [ -d "$CACHE/$old/rootfs/bin" ]
result $? 'takes nothing from who stands on the old one'
ok 'and is what the next one gets' bash -c 'lxmgr-create -P "$TREE" -q -t busybox -n w && [ "$(cat "$TREE/v/storage")" = "$(cat "$TREE/w/storage")" ]'

status 64 'no subcommand' im
status 64 'an unknown one' im paint
status 64 'an option of another' im show base --all
status 64 'an argument too many' im remotes x
kill $server
wait $server 2>/dev/null
finish
