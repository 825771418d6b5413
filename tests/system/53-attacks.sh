# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Attacks with a control: each is first shown to work where nothing is in its way (attack.c).
. ./lib.sh
need gcc script setpriv

attack=$TREE/.attack
ok 'the attacks build' gcc -O1 -static -Wall -o "$attack" attack.c
mkdir "$TREE/.host" "$TREE/.vol"
echo untouched >"$TREE/.host/secret"
chmod 666 "$TREE/.host/secret"
chmod 777 "$TREE/.host"
host_sum() { (cd "$TREE/.host" && find . -printf '%p %y %m %U %s %l\n' | sort && cat secret) | md5sum; }
before=$(host_sum)
busybox a -B dir
root=$TREE/a/rootfs
cp "$attack" "$root/attack"
chmod 755 "$root/attack"
at() { lx attach a -- "$@"; }
lx start a

# CVE-2016-10124, CVE-2023-1523: typing into the terminal of the operator. On the host it is root's to
# do; what is typed there is read by nobody but script(1).
says 'yes' 'control: TIOCSTI works on a terminal of the host' script -qec "$attack tiocsti" /dev/null
says 'no' 'TIOCSTI by attach' script -qec "lxmgr-attach -P $TREE a -- /attack tiocsti" /dev/null
says 'no' 'by attach with the host'"'"'s terminal as stderr only' script -qec "lxmgr-attach -P $TREE a -- /bin/sh -c '/attack tiocsti <&2' </dev/null" /dev/null
says 'no' 'on the console' script -qec "lxmgr-execute -P $TREE a -- true; lxmgr-attach -P $TREE a -- /bin/sh -c '/attack tiocsti </dev/console'" /dev/null

# open_by_handle_at ("shocker").
is 'yes' 'control: a handle opens a directory on the host' "$attack" shocker /
is 'no' 'open_by_handle_at' at /attack shocker /

# The session keyring of whoever starts or attaches.
is 'yes' 'control: a program finds a key of its session' "$attack" with-key lxmgr-test "$attack" key lxmgr-test
is 'no' 'attach leaves the session keyring outside' "$attack" with-key lxmgr-test lxmgr-attach -P "$TREE" a -- /attack key lxmgr-test
lx stop -k a
"$attack" with-key lxmgr-test lxmgr-start -P "$TREE" a
is 'no' 'start, too' at /attack key lxmgr-test
lx stop -k a
says '^no' 'execute, too' bash -c "'$attack' with-key lxmgr-test lxmgr-execute -P $TREE a -- /attack key lxmgr-test"
if is_enforcing; then
	skip 'control: without lxmgr.keyring.session it is found' 'SELinux keeps the key from it'
else
	says '^yes' 'control: without lxmgr.keyring.session it is found' bash -c "'$attack' with-key lxmgr-test lxmgr-execute -P $TREE -s lxmgr.keyring.session=0 a -- /attack key lxmgr-test"
fi
lx start a

# CVE-2019-5736: the program that comes in. The control is a process of that name on the host.
cp "$attack" "$TREE/lxmgr-victim"
"$TREE/lxmgr-victim" exe 3 >/dev/null &
is 'yes' 'control: the program of a process is opened for writing' "$attack" exe 8
wait
at /attack exe 4 >"$TREE/.out" &
spy=$!
while kill -0 $spy 2>/dev/null; do at true; done
wait $spy
is 'no' 'CVE-2019-5736: of attach it is not' cat "$TREE/.out"

# CVE-2022-24769 and its like: inheritable or ambient capabilities, groups, of the caller.
caps='awk "/^Cap(Inh|Amb)/ { print \$2 }" /proc/self/status'
is $'0000000000000020\n0000000000000020' 'control: they pass to a child' setpriv --inh-caps -all,+kill --ambient-caps -all,+kill bash -c "$caps"
is $'0000000000000000\n0000000000000000' 'not through attach' setpriv --inh-caps -all,+kill --ambient-caps -all,+kill lxmgr-attach -P "$TREE" a -- sh -c "$caps"
is '0 4 24' 'control: groups pass' setpriv --groups 0,4,24 id -G
is '0' 'not through attach' setpriv --groups 0,4,24 lxmgr-attach -P "$TREE" a -- id -G
lx stop -k a
setpriv --inh-caps -all,+kill --ambient-caps -all,+kill --groups 4,24 lxmgr-start -P "$TREE" a
is $'0000000000000000\n0000000000000000' 'nor through start' at sed -n 's/^Cap\(Inh\|Amb\):\t//p' /proc/1/status
is '' 'nor do the groups' at sed -n 's/^Groups:[\t ]*//p' /proc/1/status
busybox i
bash -c 'trap "" HUP TERM USR1; exec "$@"' x lxmgr-start -P "$TREE" i -- sleep 100
is $'0000000000000000\n0000000000000000' 'no signal is ignored or blocked in init by the caller' bash -c "sed -n 's/^Sig\(Blk\):\t//p; s/^SigIgn:\t//p' /proc/\$(lxmgr-info -P $TREE -p -H i)/status"
is $'0000000000000000\n0000000000000000' 'nor in what is attached' bash -c 'trap "" HUP TERM USR1; exec "$@"' x lxmgr-attach -P "$TREE" i -- sed -n 's/^Sig\(Blk\|Ign\):\t//p' /proc/self/status
lx stop -k a

# Nodes that an image brought along: made by the host's root, as an archive's would be.
mknod -m 666 "$root/kmsg" c 1 11
mknod -m 666 "$TREE/.kmsg" c 1 11
is 'yes' 'control: the node opens on the host' "$attack" raw "$TREE/.kmsg"
lx start a
is 'no' 'a node in the root does not' at /attack raw /kmsg
lx stop -k a
busybox p -B dir --privileged 2>/dev/null
cp "$attack" "$TREE/p/rootfs/attack"
mknod -m 666 "$TREE/p/rootfs/kmsg" c 1 11
lx start p
is 'no' 'not even in a privileged container' lx attach p -- /attack raw /kmsg
lx destroy -q -f p

# What is written into a root before it runs: host name, passwords, keys, resolver, network files.
# Every one of them, and each directory on the way, is a link out.
naive() { echo owned >"$1"; }
ln -s "$TREE/.host/new" "$TREE/.link"
naive "$TREE/.link"
status 1 'control: a careless write goes through a link' bash -c "[ '$(host_sum)' = '$before' ]"
rm -f "$TREE/.host/new" "$TREE/.link"
is "$before" 'the host is as before' host_sum
printf 'ssh-ed25519 AAAAC3 test\n' >"$TREE/.key"
for how in absolute climbing directory; do
	cat >"$TREE/.tmpl" <<EOT
#!/bin/sh
for a; do case \$a in --rootfs=*) r=\${a#*=};; esac; done
to=$TREE/.host
[ $how != climbing ] || to=../../../../../../../../../../..$TREE/.host
cd "\$r" && mkdir -p bin dev proc sys sbin && cp /bin/busybox bin/sh && ln -s ../bin/sh sbin/init
case $how in
directory) ln -s \$to etc; ln -s \$to root; ln -s \$to tmp; ln -s \$to run ;;
*)	mkdir -p etc/systemd root/.ssh etc/network
	for f in hostname shadow passwd group hosts resolv.conf machine-id network/interfaces .pwd.lock; do ln -s \$to/secret etc/\$f; done
	ln -s \$to etc/systemd/network
	ln -s \$to/keys root/.ssh/authorized_keys ;;
esac
EOT
	chmod 755 "$TREE/.tmpl"
	for b in dir overlay; do
		lx create -q -t "$TREE/.tmpl" -n l -B $b --hostname evil >/dev/null 2>&1
		lx start l >/dev/null 2>&1
		lx destroy -q -f l >/dev/null 2>&1
		lx create -q -t "$TREE/.tmpl" -n l -B $b --password secret >/dev/null 2>&1
		lx destroy -q -f l >/dev/null 2>&1
		lx create -q -t "$TREE/.tmpl" -n l -B $b --ssh-key "$TREE/.key" >/dev/null 2>&1
		lx start l >/dev/null 2>&1
		lx destroy -q -f l >/dev/null 2>&1
		is "$before" "links in the root ($how, $b) lead nothing out" host_sum
	done
done
# What the template leaves beside the root: our own files are links or pipes there.
cat >"$TREE/.tmpl" <<EOT
#!/bin/sh
for a; do case \$a in --rootfs=*) r=\${a#*=};; esac; done
mkdir "\$r/etc"
cd "\$r/.." && rm -f lock meta config && ln -s $TREE/.host/secret "\$1" || exit 1
EOT
for f in meta lock config; do
	sed "s,\"\$1\",$f," "$TREE/.tmpl" >"$TREE/.tmpl-$f"
	chmod 755 "$TREE/.tmpl-$f"
	lx create -q -t "$TREE/.tmpl-$f" -n l >/dev/null 2>&1
	is "$before" "a template that leaves $f as a link reaches no file of the host" host_sum
	lx destroy -q -f l >/dev/null 2>&1
done
printf '#!/bin/sh\nfor a; do case $a in --rootfs=*) r=${a#*=};; esac; done\nmkfifo "$r/../config"\n' >"$TREE/.tmpl"
status 1 'a pipe as the config of an image: nobody waits for it' timeout 20 lxmgr-create -P "$TREE" -q -t "$TREE/.tmpl" -n l

# CVE-2021-30465, CVE-2024-45310: the target of a mount is exchanged for a link while start looks at it.
lx destroy -q -f a
busybox a -B dir
root=$TREE/a/rootfs
mkdir -p "$root/t/real"
echo marker >"$TREE/.vol/marker"
swap() { # the guest of a shared root: now a directory, now a link
	while :; do
		ln -sfn "$TREE/.host" "$root/t/x" 2>/dev/null
		rm -f "$root/t/x"
		mkdir "$root/t/x" 2>/dev/null
		rmdir "$root/t/x" 2>/dev/null
	done
} >/dev/null 2>&1
swap &
swapper=$!
fooled=0 looks=0
until [ $fooled = 1 ] || [ $looks = 2000 ]; do
	looks=$((looks + 1))
	# What a careless runtime does: look, then mount by the path.
	unshare --mount --propagation private bash -c '
		[ -L "$1" ] || mount --bind "$2" "$1" 2>/dev/null
		grep -q " $3 " /proc/self/mountinfo' x "$root/t/x" "$TREE/.vol" "$TREE/.host" && fooled=1
done
ran=0 out=0
for i in $(seq 40); do
	kind=create=dir src=$TREE/.vol
	[ $((i % 2)) = 0 ] || kind=create=file src=$TREE/.vol/marker
	lx start -s "lxmgr.mount.entry=$src t/x none bind,$kind 0 0" a >/dev/null 2>&1 || continue
	ran=$((ran + 1))
	# The host's rmdir of a mount point takes the mount away, which is no harm.
	[ -z "$(lx attach a -- awk '$4 ~ /\/\.vol(\/|$)/ && $5 != "/t/x"' /proc/self/mountinfo)" ] || out=$((out + 1))
	lx stop -k a
done
kill $swapper
wait $swapper 2>/dev/null
ok "control: looking before mounting is fooled (after $looks times)" test $fooled = 1
ok "some of 40 starts met a directory ($ran)" test $ran -gt 0
is 0 "CVE-2021-30465: of $ran starts none mounted elsewhere" echo $out
is "$before" 'CVE-2024-45310: nothing was created on the host' host_sum

# Other users of the host: what belongs to a container is behind closed directories.
nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
lx start a
is 'untouched' 'control: another user reads what is open' nobody cat "$TREE/.host/secret"
for f in "$TREE/a/config" "$TREE/a/rootfs/bin/busybox" "$RUN"/a-*/state "$RUN"/a-*/control; do
	ok "control: there is ${f##*/}" test -e "$f"
	status 1 "another user does not see ${f##*/}" nobody test -e "$f"
done
status 6 'nor the state of a container' nobody lxmgr-info -P "$TREE" a
status 6 'nor whether there is one (CVE-2022-47952)' nobody lxmgr-info -P "$TREE" nosuch

# Control characters in what others wrote.
esc=$(printf '\033')
raw_esc() { grep -c "$esc"; }
is '1' 'control: an escape is found' bash -c "printf '\\033[2J\\n' | grep -c '$esc'"
printf '#!/bin/sh\nprintf "\\033]0;owned\\007 evil\\n" >&2\nexit 1\n' >"$TREE/.tmpl"
clean() { # clean NAME COMMAND: it tells of "evil", without an escape
	OUT=$(bash -c "$2" 2>&1)
	printf '%s\n' "$OUT" | grep -q evil && ! printf '%s\n' "$OUT" | grep -q "$esc"
	result $? "$1"
}
chmod 755 "$TREE/.tmpl"
clean 'what a template said' "lxmgr-create -P $TREE -t $TREE/.tmpl -n e"
clean 'what a hook said' "lxmgr-start -P $TREE -s lxmgr.hook.pre-start=$TREE/.tmpl e2 2>&1 || lxmgr-stop -k -P $TREE a; lxmgr-start -P $TREE -s lxmgr.hook.pre-start=$TREE/.tmpl a"
lxmgr-config -P "$TREE" -n a "lxmgr.description=${esc}]0;x evil"
lxmgr-config -P "$TREE" -n a "lxmgr.group=${esc}[2Jevil"
clean 'a description in config' "lxmgr-config -P $TREE -n a lxmgr.description"
clean 'and in info -c' "lxmgr-info -P $TREE a -c lxmgr.description"
clean 'a group in ls' "lxmgr-ls -P $TREE -f"
clean 'in info --json' "lxmgr-info -P $TREE --json a -c lxmgr.group"
clean 'in ls --json' "lxmgr-ls -P $TREE --json"
clean 'in a plan' "lxmgr-start -P $TREE --dry-run -s 'lxmgr.environment=A=${esc}evil' a"
clean 'in an error' "lxmgr-start -P $TREE -s 'lxmgr.arch=${esc}evil' a"
clean 'a name in an error' "lxmgr-start -P $TREE '${esc}evil'"
finish
