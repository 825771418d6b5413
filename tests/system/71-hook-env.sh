# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Every type of hook: what it is told, where it runs, in which order, and what its failure does.
# In machines: check-vm-full.
. ./lib.sh

# The hook writes its environment and arguments beside the log; inside the container that is the
# same file by a mount.
mkdir "$TREE/.log"
: >"$TREE/.log/order"
chmod 777 "$TREE/.log"
chmod 666 "$TREE/.log/order"
cat >"$TREE/.hook" <<'EOT'
#!/bin/sh
fds=$(for i in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19; do readlink /proc/self/fd/$i; done | grep -vE '^(pipe:.*|/dev/null)$')
for d in TREE/.log /hooklog ROOT/hooklog; do [ -d $d ] && break; done
{
	echo "args: $*"
	env | grep -E '^(LXC|LXMGR)_|^(A|H|R)='
	echo "uid: $(id -u) pid1: $(cat /proc/1/comm 2>/dev/null) root: $(ls -d /hooklog 2>/dev/null)"
	echo "fds: $fds"
} >$d/$LXMGR_HOOK_TYPE 2>&1
echo $LXMGR_HOOK_TYPE >>$d/order
EOT
sed -i "s,TREE,$TREE,; s,ROOT,\$LXMGR_ROOTFS_MOUNT," "$TREE/.hook"
chmod 755 "$TREE/.hook"
busybox a -B dir -s "lxmgr.mount.entry=$TREE/.log hooklog none bind,create=dir 0 0" \
	-s lxmgr.environment=A=both -s lxmgr.environment.hooks=H=hooks -s lxmgr.environment.runtime=R=init
cp "$TREE/.hook" "$TREE/a/rootfs/hook"
chmod 755 "$TREE/a/rootfs/hook"
types='pre-start pre-mount mount autodev start-host start stop post-stop'
for t in $types; do
	h=$TREE/.hook
	[ "$t" != start ] || h=/hook
	lxmgr-config -P "$TREE" -n a "lxmgr.hook.$t=$h one two"
done
lxmgr-config -P "$TREE" -n a "lxmgr.hook.destroy=$TREE/.hook"
ok 'start' lx start a
is 'both' 'init has the common environment' lx attach a -- sh -c 'tr "\0" "\n" </proc/1/environ | sed -n s/^A=//p'
is 'init' 'and its own' lx attach a -- sh -c 'tr "\0" "\n" </proc/1/environ | sed -n s/^R=//p'
is '' 'not that of the hooks' lx attach a -- sh -c 'tr "\0" "\n" </proc/1/environ | grep ^H='
lx stop -k a
is "$types" 'all of them ran, in LXC'"'"'s order' bash -c "paste -sd' ' $TREE/.log/order"
seen() { cat "$TREE/.log/$1"; }
for t in $types; do
	says "^args: one two a lxc $t" "$t: its arguments, then the container, the section and the type" seen "$t"
	for v in "NAME=a" "HOOK_TYPE=$t" "HOOK_SECTION=lxc" "HOOK_VERSION=0" "CONFIG_FILE=$TREE/a/config" CGNS_AWARE=1; do
		says "^LXMGR_$v\$" "$t: LXMGR_$v" seen "$t"
		says "^LXC_$v\$" "$t: LXC_$v" seen "$t"
	done
	says '^A=both' "$t: the common environment" seen "$t"
	says '^H=hooks' "$t: that of the hooks" seen "$t"
	is '' "$t: not that of init" bash -c "grep ^R= $TREE/.log/$t"
	says '^fds: $' "$t: no descriptor but its own" seen "$t"
	# Both names or none.
	is '' "$t: each variable has both names" bash -c "diff <(sed -n 's/^LXC_//p' $TREE/.log/$t | sort) <(sed -n 's/^LXMGR_//p' $TREE/.log/$t | sort)"
done
for t in mount autodev; do
	says '^LXC_ROOTFS_MOUNT=/' "$t: where the root is" seen "$t"
done
says '^LXC_TARGET=stop' 'stop: the target' seen stop
says '^LXC_TARGET=stop' 'post-stop: the target' seen post-stop
for ns in NET MNT PID UTS IPC; do
	says "^LXC_${ns}_NS=/proc/[0-9]+/fd/[0-9]+" "stop: the $ns namespace" seen stop
done
says 'net:/proc/[0-9]+/fd/[0-9]+' 'as an argument, too' seen stop
says 'root: /hooklog' 'start runs inside' seen start
is '' 'pre-start does not' bash -c "grep 'root: /hooklog' $TREE/.log/pre-start"
ok 'destroy' lx destroy a
says '^args: a lxc destroy' 'destroy: its arguments' seen destroy

# Version 1: nothing but the user's own arguments.
busybox b -s lxmgr.hook.version=1 -s "lxmgr.hook.pre-start=$TREE/.hook one"
lx start b
says '^args: one$' 'version 1: no arguments of ours' seen pre-start
says '^LXC_HOOK_VERSION=1' 'and said so' seen pre-start
lx stop -k b
# Several of one type: in their order, until one fails.
printf '#!/bin/sh\necho $1 >>%s/.log/many\n[ $1 != 2 ]\n' "$TREE" >"$TREE/.n"
chmod 755 "$TREE/.n"
busybox c -s "lxmgr.hook.pre-start=$TREE/.n 1" -s "lxmgr.hook.pre-start=$TREE/.n 2" -s "lxmgr.hook.pre-start=$TREE/.n 3"
status 1 'the second of three fails' lx start c
is '1 2' 'the third does not run' bash -c "paste -sd' ' $TREE/.log/many"
lx destroy -q c

# A failing hook of each type. What was there before it is taken back with stop and post-stop.
printf '#!/bin/sh\n[ "$LXMGR_HOOK_TYPE" != "$FAIL" ] || { echo because of me; exit 3; }\necho $LXMGR_HOOK_TYPE >>%s/.log/fail\n' "$TREE" >"$TREE/.f"
chmod 755 "$TREE/.f"
for t in pre-start pre-mount mount autodev start-host start; do
	h=$TREE/.f
	busybox f -B dir -s "lxmgr.environment.hooks=FAIL=$t" -s "lxmgr.hook.post-stop=$h" -s "lxmgr.hook.stop=$h"
	if [ "$t" = start ]; then
		printf '#!/bin/sh\necho because of me\nexit 3\n' >"$TREE/f/rootfs/f"
		chmod 755 "$TREE/f/rootfs/f"
		h=/f
	fi
	lxmgr-config -P "$TREE" -n f "lxmgr.hook.$t=$h"
	: >"$TREE/.log/fail"
	says "hook $t '$h' failed: exit status 3.*because of me" "$t fails: named, with its status and words" lx start f
	is 'STOPPED' "$t failed: nothing runs" lx info -s -H f
	says 'post-stop' "$t failed: post-stop takes back" cat "$TREE/.log/fail"
	lxmgr-config -P "$TREE" -n f --unset "lxmgr.hook.$t"
	ok "without it, it starts" lx start f
	lx destroy -q -f f
done
# What fails at the end keeps nothing from ending.
for t in stop post-stop; do
	busybox f -s "lxmgr.hook.$t=/bin/false"
	lx start f
	ok "$t fails: the stop works" lx stop -k f
	is 'STOPPED' "and it is stopped" lx info -s -H f
	ok 'it starts again' lx start f
	lx destroy -q -f f
done
busybox f -s 'lxmgr.hook.destroy=/bin/false'
status 1 'destroy fails: the container stays' lx destroy f
ok 'destroy -f does not mind' lx destroy -f f
for h in /nosuch /etc/passwd "$TREE"; do
	busybox f -s "lxmgr.hook.pre-start=$h"
	says "hook pre-start '$h'" "a hook that is no program is named: ${h##*/}" lx start f
	lx destroy -q f
done
# The scripts of an interface.
busybox n -s "lxmgr.net.0.script.up=$TREE/.hook x" -s "lxmgr.net.0.script.down=$TREE/.hook y"
lx start n
says '^args: x n net up veth veth' 'script.up: its arguments' seen up
for v in NET_TYPE=veth NAME=n HOOK_SECTION=net; do
	says "^LXC_$v" "script.up: LXC_$v" seen up
	says "^LXMGR_$v" "script.up: LXMGR_$v" seen up
done
lx stop -k n
says '^args: y n net down veth veth' 'script.down' seen down
lxmgr-config -P "$TREE" -n n lxmgr.net.0.script.up=/bin/false
says 'script.up .*/bin/false.* failed' 'a failing script is named' lx start n
is 'STOPPED' 'and nothing runs' lx info -s -H n
finish
