# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
. ./lib.sh

mkdir "$TREE/.vol"
echo data >"$TREE/.vol/file"
for_containers "$TREE/.vol"
busybox a -s "lxmgr.mount.entry=$TREE/.vol mnt none bind,ro,create=dir 0 0"
ok 'start with a read-only volume' lx start a
is 'data' 'it is there' lx attach a -- cat /mnt/file
status 1 'it cannot be made writable' lx attach a -- mount -o remount,bind,rw /mnt
status 1 'nor unmounted' lx attach a -- umount /mnt
status 1 'nor lazily' lx attach a -- umount -l /mnt
status 1 'nor written' lx attach a -- touch /mnt/x
status 1 '/dev cannot be unmounted' lx attach a -- umount -l /dev
for f in /proc/sys/kernel/panic /proc/sysrq-trigger /proc/sys/fs/file-max /sys/kernel/profiling; do
	status 1 "$f cannot be written" lx attach a -- sh -c "echo 1 >$f"
done
is '' '/proc/keys is empty' lx attach a -- cat /proc/keys
is '' '/sys/firmware is empty' lx attach a -- ls /sys/firmware
status 1 'no device nodes' lx attach a -- mknod /tmp/sda b 8 0
is '0 1777' '/dev/mqueue belongs to its root' lx attach a -- stat -c '%u %a' /dev/mqueue
ok 'who may make a queue' lx attach a -- touch /dev/mqueue/q
is 'a' 'its own host name' lx attach a -- hostname
is '0::/' 'its cgroup is the root of its own tree' lx attach a -- grep ^0:: /proc/self/cgroup
status 1 'no v1 hierarchy is mounted' lx attach a -- grep ' cgroup ' /proc/mounts
ok 'it may make groups below its own' lx attach a -- mkdir /sys/fs/cgroup/sub
# CVE-2024-21626, CVE-2016-9962: no descriptor of the host's in init.
status 1 'init has no descriptor of the host' sh -c "ls -l /proc/$(lx info -p -H a)/fd | grep -E '/run/lxmgr|/var/lib|/sys/fs|/etc/lxmgr'"
lx stop -k a
# Below /proc and /sys the container's first process mounts what the host opened.
echo lie >"$TREE/.vol/uptime"
for_containers "$TREE/.vol"
ok 'a mount below /proc' lx start -s "lxmgr.mount.entry=$TREE/.vol/uptime proc/uptime none bind,ro 0 0" \
	-s 'lxmgr.mount.entry=/nowhere sys/kernel none bind,optional 0 0' a
is 'lie' 'shows the source' lx attach a -- cat /proc/uptime
status 1 'and is read-only' lx attach a -- sh -c 'echo x >/proc/uptime'
lx stop -k a
says 'mount .*/nowhere.* on .sys/kernel' 'a missing source is named' \
	lx start -s 'lxmgr.mount.entry=/nowhere sys/kernel none bind 0 0' a
# CVE-2015-1335: a mount target that is a link.
busybox b -B dir
ln -s /etc "$TREE/b/rootfs/link"
says 'symbolic link' 'a mount target through a link is refused' lx start -s "lxmgr.mount.entry=$TREE/.vol link none bind 0 0" b
rm -rf "$TREE/b/rootfs/proc"
ln -s /tmp "$TREE/b/rootfs/proc"
says 'symbolic link' 'CVE-2019-19921: /proc as a link is refused' lx start b
finish
