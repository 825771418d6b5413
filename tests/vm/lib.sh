# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034
# Where the machine's parts are kept. Each directory's name holds a hash of what makes it, so a
# changed script makes a new one and an unchanged one is never made twice.
HERE=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
CACHE=${LXMGR_VM_CACHE:-/var/cache/lxmgr-vm}
SUITE=trixie
# What a container can be made of inside, and the kernels: NAME:SUITE.
GUESTS='trixie bookworm bullseye'
KERNELS='default:trixie 6.1:bookworm newest:trixie-backports'
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
mkdir -p "$CACHE"

fail() {
	echo "vm: $*" >&2
	exit 1
}

# key FILE...: a short hash of their contents.
key() { cat "$@" | sha256sum | head -c 12; }

need() { # need PROGRAM PACKAGE
	command -v "$1" >/dev/null 2>&1 || fail "'$1' is missing; install the package $2"
}

# The archive that this host's apt uses: no other may be reachable.
mirror() {
	local m
	# shellcheck disable=SC2016
	m=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep '/debian/\?$' | head -n 1)
	[ -n "$m" ] || fail "apt on this host knows no Debian archive"
	printf '%s\n' "${m%/}"
}

# What is here only once however many ask for it at the same time.
locked() { # locked NAME COMMAND...
	local lock=$CACHE/$1.lock rc
	shift
	exec 8>"$lock"
	flock 8
	"$@" 8>&-
	rc=$?
	exec 8>&-
	return "$rc"
}

# apt of its own below DIR, which knows only these suites: its APT_CONFIG is DIR/conf.
private_apt() { # private_apt DIR SUITE...
	local dir=$1 m s
	shift
	mkdir -p "$dir"/{lists/partial,archives/partial}
	m=$(mirror)
	for s; do
		echo "deb [signed-by=$KEYRING] $m $s main"
	done >"$dir/sources.list"
	cat >"$dir/conf" <<-EOT
		Dir::State::lists "$dir/lists";
		Dir::Cache "$dir";
		Dir::Etc::sourcelist "$dir/sources.list";
		Dir::Etc::sourceparts "-";
		Acquire::Languages "none";
		APT::Sandbox::User "root";
	EOT
	APT_CONFIG=$dir/conf apt-get -qq update
}

QEMU_DIR=$CACHE/qemu-$(key "$HERE/get-qemu" "$HERE/lib.sh")
IMAGE_DIR=$CACHE/image-$(key "$HERE/build-image" "$HERE/lib.sh" "$HERE/../../templates/debian" "$HERE"/guest/*)
