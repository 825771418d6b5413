# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Debian with systemd under SELinux, and what one container can do to another.
. ./lib.sh
. ./selinux.sh

if ! has_selinux; then
	skip 'guests under SELinux' 'this kernel runs without it'
	finish
	exit
fi
need python3
load_module
ok "lxmgr's policy module is loaded" module_is_loaded
mark
ok 'create a Debian container' lx create -q -t "$DEBIAN" -n a
ok 'one with a root of its own' lx create -q -t "$DEBIAN" -B dir -n b
ok 'a privileged one' lx create -q -t "$DEBIAN" --privileged -n p
ok 'and one with a root of its own' lx create -q -t "$DEBIAN" --privileged -B dir -n q
for c in a b p q; do
	ok "$c starts" lx start "$c"
	is running "$c: systemd comes up" came_up "$c"
	is '' "$c: no unit failed" lx attach "$c" -- systemctl --failed --no-legend
	says ":lxmgr_(container|privileged)_t:s0:c[0-9]+,c[0-9]+" "$c: it is confined" lx attach "$c" -- sh -c "tr -d '\\0' </proc/1/attr/current"
	ok "$c: a service in a sandbox" lx attach "$c" -- systemd-run -q --wait -p ProtectSystem=strict -p ProtectHome=yes \
		-p PrivateTmp=yes -p PrivateDevices=yes -p ProtectKernelTunables=yes -p TemporaryFileSystem=/opt -p DynamicUser=yes true
	ok "$c: a package is taken away and logged" lx attach "$c" -- sh -c 'logger hello && journalctl -q -t root | grep -q hello'
done
OUT=$(denials)
[ -z "$OUT" ]
result $? 'nothing of this was denied'

# A process of one that leaked into the other's tree. First with the categories of both, so that it is
# seen that only these keep them apart.
init() { lx info -p -H "$1"; }
level() { lx attach "$1" -- cat /proc/1/attr/current | tr -d '\0' | sed 's/.*:s0://'; }
type() { lx attach "$1" -- cat /proc/1/attr/current | tr -d '\0' | sed 's/:s0:.*//'; }
trespass() { # trespass FROM INTO CATEGORIES COMMAND
	timeout 60 python3 ./trespass.py "$(init "$1")" "$(type "$1"):s0:$3" "/proc/$(init "$2")/root" /bin/sh -c "$4"
}
both() { echo "$(level "$1"),$(level "$2")"; }
forbidden() { # forbidden FROM INTO WHAT COMMAND
	ok "with the categories of both: $3" trespass "$1" "$2" "$(both "$1" "$2")" "$4"
	if is_enforcing; then
		OUT=$(trespass "$1" "$2" "$(level "$1")" "$4" 2>&1)
		rc=$?
		[ "$rc" != 0 ]
		result $? "with its own: $1 does not $3 of $2"
	else
		skip "with its own: $3" 'this host is permissive'
	fi
}
for c in a b p q; do
	lx attach "$c" -- sh -c 'echo secret >/srv/secret; chmod 644 /srv/secret'
	# A socket to connect to, and a process to trace.
	lx attach "$c" -- sh -c "perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0); bind(S, pack_sockaddr_un(\"/srv/sock\")) or die; chmod 0777, \"/srv/sock\"; listen(S, 5); sleep 100000' >/dev/null 2>&1 </dev/null &"
	eventually lx attach "$c" -- test -S /srv/sock
done
connect='perl -MSocket -e '\''socket(S, AF_UNIX, SOCK_STREAM, 0); connect(S, pack_sockaddr_un("srv/sock")) or die $!'\'
for pair in 'a b' 'b a' 'p q' 'q p' 'p a'; do
	# shellcheck disable=SC2086
	set -- $pair
	forbidden "$1" "$2" 'read a file' 'test "$(cat srv/secret)" = secret'
	forbidden "$1" "$2" 'list the root' 'ls . >/dev/null'
	# The types of the two kinds have nothing in common but their files.
	[ "$pair" = 'p a' ] || forbidden "$1" "$2" 'connect to a socket' "$connect"
done
for pair in 'p q' 'q p'; do
	# shellcheck disable=SC2086
	set -- $pair
	forbidden "$1" "$2" 'write a file' 'echo x >>srv/secret'
	forbidden "$1" "$2" 'signal a process' "kill -CONT $(init "$2")"
	# PTRACE_SEIZE: it does not stop what it traces.
	forbidden "$1" "$2" 'trace a process' "perl -e 'exit(syscall(101, 0x4206, $(init "$2"), 0, 0) != 0)'"
done
# By way of the host's disk, as a mount that was given to the wrong one.
upper=$TREE/a/overlay/upper
for dir in "$upper" "$TREE/b/rootfs"; do
	lx stop -k q
	lx start -s "lxmgr.mount.entry=$dir mnt none bind" q
	if is_enforcing; then
		status 1 "a mount of ${dir#"$TREE"/} shows nothing" lx attach q -- cat /mnt/srv/secret
	else
		is secret "permissive, a mount of ${dir#"$TREE"/} shows it" lx attach q -- cat /mnt/srv/secret
	fi
done
finish
