# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Snapshots: create, list, restore in place and as a new container, destroy.
. ./lib.sh
need jq strace

layers() { find "$TREE/.layers" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l; }
inside() { # inside NAME COMMAND: in the stopped container
	local rc
	lx start "$1" && lx attach "$1" -- sh -c "$2"
	rc=$?
	lx stop -k "$1"
	return $rc
}

for b in dir overlay; do
	busybox a -B $b
	inside a 'echo one >/f; mkdir /d; chown 5:6 /d'
	ok "$b: snapshot" lx snapshot a first --comment 'the first one'
	inside a 'echo two >/f; rm -r /d; echo new >/g'
	ok "$b: another" lx snapshot a
	inside a 'echo three >/f'
	is 'first snap0' "$b: they are listed" bash -c "lxmgr-snapshot -P $TREE -L --json a | jq -r '[.[].name] | join(\" \")'"
	is 'first' "$b: as a tree" bash -c "lxmgr-snapshot -P $TREE -L --json a | jq -r '.[1].parent'"
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
	ok "$b: all of them" lx snapshot a -d ALL
	is '[]' "$b: none is left" lx snapshot -L --json a
	is 'one' "$b: the container stays" inside a 'cat /f'
	lx snapshot -q a last
	ok "$b: destroy all" lx destroy -q -s a
	is 'one' "$b: the new container stays" inside n 'cat /f'
	lx destroy -q n
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
lx config -n o "lxmgr.rootfs.path=dir:$TREE/outside"
ok 'without, it is' lx destroy -q base
lx destroy -q o2
lx destroy -q -s o
rm -rf "$TREE/outside" "$TREE/want"

# Killed at any instant: the container is as it was or as it was then.
for b in dir overlay; do
	busybox k -B $b
	inside k 'echo old >/f'
	lx snapshot -q k s
	inside k 'echo new >/f'
	for call in mkdirat renameat,renameat2 openat write fsync unlinkat; do
		for n in $(places 1 2 3 5 8 13 21 34); do
			timeout 60 strace -f -qq -o /dev/null -e "trace=$call" -e "inject=$call:signal=SIGKILL:when=$n" \
				lxmgr-snapshot -P "$TREE" -q k t >/dev/null 2>&1
			is new "$b: snapshot killed at $call $n: the container is as before" inside k 'cat /f'
			[ ! -e "$TREE/k/snapshots/t" ] || ok "$b: snapshot killed at $call $n: can be destroyed" lx snapshot k -d t
			timeout 60 strace -f -qq -o /dev/null -e "trace=$call" -e "inject=$call:signal=SIGKILL:when=$n" \
				lxmgr-snapshot -P "$TREE" -q k -r s >/dev/null 2>&1
			says '^(old|new)$' "$b: restore killed at $call $n: the old or the new" inside k 'cat /f'
			lx snapshot -q k -r s
			is old "$b: again at $call $n" inside k 'cat /f'
			inside k 'echo new >/f'
		done
	done
	# A call that fails: the old is there as long as the new is not.
	for call in syncfs fsync mkdirat renameat renameat2 openat; do
		for n in $(places 1 2 3 5); do
			if timeout 60 strace -f -qq -o /dev/null -e "trace=$call" -e "inject=$call:error=EIO:when=$n" \
				lxmgr-snapshot -P "$TREE" -q k -r s >/dev/null 2>&1; then
				want=old
			else
				want='(old|new)'
				[ $call = openat ] || want=new
			fi
			says "^$want\$" "$b: restore with EIO at $call $n" inside k 'cat /f'
			inside k 'echo new >/f'
		done
	done
	lx snapshot -q k -d s
	is '' "$b: nothing unfinished is left" find "$TREE/k" "$TREE/k/snapshots" -maxdepth 1 \( -name '.*new*' -o -name '.*dead*' -o -name 'rootfs.new' -o -name 'overlay*' -not -name "$(sed -n 's/^tree = //p' "$TREE/k/storage" | grep . || echo overlay)" \)
	lx destroy -q k
	is 0 "$b: no layer, either" layers
done
finish
