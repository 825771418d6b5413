# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Guests of the templates busybox, local, download, oci and cloud boot, have their addresses after a reboot
# and keep them, although their images would ask DHCP; cloud-init does what its seed says.
# LXMGR_TEST_LONG: also through five minutes of waiting.
# In machines: check-vm-full.
. ./lib.sh
. ./kept.sh
need mmdebstrap apt-get python3 gpg gpgv curl xz jq ping
if [ "$DEBIAN" != debian ]; then
	skip "$(basename "$0")" "this machine's archive has not the packages"
	finish
	exit
fi

SITE=$TREE/.site ROOT=$TREE/.root
ETC=${VAR%/var}/etc

# A root as distributors ship it: nothing of it was fitted to a container, and it asks DHCP for its address.
raw() {
	lx create -q -t debian -n base -- --release bookworm --packages=cloud-init,netplan.io,ifupdown,isc-dhcp-client || return
	cp -a "$CACHE/$(sed -n 's/^base = //p' "$TREE/base/storage")/rootfs" "$ROOT" && lx destroy -q base || return
	rm -rf "$ROOT"/usr/share/{doc,locale,info} "$ROOT"/var/lib/apt/lists/*
	find "$ROOT/etc/systemd/system" -lname /dev/null -delete
	printf '[Match]\nName=e*\n\n[Network]\nDHCP=yes\n' >"$ROOT/etc/systemd/network/10-eth.network"
	printf 'network:\n  version: 2\n  ethernets:\n    eth0:\n      dhcp4: true\n' >"$ROOT/etc/netplan/50-image.yaml"
	chmod 600 "$ROOT/etc/netplan/50-image.yaml"
	printf 'auto lo\niface lo inet loopback\n' >"$ROOT/etc/network/interfaces"
}
site() {
	tar -C "$ROOT" --numeric-owner -cf "$TREE/.root.tar" . && xz -0 -T0 -k "$TREE/.root.tar" || return
	python3 ./image-site.py boot "$SITE" "$TREE/.root.tar.xz" || return
	mkdir -m 700 "$TREE/.gpg" && gpg --homedir "$TREE/.gpg" --batch --quiet --passphrase '' \
		--quick-generate-key boot@test.invalid ed25519 sign never || return
	gpg --homedir "$TREE/.gpg" --export >"$TREE/.keys.gpg"
	for f in index images; do
		gpg --homedir "$TREE/.gpg" --batch --quiet --armor --detach-sign "$SITE/streams/v1/$f.json" || return
	done
	gpgconf --homedir "$TREE/.gpg" --kill all
}
# A remote that this host knows while the container is made.
download() {
	local server rc
	python3 ./image-site.py serve "$SITE" "$TREE/.port" >/dev/null 2>&1 &
	server=$!
	eventually test -s "$TREE/.port"
	printf 'url = http://127.0.0.1:%s/\nkeyring = %s\n' "$(cat "$TREE/.port")" "$TREE/.keys.gpg" >"$TREE/.remote.conf"
	mkdir -p "$ETC/lxmgr/remotes" "$VAR/cache/lxmgr/remotes" "$VAR/cache/lxmgr/downloads"
	unshare --mount --propagation private bash -c '
		for d in "$1/lxmgr/remotes" "$2/cache/lxmgr/remotes" "$2/cache/lxmgr/downloads"; do
			mount -t tmpfs -o mode=0755 tmpfs "$d" || exit
		done
		cp "$3" "$1/lxmgr/remotes/boot.conf" && shift 3 && exec "$@"' - "$ETC" "$VAR" "$TREE/.remote.conf" \
		lxmgr-create -P "$TREE" -q -t download -n download -- -d debian -r bookworm
	rc=$?
	kill "$server"
	return "$rc"
}

ok 'a root to begin with' raw
cat >"$TREE/.user-data" <<'EOT'
#cloud-config
hostname: seeded
users:
  - name: ann
    shell: /bin/bash
    ssh_authorized_keys: [ssh-ed25519 AAAA seed]
write_files:
  - path: /etc/of-the-seed
    content: written
    permissions: '0640'
runcmd:
  - [sh, -c, 'hostname > /root/ran; date >> /root/runs']
EOT
ok 'cloud: create' lx create -q -t cloud -n cloud -- --image "$ROOT" --user-data "$TREE/.user-data"
ok 'a site with it' site
ok 'download: create' download
ok 'a layout with it' python3 ./oci-site.py boot "$TREE/.oci" "$TREE/.root.tar"
ok 'oci: create' lx create -q -t oci -n oci -- --url "oci:$TREE/.oci"
# This one's network service is ifupdown.
printf 'auto lo\niface lo inet loopback\n\nauto eth0\niface eth0 inet dhcp\n' >"$ROOT/etc/network/interfaces"
rm -f "$ROOT"/etc/systemd/network/* "$ROOT"/etc/netplan/* "$ROOT"/etc/systemd/system/*.wants/systemd-networkd*
ok 'local: create' lx create -q -t local -n local -- --fstree "$ROOT"
ok 'busybox: create' busybox busybox
rm -rf "$ROOT" "$TREE/.root.tar" "$TREE/.oci" "$SITE"
systemd='cloud download oci local' guests="$systemd busybox"
for g in $guests; do
	ok "$g: start" lx start "$g"
done

check() { # check WHEN
	local g
	for g in $systemd; do
		is running "$g: comes up $1" came_up "$g"
		is '' "$g: no unit failed $1" inside "$g" -- systemctl --failed --no-legend --plain
	done
	for g in $guests; do
		ok "$g: has its addresses and routes $1" kept "$g"
	done
}
check 'at first'

# What the seed says was done.
is 'status: done' 'cloud-init has done its work' inside cloud -- sh -c "cloud-init status --wait | tr -d '.\n' | grep -o 'status: done'"
is DataSourceNoCloud 'of the seed' inside cloud -- sh -c 'jq -r .v1.datasource /run/cloud-init/status.json 2>/dev/null || grep -o "DataSourceNoCloud" /run/cloud-init/status.json | head -n 1'
says ':/bin/bash$' 'its user' inside cloud -- getent passwd ann
is 'ssh-ed25519 AAAA seed' "the user's key" inside cloud -- cat /home/ann/.ssh/authorized_keys
is 'written 640' 'its file' inside cloud -- sh -c 'echo "$(cat /etc/of-the-seed) $(stat -c %a /etc/of-the-seed)"'
is seeded 'its command ran, under the name that it gives' inside cloud -- cat /root/ran
is '' 'it wrote nothing of a network' inside cloud -- sh -c 'ls /etc/netplan/*cloud-init* /etc/network/interfaces.d/*cloud-init* /etc/systemd/network/*cloud-init* 2>/dev/null'

for g in $systemd; do
	ok "$g: reboot" reboot_guest "$g" systemctl reboot
done
ok 'busybox: reboot' reboot_guest busybox reboot
check 'again'
is seeded 'the name of the seed stays' inside cloud -- hostname
is 1 'cloud-init does its work once' inside cloud -- sh -c 'cloud-init status --wait >/dev/null; wc -l </root/runs'

configured() { inside "$1" -- networkctl --no-pager --no-legend list eth0 | grep -E 'routable +configured'; }
for g in cloud download oci; do
	ok "$g: networkd is done with it" eventually configured "$g"
	says "$(address "$g" ipv4)" "$g: and shows the address" inside "$g" -- networkctl --no-pager status eth0
	ok "$g: networkd is restarted" inside "$g" -- systemctl restart systemd-networkd
	ok "$g: done with it again" eventually configured "$g"
done
is eth0=eth0 'local: ifupdown has the interface' inside local -- ifquery --state eth0
is '' 'local: and no client of DHCP' inside local -- sh -c 'ps -eo comm= | grep -E "dhclient|dhcpcd|udhcpc"'
ok 'local: networking is restarted' inside local -- systemctl restart networking
for g in $guests; do
	ok "$g: kept" kept "$g"
done

images=$(for g in $systemd; do sed -n 's/^base = //p' "$TREE/$g/storage"; done)
# shellcheck disable=SC2086
{
	kept_while_idle $guests
	stop_guests $guests
}
for g in $guests; do
	lx destroy -q "$g"
done
for i in $images; do
	ok 'the image is deleted' lxmgr-image -q delete "$i"
done
finish
