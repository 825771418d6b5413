#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Generate the build system. Needs autoconf, automake, libtool and pkg-config.
set -e
cd "$(dirname "$0")"
for prog in autoreconf aclocal libtoolize pkg-config; do
	if ! command -v "$prog" >/dev/null 2>&1; then
		echo "autogen.sh: $prog is missing; ./bootstrap installs what the build needs" >&2
		exit 1
	fi
done
exec autoreconf --install --force --warnings=all,no-obsolete
