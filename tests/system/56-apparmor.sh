# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# A host with AppArmor on: what the profile key does there (make check-vm).
. ./lib.sh

if [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" != Y ]; then
	skip 'AppArmor' 'this kernel runs without it'
	finish
	exit
fi
need apparmor_parser
policy=/sys/kernel/security/apparmor
cached=$VAR/cache/lxmgr/apparmor
# shellcheck disable=SC2329
loaded() { grep "^lxmgr-[abt]-" "$policy/profiles"; }
conf() { lxmgr-config -P "$TREE" -n a "$@"; }
label() { lx attach a -- cat /proc/1/attr/current; }
started() { # started PROFILE
	conf "lxmgr.apparmor.profile=$1" && lx start a
}
busybox a
busybox b

# The default: a profile of its own.
ok 'a default container starts' lx start a
says '^lxmgr-a-[0-9a-f]+ \(enforce\)$' 'its init has a profile of its own' label
own=$(label)
is "$own" 'so has an attached command' lx attach a -- cat /proc/self/attr/current
is "$own" 'also one of another user' lx attach a -u 1000 -- cat /proc/self/attr/current
is 'unconfined' 'an attach that leaves it out has none' lx attach -e a -- cat /proc/self/attr/current
is 'unconfined' 'as does one that leaves out the label alone' lx attach --elevated-privileges=LSM a -- cat /proc/self/attr/current
status 1 'the guest cannot leave it' lx attach a -- sh -c "echo 'changeprofile unconfined' >/proc/self/attr/current"
says "^apparmor: ${own% *}$" 'the plan names it' lx start --dry-run a
says "^AppArmor: +${own% *}$" 'so does info' lx info a
is "${own% *}" 'also as JSON' sh -c "lxmgr-info -P $TREE --json a | jq -r .apparmor"
lx start b
says '^lxmgr-b-' 'another container has another' lx attach b -- cat /proc/self/attr/current
lx stop -k b
is "$own" 'and when that stops, only its own goes' loaded
says '^lxmgr-.* \(enforce\)' 'execute has one, too' lx execute b -- cat /proc/self/attr/current
before=$(lx info -p -H a)
# shellcheck disable=SC2329
other_init() {
	local p
	p=$(lx info -p -H a)
	[ -n "$p" ] && [ "$p" != "$before" ] && [ "$(lx info -s -H a)" = RUNNING ]
}
lx attach a -- reboot
ok 'a reboot from inside' eventually other_init
is "$own" 'keeps it' label
lx stop -k a
is '' 'no profile is left in the kernel' loaded

# Cached, for all containers of a kind.
rm -rf "$cached"
ok 'without a cache it starts' lx start a
# shellcheck disable=SC2012
n=$(ls "$cached" | wc -l)
lx stop -k a
stamp=$(stat -c %Y.%i "$cached"/*.bin)
ok 'with one, too' lx start a
is "$stamp" 'and nothing is compiled' stat -c %Y.%i "$cached"/*.bin
is "$n" 'or added' sh -c "ls $cached | wc -l"
lx stop -k a
for f in "$cached"/*.bin; do chmod 666 "$f"; done
ok 'a cache that others may write is not used' lx start a
says 'is not root.s alone' 'and that is told' sh -c "cat /var/log/lxmgr/a-*.log"
lx stop -k a

# A monitor that was killed, an init that then ends.
lx start a
kill -9 "$(lx info --json a | jq .monitor_pid)"
ok 'without its monitor it is confined, attach too' sh -c "[ \"\$(lxmgr-attach -P $TREE a -- cat /proc/self/attr/current)\" = '$own' ]"
kill -9 "$(lx info -p -H a)"
ok 'the next start takes the profile back and loads its own' eventually lx start a
is "$own" 'in which it runs' label
lx stop -k a
is '' 'and which goes' loaded
status 1 'a start that fails behind it' env LXMGR_FAIL_AT=control lxmgr-start -P "$TREE" a
is '' 'leaves none either' loaded

# raw
ok 'raw takes a line' conf 'lxmgr.apparmor.raw=deny /etc/passwd r,'
lx start a
status 1 'which is in force' lx attach a -- cat /etc/passwd
ok 'and does no more' lx attach a -- cat /etc/group
says 'now.*deny /etc/passwd|set.*next start|lxmgr.apparmor.raw' 'the running config has it' lx info -c lxmgr.apparmor.raw a
lx stop -k a
printf 'lxmgr.apparmor.raw = deny /x rq,\n' >>"$TREE/a/config"
line=$(grep -n 'deny /x rq' "$TREE/a/config" | cut -d: -f1)
says "^lxmgr-start: a: apparmor_parser refuses lxmgr.apparmor.raw = deny /x rq,: .*\(a/config:$line\)$" 'a line that the parser refuses is named, with its reason and place' lx start a
status 6 'it is refused' lx start a
is STOPPED 'and nothing runs' lx info -s -H a
sed -i '/deny \/x rq/d' "$TREE/a/config"
printf 'lxmgr.apparmor.raw = } profile x {\n' >>"$TREE/a/config"
says "a/config:$line: key 'lxmgr.apparmor.raw': a brace" 'a line that would leave the profile is refused' lx start a
sed -i '/profile x/d' "$TREE/a/config"

# The parser is missing. (In a mount namespace where it is covered; what is cached still works.)
without() { # without FILE COMMAND...: where FILE is not there
	unshare -m sh -c 'mount -t tmpfs none /mnt && cp -a "$1"/. /mnt && rm /mnt/apparmor_parser && mount --bind /mnt "$1" && shift && exec "$@"' sh "$@"
}
rm -rf "$cached"
says 'apparmor_parser is missing: install the package apparmor' 'without the parser the package is named' without /usr/sbin lxmgr-start -P "$TREE" a
status 6 'and the start refused' without /usr/sbin lxmgr-start -P "$TREE" a

# The other values.
ok 'unconfined' started unconfined
is unconfined 'is' label
is unconfined 'also attached' lx attach a -- cat /proc/self/attr/current
conf lxmgr.apparmor.profile=generated
is unconfined 'a change of the key acts at the next start' lx attach a -- cat /proc/self/attr/current
lx stop -k a
ok 'unchanged' started unchanged
is unconfined 'is what the caller was in' label
lx stop -k a
profile=lxmgr-test-$$
cat >"$TREE/.profile" <<EOT
profile $profile flags=(attach_disconnected,mediate_deleted) {
  file,
  capability,
  network,
  mount,
  umount,
  pivot_root,
  signal,
  ptrace,
  unix,
  userns,
  deny /etc/passwd rw,
}
EOT
conf --unset lxmgr.apparmor.raw
says "$profile: no such profile is loaded" 'a profile that is not loaded is refused by name' started "$profile"
is STOPPED 'and nothing runs' lx info -s -H a
ok 'load it' apparmor_parser -r "$TREE/.profile"
ok 'then it starts' started "$profile"
says "^$profile (\(enforce\)|//&)" 'init has it' label
says "^$profile" 'so has an attached command' lx attach a -- cat /proc/self/attr/current
status 1 'what the profile denies is denied' lx attach a -- cat /etc/passwd
# A guest that shapes /sys and /proc must not rid attached commands of the profile.
seen() { # seen SECONDS-OF-SLEEP: the label of that command, as the host sees it
	local p=''
	for _ in $(seq 100); do
		p=$(pgrep -xf "sleep $1") && break
		sleep 0.1
	done
	cat "/proc/$p/attr/current"
	kill "$p"
}
lx attach a -- mount -t tmpfs none /sys
lx attach a -- sleep $((70000 + $$)) &
says "^$profile" 'CVE-2015-1334: a covered /sys does not make attach forget it' seen $((70000 + $$))
lx attach a -- sh -c 'mount -t tmpfs none /proc && mkdir -p /proc/thread-self/attr/apparmor /proc/self/attr && : >/proc/thread-self/attr/apparmor/exec'
lx attach a -- sleep $((80000 + $$)) &
says "^$profile" 'CVE-2019-16884: nor does a /proc of its making' seen $((80000 + $$))
wait
ok 'a restart keeps it' lx restart a
says "^$profile" 'it has' label
ok 'take it away under the container' apparmor_parser -R "$TREE/.profile"
says "security label.*$profile.*not loaded any more" 'then attach says so, and does not go in without' lx attach a -- true
lx stop -k a
finish
