# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# In machines: check-vm-full.
. ./lib.sh

# talk NAME KEYS [OPTIONS]: a console session on a terminal of its own; KEYS go in, a second later
# the escape (Ctrl-a q) follows. Prints what the terminal showed.
talk() {
	local keys=$1 end=$2
	shift 2
	{
		sleep 1
		printf '%b' "$keys"
		sleep 1
		printf '%b' "$end"
		sleep 3
	} | timeout 20 script -qec "lxmgr-console -P $TREE a $*" /dev/null
}
busybox a
status 4 'a stopped one has no console' lx console -q a </dev/null
lx start a
says 'answer-42' 'the console is a shell of the container' talk '\necho answer-$((40+2))\n' '\001q' -t 0
start=$SECONDS
talk '' '\001q' -t 0 >/dev/null
ok 'Ctrl-a q leaves, and at once' test $((SECONDS - start)) -lt 10
says '1 q' 'another escape' bash -c "{ sleep 1; printf '\\002q'; sleep 3; } | timeout 20 script -qec 'lxmgr-console -P $TREE a -t 0 -e b' /dev/null >/dev/null; echo 1 q"
is 'RUNNING' 'the container runs on' lx info -s -H a
status 64 'a wrong escape is refused' lx console -e 42 a
says 'tty|terminal' 'a terminal that does not exist is refused' lx console -q -t 99 a
status 64 'so is a bad number' lx console -t x a
on_console() {
	lx attach a -- sh -c 'for p in /proc/[1-9]*; do [ "$(readlink "$p/fd/0")" = /dev/console ] && echo "$p"; done; true'
}
before=$(on_console)
status 0 'the end of the input leaves' lx console -q -t 0 a
is "$before" 'and logs nobody out' on_console

# One client at a time: the second is told.
{ sleep 4; printf '\001q'; sleep 2; } | timeout 20 script -qec "lxmgr-console -P $TREE a -t 0" /dev/null >/dev/null &
sleep 1.5
says 'busy|in use|used' 'a terminal in use is refused' bash -c "{ sleep 1; printf '\\001q'; } | timeout 5 script -qec 'lxmgr-console -q -P $TREE a -t 0' /dev/null"
wait $!

lx stop -k a
ok 'start with a log of the console' lx start -L "$TREE/.console.log" a
says 'logged-7' 'again a shell' talk '\necho logged-$((3+4))\n' '\001q' -t 0
is '640' 'which is not for everybody' stat -c %a "$TREE/.console.log"
lx stop -k a

# A client that dies leaves the terminal for the next one.
lx start a
{ sleep 30; } | timeout 20 script -qec "lxmgr-console -P $TREE a -t 0" /dev/null >/dev/null &
sleep 1
client=$(pgrep -f "^lxmgr-console -P $TREE a -t 0$")
ok 'a client is there' test -n "$client"
kill -9 "$client"
sleep 0.5
status 0 'after its death another gets the terminal' bash -c "{ sleep 1; printf '\\001q'; sleep 2; } | timeout 10 script -qec 'lxmgr-console -q -P $TREE a -t 0' /dev/null"
wait
finish
