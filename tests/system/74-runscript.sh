# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# A script of the host's, in a container that runs and in one that is stopped.
# In machines: check-vm-full.
. ./lib.sh

run() { lx runscript "$@"; }
s=$TREE/.script
busybox a -B dir
root=$TREE/a/rootfs
write() { # write TEXT: the script
	printf '%b' "$1" >"$s"
	chmod 700 "$s"
}
for way in stopped running; do
	[ $way = stopped ] || lx start a
	for rc in 0 1 7 125 255; do
		write "#!/bin/sh\nexit $rc\n"
		status "$rc" "$way: exit status $rc comes back" run a "$s"
	done
	write '#!/bin/sh\nkill -9 $$\n'
	status 137 "$way: killed is 128 + signal" run a "$s"
	write '#!/bin/sh\necho "$#:$1:$2:$3"\n'
	is '3:one:two  words:--' "$way: arguments" run a "$s" one 'two  words' --
	is '1:-x:' "$way: behind -- too" bash -c "lxmgr-runscript -P $TREE a -- $s -x | tr -d '\r'| sed 's/:\$//'"
	write 'echo no interpreter\n'
	is 'no interpreter' "$way: without a first line it is the shell's" run a "$s"
	is 'from stdin x' "$way: from standard input" bash -c "echo 'echo from stdin \$1' | lxmgr-runscript -P $TREE a - x | tr -d '\r'"
	write '#!/no/such/interpreter\n'
	status 127 "$way: an interpreter that is not there" run a "$s"
	write '#!/etc/passwd\n'
	status 126 "$way: one that cannot be executed" run a "$s"
	write '#!/bin/sh\necho $(id -u):$(id -g):$A\n'
	is '0:0:' "$way: as root" run a "$s"
	is '12:13:b c' "$way: -u, -g, -v" run -u 12 -g 13 -v 'A=b c' a "$s"
	chmod 000 "$s"
	is '12:0:' "$way: the script's mode on the host does not matter" run -u 12 a "$s"
	write '#!/bin/sh\ncat /proc/self/status >/dev/null; f=$0\n(echo evil >"$f") 2>/dev/null && echo written\nchmod 600 "$f" 2>/dev/null && echo changed\nls -l "$f" | grep -c memfd\n'
	is '1' "$way: nothing inside can change it" run a "$s"
	write '#!/bin/sh\nhostname; ls -d /host 2>/dev/null\n'
	is 'a' "$way: it is inside" run a "$s"
	is '' "$way: nothing is written to its disk" find "$root" -xdev -newer "$s" -type f -path '*script*'
	head -c 70M /dev/zero >"$s"
	status 125 "$way: one that is too long" run a "$s"
	[ $way = running ] || is 'STOPPED' 'it is stopped again' lx info -s -H a
done
is 'in' 'running: standard input is the caller'"'"'s' bash -c "printf '#!/bin/sh\ncat\n' >$s; echo in | lxmgr-runscript -P $TREE a $s"
is 'err' 'and standard error is its own' bash -c "printf 'echo err >&2; echo out\n' >$s; lxmgr-runscript -P $TREE a $s 2>&1 >/dev/null"
printf '#!/bin/sh\necho $(ls /proc/self/fd | wc -l)\n' >"$s"
# 0, 1, 2, the look itself and the copy; the shell has it open a second time.
ok 'no descriptor but the copy is open' test "$(run a "$s")" -le 6
status 125 'no such script' run a /no/such/script
status 125 'a directory' run a /
status 125 'no such container' run nosuch "$s"
status 64 'no script' run a
lx freeze a
printf 'true\n' >"$s"
status 125 'a frozen container' run a "$s"
lx unfreeze a
lx stop -k a
lx mount -q a
says 'is mounted on' 'a mounted one' run a "$s"
lx umount a
finish
