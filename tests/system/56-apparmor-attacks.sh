# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# What root of a privileged container tries: each first without a profile, where it works.
. ./lib.sh

if [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" != Y ]; then
	skip 'attacks on the profile' 'this kernel runs without AppArmor'
	finish
	exit
fi
need apparmor_parser gcc jq
attack=$TREE/.attack
ok 'the attacks build' gcc -O1 -static -Wall -o "$attack" attack.c
busybox a --privileged
try() { # try SHELL-COMMANDS: each attack in mounts of its own, beginning with those of the container
	lx attach a -- unshare -m sh -c "$1" 2>&1
}
start_as() { # start_as PROFILE [NESTING]
	lx stop -k -q a 2>/dev/null
	lxmgr-config -P "$TREE" -n a "lxmgr.apparmor.profile=$1" && lxmgr-config -P "$TREE" -n a "lxmgr.apparmor.allow_nesting=${2:-0}" && lx start a
	lx attach a -- sh -c "cat >/attack; chmod 755 /attack" <"$attack"
	lx attach a -- mkdir -p /m
}
same() { # same FILE: write what is in it
	printf 'v=$(cat %s) && echo "$v" >%s && echo yes' "$1" "$1"
}
# NAME|COMMANDS that say yes. What they write is what is there already; "h" of sysrq prints a help.
attacks() {
	cat <<-EOT
		a write to /proc/sys|umount /proc/sys/net /proc/sys; $(same /proc/sys/kernel/core_pattern)
		to /proc/sysrq-trigger|umount /proc/sysrq-trigger; echo h >/proc/sysrq-trigger && echo yes
		to /proc/irq|umount /proc/irq; $(same /proc/irq/default_smp_affinity)
		to /sys|mount -o remount,rw /sys; $(same /sys/kernel/mm/ksm/run)
		to /proc/sys below a new /proc over the old|mount -t proc none /proc; $(same /proc/sys/kernel/core_pattern)
		a new /proc elsewhere|mount -t proc none /m && echo yes
		a new /sys elsewhere|mount -t sysfs none /m && echo yes
		a piece of /proc elsewhere|mount -o bind /proc/sys /m && echo yes
		a piece of /sys elsewhere|mount -o bind /sys/kernel /m && echo yes
		the whole tree elsewhere|mount -o rbind / /m && echo yes
		to a copy of a copy of the tree|d=/run/systemd; mkdir -p \$d/unit-root \$d/mount-rootfs; mount -o rbind / \$d/unit-root; mount -o rbind / \$d/mount-rootfs; for m in /net ''; do umount \$d/mount-rootfs\$d/unit-root/proc/sys\$m; done; $(same /run/systemd/mount-rootfs/run/systemd/unit-root/proc/sys/kernel/core_pattern)
		/proc moved elsewhere|mount -t proc none /proc; mount -o move /proc /m && echo yes
		a remount of the root file system|mount -o remount,rw / && echo yes
		debugfs|mount -t debugfs none /m && echo yes
		tracefs|mount -t tracefs none /m && echo yes
		securityfs|mount -t securityfs none /m && echo yes
		pstore|mount -t pstore none /m && echo yes
		binfmt_misc|mount -t binfmt_misc none /m && echo yes
		/proc/sys by its name behind a lazy umount|mount -o remount,bind,rw /proc/sys; /attack adrift /proc/sys:kernel/core_pattern
		sysrq-trigger likewise|mount -t proc none /proc; /attack adrift /proc:sysrq-trigger
		/sys likewise|mount -o remount,rw /sys; /attack adrift /sys:kernel/mm/ksm/run
		new mount API: /proc elsewhere|/attack newmount proc:/m
		new mount API: debugfs|/attack newmount debugfs:/m
		new mount API: /proc/sys elsewhere|/attack bind /proc/sys:/m
		new mount API: /sys made writable|/attack writable /sys
	EOT
}
start_as unconfined
while IFS='|' read -r name commands; do
	says '^yes$' "control: without a profile: $name" try "$commands"
done < <(attacks)
start_as generated
says '^lxmgr-a-' 'it has its profile' lx attach a -- cat /proc/self/attr/current
while IFS='|' read -r name commands; do
	# shellcheck disable=SC2034
	OUT=$(try "$commands" </dev/null)
	! printf '%s\n' "$OUT" | grep -q '^yes$'
	result $? "denied: $name"
done < <(attacks)
says 'Permission denied|can.t create' 'what is denied says so' try 'umount /proc/sys/net /proc/sys; echo core >/proc/sys/kernel/core_pattern'

# What a privileged guest may still do.
may() { # may NAME COMMANDS
	says '^yes$' "allowed: $1" try "$2"
}
may 'a tmpfs' 'mount -t tmpfs none /m && echo yes'
may 'a /proc over the old' 'mount -t proc none /proc && echo yes'
may 'a bind of its own files' 'mount -o bind /etc /m && mount -o remount,bind,ro /m && ! echo x >/m/x && echo yes'
may 'an overlay' 'mkdir -p /o/u /o/w && mount -t tmpfs none /o && mkdir /o/u /o/w && mount -t overlay -o lowerdir=/etc,upperdir=/o/u,workdir=/o/w none /m && echo yes'
may 'its own sysctls' 'echo 1 >/proc/sys/net/ipv4/ip_forward && echo yes'
may 'its cgroups' 'mkdir /sys/fs/cgroup/x && rmdir /sys/fs/cgroup/x && echo yes'
may 'a service root as systemd makes it' 'r=/run/systemd/mount-rootfs; mkdir -p $r && mount -o rbind / $r && mount -o bind $r/proc/mtrr $r/proc/mtrr; mount -t tmpfs none $r/tmp && mount -o bind,remount,ro $r && cd $r && mount -o move . / && chroot . /bin/sh -c "echo yes"'
is '' 'the root was made through mount(2), as the new API is not there' try '/attack newmount tmpfs:/m | grep yes'
lx stop -k a

# Without a policy of its own the calls are denied all the same.
lxmgr-config -P "$TREE" -n a lxmgr.seccomp.profile=none
lx start a
is 'no' 'seccomp.profile = none: the new mount API stays denied' lx attach a -- /attack newmount debugfs:/m
lx stop -k a
lxmgr-config -P "$TREE" -n a --unset lxmgr.seccomp.profile
start_as generated 1
says '^lxmgr-a-' 'allow_nesting: it has its profile' lx attach a -- cat /proc/self/attr/current
may 'allow_nesting: /proc of a container inside' 'mount -t proc none /m && echo yes'
is 'yes' 'allow_nesting: the new mount API' lx attach a -- unshare -m /attack newmount tmpfs:/m
says 'Permission denied|can.t create' 'allow_nesting: still no write to /proc/sys' try 'umount /proc/sys/net /proc/sys; echo core >/proc/sys/kernel/core_pattern'
lx stop -k a

# Unprivileged, the new API stays: everything there is the guest's own.
busybox u
lx start u
lx attach u -- sh -c 'cat >/attack; chmod 755 /attack' <"$attack"
lx attach u -- mkdir /m
is 'yes' 'an unprivileged container has the new mount API' lx attach u -- unshare -m /attack newmount tmpfs:/m
is 'yes' 'and its own /proc anywhere' lx attach u -- unshare -m /attack newmount proc:/m
for f in /proc/sysrq-trigger /proc/sys/kernel/core_pattern /sys/kernel/mm/ksm/run; do
	says 'denied|read-only|can.t create|nonexistent' "it cannot write to $f" lx attach u -- sh -c "umount /proc/sys /proc/sysrq-trigger; echo x >$f"
done
finish
