# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# A guest with all programs of this host, lxmgr too: its root borrows this host's /usr, read-only, and
# with mapped ids where that is possible.
MAP=,idmap=container
USR=/usr
# SELinux keeps containers from the host's programs: there they are seen through an overlay with the
# containers' label, which has to go before finish.
borrow_usr() {
	has_selinux || return 0
	USR=$TREE/.usr MAP=''
	mkdir -p "$USR" "$TREE/.none" || return
	mount -t overlay -o "ro,lowerdir=/usr:$TREE/.none,context=\"system_u:object_r:lxmgr_file_t:s0\"" overlay "$USR"
}
give_back_usr() { [ "$USR" = /usr ] || umount "$USR"; }
guest() { # guest NAME [OPTIONS]
	local name=$1 root d
	shift
	lx create -q -t none -n "$name" -B dir -s "lxmgr.mount.entry=$USR usr none bind,ro$MAP 0 0" \
		-s "lxmgr.init.cmd=/usr/bin/busybox init" "$@" || return
	root=$TREE/$name/rootfs
	mkdir -p "$root"/{dev,etc/lxmgr,proc,sys,run,var/tmp,root,usr} || return
	mkdir -m 1777 "$root/tmp"
	# Not -a: with the attributes would come the label of where it was.
	cp -dR /etc/alternatives "$root/etc/" 2>/dev/null
	for d in bin sbin lib lib32 lib64; do
		ln -s "usr/$d" "$root/$d"
	done
	cp /etc/lxmgr/*.conf "$root/etc/lxmgr/"
	cp /etc/ld.so.cache "$root/etc/"
	printf 'root:x:0:0:root:/root:/bin/sh\n' >"$root/etc/passwd"
	printf 'root:x:0:\n' >"$root/etc/group"
	printf '::sysinit:/bin/true\n' >"$root/etc/inittab"
	# Where ids cannot be mapped, those on disk are the container's.
	d=$(sed -n 's/^ids = //p' "$TREE/$name/storage")
	[ -z "$d" ] || chown -hR "$d:$d" "$root"
}
