# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Snapshots by systemd's timers: containers of the default tree.
. ./lib.sh
if [ ! -d /run/systemd/system ]; then
	skip 'snapshots by timers' 'systemd does not run this host'
	finish
	exit
fi
need systemctl systemd-analyze jq

UNITS=/etc/systemd/system
TIMER=lxmgr-snapshot@tt-a.timer
count() { lxmgr-snapshot -L --json tt-a | jq '[.[] | select(.scheduled)] | length'; }
at_least() { [ "$(count)" -ge "$1" ]; }
clean() {
	local c
	for c in tt-a tt-b tt-c; do
		[ ! -d "/var/lib/lxmgr/$c" ] || lxmgr-destroy -q -f -s "$c"
	done
}
trap clean EXIT

lxmgr-create -q -t busybox -n tt-a
lxmgr-snapshot -q tt-a mine
ok 'a schedule' lxmgr-config -n tt-a lxmgr.snapshot.schedule=daily
is active 'starts a timer' systemctl is-active "$TIMER"
is enabled 'for each boot' systemctl is-enabled "$TIMER"
ok 'systemd likes the units' systemd-analyze verify "$TIMER" lxmgr-snapshot@tt-a.service
says 'OnCalendar=daily' 'it says when' systemctl cat "$TIMER"
status 64 'what systemd does not know is refused' lxmgr-config -n tt-a 'lxmgr.snapshot.schedule=someday'
says 'OnCalendar=daily' 'and changes nothing' systemctl cat "$TIMER"
ok 'how many are kept' lxmgr-config -n tt-a lxmgr.snapshot.keep=2
ok 'every other second' lxmgr-config -n tt-a 'lxmgr.snapshot.schedule=*:*:0/2'
ok 'the timer makes snapshots' eventually at_least 1
lxmgr-start tt-a
ok 'of one that runs, too' eventually at_least 2
is RUNNING 'which runs on' lxmgr-info -s -H tt-a
# None is being made now, so that what is there can be counted.
ok 'back to daily' lxmgr-config -n tt-a lxmgr.snapshot.schedule=daily
ok 'the last one ends' eventually bash -c '[ "$(systemctl show -p ActiveState --value lxmgr-snapshot@tt-a.service)" = inactive ]'
lxmgr-snapshot -q --scheduled tt-a
is 2 'only two are kept' count
is mine 'and what was made by hand' bash -c "lxmgr-snapshot -L --json tt-a | jq -r '.[] | select(.scheduled | not) | .name'"
says 'made by timers' 'doctor knows' lxmgr-doctor
lxmgr-stop -k tt-a

# The other verbs take the timer along.
ok 'copy' lxmgr-copy -q tt-a tt-b
is active 'a copy has its own timer' systemctl is-active lxmgr-snapshot@tt-b.timer
ok 'ephemeral copy' lxmgr-copy -q -e tt-a tt-c
is inactive 'which has none' systemctl is-active lxmgr-snapshot@tt-c.timer
lxmgr-stop -k tt-c
ok 'rename' lxmgr-copy -q -R tt-b tt-c
is inactive 'the old name has none' systemctl is-active lxmgr-snapshot@tt-b.timer
is active 'the new one has' systemctl is-active lxmgr-snapshot@tt-c.timer
ok 'destroy' lxmgr-destroy -q tt-c
is inactive 'takes it away' systemctl is-active lxmgr-snapshot@tt-c.timer
is '' 'with its files' find "$UNITS" -name 'lxmgr-snapshot@tt-c*'
# By hand.
sed -i 's/^lxmgr.snapshot.schedule.*/lxmgr.snapshot.schedule = weekly/' /var/lib/lxmgr/tt-a/config
says 'differ from the config: tt-a' 'doctor sees a change by hand' lxmgr-doctor
ok 'sync mends it' lxmgr-autostart --sync
says 'OnCalendar=weekly' 'at once' systemctl cat "$TIMER"
ok 'no schedule' lxmgr-config -n tt-a lxmgr.snapshot.schedule=
is inactive 'no timer' systemctl is-active "$TIMER"
is '' 'no file' find "$UNITS" -name 'lxmgr-snapshot@*'
lxmgr-destroy -q -s tt-a
finish
