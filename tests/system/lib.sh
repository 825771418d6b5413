# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Helpers of the system tests. A test file sources this, checks, and ends with `finish`. Containers
# are made below a directory of the test's own. LXMGR_TEST_FEATURES: lxmgr.features of busybox containers.
set -u

TREE=${TREE:-$(mktemp -d /var/lib/lxmgr-test.XXXXXX)}
export TREE
chmod 0711 "$TREE"
N=0 FAILED=0 OUT=''
# Where the installed lxmgr keeps things; a build with a --runstatedir of its own says so.
VAR=$(lxmgr-config lxmgr.lxmgrpath)
VAR=${VAR%/lib/lxmgr}
CACHE=$VAR/cache/lxmgr/images
RUN=${LXMGR_RUN:-/run/lxmgr}
export VAR CACHE RUN

result() { # result STATUS NAME
	N=$((N + 1))
	if [ "$1" = 0 ]; then
		printf 'ok %d - %s\n' "$N" "$2"
	else
		FAILED=$((FAILED + 1))
		printf 'not ok %d - %s\n' "$N" "$2"
		[ -z "$OUT" ] || printf '%s\n' "$OUT" | head -n 20 | sed 's/^/#   /'
	fi
}

skip() { # skip NAME REASON
	N=$((N + 1))
	printf 'ok %d - %s # SKIP %s\n' "$N" "$1" "$2"
}

# ok NAME COMMAND...: it succeeds.
ok() {
	local name=$1
	shift
	OUT=$("$@" 2>&1 </dev/null)
	result $? "$name"
}

# status N NAME COMMAND...: it ends with this status.
status() {
	local want=$1 name=$2 rc
	shift 2
	OUT=$("$@" 2>&1 </dev/null)
	rc=$?
	OUT="status $rc, not $want: $OUT"
	[ "$rc" = "$want" ]
	result $? "$name"
}

# says PATTERN NAME COMMAND...: its output matches.
says() {
	local want=$1 name=$2
	shift 2
	OUT=$("$@" 2>&1 </dev/null)
	printf '%s\n' "$OUT" | grep -qE -- "$want"
	result $? "$name"
}

# is WANT NAME COMMAND...: its output is this.
is() {
	local want=$1 name=$2
	shift 2
	OUT=$("$@" 2>&1 </dev/null)
	[ "$OUT" = "$want" ]
	result $? "$name"
}

lx() { # lx VERB ...: in the test's tree
	local verb=$1
	shift
	"lxmgr-$verb" -P "$TREE" "$@"
}

at_root() { # at_root NAME COMMAND...: where the stopped container's root is mounted for the host
	local name=$1 dir rc
	shift
	dir=$(lx mount "$name") || return 1
	(cd "$dir" && "$@")
	rc=$?
	lx umount -q "$name" && return $rc
}

# What tests that were killed left in the list of directories is not there any more: no image could be deleted.
forget_trees() {
	local tree
	while read -r tree; do
		[ -d "$tree" ] || lxmgr-image -q prune --forget="$tree" >/dev/null 2>&1
	done < <(cat "$VAR/lib/lxmgr/trees" 2>/dev/null)
}

# for_containers DIR: what of the host is mounted into a container needs the label for that.
for_containers() {
	! has_selinux || chcon -R system_u:object_r:lxmgr_file_t:s0 "$@"
}

has_systemd() { [ -d /run/systemd/system ]; }
has_selinux() { [ -e /sys/fs/selinux/enforce ]; }
is_enforcing() { has_selinux && [ "$(cat /sys/fs/selinux/enforce)" = 1 ]; }

inside() { # inside NAME COMMAND: in the stopped container
	local rc
	lx start "$1" && lx attach "$1" -- sh -c "$2"
	rc=$?
	lx stop -k "$1"
	return $rc
}

# CAP_SYS_RESOURCE: the kernel asks for it where a mounted ext4 grows.
may_resize() { (((0x$(awk '/^CapEff/ { print $2 }' /proc/self/status) >> 24 & 1) == 1)); }

# need PROGRAM...: without them the file is one visible SKIP.
need() {
	local p
	for p; do
		if ! command -v "$p" >/dev/null; then
			skip "$(basename "$0")" "no $p on this host"
			finish
			exit
		fi
	done
}

busybox() { # busybox NAME [OPTIONS]
	local name=$1
	shift
	lx create -q -t busybox -n "$name" ${LXMGR_TEST_FEATURES:+-s "lxmgr.features=$LXMGR_TEST_FEATURES"} "$@"
}

# The template of Debian guests. Emulated, it takes minutes: the machine of check-vm has what it made.
DEBIAN=debian
[ ! -x /srv/guests/ready ] || DEBIAN=/srv/guests/ready
export DEBIAN

# came_up NAME: what systemd in it says when it has come up: running, or degraded. It is asked once, and
# tells when it is so far: emulated, who asks again and again is what it waits for.
came_up() {
	local state
	for _ in $(seq 300); do
		state=$(lx attach "$1" -- systemctl is-system-running --wait 2>/dev/null </dev/null)
		case $state in running | degraded) break ;; esac
		lx info -q "$1" >/dev/null 2>&1 || break
		sleep 1
	done
	echo "$state"
}

# places N...: where a test injects faults, or which of many cases it takes. LXMGR_TEST_THIN=N: every
# N-th of them, for emulated machines.
places() {
	local i=0 n
	for n; do
		[ $((i % ${LXMGR_TEST_THIN:-1})) != 0 ] || echo "$n"
		i=$((i + 1))
	done
}
thinned() {
	local n=$(($1 / ${LXMGR_TEST_THIN:-1}))
	echo $((n ? n : 1))
}
# LXMGR_TEST_HASTE: what takes minutes in an emulated machine is left out.
in_haste() { [ -n "${LXMGR_TEST_HASTE:-}" ]; }
# A wait in which a machine does nothing: meanwhile another may have its processor.
idle() { # idle SECONDS
	[ -z "${LXMGR_TEST_IDLE:-}" ] || : >"$LXMGR_TEST_IDLE"
	sleep "$1"
	[ -z "${LXMGR_TEST_IDLE:-}" ] || rm "$LXMGR_TEST_IDLE"
}

# eventually COMMAND...: try for up to a minute: an emulated machine with others beside it is slow.
eventually() {
	local end=$((SECONDS + 60))
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.1
	done
}

# run_dir NAME: where the state of a container of this tree stands while it runs.
run_dir() { dirname "$(grep -lxF "path $TREE" "$RUN/$1"-*/state)"; }

# hold FILE: somebody locks it, until let_go. waits_for PID FILE: that process has it open.
hold() {
	: >"$TREE/.held"
	flock -o "$1" sh -c 'echo >>"$1/.holds"; while [ -e "$1/.held" ]; do sleep 0.1; done' sh "$TREE" &
	HOLDER=$!
	eventually test -s "$TREE/.holds"
}
let_go() {
	rm -f "$TREE/.held" "$TREE/.holds"
	wait "$HOLDER"
}
waits_for() { find "/proc/$1/fd" -lname "$2" | grep -q .; }

links() { ip -o link 2>/dev/null | awk -F': ' '{ print $2 }' | grep -v '^lxmgrbr0' | sort; }

# What the host holds, for the leak check. Zombies are their parent's to reap, and that is not us. With others
# of its kind beside it (LXMGR_TEST_SHARD) a test looks for what is its own, and who began them for the rest.
host_state() {
	if [ -n "${LXMGR_TEST_SHARD:-}" ]; then all_state | grep -F "$TREE"; else all_state; fi
}
all_state() {
	awk '{ print $5 }' /proc/self/mountinfo | sort
	links
	find /sys/fs/cgroup -mindepth 2 -type d \( -path '*/lxmgr/*' -o -path '*/lxmgr@*' -o -path '*/lxmgr-*.scope*' \) \
		2>/dev/null | sort
	find /run/systemd/transient -name 'lxmgr-*.scope' 2>/dev/null | sort
	losetup -a 2>/dev/null
	ps -eo stat=,args= | awk '$1 !~ /^Z/ && $2 ~ /lxmgr-(supervise|finish|start|attach|create)$/' | sort
	find "$RUN" -mindepth 1 -maxdepth 1 ! -name '.*' 2>/dev/null | sort
	nft list tables 2>/dev/null | grep -v 'inet lxmgr' | sort
}

BEFORE=$(host_state)

# What keeps a scope: a process of whatever name, or systemd.
left_scopes() {
	local s p
	for s in /sys/fs/cgroup/machine.slice/lxmgr-*.scope; do
		[ -d "$s" ] || continue
		systemctl status --no-pager "${s##*/}" 2>&1
		journalctl -b --no-pager -u "${s##*/}" 2>/dev/null | tail -n 5
		for p in $(cat "$s/cgroup.procs" "$s"/*/cgroup.procs 2>/dev/null); do
			echo "$p: $(tr '\0' ' ' <"/proc/$p/cmdline")"
		done
	done
}

finish() {
	local name after end=$((SECONDS + 60))
	for name in $(lx ls -1 2>/dev/null); do
		lx destroy -q -f -s "$name" >/dev/null 2>&1
	done
	# Links die with their namespace, and scopes when systemd looks, a moment after it.
	while after=$(host_state) && [ "$after" != "$BEFORE" ] && [ "$SECONDS" -lt "$end" ]; do
		sleep 0.1
	done
	OUT=$(diff <(printf '%s\n' "$BEFORE") <(printf '%s\n' "$after"))
	[ "$after" = "$BEFORE" ] || OUT+=$'\n'$(left_scopes)
	[ "$after" = "$BEFORE" ]
	result $? "nothing is left on the host"
	rm -rf --one-file-system "$TREE"
	printf '1..%d\n' "$N"
	[ "$FAILED" = 0 ]
}
