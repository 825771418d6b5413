# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# lxcfs as the unit of its package: our drop-in heals what its death leaves in running containers.
. ./lib.sh
need lxcfs systemctl
if [ ! -d /run/systemd/system ]; then
	skip 'lxcfs.service' 'systemd is not PID 1 here'
	finish
	exit
fi
was=$(systemctl is-active lxcfs.service)
systemctl daemon-reload
says 'ExecStopPost=.*lxmgr-lxcfs' 'the drop-in is part of the unit' systemctl cat lxcfs.service
ok 'the unit starts' systemctl restart lxcfs.service
total() { lx attach a -- awk '/^MemTotal:/ { print $2 }' /proc/meminfo; }
limited() { [ "$(total)" = 65536 ]; }

busybox a -s lxmgr.limit.memory=64M
ok 'a container starts' lx start a
ok 'its limit shows' limited
old=$(systemctl show -P MainPID lxcfs.service)
kill -9 "$old"
again() { [ "$(systemctl show -P MainPID lxcfs.service)" != "$old" ] && systemctl is-active lxcfs.service; }
ok 'killed, it is started again' eventually again
ok 'the limit shows again' eventually limited
is 1 'one layer, not two' lx attach a -- grep -c ' /proc/meminfo ' /proc/mounts
systemctl stop lxcfs.service
is "$(awk '/^MemTotal:/ { print $2 }' /proc/meminfo)" 'stopped, the host shows' total
systemctl start lxcfs.service
ok 'started, the limit shows' eventually limited
ok 'a restart, as an upgrade does it' systemctl restart lxcfs.service
ok 'shows it, too' eventually limited
lx stop -k a
[ "$was" = active ] || systemctl stop lxcfs.service
finish
