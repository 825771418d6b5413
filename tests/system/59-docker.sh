# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Docker in a container with lxmgr.features = nesting: overlay, a memory limit, a published port.
. ./lib.sh
. ./guest.sh
need busybox dockerd containerd docker
if [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]; then
	skip 'Docker in a container' 'this host hands on no controllers: it has v1 hierarchies'
	finish
	exit
fi

inside() { lx attach out -- bash -c "$*"; }
borrow_usr
guest out -s lxmgr.features=nesting
ok 'start a container for Docker' lx start out
# Its init is none that would do it: processes into a leaf, controllers for Docker's groups.
ok 'it hands on its controllers' inside 'cd /sys/fs/cgroup && mkdir init && for p in $(cat cgroup.procs); do echo $p >init/cgroup.procs; done 2>/dev/null
	echo "+memory +pids +cpu" >cgroup.subtree_control'
inside 'mkdir -p /b/bin /var/log /var/lib/docker; cp /usr/bin/busybox /b/bin/; echo published >/b/page
	setsid containerd >/var/log/containerd 2>&1 &'
# dockerd would give up waiting for it after 15 seconds.
answers() { inside 'ctr version'; }
slowly() { eventually "$@" || eventually "$@" || eventually "$@"; }
ok 'containerd comes up' slowly answers
inside 'setsid dockerd --containerd=/run/containerd/containerd.sock >/var/log/docker 2>&1 &'
up() { inside docker info; }
ok 'its daemon comes up' slowly up
says '^overlay' 'on overlay' inside "docker info -f '{{.Driver}}'"
ok 'an image' inside 'tar -C /b -c . | docker import - box'
is hello 'runs' inside 'docker run --rm box /bin/busybox echo hello'
# Enough for what Docker itself starts there first.
is 67108864 'a limit of memory is set' inside 'docker run --rm -m 64m box /bin/busybox cat /sys/fs/cgroup/memory.max'
# Not before Docker has seen it start.
status 137 'and acts' inside 'docker run --rm -m 64m --memory-swap 64m box /bin/busybox sh -c "sleep 5; exec /bin/busybox dd if=/dev/zero of=/dev/null bs=256M count=1"'
ok 'a port is published' inside 'docker run -d --name web -p 8080:80 box /bin/busybox httpd -f -p 80 -h /'
is published 'which the host reaches' env busybox wget -q -T 20 -O - "http://$(lx info -i -H out | head -n 1):8080/page"
ok 'it is stopped' inside docker rm -f web
[ "$FAILED" = 0 ] || inside tail -n 30 /var/log/containerd /var/log/docker | sed 's/^/# /'
ok 'the container ends with all of it' lx stop -k out
give_back_usr
finish
