# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Who changed what, in the journal: the host's own where there is one, otherwise what listens in its place.
. ./lib.sh
need jq python3
SOCKET=/run/systemd/journal/socket
LISTENER=''
trap '[ -z "$LISTENER" ] || kill "$LISTENER"' EXIT

listen() { # listen SOCKET FILE: each message, as a line of JSON; a queue of 5 for those to come
	unshare -n sh -c 'echo 5 >/proc/sys/net/unix/max_dgram_qlen && exec python3 - "$@"' x "$1" "$2" <<'EOT' &
import json, os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
out = open(sys.argv[2], "a", buffering=1)
while True:
    text = s.recv(65536).decode()
    if text.startswith("<"):
        fields = {"MESSAGE": text}
    else:
        fields = dict(line.split("=", 1) for line in text.rstrip("\n").split("\n"))
    out.write(json.dumps(fields) + "\n")
EOT
	LISTENER=$!
	eventually [ -S "$1" ]
}
unlisten() { kill "$LISTENER" && wait "$LISTENER"; LISTENER=''; }

if [ -S "$SOCKET" ]; then
	entries() { journalctl --sync && journalctl -q -o json LXMGR_PATH="$TREE" + LXMGR_IMAGE=audit-test; }
	skip 'syslog' 'this host has a journal'
else
	made=''
	for d in /run/systemd /run/systemd/journal; do [ -d $d ] || { mkdir $d && made="$d $made"; }; done
	# The listener has written all that came before this.
	entries() {
		local mark=$RANDOM$RANDOM
		python3 -c 'import socket, sys
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(("SYNC=" + sys.argv[2]).encode(), sys.argv[1])' "$SOCKET" $mark
		eventually grep -q "\"$mark\"" "$TREE/entries"
		grep -v '"SYNC"' "$TREE/entries"
	}
	# Without a journal syslog has it, and without both it does nothing.
	ok 'without a log' lx create -q -t none -n nolog
	if [ -e /dev/log ]; then
		skip 'syslog' 'this host has one'
	else
		listen /dev/log "$TREE/syslog"
		lx destroy -q nolog
		eventually [ -s "$TREE/syslog" ]
		says '<85>lxmgr\[[0-9]+\]: nolog: destroy \(uid 0' 'syslog' cat "$TREE/syslog"
		unlisten
		rm /dev/log
	fi
	listen $SOCKET "$TREE/entries"
fi
last() { entries | tail -n 1 | jq -r "$1"; } # last FILTER: of the last one

busybox a
is 'a create busybox' 'create' last '[.LXMGR_CONTAINER, .LXMGR_VERB, .LXMGR_DETAIL] | join(" ")'
is 'lxmgr 5' 'by its name' last '[.SYSLOG_IDENTIFIER, .PRIORITY] | join(" ")'
lx start a
is 'a start' 'start' last '[.LXMGR_CONTAINER, .LXMGR_VERB] | join(" ")'
is "$TREE" 'of which directory' last .LXMGR_PATH
SUDO_USER=alice lx set -q a --memory=100M --owner=me
is 'set lxmgr.limit.memory=100M lxmgr.owner=me' 'set' last '[.LXMGR_VERB, .LXMGR_DETAIL] | join(" ")'
says '^a: set lxmgr.limit.memory=100M lxmgr.owner=me \(uid 0,( login [0-9]+,)? sudo of alice, pid [0-9]+\)$' 'for people' last .MESSAGE
n=$(entries | wc -l)
lx set -q a --memory=50M --dry-run
lx info a >/dev/null
lx usage a >/dev/null
is "$n" 'what changes nothing is not told' bash -c "$(declare -f entries eventually); SOCKET=$SOCKET TREE=$TREE; entries | wc -l"
lx attach a -- true
is 'attach true' 'who entered' last '[.LXMGR_VERB, .LXMGR_DETAIL] | join(" ")'
lx freeze a
is 'freeze' 'freeze' last .LXMGR_VERB
lx unfreeze a
lx cgroup a pids.max 77
is 'cgroup pids.max=77' 'a control file' last '[.LXMGR_VERB, .LXMGR_DETAIL] | join(" ")'
lx cgroup a pids.max >/dev/null
is 'cgroup pids.max=77' 'not one that is read' last '[.LXMGR_VERB, .LXMGR_DETAIL] | join(" ")'
lx stop -q -k a
is 'stop by force' 'stop' last '[.LXMGR_VERB, .LXMGR_DETAIL] | join(" ")'

# Failures, with the reason; and nobody writes a line of his own.
lx stop a 2>/dev/null
is 'stop 4' 'a failure' last '[.LXMGR_VERB, .PRIORITY] | join(" ")'
says 'not running' 'has its reason' last .LXMGR_FAILED
lx config a 'lxmgr.description=two words' >/dev/null
is 'config lxmgr.description=two words' 'a key' last '[.LXMGR_VERB, .LXMGR_DETAIL] | join(" ")'
lx config a 'lxmgr.environment=TOKEN=secret1234' >/dev/null
is 'config lxmgr.environment=...' 'no secret' last '[.LXMGR_VERB, .LXMGR_DETAIL] | join(" ")'
# The journal itself keeps what ps showed.
is '' 'nowhere in it' bash -c "$(declare -f entries eventually); SOCKET=$SOCKET TREE=$TREE; entries | jq -c 'del(._CMDLINE)' | grep secret1234"
lx push a /etc/hostname $'/tmp/x\nLXMGR_VERB=forged\x1b[31m'
is 'push' 'a line break forges no field' last .LXMGR_VERB
is '/tmp/x\x0aLXMGR_VERB=forged\x1b[31m' 'nor a colour' last .LXMGR_DETAIL

# What a restore, a copy and the end are called.
lx snapshot -q a s1
is 'snapshot s1' 'snapshot' last '[.LXMGR_VERB, .LXMGR_DETAIL] | join(" ")'
lx snapshot -q a -r s1
is 'snapshot, restore s1' 'restore' last '[.LXMGR_VERB, .LXMGR_DETAIL] | join(" ")'
lx copy -q -s a b
is 'a copy b' 'copy' last '[.LXMGR_CONTAINER, .LXMGR_VERB, .LXMGR_DETAIL] | join(" ")'
lx copy -q -R b c
is 'b rename c' 'rename' last '[.LXMGR_CONTAINER, .LXMGR_VERB, .LXMGR_DETAIL] | join(" ")'
lx destroy -q c
is 'c destroy' 'destroy' last '[.LXMGR_CONTAINER, .LXMGR_VERB] | join(" ")'
lx export -q a "$TREE/.a.tar.zst"
lx import -q -n d "$TREE/.a.tar.zst"
is 'd import' 'import' last '[.LXMGR_CONTAINER, .LXMGR_VERB] | join(" ")'
rm "$TREE/.a.tar.zst"

# Images.
lx image -q publish a --as audit-test
is 'audit-test publish a' 'an image' last '[.LXMGR_IMAGE, .LXMGR_VERB, .LXMGR_DETAIL] | join(" ")'
says '^image audit-test: publish a \(uid 0' 'for people' last .MESSAGE
lxmgr-image -q delete audit-test
is 'audit-test delete null' 'deleted' last '[.LXMGR_IMAGE, .LXMGR_VERB, .LXMGR_FAILED | tostring] | join(" ")'
lxmgr-image delete audit-test 2>/dev/null
is 'audit-test delete 4' 'not deleted' last '[.LXMGR_IMAGE, .LXMGR_VERB, .PRIORITY] | join(" ")'

# A log that takes nothing more keeps nobody waiting for ever.
if [ -n "$LISTENER" ]; then
	kill -STOP "$LISTENER"
	ok 'a log that hangs' timeout 20 bash -c "for i in \$(seq 15); do lxmgr-config -P $TREE a lxmgr.description=\$i || exit; done"
	kill -CONT "$LISTENER"
	lx config a lxmgr.description=after
	says 'description=after' 'that goes on' last .LXMGR_DETAIL
	ok 'and has lost some' bash -c "! grep -q description=15 $TREE/entries && grep -q description=3 $TREE/entries"
	unlisten
	rm $SOCKET
	# shellcheck disable=SC2086
	[ -z "$made" ] || rmdir $made
fi
finish
