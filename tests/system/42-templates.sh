# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# A template that fails, is interrupted or hangs, at every stage, and a disk that is full at any.
# In machines: check-vm-full.
. ./lib.sh

images() { find "$CACHE" -mindepth 1 -maxdepth 1 ! -name '.*.lock' | sort; }
busybox seed
had=$(images)
# What must not stay: a directory in the tree, an image or half of one, a process, a mount.
nothing() { # nothing NAME
	left() {
		find "$TREE" -mindepth 1 -maxdepth 1 ! -name seed ! -name .tmpl ! -name .out ! -name .full
		diff <(images) <(printf '%s\n' "$had")
		pgrep -f "$TREE/.tmpl"
		grep -o "$CACHE/[^ ]*" /proc/self/mountinfo
	}
	gone() { [ -z "$(left)" ]; }
	eventually gone
	OUT=$(left)
	[ -z "$OUT" ]
	result $? "nothing stays: $1"
}
tmpl() {
	printf '#!/bin/sh\nfor a; do case $a in --rootfs=*) r=${a#*=};; esac; done\n%s\n' "$1" >"$TREE/.tmpl"
	chmod 755 "$TREE/.tmpl"
}
create() { # create [OPTIONS]
	lx create -q -t "$TREE/.tmpl" -n x "$@"
}

# What it leaves running or mounted ends with it, even if it leaves its session.
stubborn='mkdir "$r/m" && mount -t tmpfs tmpfs "$r/m" && echo x >"$r/m/x"
mount --bind /etc "$r/m" 2>/dev/null
trap "" TERM INT HUP
(trap "" TERM INT HUP; setsid sleep 300 & ) &'
tmpl "$stubborn
exit 3"
says 'exit status 3' 'a template that fails is told' create
nothing 'it failed'
for sig in INT TERM HUP; do
	tmpl "$stubborn
touch $TREE/.out
sleep 300"
	rm -f "$TREE/.out"
	lxmgr-create -P "$TREE" -q -t "$TREE/.tmpl" -n x >/dev/null 2>&1 &
	pid=$!
	eventually test -e "$TREE/.out"
	kill "-$sig" $pid
	wait $pid
	rc=$?
	OUT="status $rc"
	[ $rc != 0 ]
	result $? "SIG$sig ends a create"
	nothing "SIG$sig"
done
tmpl "$stubborn
sleep 300"
says 'killed after 1 s' 'a template that hangs is killed' create --timeout 1
nothing 'it hung'
tmpl 'exec >&- 2>&-
sleep 300'
says 'killed after 1 s' 'also one that closed its output' create --timeout 1
nothing 'it hung without output'
tmpl 'yes'
says 'killed after 1 s' 'also one that never stops talking' create --timeout 1
nothing 'it talked'
tmpl 'yes | tr -d "\\n"'
says 'killed after 1 s' 'in one line, too' create --timeout 1
tmpl '(setsid sleep 300 &) ; cp /bin/busybox "$r"'
ok 'one that leaves a process behind with its output open is done all the same' timeout 60 lxmgr-create -P "$TREE" -q -t "$TREE/.tmpl" -n x
ok 'and it is a container' lx destroy x
had=$(images)
nothing 'a process was left'
status 64 'a limit that is no number' create --timeout x

# The same image by two at once: the second waits, and both have it.
tmpl 'sleep 0.5; cp /bin/busybox "$r"; echo once >>'"$TREE/.out"
rm -f "$TREE/.out"
lxmgr-create -P "$TREE" -q -t "$TREE/.tmpl" -n y >>"$TREE/.both" 2>&1 &
create -s lxmgr.limit.pids=9 >>"$TREE/.both" 2>&1
first=$?
wait $!
is '0 0' 'two creates of one image' sh -c "echo $first $?; cat '$TREE/.both'; rm '$TREE/.both'"
is 'once' 'build it once' cat "$TREE/.out"
lx destroy -q x
lx destroy -q y
had=$(images)

# A full disk: the cache, as it grows through the template's run, the file system's inodes included.
tmpl 'mkdir "$r/d"; cp /bin/busybox "$r/d/a"; cp /bin/busybox "$r/d/b"; for i in 1 2 3 4 5 6 7 8; do echo $i >"$r/d/$i" || exit 1; done'
export CACHE TREE
full() { # full OPTIONS: in a mount namespace, since others use the cache
	unshare --mount --propagation private bash -c '
		mount -t tmpfs -o "$1,mode=0711" tmpfs "$CACHE" || exit 99
		lxmgr-create -P "$TREE" -q -t "$TREE/.tmpl" -n x
		rc=$?
		find "$CACHE" -mindepth 1 ! -name ".*.lock" >"$TREE/.out"
		exit $rc' full "$1"
}
refused=0
for o in size=4k size=64k size=1m size=2m size=3m nr_inodes=2 nr_inodes=4 nr_inodes=5 nr_inodes=6 nr_inodes=8 nr_inodes=12; do
	if full "$o" >/dev/null 2>&1; then
		lx destroy -q x
	else
		refused=$((refused + 1))
		OUT=$(find "$TREE" -mindepth 1 -maxdepth 1 -name '*x*' && cat "$TREE/.out")
		[ -z "$OUT" ]
		result $? "a cache with $o: nothing stays in tree and cache"
	fi
done
ok 'the disk was full most times' test $refused -ge 8
says 'No space left' 'which is told' full nr_inodes=6

# The tree of containers, with each backend.
mkdir "$TREE/.full"
refused=0
for b in dir overlay; do
	for o in size=4k size=16k size=64k nr_inodes=2 nr_inodes=3 nr_inodes=4 nr_inodes=5 nr_inodes=6 nr_inodes=8 nr_inodes=10; do
		mount -t tmpfs -o "$o,mode=0711" tmpfs "$TREE/.full"
		if ! OUT=$(lxmgr-create -P "$TREE/.full" -q -t busybox -n x -B "$b" 2>&1); then
			refused=$((refused + 1))
			OUT="$OUT; $(find "$TREE/.full" -mindepth 1)"
			[ -z "$(find "$TREE/.full" -mindepth 1)" ]
			result $? "a tree with $o, backend $b: nothing stays"
		fi
		lxmgr-destroy -P "$TREE/.full" -q -f x >/dev/null 2>&1
		umount "$TREE/.full"
	done
done
ok 'the disk was full most times' test $refused -ge 12
is '' 'no address or ids stay with a container that was not made' grep -h "$TREE/.full" "$VAR/lib/lxmgr/idmap" "$VAR/lib/lxmgr/leases"
nothing 'the disk was full'
finish
