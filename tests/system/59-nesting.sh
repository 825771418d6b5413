# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# lxmgr inside an lxmgr container (lxmgr.features = nesting), and inside that one again.
. ./lib.sh
. ./guest.sh
need busybox

LINKS=$(links)
as_before() { [ "$(links)" = "$LINKS" ]; }
inside() { lx attach out -- bash -c "$*"; }

status 1 'an unknown feature is refused' busybox x -s lxmgr.features=moon
says "'moon' is no feature; there are: nesting" 'by name' busybox x -s lxmgr.features=nesting,moon
for d in fuse net/tun; do
	f=${d#*/}
	if [ -c "/dev/$d" ]; then
		busybox "$f" -s "lxmgr.features=$f"
		ok "start with $f" lx start "$f"
		ok "/dev/$d is there and opens" lx attach "$f" -- sh -c ": <>/dev/$d"
		lx destroy -q -f "$f"
	else
		skip "the feature $f" "no /dev/$d on this host"
	fi
done

# Without the feature: a clear refusal.
borrow_usr
guest out
ok 'a container without the feature' lx start out
says 'lxmgr.features = nesting' 'holds none, and says what it lacks' inside lxmgr-create -t busybox -n in
is '' 'and nothing is left of it' inside 'ls -A /var/lib/lxmgr | grep -v -e "^[.][a-z]*[.]lock$" -e "^idmap$"'
lx stop -k out

lxmgr-config -P "$TREE" -n out lxmgr.features=nesting >/dev/null
ok 'start with nesting' lx start out
says '^ +0 +[0-9]+ +1048576$' 'it has more ids' inside cat /proc/self/uid_map
is '700 0' 'its bare /proc and /sys are for its root alone' inside stat -c "'%a %u'" /dev/.lxmgr
for f in sysrq-trigger sys/kernel/core_pattern sys/kernel/panic sys/vm/drop_caches sys/fs/file-max \
	sys/kernel/modprobe sys/kernel/hostname/../pid_max irq/default_smp_affinity; do
	status 1 "they do not open $f" inside "echo 1 >/dev/.lxmgr/proc/$f"
done
for f in kcore kallsyms; do
	is '' "nor tell $f" inside "grep -m 1 -v '^0* ' /dev/.lxmgr/proc/$f 2>/dev/null"
done
for f in kernel/profiling kernel/mm/transparent_hugepage/enabled kernel/uevent_helper power/state; do
	status 1 "nor open /sys/$f" inside "echo 1 >/dev/.lxmgr/sys/$f"
done
ok 'it mounts overlays on its own files' inside 'mkdir -p /ov/{lower,upper,work,all} && echo a >/ov/lower/a &&
	mount -t overlay none -o lowerdir=/ov/lower,upperdir=/ov/upper,workdir=/ov/work /ov/all && rm /ov/all/a && umount /ov/all && test -c /ov/upper/a'
is 1 'and has keyrings' inside "python3 -c 'import ctypes; print(int(ctypes.CDLL(None).syscall(250, 1, 0) > 0))'"
status 1 'the masks of its own /proc stay' inside 'echo 1 >/proc/sys/kernel/panic'

ok 'create inside' inside lxmgr-create -t busybox -n in
says '^Storage: +dir' 'by the backend that works there' inside lxmgr-info in
status 1 'overlay is refused' inside lxmgr-create -t busybox -n o -B overlay
says 'id-mapped mounts.*-B dir' 'with the way out' inside lxmgr-create -t busybox -n o -B overlay
ok 'start inside' inside lxmgr-start in
is RUNNING 'it runs' inside lxmgr-info -s -H in
is 0 'its root is root' inside lxmgr-attach in -- id -u
says '^ +0 +65536 +65536$' 'of ids of its own' inside lxmgr-attach in -- cat /proc/self/uid_map
ok 'its files are its own' inside lxmgr-attach in -- sh -c "'touch /etc/x /bin/x && rm /etc/x /bin/x'"
says '^(1[0-9.]+|172[0-9.]+|192[0-9.]+)$' 'it has an address' inside lxmgr-info -i -H in
gateway=$(lx attach out -- ip -4 route show default | sed 's/.*via \([0-9.]*\).*/\1/')
ok 'and reaches the host through two bridges' inside lxmgr-attach in -- ping -c 1 -W 10 "$gateway"
says 'Anti-spoofing: +not enforceable' 'what cannot be had there is said' inside lxmgr-info in
inside lxmgr-stop -k in
says 'cannot act in a container' 'so are device rules' \
	inside lxmgr-start -s "'lxmgr.cgroup2.devices.allow=c 1:3 r'" in
if [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; then
	ok 'a limit inside' inside lxmgr-start -s lxmgr.limit.pids=7 in
	is 7 'is set' inside lxmgr-cgroup in pids.max
	says "fork" 'and holds' inside lxmgr-attach in -- sh -c \
		"'for i in 1 2 3 4 5 6 7 8; do sleep 5 & done 2>&1; wait'"
else
	says 'lxmgr.limit.pids cannot act' 'a limit that cannot act is refused' \
		inside lxmgr-start -s lxmgr.limit.pids=7 in
	ok 'without limits it starts' inside lxmgr-start in
fi
ok 'attach to the outer one goes on' inside true
ok 'restart inside' inside lxmgr-restart in
ok 'stop inside' inside lxmgr-stop in
ok 'and start again' inside lxmgr-start in

# Once more: out holds mid holds deep.
ok 'a container inside that may nest' inside "$(declare -f lx guest); TREE=/var/lib/lxmgr MAP= USR=/usr
	guest mid -s lxmgr.features=nesting"
ok 'starts' inside lxmgr-start mid
says '^ +0 +[0-9]+ +524288$' 'with half of the ids' inside lxmgr-attach mid -- cat /proc/self/uid_map
ok 'and holds one' inside lxmgr-attach mid -- lxmgr-create -t busybox -n deep
ok 'that starts' inside lxmgr-attach mid -- lxmgr-start deep
is 0 'and works' inside lxmgr-attach mid -- lxmgr-attach deep -- id -u
ok 'and reaches the host' inside lxmgr-attach mid -- lxmgr-attach deep -- ping -c 1 -W 10 "$gateway"
ok 'the outermost ends with all of it' lx stop -k out
lx destroy -q -f out
# They die with its namespace, a moment after it; the tests below take what is there for the host's own.
ok 'its links are gone' eventually as_before

# What the isolation tests forbid, nesting does not allow.
for f in 50-isolation 52-cve 53-attacks; do
	if in_haste && [ "$f" = 53-attacks ]; then
		skip "$f.sh with nesting" 'minutes of it in an emulated machine (LXMGR_TEST_HASTE)'
		continue
	fi
	OUT=$(TREE='' LXMGR_TEST_FEATURES=nesting bash "./$f.sh" 2>&1)
	# With what "not ok" says behind it. A "control" shows that an attack would work elsewhere: those
	# are races.
	OUT=$(printf '%s\n' "$OUT" | awk '/^(ok|not ok|1[.][.])/ { show = !/^ok/ && !/ control: / } show')
	[ "${OUT#1..}" != "$OUT" ] && [ "$(printf '%s\n' "$OUT" | wc -l)" = 1 ]
	result $? "$f.sh with nesting"
done
give_back_usr
finish
