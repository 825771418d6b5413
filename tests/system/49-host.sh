# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# lxmgr-host: what the host has and what of it is promised; no more is promised than may be.
. ./lib.sh
. ./lua.sh
need jq lua5.4

CONF=$(lxmgr-config lxmgr.default_config)
CONF=${CONF%/*}/lxmgr.conf
# Settings of the test's own, in mounts of its own.
if [ -z "${HOST_TEST_INSIDE:-}" ]; then
	export HOST_TEST_INSIDE=1
	exec unshare --mount --propagation private bash "$0" "$@"
fi
mkdir "$TREE/.etc"
cp -a "${CONF%/*}/." "$TREE/.etc"
mount --bind "$TREE/.etc" "${CONF%/*}"
[ -e "$CONF" ] || : >"$CONF"
cp "$CONF" "$TREE/.before"
may() { { grep -v overcommit "$TREE/.before"; printf 'lxmgr.overcommit.%s\n' "$@"; } >"$CONF"; } # may 'RESOURCE = RATIO'...
host() { lxmgr-host -P "$TREE" "$@"; }
of() { host --json | jq -r ".resources[] | select(.resource == \"$1\").$2"; }
each() { host --json | jq -r ".containers[] | select(.name == \"$1\" and .path == \"$TREE\").$2"; }

capacity=$(of memory capacity) before=$(of memory running)
is "$(awk '/^MemTotal/ { printf "%.0f", $2 * 1024 }' /proc/meminfo)" 'the memory of the host' echo "$capacity"
is "$(($(getconf _NPROCESSORS_ONLN) * 1000))" 'its CPUs' of cpus capacity
is "$(stat -f -c '%b %S' "$TREE" | awk '{ printf "%.0f", $1 * $2 }')" 'its disk' of disk capacity
busybox a -s lxmgr.limit.memory=64M -s lxmgr.limit.cpus=0.5 -s lxmgr.limit.pids=100
busybox b -s lxmgr.limit.memory=128M
lx config -n b lxmgr.limit.cpus=
is "67108864 500 100 null" 'what a has' echo "$(each a memory) $(each a cpus) $(each a pids) $(each a disk)"
is STOPPED 'is not in use yet' each a state
is "$before" 'nor promised to those that run' of memory running
all=$(of memory all)
ok 'start' lx start a
is RUNNING 'it runs' each a state
is $((before + (64 << 20))) 'it is promised' of memory running
is "$all" 'of all it was before' of memory all
is 1 'it has an address' each a addresses
is "$(lxmgr-doctor --json | jq -r '.[] | select(.name | test("addresses")) | .text' | grep -oE 'of [0-9]+' | cut -c4-)" 'of those that there are' \
	of addresses capacity
ok 'changed while it runs' lx set -q a --memory 96M
is $((96 << 20)) 'counts' each a memory
says "^a +RUNNING +96.00 MiB" 'as text' host
says '^memory +' 'the sums' host --total
is '' 'without the containers' bash -c "lxmgr-host -P '$TREE' --total | grep '^a '"
is '[]' 'also as JSON' bash -c "lxmgr-host -P '$TREE' --total --json | jq -c .containers"

# No more than may be. What others on this host have is counted, too.
room() { awk -v c="$capacity" -v r="$(of memory running)" -v m="$1" 'BEGIN { printf "%.3f", (r + m * 1048576) / c + 0.0005 }'; } # room MIB
unlimited=$(of memory unlimited_running)
if [ "$unlimited" = 0 ]; then
	part=$(room 64)
	may "memory = $part"
	part=$(awk -v p="$part" 'BEGIN { print p * 1000 }')
	is "$part" 'the part is told' bash -c "lxmgr-host --json | jq '.resources[0].overcommit * 1000 | round'"
	status 6 'a start that would break it' lx start b
	says 'lxmgr.overcommit.memory = .* MiB' 'which tells why' lx start b
	is STOPPED 'it did not start' lx info -s -H b
	status 6 'nor does a higher limit hold' lx set a --memory 400M
	is $((96 << 20)) 'it is as before' each a memory
	ok 'a lower one is always fine' lx set -q a --memory 80M
	ok 'one that goes up within it' lx set -q a --memory 90M
	ok 'what is not bounded may grow' lx set -q a --pids 200
	ok 'of a stopped one it is but saved' lx set -q b --memory 500M
	lx set -q b --memory 40M
	ok 'what fits starts' lx start b
	ok 'a restart is not refused' lx restart -k b
	lx set -q b --memory 400M --force
	is $((400 << 20)) 'by force' each b memory
	mkdir -p "${CONF%/*}/plans"
	echo 'lxmgr.limit.memory = 450M' >"${CONF%/*}/plans/big.conf"
	status 6 'nor may a plan' lxmgr-plan -P "$TREE" apply big b
	ok 'but by force' lxmgr-plan -P "$TREE" -q apply --force big b
	is $((450 << 20)) 'that holds' each b memory
	may 'memory = 0.001'
	ok 'also then' lx restart -k b
	lx stop -k b
	status 6 'but a start' lx start b
	ok 'by force it starts' lx start --force b
	lx stop -k b
	# Many at the same moment, of which two fit: each waits until the others count.
	for i in 1 2 3 4 5 6; do busybox "r$i" -s lxmgr.limit.memory=50M; done
	may "memory = $(room 120)"
	for _ in $(places 1 2 3 4 5 6); do
		jobs=''
		for i in 1 2 3 4 5 6; do
			lxmgr-start -P "$TREE" "r$i" >/dev/null 2>&1 &
			jobs="$jobs $!"
		done
		: >"$TREE/.ended"
		for job in $jobs; do
			wait "$job"
			echo $? >>"$TREE/.ended"
		done
		for i in 1 2 3 4 5 6; do lx stop -q -k "r$i"; done 2>/dev/null
		is '0 0 6 6 6 6 ' 'two of six started at once' bash -c "sort '$TREE/.ended' | tr '\n' ' '"
	done
	for i in 1 2 3 4 5 6; do lx destroy -q "r$i"; done
	may 'memory = 0.001'
	lua 'the Lua module does the same' '
	local c = assert(lxmgr.open("b", P))
	fails(6, "overcommit", c:start()); assert(c:start{force = true})
	fails(6, "overcommit", c:change({"lxmgr.limit.memory=500M"})); assert(c:change({"lxmgr.limit.memory=500M"}, {force = true}))
	local host, list = assert(lxmgr.host(P.path)); eq(host.memory.overcommit, 0.001); assert(host.cpus.capacity > 0)
	local seen; for _, v in ipairs(list) do if v.name == "b" and v.path == P.path then seen = v end end
	eq(seen.memory, 500 << 20); eq(seen.state, "RUNNING"); assert(c:restart{kill = true}); assert(c:stop{kill = true})'
else
	skip 'bounds of memory' 'containers without a limit of memory run on this host'
fi
may 'cpus = 0.999'
says 'lxmgr.overcommit.cpus' 'one without a limit counts as the whole host' lx start b
may 'memory = much'
says "'much' is no ratio" 'a part that is none' lx start b
may 'memory ='
ok 'none: it starts' lx start b
lx stop -k a
lx stop -k b
umount "${CONF%/*}"
finish
