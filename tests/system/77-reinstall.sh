# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# lxmgr-reinstall: a fresh root, who the container is stays, and at no instant is it neither.
. ./lib.sh

need busybox strace

# The guest's own files, in its root as the host sees it while it is stopped.
in_root() { # in_root NAME COMMAND: run in the started container, which is stopped again
	local rc
	lx start "$1" >/dev/null 2>&1 || return 1
	lx attach "$1" -- sh -c "$2" </dev/null
	rc=$?
	lx stop -q -k "$1"
	return $rc
}
left() { find "$TREE" -mindepth 1 -maxdepth 1 -name '.*' ! -name .layers; }
mkdir "$TREE/roots"

busybox ct -s lxmgr.limit.pids=77
ok 'the old root is lived in' in_root ct '
	echo 0123456789abcdef0123456789abcdef >/etc/machine-id
	mkdir -p /etc/ssh /root/.ssh /home/bob/.ssh
	echo private >/etc/ssh/ssh_host_ed25519_key; echo public >/etc/ssh/ssh_host_ed25519_key.pub
	echo moduli >/etc/ssh/moduli
	echo "bob:x:1000:1000::/home/bob:/bin/sh" >>/etc/passwd
	printf "root:\$y\$roothash:1:0:99999:7:::\nbob:\$y\$bobhash:1:0:99999:7:::\n" >/etc/shadow
	echo "ssh-ed25519 ROOT" >/root/.ssh/authorized_keys; echo "ssh-ed25519 BOB" >/home/bob/.ssh/authorized_keys
	echo mine >/etc/mine'
CONFIG=$(cat "$TREE/ct/config")
IP=$(in_root ct 'ip -4 -o addr show eth0')
ok 'reinstall' lx reinstall -q ct
is '' 'nothing is left beside it' left
is "$CONFIG" 'the config is the same' cat "$TREE/ct/config"
is "$IP" 'and so is the address' in_root ct 'ip -4 -o addr show eth0'
is 0123456789abcdef0123456789abcdef 'the machine-id' in_root ct 'cat /etc/machine-id'
is 'private public 600 644' "sshd's host keys" in_root ct 'cd /etc/ssh
	echo $(cat ssh_host_ed25519_key ssh_host_ed25519_key.pub) $(stat -c %a ssh_host_ed25519_key ssh_host_ed25519_key.pub)'
is 'root:$y$roothash bob:$y$bobhash' 'the hashes' in_root ct 'echo $(cut -d: -f1,2 /etc/shadow | grep -E "^(root|bob):")'
is 'ssh-ed25519 ROOT ssh-ed25519 BOB' 'the keys' in_root ct 'echo $(cat /root/.ssh/authorized_keys /home/bob/.ssh/authorized_keys)'
is '1000:1000' "bob's file is his" in_root ct 'stat -c %u:%g /home/bob/.ssh/authorized_keys'
is gone 'what was in the old root is gone' in_root ct 'test -e /etc/mine || test -e /etc/ssh/moduli || echo gone'
is 77 'the limit' lx config ct lxmgr.limit.pids

ok 'with the old root' bash -c "
	lxmgr-start -P '$TREE' ct >/dev/null && lxmgr-attach -P '$TREE' ct -- sh -c 'echo mine >/etc/mine; chown 1000 /etc/mine; ln -s /etc/mine /etc/link'
	lxmgr-stop -q -k -P '$TREE' ct && lxmgr-reinstall -q -P '$TREE' --keep-old ct"
is 'mine 1000 /etc/mine' 'it is under /old' in_root ct 'echo $(cat /old/etc/mine; stat -c %u /old/etc/mine; readlink /old/etc/link)'
ok 'and once more' lx reinstall -q --keep-old ct
is no 'without that of the time before' in_root ct 'test -e /old/old && echo yes || echo no'

# What the old template set of a list goes, what somebody added stays.
cat >"$TREE/roots/one" <<'EOT'
#!/bin/sh
for a; do case $a in --rootfs=*) r=${a#*=};; esac; done
cd "$r" && mkdir -p bin dev proc sys sbin etc && cp /bin/busybox bin/sh && ln -s ../bin/sh sbin/init
printf 'lxmgr.environment.runtime = %s\n' "FROM=${0##*/}" "OF=${0##*/}" >"$r/../config"
EOT
chmod 755 "$TREE/roots/one"
cp "$TREE/roots/one" "$TREE/roots/two"
lx create -q -t "$TREE/roots/one" -n env -s lxmgr.environment.runtime=MINE=1
is $'FROM=one\nMINE=1\nOF=one' 'a template sets an environment' bash -c "lxmgr-config -P '$TREE' -n env lxmgr.environment.runtime | sort"
ok 'reinstall from another' lx reinstall -q -t "$TREE/roots/two" env
is $'FROM=two\nMINE=1\nOF=two' 'which sets its own' bash -c "lxmgr-config -P '$TREE' -n env lxmgr.environment.runtime | sort"
lx destroy -q env

# Refused, with nothing changed.
sum() { (cd "$TREE" && find ct -type f ! -name lock -exec sha256sum {} + | sort | sha256sum); }
lx start ct >/dev/null
status 4 'a running one' lx reinstall ct
is RUNNING 'runs on' lx info -s -H ct
ok '-f stops it' lx reinstall -q -f ct
is STOPPED 'it is stopped' lx info -s -H ct
S=$(sum)
status 3 'no such container' lx reinstall nobody
status 1 'no such template' lx reinstall -t nosuch ct
status 1 'a template that fails' lx reinstall -t busybox ct -- --busybox-path /nonexistent
mkdir -p "$TREE/ct/snaps/one"
status 6 'something that it would leave behind' lx reinstall ct
rm -r "$TREE/ct/snaps"
lx create -q -t none -n plain
status 64 'no template is recorded' lx reinstall plain
mkdir -p "$TREE/roots/own"
lx create -q -t none -n own --dir "$TREE/roots/own"
status 6 'a root of its own' lx reinstall -t busybox own
is "$S" 'nothing was changed' sum
is '' 'nothing is left' left
ok 'a template for one that had none' lx reinstall -q -t busybox plain
is busybox 'it is recorded' lx config plain lxmgr.template
is fine 'it runs' in_root plain 'echo fine'

# Two at once: the second one waits, and finds the new directory.
lx reinstall -q ct &
lx reinstall -q ct
RC=$?
wait $!
is '0 0' 'two at once' echo $? $RC
is fine 'it runs' in_root ct 'echo fine'

# A hostile old root: what is kept is read inside it, and written inside the new one.
echo outside >"$TREE/outside"
ok 'a hostile old root' in_root ct "
	rm -rf /etc/ssh /root/.ssh; ln -s / /etc/ssh; ln -s ../../../../../../..$TREE /root/.ssh
	rm -f /etc/machine-id; ln -s $TREE/outside /etc/machine-id
	echo 'evil:x:1001:1001::/../../../../..$TREE:/bin/sh' >>/etc/passwd
	echo 'root2:x:0:0::/root:/bin/sh' >>/etc/passwd; printf 'x:y\\nz\\0\\n' >>/etc/shadow"
ok 'is reinstalled' lx reinstall -q ct
is outside 'nothing was written outside' cat "$TREE/outside"
is '' 'nothing is left' left
is fine 'it runs' in_root ct 'echo fine; test ! -L /etc/machine-id'

# Killed at any rename, unlink or link: as it was or as asked, and the next command cleans up.
in_root ct 'echo old >/etc/which' || echo 'cannot mark the old root'
for call in mkdirat:1 mkdirat:2 syncfs:1 renameat2:1 unlinkat:1 unlinkat:5; do
	name=${call%:*} when=${call#*:}
	{ strace -f -qq -o /dev/null -e trace="$name" -e inject="$name:signal=KILL:when=$when" lxmgr-reinstall -q -P "$TREE" ct >/dev/null 2>&1; } 2>/dev/null
	result $((! $?)) "killed at $name $when: it is"
	ok "killed at $name $when: its config is there" lx config ct lxmgr.limit.pids
	is fine "killed at $name $when: it starts" in_root ct 'echo fine'
done
ok 'the next reinstall' lx reinstall -q ct
is '' 'cleans up' left
is gone 'and is whole' in_root ct 'test -e /etc/which || echo gone'
finish
