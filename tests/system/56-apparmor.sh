# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# A host with AppArmor on: what the profile key does there (make check-vm).
. ./lib.sh

if [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" != Y ]; then
	skip 'AppArmor' 'this kernel runs without it'
	finish
	exit
fi
if ! command -v apparmor_parser >/dev/null; then
	skip 'AppArmor' 'the package apparmor is missing'
	finish
	exit
fi
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
busybox a
label() { lx attach a -- cat /proc/1/attr/current; }
started() { # started PROFILE
	lxmgr-config -P "$TREE" -n a "lxmgr.apparmor.profile=$1" && lx start a
}
ok 'a default container starts' started generated
says 'starts without a profile' 'its log says what it lacks' sh -c 'cat /var/log/lxmgr/a*.log'
is unconfined 'it is unconfined' label
lx stop -k a
ok 'so it does on demand' started unconfined
is unconfined 'and is' label
lx stop -k a
says "$profile" 'a profile that is not loaded is refused by name' started "$profile"
is STOPPED 'and nothing runs' lx info -s -H a
ok 'load it' apparmor_parser -r "$TREE/.profile"
ok 'then it starts' started "$profile"
says "^$profile (\(enforce\)|//&)" 'init has it' label
says "^$profile" 'so has an attached command' lx attach a -- cat /proc/self/attr/current
status 1 'what the profile denies is denied' lx attach a -- cat /etc/passwd
says "^unconfined" 'an attach that leaves it out has none' lx attach -e a -- cat /proc/self/attr/current
status 1 'the guest cannot leave it' lx attach a -- sh -c "echo 'changeprofile unconfined' >/proc/self/attr/current"
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
says "^$profile" 'nor does a /proc of its making' seen $((80000 + $$))
wait
ok 'a restart keeps it' lx restart a
says "^$profile" 'it has' label
before=$(lx info -p -H a)
other_init() {
	local p
	p=$(lx info -p -H a)
	[ -n "$p" ] && [ "$p" != "$before" ]
}
lx attach a -- reboot
ok 'so does a reboot from inside' eventually other_init
says "^$profile" 'it has' label
lx stop -k a
ok 'unload it' apparmor_parser -R "$TREE/.profile"
finish
