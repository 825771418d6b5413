# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Guests of the templates ubuntu, kali and devuan, from Debian's archive under their names, and of alpine,
# from a small archive with Debian's OpenRC: each boots, its own network service (netplan, NetworkManager,
# ifupdown, OpenRC with busybox's ifup) has the addresses after a reboot, and keeps them.
# LXMGR_TEST_LONG: also through five minutes of waiting.
# In machines: check-vm-full.
. ./lib.sh
. ./kept.sh
need mmdebstrap apt-get dpkg-deb python3 openssl curl jq ldd ping
if [ "$DEBIAN" != debian ]; then
	skip "$(basename "$0")" "this machine's archive has not the packages"
	finish
	exit
fi

KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
MIRROR=$(apt-get indextargets --format '$(REPO_URI) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' |
	awk '$2 == "main" { print $1; exit }')
if [ -z "$MIRROR" ] || [ ! -r "$KEYRING" ]; then
	skip "$(basename "$0")" "no archive of Debian's is known to this host's apt"
	finish
	exit
fi
# As the test of the templates has them, so that the images are those of before.
made() { # made TEMPLATE [OPTIONS]
	local name=$1
	shift
	lx create -q -t "$name" -n "$name" -- -r bookworm "$@" --mirror "${MIRROR%/}" --keyring "$KEYRING"
}

# OpenRC's files, the libraries that they want, and services in the manner of Alpine's: here is no Alpine.
WWW=$TREE/.www KEYS=$TREE/.keys ORC=$TREE/.openrc
mkdir -p "$WWW" "$KEYS" "$ORC/.debs"
openrc() {
	local d f lib dirs
	(cd "$ORC/.debs" && apt-get -qq -o APT::Sandbox::User=root download openrc librc1 libeinfo1) || return
	for d in "$ORC"/.debs/*.deb; do dpkg-deb -x "$d" "$ORC" || return; done
	rm -rf "$ORC/.debs" "$ORC"/etc/runlevels/*/*
	dirs=$(find "$ORC" -name 'lib*.so.*' -printf '%h:')
	for f in "$ORC"/sbin/* "$ORC"/lib/rc/bin/*; do
		LD_LIBRARY_PATH=$dirs ldd "$f" 2>/dev/null
	done | grep -o '/[^ ]*' | grep -v "^$ORC" | sort -u >"$TREE/.libs"
	while read -r lib; do
		mkdir -p "$ORC${lib%/*}" && cp -L "$lib" "$ORC$lib" || return
	done <"$TREE/.libs"
	cat >"$ORC/etc/init.d/networking" <<'EOT'
#!/sbin/openrc-run
depend() {
	provide net
}
# As Alpine's does: loopback, which is up, is no reason to fail.
start() {
	local i up=1
	ebegin "Starting networking"
	for i in $(sed -n 's/^auto //p' /etc/network/interfaces); do
		ifup "$i" && up=0
	done
	eend $up
}
stop() {
	ebegin "Stopping networking"
	ifdown -a -f
	eend $?
}
EOT
	cat >"$ORC/etc/init.d/hostname" <<'EOT'
#!/sbin/openrc-run
start() {
	hostname -F /etc/hostname
}
EOT
	chmod 755 "$ORC"/etc/init.d/*
	# Of Debian's init system, and of Alpine's ifupdown and baselayout.
	: >"$ORC/etc/insserv.conf"
	mkdir -p "$ORC"/etc/network/if-{pre-up,up,down,post-down}.d "$ORC/var" && ln -s ../run "$ORC/var/run"
}
alpine() {
	local key=test@example.rsa.pub url server rc
	BUSYBOX=$(type -P busybox)
	export BUSYBOX
	openssl genrsa -out "$KEYS/key" 2048 && openssl rsa -in "$KEYS/key" -pubout -out "$KEYS/$key" &&
		ARCH=$(uname -m) OPENRC=$ORC python3 ./mkapk.py "$WWW" "$KEYS/key" "$key" || return
	python3 ./www.py "$WWW" >/dev/null 2>&1 &
	server=$!
	eventually test -e "$WWW/.port"
	url=http://127.0.0.1:$(cat "$WWW/.port")
	lx create -q -t alpine -n alpine -- -r v3.20 --mirror "$url" --key "$KEYS/$key"
	rc=$?
	kill "$server"
	return "$rc"
}

ok 'ubuntu: create, with netplan' made ubuntu --components=main --packages=netplan.io
ok 'kali: create, with NetworkManager' made kali --packages=network-manager
ok 'devuan: create' made devuan
ok "Debian's OpenRC" openrc
ok 'alpine: create' alpine
# As the images of clouds have it.
printf 'network:\n  version: 2\n  ethernets:\n    eth0:\n      dhcp4: true\n' >"$TREE/.netplan"
ok "ubuntu: netplan's DHCP" lx push -m 600 ubuntu "$TREE/.netplan" /etc/netplan/50-cloud-init.yaml
guests='ubuntu kali devuan alpine'
for g in $guests; do
	ok "$g: start" lx start "$g"
done

is running 'ubuntu: comes up' came_up ubuntu
is '' 'ubuntu: no unit failed' inside ubuntu -- systemctl --failed --no-legend --plain
came_up kali >/dev/null
ok "kali: NetworkManager alone is its network service" inside kali -- sh -c 'systemctl -q disable systemd-networkd.service systemd-networkd.socket && systemctl -q enable NetworkManager.service'
level() { inside devuan -- runlevel | grep '2$'; }
ok 'devuan: comes up' eventually level
up() { inside alpine -- rc-service networking status; }
ok 'alpine: comes up' eventually up
for g in $guests; do
	ok "$g: has its addresses and routes" kept "$g"
done

ok 'ubuntu: reboot' reboot_guest ubuntu systemctl reboot
ok 'kali: reboot' reboot_guest kali systemctl reboot
ok 'devuan: reboot' reboot_guest devuan reboot
ok 'alpine: reboot' reboot_guest alpine reboot

is running 'ubuntu: comes up again' came_up ubuntu
OUT=$(inside ubuntu -- networkctl --no-pager status eth0)
says '/10-netplan-eth0|05-lxmgr-eth0.network' 'ubuntu: networkd has a file for it' printf %s "$OUT"
configured() { inside ubuntu -- networkctl --no-pager --no-legend list eth0 | grep -E 'routable +configured'; }
ok 'ubuntu: networkd is done with it' eventually configured
says "$(address ubuntu ipv4)" 'ubuntu: and shows the address' inside ubuntu -- networkctl --no-pager status eth0
ok 'ubuntu: netplan writes its files anew' inside ubuntu -- sh -c 'netplan generate && networkctl reload && networkctl reconfigure eth0'
ok 'ubuntu: done with it again' eventually configured

is running 'kali: comes up again' came_up kali
is active 'kali: NetworkManager runs' inside kali -- systemctl is-active NetworkManager
is inactive 'kali: and networkd does not' inside kali -- systemctl is-active systemd-networkd
says "$(address kali ipv4)/" 'kali: NetworkManager shows the address' inside kali -- nmcli -g IP4.ADDRESS device show eth0
says "$(address kali ipv6 | sed 's/:/.*:/g')" 'kali: of IPv6, too' inside kali -- nmcli -g IP6.ADDRESS device show eth0
ok 'kali: NetworkManager is restarted' inside kali -- systemctl restart NetworkManager
inside kali -- nmcli networking off >/dev/null 2>&1
ok 'kali: kept while it is off' kept kali
inside kali -- nmcli networking on >/dev/null 2>&1

ok 'devuan: comes up again' eventually level
is init 'devuan: sysvinit is its init' inside devuan -- cat /proc/1/comm
is eth0=eth0 'devuan: ifupdown has the interface' inside devuan -- ifquery --state eth0
ok 'devuan: ifdown' inside devuan -- ifdown eth0
ok 'devuan: ifup' inside devuan -- ifup eth0
ok 'devuan: kept' kept devuan
ok 'devuan: networking is restarted' inside devuan -- service networking restart

ok 'alpine: comes up again' eventually up
is init 'alpine: busybox is its init' inside alpine -- cat /proc/1/comm
says 'networking +.*started' 'alpine: OpenRC has it' inside alpine -- rc-status boot
says '^eth0=eth0$' "alpine: busybox's ifup has the interface" inside alpine -- cat /run/ifstate
ok 'alpine: networking is restarted' inside alpine -- rc-service networking restart
ok 'alpine: the service has it again' up
for g in $guests; do
	ok "$g: kept" kept "$g"
done
# shellcheck disable=SC2086
{
	kept_while_idle $guests
	stop_guests $guests
}
finish
