# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# lxmgr-reinstall: a fresh root, who the container is stays, and at no instant is it neither.
# In machines: check-vm-full.
. ./lib.sh

need busybox strace jq

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
is '1 1' 'the new root has a resolver and its name in hosts' in_root ct 'echo $(grep -c -m 1 ^nameserver /etc/resolv.conf) $(grep -c -m 1 -w ct /etc/hosts)'
is 0123456789abcdef0123456789abcdef 'the machine-id' in_root ct 'cat /etc/machine-id'
is 'private public 600 644' "sshd's host keys" in_root ct 'cd /etc/ssh
	echo $(cat ssh_host_ed25519_key ssh_host_ed25519_key.pub) $(stat -c %a ssh_host_ed25519_key ssh_host_ed25519_key.pub)'
is 'root:$y$roothash bob:$y$bobhash' 'the hashes' in_root ct 'echo $(cut -d: -f1,2 /etc/shadow | grep -E "^(root|bob):")'
is 'ssh-ed25519 ROOT ssh-ed25519 BOB' 'the keys' in_root ct 'echo $(cat /root/.ssh/authorized_keys /home/bob/.ssh/authorized_keys)'
is '1000:1000' "bob's file is his" in_root ct 'stat -c %u:%g /home/bob/.ssh/authorized_keys'
is gone 'what was in the old root is gone' in_root ct 'test -e /etc/mine || test -e /etc/ssh/moduli || echo gone'
is 77 'the limit' lx config ct lxmgr.limit.pids

# What a guest's user, or an old guest, may have there.
ok 'a user lays a link to the hashes; the name of a person is in Latin-1' in_root ct '
	rm /home/bob/.ssh/authorized_keys; ln -s /etc/shadow /home/bob/.ssh/authorized_keys
	sed -i "s/^bob:x:1000:1000:/&J\xfcrgen/" /etc/passwd; grep -q J..rgen /etc/passwd || printf "eve:x:1001:1001:J\374rgen:/home/eve:/bin/sh\n" >>/etc/passwd'
ok 'reinstall' lx reinstall -q ct
is no 'his keys are not the hashes' in_root ct 'grep -qs roothash /home/bob/.ssh/authorized_keys && echo yes || echo no'
is 'root:$y$roothash bob:$y$bobhash' 'the hashes are where they were' in_root ct 'echo $(cut -d: -f1,2 /etc/shadow | grep -E "^(root|bob):")'
ok 'a list of users that is too long' in_root ct 'seq 200000 >>/etc/passwd'
says 'cannot be read' 'is no reason to lose them' lx reinstall -q ct
is 200000 'the old root stays' in_root ct 'tail -n 1 /etc/passwd'
ok 'as it was' in_root ct 'sed -i "/^[0-9]*$/d" /etc/passwd'

ok 'with the old root' bash -c "
	lxmgr-start -P '$TREE' ct >/dev/null && lxmgr-attach -P '$TREE' ct -- sh -c 'echo mine >/etc/mine; chown 1000 /etc/mine; ln -s /etc/mine /etc/link'
	lxmgr-stop -q -k -P '$TREE' ct && lxmgr-reinstall -q -P '$TREE' --keep-old ct"
is 'mine 1000 /etc/mine' 'it is under /old' in_root ct 'echo $(cat /old/etc/mine; stat -c %u /old/etc/mine; readlink /old/etc/link)'
ok 'and once more' lx reinstall -q --keep-old ct
is no 'without that of the time before' in_root ct 'test -e /old/old && echo yes || echo no'

# Its snapshots stay, and what is in them. Whoever is killed when half of them has moved loses none.
for b in dir overlay; do
	busybox snaps -B $b
	in_root snaps 'echo old >/etc/which'
	for s in one two three; do lx snapshot -q snaps $s; done
	ok "$b: reinstall with snapshots" lx reinstall -q snaps
	is 'one three two' "$b: they are there" bash -c "lxmgr-snapshot -P '$TREE' -L --json snaps | jq -r '[.[].name] | sort | join(\" \")'"
	for when in 2 3 4; do
		strace -f -qq -o /dev/null -e trace=renameat2 -e inject=renameat2:signal=KILL:when=$when lxmgr-reinstall -q -P "$TREE" snaps >/dev/null 2>&1
		ok "$b: killed at $when: the old root is beside it" test -n "$(left)"
		[ $when != 3 ] || status 4 "$b: it is not destroyed with them by accident" lx destroy snaps
		[ $when != 4 ] || ok "$b: cleaned up behind it" lx create -q -t none -n other
		is 'one three two' "$b: killed at $when: they are there" bash -c "lxmgr-snapshot -P '$TREE' -L --json snaps | jq -r '[.[].name] | sort | join(\" \")'"
	done
	ok "$b: the next one" lx reinstall -q snaps
	is '' "$b: cleans up" left
	is gone "$b: the root is fresh" in_root snaps 'test -e /etc/which || echo gone'
	# The disk fails when all is in place but the names: what is deleted then is the new one.
	status 1 "$b: a disk that fails behind the exchange" strace -f -qq -o /dev/null -P "$TREE" -e trace=fsync \
		-e inject=fsync:error=EIO lxmgr-reinstall -q -P "$TREE" snaps
	is 'one three two' "$b: they are there" bash -c "lxmgr-snapshot -P '$TREE' -L --json snaps | jq -r '[.[].name] | sort | join(\" \")'"
	ok "$b: one is restored" lx snapshot snaps -r two
	is old "$b: and is as it was" in_root snaps 'cat /etc/which'
	lx snapshot -q snaps four
	lx destroy -q other
	ok "$b: all are destroyed" lx destroy -q -s snaps
done
is '' 'no layer is left' find "$TREE/.layers" -mindepth 1 -maxdepth 1

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

# What could not be kept is told, one line each.
cat >"$TREE/roots/three" <<'EOT'
#!/bin/sh
for a; do case $a in --rootfs=*) r=${a#*=};; esac; done
cd "$r" && mkdir -p bin dev proc sys sbin etc root && cp /bin/busybox bin/sh && ln -s ../bin/sh sbin/init
printf '%s\n' root:x:0:0::/root:/bin/sh taken:x:1003:1003::/home/taken:/bin/sh moved:x:1009:1009::/:/bin/sh >etc/passwd
printf 'lxmgr.init.cwd = /sbin\nlxmgr.environment.runtime = %s\n' "FROM=three" >"$r/../config"
EOT
chmod 755 "$TREE/roots/three"
busybox told -s lxmgr.init.cwd=/tmp
ok 'much that a new root cannot have' in_root told '
	mkdir -p /etc/ssh /home/fish/.ssh /home/moved/.ssh; printf "\\377" >/etc/ssh/ssh_host_rsa_key; echo nonsense >/etc/machine-id
	echo "fish:x:1000:1000::/home/fish:/bin/fish
system:x:500:500::/:/bin/sh
thief:x:1003:1003::/:/bin/sh
moved:x:1004:1004::/home/moved:/bin/sh
nosuch!:x:1005:1005::/:/bin/sh
daemon9:x:501:501::/:/bin/false" >>/etc/passwd
	printf "sudo:x:27:fish,thief\nwheel:x:28:fish\n" >>/etc/group
	printf "fish:no hash:1::::::\nsystem:\$y\$h:1::::::\ndaemon9:*:1::::::\n" >>/etc/shadow
	printf "ssh-ed25519 MOVED\n" >/home/moved/.ssh/authorized_keys
	printf "# one\nssh-ed25519 FISH\n\nfishy\n" >/home/fish/.ssh/authorized_keys; touch /bin/fish'
lxmgr-reinstall -P "$TREE" -n told -t "$TREE/roots/three" >"$TREE/roots/.out" 2>"$TREE/roots/.told"
result $? 'reinstall'
is 'Reinstalled told. Start it with: lxmgr-start told' 'standard output has the one line' cat "$TREE/roots/.out"
for line in "'lxmgr.init.cwd = /tmp' is not kept: the new template's is '/sbin'" \
	'the machine-id is not kept: it is not 32 hexadecimal digits' \
	"the host key 'ssh_host_rsa_key' is not kept: it is no small file of text" \
	"the password of 'fish' is not kept: what /etc/shadow has is no hash" \
	"1 of the lines in the authorized_keys of 'fish' are not kept: they are no keys" \
	"the user 'system' is not kept: its id 500 is not from 1000 to 59999" \
	"the user 'nosuch!' is not kept: its line in /etc/passwd is malformed" \
	"the user 'fish' gets the shell /bin/sh: the new root has no '/bin/fish'" \
	"the user 'fish' is not kept in the groups sudo, wheel" \
	"the user 'thief' is not kept: its id 1003 is another's in the new root" \
	"the user 'moved' has the id 1009 in the new root, and had 1004" \
	"the keys of 'moved' are not kept: its home directory is '/' in the new root"; do
	ok "told: $line" grep -qxF "lxmgr-reinstall: notice: $line" "$TREE/roots/.told"
done
is 12 'and nothing else' grep -c '' "$TREE/roots/.told"
is fish 'what can be kept is' in_root told 'grep -o "^fish" /etc/passwd; grep -q FISH /home/fish/.ssh/authorized_keys'
is '' 'once more, quietly' bash -c "
	lxmgr-reinstall -q -P '$TREE' told 2>&1"
is '0' 'as JSON' bash -c "lxmgr-reinstall --json -P '$TREE' told | jq '.notices | length'"
ok 'a guest that would fill the screen' in_root told '
	i=0; while [ $i -lt 3000 ]; do printf "bad\033[31m\377%d:x:1%03d:\n" $i $((i % 1000)); i=$((i + 1)); done >>/etc/passwd'
is '51' 'has a limit' bash -c "lxmgr-reinstall -P '$TREE' told 2>&1 >/dev/null | wc -l"
is '' 'and no control characters' bash -c "lxmgr-reinstall -P '$TREE' told 2>&1 | LC_ALL=C grep '[^ -~]'"
lx destroy -q told

# Refused, with nothing changed.
sum() { (cd "$TREE" && find ct -type f ! -name lock -exec sha256sum {} + | sort | sha256sum); }
lx start ct >/dev/null
status 4 'a running one' lx reinstall ct
is RUNNING 'runs on' lx info -s -H ct
status 1 '-f with a template that fails' lx reinstall -f -t busybox ct -- --busybox-path /nonexistent
is RUNNING 'lets it run' lx info -s -H ct
OUT=$(strace -f -qq -o /dev/null -e trace=renameat2 -e inject=renameat2:error=EIO lxmgr-reinstall -q -f -P "$TREE" ct 2>&1)
[[ $OUT == *'it is stopped now: lxmgr-start ct'* ]]
result $? '-f that fails behind the stop says so'
is STOPPED 'it is' lx info -s -H ct
ok 'it starts again' lx start -q ct
ok '-f stops it' lx reinstall -q -f ct
is STOPPED 'it is stopped' lx info -s -H ct
S=$(sum)
status 3 'no such container' lx reinstall nobody
status 64 'an image and options of a template' lx reinstall --image x ct -F
status 64 'an image and a template' lx reinstall --image x -t busybox ct
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
ok 'it is published' lxmgr-image -q -P "$TREE" publish plain --as "reinstall-$$"
ok 'an image in place of a template' lx reinstall -q --image "reinstall-$$" plain
is '' 'no template is recorded' lx config plain lxmgr.template
is fine 'it runs' in_root plain 'echo fine'
status 4 'nobody deletes that image' lxmgr-image delete "reinstall-$$"
ok 'a template again' lx reinstall -q -t busybox plain
ok 'the image goes' lxmgr-image -q delete "reinstall-$$"

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
