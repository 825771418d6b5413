# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# lxmgr-autostart: which, in what order, side by side; and lxmgr.start.restart.
. ./lib.sh

LOG=$TREE/order
state() { lx info -s -H "$1"; }
pid() { lx info -p -H "$1"; }
all_are() { # all_are STATE NAME...
	local want=$1 c
	shift
	for c; do
		[ "$(state "$c")" = "$want" ] || return 1
	done
}
# note NAME: it says when its start begins and when it is done, and when it stops.
printf '#!/bin/sh\necho "$1 $2" >>%s\n' "$LOG" >"$TREE/say"
printf '#!/bin/sh\nexec sleep 600\n' >"$TREE/hang"
chmod 0755 "$TREE/say" "$TREE/hang"
note() {
	lx config -n "$1" "lxmgr.hook.pre-start=$TREE/say begin"
	lx config -n "$1" "lxmgr.hook.start-host=$TREE/say up"
	lx config -n "$1" "lxmgr.hook.stop=$TREE/say stop"
}
# before WHAT WHICH WHAT WHICH: that line stands before this one.
before() {
	local a b
	a=$(grep -nx "$1 $2" "$LOG" | tail -n 1 | cut -d: -f1)
	b=$(grep -nx "$3 $4" "$LOG" | tail -n 1 | cut -d: -f1)
	echo "$1 $2: line ${a:-none}; $3 $4: line ${b:-none}"
	[ -n "$a" ] && [ -n "$b" ] && [ "$a" -lt "$b" ]
}

# web after app after db; first has the highest order, late none; grouped is in a group.
for c in db app web first late grouped manual; do
	busybox "$c"
	note "$c"
	[ "$c" = manual ] || lx config -n "$c" lxmgr.start.auto=1
done
lx config -n web lxmgr.start.after=app
lx config -n app lxmgr.start.after=db
lx config -n web lxmgr.start.order=100
lx config -n first lxmgr.start.order=50
lx config -n grouped lxmgr.group=extra
is 'web 0
first 0
app 0
db 0
late 0' 'the list is in the order of lxmgr.start.order' lx autostart -L
is 'grouped 0' 'a group has its own' lx autostart -L -g extra
is 'grouped 0
web 0' 'groups come in their order, none behind the comma' \
	bash -c "lxmgr-autostart -P $TREE -L -g extra, | head -n 2"
is '6' 'all of them with -a' bash -c "lxmgr-autostart -P $TREE -L -a | wc -l"
is '7' 'and those without start.auto with -A' bash -c "lxmgr-autostart -P $TREE -L -a -A | wc -l"
is '["app"]' 'as JSON' bash -c "lxmgr-autostart -P $TREE -L --json | jq -c '.[0].after'"
is '' 'none runs that could be stopped' lx autostart -s -L

ok 'autostart' lx autostart
ok 'they run' all_are RUNNING web first app db late
ok 'others do not' all_are STOPPED grouped manual
ok 'what others are after comes first' before up db begin app
ok 'through the chain' before up app begin web
ok 'a higher order comes first' before up first begin db
is '' 'a second one has nothing to do' lx autostart
is 'app
db' 'the list of those to stop' bash -c "lxmgr-autostart -P $TREE -s -L | grep -x 'app\|db'"
ok 'autostart -s' lx autostart -s -t 20
ok 'they are stopped' all_are STOPPED web first app db late
ok 'in reverse' before stop web stop app
ok 'through the chain' before stop app stop db
ok 'and by order' before stop late stop first

# What is named is started too, and what is missing or fails does not keep the others.
lx config -n manual lxmgr.group=more
lx config -n grouped lxmgr.start.after=manual
lx config -n grouped lxmgr.start.after=nosuch
ok 'one is after what has no start.auto' lx autostart -q -g extra
ok 'which is started' all_are RUNNING grouped manual
ok 'kill them' lx autostart -k -a -A
lx config -n db 'lxmgr.hook.pre-start=/bin/false'
status 1 'one that fails is told by the status' lx autostart -q
says "db: .*pre-start" 'and by name' lx autostart -q
ok 'the others run' all_are RUNNING web app first late
ok 'kill all' lx autostart -k -a -A

# Names of others are checked.
says 'makes a circle' 'a circle is refused' lx config -n db lxmgr.start.after=web
says 'after itself' 'and one of one' lx config -n db lxmgr.start.after=db
says 'no container name' 'and what is no name' lx config -n db lxmgr.start.after=../db
printf 'lxmgr.start.after = web\n' >>"$TREE/db/config"
says 'circle' 'one that was made by hand is told' lx autostart
is '' 'and nothing is started' lx autostart -s -L
sed -i '$d' "$TREE/db/config"

# Delays hold back what follows, and starts of one order wait for nobody else.
lx config -n db lxmgr.hook.pre-start=
lx autostart -k -a -A
: >"$LOG"
note first
lx config -n first lxmgr.start.delay=3
begin=$SECONDS
ok 'with a delay' lx autostart -q
ok 'which is waited for' test $((SECONDS - begin)) -ge 3
ok 'by those behind it' before up first begin late
lx autostart -k -q -a
lx config -n first --unset lxmgr.start.delay

# Side by side: two whose pre-start hooks wait for each other; the cap of the host is at least four.
for c in one two; do
	busybox "$c"
	lx config -n "$c" lxmgr.start.auto=1
	lx config -n "$c" lxmgr.group=pair
done
meet() { # meet HERE THERE
	printf '#!/bin/sh\n: >%s/at.%s\nn=0\nuntil [ -e %s/at.%s ] || [ $((n += 1)) = 300 ]; do sleep 0.1; done\n[ -e %s/at.%s ]\n' \
		"$TREE" "$1" "$TREE" "$2" "$TREE" "$2" >"$TREE/meet.$1"
	chmod 0755 "$TREE/meet.$1"
	lx config -n "$1" "lxmgr.hook.pre-start=$TREE/meet.$1"
}
meet one two
meet two one
ok 'two that meet while they start' lx autostart -q -g pair
ok 'both run' all_are RUNNING one two

# All that runs, of all trees: another tree, and a command without a container. Only where nothing
# else runs on this host would this be fair to others.
if [ "$(find "$RUN" -mindepth 1 -maxdepth 1 ! -name '.*' | wc -l)" = 2 ]; then
	OTHER=$(mktemp -d /var/lib/lxmgr-other.XXXXXX)
	lxmgr-create -P "$OTHER" -q -t busybox -n far
	lxmgr-start -P "$OTHER" far
	ok 'all trees are listed' bash -c '[ "$(lxmgr-autostart -s --all-trees -L | sort | xargs)" = "far one two" ]'
	ok 'and stopped' lxmgr-autostart -q -s --all-trees -t 20
	is 'STOPPED' 'in the other tree too' lxmgr-info -P "$OTHER" -s -H far
	ok 'and here' all_are STOPPED one two
	lxmgr-destroy -P "$OTHER" -q -f far
	rm -rf --one-file-system "$OTHER"
else
	skip 'all that runs, of all trees' 'other containers run on this host'
	lx autostart -q -k -g pair
fi

# A start that is killed gives its place back, and so many wait for so few places. The setting is the
# host's: it is put back.
CONF=$(lxmgr-config lxmgr.default_config)
CONF=${CONF%/*}/lxmgr.conf
cp -a "$CONF" "$TREE/lxmgr.conf"
printf 'lxmgr.start.parallel = 1\n' >>"$CONF"
lx config -n one lxmgr.hook.pre-start=
lx config -n two lxmgr.hook.pre-start=
ok 'one place for all' lx autostart -q -g pair,
ok 'is enough' all_are RUNNING one two web app first db late
lx autostart -q -k -a
lx config -n one "lxmgr.hook.pre-start=$TREE/hang"
lxmgr-autostart -P "$TREE" -q -g pair &
starter=$!
eventually all_are STARTING one
mapfile -t children < <(pgrep -P "$starter")
kill -9 "$starter" "${children[@]}"
lx stop -k one >/dev/null 2>&1
lx config -n one lxmgr.hook.pre-start=
ok 'a place is free again when its holder was killed' lx autostart -q -g ''
lx autostart -q -k -a
cp -a "$TREE/lxmgr.conf" "$CONF"

# Restart policy, by the monitor: this tree has no units.
busybox r
# With the new init there is a pid while it still is STARTING, where nothing can be attached.
restarted() {
	local p
	p=$(pid r)
	[ -n "$p" ] && [ "$p" != "$old" ] && [ "$(state r)" = RUNNING ]
}
lx config -n r lxmgr.start.restart=on-failure
printf '#!/bin/sh\n! rm %s/fail 2>/dev/null\n' "$TREE" >"$TREE/once"
chmod 0755 "$TREE/once"
lx config -n r "lxmgr.hook.pre-start=$TREE/once"
lx start r
old=$(pid r)
dir=$(run_dir r)
exec {held}<"$dir"
: >"$TREE/fail"
kill -9 "$old"
ok 'it waits before it is started again' eventually bash -c "lxmgr-info -P $TREE --json r | jq -e .waiting"
says '^Restart: ' 'which info tells' lx info r
status 4 'stop -r has nothing to ask then' lx stop -r r
ok 'and it is, though the first time fails' eventually restarted
ok 'which it did' test ! -e "$TREE/fail"
ok 'nobody took it for stopped meanwhile' test "/proc/$$/fd/$held" -ef "$dir"
exec {held}<&-
old=$(pid r)
lx attach r -- poweroff
ok 'a halt from inside is no failure' lx wait -s STOPPED -t 30 r
sleep 3
is 'STOPPED' 'and stays' state r
lx start r
kill -9 "$(pid r)"
eventually bash -c "lxmgr-info -P $TREE --json r | jq -e .waiting"
ok 'stop ends the wait' lx stop r
sleep 3
is 'STOPPED' 'for good' state r
lx start r
old=$(pid r)
kill -9 "$old"
eventually bash -c "lxmgr-info -P $TREE --json r | jq -e .waiting"
ok 'start ends it too' lx start r
is 'RUNNING' 'at once' state r
lx config -n r lxmgr.start.restart=always
lx stop -k r
lx start r
old=$(pid r)
lx attach r -- poweroff
ok 'always: also behind a halt from inside' eventually restarted
ok 'but not behind a stop' lx stop -t 20 r
sleep 3
is 'STOPPED' 'it is stopped' state r
lx start r
old=$(pid r)
lx attach r -- reboot
ok 'a reboot is none of it' eventually restarted
lx stop -k r
finish
