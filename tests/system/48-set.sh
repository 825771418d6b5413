# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# lxmgr-set: what is asked for holds at once and at the next start, or nothing of it does.
. ./lib.sh
. ./lua.sh
need jq perl strace lua5.4

info() { lx info --json a | jq -r "$1"; }
key() { lx config -n a "lxmgr.$1"; }
running() { lx config -n a --running "lxmgr.$1"; }
v1() { [ ! -e /sys/fs/cgroup/cgroup.controllers ]; }
group() { # group V2-FILE V1-FILE: what the kernel has
	if v1; then lx cgroup a "$2"; else lx cgroup a "$1"; fi
}
limits() { # limits: all of them, as the kernel has them
	echo "$(group memory.max memory.limit_in_bytes) $(group cpu.max cpu.cfs_quota_us) $(group cpu.weight cpu.shares) $(group pids.max pids.max)"
}
weight() { if v1; then echo $(($1 * 1024 / 100)); else echo "$1"; fi; }
quota() { if v1; then echo "$1"; else echo "$1 100000"; fi; }
max() { if v1; then lx cgroup a memory.limit_in_bytes; else echo max; fi; }

busybox a -s lxmgr.limit.memory=300M -s lxmgr.limit.pids=60
status 64 'nothing to change' lxmgr-set -P "$TREE" a
status 3 'no such container' lxmgr-set -P "$TREE" none --pids 5
status 64 'neither yes nor no' lx set a --onboot maybe
is 'lxmgr.limit.memory: 314572800 -> 209715200' 'a stopped one: what changes is told' lx set a --memory 200M --pids 60
is '209715200' 'and saved' key limit.memory
is '' 'what it has already is nothing' lx set a --memory 200M
is 'lxmgr.limit.cpus: default -> 1.500' 'a dry run tells' lx set a --cpus 1.5 --dry-run
is '' 'and changes nothing' key limit.cpus
before=$(md5sum <"$TREE/a/config")
status 1 'a bad value' lx set a --pids 70 --cpus many
says 'limit.cpus' 'is told by its key' lx set a --cpus many
is "$before" 'and nothing of it is saved' bash -c "md5sum <$TREE/a/config"

lx start a
ok 'five of a running one' lx set -q a --memory 150M --cpus 0.5 --cpu-weight 300 --pids 70 --swap max
is "157286400 $(quota 50000) $(weight 300) 70" 'the kernel has them' limits
is '157286400 70' 'info, too' bash -c "lxmgr-info -P $TREE --json a | jq -r '\"\\(.memory_limit) \\(.pids_limit)\"'"
is '157286400 0.500 300 70' 'the config has them' echo "$(key limit.memory)" "$(key limit.cpus)" "$(key limit.cpu.weight)" "$(key limit.pids)"
is '157286400 0.500 300 70' 'and what runs' echo "$(running limit.memory)" "$(running limit.cpus)" "$(running limit.cpu.weight)" "$(running limit.pids)"
is '{"key":"lxmgr.limit.pids","old":"70","value":"80"}' 'as JSON' bash -c "lxmgr-set -P $TREE --json a --pids 80 | jq -c '.changes[]'"
is '[] true' 'a dry run that changes nothing, as JSON' bash -c "lxmgr-set -P $TREE --json a --pids 80 --dry-run | jq -cr '\"\\(.changes) \\(.dry_run)\"'"
ok 'more memory' lx set -q a --memory 400M
ok 'and no limit' lx set -q a --memory max --cpus= --cpu-weight=
is "$(max) $(if v1; then echo -1; else quota max; fi) $(weight 100) 80" 'none is none' limits
is '' 'a default is not in the config' bash -c "grep -E 'limit.cpu' $TREE/a/config"
ok 'a limit again' lx set -q a --memory 200M
# Which CPUs, and a burst.
cpus=$(lx attach a -- nproc)
if [ "$cpus" -gt 1 ]; then
	ok 'one CPU alone' lx set -q a --cpuset 0
	is 1 'is what it counts' lx attach a -- nproc
	is '0 0' 'and config and kernel have' echo "$(key limit.cpuset) $(lx cgroup a cpuset.cpus)"
	status 1 'one that is not there' lx set a --cpuset 0-8191 --pids 81
	says 'this host has the CPUs' 'is told, with those that are' lx set a --cpuset 0-8191
	is '1 80' 'and all is as it was' echo "$(lx attach a -- nproc) $(group pids.max pids.max)"
	ok 'all of them again' lx set -q a --cpuset=
	is "$cpus" 'are what it counts' lx attach a -- nproc
else
	skip 'one CPU alone' 'this host has no other'
fi
burst() { group cpu.max.burst cpu.cfs_burst_us; }
status 1 'a burst beyond no limit' lx set a --cpu-burst 0.5
says 'needs lxmgr.limit.cpus' 'is told' lx set a --cpu-burst 0.5
ok 'beside one' lx set -q a --cpus 0.5 --cpu-burst 0.4
is "$(quota 50000) 40000" 'the kernel has both' echo "$(group cpu.max cpu.cfs_quota_us) $(burst)"
status 1 'more than that' lx set a --cpus 0.3
ok 'less of both' lx set -q a --cpus 0.3 --cpu-burst 0.1
is "$(quota 30000) 10000" 'the kernel has them' echo "$(group cpu.max cpu.cfs_quota_us) $(burst)"
lx stop -k a
lx start a
is "$(quota 30000) 10000" 'after the next start, too' echo "$(group cpu.max cpu.cfs_quota_us) $(burst)"
ok 'none again' lx set -q a --cpus= --cpu-burst=
is 0 'is none' burst
lx stop -k a
lx start a
is "209715200 $(if v1; then echo -1; else quota max; fi) $(weight 100) 80" 'the next start agrees' limits

# What is in use does not fit.
lx attach a -- sh -c 'head -c 100000000 /dev/zero >/dev/shm/used'
had=$(limits) before=$(md5sum <"$TREE/a/config")
if v1 || [ "$(awk '/^SwapTotal/ { print $2 }' /proc/meminfo)" = 0 ]; then
	status 6 'less than is in use is refused' lx set a --pids 90 --memory 30M
	says 'in use' 'with the reason' lx set a --memory 30M
	is "$had" 'and no limit is another one' limits
	is "$before" 'nor the config' bash -c "md5sum <$TREE/a/config"
	is 80 'nor what runs' running limit.pids
	is 'RUNNING' 'nothing was killed' lx info -s -H a
else
	skip 'less than is in use is refused' 'this host has swap to put it in'
fi
lx attach a -- rm /dev/shm/used
ok 'what was given back is room' lx set -q a --memory 30M
ok 'and back' lx set -q a --memory 200M

# A part that fails takes back the others.
for call in fsync renameat write; do
	hits=0
	for at in $(places 1 2 3 4); do
		strace -f -qq -o /dev/null -e "trace=$call" -e "inject=$call:error=EIO:when=$at" \
			lxmgr-set -P "$TREE" -q a --memory 250M --pids 95 --cpus 2 >/dev/null 2>&1 && continue
		[ "$(limits) $(md5sum <"$TREE/a/config") $(running limit.pids)" = "$had $before 80" ]
		result $? "$call $at fails: all is as before"
		hits=$((hits + 1))
	done
	ok "$call can fail" test "$hits" -gt 0
	lx set -q a --memory 200M --pids 80 --cpus=
done
# The limit of its root, where there can be none, and where there is one.
had=$(limits) before=$(md5sum <"$TREE/a/config")
if [ "$(lx disk a --json | jq .limit)" = null ] && ! lx disk a --resize 100M >/dev/null 2>&1; then
	status 6 'no limit of the disk here: all is refused' lx set a --pids 91 --disk 100M
	status 6 'in a dry run, too' lx set a --disk 100M --dry-run
	is "$had $before" 'and nothing has changed' echo "$(limits) $(md5sum <"$TREE/a/config")"
else
	lx disk a --resize max
	skip 'no limit of the disk here: all is refused' 'this file system has project quotas'
fi
if may_resize && command -v mkfs.ext4 >/dev/null; then
	busybox l -B loop --fstype ext4 --fssize 32M
	limit() { lx disk l --json | jq .limit; }
	was=$(limit)
	is 'lxmgr.limit.disk: default -> 50331648' 'a stopped one in a file grows' lx set l --disk 48M
	is 50331648 'and takes that' stat -c %s "$TREE/l/rootfs.img"
	status 6 'nothing fits into that' lx set -q l --disk 1M --pids 90
	is '50331648 4096' 'so nothing has changed' echo "$(lx config -n l lxmgr.limit.disk) $(lx config -n l lxmgr.limit.pids)"
	lx start l
	ok 'a running one grows, too' lx set -q l --disk 64M --pids 90
	ok 'and has it' test "$(limit)" -gt "$was"
	is 90 'with the other' lx config -n l --running lxmgr.limit.pids
	lx stop -k l
else
	skip 'one in a file grows' 'no mkfs.ext4, or no CAP_SYS_RESOURCE, on this host'
fi

# What the start was given for itself stays.
lx stop -k a
lx start -s lxmgr.limit.pids=55 a
ok 'another limit than that of the start' lx set -q a --memory 210M
is 55 'leaves that of the start' group pids.max pids.max
is 80 'and that of the config' key limit.pids

ok 'what nothing that runs has' lx set -q a --onboot yes --boot-order 7 --boot-delay 3 --stop-timeout 5s --description 'a shop'
is '1 7 3 5000ms a shop' 'is saved' echo "$(key start.auto)" "$(key start.order)" "$(key start.delay)" "$(key stop.timeout)" "$(key description)"
ok 'and taken away' lx set -q a --onboot no --description=
is '' 'all of it' key description
# Who owns it, and what may not be done with it.
ok 'protected' lx set -q a --protect yes --owner 'A. Customer' --tag 'shop web'
is 'A. Customer shop web' 'with whose it is' echo "$(key owner)" "$(key tag | xargs)"
lx stop -q -k a
status 6 'it is not destroyed' lx destroy a
status 6 'nor by force' lx destroy -f a
says 'protect no' 'which is told with the cure' lx destroy -f a
status 6 'nor reinstalled' lx reinstall -q a
ok 'a copy' lx copy -q a c
ok 'is not protected' lx destroy -q c
status 1 'nor can it be ephemeral' lx config -n a lxmgr.ephemeral=1
ok 'no more' lx set -q a --protect no
lx start a
ok 'suspended' lx set -q a --suspend-service yes --onboot yes
is RUNNING 'it goes on' lx info -s -H a
status 6 'is not restarted' lx restart -k a
is RUNNING 'and runs' lx info -s -H a
lx stop -k a
status 6 'is not started' lx start a
says 'suspend-service no' 'which is told with the cure' lx start a
status 125 'nor for one command' lx execute a -- true
is '' 'nor at boot' lx autostart -L
ok 'lifted' lx set -q a --suspend-service no
says '^a' 'at boot again' lx autostart -L
ok 'it starts' lx start a
lx set -q a --onboot no
lua 'the Lua module does the same' '
local c = assert(lxmgr.open("a", P))
local told = assert(c:change({"lxmgr.limit.pids=44"}, {dry_run = true}))
eq(#told, 1); eq(told[1].key, "lxmgr.limit.pids"); eq(told[1].value, "44"); eq(c:get("lxmgr.limit.pids"), "80")
assert(c:change({"lxmgr.limit.pids=44", "lxmgr.description=x=y"})); eq(c:get("lxmgr.limit.pids"), "44"); eq(c:get("lxmgr.description"), "x=y")
fails(4, "runs", c:change({"lxmgr.uts.name=other"}))'
is 44 'at once' group pids.max pids.max

# What is in the guest's files: with the keys, or nothing of it.
inside() { lx attach a -- sh -c "$1"; }
lx attach a -- sh -c 'printf "ID=debian\nVERSION_ID=12\n" >/etc/os-release'
is 'guest.hostname: a -> web.example.org' 'a dry run tells' lx set a --hostname web.example.org --dry-run
is a 'and changes nothing' inside hostname
ok 'limits and names at once' lx set -q a --pids 51 --hostname web.example.org --nameserver 192.0.2.1 --nameserver 192.0.2.2 \
	--searchdomain example.org
is 'web.example.org web.example.org 51' 'the name and the limit' echo "$(inside hostname)" "$(key uts.name)" "$(group pids.max pids.max)"
says '^nameserver 192.0.2.2$' 'the resolver' inside 'cat /etc/resolv.conf'
says '^search example.org$' 'its domain' inside 'cat /etc/resolv.conf'
is '' 'the same again is nothing' lx set a --pids 51 --hostname web.example.org --nameserver 192.0.2.1 --nameserver 192.0.2.2 \
	--searchdomain example.org
is 'guest.nameservers: 192.0.2.1 192.0.2.2 -> default guest.search: example.org -> default' 'none is something' \
	bash -c "lxmgr-set -P '$TREE' a --nameserver '' --dry-run | xargs"
status 1 'a user that there is not' lx set a --pids 52 --user-password nobody2:x
is '51 51' 'nothing of that holds' echo "$(key limit.pids)" "$(group pids.max pids.max)"
status 64 'a bad address' lx set a --pids 52 --nameserver 300.1.1.1
is 51 'nor of that' key limit.pids
hash='$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/'
ok 'a password' lx set -q a --user-password root:secret
ok 'is that' bash -c "lxmgr-attach -P '$TREE' a -- cat /etc/shadow | perl -F: -ane 'exit(crypt(\"secret\", \$F[1]) ne \$F[1]) if \$F[0] eq \"root\"'"
ok 'one as a hash, from standard input' bash -c 'echo "root:$1" | lxmgr-set -P "$2" -q a --user-password-file - --crypted' x "$hash" "$TREE"
is "$hash" 'is that hash' inside 'sed -n "s/^root:\([^:]*\).*/\1/p" /etc/shadow'
status 64 'what is no hash' lx set a --user-password 'root:x:y' --crypted
status 64 'no user' lx set a --user-password secret
is '["guest.password","root"]' 'as JSON' bash -c "lxmgr-set -P '$TREE' --json --dry-run a --user-password root:x | jq -c '.changes[0] | [.key, .value]'"
status 4 'features of one that runs' lx set a --features nesting
lx stop -k a
ok 'of a stopped one' lx set -q a --features nesting
is nesting 'are saved' key features
finish
