# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# In machines: check-vm-full.
. ./lib.sh

busybox base -B dir
mkdir -m 700 "$TREE/old"
cp -a "$TREE/base/rootfs" "$TREE/old/rootfs"
cat >"$TREE/old/config" <<EOT
# Template used to create this container
lxc.include = /usr/share/lxc/config/common.conf
lxc.arch = linux64
lxc.net.0.type = veth
lxc.net.0.link = lxmgrbr0
lxc.net.0.flags = up
lxc.net.0.hwaddr = 00:16:3e:xx:xx:xx
lxc.apparmor.profile = generated
lxc.rootfs.path = dir:$TREE/old/rootfs
lxc.uts.name = old
lxc.tty.max = 2
lxc.cgroup2.devices.deny = a
lxc.cgroup2.devices.allow = c 1:3 rwm
lxc.prlimit.nofile = 1024:4096
lxc.environment = A=b
lxc.signal.halt = SIGUSR2
EOT
ok 'an LXC config runs unchanged' lx start old
is 'old' 'with its host name' lx attach old -- hostname
is '1024' 'its limits' lx attach old -- awk '/open files/ { print $4 }' /proc/1/limits
is 'b' 'its environment' lx attach old -- sh -c 'echo $A'
ok 'a clean stop' lx stop -t 10 old
sed -i '3s/.*/lxc.arch = vax/' "$TREE/old/config"
says 'old/config:3: key .lxc.arch' 'an error names file, line and key' lx start old
sed -i '3s/.*/lxc.arch = linux64/' "$TREE/old/config"

# Each TYPE: of rootfs.path that LXC has and we have. btrfs: is in 86-btrfs.sh.
root() { sed -i "s|^lxc.rootfs.path.*|lxc.rootfs.path = $1|" "$TREE/old/config"; }
for type in overlay overlayfs; do
	rm -rf "$TREE/old/delta0" "$TREE/old/olddelta"
	mkdir -m 755 "$TREE/old/delta0"
	root "$type:$TREE/old/rootfs:$TREE/old/delta0"
	ok "$type: starts" lx start old
	is 'overlay' "$type: it is the root" lx attach old -- sh -c 'grep " / " /proc/mounts | cut -d" " -f3'
	lx attach old -- sh -c 'echo new >/etc/new; rm /etc/group'
	lx stop -k old
	is 'new' "$type: what it writes is in the upper directory" cat "$TREE/old/delta0/etc/new"
	ok "$type: and the lower one is as it was" test -e "$TREE/old/rootfs/etc/group" -a ! -e "$TREE/old/rootfs/etc/new"
done
root "overlay:$TREE/old/rootfs"
says 'is not /LOWER:/UPPER' 'overlay: without an upper directory' lx start old
if command -v mkfs.ext4 >/dev/null; then
	mkfs.ext4 -q -d "$TREE/old/rootfs" "$TREE/.device" 64M
	device=$(losetup -f --show "$TREE/.device")
	root "lvm:$device"
	ok 'lvm: starts from a block device' lx start old
	is "$device ext4" 'lvm: it is the root' lx attach old -- sh -c 'grep " / " /proc/mounts | cut -d" " -f1,3'
	lx stop -k old
	losetup -d "$device"
	status 1 'lvm: a device with nothing behind it' lx start old
else
	skip 'lvm: starts from a block device' 'no mkfs.ext4'
fi
for type in zfs rbd nbd; do
	root "$type:tank/old"
	says "old/config:[0-9]+: .*storage backend '$type' is not supported; use " "$type: is refused with file, line and what to use" lx start old
	status 6 "$type: when it is set" lx config -n base "lxmgr.rootfs.path=$type:tank/old"
	status 1 "$type: and is not in the config" grep -q "$type:" "$TREE/base/config"
	status 6 "$type: at a create" lx create -q -t none -n no -s "lxmgr.rootfs.path=$type:tank/old"
done
says "unknown storage backend 'tank'" 'a type that nobody has' lx config -n base 'lxmgr.rootfs.path=tank:/old'
for option in --zfsroot=tank --rbdname=x --rbdpool=x; do
	status 64 "create $option is refused" lx create -q -t busybox -n no "$option"
done
for name in best overlayfs; do
	ok "create -B $name" busybox "b-$name" -B "$name"
done
is 'overlay' 'overlayfs is overlay' bash -c "lxmgr-info -P $TREE --json b-overlayfs | jq -r .backend"

# A map of LXC's: the ids on disk are shifted already.
need ssh-keygen
mkdir -m 700 "$TREE/map"
cp -a "$TREE/base/rootfs" "$TREE/map/rootfs"
mkdir -p "$TREE/map/rootfs/etc/ssh"
ssh-keygen -q -N '' -t ed25519 -f "$TREE/map/rootfs/etc/ssh/ssh_host_ed25519_key"
printf '127.0.1.1 map\n' >"$TREE/map/rootfs/etc/hosts"
chown -R -h 100000:100000 "$TREE/map/rootfs"
cat >"$TREE/map/config" <<EOT
lxc.rootfs.path = dir:$TREE/map/rootfs
lxc.uts.name = map
lxc.idmap = u 0 100000 65536
lxc.idmap = g 0 100000 65536
EOT
ok 'one with shifted ids is copied' lx copy map map2
for f in ssh/ssh_host_ed25519_key ssh/ssh_host_ed25519_key.pub hostname hosts machine-id; do
	is 100000:100000 "$f belongs to its root" stat -c %u:%g "$TREE/map2/rootfs/etc/$f"
done
ok 'it starts' lx start map2
is 'map2' 'with a name of its own' lx attach map2 -- hostname
lx stop -k map2
printf 'ID=debian\nVERSION_ID=12\n' >"$TREE/map/rootfs/etc/os-release"
ok 'setup' lx setup map --hostname guest
is 'guest 100000:100000' 'writes as its root' sh -c "echo \$(cat $TREE/map/rootfs/etc/hostname) \$(stat -c %u:%g $TREE/map/rootfs/etc/hostname)"
ok 'and is renamed' lx copy -R map map3
is 100000:100000 'hostname belongs to its root' stat -c %u:%g "$TREE/map3/rootfs/etc/hostname"
is "dir:$TREE/map3/rootfs" 'the path came along' lx config -n map3 lxmgr.rootfs.path
finish
