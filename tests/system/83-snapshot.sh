# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Snapshots: create, list, restore in place and as a new container, destroy.
# In machines: check-vm-full.
. ./lib.sh
need jq strace

layers() { find "$TREE/.layers" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l; }

for b in dir overlay; do
	busybox a -B $b
	inside a 'echo one >/f; mkdir /d; chown 5:6 /d'
	ok "$b: snapshot" lx snapshot a first --comment 'the first one'
	inside a 'echo two >/f; rm -r /d; echo new >/g'
	ok "$b: another" lx snapshot a
	inside a 'echo three >/f'
	is 'first snap0' "$b: they are listed" bash -c "lxmgr-snapshot -P $TREE -L --json a | jq -r '[.[].name] | join(\" \")'"
	is 'first' "$b: as a tree" bash -c "lxmgr-snapshot -P $TREE -L --json a | jq -r '.[1].parent'"
	ok "$b: with size and time" bash -c "lxmgr-snapshot -P $TREE -L --json a | jq -e 'all(.[]; .size > 0 and (now - .created | . >= -1 and . < 600)) and .[0].created <= .[1].created'"
	says '^first +20[0-9]{2}(-[0-9]{2}){2} ([0-9]{2}:){2}[0-9]{2} +[0-9.]+ ' "$b: in words, too" lx snapshot -L a
	says '^  snap0 ' "$b: the one made from another stands below it, moved in" lx snapshot -L a
	says 'the first one' "$b: with comments" lx snapshot -LC a
	status 4 "$b: the container is not destroyed with them by accident" lx destroy a
	ok "$b: restore" lx snapshot a -r first
	is 'one 5:6' "$b: it is as it was" inside a 'echo $(cat /f; stat -c %u:%g /d)'
	status 1 "$b: without what came later" inside a 'test -e /g'
	ok "$b: a snapshot stands on the restored one" lx snapshot a side
	is 'first' "$b: in the tree, too" bash -c "lxmgr-snapshot -P $TREE -L --json a | jq -r '.[] | select(.name == \"side\") | .parent'"
	ok "$b: forward again" lx snapshot a -r snap0
	is 'two new' "$b: is there, too" inside a 'echo $(cat /f /g)'
	ok "$b: a new container from one" lx snapshot a -r first -N n
	is 'one' "$b: has it" inside n 'cat /f'
	is 'n' "$b: and a name of its own" inside n 'cat /etc/hostname'
	ok "$b: the same as LXC has it" lx snapshot -n a -r first n2
	is 'one' "$b: it is there" inside n2 'cat /f'
	status 64 "$b: one name too many" lx snapshot -n a -r first -N n3 n4
	status 64 "$b: no config for a restore" lx snapshot --rcfile /dev/null -r first a
	lx destroy -q n2
	lx start a
	status 4 "$b: no restore while it runs" lx snapshot a -r first
	lx attach a -- sh -c 'echo live >/f; sync'
	ok "$b: snapshot of a running one" lx snapshot a live
	is 'RUNNING' "$b: which runs on" lx info -s -H a
	lx attach a -- sh -c 'echo later >/f'
	lx stop -k a
	lx snapshot -q a -r live
	is 'live' "$b: has what was written before" inside a 'cat /f'
	ok "$b: destroy one in the middle" lx snapshot a -d first
	is 'null' "$b: what stood on it stands on what is above" bash -c "lxmgr-snapshot -P $TREE -L --json a | jq -r '.[] | select(.name == \"side\") | .parent'"
	lx snapshot -q a -r side
	is 'one' "$b: and is whole" inside a 'cat /f'
	status 3 "$b: one that there is not" lx snapshot a -r nosuch
	status 3 "$b: to destroy" lx snapshot a -d nosuch
	status 4 "$b: a name twice" lx snapshot a side
	status 64 "$b: a bad name" lx snapshot a ../side
	status 64 "$b: a comment of two lines" lx snapshot a c --comment $'a\nb'
	is 'one' "$b: all that changed nothing" inside a 'cat /f'
	# What start writes into the root it writes into the one that is put back, too.
	lx config -n a lxmgr.nameserver=192.0.2.53
	inside a true
	lx snapshot -q a -r side
	is '192.0.2.53' "$b: its resolver is that of today" inside a 'sed -n "s/^nameserver //p" /etc/resolv.conf'
	ok "$b: all of them" lx snapshot a -d ALL
	is '[]' "$b: none is left" lx snapshot -L --json a
	is 'one' "$b: the container stays" inside a 'cat /f'
	lx snapshot -q a last
	ok "$b: destroy all" lx destroy -q -s a
	is 'one' "$b: the new container stays" inside n 'cat /f'
	lx destroy -q n
	is 0 "$b: no layer is left" layers
done

# A chain that is longer than an overlay may have layers.
for b in dir overlay; do
	busybox a -B $b
	for i in $(seq 20); do
		lx push -q a - /n <<<"$i" && lx snapshot a -q "s$i" || break
	done
	is '20 true' "$b: 20 snapshots, each on the one before" bash -c "lxmgr-snapshot -P $TREE -L --json a | jq -r '\"\(length) \([.[] | (.name[1:] | tonumber) == ((.parent // \"s0\")[1:] | tonumber) + 1] | all)\"'"
	for i in 1 20 10; do
		ok "$b: restore of number $i" lx snapshot a -r "s$i"
		is "$i" "$b: has its content" inside a 'cat /n'
		inside a "echo on$i >/n"
		ok "$b: a snapshot on top of it" lx snapshot a "on$i"
		is "s$i" "$b: stands on it" bash -c "lxmgr-snapshot -P $TREE -L --json a | jq -r '.[] | select(.name == \"on$i\") | .parent'"
	done
	lx snapshot -q a -r on20
	is 'on20' "$b: back to the longest one" inside a 'cat /n'
	ok "$b: the first is destroyed" lx snapshot a -d s1
	lx snapshot -q a -r on1
	is 'on1' "$b: what stood on it is whole" inside a 'cat /n'
	ok "$b: destroy" lx destroy -q -s a
	is 0 "$b: no layer is left" layers
done

# What is different.
for b in dir overlay; do
	busybox d -B $b
	inside d 'mkdir -p /w/gone/below /w/sub; echo one >/w/data; echo one >/w/mode; echo one >/w/owner; echo x >/w/kind; ln -s a /w/link; echo same >/w/same'
	lx snapshot -q d one
	inside d 'rm -r /w/gone; echo two >/w/data; chmod 600 /w/mode; chown 7:8 /w/owner; rm /w/kind; mkdir /w/kind; echo x >/w/kind/in; ln -sfn b /w/link
		mkdir -p /w/new/deep; echo >/w/new/deep/file; touch /w/same; chmod 700 /w/sub; printf x >"/w/$(printf "a\nb\033[31m")"'
	lx snapshot -q d two
	cat >"$TREE/want" <<-'END'
		+ /w/a\x0ab\x1b[31m
		M /w/data (data)
		- /w/gone
		- /w/gone/below
		M /w/kind (type)
		+ /w/kind/in
		M /w/link (data)
		M /w/mode (mode)
		+ /w/new
		+ /w/new/deep
		+ /w/new/deep/file
		M /w/owner (owner)
		M /w/sub (mode)
	END
	is "$(cat "$TREE/want")" "$b: diff of two" bash -c "lxmgr-snapshot -P $TREE d --diff one two | grep ' /w'"
	is "$(sed 's/^+/x/; s/^-/+/; s/^x/-/' "$TREE/want")" "$b: and back" bash -c "lxmgr-snapshot -P $TREE d --diff two one | grep ' /w'"
	is '' "$b: of one and itself: none" lx snapshot d --diff one one
	is "$(cat "$TREE/want")" "$b: of one and the present" bash -c "lxmgr-snapshot -P $TREE d --diff one | grep ' /w'"
	is '["/w/new","added",[]] ["/w/owner","modified",["owner"]]' "$b: as JSON" bash -c "lxmgr-snapshot -P $TREE d --diff one two --json | jq -c '.[] | select(.path == \"/w/owner\" or .path == \"/w/new\") | [.path, .change, .what]' | paste -sd ' '"
	inside d 'echo x >/w/same2'
	is '+ /w/same2' "$b: what came behind the second" bash -c "lxmgr-snapshot -P $TREE d --diff two | grep ' /w'"
	lx start d
	lx attach d -- sh -c 'echo live >/w/same; sync'
	says '^M /w/same \(data\)$' "$b: of one that runs" bash -c "lxmgr-snapshot -P $TREE d --diff two"
	is 'RUNNING' "$b: which runs on" lx info -s -H d
	lx stop -k d
	before=$(find "$TREE/d" -not -path '*/work*' -not -name lock -printf '%p %i %C@\n' | sort)
	ok "$b: again" lx snapshot -q d --diff one
	is "$before" "$b: it changes nothing" bash -c "find '$TREE/d' -not -path '*/work*' -not -name lock -printf '%p %i %C@\n' | sort"
	status 3 "$b: one that there is not" lx snapshot d --diff nosuch
	status 3 "$b: the second" lx snapshot d --diff one nosuch
	status 64 "$b: not with a restore" lx snapshot d --diff one -r two
	lx destroy -q -s d
done

# By the clock: those alone expire.
busybox e
status 4 'expire without a rule' lx snapshot --expire e
status 1 'a rule that there is not' lx config -n e lxmgr.snapshot.keep=7x
status 1 'nor a schedule' lx config -n e 'lxmgr.snapshot.schedule=-daily'
status 1 'of two lines' lx config -n e $'lxmgr.snapshot.schedule=daily\nOnCalendar=x'
! command -v systemd-analyze >/dev/null || status 64 'an expression that systemd does not know' lx config -n e 'lxmgr.snapshot.schedule=sometimes'
ok 'a schedule' lx config -n e lxmgr.snapshot.schedule=daily
lx snapshot -q e by-hand
lx snapshot -q e auto-20200101-000000
ok 'one by the clock' lx snapshot --scheduled e
lx snapshot -q --scheduled e
is 4 'without a rule all are kept' bash -c "lxmgr-snapshot -P $TREE -L --json e | jq length"
# Seven days of one a day, and the rule.
i=0
for s in "$TREE"/e/snapshots/auto-2*; do
	i=$((i + 1))
	sed -i "s/^created = .*/created = $(date -d "-$((i + 20)) days" +%s)/" "$s/meta"
done
lx config -n e lxmgr.snapshot.keep=2
ok 'another by the clock' lx snapshot -q --scheduled e
is '2 auto-20200101-000000 by-hand' 'the rule: two by the clock, and what was made by hand' bash -c "lxmgr-snapshot -P $TREE -L --json e | jq -r '([.[] | select(.scheduled)] | length | tostring) + \" \" + ([.[] | select(.scheduled | not) | .name] | sort | join(\" \"))'"
ok 'expire' lx snapshot --expire e
is 4 'has nothing more to do' bash -c "lxmgr-snapshot -P $TREE -L --json e | jq length"
[ -d /run/systemd/system ] || says 'no systemd here|none by the clock' 'doctor tells of schedules' lxmgr-doctor
lx destroy -q -s e

# What is renamed is seen under neither name by who looks for the layers in use.
busybox h -B overlay
lx snapshot -q h s
busybox h2
before=$(layers)
ok 'destroy, and another is not to be seen for a moment' strace -f -qq -o /dev/null -P h -e trace=openat \
	-e inject=openat:error=ENOENT lxmgr-destroy -P "$TREE" -q h2
is "$before" 'its layers stay' layers
status 137 'a rename waits for who looks' flock "$TREE/.layers" timeout -s KILL 5 lxmgr-copy -P "$TREE" -R h h3
ok 'nothing is renamed' test -d "$TREE/h"
ok 'and then is' lx copy -R h h3
lx snapshot -q h3 s1
status 137 'a snapshot without a layer of its own, too' flock "$TREE/.layers" timeout -s KILL 5 lxmgr-snapshot -P "$TREE" -q h3 s2
status 1 'nothing has its name' test -e "$TREE/h3/snapshots/s2"
ok 'and then has' lx snapshot -q h3 s2
lx destroy -q -s h3

# A record may be the only one that says what else there is.
busybox h4
status 1 'one whose record cannot be read is not deleted' strace -f -qq -o /dev/null -P storage -e trace=openat \
	-e inject=openat:error=EIO lxmgr-destroy -P "$TREE" -q h4
is 1 'and has it still' bash -c "ls -d $TREE/.h4.dead-*/storage | wc -l"
busybox h4
is '' 'the next who can takes it away' find "$TREE" -maxdepth 1 -name '.h4*'
lx destroy -q h4

# A directory of containers that has the name of one of snapshots.
mkdir -p "$TREE/up/snapshots"
before=$(layers)
echo notes >"$TREE/up/storage"
lxmgr-create -P "$TREE/up/snapshots" -q -t busybox -n z -B overlay
ok 'a snapshot in a directory called snapshots' lxmgr-snapshot -P "$TREE/up/snapshots" -q z s
is 1 'has its layer in there' bash -c "find '$TREE/up/snapshots/.layers' -name rootfs | wc -l"
is "$before" 'and none above' layers
lxmgr-destroy -P "$TREE/up/snapshots" -q -s z
is 0 'until it goes' bash -c "ls '$TREE/up/snapshots/.layers' | wc -l"
rm -r "$TREE/up"

# The first restore of one whose snapshots were all made while it ran.
busybox w -B overlay
lx start w
lx attach w -- sh -c 'echo then >/f'
# Deeper than there are descriptors.
lx attach w -- sh -c 'i=0; while [ $i -lt 600 ]; do mkdir n; cd n || exit 1; i=$((i + 1)); done; echo deep >f'
ok 'a snapshot of what a guest nests as deep as it likes' lx snapshot -q w s
ok 'and a copy' lx copy -q w w2
lx destroy -q w2
lx attach w -- sh -c 'echo now >/f; i=0; while [ $i -lt 600 ]; do cd n || exit 1; i=$((i + 1)); done; echo other >f; mkdir new'
lx stop -k w
is 'M /f (data) M /n/n/f (data) + /n/n/new' 'what is different, too' bash -c "lxmgr-snapshot -P $TREE w --diff s | grep '/f\|/n' | sed 's,\(/n\)\{600\}/,/n/n/,' | paste -sd ' '"
mkdir "$TREE/w/overlay-old" "$TREE/w/overlay.1.old"
for n in 2 3; do
	timeout 60 strace -f -qq -o /dev/null -e trace=mkdirat -e "inject=mkdirat:signal=SIGKILL:when=$n" \
		lxmgr-snapshot -P "$TREE" -q w -r s
	ok "killed at $n it is begun, or not" bash -c "[ $n = 3 ] || [ -d $TREE/w/overlay.1 ]"
done
ok 'then it is done' lx snapshot -q w -r s
is 'then' 'and is as it was then' inside w 'cat /f'
ok 'what else is there stays' rmdir "$TREE/w/overlay-old" "$TREE/w/overlay.1.old"
# The tree that is named is away: another may be the only one.
cp "$TREE/w/storage" "$TREE/.record"
sed -i 's/^tree = .*/tree = overlay.9/' "$TREE/w/storage"
status 1 'one whose tree is not there does not start' lx start w
mv "$TREE/.record" "$TREE/w/storage"
is 'then' 'and has what it had' inside w 'cat /f'
lx destroy -q -s w

# Mounted for the host: neither the half of a write nor the ground below it.
busybox m -B overlay
lx snapshot -q m s
lx mount m >/dev/null
status 4 'mounted: no snapshot' lx snapshot m
status 4 'mounted: no restore' lx snapshot m -r s
status 4 'mounted: no copy' lx copy m mm
status 4 'mounted: no shared copy' lx copy -s m mm
status 4 'mounted: no rename' lx copy -R m mm
says 'is mounted on' 'with the reason' lx copy m mm
lx umount m
ok 'and then' lx snapshot m
# A snapshot that cannot be read is one all the same.
echo broken >"$TREE/m/snapshots/s/meta"
lx snapshot -q m -d snap0
status 4 'a container with one that cannot be read stays' lx destroy m
lx destroy -q -s m

# A root outside: its snapshot is what it was then.
busybox o -B dir
mv "$TREE/o/rootfs" "$TREE/outside"
lx config -n o "lxmgr.rootfs.path=dir:$TREE/outside"
echo before >"$TREE/outside/f"
ok 'outside: snapshot' lx snapshot -q o s
echo now >"$TREE/outside/f"
is 'M /f (data)' 'outside: diff' lx snapshot o --diff s
ok 'outside: a container from it' lx snapshot -q o -r s -N o2
is before 'is as it was then' cat "$TREE/o2/rootfs/f"
status 1 'outside: not in place' lx snapshot o -r s
is now 'which changed nothing' cat "$TREE/outside/f"
# A base that another stands on by its path, as LXC's copies do.
busybox base -B dir
lx config -n o "lxmgr.rootfs.path=overlay:$TREE/base/rootfs:$TREE/delta"
status 4 'a base with a dependent is not destroyed' lx destroy base
says "'o' stands on 'base'" 'and it is said which' lx destroy base
status 4 'nor renamed' lx copy -R base base2
lx config -n o "lxmgr.rootfs.path=dir:$TREE/outside"
lx snapshot -q base s
lx config -n o "lxmgr.rootfs.path=overlay:$TREE/base/rootfs:$TREE/delta"
status 4 'nor restored' lx snapshot base -r s
lx snapshot -q base -d s
lx config -n o "lxmgr.rootfs.path=dir:$TREE/outside"
ok 'without, it is' lx destroy -q base
lx destroy -q o2
lx destroy -q -s o
rm -rf "$TREE/outside" "$TREE/want"

finish
