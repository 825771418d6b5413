# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# A root with all that files can be, and the list of it.
# One that keeps its names needs no change but those that every new container has.
list() { python3 treelist.py "$1" etc etc/hostname etc/machine-id; }
# All that a file can be.
fill() { # fill ROOT
	(
		cd "$1" || exit
		mkdir -p d/sub 'sp ace' chroot/dev
		echo one >d/a && ln d/a d/b && ln d/a 'sp ace/c' && ln -s ../etc d/l && ln -s /nowhere d/dangling
		dd if=/dev/zero of=d/hole bs=4k count=1 seek=2000 2>/dev/null && truncate -s 3M d/empty
		head -c 3000000 /dev/urandom >d/big
		printf x >$'d/by\377te' && printf x >'d/ü' && printf x >$'d/new\nline'
		mknod chroot/dev/null c 1 3 && mknod chroot/dev/random c 1 8 && mkfifo d/fifo
		cp bin/busybox d/capable && setcap cap_net_raw+ep d/capable
		setfattr -n user.color -v blue d/a && setfattr -n user.bin -v 0x00ff0a d/sub
		setfacl -m u:33:rx,g:44:r d/sub && setfacl -d -m u:33:rwx d/sub && setfacl -m u:65534:r d/big
		chown 7:8 d/sub && chown -h 9:10 d/l && chmod 4711 d/capable && chmod 1777 'sp ace' && chmod 000 d/big
		touch -d '2001-02-03 04:05:06.789012345' d/a && touch -h -d '1999-01-01' d/l && touch -d '2038-01-20' d/fifo
		mkdir -p "$(printf 'deep/%.0s' $(seq 60))" && touch -d '2002-02-02 02:02:02.5' d
	)
}
