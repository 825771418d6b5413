# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016,SC2034
# What a verb finds when it gets a lock that it waited for; and what nobody holds any more is removed.
# In machines: check-vm-full.
. ./lib.sh
need flock strace

# late STATUS NAME FILE COMMAND...: it is run while FILE is held, and $MEANWHILE happens before it gets it.
late() {
	local want=$1 name=$2 file=$3 rc=0 pid
	shift 3
	hold "$file"
	"$@" >"$TREE/.said" 2>&1 </dev/null &
	pid=$!
	OUT=''
	eventually waits_for $pid "$file"
	result $? "$name: waits"
	"$MEANWHILE"
	let_go
	wait $pid || rc=$?
	OUT="status $rc, not $want: $(cat "$TREE/.said")"
	[ "$rc" = "$want" ]
	result $? "$name"
}

# The name is gone: what is locked is another container's.
busybox a
printf '#!/bin/sh\necho "$@" >>%s/.hook\n' "$TREE" >"$TREE/hook"
chmod 0755 "$TREE/hook"
lx config -n a "lxmgr.hook.destroy=$TREE/hook"
cp "$TREE/a/config" "$TREE/.config"
moved() { mv "$TREE/a" "$TREE/b"; }
MEANWHILE=moved
for verb in 'config lxmgr.limit.pids=99' snapshot destroy start 'stop -k' 'setup --hostname x' 'mount' 'disk --resize 1G'; do
	read -ra args <<<"$verb"
	late 3 "$verb of one that was renamed" "$TREE/a/lock" \
		"lxmgr-${args[0]}" -P "$TREE" -n a "${args[@]:1}"
	says 'renamed or destroyed' 'which it says' cat "$TREE/.said"
	ok 'the other is as it was' cmp "$TREE/b/config" "$TREE/.config"
	ok 'and nothing is made in the old place' test ! -e "$TREE/a"
	rm -rf --one-file-system "$TREE/a"
	mv "$TREE/b" "$TREE/a"
done
is '' 'it has no snapshot' lx snapshot -L a
ok 'no hook was run' test ! -e "$TREE/.hook"

# Another one has the name.
busybox b
lx config -n b lxmgr.uts.name=second
swapped() {
	mv "$TREE/a" "$TREE/.a"
	mv "$TREE/b" "$TREE/a"
}
MEANWHILE=swapped
late 0 'start' "$TREE/a/lock" lxmgr-start -P "$TREE" a -s lxmgr.limit.pids=77
is 'second' 'the config is the one of what is started' lx attach a -- hostname
is '77' 'with what the start adds' lx cgroup a pids.max
lx stop -k a
mv "$TREE/a" "$TREE/b"
mv "$TREE/.a" "$TREE/a"

# A snapshot that somebody reads is not destroyed with its container.
lx snapshot -q a s
still() {
	sleep 1
	[ -d "$TREE/a/snapshots/s/rootfs" ] || [ -s "$TREE/a/snapshots/s/storage" ]
	result $? 'it is still there'
}
MEANWHILE=still
late 0 'destroy -s' "$TREE/a/snapshots/s/lock" lxmgr-destroy -P "$TREE" -q -s a
ok 'then it is gone' test ! -e "$TREE/a"
is '' 'with all that was its' find "$TREE" -maxdepth 1 -name '.a.*'
# Nor renamed away under who reads it.
busybox a
lx snapshot -q a s
named() {
	sleep 1
	ok 'it has its name' test -d "$TREE/a/snapshots/s" -a ! -e "$TREE/r"
}
MEANWHILE=named
late 0 'rename' "$TREE/a/snapshots/s/lock" lxmgr-copy -P "$TREE" -q -R a r
ok 'then it has the other' test -d "$TREE/r/snapshots/s" -a ! -e "$TREE/a"
hold "$TREE/r/snapshots/s/lock"
status 137 'one that is killed while it waits' timeout -s KILL 2 lxmgr-copy -P "$TREE" -q -R r a
let_go
ok 'has changed nothing' test -d "$TREE/r/snapshots/s" -a ! -e "$TREE/a"
ok 'and it can be done then' lx copy -q -R r a
lx destroy -q -s a
busybox a -s lxmgr.ephemeral=1
lx snapshot -q a s
lx start a
hold "$TREE/a/snapshots/s/lock"
ok 'an ephemeral one stops' lx stop -k a
ok 'and stays as long as somebody reads its snapshot' test -d "$TREE/a/snapshots/s"
let_go
ok 'destroy' lx destroy -q -s a

# What was left is known by its lock, not by the number of who made it: that may be somebody else's by now.
left() { find "$TREE" -maxdepth 1 -name '.*.new-*' -o -maxdepth 1 -name '.*.dead-*'; }
mkdir -p "$TREE/.gone.new-$$/rootfs" "$TREE/.gone.dead-$$" "$TREE/.held.new-4000000000" "$TREE/.no-$$"
hold "$TREE/.held.new-4000000000/lock"
busybox a
is "$TREE/.held.new-4000000000" 'what nobody holds goes, whatever its number' left
ok 'what only looks like it does not' test -d "$TREE/.no-$$"
let_go
# The number is taken: by what is removed, and by what is held.
ok 'a create has its number to itself' bash -c 'mkdir -p $TREE/.c.new-$$/rootfs; exec lxmgr-create -P $TREE -q -t busybox c'
ok 'or takes another' bash -c 'mkdir $TREE/.d.new-$$; flock $TREE/.d.new-$$/lock sleep 1000 >/dev/null 2>&1 & echo $! >$TREE/.sleeper
	while flock -n $TREE/.d.new-$$/lock true; do sleep 0.1; done; exec lxmgr-create -P $TREE -q -t busybox d'
ok 'without a word to the other' test -d "$TREE"/.d.new-*
pkill -P "$(cat "$TREE/.sleeper")" -x sleep
ok 'a destroy, too' bash -c 'mkdir -p $TREE/.c.dead-$$/rootfs; exec lxmgr-destroy -P $TREE -q c'
lx snapshot -q d s
ok 'so does that of a snapshot' bash -c 'mkdir -p $TREE/d/snapshots/.s.dead-$$/rootfs; exec lxmgr-snapshot -P $TREE -q d -d s'
is '' 'nothing is left' left
is '' 'there, too' find "$TREE/d/snapshots" -name '.s.*'

# A name may look like one of these itself: what was reserved for it is given back.
reserved() { awk -v id="$TREE/$1" '$3 == id { n++ } END { print n + 0 }' "$VAR/lib/lxmgr/idmap"; }
busybox a.new-1
is 1 'one with such a name has ids' reserved a.new-1
mv "$TREE/a.new-1" "$TREE/.a.new-1.new-4000000000"
lx destroy -q d
is 0 'which are free again' reserved a.new-1
is 1 'and not those of another' reserved a

# Several make the same name: what one of them gives up is the other's by then.
leased() { awk -v id="$TREE/$1" -F '\t' '$1 == id { n++ } END { print n + 0 }' "$VAR/lib/lxmgr/leases"; }
late_create() { # late_create MS: make `same`, with a pause before it has its name
	strace -f -qq -o /dev/null -e trace=renameat2 -e inject="renameat2:delay_enter=${1}000" \
		lxmgr-create -P "$TREE" -q -t busybox same >/dev/null 2>&1
}
fails_late() { # fails_late N: its N-th such rename is not done; the last one would give the name
	strace -f -qq -o /dev/null -e trace=renameat2 -e "inject=renameat2:error=EIO:when=$1" lxmgr-create -P "$TREE" -q -t busybox same
}
late_create 6000 &
pid=$!
eventually eval '[ "$(reserved same)" = 1 ]'
status 1 'a second one fails' fails_late 1
ok 'before the first one is there' test ! -e "$TREE/same"
is '1 1' 'which has its ids and its address still' eval 'echo $(reserved same) $(leased same)'
status 4 'nor is another renamed to it' lx copy -q -R a same
wait $pid
result $? 'it is made'
is '1 1' 'with both' eval 'echo $(reserved same) $(leased same)'
ok 'it starts' lx start same
lx stop -q -k same
lx destroy -q same
mkdir "$TREE/.killed"
late_create 6000 &
pid=$!
eventually eval '[ "$(reserved same)" = 1 ]'
mv "$TREE/.killed" "$TREE/.same.new-4000000000"
# To make it one of the dead is the first rename.
status 1 'one cleans up what a killed one left' fails_late 2
ok 'before the other is there, too' test ! -e "$TREE/same"
status 1 'it is gone' test -e "$TREE/.same.new-4000000000"
wait $pid
result $? 'the other is made'
is '1 1' 'it has what it needs' eval 'echo $(reserved same) $(leased same)'
lx destroy -q same
is '0 0' 'and all is free when it has gone' eval 'echo $(reserved same) $(leased same)'
status 1 'one that fails alone' fails_late 1
is '0 0' 'keeps nothing' eval 'echo $(reserved same) $(leased same)'
for round in 1 2 3; do
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		case $((i % 3)) in
		0) fails_late 1 >/dev/null 2>&1 ;;
		1) lx create -q -t busybox same >/dev/null 2>&1 && echo "$i" >>"$TREE/.won" ;;
		2) lx destroy -q -f same >/dev/null 2>&1 ;;
		esac &
		pids[i]=$!
	done
	wait "${pids[@]}"
	want=0
	[ ! -d "$TREE/same" ] || want=1
	is "$want $want" "round $round of many at once: what there is has its own" eval 'echo $(reserved same) $(leased same)'
	is '' "round $round leaves nothing else" left
	lx destroy -q -f same >/dev/null 2>&1
	is '0 0' "round $round is over" eval 'echo $(reserved same) $(leased same)'
done
ok 'somebody won' test -s "$TREE/.won"
finish
