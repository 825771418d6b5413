# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Autostart, restart policy and health checks by systemd's units: containers of the default tree.
. ./lib.sh
if [ ! -d /run/systemd/system ]; then
	skip 'units of containers' 'systemd does not run this host'
	finish
	exit
fi
need systemctl jq

UNITS=/etc/systemd/system
LOG=$TREE/order
ALL=(uu-db uu-app uu-web uu-first uu-late uu-one uu-two uu-slow uu-boot uu-last)
state() { lxmgr-info -s -H "$1"; }
pid() { lxmgr-info -p -H "$1"; }
all_are() { # all_are STATE NAME...
	local want=$1 c
	shift
	for c; do
		[ "$(state "$c")" = "$want" ] || return 1
	done
}
restarted() { # restarted NAME OLDPID
	local p
	p=$(pid "$1")
	[ -n "$p" ] && [ "$p" != "$2" ] && [ "$(state "$1")" = RUNNING ]
}
before() { # before WHAT WHICH WHAT WHICH: that line of the log stands before this one
	local a b
	a=$(grep -nx "$1 $2" "$LOG" | tail -n 1 | cut -d: -f1)
	b=$(grep -nx "$3 $4" "$LOG" | tail -n 1 | cut -d: -f1)
	echo "$1 $2: line ${a:-none}; $3 $4: line ${b:-none}"
	[ -n "$a" ] && [ -n "$b" ] && [ "$a" -lt "$b" ]
}
clean() {
	local c
	for c in "${ALL[@]}" uu-r; do
		[ ! -d "/var/lib/lxmgr/$c" ] || lxmgr-destroy -q -f "$c"
	done
}
trap clean EXIT
printf '#!/bin/sh\necho "$1 $2" >>%s\n' "$LOG" >"$TREE/say"
# Two that wait for each other in their pre-start hooks start side by side.
printf '#!/bin/sh\n[ "$2" = uu-one ] && o=uu-two || o=uu-one\n: >"%s/at.$2"\nn=0\nuntil [ -e "%s/at.$o" ] || [ $((n += 1)) = 1200 ]; do sleep 0.1; done\n[ -e "%s/at.$o" ]\n' \
	"$TREE" "$TREE" "$TREE" >"$TREE/meet"
chmod 0755 "$TREE/say" "$TREE/meet"
# Each change by a command has systemd read its files again, which takes its time in an emulated
# machine: most are made by hand, and brought in line at once.
for c in "${ALL[@]}"; do
	lxmgr-create -q -t busybox -n "$c" -s "lxmgr.hook.pre-start=$TREE/say begin" \
		-s "lxmgr.hook.start-host=$TREE/say up" -s "lxmgr.hook.stop=$TREE/say stop"
	echo 'lxmgr.start.auto = 1' >>"/var/lib/lxmgr/$c/config"
done
set_by_hand() { # set_by_hand NAME KEY VALUE
	sed -i "/^lxmgr.$2 /d" "/var/lib/lxmgr/$1/config"
	echo "lxmgr.$2 = $3" >>"/var/lib/lxmgr/$1/config"
}
set_by_hand uu-app start.after uu-db
set_by_hand uu-web start.after uu-app
set_by_hand uu-web start.order 100
set_by_hand uu-first start.order 50
set_by_hand uu-slow start.order 50
set_by_hand uu-slow start.delay 4
set_by_hand uu-boot group onboot
set_by_hand uu-one hook.pre-start "$TREE/meet now"
set_by_hand uu-two hook.pre-start "$TREE/meet now"
says 'units +.*differ from the config: uu-' 'doctor sees changes by hand' lxmgr-doctor
says 'units changed: 1[01]' 'sync mends them' lxmgr-autostart --sync
says 'units changed: 0' 'once' lxmgr-autostart --sync
says 'as the configs say' 'as doctor sees' lxmgr-doctor
is 'enabled' 'start.auto enables the unit' systemctl is-enabled lxmgr@uu-db.service
says 'lxmgr@uu-app.service' 'what it is after is known to systemd' systemctl show -p After lxmgr@uu-web.service
ok 'systemd likes the units' systemd-analyze verify lxmgr@uu-web.service lxmgr@uu-slow.service

# As at boot: all in one transaction.
systemctl stop lxmgr.target 'lxmgr-turn@*' 'lxmgr-done@*'
ok 'start the target' systemctl start lxmgr.target
ok 'all ten run' all_are RUNNING "${ALL[@]}"
ok 'what another is after comes first' before up uu-db begin uu-app
ok 'through the chain' before up uu-app begin uu-web
ok 'the group onboot comes first of all' before up uu-boot begin uu-first
ok 'then by order' before up uu-first begin uu-late
ok 'one with a delay behind the others of its order' before up uu-first begin uu-slow
ok 'and before lower ones' before up uu-slow begin uu-late
at() { systemctl show -p "$2" --value "$1" --timestamp=unix | tr -d @; }
ok 'which waited for the delay' test \
	$(($(at lxmgr@uu-late.service InactiveExitTimestamp) - $(at lxmgr@uu-slow.service ActiveEnterTimestamp))) -ge 3
# Of the target alone it would not be waited for the containers, whose stop follows from it.
ok 'stop the target' systemctl stop lxmgr.target 'lxmgr@uu-*'
ok 'all are stopped' all_are STOPPED "${ALL[@]}"
ok 'in reverse' before stop uu-web stop uu-app
ok 'through the chain' before stop uu-app stop uu-db
ok 'lower orders first' before stop uu-late stop uu-first
ok 'the group onboot last' before stop uu-first stop uu-boot
is '' 'no unit has failed' systemctl list-units --failed --plain --no-legend 'lxmgr*'
ok 'lxmgr-autostart goes through the units' lxmgr-autostart -q
is 'active' 'as systemd sees' systemctl is-active lxmgr@uu-web.service
ok 'and stops them' lxmgr-autostart -q -s
ok 'all of them' all_are STOPPED uu-web uu-db uu-late
lxmgr-autostart -q -k -g onboot

# By command, and away.
lxmgr-config -n uu-late --unset lxmgr.start.auto
status 1 'without start.auto it is disabled' systemctl is-enabled lxmgr@uu-late.service
is '' 'and has no drop-in' find "$UNITS" -name 'lxmgr@uu-late*'
systemctl -q enable lxmgr@uu-late.service
lxmgr-config -n uu-late lxmgr.start.order=7
lxmgr-config -n uu-late --unset lxmgr.start.order
is 'enabled' 'what systemctl enabled stays' systemctl is-enabled lxmgr@uu-late.service
set_by_hand uu-one group customer
says 'not started at boot.*uu-one' 'a group that no boot starts is told' lxmgr-doctor
busybox here -s lxmgr.start.auto=1
is '' 'a container of another tree has no unit' find "$UNITS" -name '*here*'
ok 'destroy takes its units away' lxmgr-destroy -q uu-slow
is '' 'all of them' find "$UNITS" -name '*uu-slow*'
# As a directory that is removed by hand.
for c in "${ALL[@]}"; do
	[ ! -d "/var/lib/lxmgr/$c" ] || mv "/var/lib/lxmgr/$c" "$TREE/gone.$c"
done
ok 'containers that are gone' lxmgr-autostart -q --sync
is '' 'lose theirs' find "$UNITS" -name '*uu-*'
for c in "${ALL[@]}"; do
	[ ! -d "$TREE/gone.$c" ] || mv "$TREE/gone.$c" "/var/lib/lxmgr/$c"
done

# Restart policy.
lxmgr-create -q -t busybox -n uu-r -s lxmgr.start.restart=on-failure
ok 'start' lxmgr-start uu-r
old=$(pid uu-r)
kill -9 "$old"
ok 'on-failure: the unit is restarted' eventually restarted uu-r "$old"
lxmgr-attach uu-r -- poweroff
ok 'a halt from inside is no failure' lxmgr-wait -s STOPPED -t 60 uu-r
sleep 4
is 'STOPPED' 'and stays' state uu-r
is 'inactive' 'also for systemd' systemctl is-active lxmgr@uu-r.service
lxmgr-start uu-r
ok 'a stop' lxmgr-stop -t 30 uu-r
sleep 4
is 'inactive' 'is none either' systemctl is-active lxmgr@uu-r.service
lxmgr-start uu-r
ok 'nor is a kill' lxmgr-stop -k uu-r
sleep 4
is 'inactive' 'and stays' systemctl is-active lxmgr@uu-r.service
lxmgr-start uu-r
kill -9 "$(lxmgr-info --json uu-r | jq .monitor_pid)"
ok 'one without a monitor is stopped' lxmgr-stop -t 30 uu-r
sleep 4
is 'STOPPED' 'for good' state uu-r
lxmgr-config -n uu-r lxmgr.signal.halt=SIGWINCH # which no init minds
lxmgr-start uu-r
old=$(pid uu-r) monitor=$(lxmgr-info --json uu-r | jq .monitor_pid)
lxmgr-stop -t 60 uu-r &
stop=$!
ok 'a stop waits' eventually all_are STOPPING uu-r
kill -9 "$monitor" "$old"
wait "$stop"
is 0 'the monitor is killed meanwhile' echo $?
sleep 4
is 'STOPPED' 'also that is for good' state uu-r
lxmgr-config -n uu-r --unset lxmgr.signal.halt
lxmgr-config -n uu-r lxmgr.start.restart=always
lxmgr-start uu-r
old=$(pid uu-r)
lxmgr-attach uu-r -- poweroff
ok 'always: restarted behind a halt from inside' eventually restarted uu-r "$old"
ok 'a stop' lxmgr-stop -t 30 uu-r
sleep 4
is 'STOPPED' 'stays' state uu-r
ok 'as often as you like: start' bash -c 'for i in 1 2 3 4 5 6 7 8; do lxmgr-start uu-r && lxmgr-stop -k uu-r || exit 1; done'
lxmgr-config -n uu-r lxmgr.start.restart=on-failure
lxmgr-start uu-r
for _ in 1 2 3 4 5 6 7 8; do
	old=$(pid uu-r)
	[ -n "$old" ] && kill -9 "$old"
	eventually restarted uu-r "${old:-0}" || break
done
ok 'one that fails again and again is given up' eventually systemctl is-failed lxmgr@uu-r.service
is 'STOPPED' 'and is stopped' state uu-r
ok 'which a start does not mind' lxmgr-start uu-r
lxmgr-stop -k uu-r

# Health.
set_by_hand uu-r start.restart no
set_by_hand uu-r health.interval 1
set_by_hand uu-r health.failures 2
lxmgr-config -n uu-r 'lxmgr.health.cmd=echo looking; test -e /tmp/well'
lxmgr-start uu-r
lxmgr-attach uu-r -- touch /tmp/well
ok 'the timer runs' systemctl is-active lxmgr-health@uu-r.timer
health() { lxmgr-info --json uu-r | jq -e ".health$1"; }
ok 'healthy' eventually health ' | .status == "healthy"'
lxmgr-attach uu-r -- rm /tmp/well
ok 'unhealthy' eventually health ' | .status == "unhealthy"'
says '^Health: +unhealthy.*: looking$' 'in words' lxmgr-info uu-r
lxmgr-stop -k uu-r
ok 'the timer ends with it' eventually bash -c '! systemctl is-active lxmgr-health@uu-r.timer'
lxmgr-config -n uu-r lxmgr.health.action=restart
lxmgr-start uu-r
old=$(pid uu-r)
ok 'restart' eventually restarted uu-r "$old"
ok 'by its unit' eventually systemctl is-active lxmgr@uu-r.service
says 'unhealthy.*restarting it' 'which the journal tells' journalctl -u lxmgr-health@uu-r.service -n 20 --no-pager
lxmgr-destroy -q -f uu-r
is '' 'nothing is left of its units' find "$UNITS" -name '*uu-*'
is '' 'nor of an order' find "$UNITS" -name 'lxmgr-turn*'
clean
finish
