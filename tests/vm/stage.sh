# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# stage BUILDDIR: make the machine's parts, and install what was built into $work/stage.
# shellcheck source=SCRIPTDIR/lib.sh
. ./lib.sh

stage() {
	./get-qemu >/dev/null && ./build-image || exit 1
	work=$(mktemp -d "$CACHE/check.XXXXXX")
	trap 'rm -rf --one-file-system "$work"' EXIT
	"${MAKE:-make}" -s -C "$1" install DESTDIR="$work/stage" >"$work/log" 2>&1 || {
		tail -n 20 "$work/log" >&2
		fail "make install failed"
	}
}
