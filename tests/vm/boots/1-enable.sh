# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2086
# The first boot: containers are made, enabled, started.
. ../vm/boots/boots.sh
mkdir -p "$KEPT" /var/log/journal
rm -f /etc/systemd/journald.conf.d/lxmgr-vm.conf
systemctl restart systemd-journald
journalctl --flush

ok 'create a systemd guest' lxmgr-create -q -t /srv/guests/ready -n web
for c in $TEN; do
	ok "create $c" lxmgr-create -q -t busybox -n "$c" -s "lxmgr.start.after=${AFTER[$c]}"
done
# shellcheck disable=SC2046
ok 'enable them' systemctl enable lxmgr@web $(printf 'lxmgr@%s ' $TEN)
ok 'start the target' systemctl start lxmgr.target
ok 'all are active' patiently all_active
ok 'the guest comes up' patiently guest_up
# A witness of its own of how it ends.
lxmgr-attach web -- sh -c 'mkdir -p /var/log/journal; cat >/etc/systemd/system/witness.service; systemctl restart systemd-journald' <<-EOT
	[Service]
	Type=oneshot
	RemainAfterExit=yes
	ExecStart=/bin/true
	ExecStop=/bin/sh -c 'systemctl list-jobs --no-legend >>/var/log/witness'
	[Install]
	WantedBy=multi-user.target
EOT
ok 'with a witness in it' lxmgr-attach web -- systemctl enable --now witness
for c in web $TEN; do
	address "$c" >"$KEPT/$c"
done
ok 'all have an address' same_addresses
cat /proc/sys/kernel/random/boot_id >"$KEPT/boot"
end
