# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
. ./lib.sh

busybox a
lx start a
for rc in 0 1 7 125 255; do
	status "$rc" "exit status $rc comes back" lx attach a -- sh -c "exit $rc"
done
status 137 'a killed command is 128 + signal' lx attach a -- sh -c 'kill -9 $$'
status 127 'not found is 127' lx attach a -- nosuch
status 126 'not executable is 126' lx attach a -- /etc/passwd
status 125 'no container is 125' lx attach nosuch -- true
at() { lxmgr-attach -P "$TREE" a -- "$@"; }
is 'in' 'stdin is passed' bash -c "echo in | lxmgr-attach -P $TREE a -- cat"
is 'err' 'stderr is its own' bash -c "lxmgr-attach -P $TREE a -- sh -c 'echo err >&2; echo out' 2>&1 >/dev/null"
head -c 64M /dev/urandom >"$TREE/.bulk"
is "$(md5sum <"$TREE/.bulk")" '64 MB come out intact' bash -c "lxmgr-attach -P $TREE a -- cat <$TREE/.bulk | md5sum"
is "$(md5sum <"$TREE/.bulk")" 'and go in' bash -c "lxmgr-attach -P $TREE a -- md5sum <$TREE/.bulk"
says '/dev/pts/' 'a terminal is the container'"'"'s own' script -qec "lxmgr-attach -P $TREE a -- tty" /dev/null
status 3 'exit status through a terminal' script -qec "lxmgr-attach -P $TREE a -- sh -c 'exit 3'" /dev/null
is 'x' '-v sets a variable' lx attach -v A=x a -- sh -c 'echo $A'
is 'y' '--keep-var keeps one' env B=y lxmgr-attach -P "$TREE" --keep-var B a -- sh -c 'echo $B'
is '' 'others do not come in' env B=y lxmgr-attach -P "$TREE" a -- sh -c 'echo $B'
is 'y' '--keep-env keeps all' env B=y lxmgr-attach -P "$TREE" --keep-env a -- sh -c 'echo $B'
is '1 65534' '-u and -g' lx attach -u 1 -g 65534 a -- sh -c 'echo $(id -u) $(id -g)'
is '0 1 2 3' 'nothing but 0, 1, 2 is open (3 is the look itself)' at sh -c 'echo $(ls /proc/self/fd)'
is '/' 'the working directory is inside' at pwd
status 125 'a directory as stdin is refused' bash -c "lxmgr-attach -P $TREE a -- true </"
ok '-s joins only some' lx attach -e -s NETWORK a -- ip link show eth0
is '2' 'the seccomp filter is in force' at awk '/^Seccomp:/ { print $2 }' /proc/self/status
is "$(at awk '/^CapBnd:/ { print $2 }' /proc/1/status)" 'capabilities as init has them' at awk '/^CapBnd:/ { print $2 }' /proc/self/status
is '0' 'root inside' at id -u
says '^ *[1-9]' 'is no root outside' ps -o uid= -p "$(lx info -p -H a)"
finish
