# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# What the kernel limits per user is each container's own: its user namespace belongs to its root.
. ./lib.sh
. ./guest.sh
need tail busybox sysctl

key=fs.inotify.max_user_instances
before=$(sysctl -n "$key")
trap 'sysctl -q -w "$key=$before"' EXIT
# The host's tail has an inotify instance of its own, and says so where it gets none.
refused='inotify cannot be used'
watchers() { # watchers NUMBER: stay in the background
	echo "i=0; while [ \$i -lt $1 ]; do tail -f /etc/hostname >/dev/null & i=\$((i + 1)); done; sleep 2"
}
watch='LC_ALL=C timeout 1 tail -f /etc/hostname'
in_c() { lx attach "$1" -- sh -c "$2"; }
has_watcher() { ! "$@" 2>&1 | grep -q "$refused"; }

borrow_usr
for c in a b; do
	guest "$c"
	echo "$c" >"$TREE/$c/rootfs/etc/hostname"
	lx start "$c"
done
sysctl -q -w "$key=64"
ok 'control: the host has watchers' has_watcher sh -c "$watch"
# The last ones of 80 are refused: wait for them, the machine may be slow.
in_c a "$(watchers 80)" >"$TREE/.a" 2>&1
# Words, not lines: tail writes a line in pieces, and two at once have both their words in one.
refusals() { grep -o "$refused" "$TREE/.a" | wc -l; }
refused_16() { [ "$(refusals)" -ge 16 ]; }
eventually refused_16
says "$refused" 'a container uses up its watchers' cat "$TREE/.a"
is 16 'it had as many as a user may have' refusals
says "inotify instances of a user +64 of 64 by container 'a'.*nearly used up" 'doctor names it' lxmgr-doctor
status 1 'it has none left' has_watcher in_c a "$watch"
ok 'another container has' has_watcher in_c b "$watch"
ok 'the host has' has_watcher sh -c "$watch"
lx stop -k b
lx start b
ok 'a container that starts now has' has_watcher in_c b "$watch"
lx stop -k a
lx start a
ok 'stopped and started, it has them again' has_watcher in_c a "$watch"

# The bounds for many containers: read by systemd-sysctl or by hand, never set by lxmgr itself.
file=$(dirname "$(command -v lxmgr-doctor)")/../lib/sysctl.d/10-lxmgr.conf
sysctl -q -w "$key=$before"
old=$(sed -n 's/^-\([a-z0-9_.]*\) = .*/\1/p' "$file" | xargs sysctl -e 2>/dev/null)
lx stop -k a
lx start a
is "$before" 'a start leaves the host as it is' sysctl -n "$key"
ok 'the drop-in is applied' sysctl -q -p "$file"
is 1024 'and acts' sysctl -n "$key"
is '' 'doctor has nothing to say of those any more' sh -c "lxmgr-doctor | sed -n '/^sysctls/,/^limits/p' | grep notice"
printf '%s\n' "$old" | sed 's/ = /=/' | while read -r line; do sysctl -q -w "$line"; done
is "$before" 'all is as before' sysctl -n "$key"
lx destroy -q -f a
lx destroy -q -f b
give_back_usr
finish
