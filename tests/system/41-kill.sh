# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
. ./lib.sh

# What a SIGKILL, or an error of the kernel, at any system call leaves. strace makes the N-th call
# of a kind the last one, or lets it fail; N grows until the command gets through.
need strace
registry() { cat "$VAR/lib/lxmgr/idmap" "$VAR/lib/lxmgr/leases" 2>/dev/null | grep "$TREE/" | sort; }
sums() { (cd "$TREE/keep" && find . -printf '%p %y %m %U %G %s %l\n' | sort && find . -type f -exec sha256sum {} + | sort) | sha256sum; }
# What an unfinished command leaves: directories and files with a temporary name.
remains() { find "$TREE" "$CACHE" "$VAR/lib/lxmgr" -maxdepth 1 \( -name '.*.new*' -o -name '.*.dead*' \); }
quiet() { "$@" >"$TREE/.out" 2>&1; }

busybox keep -B dir
kept=$(sums) known=$(registry)
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
	OUT="$hits places
$trouble"
	[ "$hits" -ge "$1" ] && [ -z "$trouble" ]
	result $? "$2"
	hits=0 trouble=''
}
# The next create, of whatever name, cleans up.
check_clean() {
	must lxmgr-create -P "$TREE" -q -t busybox -n y
	must lxmgr-destroy -P "$TREE" -q y
	[ -z "$(remains)" ] || wrong "left: $(remains)"
	[ "$(registry)" = "$known" ] || wrong "ids and addresses: $(diff <(registry) <(echo "$known"))"
	[ "$(sums)" = "$kept" ] || wrong 'another container was changed'
}
after_create() { # STATUS: absent or whole
	[ "$1" = 0 ] || hits=$((hits + 1))
	[ "$1" != 0 ] || [ -e "$TREE/x" ] || wrong 'said to be made, but is not'
	if [ -e "$TREE/x" ]; then
		must lxmgr-start -P "$TREE" x
		must lxmgr-destroy -P "$TREE" -q -f x
	fi
	check_clean
}

writes='mkdirat openat fchmod flock renameat renameat2 fsync syncfs write open_tree move_mount fsconfig clone,clone3,vfork'
for call in $writes newfstatat unlinkat; do
	for n in 1 2 3 5 8 13 21 34 55; do
		inject signal=SIGKILL lxmgr-create -P "$TREE" -q -t busybox -n x
		rc=$?
		after_create "$rc"
		[ "$rc" != 0 ] || break
	done
done
verdict 30 'create killed at many system calls: absent or whole, and nothing stays'

finish
