# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2086
# After a shutdown in good order: what it was, and that all came back by itself.
. ../vm/boots/boots.sh

# In microseconds since the boot: when the unit began to start, and when it was up.
began() { systemctl show -P InactiveExitTimestampMonotonic "lxmgr@$1"; }
came() { systemctl show -P ActiveEnterTimestampMonotonic "lxmgr@$1"; }
in_order() {
	local c a
	for c in $TEN; do
		for a in ${AFTER[$c]}; do
			[ "$(began "$c")" -ge "$(came "$a")" ] || { echo "$c began before $a was up"; return 1; }
		done
	done
}
# Some two were starting at one time.
in_parallel() {
	local c d
	for c in $TEN; do
		for d in $TEN; do
			[ "$c" != "$d" ] && [ "$(began "$c")" -le "$(began "$d")" ] && [ "$(began "$d")" -lt "$(came "$c")" ] && return
		done
	done
	for c in $TEN; do
		echo "$c $(began "$c") $(came "$c")"
	done
	return 1
}
# The last boot's lines about the units. What was stopped before what: by their order.
shutdown_log() { journalctl -q -b -1 -o cat _PID=1 + SYSLOG_IDENTIFIER=systemd | grep -E "lxmgr@"; }
stopped_in_order() {
	local c a log
	log=$(shutdown_log)
	line() { printf '%s\n' "$log" | grep -nE "$1" | tail -n 1 | cut -d: -f1; }
	for c in $TEN; do
		for a in ${AFTER[$c]}; do
			[ "$(line "^Stopped lxmgr@$c.service")" -lt "$(line "^Stopping lxmgr@$a.service")" ] ||
				{ echo "$a was asked to stop before $c had"; return 1; }
		done
	done
}
clean() {
	shutdown_log | grep -q '^Stopped lxmgr@web.service' || { echo 'no word of it in the journal'; return 1; }
	! shutdown_log | grep -E 'timed out|SIGKILL|Killing|[Ff]ailed'
}

ok 'this is another boot' test "$(cat "$KEPT/boot")" != "$(cat /proc/sys/kernel/random/boot_id)"
ok 'all are active' all_active
ok 'with the addresses they had' same_addresses
ok 'the guest is up' patiently guest_up
ok 'it answers' ping -c 1 -W 10 "$(cat "$KEPT/web")"
says 'poweroff.target|halt.target|reboot.target|shutdown.target' 'its own init saw the halt' lxmgr-attach web -- cat /var/log/witness
says 'shutdown|Shutdown|[Pp]ower' 'its journal tells of it' lxmgr-attach web -- sh -c 'journalctl -q -b -1 -o cat _PID=1 | tail -n 20'
ok 'no container had to be killed' clean
ok 'the ten came up in order' in_order
ok 'and in parallel where nothing forbids it' in_parallel
ok 'they were stopped in the other order' stopped_in_order
is '' 'no unit failed' systemctl --failed --no-legend
cat /proc/sys/kernel/random/boot_id >"$KEPT/boot"
end
