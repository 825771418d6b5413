# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
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
finish
