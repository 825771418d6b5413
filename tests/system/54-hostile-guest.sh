# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# A running guest that lies in wait for whoever comes in or looks at it: libraries, pipes in place of
# files, mounts over what is needed. The tools end, in time, and load and write nothing of its.
. ./lib.sh
need gcc python3

busybox a -B dir -s lxmgr.pty.max=8
root=$TREE/a/rootfs
ended() { # ended NAME COMMAND...: within its time, by itself
	local name=$1 rc
	shift
	OUT=$(timeout -k 5 30 "$@" 2>&1 </dev/null)
	rc=$?
	OUT="status $rc: $OUT"
	[ $rc != 124 ] && [ $rc -lt 129 ]
	result $? "$name"
}

# CVE-2019-14271: a helper that has entered loads a library of the guest's. Every one that a program
# might look for is there, and tells when it is loaded.
cat >"$TREE/.so.c" <<'EOT'
#include <fcntl.h>
#include <stdlib.h>
__attribute__((constructor)) static void loaded(void)
{
	const char *mark = getenv("MARK");

	open(mark ? mark : "/loaded", O_CREAT | O_WRONLY, 0600);
}
EOT
ok 'a library that tells' gcc -shared -fPIC -o "$TREE/.so" "$TREE/.so.c"
MARK=$TREE/.mark LD_PRELOAD=$TREE/.so /bin/true
ok 'control: it tells when it is loaded' test -e "$TREE/.mark"
arch=$(gcc -print-multiarch)
for d in "lib/$arch" "usr/lib/$arch" "usr/lib/$arch/gconv" lib64; do
	mkdir -p "$root/$d"
	for l in ld-linux-x86-64.so.2 libc.so.6 libm.so.6 libpthread.so.0 libgcc_s.so.1 libcrypt.so.1 libnss_files.so.2 \
		libnss_compat.so.2 libnss_systemd.so.2 libnss_dns.so.2 libjansson.so.4 libseccomp.so.2 ISO8859-1.so UTF-16.so; do
		cp "$TREE/.so" "$root/$d/$l"
		chmod 755 "$root/$d/$l"
	done
done
echo "/lib/$arch/libc.so.6" >"$root/etc/ld.so.preload"
echo 'passwd: files compat systemd dns' >"$root/etc/nsswitch.conf"
printf 'module ISO-8859-1// INTERNAL ISO8859-1 1\n' >"$root/usr/lib/$arch/gconv/gconv-modules"
ok 'start among hostile libraries' lx start a
ok 'attach' lx attach a -- true
ok 'attach as another user' lx attach -u 1 -g 1 a -- true
ok 'attach on a terminal, with the shell of passwd' timeout 30 python3 ./terminal.py 'expect:# ' 'send:exit\r' -- lxmgr-attach -P "$TREE" a
ok 'attach in another locale' env LC_ALL=de_DE.ISO-8859-1 LANGUAGE=de lxmgr-attach -P "$TREE" a -- true
ok 'a device' lx device a add /dev/null /dev/null2
ok 'info' lx info -S a
ok 'ls' lx ls -f
ok 'execute' bash -c "lxmgr-stop -k -P $TREE a && lxmgr-execute -P $TREE a -- true"
is '' 'nothing of the guest was loaded' find "$root" -maxdepth 1 -name loaded
lx start a

# CVE-2013-6441: a file of the host's is mounted where the guest may write it.
host_mounts='$4 !~ /rootfs$/ && $0 !~ / - (proc|sysfs|tmpfs|devpts|cgroup2?|mqueue|devtmpfs|binfmt_misc|securityfs) / && $6 !~ /^ro/'
is '' 'CVE-2013-6441: no file of the host is mounted writable' lx attach a -- awk "$host_mounts" /proc/self/mountinfo
lx stop -k a
mkdir "$TREE/.vol"
lx start -s "lxmgr.mount.entry=$TREE/.vol v none bind,create=dir 0 0" a
says ' /v ' 'control: a volume is found' lx attach a -- awk "$host_mounts" /proc/self/mountinfo

# What attach reads: users, and the terminal it makes.
guest() { lx attach a -- sh -c "$1"; }
cp "$root/etc/passwd" "$TREE/.passwd"
guest 'rm /etc/passwd; mkfifo /etc/passwd'
ended 'a pipe as passwd' lxmgr-attach -P "$TREE" a -- true
guest 'rm /etc/passwd; mkdir /etc/passwd'
ended 'a directory' lxmgr-attach -P "$TREE" a -- true
guest 'rmdir /etc/passwd; ln -s /etc/passwd /etc/passwd'
ended 'a link to itself' lxmgr-attach -P "$TREE" a -- true
guest 'rm /etc/passwd; ln -s /dev/zero /etc/passwd'
ended 'an endless file' lxmgr-attach -P "$TREE" a -- true
guest 'rm /etc/passwd; dd if=/dev/zero of=/etc/passwd bs=1 count=1 seek=8G'
ended 'eight gigabytes of nothing' lxmgr-attach -P "$TREE" a -- true
guest 'rm /etc/passwd; i=0; while [ $i -lt 20000 ]; do echo "u$i:x:$i:0:::"; i=$((i+1)); done >/etc/passwd; printf "root:x:0:0:root:/root\n:::::::::\nroot:x:0:0:x:relative:relative\n" >>/etc/passwd'
ended 'long and broken lines' lxmgr-attach -P "$TREE" a -- true
cp "$TREE/.passwd" "$root/etc/passwd"
tty() { python3 ./terminal.py -- lxmgr-attach -P "$TREE" a -- tty; }
says '/dev/pts/' 'control: a terminal' tty
lx attach a -- sh -c 'i=0; while [ $i -lt 9 ]; do exec 8<>/dev/ptmx; (sleep 60 8<&8 >/dev/null 2>&1 </dev/null &); i=$((i+1)); done' >/dev/null 2>&1
ended 'all terminals taken' tty
guest 'killall sleep'
guest 'umount /dev/pts || mount -t tmpfs none /dev/pts; mkfifo /dev/pts/ptmx'
ended 'a pipe in place of ptmx' tty
is '' 'no terminal is opened there' bash -c "timeout 30 python3 ./terminal.py -- lxmgr-attach -P $TREE a -- true | grep -i pts/0"
guest 'mount -t tmpfs none /proc; mkdir -p /proc/self/attr /proc/self/fd /proc/1; mkfifo /proc/self/attr/current /proc/self/attr/exec /proc/self/status'
ended 'pipes in place of /proc' lxmgr-attach -P "$TREE" a -- true
ended 'with a user' lxmgr-attach -P "$TREE" -u 1 a -- true
guest 'mount -t tmpfs none /; cd /; chroot .' >/dev/null
ended 'a file system over its root' lxmgr-attach -P "$TREE" a -- true
ended 'info' lxmgr-info -P "$TREE" a
ended 'ls' lxmgr-ls -P "$TREE" -f
ended 'stop' lxmgr-stop -P "$TREE" -t 5 a
is 'STOPPED' 'it is stopped' lx info -s -H a
# A guest that does not want to end: every signal is ignored, and the group is full.
lx start a -- sh -c 'trap "" 1 2 3 4 5 6 7 8 10 11 12 13 14 15 30; while :; do sleep 1; done'
ended 'stop with a limit kills it' lxmgr-stop -P "$TREE" -t 1 a
is 'STOPPED' 'it is stopped' lx info -s -H a

# Its cgroup: nested deep and full of groups when it goes.
lx start a
lx attach a -- sh -c 'cd /sys/fs/cgroup; i=0; while [ $i -lt 60 ]; do mkdir d && cd d || break; i=$((i+1)); done; cd /sys/fs/cgroup; i=0; while [ $i -lt 200 ]; do mkdir e$i; i=$((i+1)); done' >/dev/null 2>&1
ok 'it has groups of its own' lx attach a -- test -d /sys/fs/cgroup/e199
ended 'stop -k' lxmgr-stop -P "$TREE" -k a
# Its tree: deeper than a path may be, and with what is awkward to delete.
lx start a
lx attach a -- sh -c 'cd /tmp; i=0; while [ $i -lt 700 ]; do mkdir dddddddddd && cd dddddddddd || break; i=$((i+1)); done; cd /tmp; mkdir -m 0 no; touch "$(printf "a\nb")" "-rf" "$(printf "\377\376")"; ln -s / up; mkfifo p; chmod 0 .' >/dev/null 2>&1
ended 'stop of it' lxmgr-stop -P "$TREE" -k a
ok 'destroy' timeout 60 lxmgr-destroy -P "$TREE" -q a
finish
