# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
. ./lib.sh

busybox a
busybox good
cp "$TREE/a/config" "$TREE/.config"
sum() { md5sum <"$TREE/a/config"; }

# bad PATTERN NAME LINES: a config with these lines at its end is refused by file, line and key.
bad() {
	local want=$1 name=$2 line
	cp "$TREE/.config" "$TREE/a/config"
	printf '%b\n' "$3" >>"$TREE/a/config"
	line=$(wc -l <"$TREE/a/config")
	says "a/config:$line: .*$want" "$name" lx start a
	is 'STOPPED' "and nothing runs: $name" lx info -s -H good
}
bad 'lxmgr.nosuch' 'an unknown key' 'lxmgr.nosuch = 1'
bad 'lxmgr.uts.name' 'a bad host name' 'lxmgr.uts.name = -x'
bad 'lxmgr.limit.memory' 'a size that is none' 'lxmgr.limit.memory = lots'
bad 'lxmgr.limit.memory' 'a size that overflows' 'lxmgr.limit.memory = 17179869184G'
bad 'lxmgr.limit.pids' 'a negative number' 'lxmgr.limit.pids = -1'
bad 'lxmgr.net.0.hwaddr' 'a bad MAC' 'lxmgr.net.0.hwaddr = 00:11'
bad 'lxmgr.net.0.ipv4.address' 'a bad address' 'lxmgr.net.0.ipv4.address = 10.0.0.300/24'
bad 'lxmgr.net.0.ipv4.address' 'a bad prefix' 'lxmgr.net.0.ipv4.address = 10.0.0.3/33'
bad 'lxmgr.net.0.ipv6.address' 'a bad IPv6 address' 'lxmgr.net.0.ipv6.address = fe80:::1/64'
bad 'lxmgr.net.0.link' 'a bad name of an interface' 'lxmgr.net.0.link = a/b'
bad 'lxmgr.net.0.type' 'an unknown type' 'lxmgr.net.0.type = token-ring'
bad 'lxmgr.signal.halt' 'an unknown signal' 'lxmgr.signal.halt = SIGNOPE'
bad 'lxmgr.idmap' 'an id map of one word' 'lxmgr.idmap = u'
bad 'lxmgr.idmap' 'an id map beyond 2^32' 'lxmgr.idmap = u 0 4294967290 65536'
bad 'lxmgr.prlimit.nofile' 'a limit above its hard one' 'lxmgr.prlimit.nofile = 4096:1024'
bad 'lxmgr.mount.auto' 'an unknown mount' 'lxmgr.mount.auto = moon'
bad 'lxmgr.seccomp.notify.proxy' 'a key that is refused by name' 'lxmgr.seccomp.notify.proxy = x'
bad '=' 'a line without =' 'lxmgr.uts.name'
bad 'NUL|byte|UTF-8|text' 'bytes that are no text' 'lxmgr.uts.name = \0377\0376'

# Overlapping ids are seen only together.
cp "$TREE/.config" "$TREE/a/config"
printf 'lxmgr.idmap = u 0 1879113728 65536\nlxmgr.idmap = u 1000 1979113728 10\n' >>"$TREE/a/config"
says 'idmap' 'an id map that overlaps' lx start a

cp "$TREE/.config" "$TREE/a/config"
echo "lxmgr.include = $TREE/.nosuch" >>"$TREE/a/config"
says "nosuch.*a/config:$(wc -l <"$TREE/a/config")" 'an include that is not there is told with its line' lx start a

# Files of other kinds.
rm "$TREE/a/config"
mkfifo "$TREE/a/config"
says 'config' 'a pipe is no config, and nobody waits for it' timeout 5 lxmgr-start -P "$TREE" a
rm "$TREE/a/config"
printf 'lxmgr.uts.name = a\0b\n' >"$TREE/a/config"
says 'a/config:1' 'a NUL is refused by line' lx start a
printf 'lxmgr.uts.name = %s\n' "$(head -c 100000 /dev/zero | tr '\0' a)" >"$TREE/a/config"
says 'a/config:1' 'a line of 100 kB too' lx start a
is 'BROKEN' 'such a one is BROKEN' lx info -s -H a
says '^good +STOPPED' 'the others are listed' lx ls -f -F NAME,STATE

# Includes.
cp "$TREE/.config" "$TREE/a/config"
echo "lxmgr.include = $TREE/.inc" >>"$TREE/a/config"
echo 'lxmgr.uts.name = from-include' >"$TREE/.inc"
is 'from-include' 'a file is included' lxmgr-config -P "$TREE" -n a lxmgr.uts.name
echo 'lxmgr.limit.pids = x' >"$TREE/.inc"
says '\.inc:1: ' 'an error in it is told with its own name and line' lx start a
echo "lxmgr.include = $TREE/.inc" >"$TREE/.inc"
says 'include' 'a cycle is refused' timeout 5 lxmgr-start -P "$TREE" a
rm "$TREE/.inc"
mkdir "$TREE/.inc"
echo 'lxmgr.uts.name = from-dir' >"$TREE/.inc/10.conf"
echo 'garbage' >"$TREE/.inc/readme"
is 'from-dir' 'a directory is included, its .conf only' lxmgr-config -P "$TREE" -n a lxmgr.uts.name

# Prefixes and edits.
cp "$TREE/.config" "$TREE/a/config"
echo 'lxc.uts.name = old-style' >>"$TREE/a/config"
is 'old-style' 'lxc. is a synonym' lxmgr-config -P "$TREE" -n a lxmgr.uts.name
is 'old-style' 'in questions too' lxmgr-config -P "$TREE" -n a lxc.uts.name
ok 'a key is set' lxmgr-config -P "$TREE" -n a lxmgr.uts.name=new
is 'new' 'and read' lxmgr-config -P "$TREE" -n a lxmgr.uts.name
says '^lxmgr.uts.name = new' 'it is saved under lxmgr.' grep uts.name "$TREE/a/config"
ok 'a key is unset' lxmgr-config -P "$TREE" -n a --unset lxmgr.uts.name
before=$(sum)
status 1 'a line break in a value is refused' lxmgr-config -P "$TREE" -n a $'lxmgr.description=x\nlxmgr.hook.pre-start = /bin/false'
status 1 'an unknown key is not set' lxmgr-config -P "$TREE" -n a lxmgr.nosuch=1
is "$before" 'and the file is as it was' sum
says 'too large' 'start -s is checked as the file is' lx start -s lxmgr.limit.memory=99999999999999G a
status 64 'an unknown option' lx start --nosuch a
status 64 'no name' lx start
status 3 'no such container' lx start nosuch
status 64 'a name with a slash' lx start a/../good
ok 'the good one starts after all this' lx start good
finish
