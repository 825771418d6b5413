# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# The plan of a start as --dry-run prints it: whole plans word by word, and that nothing is done.
. ./lib.sh

# What differs between hosts: the block of ids, the last capability of the kernel, the profile where
# there is AppArmor or SELinux and the notice where there is none.
plan() { # plan NAME [OPTIONS]
	local name=$1
	shift
	lx start --dry-run "$@" "$name" | sed -E "s,$TREE,TREE,g; s/^(idmap: [ug] 0) [0-9]+ 65536$/\1 BLOCK 65536/; /^notice: /d; /^(apparmor|selinux): /d; s/^caps:.*/caps: $(caps "$name" "$@")/"
}
caps() { lx start --dry-run "${@:2}" "$1" | sed -n 's/^caps://p' | wc -w; }
golden() { # golden NAME PLAN-COMMAND...: equal to stdin
	local name=$1 want
	shift
	want=$(cat)
	# shellcheck disable=SC2034
	OUT=$(diff <(printf '%s\n' "$want") <("$@" 2>&1))
	result $? "$name"
}
all=$(cat /proc/sys/kernel/cap_last_cap)
all=$((all + 1))
busybox a
touch "$TREE/.before"
# Others may be at work on this host: what belongs to this tree.
done_here() {
	pgrep -f "^lxmgr-supervise .*$TREE"
	grep -F "$TREE" /proc/self/mountinfo
	find "$TREE/a" -newer "$TREE/.before"
}
is '' 'at first nothing runs' done_here
golden 'a container as it is made' plan a <<EOT
container: a
hostname: a
namespaces: user mnt pid uts ipc net cgroup
idmap: u 0 BLOCK 65536
idmap: g 0 BLOCK 65536
rootfs: built-in (id-mapped)
limit.memory: 2147483648
limit.pids: 4096
net.0: veth managed
caps: $((all - 5))
seccomp: default
argv: /sbin/init
env: PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
env: container=lxc
env: TERM=linux
env: LXMGR_NAME=a
EOT
cat >"$TREE/.conf" <<EOT
lxmgr.rootfs.path = dir:/srv/root
lxmgr.uts.name = host.example
lxmgr.idmap = u 0 100000 1000
lxmgr.idmap = g 0 200000 500
lxmgr.idmap = g 500 300000 500
lxmgr.rootfs.options = idmap=container
lxmgr.limit.memory = 1M
lxmgr.limit.swap = max
lxmgr.limit.cpus = 1.25
lxmgr.limit.cpu.weight = 50
lxmgr.limit.pids = max
lxmgr.mount.entry = /a\\040b c none bind,ro,optional,create=dir 0 0
lxmgr.net.1.type = macvlan
lxmgr.net.1.link = br7
lxmgr.net.1.ipv4.address = 10.1.2.3/16
lxmgr.net.0.type = veth
lxmgr.net.0.ipv6.address = fd01::2/64
lxmgr.cap.keep = chown kill
lxmgr.seccomp.profile = /etc/policy
lxmgr.init.cmd = /bin/my-init "two words" 'and three'
lxmgr.environment = E=1
lxmgr.environment.runtime = R=2
lxmgr.environment.hooks = H=3
lxmgr.time.offset.boot = 5s
lxmgr.namespace.share.ipc = 1
EOT
golden 'one that sets much' plan a -f "$TREE/.conf" <<'EOT'
container: a
hostname: host.example
namespaces: user mnt pid uts net cgroup time
share.ipc: 1
idmap: u 0 100000 1000
idmap: g 0 200000 500
idmap: g 500 300000 500
rootfs: /srv/root (id-mapped)
limit.memory: 1048576
limit.swap: max
limit.cpus (thousandths): 1250
limit.cpu.weight: 50
limit.pids: max
mount: /a\040b c none bind,ro,optional,create=dir
net.0: veth fd01::2/64
net.1: macvlan link br7 10.1.2.3/16
caps: 2
seccomp: /etc/policy
argv: /bin/my-init
argv: two words
argv: and three
env: PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
env: container=lxc
env: TERM=linux
env: LXMGR_NAME=a
env: E=1
env: R=2
EOT
printf 'lxmgr.idmap = none\nlxmgr.net.0.type = none\nlxmgr.rootfs.path = /srv/x\nlxmgr.seccomp.profile = none\nlxmgr.cap.keep = none\n' >"$TREE/.conf"
golden 'a privileged one on the network of the host' plan a -f "$TREE/.conf" <<'EOT'
container: a
hostname: a
namespaces: mnt pid uts ipc cgroup
rootfs: /srv/x
net.0: none
caps: 0
seccomp: none
argv: /sbin/init
env: PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
env: container=lxc
env: TERM=linux
env: LXMGR_NAME=a
EOT
says '^argv: sh$' 'a command in place of init' lx start --dry-run a -- sh -c 'a b'
says '^argv: a b$' 'with its arguments' lx start --dry-run a -- sh -c 'a b'
says '^limit.pids: 7$' 'with -s' lx start --dry-run -s lxmgr.limit.pids=7 a
says '^namespaces: user mnt pid uts ipc cgroup$' 'with --share-net' lx start --dry-run --share-net 1 a
says '^namespaces: user mnt pid net$' 'with namespace.clone' lx start --dry-run -s 'lxmgr.namespace.clone=mnt pid net' a
says 'cannot be kept or shared' 'a plan that cannot be' lx start --dry-run -s 'lxmgr.namespace.keep=mnt' a
says 'a quote is not closed' 'a command with an open quote' lx start --dry-run -s 'lxmgr.init.cmd=/bin/sh "x' a
is "$(plan a)" 'two plans are the same' plan a
is '' 'nothing was done' done_here
is 'STOPPED' 'nothing runs' lx info -s -H a
ok 'and the plan is what starts' lx start a
ok 'control: a start is seen' test -n "$(done_here)"
is "$(lx start --dry-run a | sed -n 's/^idmap: u 0 \([0-9]*\) .*/\1/p')" 'with these ids' bash -c "awk '{ print \$2 }' /proc/$(lx info -p -H a)/uid_map"
finish
