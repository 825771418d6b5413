# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016,SC2034
# In machines: check-vm-full.
. ./lib.sh

many=20
names=$(seq -f 'c%.0f' "$many")
for c in $names; do busybox "$c" || break; done
is "$many" "$many are created" bash -c "lxmgr-ls -P $TREE -1 | wc -l"
one_round() {
	local c jobs=''
	for c in $names; do lx start "$c" & jobs="$jobs $!"; done
	for c in $jobs; do wait "$c" || return 1; done
}
ok 'all are started at once' one_round
is "$many" 'all run' bash -c "lxmgr-ls -P $TREE -1 --running | wc -l"
is "$many" 'each has an address' bash -c "lxmgr-ls -P $TREE --json | jq -r '.[].addresses[] | select(.family == \"ipv4\") | .address' | wc -l"
is '' 'of its own' bash -c "lxmgr-ls -P $TREE --json | jq -r '.[].addresses[] | select(.family == \"ipv4\") | .address' | sort | uniq -d"
ids() { for c in $names; do ps -o uid= -p "$(lx info -p -H "$c")"; done; }
is "$many" 'each has ids of its own' bash -c "$(declare -f ids lx); names='$(echo $names)'; TREE=$TREE; ids | sort -u | wc -l"
ok 'ls -f of all' lx ls -f
worst=0
for c in $names; do
	pid=$(lx info --json "$c" | jq .monitor_pid)
	kb=$(awk '/^Private_(Clean|Dirty)/ { s += $2 } END { print s }' "/proc/$pid/smaps_rollup")
	[ "$kb" -le "$worst" ] || worst=$kb
done
OUT="$worst kB"
[ "$worst" -gt 0 ] && [ "$worst" -le 64 ]
result $? 'a monitor has at most 64 kB of its own'
stop_round() {
	local c jobs=''
	for c in $names; do lx stop -k "$c" & jobs="$jobs $!"; done
	for c in $jobs; do wait "$c" || return 1; done
}
ok 'all are stopped at once' stop_round
is '0' 'none runs' bash -c "lxmgr-ls -P $TREE -1 --running | wc -l"
ok 'a second round' one_round
ok 'and its end' stop_round
finish
