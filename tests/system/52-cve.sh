# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Known weaknesses of this kind of program, by name. The comment says what the vulnerable one did.
. ./lib.sh

mkdir "$TREE/.host" "$TREE/.vol"
echo untouched >"$TREE/.host/secret"
chmod 644 "$TREE/.host/secret"
chmod 711 "$TREE/.host"
busybox a -B dir
root=$TREE/a/rootfs
init_pid() { lx info -p -H a; }
host_sum() { find "$TREE/.host" -printf '%p %m %U %s\n' | sort | md5sum; }
before=$(host_sum)

# CVE-2015-1335, runc CVE-2019-19921, CVE-2021-30465, CVE-2023-27561: a mount target in the container's
# tree is a link, at its end or on the way, absolute or climbing.
mkdir "$root/t"
for link in "$TREE/.host" ../../../../../../../../etc /proc/self/root /proc/1/cwd; do
	rm -rf "$root/t/l"
	ln -s "$link" "$root/t/l"
	status 1 "CVE-2015-1335: target is a link to ${link/$TREE/TREE}" lx start -s "lxmgr.mount.entry=$TREE/.vol t/l none bind,create=dir 0 0" a
	status 1 "the same on the way" lx start -s "lxmgr.mount.entry=$TREE/.vol t/l/sub none bind,create=dir 0 0" a
done
rm -rf "$root/t/l"
is "$before" 'the host was not touched' host_sum
status 1 'a target that climbs is refused' lx start -s "lxmgr.mount.entry=$TREE/.vol ../../.host none bind,create=dir 0 0" a
for d in dev sys; do
	mv "$root/$d" "$root/.$d"
	ln -s "$TREE/.host" "$root/$d"
	status 1 "CVE-2019-19921: /$d is a link" lx start a
	rm "$root/$d"
	mv "$root/.$d" "$root/$d"
done
is "$before" 'the host was still not touched' host_sum

# runc CVE-2025-31133, CVE-2025-52565: /dev/null, /dev/console or /dev/pts/N replaced by links while
# the runtime masks or binds them. Ours come from a private tmpfs, so what the root has does not count.
for f in null console ptmx; do
	rm -f "$root/dev/$f"
	ln -s "$TREE/.host/secret" "$root/dev/$f"
done
ok 'CVE-2025-31133: links in the /dev of the root' lx start a
ok '/dev/null is the device' lx attach a -- test -c /dev/null
is 'untouched' 'the file they lead to is as it was' cat "$TREE/.host/secret"
is '1:3' 'by number' lx attach a -- stat -c %t:%T /dev/null

# LXC CVE-2016-8649, runc CVE-2016-9962, CVE-2024-21626: a descriptor or working directory of the
# host reaches the command that is attached.
says '^0 1 2 3 *$' 'CVE-2024-21626: attach has no other descriptors' lx attach a -- sh -c 'echo $(ls /proc/self/fd)'
is '/' 'CVE-2024-21626: and its working directory is inside' lx attach a -- readlink /proc/self/cwd
exec 9<"$TREE/.host"
says '^0 1 2 3 *$' "the caller's own descriptors stay outside" lx attach a -- sh -c 'echo $(ls /proc/self/fd)'
exec 9<&-
is '' "init's descriptors lead nowhere on the host" bash -c "readlink /proc/$(init_pid)/fd/* | grep -vE '^(/dev/|socket:|pipe:|anon_inode:|/$)'"

# runc CVE-2019-5736: the container overwrites the program that enters it. What is visible of the
# attached process must not be a writable file of the host.
is '0' "CVE-2019-5736: the host's program is not seen inside" bash -c "lxmgr-attach -P $TREE a -- sh -c 'ls -l /proc/[0-9]*/exe 2>/dev/null' | grep -c lxmgr"

# LXC CVE-2016-10124, and TIOCSTI in general: typing into the operator's terminal.
says '(^|[^a-z])no' "CVE-2016-10124: the terminal inside is not the caller's" script -qec "t=\$(tty); u=\$(lxmgr-attach -P $TREE a -- sh -c 'stat -c %d:%i:%t:%T /proc/self/fd/0'); [ \"\$u\" = \"\$(stat -L -c %d:%i:%t:%T \$t)\" ] && printf yes || printf no" /dev/null

# runc CVE-2019-16884, CVE-2023-28642, CVE-2025-52881: writes to /proc of the security module or sysctl
# end in a file that the container put there.
is '' 'CVE-2023-28642: /proc inside is a procfs' bash -c "lxmgr-attach -P $TREE a -- awk '\$2 == \"/proc\" && \$3 != \"proc\"' /proc/mounts"
# runc CVE-2025-52881, CVE-2023-25809 and the shadowed core_pattern: host-wide knobs.
for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/sys/kernel/modprobe /sys/kernel/uevent_helper /sys/power/state; do
	lx attach a -- test -e "$f" || continue
	status 1 "CVE-2025-52881: $f cannot be written" lx attach a -- sh -c "echo x >$f"
done
status 1 'CVE-2023-25809: no cgroup outside its own can be seen' lx attach a -- sh -c 'ls -d /sys/fs/cgroup/*/lxmgr /sys/fs/cgroup/lxmgr'
# The kernel lets a user namespace mount a v1 hierarchy below its own group; the files stay the host's.
status 1 'CVE-2022-0492: no release_agent can be written' lx attach a -- sh -c 'mkdir -p /tmp/cg && mount -t cgroup -o memory x /tmp/cg || exit 1; echo /x >/tmp/cg/release_agent'
status 1 'and no limit of its own' lx attach a -- sh -c 'for f in /tmp/cg/memory.limit_in_bytes /tmp/cg/memory.max; do [ -e $f ] && echo -1 >$f && exit 0; done; exit 1'
status 1 'nor may it make a group without them' lx attach a -- sh -c 'grep -q " /tmp/cg cgroup " /proc/mounts && mkdir /tmp/cg/free'
lx attach a -- umount /tmp/cg 2>/dev/null
status 1 'nor limits in a cgroup2 mount of its own' lx attach a -- sh -c 'mkdir -p /tmp/cg2 && mount -t cgroup2 x /tmp/cg2; for f in memory.max pids.max cgroup.max.depth; do [ -e /tmp/cg2/$f ] && echo max >/tmp/cg2/$f && exit 0; done; exit 1'
lx attach a -- umount /tmp/cg2 2>/dev/null

# LXC CVE-2013-6441 and its like: the guest reaches the host's disks or kernel memory.
for f in /dev/mem /dev/kmem /dev/sda /dev/vda /dev/loop0 /dev/kmsg; do
	status 1 "no $f" lx attach a -- test -e "$f"
done
status 1 'open_by_handle_at is refused (shocker)' lx attach a -- sh -c 'grep -q "^Seccomp:.0" /proc/self/status'
status 1 'no module can be loaded' lx attach a -- sh -c 'insmod /bin/busybox'
says 'not permitted' 'the clock cannot be set' lx attach a -- date -s 2001-01-01

# The guest writes an escape sequence or a line into what the operator reads.
printf '\033]0;owned\007\n' >"$root/etc/hostname"
is '0' 'control characters never reach the terminal' bash -c "lxmgr-info -P $TREE a | grep -c \$'\\033'"

# CVE-2017-5985, CVE-2018-6556: the helper that makes interfaces or opens files for others is setuid.
is '' 'CVE-2018-6556: nothing of ours is setuid' find /usr/local/bin /usr/local/libexec/lxmgr -name 'lxmgr*' -perm /6000
# CVE-2022-47952: it tells whether a file exists. CVE-2015-1331: locks in a directory for everybody.
is '700' 'CVE-2015-1331: the run directory is closed' bash -c "stat -c %a /run/lxmgr/*/ | sort -u"
is '' 'and nothing of ours is in /tmp' find /tmp /var/tmp /dev/shm -maxdepth 1 -name 'lxmgr*' -newer "$TREE/.host"
lx stop -k a

# CVE-2015-1334: a /proc of the container's making is used to change the security label.
rm -rf "$root/proc"
mkdir -p "$root/proc/self/attr"
echo fake >"$root/proc/self/attr/current"
ok 'CVE-2015-1334: a fake /proc in the root is covered' lx start a
status 1 'by the real one' lx attach a -- grep -q fake /proc/self/attr/current
is 'fake' 'and was not written' cat "$root/proc/self/attr/current"
lx stop -k a

# Deletion follows nothing (CVE-2018-15664 and tar's relatives).
ln -s "$TREE/.host" "$root/tree"
mkdir "$root/mnt2"
mount --bind "$TREE/.host" "$root/mnt2"
lx destroy -f a >/dev/null 2>&1
is "$before" 'destroy crosses no link and no mount' host_sum
# It has been put aside under another name, or is still there.
umount "$TREE"/.a.*/rootfs/mnt2 "$root/mnt2" 2>/dev/null
lx destroy -f a >/dev/null 2>&1
busybox b
is '' 'and the next command clears away what could not be deleted' find "$TREE" -maxdepth 1 -name '.a.*'
finish
