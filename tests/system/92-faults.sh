# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016,SC2034
# In machines: check-vm-full.
. ./lib.sh

# Each of these is killed at points spread over its run time. After it the container is absent, as it
# was or as asked, and the next command works.
state() { lx info -s -H "$1" 2>/dev/null; }

# killed_at MILLISECONDS COMMAND...: the command and what it started get SIGKILL.
killed_at() {
	local ms=$1 pid
	shift
	setsid "$@" >/dev/null 2>&1 </dev/null &
	pid=$!
	sleep "$(printf '0.%03d' "$ms")"
	kill -KILL -- "-$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
}

busybox seed
bad='' n=0
for ms in $(places 0 1 2 3 4 5 6 7 8 9 10 12 14 17 20 25); do
	killed_at "$ms" lxmgr-create -P "$TREE" -q -t busybox -n x
	case $(state x) in
	'' | STOPPED) ;;
	*) bad="$bad create@$ms:$(state x)" ;;
	esac
	if [ -e "$TREE/x" ]; then
		lx start x >/dev/null 2>&1 || bad="$bad start-after-create@$ms"
	else
		busybox x 2>/dev/null || bad="$bad create-again@$ms"
	fi
	lx destroy -q -f x 2>/dev/null || bad="$bad destroy@$ms"
	n=$((n + 1))
done
is '' "create killed at $n points: absent or whole" echo "$bad"
is '' 'and no unfinished directory after the next create' find "$TREE" -maxdepth 1 -name '.*new*'

busybox a
bad='' n=0
for ms in $(places 0 1 2 3 4 5 6 7 8 9 10 12 14 16 18 20 25 30); do
	killed_at "$ms" lxmgr-start -P "$TREE" a
	eventually sh -c "! lxmgr-info -P $TREE -s -H a | grep -qE 'STARTING|STOPPING'" || bad="$bad stuck@$ms"
	case $(state a) in
	RUNNING) lx stop -k a || bad="$bad stop@$ms" ;;
	STOPPED) ;;
	*) bad="$bad $(state a)@$ms" ;;
	esac
	lx start a >/dev/null 2>&1 || bad="$bad start-again@$ms"
	lx attach a -- true >/dev/null 2>&1 || bad="$bad attach@$ms"
	lx stop -k a >/dev/null 2>&1 || bad="$bad stop-again@$ms"
	n=$((n + 1))
done
is '' "start killed at $n points: the next one works" echo "$bad"

bad='' n=0
for ms in $(places 0 1 2 3 4 5 8); do
	lx start a
	killed_at "$ms" lxmgr-stop -k -P "$TREE" a
	lx stop -k a >/dev/null 2>&1
	[ "$(state a)" = STOPPED ] || bad="$bad $(state a)@$ms"
	n=$((n + 1))
done
is '' "stop killed at $n points: the next one ends it" echo "$bad"

bad='' n=0
for ms in $(places 0 1 2 3 4 6 9); do
	busybox y
	killed_at "$ms" lxmgr-destroy -P "$TREE" -f y
	lx destroy -q -f y >/dev/null 2>&1
	[ ! -e "$TREE/y" ] || bad="$bad left@$ms"
	n=$((n + 1))
done
is '' "destroy killed at $n points: the next one ends it" echo "$bad"
# What was put aside but not yet deleted is the next create's.
busybox y
lx destroy -q y
is '' 'and leaves nothing in the tree' find "$TREE" -mindepth 1 -maxdepth 1 ! -name seed ! -name a ! -name '.lock*'

# A step of start that fails gives everything back, with each of several configs.
list=$(sed -n 's/^\t{ "\([a-z-]*\)", [a-z_]* },.*/\1/p' ../../src/lxmgr/container/acquire.c)
ok 'the steps of start are known' test "$(echo "$list" | wc -l)" -gt 20
busybox d -B dir
bad=''
for s in $list; do
	LXMGR_FAIL_AT=$s lxmgr-start -P "$TREE" -s lxmgr.net.0.type=empty d >/dev/null 2>&1 && bad="$bad $s:started"
	[ "$(state d)" = STOPPED ] || bad="$bad $s:$(state d)"
done
is '' 'every step fails cleanly with backend dir and no network' echo "$bad"

# A full disk.
mkdir "$TREE/.full"
bad=''
for kb in 64 256 512 1024 1536; do
	mount -t tmpfs -o "size=${kb}k,mode=0711" tmpfs "$TREE/.full"
	if lxmgr-create -P "$TREE/.full" -q -t busybox -n x -B dir >/dev/null 2>&1; then
		[ -s "$TREE/.full/x/config" ] || bad="$bad half@$kb"
	else
		[ -z "$(find "$TREE/.full" -mindepth 1 ! -name '.lock*')" ] || bad="$bad left@$kb"
	fi
	umount "$TREE/.full"
done
is '' 'create on a full disk of five sizes: nothing or a whole one' echo "$bad"
mount -t tmpfs -o size=16m,mode=0711 tmpfs "$TREE/.full"
if lxmgr-create -P "$TREE/.full" -q -t busybox -n x -B dir; then
	dd if=/dev/zero of="$TREE/.full/fill" bs=4k >/dev/null 2>&1
	cp "$TREE/.full/x/config" "$TREE/.config"
	status 1 'a config that cannot be written is told' lxmgr-config -P "$TREE/.full" -n x "lxmgr.description=$(head -c 5000 /dev/zero | tr '\0' d)"
	ok 'and the old one stays' cmp "$TREE/.full/x/config" "$TREE/.config"
	ok 'destroy works on a full disk' lxmgr-destroy -P "$TREE/.full" -f x
else
	result 1 'create in 16 MB'
fi
umount "$TREE/.full"

# Little room for the tool itself.
for limit in '-n 8' '-n 3' '-v 20000' '-u 0'; do
	OUT=$(bash -c "ulimit $limit; lxmgr-start -P $TREE a" 2>&1)
	rc=$?
	[ "$rc" -le 128 ]
	result $? "start under ulimit $limit ends with a status, no signal"
	lx stop -k a >/dev/null 2>&1
done
mkdir "$TREE/.gone"
ok 'start from a directory that is gone' bash -c "cd $TREE/.gone && rmdir $TREE/.gone && lxmgr-start -P $TREE a"
lx stop -k a
ok 'stop of all, and it starts once more' lx start a
finish
