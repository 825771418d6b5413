# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# lxmgr-console, start -F and attach on a terminal, with a user who types (terminal.py).
# In machines: check-vm-full.
. ./lib.sh
need python3

at() { # at STEP ... -- COMMAND ...
	timeout 150 python3 ./terminal.py "$@"
}
console() { # console OPTIONS -- STEP ...: a session on a terminal of a; the steps end it
	local o=()
	while [ "$1" != -- ]; do
		o+=("$1")
		shift
	done
	shift
	# The shell has long shown its prompt to nobody: Enter brings another.
	size=() && case $1 in size:*) size=("$1"); shift ;; esac
	at "${size[@]}" 'send:\r' 'expect:/ # ' "$@" -- lxmgr-console -P "$TREE" "${o[@]}" a
}
busybox a -s lxmgr.tty.max=2
root=$TREE/a/overlay/upper
mkdir -p "$root/etc"
cat >"$root/etc/inittab" <<'EOT'
::sysinit:/etc/init.d/rcS
console::respawn:/bin/sh
tty1::respawn:/bin/sh
tty2::respawn:/bin/sh
EOT
lx start a

# Which terminal one gets.
says '^/dev/console' 'terminal 0 is the console' console -q -t 0 -- 'send:tty\r' 'expect:/dev/\w+\r' 'send:\x01q'
says 'vt is 42 tty1' 'without a number the first free one' console -q -- 'send:echo vt is $((40+2)) $(basename $(tty))\r' 'expect:vt is 42 tty1' 'send:\x01q'
status 0 'terminal 2' console -q -t 2 -- 'send:echo vt is $((40+2)) $(basename $(tty))\r' 'expect:vt is 42 tty2' 'send:\x01q'
status 1 'terminal 3 there is not' lx console -q -t 3 a
says 'has no terminal 3 \(lxmgr.tty.max\)' 'which is said' lx console -q -t 3 a
says 'Ctrl-a q leaves' 'the way out is told' console -t 0 -- 'send:\x01q'

# One at a time. The first is known to have its terminal when it has shown an answer.
console -q -t 1 -- 'send:echo held $((40+2))\r' 'expect:held 42' 'send:touch /held; while [ -e /held ]; do sleep 0.1; done; echo free $((40+2))\r' 'expect:free 42' 'send:\x01q' >/dev/null 2>&1 &
first=$!
ok 'a client has terminal 1' eventually lx attach a -- test -e /held
status 1 'a second one is refused' lx console -q -t 1 a
says 'is in use' 'and told why' lx console -q -t 1 a
status 0 'without a number it gets the next' console -q -- 'send:echo vt $((40+2)) $(basename $(tty))\r' 'expect:vt 42 tty2' 'send:\x01q'
lx attach a -- rm /held
wait $first
is 0 'the first goes' echo $?
status 0 'then the terminal is free' console -q -t 1 -- 'send:echo again $((40+2))\r' 'expect:again 42' 'send:\x01q'

# The escape: its own key, the key itself, what is typed before it in one go.
status 0 'another escape key' console -q -t 1 -e ^b -- 'send:echo b $((40+2))\r' 'expect:b 42' 'send:\x02q'
status 0 'and Ctrl-a goes through then' console -q -t 1 -e b -- 'send:read x; printf %s "$x" | od -An -tx1\r' 'send:\x01q\r' 'expect:01 71' 'send:\x02q'
status 0 'the prefix twice is the prefix' console -q -t 1 -- 'send:read x; printf %s "$x" | od -An -tx1\r' 'send:\x01\x01y\r' 'expect:01 79' 'send:\x01q'
status 0 'another key after it sends both' console -q -t 1 -- 'send:read x; printf %s "$x" | od -An -tx1\r' 'send:\x01z\r' 'expect:01 7a' 'send:\x01q'
console -q -t 1 -- 'send:touch /typed-before\r\x01q' >/dev/null 2>&1
ok 'what was typed before the escape is not lost' eventually lx attach a -- test -e /typed-before
console -q -t 1 -- 'send:touch /typed-after; echo x\r' 'expect:x' 'send:\x01qtouch /never\r' >/dev/null 2>&1
status 1 'what was typed after it does not come in' lx attach a -- test -e /never

# The size, at first and when it changes.
says '33 117' 'the size of the terminal' console -q -t 1 -- size:33x117 'send:stty size\r' 'expect:33 117' 'send:\x01q'
status 0 'and a change of it' console -q -t 1 -- size:20x80 'send:echo up $((40+2))\r' 'expect:up 42' size:44x111 'send:sleep 0.3; stty size\r' 'expect:44 111' 'send:\x01q'
says '35 99' 'attach, too' at size:35x99 -- lxmgr-attach -P "$TREE" a -- stty size
status 0 'and its change' at size:20x80 'expect:go' size:41x101 'send:\r' 'expect:41 101' -- lxmgr-attach -P "$TREE" a -- sh -c 'echo go; read x; sleep 0.3; stty size'

# The terminal is given back as it was, and a hang-up frees it.
is "$(python3 ./terminal.py -- stty -a | tr -d '\r')" 'the terminal is as before' bash -c "python3 ./terminal.py 'send:\\r' 'expect:/ # ' 'send:\\x01q' -- sh -c 'lxmgr-console -q -P $TREE -t 1 a; stty -a' | tr -d '\\r' | sed -n 's/.*speed /speed /; /^speed/,\$p'"
console -q -t 1 -- 'send:echo hup $((40+2))\r' 'expect:hup 42' stop >/dev/null 2>&1
status 0 'after a hang-up another gets it' console -q -t 1 -- 'send:echo next $((40+2))\r' 'expect:next 42' 'send:\x01q'
lx stop -k a

# In the foreground.
busybox f
status 5 'start -F ends as the command' at -- lxmgr-start -P "$TREE" -F f -- /bin/sh -c 'exit 5'
status 6 'it is on this terminal' at 'expect:say:' 'send:hello\r' 'expect:you said hello' -- lxmgr-start -P "$TREE" -F f -- /bin/sh -c 'echo say:; read x; echo you said $x; exit 6'
says '37 91' 'of this size' at size:37x91 -- lxmgr-start -P "$TREE" -F f -- /bin/stty size
status 137 'a command that is killed is told as 128 + its signal' bash -c "lxmgr-start -P $TREE -F f -- /bin/sleep 60 >$TREE/.out 2>&1 & lxmgr-wait -P $TREE f -s RUNNING -t 15 && lxmgr-stop -P $TREE -k f; wait \$!"
lxmgr-start -P "$TREE" -F f >"$TREE/.out" 2>&1 </dev/null &
pid=$!
ok 'without a terminal, too' lx wait -s RUNNING -t 15 f
status 1 'its console is taken' lx console -q -t 0 f
ok 'it is stopped from elsewhere' lx stop -t 10 f
wait $pid
is 0 'the tool ends' echo $?
at 'expect:enter' stop -- lxmgr-start -P "$TREE" -F f >/dev/null 2>&1
is 'RUNNING' 'a hang-up of its terminal leaves it running' lx info -s -H f
status 0 'and its console is free' at 'send:\r' 'expect:Enter|# ' 'send:\x01q' -- lxmgr-console -q -P "$TREE" -t 0 f
lx stop -k f
busybox n -s lxmgr.tty.max=0
lx start n
says 'has no terminals \(lxmgr.tty.max\)' 'no terminal but the console: it is said so' lx console -q n
finish
