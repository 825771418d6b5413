# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# The kernel refuses one system call of a start, of the tool, the monitor or the container's first
# process: told in one line and all taken back, or it did not matter and the container runs.
# In machines: check-vm-full.
. ./lib.sh
need strace

# Names that nobody else on this host has.
x=x$$ d=d$$
busybox $x
busybox $d -B dir -s lxmgr.net.0.type=empty -s "lxmgr.mount.entry=/usr opt none bind,ro,create=dir 0 0"
hits=0 through=0 trouble=''
wrong() { trouble="$trouble$name $call $how $n: $*"$'\n'; }
# What one container has on the host.
rest() { # rest NAME
	find "$RUN/$1-"* -mindepth 1 2>/dev/null
	find /sys/fs/cgroup -type d -path "*/lxmgr/$1-*" -prune 2>/dev/null
	pgrep -f "^lxmgr-supervise $1 $TREE"
	grep -F "$TREE/$1" /proc/self/mountinfo
}
none() { [ -z "$(rest "$1")" ]; }
one() { # one NAME CALL HOW N
	local name=$1 call=$2 how=$3 n=$4 rc lines
	timeout 30 strace -D -f -qq -o /dev/null -e "trace=$call" -e "inject=$call:$how:when=$n" \
		lxmgr-start -P "$TREE" "$name" >"$TREE/.out" 2>&1
	rc=$?
	# Before there is an lxmgr: the loader's own calls count too.
	! grep -q 'error while loading shared libraries' "$TREE/.out" || return
	[ $rc -lt 126 ] && [ $rc != 124 ] || wrong "status $rc"
	if [ $rc = 0 ]; then
		through=$((through + 1))
		lx attach "$name" -- true >"$TREE/.out" 2>&1 || wrong "it runs, but: $(cat "$TREE/.out")"
		lx stop -k "$name" >"$TREE/.out" 2>&1 || wrong "stop: $(cat "$TREE/.out")"
	else
		hits=$((hits + 1))
		lines=$(grep -c '^lxmgr-start: ' "$TREE/.out")
		[ "$lines" = 1 ] || wrong "$lines lines: $(cat "$TREE/.out")"
		[ "$(lx info -s -H "$name")" = STOPPED ] || wrong "is $(lx info -s -H "$name")"
	fi
	eventually none "$name" || wrong "left: $(rest "$name")"
}
for name in $x $d; do
	for call in openat openat2 mkdirat fsopen fsconfig fsmount open_tree move_mount mount_setattr clone3 unshare \
		sendto socket bind capset setresuid chdir fchownat symlinkat mknodat sethostname memfd_create umount2; do
		how=error=ENOMEM
		case $call in mkdirat | openat | symlinkat) how=error=ENOSPC ;; fsmount | move_mount | clone3) how=error=EPERM ;; esac
		for n in $(places 1 2 4 8 15); do
			one $name $call $how $n
		done
	done
	# shellcheck disable=SC2034
	OUT="$hits refused, $through got through
$trouble"
	[ "$hits" -ge "$(thinned 20)" ] && [ -z "$trouble" ]
	result $? "start of ${name%%[0-9]*} with one failing system call: told and taken back"
	hits=0 through=0 trouble=''
	ok 'and then it starts' lx start $name
	ok 'and stops' lx stop -k $name
done
finish
