# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# A Debian guest's service manager puts services into sandboxes: mounts, namespaces and devices that
# the profile, the filter and the masks of /proc must leave room for.
. ./lib.sh

need jq
service() { # service PROPERTIES... -- COMMAND: as a transient unit, its output
	local p=()
	while [ "$1" != -- ]; do
		p+=(-p "$1")
		shift
	done
	shift
	lx attach deb -- systemd-run -q --wait --pipe "${p[@]}" sh -c "$1"
}
for kind in unprivileged privileged; do
	option=()
	[ "$kind" = unprivileged ] || option=(--privileged)
	ok "$kind: create" lx create -q -t "$DEBIAN" -n deb "${option[@]}"
	ok "$kind: start" lx start deb
	is running "$kind: systemd comes up" came_up deb
	is '' "$kind: no unit failed" lx attach deb -- systemctl --failed --no-legend
	if [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ]; then
		says '^lxmgr-deb-.*enforce' "$kind: in its profile" lx attach deb -- cat /proc/1/attr/current
	else
		skip "$kind: in its profile" 'this kernel runs without AppArmor'
	fi
	lx attach deb -- touch /srv/hidden
	says '^works$' "$kind: files" service ProtectSystem=strict ProtectHome=yes PrivateTmp=yes \
		ReadOnlyPaths=/etc InaccessiblePaths=/srv TemporaryFileSystem=/opt BindPaths=/usr:/mnt -- \
		'touch /tmp/x && ! touch /usr/x 2>/dev/null && ! ls /srv/hidden 2>/dev/null && ls /mnt/bin >/dev/null && echo works'
	says '^works$' "$kind: kernel" service ProtectKernelTunables=yes ProtectKernelModules=yes \
		ProtectKernelLogs=yes ProtectControlGroups=yes ProtectHostname=yes -- \
		'! mkdir /sys/fs/cgroup/x 2>/dev/null && echo works'
	says '^works$' "$kind: devices" service PrivateDevices=yes -- \
		'echo x >/dev/null && ! ls /dev/tty1 2>/dev/null && echo works'
	says '^works$' "$kind: namespaces" service PrivateNetwork=yes PrivateMounts=yes PrivateUsers=yes -- 'echo works'
	says '^works$' "$kind: user" service DynamicUser=yes StateDirectory=lxmgr-test -- \
		'touch $STATE_DIRECTORY/x && echo works'
	ok "$kind: stop" lx stop -t 60 deb
	ok "$kind: destroy" lx destroy -q deb
done
finish
