# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# A host with systemd: units, scopes, readiness, the journal, machined.
. ./lib.sh

if ! has_systemd; then
	skip 'units, scopes and machined' 'systemd does not run this host'
	finish
	exit
fi
# The units are for the default tree.
# Not `name`: the functions that run a check have one.
ct=lxt$$
unit=lxmgr@$ct.service
prop() { systemctl show -P "$1" "$unit"; }
unit_is() { [ "$(systemctl is-active "$unit")" = "$1" ]; }
group() { sed -n 's,^0::,,p' "/proc/$(lxmgr-info -p -H "$1")/cgroup"; }

ok 'the units are valid' systemd-analyze verify "lxmgr@$ct.service" lxmgr-net.service lxmgr.target lxmgr-guests.service
ok 'create' lxmgr-create -q -t busybox -n "$ct"
ok 'start' lxmgr-start "$ct"
is active 'is the start of the unit' systemctl is-active "$unit"
is "/machine.slice/$unit/payload/ns" 'the container is below it' group "$ct"
is yes 'which is delegated' prop Delegate
is infinity 'has no limit of tasks' prop TasksMax
is cgroup 'and ends with its last process' prop ExitType
says 'Tasks: [1-9]' 'status accounts for it' systemctl status "$unit"
says 'Memory: [0-9.]+[KM]' 'with its memory' systemctl status "$unit"
is "$(lxmgr-info --json "$ct" | jq .monitor_pid)" 'its main process is the monitor' prop MainPID
status 4 'another start is refused' lxmgr-start "$ct"
status 4 'also one with options' lxmgr-start -s lxmgr.limit.pids=50 "$ct"
is active 'which does it no harm' systemctl is-active "$unit"
lxmgr-attach "$ct" -- sh -c 'printf "\n\033[31m<0>red\033[0m\001\r\nplain\n" >/dev/console'
journal() { journalctl -u "$unit" -o json --no-pager | jq -c --arg id "$ct" 'select(.SYSLOG_IDENTIFIER == $id) | [.PRIORITY, .MESSAGE]'; }
heard() { journal | grep -q plain; }
ok 'the journal has its console' eventually heard
says '^\["6","<0>red"\]$' 'without what orders a terminal or a priority' journal

# A reboot from inside is served in the unit.
init=$(lxmgr-info -p -H "$ct") main=$(prop MainPID)
lxmgr-attach "$ct" -- reboot
again() { new=$(lxmgr-info -p -H "$ct") && [ -n "$new" ] && [ "$new" != "$init" ]; }
ok 'it reboots' eventually again
is "$main" 'under the same monitor' prop MainPID
is "/machine.slice/$unit/payload/ns" 'in the same unit' group "$ct"
ok 'restart by systemctl' systemctl restart "$unit"
is RUNNING 'runs' lxmgr-info -s -H "$ct"
ok 'restart by lxmgr' lxmgr-restart "$ct"
is active 'is one of the unit' systemctl is-active "$unit"

# What may be promised of the host holds for units, too.
lxmgr-stop -k "$ct"
cp -a /etc/lxmgr/lxmgr.conf "$TREE/.conf"
echo 'lxmgr.overcommit.memory = 0.001' >>/etc/lxmgr/lxmgr.conf
status 6 'more than may be is refused' lxmgr-start "$ct"
status 1 'also by systemctl' systemctl start "$unit"
ok 'by force it starts' lxmgr-start --force "$ct"
is active 'as the unit' systemctl is-active "$unit"
is '' 'once' find /run/lxmgr -name '.force*'
ok 'a restart is not refused' lxmgr-restart -k "$ct"
cp -a "$TREE/.conf" /etc/lxmgr/lxmgr.conf
systemctl reset-failed "$unit" 2>/dev/null

# Without its monitor.
kill -9 "$(prop MainPID)"
gone() { [ "$(prop MainPID)" = 0 ]; }
ok 'systemd sees the monitor die' eventually gone
is active 'and the unit goes on' systemctl is-active "$unit"
is RUNNING 'as does the container' lxmgr-info -s -H "$ct"
says 'Monitor: +gone: .*no reboot' 'info says what it lacks' lxmgr-info "$ct"
is yes 'attach works' lxmgr-attach "$ct" -- echo yes
ok 'systemctl stops it' systemctl stop "$unit"
is STOPPED 'all of it' lxmgr-info -s -H "$ct"
ok 'it starts again' systemctl start "$unit"
is RUNNING 'and runs' lxmgr-info -s -H "$ct"
ok 'lxmgr-stop stops it' lxmgr-stop -k "$ct"
ok 'and with it the unit' eventually unit_is inactive
is success 'without a failure' prop Result

# A start that fails says why in the tool's own words, and in the unit's status.
ok 'a config that is wrong' lxmgr-config "$ct" net.0.link=nosuch0
says "^lxmgr-start: $ct: the interface 'nosuch0' does not exist \(lxmgr.net.0.link\)$" 'is told by the start' lxmgr-start "$ct"
status 1 'with its status' lxmgr-start "$ct"
says "Status: .*the interface 'nosuch0'" 'and by systemctl' systemctl status "$unit"
is STOPPED 'nothing of it runs' lxmgr-info -s -H "$ct"
lxmgr-config --unset "$ct" net.0.link
systemctl reset-failed "$unit"

# machined
if [ -S /run/dbus/system_bus_socket ] && command -v machinectl >/dev/null; then
	lxmgr-start "$ct"
	says "^$ct +container +lxmgr" 'machinectl lists it' machinectl list --no-legend
	says "Unit: $unit" 'knows its unit' machinectl status "$ct"
	is "$(lxmgr-info -p -H "$ct")" 'and its leader' machinectl show -p Leader --value "$ct"
	addr=$(lxmgr-info -i -H "$ct" | head -n 1)
	if is_enforcing; then
		skip 'the name service has its address' "the host's SELinux policy does not let machined into any container's network"
	elif ls /usr/lib/*/libnss_mymachines.so.2 >/dev/null 2>&1; then
		says "$addr" 'the name service has its address' getent -s mymachines ahosts "$ct"
	else
		skip 'the name service has its address' 'libnss-mymachines is not installed'
	fi
	lxmgr-attach "$ct" -- reboot
	renewed() { [ "$(machinectl show -p Leader --value "$ct")" = "$(lxmgr-info -p -H "$ct")" ]; }
	init=$(lxmgr-info -p -H "$ct")
	eventually again
	ok 'a reboot registers it anew' eventually renewed
	lxmgr-stop -k "$ct"
	status 1 'a stop takes it off' machinectl status "$ct"
else
	skip 'machined' 'no machinectl or no system bus'
fi

# An init that says itself when it is up.
lxmgr-config "$ct" start.ready=init
lxmgr-config "$ct" init.cmd='/bin/sh -c "until [ -e /go ]; do sleep 0.2; done; exec /sbin/init"'
systemctl start --no-block "$unit"
running() { [ "$(lxmgr-info -s -H "$ct")" = RUNNING ]; }
ok 'init runs' eventually running
is activating 'but has not said that it is up' systemctl is-active "$unit"
is /dev/.lxmgr-notify 'it knows where to say it' lxmgr-attach "$ct" -- sh -c 'tr "\0" "\n" </proc/1/environ | sed -n s/^NOTIFY_SOCKET=//p'
# As the container's init would: from its root, by its root user.
notify() {
	python3 -c 'import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
os.setns(os.open("/proc/%s/ns/mnt" % sys.argv[1], os.O_RDONLY), 0)
s.sendto(sys.argv[2].encode(), "/dev/.lxmgr-notify")' "$(lxmgr-info -p -H "$ct")" "$1"
}
ok 'what is no READY' notify 'MAINPID=1'
is activating 'is no matter' systemctl is-active "$unit"
ok 'READY' notify 'STATUS=up
READY=1'
ok 'is' eventually unit_is active
main=$(prop MainPID)
[ "$main" != 1 ]
OUT=$main result $? 'nothing else is handed on'
lxmgr-stop -k "$ct"
eventually unit_is inactive
lxmgr-start "$ct" >/dev/null 2>&1 &
ok 'a start that waits' eventually running
lxmgr-stop -k "$ct"
wait $!
rc=$?
[ "$rc" != 0 ]
OUT="status $rc" result $? 'fails when the container ends first'
systemctl reset-failed "$unit" 2>/dev/null
ok 'destroy' lxmgr-destroy -f "$ct"

# Other trees and starts with options have scopes.
busybox a
ok 'a start in another tree' lx start a
tag=$(basename "$(find "$RUN" -maxdepth 1 -name 'a-*')")
says "^/machine.slice/lxmgr-$tag-[0-9]+.scope/payload/ns$" 'is in a scope' sed -n 's,^0::,,p' "/proc/$(lx info -p -H a)/cgroup"
scope=$(sed -n 's,^0::/machine.slice/\([^/]*\)/.*,\1,p' "/proc/$(lx info -p -H a)/cgroup")
is yes 'that is delegated' systemctl show -P Delegate "$scope"
says lxmgr-guests.service 'and stops after those who ask it to halt' systemctl show -P Before "$scope"
says "^$tag +container +lxmgr" 'machinectl lists it' machinectl list --no-legend
kill -9 "$(lx info --json a | jq .monitor_pid)"
is RUNNING 'it survives its monitor' lx info -s -H a
ok 'stop' lx stop -k a
scope_gone() { ! systemctl is-active -q "$scope"; }
ok 'ends the scope' eventually scope_gone
scopes() { systemctl list-units --no-legend 'lxmgr-*.scope' | wc -l; }
before=$(scopes)
lx execute a -- sleep 1000 &
job=$!
more() { [ "$(scopes)" -gt "$before" ]; }
ok 'execute has one too' eventually more
lx stop -k a
wait $job

# What a shutdown of the host stops first.
lx start a
lxmgr-create -q -t busybox -n "$ct"
lxmgr-start "$ct"
is active 'a scope brings the service that halts it' systemctl is-active lxmgr-guests.service
printf '#!/bin/sh\necho "$LXC_NAME $LXC_TARGET" >%s/halted\n' "$TREE" >"$TREE/hook"
chmod +x "$TREE/hook"
lx stop -k a
lx config a "hook.post-stop=$TREE/hook"
# USR2 is how the template has its init halted.
lx config a "init.cmd=/bin/sh -c \"trap 'echo asked >/asked; exit 0' USR2; echo >/up; while :; do sleep 0.1; done\""
lx start a
eventually lx attach a -- test -e /up
ok 'which ends' systemctl stop lxmgr-guests.service
is STOPPED 'the container without a unit' lx info -s -H a
is 'a stop' 'by its own teardown' cat "$TREE/halted"
lx config a 'init.cmd=/bin/cat /asked'
is asked 'its init was asked to halt' lx start -F a
is RUNNING 'one with a unit is not its matter' lxmgr-info -s -H "$ct"
ok 'destroy while it runs' lxmgr-destroy -q -f "$ct"
# Its stop commands find no container any more.
systemctl stop "lxmgr@$ct.service"
is '' 'which is no failure of its unit' systemctl list-units --failed --no-legend "lxmgr@$ct.service"
# A scope's groups that systemd could not remove, with a process that was dying in them, and those of
# others whose names are alike.
slice=/sys/fs/cgroup/machine.slice
mkdir -p "$slice/lxmgr-$tag-4194304.scope/supervisor" "$slice/lxmgr-$tag-b-4194304.scope"
ok 'destroy' lx destroy -q a
status 1 'takes what is left of its scopes along' test -e "$slice/lxmgr-$tag-4194304.scope"
ok 'and nobody else'"'"'s' rmdir "$slice/lxmgr-$tag-b-4194304.scope"
finish
