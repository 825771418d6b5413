# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Snapshots: create, list, restore in place and as a new container, destroy.
. ./lib.sh
need jq strace

layers() { find "$TREE/.layers" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l; }
inside() { # inside NAME COMMAND: in the stopped container
	lx start "$1" && lx attach "$1" -- sh -c "$2"
	lx stop -k "$1"
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
	lx snapshot -q k -d s
	is '' "$b: nothing unfinished is left" find "$TREE/k" "$TREE/k/snapshots" -maxdepth 1 \( -name '.*new*' -o -name '.*dead*' -o -name 'rootfs.new' -o -name 'overlay*' -not -name "$(sed -n 's/^tree = //p' "$TREE/k/storage" | grep . || echo overlay)" \)
	lx destroy -q k
	is 0 "$b: no layer, either" layers
done
finish
