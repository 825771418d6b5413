# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091
# The family of debian: one template, and a table of what differs. Each on a small archive of its own,
# in the real format, signed with a key of the test.
# In machines: check-vm-full.
. ./lib.sh
need mmdebstrap dpkg-deb gpg python3 jq

WWW=$TREE/.www
mkdir -p "$WWW"
GNUPGHOME=$TREE/.gnupg
export GNUPGHOME
mkdir -m 700 "$GNUPGHOME"
gpg --batch --quiet --passphrase '' --quick-gen-key 'archive of a test' rsa2048 sign never 2>/dev/null
gpg --batch --export >"$TREE/.keys.gpg"
gpg --batch --quiet --passphrase '' --quick-gen-key 'somebody else' rsa2048 sign never 2>/dev/null
gpg --batch --export 'somebody else' >"$TREE/.others.gpg"
chmod 644 "$TREE"/.*.gpg
arch=$(dpkg --print-architecture)

deb() { # deb NAME FILE...: a package of these files
	local name=$1 d=$TREE/.deb
	shift
	rm -rf "$d" && mkdir -p "$d/DEBIAN" "$d/usr/share/test"
	printf 'Package: %s\nVersion: 1\nArchitecture: %s\nMaintainer: test <test@example.invalid>\nDescription: %s of a test\n' \
		"$name" "$arch" "$name" >"$d/DEBIAN/control"
	echo "$name" >"$d/usr/share/test/$name"
	for f; do mkdir -p "$d/$(dirname "$f")" && cp "$(type -P busybox)" "$d/$f"; done
	dpkg-deb --root-owner-group -Znone -b "$d" "$pool" >/dev/null
}

packages() { # packages DIR: the index of it, below here
	local f
	for f in "$1"/*.deb; do
		dpkg-deb -f "$f"
		printf 'Filename: %s\nSize: %s\nSHA256: %s\n\n' "$f" "$(stat -c %s "$f")" "$(sha256sum <"$f" | cut -d' ' -f1)"
	done
}

archive() { # archive LABEL SUITE COMPONENTS PACKAGES...
	local label=$1 suite=$2 components=$3 c top=$WWW/${1,,}
	shift 3
	for c in $components; do
		pool=$top/pool/$c
		mkdir -p "$pool" "$top/dists/$suite/$c/binary-$arch"
		if [ "$c" = main ]; then
			for p in "$@"; do deb "$p"; done
			deb base-of-test bin/busybox etc/default/of-test proc/of-test sys/of-test
		else
			deb "only-in-$c"
		fi
		(cd "$top" && packages "pool/$c") >"$top/dists/$suite/$c/binary-$arch/Packages"
	done
	{
		printf 'Origin: %s\nLabel: %s\nSuite: %s\nCodename: %s\n' "$label" "$label" "$suite" "$suite"
		printf 'Date: %s\nArchitectures: %s\nComponents: %s\nSHA256:\n' "$(LC_ALL=C date -Ru)" "$arch" "$components"
		(cd "$top/dists/$suite" && find . -name Packages -printf '%P %s\n') | while read -r c size; do
			printf ' %s %s %s\n' "$(sha256sum <"$top/dists/$suite/$c" | cut -d' ' -f1)" "$size" "$c"
		done
	} >"$TREE/.Release"
	gpg --batch --quiet --yes --local-user 'archive of a test' --clearsign -o "$top/dists/$suite/InRelease" "$TREE/.Release"
}
common='iproute2 iputils-ping netbase login passwd procps ca-certificates less nano'
# shellcheck disable=SC2086
{
	archive Ubuntu noble 'main universe' systemd systemd-sysv dbus libpam-systemd $common
	archive Devuan daedalus main sysvinit-core sysv-rc ifupdown $common
	archive Kali kali-rolling main systemd systemd-sysv dbus libpam-systemd $common
}
chmod -R a+rX "$WWW"
python3 ./www.py "$WWW" >/dev/null 2>&1 &
server=$!
eventually test -e "$WWW/.port"
URL=http://127.0.0.1:$(cat "$WWW/.port")

# "extract" unpacks packages without running anything of theirs: these are no system.
create() { # create FAMILY SUITE [OPTIONS]
	local family=$1 suite=$2
	shift 2
	lx create -q -t "$family" -n "$family" -- -r "$suite" --variant extract --packages base-of-test "$@"
}
for f in 'ubuntu noble main,universe' 'devuan daedalus main' 'kali kali-rolling main'; do
	read -r family suite components <<<"$f"
	says "Options of the template" "$family has help" lxmgr-create -t "$family" --help
	says "set lxmgr.mirror.$family in lxmgr.conf" "$family: no mirror is known" create "$family" "$suite"
	says "install the package .*keyring, or give --keyring" "$family: no keyring is there" create "$family" "$suite" --mirror "$URL/$family" --keyring /none
	ok "$family from its archive" create "$family" "$suite" --components "$components" --mirror "$URL/$family" --keyring "$TREE/.keys.gpg"
	img=$CACHE/$(lx info "$family" --json | jq -r .image)/rootfs
	is "$family" 'from the suite' bash -c "grep -ho '/$family ' $img/etc/apt/sources.list | tr -d '/ ' | head -n 1"
	ok 'with its packages' test -e "$img/usr/share/test/nano" -a -x "$img/bin/busybox"
done
img=$CACHE/$(lx info ubuntu --json | jq -r .image)/rootfs
says ' noble main universe$' 'ubuntu has its components' cat "$img/etc/apt/sources.list"
ok 'and systemd, fitted to a container' test -L "$img/etc/systemd/system/multi-user.target.wants/systemd-networkd.service"
img=$CACHE/$(lx info devuan --json | jq -r .image)/rootfs
says 'powerfail' 'devuan has an inittab that halts it' cat "$img/etc/inittab"
says 'iface eth0 inet manual' 'and ifupdown' cat "$img/etc/network/interfaces"
ok 'not systemd' test ! -e "$img/usr/share/test/systemd"
says 'is no release.s code name' 'a suite with a slash' lx create -q -t kali -n x -- -r ../x --mirror "$URL/kali" --keyring "$TREE/.keys.gpg"
says 'mmdebstrap failed|status 1' "somebody else's key" lx create -q -t kali -n x -- -r kali-rolling --variant extract --mirror "$URL/kali" --keyring "$TREE/.others.gpg"
ok 'nothing is made' test ! -e "$TREE/x"

# The host's own mirror, where none is given.
CONF=$(lxmgr-config lxmgr.default_config)
CONF=${CONF%/*}/lxmgr.conf
cp "$CONF" "$TREE/.conf"
own=$TREE/.lxmgr.conf
cp "$CONF" "$own" 2>/dev/null || : >"$own"
echo "lxmgr.mirror.kali = $URL/kali" >>"$own"
lx destroy -q kali
status 0 'a mirror from lxmgr.conf' unshare --mount --propagation private bash -c "mount --bind '$own' '$CONF' && exec lxmgr-create -P '$TREE' -q -F -t kali -n kali -- -r kali-rolling --variant extract --packages base-of-test --keyring '$TREE/.keys.gpg'"
is "$URL/kali" 'is known to lxmgr-config' unshare --mount --propagation private bash -c "mount --bind '$own' '$CONF' && exec lxmgr-config lxmgr.mirror.kali"
ok 'and the same that its name given would be' test "$(lx info kali --json | jq -r .image)" != null
kill $server
wait $server 2>/dev/null
gpgconf --kill all 2>/dev/null
finish
