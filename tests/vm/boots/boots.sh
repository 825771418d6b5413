# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2034
# What the files of one machine's successive boots share. They leave their containers to the next.
TREE=/run/reboot-test
mkdir -p "$TREE"
. ./lib.sh
# The disk's own, which the journal of all boots stands below; the agent covers it for twins.
umount /etc/machine-id 2>/dev/null
KEPT=/var/lib/reboot-test

# The ten, with what each is started after: a row of three, then what hangs on them.
declare -A AFTER=([c1]='' [c2]='' [c3]='' [c4]=c1 [c5]=c1 [c6]='c4 c5' [c7]=c2 [c8]=c7 [c9]=c3 [c10]='c6 c8 c9')
TEN='c1 c2 c3 c4 c5 c6 c7 c8 c9 c10'

# Emulated, and beside others, a systemd takes its time.
patiently() {
	local end=$((SECONDS + 900))
	while [ "$SECONDS" -lt "$end" ]; do
		"$@" >/dev/null 2>&1 && return
		sleep 1
	done
	"$@"
}
address() { lxmgr-info --json "$1" | jq -r '.addresses[] | select(.family == "ipv4") | .address'; }
guest_up() { lxmgr-attach web -- systemctl is-system-running --wait | grep -qx running; }
active() { [ "$(systemctl is-active "lxmgr@$1")" = active ]; }
all_active() {
	local c
	for c in web $TEN; do
		active "$c" || { echo "$c is $(systemctl is-active "lxmgr@$c")"; return 1; }
	done
}
same_addresses() {
	local c
	for c in web $TEN; do
		[ -n "$(address "$c")" ] && [ "$(address "$c")" = "$(cat "$KEPT/$c")" ] ||
			{ echo "$c has $(address "$c"), had $(cat "$KEPT/$c")"; return 1; }
	done
}
end() {
	printf '1..%d\n' "$N"
	[ "$FAILED" = 0 ]
}
