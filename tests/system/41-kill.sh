# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# In machines: check-vm-full.
. ./lib.sh

# What a SIGKILL, or an error of the kernel, at any system call of a start leaves, where three processes
# work at it, and of a change of the config. strace makes the N-th call of a kind the last one, or lets it
# fail; N grows until the command gets through. What changes files alone is swept in 93-crash.sh.
need strace
registry() { cat "$VAR/lib/lxmgr/idmap" "$VAR/lib/lxmgr/leases" 2>/dev/null | grep "$TREE/" | sort; }
quiet() { "$@" >"$TREE/.out" 2>&1; }

hits=0 trouble=''
wrong() { trouble="$trouble$call $n: $*"$'\n'; }
must() { quiet timeout 60 "$@" || wrong "$1 $(tail -n 1 "$TREE/.out")"; }
# inject HOW COMMAND...: in the foreground, children too.
inject() {
	local how=$1
	shift
	quiet timeout 60 strace -f -qq -o /dev/null -e "trace=$call" -e "inject=$call:$how:when=$n" "$@"
} 2>/dev/null
verdict() { # verdict LEAST NAME
	# shellcheck disable=SC2034
	OUT="$hits places
$trouble"
	[ "$hits" -ge "$(thinned "$1")" ] && [ -z "$trouble" ]
	result $? "$2"
	hits=0 trouble=''
}

# config: the old text or the new one, whatever fails.
must lxmgr-create -P "$TREE" -q -t busybox -n x -s lxmgr.limit.pids=77
for how in signal=SIGKILL error=ENOSPC error=EIO; do
	for call in openat write fsync renameat fchmod; do
		for n in $(places 1 2 3 4 5 6 7 8 9 10); do
			inject "$how" lxmgr-config -P "$TREE" -n x lxmgr.limit.pids=78
			rc=$?
			[ "$rc" = 0 ] || hits=$((hits + 1))
			now=$(lx config -n x lxmgr.limit.pids 2>&1)
			case $rc:$now in 0:78 | [1-9]*:77 | [1-9]*:78) ;; *) wrong "status $rc, then '$now'" ;; esac
			must lxmgr-config -P "$TREE" -n x lxmgr.limit.pids=77
			[ "$rc" != 0 ] || break
		done
	done
done
[ -z "$(find "$TREE/x" -maxdepth 1 -name '.*')" ] || wrong "left: $(ls -A "$TREE/x")"
verdict 20 'config killed or failing at its system calls: the old or the new value'
must lxmgr-destroy -P "$TREE" -q x

# start: the tool, the monitor and the container's first process in turn. Then it runs or not; a
# stop ends whatever there is, and the next start works the first time.
must lxmgr-create -P "$TREE" -q -t busybox -n x
known=$(registry)
settled() { case $(lx info -s -H x) in RUNNING | STOPPED) ;; *) false ;; esac; }
for call in openat openat2 mkdir mkdirat write clone3,fork,vfork move_mount mount_setattr fsopen sendmsg recvmsg sendto unshare setresuid pivot_root chdir execve,execveat prctl capset close_range; do
	at=(1 3 9 27 64)
	# The last lines of the state file are of interest.
	[ "$call" != write ] || mapfile -t -O 5 at < <(seq 46 2 74)
	for n in $(places "${at[@]}"); do
		# -D: strace watches from aside, and stays with the monitor until the container ends.
		timeout 60 strace -D -f -qq -o /dev/null -e "trace=$call" -e "inject=$call:signal=SIGKILL:when=$n" \
			lxmgr-start -P "$TREE" x >"$TREE/.out" 2>&1 || hits=$((hits + 1))
		eventually settled || wrong "stays $(lx info -s -H x)"
		quiet timeout 60 lxmgr-stop -P "$TREE" -k x
		rc=$?
		[ "$rc" = 0 ] || [ "$rc" = 2 ] || wrong "stop: $(cat "$TREE/.out")"
		must lxmgr-start -P "$TREE" x
		must lxmgr-attach -P "$TREE" x -- true
		must lxmgr-stop -P "$TREE" -k x
	done
done 2>/dev/null
verdict 30 'start killed at many system calls: stop ends the rest, the next start works'
is "$known" 'ids and addresses are as before' registry

# The tool alone is killed: its monitor takes back what it has made. Until then it has the lock, so that
# nobody else starts the container meanwhile.
printf '#!/bin/sh\necho began >>%s/hook\nsleep 2\necho done >>%s/hook\n' "$TREE" "$TREE" >"$TREE/slow"
chmod +x "$TREE/slow"
lxmgr-config -P "$TREE" -n x "lxmgr.hook.pre-start=$TREE/slow"
lxmgr-start -P "$TREE" x >"$TREE/.out" 2>&1 &
tool=$!
has_begun() { [ -s "$TREE/hook" ]; }
eventually has_begun
kill -KILL "$tool"
wait "$tool" 2>/dev/null
ok 'a start after one whose tool was killed' lx start x
is 'began done began done' 'waited until that was over' xargs -a "$TREE/hook"
ok 'it runs' lx attach x -- true
ok 'and stops' lx stop -k x
finish
