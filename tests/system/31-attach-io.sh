# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# What attach does with its descriptors, in every mix of terminal, file and pipe, and how it ends.
# In machines: check-vm-full.
. ./lib.sh
need python3

busybox a
lx start a
at="lxmgr-attach -P $TREE a --"

# All exit statuses, in one session of this shell.
OUT=$(for rc in $(seq 0 255); do
	$at sh -c "exit $rc" </dev/null
	got=$?
	[ $got = "$rc" ] || echo "$rc became $got"
done 2>&1)
[ -z "$OUT" ]
result $? 'every exit status from 0 to 255 comes back'
# Not 3: busybox sh takes SIGQUIT for itself.
OUT=$(for sig in 1 2 4 5 6 7 8 9 10 11 12 13 14 15 16 24 25 26 27 29 30 31 34 50 64; do
	$at sh -c "kill -$sig \$\$; sleep 5" </dev/null
	got=$?
	[ $got = $((128 + sig)) ] || echo "signal $sig became $got"
done 2>&1)
[ -z "$OUT" ]
result $? 'every deadly signal as 128 + its number'
OUT=$(for rc in 0 1 77 255; do
	python3 ./terminal.py -- lxmgr-attach -P "$TREE" a -- sh -c "exit $rc"
	got=$?
	[ $got = "$rc" ] || echo "$rc became $got"
done 2>&1)
[ -z "$OUT" ]
result $? 'on a terminal, too'
status 137 'and signals' python3 ./terminal.py -- lxmgr-attach -P "$TREE" a -- sh -c 'kill -9 $$'

# What each of the three is inside, for every mix outside. T: terminal, F: file, P: pipe, N: null,
# C: closed. A terminal outside is another one inside; all else is passed as it is.
kinds='for f in 0 1 2; do
	if [ -t $f ]; then k=T; elif [ -p /proc/self/fd/$f ]; then k=P; elif [ -f /proc/self/fd/$f ]; then k=F
	elif [ -c /proc/self/fd/$f ]; then k=N; else k=C; fi
	r=$r$k
done
echo $r >/kinds'
mix() { # mix KINDS: run `kinds` with these
	local cmd=$at' sh -c "$kinds"' i=0 k
	for k in $(echo "$1" | grep -o .); do
		case $i$k in
		0F) cmd="$cmd <$TREE/a/config" ;;
		?F) cmd="$cmd $i>$TREE/.file$i" ;;
		0P) cmd="sleep 1 | $cmd" ;;
		1P) cmd="$cmd > >(cat >/dev/null)" ;;
		2P) cmd="$cmd 2> >(cat >/dev/null)" ;;
		0N) cmd="$cmd </dev/null" ;;
		?N) cmd="$cmd $i>/dev/null" ;;
		?C) cmd="$cmd $i>&-" ;;
		esac
		i=$((i + 1))
	done
	export kinds
	timeout 30 python3 ./terminal.py -- bash -c "$cmd" >/dev/null 2>&1
	cat "$TREE/a/overlay/upper/kinds"
}
bad='' n=0
for m in $(places {T,F,P,N}{T,F,P,N}{T,F,P,N}); do
	got=$(mix "$m")
	n=$((n + 1))
	[ "$got" = "$m" ] || bad="$bad $m:$got"
done
is '' "$n mixes of terminal, file, pipe and null are the same inside" echo "$bad"
# A closed one must not become a door to something else: it is closed or null inside.
for m in CFF FCF FFC CTT TCT TTC; do
	says '^[TFCN]{3}$' "with one closed ($m)" mix $m
	says "^${m//C/[CN]}\$" 'the others are as they are' mix $m
done

# Bulk: intact, through pipe, file and terminal, both ways at once.
head -c 8M /dev/urandom >"$TREE/.bulk"
sum=$(sha256sum <"$TREE/.bulk")
is "$sum" '8 MB in by a file' bash -c "$at sha256sum <$TREE/.bulk"
is "$sum" 'by a pipe' bash -c "cat $TREE/.bulk | $at sha256sum"
is "$sum" 'out to a file' bash -c "$at cat <$TREE/.bulk >$TREE/.out; sha256sum <$TREE/.out"
is "$sum" 'to a pipe' bash -c "cat $TREE/.bulk | $at cat | sha256sum"
is "$sum" 'out of stderr' bash -c "cat $TREE/.bulk | $at sh -c 'cat >&2' 2>&1 >/dev/null | sha256sum"
is "$sum" 'through a slow reader' bash -c "cat $TREE/.bulk | $at cat | (sleep 1; cat) | sha256sum"
is "$sum" 'stdout to a pipe while stderr is a terminal' bash -c "timeout 150 python3 ./terminal.py -- bash -c '$at cat <$TREE/.bulk | sha256sum >$TREE/.sum' >/dev/null; cat $TREE/.sum"
is "$sum" 'stdin of a file while stdout is a terminal' bash -c "timeout 150 python3 ./terminal.py -- bash -c '$at sha256sum <$TREE/.bulk' | tr -d '\\r'"
# Out through a terminal: only that the line ends are its own.
head -c 1536K /dev/urandom | base64 >"$TREE/.text"
cp "$TREE/.text" "$TREE/a/overlay/upper/text"
is "$(sha256sum <"$TREE/.text")" '2 MB of text out of a terminal' bash -c "timeout 150 python3 ./terminal.py -- $at sh -c 'stty -opost; cat /text' | sha256sum"
status 141 'a reader that goes away is told to the command' bash -c "$at yes | head -n 1 >/dev/null; exit \${PIPESTATUS[0]}"
status 1 'a full disk, too' bash -c "$at sh -c 'echo x || exit 1' >/dev/full"
is 'in' 'the end of the input is passed on' bash -c "echo in | $at cat"

# What it was asked to run may outlive attach's interest; attach does not wait for its children.
ok 'a process left behind does not hold it' timeout 20 bash -c "$at sh -c 'sleep 100 >/dev/null 2>&1 </dev/null & exit 0'"
ok 'nor on a terminal' timeout 20 python3 ./terminal.py -- lxmgr-attach -P "$TREE" a -- sh -c 'trap "" HUP; sleep 100 & exit 0'
# Ctrl-C on the terminal inside goes to the command, not to attach.
status 42 'Ctrl-C reaches the command' python3 ./terminal.py 'expect:ready' 'send:\x03' -- lxmgr-attach -P "$TREE" a -- sh -c 'trap "exit 42" INT; echo ready; while :; do sleep 0.1; done'
status 0 'Ctrl-D is the end of its input' python3 ./terminal.py 'expect:go' 'send:one\r\x04' 'expect:got one' -- lxmgr-attach -P "$TREE" a -- sh -c 'echo go; x=$(cat); echo got $x'
# attach is killed: so is the command, also one that is not root's.
sleepers() { lx attach a -- ps | grep 'sleep 100[0]'; }
gone() { [ -z "$(sleepers)" ]; }
for user in 0 65534; do
	lxmgr-attach -P "$TREE" -u "$user" a -- sleep 1000 &
	pid=$!
	ok "a command of user $user runs" eventually sleepers
	kill -9 $pid
	wait $pid 2>/dev/null
	eventually gone
	is '' 'when attach is killed, it goes too' sleepers
done
finish
