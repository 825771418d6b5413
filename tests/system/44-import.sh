# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091
# The templates local and cloud: roots that are on this host already.
# In machines: check-vm-full.
. ./lib.sh
need python3 jq

R=$TREE/.root
mkdir -p "$R"/{bin,etc/ssh,usr/bin,dev,var/lib/cloud/instance}
cp "$(type -P busybox)" "$R/bin/busybox"
ln -s busybox "$R/bin/sh"
mkdir "$R/sbin" && ln -s ../bin/busybox "$R/sbin/init"
echo key >"$R/etc/ssh/ssh_host_rsa_key"
echo abc >"$R/etc/machine-id"
chown 33:33 "$R/usr/bin"
tar -C "$R" -cJf "$TREE/.root.tar.xz" .
mkdir "$TREE/.unified" && cp -a "$R" "$TREE/.unified/rootfs" && echo 'architecture: x86_64' >"$TREE/.unified/metadata.yaml"
tar -C "$TREE/.unified" -czf "$TREE/.unified.tar.gz" .
printf '# of the container\nlxmgr.signal.halt = SIGUSR2\n' >"$TREE/.meta"
for from in .root .root.tar.xz .unified .unified.tar.gz; do
	ok "local: $from" lx create -q -t local -n "l${from//[^a-z]/}" -- --fstree "$TREE/$from" --metadata "$TREE/.meta"
	img=$CACHE/$(lx info "l${from//[^a-z]/}" --json | jq -r .image)/rootfs
	ok 'it has the programs' test -x "$img/bin/busybox"
	is 33:33 'and owners' stat -c %u:%g "$img/usr/bin"
	ok 'and nothing of the machine that it was' bash -c "! test -e $img/etc/ssh/ssh_host_rsa_key && test ! -s $img/etc/machine-id"
	is SIGUSR2 'and what the metadata says' lxmgr-config -P "$TREE" -n "l${from//[^a-z]/}" lxmgr.signal.halt
done
ok 'it starts' lx start lroot
ok 'and runs' lx attach lroot -- /bin/busybox true
printf 'lxmgr.hook.pre-start = /bin/true\n' >"$TREE/.meta"
status 6 'local: a key that a template may not set' lx create -q -t local -n x -- --fstree "$R" --metadata "$TREE/.meta"
truncate -s 1M "$TREE/.fs" && printf '\x53\xef' | dd of="$TREE/.fs" bs=1 seek=1080 conv=notrunc 2>/dev/null
says 'is an image of ext4: mount it' 'local: a file system image is not mounted' lx create -q -t local -n x -- --fstree "$TREE/.fs"
python3 - "$TREE/.evil.tar" <<'PY'
import sys, tarfile, io
t = tarfile.open(sys.argv[1], "w")
for name in ("bin/x", "../evil", "/tmp/evil-lxmgr"):
    i = tarfile.TarInfo(name); i.size = 1; t.addfile(i, io.BytesIO(b"x"))
t.close()
PY
says 'the archive is refused' 'local: an archive that leads out' lx create -q -t local -n x -- --fstree "$TREE/.evil.tar"
ok 'wrote nothing there' test ! -e /tmp/evil-lxmgr
printf '#cloud-config\nhostname: c\n' >"$TREE/.user"
says 'no cloud-init in this root' 'cloud: a root without cloud-init' lx create -q -t cloud -n x -- --image "$R" --user-data "$TREE/.user"
printf '#!/bin/sh\n' >"$R/usr/bin/cloud-init"
ok 'cloud' lx create -q -t cloud -n c -- --image "$R" --user-data "$TREE/.user"
img=$CACHE/$(lx info c --json | jq -r .image)/rootfs
is $'#cloud-config\nhostname: c' 'the user-data is in the seed' cat "$img/var/lib/cloud/seed/nocloud/user-data"
says '^instance-id: iid-[0-9a-f]{16}$' 'with an instance-id' cat "$img/var/lib/cloud/seed/nocloud/meta-data"
is '600 0:0' 'for root alone' stat -c '%a %u:%g' "$img/var/lib/cloud/seed/nocloud/user-data"
ok 'a run before is forgotten' test ! -e "$img/var/lib/cloud/instance"
says 'NoCloud' 'cloud-init looks nowhere else' cat "$img/etc/cloud/cloud.cfg.d/99-lxmgr.cfg"
printf 'instance-id: mine\n' >"$TREE/.m" && printf 'version: 2\nethernets: {}\n' >"$TREE/.n"
ok 'with meta-data and a network' lx create -q -t cloud -n c2 -- --image "$R" --user-data "$TREE/.user" --meta-data "$TREE/.m" --network-config "$TREE/.n"
img=$CACHE/$(lx info c2 --json | jq -r .image)/rootfs
is 'instance-id: mine' 'as they were given' cat "$img/var/lib/cloud/seed/nocloud/meta-data"
printf 'hello\n' >"$TREE/.user"
says 'begins with none of' 'cloud: user-data that cloud-init would not take' lx create -q -t cloud -n x -- --image "$R" --user-data "$TREE/.user"
says 'user-data is needed' 'cloud: without user-data' lx create -q -t cloud -n x -- --image "$R"
finish
